"""Derivatives of what is found step by step: forwards through the steps, for all parameters
together, in either mode."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from .batching import settle


def by_forward_mode(function: Callable[[Any], Any], parameters: Any, known: Any = None) -> Any:
    """function(parameters), arrays of floating-point arrays, differentiable by forward and by
    reverse mode.

    A loop of unknown length can be differentiated forwards only. Here the whole Jacobian is made
    so, at a cost of 1 + as many runs as there are parameters, all of them side by side; what is
    left is linear, and linear maps can be transposed. Where the value is `known`, the function is
    called for derivatives only.
    """
    flat, unravel = ravel_pytree(parameters)
    # What the function refers to is handed over: a program may be differentiated when what it was
    # written down with is gone.
    inside, form = eqx.partition(
        eqx.filter_closure_convert(lambda flat: function(unravel(flat)), flat), eqx.is_array
    )
    run = jax.custom_jvp(
        lambda flat, inside, known: eqx.combine(inside, form)(flat) if known is None else known
    )

    @run.defjvp
    def run_jvp(primals, tangents):
        (flat, inside, known), (moved, *_) = primals, tangents

        def along(direction):
            return jax.jvp(eqx.combine(inside, form), (flat,), (direction,))

        values, slopes = jax.vmap(along, out_axes=(None, -1))(jnp.eye(len(flat), dtype=flat.dtype))
        values = values if known is None else known
        return values, jax.tree.map(
            lambda value, slope: slope @ moved if slope.dtype == flat.dtype else no_slope(value),
            values,
            slopes,
        )

    def no_slope(value):
        return np.zeros(value.shape, jax.dtypes.float0)  # of truth values

    # Settled: XLA would pull the known ones of the parameters out of their array, put them back,
    # and so on, fifty times.
    return run(settle(flat), inside, known)
