"""What the quantum motor does beside its numbers: bad input, friction, folds, exact torque."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import central_difference
from machines import MOTOR_PANELS, MOTOR_PATHS, MOTORS, motor

import qtd
from qtd.machines import QuantumMotor
from qtd.spectral import WideBand


def lead(temperature, potential, rate=0.25):
    return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(rate))


LOPSIDED = QuantumMotor(-0.5, 0.4, 8.0, 8.0, 15.0, lead(1.1, 1.5, 0.2), lead(0.9, -1.5, 0.3))
FIRST = motor(MOTORS[0])[0]


class Described(NamedTuple):
    """Torque at rest and its slope; velocities by order 1; operation by order 3; start of
    cooling."""

    torque: Any
    velocities: Any
    point: Any
    onset: Any


@jax.jit
def described(machine, load):
    return Described(
        machine.coefficients(1, panels=MOTOR_PANELS).torque,
        machine.terminal_velocities(load, 1, panels=MOTOR_PANELS),
        machine.operate(load, 3, panels=MOTOR_PANELS),
        machine.pumping_onset(of="heat", panels=MOTOR_PANELS),
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: QuantumMotor(left=lead(1.0, 1.0, 0.0), right=lead(1.0, -1.0, 0.0)),
            "`left` and `right` must not all",
        ),
        (lambda: LOPSIDED.operate(0.1, 0), "`order` must be an integer not below 1"),
        (lambda: LOPSIDED.terminal_velocities(0.1, 0), "`order` must be an integer not below 1"),
        (lambda: LOPSIDED.pumping_onset(0), "`order` must be an integer not below 1"),
        (lambda: LOPSIDED.coefficients(-1), "`order` must be an integer not below 0"),
        (lambda: LOPSIDED.coefficients(1.5), "`order` must be an integer"),
        (lambda: LOPSIDED.pumping_onset(of="work"), '`of` must be "charge" or "heat"'),
        (lambda: LOPSIDED.cycle(0.0), "`velocity` must not be 0"),
        (lambda: LOPSIDED.operate([0.1, 0.2]), "`load` must be one number"),
        (lambda: QuantumMotor(tunnelling=-1.0), "`tunnelling` must be positive"),
        (
            lambda: qtd.replace(LOPSIDED, {"left.temperature": 0.0}),
            "`temperature` must be positive",
        ),
        (
            lambda: qtd.replace(LOPSIDED, {"right.spectral_density.height": -0.1}),
            "`height` must not be negative",
        ),
        *[
            (
                lambda name=name, value=value: qtd.replace(LOPSIDED, {name: value}),
                f"`{name}` must be finite",
            )
            for name in ("energy_left", "energy_right", "radius", "tunnelling", "repulsion")
            for value in (np.nan, np.inf)
        ],
        (lambda: QuantumMotor(orbit=np.full((2, 2, 1), np.nan)), "`orbit` must be finite"),
        (
            lambda: qtd.replace(LOPSIDED, {"left.chemical_potential": np.nan}),
            "`chemical_potential` must be finite",
        ),
        (
            lambda: qtd.replace(LOPSIDED, {"left.temperature": np.inf}),
            "`temperature` must be finite",
        ),
    ],
)
def test_bad_input_names_the_argument(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_weak_tunnelling_is_said_and_keeps_its_numbers():
    # 5 (Gamma_L + Gamma_R) = 2.5.
    below, above = (qtd.replace(LOPSIDED, {"radius": 3.0, "tunnelling": x}) for x in (2.4, 2.6))
    for machine, status in ((below, qtd.Status.WEAK_TUNNELLING), (above, 0)):
        load = 0.99 * described(machine, jnp.zeros(())).torque[0]
        _, found, point, _ = described(machine, load)
        assert int(found.status[0]) == int(point.status) == status
        assert (
            np.isfinite(float(found.values[0]))
            and np.isfinite(float(point.power))
            and float(point.entropy_production) > 0
        )


def test_where_friction_is_negative_the_velocity_is_returned_and_not_stable():
    biased = {"left.chemical_potential": 9.0, "right.chemical_potential": -9.0}
    machine = qtd.replace(QuantumMotor(radius=10.0), biased)
    torque = described(machine, jnp.zeros(())).torque
    found = described(machine, 0.9 * torque[0]).velocities
    assert float(torque[1]) > 0 and not bool(found.stable[0])
    assert float(found.values[0]) == pytest.approx(-0.1 * float(torque[0] / torque[1]), rel=1e-12)
    assert np.isnan(float(found.slowest[0]))


def test_a_motor_without_a_load_is_free_and_only_a_driven_one_is_frustrated():
    machine = qtd.replace(FIRST, {f"{name}.temperature": 1.0 for name in ("left", "right")})
    rest = described(machine, jnp.zeros(())).torque[0]
    free = described(machine, jnp.zeros(())).point
    assert (
        free.mode == "free"
        and float(free.power) == 0
        and np.isnan(float(free.efficiency))
        and float(free.entropy_production) > 0
    )
    # Pushed forwards, too, the load drives the rotor, and the bias runs down.
    for share, mode in ((0.5, "motor"), (1.05, "frustrated"), (-0.1, "frustrated")):
        point = described(machine, share * rest).point
        assert point.mode == mode and (float(point.power) > 0) == (mode == "motor")


def test_velocities_in_equilibrium_without_a_load_are_said_to_be_rounding():
    machine = qtd.replace(
        LOPSIDED,
        {
            f"{name}.{path}": x
            for name in ("left", "right")
            for path, x in (("chemical_potential", 0.1), ("temperature", 1.0))
        },
    )
    found = described(machine, jnp.zeros(()))
    assert int(found.velocities.status[0]) == int(found.point.status) == qtd.Status.INACCURATE
    assert int(described(machine, jnp.asarray(-0.1)).point.status) == 0


@pytest.mark.parametrize("seed", range(2))
def test_what_is_called_fine_obeys_the_laws(seed):
    rng = np.random.default_rng(seed)
    fine = 0
    for _ in range(40):
        temperature, radius = 10 ** rng.uniform(-2, 2), 500 ** rng.uniform(0, 1)
        potentials = rng.uniform(-5, 5, 2) * (rng.random() > 0.1)
        heights = 10 ** rng.uniform(-6, 0, 2) * (rng.random(2) > 0.1)
        heights[0] += 1e-6
        leads = [
            lead(temperature * 2 ** rng.uniform(-1, 1), *pair) for pair in zip(potentials, heights)
        ]
        machine = QuantumMotor(
            *(rng.normal(size=2) * radius / 2 - 6),
            radius,
            10 ** rng.uniform(0, 1.3),
            10 ** rng.uniform(0, 2),
            *leads,
        )
        found = described(machine, jnp.asarray(rng.normal() * (rng.random() > 0.2)))
        point = found.point
        if int(point.status) not in (0, qtd.Status.WEAK_TUNNELLING):
            continue
        fine += 1
        assert all(np.all(np.isfinite(np.asarray(x))) for x in jax.tree.leaves(point))
        energy, heat = (
            np.array([float(x) for x in of.values()])
            for of in (point.energy_currents, point.heat_currents)
        )
        assert abs(energy.sum() - float(point.power)) <= 1e-8 * np.abs(energy).max()
        assert (
            float(point.entropy_production)
            >= -1e-9 * np.abs(heat / [float(x.temperature) for x in leads]).sum()
        )
    assert fine >= 4


def test_one_of_these_motors_can_refrigerate():
    assert any(np.isfinite(described(*motor(vector)).onset) for vector in MOTORS)


@jax.jit
def pumped(machine, left, right):
    """Starts of pumping charge and heat, and the motor driven from outside, with leads of these
    tunnelling rates."""
    machine = qtd.replace(
        machine, {"left.spectral_density.height": left, "right.spectral_density.height": right}
    )
    onsets = [machine.pumping_onset(of=of, panels=MOTOR_PANELS) for of in ("charge", "heat")]
    return onsets, machine.operate(-0.1, 1, panels=MOTOR_PANELS)


@pytest.mark.parametrize("closed", ["left", "right"])
@pytest.mark.parametrize(
    "machine", [LOPSIDED, FIRST, qtd.replace(LOPSIDED, {"left.temperature": 0.8})]
)
def test_with_one_lead_alone_nothing_is_pumped(machine, closed):
    for height in (0.02, 0.2, 0.5):
        onsets, point = pumped(machine, *((0.0, height) if closed == "left" else (height, 0.0)))
        assert np.all(np.isnan(onsets))
        assert (
            float(point.electric_power) == 0
            and point.mode == "frustrated"
            and np.isnan(float(point.efficiency))
        )


@pytest.mark.parametrize("energies", [(-3.0, -3.0), (2.0, 2.0)])
@pytest.mark.parametrize(("weak", "bias"), [("left", -1.0), ("right", 1.0)])
def test_where_a_weak_lead_starts_to_be_pumped_does_not_depend_on_how_weak_it_is(
    weak, bias, energies
):
    # All that goes through it is in proportion to its rate, and so little that what rounding leaves
    # of the other lead's current hides it.
    machine = QuantumMotor(*energies, 9.0, 10.0, 20.0, lead(1.0, bias), lead(1.0, -bias))
    found = [
        pumped(machine, *((x, 0.25) if weak == "left" else (0.25, x)))[0][0]
        for x in (1e-9, 1e-13, 1e-16, 1e-30)
    ]
    assert bias * float(found[0]) > 0.1
    np.testing.assert_allclose(found[1:], float(found[0]), rtol=1e-6)


@jax.jit
def balance(machine, load):
    """The series of the torque, steady velocities by order 2, and their slopes in the load."""

    def at(load):
        return machine.terminal_velocities(load, 2, panels=MOTOR_PANELS)

    found, slopes = jax.jvp(at, (load,), (jnp.ones_like(load),))
    return machine.coefficients(4, panels=MOTOR_PANELS).torque[:3], found, slopes.values


@pytest.mark.deep
@pytest.mark.quick
def test_where_two_steady_velocities_merge_is_a_fold_and_beyond_it_there_are_none():
    (rest, friction, square), _, _ = balance(FIRST, jnp.asarray(0.0))
    fold = rest - friction**2 / (4 * square)
    inwards = jnp.sign(square)  # of which sign of the load there are two roots
    _, at, _ = balance(FIRST, fold * (1 + inwards * jnp.sign(fold) * 1e-13))
    assert at.status.tolist() == [qtd.Status.FOLD] * 2 and int(at.complex_roots) == 0
    np.testing.assert_allclose(at.values, -friction / (2 * square), rtol=1e-5)
    _, beyond, _ = balance(FIRST, fold * (1 - inwards * jnp.sign(fold) * 1e-9))
    assert int(beyond.complex_roots) == 2 and not bool(jnp.any(beyond.stable))
    for share in (0.3, 1.4):
        load = share * rest
        _, away, slopes = balance(FIRST, load)
        assert int(away.complex_roots) == 0 and qtd.Status.FOLD not in away.status.tolist()
        np.testing.assert_allclose(slopes, 1 / (friction + 2 * square * away.values), rtol=1e-8)


EXACT = jax.jit(lambda machine, load: machine.operate(load, exact=True))


@pytest.mark.deep
@pytest.mark.quick
def test_the_series_leads_to_the_exact_operating_point():
    machine = QuantumMotor(radius=15.0)
    load = 0.5 * machine.work_coefficients(3)[0]
    found, series = EXACT(machine, load), machine.operate(load)
    assert int(found.status) == 0 and float(found.velocity) == pytest.approx(
        float(series.velocity), rel=1e-3
    )
    assert float(machine.cycle(found.velocity).torque) == pytest.approx(float(load), rel=1e-11)
    assert float(sum(found.energy_currents.values())) == pytest.approx(
        float(found.power), rel=1e-10
    )
    assert float(found.entropy_production) > 0 and 0 < float(found.efficiency) < 1


@jax.jit
def exact(load, tunnelling):
    """The steady velocities of the exact torque, and the slopes of the slowest stable one."""

    def slowest(load, tunnelling):
        found = qtd.replace(FIRST, {"tunnelling": tunnelling}).terminal_velocities(load, exact=True)
        return found.values[jnp.argmin(jnp.where(found.stable, jnp.abs(found.values), jnp.inf))]

    return jax.value_and_grad(slowest, argnums=(0, 1))(load, tunnelling)


@pytest.mark.deep
@pytest.mark.optimised
def test_exact_steady_velocities_have_implicit_derivatives():
    load, tunnelling = MOTORS[0, -1], MOTORS[0, MOTOR_PATHS.index("tunnelling")]
    value, slopes = exact(load, tunnelling)
    by_series = described(FIRST, load).point.velocity
    assert float(value) == pytest.approx(float(by_series), rel=0.05)
    by_load = central_difference(lambda x: exact(x, tunnelling)[0], load, 1e-2)
    by_tunnelling = central_difference(lambda x: exact(load, x)[0], tunnelling, 1e-2)
    np.testing.assert_allclose(slopes, [by_load, by_tunnelling], rtol=1e-6)


@pytest.mark.deep
@pytest.mark.quick
def test_design_finds_the_largest_power_of_a_scan():
    def power(m):
        return m.operate(order=1, panels=16).power  # at half of the torque at rest

    over = {"tunnelling": (4.0, 14.0), "energy_left": (-4.0, 2.0)}
    best = qtd.design.maximize(power, FIRST, over, starts=2, steps=25)
    assert best.converged and float(best.value) > float(power(FIRST))
    grid = np.stack(
        np.meshgrid(*(np.linspace(*bounds, 15) for bounds in over.values()), indexing="ij"), -1
    ).reshape(-1, 2)
    scan = jax.jit(
        lambda x: jax.lax.map(lambda pair: power(qtd.replace(FIRST, dict(zip(over, pair)))), x)
    )(jnp.asarray(grid))
    assert float(best.value) >= float(jnp.nanmax(scan)) * (1 - 1e-9)
