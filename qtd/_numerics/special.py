"""Scalar functions that stay finite and accurate, derivatives included, in the limits physics needs."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Coefficients B_2k / (2k)! of x / (exp(x) - 1) = 1 - x/2 + sum_k B_2k x^2k / (2k)!; with these, the truncation error at
# |x| = 1/2 is below 1e-17.
_BERNOULLI = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600)


@jax.custom_jvp
def bose_weights(x: Float[Array, "*batch"]) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """`(x n(x), x (1 + n(x)))` with n = 1/(exp(x) - 1): the weights of absorption and of emission, for any sign of x.

    Both are positive, tend to 1 at x = 0 where n diverges, and satisfy detailed balance, ratio exp(-x). The smaller one is
    accurate relative to itself down to underflow.
    """
    small, _ = _small_weight_and_slope(jnp.abs(x))
    return small + jnp.maximum(-x, 0), small + jnp.maximum(x, 0)


@bose_weights.defjvp
def _bose_weights_jvp(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    positive = x >= 0
    small, slope = _small_weight_and_slope(jnp.where(positive, x, -x))
    # The derivative of the smaller weight is never formed as a difference, so it is accurate relative to itself too.
    absorption, emission = jnp.where(positive, slope, -1 - slope), jnp.where(positive, 1 + slope, -slope)
    return (small + jnp.maximum(-x, 0), small + jnp.maximum(x, 0)), (absorption * x_dot, emission * x_dot)


def _small_weight_and_slope(x):
    """x / (exp(x) - 1) and its derivative, for x >= 0."""
    is_small = x < 0.5
    y = jnp.where(is_small, x, 0.0)  # the branch not taken must be finite too, or its gradient is NaN
    square = y * y
    tail, slope_tail = jnp.zeros_like(x), jnp.zeros_like(x)
    for coefficient in reversed(_BERNOULLI):
        tail = tail * square + coefficient
    series = 1 - y / 2 + square * tail
    slope_tail = -0.5 - y * tail  # (1 - x - series) / x
    z = jnp.where(is_small, 1.0, x)
    boltzmann = jnp.exp(-z)
    closed = z * boltzmann / (1 - boltzmann)
    weight = jnp.where(is_small, series, closed)
    return weight, weight * jnp.where(is_small, slope_tail, (1 - z - closed) / z)
