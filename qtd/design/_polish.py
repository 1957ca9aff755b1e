"""The last step: sequential quadratic programming from the ends of a descent."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from ._certificate import differences, held_by, slope_left
from ._landscape import MET, Goal, Landscape, Numbers

_MOST, _REFINED = 8, 3  # points that are followed, and of these to the last digit
_SAME, _ALIKE = 0.02, 1e-2  # of the cube, and relative: points that lead to one optimum
_ROUGH, _ITERATIONS = 60, 300  # of sequential quadratic programming
_STEPS = 8  # of Newton's method
_NEAR = 1e-2  # limits so close, relative to themselves, may be those that hold a rough optimum
_FEW = 3
_LOST = 1e-3  # relative, of the merit that a step may cost
_FARTHEST = 0.2  # of the cube, in one step


def polished_ends(
    landscape: Landscape,
    goal: Goal,
    points: Iterable[Numbers],
    most: int = _MOST,
    refined: int = _REFINED,
) -> list[Numbers]:
    """Where each of the `points`, the best first, leads, the best first.

    Points at nearly one place lead to one; of those at different places the first, at `most` so
    many, are followed roughly, and the best of these, so many as are to be `refined`, to the last
    digit."""
    led: dict[int, Numbers] = {}
    groups: list[tuple[Numbers, list[int]]] = []
    for number, point in enumerate(points):
        if not np.all(np.isfinite(landscape.at(point)[0])):
            continue
        near = [group for begun, group in groups if _is_near(landscape, goal, point, begun)]
        if near:
            near[0].append(number)
        elif len(groups) < most:
            groups.append((point, [number]))
    for begun, group in groups:
        end = _programmed(landscape, goal, begun, _ROUGH)
        led |= dict.fromkeys(group, _better(landscape, goal, end, begun))
    best: list[Numbers] = []
    # What exceeds a limit by little only has its last digits still to come.
    for number in sorted(led, key=lambda k: rank(landscape, goal, led[k], _NEAR), reverse=True):
        near = [end for end in best if _is_near(landscape, goal, led[number], end)]
        if not near and len(best) < refined:
            best.append(polished(landscape, goal, led[number]))
            near = best[-1:]
        led[number] = near[0] if near else led[number]
    return sorted(led.values(), key=lambda point: rank(landscape, goal, point), reverse=True)


def polished(landscape: Landscape, goal: Goal, point: Numbers) -> Numbers:
    """The point to which sequential quadratic programming leads, refined by Newton's method, or
    this one if that is no better."""
    found = _programmed(landscape, goal, point, _ITERATIONS)
    return _refined(landscape, goal, _better(landscape, goal, found, point))


def continued(landscape: Landscape, goal: Goal, point: Numbers) -> Numbers:
    """The optimum of a `goal` from that of a goal close to it, by Newton's method alone where that
    gets there."""
    found, tiny = _refined(landscape, goal, point), float(np.finfo(point.dtype).eps)
    is_there = rank(landscape, goal, found)[0] and slope_left(landscape, goal, found) <= tiny**0.5
    return found if is_there else polished(landscape, goal, point)


def _better(landscape, goal, found, point):
    if not np.all(np.isfinite(landscape.at(found)[0])):
        return point
    return max((found, point), key=lambda point: rank(landscape, goal, point))


def rank(landscape: Landscape, goal: Goal, point: Numbers, met: float = MET) -> tuple[bool, float]:
    """For comparison: what exceeds no limit by more than `met` first, by its merit, then the rest
    by how little they are exceeded."""
    values = landscape.at(point)[0]
    worst = float(landscape.violations(values, goal).max())
    merit = float(landscape.merits(values, goal).min())
    if np.isnan(worst) or not np.isfinite(merit):
        return False, -np.inf
    return (True, merit) if worst <= met else (False, -worst)


def _is_near(landscape, goal, point, other):
    values = [float(landscape.merits(landscape.at(x)[0], goal).min()) for x in (point, other)]
    apart = np.abs(np.asarray(point) - np.asarray(other)).max()
    alike = abs(values[0] - values[1]) <= _ALIKE * max(map(abs, values))
    return apart <= _SAME and alike


def _programmed(landscape, goal, point, iterations):
    """Where so many `iterations` of sequential quadratic programming lead. With several numbers of
    which the least counts, a last variable stays below all of them.

    Everything is on scales that are logarithmic far from the limits and from the first value, see
    `Landscape.pressures`: rates and currents change by decades over a cube."""
    size = len(point)
    merits, limits = _Scaled.merits(landscape, goal, point), _Scaled.limits(landscape, goal)
    is_one = len(merits.places) == 1
    width = size if is_one else size + 1
    last = np.eye(width)[-1]

    def inside(place):
        return np.clip(place[:size], 0, 1).astype(point.dtype)

    def at(place):
        values, slopes = landscape.at(inside(place))
        return np.asarray(values, float), np.asarray(slopes, float)

    def sought(place):
        return merits.values(at(place)[0])

    def slopes(place):
        return merits.slopes(*at(place), width)

    asked = []
    if len(limits.places):
        room = {
            "type": "ineq",
            "fun": lambda place: -limits.values(at(place)[0]),
            "jac": lambda place: -limits.slopes(*at(place), width),
        }
        asked.append(room)
    start = np.asarray(point, float)
    if not is_one:
        above = {
            "type": "ineq",
            "fun": lambda place: sought(place) - place[-1],
            "jac": lambda place: slopes(place) - last,
        }
        asked.append(above)
        start = np.append(start, sought(start).min())
    found = minimize(
        lambda place: -(sought(place)[0] if is_one else place[-1]),
        start,
        jac=lambda place: -(slopes(place)[0] if is_one else last),
        bounds=[(0, 1)] * size + [(None, None)] * (width - size),
        constraints=asked,
        method="SLSQP",
        options={"maxiter": iterations, "ftol": 100 * float(np.finfo(point.dtype).eps)},
    )
    return inside(found.x)


def _refined(landscape, goal, point):
    """Newton's method on the conditions of Karush, Kuhn and Tucker, with the limits and bounds that
    hold the point as equations: of the last digits, which programming approaches only slowly where
    limits are strongly bent. The point as it is where that leads nowhere."""
    merits, limits = _Scaled.merits(landscape, goal, point), _Scaled.limits(landscape, goal)
    tiny, found = float(np.finfo(point.dtype).eps), point
    for _ in range(_STEPS):
        if not all(np.all(np.isfinite(x)) for x in landscape.at(found)):
            return point
        step = _newton_step(landscape, merits, limits, found)
        place = np.clip(np.asarray(found, float) + step, 0, 1)
        moved = place.astype(point.dtype)
        if not np.all(np.isfinite(step)):
            return point
        found = moved
        if np.abs(step).max() <= tiny**0.75:
            break
    if not np.all(np.isfinite(landscape.at(found)[0])):
        return point
    (met, merit), (was_met, was) = (rank(landscape, goal, x) for x in (found, point))
    is_as_good = met >= was_met and (met > was_met or merit >= was - _LOST * abs(was))
    is_closer = slope_left(landscape, goal, found) <= slope_left(landscape, goal, point)
    return found if is_as_good and is_closer else point


def _newton_step(landscape, merits, limits, point):
    """The change of all coordinates by one step; bounds that hold stay as they are."""
    place, tiny = np.asarray(point, float), float(np.finfo(point.dtype).eps)
    values, slopes = (np.asarray(x, float) for x in landscape.at(point))
    sought, room = merits.values(values), limits.values(values)
    # Of few, as on a front, all are to become equal.
    merits = merits.of((sought <= sought.min() + _NEAR) | (len(sought) <= _FEW))
    limits = limits.of(room >= -_NEAR)
    rising, falling = merits.slopes(values, slopes), limits.slopes(values, slopes)
    low, high = landscape.walls(point)
    edges = np.vstack([-np.eye(len(place))[low], np.eye(len(place))[high]])
    shares, prices, _ = held_by(rising, np.vstack([falling, edges]))
    pushed = np.concatenate([np.flatnonzero(low), np.flatnonzero(high)])
    fixed = set(pushed[prices[len(falling) :] > 0].tolist())
    free = [i for i in range(len(place)) if i not in fixed]
    counts, holds = shares > 0, prices[: len(falling)] > 0
    merits, limits = merits.of(counts), limits.of(holds)
    shares, prices = shares[counts], prices[: len(holds)][holds]

    def slope(at):
        values, slopes = (np.asarray(x, float) for x in landscape.at(at.astype(point.dtype)))
        return shares @ merits.slopes(values, slopes) - prices @ limits.slopes(values, slopes)

    bent = differences(slope, place, tiny)[np.ix_(free, free)]
    rising, falling = rising[counts][:, free], falling[holds][:, free]
    sizes = [len(free), 1, len(shares), len(prices)]
    ends = np.cumsum([0, *sizes])
    at = [slice(low, high) for low, high in itertools.pairwise(ends)]
    system, wanted = np.zeros((ends[-1], ends[-1])), np.zeros(ends[-1])
    system[at[0], at[0]], system[at[0], at[2]], system[at[0], at[3]] = bent, rising.T, -falling.T
    system[at[1], at[2]] = 1.0
    system[at[2], at[0]], system[at[2], at[1]] = rising, -1.0
    system[at[3], at[0]] = falling
    wanted[at[0]] = -slope(place)[free]
    wanted[at[2]] = sought.min() - merits.values(values)
    wanted[at[3]] = -limits.values(values)
    if not np.all(np.isfinite(system)):
        return np.full(len(place), np.nan)
    step = np.zeros(len(place))
    step[free] = np.linalg.lstsq(system, wanted, rcond=1e-13)[0][at[0]]
    return step * min(1.0, _FARTHEST / max(np.abs(step).max(), tiny))


class _Scaled(NamedTuple):
    """The numbers at these `places`, as asinh(`factors` * number + `shifts`) less `zeros`."""

    places: np.ndarray
    factors: np.ndarray
    shifts: np.ndarray
    zeros: np.ndarray

    @classmethod
    def merits(cls, landscape, goal, point):
        """Those that the goal asks for, in units of their size at a point."""
        begin = np.asarray(landscape.merits(landscape.at(point)[0], goal), float)
        unit = float(goal.unit)
        if len(landscape.objectives) == 1:
            unit = max(np.abs(begin).min(), 1e-3 * unit)
        rows = [
            (place, goal.scales[i] * landscape.signs[i] / unit, goal.shifts[i] / unit, 0.0)
            for i, term in enumerate(landscape.objectives)
            if np.isfinite(goal.shifts[i])
            for place in range(term.places.start, term.places.stop)
        ]
        return _scaled(rows)

    @classmethod
    def limits(cls, landscape, goal):
        """Those that have a limit: negative with room to spare."""
        rows = [
            (place, sign / unit, 0.0, np.arcsinh(sign * bound / unit))
            for limit, bound, unit in zip(landscape.limits, *map(np.asarray, goal[2:4]))
            if np.isfinite(bound)
            for sign in [limit.sign]
            for place in range(limit.term.places.start, limit.term.places.stop)
        ]
        return _scaled(rows)

    def values(self, values):
        return np.arcsinh(self.factors * values[self.places] + self.shifts) - self.zeros

    def slopes(self, values, slopes, width=0):
        """By variable, of which there are at least `width`."""
        inner = self.factors * values[self.places] + self.shifts
        found = (self.factors / np.sqrt(1 + inner**2))[:, None] * slopes[self.places]
        return np.pad(found, ((0, 0), (0, max(width - found.shape[1], 0))))

    def of(self, chosen):
        """Some of them."""
        return _Scaled(*(column[chosen] for column in self))


def _scaled(rows):
    table = np.array(rows, float).reshape(-1, 4)
    return _Scaled(table[:, 0].astype(int), table[:, 1], table[:, 2], table[:, 3])
