"""Audits: may the numbers of this machine be trusted? In plain words, the worst first."""

from typing import Any

from ..findings import Checks, Finding, Severity
from ..machines import AbstractMachine
from ..observables import operating_point
from ..parameters import validate
from ..systems.base import AbstractSystem
from ..thermodynamics import operate

# Imported for the checks that they register.
from . import _coherent, _conductors, _explicit, _hierarchy, _networks, _operators  # noqa: F401
from ._alternatives import compared
from ._filters import against_explicit
from ._gradients import Probe, gradients
from ._points import point_checks
from ._report import Audit
from ._shapes import require_one_point
from ._systems import checks_of, other_approaches

__all__ = [
    "Audit",
    "Finding",
    "Severity",
    "audit",
    "checks_of",
    "other_approaches",
    "with_explicit_filters",
]


def with_explicit_filters(machine: Any, **how: Any) -> list[Finding]:
    """The heat currents of a `machine`, asked `how` it likes, compared with those that it has with
    filters as modes inside it: one finding, or none where that does not apply or is not needed."""
    systems, _ = _systems(machine)
    point = operating_point(machine, **how)
    return _asked({"explicit filters": lambda: against_explicit(machine, systems, point, how)})


_OF_SYSTEMS = (
    "detailed balance",
    "weak coupling",
    "steady state",
    "precision",
    "kinetic uncertainty",
)


def audit(machine: Any, **how: Any) -> Audit:
    """Whether the numbers of a machine may be trusted: laws, uniqueness, validity, precision,
    derivatives, each in a sentence with its number, the gravest first.

    - `machine`: any machine, network, Lindbladian or conductor, at one known point of its
      parameters.
    - `how`: what its `operate` is asked, such as `load=1.0` of a motor; of a network
      `cooled="cold", driven_by="work"`.

    A machine says what it is made of (`systems`), what else would describe it (`alternatives`), and
    what only it can know (`checks`); see `qtd.machines.AbstractMachine`. What does not apply is
    said, and what could not be checked. Nothing raises: a check that cannot be made is a finding.
    Only a machine that is a batch of several raises a `ValueError`: audit one. An audit takes
    seconds, that of a motor a minute, most of it to compile derivatives in both modes.
    """
    require_one_point(machine)
    point, found = _point(machine, how)
    systems, unknown = _systems(machine)
    of_systems = [*unknown, *_of_systems(systems)]
    if point is not None:
        coherent = any(not system.is_classical for system in systems.values())
        found += [*_asked(point_checks(point, coherent)), *_own(machine, point)]
    if point is not None and not _about([*found, *of_systems], "other approaches"):
        found += _asked({"other approaches": lambda: _others(machine, systems, point, how)})
    if point is not None:
        found += _asked(
            {"explicit filters": lambda: against_explicit(machine, systems, point, how)}
        )
    if not systems and not unknown:
        of_systems = _not_looked_at([topic for topic in _OF_SYSTEMS if not _about(found, topic)])
    return Audit(type(machine).__name__, [*found, *of_systems])


def _not_looked_at(topics):
    """The finding about a machine that does not say what it is made of."""
    if not topics:
        return []
    text = (
        f"Not looked at: {', '.join(topics)}. This machine names no network, master equation or"
        " conductor (`systems`)."
    )
    return [Finding(Severity.UNCHECKED, "systems", text)]


def _about(found, topic):
    return any(finding.topic == topic for finding in found)


def _point(machine, how):
    """The operating point, if there is one, and what was found about it and its derivatives on the
    way."""
    try:
        validate(machine)
        probe = Probe(machine, lambda moved: operating_point(moved, **how))
    except Exception as error:
        return _without_derivatives(machine, how, error)
    return probe.point, _asked({"gradients": lambda: gradients(probe)})


def _without_derivatives(machine, how, reason):
    try:
        point = operating_point(machine, **how)
    except Exception as error:
        return None, [
            Finding(Severity.WRONG, "status", f"There is no operating point: {_one_line(error)}")
        ]
    return point, [
        Finding(
            Severity.UNCHECKED,
            "gradients",
            f"Observables have no derivatives that could be checked: {_one_line(reason)}",
        )
    ]


def _one_line(error):
    return " ".join(str(error).split())[:300] or type(error).__name__


def _systems(machine) -> tuple[dict[str, AbstractSystem], list[Finding]]:
    """What the numbers come from, by where it is met: networks, master equations and conductors
    that the numbers come from; and why there are none."""
    if isinstance(machine, AbstractSystem):
        return {"rest": machine}, []
    try:
        return dict(_of(machine, "systems")), []
    except Exception as error:
        return {}, [
            Finding(
                Severity.UNCHECKED,
                "systems",
                f"What it is made of could not be looked at: {_one_line(error)}",
            )
        ]


def _of(machine, name, *arguments):
    return getattr(machine, name)(*arguments) if isinstance(machine, AbstractMachine) else {}


def _asked(checks: Checks) -> list[Finding]:
    """The findings of all checks; one that raises is a finding itself."""
    found = []
    for topic, check in checks.items():
        try:
            found += check()
        except Exception as error:
            found.append(
                Finding(Severity.UNCHECKED, topic, f"This could not be checked: {_one_line(error)}")
            )
    return found


def _own(machine, point):
    """What the machine itself checks."""
    try:
        return _asked(_of(machine, "checks", point))
    except Exception as error:
        return [
            Finding(
                Severity.UNCHECKED,
                "checks",
                f"What only this machine knows could not be checked: {_one_line(error)}",
            )
        ]


def _of_systems(systems: dict[str, AbstractSystem]) -> list[Finding]:
    """The findings about every system; of several, such as a network at several angles, the worst
    of each topic and kind."""
    by_place = {place: _asked(_checks_of(system)) for place, system in systems.items()}
    if len(by_place) < 2:
        return [finding for found in by_place.values() for finding in found]
    worst: dict[tuple[str, str], tuple[str, Finding]] = {}
    for place, found in by_place.items():
        for finding in found:
            key = finding.topic, finding.kind
            if key not in worst or finding.rank > worst[key][1].rank:
                worst[key] = place, finding
    return [
        finding._replace(text=f"At {place}, the worst of {len(by_place)}: {finding.text}")
        for place, finding in worst.values()
    ]


def _checks_of(system: AbstractSystem) -> Checks:
    try:
        return checks_of(system)
    except ValueError as error:
        text = str(error)
        return {
            "steady state": lambda: [
                Finding(Severity.WRONG, "steady state", text, kind="relaxation")
            ]
        }


def _others(machine, systems, point, how):
    """The same device in other descriptions: those that the machine names, or else the other
    approaches of its master equation."""
    named = _of(machine, "alternatives")
    is_redfield = any(system.approach == "redfield" for system in systems.values())
    if named:
        return compared(point, lambda other: operating_point(other, **how), named, is_redfield)
    others = next((others for others in map(other_approaches, systems.values()) if others), None)
    if others:
        return compared(point, operate, others, is_redfield)
    text = (
        "Not compared with local, global or Redfield equations: this machine names no other"
        " description of itself."
    )
    return [Finding(Severity.UNCHECKED, "other approaches", text)]
