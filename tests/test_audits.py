import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import as_float32, slow, spurious_refrigerator, stack, three_levels

import qtd
from qtd.audits import Audit, Finding, Severity, _of_systems
from qtd.audits._jumps import tabulated
from qtd.limits import Limits
from qtd.machines import AbstractMachine, CollectiveRefrigerator, NDemon
from qtd.spectral import WideBand
from qtd.steady import solve
from qtd.thermodynamics import AbstractPoint, Observable

INAPPLICABLE, FINE, NOTE, UNCHECKED, DOUBTFUL, WRONG = Severity


# The whole


def test_a_healthy_device_is_trusted_and_every_subject_is_spoken_of():
    audit = qtd.audit(slow(three_levels(), 1e-4), cooled="cold", driven_by="work")
    assert audit.trusted and audit.worst == UNCHECKED and audit.unchecked == ("other approaches",)
    assert audit.verdict.startswith("nothing that was checked speaks against")
    topics = {finding.topic for finding in audit.findings}
    assert topics >= {
        "status",
        "first law",
        "second law",
        "uncertainty",
        "Carnot",
        "kinetic uncertainty",
        "detailed balance",
    }
    assert topics >= {
        "weak coupling",
        "steady state",
        "precision",
        "gradients",
        "other approaches",
        "energy of the device",
    }
    assert json.loads(json.dumps(audit.record()))["trusted"] is True


def test_the_refrigerator_of_the_paper_is_outside_weak_coupling_and_is_to_be_read_per_height():
    audit = qtd.audit(CollectiveRefrigerator())
    assert not audit.trusted
    worst, advised = audit.findings[:2]
    assert worst.severity == WRONG and worst.kind == "validity"
    assert advised.topic == "weak coupling" and "per height" in advised.text
    # |<3/2|J_x|5/2>|^2 n (T = 1000) over the width of the filter, on resonance.
    rate = (15.5 * 16.5 - 1.5 * 2.5) / 4 * (1 + 1 / np.expm1(4 / 1000))
    assert advised.numbers["ratio"] == pytest.approx(rate / 1e-3, rel=1e-5)
    assert all(
        finding.severity == FINE
        for finding in audit.findings
        if finding.topic not in ("weak coupling", "other approaches", "explicit filters")
    )


def test_a_local_equation_that_cools_by_exchange_alone_is_found_out():
    audit = qtd.audit(spurious_refrigerator())
    assert not audit.trusted
    (others,) = audit.of("other approaches")
    assert others.severity == WRONG and "other sign" in others.text
    assert others.numbers["here"] == pytest.approx(2.8484762e-3, rel=1e-7)
    assert others.numbers["global"] == pytest.approx(-5.0201302e-4, rel=1e-7)
    assert others.numbers["redfield"] < 0
    sigma = [x for x in audit.of("energy of the device") if "entropy_production" in x.numbers]
    (level,) = audit.of("equal temperatures")
    assert level.severity == WRONG and level.numbers["share"] == pytest.approx(1.4, abs=0.2)
    assert sigma[0].severity == WRONG and sigma[0].numbers["entropy_production"] == pytest.approx(
        -1.608e-4, rel=1e-3
    )
    assert all(law.severity == FINE for law in audit.of("second law"))  # that of the quanta holds


def test_conductors_have_no_jumps_to_ask_about():
    def lead(t, mu):
        return qtd.Reservoir(t, mu, "fermi", spectral_density=WideBand(1.0))

    link = "left", "right", qtd.transmissions.Lorentzian(0.3, 0.2)
    audit = qtd.audit(
        qtd.scattering.Conductor({"left": lead(1.0, 0.5), "right": lead(0.7, -0.4)}, [link])
    )
    assert audit.worst == FINE and audit.verdict.startswith("nothing speaks against")
    for topic in (
        "detailed balance",
        "weak coupling",
        "steady state",
        "kinetic uncertainty",
        "other approaches",
    ):
        assert [finding.severity for finding in audit.of(topic)] == [
            INAPPLICABLE
        ] and topic not in audit.checked


def test_single_precision_is_said_and_changes_no_verdict():
    audit = qtd.audit(as_float32(slow(three_levels(), 1e-4)), cooled="cold", driven_by="work")
    assert audit.worst == UNCHECKED and audit.trusted
    assert any("single precision" in x.text and x.severity == NOTE for x in audit.of("precision"))


# What goes wrong on the way


def test_a_device_that_stands_still_for_ever_has_no_numbers_to_trust():
    audit = qtd.audit(slow(three_levels(), 0.0), cooled="cold", driven_by="work")
    assert audit.of("status")[0].severity == WRONG and "unique" in audit.of("status")[0].text
    assert not any(finding.severity == FINE for finding in audit.of("second law"))


class Machine(AbstractMachine):
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


class Point(AbstractPoint):
    value: jax.Array
    status: jax.Array = eqx.field(default_factory=lambda: jnp.asarray(0))

    def observables(self):
        return {"value": Observable(self.value, "1", "a number")}


@pytest.mark.parametrize(
    "trouble, topic, severity",
    [("operate", "status", WRONG), ("checks", "own", UNCHECKED), ("systems", "systems", UNCHECKED)],
)
def test_a_check_that_raises_is_a_finding(trouble, topic, severity):
    audit = qtd.audit(Machine(jnp.array(2.0), jnp.sin, trouble))
    assert audit.of(topic)[0].severity == severity == audit.worst


def test_the_report_is_sorted_wrapped_escaped_and_plain_data():
    audit = Audit(
        "<Device>",
        [
            Finding(FINE, "a", "All is well. " * 20),
            Finding(WRONG, "b", "x < 0 & y", {"x": np.nan, "y": np.float64(1)}),
        ],
    )
    assert [finding.severity for finding in audit.findings] == [WRONG, FINE] and not audit.trusted
    assert max(map(len, repr(audit).splitlines())) <= 100 and repr(audit).splitlines()[1].split()[
        :2
    ] == ["WRONG", "b:"]
    assert "x &lt; 0 &amp; y" in audit._repr_html_() and "&lt;Device&gt;" in audit._repr_html_()
    assert json.loads(json.dumps(audit.record()))["findings"][0]["numbers"] == {"x": None, "y": 1.0}


# What was not checked


class Bare(AbstractMachine):
    """What a user writes first: some numbers."""

    x: jax.Array

    def operate(self):
        return Point(jnp.sin(self.x))


class Opaque(AbstractMachine):
    """A machine that JAX cannot look into."""

    x: jax.Array

    def operate(self):
        return float(self.x) ** 2


def test_a_machine_that_says_nothing_about_itself_is_told_what_was_not_checked():
    audit = qtd.audit(Bare(jnp.array(2.0)))
    assert audit.verdict.startswith("too little could be checked") and not audit.trusted
    assert audit.checked == ("gradients", "status")
    assert set(audit.unchecked) == {"laws", "systems", "other approaches"}
    (systems,) = audit.of("systems")
    for topic in ("detailed balance", "weak coupling", "steady state", "kinetic uncertainty"):
        assert topic in systems.text
    assert audit.record()["unchecked"] == list(audit.unchecked)
    assert {"status", "laws", "gradients"} <= set(qtd.audit(Opaque(jnp.array(2.0))).unchecked)


def test_nothing_speaks_against_an_audit_only_where_something_was_checked():
    def verdict(*severities):
        return Audit(
            "m", [Finding(severity, f"topic {severity}", "") for severity in severities]
        ).verdict

    for empty in ((), (INAPPLICABLE,), (UNCHECKED,), (INAPPLICABLE, UNCHECKED)):
        assert verdict(*empty).startswith("too little could be checked")
    assert (
        verdict(FINE, INAPPLICABLE)
        == "nothing speaks against these numbers (1 fine, 1 inapplicable)"
    )
    assert verdict(FINE, UNCHECKED).startswith(
        "nothing that was checked speaks against"
    ) and "1 unchecked" in verdict(FINE, UNCHECKED)
    assert verdict(WRONG, UNCHECKED).startswith("do not use")
    assert not Audit("m", []).trusted and Audit("m", [Finding(FINE, "second law", "")]).trusted
    # That a number has a derivative does not make it true.
    assert not Audit("m", [Finding(FINE, "gradients", "")]).trusted


@pytest.mark.parametrize(
    "moved",
    [
        lambda m: m,
        lambda m: eqx.tree_at(lambda x: x.cold.temperature, NDemon(), m.cold.temperature),
    ],
)
def test_a_batch_is_refused_by_the_name_of_what_is_one(moved):
    batch = moved(stack([qtd.replace(NDemon(), {"cold.temperature": t}) for t in (0.8, 0.9)]))
    with pytest.raises(
        ValueError,
        match=r"`(cold|hot).temperature` must be one number, got shape \(2,\).*jax.tree.map",
    ) as raised:
        qtd.audit(batch)
    assert "\n" not in str(raised.value)


def test_batches_of_networks_are_told_from_their_levels():
    with pytest.raises(
        ValueError, match=r"`energies` must be an array with 1 axis, got shape \(2, 3\)"
    ):
        qtd.audit(stack([three_levels(), three_levels(cold=0.6)]))


# Several places


def ratio(network):
    """Over the width of the filter."""
    jumps = tabulated(solve(network))
    return max(
        float(rate) / network.reservoirs[jumps.names[i]].spectral_density.width
        for rate, i in zip(jumps.rate, jumps.reservoir)
    )


def test_the_worst_of_several_places_is_kept_also_among_equals():
    networks = {
        "one": slow(three_levels(), 1e-4),
        "two": slow(three_levels(), 3e-4),
        "three": slow(three_levels(), 2e-4),
    }
    found = [
        finding
        for finding in _of_systems(networks)
        if finding.topic == "weak coupling" and finding.kind == "the width of its filter"
    ]
    assert (
        len(found) == 1
        and found[0].severity == FINE
        and found[0].text.startswith("At two, the worst of 3:")
    )
    alone = [
        finding
        for finding in _of_systems({"two": networks["two"]})
        if finding.kind == "the width of its filter"
    ]
    assert found[0].numbers == alone[0].numbers and found[0].numbers["ratio"] <= ratio(
        networks["two"]
    )
    worse = _of_systems({**networks, "four": slow(three_levels(), 1.0)})
    assert {finding.severity for finding in worse if finding.kind == "the width of its filter"} == {
        WRONG
    }


def test_findings_of_several_places_are_told_apart_by_what_they_ask_not_by_their_order():
    level = {f"reservoirs.{name}.temperature": 1.0 for name in ("cold", "hot", "work")}
    # Its first finding about precision is that nothing flows.
    still = qtd.replace(slow(three_levels(), 1e-4), level)
    found = [
        x
        for x in _of_systems({"rest": still, "work": slow(three_levels(), 1e-4)})
        if x.topic == "precision"
    ]
    assert {x.kind: x.severity for x in found} == {
        "no current": NOTE,
        "digits": FINE,
        "populations": FINE,
    }
    assert len(found) == 3
    kinds = [(x.topic, x.kind) for x in _of_systems({"one": slow(three_levels(), 1e-4)})]
    assert len(set(kinds)) == len(kinds)


def test_limits_are_crossed_from_above_and_no_number_passes_unseen():
    limits = Limits(0.01, 0.1, 1.0)
    assert [limits.rate(x) for x in (0.01, 0.0101, 0.11, 1.1, np.inf)] == [
        FINE,
        NOTE,
        DOUBTFUL,
        WRONG,
        WRONG,
    ]
    assert limits.rate(np.nan) == DOUBTFUL
