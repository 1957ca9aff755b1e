"""Minimal residuals, against a dense solve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qtd._numerics.krylov import minimal_residual


def solved(matrices, right):
    def apply(x):
        return jnp.einsum("pij,pj->pi", matrices, x)

    return minimal_residual(apply, right, 1e-14)


def test_a_batch_is_solved_to_rounding_and_what_is_no_number_stays_alone():
    rng = np.random.default_rng(0)
    matrices = np.eye(40) + 0.1 * rng.normal(size=(3, 40, 40))
    right = rng.normal(size=(3, 40))
    expected = np.linalg.solve(matrices, right[..., None])[..., 0]
    right[1, 0] = np.nan
    found, left = jax.jit(solved)(matrices, right)
    assert np.isnan(left[1]) and np.isnan(found[1]).any()
    for point in (0, 2):
        assert left[point] < 1e-13
        assert found[point] == pytest.approx(expected[point], rel=1e-11)


def test_a_right_side_out_of_reach_is_left_over():
    matrix = jnp.diag(jnp.arange(5.0))[None]
    _, left = jax.jit(solved)(matrix, jnp.ones((1, 5)))
    assert not left[0] < 0.1  # of the first number nothing can be made
