import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qtd._numerics.ladders import rounded_once, shift

pytestmark = pytest.mark.digits

DISTANCES = [(1, 2), (2, 5), (-2, 5), (5, 7), (4, 3), (-4, 3), (-3, 200), (1, 1)]


@pytest.mark.parametrize(("distance", "levels"), DISTANCES)
def test_shift_reads_other_levels_and_nothing_beyond_the_ends(distance, levels):
    x = jnp.arange(1.0, levels + 1)
    wanted = [x[k - distance] if 0 <= k - distance < levels else 0.0 for k in range(levels)]
    assert jnp.array_equal(shift(x, distance), jnp.array(wanted))
    assert jnp.array_equal(jax.jit(shift, static_argnums=1)(x, distance), jnp.array(wanted))


@pytest.mark.parametrize(("distance", "levels"), DISTANCES)
def test_the_transpose_of_a_shift_is_the_shift_back(distance, levels):
    x, y = (
        jnp.asarray(v) for v in np.random.default_rng(0).integers(-9, 9, (2, levels)).astype(float)
    )
    assert jnp.array_equal(
        jax.linear_transpose(lambda x: shift(x, distance), x)(y)[0], shift(y, -distance)
    )
    tangent = jax.jvp(lambda x: shift(x, distance), (x,), (y,))[1]
    assert jnp.array_equal(tangent, shift(y, distance))


@pytest.mark.parametrize("axis", [0, 1])
def test_batches_of_shifts_agree_with_single_ones_and_keep_float32(axis):
    batch = jnp.arange(21, dtype=jnp.float32).reshape(3, 7)
    found = jax.jit(jax.vmap(lambda x: shift(x, 2), in_axes=axis))(batch if axis == 0 else batch.T)
    assert found.dtype == jnp.float32
    assert jnp.array_equal(found, jnp.stack([shift(x, 2) for x in batch]))


@pytest.mark.parametrize(
    "transform",
    [lambda f: f, jax.jit, lambda f: jax.jit(jax.vmap(f))],
    ids=["eager", "jit", "jit and vmap"],
)
def test_sums_round_once(transform):
    rng = np.random.default_rng(1)
    terms = [rng.normal(size=50) * 10.0 ** rng.uniform(-8, 8, 50) for _ in range(4)]
    terms.append(-sum(terms))  # what is left is the rounding of the plain sum
    exact = np.array([math.fsum(column) for column in np.transpose(terms)])
    assert np.any(exact != 0) and np.all(np.abs(exact) < 1e-15 * np.abs(terms).max(axis=0))
    found = transform(lambda *x: rounded_once(list(x)))(*(jnp.asarray(x) for x in terms))
    # The lost parts themselves are summed plainly: eps of the small sum.
    np.testing.assert_allclose(found, exact, rtol=1e-12)


def test_sums_that_round_once_have_the_derivative_of_a_sum():
    terms = [jnp.array([1e16, 0.3]), jnp.array([1.0, -0.1]), jnp.array([-1e16, 2.0])]
    assert jnp.array_equal(rounded_once(terms), jnp.array([1.0, 2.2]))
    assert jnp.array_equal(jax.grad(lambda *x: rounded_once(x).sum(), 1)(*terms), jnp.ones(2))
