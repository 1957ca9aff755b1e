"""S. E. Deghi and R. A. Bustos-Marun, "Entropy current and efficiency of quantum machines driven by nonequilibrium
incoherent reservoirs".
"""

from .figures import FIGURES, PAPER

__all__ = ["FIGURES", "PAPER"]
