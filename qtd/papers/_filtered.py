"""Axes of figures and maxima among the numbers of claims, for the two refrigerators of Bhandari and
Jordan.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from ._sheet import Sheet

CURRENT = r"$J_C\ /\ (k_BT)^2$"
SHIFT = r"$\Delta_z\ /\ k_BT$"
BIAS = r"$\Delta T\ /\ T$"


def current_axes(sheet: Sheet, panel: str, x: str, limits: tuple[float, float]) -> Axes:
    """Axes of a cooling current against `x`, its change of sign marked, powers of ten before it."""
    ax = sheet.label(panel, x, CURRENT, xlim=limits)
    ax.axhline(0, color="0.4", lw=0.6)
    ax.ticklabel_format(axis="y", scilimits=(0, 0), useMathText=True)
    return ax


def named(what: str, values: Mapping[Any, Any]) -> dict[str, Any]:
    """Numbers of a claim, "what (key)" each."""
    return {f"{what} ({key})": value for key, value in values.items()}


def maxima(what: str, best: Mapping[Any, tuple[float, float]]) -> dict[str, float]:
    """Places in `what` where curves are largest, and how large, by the name of each curve."""
    places = {key: place for key, (place, _) in best.items()}
    heights = {key: height for key, (_, height) in best.items()}
    return named(f"{what} of maximum", places) | named("largest J_C", heights)
