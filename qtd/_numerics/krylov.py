"""Linear systems known by what they do to a vector, solved by minimal residuals."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Points = Float[Array, "points m"]

# Directions that are kept to be orthogonal to: with 20 of them, equations whose couplings are not
# weak took ten times as many steps, or stood still. They are looked at some at a time.
_KEPT, _SOME = 128, 16
_MOST = 600  # steps; weak couplings take 5 to 60


def minimal_residual(
    apply: Callable[[Points], Points], right: Points, tolerance: float
) -> tuple[Points, Float[Array, " points"]]:
    """x with A x = `right` for each of a batch of points, from what A does, `apply`; and what is
    left of the right side, as a share of it.

    Generalised conjugate residuals, until less than the `tolerance` is left of each, then once
    more from what is truly left. `apply` should be near to 1. A point that does not converge has
    a large share left, and one that is no number has NaN; neither touches the others, but all wait
    for the slowest.
    """
    goal = tolerance * _size(right)

    def once_more(_, carry):
        x, left = carry
        x = x + _descended(apply, left, goal)
        return x, right - apply(x)

    x, left = lax.fori_loop(0, 2, once_more, (jnp.zeros_like(right), right))
    return x, _size(left) / jnp.where(goal > 0, _size(right), 1.0)


def _descended(apply, right, goal):
    basis = jnp.zeros((_KEPT, *right.shape), right.dtype)

    def is_open(carry):
        step, _, left, *_ = carry
        return jnp.any(_size(left) > goal) & (step < _MOST)

    def one(carry):
        step, x, left, directions, images = carry

        def project(i, pair):
            direction, image = pair
            known, made = (
                lax.dynamic_slice_in_dim(each, i * _SOME, _SOME) for each in (directions, images)
            )
            shares = jnp.einsum("kpm,pm->kp", made, image)
            direction = direction - jnp.einsum("kp,kpm->pm", shares, known)
            return direction, image - jnp.einsum("kp,kpm->pm", shares, made)

        filled = jnp.minimum(step + _SOME - 1, _KEPT) // _SOME
        direction, image = lax.fori_loop(0, filled, project, (left, apply(left)))
        length = _size(image)[:, None]
        is_moving = (length > 0) & (_size(left) > goal)[:, None]
        unit = jnp.where(is_moving, 1 / jnp.where(is_moving, length, 1), 0)
        direction, image = direction * unit, image * unit
        along = jnp.einsum("pm,pm->p", image, left)[:, None]
        place = step % _KEPT
        directions = lax.dynamic_update_index_in_dim(directions, direction, place, 0)
        images = lax.dynamic_update_index_in_dim(images, image, place, 0)
        return step + 1, x + along * direction, left - along * image, directions, images

    start = (0, jnp.zeros_like(right), right, basis, basis)
    return lax.while_loop(is_open, one, start)[1]


def _size(x):
    return jnp.sqrt(jnp.sum(x**2, axis=-1))
