"""The quantum motor: qtd against vectorised NumPy, a loop over devices and SciPy's integrators.

    python benchmarks/motor.py

A map of velocity, power and efficiency over bias and radius under half of the torque at rest, the
coefficients to third order alone, the gradient of the power in eleven parameters and the load
against forward differences, and 10 000 spin-ups in one call. Agreement is checked first,
compilation is timed apart, and the codes run in turn on one core. Times of loops are extrapolated
from a sample; spin-ups, which take long, are timed once.
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import time

import jax
import jax.numpy as jnp
import motor_rivals as rivals
import numpy as np
import timing
from rows import Case, Row

import qtd
from qtd.spectral import WideBand

# Evenly spaced, as those of the rivals: what changes in these devices does so over some hundredths
# of a turn at least, and needs no panels of its own. Larger orbits need more of them.
ANGLES = 224
FOR_THIRD = 288  # for coefficients to third order
# Points of an orbit are an array already: 4, 16 or 64 devices together are slower on the map
CHUNK = 1
CYCLES, INERTIA = 20, 2e7  # of a rotor


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100, help="on a side of the map")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    timing.one_core()
    operation(arguments.points, arguments.rounds)
    third_order(arguments.points // 3, arguments.rounds)
    gradients(20, arguments.rounds)
    spin_ups(10_000)


def operation(side, rounds):
    """Velocity, power and efficiency on a square grid, to first order in the velocity."""
    devices, columns = grid(side)
    ours, compilation = timing.compiled(figures, columns, CHUNK)

    def theirs():
        return rivals.operate(devices, lambda at_rest: at_rest / 2)

    found, expected = [np.asarray(x) for x in ours(columns)], theirs()
    turns = np.isfinite(expected.velocity)
    for x, y in zip(found, (expected.velocity, expected.power, expected.efficiency)):
        assert np.array_equal(np.isfinite(x), np.isfinite(y))
    error = max(
        np.abs(x / y - 1)[turns].max()
        for x, y in zip(found, (expected.velocity, expected.power, expected.efficiency))
    )
    assert error < 1e-6
    few = sample(devices, 36)
    runs = {
        "qtd": (lambda: jax.block_until_ready(ours(columns)), side**2),
        "NumPy, vectorised": (theirs, side**2),
        "NumPy, loop, coefficients only": (lambda: rivals.coefficients_loop(few, 2), 36),
    }
    print(
        f"\nA: {side**2} devices, {turns.mean():.0%} of which turn, order 1; largest relative"
        f" difference {error:.0e}"
    )
    table(runs, rounds, compilation)


def third_order(side, rounds):
    """Coefficients of torque, particles and heat alone, to third order."""
    devices, columns = grid(side)

    def series(x):
        found = motor(x).coefficients(3, angles=FOR_THIRD)
        return (
            found.torque,
            jnp.stack([*found.particles.values()]),
            jnp.stack([*found.heat.values()]),
        )

    ours, compilation = timing.compiled(series, columns, CHUNK)
    few = sample(devices, 36)
    errors = [
        np.abs(x / y - 1).ravel() for x, y in zip(ours(columns), rivals.coefficients(devices, 3))
    ]
    error = np.quantile(np.concatenate(errors), 0.99)  # the others are about to change sign
    assert error < 1e-6
    runs = {
        "qtd": (lambda: jax.block_until_ready(ours(columns)), side**2),
        "NumPy, vectorised": (lambda: rivals.coefficients(devices, 3), side**2),
        "NumPy, one device after the other": (lambda: rivals.coefficients_loop(few, 3), 36),
    }
    print(
        f"\n   {side**2} devices, coefficients to order 3; 99 % of them differ by less than"
        f" {error:.0e}"
    )
    table(runs, rounds, compilation)


def gradients(side, rounds):
    """Power and its gradient in all parameters and the load."""
    devices, arguments = loaded(side)
    points = rivals.enough_points(devices, 2)
    ours, compilation = timing.compiled(jax.value_and_grad(power), arguments, CHUNK)
    value, slopes = (np.asarray(x) for x in ours(arguments))
    theirs = differences(np.asarray(arguments), points)
    turns = np.isfinite(value)
    assert np.array_equal(turns, np.isfinite(theirs[0]))
    off = (np.abs(slopes.T - theirs[1:]) / np.abs(slopes.T).max(0))[:, turns].max(0)
    assert np.quantile(off, 0.9) < 1e-4
    runs = {
        "qtd": (lambda: jax.block_until_ready(ours(arguments)), side**2),
        "NumPy, forward differences": (lambda: differences(np.asarray(arguments), points), side**2),
    }
    print(
        f"\nB: {side**2} devices, power and its gradient in 12; differences are off by"
        f" {np.median(off):.0e}, at most {off.max():.0e}"
    )
    table(runs, rounds, compilation)


def spin_ups(starts, cycles=CYCLES, inertia=INERTIA):
    """Velocities after every turn, from so many starts."""
    device, load, velocities = rotors(starts)
    machine = motor(rivals.columns_of(device)[:, 0])

    def ours():
        return jax.block_until_ready(machine.spin_up(velocities, inertia, load, cycles=cycles))

    begin = time.perf_counter()
    found = ours()
    first = time.perf_counter() - begin
    few = np.arange(starts // 20, starts, starts // 10)
    series = rivals.torque_series(device)

    def one(method):
        return rivals.spin_up_loop(series, inertia, load, velocities[few], cycles, method=method)

    def together():
        return rivals.spin_up_together(series, inertia, load, velocities, cycles)

    final = np.asarray(found.velocities)[:, -1]
    expected = {"solve_ivp": one("RK45"), "odeint": one("odeint"), "together": together()[few]}
    differences = []
    for name, each in expected.items():
        went = final[few] != 0
        assert np.array_equal(went, np.isfinite(each[:, -1]))
        error = np.abs(each[went, -1] / final[few][went] - 1).max()
        assert error < 1e-4
        differences.append(f"{name} {error:.0e}")
    runs = {
        "qtd": (ours, starts),
        "NumPy, Runge-Kutta of all together": (together, starts),
        "SciPy, solve_ivp (RK45)": (lambda: one("RK45"), len(few)),
        "SciPy, odeint": (lambda: one("odeint"), len(few)),
    }
    print(
        f"\nC: {starts} spin-ups of {cycles} turns, {np.mean(found.stopped):.0%} of which stop;"
        f" status {np.unique(found.status)}"
    )
    print(f"  Largest relative difference of final velocities: {', '.join(differences)}")
    spent = {name: seconds(run) for name, (run, _) in runs.items()}
    each = {name: spent[name] / count for name, (_, count) in runs.items()}
    show(each, first - spent["qtd"], "ms/start", 1e3)


def rows():
    """The motor's rows in the table of `python -m benchmarks`."""

    def map_case(points):
        devices, arguments = loaded(int(np.sqrt(points)))
        columns, angles = np.asarray(arguments), rivals.enough_points(devices, 2)

        def together():
            found = rivals.operate(devices, lambda at_rest: at_rest / 2)
            return found.velocity, found.power, found.efficiency

        return Case(
            arguments,
            {"NumPy, this motor": together},
            {"NumPy differences": lambda: tuple(differences(columns, angles))},
        )

    def rotor_case(points):
        device, load, velocities = rotors(points)
        series = rivals.torque_series(device)

        def together():
            return rivals.spin_up_together(series, INERTIA, load, velocities, CYCLES)[:, -1]

        return Case(jnp.asarray(velocities), {"NumPy Runge-Kutta": together})

    device, load, _ = rotors(2)
    machine = motor(rivals.columns_of(device)[:, 0])

    def last(velocities):
        found = machine.spin_up(velocities, INERTIA, load, cycles=CYCLES, panels=96)
        return jnp.where(found.stopped, jnp.nan, found.velocities[:, -1])

    title = "velocity, power, efficiency; gradient of the power in 12"
    starts = "20 turns, all starts at once: last velocity"
    slope = jax.value_and_grad(power)
    return {
        "motors": Row(title, figures, slope, map_case, 400, 1e-6, CHUNK, CHUNK),
        "rotors": Row(starts, last, None, rotor_case, 2000, 1e-4, None, None),
    }


def figures(x):
    """Velocity, power and efficiency under half of the torque at rest, to first order in the
    velocity."""
    point = motor(x[:11]).operate(order=1, angles=ANGLES)
    return point.velocity, point.power, point.efficiency


def power(x):
    """The power with eleven parameters and the load."""
    return motor(x[:11]).operate(x[11], order=1, angles=ANGLES).power


def loaded(side):
    """Devices of the grid and, (devices, 12), their parameters and half of the torque at rest."""
    devices, columns = grid(side)
    load = rivals.coefficients(devices, 0).torque[:, 0] / 2
    return devices, jnp.concatenate([columns, jnp.asarray(load)[:, None]], axis=1)


def rotors(starts):
    """A device, a load a little above its torque at rest, and velocities to start with."""
    device = rivals.circle(10.0, 15.42, 40.0)
    load = float(rivals.coefficients(device, 1, 1024).torque[0, 0]) + 0.05
    return device, load, np.linspace(-0.01, 0.01, starts)


def grid(side):
    """Biases and radii, as the rivals take them and as an array (devices, 11)."""
    bias, radius = (
        x.ravel()
        for x in np.meshgrid(np.linspace(0.2, 15, side), np.linspace(5, 30, side), indexing="ij")
    )
    devices = rivals.circle(radius, bias)
    return devices, jnp.asarray(rivals.columns_of(devices).T)


def sample(devices, count):
    columns = rivals.columns_of(devices)
    return dict(
        zip(rivals.NAMES, columns[:, np.linspace(0, columns.shape[1] - 1, count).astype(int)])
    )


def motor(x):
    """From parameters in the order of the rivals."""
    (
        energy_left,
        energy_right,
        radius,
        tunnelling,
        repulsion,
        gamma_left,
        gamma_right,
        t_left,
        t_right,
        mu_left,
        mu_right,
    ) = x

    def lead(t, mu, gamma):
        return qtd.Reservoir(t, mu, "fermi", spectral_density=WideBand(gamma))

    left, right = lead(t_left, mu_left, gamma_left), lead(t_right, mu_right, gamma_right)
    return qtd.machines.QuantumMotor(
        energy_left, energy_right, radius, tunnelling, repulsion, left, right
    )


def differences(arguments, points):
    """Power and its forward differences in eleven parameters and the load."""

    def power(x):
        return rivals.operate(dict(zip(rivals.NAMES, x)), x[11], points).power

    columns = arguments.T
    base, slopes = power(columns), []
    for k in range(len(columns)):
        moved = columns.copy()
        moved[k] += 1e-7
        slopes.append((power(moved) - base) / 1e-7)
    return np.stack([base, *slopes])


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def table(runs, rounds, compilation):
    """Medians, each over its own number of devices."""
    medians = timing.alternating({name: run for name, (run, _) in runs.items()}, rounds)
    show(
        {name: medians[name] / count for name, (_, count) in runs.items()},
        compilation,
        "us/device",
        1e6,
    )


def show(each, compilation, unit, scale):
    print(f"  {'':<40} {unit:>10} {'time/qtd':>10}")
    for name, spent in each.items():
        print(f"  {name:<40} {scale * spent:>10.3f} {spent / each['qtd']:>10.3f}")
    print(f"  Compilation {compilation:.2f} s", flush=True)


if __name__ == "__main__":
    main()
