"""Compilation of public functions for those who call them by hand."""

import functools
from collections.abc import Callable
from typing import TypeVar

import equinox as eqx

from .validation import is_concrete

Function = TypeVar("Function", bound=Callable)


def compiled(function: Function) -> Function:
    """`function`, compiled when it is called with known values; called from a transformation, it is part of what that compiles.

    A jit inside a transformed function would be a wall: what its caller does not use could no longer be left out.
    """
    jitted = eqx.filter_jit(function)

    @functools.wraps(function)
    def call(*args, **kwargs):
        return (jitted if is_concrete(args, kwargs) else function)(*args, **kwargs)

    return call  # pyright: ignore[reportReturnType]
