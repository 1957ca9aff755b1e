"""Drawings of fronts: what one objective costs another."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..limits import FIRST_ORDER
from ._axes import GREY, PALE, PALETTE, axes_or_new, axis_label, figure_of, legend_below, set_title

__all__ = ["pareto"]

# Bounds that are known, and of what: what the table tells, and what the uncertainty relation says.
_KNOWN = {"COP": "COP_Carnot", "efficiency": "efficiency_Carnot"}
_CERTAIN = {"TUR": 2.0}


def pareto(
    front: Any, ax: Axes | None = None, *, bound: str | Mapping[str, float] | None = None
) -> Figure:
    """A front of `qtd.design.pareto_front` between its first two objectives, with the machine that
    it began with, as a square, and, where a third objective is, that by size.

    Designs are filled where the validity is at most 0.1, pale up to 1, and crossed above. `bound`:
    a line that no design can pass: {objective: value}, or "Carnot" (of COP and efficiency, from
    the table) or "TUR" (2); by default what is known. `ax`: where to draw, a new figure by default.
    """
    ax = axes_or_new(ax)
    table = front.table
    across, up, *third = table.attrs["objectives"]
    x, y = table[across].to_numpy(), table[up].to_numpy()
    validity = table["validity"].to_numpy() if "validity" in table else np.zeros(len(x))
    if not third:
        ax.plot(x, y, color=PALE, linewidth=1.2, zorder=1)
    kinds: tuple[tuple[float, float, dict[str, Any], str], ...] = (
        (-np.inf, FIRST_ORDER.doubtful * 1.001, {"color": PALETTE[0]}, "designs"),
        (
            FIRST_ORDER.doubtful * 1.001,
            FIRST_ORDER.wrong,
            {"facecolor": "white", "edgecolor": PALETTE[0]},
            "designs of doubtful validity",
        ),
        (FIRST_ORDER.wrong, np.inf, {"color": GREY, "marker": "x"}, "designs outside the model"),
    )
    for low, high, style, label in kinds:
        chosen = (validity > low) & (validity <= high)
        if chosen.any():
            sizes = _sizes(table[third[0]].to_numpy())[chosen] if third else 28
            ax.scatter(x[chosen], y[chosen], s=sizes, zorder=3, label=label, **style)
    _begin(ax, front.start_values, (across, up), (x, y))
    for name, value in _bounds(table, bound).items():
        draw = ax.axvline if name == across else ax.axhline
        if name in (across, up):
            draw(value, color="black", linewidth=1, linestyle="--", label=f"bound of {name}")
    ax.set(
        xlabel=axis_label(across, table[across].attrs.get("units", "")),
        ylabel=axis_label(up, table[up].attrs.get("units", "")),
    )
    ax.ticklabel_format(scilimits=(-3, 4))
    rough = int((~table["converged"]).sum())
    parts = [f"Front of {len(x)} designs", *(f"size: {name}" for name in third)]
    set_title(ax, "; ".join(parts + [f"{rough} not converged"] * bool(rough)))
    legend_below(ax)
    return figure_of(ax)


def _begin(ax, begin, names, values):
    """The machine that a front began with: a square, or words where it lies far outside."""
    place = [begin[name] for name in names]
    if not np.all(np.isfinite(place)):
        return
    near = [
        each.min() - np.ptp(each) <= at <= each.max() + np.ptp(each)
        for at, each in zip(place, values)
    ]
    if all(near):
        ax.plot(*place, "s", color=PALETTE[1], zorder=4, label="where it began")
    else:
        label = f"began far outside, at {place[0]:.3g}, {place[1]:.3g}"
        ax.plot([], [], "s", color=PALETTE[1], label=label)


def _sizes(values):
    extent = np.ptp(values) or 1.0
    return 14 + 90 * (values - values.min()) / extent


def _bounds(table, bound):
    """Bounds by objective."""
    if isinstance(bound, Mapping):
        unknown = set(bound) - set(table.attrs["objectives"])
        if unknown:
            raise ValueError(
                f"`bound` names no objective of the front, got {min(unknown)!r}; there is"
                f" {', '.join(table.attrs['objectives'])}."
            )
        return dict(bound)
    if bound not in (None, "Carnot", "TUR"):
        raise ValueError(f'`bound` must be "Carnot", "TUR" or {{objective: value}}, got {bound!r}.')
    found = {}
    for name in table.attrs["objectives"]:
        known = _KNOWN.get(name)
        if bound != "TUR" and known in table and np.isfinite(table[known]).all():
            found[name] = float(table[known].max())
        if bound != "Carnot" and name.startswith("TUR"):
            found[name] = _CERTAIN["TUR"]
    return found
