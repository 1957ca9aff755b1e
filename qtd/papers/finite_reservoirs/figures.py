"""Figures of the paper on the transient cooling of finite fermionic reservoirs without a
refrigerator.
"""

import numpy as np

from .._sheet import PALETTE, Sheet, in_double_precision
from .devices import PARAMETERS, crossover, equilibrium, history

__all__ = ["FIGURES", "PAPER", "figure_1", "figure_2", "figure_3", "figure_4", "figure_5"]

PAPER = "Transient cooling of finite fermionic reservoirs"
REMARKS = {
    3: """The printed parameters repeat those of Fig. 2, with which no chemical potentials cross;
    T_1 = 0.6 stands in for what is unknown.""",
    4: """Rates of reservoirs 1 to 4 are as 10 : 1 : 10 : 0.05; the printed exponents are partly
    lost.""",
    5: """Rates of reservoirs 1 to 5 are as 1 : 0.1 : 1 : 0.5 : 0.5, our choice: the printed
    exponents are lost.""",
}


@in_double_precision
def figure_1() -> Sheet:
    """The colder reservoir cools for a while, its chemical potential below the modes."""
    return _dynamics(1)


@in_double_precision
def figure_2() -> Sheet:
    """The temperatures change order."""
    return _dynamics(2)


@in_double_precision
def figure_3() -> Sheet:
    """The chemical potentials change order."""
    return _dynamics(3)


@in_double_precision
def figure_4() -> Sheet:
    """Four reservoirs, with several extrema."""
    return _dynamics(4)


@in_double_precision
def figure_5() -> Sheet:
    """Five reservoirs around six modes."""
    return _dynamics(5)


FIGURES = {"1": figure_1, "2": figure_2, "3": figure_3, "4": figure_4, "5": figure_5}


def _dynamics(number: int) -> Sheet:
    """Temperatures and chemical potentials against time."""
    energies, temperatures, potentials, _ = PARAMETERS[number]
    states = history(number)
    rest = equilibrium(number)
    two = len(temperatures) == 2
    sheet = Sheet(str(number), _caption(number), [["a"], ["b"]], (3.4, 4.2), sharex=True)
    for j in range(len(temperatures)):
        sheet.curve("a", rf"$T_{j + 1}$", states.times, states.temperatures[:, j])
        sheet.curve("b", rf"$\mu_{j + 1}$", states.times, states.chemical_potentials[:, j])
    for panel, value in (("a", rest.temperature), ("b", rest.chemical_potential)):
        sheet.panels[panel].axhline(float(value), color="k", ls="-.", lw=0.7)
    for energy in energies:
        sheet.panels["b"].axhline(energy, color="0.45", ls="--", lw=0.7)
    if two:
        energy = crossover(states.temperatures, states.chemical_potentials)
        energy[1:][np.abs(np.diff(energy)) > 30] = np.nan  # no line through infinity
        sheet.curve("b", r"$\tilde\omega$", states.times, energy, ":", color=PALETTE[2])
    coldest = np.min(states.temperatures)
    span = np.max(states.temperatures) - coldest
    limits = coldest - 0.06 * span, np.max(states.temperatures) + 0.2 * span
    sheet.label("a", "", r"temperature / $T$", ylim=limits)
    low = min(*potentials, *energies)
    high = max(*potentials, *energies)
    room = 0.12 * (high - low)
    limits = low - room, high + 3 * room
    sheet.label("b", r"time / $\tau$", r"potential / $T$", xscale="log", ylim=limits)
    legend = {"ncols": 5, "fontsize": 6, "columnspacing": 1.0}
    sheet.panels["a"].legend(**legend, loc="upper left")
    sheet.panels["b"].legend(**legend, loc="upper right" if two else "upper left")
    return sheet


def _caption(number: int) -> str:
    energies, temperatures, potentials, strengths = PARAMETERS[number]
    crossing = "; dotted: the energy at which both are equally occupied"
    return f"""Dynamics of (a) temperatures and (b) chemical potentials of {len(temperatures)}
    finite reservoirs (three dimensions, equal sizes AV = 1, Sommerfeld expansion) around modes at
    omega = {_listed(energies)} with T(0) = {_listed(temperatures)}, mu(0) = {_listed(potentials)}
    and rates c_j sqrt(omega_k), c = {_listed(strengths)}. Dash-dotted: equilibrium; dashed: the
    modes{crossing if len(temperatures) == 2 else ""}. {REMARKS.get(number, "")}"""


def _listed(values: list[float]) -> str:
    return ", ".join(map(str, values))
