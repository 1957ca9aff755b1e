"""The refrigerator of two resonators at the parameters of its paper, and its cooling currents."""

import functools
from typing import Any

import numpy as np

from ...machines import ResonatorRefrigerator
from ...parameters import replace
from .._blocks import in_blocks, peak

__all__ = [
    "QUBITS",
    "RESONATORS",
    "RETARDED",
    "SIZES",
    "SMALL",
    "WIDTHS",
    "best_bias",
    "by_rates",
    "cooling",
    "figure_8_current",
    "gain_over_qubits",
    "keldysh",
    "sizes",
]

QUBITS = (2, 2)
RESONATORS = (16, 16)  # with 16 levels J_C at dT = 0.3 is converged to 2e-6
SIZES = (QUBITS, (2, 3), (3, 2), (3, 3), (4, 4), (6, 6), RESONATORS)
SMALL = (QUBITS, (3, 2), (2, 3), (3, 3))
WIDTHS = (0.01, 0.02)
RETARDED = ("paper", "local", "causal")


def _device(levels, energy, shift, hot, cold, widths, strength, cutoff):
    """A refrigerator with filters on its levels: temperatures `hot` and `cold`, that of the sink
    being 1, and `widths` of hot, sink and cold."""
    numbers = {"hot.temperature": hot, "cold.temperature": cold}
    for name, width in zip(("hot", "sink", "cold"), widths):
        filters = {"width": width, "strength": strength, "cutoff": cutoff}
        for key, value in filters.items():
            numbers[f"{name}.spectral_density.{key}"] = value
    return replace(ResonatorRefrigerator(levels, energy, energy, shift), numbers)


def _current_by_rates(levels, energy, shift, hot, cold, hot_width, sink_width, cold_width, cutoff):
    widths = hot_width, sink_width, cold_width
    machine = _device(levels, energy, shift, hot, cold, widths, 1.0, cutoff)
    return machine.operate().heat_currents["cold"]


def _by_green_functions(retarded, bias, shift, hot_width, strength):
    widths = hot_width, 0.02, 0.02
    machine = _device(QUBITS, 2.0, shift, 1 + bias, 1.0, widths, strength, 7.0)
    return machine.keldysh(retarded).heat_currents["cold"]


_RATES = {n: in_blocks(functools.partial(_current_by_rates, n), 64) for n in SIZES}
_KELDYSH = {n: in_blocks(functools.partial(_by_green_functions, n), 1) for n in RETARDED}


def cooling(
    levels: tuple[int, int], bias: Any, shift: Any = 0.05, cutoff: float = 10.0
) -> np.ndarray:
    """Cooling current of Fig. 7 and, with a `cutoff` of 20, 8, by the numbers of `levels`, the
    `bias` and the `shift`."""
    return _RATES[levels](1.0, shift, 1 + bias, 1 - bias, 0.02, 0.08, 0.06, cutoff)


def figure_8_current(levels: tuple[int, int], shift: Any) -> np.ndarray:
    """Cooling current of Fig. 8 by the numbers of `levels` and the `shift`."""
    return cooling(levels, 0.3, shift, 20.0)


@functools.cache
def gain_over_qubits(levels: tuple[int, int]) -> float:
    """Cooling current at dT = 0.3 in Fig. 7 by the numbers of `levels`, over that of qubits."""
    return float(cooling(levels, 0.3) / cooling(QUBITS, 0.3))


def by_rates(bias: Any, hot_width: Any, shift: Any = 0.2) -> np.ndarray:
    """Cooling current of Fig. 10 by the master equation, at a `bias`, a `hot_width` of the hot
    filter and a `shift`."""
    return _RATES[RESONATORS](2.0, shift, 1 + bias, 1.0, hot_width, 0.02, 0.02, 7.0)


def keldysh(
    retarded: str, bias: Any, hot_width: Any, strength: Any = 1.0, shift: Any = 0.2
) -> np.ndarray:
    """Cooling current of Fig. 10 by Green functions with one of the RETARDED ones, `retarded`, at a
    `bias`, a `hot_width` of the hot filter, a `strength` of all filters and a `shift`."""
    return _KELDYSH[retarded](bias, shift, hot_width, strength)


@functools.cache
def best_bias(retarded: str, strength: float, hot_width: float) -> tuple[float, float]:
    """The bias of largest cooling by Green functions with `retarded`, a `strength` of all filters
    and a `hot_width` of the hot one, and the current there."""

    def current(bias):
        return keldysh(retarded, bias, hot_width, strength)

    return peak(current, 0.02, 3.0)


def sizes(levels: tuple[int, int]) -> str:
    """The numbers of `levels` as in the legend of Fig. 7."""
    return f"{levels[0]} x {levels[1]}"
