import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from qtd._numerics.indexing import add_at, runs, take

indices = st.lists(st.integers(0, 11), min_size=0, max_size=40).map(lambda x: np.array(x, int))


@settings(deadline=None, max_examples=60)
@given(indices)
def test_runs_partition_the_indices(index):
    found = runs(index)
    if found is None:
        assert len(index) > 32
    else:
        assert np.array_equal(np.concatenate([np.arange(a, b) for a, b in found] or [np.zeros(0, int)]), index)


@settings(deadline=None, max_examples=40)
@given(indices)
def test_take_is_fancy_indexing(index):
    values = jnp.arange(12.0) ** 2
    assert jnp.array_equal(take(values, index), values[index])


@settings(deadline=None, max_examples=40)
@given(indices)
def test_add_at_is_the_transpose_of_take(index):
    values = jnp.arange(1.0, len(index) + 1)
    expected = np.zeros(12)
    np.add.at(expected, index, np.asarray(values))
    assert jnp.array_equal(add_at(values, index, 12), expected)  # sums of small integers: exact


@pytest.mark.parametrize("index", [np.arange(3, 9), np.tile([0, 5], 30), np.zeros(0, int)])
def test_take_keeps_the_type_and_differentiates_into_add_at(index):
    values, weights = jnp.arange(12, dtype=jnp.float32), jnp.arange(len(index), dtype=jnp.float32)
    assert take(values, index).dtype == jnp.float32
    assert add_at(weights, index, 12).dtype == jnp.float32
    gradient = jax.grad(lambda v: jnp.sum(take(v, index) * weights))(values)
    assert jnp.array_equal(gradient, add_at(weights, index, 12))


def test_many_scattered_indices_use_a_gather():
    assert runs(np.arange(0, 80, 2)) is None
    assert runs(np.arange(0, 40, 2)) is not None
