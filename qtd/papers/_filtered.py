"""What the figures of the two refrigerators of Bhandari and Jordan share: axes, and a curve's maximum in a table of claims."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from ._sheet import Sheet

CURRENT, SHIFT, BIAS = r"$J_C\ /\ (k_BT)^2$", r"$\Delta_z\ /\ k_BT$", r"$\Delta T\ /\ T$"


def current_axes(sheet: Sheet, panel: str, x: str, limits: tuple[float, float]) -> Axes:
    """Axes of a cooling current against `x`, with its sign change marked and powers of ten before it."""
    ax = sheet.label(panel, x, CURRENT, xlim=limits)
    ax.axhline(0, color="0.4", lw=0.6)
    ax.ticklabel_format(axis="y", scilimits=(0, 0), useMathText=True)
    return ax


def named(what: str, values: Mapping[Any, Any]) -> dict[str, Any]:
    """Numbers of a claim, "what (key)" each."""
    return {f"{what} ({key})": value for key, value in values.items()}


def maxima(what: str, best: Mapping[Any, tuple[float, float]]) -> dict[str, float]:
    """Where curves are largest in `what`, and how large, by the name of each curve."""
    return named(f"{what} of maximum", {key: at for key, (at, _) in best.items()}) | named(
        "largest J_C", {key: height for key, (_, height) in best.items()}
    )
