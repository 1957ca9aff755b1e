"""The last step: sequential quadratic programming, and whether what it ends at is an optimum."""

from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.optimize import minimize, nnls

from ._landscape import MET, Landscape

ACTIVE = 1e-5  # distance from a limit, relative to it, within which it holds the optimum
_TRIES = 3  # points that are polished


def polish(landscape: Landscape, points: Iterable[Array]) -> Array:
    """The best of the first few `points` after sequential quadratic programming in the cube."""
    outcomes = []
    for point in list(points)[:_TRIES]:
        candidates = (_polished(landscape, point), point)
        outcomes += [each for each in candidates if np.all(np.isfinite(landscape.at(each)[0]))]
    return max(outcomes, key=lambda point: _merit(landscape, point))


def _polished(landscape, point):
    start = np.asarray(point, float)
    scale = abs(float(landscape.at(point)[0][0])) or 1.0

    def inside(place):
        return jnp.asarray(np.clip(place, 0, 1), point.dtype)

    def value(place, i):
        return float(landscape.at(inside(place))[0][i])

    def slope(place, i):
        return np.asarray(landscape.at(inside(place))[1][i], float)

    limits = [
        {
            "type": "ineq",
            "fun": lambda place, limit=limit: -limit.excess(value(place, limit.place)),
            "jac": lambda place, limit=limit: -limit.factor * slope(place, limit.place),
        }
        for limit in landscape.limits
    ]
    found = minimize(
        lambda place: -value(place, 0) / scale,
        start,
        jac=lambda place: -slope(place, 0) / scale,
        bounds=[(0, 1)] * len(start),
        constraints=limits,
        method="SLSQP",
        options={"maxiter": 100, "ftol": 100 * float(jnp.finfo(point.dtype).eps)},
    )
    return inside(found.x)


def _merit(landscape, point):
    """A rank for comparison: what meets the limits first, by its objective, then the rest by how
    little they are exceeded."""
    values = landscape.at(point)[0]
    worst = float(landscape.violations(values).max())
    return (True, float(values[0])) if worst <= MET else (False, -worst)


def slope_left(landscape: Landscape, point: Array) -> float:
    """How far a point is from meeting the first-order conditions of an optimum (Karush, Kuhn and
    Tucker), relative to the objective.

    The slope of the objective must be held, with multipliers >= 0, by those of the active limits
    and by the walls of the cube.
    """
    values, slopes = (np.asarray(x, float) for x in landscape.at(point))
    excesses = np.asarray(landscape.violations(landscape.at(point)[0]))
    held = [
        limit.factor * slopes[limit.place]
        for limit, excess in zip(landscape.limits, excesses)
        if abs(excess) <= ACTIVE
    ]
    lower, upper = landscape.walls(point)
    edges = np.eye(len(slopes[0]))
    held += [-edge for edge, active in zip(edges, lower) if active]
    held += [edge for edge, active in zip(edges, upper) if active]
    slope = slopes[0] / (abs(values[0]) or 1.0)
    return float(nnls(np.stack(held, axis=1), slope)[1] if held else np.linalg.norm(slope))
