"""Functions that are compiled when they are called by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qtd._numerics import compilation
from qtd._numerics.compilation import compiled, optimised


@pytest.fixture
def programs():
    """A function, and what it was called with each time it was written down as a program or run
    step by step."""
    met = []

    def function(x):
        met.append(x)
        return jnp.sin(x) * x

    return function, met


@pytest.mark.parametrize("by_hand", [compiled, optimised])
def test_calls_by_hand_are_one_program_however_they_are_transformed(programs, by_hand):
    function, met = programs
    call = by_hand(function)
    x = jnp.asarray(0.5)
    points = jnp.linspace(0.0, 1.0, 4)
    ways = {
        "value": lambda: call(x),
        "gradient": lambda: jax.grad(call)(x),
        "forward": lambda: jax.jvp(call, (x,), (x,)),
        "second": lambda: jax.hessian(call)(x),
        "batch": lambda: jax.vmap(jax.value_and_grad(call))(points),
    }
    first = {name: way() for name, way in ways.items()}
    assert all(isinstance(x, jax.core.Tracer) for x in met), "run step by step"
    count = len(met)
    again = {name: way() for name, way in ways.items()}
    assert len(met) == count, "compiled twice"
    jax.tree.map(np.testing.assert_array_equal, first, again)
    np.testing.assert_allclose(first["gradient"], np.sin(0.5) + 0.5 * np.cos(0.5), rtol=1e-15)


def test_what_a_program_does_not_use_of_it_is_left_out():
    both = compiled(lambda x: (jnp.sin(x), jnp.cos(x)))
    for transform in (lambda f: f, jax.grad, jax.vmap):
        argument = jnp.ones(3) if transform is jax.vmap else 1.0
        text = str(jax.make_jaxpr(transform(lambda x: both(x)[0]))(argument))
        assert "jit" not in text.replace("jaxpr", ""), text


def test_known_values_inside_a_program_are_no_program_of_their_own():
    assert float(jax.jit(lambda x: x + compiled(jnp.sin)(jnp.asarray(1.0)))(0.0)) == pytest.approx(
        np.sin(1.0)
    )


def test_a_compiler_that_does_not_know_how_to_be_quick_compiles_as_ever(monkeypatch):
    monkeypatch.setattr(compilation, "_QUICK", {"no_such_option": 1})
    assert float(compiled(lambda x: 2 * x)(1.5)) == 3.0
    monkeypatch.setattr(compilation, "_WIDE", {"no_such_option": 1})
    assert compilation.wide_options() == {}
