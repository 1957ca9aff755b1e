"""Ballistic conductors: closed forms, high-precision quadrature, an independent Green function, and
laws."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

import qtd
from qtd.distributions import (
    AnyLogit,
    LogitBasis,
    Mixture,
    PiecewiseConstant,
    ShiftedLogits,
    Thermal,
    difference,
    entropy,
    occupation,
)
from qtd.scatterers import Levels
from qtd.scattering import Conductor, currents
from qtd.spectral import WideBand
from qtd.transmissions import AnyTransmission, Boxcar, BreitWigner, Lorentzian


def lead(temperature, potential=0.0, statistics="fermi"):
    return qtd.Reservoir(temperature, potential, statistics, spectral_density=WideBand(1.0))


PAIR = {"h": lead(1.0, 1.0), "c": lead(0.5, 0.7)}


def two(transmission, hot=(1.0, 1.0), cold=(0.5, 1.0), statistics="fermi", narrow=False):
    return Conductor(
        {"h": lead(*hot, statistics), "c": lead(*cold, statistics)},
        [("h", "c", transmission)],
        narrow=narrow,
    )


@pytest.mark.parametrize(
    ("conductor", "wanted"),
    [
        (
            two(Boxcar(1.2, 0.2)),
            (
                0.00154634244928,
                0.00188025641657,
                0.000333913967294,
                -0.000667827934588,
                0.000333913967294,
            ),
        ),
        (
            two(Lorentzian(1.2, 0.1)),
            (
                0.00112835531573,
                0.00160582190805,
                0.000477466592321,
                -0.000954933184643,
                0.000477466592321,
            ),
        ),
        (
            two(Boxcar(1.0, 1.0), (1.0, 0.0), (0.5, 0.0), "bose"),
            (0.0758320286806, 0.0672117900382, 0.0672117900382, -0.1344235800764, 0.0672117900382),
        ),
    ],
)
def test_reference_currents(conductor, wanted):
    x = currents(conductor)
    found = [
        x.particle_currents["h"],
        x.energy_currents["h"],
        x.heat_currents["h"],
        x.entropy_currents["c"],
        x.entropy_production,
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-11)


@pytest.mark.parametrize(
    ("kind", "wide", "error"),
    [(Boxcar, 0.01, -3.2e-5), (Boxcar, 0.1, -3.2e-3), (Lorentzian, 0.01, -1.4e-2)],
)
def test_the_narrow_limit_is_off_by_what_is_said(kind, wide, error):
    def at(narrow):
        return currents(
            two(kind(0.5, wide), (1.0, 1.0), (0.4, 0.8), narrow=narrow)
        ).particle_currents["h"]

    ratio = at(False) / at(True)
    assert abs(abs(float(ratio - 1)) - abs(error)) < 0.06 * abs(error)


def test_currents_and_noise_of_a_resonant_level_agree_with_quadrature_in_high_precision():
    center, left, right = 1.2, 0.02, 0.07
    found = currents(two(BreitWigner(center, left, right), (1.0, 1.0), (0.05, 0.7)))
    mp.mp.dps = 20

    def f(e, t, mu):
        return 1 / (1 + mp.exp((e - mu) / t))

    def line(e):
        return mp.mpf(left) * right / ((e - mp.mpf(center)) ** 2 + mp.mpf(left + right) ** 2 / 4)

    knots = [-40, -5, 0, 0.5, 0.7, 0.9, 1.0, 1.1, 1.15, 1.2, 1.25, 1.3, 1.5, 2, 3, 6, 60]

    def integral(g):
        return mp.quad(g, knots) / (2 * mp.pi)

    def power(e):
        a = f(e, 1, 1)
        b = f(e, mp.mpf(0.05), mp.mpf(0.7))
        t = line(e)
        return t * (a * (1 - a) + b * (1 - b)) + t * (1 - t) * (a - b) ** 2

    def gap(e):
        return line(e) * (f(e, 1, 1) - f(e, mp.mpf(0.05), mp.mpf(0.7)))

    particles, energy, noise, heat_noise = (
        float(integral(g))
        for g in (gap, lambda e: e * gap(e), power, lambda e: (e - 1) ** 2 * power(e))
    )
    mp.mp.dps = 15
    assert float(found.particle_currents["h"]) == pytest.approx(particles, rel=1e-10)
    assert float(found.energy_currents["h"]) == pytest.approx(energy, rel=1e-10)
    assert float(found.particle_noise[0, 0]) == pytest.approx(noise, rel=1e-10)
    assert float(found.particle_noise[0, 1]) == pytest.approx(-noise, rel=1e-10)
    assert float(found.heat_noise[0, 0]) == pytest.approx(heat_noise, rel=1e-10)


def test_one_level_is_the_breit_wigner_line():
    line = currents(Conductor(PAIR, [("h", "c", BreitWigner(1.2, 0.1, 0.3))]))
    level = currents(Conductor(PAIR, scatterer=Levels([[1.2]], {"h": [0.1**0.5], "c": [0.3**0.5]})))
    for one, other in zip(jax.tree.leaves(line), jax.tree.leaves(level)):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("flux", [0.0, 0.7])
def test_transmissions_of_few_levels_are_those_of_an_independent_green_function(size, flux):
    rng = np.random.default_rng(size)
    h = rng.normal(size=(size, size)) + 1j * flux * rng.normal(size=(size, size))
    h = (h + h.conj().T) / 2
    w = {
        name: rng.normal(size=(size, channels)) / 2
        for name, channels in (("a", 1), ("b", 2), ("c", 1))
    }
    levels = Levels(h if flux else h.real, w)
    energy = np.linspace(-3, 3, 41)
    real, imaginary = levels.amplitudes(jnp.asarray(energy))
    found = np.asarray(real) + 1j * np.asarray(imaginary)
    every = np.concatenate(list(w.values()), axis=1)
    for k, e in enumerate(energy):
        green = np.linalg.inv(e * np.eye(size) - h + 0.5j * every @ every.T)
        s = np.eye(4) - 1j * every.T @ green @ every
        np.testing.assert_allclose(found[..., k], s, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found[..., k].conj().T @ found[..., k], np.eye(4), atol=1e-12)
    assert levels.channels == (("a", 1), ("b", 2), ("c", 1))


@pytest.mark.parametrize("flux", [0.0, 0.7])
def test_three_leads_obey_both_laws_and_their_noise_adds_up_to_nothing(flux):
    h = np.array([[0.5, 0.3 + 1j * flux, 0.2], [0.3 - 1j * flux, 1.0, 0.4], [0.2, 0.4, 0.8]])
    levels = Levels(h if flux else h.real, {"a": [0.5, 0, 0], "b": [0, 0.6, 0], "c": [0, 0, 0.4]})
    x = currents(
        Conductor({"a": lead(1.0, 0.2), "b": lead(0.4, 0.6), "c": lead(0.7, 0.4)}, scatterer=levels)
    )
    assert (
        abs(float(sum(x.particle_currents.values()))) < 1e-15
        and abs(float(sum(x.energy_currents.values()))) < 1e-15
    )
    assert float(x.entropy_production) > 0
    entropies = sum(
        float(x.heat_currents[name]) / t for name, t in (("a", 1.0), ("b", 0.4), ("c", 0.7))
    )
    assert float(x.entropy_production) == pytest.approx(-entropies, rel=1e-11)
    noise = np.asarray(x.particle_noise)
    np.testing.assert_allclose(noise.sum(0), 0, atol=1e-14)
    assert np.linalg.eigvalsh(noise).min() > -1e-14 and noise[0, 1] < 0


def test_noise_in_equilibrium_is_the_response():
    def at(bias):
        return currents(two(BreitWigner(1.1, 0.2, 0.1), (0.8, 1.0 + bias), (0.8, 1.0)))

    slope = jax.jit(jax.grad(lambda bias: at(bias).particle_currents["h"]))(0.0)
    assert float(at(0.0).particle_noise[0, 0]) == pytest.approx(2 * 0.8 * float(slope), rel=1e-11)
    assert abs(float(at(0.0).particle_currents["h"])) < 1e-18


@pytest.mark.parametrize("path", ["center", "width"])
@pytest.mark.parametrize("make", [Boxcar, Lorentzian])
def test_slopes_with_windows_and_lines_are_exact(make, path):
    # Trap: a step on a fixed grid has no gradient.
    def at(x):
        return currents(two(make(**{"center": 1.2, "width": 0.3, path: x}))).heat_currents["h"]

    x, h = {"center": 1.2, "width": 0.3}[path], 1e-3
    wanted = sum(
        weight * (at(x + n * h) - at(x - n * h)) / (2 * n * h)
        for n, weight in ((1, 1.5), (2, -0.6), (3, 0.1))
    )
    assert float(jax.jit(jax.grad(at))(x)) == pytest.approx(float(wanted), rel=1e-10)


WIRE = Mixture([0.3, 0.7], [Thermal(0.2, 1.8), Thermal(0.2, 0.6)])
DISTRIBUTIONS = {
    "basis": LogitBasis(Thermal(0.8, 1.0), [0.3, -0.5], [0.5, 1.5], [0.2, 0.3]),
    "shifted": ShiftedLogits([Thermal(1.0, 1.0), Thermal(0.5, 0.9)], [0.2, -0.3], [1.1]),
    "wire": WIRE,
    "callable": AnyLogit(lambda e: (e - 1) / 0.7 + jnp.tanh(2 * e), [0.0, 1.0], [0.4, 1.4]),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_nonthermal_currents_agree_with_a_fine_sum(name):
    reservoir = qtd.NonthermalReservoir(DISTRIBUTIONS[name])
    x = currents(
        Conductor({"l": reservoir, "h": lead(0.9, 1.0)}, [("l", "h", BreitWigner(1.3, 0.2, 0.1))])
    )
    edges = np.concatenate([np.linspace(-60, 1.1, 1_000_001), np.linspace(1.1, 60, 1_000_001)[1:]])
    e, de = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    u = np.asarray(reservoir.logit(jnp.asarray(e)))
    with np.errstate(over="ignore"):
        flow = (
            0.02
            / ((e - 1.3) ** 2 + 0.0225)
            * (1 / (1 + np.exp(u)) - 1 / (1 + np.exp((e - 1.0) / 0.9)))
            * de
            / (2 * np.pi)
        )
    scale = np.abs(flow).sum()
    assert abs(float(x.particle_currents["l"]) - flow.sum()) < 1e-8 * scale
    assert abs(float(x.entropy_currents["l"]) - (u * flow)[flow != 0].sum()) < 1e-7 * scale
    assert float(x.entropy_production) > 0 and float(x.particle_currents["l"]) == -float(
        x.particle_currents["h"]
    )


def STEP_AND_BUMP(e):
    return (e - 1) / 0.7 + 2 * jnp.exp(-(((e - 0.2) / 0.3) ** 2))


@jax.jit
def through(center, scale, reach):
    """What flows out of a reservoir of which one change is listed, and one is not."""
    reservoir = qtd.NonthermalReservoir(AnyLogit(STEP_AND_BUMP, center[None], scale[None]))
    found = currents(
        Conductor({"l": reservoir, "h": lead(0.9, 1.0)}, [("l", "h", BreitWigner(reach, 2.0, 1.0))])
    )
    return jnp.stack(
        [found.particle_currents["l"], found.energy_currents["l"], found.entropy_production]
    ), found.status


@pytest.mark.parametrize("reach", [0.2, 1.3, 6.0])
def test_of_a_logit_only_one_change_need_be_listed(reach):
    """The trap: integrals that end where what is listed does. What is not listed is found, or said
    not to be resolved."""
    edges = np.linspace(-80, 80, 2_000_001)
    e, de = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    u, v = np.asarray(STEP_AND_BUMP(jnp.asarray(e))), (e - 1.0) / 0.9
    with np.errstate(over="ignore"):
        flow = (
            2.0
            / ((e - reach) ** 2 + 2.25)
            * (1 / (1 + np.exp(u)) - 1 / (1 + np.exp(v)))
            * de
            / (2 * np.pi)
        )
    wanted = [flow.sum(), (e * flow).sum(), ((v - u) * flow)[flow != 0].sum()]
    for center, scale in ((0.2, 0.3), (1.0, 0.7), (0.2, 0.03), (3.0, 0.5)):
        found, status = through(jnp.asarray(center), jnp.asarray(scale), jnp.asarray(reach))
        if int(status) == qtd.Status.UNRESOLVED:
            assert (center, scale) != (0.2, 0.3) and np.isnan(found).all()
            continue
        assert int(status) == 0
        np.testing.assert_allclose(np.abs(found), np.abs(wanted), rtol=1e-8)


def test_a_logit_that_does_not_end_is_refused():
    """Half full at every energy: its current through an open window grows with the window."""
    endless = qtd.NonthermalReservoir(AnyLogit(lambda e: 0 * e, [0.0], [1.0]))
    conductor = Conductor(
        {"l": endless, "h": lead(0.9, 1.0)}, [("l", "h", BreitWigner(0.5, 2.0, 1.0))]
    )
    with pytest.raises(ValueError, match="must agree far above and far below"):
        currents(conductor)
    assert int(jax.jit(lambda: currents(conductor).status)()) == qtd.Status.UNRESOLVED


def test_bins_give_the_closed_form():
    # h I_N = w (x_b - F_b), with F_b the mean of the lead's occupation over the bin.
    edges, filled = [0.4, 0.7, 1.0], [0.35, 0.6]
    reservoir = qtd.NonthermalReservoir(PiecewiseConstant(edges, filled))
    x = currents(Conductor({"l": reservoir, "h": lead(0.3, 0.8)}, [("l", "h", Boxcar(0.7, 0.6))]))

    def antiderivative(e):
        return -0.3 * np.log1p(np.exp((0.8 - e) / 0.3))

    means = [(antiderivative(high) - antiderivative(low)) / 0.3 for low, high in pairwise(edges)]
    wanted = sum(0.3 * (f - mean) for f, mean in zip(filled, means)) / (2 * np.pi)
    assert float(x.particle_currents["l"]) == pytest.approx(wanted, rel=1e-12)
    entropies = sum(0.3 * (f - mean) * np.log(1 / f - 1) for f, mean in zip(filled, means)) / (
        2 * np.pi
    )
    assert float(x.entropy_currents["l"]) == pytest.approx(entropies, rel=1e-12)


def test_levels_between_a_filled_band_and_a_lead_take_steps_of_the_occupation():
    # Trap: the logits of two full or two empty states are equal and infinite, and their difference
    # is none.
    levels = Levels([[0.7]], {"l": [0.3], "h": [0.4]})
    line = BreitWigner(0.7, 0.09, 0.16)
    leads = {
        "l": qtd.NonthermalReservoir(PiecewiseConstant([0.4, 0.7, 1.0], [0.6, 0.3])),
        "h": lead(0.3, 0.8),
    }
    found = currents(Conductor(leads, scatterer=levels))
    wanted = currents(Conductor(leads, [("l", "h", line)]))
    for figure in (
        lambda x: x.particle_currents["l"],
        lambda x: x.energy_currents["h"],
        lambda x: x.particle_noise[0, 1],
    ):
        assert float(figure(found)) == pytest.approx(float(figure(wanted)), rel=1e-11)
    both = {
        "l": leads["l"],
        "h": qtd.NonthermalReservoir(PiecewiseConstant([0.4, 0.7, 1.0], [0.4, 0.3])),
    }
    narrow = currents(Conductor(both, [("l", "h", line)]))
    inside = np.arctan((0.4 - 0.7) / 0.125)
    assert float(narrow.particle_currents["l"]) == pytest.approx(
        -0.2 * 0.0144 / 0.125 * inside / (2 * np.pi), rel=1e-11
    )


@examples(200)
@given(st.lists(st.floats(0.2, 3.0), min_size=12, max_size=12), st.booleans())
def test_entropy_production_is_never_negative(numbers, with_bosons):
    conductor = RANDOM["bose" if with_bosons else "fermi"](jnp.array(numbers))
    assert float(conductor.entropy_production) >= 0
    assert abs(float(sum(conductor.energy_currents.values()))) < 1e-13
    assert (
        abs(float(sum(conductor.entropy_currents.values()) + conductor.entropy_production)) < 1e-12
    )


def _random_fermions(x):
    demon = qtd.NonthermalReservoir(
        LogitBasis(Thermal(x[0], x[1]), x[2:4] - 1.5, x[4:6], x[6:8] / 2)
    )
    links = [
        ("l", "h", Lorentzian(x[8], x[9] / 10)),
        ("l", "c", Boxcar(x[10], 0.3)),
        ("h", "c", BreitWigner(x[11], 0.1, 0.2)),
    ]
    return currents(Conductor({"l": demon, "h": lead(x[0], 1.0), "c": lead(x[3], x[4])}, links))


def _random_bosons(x):
    reservoirs = {name: lead(t, 0.0, "bose") for name, t in zip("lhc", x)}
    links = [
        ("l", "h", Lorentzian(x[8], x[9] / 10)),
        ("l", "c", Boxcar(x[10] + 0.2, 0.3)),
        ("h", "c", Boxcar(x[11] + 0.3, 0.4)),
    ]
    return currents(Conductor(reservoirs, links))


RANDOM = {"fermi": jax.jit(_random_fermions), "bose": jax.jit(_random_bosons)}


def test_logits_keep_what_occupations_lose():
    u = jnp.array([-700.0, -40.0, -1e-3, 0.0, 2.0, 40.0, 700.0])
    response = occupation(u, "fermi") * occupation(-u, "fermi")
    # What 700 knows of 1e-9.
    np.testing.assert_allclose(difference(u, u + 1e-9, "fermi"), 1e-9 * response, rtol=2e-4)
    assert bool(
        jnp.all(jnp.isfinite(jax.jit(jax.vmap(jax.grad(lambda x: difference(x, x, "fermi"))))(u)))
    )
    slope = jax.jit(jax.grad(lambda x: difference(x, jnp.asarray(0.3), "fermi")))(0.3)
    assert float(slope) == pytest.approx(
        -float(occupation(jnp.asarray(0.3), "fermi") * occupation(jnp.asarray(-0.3), "fermi")),
        rel=1e-14,
    )
    # A wire's occupation far below its steps: the naive ln(1/f - 1) is -inf from 40 temperatures
    # on.
    deep = Mixture([0.3, 0.7], [Thermal(1.0, 0.0), Thermal(1.0, 1.0)])(
        jnp.array([-30.0, -40.0, -300.0])
    )
    wanted = [float(mp.log(0.3 * mp.exp(e) + 0.7 * mp.exp(e - 1))) for e in (-30.0, -40.0, -300.0)]
    np.testing.assert_allclose(deep, wanted, rtol=1e-12)


def test_entropy_and_its_slope_at_the_reference_points():
    fermi, bose = np.log(1 / 0.2 - 1), np.log(1 / 2.5 + 1)
    np.testing.assert_allclose([fermi, bose], [1.38629436112, 0.336472236621], rtol=1e-11)
    assert float(entropy(jnp.asarray(fermi), "fermi")) == pytest.approx(0.500402423538, rel=1e-11)
    assert float(entropy(jnp.asarray(bose), "bose")) == pytest.approx(2.09394356005, rel=1e-11)


def test_a_nonthermal_reservoir_drives_a_rate_network():
    def dot(demon):
        return qtd.RateNetwork(
            [0.0, 1.2],
            [("l", 0, 1, 0.1), ("h", 0, 1, 0.1)],
            {"l": demon, "h": lead(0.9, 1.0)},
            particles=[0, 1],
        )

    demon = qtd.NonthermalReservoir(WIRE)
    f_demon, f_hot = (float(r.occupation(jnp.asarray(1.2))) for r in (demon, lead(0.9, 1.0)))
    found = qtd.steady.solve(dot(demon)).current("l", "particles")
    assert float(found) == pytest.approx(0.05 * (f_demon - f_hot), rel=1e-12)
    assert float(demon.effective_temperature(jnp.asarray(1.2), 1.0)) == pytest.approx(
        0.2 / float(demon.logit(jnp.asarray(1.2)))
    )


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Boxcar(1.0, 0.0), "`width` must be positive"),
        (lambda: Conductor(PAIR, [("h", "x", Boxcar(1.0, 0.1))]), "`links` must join"),
        (
            lambda: Conductor({**PAIR, "b": lead(1.0, 0.0, "bose")}),
            "all of fermions or all of bosons",
        ),
        (
            lambda: Conductor(PAIR, scatterer=Levels([[1.0]], {"x": [1.0]})),
            "`scatterer` leads to 'x'",
        ),
        (lambda: Conductor(PAIR), "nothing joins"),
        (
            lambda: Conductor(PAIR, scatterer=Levels([[1.0]], {"h": [1.0]}), narrow=True),
            "no narrow limit",
        ),
        (lambda: Levels([[1.0, 2.0]], {"h": [1.0]}), "square"),
        (lambda: Levels([[1.0, 2.0], [0.5, 1.0]], {"h": [1.0, 0.0]}), "Hermitian"),
        (lambda: Levels([[1.0]], {"h": [1.0, 2.0]}), "one row for each of 1 levels"),
        (lambda: PiecewiseConstant([0.0, 1.0], [1.5]), "at most 1"),
        (
            lambda: currents(two(Boxcar(1.0, 3.0), (1.0, 0.0), (0.5, 0.0), "bose")),
            "must lie below every coupled energy",
        ),
        (lambda: PiecewiseConstant([1.0, 0.0], [0.5]), "must rise"),
        (lambda: Mixture([0.5, 0.6], [Thermal(1.0), Thermal(2.0)]), "add up to 1"),
        (lambda: ShiftedLogits([Thermal(1.0)], [0.1], [0.5]), "one fewer"),
        (lambda: qtd.NonthermalReservoir(lambda e: e), "`distribution` must be one of"),
        (
            lambda: currents(two(AnyTransmission(lambda e: 0.5 + 0 * e, 1.0, 1.0), narrow=True)),
            "no narrow limit",
        ),
    ],
)
def test_bad_input_names_the_argument(build, words):
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.parametrize("cold", [0.5, 0.05])
def test_windows_and_lines_have_closed_forms(cold):
    hot, mu, other, center, width = 1.0, 0.9, 0.7, 1.3, 0.4
    window = currents(two(Boxcar(center, width), (hot, mu), (cold, other)))
    line = currents(two(Lorentzian(center, width), (hot, mu), (cold, other)))
    mp.mp.dps = 25

    def integrals(t, m):
        """int f and int E f over the window, by polylogarithms."""
        t, m = mp.mpf(t), mp.mpf(m)

        def primitive(e):
            return -t * mp.log1p(mp.exp((m - e) / t))

        def first(e):
            return e * primitive(e) + t**2 * mp.polylog(2, -mp.exp((m - e) / t))

        low, high = center - mp.mpf(width) / 2, center + mp.mpf(width) / 2
        return primitive(high) - primitive(low), first(high) - first(low)

    (n_hot, e_hot), (n_cold, e_cold) = integrals(hot, mu), integrals(cold, other)
    half = mp.mpf(width) / 2

    def phase(t, m):
        return mp.im(
            mp.digamma(0.5 + (half + 1j * (mp.mpf(center) - mp.mpf(m))) / (2 * mp.pi * mp.mpf(t)))
        )

    wanted = [
        float(x / (2 * mp.pi))
        for x in (n_hot - n_cold, e_hot - e_cold, half * (phase(cold, other) - phase(hot, mu)))
    ]
    mp.mp.dps = 15
    found = [
        window.particle_currents["h"],
        window.energy_currents["h"],
        line.particle_currents["h"],
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-11)


def test_a_conductor_has_an_operating_point_and_a_covariance():
    leads = {"hot": lead(1.0, 0.5), "cold": lead(0.5, 0.7)}
    engine = Conductor(leads, [("hot", "cold", BreitWigner(2.0, 0.02, 0.02))])
    point, flows = qtd.operate(engine), currents(engine)
    assert point.mode == "heat engine" and float(point.power) == pytest.approx(
        0.2 * float(flows.particle_currents["hot"]), rel=1e-12
    )
    assert 0 < float(point.efficiency) < 0.5 and all(law.holds for law in point.laws())
    noise = qtd.counting.covariance(engine, "particles")
    assert (
        float(noise["hot", "cold"])
        == -float(noise["hot", "hot"])
        == float(flows.particle_noise[0, 1])
    )
    assert float(point.tur("hot")) == pytest.approx(
        float(flows.heat_noise[0, 0] * point.entropy_production / point.heat_currents["hot"] ** 2),
        rel=1e-12,
    )
    with pytest.raises(ValueError, match="`quantity` must be"):
        qtd.counting.covariance(engine, "spin")
    with pytest.raises(ValueError, match="take its `covariance`"):
        qtd.counting.cumulants(engine, "hot")


def test_coherent_conductors_beat_the_uncertainty_relation_of_jumps():
    # At a window of full transmission at large bias no noise is left: the bound of 2 is one of
    # jumps.
    point = qtd.operate(two(Boxcar(0.0, 2.0), (0.5, 2.5), (0.5, -2.5)))
    particles = qtd.counting.covariance(two(Boxcar(0.0, 2.0), (0.5, 2.5), (0.5, -2.5)), "particles")
    assert (
        float(particles["h", "h"] * point.entropy_production / point.particle_currents["h"] ** 2)
        < 1
    )


@examples(100)
@given(st.lists(st.floats(0.2, 2.0), min_size=11, max_size=11))
def test_efficiencies_with_nonthermal_fuel_stay_below_one(numbers):
    found = EFFICIENCIES(jnp.array(numbers))
    scale = sum(abs(float(x)) for x in (found.chemical, found.thermal, found.nonthermal)) + 1e-12
    assert (
        abs(float(found.dissipation - found.chemical - found.thermal - found.nonthermal))
        < 1e-11 * scale
        and float(found.dissipation) >= 0
    )
    for efficiency, absent in ((found.pump, found.thermal), (found.heat_pump, found.chemical)):
        assert not float(absent) <= 0 or not float(efficiency) > 1 + 1e-9


def _efficiencies(x):
    demon = qtd.NonthermalReservoir(
        LogitBasis(Thermal(x[0], x[1]), 2 * x[2:4] - 2, x[4:6], x[6:8] / 2)
    )
    links = [
        ("l", "h", Lorentzian(x[8], 0.1)),
        ("l", "c", Boxcar(x[9], 0.3)),
        ("h", "c", BreitWigner(x[10], 0.1, 0.2)),
    ]
    conductor = Conductor({"l": demon, "h": lead(x[0], 1.0), "c": lead(x[3], x[4])}, links)
    return qtd.operate(conductor).efficiencies(0.8, 0.9)


EFFICIENCIES = jax.jit(_efficiencies)


def test_entropy_of_a_nonthermal_reservoir_of_a_network_is_that_of_its_quanta():
    def dot(left):
        return qtd.RateNetwork(
            [0.0, 1.2],
            [("l", 0, 1, 0.1), ("h", 0, 1, 0.1)],
            {"l": left, "h": lead(0.9, 1.0)},
            particles=[0, 1],
        )

    same = Thermal(0.5, 0.8)
    by_logit = qtd.operate(dot(qtd.NonthermalReservoir(same, chemical_potential=0.8)))
    thermal = qtd.operate(dot(lead(0.5, 0.8)))
    assert float(by_logit.entropy_production) == pytest.approx(
        float(thermal.entropy_production), rel=1e-13
    )
    assert (
        float(by_logit.power) == pytest.approx(float(thermal.power), rel=1e-13)
        and "l" not in by_logit.temperatures
    )
