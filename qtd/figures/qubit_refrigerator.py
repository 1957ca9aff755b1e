"""Figures 3, 4 and 5 of B. Bhandari and A. N. Jordan, "Minimal two-body quantum absorption refrigerator": two coupled qubits.

The paper's J_C is positive when heat leaves the cold reservoir, as here. Energies in units of k_B T, T that of the sink.
"""

import functools
from typing import Any

import numpy as np

from ..machines import QubitRefrigerator
from ..parameters import replace
from ._blocks import in_blocks, peak, root
from ._sheet import COLUMN, PALETTE, Claim, Sheet, claim, in_double_precision

__all__ = ["FIGURES", "PAPER", "claims", "figure_3", "figure_4", "figure_5"]

PAPER = "Bhandari and Jordan, absorption refrigerator of two qubits"
COMMON = """Widths Gamma_L = 0.02, Gamma_R = 0.08, Gamma_C = 0.06 of filters that follow the levels, Omega_L = eps_1,
Omega_R = eps_1 + Delta_z, Omega_C = eps_2 + Delta_z; T_R = T, T_L = T + dT, T_C = T - dT; coupling kappa = 1, hbar = 1, energies in
units of k_B T. A cut-off eps_C of the filters above all gaps, such as the paper's, changes nothing."""
CURRENT, SHIFT, BIAS = r"$J_C\ /\ (k_BT)^2$", r"$\Delta_z\ /\ k_BT$", r"$\Delta T\ /\ T$"
SHIFTS = (0.05, 0.1, 0.2, 0.3, 0.5)
EXCHANGES = (0.0, 0.001, 0.002, 0.003, 0.05)


@in_blocks
def _ring(bias, shift, energy_1, energy_2, hot, sink):
    """Cooling current without exchange, Eq. (7), with the filters of hot and sink centred at `hot` and `sink`."""
    machine = _machine("zz", bias, shift, energy_1, energy_2)
    return replace(machine, {"hot.spectral_density.center": hot, "sink.spectral_density.center": sink}).ring().heat_currents["cold"]


def _machine(model, bias, shift, energy_1, energy_2, exchange=0.0, coupling=1.0):
    """Filters are on the levels by default."""
    machine = QubitRefrigerator(model, energy_1, energy_2, shift, exchange, coupling)
    return replace(machine, {"hot.temperature": 1 + bias, "cold.temperature": 1 - bias})


def _with_exchange(model, shift, exchange, bias, coupling):
    """Cooling current of Fig. 5 over the coupling."""
    return _machine(model, bias, shift, 2.0, 2.1, exchange, coupling).operate().heat_currents["cold"] / coupling


_local, _global, _redfield = (in_blocks(functools.partial(_with_exchange, model)) for model in ("local", "global", "redfield-partial"))


def _without_exchange(bias, shift, energy_1=2.0, energy_2=2.0):
    return _ring(bias, shift, energy_1, energy_2, energy_1, energy_1 + shift)


def _figure_4(energy_1):
    return _without_exchange(0.3, 0.1, energy_1, 2.1)


def _figure_4_resonant(energy_1):
    """With hot and sink filters on the size of the gaps, also where these are negative."""
    return _ring(0.3, 0.1, energy_1, 2.1, np.abs(energy_1), np.abs(energy_1 + 0.1))


@in_double_precision
def figure_3() -> Sheet:
    """Cooling current against the thermal bias."""
    sheet = Sheet(
        "3",
        f"""Heat current out of the cold reservoir against the thermal bias (Eq. 7); dots: largest cooling, circles: where it turns into
        heating. eps_1 = eps_2 = 2. The text does not give the curves' Delta_z; here 0.05, 0.1, 0.2, 0.3, 0.5. {COMMON}""",
    )
    bias = np.linspace(0.0, 0.95, 191)
    ax = sheet.label("a", BIAS, CURRENT, xlim=(0, 0.95))
    ax.axhline(0, color="0.4", lw=0.6)
    for shift, colour in zip(SHIFTS, PALETTE):
        sheet.curve("a", rf"$\Delta_z={shift}$", bias, _without_exchange(bias, shift), color=colour)
        ax.plot(*_best_bias(shift), "o", color=colour)
        ax.plot(_last_bias(shift), 0, "o", color=colour, mfc="w", zorder=3, clip_on=False)
    ax.ticklabel_format(axis="y", scilimits=(0, 0), useMathText=True)
    ax.legend()
    return sheet


@in_double_precision
def figure_4() -> Sheet:
    """Cooling current against the energy of the first qubit."""
    sheet = Sheet(
        "4",
        f"""Heat current out of the cold reservoir against the energy of the qubit between hot and sink (Eq. 7); blue: it is cooled, red:
        it is heated. Delta_z = 0.1, eps_2 = 2.1, dT = 0.3. The printed caption says "into" and eps_1 = 2; the current is the one out of
        the reservoir, and eps_1 is the axis. Where eps_1 < 0 the filters of Eq. (3) are out of resonance; dashed: with centres |eps_1|
        and |eps_1 + Delta_z|. {COMMON}""",
    )
    energy = np.concatenate([np.linspace(-2.0, -0.01, 150), np.linspace(0.01, 4.0, 250)])
    ax = sheet.label("a", r"$\epsilon_1\ /\ k_BT$", CURRENT, xlim=(-2, 4))
    for ends, colour in (((-2, _first_energy()), PALETTE[1]), ((_first_energy(), 4), PALETTE[0])):
        ax.axvspan(*ends, color=colour, alpha=0.12, lw=0)
    ax.axhline(0, color="0.4", lw=0.6)
    negative = energy[energy < 0]
    sheet.curve("a", r"$\Omega_L=\epsilon_1$", energy, _figure_4(energy), "k")
    sheet.curve("a", r"$\Omega_L=|\epsilon_1|$", negative, _figure_4_resonant(negative), "--", color=PALETTE[1])
    ax.ticklabel_format(axis="y", scilimits=(0, 0), useMathText=True)
    ax.legend(loc="lower right")
    return sheet


@in_double_precision
def figure_5() -> Sheet:
    """Cooling current against the ZZ coupling, for several exchange (XX) couplings: local and global master equation."""
    sheet = Sheet(
        "5",
        f"""Heat current out of the cold reservoir against Delta_z for several Delta_x: (a) local, (b) global master equation. eps_1 = 2,
        eps_2 = 2.1, dT = 0.1 as in the printed caption; grey dashes: Delta_x = 0.002 at dT = 0.3 as in Fig. 4, where the global equation
        heats up to Delta_z = 0.2, as the text says. The text gives one Delta_x, 0.002; the others are ours: 0, 0.001, 0.003, and 0.05.
        In (a) the first four coincide, in (b) 0.05 heats beyond the scale. {COMMON}""",
        [["a"], ["b"]],
        (COLUMN, 4.4),
        sharex=True,
    )
    shift = np.linspace(0.0, 0.8, 161)
    styles: dict[float, dict[str, Any]] = {exchange: {"color": colour} for exchange, colour in zip(EXCHANGES, PALETTE)}
    styles[0.002] = {"color": "k", "ls": "--", "zorder": 3}
    for letter, current, name in (("a", _local, "local"), ("b", _global, "global")):
        ax = sheet.label(letter, SHIFT if letter == "b" else "", CURRENT, xlim=(0, 0.8))
        ax.set_title(name, fontsize=8)
        ax.axhline(0, color="0.4", lw=0.6)
        for exchange, style in styles.items():
            sheet.curve(letter, rf"$\Delta_x={exchange:g}$", shift, current(shift, exchange, 0.1, 1.0), **style)
        label = r"$\Delta_x=0.002$, $\Delta T=0.3$"
        sheet.curve(letter, label, shift, current(shift, 0.002, 0.3, 1.0), "--", color="0.6", lw=0.9)
        ax.ticklabel_format(axis="y", scilimits=(0, 0), useMathText=True)
    sheet.panels["b"].set_ylim(-1.5e-3, 1.2e-3)
    sheet.panels["a"].legend(loc="lower right", ncols=2, bbox_to_anchor=(1, 0.07))
    return sheet


FIGURES = {"3": figure_3, "4": figure_4, "5": figure_5}


def _best_bias(shift):
    return peak(lambda bias: _without_exchange(bias, shift), 0.02, 0.5)


def _last_bias(shift):
    return root(lambda bias: _without_exchange(bias, shift), 0.4, 0.9)


def _best_shift(bias):
    return peak(lambda shift: _without_exchange(bias, shift), 0.05, 1.0)


def _first_shift(bias):
    return root(lambda shift: _without_exchange(bias, shift), 1e-3, 0.1)


def _last_shift(bias):
    return root(lambda shift: _without_exchange(bias, shift), 0.8, 2.0)


def _first_energy():
    return root(_figure_4, 0.1, 0.5)


@in_double_precision
def claims() -> list[Claim]:
    """What the paper says about Figs. 3, 4 and 5, and what comes out."""
    return [*_claims_on_bias(), *_claims_on_shift(), *_claims_on_energy(), *_claims_on_exchange(), *_claims_on_equations()]


def _claims_on_bias():
    best = {shift: _best_bias(shift) for shift in SHIFTS}
    yield claim(
        "Fig. 3",
        "the cooling current has a maximum around dT = 0.3 T",
        "0.3",
        {f"dT of maximum (D_z = {shift})": at for shift, (at, _) in best.items()},
        [all(0.05 < at < 0.45 for at, _ in best.values()), all(0.25 < at < 0.35 for at, _ in best.values())],
        f"there is one, at {min(at for at, _ in best.values()):.2f} to {max(at for at, _ in best.values()):.2f}",
    )
    heights = [height for _, height in best.values()]
    yield claim(
        "Fig. 3",
        "the magnitude of cooling depends on Delta_z",
        "yes",
        {f"largest J_C (D_z = {shift})": height for shift, height in zip(SHIFTS, heights)},
        [max(heights) > 2 * min(heights)],
        f"by a factor of {max(heights) / min(heights):.1f} between these curves",
    )
    ends = {shift: _last_bias(shift) for shift in SHIFTS}
    heating = {shift: np.max(-_without_exchange(np.linspace(end, 0.99, 400), shift)) for shift, end in ends.items()}
    yield claim(
        "Fig. 3",
        "it cools in the entire range of the thermal bias",
        "all dT",
        {f"dT where cooling ends (D_z = {shift})": end for shift, end in ends.items()}
        | {
            "strongest heating, D_z = 0.05 to 0.2": max(heating[shift] for shift in SHIFTS[:3]),
            "strongest heating, D_z = 0.5": heating[0.5],
        }
        | {f"D_z where cooling begins (dT = {bias})": _first_shift(bias) for bias in (0.1, 0.3)},
        [min(ends.values()) > 0.5, max(heating.values()) <= 0],
        f"up to dT = {min(ends.values()):.2f} to {max(ends.values()):.2f}; the heating beyond is invisible on the figure up to D_z = 0.2",
    )
    machine = _machine("zz", 0.3, 0.1, 2.0, 2.0)
    over_gap = float(machine.validity().rate_over_gap)
    yield claim(
        "Fig. 3",
        "the coupling is well within the weak coupling regime",
        "rates far below all energies",
        {"largest rate (dT = 0.3, D_z = 0.1)": over_gap * 2.0, "smallest gap": 2.0},
        [over_gap < 0.1],
        "by Eq. (3) a narrow filter is a strong one, K = 1 / (Gamma Omega) at its centre; a prefactor kappa below 1e-3 would make the "
        "coupling weak, and scale all currents of Figs. 3 and 4 alike",
    )


def _claims_on_shift():
    best, last = {bias: _best_shift(bias) for bias in (0.1, 0.3)}, {bias: _last_shift(bias) for bias in (0.1, 0.3)}
    far = {bias: _without_exchange(bias, np.linspace(last[bias] + 1e-3, 12.0, 400)) for bias in best}
    ideal = {bias: 2.0 * (1 - bias) / (1 + bias) for bias in best}
    yield claim(
        "Fig. 3",
        "against Delta_z the current has a maximum and goes to zero for large Delta_z",
        "maximum, then zero",
        {f"D_z of maximum (dT = {bias})": at for bias, (at, _) in best.items()}
        | {f"largest J_C (dT = {bias})": height for bias, (_, height) in best.items()}
        | {f"D_z where heating begins (dT = {bias})": end for bias, end in last.items()}
        | {f"the same by Eq. 10 (dT = {bias})": end for bias, end in ideal.items()},
        [all(abs(far[bias][-1]) < 1e-3 * best[bias][1] for bias in best), all(np.all(far[bias] >= 0) for bias in best)],
        "it turns into heating first, and tends to zero from below",
    )


def _claims_on_energy():
    energy = np.linspace(-2.0, -0.01, 200)
    at = {f"J_C(eps_1 = {e:g})": _figure_4(e) for e in (-0.5, -1.0)} | {"J_C(-1), centres |eps_1|": _figure_4_resonant(-1.0)}
    yield claim(
        "Fig. 4",
        "the cold reservoir is heated where eps_1 < 0",
        "heating",
        at,
        [np.all(_figure_4(energy) < 0), np.all(_figure_4_resonant(energy) < 0)],
        "with either reading of the filters at negative energies",
    )
    first, (best, height) = _first_energy(), peak(_figure_4, 0.3, 3.0)
    yield claim(
        "Fig. 4",
        "the cold reservoir is cooled where eps_1 > 0",
        "cooling",
        {
            "eps_1 where cooling begins": first,
            "the same by Eq. 10": 0.1 * 1.3 / 0.7,
            "J_C(eps_1 = 0.1)": _figure_4(0.1),
            "eps_1 of maximum": best,
            "largest J_C": height,
        },
        [np.all(_figure_4(np.linspace(first + 1e-3, 4.0, 200)) > 0), np.all(_figure_4(np.linspace(1e-3, first - 1e-3, 50)) > 0)],
        f"only above eps_1 = {first:.2f}, which Eq. (10) demands as well",
    )


def _claims_on_exchange():
    zero = lambda bias, exchange, low, high: root(lambda shift: _global(shift, exchange, bias, 1.0), low, high)
    starts = {
        f"dT = {bias}, D_x = {exchange}": zero(bias, exchange, 0.05, 0.3) for bias, exchange in ((0.1, 0.002), (0.3, 0.002), (0.1, 0.003))
    }
    ends = {f"dT = {bias}": zero(bias, 0.002, 0.5, 1.5) for bias in (0.1, 0.3)}
    start = starts["dT = 0.1, D_x = 0.002"]
    yield claim(
        "Fig. 5",
        "at Delta_x = 0.002 the global equation heats for Delta_z below about 0.2",
        "0.2",
        {f"D_z where cooling begins ({name})": shift for name, shift in starts.items()}
        | {f"D_z where cooling ends ({name}, D_x = 0.002)": shift for name, shift in ends.items()},
        [np.all(_global(np.linspace(0.01, start - 1e-3, 50), 0.002, 0.1, 1.0) < 0), 0.15 < start < 0.25],
        "it heats, up to half that; dT = 0.3 as in Fig. 4, instead of the caption's 0.1, would give the text's number",
    )
    equations = {"local": _local(0.1, 0.002, 0.1, 1.0), "global": _global(0.1, 0.002, 0.1, 1.0)}
    onset = root(lambda shift: _local(shift, 0.002, 0.1, 1.0), 1e-3, 0.1)
    yield claim(
        "Fig. 5",
        "at Delta_x = 0.002 the local equation cools where the global one heats",
        "local > 0 > global",
        {f"J_C(D_z = 0.1), {name}": current for name, current in equations.items()},
        [equations["local"] > 0 > equations["global"]],
        f"below D_z = {onset:.3f} both heat, as without exchange",
    )
    local = {exchange: _local(0.3, exchange, 0.1, 1.0) for exchange in (0.0, 0.002, 0.02, 0.05)}
    secular = {exchange: _global(0.2, exchange, 0.1, 1.0) for exchange in (0.0, 0.002)}
    redfield = {exchange: _redfield(0.3, exchange, 0.1, 1.0) for exchange in (0.002, 0.02, 0.05, 0.1)}
    yield claim(
        "Fig. 5",
        "the XX coupling is detrimental to cooling in both equations",
        "J_C falls with Delta_x",
        {f"local, D_z = 0.3, D_x = {x:g}": value for x, value in local.items()}
        | {f"global, D_z = 0.2, D_x = {x:g}": value for x, value in secular.items()}
        | {f"Redfield, D_z = 0.3, D_x = {x:g}": value for x, value in redfield.items()},
        [np.all(np.diff(list(local.values())) < 0), secular[0.002] < secular[0.0]],
        "it is in both; but the Redfield equation, which resolves the splitting of the qubits, at this coupling gives an increase first",
    )
    losses = {"local": 1 - _local(0.2, 0.02, 0.1, 1.0) / secular[0.0], "global": 1 - secular[0.002] / secular[0.0]}
    yield claim(
        "Fig. 5",
        "the local equation loses less cooling to a small Delta_x than the global one",
        "not as drastically",
        {"J_C(D_z = 0.2), local, D_x = 0.02": _local(0.2, 0.02, 0.1, 1.0), "J_C(D_z = 0.2), global, D_x = 0.002": secular[0.002]},
        [losses["local"] < losses["global"]],
        f"{100 * losses['local']:.1f} % at Delta_x = 0.02 against {100 * losses['global']:.0f} % at 0.002",
    )


def _claims_on_equations():
    couplings, equations = (1.0, 1e-1, 1e-2, 1e-3, 1e-4), {"local": _local, "global": _global, "Redfield": _redfield}
    currents = {name: dict(zip(couplings, equation(0.1, 0.002, 0.1, np.array(couplings)))) for name, equation in equations.items()}
    away = {name: {k: abs(currents[name][k] - currents["Redfield"][k]) for k in couplings} for name in ("local", "global")}
    yield claim(
        "Fig. 5",
        "for small Delta_x the local equation describes the dynamics better",
        "local",
        {f"J_C/kappa, {name}, kappa = {k:g}": current for name, values in currents.items() for k, current in values.items()},
        [away["local"][1.0] < away["global"][1.0], away["local"][1e-4] < away["global"][1e-4]],
        "against the Redfield equation, at D_x = 0.002, D_z = 0.1, dT = 0.1: yes at the figure's coupling kappa = 1, where no master "
        "equation holds; no where rates are below the widths of the filters, kappa below 1e-3",
    )
