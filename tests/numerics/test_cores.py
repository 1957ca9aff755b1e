"""What is computed in parts on all cores: the same as in one piece, in order, in the same
precision."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qtd._numerics import cores
from qtd._numerics.cores import SideBySide, dealt, joined


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(cores, "cores", lambda: 2)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 16])
def test_parts_are_equal_and_joined_they_are_the_whole(count):
    tree = {"x": jnp.arange(count), "y": jnp.arange(3.0 * count).reshape(count, 3)}
    parts = dealt(tree, 4)
    assert len({len(part["x"]) for part in parts}) == 1
    assert len(parts) == max(n for n in range(1, 5) if count % n == 0)
    jax.tree.map(np.testing.assert_array_equal, joined(parts), tree)


def test_parts_are_done_in_order_the_first_one_alone_and_others_side_by_side(two_cores):
    together, meets = [], threading.Barrier(2, timeout=30)

    def function(k):
        if k:
            meets.wait()
        together.append(k)
        return jnp.asarray(float(k))

    every = SideBySide(function)
    assert [float(x) for x in every(range(5))] == [0, 1, 2, 3, 4]
    assert together[0] == 0


def test_threads_compute_in_the_precision_of_who_asks(two_cores):
    every = SideBySide(lambda k: jnp.ones(()) * k)
    assert {x.dtype for x in every([1.0, 2.0, 3.0])} == {jnp.dtype(jnp.float64)}
    with jax.enable_x64(False):
        assert {x.dtype for x in SideBySide(jnp.sin)([1.0, 2.0, 3.0])} == {jnp.dtype(jnp.float32)}


def test_what_goes_wrong_in_a_part_is_told(two_cores):
    def function(k):
        if k == 2:
            raise ValueError("part 2")
        return jnp.asarray(k)

    with pytest.raises(ValueError, match="part 2"):
        SideBySide(function)(range(4))
