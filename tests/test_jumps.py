"""Devices of jump operators against dense Liouvillians, closed forms, other kinds of system, QuTiP,
and what they refuse."""

import re
from functools import reduce
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import as_float32, central_difference, examples, stack
from hypothesis import given
from hypothesis import strategies as st

import qtd
from qtd.counting import covariance, cumulants
from qtd.reservoirs import ZeroTemperatureReservoir
from qtd.spectral import Ohmic, WideBand

ONE, NUMBER = np.eye(2), np.diag([0.0, 1.0])
LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])
FLIP = LOWER + LOWER.T
TURN = np.array([[0.0, -1j], [1j, 0.0]])


def on(site, operator, sites=2):
    return reduce(np.kron, [operator if i == site else ONE for i in range(sites)])


def boson(temperature, coupling=0.1, cutoff=10.0):
    return qtd.Reservoir(temperature, spectral_density=Ohmic(coupling, cutoff))


def golden_rates(temperature, gap=1.0, coupling=0.1, cutoff=10.0):
    """J n and J (1 + n) of `boson`."""
    density, occupation = coupling * gap * np.exp(-gap / cutoff), 1 / np.expm1(gap / temperature)
    return density * occupation, density * (1 + occupation)


# --- Dense arithmetic: columns stacked, X rho Y is kron(Y^T, X) ---


def both(left, right):
    return np.kron(right.T, left)


def jump_part(operator):
    return both(operator, operator.conj().T)


def dissipator(operator):
    loss, one = operator.conj().T @ operator / 2, np.eye(len(operator))
    return jump_part(operator) - both(loss, one) - both(one, loss)


def liouvillian(hamiltonian, jumps):
    """Of pairs (operator, rate)."""
    one = np.eye(len(hamiltonian))
    unitary = -1j * (both(hamiltonian, one) - both(one, hamiltonian))
    return unitary + sum(rate * dissipator(operator) for operator, rate in jumps)


def at_rest(generator):
    size = round(len(generator) ** 0.5)
    system = np.vstack([generator, np.eye(size).reshape(1, -1)])
    right = np.append(np.zeros(size**2), 1.0)
    return np.linalg.lstsq(system, right, rcond=None)[0].reshape(size, size, order="F")


def taken(hamiltonian, jumps, rho):
    """Tr[H D rho] of some jumps."""
    change = sum(rate * dissipator(operator) for operator, rate in jumps) @ rho.reshape(
        -1, order="F"
    )
    return np.trace(hamiltonian @ change.reshape(rho.shape, order="F")).real


def tilted_cumulants(hamiltonian, jumps, order, radius=0.2, points=32):
    """Derivatives at 0 of the eigenvalue of the generator whose jumps (operator, rate, charge)
    weigh exp(chi charge), from Cauchy's integral over a circle, which has no step whose error would
    have to be balanced against rounding."""
    base = liouvillian(hamiltonian, [jump[:2] for jump in jumps])
    values = []
    for chi in radius * np.exp(2j * np.pi * np.arange(points) / points):
        counted = sum(
            rate * np.expm1(chi * charge) * jump_part(operator) for operator, rate, charge in jumps
        )
        eigenvalues = np.linalg.eigvals(base + counted)
        values.append(eigenvalues[np.argmax(eigenvalues.real)])
    coefficients = np.fft.fft(values) / points
    factorial = np.cumprod(np.arange(1, order + 1))
    return (coefficients[1 : order + 1] * factorial / radius ** np.arange(1, order + 1)).real


def random_matrix(rng, size):
    return rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))


def random_device(seed, size=3, count=3):
    """A complex H and complex operators with rates."""
    rng = np.random.default_rng(seed)
    raw = random_matrix(rng, size)
    return raw + raw.conj().T, [
        (random_matrix(rng, size), rng.uniform(0.1, 1)) for _ in range(count)
    ]


def error(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    return np.abs(found - expected).max() / np.abs(expected).max()


@eqx.filter_jit
def observe(device):
    """State, energy currents of the device, and status."""
    point = qtd.operate(device)
    currents = jnp.stack([point.device_energy_currents[name] for name in point.names])
    return qtd.steady_state(device), currents, point.status


# --- Rates ---


@pytest.mark.parametrize("size, count", [(2, 1), (3, 2), (4, 3)])
def test_random_devices_are_those_of_dense_matrices(size, count):
    for seed in range(5):
        hamiltonian, jumps = random_device(seed, size, count)
        rho, currents, status = observe(qtd.Lindbladian.from_jumps(hamiltonian, jumps))
        expected = at_rest(liouvillian(hamiltonian, jumps))
        # Two dense solves of well-conditioned matrices.
        assert error(rho, expected) < 1e-12 and int(status) == 0
        flows = np.array([taken(hamiltonian, [jump], expected) for jump in jumps])
        scale = (
            sum(rate * np.abs(operator).max() ** 2 for operator, rate in jumps)
            * np.abs(hamiltonian).max()
        )
        assert np.abs(currents - flows).max() < 1e-12 * scale  # flows of either sign that cancel


def test_rates_are_squares_of_collapse_operators():
    hamiltonian, jumps = random_device(7, 4)
    absorbed = [(np.sqrt(rate) * operator, 1.0) for operator, rate in jumps]
    rho = qtd.steady_state(qtd.Lindbladian.from_jumps(hamiltonian, jumps))
    assert error(rho, qtd.steady_state(qtd.Lindbladian.from_jumps(hamiltonian, absorbed))) < 1e-12
    qutip = pytest.importorskip("qutip")
    collapse = [np.sqrt(rate) * qutip.Qobj(operator) for operator, rate in jumps]
    # QuTiP's sparse LU.
    assert error(rho, qutip.steadystate(qutip.Qobj(hamiltonian), collapse).full()) < 1e-10
    objects = qtd.Lindbladian.from_jumps(
        qutip.Qobj(hamiltonian), [(qutip.Qobj(operator), rate) for operator, rate in jumps]
    )
    assert np.array_equal(qtd.steady_state(objects), rho)


def test_a_driven_qubit_has_its_closed_form():
    detuning, drive, rate = 0.3, 0.5, 0.2
    terms = {"detuning": (detuning, NUMBER), "drive": (drive, FLIP / 2)}
    rho = qtd.steady_state(qtd.Lindbladian.from_jumps(terms, [(LOWER, rate)]))
    expected = drive**2 / 4 / (detuning**2 + rate**2 / 4 + drive**2 / 2)
    assert float(rho[1, 1].real) == pytest.approx(expected, rel=1e-14)
    # rho_eg = -i (drive / 2) (rate / 2 - i detuning) / (detuning^2 + rate^2 / 4 + drive^2 / 2)
    coherence = (
        -0.5j * drive * (rate / 2 - 1j * detuning) / (detuning**2 + rate**2 / 4 + drive**2 / 2)
    )
    assert abs(complex(rho[1, 0]) - coherence) < 1e-15


def test_decay_at_zero_temperature_has_its_closed_form():
    rate, times = 0.3, np.array([0.0, 0.5, 2.0, 10.0])
    start = np.array([[0.36, 0.48j], [-0.48j, 0.64]])
    vacuum = ZeroTemperatureReservoir(spectral_density=WideBand(rate))
    for source in (rate, vacuum, ("vacuum", vacuum)):
        device = qtd.Lindbladian.from_jumps(1.5 * NUMBER, [(LOWER, source)])
        rho = qtd.evolution.relax(device, start, times)
        np.testing.assert_allclose(rho[:, 1, 1].real, 0.64 * np.exp(-rate * times), atol=1e-14)
        np.testing.assert_allclose(
            rho[:, 0, 1], 0.48j * np.exp((1.5j - rate / 2) * times), atol=1e-14
        )
        point = qtd.operate(device)
        # At rest it makes no jump.
        assert int(point.status) == 0 and float(point.entropy_production) == 0
        assert np.array_equal(qtd.steady_state(device), [[1, 0], [0, 0]])


def test_sources_of_one_operator_exchange_no_energy_at_rest():
    # Each takes its share of what they take together, which is nothing: rounding must not decide
    # whether a law holds.
    for count in (1, 2, 3):
        jumps = [(LOWER, 0.1 * (1 + i)) for i in range(count)]
        point = qtd.operate(qtd.Lindbladian.from_jumps(0.7 * NUMBER + 0.3 * TURN, jumps))
        assert int(point.status) == 0 and all(
            float(x) == 0 for x in point.device_energy_currents.values()
        )

    # Nor does one beside others that make no jump; how it would change as they begin to is known
    # all the same.
    def heat(rate):
        return qtd.operate(
            qtd.Lindbladian.from_jumps(NUMBER, [(LOWER, ("cold", boson(0.5))), (LOWER, rate)])
        )

    quiet = heat(0.0)
    assert (
        int(quiet.status) == 0
        and float(quiet.heat_currents["cold"]) == 0
        and float(quiet.heat_covariance["cold", "cold"]) == 0
    )
    up, down = golden_rates(0.5)
    slope = jax.grad(lambda rate: heat(rate).heat_currents["cold"])(0.0)
    assert float(slope) == pytest.approx(up / (up + down), rel=1e-12)
    opposite = qtd.Lindbladian.from_jumps(NUMBER, [(LOWER, 0.1), (LOWER.T, 0.2)])
    assert float(qtd.operate(opposite).device_energy_currents["jump_0"]) == pytest.approx(
        -0.02 / 0.3, rel=1e-13
    )


def test_doubts_are_about_what_rounding_does():
    mp = pytest.importorskip("mpmath").mp
    found, doubted = [], []
    for seed, slowness in enumerate((1.0, 1e-3, 1e-6, 1e-8, 1e-10)):
        hamiltonian, jumps = random_device(seed)
        jumps = [(operator, rate * slowness) for operator, rate in jumps]
        state = eqx.filter_jit(qtd.steady.at_rest)(qtd.Lindbladian.from_jumps(hamiltonian, jumps))
        with mp.workdps(50):
            exact = mp.matrix(9, 9)

            def wide(x):
                return mp.matrix(x.tolist())

            one = np.eye(3)
            for operator, rate in [(hamiltonian, None), *jumps]:
                if rate is None:
                    part = (wide(both(operator, one)) - wide(both(one, operator))) * mp.mpc(0, -1)
                else:
                    a, b = wide(operator), wide(operator).H
                    jump = mp.matrix(
                        [[b[j // 3, i // 3] * a[i % 3, j % 3] for j in range(9)] for i in range(9)]
                    )
                    loss = b * a / 2

                    def delta(i, j):
                        return mp.mpf(i == j)

                    left = mp.matrix(
                        [
                            [delta(i // 3, j // 3) * loss[i % 3, j % 3] for j in range(9)]
                            for i in range(9)
                        ]
                    )
                    right = mp.matrix(
                        [
                            [loss[j // 3, i // 3] * delta(i % 3, j % 3) for j in range(9)]
                            for i in range(9)
                        ]
                    )
                    part = (jump - left - right) * mp.mpf(rate)
                exact += part
            for j in range(9):
                exact[0, j] = mp.mpf(j % 4 == 0)
            rho = mp.lu_solve(exact, mp.matrix([1] + [0] * 8))
            expected = np.array([complex(x) for x in rho]).reshape(3, 3, order="F")
        off = np.abs(np.asarray(state.density_matrix) - expected).max()
        found.append(off)
        doubted.append(float(jnp.max(state.doubts)))
        assert int(state.status) == (qtd.Status.INACCURATE if doubted[-1] > 1e-9 else 0)
    assert all(off <= 10 * doubt for off, doubt in zip(found, doubted))
    assert doubted[0] < 1e-13 and doubted[-1] > 1e-9


def test_dephasing_takes_coherence_and_no_heat():
    start, times = np.full((2, 2), 0.5), np.array([0.0, 1.0, 4.0])
    for operator, decay in ((NUMBER, 0.2), (np.diag([1.0, -1.0]), 0.8)):
        rho = qtd.evolution.relax(
            qtd.Lindbladian.from_jumps(NUMBER, [(operator, 0.4)]), start, times
        )
        np.testing.assert_allclose(rho[:, 0, 1], 0.5 * np.exp((1j - decay) * times), atol=1e-14)
        np.testing.assert_allclose(rho[:, 0, 0], 0.5, atol=1e-15)
    thermal = qtd.Lindbladian.from_jumps(
        NUMBER, [(LOWER, ("cold", boson(0.5))), (NUMBER, ("noise", 0.4))]
    )
    point = qtd.operate(thermal)
    assert int(point.status) == 0 and float(point.entropy_production) == 0
    assert all(
        float(x) == 0
        for currents in (point.heat_currents, point.device_energy_currents)
        for x in currents.values()
    )


def test_dephasing_of_what_does_not_commute_supplies_energy():
    hamiltonian, jumps = NUMBER + 0.3 * FLIP, [(LOWER, ("decay", 0.1)), (NUMBER, ("noise", 0.4))]
    point = qtd.operate(qtd.Lindbladian.from_jumps(hamiltonian, jumps))
    rho = at_rest(liouvillian(hamiltonian, [(LOWER, 0.1), (NUMBER, 0.4)]))
    supplied = taken(hamiltonian, [(NUMBER, 0.4)], rho)
    assert (
        float(point.energy_currents["noise"]) == pytest.approx(supplied, rel=1e-12)
        and supplied > 1e-3
    )
    assert float(point.energy_currents["decay"]) == pytest.approx(-supplied, rel=1e-12)
    assert int(point.status) == 0


@examples(12)  # each is a program of its own
@given(seed=st.integers(0, 10**6), size=st.integers(2, 3), count=st.integers(1, 3))
def test_the_state_is_one_and_energy_is_balanced(seed, size, count):
    hamiltonian, jumps = random_device(seed, size, count)
    rho, currents, status = observe(qtd.Lindbladian.from_jumps(hamiltonian, jumps))
    assert abs(complex(jnp.trace(rho)) - 1) < 1e-14
    assert np.linalg.eigvalsh(rho).min() > -1e-14 and np.array_equal(rho, rho.conj().T)
    assert (
        abs(float(currents.sum())) <= 1e-9 * float(jnp.abs(currents).max())
        or int(status) == qtd.Status.INACCURATE
    )


@pytest.mark.parametrize("drive", [1e-3, 1.0, 1e3])
def test_what_is_unique_is_found_in_any_basis(drive):
    # Noise by sigma_x leaves coherences alone that H = sigma_y turns into populations: eliminated
    # alone, they would be singular.
    device = qtd.Lindbladian.from_jumps(drive * TURN, [(FLIP, 0.5)])
    state = qtd.steady.solve(device)
    assert int(state.status) == 0
    assert error(state.density_matrix, np.eye(2) / 2) < 1e-12  # rounding times drive / rate


def test_without_a_unique_state_it_is_refused_or_has_a_status():
    device = qtd.Lindbladian.from_jumps({"H": (1.0, NUMBER)}, [(NUMBER, 0.1)])
    with pytest.raises(ValueError, match="No unique steady state"):
        qtd.steady_state(device)
    with pytest.raises(ValueError, match="No unique steady state"):
        qtd.operate(device)
    point = eqx.filter_jit(qtd.operate)(device)
    assert int(point.status) == qtd.Status.NO_UNIQUE_STEADY_STATE
    assert all(np.isnan(float(point.heat_currents[name])) for name in point.names)


# --- Reservoirs ---


def test_a_thermal_qubit_is_that_of_davies():
    reservoirs = {"cold": boson(0.5), "hot": boson(1.5, 0.2)}
    device = qtd.Lindbladian.from_jumps(
        {"e": (1.2, NUMBER)}, [(LOWER, "cold"), (LOWER, "hot")], reservoirs=reservoirs
    )
    davies = qtd.Lindbladian({"e": (1.2, NUMBER)}, dict.fromkeys(reservoirs, FLIP), reservoirs)
    assert error(qtd.steady_state(device), qtd.steady_state(davies)) < 1e-14
    found, known = (qtd.operate(x, cooled="cold", driven_by="hot") for x in (device, davies))
    for name in reservoirs:
        assert float(found.heat_currents[name]) == pytest.approx(
            float(known.heat_currents[name]), rel=1e-13
        )
    assert error(found.heat_covariance.matrix, known.heat_covariance.matrix) < 1e-13
    assert float(found.entropy_production) == pytest.approx(
        float(known.entropy_production), rel=1e-13
    )
    assert error(cumulants(device, "hot", 5), cumulants(davies, "hot", 5)) < 1e-12
    start, times = [0.2, 0.8], jnp.array([0.0, 1.0, 5.0])
    assert (
        error(qtd.evolution.relax(device, start, times), qtd.evolution.relax(davies, start, times))
        < 1e-13
    )
    # And that of two collapse operators for each reservoir.
    jumps = []
    for temperature, coupling in ((0.5, 0.1), (1.5, 0.2)):
        up, down = golden_rates(temperature, 1.2, coupling)
        jumps += [(LOWER, down), (LOWER.T, up)]
    assert error(qtd.steady_state(device), at_rest(liouvillian(1.2 * NUMBER, jumps))) < 1e-13


def pair(exchange=0.2, first=1.0, second=1.3):
    """Two qubits that exchange excitations, the first hot and the second cold."""
    swap = np.kron(LOWER, LOWER.T) + np.kron(LOWER.T, LOWER)
    terms = {
        "first": (first, on(0, NUMBER)),
        "second": (second, on(1, NUMBER)),
        "exchange": (exchange, swap),
    }
    jumps = [(on(0, LOWER), ("hot", boson(2.0))), (on(1, LOWER), ("cold", boson(0.5)))]
    return qtd.Lindbladian.from_jumps(terms, jumps, bare=["first", "second"])


@pytest.mark.parametrize("second", [1.0, 1.3])
def test_two_qubits_are_those_of_the_local_approach(second):
    device = pair(second=second)
    swap = np.asarray(device.hamiltonian()).real - on(0, NUMBER) - second * on(1, NUMBER)
    local = qtd.Lindbladian(
        {"first": (1.0, on(0, NUMBER)), "second": (second, on(1, NUMBER))},
        {"hot": on(0, FLIP), "cold": on(1, FLIP)},
        {"hot": boson(2.0), "cold": boson(0.5)},
        {"exchange": (1.0, swap)},
        approach="local",
    )
    assert error(qtd.steady_state(device), qtd.steady_state(local)) < 1e-13
    found, known = qtd.operate(device), qtd.operate(local)
    for what in ("heat_currents", "device_energy_currents"):
        for name in ("hot", "cold"):
            assert float(getattr(found, what)[name]) == pytest.approx(
                float(getattr(known, what)[name]), rel=1e-12
            )
    assert error(found.heat_covariance.matrix, known.heat_covariance.matrix) < 1e-12
    assert (
        error(
            cumulants(device, {"hot": 1.0, "cold": -1.0}),
            cumulants(local, {"hot": 1.0, "cold": -1.0}),
        )
        < 1e-11
    )


def lead(temperature, potential, statistics="fermi"):
    return qtd.Reservoir(temperature, potential, statistics, spectral_density=WideBand(0.3))


def test_electrons_are_those_of_a_rate_network():
    leads = {"left": lead(0.5, 0.4), "right": lead(1.0, -0.2)}
    device = qtd.Lindbladian.from_jumps(
        {"e": (0.7, NUMBER)}, [(LOWER, name) for name in leads], reservoirs=leads, particles=[0, 1]
    )
    # The operator may as well be the one that fills the level.
    filled = qtd.Lindbladian.from_jumps(
        {"e": (0.7, NUMBER)},
        [(LOWER.T, name) for name in leads],
        reservoirs=leads,
        particles=[0, 1],
    )
    network = qtd.RateNetwork(
        [0.0, 0.7], [(name, 0, 1, 1.0) for name in leads], leads, particles=[0, 1]
    )
    known = qtd.operate(network)
    for found in map(qtd.operate, (device, filled)):
        for what in ("heat_currents", "particle_currents", "energy_currents"):
            for name in leads:
                assert float(getattr(found, what)[name]) == pytest.approx(
                    float(getattr(known, what)[name]), rel=1e-13
                )
        assert error(found.heat_covariance.matrix, known.heat_covariance.matrix) < 1e-13
        assert float(found.power) == pytest.approx(float(known.power), rel=1e-13)
    noise = covariance(device, "particles")
    assert error(noise.matrix, covariance(network, "particles").matrix) < 1e-13 and bool(
        noise.certificate.holds
    )


def test_frozen_leads_carry_a_current_whose_entropy_is_infinite():
    leads = {
        name: ZeroTemperatureReservoir(mu, "fermi", spectral_density=WideBand(0.3))
        for name, mu in (("left", 1.0), ("right", -1.0))
    }
    device = qtd.Lindbladian.from_jumps(
        0.2 * NUMBER, [(LOWER, name) for name in leads], reservoirs=leads, particles=[0, 1]
    )
    point = qtd.operate(device)
    # Two equal rates in series.
    assert float(point.particle_currents["left"]) == pytest.approx(0.15, rel=1e-14)
    assert float(point.entropy_production) == np.inf and int(point.status) == 0
    # Half of independent electrons.
    assert float(covariance(device, "particles")["left", "left"]) == pytest.approx(0.075, rel=1e-13)


def test_a_qubit_passes_heat_to_the_vacuum():
    vacuum = ZeroTemperatureReservoir(spectral_density=Ohmic(0.1, 10.0))
    device = qtd.Lindbladian.from_jumps(
        NUMBER, [(LOWER, ("hot", boson(1.5))), (LOWER, ("vacuum", vacuum))]
    )
    up, down = golden_rates(1.5)
    density = down - up
    point = qtd.operate(device)
    assert float(point.heat_currents["hot"]) == pytest.approx(
        up * density / (up + down + density), rel=1e-13
    )
    assert float(point.entropy_production) == np.inf and int(point.status) == 0
    nearly = qtd.Lindbladian.from_jumps(
        NUMBER, [(LOWER, ("hot", boson(1.5))), (LOWER, ("vacuum", boson(0.02)))]
    )
    assert error(qtd.steady_state(device), qtd.steady_state(nearly)) < 1e-14  # n = exp(-50)


def test_entropy_of_rates_is_none_infinite_or_unknown():
    def at(*jumps):
        return qtd.operate(
            qtd.Lindbladian.from_jumps(NUMBER + 0.2 * FLIP, [(LOWER, ("decay", 0.1)), *jumps])
        )

    assert float(at().entropy_production) == np.inf
    thermal = qtd.Lindbladian.from_jumps(
        {"e": (1.0, NUMBER)}, [(LOWER, ("cold", boson(0.5))), (FLIP, ("noise", 0.3))]
    )
    point = qtd.operate(thermal)
    heat = float(point.heat_currents["cold"])
    # Noise has none.
    assert heat < 0 and float(point.entropy_production) == pytest.approx(-heat / 0.5, rel=1e-14)
    # A dark state in a basis of its own: what rounding leaves of the jumps must not be called
    # infinitely much, nor nothing.
    dark = []
    for seed in range(4):
        turn = np.linalg.qr(random_matrix(np.random.default_rng(seed), 3))[0]

        def rotated(operator, turn=turn):
            return turn @ operator @ turn.conj().T

        device = qtd.Lindbladian.from_jumps(
            rotated(np.diag([0.0, 1.0, 2.5])), [(rotated(np.diag([1.0, 2.0], 1)), 0.2)]
        )
        point = qtd.operate(device)
        dark.append((float(point.entropy_production), int(point.status)))
    assert any(np.isnan(sigma) for sigma, _ in dark)
    assert all(
        status == qtd.Status.INACCURATE if np.isnan(sigma) else (sigma, status) == (0, 0)
        for sigma, status in dark
    )


# --- Counting ---


@pytest.mark.parametrize("turned", [False, True])
def test_noise_is_a_derivative_of_the_generating_function(turned):
    turn = np.linalg.qr(random_matrix(np.random.default_rng(1), 4))[0] if turned else np.eye(4)

    def rotated(operator):
        return turn @ operator @ turn.conj().T

    swap = 0.2 * np.kron(LOWER, LOWER.T)
    swap = swap * 1j + (swap * 1j).conj().T
    bare = rotated(on(0, NUMBER) + 1.3 * on(1, NUMBER))
    jumps = [
        (on(0, LOWER), ("hot", boson(2.0))),
        (on(1, LOWER), ("cold", boson(0.5))),
        (on(1, NUMBER), ("noise", 0.05)),
    ]
    device = qtd.Lindbladian.from_jumps(
        bare + rotated(swap), [(rotated(operator), source) for operator, source in jumps], bare
    )
    counted = []
    for site, temperature, gap in ((0, 2.0, 1.0), (1, 0.5, 1.3)):
        up, down = golden_rates(temperature, gap)
        lower = rotated(on(site, LOWER))
        counted.append([(lower, down, -gap), (lower.conj().T, up, gap)])
    silent = [(operator, rate, 0.0) for part in counted for operator, rate, _ in part] + [
        (rotated(on(1, NUMBER)), 0.05, 0.0)
    ]
    noise = covariance(device)
    for name, site, rest in (("hot", 0, silent[2:]), ("cold", 1, [*silent[:2], silent[4]])):
        expected = tilted_cumulants(bare + rotated(swap), [*counted[site], *rest], 4)
        # Eigenvalues to 1e-15, over 0.2^4 / 4!.
        assert error(cumulants(device, name, 4), expected) < 1e-10
        assert float(noise[name, name]) == pytest.approx(expected[1], rel=1e-11)
    difference = tilted_cumulants(bare + rotated(swap), [*counted[0], *counted[1], silent[4]], 2)[1]
    total = float(noise["hot", "hot"] + noise["cold", "cold"] + 2 * noise["hot", "cold"])
    assert total == pytest.approx(difference, rel=1e-10)
    assert float(jnp.abs(noise["noise", "noise"])) < 1e-25  # it carries nothing
    point = qtd.operate(device)
    assert float(point.heat_currents["hot"]) == pytest.approx(
        float(cumulants(device, "hot", 1)[0]), rel=1e-12
    )


def test_noise_of_a_rate_is_that_of_qutip():
    # Resonance fluorescence: photons counted at the rate 0.3, H in the frame of the drive.
    hamiltonian, rate = 0.4 * NUMBER + 0.25 * FLIP, 0.3
    device = qtd.Lindbladian.from_jumps(
        {"e": (0.4, NUMBER), "drive": (0.25, FLIP)}, [(LOWER, ("decay", rate))], bare="e"
    )
    found = covariance(device)["decay", "decay"]
    expected = tilted_cumulants(hamiltonian, [(LOWER, rate, -0.4)], 2)[1]
    assert float(found) == pytest.approx(expected, rel=1e-11)
    qutip = pytest.importorskip("qutip")
    collapse = np.sqrt(rate) * qutip.Qobj(LOWER)
    counted = [qutip.sprepost(collapse, collapse.dag())]
    generator = qutip.liouvillian(qutip.Qobj(hamiltonian), [collapse])
    _, noise, _ = qutip.countstat_current_noise(generator, [], I_ops=counted, J_ops=counted)
    assert float(found) == pytest.approx(0.4**2 * noise.item(), rel=1e-8)


def test_what_has_no_definite_quanta_is_not_counted():
    jumps = [(LOWER, ("decay", 0.1)), (NUMBER, ("noise", 0.4)), (LOWER + NUMBER, ("mixed", 0.1))]
    device = qtd.Lindbladian.from_jumps(
        {"e": (1.0, NUMBER), "drive": (0.3, FLIP)}, jumps, bare=["e"]
    )
    noise = covariance(device)
    assert (
        noise.names == ("decay", "noise")
        and noise.uncounted == ("mixed",)
        and noise.matrix.shape == (2, 2)
    )
    for ask in (
        lambda: noise["mixed", "decay"],
        lambda: cumulants(device, "mixed"),
        lambda: qtd.operate(device).tur("mixed"),
    ):
        with pytest.raises(ValueError, match="'mixed' exchanges no definite quanta"):
            ask()
    with pytest.raises(ValueError, match="No reservoir is called 'nobody'"):
        cumulants(device, "nobody")
    nothing = qtd.Lindbladian.from_jumps(NUMBER + 0.3 * FLIP, [(LOWER, 0.1)])
    point = qtd.operate(nothing)
    assert covariance(nothing).matrix.shape == (0, 0) and int(point.status) == 0
    assert point.mode == "dissipator" and set(point.observables()) == {
        "J_jump_0",
        "E_jump_0",
        "sigma",
        "validity",
    }
    assert "heat current out of 'jump_0'" in repr(point) and np.isinf(
        float(point.certificate.smallest_variance)
    )


# --- Programs ---


def fluorescent(rate=0.2, drive=0.3, temperature=0.7, energy=1.1):
    terms = {"e": (energy, NUMBER), "drive": (drive, TURN)}
    jumps = [
        (LOWER, ("decay", rate)),
        (LOWER, ("cold", boson(temperature))),
        (NUMBER, ("noise", 0.1)),
    ]
    return qtd.Lindbladian.from_jumps(terms, jumps, bare="e")


PATHS = (
    "reservoirs.decay.rate",
    "interaction.drive",
    "reservoirs.cold.temperature",
    "bare.e",
    "reservoirs.noise.rate",
)


def figures(device):
    point = qtd.operate(device)
    noise = covariance(device)["cold", "cold"]
    return jnp.stack([point.heat_currents["cold"], point.device_energy_currents["noise"], noise])


def test_derivatives_are_differences():
    device = fluorescent()
    values = jnp.array([float(qtd.parameters(device)[path]) for path in PATHS])
    of = jax.jit(lambda values: figures(qtd.replace(device, dict(zip(PATHS, values)))))
    forward, backward = jax.jit(jax.jacfwd(of))(values), jax.jit(jax.jacrev(of))(values)
    np.testing.assert_allclose(forward, backward, rtol=1e-10, atol=1e-13)
    for i, value in enumerate(values):
        expected = central_difference(lambda x, i=i: of(values.at[i].set(x)), value, 1e-3 * value)
        # Step^4, and rounding over the step.
        np.testing.assert_allclose(forward[:, i], expected, rtol=1e-7, atol=1e-10)
    hessian = jax.jit(jax.hessian(lambda values: of(values)[0]))(values)
    slope = jax.jit(jax.grad(lambda values: of(values)[0]))
    for i in (0, 1):
        expected = central_difference(
            lambda x, i=i: slope(values.at[i].set(x)), values[i], 1e-3 * values[i]
        )
        np.testing.assert_allclose(hessian[:, i], expected, rtol=1e-6, atol=1e-9)


def test_a_rate_may_be_traced():
    def current(rate):
        return qtd.operate(fluorescent(rate)).device_energy_currents["noise"]

    expected = central_difference(current, jnp.asarray(0.2), 1e-3)
    assert float(jax.grad(current)(0.2)) == pytest.approx(float(expected), rel=1e-7)
    point = eqx.filter_jit(lambda rate: qtd.operate(fluorescent(rate)))(jnp.asarray(-0.1))
    assert int(point.status) == qtd.Status.INVALID_PARAMETER and np.isnan(
        float(point.heat_currents["cold"])
    )


def test_a_batch_is_a_loop_and_single_precision_stays_single():
    devices = [fluorescent(rate, drive) for rate, drive in ((0.2, 0.3), (0.1, 0.0), (1.0, 2.0))]
    single = jax.jit(figures)
    batched = jax.jit(jax.vmap(figures))(stack(devices))
    np.testing.assert_allclose(
        batched, jnp.stack([single(device) for device in devices]), rtol=1e-12, atol=1e-15
    )
    short = as_float32(devices[0])
    found = single(short)
    assert found.dtype == jnp.float32 and qtd.steady_state(short).dtype == jnp.complex64
    # Rounding 1e-7, over currents of a hundredth of the fluxes.
    np.testing.assert_allclose(found, single(devices[0]), rtol=2e-4)


def test_devices_alike_share_a_program():
    current = eqx.filter_jit(
        eqx.debug.assert_max_traces(
            lambda device: qtd.operate(device).heat_currents["cold"], max_traces=1
        )
    )
    assert float(current(fluorescent(0.1))) != float(current(fluorescent(0.3)))


def test_parameters_have_paths():
    device = fluorescent()
    assert set(PATHS) < set(qtd.parameters(device))
    changed = qtd.replace(device, {"reservoirs.decay.rate": 0.4, "interaction.drive": 0.1})
    assert error(qtd.steady_state(changed), qtd.steady_state(fluorescent(0.4, 0.1))) < 1e-15
    with pytest.raises(
        ValueError, match=r"reservoirs.decay.rate: `rate` must not be negative, got -1.0"
    ):
        qtd.replace(device, {"reservoirs.decay.rate": -1.0})
    assert list(
        qtd.parameters(qtd.Lindbladian.from_jumps(NUMBER, [(LOWER, 0.1)], bare=NUMBER))
    ) == [
        "bare.H_0",
        "interaction.V",
        "reservoirs.jump_0.rate",
    ]


def test_a_device_is_swept_and_audited():
    def current(device):
        return qtd.operate(device).heat_currents["cold"]

    table = qtd.sweep(fluorescent(), {"reservoirs.decay.rate": [0.1, 0.2]}, {"J": current})
    assert float(table.J[1]) == pytest.approx(float(current(fluorescent())), rel=1e-12)
    jumps = [(LOWER, ("cold", boson(0.5))), (LOWER, ("hot", boson(1.5))), (NUMBER, ("noise", 0.1))]
    found = qtd.audit(qtd.Lindbladian.from_jumps(NUMBER, jumps)).findings
    assert {"detailed balance", "weak coupling", "steady state", "positivity", "gradients"} <= {
        finding.topic for finding in found
    }
    # Rates of a tenth of the gap.
    assert max(finding.severity for finding in found) == qtd.audits.Severity.DOUBTFUL


# --- The table in docs/howto/qutip.md ---


def test_every_row_of_the_table_has_its_test():
    text = (Path(__file__).parents[1] / "docs" / "howto" / "qutip.md").read_text()
    _, _, table = text.partition("| what | in QuTiP | here |\n")
    rows = table.partition("\n\n")[0].splitlines()[1:]
    named = [re.search(r"<!-- (test_\w+) --> \|$", row) for row in rows]
    assert len(rows) >= 12 and all(named)
    assert all(callable(globals().get(name[1])) for name in named)


def test_our_spectral_density_is_twice_that_of_qutip():
    alpha, cutoff, temperature = 0.05, 8.0, 0.7
    reservoir = qtd.Reservoir(temperature, spectral_density=Ohmic(2 * alpha, cutoff))

    # QuTiP: S(w) = sign(w) J(|w|) (coth(w / 2 T) + 1), the Fourier transform of <X(t) X> with J =
    # alpha w exp(-w / cutoff).
    def spectrum(w):
        return alpha * w * np.exp(-abs(w) / cutoff) * (1 / np.tanh(w / (2 * temperature)) + 1)

    for gap in (0.3, 1.0, 4.0):
        up, down = reservoir.rates(jnp.asarray(gap))
        np.testing.assert_allclose([down, up], [spectrum(gap), spectrum(-gap)], rtol=1e-13)
    qutip = pytest.importorskip("qutip")
    environment = qutip.OhmicEnvironment(temperature, alpha, cutoff, s=1)
    np.testing.assert_allclose(
        environment.power_spectrum(np.array([-1.0, 0.3, 4.0])),
        spectrum(np.array([-1.0, 0.3, 4.0])),
        rtol=1e-12,
    )


def test_a_redfield_state_is_that_of_spectra_of_qutip():
    rng = np.random.default_rng(2)
    hamiltonian, coupling = (
        matrix + matrix.conj().T for matrix in (random_matrix(rng, 3), random_matrix(rng, 3))
    )
    device = qtd.Lindbladian(
        {"H": (1.0, hamiltonian)}, {"bath": coupling}, {"bath": boson(0.8)}, approach="redfield"
    )

    def lost(w):
        return 0.1 * 0.8 if w == 0 else 0.1 * w * np.exp(-abs(w) / 10.0) / -np.expm1(-w / 0.8)

    energies, states = np.linalg.eigh(hamiltonian)
    levels = states.conj().T @ coupling @ states
    # Entry (a, c): the device loses E_c - E_a.
    half = levels * np.vectorize(lost)(energies - energies[:, None]) / 2
    one = np.eye(3)
    products = (
        both(half, levels)
        + both(levels, half.conj().T)
        - both(levels @ half, one)
        - both(one, half.conj().T @ levels)
    )
    expected = (
        states @ at_rest(products + liouvillian(np.diag(energies), [(one, 0.0)])) @ states.conj().T
    )
    assert error(qtd.steady_state(device), expected) < 1e-12
    qutip = pytest.importorskip("qutip")
    sources = [[qutip.Qobj(coupling), lambda w: float(lost(w))]]
    tensor = qutip.bloch_redfield_tensor(
        qutip.Qobj(hamiltonian), sources, fock_basis=True, sec_cutoff=-1
    )
    assert error(qutip.steadystate(tensor).full(), expected) < 1e-10
    if qutip.__version__ == "5.3.1":  # why the table says `fock_basis=True`
        tensor, basis = qutip.bloch_redfield_tensor(qutip.Qobj(hamiltonian), sources, sec_cutoff=-1)
        assert error((basis @ qutip.steadystate(tensor) @ basis.dag()).full(), expected) > 0.01


def test_superoperators_stack_columns():
    hamiltonian, jumps = random_device(5)
    rho = qtd.steady_state(qtd.Lindbladian.from_jumps(hamiltonian, jumps))
    generator = liouvillian(hamiltonian, jumps)
    assert np.abs(generator @ np.asarray(rho).T.reshape(-1)).max() < 1e-12
    qutip = pytest.importorskip("qutip")
    collapse = [np.sqrt(rate) * qutip.Qobj(operator) for operator, rate in jumps]
    assert error(qutip.liouvillian(qutip.Qobj(hamiltonian), collapse).full(), generator) < 1e-14
    assert np.array_equal(
        qutip.operator_to_vector(qutip.Qobj(rho)).full().ravel(), np.asarray(rho).T.reshape(-1)
    )


def test_factors_stand_in_the_order_of_kron():
    rho = np.asarray(qtd.steady_state(pair(exchange=0.0)))
    # Without exchange each qubit is in equilibrium with its own reservoir: the first with the hot
    # one.
    hot, cold = (
        np.diag([1, np.exp(-gap / t)]) / (1 + np.exp(-gap / t))
        for gap, t in ((1.0, 2.0), (1.3, 0.5))
    )
    assert error(rho, np.kron(hot, cold)) < 1e-13
    qutip = pytest.importorskip("qutip")
    assert np.array_equal(
        qutip.tensor(qutip.Qobj(hot), qutip.Qobj(cold)).full(), np.kron(hot, cold)
    )


def test_either_order_of_levels_will_do():
    # QuTiP's sigmam() lowers state 0 to state 1, its destroy(2) state 1 to state 0.
    down = qtd.Lindbladian.from_jumps(np.diag([0.5, -0.5]), [(LOWER.T, ("cold", boson(0.5)))])
    known = qtd.Lindbladian.from_jumps(NUMBER, [(LOWER, ("cold", boson(0.5)))])
    assert error(qtd.steady_state(down), np.asarray(qtd.steady_state(known))[::-1, ::-1]) < 1e-14
    qutip = pytest.importorskip("qutip")
    assert np.array_equal(qutip.sigmam().full(), LOWER.T) and np.array_equal(
        qutip.destroy(2).full(), LOWER
    )


# --- Refusals ---


class Operator:
    """What has `full()`, as a `qutip.Qobj`."""

    def full(self):
        return LOWER.astype(complex)


def test_what_has_its_array_as_full_is_an_operator():
    found = qtd.steady_state(qtd.Lindbladian.from_jumps(NUMBER + 0.1 * FLIP, [(Operator(), 0.3)]))
    assert np.array_equal(
        found, qtd.steady_state(qtd.Lindbladian.from_jumps(NUMBER + 0.1 * FLIP, [(LOWER, 0.3)]))
    )


REFUSED = {
    "`H` must be Hermitian": lambda make: make(LOWER, [(LOWER, 0.1)]),
    "`H` must be a square matrix, got shape (2, 3)": lambda make: make(
        np.ones((2, 3)), [(LOWER, 0.1)]
    ),
    "`H` must hold finite numbers": lambda make: make(np.nan * NUMBER, [(LOWER, 0.1)]),
    "`H` has 33 states, of 32 at most": lambda make: make(np.eye(33), [(np.eye(33), 0.1)]),
    "`H` must be a matrix, or a mapping of names to pairs": lambda make: make(
        {"e": NUMBER}, [(LOWER, 0.1)]
    ),
    "`H of 'x'` must be a 2 x 2 matrix, got shape (4, 4)": lambda make: make(
        {"e": (1.0, NUMBER), "x": (1.0, np.eye(4))}, [(LOWER, 0.1)]
    ),
    "`operator of jumps[1]` must be a 2 x 2 matrix": lambda make: make(
        NUMBER, [(LOWER, 0.1), (np.eye(4), 0.1)]
    ),
    "`jumps[0]` has an operator that is 0": lambda make: make(NUMBER, [(0 * LOWER, 0.1)]),
    "`jumps` must be a list of pairs (operator, rate or reservoir), at least one": lambda make: (
        make(NUMBER, [])
    ),
    "`jumps[0]` must be a pair (operator, rate or reservoir)": lambda make: make(NUMBER, [LOWER]),
    "`rate` must not be negative, got -0.1": lambda make: make(NUMBER, [(LOWER, -0.1)]),
    "`rate of jump_0` must be a real number": lambda make: make(NUMBER, [(LOWER, None)]),
    "`jumps[1]` calls a second reservoir or rate 'a'": lambda make: make(
        NUMBER, [(LOWER, ("a", 0.1)), (LOWER, ("a", 0.2))]
    ),
    "`jumps` names the reservoir 'cold', but `reservoirs` has none": lambda make: make(
        NUMBER, [(LOWER, "cold")]
    ),
    "`reservoirs` holds 'hot', which no jump names": lambda make: make(
        NUMBER, [(LOWER, 0.1)], reservoirs={"hot": boson(1.0)}
    ),
    "`jumps` must give a rate, a reservoir, or a pair": lambda make: make(
        NUMBER, [(LOWER, (1.0, 2.0))]
    ),
    "`jumps[0]` must change 'H' by one gap": lambda make: make(
        NUMBER + 0.1 * FLIP, [(LOWER, boson(1.0))]
    ),
    "`bare` must be a matrix": lambda make: make(NUMBER, [(LOWER, 0.1)], bare="H"),
    "`bare` must name some of the terms of `H`, 'e', got 'f'": lambda make: make(
        {"e": (1.0, NUMBER)}, [(LOWER, 0.1)], bare="f"
    ),
    "`particles` must hold one integer for each": lambda make: make(
        NUMBER, [(LOWER, 0.1)], particles=[0.5, 1.0]
    ),
    "`particles` must change by one in `jumps[0]`": lambda make: make(
        NUMBER, [(LOWER, lead(1.0, 0.0))]
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(words):
    with pytest.raises(ValueError) as refused:
        REFUSED[words](qtd.Lindbladian.from_jumps)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_matrices_that_vary_are_refused():
    with pytest.raises(ValueError, match="what varies is a coefficient"):
        jax.grad(
            lambda energy: (
                qtd.steady_state(qtd.Lindbladian.from_jumps(energy * NUMBER, [(LOWER, 0.1)]))[
                    0, 0
                ].real
            )
        )(1.0)


def test_a_gap_of_nothing_in_a_flat_reservoir_has_no_rate():
    with pytest.raises(ValueError, match="A rate is infinite"):
        qtd.operate(
            qtd.Lindbladian.from_jumps({"e": (0.0, NUMBER)}, [(LOWER, lead(1.0, 0.0, "bose"))])
        )
