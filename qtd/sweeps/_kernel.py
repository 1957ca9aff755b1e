"""Many points at once: one compiled program that takes a block of them, in batches that fit the
cache, on all devices."""

import hashlib
import math
from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from .._numerics.compilation import wide_options
from .._numerics.jax_internals.peak import peak, size_of
from .._numerics.jax_internals.repetition import as_function, exact_bytes, without_repetition

_CACHE = 2**20  # bytes that a batch may keep alive on a CPU core
_MEMORY = 2**28  # and on an accelerator


class Program:
    """What is computed at one point, traced once; what several observables need is computed
    once."""

    def __init__(self, point: Callable, inputs: dict[str, jax.ShapeDtypeStruct]):
        self.inputs = inputs
        traced, self.outputs = jax.make_jaxpr(point, return_shape=True)(inputs)
        self.jaxpr = without_repetition(traced)
        self._function = as_function(self.jaxpr, self.outputs)

    def __call__(self, values):
        return self._function(values)

    def digest(self) -> str:
        """The same for the same machine, observables and versions: of the program as the compiler
        gets it, and its constants."""
        text = jax.jit(self).lower(self.inputs).as_text().encode()
        return hashlib.sha256(
            b"".join([text, *(exact_bytes(x) for x in self.jaxpr.consts)])
        ).hexdigest()

    def size(self) -> int:
        """Bytes that are recorded at a point."""
        return sum(size_of(x) for x in jax.tree.leaves(self.outputs))

    def batch(self) -> int:
        """How many points at once keep what they need in the cache."""
        room = _CACHE if jax.default_backend() == "cpu" else _MEMORY
        fitting = room // max(peak(self.jaxpr.jaxpr), 1)
        return 2 ** int(np.clip(math.log2(max(fitting, 1)), 5, 10 if room == _CACHE else 17))


class Kernel:
    """A program compiled for blocks of up to `points`, cut into batches and dealt out to all
    devices."""

    def __init__(self, program: Program, points: int, batch: int):
        devices = jax.local_devices()
        # Batches are the same whatever the number of devices, and so are the bits of what they
        # compute, as long as each device has two: a loop of one is taken apart, and merged with
        # what is around it.
        self.batch = batch
        self.batches = len(devices) * max(2, math.ceil(points / batch / len(devices)))
        mesh, split = Mesh(np.array(devices), ("batches",)), PartitionSpec("batches")

        def run(values):
            return jax.lax.map(jax.vmap(program), values)

        shapes = {
            name: jax.ShapeDtypeStruct((self.batches, batch, *x.shape), x.dtype)
            for name, x in program.inputs.items()
        }
        spread = jax.shard_map(run, mesh=mesh, in_specs=split, out_specs=split, check_vma=False)
        self.compiled = jax.jit(spread).lower(shapes).compile(wide_options())

    def __call__(self, values: dict[str, np.ndarray]) -> dict[str, jax.Array]:
        """All that is recorded at some points, (batches, batch, ...), the last ones repeated to
        fill the block."""
        padded = {}
        for name, x in values.items():
            missing = self.batches * self.batch - len(x)
            full = np.concatenate([x, np.broadcast_to(x[-1:], (missing, *x.shape[1:]))])
            padded[name] = full.reshape(self.batches, self.batch, *x.shape[1:])
        return self.compiled(padded)


def collected(found: dict[str, jax.Array], points: int) -> dict[str, np.ndarray]:
    """What a kernel found, as one array a name, without the padding."""
    return {
        name: np.asarray(x).reshape(x.shape[0] * x.shape[1], *x.shape[2:])[:points]
        for name, x in found.items()
    }
