"""The quantum motor in the numbers of its paper: coefficients by order, what Eqs. (60)-(77) make of them, exact turns, turns of a rotor.

The paper counts charge and heat that enter the leads, Q_I and Q_J; the library's coefficients, and `Series`, what leaves them.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from ...machines import QuantumMotor
from ...reservoirs import Reservoir
from ...spectral import WideBand
from .._blocks import in_blocks, root

RADII = (10.0, 20.0, 50.0, 100.0)
DIFFERENCE = 0.5  # of the temperatures of Figs. 4(b) and 6; they are 1.25 and 0.75
BISTABLE = 10.0, 15.42  # radius and bias of Fig. 2(c)


def motor(radius: Any, bias: Any, difference: Any = 0.0, repulsion: Any = 20.0) -> QuantumMotor:
    """The paper's device: mean temperature 1, potentials +- bias / 2, temperatures 1 +- difference / 2."""
    lead = lambda side: Reservoir(1 + side * difference / 2, side * bias / 2, "fermi", spectral_density=WideBand(0.25))
    return QuantumMotor(radius=radius, repulsion=repulsion, left=lead(1), right=lead(-1))


class Series(NamedTuple):
    """C^(k), k = 0 ... 5 on the last axis: of the torque, of particles out of the left and the right lead, and of heat out of them."""

    torque: Any
    left: Any
    right: Any
    hot: Any
    cold: Any

    @property
    def charge(self) -> np.ndarray:
        """From left to right."""
        return (self.left - self.right) / 2


@functools.partial(in_blocks, size=1)
def _coefficients(radius, bias, difference, repulsion):
    found = motor(radius, bias, difference, repulsion).coefficients(5, panels=192)
    return Series(found.torque, *found.particles.values(), *found.heat.values())


def series(radius: Any, bias: Any, difference: Any = 0.0, repulsion: Any = 20.0) -> Series:
    """At every one of these points."""
    return _coefficients(radius, bias, difference, repulsion)


def works(torque: np.ndarray, radius: Any) -> np.ndarray:
    """C_F^(k) Omega_x^k of Fig. 3, k = 0 ... 3, at its reference velocity Omega_x = T Gamma / (2 radius)."""
    return torque[..., :4] * (0.25 / np.asarray(radius)[..., None]) ** np.arange(4)


def steady_velocity(torque: np.ndarray, x: Any, order: int) -> np.ndarray:
    """The stable velocity under the load x C_F^(0) by Eq. (62) or, to order 2, Eq. (63), NaN where it is complex."""
    if order == 1:
        return (np.asarray(x) - 1) * torque[0] / torque[1]
    middle = -torque[1] / (2 * torque[2])
    square = middle**2 + (np.asarray(x) - 1) * torque[0] / torque[2]
    return middle - np.sign(torque[2]) * np.sqrt(np.where(square < 0, np.nan, square))


def steady_velocities(torque: np.ndarray, load: float, order: int) -> tuple[np.ndarray, np.ndarray]:
    """All real solutions of Eq. (60), rising, and whether they are stable, Eq. (61)."""
    polynomial = np.polynomial.Polynomial(torque[: order + 1]) - load
    roots = polynomial.roots()
    values = np.sort(roots[np.abs(roots.imag) < 1e-9 * np.abs(roots)].real)
    return values, polynomial.deriv()(values) < 0


def per_turn(coefficients: np.ndarray, velocity: np.ndarray, order: int) -> np.ndarray:
    """What leaves the leads in a turn, Q^(k) = sign(v) C^(k) v^(k - 1), by orders k up to one more than that of the torque."""
    return np.stack([np.sign(velocity) * coefficients[k] * velocity ** (k - 1) for k in range(order + 2)])


class Performance(NamedTuple):
    """By load: velocity, efficiency over Carnot's bound, Eqs. (72)-(77), NaN where there is none, and where it drives, where it pumps."""

    velocity: np.ndarray
    share: np.ndarray
    drives: np.ndarray
    pumps: np.ndarray


def performance(found: Series, x: np.ndarray, order: int, bias: float = 0.0, difference: float = 0.0) -> Performance:
    """Motor and charge pump at a bias, heat engine and refrigerator at a temperature difference, under the loads x C_F^(0)."""
    velocity = steady_velocity(found.torque, x, order)
    work = np.sign(velocity) * x * found.torque[0]
    total = lambda coefficients: per_turn(coefficients, velocity, order).sum(0)
    hot, cold = 1 + difference / 2, 1 - difference / 2
    if bias:
        supplied = gained = bias * total(found.charge)
        pumps, carnot, bound = gained < 0, 1.0, 1.0
    else:
        supplied, gained = total(found.hot), -total(found.cold)
        pumps, carnot, bound = gained < 0, 1 - cold / hot, cold / (hot - cold)
    drives, pumps = work > 0, (work < 0) & pumps
    share = np.where(drives, work / supplied / carnot, np.where(pumps, gained / work / bound, np.nan))
    return Performance(velocity, share, drives, pumps)


@functools.partial(in_blocks, size=16)
def exact_turn(velocity, radius, bias, repulsion):
    """Torque, and charge from left to right, integrated over a turn and exact in the velocity."""
    turn = motor(radius, bias, repulsion=repulsion).cycle(velocity)
    return turn.torque, (turn.particles["left"] - turn.particles["right"]) / 2


def exact_velocities(load: float, repulsion: float) -> tuple[np.ndarray, np.ndarray]:
    """Velocities between -0.12 and 0.06 at which the exact torque of Fig. 2(c) is `load`, rising, and whether they are stable."""
    excess = lambda velocities: exact_turn(velocities, *BISTABLE, repulsion)[0] - load
    coarse = np.linspace(-0.12, 0.06, 128)
    values = excess(coarse)
    (before,) = np.nonzero(np.diff(np.sign(values)))
    fine = np.linspace(coarse[before], coarse[before + 1], 16, axis=1)
    curves = [CubicSpline(velocities, found) for velocities, found in zip(fine, excess(fine))]
    roots = [curve.roots(extrapolate=False)[0] for curve in curves]
    return np.array(roots), np.array([curve(root, 1) < 0 for curve, root in zip(curves, roots)])


class Turns(NamedTuple):
    """A rotor's velocity before every turn, the mean within it (0 in one that it does not finish), and whether it stopped."""

    velocities: np.ndarray
    means: np.ndarray
    stopped: bool


class Flywheel:
    """A rotor of finite inertia on the paper's device, at velocities of one sign, with the torque to third order.

    After a turn it is at the angle where it was: one turn from each of many velocities says how it goes on from any of them, so that turns
    cost nothing, however many it takes to relax.
    """

    def __init__(self, device: QuantumMotor, load: float, inertia: float, slowest: float, fastest: float):
        coarse = np.geomspace(slowest, fastest, 512)
        spin = lambda before: device.spin_up(before, inertia, load, cycles=1, order=3, panels=192)
        stops = int(np.sum(np.asarray(spin(coarse).velocities)[:, -1] == 0))
        # Which velocity is just enough for a turn decides in which turn the rotor stops: half of the points go there.
        start = coarse[max(stops - 1, 0)]
        before = np.concatenate([np.linspace(start, coarse[stops + 1], 256), np.geomspace(coarse[stops + 1], fastest, 257)[1:]])
        spun = spin(before)
        after, means = np.asarray(spun.velocities)[:, -1], np.asarray(spun.mean_velocities)[:, 0]
        turning = after != 0
        self.sign, self.least = np.sign(fastest), before[turning][0] ** 2
        energies = before[turning] ** 2
        self._gain = CubicSpline(energies, after[turning] ** 2 - energies)
        self._mean = CubicSpline(energies, means[turning])

    def turns(self, velocity: float, count: int) -> Turns:
        """At most `count` of them, from this velocity."""
        energies = [velocity**2]
        while energies[-1] >= self.least and len(energies) < count:
            energies.append(energies[-1] + float(self._gain(energies[-1])))
        found = np.array(energies)
        finished = found >= self.least
        return Turns(self.sign * np.sqrt(found), np.where(finished, self._mean(found), 0.0), not finished[-1])


@functools.partial(in_blocks, size=1024)
def _torque(angle, radius, bias):
    return motor(radius, bias).local(angle, order=1).torque


def settled(radius: float, bias: float, load: float, inertia: float) -> tuple[float, float]:
    """Mean velocity, and the difference between the largest and the smallest over it, of a rotor that turns periodically.

    With the torque to first order: v(theta)^2 = c + (2 / I) int (F^(0) + F^(1) v - F_ext) dtheta, whose integral over a turn vanishes.
    """
    angles = np.linspace(0, 2 * np.pi, 4096, endpoint=False)
    push, drag = _torque(angles, radius, bias).T
    velocity = np.full_like(push, load / (2 * np.pi) - push.mean()) / drag.mean()
    excess = lambda speeds: np.mean(push + drag * speeds) - load / (2 * np.pi)
    for _ in range(30):
        net = push + drag * velocity
        energy = np.cumsum(net - net.mean()) * (2 * np.pi / len(angles)) * 2 / inertia
        energy -= energy.min()
        least = root(functools.partial(lambda energy, c: excess(np.sqrt(c + energy)), energy), 0.0, 4 * velocity.max() ** 2)
        velocity = np.sqrt(least + energy)
    mean = 1 / np.mean(1 / velocity)
    return mean, np.ptp(velocity) / mean
