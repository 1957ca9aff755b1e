"""Turns at a constant velocity, to all orders in it: what flows, and how the work fluctuates."""

from math import factorial

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Int

from .._numerics.batching import add
from .._numerics.coherent_elimination import inverse
from .._numerics.compilation import compiled
from .._numerics.printing import by_name, readable
from .._numerics.quadrature import radau
from .._numerics.validation import is_concrete, where_legal, whole
from ..status import Status, first
from ._driven import Jumps, Network, as_asked, described, gained, panel_edges
from ._resting import generator

__all__ = ["Cycle", "cycle", "work_cumulants", "work_generating_function"]

_STAGES = 5
_NODES, _WEIGHTS, _FROM_LEFT, _SLOPES = radau(_STAGES)


class Cycle(eqx.Module):
    """One turn at a constant `velocity` v, exactly: integrals over the angle of `torque`,
    `particles`, `energy` and `heat`, as in `Coefficients` but summed to all orders. Work on the
    coordinate is sign(v) * torque, what leaves a reservoir sign(v) * its entry / v.

    `error`: by how much energy is not conserved, relative to the largest current or power; all of
    it is due to the panels, so it tells how well they resolve the turn. `status` is 0 where all is
    well (`qtd.Status`), UNRESOLVED at errors above 1e-6.
    """

    velocity: Float[Array, ""]
    torque: Float[Array, ""]
    particles: dict[str, Float[Array, ""]]
    energy: dict[str, Float[Array, ""]]
    heat: dict[str, Float[Array, ""]]
    error: Float[Array, ""]
    status: Int[Array, ""]

    def __repr__(self) -> str:
        rows = [("v", self.velocity, "velocity"), ("C_F", self.torque, "torque")]
        rows += by_name("C_I", self.particles, "particles that leave") + by_name(
            "C_J", self.heat, "heat that leaves"
        )
        rows += [
            ("error", self.error, "energy that is lost, relative"),
            ("status", self.status, "0: fine"),
        ]
        return readable(self, "integrals over a turn", rows)


def cycle(network: Network, velocity: ArrayLike, panels: int | None = None) -> Cycle:
    """The periodic solution of v dp/dtheta = W(theta) p and its integrals over a turn of `network`,
    v = `velocity` not 0.

    By Radau collocation of order 9 on `panels` as in `coefficients`, None for 96, and for 384 where
    parameters are known and 96 do not suffice; the populations at the start are what the map of a
    turn leaves as is.
    """
    velocity = _moving(network, velocity)
    found = _cycle(network, velocity, panels or 96)
    if panels is None and is_concrete(found.error) and found.error > 1e-9:
        found = _cycle(network, velocity, 384)
    return found


def work_cumulants(
    network: Network, velocity: ArrayLike, order: int = 2, panels: int = 96
) -> Float[Array, " order"]:
    """Cumulants of the work on the coordinate of `network` in a turn at `velocity` v, over many
    turns: mean sign(v) C_F(v), variance, ...

    Those of n turns are n times as large, n -> infinity. From the Taylor series of the largest
    multiplier of a turn of dp/dt = [W + chi v F] p, F = diag(-dE/dtheta), in the counting field
    chi, to `order` >= 1; `panels` as in `cycle`.
    """
    whole(order, "order", 1)
    return _work_cumulants(network, _moving(network, velocity), order, panels)


def work_generating_function(
    network: Network, velocity: ArrayLike, field: ArrayLike, panels: int = 96
) -> Float[Array, ""]:
    """ln of the largest multiplier of a turn of `network` at this counting `field`: ln <exp(field *
    work in n turns)> / n, n -> infinity.

    0 at field = 1 / T where all reservoirs have the temperature T and one chemical potential
    (Jarzynski). `velocity` not 0; `panels` as in `cycle`.
    """
    return _work_generating_function(
        network, _moving(network, velocity), as_asked(network, field, "field"), panels
    )


def _moving(network, velocity):
    told = "`velocity` must not be 0: a rotor at rest makes no turn. Use `local`."
    return where_legal(as_asked(network, velocity, "velocity"), lambda x: x != 0, lambda x: told)


class Turn(eqx.Module):
    """A turn in panels, in its own direction: at the stages of each, generators, torques and what
    leaves reservoirs from each level."""

    sizes: Float[Array, " panels"]
    generators: Float[Array, "panels stages n n"]
    force: Float[Array, "panels stages n"]
    particles: Float[Array, "panels stages reservoirs n"]
    energy: Float[Array, "panels stages reservoirs n"]


def turn_in_panels(network: Network, way: Float[Array, ""], panels: int) -> Turn:
    """A turn of `network` in the direction `way`, 1 or -1; it is the same at all velocities."""
    # Populations relax forwards in time.
    ahead = jax.tree_util.Partial(lambda network, angle: network(way * angle), network)
    edges = panel_edges(ahead, panels)
    sizes = edges[1:] - edges[:-1]
    angles = (edges[:-1, None] + sizes[:, None] * jnp.asarray(_NODES, edges.dtype)[None]).reshape(
        -1
    )
    (energies, up, down), slopes = jax.jvp(
        lambda x: described(ahead, x), (angles,), (jnp.ones_like(angles),)
    )
    topology = network(angles[0]).topology
    rates = Jumps(topology).matrices(jnp.concatenate([up, down]))
    particles = jnp.asarray(topology.particles, energies.dtype)[:, None]
    found = generator(rates.sum(0)), -slopes[0], gained(rates, particles), gained(rates, energies)
    return Turn(
        sizes, *(jnp.moveaxis(x, -1, 0).reshape(panels, _STAGES, *x.shape[:-1]) for x in found)
    )


class Flows(eqx.Module):
    """Integrals over a turn, as in `Cycle`, of charge and energy by reservoir."""

    torque: Float[Array, ""]
    particles: Float[Array, " reservoirs"]
    energy: Float[Array, " reservoirs"]
    error: Float[Array, ""]
    status: Int[Array, ""]


@compiled
def _cycle(network, velocity, panels):
    found = flows(turn_in_panels(network, _way(velocity), panels), velocity)
    at_rest = network(jnp.zeros_like(velocity))
    names, known = at_rest.topology.names, at_rest.reservoirs
    particles, energy = (
        {name: x[i] for i, name in enumerate(names)} for x in (found.particles, found.energy)
    )
    heat = {name: energy[name] - known[name].chemical_potential * particles[name] for name in names}
    return Cycle(velocity, found.torque, particles, energy, heat, found.error, found.status)


def flows(turn: Turn, velocity: Float[Array, ""]) -> Flows:
    """Flows of a `turn` in the direction of this `velocity`."""
    maps = jax.vmap(_across)(turn.generators, jnp.abs(velocity) / turn.sizes)
    around, before = lax.scan(
        lambda p, m: (m[-1] @ p, p), jnp.eye(maps.shape[-1], dtype=maps.dtype), maps
    )
    p = jnp.einsum("msab,mbc,c->msa", maps, before, _unchanged(around))
    weights = turn.sizes[:, None] * jnp.asarray(_WEIGHTS, maps.dtype)[None]
    particles, energy = (
        jnp.einsum("ms,msra,msa->r", weights, x, p) for x in (turn.particles, turn.energy)
    )
    torque = _way(velocity) * jnp.einsum("ms,msa,msa->", weights, turn.force, p)
    balance = jnp.append(energy, -velocity * torque)
    error = jnp.abs(balance.sum()) / jnp.abs(balance).max()
    status = first(
        (velocity == 0, Status.INVALID_PARAMETER),
        (~jnp.all(jnp.isfinite(p)), Status.NO_UNIQUE_STEADY_STATE),
        (error > 1e-6, Status.UNRESOLVED),
    )
    return Flows(torque, particles, energy, error, status)


@compiled
def _work_cumulants(network, velocity, order, panels):
    turn = turn_in_panels(network, _way(velocity), panels)
    speed = jnp.abs(velocity)
    maps = jax.vmap(lambda w, s, f: _across_series(w, s, speed * f, order))(
        turn.generators, speed / turn.sizes, turn.force
    )
    n = maps.shape[-1]
    one = jnp.zeros((order + 1, n, n), maps.dtype).at[0].set(jnp.eye(n, dtype=maps.dtype))

    def product(a, b):
        return jnp.stack(
            [jnp.einsum("kab,kbc->ac", a[: j + 1], b[j::-1][: j + 1]) for j in range(order + 1)]
        )

    around, _ = lax.scan(lambda p, m: (product(m, p), None), one, maps)
    # Perturbation theory of the multiplier 1, whose left eigenvector is (1, ..., 1).
    states, values = [_unchanged(around[0])], [jnp.ones_like(velocity)]
    distance = around[0] - jnp.eye(n, dtype=maps.dtype) - states[0][:, None]
    for j in range(1, order + 1):
        moved = add(around[i] @ states[j - i] for i in range(1, j + 1))
        values.append(moved.sum())
        right = add(values[i] * states[j - i] for i in range(1, j + 1)) - moved
        states.append(_solved(distance, right[:, None])[:, 0])
    logarithm = [jnp.zeros_like(velocity)]
    for j in range(1, order + 1):
        logarithm.append(values[j] - sum(i * logarithm[i] * values[j - i] for i in range(1, j)) / j)
    return jnp.stack([factorial(j) * logarithm[j] for j in range(1, order + 1)])


@compiled
def _work_generating_function(network, velocity, field, panels):
    turn = turn_in_panels(network, _way(velocity), panels)
    speed = jnp.abs(velocity)
    tilt = (
        field
        * speed
        * jnp.einsum(
            "msa,ab->msab", turn.force, jnp.eye(turn.force.shape[-1], dtype=velocity.dtype)
        )
    )
    maps = jax.vmap(_across)(turn.generators + tilt, speed / turn.sizes)
    around, logs = lax.scan(
        lambda p, m: _scaled(m[-1] @ p), jnp.eye(maps.shape[-1], dtype=maps.dtype), maps
    )
    # A large power of a positive matrix has one column, again and again: its dominant eigenvector,
    # to which the multiplier is stationary.
    power, _ = lax.scan(lambda p, _: _scaled(p @ p), lax.stop_gradient(around), length=60)
    right, left = power.sum(1), power.sum(0)
    return jnp.log(left @ around @ right / (left @ right)) + logs.sum()


def _scaled(matrix):
    size = jnp.abs(matrix).max()
    return matrix / size, jnp.log(size)


def _way(velocity):
    return jnp.where(velocity < 0, -1.0, 1.0).astype(velocity.dtype)


def _unchanged(around):
    """The distribution that this map leaves as it is."""
    n = len(around)
    even = jnp.full((n, n), 1 / n, around.dtype)
    return _solved(jnp.eye(n, dtype=around.dtype) - around + even, even[:, :1])[:, 0]


def _collocation(generators, speed):
    """K, R of a panel: K p(nodes) = R p(left edge)."""
    stages, n = generators.shape[:2]
    slopes, from_left = (speed * jnp.asarray(x, generators.dtype) for x in (_SLOPES, _FROM_LEFT))
    one = jnp.eye(n, dtype=generators.dtype)
    matrix = jnp.einsum("st,ab->satb", slopes, one) - jnp.einsum(
        "st,sab->satb", jnp.eye(stages, dtype=generators.dtype), generators
    )
    return matrix.reshape(stages * n, stages * n), -jnp.einsum("s,ab->sab", from_left, one).reshape(
        stages * n, n
    )


def _across(generators, speed):
    """Maps from the populations at the left edge of a panel to those at its nodes."""
    stages, n = generators.shape[:2]
    return _solved(*_collocation(generators, speed)).reshape(stages, n, n)


def _across_series(generators, speed, power, order):
    """The map to the right edge as a Taylor series in the counting field of the power."""
    stages, n = generators.shape[:2]
    matrix, right = _collocation(generators, speed)
    maps = [_solved(matrix, right)]
    for _ in range(order):
        maps.append(_solved(matrix, power.reshape(-1, 1) * maps[-1]))
    return jnp.stack([m.reshape(stages, n, n)[-1] for m in maps])


def _solved(matrix, right):
    """The solution of a small dense system, without LAPACK; Newton steps carry the derivatives."""
    known = inverse(matrix)
    found = known @ right
    for _ in range(2):
        found = found + known @ (right - matrix @ found)
    return found
