"""Full counting statistics: cumulants and covariances of what reservoirs exchange with a system,
and large deviations."""

# Imported for what they register: what is counted of their kinds of state.
from . import _conductors, _explicit, _hierarchy, _jumps, _lindblad, _networks  # noqa: F401
from ._fronts import Covariance, System, Weights, covariance, cumulants, noise, series
from ._large_deviations import LargeDeviations, generating_function, large_deviations

__all__ = [
    "Covariance",
    "LargeDeviations",
    "System",
    "Weights",
    "covariance",
    "cumulants",
    "generating_function",
    "large_deviations",
    "noise",
    "series",
]
