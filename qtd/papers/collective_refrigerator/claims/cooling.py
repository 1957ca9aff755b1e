"""Claims of the paper on the collective refrigerator in Figs. 2 to 5."""

import numpy as np

from ....machines import CollectiveRefrigerator
from ..._blocks import root
from ..._claim import Outcome, claim, claims_in
from ..devices import (
    COLD_5,
    HOT_5,
    PANELS_5,
    WORK_WIDTHS,
    cooling,
    cooling_of,
    edge,
    exponent,
    full_model,
    panel_5,
    point,
    reduced_model,
)

__all__ = ["CLAIMS"]

SIZES = (11, 21, 41, 51)


@claim("Fig. 2", "current and noise grow as N^2", printed="exponent 2")
def current_and_noise_grow_as_the_square() -> Outcome:
    current = {n: full_model(n).current for n in SIZES}
    noise = {n: full_model(n).noise for n in SIZES}
    current |= {n: cooling_of(CollectiveRefrigerator(n)) for n in (3, 201, 1001)}
    of_current = exponent(current, 21, 51)
    of_noise = exponent(noise, 21, 51)
    numbers = {f"I_c({n})": current[n] for n in (3, *SIZES)}
    numbers |= {f"S_cc({n})": noise[n] for n in SIZES}
    numbers |= {f"I_c/N^2({n})": current[n] / n**2 for n in (*SIZES, 201, 1001)}
    return Outcome(
        {"the current": abs(of_current - 2) < 0.1, "the noise": abs(of_noise - 2) < 0.1},
        numbers,
        f"exponents between N = 21 and 51: {of_current:.3f} and {of_noise:.3f}, of the current "
        f"between 201 and 1001: {exponent(current, 201, 1001):.3f}. N = 3 has two levels, and "
        f"{'heats' if current[3] < 0 else 'cools'}",
    )


@claim(
    "Fig. 2",
    "three levels at beta_w = 0.001 agree almost perfectly with (G4), (G5)",
    printed="1",
)
def three_levels_agree_with_the_closed_forms() -> Outcome:
    models = {n: reduced_model(n) for n in SIZES}
    numbers = {f"I_c reduced({n})": model.current for n, model in models.items()}
    numbers |= {f"G4({n})": model.current_hot_drive for n, model in models.items()}
    numbers |= {f"S_cc reduced({n})": model.noise for n, model in models.items()}
    numbers |= {f"G5({n})": model.noise_hot_drive for n, model in models.items()}
    ratios = {}
    for n, model in models.items():
        ratios[f"current({n})"] = model.current / model.current_hot_drive
        ratios[f"noise({n})"] = model.noise / model.noise_hot_drive
    off = {name: abs(ratio - 1) for name, ratio in ratios.items()}
    return Outcome(
        {name: gap < 0.01 for name, gap in off.items()},
        numbers | {name: ratios[name] for name in ("current(51)", "noise(51)")},
        f"to {100 * max(off.values()):.2f} %, with j(j + 1) in (G2)",
    )


@claim("Fig. 2", "the full model performs a bit worse than three levels", printed="worse")
def the_full_model_performs_worse() -> Outcome:
    current = full_model(51).current / reduced_model(51).current
    noise = full_model(51).noise / reduced_model(51).noise
    return Outcome(
        {"less current": current < 1, "more noise": noise > 1},
        {"current(51)": current, "noise(51)": noise},
        f"{100 * (current - 1):+.0f} % current, {100 * (noise - 1):+.0f} % noise",
    )


@claim(
    "Eq. 21",
    "the relative width of the transferred energy goes as 1 / N",
    printed="1 / N",
)
def the_relative_width_falls_with_the_size() -> Outcome:
    widths = {n: np.sqrt(full_model(n).noise) / full_model(n).current for n in SIZES}
    slope = exponent(widths, 21, 51)
    return Outcome(
        {"exponent -1": abs(slope + 1) < 0.1},
        {f"N sqrt(S_cc)/I_c({n})": n * width for n, width in widths.items()},
        f"exponent between N = 21 and 51: {slope:.3f}",
    )


@claim(
    "Fig. 3a",
    "to cool, the work filter must be two or three orders of magnitude narrower than those of cold"
    " and hot",
    printed="two or three orders",
)
def the_work_filter_must_be_narrow() -> Outcome:
    borders = {hot_width: _widest_work_filter(hot_width) for hot_width in (0.1, 0.5, 1.0)}
    one_order = cooling(work_width=0.01)
    two_orders = cooling(work_width=0.001)
    never = np.max(cooling(hot_width=2.0, work_width=np.geomspace(1e-6, 1e-2, 40)))
    numbers = {f"d_w at d_h = {hot_width:g}": width for hot_width, width in borders.items()}
    return Outcome(
        {"two orders cool and one does not": one_order < 0 < two_orders},
        numbers
        | {
            "largest current at d_h = 2": never,
            "I_c(d_w = 0.01)": one_order,
            "I_c(d_w = 0.001)": two_orders,
        },
        f"the border lies {np.log10(0.1 / borders[0.1]):.1f} orders below 0.1",
    )


def _widest_work_filter(hot_width):
    """The width of the work filter above which nothing is cooled."""

    def current(work_width):
        return cooling(hot_width=hot_width, work_width=work_width)

    return root(current, 1e-4, 1e-2)


@claim("Fig. 3b", "cooling bears a wide hot filter better than a wide cold one", printed="yes")
def cooling_bears_a_wide_hot_filter() -> Outcome:
    numbers = {}
    for cold in (0.05, 0.1, 0.3):
        for hot in (0.05, 0.5, 1.0, 2.0):
            current = cooling(cold_width=cold, hot_width=hot)
            numbers[f"I_c(d_c = {cold:g}, d_h = {hot:g})"] = current
    wide_hot = numbers["I_c(d_c = 0.1, d_h = 1)"]
    wide_cold = np.max(cooling(cold_width=0.6, hot_width=np.linspace(0.02, 2, 100)))
    kept = float(wide_hot / cooling(work_width=0.001))
    return Outcome(
        {"cools with a wide hot filter": wide_hot > 0, "not with a wide cold one": wide_cold < 0},
        numbers | {"largest current at d_c = 0.6": wide_cold},
        f"at d_h = 1 it keeps {100 * kept:.0f} % of the current of Fig. 2",
    )


@claim("Fig. 4", "wider work filters cool less far", printed="falling")
def wider_work_filters_cool_less_far() -> Outcome:
    edges = {f"beta_c at d_w = {width:g}": edge(width) for width in WORK_WIDTHS}
    currents = {
        f"I_c(beta_c = 1, d_w = {width:g})": cooling(1.0, work_width=width) for width in WORK_WIDTHS
    }
    falls = np.all(np.diff(list(edges.values())) < 0)
    return Outcome({"falling": falls}, edges | currents)


@claim(
    "Fig. 4",
    "the limit beta_c = 3 beta_h is closely approachable as the work filter narrows",
    printed="3",
)
def the_limit_of_three_levels_is_approachable() -> Outcome:
    alone = edge(1e-6)
    with_others = edge(1e-6, cold_width=0.01, hot_width=0.01)
    return Outcome(
        {
            "as the work filter narrows alone": alone > 2.95,
            "as the other two narrow as well": with_others > 2.95,
        },
        {
            "d_w = 0.001": edge(0.001),
            "d_w = 1e-6": alone,
            "d_w = 1e-6, others 0.01": with_others,
        },
        f"to {3 - alone:.2f} alone, to {3 - with_others:.4f} if the other two filters narrow as"
        " well",
    )


@claim(
    "Fig. 5",
    "cooling is bounded on the right, inside beta_h < beta_c < 3 beta_h",
    printed="yes",
)
def cooling_is_bounded_on_the_right() -> Outcome:
    cold = COLD_5[None, :]
    hot = HOT_5[:, None]
    inside = {}
    reach = {}
    for letter in PANELS_5:
        _, ratio, _ = panel_5(letter)
        below = cold < 3 * hot
        inside[f"below 3 beta_h, ({letter})"] = np.all(below | np.isnan(ratio))
        reach[letter] = np.max(np.where(np.isfinite(ratio), cold, 0))
    return Outcome(
        inside | {"bounded on the right": max(reach.values()) < 4.95},
        {f"largest beta_c that cools, ({letter})": beta for letter, beta in reach.items()},
        "on a grid of steps 0.05 in beta_c up to 5 and 0.025 in beta_h up to 2.5",
    )


@claim(
    "Fig. 5b",
    "the border of cooling follows the line on which three levels have the current 0.004",
    printed="0.004",
)
def the_border_follows_a_line_of_three_levels() -> Outcome:
    widths = {beta_hot: _work_filter_on_the_line(beta_hot) for beta_hot in (1.5, 2.0, 2.5)}
    least = min(widths.values())
    largest = max(widths.values())
    name = "d_w that ends cooling there, beta_h"
    return Outcome(
        {"one width on all of it": largest < 1.1 * least},
        {f"{name} = {beta_hot:g}": width for beta_hot, width in widths.items()},
        f"a work filter of width {least:.2g} to {largest:.2g} puts the border on that line",
    )


def _work_filter_on_the_line(beta_hot):
    """The width of the work filter that ends cooling where three levels have the current 0.004."""

    def above_the_line(beta_cold):
        return point(beta_cold, beta_hot, 0.1, 0.1, 1e-3).reduced - 0.004

    beta_cold = root(above_the_line, 1.05 * beta_hot, 2.99 * beta_hot)

    def current(work_width):
        return cooling(beta_cold, beta_hot, work_width=work_width)

    return root(current, 1e-5, 1e-2)


@claim(
    "Fig. 5",
    "a wide cold filter costs more of the efficiency than a hot one",
    printed="(d) below (c)",
)
def a_wide_cold_filter_costs_more() -> Outcome:
    best = {letter: np.nanmax(panel_5(letter)[1]) for letter in PANELS_5}
    machine = point(2.0, 1.0, 0.1, 0.1, 1e-3)
    numbers = {f"largest COP over bound, ({letter})": ratio for letter, ratio in best.items()}
    return Outcome(
        {"(d) below (c)": best["d"] < best["c"]},
        {"COP over bound, Fig. 2": machine.cop / machine.bound} | numbers,
        "for our choice of widths, which the paper does not give",
    )


CLAIMS = claims_in(globals())
