"""What the two-qubit refrigerator does beside its numbers: bad input, dead edges, states, meters."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
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
    assert np.isfinite(float(qtd.replace(QubitRefrigerator("local"), {path: -0.7}).operate().heat_currents["cold"]))
    with pytest.raises(ValueError, match="finite"):
        qtd.replace(QubitRefrigerator(), {path: np.nan})


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: QubitRefrigerator("exact"), "`model` must be one of zz"),
        (lambda: QubitRefrigerator("zz", exchange=0.1), "`exchange` must be 0"),
        (
            lambda: QubitRefrigerator(hot=qtd.Reservoir(1.0, 0.0, "fermi", spectral_density=WideBand(1.0))),
            "`hot` must be a reservoir of bosons",
        ),
        (lambda: QubitRefrigerator().lindbladian(), "use `network"),
        (lambda: QubitRefrigerator().crossover([0.1, -1.0]), "`couplings` must be positive"),
        (lambda: QubitRefrigerator(hot=qtd.Reservoir(1.0, spectral_density=qtd.spectral.Ohmic(0.1, 5.0))).fixed_peak(), "Resonator"),
    ],
)
def test_bad_input_is_one_clear_line(build, words):
    with pytest.raises(ValueError, match=words) as raised:
        build()
    assert "\n" not in str(raised.value)


def cut(**cutoffs):
    return qtd.replace(QubitRefrigerator(), {f"{name}.spectral_density.cutoff": value for name, value in cutoffs.items()})


def test_an_edge_above_a_cutoff_stops_the_ring():
    point = cut(cold=2.05).operate()  # the cold reservoir no longer drives 1 <-> d
    assert float(point.heat_currents["cold"]) == 0.0 and float(point.heat_currents["hot"]) > 0 and int(point.status) == 0
    slope = jax.grad(lambda m: m.operate().heat_currents["hot"])(cut(cold=2.05))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(slope))


def test_states_that_no_reservoir_reaches_have_no_unique_steady_state():
    with pytest.raises(ValueError, match="steady state"):
        cut(hot=0.5, sink=0.5, cold=0.5).operate()


@pytest.mark.parametrize("model", ["zz", "global", "local", "redfield", "redfield-partial"])
def test_the_density_matrix_is_a_state(model):
    rho = QubitRefrigerator(model, energy_2=2.1, exchange=0.0 if model == "zz" else 0.05, coupling=0.01).density_matrix()
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
    at = lambda exchange: QubitRefrigerator("global", energy_2=2.1, exchange=exchange).operate().heat_currents["cold"]
    assert float(at(0.03)) == float(at(-0.03))


def test_the_validity_meter_reads_the_strength_of_the_coupling():
    meter = QubitRefrigerator(energy_2=2.1, model="global", exchange=0.002).validity()
    assert float(meter.rate_over_width) > 100 and float(meter.rate_over_splitting) > 100  # the paper's own point is far outside
    weak = QubitRefrigerator(energy_2=2.1, model="global", exchange=0.002, coupling=1e-5).validity()
    assert max(float(x) for x in jax.tree.leaves(weak)) < 1e-2


def test_relaxation_ends_in_the_steady_state_and_keeps_the_trace():
    device = QubitRefrigerator("local", energy_2=2.1, exchange=0.5, coupling=0.1).lindbladian()
    start = np.zeros((4, 4), complex)
    start[1, 1] = start[2, 2] = start[1, 2] = start[2, 1] = 0.5
    found = qtd.evolution.relax(device, jnp.asarray(start), jnp.array([0.0, 40.0, 0.3]))
    np.testing.assert_allclose(found[0], start, atol=1e-15)
    np.testing.assert_allclose(found[1], qtd.steady_state(device), atol=1e-8)  # the tolerance of the steps
    np.testing.assert_allclose(np.trace(found, axis1=1, axis2=2), 1, atol=1e-9)
    with pytest.raises(ValueError, match="trace 1"):
        qtd.evolution.relax(device, jnp.eye(4), jnp.array([1.0]))


def test_energy_of_the_device_is_printed_where_it_differs_from_the_quanta():
    assert "E_cold" in repr(QubitRefrigerator("local", energy_2=2.1, exchange=0.3, coupling=0.01).operate())
    assert "E_cold" not in repr(QubitRefrigerator("global", energy_2=2.1, exchange=0.3, coupling=0.01).operate())


def test_filters_fall_to_zero_beyond_the_cutoff_and_have_the_stated_peak():
    density = Resonator(2.0, 0.1, 1.0, 5.0)
    assert float(density(jnp.array(2.0))) == pytest.approx(1 / (0.1 * 2.0), rel=1e-15)
    assert float(density(jnp.array(5.1))) == 0.0
    assert float(density.per_energy(jnp.array(0.0))) == pytest.approx(0.1 / 4, rel=1e-15)
    assert float(density.per_energy(jnp.array(-1.3))) == float(density.per_energy(jnp.array(1.3)))


@pytest.mark.parametrize("coupling", [1e-3, 1e-6, 1e-9, 1e-12])
def test_rates_far_below_the_energies_cost_no_digits(coupling):
    # Trap: the condition number of the generator is the ratio of energies to rates.
    local, exact = (QubitRefrigerator(model, energy_2=2.1, coupling=coupling).operate() for model in ("local", "zz"))
    for name in ("hot", "cold"):  # the cold current is a thousandth of what goes back and forth
        assert float(local.heat_currents[name]) == pytest.approx(float(exact.heat_currents[name]), rel=1e-11)
    noise = lambda point: float(point.heat_covariance["cold", "cold"])
    assert noise(local) == pytest.approx(noise(exact), rel=1e-11)


def test_a_redfield_state_that_is_none_is_reported_and_kept():
    numbers = ((0.05, 1.0, 0.02), (1.5, 2.5, 0.1), (0.1, 0.7, 0.05))
    filters = [qtd.Reservoir(t, spectral_density=Resonator(center, width)) for t, center, width in numbers]
    found = [QubitRefrigerator("redfield", 1.0, 2.0, 0.1, exchange, 3.0, *filters) for exchange in np.linspace(0.05, 0.6, 12)]
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
    number = lambda x: mp.mpf(float(x))
    e1, e2, shift, exchange = (number(getattr(machine, name)) for name in ("energy_1", "energy_2", "shift", "exchange"))
    generator = mp.zeros(6, 6)  # populations of 0, 1, 2, d; Re and Im of the coherence of 1 and 2

    def rates(reservoir, gap):
        center, width = number(reservoir.spectral_density.center), number(reservoir.spectral_density.width)
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
    generator[1, 5], generator[2, 5], generator[5, 1], generator[5, 2] = -2 * exchange, 2 * exchange, exchange, -exchange
    right = mp.zeros(6, 1)
    right[0] = 1
    for column in range(6):
        generator[0, column] = int(column < 4)
    p = mp.lu_solve(generator, right)
    flow = lambda low, high, gap: gap * (rates(machine.cold, gap)[0] * p[low] - rates(machine.cold, gap)[1] * p[high])
    return flow(0, 2, e2) + flow(1, 3, e2 + shift)


@pytest.mark.parametrize("off", [1e-3, 1e-6, 1e-8])
def test_local_currents_keep_their_digits_near_the_point_where_cooling_stops(off):
    # The current is `off` times what rates of this precision know; pivoting without net flows lost 4 digits more.
    machine = QubitRefrigerator("local", energy_2=2.1, exchange=0.02)
    at = lambda temperature: qtd.replace(machine, {"cold.temperature": temperature})
    current = jax.jit(lambda temperature: at(temperature).operate().heat_currents["cold"])
    balanced = brentq(lambda temperature: float(current(temperature)), 0.3, 3.0, xtol=1e-15)
    near = at(balanced * (1 + off))
    exact = exact_cooling_current(near)
    assert abs(float(float(current(near.cold.temperature)) / exact - 1)) < 5e-15 / off
