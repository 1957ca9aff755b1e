"""What can be asked of a master equation with coherences, beyond its jumps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._numerics.batching import add
from .._numerics.findings import Checks, Finding, Severity, rated
from ..counting import covariance
from ..lindblad import Lindbladian
from ..steady import CoherentSteadyState, solve
from . import _networks
from ._jumps import tabulated


def lindbladian_checks(state: CoherentSteadyState) -> Checks:
    """By topic, for a master equation at rest. Its reservoirs are checked through the jumps that are left without coherences."""
    lindbladian = state.lindbladian
    approach = lindbladian.structure.approach

    def jumps():
        return tabulated(solve(lindbladian.network()))

    def weak():
        known = jumps()
        found = _networks.weak_coupling(known, state.reservoirs)
        return _networks.advised([*found, *_networks.secular(known)]) if approach == "global" else found

    return {
        "detailed balance": lambda: _networks.detailed_balance(jumps(), state.reservoirs),
        "weak coupling": weak,
        "steady state": lambda: relaxation(state),
        "positivity": lambda: positivity(state),
        "kinetic uncertainty": lambda: kinetic_uncertainty(state),
    }


def relaxation(state: CoherentSteadyState) -> list[Finding]:
    """The slowest mode of what is kept of the state, from the inverse of the generator, in which it is the largest eigenvalue."""
    inverse = np.asarray(_inverse(state), float)
    precision = float(np.finfo(np.asarray(state.vector).dtype).eps)
    rate, _ = _networks.slowest(np.linalg.eigvals(inverse), precision)
    fastest = float(max(np.abs(np.asarray(part.rates)).max(initial=0) for part in state.dissipators.values()))
    numbers = {"rate": rate, "time": 1 / rate if rate else np.inf, "fastest": fastest}
    text = (
        f"There is one steady state. The slowest way to it has the rate {rate:.4g}, which is a time of {numbers['time']:.4g};"
        f" the fastest jump has the rate {fastest:.4g}."
    )
    if not rate > 0:
        text += " A mode that does not decay cannot be: the equation leaves the states, or rounding hides the decay."
        return [Finding(Severity.DOUBTFUL, "steady state", text, numbers)]
    return [Finding(rated(precision * fastest / rate, 1e-8, 1e-4), "steady state", text, numbers)]


@eqx.filter_jit
def _inverse(state):
    size, count = state.lindbladian.structure.size, len(state.vector)
    one = jnp.eye(count, dtype=state.vector.dtype)
    traces = (jnp.arange(count) < size).astype(one.dtype)  # populations come first
    return jax.vmap(state.elimination.solve, in_axes=1, out_axes=1)(one - state.vector[:, None] * traces[None])


def positivity(state: CoherentSteadyState) -> list[Finding]:
    """The smallest eigenvalue of the density matrix; and populations against rounding, which here is relative to the largest entry."""
    smallest, rounding = float(state.smallest_eigenvalue), 100 * float(np.finfo(np.asarray(state.vector).dtype).eps)
    numbers, form = {"smallest_eigenvalue": smallest}, state.lindbladian.structure.approach
    if smallest >= rounding:
        return [Finding(Severity.FINE, "positivity", f"The smallest probability in the steady state is {smallest:.3g}.", numbers)]
    if smallest >= -rounding:
        text = f"The smallest probability in the steady state, {smallest:.2g}, is below what rounding leaves of it."
        return [Finding(Severity.NOTE, "positivity", text, numbers)]
    text = f"The steady state has the negative probability {smallest:.3g}: the {form} equation does not hold here."
    return [Finding(rated(-smallest, rounding, rounding, 1e-3), "positivity", text, numbers)]


def kinetic_uncertainty(state: CoherentSteadyState) -> list[Finding]:
    """As for networks, where it is a theorem; here it is not."""
    activity = float(add(part.counted(state.vector, "energy", 0) for part in state.dissipators.values()))
    noise, products = covariance(state, "heat"), {}
    for name in state.reservoirs:
        current = float(state.current(name, "heat"))
        products[name] = float(noise[name, name]) * activity / current**2 if current else np.inf
    precision = float(np.finfo(np.asarray(state.vector).dtype).eps)
    return [_networks.kinetic_finding(products, activity, precision, is_theorem=False)]


def approaches(lindbladian: Lindbladian) -> dict[str, Lindbladian]:
    """The same device in the other approaches that there are for it."""
    found = {}
    for approach in ("local", "global", "redfield"):
        if approach != lindbladian.structure.approach:
            try:
                found[approach] = lindbladian.using(approach)
            except ValueError:  # local needs levels of its own
                continue
    return found
