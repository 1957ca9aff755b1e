"""Exponentials of generators, those of rate equations without subtractions."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_TERMS = 20  # of the Taylor series at norm 1: the next one is 4e-20
_MOST_SQUARINGS = 120


def exponential(generator: Float[Array, "n n"], time: Float[Array, ""]) -> Float[Array, "n n"]:
    """exp(W t) for off-diagonal entries >= 0, columns that sum to zero, and t >= 0, every entry
    accurate relative to itself.

    W + s, with s the largest rate out of a level, has no negative entry; nor have the terms of its
    Taylor series and their squares. The columns of each square are scaled back to the sum 1, which
    keeps rounding from growing with the number of squarings. Time is a traced number: 0 up to about
    2^120 times the fastest relaxation. **Source:** Xue and Ye, Math. Comp. 82, 1577 (2013), on
    entrywise accuracy for essentially nonnegative matrices.
    """
    identity = jnp.eye(generator.shape[0], dtype=generator.dtype)
    fastest = lax.stop_gradient(jnp.max(-jnp.diag(generator)))
    norm = fastest * time
    halvings = jnp.maximum(
        jnp.ceil(jnp.log2(jnp.maximum(lax.stop_gradient(norm), jnp.finfo(norm.dtype).tiny))), 0
    )
    small = norm * jnp.exp2(-halvings)
    positive = generator / fastest + identity
    series = identity
    for k in range(_TERMS, 0, -1):
        series = identity + (small / k) * (positive @ series)
    start = jnp.exp(-small) * series

    def scaled(x):
        return x / x.sum(axis=0, keepdims=True)

    def square(propagator, k):
        return lax.cond(k < halvings, lambda x: scaled(x @ x), lambda x: x, propagator), None

    return lax.scan(square, scaled(start), jnp.arange(_MOST_SQUARINGS, dtype=norm.dtype))[0]


def propagator(
    generator: Float[Array, "m m"], time: Float[Array, ""], levels: int
) -> Float[Array, "m m"]:
    """exp(M t), t >= 0, of a real matrix whose flow does not grow and keeps the sum of the first
    numbers, the populations of `levels`.

    By the Taylor series at a norm of at most 1 and squarings, without LAPACK; up to |M| t of about
    2^60. Errors are at most about 1e-15 (1 + |M| t), and each squaring restores the sum.
    """
    identity = jnp.eye(generator.shape[0], dtype=generator.dtype)
    norm = lax.stop_gradient(jnp.max(jnp.abs(generator).sum(0)) * time)
    halvings = jnp.maximum(jnp.ceil(jnp.log2(jnp.maximum(norm, jnp.finfo(norm.dtype).tiny))), 0)
    small, series = generator * (time * jnp.exp2(-halvings)), identity
    for k in range(_TERMS, 0, -1):
        series = identity + small @ series / k

    def restored(x):
        sums, is_population = x[:levels].sum(0), jnp.arange(len(x)) < levels
        share = jnp.where(is_population, sums, 1.0)
        return x / share[None] - jnp.where(is_population, 0.0, sums)[None] * (x[:, :1] / sums[0])

    def square(found, k):
        return lax.cond(k < halvings, lambda x: restored(x @ x), lambda x: x, found), None

    return lax.scan(square, restored(series), jnp.arange(_MOST_SQUARINGS // 2, dtype=norm.dtype))[0]
