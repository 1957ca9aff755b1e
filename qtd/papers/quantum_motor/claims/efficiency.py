"""Claims of the paper on the quantum motor about the efficiencies of Fig. 4 and the orders of
charge and heat of Figs. 5 and 6.
"""

import functools

import numpy as np
from scipy.interpolate import CubicSpline

from ..._blocks import root
from ..._claim import Outcome, claim, claims_in
from ..devices import (
    DIFFERENCE,
    LOADS,
    RADII,
    exact_turn,
    per_turn,
    performance,
    series_at,
    steady_velocity,
)

__all__ = ["CLAIMS"]


@functools.cache
def _performance_4a(radius):
    """Efficiency of the motor of Fig. 4(a) to lowest order, under each of LOADS."""
    return performance(series_at(radius, 2.0), LOADS, 1, bias=2.0)


@claim(
    "Fig. 4a",
    "the largest efficiency grows with the orbit, that of motor and pump being very similar",
    printed="growing, similar",
)
def efficiency_grows_with_the_orbit() -> Outcome:
    motors = {}
    pumps = {}
    for radius in RADII:
        found = _performance_4a(radius)
        motors[radius] = np.max(found.share[found.drives])
        pumps[radius] = np.max(found.share[found.pumps])
    gaps = [1 - pumps[radius] / motors[radius] for radius in RADII]
    numbers = {f"motor({radius:g})": share for radius, share in motors.items()}
    numbers |= {f"pump({radius:g})": share for radius, share in pumps.items()}
    return Outcome(
        {
            "of the motor": np.all(np.diff(list(motors.values())) > 0),
            "of the pump": np.all(np.diff(list(pumps.values())) > 0),
            "similar": all(abs(gap) < 0.15 for gap in gaps),
        },
        numbers,
        f"similar within {gaps[0]:.0%} at radius 10, {max(gaps[1:]):.1%} elsewhere",
    )


@claim(
    "Fig. 4a",
    "the range of loads where pumping is frustrated is widest for small orbits",
    printed="widest",
)
def pumping_is_frustrated_on_small_orbits() -> Outcome:
    onsets = {}
    for radius in RADII:
        onsets[f"pumps from, radius {radius:g}"] = np.min(LOADS[_performance_4a(radius).pumps])
    falls = np.all(np.diff(list(onsets.values())) < 0)
    return Outcome({"narrower with each orbit": falls}, onsets)


@claim(
    "Fig. 4a",
    "the next order changes the motor little, ends the pumping at a larger load, and begins it"
    " below C_ext / C_F^(0) = -8",
    printed="-8",
)
def the_next_order_ends_the_pumping() -> Outcome:
    first = _performance_4a(10.0)
    found = performance(series_at(10.0, 2.0), LOADS, 2, bias=2.0)
    ahead = found.pumps & (LOADS > 0)
    below = found.pumps & (LOADS < 0)
    best = np.max(found.share[found.drives])
    lowest_order = np.max(first.share[first.drives])
    ends = np.max(LOADS[ahead])
    begins = np.max(LOADS[below])
    return Outcome(
        {
            "changes the motor little": abs(best / lowest_order - 1) < 0.02,
            "ends the pumping": ends < 6,
            "begins it below -8": abs(begins + 8) < 0.05,
        },
        {
            "motor": best,
            "motor, lowest order": lowest_order,
            "pump": np.max(found.share[ahead]),
            "pumps from": np.min(LOADS[ahead]),
            "pumps up to": ends,
            "pumps below": begins,
        },
    )


@claim(
    "Fig. 4a",
    "the pump stops at a larger load, and there is another at negative loads: exactly in the"
    " velocity",
    printed="both",
)
def the_exact_pump_stops() -> Outcome:
    known = series_at(10.0, 2.0)
    slow = np.geomspace(1e-3, 0.065, 12)
    fast = np.geomspace(0.51, 30, 12)
    speeds = np.concatenate([slow, np.linspace(0.066, 0.5, 40), fast])
    torque, charge = exact_turn(np.stack([speeds, -speeds]), 10.0, 2.0, 20.0)
    ahead, loads = torque / known.torque[0]
    back = charge[1]
    least_at, least = _extreme(speeds, ahead)
    largest_at, largest = _extreme(speeds, loads)
    # Stable, as at a negative velocity the torque falls with it.
    rising = slice(np.argmax(loads) + 1)
    starts = root(CubicSpline(loads[rising], back[rising]), 1.5, 3.5)
    stays = bool(np.all(back[rising][loads[rising] > starts] < 0))
    return Outcome(
        {"it stops at a larger load": not stays, "another at negative loads": least < -8},
        {
            "least torque": least,
            "at v": least_at,
            "largest torque": largest,
            "at -v": largest_at,
            "pumps from": starts,
            "v to order 2 at -8": steady_velocity(known.torque, -8.01, 2),
        },
        f"the torque that must balance the load is between {least:.2f} and {largest:.2f} of "
        f"C_F^(0); the pump {'works up to' if stays else 'stops below'} the upper bound",
    )


def _extreme(speeds, torque):
    """The one speed at which a curve of the torque turns, and the torque there."""
    curve = CubicSpline(speeds, torque)
    (speed,) = curve.derivative().roots(extrapolate=False)
    return float(speed), float(curve(speed))


@claim(
    "Fig. 4b",
    "the engine of radius 10 is invisible, that of 20 never refrigerates, and the largest COP stays"
    " below the largest efficiency",
    printed="over Carnot",
)
def wide_orbits_refrigerate() -> Outcome:
    engines = {}
    cops = {}
    ranges = {}
    for radius in RADII:
        known = series_at(radius, 0.0, DIFFERENCE)
        found = performance(known, LOADS, 1, difference=DIFFERENCE)
        engines[radius] = np.max(found.share[found.drives])
        if found.pumps.any():
            cops[radius] = np.max(found.share[found.pumps])
            ranges[radius] = LOADS[found.pumps]
    numbers = {f"engine({radius:g})": share for radius, share in engines.items()}
    for radius, cop in cops.items():
        numbers[f"refrigerator({radius:g})"] = cop
        numbers[f"on from, {radius:g}"] = ranges[radius][0]
        numbers[f"on to, {radius:g}"] = ranges[radius][-1]
    return Outcome(
        {
            "the engine of radius 10 is invisible": engines[10.0] < 0.005,
            "that of 50 refrigerates, not that of 20": 20.0 not in cops and 50.0 in cops,
            "the largest COP is below": all(cop < engines[radius] for radius, cop in cops.items()),
        },
        numbers,
    )


def _charge(load):
    """The charge pumped in a turn of Fig. 5 by order, at a load over C_F^(0)."""
    known = series_at(10.0, 2.0)
    return -per_turn(known.charge, steady_velocity(known.torque, load, 2), 2)


@claim("Fig. 5c", "the third order of the heat is negligible", printed="negligible")
def the_third_order_of_the_heat_is_negligible() -> Outcome:
    known = series_at(10.0, 2.0)
    pumping = LOADS[(LOADS > 1) & (LOADS < 5.07)]
    heat = per_turn(known.hot + known.cold, steady_velocity(known.torque, pumping, 2), 2)
    largest = np.max(np.abs(heat[3] / heat.sum(0)))
    return Outcome({"below 2 %": largest < 0.02}, {"largest share": largest})


@claim("Fig. 5a", "the third order of the charge ends the pumping", printed="dominant")
def the_third_order_of_the_charge_ends_the_pumping() -> Outcome:
    beyond = _charge(np.linspace(5.08, 10.0, 500))
    without = beyond[:3].sum(0)
    total = beyond.sum(0)
    numbers = {}
    for load in (4.0, 6.0):
        for k, charge in enumerate(_charge(load)):
            numbers[f"Q_I^({k}), load {load:g}"] = charge
    return Outcome(
        {
            "it turns the sign": np.all(without > 0) and np.all(total < 0),
            "it grows with the load": abs(_charge(6.0)[3]) > abs(_charge(4.0)[3]),
        },
        numbers,
        f"at a load of 10 Q_I is {total[-1]:.2f}, without it {without[-1]:+.2f}",
    )


@claim("Fig. 5b", "at negative loads the third order reverses the charge", printed="reverses")
def the_third_order_reverses_the_charge() -> Outcome:
    below = _charge(np.linspace(-12.0, -8.015, 500))
    reverses = np.all(below[:3].sum(0) < 0) and np.all(below.sum(0) > 0)
    return Outcome(
        {"reverses": reverses},
        {f"Q_I^({k}), load -8": charge for k, charge in enumerate(_charge(-8.0))},
    )


@claim(
    "Fig. 6",
    "an orbit of radius 20 never takes heat from the cold lead: zeroth and second order outdo the"
    " first",
    printed="never",
)
def a_small_orbit_never_refrigerates() -> Outcome:
    known = series_at(20.0, 0.0, DIFFERENCE)

    def heat(load):
        return -per_turn(known.cold, steady_velocity(known.torque, load, 1), 1)

    loads = LOADS[LOADS > 1]
    total = heat(loads).sum(0)
    zeroth, first, second = known.cold[:3]
    numbers = {"least Q_Jcold": np.min(total), "at load": loads[np.argmin(total)]}
    numbers |= {f"Q_Jcold^({k}), load 2": value for k, value in enumerate(heat(2.0))}
    return Outcome(
        {
            "never at any load": np.all(total > 0),
            "zeroth and second outdo the first": first**2 < 4 * zeroth * second,
        },
        numbers | {"C_1^2": first**2, "4 C_0 C_2": 4 * zeroth * second},
        "it can only where C_1^2 > 4 C_0 C_2, of the cold lead",
    )


CLAIMS = claims_in(globals())
