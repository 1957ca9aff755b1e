"""Roots of polynomials."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qtd._numerics.roots import real_roots

pytestmark = pytest.mark.digits

ROOTS = jax.jit(real_roots)
REVERSE, FORWARD = jax.jit(jax.jacrev(real_roots)), jax.jit(jax.jacfwd(real_roots))


@pytest.mark.parametrize("roots", [[-2.0, 0.5, 3.0], [1e-6, 2e-6, 4.0], [-1e5, -1.0, 1e-3]])
def test_real_roots_come_in_rising_order(roots):
    np.testing.assert_allclose(ROOTS(jnp.asarray(np.polynomial.polynomial.polyfromroots(roots))), roots, rtol=1e-9)


def test_roots_that_are_not_real_are_nan():
    found = ROOTS(jnp.asarray(np.polynomial.polynomial.polyfromroots([0.3, 1 + 1j, 1 - 1j]).real))
    assert found[0] == pytest.approx(0.3, rel=1e-14) and np.isnan(found[1:]).all()


@pytest.mark.parametrize("roots", [[-2.0, 0.5, 3.0], [0.3, 1 + 1j, 1 - 1j]], ids=["all real", "one real"])
def test_roots_that_are_missing_do_not_spoil_the_derivatives_of_the_others(roots):
    coefficients = jnp.asarray(np.polynomial.polynomial.polyfromroots(roots).real)
    found = np.asarray(ROOTS(coefficients))
    real = np.isfinite(found)
    slopes = np.polynomial.polynomial.polyval(found[real], np.polynomial.polynomial.polyder(coefficients))
    expected = -np.vander(found[real], 4, increasing=True) / slopes[:, None]
    for slope in (REVERSE(coefficients), FORWARD(coefficients)):
        np.testing.assert_allclose(slope[real], expected, rtol=1e-10)
        assert np.isfinite(slope).all()
