"""The real form of superoperators on Hermitian matrices: which number of a state feeds which,
decided before any number is known.

A state is the real vector of its populations rho_aa and, for the pairs a < b that are kept, of Re
rho_ab and Im rho_ab.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .graphs import groups
from .linear_map import LinearMap


class Term(NamedTuple):
    """d rho_ab / dt += factor * value * rho_cd, with `row` = (a, b), `column` = (c, d), and the
    real value at `place` in a list."""

    row: tuple[int, int]
    column: tuple[int, int]
    factor: complex
    place: int


class Variables:
    """The numbers that a state is kept as: `size` populations, then real and imaginary parts of the
    coherences of `pairs`."""

    def __init__(self, size: int, pairs: Iterable[tuple[int, ...]]):
        self.size, self.pairs = size, tuple(pairs)
        self.places = {(a, a): (a, None) for a in range(size)}
        self.places |= {pair: (size + 2 * i, size + 2 * i + 1) for i, pair in enumerate(self.pairs)}

    def __len__(self):
        return self.size + 2 * len(self.pairs)

    def keeps(self, a: int, b: int) -> bool:
        return (min(a, b), max(a, b)) in self.places

    def parts(self, a: int, b: int) -> list[tuple[int, complex]]:
        """rho_ab as a sum of factors times variables."""
        real, imaginary = self.places[min(a, b), max(a, b)]
        return (
            [(real, 1.0)] if imaginary is None else [(real, 1.0), (imaginary, 1j if a < b else -1j)]
        )

    def entries(self, terms: Iterable[Term]) -> Iterable[tuple[int, int, int, float]]:
        """(row, column, value, factor) of the real generator, from the terms between elements that
        are kept."""
        for row, column, factor, index in terms:
            if row[0] > row[1] or not (self.keeps(*row) and self.keeps(*column)):
                continue
            real, imaginary = self.places[row]
            for place, part in self.parts(*column):
                yield real, place, index, (factor * part).real
                if imaginary is not None:
                    yield imaginary, place, index, (factor * part).imag

    def generator(self, terms: Iterable[Term], values: int) -> LinearMap:
        """The map from values to the generator that the terms make of them."""
        entries = (
            ((row, column, index), factor) for row, column, index, factor in self.entries(terms)
        )
        return LinearMap.of((len(self), len(self), values), entries)

    def reading(self, elements: Sequence[tuple[int, ...]]) -> tuple[LinearMap, LinearMap]:
        """The maps from a state to the real and to the imaginary parts of some elements."""
        real, imaginary = np.zeros((2, len(elements), len(self)))
        for i, element in enumerate(elements):
            for place, part in self.parts(*element):
                real[i, place], imaginary[i, place] = complex(part).real, complex(part).imag
        return LinearMap(real), LinearMap(imaginary)

    def writing(self, elements: Sequence[tuple[int, ...]]) -> tuple[LinearMap, LinearMap]:
        """The maps from real and from imaginary parts of contributions to some elements, a <= b, to
        the state they add up to."""
        real, imaginary = np.zeros((2, len(self), len(elements)))
        for i, (a, b) in enumerate(elements):
            if a <= b:
                place_real, place_imaginary = self.places[a, b]
                real[place_real, i] = 1
                if place_imaginary is not None:
                    imaginary[place_imaginary, i] = 1
        return LinearMap(real), LinearMap(imaginary)


def connected_to_populations(
    size: int, terms: Iterable[Term], pairs: Iterable[tuple[int, ...]]
) -> tuple[list[tuple[int, ...]], int | None]:
    """Those of the pairs whose coherence can exchange anything with the populations, whatever the
    values are; and a level whose population nothing connects with that of level 0, None where there
    is none."""
    every = Variables(size, pairs)
    found = np.array(
        [(row, column) for row, column, _, factor in every.entries(terms) if factor != 0], int
    ).reshape(-1, 2)
    group = groups(found, len(every))
    apart = np.flatnonzero(group[:size] != group[0])
    populated = set(group[:size])
    kept = [
        pair
        for pair in every.pairs
        if any(
            group[place] in populated
            for place in every.places[pair[0], pair[1]]
            if place is not None
        )
    ]
    return kept, int(apart[0]) if len(apart) else None
