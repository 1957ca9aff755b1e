"""States of a composite that stay apart: blocks of a density matrix that alone can meet its
populations, whatever the numbers are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .graphs import groups


class Pattern(NamedTuple):
    """Entries of an operator between basis states: rows, columns, and factors of the numbers at
    `places` in a list."""

    rows: np.ndarray
    columns: np.ndarray
    factors: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, entries: Sequence[tuple[Any, Any, float, Any]]) -> "Pattern":
        """From `entries` (row, column, factor, place)."""
        table = np.array(entries, float).reshape(-1, 4)
        rows, columns, places = (table[:, i].astype(int) for i in (0, 1, 3))
        return cls(rows, columns, table[:, 2], places)

    def reversed(self) -> "Pattern":
        """The entries of the transposed operator."""
        return self._replace(rows=self.columns, columns=self.rows)


class Sectors:
    """Classes of basis states among which coherence can arise.

    A Hamiltonian makes superpositions of what it joins, and a jump takes two states of a class
    into two of one class: nothing else is made from populations. `of`: the class of each state,
    `slot`, its place there; `members`: (classes, width), states, `size` where there is none.
    """

    def __init__(self, size: int, hamiltonian: Pattern, jumps: Sequence[Pattern]):
        self.size = size
        self.of = groups(np.stack([hamiltonian.rows, hamiltonian.columns], axis=1), size)
        while True:
            before = self.of
            for jump in jumps:
                # All that one class is taken to belongs together.
                first = np.full(size, -1)
                first[self.of[jump.columns]] = self.of[jump.rows]
                pairs = np.stack([self.of[jump.rows], first[self.of[jump.columns]]], axis=1)
                self.of = groups(pairs, self.of.max() + 1)[self.of]
            if self.of.max() == before.max():
                break
        self.count = int(self.of.max()) + 1
        counts = np.bincount(self.of)
        self.width = int(counts.max())
        self.members = np.full((self.count, self.width), size)
        self.slot = np.zeros(size, int)
        for sector in range(self.count):
            states = np.flatnonzero(self.of == sector)
            self.members[sector, : len(states)] = states
            self.slot[states] = np.arange(len(states))
        self.sizes = counts
        self.is_there = self.members < size

    def target(self, jump: Pattern) -> np.ndarray:
        """The class that each class is taken to by a `jump`, -1 where it is taken nowhere."""
        found = np.full(self.count, -1)
        found[self.of[jump.columns]] = self.of[jump.rows]
        return found

    def matrices(self, pattern: Pattern, values: Array) -> Float[Array, "classes width width"]:
        """An operator with these `values` at the entries of a `pattern`, by the class that it acts
        on."""
        zero = jnp.zeros((self.count, self.width, self.width), values.dtype)
        places = self.of[pattern.columns], self.slot[pattern.rows], self.slot[pattern.columns]
        return zero.at[places].add(values)
