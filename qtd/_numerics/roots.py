"""Roots of scalar equations, with implicit derivatives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def bisect(function: Callable, lower: Float[Array, ""], upper: Float[Array, ""], args) -> Float[Array, ""]:
    """x in [lower, upper] with function(x, args) = 0, to the last bits; NaN where the ends do not bracket a sign change.

    Bisection to full precision, under `vmap` as well; derivatives of any order by Newton steps at the root, which have no value
    but carry the implicit derivative: pass all that is differentiated in `args`.
    """
    frozen = lax.stop_gradient(args)
    low, high = lax.stop_gradient((jnp.asarray(lower), jnp.asarray(upper)))
    rises = function(high, frozen) > function(low, frozen)

    def halve(_, ends):
        low, high = ends
        middle = low + (high - low) / 2
        above = (function(middle, frozen) > 0) == rises
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    bracketed = function(low, frozen) * function(high, frozen) <= 0
    bits = jnp.finfo(low.dtype).nmant + 12
    low, high = lax.fori_loop(0, bits, halve, (low, high))
    root = jnp.where(bracketed, low + (high - low) / 2, jnp.nan)
    slope = jax.grad(function)
    for _ in range(2):  # each step makes one more order of the derivative right
        root = root - function(root, args) / slope(root, args)
    return root
