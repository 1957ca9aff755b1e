"""Which machines and commands there are: the library's own, those of other packages, and any class
of a machine by its module."""

import ast
import functools
import importlib
import importlib.util
import pkgutil
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

import qtd

from . import _commands

# The entry points by which another package's machines and commands join.
MACHINES = "qtd.machines"
COMMANDS = "qtd.commands"


def machines() -> dict[str, str]:
    """MODULE:CLASS of each machine, by the name that is typed. Each of the library's own is the
    class that its file is called after."""
    others = {entry.name: f"{entry.module}:{entry.attr}" for entry in entry_points(group=MACHINES)}
    homes = [
        (home, name)
        for name, home in qtd.machines.HOMES.items()
        if home.replace("_", "") == name.lower()
    ]
    return others | {home.replace("_", "-"): f"qtd.machines.{home}:{name}" for home, name in homes}


def summaries() -> dict[str, str]:
    """What the machines are, a line each, out of their files: to import them takes a second."""
    return {typed: _summary(value) for typed, value in machines().items()}


def load(value: str) -> Any:
    """The class at MODULE:CLASS, modules beside where the command is called included."""
    module, _, name = value.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        kind = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever another package does when it is imported
        raise click.UsageError(f"there is no machine {value!r}: {error}.") from error
    if not (isinstance(kind, type) and hasattr(kind, "operate")):
        raise click.UsageError(
            f"{value!r} is no machine: it must be a class with `operate`, such as a"
            " `qtd.machines.AbstractMachine`."
        )
    return kind


def _summary(value):
    """The first paragraph of its docstring, or where it is, if that cannot be read."""
    module, _, name = value.partition(":")
    path = _path_of(module)
    try:
        tree = (
            ast.parse(path.read_text(encoding="utf-8")) if path is not None else ast.Module([], [])
        )
    except (OSError, SyntaxError, ValueError):
        return value
    kinds = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    paragraph, _, _ = (
        (ast.get_docstring(kinds[0]) or "").partition("\n\n") if kinds else ("", "", "")
    )
    return " ".join(paragraph.split()) or value


def _path_of(module):
    """The file of a module, without importing what it is part of."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    places = [Path(folder, *rest) for folder in spec.submodule_search_locations or ()]
    found = [path for place in places for path in (place.with_suffix(".py"), place / "__init__.py")]
    return next(
        (path for path in found if path.is_file()),
        Path(spec.origin) if spec.origin and not rest else None,
    )


class Commands(click.Group):
    """The group of commands: those in the files of `_commands`, and those of other packages, which
    are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in order."""
        return sorted({*_own_commands(), *_other_commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None where there is none."""
        if cmd_name in _own_commands():
            return _own_commands()[cmd_name]
        entry = _other_commands().get(cmd_name)
        return None if entry is None else _loaded(entry)


@functools.cache
def _own_commands():
    """Commands by name, all that in the files of `_commands`."""
    modules = [
        importlib.import_module(f"{_commands.__name__}.{name}")
        for _, name, _ in pkgutil.iter_modules(_commands.__path__)
    ]
    kept = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, click.Command)
    ]
    return {str(command.name): command for command in kept}


def _other_commands():
    return {entry.name: entry for entry in entry_points(group=COMMANDS)}


def _loaded(entry):
    """The command of another package; one that says what is wrong where it cannot be loaded."""
    try:
        command = entry.load()
        if isinstance(command, click.Command):
            return command
        reason = "it is no click.Command"
    except Exception as error:  # whatever another package does when it is imported
        reason = str(error)

    def refuse():
        raise click.UsageError(
            f"the command {entry.name!r} of {entry.value} cannot be used: {reason}."
        )

    return click.Command(entry.name, callback=refuse, short_help="cannot be used")
