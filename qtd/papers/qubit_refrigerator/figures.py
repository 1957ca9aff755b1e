"""Figures 3, 4 and 5 of B. Bhandari and A. N. Jordan, "Minimal two-body quantum absorption
refrigerator": two coupled qubits.

The paper's J_C is positive when heat leaves the cold reservoir, as here. Energies in units of
k_B T, T that of the sink.
"""

from typing import Any

import numpy as np

from .._filtered import BIAS, SHIFT, current_axes
from .._sheet import COLUMN, PALETTE, Sheet, in_double_precision
from .devices import (
    SHIFTS,
    best_bias,
    by_global,
    by_local,
    figure_4_current,
    figure_4_resonant,
    first_energy,
    last_bias,
    without_exchange,
)

__all__ = ["FIGURES", "PAPER", "figure_3", "figure_4", "figure_5"]

PAPER = "Bhandari and Jordan, absorption refrigerator of two qubits"
COMMON = """Widths Gamma_L = 0.02, Gamma_R = 0.08, Gamma_C = 0.06 of filters that follow the levels,
Omega_L = eps_1, Omega_R = eps_1 + Delta_z, Omega_C = eps_2 + Delta_z; T_R = T, T_L = T + dT,
T_C = T - dT; coupling kappa = 1, hbar = 1, energies in units of k_B T. A cut-off eps_C of the
filters above all gaps, such as the paper's, changes nothing."""
EXCHANGES = (0.0, 0.001, 0.002, 0.003, 0.05)


@in_double_precision
def figure_3() -> Sheet:
    """Cooling current against the thermal bias."""
    sheet = Sheet(
        "3",
        f"""Heat current out of the cold reservoir against the thermal bias (Eq. 7); dots: largest
        cooling, circles: where it turns into heating. eps_1 = eps_2 = 2. The text does not give the
        curves' Delta_z; here 0.05, 0.1, 0.2, 0.3, 0.5. {COMMON}""",
    )
    bias = np.linspace(0.0, 0.95, 191)
    ax = current_axes(sheet, "a", BIAS, (0, 0.95))
    for shift, colour in zip(SHIFTS, PALETTE):
        sheet.curve("a", rf"$\Delta_z={shift}$", bias, without_exchange(bias, shift), color=colour)
        ax.plot(*best_bias(shift), "o", color=colour)
        ax.plot(last_bias(shift), 0, "o", color=colour, mfc="w", zorder=3, clip_on=False)
    ax.legend()
    return sheet


@in_double_precision
def figure_4() -> Sheet:
    """Cooling current against the energy of the first qubit."""
    sheet = Sheet(
        "4",
        f"""Heat current out of the cold reservoir against the energy of the qubit between hot and
        sink (Eq. 7); blue: it is cooled, red: it is heated. Delta_z = 0.1, eps_2 = 2.1, dT = 0.3.
        The printed caption says "into" and eps_1 = 2; the current is the one out of the reservoir,
        and eps_1 is the axis. Where eps_1 < 0 the filters of Eq. (3) are out of resonance; dashed:
        with centres |eps_1| and |eps_1 + Delta_z|. {COMMON}""",
    )
    negative = np.linspace(-2.0, -0.01, 150)
    energy = np.concatenate([negative, np.linspace(0.01, 4.0, 250)])
    ax = current_axes(sheet, "a", r"$\epsilon_1\ /\ k_BT$", (-2, 4))
    ax.axvspan(-2, first_energy(), color=PALETTE[1], alpha=0.12, lw=0)
    ax.axvspan(first_energy(), 4, color=PALETTE[0], alpha=0.12, lw=0)
    resonant = figure_4_resonant(negative)
    sheet.curve("a", r"$\Omega_L=\epsilon_1$", energy, figure_4_current(energy), "k")
    sheet.curve("a", r"$\Omega_L=|\epsilon_1|$", negative, resonant, "--", color=PALETTE[1])
    ax.legend(loc="lower right")
    return sheet


@in_double_precision
def figure_5() -> Sheet:
    """Cooling current against the ZZ coupling, for several exchange (XX) couplings: local and
    global master equation."""
    sheet = Sheet(
        "5",
        f"""Heat current out of the cold reservoir against Delta_z for several Delta_x: (a) local,
        (b) global master equation. eps_1 = 2, eps_2 = 2.1, dT = 0.1 as in the printed caption; grey
        dashes: Delta_x = 0.002 at dT = 0.3 as in Fig. 4, where the global equation heats up to
        Delta_z = 0.2, as the text says. The text gives one Delta_x, 0.002; the others are ours: 0,
        0.001, 0.003, and 0.05. In (a) the first four coincide, in (b) 0.05 heats beyond the scale.
        {COMMON}""",
        [["a"], ["b"]],
        (COLUMN, 4.4),
        sharex=True,
    )
    shift = np.linspace(0.0, 0.8, 161)
    styles: dict[float, dict[str, Any]] = {}
    for exchange, colour in zip(EXCHANGES, PALETTE):
        styles[exchange] = {"color": colour}
    styles[0.002] = {"color": "k", "ls": "--", "zorder": 3}
    for letter, current, name in (("a", by_local, "local"), ("b", by_global, "global")):
        ax = current_axes(sheet, letter, SHIFT if letter == "b" else "", (0, 0.8))
        ax.set_title(name, fontsize=8)
        for exchange, style in styles.items():
            label = rf"$\Delta_x={exchange:g}$"
            sheet.curve(letter, label, shift, current(shift, exchange, 0.1, 1.0), **style)
        label = r"$\Delta_x=0.002$, $\Delta T=0.3$"
        other = current(shift, 0.002, 0.3, 1.0)
        sheet.curve(letter, label, shift, other, "--", color="0.6", lw=0.9)
    sheet.panels["b"].set_ylim(-1.5e-3, 1.2e-3)
    sheet.panels["a"].legend(loc="lower right", ncols=2, bbox_to_anchor=(1, 0.07))
    return sheet


FIGURES = {"3": figure_3, "4": figure_4, "5": figure_5}
