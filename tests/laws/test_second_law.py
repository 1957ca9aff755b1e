"""Entropy is produced, no refrigerator beats Carnot, and no current is steadier than the
uncertainty relation allows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import collective, qubits

from .devices import DEVICES, over, pairs_of_qubits, refrigerators, solver

pytestmark = pytest.mark.digits


@over("consistent")
@given(data=st.data())
def test_entropy_production_is_not_negative(name, data):
    found = solver(name)(data.draw(DEVICES[name].draw()))
    assert found.entropy_production >= -found.rounding


@over("classical")
@given(data=st.data())
def test_currents_fluctuate_at_least_as_the_uncertainty_relation_says(name, data):
    """S sigma >= 2 J^2, which also holds where J vanishes."""
    found = solver(name)(data.draw(DEVICES[name].draw()))
    sigma = found.entropy_production + (found.rounding if DEVICES[name].wide else 0)
    for current, noise, flux in zip(found.heat, np.diag(found.noise), found.gross):
        # Of a wide device only currents with ten digits are judged; the entropy production may have
        # fewer.
        if not DEVICES[name].wide or abs(current) > 1e-6 * flux:
            assert noise * sigma >= 2 * current**2 * (1 - 1e-9) - (
                0 if DEVICES[name].wide else 1e-24
            )


@given(vector=refrigerators())
def test_no_refrigerator_beats_carnot_or_its_own_noise(vector):
    places = np.array(DEVICES["collective refrigerator"].temperatures)
    vector[places] = np.sort(vector[places]) * np.array([1.0, 1.001, 1.01])  # cold < hot < work
    found = solver("collective refrigerator")(vector)
    if found.heat[0] > 1e-9 * found.gross[0] and found.heat[2] > 1e-9 * found.gross[2]:
        assert collective(vector, 9).operate().mode == "refrigerator"
        assert found.cop <= found.carnot[0] * (1 + 1e-6) <= found.carnot[1] * (1 + 2e-6)
        assert found.cop <= found.bound_from_noise * (1 + 1e-6)


@given(vector=pairs_of_qubits())
def test_the_cooling_condition_of_qubits_is_the_sign_of_the_cooling_current(vector):
    fridge = qubits("zz", vector)
    low, high = fridge.energy_1, fridge.energy_1 + fridge.shift
    hot, sink, cold = (
        1 / float(getattr(fridge, name).temperature) for name in ("hot", "sink", "cold")
    )

    def rate(name, gap, way):
        return float(getattr(fridge, name).rates(gap)[way])

    # Eq. (8), corrected; index 1 is down, 0 up.
    left = np.exp(cold * float(fridge.energy_2)) * (
        np.exp(sink * float(low)) * rate("hot", low, 1)
        + np.exp(hot * float(low)) * rate("sink", low, 1)
    )
    left *= np.exp(hot * float(high)) * rate("hot", high, 0) + np.exp(sink * float(high)) * rate(
        "sink", high, 0
    )
    right = np.exp((hot + sink) * float(low) + cold * float(fridge.energy_2 + fridge.shift))
    right *= (rate("hot", low, 1) + rate("sink", low, 1)) * (
        rate("hot", high, 0) + rate("sink", high, 0)
    )
    surplus = (left - right) * np.sign(float(fridge.shift))
    if abs(left - right) > 1e-9 * right:
        current = solver("qubits, zz")(vector).heat[2]
        assert np.sign(surplus) == np.sign(current) == np.sign(float(fridge.ring().cools))
