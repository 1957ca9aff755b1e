"""Small dense matrices without LAPACK: inverses, solves, and eigensystems of symmetric matrices.

LAPACK calls inside batched gradients can hang jaxlib's CPU thread pool, and work on one matrix at a time; the loops here run along
the batch.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir
from jaxtyping import Array, Float

from .batching import add, batched_last, settle
from .solves import solve


class Dense(eqx.Module):
    """A square matrix as an operator, and its inverse: `solve(y)` is accurate to one step of refinement.

    Solves carry derivatives of every order with respect to the matrix and to y.
    """

    matrix: Float[Array, "n n"]
    inverse: Float[Array, "n n"]

    def __init__(self, matrix: Float[Array, "n n"]):
        self.matrix, self.inverse = matrix, inverse(matrix)

    def solve(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """x with A x = y."""
        return solve(_refined, y, _Matrix(self.matrix), (self.matrix, self.inverse), transposed=False)


class _Matrix(eqx.Module):
    entries: Float[Array, "n n"]

    def apply(self, x, transposed):
        return _product(self.entries, x, transposed)


def _product(matrix, x, transposed):
    return (matrix * x[:, None]).sum(0) if transposed else (matrix * x[None]).sum(1)


def _refined(factors, y, transposed):
    matrix, inverse = factors
    x = _product(inverse, y, transposed)
    return x + _product(inverse, y - _product(matrix, x, transposed), transposed)


def inverse(matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The inverse, by elimination with partial pivoting, as a value without derivatives; not finite where there is none."""
    return _inverse_p.bind(lax.stop_gradient(matrix))


def _inverted(matrix):
    """Gauss-Jordan elimination of [A | 1], for matrices on the first two axes; rows are swapped arithmetically, batch by batch."""
    n, rest = len(matrix), matrix.shape[2:]
    rows = jnp.arange(n).reshape(n, *(1,) * len(rest))
    unit = jnp.broadcast_to(jnp.eye(n, dtype=matrix.dtype).reshape(n, n, *(1,) * len(rest)), matrix.shape)

    def eliminate(k, table):
        column = lax.dynamic_index_in_dim(table, k, 1, keepdims=False)
        candidates = jnp.where(rows >= k, jnp.abs(column), -1)
        chosen = (rows == jnp.argmax(candidates, axis=0)[None]).astype(table.dtype)
        old = lax.dynamic_index_in_dim(table, k, 0, keepdims=False)
        # Written out, since reductions over a leading axis are slow on CPUs, and done once, not again for every row.
        pivot = settle(add(chosen[i][None] * table[i] for i in range(n)))
        pivot = pivot / lax.dynamic_index_in_dim(pivot, k, 0, keepdims=False)[None]
        # The row that goes where the pivot came from, the pivot row, and all the others less their share of it.
        is_pivot = (rows == k).astype(table.dtype)
        swapped = column + chosen * (lax.dynamic_index_in_dim(old, k, 0, keepdims=False)[None] - column)
        table = table + chosen[:, None] * (old[None] - table)
        return (1 - is_pivot[:, None]) * (table - swapped[:, None] * pivot[None]) + is_pivot[:, None] * pivot[None]

    return lax.fori_loop(0, n, eliminate, jnp.concatenate([matrix, unit], axis=1))[:, n:]


_inverse_p = Primitive("inverse")
_inverse_p.def_impl(jax.jit(_inverted))
_inverse_p.def_abstract_eval(lambda matrix: matrix)
mlir.register_lowering(_inverse_p, mlir.lower_fun(_inverted, multiple_results=False))


def _inverse_batch(args, dims):
    (matrix,) = batched_last(args, dims)
    return _inverse_p.bind(matrix), matrix.ndim - 1


batching.primitive_batchers[_inverse_p] = _inverse_batch
