"""Dotted paths into any machine: read all its numbers, replace some of them."""

import dataclasses
import difflib
import functools
import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from ._numerics.paths import leaves_by_path
from ._numerics.status import Status
from ._numerics.validation import conditions

__all__ = ["checked", "options", "parameters", "replace", "validate"]

Machine = TypeVar("Machine")
Function = TypeVar("Function", bound=Callable)


def parameters(machine: Any) -> dict[str, Array]:
    """Every number of a `machine`, network or reservoir by its dotted path, such as `"work.spectral_density.width"`.

    >>> list(qtd.parameters(qtd.Reservoir(0.5, spectral_density=qtd.spectral.Ohmic(0.1, 10.0))))
    ['temperature', 'chemical_potential', 'spectral_density.coupling', 'spectral_density.cutoff']
    """
    return leaves_by_path(machine, eqx.is_inexact_array)


def options(machine: Any) -> dict[str, Any]:
    """What a `machine` is built with that is no number: sizes and names, by the names of the arguments; no parts that are empty."""
    known = {path.partition(".")[0] for path in parameters(machine)}
    asked = inspect.signature(type(machine)).parameters
    return {name: value for name, value in vars(machine).items() if name in asked and name not in known and value != {}}


def replace(machine: Machine, changes: Mapping[str, ArrayLike | str]) -> Machine:
    """A copy of `machine` with the numbers at some paths changed; sizes and names (static fields) may be changed too.

    `changes`: new values by path, as in `parameters`. Values keep the type and shape of what they replace. Raises `ValueError` for a path
    that does not exist and for values outside their domain; traced values pass, so this is how derivatives with respect to chosen
    parameters are taken.

    >>> colder = qtd.replace(qtd.machines.NDemon(), {"cold.temperature": 0.7, "energy_4": 1.8})
    >>> float(colder.cold.temperature)
    0.7
    """
    for path, value in changes.items():
        machine = _set(machine, path.split("."), value, path, machine)
    return machine


def validate(machine: Any) -> None:
    """Raise `ValueError` if a known value anywhere in `machine` is outside its domain; traced values pass, as `checked` says."""
    if dataclasses.is_dataclass(machine) and not isinstance(machine, type):
        check = getattr(machine, "__check_init__", None)
        if check is not None:
            check()
        children = [getattr(machine, field.name) for field in dataclasses.fields(machine)]
    elif isinstance(machine, Mapping):
        children = list(machine.values())
    elif isinstance(machine, list | tuple):
        children = list(machine)
    else:
        return
    for child in children:
        validate(child)


def checked(question: Function) -> Function:
    """A public question to a machine, its first argument: `ValueError` where that has a known value outside its domain; where values are
    traced, every number of the answer and all its derivatives are NaN, and its status is INVALID_PARAMETER."""

    @functools.wraps(question)
    def ask(machine, *args, **kwargs):
        with conditions() as found:
            validate(machine)
        answer = question(machine, *args, **kwargs)
        return _refused(answer, functools.reduce(operator.and_, found), machine) if found else answer

    return ask  # pyright: ignore[reportReturnType]


def _refused(answer, legal, machine):
    numbers, rest = eqx.partition(answer, eqx.is_inexact_array)
    # Times 0 or NaN, so that derivatives are NaN too, by every parameter, also by one that the answer does not look at.
    every = sum(jnp.sum(jnp.real(x)) for x in jax.tree.leaves(eqx.filter(machine, eqx.is_inexact_array)))
    spoiled = jnp.where(legal, 0.0, jnp.nan).astype(every.dtype) * every
    answer = eqx.combine(jax.tree.map(lambda x: x + spoiled.astype(x.dtype), numbers), rest)
    if not hasattr(answer, "status"):
        return answer
    status = jnp.where(legal, answer.status, int(Status.INVALID_PARAMETER))
    return eqx.tree_at(lambda answer: answer.status, answer, status)


def _set(owner: Any, keys, value, path, machine):
    key, rest = keys[0], keys[1:]
    old = owner.get(key, _MISSING) if isinstance(owner, Mapping) else getattr(owner, key, _MISSING)
    is_field = isinstance(owner, Mapping) or (
        dataclasses.is_dataclass(owner) and key in {field.name for field in dataclasses.fields(owner)}
    )
    if old is _MISSING or not is_field:
        raise ValueError(_unknown(path, machine))
    if rest:
        new = _set(old, rest, value, path, machine)
    elif eqx.is_inexact_array(old):
        new = _like(value, old, path)
    elif isinstance(old, eqx.Module | Mapping):
        raise ValueError(f"`{path}` is a part, not a number. {_unknown(path, machine)}")
    else:
        # A static field: the constructor knows what else depends on it.
        try:
            return dataclasses.replace(owner, **{key: value})  # pyright: ignore[reportArgumentType]
        except TypeError:
            raise ValueError(f"`{path}` is static and made by the constructor; build a new {type(owner).__name__}.") from None
    if isinstance(owner, Mapping):
        return {**owner, key: new}
    changed = object.__new__(type(owner))
    for field in dataclasses.fields(owner):
        object.__setattr__(changed, field.name, new if field.name == key else getattr(owner, field.name))
    check = getattr(changed, "__check_init__", None)
    if check is not None:
        try:
            check()
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return changed


def _like(value, old, path):
    try:
        new = jnp.asarray(value, old.dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{path}` must be a number, got {value!r}.") from error
    if new.shape != old.shape:
        raise ValueError(f"`{path}` must have shape {old.shape}, got {new.shape}; use `jax.vmap` for a batch.")
    return new


def _unknown(path, machine):
    known = list(parameters(machine))
    close = difflib.get_close_matches(path, known, n=3, cutoff=0.4) or known[:3]
    return f"No parameter is called {path!r}; did you mean {', '.join(close)}?"


_MISSING = object()
