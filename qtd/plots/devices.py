"""Drawings of one device: its filters and its currents."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import Locator, LogFormatterSciNotation

from .._numerics.printing import typeset
from ..steady import solve
from ._axes import (
    axes_or_new,
    colors_in,
    colors_of,
    figure_of,
    room_for_marks,
    say_instead,
    set_title,
)

__all__ = ["currents", "filters"]

_HEAT = "J_"  # of observables that are heat out of a reservoir
_APART = 100.0  # highest over lowest peak, from which each filter is drawn in units of its own


def filters(machine: Any, before: Any = None, ax: Axes | None = None) -> Figure:
    """Spectral densities of a machine's reservoirs against energy (filled), and those of a machine
    `before` (dashed).

    The ticks above the frame are the transition energies that each reservoir drives. `ax`: where to
    draw, a new figure by default.
    """
    ax = axes_or_new(ax)
    networks = [machine.network()] + ([] if before is None else [before.network()])
    if not any(_densities(network) for network in networks):
        say_instead(ax, "No reservoir has a spectral density of energy.")
        return figure_of(ax)
    states = [solve(network) for network in networks]
    low, high = _window(states)
    colors = colors_in(networks[0], getattr(machine, "driven_by", None))
    energies = _grid(low, high, states)
    curves = {
        (name, k): np.asarray(density(jnp.asarray(energies, network.energies.dtype)))
        for k, network in enumerate(networks)
        for name, density in _densities(network).items()
        if name in network.topology.names
    }
    peaks = {key: float(values.max()) for key, values in curves.items()}
    # Decades apart, all but the highest would lie on the axis.
    apart = max(peaks.values()) > _APART * min(peaks.values()) > 0
    for (name, k), values in curves.items():
        shown = values / peaks[name, k] if apart else values
        width, line = ((1.8, "solid"), (1.3, (0, (4, 2))))[k]
        label = f"{name}, up to {peaks[name, k]:.2g}" if apart else name
        label = label if k == 0 else None
        ax.plot(energies, shown, color=colors[name], linewidth=width, linestyle=line, label=label)
        if k == 0:
            ax.fill_between(energies, shown, color=colors[name], alpha=0.18, linewidth=0)
    for row, name in enumerate(networks[0].topology.names):
        marks = [energy for energy in _transitions(states[0], name) if low <= energy <= high]
        place = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        ends = 1.015 + 0.03 * row, 1.04 + 0.03 * row
        ax.vlines(marks, *ends, color=colors[name], linewidth=2, **place)
    ax.set(
        xlim=(low, high),
        xlabel=r"energy  ($E$);  ticks above the frame: transitions",
        ylabel="spectral density over its peak" if apart else r"spectral density  ($E$)",
    )
    ax.set_ylim(0, 1.4 if apart else None)  # with room for the legend above peaks of 1
    set_title(
        ax,
        "Filters" if before is None else "Filters before (dashed) and after (solid)",
        room_for_marks(machine),
    )
    ax.legend(loc="upper right", framealpha=0.9, fontsize="small")
    return figure_of(ax)


def _densities(network):
    """The spectral densities by reservoir, where there are any."""
    found = {name: each.spectral_density for name, each in network.reservoirs.items()}
    return {name: density for name, density in found.items() if callable(density)}


def heat_of(point: Any) -> dict[str, float]:
    """The heat that leaves each reservoir at an operating point, by name, as its table of
    observables tells; empty where that tells none."""
    table = point.observables()
    return {
        name.removeprefix(_HEAT): float(entry.value)
        for name, entry in table.items()
        if name.startswith(_HEAT)
    }


def currents(points: Any, ax: Axes | None = None) -> Figure:
    """Heat currents of operating `points`, of one or of several by label, as bars: upwards where
    heat leaves the reservoir. What they are is read off the tables of observables, from the entries
    `J_<reservoir>`.

    The scale is logarithmic on either side of zero where the currents differ too much for bars to
    be seen on a linear one. `ax`: where to draw, a new figure by default.
    """
    ax = axes_or_new(ax)
    points = points if isinstance(points, dict) else {"": points}
    first = next(iter(points.values()))
    heat = [heat_of(point) for point in points.values()]
    names, width = list(heat[0]), 0.8 / len(points)
    temperatures = _temperatures(first, names)
    table = np.array([[each[name] for name in names] for each in heat])
    if not np.nan_to_num(table).any():
        nothing = "no heat flows" if (table == 0).any() else "none of them is a number"
        say_instead(ax, f"Heat currents: {nothing}.")
        return figure_of(ax)
    by_name = colors_of(names, temperatures, getattr(first, "driven_by", None))
    colors = [by_name[name] for name in names]
    scale = _signed_scale(ax, table)
    for i, (label, values) in enumerate(zip(points, table)):
        places = np.arange(len(names)) + (i - (len(points) - 1) / 2) * width
        last = i == len(points) - 1
        style: Any = (
            {"color": colors}
            if last
            else {"facecolor": "white", "edgecolor": colors, "hatch": "///"}
        )
        ax.bar(places, np.nan_to_num(values), 0.9 * width, **style)
        for place, value in zip(places, values):
            _write_value(ax, place, value, label)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(range(len(names)), [_reservoir_label(name, temperatures) for name in names])
    ax.set_ylabel(rf"heat out of the reservoir  ($E^2${scale})")
    set_title(ax, "Heat currents" + _performance(points))
    return figure_of(ax)


def _write_value(ax, place, value, label):
    """The number of a bar at its end, and whose bar it is."""
    number = typeset(f"{value:+.3g}") if np.isfinite(value) else "undefined"
    lines, upwards = [label, number], not value < 0
    ax.annotate(
        "\n".join(lines if upwards else lines[::-1]).strip(),
        (place, np.nan_to_num(value)),
        (0, 3 if upwards else -3),
        textcoords="offset points",
        ha="center",
        va="bottom" if upwards else "top",
        fontsize=8.5,
    )


def _temperatures(point, names):
    """Temperatures by reservoir, as far as a point tells them."""
    known = getattr(point, "temperatures", {})
    return known if isinstance(known, Mapping) else dict(zip(names, np.asarray(known)))


def _reservoir_label(name, temperatures):
    title = f"reservoir {name}" if name.isdigit() else name
    return (
        f"{title}\n$T$ = {float(temperatures[name]):.4g} $E$"
        if name in temperatures
        else f"{title}\nnonthermal"
    )


def _signed_scale(ax, table):
    """Set the y axis so that every bar and its label has room; returns what to say of the scale in
    the axis label."""
    finite = table[np.isfinite(table)]
    top = max(np.max(np.abs(finite), initial=0.0), 1e-300)
    smallest = max(np.min(np.abs(finite[finite != 0]), initial=top), 1e-6 * top)
    ends = [min(finite.min(initial=0.0), 0.0), max(finite.max(initial=0.0), 0.0)]
    if smallest > 0.03 * top:
        ax.set_ylim(*(end + sign * 0.3 * top for sign, end in zip((-1, 1), ends)))
        return ""
    # The part below `linthresh` counts for about one on either side.
    decades = np.log10(top / smallest) + 2
    room = 10 ** (0.22 * decades)
    ax.set_yscale("symlog", linthresh=smallest / 3, linscale=0.5)
    ax.set_ylim(*(sign * max(abs(end), smallest / 3) * room for sign, end in zip((-1, 1), ends)))
    ax.yaxis.set_major_locator(_SignedDecades(smallest / 3))
    ax.yaxis.set_major_formatter(LogFormatterSciNotation(linthresh=smallest / 3))
    return ", logarithmic"


class _SignedDecades(Locator):
    """Ticks at 0 and at powers of ten on both sides of it, beyond the linear part of the scale, as
    many as have room for their labels when they are drawn."""

    axis: Any  # set by Matplotlib

    def __init__(self, linear):
        self.linear = linear

    def __call__(self):
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin, vmax):
        size = FontProperties(size=matplotlib.rcParams["ytick.labelsize"]).get_size_in_points()
        figure = figure_of(self.axis.axes)
        room = 1.5 * size * figure.dpi / 72
        top = int(np.floor(np.log10(max(-vmin, vmax))))
        decades = range(top, int(np.ceil(np.log10(self.linear))) - 1, -1)
        zero, *heights = self._heights([0.0, *(10.0**k for k in decades)])
        step = 1
        if len(heights) > 1:
            step = max(1, int(np.ceil(room / abs(heights[0] - heights[1]))))
        clear = [
            10.0**k
            for k, height in list(zip(decades, heights))[::step]
            if abs(height - zero) >= room
        ]
        ticks = np.array([0.0, *clear, *(-x for x in clear)])
        return np.sort(ticks[(ticks >= vmin) & (ticks <= vmax)]).tolist()

    def _heights(self, values):
        """Where values lie on the page, in pixels."""
        return self.axis.axes.transData.transform([(0, value) for value in values])[:, 1]


def _transitions(state, name):
    """Energies at which a reservoir drives jumps, those of the electron where the jumps carry
    particles."""
    found, topology = [np.zeros(0)], state.network.topology
    for i in topology.of(name):
        gaps, particles = (
            np.asarray(state.quanta(i, quantity), float) for quantity in ("energy", "particles")
        )
        levels = topology.diagonals[i].levels
        found.append(np.where(particles != 0, gaps * particles, np.abs(gaps))[levels])
    return np.concatenate(found)


def _window(states):
    """The energies worth drawing: the centres of the filters, and the transitions through which
    heat flows."""
    found = []
    for state in states:
        topology = state.network.topology
        for name in topology.names:
            heat = [
                np.asarray(state.flows[i] * state.quanta(i, "heat"))[topology.diagonals[i].levels]
                for i in topology.of(name)
            ]
            flow = np.abs(np.concatenate([np.zeros(0), *heat]))
            found += [*_transitions(state, name)[flow >= 0.1 * flow.max()]] if flow.size else []
            center = getattr(_densities(state.network).get(name), "center", None)
            found += [] if center is None else [float(center)]
    low, high = min(found), max(found)
    return (low - 0.3 * (high - low) - 0.1 * abs(low) if low < 0 else 0.0), high + 0.25 * (
        high - min(low, 0.0)
    ) + 1e-9


def _grid(low, high, states):
    """Energies from `low` to `high`, dense around every place where a filter may be sharp."""
    places = [np.zeros(0)]
    for state in states:
        for name, density in _densities(state.network).items():
            center = getattr(density, "center", None)
            places.append(_transitions(state, name))
            places.append(np.atleast_1d([] if center is None else float(center)))
    near = (high - low) * np.geomspace(1e-6, 1, 120)
    around = [[place - near, place + near] for place in np.unique(np.concatenate(places))]
    grid = np.concatenate([np.linspace(low, high, 500), np.ravel(around), *places])
    return np.unique(grid[(grid >= low) & (grid <= high)])


def _performance(points):
    for name in ("COP", "efficiency"):
        known = {label: _value(point, name) for label, point in points.items()}
        texts = [f"{label} {value:.3g}" for label, value in known.items() if np.isfinite(value)]
        if texts:
            return f";  {name} {', '.join(texts)}"
    return ""


def _value(point, name):
    table = point.observables()
    return float(table[name].value) if name in table else np.nan
