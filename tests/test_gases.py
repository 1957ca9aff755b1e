"""Ideal Fermi gases: integrals against polylogarithms, the limits, and thermodynamics."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

from qtd._numerics.fermi import thermal_integrals
from qtd.gases import FermiGas

INTEGRALS = jax.jit(thermal_integrals)
PROPERTIES = {
    closure: jax.jit(lambda t, mu, a, c=closure: FermiGas(t, mu, 1.0, a, c).properties())
    for closure in ("exact", "sommerfeld")
}
NAMES = (
    "number",
    "energy",
    "entropy",
    "zeroth",
    "first",
    "second",
    "heat_capacity",
    "energy_per_particle",
)


def by_polylogarithms(x, alpha):
    """Moments, number, energy and entropy at T = 1, from N = Gamma(a) F_(a-1) and E = Gamma(a+1)
    F_a by Euler's theorem."""
    with mp.workdps(160 if x < -50 else 40):  # as 1 + exp(-300) must not be 1
        x, a = mp.mpf(x), mp.mpf(alpha)

        def complete(s):
            return -mp.re(mp.polylog(s + 1, -mp.exp(x)))

        number, energy = mp.gamma(a) * complete(a - 1), mp.gamma(a + 1) * complete(a)
        zeroth = mp.gamma(a) * complete(a - 2)
        first = a * number - x * zeroth
        second = (a + 1) * energy - x * a * number - x * first
        return [
            float(v)
            for v in (zeroth, first, second, number, energy, (1 + 1 / a) * energy - x * number)
        ]


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.37, 3.0])
@pytest.mark.parametrize("x", [-300.0, -1.0, 0.3, 20.0, 43.9, 44.1])
def test_integrals_agree_with_polylogarithms(x, alpha):
    found = INTEGRALS(x, alpha)
    values = [*found["moments"], found["number"], found["energy"], found["entropy"]]
    expected = by_polylogarithms(x, alpha)
    # At alpha = 1 the density is constant, and the first moment of a degenerate gas next to nothing
    # beside the others.
    scale = np.maximum(np.abs(expected), 1e-3 * np.array([0, expected[0], 0, 0, 0, 0]))
    assert np.max(np.abs(np.array(values) - expected) / scale) < 1e-12


@pytest.mark.parametrize("x", [1e4, 1e6])
def test_a_degenerate_gas_keeps_its_digits(x):
    """The trap: odd moments lose a factor x to cancellation if they are formed as they stand."""
    alpha = 1.5
    s2 = np.pi**2 / 3
    s4 = 7 * np.pi**4 / 15
    first = (alpha - 1) * x ** (alpha - 2) * (s2 + (alpha - 2) * (alpha - 3) / 6 * s4 / x**2)
    entropy = x ** (alpha - 1) * (s2 + (alpha - 1) * (alpha - 2) / 6 * s4 / x**2)
    found = INTEGRALS(x, alpha)
    np.testing.assert_allclose(
        [found["moments"][1], found["entropy"]], [first, entropy], rtol=1e-11
    )


def test_two_dimensions_have_closed_forms():
    for x in (-5.0, 0.7, 12.0, 500.0):
        found = INTEGRALS(x, 1.0)
        assert float(found["number"]) == pytest.approx(np.logaddexp(0, x), rel=1e-13)
        assert float(found["moments"][0]) == pytest.approx(1 / (1 + np.exp(-x)), rel=1e-13)


def test_derivatives_in_degeneracy_and_dimension_agree_with_differences():
    slopes = jax.jit(jax.jacfwd(thermal_integrals, argnums=(0, 1)))
    for x in (-3.0, 0.5, 30.0, 80.0):
        for argument, step in ((0, 1e-4), (1, 1e-4)):

            def moved(k, x=x, a=argument, h=step):
                return INTEGRALS(x + (k * h if a == 0 else 0), 1.5 + (k * h if a == 1 else 0))

            difference = jax.tree.map(lambda p, m, h=step: (p - m) / (2 * h), moved(1), moved(-1))
            found = jax.tree.map(
                lambda y, a=argument: y[a], slopes(x, 1.5), is_leaf=lambda y: isinstance(y, tuple)
            )
            for key, value in difference.items():
                np.testing.assert_allclose(
                    found[key], value, rtol=1e-6, atol=1e-9 * np.abs(value).max()
                )


@pytest.mark.parametrize("closure", ["exact", "sommerfeld"])
@examples(25)
@given(st.floats(0.2, 3.0), st.floats(4.0, 30.0), st.floats(0.5, 3.0))
def test_energy_changes_by_heat_and_particles(closure, temperature, degeneracy, alpha):
    """dE = T dS + mu dN, in both closures, and derivatives follow from the moments."""
    mu = degeneracy * temperature
    by_temperature, by_potential = (slope(temperature, mu, alpha) for slope in SLOPES[closure])
    held = PROPERTIES[closure](temperature, mu, alpha)
    for slope in (by_temperature, by_potential):
        assert float(slope.energy) == pytest.approx(
            float(temperature * slope.entropy + mu * slope.number), rel=1e-10
        )
    assert float(by_potential.number) == pytest.approx(float(held.zeroth), rel=1e-10)
    assert float(by_temperature.number) == pytest.approx(
        float(held.first / temperature), rel=1e-8, abs=1e-11 * float(held.zeroth)
    )
    assert float(by_temperature.energy) == pytest.approx(
        float((mu * held.first + held.second) / temperature), rel=1e-9
    )


SLOPES = {
    closure: [jax.jit(jax.jacfwd(function, argnums=i)) for i in (0, 1)]
    for closure, function in PROPERTIES.items()
}


@pytest.mark.parametrize(
    ("closure", "expected"),
    [
        (
            "exact",
            {
                "number": 3.976985354047977,
                "energy": 10.35371486476145,
                "entropy": 5.325235379125154,
            },
        ),
        ("exact", {"heat_capacity": 4.219398363958743, "energy_per_particle": 3.631710432106279}),
        (
            "sommerfeld",
            {"number": 3.9389531782848, "energy": 10.509046975571, "entropy": 5.6982187577641},
        ),
        ("sommerfeld", {"heat_capacity": 5.1525528479248, "energy_per_particle": 3.5745647189438}),
        (
            "sommerfeld",
            {"zeroth": 1.6529088803777, "first": 0.94970312629401, "second": 5.6982187577641},
        ),
    ],
)
def test_reference_gas(closure, expected):
    held = PROPERTIES[closure](1.0, 3.0, 1.5)
    for name, value in expected.items():
        assert float(getattr(held, name)) == pytest.approx(value, rel=1e-13)


@pytest.mark.parametrize(
    ("alpha", "x", "number", "capacity"),
    [(0.5, 10.0, 2e-4, -6.5e-2), (1.0, 3.0, -1.6e-2, 0.35), (1.5, 20.0, -7e-6, 4.5e-3)],
)
def test_where_the_sommerfeld_expansion_is_off_as_the_page_says(alpha, x, number, capacity):
    cut, exact = (PROPERTIES[closure](1.0, x, alpha) for closure in ("sommerfeld", "exact"))
    assert float(cut.number / exact.number - 1) == pytest.approx(number, rel=0.15)
    assert float(cut.heat_capacity / exact.heat_capacity - 1) == pytest.approx(capacity, rel=0.15)


def test_float32_keeps_its_type_and_five_digits():
    gas = FermiGas(jnp.float32(0.6), jnp.float32(20.8), jnp.float32(1.0), jnp.float32(1.5))
    held, exact = gas.properties(), FermiGas(0.6, 20.8).properties()
    for name in NAMES:
        value = getattr(held, name)
        assert value.dtype == jnp.float32 and float(value) == pytest.approx(
            float(getattr(exact, name)), rel=2e-5
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"temperature": 0.0}, "`temperature` must be positive"),
        ({"volume": -1.0}, "`volume` must be positive"),
        ({"alpha": 0.0}, "`alpha` must be positive"),
        ({"chemical_potential": np.nan}, "`chemical_potential` must be finite"),
        ({"closure": "classical"}, "`closure` must be"),
        ({"chemical_potential": 1.0, "closure": "sommerfeld"}, 'use closure="exact"'),
        (
            {"chemical_potential": -1.0, "alpha": 1.0, "closure": "sommerfeld"},
            'use closure="exact"',
        ),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        FermiGas(**{"temperature": 1.0, "chemical_potential": 5.0, **arguments})
