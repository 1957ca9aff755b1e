"""What a check has found, in words that carry their numbers, and how bad it is."""

import enum
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Severity(enum.IntEnum):
    """How much a finding takes from the trust in a machine's numbers."""

    FINE = 0  # checked, and as it should be; or nothing that could be checked
    NOTE = 1  # to be known, no reason for doubt
    DOUBTFUL = 2  # numbers may be off by some percent and more, or could not be confirmed
    WRONG = 3  # do not use the numbers as they stand

    def __str__(self) -> str:
        return self.name.lower()


class Finding(NamedTuple):
    """One answer of an audit: its `severity` and `topic`, a `text` of one or two sentences, and the `numbers` in them by name."""

    severity: Severity
    topic: str
    text: str
    numbers: Mapping[str, float] = {}


Checks = Mapping[str, Callable[[], list[Finding]]]  # by topic; each is called once, and may raise


def rated(value: float, note: float, doubtful: float, wrong: float = math.inf) -> Severity:
    """How bad a ratio is that should be small, from the limits above which it is worth a note, doubtful, or wrong; NaN is doubtful."""
    if math.isnan(value):
        return Severity.DOUBTFUL
    return Severity(sum(value > limit for limit in (note, doubtful, wrong)))
