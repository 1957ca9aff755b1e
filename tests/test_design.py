import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import qtd

FRIDGE = qtd.machines.CollectiveRefrigerator(num_spins=5)
CENTER, WIDTH = "cold.spectral_density.center", "work.spectral_density.width"


def cooling(machine):
    return machine.operate().heat_currents["cold"]


def cop(machine):
    return machine.operate().cop


def test_an_interior_maximum_is_found_and_reported_as_converged():
    best = qtd.design.maximize(cooling, FRIDGE, {CENTER: (1.5, 2.5)}, starts=2, steps=40)
    assert best.converged and best.feasible and not best.active_bounds
    slope = jax.jit(jax.grad(lambda x: cooling(qtd.replace(FRIDGE, {CENTER: x}))))(
        best.parameters[CENTER]
    )
    assert abs(slope) < 1e-6 * abs(best.value)  # stationary
    assert best.value > cooling(FRIDGE)


def test_bounds_are_never_left_and_active_ones_are_named():
    # A bound may be an array.
    best = qtd.design.maximize(
        cooling, FRIDGE, {WIDTH: (jnp.array(1e-3), 1e-1)}, starts=2, steps=40
    )
    # A narrower work filter always cools more here.
    assert best.active_bounds == {WIDTH: "lower"} and best.converged
    np.testing.assert_allclose(best.parameters[WIDTH], 1e-3, rtol=1e-6)


def test_an_active_constraint_holds_with_equality():
    free = qtd.design.maximize(cooling, FRIDGE, {CENTER: (1.5, 2.5)}, starts=2, steps=40)
    least = float(cop(free.machine)) * 1.001
    best = qtd.design.maximize(
        cooling, FRIDGE, {CENTER: (1.5, 2.5)}, {"cop": (cop, least, None)}, starts=4, steps=60
    )
    assert best.feasible and best.converged and best.active_constraints == ("cop",)
    np.testing.assert_allclose(cop(best.machine), least, rtol=1e-6)
    assert best.value < free.value


def test_constraints_that_cannot_be_met_are_reported_not_hidden():
    best = qtd.design.maximize(
        cooling, FRIDGE, {CENTER: (1.5, 2.5)}, {"cop": (cop, 0.9, None)}, starts=2, steps=20
    )
    assert not best.feasible and not best.converged
    assert "'cop' cannot be met" in best.message and "0.9" in best.message


def test_history_has_every_step_and_start_and_never_falls():
    best = qtd.design.maximize(cooling, FRIDGE, {CENTER: (1.5, 2.5)}, starts=3, steps=25)
    assert best.history.all_values.shape == (25, 3) and best.history.violations.shape == (25,)
    assert np.all(np.diff(best.history.values) >= 0)


def test_any_optax_optimiser_serves():
    best = qtd.design.maximize(
        cooling, FRIDGE, {CENTER: (1.5, 2.5)}, starts=1, steps=20, optimizer=optax.sgd(0.1)
    )
    assert best.converged


def test_a_start_that_is_not_finite_spoils_no_other():
    def broken(machine):
        center = machine.cold.spectral_density.center
        return jnp.where(center > 2.2, jnp.nan, cooling(machine))

    best = qtd.design.maximize(broken, FRIDGE, {CENTER: (1.5, 2.5)}, starts=8, steps=30)
    assert np.isfinite(best.value) and best.parameters[CENTER] < 2.2


def test_where_a_constraint_is_no_number_the_objective_does_not_count():
    # The largest current is at 2.
    def known(machine):
        return jnp.where(machine.cold.spectral_density.center > 1.8, jnp.nan, cop(machine))

    best = qtd.design.maximize(
        cooling, FRIDGE, {CENTER: (1.5, 2.5)}, {"cop": (known, -10.0, None)}, starts=4, steps=5
    )
    assert best.feasible and best.parameters[CENTER] < 1.8


@pytest.mark.parametrize(
    ("over", "constraints", "words"),
    [
        ({}, {}, "at least one parameter"),
        ({"cold.centre": (1, 2)}, {}, "No parameter is called 'cold.centre'"),
        ({CENTER: (2.5, 1.5)}, {}, "low < high"),
        ({CENTER: (1.5, np.inf)}, {}, "finite bounds"),
        ({WIDTH: (0.0, 0.1)}, {}, "must be positive"),
        ({CENTER: (1.5, 2.5)}, {"cop": (cop, None, None)}, "no limit for 'cop'"),
        ({CENTER: (1.5, 2.5)}, {"cop": (cop, np.nan, None)}, "finite limits"),
        ({CENTER: (1.5, 2.5)}, {"cop": (cop, 0.4, 0.3)}, "low < high"),
    ],
)
def test_bad_problems_raise_one_clear_line(over, constraints, words):
    with pytest.raises(ValueError, match=words) as error:
        qtd.design.maximize(cooling, FRIDGE, over, constraints)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [{"starts": 0}, {"steps": -1}, {"steps": 2.5}])
def test_counts_must_be_positive_integers(wrong):
    with pytest.raises(ValueError, match="positive integer"):
        qtd.design.maximize(cooling, FRIDGE, {CENTER: (1.5, 2.5)}, **wrong)


def test_an_objective_that_is_nowhere_finite_raises():
    with pytest.raises(ValueError, match="not finite at any start"):
        qtd.design.maximize(
            lambda m: jnp.nan * cooling(m), FRIDGE, {CENTER: (1.5, 2.5)}, starts=2, steps=2
        )


def test_a_kink_is_not_called_converged():
    best = qtd.design.maximize(
        lambda m: -jnp.abs(m.cold.spectral_density.center - 2.1),
        FRIDGE,
        {CENTER: (1.5, 2.5)},
        starts=2,
        steps=20,
    )
    assert best.feasible and not best.converged and "slope" in best.message
