import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtd
from qtd.machines import QubitRefrigerator
from qtd.spectral import Resonator

NAMES = ("hot", "sink", "cold")
MODELS = ("zz", "global", "local", "redfield", "redfield-partial")
LAWS = settings(deadline=None, max_examples=60, derandomize=True)


@st.composite
def devices(draw, same_temperature=False):
    """Level energies, shift, exchange and coupling; temperatures; filter centres and widths, within what master equations are used for."""
    numbers = lambda low, high, count: [draw(st.floats(low, high)) for _ in range(count)]
    levels = numbers(0.5, 3.0, 2) + numbers(-0.4, 0.8, 1) + numbers(0.01, 0.3, 1) + [10.0 ** draw(st.floats(-3, 0))]
    temperatures = numbers(0.3, 3.0, 1) * 3 if same_temperature else numbers(0.3, 3.0, 3)
    return jnp.array(levels), jnp.array(temperatures), jnp.array(numbers(0.5, 3.0, 3)), jnp.array(numbers(0.02, 0.5, 3))


def machine(model, device):
    levels, temperatures, centers, widths = device
    made = [qtd.Reservoir(t, spectral_density=Resonator(c, w)) for t, c, w in zip(temperatures, centers, widths)]
    exchange = 0.0 if model == "zz" else levels[3]
    return QubitRefrigerator(model, levels[0], levels[1], levels[2], exchange, levels[4], *made)


@functools.cache
def solver(model):
    """The operating point, the density matrix, and the energy that goes back and forth, compiled once."""

    def solve(device):
        fridge = machine(model, device)
        network, rho = fridge.network(), fridge.density_matrix()
        rates = qtd.rate_matrix(network) * (1 - jnp.eye(4))
        gaps = jnp.abs(network.energies[:, None] - network.energies[None])
        return fridge.operate(), rho, jnp.sum(rates * gaps * jnp.diagonal(rho).real[None])

    return jax.jit(solve)


def total(currents):
    return float(sum(currents.values()))


@LAWS
@given(devices())
@pytest.mark.parametrize("model", MODELS)
def test_the_device_takes_up_no_energy(model, device):
    point, _, gross = solver(model)(device)
    assert abs(total(point.device_energy_currents)) < 1e-12 * float(gross)
    if model != "local":
        assert abs(total(point.heat_currents)) < 1e-12 * float(gross)


@LAWS
@given(devices())
def test_quanta_of_the_local_equation_need_the_work_of_the_exchange(device):
    point, rho, gross = solver("local")(device)
    levels = np.asarray(device[0])
    hop = 2 * levels[3] * float(rho[1, 2].imag)
    assert abs(total(point.heat_currents) - (levels[0] - levels[1]) * hop) < 1e-12 * float(gross)


@LAWS
@given(devices())
@pytest.mark.parametrize("model", ["zz", "global", "local"])
def test_entropy_production_is_not_negative(model, device):
    point, _, gross = solver(model)(device)
    assert float(point.entropy_production) >= -1e-12 * float(gross)


@LAWS
@given(devices())
@pytest.mark.parametrize("model", ["zz", "global"])
def test_uncertainty_relation_and_conservation_of_the_noise(model, device):
    point, *_ = solver(model)(device)
    matrix = np.asarray(point.heat_covariance.matrix)
    np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-11 * np.abs(matrix).max())
    for name in NAMES:  # S sigma >= 2 J^2, which also holds where J vanishes
        noise, current = float(point.heat_covariance[name, name]), float(point.heat_currents[name])
        assert noise * float(point.entropy_production) >= 2 * current**2 * (1 - 1e-9) - 1e-24


@LAWS
@given(devices())
def test_the_cooling_condition_is_the_sign_of_the_cooling_current(device):
    fridge = machine("zz", device)
    low, high = fridge.energy_1, fridge.energy_1 + fridge.shift
    hot, sink, cold = (1 / float(getattr(fridge, name).temperature) for name in NAMES)
    rate = lambda name, gap, way: float(getattr(fridge, name).rates(gap)[way])
    # Eq. (8), corrected; index 1 is down, 0 up.
    left = np.exp(cold * float(fridge.energy_2)) * (
        np.exp(sink * float(low)) * rate("hot", low, 1) + np.exp(hot * float(low)) * rate("sink", low, 1)
    )
    left *= np.exp(hot * float(high)) * rate("hot", high, 0) + np.exp(sink * float(high)) * rate("sink", high, 0)
    right = np.exp((hot + sink) * float(low) + cold * float(fridge.energy_2 + fridge.shift))
    right *= (rate("hot", low, 1) + rate("sink", low, 1)) * (rate("hot", high, 0) + rate("sink", high, 0))
    surplus = (left - right) * np.sign(float(fridge.shift))
    if abs(left - right) > 1e-9 * right:
        current = float(solver("zz")(device)[0].heat_currents["cold"])
        assert np.sign(surplus) == np.sign(current) == np.sign(float(fridge.ring().cools))


@LAWS
@given(devices(same_temperature=True))
@pytest.mark.parametrize("model", ["zz", "global"])
def test_equal_temperatures_give_gibbs_populations_and_no_currents(model, device):
    point, *_ = solver(model)(device)
    network = machine(model, device).network()
    gibbs = jax.nn.softmax(-network.energies / device[1][0])
    np.testing.assert_allclose(qtd.steady_state(network), gibbs, rtol=1e-13)
    assert max(abs(float(x)) for x in point.heat_currents.values()) < 1e-14 * float(device[0][4]) * 1e3


@LAWS
@given(devices(same_temperature=True))
@pytest.mark.parametrize("model", ["zz", "global"])
def test_noise_at_equal_temperatures_is_the_response(model, device):
    cold = lambda t: solver(model)((device[0], device[1].at[2].set(t), *device[2:]))[0].heat_currents["cold"]
    slope = float(jax.grad(cold)(device[1][2]))
    noise = float(solver(model)(device)[0].heat_covariance["cold", "cold"])
    assert noise == pytest.approx(2 * float(device[1][2]) ** 2 * slope, rel=1e-9)
