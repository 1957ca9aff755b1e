"""Many points through one compiled program, and roots and maxima found with it."""

import math
from collections.abc import Callable

import jax
import numpy as np
from scipy.optimize import brentq, minimize_scalar


def in_blocks(function: Callable, size: int = 512) -> Callable:
    """`function` of scalars, for arrays of any shape that broadcast: compiled once, for blocks of `size` points.

    Axes of what it returns, if it has any, come last.
    """
    block = jax.jit(jax.vmap(function))

    def every(*arrays):
        arrays = np.broadcast_arrays(*(np.asarray(array, float) for array in arrays))
        points = arrays[0].size
        padded = [np.resize(array.ravel(), math.ceil(points / size) * size) for array in arrays]
        starts = range(0, len(padded[0]), size)
        parts = [jax.tree.map(np.asarray, block(*(array[start : start + size] for array in padded))) for start in starts]
        whole = lambda rows: rows[:points].reshape(arrays[0].shape + rows.shape[1:])
        return jax.tree.map(lambda *rows: whole(np.concatenate(rows)), *parts)

    return every


def root(function: Callable, low: float, high: float) -> float:
    """The argument between `low` and `high` at which `function` changes sign, to 12 digits."""
    return float(brentq(function, low, high, xtol=1e-300, rtol=1e-12))  # type: ignore[arg-type]


def peak(function: Callable, low: float, high: float) -> tuple[float, float]:
    """The argument between `low` and `high` at which `function`, with one maximum there, is largest, and its value."""
    found = minimize_scalar(lambda x: -float(function(x)), bounds=(low, high), method="bounded", options={"xatol": 1e-8})
    return float(found.x), -float(found.fun)  # type: ignore[attr-defined]
