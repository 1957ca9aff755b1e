import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import (
    central_difference,
    dot,
    dot_current_and_noise,
    dot_generating_function,
    random_network,
    relative_error,
    three_levels,
)
from reference import collective_refrigerator

import qtd
from qtd.counting import covariance, cumulants, generating_function, large_deviations
from qtd.steady import solve

NETWORK = three_levels()
NAMES = tuple(NETWORK.reservoirs)
RANDOM = qtd.RateNetwork(**random_network(1, size=5, extra=4))
FIELDS = [
    {"cold": 0.1},
    {"cold": 2.0, "hot": -1.0},
    {"work": -3.0},
    {"cold": 6.0, "work": 2.0, "hot": -4.0},
]


def tilted_matrix(network, fields, quantity="energy"):
    """The tilted generator from the rate matrices, in NumPy."""
    energies, particles = np.asarray(network.energies), np.empty(len(network.energies))
    particles[network.topology.order] = network.topology.particles
    matrix = np.diag(np.diag(np.asarray(qtd.rate_matrix(network))))
    for name in network.reservoirs:
        rates = np.array(qtd.rate_matrix(network, name))
        np.fill_diagonal(rates, 0)
        potential = float(network.reservoirs[name].chemical_potential)
        count = {
            "energy": energies,
            "particles": particles,
            "heat": energies - potential * particles,
        }[quantity]
        matrix = matrix + rates * np.exp(fields.get(name, 0.0) * (count[:, None] - count[None, :]))
    return matrix


def dominant(matrix, digits=40):
    """Its largest eigenvalue, with digits to spare for the spread of its entries."""
    with mp.workdps(digits):
        return float(
            max(mp.re(x) for x in mp.eig(mp.matrix(matrix.tolist()), left=False, right=False))
        )


@jax.jit
def vector_value(chi):
    return generating_function(NETWORK, dict(zip(NAMES, chi)))


@jax.jit
def cold_value(chi):
    return generating_function(NETWORK, {"cold": chi})


cold_slope = jax.jit(jax.grad(cold_value))


@pytest.mark.parametrize("fields", FIELDS)
def test_generating_function_is_the_largest_eigenvalue(fields):
    expected = dominant(tilted_matrix(NETWORK, fields))
    found = float(vector_value(jnp.asarray([fields.get(name, 0.0) for name in NAMES])))
    assert found == pytest.approx(expected, rel=1e-12)


def test_generating_function_of_a_random_network_is_the_largest_eigenvalue():
    for scale in (-8.0, -1.0, 0.3, 10.0):
        fields = {"a": jnp.array(scale), "b": jnp.array(-0.3 * scale)}
        expected = dominant(
            tilted_matrix(RANDOM, {name: float(chi) for name, chi in fields.items()}), 60
        )
        assert float(generating_function(RANDOM, fields)) == pytest.approx(expected, rel=1e-11)


def test_generating_function_of_a_dot_is_the_closed_form():
    for chi in (-6.0, -0.2, 0.0, 1e-6, 0.7, 9.0):
        found = float(generating_function(dot(), {"left": chi}, "particles"))
        # Next to zero the value is a difference of rates of order one.
        assert found == pytest.approx(dot_generating_function(chi), rel=1e-12, abs=3e-16)


def test_what_is_not_counted_has_no_field():
    zeros = dict.fromkeys(NAMES, 0.0)
    for fields in ({"cold": 2.0, "hot": -1.0}, {"work": -3.0}):
        wanted = float(vector_value(jnp.asarray([{**zeros, **fields}[name] for name in NAMES])))
        assert float(generating_function(NETWORK, fields)) == pytest.approx(wanted, rel=1e-13)


def test_generating_function_vanishes_without_fields():
    assert abs(float(vector_value(jnp.zeros(3)))) < 1e-16
    # A common shift counts the energy of the device: bounded.
    assert abs(float(vector_value(jnp.full(3, 0.7)))) < 1e-14


def test_its_derivatives_are_currents_and_covariances_in_every_mode():
    currents = jnp.stack([qtd.operate(NETWORK).energy_currents[name] for name in NAMES])
    noise, zero = covariance(NETWORK).matrix, jnp.zeros(3)
    for mode in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(jax.jit(mode(vector_value))(zero), currents, rtol=1e-12)
        np.testing.assert_allclose(
            jax.jit(mode(jax.jacrev(vector_value)))(zero), noise, rtol=1e-11, atol=1e-13
        )


def test_its_derivatives_away_from_zero_agree_with_differences():
    chi = jnp.array(0.8)
    # Step^4 = 1e-12.
    assert float(cold_slope(chi)) == pytest.approx(
        float(central_difference(cold_value, chi, 1e-3)), rel=1e-9
    )
    second = float(jax.jit(jax.jacfwd(cold_slope))(chi))
    assert second == pytest.approx(float(central_difference(cold_slope, chi, 1e-3)), rel=1e-9)


def test_its_derivatives_with_respect_to_parameters_agree_with_differences():
    path, temperature = "reservoirs.work.temperature", jnp.array(10.0)
    at = jax.jit(
        lambda t: generating_function(qtd.replace(NETWORK, {path: t}), {"cold": 0.5, "hot": -0.2})
    )
    slope = float(jax.jit(jax.grad(at))(temperature))
    assert slope == pytest.approx(float(central_difference(at, temperature, 0.02)), rel=1e-8)


def test_cumulants_agree_with_differences_of_exact_eigenvalues():
    chi, digits = mp.mpf("1e-6"), 60
    with mp.workdps(digits):
        energies = [mp.mpf(float(x)) for x in NETWORK.energies]
        parts = {name: np.array(qtd.rate_matrix(NETWORK, name)) for name in NAMES}

        def exact(field):
            matrix = mp.matrix(3, 3)
            for name, rates in parts.items():
                for a in range(3):
                    for b in range(3):
                        if a != b:
                            rate = mp.mpf(float(rates[a, b]))
                            weight = (
                                mp.exp(field * (energies[a] - energies[b])) if name == "cold" else 1
                            )
                            matrix[a, b] += rate * weight
                            matrix[b, b] -= rate
            return max(mp.re(x) for x in mp.eig(matrix, left=False, right=False))

        values = {k: exact(k * chi) for k in (-2, -1, 0, 1, 2)}
        expected = [
            (values[-2] - 8 * values[-1] + 8 * values[1] - values[2]) / (12 * chi),
            (-values[-2] + 16 * values[-1] - 30 * values[0] + 16 * values[1] - values[2])
            / (12 * chi**2),
            (values[2] - 2 * values[1] + 2 * values[-1] - values[-2]) / (2 * chi**3),
            (values[2] - 4 * values[1] + 6 * values[0] - 4 * values[-1] + values[-2]) / chi**4,
        ]
    # The differences are exact to chi^2 = 1e-12 of the next cumulants.
    np.testing.assert_allclose(
        cumulants(NETWORK, "cold", order=4), [float(x) for x in expected], rtol=1e-9
    )


@pytest.mark.parametrize("width", [1e-1, 1e-3, 1e-5])
def test_noise_and_cumulants_keep_their_digits_when_needle_filters_leave_slow_levels(width):
    temperatures, names = (1.0, 10.0, 1.0), ("cold", "hot", "work")
    changes = {f"{name}.spectral_density.width": width for name in names}
    changes |= {
        f"{name}.temperature": temperature for name, temperature in zip(names, temperatures)
    }
    machine = qtd.replace(qtd.machines.CollectiveRefrigerator(9), changes)
    with mp.workdps(100):
        exact = collective_refrigerator(
            9, dict(zip(names, temperatures)), widths=dict.fromkeys(names, width)
        )
        expected = exact.cumulants(["cold"], 4)
        noise = {pair: exact.covariance(*pair) for pair in (("cold", "hot"), ("work", "work"))}
    assert relative_error(machine.cumulants("cold", order=4), expected) < 1e-12
    assert (
        relative_error([machine.covariance()[pair] for pair in noise], list(noise.values())) < 1e-12
    )


def test_cumulants_of_a_dot_are_the_closed_forms():
    found = cumulants(dot(), "left", order=2, quantity="particles")
    np.testing.assert_allclose(found, dot_current_and_noise(), rtol=1e-13)


def test_cumulants_and_covariance_agree():
    for network, quantity in ((NETWORK, "energy"), (RANDOM, "heat"), (dot(), "heat")):
        noise = covariance(network, quantity)
        for name in noise.names:
            first, second = cumulants(network, name, order=2, quantity=quantity)
            assert float(second) == pytest.approx(float(noise[name, name]), rel=1e-11)
            point = qtd.operate(network)
            current = (point.heat_currents if quantity == "heat" else point.energy_currents)[name]
            assert float(first) == pytest.approx(float(current), rel=1e-13)


def test_weights_may_combine_reservoirs():
    noise = covariance(NETWORK)
    combined = cumulants(NETWORK, {"cold": 0.7, "hot": -1.5}, order=2)
    currents = qtd.operate(NETWORK).energy_currents
    assert float(combined[0]) == pytest.approx(
        float(0.7 * currents["cold"] - 1.5 * currents["hot"]), rel=1e-12
    )
    expected = (
        0.49 * noise["cold", "cold"] - 2.1 * noise["cold", "hot"] + 2.25 * noise["hot", "hot"]
    )
    assert float(combined[1]) == pytest.approx(float(expected), rel=1e-11)
    alone = cumulants(NETWORK, {"cold": 1.0}, order=3)
    assert jnp.array_equal(alone, cumulants(NETWORK, "cold", order=3))


def test_total_energy_has_no_cumulants():
    found = cumulants(NETWORK, dict.fromkeys(NAMES, 1.0), order=3)
    scale = cumulants(NETWORK, "hot", order=3)
    assert np.all(np.abs(found) < 1e-12 * np.abs(scale))


def test_weights_may_select_jumps_in_the_order_given():
    bath = {"bath": NETWORK.reservoirs["cold"], "other": NETWORK.reservoirs["hot"]}
    jumps = [
        ("bath", 2, 3, 0.4),
        ("bath", 0, 2, 0.9),
        ("bath", 0, 1, 1.0),
        ("other", 0, 3, 0.3),
        ("other", 1, 2, 2.0),
    ]
    network = qtd.RateNetwork([0.0, 1.0, 2.3, 3.1], jumps, bath)
    matrix, p = qtd.rate_matrix(network, "bath"), qtd.steady_state(network)
    for k, (_, a, b, _) in enumerate(jumps[:3]):
        flow = float(matrix[b, a] * p[a] - matrix[a, b] * p[b])
        found = cumulants(network, {"bath": jnp.zeros(3).at[k].set(1.0)}, order=1)
        gap = float(network.energies[b] - network.energies[a])
        assert float(found[0]) == pytest.approx(gap * flow, rel=1e-10)
    whole = cumulants(network, {"bath": jnp.ones(3)}, order=3)
    np.testing.assert_allclose(whole, cumulants(network, "bath", order=3), rtol=1e-13)


@pytest.mark.parametrize("network", [NETWORK, RANDOM], ids=["three levels", "random"])
def test_covariance_is_symmetric_positive_and_its_rows_sum_to_zero(network):
    matrix = np.asarray(covariance(network).matrix)
    assert np.array_equal(matrix, matrix.T) or np.allclose(matrix, matrix.T, rtol=1e-14)
    assert np.linalg.eigvalsh(matrix).min() > -1e-13 * np.abs(matrix).max()
    # The first law, for fluctuations.
    assert np.abs(matrix.sum(axis=1)).max() < 1e-12 * np.abs(matrix).max()


def test_covariance_is_read_by_name():
    noise = covariance(NETWORK)
    i, j = noise.names.index("cold"), noise.names.index("work")
    assert noise["cold", "work"] == noise.matrix[i, j] == noise["work", "cold"]


@pytest.mark.parametrize("fields", FIELDS[:3])
def test_fluctuation_theorem(fields):
    chi = jnp.asarray([fields.get(name, 0.0) for name in NAMES])
    inverse = jnp.stack([1 / NETWORK.reservoirs[name].temperature for name in NAMES])
    forward, backward = float(vector_value(chi)), float(vector_value(inverse - chi))
    assert backward == pytest.approx(forward, rel=1e-11)


def test_fluctuation_theorem_of_heat_with_electrons():
    network = dot()
    mirrored = {
        name: 1 / float(lead.temperature) - 0.4 for name, lead in network.reservoirs.items()
    }
    forward = float(generating_function(network, {"left": 0.4, "right": 0.4}, "heat"))
    assert float(generating_function(network, mirrored, "heat")) == pytest.approx(
        forward, rel=1e-12
    )


def test_large_deviations_are_the_legendre_transform():
    fields = jnp.linspace(-1.5, 1.0, 11)
    result = jax.jit(lambda x: large_deviations(NETWORK, "cold", x))(fields)
    np.testing.assert_allclose(
        result.generating_function, [cold_value(chi) for chi in fields], rtol=1e-13, atol=1e-16
    )
    np.testing.assert_allclose(result.currents, [cold_slope(chi) for chi in fields], rtol=1e-11)
    assert jnp.all(jnp.diff(result.currents) > 0)  # the generating function is convex
    assert jnp.all(result.rates > -1e-15)


def test_the_mean_current_is_certain():
    result = jax.jit(lambda x: large_deviations(NETWORK, "cold", x))(jnp.array([0.0, 1e-3]))
    assert float(result.currents[0]) == pytest.approx(
        float(qtd.operate(NETWORK).energy_currents["cold"]), rel=1e-12
    )
    assert abs(float(result.rates[0])) < 1e-16
    noise = float(covariance(NETWORK)["cold", "cold"])
    # Gaussian near the mean, up to chi c3 / c2.
    assert float(result.rates[1]) == pytest.approx(noise * 1e-6 / 2, rel=1e-2)


def test_a_negative_current_is_exponentially_rare_by_the_fluctuation_theorem():
    # With a single counted affinity A per quantum of one loop, I(-j) - I(j) = A j.
    network = dot(left=(0.8, 0.5), right=(0.8, -0.4))
    affinity = 0.9 / 0.8
    result = jax.jit(lambda x: large_deviations(network, "left", x, "particles"))(
        jnp.array([-affinity - 0.3, 0.3])
    )
    assert float(result.currents[0]) == pytest.approx(-float(result.currents[1]), rel=1e-11)
    assert float(result.rates[0] - result.rates[1]) == pytest.approx(
        float(affinity * result.currents[1]), rel=1e-10
    )


def test_a_solved_network_gives_the_same_numbers():
    state = solve(NETWORK)
    assert jnp.array_equal(covariance(state).matrix, covariance(NETWORK).matrix)
    np.testing.assert_allclose(
        cumulants(state, "hot", order=2), cumulants(NETWORK, "hot", order=2), rtol=1e-15
    )


def test_float32_keeps_its_type():
    network = jax.tree.map(lambda x: x.astype(jnp.float32), NETWORK)
    assert covariance(network).matrix.dtype == jnp.float32
    assert cumulants(network, "cold", order=3).dtype == jnp.float32
    found = generating_function(network, {"cold": jnp.array(0.8, jnp.float32)})
    assert found.dtype == jnp.float32
    assert float(found) == pytest.approx(
        float(generating_function(NETWORK, {"cold": 0.8})), rel=1e-5
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: cumulants(NETWORK, "sun"),
            "No reservoir is called 'sun'; there are 'cold', 'work', 'hot'",
        ),
        (lambda: cumulants(NETWORK, {"sun": 1.0}), "No reservoir is called 'sun'"),
        (lambda: cumulants(NETWORK, "cold", order=0), "`order` must be a positive integer, got 0"),
        (lambda: cumulants(NETWORK, "cold", order=1.5), "`order` must be a positive integer"),
        (lambda: cumulants(NETWORK, "cold", quantity="charge"), "`quantity` must be"),
        (lambda: covariance(NETWORK, "charge"), "`quantity` must be"),
        (lambda: covariance(NETWORK)["cold", "sun"], "No reservoir is called 'sun'"),
        (lambda: generating_function(NETWORK, {"sun": 1.0}), "No reservoir is called 'sun'"),
        (lambda: large_deviations(NETWORK, "sun", [0.0]), "No reservoir is called 'sun'"),
        (lambda: cumulants(NETWORK, {"cold": jnp.ones(2)}), "weights|jumps"),
        (lambda: generating_function(NETWORK, {"cold": float("nan")}), "fields|cold"),
    ],
)
def test_bad_requests_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_fast_rates_do_not_keep_the_generating_function_from_settling():
    """A filter 1e7 times faster than what it feeds rounds the slow part of the left vector,
    which is no failure to converge: the fluctuation theorem holds to rounding of fast rates."""
    machine = qtd.replace(
        qtd.machines.CollectiveRefrigerator(num_spins=9),
        {
            "cold.temperature": 10**3.75,
            "cold.spectral_density.center": 2.0,
            "cold.spectral_density.width": 1e-3,
            "cold.spectral_density.height": 1e3,
            "hot.spectral_density.center": 6.0,
            "hot.spectral_density.width": 1.0,
            "hot.spectral_density.height": 1.0,
            "work.temperature": 1.0,
            "work.spectral_density.center": 4.0,
            "work.spectral_density.width": 1.0,
            "work.spectral_density.height": 0.1,
            "hot.temperature": 1.0,
        },
    )
    network = machine.network()
    inverse = {name: 1 / float(x.temperature) for name, x in network.reservoirs.items()}
    fastest = max(float(jnp.max(up)) for up, _, _ in network.jumps())
    for share in (0.0, 1e-3, 0.5):
        here, there = (
            qtd.counting.generating_function(network, {n: x * s for n, x in inverse.items()})
            for s in (share, 1 - share)
        )
        assert abs(float(here - there)) <= 1e-13 * fastest and fastest > 1e5
