"""Drawings of counting statistics: cumulants, correlations of currents, and large deviations."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.interpolate import make_interp_spline

from .._numerics.printing import typeset
from ..counting import Covariance, LargeDeviations
from ._axes import (
    GREY,
    PALETTE,
    Drawing,
    axes_or_new,
    colors_of,
    figure_of,
    set_title,
    two_axes,
    unit_text,
    write_across,
)
from ._sweeps import is_geometric, quantity_label

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["correlations", "cumulants", "large_deviations"]

_NAMES = ("current", "noise", "third cumulant", "fourth cumulant")
_POWERS = {"energy": 1, "heat": 1, "particles": 0}


def cumulants(
    values: "Mapping[str, ArrayLike] | Dataset",
    x: ArrayLike | None = None,
    xlabel: str = "",
    quantity: str = "energy",
) -> Figure:
    """Scaled cumulants c_1, c_2, ... as `qtd.counting.cumulants` gives them, a panel for each
    order.

    - `values`: `{label: (orders,)}`, drawn as bars side by side, of several reservoirs, say; or
      `{label: (points, orders)}`, drawn as curves against `x`, whose label is `xlabel`; or a sweep
      over one parameter of functions that return cumulants.
    - `quantity`: what is counted, which sets the units: c_n is in E^(n+1) for "energy" and "heat",
      in E for "particles".

    Zero is marked: all cumulants but the first two vanish for Gaussian currents. **Raises**
    `ValueError` for shapes that do not fit.
    """
    if hasattr(values, "data_vars"):
        values, x, xlabel = _of_sweep(values)
    if quantity not in _POWERS:
        raise ValueError(f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.')
    table = {label: np.asarray(array, float) for label, array in values.items()}
    shapes = {label: array.shape for label, array in table.items()}
    places = None if x is None else np.asarray(x, float)
    wanted = () if places is None else places.shape
    if (
        not table
        or len(set(shapes.values())) != 1
        or any(shape[:-1] != wanted or not shape for shape in shapes.values())
    ):
        lead = "(orders,)" if places is None else f"({len(places)} points, orders)"
        raise ValueError(f"`values` must hold arrays of one shape {lead}, got {shapes}.")
    orders = next(iter(shapes.values()))[-1]
    if places is None:
        figure = Drawing(figsize=(min(2.2 * orders, 9) + 0.6, 3.4), layout="constrained")
        panels = list(np.atleast_1d(np.asarray(figure.subplots(1, orders))))
    else:
        figure = Drawing(figsize=(6.4, 1.4 + 1.6 * orders), layout="constrained")
        panels = list(np.atleast_1d(np.asarray(figure.subplots(orders, sharex=True))))
    for n, ax in enumerate(panels, start=1):
        columns = {label: array[..., n - 1] for label, array in table.items()}
        _bars(ax, columns) if places is None else _curves(ax, places, columns)
        if not any(np.isfinite(column).any() for column in columns.values()):
            ax.set_yticks([])
            write_across(ax, "no numbers")
        unit = unit_text(f"E^{n * _POWERS[quantity] + 1}".removesuffix("^1"))
        name = f"{_NAMES[n - 1]}  " if n <= len(_NAMES) else ""
        ax.axhline(0, color="black", linewidth=0.8, zorder=1)
        if places is None:
            set_title(ax, f"{name}$c_{{{n}}}$\n({unit})")
        else:
            ax.set_ylabel(f"$c_{{{n}}}$  ({unit})")
    if places is not None:
        panels[-1].set_xlabel(xlabel)
        panels[0].set_xscale("log" if is_geometric(np.sort(places)) else "linear")
        panels[0].legend(loc="best", fontsize="small", framealpha=0.9)
        set_title(panels[0], "Scaled cumulants")
    return figure


def _of_sweep(dataset):
    """Cumulants by name over the one parameter of a sweep."""
    found = {
        str(name): variable for name, variable in dataset.data_vars.items() if variable.ndim == 2
    }
    if not found:
        raise ValueError(
            "`values` holds no cumulants over one parameter; sweep functions that return them, or"
            " pick values of other ones."
        )
    along = next(iter(found.values())).dims[0]
    return (
        {name: v.transpose(along, ...).to_numpy() for name, v in found.items()},
        dataset[along].to_numpy(),
        quantity_label(dataset[along]),
    )


def _bars(ax, columns):
    heights = np.array([float(value) for value in columns.values()])
    ax.bar(
        range(len(heights)),
        heights,
        color=list(colors_of(columns).values()),
        width=0.7,
    )
    for i, value in enumerate(heights):
        place: Any = {"ha": "center", "va": "bottom" if value >= 0 else "top", "fontsize": 8}
        ax.annotate(
            typeset(f"{value:.3g}"),
            (i, value),
            (0, 2 if value >= 0 else -2),
            textcoords="offset points",
            **place,
        )
    ax.set_xticks(range(len(heights)), list(columns))
    ax.margins(y=0.15)
    ax.ticklabel_format(axis="y", scilimits=(-2, 3))
    ax.tick_params(axis="y", labelsize=8)


def _curves(ax, places, columns):
    colors = colors_of(columns)
    for label, curve in columns.items():
        ax.plot(places, curve, color=colors[label], label=label)
    ax.ticklabel_format(axis="y", scilimits=(-2, 3))


def correlations(covariance: Covariance, ax: Axes | None = None, *, unit: str = "E^3") -> Figure:
    """The noise of all currents as a map: in each cell the correlation S_rs / sqrt(S_rr S_ss), in
    colour and in large print, over S_rs.

    `covariance`: of `qtd.counting.covariance`; `unit`: of S_rs, "E" for particles; `ax`: where to
    draw, a new figure by default.
    """
    ax = axes_or_new(ax, (4.8, 4.0))
    noise = np.asarray(covariance.matrix, float)
    scale = np.sqrt(np.diag(noise))
    shares = (
        noise
        / np.where(scale > 0, scale, np.nan)[:, None]
        / np.where(scale > 0, scale, np.nan)[None]
    )
    ax.imshow(shares, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        place: Any = {"ha": "center", "color": "white" if abs(share) > 0.6 else "black"}
        ax.text(column, row - 0.05, typeset(f"{share:+.2f}"), va="bottom", fontsize=11, **place)
        ax.text(
            column, row + 0.1, typeset(f"{noise[row, column]:.3g}"), va="top", fontsize=8, **place
        )
    ax.set_xticks(range(len(scale)), covariance.names)
    ax.set_yticks(range(len(scale)), covariance.names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    set_title(ax, f"Correlation, and noise ({unit_text(unit)})")
    return figure_of(ax)


def large_deviations(
    found: LargeDeviations,
    axes: Sequence[Axes] | None = None,
    *,
    cumulants: ArrayLike | None = None,
    affinity: float | None = None,
    quantity: str = "energy",
) -> Figure:
    """The generating function of a current, and its rate function beside it; dashed, those of a
    Gaussian current of the same c_1 and c_2.

    - `found`: of `qtd.counting.large_deviations`; `quantity`: what was counted there; `axes`: two
      to draw into, a new figure by default.
    - `cumulants`: c_1 and c_2 (more are ignored); by default from the slope of the current at the
      counting field 0, if that lies inside.
    - `affinity`: A where the fluctuation theorem holds for this current alone, lambda(chi) =
      lambda(A - chi), I(-j) = I(j) - A j: between two reservoirs A = 1/T - 1/T' for the energy out
      of the first; then A / 2 is marked, and the mirror image is dotted, which must lie on the
      curve. With more reservoirs it holds only for all currents together.
    """
    left, right = two_axes() if axes is None else axes
    fields, values, currents, rates = (
        np.asarray(x, float)
        for x in (found.fields, found.generating_function, found.currents, found.rates)
    )
    left.plot(fields, values, color=PALETTE[0], label="exact")
    right.plot(currents, rates, color=PALETTE[0], label="exact")
    _gaussian(
        left,
        right,
        fields,
        currents,
        _first_two(fields, currents) if cumulants is None else np.asarray(cumulants, float)[:2],
    )
    if affinity is not None:
        bias = float(affinity)
        style: Any = {"color": PALETTE[2], "linestyle": "dotted", "linewidth": 2.2, "zorder": 4}
        left.plot(bias - fields, values, label="mirror image", **style)
        left.axvline(bias / 2, color=GREY, linestyle="dashdot", linewidth=1, label=r"$\chi = A/2$")
        right.plot(-currents, rates - bias * currents, label="mirror image", **style)

    def span(x):
        return (x[0], x[-1])

    left.set(
        xlim=span(fields),
        ylim=_around(values),
        xlabel=r"counting field $\chi$" + _per(quantity),
        ylabel=r"$\lambda(\chi)$  ($E$)",
    )
    right.set(xlim=span(currents), ylim=_around(rates), ylabel=r"rate function $I(j)$  ($E$)")
    right.set_xlabel(f"current $j$  ({unit_text('E^2' if _POWERS[quantity] else 'E')})")
    left.axhline(0, color="black", linewidth=0.8, zorder=1)
    set_title(left, "Generating function")
    set_title(right, "Large deviations")
    for ax in (left, right):
        ax.legend(fontsize="small", framealpha=0.9)
    return figure_of(left)


def _per(quantity):
    return r"  ($1/E$)" if _POWERS[quantity] else ""


def _around(values):
    margin = 0.06 * np.ptp(values)
    return values.min() - margin, values.max() + margin


def _first_two(fields, currents):
    """c_1 and c_2 from the currents around the counting field 0; None where it lies outside."""
    if not fields.min() <= 0 <= fields.max() or len(fields) < 2:
        return None
    curve = make_interp_spline(fields, currents, k=min(5, len(fields) - 1 - (len(fields) % 2)))
    return [float(curve(0.0)), float(curve(0.0, 1))]


def _gaussian(left, right, fields, currents, known):
    if known is None:
        return
    mean, noise = known
    style: Any = {
        "color": PALETTE[1],
        "linestyle": "dashed",
        "linewidth": 1.3,
        "label": r"Gaussian, from $c_1$ and $c_2$",
    }
    left.plot(fields, mean * fields + noise * fields**2 / 2, **style)
    grid = np.linspace(currents[0], currents[-1], 200)
    right.plot(grid, (grid - mean) ** 2 / (2 * noise), **style)
    right.axvline(mean, color=GREY, linewidth=1, label=f"mean {mean:.3g}")
