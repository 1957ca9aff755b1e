import jax
import jax.numpy as jnp
import pytest
from helpers import examples
from hypothesis import assume, given
from hypothesis import strategies as st

import qtd
from qtd.machines import NDemon
from qtd.spectral import WideBand

pytestmark = pytest.mark.digits

LAWS = examples(150)


def lead(temperature, potential):
    return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(1.0))


def machine(numbers):
    hot, cold, mu, *energies, boldness, exchange = numbers
    return NDemon(lead(hot, mu), lead(cold, mu), *energies, 0.7, boldness, exchange)


@st.composite
def demons(draw):
    """Temperatures, chemical potential, four distinct energies, boldness, exchange."""

    def number(low, high):
        return draw(st.floats(low, high))

    energies = [number(0.1, 1.0), number(1.1, 2.0), number(2.1, 3.0), number(3.1, 4.0)]
    order = draw(st.permutations(range(4)))
    energies = [energies[k] for k in order]
    return jnp.array(
        [
            number(0.2, 3.0),
            number(0.2, 3.0),
            number(0.0, 3.0),
            *energies,
            number(-1.5, 1.5),
            number(-0.2, 0.2),
        ]
    )


operate = jax.jit(lambda x: machine(x).operate())
conduct = jax.jit(lambda x: qtd.operate(machine(x).conductor(), "cold", "demon"))


@LAWS
@given(demons())
def test_a_demon_that_exists_obeys_both_laws(numbers):
    point = operate(numbers)
    assume(float(point.margin) > 0)
    heat = point.heat_currents["cold"]
    sigma = float(point.entropy_production)
    hot = numbers[0]
    cold = numbers[1]
    assert sigma >= 0 and float(point.heat_currents["hot"]) == -float(heat)
    assert abs(
        sigma + float(point.entropy_current) + float(heat * (1 / cold - 1 / hot))
    ) <= 1e-13 * (sigma + abs(float(heat)))
    assert float(heat) <= 0 or not 0 < float(point.carnot_cop) < float(point.cop) * (1 - 1e-12)


@LAWS
@given(demons())
def test_the_general_route_through_points_finds_the_same_demon(numbers):
    closed, general = operate(numbers), conduct(numbers)
    assume(float(closed.margin) > 1e-3)
    scale = float(sum(jnp.abs(x) for x in general.entropy_currents.values())) + 1e-3
    assert abs(float(general.heat_currents["cold"] - closed.heat_currents["cold"])) < 1e-13
    assert abs(float(general.entropy_currents["demon"] - closed.entropy_current)) < 1e-12 * scale
    assert abs(float(general.entropy_production - closed.entropy_production)) < 1e-12 * scale
    assert (
        abs(float(general.particle_currents["cold"]) - 0.7 / (2 * jnp.pi) * float(numbers[8]))
        < 1e-13
    )
    for name in ("particle_currents", "energy_currents"):
        assert abs(float(getattr(general, name)["demon"])) < 1e-13
