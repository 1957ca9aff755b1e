"""The validity meter: rates over the widths of filters, weighted by traffic."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    as_float32,
    central_difference,
    dot,
    random_network,
    slow,
    three_levels,
)

import qtd
from qtd.audits import Severity, _coupling
from qtd.audits._jumps import tabulated
from qtd.audits._local import equal_temperatures
from qtd.machines import CollectiveRefrigerator, QubitRefrigerator
from qtd.spectral import Peaked, WideBand
from qtd.steady import solve

INAPPLICABLE, FINE, NOTE, UNCHECKED, DOUBTFUL, WRONG = Severity
LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])
METERS = ("cold", "work", "hot")
ROLES = {"cooled": "cold", "driven_by": "work"}


def bath(temperature, center, width, height):
    return qtd.Reservoir(temperature, spectral_density=Peaked(center, width, height))


def fridge(width=0.05, heights=(0.002, 0.002, 0.002), work=2.5):
    """Three levels at 0, 2, 6 between tuned filters of one width."""
    baths = {
        name: bath(temperature, center, width, height)
        for name, temperature, center, height in zip(
            ("cold", "work", "hot"), (0.5, work, 1.0), (2.0, 4.0, 6.0), heights
        )
    }
    jumps = [("cold", 0, 1, 1.0), ("work", 1, 2, 1.0), ("hot", 0, 2, 1.0)]
    return qtd.RateNetwork([0.0, 2.0, 6.0], jumps, baths)


def ladder(levels, heights=(0.01, 0.01), width=0.1, strengths=None):
    """Equal steps of 1 between two tuned filters, at temperatures of 1 and 0.5."""
    steps = np.arange(levels - 1)
    weights = np.ones(levels - 1) if strengths is None else strengths
    baths = {
        name: bath(temperature, 1.0, width, height)
        for name, temperature, height in zip(("hot", "cold"), (1.0, 0.5), heights)
    }
    jumps = [(name, steps, steps + 1, weights) for name in baths]
    return qtd.RateNetwork(np.arange(float(levels)), jumps, baths)


def coherent(network, approach="global"):
    """Three levels as a master equation."""
    couplings = {}
    for name, (a, b) in {"cold": (0, 1), "work": (1, 2), "hot": (0, 2)}.items():
        operator = np.zeros((3, 3))
        operator[a, b] = operator[b, a] = 1.0
        couplings[name] = (network.strengths[name][0], operator)
    return qtd.Lindbladian(
        bare={"levels": (1.0, np.diag(np.asarray(network.energies)))},
        couplings=couplings,
        reservoirs=network.reservoirs,
        approach=approach,
    )


def meters(system):
    """By reservoir, of a system at rest."""
    return {name: float(meter) for name, meter in solve(system).meters().items()}


# Values


def test_three_levels_have_the_meters_of_an_independent_calculation():
    point = qtd.operate(fridge(), **ROLES)
    expected = {"cold": 0.0258519600779, "work": 0.0705369521251, "hot": 0.0455305646122}
    for name, meter in expected.items():
        assert float(point.meters[name]) == pytest.approx(meter, rel=1e-11)
    assert float(point.heat_currents["cold"]) == pytest.approx(2.39583596975e-6, rel=1e-11)
    assert float(point.expected_error) == pytest.approx(sum(expected.values()) / 6, rel=1e-11)


def test_eleven_spins_have_the_meters_of_an_independent_calculation():
    machine = CollectiveRefrigerator(
        11,
        cold=bath(0.5, 2.0, 0.025, 2e-3),
        work=bath(5.0, 4.0, 0.07, 2.4e-4),
        hot=bath(1.0, 6.0, 0.05, 0.012),
    )
    point = machine.operate()
    expected = {"cold": 0.394980025573, "work": 0.205999780057, "hot": 0.108278959392}
    for name, meter in expected.items():
        assert float(point.meters[name]) == pytest.approx(meter, rel=1e-11)
    assert float(point.heat_currents["cold"]) == pytest.approx(1.60388933716e-5, rel=1e-11)


@pytest.mark.parametrize("spins, meter", [(5, 3.1e5), (31, 1.58e7)])
def test_filters_of_the_paper_are_far_too_narrow(spins, meter):
    found = meters(CollectiveRefrigerator(spins).network())
    assert found["work"] == pytest.approx(meter, rel=0.02)


def test_two_levels_have_their_closed_form():
    heights, width = (0.01, 0.03), 0.1
    found = meters(ladder(2, heights, width))
    at_peak = 4 / (4 + width**2)  # J at its centre, over its height
    means = 1 / np.expm1([1.0, 2.0])
    decay = at_peak * np.sum(heights * (1 + 2 * means)) / 2
    for name in ("hot", "cold"):
        assert found[name] == pytest.approx(decay / width, rel=1e-13)
    equal = meters(ladder(2, (0.01, 0.01), width))
    assert np.mean(list(equal.values())) == pytest.approx(1.738 * 0.1 * at_peak, rel=3e-4)


def test_on_equal_steps_the_meter_is_too_large_by_a_known_factor():
    # Of an oscillator h/d is right: coherences of one step become those of the next.
    network = ladder(60, strengths=np.arange(1.0, 60.0))
    mean = np.mean(1 / np.expm1([1.0, 2.0]))
    size = float(network.reservoirs["hot"].spectral_density(1.0)) / 0.1
    expected = size * (1 + 8 * mean * (1 + mean))
    assert meters(network)["hot"] == pytest.approx(expected, rel=1e-10)


def test_meters_are_proportional_to_all_heights_together():
    few, many = (meters(fridge(heights=(k, 2 * k, 3 * k))) for k in (1e-4, 7e-4))
    for name in few:
        assert many[name] == pytest.approx(7 * few[name], rel=1e-13)


@pytest.mark.parametrize("approach", ["global", "local", "redfield"])
def test_a_master_equation_of_levels_has_the_meters_of_its_network(approach):
    network = three_levels()
    expected, found = meters(network), meters(coherent(network, approach))
    assert set(found) == set(expected) == {"cold", "work", "hot"}
    for name in expected:
        assert found[name] == pytest.approx(expected[name], rel=1e-12)


def test_qubits_in_the_global_approach_have_the_meters_of_their_network():
    machine = QubitRefrigerator("redfield", 2.0, 2.1, 0.2, 0.05)
    lindbladian = machine.lindbladian().using("global")
    expected, found = meters(lindbladian.network()), meters(lindbladian)
    assert set(expected) == set(machine.reservoirs)
    for name in expected:
        assert found[name] == pytest.approx(expected[name], rel=1e-11)


def test_a_meter_is_what_its_formula_says_where_levels_are_joined_by_many():
    network = qtd.RateNetwork(**random_network(2))
    jumps, found = tabulated(solve(network)), meters(network)
    exits = np.bincount(jumps.lower, jumps.up, 6) + np.bincount(jumps.upper, jumps.down, 6)
    for name, reservoir in network.reservoirs.items():
        weights = jumps.activity * jumps.of(name)
        decays = (exits[jumps.lower] + exits[jumps.upper]) / 2
        expected = weights @ decays / weights.sum() / float(reservoir.spectral_density.width)
        assert found[name] == pytest.approx(expected, rel=1e-12)


# Where there is none


def test_what_forgets_at_once_or_makes_no_jumps_has_no_meter():
    assert not qtd.operate(dot()).meters and np.isnan(qtd.operate(dot()).expected_error)
    decays = qtd.Lindbladian.from_jumps(np.diag([0.0, 1.0]), [(LOWER, ("decay", 0.1))])
    assert not meters(decays) and not meters(qtd.machines.NDemon().conductor())


def test_flat_reservoirs_count_as_zero_in_the_error():
    # One filter between two contacts: 1 + h / 4 d is the resistance of all, to first order.
    flat = qtd.Reservoir(0.5, spectral_density=WideBand(0.01))
    network = qtd.RateNetwork(
        [0.0, 1.0],
        [("hot", 0, 1, 1.0), ("flat", 0, 1, 1.0)],
        {"hot": bath(1.0, 1.0, 0.1, 0.01), "flat": flat},
    )
    point = qtd.operate(network)
    assert set(point.meters) == {"hot"}
    assert float(point.expected_error) == pytest.approx(float(point.meters["hot"]) / 4, rel=1e-15)


def test_a_reservoir_without_jumps_has_the_meter_0_and_spoils_no_derivative():
    def meter(strength, name):
        network = qtd.replace(fridge(), {"strengths.work": strength[None]})
        return solve(network).meters()[name]

    for name, expected in (("work", 0.0), ("cold", None)):
        value, slope = jax.jit(jax.value_and_grad(meter), static_argnums=1)(jnp.array(0.0), name)
        assert np.isfinite(value) and np.isfinite(slope)
        assert expected is None or float(value) == expected


def test_derivatives_survive_where_hardly_any_jump_is_made():
    # exp(-600) of the jumps of work: its square is no number any more.
    def meter(temperature):
        level = {f"reservoirs.{name}.temperature": temperature for name in METERS}
        return solve(qtd.replace(fridge(), level)).meters()["work"]

    value, slope = jax.jit(jax.value_and_grad(meter))(jnp.array(0.01))
    assert 0 < float(value) < 1 and np.isfinite(slope)


# As any observable


@functools.partial(jax.jit, static_argnums=1)
def stacked(values, path):
    found = solve(qtd.replace(fridge(), {path: values})).meters()
    return jnp.stack([found[name] for name in METERS])


@pytest.mark.parametrize(
    "path, at, step",
    [
        ("reservoirs.work.spectral_density.height", 0.002, 1e-5),
        ("reservoirs.work.spectral_density.width", 0.05, 1e-4),
        ("reservoirs.hot.spectral_density.center", 6.01, 1e-4),
        ("reservoirs.cold.temperature", 0.5, 1e-3),
    ],
)
def test_derivatives_are_those_of_differences(path, at, step):
    exact = jax.jacfwd(lambda x: stacked(x, path))(jnp.array(at))
    backward = jax.jacrev(lambda x: stacked(x, path))(jnp.array(at))
    differences = central_difference(lambda x: stacked(jnp.array(x), path), at, step)
    np.testing.assert_allclose(exact, differences, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(exact, backward, rtol=1e-10, atol=1e-14)


def test_derivatives_of_a_coherent_device_are_those_of_differences():
    machine = QubitRefrigerator("redfield", 2.0, 2.1, 0.2, 0.05, 0.01)

    @jax.jit
    def meter(exchange):
        return solve(qtd.replace(machine, {"exchange": exchange}).lindbladian()).meters()["sink"]

    slope = jax.jit(jax.grad(meter))(jnp.array(0.05))
    difference = central_difference(lambda x: float(meter(jnp.array(x))), 0.05, 1e-3)
    assert float(slope) == pytest.approx(difference, rel=1e-6)


def test_a_batch_is_its_points_and_precision_is_kept():
    path, widths = "reservoirs.work.spectral_density.width", jnp.linspace(0.01, 0.1, 4)
    batch = jax.vmap(lambda x: stacked(x, path))(widths)
    one_by_one = jnp.stack([stacked(x, path) for x in widths])
    np.testing.assert_allclose(batch, one_by_one, rtol=1e-13)
    single, double = solve(as_float32(fridge())).meters(), solve(fridge()).meters()
    for name in METERS:
        assert single[name].dtype == jnp.float32
        np.testing.assert_allclose(single[name], double[name], rtol=1e-5)


def test_validity_is_printed_where_it_is_worth_a_note_and_meters_are_listed_always():
    calm, noted = (qtd.operate(fridge(heights=(k,) * 3), **ROLES) for k in (1e-5, 2e-3))
    for point in (calm, noted):
        assert {f"meter_{name}" for name in METERS} <= set(point.observables())
        assert point.observables()["meter_cold"].unit == "1"
        assert not any(name.startswith("meter_") for name in point.headlines())
    assert "validity" not in repr(calm) and "validity" in repr(noted)


def test_meters_are_swept_by_name():
    grid = qtd.sweep(fridge(), {"reservoirs.cold.temperature": [0.4, 0.5]}, ["meter_cold"])
    assert grid["meter_cold"].attrs["units"] == "1"
    assert float(grid["meter_cold"][1]) == pytest.approx(0.0258519600779, rel=1e-11)


def test_sectors_are_averaged():
    machine = CollectiveRefrigerator(5)
    mixed = machine.mixture({2.5: 0.5, 1.5: 0.5}).meters["cold"]
    parts = [machine.mixture({spin: 1.0}).meters["cold"] for spin in (2.5, 1.5)]
    assert float(mixed) == pytest.approx(float(sum(parts)) / 2, rel=1e-14)


@pytest.mark.deep
def test_the_most_cooling_within_the_meter_is_found():
    d = 0.05
    over = {f"reservoirs.{x}.spectral_density.height": (0.005 * d, 0.2 * d) for x in METERS}
    network = fridge(d, (0.05 * d,) * 3, work=5.0)
    named = qtd.design.observables(network)
    best = qtd.design.maximize(
        named["J_cold"],
        network,
        over,
        subject_to={f"meter_{name}": (named[f"meter_{name}"], None, 0.1) for name in METERS},
        starts=2,
        steps=60,
    )
    assert best.converged and best.active_constraints == ("meter_work",)
    assert float(best.value) / d == pytest.approx(2.7306e-4, rel=2e-4)
    for name, height in zip(METERS, (0.0455, 0.0318, 0.0696)):
        found = float(best.parameters[f"reservoirs.{name}.spectral_density.height"]) / d
        assert found == pytest.approx(height, abs=6e-5)


# Audits


def found_validity(device):
    (finding,) = (x for x in qtd.audit(device).findings if x.kind == "validity")
    return finding


@pytest.mark.parametrize(
    "factor, severity", [(0.1, FINE), (1.0, NOTE), (10.0, DOUBTFUL), (100.0, WRONG)]
)
def test_an_audit_has_the_rule_of_the_observable(factor, severity):
    device = slow(fridge(), factor)
    finding = found_validity(device)
    assert finding.severity == severity
    assert finding.numbers["validity"] == pytest.approx(factor * 0.0705369521251, rel=1e-10)
    assert finding.numbers["validity"] == float(qtd.operate(device).validity)
    assert "rates of 'work' over the width of its filter" in finding.text


def swapping(detuning, approach="local", temperatures=(1.0, 0.5)):
    """Two qubits that exchange their quantum, each with a bath of its own."""
    excited, flip, one = np.diag([0.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.eye(2)
    swap = np.zeros((4, 4))
    swap[1, 2] = swap[2, 1] = 1.0
    density = qtd.spectral.Ohmic(0.02, 50.0)
    return qtd.Lindbladian(
        bare={
            "first": (1.0 + detuning, np.kron(excited, one)),
            "second": (1.0, np.kron(one, excited)),
        },
        interaction={"swap": (0.02, swap)},
        couplings={"hot": np.kron(flip, one), "cold": np.kron(one, flip)},
        reservoirs={
            name: qtd.Reservoir(t, spectral_density=density)
            for name, t in zip(("hot", "cold"), temperatures)
        },
        approach=approach,
    )


def test_a_local_equation_that_pumps_at_equal_temperatures_is_told_by_how_much():
    device = swapping(0.3)
    (finding,) = equal_temperatures(device)["equal temperatures"]()
    level = qtd.operate(swapping(0.3, temperatures=(0.75, 0.75))).device_energy_currents["hot"]
    here = qtd.operate(device).device_energy_currents["hot"]
    share = abs(float(level) / float(here))
    assert finding.numbers["share"] == pytest.approx(share, rel=1e-9)
    assert finding.severity == qtd.limits.DIFFERENCE.rate(share) > FINE
    assert "With all reservoirs at 0.75" in finding.text and "Redfield" in finding.text
    # Neither of the others does.
    for approach in ("global", "redfield"):
        rest = qtd.operate(swapping(0.3, approach, (0.75, 0.75))).device_energy_currents["hot"]
        assert abs(float(rest)) < 1e-12 * abs(float(here))


def test_in_resonance_a_local_equation_pumps_nothing():
    (finding,) = equal_temperatures(swapping(0.0))["equal temperatures"]()
    assert finding.severity == FINE and "nothing flows" in finding.text


def test_audits_ask_local_equations_alone():
    assert not qtd.audits.checks_of(swapping(0.3, "global")).keys() & {"equal temperatures"}
    assert not equal_temperatures(
        qtd.Lindbladian(
            bare={"energy": (1.0, np.diag([0.0, 1.0]))},
            couplings={"cold": np.array([[0.0, 1.0], [1.0, 0.0]])},
            reservoirs={"cold": bath(0.5, 1.0, 0.1, 0.01)},
            approach="local",
        )
    )


def test_jump_operators_of_bare_levels_are_asked_too():
    first, second = (np.kron(*x) for x in ((LOWER, np.eye(2)), (np.eye(2), LOWER)))
    swap = 0.02 * (first.T @ second + second.T @ first)
    bare = 1.3 * first.T @ first + second.T @ second
    baths = {
        name: qtd.Reservoir(t, spectral_density=qtd.spectral.Ohmic(0.02, 50.0))
        for name, t in (("hot", 1.0), ("cold", 0.5))
    }
    device = qtd.Lindbladian.from_jumps(
        {"bare": (1.0, bare), "swap": (1.0, swap)},
        [(first, "hot"), (second, "cold")],
        bare=["bare"],
        reservoirs=baths,
    )
    (finding,) = equal_temperatures(device)["equal temperatures"]()
    (other,) = equal_temperatures(swapping(0.3))["equal temperatures"]()
    assert finding.numbers["share"] == pytest.approx(other.numbers["share"], rel=1e-8)


def test_davies_of_levels_closer_than_the_rates_is_found():
    # A damped qubit in resonance with another one: dressed levels split by 2 g, rates of 0.02.
    jumps = tabulated(solve(swapping(0.0, "global").network()))
    (close,) = [x for x in _coupling.secular(jumps) if x.kind == "splitting"]
    assert close.severity > NOTE and close.numbers["splitting"] == pytest.approx(0.04, rel=1e-9)
