"""Every digit of the velocity expansion: against many digits, where rates underflow, and where
panels hardly resolve an orbit."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import qtd
from qtd.expansion import coefficients, local
from qtd.expansion.series import local_at
from qtd.machines import QuantumMotor

pytestmark = pytest.mark.digits

ORDER = 3
PATHS = (
    *("energy_left", "energy_right", "radius", "tunnelling", "repulsion"),
    *(
        f"{name}.{path}"
        for name in ("left", "right")
        for path in ("temperature", "chemical_potential", "spectral_density.height")
    ),
)


def build(numbers):
    return qtd.replace(QuantumMotor(), dict(zip(PATHS, numbers)))


AT = jax.jit(lambda numbers, angle: local(build(numbers).network, angle, ORDER))


def motor(
    temperature, radius, bias, energies=None, heights=(0.25, 0.25), tunnelling=10.0, repulsion=20.0
):
    centre = (radius / np.sqrt(2) - 6,) * 2 if energies is None else energies
    leads = [(temperature, way * bias / 2, height) for way, height in zip((1, -1), heights)]
    return np.array([*centre, radius, tunnelling, repulsion, *leads[0], *leads[1]])


def random_motor(rng):
    temperature, radius = 10 ** rng.uniform(-2, 0), 500 ** rng.uniform(0, 1)
    numbers = motor(
        temperature,
        radius,
        rng.uniform(-4, 4),
        heights=10 ** rng.uniform(-3, 0, 2),
        repulsion=10 ** rng.uniform(0, 2),
    )
    numbers[:2] += rng.normal(size=2) * (0.2 * radius + 1)
    numbers[3] = 10 ** rng.uniform(0, 1.3)
    numbers[5] *= 2 ** rng.uniform(-1, 1)
    return numbers


# The same series with as many digits as it takes: power series in the angle are lists, generators
# lists of rows.


def product(a, b):
    return [mp.fsum(a[j] * b[k - j] for j in range(k + 1)) for k in range(len(a))]


def quotient(a, b):
    found = []
    for k in range(len(a)):
        found.append((a[k] - mp.fsum(found[j] * b[k - j] for j in range(k))) / b[0])
    return found


def reference(numbers, angle, order=ORDER):
    """Populations and torque by order in the velocity, populations at rest included."""
    left, right, radius, tunnelling, repulsion, *leads = (mp.mpf(x) for x in numbers)
    sin, cos = mp.sin(angle), mp.cos(angle)
    powers = range(order + 2)
    one = [mp.mpf(k == 0) for k in powers]
    epsilon = []
    for centre, wave in ((left, (cos, -sin, -cos, sin)), (right, (sin, cos, -sin, -cos))):
        epsilon.append([radius * wave[k % 4] / mp.factorial(k) + centre * one[k] for k in powers])
    both, apart = ([x + way * y for x, y in zip(*epsilon)] for way in (1, -1))
    square = product(apart, apart)
    square[0] += tunnelling**2
    split = [mp.sqrt(square[0])]
    for k in powers[1:]:
        split.append(
            (square[k] - mp.fsum(split[j] * split[k - j] for j in range(1, k))) / (2 * split[0])
        )
    tilt = quotient(apart, split)
    # Of the bonding orbital on either dot.
    weights = [[(x + way * y) / 2 for x, y in zip(one, tilt)] for way in (-1, 1)]
    bonding, antibonding = ([(x + way * y) / 2 for x, y in zip(both, split)] for way in (-1, 1))
    energies = [
        [mp.mpf(0)] * len(one),
        bonding,
        antibonding,
        [x + repulsion * y for x, y in zip(both, one)],
    ]
    rates = [[[mp.mpf(0)] * 4 for _ in range(4)] for _ in powers]
    for dot, (temperature, potential, height) in enumerate((leads[:3], leads[3:])):
        here, there = weights[dot], weights[1 - dot]
        for low, high, weight, spins in (
            (0, 1, here, 2),
            (0, 2, there, 2),
            (1, 3, there, 2),
            (2, 3, here, 2),
        ):
            x = [
                (a - b - potential * c) / temperature
                for a, b, c in zip(energies[high], energies[low], one)
            ]
            growth = [mp.exp(x[0])]
            for k in powers[1:]:
                growth.append(mp.fsum(j * x[j] * growth[k - j] for j in range(1, k + 1)) / k)
            filled = quotient(one, [a + b for a, b in zip(one, growth)])
            empty = product(growth, filled)
            for k in powers:
                rates[k][high][low] += spins * height * product(weight, filled)[k]
                rates[k][low][high] += height * product(weight, empty)[k]
    generators = []
    for rate in rates:
        generators.append(mp.matrix(4, 4))
        for a in range(4):
            for b in range(4):
                generators[-1][a, b] = (
                    rate[a][b] if a != b else -mp.fsum(rate[c][b] for c in range(4))
                )
    # The last row asks for the sum of the populations instead.
    system = generators[0].copy()
    system[3, :] = mp.matrix([[1, 1, 1, 1]])
    inverse = system**-1
    found = []
    for k in range(order + 1):
        row = []
        for m in range(order - k + 1):
            right = mp.matrix(4, 1)
            for j in range(1, m + 1):
                right -= generators[j] * row[m - j]
            if k:
                right += (m + 1) * found[k - 1][m + 1]
            right[3] = 1 if k == m == 0 else 0
            row.append(inverse * right)
        found.append(row)
    populations = [list(row[0]) for row in found]
    return populations, [-mp.fsum(energies[a][1] * p[a] for a in range(4)) for p in populations]


def digits(numbers):
    """As many as span the rates of a motor, three times over."""
    coldest = min(numbers[5], numbers[8])
    return int(
        60
        + 3
        * (abs(numbers[0]) + abs(numbers[1]) + 3 * numbers[2] + numbers[4] + 20)
        / coldest
        / np.log(10)
    )


@pytest.mark.parametrize("seed", range(3))
def test_populations_and_torque_are_right_relative_to_themselves(seed):
    rng = np.random.default_rng(seed)
    fine = 0
    for _ in range(5):
        numbers, angle = random_motor(rng), rng.uniform(0, 2 * np.pi)
        found = AT(numbers, angle)
        if int(found.status) in (qtd.Status.UNTRUSTED, qtd.Status.INACCURATE):
            continue
        fine += 1
        assert int(found.status) == 0
        with mp.workdps(min(digits(numbers), 4000)):
            populations, torque = reference(numbers, mp.mpf(angle))

            # Below the smallest numbers there is nothing to be right about.
            def close(x, y):
                return abs(x - y) <= mp.mpf("1e-9") * abs(y) + mp.mpf("1e-270")

            assert all(
                close(x, y)
                for p, q in zip(found.populations.tolist(), populations)
                for x, y in zip(p, q)
            )
            assert all(close(x, y) for x, y in zip(found.torque.tolist(), torque))
        sums, sizes = found.populations[1:].sum(1), jnp.abs(found.populations[1:]).sum(1)
        assert jnp.all(jnp.abs(sums) <= 1e-12 * sizes)
    assert fine >= 4


SLOPES = jax.jit(jax.jacrev(lambda numbers, angle: local(build(numbers).network, angle, 2).torque))


@pytest.mark.parametrize("temperature", [0.06, 0.5])
def test_derivatives_are_right_where_the_empty_level_holds_next_to_nothing(temperature):
    numbers, angle = motor(temperature, 10.0, 2.0), 3.2201324699295384
    found = np.asarray(SLOPES(numbers, angle))
    with mp.workdps(digits(numbers)):
        for i, path in enumerate(PATHS):
            step = mp.mpf("1e-25")
            there = [
                [mp.mpf(x) + way * step * (j == i) for j, x in enumerate(numbers)]
                for way in (1, -1)
            ]
            ahead, back = (reference(x, mp.mpf(angle), 2)[1] for x in there)
            wanted = [float((x - y) / (2 * step)) for x, y in zip(ahead, back)]
            np.testing.assert_allclose(found[:, i], wanted, rtol=1e-9, err_msg=path)


COLD = motor(0.014, 5.0, 2.1, (-1.5, -4.5), (0.0134, 0.0183), 12.3, 14.9)


def test_what_is_cut_off_in_this_precision_still_has_its_steady_state():
    # Empty: exp(-850), which is no number any more, so that nothing leaves the bonding level.
    found = AT(COLD, 4.564568314368394)
    assert int(found.status) == 0 and found.populations[0].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert not np.any(found.populations[1:]) and np.all(np.isfinite(np.asarray(found.torque)))


@pytest.mark.parametrize("dead", [0, 1])
def test_a_lead_that_is_cut_off_changes_nothing_but_that_nothing_flows(dead):
    heights = [0.2, 0.3]
    heights[dead] = 0.0
    found = AT(motor(1.0, 8.0, 1.0, heights=heights), 1.1)
    assert (
        int(found.status) == 0
        and float(found.friction) > 0
        and float(found.noise) == pytest.approx(2 * float(found.friction))
    )
    assert all(abs(float(x[0])) < 1e-16 for x in found.particle_currents.values())
    series = SERIES(motor(1.0, 8.0, 1.0, heights=heights))
    assert (
        int(series.status) == 0
        and abs(float(series.torque[0])) < 1e-12
        and float(series.torque[1]) < 0
    )


def test_levels_that_hold_electrons_back_are_said():
    # The antibonding level of deep dots is hardly left. Where a bias fills it the series overflows,
    # ...
    full = AT(motor(0.015, 2.3, 1.3, (-4.05, -4.71), (0.106, 0.227), 1.136, 160.0), 3.44)
    assert int(full.status) == qtd.Status.UNTRUSTED
    # ... where it holds less than any number says, what it still does to higher orders cannot be
    # seen, ...
    numbers = motor(0.01, 0.5, 0.0, (-10.0, -10.0))
    found = AT(numbers, 1.0)
    assert int(found.status) == qtd.Status.INACCURATE and float(found.populations[3, 1]) == 0
    with mp.workdps(3000):
        assert reference(numbers, mp.mpf(1))[0][3][1] < -1e170
    # ... and where no number says how slowly it is left, there are two steady states.
    with pytest.raises(ValueError, match="(?i)no unique steady state"):
        local(
            build(motor(0.027, 1.35, 0.0, (-43.8, -43.9), tunnelling=1.2, repulsion=86.0)).network,
            0.3,
        )


# Integrals over a turn.

SERIES = jax.jit(lambda numbers: coefficients(build(numbers).network, ORDER))
COARSE = jax.jit(lambda numbers: coefficients(build(numbers).network, ORDER, panels=12))
TORQUE = jax.jit(lambda numbers, angles: local_at(build(numbers).network, angles, ORDER)[0].torque)
# Between the triple points of 0 and 1 electrons, at 5, and of 1 and 2, at -25.
BOTH = (
    -10.0,
    -10.0,
)


def by_trapezoids(numbers, count):
    """Integrals of torques and of their sizes by even steps, which converges exponentially where
    they resolve all features."""
    angles = 2 * np.pi * (np.arange(count) + 0.3) / count
    values = np.concatenate(
        [np.asarray(TORQUE(numbers, part)) for part in angles.reshape(-1, 4096)], 1
    )
    return values.mean(1) * 2 * np.pi, np.abs(values).mean(1) * 2 * np.pi


@pytest.mark.parametrize(
    ("temperature", "radius", "energies"),
    [(1.0, 32.0, BOTH), (0.3, 25.0, BOTH), (1.0, 40.0, (-12.0, -6.0))],
)
def test_an_orbit_around_both_triple_points_is_resolved(temperature, radius, energies):
    numbers = motor(temperature, radius, 2.0, energies)
    found = SERIES(numbers)
    assert int(found.status) == 0
    np.testing.assert_allclose(found.torque, by_trapezoids(numbers, 16384)[0], rtol=1e-8)


def test_narrow_features_of_a_cold_orbit_are_found():
    # Features of 5e-4, an eighth of what the first samples are apart.
    numbers = motor(0.03, 60.0, 2.0, BOTH)
    found = jax.jit(lambda numbers: coefficients(build(numbers).network, ORDER, panels=384))(
        numbers
    )
    assert int(found.status) == 0
    np.testing.assert_allclose(found.torque[1:], by_trapezoids(numbers, 131072)[0][1:], rtol=1e-7)


@pytest.mark.parametrize("radius", [10.0, 20.0, 32.0, 60.0])
@pytest.mark.parametrize("bias", [0.0, 2.0])
def test_on_a_symmetric_orbit_errors_do_not_cancel_in_their_estimate(radius, bias):
    # The dots change places where the orbit is mirrored: what panels miss on one side they miss on
    # the other, with the other sign.
    numbers = motor(1.0, radius, bias, BOTH)
    found = COARSE(numbers)
    exact, size = by_trapezoids(numbers, 16384)
    missed = np.max(np.abs(np.asarray(found.torque) - exact) / size)
    assert missed < 1e-13 or missed < float(found.error)
