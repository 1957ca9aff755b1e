"""Leaves of PyTrees by dotted paths."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax


def leaves_by_path(tree: Any, keep: Callable[[Any], bool]) -> dict[str, Any]:
    """Leaves that are kept, such as `{"work.spectral_density.width": ...}`; a tree that is a leaf has the path ""."""
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, keep))
    return {".".join(_name(key) for key in path): leaf for path, leaf in leaves}


def _name(key):
    return str(getattr(key, "name", getattr(key, "key", getattr(key, "idx", key))))
