"""A driven network without motion, at many angles at once: the last axis of every array is that of
the points."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from .._numerics.batching import settle, sum_over
from ..status import Status, first


class Resting(eqx.Module):
    """`populations` p with W p = 0, and a `response` R: x = R y has W x = y and adds up to nothing,
    for every y that does.

    `status` is 0 where all is well (`qtd.Status`).
    """

    populations: Float[Array, "n points"]
    response: Float[Array, "n n points"]
    status: Int[Array, " points"]

    def __init__(self, rates: Float[Array, "reservoirs n n points"]):
        self.populations, self.response = at_rest(settle(rates.sum(0)))
        known = lax.stop_gradient((rates, self.populations, self.response))
        bad, (_, p, response) = jnp.abs(known[0]).max((0, 1, 2)), known
        exists = jnp.isfinite(p).all(0) & jnp.isfinite(response).all((0, 1))
        self.status = first(
            (jnp.isinf(bad), Status.INFINITE_RATE),
            (jnp.isnan(bad), Status.INVALID_PARAMETER),  # illegal parameters make their rates NaN
            (~exists, Status.NO_UNIQUE_STEADY_STATE),
        )

    def flows(
        self, rates: Float[Array, "reservoirs n n points"], cyclic: Float[Array, "reservoirs n n"]
    ) -> Float[Array, "..."]:
        """Net jumps b -> a per time by reservoir, antisymmetric; 0 where a jump is part of no cycle
        (`cyclic` 0).

        Populations are right relative to themselves, flows where jumps nearly balance need not be:
        Newton steps take off what would pile up in the levels, rounding of what goes to and fro, so
        that what is left obeys Kirchhoff's law.
        """
        flows = _net(rates, self.populations)
        for _ in range(2):
            flows = flows - _net(rates, apply(self.response, flows.sum((0, 2))))
        return flows * cyclic[..., None]


def _net(rates, x):
    there = settle(rates * x[None, None])
    return there - there.swapaxes(1, 2)


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
    n = len(rates)
    levels = jnp.arange(n)[:, None]

    def eliminate(carry, _):
        rates, remains = carry
        out = rates.sum(0)
        hot = (levels == jnp.where(remains, out, -1).argmax(0)[None]).astype(rates.dtype)
        rate = (hot * out).sum(0)
        share = (rates * hot[None]).sum(1) / rate[None]
        into = (rates * hot[:, None]).sum(0)
        rates = rates + share[:, None] * into[None]
        kept = 1 - hot
        rates = (
            rates * (kept[:, None] * kept[None]) * (1 - jnp.eye(n, dtype=rates.dtype))[..., None]
        )
        return (rates, remains & (hot == 0)), (hot, share, into / rate[None], 1 / rate)

    start = rates, jnp.full(rates.shape[1:], True)
    (_, last), steps = lax.scan(eliminate, start, length=n - 1)

    def restore(carry, step):
        p, times = carry
        hot, share, gain, time = step
        p = p + hot * (gain * p).sum(0, keepdims=True)
        # Mean times in each level, from each level on, until the last one is reached.
        column = (times * share[None]).sum(1)
        row = (gain[:, None] * times).sum(0) + hot * (time + (gain * column).sum(0))[None]
        return (p, times + hot[:, None] * row[None] + column[:, None] * hot[None]), None

    start = last.astype(rates.dtype), jnp.zeros_like(rates)
    (p, times), _ = lax.scan(restore, start, steps, reverse=True)
    p = p / p.sum(0, keepdims=True)
    return p, p[:, None] * times.sum(0)[None] - times


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
