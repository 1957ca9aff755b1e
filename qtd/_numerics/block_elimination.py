"""Steady states and responses of large generators, whose numbers stand in a row of blocks of which
each meets only its neighbours.

Elimination goes from block to block, so that the cost is that of the blocks, not of the whole.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Inexact

from .coherent_elimination import inverse
from .jax_internals.primitives import primitive

# Rows of a block, up to which a batch of blocks is inverted along the batch, on processors and on
# accelerators; of larger ones, one after another.
_SMALL, _SMALL_ELSEWHERE = 16, 48


class Generator(Protocol):
    """A linear operator, and a PyTree of the arrays that it is made of."""

    def apply(self, x: Inexact[Array, " m"]) -> Inexact[Array, " m"]: ...


class Blocks:
    """Which of `size` numbers stand in which block. Numbers of one block meet those of the same
    and of the neighbouring blocks alone.

    `index`: (blocks, width), their places, `size` where a block has fewer than the largest;
    `trace`: (size,), what makes the trace of a state; `pivot`: place, in the last block, of a
    number that the trace counts.
    """

    def __init__(self, parts: Sequence[Any], trace: np.ndarray):
        self.size, self.count = len(trace), len(parts)
        self.width = max(map(len, parts))
        self.index = np.full((self.count, self.width), self.size)
        for row, part in zip(self.index, parts):
            row[: len(part)] = part
        self.trace = np.asarray(trace, float)
        self.pivot = next(i for i, place in enumerate(parts[-1]) if self.trace[place])
        self.place = np.empty(self.size, int)
        flat = self.index.ravel()
        self.place[flat[flat < self.size]] = np.flatnonzero(flat < self.size)
        self._key = self.index.tobytes(), self.trace.tobytes(), self.index.shape
        self._hash = hash(self._key)

    def __repr__(self) -> str:
        return f"Blocks({self.size} numbers, {self.count} of at most {self.width})"

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        return self is other or (isinstance(other, Blocks) and self._key == other._key)

    @property
    def memory(self) -> int:
        """Bytes that the blocks, their factors and copies on the way take, in double precision."""
        return 8 * 10 * self.count * self.width**2

    @property
    def operations(self) -> float:
        """Multiplications and additions of an elimination."""
        return 2.0 * sum(6 * int(n) ** 3 for n in (self.index < self.size).sum(1))

    def split(self, x: Inexact[Array, " m"]) -> Inexact[Array, "blocks width"]:
        """The numbers `x` by block, 0 where there is none."""
        return jnp.concatenate([x, jnp.zeros_like(x[:1])])[self.index]

    def join(self, x: Inexact[Array, "blocks width"]) -> Inexact[Array, " m"]:
        """The inverse of `split`, of numbers `x` by block."""
        return x.reshape(-1)[self.place]

    def of_entries(
        self, rows: np.ndarray, columns: np.ndarray, values: Inexact[Array, " entries"]
    ) -> "Bands":
        """The blocks of a matrix from its `values` at some `rows` and `columns`, no place twice."""
        shape = self.count, self.width, self.width
        block, row = np.divmod(self.place[rows], self.width)
        other, column = np.divmod(self.place[columns], self.width)

        def band(shift):
            here = other - block == shift
            places = block[here], row[here], column[here]
            return jnp.zeros(shape, values.dtype).at[places].set(values[here])

        return Bands(band(0) + self._where_missing(values.dtype), band(1), band(-1))

    def _where_missing(self, kind):
        """1 on the diagonal where a block has no number."""
        return jax.vmap(jnp.diag)(jnp.asarray(self.index == self.size).astype(kind))


class Bands(eqx.Module):
    """A matrix by blocks: its `diagonal`, what stands `above` it, [k, k + 1], and `below`,
    [k, k - 1]; 0 where there is none, and 1 on the diagonal where a block has no number."""

    diagonal: Inexact[Array, "blocks width width"]
    above: Inexact[Array, "blocks width width"]
    below: Inexact[Array, "blocks width width"]


class _Factors(eqx.Module):
    """`inverses`: of what is left of the diagonal blocks once all before them are eliminated;
    `rows`: what is left of the row of traces, times these."""

    inverses: Inexact[Array, "blocks width width"]
    rows: Inexact[Array, "blocks width"]
    above: Inexact[Array, "blocks width width"]
    below: Inexact[Array, "blocks width width"]
    scale: Float[Array, ""]


class BlockElimination(eqx.Module):
    """The factors of the generator L of a state, an `operator`, whose numbers stand in `blocks`.
    `bands` are its blocks.

    What is factored is M = L + s u t^T, with the trace t, a number s of the size of L, and u, 1 at
    one population of the last block: as t^T L = 0, M x = y has the solution of L x = y without
    trace, for y without trace. The last block should hold states that are populated. All factors
    are constant to every derivative.
    """

    operator: Any
    factors: _Factors
    blocks: Blocks = eqx.field(static=True)

    def __init__(self, operator: Any, blocks: Blocks, bands: Bands):
        self.operator, self.blocks = operator, blocks
        self.factors = lax.stop_gradient(_factored(blocks, lax.stop_gradient(bands)))

    def solve(self, y: Inexact[Array, " m"]) -> Inexact[Array, " m"]:
        """x with L x = y and no trace, for y without trace."""
        blocks, factors = self.blocks, self.factors
        place = blocks.index[-1, blocks.pivot]

        def bordered(x):
            trace = factors.scale * jnp.sum(jnp.asarray(blocks.trace, x.dtype) * x)
            return self.operator.apply(x).at[place].add(trace)

        return lax.custom_linear_solve(
            bordered,
            y,
            lambda _, right: _substituted(blocks, factors, right),
            lambda _, right: _substituted_back(blocks, factors, right),
        )

    def state(self) -> Inexact[Array, " m"]:
        """The steady state, of trace 1, with its derivatives."""
        blocks, factors = self.blocks, self.factors
        kind = factors.inverses.dtype
        source = jnp.zeros(blocks.size, kind)
        source = source.at[blocks.index[-1, blocks.pivot]].set(factors.scale.astype(kind))
        start = lax.stop_gradient(_substituted(blocks, factors, source))
        # One Newton step takes off what rounding has left, and carries the derivatives.
        return start - self.solve(self.operator.apply(start))

    def doubts(self, gross: Float[Array, " m"]) -> Inexact[Array, "2 m"]:
        """What rounding of all that adds up to the rate of change of each number, `gross` without
        signs, may have done to a state: for two patterns of signs, drawn once; without
        derivatives."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (2, self.blocks.size))
        eps = float(jnp.finfo(gross.dtype).eps)
        rounding = eps * jnp.asarray(signs, gross.dtype) * gross[None]
        return lax.stop_gradient(jax.vmap(self.solve)(lax.stop_gradient(rounding)))

    @property
    def is_regular(self) -> Bool[Array, ""]:
        """Whether the state is unique, as far as rounding lets that be seen."""
        largest = jnp.max(jnp.abs(self.factors.inverses)) * self.factors.scale
        return largest < 0.01 / jnp.finfo(self.factors.scale.dtype).eps


def _factored(blocks: Blocks, bands: Bands) -> _Factors:
    kind = bands.diagonal.dtype
    is_there = jnp.asarray(blocks.index < blocks.size)[:, :, None]
    scale = jnp.max(jnp.where(is_there, jnp.abs(bands.diagonal), 0))
    traces = scale * blocks.split(jnp.asarray(blocks.trace, kind))
    last = jnp.arange(blocks.count) == blocks.count - 1
    border = jnp.zeros(blocks.width, kind).at[blocks.pivot].set(1)

    def step(carry, block):
        inverse, row, above = carry
        diagonal, below, trace, next_above, is_last = block
        row = trace - (row @ above)
        left = diagonal - below @ (inverse @ above)
        left = left + jnp.where(is_last, 1, 0).astype(kind) * border[:, None] * row[None]
        inverse = block_inverse(left)
        row = row @ inverse
        return (inverse, row, next_above), (inverse, row)

    nothing = jnp.zeros((blocks.width, blocks.width), kind)
    start = (nothing, jnp.zeros(blocks.width, kind), nothing)
    each = (bands.diagonal, bands.below, traces, bands.above, last)
    _, (inverses, rows) = lax.scan(step, start, each)
    return _Factors(inverses, rows, bands.above, bands.below, scale.real)


def _substituted(blocks, factors, y):
    """x with M x = y."""
    right, last = blocks.split(y), blocks.count - 1

    def forward(carry, block):
        x, traced = carry
        below, inverse, row, own, is_last = block
        left = own - below @ x
        left = left.at[blocks.pivot].add(-jnp.where(is_last, traced, 0))
        return (inverse @ left, traced + row @ left), left

    zero = jnp.zeros_like(right[0])
    each = (
        factors.below,
        factors.inverses,
        factors.rows,
        right,
        jnp.arange(blocks.count) == last,
    )
    _, left = lax.scan(forward, (zero, jnp.zeros_like(zero[0])), each)

    def backward(x, block):
        above, inverse, own = block
        x = inverse @ (own - above @ x)
        return x, x

    _, x = lax.scan(backward, zero, (factors.above, factors.inverses, left), reverse=True)
    return blocks.join(x)


def _substituted_back(blocks, factors, y):
    """x with M^T x = y."""
    right = blocks.split(y)
    zero = jnp.zeros_like(right[0])

    def forward(pushed, block):
        above, inverse, own = block
        x = inverse.T @ (own - pushed)
        return above.T @ x, x

    _, first = lax.scan(forward, zero, (factors.above, factors.inverses, right))
    border = first[-1, blocks.pivot]

    def backward(pushed, block):
        below, inverse, row, own, is_last = block
        # `rows` hold the row of traces times the inverses already.
        taken = inverse.T @ pushed + row * border
        x = jnp.where(is_last, own, own - taken)
        return below.T @ x, x

    last = jnp.arange(blocks.count) == blocks.count - 1
    each = (factors.below, factors.inverses, factors.rows, first, last)
    _, x = lax.scan(backward, zero, each, reverse=True)
    return blocks.join(x)


def _inverted(matrix):
    size, rest = len(matrix), matrix.shape[2:]
    if not rest:
        return jnp.linalg.inv(matrix)
    if size <= _SMALL:
        return inverse(matrix)
    if size > _SMALL_ELSEWHERE:
        return _one_after_another(matrix)
    return lax.platform_dependent(matrix, cpu=_one_after_another, default=inverse)


def _one_after_another(matrix):
    # LAPACK in a batch may hang; in a loop it has never.
    every = jnp.moveaxis(matrix.reshape(*matrix.shape[:2], -1), -1, 0)
    return jnp.moveaxis(lax.map(jnp.linalg.inv, every), 0, -1).reshape(matrix.shape)


block_inverse = primitive("block_inverse", _inverted, lambda matrix: matrix)


def levels_apart(
    neighbours: Sequence[set[int]], weights: Sequence[int], starts: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Nodes of a graph in layers, of which each meets only its neighbours: by their distance from
    some of them, the farthest first.

    `neighbours` of each node; `weights`: how many numbers belong to it; `starts`: groups of nodes
    to begin from, of which the one is taken whose layers cost least to eliminate.
    """

    def layers(start):
        found, seen = [sorted(start)], set(start)
        while True:
            reached = {b for a in found[-1] for b in neighbours[a]} - seen
            if not reached:
                return found[::-1] if len(seen) == len(neighbours) else None
            seen |= reached
            found.append(sorted(reached))

    def cost(found):
        return len(found) * max(sum(weights[a] for a in layer) for layer in found) ** 3

    return min((found for start in starts if (found := layers(start))), key=cost)
