"""Figures of D. Kolisnyk and G. Schaller, "Performance boost of a collective qubit absorption refrigerator".

The paper's currents are positive when energy enters the working fluid, as here; it gives inverse temperatures, in units of 1 / Omega.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ..evolution import thermalisation_time
from ..machines import CollectiveRefrigerator
from ..networks import RateNetwork
from ..parameters import replace
from ..reservoirs import Reservoir
from ..spectral import Ohmic, Peaked, reaction_coordinate
from ._blocks import in_blocks, root
from ._sheet import PAGE, PALETTE, Claim, Sheet, claim, in_double_precision

__all__ = ["FIGURES", "PAPER", "claims", "figure_2", "figure_3", "figure_4", "figure_5", "figure_6", "figure_7"]

PAPER = "Kolisnyk and Schaller, collective qubit absorption refrigerator"
COMMON = r"""Filters at 2, 6, 4 Omega (cold, hot, work) with heights 1; unless said otherwise N = 31, widths 0.1, 0.1, 0.001 and inverse
temperatures 2, 1, 0.001 (cold, hot, work), all in units of Omega."""
SIZES = (3, 5, 11, 21, 31, 41, 51, 61)
WORK_WIDTHS = (0.001, 0.002, 0.004, 0.006, 0.008)


@in_blocks
def _point(beta_cold, beta_hot, cold_width, hot_width, work_width):
    """Cooling current, COP, its bound from the noise (F1) of 31 spins, and the current of the three lowest levels alone."""
    changes = {"cold.temperature": 1 / beta_cold, "hot.temperature": 1 / beta_hot}
    widths = {"cold": cold_width, "hot": hot_width, "work": work_width}
    machine = replace(CollectiveRefrigerator(31), changes | {f"{name}.spectral_density.width": d for name, d in widths.items()})
    point = machine.operate()
    return point.heat_currents["cold"], point.cop, point.cop_bound_from_noise, machine.reduced().current()


def _cooling(beta_cold: Any = 2.0, beta_hot: Any = 1.0, cold_width: Any = 0.1, hot_width: Any = 0.1, work_width: Any = 1e-3):
    return _point(beta_cold, beta_hot, cold_width, hot_width, work_width)[0]


@in_blocks
def _relaxation(num_spins):
    """Thermalisation time of Fig. 7 with the six lowest levels of N >= 11 spins; those above hold less than 1e-18."""
    m, j = np.arange(6) + 0.5, num_spins / 2
    elements = (j * (j + 1) - m[:-1] * (m[:-1] + 1)) / 4
    jumps = [("reservoir", np.arange(5), np.arange(1, 6), elements)]
    network = RateNetwork(m**2, jumps, {"reservoir": Reservoir(0.25, spectral_density=Ohmic(1.0, 100.0))})
    weights = jnp.exp(-jnp.asarray(m**2 - m[0] ** 2))
    return thermalisation_time(network, weights / jnp.sum(weights), 1e-6)


@in_double_precision
def figure_2() -> Sheet:
    """Cooling current and its noise against the number of spins: full and reduced model, and the limit of a hot drive (G4, G5)."""
    sheet = Sheet(
        "2",
        f"""Cooling current and (inset) its noise against the odd number N of spins: full model, three-level model at the same
        temperatures, and its closed forms (G4), (G5) for infinite temperature of the work reservoir. The rates of the three-level model
        go with j(j + 1); the printed (G2) has another sign. {COMMON}""",
    )
    machines = [CollectiveRefrigerator(n) for n in SIZES]
    points = [machine.operate() for machine in machines]
    reduced = [machine.reduced() for machine in machines[1:]]  # three spins have two levels
    ax = sheet.label("a", "N", r"$I_E^c\ /\ \Omega\bar\Gamma_c$")
    inset = ax.inset_axes((0.2, 0.52, 0.4, 0.44))
    inset.set(xlabel="N", ylabel=r"$S_E^c\ /\ \Omega^2\bar\Gamma_c$")
    sheet.curve("a", "full model", SIZES, [p.heat_currents["cold"] for p in points], "o")
    sheet.curve("a", "reduced model", SIZES[1:], [r.current() for r in reduced], "s")
    sheet.curve("a", r"reduced, $\beta_w\to 0$ (G4)", SIZES[1:], [r.current_hot_drive() for r in reduced], "k-", lw=0.8)
    sheet.curve("a", "full model", SIZES, [p.heat_covariance["cold", "cold"] for p in points], "o", ax=inset)
    sheet.curve("a", "reduced model", SIZES[1:], [r.noise() for r in reduced], "s", ax=inset)
    sheet.curve("a", r"reduced, $\beta_w\to 0$ (G5)", SIZES[1:], [r.noise_hot_drive() for r in reduced], "k-", ax=inset, lw=0.8)
    inset.tick_params(labelsize=6)
    ax.legend(loc="lower right")
    return sheet


@in_double_precision
def figure_3() -> Sheet:
    """Where the machine cools, against the widths of the filters."""
    sheet = Sheet(
        "3",
        f"""Cooling current (blue: the cold reservoir is cooled, red: it is heated; black line: none) against the width of the hot filter
        and (a) that of the work filter, at a width of 0.1 of the cold one, (b) that of the cold filter, at a width of 0.001 of the work
        one. {COMMON}""",
        "ab",
        (PAGE, 2.7),
        sharey=True,
    )
    hot = np.linspace(0.05, 2.0, 79)
    panels = {
        "a": (np.linspace(5e-4, 5.5e-3, 81), lambda width: _cooling(work_width=width, hot_width=hot[:, None])),
        "b": (np.linspace(0.05, 0.7, 81), lambda width: _cooling(cold_width=width, hot_width=hot[:, None])),
    }
    for letter, (widths, current) in panels.items():
        values = current(widths[None, :])
        sheet.map(letter, "cooling current", widths, hot, values, cmap="RdBu", vmin=-0.3, vmax=0.3)
        sheet.panels[letter].contour(widths, hot, values, [0.0], colors="k", linewidths=0.8)
    sheet.label("a", r"$\delta_w/\Omega$", r"$\delta_h/\Omega$")
    sheet.label("b", r"$\delta_c/\Omega$", "")
    sheet.colour_bar(r"$I_E^c\ /\ \Omega\bar\Gamma_c$", extend="both")
    return sheet


@in_double_precision
def figure_4() -> Sheet:
    """Cooling current against the inverse temperature of the cold reservoir, for several widths of the work filter."""
    sheet = Sheet(
        "4",
        f"""Cooling current against the inverse temperature of the cold reservoir for several widths of the work filter. Thin vertical
        lines: where each changes sign; dotted: 3 beta_h, where three levels alone stop to cool. {COMMON}""",
    )
    beta = np.linspace(0.8, 4.0, 129)
    ax = sheet.label("a", r"$\beta_c\Omega$", r"$I_E^c\ /\ \Omega\bar\Gamma_c$", ylim=(-0.55, 1.05))
    ax.axhline(0, color="0.4", lw=0.8, ls="--")
    for width, colour in zip(WORK_WIDTHS, PALETTE):
        sheet.curve("a", rf"$\delta_w={width}\,\Omega$", beta, _cooling(beta, work_width=width), color=colour)
        ax.axvline(edge(width), color=colour, lw=0.6)
    ax.axvline(3.0, color="k", ls=":")
    ax.legend(loc="upper right", fontsize=6)
    return sheet


PANELS_5 = {
    "a": {},
    "b": {"work_width": 5e-4},
    "c": {"hot_width": 0.3},
    "d": {"cold_width": 0.3},
}


@in_double_precision
def figure_5() -> Sheet:
    """COP over its bound from the noise, in the plane of the inverse temperatures of the cold and hot reservoirs."""
    sheet = Sheet(
        "5",
        f"""COP over its bound from current and noise (F1) where the machine cools (white: it does not), against the inverse temperatures
        of the cold and hot reservoirs. Red dot: largest cooling current in the panel; black cross: largest COP over bound. Dashed:
        beta_c = beta_h and beta_c = 3 beta_h, between which three levels alone cool; green: their current 0.4, 0.04, 0.004, from left to
        right. The paper gives no widths for its panels; here (a) those of Fig. 2, (b) work filter 0.0005, where cooling ends on the line
        0.004 as the paper says, (c) hot filter 0.3, (d) cold filter 0.3. {COMMON}""",
        [["a", "b"], ["c", "d"]],
        (PAGE, 5.0),
        sharex=True,
        sharey=True,
    )
    cold, hot = np.linspace(0.05, 5.0, 100), np.linspace(0.05, 2.5, 99)
    for letter, widths in PANELS_5.items():
        ax, (current, ratio, reduced) = sheet.panels[letter], _performance(cold[None, :], hot[:, None], **widths)
        sheet.map(letter, "COP over its bound", cold, hot, ratio, cmap="Blues", vmin=0, vmax=1)
        ax.contour(cold, hot, np.where(cold > hot[:, None], reduced, np.nan), [0.004, 0.04, 0.4], colors=PALETTE[2], linewidths=0.7)
        for factor in (1, 3):
            ax.plot(cold, cold / factor, "k--", lw=0.8)
        for values, mark, colour in ((np.where(np.isfinite(ratio), current, -np.inf), "o", "#D00000"), (np.nan_to_num(ratio), "x", "k")):
            row, column = np.unravel_index(np.argmax(values), values.shape)
            ax.plot(cold[column], hot[row], mark, color=colour, ms=5)
        sheet.label(letter, r"$\beta_c\Omega$" if letter in "cd" else "", r"$\beta_h\Omega$" if letter in "ac" else "", ylim=(0, 2.5))
    sheet.colour_bar(r"$\kappa/\bar\kappa$")
    return sheet


@in_double_precision
def figure_6() -> Sheet:
    """The reaction-coordinate map: a peaked density becomes a mode coupled to a smooth residual one (App. B)."""
    peaked = Peaked(center=2.0, width=0.1)
    mode = reaction_coordinate(peaked, 50.0)
    sheet = Sheet(
        "6",
        f"""The mapping of Fig. 6 for a cold filter (height 1, centre 2, width 0.1, cut-off 50): (a) the peaked density, (b) the
        Lorentz-Drude density that is left to the environment of the mode, of energy {float(mode.energy):.4g}, once the system is
        coupled to that mode with strength {float(mode.coupling):.3g}. The paper's figure is a sketch.""",
        "ab",
        (PAGE, 2.3),
    )
    energy = np.concatenate([np.linspace(0.0, 1.5, 60), np.linspace(1.5, 2.5, 301), np.linspace(2.5, 5.0, 60)])
    sheet.curve("a", "peaked", energy, peaked(jnp.asarray(energy)))
    sheet.label("a", r"$\omega/\Omega$", r"$\Gamma(\omega)$")
    wide = np.geomspace(0.1, 1e3, 200)
    sheet.curve("b", "residual", wide, mode.residual(jnp.asarray(wide)))
    sheet.label("b", r"$\omega/\Omega$", r"$\tilde\Gamma(\omega)$", xscale="log", yscale="log")
    return sheet


@in_double_precision
def figure_7() -> Sheet:
    """Thermalisation time against the number of spins."""
    sheet = Sheet(
        "7",
        """Time in which the relative entropy to the final Gibbs state falls to 1e-6 against the odd number N of spins: from inverse
        temperature 1 to 4 in contact with an Ohmic reservoir (coupling 1, cut-off 100) through J_x. Dashed: 1 / N^2 through the last
        point.""",
    )
    sizes = np.arange(11, 102, 6)
    times = _relaxation(sizes)
    sheet.curve("a", r"$t_{th}$", sizes, times, "ko")
    sheet.curve("a", r"$\propto 1/N^2$", sizes, times[-1] * (sizes[-1] / sizes) ** 2.0, "--", color=PALETTE[1])
    sheet.label("a", "N", r"$t_{th}\,\Omega$", xscale="log", yscale="log")
    sheet.panels["a"].legend()
    return sheet


FIGURES = {"2": figure_2, "3": figure_3, "4": figure_4, "5": figure_5, "6": figure_6, "7": figure_7}


def edge(work_width: float, **widths: float) -> float:
    """Inverse temperature of the cold reservoir where cooling ends."""
    return root(lambda beta: _cooling(beta, work_width=work_width, **widths), 1.01, 3.5)


def _performance(beta_cold, beta_hot, cold_width=0.1, hot_width=0.1, work_width=1e-3):
    """Cooling current, COP over its bound (NaN without cooling), current of the reduced model."""
    current, cop, bound, reduced = _point(beta_cold, beta_hot, cold_width, hot_width, work_width)
    cools = (current > 0) & (np.asarray(beta_cold) > np.asarray(beta_hot))
    return current, np.where(cools, cop / bound, np.nan), reduced


@in_double_precision
def claims() -> list[Claim]:
    """What the paper says about Figs. 2 to 7, and what comes out."""
    return [*_claims_on_size(), *_claims_on_widths(), *_claims_on_temperatures(), *_claims_on_relaxation()]


def _claims_on_size():
    full = {n: CollectiveRefrigerator(n) for n in (11, 21, 41, 51)}
    points = {n: machine.operate() for n, machine in full.items()}
    current = {n: float(point.heat_currents["cold"]) for n, point in points.items()}
    noise = {n: float(point.heat_covariance["cold", "cold"]) for n, point in points.items()}
    reduced = {n: machine.reduced() for n, machine in full.items()}
    slopes = [np.log(x[51] / x[21]) / np.log(51 / 21) for x in (current, noise)]
    ratios = {
        "current(51)": reduced[51].current() / reduced[51].current_hot_drive(),
        "noise(51)": reduced[51].noise() / reduced[51].noise_hot_drive(),
    }
    worse = {"current(51)": current[51] / reduced[51].current(), "noise(51)": noise[51] / reduced[51].noise()}
    width = {n: n * np.sqrt(noise[n]) / current[n] for n in full}
    slope = np.log(width[51] / width[21]) / np.log(51 / 21) - 1
    yield claim(
        "Fig. 2",
        "current and noise grow as N^2",
        "exponent 2",
        {f"I_c({n})": current[n] for n in full}
        | {f"S_cc({n})": noise[n] for n in full}
        | {f"I_c/N^2({n})": current[n] / n**2 for n in full},
        [abs(slope - 2) < 0.1 for slope in slopes],
        f"exponents between N = 21 and 51: {slopes[0]:.3f} and {slopes[1]:.3f}; I_c / N^2 still falls slowly",
    )
    yield claim(
        "Fig. 2",
        "three levels at beta_w = 0.001 agree almost perfectly with (G4), (G5)",
        "1",
        {f"I_c reduced({n})": reduced[n].current() for n in (11, 51)}
        | {f"G4({n})": reduced[n].current_hot_drive() for n in (11, 51)}
        | ratios,
        [abs(ratio - 1) < 0.01 for ratio in ratios.values()],
        "to half a percent, with j(j + 1) in (G2)",
    )
    yield claim(
        "Fig. 2",
        "the full model performs a bit worse than three levels",
        "worse",
        worse,
        [worse["current(51)"] < 1, worse["noise(51)"] > 1],
        "a fifth less current, a fifth more noise",
    )
    yield claim(
        "Eq. 21",
        "the relative width of the transferred energy goes as 1 / N",
        "1 / N",
        {f"N sqrt(S_cc)/I_c({n})": value for n, value in width.items()},
        [abs(slope + 1) < 0.1],
        f"exponent between N = 21 and 51: {slope:.3f}",
    )


def _claims_on_widths():
    hot_widths = {"a": (0.1, 0.5, 1.0), "b": (0.05, 0.5, 1.0, 2.0)}
    zero = {f"d_w at d_h = {h:g}": root(lambda w, h=h: _cooling(hot_width=h, work_width=w), 1e-4, 1e-2) for h in hot_widths["a"]}
    one_order, two_orders = _cooling(work_width=0.01), _cooling(work_width=0.001)
    never = np.max(_cooling(hot_width=2.0, work_width=np.geomspace(1e-6, 1e-2, 40)))
    yield claim(
        "Fig. 3a",
        "to cool, the work filter must be two or three orders of magnitude narrower than those of cold and hot",
        "two or three orders",
        {**zero, "largest current at d_h = 2": never, "I_c(d_w = 0.01)": one_order, "I_c(d_w = 0.001)": two_orders},
        [one_order < 0 < two_orders],
        f"one order heats, two cool; the border lies {np.log10(0.1 / zero['d_w at d_h = 0.1']):.1f} orders below 0.1",
    )
    cold = {f"I_c(d_c = {c:g}, d_h = {h:g})": _cooling(cold_width=c, hot_width=h) for c in (0.05, 0.1, 0.3) for h in hot_widths["b"]}
    widest = np.max(_cooling(cold_width=0.6, hot_width=np.linspace(0.02, 2, 100)))
    yield claim(
        "Fig. 3b",
        "cooling bears a wide hot filter better than a wide cold one",
        "yes",
        {**cold, "largest current at d_c = 0.6": widest},
        [cold["I_c(d_c = 0.1, d_h = 1)"] > 0, widest < 0],
        "at d_c = 0.6 no hot filter cools",
    )


def _claims_on_temperatures():
    edges = {f"beta_c at d_w = {width:g}": edge(width) for width in WORK_WIDTHS}
    currents = {f"I_c(beta_c = 1, d_w = {width:g})": _cooling(1.0, work_width=width) for width in WORK_WIDTHS}
    yield claim("Fig. 4", "wider work filters cool less far", "falling", {**edges, **currents}, [np.all(np.diff(list(edges.values())) < 0)])
    limits = {
        "d_w = 0.001": edges["beta_c at d_w = 0.001"],
        "d_w = 1e-6": edge(1e-6),
        "d_w = 1e-6, others 0.01": edge(1e-6, cold_width=0.01, hot_width=0.01),
    }
    yield claim(
        "Fig. 4",
        "the limit beta_c = 3 beta_h is closely approachable as the work filter narrows",
        "3",
        limits,
        [limits["d_w = 1e-6"] > 2.95, limits["d_w = 1e-6, others 0.01"] > 2.95],
        "the other two filters must narrow as well",
    )
    cold, hot = np.linspace(0.05, 5.0, 100)[None, :], np.linspace(0.05, 2.5, 99)[:, None]
    ratios = {letter: _performance(cold, hot, **widths)[1] for letter, widths in PANELS_5.items()}
    inside = [np.all((cold < 3 * hot) | np.isnan(ratio)) for ratio in ratios.values()]
    reach = {
        f"largest beta_c that cools, ({letter})": float(np.max(np.where(np.isfinite(ratio), cold, 0))) for letter, ratio in ratios.items()
    }
    yield claim(
        "Fig. 5",
        "cooling is bounded on the right, inside beta_h < beta_c < 3 beta_h",
        "yes",
        reach,
        [*inside, max(reach.values()) < 4.95],
    )
    line = {h: root(lambda b, h=h: _point(b, h, 0.1, 0.1, 1e-3)[3] - 0.004, 1.05 * h, 2.99 * h) for h in (1.5, 2.0, 2.5)}
    ends = {
        f"d_w that ends cooling there, beta_h = {h:g}": root(lambda w, h=h, b=b: _cooling(b, h, work_width=w), 1e-5, 1e-2)
        for h, b in line.items()
    }
    yield claim(
        "Fig. 5b",
        "the border of cooling follows the line on which three levels have the current 0.004",
        "0.004",
        ends,
        [max(ends.values()) < 1.1 * min(ends.values())],
        "one width of the work filter, 0.0005, puts the border on that line",
    )
    best = {f"largest COP over bound, ({letter})": np.nanmax(ratio) for letter, ratio in ratios.items()}
    yield claim(
        "Fig. 5",
        "a wide cold filter costs more of the efficiency than a hot one",
        "(d) below (c)",
        best,
        [best["largest COP over bound, (d)"] < best["largest COP over bound, (c)"]],
        "for our choice of widths, which the paper does not give",
    )


def _claims_on_relaxation():
    mode = reaction_coordinate(Peaked(center=2.0, width=0.1), 50.0)
    numbers = {"mode energy": mode.energy, "coupling squared": mode.coupling**2, "residual density at 3": mode.residual(jnp.asarray(3.0))}
    back, cutoff = mode.peaked()
    yield claim(
        "Fig. 6",
        "a peaked density is a mode with a Lorentz-Drude environment",
        "equivalent",
        numbers,
        [
            abs(float(found) - printed) < 1e-10
            for found, printed in ((back.center, 2.0), (back.width, 0.1), (back.height, 1.0), (cutoff, 50.0))
        ],
        "the map inverts exactly",
    )
    sizes = np.array([11, 21, 31, 51, 101])
    times = sizes**2 * _relaxation(sizes)
    yield claim(
        "Fig. 7",
        "the thermalisation time goes as 1 / N^2",
        "exponent -2",
        {f"N^2 t_th({n})": time for n, time in zip(sizes, times)},
        [abs(np.log(times[-1] / times[2]) / np.log(101 / 31)) < 0.05],
        "N^2 t_th converges slowly",
    )
