"""Derivatives of what is found step by step: forwards through the steps, for all parameters together, in either mode."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from .batching import settle


def by_forward_mode(function: Callable[[Any], Any], parameters: Any, simpler: Callable[[Any], Any] | None = None) -> Any:
    """function(parameters), floating-point arrays of floating-point arrays, differentiable by forward and by reverse mode.

    A loop of unknown length can be differentiated forwards only. Here the whole Jacobian is made so, at a cost of 1 + as many runs as there
    are parameters, all of them side by side; what is left is linear, and linear maps can be transposed. `simpler` is the same function,
    by a method that costs less to differentiate.
    """
    flat, unravel = ravel_pytree(parameters)
    run = jax.custom_jvp(lambda flat: function(unravel(flat)))

    @run.defjvp
    def run_jvp(primals, tangents):
        along = lambda direction: jax.jvp(lambda flat: (simpler or function)(unravel(flat)), primals, (direction,))
        values, slopes = jax.vmap(along, out_axes=(None, -1))(jnp.eye(len(flat), dtype=flat.dtype))
        values = run(*primals) if simpler else values
        return values, jax.tree.map(lambda slope: slope @ tangents[0], slopes)

    # Settled: XLA would pull the known ones of the parameters out of their array, put them back, and so on, fifty times.
    return run(settle(flat))
