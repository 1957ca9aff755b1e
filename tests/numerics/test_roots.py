"""Roots of polynomials."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qtd._numerics.roots import real_roots

pytestmark = pytest.mark.digits

ROOTS = jax.jit(real_roots)
REVERSE, FORWARD = jax.jit(jax.jacrev(real_roots)), jax.jit(jax.jacfwd(real_roots))


@pytest.mark.parametrize("roots", [[-2.0, 0.5, 3.0], [1e-6, 2e-6, 4.0], [-1e5, -1.0, 1e-3]])
def test_real_roots_come_in_rising_order(roots):
    np.testing.assert_allclose(
        ROOTS(jnp.asarray(np.polynomial.polynomial.polyfromroots(roots))), roots, rtol=1e-9
    )


@pytest.mark.parametrize(
    ("coefficients", "roots"),
    [
        ([-1.0, 1.0, 0.0], [1.0]),
        ([-1.0, 1.0, 1e-160], [-1e160, 1.0]),
        ([0.0, 3.0, 0.0, 0.0], [0.0]),
        ([2.0, 0.0, 0.0, 0.0], []),
        ([1.0, 0.0, -1.0, 0.0], [-1.0, 1.0]),
        ([1.0, 1e-200, -1.0, -1e-200], [-1e200, -1.0, 1.0]),
        ([-1e-30, 1.0], [1e-30]),
        ([0.0, 0.0, 0.0], []),
    ],
    ids=str,
)
def test_a_leading_coefficient_that_vanishes_takes_a_root_away_and_leaves_the_others(
    coefficients, roots
):
    """The trap: a root sent to 1e77 left the interval of the others too wide for the bits of a
    bisection."""
    found = np.asarray(ROOTS(jnp.array(coefficients)))
    np.testing.assert_allclose(found[: len(roots)], roots, rtol=1e-14, atol=1e-300)
    assert np.isnan(found[len(roots) :]).all()


@given(st.lists(st.floats(-12, 12), min_size=1, max_size=5), st.integers(0, 31))
def test_roots_of_any_size_are_found(sizes, signs):
    """Each as well as its coefficients, rounded, tell it."""
    roots = np.sort([(-1) ** (signs >> k & 1) * 10.0**size for k, size in enumerate(sizes)])
    with mp.workdps(60):
        polynomial = [mp.mpf(1)]
        for root in roots:
            polynomial = [
                a - mp.mpf(root) * b
                for a, b in zip([mp.mpf(0), *polynomial], [*polynomial, mp.mpf(0)])
            ]

        def size(x):
            return sum(abs(c) * abs(x) ** k for k, c in enumerate(polynomial))

        def slope(x):
            return abs(sum(k * c * mp.mpf(x) ** (k - 1) for k, c in enumerate(polynomial) if k))

        doubt = np.array([float(1e-15 * size(x) / slope(x)) if slope(x) else np.inf for x in roots])
    assume(np.all(np.maximum(doubt[1:], doubt[:-1]) < 1e-3 * np.diff(roots)))
    found = np.asarray(ROOTS(jnp.array([float(c) for c in polynomial])))
    assert np.all(np.abs(found - roots) <= doubt + 1e-15 * np.abs(roots))


def test_roots_that_are_not_real_are_nan():
    found = ROOTS(jnp.asarray(np.polynomial.polynomial.polyfromroots([0.3, 1 + 1j, 1 - 1j]).real))
    assert found[0] == pytest.approx(0.3, rel=1e-14) and np.isnan(found[1:]).all()


@pytest.mark.parametrize(
    "roots", [[-2.0, 0.5, 3.0], [0.3, 1 + 1j, 1 - 1j]], ids=["all real", "one real"]
)
def test_roots_that_are_missing_do_not_spoil_the_derivatives_of_the_others(roots):
    coefficients = jnp.asarray(np.polynomial.polynomial.polyfromroots(roots).real)
    found = np.asarray(ROOTS(coefficients))
    real = np.isfinite(found)
    slopes = np.polynomial.polynomial.polyval(
        found[real], np.polynomial.polynomial.polyder(coefficients)
    )
    expected = -np.vander(found[real], 4, increasing=True) / slopes[:, None]
    for slope in (REVERSE(coefficients), FORWARD(coefficients)):
        np.testing.assert_allclose(slope[real], expected, rtol=1e-10)
        assert np.isfinite(slope).all()
