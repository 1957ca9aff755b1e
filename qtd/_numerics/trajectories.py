"""Trajectories of ordinary differential equations: states at given times, and when something happens for the first time.

By diffrax, with adaptive steps: an explicit method of order 8, or, for stiff equations, an implicit one of order 5 whose linear systems
are solved without LAPACK, so that thousands of trajectories go in one call.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import diffrax
import jax
import jax.numpy as jnp
import lineax
from jaxtyping import Array, Bool, Float

from .coherent_elimination import inverse

State = Float[Array, " n"]
Speed = Callable[[State, Any], State]  # of a state, with parameters
Test = Callable[[State, Any], Bool[Array, ""]]

_STEPS = 200_000


class Course(NamedTuple):
    """States (times, n), NaN from where a trajectory ended, and the last time that it reached."""

    states: Float[Array, "times n"]
    last: Float[Array, ""]


class Happening(NamedTuple):
    """Whether a quantity rose through 0; and where the trajectory was left, at the end of the step in which it did, or at its end."""

    happened: Bool[Array, ""]
    time: Float[Array, ""]
    state: State


def course(speed: Speed, start: State, times: Float[Array, " times"], args, ends: Test, stiff: bool = False) -> Course:
    """The trajectory at rising times >= 0; it ends where `ends` holds or numbers stop being finite."""
    event = diffrax.Event(lambda t, y, args, **_: ends(y, args) | ~jnp.all(jnp.isfinite(y)))
    saved = diffrax.SaveAt(ts=times, t1=True)
    solution = _solve(speed, start, jnp.maximum(times.max(), jnp.finfo(times.dtype).tiny), args, saved, event, stiff)
    # The last one is where it stopped; of those asked for, diffrax leaves what lies beyond infinite.
    stops, states = jnp.asarray(solution.ts), jnp.asarray(solution.ys)[:-1]
    last = jnp.max(jnp.where(jnp.isfinite(stops), stops, 0))
    reached = times <= last
    return Course(jnp.where(reached[:, None], states, jnp.nan), last)


def first_rise(speed: Speed, start: State, args, quantity: Callable, settled: Test, ends: Test, horizon, stiff: bool = False) -> Happening:
    """When `quantity` of state and parameters first rises through 0, before `horizon` and before the trajectory settles or ends."""
    conditions = (
        lambda t, y, args, **_: quantity(y, args),
        lambda t, y, args, **_: settled(y, args) | ends(y, args) | ~jnp.all(jnp.isfinite(y)),
    )
    event = diffrax.Event(conditions, direction=(True, None))
    solution = _solve(speed, start, horizon, args, diffrax.SaveAt(t1=True), event, stiff)
    rose, _ = cast(tuple, solution.event_mask)
    return Happening(rose, jnp.asarray(solution.ts)[-1], jnp.asarray(solution.ys)[-1])


def moment(speed: Speed, state: State, args, quantity: Callable) -> Float[Array, ""]:
    """How long after it was in this state a trajectory meets quantity = 0, negative for before; by Newton's method, for short times."""

    def improve(_, duration):
        there = leap(speed, state, duration, args)
        value, slope = jax.jvp(lambda y: quantity(y, args), (there,), (speed(there, args),))
        return duration - value / slope

    return jax.lax.fori_loop(0, 12, improve, jnp.zeros((), state.dtype))


def leap(speed: Speed, state: State, duration: Float[Array, ""], args) -> State:
    """The state after one step, which may go backwards and should be short."""
    solver, term = diffrax.Dopri8(), diffrax.ODETerm(lambda t, state, args: speed(state, args))
    zero = jnp.zeros_like(duration)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        memory = solver.init(term, zero, duration, state, args)
        return solver.step(term, zero, duration, state, args, memory, made_jump=False)[0]


def _solve(speed, start, until, args, saved, event, stiff):
    precision = 1e-10 if start.dtype == jnp.float64 else 1e-5
    implicit = diffrax.Kvaerno5(root_finder=diffrax.VeryChord(precision, 1e-2 * precision, linear_solver=_Inverse()))
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, state, args: speed(state, args)),
            implicit if stiff else diffrax.Dopri8(),
            t0=jnp.zeros_like(until),
            t1=until,
            dt0=None,
            y0=start,
            args=args,
            saveat=saved,
            stepsize_controller=diffrax.PIDController(rtol=precision, atol=1e-2 * precision),
            event=event,
            adjoint=diffrax.ForwardMode(),
            max_steps=_STEPS,
            throw=False,
        )


class _Inverse(lineax.AbstractLinearSolver):
    """Small dense systems by `inverse`."""

    def init(self, operator, options):
        return inverse(operator.as_matrix())

    def compute(self, state, vector, options):
        return (state * vector[None]).sum(1), lineax.RESULTS.successful, {}

    def transpose(self, state, options):
        return state.T, options

    def conj(self, state, options):
        return state, options

    def assume_full_rank(self):
        return True
