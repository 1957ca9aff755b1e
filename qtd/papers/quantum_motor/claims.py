"""What the paper of the quantum motor says about its figures, and what comes out."""

from collections.abc import Iterator

import numpy as np
from scipy.interpolate import CubicSpline

from .._blocks import root
from .._sheet import Claim, claim
from .devices import (
    BISTABLE,
    DIFFERENCE,
    RADII,
    Flywheel,
    exact_turn,
    exact_velocities,
    motor,
    per_turn,
    performance,
    series,
    settled,
    steady_velocities,
    steady_velocity,
    works,
)

LOADS = np.linspace(-12, 12, 24000)  # over C_F^(0); neither 0 nor 1
REPULSIONS = (20.0, 40.0)


def all_claims() -> list[Claim]:
    """Figure by figure."""
    parts = (_steady_states, _bistability, _trapping, _linear_orders, _higher_orders, _conservation)
    return [each for part in (*parts, _efficiencies, _next_order, _heat_engines, _pumped) for each in part()]


def _steady_states() -> Iterator[Claim]:
    torque = series(100.0, 2.0).torque
    for name, share, word, sign in (("a", 0.5, "motor", 1), ("b", 1.5, "pump", -1)):
        velocity = steady_velocity(torque, share, 1)
        values, stable = steady_velocities(torque, share * torque[0], 3)
        yield claim(
            f"Fig. 2{name}",
            f"at C_ext = {share} C_F^(0) the rotor settles at a velocity of {'positive' if sign > 0 else 'negative'} sign, a {word}",
            word,
            {"v, order 1": velocity, "v, order 3": values[stable][0]},
            [stable.sum() == 1, sign * velocity > 0, abs(values[stable][0] / velocity - 1) < 0.01],
            f"third order changes it by {100 * abs(values[stable][0] / velocity - 1):.2f} %",
        )
    load, ideal = torque[0] / 2, steady_velocity(torque, 0.5, 1)
    (mean, ripple), (heavier, less) = (settled(100.0, 2.0, load, inertia) for inertia in (1e8, 1e10))
    yield claim(
        "Fig. 2a, b",
        "with a large moment of inertia the velocity hardly varies within a cycle and follows from the integrated torque",
        "large inertia",
        {"mean v, I = 1e8": mean, "ripple, I = 1e8": ripple, "shift, I = 1e8": mean / ideal - 1, "shift, I = 1e10": heavier / ideal - 1},
        [abs(heavier / ideal - 1) < 1e-3, 80 < ripple / less < 120, 80 < (mean - ideal) / (heavier - ideal) < 120],
        f"from I = 1e8 to 1e10 the shift falls by a factor of {(mean - ideal) / (heavier - ideal):.0f}, the ripple by {ripple / less:.0f}; "
        "the paper does not give I",
    )


def _bistability() -> Iterator[Claim]:
    torque = {u: series(*BISTABLE, repulsion=u).torque for u in REPULSIONS}
    load = {u: c[0] + 0.05 for u, c in torque.items()}
    roots = {u: steady_velocities(c, load[u], 3) for u, c in torque.items()}
    numbers = {f"v{i}, U = {u:g}": v for u, (values, _) in roots.items() for i, v in enumerate(values, 1)}
    alike = {u: len(v) == 3 and still.tolist() == [True, False, True] and v[0] < 0 < v[1] for u, (v, still) in roots.items()}
    printed = np.array([-7.4e-3, 2e-3, 6.7e-3])
    off = {u: np.max(np.abs(v - printed)) if len(v) == 3 else np.inf for u, (v, _) in roots.items()}
    yield claim(
        "Fig. 2c",
        "to third order two stable velocities of opposite sign, and an unstable one between them",
        "-7.4e-3, 2e-3, 6.7e-3",
        numbers,
        [alike[20.0], off[20.0] < 0.5e-4],
        f"at its U = 20 the velocities are off the paper's by up to {off[20.0]:.1e}, at U = 40 by up to {off[40.0]:.0e}",
    )
    heavy = torque[40.0]
    terms = {k: heavy[k] * roots[40.0][0][0] ** k for k in (3, 4, 5)}
    values, stable = steady_velocities(heavy, load[40.0], 5)
    yield claim(
        "Fig. 2c",
        "the next order, C_F^(4), has a negligible effect on these solutions",
        "negligible",
        {f"C_F^({k}) v1^{k}": abs(term) for k, term in terms.items()} | {"v, order 5": values[0]},
        [abs(terms[4]) < 0.01 * abs(terms[3]), abs(terms[5]) < abs(terms[3]), len(values) == 3],
        f"at U = 40 it is {abs(terms[4] / terms[3]):.0e} of the third order, the fifth is {abs(terms[5] / terms[3]):.1f} of it: of three "
        f"velocities order 5 leaves {len(values)}, with {stable.sum()} stable",
    )
    exact = {u: exact_velocities(load[u], u) for u in REPULSIONS}
    factors = exact[40.0][0][exact[40.0][1]] / roots[40.0][0][roots[40.0][1]]
    signs = {u: set(np.sign(values[still])) == {-1, 1} for u, (values, still) in exact.items()}
    yield claim(
        "Fig. 2c",
        "the rotor has two stable velocities of opposite sign: exactly in the velocity, -0.12 < v < 0.06",
        "two",
        {f"v{i}, U = {u:g}": v for u, (values, _) in exact.items() for i, v in enumerate(values, 1)}
        | {f"stable, U = {u:g}": still.sum() for u, (_, still) in exact.items()},
        [signs[20.0], signs[40.0]],
        f"stable are {exact[20.0][1].sum()} at U = 20 and {exact[40.0][1].sum()} at U = 40, where they are "
        f"{' and '.join(f'{factor:.1f}' for factor in factors)} times as fast as to third order",
    )


def _trapping() -> Iterator[Claim]:
    load = {u: series(*BISTABLE, repulsion=u).torque[0] + 0.05 for u in REPULSIONS}
    flywheel = lambda u, inertia: Flywheel(motor(*BISTABLE, repulsion=u), load[u], inertia, 3e-4, 1.2e-2)
    trapped = {u: flywheel(u, 2e7).turns(1.5e-3, 4000) for u in REPULSIONS}
    lighter = flywheel(40.0, 5e6).turns(1.5e-3, 20000)
    yield claim(
        "Fig. 2c",
        "a rotor that starts between rest and the unstable velocity is trapped at rest",
        "trapped",
        {f"stops in cycle, U = {u:g}": len(turns.means) for u, turns in trapped.items()} | {"v, I = 5e6, U = 40": lighter.means[-1]},
        [turns.stopped for turns in trapped.values()],
        "with I = 2e7, which is ours, from 1.5e-3; with I = 5e6, where the ripple is larger, it "
        f"{'stops' if lighter.stopped else f'settles at {lighter.means[-1]:.1e}'}. By the map of the velocity over one cycle",
    )


def _linear_orders() -> Iterator[Claim]:
    slopes = {f"slope({r:g})": works(series(r, 1e-3).torque, r)[0] / 1e-3 for r in RADII}
    values = list(slopes.values())
    yield claim(
        "Fig. 3",
        "the slope of the zeroth order at V = 0 grows with the orbit and saturates at the quantised pumped charge",
        "saturates",
        slopes,
        [np.all(np.diff(values) > 0), 0.99 < values[-1] < 1],
    )
    first = {v: works(series(np.array(RADII), v).torque, np.array(RADII))[:, 1] for v in (2.0, 10.0)}
    steady = np.abs(first[10.0] / first[2.0] - 1) < 0.05
    yield claim(
        "Fig. 3",
        "the first order is negative and nearly constant for V < 10",
        "constant",
        {f"W1({r:g}, V = {v:g})": w for v, row in first.items() for r, w in zip(RADII, row)},
        [np.all([row < 0 for row in first.values()]), np.all(steady)],
        f"constant within 5 % on the orbits {', '.join(f'{r:g}' for r, same in zip(RADII, steady) if same)}; on that of radius 10 "
        f"{100 * first[10.0][0] / first[2.0][0]:.0f} % of it are left at V = 10",
    )
    bias = np.arange(1.0, 10.5, 1.0)
    linear = {r: works(series(r, bias).torque, r)[:, 0] / bias / slopes[f"slope({r:g})"] for r in RADII}
    bent = [float(np.max(np.abs(share - 1))) for share in linear.values()]
    yield claim(
        "Fig. 3",
        "the zeroth order is linear for V < 10",
        "linear",
        {"W0(10, V = 10)": 10 * linear[10.0][-1] * slopes["slope(10)"], "slope * 10": 10 * slopes["slope(10)"]},
        [max(bent[1:]) < 0.02, bent[0] < 0.02],
        f"to {100 * max(bent[1:]):.1f} % on the three wider orbits, to {100 * bent[0]:.0f} % on that of radius 10",
    )


def _higher_orders() -> Iterator[Claim]:
    at_ten = works(series(np.array(RADII), 10.0).torque, np.array(RADII))
    shares = np.abs(at_ten[:, 3] / at_ten[:, 1])
    yield claim(
        "Fig. 3",
        "orders above the first are almost negligible for V < 10",
        "negligible",
        {"largest third-order term, V = 10": np.max(np.abs(at_ten[:, 3]))},
        [np.max(shares) < 0.25, np.all(np.abs(at_ten[:, 2:]) < 0.2)],
        f"at V = 10 the third order is {np.min(shares):.0%} to {np.max(shares):.0%} of the first",
    )
    zero = {u: root(lambda v, u=u: float(series(10.0, v, 0.0, u).torque[1]), 13.0, 15.0) for u in REPULSIONS}
    bias = np.arange(0.25, 20.1, 0.25)
    small = works(series(10.0, bias).torque, 10.0)
    wider = np.max([works(series(r, np.arange(10.0, 20.5, 2.0)).torque, r)[:, 1] for r in RADII[1:]])
    yield claim(
        "Fig. 3a",
        "beyond V = 10 dissipation can be inverted, with a positive first order",
        "V > 10",
        {f"C_F^(1) = 0 at V, U = {u:g}": v for u, v in zero.items()},
        [np.array_equal(small[:, 1] > 0, bias > zero[20.0]), wider < 0],
        f"from V = {zero[20.0]:.1f} to {bias[small[:, 1] > 0][-1]:g} at least; on the wider orbits W1 is at most {wider:.2f} there",
    )
    exceeds, ratio = bias[np.abs(small[:, 3]) > np.abs(small[:, 1])], np.abs(small[:, 3] / small[:, 0])
    peak = small[bias == 16.0][0]
    yield claim(
        "Fig. 3a",
        "beyond V = 10 higher orders can exceed the first two",
        "both",
        {f"W{k}(V = 16)": peak[k] for k in (0, 1, 3)}
        | {"W3 exceeds W1 from": exceeds[0], "W3 exceeds W1 to": exceeds[-1], "largest W3 / W0": np.max(ratio)},
        [len(exceeds) > 0, np.max(ratio) > 1],
        f"in steps of 0.25 of V, the third order exceeds the first {len(exceeds)} times and is at most {np.max(ratio):.2f} of the zeroth",
    )


def _conservation() -> Iterator[Claim]:
    orbits = np.array([(10, 2, 0), (10, 10, 0), (10, 15.42, 0.3), (20, 5, 0.4), (50, 4, 0.4), (100, 2, 0), (100, 10, 0.5)], float).T
    radius, bias, difference = orbits
    one, other = series(radius, bias, difference), series(radius, -bias, -difference)
    powers = (0.25 / radius[:, None]) ** np.arange(4)
    scale = np.max(np.abs(one.torque[:, :4] * powers), axis=1, keepdims=True)
    carried = one.hot + one.cold + one.charge * bias[:, None]
    lost = np.max(np.abs((carried[:, 1:5] - one.torque[:, :4]) * powers / scale))
    uneven = np.max(np.abs((other.torque[:, :4] + (-1.0) ** np.arange(4) * one.torque[:, :4]) * powers / scale))
    yield claim(
        "Fig. 3",
        "each order conserves energy (Eqs. 55, 71) and is even or odd in the bias (Eq. 69)",
        "exact",
        {"largest loss": lost, "largest departure from parity": uneven},
        [lost < 2e-12, uneven < 1e-12],
        "relative to the largest order, on seven orbits; parity with delta_T reversed as well",
    )


def _efficiencies() -> Iterator[Claim]:
    found = {r: performance(series(r, 2.0), LOADS, 1, bias=2.0) for r in RADII}
    motors = {r: np.max(point.share[point.drives]) for r, point in found.items()}
    pumps = {r: np.max(point.share[point.pumps]) for r, point in found.items()}
    gaps = [1 - pumps[r] / motors[r] for r in RADII]
    yield claim(
        "Fig. 4a",
        "the largest efficiency grows with the orbit, that of motor and pump being very similar",
        "growing, similar",
        {f"motor({r:g})": share for r, share in motors.items()} | {f"pump({r:g})": share for r, share in pumps.items()},
        [np.all(np.diff(list(x.values())) > 0) for x in (motors, pumps)] + [all(abs(gap) < 0.15 for gap in gaps)],
        f"similar within {gaps[0]:.0%} at radius 10, {max(gaps[1:]):.1%} elsewhere",
    )
    onset = {f"pumps from, radius {r:g}": np.min(LOADS[point.pumps]) for r, point in found.items()}
    yield claim(
        "Fig. 4a",
        "the range of loads where pumping is frustrated is widest for small orbits",
        "widest",
        onset,
        [np.all(np.diff(list(onset.values())) < 0)],
    )


def _next_order() -> Iterator[Claim]:
    known = series(10.0, 2.0)
    first, found = (performance(known, LOADS, order, bias=2.0) for order in (1, 2))
    ahead, below = found.pumps & (LOADS > 0), found.pumps & (LOADS < 0)
    numbers = {
        "motor": np.max(found.share[found.drives]),
        "motor, lowest order": np.max(first.share[first.drives]),
        "pump": np.max(found.share[ahead]),
        "pumps from": np.min(LOADS[ahead]),
        "pumps up to": np.max(LOADS[ahead]),
        "pumps below": np.max(LOADS[below]),
    }
    yield claim(
        "Fig. 4a",
        "the next order changes the motor little, ends the pumping at a larger load, and begins it below C_ext / C_F^(0) = -8",
        "-8",
        numbers,
        [
            abs(numbers["motor"] / numbers["motor, lowest order"] - 1) < 0.02,
            numbers["pumps up to"] < 6,
            abs(numbers["pumps below"] + 8) < 0.05,
        ],
    )
    speeds = np.concatenate([np.geomspace(1e-3, 0.065, 12), np.linspace(0.066, 0.5, 40), np.geomspace(0.51, 30, 12)])
    torque, charge = exact_turn(np.stack([speeds, -speeds]), 10.0, 2.0, 20.0)
    extremes = []
    for row in torque / known.torque[0]:
        curve = CubicSpline(speeds, row)
        (speed,) = curve.derivative().roots(extrapolate=False)
        extremes.append((float(speed), float(curve(speed))))
    loads, back = torque[1] / known.torque[0], charge[1]
    rising = slice(np.argmax(loads) + 1)  # stable: at a negative velocity the torque falls with it
    starts = root(CubicSpline(loads[rising], back[rising]), 1.5, 3.5)
    stays = bool(np.all(back[rising][loads[rising] > starts] < 0))
    yield claim(
        "Fig. 4a",
        "the pump stops at a larger load, and there is another at negative loads: exactly in the velocity",
        "both",
        {"least torque": extremes[0][1], "at v": extremes[0][0], "largest torque": extremes[1][1], "at -v": extremes[1][0]}
        | {"pumps from": starts, "v to order 2 at -8": steady_velocity(known.torque, -8.01, 2)},
        [not stays, extremes[0][1] < -8],
        f"the torque that must balance the load is between {extremes[0][1]:.2f} and {extremes[1][1]:.2f} of C_F^(0); the pump "
        f"{'works up to' if stays else 'stops below'} the upper bound",
    )


def _heat_engines() -> Iterator[Claim]:
    found = {r: performance(series(r, 0.0, DIFFERENCE), LOADS, 1, difference=DIFFERENCE) for r in RADII}
    engines = {r: np.max(point.share[point.drives]) for r, point in found.items()}
    cold = {r: (np.max(point.share[point.pumps]), LOADS[point.pumps]) for r, point in found.items() if point.pumps.any()}
    numbers = {f"engine({r:g})": share for r, share in engines.items()}
    for r, (share, loads) in cold.items():
        numbers |= {f"refrigerator({r:g})": share, f"on from, {r:g}": loads[0], f"on to, {r:g}": loads[-1]}
    yield claim(
        "Fig. 4b",
        "the engine of radius 10 is invisible, that of 20 never refrigerates, and the largest COP stays below the largest efficiency",
        "over Carnot",
        numbers,
        [engines[10.0] < 0.005, 20.0 not in cold and 50.0 in cold, all(share < engines[r] for r, (share, _) in cold.items())],
    )


def _pumped() -> Iterator[Claim]:
    known = series(10.0, 2.0)
    charge = lambda x: -per_turn(known.charge, steady_velocity(known.torque, x, 2), 2)
    pumping = LOADS[(LOADS > 1) & (LOADS < 5.07)]
    heat = per_turn(known.hot + known.cold, steady_velocity(known.torque, pumping, 2), 2)
    share = np.max(np.abs(heat[3] / heat.sum(0)))
    yield claim("Fig. 5c", "the third order of the heat is negligible", "negligible", {"largest share": share}, [share < 0.02])
    beyond = charge(np.linspace(5.08, 10.0, 500))
    yield claim(
        "Fig. 5a",
        "the third order of the charge ends the pumping",
        "dominant",
        {f"Q_I^({k}), load {x:g}": q for x in (4.0, 6.0) for k, q in enumerate(charge(x))},
        [np.all(beyond[:3].sum(0) > 0) and np.all(beyond.sum(0) < 0), abs(charge(6.0)[3]) > abs(charge(4.0)[3])],
        f"at a load of 10 Q_I is {beyond.sum(0)[-1]:.2f}, without it {beyond[:3].sum(0)[-1]:+.2f}",
    )
    below = charge(np.linspace(-12.0, -8.015, 500))
    yield claim(
        "Fig. 5b",
        "at negative loads the third order reverses the charge",
        "reverses",
        {f"Q_I^({k}), load -8": q for k, q in enumerate(charge(-8.0))},
        [np.all(below[:3].sum(0) < 0) and np.all(below.sum(0) > 0)],
    )
    small = series(20.0, 0.0, DIFFERENCE)
    x = LOADS[LOADS > 1]
    cold = lambda x: -per_turn(small.cold, steady_velocity(small.torque, x, 1), 1)
    total, (c0, c1, c2) = cold(x).sum(0), small.cold[:3]
    yield claim(
        "Fig. 6",
        "an orbit of radius 20 never takes heat from the cold lead: zeroth and second order outdo the first",
        "never",
        {"least Q_Jcold": np.min(total), "at load": x[np.argmin(total)]}
        | {f"Q_Jcold^({k}), load 2": q for k, q in enumerate(cold(2.0))}
        | {"C_1^2": c1**2, "4 C_0 C_2": 4 * c0 * c2},
        [np.all(total > 0), c1**2 < 4 * c0 * c2],
        "it can only where C_1^2 > 4 C_0 C_2, of the cold lead",
    )
