"""The finite reservoirs of the paper on transient cooling, their evolution, and where they rest.

Currents leave a reservoir, as here; energies are in units of the paper's T, and times in tau:
neither the sizes of the reservoirs nor the unit of time is in the paper, so all sizes are 1 and
rates are gamma_jk = c_j sqrt(omega_k).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...gases import FermiGas
from ...machines import FiniteReservoirs
from ...machines.finite_reservoirs import Equilibrium, Evolution

__all__ = [
    "PARAMETERS",
    "TIMES",
    "crossover",
    "crossover_at",
    "device",
    "device_of",
    "equilibrium",
    "history",
    "state_at",
]

# Energies of the modes, temperatures, chemical potentials, strengths c_j of the reservoirs.
PARAMETERS = {
    1: ([21.1, 21.5], [0.6, 1.0], [20.8, 16.0], [1.0, 1.0]),
    2: ([17.1, 17.5], [0.8, 1.0], [18.8, 18.0], [1.0, 1.0]),
    3: ([17.1, 17.5], [0.6, 1.0], [18.8, 18.0], [1.0, 1.0]),
    4: (
        [21.5, 21.2],
        [0.3, 0.2, 0.1, 0.15],
        [21.0, 19.0, 20.2, 20.9],
        [10.0, 1.0, 10.0, 0.05],
    ),
    5: (
        [18.5, 18.0, 20.5, 21.0, 17.0, 17.5],
        [1.0, 0.6, 0.8, 0.7, 0.8],
        [20.5, 18.0, 20.0, 17.0, 21.0],
        [1.0, 0.1, 1.0, 0.5, 0.5],
    ),
}
TIMES = jnp.geomspace(0.01, 3e4, 401)


@functools.cache
def device(figure: int) -> FiniteReservoirs:
    """The device of a `figure`, of equal sizes 1, by the paper's Sommerfeld expansion."""
    return device_of(*PARAMETERS[figure])


def device_of(
    energies: Sequence[float],
    temperatures: Sequence[float],
    potentials: Sequence[float],
    strengths: Sequence[float],
) -> FiniteReservoirs:
    """A device of equal sizes: `energies` of modes; `temperatures`, chemical `potentials` and
    `strengths` c_j of its reservoirs."""
    gases = FermiGas(jnp.array(temperatures), jnp.array(potentials), 1.0, closure="sommerfeld")
    modes = jnp.array(energies)
    rates = jnp.array(strengths)[:, None] * jnp.sqrt(modes)[None]
    return FiniteReservoirs(modes, rates, gases)


@functools.cache
def history(figure: int) -> Evolution:
    """The evolution of the device of a `figure` over TIMES."""
    return device(figure).evolve(TIMES)


@functools.cache
def equilibrium(figure: int) -> Equilibrium:
    """The state in which the device of a `figure` comes to rest."""
    return device(figure).equilibrium()


def state_at(machine: FiniteReservoirs, time: float) -> Evolution:
    """The evolution of a `machine` to one `time`, by the program that was compiled for TIMES."""
    return machine.evolve(jnp.full_like(TIMES, time))


def crossover(temperatures: Any, potentials: Any) -> np.ndarray:
    """The energy at which reservoirs 1 and 2 of these `temperatures` and chemical `potentials`, on
    the last axis, are equally occupied; NaN where only rounding tells the temperatures apart."""
    t1, t2 = np.asarray(temperatures).T[:2]
    mu1, mu2 = np.asarray(potentials).T[:2]
    apart = np.abs(t1 - t2) > 1e-6
    nothing = np.full_like(t1, np.nan)
    return np.divide(t1 * mu2 - t2 * mu1, t1 - t2, out=nothing, where=apart)


def crossover_at(machine: FiniteReservoirs) -> Callable[[float], float]:
    """The energy omega_tilde of the first two reservoirs of a `machine`, a function of time."""

    def at(time: float) -> float:
        state = state_at(machine, time)
        return float(crossover(state.temperatures, state.chemical_potentials)[0])

    return at
