import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import (
    central_difference,
    dot,
    exact_generator,
    random_network,
    relative_error,
    three_levels,
)

import qtd
from qtd.evolution import (
    mean_waiting_time,
    relative_entropy,
    relax,
    thermalisation_time,
    waiting_time_density,
)
from qtd.machines import CollectiveRefrigerator
from qtd.spectral import Ohmic, Peaked
from qtd.steady import solve

NETWORK = three_levels()
START = np.array([0.2, 0.5, 0.3])
EVERY = ("cold", "work", "hot")
FRIDGE = CollectiveRefrigerator(num_spins=31)


@jax.jit
def evolve(network, start, times):
    return relax(network, start, times)


def exact_evolution(network, start, time, digits):
    """exp(W t) p(0) by the Taylor series of mpmath with scaling and squaring, for any stiffness."""
    with mp.workdps(digits):
        generator = exact_generator(np.asarray(qtd.rate_matrix(network)), digits)
        return list(
            mp.expm(generator * mp.mpf(float(time))) * mp.matrix([mp.mpf(float(x)) for x in start])
        )


@pytest.mark.parametrize("time", [1e-6, 0.3, 2.0, 40.0])
def test_relaxation_agrees_with_the_exact_exponential(time):
    found = evolve(NETWORK, START, jnp.array([time]))[0]
    assert relative_error(found, exact_evolution(NETWORK, START, time, 60)) < 2e-14


@pytest.mark.parametrize("time", [1e-9, 1e-4, 1.0, 1e6])
def test_stiff_relaxation_is_accurate_in_every_level(time):
    # Strengths over 12 decades; the lowest level alone is occupied at first, the top fills through
    # rates of 1e-9.
    bath = {"bath": qtd.Reservoir(0.4, spectral_density=Peaked(1.0, 0.5))}
    strengths = [1e6, 1.0, 1e-6, 1e3]
    network = qtd.RateNetwork(
        np.arange(5.0), [("bath", k, k + 1, s) for k, s in enumerate(strengths)], bath
    )
    start = np.eye(5)[0]
    found = evolve(network, start, jnp.array([time]))[0]
    # Each of up to 45 squarings adds a rounding or two to every entry.
    assert relative_error(found, exact_evolution(network, start, time, 120)) < 1e-12


def test_relaxation_starts_at_the_start_and_ends_at_rest():
    populations = relax(NETWORK, START, jnp.array([0.0, 1e12]))
    np.testing.assert_allclose(populations[0], START, rtol=1e-15)
    np.testing.assert_allclose(populations[1], qtd.steady_state(NETWORK), rtol=1e-13)


def test_relaxation_is_a_semigroup_that_conserves_probability():
    half = evolve(NETWORK, START, jnp.array([0.7, 1.4]))
    again = evolve(NETWORK, np.asarray(half[0]), jnp.array([0.7, 1.4]))
    np.testing.assert_allclose(again[0], half[1], rtol=1e-14)
    np.testing.assert_allclose(half.sum(axis=1), 1.0, rtol=1e-15)


def test_relaxation_follows_the_order_of_the_levels_given():
    arguments = random_network(2, size=5)
    place = np.array([3, 0, 4, 1, 2])
    energies = np.empty(5)
    energies[place] = arguments["energies"]
    jumps = [(name, int(place[a]), int(place[b]), s) for name, a, b, s in arguments["jumps"]]
    start, moved = np.array([0.1, 0.2, 0.3, 0.15, 0.25]), np.empty(5)
    moved[place] = start
    first = relax(qtd.RateNetwork(**arguments), start, 0.5)
    second = relax(qtd.RateNetwork(energies, jumps, arguments["reservoirs"]), moved, 0.5)
    np.testing.assert_allclose(second[place], first, rtol=1e-13)


def test_relaxation_is_differentiable_in_time_and_parameters():
    @jax.jit
    def at(time, temperature):
        return relax(
            qtd.replace(NETWORK, {"reservoirs.work.temperature": temperature}), START, time
        )

    time, temperature = jnp.array(0.8), jnp.array(10.0)
    in_time = np.asarray(qtd.rate_matrix(NETWORK)) @ np.asarray(at(time, temperature))
    in_temperature = central_difference(lambda t: at(time, t), temperature, 0.02)
    for mode in (jax.jacfwd, jax.jacrev):
        slopes = jax.jit(mode(at, (0, 1)))(time, temperature)
        np.testing.assert_allclose(slopes[0], in_time, rtol=1e-12)
        np.testing.assert_allclose(slopes[1], in_temperature, rtol=1e-8)


def test_relative_entropy_has_no_cancellation_near_equality():
    q = np.array([0.6, 0.3, 0.1])
    for epsilon in (1e-12, 1e-8, 1e-4, 0.03, 0.3):
        p = q + epsilon * np.array([0.1, -0.04, -0.06])
        with mp.workdps(60):
            terms = [mp.mpf(float(a)) / mp.mpf(float(b)) for a, b in zip(p, q)]
            expected = sum(mp.mpf(float(b)) * (x * mp.log(x) - x + 1) for b, x in zip(q, terms))
        found = float(relative_entropy(jnp.asarray(p), jnp.asarray(q)))
        # Of x - 1, rounding of x itself.
        assert found == pytest.approx(float(expected), rel=1e-12 + 4 * 2.2e-16 / epsilon)


def test_relative_entropy_is_zero_only_for_equal_distributions():
    q = jnp.array([0.6, 0.4, 0.0])
    assert float(relative_entropy(q, q)) == 0.0
    assert float(relative_entropy(jnp.array([1.0, 0.0, 0.0]), q)) == pytest.approx(
        np.log(1 / 0.6), rel=1e-14
    )
    slope = jax.jit(jax.grad(relative_entropy))(jnp.array([1.0, 0.0, 0.0]), q)
    assert np.all(np.isfinite(slope[:1]))


def test_relative_entropy_to_rest_only_falls():
    entropies = jax.jit(jax.vmap(lambda p: relative_entropy(p, qtd.steady_state(NETWORK))))(
        evolve(NETWORK, START, jnp.linspace(0.0, 6.0, 40))
    )
    assert jnp.all(jnp.diff(entropies) < 0)


def test_thermalisation_time_is_when_the_entropy_reaches_the_threshold():
    time = thermalisation_time(NETWORK, START, 1e-5)
    left = relative_entropy(relax(NETWORK, START, time), qtd.steady_state(NETWORK))
    assert float(left) == pytest.approx(1e-5, rel=1e-11)
    assert float(thermalisation_time(NETWORK, qtd.steady_state(NETWORK))) == 0.0


def test_thermalisation_time_has_the_implicit_derivative():
    @jax.jit
    def time(temperature, threshold):
        return thermalisation_time(
            qtd.replace(NETWORK, {"reservoirs.work.temperature": temperature}), START, threshold
        )

    temperature, threshold = jnp.array(10.0), jnp.array(1e-5)
    slopes = jax.jit(jax.grad(time, (0, 1)))(temperature, threshold)
    expected = float(central_difference(lambda t: time(t, threshold), temperature, 0.02))
    assert float(slopes[0]) == pytest.approx(expected, rel=1e-8)
    # Of 1e-5: truncation 1e-12.
    expected = float(central_difference(lambda x: time(temperature, x), threshold, 1e-8))
    assert float(slopes[1]) == pytest.approx(expected, rel=1e-8)


def test_waiting_times_of_one_decay_are_exponential():
    # Nothing can happen but a single jump up from the ground level: w(t) = rate exp(-rate t).
    network = qtd.RateNetwork(
        [0.0, 1.0],
        [("bath", 0, 1, 1.0)],
        {"bath": qtd.Reservoir(0.7, spectral_density=Ohmic(1.0, 9.0))},
    )
    rate = float(qtd.rate_matrix(network)[1, 0])
    times = jnp.array([0.0, 0.5, 3.0, 50.0])
    found = waiting_time_density(network, "bath", times, [1.0, 0.0])
    np.testing.assert_allclose(found, rate * np.exp(-rate * np.asarray(times)), rtol=1e-13)
    assert float(mean_waiting_time(network, "bath", [1.0, 0.0])) == pytest.approx(
        1 / rate, rel=1e-14
    )


@pytest.mark.parametrize("reservoirs", ["cold", ("cold", "hot"), EVERY])
def test_waiting_times_are_normalised_and_their_mean_is_one_over_the_activity(reservoirs):
    density = jax.jit(lambda t: waiting_time_density(NETWORK, reservoirs, t))
    end = 400 / float(-jnp.linalg.eigvals(qtd.rate_matrix(NETWORK)).real.min())
    nodes, weights = np.polynomial.legendre.leggauss(60)
    total = 0.0
    mean = 0.0
    edges = np.concatenate([[0.0], np.geomspace(1e-3, 2000 + end, 40)])
    for low, high in itertools.pairwise(edges):
        times = low + (high - low) * (nodes + 1) / 2
        values = np.asarray(density(jnp.asarray(times))) * weights * (high - low) / 2
        total, mean = total + values.sum(), mean + (values * times).sum()
    assert total == pytest.approx(1.0, rel=1e-11)
    found = float(mean_waiting_time(NETWORK, reservoirs))
    assert mean == pytest.approx(found, rel=1e-10)
    state = solve(NETWORK)
    activity = [
        x.sum()
        for diagonal, x in zip(NETWORK.topology.diagonals, state.activity)
        if diagonal.reservoir in reservoirs
    ]
    assert found == pytest.approx(1 / float(sum(activity)), rel=1e-13)


def test_waiting_time_from_a_given_start_solves_the_first_passage_problem():
    matrix = np.array(qtd.rate_matrix(NETWORK))
    leaving = np.array(qtd.rate_matrix(NETWORK, "hot"))
    undisturbed = matrix - (leaving - np.diag(np.diag(leaving)))
    expected = np.sum(np.linalg.solve(-undisturbed, START))
    assert float(mean_waiting_time(NETWORK, "hot", START)) == pytest.approx(expected, rel=1e-13)


def test_waiting_times_differentiate_in_both_modes():
    time = jax.jit(
        lambda t: mean_waiting_time(qtd.replace(NETWORK, {"reservoirs.hot.temperature": t}), "hot")
    )
    expected = float(central_difference(time, jnp.array(1.0), 1e-3))
    for mode in (jax.jacfwd, jax.jacrev):
        assert float(jax.jit(mode(time))(jnp.array(1.0))) == pytest.approx(expected, rel=1e-9)


def test_electrons_wait_for_each_other():
    # One level: after an electron has left it must be refilled first, so the density at zero is
    # out-rate times filling.
    network = dot()
    refill, empty = (
        float(x) for x in (qtd.rate_matrix(network)[1, 0], qtd.rate_matrix(network)[0, 1])
    )
    mean = float(mean_waiting_time(network, ("left", "right")))
    assert mean == pytest.approx((1 / refill + 1 / empty) / 2, rel=1e-13)


def test_decay_time_is_the_sum_of_mean_waiting_times_of_a_cold_network():
    # Occupations of exp(-100) at the lowest gap.
    network = FRIDGE.relaxation_network(0.02, Ohmic(1.0, 100.0))
    start = np.zeros(16)
    steps = 0.0
    for level in (1, 2, 3):
        start = np.eye(16)[level]
        steps += float(mean_waiting_time(network, "reservoir", start))
    assert float(FRIDGE.decay_time(3.5)) == pytest.approx(steps, rel=1e-13)


def test_float32_keeps_its_type():
    network = jax.tree.map(lambda x: x.astype(jnp.float32), NETWORK)
    times = jnp.array([0.1, 2.0], jnp.float32)
    start = jnp.asarray(START, jnp.float32)
    found = relax(network, start, times)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, relax(NETWORK, START, np.array([0.1, 2.0])), rtol=1e-5)
    assert waiting_time_density(network, "hot", times).dtype == jnp.float32
    assert mean_waiting_time(network, "hot").dtype == jnp.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: relax(NETWORK, START, -1.0), "`times` must not be negative"),
        (
            lambda: relax(NETWORK, START[:2], 1.0),
            r"`populations` must have shape \(3,\), got \(2,\)",
        ),
        (lambda: relax(NETWORK, -START, 1.0), "`populations` must not be negative"),
        (lambda: relax(NETWORK, np.zeros(3), 1.0), "`populations`"),
        (lambda: relax(NETWORK, START, float("nan")), "`times` must be finite"),
        (lambda: thermalisation_time(NETWORK, START, 0.0), "`threshold` must be positive"),
        (
            lambda: waiting_time_density(NETWORK, "sun", 1.0),
            "`reservoirs` must name some of 'cold', 'work', 'hot', got 'sun'",
        ),
        (lambda: mean_waiting_time(NETWORK, []), "`reservoirs` must name some"),
        (lambda: FRIDGE.decay_time(4.0), "`initial_level` must be one of"),
        (
            lambda: FRIDGE.thermalisation_time(initial_temperature=-1.0),
            "`initial_temperature` must be positive",
        ),
    ],
)
def test_bad_requests_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.digits
@pytest.mark.parametrize("fast", [1.0, 1e9, 1e15])
def test_waiting_times_keep_their_digits_however_fast_another_lead_is(fast):
    """Between jumps of a slow lead, while a fast one fills and empties two levels."""

    def lead(rate, mu):
        return qtd.Reservoir(1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(rate))

    leads = {"fast": lead(fast, 0.3), "slow": lead(1.0, -0.2)}
    jumps = [("fast", 0, 1, 1.0), ("fast", 0, 2, 0.5), ("slow", 0, 1, 1.0), ("slow", 0, 2, 2.0)]
    network = qtd.RateNetwork([0.0, 0.4, -0.3], jumps, leads, particles=[0, 1, 1])
    times = [0.01, 0.5, 3.0]
    mp.mp.dps = 60
    whole, slow = (
        mp.matrix(np.asarray(x, float).tolist())
        for x in (qtd.rate_matrix(network, "fast"), qtd.rate_matrix(network, "slow"))
    )
    for k in range(3):  # columns of a generator add up to nothing, which rounded ones do not
        for matrix in (whole, slow):
            matrix[k, k] = -sum(matrix[i, k] for i in range(3) if i != k)
    leaving = [-slow[k, k] for k in range(3)]
    undisturbed = whole + mp.diag([slow[k, k] for k in range(3)])
    start = [0.2, 0.5, 0.3]
    found = qtd.evolution.waiting_time_density(network, "slow", times, start)
    for t, density in zip(times, np.asarray(found)):
        values, vectors = mp.eig(undisturbed)
        inside = mp.inverse(vectors) * mp.matrix(start)
        exact = sum(
            leaving[i] * vectors[i, k] * mp.exp(values[k] * t) * inside[k]
            for i in range(3)
            for k in range(3)
        )
        assert abs(float(density) / mp.re(exact) - 1) < 1e-11
