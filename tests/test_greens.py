"""Green functions of Kerr-coupled modes: against direct sums, laws, invariances, derivatives, and
bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.greens import KerrModes, solve
from qtd.spectral import Lorentzian, Resonator

PAIR = {"hot": 0, "sink": 0, "cold": 1}
# energies, shift; temperatures, widths and centres of hot, sink, cold; strength, cut-off.
BROAD = jnp.array([2.0, 2.1, 0.1, 2.0, 1.0, 0.8, 0.3, 0.25, 0.35, 1.3, 2.9, 2.4, 0.2, 8.0])


def boson(temperature, center, width, strength=0.1, cutoff=8.0):
    return qtd.Reservoir(temperature, spectral_density=Resonator(center, width, strength, cutoff))


def pair(numbers=BROAD):
    """Two modes; `numbers` as in BROAD."""
    made = [boson(*(numbers[k + i] for k in (3, 9, 6)), numbers[12], numbers[13]) for i in range(3)]
    shifts = numbers[2] * jnp.array([[0.0, 1.0], [1.0, 0.0]], numbers.dtype)
    return KerrModes(numbers[:2], shifts, PAIR, dict(zip(PAIR, made)))


def three_modes(same=None):
    """Three modes in a triangle, one of them between three reservoirs."""
    temperatures = [same] * 5 if same else [2.0, 1.0, 0.7, 1.4, 0.9]
    made = {
        name: boson(t, c, w)
        for name, t, c, w in zip(
            "abcde", temperatures, (1.5, 2.5, 2.0, 2.2, 1.8), (0.3, 0.2, 0.25, 0.3, 0.2)
        )
    }
    shifts = [[0.0, 0.1, -0.05], [0.1, 0.0, 0.08], [-0.05, 0.08, 0.0]]
    return KerrModes([1.8, 2.0, 2.3], shifts, {"a": 0, "b": 0, "c": 0, "d": 1, "e": 2}, made)


def by_direct_sums(modes, points, retarded="causal"):
    """Occupations and heat currents by sums over all pairs of points in NumPy, no transform:
    another route through the same formulas."""
    cutoff = float(modes.cutoff)
    step = cutoff / points
    w = (np.arange(points) + 0.5) * step
    size = len(modes.energies)
    energies, shifts = np.asarray(modes.energies), np.asarray(modes.shifts)
    density = {}
    occupation = {}
    real = {}
    for name, reservoir in modes.reservoirs.items():
        k = reservoir.spectral_density
        center, width, strength = (float(x) for x in (k.center, k.width, k.strength))
        density[name] = strength * width * w / ((w - center) ** 2 + (width * w) ** 2)
        occupation[name] = 1 / np.expm1(w / float(reservoir.temperature))
        z = center / (1 - 1j * width)
        logs = np.log(cutoff - z) - np.log(-z) + np.log(w / (cutoff - w))
        real[name] = strength / (2 * np.pi) * (logs / ((1 - 1j * width) * (w - z))).imag

    def of(values):
        return np.array([sum(values[name] for name in modes.at(j)) for j in range(size)])

    damping = of(density) * (1.0 if retarded == "paper" else 0.5)
    level_shift = of(real) * (retarded == "causal")
    lesser = of({name: density[name] * occupation[name] for name in density})
    n = np.zeros(size)
    for _ in range(200):
        square = 1 / ((w - (energies + shifts @ n)[:, None] - level_shift) ** 2 + damping**2)
        n = step / (2 * np.pi) * (square * lesser).sum(1)
    less, more = square * lesser, square * (lesser + of(density))
    heat = {}
    for name, mode in modes.couplings:
        up, down = np.zeros(points), np.zeros(points)
        for k in range(size):
            # At -(points-1) ... points-1.
            bubble = np.correlate(more[k], less[k], "full") * step / (2 * np.pi)
            weight = shifts[mode, k] ** 2 * step / (2 * np.pi)
            up += weight * np.convolve(more[mode], bubble)[points - 1 : 2 * points - 1]
            down += weight * np.convolve(less[mode], bubble[::-1])[points - 1 : 2 * points - 1]
        others = sum(
            density[other] * (occupation[name] - occupation[other]) for other in modes.at(mode)
        )
        inner = others + up * occupation[name] - down * (1 + occupation[name])
        heat[name] = step / (2 * np.pi) * (w * square[mode] * density[name] * inner).sum()
    return n, heat


@pytest.mark.parametrize("retarded", ["causal", "local", "paper"])
@pytest.mark.parametrize("make", [pair, three_modes])
def test_occupations_and_currents_are_those_of_direct_sums(make, retarded):
    modes = make()
    found = solve(modes, retarded, 1024)
    (n, heat), (n_coarse, heat_coarse) = (
        by_direct_sums(modes, points, retarded) for points in (1024, 512)
    )
    np.testing.assert_allclose(found.occupations, n + (n - n_coarse) / 3, rtol=1e-13)
    scale = max(map(abs, heat.values()))
    for name in heat:
        wanted = heat[name] + (heat[name] - heat_coarse[name]) / 3
        assert abs(float(found.heat_currents[name]) - wanted) < 1e-12 * scale


@pytest.mark.parametrize("retarded", ["causal", "local", "paper"])
def test_energy_and_the_photons_of_each_mode_are_conserved(retarded):
    modes = three_modes()
    state = solve(modes, retarded)
    scale = max(abs(float(x)) for x in state.heat_currents.values())
    assert abs(float(sum(state.heat_currents.values()))) < 1e-12 * scale
    for mode in range(3):
        assert (
            abs(float(sum(state.photon_currents[name] for name in modes.at(mode)))) < 1e-12 * scale
        )
    # None of them for want of a current.
    assert min(abs(float(x)) for x in state.heat_currents.values()) > 1e-7


@pytest.mark.parametrize(
    "make", [lambda: pair(BROAD.at[3:6].set(1.1)), lambda: three_modes(same=1.1)]
)
@pytest.mark.parametrize("retarded", ["causal", "local", "paper"])
def test_equal_temperatures_give_no_currents(make, retarded):
    state = solve(make(), retarded)
    assert (
        max(abs(float(x)) for x in (*state.heat_currents.values(), *state.photon_currents.values()))
        < 1e-17
    )


def test_a_mode_alone_has_the_landauer_current():
    modes = KerrModes(
        [2.0],
        [[0.0]],
        {"left": 0, "right": 0},
        {"left": boson(2.0, 1.8, 0.3), "right": boson(0.5, 2.2, 0.2)},
    )
    state = solve(modes)
    w = np.linspace(0, 8, 400_001)[1:-1]
    rates = {
        name: [np.asarray(x) for x in r.rates(jnp.asarray(w))]
        for name, r in modes.reservoirs.items()
    }
    strengths = {name: down - up for name, (up, down) in rates.items()}
    shift = sum(np.asarray(modes.density(name).level_shift(jnp.asarray(w))) for name in rates)
    square = 1 / ((w - 2.0 - shift) ** 2 + sum(strengths.values()) ** 2 / 4)
    integrand = w * square * strengths["left"] * strengths["right"]
    integrand *= 1 / np.expm1(w / 2.0) - 1 / np.expm1(w / 0.5)
    wanted = np.trapezoid(integrand, w) / (2 * np.pi)
    assert float(state.heat_currents["left"]) == pytest.approx(wanted, rel=1e-9)
    np.testing.assert_allclose([state.sum_rules[0], state.xc_ratios[0]], [1, 0], atol=1e-9)


def test_units_may_be_changed():
    # Energies and temperatures times s, strengths times s^2: currents times s^2; widths have no
    # unit.
    scales = jnp.array([1.0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 2, 1])
    one, other = solve(pair()), solve(pair(BROAD * 3.0**scales))
    np.testing.assert_allclose(other.occupations, one.occupations, rtol=1e-12)
    for name in PAIR:
        assert float(other.heat_currents[name]) == pytest.approx(
            9 * float(one.heat_currents[name]), rel=1e-11
        )


def test_the_current_is_of_second_order_in_the_shift_without_its_mean_field():
    small = [
        float(solve(pair(BROAD.at[2].set(shift))).heat_currents["cold"]) / shift**2
        for shift in (1e-4, 2e-4)
    ]
    assert small[0] == pytest.approx(small[1], rel=1e-3) and small[0] != small[1]


def test_occupations_with_correlation_change_the_current_little_where_the_theory_holds():
    made = [
        boson(t, c, w, 2.0, 7.0)
        for t, c, w in ((1.168, 2.0, 0.02), (1.0, 2.2, 0.02), (1.0, 2.2, 0.02))
    ]
    modes = KerrModes([2.0, 2.0], [[0.0, 0.2], [0.2, 0.0]], PAIR, dict(zip(PAIR, made)))
    one, other = (
        float(solve(modes, "local", 8192, kind).heat_currents["cold"])
        for kind in ("mean-field", "correlated")
    )
    assert one == pytest.approx(4.83e-8, rel=1e-3) and 1e-5 < abs(other / one - 1) < 1e-2


@pytest.mark.parametrize("retarded", ["causal", "local"])
def test_slopes_agree_with_differences_in_every_parameter(retarded):
    current = jax.jit(lambda numbers: solve(pair(numbers), retarded, 2048).heat_currents["cold"])
    steps = 4e-4 * np.asarray(BROAD)

    def at(k, n):
        return float(current(BROAD.at[k].add(n * steps[k])))

    wanted = np.array(
        [
            sum(
                weight * (at(k, n) - at(k, -n)) / (2 * n)
                for n, weight in ((1, 1.5), (2, -0.6), (3, 0.1))
            )
            / steps[k]
            for k in range(len(BROAD))
        ]
    )
    found = np.asarray(jax.jit(jax.grad(current))(BROAD))
    sizes = np.asarray(BROAD)
    assert np.abs((found - wanted) * sizes).max() < 1e-6 * np.abs(wanted * sizes).max()
    assert np.all(np.abs(found - wanted) < 1e-6 * np.abs(wanted) + 1e-11)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(current))(BROAD), found, rtol=1e-7)


@pytest.mark.deep
@pytest.mark.quick
def test_second_derivatives_see_the_occupations_move():
    numbers = BROAD.at[2].set(0.5)

    def current(x):
        return solve(pair(numbers.at[3].set(x)), "causal", 512).heat_currents["cold"]

    slope = jax.jit(jax.grad(current))
    wanted = (slope(2.0 + 1e-4) - slope(2.0 - 1e-4)) / 2e-4
    assert float(jax.jit(jax.grad(jax.grad(current)))(2.0)) == pytest.approx(
        float(wanted), rel=1e-6
    )


def test_a_batch_agrees_with_single_points_and_one_bad_point_spoils_no_other():
    batch = jnp.stack([BROAD, BROAD.at[3].set(-1.0), BROAD.at[12].set(20.0), BROAD.at[2].set(0.05)])
    states = jax.jit(
        lambda x: jax.lax.map(lambda numbers: solve(pair(numbers), points=1024), x, batch_size=2)
    )(batch)
    assert states.status.tolist()[1:3] == [qtd.Status.INVALID_PARAMETER, qtd.Status.UNSTABLE]
    cold = np.asarray(states.heat_currents["cold"])
    assert np.all(np.isnan(cold[1:3])) and np.all(np.isfinite(cold[[0, 3]]))
    for k in (0, 3):
        assert cold[k] == pytest.approx(
            float(solve(pair(batch[k]), points=1024).heat_currents["cold"]), rel=1e-11
        )


def test_float32_stays_float32():
    state = solve(pair(BROAD.astype(jnp.float32)), "local", 1024)
    wanted = solve(pair(), "local", 1024)
    assert (
        state.heat_currents["hot"].dtype == jnp.float32 and state.occupations.dtype == jnp.float32
    )
    assert float(state.heat_currents["hot"]) == pytest.approx(
        float(wanted.heat_currents["hot"]), rel=1e-4
    )


def test_a_bubble_that_is_not_small_is_flagged_and_kept():
    state = solve(pair(BROAD.at[2].set(0.6).at[12].set(0.02)))
    assert int(state.status) == qtd.Status.STRONG_CORRELATION and float(state.xc_ratios.max()) > 0.1
    assert np.isfinite(float(state.heat_currents["cold"]))
    weak = solve(pair(BROAD.at[2].set(0.01)))
    assert int(weak.status) == 0 and float(weak.xc_ratios.max()) < 0.1


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (BROAD.at[12].set(20.0), "unstable"),  # a pole at negative energies
        (BROAD.at[1].set(7.99), "into the band"),  # a level at its edge: the sum rule fails
        # Lines that both grids miss, in the same way or not, are no instability: the margin of
        # these devices is positive.
        (BROAD.at[12].set(1e-5), "does not resolve"),
        (BROAD.at[12].set(1e-8), "does not resolve"),
        (BROAD.at[6].set(1e-5), "does not resolve"),
    ],
)
def test_what_has_no_answer_is_refused(numbers, words):
    with pytest.raises(ValueError, match=words):
        solve(pair(numbers))


@pytest.mark.parametrize("retarded", ["causal", "local", "paper"])
def test_a_grid_says_what_it_does_not_resolve_and_how_wrong_it_may_be(retarded):
    """Whatever the retarded function: where there are numbers, their error is within `grid_errors`,
    or at their rounding."""
    run = jax.jit(lambda numbers, points: solve(pair(numbers), retarded, points), static_argnums=1)
    narrow, found = BROAD.at[12].set(0.1), 0
    exact = run(narrow, 16384).heat_currents
    for points in (64, 128, 256, 512, 1024):
        state = run(narrow, points)
        if int(state.status) in (0, qtd.Status.STRONG_CORRELATION):
            found += 1
            for name, heat in state.heat_currents.items():
                assert abs(float(heat - exact[name])) <= float(
                    state.grid_errors[name]
                ) + 1e-9 * abs(float(exact[name]))
        else:
            assert int(state.status) == qtd.Status.UNRESOLVED
    assert 0 < found < 5


def test_correlated_occupations_are_those_that_shift_the_levels():
    modes = pair()
    state = solve(modes, "causal", 2048, "correlated")
    static = sum(modes.density(name).level_shift(jnp.zeros(())) for name in modes.at(1))
    margin = modes.energies[1] + modes.shifts[1, 0] * state.occupations[0] + static
    assert float(state.stability_margins[1]) == pytest.approx(float(margin), rel=1e-12)
    assert float(state.occupations[0]) != pytest.approx(
        float(solve(modes, "causal", 2048).occupations[0]), rel=1e-6
    )


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: solve(pair(), "advanced"), "`retarded` must be"),
        (lambda: solve(pair(), points=1001), "`points` must be an even"),
        (lambda: solve(pair(), occupations="all"), "`occupations` must be"),
        (
            lambda: KerrModes([1.0, 2.0], [[0.0]], PAIR, pair().reservoirs),
            "`shifts` must be a modes x modes",
        ),
        (
            lambda: KerrModes([1.0, 2.0], [[0.0, 1.0], [0.5, 0.0]], PAIR, pair().reservoirs),
            "symmetric",
        ),
        (
            lambda: KerrModes([1.0, 2.0], [[0.1, 1.0], [1.0, 0.0]], PAIR, pair().reservoirs),
            "zero on its diagonal",
        ),
        (
            lambda: KerrModes(
                [1.0, 2.0], [[0.0, 1.0], [1.0, 0.0]], dict.fromkeys(PAIR, 0), pair().reservoirs
            ),
            "every mode",
        ),
        (lambda: KerrModes([1.0], [[0.0]], {"a": 0}, pair().reservoirs), "same names"),
        (
            lambda: KerrModes([1.0], [[0.0]], {"a": 0}, {"a": boson(1.0, -2.0, 0.1)}),
            "center` must be positive",
        ),
        (
            lambda: KerrModes([1.0], [[0.0]], {"a": 0}, {"a": boson(1.0, 2.0, 0.1, 0.0)}),
            "`strength` is 0 in every reservoir of mode 0",
        ),
        (
            lambda: KerrModes(
                [1.0],
                [[0.0]],
                {"a": 0, "b": 0},
                {"a": boson(1.0, 2.0, 0.1), "b": boson(1.0, 2.0, 0.1, 1.0, 9.0)},
            ),
            "`cutoff`",
        ),
        (
            lambda: KerrModes(
                [1.0],
                [[0.0]],
                {"a": 0},
                {"a": qtd.Reservoir(1.0, spectral_density=Lorentzian(1.0, 0.1))},
            ),
            "`Resonator` density",
        ),
        (
            lambda: KerrModes(
                [1.0],
                [[0.0]],
                {"a": 0},
                {"a": qtd.replace(boson(1.0, 2.0, 0.1), {"chemical_potential": -0.1})},
            ),
            "`chemical_potential` must be 0",
        ),
    ],
)
def test_bad_input_names_the_argument(build, words):
    with pytest.raises(ValueError, match=words):
        build()
