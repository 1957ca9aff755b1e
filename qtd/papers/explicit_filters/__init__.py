"""Explicit filters: what a rate equation promises where rates outgrow the widths of filters, and
what is true. No paper is redrawn here: the devices are the library's own, and what they are
compared with is a hierarchy of equations of motion.
"""

from .claims import CLAIMS
from .figures import FIGURES, PAPER

__all__ = ["CLAIMS", "FIGURES", "PAPER"]
