"""R. A. Bustos-Marun and H. L. Calvo, "Thermodynamics and steady state of quantum motors and pumps
far from equilibrium".
"""

from .claims import CLAIMS
from .figures import FIGURES, PAPER

__all__ = ["CLAIMS", "FIGURES", "PAPER"]
