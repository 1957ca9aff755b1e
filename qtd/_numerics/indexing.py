"""Static index sets as contiguous runs: reading and adding by slices, which vectorise and transpose into slices.

A gather or a scatter on a CPU goes element by element; the jumps of a ladder, a ring or a grid of levels lie in a few runs.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

_MOST_RUNS = 32  # beyond this a plain gather compiles faster than a chain of slices


def runs(indices: np.ndarray) -> list[tuple[int, int]] | None:
    """(start, stop) of the stretches in which the indices rise by one; None if there are too many to be worth it."""
    if len(indices) == 0:
        return []
    breaks = np.flatnonzero(np.diff(indices) != 1) + 1
    if len(breaks) >= _MOST_RUNS:
        return None
    starts, stops = np.r_[0, breaks], np.r_[breaks, len(indices)]
    return [(int(indices[a]), int(indices[b - 1]) + 1) for a, b in zip(starts, stops)]


def take(values: Array, indices: np.ndarray) -> Array:
    """`values[indices]` along the first axis."""
    stretches = runs(indices)
    if stretches is None:
        return values[indices]
    if len(stretches) == 1:
        return values[slice(*stretches[0])]
    return jnp.concatenate([values[start:stop] for start, stop in stretches] or [values[:0]])


def add_at(values: Array, indices: np.ndarray, size: int) -> Array:
    """The vector of this size with `values` added at `indices`: the transpose of `take`."""
    stretches = runs(indices)
    if stretches is None:
        return jnp.zeros(size, values.dtype).at[indices].add(values)
    result, done = jnp.zeros(size, values.dtype), 0
    for start, stop in stretches:
        result = result + jnp.pad(values[done : done + stop - start], (start, size - stop))
        done += stop - start
    return result
