"""What all drawings share: colours, symbols, axes and titles."""

import io
import itertools
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

# The colours of Okabe and Ito, which people with any kind of colour vision tell apart.
_BLUE, _VERMILLION, _GREEN, _PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
_ORANGE, _SKY, _YELLOW, _BLACK = "#E69F00", "#56B4E9", "#F0E442", "#000000"
PALETTE = (_BLUE, _VERMILLION, _GREEN, _PURPLE, _ORANGE, _SKY)
PALE, GREY = "#9EC9E2", "#555555"

# Of reservoirs: what does work; those of one temperature; from the coldest to the hottest.
WORK = _PURPLE
_NEUTRAL = (_GREEN, _BLACK, "#999999", _ORANGE, _SKY)
_WARMER = (_BLUE, _SKY, _GREEN, _BLACK, _YELLOW, _ORANGE, _VERMILLION)
_OF_SO_MANY = {
    1: (2,),
    2: (0, 6),
    3: (0, 2, 6),
    4: (0, 1, 5, 6),
    5: (0, 1, 2, 5, 6),
    6: (0, 1, 2, 4, 5, 6),
}
_WORKERS = re.compile(r"work|laser|drive|pump|battery", re.IGNORECASE)
_HEAT = {"cold": _BLUE, "hot": _VERMILLION}


class Drawing(Figure):
    """A figure that notebooks show, with pyplot or without."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=self.get_dpi())
        return stream.getvalue()


def axes_or_new(ax, size=(6.4, 4.8)):
    return Drawing(figsize=size, layout="constrained").subplots() if ax is None else ax


def two_axes():
    """Side by side, in a new Figure."""
    return Drawing(figsize=(8.6, 3.8), layout="constrained").subplots(1, 2)


def figure_of(ax) -> Figure:
    return ax.get_figure(root=True)


def colors_of(
    names: Iterable[str],
    temperatures: Mapping[str, Any] | None = None,
    driven_by: str | None = None,
) -> dict[str, str]:
    """A colour for each reservoir, the same in every drawing of one device: what does work has its
    own, the others go from cool to warm as their `temperatures` rise; those at one temperature,
    such as leads at a bias, have neutral ones.

    What does work is the reservoir it is `driven_by`, unless that is called hot or cold, and those
    whose names say so. Where no temperatures are known, names tell which is hot and which cold.
    """
    names = list(names)
    workers = [
        name for name in names if _WORKERS.match(name) or (name == driven_by and name not in _HEAT)
    ]
    found = dict.fromkeys(workers[:1], WORK)
    rest = [name for name in names if name not in found]
    known = {
        name: float(temperatures[name]) for name in rest if temperatures and name in temperatures
    }
    found |= _by_temperature(known) if known else _by_name(rest, found)
    free = itertools.cycle(_unused(_NEUTRAL, found))
    return {name: found[name] if name in found else next(free) for name in names}


def _by_temperature(known):
    """From cool to warm, unless all are equally warm."""
    degrees = np.array(list(known.values()))
    if len(known) > 1 and np.ptp(degrees) <= 1e-9 * np.abs(degrees).max():
        return {}
    ranks, count = np.argsort(degrees, kind="stable"), len(known)
    places = _OF_SO_MANY.get(count, np.linspace(0, 6, count).round().astype(int))
    names = list(known)
    return {names[rank]: _WARMER[place] for rank, place in zip(ranks, places)}


def _by_name(names, found):
    told = {name: _HEAT[name] for name in names if name in _HEAT}
    others = [name for name in names if name not in told]
    return told | dict(zip(others, itertools.cycle(_unused(PALETTE, found | told))))


def _unused(colors, found):
    """Those of `colors` that are not taken; all of them if none is left."""
    return [color for color in colors if color not in found.values()] or colors


def colors_in(device: Any, driven_by: str | None = None) -> dict[str, str]:
    """`colors_of` the reservoirs of a machine or system."""
    reservoirs = device.reservoirs
    temperatures = {
        name: reservoir.temperature
        for name, reservoir in reservoirs.items()
        if getattr(reservoir, "temperature", None) is not None
    }
    return colors_of(reservoirs, temperatures, driven_by or getattr(device, "driven_by", None))


def say_instead(ax, text):
    """A sentence in place of a drawing in which nothing would be seen."""
    ax.set_axis_off()
    write_across(ax, text)


def write_across(ax, text):
    """A sentence in the middle of a drawing, legible on anything."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    style: Any = {"ha": "center", "va": "center", "color": GREY, "bbox": box, "zorder": 6}
    ax.text(0.5, 0.5, textwrap.fill(text, 40), transform=ax.transAxes, **style)


def set_title(ax, text, pad=8):
    ax.set_title(text, loc="left", pad=pad)


def symbol(name):
    head, _, tail = name.partition("_")
    if name in ("sigma", "TUR", "COP"):
        return r"$\sigma$" if name == "sigma" else name
    return rf"${head}_{{\mathrm{{{tail}}}}}$" if tail and len(head) == 1 else name.replace("_", " ")


def unit_text(unit):
    """A unit for Matplotlib: E, the unit of energy, is a symbol with a power; of what has no
    dimension there is none."""
    power = re.fullmatch(r"E(?:\^(-?\d+))?", unit)
    if power:
        return rf"$E^{{{power[1]}}}$" if power[1] else "$E$"
    return "" if unit == "1" else unit


def axis_label(name, unit):
    unit = unit_text(unit)
    return symbol(name) + (f"  ({unit})" if unit else "")


def room_for_marks(machine):
    """Room between the frame and the title, in points, for the rows of ticks that `filters` draws
    there."""
    return 8 + 8 * len(machine.network().topology.names)


def legend_below(ax):
    """A legend under the label of the x axis, where it covers no data; its distance is in units of
    its own font."""
    columns = 2 if ax.bbox.width > 4.5 * figure_of(ax).dpi else 1
    if ax.get_legend_handles_labels()[0]:
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.57, 0),
            borderaxespad=5,
            ncols=columns,
            frameon=False,
            fontsize="small",
        )
