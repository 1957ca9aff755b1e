"""Gradient design: the parameters, within bounds, that make a figure of merit of a machine as large
as constraints allow."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from scipy.optimize import minimize, nnls
from scipy.stats import qmc
from tqdm import tqdm

from ._numerics.compilation import quickly
from ._numerics.memory import require_memory
from ._numerics.paths import overlapping
from ._numerics.printing import digits
from .observables import Observable, observables, observe
from .parameters import parameters, replace, validate

__all__ = ["History", "Optimum", "Problem", "maximize", "observables", "problem"]

Bounds = Mapping[str, tuple[float, float]]
Constraints = Mapping[str, tuple[Observable, float | None, float | None]]

_BLOCK = 20  # steps between updates of the multipliers
_MET = 1e-6  # largest violation of a constraint, relative to its bound, that still counts as met
_ACTIVE = 1e-5  # distance from a limit, relative to it, within which a constraint is called active


class History(eqx.Module):
    """How the search went, step by step.

    `values`: the best objective of a start that meets the constraints so far, NaN while none does.
    `violations`: by how much the start that meets them best exceeds a limit, relative to the limit;
    negative with room to spare. `all_values`: the objective of every start.
    """

    values: Float[Array, " steps"]
    violations: Float[Array, " steps"]
    all_values: Float[Array, "steps starts"]


class Optimum(eqx.Module):
    """What `maximize` found. `machine` is the design, `start` what it began with; `message` says in
    words whether to trust it.

    - `value`: the objective. `parameters`, `bounds`: by path, where it is and between what it was
      sought.
    - `active_bounds`: "lower" or "upper" by path, where one is met. `constraints`: their values by
      name; `active_constraints`: names of those that are met with equality.
    - `history`: of the search. `feasible`: all constraints are met, to 1e-6. `converged`: and the
      first-order conditions of an optimum too.
    """

    machine: Any
    start: Any
    value: Float[Array, ""]
    parameters: dict[str, Float[Array, ""]]
    bounds: dict[str, tuple[float, float]] = eqx.field(static=True)
    active_bounds: dict[str, str] = eqx.field(static=True)
    constraints: dict[str, Float[Array, ""]]
    active_constraints: tuple[str, ...] = eqx.field(static=True)
    history: History
    feasible: bool = eqx.field(static=True)
    converged: bool = eqx.field(static=True)
    message: str = eqx.field(static=True)

    def __repr__(self) -> str:
        lines = [f"Optimum: {digits(self.value)} ({self.message})"]
        for path, value in self.parameters.items():
            low, high = self.bounds[path]
            mark = (
                f", at its {self.active_bounds[path]} bound" if path in self.active_bounds else ""
            )
            lines.append(f"  {path:<32} {float(value):>14.8g}   in [{low:g}, {high:g}]{mark}")
        for name, value in self.constraints.items():
            lines.append(
                f"  {name:<32} {float(value):>14.8g}  "
                f" constraint{', active' if name in self.active_constraints else ''}"
            )
        return "\n".join(lines)


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
    known = lambda limit: None if limit is None else float(limit)
    subject_to = {
        name: (function, known(low), known(high))
        for name, (function, low, high) in subject_to.items()
    }
    search = _Search(objective, machine, over, subject_to)
    optimizer = optimizer or optax.adam(optax.cosine_decay_schedule(0.2, steps, alpha=0.02))
    points, history = search.descend(
        _initial_points(machine, over, starts, seed), optimizer, steps, progress
    )
    return search.result(search.polish(points), history)


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


class _Search:
    """One problem in the coordinates of the search: the unit cube, or through its logit the whole
    space."""

    def __init__(self, objective, machine, over, subject_to):
        self.machine, self.over, self.subject_to = machine, over, subject_to
        self.functions = [objective, *(function for function, _, _ in subject_to.values())]
        # Each limit as sign * (value - limit) <= 0, in units of the limit.
        self.limits = [
            (i, sign / (abs(limit) or 1.0), limit)
            for i, (_, low, high) in enumerate(subject_to.values(), start=1)
            for sign, limit in ((-1.0, low), (1.0, high))
            if limit is not None
        ]
        self._looked_at: dict[bytes, tuple[Array, Array]] = {}

    def values(self, t):
        """Objective and constraints, as part of a program."""
        return jnp.stack(observe(self.functions, self._machine_at(t)))

    def at(self, t):
        """The same and their slopes at one point; who optimises asks again and again for what
        belongs to the last one."""
        key = np.asarray(t).tobytes()
        if key not in self._looked_at:
            self._looked_at = {key: self._differentiated(t)}
        return self._looked_at[key]

    @functools.cached_property
    def _differentiated(self):
        both = lambda t: (values := self.values(t), values)
        return quickly(lambda t: jax.jacrev(both, has_aux=True)(t)[::-1])

    def _machine_at(self, t):
        return replace(
            self.machine,
            {path: _scaled(t[i], *self.over[path]) for i, path in enumerate(self.over)},
        )

    def violations(self, values):
        """How far each limit is exceeded, in units of the limit: negative where it is met with room
        to spare."""
        return jnp.stack(
            [factor * (values[..., i] - limit) for i, factor, limit in self.limits]
            or [0 * values[..., 0] - 1],
            axis=-1,
        )

    def descend(self, points, optimizer, steps, progress):
        """All starts downhill on the augmented Lagrangian; returns the best point that each start
        met, and the history."""
        values = jnp.stack([self.at(point)[0] for point in points])
        finite = np.isfinite(values).all(axis=1)
        if not finite.any():
            raise ValueError(
                "`objective` or a constraint is not finite at any start; check it on the machine"
                " itself, or the bounds."
            )
        scale = float(np.median(np.abs(values[finite, 0]))) or 1.0

        def lagrangian(logit, multipliers, penalty):
            values = self.values(jax.nn.sigmoid(logit))
            excess = self.violations(values)
            price = (jnp.maximum(multipliers + penalty * excess, 0) ** 2 - multipliers**2).sum() / (
                2 * penalty
            )
            return -values[0] / scale + price, values

        def step(state, number):
            logit, memory, multipliers, penalty, best = state
            (_, values), slope = jax.value_and_grad(lagrangian, has_aux=True)(
                logit, multipliers, penalty
            )
            worst = self.violations(values).max()
            # Feasible first, then the objective; NaN is never better.
            key = jnp.where(worst <= 1e-3, values[0], -1e30 * (1 + worst))
            better = (key > best[0]) & (number < steps)
            best = jnp.where(better, key, best[0]), jnp.where(better, logit, best[1])
            usable = jnp.all(jnp.isfinite(slope))
            with jax.numpy_dtype_promotion("standard"):  # optax mixes integer counts with floats
                change, new_memory = optimizer.update(jnp.where(usable, slope, 0), memory, logit)
            logit = jnp.where(usable, jnp.clip(logit + change, -12, 12), logit)
            raised = jnp.maximum(multipliers + penalty * self.violations(values), 0)
            is_last = number % _BLOCK == _BLOCK - 1
            multipliers = jnp.where(
                is_last, jnp.where(jnp.isfinite(raised), raised, 0), multipliers
            )
            penalty = jnp.where(is_last, jnp.minimum(2 * penalty, 1e3), penalty)
            return (logit, new_memory, multipliers, penalty, best), (values[0], worst)

        block = jax.jit(
            jax.vmap(
                lambda state, done: jax.lax.scan(step, state, done + jnp.arange(_BLOCK)),
                in_axes=(0, None),
            )
        )

        logits = jax.scipy.special.logit(points)
        ones = jnp.ones(len(points), points.dtype)
        memory = jax.vmap(optimizer.init)(logits)
        states = (
            logits,
            memory,
            jnp.zeros((len(points), max(len(self.limits), 1)), points.dtype),
            10 * ones,
            (-jnp.inf * ones, logits),
        )
        traces = []
        with tqdm(total=steps, disable=not progress, unit="step", desc="compiling") as bar:
            for done in range(0, steps, _BLOCK):
                # Waiting for each keeps the bar honest, and an interrupt from waiting for all that
                # would be under way.
                states, trace = jax.block_until_ready(block(states, done))
                traces.append(jax.tree.map(lambda x: x.T, trace))
                bar.set_description("design", refresh=False)
                bar.update(min(_BLOCK, steps - done))
        values, violations = (jnp.concatenate(x)[:steps] for x in zip(*traces))
        met = jnp.where(violations <= 1e-3, values, -jnp.inf).max(axis=1)
        met = jax.lax.cummax(met)
        history = History(
            jnp.where(jnp.isfinite(met), met, jnp.nan), jnp.nanmin(violations, axis=1), values
        )
        order = jnp.argsort(-states[4][0])
        return jax.nn.sigmoid(states[4][1])[order], history

    def polish(self, points, tries=3):
        """The best of a few points after sequential quadratic programming in the unit cube."""
        outcomes = []
        for point in points[:tries]:
            start = np.asarray(point, float)
            scale = abs(float(self.at(point)[0][0])) or 1.0
            cast = lambda t: jnp.asarray(np.clip(t, 0, 1), point.dtype)
            limits = [
                {
                    "type": "ineq",
                    "fun": lambda t, i=i, factor=factor, limit=limit: (
                        -factor * (float(self.at(cast(t))[0][i]) - limit)
                    ),
                    "jac": lambda t, i=i, factor=factor: (
                        -factor * np.asarray(self.at(cast(t))[1][i], float)
                    ),
                }
                for i, factor, limit in self.limits
            ]
            found = minimize(
                lambda t: -float(self.at(cast(t))[0][0]) / scale,
                start,
                jac=lambda t: -np.asarray(self.at(cast(t))[1][0], float) / scale,
                bounds=[(0, 1)] * len(start),
                constraints=limits,
                method="SLSQP",
                options={"maxiter": 100, "ftol": 100 * float(jnp.finfo(point.dtype).eps)},
            )
            outcomes += [
                candidate
                for candidate in (cast(found.x), point)
                if np.all(np.isfinite(self.at(candidate)[0]))
            ]
        return max(outcomes, key=self._merit)

    def _merit(self, point):
        """A rank for comparison: what meets the limits first, by its objective, then the rest by
        how little they are exceeded."""
        values = self.at(point)[0]
        worst = float(self.violations(values).max())
        return (True, float(values[0])) if worst <= _MET else (False, -worst)

    def slope_left(self, point):
        """How far a point is from meeting the first-order conditions of an optimum (Karush, Kuhn
        and Tucker), relative to the objective.

        The slope of the objective must be held, with multipliers >= 0, by those of the active
        limits and by the walls of the cube.
        """
        values, slopes = (np.asarray(x, float) for x in self.at(point))
        excess = np.asarray(self.violations(values))
        held = [
            factor * slopes[i]
            for (i, factor, _), value in zip(self.limits, excess)
            if abs(value) <= _ACTIVE
        ]
        lower, upper = self.walls(point)
        walls = np.eye(len(slopes[0]))
        held += [-wall for wall, active in zip(walls, lower) if active] + [
            wall for wall, active in zip(walls, upper) if active
        ]
        slope = slopes[0] / (abs(values[0]) or 1.0)
        return float(nnls(np.stack(held, axis=1), slope)[1] if held else np.linalg.norm(slope))

    @staticmethod
    def walls(point):
        """Which coordinates are at their lower and which at their upper bound."""
        t = np.asarray(point, float)
        return t < 1e-6, t > 1 - 1e-6

    def result(self, point, history):
        values = self.at(point)[0]
        excess = np.asarray(self.violations(values))
        feasible = bool(excess.max() <= _MET)
        names = list(self.subject_to)
        active = {
            names[i - 1] for (i, _, _), value in zip(self.limits, excess) if abs(value) <= _ACTIVE
        }
        lower, upper = self.walls(point)
        bounds = {
            path: "lower" if low else "upper"
            for path, low, high in zip(self.over, lower, upper)
            if low or high
        }
        slope = self.slope_left(point)
        # The objective is then right to about the square of this.
        settled = slope <= float(jnp.finfo(point.dtype).eps) ** (1 / 3)
        if feasible:
            message = (
                "converged"
                if settled
                else f"not converged: a relative slope of {slope:.1e} is left; take more steps or"
                " starts"
            )
        else:
            i, factor, limit = self.limits[int(excess.argmax())]
            side = "at least" if factor < 0 else "at most"
            reached = f"reached {float(values[i]):.6g}, {side} {limit:g} is asked"
            message = f"the constraint {names[i - 1]!r} cannot be met within the bounds: {reached}"
        machine = self._machine_at(point)
        return Optimum(
            machine=machine,
            start=self.machine,
            value=values[0],
            parameters={path: parameters(machine, self.over)[path] for path in self.over},
            bounds=self.over,
            active_bounds=bounds,
            constraints=dict(zip(names, values[1:])),
            active_constraints=tuple(name for name in names if name in active),
            history=history,
            feasible=feasible,
            converged=feasible and settled,
            message=message,
        )


def _is_logarithmic(low, high):
    return low > 0 and high >= 10 * low


def _scaled(t, low, high):
    """The value at the fraction t of an interval, on a logarithmic scale where that is natural."""
    if _is_logarithmic(low, high):
        return jnp.exp(np.log(low) + t * (np.log(high) - np.log(low)))
    return low + t * (high - low)


def _initial_points(machine, over, starts, seed):
    known = parameters(machine, over)
    dtype = next(iter(known.values())).dtype
    given = []
    for path, (low, high) in over.items():
        value = float(known[path])
        if _is_logarithmic(low, high):
            given.append(np.log(max(value, low) / low) / np.log(high / low))
        else:
            given.append((value - low) / (high - low))
    sequence = qmc.Sobol(len(over), seed=seed)  # pyright: ignore[reportCallIssue]
    filling = sequence.random_base2(max(int(np.ceil(np.log2(starts))), 0))[: starts - 1]
    every = np.vstack([given, filling.reshape(-1, len(over))])
    return jnp.asarray(np.clip(every, 0.02, 0.98), dtype)


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
