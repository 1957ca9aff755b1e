"""Occupations and their entropy in the tails, and integrals over windows far from, near to and at
the chemical potential."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import qtd
from qtd.distributions import Mixture, PiecewiseConstant, Thermal, entropy
from qtd.nonthermal import Windows, maximum_cooling
from qtd.scatterers import Levels
from qtd.scattering import Conductor, currents
from qtd.spectral import WideBand
from qtd.transmissions import Boxcar, BreitWigner, Lorentzian

pytestmark = pytest.mark.digits


def lead(temperature, potential=0.0, statistics="fermi"):
    return qtd.Reservoir(temperature, potential, statistics, spectral_density=WideBand(1.0))


def window(low, high, statistics="fermi"):
    leads = {"hot": lead(1.0, 0.0, statistics), "cold": lead(0.5, 0.0, statistics)}
    return currents(Conductor(leads, [("hot", "cold", Boxcar((low + high) / 2, high - low))]))


@pytest.mark.parametrize("statistics", ["fermi", "bose"])
def test_entropy_keeps_its_digits_in_the_tails(statistics):
    mp.mp.dps = 400
    logits = [1e-6, 0.3, 0.5, 0.51, 5.0, 40.0, 300.0] + (
        [-40.0, -0.2, 0.0] if statistics == "fermi" else []
    )
    for u in logits:
        n = 1 / (mp.exp(mp.mpf(u)) + (1 if statistics == "fermi" else -1))
        exact = (
            -n * mp.log(n) - (1 - n) * mp.log(1 - n)
            if statistics == "fermi"
            else (1 + n) * mp.log(1 + n) - n * mp.log(n)
        )
        assert abs(float(entropy(jnp.asarray(u), statistics)) / exact - 1) < 1e-13, u
        assert np.isfinite(float(jax.grad(entropy)(jnp.asarray(u), statistics)))


@pytest.mark.parametrize(
    ("low", "high"),
    [(100.0, 300.0), (64.0, 1064.0), (-300.0, -100.0), (10.0, 20.0), (-3.0, 0.0), (0.0, 40.0)],
)
def test_windows_of_fermions_at_any_distance_are_integrated(low, high):
    mp.mp.dps = 400

    # Whose slope is f.
    def ln(e, t):
        return -t * mp.log1p(mp.exp(-e / t)) if e >= 0 else -t * mp.log1p(mp.exp(e / t)) + e

    def tail(t):
        return ln(mp.mpf(high), t) - ln(mp.mpf(low), t)

    exact = (tail(mp.mpf(1)) - tail(mp.mpf(1) / 2)) / (2 * mp.pi)
    assert abs(float(window(low, high).particle_currents["hot"]) / exact - 1) < 1e-11


@pytest.mark.parametrize("low", [0.5, 0.01, 1e-4, 1e-7])
def test_windows_of_bosons_near_their_pole_are_integrated(low):
    mp.mp.dps = 30
    within = Boxcar((low + 1) / 2, 1 - low).window()[0]  # rounded

    def ln(e, t):
        return t * mp.log(-mp.expm1(-e / t))

    exact = sum(
        sign * (ln(mp.mpf(1), t) - ln(mp.mpf(float(within)), t))
        for sign, t in ((1, mp.mpf(1)), (-1, mp.mpf(1) / 2))
    ) / (2 * mp.pi)
    assert abs(float(window(low, 1.0, "bose").particle_currents["hot"]) / exact - 1) < 1e-11


@pytest.mark.parametrize("transmission", [Boxcar(0.5, 1.0), Lorentzian(1.0, 0.1)])
def test_bosons_coupled_at_their_pole_are_not_counted(transmission):
    def leads(potential):
        return {
            "hot": lead(1.0, potential, "bose"),
            "cold": lead(0.5, potential, "bose"),
        }

    found = currents(Conductor(leads(0.0), [("hot", "cold", transmission)]))
    assert int(found.status) == qtd.Status.UNCOUNTABLE
    assert np.isnan(float(found.particle_currents["hot"])) and np.isnan(
        float(found.particle_noise[0, 0])
    )
    numbers = [
        *found.energy_currents.values(),
        *found.heat_currents.values(),
        found.entropy_production,
        found.heat_noise[0, 0],
    ]
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
        return currents(Conductor(leads, [("hot", "cold", Boxcar(center, 1.0))])).energy_currents[
            "hot"
        ]

    for k in (0, 1):
        at, h = [center, 0.0], 1e-5

        def moved(sign, k=k, at=at):
            return energy(*(x + sign * h * (i == k) for i, x in enumerate(at)))

        difference = float(moved(1) - moved(-1)) / (2 * h)
        assert float(jax.grad(energy, k)(*at)) == pytest.approx(difference, rel=1e-8)


@pytest.mark.parametrize("unit", [1.0, 1e-4, 1e-5, 1e-9, 1e6])
def test_the_largest_cooling_does_not_depend_on_the_unit_of_energy(unit):
    leads = {"hot": lead(unit, unit), "cold": lead(0.8 * unit, unit)}
    places = [("hot", 1.0), ("hot", 2.0), ("cold", 1.4), ("cold", 1.7)]
    windows = Windows(leads, [(name, x * unit, 0.05 * unit) for name, x in places])
    found = maximum_cooling(windows, "cold")
    scaled = {name: float(x) / unit**2 for name, x in found.heat_currents.items()}
    reference = maximum_cooling(
        Windows(
            {"hot": lead(1.0, 1.0), "cold": lead(0.8, 1.0)}, [(name, x, 0.05) for name, x in places]
        ),
        "cold",
    )
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


def bins(x):
    return PiecewiseConstant([0.4, 0.7, 1.0], x[:2])


def wire(x):
    return Mixture([0.5, 0.5], [bins(x), Thermal(0.3, 0.6)])


def by_links(leads):
    return Conductor(
        leads, [("demon", "hot", Boxcar(0.7, 0.6)), ("demon", "cold", BreitWigner(0.8, 0.1, 0.2))]
    )


def by_levels(leads):
    return Conductor(
        leads,
        scatterer=Levels(
            [[0.7, 0.1], [0.1, 0.8]], {"demon": [0.3, 0.1], "hot": [0.1, 0.3], "cold": [0.2, 0.0]}
        ),
    )


def by_jumps(leads):
    jumps = [
        ("demon", 0, 1, 1.0),
        ("demon", 0, 2, 0.7),
        ("hot", 0, 1, 0.4),
        ("cold", 0, 2, 1.0),
        ("demon", 1, 3, 1.0),
        ("hot", 2, 3, 0.3),
    ]
    return qtd.RateNetwork([0.0, 0.55, 0.85, 1.4], jumps, leads, particles=[0, 1, 1, 2])


@pytest.mark.parametrize("build", [by_links, by_levels, by_jumps])
@pytest.mark.parametrize("distribution", [bins, wire])
def test_full_and_empty_states_have_finite_numbers_and_slopes_but_for_their_entropy(
    build, distribution
):
    """Trap: the logit of an empty state is infinite, and so is its slope: times 0 both are no
    numbers."""

    @jax.jit
    def figures(x):
        leads = {
            "demon": qtd.NonthermalReservoir(distribution(x)),
            "hot": lead(x[2], x[3]),
            "cold": lead(0.2, 0.7),
        }
        point = qtd.operate(build(leads))
        finite = [
            *point.particle_currents.values(),
            *point.energy_currents.values(),
            point.heat_currents["hot"],
        ]
        finite += [
            point.heat_covariance["demon", "hot"],
            point.heat_covariance["hot", "hot"],
            point.entropy_currents["cold"],
        ]
        return jnp.stack(finite), point.entropy_production, point.status

    slopes = jax.jit(jax.jacrev(lambda x: figures(x)[:2]))
    for filled in ((0.0, 1.0), (0.0, 0.0), (1.0, 0.3)):
        x = jnp.array([*filled, 0.3, 0.8])
        values, sigma, status = figures(x)
        found, of_sigma = slopes(x)
        assert int(status) == 0 and np.all(np.isfinite(values)) and float(sigma) > 0
        assert np.isinf(float(sigma)) == (distribution is bins) and not np.any(np.isnan(of_sigma))
        for k in range(4):
            h = -1e-4 if float(x[k]) == 1 else 1e-4  # into the box
            at = [figures(x.at[k].add(n * h))[0] for n in range(5)]
            wanted = sum(c * y for c, y in zip((-25 / 12, 4, -3, 4 / 3, -1 / 4), at)) / h
            np.testing.assert_allclose(found[:, k], wanted, rtol=1e-7, atol=1e-9)
        # What is infinite changes without limit, towards less as an occupation leaves its bound.
        if distribution is bins:
            assert float(of_sigma[0]) * (1 if filled[0] else -1) > 1e100


def test_the_cop_of_a_demon_of_most_cooling_is_0_and_moves_with_nothing_but_its_occupation():
    leads = {"hot": lead(1.0, 1.0), "cold": lead(0.6, 1.0)}
    windows = Windows(
        leads, [("hot", 0.4, 0.1), ("hot", 1.1, 0.2), ("cold", 1.5, 0.15), ("cold", 1.9, 0.1)]
    )
    demon = maximum_cooling(windows, "cold").reservoir(1.0)
    links = [
        ("demon", name, Boxcar(c, w))
        for name, c, w in zip(windows.owners, windows.centers, windows.widths)
    ]

    def figures(t):
        point = qtd.operate(
            Conductor({"demon": demon, "hot": lead(1.0, 1.0), "cold": lead(t, 1.0)}, links),
            "cold",
            "demon",
        )
        return jnp.stack([point.cop, point.heat_currents["cold"]])

    (cop, heat), (cop_slope, slope) = figures(0.6), jax.jacfwd(figures)(0.6)
    assert float(cop) == 0 and float(cop_slope) == 0 and float(heat) > 0
    assert float(slope) == pytest.approx(
        float(figures(0.6 + 1e-5)[1] - figures(0.6 - 1e-5)[1]) / 2e-5, rel=1e-7
    )


def test_entropy_currents_have_their_slope_in_equilibrium_too():
    # Trap: where nothing flows the product with the logit is 0, its derivative is not.
    def entropies(x):
        found = currents(
            Conductor(
                {"a": lead(0.5 + x, 0.3), "b": lead(0.5, 0.3)}, [("a", "b", Boxcar(0.7, 0.4))]
            )
        )
        return found.entropy_currents["a"]

    assert float(jax.grad(entropies)(0.0)) == pytest.approx(
        float(entropies(1e-4) - entropies(-1e-4)) / 2e-4, rel=1e-6
    )
