"""What the paper on the quantum motor says about Figs. 2 to 6, and what comes out."""

from . import efficiency, orders, rotor

__all__ = ["CLAIMS"]

CLAIMS = (*rotor.CLAIMS, *orders.CLAIMS, *efficiency.CLAIMS)
