"""Rates over what they must stay below, from the traffic of jumps between levels."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .._numerics.batching import add, total
from .._numerics.special import carried
from ..reservoirs import AbstractReservoir
from .base import ENERGY, TEMPERATURE, WIDTH

__all__ = ["ratios"]

Jumps = tuple[Float[Array, " jumps"], Float[Array, " jumps"], Float[Array, " jumps"]]


def ratios(
    reservoirs: Mapping[str, AbstractReservoir], jumps: Mapping[str, Sequence[Jumps]]
) -> dict[tuple[str, str], Float[Array, ""]]:
    """`AbstractState.ratios` from the `jumps` of each of the `reservoirs`, in one or several
    groups: their traffic, the decay rates of the coherences of the levels that they join, and the
    energies that they carry."""
    found = {}
    for name, reservoir in reservoirs.items():
        if not jumps.get(name):
            continue
        traffic = add(total(each) for each, _, _ in jumps[name])
        decay = _mean(add(total(each * rate) for each, rate, _ in jumps[name]), traffic)
        bandwidth = reservoir.bandwidth()
        if bandwidth is not None:
            found[name, WIDTH] = decay / bandwidth
        if reservoir.statistics == "bose":
            weighted = add(total(each * _per(rate, gap)) for each, rate, gap in jumps[name])
            found[name, ENERGY] = _mean(weighted, traffic)
        elif reservoir.temperature is not None:
            frozen = reservoir.temperature == 0
            endless = carried(jnp.full_like(decay, jnp.inf), decay)
            warm = decay / jnp.where(frozen, 1.0, reservoir.temperature)
            found[name, TEMPERATURE] = jnp.where(frozen, endless, warm)
    return found


def _per(rate, gap):
    """A rate over the size of a gap; 0 where that is 0."""
    # In numbers: a choice between arrays would move the axis of a batch to the front.
    empty = (gap == 0).astype(gap.dtype)
    return rate * (1 - empty) / (jnp.abs(gap) + empty)


def _mean(weighted, weight):
    """A weighted sum over the weight, 0 where there is none."""
    # In units of the weight, which may be so small that its square, in derivatives, underflows.
    unit = lax.stop_gradient(jnp.where(weight == 0, 1.0, weight))
    share = jnp.where(weight == 0, 1.0, weight / unit)
    return weighted / unit / share
