"""How much memory a program takes."""

import math
from typing import Any

from jax.extend.core import Jaxpr, Var

from .repetition import inside


def peak(jaxpr: Jaxpr) -> int:
    """Bytes alive at once if everything is computed in order and nothing is fused: an upper bound
    that orders programs by size."""

    def variables(found):
        return {x for x in found if isinstance(x, Var)}

    last = {var: i for i, equation in enumerate(jaxpr.eqns) for var in variables(equation.invars)}
    last |= {var: len(jaxpr.eqns) for var in variables(jaxpr.outvars)}
    alive = sum(size_of(var.aval) for var in jaxpr.invars)
    most = alive
    for i, equation in enumerate(jaxpr.eqns):
        alive += sum(size_of(var.aval) for var in equation.outvars)
        most = max(most, alive + max((peak(inner) for inner in inside(equation)), default=0))
        alive -= sum(
            size_of(var.aval)
            for var in variables([*equation.invars, *equation.outvars])
            if last.get(var, i) == i
        )
    return most


def size_of(x: Any) -> int:
    """Bytes of an array or of what describes one."""
    return math.prod(x.shape) * x.dtype.itemsize
