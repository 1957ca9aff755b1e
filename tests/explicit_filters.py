"""Devices with explicit filters by plain linear algebra: all of the density matrix, of operators
written out, with rates between joint levels from `numpy.linalg.eigh`. Nothing here knows the
library."""

import numpy as np


def three_levels(rng):
    """A random refrigerator of three levels: energies, jumps by reservoir, filters (centre, width,
    height, temperature) near the gaps."""
    energies = np.array([0.0, rng.uniform(1, 2), rng.uniform(3, 4)])
    jumps = {
        name: (a, b, rng.uniform(0.7, 1.3))
        for name, a, b in (("cold", 0, 1), ("work", 1, 2), ("hot", 0, 2))
    }
    filters = {
        name: (
            (energies[b] - energies[a]) * rng.uniform(0.9, 1.1),
            rng.uniform(0.02, 0.08),
            rng.uniform(0.01, 0.1),
            rng.uniform(0.5, 1.5),
        )
        for name, (a, b, _) in jumps.items()
    }
    return energies, jumps, filters


def operators(energies, jumps, filters, tops, treatment="redfield", is_full=False):
    """H, and by reservoir pairs of an operator and the rate at which it is made, a function of the
    energy it adds."""
    sizes = [len(energies), *(top + 1 for top in tops.values())]

    def on(place, operator):
        found = np.eye(1)
        for i, size in enumerate(sizes):
            found = np.kron(found, operator if i == place else np.eye(size))
        return found

    hamiltonian, made = on(0, np.diag(energies)), {}
    for place, (name, top) in enumerate(tops.items(), start=1):
        center, width, height, temperature = filters[name]
        lower = on(place, np.diag(np.sqrt(np.arange(1, top + 1.0)), 1))
        joint = is_full and treatment == "redfield"
        energy = np.hypot(center, width) if joint else center
        coupling = height * width * center / (2 * energy) if joint else height * width / 2
        falls = on(0, _fall(len(energies), jumps[name])) * np.sqrt(coupling)
        exchange = falls @ lower.T
        if is_full:
            exchange = exchange + falls.T @ lower.T
        hamiltonian = hamiltonian + energy * lower.T @ lower + exchange + exchange.T
        n = 1 / np.expm1(center / temperature)
        if treatment == "local":
            parts = [
                (lower, _constant(2 * width * (1 + n))),
                (lower.T, _constant(2 * width * n)),
            ]
        elif joint:
            rate = _ohmic(2 * width / energy, temperature)
            parts = [(lower + lower.T, rate)]
        else:
            rate = _flat(2 * width, temperature)
            parts = [(lower, rate), (lower.T, rate)]
        made[name] = parts
    for name in set(jumps) - set(tops):
        fall, rate = on(0, _fall(len(energies), jumps[name])), _peaked(*filters[name])
        a, b, _ = jumps[name]
        gap = energies[b] - energies[a]
        if treatment == "local":
            parts = [(fall, _constant(rate(-gap))), (fall.T, _constant(rate(gap)))]
        else:
            parts = [(fall, rate), (fall.T, rate)]
        made[name] = parts
    return hamiltonian, made


def at_rest(hamiltonian, made):
    """Tr[H D_r rho] by reservoir, and the density matrix."""
    energies, states = np.linalg.eigh(hamiltonian)
    size, one = len(hamiltonian), np.eye(len(hamiltonian))
    gaps = energies[:, None] - energies + np.eye(size)
    generator = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    heat = {}
    for name, parts in made.items():
        taken = np.zeros((size**2, size**2))
        for operator, rate in parts:
            weighed = states @ ((states.T @ operator @ states) * 0.5 * rate(gaps)) @ states.T
            loss = operator.T @ weighed
            taken = taken + np.kron(weighed, operator) + np.kron(operator, weighed)
            taken = taken - np.kron(loss, one) - np.kron(one, loss)
        generator = generator + taken
        heat[name] = hamiltonian.ravel() @ taken
    generator[0] = one.ravel()
    rho = np.linalg.solve(generator, np.eye(size**2)[0].astype(complex))
    return {name: (row @ rho).real for name, row in heat.items()}, rho.reshape(size, size)


def secular(hamiltonian, made):
    """The same where all coherence among joint levels is dropped: energy taken up from each
    reservoir, and the populations of the three levels of the device."""
    energies, states = np.linalg.eigh(hamiltonian)
    gaps = energies[:, None] - energies + np.eye(len(energies))
    rates = {
        name: sum(rate(gaps) * (states.T @ operator @ states) ** 2 for operator, rate in parts)
        for name, parts in made.items()
    }
    generator = sum(rates.values())
    generator = generator - np.diag(generator.sum(axis=0))
    generator[0] = 1.0
    populations = np.linalg.solve(generator, np.eye(len(energies))[0])
    gained = energies[:, None] - energies
    heat = {name: np.sum(gained * rate * populations) for name, rate in rates.items()}
    return heat, (states**2 @ populations).reshape(3, -1).sum(axis=1)


def _fall(size, jump):
    a, b, element = jump
    found = np.zeros((size, size))
    found[a, b] = element
    return found


def _constant(rate):
    return lambda gap: rate + 0 * gap


def _flat(density, temperature):
    return lambda gap: density * np.sign(gap) / np.expm1(gap / temperature)


def _ohmic(slope, temperature):
    return lambda gap: slope * gap / np.expm1(gap / temperature)


def _peaked(center, width, height, temperature):
    def rate(gap):
        shape = ((gap - center) ** 2 + width**2) * ((gap + center) ** 2 + width**2)
        return 4 * height * center * width**2 * gap / shape / np.expm1(gap / temperature)

    return rate
