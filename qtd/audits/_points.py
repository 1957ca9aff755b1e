"""What the operating point itself tells: how it went, and the laws of thermodynamics."""

from typing import Any

import numpy as np

from ..findings import Checks, Finding, Severity
from ..limits import FIRST_ORDER, OF_A_SUM, UNBALANCED
from ..status import Status
from ..thermodynamics import AbstractPoint, OperatingPoint


def point_checks(point: Any, coherent: bool) -> Checks:
    """Checks by topic of what a machine's `operate` has returned; `coherent`: it is no process of
    jumps, which may be less noisy."""
    if not isinstance(point, AbstractPoint):
        text = (
            "What the machine returns is no AbstractPoint: it has no status, no laws and no"
            " observables to check."
        )
        return {
            topic: lambda topic=topic: [Finding(Severity.UNCHECKED, topic, text)]
            for topic in ("status", "laws")
        }
    checks = {"status": lambda: status(point), "laws": lambda: laws(point, coherent)}
    if point.ratios():
        checks["weak coupling"] = lambda: validity(point)
    if isinstance(point, OperatingPoint):
        checks["energy of the device"] = lambda: device_energy(point)
    return checks


def status(point: AbstractPoint) -> list[Finding]:
    """What the status code of the point means."""
    code = Status(int(point.status))
    numbers = {"status": float(code)}
    if code == Status.OK:
        return [
            Finding(
                Severity.FINE, "status", "The operating point was found, with status 0.", numbers
            )
        ]
    return [
        Finding(
            code.severity,
            "status",
            f"The operating point has the status {int(code)}, {code.name}: {code.message}.",
            numbers,
        )
    ]


def validity(point: AbstractPoint) -> list[Finding]:
    """The validity of the point: rates over what they must stay below, the largest of which is
    twice the error of what flows."""
    largest, ratios = float(point.validity), point.ratios()
    listed = ", ".join(f"{float(x):.3g} ({who!r} over {what})" for (who, what), x in ratios.items())
    text = (
        f"Rates over what they must stay below are at most {largest:.3g}: {point.binding()}."
        f" Currents are off by about half of that. All of them: {listed}."
    )
    severity = FIRST_ORDER.rate(largest)
    numbers = {"validity": largest}
    return [Finding(severity, "weak coupling", text, numbers, "validity", largest)]


def laws(point: AbstractPoint, coherent: bool) -> list[Finding]:
    """One finding for each law."""
    if not point.laws():
        return [
            Finding(
                Severity.UNCHECKED,
                "laws",
                "The machine names no law, so that no law of thermodynamics was checked.",
            )
        ]
    found = []
    for name, value, statement, holds in point.laws():
        if np.isnan(value):
            text = f"It cannot be judged: there is no number for {statement!r}."
            found.append(Finding(Severity.UNCHECKED, name, text, {"value": value}))
            continue
        text = f"{'It holds' if holds else 'It is broken'}: {statement}; the number is {value:.4g}."
        severity = Severity.FINE if holds else Severity.WRONG
        if name == "uncertainty" and coherent and not holds:
            severity = Severity.NOTE
            text = f"{text} It binds jumps; coherence may do better, which is no error by itself."
        found.append(Finding(severity, name, text, {"value": value}))
    return found


def device_energy(point: OperatingPoint) -> list[Finding]:
    """Says, where the quanta that are counted are not the energy that the device takes up, whether
    that matters, and to which law."""
    counted, taken = (
        np.array([float(currents[name]) for name in point.names])
        for currents in (point.energy_currents, point.device_energy_currents)
    )
    if not np.all(np.isfinite(counted)):
        return [
            Finding(Severity.UNCHECKED, "energy of the device", "There are no currents to compare.")
        ]
    precision = OF_A_SUM * float(np.finfo(np.asarray(point.entropy_production).dtype).eps)
    largest = np.abs(counted).max()
    if not np.any(np.abs(counted - taken) > precision * largest):
        return [
            Finding(
                Severity.FINE,
                "energy of the device",
                "What is counted is what the device takes up, in every reservoir.",
            )
        ]
    lost = abs(counted.sum())
    seen = np.abs(counted)[np.abs(counted) > precision * largest]
    share, smallest = float(lost / seen.min()), float(seen.min())
    text = (
        f"The quanta counted are not conserved: they add up to {counted.sum():.3g}, which somebody"
        " else has to supply."
        f" That is {share:.2g} of the smallest current ({smallest:.3g})."
    )
    found = [
        Finding(
            UNBALANCED.rate(share),
            "energy of the device",
            text,
            {"sum": float(counted.sum()), "share": share},
        )
    ]
    sigma = float(point.device_entropy_production)
    if sigma < -precision * largest:
        text = (
            f"With the energy that the device takes up the entropy production is {sigma:.4g}:"
            " so counted, this master equation breaks the second law. Compare the global or"
            " Redfield approach."
        )
        found.append(
            Finding(Severity.WRONG, "energy of the device", text, {"entropy_production": sigma})
        )
    return found
