"""What can be asked of a master equation with coherences, beyond its jumps."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse.linalg import LinearOperator, eigs

from .._numerics.batching import add
from .._numerics.compilation import compiled
from ..counting import covariance
from ..findings import Checks, Finding, Severity
from ..jumps import JumpSteadyState
from ..limits import DIGITS, NEGATIVE, NOTHING, Limits
from ..lindblad import Lindbladian
from ..steady import CoherentSteadyState, WideSteadyState, solve
from . import _networks
from ._coupling import advised, secular, weak_coupling
from ._jumps import tabulated
from ._local import equal_temperatures
from ._systems import checks_of, other_approaches


@checks_of.register
def _(lindbladian: Lindbladian) -> Checks:
    """Its reservoirs are checked through the jumps that are left without coherences."""
    state = solve(lindbladian)
    approach = lindbladian.structure.approach

    def jumps():
        return tabulated(solve(lindbladian.network()))

    def weak():
        known = jumps()
        found = weak_coupling(known, state.reservoirs)
        if approach == "global":
            found = advised([*found, *secular(known)])
        return found

    return {
        "detailed balance": lambda: _networks.detailed_balance(jumps(), state.reservoirs),
        "weak coupling": weak,
        "steady state": lambda: relaxation(state, slow_modes(state, lindbladian.structure.size)),
        "positivity": lambda: positivity(state),
        "kinetic uncertainty": lambda: kinetic_uncertainty(state),
        **(equal_temperatures(lindbladian) if approach == "local" else {}),
    }


@functools.singledispatch
def slow_modes(state: CoherentSteadyState | JumpSteadyState, levels: int) -> np.ndarray:
    """Eigenvalues of the inverse of the generator of a `state`, in which slow modes are the largest
    ones; `levels`: how many numbers add up to the trace, the first ones."""
    return np.linalg.eigvals(np.asarray(_inverse(state, levels), float))


@slow_modes.register
def _(state: WideSteadyState, levels: int) -> np.ndarray:
    at_rest = np.asarray(state.vector, float)

    def apply(y):
        y = y.reshape(at_rest.shape)
        y = y - at_rest * np.trace(y, axis1=1, axis2=2).sum()
        return np.asarray(_response(state, jnp.asarray(y, state.vector.dtype)), float).ravel()

    shape = at_rest.size, at_rest.size
    operator = LinearOperator(shape, matvec=apply, dtype=float)  # pyright: ignore[reportCallIssue]
    # From the same place, so that an audit says the same twice.
    start = np.random.default_rng(0).normal(size=at_rest.size)
    found: Any = eigs(operator, k=1, which="LM", v0=start)
    return found[0]


@compiled
def _response(state, y):
    return state.elimination.value(y)


def relaxation(
    state: CoherentSteadyState | WideSteadyState | JumpSteadyState, modes: np.ndarray
) -> list[Finding]:
    """The slowest way to a `state`, by the `slow_modes` of its generator."""
    precision = float(np.finfo(np.asarray(state.vector).dtype).eps)
    rate, _ = _networks.slowest(modes, precision)
    fastest = float(
        max(np.abs(np.asarray(part.rates)).max(initial=0) for part in state.dissipators.values())
    )
    time = 1 / rate if rate else np.inf
    text = (
        f"There is one steady state. The slowest way to it has the rate {rate:.4g}, which is a time"
        f" of {time:.4g};"
        f" the fastest jump has the rate {fastest:.4g}."
    )
    severity = DIGITS.rate(precision * fastest * time)
    if not rate > 0:
        severity = Severity.DOUBTFUL
        text += (
            " A mode that does not decay cannot be: the equation leaves the states, or"
            " rounding"
            " hides the decay."
        )
    return [
        Finding(
            severity,
            "steady state",
            text,
            {"rate": rate, "time": time, "fastest": fastest},
            "relaxation",
            time,
        )
    ]


@compiled
def _inverse(state, levels):
    count = len(state.vector)
    one = jnp.eye(count, dtype=state.vector.dtype)
    traces = (jnp.arange(count) < levels).astype(one.dtype)
    return jax.vmap(state.elimination.solve, in_axes=1, out_axes=1)(
        one - state.vector[:, None] * traces[None]
    )


def positivity(state: CoherentSteadyState | WideSteadyState) -> list[Finding]:
    """The smallest eigenvalue of the density matrix; and populations against rounding, which here
    is relative to the largest entry."""
    return positive(
        float(state.smallest_eigenvalue), state.vector.dtype, state.lindbladian.structure.approach
    )


def positive(smallest: float, dtype: Any, approach: str) -> list[Finding]:
    """What the `smallest` eigenvalue of a density matrix of this `dtype` says of an equation of
    some `approach`."""
    rounding = NOTHING * float(np.finfo(dtype).eps)
    severity = Severity.FINE
    text = f"The smallest probability in the steady state is {smallest:.3g}."
    if smallest < rounding:
        severity = Severity.NOTE
        text = (
            f"The smallest probability in the steady state, {smallest:.2g}, is below what"
            " rounding leaves of it."
        )
    if smallest < -rounding:
        severity = Limits(rounding, rounding, NEGATIVE).rate(-smallest)
        text = (
            f"The steady state has the negative probability {smallest:.3g}: the {approach}"
            " equation does not hold here."
        )
    return [
        Finding(
            severity, "positivity", text, {"smallest_eigenvalue": smallest}, "smallest", -smallest
        )
    ]


def kinetic_uncertainty(state: CoherentSteadyState | WideSteadyState) -> list[Finding]:
    """The relation of networks, where it is a theorem; here it is not."""
    activity = float(
        add(part.counted(state.vector, "energy", 0) for part in state.dissipators.values())
    )
    noise, products = covariance(state, "heat"), {}
    for name in state.reservoirs:
        current = float(state.current(name, "heat"))
        products[name] = float(noise[name, name]) * activity / current**2 if current else np.inf
    precision = float(np.finfo(np.asarray(state.vector).dtype).eps)
    return [_networks.kinetic_finding(products, activity, precision, is_theorem=False)]


@other_approaches.register
def _(lindbladian: Lindbladian) -> dict[str, Lindbladian]:
    found = {}
    for approach in ("local", "global", "redfield"):
        if approach != lindbladian.structure.approach:
            try:
                found[approach] = lindbladian.using(approach)
            except ValueError:  # local needs levels of its own
                continue
    return found
