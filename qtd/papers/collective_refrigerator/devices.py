"""Currents and times of the collective refrigerator, for the figures of its paper and the claims about them."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ...evolution import thermalisation_time
from ...machines import CollectiveRefrigerator
from ...networks import RateNetwork
from ...parameters import replace
from ...reservoirs import Reservoir
from ...spectral import Ohmic
from .._blocks import in_blocks, root

WORK_WIDTHS = (0.001, 0.002, 0.004, 0.006, 0.008)
PANELS_5 = {
    "a": {},
    "b": {"work_width": 5e-4},
    "c": {"hot_width": 0.3},
    "d": {"cold_width": 0.3},
}


@in_blocks
def point(beta_cold, beta_hot, cold_width, hot_width, work_width):
    """Cooling current, COP, its bound from the noise (F1) of 31 spins, and the current of the three lowest levels alone."""
    changes = {"cold.temperature": 1 / beta_cold, "hot.temperature": 1 / beta_hot}
    widths = {"cold": cold_width, "hot": hot_width, "work": work_width}
    machine = replace(CollectiveRefrigerator(31), changes | {f"{name}.spectral_density.width": d for name, d in widths.items()})
    found = machine.operate()
    return found.heat_currents["cold"], found.cop, found.cop_bound_from_noise, machine.reduced().current()


def cooling(beta_cold: Any = 2.0, beta_hot: Any = 1.0, cold_width: Any = 0.1, hot_width: Any = 0.1, work_width: Any = 1e-3):
    return point(beta_cold, beta_hot, cold_width, hot_width, work_width)[0]


@in_blocks
def relaxation(num_spins):
    """Thermalisation time of Fig. 7 with the six lowest levels of N >= 11 spins; those above hold less than 1e-18."""
    m, j = np.arange(6) + 0.5, num_spins / 2
    elements = (j * (j + 1) - m[:-1] * (m[:-1] + 1)) / 4
    jumps = [("reservoir", np.arange(5), np.arange(1, 6), elements)]
    network = RateNetwork(m**2, jumps, {"reservoir": Reservoir(0.25, spectral_density=Ohmic(1.0, 100.0))})
    weights = jnp.exp(-jnp.asarray(m**2 - m[0] ** 2))
    return thermalisation_time(network, weights / jnp.sum(weights), 1e-6)


def edge(work_width: float, **widths: float) -> float:
    """Inverse temperature of the cold reservoir where cooling ends."""
    return root(lambda beta: cooling(beta, work_width=work_width, **widths), 1.01, 3.5)


def performance(beta_cold, beta_hot, cold_width=0.1, hot_width=0.1, work_width=1e-3):
    """Cooling current, COP over its bound (NaN without cooling), current of the reduced model."""
    current, cop, bound, reduced = point(beta_cold, beta_hot, cold_width, hot_width, work_width)
    cools = (current > 0) & (np.asarray(beta_cold) > np.asarray(beta_hot))
    return current, np.where(cools, cop / bound, np.nan), reduced
