"""Scattering matrices and transmission probabilities: poles, narrow lines, conservation, and the
second law without reciprocity."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import linear_sum_assignment

import qtd
from qtd.distributions import LogitBasis, Thermal
from qtd.scatterers import Levels, ScatteringMatrix, TransmissionMatrix
from qtd.scattering import Conductor, currents
from qtd.spectral import WideBand
from qtd.transmissions import BreitWigner


def lead(temperature, potential=0.0, statistics="fermi"):
    return qtd.Reservoir(temperature, potential, statistics, spectral_density=WideBand(1.0))


TRIO = {"a": lead(1.0, 0.2), "b": lead(0.4, 0.6), "c": lead(0.7, 0.4)}


def farthest(found, wanted):
    """The largest distance in the best assignment of complex numbers to each other: each counts as
    often as it occurs."""
    gaps = np.abs(np.asarray(found)[:, None] - np.asarray(wanted)[None])
    return gaps[linear_sum_assignment(gaps)].max()


def effective(h, w):
    return h - 0.5j * w @ w.T


def poles(h, w):
    real, imaginary = Levels(h, {"leads": w}).poles()
    return np.asarray(real) + 1j * np.asarray(imaginary)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_poles_are_eigenvalues_of_the_effective_hamiltonian(size):
    rng = np.random.default_rng(size)
    for trial in range(8):
        h = rng.normal(size=(size, size)) + 1j * (trial % 2) * rng.normal(size=(size, size))
        h = (
            (h + h.conj().T) / 2
            if trial < 4
            else np.eye(size) + 10.0**-trial * np.diag(rng.normal(size=size))
        )
        w = rng.normal(size=(size, 2))
        assert (
            farthest(poles(h, w), np.linalg.eigvals(effective(h, w)))
            < 1e-13 * size * np.abs(effective(h, w)).max()
        )


@pytest.mark.parametrize("size", [2, 3, 5])
def test_degenerate_levels_have_dark_poles_and_bright_ones_as_wide_as_they_see_together(
    size,
):
    """Levels of one energy e meet the leads through the columns of w: the poles are e - i/2 times
    the eigenvalues of w w^T, the rest e."""
    rng = np.random.default_rng(size)
    basis = np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]
    for channels in (1, min(2, size - 1)):
        w = rng.normal(size=(size, channels)) if channels > 1 else np.full((size, 1), 0.7)
        widths = np.append(np.linalg.eigvalsh(w.T @ w), np.zeros(size - channels))
        assert farthest(poles(1.3 * np.eye(size), w), 1.3 - 0.5j * widths) < 1e-14 * size
        # A level or two beside them, mixed with them by a magnetic flux: two of three degenerate
        # ones have one dark state at least.
        h = basis @ np.diag(np.append(np.full(size - 1, 0.4), -1.1)) @ basis.conj().T
        w = np.outer((basis @ np.linspace(0.5, 1, size)).real, np.ones(channels))
        found = poles((h + h.conj().T) / 2, w)
        assert farthest(found, np.linalg.eigvals(effective((h + h.conj().T) / 2, w))) < 1e-13 * size
        assert np.sum(np.abs(found - 0.4) < 1e-13) >= size - 3


def test_two_levels_at_an_exceptional_point_have_one_pole_of_second_order():
    """H - i/2 w w^T = [[-i/2, 1/4], [1/4, 0]] has the eigenvalue -i/4 twice and one eigenvector:
    rounding moves it by its square root."""
    found = poles(np.array([[0.0, 0.25], [0.25, 0.0]]), np.array([[1.0], [0.0]]))
    assert np.abs(found + 0.25j).max() < 1e-7


def test_slopes_of_poles_are_those_of_differences_and_of_means_where_they_coincide():
    rng = np.random.default_rng(0)
    h, w, dh, dw = (rng.normal(size=shape) for shape in ((3, 3), (3, 2), (3, 3), (3, 2)))
    h, dh = h + h.T, dh + dh.T

    @jax.jit
    def moments(x, h, w, dh, dw):
        real, imaginary = Levels(h + x * dh, {"leads": w + x * dw}).poles()
        return jnp.stack(
            [
                real.sum(),
                imaginary.sum(),
                (real**3).sum(),
                (imaginary**3).sum(),
                (real * imaginary**2).sum(),
            ]
        )

    def slopes(h, w, dh, dw, step=1e-3):
        def shifted(n):
            return moments(n * step, h, w, dh, dw)

        wanted = sum(
            c * (shifted(n) - shifted(-n)) / (2 * n * step)
            for n, c in ((1, 1.5), (2, -0.6), (3, 0.1))
        )
        forward, backward = (make(moments)(0.0, h, w, dh, dw) for make in (jax.jacfwd, jax.jacrev))
        np.testing.assert_allclose(forward, backward, rtol=1e-11, atol=1e-12)
        return forward, wanted

    found, wanted = slopes(h, w, dh, dw)
    np.testing.assert_allclose(found, wanted, rtol=1e-8)
    # Three levels of one energy and equal couplings, two of them dark: symmetric functions of the
    # poles have slopes.
    found, wanted = slopes(np.eye(3), np.ones((3, 2)), dh, dw)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    second = jax.jit(jax.grad(jax.grad(lambda x: moments(x, h, w, dh, dw)[2])))(0.0)
    slope = jax.grad(lambda x: moments(x, h, w, dh, dw)[2])
    assert float(second) == pytest.approx(float((slope(1e-4) - slope(-1e-4)) / 2e-4), rel=1e-5)


@pytest.mark.parametrize("size", [2, 4])
def test_degenerate_levels_that_see_the_leads_alike_carry_what_one_level_does(size):
    line = currents(Conductor(TRIO, [("a", "b", BreitWigner(0.3, size * 0.25, size * 0.09))]))
    alike = Levels(0.3 * np.eye(size), {"a": np.full(size, 0.5), "b": np.full(size, 0.3)})
    found = currents(Conductor(TRIO, scatterer=alike))
    for figure in (
        lambda x: x.particle_currents["a"],
        lambda x: x.entropy_production,
        lambda x: x.heat_noise[0, 1],
    ):
        assert float(figure(found)) == pytest.approx(float(figure(line)), rel=1e-12)


@pytest.mark.parametrize("splitting", [0.1, 1e-2, 1e-3])
def test_lines_that_interference_makes_narrow_are_resolved(splitting):
    # Trap: two levels closer than their widths leave a line of width splitting^2, far narrower than
    # either.
    h = np.diag([1.0, 1.0 + splitting])
    a = np.array([0.5, 0.5])
    b = np.array([0.3, 0.3])
    found = currents(
        Conductor({"a": lead(1.0, 0.5), "b": lead(0.5, 0.7)}, scatterer=Levels(h, {"a": a, "b": b}))
    )

    def flow(e):
        green = np.linalg.inv(e * np.eye(2) - h + 0.5j * (np.outer(a, a) + np.outer(b, b)))
        return (
            abs(a @ green @ b) ** 2
            * (1 / (1 + np.exp((e - 0.5) / 1.0)) - 1 / (1 + np.exp((e - 0.7) / 0.5)))
            / (2 * np.pi)
        )

    center, offsets = 1 + splitting / 2, splitting**2 * 10.0 ** np.arange(-2, 4)
    inner = [
        center + sign * x for x in (*offsets[offsets < 0.5], 0.5, 2.0, 8.0) for sign in (-1, 1)
    ]
    knots = sorted([-30.0, center, 30.0, *inner])
    wanted = sum(
        quad(flow, low, high, epsabs=1e-15, epsrel=1e-12)[0] for low, high in pairwise(knots)
    )
    assert float(found.particle_currents["a"]) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("size", [2, 3])
def test_currents_through_few_levels_agree_with_quadrature(size):
    rng = np.random.default_rng(size)
    h, w = rng.normal(size=(size, size)), rng.normal(size=(size, 3)) / 2
    h = (h + h.T) / 2
    found = currents(Conductor(TRIO, scatterer=Levels(h, dict(zip("abc", w.T)))))

    def fermi(e, name):
        return 1 / (
            1 + np.exp((e - float(TRIO[name].chemical_potential)) / float(TRIO[name].temperature))
        )

    def flow(e, power):
        green = np.linalg.inv(e * np.eye(size) - h + 0.5j * w @ w.T)
        passed = np.abs(w.T @ green @ w) ** 2
        return (
            e**power
            * sum(passed[0, k] * (fermi(e, "a") - fermi(e, "abc"[k])) for k in (1, 2))
            / (2 * np.pi)
        )

    poles = np.linalg.eigvals(h - 0.5j * w @ w.T)
    spread = [
        x.real + sign * abs(x.imag) * 4.0**n
        for x in poles
        for n in range(-2, 3)
        for sign in (-1, 1)
    ]
    knots = sorted(
        [-45.0, -12.0, -5.0, *(x for x in spread if abs(x) < 5), 0.2, 0.4, 0.6, 5.0, 12.0, 45.0]
    )

    def total(power):
        return sum(
            quad(flow, low, high, (power,), epsabs=1e-16, epsrel=1e-13)[0]
            for low, high in pairwise(knots)
        )

    assert float(found.particle_currents["a"]) == pytest.approx(total(0), rel=1e-10)
    assert float(found.energy_currents["a"]) == pytest.approx(total(1), rel=1e-10)


class Amplitudes(eqx.Module):
    """The scattering matrix of levels, as any function of energy."""

    levels: Levels

    def __call__(self, energy):
        real, imaginary = self.levels.amplitudes(energy[None])
        return jax.lax.complex(real[..., 0], imaginary[..., 0])


def test_a_scattering_matrix_and_its_probabilities_give_what_the_levels_give():
    h = np.array([[0.5, 0.3 + 0.7j], [0.3 - 0.7j, 1.0]])
    levels = Levels(h, {"a": [0.5, 0.1], "b": [0.2, 0.6], "c": [0.0, 0.4]})
    centers, scales = np.linalg.eigvalsh(h), [0.02, 0.02]
    matrix = ScatteringMatrix(Amplitudes(levels), ("a", "b", "c"), centers, scales)
    squares = TransmissionMatrix(
        lambda e: jnp.abs(Amplitudes(levels)(e)) ** 2, ("a", "b", "c"), centers, scales
    )
    by_levels, by_matrix, by_squares = (
        currents(Conductor(TRIO, scatterer=x)) for x in (levels, matrix, squares)
    )
    for other in (by_matrix, by_squares):
        for quantity in ("particle_currents", "energy_currents", "entropy_currents"):
            for name in TRIO:
                assert float(getattr(other, quantity)[name]) == pytest.approx(
                    float(getattr(by_levels, quantity)[name]), rel=1e-11, abs=1e-15
                )
    np.testing.assert_allclose(by_matrix.heat_noise, by_levels.heat_noise, rtol=1e-10)
    assert np.all(np.isnan(by_squares.particle_noise))
    reverse = currents(Conductor(TRIO, scatterer=Levels(h.conj(), levels.couplings)))
    # Not reciprocal.
    assert (
        abs(float(reverse.particle_currents["a"]) / float(by_levels.particle_currents["a"]) - 1)
        > 1e-2
    )


def test_one_way_edges_carry_what_a_line_carries_by_hand():
    # Particles go a -> b -> c -> a and never back: I_a = int (f_a - f_c) / h.
    ring = jnp.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    found = currents(
        Conductor(TRIO, scatterer=TransmissionMatrix(lambda e: ring, ("a", "b", "c"), 0.4, 1.0))
    )
    # The integral of f - f' over all energies is mu - mu'.
    assert float(found.particle_currents["a"]) == pytest.approx(
        (0.2 - 0.4) / (2 * np.pi), rel=1e-12
    )
    assert float(found.particle_currents["b"]) == pytest.approx(
        (0.6 - 0.2) / (2 * np.pi), rel=1e-12
    )

    def energy(t, mu):
        return mu**2 / 2 + np.pi**2 * t**2 / 6

    assert float(found.energy_currents["a"]) == pytest.approx(
        (energy(1.0, 0.2) - energy(0.7, 0.4)) / (2 * np.pi), rel=1e-12
    )
    assert float(found.entropy_production) > 0


class Walk(eqx.Module):
    """A mixture of permutations with weights that change over energy: any probabilities that are
    conserved. Bosons do not pass at the floor, their chemical potential, where their number has no
    end."""

    heights: jax.Array
    centers: jax.Array
    floor: jax.Array | None = None

    def __call__(self, energy):
        shares = jax.nn.softmax(self.heights * jnp.tanh(3 * (energy - self.centers)))
        turns = [
            np.eye(3)[list(order)]
            for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
        ]
        passed = jnp.einsum("k,kab->ab", shares, jnp.asarray(np.array(turns), shares.dtype))
        return passed if self.floor is None else -jnp.expm1(self.floor - energy) * passed


def random_device(x, statistics):
    if statistics == "fermi":
        bumps = LogitBasis(Thermal(x[0], x[1]), 2 * x[2:4] - 2, x[4:6], x[6:8] / 2)
        reservoirs = {
            "a": qtd.NonthermalReservoir(bumps),
            "b": lead(x[8], x[9]),
            "c": lead(x[10], x[11]),
        }
    else:
        reservoirs = {name: lead(t, -0.1 * x[9], "bose") for name, t in zip("abc", x[:3])}
    walk = Walk(4 * x[12:18] - 4, x[18:24], None if statistics == "fermi" else -0.1 * x[9])
    return currents(
        Conductor(
            reservoirs, scatterer=TransmissionMatrix(walk, ("a", "b", "c"), [0.5, 1.5], [0.3, 0.3])
        )
    )


@pytest.mark.parametrize("statistics", ["fermi", "bose"])
def test_entropy_production_is_never_negative_in_thousands_of_devices_that_are_not_reciprocal(
    statistics,
):
    numbers = jnp.asarray(np.random.default_rng(0).uniform(0.2, 2.0, (2000, 24)))
    found = jax.jit(
        lambda x: jax.lax.map(lambda y: random_device(y, statistics), x, batch_size=64)
    )(numbers)
    assert not np.any(np.asarray(found.status)) and float(jnp.min(found.entropy_production)) > 0
    scale = sum(jnp.abs(x) for x in found.energy_currents.values())
    assert float(jnp.max(jnp.abs(sum(found.energy_currents.values())) / scale)) < 1e-11
    assert (
        float(jnp.max(jnp.abs(sum(found.entropy_currents.values()) + found.entropy_production)))
        < 1e-11
    )
    if statistics == "fermi":  # in equilibrium entropy is heat over temperature
        ratio = found.entropy_currents["b"] * numbers[:, 8] / found.heat_currents["b"]
        np.testing.assert_allclose(ratio, 1.0, rtol=1e-9)


UNEQUAL = jnp.array([[0.0, 0.5, 0.0], [0.2, 0.0, 0.3], [0.0, 0.3, 0.0]])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: TransmissionMatrix(lambda e: UNEQUAL, ("a", "b", "c"), 0.0, 1.0),
            "conserves no probability",
        ),
        (
            lambda: TransmissionMatrix(lambda e: -UNEQUAL - UNEQUAL.T, ("a", "b", "c"), 0.0, 1.0),
            "conserves no probability",
        ),
        (
            lambda: ScatteringMatrix(lambda e: 0.9 * jnp.eye(3), ("a", "b", "c"), 0.0, 1.0),
            "conserves no probability",
        ),
        (
            lambda: TransmissionMatrix(lambda e: UNEQUAL[0], ("a", "b", "c"), 0.0, 1.0),
            r"shape \(3, 3\)",
        ),
        (
            lambda: TransmissionMatrix(lambda e: UNEQUAL, ("a", "b", "d"), 0.0, 1.0),
            "`scatterer` leads to 'd'",
        ),
        (lambda: ScatteringMatrix(lambda e: UNEQUAL, {"a": 0}, 0.0, 1.0), "`channels` must name"),
        (
            lambda: ScatteringMatrix(lambda e: UNEQUAL, ("a", "b", "c"), 0.0, -1.0),
            "`scales` must be positive",
        ),
    ],
)
def test_what_conserves_no_probability_is_refused(build, words):
    with pytest.raises(ValueError, match=words):
        currents(Conductor(TRIO, scatterer=build()))


def test_a_device_that_conserves_no_probability_fails_alone_in_a_batch():
    def flow(loss):
        scatterer = ScatteringMatrix(
            lambda e: (1 - loss) * jnp.eye(3)[jnp.array([1, 2, 0])], ("a", "b", "c"), 0.0, 1.0
        )
        found = currents(Conductor(TRIO, scatterer=scatterer))
        return found.particle_currents["a"], found.status

    values, status = jax.jit(jax.vmap(flow))(jnp.array([0.0, 0.1]))
    assert status.tolist() == [0, qtd.Status.NOT_UNITARY] and np.isfinite(
        np.asarray(values)
    ).tolist() == [True, False]


def test_bosons_that_pass_a_scatterer_at_their_chemical_potential_have_no_number():
    # Trap: the sum over points is finite where the integral is not.
    def leads(mu):
        return {name: lead(t, mu, "bose") for name, t in (("a", 1.0), ("b", 0.4))}

    levels = Levels([[0.8]], {"a": [0.5], "b": [0.3]})
    found = currents(Conductor(leads(0.0), scatterer=levels))
    line = currents(Conductor(leads(0.0), [("a", "b", BreitWigner(0.8, 0.25, 0.09))]))
    assert int(found.status) == int(line.status) == qtd.Status.UNCOUNTABLE and np.isnan(
        float(found.particle_currents["a"])
    )
    assert float(found.energy_currents["a"]) == pytest.approx(
        float(line.energy_currents["a"]), rel=1e-11
    )
    with pytest.raises(ValueError, match="must lie below every coupled energy"):
        currents(Conductor(leads(-0.1), scatterer=levels))
