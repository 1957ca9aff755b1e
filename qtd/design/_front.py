"""Fronts: what one objective costs another."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import xarray
from jaxtyping import Array

import qtd

from ..observables import Observable, units_of
from ..parameters import parameters, replace
from ..units import unit_of_parameter
from ._certificate import is_settled
from ._descent import Descender
from ._landscape import MET, Bounds, Constraints, Goal, Landscape, initial_points
from ._polish import continued, polished, polished_ends, rank
from ._problem import check, stated
from ._progress import Progress
from ._results import point_of

_SEEDS = (0.25, 0.5, 0.75)  # of the front, where starts are spread over the cube once more
_KEPT = 1e-7  # of an objective at its best may be given up for the others
_JUMP = 4.0  # times the median change of a design from one point to the next
_TRIED = 4  # ends of a search that are polished
_GAINED = 1e-2  # of an objective: what is worth to be gained so
_AGREES = 1e-9  # relative range of an objective that does not depend on where one is on the front
_GAP = 2.5  # times the mean distance of neighbours
_AT_LEAST = 1e-7  # of the range, by which a point must be better to dominate
_TOLD = ("validity", "COP_Carnot", "efficiency_Carnot")  # kept beside the objectives, where known


@dataclass(frozen=True)
class Front:
    """Designs none of which is better than another in every objective, as `pareto_front` finds.

    - `table`: over the dimension "point", from the best of the first objective on: objectives,
      parameters by path, constraints, `status` of the machine, `converged` (first-order conditions
      hold), and validity and Carnot bounds where the machine tells them. Attributes:
      `objectives`, `gaps` (pairs of neighbours that are more than 2.5 mean distances apart, on
      scales that run from 0 to 1), `dominated` (how many points were removed).
    - `start`: the machine that it began with, at its own point; `start_values` of the objectives
      there.
    """

    table: xarray.Dataset
    start: Any
    start_values: dict[str, float]

    def machine(self, point: int) -> Any:
        """The machine at a `point` of the front, by number."""
        count = self.table.sizes["point"]
        if not -count <= point < count:
            raise ValueError(f"`point` must be below {count}, got {point}.")
        known = parameters(self.start, self.table.attrs["paths"])
        changes = {
            path: jnp.asarray(float(self.table[path][point]), known[path].dtype)
            for path in self.table.attrs["paths"]
        }
        return replace(self.start, changes)

    def __repr__(self) -> str:
        names = self.table.attrs["objectives"]
        lines = [f"Front of {self.table.sizes['point']} designs: {', '.join(names)}"]
        for name in names:
            values = self.table[name].to_numpy()
            lines.append(f"  {name:<20} from {values.min():.6g} to {values.max():.6g}")
        rough = int((~self.table["converged"]).sum())
        if rough:
            lines.append(f"  {rough} of them not converged: there may be better ones")
        for gap in self.table.attrs["gaps"]:
            lines.append(f"  a gap between points {gap[0]} and {gap[1]}")
        return "\n".join(lines)


def pareto_front(
    objectives: Mapping[str, Observable] | Sequence[Observable],
    machine: Any,
    over: Bounds,
    subject_to: Constraints | None = None,
    *,
    points: int = 24,
    starts: int = 8,
    steps: int = 100,
    optimizer: optax.GradientTransformation | None = None,
    progress: bool = False,
    seed: int = 0,
) -> Front:
    """The front between two or three objectives, all to be large: designs none of which can be
    better in one without being worse in another.

    - `objectives`: {name: function of the machine}; a minus sign turns one round. A constraint may
      have the name of an objective only if it limits that. `machine`, `over`, `subject_to`,
      `optimizer`, `progress`, `seed` as in `maximize`.
    - `points`: how many are sought; fewer are returned where some are dominated by others. Of three
      objectives as many as fit on a triangle.
    - `starts`, `steps`: of the searches for the ends, which are the best designs by each objective
      alone, and at a few places between.

    By normal boundary intersection: with every objective scaled from its worst to its best value
    among the ends, from each of some evenly spaced points between the ends as far as possible along
    the normal. Points follow one another as starts, from either side. Everything is one compiled
    program, whatever the number of points: goals are numbers that it is given.

    Raises `ValueError` as `maximize`, for other numbers of objectives, and where no start meets the
    constraints.

    Power against COP of a demon:

    >>> demon = qtd.replace(qtd.machines.NDemon(), {"cold.temperature": 0.5})
    >>> wanted = {
    ...     "J_cold": lambda demon: demon.operate().heat_currents["cold"],
    ...     "COP": lambda demon: demon.operate().cop,
    ... }
    >>> front = qtd.design.pareto_front(wanted, demon, {"boldness": (0.1, 6.0)}, points=5, steps=40)
    >>> print(front.table.J_cold.values.round(5), front.table.COP.values.round(3))
    [3.58e-03 2.02e-03 7.60e-04 2.20e-04 6.00e-05] [0.02  0.061 0.159 0.398 0.712]
    """
    wanted = _named(objectives)
    over, subject_to = dict(over), dict(subject_to or {})
    check(machine, over, subject_to, {"starts": starts, "steps": steps, "points": points})
    over, subject_to = stated(over, subject_to)
    others = [name for name, (function, _, _) in subject_to.items() if wanted.get(name) != function]
    taken = set(wanted) & {*over, *others, "status", "converged", *_TOLD}
    if taken:
        raise ValueError(
            f"`objectives` must not use the name {min(taken)!r}, which the table uses itself."
        )
    optimizer = optimizer or optax.adam(optax.cosine_decay_schedule(0.2, steps, alpha=0.02))
    asked = [(name, function, 1.0) for name, function in wanted.items()]
    landscape = Landscape(asked, machine, over, subject_to)
    begin = initial_points(landscape, starts, seed)
    known = np.stack([landscape.at(point)[0] for point in begin])
    descender, goal = Descender(landscape, optimizer, steps), landscape.goal(known)
    size = [float(np.nanmedian(np.abs(term.value(known)))) or 1.0 for term in landscape.objectives]

    def searched(goal):
        search = descender.run(goal, descender.begun(begin))
        return polished_ends(landscape, goal, search.ends(), most=_TRIED, refined=1)[0]

    ladder = _weights(len(wanted), points)
    total = len(wanted) + len(_SEEDS) + len(ladder)
    with Progress(total, "front", progress) as bar:
        alone = [_alone(goal, i, size) for i in range(len(wanted))]
        found = []
        for each in alone:
            found.append(searched(each))
            bar.advance(1)
        ends = [
            _best_by_others(landscape, goal, i, size, _climbed(landscape, alone[i], found, i))
            for i in range(len(wanted))
        ]
        best = np.array([_objectives(landscape, end) for end in ends])
        for name, end in zip(wanted, ends):
            if not rank(landscape, goal, end)[0]:
                raise ValueError(
                    f"`subject_to` was met from none of {starts} starts in search of the largest"
                    f" {name!r}; `maximize` says by how much."
                )
        low, high = best.min(0), best.max(0)
        if (high - low <= _AGREES * np.maximum(np.abs(high), np.abs(low))).any():
            found = ends[:1]
        else:
            goals = [_toward(goal, weights, low, high) for weights in ladder]
            found = _followed(landscape, goals, ladder, ends, searched, bar)
    return _front(landscape, goal, found, machine, wanted)


def _named(objectives):
    named = (
        dict(objectives)
        if isinstance(objectives, Mapping)
        else {getattr(f, "__name__", f"objective {i}"): f for i, f in enumerate(objectives)}
    )
    if len(named) not in (2, 3) or len(named) < len(objectives):
        raise ValueError(
            f"`objectives` must be two or three, by different names, got {list(named)}."
        )
    return named


def _weights(count, points):
    """Points between the ends of 2 or 3 objectives, evenly spaced, neighbours after one another."""
    if count == 2:
        shares = np.linspace(0, 1, max(points, 2))
        return np.stack([1 - shares, shares], axis=1)
    side = max(int((np.sqrt(8 * points + 1) - 3) / 2), 1)
    rows = []
    for i in range(side + 1):
        row = [(side - i, i - j, j) for j in range(i + 1)]
        rows += row if i % 2 else row[::-1]
    return np.array(rows) / side


def _alone(goal, i, size):
    """One objective, whatever the others are."""
    count = len(size)
    return _goal(goal, np.eye(count)[i] / size, np.where(np.arange(count) == i, 0.0, np.inf))


def _climbed(landscape, alone, found, i):
    """The best by one objective of where its own search ended and of where those of the others
    lead."""
    led = [end if k == i else polished(landscape, alone, end) for k, end in enumerate(found)]
    return max(led, key=lambda end: rank(landscape, alone, end))


def _best_by_others(landscape, goal, i, size, end):
    """Among designs as good as this `end` by one objective the best by the others."""
    count = len(size)
    reached = _objectives(landscape, end)
    others = np.arange(count) != i
    floors = np.full(count, -np.inf)
    floors[i] = reached[i] - _KEPT * abs(reached[i])
    shifts = np.where(others, -reached / size, np.inf)
    rest = _goal(goal, others / np.array(size), shifts, floors)
    better = polished(landscape, rest, end)
    return better if rank(landscape, rest, better) > (True, _GAINED) else end


def _toward(goal, weights, low, high):
    """As far as possible along the normal, from a point between the ends."""
    return _goal(goal, 1 / (high - low), -low / (high - low) - weights)


def _goal(goal: Goal, scales: Any, shifts: Any, floors: Any = None) -> Goal:
    bounds = goal.bounds.copy()
    if floors is not None:
        bounds[: len(scales)] = floors
    found = goal._replace(scales=scales, shifts=shifts, bounds=bounds, unit=1.0)
    return Goal(*(np.asarray(x, goal.bounds.dtype) for x in found))


def _followed(landscape, goals, ladder, ends, searched, bar):
    """The points of all goals, each from its neighbours, from the ends, and from searches of its
    own at a few places."""
    count = len(goals)
    seeds = {round(share * (count - 1)) for share in _SEEDS} if count > 2 else set()
    known: list[Array] = []
    seeded = []
    for number in sorted(seeds):
        seeded.append(searched(goals[number]))
        bar.advance(1)

    def best_of(number, candidates):
        return max(candidates, key=lambda point: rank(landscape, goals[number], point))

    for number, goal in enumerate(goals):
        near = _nearest(ladder, number, range(number))[:2]
        start = best_of(number, [*(known[k] for k in near), *ends, *seeded])
        starts = [start]
        if near:
            ahead = known[near[0]]
            if len(near) == 2:  # on a line, as far again
                ahead = np.clip(2 * known[near[0]] - known[near[1]], 0, 1).astype(start.dtype)
            if not np.all(np.isfinite(landscape.at(ahead)[0])):
                ahead = known[near[0]]
            starts = [ahead] if start is known[near[0]] else [ahead, start]
        known.append(best_of(number, [continued(landscape, goal, each) for each in starts]))
        bar.advance(1)

    def is_stuck(number):
        return not is_settled(landscape, goals[number], known[number])

    broken = _broken(known)
    for number in sorted({k for k in range(count) if is_stuck(k)} | broken, reverse=True):
        near = _nearest(ladder, number, [k for k in range(count) if k != number])[:2]
        for k in near:
            if number in broken or is_stuck(number):
                again = continued(landscape, goals[number], known[k])
                known[number] = best_of(number, [known[number], again])
    return known


def _nearest(ladder, number, others):
    return sorted(others, key=lambda k: np.abs(ladder[k] - ladder[number]).sum())


def _broken(known):
    """Points on either side of where designs jump: there one of two families may have been followed
    for too long."""
    jumps = np.array([np.abs(a - b).max() for a, b in itertools.pairwise(known)])
    sides = {j + i for j in np.flatnonzero(jumps > _JUMP * np.median(jumps)) for i in (-1, 0, 1, 2)}
    return {k for k in sides if 0 <= k < len(known)}


def _objectives(landscape, point):
    values = landscape.at(point)[0]
    return np.array([float(term.value(values)) for term in landscape.objectives])


def _front(landscape, goal, found, machine, wanted) -> Front:
    """The points that meet all limits and that no other one dominates, in the order of the first
    objective."""
    met = [
        point
        for point in found
        if float(landscape.violations(landscape.at(point)[0], goal).max()) <= MET
    ]
    values = np.array([_objectives(landscape, point) for point in met])
    keep = _undominated(values)
    order = sorted(keep, key=lambda k: -values[k][0])
    met, values = [met[k] for k in order], values[order]
    machines = [landscape.machine_at(point) for point in met]
    columns = {name: values[:, i] for i, name in enumerate(wanted)}
    for path in landscape.over:
        columns[path] = np.array([float(parameters(each, [path])[path]) for each in machines])
    for term in landscape.terms[len(wanted) :]:
        columns[term.name] = np.array([float(term.value(landscape.at(x)[0])) for x in met])
    settled = [_is_settled_on_front(landscape, goal, point, values) for point in met]
    columns["converged"] = np.array(settled)
    columns |= _told(machines)
    table = xarray.Dataset({name: ("point", column) for name, column in columns.items()})
    units = units_of(machine, wanted)
    for name in table:
        table[name].attrs["units"] = (
            unit_of_parameter(str(name), machine)
            if name in landscape.over
            else units.get(str(name), "")
        )
    table.attrs |= {
        "objectives": list(wanted),
        "paths": list(landscape.over),
        "constraints": list(landscape.names),
        "gaps": _gaps(values),
        "dominated": len(found) - len(met),
        "machine": type(machine).__name__,
        "qtd": qtd.__version__,
    }
    begin = {name: float(function(machine)) for name, function in wanted.items()}
    return Front(table, machine, begin)


def _is_settled_on_front(landscape, goal, point, values):
    """Whether a point is an optimum of a sum of the objectives, each with the weight that suits
    this point best."""
    low, high = values.min(0), values.max(0)
    extent = np.where(high > low, high - low, 1.0)
    own = _objectives(landscape, point)
    return is_settled(landscape, _goal(goal, 1 / extent, 1 - own / extent), point)


def _undominated(values):
    """Which points no other one beats, nor equals."""
    extent = values.max(0) - values.min(0)
    margin = _AT_LEAST * np.where(extent > 0, extent, 1.0)
    kept: list[int] = []
    for k, own in enumerate(values):
        beaten = [
            (other >= own - margin).all() and ((other > own + margin).any() or j in kept)
            for j, other in enumerate(values)
            if j != k
        ]
        if not any(beaten):
            kept.append(k)
    return kept


def _gaps(values):
    """Neighbours that are far apart, of two objectives."""
    if values.shape[1] != 2 or len(values) < 3:
        return []
    extent = values.max(0) - values.min(0)
    scaled = values / np.where(extent > 0, extent, 1.0)
    lengths = np.linalg.norm(np.diff(scaled, axis=0), axis=1)
    return [
        (k, k + 1) for k in range(len(lengths)) if lengths[k] > _GAP * max(lengths.mean(), 1e-12)
    ]


def _told(machines):
    """Status, validity and bounds of each machine, as far as its kind tells them."""
    points = [point for machine in machines if (point := point_of(machine)) is not None]
    if not points:
        return {}
    tables = [point.observables() for point in points]
    found = {"status": np.array([int(point.status) for point in points])}
    for name in _TOLD:
        if name in tables[0]:
            found[name] = np.array([float(table[name].value) for table in tables])
    return found
