"""Operators weighed by the energies that they exchange, as smooth functions of the Hamiltonian."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .hermitian import eigensystem

Blocks = Float[Array, "blocks n n"]
Several = Float[Array, "operators blocks n n"]
Weight = Callable[[Any, Array], Array]

# Two gaps closer than eps^(1/3) of themselves have a divided difference that rounding would spoil;
# the mean of the derivative between them, by two points of Gauss, is exact to rounding.
_NODES = 0.5 * (1 + np.array([-1.0, 1.0]) / np.sqrt(3.0))


def levels(hamiltonian: Blocks, is_there: np.ndarray) -> tuple[Float[Array, "blocks n"], Blocks]:
    """Energies and states of each block of a `hamiltonian`; `is_there` tells which basis states
    exist. Of the others the energies lie far above, each elsewhere."""
    count = is_there.size
    above = 3.0 + np.arange(count).reshape(is_there.shape) / count
    scale = 1.0 + jax.lax.stop_gradient(jnp.max(jnp.abs(hamiltonian)))
    missing = scale * jnp.asarray(np.where(is_there, 0.0, above), hamiltonian.dtype)
    return jax.vmap(eigensystem)(hamiltonian + jax.vmap(jnp.diag)(missing))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def weighed(
    weight: Weight,
    targets: np.ndarray,
    is_there: np.ndarray,
    numbers: Any,
    hamiltonian: Blocks,
    energies: Float[Array, "blocks n"],
    states: Blocks,
    operators: Several,
) -> Several:
    r"""Operators with their elements between levels times a weight of the energy they add,
    `weight(numbers, E_a - E_c)`, in the basis that they are given in.

    $$ V_t \big[ (V_t^T C V_s) \circ f(E_a - E_c) \big] V_s^T $$

    - `operators` C: from the states of a block s to those of the block t, by `targets`,
      (operators, blocks) (-1: to none, and C is 0).
    - `energies`, `states`: of the `hamiltonian`, by `levels`; `is_there` as there.
    - `weight` must be a smooth function of the gap; `numbers`, a PyTree whose arrays have one
      entry for each operator, are its parameters.

    As a function of H it is smooth also where levels meet, and so are its derivatives: the first
    ones are made of divided differences of f, not of derivatives of eigenvectors. Higher ones
    differentiate eigenvectors, and are right where no two levels are closer than the root of
    rounding.
    """
    gaps, turned, back = _between(targets, is_there, energies, states, operators)
    return back(turned * jax.vmap(weight)(numbers, gaps))


@weighed.defjvp
def _weighed_jvp(weight, targets, is_there, primals, tangents):
    numbers, _, energies, states, operators = primals
    # What levels and their states do to it is in the tangent of the Hamiltonian.
    numbers_dot, hamiltonian_dot, _, _, operators_dot = tangents
    gaps, turned, back = _between(targets, is_there, energies, states, operators)
    values, change = jax.jvp(lambda x: jax.vmap(weight)(x, gaps), (numbers,), (numbers_dot,))
    tangent = turned * change + _turned(targets, states, operators_dot) * values
    mixing = jnp.swapaxes(states, 1, 2) @ hamiltonian_dot @ states

    def slope(known, gap):
        return jax.jvp(lambda w: weight(known, w), (gap,), (jnp.ones_like(gap),))[1]

    def divided(x, y, f_x, f_y):
        close = float(jnp.finfo(gaps.dtype).eps) ** (1 / 3)
        is_close = jnp.abs(x - y) <= close * (jnp.abs(x) + jnp.abs(y))
        apart = jnp.where(is_close, 1.0, x - y)
        means = [jax.vmap(slope)(numbers, y + float(node) * (x - y)) for node in _NODES]
        return jnp.where(is_close, 0.5 * (means[0] + means[1]), (f_x - f_y) / apart)

    # [a, b, c]: between E_a - E_c and E_b - E_c, then between E_a - E_b and E_a - E_c.
    above = divided(
        gaps[..., :, None, :],
        gaps[..., None, :, :],
        values[..., :, None, :],
        values[..., None, :, :],
    )
    tangent = tangent + jnp.einsum("fsab,fsbc,fsabc->fsac", mixing[targets], turned, above)
    below = divided(
        gaps[..., :, :, None],
        gaps[..., :, None, :],
        values[..., :, :, None],
        values[..., :, None, :],
    )
    tangent = tangent - jnp.einsum("fsab,sbc,fsabc->fsac", turned, mixing, below)
    return back(turned * values), back(tangent)


def _turned(targets, states, operators):
    return jnp.swapaxes(states[targets], -1, -2) @ operators @ states[None]


def _between(targets, is_there, energies, states, operators):
    """Energies that the elements of operators between levels add, these elements, and the way
    back."""
    exists = jnp.einsum("sib,si->sb", states**2, jnp.asarray(is_there, states.dtype)) > 0.5
    both = exists[targets][..., :, None] & exists[None, :, None, :]
    both = both & (targets >= 0)[..., None, None]
    gaps = jnp.where(both, energies[targets][..., :, None] - energies[None, :, None, :], 1.0)
    turned = jnp.where(both, _turned(targets, states, operators), 0.0)

    def back(elements):
        return states[targets] @ elements @ jnp.swapaxes(states, -1, -2)[None]

    return gaps, turned, back
