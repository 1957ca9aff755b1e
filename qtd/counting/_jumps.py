"""Counting the quanta of jump operators, where they are definite."""

from jaxtyping import Array, Float

from .._numerics.special import nothing_where
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
    found = rows(state, names, quantity, 1e-6)
    return Covariance(names, _at_most_lent(state, names, quantity, found), passes_on, uncounted)


@series.register
def _(
    state: JumpSteadyState, weights: Weights, order: int, quantity: str
) -> Float[Array, " order"]:
    factors = named(state, weights)
    for name in factors:
        if not state.lindbladian.counts(name, quantity):
            raise ValueError(uncountable(name))
    return coherent_cumulants(state, factors, _trace, order, quantity)


def _at_most_lent(state, names, quantity, found):
    """Covariances, those of what can only be lent to the device and given back without what
    rounding leaves of them."""
    device, lent = state.lindbladian, ["energy"]
    if not any(source.particles for source in device.sources):
        lent.append("heat")
    if device.interaction or quantity not in lent:
        return found
    idle = {name: state.is_idle(name) for name in names}

    def without(r, s, entry):
        return nothing_where(idle[r] | idle[s], entry)

    def of(i, r, row):
        return tuple(without(r, s, entry) for s, entry in zip(names[i:], row))

    return tuple(of(i, r, row) for i, (r, row) in enumerate(zip(names, found)))


def _trace(vector):
    return vector[0]
