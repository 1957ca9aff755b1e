"""Drawings of what a machine does and of how its design was found.

Each function draws into the Axes it is given, or into a new Figure, and returns that Figure. None touches pyplot, so nothing is
shown, and nothing is kept when many are drawn. Energies are in one unit, E, with hbar = k_B = 1.
"""

import inspect
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, SymmetricalLogLocator

from .networks import RateNetwork
from .parameters import parameters
from .steady import SteadyState, solve
from .thermodynamics import OperatingPoint

__all__ = ["currents", "design_summary", "filters", "history", "level_scheme", "moves"]

# The colours of Okabe and Ito, which people with any kind of colour vision tell apart.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_PALE, _GREY = "#9EC9E2", "#555555"


def design_summary(optimum: Any, objective: str = "objective", title: str | None = None) -> Figure:
    """One page on a `qtd.design.Optimum`: filters and currents before and after, the search, and the levels with their net jumps.

    Of a machine without levels: its parameters within their bounds, the search, and the currents.
    """
    before, after = optimum.start, optimum.machine
    if not _has_one_network(after):
        return _plain_summary(optimum, objective, title)
    figure = Figure(figsize=(12.5, 9), layout="constrained")
    grid: Any = figure.subfigures(2, 2, wspace=0.03, hspace=0.04)
    panels = [panel.subplots() for panel in grid.flat]
    filters(after, before, panels[0])
    history(optimum, panels[1], objective=objective)
    currents({"before": before.operate(), "after": after.operate()}, panels[2])
    level_scheme(after.network(), panels[3])
    for letter, ax in zip("abcd", panels):
        text = ax.get_title(loc="left")
        _title(ax, f"({letter})  {text}", _rows_of_marks(after) if letter == "a" else 8)
    _headline(figure, optimum, objective, title)
    return figure


def _plain_summary(optimum, objective, title):
    # The layout does not see the axis below the search, which is an inset.
    figure = Figure(figsize=(17, 5.6), layout=ConstrainedLayoutEngine(rect=(0, 0.05, 1, 0.95)))
    grid: Any = figure.subfigures(1, 3, wspace=0.03)
    panels = [panel.subplots() for panel in grid.flat]
    moves(optimum, panels[0])
    history(optimum, panels[1], objective=objective)
    currents({"before": optimum.start.operate(), "after": optimum.machine.operate()}, panels[2])
    for letter, ax in zip("abc", panels):
        _title(ax, f"({letter})  {ax.get_title(loc='left')}")
    _headline(figure, optimum, objective, title)
    return figure


def _headline(figure, optimum, objective, title):
    outcome = "" if optimum.converged else "  (not converged)"
    name = title or type(optimum.machine).__name__
    figure.suptitle(f"{name}: largest {_symbol(objective)} = {float(optimum.value):.5g}{outcome}", fontsize=14)


def moves(optimum: Any, ax: Axes | None = None) -> Figure:
    """Where each parameter of a `qtd.design.Optimum` began (ring) and ended (dot), from its lower to its upper bound."""
    ax = _axes(ax)
    start, names = parameters(optimum.start), list(optimum.bounds)
    for row, name in enumerate(names):
        low, high = optimum.bounds[name]
        began, ended = ((float(x) - low) / (high - low) for x in (start[name], optimum.parameters[name]))
        ax.plot([0, 1], [row, row], color=_PALE, linewidth=2, zorder=1)
        ax.plot([began, ended], [row, row], color=_PALETTE[0], linewidth=1.2, zorder=2)
        ax.plot(began, row, "o", color="white", markeredgecolor=_PALETTE[0], markersize=8, zorder=3)
        ax.plot(ended, row, "o", color=_PALETTE[1], markersize=8, zorder=4)
        ax.annotate(f"{low:g}", (0, row), xytext=(0, -14), textcoords="offset points", ha="center", fontsize="small", color=_GREY)
        ax.annotate(f"{high:g}", (1, row), xytext=(0, -14), textcoords="offset points", ha="center", fontsize="small", color=_GREY)
        place = {"xytext": (0, 8), "textcoords": "offset points", "ha": "center", "fontsize": "small"}
        ax.annotate(f"{float(optimum.parameters[name]):.4g}", (ended, row), **place)
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.4, -0.6), xlabel="from lower to upper bound")
    ax.set_xticks([])
    _title(ax, "Parameters before (ring) and after (dot)")
    return _figure(ax)


def history(optimum: Any, ax: Axes | None = None, *, objective: str = "objective") -> Figure:
    """The best objective so far among starts that meet the constraints, every start thin, and the constraint violation below."""
    ax = _axes(ax)
    trace = optimum.history
    values, every, violations = (np.asarray(x, float) for x in (trace.values, trace.all_values, trace.violations))
    steps, result = np.arange(1, len(values) + 1), float(optimum.value)
    ax.plot(steps, every, color=_PALE, linewidth=0.7, zorder=1)
    ax.plot([], [], color=_PALE, linewidth=1.2, label=f"each of {every.shape[1]} starts")
    if np.isfinite(values).any():
        ax.plot(steps, values, color="black", linewidth=2, zorder=3, label="best so far within the constraints")
    ax.axhline(result, color=_PALETTE[1], linewidth=1.2, linestyle="--", zorder=2, label="result, after polishing")
    _title(ax, "Search")
    ax.set(ylabel=_axis_label(objective), xlim=(1, max(len(steps), 2)), ylim=_limits(values, every, result))
    ax.legend(loc="lower right", framealpha=0.9, fontsize="small")
    bottom = _violation(ax, steps, violations) if optimum.constraints else ax
    bottom.set_xlabel("step")
    return _figure(ax)


def filters(machine: Any, before: Any = None, ax: Axes | None = None) -> Figure:
    """Spectral densities of a machine's reservoirs against energy (filled), and those of a machine `before` (dashed).

    The ticks above the frame are the transition energies that each reservoir drives.
    """
    ax = _axes(ax)
    networks = [machine.network()] + ([] if before is None else [before.network()])
    low, high = _window(networks)
    for row, (name, color) in enumerate(_colors(networks[0]).items()):
        for network, width, line in zip(networks, (1.8, 1.3), ("solid", (0, (4, 2)))):
            density = getattr(network.reservoirs.get(name), "spectral_density", None)
            if not callable(density):
                continue
            energies = _grid(low, high, density, _transitions(network, name))
            values = np.asarray(density(jnp.asarray(energies, network.energies.dtype)))
            label = name if network is networks[0] else None
            ax.plot(energies, values, color=color, linewidth=width, linestyle=line, label=label)
            if network is networks[0]:
                ax.fill_between(energies, values, color=color, alpha=0.18, linewidth=0)
        marks = [energy for energy in _transitions(networks[0], name) if low <= energy <= high]
        place = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        ax.vlines(marks, 1.015 + 0.03 * row, 1.04 + 0.03 * row, color=color, linewidth=2, **place)
    ax.set(
        xlim=(low, high),
        xlabel=r"energy  ($E$);  ticks above the frame: transitions",
        ylabel=r"spectral density  ($E$)",
    )
    ax.set_ylim(bottom=0)
    _title(ax, "Filters" if before is None else "Filters before (dashed) and after (solid)", _rows_of_marks(machine))
    ax.legend(loc="upper right", framealpha=0.9, fontsize="small")
    return _figure(ax)


def currents(points: OperatingPoint | dict[str, OperatingPoint], ax: Axes | None = None) -> Figure:
    """Heat currents of one operating point, or of several by label, as bars: upwards where heat leaves the reservoir.

    The scale is logarithmic on either side of zero where the currents differ too much for bars to be seen on a linear one.
    """
    ax = _axes(ax)
    points = points if isinstance(points, dict) else {"": points}
    first = next(iter(points.values()))
    names, width = first.names, 0.8 / len(points)
    colors = [_PALETTE[i % len(_PALETTE)] for i in range(len(names))]
    table = np.array([[float(point.heat_currents[name]) for name in names] for point in points.values()])
    scale = _signed_scale(ax, table)
    for i, (label, values) in enumerate(zip(points, table)):
        places = np.arange(len(names)) + (i - (len(points) - 1) / 2) * width
        last = i == len(points) - 1
        style: Any = {"color": colors} if last else {"facecolor": "white", "edgecolor": colors, "hatch": "///"}
        ax.bar(places, values, 0.9 * width, **style)
        for place, value in zip(places, values):
            text, shift, side = (f"{label}\n{value:+.3g}", 3, "bottom") if value >= 0 else (f"{value:+.3g}\n{label}", -3, "top")
            ax.annotate(text.strip(), (place, value), (0, shift), textcoords="offset points", ha="center", va=side, fontsize=8.5)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(range(len(names)), [_reservoir_label(name, first.temperatures) for name in names])
    ax.set_ylabel(rf"heat out of the reservoir  ($E^2${scale})")
    _title(ax, "Heat currents" + _performance(points))
    return _figure(ax)


def _reservoir_label(name, temperatures):
    return f"{name}\n$T$ = {float(temperatures[name]):.4g} $E$" if name in temperatures else f"{name}\nnonthermal"


def level_scheme(network: RateNetwork, ax: Axes | None = None, *, levels: int | None = None) -> Figure:
    """The lowest levels of a network, to scale where they are not too close, with each reservoir's net jumps as arrows.

    One column of arrows for each reservoir, as wide as the net jumps per time; jumps below a thousandth of the largest are left out.
    `levels`: how many to show; by default those between which something flows, 3 to 8.
    """
    ax = _axes(ax)
    state = solve(network)
    flows = _flows(state)
    energies, populations = np.asarray(network.energies, float), np.zeros(network.topology.size)
    populations[network.topology.order] = np.asarray(state.populations)
    largest = max((abs(flow) for _, _, _, flow in flows), default=0.0) or 1.0
    shown = np.argsort(energies, kind="stable")[: levels or _levels_to_show(energies, flows, largest)]
    heights = _heights(energies[shown])
    columns, width = list(network.topology.names), len(network.topology.names)
    ax.hlines(list(heights.values()), -0.5, width - 0.5, color="black", linewidth=1.6, zorder=1)
    for level, height in heights.items():
        text = f"  $p$ = {populations[shown[level]]:.3g}"
        ax.text(width - 0.5, height, text, va="center", fontsize=9, color=_GREY)
    place = {level: heights[i] for i, level in enumerate(shown)}
    for column, (name, color) in enumerate(_colors(network).items()):
        own = [flow for flow in flows if flow[0] == name and flow[1] in place and flow[2] in place and abs(flow[3]) >= 1e-3 * largest]
        for i, (_, source, target, flow) in enumerate(own):
            x = column + (i - (len(own) - 1) / 2) * min(0.3, 0.8 / max(len(own), 1))
            _arrow(ax, x, place[source], place[target], (flow, flow / largest), color, on_left=len(own) > 1 and i == 0)
    ax.set_xticks(range(width), columns)
    for tick, color in zip(ax.get_xticklabels(), _colors(network).values()):
        tick.set_color(color)
    ax.tick_params(axis="x", length=0)
    ax.set_yticks(list(heights.values()), [f"{energies[level]:.4g}" for level in shown])
    ax.set(xlim=(-0.6, width + 0.1), ylabel=r"energy of the level  ($E$)")
    _title(ax, r"Lowest levels, net jumps per time  ($E$)")
    ax.set_xlabel("reservoir that drives the jump")
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    return _figure(ax)


def _axes(ax):
    return Figure(figsize=(6.4, 4.8), layout="constrained").subplots() if ax is None else ax


def _title(ax, text, pad=8):
    ax.set_title(text, loc="left", pad=pad)


def _signed_scale(ax, table):
    """Set the y axis so that every bar and its label has room; returns what to say of the scale in the axis label."""
    finite = table[np.isfinite(table)]
    top = max(np.max(np.abs(finite), initial=0.0), 1e-300)
    smallest = max(np.min(np.abs(finite[finite != 0]), initial=top), 1e-6 * top)
    ends = [min(finite.min(initial=0.0), 0.0), max(finite.max(initial=0.0), 0.0)]
    if smallest > 0.03 * top:
        ax.set_ylim(*(end + sign * 0.3 * top for sign, end in zip((-1, 1), ends)))
        return ""
    decades = np.log10(top / smallest) + 2  # the part below `linthresh` counts for about one on either side
    room = 10 ** (0.22 * decades)
    ax.set_yscale("symlog", linthresh=smallest / 3, linscale=0.5)
    ax.set_ylim(*(sign * max(abs(end), smallest / 3) * room for sign, end in zip((-1, 1), ends)))
    ax.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=smallest / 3))
    return ", logarithmic"


def _figure(ax) -> Figure:
    return ax.get_figure(root=True)


def _has_one_network(machine):
    """Whether the machine is one network, and not one at every angle, or none."""
    network = getattr(machine, "network", None)
    return network is not None and not inspect.signature(network).parameters


def _colors(network):
    return {name: _PALETTE[i % len(_PALETTE)] for i, name in enumerate(network.topology.names)}


def _rows_of_marks(machine):
    """Room between the frame and the title, in points, for the rows of ticks that `filters` draws there."""
    return 8 + 8 * len(machine.network().topology.names)


def _symbol(name):
    head, _, tail = name.partition("_")
    if name in ("sigma", "TUR", "COP"):
        return r"$\sigma$" if name == "sigma" else name
    return rf"${head}_{{\mathrm{{{tail}}}}}$" if tail and len(head) == 1 else name.replace("_", " ")


def _axis_label(name):
    unit = {"J": r"  ($E^2$)", "S": r"  ($E^3$)", "sigma": r"  ($E$)", "power": r"  ($E^2$)"}
    return _symbol(name) + unit.get(name.partition("_")[0], "")


def _limits(values, every, result):
    """Limits of the y axis that show how the best value rose, whatever the worst starts do."""
    known = np.append(values[np.isfinite(values)], result)
    scale = max(abs(result), np.ptp(known)) or 1.0
    finite = np.append(every[np.isfinite(every)], known)
    low, high = max(finite.min(), min(known.min(), result - 1.5 * scale)), min(finite.max(), result + 0.6 * scale)
    margin = 0.06 * max(high - low, 0.1 * scale)
    return low - margin, high + margin


def _violation(ax, steps, violations):
    """A strip below the search: how far the least bad start is from meeting every constraint, relative to its limit."""
    excess = np.maximum(np.nan_to_num(violations, nan=0.0), 0)
    below = ax.inset_axes((0.0, -0.36, 1.0, 0.28), sharex=ax)
    below.fill_between(steps, excess, color=_PALETTE[3], alpha=0.35, linewidth=0)
    below.plot(steps, excess, color=_PALETTE[3], linewidth=1.5)
    below.set(ylim=(0, 1.15 * max(excess.max(), 1e-3)), ylabel="smallest\nviolation")
    below.yaxis.set_major_locator(MaxNLocator(2))
    ax.tick_params(labelbottom=False)
    return below


def _transitions(network, name):
    """Energies at which a reservoir drives jumps, those of the electron where the jumps carry particles."""
    found, jumps = [np.zeros(0)], network.jumps()
    for i in network.topology.of(name):
        gaps, particles = (np.asarray(jumps[i].quanta[quantity], float) for quantity in ("energy", "particles"))
        found.append(np.where(particles != 0, gaps * particles, np.abs(gaps))[network.topology.diagonals[i].levels])
    return np.concatenate(found)


def _window(networks):
    """The energies worth drawing: the centres of the filters, and the transitions through which heat flows."""
    found = []
    for network in networks:
        state = solve(network)
        for name in network.topology.names:
            diagonals = [(i, network.topology.diagonals[i].levels) for i in network.topology.of(name)]
            heat = [np.asarray(state.flows[i] * state.quanta(i, "heat"))[levels] for i, levels in diagonals]
            flow = np.abs(np.concatenate([np.zeros(0), *heat]))
            found += [*_transitions(network, name)[flow >= 0.1 * flow.max()]] if flow.size else []
            found += [float(x) for x in [getattr(network.reservoirs[name].spectral_density, "center", None)] if x is not None]
    low, high = min(found), max(found)
    return (low - 0.3 * (high - low) - 0.1 * abs(low) if low < 0 else 0.0), high + 0.25 * (high - min(low, 0.0)) + 1e-9


def _grid(low, high, density, transitions):
    """Energies from `low` to `high`, dense around every place where a filter may be sharp."""
    center = getattr(density, "center", None)
    places = np.append(transitions, [] if center is None else float(center))
    near = (high - low) * np.geomspace(1e-6, 1, 120)
    grid = np.concatenate([np.linspace(low, high, 500), *(np.concatenate([[p], p - near, p + near]) for p in places)])
    return np.unique(grid[(grid >= low) & (grid <= high)])


def _performance(points):
    for name in ("COP", "efficiency"):
        known = {label: float(point.figures().get(name, np.nan)) for label, point in points.items()}
        texts = [f"{label} {value:.3g}" for label, value in known.items() if np.isfinite(value)]
        if texts:
            return f";  {name} {', '.join(texts)}"
    return ""


def _flows(state: SteadyState):
    """(reservoir, level jumped from, level jumped to, net jumps per time >= 0) of every jump."""
    order, flows = state.network.topology.order, []
    for diagonal, rates in zip(state.network.topology.diagonals, state.flows):
        for k in diagonal.levels:
            low, high, flow = order[diagonal.lower[k]], order[k], float(rates[k])
            flows.append((diagonal.reservoir, low, high, flow) if flow >= 0 else (diagonal.reservoir, high, low, -flow))
    return flows


def _levels_to_show(energies, flows, largest):
    rank = np.argsort(np.argsort(energies, kind="stable"))
    busy = [max(rank[a], rank[b]) for _, a, b, flow in flows if flow >= 0.02 * largest]
    return int(np.clip(max(busy, default=0) + 1, 3, 8))


def _heights(energies):
    """Where to draw each level: at its energy, but no closer to the one below than the eye can tell."""
    apart = 0.06 * (energies[-1] - energies[0]) or 1.0
    heights = {0: float(energies[0])}
    for i in range(1, len(energies)):
        heights[i] = max(float(energies[i]), heights[i - 1] + apart)
    return heights


def _arrow(ax, x, start, end, flow_and_share, color, on_left):
    flow, share = flow_and_share
    style = {
        "arrowstyle": "-|>,head_width=0.3,head_length=0.6",
        "color": color,
        "linewidth": 1 + 5 * share,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    ax.annotate("", (x, end), (x, start), arrowprops={**style, "mutation_scale": 10 + 8 * share}, zorder=2)
    side, shift = ("right", -0.06) if on_left else ("left", 0.06)
    ax.text(x + shift, (start + end) / 2, f"{flow:.2g}", color=color, fontsize=8.5, va="center", ha=side)
