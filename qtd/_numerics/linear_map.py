"""Linear maps known when a program is built: sums and selections of vector entries, along batches
whose axis stays last."""

import math
from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from .jax_internals.primitives import primitive

# Coefficients; those of larger maps that are not 0 are taken one by one, or programs hold gigabytes
# of zeros
_DENSE = 2**14


class LinearMap:
    """y_i = sum_j matrix[i, j] x_j with constant real coefficients; the matrix may have several
    axes before the last.

    `shape`: of the matrix; `places`: of its coefficients that are not 0, in order, as if it had one
    axis; `values`: these. `written_out`: as sums of rows, which for a dozen rows of some hundred
    entries takes a tenth of the time that a product of matrices takes.
    """

    def __init__(self, matrix: ArrayLike, written_out: bool = False):
        flat = np.asarray(matrix, float).ravel()
        self._keep(np.shape(matrix), np.flatnonzero(flat), flat[flat != 0], written_out)

    @classmethod
    def of(
        cls, shape: tuple[int, ...], entries: Iterable[tuple[tuple[int, ...], float]]
    ) -> "LinearMap":
        """Makes a map from coefficients and their indices; those with equal indices are added
        up."""
        indices, values = [], []
        for index, value in entries:
            indices.append(index)
            values.append(value)
        where = np.ravel_multi_index(np.array(indices, int).reshape(-1, len(shape)).T, shape)
        places, which = np.unique(where, return_inverse=True)
        sums = np.bincount(which, values, len(places))
        made = cls.__new__(cls)
        made._keep(shape, places[sums != 0], sums[sums != 0])
        return made

    def _keep(self, shape, places, values, written_out=False):
        self.shape, self.places, self.values = shape, places, values
        self.written_out = written_out
        self._hash = hash((shape, places.tobytes(), values.tobytes(), written_out))

    @property
    def matrix(self) -> np.ndarray:
        """All coefficients."""
        flat = np.zeros(math.prod(self.shape))
        flat[self.places] = self.values
        return flat.reshape(self.shape)

    def __call__(self, x: Float[Array, " n"]) -> Float[Array, "..."]:
        return _map(x, of=self, transposed=False)

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        if self is other or not isinstance(other, LinearMap):
            return self is other
        same = (self.shape, self.written_out) == (other.shape, other.written_out)
        same = same and np.array_equal(self.places, other.places)
        return same and np.array_equal(self.values, other.values)

    def shapes(self, transposed: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of what goes in and of what comes out."""
        rows, columns = self.shape[:-1], self.shape[-1:]
        return (rows, columns) if transposed else (columns, rows)


def selection(indices: np.ndarray, size: int) -> LinearMap:
    """The map from x of this size to x[indices]."""
    return LinearMap.of(
        (len(indices), size), [((row, int(column)), 1.0) for row, column in enumerate(indices)]
    )


def _mapped(x, *, of, transposed):
    taken, made = of.shapes(transposed)
    batch = x.shape[len(taken) :]
    count, x = math.prod(made), x.reshape(math.prod(taken), math.prod(batch))
    if 0 in of.shape:
        return jnp.zeros((*made, *batch), x.dtype)
    if of.written_out:
        product = _written_out(x, of, transposed)
    elif math.prod(of.shape) > _DENSE:
        product = _one_by_one(x, of, transposed, count)
    else:
        product = _dense(x, of, transposed)
    return product.reshape(*made, *batch)


def _written_out(x, of, transposed):
    matrix = of.matrix.reshape(-1, of.shape[-1])
    rows = [lax.index_in_dim(x, i, 0, keepdims=False) for i in range(len(x))]

    def summed(coefficients):
        found = None
        for c, row in sorted(zip(coefficients, rows), key=lambda pair: -pair[0]):
            if c == 0:
                continue
            term = row if abs(c) == 1 else abs(float(c)) * row
            if found is None:
                found = term if c > 0 else -term
            else:
                found = found + term if c > 0 else found - term
        return jnp.zeros_like(rows[0]) if found is None else found

    return jnp.stack([summed(each) for each in (matrix.T if transposed else matrix)])


def _dense(x, of, transposed):
    # Most coefficients are 0, but sums and selections that are written out are slower, and take
    # longer to compile than all the rest.
    matrix = of.matrix.reshape(-1, of.shape[-1])
    return jnp.matmul(
        jnp.asarray(matrix.T if transposed else matrix, x.dtype), x, precision=lax.Precision.HIGHEST
    )


def _one_by_one(x, of, transposed, count):
    rows, columns = np.divmod(of.places, of.shape[-1])
    if transposed:
        rows, columns = columns, rows
    terms = jnp.asarray(of.values, x.dtype)[:, None] * x[columns]
    return (
        jnp.zeros((count, x.shape[1]), x.dtype)
        .at[rows]
        .add(terms, indices_are_sorted=not transposed)
    )


def _abstract(x, *, of, transposed):
    taken, made = of.shapes(transposed)
    return x.update(shape=(*made, *x.shape[len(taken) :]))


_map = primitive(
    "linear_map",
    _mapped,
    _abstract,
    transpose=lambda ct, _, *, of, transposed: [_map(ct, of=of, transposed=not transposed)],
)
