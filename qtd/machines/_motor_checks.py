"""What only a quantum motor knows about the validity of its numbers: its series in the velocity, and how fast that velocity is."""

import jax.numpy as jnp
import numpy as np

from .._numerics.findings import Checks, Finding, Severity, rated


def motor_checks(motor, point) -> Checks:
    """By topic, at the velocity of `point`."""
    if not np.isfinite(float(point.velocity)):
        return {"series": lambda: [Finding(Severity.FINE, "series", "Not applicable: there is no stable steady velocity to judge.")]}
    return {"series": lambda: _series(motor, point), "adiabaticity": lambda: _adiabaticity(motor, point)}


def _series(motor, point):
    """The terms left out against those kept, and the torque at this velocity to all orders against the load."""
    omitted = float(point.omitted)
    if omitted == 0:
        return [Finding(Severity.FINE, "series", "Not applicable: this steady velocity is exact, it comes from no series.")]
    text = (
        f"At the velocity {float(point.velocity):.4g} the next two terms of the series of the torque are {omitted:.2g} of the largest one"
        " kept; the series converges nowhere, and can be believed only as long as this is small."
    )
    terms = Finding(rated(omitted, 1e-2, 0.1, 0.5), "series", text, {"omitted": omitted})
    load = 2 * np.pi * float(point.power) / float(point.velocity)
    torque, rest = (float(motor.cycle(point.velocity * factor).torque) for factor in (1.0, 1e-4))
    scale = abs(rest - load)
    if scale == 0:
        return [terms]
    missing = abs(torque - load) / scale
    text = (
        f"To all orders in the velocity the torque there is {torque:.6g} a turn, and the load {load:.6g}: they differ"
        f" by {missing:.2g} of what"
        f" slows the rotor down from rest ({scale:.3g})."
    )
    severity = rated(missing, 1e-2, 0.1, 0.5)
    if severity == Severity.WRONG:
        text += " This steady velocity is an artefact of the series; ask for exact=True."
    return [terms, Finding(severity, "series", text, {"torque": torque, "load": load, "missing": missing})]


def _adiabaticity(motor, point):
    """How far the levels move within the time that a thermal electron has, 1 / T."""
    coldest = float(jnp.min(jnp.stack(list(point.temperatures.values()))))
    ratio = abs(float(point.velocity)) * float(motor.radius) / coldest**2
    text = (
        f"The rotor moves the levels by {ratio:.2g} temperatures within the time 1 / T; rates that follow at once need this well below 1."
    )
    return [Finding(rated(ratio, 0.1, 0.3, 1.0), "adiabaticity", text, {"ratio": ratio})]
