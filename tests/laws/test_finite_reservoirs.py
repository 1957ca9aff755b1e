"""Laws of finite reservoirs: conservation, Clausius, the table of signs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

from qtd.gases import FermiGas
from qtd.machines import FiniteReservoirs

pytestmark = pytest.mark.digits


@jax.jit
def flows(energies, rates, temperatures, potentials):
    return FiniteReservoirs(energies, rates, FermiGas(temperatures, potentials)).operate()


def random_device(seed, reservoirs=3, modes=4):
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0, 2, (reservoirs, modes)) * (rng.uniform(size=(reservoirs, modes)) > 0.2)
    energies = rng.uniform(5, 25, modes)
    return [
        jnp.asarray(x)
        for x in (
            energies,
            rates,
            10 ** rng.uniform(-1.5, 0.7, reservoirs),
            rng.uniform(-3, 22, reservoirs),
        )
    ]


@given(st.integers(0, 10**6))
def test_particles_and_energy_are_conserved_and_entropy_is_produced(seed):
    energies, rates, temperatures, potentials = random_device(seed)
    found = flows(energies, rates, temperatures, potentials)
    for currents in (found.particles, found.energy):
        assert abs(float(currents.sum())) <= 1e-13 * float(jnp.abs(currents).max())
    assert float(found.entropy_production) >= 0
    assert float(found.entropy_production) == pytest.approx(
        -float((found.heat / temperatures).sum()), rel=1e-9, abs=1e-12
    )


@given(st.integers(0, 10**6))
def test_at_equal_potentials_the_coldest_loses_no_heat(seed):
    energies, rates, temperatures, _ = random_device(seed)
    found = flows(energies, rates, temperatures, jnp.full(3, 12.0))
    assert float(found.heat[jnp.argmin(temperatures)]) <= 0


@examples(100)
@given(st.floats(0.2, 3.0), st.floats(0.2, 3.0), st.floats(0.5, 6.0), st.floats(-8.0, 25.0))
def test_signs_of_the_flows_follow_the_table(first, second, bias, energy):
    """Two reservoirs and a mode: whose particles flow tells the side of omega_tilde, whose heat
    that of mu as well."""
    machine = FiniteReservoirs(
        jnp.array([energy]),
        jnp.ones((2, 1)),
        FermiGas(jnp.array([first, second]), jnp.array([10.0, 10.0 - bias])),
    )
    equal = float(machine.crossover()[0, 1])
    found = flows(
        machine.energies, machine.rates, machine.gases.temperature, machine.gases.chemical_potential
    )
    outwards = (energy < equal) == (first < second) if first != second else True
    wanted = 1.0 if outwards else -1.0
    if abs(energy - equal) > 1e-9 and abs(float(found.particles[0])) > 0:
        assert np.sign(float(found.particles[0])) == wanted
        assert (
            float(found.heat[0]) * wanted * (energy - 10.0) >= 0
            and float(found.heat[1]) * wanted * (energy - 10.0 + bias) <= 0
        )


def test_equal_reservoirs_exchange_exactly_nothing():
    found = flows(
        jnp.array([5.0, 9.0]),
        jnp.array([[1.0, 0.3], [0.2, 2.0], [0.7, 0.1]]),
        jnp.full(3, 0.7),
        jnp.full(3, 6.0),
    )
    assert (
        not np.any(found.particles)
        and not np.any(found.energy)
        and float(found.entropy_production) == 0
    )


@pytest.mark.parametrize(
    ("rates", "conserved"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], 2),
        ([[1.0, 0.0], [1.0, 0.0]], 3),
        ([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], 3),
        ([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]], 4),
    ],
    ids=["two modes", "one mode", "ring", "one left alone"],
)
def test_conserved_quantities_are_counted(rates, conserved):
    rates = jnp.asarray(rates)
    gases = FermiGas(jnp.linspace(0.5, 1.0, len(rates)), jnp.full(len(rates), 10.0))
    rest = FiniteReservoirs(
        10.0 + jnp.arange(rates.shape[1], dtype=float), rates, gases
    ).equilibrium()
    assert int(rest.conserved) == conserved and bool(rest.unique) == (conserved == 2)


def test_in_two_dimensions_the_equilibrium_has_a_closed_form():
    t = np.array([0.3, 0.9, 0.6])
    mu = np.array([20.0, 22.0, 21.0])
    b = np.array([1.0, 2.0, 0.5])
    rest = FiniteReservoirs(
        jnp.array([20.0, 21.0]), jnp.ones((3, 2)), FermiGas(t, mu, b, 1.0, "sommerfeld")
    ).equilibrium()

    def mean(x):
        return (b * x).sum() / b.sum()

    expected = np.sqrt(mean(t**2) + 3 / np.pi**2 * (mean(mu**2) - mean(mu) ** 2)), mean(mu)
    np.testing.assert_allclose([rest.temperature, rest.chemical_potential], expected, rtol=1e-12)


def test_a_mode_that_meets_no_reservoir_carries_nothing():
    with_it = flows(
        jnp.array([21.1, 21.5]),
        jnp.array([[1.0, 0.0], [2.0, 0.0]]),
        jnp.array([0.6, 1.0]),
        jnp.array([20.8, 16.0]),
    )
    without = flows(
        jnp.array([21.1]), jnp.array([[1.0], [2.0]]), jnp.array([0.6, 1.0]), jnp.array([20.8, 16.0])
    )
    np.testing.assert_array_equal(with_it.energy, without.energy)
