"""Sweeps of the collective refrigerator (31 spins; current, noise, COP): points per second against
the bare compiled kernel, and memory.

    python benchmarks/sweeps.py [--points 1000] [--devices 2]

A grid of points x points, written to a Zarr store; the kernel does the same points with nothing
around it, compiled beforehand, its results kept in memory. Everything in one run, medians of
several rounds in turn.
"""

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--points", type=int, default=1000, help="along each of two axes")
parser.add_argument("--devices", type=int, default=1, help="that XLA makes of the cores")
parser.add_argument("--rounds", type=int, default=5)
arguments = parser.parse_args()
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={arguments.devices}"

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import qtd

OBSERVE, BATCH = ["J_cold", "S_cold", "COP"], 256


def main():
    jax.config.update("jax_enable_x64", True)
    machine = qtd.machines.CollectiveRefrigerator(num_spins=31)
    over = {
        "cold.temperature": np.linspace(0.3, 1, arguments.points),
        "hot.temperature": np.linspace(0.4, 2, arguments.points),
    }
    total = arguments.points**2
    seconds = {"kernel": [], "sweep": []}
    kernel, compilation = bare_kernel(machine, over)
    for turn in range(arguments.rounds + 1):
        for name, run in (("kernel", kernel), ("sweep", lambda: whole_sweep(machine, over))):
            spent = run()
            if turn:
                seconds[name].append(spent)
    print(
        f"{total} points, {len(os.sched_getaffinity(0))} cores, {jax.device_count()} devices, jax"
        f" {jax.__version__}, qtd {qtd.__version__}"
    )
    print(
        f"  bare kernel, one core        {total / statistics.median(seconds['kernel']):>12.0f}"
        f" points/s   (compiled in {compilation:.1f} s)"
    )
    rate = total / statistics.median(seconds["sweep"])
    share = statistics.median(seconds["kernel"]) / statistics.median(seconds["sweep"])
    print(
        f"  sweep into a store           {rate:>12.0f} points/s   {100 * share:.0f} % of the"
        " kernel's; checks, tracing, compilation apart"
    )
    print(
        "  peak memory of the process  "
        f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>12.0f} MB"
    )


def bare_kernel(machine, over):
    """Seconds of one call that computes all points and keeps them."""

    def point(values):
        table = qtd.replace(machine, dict(zip(over, values))).operate().observables()
        return {name: table[name].value for name in OBSERVE}

    grid = jnp.stack([jnp.ravel(x) for x in jnp.meshgrid(*over.values(), indexing="ij")], axis=1)
    # Without the rest of a batch, which can make all of it twice as slow.
    grid = grid[: len(grid) // BATCH * BATCH]
    start = time.perf_counter()
    compiled = (
        eqx.filter_jit(lambda grid: jax.lax.map(point, grid, batch_size=BATCH))
        .lower(grid)
        .compile()
    )
    compilation = time.perf_counter() - start

    def run():
        start = time.perf_counter()
        jax.block_until_ready(compiled(grid))
        return time.perf_counter() - start

    return run, compilation


def whole_sweep(machine, over):
    """Seconds from the first block to the last one written."""
    from qtd import sweeps

    folder = Path(tempfile.mkdtemp())
    began = []
    locally = sweeps.locally
    sweeps.locally = lambda *known: (began.append(time.perf_counter()), locally(*known))[1]
    try:
        qtd.sweep(machine, over, OBSERVE, store=folder / "map.zarr")
        return time.perf_counter() - began[0]
    finally:
        sweeps.locally = locally
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
