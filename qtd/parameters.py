"""Paths into any machine: read all its numbers, replace some of them."""

import dataclasses
import difflib
import functools
import inspect
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from ._numerics.batching import settle
from ._numerics.modules import parameter, recheck
from ._numerics.paths import after, first_name, leaves_by_path, place
from ._numerics.validation import conditions, granted
from .status import Status

__all__ = ["checked", "options", "parameter", "parameters", "replace", "validate"]

Machine = TypeVar("Machine")
Function = TypeVar("Function", bound=Callable)


def parameters(machine: Any, entries: Iterable[str] = ()) -> dict[str, Array]:
    """Every number of a `machine`, network or reservoir by its path, such as
    `"work.spectral_density.width"`; Python's own floats too.

    Places in tuples are in brackets, as in `"transmissions[0].center"`. Arrays are listed whole;
    wherever a path is asked for, an entry has one as well, such as `"energies[1]"` or
    `"rates[0,1]"`. `entries`: those to list too, where they exist.

    >>> list(qtd.parameters(qtd.Reservoir(0.5, spectral_density=qtd.spectral.Ohmic(0.1, 10.0))))
    ['temperature', 'chemical_potential', 'spectral_density.coupling', 'spectral_density.cutoff']
    """
    known = {
        path: jnp.asarray(value) for path, value in leaves_by_path(machine, _is_number).items()
    }
    for path in entries:
        array, bracket, rest = path.rpartition("[")
        where, left = place(bracket + rest)
        if (
            path not in known
            and array in known
            and where is not None
            and not left
            and _has(known[array], where)
        ):
            known[path] = known[array][where]
    return known


def options(machine: Any) -> dict[str, Any]:
    """What a `machine` is built with that is no number: sizes and names, by the names of the
    arguments; no parts that are empty."""
    known = {path.partition(".")[0] for path in parameters(machine)}
    asked = inspect.signature(type(machine)).parameters
    return {
        name: value
        for name, value in vars(machine).items()
        if name in asked and name not in known and value != {}
    }


def replace(machine: Machine, changes: Mapping[str, ArrayLike | str]) -> Machine:
    """A copy of `machine` with the numbers at some paths changed; sizes and names (static fields)
    may be changed too.

    `changes`: new values by path, as in `parameters`. Values keep the type and shape of what they
    replace. Raises `ValueError` for a path that does not exist and for values outside their domain;
    traced values pass, so this is how derivatives with respect to chosen parameters are taken.

    >>> colder = qtd.replace(qtd.machines.NDemon(), {"cold.temperature": 0.7, "energy_4": 1.8})
    >>> float(colder.cold.temperature)
    0.7
    """
    for path, value in changes.items():
        machine = cast(Machine, _set(machine, path, value, path, machine))
    return machine


def validate(machine: Any) -> None:
    """Raise `ValueError` if a known value anywhere in `machine` is outside its domain; traced
    values pass, as `checked` says."""
    if dataclasses.is_dataclass(machine) and not isinstance(machine, type):
        recheck(machine)
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
    """A public question to a machine, its first argument: `ValueError` where that has a known value
    outside its domain; where values are traced, every number of the answer and all its derivatives
    are NaN, and its status is INVALID_PARAMETER. What is the answer to such a question itself
    (`is_answer`, as a steady state) is taken as it is."""

    @functools.wraps(question)
    def ask(machine, *args, **kwargs):
        if getattr(machine, "is_answer", False):
            return question(machine, *args, **kwargs)
        if jnp.result_type(float) == jnp.float32:
            _say_that_it_is_single()
        with conditions() as asked:
            validate(machine)
        with granted(asked):
            answer = question(machine, *args, **kwargs)
        return _refused(answer, asked.hold, machine) if asked.hold or asked.values else answer

    return ask  # pyright: ignore[reportReturnType]


@functools.cache
def _say_that_it_is_single():
    text = (
        "qtd computes in single precision here, where currents near equilibrium, noise and narrow"
        " filters keep few digits or none:"
        ' jax.config.update("jax_enable_x64", True) at the start of the program cures it.'
    )
    warnings.warn(text, stacklevel=3)


def _refused(answer, conditions, machine):
    numbers, rest = eqx.partition(answer, eqx.is_inexact_array)
    every = functools.reduce(
        operator.add,
        (jnp.sum(jnp.real(x)) for x in jax.tree.leaves(eqx.filter(machine, eqx.is_inexact_array))),
    )
    legal = functools.reduce(operator.and_, conditions, jnp.isfinite(every))
    # Times 0 or NaN, so that derivatives are NaN too, by every parameter, also by one that the
    # answer does not look at.
    spoiled = settle(jnp.where(legal, 0.0, jnp.nan).astype(every.dtype) * every)
    answer = eqx.combine(jax.tree.map(lambda x: x + spoiled.astype(x.dtype), numbers), rest)
    if not hasattr(answer, "status"):
        return answer
    status = jnp.where(legal, answer.status, int(Status.INVALID_PARAMETER))
    return eqx.tree_at(lambda answer: answer.status, answer, status)


def _set(owner: Any, keys: str, value, path: str, machine):
    """`owner` with what is at `keys`, the rest of a `path` of the `machine`, changed."""
    if isinstance(owner, tuple | list):
        where, rest = place(keys)
        if where is None or len(where) != 1 or where[0] >= len(owner):
            raise ValueError(_unknown(path, machine))
        parts = list(owner)
        parts[where[0]] = _changed(parts[where[0]], rest, value, path, machine)
        return type(owner)(parts)
    if isinstance(owner, Mapping):
        key = first_name(keys, owner)
    else:
        key = first_name(
            keys,
            [field.name for field in dataclasses.fields(owner)]
            if dataclasses.is_dataclass(owner)
            else [],
        )
    if key is None:
        raise ValueError(_unknown(path, machine))
    old = owner[key] if isinstance(owner, Mapping) else getattr(owner, key)
    rest = after(keys, len(key))
    if not (rest or _is_number(old) or isinstance(old, eqx.Module | Mapping | tuple)):
        # A static field: the constructor knows what else depends on it.
        try:
            return dataclasses.replace(owner, **{key: value})  # pyright: ignore[reportArgumentType]
        except TypeError:
            raise ValueError(
                f"`{path}` is static and made by the constructor; build a new"
                f" {type(owner).__name__}."
            ) from None
    if not rest and isinstance(old, tuple) and not jax.tree.leaves(eqx.filter(old, _is_number)):
        return dataclasses.replace(owner, **{key: value})  # pyright: ignore[reportArgumentType]
    new = _changed(old, rest, value, path, machine)
    if isinstance(owner, Mapping):
        return {**owner, key: new}
    changed = object.__new__(type(owner))
    for field in dataclasses.fields(owner):
        object.__setattr__(
            changed, field.name, new if field.name == key else getattr(owner, field.name)
        )
    try:
        recheck(changed)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return changed


def _changed(old, rest, value, path, machine):
    """What stands for `old`, of which the rest of a path is to be changed."""
    if _is_number(old):
        array = jnp.asarray(old)
        if not rest:
            return _like(value, array, path)
        where, left = place(rest)
        if where is None or left or not _has(array, where):
            raise ValueError(_unknown(path, machine))
        return array.at[where].set(_like(value, array[where], path))
    if rest:
        return _set(old, rest, value, path, machine)
    raise ValueError(f"`{path}` is a part, not a number. {_unknown(path, machine)}")


def _is_number(leaf):
    """Whether it is an array of real numbers, traced or not, or a float of Python."""
    return eqx.is_inexact_array(leaf) or isinstance(leaf, float)


def _has(array, where):
    return len(where) == array.ndim and all(i < n for i, n in zip(where, array.shape))


def _like(value, old, path):
    try:
        new = jnp.asarray(value, old.dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{path}` must be a number, got {value!r}.") from error
    if new.shape != old.shape:
        raise ValueError(
            f"`{path}` must have shape {old.shape}, got {new.shape}; use `jax.vmap` for a batch."
        )
    return new


def _unknown(path, machine):
    known = list(parameters(machine))
    close = difflib.get_close_matches(path, known, n=3, cutoff=0.4) or known[:3]
    return f"No parameter is called {path!r}; did you mean {', '.join(close)}?"
