"""What the N-demon does beside its numbers: bad input, limits of boldness, digits, slopes."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import examples
from hypothesis import assume, given
from hypothesis import strategies as st
from laws.test_n_demon import LAWS, demons, machine
from papers.test_n_demon import demon

import qtd
from qtd.machines import NDemon
from qtd.scattering import Conductor
from qtd.transmissions import Boxcar

LIMITS = jax.jit(lambda x: machine(x).limits())


@jax.jit
def margin(numbers, boldness):
    return qtd.replace(machine(numbers), {"boldness": boldness}).operate().margin


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"energy_2": 1.0}, "`energy_1` and `energy_2` must differ"),
        ({"energy_4": 2.0}, "cannot serve both leads"),
        ({"width": 0.0}, "`width` must be positive"),
        ({"cold.chemical_potential": 0.5}, "`chemical_potential` must be the same"),
        ({"cold.temperature": -1.0}, "`temperature` must be positive"),
    ],
)
def test_bad_input_names_the_argument(changes, words):
    with pytest.raises(ValueError, match=words):
        qtd.replace(NDemon(), changes)


def frozen_demon():
    """A thousand temperatures from the chemical potential, half as bold as it can be."""
    machine = qtd.replace(
        NDemon(), {"hot.temperature": 1e-3, "cold.temperature": 8e-4, "width": 1e-4}
    )
    return qtd.replace(machine, {"boldness": 0.5 * machine.limits()[0]})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: NDemon(width=0.2).conductor("boxcar"), "`windows` must lie apart"),
        (lambda: NDemon().conductor("gaussian"), "`shape` must be"),
        (lambda: NDemon().least_entropy(1.0), "`heat` must be less than"),
        (lambda: NDemon(boldness=20.0).conductor("lorentzian"), "be less bold"),
        (lambda: NDemon(boldness=20.0).broadened(), "be less bold"),
        (
            lambda: frozen_demon().broadened(),
            "too many temperatures away from the chemical potential",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@LAWS
@given(demons())
def test_the_limit_of_boldness_is_where_an_occupation_meets_0_or_1(numbers):
    boldest, _ = LIMITS(numbers)
    assume(float(margin(numbers, 0.0)) > 1e-3 and float(boldest) < 1e3)
    assert float(margin(numbers, 0.999 * boldest)) > 0 > float(margin(numbers, 1.001 * boldest))
    assert abs(float(margin(numbers, boldest))) < 1e-12


def test_equal_energies_have_limits_too():
    boldest, heat = demon(0.5, 1.5).limits()
    assert np.isinf(float(boldest)) and float(heat) == 0
    assert float(demon(0.5, 1.5 + 1e-9).limits()[1]) == pytest.approx(
        float(demon(0.5, 1.5 + 2e-9).limits()[1]) / 2, rel=1e-6
    )


def test_cop_falls_from_carnot_with_boldness():
    cops = [float(demon(0.5, 1.6, boldness=b).operate().cop) for b in (1e-9, 0.1, 1.0, 3.0, 6.0)]
    assert cops[0] == pytest.approx(1.0, rel=1e-7) and cops == sorted(cops, reverse=True)


def test_leaks_cost_cop():
    machine = demon(0.5, 1.6, width=0.02)
    sound = machine.broadened().conductor
    links = [(*ends, transmission) for ends, transmission in zip(sound.ends, sound.transmissions)]
    leaky = Conductor(sound.reservoirs, [*links, ("hot", "cold", Boxcar(1.3, 1e-4))])
    assert float(qtd.operate(leaky, "cold", "demon").cop) < float(
        qtd.operate(sound, "cold", "demon").cop
    )


def exact(machine):
    """J_c and I_S,l from differences of occupations, with 60 digits."""
    mp.mp.dps = 60

    def number(x):
        return mp.mpf(float(x))

    hot, cold, mu = (
        number(x)
        for x in (machine.hot.temperature, machine.cold.temperature, machine.hot.chemical_potential)
    )
    e = [number(getattr(machine, f"energy_{k}")) for k in (1, 2, 3, 4)]
    f = [1 / (1 + mp.exp((x - mu) / t)) for x, t in zip(e, (hot, hot, cold, cold))]
    a = number(machine.boldness) * (f[2] - f[3])
    r = (e[2] - e[3]) / (e[0] - e[1])
    u = [mp.log(1 / x - 1) for x in (f[0] - r * a, f[1] + r * a, f[2] + a, f[3] - a)]
    scale = number(machine.width) / (2 * mp.pi)
    heat, entropy = -scale * (e[2] - e[3]) * a, -scale * a * (r * (u[0] - u[1]) + u[3] - u[2])
    mp.mp.dps = 15
    return heat, entropy


@pytest.mark.parametrize(
    ("cold", "energy_4", "error"),
    [
        (0.01, 1.502, 1e-13),
        (0.5, 1.500001, 3e-10),
        (0.01, 0.9, 1e-13),
        (0.01, 0.65, 1e-13),
        (0.026, 1.51, 1e-13),
    ],
)
def test_currents_keep_their_digits_where_occupations_nearly_agree(cold, energy_4, error):
    # Trap: by subtraction the first of these is wrong by 3e-3; the second knows the gap of its
    # energies to 2e-10 only; in the fourth f is within 1e-15 of 1.
    machine = demon(cold, energy_4, **({"energy_3": energy_4 - 0.001} if energy_4 < 1 else {}))
    point, (heat, entropy) = machine.operate(), exact(machine)
    assert int(point.status) == 0
    assert abs(float(point.heat_currents["cold"]) / float(heat) - 1) < error
    assert abs(float(point.entropy_current) / float(entropy) - 1) < error
    assert abs(float(point.cop) / float(-heat / entropy) - 1) < error


def test_unphysical_points_spoil_no_gradient():
    slope = jax.jit(jax.grad(lambda b: demon(0.5, 1.6, boldness=b).operate().cop))
    assert np.isnan(float(demon(0.5, 1.6, boldness=20.0).operate().cop)) and np.isfinite(
        float(slope(1.0))
    )


@pytest.mark.parametrize("energy_4", [1.5, 1.5 + 1e-9])
def test_slopes_where_the_cold_resonances_meet(energy_4):
    # Trap: 0/0, and an absolute value with no slope at 0.
    def cop(e):
        return qtd.replace(NDemon(), {"energy_4": e}).operate().cop

    far = [float(cop(1.5 + x)) for x in (-2e-3, -1e-3, 1e-3, 2e-3)]
    assert float(jax.jit(jax.grad(cop))(energy_4)) == pytest.approx(
        (far[0] - 8 * far[1] + 8 * far[2] - far[3]) / 12e-3, abs=1e-6
    )


@pytest.mark.parametrize("shape", ["boxcar", "lorentzian"])
def test_demons_of_finite_width_have_implicit_derivatives(shape):
    @jax.jit
    def heat(x):
        changes = {"cold.temperature": x[0], "energy_4": x[1], "width": x[2], "boldness": x[3]}
        found = qtd.replace(NDemon(), changes).broadened(shape)
        point = qtd.operate(found.conductor, "cold", "demon")
        return jnp.stack(
            [point.heat_currents["cold"], point.entropy_currents["demon"], *found.parameters]
        )

    x, h = jnp.array([0.8, 1.7, 0.02, 0.7]), jnp.array([1e-3, 1e-3, 1e-4, 1e-3])
    wanted = jnp.stack(
        [
            sum(
                w * (heat(x.at[k].add(n * h[k])) - heat(x.at[k].add(-n * h[k]))) / (2 * n)
                for n, w in ((1, 1.5), (2, -0.6), (3, 0.1))
            )
            / h[k]
            for k in range(4)
        ],
        axis=-1,
    )
    found = jax.jit(jax.jacfwd(heat))(x)
    assert (
        float(jnp.max(jnp.abs(found - wanted) / jnp.max(jnp.abs(wanted), axis=1, keepdims=True)))
        < 1e-7
    )
    np.testing.assert_allclose(jax.jit(jax.jacrev(heat))(x), found, rtol=1e-9, atol=1e-12)


OPERATE = jax.jit(lambda x: machine(x).operate())
SLOPES = jax.jit(jax.grad(lambda x: machine(x).operate().cop))


@st.composite
def extreme_demons(draw):
    """Temperatures from 1e-4 to 1e4, resonances within 2 of the chemical potential, near to each
    other or not, as bold as they can be."""

    def number(low, high):
        return draw(st.floats(low, high))

    hot, cold = 10 ** number(-4, 4), 10 ** number(-4, 4)
    energies = [number(-1.0, -0.1), number(0.0, 0.9), number(1.0, 1.9), number(2.0, 2.9)]
    energies = [energies[k] for k in draw(st.permutations(range(4)))]
    near = draw(st.booleans())
    energies[3] = energies[2] + 0.05 * min(1.0, cold * 10 ** number(-2, 2)) if near else energies[3]
    numbers = jnp.array([hot, cold, number(0.0, 2.0), *energies, 0.0, 0.0])
    boldest = float(LIMITS(numbers)[0])
    assume(np.isfinite(boldest) and boldest > 1e-290)
    return numbers.at[7].set(draw(st.sampled_from([1e-6, 0.1, 0.6, 0.95, 1.05])) * boldest)


def exact_cop(numbers):
    """COP and entropy production from the definitions; None where an occupation leaves (0, 1)."""
    hot, cold, mu, *e, boldness, exchange = numbers
    f = [1 / (1 + mp.exp((x - mu) / t)) for x, t in zip(e, (hot, hot, cold, cold))]
    a = boldness * (f[2] - f[3])
    second = ((e[2] - e[3]) * a + (e[0] - e[2]) * exchange) / (e[0] - e[1])
    changes = [exchange - second, second, a - exchange, -a]
    filled = [x + y for x, y in zip(f, changes)]
    if not all(0 < x < 1 for x in filled):
        return None
    entropy = (
        mp.mpf(0.7) / (2 * mp.pi) * sum(x * mp.log((1 - y) / y) for x, y in zip(changes, filled))
    )
    heat = mp.mpf(0.7) / (2 * mp.pi) * ((e[3] - e[2]) * a + (e[2] - mu) * exchange)
    return -heat / (hot * entropy), -entropy - heat * (1 / cold - 1 / hot)


@examples(40)
@given(extreme_demons(), st.integers(0, 7))
def test_demons_between_any_temperatures_are_right_and_so_are_their_slopes(numbers, place):
    # Trap: occupations underflow where their ratios, logits and COP do not; and 1 - f loses all
    # digits.
    given_ones = [float(x) for x in numbers]
    farthest = max(abs(e - given_ones[2]) / min(given_ones[:2]) for e in given_ones[3:7])
    rounding = 1e-12 * (1 + farthest)
    with mp.workdps(60 + int(farthest)):
        known = [mp.mpf(x) for x in given_ones]
        wanted, point = exact_cop(known), OPERATE(numbers)
        assert int(point.status) == (qtd.Status.NO_OCCUPATION if wanted is None else 0)
        assert (float(point.margin) > 0) == (wanted is not None)
        if wanted is None:
            return
        assert abs(float(point.cop) / wanted[0] - 1) < rounding
        assert float(point.entropy_production) >= 0
        if wanted[1] > 1e-290:
            assert abs(float(point.entropy_production) / wanted[1] - 1) < rounding
        assert np.all(np.isfinite(np.asarray(point.logits)))
        step = abs(known[place]) * mp.mpf(10) ** -25
        moved = [
            exact_cop([x + sign * step * (k == place) for k, x in enumerate(known)])[0]
            for sign in (-1, 1)
        ]
        # With the logarithm of that parameter.
        change = (moved[1] - moved[0]) / 2 / mp.mpf(10) ** -25
        found = mp.mpf(float(SLOPES(numbers)[place])) * known[place] * mp.sign(known[place])
        assert abs(found - change) < 3 * rounding * (abs(change) + abs(wanted[0]))


@pytest.mark.parametrize(("cold", "apart"), [(1e-3, 1e-4), (1e-4, 5e-5), (2e-4, 1e-4)])
def test_the_coldest_demons_have_limits_and_a_least_temperature(cold, apart):
    # exp(y_4) - 2 exp(y_3) = 1 at the least temperature of the paper's choice, where both
    # exponentials overflow.
    machine = demon(cold, 1.5 + apart)
    assert int(machine.operate().status) == 0
    assert float(machine.minimum_cold_temperature()) == pytest.approx(
        float(machine.energy_4 - 1.5) / np.log(2), rel=1e-9
    )
    boldest = float(machine.limits()[0])  # f_c(e_4) = boldness [f_c(e_3) - f_c(e_4)]
    assert boldest == pytest.approx(1 / np.expm1(float(machine.energy_4 - 1.5) / cold), rel=1e-9)
    assert (
        int(qtd.replace(machine, {"boldness": 1.001 * boldest}).operate().status)
        == qtd.Status.NO_OCCUPATION
    )


def test_the_least_entropy_is_found_where_it_is_cold():
    machine = demon(1e-3, 1.5001)
    heat = 0.3 * float(machine.limits()[1])
    point = machine.least_entropy(heat).operate()
    assert int(point.status) == 0 and float(point.heat_currents["cold"]) == pytest.approx(
        heat, rel=1e-9
    )
    assert (
        float(machine.least_entropy(heat, closed=True).operate().cop)
        < float(point.cop)
        < float(point.carnot_cop)
    )
