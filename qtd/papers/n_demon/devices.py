"""The N-demon at the parameters of its paper: COP and power, and which occupations it may have."""

import functools
import math
from typing import Any, NamedTuple

from ...machines import NDemon
from ...parameters import replace
from .._blocks import in_blocks

__all__ = ["RESONANCES", "UNIT", "Demon", "carnot", "demon", "less_bold", "lowest_temperature"]

RESONANCES = (1.25, 1.4, 1.55, 1.6, 1.75, 1.9, 2.1)
UNIT = 1 / (2 * math.pi)  # Gamma / h at Gamma = 1


class Demon(NamedTuple):
    """Operation of a demon: its `cop`, and the cooling current `power` in units of Gamma / h.

    Both are NaN where no occupation is possible, which a `margin` below zero says.
    """

    cop: Any
    power: Any
    margin: Any


@in_blocks
def demon(cold_temperature: Any, energy_4: Any) -> Demon:
    """Operation of the demon by the `cold_temperature` and the fourth resonance, `energy_4`."""
    changes = {"cold.temperature": cold_temperature, "energy_4": energy_4}
    point = replace(NDemon(), changes).operate()
    return Demon(point.cop, point.heat_currents["cold"] / UNIT, point.margin)


@in_blocks
def _lowest_temperature(start, energy_4):
    device = replace(NDemon(), {"cold.temperature": start, "energy_4": energy_4})
    return device.minimum_cold_temperature()


@functools.cache
def lowest_temperature(energy_4: float) -> float:
    """The lowest temperature that can be reached with the fourth resonance at `energy_4`."""
    return float(_lowest_temperature(0.8, energy_4))


@functools.cache
def less_bold() -> float:
    """COP at T_c = 0.05, e_4 = 1.75 with an occupation half as bold as the boldest one."""
    changes = {"cold.temperature": 0.05, "energy_4": 1.75}
    device = replace(NDemon(boldness=1e-3), changes)
    half = replace(device, {"boldness": device.limits()[0] / 2})
    return float(half.operate().cop)


def carnot(cold_temperature: Any) -> Any:
    """Carnot's bound of the COP at a `cold_temperature`; that of the hot lead is 1."""
    return cold_temperature / (1 - cold_temperature)
