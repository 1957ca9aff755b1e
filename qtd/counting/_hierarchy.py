"""What passes between a device and reservoirs that remember is no sequence of jumps."""

from ..hierarchy import HierarchySteadyState
from ._fronts import Covariance, noise


@noise.register
def _(state: HierarchySteadyState, quantity: str) -> Covariance:
    return Covariance((), (), uncounted=tuple(state.reservoirs))
