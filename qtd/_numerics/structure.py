"""What is static in a device with coherences: its operators, which jumps they drive, and which
numbers its state is kept as."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from .graphs import bridges, groups
from .linear_map import LinearMap, selection
from .superoperators import Term, Variables, connected_to_populations
from .wide import Jumps, Wide

# A generator is not written down from so many real numbers of the state, or from so many products
# of two jumps, on: with 128 numbers of four qubits in a batch it took 30 to 100 times as long to
# eliminate as to iterate (benchmarks/README.md), and products are listed in Python.
_NUMBERS, _PRODUCTS = 100, 60_000
_LEVELS = 16  # fewer never get there


class Pairs(NamedTuple):
    """Pairs of edges: how to read what belongs to the first and to the second of each, and to
    repeat one number for all."""

    first: LinearMap
    second: LinearMap
    spread: LinearMap

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, int]], count: int) -> "Pairs":
        first, second = np.array(pairs, int).reshape(-1, 2).T
        return cls(
            selection(first, count), selection(second, count), LinearMap(np.ones((len(pairs), 1)))
        )


class Edges:
    """The jumps that one reservoir can drive, and which products of two of them act on the numbers
    that a state is kept as.

    Edge e takes level `lower[e]` to `upper[e]`; both directions are there. A gain (e, f) takes the
    element (c, d) to (a, b), for e = c -> a and f = d -> b; a loss (e, f) belongs to e = c -> a and
    f = d -> a and acts from the left on row c, and its adjoint from the right. A reservoir at rest
    has a definite number of particles, <c c> = 0: both jumps of a product take the same number out
    of it. `carrying` keeps the flows of those upward jumps that are part of a cycle.
    """

    def __init__(
        self, pattern: np.ndarray, particles: np.ndarray, levels: np.ndarray | None = None
    ):
        """`levels` are the energies of the levels for each term of H_0 alone: two gaps that are
        each other's negative for all of them are not equal, whatever the coefficients (but for gaps
        of 0), and need not be looked at."""
        self.size, self.carrying = len(pattern), LinearMap(np.eye(0))
        self.upper, self.lower = np.nonzero(pattern)
        self.particles = particles[self.upper] - particles[self.lower]
        upward = np.flatnonzero(self.upper > self.lower)
        self.rising = np.stack([self.lower[upward], self.upper[upward]], axis=1)
        self._levels = levels
        self._jumps = list(zip(self.upper.tolist(), self.lower.tolist()))
        self._key: tuple = self.size, *self._jumps, *self.particles.tolist()
        self._gains: list[tuple[int, int]] = []
        self._losses: list[tuple[int, int]] = []

    def groups(self) -> Jumps:
        """The jumps in groups that act together, whatever the numbers are: those that change the
        number of particles alike and, of levels of terms of H_0, have the same gap."""
        gaps = np.zeros((0, len(self.upper)))
        if self._levels is not None:
            gaps = self._levels[:, self.upper] - self._levels[:, self.lower] + 0.0  # no -0.0
        kinds, of = np.unique(np.vstack([self.particles, gaps]), axis=1, return_inverse=True)
        of = of.ravel()
        alike = kinds[0][:, None] == kinds[0]
        opposite = np.all(kinds[1:, :, None] == -kinds[1:, None], axis=0)
        alike &= ~(opposite & np.any(kinds[1:], axis=0))
        return Jumps(
            self.lower, self.upper, [np.flatnonzero(of == i) for i in range(len(alike))], alike
        )

    def multiply(self) -> None:
        """Work out which products of two jumps there are: at most the square of the jumps."""
        every = [
            (e, f)
            for e, f in product(range(len(self._jumps)), repeat=2)
            if self.particles[e] == self.particles[f]
        ]
        if self._levels is not None:
            gaps = self._levels[:, self.upper] - self._levels[:, self.lower]
            every = [
                (e, f)
                for e, f in every
                if not (np.any(gaps[:, e]) and np.array_equal(gaps[:, e], -gaps[:, f]))
            ]
        self._gains = [(e, f) for e, f in every if self._jumps[e][0] <= self._jumps[f][0]]
        self._losses = [(e, f) for e, f in every if self._jumps[e][0] == self._jumps[f][0]]

    def terms(self) -> list[list[Term]]:
        """What real and imaginary parts of gains, and of losses, do to the elements of a state."""
        gains = [Term(*ends, 1.0, i) for i, ends in enumerate(map(self._ends, self._gains))]
        # D rho contains -N rho - rho N^+, and a loss is part of N_dc.
        places = [(self._jumps[f][1], self._jumps[e][1]) for e, f in self._losses]
        left = [
            Term((d, b), (c, b), -1.0, i)
            for i, (d, c) in enumerate(places)
            for b in range(self.size)
        ]
        right = [
            Term((b, d), (b, c), -1.0, i)
            for i, (d, c) in enumerate(places)
            for b in range(self.size)
        ]
        turned = [
            [term._replace(factor=factor) for term in terms]
            for terms, factor in ((gains, 1j), (left, -1j), (right, 1j))
        ]
        return [gains, turned[0], left + right, turned[1] + turned[2]]

    def restrict(self, variables: Variables) -> "Edges":
        """Keep the products that act within these variables, and prepare their maps."""

        def is_kept(pair):
            return all(variables.keeps(*element) for element in self._ends(pair))

        self._gains = [pair for pair in self._gains if is_kept(pair)]
        count, ends = len(self._jumps), [self._ends(pair) for pair in self._gains]
        self.gains, self.losses = Pairs.of(self._gains, count), Pairs.of(self._losses, count)
        sizes = [len(self._gains)] * 2 + [len(self._losses)] * 2

        def meets_coherences(term):
            return term.row[0] != term.row[1] or term.column[0] != term.column[1]

        self.generators = [
            variables.generator(filter(meets_coherences, terms), size)
            for terms, size in zip(self.terms(), sizes)
        ]
        self.read_real, self.read_imaginary = variables.reading([column for _, column in ends])
        self.write_real, self.write_imaginary = variables.writing([row for row, _ in ends])
        self.trace = LinearMap(np.array([float(a == b) for (a, b), _ in ends]))
        self.trace_of_coherences = LinearMap(
            np.array([float(a == b and c != d) for (a, b), (c, d) in ends])
        )
        upward = np.flatnonzero(self.upper > self.lower)
        lower, upper = self.lower[upward], self.upper[upward]
        gain = {self._jumps[e]: i for i, (e, f) in enumerate(self._gains) if e == f}
        self.upward = selection(upward, count)
        self.up = selection(
            np.array([gain[jump] for jump in zip(upper, lower)], int), len(self._gains)
        )
        self.down = selection(
            np.array([gain[jump] for jump in zip(lower, upper)], int), len(self._gains)
        )
        self.read_lower = selection(lower, len(variables))
        self.read_upper = selection(upper, len(variables))
        self.at_lower = LinearMap(self.read_lower.matrix.T)
        self.at_upper = LinearMap(self.read_upper.matrix.T)
        self.arrive = LinearMap(self.read_upper.matrix.T - self.read_lower.matrix.T)
        self.hop_up, self.hop_down = (
            LinearMap.of(
                (len(variables), len(variables), len(upward)),
                [
                    ((to, at, i), sign * part)
                    for i, at in enumerate(level)
                    for to, part in ((upper[i], 1.0), (lower[i], -1.0))
                ],
            )
            for level, sign in ((lower, 1.0), (upper, -1.0))
        )
        self._key = (
            self.size,
            *self._jumps,
            *self._gains,
            *self.particles.tolist(),
            *variables.pairs,
        )
        return self

    def __hash__(self):
        return hash(self._key)

    def __eq__(self, other):
        return self is other or (isinstance(other, Edges) and self._key == other._key)

    def _ends(self, pair):
        (a, c), (b, d) = (self._jumps[i] for i in pair)
        return (a, b), (c, d)


class Structure:
    """What is static in a Lindbladian: its operators, the approach, and which numbers its state is
    kept as (`variables`).

    `apart`: a level that nothing connects with level 0, so that there is more than one steady
    state; None where there is none. `wide`: what is static instead of all maps between numbers,
    where there are too many of these for their generator to be written down; None else.
    """

    def __init__(
        self, bare, interaction, couplings, particles, approach, coherences, is_complete=False
    ):
        if approach not in ("local", "global", "redfield"):
            raise ValueError(
                f'`approach` must be "local", "global" or "redfield", got {approach!r}.'
            )
        if not bare:
            raise ValueError("`bare` must have at least one term.")
        self._arguments = bare, interaction, couplings, particles, approach, coherences
        self.approach, self.size = approach, len(np.asarray(next(iter(bare.values()))))
        self.bare = {
            name: self._operator(f"bare.{name}", operator) for name, operator in bare.items()
        }
        self.interaction = {
            name: self._operator(f"interaction.{name}", operator)
            for name, operator in interaction.items()
        }
        self.couplings = {
            name: self._operator(f"couplings.{name}", operator)
            for name, operator in couplings.items()
        }
        every = [*self.bare.values(), *self.interaction.values()]
        self.is_complex = any(
            np.any(np.imag(operator)) for operator in (*every, *self.couplings.values())
        )
        joined = sum(np.abs(operator) for operator in every)
        self.blocks, mixing = _blocks(joined)
        if approach == "local":
            self._check_diagonal()
            mixing = np.eye(self.size)
        numbers = np.zeros(self.size, int) if particles is None else np.asarray(particles)
        if numbers.shape != (self.size,) or not np.issubdtype(numbers.dtype, np.integer):
            raise ValueError(
                f"`particles` must hold one integer for each of the {self.size} basis states, got"
                f" {particles!r}."
            )
        self.particles = numbers.astype(int)
        levels = (
            np.array([np.real(np.diag(operator)) for operator in self.bare.values()])
            if approach == "local"
            else None
        )
        patterns = {
            name: mixing @ np.abs(operator) @ mixing > 0
            for name, operator in self.couplings.items()
        }
        self.edges = {name: Edges(pattern, numbers, levels) for name, pattern in patterns.items()}
        self.wide = None
        keeps_all = isinstance(coherences, str) and coherences == "all"
        if keeps_all and not is_complete and self.size >= _LEVELS:
            self.wide = self._as_wide((joined if approach == "local" else mixing) > 0)
        if self.wide is None:
            self._work_out_maps(every, coherences, is_complete)
        arrays = [*self.bare.items(), *self.interaction.items(), *self.couplings.items()]
        self._key = (
            *((name, x.tobytes()) for name, x in arrays),
            len(bare),
            len(interaction),
            numbers.tobytes(),
            approach,
            None if self.wide else self.variables.pairs,
            is_complete,
        )
        self._hash = hash(self._key)

    def _as_wide(self, joined):
        """What is static where the generator is too large to be written down, from which elements
        of H may not vanish; None where it is not."""
        wide = Wide(self.size, joined, [edges.groups() for edges in self.edges.values()])
        products = sum(len(edges.upper) ** 2 for edges in self.edges.values())
        if wide.numbers <= _NUMBERS and products <= _PRODUCTS:
            return None
        pairs = [np.argwhere(joined), *(edges.rising for edges in self.edges.values())]
        group = groups(np.concatenate(pairs), self.size)
        apart = np.flatnonzero(group != group[0])
        self.apart = int(apart[0]) if len(apart) else None
        self.trace = wide.trace
        return wide

    def _work_out_maps(self, every, coherences, is_complete):
        """All that makes numbers of a state, and its generator, out of rates."""
        for edges in self.edges.values():
            edges.multiply()
        hamiltonian = self._hamiltonian_terms()
        pairs = self._pairs(coherences)
        terms = [term for edges in self.edges.values() for kind in edges.terms() for term in kind]
        connected, self.apart = connected_to_populations(self.size, [*terms, *hamiltonian], pairs)
        if not is_complete:
            pairs = connected
        self.variables = Variables(self.size, pairs)
        for edges in self.edges.values():
            edges.restrict(self.variables)
        self._find_cycles()
        count = len(every) if self.approach == "local" else self.size
        self.unitary = self.variables.generator(hamiltonian, count)
        self.energy = self._energy(every, count)
        n, d = len(self.variables), self.size
        self.trace = LinearMap((np.arange(n) < d).astype(float))
        every_element = list(product(range(d), repeat=2))
        kept = [element for element in every_element if self.variables.keeps(*element)]
        place = np.eye(d * d)[[a * d + b for a, b in kept]].T
        self.elements = tuple(
            LinearMap(place @ read.matrix) for read in self.variables.reading(kept)
        )
        self.state_real, self.state_imaginary = (
            LinearMap(write.matrix @ place.T) for write in self.variables.writing(kept)
        )

    def __repr__(self) -> str:
        return f"Structure({self.size} states, {self.approach}, {self.numbers} numbers)"

    @property
    def numbers(self) -> int:
        """How many real numbers a state is kept as."""
        return self.wide.numbers if self.wide else len(self.variables)

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        return self is other or (
            isinstance(other, Structure) and self._hash == other._hash and self._key == other._key
        )

    def _find_cycles(self):
        """Jumps between populations that are part of no cycle carry nothing at rest, unless
        coherences do."""
        every = [edges.rising for edges in self.edges.values()]
        if self.apart is None and not self.variables.pairs:
            found = bridges(np.concatenate(every), self.size)
        else:
            found = np.zeros(sum(map(len, every)), bool)
        for edges, part in zip(
            self.edges.values(), np.split(found, np.cumsum([len(x) for x in every])[:-1])
        ):
            edges.carrying = LinearMap(np.diag(1.0 - part))

    def require_connected(self) -> None:
        """Raise `ValueError` where there is more than one steady state, whatever the numbers."""
        if self.apart is not None:
            raise ValueError(
                f"`couplings` leave level {self.apart} unconnected with level 0, by a symmetry or"
                " because nothing drives it: the steady state is not unique. Connect them, or ask"
                " `qtd.evolution.relax` what becomes of a given state."
            )

    def using(self, approach, coherences) -> "Structure":
        return Structure(*self._arguments[:4], approach, coherences)

    def complete(self) -> "Structure":
        return Structure(*self._arguments, is_complete=True)

    def _operator(self, name, operator):
        matrix = np.asarray(operator)
        if matrix.shape != (self.size, self.size):
            raise ValueError(
                f"`{name}` must be a {self.size} x {self.size} matrix like the others, got shape"
                f" {matrix.shape}."
            )
        if (
            not np.all(np.isfinite(matrix))
            or np.abs(matrix - matrix.conj().T).max() > 1e-12 * np.abs(matrix).max()
        ):
            raise ValueError(f"`{name}` must be Hermitian and finite.")
        return matrix

    def _check_diagonal(self):
        for name, operator in self.bare.items():
            if np.any(operator != np.diag(np.diag(operator))):
                raise ValueError(
                    f'`bare.{name}` must be diagonal for the approach "local": write operators in'
                    " the basis of H_0."
                )

    def _pairs(self, coherences) -> list[tuple[int, ...]]:
        every: list[tuple[int, ...]] = [
            (a, b) for a in range(self.size) for b in range(a + 1, self.size)
        ]
        if isinstance(coherences, str):
            if coherences != "all":
                raise ValueError(
                    f'`coherences` must be "all" or pairs of levels, got {coherences!r}.'
                )
            return every
        chosen = {tuple(sorted(int(level) for level in pair)) for pair in coherences}
        if not chosen <= set(every):
            raise ValueError(
                f"`coherences` must be pairs of different levels 0 ... {self.size - 1}, got"
                f" {coherences!r}."
            )
        return sorted(chosen)

    def _hamiltonian_terms(self):
        """-i [H, rho]: of each term of H in the local approach, of each level otherwise."""
        if self.approach == "local":
            operators = [*self.bare.values(), *self.interaction.values()]
        else:
            operators = [np.diag(row) for row in np.eye(self.size)]
        terms = []
        for index, operator in enumerate(operators):
            for a, c in zip(*np.nonzero(operator)):
                element = complex(operator[a, c])
                terms += [Term((a, b), (c, b), -1j * element, index) for b in range(self.size)]
                terms += [Term((b, c), (b, a), 1j * element, index) for b in range(self.size)]
        return terms

    def _energy(self, operators, count):
        """The map from coefficients (local) or levels to the functional Tr[H rho]."""
        matrix = np.zeros((len(self.variables), count))
        if self.approach != "local":
            matrix[: self.size] = np.eye(self.size)
            return LinearMap(matrix)
        for index, operator in enumerate(operators):
            for (a, b), (real, imaginary) in self.variables.places.items():
                matrix[real, index] = operator[a, b].real * (1 if imaginary is None else 2)
                if imaginary is not None:
                    matrix[imaginary, index] = 2 * operator[a, b].imag
        return LinearMap(matrix)


def _blocks(pattern):
    """Groups of basis states that H mixes, where there is more than one in a group, and which
    states come from which."""
    group = groups(np.argwhere(pattern), len(pattern))
    blocks = [np.flatnonzero(group == i) for i in range(group.max() + 1)]
    return [block for block in blocks if len(block) > 1], (group[:, None] == group[None]).astype(
        float
    )
