"""Filters as damped modes inside the device: the number behind the doubt, where rates outgrow the
widths of the filters."""

from ._device import ExplicitFilters
from ._state import ExplicitState

__all__ = ["ExplicitFilters", "ExplicitState"]
