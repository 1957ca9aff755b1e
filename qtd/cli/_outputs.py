"""What commands leave behind: whether it can be written, before anything is computed, and what is
kept of it after Ctrl-C."""

import _thread
import contextlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import click


class Interrupted(click.ClickException):
    """Ctrl-C, with a line that says what is kept and how to go on."""

    exit_code = 130


@contextlib.contextmanager
def every_interrupt() -> Iterator[None]:
    """Ctrl-C comes again where Python drops it: an exception in a callback, such as jax's when
    garbage is collected, is only printed."""

    def drop(dropped):
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            known(dropped)
            return
        again = threading.Timer(0.05, _thread.interrupt_main)
        again.daemon = True
        again.start()

    known, sys.unraisablehook = sys.unraisablehook, drop
    try:
        yield
    finally:
        sys.unraisablehook = known


@contextlib.contextmanager
def interruptible(told: Callable[[], str]) -> Iterator[None]:
    """Ctrl-C ends a command with what is `told` then."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(told()) from error


def require_folder(option: str, folder: Path) -> None:
    """Refuse an option that names a folder which is none or cannot be written to."""
    if not folder.is_dir():
        raise click.UsageError(
            f"{option} must be a directory that can be written to, got {str(folder)!r}, which is"
            " none; make it first."
        )
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        told = (
            f"{option} must be in a directory that can be written to, got {str(folder)!r}:"
            f" {error.strerror}; choose another."
        )
        raise click.UsageError(told) from error


def require_file(option: str, path: Path) -> None:
    """Refuse an option that names a file which cannot be written."""
    require_folder(option, path.parent)
    if path.is_dir():
        raise click.UsageError(
            f"{option} must be a file, got {str(path)!r}, which is a directory; add a name."
        )
    if path.exists():
        try:
            path.open("ab").close()
        except OSError as error:
            raise click.UsageError(
                f"{option} cannot be written to {str(path)!r}: {error.strerror}; choose another"
                " path."
            ) from error


def require_picture(option: str, path: Path) -> None:
    """Refuse an option that names a picture which cannot be written, or of a kind that cannot be
    drawn."""
    from matplotlib.figure import Figure

    kinds = Figure().canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        raise click.UsageError(
            f"{option} must end in one of {', '.join(f'.{kind}' for kind in sorted(kinds))}, got"
            f" {str(path)!r}."
        )
    require_file(option, path)


def require_store(option: str, path: Path, resume: bool) -> None:
    """Refuse a store that exists, unless it is to be resumed, or that cannot be made."""
    if path.exists() and not resume:
        raise click.UsageError(
            f"{option} {str(path)!r} exists; finish it with --resume, delete it, or choose another"
            " path."
        )
    if not path.exists():
        require_folder(
            option, next(folder for folder in path.absolute().parents if folder.exists())
        )
