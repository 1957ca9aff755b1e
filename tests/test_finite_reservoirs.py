"""What finite reservoirs do beside their numbers: bad input, validity, rest, derivatives."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from machines import FINITE, finite

import qtd
from qtd._numerics import trajectories
from qtd.gases import FermiGas
from qtd.machines import FiniteReservoirs


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rates": -np.ones((2, 2))}, "`rates` must not be negative"),
        ({"rates": np.ones((3, 2))}, "`rates` must have the shape"),
        ({"energies": [1.0, np.inf]}, "`energies` must be finite"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        FiniteReservoirs(**arguments)


def test_bad_questions_are_named():
    machine = FiniteReservoirs()
    for ask, words in (
        (lambda: machine.evolve(jnp.array([-1.0])), "`times` must not be negative"),
        (lambda: machine.evolve([]), "`times` must be a list of times, at least one"),
        (lambda: machine.evolve(jnp.array([1.0]), occupations=jnp.zeros(2)), "`occupations`"),
        (lambda: machine.minimum_temperature(2), "`reservoir` must be below 2"),
        (lambda: machine.crossing_times((0, 0)), "`pair` must name two"),
        (lambda: machine.crossing_times(of="mu"), "`of` must be"),
        (
            lambda: FiniteReservoirs.from_hamiltonian(
                [[1.0, 1.0], [0.0, 1.0]], np.ones((2, 2)), machine.gases
            ),
            "Hermitian",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            ask()


def test_what_is_beyond_the_models_validity_is_said():
    warm = FermiGas(jnp.array([1.0, 1.0]), jnp.array([8.0, 20.0]), closure="sommerfeld")
    assert int(FiniteReservoirs(gases=warm).operate().status) == qtd.Status.NOT_DEGENERATE
    assert (
        int(FiniteReservoirs(jnp.array([-0.5, 2.0]), np.ones((2, 2))).operate().status)
        == qtd.Status.BELOW_BAND
    )
    assert all(law.holds for law in FiniteReservoirs().operate().laws())


def test_a_trajectory_that_runs_into_the_singular_point_ends_there():
    """The trap: Sommerfeld's heat capacity vanishes at mu / T = 1.1107; the exact gas goes on."""
    gases = FermiGas(jnp.array([0.6, 1.0]), jnp.array([6.8, 2.0]), closure="sommerfeld")
    machine = FiniteReservoirs(jnp.array([7.1, 7.5]), jnp.ones((2, 2)), gases)
    found = machine.evolve(jnp.array([1.0, 1.4, 1.5, 3.0]))
    assert (
        float(found.last) == pytest.approx(1.4207, abs=1e-4)
        and int(found.status) == qtd.Status.SINGULAR
    )
    assert np.isfinite(found.temperatures[:2]).all() and np.isnan(found.temperatures[2:]).all()
    exact = eqx.tree_at(
        lambda m: m.gases, machine, FermiGas(gases.temperature, gases.chemical_potential)
    )
    assert np.isfinite(exact.evolve(jnp.array([3.0])).temperatures).all()


def test_modes_come_from_a_hamiltonian():
    gases = FermiGas(jnp.array([0.6, 1.0]), jnp.array([20.8, 16.0]))
    machine = FiniteReservoirs.from_hamiltonian(
        [[21.3, 0.2], [0.2, 21.3]], [[0.1, 0.0], [0.0, 0.3]], gases
    )
    np.testing.assert_allclose(np.sort(machine.energies), [21.1, 21.5], rtol=1e-14)
    np.testing.assert_allclose(machine.rates, [[0.05, 0.05], [0.15, 0.15]], rtol=1e-13)
    assert jax.tree.structure(machine) == jax.tree.structure(
        FiniteReservoirs(machine.energies, machine.rates, gases)
    )


def test_equal_potentials_between_the_mode_and_h_cool_the_cold_one_although_it_gains_heat():
    """Who cools is decided by J - h P, not by Y."""
    machine = FiniteReservoirs(
        jnp.array([10.01]),
        jnp.ones((2, 1)),
        FermiGas(jnp.array([0.5, 1.0]), jnp.array([10.0, 10.0])),
    )
    assert float(machine.gases.properties().energy_per_particle[0]) > 10.01
    found = machine.operate()
    assert float(found.heat[0]) < 0 and float(found.temperature_rates[0]) < 0


def test_equilibration_ends_when_its_share_of_the_entropy_is_left():
    machine = FiniteReservoirs(
        gases=FermiGas(jnp.array([0.6, 1.0]), jnp.array([20.8, 16.0]), closure="sommerfeld")
    )
    rest = machine.equilibrium()
    times = [float(machine.equilibration_time(share)) for share in (0.5, 0.01)]
    entropy = machine.evolve(jnp.array([0.0, *times])).entropy
    end = machine.gases.at(rest.temperature, rest.chemical_potential).properties().entropy.sum()
    np.testing.assert_allclose((end - entropy[1:]) / (end - entropy[0]), [0.5, 0.01], rtol=1e-8)


def test_equilibration_takes_no_time_at_rest_and_for_ever_where_reservoirs_stop_before():
    same = FermiGas(jnp.array([1.0, 1.0]), jnp.array([20.0, 20.0]), closure="sommerfeld")
    assert float(FiniteReservoirs(gases=same).equilibration_time()) == 0
    apart = FermiGas(jnp.array([0.6, 1.0]), jnp.array([20.8, 16.0]), closure="sommerfeld")
    assert (
        float(FiniteReservoirs(jnp.array([21.1]), jnp.ones((2, 1)), apart).equilibration_time())
        == np.inf
    )
    with pytest.raises(ValueError, match="`share` must be between 0 and 1"):
        FiniteReservoirs(gases=apart).equilibration_time(1.0)


def test_reservoirs_of_other_dimensions_and_classical_ones_find_their_equilibrium():
    gases = FermiGas(
        jnp.array([0.5, 1.0, 2.0]),
        jnp.array([-1.0, 4.0, 0.5]),
        jnp.array([1.0, 0.3, 0.1]),
        jnp.array([0.5, 1.5, 3.0]),
    )
    machine = FiniteReservoirs(jnp.array([1.0, 3.0]), jnp.ones((3, 2)), gases)
    rest = machine.equilibrium()
    found = machine.evolve(jnp.array([1.0, 1e3]))
    np.testing.assert_allclose(found.temperatures[1], float(rest.temperature), rtol=1e-7)
    np.testing.assert_allclose(
        found.chemical_potentials[1], float(rest.chemical_potential), rtol=1e-7, atol=1e-7
    )
    assert np.all(found.drift < 1e-9) and int(rest.status) == 0


def at_rest(vector):
    found = finite(vector).equilibrium()
    return jnp.stack([found.temperature, found.chemical_potential])


def test_the_equilibrium_has_derivatives_in_both_modes():
    function = jax.jit(at_rest)
    vector = jnp.asarray(FINITE[0])
    step = 1e-5

    def moved(k, sign):
        return np.asarray(function(vector.at[k].add(sign * step)))

    columns = [(moved(k, 1) - moved(k, -1)) / (2 * step) for k in range(len(vector))]
    expected = np.stack(columns, axis=1)
    scale = 1e-6 * np.abs(expected).max(1, keepdims=True)
    for slopes in (jax.jit(jax.jacrev(at_rest))(vector), jax.jit(jax.jacfwd(at_rest))(vector)):
        assert np.all(np.abs(slopes - expected) < scale)


def filled(temperature):
    """The full model, stiff, after a while."""
    gases = FermiGas(
        jnp.stack([temperature, jnp.ones_like(temperature)]),
        jnp.array([20.8, 16.0]),
        10.0,
        closure="sommerfeld",
    )
    rates = 10 * jnp.sqrt(jnp.array([[21.1, 21.5]] * 2))
    found = FiniteReservoirs(jnp.array([21.1, 21.5]), rates, gases).evolve(
        jnp.array([2.0]), full=True, occupations=jnp.full(2, 0.1)
    )
    return jnp.concatenate([found.temperatures[0], found.occupations[0]])


def test_the_full_model_has_derivatives_without_lapack():
    function, slopes = jax.jit(filled), jax.jit(jax.jacrev(filled))
    difference = (function(0.6 + 1e-5) - function(0.6 - 1e-5)) / 2e-5
    np.testing.assert_allclose(slopes(0.6), difference, rtol=1e-6)
    assert "lapack" not in slopes.lower(0.6).as_text().lower()


@pytest.mark.parametrize("closure", ["exact", "sommerfeld"])
def test_flows_have_derivatives_where_reservoirs_are_equal(closure):
    def equal(t):
        return (
            FiniteReservoirs(
                gases=FermiGas(jnp.stack([t, jnp.ones_like(t)]), 20.0, closure=closure)
            )
            .operate()
            .heat[0]
        )

    slope = jax.jit(jax.grad(equal))(jnp.asarray(1.0))
    difference = (equal(1.0 + 1e-5) - equal(1.0 - 1e-5)) / 2e-5
    assert float(slope) == pytest.approx(float(difference), rel=1e-8)


# Slow manifolds: two modes at nearly one energy equalise almost all at once, and the rest in a time
# that grows as 1 / splitting^2.

SPLITTINGS = (0.4, 0.1, 0.01, 1e-3)


def split(splitting, **gases):
    known = {
        "temperature": [0.6, 1.0],
        "chemical_potential": [20.8, 16.0],
        "closure": "sommerfeld",
    } | gases
    return FiniteReservoirs(
        21.1 + jnp.stack([0.0, splitting]), jnp.full((2, 2), 4.6), FermiGas(**known)
    )


class Slow(NamedTuple):
    times: Any
    rates: Any
    hot: Any
    cold: Any


@jax.jit
def slow(splitting):
    machine = split(splitting)
    times = jnp.stack([machine.equilibration_time(share) for share in (1e-4, 1e-6)])
    return Slow(
        times,
        machine.relaxation_rates(),
        machine.minimum_temperature(1),
        machine.minimum_temperature(0),
    )


@pytest.fixture(scope="module")
def slowly():
    return {splitting: slow(splitting) for splitting in SPLITTINGS}


@pytest.mark.parametrize("splitting", SPLITTINGS)
def test_the_end_of_equilibration_has_the_slowest_rate(slowly, splitting):
    """Entropy is quadratic in deviations, which decay as exp(-rate t): a closed form for the time
    between two shares."""
    found = slowly[splitting]
    expected = np.log(1e-4 / 1e-6) / (2 * float(found.rates[2]))
    # A deviation of a hundredth, of which the first share is the square, changes the rate by about
    # as much.
    assert float(found.times[1] - found.times[0]) == pytest.approx(expected, rel=0.02)
    assert float(found.times[1]) > expected


@pytest.mark.parametrize("splitting", SPLITTINGS)
def test_what_rounding_makes_on_the_way_is_no_minimum(slowly, splitting):
    """The hot reservoir is heated, and cools again to the end, above where it began; the cold one
    has its minimum at the start of all."""
    hot, cold = slowly[splitting].hot, slowly[splitting].cold
    assert (float(hot.time), float(hot.temperature), bool(hot.interior), int(hot.status)) == (
        0,
        1,
        False,
        0,
    )
    assert (
        bool(cold.interior) and 8 < float(cold.time) < 30 and 0.355 < float(cold.temperature) < 0.37
    )


def test_the_slowest_equilibration_has_a_derivative():
    time = jax.jit(lambda splitting: split(splitting).equilibration_time())
    slope = jax.jit(jax.grad(lambda splitting: split(splitting).equilibration_time()))(0.01)
    assert float(slope) == pytest.approx(
        float((time(0.01 + 1e-6) - time(0.01 - 1e-6)) / 2e-6), rel=1e-5
    )
    assert float(slope) * 0.01 / float(time(0.01)) == pytest.approx(-2, rel=0.02)


def third(temperature, speed):
    """A third reservoir, slow."""
    gases = FermiGas([0.6, 1.0, temperature], [20.8, 16.0, 18.0], closure="sommerfeld")
    return FiniteReservoirs(
        [21.1, 21.5], 4.6 * jnp.array([[1.0, 1.0], [1.0, 1.0], [speed, speed]]), gases
    )


@pytest.mark.parametrize("temperature", [0.8, 1.5, 1.543, 2.0])
def test_crossings_are_all_changes_of_sign_however_late(temperature):
    machine = third(temperature, 1e-7)
    found = machine.crossing_times((0, 2))
    assert int(found.status) in (qtd.Status.OK, qtd.Status.NOT_DEGENERATE)
    way = machine.evolve(jnp.geomspace(1e-2, 1e9, 400))
    gap = np.asarray(way.temperatures[:, 0] - way.temperatures[:, 2])
    clear = np.abs(gap) > 1e-5 * temperature
    signs = np.sign(np.append(0.6 - temperature, gap[clear]))
    assert np.isfinite(found.times).sum() == np.count_nonzero(np.diff(signs))
    crossed = np.isfinite(found.times)
    there = machine.evolve(np.where(crossed, found.times, 0.0)).temperatures[crossed]
    np.testing.assert_allclose(there[:, 0], there[:, 2], rtol=1e-9)
    np.testing.assert_allclose(there[:, 0], found.values[crossed], rtol=1e-9)


@pytest.mark.parametrize("pair", [(0, 1), (1, 0)])
@pytest.mark.parametrize("of", ["temperature", "chemical_potential"])
def test_reservoirs_that_start_equal_do_not_cross_there(pair, of):
    """The trap: a search that ended at the start, or began on a side that rounding had chosen."""
    for gap in (0.0, 1e-12, -1e-12):
        unequal = {"temperature": [1.0, 1.0 + gap], "chemical_potential": [20.0, 18.0]}
        if of == "chemical_potential":
            unequal = {"temperature": [0.6, 1.0], "chemical_potential": [20.0, 20.0 * (1 + gap)]}
        found = split(0.4, **unequal).crossing_times(pair, of=of, most=2)
        assert np.isnan(found.times).all() and int(found.status) == 0
    same = split(0.4, temperature=[1.0, 1.0], chemical_potential=[20.0, 20.0])
    assert np.isnan(same.crossing_times(pair, of=of, most=2).times).all()
    assert float(same.minimum_temperature(pair[0]).temperature) == 1.0
    assert np.array_equal(same.evolve([0.0, 1e3]).temperatures, np.ones((2, 2)))


def test_reservoirs_that_start_equal_and_cross_later_do_so_once():
    """Drawn apart by their potentials at first, they cross on the way to where the slow one
    ends."""
    machine = third(0.6, 1e-2)
    found = [machine.crossing_times(pair, most=4).times for pair in ((0, 2), (2, 0))]
    assert np.array_equal(found[0], found[1], equal_nan=True)
    crossed = found[0][np.isfinite(found[0])]
    assert len(crossed) and np.all(crossed > 1)
    around = machine.evolve(
        np.concatenate([crossed * (1 - 1e-6), crossed * (1 + 1e-6)])
    ).temperatures
    before, after = np.split(np.asarray(around[:, 0] - around[:, 2]), 2)
    assert np.all(before * after < 0)


def test_entropy_production_near_equilibrium_is_that_of_many_digits():
    """What is interpolated within steps was good to 2e-9, and differences of nearly equal
    reservoirs to 4e-7."""
    times = [1.0, 3.0, 300.0]
    found = split(0.4, temperature=[1.0, 1.001], chemical_potential=[20.0, 20.001]).evolve(times)
    with mp.workdps(30):
        energies, rate = [mp.mpf(x) for x in np.asarray(split(0.4).energies)], mp.mpf(4.6) / 2

        def flows(state):
            t, mu = state[:2], state[2:]
            x = [[(e - m) / t_j for e in energies] for t_j, m in zip(t, mu)]
            n = [[1 / (mp.exp(y) + 1) for y in row] for row in x]
            return [rate * (n[0][k] - n[1][k]) for k in (0, 1)], x

        def speed(_, state):
            t, mu = state[:2], state[2:]
            leaving, _ = flows(state)
            moved = []
            for sign, t_j, m in ((1, t[0], mu[0]), (-1, t[1], mu[1])):
                thermal, density = mp.pi**2 / 6 * (t_j / m) ** 2, mp.sqrt(m)
                zeroth, first = density * (1 - thermal / 4), thermal * density * m
                second = 2 * thermal * density * m**2
                heating = sum(
                    (e - m - first / zeroth) * sign * p for e, p in zip(energies, leaving)
                )
                warming = -heating * t_j / (second - first**2 / zeroth)
                moved.append((warming, (-sign * sum(leaving) - first / t_j * warming) / zeroth))
            return [moved[0][0], moved[1][0], moved[0][1], moved[1][1]]

        start = [mp.mpf(float(x)) for x in (1.0, 1.001, 20.0, 20.001)]
        way = mp.odefun(speed, 0, start, tol=mp.mpf(10) ** -20)
        for time, sigma in zip(times[:2], found.entropy_production):
            leaving, x = flows(way(time))
            exactly = sum(p * (x[1][k] - x[0][k]) for k, p in enumerate(leaving))
            assert float(sigma) == pytest.approx(float(exactly), rel=2e-9)


def test_too_many_steps_are_not_called_a_singular_point(monkeypatch):
    monkeypatch.setattr(trajectories, "_STEPS", 10)
    # Of a size that has no compiled program yet.
    machine = FiniteReservoirs(np.linspace(21.1, 21.5, 5), np.full((2, 5), 4.6), split(0.3).gases)
    found = machine.evolve([1e3])
    assert int(found.status) == qtd.Status.NOT_CONVERGED and np.isnan(found.temperatures).all()
    with pytest.raises(ValueError, match="did not converge"):
        machine.equilibration_time()
    assert (
        int(machine.crossing_times().status)
        == int(machine.minimum_temperature(0).status)
        == qtd.Status.NOT_CONVERGED
    )
