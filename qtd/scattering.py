"""Ballistic conductors: particles, energy, heat and entropy that flow between any reservoirs, and
their noise (Landauer and Buettiker)."""

import functools
from collections.abc import Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from ._numerics.batching import add, alike, settle
from ._numerics.compilation import compiled
from ._numerics.printing import by_name, readable
from ._numerics.quadrature import panels, shaken, unresolved
from ._numerics.special import carried
from ._numerics.validation import is_concrete
from .distributions import difference
from .parameters import checked
from .reservoirs import AbstractReservoir
from .scatterers import AbstractScatterer, squares
from .status import Status, first, raise_if_known
from .systems.base import AbstractState, AbstractSystem, at_rest
from .transmissions import AbstractTransmission

__all__ = ["Conductor", "ConductorState", "Currents", "currents"]


class Conductor(AbstractSystem):
    """Reservoirs joined by transmissions, or by one scatterer between several of them.

    - `links`: tuples `(reservoir, reservoir, transmission)`, each a channel of its own, also where
      their energies overlap.
    - `scatterer`: see `qtd.scatterers`. `reservoirs`: by name, thermal or not, all of fermions or
      all of bosons.
    - `narrow`: each transmission as one point of the weight int T dE, right to O(width^2 / T^2) for
      a `Boxcar`, O(width / T) for lines.

    `transmissions` and `ends` are those of the links; `names` those of the reservoirs in order.
    Raises `ValueError` for unknown names, where fermions meet bosons, and where nothing joins the
    reservoirs.

    An open channel has the conductance 1 / h = 1 / 2 pi, and thermal noise:

    >>> lead = lambda mu: qtd.Reservoir(
    ...     1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0)
    ... )
    >>> open_channel = qtd.transmissions.Boxcar(0.0, width=200.0)
    >>> wire = qtd.scattering.Conductor(
    ...     {"left": lead(0.5), "right": lead(-0.5)}, [("left", "right", open_channel)]
    ... )
    >>> flow = qtd.scattering.currents(wire)
    >>> print(f"{flow.particle_currents['left']:.4f} {flow.particle_noise[0, 0]:.4f}")
    0.1592 0.3183
    """

    reservoirs: dict[str, AbstractReservoir]
    transmissions: tuple[AbstractTransmission, ...]
    scatterer: AbstractScatterer | None
    ends: tuple[tuple[str, str], ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    narrow: bool = eqx.field(static=True)

    def __init__(
        self,
        reservoirs: Mapping[str, AbstractReservoir],
        links: Sequence[tuple[str, str, AbstractTransmission]] = (),
        scatterer: AbstractScatterer | None = None,
        narrow: bool = False,
    ):
        self.reservoirs = dict(reservoirs)
        self.names = tuple(reservoirs)
        self.scatterer = scatterer
        self.narrow = narrow
        self.ends = tuple((a, b) for a, b, _ in links)
        self.transmissions = tuple(t for *_, t in links)
        for a, b in self.ends:
            if a == b or a not in self.reservoirs or b not in self.reservoirs:
                raise ValueError(
                    f"`links` must join two of the reservoirs {', '.join(map(repr, self.names))},"
                    f" got {a!r} and {b!r}."
                )
        unknown = [
            name
            for name, _ in (scatterer.channels if scatterer else ())
            if name not in self.reservoirs
        ]
        if unknown:
            raise ValueError(
                f"`scatterer` leads to {unknown[0]!r}; the reservoirs are"
                f" {', '.join(map(repr, self.names))}."
            )
        if len({reservoir.statistics for reservoir in self.reservoirs.values()}) != 1:
            raise ValueError("`reservoirs` must be all of fermions or all of bosons.")
        if not self.ends and scatterer is None:
            raise ValueError("`links` or `scatterer` must be given: nothing joins the reservoirs.")
        if narrow and scatterer is not None:
            raise ValueError(
                "`narrow` stands for separate resonances: a `scatterer` has no narrow limit."
            )

    @property
    def statistics(self) -> str:
        """ "fermi" or "bose"."""
        return next(iter(self.reservoirs.values())).statistics


class Currents(eqx.Module):
    """What flows per time, positive out of a reservoir, by reservoir: `particle_currents` (energy),
    `energy_currents` and `heat_currents` = energy - mu * particles (energy^2), `entropy_currents`
    (energy); `entropy_production` (energy) of all together. `particle_noise`, `energy_noise` and
    `heat_noise`: zero-frequency covariances (one factor), reservoirs in the order of `names`; NaN
    behind a `TransmissionMatrix`. `status` is 0 where all is well (`qtd.Status`)."""

    particle_currents: dict[str, Float[Array, ""]]
    energy_currents: dict[str, Float[Array, ""]]
    heat_currents: dict[str, Float[Array, ""]]
    entropy_currents: dict[str, Float[Array, ""]]
    entropy_production: Float[Array, ""]
    particle_noise: Float[Array, "r r"]
    energy_noise: Float[Array, "r r"]
    heat_noise: Float[Array, "r r"]
    status: Int[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)

    def __repr__(self) -> str:
        rows = by_name("I", self.particle_currents, "particles that leave") + by_name(
            "E", self.energy_currents, "energy that leaves"
        )
        rows += by_name("J", self.heat_currents, "heat current out of") + by_name(
            "S", self.entropy_currents, "entropy that leaves"
        )
        noise = dict(zip(self.names, jnp.diagonal(self.heat_noise)))
        rows += by_name("noise", noise, "noise of the heat current out of")
        return readable(
            self,
            "currents positive out of a reservoir",
            [*rows, ("sigma", self.entropy_production, "entropy production")],
        )


@checked
def currents(conductor: Conductor) -> Currents:
    r"""All stationary currents of a `conductor` and their noise, by quadrature whose points move
    with windows and steps.

    $$ I_a = \frac{1}{h} \sum_b \int dE\, x_a(E)\, T_{ab}(E)\, [f_a(E) - f_b(E)], \qquad x =
       1,\ E,\ E - \mu_a,\ u_a(E) $$

    with h = 2 pi; entropy production sigma = -sum_a I_S,a >= 0. The noise is that of coherent
    scattering, of two reservoirs

    $$ S = \frac{1}{h} \int dE\, x^2 \{ T [f_a (1 \mp f_a) + f_b (1 \mp f_b)] \pm T (1 - T) (f_a -
       f_b)^2 \}. $$

    (upper signs for fermions). Derivatives with respect to centres, widths and edges are exact.
    Bosons must have mu below every coupled energy; at mu = 0 = E their energy and heat are finite,
    and their number, which is not, is NaN (UNCOUNTABLE). Raises `ValueError` where they have not
    (status INVALID_PARAMETER in compiled code), where a scatterer conserves no probability
    (NOT_UNITARY), or stands for something unstable (UNSTABLE), and where an integral is not
    resolved, or the occupations differ where it should end (UNRESOLVED). Where a scatterer has
    lines so narrow that rounding of energies moves a current by more than 1e-9, the status is
    INACCURATE: at a width g around the energy E it does so by about 1e-15 E / g.

    **Source:** Deghi and Bustos-Marun, Eqs. (6), (17)-(19), (C1); Buettiker, Phys. Rev. B 46, 12485
    (1992).
    """
    found = _currents(conductor)
    _require(conductor, found)
    return found


def _require(conductor, found):
    """Raise `ValueError` where it is known that there are no such currents."""
    if (
        conductor.statistics == "bose"
        and is_concrete(found.status)
        and found.status == Status.INVALID_PARAMETER
    ):
        raise ValueError(
            "`chemical_potential` of bosons must lie below every coupled energy; lower it, or move"
            " the windows up."
        )
    if is_concrete(found.status) and found.status == Status.UNRESOLVED:
        raise ValueError(
            "`centers` and `scales` of transmissions and distributions must name every energy"
            " around which they change, and occupations"
            " must agree far above and far below: an integral over energy is not resolved, or does"
            " not end."
        )
    raise_if_known(found.status, Status.NOT_UNITARY, Status.UNSTABLE, Status.INVALID_PARAMETER)


class ConductorState(AbstractState):
    """What flows through a `conductor` at rest: its `currents`. `status` is theirs."""

    conductor: Conductor
    currents: Currents
    status: Int[Array, ""]

    def __init__(self, conductor: Conductor):
        self.conductor, self.currents = conductor, _currents(conductor)
        self.status = self.currents.status

    @property
    def reservoirs(self) -> dict[str, AbstractReservoir]:
        """Reservoirs by name, in the order of the conductor."""
        return {name: self.conductor.reservoirs[name] for name in self.conductor.names}

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean `quantity`, "energy", "particles" or "heat", that leaves `reservoir` per time."""
        return _of(self.currents, quantity, "currents")[reservoir]

    def entropy_current(self, reservoir: str) -> Float[Array, ""]:
        """Entropy that leaves `reservoir`, thermal or not, per time."""
        return self.currents.entropy_currents[reservoir]

    def require(self) -> None:
        """Raise `ValueError` where it is known that there is no such state."""
        _require(self.conductor, self.currents)

    def noise(self, quantity: str) -> Float[Array, "r r"]:
        """Zero-frequency covariances of the currents of `quantity`."""
        return _of(self.currents, quantity, "noise")


at_rest.register(Conductor, ConductorState)


def _of(currents, quantity, what):
    names = {"energy": "energy", "particles": "particle", "heat": "heat"}
    if quantity not in names:
        raise ValueError(f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.')
    return getattr(currents, f"{names[quantity]}_{what}")


@compiled
def _currents(conductor):
    names = conductor.names
    parts: list = [_of_links(conductor, *links) for links in _alike(conductor)]
    lost = moved = jnp.zeros(())
    own = jnp.asarray(int(Status.OK))
    if conductor.scatterer is not None:
        own = conductor.scatterer.status()
        *scattered, lost, moved = _of_scatterer(conductor)
        parts.append(scattered)
    *sums, missed = zip(*parts)
    flows, noise, produced = (add(x) / (2 * jnp.pi) for x in sums)
    not_unitary = lost > 1e-3 * jnp.finfo(lost.dtype).eps ** 0.25
    uncountable, has_none = _uncountable(conductor)
    # Integrals are off by about the square of it; that of a number without end is not resolved by
    # any points.
    unsure = (functools.reduce(jnp.maximum, missed) > 1e-4) & ~uncountable
    illegal = jnp.any(jnp.isnan(flows)) | has_none
    status = first(
        (illegal, Status.INVALID_PARAMETER),
        (own > 0, own),
        (not_unitary, Status.NOT_UNITARY),
        (unsure, Status.UNRESOLVED),
        (uncountable, Status.UNCOUNTABLE),
        (moved > max(1e-9, 1e4 * float(jnp.finfo(flows.dtype).eps)), Status.INACCURATE),
    )
    refused = illegal | (own > 0) | not_unitary | unsure
    flows, noise, produced = (jnp.where(refused, jnp.nan, x) for x in (flows, noise, produced))

    def listed(k):
        return {name: flows[k][i] for i, name in enumerate(names)}

    particles, energies = listed(0), listed(1)
    potentials = {name: conductor.reservoirs[name].chemical_potential for name in names}
    heats = {name: energies[name] - potentials[name] * particles[name] for name in names}
    particles = {
        name: jnp.where(uncountable, jnp.nan, particle) for name, particle in particles.items()
    }
    # `noise` holds that of particles, of energy with particles, and of energy.
    mu = jnp.stack([potentials[name] for name in names])
    heat_noise = noise[2] - (mu[:, None] + mu[None]) * noise[1] + mu[:, None] * mu[None] * noise[0]
    particle_noise = jnp.where(uncountable, jnp.nan, noise[0])
    return Currents(
        particles,
        energies,
        heats,
        listed(2),
        produced,
        particle_noise,
        noise[2],
        heat_noise,
        status,
        names,
    )


def _alike(conductor):
    """Links of one structure together, so that one program serves them all: ends, reservoirs and
    transmissions with stacked numbers."""
    links = [
        ([conductor.reservoirs[name] for name in ends], known)
        for ends, known in zip(conductor.ends, conductor.transmissions)
    ]
    for places in alike(links):
        numbers = [eqx.filter(links[i], eqx.is_inexact_array) for i in places]
        rest = eqx.filter(links[places[0]], eqx.is_inexact_array, inverse=True)
        yield (
            [conductor.ends[i] for i in places],
            jax.tree.map(lambda *x: jnp.stack(x), *numbers),
            rest,
        )


def _of_links(conductor, ends, numbers, rest):
    """The sum of `_of_link` over links that differ in their `numbers` only; the largest of what
    points miss."""
    signs = np.zeros((len(ends), 2, len(conductor.names)))
    for k, pair in enumerate(ends):
        for place, name in enumerate(pair):
            signs[k, place, conductor.names.index(name)] = 1 - 2 * place

    def of_link(numbers, signs):
        reservoirs, transmission = eqx.combine(numbers, rest)
        return _of_link(conductor, reservoirs, transmission, signs)

    *sums, missed = jax.vmap(of_link)(numbers, jnp.asarray(signs))
    return *(x.sum(0) for x in sums), jnp.max(missed)


def _of_link(conductor, pair, transmission, signs):
    """h times the currents of particles, energy and entropy (3, reservoirs), the noise (3,
    reservoirs, reservoirs), and sigma; and how much the points miss, as in `unresolved`. `pair`:
    the reservoirs at the ends, of which `signs` (ends, reservoirs) has 1 and -1."""
    missed = jnp.zeros(())
    if conductor.narrow:
        center, weight, square = transmission.narrow()
        energy = center[None]
        weight = weight[None]
        square = square[None]
    else:
        energy, weights, missed = _points(
            conductor, pair, transmission.window(), transmission.breaks()
        )
        passed = transmission(energy)
        weight, square = weights * passed, weights * passed**2
    # Settled: every sum below would compute them again.
    logits = [settle(reservoir.logit(energy)) for reservoir in pair]
    shares = [reservoir.shares(energy) for reservoir in pair]
    known = [(settle(filled), settle(empty)) for filled, empty in shares]
    gap = difference(logits[0], logits[1], conductor.statistics, (known[0], known[1]))
    flow = settle(weight * gap)
    signs = signs.astype(energy.dtype)
    sign = signs.sum(0)
    # Of a full or empty reservoir that of its partner is infinite, and that of others 0.
    entropy = add(
        jnp.where(end != 0, end * carried(x, flow).sum(), 0.0) for end, x in zip(signs, logits)
    )
    spread = add(f * other for f, other in known)
    sort = 1 if conductor.statistics == "fermi" else -1
    power = settle(weight * spread + sort * (weight - square) * gap**2)
    outer = sign[:, None] * sign[None]
    noise = jnp.stack([outer * (energy**k * power).sum() for k in range(3)])
    produced = carried(logits[1] - logits[0], flow).sum()
    missed = (
        missed
        if conductor.narrow
        else jnp.maximum(missed, unresolved(lax.stop_gradient(jnp.stack([flow, power]))))
    )
    return (
        jnp.stack([sign * flow.sum(), sign * (energy * flow).sum(), entropy]),
        noise,
        produced,
        missed,
    )


def _of_scatterer(conductor):
    """The same for a scatterer, by how much it fails to conserve probability, and how far rounding
    of energies moves its currents."""
    scatterer, names = conductor.scatterer, conductor.names
    owners = np.concatenate(
        [np.full(count, names.index(name)) for name, count in scatterer.channels]
    )
    coupled = [conductor.reservoirs[name] for name, _ in scatterer.channels]
    energy, weights, missed = _points(conductor, coupled, None, scatterer.breaks())
    similar = scatterer.similar(energy)
    probabilities = scatterer.probabilities(energy) if similar is None else squares(similar)
    belongs = jnp.asarray(np.eye(len(names))[owners], energy.dtype)  # (channels, reservoirs)
    passed = jnp.einsum("abp,ai,bj->ijp", probabilities, belongs, belongs)  # from j to i
    logits = jnp.stack([conductor.reservoirs[name].logit(energy) for name in names])
    filled, others = (
        jnp.stack(x) for x in zip(*(conductor.reservoirs[name].shares(energy) for name in names))
    )
    of_both = (filled[:, None], others[:, None]), (filled[None], others[None])
    gaps = difference(logits[:, None], logits[None], conductor.statistics, of_both)
    density = (passed * gaps).sum(1)
    flow = weights[None] * density
    flows = jnp.stack([flow.sum(1), (energy[None] * flow).sum(1), carried(logits, flow).sum(1)])
    missed = jnp.maximum(missed, unresolved(lax.stop_gradient(flow)))
    moved = shaken(
        *lax.stop_gradient((energy, weights, jnp.concatenate([density, energy[None] * density])))
    )
    lost = (
        jnp.zeros(())
        if scatterer.by_construction
        else _lost(passed, probabilities if similar else None)
    )
    if similar is None:
        return (
            flows,
            jnp.full((3, len(names), len(names)), jnp.nan, energy.dtype),
            -flows[2].sum(),
            missed,
            lost,
            moved,
        )
    noise = _scattered_noise(energy, weights, similar, filled[owners], others[owners], belongs)
    return flows, noise, -flows[2].sum(), missed, lost, moved


def _lost(passed, probabilities):
    """Differences by which the probabilities into and out of a reservoir differ, those of
    amplitudes do not add up to 1, or one is negative."""
    sizes = [jnp.max(jnp.abs(passed.sum(0) - passed.sum(1))), -jnp.min(passed)]
    if probabilities is not None:
        sizes.append(jnp.max(jnp.abs(probabilities.sum(0) - 1)))
    return jnp.max(jnp.stack(sizes))


def _scattered_noise(energy, weights, similar, f, other, belongs):
    """int dE E^n sum_kl A_kl(i) A_lk(j) f_k (1 -+ f_l), with A_kl(i) = delta_ik delta_il -
    conj(s_ik) s_il of each channel i, the first s of two that are `similar`, and `other` 1 -+
    f."""
    left, right = (lax.complex(*parts) for parts in similar)
    unit = jnp.eye(len(f), dtype=energy.dtype)
    ones = jnp.einsum("ik,il->ikl", unit, unit)[..., None].astype(left.dtype)
    a = ones - left.conj()[:, :, None] * right[:, None]
    pairs = (f[:, None] * other[None] + f[None] * other[:, None]) / 2
    power = jnp.einsum("iklp,jlkp,klp->ijp", a, a, pairs.astype(a.dtype)).real
    power = jnp.einsum("ijp,ia,jb->abp", power * weights[None, None], belongs, belongs)
    return jnp.stack([(power * (energy**k)[None, None]).sum(-1) for k in range(3)])


def _points(conductor, reservoirs, window, breaks):
    """Points and weights where the occupations of these reservoirs differ, as far as double
    precision sees, or in the window; and by how much they differ beyond."""
    of_reservoirs = [
        x
        for reservoir in reservoirs
        for x in (reservoir.breaks() if window is None else reservoir.breaks_within(*window))
    ]
    breaks, known = [*breaks, *of_reservoirs], lax.stop_gradient(jnp.concatenate(of_reservoirs))
    if window is not None:
        low, high = window
        return *panels(low, high, breaks), jnp.zeros(())
    low, high = known.min(), known.max()
    outside = [high + (high - low) / 1000]
    if conductor.statistics == "bose":
        floor = jnp.max(jnp.stack([reservoir.chemical_potential for reservoir in reservoirs]))
        low = jnp.maximum(low, lax.stop_gradient(floor))
    else:
        outside.append(low - (high - low) / 1000)
    filled, empty = (
        jnp.stack(x)
        for x in zip(*(reservoir.shares(jnp.stack(outside)) for reservoir in reservoirs))
    )

    def differ(x):
        return x.max(0) - x.min(0)

    beyond = jnp.max(jnp.minimum(differ(filled), differ(empty)))
    return *panels(low, high, breaks), 1e4 * lax.stop_gradient(beyond)


def _uncountable(conductor):
    """Whether bosons are coupled at the chemical potential, where their number has a pole and no
    integral; and whether that is at an energy other than 0, so that their energy has none
    either."""
    if conductor.statistics == "fermi" or conductor.narrow:
        return jnp.asarray(False), jnp.asarray(False)
    poles = []
    for ends, transmission in zip(conductor.ends, conductor.transmissions):
        floor = jnp.max(jnp.stack([conductor.reservoirs[name].chemical_potential for name in ends]))
        window = transmission.window()
        meets = transmission(floor[None])[0] > 0 if window is None else window[0] == floor
        poles.append((meets, meets & (floor != 0)))
    if conductor.scatterer is not None:
        floor = jnp.max(
            jnp.stack(
                [
                    conductor.reservoirs[name].chemical_potential
                    for name, _ in conductor.scatterer.channels
                ]
            )
        )
        passed = conductor.scatterer.probabilities(floor[None])[..., 0]
        owners = np.repeat(
            np.arange(len(conductor.scatterer.channels)),
            [count for _, count in conductor.scatterer.channels],
        )
        meets = jnp.any(jnp.where(owners[:, None] == owners[None], 0.0, passed) > 0)
        poles.append((meets, meets & (floor != 0)))

    def either(found):
        return functools.reduce(jnp.logical_or, found, jnp.asarray(False))

    return either([meets for meets, _ in poles]), either([none for _, none in poles])
