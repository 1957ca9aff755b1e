"""What explicit filters say of a rate equation, where rates are not slow against the widths."""

from collections.abc import Callable, Mapping
from typing import Any

from .._numerics.compilation import quickly
from ..explicit._bare import joined
from ..explicit._device import quanta_needed
from ..explicit._modes import rotating_mode
from ..findings import Finding, Severity
from ..limits import DIFFERENCE, FIRST_ORDER
from ..lindblad import Lindbladian
from ..networks import RateNetwork
from ..status import Status
from ..systems.base import AbstractSystem, role_of

_TOPIC = "explicit filters"
# States of device and modes up to which an audit solves them: then compiling takes the longest.
_MOST_STATES = 400


def against_explicit(
    device: Any, systems: Mapping[str, AbstractSystem], operate: Callable[[Any], Any], point: Any
) -> list[Finding]:
    """The heat currents of `point`, and those of the same `device` with filters as modes inside it,
    of which `operate` makes the operating point; where its one system, of `systems`, is a rate
    equation that the meters doubt, and the filters can be counted quantum by quantum.

    Reservoirs are made explicit in the order of their meters, as far as that stays small.
    """
    system = next(iter(systems.values()), None)
    if len(systems) != 1 or not isinstance(system, RateNetwork | Lindbladian):
        return []
    meters = {name: float(meter) for name, meter in getattr(point, "meters", {}).items()}
    if not meters or FIRST_ORDER.rate(float(point.expected_error)) == Severity.FINE:
        return []
    try:
        names = _affordable(system, sorted(meters, key=lambda name: -meters[name]))
        explicit = device.with_explicit_filters(names)
    except ValueError as failure:
        return [_not_compared(str(failure))]
    if bool(quickly(lambda device: role_of(device)[0].is_outside())(explicit)):
        return [_not_compared("its filters are too wide, or too high, to be weakly damped modes.")]
    currents, status = quickly(lambda device: _currents(operate(device)))(explicit)
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
    """The finding about the current that they differ about most."""
    here, there = (
        {name: float(found[name]) for name in point.names}
        for found in (point.heat_currents, currents)
    )
    if int(status) != Status.OK:
        return _not_compared(f"they end with the status {Status(int(status)).name}.")
    sizes = {name: max(abs(here[name]), abs(there[name])) for name in here}
    shares = {
        name: abs(here[name] - there[name]) / size if size else 0.0 for name, size in sizes.items()
    }
    cooled = getattr(point, "cooled", None)
    name = cooled if cooled in shares else max(shares, key=lambda name: shares[name])
    listed = ", ".join(map(repr, names))
    text = (
        f"With the filters of {listed} as modes inside the device, which holds where rates pass"
        f" the widths, the heat current out of {name!r} is {there[name]:.4g}; here it is"
        f" {here[name]:.4g}."
    )
    if left:
        meters = ", ".join(f"{meter:.3g} ({name!r})" for name, meter in left.items())
        text += f" Filters left implicit there have the meters {meters}."
    numbers = {"here": here[name], "explicit": there[name], "share": shares[name]}
    return Finding(DIFFERENCE.rate(shares[name]), _TOPIC, text, numbers, "explicit", shares[name])
