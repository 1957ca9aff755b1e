"""What series, responses and turns of a driven network share."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics.quadrature import equal_shares
from .._numerics.validation import as_scalar
from ..networks import RateNetwork
from ..steady import solve

Network = Callable[[Float[Array, ""]], RateNetwork]


def precision(network):
    """The type of the numbers that a network is made of, of its angles and of all that is asked of it."""
    numbers = [x for x in jax.tree.leaves(network) if eqx.is_inexact_array(x)]
    return numbers[0].dtype if numbers else jnp.result_type(float)


def as_asked(network, value, name):
    """One number that is asked of a network."""
    return as_scalar(value, name).astype(precision(network))


def panel_edges(network, panels):
    """Edges of panels of a turn, shorter where rates and populations change."""
    return equal_shares(lambda angle: features(network, angle), jnp.asarray(2 * jnp.pi, precision(network)), panels)


def features(network, angle):
    """Logarithms of what changes with the angle: of rates up over rates down, of their sums, and of odds of the populations."""
    state = solve(network(angle))
    ratios, sizes = [], []
    for diagonal, jump in zip(state.network.topology.diagonals, state.jumps):
        up, down = jump.up[diagonal.levels], jump.down[diagonal.levels]
        ratios.append(jnp.log(up) - jnp.log(down))
        sizes.append(jnp.log(up + down))
    p = state.populations
    return jnp.concatenate([*ratios, jnp.log(p) - jnp.log1p(-p)]), jnp.concatenate(sizes)


def described(network):
    """Energies in the order of elimination, and rates up and down each diagonal."""
    rates = [rate for jump in network.jumps() for rate in (jump.up, jump.down)]
    return (network.energies[network.topology.order], *rates)


def matrices(topology, rates):
    """Rates b -> a as matrices by reservoir, of rates as in `described` with one more axis in front, which stays there."""
    n, names = topology.size, topology.names
    found = jnp.zeros((len(rates[0]), len(names), n, n), rates[0].dtype)
    for i, diagonal in enumerate(topology.diagonals):
        r, levels = names.index(diagonal.reservoir), diagonal.levels
        lower = diagonal.lower[levels]
        found = found.at[:, r, levels, lower].add(rates[2 * i][:, levels])
        found = found.at[:, r, lower, levels].add(rates[2 * i + 1][:, levels])
    return found


def generator(rates):
    """The generator, or a term of its expansion, of rates b -> a: its columns add up to nothing."""
    return rates - jnp.einsum("...ab,bc->...bc", rates, jnp.eye(rates.shape[-1], dtype=rates.dtype))


def gained(rates, charge):
    """What leaves a reservoir from each level, of a charge of the levels: sum_a rates[a, b] (charge[a] - charge[b])."""
    return jnp.einsum("...ab,ab->...b", rates, charge[:, None] - charge[None])


def integrals(values, weights, tails):
    """Integrals of (points, entries) arrays that belong together, and their largest estimated error, relative to the absolute values."""
    every = jnp.stack(values)
    size = jnp.einsum("p,qpk->qk", weights, jnp.abs(every))
    # What vanishes at every angle, such as leakage in equilibrium, is rounding: it has nothing to resolve.
    size = jnp.maximum(size, jnp.finfo(size.dtype).eps ** 0.6 * size.max(0, keepdims=True))
    error = jnp.max(jnp.abs(jnp.einsum("p,qpk->qk", tails, every)) / jnp.where(size > 0, size, 1))
    return jnp.einsum("p,qpk->qk", weights, every), error
