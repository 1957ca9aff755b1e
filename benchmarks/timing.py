"""How the benchmarks measure: compilation apart, then medians of runs taken in turn."""

import os
import platform
import time

import jax
import numpy as np

import qtd


def one_core():
    """Pin this process to one core, compute in float64, and say where."""
    cores(1)


def cores(most=None):
    """Keep this process on so many cores, or on all that it has, compute in float64, and say where;
    returns how many."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:most])
    count = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else most or os.cpu_count() or 1
    )
    jax.config.update("jax_enable_x64", True)
    print(
        f"{platform.processor() or platform.machine()}, {jax.devices()[0].device_kind}, {count}"
        f" core{'s' * (count > 1)}, float64"
    )
    print(
        f"python {platform.python_version()}, jax {jax.__version__}, numpy {np.__version__}, qtd"
        f" {qtd.__version__}"
    )
    return count


def compiled(function, arguments, chunk):
    """The function over a batch, `chunk` points together, and the seconds that its compilation
    took."""
    start = time.perf_counter()
    made = jax.jit(lambda x: jax.lax.map(function, x, batch_size=chunk)).lower(arguments).compile()
    return made, time.perf_counter() - start


def alternating(runs, rounds):
    """Median seconds of each, the runs taken in turn, after a first turn that is not counted."""
    seconds = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(x)) for name, x in seconds.items()}
