"""The place where `vmap` puts the batch axis of arrays over levels: last, so that what is done
level by level runs along the batch.

`jax.vmap` moves the axis to the front wherever a batched array meets a scalar or an array that is
not batched. Rows of a dozen levels then fill no vector unit, and every loop over levels copies its
operands. The functions here keep the axis last; after them, elementwise operations, shifts and sums
leave it there as long as they meet numbers known to Python and arrays laid out like them.
"""

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

Tree = TypeVar("Tree")

_FEW = 32  # levels, over which sums are written out


def follow(x: Array, witness: Array) -> Array:
    """x, batched wherever x or `witness` is, the batch axis last. The identity; so is its
    derivative, laid out in the same way."""
    return _follow_p.bind(x, lax.stop_gradient(witness))


def together(tree: Tree) -> Tree:
    """The arrays of a PyTree, all of them batched if one is, the batch axis last."""
    leaves, structure = jax.tree.flatten(tree)
    witness = add(
        x[(0,) * x.ndim].astype(leaves[0].dtype) for x in map(lax.stop_gradient, leaves) if x.size
    )
    return jax.tree.unflatten(structure, [follow(x, witness) for x in leaves])


def at_every(module: Tree, size: int) -> Tree:
    """The numbers in a module, each repeated, so that they meet arrays of this size as their
    equals; what is no number becomes None."""
    return jax.tree.map(
        lambda x: jnp.broadcast_to(x, (size, *x.shape)), eqx.filter(module, eqx.is_inexact_array)
    )


def alike(modules: Sequence[Any]) -> list[list[int]]:
    """The places of modules that differ in their numbers only, group by group: one program serves a
    group."""
    groups = []
    for place, module in enumerate(modules):
        numbers, rest = eqx.partition(module, eqx.is_inexact_array)
        kind = jax.tree.map(lambda x: (x.shape, str(x.dtype)), numbers), rest
        known = next((places for other, places in groups if eqx.tree_equal(other, kind)), None)
        if known is None:
            groups.append((kind, [place]))
        else:
            known.append(place)
    return [places for _, places in groups]


def add(terms: Iterable[Array]) -> Array:
    """The sum of some arrays, without the integer 0 that Python's `sum` starts from."""
    return functools.reduce(operator.add, terms)


def sum_over(x: Array, axis: int) -> Array:
    """The sum along one axis of levels, written out: XLA's reductions over leading axes are slow on
    CPUs."""
    return _sum_p.bind(x, axis=axis)


def total(x: Float[Array, " n"]) -> Float[Array, ""]:
    """The sum over levels."""
    return sum_over(follow(x, x), 0)


def largest(x: Float[Array, "..."]) -> Float[Array, ""]:
    """The largest absolute value."""
    x = jnp.abs(follow(x, x))
    while x.ndim:
        x = (
            functools.reduce(jnp.maximum, [x[i] for i in range(len(x))])
            if len(x) <= _FEW
            else x.max(axis=0)
        )
    return settle(x)


def settle(x: Array) -> Array:
    """x, computed once and kept. The identity, and so is its derivative.

    A compiler may copy what an array is computed from into every kernel that uses it. Two copies
    need not be rounded alike, and where it is a padded array, or the derivative of a dozen rates,
    the kernels lose their vector instructions or repeat much work.
    """
    return _settle_p.bind(x)


def batched_last(args, dims):
    """The operands of a primitive that is being batched, all with the batch axis last."""
    size = next(x.shape[d] for x, d in zip(args, dims) if d is not None)
    return [
        jnp.broadcast_to(x[..., None], (*x.shape, size)) if d is None else jnp.moveaxis(x, d, -1)
        for x, d in zip(args, dims)
    ]


_follow_p = Primitive("follow")
_follow_p.def_impl(lambda x, witness: x)
_follow_p.def_abstract_eval(lambda x, witness: x)
mlir.register_lowering(_follow_p, lambda _, x, witness: [x])


def _follow_jvp(primals, tangents):
    (x, witness), (x_dot, _) = primals, tangents
    return _follow_p.bind(x, witness), _follow_p.bind(ad.instantiate_zeros(x_dot), witness)


def _follow_batch(args, dims):
    x, witness = batched_last(args, dims)
    return _follow_p.bind(x, witness), x.ndim - 1


ad.primitive_jvps[_follow_p] = _follow_jvp
ad.primitive_transposes[_follow_p] = lambda ct, x, witness: [
    _follow_p.bind(ad.instantiate_zeros(ct), witness),
    None,
]
batching.primitive_batchers[_follow_p] = _follow_batch

_settle_p = Primitive("settle")
_settle_p.def_impl(lambda x: x)
_settle_p.def_abstract_eval(lambda x: x)
ad.deflinear2(_settle_p, lambda ct, _: [_settle_p.bind(ad.instantiate_zeros(ct))])
batching.primitive_batchers[_settle_p] = lambda args, dims: (_settle_p.bind(*args), *dims)


def _settled_on_cpu(x):
    """A loop that touches two rows and changes nothing: XLA for CPUs drops its barriers too early,
    but does not fuse across loops."""
    if x.ndim == 0 or x.size == 0:
        return x

    def touch(i, x):
        return lax.dynamic_update_slice_in_dim(
            x, jnp.maximum(lax.dynamic_slice_in_dim(x, i, 1), -jnp.inf), i, 0
        )

    return lax.fori_loop(0, 2, touch, x)


mlir.register_lowering(_settle_p, mlir.lower_fun(lax.optimization_barrier, multiple_results=False))
mlir.register_lowering(
    _settle_p, mlir.lower_fun(_settled_on_cpu, multiple_results=False), platform="cpu"
)


_sum_p = Primitive("sum_over")


def _summed(x, *, axis):
    if x.shape[axis] > _FEW or x.shape[axis] == 0:
        return x.sum(axis)
    return add(lax.index_in_dim(x, i, axis, keepdims=False) for i in range(x.shape[axis]))


def _sum_transpose(ct, x, *, axis):
    return [jnp.broadcast_to(jnp.expand_dims(ad.instantiate_zeros(ct), axis), x.aval.shape)]


def _sum_batch(args, dims, *, axis):
    (x,) = batched_last(args, dims)
    return _sum_p.bind(x, axis=axis), x.ndim - 2


_sum_p.def_impl(lambda x, **how: jax.jit(functools.partial(_summed, **how))(x))
_sum_p.def_abstract_eval(lambda x, *, axis: x.update(shape=x.shape[:axis] + x.shape[axis + 1 :]))
mlir.register_lowering(_sum_p, mlir.lower_fun(_summed, multiple_results=False))
ad.deflinear2(_sum_p, _sum_transpose)
batching.primitive_batchers[_sum_p] = _sum_batch
