"""The paper on the transient cooling of finite fermionic reservoirs without a refrigerator."""

from .claims import CLAIMS
from .figures import FIGURES, PAPER

__all__ = ["CLAIMS", "FIGURES", "PAPER"]
