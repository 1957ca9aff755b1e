"""What a constructor refuses of known values is told by the status, and by NaN in values and
gradients, where the values are traced."""

import ast
import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd import distributions, nonthermal, oscillators, scatterers
from qtd.expansion import work_generating_function
from qtd.gases import FermiGas
from qtd.greens import KerrModes
from qtd.greens import solve as green_functions
from qtd.machines import (
    FiniteReservoirs,
    NDemon,
    QuantumMotor,
    QubitRefrigerator,
    ResonatorRefrigerator,
)
from qtd.spectral import Peaked, Resonator, WideBand
from qtd.transmissions import Boxcar


@dataclasses.dataclass
class Rule:
    """`ask` a number and a status of one value, which breaks the rule where it is `illegal`."""

    ask: Callable
    legal: float
    illegal: float


def demon(path):
    return lambda x: cold(qtd.replace(NDemon(), {path: x}).operate())


def cold(point):
    return point.heat_currents["cold"], point.status


def lead(mu=0.0, temperature=1.0):
    return qtd.Reservoir(temperature, mu, "fermi", spectral_density=WideBand(1.0))


def between(distribution):
    """Energy into a level's window from leads, one of which is in no equilibrium."""
    reservoirs = {"left": qtd.NonthermalReservoir(distribution), "right": lead()}
    found = qtd.scattering.currents(
        qtd.scattering.Conductor(reservoirs, [("left", "right", Boxcar(0.6, 0.4))])
    )
    return found.energy_currents["left"], found.status


def windows(center):
    asked = nonthermal.Windows(
        {"hot": lead(), "cold": lead(0.0, 0.8)},
        [("hot", 1.0, 0.2), ("hot", 1.5, 0.2), ("cold", center, 0.2)],
    )
    found = nonthermal.least_entropy(asked, "cold", 1e-4)
    return found.entropy_production, found.status


def resonator(cutoff=10.0, strength=1.0, potential=0.0):
    return qtd.Reservoir(1.0, potential, spectral_density=Resonator(1.0, 0.1, strength, cutoff))


def kerr(shift=0.02, back=None, diagonal=0.0, first=None):
    back = shift if back is None else back
    shifts = jnp.stack([jnp.stack([diagonal + 0.0 * shift, shift]), jnp.stack([back, 0.0 * shift])])
    reservoirs = {"a": first or resonator(), "b": resonator()}
    state = green_functions(
        KerrModes(jnp.array([1.0, 1.2]), shifts, {"a": 0, "b": 1}, reservoirs), points=512
    )
    return state.occupations[0], state.status


def skewed(x):
    matrix = jnp.stack([jnp.stack([0.0 * x, 0.3 + 0.0 * x]), jnp.stack([x, 0.1 + 0.0 * x])])
    scatterer = scatterers.Levels(
        matrix, {"left": jnp.array([0.5, 0.0]), "right": jnp.array([0.0, 0.5])}
    )
    found = qtd.scattering.currents(
        qtd.scattering.Conductor(
            scatterer=scatterer, reservoirs={"left": lead(0.5), "right": lead()}
        )
    )
    return found.particle_currents["left"], found.status


def harmonic(potential=0.0, back=0.1):
    density = Peaked(1.0, 0.1, 0.1)
    reservoirs = {
        "a": qtd.Reservoir(0.5, potential, spectral_density=density),
        "b": qtd.Reservoir(1.0, spectral_density=density),
    }
    rows = [[0.0 * back, 0.1 + 0.0 * back], [back, 0.0 * back]]
    couplings = jnp.stack([jnp.stack(row) for row in rows])
    device = oscillators.HarmonicDevice([1.0, 1.1], {"a": 0, "b": 1}, reservoirs, couplings)
    point = qtd.operate(device)
    return point.heat_currents["a"], point.status


def no_lead_at_all(height):
    left, right = (lead(mu) for mu in (0.5, -0.5))
    heights = {"left.spectral_density.height": height, "right.spectral_density.height": height}
    found = qtd.replace(QuantumMotor(left=left, right=right), heights).local(1.0, 1)
    return found.friction, found.status


def gas(temperature):
    gases = FermiGas(
        jnp.stack([temperature, 1.0 + 0.0 * temperature]),
        jnp.array([10.0, 10.5]),
        1.0,
        closure="sommerfeld",
    )
    machine = FiniteReservoirs(jnp.array([10.0, 11.0]), jnp.ones((2, 2)), gases)
    flows = machine.operate()
    return flows.heat[0], flows.status


RULES = {
    "exchange of the model zz": Rule(
        lambda x: cold(qtd.replace(QubitRefrigerator("zz"), {"exchange": x}).operate()), 0.0, 0.1
    ),
    "temperature of a reservoir": Rule(
        lambda x: cold(qtd.replace(QubitRefrigerator("zz"), {"cold.temperature": x}).operate()),
        0.8,
        -0.1,
    ),
    "two energies of a demon": Rule(demon("energy_1"), 1.0, 2.0),
    "energies of demon and leads": Rule(demon("energy_1"), 1.0, 1.5),
    "potentials of its leads": Rule(demon("hot.chemical_potential"), 1.0, 1.1),
    "width of its windows": Rule(demon("width"), 1.0, -1.0),
    "edges that fall": Rule(
        lambda x: between(
            distributions.PiecewiseConstant(jnp.stack([0.0 * x, x]), jnp.array([0.4]))
        ),
        1.0,
        -1.0,
    ),
    "occupations above 1": Rule(
        lambda x: between(distributions.PiecewiseConstant(jnp.array([0.0, 1.0]), x[None])), 0.4, 1.2
    ),
    "weights that do not add up": Rule(
        lambda x: between(
            distributions.Mixture(
                jnp.stack([x, 1 - 0.7 + 0.0 * x]),
                [distributions.Thermal(t, 0.0) for t in (1.0, 2.0)],
            )
        ),
        0.7,
        0.9,
    ),
    "windows that overlap": Rule(windows, 2.0, 1.6),
    "shifts that are not symmetric": Rule(lambda x: kerr(0.02 + 0.0 * x, back=x), 0.02, 0.03),
    "a shift of one mode": Rule(lambda x: kerr(0.02 + 0.0 * x, diagonal=x), 0.0, 0.03),
    "cut-offs that differ": Rule(
        lambda x: kerr(0.02 + 0.0 * x, first=resonator(cutoff=x)), 10.0, 9.0
    ),
    "photons with a potential": Rule(
        lambda x: kerr(0.02 + 0.0 * x, first=resonator(potential=x)), 0.0, -0.1
    ),
    "a mode that nothing damps": Rule(
        lambda x: kerr(0.02 + 0.0 * x, first=resonator(strength=x)), 1.0, 0.0
    ),
    "a level spacing below 0": Rule(
        lambda x: cold(qtd.replace(ResonatorRefrigerator(), {"shift": x}).operate()), 0.05, -1.0
    ),
    "a Hamiltonian that is not Hermitian": Rule(skewed, 0.3, 0.4),
    "oscillators with a potential": Rule(lambda x: harmonic(potential=x), 0.0, -0.1),
    "couplings that are not symmetric": Rule(lambda x: harmonic(back=x), 0.1, 0.2),
    "leads without any rate": Rule(no_lead_at_all, 0.25, 0.0),
    "a gas that is not degenerate": Rule(gas, 1.0, 20.0),
}


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_is_a_status_and_nan_in_compiled_code(name):
    rule = RULES[name]
    with pytest.raises(ValueError, match="`"):
        rule.ask(jnp.asarray(rule.illegal))
    run = jax.jit(jax.vmap(lambda x: (*rule.ask(x), jax.grad(lambda x: rule.ask(x)[0])(x))))
    value, status, slope = map(np.asarray, run(jnp.array([rule.legal, rule.illegal, rule.legal])))
    assert status[1] == qtd.Status.INVALID_PARAMETER and np.isnan(value[1]) and np.isnan(slope[1])
    assert np.all(status[[0, 2]] != qtd.Status.INVALID_PARAMETER) and np.all(
        np.isfinite(value[[0, 2]])
    )


def test_arguments_that_are_refused_are_nan_in_compiled_code():
    motor = QuantumMotor()
    found = jax.jit(lambda v: work_generating_function(QuantumMotor().network, v, 0.1, panels=12))(
        0.0
    )
    assert np.isnan(found)
    with pytest.raises(ValueError, match="`velocity`"):
        work_generating_function(motor.network, 0.0, 0.1)


def test_every_check_of_a_constructor_is_declared_as_a_rule():
    """A constructor that looks at values only where they are known would let them pass in compiled
    code."""
    for path in Path(inspect.getfile(qtd)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name in ("rules", "__check_init__"):
                names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
                assert "is_concrete" not in names, path
