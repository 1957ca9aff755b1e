"""How fast is a quantum motor without qtd? The same numbers from NumPy and SciPy, as a good user
would write them.

Parameters are a dict of numbers or arrays of shape (devices,) named as in `NAMES`; the levels go
around a circle. Spins are summed, the populations are those of (0, b, a, 2). Currents are positive
out of a lead; hbar = k_B = e = 1.

- `coefficients`: a batch, all angles of some devices at a time. The antibonding population is
  eliminated by hand and the bonding one is what the others leave, so two unknowns remain;
  derivatives by FFT; the right lead by conservation laws. `operate` makes use of it;
- `coefficients_loop`: one device after the other, both leads, 4 x 4 matrices as the formulas are
  written down, batched LAPACK;
- `spin_up_loop`: a rotor of finite inertia, one start after the other, by `solve_ivp` or `odeint`.
  `spin_up_together`: all starts at once, Runge-Kutta steps of order 4 from sample to sample, whose
  errors almost cancel over a turn.

Source: Bustos-Marun and Calvo, "Thermodynamics and steady state of quantum motors and pumps far
from equilibrium", Eqs. (9), (49)-(62).
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import fft, integrate, interpolate

NAMES = (
    *(
        "energy_left",
        "energy_right",
        "radius",
        "tunnelling",
        "repulsion",
        "gamma_left",
        "gamma_right",
    ),
    *("t_left", "t_right", "mu_left", "mu_right"),
)
# Numbers of angles with a fast FFT.
SIZES = np.array([size << k for k in range(7) for size in (64, 80, 96, 112)])
BLOCK = 16384  # devices times angles: from 8192 to 32768 the time is the same within 10 %


class Coefficients(NamedTuple):
    """Integrals over a turn by order in the velocity; leads left, right."""

    torque: np.ndarray  # (devices, orders)
    particles: np.ndarray  # (devices, 2, orders)
    heat: np.ndarray  # (devices, 2, orders)


class Operation(NamedTuple):
    """Averages over a turn, each (devices,): power to the load and out of the bias. NaN where no
    velocity is stable."""

    velocity: np.ndarray
    power: np.ndarray
    electric_power: np.ndarray
    efficiency: np.ndarray


def circle(radius, bias, repulsion=20.0):
    """The paper's devices: circles through (-6, -6) around the triple point of 0 and 1 electrons,
    temperatures 1."""
    center, half = -6 + np.asarray(radius) / np.sqrt(2), np.asarray(bias) / 2
    return dict(
        zip(NAMES, (center, center, radius, 10.0, repulsion, 0.25, 0.25, 1.0, 1.0, half, -half))
    )


def columns_of(parameters):
    """(11, devices)."""
    return np.stack(
        np.broadcast_arrays(*(np.atleast_1d(np.asarray(parameters[name], float)) for name in NAMES))
    )


def enough_points(parameters, order=3):
    """Angles with which trapezoid rule and FFT give 1e-6 or better (t_c around 10); features are as
    wide as T / radius."""
    coldest = np.minimum(parameters["t_left"], parameters["t_right"])
    needed = 16 + (56 + 12 * order) * (np.asarray(parameters["radius"]) / (10 * coldest)) ** 0.9
    return SIZES[np.minimum(np.searchsorted(SIZES, needed), len(SIZES) - 1)]


def coefficients(parameters, order=3, points=None):
    """`Coefficients` of a batch of devices on so many angles, all or each; `points=None` takes
    `enough_points` of each."""
    np.empty(
        4_000_000
        # freed at once: from now on glibc keeps memory of arrays this large, and a block takes a
        # third
        # of the time
    )
    columns = columns_of(parameters)
    found = np.empty((3, order + 1, columns.shape[1]))
    needed = (
        enough_points(dict(zip(NAMES, columns)), order)
        if points is None
        else np.full(columns.shape[1], points)
    )
    for count in np.unique(needed):
        group, size = np.flatnonzero(needed == count), max(1, BLOCK // count)
        for start in range(0, len(group), size):
            part = group[start : start + size]
            found[:, :, part] = _block(columns[:, part, None], order, int(count))
    torque, particles, heat = found
    # No energy is left over, but for the work, of one order less.
    right = (columns[10] - columns[9]) * particles - heat
    right[1:] += torque[:-1]

    def by_lead(*leads):
        return np.stack(leads).transpose(2, 0, 1)

    return Coefficients(torque.T, by_lead(particles, -particles), by_lead(heat, right))


def _block(columns, order, points):
    """Torque, particles and heat out of the left lead, (3, orders, devices), for columns (11,
    devices, 1); arrays are reused in place."""
    energy_left, energy_right, radius, tunnelling, repulsion = columns[:5]
    angles = 2 * np.pi / points * np.arange(points)
    plus, minus = (np.cos(angles) + np.sin(angles)) / 2, (np.cos(angles) - np.sin(angles)) / 2

    # First axes: lead, then orbital b, a. Half of S, D and R of the source; cosine = D / R.
    mean, cosine = radius * plus, radius * minus
    mean += (energy_left + energy_right) / 2
    cosine += (energy_left - energy_right) / 2
    split = cosine * cosine
    split += tunnelling**2 / 4
    np.sqrt(split, out=split)
    cosine /= split
    energies = np.empty((2, *mean.shape))
    np.subtract(mean, split, out=energies[0])
    np.add(mean, split, out=energies[1])
    gamma, (mu, temperature) = columns[5:7], (x[:, None] for x in (columns[9:11], columns[7:9]))
    strengths = np.empty((2, 2, *mean.shape))  # twice gamma |<o|r>|^2
    np.multiply(gamma * [[[-1]], [[1]]], cosine, out=strengths[:, 0])
    strengths[:, 0] += gamma
    np.subtract(2 * gamma, strengths[:, 0], out=strengths[:, 1])

    # The second electron on top of b has the energy E_a + U and the strength of a, and vice versa:
    # `second[:, a]` is b -> 2.
    first = energies * (1 / temperature)
    first -= mu / temperature
    np.exp(first, out=first)
    second = first * np.exp(repulsion / temperature)
    first += 1
    second += 1
    np.divide(strengths, first, out=first)
    np.divide(strengths, second, out=second)
    strengths *= 0.5
    # The ways back, left lead.
    lose = strengths[0] - 0.5 * first[0]
    leave = strengths[0] - 0.5 * second[0]
    fill = first[0] + first[1]
    pair = second[0] + second[1]
    total = strengths[0] + strengths[1]
    empty, part = total - 0.5 * fill, total - 0.5 * pair

    # a = from_0 p_0 + from_2 p_2 - r_a / exit, b = s - the others, and for p_0, p_2 two equations
    # with right sides r - s (empty_b, pair_a).
    inverse = 1 / (empty[1] + pair[0])
    from_0, from_2 = fill[1] * inverse, part[0] * inverse
    over_0, over_2 = empty[1] - empty[0], pair[0] - pair[1]
    a00 = over_0 * from_0
    a02 = over_0 * from_2
    a20 = over_2 * from_0
    a22 = over_2 * from_2
    for entry, losses in (
        (a00, (*fill, empty[0])),
        (a02, (empty[0],)),
        (a20, (pair[1],)),
        (a22, (*part, pair[1])),
    ):
        for loss in losses:
            entry -= loss
    determinant = a00 * a22
    determinant -= a02 * a20
    np.divide(1, determinant, out=determinant)
    for entry in (a00, a02, a20, a22):
        entry *= determinant

    # What each state contributes beyond b, rows 0, a, 2; and b.
    states, bonding = np.empty((3, 3, *mean.shape)), np.empty((3, *mean.shape))
    half_sum, turn = radius * minus, cosine * (radius * plus)  # S' / 2 and -D D' / (2 R)
    np.add(half_sum, turn, out=states[0, 0])
    np.negative(states[0, 0], out=bonding[0])
    np.add(turn, turn, out=states[0, 1])
    np.subtract(turn, half_sum, out=states[0, 2])
    _flow(first[0], second[0], lose, leave, states[1], bonding[1])
    energies -= columns[9]
    first[0] *= energies
    lose *= energies
    energies += repulsion
    second[0] *= energies
    leave *= energies
    _flow(first[0], second[0], lose, leave, states[2], bonding[2])

    found, q = np.empty((order + 1, 3, len(mean))), np.empty((3, *mean.shape))  # q_k of 0, a, 2
    wave = 1j * np.arange(points // 2 + 1)
    wave[-1] *= points % 2
    for k in range(order + 1):
        if k:
            spectrum = fft.rfft(q)
            spectrum *= wave
            r_0, r_a, r_2 = fft.irfft(spectrum, points, overwrite_x=True)
            r_a *= inverse
            r_0 += over_0 * r_a
            r_2 += over_2 * r_a
        else:
            r_0, r_a, r_2 = -empty[0], 0.0, -pair[1]
        np.multiply(a22, r_0, out=q[0])
        q[0] -= a02 * r_2
        np.multiply(a00, r_2, out=q[2])
        q[2] -= a20 * r_0
        np.multiply(from_0, q[0], out=q[1])
        q[1] += from_2 * q[2]
        q[1] -= r_a
        np.sum(np.vecdot(states, q), axis=1, out=found[k])
    found[0] += bonding.sum(axis=2)
    return found.transpose(1, 0, 2) * (2 * np.pi / points)


def _flow(first, second, lose, leave, states, bonding):
    """What flows in from a lead in each state, from the flows of each transition."""
    np.subtract(second[1], lose[0], out=bonding)
    np.add(first[0], first[1], out=states[0])
    np.subtract(second[0], lose[1], out=states[1])
    np.add(leave[0], leave[1], out=states[2])
    np.negative(states[2], out=states[2])
    states -= bonding


def coefficients_loop(parameters, order=3):
    """The same, one device after the other, the currents of both leads computed."""
    results = []
    for column in columns_of(parameters).T:
        device = dict(zip(NAMES, column))
        samples = local(device, order, int(enough_points(device, order)))
        results.append(samples.mean(axis=1) * 2 * np.pi)
    results = np.array(results).transpose(0, 2, 1)
    return Coefficients(results[:, 0], results[:, 1:3], results[:, 3:])


def local(device, order, points):
    """Torque, particles left and right, heat left and right at every angle, (orders, points, 5), of
    one device."""
    energies, force, rates = _network(device, 2 * np.pi * np.arange(points) / points)
    number, exits = np.array([0.0, 1.0, 1.0, 2.0]), rates.sum(axis=2)
    particles = number @ rates - number * exits
    heat = (energies[:, None] @ rates)[:, :, 0] - energies * exits
    for flow, passed, side in zip(heat, particles, ("left", "right")):
        flow -= device[f"mu_{side}"] * passed
    rows = np.stack([force, *particles, *heat], axis=1)  # (points, 5, 4)
    generator = rates[0] + rates[1]
    diagonal = -exits.sum(axis=0)
    generator[:, range(4), range(4)] = diagonal
    response = np.linalg.inv(generator - diagonal[:, :, None])
    wave = 1j * np.arange(points // 2 + 1)[:, None]
    wave[-1] *= points % 2
    q, samples = (response @ -diagonal[:, :, None])[..., 0], []
    for k in range(order + 1):
        if k:
            q = (response @ fft.irfft(fft.rfft(q, axis=0) * wave, points, axis=0)[..., None])[
                ..., 0
            ]
        samples.append((rows @ q[..., None])[..., 0])
    return np.stack(samples)


def _network(device, angles):
    """Energies and forces (points, 4), and the rates j -> i of the left and the right lead,
    (points, 4, 4)."""
    eps = [
        device["energy_left"] + device["radius"] * np.cos(angles),
        device["energy_right"] + device["radius"] * np.sin(angles),
    ]
    slope = [-device["radius"] * np.sin(angles), device["radius"] * np.cos(angles)]
    both, apart = eps[0] + eps[1], eps[0] - eps[1]
    split = np.hypot(apart, device["tunnelling"])
    energies = np.stack(
        [0 * both, (both - split) / 2, (both + split) / 2, both + device["repulsion"]], axis=1
    )
    turn = apart / split * (slope[0] - slope[1])
    rise = slope[0] + slope[1]
    force = np.stack([0 * both, (turn - rise) / 2, -(turn + rise) / 2, -rise], axis=1)
    rates = np.zeros((2, len(angles), 4, 4))
    for rate, side, sign in zip(rates, ("left", "right"), (-1, 1)):
        gamma, mu, temperature = (device[f"{name}_{side}"] for name in ("gamma", "mu", "t"))
        bonding = (1 + sign * apart / split) / 2
        for orbital, here in ((1, bonding), (2, 1 - bonding)):
            for low, high, weight in ((0, orbital, here), (orbital, 3, 1 - here)):
                occupied = 1 / (
                    1 + np.exp((energies[:, high] - energies[:, low] - mu) / temperature)
                )
                rate[:, high, low] = 2 * gamma * weight * occupied
                rate[:, low, high] = gamma * weight * (1 - occupied)
    return energies, force, rates


def operate(parameters, load, points=None):
    """At v = (load - C_F0) / C_F1, currents to second order; `load` is 2 pi F_ext, an array or a
    function of C_F0. NaN where unstable."""
    found = coefficients(parameters, 2, points)
    load = load(found.torque[:, 0]) if callable(load) else load
    with np.errstate(divide="ignore", invalid="ignore"):
        velocity = np.where(
            found.torque[:, 1] < 0, (load - found.torque[:, 0]) / found.torque[:, 1], np.nan
        )
        power = load * velocity / (2 * np.pi)
        passed = (found.particles[:, 0] * velocity[:, None] ** np.arange(3)).sum(axis=1)
        electric = (
            (np.asarray(parameters["mu_left"]) - parameters["mu_right"]) * passed / (2 * np.pi)
        )
        motor, pump = (power > 0) & (electric > 0), (power < 0) & (electric < 0)
        return Operation(
            velocity,
            power,
            electric,
            np.select([motor, pump], [power / electric, electric / power], np.nan),
        )


def torque_series(device, order=3, points=256):
    """f_k(theta) of one device at uniform angles, (orders, points); to third order 256 keep 1e-8 at
    radius 10."""
    return local({name: float(x) for name, x in device.items()}, order, points)[:, :, 0]


def spin_up_loop(torque_series, inertia, load, velocities, cycles, rtol=3e-10, method="RK45"):
    """Velocities at the end of every cycle, (starts, cycles), of rotors that start at theta = 0;
    NaN after a standstill.

    inertia d(v^2 / 2) / dtheta = sum_k f_k(theta) v^k - load / (2 pi), backwards for v < 0.
    `method` is one of `solve_ivp` or "odeint".
    """
    fine = _refined(torque_series, inertia, load, 2048)
    ends = np.linspace(0, 2 * np.pi, fine.shape[1] + 1)
    spline = interpolate.CubicSpline(
        ends, np.append(fine, fine[:, :1], axis=1).T, bc_type="periodic"
    )
    pieces = [tuple(row) for row in spline.c.transpose(1, 2, 0).reshape(len(ends) - 1, -1).tolist()]
    return np.array([_spin_up(pieces, v, cycles, rtol, method) for v in velocities])


def _spin_up(pieces, start, cycles, rtol, method):
    sign, count = math.copysign(1.0, start), len(pieces)
    per_angle, step = sign * count / (2 * np.pi), 2 * np.pi / count

    def slope(angle, energy):  # in plain Python: a call of the spline takes 8 us, this 1.5
        y = energy[0]
        v = sign * math.sqrt(2 * y) if y > 0 else 0.0
        place = angle * per_angle
        k = int(place // 1)
        x = (place - k) * step
        a3, a2, a1, a0, b3, b2, b1, b0, c3, c2, c1, c0, d3, d2, d1, d0 = pieces[k % count]
        f, g = ((a3 * x + a2) * x + a1) * x + a0, ((b3 * x + b2) * x + b1) * x + b0
        h, i = ((c3 * x + c2) * x + c1) * x + c0, ((d3 * x + d2) * x + d1) * x + d0
        rate = sign * (((i * v + h) * v + g) * v + f)
        return rate if y > 0 else min(rate, 0.0)  # at rest it stays

    initial, ends = start**2 / 2, 2 * np.pi * np.arange(cycles + 1)
    if method == "odeint":
        found = integrate.odeint(
            slope, initial, ends, rtol=rtol, atol=1e-3 * rtol * initial, tfirst=True, mxstep=100_000
        )[1:, 0]
    else:

        def rest(angle, energy):
            return energy[0]

        rest.terminal = True
        options = {
            "method": method,
            "rtol": rtol,
            "atol": 1e-3 * rtol * initial,
            "t_eval": ends[1:],
            "events": rest,
        }
        found = np.ravel(integrate.solve_ivp(slope, (0, ends[-1]), [initial], **options).y)
        found = np.append(found, np.zeros(cycles - len(found)))
    return sign * np.sqrt(2 * np.where(found > 0, found, np.nan))


def spin_up_together(torque_series, inertia, load, velocities, cycles, steps=128):
    """The same for all starts at once, on the samples themselves; rotors that turn backwards have
    them in reverse."""
    samples = _refined(torque_series, inertia, load, 2 * steps)
    signs, energy = np.sign(velocities), np.square(velocities) / 2
    parity = np.array([-1.0, 1.0])[np.arange(len(samples)) % 2][:, None]
    # Of d(v^2 / 2) / d|theta| by powers of |v|.
    directions = np.stack([samples, parity * np.roll(samples[:, ::-1], 1, axis=1)])
    # (samples, orders, starts).
    terms = np.ascontiguousarray(directions[(signs < 0).astype(int)].transpose(2, 1, 0))
    step, results = 2 * np.pi / steps, []

    def slope(place, energy):
        speed = np.maximum(energy, 0)
        speed *= 2
        np.sqrt(speed, out=speed)
        constant, *others, highest = terms[place]
        rate = highest * speed
        for term in others[::-1]:
            rate += term
            rate *= speed
        rate += constant
        return np.where(energy > 0, rate, np.minimum(rate, 0))  # at rest it stays

    for _ in range(cycles):
        for place in range(0, len(terms), 2):
            first = slope(place, energy)
            middle = slope(place + 1, energy + step / 2 * first)
            again = slope(place + 1, energy + step / 2 * middle)
            last = slope((place + 2) % len(terms), energy + step * again)
            middle += again
            energy = energy + step / 6 * (first + 2 * middle + last)
        results.append(energy)
    results = np.array(results)
    return (signs * np.sqrt(2 * np.where(results > 0, results, np.nan))).T


def _refined(torque_series, inertia, load, count):
    """Samples of (f_k(theta) - load / (2 pi) at k = 0) / inertia at so many angles, by FFT."""
    fine = fft.irfft(fft.rfft(torque_series), count) * (count / torque_series.shape[1]) / inertia
    fine[0] -= load / (2 * np.pi * inertia)
    return fine
