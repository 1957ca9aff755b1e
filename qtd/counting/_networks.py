"""Counting the jumps of a network: noise as a sum of squares, and cumulants of any order."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics.batching import add, total
from .._numerics.compilation import compiled
from ..steady import SteadyState
from ._expansion import expand
from ._fronts import Covariance, Weights, check_known, noise, series


@noise.register
def _(state: SteadyState, quantity: str) -> Covariance:
    topology = state.network.topology
    carries = np.ptp(topology.particles) > 0
    charges = {
        name: {i: state.quanta(i, quantity) for i in topology.of(name)} for name in topology.names
    }
    found = rows(state, charges)
    return Covariance(topology.names, found, quantity != "heat" or not carries)


@series.register
def _(state: SteadyState, weights: Weights, order: int, quantity: str) -> Float[Array, " order"]:
    return network_cumulants(state, _charges(state, weights, quantity), order)


def rows(
    state: SteadyState, charges: Mapping[str, Mapping[int, Float[Array, " levels"]]]
) -> tuple[tuple[Float[Array, ""], ...], ...]:
    """Covariances of the currents of `charges`, what upward jumps carry, by name and diagonal, of a
    network at rest, `state`: the rows of a `Covariance`."""
    names = list(charges)
    gains = {name: _martingale(state, charges[name]) for name in names}

    def entry(r, s):
        return add(total(a * x * y) for a, x, y in zip(state.activity, gains[r], gains[s]))

    return tuple(tuple(entry(r, s) for s in names[i:]) for i, r in enumerate(names))


def _martingale(state, charges):
    """Increments by diagonal, what an upward jump adds to the charge counted, the surplus still to
    come included."""
    surplus = state.elimination.solve_transposed(-state.exit_weights(charges))
    return [
        surplus - lower + charges.get(i, 0.0)
        for i, lower in enumerate(state.network.topology.lower(surplus))
    ]


@compiled
def network_cumulants(
    state: SteadyState, charges: Mapping[int, Float[Array, " levels"]], order: int
) -> Float[Array, " order"]:
    """Scaled cumulants, up to `order`, of the current of `charges`, what upward jumps carry, by
    diagonal, of a network at rest, `state`."""
    mean = sum(jnp.sum(charge * state.flows[i]) for i, charge in charges.items())
    # A charge that only passes through, however large, is no part of the surplus: without it no
    # digits are lost to it.
    charges = dict(enumerate(_martingale(state, charges)))
    return expand(
        state.populations,
        mean,
        lambda k, x: _tilt(state, charges, k, x),
        jnp.sum,
        state.elimination.solve,
        order,
    )


def _charges(state, weights, quantity):
    """What is counted in each upward jump, by diagonal, of the reservoirs that count."""
    charges = {}
    network = state.network
    topology = state.network.topology
    for name, factor in ({weights: 1.0} if isinstance(weights, str) else weights).items():
        factor = jnp.asarray(factor, network.energies.dtype)
        if factor.ndim and factor.shape != network.strengths[known(network, name)].shape:
            raise ValueError(
                f"`weights` of {name!r} must be a number or one for each of its jumps, got shape"
                f" {factor.shape}."
            )
        for i in topology.of(known(network, name)):
            quanta = state.quanta(i, quantity)
            charges[i] = quanta * (
                network.per_jump(topology.diagonals[i], factor) if factor.ndim else factor
            )
    return charges


def _tilt(state, charges, power, vector):
    """W_k v: the jumps of the generator, each weighed with the k-th power of its charge, applied to
    a vector."""
    topology = state.network.topology
    lower = topology.lower(vector)
    upwards = sum(state.jumps[i].up * charge**power * lower[i] for i, charge in charges.items())
    return upwards + topology.hand_down(
        {i: state.jumps[i].down * (-charge) ** power * vector for i, charge in charges.items()}
    )


def known(network, name):
    """The name of one of its reservoirs."""
    check_known(network.topology.names, name)
    return name
