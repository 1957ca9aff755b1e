"""Elimination block by block against dense linear algebra, and its derivatives of any order."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import dense

from qtd._numerics.block_elimination import BlockElimination, Blocks, levels_apart


class Matrix(eqx.Module):
    entries: jax.Array

    def apply(self, x):
        return self.entries @ x


def generator(rng, size, reach):
    """Random rates between numbers less than `reach` places apart, columns that add up to 0."""
    rates = np.where(abs(np.subtract.outer(range(size), range(size))) < reach, 1.0, 0.0)
    rates = rates * rng.uniform(0.1, 1.0, (size, size)) * (1 - np.eye(size))
    return rates - np.diag(rates.sum(0))


def chain(size, width):
    return Blocks([range(k, min(k + width, size)) for k in range(0, size, width)], np.ones(size))


def eliminated(entries, blocks):
    rows, columns = (x.ravel() for x in np.indices(entries.shape))
    near = abs(blocks.place[rows] // blocks.width - blocks.place[columns] // blocks.width) < 2
    rows, columns = rows[near], columns[near]
    bands = blocks.of_entries(rows, columns, entries[rows, columns])
    return BlockElimination(Matrix(entries), blocks, bands), bands


@pytest.mark.parametrize(("size", "width"), [(20, 4), (21, 4), (6, 6), (60, 60)])
def test_states_and_responses_are_those_of_the_whole_matrix(size, width):
    rng = np.random.default_rng(size)
    entries, blocks = generator(rng, size, min(width, 5)), chain(size, width)
    elimination, bands = eliminated(jnp.asarray(entries), blocks)
    np.testing.assert_array_equal(dense(blocks, bands), entries)
    bordered = np.vstack([entries[1:], np.ones(size)])
    state = np.linalg.solve(bordered, np.eye(size)[-1])
    np.testing.assert_allclose(elimination.state(), state, rtol=1e-12)
    right = rng.normal(size=size)
    right -= right.mean()
    expected = np.linalg.solve(bordered, np.append(right[1:], 0.0))
    np.testing.assert_allclose(elimination.solve(jnp.asarray(right)), expected, atol=1e-11)
    assert elimination.is_regular


def test_derivatives_of_both_orders_and_modes():
    rng = np.random.default_rng(3)
    entries, blocks = jnp.asarray(generator(rng, 12, 3)), chain(12, 3)
    change, right = jnp.asarray(generator(rng, 12, 3)), jnp.asarray(np.eye(12)[0] - 1 / 12)

    @jax.jit
    def observed(t):
        elimination, _ = eliminated(entries + t * change, blocks)
        return jnp.sin(elimination.state()).sum() + (elimination.solve(right) ** 2).sum()

    slope, step = jax.jit(jax.grad(observed)), 1e-5
    forward = jax.jacfwd(observed)(0.3)
    assert abs(slope(0.3) / forward - 1) < 1e-12
    difference = (observed(0.3 + step) - observed(0.3 - step)) / (2 * step)
    assert abs(forward / difference - 1) < 1e-7
    difference = (slope(0.3 + step) - slope(0.3 - step)) / (2 * step)
    assert abs(jax.hessian(observed)(0.3) / difference - 1) < 1e-7


def test_a_batch_is_its_points():
    rng = np.random.default_rng(4)
    several, blocks = (
        jnp.stack([jnp.asarray(generator(rng, 10, 3)) for _ in range(3)]),
        chain(10, 3),
    )

    @jax.jit
    def state(entries):
        return eliminated(entries, blocks)[0].state()

    each = jnp.stack([state(entries) for entries in several])
    np.testing.assert_allclose(jax.vmap(state)(several), each, rtol=1e-12)


def test_two_parts_that_never_meet_have_no_one_state():
    part = generator(np.random.default_rng(5), 4, 4)
    entries = np.kron(np.eye(2), part)
    assert not eliminated(jnp.asarray(entries), chain(8, 4))[0].is_regular


def test_layers_meet_only_their_neighbours():
    """Of a lattice: from one edge of it, the shorter one."""
    nodes = [(x, y) for x in range(3) for y in range(7)]
    neighbours = [
        {j for j, b in enumerate(nodes) if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1} for a in nodes
    ]
    edges = [[i for i, a in enumerate(nodes) if a[k] == 0] for k in (0, 1)]
    layers = levels_apart(neighbours, [1] * len(nodes), [[0], *edges])
    assert [len(layer) for layer in layers] == [3] * 7
    assert layers[-1] == edges[1]
