import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qtd
from qtd.units import Scale

UNITS = ["J", "zJ", "ueV", "mK", "GHz", "MHz", "Grad/s", "1/s", "fW", "aW", "aW^2/Hz", "ns", "s"]


@pytest.mark.parametrize(
    ("value", "unit", "other", "expected"),
    [
        (1.0, "GHz", "mK", 47.99243073366221),  # h nu / k_B
        (1.0, "GHz", "ueV", 4.135667696923859),
        (1.0, "K", "GHz", 20.836619123327576),
        (1.0, "meV", "K", 11.604518121550082),
        (1.0, "zJ", "GHz", 1509.1901796421518),
        (
            1.0,
            "GHz",
            "fW",
            2 * np.pi * 6.62607015e-34 * 1e18 * 1e15,
        ),  # (h nu)^2 / hbar = 2 pi h nu^2
        (1.0, "GHz", "ns", 0.15915494309189535),  # hbar / (h nu) = 1 / (2 pi nu)
        (1.0, "GHz", "Grad/s", 2 * np.pi),
        (1.0, "GHz", "W^2/Hz", (6.62607015e-34 * 1e9) ** 3 / 1.0545718176461565e-34),
    ],
)
def test_one_unit_of_energy_in_others(value, unit, other, expected):
    assert Scale(value, unit).quantity(1.0, other) == pytest.approx(expected, rel=1e-12)


@given(st.sampled_from(UNITS), st.floats(1e-3, 1e3), st.floats(-1e6, 1e6))
def test_there_and_back_is_the_identity(unit, energy, value):
    scale = Scale(energy, "GHz")
    assert scale.quantity(scale.number(value, unit), unit) == pytest.approx(value, rel=1e-14)


@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_what_a_laboratory_measures_does_not_depend_on_the_unit_of_energy(one, other):
    """A machine stated in GHz and mK gives the same fW on every scale."""

    def power(scale):
        width, temperature = scale.number(0.2, "GHz"), scale.number(100.0, "mK")
        # A current, of the dimension of temperature times rate.
        return scale.quantity(temperature * width, "fW")

    assert power(Scale(one, "GHz")) == pytest.approx(power(Scale(other, "ueV")), rel=1e-13)


def test_sweeps_are_shown_in_laboratory_units():
    scale = Scale(5.0, "GHz")
    machine = qtd.machines.CollectiveRefrigerator(num_spins=3)
    table = qtd.sweep(
        machine,
        {"cold.temperature": scale.number(np.linspace(100, 200, 3), "mK")},
        ["J_cold", "COP"],
    )
    shown = scale.converted(table, {"J_cold": "fW", "cold.temperature": "mK"})
    np.testing.assert_allclose(shown["cold.temperature"], np.linspace(100, 200, 3), rtol=1e-14)
    np.testing.assert_allclose(shown.J_cold, scale.quantity(table.J_cold.values, "fW"), rtol=1e-14)
    assert shown.J_cold.attrs["units"] == "fW" and shown["cold.temperature"].attrs["units"] == "mK"
    assert table.J_cold.attrs["units"] == "E^2" and shown.COP.attrs["units"] == "1"
    with pytest.raises(ValueError, match=r"must be a unit of E\^2, got 'mK'"):
        scale.converted(table, {"J_cold": "mK"})


def test_results_print_in_laboratory_units():
    table = qtd.machines.CollectiveRefrigerator(num_spins=3).operate().observables()
    printed = Scale(5.0, "GHz").table(table, {"E^2": "fW", "E": "1/s"})
    assert "E = 5 GHz" in printed and "fW" in printed and "COP" in printed
    line = next(line for line in printed.splitlines() if "J_cold" in line)
    assert float(line.split()[1]) == pytest.approx(
        float(Scale(5.0, "GHz").quantity(table["J_cold"].value, "fW")), rel=1e-7
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Scale(1.0, "parsec"), "No unit is called 'parsec'"),
        (lambda: Scale(1.0, "fW"), "takes a positive energy"),
        (lambda: Scale(-1.0, "GHz"), "takes a positive energy"),
        (lambda: Scale(1.0, "GHz").number(1.0, "m1/s"), "No unit is called 'm1/s'"),
    ],
)
def test_bad_units_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_demon_s_exchange_is_a_pure_number_and_that_of_qubits_an_energy():
    demon, qubits = qtd.machines.NDemon(), qtd.machines.QubitRefrigerator("local")
    assert (
        qtd.units.unit_of_parameter("exchange", demon) == "1"
        and qtd.units.unit_of_parameter("exchange", qubits) == "E"
    )
    table = qtd.sweep(demon, {"exchange": [0.0, 0.01], "energy_4": [1.5, 1.6]}, ["J_cold"])
    assert table.exchange.attrs["units"] == "1" and table.energy_4.attrs["units"] == "E"
    with pytest.raises(ValueError, match="must be a unit of 1, got 'GHz'"):
        qtd.units.Scale(1.0, "GHz").converted(table, {"exchange": "GHz"})
