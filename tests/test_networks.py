import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    dot,
    dot_current_and_noise,
    fermi,
    random_network,
    spinful_dot,
    spinful_dot_expanded,
    three_levels,
)

import qtd
from qtd.counting import covariance, cumulants
from qtd.spectral import Peaked, WideBand

BATH = {"bath": qtd.Reservoir(1.0, spectral_density=Peaked(1.0, 0.5))}


def observables(network, quantity="energy"):
    """Populations, currents, noise and third cumulant of a network."""
    point = qtd.operate(network)
    names = sorted(network.reservoirs)
    noise = covariance(network, quantity)
    return {
        "populations": qtd.steady_state(network),
        "currents": jnp.stack([point.heat_currents[name] for name in names]),
        "noise": jnp.stack([noise[a, b] for a in names for b in names]),
        "third": cumulants(network, names[0], order=3, quantity=quantity)[2:],
    }


def shuffled(arguments, seed):
    """The same device with levels, jumps, their directions and reservoirs listed in another order,
    and the levels' new places."""
    rng = np.random.default_rng(seed)
    place = rng.permutation(len(arguments["energies"]))
    energies = np.empty(len(place))
    energies[place] = arguments["energies"]
    jumps = [(name, int(place[a]), int(place[b]), s) for name, a, b, s in arguments["jumps"]]
    jumps = [(name, b, a, s) if rng.random() < 0.5 else (name, a, b, s) for name, a, b, s in jumps]
    jumps = [jumps[k] for k in rng.permutation(len(jumps))]
    names = list(arguments["reservoirs"])
    names = [names[k] for k in rng.permutation(len(names))]
    reservoirs = {name: arguments["reservoirs"][name] for name in names}
    return qtd.RateNetwork(energies, jumps, reservoirs), place


@pytest.mark.parametrize("seed", range(2))
def test_the_order_of_levels_and_jumps_changes_nothing(seed):
    arguments = random_network(seed)
    first = observables(qtd.RateNetwork(**arguments))
    network, place = shuffled(arguments, seed + 100)
    second = observables(network)
    second["populations"] = second["populations"][place]
    for name, value in first.items():
        # Another order rounds differently; currents and noise are sums of terms of the size of the
        # largest.
        np.testing.assert_allclose(
            second[name], value, rtol=1e-12, atol=1e-13 * np.abs(value).max(), err_msg=name
        )


def test_jumps_of_arrays_are_the_jumps_one_by_one():
    jumps = [
        ("bath", np.arange(3), np.arange(1, 4), np.array([1.0, 2.0, 3.0])),
        ("bath", 0, np.array([2, 3]), 0.5),
    ]
    single = [
        ("bath", 0, 1, 1.0),
        ("bath", 1, 2, 2.0),
        ("bath", 2, 3, 3.0),
        ("bath", 0, 2, 0.5),
        ("bath", 0, 3, 0.5),
    ]
    energies = [0.0, 1.0, 2.5, 4.0]
    together, apart = (qtd.RateNetwork(energies, x, BATH) for x in (jumps, single))
    assert jnp.array_equal(qtd.rate_matrix(together), qtd.rate_matrix(apart))


def test_parallel_jumps_add_their_strengths():
    twice = qtd.RateNetwork([0.0, 1.0], [("bath", 0, 1, 0.3), ("bath", 1, 0, 0.9)], BATH)
    once = qtd.RateNetwork([0.0, 1.0], [("bath", 0, 1, 1.2)], BATH)
    np.testing.assert_allclose(qtd.rate_matrix(twice), qtd.rate_matrix(once), rtol=1e-15)


def test_rate_matrix_holds_the_golden_rule_rates_with_columns_that_sum_to_zero():
    network = three_levels()
    matrix = np.asarray(qtd.rate_matrix(network))
    up, down = network.reservoirs["work"].rates(jnp.array(4.0))
    assert (matrix[2, 1], matrix[1, 2]) == pytest.approx(
        (0.8 * float(up), 0.8 * float(down)), rel=1e-14
    )
    np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-15 * np.abs(matrix).max())
    parts = sum(np.asarray(qtd.rate_matrix(network, name)) for name in network.reservoirs)
    np.testing.assert_allclose(parts, matrix, rtol=1e-14, atol=1e-16)
    assert np.all(matrix - np.diag(np.diag(matrix)) >= 0)


@pytest.mark.parametrize(
    ("energy", "left", "right"), [(0.3, (1.0, 0.5), (0.7, -0.4)), (-2.0, (0.3, -1.8), (2.0, -2.5))]
)
def test_resonant_dot_has_the_textbook_currents_and_noise(energy, left, right):
    network = dot(energy, left, right)
    current, noise = dot_current_and_noise(energy, left, right)
    point = qtd.operate(network)
    assert float(point.particle_currents["left"]) == pytest.approx(current, rel=1e-13)
    assert float(point.particle_currents["right"]) == pytest.approx(-current, rel=1e-13)
    assert float(point.energy_currents["left"]) == pytest.approx(energy * current, rel=1e-13)
    assert float(point.heat_currents["left"]) == pytest.approx(
        (energy - left[1]) * current, rel=1e-13
    )
    assert float(point.power) == pytest.approx((right[1] - left[1]) * current, rel=1e-13)
    assert float(covariance(network, "particles")["left", "left"]) == pytest.approx(
        noise, rel=1e-13
    )
    occupation = (0.9 * fermi(energy, left) + 1.6 * fermi(energy, right)) / 2.5
    assert float(qtd.steady_state(network)[1]) == pytest.approx(occupation, rel=1e-14)


@pytest.mark.parametrize("repulsion", [0.0, 1.7, 30.0])
def test_a_degenerate_level_stands_for_its_states(repulsion):
    short, full = spinful_dot(repulsion=repulsion), spinful_dot_expanded(repulsion=repulsion)
    p, q = qtd.steady_state(short), qtd.steady_state(full)
    np.testing.assert_allclose(p, jnp.stack([q[0], q[1] + q[2], q[3]]), rtol=1e-13)
    for quantity in ("particles", "energy", "heat"):
        counted = [cumulants(x, "left", order=4, quantity=quantity) for x in (short, full)]
        np.testing.assert_allclose(*counted, rtol=1e-11)
        np.testing.assert_allclose(
            covariance(short, quantity).matrix, covariance(full, quantity).matrix, rtol=1e-12
        )


def test_two_spins_without_repulsion_carry_twice_the_current():
    assert float(
        qtd.operate(spinful_dot(repulsion=0.0)).particle_currents["left"]
    ) == pytest.approx(2 * dot_current_and_noise()[0], rel=1e-13)


def test_degeneracies_enter_detailed_balance_and_the_gibbs_state():
    network = qtd.RateNetwork(
        [0.0, 1.0, 2.5], [("bath", 0, 1, 1.0), ("bath", 1, 2, 0.4)], BATH, degeneracies=[1, 3, 2]
    )
    weights = np.array([1, 3, 2]) * np.exp(-np.array([0.0, 1.0, 2.5]))
    np.testing.assert_allclose(qtd.steady_state(network), weights / weights.sum(), rtol=1e-14)
    matrix = qtd.rate_matrix(network)
    assert float(matrix[1, 0] / matrix[0, 1]) == pytest.approx(3 * np.exp(-1.0), rel=1e-14)


def test_unused_reservoirs_carry_no_current():
    network = qtd.RateNetwork([0.0, 1.0], [("bath", 0, 1, 1.0)], {**BATH, "idle": BATH["bath"]})
    point = qtd.operate(network)
    assert float(point.heat_currents["idle"]) == 0.0
    assert not np.any(covariance(network)["idle", "bath"])


def test_equal_connectivity_compiles_once():
    populations = eqx.filter_jit(
        eqx.debug.assert_max_traces(lambda n: qtd.steady_state(n), max_traces=1)
    )
    first, second = (three_levels(cold=t) for t in (0.5, 0.6))
    assert first.topology is not second.topology and first.topology == second.topology
    assert not jnp.array_equal(populations(first), populations(second))


def test_different_connectivity_is_not_mistaken():
    first, second = (
        qtd.RateNetwork([0.0, 1.0, 2.0], [("bath", 0, 1, 1.0), ("bath", a, 2, 1.0)], BATH)
        for a in (0, 1)
    )
    assert first.topology != second.topology
    spinful = qtd.RateNetwork(
        [0.0, 1.0, 2.0], [("bath", 0, 1, 1.0), ("bath", 1, 2, 1.0)], BATH, degeneracies=[1, 2, 1]
    )
    assert spinful.topology != second.topology


def test_wide_networks_use_a_narrow_band():
    # In the given order its band would be 39 wide.
    ring = [("bath", k, (k + 1) % 40, 1.0) for k in range(40)]
    network = qtd.RateNetwork(np.linspace(0, 3, 40), ring, BATH)
    assert network.topology.bandwidth == 2
    weights = np.exp(-np.linspace(0, 3, 40))
    np.testing.assert_allclose(qtd.steady_state(network), weights / weights.sum(), rtol=1e-13)


def test_float32_networks_keep_their_type():
    network = jax.tree.map(lambda x: x.astype(jnp.float32), three_levels())
    assert qtd.rate_matrix(network).dtype == jnp.float32
    assert all(value.dtype == jnp.float32 for value in observables(network).values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"energies": [0.0]}, "`energies` must list at least two levels, got shape \\(1,\\)"),
        ({"energies": [[0.0, 1.0]]}, "`energies` must list at least two levels"),
        ({"energies": [0.0, float("nan")]}, "`energies` must be finite"),
        ({"energies": [0.0, 1j]}, "`energies` must be real"),
        ({"jumps": []}, "`jumps` is empty"),
        (
            {"jumps": [("bath", 0, 1)]},
            "`jumps` must hold tuples \\(reservoir, level, level, strength\\)",
        ),
        (
            {"jumps": [("sun", 0, 1, 1.0)]},
            "`jumps` names the reservoir 'sun'; `reservoirs` has 'bath'",
        ),
        ({"jumps": [("bath", 0, 2, 1.0)]}, "`jumps` names level 2; levels are 0 ... 1"),
        ({"jumps": [("bath", -1, 1, 1.0)]}, "`jumps` names level -1"),
        ({"jumps": [("bath", 1, 1, 1.0)]}, "`jumps` joins level 1 to itself"),
        ({"jumps": [("bath", 0, 1, -1.0)]}, "strength of a jump of 'bath'` must not be negative"),
        ({"jumps": [("bath", 0, 1, float("nan"))]}, "strength of a jump of 'bath'` must be finite"),
        ({"energies": [0.0, 1.0, 2.0]}, "unreachable from level 0"),
        ({"particles": [0, 1, 2]}, "`particles` must hold one integer for each of the 2 levels"),
        ({"particles": [0.0, 1.0]}, "`particles` must hold one integer"),
        ({"degeneracies": [1, 0]}, "`degeneracies` must be at least 1"),
        ({"degeneracies": [1, 1.5]}, "`degeneracies` must hold one integer"),
    ],
)
def test_bad_networks_are_named(arguments, message):
    legal = {"energies": [0.0, 1.0], "jumps": [("bath", 0, 1, 1.0)], "reservoirs": BATH}
    with pytest.raises(ValueError, match=message):
        qtd.RateNetwork(**{**legal, **arguments})


@pytest.mark.parametrize("ends", [(0, 1.5), ("a", "b")])
def test_levels_must_be_whole_numbers(ends):
    with pytest.raises(ValueError, match="jumps"):
        qtd.RateNetwork([0.0, 1.0, 2.0], [("bath", *ends, 1.0), ("bath", 1, 2, 1.0)], BATH)


def test_strengths_must_fit_their_jumps():
    with pytest.raises(ValueError, match=r"jumps|strength"):
        qtd.RateNetwork([0.0, 1.0, 2.0], [("bath", [0, 1], [1, 2], [1.0, 2.0, 3.0])], BATH)


@pytest.mark.parametrize("particles", [[0, 0], [0, 2]])
def test_a_lead_exchanges_one_electron_per_jump(particles):
    lead = qtd.Reservoir(1.0, 0.3, "fermi", spectral_density=WideBand(1.0))
    with pytest.raises(ValueError, match="lead"):
        qtd.RateNetwork([0.0, 1.0], [("lead", 0, 1, 1.0)], {"lead": lead}, particles=particles)


def test_a_network_too_wide_for_elimination_is_refused():
    star = [("bath", 0, np.arange(1, 10_000), 1.0)]
    with pytest.raises(ValueError, match="`jumps` join levels up to"):
        qtd.RateNetwork(np.linspace(0, 1, 10_000), star, BATH)
