"""Finite reservoirs of other machines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import qtd
from qtd.cooling import cool_down
from qtd.machines import CollectiveRefrigerator, NDemon

FRIDGE, DEMON = CollectiveRefrigerator(5), NDemon()


@jax.jit
def fridge(work):
    found = cool_down(qtd.replace(FRIDGE, {"work.temperature": work}))
    return jnp.stack([found.stopping, found.time]), found


@jax.jit
def demon(boldness):
    machine = qtd.replace(DEMON, {"boldness": boldness})
    found = cool_down(machine, until=machine.minimum_cold_temperature())
    return jnp.stack([found.stopping, found.time]), found


def test_a_refrigerator_stops_where_its_current_does_at_the_time_that_scipy_finds():
    current = jax.jit(
        lambda t: qtd.replace(FRIDGE, {"cold.temperature": t}).operate().heat_currents["cold"]
    )
    (stopping, time), found = fridge(FRIDGE.work.temperature)
    assert abs(float(current(stopping))) < 1e-12 * float(current(FRIDGE.cold.temperature))
    solution = solve_ivp(
        lambda t, y: [-float(current(y[0]))],
        (0, float(time)),
        [0.5],
        rtol=1e-10,
        atol=1e-13,
        t_eval=[30.0, float(time)],
    )
    assert solution.y[0, -1] == pytest.approx(float(stopping + 0.01 * (0.5 - stopping)), rel=1e-9)
    assert np.interp(30.0, found.times, found.temperatures) == pytest.approx(
        solution.y[0, 0], rel=1e-4
    )
    assert int(found.status) == 0 and np.all(np.diff(found.times) > 0)


def test_the_demon_cools_down_to_where_it_ceases_to_exist():
    (stopping, time), found = demon(DEMON.boldness)
    assert float(stopping) == float(DEMON.minimum_cold_temperature()) and int(found.status) == 0
    assert np.all(np.diff(found.temperatures) < 0) and 0 < float(time) < np.inf


@pytest.mark.parametrize(
    ("function", "value"),
    [(fridge, float(FRIDGE.work.temperature)), (demon, float(DEMON.boldness))],
)
def test_stopping_temperature_and_time_have_derivatives(function, value):
    slopes = jax.jit(jax.jacrev(lambda x: function(x)[0]))(value)
    step = 1e-5 * value
    difference = (function(value + step)[0] - function(value - step)[0]) / (2 * step)
    np.testing.assert_allclose(slopes, difference, rtol=1e-6)


def test_twice_the_capacity_takes_twice_as_long():
    once = cool_down(FRIDGE, heat_capacity=lambda t: 3 * t**3)
    twice = cool_down(FRIDGE, heat_capacity=lambda t: 6 * t**3)
    assert float(twice.time) == pytest.approx(2 * float(once.time), rel=1e-13) and float(
        twice.stopping
    ) == float(once.stopping)


def test_where_nothing_stops_the_status_says_so():
    assert int(cool_down(DEMON, within=1.2).status) == qtd.Status.NOT_CONVERGED
    assert int(cool_down(FRIDGE, until=0.2).status) == qtd.Status.NOT_CONVERGED  # it stops before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cold": "ice"}, "`cold` must name a reservoir"),
        ({"heat_capacity": 0.0}, "`heat_capacity` must be positive"),
        ({"share": 1.0}, "`share` must be between"),
        ({"within": 0.5}, "`within` must be"),
        ({"until": -1.0}, "`until` must be positive"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        cool_down(FRIDGE, **arguments)


def test_a_second_call_compiles_nothing():
    compilations = []
    cool_down(FRIDGE)

    def listen(event, duration, **_):
        return compilations.append(event) if event.endswith("backend_compile_duration") else None

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        cool_down(FRIDGE)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert not compilations
