"""How time, memory and compilation grow with everything that can be made larger.

    python benchmarks/growth.py [--quick] [--only NAME ...] [--limit SECONDS] [--out FILE]

Each size is a process of its own on one core, which ends after a limit; larger ones are then not
tried. Exponents are fitted to the upper half of the sizes, beside those that the algorithms
promise. Nothing promises that compilation grows: a program that does is longer, which is counted
in operations of StableHLO. Printed in Markdown, and drawn.
"""

import argparse
import contextlib
import functools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import jax
import jax.numpy as jnp
import motor
import motor_rivals
import numpy as np
import resonators
import timing
from rate_networks import FIGURE_2, figures

import qtd

LIMIT, QUICK_LIMIT = 150, 12  # seconds for one size
MOST = 8.0  # seconds for all runs of one program
PANELS = 24  # of a turn of the motor: derivatives of high order lose their digits on even angles
HEAD = (
    "| what grows | from, to | time: from, to | exponent (expected) | memory, MB: from, to |"
    " exponent (expected) | compilation, s: from, to | operations of the program: from, to |"
    " exponent (expected) |\n" + "|---" * 9 + "|"
)


class Case(NamedTuple):
    """What is compiled, and the number that its time is said to grow with; perhaps a rival."""

    function: Callable[..., Any]
    arguments: tuple
    size: float
    rival: Callable[[], Any] | None = None


class Growth(NamedTuple):
    """Sizes, how one of them is made, and the exponents that time and memory should have."""

    title: str
    sizes: tuple[int, ...]
    case: Callable[[int], Case]
    time: float
    memory: float


def points(number):
    """A sweep of the 31-spin refrigerator: as many cold temperatures."""

    def current(temperature):
        machine = qtd.machines.CollectiveRefrigerator(31)
        at = qtd.replace(machine, {"cold.temperature": temperature})
        return at.operate().heat_currents["cold"]

    def sweep(temperatures):
        return jax.lax.map(current, temperatures, batch_size=256)

    return Case(sweep, (jnp.linspace(0.3, 1.0, number),), number)


def spins(number):
    """Current, noise and COP of 16 collective refrigerators together."""
    point = jnp.asarray([FIGURE_2[name] for name in FIGURE_2]).T.reshape(12)
    together = jax.vmap(functools.partial(figures, number))
    return Case(together, (jnp.tile(point, (16, 1)),), number)


def levels(number):
    """The current of two resonators with so many levels each."""
    return Case(resonators.box_current(number), (jnp.asarray(0.05),), number)


def joined(number):
    """The steady state of levels each of which jumps to all others, beside one LAPACK solve."""
    density = qtd.spectral.Ohmic(0.1, 10.0)
    baths = {
        name: qtd.Reservoir(temperature, spectral_density=density)
        for name, temperature in (("hot", 1.0), ("cold", 0.5))
    }
    low, high = np.triu_indices(number, 1)
    jumps = [("hot", low, high, 1.0), ("cold", low, high, 1.0 + low % 3)]
    network = qtd.RateNetwork(np.linspace(0.0, 3.0, number), jumps, baths)
    rates = np.random.default_rng(0).uniform(size=(number, number))
    rates -= np.diag(rates.sum(axis=0))

    def rival():
        return np.linalg.solve(rates[1:, 1:], -rates[1:, 0])

    return Case(qtd.steady_state, (network,), number, rival)


def qubits(number):
    """The current through a chain of qubits that hand on excitations, a local master equation; its
    time grows with the numbers that are kept of the state."""

    def on(operator, site):
        return functools.reduce(np.kron, [operator if k == site else np.eye(2) for k in chain])

    chain = range(number)
    lower, density = np.array([[0.0, 1.0], [0.0, 0.0]]), qtd.spectral.Ohmic(0.01, 10.0)
    hops = [on(lower.T, k) @ on(lower, k + 1) for k in chain[:-1]]
    device = qtd.Lindbladian(
        bare={f"qubit {k}": (1.0, on(lower.T @ lower, k)) for k in chain},
        interaction={f"hop {k}": (0.02, hop + hop.T) for k, hop in enumerate(hops)},
        couplings={"hot": on(lower + lower.T, 0), "cold": on(lower + lower.T, number - 1)},
        reservoirs={
            "hot": qtd.Reservoir(2.0, spectral_density=density),
            "cold": qtd.Reservoir(1.0, spectral_density=density),
        },
        approach="local",
    )

    def current(temperature):
        at = qtd.replace(device, {"reservoirs.hot.temperature": temperature})
        return qtd.operate(at).heat_currents["hot"]

    return Case(current, (jnp.asarray(2.0),), device.structure.numbers)


def cumulants(order):
    """Cumulants up to an order of 256 collective refrigerators together."""

    def at(temperature):
        machine = qtd.machines.CollectiveRefrigerator(31)
        return qtd.replace(machine, {"cold.temperature": temperature}).cumulants("cold", order)

    return Case(jax.vmap(at), (jnp.linspace(0.4, 0.6, 256),), order)


def expansion(order):
    """Coefficients of a motor up to an order in the velocity."""
    columns = motor_rivals.columns_of(motor_rivals.circle(10.0, 8.0))[:, 0]

    def series(x):
        found = motor.motor(x).coefficients(order, PANELS)
        return found.torque, found.heat

    return Case(series, (jnp.asarray(columns),), order)


def reservoirs(number):
    """Covariances of all currents of 256 three-level systems together."""
    names, density = [f"r{k}" for k in range(number)], qtd.spectral.Ohmic(0.1, 10.0)
    jumps = [(name, a, b, 1.0) for name in names for a, b in ((0, 1), (1, 2), (0, 2))]

    def matrix(temperature):
        baths = {
            name: qtd.Reservoir(temperature * (1 + k / number), spectral_density=density)
            for k, name in enumerate(names)
        }
        return qtd.counting.covariance(qtd.RateNetwork([0.0, 1.0, 2.5], jumps, baths)).matrix

    return Case(jax.vmap(matrix), (jnp.linspace(0.4, 0.6, 256),), number)


GROWTHS = {
    # Whole batches: what is left over would be a second program.
    "points": Growth("points of a sweep", tuple(256 * 8**k for k in range(6)), points, 1, 1),
    "spins": Growth("collective spins", (31, 101, 301, 1001, 3001, 10001, 20001), spins, 1, 1),
    # Elimination of L x L levels along a band as wide as L.
    "levels": Growth("levels L of L x L", (2, 4, 6, 10, 20, 40, 60), levels, 4, 3),
    "joined": Growth("levels, all of them joined", (10, 30, 100, 300, 1000), joined, 3, 2),
    "qubits": Growth("numbers kept of 1 to 6 qubits", (1, 2, 3, 4, 5, 6), qubits, 3, 2),
    # Every order asks the orders below it.
    "cumulants": Growth("order of cumulants", (1, 2, 4, 6, 8, 10, 12), cumulants, 2, 1),
    "expansion": Growth("order in the velocity", (1, 2, 3, 4, 6, 8), expansion, 2, 1),
    "reservoirs": Growth("reservoirs, all covariances", (2, 4, 8, 16, 32), reservoirs, 2, 2),
}


def main():
    arguments = _arguments()
    if arguments.measure:
        with contextlib.redirect_stdout(None):
            timing.one_core()
        found = measured(GROWTHS[arguments.measure[0]].case(int(arguments.measure[1])))
        print(json.dumps(found))
        return
    timing.one_core()
    print(f"\n{HEAD}", flush=True)
    limit = arguments.limit or (QUICK_LIMIT if arguments.quick else LIMIT)
    found, stopped = {}, {}
    for name in arguments.only or GROWTHS:
        found[name], stopped[name] = grown(name, limit)
        if len(found[name]) > 1:
            print(line(GROWTHS[name], found[name]), flush=True)
    print()
    for name, size in stopped.items():
        if size:
            print(f"{GROWTHS[name].title}: {size} take more than {limit} s to compile and run.")
    for name, rows in found.items():
        if rows and "rival" in rows[0]:
            ratios = ", ".join(f"{row['rival'] / row['time']:.2g}" for row in rows)
            print(f"{GROWTHS[name].title}: LAPACK's time, qtd = 1, by size: {ratios}.")
    if arguments.out:
        draw({name: rows for name, rows in found.items() if len(rows) > 1}, arguments.out)


def measured(case):
    """Size, seconds of a run and of compilation, bytes, and operations of the program."""
    start = time.perf_counter()
    lowered = jax.jit(case.function).lower(*case.arguments)
    program = lowered.compile()
    compilation = time.perf_counter() - start
    memory = program.memory_analysis()
    row = {
        "size": case.size,
        "time": median(lambda: jax.block_until_ready(program(*case.arguments))),
        "memory": memory.temp_size_in_bytes
        + memory.output_size_in_bytes
        + memory.argument_size_in_bytes,
        "compilation": compilation,
        "operations": lowered.as_text().count("stablehlo."),
    }
    return row | ({"rival": median(case.rival)} if case.rival else {})


def median(run):
    """Median seconds of up to nine runs after a first one, of fewer where they take long."""
    start = time.perf_counter()
    run()
    rounds = int(np.clip(MOST / (time.perf_counter() - start), 1, 9))
    return timing.alternating({"": run}, rounds)[""]


def grown(name, limit):
    """What was measured of all sizes, and the one that took too long."""
    rows = []
    for size in GROWTHS[name].sizes:
        command = [sys.executable, __file__, "--measure", name, str(size)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return rows, size
        if done.returncode:
            raise SystemExit(f"{name}, {size}:\n{done.stderr[-2000:]}")
        rows.append(json.loads(done.stdout))
    return rows, None


def exponent(rows, quantity):
    """The slope of the upper half of the sizes on doubly logarithmic paper."""
    upper = rows[min(len(rows) // 2, len(rows) - 2) :]
    slope = np.polyfit(*(np.log([row[key] for row in upper]) for key in ("size", quantity)), 1)[0]
    return round(slope, 2) + 0.0  # never -0.00


def line(growth, rows):
    """A row of the table."""

    def ends(quantity, scale=1.0, digits=".3g"):
        return ", ".join(f"{row[quantity] * scale:{digits}}" for row in (rows[0], rows[-1]))

    cells = [
        growth.title,
        ends("size", digits=".0f"),
        ", ".join(_seconds(row["time"]) for row in (rows[0], rows[-1])),
        f"{exponent(rows, 'time'):.2f} ({growth.time:g})",
        ends("memory", 1e-6, ".2g"),
        f"{exponent(rows, 'memory'):.2f} ({growth.memory:g})",
        ends("compilation", digits=".2g"),
        ends("operations", digits="d", scale=1),
        f"{exponent(rows, 'operations'):.2f} (0)",
    ]
    return f"| {' | '.join(cells)} |"


def _seconds(spent):
    unit, scale = next(x for x in (("s", 1), ("ms", 1e3), ("us", 1e6)) if spent * x[1] >= 1)
    return f"{spent * scale:.3g} {unit}"


def draw(found, file):
    """Time, memory, compilation and program length over those of the smallest size."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    styles = {
        "time": ("C0", "o-", "time"),
        "memory": ("C1", "s-", "memory"),
        "compilation": ("C3", "^--", "compilation"),
        "operations": ("0.5", "v:", "length of the program"),
    }
    rows, columns = math.ceil(len(found) / 4), min(len(found), 4)
    figure, axes = plt.subplots(rows, columns, figsize=(4 * columns, 3.4 * rows), squeeze=False)
    for axis, (name, measured) in zip(axes.flat, found.items()):
        sizes = np.array([row["size"] for row in measured], float)
        for quantity, (colour, style, label) in styles.items():
            values = np.array([row[quantity] for row in measured])
            axis.loglog(sizes, values / values[0], style, color=colour, ms=4, label=label)
        growth = GROWTHS[name]
        last = measured[-1]["time"] / measured[0]["time"]
        promised = last * (sizes / sizes[-1]) ** growth.time
        axis.loglog(sizes, promised, color="C0", lw=6, alpha=0.2, label="time as expected")
        axis.set_title(
            f"time ~ size^{exponent(measured, 'time'):.2f}, expected {growth.time:g}", fontsize=10
        )
        axis.set_xlabel(growth.title)
        axis.set_xticks(sizes[::-2], [f"{size:g}" for size in sizes[::-2]])
        axis.set_ylim(0.3, max(20, 2 * axis.get_ylim()[1]))
        for each in (axis.xaxis, axis.yaxis):
            each.set_minor_formatter(ticker.NullFormatter())
        axis.grid(alpha=0.3)
    for axis in list(axes.flat)[len(found) :]:
        axis.remove()
    for axis in axes[:, 0]:
        axis.set_ylabel("smallest size = 1")
    axes[0, 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=130)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_LIMIT} s for a size")
    parser.add_argument("--only", nargs="+", choices=GROWTHS, metavar="NAME")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="for a size")
    parser.add_argument("--out", metavar="FILE", help="where to save a picture")
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "SIZE"), help="what a process does")
    return parser.parse_args()


if __name__ == "__main__":
    main()
