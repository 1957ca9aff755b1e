"""Values on the levels of a ladder, on the first axis: reading those of the levels below, and
handing values down to them."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from .batching import add, batched_last, settle


def shift(x: Float[Array, "n *batch"], distance: int) -> Float[Array, "n *batch"]:
    """x_{k-distance} at every level k, 0 where there is no such level: from the levels below for a
    positive distance, from those above for a negative one. The transpose is the shift the other
    way."""
    return _shift_p.bind(x, distance=distance)


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


def _shift_batch(args, dims, *, distance):
    (x,) = batched_last(args, dims)
    return _shift_p.bind(x, distance=distance), x.ndim - 1


_shift_p = Primitive("shift")
_shift_p.def_impl(_shifted)
_shift_p.def_abstract_eval(lambda x, *, distance: x)
mlir.register_lowering(_shift_p, mlir.lower_fun(_shifted, multiple_results=False))
ad.deflinear2(
    _shift_p,
    lambda ct, _, *, distance: [_shift_p.bind(ad.instantiate_zeros(ct), distance=-distance)],
)
batching.primitive_batchers[_shift_p] = _shift_batch
