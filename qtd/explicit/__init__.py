"""Filters as damped modes inside the device: the number behind the doubt, where rates outgrow the
widths of the filters."""

from ._davies import DaviesState
from ._device import ExplicitFilters
from ._state import AbstractExplicitState, ExplicitState

__all__ = ["AbstractExplicitState", "DaviesState", "ExplicitFilters", "ExplicitState"]
