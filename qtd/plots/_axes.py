"""What all drawings share: colours, symbols, axes and titles."""

import io
import re

from matplotlib.figure import Figure

# The colours of Okabe and Ito, which people with any kind of colour vision tell apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
PALE, GREY = "#9EC9E2", "#555555"


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


def colors_of(names):
    """A colour for each reservoir, the same in every drawing."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}


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
