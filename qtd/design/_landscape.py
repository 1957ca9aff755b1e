"""A design problem in the coordinates of the search, every bound a wall of the unit cube."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.stats import qmc

from .._numerics.compilation import quickly
from ..observables import Observable, observe
from ..parameters import parameters, replace

Bounds = Mapping[str, tuple[float, float]]
Constraints = Mapping[str, tuple[Observable, float | None, float | None]]

MET = 1e-6  # largest violation of a limit, relative to it, that still counts as met


class Limit(NamedTuple):
    """One side of a constraint: value number `place` must not exceed `bound` where `factor` is
    positive, and not fall below it where it is negative; 1 / |factor| is its unit."""

    place: int
    factor: float
    bound: float

    def excess(self, value: Any) -> Any:
        """How far a value exceeds this limit, in units of it; negative with room to spare."""
        return self.factor * (value - self.bound)


class Landscape:
    """Objective and constraints over the unit cube, each edge of which is the interval of one
    parameter, on a logarithmic scale where that is natural."""

    def __init__(self, objective: Observable, machine: Any, over: Bounds, subject_to: Constraints):
        self.machine = machine
        self.over = over
        self.names = list(subject_to)
        self.functions = [objective, *(function for function, _, _ in subject_to.values())]
        self.limits = [
            Limit(place, sign / (abs(bound) or 1.0), bound)
            for place, (_, low, high) in enumerate(subject_to.values(), start=1)
            for sign, bound in ((-1.0, low), (1.0, high))
            if bound is not None
        ]
        self._looked_at: dict[bytes, tuple[Array, Array]] = {}

    def machine_at(self, point: Array) -> Any:
        """The machine at a point of the cube."""
        moved = {path: _scaled(point[i], *self.over[path]) for i, path in enumerate(self.over)}
        return replace(self.machine, moved)

    def values(self, point: Array) -> Array:
        """Objective and constraints, as part of a program."""
        return jnp.stack(observe(self.functions, self.machine_at(point)))

    def at(self, point: Array) -> tuple[Array, Array]:
        """The same and their slopes at one known point; who optimises asks again and again for what
        belongs to the last one."""
        key = np.asarray(point).tobytes()
        if key not in self._looked_at:
            self._looked_at = {key: self._differentiated(point)}
        return self._looked_at[key]

    @functools.cached_property
    def _differentiated(self):
        def twice(point):
            values = self.values(point)
            return values, values

        return quickly(lambda point: jax.jacrev(twice, has_aux=True)(point)[::-1])

    def violations(self, values: Array) -> Array:
        """How far each limit is exceeded, in units of the limit: negative where it is met with room
        to spare."""
        excesses = [limit.excess(values[..., limit.place]) for limit in self.limits]
        return jnp.stack(excesses or [0 * values[..., 0] - 1], axis=-1)

    def walls(self, point: Array) -> tuple[np.ndarray, np.ndarray]:
        """Which coordinates are at their lower and which at their upper bound."""
        place = np.asarray(point, float)
        return place < 1e-6, place > 1 - 1e-6


def initial_points(machine: Any, over: Bounds, starts: int, seed: int) -> Array:
    """The machine as given, and points that fill the cube evenly, (starts, parameters)."""
    known = parameters(machine, over)
    dtype = next(iter(known.values())).dtype
    given = []
    for path, (low, high) in over.items():
        value = float(known[path])
        if _is_logarithmic(low, high):
            given.append(np.log(max(value, low) / low) / np.log(high / low))
        else:
            given.append((value - low) / (high - low))
    sequence = qmc.Sobol(len(over), seed=seed)  # pyright: ignore[reportCallIssue]
    filling = sequence.random_base2(max(int(np.ceil(np.log2(starts))), 0))[: starts - 1]
    every = np.vstack([given, filling.reshape(-1, len(over))])
    return jnp.asarray(np.clip(every, 0.02, 0.98), dtype)


def _is_logarithmic(low, high):
    return low > 0 and high >= 10 * low


def _scaled(t, low, high):
    """The value at the fraction t of an interval, on a logarithmic scale where that is natural."""
    if _is_logarithmic(low, high):
        return jnp.exp(np.log(low) + t * (np.log(high) - np.log(low)))
    return low + t * (high - low)
