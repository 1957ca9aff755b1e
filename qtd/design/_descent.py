"""All starts downhill together, on the augmented Lagrangian of the limits."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from .._numerics.compilation import quickly
from .._numerics.cores import SideBySide, cores, dealt, joined
from ._history import History
from ._landscape import PENALTY, Goal, Landscape
from ._progress import Progress

_BLOCK = 20  # steps between updates of the multipliers
_NEARLY = 1e-3  # largest violation of a limit, relative to it, of what the descent calls feasible
_LONG = 10.0  # seconds that a start takes one by one, from which the block is optimised
_FARTHEST = 12.0  # logits beyond which a parameter is at its bound


class Descent(NamedTuple):
    """The state of one start: its point, through its logit; the `memory` of the optimizer; prices
    of the limits; and the best point it has met, with the `merit` by which that is best."""

    logit: Float[Array, " parameters"]
    memory: Any
    multipliers: Float[Array, " limits"]
    penalty: Float[Array, ""]
    merit: Float[Array, ""]
    best: Float[Array, " parameters"]


class Search(eqx.Module):
    """Where a descent is: the `states` of all starts, and the `values` and worst `violations` that
    they have met so far, (steps, starts); `asked`: what it is about, in words."""

    states: Descent
    values: np.ndarray
    violations: np.ndarray
    asked: str = eqx.field(static=True)

    @property
    def done(self) -> int:
        """Steps so far."""
        return len(self.values)

    def ends(self) -> Float[Array, "starts parameters"]:
        """The best point that each start has met, the best first."""
        order = jnp.argsort(-self.states.merit)
        return jax.nn.sigmoid(self.states.best)[order]

    def history(self, sign: float) -> History:
        """Step by step, the goal times `sign`."""
        met = np.where(self.violations <= _NEARLY, self.values, -np.inf).max(axis=1)
        best = np.maximum.accumulate(met)
        known = np.where(np.isfinite(best), best, np.nan)
        # A start that is no number anywhere violates everything.
        violations = np.where(np.isnan(self.violations), np.inf, self.violations).min(axis=1)
        parts = sign * known, violations, sign * self.values
        return History(*(jnp.asarray(part) for part in parts))


class Descender:
    """Descents on one landscape; all goals, and all calls of as many starts, by one program of
    `steps` steps of an `optimizer`."""

    def __init__(self, landscape: Landscape, optimizer: optax.GradientTransformation, steps: int):
        self._landscape, self._optimizer, self._steps = landscape, optimizer, steps

    def begun(self, points: Float[Array, "starts parameters"]) -> Search:
        """A search from these points."""
        limits = [limit.term.places for limit in self._landscape.limits]
        count = max(sum(places.stop - places.start for places in limits), 1)
        empty = np.empty((0, len(points)))
        states = jax.vmap(lambda point: _started(point, self._optimizer, count))(points)
        return Search(states, empty, empty, self._landscape.asked(len(points)))

    def run(self, goal: Goal, search: Search, progress: Progress | None = None) -> Search:
        """The search up to all steps, or as far as it got when a person interrupted it."""
        try:
            while search.done < self._steps:
                # Waiting for each keeps the progress honest, and an interrupt from waiting for all
                # that would be under way.
                parts = [
                    (part, goal, np.asarray(search.done)) for part in dealt(search.states, cores())
                ]
                states, (values, violations) = joined(self._block(parts))
                kept = min(_BLOCK, self._steps - search.done)
                search = Search(
                    states,
                    np.concatenate([search.values, np.asarray(values).T[:kept]]),
                    np.concatenate([search.violations, np.asarray(violations).T[:kept]]),
                    search.asked,
                )
                if progress is not None:
                    progress.advance(kept)
        except KeyboardInterrupt:
            if not search.done:
                raise
        return search

    @functools.cached_property
    def _block(self):
        """Some steps of starts and new prices after them; what is done after the last of all steps
        is thrown away. Optimised where a start takes so long that it is worth the wait. The starts
        are dealt out to all cores."""

        def step(state, number, goal):
            merit, violations, pressures, slope = self._slope(state, goal)
            state = _remembered(state, merit, violations.max(), number < self._steps)
            state = self._moved(state, slope)
            priced = _raised(state, pressures)
            is_last = number % _BLOCK == _BLOCK - 1
            state = jax.tree.map(lambda new, old: jnp.where(is_last, new, old), priced, state)
            return state, (merit, violations.max())

        def block(state, goal, done):
            def one(state, number):
                return step(state, number, goal)

            return jax.lax.scan(one, state, done + jnp.arange(_BLOCK))

        every = jax.vmap(block, in_axes=(0, None, None))
        is_long = self._landscape.seconds * self._steps > _LONG
        compiled = (eqx.filter_jit if is_long else quickly)(every)
        return SideBySide(lambda part: compiled(*part))

    def _slope(self, state, goal):
        """Merit and violations at the point of a start, and the slope of the augmented Lagrangian
        there."""

        def lagrangian(logit):
            values = self._landscape.values(jax.nn.sigmoid(logit))
            merit = self._landscape.merits(values, goal).min()
            pressures = self._landscape.pressures(values, goal)
            due = state.multipliers + state.penalty * pressures
            prices = jnp.maximum(due, 0) ** 2 - state.multipliers**2
            violations = self._landscape.violations(values, goal)
            sought = jnp.arcsinh(merit / goal.unit)
            return -sought + prices.sum() / (2 * state.penalty), (merit, violations, pressures)

        (_, found), slope = jax.value_and_grad(lagrangian, has_aux=True)(state.logit)
        return *found, slope

    def _moved(self, state, slope):
        """One step of the optimizer; a start without a finite slope stays where it is."""
        usable = jnp.all(jnp.isfinite(slope))
        kept = jnp.where(usable, slope, 0)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes integer counts with floats
            change, memory = self._optimizer.update(kept, state.memory, state.logit)
        logit = jnp.clip(state.logit + change, -_FARTHEST, _FARTHEST)
        return state._replace(logit=jnp.where(usable, logit, state.logit), memory=memory)


def _started(point, optimizer, limits):
    logit = jax.scipy.special.logit(point)
    one = jnp.ones((), point.dtype)
    free = jnp.zeros(limits, point.dtype)
    return Descent(logit, optimizer.init(logit), free, PENALTY * one, -jnp.inf * one, logit)


def _remembered(state, value, worst, counts):
    """Feasible points first, then the objective; NaN is never better."""
    merit = jnp.where(worst <= _NEARLY, value, -1e30 * (1 + worst))
    better = (merit > state.merit) & counts
    return state._replace(
        merit=jnp.where(better, merit, state.merit),
        best=jnp.where(better, state.logit, state.best),
    )


def _raised(state, pressures):
    """The multipliers that the last pressures ask for, and a larger penalty."""
    raised = jnp.maximum(state.multipliers + state.penalty * pressures, 0)
    return state._replace(
        multipliers=jnp.where(jnp.isfinite(raised), raised, 0),
        penalty=jnp.minimum(2 * state.penalty, 1e3),
    )
