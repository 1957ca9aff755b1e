import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import relative_error

from qtd._numerics.special import bose_weights

pytestmark = pytest.mark.digits

MAGNITUDES = np.concatenate([np.logspace(-12, np.log10(700), 60), [0.4999, 0.5, 0.5001]])
POINTS = jnp.asarray(np.concatenate([-MAGNITUDES, MAGNITUDES]))


def absorption(x):
    return bose_weights(x)[0]


def emission(x):
    return bose_weights(x)[1]


def exact(order, x):
    """Derivative of t / (exp(t) - 1), from n' = -n (1 + n), with digits for the cancellation at
    1e-12 and at 1 + n = exp(-700)."""
    with mp.workdps(400):
        x = mp.mpf(float(x))
        n = 1 / mp.expm1(x)
        slope = -n * (1 + n)
        return [x * n, n + x * slope, 2 * slope - x * slope * (1 + 2 * n)][order]


def derivative(function, order):
    for _ in range(order):
        function = jax.grad(function)
    return jax.jit(jax.vmap(function))


@pytest.mark.parametrize(("order", "tolerance"), [(0, 1e-15), (1, 1e-15), (2, 2e-14)])
def test_absorption_and_its_derivatives_are_accurate_relative_to_themselves(order, tolerance):
    # A few ulp; each derivative divides a difference of order 1 by x >= 1/2 once more.
    values = derivative(absorption, order)(POINTS)
    assert relative_error(values, [exact(order, x) for x in POINTS]) < tolerance


@pytest.mark.parametrize("order", [0, 1, 2])
def test_emission_is_absorption_at_the_opposite_energy(order):
    mirrored = (-1.0) ** order * derivative(absorption, order)(-POINTS)
    np.testing.assert_allclose(derivative(emission, order)(POINTS), mirrored, rtol=1e-14)


def test_detailed_balance_holds_to_rounding():
    small = jnp.linspace(-30.0, 30.0, 601)
    ratio = absorption(small) / emission(small)
    exact_ratio = np.array([float(mp.exp(-mp.mpf(float(x)))) for x in small])
    np.testing.assert_allclose(ratio, exact_ratio, rtol=5e-15)  # two weights at a few ulp each


def test_values_and_slopes_at_zero_are_the_limits():
    zero = jnp.array(0.0)
    assert (float(absorption(zero)), float(emission(zero))) == (1.0, 1.0)
    assert (float(jax.grad(absorption)(zero)), float(jax.grad(emission)(zero))) == (-0.5, 0.5)
    assert float(jax.grad(jax.grad(absorption))(zero)) == pytest.approx(1 / 6, rel=1e-15)


@pytest.mark.parametrize("x", [-800.0, -746.0, 746.0, 800.0, 1e300])
def test_far_out_one_weight_vanishes_and_nothing_is_nan(x):
    x = jnp.array(x)
    small, large = (absorption(x), emission(x)) if x > 0 else (emission(x), absorption(x))
    assert float(small) == 0.0 and float(large) == abs(float(x))
    for order, limit in ((1, 0.0 if x > 0 else -1.0), (2, 0.0)):
        assert float(derivative(absorption, order)(x[None])[0]) == limit


def test_third_derivative_is_finite_everywhere():
    points = jnp.concatenate([POINTS, jnp.array([0.0, 800.0, -800.0])])
    assert jnp.all(jnp.isfinite(derivative(absorption, 3)(points)))


def test_float32_keeps_its_type_and_its_digits():
    points = POINTS.astype(jnp.float32)
    points = points[jnp.abs(points) < 80]
    values = absorption(points)
    assert values.dtype == jnp.float32
    wanted = np.array([float(exact(0, x)) for x in points])
    np.testing.assert_allclose(values, wanted, rtol=2e-6)  # sixteen float32 ulp
