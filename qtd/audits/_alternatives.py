"""What other descriptions of the same device would have given."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._numerics.compilation import quickly
from ..findings import Finding, Severity
from ..limits import DIFFERENCE, NO_CURRENT, QUOTED
from ..machines.n_demon import DemonPoint
from ..status import Status
from ..thermodynamics import OperatingPoint


def compared(
    point: Any, operate: Callable[[Any], Any], others: Mapping[str, Any], is_redfield: bool
) -> list[Finding]:
    """Heat currents here and in the other descriptions of the device, `others` by name; `operate`
    makes the operating point of each.

    The Redfield equation, which keeps what the others drop, is the one to agree with, as long as
    its state is one; `is_redfield`: it is the machine itself that is solved by one.
    """
    topic = "other approaches"
    points = {}
    failed = []
    for name, other in others.items():
        try:
            points[name] = quickly(lambda device: _currents(operate(device)))(other)
        except ValueError as error:
            failed.append(
                Finding(
                    Severity.UNCHECKED,
                    topic,
                    f"The {name} approach gives nothing to compare with: {error}",
                )
            )

    def heat(currents):
        return np.array([float(currents[name]) for name in point.names])

    here = heat(point.heat_currents)
    if not np.all(np.isfinite(here)):
        return [
            Finding(
                Severity.UNCHECKED,
                topic,
                "There are no currents here to compare with other approaches.",
            )
        ]
    known = {
        name: other
        for name, other in points.items()
        if np.all(np.isfinite(heat(other.heat_currents)))
    }
    if not known:
        return failed or [
            Finding(Severity.UNCHECKED, topic, "No other approach gives numbers to compare with.")
        ]
    deviations = {
        name: _deviation(here, heat(other.heat_currents)) for name, other in known.items()
    }
    judge = next((name for name in known if name.startswith("redfield")), None)
    quoted = focus(point, here, [heat(other.heat_currents) for other in known.values()])
    numbers = {"here": float(point.heat_currents[quoted])} | {
        name: float(other.heat_currents[quoted]) for name, other in known.items()
    }
    listed = ", ".join(f"{numbers[name]:.4g} ({name})" for name in known)
    text = (
        f"The heat current out of {quoted!r} is {numbers['here']:.4g} here, {listed} in other"
        " approaches."
    )
    if judge is None:
        severity, verdict = _without_judge(
            max(deviations.values()), is_redfield, _is_positive(point)
        )
    else:
        turned = numbers["here"] * numbers[judge] < 0
        severity, verdict = _judged(judge, deviations[judge], turned, _is_positive(known[judge]))
    return [Finding(severity, topic, text + verdict, numbers), *failed]


def _is_positive(point):
    return int(point.status) != Status.NOT_POSITIVE


def _judged(judge, deviation, turned, is_positive) -> tuple[Severity, str]:
    """The verdict of the Redfield equation, called `judge`."""
    severity = DIFFERENCE.rate(deviation)
    differs = "gives it the other sign" if turned else f"differs by {deviation:.2g} of a current"
    text = (
        f" The {judge} one keeps all coherences, and {differs}: none should be believed on its own."
        if severity > Severity.FINE
        else ""
    )
    if is_positive:
        return severity, text
    return _undecided(
        severity
    ), f"{text} But the {judge} state is not positive, so that nothing here can judge."


def _without_judge(deviation, is_redfield, is_positive) -> tuple[Severity, str]:
    """The verdict where nothing keeps what this description drops."""
    severity = DIFFERENCE.rate(deviation)
    if is_redfield and is_positive:
        return min(
            severity, Severity.NOTE
        ), " This one keeps most coherences; what differs from it does not hold here."
    if is_redfield:
        return (
            _undecided(severity),
            " This one keeps most coherences, but its own state is not positive: nothing here can"
            " judge.",
        )
    text = (
        f" They differ by up to {deviation:.2g} of a current, and none of them keeps all"
        " coherences, so that none can judge."
    )
    return (severity, "") if severity == Severity.FINE else (_undecided(severity), text)


def _undecided(severity):
    """The severity without a judge: an agreement is no proof, and a difference no refutation."""
    return min(max(severity, Severity.NOTE), Severity.DOUBTFUL)


class _Currents(NamedTuple):
    """What is compared; the noise is not, and takes most of the time."""

    heat_currents: dict[str, Any]
    status: Any


def _currents(point):
    return _Currents(point.heat_currents, point.status)


def differences(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Differences of each current, relative to the larger of the two; those that are 0 against the
    others are left out."""
    size = np.maximum(np.abs(here), np.abs(there))
    return np.where(
        size > NO_CURRENT * size.max(), np.abs(here - there) / np.where(size > 0, size, 1), 0
    )


def _deviation(here, there):
    return float(differences(here, there).max())


def focus(point: Any, here: np.ndarray, others: Sequence[np.ndarray]) -> str:
    """The current to quote: that of the cooled reservoir where the descriptions differ about it,
    else the one they differ about most."""
    apart = np.max([differences(here, there) for there in others], axis=0)
    cooled = point.cooled if isinstance(point, OperatingPoint | DemonPoint) else None
    names = list(point.names)
    if cooled is not None and cooled in names and apart[names.index(cooled)] > QUOTED:
        return cooled
    return names[int(np.argmax(apart))]
