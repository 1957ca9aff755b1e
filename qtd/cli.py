"""The `qtd` command: list the machines, show one, design one, sweep one."""

import inspect
import json
import math
import os
import re
import sys
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np

import qtd

from .machines import AbstractMachine

__all__ = ["commands", "main"]

_ALIASES = {"j_c": "J_cold", "j_h": "J_hot", "j_w": "J_work"}
_MACHINE = click.argument("machine", metavar="MACHINE")
_SETTINGS = click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a parameter or option; repeatable.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on stdout.")
_FLOAT32 = click.option("--float32", is_flag=True, help="Single precision.")


def main(arguments: list[str] | None = None) -> None:
    """Run the command; bad input ends with exit code 2 and one line on stderr."""
    try:
        sys.exit(commands.main(arguments, prog_name="qtd", standalone_mode=False) or 0)
    except click.ClickException as error:
        message = error.format_message()
    except (ValueError, OSError) as error:
        message = str(error)
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    click.echo(f"qtd: error: {' '.join(message.split())}", err=True)
    sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(qtd.__version__)
def commands() -> None:
    """Differentiable thermodynamics of small quantum machines."""


@commands.command("list")
@_JSON
def list_machines(as_json: bool) -> None:
    """The machines, by name."""
    machines = {name: (kind.__doc__ or "").strip().splitlines()[0] for name, kind in _kinds().items()}
    click.echo(json.dumps(machines, indent=2) if as_json else "\n".join(f"{name:<26} {text}" for name, text in machines.items()))


@commands.command("show")
@_MACHINE
@_SETTINGS
@_JSON
@_FLOAT32
def show(machine: str, settings: tuple[str, ...], as_json: bool, float32: bool) -> None:
    """Parameters, their paths and values, and the operating point of a machine."""
    built = _build(machine, settings, float32)
    if as_json:
        click.echo(json.dumps({"machine": machine, **_record(built)}, indent=2))
        return
    click.echo(f"{machine}\n\nOptions and parameters (change with --set PATH=VALUE)")
    for path, value in {**_options(built), **_parameters(built)}.items():
        click.echo(f"  {path:<34} {f'{value:.10g}' if isinstance(value, float) else value}")
    click.echo(f"\n{built.operate()!r}")


@commands.command("design")
@_MACHINE
@click.option("--maximize", "objective", metavar="NAME", help="What to make large, such as J_cold, COP, sigma, TUR_cold.")
@click.option("--over", multiple=True, metavar="PATH=LOW:HIGH", help="A parameter to vary and its bounds; repeatable.")
@click.option("--subject-to", "constraints", multiple=True, metavar="'NAME>=VALUE'", help="A constraint, >= or <=; repeatable.")
@click.option("--starts", type=click.IntRange(1), help="Points to start from; the machine says how many by default.")
@click.option("--steps", type=click.IntRange(1), help="Steps from each; the machine says how many by default.")
@click.option("--seed", default=0, show_default=True, help="Which points.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("."), help="Directory for design.png and design.json.")
@_SETTINGS
@_JSON
@_FLOAT32
def design(machine, objective, over, constraints, starts, steps, seed, out, settings, as_json, float32) -> None:
    """Find the parameters that make a figure of merit largest, within bounds and under constraints.

    Without options: the machine's own problem, from filters too wide to cool to the largest cooling current at a required COP.
    """
    built = _build(machine, settings, float32)
    problem = _problem(built, objective, over, constraints)
    if not out.is_dir() or not os.access(out, os.W_OK):
        raise click.UsageError(f"--out must be a directory that can be written to, got {str(out)!r}.")
    show_bar = sys.stderr.isatty()
    best = qtd.design.maximize(
        problem.objective,
        problem.machine,
        problem.over,
        problem.subject_to,
        starts=starts or problem.starts,
        steps=steps or problem.steps,
        seed=seed,
        progress=show_bar,
    )
    if not best.feasible:
        raise click.ClickException(f"{best.message}.")
    record = _design_record(machine, problem, best)
    (out / "design.json").write_text(json.dumps(record, indent=2) + "\n")
    qtd.plots.design_summary(best, problem.objective_name, machine).savefig(out / "design.png", dpi=120)
    if as_json:
        click.echo(json.dumps(record, indent=2))
        return
    click.echo(_design_report(machine, problem, best))
    click.echo(f"\nWritten: {out / 'design.png'}, {out / 'design.json'}")


@commands.command("sweep")
@_MACHINE
@click.option("--over", multiple=True, metavar="PATH=LOW:HIGH:COUNT[:log]", help="A parameter and its values; repeatable, for a grid.")
@click.option(
    "--observe", multiple=True, metavar="NAME", help="What to record, such as J_cold, COP, sigma; repeatable. Default: everything."
)
@click.option("--store", type=click.Path(path_type=Path), help="A Zarr store to write to. Without it, a table on stdout.")
@click.option("--resume", is_flag=True, help="Finish the store of the same sweep, if there is one.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the first observable: a map over two parameters, a curve over one.")
@_SETTINGS
@_JSON
@_FLOAT32
def sweep(machine, over, observe, store, resume, picture, settings, as_json, float32) -> None:
    """Compute a machine on a grid of its parameters."""
    built = _build(machine, settings, float32)
    grid = dict(_values(text) for text in over)
    if not grid:
        raise click.UsageError("--over must name a parameter, as in --over cold.temperature=0.3:1:100.")
    if len(grid) < len(over):
        raise click.UsageError("--over names a parameter twice; give each one range.")
    if resume and store is None:
        raise click.UsageError("--resume needs the --store to go on with.")
    varied = sum(len(values) > 1 for values in grid.values())
    if picture is not None and (varied not in (1, 2) or not os.access(picture.parent, os.W_OK)):
        raise click.UsageError(
            f"--picture takes one or two parameters, got {varied}, and a folder that can be written to, for {str(picture)!r}."
        )
    named = _observables(built)
    names = [_named(named, name)[0] for name in observe] or list(dict(named.values()))
    found = qtd.sweep(built, grid, names, store=store, resume=resume, progress=sys.stderr.isatty())
    if picture is not None:
        draw = qtd.plots.operating_map if varied == 2 else qtd.plots.lines
        draw(found, names[0]).savefig(picture, dpi=120)
    if store is None and not as_json:
        click.echo(found.to_dataframe(dim_order=list(grid)).to_csv(), nl=False)
        return
    record = _sweep_record(machine, found, store)
    click.echo(json.dumps(record, indent=2) if as_json else _sweep_report(record))


def _kinds() -> dict[str, type[AbstractMachine]]:
    found = (getattr(qtd.machines, name) for name in qtd.machines.__all__)
    machines = [kind for kind in found if isinstance(kind, type) and issubclass(kind, AbstractMachine) and not inspect.isabstract(kind)]
    return {re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in machines}


def _build(name: str, settings: tuple[str, ...], float32: bool) -> AbstractMachine:
    jax.config.update("jax_enable_x64", not float32)
    kinds = _kinds()
    if name not in kinds:
        raise click.UsageError(f"no machine is called {name!r}; there is {', '.join(kinds)}.")
    machine, changes = kinds[name](), {}
    options, known = _options(machine), _parameters(machine)
    for setting in settings:
        path, separator, text = setting.partition("=")
        if not separator:
            raise click.UsageError(f"--set takes PATH=VALUE, got {setting!r}.")
        changes[path] = _setting(text, options.get(path, known.get(path)), f"--set {path}")
    static = {path: value for path, value in changes.items() if path in options}
    if static:
        machine = kinds[name](**{**{k: v for k, v in options.items() if v is not None}, **static})
    return qtd.replace(machine, {path: value for path, value in changes.items() if path not in options})


def _setting(text: str, known: Any, label: str) -> Any:
    """A value of the kind of the one that is `known`: a name, several numbers with commas between, a whole number, or any number."""
    if isinstance(known, str):
        return text
    if isinstance(known, tuple):
        return tuple(_setting(part, first, label) for part, first in ((part, known[0]) for part in text.split(",")))
    if isinstance(known, list):
        numbers = np.array([_number(part, label) for part in text.split(",")])
        return numbers.reshape(np.shape(known)) if numbers.size == np.size(known) else numbers
    number = _number(text, label)
    return int(number) if isinstance(known, int) and float(number).is_integer() else number


def _options(machine: AbstractMachine) -> dict[str, Any]:
    """What a machine is built with that is no number: sizes and names."""
    known = {path.partition(".")[0] for path in qtd.parameters(machine)}
    asked = inspect.signature(type(machine)).parameters
    return {name: value for name, value in vars(machine).items() if name in asked and name not in known}


def _parameters(machine: AbstractMachine) -> dict[str, Any]:
    return {path: np.asarray(value, float).tolist() for path, value in qtd.parameters(machine).items()}


def _problem(machine, objective, over, constraints):
    named = _observables(machine)
    bounds = dict(_bounds(text) for text in over)
    limits = {}
    for text in constraints:
        match = re.fullmatch(r"\s*([\w.]+)\s*(>=|<=)\s*(\S+)\s*", text)
        if match is None:
            raise click.UsageError(f"--subject-to takes NAME>=VALUE or NAME<=VALUE, got {text!r}.")
        name, function = _named(named, match[1])
        low, high = limits.get(name, (function, None, None))[1:]
        value = _number(match[3], f"--subject-to {name}")
        limits[name] = (function, value, high) if match[2] == ">=" else (function, low, value)
    if not (objective or bounds):
        default = qtd.design.problem(machine)
        return default._replace(subject_to=limits) if limits else default
    name, function = _named(named, objective or "J_cold")
    if bounds:
        return qtd.design.Problem(name, function, machine, bounds, limits)
    return qtd.design.problem(machine)._replace(objective_name=name, objective=function, machine=machine, subject_to=limits)


def _observables(machine) -> dict[str, tuple[str, Any]]:
    """Names and functions of what can be asked for, by the names in small letters and by aliases."""
    named = {name.lower(): (name, function) for name, function in qtd.design.observables(machine).items()}
    return named | {alias: named[name.lower()] for alias, name in _ALIASES.items() if name.lower() in named}


def _named(named, name: str) -> tuple[str, Any]:
    if name.strip().lower() not in named:
        known = dict.fromkeys(known for known, _ in named.values())
        raise click.UsageError(f"no observable is called {name.strip()!r}; there is {', '.join(known)}.")
    return named[name.strip().lower()]


def _values(text):
    path, separator, numbers = text.partition("=")
    low, high, count, *scale = numbers.split(":") if numbers.count(":") in (2, 3) else ("", "", "", "?")
    if not separator or scale not in ([], ["log"]) or not count.isdigit() or int(count) < 1:
        raise click.UsageError(f"--over takes PATH=LOW:HIGH:COUNT or PATH=LOW:HIGH:COUNT:log, got {text!r}.")
    first, last = (_number(x, f"--over {path}") for x in (low, high))
    if scale and min(first, last) <= 0:
        raise click.UsageError(f"--over {path} is logarithmic and takes positive bounds, got {text!r}.")
    return path, (np.geomspace if scale else np.linspace)(first, last, int(count))


def _bounds(text):
    path, separator, interval = text.partition("=")
    low, colon, high = interval.partition(":")
    if not (separator and colon):
        raise click.UsageError(f"--over takes PATH=LOW:HIGH, got {text!r}.")
    return path, (_number(low, f"--over {path}"), _number(high, f"--over {path}"))


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise click.UsageError(f"{where} takes a number, got {text!r}.") from None
    if not math.isfinite(value):
        raise click.UsageError(f"{where} takes a finite number, got {text!r}.")
    return value


def _figures(point) -> dict[str, float | None]:
    """The numbers of a result by name; None where one is not defined."""
    values = {name: float(value) + 0.0 for name, value in point.figures().items()}  # no negative zeros
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _shown(value: float | None) -> str:
    return f"{'undefined' if value is None else f'{value:.6g}':>14}"


def _record(machine) -> dict[str, Any]:
    point = machine.operate()
    return {
        "options": _options(machine),
        "parameters": _parameters(machine),
        "operating_point": {**_figures(point), "mode": point.mode, "status": int(point.status)},
        "laws": {law: {"value": value, "statement": text, "holds": bool(holds)} for law, value, text, holds in point.laws()},
    }


def _design_record(name, problem, best) -> dict[str, Any]:
    return {
        "machine": name,
        "qtd": qtd.__version__,
        "jax": jax.__version__,
        "objective": problem.objective_name,
        "value": float(best.value),
        "converged": best.converged,
        "message": best.message,
        "over": {path: list(bounds) for path, bounds in best.bounds.items()},
        "active_bounds": best.active_bounds,
        "subject_to": {
            key: {"low": low, "high": high, "value": float(best.constraints[key])} for key, (_, low, high) in problem.subject_to.items()
        },
        "active_constraints": list(best.active_constraints),
        "before": _record(best.start),
        "after": _record(best.machine),
        "history": [None if not math.isfinite(x) else x for x in np.asarray(best.history.values, float).tolist()],
    }


def _sweep_record(name, found, store) -> dict[str, Any]:
    largest = {}
    for key in (key for key in found if key != "status"):
        best = found[key].where(np.isfinite(found[key]), -np.inf).argmax(...)
        where = {path: float(found[path][best[path]]) for path in found[key].dims}
        value = float(found[key][best]) + 0.0
        largest[key] = {"value": value if math.isfinite(value) else None, "units": found[key].attrs["units"], "at": where}
    codes, counts = np.unique(found.status, return_counts=True)
    return {
        "machine": name,
        "points": int(found.status.size),
        "status": {qtd.Status(int(code)).name: int(count) for code, count in zip(codes, counts)},
        "largest": largest,
        "store": None if store is None else str(store),
    }


def _sweep_report(record) -> str:
    lines = [f"{record['machine']}: {record['points']} points ({', '.join(f'{n} {name}' for name, n in record['status'].items())})", ""]
    for name, best in record["largest"].items():
        at = ", ".join(f"{path} = {value:.6g}" for path, value in best["at"].items())
        lines.append(f"largest {name:<16} {_shown(best['value'])} {best['units']:<4} at {at}")
    return "\n".join([*lines, "", f"Written: {record['store']}"])


def _design_report(name, problem, best) -> str:
    before, after = best.start.operate(), best.machine.operate()
    limits = [
        f"{key} {sign} {limit:g}"
        for key, (_, low, high) in problem.subject_to.items()
        for sign, limit in ((">=", low), ("<=", high))
        if limit is not None
    ]
    lines = [f"{name}: {', '.join([f'largest {problem.objective_name}', *limits])}"]
    lines += [
        f"{best.message[0].upper()}{best.message[1:]}. Active constraints: {', '.join(best.active_constraints) or 'none'}.",
        "",
    ]
    lines.append(f"{'parameter':<32}{'before':>14}{'after':>14}   bounds")
    start = qtd.parameters(best.start)
    for path, value in best.parameters.items():
        mark = f"  at its {best.active_bounds[path]} bound" if path in best.active_bounds else ""
        low, high = best.bounds[path]
        lines.append(f"{path:<32}{float(start[path]):>14.6g}{float(value):>14.6g}   [{low:g}, {high:g}]{mark}")
    lines += ["", f"{'operating point':<32}{'before':>14}{'after':>14}   (currents positive out of a reservoir)"]
    old, new = _figures(before), _figures(after)
    lines += [f"{key:<32}{_shown(old[key])}{_shown(new[key])}" for key in new]
    lines.append(f"{'mode':<32}{before.mode:>14}{after.mode:>14}")
    for label, point in (("before", before), ("after", after)):
        lines += ["", f"laws of thermodynamics, {label}"]
        lines += [f"  {law:<14}{value:>14.4g}   {text}: {'ok' if holds else 'VIOLATED'}" for law, value, text, holds in point.laws()]
    return "\n".join(lines)
