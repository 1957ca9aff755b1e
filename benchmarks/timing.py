"""How the benchmarks measure: compilation apart, then medians of runs taken in turn."""

import os
import platform
import re
import time
from pathlib import Path

import jax
import numpy as np
import scipy

import qtd
from qtd._numerics import compilation


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
        f"{processor()}, {jax.devices()[0].device_kind}, {count} of {os.cpu_count()} cores, float64"
    )
    print(
        f"python {platform.python_version()}, jax {jax.__version__}, numpy {np.__version__}, scipy"
        f" {scipy.__version__}, qtd {qtd.__version__}"
    )
    return count


def processor():
    """Its name, as Linux knows it, or as Python does."""
    known = Path("/proc/cpuinfo")
    model = known.exists() and re.search(r"model name\s*: (.*)", known.read_text())
    return model[1] if model else platform.processor() or platform.machine()


def compiled(function, arguments, chunk):
    """The function over a batch, `chunk` points together (None: it takes all of them itself),
    compiled as sweeps are, and the seconds that that took."""

    def over_batch(x):
        return function(x) if chunk is None else jax.lax.map(function, x, batch_size=chunk)

    # Versions of qtd that are older had none.
    options = getattr(compilation, "wide_options", dict)()
    start = time.perf_counter()
    made = jax.jit(over_batch).lower(arguments).compile(options)
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
