"""Drawings of sweeps: where in the space of parameters a machine cools, how well, and where there
is no number."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator

from ..limits import FIRST_ORDER
from ._axes import (
    GREY,
    PALETTE,
    Drawing,
    axes_or_new,
    figure_of,
    legend_below,
    set_title,
    write_across,
)
from ._grids import Grid, Refined
from ._sweeps import (
    arranged,
    flagged,
    headline,
    is_geometric,
    name_of,
    numbers,
    quantity_label,
    spans_decades,
    statuses,
    unit_of,
    written,
)

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["lines", "operating_map"]

_NOT_POSITIVE = "#D0D0D0"
_HATCHES = ("////", "....", "xxxx", "oo", "++", "**")
_INVALID = {FIRST_ORDER.doubtful: "\\", FIRST_ORDER.wrong: "\\\\\\"}
_LINE_STYLES = ("solid", "dashed", "dotted", "dashdot")
_MOST_NAMED = 8  # curves in a legend


def operating_map(
    dataset: "Dataset",
    value: str,
    *,
    where: str | None = None,
    contours: str | None = None,
    x: str | None = None,
    y: str | None = None,
    signed: bool = False,
    ax: Axes | None = None,
) -> Figure:
    """Colour map of one observable of a sweep over two parameters: the region where a machine
    works, its border, and the best point.

    Cells are coloured where the machine works, which is where `where` is positive, and grey where
    it does not; they are hatched where there is no number or the status is not OK. The star is the
    largest value that works with status OK. Colours are logarithmic where values lie decades apart,
    axes where a grid is geometric.

    Between four points that have numbers and status OK, colours and the border are interpolated,
    in straight lines that pass through the points; elsewhere each cell has the colour of its point.

    - `dataset`: an `xarray.Dataset` with two dimensions of more than one value; choose values of
      others first, with `dataset.sel(...)`. Where it has the observable `validity`, the largest
      rate over what it must stay below, lines run where that is 0.1 and 1, with hatches beyond,
      light and dense: currents are off by some 5 % there, and are no answer.
    - `where`: the observable that tells whether the machine works, by default `value` itself. A COP
      needs `where="J_cold"`: it is a ratio, positive too where both of its currents are reversed.
    - `contours`: a second observable, as labelled lines in the coloured region. `x`, `y`: the
      dimensions, by default in their order.
    - `signed`: colours on both sides of zero, and no star, for a quantity whose sign says only in
      which direction something flows.
    - `ax`: where to draw, a new figure by default.

    **Raises** `ValueError` for unknown observables, and where there are more or fewer than two
    dimensions to draw.
    """
    sign = where or value
    validity = _validity(dataset, value)
    names = [name for name in (value, sign, contours, validity) if name]
    table, (x, y) = arranged(dataset, names, (x, y), needs=2)
    ax = axes_or_new(ax, (6.4, 5.8))
    grid = Grid.of(numbers(table, x, x), numbers(table, y, y))
    values = numbers(table, value, y, x)
    signs = numbers(table, sign, y, x)
    status = statuses(table, y, x)
    everywhere = signed and where is None
    works = np.isfinite(values) & (everywhere | (signs > 0))
    ax.set(
        xscale=_scale(grid.x),
        yscale=_scale(grid.y),
        xlim=grid.x_edges[[0, -1]],
        ylim=grid.y_edges[[0, -1]],
    )
    ax.set(xlabel=quantity_label(table[x]), ylabel=quantity_label(table[y]))
    fine = Refined.of(grid, (status == 0) & np.isfinite(values))
    fine_signs = fine(signs)
    if works.any():
        norm = _norm(values[works], signed)
        continuous = np.issubdtype(table[value].dtype, np.floating)
        drawn = fine(values, isinstance(norm, LogNorm)) if continuous else fine.steps(values)
        shown = np.isfinite(drawn) & (everywhere | (fine_signs > 0))
        _colours(ax, fine.grid, np.where(shown, drawn, np.nan), quantity_label(table[value]), norm)
    if not signed:
        _mark_largest(
            ax, grid, np.where(works & (status == 0), values, np.nan), table[value], (x, y)
        )
    _border(ax, grid, signs, name_of(table[sign]))
    if not everywhere and (signs <= 0).any():
        label = f"{name_of(table[sign])} ≤ 0"
        fine.grid.fill(ax, fine_signs <= 0, facecolor=_NOT_POSITIVE, linewidth=0, label=label)
    if validity is not None:
        _mark_validity(ax, grid, status, numbers(table, validity, y, x))
    if contours is not None:
        _contour_lines(
            ax,
            grid,
            np.where(works, numbers(table, contours, y, x), np.nan),
            table[contours],
            signed,
        )
    # A COP may be missing where nothing is cooled: that is no fault.
    needed = np.where(signs > 0, values, signs)
    for hatch, (name, cells) in zip(itertools.cycle(_HATCHES), flagged(needed, status).items()):
        grid.fill(
            ax,
            cells,
            facecolor=(1, 1, 1, 0.5),
            edgecolor=GREY,
            linewidth=0,
            hatch=hatch,
            label=name,
        )
    remark = ""
    if not works.any():
        positive = (signs <= 0).any() and not (signs > 0).any()
        remark = f"{sign} is nowhere positive" if positive else "no numbers"
        write_across(ax, f"{name_of(table[sign])} is nowhere positive" if positive else remark)
    set_title(ax, headline(table, remark))
    legend_below(ax)
    return figure_of(ax)


def _validity(dataset, value):
    """The name of the observable that says how far a map of `value` is to be trusted."""
    name = "validity"
    known = name in dataset.data_vars and value in dataset.data_vars
    if not known or name == value or not set(dataset[name].dims) <= set(dataset[value].dims):
        return None
    return name


def _mark_validity(ax, grid, status, ratio):
    """Hatches where rates are too large for the theory, and the lines where that begins."""
    fine = Refined.of(grid, status == 0)
    beyond = fine(ratio)
    limits = list(_INVALID)
    for limit, above in itertools.zip_longest(limits, limits[1:], fillvalue=np.inf):
        cells = (beyond > limit) & (beyond <= above)
        if cells.any():
            style: Any = {"edgecolor": GREY, "linewidth": 0, "label": f"validity > {limit:g}"}
            pale = (1, 1, 1, 0.1 if limit == limits[0] else 0.25)
            patch = fine.grid.fill(ax, cells, facecolor=pale, hatch=_INVALID[limit], **style)
            patch.set_hatch_linewidth(0.6)
    known = ratio[np.isfinite(ratio)]
    crossed = [limit for limit in limits if known.size and known.min() <= limit < known.max()]
    if crossed:
        lines = grid.contour(
            ax, ratio, crossed, colors="black", linewidths=1.0, linestyles="dotted"
        )
        for text in ax.clabel(lines, fmt="%g", fontsize=9):
            text.set(path_effects=[withStroke(linewidth=2, foreground="white")], clip_on=True)


def lines(
    dataset: "Dataset",
    values: str | Sequence[str],
    *,
    x: str | None = None,
    hue: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Curves of one or several observables of a sweep along one parameter, one curve for each value
    of a second.

    Observables that share a unit share a panel; panels are stacked. Lines break where there is no
    number, and crosses mark points whose status is not OK. Of many curves, at most eight are named
    in the legend. The axis is logarithmic where its values are geometric.

    - `dataset`: an `xarray.Dataset` with one or two dimensions of more than one value; choose
      values of others first.
    - `x`, `hue`: the dimensions, by default in their order, or coordinates that run along one, such
      as those of a list of points.
    - `ax`: where to draw observables of one unit; several units make panels of their own.

    **Raises** `ValueError` for unknown observables, too many dimensions, and an `ax` for several
    units.
    """
    names = [values] if isinstance(values, str) else list(values)
    table, (x, *second) = arranged(dataset, names, (x, hue), needs=1)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(unit_of(table[name]), []).append(name)
    panels = _panels(ax, groups)
    for panel, group in zip(panels, groups.values()):
        _curves(panel, table, group, x, second)
    _legends(panels, table[second[0]] if second else None)
    panels[-1].set_xlabel(quantity_label(table[x]))
    for panel, group in zip(panels, groups.values()):
        if all(np.isnan(numbers(table, name, *second, x)).all() for name in group):
            panel.set_yticks([])
            write_across(panel, f"{', '.join(name_of(table[name]) for name in group)}: no numbers")
    empty = all(np.isnan(numbers(table, name, *second, x)).all() for name in names)
    set_title(panels[0], headline(table, "no numbers" if empty else ""))
    return figure_of(panels[0])


def _scale(values):
    return "log" if is_geometric(values) else "linear"


def _norm(known, signed) -> Any:
    """How numbers become colours; read from the points alone, not from what lies between."""
    if signed:
        return CenteredNorm(halfrange=np.abs(known).max() or 1.0)
    if spans_decades(known):
        return LogNorm(np.quantile(known, 0.02), known.max())
    return Normalize(known.min(), known.max())


def _colours(ax, grid, values, label, norm):
    cmap = "RdBu_r" if isinstance(norm, CenteredNorm) else "viridis"
    style: Any = {"cmap": cmap, "norm": norm, "rasterized": True}
    mesh = ax.pcolormesh(grid.x_edges, grid.y_edges, np.ma.masked_invalid(values), **style)
    # An inset stays beside the map however wide the legend below; an axis of its own would be moved
    # out of the legend's way.
    ax.figure.colorbar(
        mesh,
        cax=ax.inset_axes((1.03, 0, 0.045, 1)),
        label=label,
        extend="min" if isinstance(norm, LogNorm) else "neither",
    )


def _mark_largest(ax, grid, values, variable, axes):
    if np.isnan(values).all():
        return
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    best = grid.x[column], grid.y[row]
    place = ", ".join(f"{name} = {written(at)}" for name, at in zip(axes, best))
    label = (
        f"largest {name_of(variable)}: {written(values[row, column])} {unit_of(variable)}\nat"
        f" {place}"
    )
    style = {
        "color": PALETTE[1],
        "markeredgecolor": "white",
        "markersize": 17,
        "clip_on": False,
        "in_layout": False,
    }
    ax.plot(*best, "*", **style, linestyle="none", zorder=5, label=label)


def _border(ax, grid, signs, name):
    """The border where the machine stops working: a line where the sign changes."""
    if (signs > 0).any() and (signs < 0).any():
        grid.contour(ax, signs, [0.0], colors="black", linewidths=1.6)
        ax.plot([], [], color="black", linewidth=1.6, label=f"{name} = 0")


def _contour_lines(ax, grid, values, variable, signed):
    known = values[np.isfinite(values)]
    if not known.size:
        return
    if (
        np.ptp(known) <= 1e-6 * np.abs(known).max()
    ):  # what is left is rounding, which contours would trace
        ax.plot(
            [],
            [],
            " ",
            label=f"{name_of(variable)} ="
            f" {' '.join([written(known[0]), unit_of(variable)]).strip()} throughout",
        )
        return
    locator = LogLocator() if spans_decades(known) else MaxNLocator(6, steps=[1, 2, 2.5, 5, 10])
    levels = locator.tick_values(known.min(), known.max())
    levels = levels[(levels > known.min()) & (levels < known.max())]
    # Legible on pale and on dark colours.
    color, around = (GREY, "white") if signed else ("white", GREY)
    halo = [withStroke(linewidth=2, foreground=around)]
    drawn = grid.contour(ax, values, levels, colors=color, linewidths=1.0, linestyles="solid")
    drawn.set_path_effects(halo)
    for text in ax.clabel(drawn, fmt="%g", fontsize=9):
        # Or labels outside the frame take room when a user zooms in.
        text.set(path_effects=halo, clip_on=True)
    ax.plot([], [], color=color, linewidth=1.0, path_effects=halo, label=quantity_label(variable))


def _panels(ax, groups):
    if ax is not None and len(groups) > 1:
        units = ", ".join(
            f"{' and '.join(group)} in {unit or 'no unit'}" for unit, group in groups.items()
        )
        raise ValueError(
            f"`ax` has room for one unit, but there are {len(groups)}: {units}; leave `ax` out, or"
            " draw them one by one."
        )
    if ax is not None:
        return [ax]
    figure = Drawing(figsize=(7.2, 2.0 + 2.6 * len(groups)), layout="constrained")
    return list(figure.subplots(len(groups), sharex=True, squeeze=False)[:, 0])


def _curves(ax, table, group, x, second):
    """Observables of one unit: colours tell the values of the second dimension apart and line
    styles the observables, or else colours."""
    places = table[x].to_numpy()
    curves = np.stack([np.atleast_2d(numbers(table, name, *second, x)) for name in group])
    # Shows a point between two gaps, too.
    marker: Any = {"marker": "o", "markersize": 3} if len(places) <= 40 else {}
    if second:
        _families(
            ax, places, curves, table[second[0]], [name_of(table[name]) for name in group], marker
        )
    else:
        for k, (name, curve) in enumerate(zip(group, curves[:, 0])):
            style = _LINE_STYLES[k // len(PALETTE) % len(_LINE_STYLES)]
            ax.plot(
                places,
                curve,
                color=PALETTE[k % len(PALETTE)],
                linestyle=style,
                label=name_of(table[name]),
                **marker,
            )
    for name, where in flagged(
        curves, np.broadcast_to(statuses(table, *second, x), curves.shape)
    ).items():
        *_, column = inside = np.nonzero(where & np.isfinite(curves))
        if len(column):
            ax.plot(
                places[column],
                curves[inside],
                "x",
                color=GREY,
                markersize=4.5,
                linestyle="none",
                zorder=4,
                label=name,
            )
    low, high = ax.get_ylim()
    if low <= 0 <= high:
        ax.axhline(0, color="black", linewidth=0.8, zorder=1)
    if np.issubdtype(places.dtype, np.number):
        ax.set_xscale(_scale(places))
    unit = unit_of(table[group[0]])
    ax.set_ylabel(
        ", ".join(name_of(table[name]) for name in group) + (f"  ({unit})" if unit else "")
    )


def _families(ax, places, curves, variable, names, marker):
    count = variable.size
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.88, count))
    named = set(np.linspace(0, count - 1, min(count, _MOST_NAMED)).round().astype(int))
    for k, family in enumerate(curves):
        style = _LINE_STYLES[k % len(_LINE_STYLES)]
        for i, curve in enumerate(family):
            label = written(variable.values[i]) if i in named and k == 0 else None
            ax.plot(places, curve, color=shades[i], linestyle=style, label=label, **marker)
    for k, name in enumerate(names if len(names) > 1 else []):
        ax.plot([], [], color="black", linestyle=_LINE_STYLES[k % len(_LINE_STYLES)], label=name)


def _legends(panels, variable):
    """Legends to the right of each panel, what no panel above has explained; `variable`: the second
    dimension, if there is one."""
    known: set[str] = set()
    for panel in panels:
        new = {
            label: handle
            for handle, label in zip(*panel.get_legend_handles_labels())
            if label not in known
        }
        title = None
        if variable is not None and not known:
            title = quantity_label(variable) + (
                f"\n{_MOST_NAMED} of {variable.size} curves" if variable.size > _MOST_NAMED else ""
            )
        known |= set(new)
        if title or len(new) > 1:
            style: Any = {
                "loc": "upper left",
                "bbox_to_anchor": (1, 1),
                "alignment": "left",
                "frameon": False,
            }
            panel.legend(
                new.values(),
                new.keys(),
                title=title,
                fontsize="small",
                title_fontsize="small",
                **style,
            )
