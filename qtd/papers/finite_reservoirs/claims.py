"""Claims of the paper on finite reservoirs about Figs. 1 to 5."""

import numpy as np
from scipy.interpolate import CubicSpline

from .._blocks import root
from .._claim import Outcome, claim, claims_in
from .devices import (
    PARAMETERS,
    TIMES,
    crossover_at,
    device,
    device_of,
    equilibrium,
    history,
    state_at,
)

__all__ = ["CLAIMS"]


@claim(
    "Fig. 1",
    "at first mu_1 < omega_k < omega_tilde; the cold reservoir loses particles, energy and heat,"
    " and the hot one gains them",
    printed="P_1, J_1, Y_1 > 0 > P_2, J_2, Y_2",
)
def the_cold_reservoir_loses_heat() -> Outcome:
    start = device(1).operate()
    crossover = device(1).crossover()[0, 1]
    flows = {"P": start.particles, "J": start.energy, "Y": start.heat}
    words = {"P": "particles", "J": "energy", "Y": "heat"}
    parts = {words[letter]: flow[0] > 0 > flow[1] for letter, flow in flows.items()}
    numbers = {f"{letter}_{j}": flow[j - 1] for letter, flow in flows.items() for j in (1, 2)}
    return Outcome(
        parts | {"omega_tilde above the modes": crossover > 21.5},
        numbers | {"omega_tilde": crossover},
    )


@claim("Fig. 1a", "the cold reservoir cools to about 0.6 of its temperature", printed="0.6")
def the_cold_reservoir_cools() -> Outcome:
    lowest = device(1).minimum_temperature(0)
    ratio = float(lowest.temperature) / 0.6
    return Outcome(
        {"about 0.6": abs(ratio - 0.6) < 0.05},
        {"T_min / T(0)": ratio, "time": lowest.time},
        f"{ratio:.3f}, rounded",
    )


@claim("Fig. 1b", "later omega_1 < omega_tilde < omega_2", printed="between 21.1 and 21.5")
def omega_tilde_settles_between_the_modes() -> Outcome:
    crossover = crossover_at(device(1))

    def above(time):
        return crossover(time) - 21.5

    enters = root(above, 1.0, 10.0)
    settles = crossover(1.5e4)
    later = np.geomspace(1.01 * enters, 1.5e4, 20)
    return Outcome(
        {
            "in the end": 21.1 < settles < 21.5,
            "ever since it enters": all(21.1 < crossover(time) < 21.5 for time in later),
        },
        {"time of entry": enters, "omega_tilde in the end": settles},
    )


@claim(
    "Fig. 1a",
    "the temperature of equilibrium lies above all initial ones",
    printed="above 1",
)
def equilibrium_is_hotter_than_the_beginning() -> Outcome:
    rest = equilibrium(1)
    return Outcome(
        {"above all initial ones": rest.temperature > 1.0},
        {
            "T_eq": rest.temperature,
            "mu_eq": rest.chemical_potential,
            "largest T_2": _extreme(history(1).temperatures[:, 1], 1),
        },
    )


@claim(
    "Fig. 1",
    "the reservoirs end in the equilibrium that their conserved energy and particles give (Eq. 6)",
    printed="equal",
)
def reservoirs_end_in_the_conserved_equilibrium() -> Outcome:
    rest = equilibrium(1)
    end = state_at(device(1), 3e5)
    temperatures = np.abs(end.temperatures / rest.temperature - 1)
    potentials = np.abs(end.chemical_potentials / rest.chemical_potential - 1)
    return Outcome(
        {"equal": max(np.max(temperatures), np.max(potentials)) < 1e-8},
        {"T_1 at 3e5": end.temperatures[0, 0], "mu_1 at 3e5": end.chemical_potentials[0, 0]},
    )


@claim(
    "Fig. 2",
    "temperatures change order; omega_tilde passes from +infinity to -infinity and is negative for"
    " a while",
    printed="yes",
)
def temperatures_change_order() -> Outcome:
    time = float(device(2).crossing_times().times[0])
    crossover = crossover_at(device(2))

    def above_the_mode(time):
        return crossover(time) - 17.1

    back = root(crossover, time + 1e-3, 4.0)
    enters = root(above_the_mode, 4.0, 20.0)
    return Outcome(
        {
            "temperatures cross": np.isfinite(time),
            "omega_tilde large before": crossover(time - 1e-3) > 100,
            "omega_tilde large and negative after": crossover(time + 1e-3) < -100,
            "negative for a while": time < back < enters,
        },
        {
            "time of crossing": time,
            "negative until": back,
            "above omega_1 from": enters,
            "T_eq": equilibrium(2).temperature,
        },
    )


@claim(
    "Fig. 3",
    "chemical potentials change order, and omega_tilde equals both where they meet",
    printed="yes",
)
def potentials_change_order() -> Outcome:
    with_printed = device(2).crossing_times(of="chemical_potential")
    crossing = device(3).crossing_times(of="chemical_potential")
    of_temperatures = device(3).crossing_times()
    time = float(crossing.times[0])
    potential = float(crossing.values[0])
    potentials = history(3).chemical_potentials
    return Outcome(
        {
            "with the printed parameters": np.isfinite(with_printed.times[0]),
            "omega_tilde equals both": abs(crossover_at(device(3))(time) - potential) < 1e-6,
            "temperatures keep theirs": np.isnan(of_temperatures.times[0]),
        },
        {
            "time of crossing (T_1 = 0.6)": time,
            "potential there": potential,
            "lowest mu_1": _extreme(potentials[:, 0], -1),
            "largest mu_2": _extreme(potentials[:, 1], 1),
        },
        "the printed parameters are those of Fig. 2, with which chemical potentials "
        f"{_told(with_printed)}; with T_1 = 0.6 instead of 0.8 temperatures "
        f"{_told(of_temperatures)}",
    )


@claim(
    "Fig. 3",
    "printed for both figures, these parameters are near others with which potentials change order,"
    " and temperatures do not",
    printed="T_1 = 0.8, T_2 = 1, mu_1 = 18.8, mu_2 = 18, omega_1 = 17.1",
)
def potentials_change_order_near_the_printed_parameters() -> Outcome:
    thresholds = [
        _threshold("T_1", 1, [0], 0.6, 0.8),
        _threshold("T_2", 1, [1], 1.0, 1.2),
        _threshold("mu_1", 2, [0], 18.4, 18.8),
        _threshold("mu_2", 2, [1], 18.0, 18.5),
        _threshold("omega_1", 0, [0, 1], 17.1, 17.8),
    ]
    swap = _late_difference(device(3)) < 0 < _late_difference(device(2))
    return Outcome(
        {"at T_1 = 0.6, not at 0.8": swap},
        dict(thresholds),
        "each number changed alone, omega_2 staying 0.4 above omega_1",
    )


@claim(
    "Fig. 4",
    "temperatures and potentials have several extrema, and T_eq lies above all initial"
    " temperatures",
    printed="yes",
)
def there_are_several_extrema() -> Outcome:
    states = history(4)
    rest = equilibrium(4)
    initial = np.asarray(PARAMETERS[4][1])
    of_temperatures = [_turns(curve) for curve in states.temperatures.T]
    of_potentials = [_turns(curve) for curve in states.chemical_potentials.T]
    cooled = 1 + np.flatnonzero(np.min(states.temperatures, axis=0) < 0.99 * initial)
    numbers = {f"extrema of T_{j}": turns for j, turns in enumerate(of_temperatures, 1)}
    numbers |= {f"extrema of mu_{j}": turns for j, turns in enumerate(of_potentials, 1)}
    numbers |= {
        "T_eq": rest.temperature,
        "lowest T_4": _extreme(states.temperatures[:, 3], -1),
        "lowest T_1": _extreme(states.temperatures[:, 0], -1),
    }
    return Outcome(
        {
            "of temperatures": max(of_temperatures) > 1,
            "of potentials": max(of_potentials) > 1,
            "T_eq above all initial ones": rest.temperature > 0.3,
        },
        numbers,
        f"below their initial temperatures fall only reservoirs {', '.join(map(str, cooled))}; the"
        f" coldest is {1 + np.argmin(initial)}",
    )


@claim(
    "Fig. 5",
    "reservoirs of three dimensions end as the estimate for two dimensions says: hotter than all"
    " began, mu_eq between the initial ones",
    printed="yes",
)
def three_dimensions_end_as_two() -> Outcome:
    rest = equilibrium(5)
    return Outcome(
        {
            "hotter than all began": rest.temperature > 1.0,
            "mu_eq between the initial ones": 17.0 < rest.chemical_potential < 21.0,
        },
        {"T_eq": rest.temperature, "mu_eq": rest.chemical_potential},
    )


@claim("Figs. 1-5", "entropy grows", printed="monotone")
def entropy_grows() -> Outcome:
    rises = {}
    for figure in PARAMETERS:
        entropy = np.asarray(history(figure).entropy)
        rises[f"Fig. {figure}"] = np.min(np.diff(entropy)) / np.ptp(entropy)
    return Outcome(
        {figure: rise > -1e-10 for figure, rise in rises.items()},
        {f"least rise over the whole, {figure}": rise for figure, rise in rises.items()},
        "to the accuracy of the integration",
    )


CLAIMS = claims_in(globals())


def _told(crossing):
    """The time at which two curves cross, if they do, in words."""
    time = float(crossing.times[0])
    return "do not cross" if np.isnan(time) else f"cross at {time:.3f}"


def _late_difference(machine):
    """T_1 - T_2 of a device like that of Fig. 2 when its fast mode of relaxation, of rate 0.55, is
    gone but not the slow one, of 0.0035.

    Positive where temperatures have changed order, negative where chemical potentials have: the
    amplitude of one mode decides both.
    """
    return float(np.subtract(*state_at(machine, 300.0).temperatures[0]))


def _threshold(name, place, indices, low, high):
    """The name and value of a threshold: from there on, in one number of Fig. 2 (or two energies
    0.4 apart), potentials change order and temperatures do not."""

    def late(value):
        parameters = [list(part) for part in PARAMETERS[2]]
        for index, number in zip(indices, (value, value + 0.4)):
            parameters[place][index] = number
        return _late_difference(device_of(*parameters))

    side = "below" if late(low) < 0 else "above"
    return f"potentials cross for {name} {side}", root(late, low, high)


def _extreme(values, sign):
    """The largest value of a curve over TIMES, or with `sign` -1 the smallest, between the points
    by a spline."""
    curve = CubicSpline(np.log(TIMES), values)
    between = curve(curve.derivative().roots(extrapolate=False))
    return sign * np.max(sign * np.append(between, values))


def _turns(values, share=1e-5):
    """The number of turns of a curve, of those after which it moves by more than a share of its
    range."""
    values = np.asarray(values)
    least = share * np.ptp(values)
    turns = 0
    direction = 0.0
    extreme = values[0]
    for value in values:
        if direction == 0 and abs(value - extreme) > least:
            direction = np.sign(value - extreme)
            extreme = value
        elif direction * (value - extreme) > 0:
            extreme = value
        elif direction * (extreme - value) > least:
            turns += 1
            direction = -direction
            extreme = value
    return turns
