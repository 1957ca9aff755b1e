import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd._numerics.jax_internals.repetition import as_function, without_repetition

pytestmark = pytest.mark.digits

MACHINE = qtd.machines.CollectiveRefrigerator(num_spins=3)


def shortened(function, *arguments):
    traced, outputs = jax.make_jaxpr(function, return_shape=True)(*arguments)
    return traced, without_repetition(traced), outputs


def count(program, name):
    return sum(equation.primitive.name == name for equation in program.jaxpr.eqns)


def loop(x, steps=5, table=None):
    table = np.arange(3.0) if table is None else table  # another constant at every call
    return jax.lax.fori_loop(0, steps, lambda i, y: jnp.sin(y) + jnp.asarray(table).sum(), x)


def test_equal_loops_run_once():
    traced, shorter, _ = shortened(lambda x: loop(x) + 2 * loop(x), 0.3)
    assert count(traced, "scan") == 2 and count(shorter, "scan") == 1


def test_different_loops_stay():
    for other in (
        lambda x: loop(x, 6),
        lambda x: loop(x, table=np.arange(4.0)),
        lambda x: loop(x + 1),
    ):
        _, shorter, _ = shortened(lambda x: loop(x) + other(x), 0.3)
        assert count(shorter, "scan") == 2
        np.testing.assert_array_equal(
            jax.core.eval_jaxpr(shorter.jaxpr, shorter.consts, 0.3), [loop(0.3) + other(0.3)]
        )


def test_numbers_that_differ_in_the_last_digits_stay_apart():
    """The trap: printed, they are the same."""
    near = np.float64(1e-9)

    def both(x):
        return (
            jnp.sin(x * (1 + near)),
            jnp.sin(x * (1 - near)),
            jax.lax.cond(x > 0, lambda y: y * (1 + 2 * near), lambda y: y, x),
        )

    _, shorter, _ = shortened(both, 0.3)
    found = jax.core.eval_jaxpr(shorter.jaxpr, shorter.consts, 0.3)
    np.testing.assert_array_equal(found, both(0.3))
    assert found[0] != found[1]


def test_keys_of_random_numbers_are_constants():
    key = jax.random.key(7)

    def noisy(x):
        return (
            x
            + jax.random.normal(key)
            + jax.random.normal(key)
            + jax.random.normal(jax.random.key(8))
        )

    _, shorter, _ = shortened(noisy, 0.3)
    np.testing.assert_allclose(
        jax.core.eval_jaxpr(shorter.jaxpr, shorter.consts, 0.3), [noisy(0.3)], rtol=1e-15
    )


def test_what_one_leaves_out_another_may_need():
    def both(x):
        return jax.lax.fori_loop(0, 4, lambda i, pair: (pair[0] + pair[1], pair[1] * 2), (x, x))

    _, shorter, _ = shortened(lambda x: (both(x)[0], both(x)[1]), 0.3)
    np.testing.assert_array_equal(
        jax.core.eval_jaxpr(shorter.jaxpr, shorter.consts, 0.3), both(0.3)
    )


def test_what_nobody_needs_is_left_out():
    _, shorter, _ = shortened(lambda x: (loop(x), jnp.cos(x))[1], 0.3)
    assert count(shorter, "scan") == 0


def test_observables_that_each_solve_the_machine_solve_it_once():
    def moved(values):
        return qtd.replace(MACHINE, values)

    def current(m):
        return m.operate().heat_currents["cold"]

    def both(values):
        return (current(moved(values)), moved(values).operate().cop)

    values = {"cold.temperature": jnp.asarray(0.6)}
    _, single, _ = shortened(lambda values: current(moved(values)), values)
    traced, shorter, outputs = shortened(both, values)
    assert count(shorter, "at_rest") == count(single, "at_rest") < count(traced, "at_rest")
    batch = {"cold.temperature": jnp.linspace(0.4, 0.9, 5)}
    for found, expected in zip(
        jax.jit(jax.vmap(as_function(shorter, outputs)))(batch), jax.jit(jax.vmap(both))(batch)
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
