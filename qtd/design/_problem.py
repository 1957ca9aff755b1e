"""Design problems: what is asked, and whether it can be."""

from typing import Any, NamedTuple

import numpy as np

from .._numerics.memory import require_memory
from .._numerics.paths import overlapping
from ..observables import Observable, observables
from ..parameters import parameters, replace, validate
from ._landscape import Bounds, Constraints


class Problem(NamedTuple):
    """A design problem in the terms of `maximize`: `objective`, called `objective_name`, of
    `machine`, `over`, `subject_to`, `starts`, `steps`; to be small unless `is_largest`."""

    objective_name: str
    objective: Observable
    machine: Any
    over: Bounds
    subject_to: Constraints
    starts: int = 32
    steps: int = 300
    is_largest: bool = True


def problem(machine: Any) -> Problem:
    """The design problem that this kind of `machine` poses by default, with the machine it starts
    from; `ValueError` if it poses none."""
    statement = machine.design_problem()
    named = observables(machine)
    constraints = {
        name: (named[name], low, high) for name, (low, high) in statement.subject_to.items()
    }
    return Problem(
        statement.objective,
        named[statement.objective],
        statement.start,
        statement.over,
        constraints,
        statement.starts,
        statement.steps,
        statement.is_largest,
    )


def stated(over: Bounds, subject_to: Constraints | None) -> tuple[Bounds, Constraints]:
    """Bounds and constraints as plain numbers."""
    bounds = {path: (float(low), float(high)) for path, (low, high) in over.items()}
    limits = {
        name: (function, _number(low), _number(high))
        for name, (function, low, high) in (subject_to or {}).items()
    }
    return bounds, limits


def check(machine: Any, over: Any, subject_to: Any, counts: dict[str, int]) -> None:
    """Raise `ValueError` for what cannot be asked of a `machine`; `counts`: how many starts and
    steps, among others."""
    validate(machine)
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"`{name}` must be a positive integer, got {count!r}.")
    # Of each step two numbers are kept, and put together from parts; of each start a few vectors as
    # long as `over`.
    starts, steps = counts["starts"], counts["steps"]
    needed = 8 * starts * (6 * steps + 32 * len(over))
    require_memory(needed, f"`starts` = {starts} with `steps` = {steps}", "take fewer")
    if not over:
        raise ValueError(
            '`over` must name at least one parameter, as in {"cold.temperature": (0.3, 1.0)}.'
        )
    both = overlapping(over)
    if both is not None:
        raise ValueError(
            f"`over` gives a number twice, by {both[0]!r} and by {both[1]!r}; leave one of them"
            " out."
        )
    for path, bounds in over.items():
        _check_bounds(machine, path, bounds)
    for name, limits in (subject_to or {}).items():
        _check_limits(name, limits)


def _check_bounds(machine, path, bounds):
    if np.shape(bounds) != (2,):
        raise ValueError(f"`over` must give bounds (low, high) for {path!r}, got {bounds!r}.")
    low, high = bounds
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(
            f"`over` must give finite bounds (low, high) with low < high for {path!r}, got"
            f" ({low}, {high})."
        )
    if np.ndim(parameters(machine).get(path, 0.0)):
        first = ",".join("0" * np.ndim(parameters(machine)[path]))
        raise ValueError(
            f"`over` must name one number, not the array {path!r}; name its entries, such as"
            f" {f'{path}[{first}]'!r}."
        )
    for bound in (low, high):
        replace(machine, {path: bound})


def _check_limits(name, limits):
    if not isinstance(limits, tuple | list) or len(limits) != 3 or not callable(limits[0]):
        raise ValueError(
            f"`subject_to` must give (function, low, high) for {name!r}, None for no limit, got"
            f" {limits!r}."
        )
    _, low, high = limits
    if low is None and high is None:
        raise ValueError(f"`subject_to` gives no limit for {name!r}; set a lower or an upper one.")
    if any(limit is not None and not np.isfinite(limit) for limit in (low, high)):
        raise ValueError(f"`subject_to` must give finite limits for {name!r}, got ({low}, {high}).")
    if low is not None and high is not None and low >= high:
        raise ValueError(f"`subject_to` must give low < high for {name!r}, got ({low}, {high}).")


def _number(limit):
    return None if limit is None else float(limit)
