"""Occupations and their entropy in the tails, and integrals over windows far from, near to and at the chemical potential."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import qtd
from qtd.distributions import entropy
from qtd.nonthermal import Windows, maximum_cooling
from qtd.scattering import Conductor, currents
from qtd.spectral import WideBand
from qtd.transmissions import Boxcar, Lorentzian

pytestmark = pytest.mark.digits


def lead(temperature, potential=0.0, statistics="fermi"):
    return qtd.Reservoir(temperature, potential, statistics, spectral_density=WideBand(1.0))


def window(low, high, statistics="fermi"):
    leads = {"hot": lead(1.0, 0.0, statistics), "cold": lead(0.5, 0.0, statistics)}
    return currents(Conductor(leads, [("hot", "cold", Boxcar((low + high) / 2, high - low))]))


@pytest.mark.parametrize("statistics", ["fermi", "bose"])
def test_entropy_keeps_its_digits_in_the_tails(statistics):
    mp.mp.dps = 400
    logits = [1e-6, 0.3, 0.5, 0.51, 5.0, 40.0, 300.0] + ([-40.0, -0.2, 0.0] if statistics == "fermi" else [])
    for u in logits:
        n = 1 / (mp.exp(mp.mpf(u)) + (1 if statistics == "fermi" else -1))
        exact = -n * mp.log(n) - (1 - n) * mp.log(1 - n) if statistics == "fermi" else (1 + n) * mp.log(1 + n) - n * mp.log(n)
        assert abs(float(entropy(jnp.asarray(u), statistics)) / exact - 1) < 1e-13, u
        assert np.isfinite(float(jax.grad(entropy)(jnp.asarray(u), statistics)))


@pytest.mark.parametrize(("low", "high"), [(100.0, 300.0), (64.0, 1064.0), (-300.0, -100.0), (10.0, 20.0), (-3.0, 0.0), (0.0, 40.0)])
def test_windows_of_fermions_at_any_distance_are_integrated(low, high):
    mp.mp.dps = 400
    ln = lambda e, t: -t * mp.log1p(mp.exp(-e / t)) if e >= 0 else -t * mp.log1p(mp.exp(e / t)) + e  # whose slope is f
    tail = lambda t: ln(mp.mpf(high), t) - ln(mp.mpf(low), t)
    exact = (tail(mp.mpf(1)) - tail(mp.mpf(1) / 2)) / (2 * mp.pi)
    assert abs(float(window(low, high).particle_currents["hot"]) / exact - 1) < 1e-11


@pytest.mark.parametrize("low", [0.5, 0.01, 1e-4, 1e-7])
def test_windows_of_bosons_near_their_pole_are_integrated(low):
    mp.mp.dps = 30
    within = Boxcar((low + 1) / 2, 1 - low).window()[0]  # rounded
    ln = lambda e, t: t * mp.log(-mp.expm1(-e / t))
    exact = sum(sign * (ln(mp.mpf(1), t) - ln(mp.mpf(float(within)), t)) for sign, t in ((1, mp.mpf(1)), (-1, mp.mpf(1) / 2))) / (2 * mp.pi)
    assert abs(float(window(low, 1.0, "bose").particle_currents["hot"]) / exact - 1) < 1e-11


@pytest.mark.parametrize("transmission", [Boxcar(0.5, 1.0), Lorentzian(1.0, 0.1)])
def test_bosons_coupled_at_their_pole_are_not_counted(transmission):
    leads = lambda potential: {"hot": lead(1.0, potential, "bose"), "cold": lead(0.5, potential, "bose")}
    found = currents(Conductor(leads(0.0), [("hot", "cold", transmission)]))
    assert int(found.status) == qtd.Status.UNCOUNTABLE
    assert np.isnan(float(found.particle_currents["hot"])) and np.isnan(float(found.particle_noise[0, 0]))
    numbers = [*found.energy_currents.values(), *found.heat_currents.values(), found.entropy_production, found.heat_noise[0, 0]]
    assert np.all(np.isfinite(numbers))
    # Where the pole is at another energy, that of the particles has no end either.
    shifted = Boxcar(0.5 + 0.25, 1.0) if isinstance(transmission, Boxcar) else transmission
    at_pole = Conductor(leads(0.25), [("hot", "cold", shifted)])
    with pytest.raises(ValueError, match="must lie below every coupled energy"):
        currents(at_pole)
    assert int(jax.jit(currents)(at_pole).status) == qtd.Status.INVALID_PARAMETER


@pytest.mark.parametrize("center", [0.5, -0.5, 1.5, 0.7])
def test_slopes_with_a_window_are_those_of_differences_also_with_an_edge_at_the_potential(center):
    """Trap: a breakpoint that coincides with an end shares its motion."""

    def energy(center, potential):
        leads = {"hot": lead(1.0, potential), "cold": lead(0.5, 0.0)}
        return currents(Conductor(leads, [("hot", "cold", Boxcar(center, 1.0))])).energy_currents["hot"]

    for k in (0, 1):
        at, h = [center, 0.0], 1e-5
        moved = lambda sign, k=k, at=at: energy(*(x + sign * h * (i == k) for i, x in enumerate(at)))
        difference = float(moved(1) - moved(-1)) / (2 * h)
        assert float(jax.grad(energy, k)(*at)) == pytest.approx(difference, rel=1e-8)


@pytest.mark.parametrize("unit", [1.0, 1e-4, 1e-5, 1e-9, 1e6])
def test_the_largest_cooling_does_not_depend_on_the_unit_of_energy(unit):
    leads = {"hot": lead(unit, unit), "cold": lead(0.8 * unit, unit)}
    places = [("hot", 1.0), ("hot", 2.0), ("cold", 1.4), ("cold", 1.7)]
    windows = Windows(leads, [(name, x * unit, 0.05 * unit) for name, x in places])
    found = maximum_cooling(windows, "cold")
    scaled = {name: float(x) / unit**2 for name, x in found.heat_currents.items()}
    reference = maximum_cooling(Windows({"hot": lead(1.0, 1.0), "cold": lead(0.8, 1.0)}, [(name, x, 0.05) for name, x in places]), "cold")
    for name, heat in reference.heat_currents.items():
        assert scaled[name] == pytest.approx(float(heat), rel=1e-10)
    assert abs(sum(scaled.values())) < 1e-12 * abs(scaled["cold"])


def test_windows_that_touch_are_not_refused_by_rounding():
    leads = {"hot": lead(1.0, 1.0), "cold": lead(0.8, 1.0)}
    for width in np.linspace(0.05, 0.3, 30):
        for k in range(1, 6):
            Windows(leads, [("hot", k * width, width), ("cold", (k + 1) * width, width)])
    with pytest.raises(ValueError, match="must lie apart"):
        Windows(leads, [("hot", 1.0, 0.2), ("cold", 1.19, 0.2)])
