"""Trajectories of ordinary differential equations: states at given times, and when something
happens for the first time.

By the linearly implicit Euler method, extrapolated (Deuflhard, SIAM Review 27, 505 (1985)): of any
order, and stable however stiff the equations are. Its linear systems are solved without LAPACK, so
that thousands of trajectories go in one call. Every step ends where a state is asked for: none is
interpolated.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .coherent_elimination import inverse

State = Float[Array, " n"]
Test = Callable[[State, Any], Bool[Array, ""]]

_STEPS = 10_000


class Equation(NamedTuple):
    """Three functions of the state and of parameters: its `speed`, whether the trajectory `ends`
    there, and the `scale`, in which errors are measured."""

    speed: Callable[[State, Any], State]
    ends: Test
    scale: Callable[[State, Any], State]


class Course(NamedTuple):
    """States (times, n), NaN from where a trajectory ended, the last time that it reached, and
    whether it had to end there, or took too many steps."""

    states: Float[Array, "times n"]
    last: Float[Array, ""]
    ended: Bool[Array, ""]


class Happening(NamedTuple):
    """Whether a quantity rose through 0; when, and the state then; where the trajectory was left,
    and whether it had to end there."""

    happened: Bool[Array, ""]
    time: Float[Array, ""]
    state: State
    left: State
    left_at: Float[Array, ""]
    ended: Bool[Array, ""]


class _Way(NamedTuple):
    """How far a trajectory has come, the size of its next step, and how many it has tried."""

    state: State
    time: Float[Array, ""]
    size: Float[Array, ""]
    tried: Int[Array, ""]
    ended: Bool[Array, ""]

    def goes_on(self, until: Float[Array, ""]) -> Bool[Array, ""]:
        return ~self.ended & (self.time < until) & (self.tried < _STEPS)


def course(equation: Equation, start: State, times: Float[Array, " times"], args) -> Course:
    """The trajectory at rising times >= 0; it ends where it has to, or where numbers stop being
    finite.

    Differentiable forwards, but for the times: the derivatives are those of the same steps.
    """

    def to(way, time):
        way = lax.while_loop(
            lambda way: way.goes_on(time), lambda way: _advance(equation, args, way, time), way
        )
        return way, jnp.where(way.time == time, way.state, jnp.nan)

    way, states = lax.scan(to, _begin(equation, start, args), lax.stop_gradient(times))
    return Course(states, way.time, way.ended)


def at_times(
    equation: Equation, states: Float[Array, "times n"], times: Float[Array, " times"], args
) -> Float[Array, "times n"]:
    """The same `states`, with derivatives with respect to the `times` at which they are."""
    moved = jax.vmap(lambda state: equation.speed(state, args))(states)
    # A speed that is not finite leaves the value as it is.
    return (
        states
        + jnp.where(jnp.isfinite(moved), moved, 0) * (times - lax.stop_gradient(times))[:, None]
    )


def first_rise(
    equation: Equation,
    start: State,
    args,
    quantity: Callable,
    stays: Callable,
    settled: Test,
    horizon,
) -> Happening:
    """When `quantity` of state and parameters first rises through 0, before `horizon` and before
    the trajectory settles or ends.

    It counts when `stays`, of a later state, those before and after the step in which it rose, and
    parameters, holds before it falls again. So what rounding makes does not.
    """

    def value(state):
        return quantity(state, args)

    def unfinished(carry):
        way, _, found = carry
        return way.goes_on(horizon) & ~found & ~settled(way.state, args)

    def advance(carry):
        way, last, _ = carry
        after = _advance(equation, args, way, horizon)
        high = ~(value(after.state) < 0)
        rises = high & (value(way.state) < 0)
        last = jax.tree.map(lambda new, old: jnp.where(rises, new, old), (way, after), last)
        return (
            after,
            last,
            high
            & (last[1].time > last[0].time)
            & stays(after.state, last[0].state, last[1].state, args),
        )

    begin = _begin(equation, start, args)
    way, (before, after), found = lax.while_loop(
        unfinished, advance, (begin, (begin, begin), jnp.zeros((), bool))
    )
    size, state = _meet(equation, args, value, before, after, found)
    return Happening(found, before.time + size, state, way.state, way.time, way.ended)


def _meet(equation, args, value, before, after, wanted):
    """How much of a step, from `before` to `after` a rise, brings a value to 0, and the state then;
    by the Illinois method."""

    def unfinished(carry):
        count, (low, below), (high, above), *_ = carry
        return (
            wanted
            & (count < 60)
            & (high - low > 4 * jnp.finfo(high.dtype).eps * high)
            & (below < 0)
            & (above > 0)
        )

    def narrow(carry):
        count, (low, below), (high, above), side, _, _ = carry
        middle = high - above * (high - low) / (above - below)
        state, _ = _step(equation.speed, before.state, middle, args)
        there = value(state)
        up = there >= 0
        # Of an end that stays for the second time half the value is taken, so that it moves, too.
        below = jnp.where(up, jnp.where(side > 0, below / 2, below), there)
        above = jnp.where(up, there, jnp.where(side < 0, above / 2, above))
        ends = (jnp.where(up, low, middle), below), (jnp.where(up, middle, high), above)
        return count + 1, *ends, jnp.where(up, 1, -1), middle, state

    size = after.time - before.time
    ends = (jnp.zeros_like(size), value(before.state)), (size, value(after.state))
    *_, size, state = lax.while_loop(
        unfinished, narrow, (0, *ends, jnp.asarray(0), size, after.state)
    )
    return size, state


def _begin(equation, start, args):
    """A first step in which the state would change by a ten-thousandth of itself; the error of it
    says what the second one should be."""
    moves, scale = lax.stop_gradient((equation.speed(start, args), equation.scale(start, args)))
    size = 1e-4 * jnp.min(jnp.where(moves == 0, jnp.inf, scale / jnp.abs(moves)))
    known = jnp.all(jnp.isfinite(moves))
    return _Way(start, jnp.zeros_like(start[0]), size, jnp.asarray(0), ~known)


def _advance(equation, args, way, until):
    """Try one step, not beyond a time."""
    left = until - way.time
    size = jnp.minimum(way.size, left)
    after, doubt = _step(equation.speed, way.state, size, args)
    scale = lax.stop_gradient(
        jnp.maximum(equation.scale(way.state, args), equation.scale(after, args))
    )
    error = jnp.max(jnp.abs(doubt) / (_precision(doubt) * scale))
    good = (error <= 1) & jnp.all(jnp.isfinite(after))
    factor = jnp.where(
        jnp.isfinite(error), jnp.clip(0.9 * error ** (-1 / _rows(doubt)), 0.1, 5.0), 0.1
    )
    time = jnp.where(good, jnp.where(size < left, way.time + size, until), way.time)
    # What a time that was asked for has cut short says nothing against a longer step.
    following = jnp.where(
        good & (size < way.size), jnp.maximum(way.size, factor * size), factor * size
    )
    stuck = ~good & (factor * size <= 4 * jnp.finfo(size.dtype).eps * way.time)
    state = jnp.where(good, after, way.state)
    over = equation.ends(*lax.stop_gradient((state, args)))
    return _Way(state, time, lax.stop_gradient(following), way.tried + 1, stuck | over)


def _step(speed, state, size, args):
    """The state after one step, and about how wrong it is.

    Row j of the extrapolation goes through the step in j parts, each y + (1 - h A)^-1 h f(y) with
    the slope A of f at the start. That order does not ask for the exact A, so derivatives leave it
    alone: theirs are the same method for the equation of the derivatives.
    """
    rows = _rows(state)
    parts = jnp.arange(1, rows + 1, dtype=state.dtype)[:, None]
    size = lax.stop_gradient(size)
    slope = jax.jacfwd(speed)(lax.stop_gradient(state), lax.stop_gradient(args))
    one = jnp.eye(len(state), dtype=state.dtype)
    solve = (
        size
        / parts[..., None]
        * jnp.moveaxis(
            inverse(one[..., None] - slope[..., None] * (size / parts[:, 0])[None, None]), -1, 0
        )
    )

    def part(moved, number):
        flow = jax.vmap(lambda by: speed(state + by, args))(moved)
        return jnp.where(number < parts, moved + (solve * flow[:, None]).sum(2), moved), None

    moved, _ = lax.scan(
        part, jnp.zeros((rows, len(state)), state.dtype), jnp.arange(rows, dtype=state.dtype)
    )
    best, other = (jnp.asarray(weights, state.dtype) @ moved for weights in _weights(rows))
    return state + best, lax.stop_gradient(best - other)


def _weights(rows):
    """Weights of the rows in the extrapolation to infinitely many parts, and in that without the
    first."""

    def across(first):
        return [
            math.prod(j / (j - i) for i in range(first, rows + 1) if i != j)
            for j in range(first, rows + 1)
        ]

    return np.array(across(1)), np.array([0.0, *across(2)])


def _rows(x):
    """The number of rows, as many as rounding allows, which the extrapolation multiplies by some
    thousands, or some tens."""
    return 8 if x.dtype == jnp.float64 else 4


def _precision(x):
    """Relative error of a step."""
    return 1e-11 if x.dtype == jnp.float64 else 1e-5
