"""The last step: sequential quadratic programming from the ends of a descent."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize, nnls

from ._certificate import differences, held_by, is_settled, slope_left
from ._landscape import MET, Goal, Landscape, Numbers

_MOST, _REFINED = 8, 3  # points that are followed, and of these to the last digit
_SAME, _ALIKE = 0.02, 1e-2  # of the cube, and relative: points that lead to one optimum
_ROUGH, _ITERATIONS = 60, 300  # of sequential quadratic programming
_STEPS = 8  # of Newton's method
_NEAR = 1e-2  # limits so close, relative to themselves, may be those that hold a rough optimum
_FEW = 3
_LOST = 1e-3  # relative, of the merit that a step may cost
_FARTHEST = 0.2  # of the cube, in one step
_PROGRAMS = 25  # of quadratic programming with exact curvature
_SHORTEST = 1e-7  # of the cube, in one step
_SHARES = (1.0, 0.5, 0.1, 0.0)  # of what limits are exceeded by, that a step is to take away
_STRAIGHT = 1e-3  # what bends by the square of this makes no difference


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
    this one if that is no better; where that is no optimum, by quadratic programs with the exact
    curvature from there."""
    found = _programmed(landscape, goal, point, _ITERATIONS)
    found = _refined(landscape, goal, _better(landscape, goal, found, point))
    return found if _is_there(landscape, goal, found) else _led(landscape, goal, found)


def continued(landscape: Landscape, goal: Goal, point: Numbers) -> Numbers:
    """The optimum of a `goal` from that of a goal close to it: by Newton's method alone where that
    gets there, or by quadratic programs where other limits hold, or as any other."""
    found = _refined(landscape, goal, point)
    if not _is_there(landscape, goal, found):
        found = _led(landscape, goal, point)
    return found if _is_there(landscape, goal, found) else polished(landscape, goal, found)


def _led(landscape, goal, point):
    """Where quadratic programs with the exact curvature lead, refined."""
    found = _refined(landscape, goal, _stepped(landscape, goal, point))
    return _better(landscape, goal, found, point)


def _is_there(landscape, goal, point):
    return rank(landscape, goal, point)[0] and is_settled(landscape, goal, point)


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


def _stepped(landscape, goal, point):
    """Where quadratic programs lead, each with the exact curvature of the Lagrangian, within reach
    of where that tells what happens: from the optimum of a goal close by, which other limits may
    hold."""
    merits, limits = _Scaled.merits(landscape, goal, point), _Scaled.limits(landscape, goal)
    tiny, found, reach = float(np.finfo(point.dtype).eps), point, _FARTHEST
    for _ in range(_PROGRAMS):
        known = _Conditions.at(landscape, merits, limits, found)
        bent = known.bent(landscape, merits, limits)
        told = known.sought, known.room, known.rising, known.falling, bent
        if not all(np.all(np.isfinite(x)) for x in told):
            return found
        bent = bent - np.abs(bent).max() * known.held()
        penalty = 1 + 2 * known.prices.max(initial=0.0)

        def worth(at):
            values = landscape.at(at)[0]
            excess = np.maximum(limits.values(values), 0).sum()
            worth = merits.values(values).min() - penalty * excess
            return worth if np.isfinite(worth) else -np.inf

        was, gained, place, step = worth(found), -np.inf, found, np.zeros(len(found))
        while gained <= 0 and reach >= _SHORTEST:
            step = _programmed_step(known, bent, reach)
            place = known.moved(step)
            gained = worth(place) - was
            values = np.asarray(landscape.at(place)[0], float)
            there = merits.values(values), limits.values(values)
            if gained <= 0 and all(np.all(np.isfinite(x)) for x in there):  # once more, with these
                step = _programmed_step(known.bowed(step, *there), bent, reach)
                place = known.moved(step)
                gained = worth(place) - was
            reach = 2 * reach if gained > 0 else min(reach, np.abs(step).max()) / 4
        if gained <= 0:
            return found
        found, reach = place, min(reach, _FARTHEST)
        if np.abs(step).max() <= tiny**0.5:
            return found
    return found


def _programmed_step(known, bent, reach):
    """The best step of what is `known` to second order at a point, of at most this `reach`: none of
    several merits is to stay behind, and no limit exceeded, or, where none gets there so near, by
    less than before.

    Directions in which merits rise ever faster count as if they rose ever more slowly, by as much:
    in coordinates in which all bend alike, and with the least of the merits as a last one that
    bends next to nothing, this asks for the shortest vector that meets inequalities, which is a
    problem of least squares without negative numbers (Lawson and Hanson, "Solving Least Squares
    Problems", chapter 23)."""
    bends, axes = np.linalg.eigh(bent)
    bends = np.maximum(np.abs(bends), _STRAIGHT**2 * max(np.abs(bends).max(), 1.0))
    axes = axes / np.sqrt(bends)
    merits = np.pad(_STRAIGHT * known.rising @ axes, ((0, 0), (0, 1)), constant_values=-1)
    others = np.pad(np.vstack([-known.falling @ axes, axes, -axes]), ((0, 0), (0, 1)))
    ahead = known.sought - known.sought.min()
    rows = np.vstack([merits, others])
    for share in _SHARES:
        room = [
            _STRAIGHT * ahead - 1 / _STRAIGHT,
            np.where(known.room > 0, -share * known.room, -known.room),
            np.minimum(known.place, reach),
            np.minimum(1 - known.place, reach),
        ]
        shortest = _shortest(rows, -np.concatenate(room))
        if shortest is not None:
            return axes @ shortest[:-1]
    return np.zeros(len(axes))


def _shortest(rows, wanted):
    """The shortest vector x with rows @ x >= wanted, None where there is none."""
    try:
        pressed, _ = nnls(np.vstack([rows.T, wanted]), np.append(np.zeros(rows.shape[1]), 1.0))
    except RuntimeError:  # too many iterations
        return None
    left = np.append(rows.T @ pressed, wanted @ pressed - 1)
    return -left[:-1] / left[-1] if left[-1] else None


class _Conditions(NamedTuple):
    """What is known at a `place`: merits that are `sought` and the `room` that limits leave, below
    0, with their slopes, `rising` and `falling`; the `shares` of merits and the `prices` of limits
    that leave the least slope; `fixed` coordinates, which bounds hold."""

    place: np.ndarray
    sought: np.ndarray
    room: np.ndarray
    rising: np.ndarray
    falling: np.ndarray
    shares: np.ndarray
    prices: np.ndarray
    fixed: set[int]
    dtype: np.dtype

    @classmethod
    def at(cls, landscape, merits, limits, point):
        place = np.asarray(point, float)
        values, slopes = (np.asarray(x, float) for x in landscape.at(point))
        sought, room = merits.values(values), limits.values(values)
        rising, falling = merits.slopes(values, slopes), limits.slopes(values, slopes)
        # Of few, as on a front, all are to become equal.
        near = (sought <= sought.min() + _NEAR) | (len(sought) <= _FEW)
        close = room >= -_NEAR
        low, high = landscape.walls(point)
        edges = np.vstack([-np.eye(len(place))[low], np.eye(len(place))[high]])
        some, most, _ = held_by(rising[near], np.vstack([falling[close], edges]))
        pushed = np.concatenate([np.flatnonzero(low), np.flatnonzero(high)])
        fixed = set(pushed[most[close.sum() :] > 0].tolist())
        shares, prices = np.zeros(len(sought)), np.zeros(len(room))
        shares[near], prices[close] = some, most[: close.sum()]
        return cls(place, sought, room, rising, falling, shares, prices, fixed, point.dtype)

    def held(self):
        """The projection on directions that limits which count hold, or merits that stay equal: how
        the Lagrangian bends along these makes no difference."""
        even = self.rising[self.shares > 0]
        rows = np.vstack([self.falling[self.prices > 0], even[1:] - even[:1]])
        lengths = np.linalg.norm(rows, axis=1)
        rows = rows / np.where(lengths > 0, lengths, 1.0)[:, None]
        return np.linalg.pinv(rows, rcond=1e-8) @ rows

    def moved(self, step):
        """The point one step farther."""
        return np.clip(self.place + step, 0, 1).astype(self.dtype)

    def bowed(self, step, sought, room):
        """The same, but so that a step leads to these merits and this room."""
        return self._replace(sought=sought - self.rising @ step, room=room - self.falling @ step)

    def bent(self, landscape, merits, limits):
        """The second derivative of the Lagrangian, by differences of exact slopes."""
        merits, limits = merits.of(self.shares > 0), limits.of(self.prices > 0)
        shares, prices = self.shares[self.shares > 0], self.prices[self.prices > 0]

        def slope(at):
            values, slopes = (np.asarray(x, float) for x in landscape.at(at.astype(self.dtype)))
            return shares @ merits.slopes(values, slopes) - prices @ limits.slopes(values, slopes)

        return differences(slope, self.place, float(np.finfo(self.dtype).eps))


def _newton_step(landscape, merits, limits, point):
    """The change of all coordinates by one step; bounds that hold stay as they are."""
    tiny = float(np.finfo(point.dtype).eps)
    known = _Conditions.at(landscape, merits, limits, point)
    free = [i for i in range(len(known.place)) if i not in known.fixed]
    counts, holds = known.shares > 0, known.prices > 0
    shares, prices = known.shares[counts], known.prices[holds]
    slope = (known.shares @ known.rising - known.prices @ known.falling)[free]
    bent = known.bent(landscape, merits, limits)[np.ix_(free, free)]
    rising, falling = known.rising[counts][:, free], known.falling[holds][:, free]
    sizes = [len(free), 1, len(shares), len(prices)]
    ends = np.cumsum([0, *sizes])
    at = [slice(low, high) for low, high in itertools.pairwise(ends)]
    system, wanted = np.zeros((ends[-1], ends[-1])), np.zeros(ends[-1])
    system[at[0], at[0]], system[at[0], at[2]], system[at[0], at[3]] = bent, rising.T, -falling.T
    system[at[1], at[2]] = 1.0
    system[at[2], at[0]], system[at[2], at[1]] = rising, -1.0
    system[at[3], at[0]] = falling
    wanted[at[0]] = -slope
    wanted[at[2]] = known.sought.min() - known.sought[counts]
    wanted[at[3]] = -known.room[holds]
    if not np.all(np.isfinite(system)):
        return np.full(len(known.place), np.nan)
    step = np.zeros(len(known.place))
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
