"""Cooling currents of two resonators, for the figures of their paper and the claims about them."""

import functools

from ...machines import ResonatorRefrigerator
from ...parameters import replace
from .._blocks import in_blocks

QUBITS, RESONATORS = (2, 2), (16, 16)  # with 16 levels J_C at dT = 0.3 is converged to 2e-6
SIZES = (QUBITS, (2, 3), (3, 2), (3, 3), (4, 4), (6, 6), RESONATORS)
SMALL = (QUBITS, (3, 2), (2, 3), (3, 3))
WIDTHS = (0.01, 0.02)
RETARDED = ("paper", "local", "causal")


def _device(levels, energy, shift, hot, cold, widths, strength, cutoff):
    """Filters are on the levels by default."""
    numbers = {"hot.temperature": hot, "cold.temperature": cold}
    for name, width in zip(("hot", "sink", "cold"), widths):
        filters = {"width": width, "strength": strength, "cutoff": cutoff}
        numbers |= {f"{name}.spectral_density.{key}": value for key, value in filters.items()}
    return replace(ResonatorRefrigerator(levels, energy, energy, shift), numbers)


def _current_by_rates(levels, energy, shift, hot, cold, hot_width, sink_width, cold_width, cutoff):
    machine = _device(levels, energy, shift, hot, cold, (hot_width, sink_width, cold_width), 1.0, cutoff)
    return machine.operate().heat_currents["cold"]


def _by_green_functions(retarded, bias, shift, hot_width, strength):
    machine = _device(QUBITS, 2.0, shift, 1 + bias, 1.0, (hot_width, 0.02, 0.02), strength, 7.0)
    return machine.keldysh(retarded).heat_currents["cold"]


_RATES = {levels: in_blocks(functools.partial(_current_by_rates, levels), 64) for levels in SIZES}
_KELDYSH = {name: in_blocks(functools.partial(_by_green_functions, name), 1) for name in RETARDED}


def cooling(levels, bias, shift=0.05, cutoff=10.0):
    """Cooling current of Figs. 7 and, with a cut-off of 20, 8."""
    return _RATES[levels](1.0, shift, 1 + bias, 1 - bias, 0.02, 0.08, 0.06, cutoff)


def figure_8_current(levels, shift):
    return cooling(levels, 0.3, shift, 20.0)


def by_rates(bias, hot_width, shift=0.2):
    """Cooling current of Fig. 10 by the master equation."""
    return _RATES[RESONATORS](2.0, shift, 1 + bias, 1.0, hot_width, 0.02, 0.02, 7.0)


def keldysh(retarded, bias, hot_width, strength=1.0, shift=0.2):
    """Cooling current of Fig. 10 by Green functions."""
    return _KELDYSH[retarded](bias, shift, hot_width, strength)


def sizes(levels):
    return f"{levels[0]} x {levels[1]}"
