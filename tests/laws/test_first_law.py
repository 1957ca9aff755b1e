"""What enters a device at rest leaves it: energy, heat where the interaction conserves quanta,
photons of each resonator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import qubits, resonators

import qtd

from .devices import DEVICES, EPS, over, pairs_of_qubits, pairs_of_resonators, solver

pytestmark = pytest.mark.digits


@over()
@given(data=st.data())
def test_no_energy_stays_in_the_device(name, data):
    found = solver(name)(data.draw(DEVICES[name].draw()))
    assert found.status == 0 or not DEVICES[name].wide
    # Each current is a difference of fluxes and known to an ulp of them: that is what remains when
    # all currents vanish.
    rounding = 4 * EPS * found.gross.max() if DEVICES[name].wide else 1e-12 * found.gross.sum()
    assert abs(found.device.sum()) <= 1e-12 * np.abs(found.device).max() + rounding
    if DEVICES[name].conserves_heat:
        assert abs(found.heat.sum()) <= 1e-12 * np.abs(found.heat).max() + rounding


@given(vector=pairs_of_qubits())
def test_quanta_of_the_local_equation_need_the_work_of_the_exchange(vector):
    found = solver("qubits, local")(vector)
    rho = np.asarray(local_state(jnp.asarray(vector)))
    hop = 2 * vector[3] * rho[1, 2].imag
    assert abs(found.heat.sum() - (vector[0] - vector[1]) * hop) < 1e-12 * found.gross.sum()


@jax.jit
def local_state(vector):
    return qubits("local", vector).density_matrix()


@jax.jit
def photons(vector):
    found = resonators(vector).photon_currents()
    return jnp.stack([found["hot"], found["sink"], found["cold"]])


@given(vector=pairs_of_resonators())
def test_photons_of_each_resonator_are_conserved(vector):
    hot, sink, cold = np.asarray(photons(jnp.asarray(vector)))
    gross = solver("resonators")(vector).gross.sum()
    assert abs(cold) < 1e-13 * gross and abs(hot + sink) < 1e-13 * gross


@jax.jit
def keldysh(vector):
    state = resonators(vector).keldysh("local", 2048)
    return (
        state.status,
        jnp.stack([value for _, value in sorted(state.heat_currents.items())]),
        state.photon_currents,
    )


@settings(
    max_examples=60
)  # among more are some whose currents, of 1e-17, are rounding of what flows back and forth
@given(vector=pairs_of_resonators(strength=0.1))
def test_green_functions_conserve_energy_and_photons(vector):
    status, heat, quanta = keldysh(jnp.asarray(vector))
    if int(status) in (0, qtd.Status.STRONG_CORRELATION):
        scale = float(jnp.abs(heat).max())
        assert abs(float(heat.sum())) < 1e-12 * scale + 1e-18
        assert abs(float(quanta["hot"] + quanta["sink"])) < 1e-12 * scale + 1e-18


@pytest.mark.parametrize("name", ["qubits, zz", "qubits, global", "resonators"])
@given(data=st.data())
def test_fluctuations_of_all_currents_sum_to_nothing(name, data):
    noise = solver(name)(data.draw(DEVICES[name].draw())).noise
    np.testing.assert_allclose(noise.sum(axis=0), 0, atol=1e-11 * np.abs(noise).max())
