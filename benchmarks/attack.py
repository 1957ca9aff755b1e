"""Random devices over wide decades: with status 0 no NaN, no broken law, no negative variance, finite gradients.

    python benchmarks/attack.py                     (10^6 devices, about an hour on two cores)
    python benchmarks/attack.py --devices 20000 --only networks "qubits, zz"

Every kind of system and every machine in every model, its widths over 1e-6 to 1, temperatures over 1e-2 to 1e4 and heights over 1e-6 to
10, from fixed seeds. For each kind one line: how many devices, how many of each status, and how many with status 0 break what; the seeds
of the first ones that do are printed, so that `device(kind, seed, number)` makes them again.
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
from qtd.spectral import Peaked

CHUNK = 2000


class Kind(NamedTuple):
    """`draw` makes vectors of devices from a generator of random numbers, `build` a system of one vector and the variant of its seed,
    `variants` how many structures there are, each compiled on its own; `cost` how many devices count as one where they are slow."""

    draw: Callable
    build: Callable
    variants: int = 1
    cost: int = 1


class Verdict(NamedTuple):
    """What is wrong with a device, each 0 or 1, and its status."""

    status: jax.Array
    nan: jax.Array
    first_law: jax.Array
    second_law: jax.Array
    variance: jax.Array
    uncertainty: jax.Array
    gradient: jax.Array


def judge(build, vector):
    """The verdict on the device of a vector."""

    def observed(vector):
        point = build(vector).operate() if hasattr(build(vector), "operate") else qtd.operate(build(vector))
        heat = jnp.stack([point.heat_currents[name] for name in point.names])
        return heat, point

    heat, point = observed(vector)
    gradient = jax.grad(lambda v: observed(v)[0][0])(vector)
    energy = jnp.stack([point.device_energy_currents[name] for name in point.names])
    variances = jnp.stack([point.heat_covariance[name, name] for name in point.names])
    parts = jnp.stack([x / point.temperatures[name] for name, x in zip(point.names, heat) if name in point.temperatures])
    sigma = point.entropy_production
    # Where a variance vanishes with the current there is nothing to compare.
    uncertainty = variances * sigma - (2 - 1e-6) * heat**2 if point.of_jumps else jnp.zeros_like(heat)
    floor = jnp.finfo(heat.dtype).tiny ** 0.5
    return Verdict(
        point.status,
        ~(jnp.all(jnp.isfinite(heat)) & jnp.all(jnp.isfinite(variances)) & jnp.isfinite(sigma)),
        jnp.abs(energy.sum()) > 1e-9 * jnp.abs(energy).max(),
        sigma < -1e-9 * jnp.abs(parts).max(),
        jnp.any(variances < 0),
        jnp.any((uncertainty < 0) & (jnp.abs(heat) > floor)),
        ~jnp.all(jnp.isfinite(gradient)),
    )


def decades(rng, low, high, shape):
    return 10 ** rng.uniform(low, high, shape)


LEVELS, PAIRS = 5, [(a, b) for a in range(5) for b in range(a + 1, 5)]


def draw_networks(rng, count):
    """Five levels in any order, spread over two decades; three filters, each near a gap."""
    energies = rng.uniform(0, 6, (count, LEVELS)) * decades(rng, -1, 1, (count, 1))
    gaps = np.abs(energies[:, [a for a, _ in PAIRS[:3]]] - energies[:, [b for _, b in PAIRS[:3]]])
    centers = gaps * (1 + rng.normal(0, 1e-2, gaps.shape))
    baths = [decades(rng, -2, 4, (count, 3)), centers, decades(rng, -6, 0, (count, 3)), decades(rng, -6, 1, (count, 3))]
    return np.concatenate([energies, *baths, decades(rng, -3, 0, (count, len(PAIRS)))], axis=1)


def build_network(variant, vector):
    energies, baths, strengths = jnp.split(vector, [LEVELS, LEVELS + 12])
    temperatures, centers, widths, heights = baths.reshape(4, 3)
    rng = np.random.default_rng(variant)
    owners = np.concatenate([np.arange(3), rng.integers(0, 3, len(PAIRS) - 3)])
    kept = np.flatnonzero((np.arange(len(PAIRS)) < 4) | (rng.random(len(PAIRS)) < 0.8))
    reservoirs = {f"r{i}": qtd.Reservoir(temperatures[i], spectral_density=Peaked(centers[i], widths[i], heights[i])) for i in range(3)}
    return qtd.RateNetwork(energies, [(f"r{owners[k]}", *PAIRS[k], strengths[k]) for k in kept], reservoirs)


KINDS = {"networks": Kind(draw_networks, build_network, 8)}


@functools.cache
def program(name, variant):
    kind = KINDS[name]
    return eqx.filter_jit(jax.vmap(functools.partial(judge, functools.partial(kind.build, variant))))


def device(name, seed, number):
    """Device `number` of a seed of a kind."""
    kind = KINDS[name]
    vectors = kind.draw(np.random.default_rng(seed), CHUNK)
    return kind.build(seed % kind.variants, jnp.asarray(vectors[number]))


def attack(name, devices):
    """Counts of statuses, and of what is broken with status 0, with the first places of each."""
    kind, statuses, broken, places = KINDS[name], collections.Counter(), collections.Counter(), {}
    for seed in range(max(1, devices // (kind.cost * CHUNK))):
        verdict = jax.tree.map(np.asarray, program(name, seed % kind.variants)(jnp.asarray(kind.draw(np.random.default_rng(seed), CHUNK))))
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
        print(f"{name}: {sum(statuses.values())} devices in {time.perf_counter() - start:.0f} s, {told}", flush=True)
        for what, count in broken.items():
            if count:
                print(f"    with status 0, broken: {what} at {count}, first at (seed, number) {places[what][:3]}")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
