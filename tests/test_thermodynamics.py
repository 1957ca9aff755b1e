import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import dot, fermi, spinful_dot, three_levels

import qtd
from qtd.machines._machine import AbstractOpenSystem
from qtd.observables import operating_point, units_of
from qtd.thermodynamics import Mode

FRIDGE = qtd.machines.CollectiveRefrigerator(num_spins=5)
# Hot left lead, bias against the current.
ENGINE = {
    "energy": 1.5,
    "left": (2.0, 0.0),
    "right": (0.5, 0.6),
}
# The bias carries heat out of the cold right lead.
PELTIER = {
    "energy": 1.5,
    "left": (1.0, 0.0),
    "right": (0.8, 1.2),
}


def triangle(**temperatures):
    return qtd.operate(three_levels(**temperatures), cooled="cold", driven_by="work")


@jax.jit
@jax.vmap
def batch_of(temperature):
    return qtd.operate(three_levels(cold=temperature), "cold", "work")


def test_the_laws_hold_at_an_operating_point():
    point = triangle()
    heat = np.array(list(point.heat_currents.values()))
    assert abs(heat.sum()) < 1e-15 * np.abs(heat).max()
    sigma = -sum(
        float(point.heat_currents[name] / point.temperatures[name]) for name in point.names
    )
    assert float(point.entropy_production) == pytest.approx(sigma, rel=1e-14) and sigma > 0
    assert all(float(x) == 0 for x in point.particle_currents.values()) and float(point.power) == 0


def test_a_loop_has_the_cop_of_its_gaps_and_the_exact_carnot_value_at_zero_affinity():
    point = triangle()
    assert point.mode == "refrigerator"
    # One quantum of 1 for each quantum of 4.
    assert float(point.cop) == pytest.approx(1 / 4, rel=1e-12)
    assert float(point.cop) < float(point.carnot_cop) < float(point.carnot_cop_hot_drive)
    assert float(point.carnot_cop) == pytest.approx((1 - 0.1) / (2 - 1), rel=1e-14)
    assert float(point.carnot_cop_hot_drive) == pytest.approx(1.0, rel=1e-14)
    reversible = triangle(cold=1 / (5 - 0.4))  # 5/T_h = 1/T_c + 4/T_w
    assert float(reversible.carnot_cop) == pytest.approx(1 / 4, rel=1e-14)
    scale = float(jnp.sqrt(reversible.heat_covariance["cold", "cold"]))
    assert abs(float(reversible.heat_currents["cold"])) < 1e-14 * scale


def test_noise_bounds_the_cop_and_the_current():
    point = triangle()
    assert (
        float(point.cop) <= float(point.cop_bound_from_noise) <= float(point.carnot_cop_hot_drive)
    )
    current, noise = point.heat_currents["cold"], point.heat_covariance["cold", "cold"]
    assert float(point.tur("cold")) == pytest.approx(
        float(noise * point.entropy_production / current**2), rel=1e-14
    )
    assert float(point.tur("cold")) >= 2
    expected = 1.0 / (1 + 2 * current / (noise * 1.0))  # 1/T_c - 1/T_h = 1
    assert float(point.cop_bound_from_noise) == pytest.approx(float(expected), rel=1e-14)


def test_a_biased_dot_between_hot_and_cold_leads_is_an_engine_of_the_tight_coupling_efficiency():
    point = qtd.operate(dot(**ENGINE))
    current = 0.9 * 1.6 / 2.5 * (fermi(1.5, ENGINE["left"]) - fermi(1.5, ENGINE["right"]))
    assert point.mode == "heat engine"
    assert float(point.power) == pytest.approx(0.6 * current, rel=1e-13)
    assert float(point.heat_currents["left"]) == pytest.approx(1.5 * current, rel=1e-13)
    assert float(point.efficiency) == pytest.approx(0.6 / 1.5, rel=1e-13)
    assert float(point.efficiency) < 1 - 0.5 / 2.0
    heat = sum(float(x) for x in point.heat_currents.values())
    assert heat == pytest.approx(float(point.power), rel=1e-13)  # first law


def test_efficiency_of_a_loosely_coupled_engine_stays_below_carnot():
    point = qtd.operate(spinful_dot(energy=1.5, repulsion=1.0, left=(2.0, 0.0), right=(0.5, 0.6)))
    assert point.mode == "heat engine"
    assert 0 < float(point.efficiency) < 0.75
    assert float(point.tur("left")) >= 2


def test_a_bias_that_cools_needs_no_driving_reservoir():
    point = qtd.operate(dot(**PELTIER), cooled="right")
    assert point.mode == "refrigerator"
    assert float(point.cop) == pytest.approx(0.3 / 1.2, rel=1e-12)  # (E - mu_R) / (mu_R - mu_L)
    assert float(point.carnot_cop) == pytest.approx(0.8 / 0.2, rel=1e-13)
    assert float(point.power) < 0


def test_every_mode_is_told_from_the_signs():
    assert triangle().mode_code == Mode.REFRIGERATOR
    # The loop runs backwards: work, the hottest, is heated.
    assert triangle(cold=0.1).mode_code == Mode.HEAT_TRANSFORMER
    assert triangle(work=1.0, cold=0.9).mode_code == Mode.DISSIPATOR
    assert qtd.operate(dot(**ENGINE)).mode_code == Mode.HEAT_ENGINE
    assert qtd.operate(dot(**PELTIER)).mode_code == Mode.REFRIGERATOR
    # the cold lead takes most of what the bias dissipates
    assert qtd.operate(dot(0.0, (1.0, 0.5), (0.8, -0.5))).mode_code == Mode.HEATER


def test_modes_read_as_words():
    assert [str(mode) for mode in Mode][:5] == [
        "dissipator",
        "refrigerator",
        "heat engine",
        "heat transformer",
        "heater",
    ]


def test_modes_of_a_batch_are_codes():
    batch = batch_of(jnp.array([0.1, 0.5]))
    assert batch.mode_code.tolist() == [Mode.HEAT_TRANSFORMER, Mode.REFRIGERATOR]
    with pytest.raises(ValueError, match="`mode_code`"):
        _ = batch.mode
    with pytest.raises(ValueError, match="`mode_code`"):
        jax.jit(lambda p: p.mode)(triangle())


@pytest.mark.parametrize("spins", [2, 3])
def test_too_few_levels_have_finite_currents(spins):
    point = qtd.machines.CollectiveRefrigerator(num_spins=spins).operate()
    assert np.isfinite(float(point.heat_currents["cold"])) and float(point.entropy_production) >= 0
    if spins == 2:
        assert int(point.status) == qtd.Status.COP_UNDEFINED and np.isnan(float(point.cop))
        assert float(point.heat_currents["hot"]) == 0.0
        assert "undefined" in repr(point)
    else:
        assert int(point.status) == qtd.Status.OK


def test_an_illegal_number_in_compiled_code_gives_a_status_and_nan_everywhere():
    run = jax.jit(
        lambda t: qtd.operate(
            qtd.replace(three_levels(), {"reservoirs.cold.temperature": t}), "cold", "work"
        )
    )
    bad = run(jnp.array(-0.5))
    assert int(bad.status) == qtd.Status.INVALID_PARAMETER
    numbers = [
        *bad.heat_currents.values(),
        *bad.energy_currents.values(),
        bad.entropy_production,
        bad.cop,
        bad.tur("cold"),
    ]
    assert np.all(np.isnan(numbers)) and np.all(np.isnan(bad.heat_covariance.matrix))
    assert int(run(jnp.array(0.5)).status) == qtd.Status.OK


def test_every_status_has_a_message():
    assert all(status.message for status in qtd.Status) and qtd.Status.OK == 0


def test_an_operating_point_prints_its_figures():
    text = repr(triangle())
    for part in (
        "J_cold",
        "J_work",
        "sigma",
        "COP_Carnot",
        "TUR_cold",
        "refrigerator",
        "positive out of a reservoir",
        "fine",
    ):
        assert part in text
    assert f"{float(triangle().heat_currents['cold']):.10g}" in text
    engine = repr(qtd.operate(dot(**ENGINE)))
    assert "power" in engine and "COP" not in engine and "heat engine" in engine


def test_an_operating_point_has_a_table_for_notebooks():
    html = triangle()._repr_html_()
    assert html.startswith("<table>") and html.endswith("</table>")
    assert html.count("<tr>") == html.count("</tr>") == len(triangle().headlines()) + 2
    assert "refrigerator" in html


def test_batches_and_traced_points_print_as_well():
    batch = batch_of(jnp.array([0.3, 0.5]))
    assert "array(2,)" in repr(batch) and "<table>" in batch._repr_html_()
    seen = []
    jax.jit(lambda p: (seen.append(repr(p)), p.cop)[1])(triangle())
    # Whether the validity is worth a line only its value tells.
    always = [name for name in triangle().headlines() if name != "validity"]
    assert seen == [f"OperatingPoint({', '.join(always)})"]


@pytest.mark.parametrize("driven_by", [None, "a"])
@pytest.mark.parametrize(
    "temperatures",
    [(1.5, 0.7), (1.5, 0.7, 1.0), (1.5, 0.7, 1.0, 0.9), (1.5, 0.7, None), (1.5, 0.7, 1.0, None)],
)
def test_a_point_between_any_reservoirs_is_told_with_or_without_a_carnot_bound(
    temperatures, driven_by
):
    """A bound needs one reservoir that takes the heat; without it the rest is told all the same."""
    ohmic = qtd.spectral.Ohmic(0.1, 10.0)
    sun = qtd.NonthermalReservoir(qtd.distributions.Thermal(2.0), "bose", ohmic)
    reservoirs = {
        name: sun if t is None else qtd.Reservoir(t, spectral_density=ohmic)
        for name, t in zip("abcd", temperatures)
    }
    jumps = [(name, k % 2, 1 + k % 2, 1.0 + k) for k, name in enumerate(reservoirs)] + [
        ("a", 0, 2, 0.5)
    ]
    point = qtd.operate(qtd.RateNetwork([0.0, 1.0, 2.5], jumps, reservoirs), "b", driven_by)
    others = [t for name, t in zip("abcd", temperatures) if name not in ("b", driven_by)]
    # One more that has no temperature, such as the sun, drives too: no bound by temperatures holds
    # then.
    assert (
        ("COP_Carnot" in point.observables())
        == ("COP_Carnot" in repr(point))
        == (len(others) == 1 and others[0] is not None)
    )
    assert "COP" in point.observables() and "<table>" in point._repr_html_()
    assert all(law.holds for law in point.laws())


def test_an_operating_point_is_a_pytree_that_keeps_its_type():
    small = eqx.filter_jit(lambda n: qtd.operate(n, "cold", "work"))(
        jax.tree.map(lambda x: x.astype(jnp.float32), three_levels())
    )
    floats = [x for x in jax.tree.leaves(small) if jnp.issubdtype(x.dtype, jnp.floating)]
    assert {x.dtype for x in floats} == {jnp.dtype("float32")}
    figures = (
        small.cop,
        small.carnot_cop,
        small.entropy_production,
        small.tur("cold"),
        small.cop_bound_from_noise,
    )
    assert {x.dtype for x in figures} == {jnp.dtype("float32")}
    assert float(small.cop) == pytest.approx(0.25, rel=1e-5)


def test_a_machine_of_ones_own_may_look_at_its_numbers():
    """Trap: traced, a number has no value that Python could ask for."""

    class Gated(AbstractOpenSystem):
        gap: float
        cooled = None
        driven_by = None

        def system(self):
            ohmic = qtd.spectral.Ohmic(0.1 if self.gap > 1 else 0.2, 10.0)
            reservoirs = {
                name: qtd.Reservoir(t, spectral_density=ohmic)
                for name, t in (("a", 1.0), ("b", 0.5))
            }
            return qtd.RateNetwork(
                [0.0, self.gap], [("a", 0, 1, 1.0), ("b", 0, 1, 1.0)], reservoirs
            )

    currents = [float(Gated(gap).operate().heat_currents["a"]) for gap in (0.5, 1.5)]
    assert all(current > 0 for current in currents)


def in_the_sun():
    ohmic = qtd.spectral.Ohmic(0.1, 10.0)
    sun = qtd.NonthermalReservoir(qtd.distributions.Thermal(2.0), "bose", ohmic)
    leaves = qtd.Reservoir(1.0, spectral_density=ohmic)
    return qtd.RateNetwork(
        [0.0, 1.0], [("sun", 0, 1, 1.0), ("leaves", 0, 1, 1.0)], {"sun": sun, "leaves": leaves}
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: qtd.operate(three_levels(), cooled="sun"),
            "`cooled` names 'sun'; the reservoirs are 'cold', 'work', 'hot'",
        ),
        (lambda: qtd.operate(three_levels(), driven_by="sun"), "`driven_by` names 'sun'"),
        (lambda: qtd.operate(three_levels()).cop, "`cooled` is not set"),
        (
            lambda: qtd.operate(three_levels(), cooled="cold").carnot_cop,
            "one reservoir that takes the heat",
        ),
        (
            lambda: qtd.operate(in_the_sun(), cooled="sun"),
            "`cooled` names 'sun', which has no temperature",
        ),
        (lambda: triangle(cold=-1.0), "`temperature` must be positive, got -1.0"),
        (
            lambda: qtd.operate(
                eqx.tree_at(lambda n: n.energies, three_levels(), jnp.array([0.0, jnp.nan, 1.0]))
            ),
            "finite",
        ),
    ],
)
def test_bad_requests_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_unknown_reservoir_of_a_figure_is_named():
    with pytest.raises(ValueError, match="sun"):
        triangle().tur("sun")


def test_what_is_called_cold_but_is_not_is_no_refrigerator():
    """Heat that leaves the cooled reservoir because that is the hotter one is no cooling, and has
    no COP and no Carnot bound."""
    fridge = qtd.replace(
        qtd.machines.CollectiveRefrigerator(num_spins=31),
        {"cold.temperature": 0.8, "hot.temperature": 0.4},
    )
    point = fridge.operate()
    assert float(point.heat_currents["cold"]) > 0 and point.mode != "refrigerator"
    assert (
        np.isnan(float(point.carnot_cop))
        and np.isnan(float(point.cop))
        and np.isnan(float(point.cop_bound_from_noise))
    )
    assert not any(law.name == "Carnot" for law in point.laws())


def test_two_negative_heats_make_no_cop():
    backwards = triangle(cold=0.1)
    assert float(backwards.heat_currents["cold"]) < 0 and float(backwards.heat_currents["work"]) < 0
    assert np.isnan(float(backwards.cop)) and np.isnan(float(backwards.cop_bound_from_noise))
    assert float(triangle().cop) > 0


def test_heat_from_the_surroundings_is_not_taken_in():
    """A level that a hot gate pumps between two cold leads: the efficiency is that of the gate's
    heat, whatever the leads exchange."""

    def lead(t, mu):
        return qtd.Reservoir(t, mu, "fermi", spectral_density=qtd.spectral.WideBand(0.1))

    gate = qtd.Reservoir(2.0, spectral_density=qtd.spectral.Ohmic(0.1, 50.0))
    leads = {"left": lead(0.5, 0.0), "right": lead(0.5, 0.3), "gate": gate}
    jumps = [("left", 0, 1, 1.0), ("right", 0, 2, 1.0), ("gate", 1, 2, 1.0)]
    harvester = qtd.RateNetwork([0.0, 0.2, 1.5], jumps, leads, particles=[0, 1, 1])
    free, named = qtd.operate(harvester), qtd.operate(harvester, driven_by="gate")
    assert free.mode == "heat engine" and float(free.heat_currents["left"]) > 0
    wanted = float(free.power / free.heat_currents["gate"])
    assert float(free.efficiency) == pytest.approx(wanted, rel=1e-12) and float(
        named.efficiency
    ) == pytest.approx(wanted, rel=1e-12)
    assert wanted < 0.75
    assert np.isnan(float(qtd.operate(dot(**PELTIER)).efficiency))


def test_the_uncertainty_relation_is_no_law_of_coherent_devices():
    """A maser whose noise is below the bound of jumps, and rightly so."""

    def raise_to(a, b):
        return np.outer(np.eye(3)[a], np.eye(3)[b])

    def swap(a, b):
        return raise_to(a, b) + raise_to(b, a)

    def reservoir(n, gap, rate):
        return qtd.Reservoir(
            gap / np.log1p(1 / n), spectral_density=qtd.spectral.Ohmic(rate / gap, 1e12)
        )

    maser = qtd.Lindbladian(
        bare={
            "upper": (500.0, np.diag([0.0, 0.0, 1.0])),
            "middle": (300.0, np.diag([0.0, 1.0, 0.0])),
        },
        interaction={"drive": (12.1545, swap(1, 2))},
        couplings={"hot": swap(0, 2), "cold": swap(0, 1)},
        reservoirs={
            "hot": reservoir(10.6583, 500.0, 1.5397),
            "cold": reservoir(0.638518, 300.0, 16.5025),
        },
        approach="local",
    )
    point = qtd.operate(maser)
    assert not point.of_jumps and not any(law.name == "uncertainty" for law in point.laws())


# Observables


def test_an_engine_is_told_by_what_engines_are_judged_by_and_a_refrigerator_is_not():
    engine, fridge = qtd.operate(dot(**ENGINE)), triangle()
    judged = {
        "power",
        "efficiency",
        "efficiency_Carnot",
        "S_power",
        "TUR_power",
        "I_left",
        "I_right",
    }
    assert judged <= set(engine.headlines()) and not judged & set(fridge.observables())
    assert not {"COP", "COP_Carnot"} & set(engine.observables()) and {"COP", "COP_Carnot"} <= set(
        fridge.headlines()
    )
    assert [law.holds for law in engine.laws() if law.name == "Carnot"] == [True]


@pytest.mark.parametrize("bias", [1e-9, 0.2, 3.0])
def test_the_noise_of_power_is_that_of_heat_summed_over_reservoirs(bias):
    """Of two leads S_P = (mu_a - mu_b)^2 S_N, with no digits lost to a common potential."""
    point = qtd.operate(dot(0.0, (1.0, 100.0), (0.7, 100.0 + bias)))
    particles = qtd.counting.covariance(dot(0.0, (1.0, 100.0), (0.7, 100.0 + bias)), "particles")[
        "left", "left"
    ]
    gap = (100.0 + bias) - 100.0
    assert float(point.power_noise) == pytest.approx(gap**2 * float(particles), rel=1e-12)
    if bias > 0.1:
        assert float(point.power_noise) == pytest.approx(
            float(point.heat_covariance.matrix.sum()), rel=1e-9
        )
    # Tightly coupled to the power.
    assert float(point.tur("left", "particles")) == pytest.approx(float(point.power_tur), rel=1e-9)
    assert float(point.power_tur) >= 2


@pytest.mark.parametrize("gap", [1e-9, 1e-4, 0.3])
def test_an_engine_close_to_stalling_comes_up_to_carnot_and_not_beyond(gap):
    """Electrons that all carry the energy 1 above the hot lead have the efficiency bias / 1, and
    stall at Carnot's."""
    hot = 1.0 + gap
    bias = 0.999 * (hot - 1.0) / hot
    point = qtd.operate(dot(1.0, (hot, 0.0), (1.0, bias)))
    assert float(point.efficiency / point.carnot_efficiency) == pytest.approx(0.999, rel=1e-10)
    assert point.mode == "heat engine" and all(law.holds for law in point.laws())


def test_the_uncertainty_of_the_smallest_currents_has_derivatives():
    """A power whose fourth power is no number of this precision."""

    def uncertainty(energy):
        return qtd.operate(dot(energy, (0.01, 0.0), (0.012, -0.1))).power_tur

    value, slope = jax.value_and_grad(uncertainty)(2.3)
    above, below = (float(uncertainty(2.3 + step)) for step in (1e-5, -1e-5))
    assert np.isfinite(value) and float(slope) == pytest.approx((above - below) / 2e-5, rel=1e-6)
    assert abs(float(qtd.operate(dot(2.3, (0.01, 0.0), (0.012, -0.1))).power)) < 1e-75


def test_a_question_about_particles_that_are_not_exchanged_is_refused():
    with pytest.raises(ValueError, match="exchanges none"):
        triangle().tur("cold", "particles")
    with pytest.raises(ValueError, match='must be "heat" or "particles"'):
        triangle().tur("cold", "energy")


MACHINES = {
    "collective": lambda: qtd.machines.CollectiveRefrigerator(num_spins=3),
    "qubits": lambda: qtd.machines.QubitRefrigerator("local"),
    "resonators": qtd.machines.ResonatorRefrigerator,
    "demon": qtd.machines.NDemon,
    "reservoirs": qtd.machines.FiniteReservoirs,
    "engine": lambda: dot(**ENGINE),
}


@pytest.mark.parametrize("kind", MACHINES)
def test_every_observable_has_a_value_a_unit_and_a_meaning_and_all_else_reads_them(kind):
    machine = MACHINES[kind]()
    point = qtd.design.observables(machine) and operating_point(machine)
    table = point.observables()
    assert set(point.headlines()) <= set(table) and set(qtd.design.observables(machine)) == set(
        table
    )
    for name, (value, unit, meaning) in table.items():
        assert jnp.ndim(value) == 0 and re.fullmatch(r"1|E(\^\d)?", unit) and len(meaning) > 3
        assert name not in point.headlines() or f"{name} " in repr(point)
    assert units_of(machine, table) == {name: each.unit for name, each in table.items()}


def test_names_of_ones_own_have_the_unit_of_their_symbol():
    fridge = qtd.machines.CollectiveRefrigerator(num_spins=3)
    names = {"J_c": "E^2", "cop": "1", "sigma": "E", "S": "E^3", "speed": "", "jolly": ""}
    assert units_of(fridge, names) == names
    assert units_of(qtd.machines.NDemon(), ["S_x"]) == {"S_x": "E"}  # there an entropy current
    assert units_of(fridge.cold, ["J_c"]) == {"J_c": ""}  # no machine
