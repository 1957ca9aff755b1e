"""Lindbladians against dense matrices in NumPy, QuTiP, rate networks, and the laws that a device
with coherences obeys."""

from functools import reduce

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import as_float32, central_difference, dot, fermi

import qtd
from qtd.counting import covariance, cumulants
from qtd.spectral import LorentzDrude, Ohmic, WideBand

APPROACHES = "local", "global", "redfield"
EVERY_APPROACH = pytest.mark.parametrize("approach", APPROACHES)
ONE = np.eye(2)
NUMBER = np.diag([0.0, 1.0])
X = np.array([[0.0, 1.0], [1.0, 0.0]])
RAISE = np.array([[0.0, 0.0], [1.0, 0.0]])


def on(site, operator, sites):
    return reduce(np.kron, [operator if i == site else ONE for i in range(sites)])


N_1, N_2, X_1, X_2 = (on(site, operator, 2) for operator in (NUMBER, X) for site in (0, 1))
HOP = np.kron(RAISE, RAISE.T) + np.kron(RAISE.T, RAISE)
COUPLINGS = {"a": X_1, "b": X_1, "c": X_2}


def absorption(temperature, coupling, cutoff):
    """Rate of a Lorentz-Drude reservoir of bosons as a function of the gap, k T at zero gap."""

    def rate(gap, particles=0):
        safe = np.where(gap == 0, 1.0, gap)
        return np.where(
            gap == 0,
            coupling * temperature,
            coupling * safe / (1 + (safe / cutoff) ** 2) / np.expm1(safe / temperature),
        )

    return rate


def boson(temperature, coupling=0.1, cutoff=5.0):
    return qtd.Reservoir(temperature, spectral_density=LorentzDrude(coupling, cutoff))


def contacts(seed, names="abc"):
    """Temperature, coupling and cut-off of some reservoirs."""
    rng = np.random.default_rng(seed)
    return {
        name: (rng.uniform(0.4, 3), rng.uniform(0.02, 0.2), rng.uniform(3, 8)) for name in names
    }


def coefficients(seed):
    """Two energies, the first the larger one by more than the rates, ZZ interaction and
    exchange."""
    rng = np.random.default_rng(1000 + seed)
    second = rng.uniform(0.7, 1.2)
    return second + rng.uniform(0.3, 0.6), second, rng.uniform(0.2, 0.6), rng.uniform(0.05, 0.2)


def two_qubits(seed, approach, turn=ONE, coherences="all"):
    """Two qubits that exchange excitations, two reservoirs on one and one on the other, all rotated
    by a unitary."""
    first, second, both, exchange = coefficients(seed)

    def rotated(operator):
        return operator if turn is ONE else turn @ operator @ turn.conj().T

    return qtd.Lindbladian(
        bare={
            "first": (first, rotated(N_1)),
            "second": (second, rotated(N_2)),
            "both": (both, rotated(N_1 @ N_2)),
        },
        interaction={"exchange": (exchange, rotated(HOP))},
        couplings={name: rotated(operator) for name, operator in COUPLINGS.items()},
        reservoirs={name: boson(*numbers) for name, numbers in contacts(seed).items()},
        approach=approach,
        coherences=coherences,
    )


def two_qubits_dense(seed, approach, kept=None):
    first, second, both, exchange = coefficients(seed)
    rates = {name: absorption(*numbers) for name, numbers in contacts(seed).items()}
    return dense(
        approach,
        first * N_1 + second * N_2 + both * N_1 @ N_2,
        exchange * HOP,
        COUPLINGS,
        rates,
        kept=kept,
    )


def dense(approach, bare, interaction, couplings, rates, potentials=None, numbers=None, kept=None):
    """State, heat currents, their covariance, and Tr[H D_r rho], from the whole complex
    Liouvillian; `kept` masks its elements.

    X rho Y is kron(X, Y^T) on rows stacked; levels from `eigh` in ascending order; D_r by the
    formulas in the docstring of Lindbladian.
    """
    size = len(bare)
    one, numbers = np.eye(size), np.zeros(size) if numbers is None else np.asarray(numbers)
    energies, states = (
        (np.diag(bare).real, one) if approach == "local" else np.linalg.eigh(bare + interaction)
    )
    dagger = states.conj().T
    hamiltonian = dagger @ (bare + interaction) @ states
    gaps, change = energies[:, None] - energies, numbers[:, None] - numbers

    def both(left, right):
        return np.kron(left, right.T)

    parts = {}
    for name, operator in couplings.items():
        a, rate = dagger @ operator @ states, rates[name](gaps, change)
        quanta = gaps - (potentials[name] if potentials else 0.0) * change
        if approach == "redfield":
            # The quantum of a product is that of the factor without rate: then the currents are
            # Tr[H D_r rho]. Factors that exchange different numbers of particles make no product.
            jumps, dissipator = [0, 0, 0], 0
            for exchanged in set(change.ravel()):
                part = np.where(change == exchanged, a, 0)
                half, back = part * rate / 2, part.conj().T
                counted = [
                    both(half, back * quanta.T**n) + both(part * quanta**n, half.conj().T)
                    for n in range(3)
                ]
                loss = back @ half
                jumps = [total + jump for total, jump in zip(jumps, counted)]
                dissipator = dissipator + counted[0] - both(loss, one) - both(one, loss.conj().T)
        else:
            jumps, dissipator = [0, 0, 0], 0
            for gap, exchanged in set(zip(np.round(gaps, 9).ravel(), change.ravel())):
                chosen = (np.abs(gaps - gap) < 2e-9) & (change == exchanged)
                part = np.where(chosen, a, 0)
                strength = rate[chosen][0]
                quantum = quanta[chosen][0]
                jump = strength * both(part, part.conj().T)
                loss = strength / 2 * part.conj().T @ part
                jumps = [total + jump * quantum**n for n, total in enumerate(jumps)]
                dissipator = dissipator + jump - both(loss, one) - both(one, loss)
        parts[name] = dissipator, jumps
    generator = sum(part for part, _ in parts.values()) - 1j * (
        both(hamiltonian, one) - both(one, hamiltonian)
    )
    kept = np.ones(size**2, bool) if kept is None else kept.ravel()
    trace = one.ravel()
    system = np.vstack([np.where(np.outer(kept, kept), generator, 0), trace, np.diag(1.0 - kept)])

    def solve(right, trace):
        return np.linalg.lstsq(
            system, np.concatenate([right * kept, [trace], 0 * right]), rcond=None
        )[0]

    rho = solve(np.zeros(size**2), 1)
    currents = {name: trace @ jumps[1] @ rho for name, (_, jumps) in parts.items()}
    response = {
        name: solve(currents[name] * rho - jumps[1] @ rho, 0) for name, (_, jumps) in parts.items()
    }
    crossed = np.array([[trace @ parts[r][1][1] @ response[s] for s in parts] for r in parts])
    noise = crossed + crossed.T + np.diag([trace @ jumps[2] @ rho for _, jumps in parts.values()])
    taken_up = [hamiltonian.T.ravel() @ part @ rho for part, _ in parts.values()]
    return (
        states @ rho.reshape(size, size) @ dagger,
        np.array(list(currents.values())),
        noise,
        np.array(taken_up),
    )


@eqx.filter_jit
def observe(device):
    """State, heat currents, their covariance, and Tr[H D_r rho]."""
    point = qtd.operate(device)

    def listed(values):
        return jnp.stack([values[name] for name in point.names])

    return (
        qtd.steady_state(device),
        listed(point.heat_currents),
        point.heat_covariance.matrix,
        listed(point.device_energy_currents),
    )


def error(found, expected):
    """Largest error relative to the largest entry."""
    found, expected = np.asarray(found), np.asarray(expected)
    return np.abs(found - expected).max() / np.abs(expected).max()


def errors(found, expected):
    return max(map(error, found, expected))


def small(**changes):
    arguments = {
        "bare": {"first": (1.0, N_1), "second": (1.3, N_2)},
        "interaction": {"exchange": (0.2, HOP)},
        "couplings": {"hot": X_1, "cold": X_2},
        "reservoirs": {"hot": boson(2.0), "cold": boson(0.5)},
    }
    return qtd.Lindbladian(**{**arguments, **changes})


# --- Independent arithmetic ---


def test_a_local_device_is_that_of_qutip_with_one_collapse_operator_for_each_jump():
    qutip = pytest.importorskip("qutip")
    for seed in range(20):
        first, second, both, exchange = coefficients(seed)
        bare = first * N_1 + second * N_2 + both * N_1 @ N_2
        levels, jumps = np.diag(bare), []
        for name, numbers in contacts(seed).items():
            for b, a in np.argwhere(
                COUPLINGS[name]
            ):  # with ZZ interaction no two jumps of a qubit have equal gaps
                jumps.append((name, b, a, float(absorption(*numbers)(levels[b] - levels[a]))))

        def ket(level):
            return qutip.basis(4, int(level))

        collapse = [np.sqrt(rate) * ket(b) @ ket(a).dag() for _, b, a, rate in jumps]
        rho = qutip.steadystate(qutip.Qobj(bare + exchange * HOP), collapse).full()
        heat = [
            sum(
                (levels[b] - levels[a]) * rate * rho[a, a].real
                for r, b, a, rate in jumps
                if r == name
            )
            for name in "abc"
        ]
        found = observe(two_qubits(seed, "local"))
        # QuTiP's sparse LU, and the currents are differences.
        assert errors(found[:2], (rho, np.array(heat))) < 1e-10


def test_a_redfield_state_is_that_of_qutip():
    qutip = pytest.importorskip("qutip")
    for seed in range(5):
        first, second, both, exchange = coefficients(seed)
        hamiltonian = qutip.Qobj(first * N_1 + second * N_2 + both * N_1 @ N_2 + exchange * HOP)

        # QuTiP's frequencies are what the device loses.
        def spectrum(numbers):
            return lambda w: float(absorption(*numbers)(-w))

        sources = [
            [qutip.Qobj(COUPLINGS[name]), spectrum(numbers)]
            for name, numbers in contacts(seed).items()
        ]
        rho = qutip.steadystate(
            qutip.bloch_redfield_tensor(hamiltonian, sources, fock_basis=True, sec_cutoff=-1)
        ).full()
        assert error(observe(two_qubits(seed, "redfield"))[0], rho) < 1e-12  # two dense solves


@EVERY_APPROACH
def test_state_currents_and_noise_are_those_of_dense_matrices(approach):
    for seed in range(20):
        found, expected = observe(two_qubits(seed, approach)), two_qubits_dense(seed, approach)
        assert errors(found, expected) < 1e-10  # currents are small differences of large fluxes


@EVERY_APPROACH
def test_dense_complex_operators_of_any_strength_are_those_of_dense_matrices(approach):
    # Nothing vanishes: reservoirs dephase at gap zero, and every product of two jumps is there.
    rng = np.random.default_rng(5)
    raw = rng.normal(size=(4, 3, 3)) + 1j * rng.normal(size=(4, 3, 3))
    bare, interaction, *couplings = raw + raw.conj().transpose(0, 2, 1)
    bare = np.diag(np.diag(bare)) if approach == "local" else bare
    couplings = dict(zip("ab", couplings))
    for seed in range(10):
        b, i, *strengths = np.random.default_rng(seed).uniform(0.3, 1, 4)
        numbers, strengths = contacts(seed, "ab"), dict(zip("ab", strengths))
        found = observe(
            qtd.Lindbladian(
                {"b": (b, bare)},
                {name: (strengths[name], couplings[name]) for name in "ab"},
                {name: boson(*numbers[name]) for name in "ab"},
                {"i": (i, interaction)},
                approach=approach,
            )
        )
        rates = {
            name: lambda gap, n, name=name: strengths[name] * absorption(*numbers[name])(gap)
            for name in "ab"
        }
        # As above.
        assert errors(found, dense(approach, b * bare, i * interaction, couplings, rates)) < 1e-10


def test_a_partial_secular_equation_keeps_the_coherences_that_are_named():
    kept = np.eye(4, dtype=bool)
    kept[1, 2] = kept[2, 1] = True
    for seed in range(5):
        found = observe(two_qubits(seed, "redfield", coherences=[(2, 1)]))
        expected = two_qubits_dense(seed, "redfield", kept)
        assert errors(found, expected) < 1e-10
        # The coherence of levels 0 and 3 matters.
        assert error(found[0], two_qubits_dense(seed, "redfield")[0]) > 1e-6


def test_without_coherences_a_redfield_equation_is_the_global_one():
    # All gaps differ, so that populations obey the same rate equation in both.
    populations_only = two_qubits(3, "redfield", coherences=[])
    assert errors(observe(populations_only), observe(two_qubits(3, "global"))) < 1e-12


def test_coherences_that_never_meet_the_populations_change_nothing():
    device = two_qubits(0, "redfield")
    assert len(device.structure.variables) == 8 and len(device.complete().structure.variables) == 16
    assert errors(observe(device.complete()), observe(device)) < 1e-12  # sums in another order


def test_the_smallest_eigenvalue_is_that_of_the_density_matrix():
    # Strong coupling to cold reservoirs: the Redfield equation leaves the states.
    reservoirs = {"hot": boson(0.3, 1.0), "cold": boson(0.05, 1.0)}
    state = qtd.steady.solve(
        small(approach="redfield", couplings={"hot": X_1 + X_2, "cold": X_1}, reservoirs=reservoirs)
    )
    smallest, rho = eqx.filter_jit(lambda state: (state.smallest_eigenvalue, state.density_matrix))(
        state
    )
    assert float(smallest) < -1e-3
    # Of a matrix of trace 1.
    assert float(smallest) == pytest.approx(np.linalg.eigvalsh(rho).min(), abs=1e-15)


# --- A three-qubit absorption refrigerator, as a user writes it ---

WORKING_POINT = {"g": 0.05, "cold": 1.0, "hot": 1.2, "work": 6.0}


def refrigerator(
    approach, g=0.05, cold=1.0, hot=1.2, work=6.0, energy_cold=1.0, energy_work=2.0, detuning=0.0
):
    names = "cold", "hot", "work"
    energies = dict(zip(names, (energy_cold, energy_cold + energy_work + detuning, energy_work)))
    lift = on(0, RAISE, 3) @ on(1, RAISE.T, 3) @ on(2, RAISE, 3)
    return qtd.Lindbladian(
        bare={name: (energies[name], on(site, NUMBER, 3)) for site, name in enumerate(names)},
        interaction={"g": (g, lift + lift.T)},
        couplings={name: on(site, X, 3) for site, name in enumerate(names)},
        reservoirs={name: boson(t, 0.05) for name, t in zip(names, (cold, hot, work))},
        approach=approach,
    )


@pytest.mark.parametrize("approach", ["local", "global"])
def test_the_refrigerator_cools_and_its_numbers_are_those_of_the_whole_liouvillian(approach):
    point = qtd.operate(refrigerator(approach), cooled="cold", driven_by="work")
    assert point.mode == "refrigerator" and float(point.heat_currents["cold"]) > 1e-4
    assert 0 < float(point.cop) < float(point.carnot_cop) and float(point.tur("cold")) > 2
    energies = {"cold": 1.0, "hot": 3.0, "work": 2.0}
    bare = sum(energies[name] * on(site, NUMBER, 3) for site, name in enumerate(energies))
    lift = on(0, RAISE, 3) @ on(1, RAISE.T, 3) @ on(2, RAISE, 3)
    couplings = {name: on(site, X, 3) for site, name in enumerate(energies)}
    rates = {name: absorption(WORKING_POINT[name], 0.05, 5.0) for name in energies}
    expected = dense(approach, bare, 0.05 * (lift + lift.T), couplings, rates)
    # A current of 1e-3 of the fluxes, by least squares.
    assert errors(observe(refrigerator(approach)), expected) < 1e-10


@EVERY_APPROACH
def test_the_refrigerator_obeys_both_laws(approach):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cold = rng.uniform(0.4, 2)
        g = rng.uniform(0.01, 0.2)
        detuning = 0.0 if seed < 10 else rng.uniform(0.05, 0.2)
        device = refrigerator(
            approach,
            g,
            cold,
            cold * rng.uniform(1, 2),
            cold * rng.uniform(2, 10),
            detuning=detuning,
        )
        state, heat, noise, taken_up = observe(device)
        rounding = 1e-13 * float(jnp.sqrt(jnp.diag(noise).max()))  # of fluxes of 0.1 to 1
        assert abs(float(taken_up.sum())) < rounding
        if approach != "local" or detuning == 0:  # then the interaction conserves the quanta
            assert abs(float(heat.sum())) < rounding and error(taken_up, heat) < 1e-10
        assert abs(float(jnp.trace(state).real) - 1) < 1e-13 and np.all(np.diag(noise) > 0)
        if approach != "redfield":
            assert np.linalg.eigvalsh(state).min() > 0 and np.linalg.eigvalsh(noise).min() > -1e-14
            assert (
                sum(
                    float(j / device.reservoirs[name].temperature)
                    for j, name in zip(heat, ("cold", "hot", "work"))
                )
                < 0
            )
        if approach == "global":
            # Energy is conserved in every long run.
            assert np.abs(noise.sum(1)).max() < 1e-13 * noise.max()


@pytest.mark.parametrize("approach", ["local", "global"])
def test_derivatives_of_the_cooling_current_are_central_differences(approach):
    names = list(WORKING_POINT)

    def current(values):
        paths = dict(
            zip(
                ["interaction.g", *(f"reservoirs.{name}.temperature" for name in names[1:])], values
            )
        )
        return qtd.operate(qtd.replace(refrigerator(approach), paths)).heat_currents["cold"]

    both = jax.jit(jax.value_and_grad(current))
    values = jnp.array(list(WORKING_POINT.values()))
    found = both(values)[1]
    for i in range(len(names)):
        expected = central_difference(
            lambda x, i=i: both(values.at[i].set(x))[0], values[i], 1e-3 * values[i]
        )
        # Step^4 and eps / step, both below 1e-9 of the current.
        assert float(found[i]) == pytest.approx(float(expected), rel=1e-7)


# --- Equilibrium, degeneracy, complex operators ---


def gibbs(hamiltonian, temperature):
    energies, states = np.linalg.eigh(hamiltonian)
    weights = np.exp(-(energies - energies.min()) / temperature)
    return (states * weights / weights.sum()) @ states.conj().T


@pytest.mark.parametrize("approach, exchange", [("global", 0.17), ("global", 0.0), ("local", 0.0)])
def test_reservoirs_of_equal_temperature_make_a_gibbs_state(approach, exchange):
    for temperature in (0.3, 1.0, 10.0):
        changes = {f"reservoirs.{name}.temperature": temperature for name in "abc"} | {
            "interaction.exchange": exchange
        }
        device = qtd.replace(two_qubits(0, approach), changes)
        rho, heat, _, taken_up = observe(device)
        assert (
            np.abs(np.asarray(rho) - gibbs(np.asarray(device.hamiltonian()), temperature)).max()
            < 1e-13
        )
        # Fluxes of 0.1 T at most.
        assert max(np.abs(heat).max(), np.abs(taken_up).max()) < 1e-15 * max(1, temperature)


def test_degenerate_qubits_with_a_common_reservoir_keep_their_coherence():
    numbers = {"common": (1.0, 0.1, 5.0), "alone": (0.5, 0.2, 5.0)}
    couplings = {"common": X_1 + X_2, "alone": X_1}
    device = qtd.Lindbladian(
        {"both": (1.0, N_1 + N_2)}, couplings, {name: boson(*x) for name, x in numbers.items()}
    )
    rates = {name: absorption(*x) for name, x in numbers.items()}
    found, expected = observe(device), dense("global", N_1 + N_2, 0 * HOP, couplings, rates)
    assert errors(found, expected) < 1e-10  # as above
    assert abs(expected[0][1, 2]) > 1e-2


def test_levels_that_only_the_interaction_makes_degenerate_keep_their_coherence():
    # Three sites on a ring, above a ground state: two of the delocalised levels are degenerate, in
    # a basis that nobody chose.
    ring = np.zeros((4, 4))
    ring[1:, 1:] = 1 - np.eye(3)
    sites = np.diag([0.0, 1.0, 1.0, 1.0])

    def edge(*weights):
        return np.block([[np.zeros((1, 1)), np.array([weights])], [np.zeros((3, 4))]])

    couplings = {
        name: x + x.T for name, x in (("a", edge(1.0, 0.2, 0.5)), ("b", edge(0.3, 1.0, -0.4)))
    }
    numbers = contacts(4, "ab")

    def make(g):
        return qtd.Lindbladian(
            {"sites": (2.0, sites)},
            couplings,
            {name: boson(*x) for name, x in numbers.items()},
            {"ring": (g, ring)},
        )

    rates = {name: absorption(*x) for name, x in numbers.items()}
    # As above.
    assert (
        errors(observe(make(0.3)), dense("global", 2.0 * sites, 0.3 * ring, couplings, rates))
        < 1e-10
    )
    current = jax.jit(jax.value_and_grad(lambda g: qtd.operate(make(g)).heat_currents["a"]))
    expected = central_difference(lambda g: current(g)[0], jnp.array(0.3), 1e-3)
    # Step^4 and eps / step, both 1e-11.
    assert float(current(jnp.array(0.3))[1]) == pytest.approx(float(expected), rel=1e-8)


@EVERY_APPROACH
def test_phases_of_the_basis_states_change_nothing(approach):
    phases = np.diag(np.exp(1j * np.array([0.3, -1.1, 2.0, 0.7])))
    for seed in range(5):
        rho, *numbers = observe(two_qubits(seed, approach))
        turned, *found = observe(two_qubits(seed, approach, phases))
        assert errors(found, numbers) < 1e-12  # rounding of sums taken in another order
        assert error(turned, phases @ np.asarray(rho) @ phases.conj().T) < 1e-12


@pytest.mark.parametrize("approach", ["global", "redfield"])
def test_the_basis_of_the_operators_changes_nothing(approach):
    rng = np.random.default_rng(7)
    unitary = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))[0]
    rho, *numbers = observe(two_qubits(1, approach))
    turned, *found = observe(two_qubits(1, approach, unitary))
    # Rounding of the operators, times the condition of the generator.
    assert errors(found, numbers) < 1e-11
    assert error(turned, unitary @ np.asarray(rho) @ unitary.conj().T) < 1e-12


@EVERY_APPROACH
def test_states_may_be_listed_from_the_top_down_however_cold_it_is(approach):
    # The last level to be eliminated must be one that is occupied: with the first one of the list,
    # currents of 1e-26 were lost.
    def device(order):
        def turn(x):
            return x[np.ix_(order, order)]

        numbers = [on(site, NUMBER, 3) for site in range(3)]
        lift = np.zeros((8, 8))
        lift[0b010, 0b101] = 1
        return qtd.Lindbladian(
            bare={
                "cold": (1.0, turn(numbers[0] + numbers[1])),
                "work": (3.0, turn(numbers[2] + numbers[1])),
            },
            interaction={"swap": (0.02, turn(lift + lift.T))},
            couplings={
                name: turn(on(site, X, 3)) for site, name in enumerate(("cold", "hot", "work"))
            },
            reservoirs={
                name: boson(temperature)
                for name, temperature in (("cold", 0.03), ("hot", 0.036), ("work", 0.15))
            },
            approach=approach,
        )

    found, expected = (
        qtd.operate(device(order), cooled="cold", driven_by="work")
        for order in (np.arange(8), np.arange(8)[::-1])
    )
    for figure in (
        lambda p: p.heat_currents["cold"],
        lambda p: p.heat_currents["work"],
        lambda p: p.heat_covariance["cold", "cold"],
    ):
        assert 0 < float(figure(found)) < 1e-20
        assert abs(float(figure(found) / figure(expected) - 1)) < 1e-5


# --- Fermions ---


def lead(contact, rate):
    return qtd.Reservoir(*contact, "fermi", spectral_density=WideBand(rate))


LEFT, RIGHT = (1.0, 0.5), (0.7, -0.4)


@EVERY_APPROACH
def test_a_level_between_two_leads_is_the_rate_network(approach):
    device = qtd.Lindbladian(
        {"level": (0.3, NUMBER)},
        {"left": X, "right": X},
        {"left": lead(LEFT, 0.9), "right": lead(RIGHT, 1.6)},
        particles=[0, 1],
        approach=approach,
    )
    network = dot(0.3, LEFT, RIGHT, (0.9, 1.6))
    found, expected = qtd.operate(device), qtd.operate(network)
    for name in ("left", "right"):
        for quantity in ("particle_currents", "heat_currents", "energy_currents"):
            assert float(getattr(found, quantity)[name]) == pytest.approx(
                float(getattr(expected, quantity)[name]), rel=1e-13
            )
    assert error(found.heat_covariance.matrix, expected.heat_covariance.matrix) < 1e-13
    assert float(found.power) == pytest.approx(float(expected.power), rel=1e-13)
    assert (
        error(cumulants(device, "left", 4, "heat"), cumulants(network, "left", 4, "heat")) < 1e-13
    )


@EVERY_APPROACH
def test_heat_of_two_dots_in_a_row_is_that_of_dense_matrices(approach):
    contacts = {"left": (LEFT, 0.2), "right": (RIGHT, 0.3)}
    rates = {
        name: lambda gap, change, c=c, rate=rate: (
            rate * np.where(change > 0, fermi(gap, c), 1 - fermi(-gap, c))
        )
        for name, (c, rate) in contacts.items()
    }
    bare, couplings = 0.4 * N_1 + 0.1 * N_2 + 0.7 * N_1 @ N_2, {"left": X_1, "right": X_2}
    device = qtd.Lindbladian(
        {"left": (0.4, N_1), "right": (0.1, N_2), "repulsion": (0.7, N_1 @ N_2)},
        couplings,
        {name: lead(*numbers) for name, numbers in contacts.items()},
        {"tunnelling": (0.15, HOP)},
        particles=[0, 1, 1, 2],
        approach=approach,
    )
    potentials = {name: c[1] for name, (c, _) in contacts.items()}
    expected = dense(approach, bare, 0.15 * HOP, couplings, rates, potentials, [0, 1, 1, 2])
    assert errors(observe(device), expected) < 1e-10  # as above


# --- Counting ---


@EVERY_APPROACH
def test_the_covariance_is_that_of_the_cumulants(approach):
    device = two_qubits(2, approach)
    _, heat, noise, _ = observe(device)

    @jax.jit
    def counted(device):
        state = qtd.steady.solve(device)
        return (
            covariance(state).matrix,
            [cumulants(state, name, 2) for name in "abc"],
            cumulants(state, {"a": 1.0, "b": 1.0}, 2)[1],
        )

    matrix, alone, both = counted(device)
    assert error(matrix, noise) < 1e-13  # here and below: the same sums in another order
    for i, (first, second) in enumerate(alone):
        assert float(first) == pytest.approx(float(heat[i]), rel=1e-12)
        assert float(second) == pytest.approx(float(noise[i, i]), rel=1e-12)
    assert float(both) == pytest.approx(
        float(noise[0, 0] + noise[1, 1] + 2 * noise[0, 1]), rel=1e-12
    )


# --- Transformations ---


def with_values(approach):
    """Currents and a noise, added up, as a function of five parameters, of a device built inside
    what is compiled."""

    def figure(values):
        def make(temperature, coupling):
            return qtd.Reservoir(temperature, spectral_density=Ohmic(coupling, 4.0))

        energy, exchange, strength, temperature, coupling = values
        device = small(
            bare={"second": (1.0, N_2), "first": (energy, N_1)},
            interaction={"exchange": (exchange, HOP)},
            couplings={"hot": (strength, X_1), "cold": X_2},
            reservoirs={"hot": make(temperature, 0.1), "cold": make(0.5, coupling)},
            approach=approach,
        )
        point = qtd.operate(device)
        return (
            point.heat_currents["cold"]
            + 2 * point.heat_covariance["hot", "cold"]
            + 3 * point.device_energy_currents["hot"]
        )

    return figure


VALUES = jnp.array([1.3, 0.2, 0.8, 2.0, 0.1])


@EVERY_APPROACH
def test_transformations_agree(approach):
    figure = with_values(approach)
    compiled = jax.jit(
        lambda values: (figure(values), jax.jacfwd(figure)(values), jax.grad(figure)(values))
    )
    value, forward, reverse = compiled(VALUES)
    # Sums in another order, here and below.
    assert float(value) == pytest.approx(float(figure(VALUES)), rel=1e-12)
    assert jnp.all(forward != 0) and jnp.allclose(reverse, forward, rtol=1e-9, atol=0)
    batch = jnp.asarray(np.asarray(VALUES) * np.random.default_rng(0).uniform(0.7, 1.4, (5, 5)))
    loop = jnp.stack([compiled(values)[0] for values in batch])
    assert jnp.allclose(jax.jit(jax.vmap(figure))(batch), loop, rtol=1e-12, atol=0)


def test_a_hessian_is_finite_and_symmetric():
    hessian = jax.jit(jax.hessian(with_values("global")))(VALUES)
    assert jnp.all(jnp.isfinite(hessian)) and jnp.all(hessian != 0)
    assert error(hessian, hessian.T) < 1e-12  # as above


@EVERY_APPROACH
def test_float32_stays_float32(approach):
    single, exact = observe(as_float32(two_qubits(0, approach))), observe(two_qubits(0, approach))
    assert [part.dtype for part in single] == [jnp.complex64, jnp.float32, jnp.float32, jnp.float32]
    assert errors(single, exact) < 1e-4  # eps times the condition of the generator, of some 100


def test_a_device_built_anew_is_not_compiled_anew():
    single = eqx.filter_jit(
        eqx.debug.assert_max_traces(lambda device: qtd.operate(device).heat_currents, max_traces=1)
    )
    for seed in range(3):
        single(two_qubits(seed, "global"))


# --- Bad input ---


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"couplings": {"hot": np.kron(RAISE, ONE), "cold": X_2}},
            "`couplings.hot` must be Hermitian",
        ),
        (
            {"interaction": {"exchange": (0.2, 1j * HOP)}},
            "`interaction.exchange` must be Hermitian",
        ),
        ({"bare": {"first": (1.0, N_1 * np.nan)}}, "`bare.first` must be Hermitian and finite"),
        (
            {"couplings": {"hot": X, "cold": X_2}},
            "`couplings.hot` must be a 4 x 4 matrix like the others, got shape \\(2, 2\\)",
        ),
        ({"bare": {"first": (1.0, np.ones(4))}}, "`bare.first` must be a 4 x 4 matrix"),
        ({"bare": {}}, "`bare` must have at least one term"),
        ({"bare": {"first": (1j, N_1)}}, "`bare.first` must be real"),
        ({"bare": {"first": (jnp.ones(3), N_1)}}, "`bare.first` must be one number"),
        ({"interaction": {"exchange": (np.nan, HOP)}}, "`interaction.exchange` must be finite"),
        ({"couplings": {"hot": (-1.0, X_1), "cold": X_2}}, "`strengths.hot` must not be negative"),
        (
            {"approach": "davies"},
            '`approach` must be "local", "global" or "redfield", got \'davies\'',
        ),
        (
            {"reservoirs": {"hot": boson(1.0), "tepid": boson(1.0)}},
            "`couplings` and `reservoirs` must have the same names",
        ),
        ({"couplings": {}, "reservoirs": {}}, "`couplings` and `reservoirs`"),
        (
            {"approach": "local", "bare": {"all": (1.0, N_1 + HOP)}},
            '`bare.all` must be diagonal for the approach "local"',
        ),
        ({"coherences": [(0, 4)]}, "`coherences` must be pairs of different levels 0 ... 3"),
        ({"coherences": [(1, 1)]}, "`coherences` must be pairs of different levels"),
        ({"coherences": "none"}, '`coherences` must be "all" or pairs'),
        ({"particles": [0, 1]}, "`particles` must hold one integer for each of the 4"),
        (
            {"reservoirs": {"hot": lead(LEFT, 1.0), "cold": boson(1.0)}},
            "`particles` must change by one .* 'hot'",
        ),
    ],
)
def test_bad_input_is_named_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as raised:
        small(**changes)
    assert "\n" not in str(raised.value)


def test_bad_names_and_other_approaches_are_refused_later_too():
    mixed = small(bare={"all": (1.0, N_1 + 0.1 * HOP)})
    with pytest.raises(ValueError, match="`bare.all` must be diagonal"):
        mixed.using("local")
    with pytest.raises(ValueError, match="`approach` must be"):
        mixed.using("davies")
    with pytest.raises(ValueError, match="`cooled` names 'tepid'"):
        qtd.operate(mixed, cooled="tepid")
    with pytest.raises(ValueError, match="No reservoir is called 'tepid'"):
        cumulants(mixed, "tepid")
    with pytest.raises(ValueError, match='`quantity` must be "energy"'):
        covariance(mixed, "entropy")


def test_what_is_not_unique_is_refused_at_rest_and_relaxes_all_the_same():
    alone = small(interaction=None, couplings={"hot": X_1}, reservoirs={"hot": boson(1.0)})
    with pytest.raises(ValueError, match="`couplings` leave level 1 unconnected .* not unique"):
        qtd.steady_state(alone)
    # The first qubit relaxes, the second, which nothing touches, turns.
    plus = np.array([[0.5, 0.5], [0.5, 0.5]])
    rho = np.asarray(qtd.evolution.relax(alone, np.kron(plus, plus), 1e3)).reshape(2, 2, 2, 2)
    excited = 1 / (1 + np.exp(1.0))
    np.testing.assert_allclose(
        np.einsum("ajbj->ab", rho), np.diag([1 - excited, excited]), atol=1e-12
    )
    np.testing.assert_allclose(abs(np.einsum("iaib->ab", rho)[0, 1]), 0.5, rtol=1e-12)
    # A singlet that no reservoir sees keeps its share.
    dark = small(
        bare={"both": (1.0, N_1 + N_2)},
        interaction=None,
        couplings={"hot": X_1 + X_2},
        reservoirs={"hot": boson(1.0)},
    )
    singlet = np.array([0.0, 1.0, -1.0, 0.0]) / np.sqrt(2)
    kept = np.asarray(qtd.evolution.relax(dark, np.outer(singlet, singlet), [1.0, 1e4]))
    np.testing.assert_allclose(
        kept[:, :, :], np.outer(singlet, singlet)[None] * np.ones((2, 1, 1)), atol=1e-12
    )


@EVERY_APPROACH
def test_a_reservoir_that_commutes_with_the_levels_takes_coherence_and_no_heat(approach):
    """The coherence decays at 2 k T for J = k w and sigma_z, besides half of what relaxation
    takes."""

    def ohmic(temperature, k):
        return qtd.Reservoir(temperature, spectral_density=Ohmic(k, 1e12))

    reservoirs = {"x": ohmic(0.5, 0.01), "z": ohmic(0.7, 0.02)}
    qubit = qtd.Lindbladian(
        {"gap": (1.0, NUMBER)}, {"x": X, "z": np.diag([1.0, -1.0])}, reservoirs, approach=approach
    )
    point = qtd.operate(qubit)
    assert int(point.status) == 0 and all(float(heat) == 0 for heat in point.heat_currents.values())
    states = np.asarray(qtd.evolution.relax(qubit, np.full((2, 2), 0.5), [0.0, 10.0]))
    rate = -np.log(2 * abs(states[1, 0, 1])) / 10
    relaxation = 0.01 * (1 + 2 / np.expm1(2.0)) / 2
    assert rate == pytest.approx(
        2 * 0.02 * 0.7 + relaxation, rel=1e-10 if approach != "redfield" else 0.02
    )


def test_a_coherence_that_nothing_couples_to_only_turns():
    device = small(interaction=None, couplings={"hot": X_1}, reservoirs={"hot": boson(1.0)})
    start = np.kron(np.diag([0.5, 0.5]), np.full((2, 2), 0.5))
    turned = np.asarray(qtd.evolution.relax(device, start, 200 / 1.3)).reshape(2, 2, 2, 2)
    np.testing.assert_allclose(abs(np.einsum("iaib->ab", turned)[0, 1]), 0.5, rtol=1e-12)


@pytest.mark.parametrize("fast", [1.0, 1e3, 1e6, 1e9])
def test_populations_beside_a_fast_reservoir_relax_as_those_of_the_network(fast):
    """Trap: without a trace that is kept, every squaring of the exponential doubles its error."""

    def ohmic(temperature, k):
        return qtd.Reservoir(temperature, spectral_density=Ohmic(k, 1e9))

    def swap(a):
        return np.outer(np.eye(3)[0], np.eye(3)[a]) + np.outer(np.eye(3)[a], np.eye(3)[0])

    device = qtd.Lindbladian(
        {"first": (1.0, np.diag([0.0, 1.0, 0.0])), "second": (2.3, np.diag([0.0, 0.0, 1.0]))},
        {"fast": swap(1), "slow": swap(2)},
        {"fast": ohmic(0.5, fast), "slow": ohmic(0.9, 0.01)},
    )
    start, times = [0.2, 0.3, 0.5], [1.0, 50.0]
    states = np.asarray(qtd.evolution.relax(device, start, times))
    np.testing.assert_allclose(
        np.diagonal(states, axis1=1, axis2=2),
        qtd.evolution.relax(device.network(), start, times),
        atol=1e-13,
    )
    np.testing.assert_allclose(np.trace(states, axis1=1, axis2=2), 1, atol=1e-14)


def test_a_flat_density_of_bosons_at_no_gap_is_called_infinite():
    flat = qtd.Reservoir(1.0, spectral_density=WideBand(0.1))
    device = qtd.Lindbladian(
        {"gap": (1.0, NUMBER)}, {"x": X, "z": np.diag([1.0, -1.0])}, {"x": boson(1.0), "z": flat}
    )
    with pytest.raises(ValueError, match="rate is infinite"):
        qtd.operate(device)
    with pytest.raises(ValueError, match="rate is infinite"):
        qtd.operate(qtd.RateNetwork([0.0, 0.0], [("z", 0, 1, 1.0)], {"z": flat}))


def test_a_dark_state_is_refused():
    # The singlet of two degenerate qubits does not see what couples to both alike.
    dark = small(
        bare={"both": (1.0, N_1 + N_2)},
        interaction=None,
        couplings={"hot": X_1 + X_2},
        reservoirs={"hot": boson(1.0)},
    )
    with pytest.raises(ValueError, match="No unique steady state"):
        qtd.operate(dark)
    assert int(jax.jit(qtd.operate)(dark).status) == qtd.Status.NO_UNIQUE_STEADY_STATE


@EVERY_APPROACH
def test_an_illegal_number_in_a_batch_spoils_its_own_point_alone(approach):
    device = small(approach=approach)

    @jax.jit
    @jax.vmap
    def sweep(temperature, strength):
        changed = qtd.replace(
            device, {"reservoirs.hot.temperature": temperature, "strengths.cold": strength}
        )
        return qtd.operate(changed, cooled="cold", driven_by="hot"), qtd.steady_state(changed)

    point, rho = sweep(jnp.array([1.0, -1.0, 2.0, 2.0]), jnp.array([1.0, 1.0, 1.0, -1.0]))
    illegal = np.array([False, True, False, True])
    assert np.array_equal(
        point.status, np.where(illegal, qtd.Status.INVALID_PARAMETER, qtd.Status.OK)
    )
    numbers = [
        point.heat_currents,
        point.device_energy_currents,
        point.heat_covariance,
        point.cop,
        rho,
    ]
    for values in jax.tree.leaves(numbers):
        assert np.array_equal(np.isnan(values).reshape(4, -1).all(1), illegal)
        assert np.array_equal(np.isnan(values).reshape(4, -1).any(1), illegal)
    with pytest.raises(ValueError, match="temperature"):
        qtd.replace(device, {"reservoirs.hot.temperature": -1.0})


# --- Parameters ---


def test_parameters_have_paths():
    device = small()
    paths = ["bare.first", "bare.second", "interaction.exchange", "strengths.cold", "strengths.hot"]
    assert [path for path in qtd.parameters(device) if not path.startswith("reservoirs.")] == paths
    changes = {
        "bare.first": 1.7,
        "interaction.exchange": 0.1,
        "strengths.hot": 2.0,
        "reservoirs.hot.temperature": 3.0,
    }
    changed = qtd.replace(device, changes)
    assert {
        path: float(value) for path, value in qtd.parameters(changed).items() if path in changes
    } == changes
    again = small(
        bare={"first": (1.7, N_1), "second": (1.3, N_2)},
        interaction={"exchange": (0.1, HOP)},
        couplings={"hot": (2.0, X_1), "cold": X_2},
        reservoirs={"hot": boson(3.0), "cold": boson(0.5)},
    )
    assert errors(observe(changed), observe(again)) == 0
    with pytest.raises(ValueError, match="No parameter is called 'bare.third'"):
        qtd.replace(device, {"bare.third": 1.0})


@EVERY_APPROACH
def test_another_approach_keeps_the_parameters(approach):
    changes = {
        "bare.first": 1.7,
        "interaction.exchange": 0.1,
        "strengths.hot": 2.0,
        "reservoirs.hot.temperature": 3.0,
    }
    changed = qtd.replace(small(), changes).using(approach)
    assert changed.structure.approach == approach
    assert qtd.parameters(changed) == qtd.parameters(qtd.replace(small(approach=approach), changes))
    assert errors(observe(changed), observe(qtd.replace(small(approach=approach), changes))) == 0
