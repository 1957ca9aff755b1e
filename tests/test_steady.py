import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import exact_populations, random_network, relative_error, three_levels

import qtd
from qtd.spectral import Ohmic, Peaked
from qtd.steady import solve

BATH = {"bath": qtd.Reservoir(1.0, spectral_density=Peaked(1.0, 0.5))}
STATUS = qtd.Status


def ladder(temperature, levels=12, density=None):
    bath = qtd.Reservoir(temperature, spectral_density=density or Peaked(1.0, 0.5))
    steps = np.arange(levels - 1)
    return qtd.RateNetwork(
        np.arange(levels, dtype=float), [("bath", steps, steps + 1, 1.0)], {"bath": bath}
    )


@jax.jit
def population_and_slope(temperature):
    return jax.jvp(
        lambda t: qtd.steady_state(ladder(t)), (temperature,), (jnp.ones_like(temperature),)
    )


@pytest.mark.parametrize("seed", range(4))
def test_populations_agree_with_exact_linear_algebra(seed):
    network = qtd.RateNetwork(**random_network(seed, size=7))
    rates = np.asarray(qtd.rate_matrix(network))
    # A few ulp for the elimination and as many for the Newton step that follows it.
    assert relative_error(qtd.steady_state(network), exact_populations(rates, 60)) < 5e-15


@pytest.mark.parametrize("slow", [1e-4, 1e-8, 1e-12])
def test_clusters_joined_by_slow_jumps_keep_every_digit(slow):
    # Two fast loops, each out of equilibrium, with a slow jump between them: the network is nearly
    # reducible.
    network = qtd.RateNetwork(
        energies=[0.0, 0.7, 1.5, 1.0, 2.1, 2.9],
        jumps=[
            (name, a + shift, b + shift, 1.0)
            for shift in (0, 3)
            for name, a, b in (("a", 0, 1), ("b", 1, 2), ("c", 0, 2))
        ]
        + [("a", 0, 3, slow), ("b", 2, 4, slow)],
        reservoirs={
            name: qtd.Reservoir(temperature, spectral_density=Ohmic(1.0, 9.0))
            for name, temperature in (("a", 0.4), ("b", 5.0), ("c", 1.0))
        },
    )
    rates = np.asarray(qtd.rate_matrix(network))
    exact = exact_populations(rates, 60)
    assert relative_error(qtd.steady_state(network), exact) < 5e-15
    parts = {name: np.asarray(qtd.rate_matrix(network, name)) for name in "abc"}
    point = qtd.operate(network)
    for name, part in parts.items():
        flows = [
            (part[i, j] * exact[j] - part[j, i] * exact[i])
            * float(network.energies[i] - network.energies[j])
            for i in range(6)
            for j in range(i)
        ]
        gross = float(sum(abs(x) for x in flows))
        assert abs(float(point.energy_currents[name]) - float(sum(flows))) < 1e-14 * gross


def test_one_reservoir_leaves_the_gibbs_state_over_three_hundred_decades():
    temperature = 0.0175  # neighbouring levels 24 decades apart
    expected = np.exp(-np.arange(12) / temperature)
    found = qtd.steady_state(ladder(temperature))
    # Exp(-57) twelve times: 57 ulp each.
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=2e-13)


def test_underflowing_populations_are_zero_and_so_are_their_gradients():
    value, slope = population_and_slope(jnp.array(0.002))
    assert float(value[0]) == 1.0 and not np.any(value[2:])
    assert not np.any(slope[2:]) and np.all(np.isfinite(slope))


def test_gradients_of_populations_are_accurate_relative_to_themselves():
    # Gibbs: d ln p_k / dT = (E_k - <E>) / T^2, for populations down to 1e-95.
    temperature, energies = 0.05, np.arange(12.0)
    value, slope = population_and_slope(jnp.array(temperature))
    mean = float(np.sum(energies * np.asarray(value)))
    expected = (energies - mean) / temperature**2
    np.testing.assert_allclose(slope / value, expected, rtol=1e-10)


def test_the_sum_is_one_and_the_flows_obey_kirchhoff():
    state = solve(three_levels())
    assert float(state.populations.sum()) == pytest.approx(1.0, abs=4e-16)
    flows = {
        diagonal.reservoir: float(flow.sum())
        for diagonal, flow in zip(state.network.topology.diagonals, state.flows)
    }
    assert flows["cold"] == pytest.approx(flows["work"], rel=1e-13)  # one loop: 0 -> 1 -> 2 -> 0
    assert flows["hot"] == pytest.approx(-flows["cold"], rel=1e-13)


def test_three_levels_have_the_spanning_tree_populations():
    matrix = np.asarray(qtd.rate_matrix(three_levels()))

    def rate(b, a):
        return matrix[a, b]

    trees = [
        sum(rate(a, b) * rate(c, d) for (a, b), (c, d) in edges)
        for edges in (
            [((1, 0), (2, 0)), ((1, 2), (2, 0)), ((2, 1), (1, 0))],
            [((0, 1), (2, 1)), ((0, 2), (2, 1)), ((2, 0), (0, 1))],
            [((0, 2), (1, 2)), ((0, 1), (1, 2)), ((1, 0), (0, 2))],
        )
    ]
    np.testing.assert_allclose(
        qtd.steady_state(three_levels()), np.array(trees) / sum(trees), rtol=1e-14
    )


def test_activity_counts_jumps_of_either_direction():
    state = solve(ladder(1.0, levels=2))
    up, down = (float(x.sum()) for x in state.rates[0])
    assert float(state.activity[0].sum()) == pytest.approx(2 * up * down / (up + down), rel=1e-14)


@pytest.mark.parametrize("order", [[2, 1, 0], [1, 2, 0]])
def test_levels_listed_from_the_top_are_solved_as_well(order):
    place = np.argsort(order)
    energies = np.array([0.0, 1.0, 5.0])
    jumps = [("bath", int(place[a]), int(place[b]), 1.0) for a, b in ((0, 1), (1, 2))]
    network = qtd.RateNetwork(energies[order], jumps, BATH)
    expected = np.exp(-energies[order])
    np.testing.assert_allclose(qtd.steady_state(network), expected / expected.sum(), rtol=1e-14)


def test_vanishing_rates_that_cut_the_network_are_refused_where_known():
    network = qtd.RateNetwork([0.0, 1.0, 2.0], [("bath", 0, 1, 1.0), ("bath", 1, 2, 0.0)], BATH)
    with pytest.raises(ValueError, match="No unique steady state"):
        qtd.steady_state(network)
    with pytest.raises(ValueError, match="No unique steady state"):
        qtd.operate(network)


def test_compiled_code_reports_what_is_wrong_by_status():
    network = ladder(1.0, levels=3)

    def bad(path, value):
        return jax.jit(lambda x: solve(qtd.replace(network, {path: x})))(jnp.asarray(value))

    path = "reservoirs.bath.temperature"
    assert int(bad(path, 1.0).status) == STATUS.OK
    assert int(bad(path, -1.0).status) == STATUS.INVALID_PARAMETER
    assert int(bad(path, jnp.nan).status) == STATUS.INVALID_PARAMETER
    assert (
        int(bad("reservoirs.bath.spectral_density.height", 0.0).status)
        == STATUS.NO_UNIQUE_STEADY_STATE
    )
    assert int(bad("strengths.bath", jnp.array([1.0, -1.0])).status) == STATUS.INVALID_PARAMETER
    assert np.all(np.isnan(bad(path, -1.0).populations))


def test_illegal_values_that_came_in_through_the_leaves_are_refused():
    broken = jax.tree.map(lambda x: -x, ladder(1.0, levels=3))
    with pytest.raises(ValueError, match="must"):
        qtd.steady_state(broken)


def test_second_derivatives_agree_with_the_gibbs_state():
    temperature, energies = 0.6, np.arange(4.0)

    def gibbs(t):
        return jax.nn.softmax(-jnp.asarray(energies) / t)

    second = jax.jit(jax.jacfwd(jax.jacrev(lambda t: qtd.steady_state(ladder(t, levels=4)))))(
        jnp.array(temperature)
    )
    np.testing.assert_allclose(
        second, jax.jacfwd(jax.jacfwd(gibbs))(jnp.array(temperature)), rtol=1e-11
    )
