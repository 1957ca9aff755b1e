"""What explicit filters say of a rate equation, where rates are not slow against the widths."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numerics.compilation import quickly
from ..explicit._bare import has_levels, joined
from ..explicit._device import quanta_needed
from ..explicit._modes import rotating_mode
from ..findings import Finding, Severity
from ..limits import DIFFERENCE, FIRST_ORDER
from ..observables import operating_point
from ..status import Status
from ..systems.base import AbstractSystem, role_of
from ._alternatives import differences, focus

_TOPIC = "explicit filters"
# States of device and modes up to which an audit solves them: then compiling takes the longest.
_MOST_STATES = 400


def against_explicit(
    device: Any, systems: Mapping[str, AbstractSystem], point: Any, how: Mapping[str, Any]
) -> list[Finding]:
    """The heat currents of `point`, and those of the same `device` with filters as modes inside it,
    asked `how` it likes; where its one system, of `systems`, is a rate equation that the meters
    doubt, and the filters can be counted quantum by quantum.

    Reservoirs are made explicit in the order of their meters, as far as that stays small.
    """
    system = next(iter(systems.values()), None)
    if system is None or len(systems) != 1 or not has_levels(system):
        return []
    meters = {name: float(meter) for name, meter in getattr(point, "meters", {}).items()}
    if not meters or FIRST_ORDER.rate(max(meters.values())) == Severity.FINE:
        return []
    try:
        names = _affordable(system, sorted(meters, key=lambda name: -meters[name]))
        explicit = device.with_explicit_filters(names)
    except ValueError as failure:
        return [_not_compared(str(failure))]
    if bool(quickly(lambda device: role_of(device)[0].is_outside())(explicit)):
        return [_not_compared("its filters are too wide, or too high, to be weakly damped modes.")]
    currents, status = quickly(lambda device: _currents(operating_point(device, **how)))(explicit)
    left = {name: meter for name, meter in meters.items() if name not in names}
    return [_difference(point, currents, status, names, left)]


def _affordable(system, names):
    """Those of the `names` whose filters can be modes, together with all before them."""
    states, chosen = len(joined(system)[""]), []
    for name in names:
        reservoir = system.reservoirs[name]
        try:
            top = quanta_needed(name, reservoir, rotating_mode(reservoir.spectral_density))
        except ValueError:
            continue
        if states * (top + 1) <= _MOST_STATES:
            states *= top + 1
            chosen.append(name)
    if not chosen:
        raise ValueError("its filters are not peaked, or hold too many quanta.")
    return chosen


def _currents(point):
    return point.heat_currents, point.status


def _not_compared(why):
    text = f"Not compared with explicit filters: {why}"
    return Finding(Severity.UNCHECKED, _TOPIC, text)


def _difference(point, currents, status, names, left):
    """The finding about the current that was asked for, or that they differ about most."""
    if int(status) != Status.OK:
        return _not_compared(f"they end with the status {Status(int(status)).name}.")
    here, there = (
        np.array([float(found[name]) for name in point.names])
        for found in (point.heat_currents, currents)
    )
    off = float(differences(here, there).max())
    name = focus(point, here, [there])
    numbers = {
        "here": float(point.heat_currents[name]),
        "explicit": float(currents[name]),
        "share": off,
    }
    listed = ", ".join(map(repr, names))
    text = (
        f"With the filters of {listed} as modes inside the device, which holds where rates pass"
        f" the widths, the heat current out of {name!r} is {numbers['explicit']:.4g}; here it is"
        f" {numbers['here']:.4g}."
    )
    if left:
        meters = ", ".join(f"{meter:.3g} ({name!r})" for name, meter in left.items())
        text += f" Filters left implicit there have the meters {meters}."
    return Finding(DIFFERENCE.rate(off), _TOPIC, text, numbers, "explicit", off)
