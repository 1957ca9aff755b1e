"""The quantum motor in the numbers of its paper: coefficients by order, what Eqs. (60)-(77) make of
them, exact turns, and turns of a rotor of finite inertia.

The paper counts charge and heat that enter the leads, Q_I and Q_J; the library's coefficients, and
`Series`, what leaves them.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from ...machines import QuantumMotor
from ...reservoirs import Reservoir
from ...spectral import WideBand
from .._blocks import in_blocks, root

__all__ = [
    "BISTABLE",
    "DIFFERENCE",
    "LOADS",
    "RADII",
    "Flywheel",
    "Performance",
    "Series",
    "Turns",
    "bistable_load",
    "bistable_torque",
    "exact_turn",
    "exact_velocities",
    "motor",
    "per_turn",
    "performance",
    "series",
    "series_at",
    "settled",
    "steady_velocities",
    "steady_velocity",
    "works",
]

RADII = (10.0, 20.0, 50.0, 100.0)
DIFFERENCE = 0.5  # of the temperatures of Figs. 4(b) and 6; they are 1.25 and 0.75
BISTABLE = 10.0, 15.42  # radius and bias of Fig. 2(c)
LOADS = np.linspace(-12, 12, 24000)  # over C_F^(0); neither 0 nor 1


def motor(radius: Any, bias: Any, difference: Any = 0.0, repulsion: Any = 20.0) -> QuantumMotor:
    """The paper's device by the `radius` of its orbit: mean temperature 1, potentials +- `bias` /
    2, temperatures 1 +- `difference` / 2, Coulomb `repulsion`."""
    band = WideBand(0.25)
    left = Reservoir(1 + difference / 2, bias / 2, "fermi", spectral_density=band)
    right = Reservoir(1 - difference / 2, -bias / 2, "fermi", spectral_density=band)
    return QuantumMotor(radius=radius, repulsion=repulsion, left=left, right=right)


class Series(NamedTuple):
    """Coefficients C^(k), k = 0 ... 5 on the last axis.

    `torque`: of the torque; `left`, `right`: of particles out of the leads; `hot`, `cold`: of heat
    out of the left lead and out of the right one.
    """

    torque: Any
    left: Any
    right: Any
    hot: Any
    cold: Any

    @property
    def charge(self) -> np.ndarray:
        """Coefficients of the charge from left to right."""
        return (self.left - self.right) / 2


@functools.partial(in_blocks, size=1)
def _coefficients(radius, bias, difference, repulsion):
    found = motor(radius, bias, difference, repulsion).coefficients(5, panels=192)
    return Series(found.torque, *found.particles.values(), *found.heat.values())


def series(radius: Any, bias: Any, difference: Any = 0.0, repulsion: Any = 20.0) -> Series:
    """Coefficients of the motor with each `radius`, `bias`, `difference` and `repulsion`."""
    return _coefficients(radius, bias, difference, repulsion)


@functools.cache
def series_at(
    radius: float, bias: float, difference: float = 0.0, repulsion: float = 20.0
) -> Series:
    """Coefficients of the motor with one `radius`, `bias`, `difference` and `repulsion`."""
    return series(radius, bias, difference, repulsion)


def bistable_torque(repulsion: float) -> np.ndarray:
    """Coefficients of the torque of Fig. 2(c) by the `repulsion`."""
    return series_at(*BISTABLE, repulsion=repulsion).torque


def bistable_load(repulsion: float) -> float:
    """The load of Fig. 2(c), C_F^(0) + 0.05, by the `repulsion`."""
    return float(bistable_torque(repulsion)[0]) + 0.05


def works(torque: np.ndarray, radius: Any) -> np.ndarray:
    """Works C_F^(k) Omega_x^k of Fig. 3, k = 0 ... 3, by the coefficients of the `torque` and the
    `radius`, at its reference velocity Omega_x = T Gamma / (2 radius)."""
    return torque[..., :4] * (0.25 / np.asarray(radius)[..., None]) ** np.arange(4)


def steady_velocity(torque: np.ndarray, x: Any, order: int) -> np.ndarray:
    """The stable velocity under the load `x` C_F^(0), by the coefficients of the `torque` to the
    `order` 1, Eq. (62), or 2, Eq. (63); NaN where it is complex."""
    if order == 1:
        return (np.asarray(x) - 1) * torque[0] / torque[1]
    middle = -torque[1] / (2 * torque[2])
    square = middle**2 + (np.asarray(x) - 1) * torque[0] / torque[2]
    return middle - np.sign(torque[2]) * np.sqrt(np.where(square < 0, np.nan, square))


def steady_velocities(torque: np.ndarray, load: float, order: int) -> tuple[np.ndarray, np.ndarray]:
    """All real solutions of Eq. (60) under a `load`, by the coefficients of the `torque` up to this
    `order`, rising, and whether they are stable, Eq. (61)."""
    polynomial = np.polynomial.Polynomial(torque[: order + 1]) - load
    roots = polynomial.roots()
    values = np.sort(roots[np.abs(roots.imag) < 1e-9 * np.abs(roots)].real)
    return values, polynomial.deriv()(values) < 0


def per_turn(coefficients: np.ndarray, velocity: np.ndarray, order: int) -> np.ndarray:
    """Charge or heat that leaves the leads in a turn at a `velocity`, by its `coefficients`:
    Q^(k) = sign(v) C^(k) v^(k - 1), of orders k up to one more than the `order` of the torque."""
    sense = np.sign(velocity)
    return np.stack([sense * coefficients[k] * velocity ** (k - 1) for k in range(order + 2)])


class Performance(NamedTuple):
    """Velocity and efficiency of a motor under each load.

    `velocity`; `share`: its efficiency over Carnot's bound, Eqs. (72)-(77), NaN where there is
    none; `drives`, `pumps`: whether it is a motor, and whether it is a pump.
    """

    velocity: np.ndarray
    share: np.ndarray
    drives: np.ndarray
    pumps: np.ndarray


def performance(
    known: Series, x: np.ndarray, order: int, bias: float = 0.0, difference: float = 0.0
) -> Performance:
    """Velocity and efficiency under the loads `x` C_F^(0), by `known` coefficients to an `order`.

    A motor or charge pump at a `bias`, a heat engine or refrigerator at a `difference` of
    temperatures.
    """
    velocity = steady_velocity(known.torque, x, order)
    work = np.sign(velocity) * x * known.torque[0]
    if bias:
        supplied = bias * per_turn(known.charge, velocity, order).sum(0)
        gained = supplied
        carnot = 1.0
        bound = 1.0
    else:
        hot = 1 + difference / 2
        cold = 1 - difference / 2
        supplied = per_turn(known.hot, velocity, order).sum(0)
        gained = -per_turn(known.cold, velocity, order).sum(0)
        carnot = 1 - cold / hot
        bound = cold / (hot - cold)
    drives = work > 0
    pumps = (work < 0) & (gained < 0)
    pumped = np.where(pumps, gained / work / bound, np.nan)
    share = np.where(drives, work / supplied / carnot, pumped)
    return Performance(velocity, share, drives, pumps)


@functools.partial(in_blocks, size=16)
def exact_turn(velocity: Any, radius: Any, bias: Any, repulsion: Any) -> tuple[Any, Any]:
    """Torque, and charge from left to right, integrated over a turn and exact in the `velocity`, by
    `radius`, `bias` and `repulsion`."""
    turn = motor(radius, bias, repulsion=repulsion).cycle(velocity)
    return turn.torque, (turn.particles["left"] - turn.particles["right"]) / 2


@functools.cache
def exact_velocities(repulsion: float) -> tuple[np.ndarray, np.ndarray]:
    """Velocities between -0.12 and 0.06 at which the exact torque of Fig. 2(c) is its load, rising,
    and whether they are stable, by the `repulsion`."""

    def excess(velocities):
        torque, _ = exact_turn(velocities, *BISTABLE, repulsion)
        return torque - bistable_load(repulsion)

    coarse = np.linspace(-0.12, 0.06, 128)
    (before,) = np.nonzero(np.diff(np.sign(excess(coarse))))
    fine = np.linspace(coarse[before], coarse[before + 1], 16, axis=1)
    values = []
    stable = []
    for velocities, net in zip(fine, excess(fine)):
        curve = CubicSpline(velocities, net)
        velocity = curve.roots(extrapolate=False)[0]
        values.append(velocity)
        stable.append(curve(velocity, 1) < 0)
    return np.array(values), np.array(stable)


class Turns(NamedTuple):
    """The turns of a rotor.

    `velocities`: before every turn; `means`: within it, 0 in one that it does not finish;
    `stopped`: whether it stopped.
    """

    velocities: np.ndarray
    means: np.ndarray
    stopped: bool


class Flywheel:
    """A rotor of finite inertia on the paper's device, at velocities of one sign, with the torque
    to third order.

    After a turn it is at the angle where it was: one turn from each of many velocities says how it
    goes on from any of them, so that turns cost nothing, however many it takes to relax.

    `device`, `load` and moment of `inertia`; velocities from the `slowest` to the `fastest`.
    """

    def __init__(
        self, device: QuantumMotor, load: float, inertia: float, slowest: float, fastest: float
    ):
        def spin(before):
            return device.spin_up(before, inertia, load, cycles=1, order=3, panels=192)

        coarse = np.geomspace(slowest, fastest, 512)
        stops = int(np.sum(np.asarray(spin(coarse).velocities)[:, -1] == 0))
        # Which velocity is just enough for a turn decides in which turn the rotor stops: half of
        # the points go there.
        close = np.linspace(coarse[max(stops - 1, 0)], coarse[stops + 1], 256)
        before = np.concatenate([close, np.geomspace(coarse[stops + 1], fastest, 257)[1:]])
        spun = spin(before)
        after = np.asarray(spun.velocities)[:, -1]
        means = np.asarray(spun.mean_velocities)[:, 0]
        turning = after != 0
        self.sign = np.sign(fastest)
        self.least = before[turning][0] ** 2
        energies = before[turning] ** 2
        self._gain = CubicSpline(energies, after[turning] ** 2 - energies)
        self._mean = CubicSpline(energies, means[turning])

    def turns(self, velocity: float, count: int) -> Turns:
        """Turns from this `velocity`, at most `count`."""
        energies = [velocity**2]
        while energies[-1] >= self.least and len(energies) < count:
            energies.append(energies[-1] + float(self._gain(energies[-1])))
        path = np.array(energies)
        finished = path >= self.least
        means = np.where(finished, self._mean(path), 0.0)
        return Turns(self.sign * np.sqrt(path), means, not finished[-1])


@functools.partial(in_blocks, size=1024)
def _torque(angle, radius, bias):
    return motor(radius, bias).local(angle, order=1).torque


def settled(radius: float, bias: float, load: float, inertia: float) -> tuple[float, float]:
    """Mean velocity, and the difference between the largest and the smallest over it, of a rotor
    that turns periodically, by `radius`, `bias`, `load` and moment of `inertia`.

    With the torque to first order: v(theta)^2 = c + (2 / I) int (F^(0) + F^(1) v - F_ext) dtheta,
    whose integral over a turn vanishes.
    """
    angles = np.linspace(0, 2 * np.pi, 4096, endpoint=False)
    push, drag = _torque(angles, radius, bias).T

    def excess(speeds):
        return np.mean(push + drag * speeds) - load / (2 * np.pi)

    def excess_above(energy, least):
        return excess(np.sqrt(least + energy))

    velocity = np.full_like(push, load / (2 * np.pi) - push.mean()) / drag.mean()
    for _ in range(30):
        net = push + drag * velocity
        energy = np.cumsum(net - net.mean()) * (2 * np.pi / len(angles)) * 2 / inertia
        energy -= energy.min()
        least = root(functools.partial(excess_above, energy), 0.0, 4 * velocity.max() ** 2)
        velocity = np.sqrt(least + energy)
    mean = 1 / np.mean(1 / velocity)
    return mean, np.ptp(velocity) / mean
