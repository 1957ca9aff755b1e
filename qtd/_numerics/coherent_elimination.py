"""Generators of states with coherences: steady states, and solves with the same factors, without
LAPACK.

LAPACK calls inside batched gradients can hang jaxlib's CPU thread pool, and work on one matrix at a
time; the loops here run along the batch.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .batching import first_largest, settle, sum_over
from .jax_internals.primitives import primitive
from .solves import solve

_LARGE = 64  # numbers, from which LAPACK is faster than loops, where there is no batch


class Factors(NamedTuple):
    """Factors of the generator [[A, B], [C, D]] of n populations and k numbers for coherences.

    `times` is the time spent in each level, per unit that is fed into another one, before the level
    that is left last is reached; `inverse` is 1/D, `following` = -C/D are the coherences per
    population, `feeding` = -B/D what coherences that are fed in give to the populations.
    """

    state: Float[Array, " m"]
    times: Float[Array, "n n"]
    inverse: Float[Array, "k k"]
    following: Float[Array, "k n"]
    feeding: Float[Array, "n k"]


class CoherentElimination(eqx.Module):
    """The factors of the generator M of a state of n populations, which come first, and of k real
    numbers for its coherences.

    The coherences are eliminated with partial pivoting. What is left are rates between populations,
    which are swept without subtractions as long as coherence makes none of them negative: the
    diagonal of A is never used, as each column of M takes from a level what it gives to the others.
    `factors.state` is the steady state as eliminated. All factors are constant to every derivative.
    """

    operator: "_Matrix"
    factors: Factors

    def __init__(self, matrix: Float[Array, "m m"], levels: int):
        self.operator = _Matrix(matrix)
        self.factors = Factors(*_factored(lax.stop_gradient(matrix), levels=levels))

    def solve(self, y: Float[Array, " m"]) -> Float[Array, " m"]:
        """x with M x = y and no trace, for y without trace."""
        return solve(_conserving, y, self.operator, self.factors, transposed=False)


class _Matrix(eqx.Module):
    entries: Float[Array, "m m"]

    def apply(self, x, transposed):
        return product(self.entries, x, transposed)


def product(
    matrix: Float[Array, "m n"], x: Float[Array, " n"], transposed: bool = False
) -> Float[Array, " m"]:
    """A x, or A^T x."""
    return sum_over(matrix * x[:, None], 0) if transposed else sum_over(matrix * x[None], 1)


def _conserving(factors, y, transposed):
    """x with M x = y, or with M^T x = y - state . y on populations; arrays may have batch axes
    after that of the numbers."""
    n, has_coherences = len(factors.times), len(factors.inverse) > 0
    into, out = (
        (factors.following, factors.feeding) if transposed else (factors.feeding, factors.following)
    )
    populations, coherences = y[:n], y[n:]
    if transposed:
        populations = populations - settle(sum_over(factors.state * y, 0))[None]
    if has_coherences:
        populations = settle(populations + product(into, coherences, transposed))
    x = -product(factors.times, populations, transposed)
    if has_coherences:
        x = jnp.concatenate(
            [
                x,
                product(factors.inverse, coherences, transposed)
                + product(out, settle(x), transposed),
            ]
        )
    if transposed:
        return x
    return x - factors.state * settle(sum_over(x[:n], 0))[None]


def _factor(matrix, *, levels):
    """The factors of matrices on the first two axes."""
    feeding = matrix[:levels, levels:]
    following = matrix[levels:, :levels]
    inverse = matrix[levels:, levels:]
    rates = matrix[:levels, :levels]
    if len(inverse):
        inverse, following = _eliminated(inverse, -following)
        rates = rates + matmul(feeding, following)
        feeding = -matmul(feeding, inverse)
    swept, is_left = _swept(rates)
    weights = jnp.where(is_left > 0, 1, sum_over(swept * is_left[None], 1))
    state = settle(weights / sum_over(weights, 0)[None])
    if len(inverse):
        state = jnp.concatenate([state, product(following, state)])
    times = (1 - is_left)[:, None] * (1 - is_left)[None] * swept
    return state, times, inverse, following, feeding


def _swept(rates):
    """Rates between levels once all but one have been swept (Grassmann, Taksar and Heyman), the
    level left soonest always first.

    Entry (i, j) is the rate j -> i between levels that are still there. For those swept it is the
    time spent in i, from j on, before a level that is there is reached; with only j swept, the
    probability that this is level i; with only i swept, the time spent in i per time in j. Each of
    them grows by what leads through the level being swept. Returns also which level is left, one
    that is hardly ever left: times before another one is reached could be nearly infinite, and what
    matters be lost in them.
    """
    n = len(rates)
    levels = jnp.arange(n).reshape(n, *(1,) * (rates.ndim - 2))

    def sweep(_, carry):
        table, is_there = carry
        exits = sum_over(
            jnp.where((is_there[:, None] > 0) & (levels[:, None] != levels[None]), table, 0), 0
        )
        is_next = first_largest(jnp.where(is_there > 0, exits, -jnp.inf))
        time = 1 / sum_over(is_next * exits, 0)
        row = settle((1 - is_next) * sum_over(is_next[:, None] * table, 0) * time[None])
        column = settle((1 - is_next) * sum_over(table * is_next[None], 1))
        # The row and column of the level that is swept are written anew.
        kept = (1 - is_next)[:, None] * (1 - is_next)[None] * table
        table = kept + (column + is_next)[:, None] * (row + is_next * time[None])[None]
        return table, is_there - is_next

    return lax.fori_loop(0, n - 1, sweep, (rates, jnp.ones_like(rates[0])))


def inverse(matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """1/A as a value without derivatives."""
    return _eliminated(lax.stop_gradient(matrix), matrix[:, :0])[0]


def inverse_of_parts(
    real: Float[Array, "n n *batch"], imaginary: Float[Array, "n n *batch"]
) -> tuple[Float[Array, "n n *batch"], Float[Array, "n n *batch"]]:
    """Real and imaginary part of 1/(A + i B) from those of the matrix, with derivatives to second
    order."""
    n = len(real)
    upper, lower = (
        jnp.concatenate([real, -imaginary], 1),
        jnp.concatenate([imaginary, real], 1),
    )
    matrix = jnp.concatenate([upper, lower])
    found = inverse(matrix)
    for _ in range(2):  # Newton steps carry the derivatives
        found = 2 * found - matmul(found, matmul(matrix, found))
    return found[:n, :n], found[n:, :n]


def _eliminated(matrix, right):
    """1/A and 1/A B by Gauss-Jordan elimination of [A | B | 1] with partial pivoting; rows are
    swapped arithmetically, batch by batch. One large matrix is left to LAPACK."""
    n, rest = len(matrix), matrix.shape[2:]
    if not rest and n > _LARGE:
        found = jnp.linalg.inv(matrix)
        return found, found @ right
    rows = jnp.arange(n).reshape(n, *(1,) * len(rest))
    unit = jnp.broadcast_to(
        jnp.eye(n, dtype=matrix.dtype).reshape(n, n, *(1,) * len(rest)), matrix.shape
    )

    def eliminate(k, table):
        column = lax.dynamic_index_in_dim(table, k, 1, keepdims=False)
        candidates = jnp.where(rows >= k, jnp.abs(column), -1)
        chosen = first_largest(candidates)
        old = lax.dynamic_index_in_dim(table, k, 0, keepdims=False)
        # Settled: done once, not again for every row.
        pivot = settle(sum_over(chosen[:, None] * table, 0))
        pivot = pivot / lax.dynamic_index_in_dim(pivot, k, 0, keepdims=False)[None]
        # The row that goes where the pivot came from, the pivot row, and all the others less their
        # share of it.
        is_pivot = (rows == k).astype(table.dtype)
        swapped = column + chosen * (
            lax.dynamic_index_in_dim(old, k, 0, keepdims=False)[None] - column
        )
        table = table + chosen[:, None] * (old[None] - table)
        return (1 - is_pivot[:, None]) * (table - swapped[:, None] * pivot[None]) + is_pivot[
            :, None
        ] * pivot[None]

    table = lax.fori_loop(0, n, eliminate, jnp.concatenate([matrix, right, unit], axis=1))
    return table[:, -n:], table[:, n:-n]


def matmul(
    x: Float[Array, "l m *batch"], y: Float[Array, "m n *batch"]
) -> Float[Array, "l n *batch"]:
    """A product of matrices on the first two axes."""
    return sum_over(x[:, :, None] * y[None], 1)


def _shapes(matrix, *, levels):
    n, k = levels, matrix.shape[0] - levels
    return [
        matrix.update(shape=shape + matrix.shape[2:])
        for shape in ((n + k,), (n, n), (k, k), (k, n), (n, k))
    ]


_factored = primitive("coherent_elimination", _factor, _shapes, several=True)
