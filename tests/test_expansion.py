"""The velocity expansion and the exact turn, against Fourier derivatives, a Fock space, and
thermodynamics."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import central_difference
from scipy.linalg import null_space

import qtd
from qtd.expansion import (
    coefficients,
    cycle,
    exact_velocities,
    local,
    work_cumulants,
    work_generating_function,
)
from qtd.machines import QuantumMotor
from qtd.spectral import WideBand


def lead(temperature, potential, rate=0.25):
    return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(rate))


MOTOR = QuantumMotor(0.8, -0.5, 5.0, 8.0, 15.0, lead(1.1, 0.7, 0.2), lead(0.9, -0.3, 0.3))
NAMES = ("left", "right")
LOCAL = jax.jit(lambda motor, angle: local(motor.network, angle, 3))
SERIES = jax.jit(lambda motor: coefficients(motor.network, 3))
TURN = jax.jit(lambda motor, velocity: cycle(motor.network, velocity))


def random_motor(seed, equilibrium=False):
    rng = np.random.default_rng(seed)
    contacts = [
        lead(rng.uniform(0.7, 1.4), rng.uniform(-2, 2), rng.uniform(0.1, 0.4)) for _ in NAMES
    ]
    if equilibrium:
        contacts = [
            qtd.replace(contacts[1], {"temperature": 1.1, "chemical_potential": 0.4}) for _ in NAMES
        ]
    orbit = rng.normal(size=(2, 2, 2)) * np.array([1.0, 0.3])
    centre = rng.uniform(-4, 2, 2)
    return QuantumMotor(
        *centre, rng.uniform(2, 6), rng.uniform(4, 9), rng.uniform(5, 20), *contacts, orbit=orbit
    )


MOTORS = [random_motor(seed) for seed in range(4)]


@pytest.mark.parametrize("motor", MOTORS)
def test_every_order_conserves_particles_and_energy(motor):
    found = SERIES(motor)
    energy, particles = sum(found.energy.values()), sum(found.particles.values())
    scale = np.abs(found.torque).max()
    assert abs(float(energy[0])) < 1e-12 * float(jnp.abs(found.energy["left"][0]))
    np.testing.assert_allclose(energy[1:], found.torque[:-1], rtol=1e-11, atol=1e-12 * scale)
    np.testing.assert_allclose(particles, 0, atol=1e-12 * scale)
    assert int(found.status) == 0 and float(found.error) < 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_in_equilibrium_noise_is_friction_and_nothing_moves_by_itself(seed):
    motor = random_motor(seed, equilibrium=True)
    for angle in (0.3, 2.0, 5.1):
        found = LOCAL(motor, angle)
        assert (
            float(found.noise) == pytest.approx(2 * 1.1 * float(found.friction), rel=1e-9)
            and float(found.friction) > 0
        )
    still = SERIES(motor)
    assert abs(float(still.torque[0])) < 1e-11 and float(still.torque[1]) < 0
    # Trap: the error of what vanishes, relative to itself, is that of rounding.
    assert int(still.status) == 0 and float(still.error) < 1e-9
    assert all(abs(float(still.particles[name][0])) < 1e-15 for name in NAMES)


def test_the_electrons_inertia_is_their_answer_to_a_slow_oscillation():
    # Second method: a small oscillation of the angle at frequency w, (i w - W) dp = W' p0, and the
    # part of the torque with w^2.
    angle, frequency = 1.3, 1e-3

    def at(x):
        return np.asarray(qtd.rate_matrix(MOTOR.network(x)))

    step = 1e-3
    slope = (
        8 * (at(angle + step) - at(angle - step)) - (at(angle + 2 * step) - at(angle - 2 * step))
    ) / (12 * step)
    resting = np.asarray(qtd.steady_state(MOTOR.network(angle)))
    force = -np.asarray(jax.jit(jax.jacfwd(lambda x: MOTOR.network(x).energies))(angle))

    def answer(w):
        system, right = 1j * w * np.eye(4) - at(angle), (slope @ resting).astype(complex)
        system[-1], right[-1] = 1.0, 0.0
        return force @ np.linalg.solve(system, right)

    found = LOCAL(MOTOR, angle)
    assert float(found.friction) == pytest.approx(-answer(frequency).imag / frequency, rel=1e-5)
    assert float(found.inertia) == pytest.approx(
        (answer(frequency).real - answer(0.0).real) / frequency**2, rel=1e-4
    )


@pytest.mark.parametrize("seed", range(2))
def test_what_turning_pumps_is_what_a_bias_pushes(seed):
    # Onsager at one angle: dF / dV = I^(1), T dF / d(dT) = (J_L - J_R)^(1) / 2.
    motor, angle = random_motor(seed, equilibrium=True), 1.3

    def hotter(v, t):
        return {"left.chemical_potential": 0.4 + v / 2, "right.chemical_potential": 0.4 - v / 2} | {
            "left.temperature": 1.1 + t / 2,
            "right.temperature": 1.1 - t / 2,
        }

    push = jax.jit(
        jax.grad(
            lambda v, t: local(qtd.replace(motor, hotter(v, t)).network, angle, 1).torque[0],
            argnums=(0, 1),
        )
    )(0.0, 0.0)
    pumped = LOCAL(motor, angle)
    particles = [float(pumped.particle_currents[name][1]) for name in NAMES]
    heat = [float(pumped.energy_currents[name][1]) - 0.4 * n for name, n in zip(NAMES, particles)]
    # What leaves one lead at an angle need not enter the other, but the halves of both relations
    # do.
    assert float(push[0]) == pytest.approx((particles[0] - particles[1]) / 2, rel=1e-9)
    assert 1.1 * float(push[1]) == pytest.approx((heat[0] - heat[1]) / 2, rel=1e-9)


@pytest.mark.parametrize("motor", [MOTOR, MOTORS[0]], ids=["circle", "any orbit"])
def test_taylor_derivatives_agree_with_fourier_ones(motor):
    count = 512
    angles = 2 * np.pi * np.arange(count) / count
    generators = np.asarray(
        jax.jit(jax.vmap(lambda x: qtd.rate_matrix(motor.network(x))))(jnp.asarray(angles))
    )
    resting = np.asarray(
        jax.jit(jax.vmap(lambda x: qtd.steady_state(motor.network(x))))(jnp.asarray(angles))
    )
    frequencies = np.fft.fftfreq(count, 1 / count)
    q = [resting]
    for _ in range(3):
        slope = np.fft.ifft(1j * frequencies[:, None] * np.fft.fft(q[-1], axis=0), axis=0).real
        shifted = generators - np.einsum("kii->ki", generators)[:, :, None]
        q.append(np.linalg.solve(shifted, slope[..., None])[..., 0])
    found = jax.jit(jax.vmap(lambda x: local(motor.network, x, 3).populations))(
        jnp.asarray(angles[::64])
    )
    for k in range(4):
        # Every Fourier derivative multiplies it by the highest frequency.
        rounding = 1e-14 * (count / 2) ** k
        np.testing.assert_allclose(
            found[:, k], q[k][::64], rtol=0, atol=(1e-10 + rounding) * np.abs(q[k]).max()
        )

    def energies(x):
        return motor.network(x).energies

    force = -np.asarray(jax.jit(jax.vmap(jax.jacfwd(energies)))(jnp.asarray(angles)))
    torque = [(force * p).sum() * 2 * np.pi / count for p in q]
    np.testing.assert_allclose(SERIES(motor).torque, torque, rtol=1e-8)


@pytest.mark.parametrize("velocity", [0.02, -0.3, 2.0])
def test_the_exact_turn_agrees_with_fourier_collocation(velocity):
    count = 401
    angles = 2 * np.pi * np.arange(count) / count
    generators = np.asarray(
        jax.jit(jax.vmap(lambda x: qtd.rate_matrix(MOTOR.network(x))))(jnp.asarray(angles))
    )
    k = np.arange(count)
    distance = k[:, None] - k[None]
    with np.errstate(divide="ignore"):
        slope = np.where(
            distance == 0, 0.0, 0.5 * (-1.0) ** distance / np.sin(np.pi * distance / count)
        )
    system = velocity * np.einsum("kl,ab->kalb", slope, np.eye(4)) - np.einsum(
        "kl,kab->kalb", np.eye(count), generators
    )
    system = system.reshape(4 * count, 4 * count)
    right = np.zeros(4 * count)
    system[-1], right[-1] = np.kron(np.eye(count)[0], np.ones(4)), 1.0
    p = np.linalg.solve(system, right).reshape(count, 4)
    force = -np.asarray(
        jax.jit(jax.vmap(jax.jacfwd(lambda x: MOTOR.network(x).energies)))(jnp.asarray(angles))
    )
    found = TURN(MOTOR, velocity)
    assert float(found.torque) == pytest.approx((force * p).sum() * 2 * np.pi / count, rel=1e-9)
    assert float(sum(found.energy.values())) == pytest.approx(
        velocity * float(found.torque), rel=1e-10
    )
    assert abs(float(sum(found.particles.values()))) < 1e-13


@pytest.mark.parametrize("motor", MOTORS[:2])
def test_slow_turns_are_the_series_and_all_turns_produce_entropy(motor):
    series = SERIES(motor)

    def at(v):
        return float((series.torque * v ** np.arange(4)).sum())

    assert float(TURN(motor, 1e-4).torque) == pytest.approx(at(1e-4), rel=1e-9)
    temperatures = {"left": float(motor.left.temperature), "right": float(motor.right.temperature)}
    for velocity in (-1.0, -0.05, 0.05, 1.0):
        turn = TURN(motor, velocity)
        assert -sum(float(turn.heat[name]) / t for name, t in temperatures.items()) >= 0


CUMULANTS = jax.jit(lambda motor, velocity: work_cumulants(motor.network, velocity, 3, panels=96))
GENERATING = jax.jit(
    lambda motor, velocity, field: work_generating_function(
        motor.network, velocity, field, panels=96
    )
)


@pytest.mark.parametrize("velocity", [0.05, -0.4])
def test_work_cumulants_are_the_derivatives_of_the_generating_function(velocity):
    found = CUMULANTS(MOTOR, velocity)

    def at(n, step):
        return float(GENERATING(MOTOR, velocity, n * step))

    assert float(found[0]) == pytest.approx(
        np.sign(velocity) * float(TURN(MOTOR, velocity).torque), rel=1e-10
    )
    step = 0.02
    first = (
        45 * (at(1, step) - at(-1, step))
        - 9 * (at(2, step) - at(-2, step))
        + at(3, step)
        - at(-3, step)
    ) / (60 * step)
    second = (
        270 * (at(1, step) + at(-1, step))
        - 27 * (at(2, step) + at(-2, step))
        + 2 * (at(3, step) + at(-3, step))
    ) / (180 * step**2)
    third = (
        -13 * (at(1, step) - at(-1, step))
        + 8 * (at(2, step) - at(-2, step))
        - at(3, step)
        + at(-3, step)
    ) / (8 * step**3)
    np.testing.assert_allclose(found[:2], [first, second], rtol=1e-6)
    assert float(found[2]) == pytest.approx(third, rel=1e-3)


def equal_leads(temperature):
    return qtd.replace(
        MOTOR,
        {
            f"{name}.{path}": x
            for name in NAMES
            for path, x in (("temperature", temperature), ("chemical_potential", 0.2))
        },
    )


@pytest.mark.parametrize("velocity", [0.02, -0.5, 3.0])
def test_work_done_in_contact_with_equal_leads_obeys_jarzynski(velocity):
    assert abs(float(GENERATING(equal_leads(1.3), velocity, 1 / 1.3))) < 1e-12
    assert abs(float(GENERATING(MOTOR, velocity, 0.0))) < 1e-12


def test_in_slow_turns_of_equal_leads_work_fluctuates_as_it_is_dissipated():
    found = CUMULANTS(equal_leads(1.3), 1e-4)
    assert (
        float(found[1]) == pytest.approx(-2 * 1.3 * float(found[0]), rel=1e-4)
        and float(found[0]) < 0
    )


def fock_rates(left, right, tunnelling, repulsion, contacts):
    """Rates among the nine states without a doubly occupied dot, from operators on the Fock space
    of four spin orbitals L+, L-, R+, R-."""
    signs, lower = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [0.0, 0.0]])

    def chain(ops):
        return np.kron(np.kron(ops[0], ops[1]), np.kron(ops[2], ops[3]))

    destroy = [chain([signs] * k + [lower] + [np.eye(2)] * (3 - k)) for k in range(4)]
    number = [d.T @ d for d in destroy]
    hopping = sum(destroy[s].T @ destroy[2 + s] + destroy[2 + s].T @ destroy[s] for s in (0, 1))
    together = (number[0] + number[1]) @ (number[2] + number[3])
    h = (
        left * (number[0] + number[1])
        + right * (number[2] + number[3])
        - tunnelling / 2 * hopping
        + repulsion * together
    )
    kept = [
        i
        for i in range(16)
        if not (number[0] @ number[1])[i, i] and not (number[2] @ number[3])[i, i]
    ]
    project = np.eye(16)[:, kept]
    # Only states of one electron are mixed by hopping; of two electrons in two dots nothing is left
    # to hop without double occupation.
    energies, vectors = np.linalg.eigh(
        project.T @ (h + 1e-9 * (number[0] + number[2] + 2 * number[0] @ number[2])) @ project
    )
    states = project @ vectors
    charge = np.round(np.einsum("ia,ij,ja->a", states, sum(number), states)).astype(int)
    total = np.zeros((9, 9))
    for (temperature, potential, rate), orbitals in zip(contacts, ((0, 1), (2, 3))):
        for a, b in product(range(9), repeat=2):
            if charge[b] == charge[a] + 1:
                weight = rate * sum(
                    (states[:, a] @ destroy[k] @ states[:, b]) ** 2 for k in orbitals
                )
                filled = 1 / (1 + np.exp((energies[b] - energies[a] - potential) / temperature))
                total[b, a] += weight * filled
                total[a, b] += weight * (1 - filled)
    return total - np.diag(total.sum(0)), energies, charge


@pytest.mark.parametrize("angle", [0.0, 1.0, 2.5, 4.4])
def test_spin_summed_levels_are_those_of_the_fock_space(angle):
    left, right = 0.8 + 5 * np.cos(angle), -0.5 + 5 * np.sin(angle)
    generator, energies, charge = fock_rates(
        left, right, 8.0, 15.0, [(1.1, 0.7, 0.2), (0.9, -0.3, 0.3)]
    )
    p = null_space(generator)[:, 0]
    p = p / p.sum()
    network = MOTOR.network(angle)
    found, levels = np.asarray(qtd.steady_state(network)), np.asarray(network.energies)
    groups = [
        [i for i in range(9) if charge[i] == n and abs(energies[i] - e) < 1e-6]
        for n, e in zip((0, 1, 1, 2), levels)
    ]
    assert [len(group) for group in groups] == [1, 2, 2, 4]
    np.testing.assert_allclose(found, [p[group].sum() for group in groups], atol=1e-8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: MOTOR.coefficients(-1), "`order` must be an integer not below 0"),
        (lambda: MOTOR.cycle(0.0), "`velocity` must not be 0"),
        (lambda: work_cumulants(MOTOR.network, 0.1, 0), "`order` must be an integer not below 1"),
        (lambda: QuantumMotor(tunnelling=0.0), "`tunnelling` must be positive"),
        (lambda: QuantumMotor(radius=-1.0), "`radius` must not be negative"),
        (lambda: QuantumMotor(orbit=[1.0]), "`orbit` must have the shape"),
        (
            lambda: QuantumMotor(left=qtd.Reservoir(1.0, spectral_density=WideBand(0.1))),
            "must be a reservoir of fermions",
        ),
        (lambda: QuantumMotor(others={"left": (lead(1.0, 0.0), "left")}), "`others` must hold"),
        (lambda: lead(-1.0, 0.0), "`temperature` must be positive"),
    ],
)
def test_bad_input_names_the_argument(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_third_lead_obeys_the_same_laws():
    motor = QuantumMotor(
        0.8,
        -0.5,
        5.0,
        8.0,
        15.0,
        lead(1.1, 0.7, 0.2),
        lead(0.9, -0.3, 0.3),
        others={"probe": (lead(1.4, 0.1, 0.1), "left")},
    )
    found = coefficients(motor.network, 2, panels=48)
    np.testing.assert_allclose(sum(found.energy.values())[1:], found.torque[:-1], rtol=1e-11)
    np.testing.assert_allclose(sum(found.particles.values()), 0, atol=1e-12)
    point = motor.operate(0.02, order=1)
    assert set(point.heat_currents) == {"left", "right", "probe"} and np.isfinite(
        float(point.velocity)
    )


def pump(bias):
    """A function of the angle with all its numbers in a closure: a level between two leads, whose
    gates open in turn."""
    leads = {"left": lead(1.0, bias / 2, 1.0), "right": lead(1.0, -bias / 2, 1.0)}

    def network(angle):
        gate = jnp.exp(3 * jnp.sin(angle))
        jumps = [("left", 0, 1, gate), ("right", 0, 1, 1 / gate)]
        return qtd.RateNetwork([0.0, 10 * jnp.cos(angle)], jumps, leads, particles=[0, 1])

    return network


@pytest.mark.deep
def test_exact_velocities_are_found_for_a_plain_function():
    found = exact_velocities(pump(2.0), -1.0, samples=16, panels=24)
    assert np.array_equal(found.status[:2], [0, 0]) and np.isnan(found.values[2:]).all()
    for value, stable in zip(found.values[:2], found.stable[:2]):

        def torque(share, value=value):
            return float(cycle(pump(2.0), value * share, 24).torque)

        assert torque(1.0) == pytest.approx(-1.0, rel=1e-10)
        assert bool(stable) == (torque(1.01) < torque(0.99))


@jax.jit
def pumped(bias, load):
    def at(bias, load):
        return exact_velocities(pump(bias), load, samples=16, panels=24).values[0]

    return jax.value_and_grad(at, argnums=(0, 1))(bias, load)


def test_exact_velocities_of_a_plain_function_have_derivatives_by_what_it_closes_over():
    value, slopes = pumped(2.0, -1.0)
    assert float(cycle(pump(2.0), value, 24).torque) == pytest.approx(-1.0, rel=1e-10)
    by_bias = central_difference(lambda x: pumped(x, -1.0)[0], 2.0, 1e-2)
    by_load = central_difference(lambda x: pumped(2.0, x)[0], -1.0, 1e-2)
    np.testing.assert_allclose(slopes, [by_bias, by_load], rtol=1e-6)


# Evenly spaced angles.


def even(radius, count):
    return coefficients(QuantumMotor(radius=radius).network, 3, angles=count)


EVEN = jax.jit(even, static_argnums=1)
IN_PANELS = jax.jit(lambda radius: coefficients(QuantumMotor(radius=radius).network, 3, 384))


@pytest.mark.parametrize(("radius", "count"), [(2.0, 32), (10.0, 128), (20.0, 256), (30.0, 320)])
def test_evenly_spaced_angles_give_what_panels_do_within_the_error_they_tell(radius, count):
    found, expected = EVEN(radius, count), IN_PANELS(radius)
    assert int(found.status) == 0 and found.error < 1e-6
    for x, y in zip(
        jax.tree.leaves((found.torque, found.heat)),
        jax.tree.leaves((expected.torque, expected.heat)),
    ):
        # Relative to the integrals of absolute values, which are larger.
        assert np.all(np.abs(x - y) < found.error * np.abs(y) + 1e-9 * np.abs(y).max())


def test_too_few_evenly_spaced_angles_are_told():
    found = EVEN(20.0, 64)
    assert int(found.status) == qtd.Status.UNRESOLVED
    assert found.error > np.max(np.abs(found.torque / IN_PANELS(20.0).torque - 1)[:2])


def cold_motor(temperature):
    return QuantumMotor(left=lead(temperature, 1.0), right=lead(temperature, -1.0))


COLD_EVEN = jax.jit(
    lambda temperature, count: coefficients(cold_motor(temperature).network, 1, angles=count),
    static_argnums=1,
)
COLD = jax.jit(lambda temperature: coefficients(cold_motor(temperature).network, 1, 384))


@pytest.mark.parametrize("count", [64, 224])
def test_steps_between_evenly_spaced_angles_are_told(count):
    """Trap: what happens between two angles is not in the difference of two sums that miss it."""
    resolved = []
    for temperature in np.geomspace(1e-4, 10, 26):
        found, expected = COLD_EVEN(temperature, count), COLD(temperature)
        if int(found.status) == 0:
            largest = np.abs(expected.torque).max()
            np.testing.assert_allclose(found.torque, expected.torque, atol=1e-6 * largest, rtol=0)
            resolved.append(temperature)
    assert resolved and min(resolved) > 0.1


def test_evenly_spaced_angles_have_the_derivatives_of_panels():
    for mode in (jax.jacfwd, jax.jacrev):
        slopes = jax.jit(mode(lambda x: even(x, 192).torque))(10.0)
        expected = jax.jit(
            jax.jacfwd(lambda x: coefficients(QuantumMotor(radius=x).network, 3, 48).torque)
        )(10.0)
        np.testing.assert_allclose(slopes, expected, rtol=1e-7)


@pytest.mark.parametrize("options", [{"angles": 33}, {"angles": 2}, {"angles": 64, "panels": 8}])
def test_angles_are_an_even_number_in_place_of_panels(options):
    with pytest.raises(ValueError, match="`angles` must be an"):
        coefficients(QuantumMotor().network, 1, **options)
