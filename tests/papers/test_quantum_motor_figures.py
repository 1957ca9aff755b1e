"""Quantum motor of Bustos-Marun and Calvo: the numbers behind Figs. 2 to 6, from the coefficients and from the library's operating points.

Sections 3 and 5 of the page: x is the load over C_F^(0), velocities solve Eq. (62) or (63), Q^(k) = sign(v) C^(k) v^(k-1) leaves a lead per
turn. Half a unit of the last digit that the page gives is the tolerance.
"""

import functools
from typing import NamedTuple

import jax
import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from qtd.machines.quantum_motor import Mode

from .test_quantum_motor import paper

RADII = (10.0, 20.0, 50.0, 100.0)
LOADS = np.linspace(-12, 12, 24000)  # in units of C_F^(0); neither 0 nor 1, where the rotor does no work or does not turn
BIASES = np.arange(0.25, 20.01, 0.25)


class Series(NamedTuple):
    """C^(k) of torque, of charge from left to right, of heat out of the left lead, the hot one, and out of the right one."""

    torque: np.ndarray
    charge: np.ndarray
    hot: np.ndarray
    cold: np.ndarray


COEFFICIENTS = jax.jit(lambda motor: motor.coefficients(5, panels=192))


@functools.cache
def full_series(*parameters):
    return jax.tree.map(np.asarray, COEFFICIENTS(paper(*parameters)))


def series(*parameters):
    found = full_series(*parameters)
    charge = (found.particles["left"] - found.particles["right"]) / 2
    return Series(found.torque, charge, found.heat["left"], found.heat["right"])


def works(radius, *others):
    """C_F^(k) Omega_x^k of Fig. 3, k = 0 ... 3, at its reference velocity T Gamma / (2 radius)."""
    return series(radius, *others).torque[:4] * (0.25 / radius) ** np.arange(4)


def steady_velocity(torque, x, order):
    """The stable root of Eq. (62) or (63), NaN where it is complex."""
    if order == 1:
        return (x - 1) * torque[0] / torque[1]
    middle = -torque[1] / (2 * torque[2])
    square = middle**2 + (x - 1) * torque[0] / torque[2]
    return middle - np.sign(torque[2]) * np.sqrt(np.where(square < 0, np.nan, square))


def per_turn(coefficients, velocity, order):
    """Q^(k) up to one order more than that of the torque."""
    return np.stack([np.sign(velocity) * coefficients[k] * velocity ** (k - 1) for k in range(order + 2)])


# Figure 2: steady velocities

CURVE = 64  # velocities at once: each number of them is compiled anew


def exact_curve(motor, velocities):
    assert len(velocities) == CURVE
    return jax.tree.map(np.asarray, motor.torque_curve(velocities))


def test_order_four_is_negligible_in_figure_2c_but_order_five_is_not():
    torque = series(10.0, 15.42, 0.0, 40.0).torque
    velocities = np.sort(np.roots([*torque[3:0:-1], -0.05]).real)
    np.testing.assert_allclose(velocities, [-7.40e-3, 2.03e-3, 6.74e-3], atol=6e-6)
    terms = np.abs(torque * velocities[0] ** np.arange(6))
    assert 0.5e-4 < terms[4] < 2e-4 and 0.5e-4 < abs(torque[4] * velocities[2] ** 4) < 2e-4
    assert terms[3] == pytest.approx(0.2, abs=0.05) and terms[5] == pytest.approx(0.7, abs=0.05)


def test_order_five_of_figure_2c_keeps_the_unstable_velocity_alone():
    torque = series(10.0, 15.42, 0.0, 40.0).torque
    found = paper(10.0, 15.42, repulsion=40.0).terminal_velocities(torque[0] + 0.05, 5)
    assert int(found.complex_roots) == 4 and float(found.values[0]) == pytest.approx(1.98e-3, abs=5e-6)
    assert not found.stable.any()
    roots = np.roots([*torque[:0:-1], -0.05])
    assert float(found.values[0]) == pytest.approx(roots[np.abs(roots.imag) < 1e-9].real.item(), rel=1e-9)


@pytest.mark.parametrize(
    ("repulsion", "roots", "digit", "stable"),
    [
        (20.0, [0.00315, 0.02319], 1e-5, [False, True]),
        (40.0, [-0.0579, -0.0480, 0.0020, 0.0333], 1e-4, [False, True, False, True]),
    ],
    ids=["U=20", "U=40"],
)
def test_the_exact_steady_velocities_of_figure_2c(repulsion, roots, digit, stable):
    load = series(10.0, 15.42, 0.0, repulsion).torque[0] + 0.05
    brackets = [root + side * digit / 2 for root in roots for side in (-1, 1)]
    velocities = np.concatenate([brackets, np.linspace(-0.12, 0.06, CURVE - len(brackets))])
    excess = exact_curve(paper(10.0, 15.42, repulsion=repulsion), velocities).torque - load
    around = np.sign(excess[: len(brackets)]).reshape(-1, 2)
    assert around.tolist() == [[1, -1] if still else [-1, 1] for still in stable]
    scan = np.sign(excess[len(brackets) :])
    assert np.count_nonzero(np.diff(scan)) == len(roots)  # no others in -0.12 < v < 0.06


ANGLES = np.linspace(0, 2 * np.pi, 4096, endpoint=False)
TORQUE = jax.jit(jax.vmap(lambda motor, angle: motor.local(angle).torque, in_axes=(None, 0)))


def one_turn(torque, load, inertia, velocity):
    """Velocities along a turn from the angle 0, by Eq. (9): d(v^2 / 2) / dtheta = (F - F_ext) / inertia; 0 once the rotor stopped."""
    step, square, orders = 4 * np.pi / len(torque), np.asarray(velocity) ** 2 / 2, torque.shape[1]

    def slope(place, square):
        v = np.sqrt(np.maximum(2 * square, 0))
        return (sum(torque[place % len(torque), k] * v**k for k in range(orders)) - load / (2 * np.pi)) / inertia

    along = [square]
    for place in range(0, len(torque), 2):  # Runge and Kutta's rule of order 4
        a = slope(place, square)
        b = slope(place + 1, square + step / 2 * a)
        c = slope(place + 1, square + step / 2 * b)
        d = slope(place + 2, square + step * c)
        square = square + step / 6 * (a + 2 * b + 2 * c + d)
        along.append(square)
    return np.sqrt(np.maximum(2 * np.stack(along), 0))


def test_a_heavy_rotor_turns_as_figure_2a_says_and_a_light_one_faster_and_unevenly():
    torque = np.asarray(TORQUE(paper(100.0, 2.0), ANGLES))[:, :2]
    coefficients = series(100.0, 2.0).torque
    load, ideal = coefficients[0] / 2, -coefficients[0] / 2 / coefficients[1]
    means = {}
    for inertia in (1e8, 1e10):
        start = brentq(lambda v: one_turn(torque, load, inertia, v)[-1] - v, 1.5e-3, 3e-3, xtol=1e-13)
        along = one_turn(torque, load, inertia, start)[:-1]
        means[inertia] = 1 / np.mean(1 / along)  # angle over time
        if inertia == 1e8:
            assert means[inertia] == pytest.approx(2.208e-3, abs=5e-7)
            assert np.ptp(along) / means[inertia] == pytest.approx(0.074, abs=5e-4)
    assert means[1e8] / ideal - 1 == pytest.approx(0.025, abs=5e-4)
    assert means[1e10] / ideal - 1 == pytest.approx(0.0003, abs=5e-5)


@pytest.mark.parametrize(("repulsion", "turns"), [(20.0, 816), (40.0, 1696)], ids=["U=20", "U=40"])
def test_a_rotor_that_starts_below_the_unstable_velocity_of_figure_2c_stops(repulsion, turns):
    torque, load = np.asarray(TORQUE(paper(10.0, 15.42, repulsion=repulsion), ANGLES)), series(10.0, 15.42, 0.0, repulsion).torque[0] + 0.05
    assert laps_and_end(torque, load, 2e7, 1.5e-3) == (turns, 0.0)


def test_a_lighter_rotor_that_starts_there_reaches_the_positive_velocity():
    torque, load = np.asarray(TORQUE(paper(10.0, 15.42, repulsion=40.0), ANGLES)), series(10.0, 15.42, 0.0, 40.0).torque[0] + 0.05
    settled = lambda inertia: brentq(lambda v: one_turn(torque, load, inertia, v)[-1] - v, 4e-3, 9e-3, xtol=1e-13)
    laps, end = laps_and_end(torque, load, 5e6, 1.5e-3)
    assert laps == 20000 and end == pytest.approx(settled(5e6), rel=1e-6)
    assert one_turn(torque, load, 1e9, settled(1e9))[:-1].mean() == pytest.approx(6.74e-3, abs=5e-6)


def laps_and_end(torque, load, inertia, velocity):
    """In which turn the rotor stops, or its velocity after 20 000, from the map of the velocity over a turn."""
    before = np.concatenate([np.linspace(4e-4, 1.2e-3, 2000), np.linspace(1.2e-3, 0.01, 1000)[1:]])
    along = one_turn(torque, load, inertia, before)
    turning = along.min(0) > 0
    after, slowest = CubicSpline(before[turning], along[-1, turning]), before[turning][0]
    for lap in range(1, 20001):
        if velocity < slowest:
            return lap, 0.0
        velocity = float(after(velocity))
    return lap, velocity


# Figure 3: orders of the work


@pytest.mark.parametrize(("radius", "slope"), list(zip(RADII, [0.546, 0.930, 0.990, 0.9974])))
def test_the_slope_of_the_zeroth_order_approaches_the_quantum_of_charge(radius, slope):
    found = works(radius, 1e-3)[0] / 1e-3  # odd in the bias
    assert found == pytest.approx(slope, abs=5e-5 if radius == 100.0 else 5e-4)
    assert found == pytest.approx(series(radius, 0.0).charge[1], rel=1e-6)


# At V = 2 the page has the -1.385 and the -1.240 of V = 0.
@pytest.mark.parametrize(
    ("bias", "wanted"),
    [(0.0, [-0.93, -1.385, -1.240, -1.158]), (2.0, [-0.88, -1.383, -1.239, -1.158]), (10.0, [-0.40, -1.345, -1.251, -1.177])],
)
def test_the_first_order_is_negative_and_changes_little_but_on_the_smallest_orbit(bias, wanted):
    found = [works(radius, bias)[1] for radius in RADII]
    assert found[0] == pytest.approx(wanted[0], abs=5e-3)
    np.testing.assert_allclose(found[1:], wanted[1:], atol=5e-4)


def test_the_zeroth_order_is_linear_up_to_a_bias_of_ten_but_on_the_smallest_orbit():
    biases = BIASES[BIASES <= 10]
    shares = {radius: np.array([works(radius, bias)[0] / bias for bias in biases]) / series(radius, 0.0).charge[1] for radius in RADII}
    assert all(np.all(np.abs(shares[radius] - 1) < 0.02) for radius in RADII[1:])
    assert works(10.0, 10.0)[0] == pytest.approx(4.44, abs=5e-3) and 10 * series(10.0, 0.0).charge[1] == pytest.approx(5.46, abs=5e-3)


def test_third_orders_are_a_tenth_to_a_fifth_of_the_first_at_a_bias_of_ten():
    found = np.abs([works(radius, 10.0) for radius in RADII])
    assert found[:, 3].argmax() == 1 and found[1, 3] == pytest.approx(0.148, abs=5e-4)
    assert np.all(found[:, 2] < found[:, 3])
    shares = found[:, 3] / found[:, 1]
    assert np.all((shares > 0.095) & (shares < 0.205))


@pytest.mark.parametrize(("repulsion", "bias"), [(20.0, 14.14), (40.0, 13.95)], ids=["U=20", "U=40"])
def test_dissipation_is_inverted_from_a_bias_of_fourteen_on_the_smallest_orbit(repulsion, bias):
    assert brentq(lambda v: series(10.0, v, 0.0, repulsion).torque[1], 13, 15, xtol=1e-6) == pytest.approx(bias, abs=5e-3)
    found = np.array([works(10.0, v, 0.0, repulsion)[1] for v in BIASES])
    assert np.all((found > 0) == (bias < BIASES))


@pytest.mark.parametrize("radius", RADII[1:])
def test_dissipation_is_not_inverted_on_wider_orbits(radius):
    assert all(works(radius, bias)[1] < 0 for bias in BIASES[3::4])


def test_the_third_order_exceeds_the_first_but_never_the_zeroth():
    found = np.array([works(10.0, bias) for bias in BIASES])
    exceeds = BIASES[np.abs(found[:, 3]) > np.abs(found[:, 1])]
    np.testing.assert_array_equal(exceeds, np.arange(11.5, 18.26, 0.25))
    assert np.abs(found[:, 3] / found[:, 0]).max() == pytest.approx(0.72, abs=5e-3)
    np.testing.assert_allclose(works(10.0, 16.0)[[0, 1, 3]], [5.7, 0.7, -4.1], atol=0.05)


ORBITS = [
    (10.0, 2.0, 0.0),
    (10.0, 10.0, 0.0),
    (10.0, 15.42, 0.3),
    (20.0, 5.0, 0.4),
    (50.0, 4.0, 0.4),
    (100.0, 2.0, 0.0),
    (100.0, 10.0, 0.5),
]


@pytest.mark.parametrize("parameters", ORBITS)
def test_each_order_conserves_energy_and_charge(parameters):
    radius, bias, _ = parameters
    found, reduced = full_series(*parameters), (0.25 / radius) ** np.arange(-1, 5)
    work = np.concatenate([[0.0], found.torque[:-1]])
    assert np.abs(found.particles["left"] + found.particles["right"])[:5] @ reduced[:5] < 1e-12
    for released in (found.energy["left"] + found.energy["right"], sum(found.heat.values()) + series(*parameters).charge * bias):
        lost = ((released - work) * reduced)[:5]
        assert np.abs(lost).max() < 1e-12 * np.abs(work * reduced)[:5].max()


@pytest.mark.parametrize("parameters", ORBITS)
def test_orders_are_even_or_odd_in_bias_and_temperature_difference_together(parameters):
    radius, bias, difference = parameters
    odd = (-1.0) ** np.arange(4)
    found, mirrored = works(radius, bias, difference), works(radius, -bias, -difference)
    assert np.abs(mirrored + odd * found).max() < 1e-12 * np.abs(found).max()
    left, right = series(radius, bias, difference), series(radius, -bias, -difference)
    reduced = (0.25 / radius) ** np.arange(-1, 3)
    for found, mirrored, parity in ((left.charge, right.charge, -odd), (left.hot + left.cold, right.hot + right.cold, odd)):
        gap = np.abs((mirrored[:4] - parity * found[:4]) * reduced).max()
        assert gap < 1e-12 * np.abs(found[:4] * reduced).max()


# Figure 4: efficiencies


class Operation(NamedTuple):
    """What `operate` says, by load; charge from left to right and heat out of the right lead are those of a turn."""

    velocity: np.ndarray
    mode: np.ndarray
    share: np.ndarray
    charge: np.ndarray
    cold: np.ndarray


def described(order, motor, load):
    point = motor.operate(load, order=order)
    time = 2 * np.pi / abs(point.velocity)
    share = point.efficiency / point.carnot_efficiency
    return Operation(point.velocity, point.mode_code, share, time * point.particle_currents["left"], time * point.heat_currents["right"])


OPERATE = {order: jax.jit(jax.vmap(functools.partial(described, order), in_axes=(None, 0))) for order in (1, 2)}


@functools.cache
def operation(radius, bias, difference=0.0, order=1):
    """At all `LOADS`."""
    load = LOADS * series(radius, bias, difference).torque[0]
    return Operation(*map(np.asarray, OPERATE[order](paper(radius, bias, difference), load)))


def best(found, mode, *where):
    return found.share[np.logical_and.reduce([found.mode == mode, *where])].max()


@pytest.mark.parametrize("order", [1, 2])
def test_operate_follows_the_equations_for_velocity_and_efficiency_at_a_bias(order):
    found, known = operation(10.0, 2.0, 0.0, order), series(10.0, 2.0)
    velocity = steady_velocity(known.torque, LOADS, order)
    charge, work = per_turn(known.charge, velocity, order).sum(0), np.sign(velocity) * LOADS * known.torque[0]
    np.testing.assert_allclose(found.velocity, velocity, rtol=1e-9)
    np.testing.assert_allclose(found.charge, charge, rtol=1e-9, atol=1e-9)
    share = np.where(work > 0, work / (2 * charge), np.where(charge < 0, 2 * charge / work, np.nan))
    np.testing.assert_allclose(found.share, share, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("radius", [10.0, 50.0])
def test_operate_follows_the_equations_for_velocity_and_efficiency_at_a_temperature_difference(radius):
    found, known = operation(radius, 0.0, 0.5), series(radius, 0.0, 0.5)
    velocity = steady_velocity(known.torque, LOADS, 1)
    hot, cold = (per_turn(x, velocity, 1).sum(0) for x in (known.hot, known.cold))
    work = np.sign(velocity) * LOADS * known.torque[0]
    np.testing.assert_allclose(found.velocity, velocity, rtol=1e-6)
    np.testing.assert_allclose(found.cold, cold, rtol=1e-6, atol=1e-6)
    share = np.where(work > 0, work / hot / 0.4, np.where(cold > 0, -cold / work / 1.5, np.nan))
    np.testing.assert_allclose(found.share, share, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("load", [-9.0, 0.5, 4.0, 8.0])
def test_terminal_velocities_hold_the_root_that_operate_follows(load):
    torque = series(10.0, 2.0).torque
    found = paper(10.0, 2.0).terminal_velocities(load * torque[0], 2)
    assert found.stable.sum() == 1
    assert float(found.values[found.stable][0]) == pytest.approx(steady_velocity(torque, load, 2), rel=1e-9)


@pytest.mark.parametrize(("radius", "motor", "pump"), list(zip(RADII, [0.105, 0.454, 0.744, 0.863], [0.090, 0.453, 0.744, 0.863])))
def test_the_best_motors_and_pumps_of_figure_4a(radius, motor, pump):
    found = operation(radius, 2.0)
    assert best(found, Mode.MOTOR) == pytest.approx(motor, abs=5e-4) and best(found, Mode.CHARGE_PUMP) == pytest.approx(pump, abs=5e-4)
    gap = 1 - best(found, Mode.CHARGE_PUMP) / best(found, Mode.MOTOR)
    assert gap == pytest.approx(0.14, abs=5e-3) if radius == 10.0 else 0 < gap < 3e-3


@pytest.mark.parametrize(("radius", "start"), list(zip(RADII, [3.02, 1.16, 1.02, 1.01])))
def test_pumping_starts_at_the_loads_of_figure_4a(radius, start):
    found, known = operation(radius, 2.0), series(radius, 2.0)
    onset = LOADS[found.mode == Mode.CHARGE_PUMP].min()
    assert onset == pytest.approx(start, abs=5e-3)
    charge = lambda x: per_turn(known.charge, steady_velocity(known.torque, x, 1), 1).sum()
    assert onset == pytest.approx(brentq(charge, 1.001, 4.0), abs=1.5e-3)
    wanted = np.select([LOADS < 0, LOADS < 1, onset > LOADS], [Mode.FRUSTRATED, Mode.MOTOR, Mode.FRUSTRATED], Mode.CHARGE_PUMP)
    np.testing.assert_array_equal(found.mode, wanted)


def test_the_next_order_of_figure_4a_pumps_between_two_loads_and_at_negative_ones():
    found = operation(10.0, 2.0, 0.0, 2)
    pump = found.mode == Mode.CHARGE_PUMP
    assert best(found, Mode.MOTOR) == pytest.approx(0.1036, abs=5e-5)
    assert best(found, Mode.CHARGE_PUMP, LOADS > 0) == pytest.approx(0.025, abs=5e-4)
    first, last, below = LOADS[pump & (LOADS > 0)].min(), LOADS[pump & (LOADS > 0)].max(), LOADS[pump & (LOADS < 0)].max()
    np.testing.assert_allclose([first, last, below], [3.21, 5.07, -8.01], atol=5e-3)
    np.testing.assert_array_equal(pump, (below >= LOADS) | ((first <= LOADS) & (last >= LOADS)))
    assert found.velocity[pump & (LOADS < 0)].min() == pytest.approx(0.23, abs=5e-3)
    np.testing.assert_array_equal(found.mode == Mode.NOTHING, np.isnan(steady_velocity(series(10.0, 2.0).torque, LOADS, 2)))


def test_the_exact_torque_of_figure_4a_is_bounded_and_pumps_up_to_its_bound():
    motor, scale = paper(10.0, 2.0), series(10.0, 2.0).torque[0]
    speeds = np.concatenate([np.geomspace(1e-3, 0.065, 12), np.linspace(0.066, 0.5, CURVE - 24), np.geomspace(0.51, 30, 12)])
    ahead, back = exact_curve(motor, speeds), exact_curve(motor, -speeds)
    for load, speed, bound in ((ahead.torque / scale, 0.37, -3.14), (back.torque / scale, 0.25, 3.96)):
        smooth = CubicSpline(speeds, load)
        (extreme,) = smooth.derivative().roots(extrapolate=False)
        assert extreme == pytest.approx(speed, abs=5e-3) and smooth(extreme) == pytest.approx(bound, abs=5e-3)
        assert abs(load[-1]) < 0.1
    load, charge = back.torque / scale, (back.particles["left"] - back.particles["right"]) / 2
    rising = slice(load.argmax() + 1)  # stable: the torque falls with the velocity, which is negative
    assert np.all(np.diff(load[rising]) > 0)
    onset = brentq(CubicSpline(load[rising], charge[rising]), 1.5, 3.5)
    assert onset == pytest.approx(2.79, abs=5e-3)
    np.testing.assert_array_equal(charge[rising] < 0, load[rising] > onset)


@pytest.mark.parametrize(("radius", "share", "digit"), list(zip(RADII, [4.6e-4, 0.167, 0.496, 0.678], [1e-5, 1e-3, 1e-3, 1e-3])))
def test_the_best_heat_engines_of_figure_4b(radius, share, digit):
    found = operation(radius, 0.0, 0.5)
    assert best(found, Mode.HEAT_ENGINE) == pytest.approx(share, abs=digit / 2)
    np.testing.assert_array_equal(found.mode == Mode.HEAT_ENGINE, (LOADS > 0) & (LOADS < 1))


@pytest.mark.parametrize(("radius", "share", "first", "last"), [(50.0, 0.257, 1.26, 3.76), (100.0, 0.505, 1.08, 3.94)])
def test_refrigerators_of_figure_4b_work_between_two_loads_and_below_the_best_engine(radius, share, first, last):
    found = operation(radius, 0.0, 0.5)
    assert best(found, Mode.REFRIGERATOR) == pytest.approx(share, abs=5e-4)
    assert best(found, Mode.REFRIGERATOR) < best(found, Mode.HEAT_ENGINE)
    cold = LOADS[found.mode == Mode.REFRIGERATOR]
    np.testing.assert_allclose([cold.min(), cold.max()], [first, last], atol=5e-3)
    assert np.ptp(cold) == pytest.approx((len(cold) - 1) * (LOADS[1] - LOADS[0]))  # without a gap


@pytest.mark.parametrize("radius", [10.0, 20.0])
def test_small_orbits_of_figure_4b_never_refrigerate(radius):
    assert set(operation(radius, 0.0, 0.5).mode) == {Mode.HEAT_ENGINE, Mode.FRUSTRATED}


# Figures 5 and 6: what orders of charge and heat add


@pytest.mark.parametrize(
    ("load", "wanted", "digit"),
    [(4.0, [-0.31, 0.52, -0.02, -0.14], 1e-2), (6.0, [-0.17, 0.52, -0.04, -0.45], 1e-2), (-8.0, [-0.138, -0.522, -0.045, 0.704], 1e-3)],
)
def test_the_pumped_charge_of_figures_5a_and_5b(load, wanted, digit):
    known = series(10.0, 2.0)
    into_leads = -per_turn(known.charge, steady_velocity(known.torque, load, 2), 2)
    np.testing.assert_allclose(into_leads, wanted, atol=digit / 2)
    at = np.abs(LOADS - load).argmin()
    assert -operation(10.0, 2.0, 0.0, 2).charge[at] == pytest.approx(into_leads.sum(), abs=1e-3)


def test_the_third_order_of_the_charge_makes_and_breaks_the_pump():
    known = series(10.0, 2.0)
    velocity = steady_velocity(known.torque, LOADS, 2)
    lower, third = -per_turn(known.charge, velocity, 2)[:3].sum(0), -per_turn(known.charge, velocity, 2)[3]
    stopped = (LOADS > 5.08) & (LOADS < 10)
    assert np.all(lower[stopped] > 0) and np.all((lower + third)[stopped] < 0)
    reversed_ = LOADS < -8.015
    assert np.all(lower[reversed_] < 0) and np.all((lower + third)[reversed_] > 0)


def test_the_third_order_of_the_heat_is_negligible_in_figure_5c():
    known = series(10.0, 2.0)
    heat = per_turn(known.hot + known.cold, steady_velocity(known.torque, LOADS[(LOADS > 1) & (LOADS < 5.07)], 2), 2)
    assert np.abs(heat[3] / heat.sum(0)).max() == pytest.approx(0.015, abs=5e-4)


def test_no_load_extracts_heat_from_the_cold_lead_in_figure_6():
    known = series(20.0, 0.0, 0.5)
    into_cold = -per_turn(known.cold, steady_velocity(known.torque, LOADS, 1), 1).sum(0)
    np.testing.assert_allclose(-operation(20.0, 0.0, 0.5).cold, into_cold, rtol=1e-9)
    beyond = LOADS > 1
    assert into_cold.min() == into_cold[beyond].min() == pytest.approx(0.258, abs=5e-4)
    assert LOADS[beyond][into_cold[beyond].argmin()] == pytest.approx(3.32, abs=5e-3)
    terms = -per_turn(known.cold, steady_velocity(known.torque, 2.0, 1), 1)
    np.testing.assert_allclose(terms, [0.851, -0.476, 0.158], atol=5e-4)


@pytest.mark.parametrize(("radius", "possible"), list(zip(RADII, [False, False, True, True])))
def test_refrigeration_needs_the_first_order_to_outdo_the_zeroth_and_the_second(radius, possible):
    cold = series(radius, 0.0, 0.5).cold
    assert np.all(cold[:3] < 0) and (cold[1] ** 2 > 4 * cold[0] * cold[2]) == possible
    assert (Mode.REFRIGERATOR in operation(radius, 0.0, 0.5).mode) == possible
    if radius == 20.0:
        np.testing.assert_allclose([cold[1] ** 2, 4 * cold[0] * cold[2]], [0.227, 0.539], atol=5e-4)
