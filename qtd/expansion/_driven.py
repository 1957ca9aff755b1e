"""What series, responses and turns of a driven network share."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics.batching import add
from .._numerics.quadrature import GAUSS, equal_shares
from .._numerics.validation import as_scalar
from ..networks import RateNetwork
from ._resting import at_rest

Network = Callable[[Float[Array, ""]], RateNetwork]


def precision(network):
    """The type of the numbers that a network is made of, of its angles and of all that is asked of
    it."""
    numbers = [x for x in jax.tree.leaves(network) if eqx.is_inexact_array(x)]
    return numbers[0].dtype if numbers else jnp.result_type(float)


def as_asked(network, value, name):
    """One number that is asked of a network."""
    return as_scalar(value, name).astype(precision(network))


def panel_edges(network, panels):
    """Edges of panels of a turn, shorter where rates and populations change."""
    return equal_shares(
        lambda angle: features(network, angle), jnp.asarray(2 * jnp.pi, precision(network)), panels
    )


def features(network, angle):
    """Logarithms of what changes with the angle: of rates up over rates down, of their sums, and of
    odds of the populations."""
    _, *rates = described(network, angle[None])
    topology = network(angle).topology
    ratios, sizes = [], []
    for i, diagonal in enumerate(topology.diagonals):
        up, down = (rate[diagonal.levels, 0] for rate in rates[2 * i : 2 * i + 2])
        ratios.append(_logarithm(up) - _logarithm(down))
        sizes.append(_logarithm(up + down))
    p, _ = at_rest(matrices(topology, [rate[None] for rate in rates])[0].sum(0))
    return jnp.concatenate([*ratios, (_logarithm(p) - _logarithm(1 - p))[:, 0]]), jnp.concatenate(
        sizes
    )


def _logarithm(x):
    return jnp.log(jnp.maximum(x, jnp.finfo(x.dtype).tiny))


def described(network, *points):
    """Energies in the order of elimination, and rates up and down each diagonal: (levels,
    points)."""

    def at(*point):
        found = network(*point)
        rates = [rate for jump in found.jumps() for rate in (jump.up, jump.down)]
        return (found.energies[found.topology.order], *rates)

    return jax.vmap(at, out_axes=-1)(*points)


# From here on the last axis of every array is that of the angles, or of other points that are
# worked on together.


def matrices(topology, rates):
    """Rates b -> a as matrices by reservoir, (terms, reservoirs, n, n, points), of `described`
    rates with an axis of terms in front."""
    n = topology.size
    found = {
        name: [jnp.zeros((len(rates[0]), n, n, rates[0].shape[-1]), rates[0].dtype)]
        for name in topology.names
    }
    for diagonal, up, down in zip(topology.diagonals, rates[::2], rates[1::2]):
        place = np.zeros((1, n, n, 1), bool)
        place[0, diagonal.levels, diagonal.lower[diagonal.levels]] = True
        found[diagonal.reservoir] += [
            jnp.where(place, up[:, :, None], 0),
            jnp.where(place.swapaxes(1, 2), down[:, None], 0),
        ]
    return jnp.stack([add(each) for each in found.values()], axis=1)


def cyclic(topology, dtype):
    """1 for jumps b -> a, by reservoir, that are part of a cycle: at rest nothing flows in the
    others."""
    kept = [
        topology.on_cycles(diagonal, jnp.ones(topology.size, dtype))[None, :, None]
        for diagonal in topology.diagonals
    ]
    return matrices(topology, [x for x in kept for _ in range(2)])[0, ..., 0]


def gained(rates, charge):
    """What leaves a reservoir from each level, of a charge of the levels: sum_a rates[a, b]
    (charge[a] - charge[b])."""
    return (rates * jnp.broadcast_to(charge[:, None] - charge[None], rates.shape)).sum(-3)


def integrals(values, weights, tails):
    """Integrals of (entries, points) arrays that belong together, and their largest estimated
    error, relative to the absolute values.

    Errors of panels are added up whatever their signs: on an orbit with a symmetry those of two
    halves cancel, and say nothing.
    """
    every = jnp.stack(values)
    size = jnp.abs(every) @ weights
    # What vanishes at every angle, such as leakage in equilibrium, is rounding: it has nothing to
    # resolve.
    size = jnp.maximum(size, jnp.finfo(size.dtype).eps ** 0.6 * size.max(0, keepdims=True))

    def panels(x):
        return x.reshape(*x.shape[:-1], -1, GAUSS)

    missed = jnp.einsum("qkps,tps->qkpt", panels(every), panels(tails))
    error = jnp.max(jnp.abs(missed).max(-1).sum(-1) / jnp.where(size > 0, size, 1))
    return every @ weights, error
