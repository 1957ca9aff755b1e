"""Explicit filters where their joint levels lie far apart: a rate equation among these."""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._numerics.batching import add, total
from .._numerics.weighed import levels
from ..networks import RateNetwork
from ..status import Status, first
from ..steady import SteadyState
from ..systems.base import at_rest
from ._bare import joined
from ._device import ExplicitFilters
from ._state import AbstractExplicitState, ExplicitState


class DaviesState(AbstractExplicitState):
    """A device with explicit filters at rest where its joint levels are further apart than they are
    wide, so that no coherence is left among them: the treatment "davies".

    `system`: the device; `states`: the joint levels of each class, as columns; `rest`: the rate
    equation among all of them at rest, in which what a reservoir does by its filter and by its tail
    are reservoirs of their own. `status` as of an `ExplicitState`.
    """

    system: ExplicitFilters
    states: Float[Array, "sectors n n"]
    rest: SteadyState
    status: Int[Array, ""]

    def __init__(self, system: ExplicitFilters):
        self.system = system
        network, self.states = joint_network(system)
        self.rest = SteadyState(network)
        self.status = first(
            (self.rest.status != 0, self.rest.status),
            (self.is_cut(), Status.TRUNCATED),
            (system.is_outside(), Status.TREATMENT),
        )

    def charges(self, reservoir: str, quantity: str) -> dict[int, Float[Array, " levels"]]:
        """What upward jumps take out of a `reservoir`, by the diagonal of `rest` that they are on:
        a `quantity` as in `current`."""
        found = {}
        topology = self.rest.network.topology
        for drive in _drives(self.system.structure):
            if drive.reservoir != reservoir:
                continue
            for i in topology.of(drive.name):
                quanta = self.rest.quanta(i, quantity)
                if quantity == "particles" and not drive.carries_particles:
                    raised = drive.raised[np.maximum(topology.diagonals[i].jumps, 0)]
                    is_up = raised == topology.order
                    quanta = jnp.asarray(np.where(is_up, 1.0, -1.0), quanta.dtype)
                found[i] = quanta
        return found

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        parts = [
            total(x * self.rest.flows[i]) for i, x in self.charges(reservoir, quantity).items()
        ]
        return add(parts)

    def doubt(self, reservoir: str) -> Float[Array, ""]:
        """About how far the energy current of `reservoir` may be off by rounding; without
        derivatives."""
        own = [
            drive.name for drive in _drives(self.system.structure) if drive.reservoir == reservoir
        ]
        return add(self.rest.doubt(name) for name in own)

    def joint_populations(self) -> Float[Array, " states"]:
        sectors = self.system.structure.sectors
        held = jnp.zeros(sectors.is_there.shape, self.states.dtype)
        held = held.at[np.nonzero(sectors.is_there)].set(self.rest.array())
        return jnp.sum(self.states**2 * held[:, None, :], axis=2)[sectors.of, sectors.slot]

    @property
    def smallest_eigenvalue(self) -> Float[Array, ""]:
        """The smallest population of a joint level."""
        return jnp.min(self.rest.populations)


class _Drive(NamedTuple):
    """What one `reservoir` does to joint levels by its filter, or by its tail, under a `name`:
    places of its `directions` down, and the joint levels at the ends of its jumps, `lower` and
    `raised` by a quantum; `carries_particles`: whether jumps change the device's number."""

    reservoir: str
    name: str
    directions: tuple[int, ...]
    lower: np.ndarray
    raised: np.ndarray
    carries_particles: bool


@functools.lru_cache(maxsize=64)
def _drives(structure):
    """All that drives jumps among the joint levels."""
    place = np.cumsum(structure.sectors.is_there).reshape(structure.sectors.is_there.shape) - 1
    found: dict[tuple[str, bool], list[int]] = {}
    for i, direction in enumerate(structure.directions):
        if not direction.is_up:
            key = direction.reservoir, structure.channels[direction.channel].is_mode
            found.setdefault(key, []).append(i)
    drives = []
    for (reservoir, is_mode), directions in found.items():
        pairs = [_pairs(structure, place, i) for i in directions]
        lower, raised = (np.concatenate(x) for x in zip(*pairs))
        name = reservoir if is_mode or (reservoir, True) not in found else f"{reservoir}, tail"
        carries = any(structure.directions[i].particles for i in directions)
        drives.append(_Drive(reservoir, name, tuple(directions), lower, raised, carries))
    return drives


def _pairs(structure, place, direction):
    """Joint levels that a `direction` takes one to another, lower and upper, by `place`."""
    sectors, lower, upper = structure.sectors, [], []
    for source, target in enumerate(structure.targets[direction]):
        if target >= 0:
            ends = place[target][sectors.is_there[target]], place[source][sectors.is_there[source]]
            below, above = np.meshgrid(*ends, indexing="ij")
            lower.append(below.ravel())
            upper.append(above.ravel())
    return np.concatenate(lower), np.concatenate(upper)


def joint_network(system: ExplicitFilters) -> tuple[RateNetwork, Float[Array, "sectors n n"]]:
    """The rate equation among the joint levels of a `system` that is left when every coherence is
    dropped, and these levels."""
    structure = system.structure
    sectors = structure.sectors
    hamiltonian, operators, strengths = system.parts()
    energies, states = levels(hamiltonian, sectors.is_there)
    jumps, reservoirs = [], {}
    for drive in _drives(structure):
        elements = []
        for i in drive.directions:
            for source, target in enumerate(structure.targets[i]):
                if target >= 0:
                    ends = states[target], states[source]
                    between = ends[0].T @ operators[i][source] @ ends[1]
                    there = np.ix_(sectors.is_there[target], sectors.is_there[source])
                    elements.append(strengths[i] * between[there].ravel() ** 2)
        jumps.append((drive.name, drive.lower, drive.raised, jnp.concatenate(elements)))
        reservoirs[drive.name] = system.damping(structure.directions[drive.directions[0]])[0]
    # Classes have one number of particles each: what couples modes moves none.
    of_levels = joined(system.device)[""][structure.basis[sectors.members[:, 0], 0]]
    particles = np.repeat(of_levels, sectors.sizes).tolist()
    return RateNetwork(energies[sectors.is_there], jumps, reservoirs, particles), states


def explicit_state(system: ExplicitFilters) -> AbstractExplicitState:
    """The state that a `system` settles in, in its treatment."""
    return DaviesState(system) if system.treatment == "davies" else ExplicitState(system)


at_rest.register(ExplicitFilters, explicit_state)
