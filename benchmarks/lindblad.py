"""Devices with coherences: qtd against NumPy, QuTiP and qthermo on two qubits (a
`QubitRefrigerator`) and on three (a `Lindbladian`).

    python benchmarks/lindblad.py            (needs the extra `bench` for QuTiP and qthermo; else
    their rows are left out)
    python benchmarks/lindblad.py --large 5 6     rows of so many qubits against QuTiP, instead

Every code computes the cooling current and its noise, and of the two qubits the COP, of the same
devices, scattered by 20 % around a working point. Agreement is checked first, compilation is timed
apart, and the codes run in turn on one core.
"""

import argparse
import functools
import importlib.metadata
import itertools
import os
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import jax
import jax.numpy as jnp
import lindblad_rivals as rivals
import numpy as np
import timing
from rows import Case, Row

import qtd

# Time/qtd that we want to reach, per point of a sweep.
TARGETS = {
    "NumPy": 3,
    "QuTiP": 1000,
    "qthermo": 500,
}
ONE_BY_ONE = {"QuTiP": rivals.qutip_points, "qthermo": rivals.qthermo_points}
# where the cold current is a millionth of what goes back and forth, both codes keep that many
# digits less
TOLERANCE = 1e-6


def main():
    arguments = _arguments()
    timing.one_core()
    versions = {name: _version(name) for name in ("qutip", "qthermo")}
    print(", ".join(f"{name} {version}" for name, version in versions.items() if version))
    missing = [name for name, version in versions.items() if not version]
    if arguments.large:
        for sites, approach in itertools.product(arguments.large, ("local", "global", "redfield")):
            large(sites, approach, arguments.rounds, "qutip" not in missing)
        return
    if missing:
        print(f"Not installed, rows left out: {', '.join(missing)}")
    loops = {name: make for name, make in ONE_BY_ONE.items() if name.lower() not in missing}
    for two_qubits, points, chunk in zip((True, False), arguments.points, arguments.chunks):
        compare(two_qubits, points, chunk, arguments.few, arguments.rounds, loops)


def compare(two_qubits, points, chunk, few, rounds, loops):
    """Agreement, then time per point in a sweep, then time of one call."""
    arrays = _scattered(two_qubits, points)
    parameters = _named(two_qubits, arrays)
    device = two_qubit_device() if two_qubits else three_qubit_device()
    figures = functools.partial(_figures, device)
    value, compile_value = timing.compiled(figures, parameters, chunk)
    gradient, compile_gradient = timing.compiled(
        jax.value_and_grad(lambda x: figures(x)[0]), parameters, chunk
    )

    part = [x[:few] for x in arrays]
    codes = {"qtd": (lambda: jax.block_until_ready(value(parameters)), points)}
    solve, every, few_numbers = (
        (rivals.numpy_two_qubits, 16, 6) if two_qubits else (rivals.numpy_three_qubits, 64, 10)
    )
    codes[f"NumPy, all {every} numbers, batched LAPACK"] = lambda: solve(*arrays), points
    codes[f"NumPy, {few_numbers} numbers chosen by hand"] = (
        lambda: solve(*arrays, by_hand=True),
        points,
    )
    for name, make in loops.items():
        codes[f"{name}, one by one"] = functools.partial(make(two_qubits), *part), few
    if "QuTiP" in loops:
        codes["QuTiP, its default steadystate"] = (
            functools.partial(rivals.qutip_points(two_qubits, "direct"), *part),
            few,
        )
    kept = (device.lindbladian() if two_qubits else device).structure.numbers
    title = (
        'A: two qubits, QubitRefrigerator("local")'
        if two_qubits
        else "B: three qubits, Lindbladian, local, by a user"
    )
    print(
        f"\n{title}; {points} points, {len(parameters)} parameters each; qtd keeps {kept} real"
        " numbers of the state"
    )
    print(
        "  Agreement with qtd, worst of the points, relative: "
        + ("J_cold, S_cold, COP" if two_qubits else "J_cold, S_cold")
    )
    reference = [np.asarray(x) for x in value(parameters)]
    for name, (run, count) in codes.items():
        differences = [
            np.abs(x / y[:count] - 1).max() for x, y in zip(run(), reference, strict=True)
        ]
        print(f"    {name:<46} {'  '.join(f'{x:.1e}' for x in differences)}")
        assert max(differences) < TOLERANCE, name

    codes["qtd, value and gradient of J_cold"] = (
        lambda: jax.block_until_ready(gradient(parameters)),
        points,
    )
    medians = timing.alternating({name: run for name, (run, _) in codes.items()}, rounds)
    per_point = {name: medians[name] / count for name, (_, count) in codes.items()}
    print(
        f"  Compilation: value {compile_value:.2f} s, value and gradient {compile_gradient:.2f} s"
    )
    _table("Sweep", per_point, TARGETS)

    calls = {
        "qtd, operate()": _calls(lambda d: _read(d, two_qubits), _devices(device, parameters, few))
    }
    changes = [{path: float(x[i]) for path, x in parameters.items()} for i in range(few)]
    calls["qtd, new parameters, then operate()"] = _calls(
        lambda x: _read(qtd.replace(device, x), two_qubits), changes
    )
    compiled = jax.jit(figures)
    calls["qtd, one jitted function of the parameters"] = _calls(
        lambda x: jax.block_until_ready(compiled(x)), changes
    )
    for name, make in loops.items():
        point = make(two_qubits)
        calls[name] = _calls(
            lambda x, point=point: point(*x), [[x[i : i + 1] for x in part] for i in range(few)]
        )
    medians = timing.alternating(calls, rounds * few)
    _table("One call, after the first", medians, {"QuTiP": 1, "qthermo": 1})


def rows():
    """The qubits' rows in the table of `python -m benchmarks`."""

    def row(two_qubits, points, chunk):
        device = two_qubit_device() if two_qubits else three_qubit_device()
        figures = functools.partial(_figures, device)
        solve = rivals.numpy_two_qubits if two_qubits else rivals.numpy_three_qubits

        def case(points):
            arrays = _scattered(two_qubits, points)
            known = {
                "NumPy LAPACK, chosen by hand": lambda: solve(*arrays, by_hand=True),
                "NumPy LAPACK, all": lambda: solve(*arrays),
            }
            return Case(_named(two_qubits, arrays), known)

        title = (
            "local: current, noise, COP; gradient of the current in 9"
            if two_qubits
            else "local: current, noise; gradient of the current in 6"
        )
        cooling = jax.value_and_grad(lambda x: figures(x)[0])
        return Row(title, figures, cooling, case, points, TOLERANCE, chunk, chunk)

    return {"two-qubits": row(True, 4096, 256), "three-qubits": row(False, 2048, 64)}


def large(sites, approach, rounds, has_qutip, points=16):
    """The state at rest of a row of qubits, one point and several in a batch; the current, its
    slope and the noise; and QuTiP, which is given a Liouvillian that is made already."""
    start = time.perf_counter()
    device = chain(sites, approach)
    made = time.perf_counter() - start

    def point(temperature):
        return qtd.operate(qtd.replace(device, {"reservoirs.hot.temperature": temperature}))

    def state(temperature):
        return qtd.steady_state(qtd.replace(device, {"reservoirs.hot.temperature": temperature}))

    def current(temperature):
        return point(temperature).heat_currents["hot"]

    jobs = {
        "qtd, state": state,
        "qtd, heat current": current,
        "qtd, heat current and slope": jax.value_and_grad(current),
        "qtd, heat currents and noise": lambda x: point(x).heat_covariance.matrix,
        f"qtd, state, batch of {points}": jax.vmap(state),
    }
    runs, compilation, counts = {}, {}, {}
    for name, job in jobs.items():
        counts[name] = points if "batch" in name else 1
        argument = jnp.linspace(1.9, 2.1, points) if "batch" in name else jnp.asarray(2.0)
        start = time.perf_counter()
        run = jax.jit(job).lower(argument).compile()
        compilation[name] = time.perf_counter() - start
        runs[name] = lambda run=run, argument=argument: jax.block_until_ready(run(argument))
    prepared = ""
    # Elimination of six qubits fills in, and their Redfield tensor is made in Python.
    methods = tuple(rivals.METHODS) if sites < 6 else ("iterative-gmres", "iterative-bicgstab")
    if has_qutip and (sites < 6 or approach != "redfield"):
        seconds, ways = rivals.qutip_chain(device, methods)
        prepared = f"; QuTiP's Liouvillian {seconds:.2f} s"
        for method, way in ways.items():
            off = np.abs(way() - np.asarray(runs["qtd, state"]())).max()
            assert off < 1e-6, (method, off)
            runs[f"QuTiP, {method}"] = way
            counts[f"QuTiP, {method}"] = 1
    medians = timing.alternating(runs, rounds)
    print(f"\n{sites} qubits, {approach}: {device.structure}; made in {made:.2f} s{prepared}")
    base = medians["qtd, state"]
    for name, seconds in medians.items():
        compiled = f"compiled in {compilation[name]:.1f} s" if name in compilation else ""
        seconds = seconds / counts[name]
        print(f"    {name:<40} {1e3 * seconds:>10.2f} ms {seconds / base:>10.2f}   {compiled}")


def chain(sites, approach):
    """Qubits in a row that exchange quanta, a hot reservoir at one end, a cold one at the other."""
    energies = 1 + 0.1 * np.random.default_rng(1).uniform(-1, 1, sites)
    raised = [rivals.on(site, rivals.RAISE, sites) for site in range(sites)]
    hop = sum(a @ b.T + b @ a.T for a, b in itertools.pairwise(raised))
    ohmic = qtd.spectral.Ohmic(rivals.COUPLING, rivals.CUTOFF)
    ends = {"hot": (0, 2.0), "cold": (sites - 1, 0.5)}
    return qtd.Lindbladian(
        bare={
            str(site): (energies[site], rivals.on(site, rivals.NUMBER, sites))
            for site in range(sites)
        },
        interaction={"hop": (0.05, hop)},
        couplings={name: rivals.on(site, rivals.FLIP, sites) for name, (site, _) in ends.items()},
        reservoirs={
            name: qtd.Reservoir(t, spectral_density=ohmic) for name, (_, t) in ends.items()
        },
        approach=approach,
    )


def two_qubit_device():
    return qtd.machines.QubitRefrigerator(
        "local", energy_2=rivals.ENERGY_2, exchange=rivals.EXCHANGE
    )


def three_qubit_device():
    """An absorption refrigerator: the work qubit and the cold one together give the hot one its
    energy, H_int = g |1,0,1><0,1,0| + h.c."""
    cold, hot, work = (rivals.on(site, rivals.NUMBER, 3) for site in range(3))
    swap = np.zeros((8, 8))
    swap[0b101, 0b010] = swap[0b010, 0b101] = 1.0
    ohmic = qtd.spectral.Ohmic(rivals.COUPLING, rivals.CUTOFF)
    names = "cold", "hot", "work"
    return qtd.Lindbladian(
        bare={
            "cold": (1.0, cold + hot),
            "work": (1.0, work + hot),
        },  # the energy of hot is the sum of the other two
        interaction={"swap": (1.0, swap)},
        couplings={name: rivals.on(site, rivals.FLIP, 3) for site, name in enumerate(names)},
        reservoirs={name: qtd.Reservoir(1.0, spectral_density=ohmic) for name in names},
        approach="local",
    )


def _operate(device):
    return (
        device.operate()
        if isinstance(device, qtd.machines.QubitRefrigerator)
        else qtd.operate(device)
    )


def _figures(device, parameters):
    """J_cold, S_cold, and of a machine the COP."""
    point = _operate(qtd.replace(device, parameters))
    figures = point.heat_currents["cold"], point.heat_covariance["cold", "cold"]
    return (*figures, point.cop) if point.driven_by else figures


def _read(device, two_qubits):
    """What a person at the keyboard does with one device: the operating point as numbers of
    Python."""
    point = _operate(device)
    figures = float(point.heat_currents["cold"]), float(point.heat_covariance["cold", "cold"])
    return (*figures, float(point.cop)) if two_qubits else figures


def _scattered(two_qubits, points):
    """Arguments of the rivals, each with the points first."""
    # Temperatures, centers, widths of hot, sink, cold; or temperatures of cold, hot, work, energies
    # of cold and work, and g.
    qubits = ([1.2, 1.0, 0.8], [2.0, 2.1, 2.2], [0.02, 0.08, 0.06])
    three = ([1.0, 1.5, 8.0], [1.0, 3.0], 0.02)
    centres = qubits if two_qubits else three
    random = np.random.default_rng(0)
    return [
        np.array(x) * (1 + 0.2 * random.uniform(-1, 1, (points, *np.shape(x)))) for x in centres
    ]


def _named(two_qubits, arrays):
    """The same for qtd: one (points,) array for each parameter, by its path."""
    if two_qubits:
        paths = "temperature", "spectral_density.center", "spectral_density.width"
        return {
            f"{name}.{path}": jnp.asarray(x[:, r])
            for path, x in zip(paths, arrays)
            for r, name in enumerate(("hot", "sink", "cold"))
        }
    temperatures, energies, swap = map(jnp.asarray, arrays)
    named = {
        f"reservoirs.{name}.temperature": temperatures[:, r]
        for r, name in enumerate(("cold", "hot", "work"))
    }
    return {
        **named,
        "bare.cold": energies[:, 0],
        "bare.work": energies[:, 1],
        "interaction.swap": swap,
    }


def _devices(device, parameters, count):
    return [
        qtd.replace(device, {path: x[i] for path, x in parameters.items()}) for i in range(count)
    ]


def _calls(function, arguments):
    """A function without arguments that goes through these in turn."""
    queue = iter(range(10**9))
    return lambda: function(arguments[next(queue) % len(arguments)])


def _table(title, seconds, targets):
    """Times and their ratios to the first row, beside the ratios that we aim for."""
    base = next(iter(seconds.values()))
    print(f"  {title:<48} {'us/point':>12} {'time/qtd':>12} {'target':>8}")
    for name, time_taken in seconds.items():
        target = next((f">= {x}" for code, x in targets.items() if name.startswith(code)), "")
        print(f"    {name:<46} {1e6 * time_taken:>12.3f} {time_taken / base:>12.2f} {target:>8}")


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--points",
        type=int,
        nargs=2,
        default=(4096, 512),
        help="of the two and of the three qubits",
    )
    parser.add_argument(
        "--chunks", type=int, nargs=2, default=(256, 64), help="points that qtd evaluates together"
    )
    parser.add_argument(
        "--few", type=int, default=4, help="points for the codes that take one by one"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, nargs="+", help="rows of so many qubits, instead")
    return parser.parse_args()


if __name__ == "__main__":
    main()
