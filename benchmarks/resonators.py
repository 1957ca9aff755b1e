"""Two resonators: qtd against SciPy and NumPy, for one large box of levels, a sweep of small ones,
and a sweep of Green functions.

    python benchmarks/resonators.py

Agreement is checked first, compilation is timed apart, and the codes run in turn on one core. The
rivals are vectorised over levels (SciPy) or points (NumPy). Memory is what a compiled program holds
beside its arguments and results.
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import jax
import jax.numpy as jnp
import numpy as np
import timing
from rows import Case, Row, to_largest
from scipy.linalg import solve_banded
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

import qtd

NAMES = ("hot", "sink", "cold")
TEMPERATURES = np.array([1.3, 1.0, 0.7])
WIDTHS = np.array([0.02, 0.08, 0.06])
CUTOFF = 10.0


def main():
    arguments = _arguments()
    timing.one_core()
    one_box(60, arguments.rounds)
    sweep_of_boxes(6, arguments.points, arguments.rounds)
    sweep_of_green_functions(arguments.green_points, arguments.rounds)


def one_box(levels, rounds):
    """All populations of levels x levels, the cooling current, and for qtd its noise and its slope
    with the shift."""
    machine = qtd.machines.ResonatorRefrigerator((levels, levels))

    def at(shift):
        return qtd.replace(machine, {"shift": shift})

    current = box_current(levels)
    start = jnp.asarray([0.05])
    programs, compilation = {}, {}
    for name, function in {
        "current": current,
        "populations": lambda shift: at(shift).populations(),
        "current and noise": lambda shift: (
            lambda p: (p.heat_currents["cold"], p.heat_covariance["cold", "cold"])
        )(at(shift).operate()),
        "current and its slope": jax.value_and_grad(current),
    }.items():
        programs[name], compilation[name] = timing.compiled(function, start, 1)
    rivals = {"SciPy sparse LU": sparse_lu, "SciPy banded LU": banded_lu}
    exact = np.asarray(programs["populations"](start))[0]
    print(f"\nA: {levels} x {levels} levels; smallest population of qtd {exact.min():.1e}")
    print(
        f"  {'':<36} {'s':>10} {'time/qtd':>10}   current and populations: relative to qtd, to the"
        " population; negative ones"
    )
    reference = float(programs["current"](start)[0])
    runs = {
        f"qtd, {name}": lambda f=f: jax.block_until_ready(f(start)) for name, f in programs.items()
    }
    runs |= {name: lambda f=f: f(levels, 0.05) for name, f in rivals.items()}
    medians = timing.alternating(runs, rounds)
    for name, run in runs.items():
        line = (
            f"  {name:<36} {medians[name]:>10.4f} {medians[name] / medians['qtd, current']:>10.2f}"
        )
        if name in rivals:
            found, p = run()
            assert abs(found / reference - 1) < 1e-9, name
            line += (
                f"   {abs(found / reference - 1):.1e}  {np.abs(p / exact - 1).max():.1e} "
                f" {np.sum(p < 0)}"
            )
        print(line)
    print(
        "  Compilation: "
        + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in compilation.items())
    )


def sweep_of_boxes(levels, points, rounds, chunk=256):
    """The cooling current over temperatures, widths and shift scattered by 20 %."""
    parameters, current = _scattered(points), sweep_current(levels)
    value, compilation = timing.compiled(current, parameters, chunk)
    gradient, _ = timing.compiled(jax.value_and_grad(current), parameters, chunk)
    reference = np.asarray(value(parameters))
    found = batched_lapack(levels, np.asarray(parameters))
    # The general rival loses digits where the current nearly vanishes; what counts is the error
    # relative to the typical one.
    difference = np.abs(found - reference).max() / np.abs(reference).max()
    assert difference < 1e-9
    medians = timing.alternating(
        {
            "qtd": lambda: jax.block_until_ready(value(parameters)),
            "NumPy, batched LAPACK": lambda: batched_lapack(levels, np.asarray(parameters)),
            "qtd, value and gradient": lambda: jax.block_until_ready(gradient(parameters)),
        },
        rounds,
    )
    print(
        f"\nB: {levels} x {levels} levels, {points} points; difference of the currents to the"
        f" largest {difference:.1e}"
    )
    _table(medians, points)
    print(
        f"  Compilation {compilation:.2f} s; memory of the gradient {_megabytes(gradient):.0f} MB"
    )


def sweep_of_green_functions(points, rounds, chunk=16):
    """Occupations and all currents by the causal Green functions, 4096 points of the band, for
    strengths around 0.1."""
    parameters, current = _scattered(points), keldysh_current(4096)
    value, compilation = timing.compiled(current, parameters, chunk)
    gradient, _ = timing.compiled(jax.value_and_grad(current), parameters, chunk)
    fine, _ = timing.compiled(keldysh_current(16384), parameters[:8], 4)
    few = min(points, 8)
    medians = timing.alternating(
        {
            "qtd": lambda: jax.block_until_ready(value(parameters)),
            "qtd, value and gradient": lambda: jax.block_until_ready(gradient(parameters)),
        },
        rounds,
    )
    reference, coarse = np.asarray(fine(parameters[:8]))[:few], np.asarray(value(parameters))[:few]
    medians["NumPy FFTs, one by one"] = (
        timing.alternating({"": lambda: green_functions(np.asarray(parameters)[:few], 4096)}, 1)[""]
        * points
        / few
    )
    rival = green_functions(np.asarray(parameters)[:few], 4096)
    print(
        f"\nC: Green functions, {points} points; grid of 4096 to one of 16384"
        f" {np.abs(coarse / reference - 1).max():.1e},",
        end=" ",
    )
    print(f"to NumPy on the same grid {np.abs(rival / coarse - 1).max():.1e}")
    assert np.abs(rival / coarse - 1).max() < 1e-8
    _table(medians, points)
    print(
        f"  Compilation {compilation:.2f} s; memory of the gradient {_megabytes(gradient):.0f} MB,"
        " at any number of points"
    )


def box_current(levels):
    """The cooling current of levels x levels as a function of the shift."""
    machine = qtd.machines.ResonatorRefrigerator((levels, levels))

    def current(shift):
        return qtd.replace(machine, {"shift": shift}).operate().heat_currents["cold"]

    return current


def sweep_current(levels):
    """The same as a function of temperatures, widths and shift, (7,)."""
    machine = qtd.machines.ResonatorRefrigerator((levels, levels))

    def current(x):
        return qtd.replace(machine, _named(x)).operate().heat_currents["cold"]

    return current


def keldysh_current(points):
    """The cooling current by Green functions on so many points of the band, as a function of
    temperatures, widths and a quarter of the shift, (7,)."""
    machine = qtd.machines.ResonatorRefrigerator(energy_1=2.0, energy_2=2.0, shift=0.2)
    shared = {f"{name}.spectral_density.strength": 0.1 for name in NAMES} | {
        f"{name}.spectral_density.cutoff": 7.0 for name in NAMES
    }
    machine = qtd.replace(machine, shared)

    def current(x):
        at = qtd.replace(machine, {**_named(x), "shift": 4 * x[6]})
        return at.tied().keldysh(points=points).heat_currents["cold"]

    return current


def rows():
    """The resonators' rows in the table of `python -m benchmarks`."""

    def boxes(points):
        parameters = _scattered(points)
        known = np.asarray(parameters)
        return Case(parameters, {"NumPy LAPACK": lambda: batched_lapack(6, known)})

    def box(points):
        shifts = np.full(points, 0.05)

        def by(method):
            return lambda: np.array([method(60, shift)[0] for shift in shifts])

        known = {"SciPy banded LU": by(banded_lu), "SciPy sparse LU": by(sparse_lu)}
        return Case(jnp.asarray(shifts), known)

    def green(points):
        parameters = _scattered(points)
        few = np.asarray(parameters)[:8]
        return Case(parameters, {"NumPy FFTs": lambda: green_functions(few, 4096)})

    def row(title, current, *others):
        return Row(title, current, jax.value_and_grad(current), *others)

    title_6 = "6 x 6 levels: current; gradient in 7"
    title_60 = "60 x 60 levels: current; slope with the shift"
    title_green = "resonators, 4096 points of the band: current; gradient in 7"
    return {
        "resonators-6": row(title_6, sweep_current(6), boxes, 10240, 1e-9, 256, 256, to_largest),
        "resonators-60": row(title_60, box_current(60), box, 1, 1e-9, 1, 1),
        "green-functions": row(title_green, keldysh_current(4096), green, 256, 1e-8, 16, 16),
    }


def generator(levels, shift, temperatures=TEMPERATURES, widths=WIDTHS):
    """Rows, columns and rates of all jumps, batch last; and of those of the cold reservoir n_1,
    lower and upper level, rates."""
    n_1, n_2 = np.meshgrid(np.arange(levels), np.arange(levels), indexing="ij")
    index = n_1 * levels + n_2
    rows = []
    columns = []
    rates = []
    cold = None
    for r in range(3):
        low, high, photons, other = (
            (index[:-1], index[1:], n_1[1:], n_2[1:])
            if r < 2
            else (index[:, :-1], index[:, 1:], n_2[:, 1:], n_1[:, 1:])
        )
        low, high, photons, other = (x.ravel() for x in (low, high, photons, other))
        gap = 1 + np.multiply.outer(other, shift)
        center = 1.0 if r == 0 else 1.05
        strength = (
            photons.reshape(-1, *(1,) * np.ndim(shift))
            * widths[r]
            * gap
            / ((gap - center) ** 2 + (widths[r] * gap) ** 2)
        )
        up = strength / np.expm1(gap / temperatures[r])
        rows += [high, low]
        columns += [low, high]
        rates += [up, up + strength]
        if r == 2:
            cold = other, low, high, up, up + strength
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(rates), cold


def _cooling(shift, cold, p):
    n_1, low, high, up, down = cold
    n_1 = n_1.reshape(-1, *(1,) * (up.ndim - 1))
    return shift * (n_1 * (up * p[low] - down * p[high])).sum(axis=0)


def sparse_lu(levels, shift):
    """One row replaced by the norm, SuperLU."""
    rows, columns, rates, cold = generator(levels, shift)
    size = levels**2
    matrix = coo_array((rates, (rows, columns)), shape=(size, size)).tocsc()
    matrix = (
        matrix - coo_array((matrix.sum(axis=0), (np.arange(size),) * 2), shape=(size, size))
    ).tolil()
    matrix[0, :] = 1.0
    p = splu(matrix.tocsc()).solve(np.eye(size, 1)[:, 0])
    return _cooling(shift, cold, p), p.reshape(levels, levels)


def banded_lu(levels, shift):
    """p(0, 0) = 1, the rest by LAPACK's banded LU, then the norm."""
    rows, columns, rates, cold = generator(levels, shift)
    size, band = levels**2, levels
    diagonals = np.zeros((2 * band + 1, size))
    np.add.at(diagonals, (band + rows - columns, columns), rates)
    diagonals[band] = -np.bincount(columns, rates, size)
    start = np.zeros(size)
    start[[1, band]] = -diagonals[band + 1, 0], -diagonals[2 * band, 0]
    inner = diagonals[:, 1:].copy()
    inner[band - 1, 0] = inner[0, band - 1] = 0  # entries of the row that is gone
    p = np.append(1.0, solve_banded((band, band), inner, start[1:], overwrite_ab=True))
    p /= p.sum()
    return _cooling(shift, cold, p), p.reshape(levels, levels)


def batched_lapack(levels, parameters, chunk=256):
    """Cooling currents for parameters (points, 7): p_0 = 1, the rest by `numpy.linalg.solve` on all
    matrices of a chunk."""
    results = np.empty(len(parameters))
    for first in range(0, len(parameters), chunk):
        part = slice(first, first + chunk)
        x = np.ascontiguousarray(parameters[part].T)
        rows, columns, rates, cold = generator(levels, x[6], x[:3], x[3:6])
        size = levels**2
        matrix = np.zeros((size, size, rates.shape[1]))
        np.add.at(matrix, (rows, columns), rates)
        matrix[np.arange(size), np.arange(size)] -= matrix.sum(axis=0)
        matrix = np.ascontiguousarray(np.moveaxis(matrix, 2, 0))
        p = np.ones((size, rates.shape[1]))
        p[1:] = np.linalg.solve(matrix[:, 1:, 1:], -matrix[:, 1:, :1])[..., 0].T
        results[part] = _cooling(x[6], cold, p / p.sum(axis=0))
    return results


def green_functions(parameters, points):
    """Cooling currents of the causal theory for parameters (points, 7), one after the other,
    extrapolated from two grids."""
    return np.array([(4 * _on_grid(x, points) - _on_grid(x, points // 2)) / 3 for x in parameters])


def _on_grid(x, points, cutoff=7.0, strength=0.1, energy=2.0):
    temperatures = x[:3]
    widths = x[3:6]
    shift = 4 * x[6]
    step = cutoff / points
    w = (np.arange(points) + 0.5) * step
    centers = energy, energy + shift, energy + shift
    density = []
    absorbed = []
    real = []
    for center, width, temperature in zip(centers, widths, temperatures):
        density.append(strength * width * w / ((w - center) ** 2 + (width * w) ** 2))
        absorbed.append(density[-1] / np.expm1(w / temperature))
        z = center / (1 - 1j * width)
        logs = np.log(cutoff - z) - np.log(-z) + np.log(w / (cutoff - w))
        real.append(strength / (2 * np.pi) * (logs / ((1 - 1j * width) * (w - z))).imag)

    def of(values):
        return np.array([values[0] + values[1], values[2]])

    lesser = of(absorbed)
    strengths = of(density)
    real = of(real)
    n, before = np.zeros(2), np.ones(2)
    while np.abs(n - before).max() > 1e-15:
        before = n
        square = 1 / ((w - (energy + shift * n[::-1])[:, None] - real) ** 2 + strengths**2 / 4)
        n = step / (2 * np.pi) * (square * lesser).sum(axis=1)
    more, less = (np.fft.rfft(square * x, 4 * points) for x in (lesser + strengths, lesser))
    bubble = np.fft.irfft(more * less.conj()) * step / (2 * np.pi)
    up, down = bubble[:, 1:points], bubble[:, -1:-points:-1]
    return (
        shift**2
        * step
        / (2 * np.pi)
        * (np.arange(1, points) * step * (down[1] * up[0] - up[1] * down[0])).sum()
    )


def _scattered(points):
    """(points, 7): temperatures and widths of hot, sink and cold, and the shift."""
    base = np.array([*TEMPERATURES, *WIDTHS, 0.05])
    return jnp.asarray(base * (1 + 0.2 * np.random.default_rng(0).uniform(-1, 1, (points, 7))))


def _named(x):
    temperatures = {f"{name}.temperature": x[i] for i, name in enumerate(NAMES)}
    return (
        temperatures
        | {f"{name}.spectral_density.width": x[3 + i] for i, name in enumerate(NAMES)}
        | {"shift": x[6]}
    )


def _table(medians, points):
    base = next(iter(medians.values()))
    print(f"  {'':<36} {'us/point':>10} {'time/qtd':>10}")
    for name, seconds in medians.items():
        print(f"  {name:<36} {1e6 * seconds / points:>10.2f} {seconds / base:>10.2f}")


def _megabytes(program):
    return program.memory_analysis().temp_size_in_bytes / 2**20


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=10_000, help="of the sweep of rate equations")
    parser.add_argument(
        "--green-points", type=int, default=1_000, help="of the sweep of Green functions"
    )
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
