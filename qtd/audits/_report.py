"""How an audit reads."""

import html
import math
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..findings import Finding, Severity

_VERDICTS = {
    Severity.FINE: "nothing speaks against these numbers",
    Severity.NOTE: "these numbers may be used; mind the notes",
    Severity.UNCHECKED: "nothing that was checked speaks against these numbers; mind what was not"
    " checked",
    Severity.DOUBTFUL: "use these numbers with care",
    Severity.WRONG: "do not use these numbers as they stand",
}
_TOO_LITTLE = "too little could be checked to trust these numbers"
# That a number was found, and how it moves, says nothing about its physics.
_FORMAL = {
    "status",
    "gradients",
}


@dataclass(frozen=True, repr=False)
class Audit:
    """What `qtd.audit` has found about a machine, the worst first.

    `findings`: each with `severity`, `topic`, `text` and `numbers`. `trusted`: none of them is
    WRONG, and something was checked. Prints as a page of text, in a notebook as a table; `record()`
    is the same as plain data.
    """

    machine: str
    findings: tuple[Finding, ...]

    def __init__(self, machine: str, findings: Iterable[Finding]):
        object.__setattr__(self, "machine", machine)
        object.__setattr__(
            self, "findings", tuple(sorted(findings, key=lambda finding: -finding.severity))
        )

    @property
    def worst(self) -> Severity:
        """The severity of the gravest finding."""
        return max((finding.severity for finding in self.findings), default=Severity.UNCHECKED)

    @property
    def checked(self) -> tuple[str, ...]:
        """Topics about which there is an answer."""
        unanswered = Severity.INAPPLICABLE, Severity.UNCHECKED
        return tuple(
            dict.fromkeys(
                finding.topic for finding in self.findings if finding.severity not in unanswered
            )
        )

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Topics about which something could not be checked."""
        return tuple(
            dict.fromkeys(
                finding.topic for finding in self.findings if finding.severity == Severity.UNCHECKED
            )
        )

    @property
    def trusted(self) -> bool:
        """Whether the numbers may be used: some physics was checked, and nothing is WRONG. What is
        DOUBTFUL still wants to be read."""
        return self._has_substance and self.worst < Severity.WRONG

    @property
    def _has_substance(self):
        return not _FORMAL.issuperset(self.checked)

    @property
    def verdict(self) -> str:
        """The whole in one line."""
        counts = [
            (severity, sum(finding.severity == severity for finding in self.findings))
            for severity in reversed(Severity)
        ]
        verdict = (
            _VERDICTS[self.worst]
            if self._has_substance or self.worst > Severity.UNCHECKED
            else _TOO_LITTLE
        )
        listed = ", ".join(f"{count} {severity}" for severity, count in counts if count)
        return f"{verdict} ({listed or 'no findings'})"

    def of(self, topic: str) -> tuple[Finding, ...]:
        """The findings about one topic."""
        return tuple(finding for finding in self.findings if finding.topic == topic)

    def record(self) -> dict[str, Any]:
        """The audit as plain data, for JSON; numbers that are infinite or not a number become
        None."""

        def plain(x):
            return float(x) if math.isfinite(x) else None

        findings = [
            {
                "severity": str(severity),
                "topic": topic,
                "text": text,
                "numbers": {name: plain(x) for name, x in numbers.items()},
            }
            for severity, topic, text, numbers, *_ in self.findings
        ]
        summary = {"machine": self.machine, "trusted": self.trusted, "verdict": self.verdict}
        return {**summary, "unchecked": list(self.unchecked), "findings": findings}

    def __repr__(self) -> str:
        lines = [f"Audit of {self.machine}: {self.verdict}"]
        for severity, topic, text, *_ in self.findings:
            head = f"  {severity.name:<12} "
            lines += textwrap.wrap(
                f"{topic}: {text}", 100, initial_indent=head, subsequent_indent=" " * len(head)
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def cells(row):
            return "".join(f'<td style="text-align:left">{html.escape(text)}</td>' for text in row)

        rows = "".join(
            f"<tr>{cells((severity.name, topic, text))}</tr>"
            for severity, topic, text, *_ in self.findings
        )
        caption = html.escape(f"Audit of {self.machine}: {self.verdict}")
        return f"<table><caption>{caption}</caption>{rows}</table>"
