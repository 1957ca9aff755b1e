"""Eigensystems of Hermitian matrices: of small ones without LAPACK, which can hang inside batched
gradients."""

import functools
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Inexact, Real

from .jax_internals.primitives import primitive


@jax.custom_jvp
def eigensystem(matrix: Inexact[Array, "n n"]) -> tuple[Real[Array, " n"], Inexact[Array, "n n"]]:
    """Eigenvalues E and eigenvectors V (columns) of a real symmetric or complex Hermitian matrix,
    by Jacobi's rotations.

    Not sorted: each rotation is the smallest that does, and matrices that are diagonal already are
    left alone. So of two levels, and of more that are weakly coupled, state i is the one that comes
    out of basis state i as what couples them is turned on. Within a degenerate eigenspace the
    eigenvectors have no derivative: what depends on them there is differentiated as if they stayed.
    """
    n = len(matrix)
    if n == 1:
        return matrix[0].real, jnp.ones_like(matrix)

    # Two levels take one rotation; beyond, convergence is quadratic and this is far more than is
    # needed.
    def sweep(_, carry):
        return _of_two(*carry) if n == 2 else _sweep(*carry)

    diagonal, vectors = lax.fori_loop(
        0, 1 if n == 2 else 5 + n, sweep, (matrix, jnp.eye(n, dtype=matrix.dtype))
    )
    return jnp.diagonal(diagonal).real, vectors


@jax.custom_jvp
def large_eigensystem(
    matrix: Inexact[Array, "n n"],
) -> tuple[Real[Array, " n"], Inexact[Array, "n n"]]:
    """`eigensystem` of a large `matrix`, in ascending order, by LAPACK: Jacobi's rotations of 64
    levels take 3000 times as long."""
    energies, vectors = _ascending(matrix)
    return energies, vectors


def _changed(solve, primals, tangents):
    (matrix,), (change,) = primals, tangents
    energies, vectors = solve(matrix)
    coupled = vectors.conj().T @ change @ vectors
    gaps = energies[None, :] - energies[:, None]
    scale = jnp.max(jnp.abs(energies))
    is_apart = jnp.abs(gaps) > 8 * jnp.finfo(energies.dtype).eps * scale
    mixing = jnp.where(is_apart, coupled / jnp.where(is_apart, gaps, 1.0).astype(matrix.dtype), 0)
    return (energies, vectors), (jnp.diagonal(coupled).real, vectors @ mixing)


for _solve in (eigensystem, large_eigensystem):
    _solve.defjvp(functools.partial(_changed, _solve))


def _by_lapack(matrix):
    n, rest = len(matrix), matrix.shape[2:]
    if not rest:
        return tuple(jnp.linalg.eigh(matrix))
    every = jnp.moveaxis(matrix.reshape(n, n, -1), -1, 0)

    def one_after_another(every):
        # LAPACK in a batch may hang; in a loop it has never.
        return lax.map(lambda each: tuple(jnp.linalg.eigh(each)), every)

    energies, vectors = lax.platform_dependent(
        every, cpu=one_after_another, default=lambda every: tuple(jnp.linalg.eigh(every))
    )
    return jnp.moveaxis(energies, 0, -1).reshape(n, *rest), jnp.moveaxis(vectors, 0, -1).reshape(
        matrix.shape
    )


_ascending = primitive(
    "large_eigensystem",
    _by_lapack,
    lambda matrix: [
        matrix.update(shape=matrix.shape[1:], dtype=jnp.finfo(matrix.dtype).dtype),
        matrix,
    ],
    several=True,
)


def smallest_pivot(matrix: Inexact[Array, "n n"]) -> Real[Array, ""]:
    """The smallest pivot of a Hermitian matrix in elimination without exchanges: negative where an
    eigenvalue is, at a fraction of the cost of eigenvalues."""
    pivots = []
    for _ in range(len(matrix)):
        pivots.append(matrix[0, 0].real)
        row = matrix[0, 1:]
        matrix = matrix[1:, 1:] - row.conj()[:, None] * row[None, :] / matrix[0, 0]
    return jnp.min(jnp.stack(pivots))


def _of_two(matrix, vectors):
    """The rotation of two levels, as a product; whatever else says the same was a tenth slower."""
    cosine, sine = _rotation(matrix[0, 1], (matrix[1, 1] - matrix[0, 0]).real)
    rotation = jnp.eye(2, dtype=matrix.dtype).at[np.array([0, 1]), np.array([0, 1])].set(cosine)
    rotation = rotation.at[0, 1].set(sine).at[1, 0].set(-sine.conj())
    return rotation.conj().T @ matrix @ rotation, vectors @ rotation


def _sweep(matrix, vectors):
    """One rotation of every pair of levels, in a loop: written out, a program would be as long as
    there are pairs."""
    pairs = np.array(list(combinations(range(len(matrix)), 2)))
    return lax.scan(lambda carry, pair: (_rotated(*carry, *pair), None), (matrix, vectors), pairs)[
        0
    ]


def _rotated(matrix, vectors, p, q):
    """Two rows and two columns, such that levels p and q are uncoupled; p and q may be traced."""
    cosine, sine = _rotation(matrix[p, q], (matrix[q, q] - matrix[p, p]).real)

    def columns(x, sine):
        first, second = x[:, p], x[:, q]
        return (
            x.at[:, p]
            .set(cosine * first - sine.conj() * second)
            .at[:, q]
            .set(sine * first + cosine * second)
        )

    return columns(columns(matrix.T, sine.conj()).T, sine), columns(vectors, sine)


def _rotation(element, gap):
    """Cosine and sine, times the phase of the `element` that couples two levels, of the smaller
    angle that uncouples them."""
    size = jnp.abs(element)
    is_coupled = size > 0
    phase = jnp.where(
        is_coupled, element / jnp.where(is_coupled, size, 1.0).astype(element.dtype), 1
    )
    # tan of the angle: 2 |h| / (gap +- sqrt(gap^2 + 4 |h|^2))
    root = jnp.hypot(gap, 2 * size)
    tangent = 2 * size / jnp.where(is_coupled, jnp.where(gap >= 0, gap + root, gap - root), 1.0)
    cosine = lax.rsqrt(1 + tangent**2)
    return cosine.astype(element.dtype), (cosine * tangent).astype(element.dtype) * phase
