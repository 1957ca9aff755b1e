"""Lindbladians of many numbers, whose generator is applied and not written down, against the same
devices with it written down, QuTiP, and the laws."""

import time
from functools import reduce
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import as_float32, central_difference

import qtd
from qtd._numerics import structure
from qtd.audits._coherent import slow_modes
from qtd.counting import cumulants
from qtd.spectral import Ohmic, Peaked

EVERY_APPROACH = pytest.mark.parametrize("approach", ["local", "global", "redfield"])
NUMBER = np.diag([0.0, 1.0])
X, Y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, -1j], [1j, 0.0]])
RAISE = np.array([[0.0, 0.0], [1.0, 0.0]])
TEMPERATURE = "reservoirs.hot.temperature"


def on(site, operator, sites):
    return reduce(np.kron, [operator if i == site else np.eye(2) for i in range(sites)])


def hop(a, b, sites):
    made = on(a, RAISE, sites) @ on(b, RAISE.T, sites)
    return made + made.T


def chain(sites, approach, spread=0.2, exchange=0.05, coupling=0.01, operator=X, **changes):
    """Qubits in a row that exchange quanta, a hot reservoir at one end and a cold one at the
    other."""
    energies = 1 + spread * np.random.default_rng(sites).uniform(-0.5, 0.5, sites)
    ohmic = Ohmic(coupling, 10.0)
    arguments = {
        "bare": {str(i): (energies[i], on(i, NUMBER, sites)) for i in range(sites)},
        "interaction": {"hop": (exchange, sum(hop(i, i + 1, sites) for i in range(sites - 1)))},
        "couplings": {"hot": on(0, operator, sites), "cold": on(sites - 1, operator, sites)},
        "reservoirs": {
            name: qtd.Reservoir(temperature, spectral_density=ohmic)
            for name, temperature in (("hot", 2.0), ("cold", 0.5))
        },
        "approach": approach,
    }
    return qtd.Lindbladian(**{**arguments, **changes})


@pytest.fixture
def always_wide(monkeypatch):
    """However few the numbers of a device are, its generator is not written down."""
    for name in ("_LEVELS", "_NUMBERS", "_PRODUCTS"):
        monkeypatch.setattr(structure, name, 0)


def written_down(device):
    """The same device with its generator as a matrix."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "_LEVELS", device.structure.size + 1)
        made = device.using(device.approach)
    assert device.structure.wide and not made.structure.wide
    return made


@eqx.filter_jit
def observe(device):
    """State, heat currents, their covariance, Tr[H D_r rho], and third cumulants."""
    point = qtd.operate(device)
    currents = [jnp.stack(list(x.values())) for x in (point.heat_currents, point.meters)]
    taken = jnp.stack(list(point.device_energy_currents.values()))
    third = cumulants(device, "cold", order=3)
    return qtd.steady_state(device), *currents, point.heat_covariance.matrix, taken, third


def error(found, expected):
    """Largest error relative to the largest entry."""
    found, expected = np.asarray(found), np.asarray(expected)
    return np.abs(found - expected).max(initial=0) / np.abs(expected).max(initial=1e-300)


def assert_same(device, tolerance=1e-11):
    """The numbers are those of the generator as a matrix. Third cumulants, of sums that cancel,
    to three digits less."""
    *found, third = observe(device)
    *expected, dense_third = observe(written_down(device))
    assert max(map(error, found, expected)) < tolerance
    assert error(third, dense_third) < 1e3 * tolerance


def hot_current(device, temperature):
    changed = qtd.replace(device, {TEMPERATURE: temperature})
    return qtd.operate(changed).heat_currents["hot"]


# --- Independent arithmetic ---


@pytest.mark.parametrize(
    "approach",
    [
        pytest.param("local", marks=pytest.mark.deep),
        pytest.param("global", marks=pytest.mark.deep),
        "redfield",
    ],
)
def test_an_applied_generator_has_the_state_and_the_noise_of_one_written_down(
    approach, always_wide
):
    assert_same(chain(3, approach))


@EVERY_APPROACH
@pytest.mark.deep
def test_complex_operators_are_applied_as_they_are_written_down(approach, always_wide):
    # Y at both ends; the exchange has a phase, and qubits next to one another are coupled by XY.
    phase = on(0, RAISE, 2) @ on(1, RAISE.T, 2) * np.exp(0.3j)
    mixed = 0.3 * np.kron(X, Y)
    interaction = {"mixing": (0.1, phase + phase.conj().T + mixed)}
    assert_same(chain(2, approach, operator=Y, interaction=interaction))


@pytest.mark.deep
def test_groups_of_jumps_with_equal_gaps_act_together(always_wide):
    # One reservoir on both qubits, of equal energies: a local equation with collective jumps. The
    # other one on the first qubit alone makes the state unique.
    couplings = {"hot": on(0, X, 2) + on(1, X, 2), "cold": on(0, X, 2)}
    for spread in (0.0, 0.2):
        assert_same(chain(2, "local", spread=spread, couplings=couplings))


@pytest.mark.parametrize("approach", ["global", "redfield"])
@pytest.mark.deep
def test_degenerate_levels_keep_their_coherence(approach, always_wide):
    # Three equal qubits in a row: the levels of two quanta are those of one, and of the middle.
    assert_same(chain(3, approach, spread=0.0))


@pytest.mark.deep
def test_electrons_and_dephasing_are_counted_alike(always_wide):
    lead = qtd.Reservoir(0.3, 0.8, "fermi", spectral_density=qtd.spectral.WideBand(0.02))
    other = qtd.Reservoir(0.4, 0.1, "fermi", spectral_density=qtd.spectral.WideBand(0.03))
    noise = qtd.Reservoir(0.5, spectral_density=Ohmic(0.01, 5.0))
    sign = np.diag([1.0, -1.0])
    lower = np.kron(RAISE.T, np.eye(2)), np.kron(sign, RAISE.T)
    couplings = {"left": lower[0] + lower[0].T, "right": lower[1] + lower[1].T}
    for approach in ("local", "redfield"):
        device = qtd.Lindbladian(
            bare={"a": (1.0, on(0, NUMBER, 2)), "b": (1.2, on(1, NUMBER, 2))},
            interaction={"hop": (0.1, hop(0, 1, 2))},
            couplings={**couplings, "noise": on(0, NUMBER, 2)},
            reservoirs={"left": lead, "right": other, "noise": noise},
            particles=[0, 1, 1, 2],
            approach=approach,
        )
        found, expected = qtd.operate(device), qtd.operate(written_down(device))
        for name in ("left", "right"):
            assert found.particle_currents[name] == pytest.approx(
                float(expected.particle_currents[name]), rel=1e-11
            )


@pytest.mark.deep
def test_rare_states_and_narrow_filters_keep_their_digits(always_wide):
    # Filters of width 1e-4, whose rates are 1e-8 to 1e-20, and probabilities down to 1e-23.
    densities = Peaked(1.0, 1e-4, 1e-3), Peaked(1.1, 1e-4, 1e-3)
    reservoirs = {
        name: qtd.Reservoir(temperature, spectral_density=density)
        for name, temperature, density in zip(("hot", "cold"), (0.06, 0.05), densities)
    }
    for approach in ("local", "global"):
        device = chain(3, approach, exchange=0.1, reservoirs=reservoirs)
        found, expected = qtd.operate(device), qtd.operate(written_down(device))
        for name in ("hot", "cold"):
            current = float(expected.heat_currents[name])
            assert found.heat_currents[name] == pytest.approx(current, rel=1e-12)


@pytest.mark.deep
def test_a_state_of_four_qubits_is_that_of_qutip(always_wide):
    qutip = pytest.importorskip("qutip")
    everywhere = sum(on(i, X, 4) @ on(i + 1, X, 4) for i in range(3))
    device = chain(4, "redfield", interaction={"exchange": (0.05, everywhere)})

    def spectrum(name):
        reservoir = device.reservoirs[name]
        return lambda w: float(reservoir.rates(jnp.asarray(-w))[0])

    hamiltonian = qutip.Qobj(np.asarray(device.hamiltonian()))
    sources = [
        [qutip.Qobj(operator), spectrum(name)]
        for name, operator in device.structure.couplings.items()
    ]
    tensor = qutip.bloch_redfield_tensor(hamiltonian, sources, fock_basis=True, sec_cutoff=-1)
    # QuTiP's dense LU, and rates through Python.
    assert error(qtd.steady_state(device), qutip.steadystate(tensor).full()) < 1e-11


# --- Laws, derivatives, batches ---


@EVERY_APPROACH
@pytest.mark.deep
def test_currents_obey_the_laws_and_have_the_slopes_of_differences(approach, always_wide):
    device = chain(3, approach)
    point = qtd.operate(device)
    assert int(point.status) == 0 and bool(point.certificate.holds)
    assert float(point.entropy_production) > 0
    current = jax.jit(lambda x: hot_current(device, x))
    hot = jnp.asarray(2.0)
    expected = central_difference(current, hot, 1e-2)
    slope, forwards = jax.jit(lambda x: (jax.grad(current)(x), jax.jacfwd(current)(x)))(hot)
    # Rounding of the difference: 1e-16 over 1e-2, and its truncation.
    assert slope == pytest.approx(float(expected), rel=1e-8)
    assert forwards == pytest.approx(float(slope), rel=1e-11)


@pytest.mark.deep
def test_second_derivatives_are_those_of_the_generator_written_down(always_wide):
    device = chain(2, "redfield")
    paths = (TEMPERATURE, "interaction.hop", "strengths.cold")

    def hessian(device):
        def current(values):
            changed = qtd.replace(device, dict(zip(paths, values)))
            return qtd.operate(changed).heat_currents["hot"]

        return jax.jit(jax.hessian(current))(jnp.array([2.0, 0.05, 1.0]))

    assert error(hessian(device), hessian(written_down(device))) < 1e-9


def test_one_bad_point_of_a_batch_is_nan_alone(always_wide):
    device = chain(3, "redfield")
    temperatures = jnp.array([1.0, -1.0, 2.0])

    def figures(temperature):
        point = qtd.operate(qtd.replace(device, {TEMPERATURE: temperature}))
        return point.heat_currents["hot"], point.status

    currents, status = jax.jit(jax.vmap(figures))(temperatures)
    assert status.tolist() == [0, int(qtd.Status.INVALID_PARAMETER), 0]
    assert np.isnan(currents).tolist() == [False, True, False]
    alone = jax.jit(figures)(temperatures[2])[0]
    assert currents[2] == pytest.approx(float(alone), rel=1e-12)


@pytest.mark.deep
def test_what_has_no_unique_state_says_so(always_wide):
    # Two equal qubits that only act together: what is dark stays dark.
    together = on(0, X, 2) + on(1, X, 2)
    dark = chain(
        2,
        "redfield",
        spread=0.0,
        interaction={"hop": (0.0, hop(0, 1, 2))},
        couplings={"hot": together, "cold": together},
    )
    point = eqx.filter_jit(qtd.operate)(dark)
    assert int(point.status) in (qtd.Status.NO_UNIQUE_STEADY_STATE, qtd.Status.NOT_CONVERGED)
    assert np.isnan(point.heat_currents["hot"])


@pytest.mark.deep
def test_single_precision_stays_single(always_wide):
    device = chain(3, "redfield")
    found = qtd.operate(as_float32(device))
    assert found.heat_currents["hot"].dtype == jnp.float32
    expected = float(qtd.operate(device).heat_currents["hot"])
    assert found.heat_currents["hot"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.deep
def test_an_audit_knows_the_slowest_way_to_the_state(always_wide):
    state: Any = qtd.steady.solve(chain(3, "redfield"))
    unit = jnp.eye(state.vector.size).reshape(-1, *state.vector.shape)
    generator = jax.vmap(state.elimination.generator.apply)(unit).reshape(len(unit), -1)
    decays = np.sort(-np.linalg.eigvals(generator).real)
    (mode,) = slow_modes(state, 8)
    assert -1 / mode.real == pytest.approx(decays[1], rel=1e-9)  # the first is that of rest


# --- Size ---


@EVERY_APPROACH
@pytest.mark.deep
def test_five_qubits_take_milliseconds(approach):
    device = chain(5, approach)
    run = jax.jit(lambda x: hot_current(device, x)).lower(jnp.asarray(2.0)).compile()
    best = np.inf
    for temperature in np.linspace(1.8, 2.2, 10):
        start = time.perf_counter()
        run(jnp.asarray(temperature)).block_until_ready()
        best = min(best, time.perf_counter() - start)
    assert best < 0.02  # the fastest way of QuTiP takes 18 to 27 ms, and it has 2 to 5


@EVERY_APPROACH
@pytest.mark.deep
def test_six_qubits_have_a_state_a_slope_and_noise(approach):
    device = chain(6, approach)
    assert device.structure.wide
    point = qtd.operate(device)
    assert int(point.status) == 0 and bool(point.certificate.holds)
    slope = jax.jit(jax.grad(lambda x: hot_current(device, x)))(jnp.asarray(2.0))
    current = jax.jit(lambda x: hot_current(device, x))
    expected = central_difference(current, jnp.asarray(2.0), 1e-2)
    assert slope == pytest.approx(float(expected), rel=1e-7)


@pytest.mark.deep
def test_six_qubits_without_symmetry_keep_all_their_numbers():
    fields = sum(on(i, X, 6) for i in range(6))
    exchange = sum(on(i, X, 6) @ on(i + 1, X, 6) for i in range(5))
    interaction = {"field": (0.2, fields), "exchange": (0.1, exchange)}
    device = chain(6, "redfield", interaction=interaction)
    assert device.structure.wide and device.structure.wide.numbers == 4096
    point = qtd.operate(device)
    assert int(point.status) == 0 and bool(point.certificate.holds)
