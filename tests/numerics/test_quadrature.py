"""Gauss-Legendre panels that follow an integrand, and collocation at Radau's points."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial import Legendre, Polynomial
from scipy.interpolate import pade
from scipy.special import eval_legendre

from qtd._numerics.quadrature import (
    FAR,
    equal_shares,
    expanded,
    gauss,
    graded,
    integral_up_to,
    legendre,
    panels,
    radau,
    slope_of_turn,
)

pytestmark = pytest.mark.digits

EDGES = jnp.array([-0.7, 0.2, 0.3, 1.9])
POINTS = 16


@jax.jit
@jax.vmap
def lorentzian_integral(center, width):
    """Of width / pi / ((x - center)^2 + width^2) over [-1, 2], by panels graded to its centre."""
    points, weights = panels(jnp.asarray(-1.0), jnp.asarray(2.0), [graded(center, width, FAR)])
    return weights @ (width / jnp.pi / ((points - center) ** 2 + width**2))


def graded_panels(low, high, center):
    return panels(low, high, [graded(center, jnp.full_like(center, 2.0**-52), 54)])


panels_jit, gauss_jit = jax.jit(graded_panels), jax.jit(gauss)


# Breakpoints.


def test_beyond_its_feature_every_panel_is_as_long_as_its_distance_from_it():
    center, scale = 0.5, 0.125  # exact in binary, as are all sums and doublings of them
    breaks = np.asarray(graded(jnp.asarray(center), jnp.asarray(scale), 6))
    above = breaks[breaks > center] - center
    assert above[0] == scale and above[-1] == scale * 2**6
    assert np.array_equal(np.diff(above), above[:-1])
    assert np.array_equal(breaks, np.sort(breaks))
    assert np.array_equal(np.sort(2 * center - breaks), breaks)  # the same on the other side
    assert center in breaks


def test_lines_are_integrated_to_rounding_however_narrow_they_are():
    # Doubled FAR times, the smallest width is twice the interval.
    widths = np.repeat(10.0 ** np.arange(-7, 2), 4)
    centers = np.tile([-0.999, 0.0, 0.3, 2.5], 9)
    found = lorentzian_integral(centers, widths)
    # The difference of two arc tangents, without cancellation.
    exact = np.arctan2(3 * widths, widths**2 - (2 - centers) * (1 + centers)) / np.pi
    # The nearest pole leaves 4.6^-32 of a panel's share. Points near the centre are rounded, which
    # moves the line by as much.
    rounding = np.finfo(float).eps * np.where(centers < 2, np.abs(centers) / widths, 0)
    assert np.all(np.abs(found / exact - 1) < 2e-14 + rounding)


# Panels between ends that may move.


def test_a_rule_on_panels_has_positive_weights_that_add_up_to_the_length():
    points, weights = panels_jit(jnp.asarray(-1.0), jnp.asarray(3.0), jnp.asarray(0.4))
    assert points.min() > -1 and points.max() < 3
    assert weights.min() >= 0
    assert float(weights.sum()) == pytest.approx(4.0, rel=1e-15)


def test_breakpoints_outside_make_panels_of_no_length_with_points_in_the_middle():
    # Beyond the ends of [0, 2] lie all breakpoints below 0, 53 of them, and those at 4.
    points, weights = panels_jit(jnp.asarray(0.0), jnp.asarray(2.0), jnp.asarray(0.0))
    empty = np.asarray(weights) == 0
    assert empty.sum() >= 54 * POINTS
    assert np.all(np.asarray(points)[empty] == 1.0)


def test_an_integrand_may_be_infinite_at_an_end_and_has_finite_derivatives_all_the_same():
    def integral(high, strength):
        points, weights = graded_panels(jnp.zeros_like(high), high, jnp.zeros_like(high))
        return weights @ jnp.log(strength * points)

    high, strength = 2.3, 3.0
    exact = high * math.log(strength * high) - high
    value, slopes = jax.jit(jax.value_and_grad(integral, (0, 1)))(high, strength)
    assert float(value) == pytest.approx(exact, rel=1e-14)
    # What moves with the end is the whole rule: its derivative is the integrand there.
    np.testing.assert_allclose(slopes, [math.log(strength * high), high / strength], rtol=1e-13)


def test_derivatives_with_respect_to_ends_and_steps_are_those_of_leibniz_in_both_modes():
    def integral(low, high, step):
        points, weights = panels(low, high, [step[None], jnp.asarray([-5.0, 9.0])])
        return weights @ jnp.where(points < step, jnp.sin(points), points**2)

    exact = [-math.sin(0.2), 1.7**2, math.sin(0.9) - 0.9**2]
    for mode in (jax.jacfwd, jax.jacrev):
        found = jax.jit(mode(integral, (0, 1, 2)))(0.2, 1.7, 0.9)
        np.testing.assert_allclose(found, exact, rtol=1e-13)


def test_an_interval_of_no_length_has_no_weight():
    points, weights = panels_jit(jnp.asarray(0.7), jnp.asarray(0.7), jnp.asarray(0.0))
    assert not np.any(weights) and np.all(np.asarray(points) == 0.7)


def test_batches_of_panels_agree_with_single_ones():
    low, high = np.array([-1.0, 0.0, 0.7]), np.array([3.0, 2.0, 0.7])
    center = np.array([0.4, 0.0, 0.0])
    batched = jax.jit(jax.vmap(graded_panels))(low, high, center)
    single = [panels_jit(*ends) for ends in zip(low, high, center)]
    for found, wanted in zip(batched, zip(*single)):
        np.testing.assert_allclose(found, np.stack(wanted), rtol=0, atol=2e-16 * 3)


# Sixteen points in each panel.


def test_the_points_of_gauss_integrate_all_polynomials_of_degree_31():
    points, weights, _ = gauss_jit(EDGES)
    for k, half in enumerate(np.diff(EDGES) / 2):
        own = slice(POINTS * k, POINTS * (k + 1))
        local = (np.asarray(points)[own] - float(EDGES[k] + EDGES[k + 1]) / 2) / half
        assert np.all(np.abs(local) < 1) and np.all(np.diff(local) > 0)
        moments = [np.asarray(weights)[own] @ eval_legendre(degree, local) for degree in range(32)]
        # Polynomials are at most 1, their slopes at most degree^2 / 2, and that only at the ends.
        np.testing.assert_allclose(moments, [2 * half] + [0] * 31, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("degree", [14, 15])
def test_tails_tell_what_of_either_parity_the_points_hardly_resolve(degree):
    points, _, tails = gauss_jit(EDGES)
    points, tails = (np.asarray(x).reshape(-1, 3, POINTS)[:, 2] for x in (points, tails))
    half = float(EDGES[3] - EDGES[2]) / 2
    local = (points[0] - float(EDGES[2] + EDGES[3]) / 2) / half
    found = [tails[degree - 14] @ eval_legendre(k, local) for k in range(16)]
    # The norm of a Legendre polynomial is 2 / (2 degree + 1).
    wanted = np.zeros(16)
    wanted[degree] = half * 2 / (2 * degree + 1)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_an_integral_up_to_each_point_is_the_antiderivative_there():
    points = gauss_jit(EDGES)[0]
    exact = np.sin(points) - math.sin(EDGES[0])
    np.testing.assert_allclose(integral_up_to(EDGES, jnp.cos(points)), exact, rtol=0, atol=2e-15)


def test_an_integral_up_to_each_point_is_exact_for_polynomials_of_degree_15():
    polynomial = Legendre.basis(15, domain=[-0.7, 1.9])
    points = np.asarray(gauss_jit(EDGES)[0])
    found = integral_up_to(EDGES, jnp.asarray(polynomial(points)))
    np.testing.assert_allclose(found, polynomial.integ(lbnd=-0.7)(points), rtol=0, atol=1e-14)


def test_legendre_polynomials_and_their_slopes_have_known_values():
    x = np.array([-1.0, -0.77, 0.0, 1e-9, 0.5, 1.0])
    values, slopes = jax.jit(jax.vmap(lambda x: (legendre(x), jax.jacfwd(legendre)(x))))(x)
    # Near the ends the three terms of the recurrence lose a rounding or two at every degree.
    np.testing.assert_allclose(values, eval_legendre(np.arange(16), x[:, None]), rtol=0, atol=5e-15)
    # P_k'(1) = k (k + 1) / 2, the largest slope there is: errors relative to it.
    exact = np.stack([Legendre.basis(k).deriv()(x) for k in range(16)], axis=1)
    np.testing.assert_allclose(slopes, exact, rtol=0, atol=120 * 4e-15)
    np.testing.assert_allclose(slopes[-1], np.arange(16) * np.arange(1, 17) / 2, rtol=1e-14)


def test_expansions_give_functions_back_at_any_place_of_a_panel():
    points = gauss_jit(EDGES)[0]
    coefficients = expanded(jnp.stack([jnp.cos(points), jnp.exp(points)], axis=1))
    assert coefficients.shape == (3, POINTS, 2)
    local = np.array([-1.0, -0.3, 0.8, 1.0])
    polynomials = eval_legendre(np.arange(POINTS), local[:, None])
    for k, half in enumerate(np.diff(EDGES) / 2):
        places = float(EDGES[k] + EDGES[k + 1]) / 2 + half * local
        exact = np.stack([np.cos(places), np.exp(places)], axis=1)
        # A coefficient is degree + 1/2 times a sum, and so is its rounding: 128 of them at worst.
        np.testing.assert_allclose(polynomials @ np.asarray(coefficients[k]), exact, rtol=3e-14)


def test_coefficients_of_a_legendre_polynomial_are_those_of_one_term():
    local = np.asarray(gauss_jit(jnp.array([-1.0, 1.0, 1.0, 1.0]))[0][:POINTS])
    values = eval_legendre(np.arange(POINTS), local[:, None])
    np.testing.assert_allclose(expanded(jnp.asarray(values))[0], np.eye(POINTS), rtol=0, atol=5e-14)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_slopes_of_a_turn_are_those_of_its_harmonics(dtype):
    angles = jnp.arange(16, dtype=dtype) * jnp.asarray(2 * np.pi / 16, dtype)
    found = slope_of_turn(jnp.stack([jnp.sin(3 * angles), 1 + jnp.cos(7 * angles)]))
    assert found.dtype == dtype
    expected = jnp.stack([3 * jnp.cos(3 * angles), -7 * jnp.sin(7 * angles)])
    # Phases up to 40 are off by as many roundings, and slopes by seven times that.
    np.testing.assert_allclose(found, expected, rtol=0, atol=300 * jnp.finfo(dtype).eps)


# Panels that share the features of a period.

PERIOD, COUNT = 2.5, 40
STEP = 1.29  # between two samples, of which there are ten to a panel


def edges_of(width, depth):
    """Panels for a step of 1 / (1 + e^-u), u = (x - STEP) / width, and for 1 / (x^2 + depth^2)."""

    def features(x):
        return ((x - STEP) / width)[None], -jnp.log(x**2 + depth**2)[None]

    return equal_shares(features, jnp.full_like(width, PERIOD), COUNT)


edges_jit = jax.jit(jax.vmap(edges_of))
WIDTHS = np.array([1.0, 0.1, 0.01, 0.03, 1e-3])
DEPTHS = np.array([0.1, 0.02, 1.0, 0.03, 0.005])


def changes(x, width, depth):
    """What the two features have changed by at x, as the density of panels counts it."""
    return np.arcsinh((x - STEP) / width / np.pi) + np.log(x**2 + depth**2)


def test_edges_rise_from_nought_to_the_period():
    edges = np.asarray(edges_jit(WIDTHS, DEPTHS))
    assert edges.shape == (len(WIDTHS), COUNT + 1)
    assert np.all(edges[:, 0] == 0) and np.all(edges[:, -1] == PERIOD)
    assert np.diff(edges).min() > 0


def test_panels_share_the_features_evenly_and_leave_no_part_of_the_period_out():
    # Of a total change T, 3 T / 2 + 2 pi are shared out, of which T / 2 + 2 pi evenly over the
    # period. The features are wider than a sample, a tenth of a mean panel; over the three samples
    # that they are smeared over, their density varies by some tenths.
    wide = slice(0, 4)
    edges = edges_jit(WIDTHS, DEPTHS)[wide]
    widths = WIDTHS[wide]
    depths = DEPTHS[wide]
    found = np.diff(changes(np.asarray(edges), widths[:, None], depths[:, None]))
    share = (1.5 * np.abs(found).sum(1) + 2 * np.pi) / COUNT
    assert np.all(np.abs(found).max(1) < 1.1 * share)
    assert np.all(np.diff(edges).max(1) < 3 * PERIOD / COUNT)


def test_shared_panels_resolve_what_panels_of_one_length_do_not():
    def errors(edges, width, depth):
        points, weights, _ = gauss(edges)
        step = width * (jax.nn.softplus((PERIOD - STEP) / width) - jax.nn.softplus(-STEP / width))
        peak = jnp.arctan(PERIOD / depth)
        of_step = weights @ jax.nn.sigmoid((points - STEP) / width)
        of_peak = weights @ (depth / (points**2 + depth**2))
        return jnp.abs(of_step - step), jnp.abs(of_peak - peak)

    errors = jax.jit(jax.vmap(errors))
    even = jnp.broadcast_to(jnp.linspace(0.0, PERIOD, COUNT + 1), (len(WIDTHS), COUNT + 1))
    assert np.max(errors(edges_jit(WIDTHS, DEPTHS), WIDTHS, DEPTHS)) < 1e-13
    step, peak = errors(even, WIDTHS, DEPTHS)
    assert step[-1] > 1e-6 and peak[-1] > 1e-6


def test_where_nothing_changes_all_panels_are_equally_long():
    edges = edges_jit(np.full(5, 1e300), np.full(5, 1e150))
    np.testing.assert_allclose(edges[0], np.linspace(0, PERIOD, COUNT + 1), rtol=1e-13, atol=0)


def test_a_step_between_two_samples_is_sampled_again_and_has_short_panels_on_both_sides():
    edges = np.asarray(edges_jit(np.full(5, 1e-6), np.ones(5)))[0]
    sizes, place = np.diff(edges), np.searchsorted(edges, STEP) - 1
    sample = PERIOD / (10 * COUNT)
    # Those of the second time are a tenth of the panels that share what was found the first time,
    # evenly over three samples.
    near = sizes[place - 1 : place + 2]
    assert near.max() < sample / 20 and near.max() < 1.5 * near.min()
    assert np.delete(sizes, range(place - 10, place + 11)).min() > sample


def test_features_that_are_infinite_leave_edges_finite_and_apart():
    # A step of no width, and the logarithm of 0 at the start of the period.
    edges = np.asarray(edges_jit(np.zeros(5), np.zeros(5)))
    assert np.all(np.isfinite(edges)) and np.diff(edges).min() > 0


def test_edges_are_constants_to_every_derivative():
    def edges(width, period):
        return equal_shares(lambda x: ((x / width)[None], jnp.cos(x / width)[None]), period, COUNT)

    for mode in (jax.jacfwd, jax.jacrev):
        assert not np.any(jax.jit(mode(edges, (0, 1)))(jnp.asarray(0.1), jnp.asarray(PERIOD)))


def test_batches_of_edges_agree_with_single_ones():
    batched, single = edges_jit(WIDTHS, DEPTHS), jax.jit(edges_of)
    looped = [single(*numbers) for numbers in zip(WIDTHS, DEPTHS)]
    # Sums of 400 terms.
    np.testing.assert_allclose(batched, np.stack(looped), rtol=1e-13)


# Radau's collocation.


@pytest.mark.parametrize("stages", range(1, 8))
def test_radau_weights_integrate_polynomials_up_to_degree_2_stages_less_2_and_no_further(stages):
    nodes, weights, _, _ = radau(stages)
    assert np.all(np.diff(nodes) > 0) and nodes[0] > 0 and nodes[-1] == 1
    powers = np.arange(2 * stages)
    found = nodes[:, None] ** powers
    error = weights @ found - 1 / (powers + 1)
    assert np.abs(error[:-1]).max() < 1e-14
    assert error[-1] > 1e-9


def test_radau_of_two_and_three_stages_has_the_nodes_of_the_textbooks():
    root = math.sqrt(6)
    for stages, nodes, weights in (
        (2, [1 / 3, 1], [3 / 4, 1 / 4]),
        (3, [(4 - root) / 10, (4 + root) / 10, 1], [(16 - root) / 36, (16 + root) / 36, 1 / 9]),
    ):
        np.testing.assert_allclose(radau(stages)[0], nodes, rtol=1e-14)
        np.testing.assert_allclose(radau(stages)[1], weights, rtol=1e-14)


@pytest.mark.parametrize("stages", range(1, 8))
def test_radau_slopes_differentiate_the_polynomial_through_all_values(stages):
    nodes, _, at_start, at_nodes = radau(stages)
    polynomial = Polynomial(np.random.default_rng(stages).normal(size=stages + 1))
    found = at_start * polynomial(0) + at_nodes @ polynomial(nodes)
    # Entries of the matrix grow as stages^2, and so does rounding.
    np.testing.assert_allclose(found, polynomial.deriv()(nodes), rtol=0, atol=1e-13)


@pytest.mark.parametrize("stages", range(1, 6))
def test_a_radau_step_multiplies_by_the_pade_approximant_that_damps_stiff_modes(stages):
    _, _, at_start, at_nodes = radau(stages)
    # dy/dt = z y, of which the last node is the end of the step.
    series = [1 / math.factorial(k) for k in range(2 * stages)]
    numerator, denominator = pade(series, stages, stages - 1)
    for z in (-0.7, -3.0, -1e3, 0.4):
        end = np.linalg.solve(at_nodes - z * np.eye(stages), -at_start)[-1]
        assert end == pytest.approx(numerator(z) / denominator(z), rel=1e-9, abs=1e-13)


# Types.


def test_float32_stays_float32():
    @jax.jit
    def everything(x):
        edges = edges_of(x, x)
        points, weights, tails = gauss(edges)
        others = panels(x, x + 1, [graded(x, x, 3)])
        made = integral_up_to(edges, points), legendre(x), expanded(points[:, None])
        return weights @ points, edges, points, weights, tails, *others, *made

    integral, *arrays = everything(jnp.asarray(0.5, jnp.float32))
    assert {str(array.dtype) for array in (integral, *arrays)} == {"float32"}
    assert float(integral) == pytest.approx(PERIOD**2 / 2, rel=1e-6)  # ten roundings or so
