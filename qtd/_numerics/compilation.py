"""Compilation of public functions for those who call them by hand."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer

from .validation import is_concrete

Function = TypeVar("Function", bound=Callable)

_QUICK = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
_WIDE = {"xla_cpu_prefer_vector_width": 512}


def compiled(function: Function) -> Function:
    """`function`, compiled when it is called by hand; called by what is being compiled, it is part
    of that.

    Who calls by hand waits for the compiler, not for the processor: such calls are compiled
    `quickly`, their derivatives and batches with all optimisations. A jit inside a program would be
    a wall: what its caller does not use could no longer be left out.
    """
    return _by_hand(function, quickly)


def optimised(function: Function) -> Function:
    """`compiled` with all optimisations, for runs as long as the caller likes."""
    return _by_hand(function, eqx.filter_jit)


def quickly(function: Callable) -> Callable:
    """`function`, compiled for a few calls with known values: in a half to a quarter of the time,
    to run up to four times as long."""
    return eqx.filter_jit(function, compiler_options=_quick_options())  # pyright: ignore[reportCallIssue]


def quickly_at(function: Callable, *example: Any) -> Callable:
    """`function` of arrays, compiled like `quickly` for arguments like these of an `example`, and
    called without a look at them: for who asks thousands of times."""
    return jax.jit(function).lower(*example).compile(_quick_options())


def wide_options() -> dict[str, Any]:
    """What the compiler is told of programs that run for long: to use vector registers as wide as
    there are, in place of half of them, which it prefers."""
    return _understood(tuple(_WIDE.items()))


def _quick_options() -> dict[str, Any]:
    return _understood(tuple(_QUICK.items()))


@functools.cache
def _understood(options: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """These options; none where the compiler does not know them, nor on accelerators, where they
    have not been measured."""
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x, compiler_options=dict(options)).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return dict(options)


def _by_hand(function: Function, jit: Callable[[Callable], Callable]) -> Function:
    """`function`, by `jit` where its arguments are known, with all optimisations in derivatives and
    batches."""
    known, transformed = functools.cache(lambda: jit(function)), eqx.filter_jit(function)

    @functools.wraps(function)
    def call(*args, **kwargs):
        if _is_being_traced():
            return _once(function, args, kwargs)
        return (known() if is_concrete(args, kwargs) else transformed)(*args, **kwargs)

    return call  # pyright: ignore[reportReturnType]


_FOUND: contextvars.ContextVar[dict[Any, Any] | None] = contextvars.ContextVar(
    "found", default=None
)


@contextlib.contextmanager
def evaluated_once() -> Iterator[None]:
    """Within a program, a function that is `compiled` by hand is written down once for the same
    arguments: several observables of one machine share its operating point, which spares the
    compiler the copies."""
    token = _FOUND.set({})
    try:
        yield
    finally:
        _FOUND.reset(token)


def _once(function, args, kwargs):
    """What `function` returned for these very arguments at this place of the program, or returns
    now; what it calls itself is not looked at."""
    found = _FOUND.get()
    if found is None:
        return function(*args, **kwargs)
    leaves, structure = jax.tree.flatten((args, kwargs))
    # What was written down inside a loop cannot be used outside of it.
    place = getattr(jnp.zeros(()), "_trace", None)
    key = function, structure, tuple(map(id, leaves)), id(place)
    if key not in found:
        token = _FOUND.set(None)
        try:
            # With the arguments, so that nothing else gets their identities.
            found[key] = leaves, place, function(*args, **kwargs)
        finally:
            _FOUND.reset(token)
    return found[key][-1]


def _is_being_traced():
    """Whether a program is being written down, not just differentiated or batched step by step:
    then even constants have no value."""
    return isinstance(jnp.zeros(()), Tracer)
