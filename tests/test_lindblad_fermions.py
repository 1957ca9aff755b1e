"""Devices between leads of electrons: what one lead does conserves particles together with the
device, in every approach."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd

APPROACHES = "local", "global", "redfield"
LEADS = "left", "right"


def annihilators(modes):
    """Of Jordan and Wigner: the matrices that empty each mode."""
    lower, sign = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0])

    def chain(k):
        return [sign] * k + [lower] + [np.eye(2)] * (modes - k - 1)

    return [functools.reduce(np.kron, chain(k)) for k in range(modes)]


def numbers(modes):
    return sum(c.T @ c for c in annihilators(modes)).diagonal().astype(int).tolist()


class Device:
    """A dot of several modes: its operators and how each lead couples to them, for qtd and for the
    reference."""

    def __init__(self, modes, hops, repulsions, amplitudes):
        self.c = c = annihilators(modes)
        self.levels = {f"e{k}": x.T @ x for k, x in enumerate(c)}
        self.hops = {f"t{i}{j}": z * c[i].T @ c[j] + np.conj(z) * c[j].T @ c[i] for i, j, z in hops}
        self.repulsions = {f"u{i}{j}": c[i].T @ c[i] @ c[j].T @ c[j] for i, j in repulsions}
        self.lowering = {
            name: sum(g * x for g, x in zip(row, c)) for name, row in zip(LEADS, amplitudes)
        }
        self.particles = numbers(modes)
        self.size = modes + len(hops) + len(repulsions)

    def lindbladian(self, values, shift, approach):
        """`values`: of levels, repulsions, hops, then temperature and potential of each lead, and
        the width of the leads."""
        values = jnp.asarray(values)
        own, baths = values[: self.size], values[self.size :]
        levels, rest = own[: len(self.levels)] + shift, own[len(self.levels) :]
        split = len(self.repulsions)
        bare = dict(zip(self.levels, zip(levels, self.levels.values())))
        bare |= dict(zip(self.repulsions, zip(rest[:split], self.repulsions.values())))
        density = qtd.spectral.WideBand(baths[4])

        def lead(i):
            return qtd.Reservoir(
                baths[2 * i], baths[2 * i + 1] + shift, "fermi", spectral_density=density
            )

        return qtd.Lindbladian(
            bare=bare,
            interaction=dict(zip(self.hops, zip(rest[split:], self.hops.values()))),
            couplings={name: x + x.conj().T for name, x in self.lowering.items()},
            reservoirs={name: lead(i) for i, name in enumerate(LEADS)},
            particles=self.particles,
            approach=approach,
        )

    def reference(self, values):
        """Particle current out of the left lead of the Redfield equation written for c and its
        adjoint apart, by dense matrices."""
        own, (t_l, mu_l, t_r, mu_r, width) = np.split(np.asarray(values), [self.size])
        operators = [*self.levels.values(), *self.repulsions.values(), *self.hops.values()]
        energies, states = np.linalg.eigh(sum(x * operator for x, operator in zip(own, operators)))
        one, total = np.eye(len(energies)), 0

        def left(x):
            return np.kron(x, one)

        def right(x):
            return np.kron(one, x.T)

        parts = {}
        for name, temperature, potential in (("left", t_l, mu_l), ("right", t_r, mu_r)):
            c = states.conj().T @ self.lowering[name] @ states
            filled = 1 / (
                1 + np.exp((energies[:, None] - energies[None] - potential) / temperature)
            )
            enters, leaves = 0.5 * width * filled * c.conj().T, 0.5 * width * (1 - filled.T) * c
            parts[name] = 0
            for jump, back in ((enters, c), (leaves, c.conj().T)):
                gain = left(jump) @ right(back) + left(back.conj().T) @ right(jump.conj().T)
                parts[name] = parts[name] + gain - left(back @ jump) - right((back @ jump).conj().T)
            total = total + parts[name]
        total = total - 1j * (left(np.diag(energies)) - right(np.diag(energies)))
        trace, n = one.reshape(-1), (states.conj().T @ np.diag(self.particles) @ states)
        rho = np.linalg.lstsq(
            np.vstack([total, trace]), np.append(np.zeros(len(total)), 1.0), rcond=None
        )[0]
        return np.trace(n @ (parts["left"] @ rho).reshape(one.shape)).real


@pytest.fixture(scope="module")
def devices():
    return {
        "two levels, one lead meets both": Device(2, [], [], [(1.0, 0.6), (0.5, 1.0)]),
        "serial double dot": Device(2, [(0, 1, 1.0)], [(0, 1)], [(1.0, 0.0), (0.0, 1.0)]),
        "spin in a tilted lead": Device(2, [], [(0, 1)], [(0.8, 0.6j), (1.0, 0.3)]),
        "ring with flux": Device(
            3,
            [(0, 1, 1.0), (1, 2, 1.0), (2, 0, np.exp(0.7j))],
            [(0, 1)],
            [(1.0, 0.4, 0.0), (0.0, 0.3, 1.0)],
        ),
    }


NAMES = (
    "two levels, one lead meets both",
    "serial double dot",
    "spin in a tilted lead",
    "ring with flux",
)


def draws(device, count=8):
    """Levels and hops of order one; half of the devices have their particle-hole symmetric point,
    where gaps are each other's negative."""
    rng = np.random.default_rng(3)
    own = rng.uniform(-1.5, 1.5, (count, device.size))
    own[: count // 2, 1] = -own[: count // 2, 0]
    temperatures = rng.uniform(0.3, 2, (2, count))
    potentials = rng.uniform(-1, 1, (2, count))
    width = 10 ** rng.uniform(-2, 0, count)
    baths = np.stack(
        [temperatures[0], potentials[0], temperatures[1], potentials[1], width], axis=1
    )
    return np.concatenate([own, baths], axis=1)


def operated(device, approach):
    def one(values, shift):
        point = qtd.operate(device.lindbladian(values, shift, approach))
        return jnp.stack([point.particle_currents[name] for name in LEADS]), point.status

    return jax.jit(jax.vmap(one))


@pytest.mark.parametrize("approach", APPROACHES)
@pytest.mark.parametrize("name", NAMES)
def test_one_constant_added_to_all_levels_and_potentials_changes_nothing(devices, name, approach):
    device = devices[name]
    points, run = draws(device), operated(device, approach)
    (currents, status) = run(points, np.zeros(len(points)))
    (shifted, _) = run(points, np.full(len(points), 2.3))
    assert set(np.asarray(status).tolist()) <= {0, qtd.Status.NOT_POSITIVE}
    largest = np.abs(currents).max(axis=1, keepdims=True)
    np.testing.assert_allclose(shifted / largest, currents / largest, rtol=0, atol=1e-11)
    np.testing.assert_allclose(currents.sum(axis=1) / largest[:, 0], 0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_redfield_is_that_of_the_operators_and_their_adjoints_apart(devices, name):
    device = devices[name]
    points = draws(device)
    currents, _ = operated(device, "redfield")(points, np.zeros(len(points)))
    expected = [device.reference(values) for values in points]
    np.testing.assert_allclose(currents[:, 0], expected, rtol=1e-9)


@pytest.mark.parametrize("approach", APPROACHES)
def test_independent_levels_at_the_symmetric_point_carry_what_each_carries_alone(devices, approach):
    """Levels at e and -e, each met by leads of different strengths: a sum of two closed forms where
    rates are slow."""
    device = devices["two levels, one lead meets both"]
    width = 1e-9
    t = 0.5
    mu = 0.4
    values = np.array([[0.5, -0.5, t, mu, t, -mu, width]])
    currents, _ = operated(device, approach)(values, np.zeros(1))

    def fermi(e, mu):
        return 1 / (1 + np.exp((e - mu) / t))

    def level(e, left, right):
        return width * left * right / (left + right) * (fermi(e, mu) - fermi(e, -mu))

    expected = level(0.5, 1.0, 0.25) + level(-0.5, 0.36, 1.0)
    np.testing.assert_allclose(
        currents[0, 0], expected, rtol=1e-7 if approach == "redfield" else 1e-13
    )


@pytest.mark.parametrize("approach", ["global", "redfield"])
def test_slow_rates_leave_the_rate_equation_of_many_body_states(devices, approach):
    device = devices["serial double dot"]
    points = draws(device)
    points[:, -1] = 1e-9
    currents, _ = operated(device, approach)(points, np.zeros(len(points)))
    pauli = [
        float(qtd.operate(device.lindbladian(x, 0.0, "global").network()).particle_currents["left"])
        for x in points
    ]
    np.testing.assert_allclose(currents[:, 0], pauli, rtol=1e-6)
