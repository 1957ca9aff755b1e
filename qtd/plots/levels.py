"""The levels of a device, and the net jumps between them."""

import functools
import inspect
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from .._numerics.printing import typeset
from ..explicit import ExplicitFilters
from ..lindblad import Lindbladian
from ..machines import AbstractOpenSystem
from ..networks import RateNetwork
from ..steady import SteadyState, solve
from ._axes import GREY, axes_or_new, colors_in, figure_of, set_title

__all__ = ["level_scheme"]

_BETWEEN = 0.7  # room between the columns of two reservoirs, in lanes
_ENOUGH = 11.0  # a lane for an arrow and the number beside it, in points
_COHERENT = 1e-9  # coherences, relative to 1, that are more than rounding


def level_scheme(
    network: Any,
    ax: Axes | None = None,
    *,
    levels: int | None = None,
    driven_by: str | None = None,
) -> Figure:
    """The lowest levels of a network, to scale where they are not too close, with each reservoir's
    net jumps as arrows.

    One column for each reservoir; arrows as wide as the net jumps per time, those below a
    thousandth of the largest left out. Beside the levels stand their populations, p_0 of the first
    level of the network. Levels of one energy are drawn apart, so that jumps between them are seen.
    Where levels or jumps are many, some go without their numbers.

    - `network`: a `qtd.RateNetwork`, or a machine or `qtd.Lindbladian` whose steady state has no
      coherences, so that rates describe it.
    - `levels`: how many to show; by default those between which something flows, 3 to 8. `ax`:
      where to draw, a new figure by default.
    - `driven_by`: the reservoir that does work, which has a colour of its own; a machine knows.

    **Raises** `ValueError` for what has no levels with jumps, a network at every angle, or
    coherences that carry part of the currents.
    """
    ax = axes_or_new(ax)
    driven_by = driven_by or getattr(network, "driven_by", None)
    network = network_of(network)
    state = solve(network)
    jumps = _net_jumps(state)
    energies, populations = np.asarray(network.energies, float), np.zeros(network.topology.size)
    populations[network.topology.order] = np.asarray(state.populations)
    largest = max((jump.flow for jump in jumps), default=0.0) or 1.0
    shown = np.argsort(energies, kind="stable")[
        : levels or _levels_to_show(energies, jumps, largest)
    ]
    heights = dict(zip(shown.tolist(), _heights(energies[shown])))
    seen = [
        jump
        for jump in jumps
        if {jump.source, jump.target} <= set(heights) and jump.flow >= 1e-3 * largest
    ]
    columns, width = _columns(network.topology.names, seen, heights, numbered=True)
    numbered = _lane(ax, width) >= _ENOUGH
    if not numbered:
        columns, width = _columns(network.topology.names, seen, heights, numbered=False)
    thick = np.clip(0.35 * _tall(ax) / len(heights), 0.3, 1.4)
    ax.hlines(list(heights.values()), 0, width, color="black", linewidth=thick, zorder=1)
    named = _with_room(ax, heights)
    for level in named:
        ax.annotate(
            f"$p_{{{level}}}$ = {typeset(f'{populations[level]:.3g}')}",
            (width, heights[level]),
            (5, 0),
            textcoords="offset points",
            va="center",
            **_SMALL,
        )
    colors = colors_in(network, driven_by)
    _draw_columns(ax, columns, heights, largest, width, colors, numbered)
    ax.set_yticks(
        [heights[level] for level in named], [typeset(f"{energies[k]:.4g}") for k in named]
    )
    ax.set(xlim=(0, width), ylabel=r"energy of the level  ($E$)")
    remarks = [f"lowest {len(shown)} of {len(energies)} levels"] * (len(shown) < len(energies))
    remarks += ["too many arrows for numbers"] * (not numbered)
    ax.set_xlabel("\n".join(["reservoir that drives the jump", ", ".join(remarks)]).strip())
    set_title(ax, r"Net jumps per time  ($E$)")
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    return figure_of(ax)


_SMALL: Any = {"fontsize": 8.5, "color": GREY}


class _Jump(NamedTuple):
    """Net jumps per time >= 0 from one level to another, driven by a reservoir."""

    reservoir: str
    source: int
    target: int
    flow: float


@functools.singledispatch
def network_of(system: Any) -> RateNetwork:
    """The network that says all of a `system`. Kinds of system register theirs."""
    make, kind = getattr(system, "network", None), type(system).__name__
    if make is None:
        raise ValueError(
            f"`network` must be a RateNetwork or have one, got {kind}, which has no levels with"
            " jumps."
        )
    if inspect.signature(make).parameters:
        raise ValueError(
            f"`network` is a {kind}, which has a network at every angle; draw that of one,"
            " `network(angle)`."
        )
    return make()


@network_of.register
def _(system: AbstractOpenSystem) -> RateNetwork:
    return network_of(system.system())


@network_of.register
def _(system: RateNetwork) -> RateNetwork:
    return system


@network_of.register
def _(system: ExplicitFilters) -> RateNetwork:
    raise ValueError(
        "`network` has explicit filters, whose coherences carry its currents; draw its `device`."
    )


@network_of.register
def _(system: Lindbladian) -> RateNetwork:
    coherences = np.abs(np.asarray(solve(system).coherences))
    if coherences.max(initial=0.0) > _COHERENT:
        raise ValueError(
            f"`network` has coherences up to {coherences.max():.2g}, which carry part of its"
            " currents;"
            " draw its `network()` for what is left without them."
        )
    return system.network()


def _net_jumps(state: SteadyState):
    order, jumps = state.network.topology.order.tolist(), []
    for diagonal, rates in zip(state.network.topology.diagonals, state.flows):
        for k in diagonal.levels:
            low = order[diagonal.lower[k]]
            high = order[k]
            flow = float(rates[k])
            jumps.append(
                _Jump(diagonal.reservoir, *((low, high) if flow >= 0 else (high, low)), abs(flow))
            )
    return jumps


def _levels_to_show(energies, jumps, largest):
    rank = np.argsort(np.argsort(energies, kind="stable"))
    busy = [
        max(rank[jump.source], rank[jump.target]) for jump in jumps if jump.flow >= 0.02 * largest
    ]
    return int(np.clip(max(busy, default=0) + 1, 3, 8))


def _heights(energies):
    """Heights at which to draw ascending levels: at their energies, but no closer to the one below
    than the eye can tell."""
    share = min(0.075, 0.7 / max(len(energies) - 1, 1))  # of many levels most stay to scale
    apart = share * (energies[-1] - energies[0]) or 1.0
    heights = [float(energies[0])]
    for energy in energies[1:]:
        heights.append(max(float(energy), heights[-1] + apart))
    return heights


def _with_room(ax, heights):
    """The levels, from the lowest up, that have room for the words beside them."""
    span = max(heights.values()) - min(heights.values())
    chosen: list[int] = []
    for level, height in heights.items():
        if not chosen or (height - heights[chosen[-1]]) * _tall(ax) >= 11 * span:
            chosen.append(level)
    return chosen


def _tall(ax):
    """From the lowest level to the highest, in points: a tenth of the frame is margin, and the
    layout may yet take as much."""
    return 0.8 * 72 * ax.bbox.height / figure_of(ax).dpi


def _columns(names, jumps, heights, numbered):
    """The lanes of each reservoir, and the width of all of them."""
    columns = {
        name: _lanes([jump for jump in jumps if jump.reservoir == name], heights, numbered)
        for name in names
    }
    return columns, sum(max(len(lanes), 1) for lanes in columns.values()) + _BETWEEN * len(columns)


def _lane(ax, width):
    """The width of a lane in points; levels and populations are written beside the lanes."""
    return 0.75 * 72 * ax.bbox.width / figure_of(ax).dpi / width


def _lanes(jumps, heights, numbered):
    """The jumps of one reservoir in as few vertical lanes as there is room for, arrows and, if
    `numbered`, the numbers beside them."""
    span = max(heights.values()) - min(heights.values())
    room = (0.11 if numbered else 0.005) * span  # half of what a number needs
    lanes: list[tuple[float, list[_Jump]]] = []

    def ends(jump):
        return sorted((heights[jump.source], heights[jump.target]))

    for jump in sorted(jumps, key=ends):
        low, high = ends(jump)
        middle = (low + high) / 2
        low, high = min(low, middle - room), max(high, middle + room)
        free = [i for i, (top, _) in enumerate(lanes) if top <= low + 0.2 * room]
        if free:
            lanes[free[0]] = (high, [*lanes[free[0]][1], jump])
        else:
            lanes.append((high, [jump]))
    return [own for _, own in lanes]


def _draw_columns(ax, columns, heights, largest, width, colors, numbered):
    lane = _lane(ax, width)
    thickest, size = np.clip(0.2 * lane, 1.5, 6.0), np.clip(0.45 * lane, 6.0, 8.5)
    left, centers = _BETWEEN / 2, []
    for name, lanes in columns.items():
        for i, jump in ((i, jump) for i, own in enumerate(lanes) for jump in own):
            thick = 0.8 + (thickest - 0.8) * jump.flow / largest
            x = left + i + 0.35
            start = heights[jump.source]
            end = heights[jump.target]
            style = {
                "arrowstyle": "-|>,head_width=0.28,head_length=0.55",
                "mutation_scale": 7 + 1.8 * thick,
            }
            style |= {"color": colors[name], "linewidth": thick, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (x, end), (x, start), arrowprops=style, zorder=2)
            if not numbered:
                continue
            place: Any = {
                "textcoords": "offset points",
                "va": "center",
                "rotation": 90 if lane < 50 else 0,
            }
            halo = [withStroke(linewidth=2.5, foreground="white")]
            beside = (1.5 + 0.28 * (7 + 1.8 * thick), 0)
            ax.annotate(
                typeset(f"{jump.flow:.2g}"),
                (x, (start + end) / 2),
                beside,
                color=colors[name],
                fontsize=size,
                path_effects=halo,
                **place,
            )
        centers.append(left + max(len(lanes), 1) / 2)
        left += max(len(lanes), 1) + _BETWEEN
    ax.set_xticks(centers, list(columns))
    ax.tick_params(axis="x", length=0)
    for name, tick in zip(columns, ax.get_xticklabels()):
        tick.set_color(colors[name])
