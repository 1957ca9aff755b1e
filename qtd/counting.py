"""Full counting statistics: cumulants and covariances of what reservoirs exchange with a network, and large deviations."""

from collections.abc import Mapping
from math import comb

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from ._numerics.batching import add, follow, settle, total
from ._numerics.compilation import compiled
from ._numerics.elimination import AbsorbingElimination
from ._numerics.ladders import shift
from ._numerics.limits import FIRST_ORDER
from ._numerics.validation import as_scalar, check
from .certificates import NoiseCertificate
from .lindblad import Lindbladian
from .networks import RateNetwork
from .scattering import Conductor, currents
from .steady import CoherentSteadyState, SteadyState, solve, stationary

__all__ = [
    "Covariance",
    "LargeDeviations",
    "covariance",
    "cumulants",
    "generating_function",
    "large_deviations",
]

Weights = str | Mapping[str, ArrayLike]
System = RateNetwork | Lindbladian | SteadyState | CoherentSteadyState | Conductor


class Covariance(eqx.Module):
    """Zero-frequency covariances S_rs of the currents out of reservoirs: `covariance["cold", "work"]`, or `.matrix`.

    `names`: the reservoirs in order. `entries`: S_rs by row, each from its diagonal on. Those of coherent devices are NaN where they are
    none: a variance that is negative by more than rounding, and |S_rs| > sqrt(S_rr S_ss) by more than 1e-6, or, of a Redfield
    equation, by more than a tenth, where it is not valid: it keeps the laws of noise to its own accuracy only. `is_conserved`: whether
    what is counted only passes through the device, so that rows add up to 0.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    entries: tuple[tuple[Float[Array, ""], ...], ...]  # row r holds s = r, r+1, ...: what is not asked for is not computed
    is_conserved: bool = eqx.field(static=True, default=False)

    def __getitem__(self, pair: tuple[str, str]) -> Float[Array, ""]:
        for name in pair:
            if name not in self.names:
                raise ValueError(f"No reservoir is called {name!r}; there are {', '.join(map(repr, self.names))}.")
        first, second = sorted(map(self.names.index, pair))
        return self.entries[first][second - first]

    @property
    def certificate(self) -> NoiseCertificate:
        """How well these numbers obey what binds all covariances; it asks for all of them."""
        return NoiseCertificate.of(self.matrix, self.is_conserved)

    @property
    def matrix(self) -> Float[Array, "r r"]:
        """All of S, reservoirs in the order of `names`."""
        return jnp.stack([jnp.stack([self[a, b] for b in self.names], axis=-1) for a in self.names], axis=-2)


def covariance(system: System, quantity: str = "energy") -> Covariance:
    r"""Zero-frequency noise of all currents, S_rs = d/dt <<Q_r Q_s>> (one factor, no 2), Q counted positive out of a reservoir.

    $$ S_{rs} = \sum_{\mathrm{jumps}\ b \to a} W_{ab}\, p_b\, (q_r + z_{r,a} - z_{r,b}) (q_s + z_{s,a} - z_{s,b}), \qquad
       W^T z_r = I_r - w_r $$

    with q_r what the jump takes out of r, w_r its mean rate in each level, I_r = w_r.p, and z_r the surplus still to come from each
    level: counted charge plus z is a martingale, so its variance is a sum of squares. S is symmetric and positive semidefinite
    by construction, and agrees with the second derivative of the generating function. For a Lindbladian the jumps are those of its
    Lindblad form, or the jump part of the Redfield equation, and S is computed from the response of the state to counting. For a
    conductor see `qtd.scattering.currents`.

    Each entry is right to some roundings of its own size, times the ratio of the fastest rates to the slowest for entries of the fastest
    reservoir alone: 1e-8 of those of a driving reservoir at a temperature of 1e8. `Covariance.certificate` says how well they obey their
    laws.

    `system`: a network, a Lindbladian, a conductor, or the steady state of one of the former (`qtd.steady.solve`). `quantity`: "energy",
    "particles" or "heat"; S has its square, per time. Raises `ValueError` as `qtd.steady.solve` does.
    **Source:** Kolisnyk and Schaller, Eqs. (13), (14), in another form.

    A level through which electrons pass one by one has half of the noise of independent ones:

    >>> lead = lambda mu: qtd.Reservoir(1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0))
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork([0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1])
    >>> print(qtd.counting.covariance(dot, "particles").matrix.round(4))
    [[ 0.25 -0.25]
     [-0.25  0.25]]
    """
    if isinstance(system, Conductor):
        return _conductor_covariance(system, quantity)
    return _covariance(_solved(system), quantity)


@compiled
def _covariance(state, quantity):
    if isinstance(state, CoherentSteadyState):
        # Quanta of a local equation need not add up to what the device takes.
        passes_on = state.lindbladian.structure.approach == "global" and quantity in ("energy", "particles")
        return Covariance(tuple(state.reservoirs), _coherent_rows(state, quantity), passes_on)
    carries = np.ptp(state.network.topology.particles) > 0
    return Covariance(tuple(state.reservoirs), _rows(state, quantity), quantity != "heat" or not carries)


def _conductor_covariance(conductor, quantity):
    found, n = currents(conductor), len(conductor.names)
    known = {"energy": found.energy_noise, "particles": found.particle_noise, "heat": found.heat_noise}
    if quantity not in known:
        raise ValueError(f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.')
    rows = tuple(tuple(known[quantity][i, j] for j in range(i, n)) for i in range(n))
    return Covariance(conductor.names, rows, quantity != "heat")


def _rows(state, quantity):
    topology = state.network.topology
    charges = {name: {i: state.quanta(i, quantity) for i in topology.of(name)} for name in topology.names}
    gains = {name: _martingale(state, charges[name]) for name in topology.names}
    entry = lambda r, s: add(total(a * x * y) for a, x, y in zip(state.activity, gains[r], gains[s]))
    return tuple(tuple(entry(r, s) for s in topology.names[i:]) for i, r in enumerate(topology.names))


def _martingale(state, charges):
    """By diagonal, what an upward jump adds to the charge counted, the surplus still to come included."""
    surplus = state.elimination.solve_transposed(-state.exit_weights(charges))
    return [surplus - lower + charges.get(i, 0.0) for i, lower in enumerate(state.network.topology.lower(surplus))]


def _coherent_rows(state, quantity):
    """S_rs = Tr[J2_r rho] (r = s) + Tr[J1_r x_s] + Tr[J1_s x_r] with M x_s = (I_s - J1_s) rho, Jk_r the jumps weighed with quantum^k."""
    names, parts, vector = list(state.reservoirs), state.dissipators, state.vector
    currents = {name: state.current(name, quantity) for name in names}
    drift = {name: _scaled(vector, currents[name]) - parts[name].jump(vector, quantity, 1) for name in names}
    response = {name: settle(state.elimination.solve(settle(drift[name]))) for name in names}

    # A Redfield equation is the second order of a theory: what that is off by by a tenth is doubtful, and by more it is none.
    share = FIRST_ORDER.doubtful if state.lindbladian.structure.approach == "redfield" else 1e-6
    allowed = max(share, 1e4 * float(jnp.finfo(vector.dtype).eps))
    crossed = lambda r, s: parts[r].counted(response[s], quantity, 1) + parts[s].counted(response[r], quantity, 1)
    own = {name: parts[name].counted(vector, quantity, 2) for name in names}
    variances = {name: _possible(crossed(name, name) + own[name], own[name]) for name in names}

    def entry(r, s):
        if r == s:
            return variances[r]
        mixed, largest = crossed(r, s), jnp.sqrt(jnp.maximum(variances[r] * variances[s], 0))
        return mixed + jnp.where(lax.stop_gradient(jnp.abs(mixed) <= (1 + allowed) * largest), 0.0, jnp.nan)

    return tuple(tuple(entry(r, s) for s in names[i:]) for i, r in enumerate(names))


def _possible(variance: Float[Array, ""], gross: Float[Array, ""]) -> Float[Array, ""]:
    """A `variance`, NaN where it is negative by more than rounding of the `gross` noise, of independent jumps, that it is a part of."""
    rounding = 1e4 * float(jnp.finfo(variance.dtype).eps)
    return variance + jnp.where(lax.stop_gradient(variance) < -rounding * jnp.abs(lax.stop_gradient(gross)), jnp.nan, 0.0)


def _scaled(vector, factor):
    """A vector times a number, the batch kept last."""
    return vector * follow(jnp.broadcast_to(factor, vector.shape), vector)


def cumulants(system: System, weights: Weights, order: int = 4, quantity: str = "energy") -> Float[Array, " order"]:
    r"""Scaled cumulants c_1 ... c_order of a counted current: the derivatives at 0 of the generating function.

    $$ c_n = \sum_{k=1}^n \binom{n}{k} 1 \cdot W_k p_{n-k}, \qquad
       W p_n = \sum_{k=1}^n \binom{n}{k} (c_k - W_k)\, p_{n-k}, \quad 1 \cdot p_n = 0 $$

    W_k weighs each jump with the k-th power of its charge. c_1 is the current, c_2 the zero-frequency noise (one factor).

    - `system`: a network, a Lindbladian, or the steady state of one (`qtd.steady.solve`).
    - `weights`: a reservoir's name; or a mapping from names to factors of the `quantity` ("energy", "particles", "heat"): one number, or
      one for each jump of that reservoir in the order in which the network was given them. The charge counts positive out of
      the reservoir.
    - `order`: how many, >= 1.

    Every order costs one solve with the same factors; large orders lose digits, as any recursion of differences does. From the second on
    they are NaN where the variance of a coherent device is negative by more than rounding.
    Raises `ValueError` for unknown names and as `qtd.steady.solve` does.
    **Source:** Kolisnyk and Schaller, Eqs. (10)-(14) and App. E, continued to all orders.

    Of electrons through one level at large bias and equal rates, c_n = 2^-n:

    >>> lead = lambda mu: qtd.Reservoir(1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0))
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork([0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1])
    >>> print(qtd.counting.cumulants(dot, "left", order=4, quantity="particles").round(4))
    [0.5    0.25   0.125  0.0625]
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"`order` must be a positive integer, got {order!r}.")
    state = _solved(system)
    if isinstance(state, CoherentSteadyState):
        return _coherent_cumulants(state, {weights: 1.0} if isinstance(weights, str) else dict(weights), order, quantity)
    return _cumulants(state, _charges(state, weights, quantity), order)


@compiled
def _cumulants(state, charges, order):
    mean = sum(jnp.sum(charge * state.flows[i]) for i, charge in charges.items())
    # A charge that only passes through, however large, is no part of the surplus: without it no digits are lost to it.
    charges = dict(enumerate(_martingale(state, charges)))
    return _expand(state.populations, mean, lambda k, x: _tilt(state, charges, k, x), jnp.sum, state.elimination.solve, order)


@compiled
def _coherent_cumulants(state, factors, order, quantity):
    for name in factors:
        _check_known(state.reservoirs, name)
    one = lambda factor: as_scalar(factor, "weights").astype(state.vector.dtype)
    tilt = lambda k, x: sum(one(factor) ** k * state.dissipators[name].jump(x, quantity, k) for name, factor in factors.items())
    mean = sum(one(factor) * state.current(name, quantity) for name, factor in factors.items())
    found = _expand(state.vector, mean, tilt, state.lindbladian.structure.trace, state.elimination.solve, order)
    if order == 1:
        return found
    gross = state.lindbladian.structure.trace(tilt(2, state.vector))
    return found.at[1:].add(0 * _possible(found[1], gross))


def _expand(state, mean, tilt, trace, solve, order):
    """The recursion of `cumulants`: W_k x is `tilt(k, x)`, and `solve` inverts the generator on what has no trace."""
    expansion, result = [state], []
    for n in range(1, order + 1):
        tilted = [comb(n, k) * tilt(k, expansion[n - k]) for k in range(1, n + 1)]
        result.append(mean if n == 1 else sum(trace(x) for x in tilted))
        drift = sum(comb(n, k) * result[k - 1] * expansion[n - k] for k in range(1, n + 1))
        expansion.append(solve(drift - sum(tilted)))
    return jnp.stack(result)


def generating_function(network: RateNetwork, fields: Mapping[str, ArrayLike], quantity: str = "energy") -> Float[Array, ""]:
    r"""The scaled cumulant generating function, lambda(chi) = lim ln <exp(sum_r chi_r Q_r)> / t.

    It is the largest eigenvalue of the generator of `network` (or of its steady state) whose jumps are weighed with exp(chi_r q), q their
    `quantity`: "energy", "particles" or "heat". `fields` maps reservoirs to real
    counting fields chi (those left out are 0), in units of one over the `quantity`. lambda(0) = 0; its derivatives there are the
    cumulants; the fluctuation theorem reads lambda(chi_r) = lambda(1/T_r - chi_r) for energy. Found by Noda's
    iteration on M-matrices (no subtractions, quadratic convergence) and differentiable to second order, by every mode.
    """
    if not isinstance(fields, Mapping):
        raise ValueError(f'`fields` must map reservoirs to counting fields, as in {{"cold": 0.1}}, got {fields!r}.')
    fields = {name: as_scalar(chi, f"fields of {name!r}") for name, chi in fields.items()}
    for name, chi in fields.items():
        check(f"fields of {name!r}", chi, "any")
    return _tilted(_solved(network), fields, quantity)[0]


class LargeDeviations(eqx.Module):
    """Rate function of a current in parametric form: P(Q/t = current) ~ exp(-t rate), traced out by the counting field.

    `fields` chi; `generating_function` lambda(chi); `currents` lambda'(chi), rising with chi.
    """

    fields: Float[Array, " points"]
    generating_function: Float[Array, " points"]
    currents: Float[Array, " points"]

    @property
    def rates(self) -> Float[Array, " points"]:
        """I(j) = chi j - lambda(chi) >= 0, zero at the mean current."""
        return self.fields * self.currents - self.generating_function


def large_deviations(network: RateNetwork, reservoir: str, fields: ArrayLike, quantity: str = "energy") -> LargeDeviations:
    r"""Legendre transform of the generating function of one reservoir: currents j = lambda'(chi), rates I(j) = chi j - lambda(chi).

    - `reservoir`: its name in the `network`; the `quantity`, "energy", "particles" or "heat", is counted positive out of it.
    - `fields`: (points,) values of chi; the current grows with chi and takes its mean at chi = 0.

    Each j is the mean current of the network conditioned on it (its Doob transform), so nothing is differentiated numerically.

    Of electrons through one level at large bias and equal rates, lambda = exp(chi / 2) - 1:

    >>> lead = lambda mu: qtd.Reservoir(1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0))
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork([0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1])
    >>> found = qtd.counting.large_deviations(dot, "left", [-1.0, 0.0, 1.0], "particles")
    >>> print(found.currents.round(4), found.rates.round(4))
    [0.3033 0.5    0.8244] [0.0902 0.     0.1756]
    """
    return _deviations(_solved(network), _known(network, reservoir), jnp.asarray(fields, network.energies.dtype), quantity)


@compiled
def _deviations(state, reservoir, fields, quantity):
    index = state.network.topology.names.index(reservoir)
    values, currents = jax.vmap(lambda chi: _tilted(state, {reservoir: chi}, quantity))(fields)
    return LargeDeviations(fields, values, currents[:, index])


def _solved(system):
    if isinstance(system, Conductor):
        raise ValueError("A `Conductor` has its `covariance`; cumulants and generating functions need a network or a Lindbladian.")
    return system if isinstance(system, SteadyState | CoherentSteadyState) else solve(system)


def _check_known(names, name):
    if name not in names:
        raise ValueError(f"No reservoir is called {name!r}; there are {', '.join(map(repr, names))}.")


def _known(network, name):
    _check_known(network.topology.names, name)
    return name


def _charges(state, weights, quantity):
    """What is counted in each upward jump, by diagonal, of the reservoirs that count."""
    charges, network, topology = {}, state.network, state.network.topology
    for name, factor in ({weights: 1.0} if isinstance(weights, str) else weights).items():
        factor = jnp.asarray(factor, network.energies.dtype)
        if factor.ndim and factor.shape != network.strengths[_known(network, name)].shape:
            raise ValueError(f"`weights` of {name!r} must be a number or one for each of its jumps, got shape {factor.shape}.")
        for i in topology.of(_known(network, name)):
            quanta = state.quanta(i, quantity)
            charges[i] = quanta * (network.per_jump(topology.diagonals[i], factor) if factor.ndim else factor)
    return charges


def _tilt(state, charges, power, vector):
    """W_k v: the jumps of the generator, each weighed with the k-th power of its charge, applied to a vector."""
    topology = state.network.topology
    lower = topology.lower(vector)
    upwards = sum(state.jumps[i].up * charge**power * lower[i] for i, charge in charges.items())
    return upwards + topology.hand_down({i: state.jumps[i].down * (-charge) ** power * vector for i, charge in charges.items()})


@compiled
def _tilted(state, fields, quantity):
    """lambda(chi), and the current of each reservoir in the network conditioned by these fields."""
    network, topology = state.network, state.network.topology
    quanta = [state.quanta(i, quantity) for i in range(len(topology.diagonals))]
    fields = {_known(network, name): jnp.asarray(chi, network.energies.dtype) for name, chi in fields.items()}
    growth = [fields.get(diagonal.reservoir, 0.0) * q for diagonal, q in zip(topology.diagonals, quanta)]
    logarithm = _left_vector(topology, *lax.stop_gradient((state.rates, growth)))
    rates, _, ratio = _conditioned(topology, state.rates, growth, logarithm)
    generator, populations, flows, *_ = stationary(topology, rates)
    value = lax.stop_gradient(ratio @ populations)
    # With the left vector frozen, ratio - value is a perturbation that is zero in value; one turn of second-order perturbation
    # theory around the conditioned generator makes the first two derivatives right.
    shift = (ratio - value) @ populations
    second = generator.solve((shift - (ratio - value)) * populations)
    parts = lambda name: [jnp.sum(quanta[i] * flows[i]) for i in topology.of(name)]
    currents = jnp.stack([sum(parts(name), jnp.zeros_like(value)) for name in topology.names])
    return value + (ratio - value) @ (populations + second), currents


def _conditioned(topology, rates, growth, logarithm):
    """Rates weighed with exp(chi q) and with the ratio of the left vector l across the jump, by jump and as a band; and, level by
    level, what l times the weighed generator is in units of l: the eigenvalue, everywhere, once l is its left vector."""
    weighed = []
    for (up, down), exponent, lower in zip(rates, growth, topology.lower(logarithm)):
        exponent = jnp.where(up > 0, exponent + logarithm - lower, 0)
        weighed.append((up * jnp.exp(exponent), down * jnp.exp(-exponent)))
    bands = [topology.band(values) for values in zip(*weighed)]
    return weighed, bands, _exits(*bands) - _exits(*(topology.band(values) for values in zip(*rates)))


def _left_vector(topology, rates, growth):
    """Logarithm of the left vector of the largest eigenvalue, by Noda's iteration; NaN if 100 turns are not enough."""

    def improve(carry):
        count, logarithm, spread, _ = carry
        _, bands, ratio = _conditioned(topology, rates, growth, logarithm)
        bound, rounding = ratio.max(), jnp.finfo(ratio.dtype).eps * jnp.abs(add(bands[1].values())).max()
        growth_left = AbsorbingElimination(*bands, bound - ratio + rounding).solve_transposed(jnp.ones_like(ratio))
        logarithm = logarithm + jnp.log(growth_left / growth_left[0])
        return count + 1, logarithm, growth_left.max() / growth_left.min() - 1, spread

    def unfinished(carry):
        count, _, spread, before = carry
        has_settled = (spread < close) & (spread >= before)  # what is left is rounding
        return (count < 100) & ~(spread <= tolerance) & ~has_settled

    flat = jnp.zeros_like(rates[0][0])
    eps, endless = jnp.finfo(flat.dtype).eps, jnp.asarray(jnp.inf, flat.dtype)
    tolerance, close = 16 * topology.size * eps, eps**0.5  # the eigenvalue's error is of second order in that of the vector
    _, logarithm, spread, _ = lax.while_loop(unfinished, improve, (0, flat, endless, endless))
    return jnp.where(spread < close, logarithm, jnp.nan)


def _exits(up, down):
    """Rate out of each level of a band generator."""
    return add(shift(up[d], -d) + down[d] for d in up)
