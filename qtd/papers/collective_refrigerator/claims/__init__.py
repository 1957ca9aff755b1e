"""Claims of the paper on the collective refrigerator in its figures and appendices."""

from . import appendices, cooling

__all__ = ["CLAIMS"]

CLAIMS = (*cooling.CLAIMS, *appendices.CLAIMS)
