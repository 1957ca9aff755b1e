"""Packages that load what they hold when it is first used."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def attach(
    package: str, homes: Mapping[str, str], modules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a `package`: of its `modules`, and of other names by the
    module that is their home."""

    def load(name: str) -> Any:
        if name in homes:
            found = getattr(importlib.import_module(f".{homes[name]}", package), name)
            setattr(sys.modules[package], name, found)
            return found
        if name in modules:
            return importlib.import_module(f".{name}", package)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load, lambda: sorted([*homes, *modules])
