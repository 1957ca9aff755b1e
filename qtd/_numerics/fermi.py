"""Integrals over the thermal window of ideal gases, for any degeneracy."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from .elementary import log, log1p
from .quadrature import gauss

_REACH = 44.0  # in units of the temperature: 4 f (1 - f) is 3e-19 there
_PANELS, _DOUBLINGS = 18, 12


@jax.custom_jvp
def thermal_integrals(x: Float[Array, ""], alpha: Float[Array, ""]) -> dict[str, Float[Array, ""]]:
    r"""Integrals with k(s) = f (1 - f) = 1 / (4 cosh^2 (s / 2)), s = t - x, over t > 0:

    $$ \text{moments}[m] = \int t^{\alpha-1} s^m k\, dt, \quad \text{number} =
       \int \frac{t^\alpha}{\alpha} k\, dt, \quad
       \text{energy} = \int \frac{t^{\alpha+1}}{\alpha + 1} k\, dt, \quad \text{entropy} =
       \int \frac{t^\alpha}{\alpha} s\, k\, dt $$

    To 1e-12 of themselves for alpha >= 0.5, at every x above -700, where all of them underflow.
    Differentiable in both.
    """
    return _integrals(x, alpha)


@thermal_integrals.defjvp
def _thermal_integrals_jvp(primals, tangents):
    # Slopes are integrals of their own, made once however many directions there are.
    slopes = jax.jacfwd(_integrals, (0, 1))(*primals)

    def along(by_x, by_alpha):
        return by_x * tangents[0] + by_alpha * tangents[1]

    return thermal_integrals(*primals), {name: along(*slope) for name, slope in slopes.items()}


def _integrals(x, alpha):
    s, t, weights = _points(x, alpha)
    small = jnp.exp(-jnp.abs(s))
    weights = weights * small / (1 + small) ** 2
    power = weights * jnp.exp((alpha - 1) * log(t))
    # Odd moments of a degenerate gas: less those of a constant density, which vanish.
    degenerate = x > _REACH
    high = jnp.where(degenerate, x, 1.0)
    distance = log1p(jnp.where(degenerate, s / high, 0.0))

    def odd(p):
        return jnp.exp(p * log(high)) * (weights * s * jnp.expm1(p * distance)).sum()

    first = jnp.where(degenerate, odd(alpha - 1), (power * s).sum())
    entropy = jnp.where(degenerate, odd(alpha), (power * t * s).sum()) / alpha
    return {
        "moments": jnp.stack([power.sum(), first, (power * s**2).sum()]),
        "number": (power * t).sum() / alpha,
        "energy": (power * t**2).sum() / (alpha + 1),
        "entropy": entropy,
    }


def _points(x, alpha):
    """s, t and weights of Gauss-Legendre panels of the window; the first ones, where t^(alpha - 1)
    may be singular, ever shorter."""
    still, power = lax.stop_gradient((x, 8 / alpha))
    low = jnp.maximum(-still, -_REACH)
    length = (jnp.maximum(low, 0.0) + _REACH - low) / _PANELS
    breaks = np.concatenate([2.0 ** np.arange(-_DOUBLINGS, 0), np.arange(1, _PANELS + 1)])
    others, shares, _ = gauss(jnp.asarray(breaks, x.dtype))
    # On the shortest panel t = tau^(8 / alpha), so that t^(alpha - 1) dt is as smooth as tau^7.
    tau, near_shares, _ = gauss(jnp.asarray([0.0, 1.0], x.dtype))
    shortest = float(breaks[0])
    above = length * jnp.concatenate([shortest * tau**power, others])
    weights = length * jnp.concatenate(
        [shortest * power * tau ** (power - 1) * near_shares, shares]
    )
    # Derivatives at fixed t where the window begins at t = 0, else at fixed s, where they do not
    # cancel.
    moved = x - still
    begins = still < _REACH
    s = low + above
    t = jnp.where(begins, above, still + s)
    return s - jnp.where(begins, moved, 0.0), t + jnp.where(begins, 0.0, moved), weights
