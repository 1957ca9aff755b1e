"""The N-demon and ballistic conductors: qtd against vectorised NumPy.

    python benchmarks/scattering.py

A map of a million demons over cold temperature and fourth resonance (COP, cooling and entropy
current), the same with the gradient of the COP in eight parameters against finite differences, and
the currents of a resonant level by quadrature. Agreement is checked first, compilation is timed
apart, and the codes run in turn on one core. NumPy works on whole arrays, and on blocks that fit
the cache.
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import jax
import jax.numpy as jnp
import numpy as np
import timing
from rows import Case, Row

import qtd
from qtd.spectral import WideBand

PATHS = (
    "cold.temperature",
    "energy_4",
    "hot.temperature",
    "energy_1",
    "energy_2",
    "energy_3",
    "boldness",
    "width",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    timing.one_core()
    map_of_demons(arguments.points, arguments.rounds)
    resonant_levels(20_000, arguments.rounds)


def map_of_demons(points, rounds, chunk=2048):
    """COP, cooling current and entropy current on a square grid, and the gradient of the COP."""
    grid, figures = demon_grid(points), demon_figures()
    device = tuple(jnp.asarray(x) for x in grid)
    value, compilation = timing.compiled(figures, device, chunk)
    gradient, _ = timing.compiled(jax.value_and_grad(lambda x: figures(x)[0]), device, chunk)
    ours, theirs = [np.asarray(x) for x in value(device)], in_blocks(demons, grid)
    good = np.isfinite(ours[0]) & well_conditioned(grid)
    assert np.array_equal(np.isfinite(ours[0]), np.isfinite(theirs[0]))
    assert max(np.abs(a[good] / b[good] - 1).max() for a, b in zip(ours, theirs)) < 1e-9
    slopes = in_blocks(differences, grid)
    exact = np.stack(gradient(device)[1])[:, good]
    off = np.abs(exact - slopes[1:, good]).max(0) / np.abs(exact).max(0)
    # The finite differences' error, large at the edge of what exists.
    assert np.quantile(off, 0.9) < 1e-4
    medians = timing.alternating(
        {
            "qtd": lambda: jax.block_until_ready(value(device)),
            "NumPy, whole arrays": lambda: demons(grid),
            "NumPy, in blocks": lambda: in_blocks(demons, grid),
            "qtd, COP and its gradient": lambda: jax.block_until_ready(gradient(device)),
            "NumPy, differences, whole arrays": lambda: differences(grid),
            "NumPy, differences, in blocks": lambda: in_blocks(differences, grid),
        },
        rounds,
    )
    print(f"\nA: {grid.shape[1]} demons, {np.isfinite(ours[0]).mean():.0%} of which exist")
    table(medians, grid.shape[1])
    print(f"  Compilation {compilation:.2f} s")


def resonant_levels(points, rounds, chunk=64):
    """Particle, energy, heat and entropy current and both noises of a Breit-Wigner line between two
    leads."""
    parameters = scattered_levels(points)
    value, compilation = timing.compiled(level_figures, parameters, chunk)
    gradient, _ = timing.compiled(
        jax.value_and_grad(lambda x: level_figures(x)[0]), parameters, chunk
    )
    runs = {
        "qtd": lambda: jax.block_until_ready(value(parameters)),
        "NumPy, uniform grid of 4000 energies": lambda: in_blocks(
            uniform, np.asarray(parameters).T, 64
        ),
        "qtd, heat current and its gradient": lambda: jax.block_until_ready(gradient(parameters)),
    }
    ours = [np.asarray(x) for x in value(parameters)]
    theirs = in_blocks(uniform, np.asarray(parameters).T, 64)
    error = max(np.abs(b / a - 1).max() for a, b in zip(ours, theirs))
    print(
        f"\nB: {points} resonant levels, currents and noise by quadrature; largest relative"
        f" difference of the NumPy sum {error:.0e}"
    )
    table(timing.alternating(runs, rounds), points)
    print(f"  Compilation {compilation:.2f} s")


def rows():
    """The rows of ballistic machines in the table of `python -m benchmarks`."""

    def map_case(points):
        grid = demon_grid(points)
        return Case(
            tuple(jnp.asarray(x) for x in grid),
            {
                "NumPy in blocks": lambda: tuple(in_blocks(demons, grid)),
                "NumPy, whole arrays": lambda: tuple(demons(grid)),
            },
            {"NumPy differences in blocks": lambda: tuple(in_blocks(differences, grid))},
            well_conditioned(grid),
        )

    def level_case(points):
        parameters = scattered_levels(points)
        known = np.asarray(parameters).T
        return Case(
            parameters, {"NumPy, 4000 energies": lambda: tuple(in_blocks(uniform, known, 64))}
        )

    figures = demon_figures()
    cop = jax.value_and_grad(lambda x: figures(x)[0])
    heat = jax.value_and_grad(lambda x: level_figures(x)[0])
    title = "COP, current, entropy current; gradient of the COP in 8"
    line = "by quadrature: current, noise, entropy; gradient of the current in 5"
    return {
        "demons": Row(title, figures, cop, map_case, 10**6, 1e-9, 2048, 2048),
        # NumPy's sum is off where lines are narrow.
        "resonant-levels": Row(line, level_figures, heat, level_case, 4096, 1e-5, 64, 64),
    }


def demon_grid(points):
    """Parameters of demons on a square grid of cold temperatures and fourth resonances, (8,
    points)."""
    side = int(np.sqrt(points))
    axes = np.linspace(0.2, 0.99, side), np.linspace(1.05, 1.95, side)
    cold, fourth = (x.ravel() for x in np.meshgrid(*axes, indexing="ij"))
    others = (np.full_like(cold, x) for x in (1.0, 1.0, 2.0, 1.4999, 1.0, 1.0))
    return np.stack([cold, fourth, *others])


def well_conditioned(grid):
    """Whether the fourth resonance is not next to the third, where the current vanishes."""
    return np.abs(grid[1] - 1.4999) > 0.01


def demon_figures():
    """COP, cooling current and entropy current as a function of the eight parameters."""
    machine = qtd.machines.NDemon()

    def figures(x):
        point = qtd.replace(machine, dict(zip(PATHS, x))).operate()
        return point.cop, point.heat_currents["cold"], point.entropy_current

    return figures


def scattered_levels(points):
    """Centers, widths to the left and right, and temperatures of both leads, (points, 5)."""
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.uniform(0.8, 1.2, (points, 5)) * np.array([1.2, 0.1, 0.2, 1.0, 0.5]))


def level_figures(x):
    """Heat current, its noise and entropy production of a resonant level."""

    def lead(temperature, potential):
        return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(1.0))

    leads = {"h": lead(x[3], 1.0), "c": lead(x[4], 0.7)}
    line = qtd.transmissions.BreitWigner(x[0], x[1], x[2])
    found = qtd.scattering.currents(qtd.scattering.Conductor(leads, [("h", "c", line)]))
    return found.heat_currents["h"], found.heat_noise[0, 0], found.entropy_production


def in_blocks(function, columns, size=8192):
    return np.concatenate(
        [function(columns[:, k : k + size]) for k in range(0, columns.shape[1], size)], axis=1
    )


def demons(columns):
    """COP, J_c, I_S by the closed forms, differences of occupations and logits without
    cancellation."""
    cold, e4, hot, e1, e2, e3, boldness, width = columns

    def fermi(e, t):
        return 1 / (1 + np.exp((e - 1) / t))

    f1 = fermi(e1, hot)
    f2 = fermi(e2, hot)
    f3 = fermi(e3, cold)
    f4 = fermi(e4, cold)
    unit = np.expm1((e4 - e3) / cold) * np.exp((e3 - 1) / cold) * f3 * f4
    a = boldness * unit
    r = (e3 - e4) / (e1 - e2)
    x1 = f1 - r * a
    x2 = f2 + r * a
    x3 = f3 + a
    x4 = f4 - a
    margin = np.minimum.reduce([x1, x2, x3, x4, 1 - x1, 1 - x2, 1 - x3, 1 - x4])
    with np.errstate(invalid="ignore", divide="ignore"):
        upper = np.log1p((unit + 2 * a) / (x4 * (1 - x3)))
        lower = np.log1p((x1 - x2) / (x2 * (1 - x1)))
        entropy = -width / (2 * np.pi) * a * (upper - r * lower)
        heat = width / (2 * np.pi) * (e4 - e3) * a
        physical = margin > 0
        return np.stack(
            [
                np.where(physical, -heat / (hot * entropy), np.nan),
                heat,
                np.where(physical, entropy, np.nan),
            ]
        )


def differences(columns):
    """COP and its forward differences in all eight parameters."""
    base = demons(columns)[0]
    slopes = []
    for k in range(len(columns)):
        moved = columns.copy()
        moved[k] += 1e-7
        slopes.append((demons(moved)[0] - base) / 1e-7)
    return np.stack([base, *slopes])


def uniform(columns, energies=4000):
    """The same currents by the midpoint rule from -40 to 40 temperatures."""
    center, left, right, hot, cold = (x[:, None] for x in columns)
    edge = np.maximum(hot, cold) * 40
    step = 2 * edge / energies
    e = 0.9 - edge + step * (np.arange(energies) + 0.5)
    passed = left * right / ((e - center) ** 2 + (left + right) ** 2 / 4)
    with np.errstate(over="ignore"):
        f, g = 1 / (1 + np.exp((e - 1.0) / hot)), 1 / (1 + np.exp((e - 0.7) / cold))
    flow = passed * (f - g)
    power = passed * (f * (1 - f) + g * (1 - g)) + passed * (1 - passed) * (f - g) ** 2

    def total(x):
        return (x * step).sum(1) / (2 * np.pi)

    return np.stack(
        [
            total((e - 1.0) * flow),
            total((e - 1.0) ** 2 * power),
            total(flow * ((e - 0.7) / cold - (e - 1.0) / hot)),
        ]
    )


def table(medians, points):
    print(f"  {'':<40} {'us/point':>10} {'time/qtd':>10}")
    for name, seconds in medians.items():
        print(f"  {name:<40} {1e6 * seconds / points:>10.3f} {seconds / medians['qtd']:>10.2f}")


if __name__ == "__main__":
    main()
