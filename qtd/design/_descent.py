"""All starts downhill together, on the augmented Lagrangian of the limits."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from tqdm import tqdm

from ._landscape import Landscape
from ._results import History

_BLOCK = 20  # steps between updates of the multipliers
_NEARLY = 1e-3  # largest violation of a limit, relative to it, of what the descent calls feasible
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


def descend(
    landscape: Landscape,
    points: Float[Array, "starts parameters"],
    optimizer: optax.GradientTransformation,
    steps: int,
    progress: bool,
) -> tuple[Float[Array, "starts parameters"], History]:
    """The best point that each start met, the best first, and the history of the search."""
    scale = _scale(landscape, points)
    start = jax.vmap(lambda point: _begun(landscape, optimizer, point))
    block = jax.jit(jax.vmap(_block(landscape, optimizer, scale, steps), in_axes=(0, None)))
    states, traces = start(points), []
    with tqdm(total=steps, disable=not progress, unit="step", desc="compiling") as bar:
        for done in range(0, steps, _BLOCK):
            # Waiting for each keeps the bar honest, and an interrupt from waiting for all that
            # would be under way.
            states, trace = jax.block_until_ready(block(states, done))
            traces.append(jax.tree.map(lambda x: x.T, trace))
            bar.set_description("design", refresh=False)
            bar.update(min(_BLOCK, steps - done))
    values, violations = (jnp.concatenate(parts)[:steps] for parts in zip(*traces))
    order = jnp.argsort(-states.merit)
    return jax.nn.sigmoid(states.best)[order], _history(values, violations)


def _scale(landscape, points):
    """The size of the objective, by which it is measured against the prices of the limits."""
    values = jnp.stack([landscape.at(point)[0] for point in points])
    finite = np.isfinite(values).all(axis=1)
    if not finite.any():
        raise ValueError(
            "`objective` or a constraint is not finite at any start; check it on the machine"
            " itself, or the bounds."
        )
    return float(np.median(np.abs(values[finite, 0]))) or 1.0


def _begun(landscape, optimizer, point):
    logit = jax.scipy.special.logit(point)
    one = jnp.ones((), point.dtype)
    free = jnp.zeros(max(len(landscape.limits), 1), point.dtype)
    return Descent(logit, optimizer.init(logit), free, 10 * one, -jnp.inf * one, logit)


def _block(landscape, optimizer, scale, steps) -> Callable[[Descent, Array], tuple]:
    """Some steps of one start and new prices after them; what is done after the last of all `steps`
    is thrown away."""

    def step(state, number):
        values, slope = _slope(landscape, scale, state)
        violations = landscape.violations(values)
        state = _remembered(state, values[0], violations.max(), number < steps)
        state = _moved(state, slope, optimizer)
        priced = _raised(state, violations)
        is_last = number % _BLOCK == _BLOCK - 1
        state = jax.tree.map(lambda new, old: jnp.where(is_last, new, old), priced, state)
        return state, (values[0], violations.max())

    return lambda state, done: jax.lax.scan(step, state, done + jnp.arange(_BLOCK))


def _slope(landscape, scale, state):
    """Values at the point of a start, and the slope of the augmented Lagrangian there."""

    def lagrangian(logit):
        values = landscape.values(jax.nn.sigmoid(logit))
        due = state.multipliers + state.penalty * landscape.violations(values)
        prices = jnp.maximum(due, 0) ** 2 - state.multipliers**2
        return -values[0] / scale + prices.sum() / (2 * state.penalty), values

    (_, values), slope = jax.value_and_grad(lagrangian, has_aux=True)(state.logit)
    return values, slope


def _remembered(state, value, worst, counts):
    """Feasible points first, then the objective; NaN is never better."""
    merit = jnp.where(worst <= _NEARLY, value, -1e30 * (1 + worst))
    better = (merit > state.merit) & counts
    return state._replace(
        merit=jnp.where(better, merit, state.merit),
        best=jnp.where(better, state.logit, state.best),
    )


def _moved(state, slope, optimizer):
    """One step of the optimizer; a start without a finite slope stays where it is."""
    usable = jnp.all(jnp.isfinite(slope))
    with jax.numpy_dtype_promotion("standard"):  # optax mixes integer counts with floats
        change, memory = optimizer.update(jnp.where(usable, slope, 0), state.memory, state.logit)
    logit = jnp.clip(state.logit + change, -_FARTHEST, _FARTHEST)
    return state._replace(logit=jnp.where(usable, logit, state.logit), memory=memory)


def _raised(state, violations):
    """The multipliers that the last violations ask for, and a larger penalty."""
    raised = jnp.maximum(state.multipliers + state.penalty * violations, 0)
    return state._replace(
        multipliers=jnp.where(jnp.isfinite(raised), raised, 0),
        penalty=jnp.minimum(2 * state.penalty, 1e3),
    )


def _history(values, violations):
    met = jnp.where(violations <= _NEARLY, values, -jnp.inf).max(axis=1)
    best = jax.lax.cummax(met)
    known = jnp.where(jnp.isfinite(best), best, jnp.nan)
    return History(known, jnp.nanmin(violations, axis=1), values)
