import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import as_float32
from hypothesis import given
from hypothesis import strategies as st

import qtd
from qtd.reservoirs import ZeroTemperatureReservoir
from qtd.spectral import LorentzDrude, Lorentzian, Ohmic, Peaked, WideBand

ONE = jnp.array(1.0)


@jax.jit
def boson_rates(gap, temperature):
    return qtd.Reservoir(temperature, spectral_density=Peaked(2.0, 0.3, 0.7)).rates(gap)


@jax.jit
def electron_rates(gap, temperature, potential):
    return qtd.Reservoir(
        temperature, potential, "fermi", spectral_density=Lorentzian(0.5, 0.8, 1.3)
    ).rates(gap, ONE)


@given(st.floats(1e-6, 50), st.floats(0.02, 1e4), st.booleans())
def test_bosons_obey_detailed_balance_and_the_golden_rule(gap, temperature, lowers):
    gap = -gap if lowers else gap
    up, down = (float(x) for x in boson_rates(jnp.array(gap), jnp.array(temperature)))
    x = gap / temperature
    if abs(x) < 700:
        # Exp itself loses |x| ulp.
        assert up == pytest.approx(down * np.exp(-x), rel=4e-15 * (1 + abs(x)))
    density = float(Peaked(2.0, 0.3, 0.7)(jnp.array(abs(gap))))
    occupation = np.exp(-abs(x)) / -np.expm1(-abs(x))
    absorbed, emitted = (up, down) if gap > 0 else (down, up)
    assert absorbed == pytest.approx(density * occupation, rel=4e-15 * (1 + abs(x)), abs=1e-300)
    assert emitted == pytest.approx(density * (1 + occupation), rel=1e-14)


@given(st.floats(-20, 20), st.floats(0.05, 1e3), st.floats(-20, 20))
def test_electrons_obey_detailed_balance_and_the_golden_rule(energy, temperature, potential):
    into, out = (
        float(x)
        for x in electron_rates(jnp.array(energy), jnp.array(temperature), jnp.array(potential))
    )
    x = (energy - potential) / temperature
    if abs(x) < 700:
        assert into == pytest.approx(out * np.exp(-x), rel=1e-14 * (1 + abs(x)))
    assert into + out == pytest.approx(1.3 * 0.64 / ((energy - 0.5) ** 2 + 0.64), rel=1e-14)


def test_rates_at_zero_gap_are_the_limit():
    for density, slope in (
        (Ohmic(0.7, 5.0), 0.7),
        (LorentzDrude(0.7, 5.0), 0.7),
        (Peaked(2.0, 0.3), 4 * 2 * 0.09 / 4.09**2),
    ):
        up, down = qtd.Reservoir(0.8, spectral_density=density).rates(jnp.array(0.0))
        assert float(up) == float(down) == pytest.approx(slope * 0.8, rel=1e-15)


@pytest.mark.parametrize("statistics", ["bose", "fermi"])
def test_occupation_is_the_textbook_function(statistics):
    reservoir = qtd.Reservoir(0.8, 0.3, statistics, spectral_density=WideBand(1.0))
    energies = np.array([0.5, 1.0, 3.0, 20.0])
    expected = 1 / (np.exp((energies - 0.3) / 0.8) + (1 if statistics == "fermi" else -1))
    np.testing.assert_allclose(reservoir.occupation(jnp.asarray(energies)), expected, rtol=1e-14)


def test_cold_occupations_vanish_with_finite_gradients():
    for statistics in ("bose", "fermi"):

        def occupation(t):
            return qtd.Reservoir(t, 0.0, statistics, spectral_density=WideBand(1.0)).occupation(
                jnp.array(50.0)
            )

        value, slope = jax.value_and_grad(occupation)(jnp.array(0.05))  # gap / T = 1000
        assert (float(value), float(slope)) == (0.0, 0.0)


@pytest.mark.parametrize("gap", [-3.0, 3.0])
def test_gradients_of_boson_rates_are_accurate_relative_to_themselves(gap):
    # For a gap far above the temperature one rate is exponentially small; its logarithmic slope in
    # T is x (1 + n) / T.
    temperature = jnp.array(0.05)
    small = 0 if gap > 0 else 1
    value, slope = jax.value_and_grad(lambda t: boson_rates(jnp.array(gap), t)[small])(temperature)
    assert float(slope / value) == pytest.approx(3.0 / 0.05**2, rel=1e-12)


def test_massive_bosons_balance_at_their_chemical_potential():
    reservoir = qtd.Reservoir(0.8, -0.5, spectral_density=Ohmic(1.0, 10.0))
    up, down = reservoir.rates(jnp.array(1.2), ONE)
    assert float(up / down) == pytest.approx(np.exp(-1.7 / 0.8), rel=1e-14)
    occupation = 1 / np.expm1(1.7 / 0.8)
    assert float(up) == pytest.approx(1.2 * np.exp(-0.12) * occupation, rel=1e-14)
    assert float(reservoir.occupation(jnp.array(1.2))) == pytest.approx(occupation, rel=1e-14)


def test_electron_rates_use_the_density_at_the_electron_energy():
    # A jump that removes an electron of energy E has gap -E and particles -1: the same rates,
    # exchanged.
    reservoir = qtd.Reservoir(0.8, 0.3, "fermi", spectral_density=Lorentzian(0.5, 0.8, 1.3))
    into, out = reservoir.rates(jnp.array(1.1), ONE)
    removal, insertion = reservoir.rates(jnp.array(-1.1), -ONE)
    assert (float(removal), float(insertion)) == pytest.approx((float(out), float(into)), rel=1e-15)


@pytest.mark.parametrize("statistics", ["bose", "fermi"])
def test_float32_rates_keep_their_type(statistics):
    reservoir = as_float32(qtd.Reservoir(0.8, 0.3, statistics, spectral_density=Peaked(2.0, 0.3)))
    rates = reservoir.rates(
        jnp.array(1.1, jnp.float32), None if statistics == "bose" else jnp.array(1.0, jnp.float32)
    )
    assert all(rate.dtype == jnp.float32 for rate in rates)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, "`temperature` must be positive, got 0.0"),
        ({"temperature": -1.0}, "`temperature` must be positive, got -1.0"),
        ({"temperature": float("nan")}, "`temperature` must be finite"),
        ({"temperature": float("inf")}, "`temperature` must be finite"),
        ({"temperature": [1.0, 2.0]}, "`temperature` must be one number.*vmap"),
        ({"chemical_potential": float("nan")}, "`chemical_potential` must be finite"),
        ({"statistics": "anyon"}, '`statistics` must be "bose" or "fermi", got \'anyon\''),
        ({"spectral_density": 1.0}, "`spectral_density` must be one of `qtd.spectral`"),
    ],
)
def test_bad_reservoirs_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        qtd.Reservoir(**{"temperature": 1.0, "spectral_density": WideBand(1.0), **arguments})


def test_traced_negative_temperature_gives_nan():
    assert all(jnp.isnan(rate) for rate in boson_rates(jnp.array(1.0), jnp.array(-1.0)))
    assert all(
        jnp.isnan(rate) for rate in electron_rates(jnp.array(1.0), jnp.array(-1.0), jnp.array(0.0))
    )


@pytest.mark.parametrize("statistics", ["bose", "fermi"])
@pytest.mark.parametrize("potential", [0.0, 0.3])
def test_a_reservoir_in_its_ground_state_is_the_limit_of_cold_ones(statistics, potential):
    gaps = (
        jnp.array([-1.0, -0.2, 0.7, 2.0])
        if potential == 0 or statistics == "fermi"
        else jnp.array([0.7, 2.0])
    )
    density = Lorentzian(0.5, 0.8, 1.3) if statistics == "fermi" else Ohmic(0.4, 5.0)
    particles = jnp.ones_like(gaps) if potential or statistics == "fermi" else None
    cold = qtd.Reservoir(1e-3, potential, statistics, spectral_density=density)
    frozen = ZeroTemperatureReservoir(potential, statistics, spectral_density=density)
    # Exp(-200).
    np.testing.assert_allclose(
        frozen.rates(gaps, particles), cold.rates(gaps, particles), rtol=1e-13, atol=1e-40
    )
    above = jnp.array([0.4, 1.0])
    np.testing.assert_allclose(frozen.occupation(above), cold.occupation(above), atol=1e-40)
    assert float(frozen.temperature) == 0 and "temperature" not in qtd.parameters(frozen)
    assert np.array_equal(
        frozen.logit(potential + jnp.array([-1.0, 0.0, 1.0])), [-np.inf, 0, np.inf]
    )
    slope = jax.vmap(
        jax.grad(lambda gap: frozen.rates(gap, None if particles is None else ONE)[1])
    )(gaps)
    known = jax.vmap(jax.grad(lambda gap: cold.rates(gap, None if particles is None else ONE)[1]))(
        gaps
    )
    np.testing.assert_allclose(slope, known, rtol=1e-12, atol=1e-40)


def test_steps_and_gaps_of_nothing_are_halves_zeros_or_infinite():
    electrons = ZeroTemperatureReservoir(0.3, "fermi", spectral_density=WideBand(2.0))
    assert [float(x) for x in electrons.rates(jnp.array(0.3), ONE)] == [1.0, 1.0]
    nothing = jnp.array(0.0)
    assert [
        float(x) for x in ZeroTemperatureReservoir(spectral_density=Ohmic(0.1, 5.0)).rates(nothing)
    ] == [0.0, 0.0]
    assert [
        float(x) for x in ZeroTemperatureReservoir(spectral_density=WideBand(0.1)).rates(nothing)
    ] == [np.inf, np.inf]
    short = as_float32(ZeroTemperatureReservoir(spectral_density=Ohmic(0.1, 5.0)))
    assert all(x.dtype == jnp.float32 for x in short.rates(jnp.array(1.0, jnp.float32)))
    with pytest.raises(ValueError, match='`statistics` must be "bose" or "fermi"'):
        ZeroTemperatureReservoir(0.0, "boltzmann", spectral_density=WideBand(1.0))


def test_what_a_frozen_reservoir_takes_produces_entropy_without_end():
    def of(temperature):
        return qtd.Reservoir(temperature, spectral_density=Ohmic(0.01, 10.0))

    vacuum = ZeroTemperatureReservoir(spectral_density=Ohmic(0.01, 10.0))
    jumps = [("hot", 0, 1, 1.0), ("vacuum", 0, 1, 1.0)]
    network = qtd.RateNetwork([0.0, 1.0], jumps, {"hot": of(2.0), "vacuum": vacuum})
    flip = [[0.0, 1.0], [1.0, 0.0]]
    qubit = qtd.Lindbladian(
        {"e": (1.0, np.diag([0.0, 1.0]))},
        {"hot": flip, "vacuum": flip},
        {"hot": of(2.0), "vacuum": vacuum},
    )
    for device in (network, qubit):
        point = qtd.operate(device)
        assert (
            float(point.entropy_production) == np.inf
            and float(point.heat_currents["vacuum"]) < 0
            and int(point.status) == 0
        )
        assert point.mode == "dissipator"
    assert float(point.entropy_currents["hot"]) == pytest.approx(
        float(point.heat_currents["hot"]) / 2, rel=1e-15
    )
    alone = qtd.operate(qtd.RateNetwork([0.0, 1.0], jumps[1:], {"vacuum": vacuum}))
    assert float(alone.entropy_production) == 0 and int(alone.status) == 0
    assert qtd.audit(network).findings
