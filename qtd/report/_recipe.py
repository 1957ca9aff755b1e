"""How to make a machine again: the command that shows it, from what distinguishes it from the
default of its kind."""

import re
import shlex
from typing import Any

import numpy as np

from .. import machines
from .._numerics.batching import alike
from ..parameters import options, parameters

__all__ = ["command"]


def command(machine: Any) -> str | None:
    """`qtd show NAME --set PATH=VALUE ...` with all digits; None for a machine that the command
    cannot build."""
    kind = type(machine)
    if getattr(machines, kind.__name__, None) is not kind:
        return None
    usual, mine = kind(), parameters(machine)
    given = {
        name: value
        for name, value in options(machine).items()
        if value is not None and value != options(usual).get(name)
    }
    # None by default.
    given |= {
        path: np.asarray(value)
        for path, value in mine.items()
        if options(usual).get(path, 0) is None
    }
    like = kind(**given)
    known = parameters(like)
    if len(alike([like, machine])) > 1:
        return None
    changes = given | {
        path: np.asarray(value)
        for path, value in mine.items()
        if not np.array_equal(value, known[path])
    }
    single = ["--float32"] if any(value.dtype == np.float32 for value in mine.values()) else []
    settings = [
        f"--set {shlex.quote(f'{path}={_written(value)}')}" for path, value in changes.items()
    ]
    return " ".join(
        ["qtd show", re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(), *settings, *single]
    )


def _written(value):
    if isinstance(value, np.ndarray):  # with all digits
        return ",".join(repr(float(number)) for number in value.ravel())
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
