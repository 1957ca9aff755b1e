import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import exact_generator, exact_populations, exact_solve, relative_error

from qtd._numerics.elimination import AbsorbingElimination, Elimination

pytestmark = pytest.mark.digits

# Up to 4 scalars, beyond that arrays.
SIZES = [
    (1, 12),
    (2, 12),
    (4, 12),
    (5, 12),
    (8, 11),
    (1, 2),
    (2, 3),
    (5, 6),
]


@jax.jit
def populations(up, down):
    return Elimination(rows(up), rows(down)).populations


@jax.jit
def solve(up, down, y):
    return Elimination(rows(up), rows(down)).solve(y)


@jax.jit
def solve_transposed(up, down, y):
    return Elimination(rows(up), rows(down)).solve_transposed(y)


@jax.jit
def dwell(up, down, lost, y):
    return AbsorbingElimination(rows(up), rows(down), lost).solve(y)


@jax.jit
def collected(up, down, lost, y):
    return AbsorbingElimination(rows(up), rows(down), lost).solve_transposed(y)


def band(seed, b, n, decades):
    """Random rates over this many decades, zero where there is no level."""
    rng = np.random.default_rng(seed)
    exists = np.arange(n) >= np.arange(1, b + 1)[:, None]
    return tuple(
        jnp.asarray(np.where(exists, 10 ** rng.uniform(-decades / 2, decades / 2, (b, n)), 0))
        for _ in range(2)
    )


def rows(rates):
    """The diagonals of a band array by distance."""
    return dict(enumerate(rates, start=1))


def dense(up, down):
    """The rates b -> a at [a, b]."""
    b, n = up.shape
    matrix = np.zeros((n, n))
    for d in range(1, b + 1):
        for k in range(n - d):
            matrix[k + d, k], matrix[k, k + d] = up[d - 1, k + d], down[d - 1, k + d]
    return matrix


def zero_sum(seed, n):
    y = np.random.default_rng(seed).normal(size=n)
    return jnp.asarray(y - y.mean())


@pytest.mark.parametrize(("b", "n"), SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_every_population_is_accurate_relative_to_itself_over_thirty_decades(b, n, seed):
    up, down = band(seed, b, n, 30)
    found = populations(up, down)
    # Only additions, products and quotients of positive numbers: of the order of one rounding per
    # level.
    assert (
        relative_error(found, exact_populations(dense(up, down)))
        < 2 * n * jnp.finfo(found.dtype).eps
    )


@pytest.mark.parametrize(("b", "n"), [(2, 12), (5, 12)])
def test_float32_populations_are_as_accurate_as_float32_allows(b, n):
    up, down = (x.astype(jnp.float32) for x in band(0, b, n, 12))
    found = populations(up, down)
    assert found.dtype == jnp.float32
    wanted = exact_populations(dense(up, down))
    normal = [k for k, p in enumerate(wanted) if p > 1e-37]
    assert len(normal) > 6
    assert (
        relative_error(found[jnp.asarray(normal)], [wanted[k] for k in normal])
        < 2 * n * jnp.finfo(jnp.float32).eps
    )


def test_a_thousand_levels_do_not_overflow():
    n = 1000
    step = jnp.ones((1, n)).at[0, 0].set(0)
    # Detailed balance level by level: geometric, down to 1e-222.
    found = populations(0.6 * step, step)
    exact = 0.4 * 0.6 ** np.arange(n) / (1 - 0.6**n)
    np.testing.assert_allclose(found, exact, rtol=1e-12)  # 0.6**n carries n roundings


@pytest.mark.parametrize(("b", "n"), SIZES)
def test_solve_inverts_the_generator_on_zero_sums(b, n):
    (up, down), y = band(1, b, n, 2), zero_sum(2, n)
    with mp.workdps(200):
        matrix, p = exact_generator(dense(up, down), 200), exact_populations(dense(up, down), 200)
        operator = mp.matrix(n, n)
        for a in range(n):
            for c in range(n):
                operator[a, c] = matrix[a, c] - p[a]
        wanted = exact_solve(operator, [mp.mpf(float(x)) for x in y], 200)
        wanted_transposed = exact_solve(operator.T, [mp.mpf(float(x)) for x in y], 200)
    # Sums with signs lose digits to the size of the largest entry: stated relative to that.
    wanted, transposed = (
        np.array([float(x) for x in exact]) for exact in (wanted, wanted_transposed)
    )
    np.testing.assert_allclose(
        solve(up, down, y), wanted, rtol=0, atol=1e-12 * np.abs(wanted).max()
    )
    found = solve_transposed(up, down, y)  # up to a constant
    np.testing.assert_allclose(
        found - found[0], transposed - transposed[0], rtol=0, atol=1e-12 * np.abs(transposed).max()
    )
    assert abs(solve(up, down, y).sum()) <= 1e-12 * jnp.abs(solve(up, down, y)).max()


@pytest.mark.parametrize(("b", "n"), SIZES)
def test_absorbing_solves_are_accurate_entry_by_entry_over_thirty_decades(b, n):
    up, down = band(3, b, n, 30)
    rng = np.random.default_rng(4)
    lost = jnp.asarray(10 ** rng.uniform(-15, 15, n) * (rng.uniform(size=n) < 0.5)).at[-1].set(1e-3)
    y = jnp.asarray(10 ** rng.uniform(-3, 3, n))
    with mp.workdps(400):
        operator = -exact_generator(dense(up, down))
        for k in range(n):
            operator[k, k] += mp.mpf(float(lost[k]))
        right = [mp.mpf(float(x)) for x in y]
    limit = 2 * n * jnp.finfo(y.dtype).eps  # positive numbers only
    assert relative_error(dwell(up, down, lost, y), exact_solve(operator, right)) < limit
    assert relative_error(collected(up, down, lost, y), exact_solve(operator.T, right)) < limit


@pytest.mark.parametrize(("b", "n"), [(2, 6), (5, 7)])
def test_derivatives_of_solves_agree_with_linear_algebra_in_both_modes(b, n):
    (up, down), y = band(5, b, n, 1), zero_sum(6, n)
    rng = np.random.default_rng(7)
    weights = zero_sum(8, n)  # transposed solutions are fixed up to a constant
    directions = [jnp.where(up > 0, jnp.asarray(rng.normal(size=up.shape)), 0) for _ in range(2)]
    generator, change = (
        np.asarray(x) - np.diag(np.asarray(x).sum(0)) for x in (dense(up, down), dense(*directions))
    )
    # W has one null vector on each side; the gauge is fixed below.
    inverse = np.linalg.pinv(generator)
    p = np.linalg.svd(generator)[2][-1]
    p = p / p.sum()
    x = inverse @ np.asarray(y)
    x = x - p * x.sum()
    slope = -inverse @ (change @ x)
    slope = weights @ (slope - p * slope.sum())
    z = np.linalg.pinv(generator.T) @ (np.asarray(y) - p @ np.asarray(y))
    response = -inverse @ (change @ p)
    response = response - p * response.sum()
    slope_transposed = (
        weights @ np.linalg.pinv(generator.T) @ (-(response @ np.asarray(y)) - change.T @ z)
    )

    def forward(f):
        return jax.jvp(lambda u, d: weights @ f(u, d, y), (up, down), tuple(directions))[1]

    def reverse(f):
        return sum(
            jnp.vdot(g, d)
            for g, d in zip(
                jax.grad(lambda u, d: weights @ f(u, d, y), (0, 1))(up, down), directions
            )
        )

    for function, wanted in ((solve, slope), (solve_transposed, slope_transposed)):
        # Condition number below 1e3.
        np.testing.assert_allclose(forward(function), wanted, rtol=1e-11)
        np.testing.assert_allclose(reverse(function), wanted, rtol=1e-11)


def test_derivatives_of_absorbing_solves_agree_with_linear_algebra_in_both_modes():
    b, n = 2, 6
    up, down = band(9, b, n, 1)
    rng = np.random.default_rng(10)
    lost, y, weights = (jnp.asarray(rng.uniform(0.1, 1, n)) for _ in range(3))
    operator = np.diag(np.asarray(lost + dense(up, down).sum(0))) - dense(up, down)

    def value(f, up, lost):
        return weights @ f(up, down, lost, y)

    for function, matrix in ((dwell, operator), (collected, operator.T)):
        left, right = np.linalg.solve(matrix.T, weights), np.linalg.solve(matrix, y)
        np.testing.assert_allclose(
            jax.grad(value, 2)(function, up, lost), -left * right, rtol=1e-12
        )
        tangent = jax.jvp(lambda x: value(function, up, x), (lost,), (y,))[1]
        np.testing.assert_allclose(tangent, -np.sum(left * right * np.asarray(y)), rtol=1e-12)
        change = left[1:] - left[:-1] if function is dwell else right[1:] - right[:-1]
        held = right[:-1] if function is dwell else left[:-1]
        np.testing.assert_allclose(
            jax.grad(value, 1)(function, up, lost)[0, 1:], change * held, rtol=1e-11, atol=1e-14
        )


def test_populations_are_constants_to_derivatives():
    up, down = band(0, 2, 6, 1)
    assert not np.any(jax.jacobian(populations)(up, down))


@pytest.mark.parametrize("b", [2, 5])
def test_a_level_that_nothing_leaves_downwards_gives_no_finite_population(b):
    up, down = band(0, b, 8, 2)
    assert not jnp.any(jnp.isfinite(populations(up, jnp.zeros_like(down))))


@pytest.mark.parametrize("b", [3, 5])
def test_batches_agree_with_single_solves(b):
    bands = [band(seed, b, 9, 20) for seed in range(4)]
    up, down = (jnp.stack([pair[i] for pair in bands]) for i in (0, 1))
    batched = jax.jit(jax.vmap(populations))(up, down)
    np.testing.assert_allclose(
        batched, jnp.stack([populations(*pair) for pair in bands]), rtol=1e-14
    )
