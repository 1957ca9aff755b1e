"""What other descriptions of the same device would have given."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np

from .._numerics.findings import Finding, Severity, rated
from .._numerics.status import Status


def compared(point: Any, operate: Callable[[Any], Any], others: Mapping[str, Any]) -> list[Finding]:
    """Heat currents here and in the other descriptions of the device, `others` by name; `operate` makes the operating point of each.

    The Redfield equation, which keeps what the others drop, is the one to agree with, as long as its state is one.
    """
    topic, points, failed = "other approaches", {}, []
    for name, other in others.items():
        try:
            points[name] = eqx.filter_jit(lambda device: _currents(operate(device)))(other)
        except ValueError as error:
            failed.append(Finding(Severity.NOTE, topic, f"The {name} approach gives nothing to compare with: {error}"))
    heat = lambda currents: np.array([float(currents[name]) for name in point.names])
    known = {name: other for name, other in points.items() if np.all(np.isfinite(heat(other.heat_currents)))}
    if not known:
        return failed or [Finding(Severity.NOTE, topic, "No other approach gives numbers to compare with.")]
    here = heat(point.heat_currents)
    deviations = {name: _deviation(here, heat(other.heat_currents)) for name, other in known.items()}
    judge = next((name for name in known if name.startswith("redfield")), None)
    focus = _focus(point, here, [heat(other.heat_currents) for other in known.values()])
    listed = ", ".join(f"{float(other.heat_currents[focus]):.4g} ({name})" for name, other in known.items())
    text = f"The heat current out of {focus!r} is {float(point.heat_currents[focus]):.4g} here, {listed} in other approaches."
    numbers = {"here": float(point.heat_currents[focus])} | {name: float(other.heat_currents[focus]) for name, other in known.items()}
    if judge is None:
        severity = rated(max(deviations.values()), 0.01, 0.1)
        text += " This one keeps most coherences; what differs from it does not hold here."
        return [Finding(min(severity, Severity.NOTE), topic, text, numbers), *failed]
    value = deviations[judge]
    severity = rated(value, 0.01, 0.1, 0.5)
    if severity > Severity.FINE:
        turned = numbers["here"] * numbers[judge] < 0
        differs = "gives it the other sign" if turned else f"differs by {value:.2g} of a current"
        text += f" The {judge} one keeps all coherences, and {differs}: none should be believed on its own."
    if int(known[judge].status) == Status.NOT_POSITIVE:
        severity = max(min(severity, Severity.DOUBTFUL), Severity.NOTE)
        text += f" But the {judge} state is not positive, so that nothing here can judge."
    return [Finding(severity, topic, text, numbers), *failed]


class _Currents(NamedTuple):
    """What is compared; the noise is not, and takes most of the time."""

    heat_currents: dict[str, Any]
    status: Any


def _currents(point):
    return _Currents(point.heat_currents, point.status)


def _differences(here, there):
    """Of each current, relative to the larger of the two; those that are 0 against the others are left out."""
    size = np.maximum(np.abs(here), np.abs(there))
    return np.where(size > 1e-8 * size.max(), np.abs(here - there) / np.where(size > 0, size, 1), 0)


def _deviation(here, there):
    return float(_differences(here, there).max())


def _focus(point, here, others):
    """The current to quote: that of the cooled reservoir where the descriptions differ about it, else the one they differ about most."""
    apart = np.max([_differences(here, there) for there in others], axis=0)
    cooled = getattr(point, "cooled", None)
    return cooled if cooled in point.names and apart[point.names.index(cooled)] > 0.1 else point.names[int(np.argmax(apart))]
