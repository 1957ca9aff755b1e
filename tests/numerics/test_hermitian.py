"""Eigensystems and pivots of small Hermitian matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm_frechet

from qtd._numerics.hermitian import eigensystem, large_eigensystem, smallest_pivot

pytestmark = pytest.mark.digits

EPS = float(np.finfo(float).eps)
BATCH = 20
SYSTEMS = jax.jit(jax.vmap(eigensystem))
PIVOTS = jax.jit(jax.vmap(smallest_pivot))


def matrices(seed, n, is_complex, count=BATCH):
    """Random Hermitian matrices."""
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(2, count, n, n))
    matrix = parts[0] + 1j * parts[1] if is_complex else parts[0]
    return matrix + matrix.conj().transpose(0, 2, 1)


def dagger(matrix):
    return np.asarray(matrix).conj().swapaxes(-1, -2)


def assert_near(found, wanted, limit):
    """To within a limit that is the same for all entries."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=limit)


def exponential(matrix):
    """e^-H from its eigensystem: the same whatever the phases and the order of the eigenvectors."""
    energies, vectors = eigensystem(matrix)
    return (vectors * jnp.exp(-energies).astype(matrix.dtype)[None]) @ vectors.conj().T


# Eigenvalues and eigenvectors.


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("n", [1, 2, 4, 9])
def test_eigenvectors_are_orthonormal_and_diagonalise_the_matrix(n, is_complex):
    matrix = matrices(n, n, is_complex)
    energies, vectors = (np.asarray(x) for x in SYSTEMS(matrix))
    assert np.isrealobj(energies) and np.iscomplexobj(vectors) == is_complex
    # Rotations are orthogonal to rounding; there are some n^2 / 2 of them in each of a few sweeps.
    limit = 5 * n**2 * EPS
    size = np.abs(energies).max()
    assert_near(dagger(vectors) @ vectors, np.broadcast_to(np.eye(n), matrix.shape), limit)
    assert_near(matrix @ vectors, vectors * energies[:, None], limit * size)
    assert_near(np.sort(energies), np.linalg.eigvalsh(matrix), limit * size)


def test_a_program_is_as_long_for_many_levels_as_for_few():
    def lines(n):
        return jax.jit(eigensystem).lower(jnp.eye(n)).as_text().count("\n")

    assert lines(32) <= lines(3)


def test_degenerate_matrices_are_diagonalised_too():
    # A projector on one state, and one on two: eigenvalues 1, 0, 0 and 1, 1, 0.
    state = np.array([1.0, 1j, -1.0 + 1j]) / 2
    projector = np.outer(state, state.conj())
    matrix = np.stack([projector, np.eye(3) - projector])
    energies, vectors = (np.asarray(x) for x in SYSTEMS(matrix))
    assert_near(np.sort(energies), [[0, 0, 1], [0, 1, 1]], 10 * EPS)
    assert_near(matrix @ vectors, vectors * energies[:, None], 20 * EPS)
    assert_near(dagger(vectors) @ vectors, np.stack([np.eye(3)] * 2), 20 * EPS)


def test_matrices_that_are_diagonal_already_are_left_alone():
    levels = np.random.default_rng(0).permutation(60).reshape(BATCH, 3) - 30.0
    energies, vectors = SYSTEMS(np.stack([np.diag(x) for x in levels]))
    assert np.array_equal(energies, levels)
    assert np.array_equal(vectors, np.broadcast_to(np.eye(3), (BATCH, 3, 3)))


def test_of_two_levels_each_state_comes_out_of_its_basis_state_at_any_coupling():
    matrix = matrices(1, 2, True)
    matrix[:, [0, 1], [0, 1]] = [0.3, -0.2]
    energies, vectors = (np.asarray(x) for x in SYSTEMS(matrix))
    # Levels that are coupled repel each other: they never cross.
    assert np.all(energies[:, 0] > 0.3) and np.all(energies[:, 1] < -0.2)
    weights = np.abs(vectors) ** 2
    assert np.all(weights[:, [0, 1], [0, 1]] > 0.5)


def test_states_coupled_by_less_than_their_gaps_come_out_of_their_basis_states():
    levels = np.array([2.0, -1.0, 3.0, 0.0])
    coupling = matrices(2, 4, False)
    coupling[:, range(4), range(4)] = 0
    energies, vectors = (np.asarray(x) for x in SYSTEMS(np.diag(levels) + 0.1 * coupling))
    assert np.array_equal(np.argsort(energies), np.broadcast_to(np.argsort(levels), (BATCH, 4)))
    assert np.all(vectors[:, range(4), range(4)] ** 2 > 0.5)
    # Second-order perturbation theory; of third order there are nine terms, of elements up to 5.
    energies = np.asarray(SYSTEMS(np.diag(levels) + 1e-4 * coupling)[0])
    gaps = levels[:, None] - levels[None] + np.eye(4)
    shift = ((1e-4 * coupling) ** 2 / gaps).sum(2)
    assert_near(energies - levels, shift, 9 * (5e-4) ** 3)


@pytest.mark.parametrize("scale", [2.0**-600, 2.0**600])
def test_the_unit_of_energy_changes_nothing(scale):
    matrix = matrices(3, 3, True)
    (energies, vectors), (scaled, same) = SYSTEMS(matrix), SYSTEMS(matrix * scale)
    assert_near(scaled / scale, energies, 100 * EPS)
    assert_near(same, vectors, 100 * EPS)


def test_a_matrix_that_is_not_finite_spoils_its_own_point_only():
    matrix = matrices(4, 3, True)
    matrix[1, 0, 0], matrix[2, 0, 2] = np.nan, np.nan
    energies, _ = SYSTEMS(matrix)
    assert np.isnan(energies[1:3]).any(1).all()
    assert np.isfinite(np.delete(energies, [1, 2], axis=0)).all()


# Derivatives.


@jax.jit
@jax.vmap
def exponential_tangent(matrix, change):
    return jax.jvp(exponential, (matrix,), (change,))


@jax.jit
@jax.vmap
def exponential_gradient(matrix, weights):
    return jax.grad(lambda matrix: (weights * exponential(matrix)).sum().real)(matrix)


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
def test_functions_of_a_matrix_have_the_derivatives_of_frechet_in_both_modes(is_complex):
    matrix, change = 0.5 * matrices(5, 3, is_complex, 4), matrices(6, 3, is_complex, 4)
    weights = matrices(7, 3, is_complex, 4)
    values, slopes = exponential_tangent(matrix, change)
    gradients = exponential_gradient(matrix, weights)
    for k in range(4):
        value, slope = expm_frechet(-matrix[k], -change[k])
        # Gaps between eigenvalues are above 0.1 here: their inverse multiplies the rounding.
        limit = 1e-13 * np.abs(slope).max()
        assert_near(values[k], value, limit)
        assert_near(slopes[k], slope, limit)
        # Reverse mode, in JAX's convention: along a change, Re sum(gradient * change).
        found, wanted = (gradients[k] * change[k]).sum().real, (weights[k] * slope).sum().real
        assert float(found) == pytest.approx(float(wanted), abs=10 * limit)


def test_energies_have_the_first_and_second_derivatives_of_perturbation_theory():
    levels, coupling = jnp.array([0.3, -1.0, 1.1]), jnp.asarray(matrices(8, 3, True)[0])

    def energies(strength):
        matrix = jnp.diag(levels).astype(complex) + strength.astype(complex) * coupling
        return eigensystem(matrix)[0]

    @jax.jit
    def derivatives(strength):
        slope = jax.jacrev(energies)
        return slope(strength), jax.jacfwd(slope)(strength)

    first, second = derivatives(jnp.asarray(0.0))
    elements = np.abs(np.asarray(coupling)) ** 2 * (1 - np.eye(3))
    gaps = np.asarray(levels)[:, None] - np.asarray(levels)[None] + np.eye(3)
    np.testing.assert_allclose(first, np.diag(coupling).real, rtol=1e-14)
    np.testing.assert_allclose(second, 2 * (elements / gaps).sum(1), rtol=1e-13)


def test_levels_that_touch_are_differentiated_as_if_their_states_stayed():
    levels = np.diag([0.0, 0.0, 1.0]).astype(complex)
    change = matrices(9, 3, True)[0]
    tangent = jax.jit(lambda x, y: jax.jvp(eigensystem, (x,), (y,)))
    (_, vectors), (energy_slopes, vector_slopes) = tangent(levels, change)
    np.testing.assert_allclose(energy_slopes, np.diag(change).real, rtol=1e-15)
    # Nothing within the degenerate pair; the third state mixes in as it does without degeneracy.
    assert not np.any(vector_slopes[:2, :2])
    np.testing.assert_allclose(vector_slopes[2, :2], -change[2, :2], rtol=1e-15)
    # So the projector on both of them has its derivative, which is unique.
    projector = np.asarray(vectors[:, :2]) @ dagger(vector_slopes[:, :2])
    projector = projector + dagger(projector)
    wanted = np.zeros((3, 3), complex)
    wanted[:2, 2], wanted[2, :2] = -change[:2, 2], -change[2, :2]
    assert_near(projector, wanted, 1e-15)


def test_gradients_at_a_multiple_of_the_unit_matrix_are_finite():
    matrix = np.stack([np.zeros((3, 3)), 2 * np.eye(3)]).astype(complex)
    found = exponential_gradient(matrix, matrices(7, 3, True, 2))
    assert np.isfinite(found).all()


# Pivots.


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_smallest_pivot_is_negative_where_an_eigenvalue_is(n, is_complex):
    matrix = matrices(10 + n, n, is_complex)
    lowest = np.linalg.eigvalsh(matrix)[:, 0]
    # The lowest one is moved a hair, in units of the matrix, above or below zero.
    offset = np.where(np.arange(BATCH) % 2, 1e-6, -1e-6) - lowest
    found = PIVOTS(matrix + offset[:, None, None] * np.eye(n))
    assert np.array_equal(np.asarray(found) < 0, np.arange(BATCH) % 2 == 0)


def test_pivots_are_ratios_of_leading_minors():
    matrix = matrices(14, 4, True)
    minors = np.stack([np.linalg.det(matrix[:, :k, :k]).real for k in range(5)], axis=1)
    np.testing.assert_allclose(PIVOTS(matrix), (minors[:, 1:] / minors[:, :-1]).min(1), rtol=1e-10)


def test_a_level_of_no_weight_that_is_coupled_makes_a_pivot_negative():
    # No exchanges: the first pivot is 0, and the eigenvalues are 1 and -1.
    assert float(PIVOTS(np.array([[[0.0, 1.0], [1.0, 0.0]]]))[0]) < 0


# Types, batches, programs.


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
def test_single_precision_stays_single_precision(is_complex):
    matrix = matrices(15, 3, is_complex)
    single = matrix.astype(np.complex64 if is_complex else np.float32)
    energies, vectors = SYSTEMS(single)
    pivots = PIVOTS(single)
    assert (energies.dtype, vectors.dtype, pivots.dtype) == (np.float32, single.dtype, np.float32)
    limit = 50 * np.finfo(np.float32).eps
    size = np.abs(matrix).max()
    assert_near(np.sort(energies), np.linalg.eigvalsh(matrix), limit * size)
    # Relative errors grow where a minor is small.
    np.testing.assert_allclose(pivots, PIVOTS(matrix), rtol=1e-3)


def test_batches_agree_with_single_matrices():
    matrix = matrices(16, 3, True)
    single = jax.jit(lambda x: (*eigensystem(x), smallest_pivot(x)))
    batched = *SYSTEMS(matrix), PIVOTS(matrix)
    for found, wanted in zip(batched, zip(*map(single, matrix[:4]))):
        np.testing.assert_allclose(found[:4], np.stack(wanted), rtol=1e-12, atol=50 * EPS)


def test_nothing_is_left_to_lapack():
    matrix = matrices(17, 3, True)
    for function in (PIVOTS, SYSTEMS):
        assert "lapack" not in function.lower(matrix).as_text().lower()
    assert "lapack" not in exponential_gradient.lower(matrix, matrix).as_text().lower()
    # What the word would look like.
    assert "lapack" in jax.jit(jnp.linalg.eigh).lower(matrix).as_text().lower()


@pytest.mark.parametrize("is_complex", [False, True])
def test_large_matrices_have_the_same_levels_and_derivatives_in_ascending_order(is_complex):
    matrix, change = matrices(18, 6, is_complex)[:4], matrices(19, 6, is_complex)[:4]
    derivative = jax.jit(jax.vmap(lambda x, y: jax.jvp(large_eigensystem, (x,), (y,))))
    (energies, vectors), (slopes, _) = derivative(matrix, change)
    np.testing.assert_allclose(energies, np.linalg.eigvalsh(matrix), atol=50 * EPS)
    vectors = np.asarray(vectors)
    found = vectors @ (np.asarray(energies)[..., None] * dagger(vectors))
    np.testing.assert_allclose(found, matrix, atol=100 * EPS)
    coupled = dagger(vectors) @ change @ vectors
    np.testing.assert_allclose(slopes, np.einsum("pii->pi", coupled).real, atol=50 * EPS)
