import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.machines import QuantumMotor
from qtd.spectral import WideBand

pytestmark = pytest.mark.deep

PANELS = 24  # enough for radii up to 15 at T = 1
TURN = jax.jit(lambda motor, velocity: motor.cycle(velocity))
EXACT = jax.jit(
    lambda motor, share: motor.operate(
        share * motor.coefficients(1, panels=PANELS).torque[0], exact=True, panels=PANELS
    )
)
SERIES = jax.jit(lambda motor, load: motor.operate(load, 3, panels=PANELS))
ROOTS = jax.jit(
    lambda motor, load: (
        motor.coefficients(1, panels=PANELS).torque,
        motor.terminal_velocities(load, 1, panels=PANELS),
    )
)


def lead(temperature, potential, rate=0.25):
    return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(rate))


def paper(radius, bias, difference=0.0, **options):
    # With a second harmonic of 0, for one structure and one compilation.
    circle = np.zeros((2, 2, 2))
    circle[0, 0, 0] = circle[1, 1, 0] = 1.0
    leads = lead(1 + difference / 2, bias / 2), lead(1 - difference / 2, -bias / 2)
    return QuantumMotor(radius=radius, left=leads[0], right=leads[1], orbit=circle, **options)


def random_motor(seed, probe=False, temperature=None, bias=None):
    """Any orbit of two harmonics around any centre; temperatures and potentials are random where
    they are not given."""
    rng = np.random.default_rng(seed)
    temperatures, potentials = rng.uniform(0.7, 1.4, 3), rng.uniform(-2, 2, 3)
    if temperature is not None:
        temperatures = np.full(3, temperature)
    if bias is not None:
        potentials = 0.3 + bias * np.array([0.5, -0.5, 0.0])
    leads = [lead(*x) for x in zip(temperatures, potentials, rng.uniform(0.1, 0.4, 3))]
    orbit = rng.normal(size=(2, 2, 2)) * np.array([1.0, 0.3])
    others = {"probe": (leads[2], str(rng.choice(["left", "right"])))} if probe else None
    radius = rng.uniform(2, 6)
    tunnelling = rng.uniform(6, 9)
    repulsion = rng.uniform(5, 20)
    return QuantumMotor(
        *rng.uniform(-4, 2, 2), radius, tunnelling, repulsion, *leads[:2], orbit, others
    )


@pytest.mark.parametrize("probe", [False, True], ids=["two leads", "three leads"])
@pytest.mark.parametrize("seed", range(3))
def test_exact_turns_obey_both_laws(seed, probe):
    motor = random_motor(seed, probe)
    for velocity in (-3.0, -0.4, -0.02, 0.001, 0.05, 0.6, 20.0):
        turn = TURN(motor, velocity)
        flows = [velocity * turn.torque, *turn.energy.values()]
        assert int(turn.status) == 0
        assert abs(float(sum(flows[1:]) - flows[0])) < 1e-10 * max(abs(float(x)) for x in flows)
        assert abs(float(sum(turn.particles.values()))) < 1e-10 * max(
            abs(float(x)) for x in turn.particles.values()
        )
        assert (
            -sum(float(turn.heat[name] / known.temperature) for name, known in motor.leads.items())
            >= 0
        )


@pytest.mark.parametrize("share", [0.3, 0.7, 1.4])
@pytest.mark.parametrize(
    "motor",
    [
        *[paper(8.0, 3.0), paper(12.0, 5.0), paper(10.0, 0.0, 0.4), paper(12.0, 0.0, -0.8)],
        *[random_motor(seed, temperature=1.1, bias=3.0) for seed in range(2)],
        *[random_motor(seed, bias=0.0) for seed in range(2)],
        *[random_motor(seed) for seed in range(2)],
    ],
    ids=[
        "bias 3",
        "bias 5",
        "dT 0.4",
        "dT -0.8",
        *[f"any {kind} {k}" for kind in ("bias", "dT", "both") for k in range(2)],
    ],
)
def test_exact_operating_points_stay_below_their_bounds(motor, share):
    point = EXACT(motor, share)
    assert int(point.status) == 0 and float(point.entropy_production) > 0
    assert all(law.holds for law in point.laws()[:2])
    efficiency, bound = float(point.efficiency), float(point.carnot_efficiency)
    assert np.isnan(efficiency) or 0 < efficiency < bound


@pytest.mark.parametrize("seed", range(6))
def test_without_a_difference_nothing_moves_by_itself(seed):
    point = SERIES(random_motor(seed, temperature=1.1, bias=0.0), 0.0)
    assert abs(float(point.velocity)) < 1e-12
    flows = [*point.particle_currents.values(), *point.heat_currents.values(), point.power]
    assert max(abs(float(x)) for x in flows) < 1e-12


def mirrored(motor):
    """Left and right change names, but the orbit does not: of a circle, this turns the other way
    around."""
    return QuantumMotor(
        motor.energy_right,
        motor.energy_left,
        motor.radius,
        motor.tunnelling,
        motor.repulsion,
        motor.right,
        motor.left,
        motor.orbit,
    )


def named_otherwise(motor):
    """Left and right change names, and so does the orbit: the same motor."""
    return qtd.replace(mirrored(motor), {"orbit": motor.orbit[::-1]})


def backwards(motor):
    """The same orbit, run through the other way around."""
    return qtd.replace(motor, {"orbit": motor.orbit * jnp.array([1.0, -1.0])[None, :, None]})


LOPSIDED = QuantumMotor(
    -0.5, 0.4, 8.0, 8.0, 15.0, lead(1.1, 1.5, 0.2), lead(0.9, -1.5, 0.3), paper(8.0, 0.0).orbit
)
ANY = random_motor(1)


def test_a_mirrored_circle_turns_the_other_way_around():
    rest, found = ROOTS(LOPSIDED, 0.0)
    other_rest, other = ROOTS(mirrored(LOPSIDED), 0.0)
    assert float(other_rest[0]) == pytest.approx(-float(rest[0]), rel=1e-10)
    assert float(other.values[0]) == pytest.approx(-float(found.values[0]), rel=1e-10)
    load = 0.4 * rest[0]
    point, reflected = SERIES(LOPSIDED, load), SERIES(mirrored(LOPSIDED), -load)
    assert float(reflected.velocity) == pytest.approx(-float(point.velocity), rel=1e-9)
    assert float(reflected.efficiency) == pytest.approx(float(point.efficiency), rel=1e-9)
    assert float(reflected.particle_currents["right"]) == pytest.approx(
        float(point.particle_currents["left"]), rel=1e-9
    )


@pytest.mark.parametrize("motor", [LOPSIDED, ANY], ids=["circle", "any orbit"])
@pytest.mark.parametrize(
    ("change", "sign", "twin"), [(named_otherwise, 1, "right"), (backwards, -1, "left")]
)
def test_names_do_not_matter_and_directions_are_a_sign(motor, change, sign, twin):
    for velocity in (0.03, -0.5):
        turn, other = TURN(motor, velocity), TURN(change(motor), sign * velocity)
        assert float(other.torque) == pytest.approx(sign * float(turn.torque), rel=1e-8)
        assert float(other.heat[twin]) == pytest.approx(float(turn.heat["left"]), rel=1e-8)


def test_the_unit_of_energy_does_not_matter():
    def scale(path):
        return 2.0 if path != "orbit" else 1.0

    for motor in (LOPSIDED, paper(10.0, 0.0, 0.4)):
        double = qtd.replace(
            motor, {path: scale(path) * value for path, value in qtd.parameters(motor).items()}
        )
        load = 0.5 * ROOTS(motor, 0.0)[0][0]
        point, other = SERIES(motor, load), SERIES(double, 2 * load)
        assert int(point.status) == int(other.status) == 0
        assert float(other.velocity) == pytest.approx(2 * float(point.velocity), rel=1e-10)
        assert float(other.power) == pytest.approx(4 * float(point.power), rel=1e-10)
        assert float(other.efficiency) == pytest.approx(float(point.efficiency), rel=1e-10)
        assert float(other.entropy_production) == pytest.approx(
            2 * float(point.entropy_production), rel=1e-10
        )
