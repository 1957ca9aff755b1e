"""Cumulants order by order, from how a generator is tilted by what it counts."""

from math import comb

import jax.numpy as jnp


def expand(state, mean, tilt, trace, solve, order):
    """The recursion of `cumulants`: W_k x is `tilt(k, x)`, and `solve` inverts the generator on
    what has no trace."""
    expansion, result = [state], []
    for n in range(1, order + 1):
        tilted = [comb(n, k) * tilt(k, expansion[n - k]) for k in range(1, n + 1)]
        result.append(mean if n == 1 else sum(trace(x) for x in tilted))
        drift = sum(comb(n, k) * result[k - 1] * expansion[n - k] for k in range(1, n + 1))
        expansion.append(solve(drift - sum(tilted)))
    return jnp.stack(result)
