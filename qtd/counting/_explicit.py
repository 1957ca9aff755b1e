"""Counting the quanta of explicit filters, as they pass from the reservoirs behind them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..explicit import ExplicitState
from ..limits import FIRST_ORDER
from ._fronts import Covariance, Weights, noise, series
from ._lindblad import coherent_cumulants, named, rows


@noise.register
def _(state: ExplicitState, quantity: str) -> Covariance:
    # The equation is the second order of a theory: see the noise of a Redfield equation.
    names = tuple(state.reservoirs)
    found = rows(state, names, quantity, FIRST_ORDER.doubtful, _responses)
    return Covariance(names, found)


@series.register
def _(state: ExplicitState, weights: Weights, order: int, quantity: str) -> Float[Array, " order"]:
    factors = named(state, weights)
    return coherent_cumulants(state, factors, state.system.structure.trace, order, quantity)


def _responses(elimination, drift):
    """What each drift, by name, leads to; one program for all."""
    together = jax.vmap(elimination.solve)(jnp.stack(list(drift.values())))
    return dict(zip(drift, together))
