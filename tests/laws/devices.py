"""The devices made of jumps that the tests of laws run over: what hypothesis draws for each, which
laws hold, what is computed.

One compiled program a device gives everything that the laws speak about. To have a machine tested,
add a row to `DEVICES`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from jax import lax
from machines import (
    COLLECTIVE_NAMES,
    COLLECTIVE_PATHS,
    MODELS,
    QUBIT_NAMES,
    collective,
    qubits,
    resonators,
)

import qtd

EPS = 2.2e-16


class Device(NamedTuple):
    """A machine, or a model of one: `draw(same_temperature, **options)` is a strategy for vectors,
    `build` makes the machine of one.

    `temperatures`: places of the reservoirs' temperatures in a vector, in the order of `names`.
    `populations` of a machine are what its jumps start from. `wide`: parameters over so many
    decades that rounding of the gross flux is what remains of a law.
    """

    names: tuple[str, ...]
    draw: Callable[..., st.SearchStrategy]
    build: Callable[[Any], Any]
    temperatures: tuple[int, ...]
    populations: Callable[[Any], Any]
    wide: bool = False
    conserves_heat: bool = True
    consistent: bool = True  # a thermodynamic theory: entropy is produced at any temperatures
    # Jumps between levels alone: the uncertainty relation holds, Gibbs states at rest
    classical: bool = True


class Balance(NamedTuple):
    """What one device does; vectors and matrices by reservoir, in the order of its names.

    `gross`: the energy that each reservoir moves back and forth, of which its current is the small
    difference. `device`: energy currents by the Hamiltonian. `populations` and `energies`: of the
    levels of the network. `response`: derivatives of the heat currents (rows) in the temperatures.
    """

    status: Any
    heat: Any
    device: Any
    noise: Any
    entropy_production: Any
    gross: Any
    temperatures: Any
    populations: Any
    energies: Any
    cop: Any
    carnot: Any  # driven by the work reservoir, and by the hot one
    bound_from_noise: Any
    response: Any

    @property
    def rounding(self):
        """Of the entropy production: some ulp of the gross fluxes."""
        return 10 * EPS * float(np.sum(self.gross / self.temperatures))


@functools.cache
def solver(name: str) -> Callable[[Any], Balance]:
    """The balance of one vector, compiled once."""
    device = DEVICES[name]
    places = np.array(device.temperatures)

    def balance_at(temperatures, vector):
        """The heat currents, whose response is asked for, and all else."""
        machine = device.build(vector.at[places].set(temperatures))
        point = machine.operate()
        network = machine.network()
        populations = jnp.abs(device.populations(machine))
        gaps = jnp.abs(network.energies[:, None] - network.energies[None]) * (
            1 - jnp.eye(len(network.energies))
        )
        gross = [
            jnp.sum(qtd.rate_matrix(network, reservoir) * gaps * populations[None])
            for reservoir in device.names
        ]
        noise = [
            jnp.stack([point.heat_covariance[a, b] for b in device.names]) for a in device.names
        ]

        def by_name(values):
            return jnp.stack([values[reservoir] for reservoir in device.names])

        heat = by_name(point.heat_currents)
        return heat, lax.stop_gradient(
            (
                point.status,
                heat,
                by_name(point.device_energy_currents),
                jnp.stack(noise),
                point.entropy_production,
                jnp.stack(gross),
                temperatures,
                qtd.steady_state(network),
                network.energies,
                point.cop,
                jnp.stack([point.carnot_cop, point.carnot_cop_hot_drive]),
                point.cop_bound_from_noise,
            )
        )

    def solve(vector):
        response, known = jax.jacfwd(balance_at, has_aux=True)(vector[places], vector)
        return Balance(*known, response)

    compiled = jax.jit(solve)
    return lambda vector: Balance(*map(np.asarray, compiled(jnp.asarray(vector))))


def over(*laws: str):
    """Parametrise a test over the devices for which all these laws hold: names of fields of
    `Device`."""
    return pytest.mark.parametrize(
        "name",
        [name for name, device in DEVICES.items() if all(getattr(device, law) for law in laws)],
    )


def log_floats(low, high):
    return st.floats(np.log10(low), np.log10(high)).map(lambda x: float(10**x))


@st.composite
def refrigerators(draw, same_temperature=False, coldest=0.02, narrowest=1e-6):
    """Temperatures over six decades, filters from needles to broad bands, near the resonances or
    far from them."""

    def three(strategy):
        return [draw(strategy) for _ in range(3)]

    widths = three(log_floats(narrowest, 2.0))
    shifts = three(st.floats(-1, 1))
    centers = [
        gap + shift * min(5 * width, 1.5)
        for gap, shift, width in zip((2.0, 6.0, 4.0), shifts, widths)
    ]
    temperatures, heights = three(log_floats(coldest, 2e4)), three(log_floats(1e-3, 1e3))
    if same_temperature:
        temperatures = temperatures[:1] * 3
    return np.array([*np.transpose([temperatures, centers, widths, heights]).ravel(), 1.0])


def by_column(vector):
    """Temperatures, centres, widths, heights of such a refrigerator, each by reservoir."""
    return np.asarray(vector)[:12].reshape(3, 4).T


def _numbers(draw, low, high, count):
    return [draw(st.floats(low, high)) for _ in range(count)]


def _contacts(draw, same_temperature):
    """Temperature, centre and width of three filters, within what master equations are used for."""
    temperatures = (
        _numbers(draw, 0.3, 3.0, 1) * 3 if same_temperature else _numbers(draw, 0.3, 3.0, 3)
    )
    return np.transpose(
        [temperatures, _numbers(draw, 0.5, 3.0, 3), _numbers(draw, 0.02, 0.5, 3)]
    ).ravel()


@st.composite
def pairs_of_qubits(draw, same_temperature=False):
    """Level energies, shift, exchange and coupling; filters; their cut-off."""
    levels = (
        _numbers(draw, 0.5, 3.0, 2)
        + _numbers(draw, -0.4, 0.8, 1)
        + _numbers(draw, 0.01, 0.3, 1)
        + [10.0 ** draw(st.floats(-3, 0))]
    )
    return np.array([*levels, *_contacts(draw, same_temperature), 20.0])


@st.composite
def pairs_of_resonators(draw, same_temperature=False, strength=1.0):
    """Energies and shift; filters; their strengths."""
    energies = [*_numbers(draw, 0.5, 3.0, 2), draw(st.floats(-0.1, 0.8))]
    return np.array([*energies, *_contacts(draw, same_temperature), *[strength] * 3])


def of_network(machine):
    return qtd.steady_state(machine.network())


def of_state(machine):
    return jnp.diagonal(machine.density_matrix()).real


DEVICES = {
    "collective refrigerator": Device(
        COLLECTIVE_NAMES,
        refrigerators,
        functools.partial(collective, spins=9),
        tuple(COLLECTIVE_PATHS.index(f"{name}.temperature") for name in COLLECTIVE_NAMES),
        of_network,
        wide=True,
    ),
    **{
        f"qubits, {model}": Device(
            QUBIT_NAMES,
            pairs_of_qubits,
            functools.partial(qubits, model),
            (5, 8, 11),
            of_state,
            conserves_heat=model != "local",
            consistent=model in ("zz", "global", "local"),
            classical=model in ("zz", "global"),
        )
        for model in MODELS
    },
    "resonators": Device(QUBIT_NAMES, pairs_of_resonators, resonators, (3, 6, 9), of_network),
}
