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
from jaxtyping import Array, Float

from .jax_internals.primitives import follow, primitive, settle

Tree = TypeVar("Tree")

_FEW = 32  # levels, over which sums are written out


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
    return _sum_over(x, axis=axis)


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


def first_largest(x: Float[Array, "n *batch"]) -> Float[Array, "n *batch"]:
    """1 at the first of the largest values over levels, 0 elsewhere; of few levels written out, as
    XLA looks for places one by one."""
    if len(x) > _FEW:
        levels = jnp.arange(len(x)).reshape(-1, *(1,) * (x.ndim - 1))
        return (levels == jnp.argmax(x, axis=0)[None]).astype(x.dtype)
    largest = functools.reduce(jnp.maximum, [x[i] for i in range(len(x))])
    free, found = jnp.ones_like(largest), []
    for i in range(len(x)):
        here = free * (x[i] == largest).astype(x.dtype)
        found.append(here)
        free = free - here
    return settle(jnp.stack(found))


def _summed(x, *, axis):
    if x.shape[axis] > _FEW or x.shape[axis] == 0:
        return x.sum(axis)
    return add(lax.index_in_dim(x, i, axis, keepdims=False) for i in range(x.shape[axis]))


_sum_over = primitive(
    "sum_over",
    _summed,
    lambda x, *, axis: x.update(shape=x.shape[:axis] + x.shape[axis + 1 :]),
    transpose=lambda ct, x, *, axis: [jnp.broadcast_to(jnp.expand_dims(ct, axis), x.aval.shape)],
)
