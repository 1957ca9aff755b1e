"""The noise of what passes through a conductor."""

from ..scattering import ConductorState
from ._fronts import Covariance, noise


@noise.register
def _(state: ConductorState, quantity: str) -> Covariance:
    known, count = state.noise(quantity), len(state.reservoirs)
    rows = tuple(tuple(known[i, j] for j in range(i, count)) for i in range(count))
    return Covariance(tuple(state.reservoirs), rows, quantity != "heat")
