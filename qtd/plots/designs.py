"""Drawings of how a design was found, and of what it changed."""

import inspect
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from ..findings import Severity
from ..limits import FIRST_ORDER
from ..observables import operating_point, units_of
from ..parameters import parameters
from ..thermodynamics import AbstractPoint
from ._axes import (
    GREY,
    PALE,
    PALETTE,
    Drawing,
    axes_or_new,
    axis_label,
    figure_of,
    room_for_marks,
    set_title,
    symbol,
)
from .devices import currents, filters, heat_of
from .levels import level_scheme

__all__ = ["design_summary", "history", "moves"]


def design_summary(optimum: Any, objective: str = "objective", title: str | None = None) -> Figure:
    """One page on an `optimum` of `qtd.design`: filters and currents before and after, the search,
    and the levels with their net jumps.

    Of a machine without levels: its parameters within their bounds, the search, and the currents,
    if it tells any.
    `objective`: the name of what was maximised; `title`: a word before the headline.
    """
    before, after = optimum.start, optimum.machine
    if not _has_one_network(after):
        return _plain_summary(optimum, objective, title)
    figure = Drawing(figsize=(12.5, 9), layout="constrained")
    grid: Any = figure.subfigures(2, 2, wspace=0.03, hspace=0.04)
    panels = [panel.subplots() for panel in grid.flat]
    filters(after, before, panels[0])
    history(optimum, panels[1], objective=objective)
    currents({"before": before.operate(), "after": after.operate()}, panels[2])
    level_scheme(after, panels[3])
    for letter, ax in zip("abcd", panels):
        text = ax.get_title(loc="left")
        set_title(ax, f"({letter})  {text}", room_for_marks(after) if letter == "a" else 8)
    _headline(figure, optimum, objective, title)
    return figure


def _plain_summary(optimum, objective, title):
    points = {"before": operating_point(optimum.start), "after": operating_point(optimum.machine)}
    has_heat = bool(heat_of(points["after"]))
    # The layout does not see the axis below the search, which is an inset.
    layout = ConstrainedLayoutEngine(rect=(0, 0.05, 1, 0.95))
    figure = Drawing(figsize=(17 if has_heat else 11.5, 5.6), layout=layout)
    grid: Any = figure.subfigures(1, 2 + has_heat, wspace=0.03)
    panels = [panel.subplots() for panel in grid.flat]
    moves(optimum, panels[0])
    history(optimum, panels[1], objective=objective)
    if has_heat:
        currents(points, panels[2])
    for letter, ax in zip("abc", panels):
        set_title(ax, f"({letter})  {ax.get_title(loc='left')}")
    _headline(figure, optimum, objective, title)
    return figure


def _headline(figure, optimum, objective, title):
    outcome = "" if optimum.converged else "  (not converged)"
    name, extreme = title or type(optimum.machine).__name__, optimum.is_largest
    told = f"{'largest' if extreme else 'smallest'} {symbol(objective)}"
    figure.suptitle(
        f"{name}: {told} = {float(optimum.value):.5g}{outcome}\n{_validity(optimum)}", fontsize=13
    )


def _validity(optimum):
    """How far either machine is from where its model holds, in words."""
    points = [operating_point(machine) for machine in (optimum.start, optimum.machine)]
    if not all(isinstance(point, AbstractPoint) for point in points):
        return ""
    before, after = (float(point.validity) for point in points)
    words = {Severity.DOUBTFUL: "doubtful", Severity.WRONG: "outside its model"}
    # An active limit holds to a millionth of itself.
    word = words.get(FIRST_ORDER.rate(after * (1 - 1e-5)), "the model holds")
    return f"validity {before:.3g} before, {after:.3g} after: {word}"


def moves(optimum: Any, ax: Axes | None = None) -> Figure:
    """The way of each parameter of an `optimum` of `qtd.design` began (ring) and ended (dot), from
    its lower to its upper bound.

    `ax`: where to draw, a new figure by default.
    """
    ax = axes_or_new(ax)
    start, names = parameters(optimum.start, optimum.bounds), list(optimum.bounds)
    for row, name in enumerate(names):
        low, high = optimum.bounds[name]
        began, ended = (
            _share(float(x), low, high) for x in (start[name], optimum.parameters[name])
        )
        ax.plot([0, 1], [row, row], color=PALE, linewidth=2, zorder=1)
        ax.plot([began, ended], [row, row], color=PALETTE[0], linewidth=1.2, zorder=2)
        ax.plot(began, row, "o", color="white", markeredgecolor=PALETTE[0], markersize=8, zorder=3)
        ax.plot(ended, row, "o", color=PALETTE[1], markersize=8, zorder=4)
        ax.annotate(
            f"{low:g}",
            (0, row),
            xytext=(0, -14),
            textcoords="offset points",
            ha="center",
            fontsize="small",
            color=GREY,
        )
        ax.annotate(
            f"{high:g}",
            (1, row),
            xytext=(0, -14),
            textcoords="offset points",
            ha="center",
            fontsize="small",
            color=GREY,
        )
        place = {
            "xytext": (0, 8),
            "textcoords": "offset points",
            "ha": "center",
            "fontsize": "small",
        }
        ax.annotate(f"{float(optimum.parameters[name]):.4g}", (ended, row), **place)
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.4, -0.6), xlabel="from lower to upper bound")
    ax.set_xticks([])
    set_title(ax, "Parameters before (ring) and after (dot)")
    return figure_of(ax)


def _share(value, low, high):
    """Where a value is between two bounds, on a logarithmic scale where they are positive and a
    decade apart, as in the search; what lies outside, at the bound."""
    if low > 0 and high >= 10 * low:
        value, low, high = np.log([max(value, low), low, high])
    return float(np.clip((value - low) / (high - low), 0, 1))


def history(optimum: Any, ax: Axes | None = None, *, objective: str = "objective") -> Figure:
    """The search for an `optimum` of `qtd.design`: the best objective so far among starts that meet
    the constraints, every start thin, and below the constraint violation, if there was any.

    `objective`: the name of what was maximised; `ax`: where to draw, a new figure by default.
    """
    ax = axes_or_new(ax)
    trace = optimum.history
    values, every, violations = (
        np.asarray(x, float) for x in (trace.values, trace.all_values, trace.violations)
    )
    steps, result = np.arange(1, len(values) + 1), float(optimum.value)
    ax.plot(steps, every, color=PALE, linewidth=0.7, zorder=1)
    ax.plot([], [], color=PALE, linewidth=1.2, label=f"each of {every.shape[1]} starts")
    if np.isfinite(values).any():
        ax.plot(
            steps,
            values,
            color="black",
            linewidth=2,
            zorder=3,
            label="best so far within the constraints",
        )
    ax.axhline(
        result,
        color=PALETTE[1],
        linewidth=1.2,
        linestyle="--",
        zorder=2,
        label="result, after polishing",
    )
    set_title(ax, "Search")
    (unit,) = units_of(optimum.machine, [objective]).values()
    ax.set(ylabel=axis_label(objective, unit), xlim=(1, max(len(steps), 2)))
    ax.set_ylim(_limits(values, every, result))
    ax.legend(loc="lower right", framealpha=0.9, fontsize="small")
    is_violated = bool(optimum.constraints) and np.nanmax(violations, initial=0.0) > 0
    bottom = _violation(ax, steps, violations) if is_violated else ax
    bottom.set_xlabel("step")
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure_of(ax).draw_without_rendering()  # only then does the layout know where that label is
    return figure_of(ax)


def _has_one_network(machine):
    """Whether the machine is one network, and not one at every angle, or none."""
    network = getattr(machine, "network", None)
    return network is not None and not inspect.signature(network).parameters


def _limits(values, every, result):
    """Limits of the y axis that show how the best value rose, whatever the worst starts do."""
    known = np.append(values[np.isfinite(values)], result)
    scale = max(abs(result), np.ptp(known)) or 1.0
    finite = np.append(every[np.isfinite(every)], known)
    low = max(finite.min(), min(known.min(), result - 1.5 * scale))
    high = min(finite.max(), result + 0.6 * scale)
    margin = 0.06 * max(high - low, 0.1 * scale)
    return low - margin, high + margin


def _violation(ax, steps, violations):
    """A strip below the search: how far the least bad start is from meeting every constraint,
    relative to its limit."""
    excess = np.maximum(np.nan_to_num(violations, nan=0.0), 0)
    below = ax.inset_axes((0.0, -0.36, 1.0, 0.28), sharex=ax)
    below.fill_between(steps, excess, color=PALETTE[3], alpha=0.35, linewidth=0)
    below.plot(steps, excess, color=PALETTE[3], linewidth=1.5)
    below.set(ylim=(0, 1.15 * max(excess.max(), 1e-3)), ylabel="smallest\nviolation")
    below.yaxis.set_major_locator(MaxNLocator(2))
    ax.tick_params(labelbottom=False)
    return below
