"""Gradient design: the parameters, within bounds, that make a figure of merit of a machine as large
as constraints allow."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

from .._numerics.memory import require_memory
from .._numerics.paths import overlapping
from ..observables import Observable, observables
from ..parameters import parameters, replace, validate
from ._descent import descend
from ._landscape import MET, Bounds, Constraints, Landscape, initial_points
from ._polish import ACTIVE, polish, slope_left
from ._results import History, Optimum

__all__ = ["History", "Optimum", "Problem", "maximize", "observables", "problem"]


class Problem(NamedTuple):
    """A design problem in the terms of `maximize`: `objective`, called `objective_name`, of
    `machine`, `over`, `subject_to`, `starts`, `steps`."""

    objective_name: str
    objective: Observable
    machine: Any
    over: Bounds
    subject_to: Constraints
    starts: int = 32
    steps: int = 300


def maximize(
    objective: Observable,
    machine: Any,
    over: Bounds,
    subject_to: Constraints | None = None,
    *,
    starts: int = 32,
    steps: int = 300,
    optimizer: optax.GradientTransformation | None = None,
    progress: bool = False,
    seed: int = 0,
) -> Optimum:
    """Maximise a differentiable scalar of a machine over some of its parameters.

    - `objective`: machine -> scalar, such as `lambda m: m.operate().heat_currents["cold"]`.
      `machine`: any PyTree of parameters.
    - `over`: `{path: (low, high)}`, paths as in `qtd.parameters`. Parameters move on a smooth
      bijection of the open interval (logarithmic where both bounds are positive and a decade
      apart), so that no step leaves it.
    - `subject_to`: `{name: (function, low, high)}` with None for no limit; met by an augmented
      Lagrangian.
    - `starts`: the machine as given, moved inside the bounds, and starts - 1 points that fill them
      evenly (Sobol, `seed`). All take `steps` steps of `optimizer` (default: Adam with a decaying
      step) under one `vmap`; the best of them is then polished by sequential quadratic programming,
      which tells an optimum from a standstill and finds the bounds and constraints that hold it.
    - `progress`: show a bar on stderr.

    A start whose objective is not finite stays where it is and spoils no other. Raises `ValueError`
    for unknown paths, bounds that are not finite, the wrong way round or outside a parameter's
    domain, and an objective that is no finite scalar anywhere. Constraints that no start can meet
    do not raise: the result has `feasible` false, says so, and holds the least bad design.

    How bold an N-demon should be, if power and COP are to be large together:

    >>> demon = qtd.replace(qtd.machines.NDemon(), {"cold.temperature": 0.5})
    >>> merit = lambda demon: demon.operate().cop * demon.operate().heat_currents["cold"]
    >>> best = qtd.design.maximize(merit, demon, over={"boldness": (0.1, 6.0)}, starts=4, steps=40)
    >>> print(f"{best.parameters['boldness']:.3f} {best.machine.operate().cop:.4f} {best.message}")
    2.339 0.0908 converged
    """
    over, subject_to = dict(over), dict(subject_to or {})
    _check(machine, over, subject_to, starts, steps)
    over = {path: (float(low), float(high)) for path, (low, high) in over.items()}
    subject_to = {
        name: (function, _number(low), _number(high))
        for name, (function, low, high) in subject_to.items()
    }
    landscape = Landscape(objective, machine, over, subject_to)
    optimizer = optimizer or optax.adam(optax.cosine_decay_schedule(0.2, steps, alpha=0.02))
    begun = initial_points(machine, over, starts, seed)
    points, history = descend(landscape, begun, optimizer, steps, progress)
    return _optimum(landscape, polish(landscape, points), history)


def problem(machine: Any) -> Problem:
    """The design problem that this kind of `machine` poses by default, with the machine it starts
    from; `ValueError` if it poses none."""
    statement = machine.design_problem()
    named = observables(machine)
    constraints = {
        name: (named[name], low, high) for name, (low, high) in statement.subject_to.items()
    }
    objective = named[statement.maximize]
    return Problem(
        statement.maximize,
        objective,
        statement.start,
        statement.over,
        constraints,
        statement.starts,
        statement.steps,
    )


def _number(limit):
    return None if limit is None else float(limit)


def _optimum(landscape, point, history):
    """What is said of the point where the search ended."""
    values = landscape.at(point)[0]
    excesses = np.asarray(landscape.violations(values))
    feasible = bool(excesses.max() <= MET)
    limits = zip(landscape.limits, excesses)
    active = {landscape.names[limit.place - 1] for limit, excess in limits if abs(excess) <= ACTIVE}
    sides = {
        path: "lower" if low else "upper"
        for path, low, high in zip(landscape.over, *landscape.walls(point))
        if low or high
    }
    slope = slope_left(landscape, point)
    # The objective is then right to about the square of this.
    settled = slope <= float(jnp.finfo(point.dtype).eps) ** (1 / 3)
    if not feasible:
        message = _why_not(landscape, values, excesses)
    elif settled:
        message = "converged"
    else:
        message = (
            f"not converged: a relative slope of {slope:.1e} is left; take more steps or starts"
        )
    machine = landscape.machine_at(point)
    known = parameters(machine, landscape.over)
    return Optimum(
        machine=machine,
        start=landscape.machine,
        value=values[0],
        parameters={path: known[path] for path in landscape.over},
        bounds=dict(landscape.over),
        active_bounds=sides,
        constraints=dict(zip(landscape.names, values[1:])),
        active_constraints=tuple(name for name in landscape.names if name in active),
        history=history,
        feasible=feasible,
        converged=feasible and settled,
        message=message,
    )


def _why_not(landscape, values, excesses):
    """The limit that is exceeded most, in words."""
    limit = landscape.limits[int(excesses.argmax())]
    name = landscape.names[limit.place - 1]
    side = "at least" if limit.factor < 0 else "at most"
    reached = f"reached {float(values[limit.place]):.6g}, {side} {limit.bound:g} is asked"
    return f"the constraint {name!r} cannot be met within the bounds: {reached}"


def _check(machine, over, subject_to, starts, steps):
    validate(machine)
    for name, count in (("starts", starts), ("steps", steps)):
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"`{name}` must be a positive integer, got {count!r}.")
    # Of each step two numbers are kept, and put together from parts; of each start a few vectors as
    # long as `over`.
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
    for name, (_, low, high) in subject_to.items():
        if low is None and high is None:
            raise ValueError(
                f"`subject_to` gives no limit for {name!r}; set a lower or an upper one."
            )
        if any(limit is not None and not np.isfinite(limit) for limit in (low, high)):
            raise ValueError(
                f"`subject_to` must give finite limits for {name!r}, got ({low}, {high})."
            )
        if low is not None and high is not None and low >= high:
            raise ValueError(
                f"`subject_to` must give low < high for {name!r}, got ({low}, {high})."
            )
