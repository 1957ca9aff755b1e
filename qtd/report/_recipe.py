"""How to make a machine again: the command that shows it, from what distinguishes it from the default of its kind."""

import inspect
import re
import shlex
from typing import Any

import numpy as np

from .. import machines
from ..parameters import parameters

__all__ = ["command", "options"]


def command(machine: Any) -> str | None:
    """`qtd show NAME --set PATH=VALUE ...` with all digits; None for a machine that the command cannot build."""
    kind = type(machine)
    if getattr(machines, kind.__name__, None) is not kind:
        return None
    changes = {name: value for name, value in options(machine).items() if value is not None}
    default = kind(**changes)
    changes = {name: value for name, value in changes.items() if value != options(kind()).get(name)}
    known, mine = parameters(default), parameters(machine)
    same = [part.shape for part in known.values()] == [part.shape for part in mine.values()]
    if list(known) != list(mine) or not same or str(default) != str(machine):  # printed without numbers: the kinds of all parts
        return None
    changes |= {path: np.asarray(value) for path, value in mine.items() if not np.array_equal(value, known[path])}
    settings = [f"--set {shlex.quote(f'{path}={_written(value)}')}" for path, value in changes.items()]
    return " ".join(["qtd show", re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(), *settings])


def options(machine: Any) -> dict[str, Any]:
    """What a machine is built with that is no number: sizes and names."""
    known = {path.partition(".")[0] for path in parameters(machine)}
    asked = inspect.signature(type(machine)).parameters
    return {name: value for name, value in vars(machine).items() if name in asked and name not in known}


def _written(value):
    if isinstance(value, np.ndarray):
        return ",".join(repr(float(number)) for number in value.ravel())
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
