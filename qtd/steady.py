"""Steady states: what a rate network or a Lindbladian settles in, with all that is needed to
compute currents and noise."""

import functools
from collections.abc import Mapping, Sequence
from typing import overload

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from ._numerics.batching import add, follow, largest, settle, total
from ._numerics.coherent_elimination import CoherentElimination, product
from ._numerics.compilation import compiled
from ._numerics.elimination import Elimination
from ._numerics.hermitian import eigensystem, smallest_pivot
from ._numerics.refinement import refinement
from ._numerics.special import carried
from ._wide import WideSteadyState
from .hierarchy import Hierarchy, HierarchySteadyState
from .jumps import JumpLindbladian, JumpSteadyState
from .lindblad import Dissipator, Lindbladian
from .networks import Jumps, RateNetwork, Topology
from .parameters import checked
from .reservoirs import AbstractReservoir
from .status import Status, first
from .systems._ratios import ratios
from .systems.base import AbstractState, AbstractSystem, at_rest

__all__ = [
    "CoherentSteadyState",
    "SteadyState",
    "WideSteadyState",
    "solve",
    "stationary",
    "steady_state",
]


Levels = Float[Array, " levels"]
Rates = Sequence[tuple[Levels, Levels]]  # lower -> upper and upper -> lower, by diagonal


class SteadyState(AbstractState):
    """A network at rest: its jumps, their factors, and the populations; everything stationary is
    computed from this.

    Arrays over levels are in the order of elimination, `network.topology.order`; lists go over
    `network.topology.diagonals`. `flows`: net jumps lower -> upper per time, and `doubts`, about
    how far rounding may have moved them; `activity`: jumps of either direction per time;
    `elimination`: the factors of the generator. `status` is 0 where all is well (`qtd.Status`).
    """

    network: RateNetwork
    jumps: list[Jumps]
    elimination: Elimination
    populations: Levels
    flows: list[Levels]  # net jumps lower -> upper per time
    activity: list[Levels]  # jumps of either direction per time
    doubts: list[Levels]  # about how far the flows are off
    status: Int[Array, ""]

    def __init__(self, network: RateNetwork):
        self.network, self.jumps = network, network.jumps()
        self.elimination, self.populations, self.flows, self.activity, self.doubts = stationary(
            network.topology, self.rates
        )
        self.status = first(
            (
                functools.reduce(
                    jnp.logical_or, (jnp.any(jnp.isinf(up)) for up, _, _ in self.jumps)
                ),
                Status.INFINITE_RATE,
            ),
            # illegal parameters make their rates NaN
            (jnp.isnan(self.elimination.scale), Status.INVALID_PARAMETER),
            (~jnp.all(jnp.isfinite(self.elimination.populations)), Status.NO_UNIQUE_STEADY_STATE),
        )

    @property
    def is_classical(self) -> bool:
        """Whether it jumps between levels and no more, so that what binds jumps binds it."""
        return True

    @property
    def reservoirs(self) -> dict[str, AbstractReservoir]:
        """Reservoirs by name, in the order of the network."""
        return {name: self.network.reservoirs[name] for name in self.network.topology.names}

    def array(self) -> Levels:
        """Populations in the order of `network.energies`."""
        return (
            jnp.zeros_like(self.populations).at[self.network.topology.order].set(self.populations)
        )

    @property
    def exchanges_particles(self) -> bool:
        """Whether any jump changes the number of particles."""
        return any(np.any(slot.particles) for slot in self.network.topology.slots)

    def drives(self, reservoir: str) -> bool:
        """Whether `reservoir`, a name, has any jump."""
        return bool(self.network.topology.of(reservoir))

    @property
    def rates(self) -> list[tuple[Levels, Levels]]:
        """Rates lower -> upper and upper -> lower."""
        return [(up, down) for up, down, _ in self.jumps]

    def quanta(self, diagonal: int, quantity: str) -> Levels:
        """What upward jumps of a `diagonal`, a number, take out of their reservoir: the `quantity`
        "energy", "particles", or "heat" = energy - mu * particles; "entropy" of a nonthermal
        one."""
        known = self.jumps[diagonal].quanta
        if quantity not in known:
            raise ValueError(
                f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.'
            )
        return known[quantity]

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean `quantity`, "energy", "particles" or "heat", that leaves `reservoir` per time."""
        parts = [
            total(self.quanta(i, quantity) * self.flows[i])
            for i in self.network.topology.of(reservoir)
        ]
        # Settled: a compiler would add the levels up anew wherever a ratio of currents is used.
        return settle(sum(parts, jnp.zeros((), self.populations.dtype)))

    def entropy_current(self, reservoir: str) -> Float[Array, ""]:
        """Entropy that leaves a nonthermal `reservoir`, which may be full or empty: then a jump
        carries infinitely much, and where none is made, nothing."""
        parts = [
            total(carried(self.quanta(i, "entropy"), self.flows[i]))
            for i in self.network.topology.of(reservoir)
        ]
        return add([jnp.zeros((), self.populations.dtype), *parts])

    def ratios(self) -> dict[tuple[str, str], Float[Array, ""]]:
        """Rates over what they must stay below, weighted by traffic: see `AbstractState`."""
        topology = self.network.topology
        exits = topology.hand_down({i: up for i, (up, _) in enumerate(self.rates)})
        exits = settle(exits + add(down for _, down in self.rates))
        decays = [(below + exits) / 2 for below in topology.lower(exits)]
        jumps = {
            name: [
                (self.activity[i], decays[i], self.quanta(i, "energy")) for i in topology.of(name)
            ]
            for name in self.reservoirs
        }
        return ratios(self.reservoirs, jumps)

    def doubt(self, reservoir: str) -> Float[Array, ""]:
        """About how far the energy current of `reservoir` may be off by rounding; without
        derivatives."""
        parts = [
            total(jnp.abs(self.quanta(i, "energy")) * self.doubts[i])
            for i in self.network.topology.of(reservoir)
        ]
        return lax.stop_gradient(sum(parts, jnp.zeros((), self.populations.dtype)))

    def exit_weights(self, charges: Mapping[int, Levels]) -> Levels:
        """Charge counted per time in each level: the sum over jumps out of it of rate times charge,
        `charges` by diagonal."""
        if not charges:
            return jnp.zeros_like(self.populations)
        upwards = {i: self.jumps[i].up * charge for i, charge in charges.items()}
        downwards = [self.jumps[i].down * charge for i, charge in charges.items()]
        return self.network.topology.hand_down(upwards) - add(downwards)


class CoherentSteadyState(AbstractState):
    """A device with coherences at rest: its dissipators, its generator, and its state; everything
    stationary is computed from this.

    `vector` holds the populations of the levels and the coherences that are kept; see
    `density_matrix`. `dissipators`: the parts of the generator by reservoir of `lindbladian`;
    `elimination`: its factors; `energy`: the functional Tr[H rho]; `flows`: net jumps between
    populations per time, by reservoir. `status` is 0 where all is well (`qtd.Status`).
    """

    lindbladian: Lindbladian
    dissipators: dict[str, Dissipator]
    energy: Float[Array, " m"]
    elimination: CoherentElimination
    vector: Float[Array, " m"]
    # net jumps between populations per time, of each reservoir
    flows: dict[str, Float[Array, " upward"]]
    status: Int[Array, ""]

    def __init__(self, lindbladian: Lindbladian):
        structure = lindbladian.structure
        structure.require_connected()
        self.lindbladian = lindbladian
        self.dissipators, unitary, self.energy = lindbladian.dissipators()
        parts = self.dissipators
        rates = settle(add(part.rate_equation() for part in parts.values()))
        coherent = settle(unitary + add(part.coherent() for part in parts.values()))
        self.elimination = CoherentElimination(rates + coherent, structure.size)
        eliminated = self.elimination.factors.state
        # One Newton step, as in `stationary`. It carries the derivatives, and makes the flows obey
        # Kirchhoff's law.
        flows = {name: settle(part.flows(eliminated)) for name, part in parts.items()}
        arriving = add(part.edges.arrive(flows[name]) for name, part in parts.items())
        correction = self.elimination.solve(-arriving - product(coherent, eliminated))
        # Without a unique steady state some time is infinite, but for rounding.
        scale = lax.stop_gradient(largest(rates))
        has_one = (
            scale * largest(self.elimination.factors.times) < 0.01 / jnp.finfo(scale.dtype).eps
        )
        spoiled = settle(jnp.where(has_one, 0.0, jnp.nan).astype(eliminated.dtype))
        correction = settle(
            correction + follow(jnp.broadcast_to(spoiled, eliminated.shape), eliminated)
        )
        infinite = functools.reduce(
            jnp.logical_or, (jnp.any(jnp.isinf(part.rates)) for part in parts.values())
        )
        self.flows = {
            name: parts[name].edges.carrying(flow + parts[name].flows(correction))
            for name, flow in flows.items()
        }
        self.vector = settle(eliminated + correction)
        self.status = first(
            (infinite, Status.INFINITE_RATE),
            (~jnp.isfinite(scale), Status.INVALID_PARAMETER),
            (~has_one, Status.NO_UNIQUE_STEADY_STATE),
            (self._is_no_state(), Status.NOT_POSITIVE),
        )

    def _is_no_state(self):
        if self.lindbladian.structure.approach != "redfield":
            return jnp.asarray(False)
        rounding = (
            100
            * jnp.finfo(self.vector.dtype).eps
            * jnp.eye(self.lindbladian.structure.size, dtype=self.vector.dtype)
        )
        rho = self.density_matrix
        return smallest_pivot(rho + rounding.astype(rho.dtype)) < 0

    @property
    def is_classical(self) -> bool:
        """Whether no coherence is kept, so that what binds jumps binds it."""
        return not self.lindbladian.structure.variables.pairs

    @property
    def coherences(self) -> Float[Array, "..."]:
        """Real and imaginary parts of the coherences that are kept."""
        return self.vector[self.lindbladian.structure.size :]

    @property
    def reservoirs(self) -> dict[str, AbstractReservoir]:
        """Reservoirs by name, in the order of the Lindbladian."""
        return {
            name: self.lindbladian.reservoirs[name] for name in self.lindbladian.structure.edges
        }

    @property
    def exchanges_particles(self) -> bool:
        """Whether any jump changes the number of particles."""
        return any(np.any(part.edges.particles) for part in self.dissipators.values())

    def drives(self, reservoir: str) -> bool:
        """Whether `reservoir`, a name, has any jump."""
        return bool(self.dissipators[reservoir].edges.upper.size)

    def entropy_current(self, reservoir: str) -> Float[Array, ""]:
        """Entropy that leaves `reservoir`, one without a temperature, per time."""
        return self.current(reservoir, "entropy")

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean `quantity`, "energy", "particles" or "heat", that leaves `reservoir` per time: of
        the quanta, as they are counted."""
        return self.dissipators[reservoir].current(self.flows[reservoir], self.vector, quantity)

    def device_current(self, reservoir: str) -> Float[Array, ""]:
        """Tr[H D_r rho], the energy that the device takes up from `reservoir` r per time. The sum
        over reservoirs is zero.

        In the local approach it differs from the quanta by what keeps the quanta from being
        conserved.
        """
        part, edges = self.dissipators[reservoir], self.dissipators[reservoir].edges
        gaps = edges.read_upper(self.energy) - edges.read_lower(self.energy)
        return total(gaps * self.flows[reservoir]) + total(
            self.energy * product(part.coherent(), self.vector)
        )

    def ratios(self) -> dict[tuple[str, str], Float[Array, ""]]:
        """Rates over what they must stay below, weighted by traffic, of the jumps between
        populations: see `AbstractState`."""
        exits = settle(add(part.exits() for part in self.dissipators.values()))
        jumps = {}
        for name, part in self.dissipators.items():
            edges = part.edges
            if len(edges.rising):
                decays = (edges.read_lower(exits) + edges.read_upper(exits)) / 2
                gaps = edges.upward(part.quanta["energy"])
                jumps[name] = [(part.traffic(self.vector), decays, gaps)]
        return ratios(self.reservoirs, jumps)

    def array(self) -> Array:
        """`density_matrix`."""
        return self.density_matrix

    @property
    def density_matrix(self) -> Array:
        """rho in the basis of the operators."""
        return self.lindbladian.matrix(self.vector)

    @property
    def smallest_eigenvalue(self) -> Float[Array, ""]:
        """The smallest eigenvalue of rho: negative, beyond rounding, where a Redfield equation has
        left the states."""
        return jnp.min(eigensystem(self.density_matrix)[0])


at_rest.register(RateNetwork, SteadyState)


@at_rest.register
def _(lindbladian: Lindbladian) -> CoherentSteadyState | WideSteadyState:
    wide = lindbladian.structure.wide
    return WideSteadyState(lindbladian, wide) if wide else CoherentSteadyState(lindbladian)


def stationary(
    topology: Topology, rates: Rates
) -> tuple[Elimination, Levels, list[Levels], list[Levels], list[Levels]]:
    """The factors of the generator, its populations, and by diagonal the net flows, the activity of
    its jumps, and what rounding may have left wrong in the flows.

    `topology`: who is joined to whom; `rates`: by its diagonals, lower -> upper and back, in the
    order of elimination.
    """
    up, down = (topology.band(values) for values in zip(*rates))
    elimination = Elimination(up, down)
    eliminated = elimination.populations
    lower, net = (
        topology.lower(eliminated),
        lambda p, lower: [u * x - d * p for (u, d), x in zip(rates, lower)],
    )
    # Settled: computed twice they could be rounded twice, in ways that differ, and what leaves a
    # level would not arrive at the other.
    flows = [settle(flow) for flow in net(eliminated, lower)]
    # A Newton step for W p = 0 carries the derivatives of p, of any order. Its value is that of
    # rounding in the flows: added to them it makes them obey Kirchhoff's law at every level; p
    # itself is better without. Where slow flows leave levels that exchange much, what the step
    # leaves of the large flows may be more than the small ones, and a second step takes as many
    # digits off it again.
    correction = elimination.solve(-topology.net(flows))
    populations = eliminated + (correction - lax.stop_gradient(correction))
    step = net(correction, topology.lower(correction))
    flows = [x + y for x, y in zip(flows, step)]
    activity = [u * x + d * populations for (u, d), x in zip(rates, topology.lower(populations))]
    again, doubts = refinement(topology, elimination, rates, flows, correction, activity)

    def on_cycles(values):
        return [
            topology.on_cycles(diagonal, value)
            for diagonal, value in zip(topology.diagonals, values)
        ]

    flows, doubts = on_cycles([x + y for x, y in zip(flows, again)]), on_cycles(doubts)
    return elimination, populations, flows, activity, doubts


@overload
def solve(system: RateNetwork) -> SteadyState: ...
@overload
def solve(system: Lindbladian) -> CoherentSteadyState: ...
@overload
def solve(system: JumpLindbladian) -> JumpSteadyState: ...
@overload
def solve(system: Hierarchy) -> HierarchySteadyState: ...
@overload
def solve(system: AbstractSystem | AbstractState) -> AbstractState: ...
@checked
def solve(system: AbstractSystem | AbstractState) -> AbstractState:
    """The steady state of `system` with all that is needed to compute currents and noise from it;
    what is a state already, as it is.

    Raises `ValueError` where the values are known and there is no unique steady state; in compiled
    code `status` says so.
    """
    if isinstance(system, AbstractState):
        return system
    state = _solve(system)
    state.require()
    return state


@compiled
def _solve(system):
    return at_rest(system)


def steady_state(system: AbstractSystem | AbstractState) -> Array:
    """Populations p of `system` with W p = 0 and sum(p) = 1, in the order of `network.energies`; of
    a Lindbladian, the density matrix.

    Networks are solved by elimination without subtractions (Grassmann, Taksar and Heyman): each
    population is right to a few rounding errors relative to itself, however small, in float32 as in
    float64, as long as it does not underflow. Density matrices are right relative to their largest
    entry. NaN with illegal parameters in compiled code, else `ValueError`.

    Each level as far below the one above it as its reservoir says, however far:

    >>> cold = qtd.Reservoir(0.1, spectral_density=qtd.spectral.Ohmic(0.1, 10.0))
    >>> ladder = qtd.RateNetwork(
    ...     [0.0, 1.0, 5.0], [("cold", 0, 1, 1.0), ("cold", 1, 2, 1.0)], {"cold": cold}
    ... )
    >>> print(f"{qtd.steady_state(ladder)[2]:.4e}")
    1.9287e-22
    """
    return solve(system).array()
