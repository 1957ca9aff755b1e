"""Reference designs: what is kept is what the machine does, an optimum, and better than where it
began."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.design._landscape import Landscape

DESIGNS = [(device, name) for device, names in qtd.design.references().items() for name in names]
each_design = pytest.mark.parametrize(("device", "name"), DESIGNS)


def test_there_is_a_reference_for_machines_and_for_devices_of_ones_own():
    known = qtd.design.references()
    assert {"collective-refrigerator", "n-demon", "conductor", "dot-engine", "harvester"} <= {
        *known
    }
    with pytest.raises(ValueError, match="must be one of"):
        qtd.design.reference("toaster")


@pytest.mark.deep
@each_design
def test_a_reference_is_what_its_machine_does(device, name):
    design = qtd.design.reference(device)[name]
    assert design.recomputed() == pytest.approx(design.values, rel=1e-9, abs=1e-12)
    assert design.values["status"] == 0


@each_design
def test_a_reference_is_an_optimum_within_its_limits(device, name):
    design = qtd.design.reference(device)[name]
    certificate = design.certificate
    assert certificate["gradient_norm"] < 1e-5 and certificate["reached_by"] >= 1
    assert certificate["kind"] in ("strict maximum", "strict minimum", "vertex")
    for limit, (_, low, high) in design.problem.subject_to.items():
        value = design.values[limit]
        assert low is None or value >= low * (1 - 1e-5)
        assert high is None or value <= high * (1 + 1e-5)
    if "validity" in design.problem.subject_to:
        assert design.values["validity"] <= 0.1 * (1 + 1e-5)


@each_design
def test_a_reference_beats_where_it_began_or_that_broke_a_limit(device, name):
    design = qtd.design.reference(device)[name]
    kept, begun, asked = design.values, design.paper, design.problem
    sign = 1 if asked.is_largest else -1
    broken = [
        limit
        for limit, (_, low, high) in asked.subject_to.items()
        if (low is not None and not begun[limit] >= low)
        or (high is not None and not begun[limit] <= high)
    ]
    objective = asked.objective_name
    assert broken or sign * kept[objective] > sign * begun[objective]


@pytest.mark.deep
@each_design
def test_nothing_near_a_reference_is_better(device, name):
    """Brute force: of 500 points within 2 % of the cube around it none that meets the limits has a
    larger objective."""
    design = qtd.design.reference(device)[name]
    asked = design.problem
    sign = 1.0 if asked.is_largest else -1.0
    landscape = Landscape(
        [("objective", asked.objective, sign)], asked.machine, asked.over, asked.subject_to
    )
    from qtd.design._landscape import place_of

    place = place_of(design.parameters, asked.over)
    rng = np.random.default_rng(1)
    near = np.clip(place + 0.02 * rng.uniform(-1, 1, (500, len(place))), 0, 1)
    values = jax.jit(lambda points: jax.lax.map(landscape.values, points, batch_size=50))(
        jnp.asarray(np.vstack([place, near]))
    )
    goal = landscape.goal(np.asarray(values[:1]))
    merits = np.asarray(landscape.merits(np.asarray(values), goal)).min(1)
    excess = np.asarray(landscape.violations(np.asarray(values), goal)).max(1)
    met = excess <= 1e-9
    met[0] = True
    assert np.nanmax(merits[met]) <= merits[0] + 1e-6 * abs(merits[0])


@pytest.mark.deep
@pytest.mark.parametrize(("device", "name", "within"), [
    ("collective-refrigerator", "cooling", 0.1),
    ("collective-refrigerator", "precision", 0.1),
    ("qubit-refrigerator", "fixed peak", 0.1),
])  # fmt: skip
def test_a_reference_holds_with_explicit_filters(device, name, within):
    """Two filters as modes inside the device: at a validity of 0.1 rates are right to about half of
    it for each filter."""
    design = qtd.design.reference(device)[name]
    (finding,) = qtd.audits.with_explicit_filters(design.machine)
    assert 0 < finding.numbers["share"] < within and finding.numbers["explicit"] > 0


@pytest.mark.deep
@pytest.mark.parametrize("name", ["power", "efficiency", "orbit shape"])
def test_a_reference_of_the_motor_turns_as_fast_by_the_exact_cycle(name):
    machine = qtd.design.reference("quantum-motor")[name].machine
    series = machine.operate()
    exact = machine.operate(load=machine.coefficients(3).torque[0] / 2, exact=True)
    assert int(exact.status) == 0
    np.testing.assert_allclose(exact.power, series.power, rtol=0.04)
    np.testing.assert_allclose(exact.efficiency, series.efficiency, rtol=0.04)


@pytest.mark.deep
@pytest.mark.parametrize("name", ["relaxed", "least entropy"])
def test_a_reference_of_the_demon_cools_through_windows_of_its_width(name):
    machine = qtd.design.reference("n-demon")[name].machine
    narrow = machine.operate().heat_currents["cold"]
    point = qtd.operate(machine.conductor("boxcar"))
    np.testing.assert_allclose(point.heat_currents["cold"], narrow, rtol=1e-4)


@pytest.mark.parametrize("kind", [
    "CollectiveRefrigerator", "QubitRefrigerator", "ResonatorRefrigerator", "NDemon",
    "QuantumMotor", "FiniteReservoirs",
])  # fmt: skip
def test_every_machine_tells_its_validity_by_method_and_by_name(kind):
    point = getattr(qtd.machines, kind)().operate()
    value = float(point.validity)
    assert value == float(point.observables()["validity"].value) > 0
    assert value == max(map(float, point.ratios().values())) and " over " in point.binding()


def test_validity_is_swept_by_name_and_is_that_of_the_machine():
    demon = qtd.machines.NDemon()
    table = qtd.sweep(demon, {"width": np.array([0.01, 0.1])}, ["validity"])
    wider = qtd.replace(demon, {"width": 0.1})
    assert float(table["validity"][1]) == pytest.approx(float(wider.validity()), rel=1e-14)
    assert float(table["validity"][0]) == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize("kind", ["NDemon", "CollectiveRefrigerator", "FiniteReservoirs"])
def test_the_default_problem_of_a_machine_keeps_within_its_validity(kind):
    problem = qtd.design.problem(getattr(qtd.machines, kind)())
    function, low, high = problem.subject_to["validity"]
    assert (low, high) == (None, 0.1) and float(function(problem.machine)) > 0.1
