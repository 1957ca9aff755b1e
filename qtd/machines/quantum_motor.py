"""The quantum motor of Bustos-Marun and Calvo: two dots between leads that turn a rotor, or are turned by it (their equation numbers)."""

import enum
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from .. import expansion, rotor
from .._numerics.batching import add
from .._numerics.compilation import compiled
from .._numerics.printing import by_name, readable
from .._numerics.roots import real_roots
from .._numerics.status import Status, first, raise_if_known
from .._numerics.validation import as_real, as_scalar, is_concrete, require, rule, whole
from ..expansion import Coefficients, Cycle, Local, Velocities
from ..expansion.velocities import velocities_of
from ..networks import RateNetwork
from ..parameters import checked
from ..reservoirs import Reservoir
from ..spectral import WideBand
from ..thermodynamics import Law
from ._machine import AbstractMachine, DesignProblem, Survey, around
from ._motor_checks import motor_checks

__all__ = ["Mode", "MotorPoint", "QuantumMotor"]


class QuantumMotor(AbstractMachine):
    r"""Two coupled dots between leads, whose levels a rotor moves around a closed orbit as it turns by the angle theta.

    $$ \epsilon_L = \bar\epsilon_L + \delta\, [a_{L1} \cos\theta + b_{L1} \sin\theta + ...], \qquad \epsilon_R \text{ alike}; \qquad
       E_{b/a} = \tfrac{1}{2} (\epsilon_L + \epsilon_R) \mp \tfrac{1}{2} \sqrt{(\epsilon_L - \epsilon_R)^2 + t_c^2} $$

    Empty, one electron in the bonding or the antibonding orbital, or one in each dot at E_2 = eps_L + eps_R + U; a dot holds no two. Spins
    are summed: levels of 1, 2, 2 and 4 states.

    - `energy_left`, `energy_right`: the orbit's centre; `radius` delta >= 0; `tunnelling` t_c > 0; `repulsion` U.
    - `orbit`: (2, 2, harmonics), [dot, cosine or sine, harmonic - 1]; a circle by default, cos theta for the left and sin theta for the
      right.
    - `left`, `right`: leads, `qtd.Reservoir`s of fermions with `spectral.WideBand(Gamma)`. `others`: `{name: (lead, "left" or "right")}`,
      more leads at one of the dots.

    Rates are those of lowest order: Gamma well below T, and instantaneous: velocity * radius well below T^2.
    Defaults: the paper's orbit of radius 20 at a bias of 2. **Source:** Bustos-Marun and Calvo, Eqs. (52)-(58).

    Its levels at half a turn, empty, bonding, antibonding and doubly occupied, and how they are filled:

    >>> network = qtd.machines.QuantumMotor(radius=20.0).network(jnp.pi)
    >>> print(network.energies.round(2), qtd.steady_state(network).round(4))
    [  0.   -13.04   9.32  16.28] [0. 1. 0. 0.]
    """

    energy_left: Float[Array, ""]
    energy_right: Float[Array, ""]
    radius: Float[Array, ""]
    tunnelling: Float[Array, ""]
    repulsion: Float[Array, ""]
    orbit: Float[Array, "2 2 harmonics"]
    left: Reservoir
    right: Reservoir
    others: dict[str, Reservoir]
    dots: tuple[tuple[str, int], ...] = eqx.field(static=True)

    def __init__(
        self,
        energy_left: ArrayLike | None = None,
        energy_right: ArrayLike | None = None,
        radius: ArrayLike = 20.0,
        tunnelling: ArrayLike = 10.0,
        repulsion: ArrayLike = 20.0,
        left: Reservoir | None = None,
        right: Reservoir | None = None,
        orbit: ArrayLike | None = None,
        others: Mapping[str, tuple[Reservoir, str]] | None = None,
    ):
        self.radius = as_scalar(radius, "radius")
        passing = -6 + self.radius / np.sqrt(2)  # the circle passes through (-6, -6), around the triple point of 0 and 1 electrons
        self.energy_left = passing if energy_left is None else as_scalar(energy_left, "energy_left")
        self.energy_right = passing if energy_right is None else as_scalar(energy_right, "energy_right")
        self.tunnelling, self.repulsion = as_scalar(tunnelling, "tunnelling"), as_scalar(repulsion, "repulsion")
        self.orbit = as_real(np.array([[[1.0], [0.0]], [[0.0], [1.0]]]) if orbit is None else orbit, "orbit")
        self.left = left or Reservoir(1.0, 1.0, "fermi", spectral_density=WideBand(0.25))
        self.right = right or Reservoir(1.0, -1.0, "fermi", spectral_density=WideBand(0.25))
        others = dict(others or {})
        for name, (_, dot) in others.items():
            if name in ("left", "right") or dot not in ("left", "right"):
                raise ValueError(f'`others` must hold {{name: (lead, "left" or "right")}} with new names, got {name!r}: {dot!r}.')
        self.others = {name: lead for name, (lead, _) in others.items()}
        self.dots = (("left", 0), ("right", 1), *((name, int(dot == "right")) for name, (_, dot) in others.items()))

    def __check_init__(self):
        require(self, energy_left="any", energy_right="any", radius="nonnegative", tunnelling="positive", repulsion="any", orbit="any")
        if self.orbit.ndim != 3 or self.orbit.shape[:2] != (2, 2):
            raise ValueError(f"`orbit` must have the shape (2 dots, cosine and sine, harmonics), got {self.orbit.shape}.")
        for name, lead in self.leads.items():
            if lead.statistics != "fermi":
                raise ValueError(f"`{name}` must be a reservoir of fermions, got statistics {lead.statistics!r}.")
        rates = [lead.spectral_density.height for lead in self.leads.values() if isinstance(lead.spectral_density, WideBand)]
        if len(rates) == len(self.leads):
            names = " and ".join(f"`{name}`" for name in self.leads)
            told = f"{names} must not all have a tunnelling rate of 0: no electron gets in; raise a `height`."
            rule(tuple(rates), lambda *x: sum(x) > 0, lambda *x: told)

    @property
    def leads(self) -> dict[str, Reservoir]:
        """All by name."""
        return {"left": self.left, "right": self.right, **self.others}

    def network(self, angle: ArrayLike) -> RateNetwork:
        """Levels and jumps at one `angle`, for `qtd.expansion` and everything that networks can do."""
        angle = as_scalar(angle, "angle")
        turns = angle * jnp.arange(1, self.orbit.shape[2] + 1, dtype=angle.dtype)
        waves = jnp.stack([jnp.cos(turns), jnp.sin(turns)])
        offsets = self.radius * (self.orbit * waves[None]).sum((1, 2))
        left, right = self.energy_left + offsets[0], self.energy_right + offsets[1]
        both, apart = left + right, left - right
        split = jnp.sqrt(apart**2 + self.tunnelling**2)
        # The small one of the two weights (1 -+ D / R) / 2 without cancellation. Not the absolute value, which has no slope at D = 0.
        distance = jnp.where(apart > 0, apart, -apart)
        small = self.tunnelling**2 / (2 * split * (split + distance))
        bonding = jnp.where(apart > 0, small, 1 - small), jnp.where(apart > 0, 1 - small, small)  # on the left and the right dot
        energies = jnp.stack([jnp.zeros_like(both), (both - split) / 2, (both + split) / 2, both + self.repulsion])
        jumps = []
        for name, dot in self.dots:
            here, there = bonding[dot], bonding[1 - dot]
            # A second electron goes to the dot where the first one is not. Strengths are summed over spins.
            strengths = jnp.stack([2 * here, 2 * there, 4 * there, 4 * here])
            jumps.append((name, np.array([0, 0, 1, 2]), np.array([1, 2, 3, 3]), strengths))
        return RateNetwork(energies, jumps, self.leads, particles=[0, 1, 1, 2], degeneracies=[1, 2, 2, 4])

    def systems(self):
        """The network at eight angles."""
        return {f"the angle {angle:.2f}": self.network(angle) for angle in np.arange(8) * np.pi / 4}

    def checks(self, point):
        return motor_checks(self, point)

    @checked
    def local(self, angle: ArrayLike, order: int = 3) -> Local:
        """Populations, torque, currents, friction, inertia and noise at one `angle`, to `order`; see `qtd.expansion.local`."""
        return expansion.local(self.network, angle, order)

    @checked
    def coefficients(self, order: int = 3, panels: int | None = None) -> Coefficients:
        """Integrals over a turn of torque and currents to `order` in the velocity; `panels` as in `qtd.expansion.coefficients`."""
        return expansion.coefficients(self.network, order, panels)

    def work_coefficients(self, order: int = 3) -> Float[Array, " orders"]:
        """C_F^(k), k = 0 ... `order`: the torque integrated over a turn is sum_k C_F^(k) v^k."""
        return self.coefficients(order).torque

    def current_coefficients(self, order: int = 3) -> dict[str, Float[Array, " orders"]]:
        """C_I^(k), k = 0 ... `order`, by lead: particles that leave it, integrated over a turn, by order in the velocity."""
        return self.coefficients(order).particles

    @checked
    def cycle(self, velocity: ArrayLike) -> Cycle:
        """One turn at a constant `velocity`, not 0, exactly; see `qtd.expansion.cycle`."""
        return expansion.cycle(self.network, velocity)

    @checked
    def torque_curve(self, velocities: ArrayLike) -> Cycle:
        """`cycle` at every one of these `velocities`, none 0."""
        return _torque_curve(self, as_real(velocities, "velocities").astype(self.radius.dtype))

    @checked
    def terminal_velocities(self, load: ArrayLike, order: int = 3, exact: bool = False, panels: int | None = None) -> Velocities:
        """Constant velocities at which the torque integrated over a turn is `load` = 2 pi F_ext, for a rotor of large inertia.

        All real roots of the series to `order`, those at which it cannot be believed UNTRUSTED; or, `exact`, of the torque exact in the
        velocity. `panels` (of the series): see `qtd.expansion.steady_velocities`, and `exact_velocities`. WEAK_TUNNELLING where t_c < 5
        (Gamma_L + Gamma_R).
        """
        series = expansion.steady_velocities
        found = expansion.exact_velocities(self.network, load) if exact else series(self.network, load, order, panels)
        weak = jnp.where(jnp.isnan(found.values), 0, self._validity())
        return eqx.tree_at(lambda x: x.status, found, jnp.where(found.status == 0, weak, found.status))

    @checked
    def operate(self, load: ArrayLike | None = None, order: int = 3, exact: bool = False, panels: int | None = None) -> "MotorPoint":
        """What the motor does at its slowest stable steady velocity under `load` (None: half of the torque at rest, as in Fig. 2(a)).

        Currents by the series to one order more than the torque, so that each order conserves energy; or, `exact`, all of it to all orders
        in the velocity. NaN where there is no stable velocity. `order` >= 1; `panels` as in `coefficients`. **Source:** Eqs. (45)-(47).
        """
        whole(order, "order", 1)
        found = _operate(self, None if load is None else as_scalar(load, "load").astype(self.radius.dtype), order, exact, panels)
        raise_if_known(found.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
        return found

    @checked
    def pumping_onset(self, order: int = 1, of: str = "charge", panels: int | None = None) -> Float[Array, ""]:
        """The load at which the motor, turned backwards, starts to pump charge against its bias, or `of` "heat" out of the coldest lead.

        There what flows per turn vanishes: the torque at the slowest velocity at which the series of the current, to one order more than
        the torque (`order`), is 0; `panels` as in `coefficients`. NaN where there is none: then it never pumps. **Source:** Eqs. (74),
        (77).
        """
        whole(order, "order", 1)
        if of not in ("charge", "heat"):
            raise ValueError(f'`of` must be "charge" or "heat", got {of!r}.')
        return _pumping_onset(self, order, of, panels)

    @checked
    def spin_up(
        self, velocity: ArrayLike, inertia: ArrayLike, load: ArrayLike = 0.0, cycles: int = 100, order: int = 3, **options
    ) -> rotor.SpinUp:
        """Turns of a rotor of this `inertia` from `velocity`, or from each of several, until it stands still: `qtd.rotor.spin_up`, also for
        `load`, `cycles`, `order` and its other `options`."""
        return rotor.spin_up(self.network, velocity, inertia, load, cycles, order, **options)

    @checked
    def langevin(
        self, velocity: ArrayLike, inertia: ArrayLike, times: ArrayLike, key: PRNGKeyArray, load: ArrayLike = 0.0, **options
    ) -> rotor.Trajectory:
        """A trajectory of the rotor with the electrons' torque noise from `velocity`: see `qtd.rotor.langevin`, also for `inertia`,
        `times`, `key`, `load` and its other `options`."""
        return rotor.langevin(self.network, velocity, inertia, times, key, load, **options)

    def design_problem(self) -> DesignProblem:
        """The largest power at half of the torque at rest, at an efficiency of 0.3 or more."""
        over = {"radius": (5.0, 40.0), "tunnelling": (5.0, 20.0), "energy_left": (-10.0, 20.0), "energy_right": (-10.0, 20.0)}
        return DesignProblem(self, "power", over, {"efficiency": (0.3, None)}, starts=8, steps=100)

    def survey(self) -> Survey:
        """The power at half of the torque at rest, over the bias and the size of the orbit."""
        return Survey("power", around(self, "left.chemical_potential", "radius"))

    def _validity(self):
        """WEAK_TUNNELLING where the orbitals are not well apart compared with their widths."""
        rates = add(lead.spectral_density(energy) for lead, energy in ((self.left, self.energy_left), (self.right, self.energy_right)))
        return first((self.tunnelling < 5 * rates, Status.WEAK_TUNNELLING))


class Mode(enum.IntEnum):
    """What a motor does, from the signs of its powers."""

    MOTOR = 0  # a bias turns the load
    HEAT_ENGINE = 1  # a temperature difference turns it
    CHARGE_PUMP = 2  # the load pushes electrons against the bias
    REFRIGERATOR = 3  # the load takes heat out of the coldest lead
    FRUSTRATED = 4  # the load turns the rotor backwards, but electrons and heat still run down
    NOTHING = 5  # no stable steady velocity

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
        ground = self.chemical_potentials[self.names[0]]  # no rounding at equal potentials, whose sign would tell a mode
        return add((self.chemical_potentials[name] - ground) * self.particle_currents[name] for name in self.names)

    @property
    def entropy_production(self) -> Float[Array, ""]:
        """-sum_r J_r / T_r, >= 0 for the exact cycle."""
        return -add(self.heat_currents[name] / self.temperatures[name] for name in self.names)

    @property
    def mode_code(self) -> Int[Array, ""]:
        """`Mode` as an integer array."""
        _, cold, differ = self._extremes()
        turns = [self.power > 0, self.electric_power < 0, differ & (cold > 0)]
        driven = jnp.where(self.electric_power > 0, int(Mode.MOTOR), int(Mode.HEAT_ENGINE))
        found = jnp.select(turns, [driven, int(Mode.CHARGE_PUMP), int(Mode.REFRIGERATOR)], int(Mode.FRUSTRATED))
        return jnp.where(jnp.isnan(self.velocity), int(Mode.NOTHING), found)

    @property
    def mode(self) -> str:
        """What the motor does, in words, at one known point."""
        return str(Mode(int(self.mode_code)))

    @property
    def efficiency(self) -> Float[Array, ""]:
        """Of a motor power / electric power, of a charge pump its inverse, of a heat engine power / heat of the hottest lead, of a
        refrigerator the COP, heat of the coldest lead / -power; NaN otherwise."""
        return self._of_mode(
            lambda hot, cold: (self.power / self.electric_power, self.power / hot, self.electric_power / self.power, -cold / self.power)
        )

    @property
    def carnot_efficiency(self) -> Float[Array, ""]:
        """The bound on `efficiency`: 1 for motor and pump, 1 - T_c / T_h, or T_c / (T_h - T_c). Guaranteed for the exact cycle of a motor
        whose leads differ in temperature or in chemical potential, not in both."""
        values = jnp.stack([self.temperatures[name] for name in self.names])
        low, high = values.min(0), values.max(0)
        return self._of_mode(lambda hot, cold: (jnp.ones_like(low), 1 - low / high, jnp.ones_like(low), low / (high - low)))

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

    def _of_mode(self, figures):
        hot, cold, _ = self._extremes()
        return jnp.select([self.mode_code == k for k in range(4)], list(figures(hot, cold)), jnp.nan)

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


@compiled
def _torque_curve(motor, velocities):
    return jax.lax.map(motor.cycle, velocities, batch_size=8)


@compiled
def _pumping_onset(motor, order, of, panels):
    series = motor.coefficients(order + 1, panels)
    if of == "charge":
        current = add(lead.chemical_potential * series.particles[name] for name, lead in motor.leads.items())
    else:
        temperatures = jnp.stack([lead.temperature for lead in motor.leads.values()])
        current = jnp.stack([series.heat[name] for name in motor.leads])[jnp.argmin(temperatures)]
    velocities = real_roots(current)
    velocity = velocities[jnp.nanargmin(jnp.abs(velocities))]
    return add(c * velocity**k for k, c in enumerate(series.torque[: order + 1]))


@compiled
def _operate(motor, load, order, exact, panels):
    series = motor.coefficients(order + 2, panels)
    load = series.torque[0] / 2 if load is None else load
    if exact:
        velocity, omitted, status = motor.terminal_velocities(load, exact=True).slowest
        turn = motor.cycle(jnp.where(jnp.isnan(velocity), 1.0, velocity))
        particles, energy, heat = turn.particles, turn.energy, turn.heat
    else:
        velocity, omitted, status = velocities_of(series, load, order).slowest
        powers = jnp.stack([velocity**k for k in range(order + 2)])
        at = lambda coefficients: {name: (c[: order + 2] * powers).sum() for name, c in coefficients.items()}
        particles, energy, heat = at(series.particles), at(series.energy), at(series.heat)
    per_time = lambda x: {name: jnp.where(jnp.isnan(velocity), jnp.nan, value / (2 * jnp.pi)) for name, value in x.items()}
    return MotorPoint(
        velocity=velocity,
        power=load * velocity / (2 * jnp.pi),
        particle_currents=per_time(particles),
        energy_currents=per_time(energy),
        heat_currents=per_time(heat),
        temperatures={name: lead.temperature for name, lead in motor.leads.items()},
        chemical_potentials={name: lead.chemical_potential for name, lead in motor.leads.items()},
        omitted=omitted,
        status=jnp.where(status == 0, motor._validity(), status),
        names=tuple(name for name, _ in motor.dots),
    )
