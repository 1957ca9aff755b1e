"""Integrals over energy: panels that are short where an integrand changes, with Gauss-Legendre points in each."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

FAR = 26  # doublings of a line's width, up to which panels follow its tails
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def graded(center: Float[Array, ""], scale: Float[Array, ""], doublings: int) -> Float[Array, " breaks"]:
    """Breakpoints for a feature at `center` that changes over `scale`: every panel beyond it is as long as its distance from it, which is
    what a pole at center +- i scale allows, up to `scale` * 2**doublings."""
    distances = np.concatenate([[0.0], 2.0 ** np.arange(doublings + 1)])
    offsets = jnp.asarray(np.concatenate([-distances[:0:-1], distances]), center.dtype)
    return center + scale * offsets


def panels(
    low: Float[Array, ""], high: Float[Array, ""], breaks: Sequence[Float[Array, " n"]]
) -> tuple[Float[Array, " points"], Float[Array, " points"]]:
    """Points and weights on [low, high], which may move, with these breakpoints; those outside make panels of no length."""
    ends = jnp.sort(jnp.concatenate([low[None], *(jnp.clip(x, low, high) for x in breaks), high[None]]))
    half = (ends[1:] - ends[:-1]) / 2
    # Where a panel has no length an integrand must be finite all the same, which it need not be at the ends.
    middle = jnp.where(half > 0, (ends[1:] + ends[:-1]) / 2, (low + high) / 2)
    points, weights = (jnp.asarray(x, middle.dtype)[None] for x in (_POINTS, _WEIGHTS))
    return (middle[:, None] + half[:, None] * points).reshape(-1), (half[:, None] * weights).reshape(-1)
