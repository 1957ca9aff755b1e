"""What a quantum motor does at a steady velocity, and what to call it."""

import enum

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from .._numerics.batching import add
from .._numerics.printing import by_name, readable
from .._numerics.validation import is_concrete
from ..thermodynamics import Law


class Mode(enum.IntEnum):
    """What a motor does, from the signs of its powers."""

    MOTOR = 0  # a bias turns the load
    HEAT_ENGINE = 1  # a temperature difference turns it
    CHARGE_PUMP = 2  # the load pushes electrons against the bias
    REFRIGERATOR = 3  # the load takes heat out of the coldest lead
    FRUSTRATED = 4  # the load drives the rotor, but electrons and heat still run down
    NOTHING = 5  # no stable steady velocity
    FREE = 6  # no load: nothing is delivered, and nothing driven

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class MotorPoint(eqx.Module):
    """Stationary operation at a `velocity`: `particle_currents`, `energy_currents` and `heat_currents`, averages over a turn, positive out
    of a lead; `power` delivered to the load. `temperatures` and `chemical_potentials` of the leads called `names`.

    `omitted` as in `Velocities`, 0 where `exact`. `status` is 0 where all is well (`qtd.Status`).
    """

    velocity: Float[Array, ""]
    power: Float[Array, ""]
    particle_currents: dict[str, Float[Array, ""]]
    energy_currents: dict[str, Float[Array, ""]]
    heat_currents: dict[str, Float[Array, ""]]
    temperatures: dict[str, Float[Array, ""]]
    chemical_potentials: dict[str, Float[Array, ""]]
    omitted: Float[Array, ""]
    status: Int[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)

    @property
    def electric_power(self) -> Float[Array, ""]:
        """sum_r mu_r I_r, what the bias supplies."""
        currents, potentials = (jnp.stack([x[name] for name in self.names]) for x in (self.particle_currents, self.chemical_potentials))
        # From the potential of the largest current on: where nothing else flows it is rounding, whose sign would tell a mode.
        sizes = jnp.abs(lax.stop_gradient(currents))
        ground = jnp.take_along_axis(potentials, sizes.argmax(0, keepdims=True), 0)
        return ((potentials - ground) * currents).sum(0)

    @property
    def entropy_production(self) -> Float[Array, ""]:
        """-sum_r J_r / T_r, >= 0 for the exact cycle."""
        return -add(self.heat_currents[name] / self.temperatures[name] for name in self.names)

    @property
    def mode_code(self) -> Int[Array, ""]:
        """`Mode` as an integer array."""
        _, cold, differ = self._extremes()
        cases = [self.power == 0, self.power > 0, self.electric_power < 0, differ & (cold > 0)]
        driven = jnp.where(self.electric_power > 0, int(Mode.MOTOR), int(Mode.HEAT_ENGINE))
        found = jnp.select(cases, [int(Mode.FREE), driven, int(Mode.CHARGE_PUMP), int(Mode.REFRIGERATOR)], int(Mode.FRUSTRATED))
        return jnp.where(jnp.isnan(self.velocity), int(Mode.NOTHING), found)

    @property
    def mode(self) -> str:
        """What the motor does, in words, at one known point."""
        return str(Mode(int(self.mode_code)))

    @property
    def efficiency(self) -> Float[Array, ""]:
        """Of a motor power / electric power, of a charge pump its inverse, of a heat engine power / heat of the hottest lead, of a
        refrigerator the COP, heat of the coldest lead / -power; NaN otherwise."""
        hot, cold, _ = self._extremes()
        power, supplied = self.power, self.electric_power
        return self._of_mode((power, supplied), (power, hot), (supplied, power), (-cold, power))

    @property
    def carnot_efficiency(self) -> Float[Array, ""]:
        """The bound on `efficiency`: 1 for motor and pump, 1 - T_c / T_h, or T_c / (T_h - T_c). Guaranteed for the exact cycle of a motor
        whose leads differ in temperature or in chemical potential, not in both."""
        values = jnp.stack([self.temperatures[name] for name in self.names])
        low, high = values.min(0), values.max(0)
        one = jnp.ones_like(low), jnp.ones_like(low)
        return self._of_mode(one, (high - low, high), one, (low, high - low))

    def figures(self) -> dict[str, Float[Array, ""]]:
        """All scalars by name."""
        values = {"v": self.velocity, "power": self.power, "efficiency": self.efficiency, "sigma": self.entropy_production}
        values |= {f"J_{name}": heat for name, heat in self.heat_currents.items()}
        return values | {f"I_{name}": current for name, current in self.particle_currents.items()}

    def laws(self) -> list[Law]:
        """The laws of thermodynamics at one known point. The first holds order by order; the second only where the series does."""
        balance = float(add(self.energy_currents.values()) - self.power)
        largest = max(abs(float(x)) for x in self.energy_currents.values())
        sigma, share = float(self.entropy_production), float(self.efficiency / self.carnot_efficiency)
        found = [
            Law("first law", balance, "sum of energy currents - power = 0", abs(balance) <= 1e-8 * largest),
            Law("second law", sigma, "entropy production >= 0", sigma >= 0),
        ]
        potentials = [float(x) for x in self.chemical_potentials.values()]
        both = len(set(potentials)) > 1 and len({float(t) for t in self.temperatures.values()}) > 1
        if np.isfinite(share) and not both:
            found.append(Law("Carnot", share, "efficiency / its bound <= 1", share <= 1))
        return found

    def _of_mode(self, *ratios):
        """The ratio of the mode, of those of the first four. NaN is made, as 0 / 0, only where it is the answer; see `validation`."""
        modes = [self.mode_code == k for k in range(4)]
        above, below = (jnp.select(modes, list(terms), 0) for terms in zip(*ratios))
        return above / below

    def _extremes(self):
        """Heat out of the hottest and the coldest leads, and whether temperatures differ."""
        heat, t = (jnp.stack([x[name] for name in self.names]) for x in (self.heat_currents, self.temperatures))
        of = lambda extreme: jnp.where(t == extreme[None], heat, 0).sum(0)
        return of(t.max(0)), of(t.min(0)), t.max(0) > t.min(0)

    def rows(self) -> list[tuple[str, Array, str]]:
        """Name, value and meaning of every figure, for printing."""
        rows = [("v", self.velocity, "steady velocity"), ("power", self.power, "delivered to the load")]
        rows += by_name("J", self.heat_currents, "heat current out of") + by_name("I", self.particle_currents, "particles that leave")
        rows += [("sigma", self.entropy_production, "entropy production")]
        if is_concrete(self) and self.velocity.ndim == 0:
            rows += [("efficiency", self.efficiency, f"as a {self.mode}"), ("Carnot", self.carnot_efficiency, "its bound")]
        return [*rows, ("omitted", self.omitted, "next two terms of the series over those kept"), ("status", self.status, "0: fine")]

    def __repr__(self) -> str:
        return readable(self, "currents positive out of a lead", self.rows())
