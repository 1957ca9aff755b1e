"""Maxima and minima taken apart, by a look at the program that makes them.

The largest of several numbers has a kink wherever two of them are equal, which is where an
optimisation against it ends; a limit on each of them is smooth, and says the same.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Var, jaxpr_as_fun
from jaxtyping import Array, Float

Kind = Literal["max", "min"]

_KINDS: dict[str, Kind] = {"max": "max", "reduce_max": "max", "min": "min", "reduce_min": "min"}
_PASSED_ON = ("convert_element_type", "copy", "reshape", "squeeze")


class Extremum(NamedTuple):
    """A number, and what it is the largest (`kind` "max") or the smallest ("min") of; of others,
    `kind` None, the `parts` are the number itself."""

    kind: Kind | None
    parts: Float[Array, " parts"]


def taken_apart(function: Callable[[Any], list[Array]], argument: Any) -> list[Extremum]:
    """The numbers that `function` makes of an `argument`, each as what it is the extremum of, as
    far as its last steps show."""
    closed = jax.make_jaxpr(function)(argument)
    program = closed.jaxpr
    makers = {made: step for step in program.eqns for made in step.outvars}
    found = [_parts(number, makers) for number in program.outvars]
    needed = [part for _, parts in found for part in parts]
    program = program.replace(outvars=needed)
    values = iter(jaxpr_as_fun(ClosedJaxpr(program, closed.consts))(*jax.tree.leaves(argument)))
    return [
        Extremum(kind, jnp.concatenate([jnp.ravel(next(values)) for _ in parts]))
        for kind, parts in found
    ]


def _parts(number, makers) -> tuple[Kind | None, list[Any]]:
    """The kind of extremum that a variable is, and the variables of which."""
    step = makers.get(number) if isinstance(number, Var) else None
    if step is None:
        return None, [number]
    name = step.primitive.name
    if name in _PASSED_ON:
        kind, parts = _parts(step.invars[0], makers)
        return (kind, parts) if kind else (None, [number])
    kind = _KINDS.get(name)
    if kind is None:
        return None, [number]
    if name.startswith("reduce_"):
        return kind, [step.invars[0]]
    parts = []
    for operand in step.invars:
        inner, found = _parts(operand, makers)
        parts += found if inner in (kind, None) else [operand]
    return kind, parts
