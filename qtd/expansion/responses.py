r"""Expansion around equilibrium in the velocity, potentials and temperatures together, to any total
order.

With x = (v, mu_1 - mu_0, T_1 - T_0, ...) and powers alpha = (n_v, n_V1, n_T1, ...), any quantity is
sum_alpha R^alpha x^alpha. Populations are expanded in the angle as well, sum_(k, j, m) q_k[j, m]
v^k theta^j s^m with s the sources, and W q = v dq/dtheta reads

$$ W_0\, q_k[j, m] = (j + 1)\, q_{k-1}[j + 1, m] - \sum_{(i, l) \ne 0} W[i, l]\, q_k[j - i, m -
   l] $$

The first law holds for every alpha: sum_r (J_r^alpha + I_r^(alpha - V_r)) = F^(alpha - v).
**Source:** Bustos-Marun and Calvo, Eqs. (22)-(25), (37)-(46), as coefficients of powers, currents
positive out of a reservoir.
"""

import functools
import itertools
import operator
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Int

from .._numerics.batching import add
from .._numerics.compilation import compiled
from .._numerics.jax_internals.taylor import taylor
from .._numerics.printing import readable
from .._numerics.quadrature import gauss
from .._numerics.validation import as_scalar, is_concrete, where_legal, whole
from ..status import Status, first, raise_if_known
from ._driven import Jumps, Network, as_asked, described, gained, integrals, panel_edges
from ._resting import Resting, generator
from .turns import Cycle

__all__ = ["Responses", "responses"]

Powers = tuple[int, ...]


class Responses(eqx.Module):
    """Integrals over a cycle by powers of the sources: `torque`, and by reservoir `particles`,
    `energy` and `heat`, positive out of it.

    `powers[i]` are the exponents of `variables`, "velocity" and paths such as
    "left.chemical_potential", that entry i of every array belongs to. `temperature` and
    `chemical_potential` are those of the equilibrium. `error` and `status` as in `Coefficients`.
    """

    torque: Float[Array, " terms"]
    particles: dict[str, Float[Array, " terms"]]
    energy: dict[str, Float[Array, " terms"]]
    heat: dict[str, Float[Array, " terms"]]
    temperature: Float[Array, ""]
    chemical_potential: Float[Array, ""]
    error: Float[Array, ""]
    status: Int[Array, ""]
    variables: tuple[str, ...] = eqx.field(static=True)
    powers: tuple[Powers, ...] = eqx.field(static=True)

    def __repr__(self) -> str:
        rows = [
            ("T", self.temperature, "of the equilibrium"),
            ("mu", self.chemical_potential, "of the equilibrium"),
        ]
        for i, powers in enumerate(
            self.powers if is_concrete(self) and self.torque.ndim == 1 else ()
        ):
            name = (
                " ".join(
                    f"{variable}^{n}" if n > 1 else variable
                    for variable, n in zip(self.variables, powers)
                    if n
                )
                or "1"
            )
            rows.append(
                (name, jnp.stack([self.torque[i], *(x[i] for x in self.heat.values())]), "")
            )
        rows += [("error", self.error, "estimated, relative"), ("status", self.status, "0: fine")]
        return readable(
            self, f"torque and heat out of {', '.join(self.heat)}, by powers of the sources", rows
        )

    def index(self, **powers: int) -> int:
        """The place where the term with these `powers` stands, such as
        `index(**{"velocity": 1, "left.temperature": 1})`; those not named are 0."""
        unknown = set(powers) - set(self.variables)
        wanted = tuple(powers.get(name, 0) for name in self.variables)
        if unknown or wanted not in self.powers:
            raise ValueError(
                f"`powers` must name {', '.join(self.variables)} with a total up to"
                f" {max(map(sum, self.powers))}, got {powers!r}."
            )
        return self.powers.index(wanted)

    def cycle(self, velocity: ArrayLike, deviations: Mapping[str, ArrayLike]) -> Cycle:
        """Torque, particles, energy and heat of a turn at this `velocity` and these deviations from
        equilibrium, order by order.

        `deviations` by path, such as `{"left.chemical_potential": 0.1}`. Torque and particles to
        one order less than energy and heat, as they are multiplied by velocity and potential: so
        the sums conserve energy, and efficiencies are those of Eqs. (45), (46).
        """
        unknown = set(deviations) - set(self.variables[1:])
        if unknown:
            raise ValueError(
                f"`deviations` must name some of {', '.join(self.variables[1:])}, got"
                f" {sorted(unknown)!r}."
            )
        asked = [
            as_scalar(velocity, "velocity"),
            *(as_scalar(deviations.get(x, 0.0), x) for x in self.variables[1:]),
        ]
        moved = jnp.stack(asked).astype(self.torque.dtype)
        monomials = jnp.stack([_monomial(moved, a) for a in self.powers])
        totals = np.array([sum(a) for a in self.powers])
        lower = jnp.where(totals < totals.max(), monomials, 0)

        def total(currents, terms):
            return {name: current @ terms for name, current in currents.items()}

        particles = total(self.particles, lower)
        energy = total(self.energy, monomials)
        heat = total(self.heat, monomials)
        return Cycle(
            moved[0], self.torque @ lower, particles, energy, heat, self.error, self.status
        )


def responses(
    network: Network,
    temperature: ArrayLike,
    chemical_potential: ArrayLike = 0.0,
    order: int = 2,
    panels: int | None = None,
) -> Responses:
    """Integrals over the cycle of torque and currents, as coefficients of all powers of velocity,
    potentials and temperatures.

    Around the equilibrium in which all reservoirs have this `temperature` > 0 and
    `chemical_potential`, whatever those of the `network`; powers add up to at most `order`.
    `panels` as in `coefficients`.
    """
    whole(order, "order", 0)
    temperature = as_asked(network, temperature, "temperature")
    potential = as_asked(network, chemical_potential, "chemical_potential")
    temperature = where_legal(
        temperature, lambda x: x > 0, lambda x: f"`temperature` must be positive, got {float(x)}."
    )
    found = _responses(
        network, temperature, potential, order, panels or (48 if is_concrete(network) else 96)
    )
    if panels is None and is_concrete(found.error) and found.error > 1e-9:
        found = _responses(network, temperature, potential, order, 384)
    raise_if_known(found.status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)
    return found


@compiled
def _responses(network, temperature, potential, order, panels):
    shifted = jax.tree_util.Partial(_shifted, network, temperature, potential)
    resting = jax.tree_util.Partial(shifted, heating=0.0, bias=0.0)
    angles, weights, tails = gauss(panel_edges(resting, panels))
    torque, particles, energy, status = _at(shifted, angles, temperature, order)
    names = network(angles[0]).topology.names
    values, error = integrals(
        [torque, *jnp.moveaxis(particles, 1, 0), *jnp.moveaxis(energy, 1, 0)], weights, tails
    )
    particles, energy = dict(zip(names, values[1:])), dict(zip(names, values[1 + len(names) :]))
    variables = (
        "velocity",
        *(f"{name}.{kind}" for name in names for kind in ("chemical_potential", "temperature")),
    )
    powers = _powers(len(variables), order)
    heat = {}
    for i, name in enumerate(names):  # J = E - (mu_0 + V) I
        fewer = [powers.index(_less(a, 1 + 2 * i)) if a[1 + 2 * i] else len(powers) for a in powers]
        padded = jnp.append(particles[name], 0.0)
        heat[name] = energy[name] - potential * particles[name] - padded[np.array(fewer)]
    status = first((jnp.any(status > 0), jnp.max(status)), (~(error <= 1e-6), Status.UNRESOLVED))
    return Responses(
        values[0], particles, energy, heat, temperature, potential, error, status, variables, powers
    )


def _shifted(network, temperature, potential, angle, heating, bias):
    """The network at an angle, all its reservoirs at the temperature and potential of equilibrium
    and what is added to them."""
    at = network(angle)

    def where(n):
        return [x for r in n.reservoirs.values() for x in (r.temperature, r.chemical_potential)]

    return eqx.tree_at(where, at, [temperature + heating, potential + bias] * len(at.reservoirs))


def _at(shifted, angles, temperature, order):
    """Coefficients at some angles: torque, and particles and energy by reservoir, for every power
    of velocity and sources; and a status."""
    topology = shifted(angles[0], 0.0, 0.0).topology
    names = topology.names
    jumps = Jumps(topology)
    energies, up, down = _rates(shifted, angles, temperature, order)
    resting = Resting(jumps, up[0], down[0])
    rates = jax.vmap(jumps.matrices, out_axes=0)(jnp.concatenate([up, down], axis=1))
    # Each reservoir's rates, [j, n_V, n_T], at their places among the powers of the angle and all
    # sources.
    joint = _powers(1 + 2 * len(names), order)
    spread = np.zeros((len(names), len(joint), len(rates)))
    for r, (i, own) in itertools.product(range(len(names)), enumerate(_powers(3, order))):
        sources = [0] * (2 * len(names))
        sources[2 * r : 2 * r + 2] = own[1:]
        spread[r, joint.index((own[0], *sources)), i] = 1
    rates = jnp.einsum("rai,irbcp->arbcp", jnp.asarray(spread, energies.dtype), rates)
    q = _expanded(generator(rates.sum(1)), resting.populations, resting.response, joint, order)
    # At this angle, so with sources only. The first power is that of the velocity from here on: the
    # order of q.
    still = np.array([a[0] == 0 for a in joint])
    at_angle = jnp.stack([q[a[0]][joint.index((0, *a[1:]))] for a in joint])
    charges = jnp.asarray(topology.particles, energies.dtype)[:, None], energies[0]
    flows = [
        _convolved(jnp.where(still[:, None, None, None], gained(rates, x), 0), at_angle, joint)
        for x in charges
    ]
    return -jnp.einsum("anp,np->ap", at_angle, energies[1]), *flows, resting.status


def _rates(shifted, angles, temperature, order):
    """Taylor coefficients of the energies in the angle, and of the rates up and down of all jumps
    in the angle, and in the potential and the temperature of their reservoirs.

    Univariate Taylor arithmetic along more directions than there are coefficients, which are then
    interpolated (Griewank, Utke and Walther, Math. Comp. 69, 1117 (2000)); in units in which all
    are of similar size.
    """

    def levels(angle):
        return shifted(angle, 0.0, 0.0).energies

    slopes = jax.vmap(jax.jacfwd(levels))(lax.stop_gradient(angles))
    swift = temperature / (temperature + jnp.abs(slopes).max(1))
    unit = lax.stop_gradient(jnp.stack([swift, *[jnp.full_like(swift, 1) * temperature] * 2]))
    powers, top = _powers(3, order), max(order, 1)
    count = 2 * len([a for a in powers if sum(a) == order]) if order else 1
    directions = np.random.default_rng(0).normal(size=(count, 3))
    directions = np.concatenate(
        [[[1.0, 0.0, 0.0]], directions / np.abs(directions).max(1, keepdims=True)]
    )
    # Points are directions and angles: series [order, direction and angle] of what is added to
    # angle, potential and temperature.
    steps = jnp.asarray(directions.T, angles.dtype)[:, :, None] * unit[:, None]
    zeros = jnp.zeros_like(steps[0])
    base = [jnp.broadcast_to(angles, zeros.shape), zeros, zeros]
    inputs = [jnp.stack([x, step, *[zeros] * (top - 1)]) for x, step in zip(base, steps)]

    def along(*points):
        return described(lambda angle, v, t: shifted(angle, t, v), *points)

    values = taylor(along, *(x.reshape(len(x), -1) for x in inputs))
    # (orders, levels or jumps, directions, angles).
    values = [x.reshape(*x.shape[:2], *zeros.shape) for x in values]
    energies = jnp.stack([values[0][k][:, 0] / unit[:1] ** k for k in range(2)])
    rates = [[] for _ in values[1:]]
    for a in powers:
        k = sum(a)
        same = [b for b in powers if sum(b) == k]
        monomials = np.array([[np.prod(d ** np.array(b)) for b in same] for d in directions])
        row = jnp.asarray(np.linalg.pinv(monomials)[same.index(a)], angles.dtype)
        scale = 1 / _monomial(unit, a)[None]
        for found, along_all in zip(rates, values[1:]):
            found.append(scale * jnp.einsum("d,ndp->np", row, along_all[k]))
    return energies, *map(jnp.stack, rates)


def _expanded(generators, resting, solving, joint, order):
    """q[k]: (powers of angle and sources, levels, points), those of total degree up to order - k;
    the others are 0."""
    unknown = []
    for k in range(order + 1):
        q = jnp.zeros((len(joint), *resting.shape), resting.dtype)
        if not k:
            q = q.at[0].set(resting)
        for degree in range(0 if k else 1, order - k + 1):
            places = [i for i, a in enumerate(joint) if sum(a) == degree]
            terms = []
            if degree:
                terms.append(-_convolved(generators, q, joint, places))
            if k:
                higher = np.array([joint.index((joint[i][0] + 1, *joint[i][1:])) for i in places])
                factors = jnp.asarray([joint[i][0] + 1 for i in places], q.dtype)
                terms.append(factors[:, None, None] * unknown[k - 1][higher])
            q = q.at[np.array(places)].set(jnp.einsum("bcp,acp->abp", solving, add(terms)))
        unknown.append(q)
    return unknown


def _convolved(left, right, powers, places=None):
    """Coefficients of the product of two polynomials, of matrices (or rows by reservoir) and of
    vectors; at some places, or all.

    For places that are not known yet, which must be 0, this is the sum over those that are.
    """
    places = range(len(powers)) if places is None else places
    known = {a: i for i, a in enumerate(powers)}
    pairs = [
        (known[one], known[other], i)
        for i, c in enumerate(powers[p] for p in places)
        for one, other in _splits(c)
    ]
    a, b, c = np.array(pairs).T
    terms = jnp.einsum("xrbp,xbp->xrp", left[a], right[b])
    return jax.ops.segment_sum(terms, c, len(places))


def _splits(powers: Powers):
    for left in itertools.product(*(range(n + 1) for n in powers)):
        yield left, tuple(n - m for n, m in zip(powers, left))


@functools.cache
def _powers(variables: int, order: int) -> tuple[Powers, ...]:
    """All exponents with a total up to `order`, by total."""
    found = itertools.product(range(order + 1), repeat=variables)
    return tuple(
        sorted((a for a in found if sum(a) <= order), key=lambda a: (sum(a), tuple(-x for x in a)))
    )


def _monomial(x, powers: Powers):
    return functools.reduce(
        operator.mul, [x[i] ** n for i, n in enumerate(powers) if n], jnp.ones_like(x[0])
    )


def _less(powers: Powers, place: int) -> Powers:
    return (*powers[:place], powers[place] - 1, *powers[place + 1 :])
