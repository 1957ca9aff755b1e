import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import as_float32, dot, three_levels

import qtd
from qtd.machines import CollectiveRefrigerator
from qtd.parameters import options, validate

FRIDGE = CollectiveRefrigerator(num_spins=5)


def test_parameters_are_named_by_dotted_paths():
    found = qtd.parameters(FRIDGE)
    density = ("center", "width", "height")
    names = [
        f"{r}.{x}" for r in ("cold", "hot", "work") for x in ("temperature", "chemical_potential")
    ]
    names += [f"{r}.spectral_density.{x}" for r in ("cold", "hot", "work") for x in density]
    assert set(found) == {*names, "interaction"}
    assert (
        float(found["work.spectral_density.width"]) == 1e-3
        and float(found["cold.temperature"]) == 0.5
    )


def test_parameters_of_a_network_include_its_energies_and_strengths():
    found = qtd.parameters(three_levels())
    assert {"energies", "strengths.cold", "reservoirs.hot.spectral_density.center"} <= set(found)


def test_replacing_every_parameter_by_itself_changes_nothing():
    again = qtd.replace(FRIDGE, qtd.parameters(FRIDGE))
    assert eqx.tree_equal(again, FRIDGE)


def test_replacing_changes_that_number_alone_and_leaves_the_machine_as_it_was():
    changed = qtd.replace(FRIDGE, {"work.spectral_density.width": 0.002, "cold.temperature": 0.4})
    before, after = qtd.parameters(FRIDGE), qtd.parameters(changed)
    assert {name for name in before if before[name] != after[name]} == {
        "work.spectral_density.width",
        "cold.temperature",
    }
    assert float(before["cold.temperature"]) == 0.5 and float(after["cold.temperature"]) == 0.4
    assert isinstance(changed, CollectiveRefrigerator)


def test_static_fields_may_be_replaced():
    assert qtd.replace(FRIDGE, {"num_spins": 7}).num_spins == 7
    assert qtd.replace(FRIDGE, {"num_spins": 6, "parity": "odd"}).levels.tolist() == [1.0, 2.0, 3.0]
    assert qtd.replace(FRIDGE, {"spin": 1.5}).levels.tolist() == [0.5, 1.5]
    assert (
        qtd.replace(dot(), {"reservoirs.left.statistics": "bose"}).reservoirs["left"].statistics
        == "bose"
    )


@pytest.mark.parametrize(
    "value", [0.4, np.float32(0.4), 1, np.array(0.4), jnp.array(0.4, jnp.float32)]
)
def test_values_keep_the_type_of_what_they_replace(value):
    for machine in (FRIDGE, as_float32(FRIDGE)):
        changed = qtd.replace(machine, {"cold.temperature": value}).cold.temperature
        assert changed.dtype == machine.cold.temperature.dtype and changed.shape == ()
        assert not changed.weak_type


def test_derivatives_pass_through_replace():
    def current(t):
        return qtd.replace(FRIDGE, {"cold.temperature": t}).operate().heat_currents["cold"]

    whole = jax.jit(jax.grad(lambda m: m.operate().heat_currents["cold"]))(FRIDGE).cold.temperature
    assert float(jax.jit(jax.grad(current))(jnp.array(0.5))) == pytest.approx(
        float(whole), rel=1e-13
    )


def test_vmap_over_replace_is_a_loop():
    def current(t):
        return qtd.replace(FRIDGE, {"cold.temperature": t}).operate().heat_currents["cold"]

    temperatures = jnp.array([0.4, 0.5, 0.6])
    np.testing.assert_allclose(
        jax.jit(jax.vmap(current))(temperatures), [current(t) for t in temperatures], rtol=1e-12
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"work.spectral_density.widht": 1.0},
            "'work.spectral_density.widht'; did you mean .*work.spectral_density.width",
        ),
        (
            {"wrok.temperature": 1.0},
            "No parameter is called 'wrok.temperature'; did you mean work.temperature",
        ),
        ({"cold.temperature.deep": 1.0}, "No parameter is called 'cold.temperature.deep'"),
        ({"": 1.0}, "No parameter is called ''"),
        ({"levels": 1.0}, "No parameter is called 'levels'"),
        ({"cooled": "hot"}, "No parameter is called 'cooled'"),
        ({"cold": 1.0}, "`cold` is a part, not a number"),
        ({"cold.spectral_density": 1.0}, "`cold.spectral_density` is a part, not a number"),
        (
            {"cold.temperature": [0.4, 0.5]},
            r"`cold.temperature` must have shape \(\), got \(2,\); use `jax.vmap`",
        ),
        ({"cold.temperature": "warm"}, "`cold.temperature` must be a number, got 'warm'"),
        ({"cold.temperature": 1j}, "`cold.temperature` must be"),
        ({"cold.temperature": None}, "`cold.temperature` must be a number"),
        ({"cold.temperature": -0.5}, "cold.temperature: `temperature` must be positive, got -0.5"),
        ({"cold.temperature": 0.0}, "`temperature` must be positive"),
        ({"cold.temperature": float("nan")}, "`temperature` must be finite"),
        (
            {"work.spectral_density.width": -1e-3},
            "work.spectral_density.width: `width` must be positive, got -0.001",
        ),
        ({"work.spectral_density.width": 0.0}, "`width` must be positive"),
        ({"work.spectral_density.height": -1.0}, "`height` must not be negative"),
        ({"interaction": -1.0}, "`interaction` must be positive"),
        ({"num_spins": 1}, "`num_spins` = 1.*single level"),
        ({"num_spins": 2.5}, "`num_spins` must be a positive integer"),
        ({"parity": "both"}, "`parity` must be"),
    ],
)
def test_bad_changes_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        qtd.replace(FRIDGE, changes)


def test_the_connectivity_of_a_network_cannot_be_replaced():
    with pytest.raises(ValueError, match="topology"):
        qtd.replace(three_levels(), {"topology": 1})


def test_validate_finds_what_slipped_in_through_the_leaves():
    validate(FRIDGE)
    broken = eqx.tree_at(lambda m: m.work.spectral_density.width, FRIDGE, jnp.array(-1.0))
    with pytest.raises(ValueError, match="`width` must be positive, got -1.0"):
        validate(broken)
    for call in (broken.operate, broken.covariance, lambda: broken.cumulants("cold")):
        with pytest.raises(ValueError, match="`width` must be positive"):
            call()


def test_validate_walks_mappings_and_sequences():
    broken = eqx.tree_at(lambda n: n.reservoirs["hot"].temperature, three_levels(), jnp.array(0.0))
    for tree in (broken, [broken], ({"network": broken},)):
        with pytest.raises(ValueError, match="`temperature` must be positive"):
            validate(tree)


def test_traced_values_pass_validation():
    jax.jit(lambda m: validate(m))(
        eqx.tree_at(lambda m: m.cold.temperature, FRIDGE, jnp.array(-1.0))
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"num_spins": 1},
            "`num_spins` = 1, `spin` = 0.5 and `parity` = 'even' leave a single level",
        ),
        ({"num_spins": 0}, "`num_spins` must be a positive integer, got 0"),
        ({"num_spins": -3}, "`num_spins` must be a positive integer"),
        ({"num_spins": 5.0}, "`num_spins` must be a positive integer"),
        ({"num_spins": True}, "`num_spins` must be a positive integer"),
        ({"num_spins": 2, "parity": "odd"}, "leave a single level"),
        ({"num_spins": 5, "parity": "none"}, '`parity` must be "even" or "odd", got \'none\''),
        (
            {"num_spins": 5, "spin": 2.0},
            "`spin` must be one of 2.5, 1.5, ... >= 0 for 5 spins, got 2.0",
        ),
        ({"num_spins": 6, "spin": 2.5}, "`spin` must be one of 3, 2"),
        ({"num_spins": 5, "spin": 3.5}, "`spin` must be one of"),
        ({"num_spins": 5, "spin": -0.5}, "`spin` must be one of"),
        ({"num_spins": 6, "spin": 0}, "leave a single level"),
        ({"interaction": 0.0}, "`interaction` must be positive, got 0.0"),
        ({"interaction": -1.0}, "`interaction` must be positive"),
        ({"interaction": float("nan")}, "`interaction` must be finite"),
        ({"cold": dot().reservoirs["left"]}, "`cold` must be a bosonic `qtd.Reservoir`"),
        ({"work": 1000.0}, "`work` must be a bosonic `qtd.Reservoir`, got 1000.0"),
    ],
)
def test_bad_refrigerators_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        CollectiveRefrigerator(**arguments)


@pytest.mark.parametrize("parity", ["even", "odd"])
def test_levels_of_a_sector_are_counted(parity):
    def count(n, **sector):
        return len(CollectiveRefrigerator(num_spins=n, parity=parity, **sector).levels)

    assert count(31) == 16 and count(7, spin=2.5) == 3
    assert count(6) == (4 if parity == "even" else 3)


def test_parts_of_which_there_are_none_are_no_options():
    assert options(qtd.machines.QuantumMotor()) == {}
    assert options(qtd.machines.ResonatorRefrigerator((3, 4))) == {"levels": (3, 4)}


def network_with_a_dot():
    def reservoir(temperature):
        return qtd.Reservoir(temperature, spectral_density=qtd.spectral.Ohmic(0.1, 20.0))

    jumps = [("a.b", 0, 1, 1.0), ("c", 1, 2, 1.0), ("a.b", 0, 2, 0.3)]
    return qtd.RateNetwork([0.0, 1.0, 2.0], jumps, {"a.b": reservoir(1.0), "c": reservoir(0.5)})


def of_c(network):
    return qtd.operate(network).heat_currents["c"]


def test_entries_of_arrays_places_in_tuples_and_names_with_a_dot_have_paths():
    network = network_with_a_dot()
    moved = qtd.replace(
        network, {"reservoirs.a.b.temperature": 2.0, "energies[1]": 1.5, "strengths.a.b[1]": 0.7}
    )
    assert moved.energies.tolist() == [0.0, 1.5, 2.0] and moved.strengths["a.b"].tolist() == [
        1.0,
        0.7,
    ]
    assert float(moved.reservoirs["a.b"].temperature) == 2.0
    known = qtd.parameters(moved, ["energies[1]", "energies[3]", "energies[x]"])
    assert (
        float(known["energies[1]"]) == 1.5
        and "energies[3]" not in known
        and "energies[x]" not in known
    )
    pair = {"left": qtd.Reservoir(1.0, 0.0, "fermi", spectral_density=qtd.spectral.WideBand(1.0))}
    pair["right"] = qtd.replace(pair["left"], {"temperature": 0.5})
    conductor = qtd.scattering.Conductor(
        pair, [("left", "right", qtd.transmissions.Boxcar(1.0, 0.2))]
    )
    assert "transmissions[0].center" in list(qtd.parameters(conductor))
    assert (
        float(qtd.replace(conductor, {"transmissions[0].center": 1.3}).transmissions[0].center)
        == 1.3
    )
    # All that are listed can be set.
    for machine in (network, conductor):
        for path, value in qtd.parameters(machine).items():
            assert np.array_equal(qtd.parameters(qtd.replace(machine, {path: value}))[path], value)


@pytest.mark.parametrize(
    "path",
    [
        "energies[3]",
        "energies[0,0]",
        "energies[1].x",
        "energies[-1]",
        "strengths.a.b[9]",
        "strengths[0]",
        "energies[]",
    ],
)
def test_what_is_no_entry_is_refused(path):
    with pytest.raises(ValueError, match="No parameter is called"):
        qtd.replace(network_with_a_dot(), {path: 1.0})


def test_entries_can_be_swept_designed_and_differentiated():
    network, values = network_with_a_dot(), np.linspace(0.5, 1.5, 3)
    table = qtd.sweep(network, over={"energies[1]": values}, observe={"J": of_c})
    alone = [float(of_c(qtd.replace(network, {"energies[1]": value}))) for value in values]
    np.testing.assert_allclose(table.J.values, alone, rtol=1e-12)
    slope = qtd.sweeps.gradient(of_c, ["energies[1]"])(network)["energies[1]"]
    whole = jax.grad(lambda energies: of_c(qtd.replace(network, {"energies": energies})))(
        network.energies
    )
    assert float(slope) == pytest.approx(float(whole[1]), rel=1e-12)
    best = qtd.design.maximize(of_c, network, over={"energies[1]": (0.2, 1.8)}, starts=2, steps=5)
    assert float(best.parameters["energies[1]"]) == float(best.machine.energies[1])
    with pytest.raises(ValueError, match=r"name its entries, such as 'energies\[0\]'"):
        qtd.design.maximize(of_c, network, over={"energies": (0.2, 1.8)})


class Parabola(eqx.Module):
    x: float


def test_fields_that_are_floats_of_python_are_parameters():
    assert float(qtd.parameters(Parabola(2.0))["x"]) == 2.0
    best = qtd.design.maximize(
        lambda m: 1 - (m.x - 1) ** 2, Parabola(2.0), over={"x": (0.0, 3.0)}, starts=2, steps=20
    )
    assert float(best.parameters["x"]) == pytest.approx(1.0, abs=1e-6)


OHMIC = qtd.spectral.Ohmic(0.1, 20.0)
BATH = qtd.Reservoir(1.0, spectral_density=OHMIC)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: qtd.Reservoir(1.0, spectral_density=qtd.spectral.Peaked),
            "`spectral_density` must be one of",
        ),
        (
            lambda: qtd.Reservoir("warm", spectral_density=OHMIC),
            "`temperature` must be a real number",
        ),
        (lambda: qtd.Reservoir(True, spectral_density=OHMIC), "`temperature` must be real"),
        (
            lambda: qtd.RateNetwork([0.0, 1.0], None, {"a": BATH}),
            "`jumps` must be a list of tuples",
        ),
        (lambda: qtd.RateNetwork([0.0, 1.0], [3], {"a": BATH}), "`jumps` must hold tuples"),
        (
            lambda: qtd.RateNetwork([0.0, 1.0], [("a", 0, 1, 1.0)], [BATH]),
            "`reservoirs` must be a mapping",
        ),
        (
            lambda: qtd.RateNetwork([0.0, 1.0], [("a", 0, 1, 1.0)], {"a": 1.0}),
            "`reservoirs` must be a mapping",
        ),
        (
            lambda: qtd.Lindbladian([1.0], {"a": np.eye(2)}, {"a": BATH}),
            "`bare` must be a mapping of names to pairs",
        ),
        (
            lambda: qtd.Lindbladian({"h": 1.0}, {"a": np.eye(2)}, {"a": BATH}),
            "`bare` must be a mapping of names to pairs",
        ),
        (lambda: CollectiveRefrigerator(10**9), "do not fit into memory"),
        (lambda: qtd.machines.ResonatorRefrigerator((2000, 2000)), "`levels` = .* are too many"),
        (
            lambda: qtd.machines.FiniteReservoirs(energies=[], rates=np.ones((2, 0))),
            "at least one mode and one reservoir",
        ),
        (
            lambda: qtd.design.maximize(of_c, network_with_a_dot(), over={"energies[1]": 1.0}),
            "must give bounds",
        ),
    ],
)
def test_objects_of_another_kind_are_refused_in_one_line(build, words):
    with pytest.raises(ValueError, match=words) as raised:
        build()
    assert "\n" not in str(raised.value)


def test_whole_numbers_beyond_64_bits_are_numbers():
    assert float(qtd.Reservoir(10**30, spectral_density=OHMIC).temperature) == 1e30
    assert float(qtd.replace(BATH, {"temperature": 10**30}).temperature) == 1e30
    assert qtd.RateNetwork([0, 10**30], [("a", 0, 1, 1.0)], {"a": BATH}).energies.tolist() == [
        0,
        1e30,
    ]
    with pytest.raises(ValueError, match="`temperature` must be a real number"):
        qtd.Reservoir(10**400, spectral_density=OHMIC)


def test_names_are_escaped_in_html():
    network = qtd.RateNetwork([0.0, 1.0], [("<b>", 0, 1, 1.0)], {"<b>": BATH})
    assert "<b>" not in qtd.operate(network)._repr_html_()


# Declarations


class Spring(qtd.machines.AbstractMachine):
    stiffness: jax.Array = qtd.machines.parameter("positive", unit="E^2")
    lengths: dict = qtd.machines.parameter("nonnegative", unit="1")
    name: str = eqx.field(static=True)

    def operate(self):
        return self.stiffness


def test_a_field_declares_what_it_allows_and_its_unit():
    spring = Spring(jnp.array(1.0), {"left": jnp.array(0.0)}, "s")
    assert qtd.units.unit_of_parameter("stiffness", spring) == "E^2"
    assert qtd.units.unit_of_parameter("lengths.left", spring) == "1"
    with pytest.raises(ValueError, match=r"`stiffness` must be positive, got 0\.0"):
        Spring(jnp.array(0.0), {}, "s")
    with pytest.raises(ValueError, match=r"lengths\.left: `lengths\.left` must not be negative"):
        qtd.replace(spring, {"lengths.left": -1.0})
    with pytest.raises(ValueError, match="`stiffness` must be finite"):
        qtd.replace(spring, {"stiffness": jnp.nan})
    with pytest.raises(ValueError, match=r"`domain` must be \"any\""):
        qtd.machines.parameter("big")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in qtd.machines.HOMES
        if name.endswith(("Refrigerator", "Demon", "Motor", "Reservoirs"))
        and name != "ReducedRefrigerator"
    ],
)
def test_every_parameter_of_every_machine_declares_its_unit(name):
    machine = getattr(qtd.machines, name)()
    units = {path: qtd.units.unit_of_parameter(path, machine) for path in qtd.parameters(machine)}
    unsaid = {path for path, unit in units.items() if not unit}
    assert unsaid == ({"gases.volume"} if name == "FiniteReservoirs" else set())
    filters = {
        path: unit for path, unit in units.items() if path.endswith("spectral_density.width")
    }
    assert (
        set(filters.values()) <= {"1"}
        if "Resonator" in name or "Qubit" in name
        else set(filters.values()) <= {"E"}
    )
