"""S. E. Deghi and R. A. Bustos-Marun, "Entropy current and efficiency of quantum machines driven by
nonequilibrium incoherent reservoirs".
"""

from .claims import CLAIMS
from .figures import FIGURES, PAPER

__all__ = ["CLAIMS", "FIGURES", "PAPER"]
