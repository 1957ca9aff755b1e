"""Units as text: as a person writes them, and of derivatives."""

import re

__all__ = ["is_natural", "quotient", "shown"]

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def shown(unit: str) -> str:
    """E^2 with a raised 2, as plain text; nothing for pure numbers."""
    if unit == "1":
        return ""
    return re.sub(r"\^(-?\d+)", lambda power: power[1].translate(_RAISED), unit)


def quotient(unit: str, by: str) -> str:
    """The unit of a derivative of what has one `unit` by what has another: of powers of E a power
    of E, "" where one of them is not known."""
    if not unit or not by:
        return ""
    powers = _power(unit), _power(by)
    if powers[0] is None or powers[1] is None:
        return unit if by == "1" else f"{unit}/{by}"
    power = powers[0] - powers[1]
    return {0: "1", 1: "E"}.get(power, f"E^{power}")


def is_natural(unit: str) -> bool:
    """Whether it is one of the library's own, a power of E or a pure number, or not known."""
    return not unit or _power(unit) is not None


def _power(unit):
    if unit == "1":
        return 0
    found = re.fullmatch(r"E(?:\^(-?\d+))?", unit)
    return int(found[1] or 1) if found else None
