"""Counting the quanta of explicit filters, as they pass from the reservoirs behind them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..explicit import DaviesState, ExplicitState
from ..limits import FIRST_ORDER
from ._fronts import Covariance, Weights, noise, series
from ._lindblad import coherent_cumulants, named, rows
from ._networks import network_cumulants
from ._networks import rows as network_rows


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


@noise.register
def _(state: DaviesState, quantity: str) -> Covariance:
    charges = {name: state.charges(name, quantity) for name in state.reservoirs}
    is_conserved = quantity == "energy" or (not state.exchanges_particles and quantity == "heat")
    return Covariance(tuple(charges), network_rows(state.rest, charges), is_conserved)


@series.register
def _(state: DaviesState, weights: Weights, order: int, quantity: str) -> Float[Array, " order"]:
    charges = {}
    for name, factor in named(state, weights).items():
        for i, quanta in state.charges(name, quantity).items():
            charges[i] = factor * quanta
    return network_cumulants(state.rest, charges, order)


def _responses(elimination, drift):
    """What each drift, by name, leads to; one program for all."""
    together = jax.vmap(elimination.solve)(jnp.stack(list(drift.values())))
    return dict(zip(drift, together))
