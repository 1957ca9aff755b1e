"""The device between the filters: its levels, and the jumps that each reservoir makes among
them."""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics.validation import is_concrete, nonnegative
from ..lindblad import Lindbladian
from ..networks import RateNetwork
from ..systems.base import AbstractSystem
from ._structure import Edges


class Bare(NamedTuple):
    """Numbers of a device: `energies` of its levels, and by reservoir the `amplitudes` A_ab of its
    jumps and their `strengths`, the squares of these, in the order of their `Edges`."""

    energies: Float[Array, " levels"]
    amplitudes: dict[str, Float[Array, " jumps"]]
    strengths: dict[str, Float[Array, " jumps"]]


@functools.singledispatch
def joined(system: AbstractSystem) -> dict[str, np.ndarray]:
    """Pairs of levels, (jumps, 2), that each reservoir of a `system` joins, and the numbers of
    particles of the levels under "". Kinds of system register theirs."""
    raise ValueError(_unknown(system))


def has_levels(system: AbstractSystem) -> bool:
    """Whether a `system` is of a kind whose filters can be explicit."""
    return joined.dispatch(type(system)) is not joined.dispatch(object)


@functools.singledispatch
def bare(system: AbstractSystem) -> Bare:
    """The numbers of a `system`, in the order of `joined`. Kinds of system register theirs."""
    raise ValueError(_unknown(system))


@joined.register
def _(system: RateNetwork) -> dict[str, np.ndarray]:
    topology = system.topology
    if topology.is_degenerate:
        raise ValueError(
            "`explicit` needs levels of one state each: write out the states of `degeneracies`."
        )
    found = {name: _pairs(topology, name)[0] for name in topology.names}
    particles = np.empty(topology.size, int)
    particles[topology.order] = topology.particles
    return found | {"": particles}


@bare.register
def _(system: RateNetwork) -> Bare:
    topology, strengths = system.topology, {}
    for name in topology.names:
        pairs, which = _pairs(topology, name)
        given = nonnegative(system.strengths[name])
        strengths[name] = jnp.zeros(len(pairs), given.dtype).at[which].add(given)
    amplitudes = {name: jnp.sqrt(strength) for name, strength in strengths.items()}
    return Bare(system.energies, amplitudes, strengths)


def _unknown(system):
    return (
        f"`explicit` needs a network or a master equation of couplings, got"
        f" {type(system).__name__}."
    )


def _pairs(topology, name):
    """Pairs of levels, each once, and which of them each jump of a reservoir belongs to."""
    every = {}
    for diagonal in map(topology.diagonals.__getitem__, topology.of(name)):
        for level in diagonal.levels:
            pair = topology.order[diagonal.lower[level]], topology.order[level]
            every[int(diagonal.jumps[level])] = tuple(sorted(map(int, pair)))
    pairs = np.array([every[jump] for jump in range(len(every))], int).reshape(-1, 2)
    unique, which = np.unique(pairs, axis=0, return_inverse=True)
    return unique, which.ravel()


@joined.register
def _(system: Lindbladian) -> dict[str, np.ndarray]:
    structure = _among_levels(system).structure
    if structure.is_complex:
        raise ValueError("`explicit` needs a device whose operators are real.")
    found = {name: edges.rising for name, edges in structure.edges.items()}
    return found | {"": structure.particles}


@bare.register
def _(system: Lindbladian) -> Bare:
    whole = _among_levels(system)
    energies, states = whole.levels()
    amplitudes, strengths = {}, {}
    for name, edges in whole.structure.edges.items():
        coupling = states.T @ jnp.asarray(whole.structure.couplings[name], states.dtype) @ states
        lower, upper = edges.rising.T
        elements, strength = coupling[upper, lower], nonnegative(whole.strengths[name])
        amplitudes[name] = jnp.sqrt(strength) * elements
        strengths[name] = strength * elements**2
    return Bare(energies, amplitudes, strengths)


def _among_levels(system):
    """The same device, with couplings between the levels of H."""
    return system.using("redfield") if system.approach == "local" else system


def edges_of(system: AbstractSystem, resonant: Any) -> tuple[Edges, ...]:
    """The jumps of each reservoir, from the lower to the upper level: by energy where that is
    known, else as the levels are listed; `resonant`: by reservoir, pairs of levels whose jumps go
    by the filter, all where it says nothing."""
    pairs = joined(system)
    particles = pairs.pop("")
    energies = np.arange(len(particles), dtype=float)
    if is_concrete(system):
        energies = np.asarray(bare(system).energies, float)
    unknown = set(resonant) - set(pairs)
    if unknown:
        raise ValueError(
            f"`resonant` names {sorted(unknown)[0]!r}; the reservoirs are"
            f" {', '.join(map(repr, pairs))}."
        )
    made = []
    for name, found in pairs.items():
        is_up = energies[found[:, 0]] <= energies[found[:, 1]]
        lower, upper = np.where(is_up, found.T, found.T[::-1])
        chosen = {tuple(sorted(map(int, pair))) for pair in resonant.get(name, found)}
        every = [tuple(sorted(map(int, pair))) for pair in found]
        if not chosen <= set(every):
            raise ValueError(
                f"`resonant` of {name!r} must be pairs of levels that it joins, {every}, got"
                f" {sorted(chosen)}."
            )
        made.append(
            Edges(
                name,
                tuple(lower.tolist()),
                tuple(upper.tolist()),
                tuple((particles[upper] - particles[lower]).tolist()),
                tuple(pair in chosen for pair in every),
            )
        )
    return tuple(made)
