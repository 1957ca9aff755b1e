"""Whether the end of a search is an optimum, of what kind, and what holds it there."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from scipy.linalg import null_space
from scipy.optimize import nnls

from ._landscape import MET, Goal, Landscape, Numbers

ACTIVE = 1e-5  # distance from a limit, relative to it, within which it holds the optimum
_ALIKE = 1e-4  # relative difference of two values of one optimum, one of them perhaps rough
_FLAT = 1e-6  # of the value over the whole range of a parameter: no curvature that could be seen
_WEIGHT = 1e3  # of the sum of shares against slopes of size 1
_SHARE = 0.3  # of a direction, from which on a parameter is named


class Certificate(eqx.Module):
    """What is known of an optimum, to first and to second order.

    - `gradient_norm`: how far it is from meeting the conditions of Karush, Kuhn and Tucker: the
      slope of the objective that active limits and bounds do not hold, relative to the objective,
      over the whole range of each parameter.
    - `multipliers`: by constraint and by path of a parameter at its bound, d(best value) /
      d(limit), in units of the objective over those of the limit: what one more of it is worth.
    - `curvature`: eigenvalues of the second derivative of the Lagrangian along the directions that
      no active limit or bound holds, each parameter over its whole range; all negative at a strict
      maximum, all positive at a strict minimum, empty where limits hold every direction.
    - `kind`: "strict maximum", "strict minimum", "saddle", "flat", "vertex", of no free
      direction, or "unknown", next to where there are no numbers. `flat_along`: parameters along
      which nothing changes.
    - `reached_by` of `starts` starts; `others`: the best value of the rest, None if there is none.
    """

    gradient_norm: float = eqx.field(static=True)
    multipliers: dict[str, float] = eqx.field(static=True)
    curvature: tuple[float, ...] = eqx.field(static=True)
    kind: str = eqx.field(static=True)
    flat_along: tuple[str, ...] = eqx.field(static=True)
    reached_by: int = eqx.field(static=True)
    starts: int = eqx.field(static=True)
    others: float | None = eqx.field(static=True)

    def __repr__(self) -> str:
        flat = f" along {', '.join(self.flat_along)}" if self.flat_along else ""
        reached = f"reached by {self.reached_by} of {self.starts} starts"
        rest = "" if self.others is None else f", the others' best {self.others:.6g}"
        return f"{self.kind}{flat}, slope {self.gradient_norm:.1e}, {reached}{rest}"

    def record(self) -> dict[str, Any]:
        """As plain numbers and words, such as JSON holds."""
        return {
            "gradient_norm": self.gradient_norm,
            "multipliers": self.multipliers,
            "curvature": list(self.curvature),
            "kind": self.kind,
            "flat_along": list(self.flat_along),
            "reached_by": self.reached_by,
            "starts": self.starts,
            "others": self.others,
        }


class _Held(NamedTuple):
    """What holds a point: slopes of the `merits` that count there, of active limits and bounds,
    (held, parameters), their `prices`, and the slope that is left of the objective."""

    merits: np.ndarray
    limits: np.ndarray
    shares: np.ndarray
    prices: np.ndarray
    left: float


def certified(
    landscape: Landscape, goal: Goal, ends: Sequence[Numbers], starts: int, sign: float
) -> Certificate:
    """The certificate of the first of the `ends`, the best, to which some of so many `starts` led;
    `sign` is -1 where the objective is small."""
    point = ends[0]
    active = _active(landscape, goal, point)
    held = _held(landscape, goal, point, active)
    free = _free(landscape, point, held)
    size = abs(float(landscape.merits(landscape.at(point)[0], goal).min())) or 1.0
    values, vectors = np.zeros(0), np.zeros((len(point), 0))
    if free.shape[1]:
        bent = free.T @ _bent(landscape, goal, point, held, active) @ free
        if np.all(np.isfinite(bent)):
            values, turned = np.linalg.eigh(bent)
            vectors = free @ turned
        else:  # next to where the machine has no numbers
            values = np.full(len(bent), np.nan)
            vectors = np.full_like(free, np.nan)
    tiny = float(np.finfo(point.dtype).eps)
    flat = np.abs(values) <= max(_FLAT, 100 * tiny / _step(tiny)) * size
    named = [path for i, path in enumerate(landscape.over) if _turns(vectors[:, flat], i)]
    merits = np.array([float(landscape.merits(landscape.at(x)[0], goal).min()) for x in ends])
    met = np.array([float(landscape.violations(landscape.at(x)[0], goal).max()) for x in ends])
    best = merits[0]
    reached = np.abs(merits - best) <= _ALIKE * max(abs(best), abs(size))
    rest = merits[~reached & (met <= MET)]
    return Certificate(
        held.left,
        _multipliers(landscape, goal, point, held, active, sign),
        tuple(float(sign * value) for value in values),
        _kind(values, flat, sign),
        tuple(named),
        int(reached.sum()),
        starts,
        float(sign * rest.max()) if len(rest) else None,
    )


def slope_left(landscape: Landscape, goal: Goal, point: Numbers) -> float:
    """How far a point is from meeting the first-order conditions of an optimum, relative to the
    objective."""
    return _held(landscape, goal, point, _active(landscape, goal, point)).left


def is_settled(landscape: Landscape, goal: Goal, point: Numbers) -> bool:
    """Whether a point is an optimum to first order: the objective is then right to about the square
    of what is left of its slope."""
    return slope_left(landscape, goal, point) <= float(np.finfo(point.dtype).eps) ** (1 / 3)


def active_limits(landscape: Landscape, goal: Goal, point: Numbers) -> set[str]:
    """The names of the constraints that are met with equality."""
    return {landscape.limits[k].term.name for k, _ in _active(landscape, goal, point)}


def _active(landscape, goal, point):
    """Limits that hold the point: which, and the places of their numbers that are at the bound."""
    excesses = landscape.excesses(landscape.at(point)[0], goal)
    found = []
    for k, excess in enumerate(excesses):
        places = np.flatnonzero(np.abs(np.asarray(excess)) <= ACTIVE)
        found += [(k, landscape.limits[k].term.places.start + int(place)) for place in places]
    return found


def _held(landscape, goal, point, active):
    """The multipliers by least squares, none below 0: of the merits that are least, whose shares
    add up to 1, of active limits, and of walls."""
    slopes = np.asarray(landscape.at(point)[1], float)
    merits = np.asarray(landscape.merits(landscape.at(point)[0], goal), float)
    size = abs(merits.min()) or 1.0
    least = merits <= merits.min() + ACTIVE * max(size, float(goal.unit) * 1e-3)
    rising = np.asarray(landscape.merits(slopes.T, goal.slopes()), float).T[least]
    limits = [
        landscape.limits[k].sign * slopes[place] / float(goal.units[k]) for k, place in active
    ]
    edges = np.eye(len(point))
    low, high = landscape.walls(point)
    walls = [-edges[i] for i in np.flatnonzero(low)] + [edges[i] for i in np.flatnonzero(high)]
    stacked = np.array(limits + walls).reshape(-1, len(point))
    shares, prices, left = held_by(rising / size, stacked)
    return _Held(rising, stacked, shares, prices * size, left)


def held_by(rising: np.ndarray, holding: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """How slopes of merits are held by those of limits: shares of the merits, which add up to 1,
    prices of the limits, none below 0, and the length of what is left."""
    columns = np.vstack([rising, -holding]).T
    if not np.all(np.isfinite(columns)):
        return np.zeros(len(rising)), np.zeros(len(holding)), np.inf
    size = np.abs(columns).max() or 1.0
    # To rounding.
    ones = np.concatenate([np.full(len(rising), _WEIGHT), np.zeros(len(holding))])
    wanted = np.append(np.zeros(columns.shape[0]), _WEIGHT)
    found, _ = nnls(np.vstack([columns / size, ones]), wanted)
    left = float(np.linalg.norm(columns @ found))
    return found[: len(rising)], found[len(rising) :], left


def _free(landscape, point, held):
    """A basis of the directions that neither walls nor active limits hold, nor merits that must
    stay equal."""
    rows = [held.limits, held.merits[1:] - held.merits[:1]]
    stacked = np.vstack(rows)
    lengths = np.linalg.norm(stacked, axis=1)
    stacked = stacked[lengths > 0] / lengths[lengths > 0, None]
    return null_space(stacked, rcond=1e-8) if len(stacked) else np.eye(len(point))


def _bent(landscape, goal, point, held, active):
    """The second derivative of the Lagrangian, by differences of exact slopes."""
    merits = np.asarray(landscape.merits(landscape.at(point)[0], goal), float)
    least = np.flatnonzero(
        merits <= merits.min() + ACTIVE * max(abs(merits.min()), float(goal.unit) * 1e-3)
    )
    place = np.asarray(point, float)

    def slope(at):
        slopes = np.asarray(landscape.at(at.astype(point.dtype))[1], float)
        rising = np.asarray(landscape.merits(slopes.T, goal.slopes()), float).T[least]
        found = held.shares @ rising
        for (k, number), price in zip(active, held.prices):
            found = found - price * landscape.limits[k].sign * slopes[number] / float(goal.units[k])
        return found

    return differences(slope, place, float(np.finfo(point.dtype).eps))


def differences(
    slope: Callable[[np.ndarray], np.ndarray], place: np.ndarray, tiny: float
) -> np.ndarray:
    """How a `slope`, right to a relative error `tiny`, changes about a place in the cube, made
    symmetric."""
    rows, step = [], _step(tiny)
    for edge in np.eye(len(place)):
        low, high = np.clip(place - step * edge, 0, 1), np.clip(place + step * edge, 0, 1)
        rows.append((slope(high) - slope(low)) / (high - low).sum())
    found = np.array(rows)
    return (found + found.T) / 2


def _step(tiny):
    """Of a parameter's range, in differences of slopes that are right to this relative error."""
    return tiny**0.25


def _turns(vectors, i):
    """Whether a parameter has a part in any of these directions."""
    return bool(len(vectors.T)) and bool((np.abs(vectors[i]) >= _SHARE).any())


def _kind(values, flat, sign):
    if not len(values):
        return "vertex"
    if np.isnan(values).any():
        return "unknown"
    if (values[~flat] > 0).any():
        return "saddle"
    if flat.any():
        return "flat"
    return "strict maximum" if sign > 0 else "strict minimum"


def _multipliers(landscape, goal, point, held, active, sign):
    """d(best value) / d(limit) by name, and / d(bound) by path."""
    found: dict[str, float] = {}
    for (k, _), price in zip(active, held.prices):
        limit = landscape.limits[k]
        worth = sign * price * limit.sign / float(goal.units[k])
        found[limit.term.name] = found.get(limit.term.name, 0.0) + float(worth)
    low, high = landscape.walls(point)
    places = [(i, -1.0) for i in np.flatnonzero(low)] + [(i, 1.0) for i in np.flatnonzero(high)]
    paths, stretch = list(landscape.over), landscape.stretch(point)
    for (i, side), price in zip(places, held.prices[len(active) :]):
        found[paths[i]] = float(sign * side * price / stretch[i])
    return found
