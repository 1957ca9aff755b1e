"""The place where a sweep is kept: a Zarr store that says what it belongs to, which of its blocks
are finished and whether they are whole, and who writes it."""

import contextlib
import dataclasses
import errno
import json
import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import xarray
import zarr
import zarr.codecs
from zarr.storage import MemoryStore

from ..status import Status
from ._digests import SEALED, broken, of_block, of_values, seal
from ._layout import Layout
from .axes import Axis

try:
    import fcntl
except ImportError:  # on Windows, where nothing keeps two sweeps apart
    fcntl = None

_PROGRESS, _FINISHED, _CHECKSUM = "progress", "progress/finished", "progress/checksum"
# Of numbers that change little from point to point, sorted by bytes, some compress; without
# sorting, none do. Whoever reads a chunk in which a bit has changed gets an error, not other
# numbers.
_COMPRESSORS = (
    zarr.codecs.BloscCodec(cname="lz4", clevel=3, shuffle="shuffle"),
    zarr.codecs.Crc32cCodec(),
)
_UNKNOWN = -1  # the status of a point that has not been computed


class Soundness(NamedTuple):
    """What a store holds: how many `blocks` there are, and the numbers of those that are
    `unfinished` and of those that are `damaged`."""

    blocks: int
    unfinished: tuple[int, ...]
    damaged: tuple[int, ...]


class Store:
    """An open Zarr group: arrays for all that is recorded, the values of the axes, and which blocks
    are finished."""

    def __init__(self, group: zarr.Group):
        self.group = group
        self._finished, self._checksum = (
            cast(zarr.Array, group[name]) for name in (_FINISHED, _CHECKSUM)
        )
        self._arrays = {name: cast(zarr.Array, group[name]) for name in self.note("names")}
        shape, block, batch = self.note("layout")
        self.layout = Layout(tuple(shape), tuple(block), batch)

    def note(self, name: str) -> Any:
        """What the store says of itself."""
        return json.loads(str(self._finished.attrs[name]))

    def axes(self) -> list[Axis]:
        """The axes, their values left in the store until they are needed."""
        return [
            Axis(name, {path: self.group[path] for path in paths})
            for name, paths in self.note("identity")["dimensions"]
        ]

    def damaged_axes(self) -> list[str]:
        """Names of the axes whose values are not those that were written."""
        expected = self.note("identity")["values"]
        for axis, points in zip(self.axes(), self.layout.shape):
            if axis.name not in axis.values:
                expected[axis.name] = of_values(np.arange(points))
        found = {name: _read(cast(zarr.Array, self.group[name]), ...) for name in expected}
        return [
            name
            for name, values in found.items()
            if values is None or of_values(values) != expected[name]
        ]

    def soundness(self) -> Soundness:
        """Which blocks are unfinished, and which are damaged; reads every finished block once."""
        flags = _read(self._finished, ...)
        if flags is None:
            flags = [_read(self._finished, number) for number in range(self.layout.blocks)]
        damaged = tuple(
            number
            for number, flag in enumerate(flags)
            if flag is None or (flag and not self._is_whole(number))
        )
        unfinished = tuple(
            number for number, flag in enumerate(flags) if flag is not None and not flag
        )
        return Soundness(len(flags), unfinished, damaged)

    def _is_whole(self, number):
        region = self.layout.region(number)
        known = _read(self._checksum, number)
        read = (_read(array, region) for array in self._arrays.values())
        arrays = [values for values in read if values is not None]
        return (
            known is not None
            and len(arrays) == len(self._arrays)
            and known == of_block(number, arrays)
        )

    def write(self, number: int, found: dict[str, np.ndarray]) -> None:
        """Put a block where it belongs, then its checksum, and then say that it is finished."""
        region = self.layout.region(number)
        sizes = self.layout.size(number)
        with _telling("write to", getattr(self.group.store, "root", None)):
            for name, values in found.items():
                self._arrays[name][region] = values.reshape(*sizes, *values.shape[1:])
            self._checksum[number] = of_block(number, [found[name] for name in self._arrays])
            self._finished[number] = True

    def dataset(self) -> xarray.Dataset:
        """What the store holds; read when it is used."""
        found = xarray.open_zarr(self.group.store, consolidated=False, chunks=None)
        named = dict.fromkeys(
            name
            for dimension, paths in self.note("identity")["dimensions"]
            for name in (dimension, *paths)
        )

        # In the order of the axes, which a folder forgets.
        def taken(names):
            return {name: found.variables[name] for name in names}

        return xarray.Dataset(taken(self._arrays), taken(named), found.attrs)


def in_memory(*contents: Any) -> Store:
    """An empty store that ends with the process; its contents as in `create`."""
    return Store(_filled(zarr.create_group(MemoryStore()), *contents))


def create(path: Path, *contents: Any) -> None:
    """An empty store for axes, layout, outputs, identity and units. It appears under its name when
    it is complete."""
    with _telling("create", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            building = Path(folder) / path.name
            group = _filled(zarr.create_group(str(building)), *contents)
            group[_PROGRESS].attrs["seal"] = seal(building)
            try:
                os.rename(building, path)
            except OSError as error:
                # where another sweep was faster, its store is looked at
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise


def opened(path: str | Path, mode: Literal["r", "r+"] = "r+") -> Store:
    """The store at this path; raises `ValueError` if it holds no sweep, or one of which it cannot
    be told any more what it is."""
    path = Path(path)
    if not any(path.glob(f"{_PROGRESS}/**/zarr.json")):
        raise ValueError(f"`store` {str(path)!r} exists and holds no sweep; choose another path.")
    if not (path / _CHECKSUM).exists():
        raise ValueError(
            f"`store` {str(path)!r} has no checksums, so that nothing in it can be verified; delete"
            " it and compute again."
        )
    with _telling("read", path):
        try:
            group = zarr.open_group(str(path), mode=mode, use_consolidated=False)
            torn = broken(path, cast(dict, group[_PROGRESS].attrs["seal"]))
            store = None if torn else Store(group)
        except PermissionError:
            raise
        # of files in which anything may stand, JSON, zarr and its codecs raise whatever they like
        except Exception:
            torn, store = [SEALED], None
    if store is None:
        raise _damaged(path, f"what it says of itself cannot be trusted ({torn[0]})")
    return store


def verified(path: Path, identity: dict) -> Store:
    """The store of an earlier run of the same sweep; raises `ValueError` if it is another sweep's,
    or if its axes are damaged."""
    store = opened(path)
    known = store.note("identity")
    differing = [key for key in identity if known.get(key) != identity[key]]
    if differing:
        raise ValueError(
            f"`store` {str(path)!r} holds another sweep:"
            f" {_difference(differing[0], known, identity)}; choose another store."
        )
    _check_axes(store, path)
    return store


def verify(store: str | os.PathLike) -> Soundness:
    """Whether a store of `qtd.sweep` still holds what was written to it: reads all of it once,
    computes and changes nothing.

    - `store`: its path.

    Every block has a checksum over the values of all its arrays. Returns how many `blocks` there
    are, the numbers of those that are not computed yet (`unfinished`) and of those that do not read
    as they were written (`damaged`); `qtd.sweep(..., resume=True)` computes both. Raises
    `ValueError` if there is no sweep, or if what describes it (its identity, its axes, the metadata
    of an array) is damaged, or if it is of a version that kept no checksums; such a store cannot be
    mended, and has to be computed again.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/line.zarr"
    >>> table = qtd.sweep(
    ...     qtd.machines.NDemon(), {"cold.temperature": [0.7, 0.8, 0.9]}, ["J_cold"], store=path
    ... )
    >>> print(qtd.sweeps.verify(path))
    Soundness(blocks=3, unfinished=(), damaged=())
    """
    path = Path(store)
    if not path.exists():
        raise ValueError(
            f"`store` {str(path)!r} does not exist; give the path of a store that `qtd.sweep` has"
            " written."
        )
    kept = opened(path, "r")
    _check_axes(kept, path)
    return kept.soundness()


def _check_axes(store, path):
    torn = store.damaged_axes()
    if torn:
        raise _damaged(path, f"the values of its axis {torn[0]!r} are not those that were written")


def _damaged(path, what):
    return ValueError(f"`store` {str(path)!r} is damaged: {what}; delete it and compute again.")


def _read(array, where):
    """A part of an array; None if it cannot be read, for which codecs have all kinds of errors."""
    try:
        return np.asarray(array[where])
    except Exception:
        return None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep others from writing to a store as long as this lasts; the lock of a process that dies is
    gone with it."""
    if fcntl is None:
        yield
        return
    # written once; NFS locks no folders, and only files that are open for writing
    file = path / _FINISHED / "zarr.json"
    try:
        handle = os.open(file, os.O_RDWR)
    except OSError:  # read-only: whoever has nothing to write is welcome
        handle = os.open(file, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"`store` {str(path)!r} is being written by another sweep; wait for it, or choose"
                " another store."
            ) from None
        except OSError as error:
            warnings.warn(
                f"`store` {str(path)!r} cannot be locked ({error.strerror}); let no other sweep"
                " write to it.",
                stacklevel=2,
            )
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)  # also for processes that were forked meanwhile
        os.close(handle)


@contextlib.contextmanager
def _telling(what: str, path: Path | None) -> Iterator[None]:
    """Errors of the file system in one line that says what to do."""
    try:
        yield
    except OSError as error:
        able = "read" if what == "read" else "written to"
        remedy = (
            "free some space"
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            else f"choose a path that can be {able}"
        )
        kept = (
            "; what is finished is kept, and resume=True goes on from there"
            if what == "write to"
            else ""
        )
        told = OSError(
            f"Cannot {what} `store` {str(path)!r}: {error.strerror or error}; {remedy}{kept}."
        )
        told.errno = error.errno
        raise told from error


def _filled(group, axes, layout, outputs, identity, units):
    group.attrs.update(_plain(identity))
    group.create_group(_PROGRESS)
    for axis, size in zip(axes, layout.block):
        for path, values in axis.values.items():
            dims = axis.name, *(f"{path}.axis{i}" for i in range(values.ndim - 1))
            about = {"units": units[path], "long_name": path}
            chunks = size, *values.shape[1:]
            group.create_array(
                path,
                data=values,
                chunks=chunks,
                dimension_names=dims,
                attributes=about,
                compressors=_COMPRESSORS,
            )
        if axis.name not in axis.values:
            group.create_array(
                axis.name,
                data=np.arange(axis.points),
                dimension_names=(axis.name,),
                compressors=_COMPRESSORS,
            )
    dims = tuple(axis.name for axis in axes)
    for name, x in outputs.items():
        inner = tuple(f"{name}.axis{i}" for i in range(len(x.shape)))
        about = {"units": units.get(name, ""), "long_name": name} if name != "status" else _flags()
        group.create_array(
            name,
            shape=(*layout.shape, *x.shape),
            chunks=(*layout.block, *(max(n, 1) for n in x.shape)),
            dtype=x.dtype,
            fill_value=np.nan
            if np.issubdtype(x.dtype, np.inexact)
            else _UNKNOWN
            if name == "status"
            else None,
            dimension_names=(*dims, *inner),
            compressors=_COMPRESSORS,
            attributes=about | ({"coordinates": " ".join(_beside(axes))} if _beside(axes) else {}),
        )
    notes = {
        "identity": identity,
        "layout": dataclasses.astuple(layout),
        "names": list(outputs),
        "sweep": uuid.uuid4().hex,
    }
    about = {key: json.dumps(value) for key, value in notes.items()}
    each = {"shape": (layout.blocks,), "chunks": (1,), "compressors": _COMPRESSORS}
    group.create_array(_FINISHED, dtype=bool, fill_value=False, attributes=about, **each)
    group.create_array(_CHECKSUM, dtype=np.uint64, fill_value=0, **each)
    return group


def _beside(axes):
    """Coordinates that are not the index of their dimension."""
    return [path for axis in axes for path in axis.values if path != axis.name]


def _flags():
    """Flags by the conventions for climate and forecast metadata, which xarray and others read."""
    values = [_UNKNOWN, *(int(status) for status in Status)]
    return {
        "long_name": "status",
        "flag_values": values,
        "flag_meanings": " ".join(["NOT_COMPUTED", *(status.name for status in Status)]),
    }


def _plain(identity: dict[str, Any]) -> dict[str, str]:
    """The identity for people, without what only identifies."""
    shown = {
        key: value
        for key, value in identity.items()
        if key not in ("program", "values", "dimensions")
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in shown.items()
    }


def _difference(key, known, identity):
    old, new = known.get(key), identity[key]
    if isinstance(old, dict) and isinstance(new, dict):
        inner = next(name for name in {**old, **new} if old.get(name) != new.get(name))
        if key == "values":
            return f"its values of {inner} are not the same"
        return f"{key}: {inner} is {old.get(inner)} there and {new.get(inner)} here"
    if key == "program":
        return "its observables, or what the machine is made of, are not the same"
    return f"{key} is {old} there and {new} here"
