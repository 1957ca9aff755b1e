"""Figure 2(b) of S. E. Deghi and R. A. Bustos-Marun, "Entropy current and efficiency of quantum machines driven by nonequilibrium
incoherent reservoirs".

The paper counts currents into a reservoir: its heating power of the hot lead is -I_E,h = J_c here.
"""

import math

import numpy as np

from ...machines import NDemon
from ...parameters import replace
from ...scattering import currents
from .._blocks import in_blocks, root
from .._sheet import Claim, Sheet, claim, in_double_precision

__all__ = ["FIGURES", "PAPER", "claims", "figure_2"]

PAPER = "Deghi and Bustos-Marun, machines driven by nonequilibrium incoherent reservoirs"
RESONANCES = (1.25, 1.4, 1.55, 1.6, 1.75, 1.9, 2.1)
UNIT = 1 / (2 * math.pi)  # Gamma / h at Gamma = 1


@in_blocks
def _demon(cold_temperature, energy_4):
    """COP and cooling current in units of Gamma / h (both NaN where the occupation is none), and its margin."""
    point = replace(NDemon(), {"cold.temperature": cold_temperature, "energy_4": energy_4}).operate()
    return point.cop, point.heat_currents["cold"] / UNIT, point.margin


@in_blocks
def _minimum(start, energy_4):
    return replace(NDemon(), {"cold.temperature": start, "energy_4": energy_4}).minimum_cold_temperature()


def _carnot(cold_temperature):
    return cold_temperature / (1 - cold_temperature)


@in_double_precision
def figure_2() -> Sheet:
    """COP of the demon against the temperature of the cold lead, and (inset) the heating power."""
    sheet = Sheet(
        "2b",
        """COP of the N-demon, and (inset) the power that heats the hot lead in units of Gamma / h, against the temperature of the cold
        lead, for several resonances e_4; dotted: Carnot's T_c / (T_h - T_c); dashed: the limit e_4 -> e_3 = 1.5, T_c / (3 T_h - T_c),
        without power. Curves end where no occupation between 0 and 1 exists. T_h = mu = e_1 = 1, e_2 = 2, narrow resonances of weight
        Gamma; entropy is paid for at T_0 = T_h. The paper gives neither its axes nor its values of e_4; ours are chosen. Its Eq. (23)
        has its logarithms inverted, its Eq. (18) a sign: COP is computed from the definition (22).""",
        size=(3.4, 3.4),
    )
    temperature = np.linspace(0.005, 0.999, 401)
    ax = sheet.label("a", r"$T_c/T_h$", "COP", xlim=(0, 1), ylim=(0, 1))
    inset = ax.inset_axes((0.66, 0.64, 0.33, 0.34))
    inset.set(xlabel=r"$T_c/T_h$", ylabel=r"$\dot\varepsilon_h\ (\Gamma/h)$", xlim=(0, 1), ylim=(0, 0.12))
    inset.tick_params(labelsize=6)
    for energy in RESONANCES[1:]:
        cop, power, margin = _demon(temperature, energy)
        label = rf"$\varepsilon_4={energy:g}$"
        sheet.curve("a", label, temperature, np.where(margin > 0, cop, np.nan))
        sheet.curve("a", label, temperature, np.where(margin > 0, power, np.nan), ax=inset)
    sheet.curve("a", r"$\varepsilon_4\to\varepsilon_3$ (24)", temperature, _demon(temperature, 1.5)[0], "k--")
    sheet.curve("a", "Carnot", temperature, _carnot(temperature), "k:")
    ax.legend(loc="upper left", fontsize=6)
    return sheet


FIGURES = {"2b": figure_2}


@in_double_precision
def claims() -> list[Claim]:
    """What the paper says about Fig. 2(b), and what comes out."""
    return [*_claims_on_efficiency(), *_claims_on_cold(), _claim_on_power(), _claim_on_the_demon(), _claim_on_exchange()]


def _claims_on_efficiency():
    temperature = np.linspace(0.02, 0.98, 97)[:, None]
    cop, _, margin = _demon(temperature, np.array(RESONANCES)[None, :])
    ratio = np.where(margin > 0, cop / _carnot(temperature), 0)
    table = {f"COP(T_c = {t:g}, e_4 = {e:g})": _demon(t, e)[0] for t in (0.2, 0.5, 0.8) for e in RESONANCES if _demon(t, e)[2] > 0}
    yield claim(
        "Fig. 2b",
        "COP stays below T_c / (T_h - T_c)",
        "below Carnot",
        {**table, "largest COP over Carnot": np.max(ratio)},
        [np.max(ratio) < 1],
        f"it stays below {np.max(ratio):.2f} of it; in the limit (24) that is (T_h - T_c) / (3 T_h - T_c), less than a third",
    )
    near, limits = _demon(0.5, 1.51)[0], {t: _demon(t, 1.5)[0] for t in (0.2, 0.5, 0.8)}
    yield claim(
        "Eq. 24",
        "for e_4 -> e_3 the COP is T_c / (3 T_h - T_c)",
        "0.2 at T_c = 0.5",
        {"COP(T_c = 0.5, e_4 = 1.51)": near} | {f"limit(T_c = {t:g})": cop for t, cop in limits.items()},
        [abs(near - 0.2) < 1e-3, *(abs(cop - t / (3 - t)) < 1e-12 for t, cop in limits.items())],
    )
    equal = {energy: _demon(1.0, energy)[0] for energy in (1.4, 1.49, 1.5, 1.51, 1.6)}
    yield claim(
        "Eq. 24",
        "so it stays finite at T_c = T_h, where Carnot's diverges",
        "1/2",
        {f"COP(T_c = T_h, e_4 = {energy:g})": cop for energy, cop in equal.items()},
        [abs(equal[1.5] - 0.5) < 1e-12, max(equal.values()) == equal[1.5]],
        f"within 0.1 of e_3 on either side at least {min(equal.values()):.3f}",
    )


def _claims_on_cold():
    found = {f"T_min(e_4 = {e:g})": _minimum(0.8, e) for e in (1.4, 1.45, 1.55, 1.6, 1.75, 1.9)}
    limit = _demon(np.array([0.8, 0.4, 0.1, 0.01]), 1.5)[0]
    above = _demon(found["T_min(e_4 = 1.6)"] + np.array([0.3, 1e-2, 1e-4, 1e-6]), 1.6)[0]
    yield claim(
        "Fig. 2b",
        "COP tends to zero with the temperature of the cold lead",
        "0",
        {"COP(24) at T_c = 0.01": limit[-1], "COP(e_4 = 1.6) 1e-6 above T_min": above[-1]},
        [np.all(np.diff(limit) < 0) and limit[-1] < 0.004, np.all(np.diff(above) < 0) and above[-1] < 0.1 * above[0]],
        f"on the limiting curve; at e_4 = 1.6 already at T_c = {found['T_min(e_4 = 1.6)']:.3f}, as 1 / |ln(T_c - T_min)|",
    )
    slopes = [found[f"T_min(e_4 = {e:g})"] * math.log(2) / abs(e - 1.5) for e in (1.45, 1.55)]
    bold = _boldest(0.05, 1.75)
    yield claim(
        "Fig. 2b",
        "there is a lowest temperature that can be reached, which is zero only for e_4 -> e_3",
        "above 0",
        {**found, "COP(T_c = 0.05, e_4 = 1.75) with half the largest boldness": bold},
        [min(found.values()) > 0 and abs(slopes[1] - 1) < 0.01, not bold > 0],
        f"so for the paper's choice of the occupation; one less bold has at T_c = 0.05, e_4 = 1.75, below T_min = "
        f"{found['T_min(e_4 = 1.75)']:.2f}, a COP of {bold:.2g}",
    )


def _boldest(cold_temperature, energy_4):
    machine = replace(NDemon(boldness=1e-3), {"cold.temperature": cold_temperature, "energy_4": energy_4})
    return float(replace(machine, {"boldness": machine.limits()[0] / 2}).operate().cop)


def _claim_on_power():
    # By the temperature of the cold lead, away from e_3 = 1.5 on either side.
    ways = [(0.3, (1.45, 1.4)), (0.3, (1.55, 1.6)), (0.5, (1.4, 1.25)), (0.5, (1.55, 1.6, 1.75, 1.9))]
    ways += [(0.8, (1.4, 1.25)), (0.8, (1.55, 1.6, 1.75, 1.9, 2.1))]
    trade = [np.all(np.diff(_demon(t, e)[1]) > 0) and np.all(np.diff(_demon(t, e)[0]) < 0) for t, e in ways]
    peak = root(lambda t: _demon(t + 1e-5, 1.6)[1] - _demon(t - 1e-5, 1.6)[1], 0.2, 0.6)
    return claim(
        "Fig. 2b",
        "power is paid for with efficiency",
        "trade-off",
        {f"power(T_c = {t:g}, e_4 = {e:g})": _demon(t, e)[1] for t, energies in ways[2:] for e in energies}
        | {"T_c of largest power, e_4 = 1.6": peak, "largest power, e_4 = 1.6": _demon(peak, 1.6)[1]},
        [all(trade)],
        f"the power rises and the COP falls with the distance from e_3 on {sum(trade)} of {len(trade)} ways: at three T_c, on both sides",
    )


def _claim_on_the_demon():
    lead, bold = {}, _boldest(0.05, 1.75)
    for low, high, name in ((0.05, 1.45, "lowest"), (1.55, 2.9, "highest")):
        lead[f"{name} e_4 at T_c = T_h"] = root(lambda e: _demon(1.0, e)[2], low, high)
    return claim(
        "Sec. V",
        "where the occupation is unphysical the demon cannot pump heat",
        "cannot",
        {**lead, "COP(T_c = 0.05, e_4 = 1.75) with half the largest boldness": bold},
        [not bold > 0],
        f"it is the paper's choice of f_l(e_4) that fails there; another has a COP of {bold:.2g}",
    )


def _claim_on_exchange():
    """At a finite width, where the demon's occupation is solved for, currents are integrals over its windows."""
    machine = replace(NDemon(width=0.05), {"cold.temperature": 0.5})
    found = machine.broadened("boxcar")
    flow, narrow = currents(found.conductor), machine.operate()
    lost = {
        "particles of the demon over Gamma / h": flow.particle_currents["demon"] / (machine.width * UNIT),
        "energy of the demon over J_c": flow.energy_currents["demon"] / flow.heat_currents["cold"],
        "J_c + J_h over J_c": 1 + flow.heat_currents["hot"] / flow.heat_currents["cold"],
    }
    return claim(
        "Sec. V",
        "the demon exchanges neither particles nor energy, and yet heat flows from cold to hot",
        "0, cooling",
        {"J_c (T_c = 0.5, e_4 = 1.6, Gamma = 0.05)": flow.heat_currents["cold"], "J_c, narrow": narrow.heat_currents["cold"]}
        | lost
        | {"entropy into the demon": -flow.entropy_currents["demon"]},
        [flow.heat_currents["cold"] > 0, *(abs(value) < 1e-9 for value in lost.values())],
        f"its current is {100 * abs(1 - flow.heat_currents['cold'] / narrow.heat_currents['cold']):.2f} % off that of narrow resonances",
    )
