"""Taylor arithmetic."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from qtd._numerics.jax_internals.taylor import taylor

pytestmark = pytest.mark.digits

ORDER = 5
FUNCTIONS = {
    "exp": (jnp.exp, mp.exp),
    "expm1": (jnp.expm1, mp.expm1),
    "log": (jnp.log, mp.log),
    "log1p": (jnp.log1p, mp.log1p),
    "logistic": (jax.nn.sigmoid, lambda x: 1 / (1 + mp.exp(-x))),
    "sin": (jnp.sin, mp.sin),
    "cos": (jnp.cos, mp.cos),
    "sqrt": (jnp.sqrt, mp.sqrt),
    "cube": (lambda x: x**3, lambda x: x**3),
    "inverse square": (lambda x: x**-2, lambda x: x**-2),
    "quotient": (lambda x: (1 - x) / (1 + x**2), lambda x: (1 - x) / (1 + x**2)),
    "over a number": (lambda x: (3 - x) / 2.0, lambda x: (3 - x) / 2),
    "one over": (lambda x: 1 / x, lambda x: 1 / x),
    "product": (lambda x: jnp.sin(x) * jnp.exp(x), lambda x: mp.sin(x) * mp.exp(x)),
    "hyperbolic tangent, by jet": (jnp.tanh, mp.tanh),
    "power, by jet": (lambda x: x**1.7, lambda x: x ** mp.mpf(1.7)),
    "in a function that is compiled": (
        jax.jit(lambda x: jnp.exp(-(x**2))),
        lambda x: mp.exp(-(x**2)),
    ),
    "softplus, a custom derivative": (jax.nn.softplus, lambda x: mp.log(1 + mp.exp(x))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("x", [0.3, 1.0, 2.5])
def test_coefficients_are_those_of_mpmath(name, x):
    ours, theirs = FUNCTIONS[name]
    found = jax.jit(lambda x: taylor(ours, x))(_line(x))
    with mp.workdps(40):
        expected = np.array([float(c) for c in mp.taylor(theirs, mp.mpf(x), ORDER)])
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14 * np.abs(expected).max())


@pytest.mark.parametrize("x", [-40.0, -3.0, 0.0, 3.0, 40.0])
def test_tails_of_the_logistic_function_keep_their_digits(x):
    found = taylor(jax.nn.sigmoid, _line(x))
    with mp.workdps(60):
        expected = [float(c) for c in mp.taylor(lambda x: 1 / (1 + mp.exp(-x)), mp.mpf(x), ORDER)]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-18 if x == 0 else 0)


def test_a_chain_of_array_operations_differentiates_like_nested_tangents():
    factors = jnp.asarray([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]])

    def function(x):
        waves = jnp.stack([jnp.cos(x), jnp.sin(2 * x), x]) * jnp.asarray([1.0, 2.0, 3.0])
        moved = jnp.concatenate([factors @ waves, waves[1:][::-1], jnp.ones(1)])
        return jnp.where(moved > 0.4, moved**2, jnp.pad(moved, (1, 0))[:-1]), waves[
            jnp.asarray([2, 0])
        ].sum() + 1

    derivatives, expected = function, []
    for k in range(ORDER + 1):
        expected.append(
            jax.tree.map(
                lambda x, k=k: x / float(np.prod(np.arange(1, k + 1))),
                derivatives(jnp.asarray(0.7)),
            )
        )
        derivatives = jax.jacfwd(derivatives)
    found = taylor(function, _line(0.7))
    for x, y in zip(found, jax.tree.map(lambda *rows: jnp.stack(rows), *expected)):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)


def test_what_does_not_move_has_no_higher_coefficients():
    found = taylor(lambda x: (jnp.ones(2), jax.lax.stop_gradient(x), x > 0), _line(0.5))
    assert [np.count_nonzero(x[1:]) for x in found] == [0, 0, 0]


def test_coefficients_have_derivatives():
    def function(x):
        return jnp.exp(x) / (1 + x**2)

    slope = jax.jacrev(lambda x: taylor(function, _line(x)))(0.4)
    shifted = np.asarray(taylor(function, jnp.concatenate([_line(0.4), jnp.zeros(1)])))
    np.testing.assert_allclose(slope, shifted[1:] * np.arange(1, ORDER + 2), rtol=1e-12)


def test_what_has_no_series_is_named():
    with pytest.raises(NotImplementedError, match="`network` uses 'sort'"):
        taylor(lambda x: jnp.sort(x * jnp.asarray([1.0, 2.0])), _line(1.0))


def _line(x):
    """x + t."""
    return jnp.zeros(ORDER + 1).at[0].set(x).at[1].set(1.0)
