"""Digests by which a store tells what it holds from what was written to it."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

SEALED = "progress/zarr.json"  # the one document that is in no seal, as it holds it


def of_values(values: np.ndarray) -> str:
    """The digest of an array, with its shape."""
    return f"{values.shape} {hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()}"


def of_block(number: int, arrays: Iterable[np.ndarray]) -> np.uint64:
    """The checksum of all that is recorded in a block, which differs from that of any other block
    with the same numbers.

    NaN is NaN: a chunk of nothing else is not written, and forgets which of them it held.
    """
    digest = hashlib.sha256(str(number).encode())
    for values in arrays:
        known = (
            np.where(np.isnan(values), values.dtype.type(np.nan), values)
            if np.issubdtype(values.dtype, np.inexact)
            else values
        )
        digest.update(np.ascontiguousarray(known).tobytes())
    return np.frombuffer(digest.digest()[:8], np.uint64)[0]


def seal(store: Path) -> dict[str, str]:
    """Digests of all documents that describe the arrays of a store, by their place in it."""
    documents = (
        path for depth in ("", "*/", "*/*/") for path in sorted(store.glob(f"{depth}zarr.json"))
    )
    names = (path.relative_to(store).as_posix() for path in documents)
    return {name: _of_document(store / name) for name in names if name != SEALED}


def broken(store: Path, sealed: dict[str, str]) -> list[str]:
    """The documents that are not what they were when they were sealed."""
    return [name for name, digest in sealed.items() if _of_document(store / name) != digest]


def _of_document(path: Path) -> str:
    """The digest of what it says, which does not change with spaces, or when somebody consolidates
    the metadata; "" if it says nothing."""
    try:
        said = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return ""
    if isinstance(said, dict):
        said.pop("consolidated_metadata", None)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
