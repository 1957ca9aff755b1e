"""Scalar functions that stay finite and accurate, derivatives included, in the limits physics
needs."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from .jax_internals.primitives import instantiate_zeros, primitive

# Coefficients B_2k / (2k)! of x / (exp(x) - 1) = 1 - x/2 + sum_k B_2k x^2k / (2k)!; with these, the
# truncation error is below 1e-17 up to where the closed form takes over, which is no round number:
# at that very point both would count half.
_BERNOULLI = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
    1 / 74724249600,
)
_CLOSED_FROM = 0.4931


@jax.custom_jvp
def bose_weights(
    x: Float[Array, "*batch"],
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """`(x n(x), x (1 + n(x)))` with n = 1/(exp(x) - 1): the weights of absorption and of emission,
    for any sign of x.

    Both are positive, tend to 1 at x = 0 where n diverges, and satisfy detailed balance, ratio
    exp(-x). The smaller one is accurate relative to itself down to underflow.
    """
    small, _ = _small_weight_and_slope(jnp.abs(x))
    return small + jnp.maximum(-x, 0), small + jnp.maximum(x, 0)


@bose_weights.defjvp
def _bose_weights_jvp(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    positive = x >= 0
    small, slope = _small_weight_and_slope(jnp.where(positive, x, -x))
    # The derivative of the smaller weight is never formed as a difference, so it is accurate
    # relative to itself too.
    absorption = jnp.where(positive, slope, -1 - slope)
    emission = jnp.where(positive, 1 + slope, -slope)
    return (small + jnp.maximum(-x, 0), small + jnp.maximum(x, 0)), (
        absorption * x_dot,
        emission * x_dot,
    )


def _small_weight_and_slope(x):
    """x / (exp(x) - 1) and its derivative, for x >= 0."""
    # Each branch is evaluated at a point where it is good, or the gradient of the one not taken
    # could be NaN.
    y, z = jnp.minimum(x, _CLOSED_FROM), jnp.maximum(x, _CLOSED_FROM)
    square = y * y
    tail = _BERNOULLI[-1] * square + _BERNOULLI[-2]
    for coefficient in reversed(_BERNOULLI[:-2]):
        tail = tail * square + coefficient
    boltzmann = jnp.exp(-z)
    closed = z * boltzmann / (1 - boltzmann)
    is_small = x < _CLOSED_FROM
    weight = jnp.where(is_small, 1 - y / 2 + square * tail, closed)
    return weight, weight * jnp.where(is_small, -0.5 - y * tail, (1 - z - closed) / z)


def bosons(x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """1 / (exp(x) - 1) for x > 0, which nothing overflows in."""
    return jnp.exp(-x) / -jnp.expm1(-x)


def net_flow(
    forward: Float[Array, ""], backward: Float[Array, ""], affinity: Float[Array, ""]
) -> Float[Array, ""]:
    """`forward` - `backward` of two flows whose ratio is exp(`affinity`): from the larger one, so
    that nothing cancels or overflows."""
    falls = affinity > 0
    return jnp.where(
        falls,
        forward * -jnp.expm1(-jnp.where(falls, affinity, 0.0)),
        backward * jnp.expm1(jnp.where(falls, 0.0, affinity)),
    )


def decay_over(x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """(1 - exp(-x)) / x for x >= 0, 1 at x = 0."""
    is_small = x < 1e-5
    safe = jnp.where(is_small, 1.0, x)
    return jnp.where(is_small, 1 - x * (1 / 2 - x / 6), -jnp.expm1(-safe) / safe)


def occupied(x: Float[Array, "*batch"]) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """`(f, 1 - f)` with the Fermi function f = 1 / (exp(x) + 1), both accurate relative to
    themselves, from one exponential and one quotient."""
    return tuple(_occupied(x))


def _rare_and_common(x):
    above = x > 0
    small = jnp.exp(jnp.where(above, -x, x))
    common = 1 / (1 + small)
    rare = small * common
    return [jnp.where(above, rare, common), jnp.where(above, common, rare)]


def _occupied_jvp(primals, tangents):
    """Both move by f (1 - f), which is accurate relative to itself."""
    filled, empty = _occupied(*primals)
    change = filled * empty * instantiate_zeros(tangents[0])
    return [filled, empty], [-change, change]


# A step of its own, so that Taylor arithmetic finds both series together.
_occupied = primitive(
    "occupied",
    _rare_and_common,
    lambda x: [x, x],
    jvp=_occupied_jvp,
    several=True,
    eager=jax.jit(_rare_and_common),
)


@jax.custom_jvp
def carried(x: Float[Array, "*batch"], flow: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """x * `flow`, where x may be infinite or, where nothing flows, no number: then it is 0.

    Where x is infinite its derivatives by the flow are as large as the square root of the largest
    number: infinity itself times the 0 that other parameters move the flow by would be no number.
    """
    flows = flow != 0
    return jnp.where(flows, jnp.where(flows, x, 0.0) * flow, 0.0)


@carried.defjvp
def _carried_jvp(primals, tangents):
    (x, flow), (x_dot, flow_dot) = primals, tangents
    bounded = jnp.clip(jnp.where(jnp.isnan(x), 0.0, x), -endless(x), endless(x))
    return carried(x, flow), bounded * flow_dot + flow * x_dot


def nothing_where(
    is_nothing: Bool[Array, "*batch"], x: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """x, 0 where `is_nothing` is known of it, whatever rounding has left there; its derivatives
    stay."""
    return x - lax.stop_gradient(jnp.where(is_nothing, x, 0))


def endless(x: Float[Array, "*batch"]) -> float:
    """What stands for infinity in derivatives of x: it may be squared, and times 0 it is 0."""
    return float(jnp.finfo(x.dtype).max) ** 0.5
