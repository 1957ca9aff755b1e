"""Operating points: from currents to the laws of thermodynamics, figures of merit, their bounds, and the mode of operation."""

import functools
from collections.abc import Mapping
from html import escape

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ._numerics.batching import add
from ._numerics.compilation import compiled
from ._numerics.printing import digits
from ._numerics.special import carried
from ._numerics.validation import as_scalar, is_concrete
from .certificates import Certificate
from .counting import Covariance, System, covariance
from .efficiencies import Efficiencies, Law, Mode
from .parameters import checked
from .status import Status, first, raise_if_known
from .systems.base import at_rest

__all__ = ["Efficiencies", "Law", "Mode", "OperatingPoint", "operate"]


class OperatingPoint(eqx.Module):
    """Stationary currents of a machine, and all that follows from them.

    `heat_currents`, `energy_currents` (energy^2) and `particle_currents` (energy), by reservoir, are positive when they leave it and enter
    the device, with hbar = k_B = 1. Energy and heat are those of the quanta exchanged, which is what is counted;
    `device_energy_currents` is the energy that the device takes up, Tr[H D_r rho], which always adds up to zero and differs from the
    quanta only in a local master equation whose Hamiltonian does not conserve them. `heat_covariance` is the zero-frequency noise
    of the heat currents. `status` is 0 where all is well (`qtd.Status`).

    `temperatures` and `chemical_potentials` of the reservoirs called `names`; `cooled` and `driven_by` as in `operate`; `of_jumps`: not of
    a coherent device. A nonthermal reservoir has no entry in `temperatures`, and one in `nonthermal_entropy_currents`; its "heat" is
    energy - mu_0 * particles with the mu_0 it was given. Where it drives, what it supplies is the free energy J - T_0 I_S at the
    temperature T_0 of the reservoir that takes the heat.
    """

    heat_currents: dict[str, Float[Array, ""]]
    energy_currents: dict[str, Float[Array, ""]]
    particle_currents: dict[str, Float[Array, ""]]
    device_energy_currents: dict[str, Float[Array, ""]]
    nonthermal_entropy_currents: dict[str, Float[Array, ""]]
    temperatures: dict[str, Float[Array, ""]]
    chemical_potentials: dict[str, Float[Array, ""]]
    heat_covariance: Covariance
    status: Int[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)
    cooled: str | None = eqx.field(static=True)
    driven_by: str | None = eqx.field(static=True)
    of_jumps: bool = eqx.field(static=True, default=True)  # coherent devices may beat the uncertainty relation of jumps

    @property
    def entropy_currents(self) -> dict[str, Float[Array, ""]]:
        """Entropy that leaves each reservoir per time: J / T in equilibrium, infinite at T = 0 unless J = 0."""
        thermal = {name: _per(temperature, self.heat_currents[name]) for name, temperature in self.temperatures.items()}
        return self.nonthermal_entropy_currents | thermal

    @property
    def entropy_production(self) -> Float[Array, ""]:
        """sigma = -sum_r I_S,r, with I_S = J / T in equilibrium, which is >= 0 (second law)."""
        return -add(self.entropy_currents[name] for name in self.names)

    @property
    def device_entropy_production(self) -> Float[Array, ""]:
        """-sum_r (device energy current - mu * particle current) / T_r: not bounded where quanta and device energy differ."""
        flow = lambda name: self.device_energy_currents[name] - self.chemical_potentials[name] * self.particle_currents[name]
        parts = {name: _per(self.temperatures[name], flow(name)) for name in self.temperatures}
        return -add((self.nonthermal_entropy_currents | parts)[name] for name in self.names)

    @property
    def power(self) -> Float[Array, ""]:
        """Work per time that the device delivers: minus the chemical work that particles take from the reservoirs."""
        return -add(self.chemical_potentials[name] * self.particle_currents[name] for name in self.names)

    @property
    def cop(self) -> Float[Array, ""]:
        """Coefficient of performance: heat taken from the cooled reservoir over heat taken from the driving one (or over the power
        consumed, where no reservoir drives). Negative where the cooled reservoir is heated; NaN where nothing is supplied, and where the
        cooled reservoir is hotter than the one that takes the heat."""
        cooled, supplied = self.heat_currents[self._role("cooled")], self._supplied
        means = (supplied > 0) & ~self._is_hot & (self.status != Status.COP_UNDEFINED)
        return jnp.where(means, cooled / jnp.where(means, supplied, 1.0), jnp.nan)

    @property
    def carnot_cop(self) -> Float[Array, ""]:
        """The largest COP that the second law allows: (1/T_h - 1/T_w) / (1/T_c - 1/T_h), for cooled c, driving w and a third, h; NaN unless
        T_c <= T_h <= T_w."""
        drive = 1 / self._rejecting_temperature - self._inverse_driving_temperature
        return jnp.where((drive >= 0) & (self._cold_bias >= 0), drive / self._cold_bias, jnp.nan)

    @property
    def carnot_cop_hot_drive(self) -> Float[Array, ""]:
        """`carnot_cop` for an infinitely hot driving reservoir, T_c / (T_h - T_c). **Source:** Kolisnyk and Schaller, Eq. (18)."""
        bound = 1 / self._rejecting_temperature / self._cold_bias
        return jnp.where(self._cold_bias >= 0, bound, jnp.nan)

    @property
    def cop_bound_from_noise(self) -> Float[Array, ""]:
        """Upper bound on the COP from the uncertainty relation: carnot_cop_hot_drive / (1 + 2 J_c / (S_cc (1/T_c - 1/T_h))).

        NaN unless J_c > 0, what drives supplies something, and T_c <= T_h <= T_w; and for coherent devices, which the relation does not
        bind. **Source:** Kolisnyk and Schaller, Eqs. (20), (F2).
        """
        cooled = self._role("cooled")
        current, noise = self.heat_currents[cooled], self.heat_covariance[cooled, cooled]
        bound = self.carnot_cop_hot_drive / (1 + 2 * current / (noise * self._cold_bias))
        means = (current > 0) & (self._supplied > 0) & (self.carnot_cop > 0)
        return jnp.where(means, bound, jnp.nan) if self.of_jumps else jnp.full_like(bound, jnp.nan)

    @property
    def heat_taken_in(self) -> Float[Array, ""]:
        """What an engine is driven by: the heat of the reservoir that is named as driving; or else all heat that reservoirs give which are
        hotter than the surroundings, the coldest ones, or have no temperature."""
        if self.driven_by is not None:
            return self.heat_currents[self.driven_by]
        hotter = {name: temperature > self._coldest for name, temperature in self.temperatures.items()}
        given = {name: jnp.maximum(self.heat_currents[name], 0) for name in self.names}
        return add(jnp.where(hotter.get(name, True), given[name], 0) for name in self.names)

    @property
    def efficiency(self) -> Float[Array, ""]:
        """Power delivered over `heat_taken_in`, of a heat engine; NaN where no power is delivered or no heat taken in."""
        means = (self.power > 0) & (self.heat_taken_in > 0)
        return jnp.where(means, self.power / jnp.where(means, self.heat_taken_in, 1.0), jnp.nan)

    @property
    def mode_code(self) -> Int[Array, ""]:
        """`Mode` as an integer array, for compiled code and batches."""
        thermal = [name for name in self.names if name in self.temperatures]
        if not thermal:
            modes = [int(Mode.HEAT_ENGINE), int(Mode.HEATER)]
            return jnp.select([self.power > 0, self.power < 0], modes, int(Mode.DISSIPATOR))
        heat, temperature = (jnp.stack([x[name] for name in thermal]) for x in (self.heat_currents, self.temperatures))
        hottest = temperature == temperature.max(axis=0, keepdims=True)
        if self.cooled:
            cools = (self.heat_currents[self.cooled] > 0) & (self.temperatures[self.cooled] < temperature.max(axis=0)) & ~self._is_hot
        else:
            coldest = temperature == self._coldest
            cools = (jnp.sum(jnp.where(coldest, heat, 0), axis=0) > 0) & ~jnp.all(coldest, axis=0)
        heats_hottest = jnp.sum(jnp.where(hottest, heat, 0), axis=0) < 0
        return jnp.select(
            [self.power > 0, cools, self.power < 0, heats_hottest],
            [int(Mode.HEAT_ENGINE), int(Mode.REFRIGERATOR), int(Mode.HEATER), int(Mode.HEAT_TRANSFORMER)],
            int(Mode.DISSIPATOR),
        )

    @property
    def mode(self) -> str:
        """What the machine does, in words; for compiled code and batches use `mode_code`."""
        if not is_concrete(self.mode_code) or jnp.ndim(self.mode_code):
            raise ValueError("`mode` is a word for one known operating point; use `mode_code` under jit, vmap and for batches.")
        return str(Mode(int(self.mode_code)))

    @property
    def certificate(self) -> Certificate:
        """How well these numbers obey the laws that bind them."""
        return Certificate.of(self)

    def certified(self, doubts: Mapping[str, ArrayLike] | None = None) -> "OperatingPoint":
        """The same, its status `INACCURATE` where a law is broken by more than rounding, or where energy currents may be off by more than
        1e-9 of the largest, or 1e-6 of themselves: `doubts` by reservoir. Of jumps, whose noise is a sum of squares, the laws of noise
        follow from the others, and a status does not cost the noise of every reservoir."""
        found = self.certificate
        lawful = found.conserves if self.of_jumps else found.holds
        fails = (self.status == 0) & ~(lawful & found.knows(self.device_energy_currents, doubts or {}))
        return eqx.tree_at(lambda p: p.status, self, jnp.where(fails, int(Status.INACCURATE), self.status))

    def tur(self, reservoir: str) -> Float[Array, ""]:
        """Thermodynamic uncertainty S_rr sigma / J_r^2 of the heat current of `reservoir`, >= 2 for jumps, not for coherent devices.

        **Source:** Kolisnyk and Schaller, Eq. (19).
        """
        return self.heat_covariance[reservoir, reservoir] * self.entropy_production / self.heat_currents[reservoir] ** 2

    def efficiencies(self, temperature: ArrayLike, chemical_potential: ArrayLike = 0.0, work: ArrayLike = 0.0) -> "Efficiencies":
        r"""What reservoirs and nonthermal fuel supply, measured against surroundings of `temperature` T_0 and `chemical_potential` mu_0.

        `work`: the mechanical power delivered by a device that is driven or moves; then the energy currents add up to it.
        **Source:** Deghi and Bustos-Marun, Eqs. (11)-(16).
        """
        reference, level = as_scalar(temperature, "temperature"), as_scalar(chemical_potential, "chemical_potential")
        thermal = [name for name in self.names if name in self.temperatures]
        zero = jnp.zeros_like(self.entropy_production)
        paid = lambda name: carried(self.entropy_currents[name], reference)  # which may be infinite
        free = lambda name: self.energy_currents[name] - level * self.particle_currents[name] - paid(name)
        return Efficiencies(
            work=as_scalar(work, "work"),
            chemical=add([zero, *(self.particle_currents[r] * (self.chemical_potentials[r] - level) for r in thermal)]),
            thermal=add([zero, *(self.heat_currents[r] * (1 - reference / self.temperatures[r]) for r in thermal)]),
            nonthermal=add([zero, *(free(name) for name in self.names if name not in thermal)]),
            dissipation=reference * self.entropy_production,
        )

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
            raise ValueError(f"The Carnot bound needs one reservoir that takes the heat, with a temperature, got {self._others}.")
        return self.temperatures[self._others[0]]

    @property
    def _others(self):
        return [name for name in self.names if name not in (self.cooled, self.driven_by)]

    @property
    def _has_carnot_cop(self):
        """Whether one reservoir alone takes the heat, and has a temperature."""
        return self.cooled is not None and len(self._others) == 1 and self._others[0] in self.temperatures

    @property
    def _is_hot(self):
        """Whether the cooled reservoir is hotter than the one that takes the heat, where there is one."""
        others = [name for name in self._others if name in self.temperatures]
        return self.temperatures[self._role("cooled")] > self.temperatures[others[0]] if len(others) == 1 else jnp.asarray(False)

    @property
    def _coldest(self):
        return functools.reduce(jnp.minimum, self.temperatures.values())

    @property
    def _inverse_driving_temperature(self):
        return 1 / self.temperatures[self.driven_by] if self.driven_by in self.temperatures else 0.0

    def _role(self, role):
        name = getattr(self, role)
        if name is None:
            raise ValueError(f'`{role}` is not set: name the reservoir, as in `qtd.operate(network, {role}="cold")`.')
        return name

    def figures(self) -> dict[str, Float[Array, ""]]:
        """All scalars by name: J_*, S_* (noise), TUR_* of each reservoir, sigma, power, efficiency, COP."""
        values = {f"J_{name}": self.heat_currents[name] for name in self.names}
        values |= {f"S_{name}": self.heat_covariance[name, name] for name in self.heat_covariance.names}
        values |= {f"TUR_{name}": self.tur(name) for name in self.heat_covariance.names}
        values |= {"sigma": self.entropy_production, "power": self.power, "efficiency": self.efficiency}
        values |= {"COP": self.cop} if self.cooled else {}
        return values | ({"COP_Carnot": self.carnot_cop} if self._has_carnot_cop else {})

    def laws(self) -> list["Law"]:
        """The laws of thermodynamics at one known point, and whether they hold to rounding."""
        heat = np.array([float(self.heat_currents[name]) for name in self.names])
        largest, tiny = np.abs(heat).max(), float(np.finfo(np.asarray(self.entropy_production).dtype).eps)
        imbalance = abs(sum(float(current) for current in self.device_energy_currents.values()))
        balance = imbalance / largest if largest != 0 else imbalance
        sigma = float(self.entropy_production)
        found = [
            Law("first law", balance, "|sum of energy currents into the device| / largest heat", balance <= 1e4 * tiny),
            Law("second law", sigma, "entropy production >= 0", sigma >= -1e4 * tiny * largest),
        ]
        if self.of_jumps:
            tur = min(float(self.tur(name)) for name in self.names)
            found.append(Law("uncertainty", tur, "smallest noise * sigma / current^2 >= 2", tur >= 2 - 1e4 * tiny))
        if self._has_carnot_cop and self.mode == "refrigerator":
            share = float(self.cop / self.carnot_cop)
            found.append(Law("Carnot", share, "COP / Carnot COP <= 1", share <= 1 + 1e4 * tiny))
        return found

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, value and meaning of every figure, for printing."""
        rows = [(f"J_{name}", self.heat_currents[name], f"heat current out of {name!r}") for name in self.names]
        taken = self.device_energy_currents
        if any(not np.allclose(taken[name], self.energy_currents[name], rtol=1e-6, atol=0, equal_nan=True) for name in self.names):
            rows += [(f"E_{name}", taken[name], f"energy that the device takes up from {name!r}") for name in self.names]
        rows.append(("sigma", self.entropy_production, "entropy production"))
        if any(np.any(np.asarray(x) != 0) for x in self.chemical_potentials.values()):
            rows.append(("power", self.power, "work delivered per time"))
        if self.cooled:
            rows.append(("COP", self.cop, "coefficient of performance"))
            rows += [("COP Carnot", self.carnot_cop, "its bound by the second law")] if self._has_carnot_cop else []
            rows += [
                (f"S_{self.cooled}", self.heat_covariance[self.cooled, self.cooled], "noise of the cooling current"),
                (f"TUR_{self.cooled}", self.tur(self.cooled), "thermodynamic uncertainty, at least 2"),
            ]
        texts = [(name, digits(value) if jnp.ndim(value) == 0 else f"array{jnp.shape(value)}", why) for name, value, why in rows]
        if jnp.ndim(self.status) == 0:
            code = Status(int(self.status))
            texts += [("mode", self.mode, "from the signs"), ("status", str(int(code)), code.message)]
        return texts

    def __repr__(self) -> str:
        if not is_concrete(self):
            return f"OperatingPoint({', '.join(self.names)})"
        return "OperatingPoint (hbar = k_B = 1; currents positive out of a reservoir)\n" + "\n".join(
            f"  {name:<12} {value:>18}   {meaning}" for name, value, meaning in self.rows()
        )

    def _repr_html_(self) -> str:
        rows = [[escape(text) for text in row] for row in self.rows()]
        cells = "".join(f"<tr><th>{name}</th><td>{value}</td><td>{meaning}</td></tr>" for name, value, meaning in rows)
        return f"<table><caption>Operating point (currents positive out of a reservoir)</caption>{cells}</table>"


@checked
def operate(system: System, cooled: str | None = None, driven_by: str | None = None) -> OperatingPoint:
    """The stationary operating point of `system`: a network, a Lindbladian, the steady state of one (`qtd.steady.solve`), or a conductor.

    `cooled` and `driven_by` name the reservoirs whose heat currents make the COP; leave them out for an engine or a conductor.
    Raises `ValueError` where values are known and illegal or the steady state is not unique; in compiled code `status` says so and
    every number of that point is NaN.

    Electrons that fall from one lead through a level into another turn work into heat:

    >>> lead = lambda mu: qtd.Reservoir(1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0))
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork([0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1])
    >>> point = qtd.operate(dot)
    >>> print(f"{point.power:.4f} {point.entropy_production:.4f} {point.mode}")
    -20.0000 20.0000 heater
    """
    for role, name in (("cooled", cooled), ("driven_by", driven_by)):
        if name is not None and name not in system.reservoirs:
            raise ValueError(f"`{role}` names {name!r}; the reservoirs are {', '.join(map(repr, system.reservoirs))}.")
    if cooled is not None and system.reservoirs[cooled].temperature is None:
        raise ValueError(f"`cooled` names {cooled!r}, which has no temperature; name a reservoir in equilibrium.")
    return existing(point_of(system, cooled, driven_by))


def existing(point: OperatingPoint) -> OperatingPoint:
    """This point; `ValueError` where it is known that there is none."""
    raise_if_known(point.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE, Status.NOT_UNITARY, Status.INFINITE_RATE)
    return point


@compiled
def point_of(system: System, cooled: str | None, driven_by: str | None) -> OperatingPoint:
    """`operate` without its checks, for machines that have made them."""
    state = at_rest(system)
    reservoirs, names = state.reservoirs, tuple(state.reservoirs)
    idle = cooled is not None and not all(state.drives(name) for name in names)
    of = lambda quantity: {name: state.current(name, quantity) for name in names}
    temperatures = _temperatures(reservoirs)
    point = OperatingPoint(
        heat_currents=of("heat"),
        energy_currents=of("energy"),
        particle_currents=of("particles"),
        device_energy_currents={name: state.device_current(name) for name in names},
        nonthermal_entropy_currents={name: state.entropy_current(name) for name in names if name not in temperatures},
        temperatures=temperatures,
        chemical_potentials={name: reservoirs[name].chemical_potential for name in names},
        heat_covariance=covariance(state, "heat"),
        status=first((state.status > 0, state.status), (jnp.asarray(idle), Status.COP_UNDEFINED)),
        names=names,
        cooled=cooled,
        driven_by=driven_by,
        of_jumps=state.is_classical,
    )
    return point.certified({name: state.doubt(name) for name in names})


def _per(temperature, heat):
    """J / T; at T = 0 infinite, or nothing where nothing flows."""
    frozen = temperature == 0
    return jnp.where(frozen, carried(jnp.full_like(heat, jnp.inf), heat), heat / jnp.where(frozen, 1.0, temperature))


def _temperatures(reservoirs):
    return {name: reservoir.temperature for name, reservoir in reservoirs.items() if reservoir.temperature is not None}
