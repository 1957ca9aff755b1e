"""What is known of finite reservoirs: flows at one time, an evolution, where it ends, and what
happens on the way."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .._numerics.printing import readable
from ..thermodynamics import AbstractPoint, Law, Mode, Observable

__all__ = ["Crossings", "Equilibrium", "Evolution", "Flows", "Minimum"]


class Flows(AbstractPoint):
    """What leaves each reservoir per time: `particles` P, `energy` J, `heat` Y = J - mu P; and what
    follows for it at its `temperatures`.

    `temperature_rates`, `potential_rates`: dT/dt, dmu/dt. `entropy_production` is a sum of terms
    none of which is negative. `occupations` of the modes. `rates_over`: the rate of the fastest
    mode over what makes modes narrow; see `validity`. `status`: NOT_DEGENERATE where the
    Sommerfeld expansion is used at mu / T < 10.
    """

    particles: Float[Array, " reservoirs"]
    energy: Float[Array, " reservoirs"]
    heat: Float[Array, " reservoirs"]
    occupations: Float[Array, " modes"]
    temperature_rates: Float[Array, " reservoirs"]
    potential_rates: Float[Array, " reservoirs"]
    entropy_production: Float[Array, ""]
    temperatures: Float[Array, " reservoirs"]
    rates_over: dict[tuple[str, str], Float[Array, ""]]
    status: Int[Array, ""]

    def ratios(self) -> dict[tuple[str, str], Float[Array, ""]]:
        return self.rates_over

    @property
    def mode_code(self) -> Int[Array, ""]:
        """`Mode` as an integer array: a refrigerator where the temperature of the coldest reservoir
        falls."""
        coldest = self.temperatures.argmin(-1)
        rate = jnp.take_along_axis(self.temperature_rates, coldest[..., None], -1)[..., 0]
        return jnp.where(rate < 0, int(Mode.REFRIGERATOR), int(Mode.DISSIPATOR))

    def observables(self) -> dict[str, Observable]:
        """All scalars by name; reservoirs and modes are numbered from 0."""
        table = {"sigma": Observable(self.entropy_production, "E", "entropy production")}
        for symbol, unit, entries, meaning in (
            ("J", "E^2", self.heat, "heat that leaves reservoir"),
            ("P", "E", self.particles, "particles that leave reservoir"),
            ("JE", "E^2", self.energy, "energy that leaves reservoir"),
            (
                "dT",
                "E^2",
                self.temperature_rates,
                "change per time of the temperature of reservoir",
            ),
            (
                "dmu",
                "E^2",
                self.potential_rates,
                "change per time of the chemical potential of reservoir",
            ),
            ("n", "1", self.occupations, "occupation of mode"),
        ):
            for j in range(entries.shape[-1]):
                table[f"{symbol}_{j}"] = Observable(entries[..., j], unit, f"{meaning} {j}")
        return table | self.about_validity()

    def laws(self) -> list[Law]:
        """The laws of thermodynamics at one known point."""
        energy, particles, sigma = (
            np.asarray(x, float) for x in (self.energy, self.particles, self.entropy_production)
        )
        clausius = -float((self.heat / self.temperatures).sum())
        return [
            Law(
                "first law",
                float(energy.sum()),
                "sum of energy currents = 0",
                abs(energy.sum()) <= 1e-12 * np.abs(energy).max(),
            ),
            Law(
                "particles",
                float(sum(particles)),
                "sum of particle currents = 0",
                abs(sum(particles)) <= 1e-12 * max(abs(particles)),
            ),
            Law("second law", float(sigma), "entropy production >= 0", bool(sigma >= 0)),
            Law(
                "Clausius",
                clausius,
                "-sum Y / T = entropy production",
                abs(clausius - sigma) <= 1e-9 * np.abs(energy).max(),
            ),
        ]


class Evolution(eqx.Module):
    """`temperatures`, `chemical_potentials`, `occupations` of modes, total `entropy` and
    `entropy_production` (per time) at `times`.

    `drift`: largest change of the conserved totals of particles and energy, relative to them.
    `last`: the last time that was reached; what was asked beyond it is NaN. `status`: SINGULAR if
    the trajectory ended where a heat capacity vanishes, NOT_CONVERGED if it took too many steps,
    NOT_DEGENERATE as in `Flows`.
    """

    times: Float[Array, " times"]
    temperatures: Float[Array, "times reservoirs"]
    chemical_potentials: Float[Array, "times reservoirs"]
    occupations: Float[Array, "times modes"]
    entropy: Float[Array, " times"]
    entropy_production: Float[Array, " times"]
    drift: Float[Array, " two"]
    last: Float[Array, ""]
    status: Int[Array, ""]

    def __repr__(self) -> str:
        rows = [
            ("times", self.times, ""),
            *((f"T_{j}", x, "temperature") for j, x in enumerate(self.temperatures.T)),
        ]
        rows += [
            *(
                (f"mu_{j}", x, "chemical potential")
                for j, x in enumerate(self.chemical_potentials.T)
            ),
            ("S", self.entropy, "entropy"),
        ]
        rows += [
            ("drift", self.drift, "of particles and energy, relative"),
            ("last", self.last, "time that was reached"),
        ]
        return readable(self, "finite reservoirs", [*rows, ("status", self.status, "0: fine")])


class Equilibrium(eqx.Module):
    """The equilibrium in which finite reservoirs end: a `temperature` and a `chemical_potential`;
    `status` 0 where they were found. `conserved`: how many combinations of particle numbers and
    energies never change; more than 2, and the reservoirs stop elsewhere, at occupations that are
    equal only where they share modes (`unique` is False)."""

    temperature: Float[Array, ""]
    chemical_potential: Float[Array, ""]
    conserved: Int[Array, ""]
    status: Int[Array, ""]

    @property
    def unique(self) -> Bool[Array, ""]:
        """Whether the reservoirs get there."""
        return self.conserved == 2

    def __repr__(self) -> str:
        rows = [
            ("T", self.temperature, "temperature"),
            ("mu", self.chemical_potential, "chemical potential"),
        ]
        return readable(
            self,
            "equilibrium",
            [
                *rows,
                ("conserved", self.conserved, "quantities"),
                ("status", self.status, "0: fine"),
            ],
        )


class Minimum(eqx.Module):
    """The first minimum of a temperature: `time`, `temperature`; `interior` where it lies
    after time 0 and before the end. `status` as in `Evolution`, NOT_CONVERGED where the search
    ended before the reservoirs had settled."""

    time: Float[Array, ""]
    temperature: Float[Array, ""]
    interior: Bool[Array, ""]
    status: Int[Array, ""]

    def __repr__(self) -> str:
        rows = [
            ("time", self.time, ""),
            ("T", self.temperature, "the lowest temperature"),
            ("status", self.status, "0: fine"),
        ]
        return readable(self, "first minimum of a temperature", rows)


class Crossings(eqx.Module):
    """`times` of crossings, NaN after the last one, and the `values` at which the two met; `status`
    as in `Minimum`."""

    times: Float[Array, " most"]
    values: Float[Array, " most"]
    status: Int[Array, ""]

    def __repr__(self) -> str:
        rows = [
            ("times", self.times, ""),
            ("values", self.values, "at which the two met"),
            ("status", self.status, "0: fine"),
        ]
        return readable(self, "crossings", rows)
