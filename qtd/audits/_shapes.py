"""Whether a machine is one point of its parameters, or a batch of them."""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import equinox as eqx


def require_one_point(machine: Any) -> None:
    """Raise `ValueError` if a number of the machine has more axes than its field is declared with:
    then it is a batch of machines."""
    for path, declared, value in _declared(machine, ""):
        if value.ndim > declared:
            expected = (
                "one number"
                if declared == 0
                else f"an array with {declared} {'axis' if declared == 1 else 'axes'}"
            )
            raise ValueError(
                f"`{path}` must be {expected}, got shape {value.shape}: an audit is of one machine."
                " Pick one of a batch,"
                " such as jax.tree.map(lambda x: x[0], machine) of what `jax.vmap` has made."
            )


def _declared(part: Any, path: str) -> Iterator[tuple[str, int, Any]]:
    """Path, number of axes that are declared, and value of every number whose annotation tells."""
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return
    for field in dataclasses.fields(part):
        value, name = getattr(part, field.name, None), f"{path}{field.name}"
        axes = _axes(field.type)
        for key, child in _children(value):
            if eqx.is_inexact_array(child) and axes is not None:
                yield f"{name}{key}", axes, child
            yield from _declared(child, f"{name}{key}.")


def _children(value):
    if isinstance(value, Mapping):
        return [(f".{key}", child) for key, child in value.items()]
    if isinstance(value, list | tuple):
        return [(f".{index}", child) for index, child in enumerate(value)]
    return [("", value)]


def _axes(annotation) -> int | None:
    """How many axes an annotation such as `Float[Array, "levels"]`, or a container of such, stands
    for; None if it does not tell."""
    for kind in (annotation, *typing.get_args(annotation)):
        axes = getattr(kind, "dim_str", None)
        if axes is not None:
            return None if "*" in axes or "..." in axes else len(axes.split())
    return None
