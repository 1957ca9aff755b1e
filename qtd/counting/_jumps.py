"""Counting the quanta of jump operators, where they are definite."""

from jaxtyping import Array, Float

from ..jumps import JumpSteadyState
from ._fronts import Covariance, Weights, noise, series, uncountable
from ._lindblad import coherent_cumulants, named, rows


@noise.register
def _(state: JumpSteadyState, quantity: str) -> Covariance:
    device = state.lindbladian
    names = tuple(name for name in state.reservoirs if device.counts(name, quantity))
    uncounted = tuple(name for name in state.reservoirs if name not in names)
    kept = {"energy": not device.interaction, "particles": device.structure.keeps_number}
    passes_on = kept.get(quantity, False) and not uncounted
    return Covariance(names, rows(state, names, quantity, 1e-6), passes_on, uncounted)


@series.register
def _(state: JumpSteadyState, weights: Weights, order: int, quantity: str) -> Float[Array, " order"]:
    factors = named(state, weights)
    for name in factors:
        if not state.lindbladian.counts(name, quantity):
            raise ValueError(uncountable(name))
    return coherent_cumulants(state, factors, _trace, order, quantity)


def _trace(vector):
    return vector[0]
