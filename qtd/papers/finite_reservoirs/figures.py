"""Figures of the paper on the transient cooling of finite fermionic reservoirs without a refrigerator.

Currents leave a reservoir, as here; energies are in units of the paper's T, and times in tau: neither the sizes of the reservoirs nor
the unit of time is in the paper, so all sizes are 1 and rates are gamma_jk = c_j sqrt(omega_k).
"""

import jax.numpy as jnp
import numpy as np
from scipy.interpolate import CubicSpline

from ...gases import FermiGas
from ...machines import FiniteReservoirs
from .._blocks import root
from .._sheet import PALETTE, Claim, Sheet, claim, in_double_precision

__all__ = ["FIGURES", "PAPER", "claims", "device", "figure_1", "figure_2", "figure_3", "figure_4", "figure_5"]

PAPER = "Transient cooling of finite fermionic reservoirs"
# Energies of the modes, temperatures, chemical potentials, strengths c_j of the reservoirs.
PARAMETERS = {
    1: ([21.1, 21.5], [0.6, 1.0], [20.8, 16.0], [1.0, 1.0]),
    2: ([17.1, 17.5], [0.8, 1.0], [18.8, 18.0], [1.0, 1.0]),
    3: ([17.1, 17.5], [0.6, 1.0], [18.8, 18.0], [1.0, 1.0]),
    4: ([21.5, 21.2], [0.3, 0.2, 0.1, 0.15], [21.0, 19.0, 20.2, 20.9], [10.0, 1.0, 10.0, 0.05]),
    5: ([18.5, 18.0, 20.5, 21.0, 17.0, 17.5], [1.0, 0.6, 0.8, 0.7, 0.8], [20.5, 18.0, 20.0, 17.0, 21.0], [1.0, 0.1, 1.0, 0.5, 0.5]),
}
REMARKS = {
    3: "The printed parameters repeat those of Fig. 2, with which no chemical potentials cross; T_1 = 0.6 stands in for what is unknown.",
    4: "Rates of reservoirs 1 to 4 are as 10 : 1 : 10 : 0.05; the printed exponents are partly lost.",
    5: "Rates of reservoirs 1 to 5 are as 1 : 0.1 : 1 : 0.5 : 0.5, our choice: the printed exponents are lost.",
}
TIMES = jnp.geomspace(0.01, 3e4, 401)


def device(figure: int) -> FiniteReservoirs:
    """The device of a figure, of equal sizes 1, by the paper's Sommerfeld expansion."""
    return _device(*PARAMETERS[figure])


def _device(energies, temperatures, potentials, strengths):
    gases = FermiGas(jnp.array(temperatures), jnp.array(potentials), 1.0, closure="sommerfeld")
    return FiniteReservoirs(jnp.array(energies), jnp.array(strengths)[:, None] * jnp.sqrt(jnp.array(energies))[None], gases)


def _crossover(temperatures, potentials):
    """The energy at which reservoirs 1 and 2 are equally occupied; NaN where only rounding tells their temperatures apart."""
    (t1, t2), (mu1, mu2) = np.asarray(temperatures).T[:2], np.asarray(potentials).T[:2]
    return np.divide(t1 * mu2 - t2 * mu1, t1 - t2, out=np.full_like(t1, np.nan), where=np.abs(t1 - t2) > 1e-6)


def _dynamics(number: int) -> Sheet:
    machine, (energies, temperatures, potentials, strengths) = device(number), PARAMETERS[number]
    listed = lambda values: ", ".join(map(str, values))
    found, rest = machine.evolve(TIMES), machine.equilibrium()
    two = len(temperatures) == 2
    sheet = Sheet(
        str(number),
        f"""Dynamics of (a) temperatures and (b) chemical potentials of {len(temperatures)} finite reservoirs (three dimensions, equal
        sizes AV = 1, Sommerfeld expansion) around modes at omega = {listed(energies)} with T(0) = {listed(temperatures)},
        mu(0) = {listed(potentials)} and rates c_j sqrt(omega_k), c = {listed(strengths)}. Dash-dotted: equilibrium; dashed: the
        modes{"; dotted: the energy at which both are equally occupied" if two else ""}. {REMARKS.get(number, "")}""",
        [["a"], ["b"]],
        (3.4, 4.2),
        sharex=True,
    )
    numbers = range(1, len(temperatures) + 1)
    for j, temperature, potential in zip(numbers, found.temperatures.T, found.chemical_potentials.T):
        sheet.curve("a", rf"$T_{j}$", found.times, temperature)
        sheet.curve("b", rf"$\mu_{j}$", found.times, potential)
    for panel, value in (("a", rest.temperature), ("b", rest.chemical_potential)):
        sheet.panels[panel].axhline(float(value), color="k", ls="-.", lw=0.7)
    for energy in energies:
        sheet.panels["b"].axhline(energy, color="0.45", ls="--", lw=0.7)
    low, high = min(map(min, (potentials, energies))), max(map(max, (potentials, energies)))
    if two:
        crossover = _crossover(found.temperatures, found.chemical_potentials)
        crossover[1:][np.abs(np.diff(crossover)) > 30] = np.nan  # no line through infinity
        sheet.curve("b", r"$\tilde\omega$", found.times, crossover, ":", color=PALETTE[2])
    room = 0.12 * (high - low)
    lowest, highest = np.min(found.temperatures), np.max(found.temperatures)
    sheet.label("a", "", r"temperature / $T$", ylim=(lowest - 0.06 * (highest - lowest), highest + 0.2 * (highest - lowest)))
    sheet.label("b", r"time / $\tau$", r"potential / $T$", xscale="log", ylim=(low - room, high + 3 * room))
    sheet.panels["a"].legend(ncols=5, fontsize=6, columnspacing=1.0, loc="upper left")
    sheet.panels["b"].legend(ncols=5, fontsize=6, columnspacing=1.0, loc="upper right" if two else "upper left")
    return sheet


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


@in_double_precision
def claims() -> list[Claim]:
    """What the paper says about Figs. 1 to 5, and what comes out."""
    return [*_claims_on_figure_1(), *_claims_on_crossings(), *_claims_on_many(), _claim_on_entropy()]


def _state_at(machine, time):
    """Its evolution to one time, by the program that was compiled for TIMES."""
    return machine.evolve(jnp.full_like(TIMES, time))


def _crossover_at(machine):
    """omega_tilde of the first two reservoirs as a function of time."""

    def at(time):
        state = _state_at(machine, time)
        return float(_crossover(state.temperatures, state.chemical_potentials)[0])

    return at


def _claims_on_figure_1():
    machine = device(1)
    start, rest = machine.operate(), machine.equilibrium()
    flows = {"P": start.particles, "J": start.energy, "Y": start.heat}
    lowest = machine.minimum_temperature(0)
    crossover = _crossover_at(machine)
    yield claim(
        "Fig. 1",
        "at first mu_1 < omega_k < omega_tilde; the cold reservoir loses particles, energy and heat, and the hot one gains them",
        "P_1, J_1, Y_1 > 0 > P_2, J_2, Y_2",
        {f"{letter}_{j}": flow[j - 1] for letter, flow in flows.items() for j in (1, 2)} | {"omega_tilde": machine.crossover()[0, 1]},
        [*(flow[0] > 0 > flow[1] for flow in flows.values()), machine.crossover()[0, 1] > 21.5],
    )
    ratio = float(lowest.temperature) / 0.6
    yield claim(
        "Fig. 1a",
        "the cold reservoir cools to about 0.6 of its temperature",
        "0.6",
        {"T_min / T(0)": ratio, "time": lowest.time},
        [abs(ratio - 0.6) < 0.05],
        f"{ratio:.3f}, rounded",
    )
    enters, settles = root(lambda t: crossover(t) - 21.5, 1.0, 10.0), crossover(1.5e4)
    yield claim(
        "Fig. 1b",
        "later omega_1 < omega_tilde < omega_2",
        "between 21.1 and 21.5",
        {"time of entry": enters, "omega_tilde in the end": settles},
        [21.1 < settles < 21.5, all(21.1 < crossover(t) < 21.5 for t in np.geomspace(1.01 * enters, 1.5e4, 20))],
    )
    late = machine.evolve(TIMES)
    yield claim(
        "Fig. 1a",
        "the temperature of equilibrium lies above all initial ones",
        "above 1",
        {"T_eq": rest.temperature, "mu_eq": rest.chemical_potential, "largest T_2": _extreme(late.temperatures[:, 1], 1)},
        [rest.temperature > 1.0],
    )
    end = _state_at(machine, 3e5)
    gap = max(
        np.max(np.abs(end.temperatures / rest.temperature - 1)), np.max(np.abs(end.chemical_potentials / rest.chemical_potential - 1))
    )
    yield claim(
        "Fig. 1",
        "the reservoirs end in the equilibrium that their conserved energy and particles give (Eq. 6)",
        "equal",
        {"T_1 at 3e5": end.temperatures[0, 0], "mu_1 at 3e5": end.chemical_potentials[0, 0]},
        [gap < 1e-8],
    )


def _claims_on_crossings():
    second, third = device(2), device(3)
    time = float(second.crossing_times().times[0])
    rest, crossover = second.equilibrium(), _crossover_at(second)
    back, enters = root(crossover, time + 1e-3, 4.0), root(lambda t: crossover(t) - 17.1, 4.0, 20.0)
    yield claim(
        "Fig. 2",
        "temperatures change order; omega_tilde passes from +infinity to -infinity and is negative for a while",
        "yes",
        {"time of crossing": time, "negative until": back, "above omega_1 from": enters, "T_eq": rest.temperature},
        [np.isfinite(time), crossover(time - 1e-3) > 100, crossover(time + 1e-3) < -100, time < back < enters],
    )
    printed = second.crossing_times(of="chemical_potential")
    crossing = third.crossing_times(of="chemical_potential")
    state = third.evolve(TIMES)
    yield claim(
        "Fig. 3",
        "chemical potentials change order, and omega_tilde equals both where they meet",
        "yes",
        {
            "time of crossing (T_1 = 0.6)": crossing.times[0],
            "potential there": crossing.values[0],
            "lowest mu_1": _extreme(state.chemical_potentials[:, 0], -1),
            "largest mu_2": _extreme(state.chemical_potentials[:, 1], 1),
        },
        [
            np.isfinite(printed.times[0]),
            abs(_crossover_at(third)(float(crossing.times[0])) - float(crossing.values[0])) < 1e-6,
            np.isnan(third.crossing_times().times[0]),
        ],
        f"the printed parameters are those of Fig. 2, with which chemical potentials {_told(printed)}; with T_1 = 0.6 instead of 0.8 "
        f"temperatures {_told(third.crossing_times())}",
    )
    ends = {"T_1": (1, [0], 0.6, 0.8), "T_2": (1, [1], 1.0, 1.2), "mu_1": (2, [0], 18.4, 18.8), "mu_2": (2, [1], 18.0, 18.5)}
    ends["omega_1"] = (0, [0, 1], 17.1, 17.8)
    found = dict(_threshold(name, *where) for name, where in ends.items())
    yield claim(
        "Fig. 3",
        "printed for both figures, these parameters are near others with which potentials change order, and temperatures do not",
        "T_1 = 0.8, T_2 = 1, mu_1 = 18.8, mu_2 = 18, omega_1 = 17.1",
        found,
        [_late_difference(third) < 0 < _late_difference(second)],
        "each number changed alone, omega_2 staying 0.4 above omega_1",
    )


def _told(crossing):
    return "do not cross" if np.isnan(crossing.times[0]) else f"cross at {float(crossing.times[0]):.3f}"


def _late_difference(machine):
    """T_1 - T_2 of a device like that of Fig. 2 when its fast mode of relaxation, of rate 0.55, is gone but not the slow one, of 0.0035.

    Positive where temperatures have changed order, negative where chemical potentials have: the amplitude of one mode decides both.
    """
    return float(np.subtract(*_state_at(machine, 300.0).temperatures[0]))


def _threshold(name, place, indices, low, high):
    """From where on, in one number of Fig. 2 (or two energies 0.4 apart), potentials change order and temperatures do not; and its name."""

    def late(value):
        parts = [list(part) for part in PARAMETERS[2]]
        for index, number in zip(indices, (value, value + 0.4)):
            parts[place][index] = number
        return _late_difference(_device(*parts))

    return f"potentials cross for {name} {'below' if late(low) < 0 else 'above'}", root(late, low, high)


def _claims_on_many():
    fourth, fifth = device(4), device(5)
    state, rest = fourth.evolve(TIMES), fourth.equilibrium()
    temperature_turns = [_turns(x) for x in state.temperatures.T]
    potential_turns = [_turns(x) for x in state.chemical_potentials.T]
    initial = np.asarray(PARAMETERS[4][1])
    cooled = 1 + np.flatnonzero(np.min(state.temperatures, axis=0) < 0.99 * initial)
    coldest = 1 + np.argmin(initial)
    yield claim(
        "Fig. 4",
        "temperatures and potentials have several extrema, and T_eq lies above all initial temperatures",
        "yes",
        {f"extrema of T_{j}": turns for j, turns in enumerate(temperature_turns, 1)}
        | {f"extrema of mu_{j}": turns for j, turns in enumerate(potential_turns, 1)}
        | {
            "T_eq": rest.temperature,
            "lowest T_4": _extreme(state.temperatures[:, 3], -1),
            "lowest T_1": _extreme(state.temperatures[:, 0], -1),
        },
        [max(temperature_turns) > 1, max(potential_turns) > 1, rest.temperature > 0.3],
        f"below their initial temperatures fall only reservoirs {', '.join(map(str, cooled))}; the coldest is {coldest}",
    )
    end = fifth.equilibrium()
    yield claim(
        "Fig. 5",
        "reservoirs of three dimensions end as the estimate for two dimensions says: hotter than all began, mu_eq between the initial ones",
        "yes",
        {"T_eq": end.temperature, "mu_eq": end.chemical_potential},
        [end.temperature > 1.0, 17.0 < end.chemical_potential < 21.0],
    )


def _extreme(values, sign):
    """The largest value of a curve over TIMES, or with `sign` -1 the smallest, between the points by a spline."""
    curve = CubicSpline(np.log(TIMES), values)
    return sign * np.max(sign * np.append(curve(curve.derivative().roots(extrapolate=False)), values))


def _turns(values, share=1e-5):
    """How often a curve turns, counting only turns after which it moves by more than a share of its range."""
    values, least = np.asarray(values), share * np.ptp(values)
    turns, direction, extreme = 0, 0.0, values[0]
    for value in values:
        if direction == 0 and abs(value - extreme) > least:
            direction, extreme = np.sign(value - extreme), value
        elif direction * (value - extreme) > 0:
            extreme = value
        elif direction * (extreme - value) > least:
            turns, direction, extreme = turns + 1, -direction, value
    return turns


def _claim_on_entropy():
    entropies = {k: np.asarray(device(k).evolve(TIMES).entropy) for k in PARAMETERS}
    rises = {f"least rise over the whole, Fig. {k}": np.min(np.diff(x)) / np.ptp(x) for k, x in entropies.items()}
    return claim(
        "Figs. 1-5", "entropy grows", "monotone", rises, [rise > -1e-10 for rise in rises.values()], "to the accuracy of the integration"
    )
