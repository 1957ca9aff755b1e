"""Audits: may the numbers of this machine be trusted? In plain words, the worst first."""

from collections.abc import Callable
from typing import Any

from .._numerics.findings import Checks, Finding, Severity
from ..lindblad import Lindbladian
from ..networks import RateNetwork
from ..parameters import validate
from ..scattering import Conductor
from ..steady import solve
from ..thermodynamics import operate
from ._alternatives import compared
from ._coherent import approaches, lindbladian_checks
from ._conductors import conductor_checks
from ._gradients import Probe, gradients
from ._networks import network_checks
from ._points import point_checks
from ._report import Audit

__all__ = ["Audit", "Finding", "Severity", "audit"]

System = RateNetwork | Lindbladian | Conductor


def audit(machine: Any, **how: Any) -> Audit:
    """Whether the numbers of a machine may be trusted: laws, uniqueness, validity, precision, derivatives, each in a sentence with its
    number, the gravest first.

    - `machine`: any machine, network, Lindbladian or conductor, at one known point of its parameters.
    - `how`: what its `operate` is asked, such as `load=1.0` of a motor; of a network `cooled="cold", driven_by="work"`.

    A machine says what it is made of (`systems`), what else would describe it (`alternatives`), and what only it can know (`checks`); see
    `qtd.machines.AbstractMachine`. What does not apply is said, and why. Nothing raises: a check that cannot be made is a finding. An
    audit takes seconds, most of them to compile derivatives.
    """
    point, found = _point(machine, how)
    systems, unknown = _systems(machine)
    coherent = any(not isinstance(system, RateNetwork) for system in systems.values())
    if point is not None:
        found += _asked(point_checks(point, coherent))
        found += _asked(_of(machine, "checks", point))
        found += _asked({"other approaches": lambda: _others(machine, systems, point, how)})
    return Audit(type(machine).__name__, [*found, *unknown, *_of_systems(systems)])


def _operate(machine, how):
    return machine.operate(**how) if hasattr(machine, "operate") else operate(machine, **how)


def _point(machine, how):
    """The operating point, if there is one, and what was found about it and its derivatives on the way."""
    try:
        validate(machine)
        probe = Probe(machine, lambda moved: _operate(moved, how))
    except Exception as error:
        return _without_derivatives(machine, how, error)
    return probe.point, _asked({"gradients": lambda: gradients(probe)})


def _without_derivatives(machine, how, reason):
    try:
        point = _operate(machine, how)
    except Exception as error:
        return None, [Finding(Severity.WRONG, "status", f"There is no operating point: {_one_line(error)}")]
    return point, [Finding(Severity.DOUBTFUL, "gradients", f"Figures have no derivatives that could be checked: {_one_line(reason)}")]


def _one_line(error):
    return " ".join(str(error).split())[:300] or type(error).__name__


def _systems(machine) -> tuple[dict[str, System], list[Finding]]:
    """By where they are met: networks, master equations and conductors that the numbers come from; and why there are none."""
    if isinstance(machine, RateNetwork | Lindbladian | Conductor):
        return {"rest": machine}, []
    try:
        return dict(_of(machine, "systems")), []
    except Exception as error:
        return {}, [Finding(Severity.DOUBTFUL, "systems", f"What it is made of could not be looked at: {_one_line(error)}")]


def _of(machine, name, *arguments):
    return getattr(machine, name)(*arguments) if hasattr(machine, name) else {}


def _asked(checks: Checks) -> list[Finding]:
    """The findings of all checks; one that raises is a finding itself."""
    found = []
    for topic, check in checks.items():
        try:
            found += check()
        except Exception as error:
            found.append(Finding(Severity.DOUBTFUL, topic, f"This could not be checked: {_one_line(error)}"))
    return found


def _of_systems(systems: dict[str, System]) -> list[Finding]:
    """The findings about every system; of several, such as a network at several angles, the worst of each kind."""
    by_place = {place: _asked(_checks_of(system)) for place, system in systems.items()}
    if len(by_place) < 2:
        return [finding for found in by_place.values() for finding in found]
    kinds: dict[tuple[str, int], Finding] = {}
    for place, found in by_place.items():
        seen: dict[str, int] = {}
        for finding in found:
            key = finding.topic, seen.setdefault(finding.topic, 0)
            seen[finding.topic] += 1
            if key not in kinds or finding.severity > kinds[key].severity:
                kinds[key] = finding._replace(text=f"At {place}: {finding.text}")
    return list(kinds.values())


def _checks_of(system: System) -> Checks:
    if isinstance(system, Conductor):
        return conductor_checks(system)
    state: Callable[[], Any] = lambda: solve(system)
    try:
        return lindbladian_checks(state()) if isinstance(system, Lindbladian) else network_checks(state())
    except ValueError as error:
        text = str(error)
        return {"steady state": lambda: [Finding(Severity.WRONG, "steady state", text)]}


def _others(machine, systems, point, how):
    """The same device in other descriptions: those that the machine names, or else the other approaches of its master equation."""
    named = _of(machine, "alternatives")
    if named:
        return compared(point, lambda other: _operate(other, how), named)
    known = [system for system in systems.values() if isinstance(system, Lindbladian)]
    if not known:
        text = "Not compared: this machine names no other description of itself."
        return [Finding(Severity.FINE, "other approaches", text)]
    return compared(point, operate, approaches(known[0]))
