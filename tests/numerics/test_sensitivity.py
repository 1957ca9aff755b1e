"""Derivatives of loops of unknown length, in both modes."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax import lax

from qtd._numerics.sensitivity import by_forward_mode

pytestmark = pytest.mark.digits

SEVERAL = np.array([0.2, 2.0, 5.0])
PARAMETERS = {"several": SEVERAL, "one": np.array(1.3)}


def mean(one, several):
    """The arithmetic-geometric mean of one number with each of several, until it settles."""

    def unfinished(carry):
        a, b = carry
        return jnp.any(jnp.abs(a - b) > 4 * jnp.finfo(a.dtype).eps * a)

    def improve(carry):
        a, b = carry
        return (a + b) / 2, jnp.sqrt(a * b)

    return lax.while_loop(unfinished, improve, (jnp.broadcast_to(one, several.shape), several))[0]


def means(parameters):
    """An array, and a scalar."""
    found = mean(parameters["one"], parameters["several"])
    return {"each": found, "product": found.prod()}


def differentiable(parameters):
    return by_forward_mode(means, parameters)


def product(parameters):
    return differentiable(parameters)["product"]


values = jax.jit(differentiable)
gradient = jax.jit(jax.grad(product))


def exact(one, several):
    """Means by mpmath, and their slopes with respect to the one and to the other number."""
    with mp.workdps(30):
        found = [mp.agm(one, x) for x in several]
        first = [mp.diff(lambda y, x=x: mp.agm(y, x), one) for x in several]
        second = [mp.diff(lambda y: mp.agm(one, y), x) for x in several]
    return tuple(np.array(numbers, float) for numbers in (found, first, second))


def exact_gradient(one, several):
    """Of the product of the means, by one and by several."""
    found, first, second = exact(one, several)
    return found.prod() * (first / found).sum(), found.prod() * second / found


def test_values_are_those_of_the_function():
    found, wanted = values(PARAMETERS), jax.jit(means)(PARAMETERS)
    np.testing.assert_allclose(wanted["each"], exact(1.3, SEVERAL)[0], rtol=1e-15)
    for name in ("each", "product"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-15)


@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev])
def test_jacobians_of_trees_are_right_in_both_modes(mode):
    found = jax.jit(mode(differentiable))(PARAMETERS)
    _, first, second = exact(1.3, SEVERAL)
    # The tangents converge with the means, quadratically: a few roundings are left.
    np.testing.assert_allclose(found["each"]["one"], first, rtol=1e-14)
    np.testing.assert_allclose(found["each"]["several"], np.diag(second), rtol=1e-14)
    wanted = exact_gradient(1.3, SEVERAL)
    np.testing.assert_allclose(found["product"]["one"], wanted[0], rtol=1e-14)
    np.testing.assert_allclose(found["product"]["several"], wanted[1], rtol=1e-14)


def test_the_function_alone_has_no_reverse_mode():
    with pytest.raises(ValueError, match="[Rr]everse-mode"):
        jax.grad(lambda parameters: means(parameters)["product"])(PARAMETERS)


def test_all_parameters_are_run_side_by_side():
    # One loop makes the value and all slopes, along one direction and in the gradient.
    def along(parameters):
        return jax.jvp(product, (parameters,), (parameters,))

    parameters = jax.tree.map(jnp.asarray, PARAMETERS)
    for function in (along, jax.grad(product)):
        equations = jax.make_jaxpr(function)(parameters).jaxpr.eqns
        loops = [equation for equation in equations if equation.primitive.name == "while"]
        assert len(loops) == 1
        # Three means without a batch, and three for each of the four parameters.
        assert [variable.aval.shape for variable in loops[0].outvars] == [(3,)] * 2 + [(4, 3)] * 2


def test_a_known_value_is_kept_and_has_the_derivatives_of_the_function():
    def both(x, known):
        def run(x):
            return by_forward_mode(lambda x: x**2 + 100, x, known)

        return jax.jvp(run, (x,), (jnp.ones_like(x),)), jax.value_and_grad(run)(x)

    for value, slope in jax.jit(both)(3.0, 9.0):
        assert (float(value), float(slope)) == (9.0, 6.0)


def test_truth_values_have_no_derivatives_and_spoil_none():
    def run(x):
        return by_forward_mode(lambda x: (x**2, x > 1), x)

    value, is_large = jax.jit(run)(3.0)
    assert (float(value), bool(is_large)) == (9.0, True)
    assert float(jax.jit(jax.grad(lambda x: run(x)[0]))(3.0)) == 6.0


def test_batches_agree_with_a_loop_with_their_gradients():
    ones = np.linspace(0.5, 4.0, 3)
    batch = {"several": ones[:, None] * SEVERAL[::-1], "one": ones}
    found, slopes = jax.jit(jax.vmap(jax.value_and_grad(product)))(batch)
    for k in range(3):
        single = jax.tree.map(lambda x, k=k: x[k], batch)
        np.testing.assert_allclose(found[k], values(single)["product"], rtol=1e-14)
        wanted = gradient(single)
        np.testing.assert_allclose(slopes["one"][k], wanted["one"], rtol=1e-13)
        np.testing.assert_allclose(slopes["several"][k], wanted["several"], rtol=1e-13)


def test_float32_stays_float32():
    single = jax.tree.map(lambda x: x.astype(np.float32), PARAMETERS)
    found, slopes = jax.jit(jax.value_and_grad(product))(single)
    assert {x.dtype for x in (found, *jax.tree.leaves(slopes))} == {np.dtype(np.float32)}
    by_one, by_several = exact_gradient(1.3, SEVERAL)
    limit = 20 * np.finfo(np.float32).eps  # three means of some roundings each, and their product
    np.testing.assert_allclose(slopes["one"], by_one, rtol=limit)
    np.testing.assert_allclose(slopes["several"], by_several, rtol=limit)


def test_a_program_can_be_differentiated_after_it_was_written_down():
    """The trap: a rule that refers to numbers of the program which it was part of, and which are
    gone."""

    def function(x, y):
        return by_forward_mode(lambda x: jnp.sin(x) * y, x)

    x, y = jnp.asarray([0.3, 0.4]), jnp.asarray(2.0)
    for transform in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(
            transform(jax.jit(function))(x, y), np.diag(2 * np.cos(x)), rtol=1e-14
        )
