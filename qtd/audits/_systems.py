"""What is asked of a system depends on its kind: each registers its checks, and what else would
describe the same device."""

import functools
from collections.abc import Mapping

from ..findings import Checks, Finding, Severity
from ..systems.base import AbstractSystem


@functools.singledispatch
def checks_of(system: AbstractSystem) -> Checks:
    """Checks by topic, what can be asked of a `system`; `ValueError` where it is not at rest."""
    text = (
        f"A {type(system).__name__} has registered no checks of its own (`qtd.audits.checks_of`)."
    )
    return {"systems": lambda: [Finding(Severity.UNCHECKED, "systems", text)]}


@functools.singledispatch
def other_approaches(system: AbstractSystem) -> Mapping[str, AbstractSystem]:
    """The same `system` in the other approaches that there are for it, by name."""
    return {}
