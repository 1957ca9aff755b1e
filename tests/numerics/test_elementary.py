"""Elementary functions of our own: their digits, their limits, their derivatives."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from qtd._numerics.elementary import exponent_of, log, log1p, power_of_two, whole
from qtd._numerics.scaled import Scaled, add_scaled, filled_and_empty

RANDOM = np.random.default_rng(0)
WIDE = 10.0 ** RANDOM.uniform(-307, 307, 1000)
NEAR_ONE = np.concatenate([s * 10.0 ** RANDOM.uniform(-16, -0.3, 500) for s in (1, -1)])
NEAR_MINUS_ONE = -1 + 10.0 ** RANDOM.uniform(-15, -0.3, 500)


def units(found, expected):
    """The largest difference in units of the last place."""
    with mpmath.workdps(40):
        errors = [
            abs(mpmath.mpf(float(x)) - y) / np.spacing(abs(float(y)))
            for x, y in zip(found, expected, strict=True)
        ]
        return float(max(errors))


@pytest.mark.digits
@pytest.mark.parametrize(
    ("ours", "exact", "points"),
    [
        (log, mpmath.log, np.concatenate([WIDE, 1 + NEAR_ONE])),
        (log1p, mpmath.log1p, np.concatenate([WIDE, NEAR_ONE, NEAR_MINUS_ONE])),
    ],
    ids=["log", "log1p"],
)
def test_logarithms_are_right_to_a_rounding_error(ours, exact, points):
    with mpmath.workdps(40):
        expected = [exact(mpmath.mpf(float(x))) for x in points]
    assert units(jax.jit(ours)(jnp.asarray(points)), expected) < 1


@pytest.mark.parametrize(("ours", "theirs"), [(log, jnp.log), (log1p, jnp.log1p)])
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_limits_and_derivatives_are_those_of_the_compilers_functions(ours, theirs, dtype):
    ends = jnp.asarray([0.0, 1.0, -1.0, -2.0, jnp.inf, -jnp.inf, jnp.nan], dtype)
    np.testing.assert_allclose(ours(ends), theirs(ends), rtol=1e-7)
    x = jnp.asarray(0.7, dtype)
    for slope in (jax.grad, lambda f: jax.grad(jax.grad(f))):
        assert slope(ours)(x).dtype == dtype
        np.testing.assert_allclose(slope(ours)(x), slope(theirs)(x), rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_powers_of_two_are_exact_and_end_in_nothing_and_infinity(dtype):
    known = jnp.finfo(dtype)
    n = np.arange(int(known.minexp), int(known.maxexp))
    powers = power_of_two(jnp.asarray(n, whole(dtype)), dtype)
    np.testing.assert_array_equal(powers, np.ldexp(np.ones(len(n), dtype), n))
    np.testing.assert_array_equal(exponent_of(1.75 * powers[1:-1]), n[1:-1])
    beyond = jnp.asarray([int(known.minexp) - 1, int(known.maxexp)], whole(dtype))
    ends = power_of_two(beyond, dtype)
    np.testing.assert_array_equal(ends, [0, np.inf])


def test_occupations_far_below_the_smallest_number_add_up_and_keep_their_slopes():
    """At a logit of 5000, f is 10^-2171: its logarithm and the derivatives of that are exact."""

    def logarithm(logit):
        filled, empty = filled_and_empty(logit)
        return add_scaled([filled, filled * empty]).log

    at = jnp.asarray(5000.0)
    assert logarithm(at) == pytest.approx(np.log(2) - 5000, rel=1e-15)
    assert jax.grad(logarithm)(at) == pytest.approx(-1, rel=1e-15)
    assert jax.grad(jax.grad(logarithm))(at) == pytest.approx(0, abs=1e-15)
    assert float(Scaled.exp(at).over(Scaled.exp(at - 1.0))) == pytest.approx(np.e, rel=1e-12)
