"""Devices whose reservoirs have a memory and may couple strongly: hierarchical equations of motion,
a witness of what weak coupling leaves out."""

from ._correlations import correlation
from ._device import Hierarchy, of_network
from ._refine import Converged, converged
from ._state import HierarchySteadyState

__all__ = [
    "Converged",
    "Hierarchy",
    "HierarchySteadyState",
    "converged",
    "correlation",
    "of_network",
]
