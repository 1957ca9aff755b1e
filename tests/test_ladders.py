import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qtd._numerics.ladders import below, rounded_once, to_lower

SHAPES = [(1, 2), (2, 5), (5, 7), (4, 3), (3, 200)]


@pytest.mark.parametrize(("reach", "levels"), SHAPES)
def test_below_reads_the_levels_below(reach, levels):
    x = jnp.arange(1.0, levels + 1)
    for d, found in enumerate(below(x, reach), start=1):
        assert jnp.array_equal(found, jnp.concatenate([jnp.zeros(d), x])[:levels])


@pytest.mark.parametrize(("reach", "levels"), SHAPES)
def test_to_lower_is_the_transpose_of_below(reach, levels):
    x = jnp.arange(1.0, levels + 1)
    values = [jnp.asarray(v) for v in np.random.default_rng(0).integers(-9, 9, (reach, levels)).astype(float)]
    transpose = jax.linear_transpose(lambda x: below(x, reach), x)(values)[0]
    assert jnp.array_equal(to_lower(values), transpose)  # sums of small integers: exact


@pytest.mark.parametrize(("reach", "levels"), [(2, 5), (5, 7)])
def test_float32_stays_and_batches_agree(reach, levels):
    batch = jnp.arange(3 * levels, dtype=jnp.float32).reshape(3, levels)
    found = jax.vmap(lambda x: to_lower(below(x, reach)))(batch)
    assert found.dtype == jnp.float32
    assert jnp.array_equal(found, jnp.stack([to_lower(below(x, reach)) for x in batch]))


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit, lambda f: jax.jit(jax.vmap(f))], ids=["eager", "jit", "jit and vmap"])
def test_sums_round_once(transform):
    rng = np.random.default_rng(1)
    terms = [rng.normal(size=50) * 10.0 ** rng.uniform(-8, 8, 50) for _ in range(4)]
    terms.append(-sum(terms))  # what is left is the rounding of the plain sum
    exact = np.array([math.fsum(column) for column in np.transpose(terms)])
    assert np.any(exact != 0) and np.all(np.abs(exact) < 1e-15 * np.abs(terms).max(axis=0))
    found = transform(lambda *x: rounded_once(list(x)))(*(jnp.asarray(x) for x in terms))
    np.testing.assert_allclose(found, exact, rtol=1e-12)  # the lost parts themselves are summed plainly: eps of the small sum


def test_sums_that_round_once_have_the_derivative_of_a_sum():
    terms = [jnp.array([1e16, 0.3]), jnp.array([1.0, -0.1]), jnp.array([-1e16, 2.0])]
    assert jnp.array_equal(rounded_once(terms), jnp.array([1.0, 2.2]))
    assert jnp.array_equal(jax.grad(lambda *x: rounded_once(x).sum(), 1)(*terms), jnp.ones(2))
