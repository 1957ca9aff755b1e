"""Constant linear maps: sums and selections of the entries of a vector."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qtd._numerics.linear_map import LinearMap, selection

pytestmark = pytest.mark.digits

RANDOM = np.random.default_rng(0)
MATRICES = {
    "few": np.array([[1.0, 0, 0, -2.5, 0], [0, 0, 0, 0, 0], [0, 1.0, 1.0, 0, 0.3]]),
    "many": RANDOM.normal(size=(6, 5)),
    "few, of several axes": np.where(RANDOM.uniform(size=(2, 3, 5)) < 0.3, 0.7, 0.0),
    "many, of several axes": RANDOM.normal(size=(2, 3, 5)),
    "a sum": np.array([0.0, 1.0, -1.0, 0.5, 1.0]),
    "zeros": np.zeros((3, 5)),
}
X = RANDOM.normal(size=5)
parametrize = pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)


def program(matrix):
    return jax.jit(LinearMap(matrix))


@parametrize
def test_a_map_multiplies_by_its_matrix(matrix):
    found, eager = program(matrix)(X), LinearMap(matrix)(jnp.asarray(X))
    # Five terms of order one.
    np.testing.assert_allclose(found, matrix @ X, rtol=0, atol=2e-15)
    np.testing.assert_allclose(eager, found, rtol=0, atol=2e-15)
    assert LinearMap(matrix).shapes(False) == (X.shape, found.shape)
    assert LinearMap(matrix).shapes(True) == (found.shape, X.shape)


@parametrize
def test_its_derivative_is_the_matrix_in_both_modes(matrix):
    apply = LinearMap(matrix)
    forward, reverse = jax.jit(lambda x: (jax.jacfwd(apply)(x), jax.jacrev(apply)(x)))(X)
    assert np.array_equal(forward, matrix)
    assert np.array_equal(reverse, matrix)


@parametrize
def test_its_transpose_is_the_transpose_of_the_matrix_and_that_of_the_transpose_the_matrix(matrix):
    transpose = jax.linear_transpose(LinearMap(matrix), X)
    y = RANDOM.normal(size=matrix.shape[:-1])
    contracted = np.tensordot(y, matrix, axes=matrix.ndim - 1)
    np.testing.assert_allclose(jax.jit(transpose)(y)[0], contracted, rtol=0, atol=5e-15)
    twice = jax.linear_transpose(lambda y: transpose(y)[0], y)
    np.testing.assert_allclose(jax.jit(twice)(X)[0], matrix @ X, rtol=0, atol=2e-15)


@pytest.mark.parametrize("name", ["few", "many", "a sum"])
def test_its_square_has_the_second_derivative_of_a_square(name):
    matrix = MATRICES[name]
    apply = LinearMap(matrix)
    found = jax.jit(jax.hessian(lambda x: (apply(x) ** 2).sum()))(X)
    rows = matrix.reshape(-1, 5)
    np.testing.assert_allclose(found, 2 * rows.T @ rows, rtol=0, atol=1e-13)


@parametrize
def test_batches_agree_with_a_loop_whatever_axis_they_lie_along(matrix):
    batch = RANDOM.normal(size=(4, 5, 2))
    apply = LinearMap(matrix)
    # The inner batch along the last axis, the outer one along the first.
    found = jax.jit(jax.vmap(jax.vmap(apply, in_axes=1, out_axes=0)))(batch)
    wanted = [[matrix @ batch[i, :, j] for j in range(2)] for i in range(4)]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-15)


@pytest.mark.parametrize("name", ["few, of several axes", "many", "a sum"])
def test_a_batch_stays_along_the_last_axis(name):
    # Where operations move it to the front, loops over levels copy their operands: slow, not wrong.
    matrix = MATRICES[name]

    def shapes(function, x):
        equations = jax.make_jaxpr(jax.vmap(function, in_axes=-1, out_axes=-1))(x).jaxpr.eqns
        return {equation.primitive.name: equation.outvars[0].aval.shape for equation in equations}

    apply = LinearMap(matrix)
    assert shapes(apply, np.ones((5, 7))) == {"linear_map": (*matrix.shape[:-1], 7)}
    transpose = jax.linear_transpose(apply, X)
    assert shapes(transpose, np.ones((*matrix.shape[:-1], 7))) == {"linear_map": (5, 7)}


def test_gradients_of_batches_agree_with_a_loop():
    matrix = MATRICES["many"]
    apply = LinearMap(matrix)
    batch = RANDOM.normal(size=(4, 5))
    found = jax.jit(jax.vmap(jax.grad(lambda x: jnp.sin(apply(x)).sum())))(batch)
    np.testing.assert_allclose(found, np.cos(batch @ matrix.T) @ matrix, rtol=0, atol=2e-14)


@parametrize
def test_float32_stays_float32(matrix):
    found = program(matrix)(X.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, matrix @ X, rtol=0, atol=20 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("share", [0.02, 1.0])
def test_large_maps_are_taken_one_coefficient_after_the_other(share):
    """The trap: as dense matrices, those of sixteen levels are gigabytes of a program."""
    matrix = np.where(
        RANDOM.uniform(size=(3, 50, 150)) < share, RANDOM.normal(size=(3, 50, 150)), 0.0
    )
    apply = LinearMap(matrix)
    x = RANDOM.normal(size=150)
    y = RANDOM.normal(size=(3, 50))
    np.testing.assert_allclose(jax.jit(apply)(x), matrix @ x, rtol=0, atol=1e-13)
    (turned,) = jax.jit(jax.linear_transpose(apply, x))(y)
    np.testing.assert_allclose(turned, np.tensordot(y, matrix, 2), rtol=0, atol=1e-13)
    batch = RANDOM.normal(size=(4, 150))
    np.testing.assert_allclose(
        jax.jit(jax.vmap(apply))(batch), np.moveaxis(matrix @ batch.T, -1, 0), rtol=0, atol=1e-13
    )
    if share < 1:
        assert len(jax.jit(apply).lower(x).as_text()) < 8 * 16 * matrix.size * share + 1e4
    assert np.array_equal(apply.matrix, matrix)


def test_coefficients_in_one_place_are_added_up():
    found = LinearMap.of(
        (2, 3), [((1, 2), 0.5), ((0, 1), 1.0), ((1, 2), 0.25), ((0, 0), 2.0), ((0, 0), -2.0)]
    )
    assert found == LinearMap([[0, 1, 0], [0, 0, 0.75]]) and hash(found) == hash(
        LinearMap([[0, 1, 0], [0, 0, 0.75]])
    )
    assert LinearMap.of((2, 3), []) == LinearMap(np.zeros((2, 3)))


# Selections.


def test_a_selection_takes_entries_in_any_order_and_more_than_once():
    x, indices = jnp.asarray(X), np.array([3, 0, 3, 4])
    pick = selection(indices, 5)
    assert np.array_equal(pick(x), X[indices])
    # Its transpose adds up what was taken from one place.
    weights = jnp.array([1.0, 10.0, 100.0, 1000.0])
    assert np.array_equal(jax.grad(lambda x: (weights * pick(x)).sum())(x), [10, 0, 0, 101, 1000])


def test_a_selection_of_nothing_is_empty():
    assert program(np.zeros((0, 5)))(X).shape == (0,)
    assert selection([], 5) == LinearMap(np.zeros((0, 5)))


# Maps are static.


def test_maps_are_equal_where_their_matrices_are():
    matrix = MATRICES["many"]
    one, same = LinearMap(matrix), LinearMap(matrix.copy())
    assert one == same and hash(one) == hash(same)
    changed = matrix.copy()
    changed[2, 3] = np.nextafter(changed[2, 3], 1)
    for other in (LinearMap(changed), LinearMap(matrix[:5]), LinearMap(matrix[None]), matrix, None):
        assert one != other
    assert selection(np.arange(3), 5) == LinearMap(np.eye(5)[:3])
    # The same numbers in another shape are another map.
    assert LinearMap(np.ones((2, 3))) != LinearMap(np.ones((3, 2)))


def test_an_equal_map_compiles_nothing_anew():
    traces = []

    @eqx.filter_jit
    def apply(to, x):
        traces.append(to)
        return to(x)

    x = jnp.asarray(X)
    for _ in range(3):
        apply(LinearMap(MATRICES["few"].copy()), x)
    assert len(traces) == 1
    apply(LinearMap(2 * MATRICES["few"]), x)
    assert len(traces) == 2


def test_the_matrix_may_be_given_in_any_layout_and_as_integers():
    turned = np.asfortranarray(MATRICES["many"])
    assert np.array_equal(program(turned)(X), program(MATRICES["many"])(X))
    assert LinearMap(turned) == LinearMap(MATRICES["many"])
    whole = np.array([[2, 0, 0, 0, 1]])
    assert hash(LinearMap(whole)) == hash(LinearMap(whole.astype(float)))
    found = program(whole)(X)
    assert found.dtype == np.float64 and float(found[0]) == 2 * X[0] + X[4]


def test_equal_maps_have_one_hash():
    """The trap: -0.0 equals 0.0 in other bytes, and a program would be compiled twice."""
    one, other = LinearMap(np.array([[0.0, 1.0]])), LinearMap(np.array([[-0.0, 1.0]]))
    assert one == other and hash(one) == hash(other)
