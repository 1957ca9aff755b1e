"""Values on the levels of a ladder: reading those of the levels below, and handing values down to them."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def below(x: Float[Array, " n"], reach: int) -> list[Float[Array, " n"]]:
    """x_{k-1}, ... x_{k-reach} at every level k; 0 where there is no such level."""
    return [jnp.pad(x, (d, 0))[: x.shape[0]] for d in range(1, reach + 1)]


def to_lower(values: Sequence[Float[Array, " n"]]) -> Float[Array, " n"]:
    """sum_d values[d-1] at k+d, at every level k: what jumps from above bring. The transpose of `below`."""
    total = jnp.zeros_like(values[0])
    for d, x in enumerate(values, start=1):
        total = total + jnp.pad(x, (0, d))[d:]
    return total


def rounded_once(terms: Sequence[Float[Array, " n"]]) -> Float[Array, " n"]:
    """The sum of the terms, with the rounding errors of the additions added back (Knuth's two-sum)."""
    total, lost = terms[0], jnp.zeros_like(terms[0])
    for term in terms[1:]:
        x, y = lax.stop_gradient((total, term))
        rounded = x + y
        share = rounded - x
        lost = lost + ((x - (rounded - share)) + (y - share))
        total = total + term
    return total + lost
