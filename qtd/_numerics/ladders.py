"""Values on the levels of a ladder: reading those of the levels below, and handing values down to them."""

from collections.abc import Sequence

import jax.numpy as jnp
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
