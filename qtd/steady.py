"""Steady states: what a network settles in, with every population accurate relative to itself."""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._numerics.compilation import compiled
from ._numerics.elimination import Elimination
from ._numerics.status import Status, first, raise_if_known
from .networks import RateNetwork
from .parameters import validate

__all__ = ["SteadyState", "solve", "steady_state"]


class SteadyState(eqx.Module):
    """A network at rest: its rates, their factors, and the populations; everything stationary is computed from this.

    Arrays over levels are in the order of elimination, `network.topology.order`; lists go over `network.topology.slots`.
    """

    network: RateNetwork
    rates: list[tuple[Float[Array, " levels"], Float[Array, " levels"]]]
    elimination: Elimination
    correction: Float[Array, " levels"]
    status: Int[Array, ""]

    def __init__(self, network: RateNetwork):
        self.network = network
        self.rates = [network.rates(slot) for slot in network.topology.slots]
        up, down = (network.topology.band(values) for values in zip(*self.rates))
        self.elimination = Elimination(up, down)
        # One Newton step for W p = 0 at the eliminated p. Its value is of the order of rounding, but it makes the currents obey
        # Kirchhoff's law at every level to the last digits; and it carries the derivatives of p, of any order.
        self.correction = self.elimination.solve(-self.elimination.apply(self.elimination.populations))
        self.status = first(
            (~jnp.isfinite(up.sum() + down.sum()), Status.INVALID_PARAMETER),  # illegal parameters make their rates NaN
            (~jnp.all(jnp.isfinite(self.elimination.populations)), Status.NO_UNIQUE_STEADY_STATE),
        )

    @property
    def populations(self) -> Float[Array, " levels"]:
        return self.elimination.populations + self.correction

    def flows(self, i: int) -> Float[Array, " levels"]:
        """Net jumps lower -> upper of slot i per time, up p_lower - down p_upper, p in two parts so that no digit is lost."""
        (up, down), topology = self.rates[i], self.network.topology
        net = lambda p: up * topology.lower(topology.slots[i], p) - down * p
        return net(self.elimination.populations) + net(self.correction)

    def activity(self, i: int) -> Float[Array, " levels"]:
        """Jumps of either direction of slot i per time, up p_lower + down p_upper."""
        (up, down), topology, p = self.rates[i], self.network.topology, self.populations
        return up * topology.lower(topology.slots[i], p) + down * p

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean "energy", "particles" or "heat" that leaves the reservoir per time."""
        topology = self.network.topology
        parts = [jnp.sum(self.network.quanta(topology.slots[i], quantity) * self.flows(i)) for i in topology.of(reservoir)]
        return sum(parts, jnp.zeros((), self.correction.dtype))

    def exit_weights(self, charges: Mapping[int, Float[Array, " levels"]]) -> Float[Array, " levels"]:
        """Charge counted per time in each level: the sum over jumps out of it of rate times charge, `charges` by slot."""
        if not charges:
            return jnp.zeros_like(self.correction)
        upwards = {i: self.rates[i][0] * charge for i, charge in charges.items()}
        return self.network.topology.hand_down(upwards) - sum(self.rates[i][1] * charge for i, charge in charges.items())


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
