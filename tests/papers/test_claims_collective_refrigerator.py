"""The claims about the collective refrigerator: verdicts, and numbers against the page, or where it
prints none against the rate equation written down here from its matrix elements and solved by LU
decomposition.
"""

import functools

import numpy as np
import pytest
from gallery import each_claim, judged, names_of_claims
from helpers import Expected, along, assert_claim, partly
from scipy.optimize import brentq

pytestmark = [pytest.mark.deep, pytest.mark.quick]

REPRODUCED = "reproduced"
CENTERS = {"cold": 2.0, "hot": 6.0, "work": 4.0}
ONE = dict.fromkeys(CENTERS, 1.0)


def jump_rates(gap, beta, center, width, height):
    """Up and down a gap through a peaked density."""
    below, above = ((gap + sign * center) ** 2 + width**2 for sign in (-1, 1))
    density = 4 * height * center * width**2 * gap / (below * above)
    return density / np.expm1(beta * gap), density / -np.expm1(-beta * gap)


def elements(num, first, spin):
    """Jumps (lower, upper, element of J_x squared) and (lower, upper, element of J_x^2 / N squared)
    of a sector."""
    m = np.arange(first, spin + 0.25)
    raising = spin * (spin + 1) - m * (m + 1)
    weight = np.where(m == 0, 2.0, 1.0)
    one = [(k, k + 1, weight[k] * raising[k] / 4) for k in range(len(m) - 1)]
    twice = raising[:-1] * raising[1:] / 16 / num**2
    two = [(k, k + 2, weight[k] * twice[k]) for k in range(len(m) - 2)]
    if first == 0.5:
        two.append((0, 1, (spin * (spin + 1) + 0.25) * (spin * (spin + 1) - 0.75) / 16 / num**2))
    return m**2, {"cold": one, "hot": two, "work": one}


def solved(
    cold=2.0,
    hot=1.0,
    cold_width=0.1,
    hot_width=0.1,
    work_width=1e-3,
    work=1e-3,
    num=31,
    first=0.5,
    spin=None,
    centers=CENTERS,
    heights=ONE,
):
    """Cooling current, and COP over its bound (F1), by inverse temperatures and widths."""
    cold, hot, work, *widths = np.broadcast_arrays(
        cold,
        hot,
        work,
        cold_width,
        hot_width,
        work_width,
    )
    energies, jumps = elements(num, first, num / 2 if spin is None else spin)
    size, shape = len(energies), cold.shape
    generator, counted, squared, power = (np.zeros((*shape, size, size)) for _ in range(4))
    for name, beta, width in zip(CENTERS, (cold, hot, work), widths):
        for low, high, element in jumps[name]:
            gap = energies[high] - energies[low]
            rates = jump_rates(gap, beta, centers[name], width, heights[name])
            up, down = (element * rate for rate in rates)
            for start, end, rate, energy in ((low, high, up, gap), (high, low, down, -gap)):
                generator[..., end, start] += rate
                generator[..., start, start] -= rate
                if name == "cold":
                    counted[..., end, start] += energy * rate
                    squared[..., end, start] += energy**2 * rate
                if name == "work":
                    power[..., end, start] += energy * rate
    bordered = generator.copy()
    bordered[..., -1, :] = 1
    last = np.zeros((*shape, size, 1))
    last[..., -1, 0] = 1
    state = np.linalg.solve(bordered, last)
    current, supplied = ((matrix @ state).sum((-2, -1)) for matrix in (counted, power))
    right = current[..., None, None] * state - counted @ state
    right[..., -1, 0] = 0
    response = np.linalg.solve(bordered, right)
    noise = (squared @ state + 2 * counted @ response).sum((-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = hot / (cold - hot) / (1 + 2 * current / (noise * (cold - hot)))
        return current, np.where((current > 0) & (cold > hot), current / supplied / bound, np.nan)


def cooling(**where):
    return solved(**where)[0]


def border(low, high, **where):
    """Inverse temperature of the cold reservoir where cooling ends."""
    return brentq(lambda beta: cooling(cold=beta, **where), low, high)


def three_levels(cold, hot, work=1e-3):
    """Cooling current of App. G for 31 spins."""
    j = 15.5 * 16.5
    strengths = (j - 0.75) / 4, (j - 0.75) * (j - 3.75) / 16 / 31**2, (j - 3.75) / 4
    n = [1 / np.expm1(x) for x in (2 * cold, 6 * hot, 4 * work)]
    (uc, dc), (uh, dh), (uw, dw) = ((g * x, g * (1 + x)) for g, x in zip(strengths, n))
    exits = uc + uh, dc + uw, dh + dw
    pairs = exits[0] * exits[1] + exits[0] * exits[2] + exits[1] * exits[2]
    first = pairs - uc * dc - uh * dh - uw * dw
    return 2 * (uc * uw * dh - dc * dw * uh) / first


def performance():
    """Largest beta_c that cools and largest COP over its bound on the grid of each panel of Fig. 5,
    and the widths of panel (b)."""
    cold, hot = np.linspace(0.05, 5.0, 100)[None, :], np.linspace(0.05, 2.5, 99)[:, None]
    panels = {"a": {}, "b": {"work_width": 5e-4}, "c": {"hot_width": 0.3}, "d": {"cold_width": 0.3}}
    ratios = {letter: solved(cold, hot, **widths)[1] for letter, widths in panels.items()}
    far = {letter: np.max(np.where(np.isfinite(x), cold, 0)) for letter, x in ratios.items()}
    reach = {f"largest beta_c that cools, ({k})": f"{beta:.6f}" for k, beta in far.items()}
    best = {f"largest COP over bound, ({k})": f"{np.nanmax(x):.4f}" for k, x in ratios.items()}
    ends = {}
    for beta in (1.5, 2.0, 2.5):
        line = brentq(lambda b, beta=beta: three_levels(b, beta) - 0.004, 1.05 * beta, 2.99 * beta)
        width = brentq(
            lambda w, beta=beta, line=line: cooling(cold=line, hot=beta, work_width=w),
            1e-5,
            1e-2,
        )
        ends[f"d_w that ends cooling there, beta_h = {beta:g}"] = f"{width:.9f}"
    return reach, ends, best


@functools.cache
def expected():
    """Verdicts and numbers by the name of a claim's function."""
    sizes = (11, 21, 41, 51)
    edges = {
        0.001: "2.692954",
        0.002: "2.300553",
        0.004: "1.728509",
        0.006: "1.361515",
        0.008: "1.103982",
    }
    full = along(
        sizes,
        I_c="0.01354773005 0.04635460524 0.1656853291 0.2522796294",
        S_cc="0.05229841466 0.1807504062 0.6535494291 0.9980727392",
    )
    full |= {"I_c(3)": "-1.708315184e-4", "I_c/N^2(201)": "0.918e-4", "I_c/N^2(1001)": "0.902e-4"}
    full |= {
        "I_c/N^2(11)": "1.12e-4",
        "I_c/N^2(21)": "1.05e-4",
        "I_c/N^2(41)": "0.986e-4",
        "I_c/N^2(51)": "0.970e-4",
    }
    columns = {
        "I_c reduced": "0.01659228493 0.05705938994 0.2052522117 0.3130478476",
        "S_cc reduced": "0.04350853209 0.1496209278 0.5382363994 0.8209221088",
        "G4": "0.01666866784 0.05732111040 0.2061926549 0.3144819912",
        "G5": "0.04365995287 0.1501390982 0.5400978744 0.8237607529",
    }
    # Quotients of the table.
    reduced = along(sizes, **columns) | {
        "current(51)": "0.995440",
        "noise(51)": "0.996554",
    }
    widths = {
        0.05: "0.1041 0.0925 0.0585 -0.0453",
        0.1: "0.0974 0.0854 0.0513 -0.0528",
        0.3: "0.0243 0.0117 -0.0235 -0.131",
    }
    currents = {}
    for cold, row in widths.items():
        currents |= along(
            [f"d_c = {cold}, d_h = {hot:g}" for hot in (0.05, 0.5, 1.0, 2.0)],
            I_c=row,
        )
    widest = np.max(cooling(cold_width=0.6, hot_width=np.linspace(0.02, 2, 100)))
    never = np.max(cooling(hot_width=2.0, work_width=np.geomspace(1e-6, 1e-2, 40)))
    reach, ends, best = performance()
    odd = {"num": 6, "first": 1.0, "centers": {"cold": 1.0, "hot": 4.0, "work": 3.0}}
    broad = {f"{name}_width": 0.3 for name in ("cold", "hot", "work")}
    narrow = {"cold_width": 0.01, "hot_width": 0.01, "work_width": 1e-6}
    two = {"centers": CENTERS | {"work": 2.0}, "cold_width": 2.0, "work_width": 2.0}
    half = (1 + cooling(spin=14.5) / 0.09704813677557) / 2
    rectified = {}
    for height, name in ((1.0, "equal heights"), (0.1, "height 0.1 of the work reservoir")):
        heights = {"cold": 1.0, "hot": 0.0, "work": height}
        forward = cooling(cold=2, work=1, heights=heights, **two)
        back = cooling(cold=1, work=2, heights=heights, **two)
        rectified[f"forward over backward, {name}"] = f"{-forward / back:.8f}"
    return {
        "current_and_noise_grow_as_the_square": Expected(
            "current and noise grow as",
            REPRODUCED,
            full,
        ),
        "three_levels_agree_with_the_closed_forms": Expected(
            "three levels at beta_w =",
            REPRODUCED,
            reduced,
        ),
        "the_full_model_performs_worse": Expected(
            "the full model performs a",
            REPRODUCED,
            {"current(51)": "0.806", "noise(51)": "1.216"},
        ),
        "the_relative_width_falls_with_the_size": Expected(
            "the relative width of the",
            REPRODUCED,
            along(sizes, **{"N sqrt(S_cc)/I_c": "185.7 192.6 200.1 202.0"}),
        ),
        "the_work_filter_must_be_narrow": Expected(
            "to cool, the work filter",
            REPRODUCED,
            {
                "d_w at d_h = 0.1": "2.93e-3",
                "d_w at d_h = 0.5": "2.78e-3",
                "d_w at d_h = 1": "2.25e-3",
                "largest current at d_h = 2": f"{never:.8f}",
                "I_c(d_w = 0.01)": f"{cooling(work_width=0.01):.7f}",
                "I_c(d_w = 0.001)": "0.09704813677557",
            },
        ),
        "cooling_bears_a_wide_hot_filter": Expected(
            "cooling bears a wide hot",
            REPRODUCED,
            currents | {"largest current at d_c = 0.6": f"{widest:.7f}"},
        ),
        "wider_work_filters_cool_less_far": Expected(
            "wider work filters cool less",
            REPRODUCED,
            {f"beta_c at d_w = {width:g}": text for width, text in edges.items()}
            | along(
                [f"beta_c = 1, d_w = {width:g}" for width in edges],
                I_c="0.761687 0.716261 0.567538 0.367631 0.131119",
            ),
        ),
        "the_limit_of_three_levels_is_approachable": Expected(
            "the limit beta_c = 3 beta_h",
            partly("as the work filter narrows alone"),
            {"d_w = 0.001": "2.692954"}
            | {
                "d_w = 1e-6": f"{border(2.0, 3.0, work_width=1e-6):.5f}",
                "d_w = 1e-6, others 0.01": f"{border(2.0, 3.2, **narrow):.5f}",
            },
        ),
        "cooling_is_bounded_on_the_right": Expected("cooling is bounded on the", REPRODUCED, reach),
        "the_border_follows_a_line_of_three_levels": Expected(
            "the border of cooling follows",
            REPRODUCED,
            ends,
        ),
        "a_wide_cold_filter_costs_more": Expected(
            "a wide cold filter costs",
            REPRODUCED,
            {"COP over bound, Fig. 2": f"{0.3673328000894 / 0.6625681369802:.12f}"} | best,
        ),
        "a_peaked_density_is_a_mode": Expected(
            "a peaked density is a mode",
            REPRODUCED,
            {
                "mode energy": "3.74299345444",
                "coupling squared": "0.0265676988728",
                "residual density at 3": "0.159346850952",
            },
        ),
        "thermalisation_is_superradiant": Expected(
            "the thermalisation time goes",
            REPRODUCED,
            along((11, 21, 31, 51, 101), **{"N^2 t_th": "59.6 63.4 65.0 66.4 67.6"}),
        ),
        "decay_is_superradiant": Expected(
            "so does the mean time in",
            REPRODUCED,
            {
                "time from m = 7/2, N = 31": "0.0149977362136",
                "time from m = 7/2, N = 101": "0.00145865063729",
            },
        ),
        "a_sector_of_smaller_spin_cools_less": Expected(
            "a sector of smaller total",
            partly("as j^2"),
            {
                "I_c(N = 31, j = 31/2)": "0.09704813677557",
                "I_c(N = 31, j = 29/2)": f"{cooling(spin=14.5):.8f}",
                "I_c, half of each, over that of j = 31/2": f"{half:.8f}",
            },
        ),
        "both_parities_of_odd_sizes_cool_alike": Expected(
            "for odd N both sectors of",
            REPRODUCED,
            {"I_c(N = 11, even)": "0.01354773005", "I_c(N = 11, odd)": "0.01354773005"},
        ),
        "parities_of_even_sizes_differ": Expected(
            "for even N, with filters",
            partly("the odd one does not contribute"),
            along(
                ["N = 6, even"],
                I_c="0.0345084809988",
                S_cc="0.09601687308944",
                c_3="-6.532822908746",
                c_4="1325.642564054",
            )
            | {
                "I_c(N = 6, odd)": f"{cooling(**odd):.10f}",
                "I_c(N = 6, odd, widths 0.3)": f"{cooling(**odd, **broad):.10f}",
            },
        ),
        "heat_flows_as_two_levels_say": Expected(
            "between two broad reservoirs",
            REPRODUCED,
            along(
                [f"N = {n}" for n in (5, 11, 31, 61)],
                I_c="-0.188916933 -0.829253124 -6.04680861 -22.7667023",
            )
            | along(
                [f"N = {n}" for n in (5, 11, 31, 61)],
                D2="-0.187696685 -0.821172995 -5.98283182 -22.5236021",
            ),
        ),
        "rectification_is_mild": Expected("the current changes sign", REPRODUCED, rectified),
    }


@each_claim("collective-refrigerator")
def test_claim(name):
    assert_claim(judged("collective-refrigerator", name), expected()[name])


def test_no_claim_is_left_out():
    assert names_of_claims("collective-refrigerator") == list(expected())
