"""What a check has found, in words that carry their numbers, and how bad it is."""

import enum
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["Finding", "Severity"]


class Severity(enum.IntEnum):
    """How much a finding takes from the trust in a machine's numbers."""

    INAPPLICABLE = 0  # the question does not arise for this kind of device
    FINE = 1  # checked, and as it should be
    NOTE = 2  # to be known, no reason for doubt
    UNCHECKED = 3  # could not be checked, or there is nothing to check it by: nobody knows
    DOUBTFUL = 4  # numbers may be off by some percent and more
    WRONG = 5  # do not use the numbers as they stand

    def __str__(self) -> str:
        return self.name.lower()


class Finding(NamedTuple):
    """One answer of an audit: its `severity` and `topic`, a `text` of one or two sentences, and the
    `numbers` in them by name.

    `kind`: which question of its topic it answers. `badness`: the number that was judged, larger
    being worse. Of a device that is looked at in several places, the worst finding of each topic
    and kind is kept.
    """

    severity: Severity
    topic: str
    text: str
    numbers: Mapping[str, float] = {}
    kind: str = ""
    badness: float = 0.0

    @property
    def rank(self) -> tuple[int, float]:
        """A number by which the worse of two is found; a number that is not one is the worst."""
        return int(self.severity), math.inf if math.isnan(self.badness) else float(self.badness)


Checks = Mapping[str, Callable[[], list[Finding]]]  # by topic; each is called once, and may raise
