"""The stationary currents of a machine, and all that follows from them."""

import functools
from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from .._numerics.batching import add
from .._numerics.special import carried
from .._numerics.validation import as_scalar, is_concrete
from ..certificates import Certificate
from ..counting import Covariance
from ..limits import FIRST_ORDER
from ..status import Status
from ..systems.base import WIDTH
from ._efficiencies import Efficiencies
from ._points import AbstractPoint, Law, Mode, Observable, chemical_work


class OperatingPoint(AbstractPoint):
    """Stationary currents of a machine, and all that follows from them.

    `heat_currents`, `energy_currents` (energy^2) and `particle_currents` (energy), by reservoir,
    are positive when they leave it and enter the device, with hbar = k_B = 1. Energy and heat are
    those of the quanta exchanged, which is what is counted; `device_energy_currents` is the energy
    that the device takes up, Tr[H D_r rho], which always adds up to zero and differs from the
    quanta only in a local master equation whose Hamiltonian does not conserve them.
    `heat_covariance` is the zero-frequency noise of the heat currents, `particle_covariance` that
    of particles, None of a device that exchanges none. `rates_over` (pure numbers), by reservoir
    and what that is: rates over all that weak coupling asks them to be small against, weighted by
    traffic; see `validity`, `expected_error` and `qtd.systems.AbstractState.ratios`. `status` is 0
    where all is well (`qtd.Status`).

    `temperatures` and `chemical_potentials` of the reservoirs called `names`; `cooled` and
    `driven_by` as in `operate`; `of_jumps`: not of a coherent device. A nonthermal reservoir has no
    entry in `temperatures`, and one in `nonthermal_entropy_currents`; its "heat" is energy - mu_0 *
    particles with the mu_0 it was given. Where it drives, what it supplies is the free energy J -
    T_0 I_S at the temperature T_0 of the reservoir that takes the heat.
    """

    heat_currents: dict[str, Float[Array, ""]]
    energy_currents: dict[str, Float[Array, ""]]
    particle_currents: dict[str, Float[Array, ""]]
    device_energy_currents: dict[str, Float[Array, ""]]
    nonthermal_entropy_currents: dict[str, Float[Array, ""]]
    temperatures: dict[str, Float[Array, ""]]
    chemical_potentials: dict[str, Float[Array, ""]]
    heat_covariance: Covariance
    particle_covariance: Covariance | None
    rates_over: dict[tuple[str, str], Float[Array, ""]]
    status: Int[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)
    cooled: str | None = eqx.field(static=True)
    driven_by: str | None = eqx.field(static=True)
    # coherent devices may beat the uncertainty relation of jumps
    of_jumps: bool = eqx.field(static=True, default=True)

    @property
    def entropy_currents(self) -> dict[str, Float[Array, ""]]:
        """Entropy that leaves each reservoir per time: J / T in equilibrium, infinite at T = 0
        unless J = 0."""
        thermal = {
            name: _per(temperature, self.heat_currents[name])
            for name, temperature in self.temperatures.items()
        }
        return self.nonthermal_entropy_currents | thermal

    @property
    def entropy_production(self) -> Float[Array, ""]:
        """sigma = -sum_r I_S,r, with I_S = J / T in equilibrium, which is >= 0 (second law)."""
        return -add(self.entropy_currents[name] for name in self.names)

    @property
    def device_entropy_production(self) -> Float[Array, ""]:
        """-sum_r (device energy current - mu * particle current) / T_r: not bounded where quanta
        and device energy differ."""

        def flow(name):
            return (
                self.device_energy_currents[name]
                - self.chemical_potentials[name] * self.particle_currents[name]
            )

        parts = {name: _per(self.temperatures[name], flow(name)) for name in self.temperatures}
        return -add((self.nonthermal_entropy_currents | parts)[name] for name in self.names)

    @property
    def power(self) -> Float[Array, ""]:
        """Work per time that the device delivers: minus the chemical work that particles take from
        the reservoirs."""
        return -chemical_work(self.particle_currents, self.chemical_potentials)

    @property
    def cop(self) -> Float[Array, ""]:
        """Coefficient of performance: heat taken from the cooled reservoir over heat taken from the
        driving one (or over the power consumed, where no reservoir drives). Negative where the
        cooled reservoir is heated; NaN where nothing is supplied, and where the cooled reservoir is
        hotter than the one that takes the heat."""
        cooled, supplied = self.heat_currents[self._role("cooled")], self._supplied
        means = (supplied > 0) & ~self._is_hot & (self.status != Status.COP_UNDEFINED)
        return jnp.where(means, cooled / jnp.where(means, supplied, 1.0), jnp.nan)

    @property
    def carnot_cop(self) -> Float[Array, ""]:
        """The largest COP that the second law allows: (1/T_h - 1/T_w) / (1/T_c - 1/T_h), for cooled
        c, driving w and a third, h; NaN unless T_c <= T_h <= T_w."""
        drive = 1 / self._rejecting_temperature - self._inverse_driving_temperature
        return jnp.where((drive >= 0) & (self._cold_bias >= 0), drive / self._cold_bias, jnp.nan)

    @property
    def carnot_cop_hot_drive(self) -> Float[Array, ""]:
        """`carnot_cop` for an infinitely hot driving reservoir, T_c / (T_h - T_c). **Source:**
        Kolisnyk and Schaller, Eq. (18)."""
        bound = 1 / self._rejecting_temperature / self._cold_bias
        return jnp.where(self._cold_bias >= 0, bound, jnp.nan)

    @property
    def cop_bound_from_noise(self) -> Float[Array, ""]:
        """Upper bound on the COP from the uncertainty relation: carnot_cop_hot_drive / (1 + 2 J_c /
        (S_cc (1/T_c - 1/T_h))).

        NaN unless J_c > 0, what drives supplies something, and T_c <= T_h <= T_w; and for coherent
        devices, which the relation does not bind. **Source:** Kolisnyk and Schaller, Eqs. (20),
        (F2).
        """
        cooled = self._role("cooled")
        current, noise = self.heat_currents[cooled], self.heat_covariance[cooled, cooled]
        bound = self.carnot_cop_hot_drive / (1 + 2 * current / (noise * self._cold_bias))
        means = (current > 0) & (self._supplied > 0) & (self.carnot_cop > 0)
        return jnp.where(means, bound, jnp.nan) if self.of_jumps else jnp.full_like(bound, jnp.nan)

    @property
    def heat_taken_in(self) -> Float[Array, ""]:
        """What an engine is driven by: the heat of the reservoir that is named as driving; or else
        all heat that reservoirs give which are hotter than the surroundings, the coldest ones, or
        have no temperature."""
        if self.driven_by is not None:
            return self.heat_currents[self.driven_by]
        hotter = {
            name: temperature > self._coldest for name, temperature in self.temperatures.items()
        }
        given = {name: jnp.maximum(self.heat_currents[name], 0) for name in self.names}
        return add(jnp.where(hotter.get(name, True), given[name], 0) for name in self.names)

    @property
    def efficiency(self) -> Float[Array, ""]:
        """Power delivered over `heat_taken_in`, of a heat engine; NaN where no power is delivered
        or no heat taken in."""
        means = (self.power > 0) & (self.heat_taken_in > 0)
        return jnp.where(means, self.power / jnp.where(means, self.heat_taken_in, 1.0), jnp.nan)

    @property
    def carnot_efficiency(self) -> Float[Array, ""]:
        """The largest `efficiency` that the second law allows, 1 - T_c / T_h of the coldest and the
        hottest reservoir; NaN where a reservoir has no temperature, and where one of several is
        named as driving, as the others then help unpaid."""
        if len(self.temperatures) < len(self.names) or (
            self.driven_by is not None and len(self.names) > 2
        ):
            return jnp.full_like(self.power, jnp.nan)
        hottest = functools.reduce(jnp.maximum, self.temperatures.values())
        return (hottest - self._coldest) / hottest  # which keeps its digits where they are close

    @property
    def mode_code(self) -> Int[Array, ""]:
        """`Mode` as an integer array, for compiled code and batches."""
        thermal = [name for name in self.names if name in self.temperatures]
        if not thermal:
            modes = [int(Mode.HEAT_ENGINE), int(Mode.HEATER)]
            return jnp.select([self.power > 0, self.power < 0], modes, int(Mode.DISSIPATOR))
        heat, temperature = (
            jnp.stack([x[name] for name in thermal])
            for x in (self.heat_currents, self.temperatures)
        )
        hottest = temperature == temperature.max(axis=0, keepdims=True)
        if self.cooled:
            cools = (
                (self.heat_currents[self.cooled] > 0)
                & (self.temperatures[self.cooled] < temperature.max(axis=0))
                & ~self._is_hot
            )
        else:
            coldest = temperature == self._coldest
            cools = (jnp.sum(jnp.where(coldest, heat, 0), axis=0) > 0) & ~jnp.all(coldest, axis=0)
        heats_hottest = jnp.sum(jnp.where(hottest, heat, 0), axis=0) < 0
        return jnp.select(
            [self.power > 0, cools, self.power < 0, heats_hottest],
            [
                int(Mode.HEAT_ENGINE),
                int(Mode.REFRIGERATOR),
                int(Mode.HEATER),
                int(Mode.HEAT_TRANSFORMER),
            ],
            int(Mode.DISSIPATOR),
        )

    @property
    def meters(self) -> dict[str, Float[Array, ""]]:
        """Rates over the bandwidths of the reservoirs that have one: those of `rates_over` that are
        about the widths of filters."""
        return {name: ratio for (name, what), ratio in self.rates_over.items() if what == WIDTH}

    def ratios(self) -> dict[tuple[str, str], Float[Array, ""]]:
        return self.rates_over

    @property
    def expected_error(self) -> Float[Array, ""]:
        """By how much the currents are about too large, as a share of the true ones, because the
        reservoirs do not forget at once: half the mean of `meters` over all reservoirs, of which
        those without one count as 0. NaN where there is none.

        To first order in rates over widths, and within a factor of two: 0.05 means 5 %, 10 % at
        worst. `qtd.systems.AbstractState.meters` says what was measured, and what is not seen.
        """
        if not self.meters:
            return jnp.full_like(self.power, jnp.nan)
        return add(self.meters[name] for name in self.names if name in self.meters) / (
            2 * len(self.names)
        )

    @property
    def certificate(self) -> Certificate:
        """How well these numbers obey the laws that bind them."""
        return Certificate.of(self)

    def certified(self, doubts: Mapping[str, ArrayLike] | None = None) -> "OperatingPoint":
        """The same, its status `INACCURATE` where a law is broken by more than rounding, or where
        energy currents may be off by more than 1e-9 of the largest, or 1e-6 of themselves: `doubts`
        by reservoir. Of jumps, whose noise is a sum of squares, the laws of noise follow from the
        others, and a status does not cost the noise of every reservoir."""
        found = self.certificate
        lawful = found.conserves if self.of_jumps else found.holds
        fails = (self.status == 0) & ~(
            lawful & found.knows(self.device_energy_currents, doubts or {})
        )
        return eqx.tree_at(
            lambda p: p.status, self, jnp.where(fails, int(Status.INACCURATE), self.status)
        )

    def tur(self, reservoir: str, quantity: str = "heat") -> Float[Array, ""]:
        """Thermodynamic uncertainty S_rr sigma / J_r^2 of the current of a `quantity`, "heat" or
        "particles", out of `reservoir`: at least 2 for jumps, not for coherent devices.

        **Source:** Kolisnyk and Schaller, Eq. (19).
        """
        if quantity not in ("heat", "particles"):
            raise ValueError(f'`quantity` must be "heat" or "particles", got {quantity!r}.')
        if quantity == "heat":
            noise = self.heat_covariance[reservoir, reservoir]
            current = self.heat_currents[reservoir]
        elif self.particle_covariance is not None:
            noise = self.particle_covariance[reservoir, reservoir]
            current = self.particle_currents[reservoir]
        else:
            raise ValueError(
                '`quantity` is "particles", of which this device exchanges none with'
                f' {reservoir!r}; ask for "heat".'
            )
        return _uncertainty(noise, self.entropy_production, current)

    @property
    def power_noise(self) -> Float[Array, ""]:
        """Zero-frequency noise of `power`, sum_rs mu_r mu_s S_rs of particles; 0 of a device that
        exchanges none, NaN of one that exchanges no definite number of them."""
        if self.particle_covariance is None:
            return jnp.zeros_like(self.power)
        if self.particle_covariance.uncounted:
            return jnp.full_like(self.power, jnp.nan)
        # Particles are conserved, so that potentials may be counted from any of them: no digits are
        # lost to a common part.
        ground = self.chemical_potentials[self.names[0]]
        bias = {name: self.chemical_potentials[name] - ground for name in self.names}
        return add(
            bias[r] * bias[s] * self.particle_covariance[r, s]
            for r in self.names
            for s in self.names
        )

    @property
    def power_tur(self) -> Float[Array, ""]:
        """Thermodynamic uncertainty of `power`, its noise times sigma / power^2; NaN where there is
        no power."""
        means = self.power != 0
        power = jnp.where(means, self.power, 1.0)
        uncertainty = _uncertainty(self.power_noise, self.entropy_production, power)
        return jnp.where(means, uncertainty, jnp.nan)

    def efficiencies(
        self, temperature: ArrayLike, chemical_potential: ArrayLike = 0.0, work: ArrayLike = 0.0
    ) -> "Efficiencies":
        r"""What reservoirs and nonthermal fuel supply, measured against surroundings of
        `temperature` T_0 and `chemical_potential` mu_0.

        `work`: the mechanical power delivered by a device that is driven or moves; then the energy
        currents add up to it. **Source:** Deghi and Bustos-Marun, Eqs. (11)-(16).
        """
        reference = as_scalar(temperature, "temperature")
        level = as_scalar(chemical_potential, "chemical_potential")
        thermal = [name for name in self.names if name in self.temperatures]
        zero = jnp.zeros_like(self.entropy_production)

        def paid(name):
            return carried(self.entropy_currents[name], reference)  # which may be infinite

        def free(name):
            return self.energy_currents[name] - level * self.particle_currents[name] - paid(name)

        return Efficiencies(
            work=as_scalar(work, "work"),
            chemical=add(
                [
                    zero,
                    *(
                        self.particle_currents[r] * (self.chemical_potentials[r] - level)
                        for r in thermal
                    ),
                ]
            ),
            thermal=add(
                [
                    zero,
                    *(
                        self.heat_currents[r] * (1 - reference / self.temperatures[r])
                        for r in thermal
                    ),
                ]
            ),
            nonthermal=add([zero, *(free(name) for name in self.names if name not in thermal)]),
            dissipation=reference * self.entropy_production,
        )

    def _counts_what_is_taken(self):
        """Whether the quanta counted are the energy that the device takes up, of known points."""
        pairs = ((self.device_energy_currents[x], self.energy_currents[x]) for x in self.names)
        return all(np.allclose(*pair, rtol=1e-6, atol=0, equal_nan=True) for pair in pairs)

    @property
    def _bound(self):
        return ", at least 2" if self.of_jumps else ""

    @property
    def _supplied(self):
        if self.driven_by is None:
            return -self.power
        heat = self.heat_currents[self.driven_by]
        if self.driven_by in self.temperatures:
            return heat
        return heat - carried(self.entropy_currents[self.driven_by], self._rejecting_temperature)

    @property
    def _cold_bias(self):
        return 1 / self.temperatures[self._role("cooled")] - 1 / self._rejecting_temperature

    @property
    def _rejecting_temperature(self):
        self._role("cooled")
        if not self._has_carnot_cop:
            raise ValueError(
                "The Carnot bound needs one reservoir that takes the heat, with a temperature, got"
                f" {self._others}."
            )
        return self.temperatures[self._others[0]]

    @property
    def _others(self):
        return [name for name in self.names if name not in (self.cooled, self.driven_by)]

    @property
    def _has_carnot_cop(self):
        """Whether one reservoir alone takes the heat, and has a temperature."""
        return (
            self.cooled is not None
            and len(self._others) == 1
            and self._others[0] in self.temperatures
        )

    @property
    def _is_hot(self):
        """Whether the cooled reservoir is hotter than the one that takes the heat, where there is
        one."""
        others = [name for name in self._others if name in self.temperatures]
        return (
            self.temperatures[self._role("cooled")] > self.temperatures[others[0]]
            if len(others) == 1
            else jnp.asarray(False)
        )

    @property
    def _coldest(self):
        return functools.reduce(jnp.minimum, self.temperatures.values())

    @property
    def _inverse_driving_temperature(self):
        return 1 / self.temperatures[self.driven_by] if self.driven_by in self.temperatures else 0.0

    def _role(self, role):
        name = getattr(self, role)
        if name is None:
            raise ValueError(
                f"`{role}` is not set: name the reservoir, as in `qtd.operate(network,"
                f' {role}="cold")`.'
            )
        return name

    def observables(self) -> dict[str, Observable]:
        """All scalars by name: J_* and their noise S_*, TUR_* of each reservoir, sigma; of devices
        that exchange particles I_*, power, its noise and what engines are judged by; COP where a
        reservoir is cooled; E_* of coherent devices; meter_* of each reservoir that has a
        bandwidth."""
        table = {
            f"J_{name}": Observable(
                self.heat_currents[name], "E^2", f"heat current out of {name!r}"
            )
            for name in self.names
        }
        table["sigma"] = Observable(self.entropy_production, "E", "entropy production")
        if self.cooled:
            table["COP"] = Observable(self.cop, "1", "coefficient of performance")
        if self._has_carnot_cop:
            table["COP_Carnot"] = Observable(self.carnot_cop, "1", "its bound by the second law")
        if self.particle_covariance is not None:
            for name in self.names:
                table[f"I_{name}"] = Observable(
                    self.particle_currents[name], "E", f"particle current out of {name!r}"
                )
            table["power"] = Observable(self.power, "E^2", "work delivered per time")
            table["efficiency"] = Observable(
                self.efficiency, "1", "power over the heat taken in, of an engine"
            )
            table["efficiency_Carnot"] = Observable(
                self.carnot_efficiency, "1", "its bound by the second law"
            )
            table["S_power"] = Observable(self.power_noise, "E^3", "noise of the power")
            table["TUR_power"] = Observable(
                self.power_tur, "1", f"thermodynamic uncertainty of the power{self._bound}"
            )
        if not self.of_jumps:
            for name in self.names:
                taken = self.device_energy_currents[name]
                table[f"E_{name}"] = Observable(
                    taken, "E^2", f"energy that the device takes up from {name!r}"
                )
        for name in self.heat_covariance.names:
            table[f"S_{name}"] = Observable(
                self.heat_covariance[name, name], "E^3", f"noise of the heat current of {name!r}"
            )
            table[f"TUR_{name}"] = Observable(
                self.tur(name), "1", f"thermodynamic uncertainty of that current{self._bound}"
            )
        for name in self.names:
            if name in self.meters:
                meaning = f"rates over the bandwidth of {name!r}, to be below 0.1"
                table[f"meter_{name}"] = Observable(self.meters[name], "1", meaning)
        return table | self.about_validity()

    def headlines(self) -> list[str]:
        """Names of the observables that are worth a line of print: of the noise of heat that of the
        cooled reservoir, or else of the first; energy that the device takes up only where it is
        not what is counted; and validity only where it is known to be worth a note."""
        shown = self.cooled or self.names[0]
        hidden = {f"{kind}_{name}" for kind in ("S", "TUR") for name in self.names if name != shown}
        if is_concrete(self) and self._counts_what_is_taken():
            hidden |= {f"E_{name}" for name in self.names}
        hidden |= {f"meter_{name}" for name in self.meters}
        if not (is_concrete(self) and np.any(np.asarray(self.validity) > FIRST_ORDER.note)):
            hidden.add("validity")
        return [name for name in self.observables() if name not in hidden]

    def laws(self) -> list["Law"]:
        """The laws of thermodynamics at one known point, and whether they hold to rounding."""
        heat = np.array([float(self.heat_currents[name]) for name in self.names])
        largest = np.abs(heat).max()
        tiny = float(np.finfo(np.asarray(self.entropy_production).dtype).eps)
        imbalance = abs(sum(float(current) for current in self.device_energy_currents.values()))
        balance = imbalance / largest if largest != 0 else imbalance
        sigma = float(self.entropy_production)
        found = [
            Law(
                "first law",
                balance,
                "|sum of energy currents into the device| / largest heat",
                balance <= 1e4 * tiny,
            ),
            Law("second law", sigma, "entropy production >= 0", sigma >= -1e4 * tiny * largest),
        ]
        if self.of_jumps:
            tur = min(float(self.tur(name)) for name in self.names)
            found.append(
                Law(
                    "uncertainty",
                    tur,
                    "smallest noise * sigma / current^2 >= 2",
                    tur >= 2 - 1e4 * tiny,
                )
            )
        if self._has_carnot_cop and self.mode == "refrigerator":
            share = float(self.cop / self.carnot_cop)
            found.append(Law("Carnot", share, "COP / Carnot COP <= 1", share <= 1 + 1e4 * tiny))
        share = float(self.efficiency / self.carnot_efficiency)
        # What quanta that are not conserved bring or take is no heat that the bound knows of.
        if self.mode == "heat engine" and np.isfinite(share) and self._counts_what_is_taken():
            bounded = share <= 1 + 1e4 * tiny
            found.append(Law("Carnot", share, "efficiency / Carnot efficiency <= 1", bounded))
        return found


def _uncertainty(noise, entropy_production, current):
    """S sigma / I^2, from ratios: the square of a small current would underflow."""
    return (noise / current) * (entropy_production / current)


def _per(temperature, heat):
    """J / T; at T = 0 infinite, or nothing where nothing flows."""
    frozen = temperature == 0
    endless = carried(jnp.full_like(heat, jnp.inf), heat)
    return jnp.where(frozen, endless, heat / jnp.where(frozen, 1.0, temperature))
