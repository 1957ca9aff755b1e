"""Eigenvalues of small complex matrices, degenerate ones too, without LAPACK, which can hang inside
batched gradients."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex

Matrix = Complex[Array, "n n"]


@jax.custom_jvp
def eigenvalues(matrix: Matrix) -> Complex[Array, " n"]:
    """All eigenvalues of a square matrix, in no order, by the shifted QR algorithm: as right as
    rounding of the matrix leaves them, which is eps^(1/m) of its size where m of them share one
    eigenvector.

    Their derivatives are those of simple ones. Where several agree to sqrt(eps) of the largest,
    each has that of their mean, as only the mean has one; with fewer eigenvectors than eigenvalues
    not even that is right.
    """
    n = len(matrix)
    if n == 1:
        return matrix[0]
    middle, centered = _centered(matrix)

    def unfinished(carry):
        count, active, _ = carry
        return (count < 30 * n) & (active > 0)

    def turn(carry):
        count, active, x = carry
        x, active = _deflated(x, active)
        return count + 1, active, _step(x, active, count)

    _, _, reduced = lax.while_loop(unfinished, turn, (0, jnp.asarray(n - 1), _hessenberg(centered)))
    return jnp.diagonal(reduced) + middle


@eigenvalues.defjvp
def _eigenvalues_jvp(primals, tangents):
    (matrix,), (change,) = primals, tangents
    values, (middle, centered) = eigenvalues(matrix), _centered(matrix)
    around = values - middle
    size = jnp.max(jnp.abs(centered))
    together = (
        jnp.abs(around[:, None] - around[None]) <= float(jnp.finfo(size.dtype).eps) ** 0.5 * size
    )
    counts = together.sum(1).astype(values.dtype)
    means = jnp.where(together, around[None], 0).sum(1) / counts
    one = jnp.eye(len(matrix), dtype=matrix.dtype)[None]

    def others_removed(k, projectors):
        """A factor of the polynomials of the matrix that project on the eigenvectors of each
        group."""
        own = together[:, k]
        factors = (centered - around[k] * one[0])[None] / jnp.where(own, 1.0, means - around[k])[
            :, None, None
        ]
        return jnp.where(own[:, None, None], projectors, projectors @ factors)

    projectors = lax.fori_loop(
        0, len(matrix), others_removed, jnp.broadcast_to(one, (len(matrix), *matrix.shape))
    )
    return values, jnp.einsum("kab,ba->k", projectors, change) / counts


def _centered(matrix):
    """The mean of the eigenvalues, and the matrix less it, which has more digits of their
    differences."""
    middle = jnp.trace(matrix) / len(matrix)
    return middle, matrix - middle * jnp.eye(len(matrix), dtype=matrix.dtype)


def _hessenberg(matrix):
    """A similar matrix without entries below the first subdiagonal, by rotations."""
    places = [
        (row, column)
        for column in range(len(matrix) - 2)
        for row in range(len(matrix) - 1, column + 1, -1)
    ]
    if not places:
        return matrix
    where = jnp.asarray(np.array(places))

    def rotate(i, matrix):
        row, column = where[i]
        turn = _rotation(matrix[row - 1, column], matrix[row, column])
        return _columns(_rows(matrix, row - 1, *turn), row - 1, *turn)

    return lax.fori_loop(0, len(places), rotate, matrix)


def _deflated(matrix, active):
    """The matrix without entries of the subdiagonal that are nothing but rounding, and the last row
    that is still coupled."""
    n = len(matrix)
    rows = jnp.arange(1, n)
    size, below = jnp.abs(jnp.diagonal(matrix)), jnp.diagonal(matrix, -1)
    scale = size[1:] + size[:-1]
    scale = jnp.where(scale > 0, scale, jnp.max(jnp.abs(matrix)))
    kept = jnp.abs(below) > float(jnp.finfo(size.dtype).eps) * scale
    matrix = matrix.at[rows, rows - 1].set(jnp.where(kept, below, 0))
    return matrix, jnp.max(jnp.where(kept & (rows <= active), rows, 0))


def _step(matrix, active, count):
    """One step with the eigenvalue of the last two active rows that is nearer to the last; now and
    then with another shift, as some matrices go in circles."""
    n = len(matrix)
    last = jnp.maximum(active, 1)

    def at(i, j):
        return matrix[last + i, last + j]

    half = (at(-1, -1) - at(0, 0)) / 2
    root = jnp.sqrt(half**2 + at(-1, 0) * at(0, -1))
    root = jnp.where((half.conj() * root).real >= 0, root, -root)
    denominator = half + root
    safe = jnp.where(denominator == 0, 1.0, denominator)
    wilkinson = at(0, 0) - jnp.where(denominator == 0, 0.0, at(-1, 0) * at(0, -1) / safe)
    shift = jnp.where(
        count % 10 == 9, at(0, 0) + jnp.abs(at(0, -1)).astype(matrix.dtype), wilkinson
    )
    unit = jnp.eye(n, dtype=matrix.dtype)

    def forwards(k, carry):
        moved, cosines, sines = carry
        c, s = _rotation(moved[k, k], moved[k + 1, k])
        c, s = jnp.where(k < active, c, 1.0), jnp.where(k < active, s, 0.0)
        return _rows(moved, k, c, s), cosines.at[k].set(c), sines.at[k].set(s)

    start = matrix - shift * unit, jnp.zeros_like(matrix[0]), jnp.zeros_like(matrix[0])
    moved, cosines, sines = lax.fori_loop(0, n - 1, forwards, start)
    moved = lax.fori_loop(0, n - 1, lambda k, x: _columns(x, k, cosines[k], sines[k]), moved)
    return jnp.where(active > 0, moved + shift * unit, matrix)


def _rotation(first, second):
    """c, s of the unitary [[c, s], [-s*, c*]] that turns (first, second) into (r, 0)."""
    size = jnp.hypot(jnp.abs(first), jnp.abs(second))
    safe = jnp.where(size > 0, size, 1.0).astype(first.dtype)
    nothing = size == 0
    return jnp.where(nothing, 1.0, first.conj() / safe), jnp.where(
        nothing, 0.0, second.conj() / safe
    )


def _rows(matrix, k, c, s):
    upper, lower = matrix[k], matrix[k + 1]
    return (
        matrix.at[k].set(c * upper + s * lower).at[k + 1].set(-s.conj() * upper + c.conj() * lower)
    )


def _columns(matrix, k, c, s):
    left, right = matrix[:, k], matrix[:, k + 1]
    return (
        matrix.at[:, k]
        .set(left * c.conj() + right * s.conj())
        .at[:, k + 1]
        .set(-left * s + right * c)
    )
