"""Reservoirs of one temperature leave the Gibbs state and no current; near it, noise is response;
rates obey detailed balance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import COLLECTIVE_NAMES, collective

import qtd

from .devices import DEVICES, EPS, by_column, over, refrigerators, solver

pytestmark = pytest.mark.digits

# How cold and how narrow a wide device may be for the law at hand.
COLD, RESPONSIVE = {"coldest": 0.04}, {"coldest": 0.2, "narrowest": 1e-4}


def at_rest(name, data, **options):
    device = DEVICES[name]
    return solver(name)(
        data.draw(device.draw(same_temperature=True, **(options if device.wide else {})))
    )


@over("classical")
@given(data=st.data())
def test_equal_temperatures_leave_the_gibbs_state(name, data):
    found = at_rest(name, data, **COLD)
    x = (found.energies - found.energies.min()) / found.temperatures[0]
    expected = np.exp(-x) / np.exp(-x).sum()
    visible = expected > 1e-290
    # Boltzmann factors of the gaps, each right to a few ulp and to the rounding of its exponent,
    # multiply up a ladder.
    tolerance = (
        EPS * (40 + x) if DEVICES[name].wide else 1e-13 if name.startswith("qubits") else 1e-12
    )
    error = np.abs(found.populations[visible] / expected[visible] - 1)
    assert np.all(error <= np.broadcast_to(tolerance, x.shape)[visible])


@over("classical")
@given(data=st.data())
def test_equal_temperatures_carry_no_current(name, data):
    found = at_rest(name, data, **COLD)
    assert np.all(np.abs(found.heat) <= 20 * EPS * found.gross.sum())


@over("classical")
@given(data=st.data())
def test_near_equilibrium_noise_gives_the_response_and_reciprocity(name, data):
    found = at_rest(name, data, **RESPONSIVE)
    # Johnson and Nyquist: dJ_r/dT_s = S_rs / (2 T^2). Slopes are differences of fluxes, noise is a
    # sum of fluxes times gaps up to 24.
    atol = 1e-12 * np.abs(found.noise).max() + 24 * 10 * EPS * found.gross.sum()
    response = 2 * found.temperatures[0] ** 2 * found.response
    np.testing.assert_allclose(response, found.noise, rtol=1e-9, atol=atol)
    if not DEVICES[name].wide:
        np.testing.assert_allclose(response[2, 2], found.noise[2, 2], rtol=1e-9, atol=1e-12)


@jax.jit
def rates(vector):
    """Gaps and rates b -> a at [a, b] of each reservoir."""
    network = collective(vector, 9).network()
    gaps = jnp.abs(network.energies[:, None] - network.energies[None])
    return gaps, [
        qtd.rate_matrix(network, name) * (1 - jnp.eye(len(gaps))) for name in COLLECTIVE_NAMES
    ]


@given(vector=refrigerators())
def test_rates_of_each_reservoir_obey_detailed_balance(vector):
    gaps, matrices = rates(jnp.asarray(vector))
    for temperature, matrix in zip(by_column(vector)[0], matrices):
        x, matrix = np.asarray(gaps) / temperature, np.asarray(matrix)
        jumps = (np.tril(matrix.T, -1) > 0) & (x < 650)
        ratio = matrix[jumps] / matrix.T[jumps]
        assert jumps.sum() >= 1
        assert np.all(np.abs(ratio / np.exp(-x[jumps]) - 1) <= EPS * (10 + 2 * x[jumps]))
