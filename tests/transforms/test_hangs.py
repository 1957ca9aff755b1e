"""Gradients over tens of thousands of devices come back: one program for each way of solving for a
steady state.

Trap: batched LAPACK under `vmap` of a gradient, over more than some 6000 points, hangs for ever on
CPUs with jaxlib 0.10. Hence a process of its own for each, with a time limit, compiled as users
compile; `test_derivatives.py` sees that no program calls LAPACK.
"""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.deep

START = """
import re
import equinox as eqx, jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
import qtd
from qtd.machines import *
rng = np.random.default_rng(0)
def spread(base, by, count):
    factors = lambda x: rng.uniform(1 - by, 1 + by, (count,) + (1,) * jnp.ndim(x))
    return jax.tree.map(lambda x: x * jnp.asarray(factors(x)), base)
cooling = lambda m: m.operate().heat_currents["cold"]
gases = qtd.gases.FermiGas(jnp.array([0.6, 1.0]), jnp.array([20.8, 16.0]), closure="sommerfeld")

def demons(count):
    batch = spread(NDemon(boldness=0.5), 0.02, count)
    return eqx.tree_at(lambda m: m.cold.chemical_potential, batch, batch.hot.chemical_potential)

"""

# By the solver that is met: the devices, what is run over them, and what must hold of what is
# `found`.
SLOPE = "jax.vmap(jax.grad(cooling))"
BY_GREEN_FUNCTIONS = (
    'jax.grad(lambda m: m.with_cutoff(10.0).fixed_peak().keldysh("local",'
    ' 1024).heat_currents["cold"])'
)
BETWEEN_WINDOWS = (
    'jax.grad(lambda m: qtd.operate(qtd.replace(m, {"width":'
    ' 0.02}).broadened().conductor, "cold", "demon").cop)'
)
MOTOR = "jax.value_and_grad(lambda m: m.operate(order=1, panels=16).power)"
EVOLUTION = (
    "(lambda way: (way.temperatures, way.drift, way.status))(m.evolve(jnp.array([2.0, 20.0])))"
)
PROGRAMS = {
    "bands of rates": ("spread(CollectiveRefrigerator(31), 0.2, 20_480)", SLOPE, "True"),
    "wide bands of rates": ("spread(ResonatorRefrigerator((3, 6)), 0.1, 20_480)", SLOPE, "True"),
    "rates and coherences": (
        'spread(QubitRefrigerator("local", exchange=0.02), 0.1, 20_480)',
        SLOPE,
        "True",
    ),
    "all coherences": (
        'spread(QubitRefrigerator("redfield", exchange=0.02), 0.1, 20_480)',
        SLOPE,
        "True",
    ),
    "a closed ring": ("spread(QubitRefrigerator(), 0.1, 20_480)", SLOPE, "True"),
    "Green functions": (
        "spread(ResonatorRefrigerator((3, 3)), 0.1, 2_000)",
        f"lambda x: jax.lax.map({BY_GREEN_FUNCTIONS}, x, batch_size=16)",
        "True",
    ),
    "occupations between points": (
        "demons(20_480)",
        "jax.vmap(jax.grad(lambda m: m.operate().cop))",
        "True",
    ),
    "occupations between windows": (
        "demons(1_000)",
        f"lambda x: jax.lax.map({BETWEEN_WINDOWS}, x, batch_size=64)",
        "True",
    ),
    "occupations of least entropy": (
        "demons(1_000)",
        "jax.vmap(jax.grad(lambda m: m.least_entropy(2e-4).operate().cop))",
        "True",
    ),
    "cycles": (
        "spread(QuantumMotor(radius=8.0), 0.05, 2_000)",
        f"lambda x: jax.lax.map({MOTOR}, x, batch_size=50)",
        "jnp.all(found[0] > 0)",
    ),
    "trajectories": (
        "spread(FiniteReservoirs(gases=gases), 0.02, 10_000)",
        f"jax.vmap(lambda m: {EVOLUTION})",
        "found[1].max() < 1e-9 and not jnp.any(found[2])",
    ),
}

END = """
lowered = jax.jit({run}).lower(devices := {devices})
calls = set(re.findall(r"custom_call @(\\w+)", lowered.as_text()))
# Through the callback diffrax raises errors; no LAPACK, and nothing else.
assert calls <= {{"xla_ffi_python_cpu_callback"}}, calls
found = lowered.compile()(devices)
numbers = [x for x in jax.tree.leaves(found) if jnp.issubdtype(x.dtype, jnp.inexact)]
assert all(bool(jnp.all(jnp.isfinite(x))) for x in numbers)
assert bool({holds})
print("finite")
"""


@pytest.mark.parametrize("solver", PROGRAMS)
def test_gradients_of_very_many_devices_come_back(solver):
    devices, run, holds = PROGRAMS[solver]
    program = START + END.format(run=run, devices=devices, holds=holds)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.stdout.strip() == "finite", done.stderr[-2000:]
