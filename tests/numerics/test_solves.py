"""Solves with known factors, which are never differentiated: derivatives come from the operator."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from qtd._numerics.solves import solve

pytestmark = pytest.mark.digits

N = 4
RANDOM = np.random.default_rng(0)
# Diagonally dominant: condition numbers below 3, so that errors are a few roundings.
MATRIX, CHANGE = 4 * np.eye(N) + RANDOM.uniform(-1, 1, (N, N)), RANDOM.uniform(-1, 1, (N, N))
INVERSE = np.linalg.inv(MATRIX)
Y, WEIGHTS = RANDOM.normal(size=(2, N))
CLOSE = {"rtol": 0, "atol": 1e-14}


class Dense(eqx.Module):
    """A matrix as the sum of a diagonal and of what is off it."""

    diagonal: jax.Array
    rest: jax.Array

    def apply(self, x, transposed):
        """A x, or A^T x, along a batch axis after the first."""
        diagonal = self.diagonal * x
        if transposed:
            return diagonal + (self.rest * x[:, None]).sum(0)
        return diagonal + (self.rest * x[None]).sum(1)


def dense(matrix):
    diagonal = jnp.diagonal(matrix)
    return Dense(diagonal, matrix - jnp.diag(diagonal))


def by_inverse(inverse, y, transposed):
    return (inverse * y[:, None]).sum(0) if transposed else (inverse * y[None]).sum(1)


def solution(matrix, y, transposed, inverse=INVERSE):
    """x with A x = y or A^T x = y; the inverse comes from outside, as a value."""
    return solve(by_inverse, y, dense(matrix), jnp.asarray(inverse, matrix.dtype), transposed)


def plain(matrix, y, transposed):
    return np.linalg.solve(matrix.swapaxes(-1, -2) if transposed else matrix, y[..., None])[..., 0]


both = pytest.mark.parametrize("transposed", [False, True], ids=["as is", "transposed"])


@both
def test_a_solve_inverts_the_operator(transposed):
    found = jax.jit(solution, static_argnums=2)(MATRIX, Y, transposed)
    np.testing.assert_allclose(found, plain(MATRIX, Y, transposed), **CLOSE)
    eager = solution(jnp.asarray(MATRIX), jnp.asarray(Y), transposed)
    np.testing.assert_allclose(eager, found, **CLOSE)


@both
def test_first_derivatives_are_those_of_linear_algebra_in_both_modes(transposed):
    def value(matrix, y):
        return WEIGHTS @ solution(matrix, y, transposed)

    # With respect to y the adjoint solution A^-T w, to A less its outer product with x.
    x, adjoint = plain(MATRIX, Y, transposed), plain(MATRIX, WEIGHTS, not transposed)
    outer = -np.outer(x, adjoint) if transposed else -np.outer(adjoint, x)
    for mode in (jax.jacrev, jax.jacfwd):
        matrix_slope, y_slope = jax.jit(mode(value, (0, 1)))(MATRIX, Y)
        np.testing.assert_allclose(matrix_slope, outer, **CLOSE)
        np.testing.assert_allclose(y_slope, adjoint, **CLOSE)


@both
def test_higher_derivatives_are_those_of_the_geometric_series(transposed):
    def value(t):
        return WEIGHTS @ solution(MATRIX + t * CHANGE, jnp.asarray(Y), transposed)

    # (A + t B)^-1 = sum_k t^k (-A^-1 B)^k A^-1; the inverse given need only be right at t = 0.
    step = -INVERSE @ CHANGE
    powers = [np.linalg.matrix_power(step, k) @ INVERSE for k in (2, 3)]
    second, third = (WEIGHTS @ (power.T if transposed else power) @ Y for power in powers)
    forward, reverse, thrice = jax.jit(
        lambda t: (
            jax.jacfwd(jax.jacfwd(value))(t),
            jax.jacrev(jax.jacrev(value))(t),
            jax.jacfwd(jax.jacrev(jax.jacfwd(value)))(t),
        )
    )(0.0)
    wanted = [2 * second, 2 * second, 6 * third]
    np.testing.assert_allclose([forward, reverse, thrice], wanted, rtol=1e-12)


@both
def test_a_tangent_is_another_solve_and_a_gradient_one_with_the_transposed_operator(transposed):
    def value(matrix):
        return WEIGHTS @ solution(matrix, jnp.asarray(Y), transposed)

    def directions(function):
        equations = jax.make_jaxpr(function)(MATRIX).jaxpr.eqns
        return [each.params["transposed"] for each in equations if each.primitive.name == "solve"]

    tangent = directions(lambda matrix: jax.jvp(value, (matrix,), (matrix,)))
    assert tangent == [transposed, transposed]
    assert directions(jax.grad(value)) == [transposed, not transposed]


# Factors.


def test_factors_are_constants_to_every_derivative():
    def value(inverse):
        return WEIGHTS @ solution(jnp.asarray(MATRIX), jnp.asarray(Y), False, inverse)

    for mode in (jax.jacfwd, jax.jacrev):
        assert not np.any(jax.jit(mode(value))(INVERSE))


@both
def test_factors_may_add_to_the_operator_what_has_no_derivative(transposed):
    # Columns of the operator add up to nothing; a term of rank one makes it regular.
    singular, fixed = MATRIX - MATRIX.mean(0), np.full((N, N), 0.7)

    def value(matrix, added):
        inverse = jnp.linalg.inv(matrix + added)
        return solve(by_inverse, jnp.asarray(Y), dense(matrix), inverse, transposed)

    x = plain(singular + fixed, Y, transposed)
    np.testing.assert_allclose(jax.jit(value)(singular, fixed), x, **CLOSE)
    slope, none = (np.asarray(part) for part in jax.jit(jax.jacrev(value, (0, 1)))(singular, fixed))
    change = CHANGE.T if transposed else CHANGE
    wanted = -plain(singular + fixed, change @ x, transposed)
    np.testing.assert_allclose((slope * CHANGE).sum((1, 2)), wanted, **CLOSE)
    assert not np.any(none)


def by_iteration(operator, y, transposed):
    """Jacobi's iteration until nothing changes: a loop of unknown length has no reverse mode."""

    def unfinished(carry):
        x, before = carry
        return jnp.any(jnp.abs(x - before) > 1e-15)

    def improve(carry):
        x, _ = carry
        return x + (y - operator.apply(x, transposed)) / operator.diagonal, x

    return lax.while_loop(unfinished, improve, (y / operator.diagonal, jnp.zeros_like(y)))[0]


def test_how_factors_are_used_is_never_differentiated():
    def value(matrix, y):
        operator = dense(matrix)
        return WEIGHTS @ solve(by_iteration, y, operator, operator, False)

    adjoint = plain(MATRIX, WEIGHTS, True)
    matrix_slope, y_slope = jax.jit(jax.grad(value, (0, 1)))(MATRIX, Y)
    np.testing.assert_allclose(y_slope, adjoint, **CLOSE)
    np.testing.assert_allclose(matrix_slope, -np.outer(adjoint, plain(MATRIX, Y, False)), **CLOSE)
    with pytest.raises(ValueError, match="[Rr]everse-mode"):  # the loop alone
        jax.grad(lambda y: by_iteration(dense(jnp.asarray(MATRIX)), y, False).sum())(jnp.asarray(Y))


# Batches.

SHIFTS = np.linspace(0.0, 0.3, 3)[:, None, None]
MATRICES, INVERSES = MATRIX + SHIFTS * CHANGE, np.linalg.inv(MATRIX + SHIFTS * CHANGE)
RIGHTS = RANDOM.normal(size=(3, N))


def with_gradient(matrix, inverse, y):
    """The solution, and the slopes of w . x with respect to matrix and right-hand side."""

    def value(matrix, y):
        return WEIGHTS @ solution(matrix, y, False, inverse)

    return solution(matrix, y, False, inverse), *jax.grad(value, (0, 1))(matrix, y)


@pytest.mark.parametrize(
    ("matrices", "rights"),
    [(MATRICES, RIGHTS), (MATRICES, Y), (MATRIX, RIGHTS)],
    ids=["both", "operators", "right-hand sides"],
)
def test_batches_agree_with_a_loop_whichever_operand_is_batched(matrices, rights):
    axis = 0 if matrices.ndim == 3 else None, 0 if rights.ndim == 2 else None
    batched = jax.vmap(with_gradient, in_axes=(axis[0], axis[0], axis[1]))
    x, matrix_slope, y_slope = jax.jit(batched)(matrices, np.linalg.inv(matrices), rights)
    every = np.broadcast_to(matrices, (3, N, N))
    wanted = plain(every, np.broadcast_to(rights, (3, N)), False)
    adjoint = plain(every, np.broadcast_to(WEIGHTS, (3, N)), True)
    np.testing.assert_allclose(x, wanted, **CLOSE)
    np.testing.assert_allclose(y_slope, adjoint, **CLOSE)
    np.testing.assert_allclose(matrix_slope, -adjoint[:, :, None] * wanted[:, None], **CLOSE)


def test_batches_of_batches_agree_with_a_loop():
    def single(matrix, inverse, y):
        return solution(matrix, y, True, inverse)

    each = jax.vmap(single, in_axes=(None, None, 0))
    found = jax.jit(jax.vmap(each, in_axes=(0, 0, None)))(MATRICES, INVERSES, RIGHTS)
    wanted = plain(MATRICES[:, None], RIGHTS[None], True)
    np.testing.assert_allclose(found, wanted, **CLOSE)


def test_a_batch_reaches_the_substitution_along_the_last_axis():
    shapes = []

    def substitute(inverse, y, transposed):
        shapes.append((inverse.shape, y.shape))
        return by_inverse(inverse, y, transposed)

    def single(matrix, inverse):
        return solve(substitute, jnp.asarray(Y), dense(matrix), inverse, False)

    jax.jit(jax.vmap(single)).lower(MATRICES, INVERSES)
    assert shapes == [((N, N, 3), (N, 3))]


def test_float32_stays_float32_with_its_derivatives():
    single = MATRIX.astype(np.float32), INVERSE.astype(np.float32), Y.astype(np.float32)

    def value(matrix, inverse, y):
        return solution(matrix, y, False, inverse).sum()

    found, slopes = jax.jit(jax.value_and_grad(value, (0, 2)))(*single)
    assert {found.dtype, *(slope.dtype for slope in slopes)} == {np.dtype(np.float32)}
    wanted = plain(MATRIX, Y, False).sum()
    assert float(found) == pytest.approx(wanted, abs=10 * float(np.finfo(np.float32).eps))


@both
def test_what_is_not_needed_is_0_with_its_derivatives_and_changes_nothing_beside_it(transposed):
    def value(matrix, needed):
        return WEIGHTS @ solve(
            by_inverse, jnp.asarray(Y), dense(matrix), jnp.asarray(INVERSE), transposed, needed
        )

    every = jax.jit(jax.vmap(jax.value_and_grad(value), in_axes=(None, 0)))
    wanted = jax.value_and_grad(
        lambda matrix: WEIGHTS @ solution(matrix, jnp.asarray(Y), transposed)
    )(jnp.asarray(MATRIX))
    for needed in ([0.0, 1.0, 0.0], [0.0, 0.0], [1.0]):
        for found, one in zip(every(MATRIX, jnp.asarray(needed)), wanted):
            shares = np.reshape(needed, (-1, *(1,) * np.ndim(one)))
            np.testing.assert_allclose(found, shares * np.asarray(one)[None], **CLOSE)
