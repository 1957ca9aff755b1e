import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import qtd
from qtd.machines import ResonatorRefrigerator
from qtd.spectral import Resonator

NAMES = ("hot", "sink", "cold")
LAWS = settings(deadline=None, max_examples=60, derandomize=True)


@st.composite
def devices(draw, same_temperature=False):
    """Energies and shift; temperatures; filter centres and widths."""
    numbers = lambda low, high, count: [draw(st.floats(low, high)) for _ in range(count)]
    energies = [*numbers(0.5, 3.0, 2), draw(st.floats(-0.1, 0.8))]
    temperatures = numbers(0.3, 3.0, 1) * 3 if same_temperature else numbers(0.3, 3.0, 3)
    return jnp.array(energies), jnp.array(temperatures), jnp.array(numbers(0.5, 3.0, 3)), jnp.array(numbers(0.02, 0.5, 3))


def machine(device, levels=(4, 3), strength=1.0):
    energies, temperatures, centers, widths = device
    made = [qtd.Reservoir(t, spectral_density=Resonator(c, w, strength, 10.0)) for t, c, w in zip(temperatures, centers, widths)]
    return ResonatorRefrigerator(levels, *energies, *made)


@jax.jit
def rates(device):
    """The operating point, photon currents, and the energy that goes back and forth."""
    fridge = machine(device)
    network = fridge.network()
    traffic = qtd.rate_matrix(network) * (1 - jnp.eye(12)) * qtd.steady_state(network)[None]
    return fridge.operate(), fridge.photon_currents(), jnp.sum(traffic * jnp.abs(network.energies[:, None] - network.energies[None]))


@jax.jit
def keldysh(device):
    fridge = machine(device, strength=0.1)
    state = fridge.keldysh("local", 2048)
    return state, jnp.stack([value for _, value in sorted(state.heat_currents.items())])


@LAWS
@given(devices())
def test_energy_and_the_photons_of_each_resonator_are_conserved(device):
    point, photons, gross = rates(device)
    assert abs(float(sum(point.heat_currents.values()))) < 1e-12 * float(gross)
    assert abs(float(photons["cold"])) < 1e-13 * float(gross) and abs(float(photons["hot"] + photons["sink"])) < 1e-13 * float(gross)


@LAWS
@given(devices())
def test_second_law_and_uncertainty_relation(device):
    point, _, gross = rates(device)
    sigma = float(point.entropy_production)
    assert sigma >= -1e-12 * float(gross)
    for name in NAMES:  # S sigma >= 2 J^2, which also holds where J vanishes
        noise, current = float(point.heat_covariance[name, name]), float(point.heat_currents[name])
        assert noise * sigma >= 2 * current**2 * (1 - 1e-9) - 1e-24
    matrix = np.asarray(point.heat_covariance.matrix)
    np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-11 * np.abs(matrix).max())


@LAWS
@given(devices(same_temperature=True))
def test_equal_temperatures_give_gibbs_populations_and_no_currents(device):
    point, _, gross = rates(device)
    network = machine(device).network()
    np.testing.assert_allclose(qtd.steady_state(network), jax.nn.softmax(-network.energies / device[1][0]), rtol=1e-12)
    assert max(abs(float(x)) for x in point.heat_currents.values()) < 1e-13 * float(gross)


@LAWS
@given(devices())
def test_green_functions_conserve_energy_and_photons(device):
    state, heat = keldysh(device)
    if int(state.status) in (0, qtd.Status.STRONG_CORRELATION):
        scale = float(jnp.abs(heat).max())
        assert abs(float(heat.sum())) < 1e-12 * scale + 1e-18
        assert abs(float(state.photon_currents["hot"] + state.photon_currents["sink"])) < 1e-12 * scale + 1e-18
