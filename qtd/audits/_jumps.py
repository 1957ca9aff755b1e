"""All jumps of a network at rest as one table of plain numbers."""

from typing import NamedTuple

import numpy as np

from ..steady import SteadyState


class Jumps(NamedTuple):
    """One entry for each jump, levels numbered as in `network.energies`.

    `energy`, `heat`: what the upward jump takes out of its reservoir; `entropy`: the same in units that no temperature is needed for,
    heat / T where there is one. `weight`: logarithm of the ratio of degeneracies, upper over lower. `populations` and `energies` of the
    levels.
    """

    names: tuple[str, ...]
    reservoir: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    up: np.ndarray
    down: np.ndarray
    energy: np.ndarray
    heat: np.ndarray
    entropy: np.ndarray
    weight: np.ndarray
    populations: np.ndarray
    energies: np.ndarray
    precision: float

    @property
    def rate(self) -> np.ndarray:
        """Of the faster direction."""
        return np.maximum(self.up, self.down)

    @property
    def activity(self) -> np.ndarray:
        """Jumps per time, both directions."""
        return self.up * self.populations[self.lower] + self.down * self.populations[self.upper]

    @property
    def matter(self) -> np.ndarray:
        """Which jumps start from a level that is ever populated."""
        return np.maximum(self.populations[self.lower], self.populations[self.upper]) > 1e-6

    def of(self, name: str) -> np.ndarray:
        """Which jumps belong to a reservoir."""
        return self.reservoir == self.names.index(name)


def tabulated(state: SteadyState) -> Jumps:
    """The table of a steady state."""
    network, topology = state.network, state.network.topology
    populations = np.zeros(topology.size)
    populations[topology.order] = np.asarray(state.populations, float)
    degeneracies = np.asarray(topology.degeneracies, float)
    rows = []
    for diagonal, (up, down, quanta) in zip(topology.diagonals, state.jumps):
        levels, lower = diagonal.levels, diagonal.lower[diagonal.levels]
        reservoir = network.reservoirs[diagonal.reservoir]
        of = lambda values, levels=levels: np.asarray(values, float)[levels]
        heat = of(quanta["heat"])
        entropy = of(quanta["entropy"]) if reservoir.temperature is None else heat / float(reservoir.temperature)
        index = np.full(len(levels), topology.names.index(diagonal.reservoir))
        weight = np.log(degeneracies[levels] / degeneracies[lower])
        ends = topology.order[lower], topology.order[levels]
        rows.append((index, *ends, of(up), of(down), of(quanta["energy"]), heat, entropy, weight))
    columns = [np.concatenate(column) for column in zip(*rows)]
    precision = float(np.finfo(np.asarray(state.populations).dtype).eps)
    return Jumps(topology.names, *columns, populations, np.asarray(network.energies, float), precision)
