"""D. Kolisnyk and G. Schaller, "Performance boost of a collective qubit absorption refrigerator"."""

from .figures import FIGURES, PAPER

__all__ = ["FIGURES", "PAPER"]
