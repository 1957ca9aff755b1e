"""Figures 7, 8 and 10 of B. Bhandari and A. N. Jordan, "Minimal two-body quantum absorption
refrigerator": two Kerr-coupled resonators.

The paper's J_C is positive when heat leaves the cold reservoir, as here. Energies in units of
k_B T, T that of the sink.
"""

from typing import Any

import numpy as np

from .._filtered import BIAS, CURRENT, SHIFT, current_axes
from .._sheet import COLUMN, PALETTE, Sheet, in_double_precision
from .devices import (
    QUBITS,
    RESONATORS,
    SMALL,
    WIDTHS,
    by_rates,
    cooling,
    figure_8_current,
    keldysh,
    sizes,
)

__all__ = ["FIGURES", "PAPER", "figure_7", "figure_8", "figure_10"]

PAPER = "Bhandari and Jordan, absorption refrigerator of two resonators"
COMMON = """Filters follow the levels, Omega_L = eps_1, Omega_R = eps_1 + Delta_z,
Omega_C = eps_2 + Delta_z; T_R = T, T_L = T + dT; hbar = 1, energies in units of k_B T."""
RATES = f"""eps_1 = eps_2 = 1, widths Gamma_L = 0.02, Gamma_R = 0.08, Gamma_C = 0.06, strength 1;
T_C = T - dT. N_1 x N_2 are the numbers of levels that are kept. {COMMON}"""
STYLES: dict[tuple[int, int], dict[str, Any]] = {
    QUBITS: {"color": PALETTE[3]},
    (2, 3): {"color": PALETTE[4], "ls": "-."},
    (3, 2): {"color": PALETTE[1], "ls": "-."},
    (3, 3): {"color": PALETTE[0]},
    (4, 4): {"color": PALETTE[2]},
    RESONATORS: {"color": "k", "ls": "--"},
}


@in_double_precision
def figure_7() -> Sheet:
    """Cooling current against the thermal bias, for several numbers of levels."""
    sheet = Sheet(
        "7",
        f"""Heat current out of the cold reservoir against the thermal bias, by the master equation,
        from two qubits (2 x 2) to resonators (16 x 16, converged). Delta_z = 0.05, cut-off 10;
        {RATES}""",
    )
    bias = np.linspace(0.0, 0.95, 191)
    ax = current_axes(sheet, "a", BIAS, (0, 0.95))
    for levels, style in STYLES.items():
        sheet.curve("a", sizes(levels), bias, cooling(levels, bias), **style)
    ax.legend(title=r"$N_1\times N_2$", title_fontsize=7)
    return sheet


@in_double_precision
def figure_8() -> Sheet:
    """Cooling current against the Kerr coupling, for two or three levels."""
    sheet = Sheet(
        "8",
        f"""Heat current out of the cold reservoir against Delta_z, by the master equation, for two
        and three levels; black dashes, not in the paper: resonators (16 x 16, converged). dT = 0.3,
        cut-off 20; {RATES}""",
    )
    shift = np.linspace(0.0, 0.6, 181)
    ax = current_axes(sheet, "a", SHIFT, (0, 0.6))
    for levels in (*SMALL, RESONATORS):
        sheet.curve("a", sizes(levels), shift, figure_8_current(levels, shift), **STYLES[levels])
    ax.legend(title=r"$N_1\times N_2$", title_fontsize=7)
    return sheet


@in_double_precision
def figure_10() -> Sheet:
    """Cooling current against the thermal bias by Green functions, for three retarded functions,
    and by the master equation."""
    sheet = Sheet(
        "10",
        f"""Heat current out of the cold reservoir against the thermal bias, for hot filters of
        width Gamma_L = 0.01 (solid) and 0.02 (dashed). (a) Green functions with Sigma^r = -iK,
        which fits the two maxima that the text quotes but breaks the sum rule; inset: master
        equation (16 x 16 levels). (b) Green functions with Sigma^r = -iK/2, "local", and with the
        real part that causality demands, "causal" (sum rule obeyed), where lambda is the strength
        of all filters, which the paper does not give: 1 in (a). eps_1 = eps_2 = 2, Delta_z = 0.2,
        Gamma_R = Gamma_C = 0.02, cut-off 7, T_C = T. All are of lowest order in Delta_z; "causal"
        is not converged in it. {COMMON}""",
        [["a"], ["b"]],
        (COLUMN, 4.8),
        sharex=True,
    )
    bias = 1.2 * np.linspace(0.0, 1.0, 61) ** 2  # the curves of (b) are steep at its beginning
    above = current_axes(sheet, "a", "", (0, 1.2))
    below = current_axes(sheet, "b", BIAS, (0, 1.2))
    inset = above.inset_axes((0.4, 0.45, 0.44, 0.27))
    inset.set(xlim=(0, 1.2))
    inset.set_xlabel(BIAS, fontsize=6, labelpad=0)
    inset.set_ylabel(CURRENT, fontsize=6)
    styles = dict(zip(WIDTHS, ("-", "--")))
    for width, style in styles.items():
        current = keldysh("paper", bias, width)
        sheet.curve("a", rf"$\Gamma_L={width}$", bias, current, style, color=PALETTE[0])
        label = rf"rates, $\Gamma_L={width}$"
        sheet.curve("a", label, bias, by_rates(bias, width), style, color="k", ax=inset)
    # Retarded functions, strengths of the filters, and where they are named.
    models = (("causal", 0.3, 6e-5), ("local", 1.0, 2e-6), ("causal", 1.0, -1.3e-5))
    for (retarded, strength, place), colour in zip(models, PALETTE[1:]):
        name = rf"{retarded}, $\lambda={strength:g}$"
        for width, style in styles.items():
            current = keldysh(retarded, bias, width, strength)
            label = rf"{name}, $\Gamma_L={width}$"
            sheet.curve("b", label, bias, current, style, color=colour)
        below.text(1.17, place, name, color=colour, fontsize=7, ha="right", va="bottom")
    inset.ticklabel_format(axis="y", scilimits=(0, 0), useMathText=True)
    inset.tick_params(labelsize=6)
    inset.yaxis.offsetText.set_fontsize(6)
    inset.text(1.15, 2e-4, "master equation", fontsize=6, ha="right")
    above.set_ylim(-1.3e-8, 3.2e-8)
    below.set_yscale("asinh", linear_width=1e-7)
    below.set_ylim(-3e-4, 3e-4)
    ticks = 10.0 ** np.arange(-6, -3)
    below.set_yticks([*-ticks, *ticks, 0.0])
    above.legend(loc="lower right")
    return sheet


FIGURES = {"7": figure_7, "8": figure_8, "10": figure_10}
