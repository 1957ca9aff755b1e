"""Filters as damped modes inside the device: the number behind the doubt, where rates outgrow the
widths of the filters."""

from ._device import ExplicitFilters
from ._generator import FilterDissipator, Flows, Generator
from ._state import ExplicitState
from ._structure import Composite

__all__ = [
    "Composite",
    "ExplicitFilters",
    "ExplicitState",
    "FilterDissipator",
    "Flows",
    "Generator",
]
