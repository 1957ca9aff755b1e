"""Compiled programs, kept in the user's cache folder: what a command has compiled once, it reads
the next time."""

import hashlib
import importlib.metadata
import os
import platform
import sys
import tempfile
import warnings
from pathlib import Path

import platformdirs

_BYTES = 1 << 29


def keep_compiled_programs() -> None:
    """Those of this process and of all that it starts. Not where jax has a folder of its own, nor
    where none can be written to."""
    if _folder_of_jax() is not None:
        return
    folder = platformdirs.user_cache_path("qtd", appauthor=False) / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_oldest(folder, _BYTES)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return
    # An entry that was not written to its end is compiled again.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    keep_in(folder / kind_of_computer())


def keep_in(folder: Path) -> None:
    """All programs, however small, in this folder."""
    set_for_all("jax_compilation_cache_dir", str(folder))
    set_for_all("jax_persistent_cache_min_compile_time_secs", 0.0)
    set_for_all("jax_persistent_cache_min_entry_size_bytes", -1)


def set_for_all(option: str, value) -> None:
    """An option of jax, for this process and those that it starts."""
    if "jax" in sys.modules:
        sys.modules["jax"].config.update(option, value)
    os.environ[option.upper()] = str(value)  # jax reads it when it is imported


def _folder_of_jax():
    """The folder where jax keeps compiled programs already."""
    option = "jax_compilation_cache_dir"
    return (
        getattr(sys.modules["jax"].config, option)
        if "jax" in sys.modules
        else os.environ.get(option.upper())
    )


def kind_of_computer() -> str:
    """A name for what can run the same compiled programs: versions and processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        processor = platform.processor()
    versions = [importlib.metadata.version(name) for name in ("jax", "jaxlib")]
    return hashlib.sha256("".join([*versions, platform.machine(), processor]).encode()).hexdigest()[
        :16
    ]


def remove_oldest(folder: Path, most: int) -> None:
    """What was written first goes first, until the folder holds no more than `most` bytes."""
    sizes = []
    for path in folder.rglob("*-cache"):
        try:
            sizes.append((path.stat(), path))
        except FileNotFoundError:  # another process has been here
            continue
    excess = sum(stat.st_size for stat, _ in sizes) - most
    for stat, path in sorted(sizes, key=lambda entry: entry[0].st_mtime):
        if excess <= 0:
            break
        excess -= stat.st_size
        path.unlink(missing_ok=True)
