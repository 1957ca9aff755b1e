"""What a sweep varies: grids of parameters, lists of them side by side, and points spread over a
box."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike
from scipy.stats import qmc

from .._numerics.memory import require_memory
from .._numerics.paths import overlapping
from ..parameters import parameters

__all__ = ["Axis", "random", "sobol", "zipped"]


@dataclasses.dataclass(frozen=True)
class Axis:
    """One dimension of a sweep: its `name`, and the `values` of all parameters that change along
    it, (points, *shape of the parameter)."""

    name: str
    values: dict[str, Any]

    @property
    def points(self) -> int:
        """How many there are along it."""
        return len(next(iter(self.values.values())))


Over = Mapping[str, ArrayLike] | Axis | Sequence[Mapping[str, ArrayLike] | Axis]


def zipped(values: Mapping[str, ArrayLike], name: str = "point") -> Axis:
    """Parameters that change together, along one dimension called `name`. `values`: lists of one
    length, by path.

    >>> together = qtd.sweeps.zipped(
    ...     {"hot.temperature": [1.0, 1.1], "cold.temperature": [0.7, 0.8]}
    ... )
    >>> table = qtd.sweep(qtd.machines.NDemon(), over=together, observe=["J_cold", "COP"])
    >>> print(table.COP.values.round(4))
    [0.2999 0.3158]
    """
    if not values:
        raise ValueError("`values` must name a parameter.")
    arrays = {path: np.asarray(value) for path, value in values.items()}
    if (
        any(array.ndim == 0 for array in arrays.values())
        or len({len(array) for array in arrays.values()}) != 1
    ):
        raise ValueError(
            "`values` must be lists of one length, got the shapes"
            f" {[array.shape for array in arrays.values()]}."
        )
    return Axis(name, arrays)


def sobol(bounds: Mapping[str, tuple], points: int, seed: int = 0, name: str = "point") -> Axis:
    """Points that fill a box evenly (scrambled Sobol sequence), along one dimension called `name`.

    - `bounds`: path -> (low, high), or (low, high, "log") with low > 0. `points`: how many, >= 1.
      `seed`: of the scrambling.

    >>> design = qtd.sweeps.sobol(
    ...     {"cold.temperature": (0.5, 1.0), "width": (1e-3, 1e-1, "log")}, points=8
    ... )
    >>> shares = np.log(design.values["width"] / 1e-3) / np.log(100)  # one in each eighth
    >>> print(np.sort(np.floor(8 * shares)))
    [0. 1. 2. 3. 4. 5. 6. 7.]
    """
    count = _counted(points, len(bounds))
    # A Sobol sequence is even in powers of two: the next one is drawn, and its first points are
    # taken.
    engine = qmc.Sobol(len(bounds), rng=np.random.default_rng(seed))
    return _spread(bounds, engine.random_base2(int(np.ceil(np.log2(count))))[:count], name)


def random(bounds: Mapping[str, tuple], points: int, seed: int = 0, name: str = "point") -> Axis:
    """Independent points, uniform in a box; `bounds`, `points`, `seed` and `name` as in `sobol`."""
    return _spread(
        bounds,
        np.random.default_rng(seed).uniform(size=(_counted(points, len(bounds)), len(bounds))),
        name,
    )


def axes_of(over: Over, machine: Any) -> list[Axis]:
    """The dimensions that `over` describes, checked against the machine's parameters."""
    parts: Iterable = over if isinstance(over, Sequence) else [over]
    axes = []
    for part in parts:
        if isinstance(part, Axis):
            axes.append(part)
        elif isinstance(part, Mapping):
            axes += [_grid(path, values) for path, values in part.items()]
        else:
            raise ValueError(
                "`over` must be a mapping of paths to values, a design such as `sobol`, or a list"
                f" of these; got {part!r}."
            )
    if not axes:
        raise ValueError("`over` must name a parameter.")
    for kind, names in (
        ("parameter", [path for axis in axes for path in axis.values]),
        ("dimension", [axis.name for axis in axes]),
    ):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(
                f"`over` has the {kind} {min(twice)!r} twice; give one of them another name or"
                " leave it out."
            )
        odd = [
            name
            for name in names
            if not isinstance(name, str) or not name or " " in name or "/" in name
        ]
        if odd:
            raise ValueError(
                f"`over` has a {kind} {odd[0]!r}; stores cannot hold names that are empty or have a"
                " space or /: rename it."
            )
    both = overlapping([path for axis in axes for path in axis.values])
    if both is not None:
        raise ValueError(
            f"`over` gives a number twice, by {both[0]!r} and by {both[1]!r}; leave one of them"
            " out."
        )
    known = parameters(machine, [path for axis in axes for path in axis.values])
    return [
        Axis(
            axis.name,
            {
                path: _checked(path, np.asarray(values), known)
                for path, values in axis.values.items()
            },
        )
        for axis in axes
    ]


def _grid(path, values):
    array = np.asarray(values)
    if array.ndim == 0:
        raise ValueError(
            f"`over[{path!r}]` must be a list of values, got {values!r}; set a single one with"
            " `qtd.replace`."
        )
    return Axis(path if array.ndim == 1 else f"{path}.index", {path: array})


def _checked(path, values, known):
    """The values in the type of the parameter."""
    if path not in known:
        close = difflib.get_close_matches(path, list(known), n=3, cutoff=0.4) or list(known)[:3]
        raise ValueError(
            f"`over` names no parameter with {path!r}; did you mean {', '.join(close)}? Sizes and"
            " names take a sweep for each."
        )
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise ValueError(f"`over[{path!r}]` must be real numbers, got {values.dtype}.")
    if len(values) == 0 or values.shape[1:] != known[path].shape:
        shape = ", ".join(["points", *map(str, known[path].shape)])
        raise ValueError(f"`over[{path!r}]` must have the shape ({shape}), got {values.shape}.")
    return values.astype(known[path].dtype)


def _spread(bounds, unit, name):
    columns = {}
    for (path, limits), share in zip(bounds.items(), unit.T):
        low, high, *scale = limits if len(limits) > 1 else (np.nan, np.nan)
        if (
            not (
                all(isinstance(x, int | float | np.number) for x in (low, high))
                and np.isfinite([low, high]).all()
                and low < high
            )
            or scale not in ([], ["log"])
            or (scale and low <= 0)
        ):
            raise ValueError(
                f'`bounds[{path!r}]` must be (low, high), or (low, high, "log") with low > 0, got'
                f" {limits!r}."
            )
        columns[path] = low * (high / low) ** share if scale else low + (high - low) * share
    return zipped(columns, name)


def _counted(points, parameters):
    if isinstance(points, bool) or not isinstance(points, int | np.integer) or points < 1:
        raise ValueError(f"`points` must be a positive integer, got {points!r}.")
    # Of 8 bytes; a sequence may be drawn to twice its length, and has a copy in columns.
    require_memory(
        8 * 4 * int(points) * parameters,
        f"`points` = {points} of {parameters} parameters",
        "take fewer",
    )
    return points
