"""Figures of D. Kolisnyk and G. Schaller, "Performance boost of a collective qubit absorption
refrigerator".

The paper's currents are positive when energy enters the working fluid, as here; it gives inverse
temperatures, in units of 1 / Omega.
"""

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from ...spectral import Peaked, reaction_coordinate
from .._sheet import PAGE, PALETTE, Sheet, in_double_precision
from .devices import (
    COLD_5,
    HOT_5,
    PANELS_5,
    WORK_WIDTHS,
    cooling,
    edge,
    full_model,
    panel_5,
    reduced_model,
    relaxation,
)

__all__ = [
    "FIGURES",
    "PAPER",
    "figure_2",
    "figure_3",
    "figure_4",
    "figure_5",
    "figure_6",
    "figure_7",
]

PAPER = "Kolisnyk and Schaller, collective qubit absorption refrigerator"
COMMON = r"""Filters at 2, 6, 4 Omega (cold, hot, work) with heights 1; unless said otherwise N =
31, widths 0.1, 0.1, 0.001 and inverse temperatures 2, 1, 0.001 (cold, hot, work), all in units of
Omega."""
SIZES = (3, 5, 11, 21, 31, 41, 51, 61)


@in_double_precision
def figure_2() -> Sheet:
    """Cooling current and its noise against the number of spins: full and reduced model, and the
    limit of a hot drive (G4, G5)."""
    sheet = Sheet(
        "2",
        f"""Cooling current and (inset) its noise against the odd number N of spins: full model,
        three-level model at the same temperatures, and its closed forms (G4), (G5) for infinite
        temperature of the work reservoir. The rates of the three-level model go with j(j + 1); the
        printed (G2) has another sign. {COMMON}""",
    )
    full = [full_model(n) for n in SIZES]
    sizes = SIZES[1:]  # three spins have two levels
    reduced = [reduced_model(n) for n in sizes]
    thin = {"color": "k", "lw": 0.8}
    ax = sheet.label("a", "N", r"$I_E^c\ /\ \Omega\bar\Gamma_c$")
    inset = ax.inset_axes((0.2, 0.52, 0.4, 0.44))
    inset.set(xlabel="N", ylabel=r"$S_E^c\ /\ \Omega^2\bar\Gamma_c$")
    sheet.curve("a", "full model", SIZES, [model.current for model in full], "o")
    sheet.curve("a", "reduced model", sizes, [model.current for model in reduced], "s")
    limit = [model.current_hot_drive for model in reduced]
    sheet.curve("a", r"reduced, $\beta_w\to 0$ (G4)", sizes, limit, **thin)
    sheet.curve("a", "full model", SIZES, [model.noise for model in full], "o", ax=inset)
    sheet.curve("a", "reduced model", sizes, [model.noise for model in reduced], "s", ax=inset)
    limit = [model.noise_hot_drive for model in reduced]
    sheet.curve("a", r"reduced, $\beta_w\to 0$ (G5)", sizes, limit, ax=inset, **thin)
    inset.tick_params(labelsize=6)
    ax.legend(loc="lower right")
    return sheet


@in_double_precision
def figure_3() -> Sheet:
    """Cooling current against the widths of the filters."""
    sheet = Sheet(
        "3",
        f"""Cooling current (blue: the cold reservoir is cooled, red: it is heated; black line:
        none) against the width of the hot filter and (a) that of the work filter, at a width of 0.1
        of the cold one, (b) that of the cold filter, at a width of 0.001 of the work one.
        {COMMON}""",
        "ab",
        (PAGE, 2.7),
        sharey=True,
    )
    hot = np.linspace(0.05, 2.0, 79)
    work = np.linspace(5e-4, 5.5e-3, 81)
    cold = np.linspace(0.05, 0.7, 81)
    panels = {
        "a": (work, cooling(work_width=work, hot_width=hot[:, None])),
        "b": (cold, cooling(cold_width=cold, hot_width=hot[:, None])),
    }
    colours = {"cmap": "RdBu", "vmin": -0.3, "vmax": 0.3}
    for letter, (widths, current) in panels.items():
        sheet.map(letter, "cooling current", widths, hot, current, **colours)
        sheet.panels[letter].contour(widths, hot, current, [0.0], colors="k", linewidths=0.8)
    sheet.label("a", r"$\delta_w/\Omega$", r"$\delta_h/\Omega$")
    sheet.label("b", r"$\delta_c/\Omega$", "")
    sheet.colour_bar(r"$I_E^c\ /\ \Omega\bar\Gamma_c$", extend="both")
    return sheet


@in_double_precision
def figure_4() -> Sheet:
    """Cooling current against the inverse temperature of the cold reservoir, for several widths of
    the work filter."""
    sheet = Sheet(
        "4",
        f"""Cooling current against the inverse temperature of the cold reservoir for several widths
        of the work filter. Thin vertical lines: where each changes sign; dotted: 3 beta_h, where
        three levels alone stop to cool. {COMMON}""",
    )
    beta = np.linspace(0.8, 4.0, 129)
    current = r"$I_E^c\ /\ \Omega\bar\Gamma_c$"
    ax = sheet.label("a", r"$\beta_c\Omega$", current, ylim=(-0.55, 1.05))
    ax.axhline(0, color="0.4", lw=0.8, ls="--")
    for width, colour in zip(WORK_WIDTHS, PALETTE):
        label = rf"$\delta_w={width}\,\Omega$"
        sheet.curve("a", label, beta, cooling(beta, work_width=width), color=colour)
        ax.axvline(edge(width), color=colour, lw=0.6)
    ax.axvline(3.0, color="k", ls=":")
    ax.legend(loc="upper right", fontsize=6)
    return sheet


@in_double_precision
def figure_5() -> Sheet:
    """COP over its bound from the noise, in the plane of the inverse temperatures of the cold and
    hot reservoirs."""
    sheet = Sheet(
        "5",
        f"""COP over its bound from current and noise (F1) where the machine cools (white: it does
        not), against the inverse temperatures of the cold and hot reservoirs. Red dot: largest
        cooling current in the panel; black cross: largest COP over bound. Dashed: beta_c = beta_h
        and beta_c = 3 beta_h, between which three levels alone cool; green: their current 0.4,
        0.04, 0.004, from left to right. The paper gives no widths for its panels; here (a) those of
        Fig. 2, (b) work filter 0.0005, where cooling ends on the line 0.004 as the paper says, (c)
        hot filter 0.3, (d) cold filter 0.3. {COMMON}""",
        [["a", "b"], ["c", "d"]],
        (PAGE, 5.0),
        sharex=True,
        sharey=True,
    )
    cold, hot = COLD_5, HOT_5
    for letter in PANELS_5:
        ax = sheet.panels[letter]
        current, ratio, reduced = panel_5(letter)
        sheet.map(letter, "COP over its bound", cold, hot, ratio, cmap="Blues", vmin=0, vmax=1)
        colder = np.where(cold > hot[:, None], reduced, np.nan)
        levels = [0.004, 0.04, 0.4]
        ax.contour(cold, hot, colder, levels, colors=PALETTE[2], linewidths=0.7)
        for factor in (1, 3):
            ax.plot(cold, cold / factor, "k--", lw=0.8)
        _mark_largest(ax, np.where(np.isfinite(ratio), current, -np.inf), "o", "#D00000")
        _mark_largest(ax, np.nan_to_num(ratio), "x", "k")
        x = r"$\beta_c\Omega$" if letter in "cd" else ""
        y = r"$\beta_h\Omega$" if letter in "ac" else ""
        sheet.label(letter, x, y, ylim=(0, 2.5))
    sheet.colour_bar(r"$\kappa/\bar\kappa$")
    return sheet


@in_double_precision
def figure_6() -> Sheet:
    """The reaction-coordinate map: a peaked density becomes a mode coupled to a smooth residual one
    (App. B)."""
    peaked = Peaked(center=2.0, width=0.1)
    mode = reaction_coordinate(peaked, 50.0)
    sheet = Sheet(
        "6",
        f"""The mapping of Fig. 6 for a cold filter (height 1, centre 2, width 0.1, cut-off 50): (a)
        the peaked density, (b) the Lorentz-Drude density that is left to the environment of the
        mode, of energy {float(mode.energy):.4g}, once the system is coupled to that mode with
        strength {float(mode.coupling):.3g}. The paper's figure is a sketch.""",
        "ab",
        (PAGE, 2.3),
    )
    around = np.linspace(1.5, 2.5, 301)
    energy = np.concatenate([np.linspace(0.0, 1.5, 60), around, np.linspace(2.5, 5.0, 60)])
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
        """Time in which the relative entropy to the final Gibbs state falls to 1e-6 against the odd
        number N of spins: from inverse temperature 1 to 4 in contact with an Ohmic reservoir
        (coupling 1, cut-off 100) through J_x. Dashed: 1 / N^2 through the last point.""",
    )
    sizes = np.arange(11, 102, 6)
    times = relaxation(sizes)
    sheet.curve("a", r"$t_{th}$", sizes, times, "ko")
    law = times[-1] * (sizes[-1] / sizes) ** 2.0
    sheet.curve("a", r"$\propto 1/N^2$", sizes, law, "--", color=PALETTE[1])
    sheet.label("a", "N", r"$t_{th}\,\Omega$", xscale="log", yscale="log")
    sheet.panels["a"].legend()
    return sheet


FIGURES = {
    "2": figure_2,
    "3": figure_3,
    "4": figure_4,
    "5": figure_5,
    "6": figure_6,
    "7": figure_7,
}


def _mark_largest(ax: Axes, values: np.ndarray, mark: str, colour: str) -> None:
    """Mark where `values` are largest in a panel of Fig. 5."""
    row, column = np.unravel_index(np.argmax(values), values.shape)
    ax.plot(COLD_5[column], HOT_5[row], mark, color=colour, ms=5)
