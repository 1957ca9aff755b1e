"""A design problem in the coordinates of the search, every bound a wall of the unit cube."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import qmc

from .._numerics.compilation import quickly, quickly_at
from .._numerics.cores import SideBySide, dealt, joined
from .._numerics.jax_internals.extrema import Extremum, taken_apart
from ..observables import Observable, observe
from ..parameters import parameters, replace
from ._workshop import Workshop, measured

Bounds = Mapping[str, tuple[float, float]]
Constraints = Mapping[str, tuple[Observable, float | None, float | None]]
Side = Literal["low", "high"]
Numbers = Any  # arrays of JAX in programs, of NumPy where their values are known

_REMEMBERED = 8  # points whose values are kept
_SCREENED, _BATCH = 64, 16  # points that are looked at for each start, so many at once
_SHARES = (1.0, 1e-3)  # of the unit of a limit, in which it is looked at
_QUICK = 2e-3  # seconds for one point, up to which nothing is compiled for many
PENALTY = 10.0  # of limits, where a descent begins
MET = 1e-6  # largest violation of a limit, relative to it, that still counts as met


class Term(NamedTuple):
    """One side of a function: the numbers at these `places`, whose smallest ("low") or largest
    ("high") is the function."""

    name: str
    side: Side
    places: slice

    def value(self, values: Numbers) -> Numbers:
        """The function itself, from all numbers (..., numbers)."""
        own = values[..., self.places]
        return own.min(-1) if self.side == "low" else own.max(-1)


class Limit(NamedTuple):
    """A term of which no number may lie beyond the `bound`: none below it on the "low" side, none
    above it on the "high" one."""

    term: Term
    bound: float

    @property
    def sign(self) -> float:
        """1 where the bound is an upper one, -1 where it is a lower one."""
        return 1.0 if self.term.side == "high" else -1.0


class Goal(NamedTuple):
    """What is sought: the largest value of the least of `scales` * objective + `shifts`, objectives
    that are to be small with a minus sign, where no limit is exceeded. `bounds` of the limits, and
    the `units` that they are exceeded in. All are numbers that go into compiled programs, so that
    another goal is no other program. `unit`: the size of what is sought."""

    scales: Any
    shifts: Any
    bounds: Any
    units: Any
    unit: Any

    def slopes(self) -> "Goal":
        """Without its constants: what it makes of the slopes of numbers are the slopes of what it
        makes of the numbers."""
        return self._replace(shifts=jnp.zeros_like(self.shifts), bounds=jnp.zeros_like(self.bounds))


class Landscape:
    """Objectives, those to be small of the sign -1, and constraints, over the unit cube, each edge
    of which is the interval of one parameter, on a logarithmic scale where that is natural.

    Functions that are the smallest or the largest of several numbers are kept as these, see
    `taken_apart`, and where a `workshop` makes the machine as what a sample of its machines does.
    `limits` are those of the constraints, and, of several objectives, a lower one for each, which
    only a goal puts anywhere.
    """

    def __init__(
        self,
        objectives: Sequence[tuple[str, Observable, float]],
        machine: Any,
        over: Bounds,
        subject_to: Constraints,
        workshop: Workshop | None = None,
    ):
        self.machine = machine
        self.over = over
        self.names = list(subject_to)
        self.signs = np.array([sign for _, _, sign in objectives])
        self.workshop = workshop
        self._functions = [function for _, function, _ in objectives]
        self._functions += [function for function, _, _ in subject_to.values()]
        known = [*(name for name, _, _ in objectives), *subject_to]
        shapes = self._checked_shapes(known)
        asked = [("low" if sign > 0 else "high",) for sign in self.signs]
        asked += [_sides(low, high) for _, low, high in subject_to.values()]
        self.terms = self._laid_out(known, shapes, asked)
        count = len(objectives)
        self.objectives = self.terms[:count]
        self.limits = [Limit(term, -np.inf) for term in self.objectives] if count > 1 else []
        for term in self.terms[count:]:
            _, low, high = subject_to[term.name]
            bound = low if term.side == "low" else high
            self.limits.append(Limit(term, np.nan if bound is None else bound))
        self._looked_at: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
        self._differentiated: Any = None
        self.seconds = np.inf  # that numbers and slopes have taken at one point

    def asked(self, starts: int) -> str:
        """The problem in one line, by which an interrupted search is known again."""
        limits = [(limit.term.name, limit.term.side, limit.bound) for limit in self.limits]
        tolerance = self.workshop and (self.workshop.sigmas, self.workshop.measure)
        return repr((dict(self.over), limits, self.signs.tolist(), tolerance, starts))

    def machine_at(self, point: Numbers) -> Any:
        """The machine at a point of the cube."""
        point = jnp.asarray(point)
        moved = {path: _scaled(point[i], *self.over[path]) for i, path in enumerate(self.over)}
        return replace(self.machine, moved)

    def values(self, point: Array) -> Float[Array, " numbers"]:
        """All numbers of all terms, as part of a program."""
        found = self._observed(self.machine_at(point))
        sides = zip(self._sides, found)
        return jnp.concatenate(
            [measured(each, side, self.workshop) for asked, each in sides for side in asked]
        )

    def at(self, point: Numbers) -> tuple[np.ndarray, np.ndarray]:
        """The same and their slopes at one known point; who optimises asks again and again for what
        belongs to the last few."""
        place = np.asarray(point)
        key = place.tobytes()
        if key not in self._looked_at:
            if len(self._looked_at) > _REMEMBERED:
                self._looked_at.pop(next(iter(self._looked_at)))
            if self._differentiated is None:
                self._differentiated = self._compiled(place)
            begun = time.perf_counter()
            values, slopes = map(np.asarray, self._differentiated(place))
            self.seconds = min(self.seconds, time.perf_counter() - begun)
            self._looked_at[key] = values, slopes
        return self._looked_at[key]

    def best(self, points: Numbers, count: int) -> np.ndarray:
        """So many of the `points`, those from which a descent would begin lowest: by limits as they
        are, and, in turn, by limits in decades down to small numbers, to which what has the wrong
        sign is farther off than what is much too large."""
        if not count:
            return points[:0]
        values = self._values_of(points)
        is_known = np.isfinite(values).all(axis=1)
        if not is_known.any():
            return points[:count]
        goal = self.goal(values)
        sought = np.arcsinh(self.merits(values, goal).min(-1) / goal.unit)

        def ascending(share):
            known = goal._replace(units=share * goal.units)
            excess = np.maximum(np.asarray(self.pressures(values, known)), 0)
            heights = (PENALTY / 2) * (excess**2).sum(-1) - sought
            return np.argsort(np.where(is_known, heights, np.inf), kind="stable")

        ranked = np.stack([ascending(share) for share in _SHARES], axis=1).ravel()
        chosen = list(dict.fromkeys(ranked.tolist()))[:count]
        return points[chosen]

    def merits(self, values: Numbers, goal: Goal) -> Numbers:
        """What the goal makes of each number of the objectives; the least of them counts."""
        parts = [
            goal.scales[i] * self.signs[i] * values[..., term.places] + goal.shifts[i]
            for i, term in enumerate(self.objectives)
        ]
        return _joined(parts)

    def excesses(self, values: Numbers, goal: Goal) -> list[Numbers]:
        """How far the numbers of each limit exceed it, in its units: negative with room to
        spare."""
        return [
            limit.sign * (values[..., limit.term.places] - goal.bounds[k]) / goal.units[k]
            for k, limit in enumerate(self.limits)
        ]

    def violations(self, values: Numbers, goal: Goal) -> Numbers:
        """`excesses` in one array; -1 where there are no limits."""
        return _joined(self.excesses(values, goal) or [0 * values[..., :1] - 1])

    def pressures(self, values: Numbers, goal: Goal) -> Numbers:
        """`violations` on a scale that is logarithmic far from the limits, in either direction: the
        same limits, for a search that comes from decades away."""
        found = [
            limit.sign * (jnp.arcsinh(own) - jnp.arcsinh(goal.bounds[k] / goal.units[k]))
            for k, limit in enumerate(self.limits)
            for own in [values[..., limit.term.places] / goal.units[k]]
        ]
        return _joined(found or [0 * values[..., :1] - 1])

    def goal(self, values: Numbers) -> Goal:
        """The first objective, with the limits of the problem. Limits of 0 have the size of the
        `values` (points, numbers) at some points as their unit, and so has what is sought.
        `ValueError` if nothing is finite at any of these points."""
        known = np.asarray(values, float)
        known = known[np.isfinite(known).all(axis=1)]
        if not len(known):
            raise ValueError(
                "`objective` or a constraint is not finite at any start; check it on the machine"
                " itself, or the bounds."
            )
        count = len(self.objectives)
        bounds = [limit.bound for limit in self.limits]
        sizes = [_typical(limit.term.value(known)) for limit in self.limits]
        units = [
            abs(bound) if bound and np.isfinite(bound) else size
            for bound, size in zip(bounds, sizes)
        ]
        unit = _typical(self.objectives[0].value(known))
        numbers = np.eye(count)[0], np.zeros(count), np.array(bounds), np.array(units), unit
        return Goal(*(np.asarray(x, values.dtype) for x in numbers))

    def walls(self, point: Numbers) -> tuple[np.ndarray, np.ndarray]:
        """Which coordinates are at their lower and which at their upper bound."""
        place = np.asarray(point, float)
        return place < 1e-6, place > 1 - 1e-6

    def stretch(self, point: Numbers) -> np.ndarray:
        """By how much each parameter moves with its coordinate."""
        found = []
        for place, (low, high) in zip(np.asarray(point, float), self.over.values()):
            change = np.log(high / low) if _is_logarithmic(low, high) else 1.0
            value = low * (high / low) ** place if _is_logarithmic(low, high) else high - low
            found.append(change * value)
        return np.array(found)

    def _values_of(self, points):
        """All numbers at many points: one by one by the program that is there where that is quick,
        or by one for them all."""
        self.at(points[0])  # compiled, and timed
        if self.seconds < _QUICK:
            return np.stack([self.at(point)[0] for point in points])
        every = quickly(lambda points: jax.lax.map(self.values, points, batch_size=_BATCH))
        parts = dealt(jnp.asarray(points), max(len(points) // _BATCH, 1))
        return np.asarray(joined(SideBySide(every)(parts)))

    def _compiled(self, point):
        def twice(point):
            values = self.values(point)
            return values, values

        # Whichever mode has fewer directions to go.
        mode = jax.jacfwd if len(self.over) < self._count else jax.jacrev
        return quickly_at(lambda point: mode(twice, has_aux=True)(point)[::-1], point)

    def _observed(self, machine) -> list[Extremum]:
        """Every function of a machine, taken apart; with a workshop, a sample of each number."""
        workshop = self.workshop
        if workshop is None:
            return self._taken_apart(machine)
        found = jax.vmap(lambda draw: _arrays(self._taken_apart(workshop.made(machine, draw))))
        parts = found(jnp.asarray(workshop.sample, workshop.dtype))
        return [Extremum(kind, part) for kind, part in zip(self._kinds, parts)]

    def _taken_apart(self, machine):
        return taken_apart(lambda machine: observe(self._functions, machine), machine)

    def _checked_shapes(self, names):
        """The shapes of the parts of each function; `ValueError` where one is no scalar."""
        kinds = []

        def scalars(machine):
            found = observe(self._functions, machine)
            for name, value in zip(names, found):
                if jnp.shape(value) != ():
                    raise ValueError(
                        f"`{name}` must return one number, got shape {jnp.shape(value)}; take a"
                        " mean, a norm or an entry of it."
                    )
            return [jnp.asarray(value) for value in found]

        def parts(machine):
            found = taken_apart(scalars, machine)
            kinds.extend(each.kind for each in found)
            return _arrays(found)

        try:
            shapes = jax.eval_shape(parts, self.machine)
        except jax.errors.ConcretizationTypeError as error:
            raise ValueError(
                f"{' or '.join(f'`{name}`' for name in names)} cannot be differentiated: it asks"
                " for the value of a number, by `float`, `if` or NumPy; use jax.numpy."
            ) from error
        self._kinds = kinds
        return [shape.shape[0] for shape in shapes]

    def _laid_out(self, names, sizes, asked):
        """The terms, one after the other."""
        draws = 1 if self.workshop is None else len(self.workshop.sample)
        self._sides, terms, done = asked, [], 0
        for name, size, kind, sides in zip(names, sizes, self._kinds, asked):
            for side in sides:
                is_apart = kind == ("min" if side == "low" else "max")
                count = size if is_apart else 1
                if self.workshop is not None:
                    count = count * draws if self.workshop.measure == "worst" else 1
                terms.append(Term(name, side, slice(done, done + count)))
                done += count
        self._count = done
        return terms


def _arrays(found):
    return [each.parts for each in found]


def _joined(parts):
    """In one array, of NumPy where that is what the parts are: it is asked thousands of times."""
    known = all(isinstance(part, np.ndarray) for part in parts)
    return np.concatenate(parts, -1) if known else jnp.concatenate(parts, axis=-1)


def _typical(values):
    """The size of some numbers; 1 where they are 0."""
    return float(np.median(np.abs(values))) or 1.0


def _sides(low, high) -> tuple[Side, ...]:
    sides: list[Side] = [] if low is None else ["low"]
    return tuple(sides if high is None else [*sides, "high"])


def initial_points(landscape: Landscape, starts: int, seed: int) -> Array:
    """The machine as given, points that fill the cube evenly, and, for the other half, the best of
    many more of these, (starts, parameters): of a landscape with several valleys, or one whose
    objective is that asked for in a corner only, few points reach the best."""
    known = parameters(landscape.machine, landscape.over)
    dtype = next(iter(known.values())).dtype
    given = place_of({path: float(known[path]) for path in landscape.over}, landscape.over)
    sequence = qmc.Sobol(len(given), seed=seed)  # pyright: ignore[reportCallIssue]
    filling = sequence.random_base2(int(np.ceil(np.log2(_SCREENED * starts))))
    every = np.clip(np.vstack([given, filling]), 0.02, 0.98).astype(dtype)
    spread = (starts + 1) // 2
    best = landscape.best(every[spread:], starts - spread)
    return jnp.asarray(np.concatenate([every[:spread], best]))


def place_of(values: Mapping[str, float], over: Bounds) -> np.ndarray:
    """The point of the cube where parameters have these `values`."""
    place = []
    for path, (low, high) in over.items():
        value = values[path]
        if _is_logarithmic(low, high):
            place.append(np.log(max(value, low) / low) / np.log(high / low))
        else:
            place.append((value - low) / (high - low))
    return np.array(place)


def _is_logarithmic(low, high):
    return low > 0 and high >= 10 * low


def _scaled(t, low, high):
    """The value at the fraction t of an interval, on a logarithmic scale where that is natural."""
    if _is_logarithmic(low, high):
        return jnp.exp(np.log(low) + t * (np.log(high) - np.log(low)))
    return low + t * (high - low)
