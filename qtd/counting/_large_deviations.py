"""The generating function of what a network exchanges, and how rare a current is."""

import functools
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from .._numerics.batching import add
from .._numerics.compilation import compiled
from .._numerics.elimination import AbsorbingElimination
from .._numerics.ladders import shift
from .._numerics.validation import as_scalar, check
from ..networks import RateNetwork
from ..steady import SteadyState, solve, stationary
from ..systems.base import AbstractState
from ._fronts import unknown
from ._networks import known


def generating_function(
    network: RateNetwork, fields: Mapping[str, ArrayLike], quantity: str = "energy"
) -> Float[Array, ""]:
    r"""The scaled cumulant generating function, lambda(chi) = lim ln <exp(sum_r chi_r Q_r)> / t.

    It is the largest eigenvalue of the generator of `network` (or of its steady state) whose jumps
    are weighed with exp(chi_r q), q their `quantity`: "energy", "particles" or "heat". `fields`
    maps reservoirs to real counting fields chi (those left out are 0), in units of one over the
    `quantity`. lambda(0) = 0; its derivatives there are the cumulants; the fluctuation theorem
    reads lambda(chi_r) = lambda(1/T_r - chi_r) for energy. Found by Noda's iteration on M-matrices
    (no subtractions, quadratic convergence) and differentiable to second order, by every mode.

    It is right to some roundings of the fastest flow that matters, about 1e-15 of it: small values
    among rates that lie ten decades apart keep few digits.
    """
    if not isinstance(fields, Mapping):
        raise ValueError(
            '`fields` must map reservoirs to counting fields, as in {"cold": 0.1}, got'
            f" {fields!r}."
        )
    fields = {name: as_scalar(chi, f"fields of {name!r}") for name, chi in fields.items()}
    for name, chi in fields.items():
        check(f"fields of {name!r}", chi, "any")
    return _tilted(solve(network), fields, quantity)[0]


class LargeDeviations(eqx.Module):
    """Rate function of a current in parametric form: P(Q/t = current) ~ exp(-t rate), traced out by
    the counting field.

    `fields` chi; `generating_function` lambda(chi); `currents` lambda'(chi), rising with chi.
    """

    fields: Float[Array, " points"]
    generating_function: Float[Array, " points"]
    currents: Float[Array, " points"]

    @property
    def rates(self) -> Float[Array, " points"]:
        """I(j) = chi j - lambda(chi) >= 0, zero at the mean current."""
        return self.fields * self.currents - self.generating_function


def large_deviations(
    network: RateNetwork, reservoir: str, fields: ArrayLike, quantity: str = "energy"
) -> LargeDeviations:
    r"""Legendre transform of the generating function of one reservoir: currents j = lambda'(chi),
    rates I(j) = chi j - lambda(chi).

    - `reservoir`: its name in the `network`; the `quantity`, "energy", "particles" or "heat", is
      counted positive out of it.
    - `fields`: (points,) values of chi; the current grows with chi and takes its mean at chi = 0.

    Each j is the mean current of the network conditioned on it (its Doob transform), so nothing is
    differentiated numerically.

    Of electrons through one level at large bias and equal rates, lambda = exp(chi / 2) - 1:

    >>> lead = lambda mu: qtd.Reservoir(
    ...     1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0)
    ... )
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork(
    ...     [0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1]
    ... )
    >>> found = qtd.counting.large_deviations(dot, "left", [-1.0, 0.0, 1.0], "particles")
    >>> print(found.currents.round(4), found.rates.round(4))
    [0.3033 0.5    0.8244] [0.0902 0.     0.1756]
    """
    return _deviations(
        solve(network),
        known(network, reservoir),
        jnp.asarray(fields, network.energies.dtype),
        quantity,
    )


@compiled
def _deviations(state, reservoir, fields, quantity):
    index = state.network.topology.names.index(reservoir)
    values, currents = jax.vmap(lambda chi: tilted(state, {reservoir: chi}, quantity))(fields)
    return LargeDeviations(fields, values, currents[:, index])


@compiled
def _tilted(state, fields, quantity):
    return tilted(state, fields, quantity)


@functools.singledispatch
def tilted(
    state: AbstractState, fields: Mapping[str, ArrayLike], quantity: str
) -> tuple[Float[Array, ""], Float[Array, " reservoirs"]]:
    """lambda(chi), and the current of each reservoir in the system conditioned by these fields.
    Kinds of state register how."""
    raise ValueError(f"{unknown(state)}: ask a network.")


@tilted.register
def _(
    state: SteadyState, fields: Mapping[str, ArrayLike], quantity: str
) -> tuple[Float[Array, ""], Float[Array, " reservoirs"]]:
    network, topology = state.network, state.network.topology
    quanta = [state.quanta(i, quantity) for i in range(len(topology.diagonals))]
    fields = {
        known(network, name): jnp.asarray(chi, network.energies.dtype)
        for name, chi in fields.items()
    }
    growth = [
        fields.get(diagonal.reservoir, 0.0) * q for diagonal, q in zip(topology.diagonals, quanta)
    ]
    logarithm = _left_vector(topology, *lax.stop_gradient((state.rates, growth)))
    rates, _, ratio = _conditioned(topology, state.rates, growth, logarithm)
    generator, populations, flows, *_ = stationary(topology, rates)
    value = lax.stop_gradient(ratio @ populations)
    # With the left vector frozen, ratio - value is a perturbation that is zero in value; one turn
    # of second-order perturbation theory around the conditioned generator makes the first two
    # derivatives right.
    shift = (ratio - value) @ populations
    second = generator.solve((shift - (ratio - value)) * populations)

    def parts(name):
        return [jnp.sum(quanta[i] * flows[i]) for i in topology.of(name)]

    currents = jnp.stack([sum(parts(name), jnp.zeros_like(value)) for name in topology.names])
    return value + (ratio - value) @ (populations + second), currents


def _conditioned(topology, rates, growth, logarithm):
    """Rates weighed with exp(chi q) and with the ratio of the left vector l across the jump, by
    jump and as a band; and, level by level, what l times the weighed generator is in units of l:
    the eigenvalue, everywhere, once l is its left vector."""
    weighed = []
    for (up, down), exponent, lower in zip(rates, growth, topology.lower(logarithm)):
        exponent = jnp.where(up > 0, exponent + logarithm - lower, 0)
        weighed.append((up * jnp.exp(exponent), down * jnp.exp(-exponent)))
    bands = [topology.band(values) for values in zip(*weighed)]
    return (
        weighed,
        bands,
        _exits(*bands) - _exits(*(topology.band(values) for values in zip(*rates))),
    )


def _left_vector(topology, rates, growth):
    """Logarithm of the left vector of the largest eigenvalue, by Noda's iteration; NaN if 100 turns
    are not enough."""

    def improve(carry):
        count, logarithm, spread, _ = carry
        _, bands, ratio = _conditioned(topology, rates, growth, logarithm)
        bound = ratio.max()
        rounding = jnp.finfo(ratio.dtype).eps * jnp.abs(add(bands[1].values())).max()
        growth_left = AbsorbingElimination(
            bands[0], bands[1], bound - ratio + rounding
        ).solve_transposed(jnp.ones_like(ratio))
        logarithm = logarithm + jnp.log(growth_left / growth_left[0])
        return count + 1, logarithm, growth_left.max() / growth_left.min() - 1, spread

    def unfinished(carry):
        count, _, spread, before = carry
        has_settled = (spread < close) & (spread >= before)  # what is left is rounding
        return (count < 100) & ~(spread <= tolerance) & ~has_settled

    flat = jnp.zeros_like(rates[0][0])
    eps, endless = jnp.finfo(flat.dtype).eps, jnp.asarray(jnp.inf, flat.dtype)
    # The eigenvalue's error is of second order in that of the vector. Where rates lie far apart,
    # the rounding of the fastest keeps the vector among the slowest levels from settling further
    # than some roots of eps, which is enough.
    tolerance = 16 * topology.size * eps
    close = eps**0.4
    _, logarithm, spread, _ = lax.while_loop(unfinished, improve, (0, flat, endless, endless))
    return jnp.where(spread < close, logarithm, jnp.nan)


def _exits(up, down):
    """Rate out of each level of a band generator."""
    return add(shift(up[d], -d) + down[d] for d in up)
