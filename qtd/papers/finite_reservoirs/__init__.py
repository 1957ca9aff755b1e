"""The paper on the transient cooling of finite fermionic reservoirs without a refrigerator."""

from .figures import FIGURES, PAPER

__all__ = ["FIGURES", "PAPER"]
