"""The collective refrigerator at the parameters of its paper: currents, noise, efficiencies, times.

Inverse temperatures and energies are in units of the interaction Omega.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...evolution import thermalisation_time
from ...machines import CollectiveRefrigerator
from ...networks import RateNetwork
from ...parameters import replace
from ...reservoirs import Reservoir
from ...spectral import Ohmic, Peaked
from .._blocks import in_blocks, root

__all__ = [
    "COLD_5",
    "HOT_5",
    "PANELS_5",
    "WORK_WIDTHS",
    "FullModel",
    "Point",
    "ReducedModel",
    "between_two_reservoirs",
    "cooling",
    "cooling_of",
    "edge",
    "exponent",
    "full_model",
    "panel_5",
    "point",
    "reduced_model",
    "relaxation",
]

WORK_WIDTHS = (0.001, 0.002, 0.004, 0.006, 0.008)
# Widths of the filters in the panels of Fig. 5, besides those of Fig. 2, and the inverse
# temperatures on its axes.
PANELS_5 = {
    "a": {},
    "b": {"work_width": 5e-4},
    "c": {"hot_width": 0.3},
    "d": {"cold_width": 0.3},
}
COLD_5 = np.linspace(0.05, 5.0, 100)
HOT_5 = np.linspace(0.05, 2.5, 99)


class FullModel(NamedTuple):
    """The machine at the temperatures of Fig. 2: its cooling `current`, and the `noise` of it."""

    current: float
    noise: float


@functools.cache
def full_model(num_spins: int) -> FullModel:
    """Current and noise of `num_spins` spins at the temperatures of Fig. 2."""
    found = CollectiveRefrigerator(num_spins).operate()
    current = found.heat_currents["cold"]
    noise = found.heat_covariance["cold", "cold"]
    return FullModel(float(current), float(noise))


class ReducedModel(NamedTuple):
    """The three lowest levels of the machine: their cooling `current`, and the `noise` of it; both
    at infinite temperature of the work reservoir, `current_hot_drive` (G4), `noise_hot_drive`
    (G5)."""

    current: float
    noise: float
    current_hot_drive: float
    noise_hot_drive: float


@functools.cache
def reduced_model(num_spins: int) -> ReducedModel:
    """Currents and noise of the three lowest levels of `num_spins` spins in Fig. 2."""
    ring = CollectiveRefrigerator(num_spins).reduced()
    hot_drive = ring.current_hot_drive(), ring.noise_hot_drive()
    return ReducedModel(*map(float, (ring.current(), ring.noise(), *hot_drive)))


class Point(NamedTuple):
    """31 spins: cooling `current`, `cop`, its `bound` from the noise (F1), and the current of the
    three lowest levels alone, `reduced`."""

    current: Any
    cop: Any
    bound: Any
    reduced: Any


@in_blocks
def point(beta_cold: Any, beta_hot: Any, cold_width: Any, hot_width: Any, work_width: Any) -> Point:
    """Operation of 31 spins at inverse temperatures `beta_cold` and `beta_hot`, with filters of
    widths `cold_width`, `hot_width`, `work_width`."""
    changes = {
        "cold.temperature": 1 / beta_cold,
        "hot.temperature": 1 / beta_hot,
        "cold.spectral_density.width": cold_width,
        "hot.spectral_density.width": hot_width,
        "work.spectral_density.width": work_width,
    }
    machine = replace(CollectiveRefrigerator(31), changes)
    found = machine.operate()
    reduced = machine.reduced().current()
    return Point(found.heat_currents["cold"], found.cop, found.cop_bound_from_noise, reduced)


def cooling(
    beta_cold: Any = 2.0,
    beta_hot: Any = 1.0,
    cold_width: Any = 0.1,
    hot_width: Any = 0.1,
    work_width: Any = 1e-3,
) -> np.ndarray:
    """Cooling current of 31 spins, by default that of Fig. 2, at inverse temperatures `beta_cold`
    and `beta_hot`, with filters of widths `cold_width`, `hot_width`, `work_width`."""
    return point(beta_cold, beta_hot, cold_width, hot_width, work_width).current


@jax.jit
def _current(machine):
    return machine.operate().heat_currents["cold"]


def cooling_of(machine: CollectiveRefrigerator) -> float:
    """Cooling current of any such `machine`."""
    return float(_current(machine))


@functools.cache
def edge(work_width: float, cold_width: float = 0.1, hot_width: float = 0.1) -> float:
    """Inverse temperature of the cold reservoir where 31 spins stop to cool, with filters of widths
    `work_width`, `cold_width`, `hot_width`."""

    def current(beta):
        return cooling(beta, 1.0, cold_width, hot_width, work_width)

    return root(current, 1.01, 3.5)


@functools.cache
def panel_5(letter: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The panel `letter` of Fig. 5, rows at HOT_5 and columns at COLD_5: cooling current, COP over
    its bound (NaN without cooling), and current of the three lowest levels."""
    widths = {"cold_width": 0.1, "hot_width": 0.1, "work_width": 1e-3} | PANELS_5[letter]
    cold = COLD_5[None, :]
    hot = HOT_5[:, None]
    found = point(cold, hot, *widths.values())
    cools = (found.current > 0) & (cold > hot)
    return found.current, np.where(cools, found.cop / found.bound, np.nan), found.reduced


@in_blocks
def relaxation(num_spins: Any) -> Any:
    """Thermalisation time of Fig. 7 of `num_spins` >= 11 spins, with their six lowest levels; those
    above hold less than 1e-18."""
    m = np.arange(6) + 0.5
    spin = num_spins / 2
    elements = (spin * (spin + 1) - m[:-1] * (m[:-1] + 1)) / 4
    jumps = [("reservoir", np.arange(5), np.arange(1, 6), elements)]
    reservoir = Reservoir(0.25, spectral_density=Ohmic(1.0, 100.0))
    network = RateNetwork(m**2, jumps, {"reservoir": reservoir})
    weights = jnp.exp(-jnp.asarray(m**2 - m[0] ** 2))
    return thermalisation_time(network, weights / jnp.sum(weights), 1e-6)


def between_two_reservoirs(num_spins: int, height: float = 1.0) -> CollectiveRefrigerator:
    """The device of App. D: `num_spins` spins between two broad reservoirs, cold and work, that of
    work with a density of this `height`; the hot one is absent."""
    cold = Reservoir(0.5, spectral_density=Peaked(2.0, 2.0, 1.0))
    work = Reservoir(1.0, spectral_density=Peaked(2.0, 2.0, height))
    absent = Reservoir(1.0, spectral_density=Peaked(6.0, 0.1, 0.0))
    return CollectiveRefrigerator(num_spins, cold, absent, work)


def exponent(values: Mapping[int, float], first: int, last: int) -> float:
    """The power of N with which `values` change between two sizes, `first` and `last`."""
    return float(np.log(values[last] / values[first]) / np.log(last / first))
