import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import (
    dot_current_and_noise,
    exact_generator,
    random_network,
    slow,
    spinful_dot,
    spinful_dot_expanded,
    three_levels,
)

import qtd
from qtd.audits import Severity, _coupling, _networks
from qtd.audits._jumps import tabulated
from qtd.audits._points import laws
from qtd.machines import CollectiveRefrigerator, QubitRefrigerator
from qtd.reservoirs import AbstractReservoir
from qtd.spectral import AbstractSpectralDensity, WideBand
from qtd.steady import solve

INAPPLICABLE, FINE, NOTE, UNCHECKED, DOUBTFUL, WRONG = Severity


def weak(network):
    """Findings about weak coupling by what the rate is compared with."""
    jumps = tabulated(solve(network))
    found = [*_coupling.weak_coupling(jumps, network.reservoirs), *_coupling.secular(jumps)]
    return {
        word: x
        for x in found
        for word in ("width", "energy of the jump", "temperature", "common", "same energy")
        if word in x.text
    }


class Pumped(AbstractReservoir):
    """Says that it is thermal, but drives jumps up too often."""

    temperature: jax.Array
    chemical_potential: jax.Array
    statistics: str = eqx.field(static=True)
    spectral_density: AbstractSpectralDensity
    excess: float = eqx.field(static=True)

    def _thermal(self):
        return qtd.Reservoir(self.temperature, spectral_density=self.spectral_density)

    def logit(self, energy):
        return self._thermal().logit(energy)

    def occupation(self, energy):
        return self._thermal().occupation(energy)

    def breaks(self):
        return self._thermal().breaks()

    def rates(self, gap, particles=None):
        up, down = self._thermal().rates(gap, particles)
        return up * self.excess, down


def pumped(excess):
    network = three_levels()
    zero, hot = jnp.zeros(()), network.reservoirs["hot"]
    broken = Pumped(hot.temperature, zero, "bose", hot.spectral_density, excess)
    return qtd.RateNetwork(
        energies=[0.0, 1.0, 5.0],
        jumps=[("cold", 0, 1, 1e-4), ("work", 1, 2, 1e-4), ("hot", 0, 2, 1e-4)],
        reservoirs={**network.reservoirs, "hot": broken},
    )


def test_a_reservoir_that_breaks_detailed_balance_is_caught():
    def found(network):
        return _networks.detailed_balance(tabulated(solve(network)), network.reservoirs)

    (broken,) = [x for x in found(pumped(1.5)) if x.severity == WRONG]
    assert "'hot'" in broken.text and broken.numbers["factor"] == pytest.approx(1.5, rel=1e-12)
    assert [x.severity for x in found(pumped(1.0))] == [FINE]


# Bounds on noise


def uncertainty(network):
    state = solve(network)
    (finding,) = _networks.kinetic_uncertainty(state, tabulated(state))
    return finding


@pytest.mark.parametrize("left, right", [((1.0, 0.5), (0.7, -0.4)), ((1.0, 60.0), (1.0, -60.0))])
@pytest.mark.parametrize("rates", [(0.9, 1.6), (1.0, 1.0)])
def test_kinetic_uncertainty_of_one_level_is_its_closed_form(left, right, rates):
    energy = 0.3

    def fermi(lead):
        return 1 / (1 + np.exp((energy - lead[1]) / lead[0]))

    into = sum(rate * fermi(lead) for rate, lead in zip(rates, (left, right)))
    activity = 2 * into * (sum(rates) - into) / sum(rates)
    current, noise = dot_current_and_noise(energy, left, right, rates)

    def lead(contact, rate):
        return qtd.Reservoir(*contact, "fermi", spectral_density=WideBand(rate))

    # Fmt: skip.
    found = uncertainty(
        qtd.RateNetwork(
            [0.0, energy],
            [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)],
            {"left": lead(left, rates[0]), "right": lead(right, rates[1])},
            particles=[0, 1],
        )
    )
    assert found.severity == FINE
    assert found.numbers["activity"] == pytest.approx(activity, rel=1e-12)
    assert found.numbers["product"] == pytest.approx(noise * activity / current**2, rel=1e-10)
    if right[1] == -60.0 and rates[0] == rates[1]:
        # Every jump is of one kind after the other: the bound is reached.
        assert found.numbers["product"] == pytest.approx(1, rel=1e-12)


def test_kinetic_uncertainty_holds_for_heat_in_random_networks():
    arguments, rng = random_network(0), np.random.default_rng(1)
    for _ in range(12):
        network = qtd.RateNetwork(**(arguments | {"energies": np.sort(rng.uniform(0, 5, 6))}))
        hot = {
            f"reservoirs.{name}.temperature": 10 ** rng.uniform(-1, 3)
            for name in network.reservoirs
        }
        assert uncertainty(qtd.replace(network, hot)).severity == FINE


def test_less_noise_than_jumps_allow_is_a_fault_of_networks_and_a_feature_of_coherence():
    def severity(is_theorem):
        return _networks.kinetic_finding({"a": 0.9, "b": 3.0}, 1.0, 1e-16, is_theorem).severity

    assert severity(True) == WRONG and severity(False) == NOTE

    class Quiet:
        laws = staticmethod(lambda: [("uncertainty", 1.5, "noise * sigma / current^2 >= 2", False)])

    assert (
        laws(Quiet, coherent=False)[0].severity == WRONG
        and laws(Quiet, coherent=True)[0].severity == NOTE
    )


# Rates


def test_weak_coupling_of_two_qubits_is_their_own_validity():
    machine = qtd.replace(QubitRefrigerator("global", 2.0, 2.1, 0.2, 0.002), {"coupling": 0.01})
    own, found = machine.rate_ratios(), weak(machine.network())
    # There of the level, here of the filter.
    assert found["width"].numbers["ratio"] == pytest.approx(float(own.rate_over_width), rel=0.01)
    assert found["energy of the jump"].numbers["ratio"] == pytest.approx(
        float(own.rate_over_gap), rel=0.01
    )
    assert found["common"].numbers["ratio"] == pytest.approx(
        float(own.rate_over_splitting), rel=0.01
    )
    # Where the Redfield equation says +2.4e-4 and the global one -6e-5.
    assert found["common"].severity == WRONG
    calm = weak(qtd.replace(machine, {"coupling": 1e-6}).network())
    assert all(finding.severity == FINE for finding in calm.values())


def test_electrons_are_compared_with_the_temperature():
    found = weak(spinful_dot(left=(1.0, 0.5), rates=(0.004, 0.003)))
    assert set(found) == {"temperature"} and found["temperature"].severity == FINE
    assert weak(spinful_dot(rates=(0.9, 1.6)))["temperature"].severity == WRONG
    assert weak(spinful_dot_expanded(rates=(0.004, 0.003)))["same energy"].severity == NOTE
    balance = _networks.detailed_balance(tabulated(solve(spinful_dot())), spinful_dot().reservoirs)
    assert [x.severity for x in balance] == [FINE]  # degeneracies are part of it


def test_a_nonthermal_reservoir_is_said_to_have_no_temperature():
    network = spinful_dot()
    thermal = network.reservoirs["left"]
    distribution = qtd.distributions.Thermal(thermal.temperature, thermal.chemical_potential)
    nonthermal = qtd.NonthermalReservoir(distribution, spectral_density=thermal.spectral_density)
    network = eqx.tree_at(
        lambda n: n.reservoirs, network, network.reservoirs | {"left": nonthermal}
    )
    found = _networks.detailed_balance(tabulated(solve(network)), network.reservoirs)
    assert {x.severity for x in found} == {FINE} and any("no temperature" in x.text for x in found)


def test_the_slowest_mode_is_right_where_rates_span_37_decades():
    network = CollectiveRefrigerator().network()
    state = solve(network)
    (found,) = _networks.relaxation(state, tabulated(state))
    rates = np.array(qtd.rate_matrix(network))
    with mp.workdps(80):
        exact = sorted(
            -mp.re(x) for x in mp.eig(exact_generator(rates, 80), left=False, right=False)
        )[1]
    assert found.numbers["rate"] == pytest.approx(float(exact), rel=1e-9)


def test_large_networks_are_relaxed_without_writing_out_the_inverse(monkeypatch):
    network = random_network(3)
    state = solve(qtd.RateNetwork(**network))
    (dense,) = _networks.relaxation(state, tabulated(state))
    monkeypatch.setattr(_networks, "DENSE", 1)
    (sparse,) = _networks.relaxation(state, tabulated(state))
    assert sparse.numbers["rate"] == pytest.approx(dense.numbers["rate"], rel=1e-8)


def test_currents_lost_in_rounding_are_told_from_those_that_flow():
    def level(t):
        return slow(
            qtd.replace(
                three_levels(), {f"reservoirs.{n}.temperature": t for n in ("cold", "hot", "work")}
            ),
            1e-3,
        )

    (quiet,) = _networks.cancellation(tabulated(solve(level(1.0))))
    assert quiet.severity == NOTE and "0 to rounding" in quiet.text
    flows = [
        x
        for x in _networks.cancellation(
            tabulated(solve(qtd.replace(level(1.0), {"reservoirs.hot.temperature": 1 + 1e-8})))
        )
        if x.numbers
    ]
    assert flows[0].severity == NOTE or flows[0].numbers["digits"] > 6
    assert flows[0].numbers["digits"] < 9
    cold = qtd.replace(
        CollectiveRefrigerator(61),
        {"cold.temperature": 0.01, "hot.temperature": 0.02, "work.temperature": 0.02},
    ).network()
    (far,) = _networks.stiffness(tabulated(solve(cold)))
    assert far.severity == NOTE and ("single precision" in far.text or "underflows" in far.text)


# What a fast jump has to carry to count


def bosons(energies, jumps, hot=1.2, cold=1.0):
    """Without filters, so that rates are compared with gaps alone; strengths are nearly rates."""

    def bath(t):
        return qtd.Reservoir(t, spectral_density=WideBand(1.0))

    return qtd.RateNetwork(energies, jumps, {"hot": bath(hot), "cold": bath(cold)})


def test_a_level_that_is_hardly_ever_visited_counts_if_the_current_passes_through_it():
    # 0 -> 1 by hot, 1 -> 2 by cold, 2 -> 0 by cold: all heat passes the fast jump between levels of
    # population below 1e-6.
    through = bosons(
        [0.0, 20.0, 21.0], [("hot", 0, 1, 1e-6), ("cold", 1, 2, 5.0), ("cold", 0, 2, 1e-6)]
    )
    assert float(solve(through).populations[1:].max()) < 1e-6
    found = weak(through)["energy of the jump"]
    assert found.severity == WRONG and "between levels 1 and 2" in found.text


def test_a_level_that_carries_nothing_does_not_count_however_fast_it_is_left():
    # The same fast jump at the end of a dead end, at levels that are visited more often (1e-4), but
    # through which nothing passes.
    jumps = [("hot", 0, 1, 1e-4), ("cold", 0, 1, 1e-4), ("cold", 1, 2, 1e-4), ("cold", 2, 3, 5.0)]
    aside = bosons([0.0, 1.0, 9.0, 10.0], jumps)
    populations = tabulated(solve(aside)).populations
    assert 1e-5 < populations[2] < 1e-2
    found = weak(aside)["energy of the jump"]
    assert found.severity == FINE and "between levels 0 and 1" in found.text
    # Often enough to count.
    assert weak(bosons([0.0, 1.0, 2.0, 3.0], jumps))["energy of the jump"].severity == WRONG


@pytest.mark.parametrize("fast, severity", [(1, FINE), (6, WRONG)])
def test_small_levels_count_together(fast, severity):
    # 400 levels, each 1/400 of the time: one fast jump is a detail, six next to each other are not.
    lower = np.arange(399)
    strengths = np.where(lower < fast, 1.0, 1e-9)
    ladder = bosons(
        1e-3 * np.arange(400.0),
        [("hot", lower, lower + 1, 1e-9), ("cold", lower, lower + 1, strengths)],
    )
    assert weak(ladder)["energy of the jump"].severity == severity


def test_coherence_of_levels_that_nothing_reaches_is_no_matter():
    def jumps(top):
        return [
            ("hot", 0, 1, 1e-5),
            ("cold", 0, 1, 1e-5),
            ("cold", 1, 2, top),
            ("cold", 1, 3, top),
        ]

    def close(energy):
        return weak(bosons([0.0, 1.0, energy, energy + 1e-6], jumps(1e-5)))

    assert close(2.0)["common"].severity == WRONG
    assert "common" not in close(30.0)
