"""What the two-resonator refrigerator does beside its numbers: bad input, digits, both methods."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from machines import observe_green_functions, random_resonators, resonators
from papers.test_resonator_refrigerator import figure_7

import qtd
from qtd.machines import ResonatorRefrigerator
from qtd.spectral import Lorentzian, Resonator

NAMES = ("hot", "sink", "cold")


def broad(levels=(4, 3), shift=0.1, strength=1.0, cutoff=8.0, energies=(2.0, 1.7)):
    """Filters of a width for which coupling and shift can be made small."""
    made = [
        qtd.Reservoir(t, spectral_density=Resonator(center, 0.3, strength, cutoff))
        for t, center in zip((2.0, 1.0, 0.9), (1.3, 2.9, 2.4))
    ]
    return ResonatorRefrigerator(levels, *energies, shift, *made)


def generator(machine):
    """W as a sum over n_1, n_2 of Kronecker products, level n_1 N_2 + n_2."""
    first, second = machine.levels
    raise_one = np.diag(np.sqrt(np.arange(1, first)), -1)
    raise_two = np.diag(np.sqrt(np.arange(1, second)), -1)
    total = np.zeros((first * second,) * 2)
    for name, reservoir in machine.reservoirs.items():
        own, others = (raise_one, second) if name != "cold" else (raise_two, first)
        for n in range(others):
            energy = machine.energy_2 if name == "cold" else machine.energy_1
            up, down = (float(x) for x in reservoir.rates(energy + machine.shift * n))
            at = np.zeros((others, others))
            at[n, n] = 1
            jump = up * own**2 + down * own.T**2
            total += np.kron(at, jump) if name == "cold" else np.kron(jump, at)
    return total - np.diag(total.sum(axis=0))


@pytest.mark.parametrize("levels", [(2, 2), (4, 3), (2, 5), (6, 1)])
def test_the_generator_is_that_of_creation_operators(levels):
    machine = broad(levels)
    found = np.asarray(qtd.rate_matrix(machine.network()))
    if levels[0] < levels[1]:  # then n_1 runs fastest
        order = np.arange(found.shape[0]).reshape(levels[::-1]).T.ravel()
        found = found[np.ix_(order, order)]
    np.testing.assert_allclose(found, generator(machine), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(
        generator(machine) @ np.asarray(machine.populations()).ravel(), 0, atol=1e-14
    )


def test_moments_and_photon_currents():
    machine = broad((8, 8))
    p = np.asarray(machine.populations())
    moments = machine.moments()
    photons = machine.photon_currents()
    n = np.arange(8)
    np.testing.assert_allclose(
        [moments.first, moments.second, moments.product],
        [n @ p.sum(1), p.sum(0) @ n, n @ p @ n],
        rtol=1e-14,
    )
    np.testing.assert_allclose(moments.top, [p[-1].sum(), p[:, -1].sum()], rtol=1e-14)
    assert (
        abs(float(photons["cold"])) < 1e-15 and abs(float(photons["hot"] + photons["sink"])) < 1e-15
    )
    assert float(photons["hot"]) > 1e-3


@pytest.mark.parametrize("shift", [1e-3, 1e-5, 1e-7])
def test_the_cooling_current_keeps_its_digits_at_small_shifts(shift):
    # It is of order shift^2, while the photons that go back and forth carry energies of order 1.
    machine = broad((3, 2), shift)
    mp.mp.dps = 50

    def number(x):
        return mp.mpf(float(x))

    generator, flows = mp.zeros(6, 6), []

    def jump(low, high, reservoir, gap, photons, n_1=None):
        density, t = reservoir.spectral_density, number(reservoir.temperature)
        k = (
            number(density.width)
            * gap
            / ((gap - number(density.center)) ** 2 + (number(density.width) * gap) ** 2)
        )
        up, down = photons * k / mp.expm1(gap / t), photons * k / (-mp.expm1(-gap / t))
        for start, end, rate in ((low, high, up), (high, low, down)):
            generator[end, start] += rate
            generator[start, start] -= rate
        if n_1 is not None:
            flows.append((n_1, low, high, up, down))

    for n_1 in range(3):
        for n_2 in range(2):
            place = 2 * n_1 + n_2
            if n_1 < 2:
                for reservoir in (machine.hot, machine.sink):
                    jump(
                        place,
                        place + 2,
                        reservoir,
                        number(machine.energy_1) + number(machine.shift) * n_2,
                        n_1 + 1,
                    )
            if n_2 < 1:
                jump(
                    place,
                    place + 1,
                    machine.cold,
                    number(machine.energy_2) + number(machine.shift) * n_1,
                    n_2 + 1,
                    n_1,
                )
    for column in range(6):
        generator[0, column] = 1
    p = mp.lu_solve(generator, mp.matrix([1, 0, 0, 0, 0, 0]))
    wanted = number(machine.shift) * sum(
        n_1 * (up * p[low] - down * p[high]) for n_1, low, high, up, down in flows
    )
    mp.mp.dps = 15
    # What level spacings of this precision know.
    assert abs(float(machine.operate().heat_currents["cold"]) / float(wanted) - 1) < 2e-15 / shift


def test_a_box_of_sixty_by_sixty_levels_has_the_current_of_the_converged_one():
    machine = ResonatorRefrigerator((60, 60))
    populations = np.asarray(machine.populations())
    assert populations.min() > 0 and populations.min() == pytest.approx(7e-147, rel=0.03)
    large, converged = (
        m.operate().heat_currents["cold"] for m in (machine, ResonatorRefrigerator((24, 24)))
    )
    assert abs(float(large / converged - 1)) < 1e-9 and machine.network().topology.bandwidth == 60


def test_the_smaller_resonator_sets_the_bandwidth():
    assert (
        broad((30, 4)).network().topology.bandwidth
        == broad((4, 30)).network().topology.bandwidth
        == 4
    )


@pytest.mark.parametrize("levels", [(5, 1), (1, 5)])
def test_a_resonator_without_excited_levels_neither_cools_nor_heats(levels):
    point = broad(levels).operate()
    assert float(point.heat_currents["cold"]) == 0
    if levels == (5, 1):
        # One resonator between two reservoirs: e_1 g_h g_s (n_h - n_s) / (g_h + g_s), when no level
        # is missing.
        machine = broad((40, 1))
        rates = [machine.hot.rates(machine.energy_1), machine.sink.rates(machine.energy_1)]
        (n_hot, g_hot), (n_sink, g_sink) = (
            (float(up / (down - up)), float(down - up)) for up, down in rates
        )
        wanted = 2.0 * g_hot * g_sink * (n_hot - n_sink) / (g_hot + g_sink)
        assert float(machine.operate().heat_currents["hot"]) == pytest.approx(wanted, rel=1e-7)


def test_without_a_shift_nothing_cools_and_the_cop_is_zero():
    point = broad(shift=0.0).operate()
    assert float(point.heat_currents["cold"]) == 0 and float(point.cop) == 0
    assert bool(
        jnp.isfinite(
            jax.jit(jax.grad(lambda s: broad(shift=s).operate().heat_currents["cold"]))(0.0)
        )
    )
    assert float(broad(shift=0.0).keldysh(points=1024).heat_currents["cold"]) == 0


def test_truncation_is_flagged_and_its_numbers_kept():
    point = broad((3, 3)).operate()
    assert (
        int(point.status) == qtd.Status.TRUNCATED
        and np.isfinite(float(point.cop))
        and "levels" in repr(point)
    )
    assert int(broad((14, 8)).operate().status) == 0
    assert int(jax.jit(lambda m: m.operate().status)(broad((14, 3)))) == qtd.Status.TRUNCATED


@pytest.mark.parametrize(
    "path",
    ["temperature", "spectral_density.width", "spectral_density.center", "spectral_density.cutoff"],
)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_illegal_reservoirs_are_named(name, path, value):
    with pytest.raises(ValueError, match=f"{path.split('.')[-1]}` must be"):
        qtd.replace(broad(), {f"{name}.{path}": value})


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: broad((0, 3)), "`levels` must be two whole numbers"),
        (lambda: broad((1, 1)), "not both 1"),
        (lambda: broad((2.5, 3)), "`levels` must be two whole numbers"),
        (lambda: broad((3,)), "`levels` must be two whole numbers"),
        (lambda: broad((3, 3), -1.0), "`shift` must leave all level spacings positive"),
        (lambda: broad(energies=(-2.0, 1.0)), "`energy_1` must be positive"),
        (lambda: qtd.replace(broad(), {"cold.spectral_density.strength": -1.0}), "strength"),
        (lambda: broad().operate("exact"), "`method` must be"),
        (
            lambda: broad(cutoff=2.0, shift=0.4, energies=(1.5, 1.5), levels=(3, 3)).operate(),
            "No unique steady state",
        ),
        (
            lambda: broad(cutoff=1.4, shift=-0.2, energies=(1.5, 1.5), levels=(3, 3)).operate(),
            "No unique steady state",
        ),
        (
            lambda: qtd.replace(broad(), {"cold.spectral_density.strength": 0.0}).operate(),
            "No unique steady state",
        ),
        (
            lambda: qtd.replace(
                broad(), {f"{name}.spectral_density.strength": 0.0 for name in ("hot", "sink")}
            ).operate(),
            "No unique steady state",
        ),
        (
            lambda: qtd.replace(broad(), {"cold.spectral_density.strength": 0.0}).keldysh(),
            "`strength` is 0",
        ),
        (lambda: broad(strength=40.0).operate("keldysh"), "unstable"),
    ],
)
def test_what_is_not_legal_is_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_what_is_legal_is_computed():
    negative = broad((3, 3), -0.5)
    assert np.isfinite(float(negative.operate().heat_currents["cold"]))
    # 2.8 and 1.8: only the first is out of the band.
    one_beyond = broad((3, 3), 0.4, cutoff=2.5, energies=(2.0, 1.0))
    assert np.isfinite(float(one_beyond.operate().heat_currents["cold"]))
    other_filters = qtd.replace(broad(), {})
    lorentzian = ResonatorRefrigerator(
        (3, 3),
        **{
            name: qtd.Reservoir(1.0 + 0.1 * i, spectral_density=Lorentzian(1.0, 0.1))
            for i, name in enumerate(NAMES)
        },
    )
    assert np.isfinite(
        float(lorentzian.operate().heat_currents["hot"])
    ) and other_filters.levels == (4, 3)


def test_one_bad_point_spoils_no_other():
    shifts = jnp.array([0.1, -3.0, jnp.nan, 0.2])
    machines = jax.vmap(lambda shift: qtd.replace(broad(), {"shift": shift}))(shifts)
    points = jax.jit(jax.vmap(lambda m: m.operate()))(machines)
    assert points.status.tolist() == [
        qtd.Status.TRUNCATED,
        *[qtd.Status.INVALID_PARAMETER] * 2,
        qtd.Status.TRUNCATED,
    ]
    assert np.isnan(np.asarray(points.heat_currents["cold"])).tolist() == [False, True, True, False]


def test_one_call_compares_the_methods_where_both_hold():
    machine = broad((30, 16), 1e-4, 1e-3)
    rates, greens = machine.operate(), machine.operate("keldysh", points=2**17)
    assert int(greens.status) == 0 and np.isnan(float(greens.heat_covariance["cold", "cold"]))
    assert float(rates.heat_currents["hot"]) == pytest.approx(
        float(greens.heat_currents["hot"]), rel=0.01
    )
    assert float(rates.heat_currents["cold"]) == pytest.approx(
        float(greens.heat_currents["cold"]), rel=0.02
    )
    assert float(greens.heat_currents["cold"]) == pytest.approx(
        float(machine.weak_coupling_current()), rel=0.02
    )
    assert (
        float(rates.cop) == pytest.approx(float(greens.cop), rel=0.02) and rates.mode == greens.mode
    )


def test_scaled_strengths_scale_the_currents_and_nothing_else():
    one, other = broad(), broad(strength=1e-3)
    np.testing.assert_allclose(one.populations(), other.populations(), rtol=1e-13)
    for name in NAMES:
        assert float(other.operate().heat_currents[name]) == pytest.approx(
            1e-3 * float(one.operate().heat_currents[name]), rel=1e-10
        )


def test_filters_can_be_tied_and_share_a_cutoff():
    machine = broad(shift=0.2).tied().with_cutoff(9.0)
    assert [
        float(getattr(machine, name).spectral_density.center) for name in NAMES
    ] == pytest.approx([2.0, 2.2, 1.9])
    assert [float(getattr(machine, name).spectral_density.cutoff) for name in NAMES] == [9.0] * 3
    assert float(machine.tight_coupling_cop) == pytest.approx(0.1)


def test_a_number_of_levels_can_be_replaced():
    machine = qtd.replace(broad(), {"levels": (5, 5), "shift": 0.2})
    assert machine.levels == (5, 5) and machine.populations().shape == (5, 5)


@pytest.mark.parametrize("method", ["rates", "keldysh"])
def test_known_parameters_may_be_closed_over_in_compiled_code(method):
    # Trap: what is known stays concrete while a function is traced, but what jax.numpy makes of it
    # does not.
    machine = broad()
    warm = jax.jit(
        lambda t: (
            qtd.replace(machine, {"cold.temperature": t})
            .operate(method, points=1024)
            .heat_currents["cold"]
        )
    )
    known = jax.jit(lambda: machine.operate(method, points=1024).heat_currents["cold"])
    assert float(warm(0.9)) == pytest.approx(float(known()), rel=1e-12)
    made = jax.jit(lambda: broad().operate(method, points=1024).heat_currents["cold"])
    assert float(made()) == pytest.approx(float(known()), rel=1e-12)


def test_two_levels_each_are_the_two_qubits():
    machine = figure_7((2, 2))
    order = [0, 2, 1, 3]  # of 00, 01, 10, 11
    qubits = qtd.machines.QubitRefrigerator(
        "zz", 1.0, 1.0, 0.05, 0.0, 1.0, machine.hot, machine.sink, machine.cold
    )
    matrix = qtd.rate_matrix(qubits.network())[jnp.asarray(order)][:, jnp.asarray(order)]
    np.testing.assert_allclose(qtd.rate_matrix(machine.network()), matrix, rtol=1e-14, atol=0)


def test_the_slope_with_the_band_agrees_with_differences():
    vector = jnp.array(random_resonators(0))

    def current(cutoff):
        return observe_green_functions(resonators(vector, cutoff=cutoff))[0][0]

    run = jax.jit(jax.value_and_grad(current))

    def at(n):
        return float(run(6.0 + 0.03 * n)[0])

    wanted = (
        sum(weight * (at(n) - at(-n)) / (2 * n) for n, weight in ((1, 1.5), (2, -0.6), (3, 0.1)))
        / 0.03
    )
    assert float(run(6.0)[1]) == pytest.approx(wanted, rel=1e-6)
    fridge = resonators(vector)
    by_machine = jax.jit(
        jax.grad(
            lambda cutoff: fridge.with_cutoff(cutoff).keldysh("causal", 4096).heat_currents["cold"]
        )
    )(6.0)
    assert float(by_machine) == pytest.approx(wanted, rel=1e-6)
