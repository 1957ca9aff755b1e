"""Steady states: what a network settles in, with every population accurate relative to itself."""

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from ._numerics.batching import add, settle, total
from ._numerics.compilation import compiled
from ._numerics.elimination import Elimination
from ._numerics.status import Status, first, raise_if_known
from .networks import Jumps, RateNetwork, Topology
from .parameters import validate

__all__ = ["SteadyState", "solve", "stationary", "steady_state"]


Levels = Float[Array, " levels"]
Rates = Sequence[tuple[Levels, Levels]]  # lower -> upper and upper -> lower, by diagonal


class SteadyState(eqx.Module):
    """A network at rest: its jumps, their factors, and the populations; everything stationary is computed from this.

    Arrays over levels are in the order of elimination, `network.topology.order`; lists go over `network.topology.diagonals`.
    """

    network: RateNetwork
    jumps: list[Jumps]
    elimination: Elimination
    populations: Levels
    flows: list[Levels]  # net jumps lower -> upper per time
    activity: list[Levels]  # jumps of either direction per time
    status: Int[Array, ""]

    def __init__(self, network: RateNetwork):
        self.network, self.jumps = network, network.jumps()
        self.elimination, self.populations, self.flows, self.activity = stationary(network.topology, self.rates)
        self.status = first(
            (~jnp.isfinite(self.elimination.scale), Status.INVALID_PARAMETER),  # illegal parameters make their rates NaN
            (~jnp.all(jnp.isfinite(self.elimination.populations)), Status.NO_UNIQUE_STEADY_STATE),
        )

    @property
    def rates(self) -> list[tuple[Levels, Levels]]:
        """Rates lower -> upper and upper -> lower."""
        return [(up, down) for up, down, _ in self.jumps]

    def quanta(self, diagonal: int, quantity: str) -> Levels:
        """What upward jumps take out of their reservoir: "energy", "particles", or "heat" = energy - mu * particles."""
        known = self.jumps[diagonal].quanta
        if quantity not in known:
            raise ValueError(f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.')
        return known[quantity]

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean "energy", "particles" or "heat" that leaves the reservoir per time."""
        parts = [total(self.quanta(i, quantity) * self.flows[i]) for i in self.network.topology.of(reservoir)]
        return sum(parts, jnp.zeros((), self.populations.dtype))

    def exit_weights(self, charges: Mapping[int, Levels]) -> Levels:
        """Charge counted per time in each level: the sum over jumps out of it of rate times charge, `charges` by diagonal."""
        if not charges:
            return jnp.zeros_like(self.populations)
        upwards = {i: self.jumps[i].up * charge for i, charge in charges.items()}
        downwards = [self.jumps[i].down * charge for i, charge in charges.items()]
        return self.network.topology.hand_down(upwards) - add(downwards)


def stationary(topology: Topology, rates: Rates) -> tuple[Elimination, Levels, list[Levels], list[Levels]]:
    """The factors of the generator, its populations, and by diagonal the net flows and the activity of its jumps."""
    up, down = (topology.band(values) for values in zip(*rates))
    elimination = Elimination(up, down)
    eliminated = elimination.populations
    lower, net = topology.lower(eliminated), lambda p, lower: [u * x - d * p for (u, d), x in zip(rates, lower)]
    # Settled: computed twice they could be rounded twice, in ways that differ, and what leaves a level would not arrive at the other.
    flows = [settle(flow) for flow in net(eliminated, lower)]
    # One Newton step for W p = 0. It carries the derivatives of p, of any order. Its value is that of rounding in the flows: added to
    # them it makes them obey Kirchhoff's law at every level to the last digits; p itself is better without.
    correction = elimination.solve(-topology.net(flows))
    lower_correction, populations = topology.lower(correction), eliminated + (correction - lax.stop_gradient(correction))
    flows = [x + y for x, y in zip(flows, net(correction, lower_correction))]
    activity = [u * (x + y) + d * populations for (u, d), x, y in zip(rates, lower, lower_correction)]
    return elimination, populations, flows, activity


def solve(network: RateNetwork) -> SteadyState:
    """The steady state with all that is needed to compute currents and noise from it.

    Raises `ValueError` where the values are known and there is no unique steady state; in compiled code `status` says so.
    """
    validate(network)
    state = _solve(network)
    raise_if_known(state.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return state


_solve = compiled(SteadyState)


def steady_state(network: RateNetwork) -> Float[Array, " levels"]:
    """Populations p with W p = 0 and sum(p) = 1, in the order of `network.energies`.

    By elimination without subtractions (Grassmann, Taksar and Heyman): each population is right to a few rounding errors
    relative to itself, however small, in float32 as in float64, as long as it does not underflow. NaN with illegal parameters.
    """
    populations = solve(network).populations
    return jnp.zeros_like(populations).at[network.topology.order].set(populations)
