from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import qtd
from qtd.spectral import (
    LorentzDrude,
    Lorentzian,
    Ohmic,
    Peaked,
    ReactionCoordinate,
    Resonator,
    WideBand,
    reaction_coordinate,
)

ENERGIES = jnp.asarray(np.concatenate([-np.logspace(-3, 2, 12), np.logspace(-3, 2, 12)]))
DENSITIES = [
    Peaked(2.0, 0.1, 0.7),
    Lorentzian(2.0, 0.1, 0.7),
    Ohmic(0.7, 5.0),
    LorentzDrude(0.7, 5.0),
    WideBand(0.7),
]
IDS = [type(density).__name__ for density in DENSITIES]


def formula(density, w):
    """The textbook formulas for w > 0, in NumPy."""
    match density:
        case Peaked():
            e = float(density.center)
            d = float(density.width)
            h = float(density.height)
            return 4 * h * e * d**2 * w / (((w - e) ** 2 + d**2) * ((w + e) ** 2 + d**2))
        case Lorentzian():
            e = float(density.center)
            d = float(density.width)
            h = float(density.height)
            return h * d**2 / ((w - e) ** 2 + d**2)
        case Ohmic():
            return float(density.coupling) * w * np.exp(-w / float(density.cutoff))
        case LorentzDrude():
            return float(density.coupling) * w / (1 + (w / float(density.cutoff)) ** 2)
        case WideBand():
            return float(density.height) * np.ones_like(w)


@pytest.mark.parametrize("density", DENSITIES, ids=IDS)
def test_density_follows_its_formula(density):
    w = np.asarray(ENERGIES[ENERGIES > 0])
    np.testing.assert_allclose(density(jnp.asarray(w)), formula(density, w), rtol=1e-14)


@pytest.mark.parametrize("density", DENSITIES, ids=IDS)
def test_per_energy_is_even_and_times_the_energy_gives_the_density(density):
    positive = ENERGIES[ENERGIES > 0]
    np.testing.assert_allclose(
        density.per_energy(positive) * positive, density(positive), rtol=1e-15
    )
    assert jnp.array_equal(density.per_energy(-positive), density.per_energy(positive))


@pytest.mark.parametrize("density", [DENSITIES[0], *DENSITIES[2:4]], ids=[IDS[0], *IDS[2:4]])
def test_bosonic_densities_are_odd_and_finite_per_energy_at_zero(density):
    assert jnp.array_equal(density(-ENERGIES), -density(ENERGIES))
    zero = jnp.array(0.0)
    assert float(density(zero)) == 0 and float(density.per_energy(zero)) > 0
    slope = float(jax.grad(lambda w: density(w))(jnp.array(1e-9)))
    # The Ohmic correction is 2 w / w_c.
    assert slope == pytest.approx(float(density.per_energy(zero)), rel=1e-8)


def test_height_at_the_centre_of_a_peak():
    # Gamma(e) = 4 h e^2 / (4 e^2 + d^2): section 6 of the physics page
    assert float(Peaked(2.0, 0.5, 0.7)(jnp.array(2.0))) == pytest.approx(
        0.7 * 16 / 16.25, rel=1e-15
    )
    assert float(Lorentzian(-2.0, 0.5, 0.7)(jnp.array(-2.0))) == 0.7


def test_width_is_half_the_width_at_half_height():
    assert float(Lorentzian(2.0, 0.3)(jnp.array(2.3))) == pytest.approx(0.5, rel=1e-14)
    narrow = Peaked(2.0, 1e-4)
    # Corrections d / e.
    assert float(narrow(jnp.array(2.0001)) / narrow(jnp.array(2.0))) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("density", DENSITIES, ids=IDS)
def test_density_and_gradient_keep_float32(density):
    small = jax.tree.map(lambda x: x.astype(jnp.float32), density)
    energy = jnp.array(1.5, jnp.float32)
    assert small(energy).dtype == jnp.float32 and small.per_energy(energy).dtype == jnp.float32
    gradient = jax.grad(lambda s: s(energy))(small)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Peaked(2.0, 0.0), "`width` must be positive, got 0.0"),
        (lambda: Peaked(2.0, -0.1), "`width` must be positive"),
        (lambda: Peaked(0.0, 0.1), "`center` must be positive"),
        (lambda: Peaked(2.0, 0.1, -1.0), "`height` must not be negative, got -1.0"),
        (lambda: Peaked(float("nan"), 0.1), "`center` must be finite"),
        (lambda: Peaked([1.0, 2.0], 0.1), "`center` must be one number.*vmap"),
        (lambda: Peaked("wide", 0.1), "`center` must be a real number"),
        (lambda: Peaked(1j, 0.1), "`center` must be real"),
        (lambda: Lorentzian(2.0, 0.0), "`width` must be positive"),
        (lambda: Ohmic(-1.0, 1.0), "`coupling` must not be negative"),
        (lambda: Ohmic(1.0, 0.0), "`cutoff` must be positive"),
        (lambda: LorentzDrude(1.0, float("inf")), "`cutoff` must be finite"),
        (lambda: WideBand(-0.1), "`height` must not be negative"),
        (
            lambda: ReactionCoordinate(-1.0, 0.1, LorentzDrude(1.0, 1.0)),
            "`energy` must be positive",
        ),
    ],
)
def test_bad_numbers_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("field", "bad"), [("width", -0.1), ("width", 0.0), ("height", -1.0), ("center", -2.0)]
)
def test_traced_bad_numbers_give_nan(field, bad):
    make = jax.jit(
        lambda x: Peaked(**{"center": 2.0, "width": 0.1, "height": 1.0, field: x})(jnp.array(1.0))
    )
    assert jnp.isnan(make(jnp.array(bad)))


def test_whole_numbers_become_floats():
    density = Peaked(2, 1, 3)
    assert all(leaf.dtype == jnp.result_type(float) for leaf in jax.tree.leaves(density))


def test_new_values_do_not_compile_again():
    evaluate = eqx.filter_jit(eqx.debug.assert_max_traces(lambda s, w: s(w), max_traces=1))
    for width in (0.1, jnp.array(0.2), np.float64(0.3)):
        evaluate(Peaked(2.0, width), jnp.array(1.0))


def test_reaction_coordinate_has_the_numbers_of_the_page():
    # physics/collective_refrigerator.md, section 8: h = 1, e = 2, d = 0.1, D = 50
    mode = reaction_coordinate(Peaked(2.0, 0.1, 1.0), 50.0)
    # Half of the last printed digit, and below.
    assert float(mode.energy) == pytest.approx(3.74299345444, rel=3e-12)
    assert float(mode.coupling) ** 2 == pytest.approx(0.0265676988728, rel=3e-12)
    assert float(mode.residual(jnp.array(3.0))) == pytest.approx(0.159346850952, rel=4e-12)


@pytest.mark.parametrize("center", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("width", [1e-4, 0.1, 0.4])
@pytest.mark.parametrize("cutoff", [20.0, 1000.0])
def test_reaction_coordinate_map_is_undone_by_its_inverse(center, width, cutoff):
    density, drude = reaction_coordinate(Peaked(center, width, 0.7), cutoff).peaked()
    # e^2 is what is left of Omega^2 = e^2 + d^2 + 2 D d, and d must be found first: errors grow
    # with their ratio.
    lost = 1 + 2 * cutoff * width / center**2
    tolerance = 1e-13 * lost
    np.testing.assert_allclose(density.width, width, rtol=1e-12)
    np.testing.assert_allclose(drude, cutoff, rtol=1e-13)
    np.testing.assert_allclose(density.center, center, rtol=10 * tolerance)
    np.testing.assert_allclose(density.height, 0.7, rtol=10 * tolerance)


def test_a_damped_mode_responds_with_the_peaked_density():
    # Equation of motion of the mode: J = 4 Omega lambda^2 Im 1 / (Omega^2 - w^2 - Omega k w_c^2 /
    # (w_c - i w)), where the last term is the self-energy of a Lorentz-Drude bath.
    density, cutoff = Peaked(2.0, 0.3, 0.7), 30.0
    mode = reaction_coordinate(density, cutoff)
    w = np.linspace(0.2, 12, 30)
    energy = float(mode.energy)
    drude = float(mode.residual.cutoff)
    self_energy = energy * float(mode.residual.coupling) * drude**2 / (drude - 1j * w)
    response = 4 * energy * float(mode.coupling) ** 2 / (energy**2 - w**2 - self_energy)
    np.testing.assert_allclose(
        response.imag, density(jnp.asarray(w)) * cutoff**2 / (cutoff**2 + w**2), rtol=1e-11
    )


def test_derivatives_pass_through_the_map_both_ways():
    def width(d):
        return reaction_coordinate(Peaked(2.0, d, 0.7), 50.0).peaked()[0].width

    assert float(jax.grad(width)(jnp.array(0.1))) == pytest.approx(1.0, rel=1e-10)
    assert float(jax.jvp(width, (jnp.array(0.1),), (jnp.array(1.0),))[1]) == pytest.approx(
        1.0, rel=1e-10
    )
    assert abs(float(jax.grad(jax.grad(width))(jnp.array(0.1)))) < 1e-7  # a straight line


def test_an_overdamped_coordinate_has_no_peak():
    heavy = ReactionCoordinate(1.0, 0.1, LorentzDrude(1e3, 10.0))
    assert jnp.isnan(jax.jit(lambda r: r.peaked()[0].width)(heavy))


def test_every_density_is_public():
    assert {type(d).__name__ for d in DENSITIES} < set(qtd.spectral.__all__)


@pytest.mark.parametrize("energy", [-1.0, 0.0, 0.3, 2.0, 2.21, 5.0, 6.9, 8.0])
def test_the_level_shift_of_a_resonator_is_the_principal_value(energy):
    density, cutoff = Resonator(2.2, 0.05, 0.7, 7.0), 7.0

    def strength(x):
        return float(density(jnp.asarray(x)))

    if 0 < energy < cutoff:
        wanted = -quad(
            strength,
            0,
            cutoff,
            weight="cauchy",
            wvar=energy,
            epsabs=1e-13,
            epsrel=1e-13,
            limit=2000,
        )[0]
    else:
        wanted = quad(
            lambda x: strength(x) / (energy - x),
            1e-300,
            cutoff,
            points=[2.1, 2.2, 2.3],
            epsabs=1e-13,
            limit=500,
        )[0]
    assert float(density.level_shift(jnp.asarray(energy))) == pytest.approx(
        wanted / (2 * np.pi), rel=1e-12
    )


def test_resonator_filters_fall_to_zero_beyond_the_cutoff_and_have_the_stated_peak():
    density = Resonator(2.0, 0.1, 1.0, 5.0)
    assert float(density(jnp.array(2.0))) == pytest.approx(1 / (0.1 * 2.0), rel=1e-15)
    assert float(density(jnp.array(5.1))) == 0.0
    assert float(density.per_energy(jnp.array(0.0))) == pytest.approx(0.1 / 4, rel=1e-15)
    assert float(density.per_energy(jnp.array(-1.3))) == float(density.per_energy(jnp.array(1.3)))


ANSWERING = [Peaked(1.0, 0.2, 0.7), LorentzDrude(0.7, 2.0)]


@pytest.mark.parametrize("density", ANSWERING, ids=["peak", "drude"])
@pytest.mark.parametrize("energy", [-0.7, 0.0, 0.6, 1.3, 4.0])
def test_susceptibilities_obey_kramers_and_kronig(density, energy):
    """Re chi(w) = P int dx / 2 pi J(x) / (w - x) over the whole axis, Im chi = -J / 2."""
    real, imaginary = density.susceptibility(jnp.asarray(energy))
    assert float(imaginary) == pytest.approx(-float(density(jnp.asarray(energy))) / 2, rel=1e-14)

    def shifted(x):  # the principal value: what is odd around w goes out
        return (formula(density, energy - x) - formula(density, energy + x)) / x

    edges = [0.0, 0.3, 1.0, 3.0, 30.0]
    near = sum(quad(shifted, a, b, epsrel=1e-11, limit=200)[0] for a, b in pairwise(edges))
    far = quad(lambda y: shifted(1 / y) / y**2, 0, 1 / edges[-1], epsrel=1e-11, limit=200)[0]
    assert float(real) == pytest.approx((near + far) / (2 * np.pi), rel=1e-8)


@pytest.mark.parametrize("density", ANSWERING, ids=["peak", "drude"])
def test_embeddings_answer_as_the_susceptibility(density):
    dynamics, into, out_of = map(np.asarray, density.embedding())
    for energy in (0.0, 0.6, 1.3):
        found = out_of @ np.linalg.solve(-1j * energy * np.eye(len(into)) - dynamics, into)
        real, imaginary = density.susceptibility(jnp.asarray(energy))
        assert abs(found - complex(real, imaginary)) < 1e-14


@pytest.mark.parametrize("density", [Ohmic(0.1, 5.0), WideBand(0.1), Resonator(1.0, 0.1)])
def test_densities_whose_susceptibility_is_not_known_say_so(density):
    for ask in (lambda: density.susceptibility(jnp.asarray(1.0)), density.embedding):
        with pytest.raises(ValueError, match=f"is known, such as.*got {type(density).__name__}"):
            ask()
