"""D. Kolisnyk and G. Schaller, "Performance boost of a collective qubit absorption
refrigerator".
"""

from .claims import CLAIMS
from .figures import FIGURES, PAPER

__all__ = ["CLAIMS", "FIGURES", "PAPER"]
