"""Operating points: from currents to the laws of thermodynamics, figures of merit, their bounds,
and the mode of operation."""

from ._efficiencies import Efficiencies
from ._operate import operate
from ._operating_point import OperatingPoint
from ._points import AbstractPoint, Law, Mode, Observable

__all__ = [
    "AbstractPoint",
    "Efficiencies",
    "Law",
    "Mode",
    "Observable",
    "OperatingPoint",
    "operate",
]
