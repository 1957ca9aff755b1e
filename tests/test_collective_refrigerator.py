"""The collective refrigerator with its coherences: what its rate equation leaves out."""

import equinox as eqx
import numpy as np
import pytest

import qtd
from qtd.audits import Severity
from qtd.audits._alternatives import compared
from qtd.machines import CollectiveRefrigerator


@eqx.filter_jit
def heat_currents(device):
    return qtd.operate(device).heat_currents


def scaled(factor, **options):
    machine = CollectiveRefrigerator(**options)
    return qtd.replace(machine, {f"{name}.spectral_density.height": factor for name in ("cold", "hot", "work")})


@pytest.mark.parametrize(
    "num_spins, parity, spin", [(5, "even", None), (5, "odd", None), (6, "even", None), (6, "odd", None), (7, "even", 2.5)]
)
def test_couplings_are_those_of_spins_in_their_sector(num_spins, parity, spin):
    """J_x of the textbook, between superpositions of m and -m; its square is exact only as the sector is closed."""
    machine = CollectiveRefrigerator(num_spins, parity=parity, spin=spin)
    j = num_spins / 2 if spin is None else spin
    m = np.arange(-j, j + 0.5)
    raising = np.diag(np.sqrt(j * (j + 1) - m[:-1] * m[1:]), -1)
    flip, sign = (raising + raising.T) / 2, 1 if parity == "even" else -1
    sector = np.stack([(1.0 * (m == level) + sign * (m == -level)) / (2 if level == 0 else np.sqrt(2)) for level in machine.levels])
    expected = {"cold": sector @ flip @ sector.T, "hot": sector @ flip @ flip @ sector.T / num_spins}
    flipped = machine._collective_spin()
    np.testing.assert_allclose(flipped, expected["cold"], atol=1e-13)
    np.testing.assert_allclose(flipped @ flipped / num_spins, expected["hot"], atol=1e-13)


@pytest.mark.parametrize("num_spins, parity", [(5, "even"), (6, "odd"), (8, "even")])
def test_the_global_equation_is_the_rate_equation(num_spins, parity):
    machine = CollectiveRefrigerator(num_spins, parity=parity)
    by_rates, by_operators = heat_currents(machine.network()), heat_currents(machine.lindbladian("global"))
    for name, current in by_rates.items():
        assert float(by_operators[name]) == pytest.approx(float(current), rel=1e-10)


def test_coherences_change_currents_in_second_order_of_the_heights():
    """By rates over gaps squared, relative to the current: what the secular approximation drops is of first order in the state alone."""
    deviation = []
    for height in (1e-4, 1e-5):
        machine = scaled(height, num_spins=7)
        here, there = heat_currents(machine.network())["cold"], heat_currents(machine.lindbladian())["cold"]
        deviation.append(float(there / here) - 1)
    assert abs(deviation[0]) > 1e-5 and deviation[0] / deviation[1] == pytest.approx(100, rel=0.01)


def test_an_audit_compares_small_machines_with_their_redfield_equation():
    found = {}
    for height in (1.0, 1e-6):
        machine = scaled(height, num_spins=7)
        (found[height],) = compared(machine.operate(), qtd.operate, machine.alternatives(), False)
    assert found[1e-6].severity == Severity.FINE
    assert found[1.0].severity == Severity.DOUBTFUL and "other sign" in found[1.0].text and "not positive" in found[1.0].text
    large = CollectiveRefrigerator(31)
    (left_out,) = large.checks(None)["other approaches"]()
    assert not large.alternatives() and left_out.severity == Severity.UNCHECKED and "up to 15 spins" in left_out.text
    assert len(CollectiveRefrigerator(15).levels) == 8 and CollectiveRefrigerator(15).alternatives()
