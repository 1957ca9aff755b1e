"""Derivatives, batches and precision of finite reservoirs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.gases import FermiGas
from qtd.machines import FiniteReservoirs

TIMES = jnp.array([2.0, 20.0])


def machine(vector):
    """Energies, temperatures, potentials, volumes."""
    gases = FermiGas(vector[2:4], vector[4:6], vector[6:8], closure="sommerfeld")
    return FiniteReservoirs(vector[:2], jnp.sqrt(jnp.array([[21.1, 21.5]] * 2)), gases)


VECTOR = jnp.array([21.1, 21.5, 0.6, 1.0, 20.8, 16.0, 1.0, 1.0])
SECOND = jnp.array([17.1, 17.5, 0.8, 1.0, 18.8, 18.0, 1.0, 1.2])


def ends(vector):
    rest, way = machine(vector).equilibrium(), machine(vector).evolve(TIMES)
    return jnp.concatenate([jnp.stack([rest.temperature, rest.chemical_potential]), way.temperatures[1], way.chemical_potentials[1]])


def swap(vector):
    found = machine(vector).crossing_times(most=1)
    return jnp.concatenate([found.times, found.values])


def duration(vector):
    return machine(vector).equilibration_time()[None]


ENDS, SWAP, DURATION = jax.jit(ends), jax.jit(swap), jax.jit(duration)


def differences(function, vector, step=1e-5):
    moved = lambda k, sign: np.asarray(function(vector.at[k].add(sign * step)))
    return np.stack([(moved(k, 1) - moved(k, -1)) / (2 * step) for k in range(len(vector))], axis=1)


def test_equilibrium_and_states_have_derivatives_in_both_modes():
    expected = differences(ENDS, VECTOR)
    scale = 1e-6 * np.abs(expected).max(1, keepdims=True)
    for slopes in (jax.jit(jax.jacrev(ends))(VECTOR), jax.jit(jax.jacfwd(ends))(VECTOR)):
        assert np.all(np.abs(slopes - expected) < scale)


def test_crossings_have_derivatives():
    expected = differences(SWAP, SECOND)
    slopes = jax.jit(jax.jacrev(swap))(SECOND)
    assert np.all(np.abs(slopes - expected) < 1e-6 * np.abs(expected).max(1, keepdims=True))


def test_the_equilibration_time_has_derivatives():
    expected = differences(DURATION, VECTOR, 1e-4)
    for slopes in (jax.jit(jax.jacrev(duration))(VECTOR), jax.jit(jax.jacfwd(duration))(VECTOR)):
        assert np.all(np.abs(slopes - expected) < 1e-6 * np.abs(expected).max(1, keepdims=True))


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


RUN = jax.jit(jax.vmap(lambda vector: (lambda x: (x.temperatures, x.drift, x.status))(machine(vector).evolve(TIMES))))


def test_ten_thousand_starts_in_one_call_without_lapack():
    """The trap: LAPACK in a batch of thousands hangs for ever."""
    rng = np.random.default_rng(0)
    vectors = VECTOR[None] * jnp.asarray(rng.uniform(0.98, 1.02, (10_000, 8)))
    assert "lapack" not in RUN.lower(vectors).as_text().lower()
    temperatures, drift, status = RUN(vectors)
    assert np.isfinite(temperatures).all() and float(drift.max()) < 1e-9 and not np.any(status)
    np.testing.assert_allclose(temperatures[17], machine(vectors[17]).evolve(TIMES).temperatures, rtol=1e-8)


def test_one_bad_start_spoils_no_neighbour():
    vectors = jnp.stack([VECTOR, VECTOR.at[2].set(-1.0), SECOND])
    temperatures, _, status = RUN(vectors)
    assert int(status[1]) == qtd.Status.INVALID_PARAMETER and np.isnan(temperatures[1]).all()
    assert not np.any(status[jnp.array([0, 2])])
    np.testing.assert_allclose(temperatures[jnp.array([0, 2])], RUN(jnp.stack([VECTOR, SECOND]))[0], rtol=1e-9)


def test_float32_keeps_its_type():
    small = jax.tree.map(lambda x: x.astype(jnp.float32), machine(VECTOR))
    found, exact = small.evolve(TIMES.astype(jnp.float32)), machine(VECTOR).evolve(TIMES)
    assert found.temperatures.dtype == jnp.float32
    np.testing.assert_allclose(found.temperatures, exact.temperatures, rtol=1e-3)


def test_machines_of_one_structure_compile_once():
    count = 0

    @eqx.filter_jit
    def cooled(machine):
        nonlocal count
        count += 1
        return machine.operate().temperature_rates

    cooled(machine(VECTOR)), cooled(machine(SECOND))
    assert count == 1


@pytest.mark.parametrize("closure", ["exact", "sommerfeld"])
def test_flows_have_derivatives_where_reservoirs_are_equal(closure):
    equal = lambda t: FiniteReservoirs(gases=FermiGas(jnp.stack([t, jnp.ones_like(t)]), 20.0, closure=closure)).operate().heat[0]
    slope, difference = jax.grad(equal)(jnp.asarray(1.0)), (equal(1.0 + 1e-5) - equal(1.0 - 1e-5)) / 2e-5
    assert float(slope) == pytest.approx(float(difference), rel=1e-8)
