"""What series, responses and turns of a driven network share."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics.batching import alike, at_every, settle
from .._numerics.linear_map import LinearMap
from .._numerics.quadrature import GAUSS, equal_shares
from .._numerics.validation import as_scalar, nonnegative
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
        lambda angles: features(network, angles),
        jnp.asarray(2 * jnp.pi, precision(network)),
        panels,
    )


def features(network, angles):
    """Logarithms of what changes with the angle: of rates up over rates down and of odds of the
    populations, and of sums of rates up and down."""
    _, up, down = described(network, angles)
    p, _ = at_rest(Jumps(network(angles[0]).topology).total(jnp.concatenate([up, down])))
    odds = [_logarithm(up) - _logarithm(down), _logarithm(p) - _logarithm(1 - p)]
    return jnp.concatenate(odds), _logarithm(up + down)


def _logarithm(x):
    return jnp.log(jnp.maximum(x, jnp.finfo(x.dtype).tiny))


# From here on the last axis of every array is that of the angles, or of other points that are
# worked on together.


def described(network, *points):
    """Energies in the order of elimination, (levels, points), and rates up and down of all jumps,
    (jumps, points), listed as in `Topology.ends`."""
    found = eqx.filter_vmap(network, out_axes=lambda x: -1 if eqx.is_inexact_array(x) else None)(
        *points
    )
    topology = found.topology
    energies, jumps = _chosen(found.energies, topology.order), Jumps(topology)
    up, down = _golden_rule(jumps, found.reservoirs, jumps.apart(energies))
    strengths = jnp.concatenate([nonnegative(found.strengths[name]) for name in topology.names])
    # A rate out of a level is a mean over its states.
    low, high = (jnp.asarray(1 / topology.degeneracies[x], up.dtype)[:, None] for x in jumps.ends)
    return energies, settle(up * (strengths * low)), settle(down * (strengths * high))


def _golden_rule(jumps, reservoirs, gaps):
    """Rates up and down for unit strengths, those of all reservoirs of a kind together."""
    of_each = [reservoirs[name] for name in jumps.names]
    exchange = [bool(np.any(jumps.particles[jumps.drivers == i])) for i in range(len(of_each))]
    places, rates = [], []
    for group in alike([*zip(of_each, exchange)]):
        rows = [np.flatnonzero(jumps.drivers == i) for i in group]
        numbers, rest = eqx.partition([of_each[i] for i in group], eqx.is_inexact_array)
        numbers = [at_every(x, len(row)) for x, row in zip(numbers, rows)]
        numbers = jax.tree.map(lambda *x: jnp.concatenate(x), *numbers)
        places.append(np.concatenate(rows))
        taken = jnp.asarray(jumps.particles[places[-1]], gaps.dtype)[:, None]
        taken = jnp.broadcast_to(taken, (len(taken), gaps.shape[1])) if exchange[group[0]] else None

        def of_jump(numbers, *exchanged, rest=rest[0]):
            return eqx.combine(numbers, rest).rates(*exchanged)

        # With the points last inside as well.
        some = _chosen(gaps, places[-1])
        rates.append(jax.vmap(jax.vmap(of_jump), -1, -1)(numbers, some, taken))
    order = np.argsort(np.concatenate(places))
    return (_chosen(jnp.concatenate(x), order) for x in zip(*rates))


def _chosen(x, rows):
    """Rows of x; x itself where these are all, in order, which a compiler would not see."""
    return x if np.array_equal(rows, np.arange(len(x))) else x[rows]


class Jumps:
    """Linear maps between the levels of a network and its jumps, listed as in `Topology.ends`.

    `low`, `high`: of levels, values at either end of the jumps; `apart`: their difference, upper
    minus lower; `brought`: of flows lower -> upper, what they bring to each level; `taken`: their
    sums over the jumps of each reservoir; `total`: of rates up and down, one after the other, those
    b -> a, (levels, levels), and `matrices`, the same by reservoir. `cyclic`: 1 for jumps that are
    part of a cycle; at rest nothing flows in the others.
    """

    def __init__(self, topology):
        self.topology, self.ends = topology, topology.ends
        self.names, self.drivers = topology.names, topology.drivers
        one, driven = np.eye(topology.size), np.eye(len(self.names))[self.drivers]
        lower, upper = (one[each] for each in self.ends)
        up = upper[:, :, None] * lower[:, None]
        moved = np.concatenate([up, up.swapaxes(1, 2)]).transpose(1, 2, 0)
        by_driver = np.tile(driven, (2, 1)).T[:, None, None]
        maps = (lower, upper, upper - lower, (upper - lower).T, driven.T, moved)
        self.low, self.high, self.apart, self.brought, self.taken, self.total = (
            LinearMap(each, written_out=True) for each in maps
        )
        self.matrices = LinearMap(by_driver * moved)
        self.particles = topology.particles[self.ends[1]] - topology.particles[self.ends[0]]
        self.cyclic = topology.cyclic

    def flows(self, up, down, x):
        """Net jumps lower -> upper per time, (jumps, ..., points), of populations (levels, ...,
        points)."""
        return settle(up * self.low(x) - down * self.high(x))

    def __hash__(self):
        return hash(self.topology)

    def __eq__(self, other):
        return isinstance(other, Jumps) and self.topology == other.topology


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

    def panels(x):
        return x.reshape(*x.shape[:-1], -1, GAUSS)

    missed = jnp.einsum("qkps,tps->qkpt", panels(every), panels(tails))
    return every @ weights, _largest(jnp.abs(missed).max(-1).sum(-1), jnp.abs(every) @ weights)


def even_integrals(values):
    """The same at evenly spaced angles of a turn, where sums converge exponentially: every other
    angle misses the first harmonics that alias, all of them as much squared."""
    every = jnp.stack(values)
    # From the signs that alternate, so that nothing cancels.
    signs = jnp.asarray(1 - 2 * (np.arange(every.shape[-1]) % 2), every.dtype)
    step = 2 * jnp.pi / every.shape[-1]
    missed = _largest(jnp.abs(every @ signs), jnp.abs(every).sum(-1))
    return every.sum(-1) * step, missed**2


def _largest(missed, size):
    """The largest error relative to the absolute values."""
    # What vanishes at every angle, such as leakage in equilibrium, is rounding: it has nothing to
    # resolve.
    size = jnp.maximum(size, jnp.finfo(size.dtype).eps ** 0.6 * size.max(0, keepdims=True))
    return jnp.max(missed / jnp.where(size > 0, size, 1))
