"""Operating points: from currents to the laws of thermodynamics, figures of merit, their bounds, and the mode of operation."""

import enum

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ._numerics.batching import add
from ._numerics.compilation import compiled
from ._numerics.status import Status, first, raise_if_known
from ._numerics.validation import is_concrete
from .counting import Covariance, System, covariance
from .lindblad import Lindbladian
from .networks import RateNetwork
from .parameters import validate
from .steady import settle_down

__all__ = ["Mode", "OperatingPoint", "operate"]


class Mode(enum.IntEnum):
    """What a machine does, from the signs of its currents (heat and power, positive into the device and out of it)."""

    DISSIPATOR = 0  # heat runs down, nothing useful
    REFRIGERATOR = 1  # heat leaves the cooled reservoir
    HEAT_ENGINE = 2  # power is delivered
    HEAT_TRANSFORMER = 3  # the hottest reservoir is heated by the others, without power
    HEATER = 4  # power is consumed and the cooled reservoir is heated

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class OperatingPoint(eqx.Module):
    """Stationary currents of a machine, and all that follows from them.

    Currents are positive when they leave a reservoir and enter the device, in units of energy^2 (heat, energy) and energy
    (particles), with hbar = k_B = 1. Energy and heat are those of the quanta exchanged, which is what is counted;
    `device_energy_currents` is the energy that the device takes up, Tr[H D_r rho], which always adds up to zero and differs from the
    quanta only in a local master equation whose Hamiltonian does not conserve them. `heat_covariance` is the zero-frequency noise
    of the heat currents. `status` is 0 where all is well (`qtd.Status`).
    """

    heat_currents: dict[str, Float[Array, ""]]
    energy_currents: dict[str, Float[Array, ""]]
    particle_currents: dict[str, Float[Array, ""]]
    device_energy_currents: dict[str, Float[Array, ""]]
    temperatures: dict[str, Float[Array, ""]]
    chemical_potentials: dict[str, Float[Array, ""]]
    heat_covariance: Covariance
    status: Int[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)
    cooled: str | None = eqx.field(static=True)
    driven_by: str | None = eqx.field(static=True)

    @property
    def entropy_production(self) -> Float[Array, ""]:
        """sigma = -sum_r J_r / T_r, which is >= 0 (second law)."""
        return -add(self.heat_currents[name] / self.temperatures[name] for name in self.names)

    @property
    def device_entropy_production(self) -> Float[Array, ""]:
        """-sum_r (device energy current - mu * particle current) / T_r: not bounded where quanta and device energy differ."""
        flow = lambda name: self.device_energy_currents[name] - self.chemical_potentials[name] * self.particle_currents[name]
        return -add(flow(name) / self.temperatures[name] for name in self.names)

    @property
    def power(self) -> Float[Array, ""]:
        """Work per time that the device delivers: minus the chemical work that particles take from the reservoirs."""
        return -add(self.chemical_potentials[name] * self.particle_currents[name] for name in self.names)

    @property
    def cop(self) -> Float[Array, ""]:
        """Coefficient of performance: heat taken from the cooled reservoir over heat taken from the driving one (or over the power
        consumed, where no reservoir drives). A signed ratio: it is a figure of merit where the mode is refrigerator."""
        cooled = self.heat_currents[self._role("cooled")]
        ratio = cooled / (-self.power if self.driven_by is None else self.heat_currents[self.driven_by])
        return jnp.where(self.status == Status.COP_UNDEFINED, jnp.nan, ratio)

    @property
    def carnot_cop(self) -> Float[Array, ""]:
        """The largest COP that the second law allows: (1/T_h - 1/T_w) / (1/T_c - 1/T_h), for cooled c, driving w and a third, h."""
        return (1 / self._rejecting_temperature - self._inverse_driving_temperature) / self._cold_bias

    @property
    def carnot_cop_hot_drive(self) -> Float[Array, ""]:
        """`carnot_cop` for an infinitely hot driving reservoir, T_c / (T_h - T_c). **Source:** Kolisnyk and Schaller, Eq. (18)."""
        return 1 / self._rejecting_temperature / self._cold_bias

    @property
    def cop_bound_from_noise(self) -> Float[Array, ""]:
        """Upper bound on the COP from the uncertainty relation: carnot_cop_hot_drive / (1 + 2 J_c / (S_cc (1/T_c - 1/T_h))).

        Holds where J_c > 0, J_w > 0 and T_c <= T_h <= T_w. **Source:** Kolisnyk and Schaller, Eqs. (20), (F2).
        """
        cooled = self._role("cooled")
        noise = self.heat_covariance[cooled, cooled]
        return self.carnot_cop_hot_drive / (1 + 2 * self.heat_currents[cooled] / (noise * self._cold_bias))

    @property
    def efficiency(self) -> Float[Array, ""]:
        """Power delivered over the heat taken in from all reservoirs that give heat: the efficiency of a heat engine."""
        return self.power / sum(jnp.maximum(self.heat_currents[name], 0) for name in self.names)

    @property
    def mode_code(self) -> Int[Array, ""]:
        """`Mode` as an integer array, for compiled code and batches."""
        heat, temperature = (jnp.stack([x[name] for name in self.names]) for x in (self.heat_currents, self.temperatures))
        coldest = temperature == temperature.min(axis=0, keepdims=True)
        hottest = temperature == temperature.max(axis=0, keepdims=True)
        cooled = self.heat_currents[self.cooled] if self.cooled else jnp.sum(jnp.where(coldest, heat, 0), axis=0)
        heats_hottest = jnp.sum(jnp.where(hottest, heat, 0), axis=0) < 0
        return jnp.select(
            [self.power > 0, cooled > 0, self.power < 0, heats_hottest],
            [int(Mode.HEAT_ENGINE), int(Mode.REFRIGERATOR), int(Mode.HEATER), int(Mode.HEAT_TRANSFORMER)],
            int(Mode.DISSIPATOR),
        )

    @property
    def mode(self) -> str:
        """What the machine does, in words; for compiled code and batches use `mode_code`."""
        if not is_concrete(self.mode_code) or jnp.ndim(self.mode_code):
            raise ValueError("`mode` is a word for one known operating point; use `mode_code` under jit, vmap and for batches.")
        return str(Mode(int(self.mode_code)))

    def tur(self, reservoir: str) -> Float[Array, ""]:
        """Thermodynamic uncertainty S_rr sigma / J_r^2 of a heat current, >= 2. **Source:** Kolisnyk and Schaller, Eq. (19)."""
        return self.heat_covariance[reservoir, reservoir] * self.entropy_production / self.heat_currents[reservoir] ** 2

    @property
    def _cold_bias(self):
        return 1 / self.temperatures[self._role("cooled")] - 1 / self._rejecting_temperature

    @property
    def _rejecting_temperature(self):
        others = [name for name in self.names if name not in (self._role("cooled"), self.driven_by)]
        if len(others) != 1:
            raise ValueError(f"The Carnot bound needs one reservoir that takes the heat, got {others}.")
        return self.temperatures[others[0]]

    @property
    def _inverse_driving_temperature(self):
        return 0.0 if self.driven_by is None else 1 / self.temperatures[self.driven_by]

    def _role(self, role):
        name = getattr(self, role)
        if name is None:
            raise ValueError(f'`{role}` is not set: name the reservoir, as in `qtd.operate(network, {role}="cold")`.')
        return name

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
            rows += [
                ("COP", self.cop, "coefficient of performance"),
                ("COP Carnot", self.carnot_cop, "its bound by the second law"),
                (f"S_{self.cooled}", self.heat_covariance[self.cooled, self.cooled], "noise of the cooling current"),
                (f"TUR_{self.cooled}", self.tur(self.cooled), "thermodynamic uncertainty, at least 2"),
            ]
        texts = [(name, f"{float(value):.10g}" if jnp.ndim(value) == 0 else f"array{jnp.shape(value)}", why) for name, value, why in rows]
        if jnp.ndim(self.status) == 0:
            texts += [
                ("mode", self.mode, "from the signs"),
                ("status", str(int(self.status)), Status(int(self.status)).message),
            ]
        return texts

    def __repr__(self) -> str:
        if not is_concrete(self):
            return f"OperatingPoint({', '.join(self.names)})"
        return "OperatingPoint (hbar = k_B = 1; currents positive out of a reservoir)\n" + "\n".join(
            f"  {name:<12} {value:>18}   {meaning}" for name, value, meaning in self.rows()
        )

    def _repr_html_(self) -> str:
        cells = "".join(f"<tr><th>{name}</th><td>{value}</td><td>{meaning}</td></tr>" for name, value, meaning in self.rows())
        return f"<table><caption>Operating point (currents positive out of a reservoir)</caption>{cells}</table>"


def operate(system: System, cooled: str | None = None, driven_by: str | None = None) -> OperatingPoint:
    """The stationary operating point of a network or a Lindbladian, or of the steady state of one (`qtd.steady.solve`).

    `cooled` and `driven_by` name the reservoirs whose heat currents make the COP; leave them out for an engine or a conductor.
    Raises `ValueError` where values are known and illegal or the steady state is not unique; in compiled code `status` says so and
    every number of that point is NaN.
    """
    for role, name in (("cooled", cooled), ("driven_by", driven_by)):
        if name is not None and name not in system.reservoirs:
            raise ValueError(f"`{role}` names {name!r}; the reservoirs are {', '.join(map(repr, system.reservoirs))}.")
    validate(system)
    point = _operate(system, cooled, driven_by)
    raise_if_known(point.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return point


@compiled
def _operate(system, cooled, driven_by):
    state = settle_down(system) if isinstance(system, RateNetwork | Lindbladian) else system
    reservoirs, names = state.reservoirs, tuple(state.reservoirs)
    idle = cooled is not None and not all(state.drives(name) for name in names)
    currents = lambda quantity: {name: state.current(name, quantity) for name in names}
    return OperatingPoint(
        heat_currents=currents("heat"),
        energy_currents=currents("energy"),
        particle_currents=currents("particles"),
        device_energy_currents={name: state.device_current(name) for name in names},
        temperatures={name: reservoirs[name].temperature for name in names},  # pyright: ignore[reportAttributeAccessIssue]
        chemical_potentials={name: reservoirs[name].chemical_potential for name in names},
        heat_covariance=covariance(state, "heat"),
        status=first((state.status > 0, state.status), (jnp.asarray(idle), Status.COP_UNDEFINED)),
        names=names,
        cooled=cooled,
        driven_by=driven_by,
    )
