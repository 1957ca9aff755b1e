r"""Slow driving: what a rate network does to a coordinate that turns it, as a series in the velocity and exactly.

A function from the angle theta to a `RateNetwork`, such as `QuantumMotor.network`, says how levels and jumps depend on a slow coordinate.
Its energies push the coordinate with the torque -dE/dtheta of the occupied state. At a constant velocity v the populations are

$$ p = \sum_k v^k q_k, \qquad W q_0 = 0, \qquad W q_k = \frac{d q_{k-1}}{d\theta}, \quad 1 \cdot q_k = 0 \ (k > 0) $$

and so are torque and currents; coefficients C^(k) are their integrals over a cycle. The series is asymptotic, with no radius of
convergence: `cycle` is exact.
**Source:** Bustos-Marun and Calvo, "Thermodynamics and steady state of quantum motors and pumps far from equilibrium", Eqs. (49)-(51),
(59), (65), (70).
"""

from collections.abc import Callable
from math import factorial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import jet
from jaxtyping import Array, ArrayLike, Float, Int

from ._numerics.batching import add
from ._numerics.coherent_elimination import inverse
from ._numerics.compilation import compiled
from ._numerics.quadrature import equal_shares, equidistributed, radau
from ._numerics.status import Status, first, raise_if_known
from ._numerics.validation import as_scalar, is_concrete
from .networks import RateNetwork
from .steady import solve

__all__ = ["Coefficients", "Cycle", "Local", "coefficients", "cycle", "local"]

Network = Callable[[Float[Array, ""]], RateNetwork]

_STAGES = 8
_NODES, _WEIGHTS, _FROM_LEFT, _SLOPES = radau(_STAGES)


class Local(eqx.Module):
    """At one angle, by order in the velocity: populations q_k, torque, and by reservoir the currents of particles and energy, positive out
    of it.

    `inertia`: what the electrons add to the moment of inertia, minus the torque per acceleration. `noise`: int <dF(t) dF(0)> dt of the
    torque at rest.
    """

    populations: Float[Array, "orders levels"]
    torque: Float[Array, " orders"]
    particle_currents: dict[str, Float[Array, " orders"]]
    energy_currents: dict[str, Float[Array, " orders"]]
    inertia: Float[Array, ""]
    noise: Float[Array, ""]
    status: Int[Array, ""]

    @property
    def friction(self) -> Float[Array, ""]:
        """Minus the torque per velocity. In equilibrium noise = 2 T friction; far from it friction may be negative."""
        return -self.torque[1]


class Coefficients(eqx.Module):
    """Integrals over a cycle, by order in the velocity: torque C_F, and by reservoir particles, energy and heat, positive out of it.

    Work on the coordinate per cycle at the velocity v is sign(v) sum_k C_F^(k) v^k, what leaves a reservoir sign(v) sum_k C^(k) v^(k-1).
    `error`: estimated error of the integrals, relative to those of the absolute values (at least 4e-10 of the largest of that order).
    `status` is 0 where all is well (`qtd.Status`).
    """

    torque: Float[Array, " orders"]
    particles: dict[str, Float[Array, " orders"]]
    energy: dict[str, Float[Array, " orders"]]
    heat: dict[str, Float[Array, " orders"]]
    error: Float[Array, ""]
    status: Int[Array, ""]


class Cycle(eqx.Module):
    """One turn at a constant velocity v, exactly: integrals over the angle of torque, particles, energy and heat, as in `Coefficients` but
    summed to all orders. Work on the coordinate is sign(v) * torque, what leaves a reservoir sign(v) * its entry / v."""

    velocity: Float[Array, ""]
    torque: Float[Array, ""]
    particles: dict[str, Float[Array, ""]]
    energy: dict[str, Float[Array, ""]]
    heat: dict[str, Float[Array, ""]]
    status: Int[Array, ""]


def local(network: Network, angle: ArrayLike, order: int = 3) -> Local:
    """The expansion to `order` at one angle; derivatives with respect to it by Taylor arithmetic, exact at every order."""
    _check_order(order)
    angle = as_scalar(angle, "angle")
    found = _local(network, angle, max(order, 1))
    raise_if_known(found.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return found


def coefficients(network: Network, order: int = 3, panels: int | None = None) -> Coefficients:
    """Integrals over the cycle 0 ... 2 pi to `order`.

    On `panels` pieces of 16 Gauss-Legendre points, shorter where rates and populations change; their lengths follow the device, so no
    grid need be chosen. None: 96, and 384 where parameters are known and 96 do not suffice. `Coefficients.error` tells whether they do:
    status UNRESOLVED above 1e-6.
    """
    _check_order(order)
    found = _coefficients(network, order, panels or 96)
    if panels is None and is_concrete(found.error) and found.error > 1e-9:
        found = _coefficients(network, order, 384)
    raise_if_known(found.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return found


def cycle(network: Network, velocity: ArrayLike, panels: int = 64) -> Cycle:
    """The periodic solution of v dp/dtheta = W(theta) p and its integrals over a turn, v not 0.

    By Radau collocation of order 15 on panels as in `coefficients`; the populations at the start are what the map of a turn leaves as is.
    """
    found = _cycle(network, as_scalar(velocity, "velocity"), panels)
    if is_concrete(found.status) and found.status == Status.INVALID_PARAMETER:
        raise ValueError("`velocity` must not be 0: a rotor at rest makes no turn. Use `local`.")
    return found


def _check_order(order):
    if not isinstance(order, int) or order < 0:
        raise ValueError(f"`order` must be an integer that is not negative, got {order!r}.")


@compiled
def _coefficients(network, order, panels):
    angles, weights, tails = equidistributed(lambda angle: _features(network, angle), 2 * np.pi, panels)
    found = jax.vmap(lambda angle: _local(network, angle, max(order, 1)))(angles)
    known = network(angles[0]).reservoirs
    heats = {n: e - known[n].chemical_potential * found.particle_currents[n] for n, e in found.energy_currents.items()}
    integrate = lambda x: jnp.tensordot(weights, x[:, : order + 1], 1)
    every = jnp.stack([found.torque, *found.energy_currents.values(), *found.particle_currents.values()])[:, :, : order + 1]
    size = jnp.einsum("p,qpk->qk", weights, jnp.abs(every))
    # What vanishes at every angle, such as leakage in equilibrium, is rounding: it has nothing to resolve.
    size = jnp.maximum(size, jnp.finfo(size.dtype).eps ** 0.6 * size.max(0, keepdims=True))
    error = jnp.max(jnp.abs(jnp.einsum("p,qpk->qk", tails, every)) / jnp.where(size > 0, size, 1))
    status = first((jnp.any(found.status > 0), jnp.max(found.status)), (error > 1e-6, Status.UNRESOLVED))
    by_name = lambda x: {name: integrate(x[name]) for name in found.particle_currents}
    return Coefficients(
        integrate(found.torque), by_name(found.particle_currents), by_name(found.energy_currents), by_name(heats), error, status
    )


def _features(network, angle):
    """Logarithms of what changes with the angle: of rates up over rates down, of their sums, and of odds of the populations."""
    state = solve(network(angle))
    ratios, sizes = [], []
    for diagonal, jump in zip(state.network.topology.diagonals, state.jumps):
        up, down = jump.up[diagonal.levels], jump.down[diagonal.levels]
        ratios.append(jnp.log(up) - jnp.log(down))
        sizes.append(jnp.log(up + down))
    p = state.populations
    return jnp.concatenate([*ratios, jnp.log(p) - jnp.log1p(-p)]), jnp.concatenate(sizes)


def _local(network, angle, order):
    series = _taylor(network, angle, order + 1)
    state = solve(network(angle))
    topology = state.network.topology
    names, n = topology.names, topology.size
    energies, rates = series[0], _matrices(topology, series[1:], order)  # (order + 2, n), (order + 1, reservoirs, n, n)
    generators = rates.sum(1)
    generators = generators - jnp.einsum("jab,bc->jbc", generators, jnp.eye(n, dtype=generators.dtype))
    # W x = y for every y that adds up to nothing: x = response @ y.
    unit = jnp.eye(n, dtype=energies.dtype) - state.populations[:, None]
    response = jax.vmap(state.elimination.solve, in_axes=1, out_axes=1)(unit)
    p = _coordinate_series(generators, state.populations, response, order)
    particles = jnp.asarray(topology.particles, energies.dtype)
    gained = lambda charge: jnp.einsum("rab,ab->rb", rates[0], charge[:, None] - charge[None])
    q = jnp.stack([p[k][0] for k in range(order + 1)])
    currents = {kind: jnp.einsum("rb,kb->rk", gained(charge), q) for kind, charge in (("particles", particles), ("energy", energies[0]))}
    # At rest from the net jumps, which keep their digits where they nearly balance.
    resting = {kind: jnp.stack([state.current(name, kind) for name in names]) for kind in currents}
    currents = {kind: jnp.concatenate([resting[kind][:, None], x[:, 1:]], axis=1) for kind, x in currents.items()}
    force = -energies[1]
    spread = (force - force @ q[0]) * q[0]
    return Local(
        populations=q[:, np.argsort(topology.order)],
        torque=q @ force,
        particle_currents={name: currents["particles"][i] for i, name in enumerate(names)},
        energy_currents={name: currents["energy"][i] for i, name in enumerate(names)},
        inertia=-(force @ response @ q[1]),
        noise=-2 * (force @ response @ spread),
        status=state.status,
    )


def _coordinate_series(generators, resting, response, order):
    """Taylor coefficients in the angle, [k][m], of the populations q_k: W_0 q_k[m] = (m + 1) q_(k-1)[m + 1] - sum_j W_j q_k[m - j]."""
    rows: list[list[Array]] = []
    for k in range(order + 1):
        row: list[Array] = [] if k else [resting]
        for m in range(len(row), order - k + 1):
            terms = [-generators[j] @ row[m - j] for j in range(1, m + 1)]
            if k:
                terms.append((m + 1) * rows[k - 1][m + 1])
            row.append(response @ add(terms))
        rows.append(row)
    return rows


def _taylor(network, angle, order):
    """Taylor coefficients of the energies and of the rates up and down each diagonal, in the order of elimination: (order + 1, levels)."""

    def described(angle):
        at = network(angle)
        rates = [rate for jump in at.jumps() for rate in (jump.up, jump.down)]
        return (at.energies[at.topology.order], *rates)

    steps = [jnp.ones_like(angle)] + [jnp.zeros_like(angle)] * (order - 1)
    values, derivatives = jet.jet(described, (angle,), (steps,))
    scale = jnp.asarray([1 / factorial(k) for k in range(order + 1)], angle.dtype)
    return [jnp.stack([value, *terms]) * scale[:, None] for value, terms in zip(values, derivatives)]


def _matrices(topology, rates, order):
    """Rates b -> a of each reservoir as Taylor coefficients of matrices."""
    n, names = topology.size, topology.names
    found = jnp.zeros((order + 1, len(names), n, n), rates[0].dtype)
    for i, diagonal in enumerate(topology.diagonals):
        r, levels = names.index(diagonal.reservoir), diagonal.levels
        lower = diagonal.lower[levels]
        found = found.at[:, r, levels, lower].add(rates[2 * i][: order + 1, levels])
        found = found.at[:, r, lower, levels].add(rates[2 * i + 1][: order + 1, levels])
    return found


@compiled
def _cycle(network, velocity, panels):
    way = jnp.where(velocity < 0, -1.0, 1.0).astype(velocity.dtype)
    ahead = lambda angle: network(way * angle)  # populations relax forwards in time
    edges = equal_shares(lambda angle: _features(ahead, angle), 2 * np.pi, panels)
    sizes = edges[1:] - edges[:-1]
    angles = edges[:-1, None] + sizes[:, None] * jnp.asarray(_NODES, edges.dtype)[None]
    described = jax.vmap(jax.vmap(lambda angle: _instant(ahead, angle)))(angles)
    generators, force, *charges = described  # (panels, stages, n, n), ...
    n = generators.shape[-1]
    speed = jnp.abs(velocity) / sizes
    maps = jax.vmap(_across)(generators, speed)  # (panels, stages, n, n): populations at the nodes from those at the left edge
    advance = lambda p, m: (m[-1] @ p, p)
    around, before = lax.scan(advance, jnp.eye(n, dtype=edges.dtype), maps)
    even = jnp.full((n, n), 1 / n, edges.dtype)
    start = _solved(jnp.eye(n, dtype=edges.dtype) - around + even, even[:, :1])[:, 0]
    p = jnp.einsum("msab,mbc,c->msa", maps, before, start)
    weights = sizes[:, None] * jnp.asarray(_WEIGHTS, edges.dtype)[None]
    integrate = lambda x: jnp.einsum("ms,msa,msa->", weights, x, p)
    names, known = network(edges[0]).topology.names, network(edges[0]).reservoirs
    particles, energy = ({name: integrate(x[:, :, i]) for i, name in enumerate(names)} for x in charges)
    heat = {name: energy[name] - known[name].chemical_potential * particles[name] for name in names}
    status = first((velocity == 0, Status.INVALID_PARAMETER), (~jnp.all(jnp.isfinite(p)), Status.NO_UNIQUE_STEADY_STATE))
    return Cycle(velocity, way * integrate(force), particles, energy, heat, status)


def _instant(network, angle):
    """Generator, torque of each level, and what leaves each reservoir per time from each level: particles and energy."""
    at = network(angle)
    slope = jax.jvp(lambda x: network(x).energies, (angle,), (jnp.ones_like(angle),))[1]
    topology = at.topology
    rates = _matrices(topology, [rate[None] for jump in at.jumps() for rate in (jump.up, jump.down)], 0)[0]
    total = rates.sum(0)
    energies, particles = at.energies[topology.order], jnp.asarray(topology.particles, angle.dtype)
    gained = lambda charge: jnp.einsum("rab,ab->rb", rates, charge[:, None] - charge[None])
    return total - jnp.diag(total.sum(0)), -slope[topology.order], gained(particles), gained(energies)


def _across(generators, speed):
    """Maps from the populations at the left edge of a panel to those at its nodes."""
    stages, n = generators.shape[:2]
    one = jnp.eye(n, dtype=generators.dtype)
    slopes = speed * jnp.asarray(_SLOPES, generators.dtype)
    matrix = jnp.einsum("st,ab->satb", slopes, one) - jnp.einsum("st,sab->satb", jnp.eye(stages, dtype=generators.dtype), generators)
    right = -speed * jnp.einsum("s,ab->sab", jnp.asarray(_FROM_LEFT, generators.dtype), one)
    return _solved(matrix.reshape(stages * n, stages * n), right.reshape(stages * n, n)).reshape(stages, n, n)


def _solved(matrix, right):
    """Of a small dense system, without LAPACK; Newton steps carry the derivatives."""
    known = inverse(matrix)
    found = known @ right
    for _ in range(2):
        found = found + known @ (right - matrix @ found)
    return found
