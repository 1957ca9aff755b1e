"""Figures of explicit filters: three levels that cool, two levels that conduct, and N spins, by
rate equations, with filters as damped modes inside the device, and by a hierarchy of equations of
motion.

No paper is redrawn. Heat currents are positive when they leave a reservoir.
"""

import numpy as np

from .._sheet import PAGE, PALETTE, Sheet, in_double_precision
from .devices import (
    DRAWS,
    EXACT_COOLING,
    EXACT_GRADIENT,
    EXACT_TWO_LEVELS,
    NAMES,
    RATIOS,
    SIZES,
    best_width,
    detuned,
    explicit,
    filters_within_the_meter,
    fixed_heights,
    is_doubtful,
    is_drawn,
    kappa,
    rate_equation,
    two_levels,
    within_the_meter,
)

__all__ = [
    "FIGURES",
    "PAPER",
    "figure_1",
    "figure_2",
    "figure_3",
    "figure_4",
    "figure_5",
]

PAPER = "Explicit filters: what a rate equation promises and what is true (no paper is redrawn)"
FRIDGE = """Levels 0, 2, 6; filters in tune at 2, 4, 6 (cold, work, hot); temperatures 0.5, 5, 1."""
EXPLICIT = """Explicit filters in the default treatment, Redfield in the rotating wave"""


@in_double_precision
def figure_1() -> Sheet:
    """Cooling current and COP of three levels against the height of their filters over the
    width."""
    sheet = Sheet(
        "1",
        f"""Three-level refrigerator: (a) cooling current in units of the width d of all filters and
        (b) COP, against the height h of all filters over d. {FRIDGE} Dashed: rate equation at d =
        0.05, which is straight at all h, and whose COP is 1/2. Lines: {EXPLICIT.lower()}, at most
        3, 13, 2 quanta, at d = 0.05 and 0.2; dotted from where the status calls them doubtful.
        Points: hierarchy of equations of motion, off by at most 0.3 % (d = 0.05) and 2 % (d = 0.2).
        Thin: 0.0145 d, where tuned narrow filters saturate.""",
        "ab",
        (PAGE, 2.7),
    )
    current = sheet.label("a", r"$h/d$", r"$I_c/d$", xscale="log", yscale="log", ylim=(3e-5, 0.1))
    sheet.label("b", r"$h/d$", "COP", xscale="log", ylim=(0.2, 0.52))
    promised = [rate_equation((0.05,) * 3, (0.05 * x,) * 3) for x in RATIOS]
    grey = {"color": "0.35", "lw": 1.0}
    sheet.curve("a", "rate equation", RATIOS, [p.current / 0.05 for p in promised], "--", **grey)
    sheet.curve("b", "rate equation", RATIOS, [p.cop for p in promised], "--", **grey)
    for (width, exact), colour in zip(EXACT_COOLING.items(), PALETTE):
        # Beyond h = 2, of the order of the centres, only the narrow filter is worth a line.
        ratios = RATIOS if width == 0.05 else RATIOS[RATIOS < 11]
        found = [explicit((width,) * 3, (width * x,) * 3) for x in ratios]
        statuses = [f.status for f in found]
        label = f"explicit, $d={width:g}$"
        currents = [f.current / width for f in found]
        _line(sheet, "a", label, ratios, currents, statuses, color=colour)
        _line(sheet, "b", label, ratios, [f.cop for f in found], statuses, color=colour)
        x, currents, off, cops = map(np.asarray, exact)
        label = f"hierarchy, $d={width:g}$"
        marker = "o" if width == 0.05 else "s"
        sheet.curve("a", label, x, currents / width, marker, color=colour, mfc="w")
        sheet.curve("b", label, x, cops, marker, color=colour, mfc="w")
        current.errorbar(x, currents / width, off / width, fmt="none", ecolor=colour, lw=0.8)
    current.axhline(0.0145, color="0.6", lw=0.6)
    current.legend(loc="lower right", fontsize=6)
    return sheet


@in_double_precision
def figure_2() -> Sheet:
    """Heat current of two levels, over the height of their filters, against the width."""
    warm, cool = (1.0, 0.5), (0.4, 0.25)
    widths = np.geomspace(0.005, 0.8, 9)
    sheet = Sheet(
        "2",
        f"""Two levels of gap 1 between two equal filters in tune: heat current over their height h
        against their width d, (a) h = 0.02, temperatures 1 and 0.5, (b) h = 0.002 and 0.02,
        temperatures 0.4 and 0.25. Dashed: rate equation, whose best width is 0. Lines: explicit
        filters, (a) in the default treatment, at most 13 and 8 quanta, which has Lorentzian filters
        and misses the fall at large widths, (b) with the whole coupling, at most 5 and 3 quanta;
        dotted where the status calls them doubtful. Points: hierarchy of equations of motion.
        Arrows: d* = (2 kappa h)^(1/3), kappa = {kappa(warm):.3f} (a),
        {kappa(cool):.3f} (b).""",
        "ab",
        (PAGE, 2.7),
    )
    for panel, temperatures, way, heights in (
        ("a", warm, "redfield", (0.02,)),
        ("b", cool, "full", (0.002, 0.02)),
    ):
        ax = sheet.label(panel, r"$d$", r"$I/h$", xscale="log")
        ax.set_ylim(0, 1.15 * two_levels("rates", temperatures, 1e-3, 1e-6).current / 1e-6)
        for height, colour in zip(heights, PALETTE):
            promised = [two_levels("rates", temperatures, d, height) for d in widths]
            found = [two_levels(way, temperatures, d, height) for d in widths]
            rates = [p.current / height for p in promised]
            label = "rate equation" if height == heights[0] else "_rate equation"
            sheet.curve(panel, label, widths, rates, "--", color="0.35", lw=1.0)
            label = f"explicit, $h={height:g}$"
            currents = [f.current / height for f in found]
            statuses = [f.status for f in found]
            _line(sheet, panel, label, widths, currents, statuses, color=colour)
            best = best_width(temperatures, height)
            arrow = {"arrowstyle": "->", "color": colour, "lw": 1.0}
            ax.annotate("", (best, 0), (best, 0.12 * ax.get_ylim()[1]), arrowprops=arrow)
    sheet.curve("a", "hierarchy", *EXACT_TWO_LEVELS, "o", color=PALETTE[0], mfc="w")
    for panel in "ab":
        sheet.panels[panel].legend(loc="center right" if panel == "a" else "lower left", fontsize=6)
    return sheet


@in_double_precision
def figure_3() -> Sheet:
    """What the meter says of a rate equation, and how far off it is."""
    sheet = Sheet(
        "3",
        f"""How far a rate equation is off, its current over that with explicit filters less 1,
        against the mean meter of its filters. Circles: the refrigerator of Fig. 1, all widths 0.05,
        heights from 0.02 to 10 widths. Triangles: the same with widths and heights drawn with a
        spread of 0.7 in their logarithms about 0.05 and 0.005. Squares: two levels of gap 1,
        temperatures 0.4 and 0.25, widths 0.02, heights from 0.01 to 3 widths. {EXPLICIT}. Line:
        half the meter, which an operating point tells as `expected_error`; dashed: 0.1, what a
        meter may be.""",
    )
    ax = sheet.label("a", "mean meter", "rate equation / explicit - 1", xscale="log", yscale="log")
    line = np.array([8e-3, 20.0])
    sheet.curve("a", "half the meter", line, line / 2, color="0.35", lw=1.0)
    equal = [((0.05,) * 3, (0.05 * x,) * 3) for x in RATIOS[1:10]]
    for label, marker, filters in (("three levels", "o", equal), ("drawn filters", "^", DRAWS)):
        promised = [rate_equation(*each) for each in filters]
        found = [explicit(*each) for each in filters]
        meters = [np.mean(p.meters) for p in promised]
        off = [p.current / f.current - 1 for p, f in zip(promised, found)]
        sheet.curve("a", label, meters, off, marker)
    at = [((0.4, 0.25), 0.02, 0.02 * x) for x in np.geomspace(0.01, 3, 6)]
    promised = [two_levels("rates", *each) for each in at]
    off = [p.current / two_levels("redfield", *each).current - 1 for p, each in zip(promised, at)]
    sheet.curve("a", "two levels", [p.meter for p in promised], off, "s")
    ax.axvline(0.1, color="0.6", lw=0.8, ls="--")
    ax.legend(loc="upper left")
    return sheet


@in_double_precision
def figure_4() -> Sheet:
    """Cooling of N spins at fixed heights, and where rates stay below the widths of filters."""
    sheet = Sheet(
        "4",
        """Collective refrigerator of N spins by its rate equation: (a) cooling current over that of
        N = 5. Fixed heights: the filters of Kolisnyk and Schaller's Fig. 2, heights 1, widths 0.1,
        0.001, 0.1 and centres 2, 4, 6 (cold, work, hot), temperatures 0.5, 1000, 1, of which the
        meters are 1e5 and more. Scaled: the same, all heights scaled down together until the
        largest meter is 0.1. Designed: most cooling with all meters at most 0.1, centres, widths
        and heights free, temperatures 0.5, 5, 1; designs are kept, and solved again here. (b)
        Heights of the filters of these designs; thin: 1 / N^2. The rate equation is off by about 5
        % in these.""",
        "ab",
        (PAGE, 2.5),
    )
    fixed = [fixed_heights(n) for n in SIZES]
    best = [within_the_meter(n) for n in SIZES]
    ax = sheet.label("a", "N", r"$I_c(N)/I_c(5)$", yscale="log")
    scaled = [f.current * 0.1 / max(f.meters) for f in fixed]
    for label, currents, style in (
        ("fixed heights", [f.current for f in fixed], "o-"),
        ("designed within the meter", [b.current for b in best], "s-"),
        ("scaled to the meter", scaled, "^-"),
    ):
        sheet.curve("a", label, SIZES, np.array(currents) / currents[0], style)
    ax.legend(loc="upper left", fontsize=6)
    heights = np.array([filters_within_the_meter(n).heights for n in SIZES])
    sheet.label("b", "N", "height", xscale="log", yscale="log")
    for name, values, style in zip(NAMES, heights.T, ("o-", "s-", "^-")):
        sheet.curve("b", name, SIZES, values, style)
        law = values[-1] * (SIZES[-1] / np.array(SIZES)) ** 2
        sheet.curve("b", "_1 / N^2", SIZES, law, color="0.6", lw=0.8)
    sheet.panels["b"].legend(loc="lower left", fontsize=6)
    sheet.panels["b"].set_xticks(SIZES, map(str, SIZES))
    sheet.panels["b"].minorticks_off()
    return sheet


@in_double_precision
def figure_5() -> Sheet:
    """Filters out of tune: heat that a local treatment pumps uphill, and its slope by a centre."""
    sheet = Sheet(
        "5",
        """Two levels of gap 1 between explicit filters of width and height 0.05, at most 6 quanta
        each. (a) Heat current out of the hot filter against its temperature T_1, centres 1 and 1.1,
        T_2 = 0.5. Redfield (the default) has none at equal temperatures, thin line; the local
        treatment drives heat uphill where it is shaded. (b) The same current against the centre of
        the hot filter, the other one at 1, temperatures 0.5 and 0.3. Grey: the slope of the
        hierarchy in tune, through the value there of the default.""",
        "ab",
        (PAGE, 2.5),
    )
    temperatures = np.array([0.44, 0.47, 0.5, 0.53])
    centres = np.array([0.94, 0.96, 0.975, 0.985, 1.0, 1.015, 1.03, 1.045, 1.06])
    ax = sheet.label("a", r"$T_1$", r"$10^4\,I_1$", xlim=(0.44, 0.53))
    right = sheet.label("b", r"$e_1$", r"$10^3\,I_1$")
    right.set_ylim(0.9, 1.75)
    for way, style in (("redfield", "-"), ("local", "--")):
        cold = [detuned(way, (t, 0.5), (1.0, 1.1)) for t in temperatures]
        moved = [detuned(way, (0.5, 0.3), (e, 1.0)) for e in centres]
        sheet.curve("a", way, temperatures, 1e4 * np.array(cold), style)
        sheet.curve("b", way, centres, 1e3 * np.array(moved), style)
    near = np.array([0.97, 1.03])
    tuned = detuned("redfield", (0.5, 0.3), (1.0, 1.0))
    slope = 1e3 * (tuned + EXACT_GRADIENT * (near - 1))
    sheet.curve("b", "slope, hierarchy", near, slope, color="0.6", lw=2.5, zorder=0)
    ax.axhline(0, color="0.4", lw=0.6)
    ax.axvline(0.5, color="0.4", lw=0.6)
    ax.axvspan(0.4545, 0.5, color="#F6E3DC", lw=0)
    ax.legend(loc="upper left", fontsize=6)
    right.legend(loc="lower left", fontsize=6)
    return sheet


FIGURES = {"1": figure_1, "2": figure_2, "3": figure_3, "4": figure_4, "5": figure_5}


def _line(sheet, panel, label, x, y, statuses, **style):
    """A curve, dotted from where statuses are doubtful, and nothing where there is no number."""
    y = np.where(is_drawn(statuses), y, np.nan)
    doubtful = is_doubtful(statuses)
    sheet.curve(panel, label, x, np.where(doubtful, np.nan, y), "-", **style)
    if doubtful.any():
        # From the last point that is fine, so that nothing is left out between.
        beside = doubtful | np.append(doubtful[1:], False)
        sheet.curve(panel, "_" + label, x, np.where(beside, y, np.nan), ":", **style)
