"""What the two-qubit refrigerator does beside its numbers: bad input, states, meters, digits."""

import dataclasses

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from machines import (
    QUBIT_NAMES,
    QUBIT_PATHS,
    SPECIAL_QUBITS,
    Program,
    observe_qubits,
    qubit_row,
    qubits,
)
from papers.test_qubit_refrigerator import cooling, figure_3
from scipy.optimize import brentq

import qtd
from qtd.machines import QubitRefrigerator
from qtd.spectral import Resonator, WideBand
from qtd.steady import solve

PATHS = {
    "hot.temperature": "positive",
    "cold.temperature": "positive",
    "sink.spectral_density.width": "positive",
    "cold.spectral_density.cutoff": "positive",
    "coupling": "positive",
}


@pytest.mark.parametrize(("path", "words"), PATHS.items())
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_illegal_numbers_are_named(path, words, value):
    with pytest.raises(ValueError, match=words if np.isfinite(value) else "finite"):
        qtd.replace(QubitRefrigerator(), {path: value})


@pytest.mark.parametrize("path", ["energy_1", "shift", "hot.spectral_density.center"])
def test_energies_may_have_any_sign_but_must_be_finite(path):
    assert np.isfinite(
        float(qtd.replace(QubitRefrigerator("local"), {path: -0.7}).operate().heat_currents["cold"])
    )
    with pytest.raises(ValueError, match="finite"):
        qtd.replace(QubitRefrigerator(), {path: np.nan})


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: QubitRefrigerator("exact"), "`model` must be one of zz"),
        (lambda: QubitRefrigerator("zz", exchange=0.1), "`exchange` must be 0"),
        (
            lambda: QubitRefrigerator(
                hot=qtd.Reservoir(1.0, 0.0, "fermi", spectral_density=WideBand(1.0))
            ),
            "`hot` must be a reservoir of bosons",
        ),
        (lambda: QubitRefrigerator().lindbladian(), "use `network"),
        (lambda: QubitRefrigerator().crossover([0.1, -1.0]), "`couplings` must be positive"),
        (
            lambda: QubitRefrigerator(
                hot=qtd.Reservoir(1.0, spectral_density=qtd.spectral.Ohmic(0.1, 5.0))
            ).fixed_peak(),
            "Resonator",
        ),
    ],
)
def test_bad_input_is_one_clear_line(build, words):
    with pytest.raises(ValueError, match=words) as raised:
        build()
    assert "\n" not in str(raised.value)


def cut(**cutoffs):
    return qtd.replace(
        QubitRefrigerator(),
        {f"{name}.spectral_density.cutoff": value for name, value in cutoffs.items()},
    )


def test_an_edge_above_a_cutoff_stops_the_ring():
    point = cut(cold=2.05).operate()  # the cold reservoir no longer drives 1 <-> d
    assert (
        float(point.heat_currents["cold"]) == 0.0
        and float(point.heat_currents["hot"]) > 0
        and int(point.status) == 0
    )
    slope = jax.jit(jax.grad(lambda m: m.operate().heat_currents["hot"]))(cut(cold=2.05))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(slope))


def test_states_that_no_reservoir_reaches_have_no_unique_steady_state():
    with pytest.raises(ValueError, match="steady state"):
        cut(hot=0.5, sink=0.5, cold=0.5).operate()


@pytest.mark.parametrize("model", ["zz", "global", "local", "redfield", "redfield-partial"])
def test_the_density_matrix_is_a_state(model):
    rho = QubitRefrigerator(
        model, energy_2=2.1, exchange=0.0 if model == "zz" else 0.05, coupling=0.01
    ).density_matrix()
    assert np.trace(rho) == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(rho, np.conj(rho.T), atol=1e-16)
    assert np.linalg.eigvalsh(rho).min() > 0


def test_the_coherence_of_the_local_model_is_that_of_its_populations():
    machine = QubitRefrigerator("local", energy_2=2.1, exchange=0.02, coupling=0.1)
    rho, network = np.asarray(machine.density_matrix()), machine.network()
    exits = np.asarray(qtd.rate_matrix(network)).diagonal()
    decay, detuning = -(exits[1] + exits[2]), -0.1  # A17
    wanted = 0.02 * (rho[1, 1] - rho[2, 2]).real / (detuning - 0.5j * decay)
    assert complex(rho[1, 2]) == pytest.approx(complex(wanted), rel=1e-12)


def test_global_keeps_its_currents_when_the_exchange_changes_sign():
    def at(exchange):
        return (
            QubitRefrigerator("global", energy_2=2.1, exchange=exchange)
            .operate()
            .heat_currents["cold"]
        )

    assert float(at(0.03)) == float(at(-0.03))


def test_the_validity_meter_reads_the_strength_of_the_coupling():
    meter = QubitRefrigerator(energy_2=2.1, model="global", exchange=0.002).rate_ratios()
    # The paper's own point is far outside.
    assert float(meter.rate_over_width) > 100 and float(meter.rate_over_splitting) > 100
    weak = QubitRefrigerator(
        energy_2=2.1, model="global", exchange=0.002, coupling=1e-5
    ).rate_ratios()
    assert max(float(x) for x in jax.tree.leaves(weak)) < 1e-2


def test_relaxation_ends_in_the_steady_state_and_keeps_the_trace():
    device = QubitRefrigerator("local", energy_2=2.1, exchange=0.5, coupling=0.1).lindbladian()
    start = np.zeros((4, 4), complex)
    start[1, 1] = start[2, 2] = start[1, 2] = start[2, 1] = 0.5
    found = qtd.evolution.relax(device, jnp.asarray(start), jnp.array([0.0, 40.0, 0.3]))
    np.testing.assert_allclose(found[0], start, atol=1e-15)
    # The tolerance of the steps.
    np.testing.assert_allclose(found[1], qtd.steady_state(device), atol=1e-8)
    np.testing.assert_allclose(np.trace(found, axis1=1, axis2=2), 1, atol=1e-9)
    with pytest.raises(ValueError, match="trace 1"):
        qtd.evolution.relax(device, jnp.eye(4), jnp.array([1.0]))


def test_energy_of_the_device_is_printed_where_it_differs_from_the_quanta():
    assert "E_cold" in repr(
        QubitRefrigerator("local", energy_2=2.1, exchange=0.3, coupling=0.01).operate()
    )
    assert "E_cold" not in repr(
        QubitRefrigerator("global", energy_2=2.1, exchange=0.3, coupling=0.01).operate()
    )


@pytest.mark.parametrize("coupling", [1e-3, 1e-6, 1e-9, 1e-12])
def test_rates_far_below_the_energies_cost_no_digits(coupling):
    # Trap: the condition number of the generator is the ratio of energies to rates.
    local, exact = (
        QubitRefrigerator(model, energy_2=2.1, coupling=coupling).operate()
        for model in ("local", "zz")
    )
    for name in ("hot", "cold"):  # the cold current is a thousandth of what goes back and forth
        assert float(local.heat_currents[name]) == pytest.approx(
            float(exact.heat_currents[name]), rel=1e-11
        )

    def noise(point):
        return float(point.heat_covariance["cold", "cold"])

    assert noise(local) == pytest.approx(noise(exact), rel=1e-11)


def test_a_redfield_state_that_is_none_is_reported_and_kept():
    numbers = ((0.05, 1.0, 0.02), (1.5, 2.5, 0.1), (0.1, 0.7, 0.05))
    filters = [
        qtd.Reservoir(t, spectral_density=Resonator(center, width)) for t, center, width in numbers
    ]
    found = [
        QubitRefrigerator("redfield", 1.0, 2.0, 0.1, exchange, 3.0, *filters)
        for exchange in np.linspace(0.05, 0.6, 12)
    ]
    for machine in found:
        eigenvalue, point = float(solve(machine.system()).smallest_eigenvalue), machine.operate()
        assert (point.status == qtd.Status.NOT_POSITIVE) == (eigenvalue < -1e-13)
        assert np.isfinite(float(point.heat_currents["cold"]))
    assert any(machine.operate().status == qtd.Status.NOT_POSITIVE for machine in found)
    assert "Redfield" in qtd.Status.NOT_POSITIVE.message


# --- Digits of currents that nearly vanish ---


def exact_cooling_current(machine):
    """Of the model "local", without the redundant equation, with 50 digits."""
    mp.mp.dps = 50

    def number(x):
        return mp.mpf(float(x))

    e1, e2, shift, exchange = (
        number(getattr(machine, name)) for name in ("energy_1", "energy_2", "shift", "exchange")
    )
    generator = mp.zeros(6, 6)  # populations of 0, 1, 2, d; Re and Im of the coherence of 1 and 2

    def rates(reservoir, gap):
        center = number(reservoir.spectral_density.center)
        width = number(reservoir.spectral_density.width)
        density = width * gap / ((gap - center) ** 2 + (width * gap) ** 2)
        up = density / mp.expm1(gap / number(reservoir.temperature))
        return up, up + density

    def jump(low, high, reservoir, gap):
        for start, end, rate in zip((low, high), (high, low), rates(reservoir, gap)):
            generator[end, start] += rate
            generator[start, start] -= rate

    for reservoir in (machine.hot, machine.sink):
        jump(0, 1, reservoir, e1), jump(2, 3, reservoir, e1 + shift)
    jump(0, 2, machine.cold, e2), jump(1, 3, machine.cold, e2 + shift)
    decay = (generator[1, 1] + generator[2, 2]) / 2
    generator[4, 4] = generator[5, 5] = decay
    generator[4, 5], generator[5, 4] = e1 - e2, e2 - e1
    generator[1, 5], generator[2, 5], generator[5, 1], generator[5, 2] = (
        -2 * exchange,
        2 * exchange,
        exchange,
        -exchange,
    )
    right = mp.zeros(6, 1)
    right[0] = 1
    for column in range(6):
        generator[0, column] = int(column < 4)
    p = mp.lu_solve(generator, right)

    def flow(low, high, gap):
        return gap * (rates(machine.cold, gap)[0] * p[low] - rates(machine.cold, gap)[1] * p[high])

    return flow(0, 2, e2) + flow(1, 3, e2 + shift)


@pytest.mark.parametrize("off", [1e-3, 1e-6, 1e-8])
def test_local_currents_keep_their_digits_near_the_point_where_cooling_stops(off):
    # The current is `off` times what rates of this precision know; pivoting without net flows lost
    # 4 digits more.
    machine = QubitRefrigerator("local", energy_2=2.1, exchange=0.02)

    def at(temperature):
        return qtd.replace(machine, {"cold.temperature": temperature})

    current = jax.jit(lambda temperature: at(temperature).operate().heat_currents["cold"])
    balanced = brentq(lambda temperature: float(current(temperature)), 0.3, 3.0, xtol=1e-15)
    near = at(balanced * (1 + off))
    exact = exact_cooling_current(near)
    assert abs(float(float(current(near.cold.temperature)) / exact - 1)) < 5e-15 / off


def exact_ring(machine):
    """J_hot, J_cold with 120 digits, from the definition (Eq. 7) and the steady state of four rates
    up and down."""
    mp.mp.dps = 120

    def number(x):
        return mp.mpf(float(x))

    low, high = number(machine.energy_1), number(machine.energy_1) + number(machine.shift)
    cold = number(machine.energy_2), number(machine.energy_2) + number(machine.shift)

    def rates(reservoir, gap):
        density, t = reservoir.spectral_density, number(reservoir.temperature)
        k = (
            number(density.width)
            * gap
            / ((gap - number(density.center)) ** 2 + (number(density.width) * gap) ** 2)
        )
        return k / mp.expm1(gap / t), k / (-mp.expm1(-gap / t))

    up = {
        (name, gap): rates(getattr(machine, name), gap)[0]
        for name in ("hot", "sink")
        for gap in (low, high)
    }
    down = {
        (name, gap): rates(getattr(machine, name), gap)[1]
        for name in ("hot", "sink")
        for gap in (low, high)
    }
    matrix, joined = mp.zeros(4), ((0, 1, low), (2, 3, high))
    for a, b, gap in joined:
        for name in ("hot", "sink"):
            matrix[b, a] += up[name, gap]
            matrix[a, b] += down[name, gap]
    for (a, b), gap in zip(((0, 2), (1, 3)), cold):
        matrix[b, a], matrix[a, b] = rates(machine.cold, gap)
    for a in range(4):
        matrix[a, a] = -sum(matrix[b, a] for b in range(4) if b != a)
    matrix[0, :] = mp.matrix([[1, 1, 1, 1]])
    p = mp.lu_solve(matrix, mp.matrix([1, 0, 0, 0]))
    hot = sum(gap * (up["hot", gap] * p[a] - down["hot", gap] * p[b]) for a, b, gap in joined)
    heat = sum(
        gap * (rates(machine.cold, gap)[0] * p[a] - rates(machine.cold, gap)[1] * p[b])
        for (a, b), gap in zip(((0, 2), (1, 3)), cold)
    )
    mp.mp.dps = 15
    return hot, heat


@pytest.mark.parametrize(
    ("bias", "width"),
    [
        (1e-6, 0.02),
        (1e-10, 0.02),
        (1e-6, 1e-6),
        (0.2, 1e-10),
        (1e-10, 1e-10),
        (0.95, 0.02),
        (-1e-8, 0.02),
        (0.995, 1e-8),
    ],
)
def test_ring_currents_are_exact_where_null_vectors_fail(bias, width):
    # Trap: float64 null vectors lose between four and all digits at these points.
    machine = figure_3(0.1, bias)
    machine = qtd.replace(
        machine,
        {
            f"{name}.spectral_density.width": width * share
            for name, share in zip(QUBIT_NAMES, (1, 4, 3))
        },
    )
    point, exact = machine.operate(), exact_ring(machine)
    for name, wanted in zip(("hot", "cold"), exact):
        assert abs(float(point.heat_currents[name]) / float(wanted) - 1) < 1e-12, name
    assert abs(float(machine.ring().affinity)) > 0


# --- Slopes ---


def test_linear_response_is_the_slope_at_equal_temperatures():
    machine = figure_3(0.1, 0.0)

    def slope(bias):
        return cooling(
            qtd.replace(machine, {"hot.temperature": 1 + bias, "cold.temperature": 1 - bias})
        )

    assert float(machine.linear_response(1.0)) == pytest.approx(
        float(jax.jit(jax.grad(slope))(0.0)), rel=1e-12
    )


def test_ties_add_the_motion_of_the_filters_to_the_slope():
    machine = figure_3(0.1, 0.2, energy_1=2.0)
    free = jax.jit(jax.grad(cooling))(machine)
    tied = jax.jit(jax.grad(lambda m: cooling(m.tied())))(machine)
    wanted = free.energy_1 + free.hot.spectral_density.center + free.sink.spectral_density.center
    assert float(tied.energy_1) == pytest.approx(float(wanted), rel=1e-12)
    assert float(tied.hot.spectral_density.center) == 0.0
    peak = machine.fixed_peak()
    assert [float(getattr(peak, name).spectral_density.strength) for name in QUBIT_NAMES] == [
        0.02,
        0.08,
        0.06,
    ]


def test_gradients_next_to_a_gap_at_the_cutoff_agree_with_differences():
    cutoff = 2.2  # energy_1 + shift is 0.03 below it
    vector = [2.0, 1.8, 0.17, 0.05, 0.1, 1.2, 2.0, 0.3, 1.0, 2.1, 0.3, 0.8, 2.0, 0.3, cutoff]
    run = Program(dataclasses.replace(qubit_row("local"), draw=lambda: np.array([vector])))
    wanted = np.stack([run.difference(way)[0] for way in range(len(QUBIT_PATHS))], axis=-1)
    scale = np.abs(wanted).max(axis=2, keepdims=True)
    assert np.abs((run.jacobian - wanted) / scale).max() < 1e-7


def test_exactly_at_equal_levels_without_exchange_global_is_the_local_basis():
    vector = jnp.array([*SPECIAL_QUBITS[0], 20.0]).at[QUBIT_PATHS.index("exchange")].set(0.0)

    def observed(model, vector):
        return observe_qubits(qubits(model, vector))[0]

    found, wanted = observed("global", vector), observed("zz", vector)
    # The ring's closed form against differences of fluxes.
    np.testing.assert_allclose(found[:4], wanted[:4], rtol=1e-9)
    assert bool(
        jnp.all(jnp.isfinite(jax.jit(jax.grad(lambda x: observed("global", x)[0]))(vector)))
    )


# --- The ring of the model "zz" at any temperatures ---


def ring_in_high_precision(vector):
    """Heat currents of the four-state ring, by elimination in 900 digits: flows are tiny
    differences where it is cold."""
    mp.mp.dps = 900
    e1, e2, shift, coupling, *temperatures = (mp.mpf(float(x)) for x in vector[:7])
    filters = {
        name: [mp.mpf(float(x)) for x in vector[7 + 2 * i : 9 + 2 * i]]
        for i, name in enumerate(("hot", "sink", "cold"))
    }
    baths = dict(zip(filters, temperatures))

    def rates(name, gap):
        center, width = filters[name]
        per_energy = coupling * width / ((gap - center) ** 2 + (width * gap) ** 2)
        return per_energy * gap / mp.expm1(gap / baths[name]), -per_energy * gap / mp.expm1(
            -gap / baths[name]
        )

    edges = [
        ("hot", 0, 1, e1),
        ("hot", 2, 3, e1 + shift),
        ("sink", 0, 1, e1),
        ("sink", 2, 3, e1 + shift),
    ]
    edges = [
        (*edge, *rates(edge[0], edge[3]))
        for edge in (*edges, ("cold", 0, 2, e2), ("cold", 1, 3, e2 + shift))
    ]
    rate = [[mp.mpf(0)] * 4 for _ in range(4)]
    for _, low, high, _, up, down in edges:
        rate[high][low] += up
        rate[low][high] += down
    for k in (3, 2, 1):
        leaving = sum(rate[j][k] for j in range(k))
        for i in range(k):
            for j in range(k):
                rate[i][j] += rate[i][k] / leaving * rate[k][j] if i != j else 0
    p = [mp.mpf(1)]
    for k in (1, 2, 3):
        p.append(sum(rate[k][j] * p[j] for j in range(k)) / sum(rate[j][k] for j in range(k)))
    heat = dict.fromkeys(filters, mp.mpf(0))
    for name, low, high, gap, up, down in edges:
        heat[name] += gap * (up * p[low] - down * p[high]) / sum(p)
    return heat


def ring_of(vector):
    baths = [
        qtd.Reservoir(
            vector[4 + i], spectral_density=Resonator(vector[7 + 2 * i], vector[8 + 2 * i])
        )
        for i in range(3)
    ]
    return QubitRefrigerator("zz", vector[0], vector[1], vector[2], 0.0, vector[3], *baths)


def ring_vectors(count):
    """Temperatures from 1e-4 to 1e6 in every order, a third of the devices near equilibrium."""
    rng = np.random.default_rng(5)
    temperatures = 10 ** rng.uniform(-4, 6, (count, 3))
    near = rng.random(count) < 0.33
    close = 10 ** rng.uniform(-2, 6, (count, 1)) * (1 + 10 ** rng.uniform(-12, -3, (count, 3)))
    temperatures = np.where(near[:, None], close, temperatures)
    shift = rng.uniform(0.05, 1, (count, 1)) * rng.choice([-1, 1], (count, 1))
    filters = [
        part
        for _ in range(3)
        for part in (rng.uniform(1, 3, (count, 1)), 10 ** rng.uniform(-4, 0, (count, 1)))
    ]
    levels = np.stack(
        [rng.uniform(0.5, 3, count), rng.uniform(1.2, 3, count)], axis=1
    ) + np.maximum(-shift, 0)
    return np.concatenate(
        [levels, shift, 10 ** rng.uniform(-3, 1, (count, 1)), temperatures, *filters], axis=1
    )


@pytest.mark.digits
def test_the_ring_is_right_at_any_temperatures_in_every_order():
    @jax.jit
    @jax.vmap
    def run(vector):
        def cold(v):
            return ring_of(v).operate().heat_currents["cold"]

        point = ring_of(vector).operate()
        return point.heat_currents, point.status, jax.grad(cold)(vector)

    vectors = ring_vectors(80)
    heat, status, slopes = run(jnp.asarray(vectors))
    assert np.all(np.asarray(status) == 0) and np.all(np.isfinite(slopes))
    for k, vector in enumerate(vectors):
        exact = ring_in_high_precision(vector)
        largest = max(abs(x) for x in exact.values())
        if largest > 1e-290:
            assert all(
                abs(float(heat[name][k]) - x) < 1e-12 * largest for name, x in exact.items()
            ), k
        if abs(exact["cold"]) > 1e-290:
            assert abs(float(heat["cold"][k]) / exact["cold"] - 1) < 5e-12, k


def test_a_cold_sink_cools_as_the_network_says():
    cold = qtd.replace(QubitRefrigerator(), {"sink.temperature": 0.05})
    assert float(cold.operate().heat_currents["cold"]) == pytest.approx(2.0512e-3, rel=1e-4)
    for t in (0.05, 0.0025, 1e-4):
        point = qtd.replace(QubitRefrigerator(), {"sink.temperature": t}).operate()
        assert int(point.status) == 0 and np.isfinite(float(point.heat_currents["cold"]))


@pytest.mark.parametrize("temperature", [0.5, 0.02, 2e-3, 1e-4])
def test_closed_forms_of_linear_response_hold_in_the_cold(temperature):
    machine = qtd.replace(
        QubitRefrigerator(),
        {f"{name}.temperature": temperature for name in ("hot", "sink", "cold")},
    )
    bias = 1e-6 * temperature
    biased = qtd.replace(
        machine, {"hot.temperature": temperature + bias, "cold.temperature": temperature - bias}
    )
    exact = float(biased.operate().heat_currents["cold"])
    assert float(machine.linear_response(bias)) == pytest.approx(exact, rel=1e-3, abs=1e-300)
    density = machine.sink.spectral_density
    parts = {"center": density.center, "width": density.width}
    equal = qtd.replace(
        machine,
        {
            f"{name}.spectral_density.{part}": x
            for name in ("hot", "cold")
            for part, x in parts.items()
        },
    )
    assert np.isfinite(float(equal.small_shift(bias))) and float(equal.small_shift(bias)) <= 0
    for closed in (machine.linear_response, equal.small_shift):
        assert np.isfinite(float(jax.grad(lambda b, closed=closed: closed(b))(bias)))
    slope = jax.grad(lambda t: qtd.replace(machine, {"sink.temperature": t}).linear_response(bias))(
        temperature
    )
    assert np.isfinite(float(slope))
