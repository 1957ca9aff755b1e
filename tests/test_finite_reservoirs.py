"""What finite reservoirs do beside their numbers: bad input, validity, rest, derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from machines import FINITE, finite

import qtd
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
        (lambda: machine.evolve(jnp.array([1.0]), occupations=jnp.zeros(2)), "`occupations`"),
        (lambda: machine.minimum_temperature(2), "`reservoir` must be below 2"),
        (lambda: machine.crossing_times((0, 0)), "`pair` must name two"),
        (lambda: machine.crossing_times(of="mu"), "`of` must be"),
        (lambda: FiniteReservoirs.from_hamiltonian([[1.0, 1.0], [0.0, 1.0]], np.ones((2, 2)), machine.gases), "Hermitian"),
    ):
        with pytest.raises(ValueError, match=words):
            ask()


def test_what_is_beyond_the_models_validity_is_said():
    warm = FermiGas(jnp.array([1.0, 1.0]), jnp.array([8.0, 20.0]), closure="sommerfeld")
    assert int(FiniteReservoirs(gases=warm).operate().status) == qtd.Status.NOT_DEGENERATE
    assert int(FiniteReservoirs(jnp.array([-0.5, 2.0]), np.ones((2, 2))).operate().status) == qtd.Status.BELOW_BAND
    assert all(law.holds for law in FiniteReservoirs().operate().laws())


def test_a_trajectory_that_runs_into_the_singular_point_ends_there():
    """The trap: Sommerfeld's heat capacity vanishes at mu / T = 1.1107; the exact gas goes on."""
    gases = FermiGas(jnp.array([0.6, 1.0]), jnp.array([6.8, 2.0]), closure="sommerfeld")
    machine = FiniteReservoirs(jnp.array([7.1, 7.5]), jnp.ones((2, 2)), gases)
    found = machine.evolve(jnp.array([1.0, 1.4, 1.5, 3.0]))
    assert float(found.last) == pytest.approx(1.4207, abs=1e-4) and int(found.status) == qtd.Status.SINGULAR
    assert np.isfinite(found.temperatures[:2]).all() and np.isnan(found.temperatures[2:]).all()
    exact = eqx.tree_at(lambda m: m.gases, machine, FermiGas(gases.temperature, gases.chemical_potential))
    assert np.isfinite(exact.evolve(jnp.array([3.0])).temperatures).all()


def test_modes_come_from_a_hamiltonian():
    gases = FermiGas(jnp.array([0.6, 1.0]), jnp.array([20.8, 16.0]))
    machine = FiniteReservoirs.from_hamiltonian([[21.3, 0.2], [0.2, 21.3]], [[0.1, 0.0], [0.0, 0.3]], gases)
    np.testing.assert_allclose(np.sort(machine.energies), [21.1, 21.5], rtol=1e-14)
    np.testing.assert_allclose(machine.rates, [[0.05, 0.05], [0.15, 0.15]], rtol=1e-13)
    assert jax.tree.structure(machine) == jax.tree.structure(FiniteReservoirs(machine.energies, machine.rates, gases))


def test_equal_potentials_between_the_mode_and_h_cool_the_cold_one_although_it_gains_heat():
    """Who cools is decided by J - h P, not by Y."""
    machine = FiniteReservoirs(jnp.array([10.01]), jnp.ones((2, 1)), FermiGas(jnp.array([0.5, 1.0]), jnp.array([10.0, 10.0])))
    assert float(machine.gases.properties().energy_per_particle[0]) > 10.01
    found = machine.operate()
    assert float(found.heat[0]) < 0 and float(found.temperature_rates[0]) < 0


def test_equilibration_ends_when_its_share_of_the_entropy_is_left():
    machine = FiniteReservoirs(gases=FermiGas(jnp.array([0.6, 1.0]), jnp.array([20.8, 16.0]), closure="sommerfeld"))
    rest, times = machine.equilibrium(), [float(machine.equilibration_time(share)) for share in (0.5, 0.01)]
    entropy = machine.evolve(jnp.array([0.0, *times])).entropy
    end = machine.gases.at(rest.temperature, rest.chemical_potential).properties().entropy.sum()
    np.testing.assert_allclose((end - entropy[1:]) / (end - entropy[0]), [0.5, 0.01], rtol=1e-8)


def test_equilibration_takes_no_time_at_rest_and_for_ever_where_reservoirs_stop_before():
    same = FermiGas(jnp.array([1.0, 1.0]), jnp.array([20.0, 20.0]), closure="sommerfeld")
    assert float(FiniteReservoirs(gases=same).equilibration_time()) == 0
    apart = FermiGas(jnp.array([0.6, 1.0]), jnp.array([20.8, 16.0]), closure="sommerfeld")
    assert float(FiniteReservoirs(jnp.array([21.1]), jnp.ones((2, 1)), apart).equilibration_time()) == np.inf
    with pytest.raises(ValueError, match="`share` must be between 0 and 1"):
        FiniteReservoirs(gases=apart).equilibration_time(1.0)


def test_reservoirs_of_other_dimensions_and_classical_ones_find_their_equilibrium():
    gases = FermiGas(jnp.array([0.5, 1.0, 2.0]), jnp.array([-1.0, 4.0, 0.5]), jnp.array([1.0, 0.3, 0.1]), jnp.array([0.5, 1.5, 3.0]))
    machine = FiniteReservoirs(jnp.array([1.0, 3.0]), jnp.ones((3, 2)), gases)
    rest = machine.equilibrium()
    found = machine.evolve(jnp.array([1.0, 1e3]))
    np.testing.assert_allclose(found.temperatures[1], float(rest.temperature), rtol=1e-7)
    np.testing.assert_allclose(found.chemical_potentials[1], float(rest.chemical_potential), rtol=1e-7, atol=1e-7)
    assert np.all(found.drift < 1e-9) and int(rest.status) == 0


def at_rest(vector):
    found = finite(vector).equilibrium()
    return jnp.stack([found.temperature, found.chemical_potential])


def test_the_equilibrium_has_derivatives_in_both_modes():
    function, vector, step = jax.jit(at_rest), jnp.asarray(FINITE[0]), 1e-5
    moved = lambda k, sign: np.asarray(function(vector.at[k].add(sign * step)))
    columns = [(moved(k, 1) - moved(k, -1)) / (2 * step) for k in range(len(vector))]
    expected = np.stack(columns, axis=1)
    scale = 1e-6 * np.abs(expected).max(1, keepdims=True)
    for slopes in (jax.jit(jax.jacrev(at_rest))(vector), jax.jit(jax.jacfwd(at_rest))(vector)):
        assert np.all(np.abs(slopes - expected) < scale)


def filled(temperature):
    """The full model, stiff, after a while."""
    gases = FermiGas(jnp.stack([temperature, jnp.ones_like(temperature)]), jnp.array([20.8, 16.0]), 10.0, closure="sommerfeld")
    rates = 10 * jnp.sqrt(jnp.array([[21.1, 21.5]] * 2))
    found = FiniteReservoirs(jnp.array([21.1, 21.5]), rates, gases).evolve(jnp.array([2.0]), full=True, occupations=jnp.full(2, 0.1))
    return jnp.concatenate([found.temperatures[0], found.occupations[0]])


def test_the_full_model_has_derivatives_without_lapack():
    function, slopes = jax.jit(filled), jax.jit(jax.jacrev(filled))
    difference = (function(0.6 + 1e-5) - function(0.6 - 1e-5)) / 2e-5
    np.testing.assert_allclose(slopes(0.6), difference, rtol=1e-6)
    assert "lapack" not in slopes.lower(0.6).as_text().lower()


@pytest.mark.parametrize("closure", ["exact", "sommerfeld"])
def test_flows_have_derivatives_where_reservoirs_are_equal(closure):
    equal = lambda t: FiniteReservoirs(gases=FermiGas(jnp.stack([t, jnp.ones_like(t)]), 20.0, closure=closure)).operate().heat[0]
    slope, difference = jax.jit(jax.grad(equal))(jnp.asarray(1.0)), (equal(1.0 + 1e-5) - equal(1.0 - 1e-5)) / 2e-5
    assert float(slope) == pytest.approx(float(difference), rel=1e-8)
