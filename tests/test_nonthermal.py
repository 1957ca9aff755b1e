"""Fillings of least entropy and of most cooling, against brute force, and conditions met by
Newton's method."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import qtd
from qtd.distributions import Thermal
from qtd.nonthermal import Windows, balanced, least_entropy, maximum_cooling
from qtd.scattering import Conductor, currents
from qtd.spectral import WideBand
from qtd.transmissions import Boxcar


def lead(temperature, potential=1.0):
    return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(1.0))


LEADS = {"hot": lead(1.0), "cold": lead(0.6)}
SIX = [
    ("hot", 0.4, 0.1),
    ("hot", 1.1, 0.2),
    ("hot", 2.3, 0.1),
    ("cold", 0.8, 0.1),
    ("cold", 1.5, 0.15),
    ("cold", 1.9, 0.1),
]


def conductor(windows, filling):
    links = [
        ("demon", name, Boxcar(c, w))
        for name, c, w in zip(windows.owners, windows.centers, windows.widths)
    ]
    return Conductor({"demon": filling.reservoir(1.0), **windows.reservoirs}, links)


@pytest.mark.parametrize("closed", [(), ("cold",), ("hot", "cold")])
@pytest.mark.parametrize("bins", [1, 5])
def test_bins_are_exact_and_the_conditions_are_met(closed, bins):
    windows = Windows(LEADS, SIX, bins)
    heat = 0.4 * float(maximum_cooling(windows, "cold", closed).heat_currents["cold"])
    found = least_entropy(windows, "cold", heat, closed)
    flows = currents(conductor(windows, found))
    assert float(found.heat_currents["cold"]) == pytest.approx(heat, rel=1e-12)
    for name in ("hot", "cold"):
        assert float(flows.heat_currents[name]) == pytest.approx(
            float(found.heat_currents[name]), rel=1e-11
        )
        assert float(flows.particle_currents[name]) == pytest.approx(
            float(found.particle_currents[name]), abs=1e-14
        )
    assert float(flows.entropy_currents["demon"]) == pytest.approx(
        float(found.entropy_current), rel=1e-11
    )
    assert float(flows.entropy_production) == pytest.approx(
        float(found.entropy_production), rel=1e-11
    )
    for name in closed:
        assert abs(float(flows.particle_currents[name])) < 1e-15
    assert (
        abs(float(flows.energy_currents["demon"])) < 1e-15
        and abs(float(flows.particle_currents["demon"])) < 1e-15
    )


def exact(windows, x):
    """Entropy into the demon and residuals of the conditions, for narrow windows."""
    e, w = np.asarray(windows.centers), np.asarray(windows.widths) / (2 * np.pi)
    f = 1 / (
        1 + np.exp((e - 1) / np.array([1.0 if name == "hot" else 0.6 for name in windows.owners]))
    )
    cold = np.array([name == "cold" for name in windows.owners])
    return -(w * (x - f) * np.log(1 / x - 1)).sum(), [
        (w * (x - f)).sum(),
        (w * e * (x - f)).sum(),
        -(w * cold * (e - 1) * (x - f)).sum(),
    ]


def test_no_other_filling_that_an_optimiser_finds_costs_less_entropy():
    windows = Windows(LEADS, SIX, narrow=True)
    heat = 0.3 * float(maximum_cooling(windows, "cold").heat_currents["cold"])
    found = least_entropy(windows, "cold", heat)
    limits = [
        {
            "type": "eq",
            "fun": lambda x: np.array(exact(windows, x)[1]) * 1e3 - np.array([0, 0, heat * 1e3]),
        }
    ]
    start = 1 / (1 + np.exp((np.asarray(windows.centers) - 1) / 0.8))
    other = minimize(
        lambda x: exact(windows, x)[0] * 1e3,
        start,
        bounds=[(1e-6, 1 - 1e-6)] * 6,
        constraints=limits,
        tol=1e-14,
    )
    assert other.success and -float(found.entropy_current) == pytest.approx(
        other.fun / 1e3, rel=1e-7
    )
    np.testing.assert_allclose(found.occupations, other.x, atol=1e-4)


def test_maximum_cooling_is_the_best_corner():
    windows = Windows(LEADS, SIX[:2] + SIX[3:5], narrow=True)
    best = -np.inf
    # Two conditions leave two of four occupations inside; the others are 0 or 1.
    e, w = np.asarray(windows.centers), np.asarray(windows.widths)
    f = 1 / (1 + np.exp((e - 1) / np.array([1.0, 1.0, 0.6, 0.6])))
    for inside in [(i, j) for i in range(4) for j in range(i)]:
        for ends in product((0.0, 1.0), repeat=2):
            x = np.zeros(4)
            outside = [k for k in range(4) if k not in inside]
            x[outside] = ends
            rows = np.stack([w, w * e])
            x[list(inside)] = np.linalg.solve(
                rows[:, list(inside)], rows @ f - rows[:, outside] @ ends
            )
            if np.all((x > -1e-12) & (x < 1 + 1e-12)):
                best = max(best, (w * (e - 1) * (f - x))[2:].sum() / (2 * np.pi))
    found = maximum_cooling(windows, "cold")
    assert float(found.heat_currents["cold"]) == pytest.approx(best, rel=1e-9)
    wide = Windows(LEADS, SIX[:2] + SIX[3:5])
    filled = maximum_cooling(wide, "cold")
    # Bins that are full or empty are legal, and cost entropy without limit.
    flows = currents(conductor(wide, filled))
    assert float(flows.heat_currents["cold"]) == pytest.approx(
        float(filled.heat_currents["cold"]), rel=1e-9
    )
    assert float(flows.entropy_currents["demon"]) == -np.inf


def test_at_the_optimum_every_bin_satisfies_the_stationarity_condition():
    windows = Windows(LEADS, SIX, narrow=True)
    found = least_entropy(windows, "cold", 1e-3, ("cold",))
    x, e = np.asarray(found.occupations), np.asarray(windows.centers)
    cold = np.array([name == "cold" for name in windows.owners])
    f = 1 / (1 + np.exp((e - 1) / np.where(cold, 0.6, 1.0)))
    u = np.log(1 / x - 1)
    left = u + f * (1 + np.exp(u)) - (1 - f) * (1 + np.exp(-u))
    basis = np.stack([np.ones(6), e, cold, cold * (e - 1)], axis=1)
    residual = left - basis @ np.linalg.lstsq(basis, left, rcond=None)[0]
    assert np.abs(residual).max() < 1e-11 * np.abs(left).max()


def entropy(x):
    windows = Windows(
        {"hot": lead(x[0]), "cold": lead(x[1])},
        [("hot", 0.4, 0.1), ("hot", x[2], x[3]), ("cold", 1.5, 0.1), ("cold", x[4], 0.1)],
    )
    return least_entropy(windows, "cold", x[5]).entropy_current


def test_derivatives_are_implicit_to_second_order():
    x = jnp.array([1.0, 0.6, 1.1, 0.1, 1.9, 4e-4])
    h = jnp.array([1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-6])
    value, slope = jax.jit(entropy), jax.jit(jax.grad(entropy))

    def move(k, n):
        return x.at[k].add(n * h[k])

    wanted = [
        sum(
            w * (value(move(k, n)) - value(move(k, -n))) / (2 * n)
            for n, w in ((1, 1.5), (2, -0.6), (3, 0.1))
        )
        / h[k]
        for k in range(6)
    ]
    np.testing.assert_allclose(
        slope(x) * x, np.asarray(wanted) * x, atol=1e-7 * float(jnp.max(jnp.abs(slope(x) * x)))
    )
    hessian = jax.jit(jax.jacfwd(jax.grad(entropy)))(x)
    second = (slope(move(1, 1)) - slope(move(1, -1))) / (2 * h[1])
    np.testing.assert_allclose(
        hessian[:, 1], second, rtol=1e-5, atol=1e-6 * float(jnp.abs(second).max())
    )


def test_more_heat_than_there_is_fails_alone_in_a_batch():
    base = jnp.array([1.0, 0.6, 1.1, 0.1, 1.9, 4e-4])
    found = jax.jit(jax.vmap(entropy))(jnp.stack([base, base.at[5].set(1.0)]))
    assert np.isfinite(np.asarray(found)).tolist() == [True, False]
    np.testing.assert_allclose(found[0], entropy(base), rtol=1e-12)


def test_least_entropy_reaches_from_reversible_to_the_most_that_is_possible():
    windows = Windows(LEADS, SIX, narrow=True)
    most = float(maximum_cooling(windows, "cold").heat_currents["cold"])
    assert not np.isfinite(float(maximum_cooling(windows, "cold").entropy_current))
    shares = np.array([1e-6, 0.01, 0.1, 0.5, 0.9, 0.99, 0.9999])
    found = [least_entropy(windows, "cold", share * most) for share in shares]
    cops = [share * most / -float(x.entropy_current) for share, x in zip(shares, found)]
    assert cops == sorted(cops, reverse=True) and cops[0] == pytest.approx(0.6 / 0.4, rel=1e-4)
    assert all(
        float(jnp.min(x.occupations)) > 0 and float(jnp.max(x.occupations)) < 1 for x in found
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Windows(LEADS, [("hot", 1.0, 0.3), ("cold", 1.2, 0.3)]), "must lie apart"),
        (lambda: Windows(LEADS, [("warm", 1.0, 0.3)]), "`windows` name 'warm'"),
        (lambda: Windows(LEADS, [("hot", 1.0, -0.3)]), "`width` must be positive"),
        (lambda: Windows(LEADS, SIX, bins=2, narrow=True), "`bins` must be"),
        (
            lambda: Windows({"hot": qtd.NonthermalReservoir(Thermal(1.0))}, [("hot", 1.0, 0.3)]),
            "must be thermal",
        ),
        (
            lambda: least_entropy(Windows(LEADS, SIX), "warm", 1e-4),
            "`cooled` and `closed` name 'warm'",
        ),
        (lambda: least_entropy(Windows(LEADS, SIX), "cold", 1.0), "`heat` must be less"),
        (
            lambda: balanced(
                lambda x, _: Conductor(LEADS, [("hot", "cold", Boxcar(x[0], 0.1))]),
                [1.0],
                isolated="demon",
            ),
            "name 'demon'",
        ),
        (
            lambda: balanced(
                lambda x, _: Conductor(LEADS, [("hot", "cold", Boxcar(x[0], 0.1))]),
                [1.0],
                isolated="hot",
            ),
            "each of 2 conditions",
        ),
    ],
)
def test_bad_input_names_the_argument(call, words):
    with pytest.raises(ValueError, match=words):
        call()
