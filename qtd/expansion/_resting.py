"""A driven network without motion, at many angles at once: the last axis of every array is that of
the points."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from .._numerics.batching import settle, sum_over
from ..status import Status, first


class Resting(eqx.Module):
    """`populations` p with W p = 0, and a `response` R: x = R y has W x = y and adds up to nothing,
    for every y that does; of `jumps` with the rates `up` and `down`.

    `status` is 0 where all is well (`qtd.Status`).
    """

    up: Float[Array, "jumps points"]
    down: Float[Array, "jumps points"]
    populations: Float[Array, "n points"]
    response: Float[Array, "n n points"]
    status: Int[Array, " points"]
    jumps: Any = eqx.field(static=True)

    def __init__(self, jumps, up: Float[Array, "jumps points"], down: Float[Array, "jumps points"]):
        self.jumps, self.up, self.down = jumps, up, down
        self.populations, self.response = at_rest(jumps.total(jnp.concatenate([up, down])))
        *rates, p, response = lax.stop_gradient((up, down, self.populations, self.response))
        largest = functools.reduce(jnp.maximum, [jnp.abs(x).max(0) for x in rates])
        exists = jnp.isfinite(p).all(0) & jnp.isfinite(response).all((0, 1))
        self.status = first(
            (jnp.isinf(largest), Status.INFINITE_RATE),
            # Illegal parameters make their rates NaN.
            (jnp.isnan(largest), Status.INVALID_PARAMETER),
            (~exists, Status.NO_UNIQUE_STEADY_STATE),
        )

    def answer(self, y: Float[Array, "n points"]) -> Float[Array, "n points"]:
        """R y, of a y that adds up to nothing."""
        return _answer(self.jumps, self.up, self.down, lax.stop_gradient(self.response), y)

    def flows(self) -> Float[Array, "jumps points"]:
        """Net jumps lower -> upper per time; 0 where a jump is part of no cycle.

        Populations are right relative to themselves, flows where jumps nearly balance need not be:
        Newton steps take off what would pile up in the levels, rounding of what goes to and fro, so
        that what is left obeys Kirchhoff's law.
        """
        rates, jumps = (self.up, self.down), self.jumps
        flows = jumps.flows(*rates, self.populations)
        for _ in range(2):
            flows = flows - jumps.flows(*rates, self.answer(jumps.brought(flows)))
        return flows * jnp.asarray(jumps.cyclic, flows.dtype)[:, None]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _answer(jumps, up, down, response, y):
    return settle(apply(response, y))


@_answer.defjvp
def _answer_jvp(jumps, primals, tangents):
    """W x = y, differentiated: that of the response is not needed."""
    x = _answer(jumps, *primals)
    moved = tangents[3] - jumps.brought(jumps.flows(*tangents[:2], x))
    return x, _answer(jumps, *primals[:3], moved)


@jax.custom_jvp
def at_rest(
    rates: Float[Array, "n n points"],
) -> tuple[Float[Array, "n points"], Float[Array, "n n points"]]:
    """`populations` and `response` of `Resting`, of rates b -> a, 0 on the diagonal.

    By elimination without subtractions (Grassmann, Taksar and Heyman), each time of the level that
    is left fastest. It holds no more than those that remain together, so that the last one of n
    levels holds at least 2^(1 - n), and a level that nothing leaves in this precision comes last.
    What a response does to others is taken off in proportion to their populations; what it adds to
    the last one is what is missing there, whatever rounding has left in y. So populations, and
    responses to a y of one sign, are right relative to themselves. NaN where two levels are left by
    nothing.
    """
    steps = []
    while len(rates) > 1:
        rates, step = _without_the_hottest(rates)
        steps.append(step)
    p, times = jnp.ones_like(rates[0]), jnp.zeros_like(rates)
    for step in reversed(steps):
        p, times = _restored(p, times, *step)
    p = p / sum_over(p, 0)[None]
    return p, p[:, None] * sum_over(times, 0)[None] - times


def _without_the_hottest(rates):
    """Rates between the levels that remain without the one that is left fastest, whose place the
    last one takes; and where it was, its shares of jumps to the others, their rates to it over the
    rate that leaves it, and the time it is left in."""
    last, out = len(rates) - 1, sum_over(rates, 0)
    fastest, place = out[0], jnp.zeros_like(out[0])
    for i in range(1, last + 1):
        place = jnp.where(out[i] > fastest, i, place)
        fastest = jnp.maximum(out[i], fastest)
    place = settle(place)
    onwards, into = (settle(_moved(_taken(x, place), place)) for x in (rates.swapaxes(0, 1), rates))
    share = settle(onwards / fastest[None])
    rates = _moved(_moved(rates, place).swapaxes(0, 1), place).swapaxes(0, 1)
    off = jnp.asarray(1 - np.eye(last), rates.dtype)[..., None]
    return settle((rates + share[:, None] * into[None]) * off), (
        place,
        share,
        into / fastest[None],
        1 / fastest,
    )


def _taken(x, place):
    """The row of x at this place."""
    found = x[-1]
    for i in range(len(x) - 1):
        found = jnp.where(place == i, x[i], found)
    return found


def _moved(x, place):
    """The rows of x but the last one, which takes the place of the one there."""
    return jnp.stack([jnp.where(place == i, x[-1], x[i]) for i in range(len(x) - 1)])


def _swapped(x, place):
    """The rows of x, the last one exchanged with the one at this place."""
    return jnp.concatenate([_moved(x, place), _taken(x, place)[None]])


def _restored(p, times, place, share, gain, time):
    """Populations, and mean times in each level, from each level on, until the last one is reached,
    with a level more."""
    p = _swapped(jnp.concatenate([p, sum_over(gain * p, 0)[None]]), place)
    column = settle(sum_over(times * share[None], 1))
    row = sum_over(gain[:, None] * times, 0)
    corner = time + sum_over(gain * column, 0)
    rows = jnp.concatenate([times, row[None]])
    column = jnp.concatenate([column, corner[None]])
    times = settle(jnp.concatenate([rows, column[:, None]], 1))
    return settle(p), settle(_swapped(_swapped(times, place).swapaxes(0, 1), place).swapaxes(0, 1))


@at_rest.defjvp
def _at_rest_jvp(primals, tangents):
    """W p = 0 and W R = 1 - (what is taken from the last level), differentiated."""
    p, response = at_rest(*primals)
    change = generator(tangents[0])

    def product(a, b):
        return sum_over(a[:, :, None] * b[None], 1)

    return (p, response), (
        -apply(response, apply(change, p)),
        -product(response, product(change, response)),
    )


def generator(rates):
    """The generator, or a term of its expansion, of rates b -> a: its columns add up to nothing."""
    one = jnp.eye(rates.shape[-2], dtype=rates.dtype)[..., None]
    return rates - rates.sum(-3, keepdims=True) * jnp.broadcast_to(one, rates.shape)


def apply(matrix, x):
    """matrix @ x, at each of the points."""
    return sum_over(matrix * x[None], 1)
