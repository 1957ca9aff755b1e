"""What a sweep records at each point: numbers by name, with their units, and what went wrong."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._numerics.compilation import compiled
from .._numerics.paths import leaves_by_path
from ..machines import AbstractMachine
from ..observables import Named, Observable, observables, observe, operating_point
from ..parameters import parameters, replace
from ..status import Status
from ..thermodynamics import AbstractPoint

__all__ = ["gradient"]

Observe = Mapping[str, Observable | str] | Sequence[str] | str

_NOTHING = [status for status in Status if not status.stands]


def gradient(observable: Observable, paths: Sequence[str]) -> Observable:
    """The derivatives of `observable`, a scalar of a machine, with respect to the parameters at
    these `paths`: a function of the machine that returns a dictionary by path."""

    @compiled
    def slopes(machine):
        known = parameters(machine, paths)
        return jax.grad(lambda values: observable(replace(machine, values)))(
            {path: known[path] for path in paths}
        )

    return slopes


def wanted_of(observe: Observe, machine: Any) -> dict[str, Observable]:
    """The functions that `observe` names or holds."""
    if isinstance(observe, str):
        observe = [observe]
    wanted = dict(observe) if isinstance(observe, Mapping) else {name: name for name in observe}
    if not wanted:
        raise ValueError("`observe` must name what to record.")
    by_name = any(isinstance(x, str) for x in wanted.values())
    known = observables(machine) if by_name else {}
    found = {}
    for name, what in wanted.items():
        if not isinstance(name, str) or not name or "/" in name:
            raise ValueError(
                f"`observe` must not use the name {name!r}; names are words without /."
            )
        if not (isinstance(what, str) or callable(what)):
            raise ValueError(
                f"`observe[{name!r}]` must be a function of the machine or the name of an"
                f" observable, got {what!r}."
            )
        if isinstance(what, str) and what not in known:
            close = difflib.get_close_matches(what, list(known), n=3, cutoff=0.4) or list(known)
            raise ValueError(
                f"`observe` names nothing that is called {what!r}; did you mean {', '.join(close)}?"
            )
        found[name] = known[what] if isinstance(what, str) else what
    return found


def recorder(
    machine: Any, wanted: dict[str, Observable], status: Observable | None
) -> Callable[[dict[str, Array]], dict[str, Array]]:
    """The function from parameters by path to all that is recorded, by name: of a PyTree, a number
    for each leaf."""

    def record(values):
        moved = replace(machine, values)
        found = {}
        for name, value in zip(wanted, observe(wanted.values(), moved)):
            leaves = leaves_by_path(value, eqx.is_array_like)
            if not leaves:
                raise ValueError(
                    f"`observe[{name!r}]` returns no number; it must return a number, a small array"
                    " or a PyTree of them."
                )
            for path, leaf in leaves.items():
                key = f"{name}.{path}".rstrip(".").replace("/", "_")
                if key in found or key == "status":
                    raise ValueError(
                        f"`observe` uses the name {key!r} twice, or for a status of its own; choose"
                        " another."
                    )
                found[key] = jnp.asarray(leaf)
        told = _told(moved, wanted, status)
        if told is None:  # of machines that say nothing, each number speaks for itself
            finite = [
                jnp.all(jnp.isfinite(x))
                for x in found.values()
                if jnp.issubdtype(x.dtype, jnp.inexact)
            ]
            fine = jnp.stack(finite).all() if finite else jnp.asarray(True)
            return found | {
                "status": jnp.where(fine, int(Status.OK), int(Status.INVALID_PARAMETER)).astype(
                    jnp.int8
                )
            }
        nothing = jnp.any(told == jnp.asarray(_NOTHING, told.dtype))
        known = {
            name: jnp.where(nothing, jnp.nan, x) if jnp.issubdtype(x.dtype, jnp.inexact) else x
            for name, x in found.items()
        }
        return known | {"status": told.astype(jnp.int8)}

    return record


def _told(machine, wanted, status):
    """What the machine says of how it went: a bare system where it is asked by name, as others need
    not be at rest."""
    if status is not None:
        return jnp.asarray(status(machine))
    if not (
        isinstance(machine, AbstractMachine)
        or any(isinstance(each, Named) for each in wanted.values())
    ):
        return None
    point = operating_point(machine)
    return point.status if isinstance(point, AbstractPoint) else None
