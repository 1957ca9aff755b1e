import json
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import as_float32, dot_current_and_noise, exact_generator, random_network, spinful_dot, spinful_dot_expanded, three_levels

import qtd
from qtd.audits import Audit, Finding, Severity, _networks
from qtd.audits._conductors import narrow
from qtd.audits._gradients import Probe, gradients
from qtd.audits._jumps import tabulated
from qtd.audits._points import device_energy, laws
from qtd.machines import CollectiveRefrigerator, FiniteReservoirs, NDemon, QuantumMotor, QubitRefrigerator, ResonatorRefrigerator
from qtd.reservoirs import AbstractReservoir
from qtd.spectral import AbstractSpectralDensity, Resonator, WideBand
from qtd.steady import solve

FINE, NOTE, DOUBTFUL, WRONG = Severity


def asked(machine, topic, point=None):
    """The findings of one of a machine's own checks."""
    return machine.checks(machine.operate() if point is None else point)[topic]()


def weak(network):
    """Findings about weak coupling by what the rate is compared with."""
    jumps = tabulated(solve(network))
    found = [*_networks.weak_coupling(jumps, network.reservoirs), *_networks.secular(jumps)]
    return {word: x for x in found for word in ("width", "energy of the jump", "temperature", "common", "same energy") if word in x.text}


def slow(network, factor):
    """The same with all rates times a factor."""
    return qtd.replace(network, {f"strengths.{name}": strength * factor for name, strength in network.strengths.items()})


def spurious():
    """A local master equation that cools by exchange alone, which no device can do."""
    reservoir = lambda t, center, width: qtd.Reservoir(t, spectral_density=Resonator(center, width))
    reservoirs = reservoir(1.0, 2.4, 0.1), reservoir(1.0, 2.4, 0.2), reservoir(0.95, 2.0, 0.15)
    return QubitRefrigerator("local", 2.4, 2.0, 0.0, 0.2, 0.05, *reservoirs)


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


# The whole


def test_a_healthy_device_is_trusted_and_every_subject_is_spoken_of():
    audit = qtd.audit(slow(three_levels(), 1e-4), cooled="cold", driven_by="work")
    assert audit.trusted and audit.worst <= NOTE
    topics = {finding.topic for finding in audit.findings}
    assert topics >= {"status", "first law", "second law", "uncertainty", "Carnot", "kinetic uncertainty", "detailed balance"}
    assert topics >= {"weak coupling", "steady state", "precision", "gradients", "other approaches", "energy of the device"}
    assert json.loads(json.dumps(audit.record()))["trusted"] is True


def test_the_refrigerator_of_the_paper_is_outside_weak_coupling_and_is_to_be_read_per_height():
    audit = qtd.audit(CollectiveRefrigerator())
    assert not audit.trusted
    worst = audit.findings[0]
    assert worst.severity == WRONG and worst.topic == "weak coupling" and "per height" in worst.text
    # |<3/2|J_x|5/2>|^2 n (T = 1000) over the width of the filter, on resonance.
    rate = (15.5 * 16.5 - 1.5 * 2.5) / 4 * (1 + 1 / np.expm1(4 / 1000))
    assert worst.numbers["ratio"] == pytest.approx(rate / 1e-3, rel=1e-5)
    assert all(finding.severity == FINE for finding in audit.findings if finding.topic != "weak coupling")


def test_a_local_equation_that_cools_by_exchange_alone_is_found_out():
    audit = qtd.audit(spurious())
    assert not audit.trusted
    (others,) = audit.of("other approaches")
    assert others.severity == WRONG and "other sign" in others.text
    assert others.numbers["here"] == pytest.approx(2.8484762e-3, rel=1e-7)
    assert others.numbers["global"] == pytest.approx(-5.0201302e-4, rel=1e-7)
    assert others.numbers["redfield"] < 0
    sigma = [x for x in audit.of("energy of the device") if "entropy_production" in x.numbers]
    assert sigma[0].severity == WRONG and sigma[0].numbers["entropy_production"] == pytest.approx(-1.608e-4, rel=1e-3)
    assert all(law.severity == FINE for law in audit.of("second law"))  # that of the quanta holds


def test_conductors_have_no_jumps_to_ask_about():
    lead = lambda t, mu: qtd.Reservoir(t, mu, "fermi", spectral_density=WideBand(1.0))
    link = "left", "right", qtd.transmissions.Lorentzian(0.3, 0.2)
    audit = qtd.audit(qtd.scattering.Conductor({"left": lead(1.0, 0.5), "right": lead(0.7, -0.4)}, [link]))
    assert audit.worst == FINE
    for topic in ("detailed balance", "weak coupling", "steady state", "kinetic uncertainty"):
        assert audit.of(topic)[0].text.startswith("Not applicable")


def test_a_reservoir_that_breaks_detailed_balance_is_caught():
    found = lambda network: _networks.detailed_balance(tabulated(solve(network)), network.reservoirs)
    (broken,) = [x for x in found(pumped(1.5)) if x.severity == WRONG]
    assert "'hot'" in broken.text and broken.numbers["factor"] == pytest.approx(1.5, rel=1e-12)
    assert [x.severity for x in found(pumped(1.0))] == [FINE]


def test_single_precision_is_said_and_changes_no_verdict():
    audit = qtd.audit(as_float32(slow(three_levels(), 1e-4)), cooled="cold", driven_by="work")
    assert audit.worst == NOTE
    assert any("single precision" in x.text and x.severity == NOTE for x in audit.of("precision"))


# What goes wrong on the way


def test_a_device_that_stands_still_for_ever_has_no_numbers_to_trust():
    audit = qtd.audit(slow(three_levels(), 0.0), cooled="cold", driven_by="work")
    assert audit.of("status")[0].severity == WRONG and "unique" in audit.of("status")[0].text
    assert not any(finding.severity == FINE for finding in audit.of("second law"))


class Machine(eqx.Module):
    x: jax.Array
    figure: object = eqx.field(static=True)
    trouble: str = eqx.field(static=True, default="")

    def operate(self):
        if self.trouble == "operate":
            raise ValueError("no operating point <here>")
        return Point(self.figure(self.x))

    def checks(self, point):
        def fails():
            raise RuntimeError("out of order")

        return {"own": fails} if self.trouble == "checks" else {}

    def systems(self):
        if self.trouble == "systems":
            raise RuntimeError("in pieces")
        return {}


class Point(eqx.Module):
    value: jax.Array

    def figures(self):
        return {"value": self.value}


@jax.custom_jvp
def mistaken(x):
    return x**2


mistaken.defjvp(lambda x, dx: (x[0] ** 2, 2.01 * x[0] * dx[0]))


@pytest.mark.parametrize(
    "trouble, topic, severity", [("operate", "status", WRONG), ("checks", "own", DOUBTFUL), ("systems", "systems", DOUBTFUL)]
)
def test_a_check_that_raises_is_a_finding(trouble, topic, severity):
    audit = qtd.audit(Machine(jnp.array(2.0), jnp.sin, trouble))
    assert audit.of(topic)[0].severity == severity == audit.worst


@pytest.mark.parametrize(
    "figure, x, severity, says",
    [
        (jnp.sin, 2.0, FINE, "agree"),
        (lambda x: 1e6 + jnp.sin(1e3 * x), 2.0, FINE, "agree"),
        (mistaken, 2.0, WRONG, "do not design"),
        (lambda x: jnp.where(x >= 1, 1.0, 0.0), 1.0, NOTE, "could not be compared"),
        (lambda x: jnp.sqrt(x**2), 0.0, DOUBTFUL, "not a number"),
        (lambda x: jnp.nan * x, 1.0, NOTE, "no figure has a value"),
    ],
)
def test_derivatives_are_compared_with_differences(figure, x, severity, says):
    found = gradients(Probe(Machine(jnp.array(x), figure), lambda machine: machine.operate()))
    worst = max(found)
    assert worst.severity == severity and says in worst.text


def test_the_report_is_sorted_wrapped_escaped_and_plain_data():
    audit = Audit(
        "<Device>", [Finding(FINE, "a", "All is well. " * 20), Finding(WRONG, "b", "x < 0 & y", {"x": np.nan, "y": np.float64(1)})]
    )
    assert [finding.severity for finding in audit.findings] == [WRONG, FINE] and not audit.trusted
    assert max(map(len, repr(audit).splitlines())) <= 100 and repr(audit).splitlines()[1].split()[:2] == ["WRONG", "b:"]
    assert "x &lt; 0 &amp; y" in audit._repr_html_() and "&lt;Device&gt;" in audit._repr_html_()
    assert json.loads(json.dumps(audit.record()))["findings"][0]["numbers"] == {"x": None, "y": 1.0}
    assert Audit("m", []).trusted


# Bounds on noise


def uncertainty(network):
    state = solve(network)
    (finding,) = _networks.kinetic_uncertainty(state, tabulated(state))
    return finding


@pytest.mark.parametrize("left, right", [((1.0, 0.5), (0.7, -0.4)), ((1.0, 60.0), (1.0, -60.0))])
@pytest.mark.parametrize("rates", [(0.9, 1.6), (1.0, 1.0)])
def test_kinetic_uncertainty_of_one_level_is_its_closed_form(left, right, rates):
    energy = 0.3
    fermi = lambda lead: 1 / (1 + np.exp((energy - lead[1]) / lead[0]))
    into = sum(rate * fermi(lead) for rate, lead in zip(rates, (left, right)))
    activity = 2 * into * (sum(rates) - into) / sum(rates)
    current, noise = dot_current_and_noise(energy, left, right, rates)
    lead = lambda contact, rate: qtd.Reservoir(*contact, "fermi", spectral_density=WideBand(rate))
    found = uncertainty(
        qtd.RateNetwork(
            [0.0, energy], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)],
            {"left": lead(left, rates[0]), "right": lead(right, rates[1])}, particles=[0, 1],
        )
    )  # fmt: skip
    assert found.severity == FINE
    assert found.numbers["activity"] == pytest.approx(activity, rel=1e-12)
    assert found.numbers["product"] == pytest.approx(noise * activity / current**2, rel=1e-10)
    if right[1] == -60.0 and rates[0] == rates[1]:
        assert found.numbers["product"] == pytest.approx(1, rel=1e-12)  # every jump is of one kind after the other: the bound is reached


def test_kinetic_uncertainty_holds_for_heat_in_random_networks():
    arguments, rng = random_network(0), np.random.default_rng(1)
    for _ in range(12):
        network = qtd.RateNetwork(**(arguments | {"energies": np.sort(rng.uniform(0, 5, 6))}))
        hot = {f"reservoirs.{name}.temperature": 10 ** rng.uniform(-1, 3) for name in network.reservoirs}
        assert uncertainty(qtd.replace(network, hot)).severity == FINE


def test_less_noise_than_jumps_allow_is_a_fault_of_networks_and_a_feature_of_coherence():
    severity = lambda is_theorem: _networks.kinetic_finding({"a": 0.9, "b": 3.0}, 1.0, 1e-16, is_theorem).severity
    assert severity(True) == WRONG and severity(False) == NOTE

    class Quiet:
        laws = staticmethod(lambda: [("uncertainty", 1.5, "noise * sigma / current^2 >= 2", False)])

    assert laws(Quiet, coherent=False)[0].severity == WRONG and laws(Quiet, coherent=True)[0].severity == NOTE


# Rates


def test_weak_coupling_of_two_qubits_is_their_own_validity():
    machine = qtd.replace(QubitRefrigerator("global", 2.0, 2.1, 0.2, 0.002), {"coupling": 0.01})
    own, found = machine.validity(), weak(machine.network())
    assert found["width"].numbers["ratio"] == pytest.approx(float(own.rate_over_width), rel=0.01)  # there of the level, here of the filter
    assert found["energy of the jump"].numbers["ratio"] == pytest.approx(float(own.rate_over_gap), rel=0.01)
    assert found["common"].numbers["ratio"] == pytest.approx(float(own.rate_over_splitting), rel=0.01)
    assert found["common"].severity == WRONG  # where the Redfield equation says +2.4e-4 and the global one -6e-5
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
    network = eqx.tree_at(lambda n: n.reservoirs, network, network.reservoirs | {"left": nonthermal})
    found = _networks.detailed_balance(tabulated(solve(network)), network.reservoirs)
    assert {x.severity for x in found} == {FINE} and any("no temperature" in x.text for x in found)


def test_the_slowest_mode_is_right_where_rates_span_37_decades():
    network = CollectiveRefrigerator().network()
    state = solve(network)
    (found,) = _networks.relaxation(state, tabulated(state))
    rates = np.array(qtd.rate_matrix(network))
    with mp.workdps(80):
        exact = sorted(-mp.re(x) for x in mp.eig(exact_generator(rates, 80), left=False, right=False))[1]
    assert found.numbers["rate"] == pytest.approx(float(exact), rel=1e-9)


def test_large_networks_are_relaxed_without_writing_out_the_inverse(monkeypatch):
    network = random_network(3)
    state = solve(qtd.RateNetwork(**network))
    (dense,) = _networks.relaxation(state, tabulated(state))
    monkeypatch.setattr(_networks, "_DENSE", 1)
    (sparse,) = _networks.relaxation(state, tabulated(state))
    assert sparse.numbers["rate"] == pytest.approx(dense.numbers["rate"], rel=1e-8)


def test_currents_lost_in_rounding_are_told_from_those_that_flow():
    level = lambda t: slow(qtd.replace(three_levels(), {f"reservoirs.{n}.temperature": t for n in ("cold", "hot", "work")}), 1e-3)
    (quiet,) = _networks.cancellation(tabulated(solve(level(1.0))))
    assert quiet.severity == NOTE and "0 to rounding" in quiet.text
    flows = [
        x for x in _networks.cancellation(tabulated(solve(qtd.replace(level(1.0), {"reservoirs.hot.temperature": 1 + 1e-8})))) if x.numbers
    ]
    assert flows[0].severity == NOTE or flows[0].numbers["digits"] > 6
    assert flows[0].numbers["digits"] < 9
    cold = qtd.replace(CollectiveRefrigerator(61), {"cold.temperature": 0.01, "hot.temperature": 0.02, "work.temperature": 0.02}).network()
    (far,) = _networks.stiffness(tabulated(solve(cold)))
    assert far.severity == NOTE and ("single precision" in far.text or "underflows" in far.text)


# Master equations


def test_the_second_law_of_a_local_equation_depends_on_what_is_counted():
    names = ("hot", "sink", "cold")
    level = {f"{name}.temperature": 1.0 for name in names} | {"cold.temperature": 1.0005}
    machine = qtd.replace(QubitRefrigerator("local", 2.0, 2.1, 0.1, 0.05), {"coupling": 1e-3, **level})
    found = device_energy(machine.operate())
    assert found[-1].severity == WRONG
    assert found[-1].numbers["entropy_production"] == pytest.approx(-3.64231133920e-8, rel=1e-6)
    assert [x.severity for x in device_energy(qtd.replace(machine, {"energy_2": 2.0}).operate())] == [
        FINE
    ]  # equal levels: nothing to choose


# Machines


def test_resonators_are_asked_for_levels_and_compared_with_green_functions():
    warm = ResonatorRefrigerator((3, 3))
    cold = qtd.replace(warm, {f"{name}.temperature": 0.08 for name in warm.reservoirs})
    assert [asked(machine, "truncation", "any point")[0].severity for machine in (warm, cold)] == [DOUBTFUL, FINE]

    def fig_10(strength, bias):
        centers = {"hot": 2.0, "sink": 2.2, "cold": 2.2}
        temperatures, widths = {"hot": 1 + bias, "sink": 1.0, "cold": 1.0}, {"hot": 0.02, "sink": 0.02, "cold": 0.02}
        reservoir = lambda r: qtd.Reservoir(temperatures[r], spectral_density=Resonator(centers[r], widths[r], strength, cutoff=7.0))
        return ResonatorRefrigerator((3, 3), 2.0, 2.0, 0.2, **{name: reservoir(name) for name in centers})

    (strong,) = asked(fig_10(1.0, 0.6), "green functions")
    assert strong.severity == NOTE and strong.numbers["xc_ratio"] == pytest.approx(6.7, abs=0.05)
    (unstable,) = asked(fig_10(5.0, 0.3), "green functions")
    assert unstable.severity == DOUBTFUL and unstable.numbers["margin"] < 0


def test_a_motor_is_told_where_its_steady_velocity_is_an_artefact_of_the_series():
    lead = lambda mu: qtd.Reservoir(1.0, mu, "fermi", spectral_density=WideBand(0.25))
    biased = QuantumMotor(radius=10.0, left=lead(7.71), right=lead(-7.71))
    load = 5.744213474546797 + 0.05  # Fig. 2(c): the torque at rest, and a little
    velocity = jnp.array(6.195e-3)  # a root of the series to order 3, of whose next terms the larger one is 1.1 of those kept
    point = SimpleNamespace(
        velocity=velocity, power=load * velocity / (2 * np.pi), omitted=1.1, temperatures={"left": jnp.ones(()), "right": jnp.ones(())}
    )
    terms, exact = asked(biased, "series", point)
    assert terms.severity == WRONG
    assert exact.severity == WRONG and "artefact" in exact.text
    assert asked(biased, "adiabaticity", point)[0].numbers["ratio"] == pytest.approx(0.06195, rel=1e-3)
    slow_turn = float(biased.cycle(1e-4).torque)  # to all orders: the load at which this is a steady velocity
    point = SimpleNamespace(velocity=jnp.array(1e-4), power=slow_turn * 1e-4 / (2 * np.pi), omitted=1e-3)
    assert [x.severity for x in asked(biased, "series", point)] == [FINE, FINE]


def test_demons_need_an_occupation_and_narrow_resonances():
    assert asked(NDemon(), "occupation")[0].severity == FINE
    assert asked(NDemon(energy_4=1.9, boldness=3.0), "occupation")[0].severity == WRONG
    (wide,) = narrow(NDemon().conductor())
    assert wide.severity == WRONG and "per width" in wide.text and wide.numbers["ratio"] == pytest.approx(10)  # of the distance, 0.1
    assert qtd.audit(NDemon(width=1e-4)).worst == FINE


def test_finite_reservoirs_are_told_where_they_end_and_what_their_gases_are():
    gases = qtd.gases.FermiGas([0.8, 1.0], [18.8, 18.0], 100.0)
    rates = 1e-4 * np.sqrt([[17.1, 17.5]] * 2)
    healthy = FiniteReservoirs([17.1, 17.5], rates, gases)
    checks = healthy.checks("any point")
    assert {x.severity for topic in checks for x in checks[topic]()} == {FINE}
    assert asked(FiniteReservoirs(), "weak coupling", "any point")[0].severity == WRONG
    stuck = asked(FiniteReservoirs([17.3, 17.3], rates, gases), "equilibrium", "any point")[0]
    assert stuck.severity == DOUBTFUL and stuck.numbers["conserved"] == 3  # one energy: they stop elsewhere
    closure = lambda t: FiniteReservoirs([17.1, 17.5], rates, qtd.gases.FermiGas([t, 1.2 * t], [18.8, 18.0], closure="sommerfeld"))
    assert asked(closure(0.1), "closure")[0].severity == FINE
    rough = asked(closure(2.5), "closure")[0]
    assert rough.severity == DOUBTFUL and rough.numbers["deviation"] > 0.02


def test_modes_that_cannot_follow_their_reservoirs_are_found():
    rates = jnp.full((2, 2), 4.6)
    of_size = lambda size: FiniteReservoirs([21.1, 21.5], size * rates, qtd.gases.FermiGas([0.6, 1.0], [20.8, 16.0], size))
    # Rates in proportion to sizes: the reservoirs change as fast, the modes follow that much faster.
    large, usual, tiny = (asked(of_size(size), "quasi-stationary modes", "any point")[0] for size in (100.0, 1.0, 0.01))
    assert (large.severity, usual.severity, tiny.severity) == (FINE, NOTE, WRONG)
    assert large.numbers["ratio"] == pytest.approx(0.3083 / (2 * 4.6 * 100), rel=0.02)


def test_every_machine_says_what_it_is_made_of():
    for machine in (CollectiveRefrigerator(5), QubitRefrigerator(), ResonatorRefrigerator((3, 3)), QuantumMotor(), NDemon(), spurious()):
        assert len(machine.systems()) >= 1
    assert set(spurious().alternatives()) == {"global", "redfield"} and QubitRefrigerator().alternatives() == {}
