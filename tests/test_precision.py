"""What a newcomer sees who forgets to ask for double precision."""

import subprocess
import sys

import jax
import jax.numpy as jnp
from helpers import as_float32

import qtd
from qtd.machines import QubitRefrigerator

CODE = """
import warnings
import qtd
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    point = qtd.machines.QubitRefrigerator().operate()
    qtd.machines.NDemon().operate()
print(len(said), str(said[0].message))
print(point)
"""


def run(code):
    environment = {"PATH": "", "JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout


def test_single_precision_is_said_once_with_its_cure_and_prints_no_more_digits_than_it_has():
    told = run(CODE).splitlines()
    assert told[0].startswith("1 ") and 'jax.config.update("jax_enable_x64", True)' in told[0]
    numbers = [line.split()[1] for line in told if line.startswith(("  J_", "  sigma", "  COP"))]
    assert numbers and all(
        len(x.split("e")[0].replace(".", "").replace("-", "").lstrip("0")) <= 6 for x in numbers
    )


def test_double_precision_says_nothing():
    double = "import jax, qtd\njax.config.update('jax_enable_x64', True)\n"
    code = CODE.replace("import qtd\n", double, 1).replace("str(said[0].message)", "''")
    assert run(code).splitlines()[0].strip() == "0"


def test_what_single_precision_cannot_tell_is_flagged():
    """A device near equilibrium, where currents are smaller than the rounding of what goes to and
    fro, keeps no law."""
    cold = jnp.linspace(0.999, 1.001, 101)

    def build(t):
        return as_float32(
            qtd.replace(QubitRefrigerator("global", exchange=0.1), {"cold.temperature": t})
        )

    def one(t):
        heat = build(t).operate().heat_currents
        return build(t).operate().status, sum(heat.values()), jnp.stack(list(heat.values()))

    status, balance, heat = jax.jit(jax.vmap(one))(cold)
    fine = status == 0
    assert bool(
        jnp.all(jnp.where(fine, jnp.abs(balance) <= 1e-3 * jnp.abs(heat).max(axis=1) + 1e-30, True))
    )
