"""Drawings of what a machine does and of how its design was found.

Each function draws into the Axes it is given, or into a new Figure, and returns that Figure. None touches pyplot, so nothing is
shown, and nothing is kept when many are drawn. Energies are in one unit, E, with hbar = k_B = 1.
"""

from .designs import design_summary, history, moves
from .devices import currents, filters, level_scheme

__all__ = ["currents", "design_summary", "filters", "history", "level_scheme", "moves"]
