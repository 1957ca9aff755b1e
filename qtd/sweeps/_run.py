"""Computing the blocks of a sweep: in threads of this process, or by the workers of a cluster."""

import concurrent.futures
import functools
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import qtd

from ..parameters import parameters
from ._kernel import Kernel, Program, collected
from ._layout import values_at
from ._store import Store, opened
from .axes import Axis
from .observables import Observable, recorder


class Task(NamedTuple):
    """What is computed at each point, and in which precision."""

    machine: Any
    observed: dict[str, Observable]
    status: Observable | None
    paths: tuple[str, ...]
    doubles: bool

    def program(self) -> Program:
        known = parameters(self.machine)
        inputs = {path: jax.ShapeDtypeStruct(known[path].shape, known[path].dtype) for path in self.paths}
        return Program(recorder(self.machine, self.observed, self.status), inputs)

    def identity(self, axes: list[Axis], program: Program) -> dict[str, Any]:
        """All on which the numbers in a store depend."""
        options = {name: value for name, value in vars(self.machine).items() if isinstance(value, str | int | float | tuple)}
        return {
            "qtd": qtd.__version__,
            "jax": jax.__version__,
            "machine": type(self.machine).__name__,
            "options": json.loads(json.dumps(options, default=str)),
            "parameters": {path: np.asarray(value).tolist() for path, value in parameters(self.machine).items()},
            "precision": "float64" if self.doubles else "float32",
            "platform": jax.default_backend(),
            "axes": {
                path: hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest() for axis in axes for path, x in axis.values.items()
            },
            "observables": sorted(self.observed),
            "program": program.digest(),
        }


class Work(NamedTuple):
    """A compiled kernel, and a store whose blocks it fills."""

    kernel: Kernel
    store: Store
    axes: list[Axis]
    doubles: bool

    def __call__(self, number: int) -> int:
        """Compute and write one block; returns its number."""
        with jax.enable_x64(self.doubles):
            values = values_at(self.axes, self.store.layout.region(number))
            points = len(next(iter(values.values())))
            self.store.write(number, collected(self.kernel(values), points))
        return number


def locally(work: Work, numbers: Sequence[int]) -> Iterator[int]:
    """Do blocks, as many at once as there are cores; yields their numbers as they are finished."""
    with concurrent.futures.ThreadPoolExecutor(_threads()) as pool:
        futures = [pool.submit(work, number) for number in numbers]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def on_cluster(client: Any, task: Task, path: Path, numbers: Sequence[int]) -> Iterator[int]:
    """The same by the workers of a cluster. The scheduler gives the blocks of a worker that is lost to another."""
    import cloudpickle
    import distributed

    versions = qtd.__version__, jax.__version__
    known = {"packed": cloudpickle.dumps(task), "path": str(path), "doubles": task.doubles, "versions": versions}
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
    """As many as there are cores, as XLA computes a batch on one of them; two where devices compute, one of which writes meanwhile."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return len(cores) if jax.default_backend() == "cpu" and jax.local_device_count() == 1 else 2


def _on_worker(number: int, packed: bytes, path: str, doubles: bool, versions: tuple[str, str]) -> int:
    if versions != (qtd.__version__, jax.__version__):
        raise ValueError(f"A worker has qtd {qtd.__version__} and jax {jax.__version__}, not {versions[0]} and {versions[1]}; update it.")
    with jax.enable_x64(doubles):  # before doubles are unpacked
        return _unpacked(packed, path)(number)


@functools.lru_cache(maxsize=2)
def _unpacked(packed: bytes, path: str) -> Work:
    """What a worker needs for all its blocks of a sweep, compiled once."""
    import cloudpickle

    task, store = cloudpickle.loads(packed), opened(path)
    return Work(Kernel(task.program(), store.layout.points, store.layout.batch), store, store.axes(), task.doubles)
