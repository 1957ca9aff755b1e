"""What fits into the memory of this computer, asked before it is filled."""

import os
import sys

_SHARE = 0.5  # of all memory; the rest is for what else runs, and for copies on the way


def memory() -> float:
    """Bytes of memory that this computer has; no bound where the system does not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # on Windows
        return float(sys.maxsize)


def require_memory(needed: int, what: str, remedy: str) -> None:
    """Raise `ValueError`, in one line that says `what` is asked for and the `remedy`, if so many
    bytes do not fit."""
    room = _SHARE * memory()
    if needed > room:
        raise ValueError(
            f"{what} would take {needed / 1e9:.3g} GB of memory, where {room / 1e9:.3g} GB can be"
            f" used; {remedy}."
        )
