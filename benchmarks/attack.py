"""Random devices over wide decades: with status 0 no NaN, no broken law, no negative variance,
finite gradients.

    python benchmarks/attack.py                     (10^6 devices of fifteen kinds)
    python benchmarks/attack.py --devices 20000 --only networks "qubits, zz"

Every kind of system and every machine in every model, its widths over 1e-6 to 1, temperatures over
1e-2 to 1e4 and heights over 1e-6 to 10, from fixed seeds. For each kind one line: how many devices,
how many of each status, and how many with status 0 break what; the seeds of the first ones that do
are printed, so that `device(kind, seed, number)` makes them again.
"""

import argparse
import collections
import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import qtd
from qtd.distributions import LogitBasis, Mixture, PiecewiseConstant, Thermal
from qtd.machines import (
    CollectiveRefrigerator,
    FiniteReservoirs,
    NDemon,
    QuantumMotor,
    QubitRefrigerator,
    ResonatorRefrigerator,
)
from qtd.scatterers import Levels
from qtd.scattering import Conductor
from qtd.spectral import Peaked, Resonator, WideBand
from qtd.transmissions import Boxcar
from qtd.transmissions import Lorentzian as TransmissionLine

CHUNK = 2000


class Kind(NamedTuple):
    """`draw` makes vectors of devices from a generator of random numbers, `build` a system of one
    vector and the variant of its seed, `variants` how many structures there are, each compiled on
    its own; `cost` how many devices count as one where they are slow, of which a seed gives `size`.
    `judge` is the verdict on a device, `judge_point` where it is None."""

    draw: Callable
    build: Callable
    variants: int = 1
    cost: int = 1
    size: int = CHUNK
    judge: Callable | None = None


class Verdict(NamedTuple):
    """What is wrong with a device, each 0 or 1, and its status."""

    status: jax.Array
    nan: jax.Array
    first_law: jax.Array
    second_law: jax.Array
    variance: jax.Array
    uncertainty: jax.Array
    gradient: jax.Array


def judge_point(build, vector):
    """The verdict on the device of a vector, by its operating point."""

    def observed(vector):
        point = (
            build(vector).operate()
            if hasattr(build(vector), "operate")
            else qtd.operate(build(vector))
        )
        heat = jnp.stack([point.heat_currents[name] for name in point.names])
        return heat, point

    heat, point = observed(vector)
    gradient = jax.grad(lambda v: observed(v)[0][0])(vector)
    energy = jnp.stack([point.device_energy_currents[name] for name in point.names])
    variances = jnp.stack([point.heat_covariance[name, name] for name in point.names])
    parts = jnp.stack(
        [
            x / point.temperatures[name]
            for name, x in zip(point.names, heat)
            if name in point.temperatures
        ]
    )
    # Where it is full or empty.
    sigma = point.entropy_production
    may_be_endless = bool(point.nonthermal_entropy_currents)
    # Where a variance vanishes with the current there is nothing to compare.
    uncertainty = (
        variances * sigma - (2 - 1e-6) * heat**2 if point.of_jumps else jnp.zeros_like(heat)
    )
    floor = jnp.finfo(heat.dtype).tiny ** 0.5
    return Verdict(
        point.status,
        ~(
            jnp.all(jnp.isfinite(heat))
            & jnp.all(jnp.isfinite(variances))
            & (jnp.isfinite(sigma) | may_be_endless & (sigma > 0))
        ),
        jnp.abs(energy.sum()) > 1e-9 * jnp.abs(energy).max(),
        sigma < -1e-9 * jnp.abs(parts).max(),
        jnp.any(variances < 0),
        jnp.any((uncertainty < 0) & (jnp.abs(heat) > floor)),
        ~jnp.all(jnp.isfinite(gradient)),
    )


def judge_motor(build, vector):
    """The same of a motor at half of its torque at rest; its noise is that of the torque at an
    angle."""

    def observed(vector):
        point = build(vector).operate(panels=48)
        return point.power, point

    _, point = observed(vector)
    gradient = jax.grad(lambda vector: observed(vector)[0])(vector)
    resting = build(vector).local(1.0)
    heat, energy = (jnp.stack([*x.values()]) for x in (point.heat_currents, point.energy_currents))
    gross = jnp.abs(heat / jnp.stack([*point.temperatures.values()])).sum()
    return Verdict(
        point.status,
        ~(jnp.isfinite(point.velocity) & jnp.isfinite(point.power) & jnp.all(jnp.isfinite(heat))),
        jnp.abs(energy.sum() - point.power) > 1e-9 * jnp.abs(energy).max(),
        point.entropy_production < -1e-9 * gross,
        (resting.status == 0) & ((resting.noise < 0) | jnp.any(resting.populations[0] < 0)),
        jnp.zeros((), bool),
        ~jnp.all(jnp.isfinite(gradient)),
    )


def judge_course(build, vector, with_gradient=True):
    """The same of finite reservoirs on their way; what they hold together stays, and entropy
    rises."""
    times = vector[-1] * jnp.array([0.1, 1.0, 10.0])

    def end(vector):
        return build(vector).evolve(times).temperatures[-1, 0]

    found = build(vector).evolve(times)
    states = jnp.concatenate(
        [found.temperatures, found.chemical_potentials, found.occupations], axis=1
    )
    rounding = 1e-11 * jnp.abs(found.entropy).max()
    return Verdict(
        found.status,
        ~(jnp.all(jnp.isfinite(states)) & jnp.all(jnp.isfinite(found.entropy_production))),
        jnp.any(found.drift > 1e-9),
        jnp.any(jnp.diff(found.entropy) < -rounding) | jnp.any(found.entropy_production < 0),
        jnp.any(found.temperatures <= 0)
        | jnp.any((found.occupations < 0) | (found.occupations > 1)),
        jnp.zeros((), bool),
        ~jnp.all(jnp.isfinite(jax.grad(end)(vector))) if with_gradient else jnp.zeros((), bool),
    )


def decades(rng, low, high, shape):
    return 10 ** rng.uniform(low, high, shape)


LEVELS, PAIRS = 5, [(a, b) for a in range(5) for b in range(a + 1, 5)]


def draw_networks(rng, count):
    """Five levels in any order, spread over two decades; three filters, each near a gap."""
    energies = rng.uniform(0, 6, (count, LEVELS)) * decades(rng, -1, 1, (count, 1))
    gaps = np.abs(energies[:, [a for a, _ in PAIRS[:3]]] - energies[:, [b for _, b in PAIRS[:3]]])
    centers = gaps * (1 + rng.normal(0, 1e-2, gaps.shape))
    baths = [
        decades(rng, -2, 4, (count, 3)),
        centers,
        decades(rng, -6, 0, (count, 3)),
        decades(rng, -6, 1, (count, 3)),
    ]
    return np.concatenate([energies, *baths, decades(rng, -3, 0, (count, len(PAIRS)))], axis=1)


def build_network(variant, vector):
    energies, baths, strengths = jnp.split(vector, [LEVELS, LEVELS + 12])
    temperatures, centers, widths, heights = baths.reshape(4, 3)
    rng = np.random.default_rng(variant)
    owners = np.concatenate([np.arange(3), rng.integers(0, 3, len(PAIRS) - 3)])
    kept = np.flatnonzero((np.arange(len(PAIRS)) < 4) | (rng.random(len(PAIRS)) < 0.8))
    reservoirs = {
        f"r{i}": qtd.Reservoir(
            temperatures[i], spectral_density=Peaked(centers[i], widths[i], heights[i])
        )
        for i in range(3)
    }
    return qtd.RateNetwork(
        energies, [(f"r{owners[k]}", *PAIRS[k], strengths[k]) for k in kept], reservoirs
    )


NAMES = ("hot", "sink", "cold")
MODELS = ("zz", "global", "local", "redfield", "redfield-partial")


def filters(rng, count, centers):
    """Temperatures, centres near these, widths and heights of three reservoirs, one after the
    other."""
    near = centers * (1 + rng.normal(0, 1e-2, centers.shape))
    return [
        decades(rng, -2, 4, (count, 3)),
        near,
        decades(rng, -6, 0, (count, 3)),
        decades(rng, -6, 1, (count, 3)),
    ]


def draw_qubits(rng, count):
    energies, shift = rng.uniform(0.5, 3, (count, 2)), rng.uniform(-0.4, 1, (count, 1))
    centers = np.concatenate(
        [energies[:, :1], energies[:, :1] + shift, energies[:, 1:] + shift], axis=1
    )
    other = [energies, shift, rng.uniform(0, 0.3, (count, 1)), decades(rng, -4, 0, (count, 1))]
    return np.concatenate([*other, *filters(rng, count, centers)], axis=1)


def build_qubits(model, variant, vector):
    e_1, e_2, shift, exchange, coupling = vector[:5]
    columns = vector[5:].reshape(4, 3).T
    baths = [
        qtd.Reservoir(t, spectral_density=Resonator(center, width, strength))
        for t, center, width, strength in columns
    ]
    return QubitRefrigerator(
        model, e_1, e_2, shift, 0.0 if model == "zz" else exchange, coupling, *baths
    )


def draw_resonators(rng, count):
    energies, shift = rng.uniform(0.8, 3, (count, 2)), rng.uniform(0.02, 0.5, (count, 1))
    centers = np.concatenate(
        [energies[:, :1], energies[:, :1] + shift, energies[:, 1:] + shift], axis=1
    )
    return np.concatenate([energies, shift, *filters(rng, count, centers)], axis=1)


def build_resonators(variant, vector):
    columns = vector[3:].reshape(4, 3).T
    baths = [
        qtd.Reservoir(t, spectral_density=Resonator(center, width, strength))
        for t, center, width, strength in columns
    ]
    return ResonatorRefrigerator((4, 3), *vector[:3], *baths)


def draw_collective(rng, count):
    interaction = decades(rng, -1, 1, (count, 1))
    return np.concatenate(
        [interaction, *filters(rng, count, interaction * np.array([2.0, 6.0, 4.0]))], axis=1
    )


def build_collective(variant, vector):
    baths = [
        qtd.Reservoir(t, spectral_density=Peaked(*rest)) for t, *rest in vector[1:].reshape(4, 3).T
    ]
    return CollectiveRefrigerator(9 + 4 * variant, *baths, vector[0])


def draw_dots(rng, count):
    """Two levels, hopping, repulsion; temperature, potential and rate of two leads."""
    leads = [
        decades(rng, -2, 2, (count, 2)),
        rng.uniform(-2, 2, (count, 2)),
        decades(rng, -6, 0, (count, 2)),
    ]
    return np.concatenate(
        [
            rng.uniform(-2, 2, (count, 2)),
            decades(rng, -3, 0, (count, 1)),
            rng.uniform(0, 5, (count, 1)),
            *leads,
        ],
        axis=1,
    )


def build_dots(variant, vector):
    """The double dot in a row, in the approach of its variant."""
    lower, sign = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0])
    first, second = np.kron(lower, np.eye(2)), np.kron(sign, lower)
    numbers = [c.T @ c for c in (first, second)]
    temperatures, potentials, rates = vector[4:].reshape(3, 2)
    leads = {
        name: qtd.Reservoir(
            temperatures[k], potentials[k], "fermi", spectral_density=WideBand(rates[k])
        )
        for k, name in enumerate("lr")
    }
    return qtd.Lindbladian(
        bare={
            "first": (vector[0], numbers[0]),
            "second": (vector[1], numbers[1]),
            "both": (vector[3], numbers[0] @ numbers[1]),
        },
        interaction={"hop": (vector[2], first.T @ second + second.T @ first)},
        couplings={"l": first + first.T, "r": second + second.T},
        reservoirs=leads,
        particles=[0, 1, 1, 2],
        approach=("local", "global", "redfield")[variant],
    )


def draw_conductors(rng, count):
    leads = [decades(rng, -2, 2, (count, 3)), rng.uniform(-1, 1, (count, 3))]
    return np.concatenate(
        [*leads, rng.uniform(-3, 3, (count, 3)), decades(rng, -3, 0, (count, 3))], axis=1
    )


def build_conductors(variant, vector):
    """A window and two lines between three leads of fermions."""
    temperatures, potentials, centers, widths = vector.reshape(4, 3)
    leads = {
        name: qtd.Reservoir(temperatures[k], potentials[k], "fermi", spectral_density=WideBand(1.0))
        for k, name in enumerate("abc")
    }
    links = [
        ("a", "b", Boxcar(centers[0], widths[0])),
        ("b", "c", TransmissionLine(centers[1], widths[1])),
    ]
    return Conductor(leads, [*links, ("a", "c", TransmissionLine(centers[2], widths[2]))])


def draw_demons(rng, count):
    """Two leads, four resonances about a chemical potential, their width, how bold the demon is,
    and a share of what it could exchange."""
    temperatures, energies = decades(rng, -2, 2, (count, 2)), rng.uniform(-1, 1, (count, 4))
    return np.concatenate(
        [
            temperatures,
            energies,
            decades(rng, -6, -3, (count, 1)),
            rng.uniform(-0.2, 1.0, (count, 1)),
        ],
        axis=1,
    )


def build_demons(variant, vector):
    """The conductor of a demon that takes this share of what is possible, its resonances as points,
    as windows, or as lines."""
    temperatures = vector[:2]
    energies = vector[2:6]
    (width, share) = vector[6:]
    hot, cold = (
        qtd.Reservoir(t, 0.0, "fermi", spectral_density=WideBand(1.0)) for t in temperatures
    )
    demon = NDemon(hot, cold, *energies, width, 1.0)
    bold = qtd.replace(demon, {"boldness": share * demon.limits()[0]})
    return bold.conductor(("narrow", "boxcar", "lorentzian")[variant])


def draw_nonthermal(rng, count):
    """Two leads; occupations of three bins, some full or empty, and their edges; bumps on a logit;
    levels, hopping and couplings."""
    filled = np.clip(rng.uniform(-0.5, 1.5, (count, 3)), 0, 1)
    edges = rng.uniform(-2, 0, (count, 1)) + np.cumsum(decades(rng, -3, 0, (count, 4)), axis=1)
    leads = [decades(rng, -2, 1, (count, 2)), rng.uniform(-1, 1, (count, 2))]
    bumps = [
        rng.uniform(-3, 3, (count, 2)),
        rng.uniform(-1, 1, (count, 2)),
        decades(rng, -2, 0, (count, 2)),
    ]
    return np.concatenate(
        [
            *leads,
            filled,
            edges,
            *bumps,
            rng.uniform(-1, 1, (count, 2)),
            decades(rng, -3, 0, (count, 4)),
        ],
        axis=1,
    )


def build_nonthermal(variant, vector):
    """Two leads and a reservoir with bins, with bumps, or with both at once, joined by two levels;
    or by a window and two lines."""
    t, mu, filled, edges, *bumps, levels, couplings = jnp.split(
        vector, [2, 4, 7, 11, 13, 15, 17, 19]
    )
    leads = {
        name: qtd.Reservoir(t[k], mu[k], "fermi", spectral_density=WideBand(1.0))
        for k, name in enumerate("ab")
    }
    bins, basis = PiecewiseConstant(edges, filled), LogitBasis(Thermal(t[0], mu[1]), *bumps)
    leads["demon"] = qtd.NonthermalReservoir(
        (bins, basis, Mixture([0.3, 0.7], [bins, basis]))[variant // 2]
    )
    if variant % 2:
        sites = jnp.diag(levels) + couplings[3] * jnp.asarray([[0.0, 1.0], [1.0, 0.0]])
        return Conductor(
            leads,
            scatterer=Levels(
                sites, {"a": couplings[:2], "b": couplings[1:3], "demon": couplings[2:]}
            ),
        )
    links = [
        ("demon", "a", Boxcar(levels[0], couplings[0])),
        ("demon", "b", TransmissionLine(levels[1], couplings[1])),
    ]
    return Conductor(leads, [*links, ("a", "b", TransmissionLine(levels[0], couplings[2]))])


def draw_motors(rng, count):
    """Where an orbit is, how large, tunnelling and repulsion; temperatures, potentials and rates of
    three leads; the orbit itself."""
    device = [
        rng.uniform(-10, 10, (count, 2)),
        decades(rng, 0, 2.5, (count, 1)),
        decades(rng, 0, 1.5, (count, 2)),
    ]
    temperatures = decades(rng, -2, 2, (count, 1)) * decades(rng, -0.3, 0.3, (count, 3))
    leads = [
        temperatures,
        temperatures * rng.uniform(-3, 3, (count, 3)),
        decades(rng, -6, 0, (count, 3)),
    ]
    return np.concatenate([*device, *leads, rng.normal(size=(count, 4))], axis=1)


def build_motors(variant, vector):
    """On a circle or an ellipse, with two leads or with three."""
    device, leads, orbit = jnp.split(vector, [5, 14])
    temperatures, potentials, rates = leads.reshape(3, 3)
    left, right, probe = (
        qtd.Reservoir(temperatures[k], potentials[k], "fermi", spectral_density=WideBand(rates[k]))
        for k in range(3)
    )
    circle = jnp.array([[[1.0], [0.0]], [[0.0], [1.0]]])
    others = {"probe": (probe, "left")} if variant // 2 else None
    return QuantumMotor(
        *device, left, right, orbit.reshape(2, 2, 1) if variant % 2 else circle, others
    )


def draw_courses(rng, count):
    """Two modes between three gases: temperatures, potentials in units of them, volumes, rates, and
    how long to look at them."""
    temperatures = decades(rng, -2, 1, (count, 1)) * decades(rng, -0.5, 0.5, (count, 3))
    potentials = (
        temperatures.max(axis=1, keepdims=True)
        * rng.uniform(6, 40, (count, 1))
        * rng.uniform(0.8, 1.2, (count, 3))
    )
    modes = potentials[:, :1] + temperatures[:, :1] * rng.uniform(-3, 3, (count, 2))
    rates = decades(rng, -6, 0, (count, 6))
    longest = decades(rng, -2, 4, (count, 1)) / rates.max(axis=1, keepdims=True)
    return np.concatenate(
        [temperatures, potentials, decades(rng, -1, 2, (count, 3)), modes, rates, longest], axis=1
    )


def build_courses(closure, variant, vector):
    """Finite reservoirs of such gases."""
    temperatures, potentials, volumes, modes, rates, _ = jnp.split(vector, [3, 6, 9, 11, 17])
    gases = qtd.gases.FermiGas(temperatures, potentials, volumes, closure=closure)
    return FiniteReservoirs(modes, rates.reshape(3, 2), gases)


KINDS = {
    "networks": Kind(draw_networks, build_network, 8),
    **{
        f"qubits, {model}": Kind(draw_qubits, functools.partial(build_qubits, model))
        for model in MODELS
    },
    "collective": Kind(draw_collective, build_collective, 3),
    "resonators": Kind(draw_resonators, build_resonators, cost=4),
    "dots": Kind(draw_dots, build_dots, 3),
    "conductors": Kind(draw_conductors, build_conductors, cost=4),
    "demons": Kind(draw_demons, build_demons, 3, cost=4),
    "nonthermal": Kind(draw_nonthermal, build_nonthermal, 6, cost=40),
    "motors": Kind(draw_motors, build_motors, 4, cost=40, size=100, judge=judge_motor),
    "finite reservoirs": Kind(
        draw_courses,
        functools.partial(build_courses, "sommerfeld"),
        cost=40,
        size=100,
        judge=judge_course,
    ),
    "finite reservoirs, exact": Kind(
        draw_courses,
        functools.partial(build_courses, "exact"),
        cost=200,
        size=20,
        judge=functools.partial(judge_course, with_gradient=False),
    ),
}


@functools.cache
def program(name, variant):
    kind = KINDS[name]
    verdict = functools.partial(kind.judge or judge_point, functools.partial(kind.build, variant))
    return eqx.filter_jit(
        lambda vectors: jax.lax.map(verdict, vectors, batch_size=CHUNK // kind.cost)
    )


def device(name, seed, number):
    """Device `number` of a seed of a kind."""
    kind = KINDS[name]
    vectors = kind.draw(np.random.default_rng(seed), kind.size)
    return kind.build(seed % kind.variants, jnp.asarray(vectors[number]))


def attack(name, devices):
    """Counts of statuses, and of what is broken with status 0, with the first places of each."""
    kind = KINDS[name]
    statuses = collections.Counter()
    broken = collections.Counter()
    places = {}
    for seed in range(max(1, devices // (kind.cost * kind.size))):
        vectors = jnp.asarray(kind.draw(np.random.default_rng(seed), kind.size))
        verdict = jax.tree.map(np.asarray, program(name, seed % kind.variants)(vectors))
        statuses.update(verdict.status.tolist())
        for what, failed in zip(Verdict._fields[1:], verdict[1:]):
            found = np.flatnonzero(failed & (verdict.status == 0))
            broken[what] += len(found)
            places.setdefault(what, []).extend((seed, int(i)) for i in found[:3])
    return statuses, broken, places


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", choices=KINDS, default=list(KINDS))
    arguments = parser.parse_args()
    for name in arguments.only:
        start = time.perf_counter()
        statuses, broken, places = attack(name, arguments.devices // len(arguments.only))
        told = {qtd.Status(code).name: count for code, count in sorted(statuses.items())}
        print(
            f"{name}: {sum(statuses.values())} devices in {time.perf_counter() - start:.0f} s,"
            f" {told}",
            flush=True,
        )
        for what, count in broken.items():
            if count:
                print(
                    f"    with status 0, broken: {what} at {count}, first at (seed, number)"
                    f" {places[what][:3]}"
                )


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
