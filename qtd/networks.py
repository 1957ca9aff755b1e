"""Rate networks: levels, the jumps between them, and which reservoir drives each jump."""

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee

from ._numerics.indexing import add_at, take
from ._numerics.validation import as_real, check, nonnegative
from .reservoirs import AbstractReservoir

__all__ = ["RateNetwork", "rate_matrix"]


class RateNetwork(eqx.Module):
    r"""A device whose state jumps between levels, each jump driven by one of several reservoirs.

    $$ \dot p_a = \sum_b W_{ab}\, p_b, \qquad W_{ab} = \sum_r |A^r_{ab}|^2\, \gamma_r(E_a - E_b) \quad (a \ne b) $$

    - `energies`: (levels,), one energy unit, any order and sign. List the levels from low to high where you can: the first one is
      eliminated last, and if it is the lowest nothing underflows however cold the reservoirs are.
    - `jumps`: tuples `(reservoir, a, b, strength)`. a and b are levels, or equally long arrays of levels; `strength` is the
      squared matrix element >= 0. Each entry stands for the jump and its reverse. Between degenerate levels the strength is
      the sum over the pairs of their states.
    - `reservoirs`: by name; each must drive at least one jump or it carries no current.
    - `particles`: particle number of each level (static integers), for reservoirs that exchange them; 0 by default.
    - `degeneracies`: number of states in each level (static integers), 1 by default. The rate out of a level is an average over
      its states, so the rates up and down differ by the ratio of the degeneracies and detailed balance holds with it.

    The connectivity is static; energies, strengths and reservoirs are traced. Raises `ValueError` for unknown reservoirs or levels,
    jumps from a level to itself, and levels that no jump connects (the steady state would not be unique).
    """

    energies: Float[Array, " levels"]
    strengths: dict[str, Float[Array, " jumps"]]
    reservoirs: dict[str, AbstractReservoir]
    topology: "Topology" = eqx.field(static=True)

    def __init__(
        self,
        energies: ArrayLike | Sequence[ArrayLike],
        jumps: Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike]],
        reservoirs: Mapping[str, AbstractReservoir],
        particles: Sequence[int] | None = None,
        degeneracies: Sequence[int] | None = None,
    ):
        self.energies = as_real(energies, "energies")
        if self.energies.ndim != 1 or self.energies.shape[0] < 2:
            raise ValueError(f"`energies` must list at least two levels, got shape {self.energies.shape}.")
        self.reservoirs = dict(reservoirs)
        pairs, strengths = {name: [] for name in reservoirs}, {name: [] for name in reservoirs}
        for jump in jumps:
            if len(jump) != 4:
                raise ValueError(f"`jumps` must hold tuples (reservoir, level, level, strength), got {jump!r}.")
            name, a, b, strength = jump
            if name not in pairs:
                raise ValueError(f"`jumps` names the reservoir {name!r}; `reservoirs` has {', '.join(map(repr, pairs))}.")
            pair = np.stack(np.broadcast_arrays(np.atleast_1d(a), np.atleast_1d(b)), axis=1)
            pairs[name].append(pair)
            strengths[name].append(jnp.broadcast_to(as_real(strength, "strength").astype(self.energies.dtype), pair.shape[:1]))
        size = self.energies.shape[0]
        self.topology = Topology(
            {name: np.concatenate(found) if found else np.zeros((0, 2), int) for name, found in pairs.items()},
            _static_integers(particles, "particles", size, 0),
            _static_integers(degeneracies, "degeneracies", size, 1),
        )
        self.strengths = {
            name: take(jnp.concatenate(found), self.topology.links[name].permutation) if found else jnp.zeros(0)
            for name, found in strengths.items()
        }

    def __check_init__(self):
        check("energies", self.energies, "any")
        for name, strength in self.strengths.items():
            check(f"strength of a jump of {name!r}", strength, "nonnegative")

    def gaps(self, reservoir: str) -> Float[Array, " jumps"]:
        """Energy of the upper minus the lower level of each jump of a reservoir, in the order of `topology.links`."""
        energies, link = take(self.energies, self.topology.order), self.topology.links[reservoir]
        return take(energies, link.upper) - take(energies, link.lower)

    def quanta(self, reservoir: str, quantity: str) -> Float[Array, " jumps"]:
        """What a jump lower -> upper takes out of the reservoir: "energy", "particles", or "heat" = energy - mu * particles."""
        particles = jnp.asarray(self.topology.links[reservoir].particles, self.energies.dtype)
        if quantity == "particles":
            return particles
        if quantity == "energy":
            return self.gaps(reservoir)
        if quantity == "heat":
            return self.gaps(reservoir) - self.reservoirs[reservoir].chemical_potential * particles
        raise ValueError(f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.')

    def rates(self, reservoir: str) -> tuple[Float[Array, " jumps"], Float[Array, " jumps"]]:
        """Rates lower -> upper and upper -> lower of each jump of a reservoir, in the order of `topology.links`."""
        link, strength = self.topology.links[reservoir], nonnegative(self.strengths[reservoir])
        up, down = self.reservoirs[reservoir].rates(self.gaps(reservoir), link.particles)
        if self.topology.is_degenerate:
            states = jnp.asarray(self.topology.degeneracies, up.dtype)
            return strength * up / take(states, link.lower), strength * down / take(states, link.upper)
        return strength * up, strength * down


class Link:
    """The jumps of one reservoir, sorted by distance and place: positions `lower` < `upper` in the order of elimination."""

    def __init__(self, pairs: np.ndarray, position: np.ndarray, particles: np.ndarray):
        ends = np.sort(position[pairs], axis=1)
        self.permutation = np.lexsort((ends[:, 0], ends[:, 1] - ends[:, 0]))  # places in the list that the user gave
        self.lower, self.upper = ends[self.permutation].T
        self.signs = np.where(position[pairs[:, 0]] < position[pairs[:, 1]], 1, -1)[self.permutation]  # of the user's a -> b
        self.particles = particles[self.upper] - particles[self.lower]


class Topology:
    """What is static in a network: who is joined to whom, by which reservoir, and in which order levels are eliminated.

    `order[position]` is the level at a position; `links` are the jumps by reservoir; `bandwidth` is the largest distance of a
    jump in that order, on which the cost of every solve depends.
    """

    def __init__(self, pairs: dict[str, np.ndarray], particles: np.ndarray, degeneracies: np.ndarray):
        self.size = len(particles)
        every = np.concatenate([*pairs.values()]).astype(int)
        _check_graph(every, self.size)
        self.order = _elimination_order(every, self.size)
        position = np.argsort(self.order)
        self.particles, self.degeneracies = particles[self.order], degeneracies[self.order]
        self.is_degenerate = bool(np.any(degeneracies != 1))
        self.links = {name: Link(found.astype(int), position, self.particles) for name, found in pairs.items()}
        self.bandwidth = int(np.max(np.abs(np.diff(position[every], axis=1))))
        if self.bandwidth * self.size > _MOST_BAND_ENTRIES:
            raise ValueError(
                f"`jumps` join levels up to {self.bandwidth} places apart among {self.size}: the elimination would need more than"
                f" {_MOST_BAND_ENTRIES} rates. Drop levels that are never populated, or jumps that do not matter."
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
        return self is other or (isinstance(other, Topology) and self._hash == other._hash and self._key == other._key)

    def band(self, values: dict[str, Float[Array, " jumps"]]) -> Float[Array, "b n"]:
        """`band[d-1, k]`: the sum of what belongs to the jumps between positions k and k+d."""
        slots = {name: (link.upper - link.lower - 1) * self.size + link.lower for name, link in self.links.items()}
        flat = sum(add_at(values[name], slot, self.bandwidth * self.size) for name, slot in slots.items())
        return jnp.reshape(jnp.asarray(flat), (self.bandwidth, self.size))


def rate_matrix(network: RateNetwork, reservoir: str | None = None) -> Float[Array, "levels levels"]:
    """The generator W, or the part of it that one reservoir makes: `W[a, b]` is the rate b -> a, columns sum to zero."""
    topology, matrix = network.topology, jnp.zeros((network.topology.size,) * 2, network.energies.dtype)
    for name in topology.links if reservoir is None else [reservoir]:
        lower, upper = (topology.order[x] for x in (topology.links[name].lower, topology.links[name].upper))
        up, down = network.rates(name)
        matrix = matrix.at[upper, lower].add(up).at[lower, upper].add(down)
    return matrix - jnp.diag(matrix.sum(axis=0))


_MOST_BAND_ENTRIES = 20_000_000


def _static_integers(values, name, size, default):
    result = np.full(size, default) if values is None else np.asarray(values)
    if result.shape != (size,) or not np.issubdtype(result.dtype, np.integer):
        raise ValueError(f"`{name}` must hold one integer for each of the {size} levels, got {values!r}.")
    if name == "degeneracies" and np.any(result < 1):
        raise ValueError(f"`degeneracies` must be at least 1, got {values!r}.")
    return result.astype(int)


def _check_graph(pairs, size):
    if len(pairs) == 0:
        raise ValueError("`jumps` is empty: without jumps every state is steady.")
    if pairs.min() < 0 or pairs.max() >= size:
        raise ValueError(f"`jumps` names level {pairs.max() if pairs.max() >= size else pairs.min()}; levels are 0 ... {size - 1}.")
    if np.any(pairs[:, 0] == pairs[:, 1]):
        raise ValueError(f"`jumps` joins level {pairs[pairs[:, 0] == pairs[:, 1]][0, 0]} to itself; a jump needs two levels.")
    count, component = connected_components(_adjacency(pairs, size), directed=False)
    if count > 1:
        raise ValueError(
            f"`jumps` leave level {int(np.argmax(component != component[0]))} unreachable from level 0: the steady state is not unique."
            " Connect the levels, or describe each part by a network of its own."
        )


def _elimination_order(pairs, size):
    """The given order, or reverse Cuthill-McKee where that makes the band narrower; level 0 towards the front."""
    given = np.arange(size)
    order = np.asarray(reverse_cuthill_mckee(_adjacency(pairs, size), symmetric_mode=True))
    if np.flatnonzero(order == 0)[0] > size // 2:
        order = order[::-1]
    width = lambda position: np.max(np.abs(np.diff(position[pairs], axis=1)))
    return order if width(np.argsort(order)) < width(given) else given


def _adjacency(pairs, size):
    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T
    return coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size)).tocsr()
