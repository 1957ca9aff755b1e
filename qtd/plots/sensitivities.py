"""Drawings of how much a number changes with each parameter of a machine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .._numerics.printing import typeset
from ..parameters import parameters
from ..sensitivities import Sensitivity
from ..sensitivities import sensitivities as sensitivities_of
from ._axes import GREY, axes_or_new, colors_of, figure_of, say_instead, symbol

__all__ = ["sensitivities"]

_NOTHING = 1e-9  # an elasticity that is rounding


def sensitivities(
    machine: Any,
    observable: str,
    ax: Axes | None = None,
    *,
    found: Sequence[Sensitivity] | None = None,
    most: int = 12,
) -> Figure:
    """Elasticities of an `observable` of a `machine` or bare system, by name, as bars, the longest
    first: per cent of change for each per cent by which a parameter is larger.

    Bars have the colour of the reservoir whose parameter it is, those of the device are grey.
    - `ax`: where to draw, a new figure by default; `most`: how many bars at most.
    - `found`: what `qtd.sensitivities.sensitivities` returned, where it is known already.

    **Raises** `ValueError` for what is not among the observables.
    """
    if found is None:
        found = sensitivities_of(machine, observable)
    moving = [each for each in found if abs(np.nan_to_num(each.logarithmic)) > _NOTHING]
    shown = moving[:most]
    ax = axes_or_new(ax, (6.4, 1.6 + 0.28 * len(shown)))
    if not shown:
        known = any(np.isfinite(each.logarithmic) for each in found)
        reason = "no parameter moves it" if known else "it is 0, or no number"
        say_instead(ax, f"No elasticities of {symbol(observable)}: {reason}.")
        return figure_of(ax)
    values, colors = [each.logarithmic for each in shown], _colors(machine)
    bars = [_color(each.path, colors) for each in shown]
    ax.barh(range(len(shown)), values, color=bars, height=0.7)
    for row, value in enumerate(values):
        side: Any = {"ha": "left" if value > 0 else "right", "va": "center", "fontsize": 8}
        shift = (3 if value > 0 else -3, 0)
        number = typeset(f"{value:+.3g}")
        ax.annotate(number, (value, row), shift, textcoords="offset points", **side)
    ax.set_yticks(range(len(shown)), [each.path for each in shown], fontsize=8)
    left_out = f"\nthe {len(shown)} largest of {len(moving)}" * (len(moving) > len(shown))
    ax.set(ylim=(len(shown) - 0.4, -0.6))
    ax.set_xlabel(f"elasticity  d ln |{symbol(observable)}| / d ln |parameter|{left_out}")
    ax.axvline(0, color="black", linewidth=0.8)
    ax.margins(x=0.25)
    return figure_of(ax)


def _colors(machine):
    """Colours of the reservoirs that have parameters; the machine itself is asked for nothing."""
    ending = ".temperature"
    temperatures = {
        path.removesuffix(ending).rpartition(".")[2]: value
        for path, value in parameters(machine).items()
        if path.endswith(ending) and value.ndim == 0
    }
    driven_by = getattr(machine, "driven_by", None)
    names = dict.fromkeys([*temperatures, *filter(None, [driven_by])])
    return colors_of(names, temperatures, driven_by)


def _color(path, colors):
    """The colour of the reservoir that a parameter is one of, by the parts of its path."""
    parts = path.partition("[")[0].split(".")
    return next((colors[part] for part in parts if part in colors), GREY)
