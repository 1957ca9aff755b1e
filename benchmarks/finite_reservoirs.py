"""Finite reservoirs: 10 000 initial conditions in one call of qtd against SciPy's solvers in a
loop.

    python benchmarks/finite_reservoirs.py

The paper's Fig. 1 from other temperatures and potentials, up to a time where cooling is over and
heating is not. SciPy gets the equations written out for two reservoirs and two modes in plain
Python, which for so few numbers is faster than arrays, and tolerances that leave errors of the same
size. Agreement is checked first, compilation is timed apart, codes run in turn: qtd on all cores,
of each of which XLA makes a device, or with --one-core on one; loops on one, and extrapolated from
a sample.
"""

import argparse
import math
import os
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import jax
import jax.numpy as jnp
import numpy as np
import timing
from rows import Case, Row
from scipy.integrate import odeint, solve_ivp

from qtd.gases import FermiGas
from qtd.machines import FiniteReservoirs

ENERGIES, UNTIL = (21.1, 21.5), 200.0
SAMPLE = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one-core", action="store_true")
    arguments = parser.parse_args()
    devices = 1 if arguments.one_core else len(os.sched_getaffinity(0))
    # Read when JAX looks for devices for the first time.
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    timing.cores(devices)
    starts = scattered(arguments.starts)
    split = jax.sharding.PartitionSpec("starts")
    parts = jax.make_mesh((devices,), ("starts",), axis_types=(jax.sharding.AxisType.Auto,))
    run = jax.shard_map(
        lambda x: jax.lax.map(final, x, batch_size=256),
        mesh=parts,
        in_specs=split,
        out_specs=split,
        check_vma=False,
    )
    began = time.perf_counter()
    ours = jax.jit(run).lower(starts).compile()
    compilation = time.perf_counter() - began
    found, few = np.asarray(ours(starts)), np.asarray(starts[:SAMPLE])
    exact = np.array([by_ivp(start, 1e-13) for start in few])
    rivals = {
        "SciPy, solve_ivp (DOP853)": lambda: [by_ivp(x, 1e-10) for x in few],
        "SciPy, odeint": lambda: [by_odeint(x) for x in few],
    }
    print(
        f"\n{arguments.starts} starts up to time {UNTIL:g}; largest relative error"
        f" {np.abs(found[:SAMPLE] / exact - 1).max():.0e}",
        end="",
    )
    for name, run in rivals.items():
        print(f", {name} {np.abs(np.array(run()) / exact - 1).max():.0e}", end="")
    medians = timing.alternating(
        {"qtd": lambda: jax.block_until_ready(ours(starts)), **rivals}, arguments.rounds
    )
    print(f"\n  {'':<32} {'us/start':>10} {'time/qtd':>10}")
    each = {
        name: spent / (arguments.starts if name == "qtd" else SAMPLE)
        for name, spent in medians.items()
    }
    for name, spent in each.items():
        print(f"  {name:<32} {1e6 * spent:>10.1f} {spent / each['qtd']:>10.1f}")
    print(f"  Compilation {compilation:.1f} s")


def rows():
    """The row of finite reservoirs in the table of `python -m benchmarks`."""

    def case(points):
        starts = scattered(points)
        few = np.asarray(starts[:SAMPLE])
        known = {
            "SciPy odeint": lambda: tuple(np.transpose([by_odeint(x) for x in few])),
            "SciPy DOP853": lambda: tuple(np.transpose([by_ivp(x, 1e-10) for x in few])),
        }
        return Case(starts, known)

    def value(start):
        return tuple(final(start))

    title = "two gases up to time 200; gradient of a temperature in 4"
    cooled = jax.value_and_grad(lambda start: final(start)[0])
    # odeint's errors are 6e-10.
    return {"finite-reservoirs": Row(title, value, cooled, case, 1024, 1e-8, 256, 256)}


def scattered(starts):
    """Temperatures and potentials to start from, (starts, 4)."""
    low, high = np.array([0.4, 0.8, 20.0, 15.5]), np.array([0.8, 1.2, 21.0, 16.5])
    return jnp.asarray(np.random.default_rng(0).uniform(low, high, (starts, 4)))


def final(start):
    """Temperatures and potentials of both reservoirs in the end."""
    gases = FermiGas(start[:2], start[2:], closure="sommerfeld")
    found = FiniteReservoirs(jnp.array(ENERGIES), None, gases).evolve(jnp.array([UNTIL]))
    return jnp.concatenate([found.temperatures[0], found.chemical_potentials[0]])


def speed(state):
    """d(T_1, T_2, mu_1, mu_2)/dt by the Sommerfeld expansion at alpha = 3/2, rates sqrt(omega)."""
    flows = [0.0, 0.0]
    t, mu = state[:2], state[2:]
    for k, energy in enumerate(ENERGIES):
        filled = [1 / (1 + math.exp((energy - mu[j]) / t[j])) for j in (0, 1)]
        flows[k] = math.sqrt(energy) / 2 * (filled[0] - filled[1])
    warming, filling = [], []
    for j, sign in ((0, 1), (1, -1)):
        root = math.sqrt(mu[j])
        thermal = math.pi**2 / 6 * t[j] ** 2
        zeroth = root - thermal / 4 / mu[j] / root
        first = thermal / root
        second = 2 * thermal * root
        capacity, height = (second - first**2 / zeroth) / t[j], mu[j] + first / zeroth
        warming.append(
            -sign
            * sum((energy - height) * flow for energy, flow in zip(ENERGIES, flows))
            / capacity
        )
        filling.append((-sign * sum(flows) - first / t[j] * warming[-1]) / zeroth)
    return [*warming, *filling]


def by_ivp(start, tolerance):
    options = {"method": "DOP853", "rtol": tolerance, "atol": 1e-2 * tolerance}
    return solve_ivp(
        lambda _, y: speed(y.tolist()), (0, UNTIL), start, t_eval=[UNTIL], **options
    ).y[:, -1]


def by_odeint(start):
    return odeint(
        lambda y, _: speed(y.tolist()), start, [0, UNTIL], rtol=1e-11, atol=1e-13, mxstep=10_000
    )[-1]


if __name__ == "__main__":
    main()
