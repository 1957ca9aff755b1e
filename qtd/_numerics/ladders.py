"""Values on the levels of a ladder: reading those of the levels below, and handing values down to them."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float


def below(x: Float[Array, " n"], distance: int) -> Float[Array, " n"]:
    """x_{k-distance} at every level k; 0 where there is no such level."""
    return jnp.pad(x, (distance, 0))[: x.shape[0]]


def to_lower(values: Sequence[Float[Array, " n"]]) -> Float[Array, " n"]:
    """sum_d values[d-1] at k+d, at every level k: what jumps from above bring. The transpose of `below`."""
    return sum(jnp.pad(x, (0, d))[d:] for d, x in enumerate(values, start=1))
