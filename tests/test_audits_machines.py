from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import spurious_refrigerator

import qtd
from qtd import Status
from qtd.audits import Severity
from qtd.audits._alternatives import compared
from qtd.audits._conductors import narrow
from qtd.audits._points import device_energy
from qtd.machines import (
    CollectiveRefrigerator,
    FiniteReservoirs,
    NDemon,
    QuantumMotor,
    QubitRefrigerator,
    ResonatorRefrigerator,
)
from qtd.spectral import Resonator, WideBand

INAPPLICABLE, FINE, NOTE, UNCHECKED, DOUBTFUL, WRONG = Severity


def asked(machine, topic, point=None):
    """The findings of one of a machine's own checks."""
    return machine.checks(machine.operate() if point is None else point)[topic]()


# Master equations


def test_the_second_law_of_a_local_equation_depends_on_what_is_counted():
    names = ("hot", "sink", "cold")
    level = {f"{name}.temperature": 1.0 for name in names} | {"cold.temperature": 1.0005}
    machine = qtd.replace(
        QubitRefrigerator("local", 2.0, 2.1, 0.1, 0.05), {"coupling": 1e-3, **level}
    )
    found = device_energy(machine.operate())
    assert found[-1].severity == WRONG
    assert found[-1].numbers["entropy_production"] == pytest.approx(-3.64231133920e-8, rel=1e-6)
    # Equal levels: nothing to choose.
    assert [
        x.severity for x in device_energy(qtd.replace(machine, {"energy_2": 2.0}).operate())
    ] == [FINE]


# Machines


def test_resonators_are_asked_for_levels_and_compared_with_green_functions():
    warm = ResonatorRefrigerator((3, 3))
    cold = qtd.replace(warm, {f"{name}.temperature": 0.08 for name in warm.reservoirs})
    assert [asked(machine, "truncation", "any point")[0].severity for machine in (warm, cold)] == [
        DOUBTFUL,
        FINE,
    ]

    def fig_10(strength, bias):
        centers = {"hot": 2.0, "sink": 2.2, "cold": 2.2}
        temperatures = {"hot": 1 + bias, "sink": 1.0, "cold": 1.0}
        widths = {"hot": 0.02, "sink": 0.02, "cold": 0.02}

        def reservoir(r):
            return qtd.Reservoir(
                temperatures[r],
                spectral_density=Resonator(centers[r], widths[r], strength, cutoff=7.0),
            )

        return ResonatorRefrigerator(
            (3, 3), 2.0, 2.0, 0.2, **{name: reservoir(name) for name in centers}
        )

    (strong,) = asked(fig_10(1.0, 0.6), "other approaches")
    assert strong.severity == NOTE and strong.numbers["xc_ratio"] == pytest.approx(6.7, abs=0.05)
    assert "no reference here" in strong.text
    (unstable,) = asked(fig_10(5.0, 0.3), "other approaches")
    assert unstable.severity == DOUBTFUL and unstable.numbers["margin"] < 0


@pytest.mark.parametrize(
    "strength, deviation, severity",
    [(0.1, 0.555, WRONG), (0.01, 0.0585, NOTE), (0.001, 0.0059, FINE)],
)
def test_where_green_functions_hold_the_difference_decides(strength, deviation, severity):
    # Broad filters and a small shift, where they give 0.4447, 0.9415, 0.9941 of the limit of weak
    # coupling, and rates give 1.
    def reservoir(t, center):
        return qtd.Reservoir(t, spectral_density=Resonator(center, 0.3, strength, cutoff=8.0))

    machine = ResonatorRefrigerator(
        (16, 12), 2.0, 2.0, 1e-4, reservoir(2.0, 1.3), reservoir(1.0, 2.9), reservoir(1.0, 2.4)
    )
    (found,) = asked(machine, "other approaches")
    numbers = found.numbers
    assert abs(numbers["xc_ratio"]) < 0.1
    assert abs(1 - numbers["green_functions"] / numbers["rates"]) == pytest.approx(
        deviation, abs=2e-3
    )
    assert found.severity == severity


def test_a_motor_is_told_where_its_steady_velocity_is_an_artefact_of_the_series():
    def lead(mu):
        return qtd.Reservoir(1.0, mu, "fermi", spectral_density=WideBand(0.25))

    biased = QuantumMotor(radius=10.0, left=lead(7.71), right=lead(-7.71))
    load = 5.744213474546797 + 0.05  # Fig. 2(c): the torque at rest, and a little
    # A root of the series to order 3, of whose next terms the larger one is 1.1 of those kept.
    velocity = jnp.array(6.195e-3)
    point = SimpleNamespace(
        velocity=velocity,
        power=load * velocity / (2 * np.pi),
        omitted=1.1,
        temperatures={"left": jnp.ones(()), "right": jnp.ones(())},
    )
    terms, exact = asked(biased, "series", point)
    assert terms.severity == WRONG
    assert exact.severity == WRONG and "artefact" in exact.text
    assert asked(biased, "adiabaticity", point)[0].numbers["ratio"] == pytest.approx(
        0.06195, rel=1e-3
    )
    # To all orders: the load at which this is a steady velocity.
    slow_turn = float(biased.cycle(1e-4).torque)
    point = SimpleNamespace(
        velocity=jnp.array(1e-4), power=slow_turn * 1e-4 / (2 * np.pi), omitted=1e-3
    )
    assert [x.severity for x in asked(biased, "series", point)] == [FINE, FINE]


def test_demons_need_an_occupation_and_narrow_resonances():
    assert asked(NDemon(), "occupation")[0].severity == FINE
    assert asked(NDemon(energy_4=1.9, boldness=3.0), "occupation")[0].severity == WRONG
    (wide,) = narrow(NDemon().conductor())
    # Of the distance, 0.1.
    assert (
        wide.severity == WRONG
        and "per width" in wide.text
        and wide.numbers["ratio"] == pytest.approx(10)
    )
    # Nothing is left that could be checked and was not.
    assert qtd.audit(NDemon(width=1e-4)).worst == FINE


def test_finite_reservoirs_are_told_where_they_end_and_what_their_gases_are():
    gases = qtd.gases.FermiGas([0.8, 1.0], [18.8, 18.0], 100.0)
    rates = 1e-4 * np.sqrt([[17.1, 17.5]] * 2)
    healthy = FiniteReservoirs([17.1, 17.5], rates, gases)
    checks = healthy.checks("any point")
    assert {x.severity for topic in checks for x in checks[topic]()} == {FINE}
    assert float(FiniteReservoirs().validity()) > 1 > 0.01 > float(healthy.validity())
    stuck = asked(FiniteReservoirs([17.3, 17.3], rates, gases), "equilibrium", "any point")[0]
    # One energy: they stop elsewhere.
    assert stuck.severity == DOUBTFUL and stuck.numbers["conserved"] == 3

    def closure(t):
        return FiniteReservoirs(
            [17.1, 17.5],
            rates,
            qtd.gases.FermiGas([t, 1.2 * t], [18.8, 18.0], closure="sommerfeld"),
        )

    assert asked(closure(0.1), "closure")[0].severity == FINE
    rough = asked(closure(2.5), "closure")[0]
    assert rough.severity == DOUBTFUL and rough.numbers["deviation"] > 0.02


def test_modes_that_cannot_follow_their_reservoirs_are_found():
    rates = jnp.full((2, 2), 4.6)

    def of_size(size):
        return FiniteReservoirs(
            [21.1, 21.5], size * rates, qtd.gases.FermiGas([0.6, 1.0], [20.8, 16.0], size)
        )

    # Rates in proportion to sizes: the reservoirs change as fast, the modes follow that much
    # faster.
    large, usual, tiny = (
        asked(of_size(size), "quasi-stationary modes", "any point")[0]
        for size in (100.0, 1.0, 0.01)
    )
    assert (large.severity, usual.severity, tiny.severity) == (FINE, NOTE, WRONG)
    assert large.numbers["ratio"] == pytest.approx(0.3083 / (2 * 4.6 * 100), rel=0.02)


def test_every_machine_says_what_it_is_made_of():
    for machine in (
        CollectiveRefrigerator(5),
        QubitRefrigerator(),
        ResonatorRefrigerator((3, 3)),
        QuantumMotor(),
        NDemon(),
        spurious_refrigerator(),
    ):
        assert len(machine.systems()) >= 1
    assert (
        set(spurious_refrigerator().alternatives()) == {"global", "redfield"}
        and QubitRefrigerator().alternatives() == {}
    )


# Other descriptions


class Flow(eqx.Module):
    heat_currents: dict
    status: jax.Array
    names: tuple = eqx.field(static=True, default=("hot", "cold"))


def flow(cold, status=Status.OK):
    return Flow({"hot": jnp.array(1.0), "cold": jnp.array(cold)}, jnp.asarray(int(status)))


@pytest.mark.parametrize(
    "is_redfield, status, cold, severity, says",
    [
        (True, Status.OK, 0.2, NOTE, "what differs from it does not hold"),
        (
            True,
            Status.NOT_POSITIVE,
            0.2,
            DOUBTFUL,
            "its own state is not positive: nothing here can judge",
        ),
        (
            True,
            Status.NOT_POSITIVE,
            0.1,
            NOTE,
            "its own state is not positive: nothing here can judge",
        ),
        (False, Status.OK, 0.2, DOUBTFUL, "none can judge"),
        (False, Status.OK, 0.1, FINE, "in other approaches."),
    ],
)
def test_only_a_redfield_state_that_is_one_judges_the_others(
    is_redfield, status, cold, severity, says
):
    (found,) = compared(flow(0.1, status), lambda other: other, {"global": flow(cold)}, is_redfield)
    assert found.severity == severity and says in found.text
    assert ("does not hold" in found.text) == (says == "what differs from it does not hold")


@pytest.mark.parametrize("status, severity", [(Status.OK, WRONG), (Status.NOT_POSITIVE, DOUBTFUL)])
def test_a_redfield_alternative_judges_as_long_as_its_state_is_one(status, severity):
    (found,) = compared(
        flow(0.1), lambda other: other, {"redfield": flow(-0.1, status), "global": flow(0.1)}, False
    )
    assert found.severity == severity and "the other sign" in found.text


def test_without_exchange_there_is_no_approach_to_choose():
    (found,) = asked(QubitRefrigerator(), "other approaches", "any point")
    assert found.severity == INAPPLICABLE
    heat = [
        list(map(float, QubitRefrigerator(model).operate().heat_currents.values()))
        for model in ("zz", "redfield")
    ]
    assert np.allclose(heat[1:], heat[0], rtol=1e-9)
