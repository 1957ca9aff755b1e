"""Linear maps known when a program is built: sums and selections of vector entries, along batches whose axis stays last."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from .batching import batched_last


class LinearMap:
    """y_i = sum_j matrix[i, j] x_j with constant real coefficients; `matrix` may have several axes before the last."""

    def __init__(self, matrix: np.ndarray):
        self.matrix = np.ascontiguousarray(matrix, float) + 0.0  # -0.0 equals 0.0, and must have its hash
        self._hash = hash((self.matrix.shape, self.matrix.tobytes()))

    def __call__(self, x: Float[Array, " n"]) -> Float[Array, "..."]:
        return _map_p.bind(x, of=self, transposed=False)

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        return self is other or (isinstance(other, LinearMap) and np.array_equal(self.matrix, other.matrix))

    def shapes(self, transposed: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of what goes in and of what comes out."""
        rows, columns = self.matrix.shape[:-1], self.matrix.shape[-1:]
        return (rows, columns) if transposed else (columns, rows)


def selection(indices: np.ndarray, size: int) -> LinearMap:
    """The map from x of this size to x[indices]."""
    return LinearMap(np.eye(size)[np.asarray(indices, int)].reshape(len(indices), size))


def _mapped(x, *, of, transposed):
    taken, made = of.shapes(transposed)
    batch = x.shape[len(taken) :]
    matrix = of.matrix.reshape(math.prod(of.matrix.shape[:-1]), of.matrix.shape[-1])
    matrix, x = matrix.T if transposed else matrix, x.reshape(math.prod(taken), *batch)
    if 0 in matrix.shape:
        return jnp.zeros((*made, *batch), x.dtype)
    # Most coefficients are 0, but sums and selections that are written out are slower, and take longer to compile than all the rest.
    product = jnp.matmul(jnp.asarray(matrix, x.dtype), x.reshape(len(x), math.prod(batch)), precision=lax.Precision.HIGHEST)
    return product.reshape(*made, *batch)


def _abstract(x, *, of, transposed):
    taken, made = of.shapes(transposed)
    return x.update(shape=(*made, *x.shape[len(taken) :]))


def _batch(args, dims, **how):
    (x,) = batched_last(args, dims)
    mapped = _map_p.bind(x, **how)
    return mapped, mapped.ndim - 1


_map_p = Primitive("linear_map")
_map_p.def_impl(lambda x, **how: jax.jit(partial(_mapped, **how))(x))
_map_p.def_abstract_eval(_abstract)
mlir.register_lowering(_map_p, mlir.lower_fun(_mapped, multiple_results=False))
ad.deflinear2(_map_p, lambda ct, _, *, of, transposed: [_map_p.bind(ad.instantiate_zeros(ct), of=of, transposed=not transposed)])
batching.primitive_batchers[_map_p] = _batch
