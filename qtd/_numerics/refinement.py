"""A second Newton step for flows at rest, where the first one has left more than the smallest of
them."""

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .elimination import FEW, Elimination, conserving
from .jax_internals.primitives import primitive

Levels = Float[Array, " n"]


class Network(Protocol):
    """Who is joined to whom: what flows on the diagonals bring to each level, and values at the
    lower levels of each."""

    def net(self, flows: Sequence[Levels]) -> Levels: ...

    def lower(self, x: Levels) -> list[Levels]: ...


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def refinement(
    network: Network,
    elimination: Elimination,
    rates: Any,
    flows: Sequence[Levels],
    first: Levels,
    gross: Sequence[Levels],
) -> tuple[list[Levels], list[Levels]]:
    """What a further step adds to the net `flows`, 0 where none is needed; and about how far they
    are off then.

    The `first` step, in the populations, was as wrong, relative to itself, as all that is computed
    once: it leaves rounding squared of what goes to and fro, `gross`. That is too much where
    `gross` exceeds the largest flow by eps^(-3/4) and more. In a batch where it nowhere does, no
    further step is computed. Derivatives, of few levels only, take it earlier: what rounding leaves
    in those of the first step is not squared, and too much from eps^(-1/4) on.
    """
    elimination, rates, flows, first, gross = lax.stop_gradient(
        (elimination, rates, flows, first, gross)
    )
    eps = float(jnp.finfo(first.dtype).eps)
    needed = _largest(flows) < eps**0.75 * _largest(gross)
    known = elimination.factors, elimination.populations, elimination.scale
    operands, structure = jax.tree.flatten((known, rates, list(flows), first, needed))
    *again, last = _refine(*operands, structure=structure, network=network)
    return again, [len(first) * eps * jnp.abs(flow) for flow in _flows(network, rates, last)]


@refinement.defjvp
def _refinement_jvp(network, primals, tangents):
    found = refinement(network, *primals)
    still = jax.tree.map(jnp.zeros_like, found)
    if len(primals[0].populations) > FEW:
        return found, still
    needed = _largest(primals[2]) < float(jnp.finfo(primals[3].dtype).eps) ** 0.25 * _largest(
        primals[4]
    )
    needed = needed.astype(primals[3].dtype)

    def step(elimination, rates, flows):
        return _flows(network, rates, elimination.solve(-network.net(flows), needed))

    return found, (jax.jvp(step, primals[:3], tangents[:3])[1], still[1])


def _flows(network, rates, x):
    return [up * y - down * x for (up, down), y in zip(rates, network.lower(x))]


def _largest(values):
    """The largest size over levels and diagonals."""
    return functools.reduce(jnp.maximum, (jnp.abs(x).max(0) for x in values))


def _refined(*operands, structure, network):
    """What the second step adds to the flows, 0 where it is not needed, and the last step that was
    made."""
    factors, rates, flows, first, needed = jax.tree.unflatten(structure, operands)

    def step():
        second = conserving(factors, -network.net(flows), transposed=False)
        second = jnp.where(needed[None], second, 0.0)
        return [*_flows(network, rates, second), jnp.where(needed[None], second, first)]

    return lax.cond(jnp.any(needed), step, lambda: [*(jnp.zeros_like(x) for x in flows), first])


def _shapes(*avals, structure, network):
    _, _, flows, first, _ = jax.tree.unflatten(structure, avals)
    return [*flows, first]


_refine = primitive(
    "refinement", _refined, _shapes, several=True, traced_once=("structure", "network")
)
