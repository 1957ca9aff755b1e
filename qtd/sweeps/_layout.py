"""How the points of a sweep are cut into blocks: rectangles of the grid, one after the other."""

import dataclasses
import math

import numpy as np

from .axes import Axis

_BLOCKS = 16  # a sweep has so many blocks or more: what an interruption can cost
_POINTS = 2**15, 2**18  # in a block, usually and at most
_MOST = 4096  # blocks, as long as they stay below the upper limit
_MEMORY = 2**25  # bytes that a block may record


@dataclasses.dataclass(frozen=True)
class Layout:
    """Lengths of the axes, of a block along each, and the points of a batch."""

    shape: tuple[int, ...]
    block: tuple[int, ...]
    batch: int

    @property
    def points(self) -> int:
        """The number of points in a whole block."""
        return math.prod(self.block)

    @property
    def counts(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return tuple(math.ceil(n / size) for n, size in zip(self.shape, self.block))

    @property
    def blocks(self) -> int:
        """How many there are."""
        return math.prod(self.counts)

    def region(self, number: int) -> tuple[slice, ...]:
        """The region where a block lies; those at the ends may be smaller."""
        corner = np.unravel_index(number, self.counts)
        return tuple(
            slice(int(i) * size, min((int(i) + 1) * size, n))
            for i, size, n in zip(corner, self.block, self.shape)
        )

    def size(self, number: int) -> tuple[int, ...]:
        """Points of a block along each axis."""
        return tuple(part.stop - part.start for part in self.region(number))


def laid_out(shape: tuple[int, ...], batch: int, record: int) -> Layout:
    """Blocks that cost little to lose, in batches of at most so many points, for points of which so
    many bytes are recorded."""
    total = math.prod(shape)
    wanted = max(
        min(
            total // _BLOCKS, max(_POINTS[0], total // _MOST), _POINTS[1], _MEMORY // max(record, 1)
        ),
        1,
    )
    block = []
    for n in reversed(shape):
        size = min(n, wanted)
        # Of equal parts, the last ones of which fill their blocks.
        size = math.ceil(n / math.ceil(n / size))
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
    index = np.unravel_index(np.arange(math.prod(sizes)), sizes)
    return {
        path: np.asarray(x[part])[i]
        for axis, part, i in zip(axes, region, index)
        for path, x in axis.values.items()
    }
