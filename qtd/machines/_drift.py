"""How finite reservoirs and the modes between them change in time: a state is (temperatures,
chemical potentials, occupations).

Occupations are part of it in the full model only; else there are none, and the modes are in their
quasi-stationary state.
"""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._numerics.batching import settle
from .._numerics.hermitian import eigensystem
from .._numerics.roots import newton
from .._numerics.sensitivity import by_forward_mode
from .._numerics.special import occupied
from .._numerics.trajectories import Course, Equation, Happening, at_times, course, first_rise
from .._numerics.validation import nonnegative, positive


def distances(machine, gases):
    """x_jk = (omega_k - mu_j) / T_j."""
    # Settled: computed twice it could be rounded in two ways, and equal reservoirs would exchange
    # something.
    return settle(
        (machine.energies[None] - gases.chemical_potential[:, None])
        / positive(gases.temperature)[:, None]
    )


def jumps(machine, gases):
    """Jumps of each pair of reservoirs j < q: Gamma_jqk (n_j - n_q) and x_q - x_j of every mode."""
    x = distances(machine, gases)
    filled, empty = occupied(x)
    rates = nonnegative(machine.rates)
    total = rates.sum(0)
    shares = rates / jnp.where(total > 0, total, 1.0)[None]
    found = {}
    for j, q in itertools.combinations(range(len(x)), 2):
        further = x[q] - x[j]
        above = further < 0
        # Without overflow; no absolute value, which has no slope at 0.
        factor = jnp.expm1(jnp.where(above, further, -further))
        difference = factor * jnp.where(above, filled[q] * empty[j], -filled[j] * empty[q])
        found[j, q] = shares[j] * rates[q] * difference, further
    return found


def warming(machine, gases, particles):
    """dT/dt and dmu/dt of reservoirs that particles leave into each mode."""
    held = gases.properties()
    heating = ((machine.energies[None] - held.energy_per_particle[:, None]) * particles).sum(1)
    temperature = -heating / held.heat_capacity
    return temperature, (
        -particles.sum(1) - held.first / gases.temperature * temperature
    ) / held.zeroth


def at(machine, state):
    """The gases, and the occupations of the modes if they are variables, of a state (T, mu, n)."""
    n = len(machine.rates)
    return machine.gases.at(state[:n], state[n : 2 * n]), state[2 * n :]


def leaving(machine, gases, occupations):
    """Particles that leave each reservoir into each mode, per time."""
    if len(occupations):
        return nonnegative(machine.rates) * (
            jax.nn.sigmoid(-distances(machine, gases)) - occupations[None]
        )
    found, nothing = jumps(machine, gases), jnp.zeros_like(machine.energies)

    def signed(j):
        return (flow if pair[0] == j else -flow for pair, (flow, _) in found.items() if j in pair)

    return jnp.stack([sum(signed(j), nothing) for j in range(len(machine.rates))])


def speed(state, machine):
    """The speed of the state of gases and modes."""
    gases, occupations = at(machine, state)
    particles = leaving(machine, gases, occupations)
    filling = particles.sum(0) if len(occupations) else occupations
    return jnp.concatenate([*warming(machine, gases, particles), filling])


def quasi_stationary(machine, gases):
    """Occupations of modes that follow the reservoirs at once."""
    total = machine.rates.sum(0)
    return (machine.rates * jax.nn.sigmoid(-distances(machine, gases))).sum(0) / jnp.where(
        total > 0, total, 1.0
    )


def start(machine, full, occupations):
    """The state at time 0."""
    known = machine.gases.temperature, machine.gases.chemical_potential
    modes = (
        ()
        if not full
        else (quasi_stationary(machine, machine.gases) if occupations is None else occupations,)
    )
    return jnp.concatenate([*known, *modes])


def ends(state, machine):
    """Whether the trajectory has run into where the Sommerfeld expansion fails."""
    gases, _ = at(machine, state)
    if machine.gases.closure == "exact":
        return jnp.any(gases.temperature <= 0)
    return jnp.any(
        (gases.temperature <= 0) | (gases.degeneracy <= gases.smallest_degeneracy * (1 + 1e-6))
    )


def settled(state, machine):
    """Whether all that share a mode are equally occupied, as far as anyone could tell."""
    x = distances(machine, at(machine, state)[0])
    joined = (machine.rates[:, None] > 0) & (machine.rates[None] > 0)
    return jnp.all(jnp.where(joined, jnp.abs(x[:, None] - x[None]), 0) < 1e-8)


def entropy_production(machine, gases, occupations):
    """A sum of terms none of which is negative."""
    x = distances(machine, gases)
    if not len(occupations):
        nothing = jnp.zeros_like(machine.energies)
        return sum(
            (flow * further for flow, further in jumps(machine, gases).values()), nothing
        ).sum()
    odds = jnp.log1p(-occupations) - jnp.log(occupations)
    return jnp.where(
        machine.rates > 0, leaving(machine, gases, occupations) * (odds[None] - x), 0
    ).sum()


def scale(state, machine):
    """What errors are measured in: temperatures, potentials or the larger temperatures, and
    occupations, if they are not too small."""
    n = len(machine.rates)
    temperatures = jnp.abs(state[:n])
    return jnp.concatenate(
        [
            temperatures,
            jnp.maximum(jnp.abs(state[n : 2 * n]), temperatures),
            0.01 + jnp.abs(state[2 * n :]),
        ]
    )


EQUATION = Equation(speed, ends, scale)


def way(machine, times, full, occupations) -> Course:
    """The course of states at rising times, differentiable."""
    found = by_forward_mode(*_run(machine, times, full, occupations))
    return found._replace(states=at_times(EQUATION, found.states, times, machine))


def known_states(machine, states, times, full=False, occupations=None):
    """The same states at rising times, with derivatives."""
    run, parameters = _run(machine, times, full, occupations)
    found = by_forward_mode(lambda parameters: run(parameters).states, parameters, states)
    return at_times(EQUATION, found, times, machine)


def _run(machine, times, full, occupations):
    """The course as a function, and its parameters."""
    numbers, rest = eqx.partition(machine, eqx.is_inexact_array)

    def run(parameters):
        numbers, occupations = parameters
        moved = eqx.combine(numbers, rest)
        return course(EQUATION, start(moved, full, occupations), times, moved)

    return run, (numbers, occupations)


def happening(machine, begin, quantity, stays=lambda *_: True, until=None) -> Happening:
    """When `quantity` of state and machine first rises through 0 on the way from a state, for long
    enough to say that it `stays`."""
    return first_rise(
        EQUATION,
        begin,
        machine,
        quantity,
        stays,
        settled,
        horizon(machine) if until is None else until,
    )


def totals(machine, gases, occupations):
    """Particles, energy and entropy of all."""
    held, n = gases.properties(), occupations
    modes = -(jax.scipy.special.xlogy(n, n) + jax.scipy.special.xlog1py(1 - n, -n)).sum()
    energy = held.energy.sum() + (machine.energies[: len(n)] * n).sum()
    return jnp.stack([held.number.sum() + n.sum(), energy, held.entropy.sum() + modes])


def exchanges(machine):
    """Rates of exchange through each mode, (pairs, modes), and which reservoirs lose and gain by
    it, (pairs, reservoirs)."""
    total = machine.rates.sum(0)
    low, high = np.triu_indices(len(machine.rates), 1)
    rates = machine.rates[low] * machine.rates[high] / jnp.where(total > 0, total, 1.0)[None]
    each = np.eye(len(machine.rates))
    return rates, jnp.asarray(each[high] - each[low], rates.dtype)


def rest(machine):
    """Temperature and potential at which the reservoirs together hold what they hold now; and
    whether they were found."""
    gases, nobody = machine.gases, jnp.zeros(0, machine.energies.dtype)
    number, energy, _ = totals(machine, gases, nobody)
    weights = gases.properties().zeroth / gases.properties().zeroth.sum()

    def mean(x):
        return (weights * x).sum()

    potential = mean(gases.chemical_potential)
    spread = mean((gases.chemical_potential - potential) ** 2)
    guess = jnp.stack([jnp.log(mean(gases.temperature**2) + 3 / jnp.pi**2 * spread) / 2, potential])

    def excess(at, known):
        """Excess of particles and energy, in units of what a change of potential and temperature by
        the temperature would make."""
        gases, number, energy = known
        temperature = jnp.exp(at[0])
        held = gases.at(temperature, at[1]).properties()
        unit = jax.lax.stop_gradient(temperature * held.zeroth.sum())
        particles, heat = held.number.sum() - number, held.energy.sum() - energy
        return jnp.stack([particles / unit, (heat - at[1] * particles) / (temperature * unit)])

    found, converged = newton(excess, guess, (gases, number, energy))
    return jnp.exp(found[0]), found[1], converged & jnp.isfinite(number + energy)


def horizon(machine):
    """Longer than anything takes: settling ends the search."""
    held = machine.gases.properties().zeroth
    return 1e12 * jnp.min(held) / jnp.max(machine.rates.sum(0))


def conserved(machine):
    """How many combinations of particle numbers and energies no exchange changes: all less the rank
    of the exchanges."""
    rates, moved = exchanges(machine)
    energies = machine.energies - machine.energies.mean()
    energies = energies / jnp.maximum(
        jnp.abs(energies).max(), jnp.finfo(energies.dtype).eps * jnp.abs(machine.energies).max()
    )
    charges = jnp.stack([jnp.ones_like(energies), energies], axis=1)
    vectors = jnp.einsum(
        "pk,pj,kc->pkjc", (rates > 0).astype(energies.dtype), moved, charges
    ).reshape(rates.size, -1)
    found, _ = eigensystem(vectors.T @ vectors)
    return (found < 1e-10 * found.max()).sum()


def relaxation_rates(machine, temperature, potential):
    """Rates at which small deviations relax, from an equilibrium, in rising order."""
    rates, moved = exchanges(machine)
    x = (machine.energies - potential) / temperature
    noise = rates * (jax.nn.sigmoid(x) * jax.nn.sigmoid(-x))[None]
    charges = jnp.stack([jnp.ones_like(x), machine.energies - potential], axis=1)
    # Deviations in units of their thermal fluctuations, in which the relaxation is a symmetric
    # matrix.
    held = machine.gases.at(temperature, potential).properties()
    first, slope = jnp.sqrt(temperature * held.zeroth), held.first / held.zeroth
    second = temperature * jnp.sqrt(held.heat_capacity)
    number = moved[:, None] * charges[None, :, :1] / first[None, None]
    energy = moved[:, None] * (charges[None, :, 1:] - slope[None, None]) / second[None, None]
    vectors = (jnp.sqrt(noise)[..., None] * jnp.concatenate([number, energy], axis=2)).reshape(
        noise.size, -1
    )
    found, _ = eigensystem(vectors.T @ vectors)
    return jnp.sort(jnp.maximum(found, 0.0))
