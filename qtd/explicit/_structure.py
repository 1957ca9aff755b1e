"""What is static in a device with explicit filters: its basis, its operators, and which numbers of
its state are kept."""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from .._numerics.block_elimination import Blocks, levels_apart
from .._numerics.graphs import groups
from .._numerics.linear_map import LinearMap
from .._numerics.sectors import Pattern, Sectors


class Edges(NamedTuple):
    """Jumps of one reservoir between levels `lower` and `upper` of the device, which raise its
    number by `particles`; `resonant`: whether they go by the filter, where that is explicit."""

    name: str
    lower: tuple[int, ...]
    upper: tuple[int, ...]
    particles: tuple[int, ...]
    resonant: tuple[bool, ...]


class Channel(NamedTuple):
    """An operator C by which a `reservoir` acts, from class to class, with the entries of its
    `pattern`: the damping of the filter, where `is_mode`; else jumps of the device, at `edges` of
    the reservoir, which raise its number by `particles`.

    `is_hermitian`: C is the whole of a coupling; else it lowers, and its transposed raises.
    """

    reservoir: str
    is_mode: bool
    edges: tuple[int, ...]
    particles: int
    pattern: Pattern
    is_hermitian: bool


class Direction(NamedTuple):
    """One direction of a channel, `is_up` by its transposed: of which `reservoir`, `channel` by its
    place, and how many `particles` it takes out of the reservoir."""

    reservoir: str
    channel: int
    is_up: bool
    particles: int


class Places(NamedTuple):
    """Where numbers stand: class, row and column, by block; class -1 where there is none."""

    sector: np.ndarray
    row: np.ndarray
    column: np.ndarray

    def at(self, index) -> "Places":
        """The entries at one place of the first axis."""
        return Places(*(x[index] for x in self))

    def rolled(self, shift: int) -> "Places":
        """What stands so many blocks before, nothing where there is no such block."""
        moved = Places(*(np.roll(x, shift, axis=0) for x in self))
        if shift:
            moved.sector[0 if shift > 0 else -1] = -1
        return moved


class Composite:
    """A device of `size` levels with modes of `levels` quanta at most: basis, operators, kept
    numbers.

    `hamiltonian`: entries of H in terms of these coefficients: energies of the levels, energies of
    the modes, then couplings of resonant jumps, in the order of the reservoirs; where it `is_full`
    also with what conserves no quanta, and where it `is_joint` too, operators of the reservoirs act
    up and down together. `channels`: what reservoirs do, and `directions`, each of which takes a
    class to another one, `targets`, from `sources`; `quanta`: how many each of its elements takes
    out of the reservoir, the same for all unless an operator takes and brings them. `sectors`:
    classes of states, of which the density matrix has a block each; `blocks`: the order of
    elimination of its numbers, `number_places`; `trace`: what makes their trace.

    A block X = S + i A, with S symmetric and A antisymmetric, is kept as the real matrix S + A.
    """

    def __init__(
        self,
        size: int,
        edges: tuple[Edges, ...],
        levels: tuple[tuple[str, int], ...],
        is_full: bool,
        is_joint: bool,
    ):
        self.size, self.edges, self.levels = size, edges, levels
        self._is_full, self._is_joint = is_full, is_full and is_joint
        self._key = size, edges, levels, is_full, is_joint
        shape = (size, *(top + 1 for _, top in levels))
        self.basis = np.array(list(itertools.product(*map(range, shape))))
        self._place = np.arange(len(self.basis)).reshape(shape)
        self.dimension = len(self.basis)
        self.hamiltonian, self.couplings = self._hamiltonian()
        channels = [channel for edge in edges for channel in self._channels(edge)]
        jumps = [channel.pattern for channel in channels]
        jumps += [channel.pattern.reversed() for channel in channels if not channel.is_hermitian]
        self.sectors = Sectors(self.dimension, self.hamiltonian, jumps)
        self.channels = tuple(channels)
        self.directions = tuple(
            Direction(channel.reservoir, i, is_up, channel.particles)
            for i, channel in enumerate(channels)
            for is_up in ((False,) if channel.is_hermitian else (False, True))
        )
        ends = [
            (self.sectors.target(channel.pattern), self.sectors.target(channel.pattern.reversed()))
            for channel in channels
        ]
        self.targets = np.stack([ends[x.channel][x.is_up] for x in self.directions])
        self.sources = np.stack([ends[x.channel][not x.is_up] for x in self.directions])
        self.quanta = self._quanta()
        is_there = self.sectors.is_there
        both = is_there[:, :, None] & is_there[:, None, :]
        self.kept = np.flatnonzero(both)
        self.spread = np.full(both.size, len(self.kept))
        self.spread[self.kept] = np.arange(len(self.kept))
        self.blocks = self._blocks()
        self.spread = self.spread.reshape(both.shape)

    def __repr__(self) -> str:
        return (
            f"Composite({self.dimension} states, {len(self.kept)} numbers kept, blocks of"
            f" {self.blocks.width})"
        )

    def __hash__(self):
        return hash(self._key)

    def __eq__(self, other):
        return self is other or (isinstance(other, Composite) and self._key == other._key)

    @property
    def modes(self) -> tuple[str, ...]:
        """Reservoirs whose filters are explicit."""
        return tuple(name for name, _ in self.levels)

    def number(self, mode: int) -> np.ndarray:
        """Quanta in a `mode`, by its place, of each basis state."""
        return self.basis[:, 1 + mode]

    def _states(self, level, mode, quanta):
        """Basis states with the device at a `level` and these `quanta` in a mode."""
        index = [slice(None)] * self._place.ndim
        index[0], index[1 + mode] = level, quanta
        return self._place[tuple(index)].ravel()

    def _hamiltonian(self):
        """Entries of H, and which jumps (reservoir, edge) its last coefficients belong to."""
        states = np.arange(self.dimension)
        entries = [(s, s, 1.0, self.basis[s, 0]) for s in states]
        for mode in range(len(self.levels)):
            number = self.number(mode)
            entries += [(s, s, number[s], self.size + mode) for s in states if number[s]]
        first, couplings = self.size + len(self.levels), []
        for edge in self.edges:
            if edge.name not in self.modes:
                continue
            mode = self.modes.index(edge.name)
            for i in np.flatnonzero(edge.resonant):
                place = first + len(couplings)
                couplings.append((edge.name, int(i)))
                ends = [(edge.lower[i], edge.upper[i])]
                if self._is_full:
                    ends.append((edge.upper[i], edge.lower[i]))
                for low, high in ends:
                    entries += self._exchange(low, high, mode, place)
        return Pattern.of(entries), tuple(couplings)

    def _exchange(self, low, high, mode, place):
        """|low><high| b^+ and its transposed."""
        entries = []
        for n in range(self.levels[mode][1]):
            more, fewer = self._states(low, mode, n + 1), self._states(high, mode, n)
            root = float(np.sqrt(n + 1))
            entries += [(a, b, root, place) for a, b in zip(more, fewer)]
            entries += [(b, a, root, place) for a, b in zip(more, fewer)]
        return entries

    def _channels(self, edge):
        is_explicit = edge.name in self.modes
        if is_explicit:
            mode = self.modes.index(edge.name)
            lowering = [
                (a, b, float(np.sqrt(n + 1)), -1)
                for n in range(self.levels[mode][1])
                for a, b in zip(self._at(mode, n), self._at(mode, n + 1))
            ]
            yield self._channel(edge.name, True, (), 0, lowering)
        left = [
            i for i, is_resonant in enumerate(edge.resonant) if not (is_explicit and is_resonant)
        ]
        # With the whole coupling the jumps of a reservoir act together, else one by one: those
        # that raise the same charges by different energies would make coherence that turns. What
        # takes particles differs from what brings them.
        is_whole = self._is_joint and not any(edge.particles)
        groups = [left] if is_whole and left else [[i] for i in left]
        for group in groups:
            jump = [
                (a, b, 1.0, i)
                for i in group
                for a, b in zip(
                    np.flatnonzero(self.basis[:, 0] == edge.lower[i]),
                    np.flatnonzero(self.basis[:, 0] == edge.upper[i]),
                )
            ]
            particles = edge.particles[group[0]]
            yield self._channel(edge.name, False, tuple(group), particles, jump)

    def _channel(self, name, is_mode, edges, particles, entries):
        is_hermitian = self._is_joint and not particles
        if is_hermitian:
            entries = entries + [(b, a, factor, place) for a, b, factor, place in entries]
        return Channel(name, is_mode, edges, particles, Pattern.of(entries), is_hermitian)

    def _quanta(self):
        """What `quanta` holds."""
        signs = np.array([1.0 if direction.is_up else -1.0 for direction in self.directions])
        signs = signs[:, None, None, None]
        if not any(channel.is_hermitian for channel in self.channels):
            return signs
        signs = np.tile(signs, (1, *self.sectors.is_there.shape, self.sectors.width))
        for i, direction in enumerate(self.directions):
            channel = self.channels[direction.channel]
            if channel.is_hermitian:
                rising = slice(len(channel.pattern.rows) // 2, None)
                rows, columns = channel.pattern.rows[rising], channel.pattern.columns[rising]
                of, slot = self.sectors.of, self.sectors.slot
                signs[i, of[columns], slot[rows], slot[columns]] = 1.0
        return signs

    def _at(self, mode, quanta):
        return np.flatnonzero(self.number(mode) == quanta)

    def _blocks(self):
        sectors = self.sectors
        neighbours = [set() for _ in range(sectors.count)]
        starts = {}
        ground = int(sectors.of[0])
        for direction, targets in zip(self.directions, self.targets):
            for a, b in enumerate(targets):
                if b >= 0 and a != b:
                    neighbours[a].add(int(b))
                    neighbours[int(b)].add(a)
                    starts.setdefault(direction.reservoir, []).append((a, int(b)))
        begin = [[ground]]
        for pairs in starts.values():
            part = groups(np.array(pairs), sectors.count)
            begin.append(np.flatnonzero(part == part[ground]).tolist())
        weights = [int(n) ** 2 for n in sectors.sizes]
        layers = levels_apart(neighbours, weights, begin)
        own = np.repeat(np.arange(sectors.count), sectors.width**2)[self.kept]
        parts = [np.flatnonzero(np.isin(own, layer)) for layer in layers]
        diagonal = np.zeros((sectors.count, sectors.width, sectors.width))
        diagonal[:, range(sectors.width), range(sectors.width)] = 1.0
        trace = diagonal.ravel()[self.kept]
        self.trace = LinearMap(trace)
        blocks = Blocks(parts, trace)
        flat = np.append(self.kept, -1)[blocks.index]
        square = sectors.width**2
        sector = np.where(flat >= 0, flat // square, -1)
        row, column = np.divmod(np.where(flat >= 0, flat % square, 0), sectors.width)
        self.number_places = Places(sector, row, column)
        # The rows that the columns of a block meet stand in the block before it, in itself and in
        # the one after it.
        layers = [self.number_places.rolled(-shift) for shift in (-1, 0, 1)]
        self.rows = Places(*(np.stack(x) for x in zip(*layers)))
        self.meetings = self._meetings(layers)
        return blocks

    def _meetings(self, layers):
        """Which direction takes numbers from blocks into which of the three `layers` about them,
        and the classes that they arrive in: three lists."""
        here, found = self.number_places.sector, []
        for i, targets in enumerate(self.targets):
            arriving = np.where(here >= 0, targets[here], -2)
            arriving[arriving == -1] = -2
            for shift, layer in enumerate(layers):
                if any(np.intersect1d(a, b).size for a, b in zip(layer.sector, arriving)):
                    found.append((i, shift, arriving))
        return tuple(np.array(x) for x in zip(*found))


@functools.lru_cache(maxsize=64)
def composite(
    size: int,
    edges: tuple[Edges, ...],
    levels: tuple[tuple[str, int], ...],
    is_full: bool,
    is_joint: bool,
) -> Composite:
    """The same `Composite` for the same arguments, worked out once."""
    return Composite(size, edges, levels, is_full, is_joint)
