"""The quantum motor of Bustos-Marun and Calvo: two dots between leads that turn a rotor, or are
turned by it (their equation numbers)."""

import functools
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from .. import expansion, rotor
from .._numerics.batching import add
from .._numerics.compilation import compiled, optimised
from .._numerics.modules import parameter
from .._numerics.roots import roots_or_infinity
from .._numerics.validation import as_real, as_scalar, missing, rule, whole
from ..expansion import Coefficients, Cycle, Local, Velocities
from ..expansion.velocities import velocities_of
from ..networks import RateNetwork
from ..parameters import checked
from ..reservoirs import Reservoir
from ..spectral import WideBand
from ..status import Status, first, raise_if_known
from ..systems.base import TEMPERATURE
from ._machine import VALID, AbstractMachine, DesignProblem, Survey, around
from ._motor_checks import motor_checks
from ._motor_point import Mode, MotorPoint

__all__ = ["Mode", "MotorPoint", "QuantumMotor"]


class QuantumMotor(AbstractMachine):
    r"""Two coupled dots between leads, whose levels a rotor moves around a closed orbit as it turns
    by the angle theta.

    $$ \epsilon_L = \bar\epsilon_L + \delta\, [a_{L1} \cos\theta + b_{L1} \sin\theta + ...], \qquad
       \epsilon_R \text{ alike}; \qquad
       E_{b/a} = \tfrac{1}{2} (\epsilon_L + \epsilon_R) \mp \tfrac{1}{2} \sqrt{(\epsilon_L -
       \epsilon_R)^2 + t_c^2} $$

    Empty, one electron in the bonding or the antibonding orbital, or one in each dot at E_2 = eps_L
    + eps_R + U; a dot holds no two. Spins are summed: levels of 1, 2, 2 and 4 states.

    - `energy_left`, `energy_right`: the orbit's centre; `radius` delta >= 0; `tunnelling` t_c > 0;
      `repulsion` U.
    - `orbit`: (2, 2, harmonics), [dot, cosine or sine, harmonic - 1]; a circle by default, cos
      theta for the left and sin theta for the right.
    - `left`, `right`: leads, `qtd.Reservoir`s of fermions with `spectral.WideBand(Gamma)`.
      `others`: `{name: (lead, "left" or "right")}`, more leads at one of the dots.

    Rates are those of lowest order: Gamma well below T, and instantaneous: velocity * radius well
    below T^2. Defaults: the paper's orbit of radius 20 at a bias of 2. **Source:** Bustos-Marun and
    Calvo, Eqs. (52)-(58).

    Its levels at half a turn, empty, bonding, antibonding and doubly occupied, and how they are
    filled:

    >>> network = qtd.machines.QuantumMotor(radius=20.0).network(jnp.pi)
    >>> print(network.energies.round(2), qtd.steady_state(network).round(4))
    [  0.   -13.04   9.32  16.28] [0. 1. 0. 0.]
    """

    energy_left: Float[Array, ""] = parameter("any", "E")
    energy_right: Float[Array, ""] = parameter("any", "E")
    radius: Float[Array, ""] = parameter("nonnegative", "E")
    tunnelling: Float[Array, ""] = parameter("positive", "E")
    repulsion: Float[Array, ""] = parameter("any", "E")
    orbit: Float[Array, "2 2 harmonics"] = parameter("any", "1")
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
        # The circle passes through (-6, -6), around the triple point of 0 and 1 electrons.
        passing = -6 + self.radius / np.sqrt(2)
        self.energy_left = passing if energy_left is None else as_scalar(energy_left, "energy_left")
        self.energy_right = (
            passing if energy_right is None else as_scalar(energy_right, "energy_right")
        )
        self.tunnelling = as_scalar(tunnelling, "tunnelling")
        self.repulsion = as_scalar(repulsion, "repulsion")
        self.orbit = as_real(
            np.array([[[1.0], [0.0]], [[0.0], [1.0]]]) if orbit is None else orbit, "orbit"
        )
        self.left = left or Reservoir(1.0, 1.0, "fermi", spectral_density=WideBand(0.25))
        self.right = right or Reservoir(1.0, -1.0, "fermi", spectral_density=WideBand(0.25))
        others = dict(others or {})
        for name, (_, dot) in others.items():
            if name in ("left", "right") or dot not in ("left", "right"):
                raise ValueError(
                    '`others` must hold {name: (lead, "left" or "right")} with new names, got'
                    f" {name!r}: {dot!r}."
                )
        self.others = {name: lead for name, (lead, _) in others.items()}
        self.dots = (
            ("left", 0),
            ("right", 1),
            *((name, int(dot == "right")) for name, (_, dot) in others.items()),
        )

    def rules(self) -> None:
        if self.orbit.ndim != 3 or self.orbit.shape[:2] != (2, 2):
            raise ValueError(
                "`orbit` must have the shape (2 dots, cosine and sine, harmonics), got"
                f" {self.orbit.shape}."
            )
        for name, lead in self.leads.items():
            if lead.statistics != "fermi":
                raise ValueError(
                    f"`{name}` must be a reservoir of fermions, got statistics {lead.statistics!r}."
                )
        rates = [
            lead.spectral_density.height
            for lead in self.leads.values()
            if isinstance(lead.spectral_density, WideBand)
        ]
        if len(rates) == len(self.leads):
            names = " and ".join(f"`{name}`" for name in self.leads)
            told = (
                f"{names} must not all have a tunnelling rate of 0: no electron gets in; raise a"
                " `height`."
            )
            rule(tuple(rates), lambda *x: sum(x) > 0, lambda *x: told)

    @property
    def leads(self) -> dict[str, Reservoir]:
        """All by name."""
        return {"left": self.left, "right": self.right, **self.others}

    def network(self, angle: ArrayLike) -> RateNetwork:
        """Levels and jumps at one `angle`, for `qtd.expansion` and everything that networks can
        do."""
        angle = as_scalar(angle, "angle")
        turns = [harmonic * angle for harmonic in range(1, self.orbit.shape[2] + 1)]
        waves = [[wave(x) for x in turns] for wave in (jnp.cos, jnp.sin)]

        def offset(orbit):
            terms = [orbit[i, k] * x for i, wave in enumerate(waves) for k, x in enumerate(wave)]
            return self.radius * add(terms)  # written out, as sums over such axes are slow

        offsets = [offset(dot) for dot in self.orbit]
        left, right = self.energy_left + offsets[0], self.energy_right + offsets[1]
        both, apart = left + right, left - right
        split = jnp.sqrt(apart**2 + self.tunnelling**2)
        # The small one of the two weights (1 -+ D / R) / 2 without cancellation. Not the absolute
        # value, which has no slope at D = 0.
        distance = jnp.where(apart > 0, apart, -apart)
        small = self.tunnelling**2 / (2 * split * (split + distance))
        # On the left and the right dot.
        bonding = (
            jnp.where(apart > 0, small, 1 - small),
            jnp.where(apart > 0, 1 - small, small),
        )
        energies = jnp.stack(
            [jnp.zeros_like(both), (both - split) / 2, (both + split) / 2, both + self.repulsion]
        )
        jumps = []
        for name, dot in self.dots:
            here, there = bonding[dot], bonding[1 - dot]
            # A second electron goes to the dot where the first one is not. Strengths are summed
            # over spins.
            strengths = jnp.stack([2 * here, 2 * there, 4 * there, 4 * here])
            jumps.append((name, np.array([0, 0, 1, 2]), np.array([1, 2, 3, 3]), strengths))
        return RateNetwork(
            energies, jumps, self.leads, particles=[0, 1, 1, 2], degeneracies=[1, 2, 2, 4]
        )

    def systems(self):
        """The network at eight angles."""
        return {f"the angle {angle:.2f}": self.network(angle) for angle in np.arange(8) * np.pi / 4}

    def checks(self, point):
        return motor_checks(self, point)

    @checked
    def local(self, angle: ArrayLike, order: int = 3) -> Local:
        """Populations, torque, currents, friction, inertia and noise at one `angle`, to `order`;
        see `qtd.expansion.local`."""
        return expansion.local(self.network, angle, order)

    @checked
    def coefficients(
        self, order: int = 3, panels: int | None = None, angles: int | None = None
    ) -> Coefficients:
        """Integrals over a turn of torque and currents to `order` in the velocity; `panels` and
        `angles` as in `qtd.expansion.coefficients`."""
        return expansion.coefficients(self.network, order, panels, angles)

    def work_coefficients(self, order: int = 3) -> Float[Array, " orders"]:
        """C_F^(k), k = 0 ... `order`: the torque integrated over a turn is sum_k C_F^(k) v^k."""
        return self.coefficients(order).torque

    def current_coefficients(self, order: int = 3) -> dict[str, Float[Array, " orders"]]:
        """C_I^(k), k = 0 ... `order`, by lead: particles that leave it, integrated over a turn, by
        order in the velocity."""
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
    def terminal_velocities(
        self, load: ArrayLike, order: int = 3, exact: bool = False, panels: int | None = None
    ) -> Velocities:
        """Constant velocities at which the torque integrated over a turn is `load` = 2 pi F_ext,
        for a rotor of large inertia.

        All real roots of the series to `order`, those at which it cannot be believed UNTRUSTED; or,
        `exact`, of the torque exact in the velocity. `panels` (of the series): see
        `qtd.expansion.steady_velocities`, and `exact_velocities`. WEAK_TUNNELLING where t_c < 5
        (Gamma_L + Gamma_R).
        """
        series = expansion.steady_velocities
        found = (
            expansion.exact_velocities(self.network, load)
            if exact
            else series(self.network, load, order, panels)
        )
        weak = jnp.where(jnp.isnan(found.values), 0, self._validity())
        return eqx.tree_at(
            lambda x: x.status, found, jnp.where(found.status == 0, weak, found.status)
        )

    @checked
    def operate(
        self,
        load: ArrayLike | None = None,
        order: int = 3,
        exact: bool = False,
        panels: int | None = None,
        angles: int | None = None,
    ) -> "MotorPoint":
        """What the motor does at its slowest stable steady velocity under `load` (None: half of the
        torque at rest, as in Fig. 2(a)).

        Currents by the series to one order more than the torque, so that each order conserves
        energy; or, `exact`, all of it to all orders in the velocity. NaN where there is no stable
        velocity. `order` >= 1; `panels` and `angles` as in `coefficients`. UNTRUSTED, as in
        `qtd.expansion.Velocities`, and where the currents would produce less entropy than nothing,
        which no turn does: then their series has not converged. **Source:** Eqs. (45)-(47).
        """
        whole(order, "order", 1)
        found = _operate(
            self,
            None if load is None else as_scalar(load, "load").astype(self.radius.dtype),
            order,
            exact,
            panels,
            angles,
        )
        raise_if_known(found.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
        return found

    @checked
    def pumping_onset(
        self, order: int = 1, of: str = "charge", panels: int | None = None
    ) -> Float[Array, ""]:
        """The load at which the motor, turned backwards, starts to pump charge against its bias, or
        `of` "heat" out of the coldest lead.

        There what flows per turn vanishes: the torque at the slowest velocity at which the series
        of the current, to one order more than the torque (`order`), is 0; `panels` as in
        `coefficients`. NaN where there is none: then it never pumps, as with one lead alone, of
        which the others are closed; and where the coefficients have a status. **Source:** Eqs.
        (74), (77).
        """
        whole(order, "order", 1)
        if of not in ("charge", "heat"):
            raise ValueError(f'`of` must be "charge" or "heat", got {of!r}.')
        return _pumping_onset(self, order, of, panels)

    @checked
    def spin_up(
        self,
        velocity: ArrayLike,
        inertia: ArrayLike,
        load: ArrayLike = 0.0,
        cycles: int = 100,
        order: int = 3,
        **options,
    ) -> rotor.SpinUp:
        """Turns of a rotor of this `inertia` from `velocity`, or from each of several, until it
        stands still: `qtd.rotor.spin_up`, also for `load`, `cycles`, `order` and its other
        `options`."""
        return rotor.spin_up(self.network, velocity, inertia, load, cycles, order, **options)

    @checked
    def langevin(
        self,
        velocity: ArrayLike,
        inertia: ArrayLike,
        times: ArrayLike,
        key: PRNGKeyArray,
        load: ArrayLike = 0.0,
        **options,
    ) -> rotor.Trajectory:
        """A trajectory of the rotor with the electrons' torque noise from `velocity`: see
        `qtd.rotor.langevin`, also for `inertia`, `times`, `key`, `load` and its other `options`."""
        return rotor.langevin(self.network, velocity, inertia, times, key, load, **options)

    def design_problem(self) -> DesignProblem:
        """The largest power at half of the torque at rest, at an efficiency of 0.3 or more, over
        the orbit, the tunnelling and the rates of the leads, where rates and velocity are small
        (`VALID`)."""
        over = {
            "radius": (5.0, 40.0),
            "tunnelling": (5.0, 20.0),
            "energy_left": (-10.0, 20.0),
            "energy_right": (-10.0, 20.0),
            "left.spectral_density.height": (0.005, 0.5),
            "right.spectral_density.height": (0.005, 0.5),
        }
        limits = {"efficiency": (0.3, None), **VALID}
        return DesignProblem(self, "power", over, limits, starts=8, steps=100)

    def survey(self) -> Survey:
        """The power at half of the torque at rest, over the bias and the size of the orbit."""
        return Survey("power", around(self, "left.chemical_potential", "radius"))

    def _validity(self):
        """WEAK_TUNNELLING where the orbitals are not well apart compared with their widths."""
        rates = add(
            lead.spectral_density(energy)
            for lead, energy in ((self.left, self.energy_left), (self.right, self.energy_right))
        )
        return first((self.tunnelling < 5 * rates, Status.WEAK_TUNNELLING))


@optimised
def _torque_curve(motor, velocities):
    return jax.lax.map(motor.cycle, velocities, batch_size=8)


@compiled
def _pumping_onset(motor, order, of, panels):
    series = motor.coefficients(order + 1, panels)
    if of == "charge":
        # From the potential of the strongest lead on, whose current the others know better:
        # rounding has no sign that would tell an onset.
        potentials = jnp.stack([lead.chemical_potential for lead in motor.leads.values()])
        dots = motor.energy_left, motor.energy_right
        strengths = jnp.stack(
            [
                lead.spectral_density(dots[dot])
                for lead, (_, dot) in zip(motor.leads.values(), motor.dots)
            ]
        )
        ground = potentials[jnp.argmax(lax.stop_gradient(strengths))]
        current = add(
            (lead.chemical_potential - ground) * series.particles[name]
            for name, lead in motor.leads.items()
        )
    else:
        temperatures = jnp.stack([lead.temperature for lead in motor.leads.values()])
        current = jnp.stack([series.heat[name] for name in motor.leads])[jnp.argmin(temperatures)]
    velocities = roots_or_infinity(current)
    slowest = velocities[jnp.argmin(jnp.abs(velocities))]
    # Between a lead and itself nothing is pumped: what flows in a turn is rounding.
    open_leads = add(jnp.any(lax.stop_gradient(x) != 0).astype(int) for x in series.energy.values())
    velocity = missing((series.status > 0) | (open_leads < 2) | jnp.isinf(slowest), slowest)
    return add(c * velocity**k for k, c in enumerate(series.torque[: order + 1]))


@compiled
def _operate(motor, load, order, exact, panels, angles):
    series = motor.coefficients(order + 2, panels, angles)
    load = series.torque[0] / 2 if load is None else load
    if exact:
        velocity, omitted, status = motor.terminal_velocities(load, exact=True).slowest
        turn = motor.cycle(jnp.where(jnp.isnan(velocity), 1.0, velocity))
        particles = turn.particles
        energy = turn.energy
        heat = turn.heat
    else:
        velocity, omitted, status = velocities_of(series, load, order).slowest
        powers = jnp.stack([velocity**k for k in range(order + 2)])

        def at(coefficients):
            return {name: (c[: order + 2] * powers).sum() for name, c in coefficients.items()}

        particles = at(series.particles)
        energy = at(series.energy)
        heat = at(series.heat)

    def per_time(x):
        return {
            name: missing(jnp.isnan(velocity), value / (2 * jnp.pi)) for name, value in x.items()
        }

    point = MotorPoint(
        velocity=velocity,
        power=load * velocity / (2 * jnp.pi),
        particle_currents=per_time(particles),
        energy_currents=per_time(energy),
        heat_currents=per_time(heat),
        temperatures={name: lead.temperature for name, lead in motor.leads.items()},
        chemical_potentials={name: lead.chemical_potential for name, lead in motor.leads.items()},
        omitted=omitted,
        rates_over=_rates_over(motor, velocity),
        status=status,
        names=tuple(name for name, _ in motor.dots),
    )
    gross = add(
        jnp.abs(point.heat_currents[name] / point.temperatures[name]) for name in point.names
    )
    impossible = point.entropy_production < -1e-9 * gross
    status = first(
        (status > 0, status), (impossible, Status.UNTRUSTED), (jnp.asarray(True), motor._validity())
    )
    return eqx.tree_at(lambda point: point.status, point, status)


def _rates_over(motor, velocity):
    """What the expansion in rates and in the velocity asks to be small: the rates of all leads over
    the temperature of each, and over the splitting of the dots; and how far the rotor moves the
    levels, in temperatures, within the time 1 / T, of which the square counts."""
    dots = motor.energy_left, motor.energy_right
    rates = add(
        lead.spectral_density(dots[dot]) for lead, (_, dot) in zip(motor.leads.values(), motor.dots)
    )
    temperatures = {name: lead.temperature for name, lead in motor.leads.items()}
    found = {(name, TEMPERATURE): rates / t for name, t in temperatures.items()}
    found["leads", "the tunnelling between the dots"] = rates / motor.tunnelling
    moved = velocity * motor.radius / functools.reduce(jnp.minimum, temperatures.values()) ** 2
    found["rotor", "the square of the temperature"] = moved**2
    return found
