"""Counting the quanta of a master equation, from the response of its state to what has been
counted."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from .._numerics.batching import add, follow, settle
from .._numerics.compilation import compiled
from .._numerics.validation import as_scalar
from ..limits import FIRST_ORDER
from ..steady import CoherentSteadyState, WideSteadyState
from ._expansion import expand
from ._fronts import Covariance, Weights, check_known, noise, series

Rows = tuple[tuple[Float[Array, ""], ...], ...]


@noise.register
def _(state: CoherentSteadyState, quantity: str) -> Covariance:
    return _covariance(state, quantity, responses)


@noise.register
def _(state: WideSteadyState, quantity: str) -> Covariance:
    # Iterations of all reservoirs are one program.
    return _covariance(state, quantity, together)


def _covariance(state, quantity, respond):
    # Quanta of a local equation need not add up to what the device takes.
    approach = state.lindbladian.structure.approach
    passes_on = approach == "global" and quantity in ("energy", "particles")
    # A Redfield equation is the second order of a theory: what that is off by by a tenth is
    # doubtful, and by more it is none.
    share = FIRST_ORDER.doubtful if approach == "redfield" else 1e-6
    names = tuple(state.reservoirs)
    return Covariance(names, rows(state, names, quantity, share, respond), passes_on)


@series.register
def _(
    state: CoherentSteadyState | WideSteadyState, weights: Weights, order: int, quantity: str
) -> Float[Array, " order"]:
    return coherent_cumulants(
        state, named(state, weights), state.lindbladian.structure.trace, order, quantity
    )


def responses(elimination: Any, drift: dict[str, Array]) -> dict[str, Array]:
    """What each drift, by name, leads to, by the factors of an `elimination`."""
    return {name: settle(elimination.solve(settle(each))) for name, each in drift.items()}


def together(elimination: Any, drift: dict[str, Array]) -> dict[str, Array]:
    """`responses` by an `elimination` that takes long to be compiled, to each `drift`, in one
    batch."""
    found = jax.vmap(elimination.solve)(jnp.stack(list(drift.values())))
    return dict(zip(drift, found))


def rows(
    state,
    names: tuple[str, ...],
    quantity: str,
    share: float,
    respond: Callable[[Any, dict[str, Array]], dict[str, Array]] = responses,
) -> Rows:
    """S_rs = Tr[J2_r rho] (r = s) + Tr[J1_r x_s] + Tr[J1_s x_r] with M x_s = (I_s - J1_s) rho, Jk_r
    the jumps weighed with quantum^k.

    Of a state whose `dissipators` jump and count, between reservoirs of these `names`; `share`, by
    which a covariance may exceed what the variances allow; `respond`: how responses are solved for.
    """
    parts, vector = state.dissipators, state.vector
    currents = {name: state.current(name, quantity) for name in names}
    drift = {
        name: _scaled(vector, currents[name]) - parts[name].jump(vector, quantity, 1)
        for name in names
    }
    response = respond(state.elimination, drift)

    allowed = max(share, 1e4 * float(jnp.finfo(vector.dtype).eps))

    def crossed(r, s):
        return parts[r].counted(response[s], quantity, 1) + parts[s].counted(
            response[r], quantity, 1
        )

    own = {name: parts[name].counted(vector, quantity, 2) for name in names}
    variances = {name: _possible(crossed(name, name) + own[name], own[name]) for name in names}

    def entry(r, s):
        if r == s:
            return variances[r]
        mixed, largest = crossed(r, s), jnp.sqrt(jnp.maximum(variances[r] * variances[s], 0))
        return mixed + jnp.where(
            lax.stop_gradient(jnp.abs(mixed) <= (1 + allowed) * largest), 0.0, jnp.nan
        )

    return tuple(tuple(entry(r, s) for s in names[i:]) for i, r in enumerate(names))


def _possible(variance: Float[Array, ""], gross: Float[Array, ""]) -> Float[Array, ""]:
    """A `variance`, NaN where it is negative by more than rounding of the `gross` noise, of
    independent jumps, that it is a part of."""
    rounding = 1e4 * float(jnp.finfo(variance.dtype).eps)
    return variance + jnp.where(
        lax.stop_gradient(variance) < -rounding * jnp.abs(lax.stop_gradient(gross)), jnp.nan, 0.0
    )


def _scaled(vector, factor):
    """A vector times a number, the batch kept last."""
    return vector * follow(jnp.broadcast_to(factor, vector.shape), vector)


def named(state, weights: Weights) -> dict[str, ArrayLike]:
    """Factors by the names of reservoirs of a `state`."""
    factors: dict[str, ArrayLike] = {weights: 1.0} if isinstance(weights, str) else dict(weights)
    for name in factors:
        check_known(state.reservoirs, name)
    return factors


@compiled
def coherent_cumulants(
    state, factors: dict[str, ArrayLike], trace: Callable[[Array], Array], order: int, quantity: str
) -> Float[Array, " order"]:
    """`cumulants` of a state whose `dissipators` jump and count; `trace`: of a vector such as its
    own."""

    def one(factor):
        return as_scalar(factor, "weights").astype(state.vector.dtype)

    def tilt(k, x):
        return add(
            one(factor) ** k * state.dissipators[name].jump(x, quantity, k)
            for name, factor in factors.items()
        )

    mean = add(one(factor) * state.current(name, quantity) for name, factor in factors.items())
    found = expand(state.vector, mean, tilt, trace, state.elimination.solve, order)
    if order == 1:
        return found
    gross = trace(tilt(2, state.vector))
    return found.at[1:].add(0 * _possible(found[1], gross))
