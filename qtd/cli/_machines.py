"""What commands share: machines by name, their settings, their observables as numbers and as
records."""

import difflib
import math
import re
import warnings
from typing import TYPE_CHECKING, Any

import click
import numpy as np

import qtd

from ._found import load, machines

if TYPE_CHECKING:
    from ..machines import AbstractMachine

ALIASES = {"j_c": "J_cold", "j_h": "J_hot", "j_w": "J_work"}
MACHINE = click.argument("machine", metavar="MACHINE")
SETTINGS = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change a parameter or option; repeatable.",
)
JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on stdout."
)
FLOAT32 = click.option("--float32", is_flag=True, help="Single precision.")


def kebab(name: str) -> str:
    """The name of a machine as it is typed: `CollectiveRefrigerator` is collective-refrigerator."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def build(name: str, settings: tuple[str, ...], float32: bool = False) -> Any:
    """The machine called `name`, a name or MODULE:CLASS, with `settings` PATH=VALUE, in single
    precision if `float32`; click's `UsageError` where there is no such thing."""
    known = machines()
    home = name if ":" in name else known.get(name) or known.get(kebab(name.replace("_", "-")))
    if home is None:
        close = difflib.get_close_matches(kebab(name), list(known), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise click.UsageError(
            f"no machine is called {name!r}; {hint}There is {', '.join(known)}, and MODULE:CLASS."
        )
    texts: dict[str, str] = {}
    for setting in settings:
        path, separator, text = setting.partition("=")
        if not separator:
            raise click.UsageError(f"--set takes PATH=VALUE, got {setting!r}.")
        if path in texts:
            raise click.UsageError(f"--set names {path!r} twice; give it one value.")
        texts[path] = text
    compute_in(float32)
    kind = load(home)
    try:
        machine = kind()
    except TypeError as error:
        raise click.UsageError(
            f"{name!r} cannot be built: every argument must have a default; {error}."
        ) from error
    static, numbers = options(machine), qtd.parameters(machine, texts)
    like = {path: np.asarray(value, float).tolist() for path, value in numbers.items()} | static
    changes = {
        path: _setting(text, like.get(path), f"--set {path}") for path, text in texts.items()
    }
    chosen = {path: value for path, value in changes.items() if path in static}
    if chosen:
        machine = kind(**{**{k: v for k, v in static.items() if v is not None}, **chosen})
    return qtd.replace(
        machine, {path: value for path, value in changes.items() if path not in static}
    )


def compute_in(float32: bool) -> None:
    """Single or double precision, from here on."""
    import jax

    jax.config.update("jax_enable_x64", not float32)
    warnings.filterwarnings("ignore", "qtd computes in single precision")  # it was asked for


def options(machine: "AbstractMachine") -> dict[str, Any]:
    """See `qtd.parameters.options`."""
    from ..parameters import options

    return options(machine)


def _setting(text: str, known: Any, label: str) -> Any:
    """A value of the kind of the one that is `known`: a name, several numbers with commas between,
    a whole number, or any number."""
    if isinstance(known, str):
        return text
    if isinstance(known, tuple):
        return tuple(_setting(part, known[0], label) for part in text.split(","))
    if isinstance(known, list):
        parts = re.sub(r"[\[\]\s]", "", text).split(",")
        numbers = np.array([as_number(part, label) for part in parts])
        # Of another size it is refused where the machine is changed, in the machine's own words.
        return numbers.reshape(np.shape(known)) if numbers.size == np.size(known) else numbers
    number = as_number(text, label)
    return int(number) if isinstance(known, int) and float(number).is_integer() else number


def parameters_of(machine: "AbstractMachine") -> dict[str, Any]:
    return {
        path: np.asarray(value, float).tolist() for path, value in qtd.parameters(machine).items()
    }


def observables_of(machine) -> dict[str, tuple[str, Any]]:
    """Names and functions of what can be asked for, by the names in small letters and by
    aliases."""
    known = {
        name.lower(): (name, function) for name, function in qtd.design.observables(machine).items()
    }
    return known | {
        alias: known[name.lower()] for alias, name in ALIASES.items() if name.lower() in known
    }


def observable(known, name: str) -> tuple[str, Any]:
    if name.strip().lower() not in known:
        names = dict.fromkeys(name for name, _ in known.values())
        raise click.UsageError(
            f"no observable is called {name.strip()!r}; there is {', '.join(names)}."
        )
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
    """A number as JSON has it: None, which prints as null, where it is not finite; no negative
    zeros."""
    return float(value) + 0.0 if math.isfinite(value) else None


def values_of(point) -> dict[str, float | None]:
    """The numbers of a result by name; None where one is not defined."""
    return {name: defined(each.value) for name, each in point.observables().items()}


def shown(value: float | None) -> str:
    return f"{'undefined' if value is None else f'{value:.6g}':>14}"


def record_of(machine) -> dict[str, Any]:
    point = machine.operate()
    return {
        "options": options(machine),
        "parameters": parameters_of(machine),
        "operating_point": {**values_of(point), "mode": point.mode, "status": int(point.status)},
        "laws": {
            law: {
                "value": None if math.isnan(value) else value,
                "statement": text,
                "holds": None if math.isnan(value) else bool(holds),
            }
            for law, value, text, holds in point.laws()
        },
    }
