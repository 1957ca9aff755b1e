"""Drawings of what a machine does, of how its design was found, and of sweeps over its parameters.

Each function draws into the Axes it is given, or into a new Figure, and returns that Figure. None
touches pyplot, so nothing is shown, and nothing is kept when many are drawn. Energies are in one
unit, E, with hbar = k_B = 1.
"""

from .designs import design_summary, history, moves
from .devices import currents, filters
from .fronts import pareto
from .histories import evolution
from .levels import level_scheme
from .maps import lines, operating_map
from .motors import torque
from .sensitivities import sensitivities
from .statistics import correlations, cumulants, large_deviations

__all__ = [
    "correlations",
    "cumulants",
    "currents",
    "design_summary",
    "evolution",
    "filters",
    "history",
    "large_deviations",
    "level_scheme",
    "lines",
    "moves",
    "operating_map",
    "pareto",
    "sensitivities",
    "torque",
]
