"""The cells of a map, and what lies between the points of a sweep."""

from typing import NamedTuple

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from ._sweeps import is_geometric

_FINE = 200  # cells along an axis, into which those of a coarse grid are divided


class Grid(NamedTuple):
    """The cells of a map: their centres, which are the points of the sweep, and their edges."""

    x: np.ndarray
    y: np.ndarray
    x_edges: np.ndarray
    y_edges: np.ndarray

    @classmethod
    def of(cls, x, y):
        return cls(x, y, _edges(x), _edges(y))

    def fill(self, ax, inside, **style):
        """Fill or hatch some cells, as one patch of a rectangle for each run in a row: exact
        borders, and few shapes in a vector file."""
        steps = np.diff(np.pad(inside.astype(int), ((0, 0), (1, 1))), axis=1)
        (row, first), (_, last) = np.nonzero(steps == 1), np.nonzero(steps == -1)
        left = self.x_edges[first]
        right = self.x_edges[last]
        low = self.y_edges[row]
        high = self.y_edges[row + 1]
        corners = np.stack(
            [left, low, right, low, right, high, left, high, left, low], axis=1
        ).reshape(-1, 2)
        codes = np.tile(
            [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(row)
        )
        # `add_patch` would visit every corner in Python, for limits already set.
        return ax.add_artist(PathPatch(Path(corners, codes), **style))

    def contour(self, ax, values, levels, **style):
        """Contour lines between the centres; across a single row there are none, so its only cell
        is taken for two."""
        x, y = (
            edges if len(centers) == 1 else centers
            for centers, edges in ((self.x, self.x_edges), (self.y, self.y_edges))
        )
        wide = np.broadcast_to(values, (len(y), len(x)))
        return ax.contour(x, y, np.ma.masked_invalid(wide), levels, **style)


class Refined(NamedTuple):
    """The cells of a map divided into smaller ones, each coloured by interpolation between the four
    points around it where all of these are good.

    `rows`, `columns`: places of the small cells, in units of the points; `good`: which points may
    be interpolated between.
    """

    grid: Grid
    rows: np.ndarray
    columns: np.ndarray
    good: np.ndarray

    @classmethod
    def of(cls, grid, good):
        parts = [_parts(len(centers)) for centers in (grid.y, grid.x)]
        rows, columns = (
            (np.arange(n * part) + 0.5) / part - 0.5 for part, n in zip(parts, good.shape)
        )
        divided = Grid(
            _between(grid.x, columns),
            _between(grid.y, rows),
            _divided(grid.x_edges, grid.x, parts[1]),
            _divided(grid.y_edges, grid.y, parts[0]),
        )
        return cls(divided, rows, columns, good)

    def steps(self, values):
        """In each small cell the value of the point whose cell it lies in."""
        row, column = (np.rint(each).astype(int) for each in (self.rows, self.columns))
        return values[np.ix_(row, column)]

    def __call__(self, values, logarithmic=False):
        """`values` between the points, where these are good and finite, on a `logarithmic` scale
        where they are positive; else as steps."""
        usable = self.good & np.isfinite(values)
        known = np.where(usable, values, 1.0)
        between = np.where(self._all_around(usable), self._straight(known), self.steps(values))
        if not logarithmic:
            return between
        positive = self._all_around(usable & (known > 0))
        return np.where(
            positive, np.exp(self._straight(np.log(np.where(known > 0, known, 1.0)))), between
        )

    def _corners(self):
        """The points below and above each place, and the weight of the one above; beyond the
        outermost points there are none above."""
        for places, count in zip((self.rows, self.columns), self.good.shape):
            inside = np.clip(places, 0, count - 1)
            low = np.minimum(inside.astype(int), max(count - 2, 0))
            yield low, np.minimum(low + 1, count - 1), inside - low

    def _all_around(self, mask):
        (low, high, _), (left, right, _) = self._corners()
        across = mask[:, left] & mask[:, right]
        return across[low] & across[high]

    def _straight(self, values):
        (low, high, up), (left, right, aside) = self._corners()
        across = values[:, left] * (1 - aside) + values[:, right] * aside
        return across[low] * (1 - up)[:, None] + across[high] * up[:, None]


def _parts(count):
    """Into how many a cell is divided along an axis: an odd number, so that the middle one is
    the point itself."""
    return 1 if count == 1 else max(1, _FINE // count) // 2 * 2 + 1


def _edges(centers):
    """Half-way between the centres, on the scale they are drawn on; a single value gets a narrow
    cell around it."""
    if len(centers) == 1:
        return centers + np.array([-0.05, 0.05]) * (abs(centers[0]) or 1.0)
    if is_geometric(centers):
        return np.exp(_midpoints(np.log(centers)))
    return _midpoints(centers)


def _midpoints(centers):
    beyond = np.pad(centers, 1, mode="reflect", reflect_type="odd")
    return (beyond[1:] + beyond[:-1]) / 2


def _between(centers, places):
    """Coordinates at `places` between the centres, in units of them, on the scale of the axis."""
    if len(centers) == 1:
        return centers
    if is_geometric(centers):
        return np.exp(_between_evenly(np.log(centers), places))
    return _between_evenly(centers, places)


def _between_evenly(centers, places):
    beyond = np.pad(centers, 1, mode="reflect", reflect_type="odd")
    return np.interp(places, np.arange(-1, len(centers) + 1), beyond)


def _divided(edges, centers, parts):
    """The edges of the parts of all cells."""
    if parts == 1:
        return edges
    return _between(centers, np.arange(len(centers) * parts + 1) / parts - 0.5)
