"""What an audit comes to, in one sentence, and how grave each of its findings looks on a page."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..findings import Finding, Severity
from ..thermodynamics import AbstractPoint

# A shape for each, to be told apart without colours.
SYMBOLS = {
    Severity.WRONG: "✖",
    Severity.DOUBTFUL: "▲",
    Severity.UNCHECKED: "?",
    Severity.NOTE: "●",
    Severity.FINE: "✓",
    Severity.INAPPLICABLE: "○",
}
_GRAVE = {
    Severity.WRONG: "These numbers are wrong",
    Severity.DOUBTFUL: "These numbers are in doubt",
}
_LAST = "gradients"  # of what is as grave, derivatives say least about the numbers themselves


class Verdict(NamedTuple):
    """The worst `severity` of an audit, and in a `sentence` what it is about."""

    severity: Severity
    sentence: str


def verdict(audit: Any, point: AbstractPoint) -> Verdict:
    """The one sentence on an `audit` of what is known of `point`."""
    findings = gravest_first(audit.findings)
    worst = findings[0].severity if findings else Severity.UNCHECKED
    about = [finding for finding in findings if finding.severity == worst]
    topics = list(dict.fromkeys(finding.topic for finding in about))
    if worst in _GRAVE:
        first = min(about, key=lambda finding: finding.topic == _LAST)
        others = [topic for topic in topics if topic != first.topic]
        besides = f"; as grave: {_listed(others)}" if others else ""
        return Verdict(worst, f"{_GRAVE[worst]}: {_reason(first, point)}{besides}.")
    if not getattr(audit, "trusted", True):
        return Verdict(Severity.UNCHECKED, "Too little could be checked to trust these numbers.")
    if worst == Severity.UNCHECKED:
        unchecked = f"not checked: {_listed(topics)}" if topics else "nothing was checked"
        return Verdict(
            worst, f"Nothing speaks against these numbers that was checked; {unchecked}."
        )
    mind = f"; mind the notes on {_listed(topics)}" if worst == Severity.NOTE else ""
    return Verdict(worst, f"Nothing speaks against these numbers{mind}.")


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """These findings by severity, in their order where that is the same."""
    return sorted(findings, key=lambda finding: -finding.severity)


def _reason(finding, point):
    """What a finding says, without what it advises."""
    if finding.kind == "validity":
        whose, _, limit = point.binding().partition(" over ")
        return f"{whose} are {float(point.validity):.2g} times {limit}"
    first = re.split(r"\.\s+(?=[A-Z'])", finding.text.strip(), maxsplit=1)[0].rstrip(".")
    # No acronyms or symbols, such as "COP" and "J_cold".
    return first[0].lower() + first[1:] if re.match(r"[A-Z][a-z]*\s", first) else first


def _listed(topics):
    return " and ".join(filter(None, [", ".join(topics[:-1]), topics[-1]]))
