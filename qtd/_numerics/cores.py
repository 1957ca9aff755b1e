"""All cores of a computer, for what is computed in parts that need not know of one another."""

import concurrent.futures
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp


def cores() -> int:
    """How many this process may use; one where accelerators compute."""
    if jax.default_backend() != "cpu":
        return 1
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known else os.cpu_count() or 1


class SideBySide:
    """A compiled function of parts, each on a core of its own; of the first part that it ever meets
    alone, which compiles it. Parts of one shape need one program."""

    def __init__(self, function: Callable[[Any], Any]):
        self._function, self._is_compiled = function, False

    def __call__(self, parts: Sequence[Any]) -> list[Any]:
        """What it is of each of the `parts`, in their order."""
        doubles = jnp.result_type(float) == jnp.float64

        def one(part):
            # Of this thread: contexts are not inherited.
            with jax.enable_x64(doubles):
                return jax.block_until_ready(self._function(part))

        known = [] if self._is_compiled else [one(parts[0])]
        self._is_compiled, others = True, parts[len(known) :]
        if min(len(others), cores()) <= 1:
            return [*known, *map(one, others)]
        with concurrent.futures.ThreadPoolExecutor(cores()) as pool:
            return [*known, *pool.map(one, others)]


def dealt(tree: Any, most: int) -> list[Any]:
    """The entries of arrays in equal parts, as many as come out even, at `most` so many."""
    count = len(jax.tree.leaves(tree)[0])
    parts = next(n for n in range(most, 0, -1) if count % n == 0)
    size = count // parts
    return [jax.tree.map(lambda x: x[k * size : (k + 1) * size], tree) for k in range(parts)]


def joined(parts: Sequence[Any]) -> Any:
    """What was `dealt` out, as one."""
    return jax.tree.map(lambda *x: jnp.concatenate(x), *parts)
