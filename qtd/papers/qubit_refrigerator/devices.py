"""Cooling currents of two qubits, for the figures of their paper and the claims about them."""

import functools

import numpy as np

from ...machines import QubitRefrigerator
from ...parameters import replace
from ...reservoirs import Reservoir
from ...spectral import Resonator
from .._blocks import in_blocks, peak, root

SHIFTS = (0.05, 0.1, 0.2, 0.3, 0.5)


@in_blocks
def _ring(bias, shift, energy_1, energy_2, hot, sink):
    """Cooling current without exchange, Eq. (7), with the filters of hot and sink centred at `hot` and `sink`."""
    made = machine("zz", bias, shift, energy_1, energy_2)
    return replace(made, {"hot.spectral_density.center": hot, "sink.spectral_density.center": sink}).ring().heat_currents["cold"]


def machine(model, bias, shift, energy_1=2.0, energy_2=2.0, exchange=0.0, coupling=1.0):
    """With T + dT, T, T - dT of hot, sink and cold; filters are on the levels by default."""
    made = QubitRefrigerator(model, energy_1, energy_2, shift, exchange, coupling)
    return replace(made, {"hot.temperature": 1 + bias, "cold.temperature": 1 - bias})


def _with_exchange(model, shift, exchange, bias, coupling):
    """Cooling current of Fig. 5 over the coupling."""
    return machine(model, bias, shift, 2.0, 2.1, exchange, coupling).operate().heat_currents["cold"] / coupling


local, secular, redfield = (in_blocks(functools.partial(_with_exchange, model)) for model in ("local", "global", "redfield-partial"))


def exchange_alone(model, energies, exchange, coupling, temperatures, widths):
    """Qubits without ZZ coupling, filters on their levels; three reservoirs in the order hot, sink, cold."""
    centers = energies[0], energies[0], energies[1]
    reservoirs = [Reservoir(t, spectral_density=Resonator(c, w)) for t, c, w in zip(temperatures, centers, widths)]
    return QubitRefrigerator(model, *energies, 0.0, exchange, coupling, *reservoirs)


@in_blocks
def global_exchange_alone(energy_1, energy_2, exchange, hot, cold, hot_width, sink_width, cold_width):
    """Cooling current of `exchange_alone` by the global equation, over the coupling, to which it is proportional."""
    made = exchange_alone("global", (energy_1, energy_2), exchange, 1.0, (hot, 1.0, cold), (hot_width, sink_width, cold_width))
    return made.operate().heat_currents["cold"]


def without_exchange(bias, shift, energy_1=2.0, energy_2=2.0):
    """Cooling current of Fig. 3."""
    return _ring(bias, shift, energy_1, energy_2, energy_1, energy_1 + shift)


def figure_4_current(energy_1):
    return without_exchange(0.3, 0.1, energy_1, 2.1)


def figure_4_resonant(energy_1):
    """With hot and sink filters on the size of the gaps, also where these are negative."""
    return _ring(0.3, 0.1, energy_1, 2.1, np.abs(energy_1), np.abs(energy_1 + 0.1))


def best_bias(shift):
    return peak(lambda bias: without_exchange(bias, shift), 0.02, 0.5)


def last_bias(shift):
    return root(lambda bias: without_exchange(bias, shift), 0.4, 0.9)


def first_energy():
    return root(figure_4_current, 0.1, 0.5)
