"""A sheet that draws the curves of a figure and keeps their numbers."""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from ._precision import refuse_single_precision

# The colours of Okabe and Ito, which people with any kind of colour vision tell apart; line styles
# tell them apart in print.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
COLUMN, PAGE = 3.4, 7.0  # widths in inches
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.prop_cycle": cycler(color=PALETTE),
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 220,
}
COLUMNS = ["panel", "curve", "x_name", "x", "y_name", "y", "value_name", "value"]


class Sheet:
    """One figure of a paper: its panels, a caption, and the numbers of everything drawn on it.

    - `name`: its number in the paper, such as "2" or "10". `caption`: what it shows, with every
      parameter.
    - `mosaic`: the arrangement of its panels and their letters; `size` in inches; `options` go to
      `Figure.subplot_mosaic`.
    - `panels`: Matplotlib axes by letter; `figure`: the picture; `table`: all curves and maps, one
      row a point.
    """

    def __init__(
        self,
        name: str,
        caption: str,
        mosaic: Any = "a",
        size: tuple[float, float] = (COLUMN, 2.5),
        **options,
    ):
        self.name = name
        self.caption = " ".join(caption.split())
        self.figure = Figure(figsize=size)
        self.panels: dict[str, Axes] = self.figure.subplot_mosaic(mosaic, **options)
        self._rows: list[pd.DataFrame] = []
        self._colours: Any = None
        if len(self.panels) > 1:
            for letter, ax in self.panels.items():
                ax.set_title(f"({letter})", loc="left", fontsize=8)

    def curve(
        self,
        panel: str,
        label: str,
        x: Any,
        y: Any,
        *styles: Any,
        ax: Axes | None = None,
        **options,
    ) -> None:
        """Draw y(x) on a panel (or on `ax`, an inset of it) and keep both under `label`.

        A label that starts with "_" has no legend. `styles` and `options` go to `Axes.plot`.
        """
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        (ax or self.panels[panel]).plot(x, y, *styles, label=label, **options)
        self._keep(panel, label.lstrip("_"), ax or self.panels[panel], x=x, y=y)

    def map(self, panel: str, name: str, x, y, values, **options) -> None:
        """Draw values[y, x] as colours on a `panel` and keep them under their `name`.

        `options` go to `Axes.pcolormesh`.
        """
        x, y, values = (np.asarray(array, float) for array in (x, y, values))
        ax = self.panels[panel]
        self._colours = ax.pcolormesh(x, y, values, shading="nearest", rasterized=True, **options)
        rows, columns = np.meshgrid(x, y)
        points = {"x": rows.ravel(), "y": columns.ravel(), "value": values.ravel()}
        self._keep(panel, name, ax, value_name=name, **points)

    def colour_bar(self, label: str, **options) -> None:
        """Draw one scale, with a `label`, for the maps of all panels, which share their limits.

        `options` go to `Figure.colorbar`.
        """
        self.figure.colorbar(self._colours, ax=list(self.panels.values()), label=label, **options)

    def label(self, panel: str, x: str, y: str, **settings) -> Axes:
        """Name the axes `x` and `y` of a panel; `settings` go to `Axes.set`."""
        ax = self.panels[panel]
        ax.set(xlabel=x, ylabel=y, **settings)
        return ax

    @property
    def table(self) -> pd.DataFrame:
        """All points drawn, with the names that their axes have."""
        parts = []
        for rows in self._rows:
            for ax in rows.ax[:1]:
                labels = {"x_name": ax.get_xlabel(), "y_name": ax.get_ylabel()}
                parts.append(rows.drop(columns="ax").assign(**labels))
        points = pd.concat(parts, ignore_index=True).reindex(columns=COLUMNS)
        return points.dropna(axis="columns", how="all")

    def save(self, folder: Path, paper: str) -> list[Path]:
        """Write the picture and its numbers into a `folder`, as PAPER-figN.png and .csv."""
        stem = folder / f"{paper}-fig{self.name}"
        picture = stem.with_suffix(".png")
        numbers = stem.with_suffix(".csv")
        with matplotlib.rc_context(STYLE):
            self.figure.savefig(picture, metadata={"Description": self.caption})
        self.table.to_csv(numbers, index=False, float_format="%.10g")
        return [picture, numbers]

    def _keep(self, panel, label, ax, **columns):
        self._rows.append(pd.DataFrame({"panel": panel, "curve": label, "ax": ax, **columns}))

    def _repr_png_(self) -> bytes:
        """The picture that notebooks show."""
        stream = io.BytesIO()
        self.figure.savefig(stream, format="png", dpi=110)
        return stream.getvalue()


def in_double_precision(function: Callable) -> Callable:
    """Draw in the house's style, and refuse single precision, in which no curve is the paper's."""

    @functools.wraps(function)
    def checked(*arguments, **options):
        refuse_single_precision()
        with matplotlib.rc_context(STYLE):
            return function(*arguments, **options)

    return checked
