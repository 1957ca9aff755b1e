"""What only a quantum motor knows about the validity of its numbers: its series in the velocity,
and how fast that velocity is."""

import jax.numpy as jnp
import numpy as np

from ..findings import Checks, Finding, Severity
from ..limits import DIFFERENCE, SECOND_ORDER


def motor_checks(motor, point) -> Checks:
    """Checks by topic, at the velocity of `point`."""
    if not np.isfinite(float(point.velocity)):
        text = "There is no stable steady velocity at which it could be judged."
        return {
            topic: lambda topic=topic: [Finding(Severity.UNCHECKED, topic, text)]
            for topic in ("series", "adiabaticity")
        }
    return {
        "series": lambda: _series(motor, point),
        "adiabaticity": lambda: _adiabaticity(motor, point),
    }


def _series(motor, point):
    """The terms left out against those kept, and the torque at this velocity to all orders against
    the load."""
    omitted, velocity = float(point.omitted), float(point.velocity)
    if omitted == 0:
        return [
            Finding(
                Severity.INAPPLICABLE,
                "series",
                "This steady velocity is exact, it comes from no series.",
            )
        ]
    text = (
        f"At the velocity {velocity:.4g} the next two terms of the series of the torque are"
        f" {omitted:.2g} of the largest one kept."
        " The series converges nowhere, and can be believed only as long as this is small."
    )
    terms = Finding(
        DIFFERENCE.rate(omitted), "series", text, {"omitted": omitted}, "terms", omitted
    )
    load = 2 * np.pi * float(point.power) / velocity
    torque, rest = (float(motor.cycle(point.velocity * factor).torque) for factor in (1.0, 1e-4))
    scale = abs(rest - load)
    if scale == 0:
        return [terms]
    missing = abs(torque - load) / scale
    text = (
        f"To all orders in the velocity the torque there is {torque:.6g} a turn, and the load"
        f" {load:.6g}:"
        f" they differ by {missing:.2g} of what slows the rotor down from rest ({scale:.3g})."
    )
    severity = DIFFERENCE.rate(missing)
    if severity == Severity.WRONG:
        text += " This steady velocity is an artefact of the series; ask for exact=True."
    return [
        terms,
        Finding(
            severity,
            "series",
            text,
            {"torque": torque, "load": load, "missing": missing},
            "all orders",
            missing,
        ),
    ]


def _adiabaticity(motor, point):
    """How far the levels move within the time that a thermal electron has, 1 / T."""
    coldest = float(jnp.min(jnp.stack(list(point.temperatures.values()))))
    ratio = abs(float(point.velocity)) * float(motor.radius) / coldest**2
    text = (
        f"The rotor moves the levels by {ratio:.2g} temperatures within the time 1 / T; rates"
        " that follow at once need this well below 1."
    )
    return [
        Finding(SECOND_ORDER.rate(ratio), "adiabaticity", text, {"ratio": ratio}, "velocity", ratio)
    ]
