"""Rate networks: levels, the jumps between them, and which reservoir drives each jump."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ._numerics.batching import add, at_every, follow, settle, together
from ._numerics.graphs import bridges, groups, narrow_order
from ._numerics.ladders import rounded_once, shift
from ._numerics.linear_map import LinearMap
from ._numerics.modules import parameter
from ._numerics.validation import as_real, check, nonnegative
from .reservoirs import AbstractReservoir
from .systems.base import AbstractSystem

__all__ = ["RateNetwork", "rate_matrix"]


class RateNetwork(AbstractSystem):
    r"""A device whose state jumps between levels, each jump driven by one of several reservoirs.

    $$ \dot p_a = \sum_b W_{ab}\, p_b, \qquad W_{ab} = \sum_r |A^r_{ab}|^2\, \gamma_r(E_a -
       E_b) \quad (a \ne b) $$

    - `energies`: (levels,), one energy unit, any order and sign. List the levels from low to high
      where you can: the first one is eliminated last, and if it is the lowest nothing underflows
      however cold the reservoirs are.
    - `jumps`: tuples `(reservoir, a, b, strength)`. a and b are levels, or equally long arrays of
      levels; `strength` is the squared matrix element >= 0. Each entry stands for the jump and its
      reverse. Between degenerate levels the strength is the sum over the pairs of their states.
    - `reservoirs`: by name; each must drive at least one jump or it carries no current.
    - `particles`: particle number of each level (static integers), for reservoirs that exchange
      them; 0 by default.
    - `degeneracies`: number of states in each level (static integers), 1 by default. The rate out
      of a level is an average over its states, so the rates up and down differ by the ratio of the
      degeneracies and detailed balance holds with it.

    The connectivity, `topology`, is static; energies, `strengths` (by reservoir, in the order
    given) and reservoirs are traced. Raises `ValueError` for unknown reservoirs or levels, jumps
    from a level to itself, and levels that no jump connects (the steady state would not be unique).

    One level between two leads, empty or filled:

    >>> lead = lambda mu: qtd.Reservoir(
    ...     1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0)
    ... )
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork(
    ...     [0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1]
    ... )
    >>> round(float(qtd.operate(dot).particle_currents["left"]), 4)
    0.5
    """

    energies: Float[Array, " levels"] = parameter("any", "E")
    strengths: dict[str, Float[Array, " jumps"]] = parameter(None, "1")
    reservoirs: dict[str, AbstractReservoir]
    topology: "Topology" = eqx.field(static=True)

    def __init__(
        self,
        energies: Any,
        jumps: Sequence[tuple[str, Any, Any, ArrayLike]],
        reservoirs: Mapping[str, AbstractReservoir],
        particles: Sequence[int] | None = None,
        degeneracies: Sequence[int] | None = None,
    ):
        self.energies = as_real(energies, "energies")
        if self.energies.ndim != 1 or self.energies.shape[0] < 2:
            raise ValueError(
                f"`energies` must list at least two levels, got shape {self.energies.shape}."
            )
        if not isinstance(reservoirs, Mapping) or not all(
            isinstance(x, AbstractReservoir) for x in reservoirs.values()
        ):
            raise ValueError(
                "`reservoirs` must be a mapping of names to reservoirs, got"
                f" {' '.join(repr(reservoirs).split())[:80]}."
            )
        if isinstance(jumps, str) or not isinstance(jumps, Iterable):
            raise ValueError(
                "`jumps` must be a list of tuples (reservoir, level, level, strength), got"
                f" {jumps!r}."
            )
        self.reservoirs = dict(reservoirs)
        pairs, strengths = {name: [] for name in reservoirs}, {name: [] for name in reservoirs}
        for jump in jumps:
            if not isinstance(jump, tuple | list) or len(jump) != 4:
                raise ValueError(
                    f"`jumps` must hold tuples (reservoir, level, level, strength), got {jump!r}."
                )
            name, a, b, strength = jump
            if name not in pairs:
                raise ValueError(
                    f"`jumps` names the reservoir {name!r}; `reservoirs` has"
                    f" {', '.join(map(repr, pairs))}."
                )
            pair, strength = _level_pairs(a, b), as_real(strength, "strength")
            if strength.shape not in ((), pair.shape[:1]):
                raise ValueError(
                    f"`jumps` of {name!r} needs one strength or one for each of {len(pair)} jumps,"
                    f" got shape {strength.shape}."
                )
            pairs[name].append(pair)
            strengths[name].append(
                jnp.broadcast_to(strength.astype(self.energies.dtype), pair.shape[:1])
            )
        size = self.energies.shape[0]
        self.topology = Topology(
            {
                name: np.concatenate([np.zeros((0, 2), int), *found])
                for name, found in pairs.items()
            },
            _static_integers(particles, "particles", size, 0),
            _static_integers(degeneracies, "degeneracies", size, 1),
        )
        for slot in self.topology.slots:
            is_fermionic = self.reservoirs[slot.reservoir].statistics == "fermi"
            if is_fermionic and np.any(np.abs(slot.particles) != 1):
                raise ValueError(
                    "`particles` must change by one in every jump of the fermionic reservoir"
                    f" {slot.reservoir!r}."
                )
        self.strengths = {
            name: jnp.concatenate(found) if found else jnp.zeros(0)
            for name, found in strengths.items()
        }

    def rules(self) -> None:
        for name, strength in self.strengths.items():
            check(f"strength of a jump of {name!r}", strength, "nonnegative")

    def per_jump(
        self, diagonal: "Diagonal", values: Float[Array, " jumps"]
    ) -> Float[Array, " levels"]:
        """`values` given for each jump of a reservoir, in the user's order, at the levels of a
        `diagonal`; 0 where it has no jump."""
        return jnp.where(diagonal.jumps >= 0, values[diagonal.jumps], 0)

    @property
    def is_classical(self) -> bool:
        """Yes: it jumps between levels and no more."""
        return True

    def jumps(self) -> list["Jumps"]:
        """Rates and quanta of all jumps, for each of `topology.diagonals`."""
        topology = self.topology
        energies = follow(self.energies, self.energies)[topology.order]
        quanta = [self._quanta(slot, energies) for slot in topology.slots]
        reservoirs = [self.reservoirs[slot.reservoir] for slot in topology.slots]
        at_levels = [at_every(reservoir, topology.size) for reservoir in reservoirs]
        strengths = [self._strengths(diagonal) for diagonal in topology.diagonals]
        # One layout for all, so that no loop over levels copies its operands.
        quanta, at_levels, strengths = together((quanta, at_levels, strengths))
        rates = [self._rates(*each) for each in zip(topology.slots, quanta, at_levels)]
        jumps = []
        for diagonal, (up, down) in zip(topology.diagonals, strengths):
            rate_up, rate_down = rates[diagonal.slot]
            taken = quanta[diagonal.slot]
            jumps.append(Jumps(settle(up * rate_up), settle(down * rate_down), taken))
        return jumps

    def _quanta(self, slot, energies):
        """What the jumps of a slot take out of their reservoir, by quantity."""
        reservoir = self.reservoirs[slot.reservoir]
        gap = energies[slot.upper] - energies[slot.lower]
        particles = jnp.asarray(slot.particles, energies.dtype)
        heat = gap - reservoir.chemical_potential * particles
        quanta = {"energy": gap, "particles": particles, "heat": heat}
        if reservoir.temperature is None:
            quanta["entropy"] = reservoir.entropy(gap, particles)
        return quanta

    def _rates(self, slot, quanta, at_levels):
        """Golden-rule rates, up and down, of the jumps of a slot for unit strengths; `at_levels`
        holds the numbers of its reservoir, once for every level."""
        rest = eqx.filter(self.reservoirs[slot.reservoir], eqx.is_inexact_array, inverse=True)

        def rates(numbers, gap, particles):
            return eqx.combine(numbers, rest).rates(gap, particles)

        exchanged = quanta["particles"] if np.any(slot.particles) else None
        return jax.vmap(rates)(at_levels, quanta["energy"], exchanged)

    def _strengths(self, diagonal):
        """What multiplies the reservoir's rates up and down the jumps of a diagonal."""
        strength = self.per_jump(diagonal, nonnegative(self.strengths[diagonal.reservoir]))
        if not self.topology.is_degenerate:
            return strength, strength
        states = jnp.asarray(self.topology.degeneracies, strength.dtype)
        return strength / states[diagonal.lower], strength / states


class Jumps(NamedTuple):
    """Jumps of one reservoir, at most one down from each level: rates lower -> upper and back, 0
    where there is none, and what an upward jump takes out of the reservoir: "energy", "particles",
    "heat" = energy - mu * particles, and "entropy" of a nonthermal one."""

    up: Float[Array, " levels"]
    down: Float[Array, " levels"]
    quanta: dict[str, Float[Array, " levels"]]


class Slot:
    """Jumps of one reservoir, at most one down from each level: what is done for all of them is
    done level by level.

    Positions are those of the order of elimination. `jumps[k]` is the place, in the user's list for
    the reservoir, of the jump between `lower[k]` and `upper[k] = k`. Where there is none, `jumps`
    is -1, and the other entries repeat a jump that exists, so that its rates are legal numbers.
    """

    def __init__(self, reservoir: str, jumps: np.ndarray, lower: np.ndarray, particles: np.ndarray):
        exists = np.flatnonzero(jumps >= 0)
        stand_in = exists[
            np.clip(np.searchsorted(exists, np.arange(len(jumps))), 0, len(exists) - 1)
        ]
        self.reservoir, self.jumps = reservoir, jumps
        self.lower, self.upper = lower[stand_in], stand_in
        self.particles = particles[self.upper] - particles[self.lower]


class Diagonal(NamedTuple):
    """The jumps of a slot over one distance, so that lower levels are reached by a shift; or, where
    the slot has too many distances for that, all its jumps (`distance` None). `jumps` and `lower`
    as in the slot, -1 and anything where there is no such jump."""

    reservoir: str
    slot: int
    distance: int | None
    jumps: np.ndarray
    lower: np.ndarray

    @property
    def levels(self) -> np.ndarray:
        """The upper levels of its jumps."""
        return np.flatnonzero(self.jumps >= 0)


class Topology:
    """What is static in a network: who is joined to whom, by which reservoir, and in which order
    levels are eliminated.

    `order[position]` is the level at a position; `slots` and `diagonals` hold the jumps; `ends` are
    the positions of their lower and upper levels, reservoir by reservoir in the order given,
    `drivers` the places in `names` of the reservoirs that drive them, and `cyclic` tells which are
    part of a cycle. `bandwidth` is the largest distance of a jump in that order, on which the cost
    of every solve depends.
    """

    def __repr__(self) -> str:
        return f"Topology({self.size} levels, {', '.join(self.names)})"

    def __init__(
        self, pairs: dict[str, np.ndarray], particles: np.ndarray, degeneracies: np.ndarray
    ):
        self.size, self.names = len(particles), tuple(pairs)
        pairs = {name: found.astype(int) for name, found in pairs.items()}
        every = np.concatenate(list(pairs.values()))
        _check_graph(every, self.size)
        self.order = _elimination_order(every, self.size)
        position = np.argsort(self.order)
        self.bandwidth = int(np.max(np.abs(np.diff(position[every], axis=1))))
        if self.bandwidth * self.size > MOST_BAND_ENTRIES:
            raise ValueError(
                f"`jumps` join levels up to {self.bandwidth} places apart among {self.size}: the"
                " elimination would need more than"
                f" {MOST_BAND_ENTRIES} rates. Drop levels that are never populated, or jumps that"
                " do not matter."
            )
        self.particles, self.degeneracies = particles[self.order], degeneracies[self.order]
        self.is_degenerate = bool(np.any(degeneracies != 1))
        found = bridges(position[every], self.size)
        self.ends = np.sort(position[every], axis=1).T
        self.drivers = np.repeat(np.arange(len(pairs)), [len(x) for x in pairs.values()])
        self.cyclic = ~found
        self._bridges = dict(
            zip(pairs, np.split(found, np.cumsum([len(x) for x in pairs.values()])[:-1]))
        )
        self.slots = tuple(
            slot
            for name, found in pairs.items()
            for slot in _slots(name, position[found], self.particles)
        )
        self.diagonals = tuple(
            diagonal for i, slot in enumerate(self.slots) for diagonal in _diagonals(i, slot)
        )
        self._key = (
            *((name, found.tobytes()) for name, found in pairs.items()),
            particles.tobytes(),
            degeneracies.tobytes(),
        )
        self._hash = hash(self._key)

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        return self is other or (
            isinstance(other, Topology) and self._hash == other._hash and self._key == other._key
        )

    def of(self, reservoir: str) -> list[int]:
        """Which diagonals hold the jumps of a reservoir."""
        return [i for i, diagonal in enumerate(self.diagonals) if diagonal.reservoir == reservoir]

    def lower(self, x: Float[Array, " levels"]) -> list[Float[Array, " levels"]]:
        """Values for each diagonal, x at the lower level of the jump down from each level (anything
        where there is none)."""
        shifted = {
            d: shift(x, d)
            for d in {diagonal.distance for diagonal in self.diagonals}
            if d is not None
        }
        return [
            x[diagonal.lower] if diagonal.distance is None else shifted[diagonal.distance]
            for diagonal in self.diagonals
        ]

    def net(self, flows: Sequence[Float[Array, " levels"]]) -> Float[Array, " levels"]:
        """What flows on the diagonals, counted lower -> upper, bring to each level; the sum at a
        level is rounded only once.

        Between parts of a network that hardly exchange anything, a rounding error in the balance of
        a part would look like an exchange.
        """
        return rounded_once(
            [*flows, *(-self._handed_down(i, flow) for i, flow in enumerate(flows))]
        )

    def on_cycles(
        self, diagonal: "Diagonal", flow: Float[Array, " levels"]
    ) -> Float[Array, " levels"]:
        """The flow on a `diagonal`, 0 where the jump is part of no cycle: at rest nothing flows
        there."""
        is_bridge = (diagonal.jumps >= 0) & self._bridges[diagonal.reservoir][diagonal.jumps]
        return LinearMap(np.diag(1.0 - is_bridge))(flow) if is_bridge.any() else flow

    def hand_down(self, values: Mapping[int, Float[Array, " levels"]]) -> Float[Array, " levels"]:
        """Sums at each level, the sum of what belongs to the jumps down to it, `values` by
        diagonal: the transpose of `lower`."""
        return add(self._handed_down(i, value) for i, value in values.items())

    def band(self, values: Sequence[Float[Array, " levels"]]) -> dict[int, Float[Array, " levels"]]:
        """Bands by distance: the sum over diagonals of what belongs to the jump between k and k -
        distance."""
        rows, scattered = {}, None
        for diagonal, value in zip(self.diagonals, values):
            if (d := diagonal.distance) is not None:
                rows[d] = rows[d] + value if d in rows else value
                continue
            empty = (
                jnp.zeros((self.bandwidth, self.size), value.dtype)
                if scattered is None
                else scattered
            )
            levels = diagonal.levels
            scattered = empty.at[levels - diagonal.lower[levels] - 1, levels].add(value[levels])
        if scattered is not None:
            rows = {
                d: rows[d] + row if d in rows else row for d, row in enumerate(scattered, start=1)
            }
        return rows

    def _handed_down(self, i, value):
        diagonal = self.diagonals[i]
        if diagonal.distance is not None:
            return shift(value, -diagonal.distance)
        return jnp.zeros_like(value).at[diagonal.lower[diagonal.levels]].add(value[diagonal.levels])


def rate_matrix(
    network: RateNetwork, reservoir: str | None = None
) -> Float[Array, "levels levels"]:
    """The generator W of `network`, or the part of it that one `reservoir` makes: `W[a, b]` is the
    rate b -> a, columns sum to zero.

    >>> lead = lambda mu: qtd.Reservoir(
    ...     1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0)
    ... )
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork(
    ...     [0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1]
    ... )
    >>> print(qtd.rate_matrix(dot).round(4))
    [[-1.  1.]
     [ 1. -1.]]
    """
    topology = network.topology
    matrix = jnp.zeros((network.topology.size,) * 2, network.energies.dtype)
    for diagonal, (up, down, _) in zip(topology.diagonals, network.jumps()):
        if reservoir in (None, diagonal.reservoir):
            levels = diagonal.levels
            lower, upper = topology.order[diagonal.lower[levels]], topology.order[levels]
            matrix = matrix.at[upper, lower].add(up[levels]).at[lower, upper].add(down[levels])
    return matrix - jnp.diag(matrix.sum(axis=0))


MOST_BAND_ENTRIES = 20_000_000
_FEW = 4  # jumps of a slot over more distances than this are read and added one by one


def _diagonals(number, slot):
    exists = slot.jumps >= 0
    offsets = np.where(exists, slot.upper - slot.lower, 0)
    distances = np.unique(offsets[exists])
    if len(distances) > _FEW:
        yield Diagonal(slot.reservoir, number, None, slot.jumps, slot.lower)
        return
    for distance in distances:
        yield Diagonal(
            slot.reservoir,
            number,
            int(distance),
            np.where(offsets == distance, slot.jumps, -1),
            slot.lower,
        )


def _slots(reservoir, positions, particles):
    """The jumps of a reservoir, given as pairs of positions, dealt into as few slots as the busiest
    level needs."""
    lower, upper = np.sort(positions, axis=1).T
    rank, order = np.zeros(len(upper), int), np.argsort(upper, kind="stable")
    for before, jump in pairwise(order):
        rank[jump] = rank[before] + 1 if upper[before] == upper[jump] else 0
    for number in range(rank.max(initial=-1) + 1):
        chosen = np.flatnonzero(rank == number)
        jumps, below_it = np.full(len(particles), -1), np.zeros(len(particles), int)
        jumps[upper[chosen]], below_it[upper[chosen]] = chosen, lower[chosen]
        yield Slot(reservoir, jumps, below_it, particles)


def _level_pairs(a, b):
    """Pairs of levels from two levels, or two arrays of levels, as given in a jump."""
    ends = [np.atleast_1d(np.asarray(x)) for x in (a, b)]
    if not all(np.issubdtype(x.dtype, np.integer) and x.ndim == 1 for x in ends):
        raise ValueError(
            f"`jumps` must name levels by whole numbers or arrays of them, got {a!r} and {b!r}."
        )
    if len(ends[0]) != len(ends[1]) and 1 not in (len(ends[0]), len(ends[1])):
        raise ValueError(
            f"`jumps` must join equally many levels, got {len(ends[0])} and {len(ends[1])}."
        )
    return np.stack(np.broadcast_arrays(*ends), axis=1)


def _static_integers(values, name, size, default):
    result = np.full(size, default) if values is None else np.asarray(values)
    if result.shape != (size,) or not np.issubdtype(result.dtype, np.integer):
        raise ValueError(
            f"`{name}` must hold one integer for each of the {size} levels, got {values!r}."
        )
    if name == "degeneracies" and np.any(result < 1):
        raise ValueError(f"`degeneracies` must be at least 1, got {values!r}.")
    return result.astype(int)


def _check_graph(pairs, size):
    if len(pairs) == 0:
        raise ValueError("`jumps` is empty: without jumps every state is steady.")
    if pairs.min() < 0 or pairs.max() >= size:
        raise ValueError(
            f"`jumps` names level {pairs.max() if pairs.max() >= size else pairs.min()}; levels are"
            f" 0 ... {size - 1}."
        )
    if np.any(pairs[:, 0] == pairs[:, 1]):
        raise ValueError(
            f"`jumps` joins level {pairs[pairs[:, 0] == pairs[:, 1]][0, 0]} to itself; a jump needs"
            " two levels."
        )
    group = groups(pairs, size)
    if group.max() > 0:
        raise ValueError(
            f"`jumps` leave level {int(np.argmax(group != group[0]))} unreachable from level 0: the"
            " steady state is not unique."
            " Connect the levels, or describe each part by a network of its own."
        )


def _elimination_order(pairs, size):
    """The given order, or reverse Cuthill-McKee where that makes the band narrower; level 0 towards
    the front."""
    given = np.arange(size)
    order = narrow_order(pairs, size)
    if np.flatnonzero(order == 0)[0] > size // 2:
        order = order[::-1]

    def width(position):
        return np.max(np.abs(np.diff(position[pairs], axis=1)))

    return order if width(np.argsort(order)) < width(given) else given
