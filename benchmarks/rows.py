"""Rows of the table of speed: kernels, each defined in the script that is about it, and how one is
measured.

A row's rivals answer the same points, or as many of the first of them as they have time for.
Agreement comes first, compilation is apart, codes run in turn on one core.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import timing

# Scripts are imported when a row of theirs is asked for: an older version of qtd, measured with
# these same scripts, may lack what another one needs.
SCRIPTS = {
    "collective-refrigerator": "rate_networks",
    "two-qubits": "lindblad",
    "three-qubits": "lindblad",
    "resonators-6": "resonators",
    "resonators-60": "resonators",
    "green-functions": "resonators",
    "demons": "scattering",
    "resonant-levels": "scattering",
    "motors": "motor",
    "rotors": "motor",
    "finite-reservoirs": "finite_reservoirs",
}

Run = Callable[[], Any]


class Case(NamedTuple):
    """Points: the arguments of qtd, points first, and the rivals, which know theirs. Where points
    are ill-conditioned, `judged` says which ones must agree."""

    arguments: Any
    rivals: dict[str, Run]
    gradient_rivals: dict[str, Run] = {}  # noqa: RUF012 - read only
    judged: np.ndarray | None = None


def relative(ours, theirs):
    """Differences relative to each number itself."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(theirs / ours - 1)


def to_largest(ours, theirs):
    """Differences relative to the largest number, for those that may cancel to nothing."""
    return np.abs(theirs - ours) / np.nanmax(np.abs(ours))


class Row(NamedTuple):
    """A kernel. `value` and `gradient` (a value and its derivatives) take one point, `chunk` of
    which go together; with chunks None, all points at once."""

    title: str
    value: Callable[[Any], Any]
    gradient: Callable[[Any], Any] | None
    case: Callable[[int], Case]
    points: int
    tolerance: float
    chunk: int | None
    gradient_chunk: int | None
    difference: Callable[[np.ndarray, np.ndarray], np.ndarray] = relative


class Ours(NamedTuple):
    """What is measured of qtd: compiled runs, and the seconds of their compilation."""

    runs: dict[str, Run]
    compilation: dict[str, float]


def row_of(name: str) -> Row:
    """The row of this name."""
    return importlib.import_module(SCRIPTS[name]).rows()[name]


def fewer(row: Row, share: int) -> Row:
    """The same with a share of the points, though not with less than a chunk of them."""
    least = max(row.chunk or 1, row.gradient_chunk or 1)
    return row._replace(points=min(row.points, max(row.points // share, least)))


def compiled(row: Row, arguments: Any, kinds: tuple[str, ...] = ("value", "gradient")) -> Ours:
    """The value and the gradient over all points."""
    runs, compilation = {}, {}
    chunks = {"value": row.chunk, "gradient": row.gradient_chunk}
    for kind in kinds:
        function = getattr(row, kind)
        if function is not None:
            run, compilation[kind] = timing.compiled(function, arguments, chunks[kind])
            runs[kind] = lambda run=run: jax.block_until_ready(run(arguments))
    return Ours(runs, compilation)


def agreement(row: Row, case: Case, ours: Any) -> dict[str, float]:
    """The largest difference of each rival; an error where it is larger than tolerated."""
    found = {name: disagreement(row, case, ours, run()) for name, run in case.rivals.items()}
    for name, difference in found.items():
        if not difference < row.tolerance:
            raise AssertionError(f"{row.title}: {name} differs by {difference:.1e}")
    return found


def disagreement(row: Row, case: Case, ours: Any, theirs: Any) -> float:
    """The largest difference of the points that are judged, and where qtd says that there is such
    a quantity: rivals divide by anything."""
    worst = 0.0
    for x, y in zip(columns(ours), columns(theirs), strict=True):
        x, judged = x[: len(y)], np.isfinite(x[: len(y)])
        if case.judged is not None:
            judged &= case.judged[: len(y)]
        off = np.nan_to_num(row.difference(x, y)[judged], nan=np.inf)
        worst = max(worst, float(off.max(initial=0.0)) if judged.any() else np.inf)
    return worst


def columns(found: Any) -> list[np.ndarray]:
    """What was found, an array over the points for each quantity."""
    return [np.atleast_1d(np.asarray(x)) for x in (found if isinstance(found, tuple) else [found])]


def points_of(arrays: Any) -> int:
    """Over how many points these go."""
    return len(jax.tree.leaves(arrays)[0])


def seconds_per_point(ours: Ours, case: Case, rounds: int) -> dict[str, dict[str, float]]:
    """Medians of qtd ("value", "gradient"), the "rivals" of the value and of the gradient, all
    taken in turn."""
    known = {
        "qtd": ours.runs,
        "rivals": case.rivals,
        "gradient rivals": case.gradient_rivals if "gradient" in ours.runs else {},
    }
    runs = {(kind, name): run for kind, some in known.items() for name, run in some.items()}
    counts = {
        key: points_of(case.arguments if key[0] == "qtd" else columns(run()))
        for key, run in runs.items()
    }
    spent = timing.alternating(runs, rounds)
    return {
        kind: {name: spent[kind, name] / counts[kind, name] for name in some}
        for kind, some in known.items()
    }
