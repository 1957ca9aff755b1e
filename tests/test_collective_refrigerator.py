"""The collective refrigerator: couplings, coherences, the reduced model, digits, derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import as_float32, random_refrigerator, relative_error
from machines import (
    COLLECTIVE_NAMES,
    COLLECTIVE_PATHS,
    collective,
    collective_ranges,
    observe_collective,
    read,
)
from papers.test_collective_refrigerator import refrigerator
from reference import collective_jumps, collective_refrigerator, derivative

import qtd
from qtd.audits import Severity
from qtd.audits._alternatives import compared
from qtd.machines import CollectiveRefrigerator

FRIDGE = CollectiveRefrigerator(num_spins=31)


# Matrix elements


@pytest.mark.parametrize("spins", range(2, 14))
@pytest.mark.parametrize("parity", ["even", "odd"])
def test_matrix_elements_are_those_of_the_spin_matrices(spins, parity):
    total = spins / 2
    while np.floor(total) + (spins % 2 or parity == "even") >= 2:
        machine = CollectiveRefrigerator(spins, parity=parity, spin=total)
        levels, jumps = collective_jumps(spins, parity, total)
        assert np.array_equal(machine.levels, levels)
        single, double = machine.matrix_elements()
        found = {("cold", k, k + 1): x for k, x in enumerate(single)} | {
            ("work", k, k + 1): x for k, x in enumerate(single)
        }
        found |= {("hot", k, k + 2): x for k, x in enumerate(double[: len(levels) - 2])}
        if spins % 2:
            found["hot", 0, 1] = double[-1]  # the folded path
        expected = {(name, a, b): float(element) for name, a, b, element in jumps}
        assert found == pytest.approx(expected, rel=1e-14)
        total -= 1


@pytest.mark.parametrize(
    "num_spins, parity, spin",
    [(5, "even", None), (5, "odd", None), (6, "even", None), (6, "odd", None), (7, "even", 2.5)],
)
def test_couplings_are_those_of_spins_in_their_sector(num_spins, parity, spin):
    """J_x of the textbook, between superpositions of m and -m; its square is exact only as the
    sector is closed."""
    machine = CollectiveRefrigerator(num_spins, parity=parity, spin=spin)
    j = num_spins / 2 if spin is None else spin
    m = np.arange(-j, j + 0.5)
    raising = np.diag(np.sqrt(j * (j + 1) - m[:-1] * m[1:]), -1)
    flip, sign = (raising + raising.T) / 2, 1 if parity == "even" else -1
    sector = np.stack(
        [
            (1.0 * (m == level) + sign * (m == -level)) / (2 if level == 0 else np.sqrt(2))
            for level in machine.levels
        ]
    )
    expected = {
        "cold": sector @ flip @ sector.T,
        "hot": sector @ flip @ flip @ sector.T / num_spins,
    }
    flipped = machine._collective_spin()
    np.testing.assert_allclose(flipped, expected["cold"], atol=1e-13)
    np.testing.assert_allclose(flipped @ flipped / num_spins, expected["hot"], atol=1e-13)


# Coherences: what the rate equation leaves out


@eqx.filter_jit
def heat_currents(device):
    return qtd.operate(device).heat_currents


def scaled(factor, **options):
    machine = CollectiveRefrigerator(**options)
    return qtd.replace(
        machine, {f"{name}.spectral_density.height": factor for name in ("cold", "hot", "work")}
    )


@pytest.mark.parametrize("num_spins, parity", [(5, "even"), (6, "odd"), (8, "even")])
def test_the_global_equation_is_the_rate_equation(num_spins, parity):
    machine = CollectiveRefrigerator(num_spins, parity=parity)
    by_rates = heat_currents(machine.network())
    by_operators = heat_currents(machine.lindbladian("global"))
    for name, current in by_rates.items():
        assert float(by_operators[name]) == pytest.approx(float(current), rel=1e-10)


def test_coherences_change_currents_in_second_order_of_the_heights():
    """By rates over gaps squared, relative to the current: what the secular approximation drops is
    of first order in the state alone."""
    deviation = []
    for height in (1e-4, 1e-5):
        machine = scaled(height, num_spins=7)
        here = heat_currents(machine.network())["cold"]
        there = heat_currents(machine.lindbladian())["cold"]
        deviation.append(float(there / here) - 1)
    assert abs(deviation[0]) > 1e-5 and deviation[0] / deviation[1] == pytest.approx(100, rel=0.01)


def test_an_audit_compares_small_machines_with_their_redfield_equation():
    found = {}
    for height in (1.0, 1e-6):
        machine = scaled(height, num_spins=7)
        (found[height],) = compared(machine.operate(), qtd.operate, machine.alternatives(), False)
    assert found[1e-6].severity == Severity.FINE
    assert (
        found[1.0].severity == Severity.DOUBTFUL
        and "other sign" in found[1.0].text
        and "not positive" in found[1.0].text
    )
    large = CollectiveRefrigerator(33)
    (left_out,) = large.checks(None)["other approaches"]()
    assert (
        not large.alternatives()
        and left_out.severity == Severity.UNCHECKED
        and "up to 31 spins" in left_out.text
    )
    assert (
        len(CollectiveRefrigerator(31).levels) == 16 and CollectiveRefrigerator(31).alternatives()
    )


# The reduced model


@pytest.mark.parametrize("temperatures", [(0.5, 1.0, 1000.0), (0.6, 1.1, 5.0), (0.3, 1.0, 2.0)])
def test_reduced_model_is_the_network_of_its_three_levels(temperatures):
    machine = refrigerator(11, temperatures=temperatures)
    single, double = machine.matrix_elements()
    flat = [qtd.Reservoir(t, spectral_density=qtd.spectral.WideBand(1.0)) for t in temperatures]
    network = qtd.RateNetwork(
        energies=[0.25, 2.25, 6.25],
        jumps=[("cold", 0, 1, single[0]), ("hot", 0, 2, double[0]), ("work", 1, 2, single[1])],
        reservoirs=dict(zip(("cold", "hot", "work"), flat)),
    )
    exact = qtd.counting.cumulants(network, "cold", order=2)
    reduced = machine.reduced()
    np.testing.assert_allclose([reduced.current(), reduced.noise()], exact, rtol=1e-11)


def test_laser_drives_the_reduced_model_as_an_infinitely_hot_reservoir_does():
    machine = refrigerator(11)
    # So strong that it equalises the upper levels, as n_w -> infinity does.
    laser = machine.reduced(laser=1e9)
    assert float(laser.current()) == pytest.approx(float(laser.current_hot_drive()), rel=1e-8)
    assert float(laser.noise()) == pytest.approx(float(laser.noise_hot_drive()), rel=1e-8)
    weak, n = machine.reduced(laser=0.3), lambda gap, t: 1 / np.expm1(gap / t)
    (g_c, g_h, _), rates = (float(x) for x in weak.strengths), np.zeros((3, 3))
    rates[1, 0], rates[0, 1] = g_c * n(2, 0.5), g_c * (1 + n(2, 0.5))
    rates[2, 0], rates[0, 2] = g_h * n(6, 1.0), g_h * (1 + n(6, 1.0))
    rates[2, 1] = rates[1, 2] = 0.3
    generator = rates - np.diag(rates.sum(axis=0))
    p = np.linalg.solve(np.vstack([generator[:2], np.ones(3)]), [0, 0, 1])
    assert float(weak.current()) == pytest.approx(
        2 * (rates[1, 0] * p[0] - rates[0, 1] * p[1]), rel=1e-12
    )


# Digits


@pytest.mark.parametrize(
    ("widths", "temperatures"),
    [
        ((0.1, 0.1, 1e-3), (0.5, 1.0, 1000.0)),
        ((1e-3, 1e-3, 1e-6), (1 / 2.9, 1.0, 1000.0)),
        ((0.5, 1e-5, 1e-4), (0.1, 0.2, 1e4)),
    ],
)
def test_populations_and_current_keep_their_digits_however_narrow_the_filters(widths, temperatures):
    machine = refrigerator(31, widths, temperatures)
    by_name = [dict(zip(("cold", "hot", "work"), values)) for values in (temperatures, widths)]
    with mp.workdps(400):  # the lowest of 16 populations may be 1e-300
        exact = collective_refrigerator(31, by_name[0], widths=by_name[1])
    found = qtd.steady_state(machine.network())
    visible = [k for k, p in enumerate(exact.populations) if p > 1e-290]
    # Boltzmann factors of gaps of up to 60 / T, each to an ulp or two.
    assert relative_error(found[np.array(visible)], [exact.populations[k] for k in visible]) < 1e-14
    current = machine.operate().heat_currents["cold"]
    assert relative_error([current], [exact.current("cold")]) < 2e-12


def test_ten_thousand_levels_do_not_overflow():
    current = float(refrigerator(20_001).operate().heat_currents["cold"])
    assert current / 20_001**2 == pytest.approx(0.9e-4, rel=0.01)  # the limit of Fig. 2


# Compilation, and illegal numbers


# The device of 31 spins, compiled once, or what calls it a second time fails.
OPERATE = eqx.filter_jit(eqx.debug.assert_max_traces(lambda m: m.operate(), max_traces=1))


def observe(machine):
    """I_c, S_cc, COP, sigma."""
    return observe_collective(machine)[0]


def test_compiled_agrees_with_eager_and_with_what_is_done_step_by_step():
    point = OPERATE(FRIDGE)
    noise = point.heat_covariance["cold", "cold"]
    found = [point.heat_currents["cold"], noise, point.cop, point.entropy_production]
    np.testing.assert_allclose(found, observe(FRIDGE), rtol=1e-12)
    small = CollectiveRefrigerator(num_spins=5)
    with jax.disable_jit():
        step_by_step = observe(small)
    np.testing.assert_allclose(observe(small), step_by_step, rtol=1e-12)


def test_a_reservoir_made_of_whole_numbers_compiles_nothing_new():
    OPERATE(FRIDGE)
    whole = qtd.Reservoir(0.7, spectral_density=qtd.spectral.Peaked(2, 0.2))
    OPERATE(CollectiveRefrigerator(31, cold=whole))


@pytest.mark.parametrize("temperature", [-0.5, np.nan])
def test_an_illegal_device_has_no_current_and_no_noise_of_any_reservoir(temperature):
    illegal = eqx.tree_at(lambda m: m.cold.temperature, FRIDGE, jnp.array(temperature, float))
    point = OPERATE(illegal)
    assert point.status == qtd.Status.INVALID_PARAMETER
    for number in jax.tree.leaves((point.heat_currents, point.heat_covariance, point.cop)):
        assert np.all(np.isnan(number))


# Derivatives


SPINS = 7
JACOBIAN = jax.jit(jax.jacfwd(lambda vector: observe(collective(vector, SPINS))))
CUMULANTS = jax.jit(jax.jacrev(lambda vector: collective(vector, SPINS).cumulants("cold", order=4)))


def exact_reference(numbers):
    """The machine of numbers by path, from explicit spin matrices at 60 digits."""

    def take(field):
        return {name: numbers[f"{name}.{field}"] for name in COLLECTIVE_NAMES}

    density = {x + "s": take(f"spectral_density.{x}") for x in ("center", "width", "height")}
    interaction = numbers["interaction"]
    return collective_refrigerator(SPINS, take("temperature"), **density, interaction=interaction)


def exact_figures(vector):
    numbers = dict(zip(COLLECTIVE_PATHS, vector))
    machine = exact_reference(numbers)
    currents = {name: machine.current(name) for name in COLLECTIVE_NAMES}
    sigma = -sum(currents[name] / numbers[f"{name}.temperature"] for name in COLLECTIVE_NAMES)
    return [
        currents["cold"],
        machine.cumulants(["cold"], 2)[1],
        currents["cold"] / currents["work"],
        sigma,
    ]


@pytest.mark.parametrize("seed", range(4))
def test_gradients_agree_with_sixty_digit_differences(seed):
    # Where differences of floats reach 1e-7 of f / range, these check every derivative relative to
    # itself.
    vector = read(random_refrigerator(seed, SPINS), COLLECTIVE_PATHS)
    found = np.asarray(JACOBIAN(vector))
    with mp.workdps(100):
        start = [mp.mpf(float(x)) for x in vector]
        for k, path in enumerate(COLLECTIVE_PATHS):

            def moved(x):
                return mp.matrix(exact_figures([*start[:k], x, *start[k + 1 :]]))

            slopes = derivative(moved, start[k])
            assert relative_error(found[:, k], list(slopes)) < 1e-7, path


def test_derivatives_of_higher_cumulants_agree_with_sixty_digit_differences():
    path = "cold.temperature"
    vector = read(random_refrigerator(5, SPINS), COLLECTIVE_PATHS)
    found = CUMULANTS(vector)[:, COLLECTIVE_PATHS.index(path)]
    with mp.workdps(100):
        numbers = dict(zip(COLLECTIVE_PATHS, [mp.mpf(float(x)) for x in vector]))

        def exact(x):
            return mp.matrix(exact_reference({**numbers, path: x}).cumulants(["cold"], 4))

        expected = derivative(exact, numbers[path])
    assert relative_error(found, list(expected)) < 1e-7


def test_hessian_is_finite_symmetric_and_the_derivative_of_the_gradient():
    vector = jnp.asarray(read(FRIDGE, COLLECTIVE_PATHS))

    def current(v):
        return observe(collective(v, 31))[0]

    gradient = jax.jit(jax.grad(current))
    for second in (jax.jacfwd(jax.jacrev(current)), jax.jacrev(jax.jacrev(current))):
        hessian = np.asarray(jax.jit(second)(vector))
        assert np.all(np.isfinite(hessian))
        size = np.abs(np.asarray(vector)) ** -1.0
        scale = np.outer(size, size) * abs(float(current(vector)))
        # Entries in units of I_c / (x y): the narrow work filter makes some of them 1e6.
        # Rounding grows with them.
        assert np.abs((hessian - hessian.T) / scale).max() < 1e-9 * np.abs(hessian / scale).max()
        for k in (0, 4, 12):
            step = 1e-3 * float(collective_ranges(vector[None])[0, k])
            at = [gradient(vector.at[k].add(i * step)) for i in (-2, -1, 1, 2)]
            slope = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)
            error = (
                np.abs((hessian[k] - slope) / scale[k]).max() / np.abs(hessian[k] / scale[k]).max()
            )
            assert error < 1e-7


# Single precision


def test_float32_populations_are_accurate_entry_by_entry():
    small, large = (qtd.steady_state(machine.network()) for machine in (as_float32(FRIDGE), FRIDGE))
    assert small.dtype == jnp.float32
    normal = np.asarray(large) > 1e-37
    assert normal.sum() == 16
    np.testing.assert_allclose(np.asarray(small)[normal], np.asarray(large)[normal], rtol=1e-5)


def test_float32_is_kept_by_everything():
    machine = as_float32(FRIDGE)
    point = machine.operate()
    results = {
        "point": point,
        "figures": observe(machine),
        "carnot": (point.carnot_cop, point.cop_bound_from_noise, point.tur("cold"), point.power),
        "covariance": machine.covariance().matrix,
        "cumulants": machine.cumulants("cold", order=4),
        "gradient": jax.jit(jax.grad(lambda m: m.operate().heat_currents["cold"]))(machine),
        "reduced": (
            machine.reduced().current(),
            machine.reduced().noise(),
            machine.reduced().noise_hot_drive(),
        ),
        "laser": machine.reduced(laser=jnp.array(0.3, jnp.float32)).current(),
        "decay": machine.decay_time(spectral_density=as_float32(qtd.spectral.Ohmic(1.0, 100.0))),
        "transmitted": machine.transmitted_current(),
        "rectification": machine.rectification(),
        "mixture": machine.mixture(
            {15.5: jnp.array(0.9, jnp.float32), 14.5: jnp.array(0.1, jnp.float32)}
        ),
    }
    for name, result in results.items():
        for leaf in jax.tree.leaves(eqx.filter(result, eqx.is_inexact_array)):
            assert leaf.dtype == jnp.float32, name
    # The work current is what remains of fluxes 1e4 times larger, up and down: 1e4 eps = 1e-3, in
    # it and in the COP.
    np.testing.assert_allclose(observe(machine), observe(FRIDGE), rtol=1e-3)


@pytest.mark.parametrize("cold", [0.5, 0.05, 8e-3, 2e-3])
def test_closed_forms_hold_in_the_cold(cold):
    """Of the three lowest levels and of two, against elimination in high precision; nothing
    overflows, derivatives included."""
    fridge = qtd.replace(
        CollectiveRefrigerator(num_spins=31),
        {"cold.temperature": cold, "hot.temperature": 1.3 * cold},
    )
    ring = fridge.reduced()
    mp.mp.dps = 800
    gaps = [
        mp.mpf(float(ring.quanta[0])),
        mp.mpf(float(ring.quanta[0])) + mp.mpf(float(ring.quanta[1])),
        mp.mpf(float(ring.quanta[1])),
    ]
    n = [1 / mp.expm1(gap / mp.mpf(float(t))) for gap, t in zip(gaps, ring.temperatures)]
    (uc, dc), (uh, dh), (uw, dw) = (
        (mp.mpf(float(g)) * x, mp.mpf(float(g)) * (1 + x)) for g, x in zip(ring.strengths, n)
    )
    trees = dc * dh + dc * dw + dh * uw + uc * dw + uc * dh + uh * dw + uh * uw + uh * dc + uc * uw
    exact = gaps[0] * (uc * uw * dh - dc * dw * uh) / trees
    if abs(exact) > 1e-290:
        assert abs(float(ring.current()) / exact - 1) < 1e-11
    assert np.isfinite(float(ring.noise())) and float(ring.noise()) >= 0

    def moved(t):
        return qtd.replace(fridge, {"hot.temperature": t}).reduced()

    assert np.isfinite(float(jax.grad(lambda t: moved(t).current())(1.3 * cold)))
    assert np.isfinite(float(jax.grad(lambda t: moved(t).noise())(1.3 * cold)))
    for work in (1e-3, cold, 10.0):
        device = qtd.replace(fridge, {"work.temperature": work})
        current = float(device.transmitted_current())
        assert np.isfinite(current) and current * (cold - work) >= 0
        slope = jax.grad(
            lambda t: qtd.replace(fridge, {"work.temperature": t}).transmitted_current()
        )(work)
        assert np.isfinite(float(slope))
