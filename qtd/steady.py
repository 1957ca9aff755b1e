"""Steady states: what a network settles in, with every population accurate relative to itself."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._numerics.elimination import Elimination
from ._numerics.indexing import add_at, take
from ._numerics.status import Status, first, raise_if_known
from .networks import RateNetwork
from .parameters import validate

__all__ = ["SteadyState", "solve", "steady_state"]


class SteadyState(eqx.Module):
    """A network at rest: its rates, their factors, and the populations; everything stationary is computed from this.

    Arrays over levels are in the order of elimination, `network.topology.order`; `steady_state` gives them in the user's.
    """

    network: RateNetwork
    rates: dict[str, tuple[Float[Array, " jumps"], Float[Array, " jumps"]]]
    elimination: Elimination
    correction: Float[Array, " levels"]
    status: Int[Array, ""]

    def __init__(self, network: RateNetwork):
        self.network = network
        self.rates = {name: network.rates(name) for name in network.topology.links}
        up, down = (network.topology.band({name: pair[i] for name, pair in self.rates.items()}) for i in (0, 1))
        legal = jnp.all((up >= 0) & (down >= 0)) & jnp.all(jnp.isfinite(up) & jnp.isfinite(down))
        self.elimination = Elimination(jnp.where(legal, up, jnp.nan), jnp.where(legal, down, jnp.nan))
        # One Newton step for W p = 0 at the eliminated p0. Its value is of the order of rounding, but it makes the currents
        # obey Kirchhoff's law at every level to the last digits; and it carries the derivatives of p, of any order.
        self.correction = self.elimination.solve(-self.elimination.apply(self.elimination.populations))
        self.status = first(
            (~legal, Status.INVALID_PARAMETER),
            (~jnp.all(jnp.isfinite(self.elimination.populations)), Status.NO_UNIQUE_STEADY_STATE),
        )

    @property
    def populations(self) -> Float[Array, " levels"]:
        return self.elimination.populations + self.correction

    def flows(self, reservoir: str) -> Float[Array, " jumps"]:
        """Net jumps lower -> upper per time, up p_lower - down p_upper, with p in two parts so that no digit is lost."""
        link, (up, down) = self.network.topology.links[reservoir], self.rates[reservoir]
        net = lambda p: up * take(p, link.lower) - down * take(p, link.upper)
        return net(self.elimination.populations) + net(self.correction)

    def activity(self, reservoir: str) -> Float[Array, " jumps"]:
        """Jumps of either direction per time, up p_lower + down p_upper."""
        link, (up, down), p = self.network.topology.links[reservoir], self.rates[reservoir], self.populations
        return up * take(p, link.lower) + down * take(p, link.upper)

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean "energy", "particles" or "heat" that leaves the reservoir per time."""
        return jnp.sum(self.network.quanta(reservoir, quantity) * self.flows(reservoir))

    def exit_weights(self, reservoir: str, quanta: Float[Array, " jumps"], power: int = 1) -> Float[Array, " levels"]:
        """Sum over the jumps of a reservoir out of each level of rate * quanta^power (quanta change sign downwards)."""
        link, (up, down), size = self.network.topology.links[reservoir], self.rates[reservoir], self.network.topology.size
        return add_at(up * quanta**power, link.lower, size) + add_at(down * (-quanta) ** power, link.upper, size)


def solve(network: RateNetwork) -> SteadyState:
    """The steady state with all that is needed to compute currents and noise from it.

    Raises `ValueError` where the values are known and there is no unique steady state; in compiled code `status` says so.
    """
    validate(network)
    state = _solve(network)
    raise_if_known(state.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return state


_solve = eqx.filter_jit(SteadyState)


def steady_state(network: RateNetwork) -> Float[Array, " levels"]:
    """Populations p with W p = 0 and sum(p) = 1, in the order of `network.energies`.

    By elimination without subtractions (Grassmann, Taksar and Heyman): each population is right to a few rounding errors
    relative to itself, however small, in float32 as in float64, as long as it does not underflow. NaN with illegal parameters.
    """
    populations = solve(network).populations
    return jnp.zeros_like(populations).at[network.topology.order].set(populations)
