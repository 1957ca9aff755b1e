"""The layout of batches: a number that is wrong here is a slow program, not a wrong result, so it
is asserted on what is compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd._numerics.batching import follow, settle, together, total

pytestmark = pytest.mark.digits

BATCH, LEVELS = 7, 16
FRIDGE = qtd.machines.CollectiveRefrigerator(num_spins=31)


def noise(temperature, width):
    machine = qtd.replace(
        FRIDGE, {"cold.temperature": temperature, "work.spectral_density.width": width}
    )
    return machine.operate().heat_covariance["cold", "cold"]


def shapes(jaxpr, primitives):
    """The shapes that these primitives make, in a program and in the programs inside it."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in primitives:
            yield from (variable.aval.shape for variable in equation.outvars)
        for value in equation.params.values():
            for inner in value if isinstance(value, list | tuple) else [value]:
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from shapes(inner, primitives)


@pytest.mark.parametrize(
    "function", [noise, jax.value_and_grad(noise, (0, 1))], ids=["value", "gradient"]
)
def test_what_is_done_level_by_level_runs_along_the_batch(function):
    # Trap: one operation with a constant or a scalar moves the batch to the front, and the speed
    # falls by a factor of two to four.
    batch = jnp.linspace(0.4, 0.6, BATCH), jnp.linspace(1e-3, 2e-3, BATCH)
    found = list(
        shapes(jax.make_jaxpr(jax.vmap(function))(*batch).jaxpr, ("mul", "add", "sub", "exp"))
    )
    # Besides what elimination and solves do, which batch themselves.
    assert found.count((LEVELS, BATCH)) > 30
    assert (BATCH, LEVELS) not in found


def test_arrays_laid_together_share_the_last_axis_for_the_batch():
    def shapes_seen(scalar):
        row, matrix, alone = together(
            (jnp.broadcast_to(scalar, (3,)), jnp.ones((2, 3)), jnp.array(2.0))
        )
        return row * 2, matrix + 1, alone

    found = jax.make_jaxpr(jax.vmap(shapes_seen, out_axes=-1))(jnp.ones(5))
    assert [variable.aval.shape for variable in found.jaxpr.outvars] == [(3, 5), (2, 3, 5), (5,)]


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "compiled"])
def test_they_change_no_value_and_no_derivative(transform):
    x = jnp.asarray(np.random.default_rng(0).normal(size=6))
    assert float(transform(total)(x)) == pytest.approx(float(x.sum()), abs=1e-15)
    assert jnp.array_equal(transform(jax.grad(total))(x), jnp.ones(6))
    for same in (settle, lambda x: follow(x, x[0])):
        assert jnp.array_equal(transform(same)(x), x)
        assert jnp.array_equal(transform(jax.jacfwd(same))(x), jnp.eye(6))
        assert jnp.array_equal(transform(jax.jacrev(same))(x), jnp.eye(6))
        assert jnp.array_equal(
            transform(jax.hessian(lambda x, same=same: (same(x) ** 2).sum()))(x), 2 * jnp.eye(6)
        )


def test_settling_keeps_numbers_that_are_not_finite():
    x = jnp.array([jnp.nan, -jnp.inf, jnp.inf, 0.0])
    assert np.array_equal(jax.jit(settle)(x), x, equal_nan=True)
    assert float(jax.jit(settle)(jnp.array(2.0))) == 2.0
