"""Claims of the paper on the quantum motor about Figs. 2 to 6."""

from . import efficiency, orders, rotor

__all__ = ["CLAIMS"]

CLAIMS = (*rotor.CLAIMS, *orders.CLAIMS, *efficiency.CLAIMS)
