"""Values on the levels of a ladder, on the first axis: reading those of the levels below, and
handing values down to them."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .batching import add
from .jax_internals.primitives import primitive, settle


def shift(x: Float[Array, "n *batch"], distance: int) -> Float[Array, "n *batch"]:
    """x_{k-distance} at every level k, 0 where there is no such level: from the levels below for a
    positive distance, from those above for a negative one. The transpose is the shift the other
    way."""
    return _shift(x, distance=distance)


def rounded_once(terms: Sequence[Float[Array, " n"]]) -> Float[Array, " n"]:
    """The sum of the terms, with the rounding errors of the additions added back (Knuth's
    two-sum)."""
    total, errors = terms[0], []
    for term in terms[1:]:
        x, y = lax.stop_gradient((total, term))
        rounded = x + y
        share = rounded - x
        errors.append((x - (rounded - share)) + (y - share))
        total = total + term
    return total + add(errors) if errors else total


def _shifted(x, *, distance):
    kept = max(len(x) - abs(distance), 0)
    nothing = jnp.zeros((len(x) - kept, *x.shape[1:]), x.dtype)
    return settle(
        jnp.concatenate([nothing, x[:kept]] if distance > 0 else [x[len(x) - kept :], nothing])
    )


_shift = primitive(
    "shift",
    _shifted,
    lambda x, *, distance: x,
    transpose=lambda ct, _, *, distance: [_shift(ct, distance=-distance)],
    eager=_shifted,
)
