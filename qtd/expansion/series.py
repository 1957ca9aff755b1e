r"""The series in the velocity, at one angle and integrated over a cycle.

At a constant velocity v the populations are

$$ p = \sum_k v^k q_k, \qquad W q_0 = 0, \qquad W q_k = \frac{d q_{k-1}}{d\theta}, \quad
   1 \cdot q_k = 0 \ (k > 0) $$

and so are torque and currents; coefficients C^(k) are their integrals over a cycle. The series is
asymptotic, with no radius of convergence: `cycle` is exact. **Source:** Bustos-Marun and Calvo,
Eqs. (49)-(51), (59), (65), (70).
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Int

from .._numerics.batching import add, sum_over
from .._numerics.compilation import compiled
from .._numerics.jax_internals.taylor import taylor
from .._numerics.printing import by_name, readable
from .._numerics.quadrature import gauss, slope_of_turn
from .._numerics.validation import is_concrete, whole
from ..status import Status, first, raise_if_known
from ._driven import (
    Jumps,
    Network,
    as_asked,
    described,
    even_integrals,
    integrals,
    panel_edges,
    precision,
)
from ._resting import Resting, apply

__all__ = ["Coefficients", "Local", "coefficients", "local"]


class Local(eqx.Module):
    """Coefficients at one angle, by order in the velocity: `populations` q_k in the order of
    `network.energies`, `torque`, and by reservoir `particle_currents` and `energy_currents`,
    positive out of it.

    `inertia`: what the electrons add to the moment of inertia, minus the torque per acceleration.
    `noise`: int <dF(t) dF(0)> dt of the torque at rest. `status` is 0 where all is well
    (`qtd.Status`); UNTRUSTED where coefficients overflow, behind which are levels that hold
    electrons back, and INACCURATE where they may hide what underflows: where the smallest number
    times the longest time in the system to the power of the order exceeds 1e-8 of the largest q_k
    of that order (and 1e-231).
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
        """Minus the torque per velocity. In equilibrium noise = 2 T friction; far from it friction
        may be negative."""
        return -self.torque[..., 1]

    def __repr__(self) -> str:
        rows = [("F", self.torque, "torque, by order in the velocity")] + by_name(
            "I", self.particle_currents, "particles that leave"
        )
        rows += by_name("JE", self.energy_currents, "energy that leaves")
        rows += [
            ("friction", self.friction, "minus the torque per velocity"),
            ("noise", self.noise, "of the torque, at rest"),
        ]
        rows += [("inertia", self.inertia, "of the electrons"), ("status", self.status, "0: fine")]
        return readable(self, "at one angle", rows)


class Coefficients(eqx.Module):
    """Integrals over a cycle, by order in the velocity: `torque` C_F, and by reservoir `particles`,
    `energy` and `heat`, positive out of it.

    Work on the coordinate per cycle at the velocity v is sign(v) sum_k C_F^(k) v^k, what leaves a
    reservoir sign(v) sum_k C^(k) v^(k-1). `error`: estimated error of the integrals, relative to
    those of the absolute values (at least 4e-10 of the largest of that order); `rounding`: of the
    torque, about 4e-16 of that integral, which for C_F^(0) is no small one however little is left
    of it. `status` is 0 where all is well (`qtd.Status`); UNRESOLVED at an `error` above 1e-6,
    UNTRUSTED and INACCURATE as in `Local`, of the whole orbit.
    """

    torque: Float[Array, " orders"]
    particles: dict[str, Float[Array, " orders"]]
    energy: dict[str, Float[Array, " orders"]]
    heat: dict[str, Float[Array, " orders"]]
    error: Float[Array, ""]
    rounding: Float[Array, " orders"]
    status: Int[Array, ""]

    def __repr__(self) -> str:
        rows = [("C_F", self.torque, "torque, by order in the velocity")] + by_name(
            "C_I", self.particles, "particles that leave"
        )
        rows += by_name("C_J", self.heat, "heat that leaves")
        rows += [("error", self.error, "estimated, relative"), ("status", self.status, "0: fine")]
        return readable(self, "integrals over a turn", rows)


def local(network: Network, angle: ArrayLike, order: int = 3) -> Local:
    """The expansion to `order` >= 0 at one `angle`; derivatives with respect to it by Taylor
    arithmetic, exact at every order.

    `network`: a function from the angle to a `RateNetwork`, as in this whole module. Raises
    `ValueError` as `qtd.steady.solve` does.
    """
    whole(order, "order", 0)
    angle = as_asked(network, angle, "angle")
    found = _local(network, angle, max(order, 1))
    raise_if_known(found.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return found


def coefficients(
    network: Network, order: int = 3, panels: int | None = None, angles: int | None = None
) -> Coefficients:
    """Integrals over the cycle 0 ... 2 pi to `order` >= 0, of a `network` as in `local`.

    On `panels` pieces of 16 Gauss-Legendre points, shorter where rates and populations change;
    their lengths follow the device, so no grid need be chosen. None: 96 in compiled code; where
    parameters are known 48, and 384 if those do not suffice. `Coefficients.error` tells whether
    they do: status UNRESOLVED above 1e-6.

    Or on an even number of evenly spaced `angles`, with derivatives by Fourier series: for maps of
    many devices in which nothing is narrower than some hundredths of a turn, in a sixth of the
    time. Errors fall exponentially with their number, once they tell apart what changes; where
    rates change too much from one to the next, the `error` is 1. Where levels hold electrons for
    long, rounding is magnified, which `error` counts; it is an upper bound.

    A level that falls while the left gate is open, and rises while the right one is, pumps an
    electron in a turn:

    >>> lead = qtd.Reservoir(1.0, 0.0, "fermi", spectral_density=qtd.spectral.WideBand(1.0))
    >>> def pump(angle):
    ...     gate, leads = jnp.exp(3.0 * jnp.sin(angle)), {"left": lead, "right": lead}
    ...     jumps = [("left", 0, 1, gate), ("right", 0, 1, 1 / gate)]
    ...     return qtd.RateNetwork([0.0, 10.0 * jnp.cos(angle)], jumps, leads, particles=[0, 1])
    >>> round(float(qtd.expansion.coefficients(pump, order=1).particles["left"][1]), 4)
    0.9942
    """
    whole(order, "order", 0)
    if angles is not None:
        found = _even_coefficients(network, order, _even(angles, panels))
    else:
        found = _coefficients(network, order, panels or (48 if is_concrete(network) else 96))
    if panels is angles is None and is_concrete(found.error) and found.error > 1e-9:
        found = _coefficients(network, order, 384)
    raise_if_known(found.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return found


@compiled
def _local(network, angle, order):
    found, lost = local_at(network, angle[None], order)
    hidden = (
        _hides(lost, found.populations) & (lost > 0.75 * jnp.log(jnp.finfo(lost.dtype).tiny))[0]
    )
    status = jnp.where((found.status == 0) & hidden, int(Status.INACCURATE), found.status)
    return jax.tree.map(lambda x: x[..., 0], eqx.tree_at(lambda x: x.status, found, status))


def _even(angles, panels):
    whole(angles, "angles", 4)
    if angles % 2 or panels is not None:
        raise ValueError(
            f"`angles` must be an even number, given in place of `panels`, got {angles} and"
            f" {panels!r} panels."
        )
    return angles


@compiled
def _coefficients(network, order, panels):
    angles, weights, tails = gauss(panel_edges(network, panels))
    found, lost = local_at(network, angles, max(order, 1))
    values, error = integrals(_integrands(found, order), weights, tails)
    rounding = 2 * jnp.finfo(error.dtype).eps * (jnp.abs(found.torque) @ weights)
    return _of_turn(network, found, lost, values, error, rounding[: order + 1])


@compiled
def _even_coefficients(network, order, count):
    angles = 2 * jnp.pi / count * jnp.arange(count, dtype=precision(network))
    found, lost, noise, is_coarse = _local_evenly(network, angles, max(order, 1))
    values, error = even_integrals(_integrands(found, order))
    noisy = noise.sum((1, 2)) / jnp.abs(found.populations).sum((1, 2))
    # Of the torque as of the populations in it.
    rounding = (noisy + 2 * jnp.finfo(noisy.dtype).eps) * jnp.abs(found.torque).mean(1) * 2 * jnp.pi
    error = error + noisy.max() + is_coarse.astype(error.dtype)
    return _of_turn(network, found, lost, values, error, rounding[: order + 1])


def _integrands(found, order):
    currents = *found.particle_currents.values(), *found.energy_currents.values()
    return [x[: order + 1] for x in (found.torque, *currents)]


def _of_turn(network, found, lost, values, error, rounding):
    """Coefficients from integrals over a turn."""
    known, names = network(jnp.zeros_like(error)).reservoirs, tuple(found.particle_currents)
    particles, energy = dict(zip(names, values[1:])), dict(zip(names, values[1 + len(names) :]))
    heat = {name: energy[name] - known[name].chemical_potential * particles[name] for name in names}
    error, rounding = lax.stop_gradient((error, rounding))
    status = of_orbit(found, lost, (~(error <= 1e-6), Status.UNRESOLVED))
    return Coefficients(values[0], particles, energy, heat, error, rounding, status)


def of_orbit(found: Local, lost: Float[Array, " points"], *others: tuple) -> Int[Array, ""]:
    """The status of an orbit from those of its points, `found` by `local_at`; then of the first of
    `others` that holds, as of `first`, and last INACCURATE, which keeps numbers."""
    points = jnp.any(found.status > 0), jnp.max(found.status)
    return first(points, *others, (_hides(lost, found.populations), Status.INACCURATE))


def _hides(lost, populations):
    """Whether what has underflowed may be seen in the populations of the last order, which are the
    largest."""
    largest = jnp.abs(populations[-1]).max()
    return (
        lost.max()
        > jnp.log(jnp.maximum(largest, jnp.finfo(lost.dtype).tiny))
        + jnp.log(jnp.finfo(lost.dtype).eps) / 2
    )


def local_at(
    network: Network, angles: Float[Array, " points"], order: int
) -> tuple[Local, Float[Array, " points"]]:
    """`local` at many angles, the last axis of every array; and the logarithm of what may have
    become of a number that underflows."""
    steps = jnp.stack([angles, jnp.ones_like(angles), *[jnp.zeros_like(angles)] * (order - 1)])
    energies, up, down = taylor(lambda x: described(network, x), steps)
    topology = network(angles[0]).topology
    resting = Resting(Jumps(topology), up[0], down[0])
    q = _velocity_series(up, down, resting, order)
    return _located(topology, energies, resting, q)


def _local_evenly(network, angles, order):
    """The same at evenly spaced angles of a turn, derivatives of populations by Fourier series; how
    far rounding may have moved the populations, (orders, levels, points); and whether rates change
    too much between the angles."""
    topology = network(angles[0]).topology
    (energies, up, down), (slopes, *_) = jax.jvp(
        lambda x: described(network, x), (angles,), (jnp.ones_like(angles),)
    )
    resting = Resting(Jumps(topology), up, down)
    q = [resting.populations]
    for _ in range(order):
        q.append(resting.answer(slope_of_turn(q[-1])))
    # A derivative is off by a rounding of the largest population times the highest frequency.
    response, *known = lax.stop_gradient((jnp.abs(resting.response), *map(jnp.abs, q)))
    eps = jnp.finfo(slopes.dtype).eps
    noise = [eps * known[0]]
    for x in known[:-1]:
        moved = (noise[-1] + eps * x).max(-1, keepdims=True) * (len(angles) / 2)
        noise.append(apply(response, jnp.broadcast_to(moved, x.shape)))
    found, lost = _located(topology, jnp.stack([energies, slopes]), resting, q)
    return found, lost, jnp.stack(noise), _are_coarse(up, down)


def _are_coarse(up, down):
    """Whether a rate changes more from angle to angle than they can tell.

    Its logit u = ln(up / down) has poles at u = i pi, sqrt(u^2 + pi^2) / |du| angles away. Nearer
    than two, 2 pi * 2 of them in the exponent leave 3e-6.
    """
    up, down = lax.stop_gradient((up, down))
    tiny = jnp.finfo(up.dtype).tiny
    logit = jnp.log(jnp.maximum(up, tiny)) - jnp.log(jnp.maximum(down, tiny))
    known = (up > 0) | (down > 0)
    before, change = jnp.roll(logit, 1, -1), logit - jnp.roll(logit, 1, -1)
    least = jnp.where(logit * before < 0, 0, jnp.minimum(jnp.abs(logit), jnp.abs(before)))
    near = 2 * jnp.abs(change) > jnp.sqrt(least**2 + jnp.pi**2)
    return jnp.any(near & known & jnp.roll(known, 1, -1))


def _located(topology, energies, resting, q):
    """`local_at` from Taylor coefficients of the energies, and populations by order."""
    jumps, up, down = resting.jumps, resting.up, resting.down
    moving = jumps.flows(up[:, None], down[:, None], jnp.stack(q[1:], axis=1))
    flows = jnp.concatenate([resting.flows()[:, None], moving], axis=1)
    order, q = len(q) - 1, jnp.stack(q)
    particles = jnp.asarray(jumps.particles, energies.dtype)[:, None]
    currents = [jumps.taken(flows * x[:, None]) for x in (particles, jumps.apart(energies[0]))]
    force = -energies[1]
    spread = (force - sum_over(force * q[0], 0)[None]) * q[0]
    still = lax.stop_gradient((resting.response, q, *currents))
    slowest = jnp.abs(still[0]).max((0, 1))
    lost = jnp.log(jnp.finfo(slowest.dtype).tiny) + order * jnp.log(slowest)
    finite = functools.reduce(jnp.logical_and, (jnp.isfinite(x).all((0, 1)) for x in still))
    found = Local(
        populations=q[:, np.argsort(topology.order)],
        torque=sum_over(force[None] * q, 1),
        particle_currents=dict(zip(topology.names, currents[0])),
        energy_currents=dict(zip(topology.names, currents[1])),
        inertia=-sum_over(force * resting.answer(q[1]), 0),
        noise=-2 * sum_over(force * resting.answer(spread), 0),
        status=first((resting.status > 0, resting.status), (~finite, Status.UNTRUSTED)),
    )
    return found, lost


def _velocity_series(up, down, resting, order):
    """The populations q_k, of whose Taylor coefficients in the angle W_0 q_k[m] = (m + 1) q_(k-1)[m
    + 1] - sum_j W_j q_k[m - j]."""
    jumps, rows = resting.jumps, []
    for k in range(order + 1):
        row = [] if k else [resting.populations]
        for m in range(len(row), order - k + 1):
            terms = [-jumps.flows(up[j], down[j], row[m - j]) for j in range(1, m + 1)]
            known = [(m + 1) * rows[k - 1][m + 1]] if k else []
            if terms:
                known.append(jumps.brought(add(terms)))
            row.append(resting.answer(add(known)))
        rows.append(row)
    return [row[0] for row in rows]
