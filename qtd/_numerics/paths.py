"""Leaves of PyTrees by paths: fields and names with dots between, places in tuples and entries of
arrays in brackets."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax

PLACE = re.compile(r"\[(\d+(?:,\d+)*)\]")


def leaves_by_path(tree: Any, keep: Callable[[Any], bool]) -> dict[str, Any]:
    """Leaves that are kept, such as `{"work.spectral_density.width": ...,
    "transmissions[0].center": ...}`; a tree that is a leaf has the path ""."""
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, keep))
    return {"".join(map(_step, path)).removeprefix("."): leaf for path, leaf in leaves}


def _step(key):
    if hasattr(key, "idx"):
        return f"[{key.idx}]"
    return f".{getattr(key, 'name', getattr(key, 'key', key))}"


def place(path: str) -> tuple[tuple[int, ...] | None, str]:
    """The place in brackets that a path begins with, None if it begins otherwise, and the rest of
    it."""
    found = PLACE.match(path)
    return (
        (tuple(map(int, found[1].split(","))), after(path, found.end())) if found else (None, path)
    )


def overlapping(paths: Iterable[str]) -> tuple[str, str] | None:
    """Two of these paths that lead to the same number, such as `energies` and `energies[01]`; None
    where there are none."""
    seen: dict[str, str] = {}
    for path in paths:
        plain = re.sub(r"(?<=[\[,])0+(?=\d)", "", path)
        for other, written in seen.items():
            if plain == other or plain.startswith(f"{other}[") or other.startswith(f"{plain}["):
                return written, path
        seen[plain] = path
    return None


def first_name(path: str, names: Iterable[str]) -> str | None:
    """The longest of these names, which may have dots in them, that a path begins with."""
    fitting = [name for name in names if path == name or path.startswith((f"{name}.", f"{name}["))]
    return max(fitting, key=len, default=None)


def after(path: str, length: int) -> str:
    """What follows the first so many characters of a path."""
    return path[length:].removeprefix(".")
