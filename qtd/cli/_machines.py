"""What commands share: machines by name, their settings, their figures as numbers and as records."""

import difflib
import inspect
import math
import re
import warnings
from typing import Any

import click
import jax
import numpy as np

import qtd

from ..machines import AbstractMachine
from ..parameters import options

ALIASES = {"j_c": "J_cold", "j_h": "J_hot", "j_w": "J_work"}
MACHINE = click.argument("machine", metavar="MACHINE")
SETTINGS = click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a parameter or option; repeatable.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on stdout.")
FLOAT32 = click.option("--float32", is_flag=True, help="Single precision.")


def machine_kinds() -> dict[str, type[AbstractMachine]]:
    found = (getattr(qtd.machines, name) for name in qtd.machines.__all__)
    machines = [kind for kind in found if isinstance(kind, type) and issubclass(kind, AbstractMachine) and not inspect.isabstract(kind)]
    return {kebab(kind.__name__): kind for kind in machines}


def kebab(name: str) -> str:
    """The name of a machine as it is typed: `CollectiveRefrigerator` is collective-refrigerator."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def build(name: str, settings: tuple[str, ...], float32: bool) -> AbstractMachine:
    jax.config.update("jax_enable_x64", not float32)
    warnings.filterwarnings("ignore", "qtd computes in single precision")  # it was asked for
    kinds, asked = machine_kinds(), name
    name = kebab(name.replace("_", "-"))
    if name not in kinds:
        close = difflib.get_close_matches(name, list(kinds), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise click.UsageError(f"no machine is called {asked!r}; {hint}There is {', '.join(kinds)}.")
    machine, changes = kinds[name](), {}
    static = options(machine)
    known = qtd.parameters(machine, [setting.partition("=")[0] for setting in settings])
    for setting in settings:
        path, separator, text = setting.partition("=")
        if not separator:
            raise click.UsageError(f"--set takes PATH=VALUE, got {setting!r}.")
        if path in changes:
            raise click.UsageError(f"--set names {path!r} twice; give it one value.")
        like = static[path] if path in static else np.asarray(known[path], float).tolist() if path in known else None
        changes[path] = _setting(text, like, f"--set {path}")
    chosen = {path: value for path, value in changes.items() if path in static}
    if chosen:
        machine = kinds[name](**{**{k: v for k, v in static.items() if v is not None}, **chosen})
    return qtd.replace(machine, {path: value for path, value in changes.items() if path not in static})


def _setting(text: str, known: Any, label: str) -> Any:
    """A value of the kind of the one that is `known`: a name, several numbers with commas between, a whole number, or any number."""
    if isinstance(known, str):
        return text
    if isinstance(known, tuple):
        return tuple(_setting(part, first, label) for part, first in ((part, known[0]) for part in text.split(",")))
    if isinstance(known, list):
        numbers = np.array([as_number(part, label) for part in re.sub(r"[\[\]\s]", "", text).split(",")])
        return numbers.reshape(np.shape(known)) if numbers.size == np.size(known) else numbers
    number = as_number(text, label)
    return int(number) if isinstance(known, int) and float(number).is_integer() else number


def parameters_of(machine: AbstractMachine) -> dict[str, Any]:
    return {path: np.asarray(value, float).tolist() for path, value in qtd.parameters(machine).items()}


def observables_of(machine) -> dict[str, tuple[str, Any]]:
    """Names and functions of what can be asked for, by the names in small letters and by aliases."""
    known = {name.lower(): (name, function) for name, function in qtd.design.observables(machine).items()}
    return known | {alias: known[name.lower()] for alias, name in ALIASES.items() if name.lower() in known}


def observable(known, name: str) -> tuple[str, Any]:
    if name.strip().lower() not in known:
        names = dict.fromkeys(name for name, _ in known.values())
        raise click.UsageError(f"no observable is called {name.strip()!r}; there is {', '.join(names)}.")
    return known[name.strip().lower()]


def as_number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise click.UsageError(f"{where} takes a number, got {text!r}.") from None
    if not math.isfinite(value):
        raise click.UsageError(f"{where} takes a finite number, got {text!r}.")
    return value


def defined(value: float) -> float | None:
    """A number as JSON has it: None, which prints as null, where it is not finite; no negative zeros."""
    return float(value) + 0.0 if math.isfinite(value) else None


def figures_of(point) -> dict[str, float | None]:
    """The numbers of a result by name; None where one is not defined."""
    return {name: defined(value) for name, value in point.figures().items()}


def shown(value: float | None) -> str:
    return f"{'undefined' if value is None else f'{value:.6g}':>14}"


def record_of(machine) -> dict[str, Any]:
    point = machine.operate()
    return {
        "options": options(machine),
        "parameters": parameters_of(machine),
        "operating_point": {**figures_of(point), "mode": point.mode, "status": int(point.status)},
        "laws": {
            law: {"value": None if math.isnan(value) else value, "statement": text, "holds": None if math.isnan(value) else bool(holds)}
            for law, value, text, holds in point.laws()
        },
    }
