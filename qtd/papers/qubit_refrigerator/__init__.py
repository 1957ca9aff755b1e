"""B. Bhandari and A. N. Jordan, "Minimal two-body quantum absorption refrigerator": two coupled
qubits.
"""

from .claims import CLAIMS
from .figures import FIGURES, PAPER

__all__ = ["CLAIMS", "FIGURES", "PAPER"]
