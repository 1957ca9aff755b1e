"""What is static in a hierarchy: which auxiliary operators there are, which of their elements the
populations ever meet, and how these act on one another."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .._numerics.block_elimination import Blocks
from ._correlations import Layout, Series

# Bytes beyond which a hierarchy is refused.
MOST_BYTES = 4e9


class TooLarge(ValueError):
    """A hierarchy that would take too much memory."""


class Depth(NamedTuple):
    """How far a hierarchy goes: the largest number of quanta in all modes together, `tiers`; how
    many `terms` of which `series` stand for the occupation of each reservoir, and how many quanta
    are in all of these together at most, `term_tiers`."""

    tiers: int
    terms: int
    term_tiers: int
    series: Series


class Atoms(NamedTuple):
    """Where the numbers stand that the generator is linear in, as `numbers` in `Hierarchy` puts
    them: elements of H; of A times what a mode is heard by (`up`), excited by from the left and
    from the right; what it feeds; and the decay rate of each auxiliary operator."""

    hamiltonian: int
    up: int
    left: int
    right: int
    feeds: int
    decays: int
    size: int

    @classmethod
    def of(cls, d: int, modes: int, operators: int) -> "Atoms":
        """For d levels and so many modes and auxiliary operators."""
        steps = [d * d, modes * d * d, modes * d * d, modes * d * d, modes, operators]
        return cls(0, *np.cumsum(steps).tolist())


class Tiers:
    """The auxiliary operators of a hierarchy, and the real numbers that it is kept as.

    An auxiliary operator has a number of quanta in each mode, a row of `quanta`; those in
    conjugate modes are one another's adjoints, and so one complex number of such a pair is two real
    ones. Of all elements only those are kept that can meet the populations.

    `hamiltonian`, `couplings`: patterns of what may not vanish in H and, by reservoir, in A;
    `is_real`: whether all of these are real; `layouts` of the modes by reservoir; `depth`.
    """

    def __init__(
        self,
        hamiltonian: np.ndarray,
        couplings: Mapping[str, np.ndarray],
        is_real: bool,
        layouts: Mapping[str, Layout],
        depth: Depth,
    ):
        self.depth, self.names, self.levels = depth, tuple(couplings), len(hamiltonian)
        self._read_layouts(layouts)
        self._key = (
            depth,
            is_real,
            tuple((name, layouts[name], couplings[name].tobytes()) for name in self.names),
            hamiltonian.tobytes(),
        )
        self._hash = hash(self._key)
        self.quanta = _enumerated(depth, self.is_term)
        known = {row.tobytes(): place for place, row in enumerate(self.quanta)}
        self.tier = self.quanta.sum(1)
        self.above = np.full(self.quanta.shape, -1)
        for k in range(len(self.owner)):
            raised = self.quanta.copy()
            raised[:, k] += 1
            self.above[:, k] = [known.get(row.tobytes(), -1) for row in raised]
        conjugate = np.array([known[row.tobytes()] for row in self.quanta[:, self.partner]])
        self.atoms = Atoms.of(self.levels, len(self.owner), len(self.quanta))
        rows, columns, atoms, factors = self._entries(hamiltonian, couplings)
        self._choose(conjugate, rows, columns)
        self._make_real(rows, columns, atoms, factors, is_real)
        self.blocks = self._blocks()

    def __repr__(self) -> str:
        return f"Tiers({len(self.quanta)} auxiliary operators, {self.size} numbers)"

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        return self is other or (isinstance(other, Tiers) and self._key == other._key)

    @property
    def memory(self) -> int:
        """Bytes that a solution takes, in double precision."""
        return _memory(self.blocks.count, self.blocks.width, self.slots.size)

    @property
    def last(self) -> tuple[np.ndarray, np.ndarray]:
        """Whether a number belongs to the last tier; and, of the others, to the last quantum of
        terms."""
        tier = self.tier == self.depth.tiers
        term = self.quanta[:, self.is_term].sum(1) == self.depth.term_tiers
        return tier[self.number_of], (term & ~tier)[self.number_of]

    def heard_of(self, name: str) -> np.ndarray:
        """Which modes of a reservoir `name` the device hears itself."""
        return self.is_heard[self.modes_of[name]]

    def first(self, name: str) -> list[tuple[int, int]]:
        """Modes of a reservoir `name` that are heard, and the auxiliary operators with one quantum
        of them alone."""
        return [(k, self.above[0, k]) for k in self.modes_of[name] if self.is_heard[k]]

    def second(self, name: str, other: str) -> list[tuple[int, int, int]]:
        """Pairs of heard modes of two reservoirs, `name` and `other`, and the auxiliary operators
        with a quantum of each, where there are any."""
        pairs = [
            (k, m, self.above[place, m])
            for k, place in self.first(name)
            for m, _ in self.first(other)
        ]
        return [pair for pair in pairs if pair[2] >= 0]

    def element_map(self, operators: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places of real and imaginary parts of all elements of some auxiliary operators, (n, d,
        d), `size` for what is 0, and signs of the latter."""
        d = self.levels
        nodes = np.asarray(operators)[:, None] * d * d + np.arange(d * d)[None]
        shape = (len(operators), d, d)
        return (
            self._real_place[nodes].reshape(shape),
            self._imaginary_place[nodes].reshape(shape),
            self._imaginary_sign[nodes].reshape(shape),
        )

    def _read_layouts(self, layouts):
        self.owner, partner, heard, terms, self.modes_of = [], [], [], [], {}
        for place, name in enumerate(self.names):
            layout, start = layouts[name], len(self.owner)
            partner += [start + k for k in layout.partners]
            heard += layout.heard
            terms += layout.terms
            self.owner += [place] * len(layout.partners)
            self.modes_of[name] = list(range(start, len(self.owner)))
        self.partner, self.is_heard, self.is_term = map(np.array, (partner, heard, terms))

    def _entries(self, hamiltonian, couplings):
        """Rows and columns, among all elements of all auxiliary operators, of what the generator
        consists of: a number of `atoms` times a factor."""
        d, at, count = self.levels, self.atoms, len(self.quanta)
        every, found = np.arange(count), []

        def multiply(rows, columns, factors, pattern, left, right):
            """Entries of `factors` (-i M rho + i rho M), M by its pattern and the atoms that it
            begins at on either side."""
            a, c = np.nonzero(pattern)
            b = np.arange(d)[:, None, None]
            for start, sign, to, come in (
                (left, -1j, a * d + b, c * d + b),
                (right, 1j, b * d + c, b * d + a),
            ):
                shape = np.broadcast_shapes(to.shape, (len(rows), 1))
                made = (
                    rows[:, None] * d * d + to,
                    columns[:, None] * d * d + come,
                    start + a * d + c,
                    sign * factors[:, None],
                )
                found.append([np.broadcast_to(x, shape).ravel() for x in made])

        multiply(every, every, np.ones(count), hamiltonian, at.hamiltonian, at.hamiltonian)
        for k, place in enumerate(self.owner):
            name, below = self.names[place], np.flatnonzero(self.above[:, k] >= 0)
            above, step = self.above[below, k], k * d * d
            amounts = np.sqrt(self.quanta[above, k])
            multiply(above, below, amounts, couplings[name], at.left + step, at.right + step)
            if self.is_heard[k]:
                multiply(below, above, amounts, couplings[name], at.up + step, at.up + step)
            else:
                self._feed(k, below, found)
        same = np.arange(count * d * d)
        found.append([same, same, at.decays + same // (d * d), -np.ones(len(same))])
        return (np.concatenate(parts) for parts in zip(*found))

    def _feed(self, k, below, found):
        """Entries by which a quantum of mode k becomes one of the first mode of its reservoir."""
        first, each = self.modes_of[self.names[self.owner[k]]][0], np.arange(self.levels**2)
        rows, columns = self.above[below, first], self.above[below, k]
        is_there = rows >= 0
        rows, columns = rows[is_there], columns[is_there]
        factors = np.sqrt(self.quanta[rows, first] * self.quanta[columns, k])
        made = (
            rows[:, None] * len(each) + each,
            columns[:, None] * len(each) + each,
            np.full((1, 1), self.atoms.feeds + k),
            factors[:, None],
        )
        shape = (len(rows), len(each))
        found.append([np.broadcast_to(x, shape).ravel() for x in made])

    def _choose(self, conjugate, rows, columns):
        """Which elements are kept, and the places of their real and imaginary parts."""
        d, count = self.levels, len(self.quanta)
        nodes = np.arange(count * d * d)
        operator, a, b = nodes // (d * d), nodes // d % d, nodes % d
        kept = (operator == 0) & (a == b)
        while True:
            reached = kept.copy()
            reached[rows[kept[columns]]] = True
            if np.array_equal(reached, kept):
                break
            kept = reached
        other = conjugate[operator] * d * d + b * d + a
        is_first, is_own = kept & (nodes <= other), kept & (nodes == other)
        is_second = kept & (nodes > other)
        has_imaginary = is_first & ~is_own
        reals, imaginaries = np.flatnonzero(is_first), np.flatnonzero(has_imaginary)
        self.size = len(reals) + len(imaginaries)
        self._real_place = np.full(len(nodes), self.size)
        self._imaginary_place = self._real_place.copy()
        self._imaginary_sign = np.zeros(len(nodes))
        self._real_place[reals] = np.arange(len(reals))
        self._imaginary_place[imaginaries] = len(reals) + np.arange(len(imaginaries))
        self._imaginary_sign[imaginaries] = 1.0
        for place in (self._real_place, self._imaginary_place):
            place[is_second] = place[other[is_second]]
        self._imaginary_sign[is_second] = -1.0
        self._is_first, self.nodes = is_first, (reals, imaginaries)
        self.number_of = np.concatenate([operator[reals], operator[imaginaries]])
        self.trace = np.zeros(self.size)
        self.trace[self._real_place[(operator == 0) & (a == b)]] = 1.0

    def _make_real(self, rows, columns, atoms, factors, is_real):
        """The entries as a real matrix: its places, and what adds up to each: real numbers out of
        (real parts, imaginary parts) of the atoms, times factors."""
        # What comes out in kept elements comes from kept ones: the rest is not theirs.
        chosen = self._is_first[rows] & (self._real_place[columns] < self.size)
        rows, columns, atoms, factors = (x[chosen] for x in (rows, columns, atoms, factors))
        sign, parts = self._imaginary_sign[columns], []
        real, imaginary = factors.real, factors.imag
        to = self._real_place[rows], self._imaginary_place[rows]
        come = self._real_place[columns], self._imaginary_place[columns]
        for row, column, of_real, of_imaginary in (
            (to[0], come[0], real, -imaginary),
            (to[0], come[1], -imaginary * sign, -real * sign),
            (to[1], come[0], imaginary, real),
            (to[1], come[1], real * sign, -imaginary * sign),
        ):
            for shift, factor in ((0, of_real), (self.atoms.size, of_imaginary)):
                there = (row < self.size) & (column < self.size) & (factor != 0)
                if is_real and shift:
                    there &= atoms >= self.atoms.left
                parts.append([x[there] for x in (row, column, atoms + shift, factor)])
        row, column, self.sources, self.factors = (np.concatenate(part) for part in zip(*parts))
        places, self.targets = np.unique(row * self.size + column, return_inverse=True)
        self.rows, self.columns = places // self.size, places % self.size
        order = np.argsort(self.targets, kind="stable")
        self.sources, self.factors, self.targets = (
            x[order] for x in (self.sources, self.factors, self.targets)
        )
        # The same matrix row by row, each as long as the longest.
        counts = np.bincount(self.rows, minlength=self.size)
        slot = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.slots = np.full((counts.max(), self.size), len(places))
        self.slots[slot, self.rows] = np.arange(len(places))
        self.meets = np.zeros(self.slots.shape, int)
        self.meets[slot, self.rows] = self.columns

    def _blocks(self):
        """Tiers from the highest one down, the small low ones together in blocks that are not
        larger than the largest."""
        tier = self.tier[self.number_of]
        sizes = np.bincount(tier, minlength=self.depth.tiers + 1)
        parts, found = [], []
        for level in range(self.depth.tiers + 1):
            if parts and sum(sizes[parts]) + sizes[level] > sizes.max():
                found.append(parts)
                parts = []
            parts.append(level)
        found.append(parts)
        groups = [np.flatnonzero(np.isin(tier, group)).tolist() for group in found[::-1]]
        return Blocks([group for group in groups if group], self.trace)


def _enumerated(depth: Depth, is_term: np.ndarray) -> np.ndarray:
    """All rows of numbers of quanta, tier by tier."""
    last_tier = _count(depth, is_term) - _count(depth._replace(tiers=depth.tiers - 1), is_term)
    require(depth, _memory(2, last_tier, 0))  # of two blocks and one number an operator, at least
    rows, tiers = np.zeros((1, len(is_term)), int), []
    last = np.zeros(1, int)  # mode of the quantum added last; others come behind it
    for _ in range(depth.tiers + 1):
        tiers.append(rows)
        place, mode = np.nonzero(np.arange(len(is_term))[None] >= last[:, None])
        raised = rows[place]
        raised[np.arange(len(place)), mode] += 1
        allowed = raised[:, is_term].sum(1) <= depth.term_tiers
        rows, last = raised[allowed], mode[allowed]
    return np.concatenate(tiers)


def require(depth: Depth, memory: float) -> None:
    """Raise `TooLarge` for a `depth` that takes too much `memory`."""
    if memory > MOST_BYTES:
        raise TooLarge(
            f"`tiers` of {depth.tiers} and `terms` of {depth.terms} would take"
            f" {memory / 1e9:.3g} GB of memory and more, where {MOST_BYTES / 1e9:.3g} GB are"
            " allowed; lower `tiers`, `terms` or `term_tiers`."
        )


def _memory(blocks, width, slots):
    """Bytes, in double precision: of the blocks of the generator, of their factors, and of both on
    the way."""
    return 8 * (6 * blocks * width**2 + 6 * slots)


def _count(depth: Depth, is_term: np.ndarray) -> int:
    """How many rows there are."""
    terms, others = int(is_term.sum()), int((~is_term).sum())
    most = min(depth.term_tiers, depth.tiers) if terms else 0
    return sum(
        math.comb(terms + used - 1, used) * math.comb(others + depth.tiers - used, others)
        if used
        else math.comb(others + depth.tiers, others)
        for used in range(most + 1)
    )
