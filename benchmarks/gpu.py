"""An accelerator: does it agree with the processor, how fast is it, and what is lost there?

    python benchmarks/gpu.py [--quick] [--json FILE]

On the first accelerator that JAX sees; where there is none, on the processor itself. Printed in
Markdown, with the name of the device:

- agreement of every machine, in double and in single precision, with the processor in double:
  value, noise (where the machine counts), and gradient in what its own design problem moves,
  worst of the points, relative to the largest of each kind;
- points per second of a sweep of a million collective refrigerators, of 20 480 gradients of every
  machine, and of 10 000 trajectories of finite reservoirs, operations per second as a share of what
  the device does with numbers in registers, and the least traffic as a share of its bandwidth;
- what barriers between fused steps (`settle`) and loops over levels cost: the time without
  barriers, and that which a batched solver takes for dense matrices of as many levels alone;
- the largest memory in use.
"""

import argparse
import contextlib
import json
import resource
import time
from unittest import mock

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import roofline
from first_answer import MACHINES

import qtd

CHUNKS = {"QuantumMotor": 64, "FiniteReservoirs": 4096}  # devices together; 16 384 of all others


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a hundredth of the points")
    parser.add_argument("--json", help="where to write all numbers")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    begun, share = time.perf_counter(), 100 if arguments.quick else 1
    device, cpu = jax.devices()[0], jax.devices("cpu")[0]
    print(f"Device: {device.device_kind} ({device.platform}); jax {jax.__version__}\n")
    found = {
        "device": device.device_kind,
        "agreement": agreement(device, cpu, 64),
        "speed": speed(device, share),
        "barriers": barriers(device, 2**16 // share),
        "megabytes": memory(device),
    }
    print(f"\nLargest memory in use: {found['megabytes']:.0f} MB.", end=" ")
    print(f"All of this took {time.perf_counter() - begun:.0f} s.")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)


def agreement(device, cpu, points):
    """Worst differences by machine, precision and kind, with the processor in double precision."""
    print(
        "| largest difference, over the largest value | float64: value, noise, gradient | float32 |"
    )
    print("|---|---|---|")
    found = {}
    for name in MACHINES:
        machine, numbers = scattered(name, points)
        expected = figures(machine, numbers, chunk_of(name), cpu)
        row = {}
        for dtype in (jnp.float64, jnp.float32):
            cast = in_precision((machine, numbers), dtype)
            ours = figures(*cast, chunk_of(name), device)
            row[np.dtype(dtype).name] = differences(ours, expected)
        found[name] = row
        print(f"| {name} | {' | '.join(map(written, row.values()))} |", flush=True)
    return found


def figures(machine, numbers, chunk, device):
    """Value, noise and gradient of each point, on a device."""
    value, noise = value_of(machine), noise_of(machine)

    def one(numbers):
        found, slope = jax.value_and_grad(value)(numbers)
        return found, [] if noise is None else [noise(numbers)], jax.tree.leaves(slope)

    placed = jax.device_put(numbers, device)
    run = jax.jit(lambda x: jax.lax.map(one, x, batch_size=chunk))
    return [[np.asarray(x, float) for x in jax.tree.leaves(part)] for part in run(placed)]


def differences(found, expected):
    """The worst of each kind; None where there is none, NaN where nothing is known."""

    def worst(ours, theirs):
        known = np.isfinite(theirs)
        if not known.any():
            return float("nan")
        off = np.abs(np.where(known, ours - theirs, 0))
        return float(np.nan_to_num(off, nan=np.inf).max() / (np.abs(theirs[known]).max() or 1.0))

    return [
        max((worst(*pair) for pair in zip(ours, theirs)), default=None)
        for ours, theirs in zip(found, expected)
    ]


def speed(device, share):
    """Points per second of the jobs that accelerators are for, and shares of what they can do."""
    peak, stream = roofline.arithmetic(), roofline.bandwidth()
    print(f"\nThe device: {peak:.3g} operations and {stream:.3g} bytes per second (float64).\n")
    print("| job | points per second | of its operations | of its bandwidth | compilation, s |")
    print("|---|---|---|---|---|")
    jobs = {"10^6 collective refrigerators": ("CollectiveRefrigerator", 10**6, False)}
    jobs |= {f"20 480 gradients, {name}": (name, 20_480, True) for name in MACHINES}
    found = {}
    for title, (name, points, is_gradient) in jobs.items():
        # A hundred motors keep a processor busy for as long as everything else.
        least = 64 if name == "QuantumMotor" else 256
        machine, numbers = scattered(name, max(points // share, least))
        function = value_of(machine)
        one = jax.value_and_grad(function) if is_gradient else function
        found[title] = measured(title, one, numbers, chunk_of(name), device, peak, stream)
    machine, numbers = scattered("FiniteReservoirs", max(10_000 // share, 256))
    quick = qtd.replace(machine, {"gases.closure": "sommerfeld"})

    def trajectory(numbers):
        return qtd.replace(quick, numbers).evolve(jnp.asarray([200.0])).temperatures[0]

    title = "10 000 trajectories of finite reservoirs"
    found[title] = measured(title, trajectory, numbers, 4096, device, peak, stream)
    return found


def measured(title, one, numbers, chunk, device, peak, stream):
    """A row of the table."""
    placed = jax.device_put(numbers, device)
    points = len(jax.tree.leaves(numbers)[0])
    start = time.perf_counter()
    run = jax.jit(lambda x: jax.lax.map(one, x, batch_size=chunk)).lower(placed).compile()
    compilation = time.perf_counter() - start
    spent = roofline.fastest(lambda: run(placed), 1)
    asked = roofline.work(one, jax.tree.map(lambda x: x[0], numbers))
    row = {
        "points_per_second": points / spent,
        "operations": asked.operations * points / spent / peak,
        "bandwidth": asked.moved * points / spent / stream,
        "compilation": compilation,
    }
    # What is counted once in a loop of unknown length is a lower bound.
    least = "at least " if asked.unknown else ""
    print(
        f"| {title} | {row['points_per_second']:.3g} | {least}{row['operations']:.1%} |"
        f" {row['bandwidth']:.2%} | {compilation:.1f} |",
        flush=True,
    )
    return row


def barriers(device, points):
    """Seconds of a sweep, and without barriers between fused steps, and of dense matrices alone."""
    machine, numbers = scattered("CollectiveRefrigerator", points)
    function, placed = value_of(machine), jax.device_put(numbers, device)
    levels = machine.network().topology.size

    def seconds(function, **patched):
        with contextlib.ExitStack() as stack:
            for where, new in patched.items():
                stack.enter_context(mock.patch(where, new))
            run = jax.jit(lambda x: jax.lax.map(function, x, batch_size=16_384))
            run = run.lower(placed).compile()
        return roofline.fastest(lambda: run(placed), 3)

    def dense(numbers):
        rates = jnp.eye(levels) + jax.tree.leaves(numbers)[0].sum() / levels
        return jnp.linalg.solve(rates, jnp.ones(levels))[0]

    ours = seconds(function)
    found = {
        "without barriers": seconds(function, **{name: lambda x: x for name in _settles()}),
        "dense matrices": seconds(dense),
    }
    print(f"\n{points} collective refrigerators take {ours / points * 1e6:.3g} us each;")
    for name, spent in found.items():
        print(f"- {name}: {spent / ours:.2f} of the time")
    return found | {"seconds": ours}


def _settles():
    """The names by which modules know the barrier."""
    import sys

    settle = qtd._numerics.batching.settle
    return [
        f"{name}.settle"
        for name, module in list(sys.modules.items())
        if name.startswith("qtd.") and getattr(module, "settle", None) is settle
    ]


def memory(device):
    """The most that was in use, in megabytes: of the device, or of this process."""
    known = device.memory_stats() or {}
    if "peak_bytes_in_use" in known:
        return known["peak_bytes_in_use"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def scattered(name, points):
    """A machine, and what its own design problem moves, by path, within 2 % of the default."""
    machine = getattr(qtd.machines, name)()
    known = qtd.parameters(machine, qtd.design.problem(machine).over)
    random = np.random.default_rng(0)
    numbers = {
        path: jnp.asarray(float(known[path]) * (1 + 0.02 * random.uniform(-1, 1, points)))
        for path in qtd.design.problem(machine).over
    }
    return machine, numbers


def in_precision(tree, dtype):
    """The same with all its numbers in this precision."""
    return jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, tree)


def value_of(machine):
    """The first observable, as a function of numbers by path."""
    observe = next(iter(qtd.design.observables(machine).values()))
    return lambda numbers: observe(qtd.replace(machine, numbers))


def noise_of(machine):
    """The first noise of a heat current; None of machines that do not count."""
    if not hasattr(machine, "covariance"):
        return None
    known = qtd.design.observables(machine)
    observe = next(known[name] for name in known if name.startswith("S_"))
    return lambda numbers: observe(qtd.replace(machine, numbers))


def chunk_of(name):
    return CHUNKS.get(name, 16_384)


def written(differences):
    return ", ".join("-" if x is None else f"{x:.0e}" for x in differences)


if __name__ == "__main__":
    main()
