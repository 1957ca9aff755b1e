import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import as_float32, central_difference

import qtd
from qtd.machines import QuantumMotor

PANELS = 24  # enough for radii up to 15 at T = 1
LEADS = [f"{side}.{field}" for side in ("left", "right") for field in ("spectral_density.height", "temperature", "chemical_potential")]
PATHS = ("energy_left", "energy_right", "radius", "tunnelling", "repulsion", *LEADS)
MOTORS = jnp.asarray(  # the last number is the load
    [
        [-1.574, 0.236, 6.752, 8.218, 15.799, 0.281, 1.014, 0.751, 0.247, 0.986, -0.751, 0.13],
        [-2.531, -0.562, 6.452, 9.026, 16.53, 0.203, 1.043, 1.904, 0.217, 0.957, -1.904, 0.24],
        [3.684, 2.34, 11.794, 8.36, 15.491, 0.253, 0.97, 0.765, 0.286, 1.03, -0.765, 0.485],
        [1.0, 1.1, 10.0, 8.0, 17.0, 0.25, 0.9, 2.0, 0.23, 1.1, -2.0, 2.2],
    ]
)


def machine(vector):
    return qtd.replace(QuantumMotor(), dict(zip(PATHS, vector)))


def slow_figures(motor, load):
    """By order 1, as good for small loads."""
    point = motor.operate(load, 1, panels=PANELS)
    values = [point.velocity, point.power, point.efficiency, point.entropy_production, motor.pumping_onset(panels=PANELS)]
    return jnp.stack(values), point.status


def figures(vector):
    motor, load = machine(vector), vector[-1]
    point = motor.operate(load, 3, panels=PANELS)
    values = [point.velocity, point.power, point.efficiency, point.entropy_production, motor.pumping_onset(of="heat", panels=PANELS)]
    return jnp.concatenate([slow_figures(motor, load)[0], jnp.stack(values)])


WEIGHTS = jnp.array([30.0, 50.0, 2.0, 10.0, 0.3])


def weighted(vector):
    values, status = slow_figures(machine(vector), vector[-1])
    return WEIGHTS @ values, status


# Values and slopes in one direction from one program: compilation is what costs time here.
ALONG = jax.jit(lambda vector, way: jax.jvp(figures, (vector,), (way,)))
REVERSE = jax.jit(jax.vmap(jax.value_and_grad(weighted, has_aux=True)))
SINGLE = jax.jit(lambda motor, load: slow_figures(motor, load)[0])
UNIT = jnp.eye(MOTORS.shape[1])


def values(vector):
    return np.asarray(ALONG(vector, UNIT[0])[0])


def jacobian(vector):
    return np.stack([ALONG(vector, way)[1] for way in UNIT], axis=-1)


@pytest.mark.parametrize("vector", MOTORS)
def test_gradients_of_all_figures_in_every_parameter_agree_with_central_differences(vector):
    step, columns = 2e-3, []
    for way in UNIT:
        at = lambda n, way=way: values(vector + n * step * way)
        columns.append(sum(w * (at(n) - at(-n)) / (2 * n) for n, w in ((1, 1.5), (2, -0.6), (3, 0.1))) / step)
    wanted, found = np.stack(columns, axis=-1), jacobian(vector)
    pumps = np.isfinite(values(vector))
    assert np.all(pumps[:9]) and np.all(np.isfinite(found[pumps]))  # not every motor has a load at which it starts to cool
    share = np.abs(found - wanted)[pumps] / np.abs(wanted[pumps]).max(axis=1, keepdims=True)
    assert share.max() < 1e-6, share.max(axis=1)


def test_one_of_these_motors_can_refrigerate():
    assert any(np.isfinite(values(vector)[9]) for vector in MOTORS)


def test_reverse_mode_in_a_batch_agrees_with_forward_mode_and_single_motors():
    (found, status), slopes = REVERSE(MOTORS)
    assert not np.any(status)
    for k, vector in enumerate(MOTORS):
        wanted, rows = WEIGHTS @ values(vector)[:5], WEIGHTS @ jacobian(vector)[:5]
        assert float(found[k]) == pytest.approx(float(wanted), rel=1e-11)
        assert np.abs(slopes[k] - rows).max() < 1e-9 * np.abs(rows).max()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"left.temperature": -1.0}, {qtd.Status.INVALID_PARAMETER}),
        (
            {"left.spectral_density.height": 0.0, "right.spectral_density.height": 0.0},
            {qtd.Status.INVALID_PARAMETER, qtd.Status.NO_UNIQUE_STEADY_STATE},
        ),
    ],
    ids=["negative temperature", "no rates"],
)
def test_one_bad_motor_spoils_no_neighbour(changes, status):
    (wanted, _), slopes = REVERSE(MOTORS)
    bad = MOTORS
    for path, value in changes.items():
        bad = bad.at[1, PATHS.index(path)].set(value)
    (found, code), spoilt = REVERSE(bad)
    others = np.arange(len(MOTORS)) != 1
    assert int(code[1]) in status and not np.any(code[others])
    assert bool(jnp.isnan(found[1]))
    np.testing.assert_allclose(found[others], wanted[others], rtol=1e-13)
    np.testing.assert_allclose(spoilt[others], slopes[others], rtol=1e-13)


def test_float32_stays_and_keeps_three_digits_and_motors_of_one_structure_compile_once():
    motors = [as_float32(machine(vector)) for vector in MOTORS]
    found = [SINGLE(motor, vector[-1].astype(jnp.float32)) for motor, vector in zip(motors, MOTORS)]
    assert SINGLE._cache_size() == 1
    assert all(x.dtype == jnp.float32 for x in found)
    np.testing.assert_allclose(np.stack(found), [values(vector)[:5] for vector in MOTORS], rtol=5e-4)


@jax.jit
def balance(motor, load):
    """The series of the torque, steady velocities by order 2, and their slopes in the load."""
    at = lambda load: motor.terminal_velocities(load, 2, panels=PANELS)
    found, slopes = jax.jvp(at, (load,), (jnp.ones_like(load),))
    return motor.coefficients(4, panels=PANELS).torque[:3], found, slopes.values


def test_where_two_steady_velocities_merge_is_a_fold_and_beyond_it_there_are_none():
    motor = machine(MOTORS[0])
    (rest, friction, square), _, _ = balance(motor, jnp.asarray(0.0))
    fold = rest - friction**2 / (4 * square)
    inwards = jnp.sign(square)  # of which sign of the load there are two roots
    _, at, _ = balance(motor, fold * (1 + inwards * jnp.sign(fold) * 1e-13))
    assert at.status.tolist() == [qtd.Status.FOLD] * 2 and int(at.complex_roots) == 0
    np.testing.assert_allclose(at.values, -friction / (2 * square), rtol=1e-5)
    _, beyond, _ = balance(motor, fold * (1 - inwards * jnp.sign(fold) * 1e-9))
    assert int(beyond.complex_roots) == 2 and not bool(jnp.any(beyond.stable))
    for share in (0.3, 1.4):
        load = share * rest
        _, away, slopes = balance(motor, load)
        assert int(away.complex_roots) == 0 and qtd.Status.FOLD not in away.status.tolist()
        np.testing.assert_allclose(slopes, 1 / (friction + 2 * square * away.values), rtol=1e-8)


@jax.jit
def exact(load, tunnelling):
    """The steady velocities of the exact torque, and the slopes of the slowest stable one."""

    def slowest(load, tunnelling):
        found = qtd.replace(machine(MOTORS[0]), {"tunnelling": tunnelling}).terminal_velocities(load, exact=True)
        return found.values[jnp.argmin(jnp.where(found.stable, jnp.abs(found.values), jnp.inf))]

    return jax.value_and_grad(slowest, argnums=(0, 1))(load, tunnelling)


def test_exact_steady_velocities_have_implicit_derivatives():
    load, tunnelling = MOTORS[0, -1], MOTORS[0, PATHS.index("tunnelling")]
    value, slopes = exact(load, tunnelling)
    assert float(value) == pytest.approx(float(values(MOTORS[0])[5]), rel=0.05)  # order 3
    by_load = central_difference(lambda x: exact(x, tunnelling)[0], load, 1e-2)
    by_tunnelling = central_difference(lambda x: exact(load, x)[0], tunnelling, 1e-2)
    np.testing.assert_allclose(slopes, [by_load, by_tunnelling], rtol=1e-6)


MANY = """
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
import qtd
rng = np.random.default_rng(0)
base = qtd.machines.QuantumMotor(radius=8.0)
batch = jax.tree.map(lambda x: x * jnp.asarray(rng.uniform(0.95, 1.05, (2_000,) + (1,) * x.ndim)), base)
power = lambda m: m.operate(order=1, panels=16).power
run = jax.jit(lambda x: jax.lax.map(jax.value_and_grad(power), x, batch_size=50)).lower(batch).compile()
assert "lapack" not in run.as_text().lower()
values, slopes = run(batch)
assert bool(jnp.all(values > 0))
assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(slopes))
print("done")
"""


def test_gradients_of_many_motors_come_back_and_call_no_lapack():
    # Trap: LAPACK under vmap of a gradient hangs for ever on CPUs with jaxlib 0.10.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, timeout=300, env=environment)
    assert done.stdout.strip() == "done", done.stderr[-2000:]


def test_design_finds_the_largest_power_of_a_scan():
    motor = machine(MOTORS[0])
    power = lambda m: m.operate(order=1, panels=16).power  # at half of the torque at rest
    over = {"tunnelling": (4.0, 14.0), "energy_left": (-4.0, 2.0)}
    best = qtd.design.maximize(power, motor, over, starts=2, steps=25)
    assert best.converged and float(best.value) > float(power(motor))
    grid = np.stack(np.meshgrid(*(np.linspace(*bounds, 15) for bounds in over.values()), indexing="ij"), -1).reshape(-1, 2)
    scan = jax.jit(lambda x: jax.lax.map(lambda pair: power(qtd.replace(motor, dict(zip(over, pair)))), x))(jnp.asarray(grid))
    assert float(best.value) >= float(jnp.nanmax(scan)) * (1 - 1e-9)
