"""All jumps of a network at rest as one table of plain numbers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..limits import MATTERS, NOTHING
from ..steady import SteadyState


@dataclass(frozen=True)
class Jumps:
    """One entry for each jump, levels numbered as in `network.energies`.

    `flow`: upward jumps less downward ones, per time. `energy`, `heat`: what the upward jump takes
    out of its reservoir; `entropy`: the same in units that no temperature is needed for, heat / T
    where there is one. `weight`: logarithm of the ratio of degeneracies, upper over lower.
    `populations` and `energies` of the levels.
    """

    names: tuple[str, ...]
    reservoir: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    up: np.ndarray
    down: np.ndarray
    flow: np.ndarray
    energy: np.ndarray
    heat: np.ndarray
    entropy: np.ndarray
    weight: np.ndarray
    populations: np.ndarray
    energies: np.ndarray
    precision: float

    @property
    def rate(self) -> np.ndarray:
        """The rate of the faster direction."""
        return np.maximum(self.up, self.down)

    @property
    def activity(self) -> np.ndarray:
        """Jumps per time, both directions."""
        return self.up * self.populations[self.lower] + self.down * self.populations[self.upper]

    @cached_property
    def shares(self) -> np.ndarray:
        """How much of the device a level is: one row for its share of the time, and for each
        reservoir two, its share of the net jumps and of the heat that they carry, half of each jump
        to either end. Each row adds up to 1, or is 0 where nothing flows."""
        size = len(self.populations)
        net = np.where(
            np.abs(self.flow) > NOTHING * self.precision * self.activity, np.abs(self.flow), 0.0
        )
        rows = [np.abs(self.populations)]
        for name in self.names:
            for carried in (net, net * np.abs(self.heat)):
                passing = np.where(self.of(name), carried, 0.0)
                rows.append(
                    np.bincount(self.lower, passing, size) + np.bincount(self.upper, passing, size)
                )
        table = np.stack(rows)
        totals = table.sum(1, keepdims=True)
        return table / np.where(totals > 0, totals, 1.0)

    @cached_property
    def candidates(self) -> np.ndarray:
        """Which jumps may matter: all levels that are left out are together less than `MATTERS` of
        anything."""
        counts = self.shares.max(0) >= MATTERS / len(self.populations)
        return (counts[self.lower] | counts[self.upper]) & (self.rate > 0)

    def decisive(self, values: np.ndarray, levels: np.ndarray) -> int | None:
        """The index of the largest of the `values` that matters, each of which is about some
        `levels` (values, levels of each).

        It is the largest x such that the levels with values of x or more are together at least
        `MATTERS` of the time, or of the jumps or the heat that a reservoir exchanges, see `shares`;
        None if not even all of them are.
        """
        touched, share = set(), np.zeros(len(self.shares))
        for k in np.argsort(-np.asarray(values)):
            new = set(np.asarray(levels[k]).tolist()) - touched
            touched |= new
            share += self.shares[:, list(new)].sum(1)
            if share.max() >= MATTERS:
                return int(k)
        return None

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
    for diagonal, (up, down, quanta), flow in zip(topology.diagonals, state.jumps, state.flows):
        levels, lower = diagonal.levels, diagonal.lower[diagonal.levels]
        reservoir = network.reservoirs[diagonal.reservoir]

        def of(values, levels=levels):
            return np.asarray(values, float)[levels]

        heat = of(quanta["heat"])
        entropy = (
            of(quanta["entropy"])
            if reservoir.temperature is None
            else _per(float(reservoir.temperature), heat)
        )
        index = np.full(len(levels), topology.names.index(diagonal.reservoir))
        weight = np.log(degeneracies[levels] / degeneracies[lower])
        ends = topology.order[lower], topology.order[levels]
        rows.append(
            (index, *ends, of(up), of(down), of(flow), of(quanta["energy"]), heat, entropy, weight)
        )
    columns = [np.concatenate(column) for column in zip(*rows)]
    precision = float(np.finfo(np.asarray(state.populations).dtype).eps)
    energies = np.asarray(network.energies, float)
    return Jumps(topology.names, *columns, populations, energies, precision)  # pyright: ignore[reportCallIssue]


def _per(temperature, heat):
    """J / T; at T = 0 infinite, or nothing where nothing is carried."""
    if temperature:
        return heat / temperature
    return np.where(heat == 0, 0.0, np.copysign(np.inf, heat))
