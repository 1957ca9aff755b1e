"""Full counting statistics: cumulants and covariances of what reservoirs exchange with a network, and large deviations."""

from collections.abc import Mapping
from math import comb

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from ._numerics.elimination import AbsorbingElimination, Elimination
from ._numerics.indexing import add_at, take
from .networks import RateNetwork
from .steady import SteadyState, solve

__all__ = [
    "Covariance",
    "LargeDeviations",
    "covariance",
    "cumulants",
    "generating_function",
    "large_deviations",
]

Weights = str | Mapping[str, ArrayLike]


class Covariance(eqx.Module):
    """Zero-frequency covariances S_rs of the currents out of reservoirs: `covariance["cold", "work"]`, or `.matrix`."""

    names: tuple[str, ...] = eqx.field(static=True)
    matrix: Float[Array, "r r"]

    def __getitem__(self, pair: tuple[str, str]) -> Float[Array, ""]:
        for name in pair:
            if name not in self.names:
                raise ValueError(f"No reservoir is called {name!r}; there are {', '.join(map(repr, self.names))}.")
        return self.matrix[..., self.names.index(pair[0]), self.names.index(pair[1])]


def covariance(system: RateNetwork | SteadyState, quantity: str = "energy") -> Covariance:
    r"""Zero-frequency noise of all currents, S_rs = d/dt <<Q_r Q_s>> (one factor, no 2), Q counted positive out of a reservoir.

    $$ S_{rs} = \sum_{\mathrm{jumps}\ b \to a} W_{ab}\, p_b\, (q_r + z_{r,a} - z_{r,b}) (q_s + z_{s,a} - z_{s,b}), \qquad
       W^T z_r = I_r - w_r $$

    with q_r what the jump takes out of r, w_r its mean rate in each level, I_r = w_r.p, and z_r the surplus still to come from each
    level: counted charge plus z is a martingale, so its variance is a sum of squares. S is symmetric and positive semidefinite
    by construction, and agrees with the second derivative of the generating function.

    `quantity`: "energy", "particles" or "heat". **Source:** Kolisnyk and Schaller, Eqs. (13), (14), in another form.
    """
    return _covariance(_solved(system), quantity)


@eqx.filter_jit
def _covariance(state, quantity):
    links = state.network.topology.links
    quanta = {name: state.network.quanta(name, quantity) for name in links}
    exits = jnp.stack([state.exit_weights(name, quanta[name]) for name in links])
    surplus = jax.vmap(state.elimination.solve_transposed)(-exits)
    total = jnp.zeros((len(links),) * 2, exits.dtype)
    for i, (name, link) in enumerate(links.items()):
        charge = jax.vmap(lambda z: take(z, link.upper) - take(z, link.lower))(surplus)
        charge = charge + jnp.pad(quanta[name][None], ((i, len(links) - 1 - i), (0, 0)))
        total = total + (charge * state.activity(name)[None]) @ charge.T
    return Covariance(tuple(links), total)


def cumulants(system: RateNetwork | SteadyState, weights: Weights, order: int = 4, quantity: str = "energy") -> Float[Array, " order"]:
    r"""Scaled cumulants c_1 ... c_order of a counted current: the derivatives at 0 of the generating function.

    $$ c_n = \sum_{k=1}^n \binom{n}{k} 1 \cdot W_k p_{n-k}, \qquad
       W p_n = \sum_{k=1}^n \binom{n}{k} (c_k - W_k)\, p_{n-k}, \quad 1 \cdot p_n = 0 $$

    W_k weighs each jump with the k-th power of its charge. c_1 is the current, c_2 the zero-frequency noise (one factor).

    - `weights`: a reservoir's name; or a mapping from names to factors of the `quantity` ("energy", "particles", "heat"): one number, or
      one for each jump of that reservoir in the order in which the network was given them. The charge counts positive out of
      the reservoir.

    Every order costs one solve with the same factors; large orders lose digits, as any recursion of differences does.
    **Source:** Kolisnyk and Schaller, Eqs. (10)-(14) and App. E, continued to all orders.
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"`order` must be a positive integer, got {order!r}.")
    state = _solved(system)
    return _cumulants(state, _charges(state.network, weights, quantity), order)


@eqx.filter_jit
def _cumulants(state, charges, order):
    expansion, result = [state.populations], []
    for n in range(1, order + 1):
        tilted = [comb(n, k) * _tilt(state, charges, k, expansion[n - k]) for k in range(1, n + 1)]
        result.append(_mean_current(state, charges) if n == 1 else sum(jnp.sum(x) for x in tilted))
        drift = sum(comb(n, k) * result[k - 1] * expansion[n - k] for k in range(1, n + 1))
        expansion.append(state.elimination.solve(drift - sum(tilted)))
    return jnp.stack(result)


def generating_function(network: RateNetwork, fields: Mapping[str, ArrayLike], quantity: str = "energy") -> Float[Array, ""]:
    r"""The scaled cumulant generating function, lambda(chi) = lim ln <exp(sum_r chi_r Q_r)> / t.

    It is the largest eigenvalue of the generator whose jumps are weighed with exp(chi_r q). `fields` maps reservoirs to real
    counting fields chi (those left out are 0), in units of one over the `quantity`. lambda(0) = 0; its derivatives there are the
    cumulants; the fluctuation theorem reads lambda(chi_r) = lambda(1/T_r - chi_r) for energy. Found by Noda's
    iteration on M-matrices (no subtractions, quadratic convergence) and differentiable to second order, by every mode.
    """
    return _tilted(_solved(network), jax.tree.map(jnp.asarray, dict(fields)), quantity)[0]


class LargeDeviations(eqx.Module):
    """Rate function of a current in parametric form: P(Q/t = current) ~ exp(-t rate), traced out by the counting field."""

    fields: Float[Array, " points"]
    generating_function: Float[Array, " points"]
    currents: Float[Array, " points"]

    @property
    def rates(self) -> Float[Array, " points"]:
        """I(j) = chi j - lambda(chi) >= 0, zero at the mean current."""
        return self.fields * self.currents - self.generating_function


def large_deviations(network: RateNetwork, reservoir: str, fields: ArrayLike, quantity: str = "energy") -> LargeDeviations:
    r"""Legendre transform of the generating function of one reservoir: currents j = lambda'(chi), rates I(j) = chi j - lambda(chi).

    `fields`: (points,) values of chi; the current grows with chi and takes its mean at chi = 0. Each j is the mean current of the
    network conditioned on it (its Doob transform), so nothing is differentiated numerically.
    """
    state, fields = _solved(network), jnp.asarray(fields, network.energies.dtype)
    index = tuple(network.topology.links).index(_known(network, reservoir))
    values, currents = jax.vmap(lambda chi: _tilted(state, {reservoir: chi}, quantity))(fields)
    return LargeDeviations(fields, values, currents[:, index])


def _solved(system):
    return system if isinstance(system, SteadyState) else solve(system)


def _known(network, name):
    if name not in network.topology.links:
        raise ValueError(f"No reservoir is called {name!r}; there are {', '.join(map(repr, network.topology.links))}.")
    return name


def _charges(network, weights, quantity):
    """What is counted in each jump lower -> upper of the reservoirs that count."""
    charges = {}
    for name, factor in ({weights: 1.0} if isinstance(weights, str) else weights).items():
        quanta = network.quanta(_known(network, name), quantity)
        factor = jnp.asarray(factor, quanta.dtype)
        if factor.ndim:
            factor = factor[network.topology.links[name].permutation]
        charges[name] = quanta * factor
    return charges


def _mean_current(state, charges):
    return sum(jnp.sum(charge * state.flows(name)) for name, charge in charges.items())


def _tilt(state, charges, power, vector):
    """W_k v: the jumps of the generator, each weighed with the k-th power of its charge, applied to a vector."""
    size, result = state.network.topology.size, jnp.zeros_like(vector)
    for name, charge in charges.items():
        link, (up, down) = state.network.topology.links[name], state.rates[name]
        result = result + add_at(up * charge**power * take(vector, link.lower), link.upper, size)
        result = result + add_at(down * (-charge) ** power * take(vector, link.upper), link.lower, size)
    return result


@eqx.filter_jit
def _tilted(state, fields, quantity):
    """lambda(chi), and the current of each reservoir in the network conditioned by these fields."""
    network, topology = state.network, state.network.topology
    quanta = {name: network.quanta(name, quantity) for name in topology.links}
    growth = {name: jnp.asarray(chi, quanta[_known(network, name)].dtype) * quanta[name] for name, chi in fields.items()}
    exits = _column_sums(state.elimination.up, state.elimination.down)

    def conditioned(logarithm):
        """Rates up and down of each reservoir, weighed with exp(chi q) and the ratio of the left vector across the jump."""
        rates = {}
        for name, link in topology.links.items():
            up, down = state.rates[name]
            exponent = growth.get(name, 0.0) + take(logarithm, link.upper) - take(logarithm, link.lower)
            rates[name] = up * jnp.exp(exponent), down * jnp.exp(-exponent)
        up, down = (topology.band({name: pair[i] for name, pair in rates.items()}) for i in (0, 1))
        return rates, up, down, _column_sums(up, down) - exits

    def improve(carry):
        count, logarithm, _ = carry
        _, up, down, ratio = lax.stop_gradient(conditioned(logarithm))
        bound = ratio.max()
        gap = AbsorbingElimination(up, down, bound - ratio + jnp.finfo(ratio.dtype).eps * exits.max())
        growth_left = gap.solve_transposed(jnp.ones_like(ratio))
        return count + 1, logarithm + jnp.log(growth_left / growth_left[0]), growth_left.max() / growth_left.min() - 1

    tolerance = 16 * topology.size * jnp.finfo(exits.dtype).eps
    start = 0, jnp.zeros_like(exits), jnp.asarray(jnp.inf, exits.dtype)
    _, logarithm, _ = lax.while_loop(lambda carry: (carry[0] < 100) & (carry[2] > tolerance), improve, start)
    logarithm = lax.stop_gradient(logarithm)
    rates, up, down, ratio = conditioned(logarithm)
    generator = Elimination(up, down)
    populations = generator.populations + generator.solve(-generator.apply(generator.populations))
    value = lax.stop_gradient(ratio @ populations)
    # With the left vector frozen, ratio - value is a perturbation that is zero in value; one turn of second-order perturbation
    # theory around the conditioned generator makes the first two derivatives right.
    shift = (ratio - value) @ populations
    second = generator.solve((shift - (ratio - value)) * populations)
    currents = []
    for name, link in topology.links.items():
        flow = rates[name][0] * take(populations, link.lower) - rates[name][1] * take(populations, link.upper)
        currents.append(jnp.sum(quanta[name] * flow))
    return value + (ratio - value) @ (populations + second), jnp.stack(currents)


def _column_sums(up, down):
    """Rate out of each level of a band generator."""
    total = jnp.zeros_like(up[0])
    for d, (raising, lowering) in enumerate(zip(up, down), start=1):
        total = total + raising + jnp.pad(lowering, (d, 0))[: total.shape[0]]
    return total
