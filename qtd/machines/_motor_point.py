"""What a quantum motor does at a steady velocity, and what to call it."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._numerics.batching import add
from ..thermodynamics import AbstractPoint, Law, Mode, Observable
from ..thermodynamics._points import chemical_work

_ORDER = Mode.MOTOR, Mode.HEAT_ENGINE, Mode.CHARGE_PUMP, Mode.REFRIGERATOR  # of ratios


class MotorPoint(AbstractPoint):
    """Stationary operation at a `velocity`: `particle_currents`, `energy_currents` and
    `heat_currents`, averages over a turn, positive out of a lead; `power` delivered to the load.
    `temperatures` and `chemical_potentials` of the leads called `names`.

    `omitted` as in `Velocities`, 0 where `exact`. `rates_over`: what has to be small for rates of
    lowest order that follow the rotor at once; see `validity`. `status` is 0 where all is well
    (`qtd.Status`).
    """

    velocity: Float[Array, ""]
    power: Float[Array, ""]
    particle_currents: dict[str, Float[Array, ""]]
    energy_currents: dict[str, Float[Array, ""]]
    heat_currents: dict[str, Float[Array, ""]]
    temperatures: dict[str, Float[Array, ""]]
    chemical_potentials: dict[str, Float[Array, ""]]
    omitted: Float[Array, ""]
    rates_over: dict[tuple[str, str], Float[Array, ""]]
    status: Int[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)

    def ratios(self) -> dict[tuple[str, str], Float[Array, ""]]:
        return self.rates_over

    @property
    def electric_power(self) -> Float[Array, ""]:
        """sum_r mu_r I_r, what the bias supplies."""
        return chemical_work(self.particle_currents, self.chemical_potentials)

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
        found = jnp.select(
            cases,
            [int(Mode.FREE), driven, int(Mode.CHARGE_PUMP), int(Mode.REFRIGERATOR)],
            int(Mode.FRUSTRATED),
        )
        return jnp.where(jnp.isnan(self.velocity), int(Mode.NOTHING), found)

    @property
    def efficiency(self) -> Float[Array, ""]:
        """Power / electric power of a motor, of a charge pump its inverse, of a heat engine power /
        heat of the hottest lead, of a refrigerator the COP, heat of the coldest lead / -power; NaN
        otherwise."""
        hot, cold, _ = self._extremes()
        power, supplied = self.power, self.electric_power
        return self._of_mode((power, supplied), (power, hot), (supplied, power), (-cold, power))

    @property
    def carnot_efficiency(self) -> Float[Array, ""]:
        """The bound on `efficiency`: 1 for motor and pump, 1 - T_c / T_h, or T_c / (T_h - T_c).
        Guaranteed for the exact cycle of a motor whose leads differ in temperature or in chemical
        potential, not in both."""
        values = jnp.stack([self.temperatures[name] for name in self.names])
        low, high = values.min(0), values.max(0)
        one = jnp.ones_like(low), jnp.ones_like(low)
        return self._of_mode(one, (high - low, high), one, (low, high - low))

    def observables(self) -> dict[str, Observable]:
        """All scalars by name: the steady velocity v, power, efficiency and its bound, sigma, J_*
        and I_* of each lead, and what the series omits."""
        table = {
            "v": Observable(self.velocity, "E", "steady velocity"),
            "power": Observable(self.power, "E^2", "work delivered to the load per time"),
            "efficiency": Observable(self.efficiency, "1", "of what the motor does, see mode"),
            "sigma": Observable(self.entropy_production, "E", "entropy production"),
        }
        for name, heat in self.heat_currents.items():
            table[f"J_{name}"] = Observable(heat, "E^2", f"heat current out of {name!r}")
        for name, current in self.particle_currents.items():
            table[f"I_{name}"] = Observable(current, "E", f"particle current out of {name!r}")
        table["efficiency_Carnot"] = Observable(
            self.carnot_efficiency, "1", "the bound on efficiency"
        )
        table["omitted"] = Observable(
            self.omitted, "1", "next two terms of the series over those kept"
        )
        return table | self.about_validity()

    def laws(self) -> list[Law]:
        """The laws of thermodynamics at one known point. The first holds order by order; the second
        only where the series does."""
        balance = float(add(self.energy_currents.values()) - self.power)
        largest = max(abs(float(x)) for x in self.energy_currents.values())
        sigma = float(self.entropy_production)
        share = float(self.efficiency / self.carnot_efficiency)
        found = [
            Law(
                "first law",
                balance,
                "sum of energy currents - power = 0",
                abs(balance) <= 1e-8 * largest,
            ),
            Law("second law", sigma, "entropy production >= 0", sigma >= 0),
        ]
        potentials = [float(x) for x in self.chemical_potentials.values()]
        both = len(set(potentials)) > 1 and len({float(t) for t in self.temperatures.values()}) > 1
        if np.isfinite(share) and not both:
            found.append(Law("Carnot", share, "efficiency / its bound <= 1", share <= 1))
        return found

    def _of_mode(self, *ratios):
        """The ratio of the mode, of those in `_ORDER`. NaN is made, as 0 / 0, only where it is the
        answer; see `validation`."""
        modes = [self.mode_code == int(mode) for mode in _ORDER]
        above, below = (jnp.select(modes, list(terms), 0) for terms in zip(*ratios))
        return above / below

    def _extremes(self):
        """Heat out of the hottest and the coldest leads, and whether temperatures differ."""
        heat, t = (
            jnp.stack([x[name] for name in self.names])
            for x in (self.heat_currents, self.temperatures)
        )

        def of(extreme):
            return jnp.where(t == extreme[None], heat, 0).sum(0)

        return of(t.max(0)), of(t.min(0)), t.max(0) > t.min(0)
