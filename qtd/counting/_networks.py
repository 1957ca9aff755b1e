"""Counting the jumps of a network: noise as a sum of squares, and cumulants of any order."""

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
    carries = np.ptp(state.network.topology.particles) > 0
    return Covariance(
        tuple(state.reservoirs), _rows(state, quantity), quantity != "heat" or not carries
    )


@series.register
def _(state: SteadyState, weights: Weights, order: int, quantity: str) -> Float[Array, " order"]:
    return _cumulants(state, _charges(state, weights, quantity), order)


def _rows(state, quantity):
    topology = state.network.topology
    charges = {
        name: {i: state.quanta(i, quantity) for i in topology.of(name)} for name in topology.names
    }
    gains = {name: _martingale(state, charges[name]) for name in topology.names}

    def entry(r, s):
        return add(total(a * x * y) for a, x, y in zip(state.activity, gains[r], gains[s]))

    return tuple(
        tuple(entry(r, s) for s in topology.names[i:]) for i, r in enumerate(topology.names)
    )


def _martingale(state, charges):
    """Increments by diagonal, what an upward jump adds to the charge counted, the surplus still to
    come included."""
    surplus = state.elimination.solve_transposed(-state.exit_weights(charges))
    return [
        surplus - lower + charges.get(i, 0.0)
        for i, lower in enumerate(state.network.topology.lower(surplus))
    ]


@compiled
def _cumulants(state, charges, order):
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
