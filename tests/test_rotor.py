"""The rotor: spinning up against SciPy, standing still, and what torque noise does to it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_banded

import qtd
from qtd import rotor
from qtd.machines import QuantumMotor
from qtd.spectral import WideBand


def lead(temperature, potential, rate=0.25):
    return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(rate))


def paper(radius, bias, repulsion=20.0):
    return QuantumMotor(
        radius=radius, repulsion=repulsion, left=lead(1.0, bias / 2), right=lead(1.0, -bias / 2)
    )


ANGLES = 2 * np.pi * np.arange(512) / 512
LOCAL = jax.jit(jax.vmap(lambda motor, angle: motor.local(angle, 3), in_axes=(None, 0)))
BISTABLE = paper(10.0, 15.42, 40.0)


class Curve(NamedTuple):
    """The bistable motor, sampled: what it does at rest at the angles, its torque in powers of the
    velocity, a load, and where it turns steadily with that load: stable, unstable, stable."""

    samples: Any
    torque: np.ndarray
    load: float
    velocities: np.ndarray


@pytest.fixture(scope="module")
def bistable():
    samples = LOCAL(BISTABLE, ANGLES)
    torque = 2 * np.pi * np.asarray(samples.torque).mean(0)
    return Curve(
        samples, torque, float(torque[0]) + 0.05, np.sort(np.roots([*torque[:0:-1], -0.05]).real)
    )


def fourier(values):
    """The trigonometric polynomial through values on ANGLES."""
    c = np.fft.rfft(values) / len(values)
    c[1:] *= 2
    frequencies = np.arange(len(c))
    return lambda angle: (c * np.exp(1j * frequencies * angle)).real.sum()


@pytest.mark.parametrize(("velocity", "electronic"), [(6e-3, False), (-9e-3, False), (6e-3, True)])
def test_spinning_up_agrees_with_an_integration_in_time(bistable, velocity, electronic):
    # Second method: Newton's equation in time, not in the angle, by SciPy; the torque as a Fourier
    # sum. A light rotor with large ripple.
    inertia = 1e6
    push = [fourier(np.asarray(bistable.samples.torque)[:, k]) for k in range(4)]
    extra = fourier(np.asarray(bistable.samples.inertia))

    def heavy(angle):
        return inertia + (extra(angle) if electronic else 0.0)

    def slope(_, y):
        return [
            y[1],
            (sum(f(y[0]) * y[1] ** k for k, f in enumerate(push)) - bistable.load / (2 * np.pi))
            / heavy(y[0]),
        ]

    def turned(_, y):
        return abs(y[0]) - 2 * np.pi

    turned.terminal = True
    wanted = solve_ivp(
        slope, (0, 1e5), [0.0, velocity], "DOP853", rtol=1e-10, atol=1e-13, events=turned
    )
    found = BISTABLE.spin_up(velocity, inertia, bistable.load, 1, electronic_inertia=electronic)
    assert not found.stopped and int(found.status) == 0
    assert float(found.velocities[1]) == pytest.approx(wanted.y[1, -1], rel=1e-8)
    assert float(found.times[1]) == pytest.approx(wanted.t[-1], rel=1e-7)
    assert float(found.mean_velocities[0]) == pytest.approx(
        np.sign(velocity) * 2 * np.pi / wanted.t[-1], rel=1e-7
    )
    assert float(found.angle) == pytest.approx(np.sign(velocity) * 2 * np.pi, rel=1e-12)


def test_a_rotor_stops_where_an_integration_in_time_turns_around(bistable):
    inertia, velocity = 1e5, 2e-3
    push = [fourier(np.asarray(bistable.samples.torque)[:, k]) for k in range(4)]

    def slope(_, y):
        return [
            y[1],
            (sum(f(y[0]) * y[1] ** k for k, f in enumerate(push)) - bistable.load / (2 * np.pi))
            / inertia,
        ]

    def still(_, y):
        return y[1]

    still.terminal = True
    wanted = solve_ivp(
        slope, (0, 1e6), [0.0, velocity], "DOP853", rtol=1e-11, atol=1e-14, events=still
    )
    found = BISTABLE.spin_up(velocity, inertia, bistable.load, 3)
    assert bool(found.stopped) and float(found.velocities[-1]) == 0 == float(
        found.mean_velocities[-1]
    )
    assert float(found.angle) == pytest.approx(wanted.y[0, -1], rel=1e-6)
    assert float(found.times[-1]) == pytest.approx(wanted.t[-1], rel=1e-6)


TOGETHER = jax.jit(
    lambda motor, velocities, load: motor.spin_up(velocities, 2e7, load, 20, panels=48)
)


def test_many_rotors_spin_up_together_as_they_do_alone(bistable):
    velocities = np.array([-0.01, -4e-3, 1e-4, 3e-4, 1.5e-3, 6e-3])
    found = TOGETHER(BISTABLE, velocities, bistable.load)
    assert np.asarray(found.stopped).tolist() == [False, False, True, True, False, False]
    for i, velocity in enumerate(velocities):
        alone = TOGETHER(BISTABLE, np.array([velocity] * 6), bistable.load)
        np.testing.assert_allclose(found.velocities[i], alone.velocities[0], rtol=1e-13)
    assert np.all(np.diff(found.velocities[5]) > 0) and np.all(
        np.diff(np.abs(found.velocities[0])) < 0
    )


@pytest.mark.deep
@pytest.mark.parametrize(("repulsion", "turns"), [(20.0, 816), (40.0, 1696)], ids=["U=20", "U=40"])
def test_the_rotor_of_figure_2c_is_trapped_after_so_many_turns(repulsion, turns):
    motor = paper(10.0, 15.42, repulsion)
    load = float(np.asarray(LOCAL(motor, ANGLES).torque)[:, 0].mean() * 2 * np.pi) + 0.05
    found = motor.spin_up(1.5e-3, 2e7, load, turns, panels=48)
    assert bool(found.stopped) and turns - 1 < float(found.angle) / (2 * np.pi) < turns


END = jax.jit(
    lambda radius, load: (
        qtd.replace(BISTABLE, {"radius": radius})
        .spin_up(6e-3, 1e6, load, 2, panels=48)
        .velocities[-1]
    )
)
SLOPE = jax.jit(jax.grad(lambda *x: END(*x), argnums=(0, 1)))


def test_the_final_velocity_has_derivatives(bistable):
    for i, step in enumerate((1e-4, 1e-4)):

        def at(n, i=i, step=step):
            return float(
                END(*(x + n * step * (i == j) for j, x in enumerate((10.0, bistable.load))))
            )

        wanted = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)
        assert float(SLOPE(10.0, bistable.load)[i]) == pytest.approx(wanted, rel=1e-6)


# A small orbit on which friction is of one size everywhere, in equilibrium: T = 1.
SMOOTH = QuantumMotor(1.0, 1.5, 2.0, 3.0, 15.0, lead(1.0, 0.2, 0.2), lead(1.0, 0.2, 0.3))
NOISY = jax.jit(
    jax.vmap(
        lambda key, times: SMOOTH.langevin(0.0, 30.0, times, key, order=1, steps=200, panels=16),
        in_axes=(0, None),
    )
)


@pytest.mark.deep
def test_noise_and_friction_bring_the_rotor_to_the_temperature_of_the_leads():
    # Equipartition, I <v^2> = T: torque noise and friction come from different formulas.
    times = np.arange(1, 31) * 50.0
    found = NOISY(jax.random.split(jax.random.key(1), 600), times)
    squares = 30.0 * np.asarray(found.velocities)[:, 15:] ** 2
    assert np.all(np.asarray(found.status) == 0)
    assert (
        squares.mean() == pytest.approx(1.0, abs=4 * squares.mean(1).std() / np.sqrt(600))
        and squares.mean(1).std() / np.sqrt(600) < 0.03
    )


def test_steps_that_are_too_long_are_flagged():
    found = SMOOTH.langevin(
        0.0, 30.0, np.array([600.0]), jax.random.key(0), order=1, steps=20, panels=16
    )
    assert found.status == qtd.Status.UNRESOLVED


def test_in_equilibrium_the_angle_diffuses_by_einstein_s_relation():
    friction = float(np.asarray(LOCAL(SMOOTH, ANGLES).friction).mean())
    assert float(rotor.diffusion(SMOOTH.network, 0.0, 1)) == pytest.approx(1 / friction, rel=1e-9)
    assert np.isnan(float(rotor.diffusion(BISTABLE.network, 2.03e-3, 1)))  # not a stable velocity


def test_precision_costs_entropy():
    # The uncertainty relation of the motor, 2 D sigma / v^2 >= 2, at half of the torque at rest.
    motor = paper(10.0, 1.0)
    point = motor.operate(order=1)
    spread = rotor.diffusion(motor.network, point.velocity, 1)
    assert float(2 * spread * point.entropy_production / point.velocity**2) >= 2


ESCAPE = jax.jit(
    lambda stable, barrier, inertia, load: rotor.escape_time(
        BISTABLE.network, stable, barrier, inertia, load
    )
)


def test_escape_takes_as_long_as_kramers_says_and_as_a_markov_chain_takes(bistable):
    negative, unstable, positive = bistable.velocities
    noise = float(np.asarray(bistable.samples.noise).mean())
    net = np.polynomial.Polynomial(bistable.torque) - bistable.load
    for stable, inertia in ((negative, 1.5e6), (positive, 6e6)):
        found = float(ESCAPE(stable, unstable, inertia, bistable.load))
        potential = -(inertia / np.pi / noise) * net.integ()
        height = potential(unstable) - potential(stable)
        rates = np.sqrt(-net.deriv()(stable) * net.deriv()(unstable)) / (2 * np.pi * inertia)
        # Kramers' formula counts those that cross; half of what reaches the top for the first time
        # comes back.
        assert found == pytest.approx(np.pi / rates * np.exp(height), rel=0.25)
        # A chain of small steps with the same potential and diffusion: first passage solved as a
        # linear system.
        far = stable - 2.5 * (unstable - stable)
        v = np.linspace(far, unstable, 4001)
        step, spread = abs(v[1] - v[0]), noise / (2 * inertia**2)
        half = np.exp(-(np.diff(potential(v))) / 2)
        up, down = spread / step**2 * half, spread / step**2 / half
        band = np.zeros((3, 4000))
        band[1] = -(up + np.concatenate([[0], down[:-1]]))
        band[0, 1:], band[2, :-1] = up[:-1], down[:-1]
        times = solve_banded((1, 1), band, -np.ones(4000))
        assert found == pytest.approx(
            float(np.interp(abs(stable - far), abs(v[:-1] - far), times)), rel=1e-3
        )


def test_escape_times_have_derivatives(bistable):
    _, unstable, positive = bistable.velocities
    slope = jax.jit(
        jax.grad(lambda inertia: jnp.log(ESCAPE(positive, unstable, inertia, bistable.load)))
    )(6e6)
    wanted = (
        np.log(ESCAPE(positive, unstable, 6.001e6, bistable.load))
        - np.log(ESCAPE(positive, unstable, 5.999e6, bistable.load))
    ) / 2e3
    assert float(slope) == pytest.approx(float(wanted), rel=1e-5)


@jax.jit
def moved(machine, changes):
    """The status of the series, a spin-up, a trajectory and two numbers without a status, of a
    motor in compiled code."""
    machine = qtd.replace(machine, changes)
    spun = machine.spin_up(1e-3, 1e6, 0.0, 1, 1, panels=16)
    went = machine.langevin(
        0.0, 1e6, jnp.array([1e-3]), jax.random.key(0), order=1, steps=2, panels=16
    )
    escape = rotor.escape_time(machine.network, -1e-3, 1e-3, 1e3, 0.0, 1)
    return (
        machine.coefficients(1).status,
        spun,
        went,
        (rotor.diffusion(machine.network, 0.0, 1), escape),
    )


def cold(temperature, radius, energy, tunnelling, repulsion):
    leads = {
        f"{name}.{path}": x
        for name in ("left", "right")
        for path, x in (("temperature", temperature), ("chemical_potential", 0.0))
    }
    return leads | {
        "radius": radius,
        "energy_left": energy,
        "energy_right": energy,
        "tunnelling": tunnelling,
        "repulsion": repulsion,
    }


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        (cold(1.0, 2.0, -4.6, 10.0, 20.0), 0),
        (
            cold(1.0, 2.0, -4.6, 10.0, 20.0) | {"left.temperature": -1.0},
            qtd.Status.INVALID_PARAMETER,
        ),
        (cold(0.01, 0.5, -10.0, 10.0, 20.0), qtd.Status.INACCURATE),
        (cold(0.02, 0.7, -11.0, 9.0, 25.0), qtd.Status.INACCURATE),
        (cold(0.027, 1.35, -43.8, 1.2, 86.0), qtd.Status.NO_UNIQUE_STEADY_STATE),
        (cold(0.005, 8.0, -30.0, 1.2, 160.0), qtd.Status.NO_UNIQUE_STEADY_STATE),
    ],
)
def test_what_moves_by_a_series_carries_its_status(changes, status):
    series, spun, went, numbers = moved(BISTABLE, changes)
    assert int(series) == int(spun.status) == status
    # In the cold motors that are INACCURATE friction underflows, which no step is short enough for.
    assert int(went.status) == (
        qtd.Status.UNRESOLVED if status == qtd.Status.INACCURATE else status
    )
    keeps = status in (0, qtd.Status.INACCURATE)
    assert (
        bool(jnp.isfinite(spun.velocities).all())
        == bool(jnp.isfinite(went.velocities).all())
        == keeps
    )
    assert keeps or (
        not bool(spun.stopped)
        and np.all(np.isnan(spun.velocities))
        and np.all(np.isnan(spun.times))
    )
    assert all(np.isfinite(float(x)) == (status == 0) for x in numbers)


def test_a_rotor_without_a_steady_state_raises_where_it_is_known():
    machine = qtd.replace(BISTABLE, cold(0.027, 1.35, -43.8, 1.2, 86.0))
    for call in (
        lambda: machine.spin_up(1e-3, 1e6, cycles=1, order=1, panels=16),
        lambda: machine.langevin(0.0, 1e6, [1e-3], jax.random.key(0), order=1, steps=2, panels=16),
    ):
        with pytest.raises(ValueError, match="(?i)no unique steady state"):
            call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: BISTABLE.spin_up(0.0, 1e6), "`velocity` must be positive"),
        (lambda: BISTABLE.spin_up(1e-3, -1.0), "`inertia` must be positive"),
        (lambda: BISTABLE.spin_up(1e-3, 1e6, cycles=0), "`cycles` must be an integer not below 1"),
        (
            lambda: BISTABLE.langevin(0.0, 0.0, [1.0], jax.random.key(0)),
            "`inertia` must be positive",
        ),
        (
            lambda: BISTABLE.langevin(0.0, 1.0, [-1.0], jax.random.key(0)),
            "`times` must be positive",
        ),
        (lambda: BISTABLE.langevin(0.0, 1.0, [2.0, 1.0], jax.random.key(0)), "`times` must rise"),
        (
            lambda: BISTABLE.langevin(0.0, 1.0, [1.0], jax.random.key(0), steps=0),
            "`steps` must be an integer not below 1",
        ),
        (lambda: rotor.escape_time(BISTABLE.network, 0.1, 0.2, -1.0), "`inertia` must be positive"),
    ],
)
def test_bad_input_names_the_argument(call, words):
    with pytest.raises(ValueError, match=words):
        call()
