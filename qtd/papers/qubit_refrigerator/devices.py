"""The refrigerator of two qubits at the parameters of its paper, and its cooling currents."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...machines import QubitRefrigerator
from ...machines.qubit_refrigerator import Model
from ...parameters import replace
from ...reservoirs import Reservoir
from ...spectral import Resonator
from .._blocks import in_blocks, peak, root

__all__ = [
    "EQUATIONS",
    "SHIFTS",
    "best_bias",
    "by_global",
    "by_local",
    "by_redfield",
    "exchange_alone",
    "figure_4_current",
    "figure_4_resonant",
    "first_energy",
    "last_bias",
    "machine",
    "random_exchange",
    "without_exchange",
]

SHIFTS = (0.05, 0.1, 0.2, 0.3, 0.5)


def machine(
    model: Model,
    bias: Any,
    shift: Any,
    energy_1: Any = 2.0,
    energy_2: Any = 2.0,
    exchange: Any = 0.0,
    coupling: Any = 1.0,
) -> QubitRefrigerator:
    """The paper's refrigerator by a `model`, filters on its levels, `energy_1`, `energy_2`, `shift`
    and `exchange`; hot, sink and cold at T + dT, T and T - dT, where dT is the `bias`, with one
    `coupling`."""
    made = QubitRefrigerator(model, energy_1, energy_2, shift, exchange, coupling)
    return replace(made, {"hot.temperature": 1 + bias, "cold.temperature": 1 - bias})


@in_blocks
def _ring(bias, shift, energy_1, energy_2, hot, sink):
    """Cooling current without exchange, Eq. (7), with filters of hot and sink centred there."""
    made = machine("zz", bias, shift, energy_1, energy_2)
    centers = {"hot.spectral_density.center": hot, "sink.spectral_density.center": sink}
    return replace(made, centers).ring().heat_currents["cold"]


def without_exchange(bias: Any, shift: Any, energy_1: Any = 2.0, energy_2: Any = 2.0) -> np.ndarray:
    """Cooling current of Fig. 3 by `bias` and `shift`, or of qubits of `energy_1`, `energy_2`."""
    return _ring(bias, shift, energy_1, energy_2, energy_1, energy_1 + shift)


def figure_4_current(energy_1: Any) -> np.ndarray:
    """Cooling current of Fig. 4 by the energy of the first qubit, `energy_1`."""
    return without_exchange(0.3, 0.1, energy_1, 2.1)


def figure_4_resonant(energy_1: Any) -> np.ndarray:
    """Cooling current of Fig. 4 by `energy_1` with filters of hot and sink on the size of the gaps,
    also where these are negative."""
    return _ring(0.3, 0.1, energy_1, 2.1, np.abs(energy_1), np.abs(energy_1 + 0.1))


@functools.cache
def best_bias(shift: float) -> tuple[float, float]:
    """The bias of largest cooling in Fig. 3 at a `shift`, and the current there."""

    def current(bias):
        return without_exchange(bias, shift)

    return peak(current, 0.02, 0.5)


@functools.cache
def last_bias(shift: float) -> float:
    """The bias at which cooling turns into heating in Fig. 3 at a `shift`."""

    def current(bias):
        return without_exchange(bias, shift)

    return root(current, 0.4, 0.9)


@functools.cache
def first_energy() -> float:
    """The energy of the first qubit at which heating turns into cooling in Fig. 4."""
    return root(figure_4_current, 0.1, 0.5)


def _with_exchange(model, shift, exchange, bias, coupling):
    """Cooling current of Fig. 5 over the coupling."""
    made = machine(model, bias, shift, 2.0, 2.1, exchange, coupling)
    return made.operate().heat_currents["cold"] / coupling


@in_blocks
def by_local(shift: Any, exchange: Any, bias: Any, coupling: Any) -> Any:
    """Cooling current of Fig. 5 over the `coupling` by the local master equation, at a `shift`, an
    `exchange` and a `bias`."""
    return _with_exchange("local", shift, exchange, bias, coupling)


@in_blocks
def by_global(shift: Any, exchange: Any, bias: Any, coupling: Any) -> Any:
    """Cooling current of Fig. 5 over the `coupling` by the global master equation, at a `shift`, an
    `exchange` and a `bias`."""
    return _with_exchange("global", shift, exchange, bias, coupling)


@in_blocks
def by_redfield(shift: Any, exchange: Any, bias: Any, coupling: Any) -> Any:
    """Cooling current of Fig. 5 over the `coupling` by the Redfield equation that keeps the one
    slow coherence, at a `shift`, an `exchange` and a `bias`."""
    return _with_exchange("redfield-partial", shift, exchange, bias, coupling)


EQUATIONS = {"local": by_local, "global": by_global, "Redfield": by_redfield}


def exchange_alone(
    model: Model,
    energies: tuple[Any, Any] = (2.4, 2.0),
    exchange: Any = 0.2,
    coupling: Any = 0.05,
    temperatures: Sequence[Any] = (1.0, 1.0, 0.95),
    widths: Sequence[Any] = (0.1, 0.2, 0.15),
) -> QubitRefrigerator:
    """Qubits of these `energies` by a `model`, with an `exchange` and without ZZ coupling, filters
    on their levels; `temperatures` and `widths` of hot, sink and cold, with one `coupling`."""
    centers = energies[0], energies[0], energies[1]
    reservoirs = []
    for temperature, center, width in zip(temperatures, centers, widths):
        density = Resonator(center, width)
        reservoirs.append(Reservoir(temperature, spectral_density=density))
    return QubitRefrigerator(model, *energies, 0.0, exchange, coupling, *reservoirs)


@in_blocks
def _global_exchange_alone(energy_1, energy_2, exchange, hot, cold, *widths):
    """Cooling current of `exchange_alone` by the global equation, over the coupling, to which it is
    proportional."""
    temperatures = hot, 1.0, cold
    made = exchange_alone("global", (energy_1, energy_2), exchange, 1.0, temperatures, widths)
    return made.operate().heat_currents["cold"]


def random_exchange(count: int) -> np.ndarray:
    """Cooling currents by the global equation of `count` random devices of exchange alone."""
    rng = np.random.default_rng(0)
    energies = rng.uniform(1.0, 4.0, (2, count))
    exchange = rng.uniform(0.01, 0.9, count)
    bias = rng.uniform(0.01, 0.9, (2, count))
    widths = rng.uniform(0.01, 0.3, (3, count))
    return _global_exchange_alone(*energies, exchange, 1 + bias[0], 1 - bias[1], *widths)
