"""Checks of user input: an exception where the value is known, NaN in that point alone where it is
traced.

Every rule about values is declared once, by `parameter` at the field, or by `check` or `rule` in
the `rules` of what it is about. Known values that break it raise there. Traced ones pass,
and `conditions` asks the same declarations for what compiled code can look at.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from .elementary import one_where


def is_concrete(*values) -> bool:
    """Whether every array in these PyTrees has a value that Python may look at (none is traced)."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def as_real(value: ArrayLike, name: str) -> Float[Array, "..."]:
    """`value` as a floating-point array; raises `ValueError` if it is not a real, finite number
    (traced values pass)."""
    try:
        try:
            array = jnp.asarray(value)
        except OverflowError:  # of whole numbers beyond 64 bits
            array = jnp.asarray(np.asarray(value, float))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"`{name}` must be a real number or an array of them, got {value!r}."
        ) from error
    if jnp.issubdtype(array.dtype, jnp.floating):
        # a Python float's type is weak, and would compile twice
        return lax.convert_element_type(array, array.dtype)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise ValueError(f"`{name}` must be real, got {value!r}.")
    return array.astype(jnp.result_type(float))


def as_scalar(value: ArrayLike, name: str) -> Float[Array, ""]:
    """`as_real` for one number."""
    array = as_real(value, name)
    if array.shape != ():
        raise ValueError(
            f"`{name}` must be one number, got shape {array.shape}; use `jax.vmap` for a batch."
        )
    return array


def as_share(value: ArrayLike, name: str) -> Float[Array, ""]:
    """`as_scalar` for a number between 0 and 1, both excluded."""
    number = as_scalar(value, name)
    return where_legal(
        number,
        lambda x: (x > 0) & (x < 1),
        lambda x: f"`{name}` must be between 0 and 1, got {float(x)}.",
    )


class Conditions:
    """What rules ask of traced values: the conditions that `hold` for legal ones, and the `values`
    that `check` has looked at."""

    def __init__(self):
        self.hold: list[Bool[Array, ""]] = []
        self.values: dict[tuple, Array] = {}


_asked: contextvars.ContextVar[Conditions | None] = contextvars.ContextVar(
    "conditions on traced values", default=None
)
_granted: contextvars.ContextVar[Mapping] = contextvars.ContextVar(
    "traced values that are checked", default=MappingProxyType({})
)


def rule(values: tuple, holds: Callable, message: Callable[..., str]) -> None:
    """Raise `ValueError` with `message(*values)` unless `holds(*values)`, of NumPy arrays where all
    are known.

    Traced, they pass, and the condition is noted for `conditions`: `holds` must use what NumPy and
    JAX arrays have in common.
    """
    if is_concrete(values):
        known = [np.asarray(value) for value in values]
        if not np.all(holds(*known)):
            raise ValueError(message(*known))
    elif (asked := _asked.get()) is not None:
        asked.hold.append(jnp.all(holds(*values)))


@contextlib.contextmanager
def conditions() -> Iterator[Conditions]:
    """Collects `Conditions` of all rules that are looked at meanwhile."""
    asked = Conditions()
    token = _asked.set(asked)
    try:
        yield asked
    finally:
        _asked.reset(token)


@contextlib.contextmanager
def granted(asked: Conditions) -> Iterator[None]:
    """What is computed meanwhile need not check again what `asked` has."""
    token = _granted.set({**_granted.get(), **asked.values})
    try:
        yield
    finally:
        _granted.reset(token)


def check(name: str, value: Array, domain: str) -> None:
    """Raise `ValueError` if a value is not finite or outside "any", "positive" or "nonnegative"; a
    `rule`.

    Who collects `conditions` looks himself, at all numbers together, whether traced ones are
    finite.
    """
    if is_concrete(value):
        rule((value,), lambda x: abs(x) < np.inf, lambda x: f"`{name}` must be finite, got {x}.")
    else:
        key, asked = (id(value), domain), _asked.get()
        if asked is None or key in _granted.get():
            return
        asked.values[key] = value
    if domain == "positive":
        rule((value,), lambda x: x > 0, lambda x: f"`{name}` must be positive, got {x}.")
    if domain == "nonnegative":
        rule((value,), lambda x: x >= 0, lambda x: f"`{name}` must not be negative, got {x}.")


def where_legal(value: Array, holds: Callable, message: Callable[..., str]) -> Array:
    """An argument that obeys a rule: `ValueError` where it is known not to, NaN where it is
    traced."""
    rule((value,), holds, message)
    return value if is_concrete(value) else _where_legal(holds(value), value)


def positive(value: Float[Array, "..."]) -> Float[Array, "..."]:
    """`value` where it is positive, NaN elsewhere, and so is its derivative: no exception can leave
    compiled code."""
    return value * one_where(lax.stop_gradient(value) > 0, value.dtype)


def nonnegative(value: Float[Array, "..."]) -> Float[Array, "..."]:
    """`value` where it is not negative, NaN elsewhere, and so is its derivative."""
    return value * one_where(lax.stop_gradient(value) >= 0, value.dtype)


def _where_legal(legal, value):
    # Not from constants, which would move the axis of a batch; see `batching`. NaN is made, as 0 /
    # 0, only where it is the answer: who looks for NaN with `jax.debug_nans` finds none on the way
    # to another.
    nothing = 0 * lax.stop_gradient(value)
    share = jnp.where(legal, 1 + nothing, nothing)
    return value * (share / share)


def missing(absent: Bool[Array, "..."], value: Float[Array, "..."]) -> Float[Array, "..."]:
    """`value`, but NaN with the derivative 0 where it is `absent`; made as 0 / 0, as in
    `_where_legal`."""
    there = jnp.where(absent, 0, 1).astype(value.dtype)
    return jnp.where(absent, 0, value) + (there / there - 1)


def whole(value: int, name: str, least: int) -> None:
    """Raise `ValueError` unless this is an integer, not below `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"`{name}` must be an integer not below {least}, got {value!r}.")
