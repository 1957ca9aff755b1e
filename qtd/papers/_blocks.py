"""Programs compiled once for many points, and roots and maxima found with them."""

import functools
import math
from collections.abc import Callable

import jax
import numpy as np
from scipy.optimize import brentq, minimize_scalar


def in_blocks(function: Callable, size: int = 512) -> Callable:
    """Turn a `function` of scalars into one of arrays of any shape that broadcast.

    It is compiled once, for blocks of `size` points. Axes of what it returns, if it has any, come
    last.
    """
    block = jax.jit(jax.vmap(function))

    @functools.wraps(function)
    def every(*arrays):
        arrays = np.broadcast_arrays(*(np.asarray(array, float) for array in arrays))
        shape = arrays[0].shape
        points = arrays[0].size
        length = math.ceil(points / size) * size
        padded = [np.resize(array.ravel(), length) for array in arrays]
        parts = []
        for start in range(0, length, size):
            values = block(*(array[start : start + size] for array in padded))
            parts.append(jax.tree.map(np.asarray, values))

        def whole(*rows):
            joined = np.concatenate(rows)[:points]
            return joined.reshape(shape + joined.shape[1:])

        return jax.tree.map(whole, *parts)

    return every


def root(function: Callable, low: float, high: float) -> float:
    """The argument between `low` and `high` at which `function` changes sign, to 12 digits."""
    return float(brentq(function, low, high, xtol=1e-300, rtol=1e-12))  # type: ignore[arg-type]


def peak(function: Callable, low: float, high: float) -> tuple[float, float]:
    """The argument between `low` and `high` at which `function`, with one maximum there, is
    largest, and its value."""

    def depth(x):
        return -float(function(x))

    options = {"xatol": 1e-8}
    lowest = minimize_scalar(depth, bounds=(low, high), method="bounded", options=options)
    return float(lowest.x), -float(lowest.fun)  # type: ignore[attr-defined]
