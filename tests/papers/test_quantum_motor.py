"""Quantum motor of Bustos-Marun and Calvo: reference sets, what the paper says of its figures, and
where its series fails."""

import jax
import numpy as np
import pytest
from helpers import exact_populations, relative_error

import qtd
from qtd.machines import QuantumMotor
from qtd.spectral import WideBand


def lead(temperature, potential, rate=0.25):
    return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(rate))


def paper(radius, bias, difference=0.0, repulsion=20.0):
    """The device of the figures: T = 1, potentials +-V / 2, temperatures T +- dT / 2."""
    leads = lead(1 + difference / 2, bias / 2), lead(1 - difference / 2, -bias / 2)
    return QuantumMotor(radius=radius, repulsion=repulsion, left=leads[0], right=leads[1])


SET_A = QuantumMotor(0.8, -0.5, 5.0, 8.0, 15.0, lead(1.1, 0.7, 0.2), lead(0.9, -0.3, 0.3))


def test_set_a_coefficients():
    found = SET_A.coefficients(3)
    np.testing.assert_allclose(
        found.torque, [0.0517418126344, -3.19051914958, -2.26250336575, 54.0597209837], rtol=3e-12
    )
    np.testing.assert_allclose(
        found.particles["left"],
        [0.0156414334223, 0.0953505315661, 0.0486741890138, -0.992454182709],
        rtol=3e-12,
    )
    np.testing.assert_allclose(
        found.heat["left"][:3], [-0.0227209542594, -0.214486994799, -1.32200602375], rtol=3e-12
    )
    np.testing.assert_allclose(
        found.heat["right"][:3], [0.0070795208371, 0.170878275868, -1.91718731484], rtol=3e-12
    )


def test_set_a_at_one_angle():
    found = SET_A.local(1.0)
    np.testing.assert_allclose(
        found.populations[0][:3], [0.24147645406, 0.75812709344, 3.9645128062e-04], rtol=1e-10
    )
    # Of the fourth, 1.2098930046e-09, eight digits are certain, as an LU decomposition gave it.
    assert float(found.populations[0][3]) == pytest.approx(1.2098930046e-09, rel=1e-8)
    assert (
        relative_error(
            found.populations[0], exact_populations(qtd.rate_matrix(SET_A.network(1.0)), 60)
        )
        < 1e-14
    )
    np.testing.assert_allclose(
        [found.torque[0], found.friction, found.noise],
        [0.6384367081, 0.4609051785, 0.6477573106],
        atol=6e-11,
    )
    same = {
        f"{name}.{field}": value
        for name in ("left", "right")
        for field, value in (("temperature", 1.0), ("chemical_potential", 0.2))
    }
    resting = qtd.replace(SET_A, same).local(1.0)
    np.testing.assert_allclose(
        [resting.friction, resting.noise], [0.2930684885, 0.5861369769], atol=6e-11
    )
    assert float(resting.noise) == pytest.approx(2 * float(resting.friction), rel=1e-12)


def test_set_a_exact_turn():
    found = SET_A.cycle(0.02)
    wanted = [-0.012534057618, 0.0175598777591, -0.0275664984964, 0.00975593958494]
    np.testing.assert_allclose(
        [found.torque, found.particles["left"], found.heat["left"], found.heat["right"]],
        wanted,
        rtol=1e-11,
    )


def test_set_a_steady_velocities():
    assert float(SET_A.terminal_velocities(0.1, 1).values[0]) == pytest.approx(
        -0.015125496856, rel=1e-10
    )
    found = SET_A.terminal_velocities(0.1, 3)
    assert found.stable.tolist() == [False, True, False] and float(
        found.values[1]
    ) == pytest.approx(-0.015354002366, rel=1e-10)
    assert int(found.status[1]) == 0 and found.status[0] == found.status[2] == qtd.Status.UNTRUSTED


def test_set_a_slopes():
    torque = jax.jit(jax.grad(lambda m: m.work_coefficients(1)[0]))(SET_A)
    found = [
        torque.tunnelling,
        torque.left.temperature,
        torque.left.chemical_potential,
        torque.radius,
    ]
    np.testing.assert_allclose(
        found, [-0.0334065455, -0.1415249695, 0.0613512836, 0.0442107886], atol=6e-11
    )


def test_sets_b_and_c():
    b = paper(15.0, 4.0).coefficients(3)
    np.testing.assert_allclose(
        b.torque, [3.40615313515, -81.4621934342, -18.7374859285, 1772.13653713], rtol=3e-12
    )
    np.testing.assert_allclose(
        b.particles["left"][:3], [0.012995068144, 0.848922905706, 0.190862616147], rtol=1e-11
    )
    c = paper(30.0, 0.0, 0.4).coefficients(3)
    np.testing.assert_allclose(
        c.torque[:3], [0.268375033308, -158.940267337, -287.539011779], rtol=3e-12
    )
    np.testing.assert_allclose(
        c.heat["right"][:3], [-0.000562929970595, -0.537671789143, -79.280549973], rtol=3e-12
    )


def test_wide_orbits_need_no_grid_from_the_user():
    # Trap: on a uniform grid this orbit needs 4096 points and more.
    motor = paper(100.0, 2.0)
    found, finer = motor.coefficients(3), qtd.expansion.coefficients(motor.network, 3, panels=384)
    np.testing.assert_allclose(found.torque, finer.torque, rtol=1e-9)
    assert float(found.error) < 1e-9 and float(found.torque[1]) == pytest.approx(-463.2, abs=0.05)
    assert float(motor.terminal_velocities(0.5 * found.torque[0], 1).values[0]) == pytest.approx(
        2.153e-3, abs=6e-7
    )
    assert float(motor.terminal_velocities(0.5 * found.torque[0], 3).values[1]) == pytest.approx(
        2.156e-3, abs=6e-7
    )
    assert float(motor.terminal_velocities(1.5 * found.torque[0], 1).values[0]) == pytest.approx(
        -2.153e-3, abs=6e-7
    )
    assert (
        motor.operate(0.5 * found.torque[0]).mode == "motor"
        and motor.operate(1.5 * found.torque[0]).mode == "charge pump"
    )


@pytest.mark.parametrize(
    ("repulsion", "wanted"),
    [(20.0, [-9.452e-3, 3.377e-3, 6.195e-3]), (40.0, [-7.402e-3, 2.029e-3, 6.740e-3])],
    ids=["U=20", "U=40"],
)
def test_bistability_of_figure_2c_is_found_and_not_trusted(repulsion, wanted):
    motor = paper(10.0, 15.42, repulsion=repulsion)
    series = motor.coefficients(5)
    found = motor.terminal_velocities(series.torque[0] + 0.05)
    np.testing.assert_allclose(found.values, wanted, atol=6e-7)
    assert found.stable.tolist() == [True, False, True]
    assert found.status[0] == found.status[2] == qtd.Status.UNTRUSTED
    assert abs(float(series.torque[5] * found.values[2] ** 5)) > abs(
        float(series.torque[3] * found.values[2] ** 3)
    )


def test_the_exact_torque_has_other_steady_velocities_than_the_series():
    motor = paper(10.0, 15.42)
    load = float(motor.work_coefficients(1)[0]) + 0.05
    curve = motor.torque_curve(np.array([0.00314, 0.00316, 0.02318, 0.02320, 0.0062, -0.0095]))
    signs = np.sign(np.asarray(curve.torque) - load)
    # 0.00315 unstable, 0.02319 stable.
    assert signs[:4].tolist() == [-1, 1, 1, -1] and signs[4] == 1
    assert np.all(np.isfinite(np.asarray(curve.torque)))


def biased(motor, bias):
    return qtd.replace(
        motor, {"left.chemical_potential": bias / 2, "right.chemical_potential": -bias / 2}
    )


SLOPE = jax.jit(jax.grad(lambda bias, motor: biased(motor, bias).work_coefficients(1)[0]))


@pytest.mark.parametrize(("radius", "slope"), [(10.0, 0.546), (20.0, 0.930), (50.0, 0.990)])
def test_the_zeroth_order_grows_with_the_bias_by_the_pumped_charge(radius, slope):
    motor = paper(radius, 0.0)
    found, charge = float(SLOPE(0.0, motor)), motor.current_coefficients(1)
    assert found == pytest.approx(slope, abs=6e-4)
    # Onsager.
    assert found == pytest.approx(float(charge["left"][1] - charge["right"][1]) / 2, rel=1e-10)


OPERATE = jax.jit(lambda motor, load: motor.operate(load, order=1))


@pytest.mark.parametrize(("radius", "share"), [(20.0, 0.167), (50.0, 0.496)])
def test_heat_engines_of_figure_4b_reach_their_share_of_carnot(radius, share):
    motor = paper(radius, 0.0, 0.5)
    load = float(motor.work_coefficients(1)[0])
    points = [OPERATE(motor, x * load) for x in np.linspace(0.05, 0.95, 19)]
    assert {point.mode for point in points} == {"heat engine"}
    best = max(float(point.efficiency / point.carnot_efficiency) for point in points)
    assert best == pytest.approx(share, abs=4e-3)
