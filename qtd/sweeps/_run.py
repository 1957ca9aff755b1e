"""Computing the blocks of a sweep: in threads of this process, or by the workers of a cluster."""

import concurrent.futures
import functools
import json
import math
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import qtd

from .._numerics.cores import cores
from ..parameters import parameters
from ._digests import of_values
from ._kernel import Kernel, Program, collected
from ._layout import values_at
from ._store import Store, opened
from .axes import Axis
from .observables import Observable, recorder

_ONE_AT_A_TIME = threading.Lock()


class Task(NamedTuple):
    """What is computed at each point, and in which precision."""

    machine: Any
    observed: dict[str, Observable]
    status: Observable | None
    paths: tuple[str, ...]
    doubles: bool

    def program(self) -> Program:
        """All of it as one program."""
        known = parameters(self.machine, self.paths)
        inputs = {
            path: jax.ShapeDtypeStruct(known[path].shape, known[path].dtype) for path in self.paths
        }
        return Program(recorder(self.machine, self.observed, self.status), inputs)

    def identity(self, axes: list[Axis], program: Program) -> dict[str, Any]:
        """All on which the numbers in a store depend."""
        options = {
            name: value
            for name, value in vars(self.machine).items()
            if isinstance(value, str | int | float | tuple)
        }
        return {
            "qtd": qtd.__version__,
            "jax": jax.__version__,
            "machine": type(self.machine).__name__,
            "options": json.loads(json.dumps(options, default=str)),
            "parameters": {
                path: np.asarray(value).tolist() for path, value in parameters(self.machine).items()
            },
            "precision": "float64" if self.doubles else "float32",
            "platform": jax.default_backend(),
            "dimensions": [[axis.name, list(axis.values)] for axis in axes],
            "values": {path: of_values(x) for axis in axes for path, x in axis.values.items()},
            "observables": sorted(self.observed),
            "program": program.digest(),
        }


class Work(NamedTuple):
    """A compiled kernel, and a store whose blocks it fills."""

    kernel: Kernel
    store: Store
    axes: list[Axis]

    def __call__(self, number: int) -> int:
        """Compute and write one block; returns its number."""
        layout = self.store.layout
        found = self.kernel(values_at(self.axes, layout.region(number)))
        self.store.write(number, collected(found, math.prod(layout.size(number))))
        return number


def locally(work: Work, doubles: bool, numbers: Sequence[int]) -> Generator[int, None, None]:
    """Do blocks, as many at once as there are cores; yields their numbers as they are finished."""

    def one(number):
        # of this thread, for so long: contexts are not inherited, and jax's configuration stays as
        # it is
        with jax.enable_x64(doubles):
            return work(number)

    with concurrent.futures.ThreadPoolExecutor(_threads()) as pool:
        futures = [pool.submit(one, number) for number in numbers]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def on_cluster(
    client: Any, task: Task, path: Path, sweep: str, numbers: Sequence[int]
) -> Generator[int, None, None]:
    """The same by the workers of a cluster. The scheduler gives the blocks of a worker that is lost
    to another."""
    import cloudpickle
    import distributed

    known = {
        "packed": cloudpickle.dumps(task),
        "path": str(path),
        "sweep": sweep,
        "doubles": task.doubles,
        "versions": _versions(),
    }
    futures = client.map(_on_worker, numbers, **known, pure=False)
    try:
        for future in distributed.as_completed(futures):
            yield future.result()
    finally:
        client.cancel(futures)


def doubles() -> bool:
    """Whether jax computes in double precision here."""
    return jnp.result_type(float) == jnp.float64


def _threads() -> int:
    """The number of threads: two more than there are cores, as XLA computes a batch on one of them
    and some write meanwhile; two where devices compute."""
    is_one_processor = jax.default_backend() == "cpu" and jax.local_device_count() == 1
    return cores() + 2 if is_one_processor else 2


def _versions() -> str:
    return f"qtd {qtd.__version__} and jax {jax.__version__} on {jax.default_backend()}"


def _on_worker(
    number: int, packed: bytes, path: str, sweep: str, doubles: bool, versions: str
) -> int:
    if versions != _versions():
        raise ValueError(
            f"A worker has {_versions()}, where the sweep was started there is {versions}; make"
            " them the same."
        )
    if opened(path).note("sweep") != sweep:
        raise ValueError(f"`store` {path!r} is another sweep's by now.")
    with jax.enable_x64(doubles):  # of this thread, for so long, and before doubles are unpacked
        with _ONE_AT_A_TIME:
            work = _unpacked(packed, path, sweep)
        return work(number)


@functools.lru_cache(maxsize=2)
def _unpacked(packed: bytes, path: str, sweep: str) -> Work:
    """What a worker needs for all its blocks of a sweep, compiled once."""
    import cloudpickle

    task, store = cloudpickle.loads(packed), opened(path)
    return Work(
        Kernel(task.program(), store.layout.points, store.layout.batch), store, store.axes()
    )
