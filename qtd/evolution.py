"""Time: how a network relaxes, how far it is from rest, and how long one waits for a jump."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ._numerics.compilation import compiled
from ._numerics.elimination import AbsorbingElimination
from ._numerics.exponential import exponential, propagator
from ._numerics.roots import bisect
from ._numerics.validation import as_real, as_scalar, check, is_concrete
from .jumps import JumpLindbladian
from .lindblad import Lindbladian
from .networks import RateNetwork, rate_matrix
from .parameters import checked
from .steady import SteadyState, steady_state
from .systems.base import AbstractSystem

__all__ = [
    "mean_waiting_time",
    "relative_entropy",
    "relax",
    "relaxed",
    "thermalisation_time",
    "waiting_time_density",
]


@checked
def relax(system: AbstractSystem, state: ArrayLike, times: ArrayLike) -> Array:
    """What becomes of a `state` of `system` at the given times >= 0: populations of a network, or
    the density matrix of a Lindbladian.

    - Of a network: (times, levels), p(t) = exp(W t) p(0), in the order of `network.energies`. Exact
      at every time, whatever the stiffness: no step size and no tolerance. Cost O(levels^3 log t) a
      time, for up to about a thousand levels.
    - Of a Lindbladian: (times, d, d), in the basis of its operators, by the exponential of its
      generator L: errors are at most about 1e-15 (1 + |L| t) (1e-6 in float32), with no tolerance;
      the trace is kept to rounding. Cost O(d^6 log t) a time, for up to about sixteen states. Its
      steady state need not be unique.

    Populations are normalised; instead of a density matrix, populations of the basis states will
    do. Raises `ValueError` for times < 0 and for what is no state. Differentiable with respect to
    everything, the times of a network included.

    An empty level between two leads, each of the rate 1, fills as (1 - exp(-2 t)) / 2:

    >>> lead = lambda mu: qtd.Reservoir(
    ...     1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0)
    ... )
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork(
    ...     [0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1]
    ... )
    >>> print(qtd.evolution.relax(dot, [1.0, 0.0], [0.0, 1.0]).round(4))
    [[1.     0.    ]
     [0.5677 0.4323]]
    """
    times = as_real(times, "times")
    check("times", times, "nonnegative")
    return relaxed(system, state, times)


@functools.singledispatch
def relaxed(system: AbstractSystem, state: ArrayLike, times: Float[Array, "..."]) -> Array:
    """`relax` of a `system` from a `state` to legal `times`. Kinds of system register how."""
    raise ValueError(
        f"`system` must be of a kind whose evolution is known, got {type(system).__name__}."
    )


@relaxed.register
def _(system: RateNetwork, state: ArrayLike, times: Float[Array, "..."]) -> Array:
    return _relax(system, _populations(system, state), times)


@relaxed.register
def _(system: Lindbladian, state: ArrayLike, times: Float[Array, "..."]) -> Array:
    return _relax_coherences(system.complete(), _density_matrix(system, state), times)


@relaxed.register
def _(system: JumpLindbladian, state: ArrayLike, times: Float[Array, "..."]) -> Array:
    return _relax_jumps(system, _density_matrix(system, state), times)


@compiled
def _relax(network, start, times):
    generator = rate_matrix(network)
    return jax.vmap(lambda t: exponential(generator, t) @ start)(jnp.atleast_1d(times)).reshape(
        *times.shape, -1
    )


@compiled
def _relax_coherences(lindbladian, matrix, times):
    dissipators, unitary, _ = lindbladian.dissipators()
    generator = unitary + sum(
        part.rate_equation() + part.coherent() for part in dissipators.values()
    )
    return _moved(lindbladian, generator, lindbladian.structure.size, matrix, times)


@compiled
def _relax_jumps(lindbladian, matrix, times):
    # The trace is kept, and comes first.
    return _moved(lindbladian, lindbladian.generator(), 1, matrix, times)


def _moved(lindbladian, generator, levels, matrix, times):
    start = lindbladian.vector(matrix)

    # One after another: together, all would take as many squarings as the longest.
    def at(t):
        return propagator(generator, t, levels) @ start

    vectors = jax.lax.map(at, jnp.atleast_1d(times).astype(generator.dtype))
    return jax.vmap(lindbladian.matrix)(vectors).reshape(*times.shape, *matrix.shape)


def relative_entropy(
    populations: Float[Array, " levels"], reference: Float[Array, " levels"]
) -> Float[Array, ""]:
    r"""D(p || q) = sum_k q_k h(p_k / q_k) >= 0 with h(x) = x ln x - x + 1: no cancellation when p
    is close to q.

    `populations` p, `reference` q, each with sum 1. Levels where q underflows to 0 are left out. 0
    only for p = q.
    """
    occupied = reference > 0
    ratio = populations / jnp.where(occupied, reference, 1.0)
    return jnp.sum(jnp.where(occupied, reference * _entropy_excess(ratio), 0.0))


@checked
def thermalisation_time(
    network: RateNetwork, populations: ArrayLike, threshold: ArrayLike = 1e-6
) -> Float[Array, ""]:
    """The time at which the relative entropy to the steady state of `network`, which only ever
    falls, reaches `threshold`.

    From `populations`, (levels,), normalised here. 0 if it starts below; implicit derivatives with
    respect to network, start and threshold. **Source:** Kolisnyk and Schaller, App. C.
    """
    start, threshold = _populations(network, populations), as_scalar(threshold, "threshold")
    check("threshold", threshold, "positive")
    return _thermalisation_time(network, start, threshold)


@compiled
def _thermalisation_time(network, start, threshold):
    generator, rest = rate_matrix(network), steady_state(network)

    def excess(logarithm, args):
        generator, start, rest, threshold = args
        return jnp.log(
            relative_entropy(exponential(generator, jnp.exp(logarithm)) @ start, rest) / threshold
        )

    fastest = jnp.log(jnp.max(-jnp.diag(generator)))
    ends = -fastest - 40.0, -fastest + 60.0
    time = jnp.exp(bisect(excess, *ends, (generator, start, rest, threshold)))
    return jnp.where(relative_entropy(start, rest) <= threshold, 0.0, time)


@checked
def waiting_time_density(
    network: RateNetwork,
    reservoirs: str | Sequence[str],
    times: ArrayLike,
    populations: ArrayLike | None = None,
) -> Float[Array, "times"]:
    """Probability per time that the next jump of these `reservoirs` (a name, or several) of
    `network` comes after `times` >= 0.

    w(t) = -d/dt of the probability of no such jump, in the shape of `times`. The clock starts at
    `populations`; left out, at the state just after a jump of these reservoirs in the steady state,
    which gives the density of the times between jumps. **Source:** Kolisnyk and Schaller, Eq. (C2).
    """
    names, times = _names(network, reservoirs), as_real(times, "times")
    check("times", times, "nonnegative")
    jumps = jnp.sum(jnp.stack([_jump_matrix(network, name) for name in names]), axis=0)
    undisturbed = rate_matrix(network) - jumps
    start = (
        _after_jump(network, jumps) if populations is None else _populations(network, populations)
    )
    leaving = jumps.sum(axis=0)
    # One more state takes what has jumped, so that columns add up to nothing, and the exponential
    # keeps its digits.
    absorbing = (
        jnp.zeros((len(leaving) + 1,) * 2, leaving.dtype)
        .at[:-1, :-1]
        .set(undisturbed)
        .at[-1, :-1]
        .set(leaving)
    )

    def density(t):
        return leaving @ exponential(absorbing, t)[:-1, :-1] @ start

    return jax.vmap(density)(jnp.atleast_1d(times)).reshape(times.shape)


@checked
def mean_waiting_time(
    network: RateNetwork, reservoirs: str | Sequence[str], populations: ArrayLike | None = None
) -> Float[Array, ""]:
    """Mean time to the next jump of these `reservoirs` of `network`; `populations` at the start as
    in `waiting_time_density`.

    By elimination, for any number of levels.
    """
    names = _names(network, reservoirs)
    state, topology = SteadyState(network), network.topology
    counted = [i for name in names for i in topology.of(name)]
    nothing = jnp.zeros_like(state.populations)
    silent = [
        tuple(nothing if i in counted else x for x in pair) for i, pair in enumerate(state.rates)
    ]
    up, down = (topology.band(values) for values in zip(*silent))
    leaving = topology.hand_down({i: state.jumps[i].up for i in counted}) + sum(
        state.jumps[i].down for i in counted
    )
    if populations is None:
        p, lower = state.populations, topology.lower(state.populations)
        landing = topology.hand_down({i: state.jumps[i].down * p for i in counted})
        start = sum(state.jumps[i].up * lower[i] for i in counted) + landing
        start = start / start.sum()
    else:
        start = _populations(network, populations)[topology.order]
    return jnp.sum(AbsorbingElimination(up, down, leaving).solve(start))


def _entropy_excess(x):
    """h(x) = x ln x - x + 1, the series near its double zero at x = 1."""
    near = jnp.abs(x - 1) < 0.05
    y = jnp.where(near, x - 1, 0.0)
    series = jnp.zeros_like(y)
    for k in range(12, 1, -1):
        series = y * ((-1) ** k / (k * (k - 1)) + series)
    far = jnp.where(near | (x <= 0), 1.0, x)
    return jnp.where(near, y * series, jnp.where(x <= 0, 1 - x, far * jnp.log(far) - far + 1))


def _jump_matrix(network, name):
    matrix = rate_matrix(network, name)
    return matrix - jnp.diag(jnp.diag(matrix))


def _after_jump(network, jumps):
    arrived = jumps @ steady_state(network)
    return arrived / arrived.sum()


def _names(network, reservoirs):
    names = [reservoirs] if isinstance(reservoirs, str) else list(reservoirs)
    unknown = [name for name in names if name not in network.topology.names]
    if unknown or not names:
        raise ValueError(
            f"`reservoirs` must name some of {', '.join(map(repr, network.topology.names))}, got"
            f" {reservoirs!r}."
        )
    return names


def _density_matrix(lindbladian, state):
    """A state given as a density matrix, or as the populations of the basis states."""
    matrix = jnp.asarray(state)
    matrix = jnp.diag(matrix) if matrix.ndim == 1 else matrix
    size = lindbladian.structure.size
    if matrix.shape != (size, size):
        raise ValueError(
            f"`state` must be a {size} x {size} density matrix, got shape {matrix.shape}."
        )

    def is_state():
        return np.allclose(matrix, matrix.conj().T, atol=1e-6) and abs(np.trace(matrix) - 1) < 1e-6

    if is_concrete(matrix) and not is_state():
        raise ValueError("`state` must be Hermitian with trace 1.")
    return matrix


def _populations(network, populations):
    values = as_real(populations, "populations").astype(network.energies.dtype)
    if values.shape != network.energies.shape:
        raise ValueError(
            f"`populations` must have shape {network.energies.shape}, got {values.shape}."
        )
    check("populations", values, "nonnegative")
    check("sum of `populations`", values.sum(), "positive")
    return values / values.sum()
