"""What the paper on the collective refrigerator says in its figures and appendices, and what comes
out.
"""

from . import appendices, cooling

__all__ = ["CLAIMS"]

CLAIMS = (*cooling.CLAIMS, *appendices.CLAIMS)
