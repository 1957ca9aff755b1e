"""How the points of a sweep are cut into blocks: rectangles of the grid, one after the other."""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from .axes import Axis

_BLOCKS = 16  # a sweep has so many blocks or more: what an interruption can cost
_POINTS = 2**15, 2**18  # in a block, usually and at most
_MOST = 4096  # blocks, as long as they stay below the upper limit
_MEMORY = 2**25  # bytes that a block may record


class Layout(NamedTuple):
    """Lengths of the axes, of a block along each, and the points of a batch."""

    shape: tuple[int, ...]
    block: tuple[int, ...]
    batch: int

    def __len__(self) -> int:
        return math.prod(self.counts())

    @property
    def points(self) -> int:
        """In a whole block."""
        return math.prod(self.block)

    def counts(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return tuple(math.ceil(n / size) for n, size in zip(self.shape, self.block))

    def region(self, number: int) -> tuple[slice, ...]:
        """Where a block lies; those at the ends may be smaller."""
        corner = np.unravel_index(number, self.counts())
        return tuple(slice(int(i) * size, min((int(i) + 1) * size, n)) for i, size, n in zip(corner, self.block, self.shape))


def laid_out(shape: tuple[int, ...], batch: int, size: int) -> Layout:
    """Blocks that cost little to lose, in batches of at most so many points, for points of which so many bytes are recorded."""
    total = math.prod(shape)
    wanted = max(min(total // _BLOCKS, max(_POINTS[0], total // _MOST), _POINTS[1], _MEMORY // size), 1)
    block = []
    for n in reversed(shape):
        size = min(n, wanted)
        size = math.ceil(n / math.ceil(n / size))  # of equal parts, the last ones of which fill their blocks
        block.insert(0, size)
        wanted = max(wanted // size, 1)
    points = math.prod(block)
    # Some batches in each block, for several devices to share.
    batch = min(batch, math.ceil(points / 4))
    batch = math.ceil(points / math.ceil(points / batch))
    return Layout(shape, tuple(block), 8 * math.ceil(batch / 8))


def values_at(axes: list[Axis], region: tuple[slice, ...]) -> dict[str, np.ndarray]:
    """All parameters at the points of a region, in the order of its cells."""
    sizes = [part.stop - part.start for part in region]
    found: dict[str, Any] = {}
    for k, (axis, part) in enumerate(zip(axes, region)):
        before, after = math.prod(sizes[:k]), math.prod(sizes[k + 1 :])
        for path, values in axis.values.items():
            known = np.asarray(values[part])
            found[path] = np.tile(np.repeat(known, after, axis=0), (before, *itertools.repeat(1, known.ndim - 1)))
    return found
