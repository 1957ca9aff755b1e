"""`qtd design`."""

import importlib.metadata
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np

import qtd

from .._machines import (
    FLOAT32,
    JSON,
    MACHINE,
    SETTINGS,
    as_number,
    build,
    defined,
    observable,
    observables_of,
    record_of,
    shown,
    values_of,
)
from .._outputs import interruptible, require_file, require_folder


@click.command("design")
@MACHINE
@click.option(
    "--maximize",
    "objective",
    metavar="NAME",
    help="What to make large, such as J_cold, COP, sigma, TUR_cold.",
)
@click.option(
    "--over",
    multiple=True,
    metavar="PATH=LOW:HIGH",
    help="A parameter to vary and its bounds; repeatable.",
)
@click.option(
    "--subject-to",
    "constraints",
    multiple=True,
    metavar="'NAME>=VALUE'",
    help="A constraint, >= or <=; repeatable.",
)
@click.option(
    "--starts",
    type=click.IntRange(1),
    help="Points to start from; the machine says how many by default.",
)
@click.option(
    "--steps", type=click.IntRange(1), help="Steps from each; the machine says how many by default."
)
@click.option("--seed", default=0, show_default=True, help="Which points.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("."),
    help="Directory for design.png and design.json.",
)
@SETTINGS
@JSON
@FLOAT32
def design(
    machine, objective, over, constraints, starts, steps, seed, out, settings, as_json, float32
) -> None:
    """Find the parameters that make a figure of merit largest, within bounds and under constraints.

    Without options: the machine's own problem, from filters too wide to cool to the largest cooling
    current at a required COP.
    """
    picture, numbers = out / "design.png", out / "design.json"
    require_folder("--out", out)
    for path in (picture, numbers):
        require_file("--out", path)
    with interruptible(
        lambda: (
            "nothing is kept of a design that is not finished; fewer --starts or --steps take less"
            " time"
        )
    ):
        bounds, limits = _bounds(over), _limits(constraints)
        problem = _problem(build(machine, settings, float32), objective, bounds, limits)
        best = qtd.design.maximize(
            problem.objective,
            problem.machine,
            problem.over,
            problem.subject_to,
            starts=starts or problem.starts,
            steps=steps or problem.steps,
            seed=seed,
            progress=sys.stderr.isatty(),
        )
        if not best.feasible:
            raise click.ClickException(f"{best.message}.")
        record = _design_record(machine, problem, best)
        numbers.write_text(json.dumps(record, indent=2) + "\n")
        qtd.plots.design_summary(best, problem.objective_name, machine).savefig(picture, dpi=120)
    if as_json:
        click.echo(json.dumps(record, indent=2))
        return
    click.echo(_design_report(machine, problem, best))
    click.echo(f"\nWritten: {picture}, {numbers}")


def _bounds(over) -> dict[str, tuple[float, float]]:
    bounds = dict(_interval(text) for text in over)
    if len(bounds) < len(over):
        raise click.UsageError("--over names a parameter twice; give each one interval.")
    return bounds


def _limits(constraints) -> list[tuple[str, str, float]]:
    """Observables as they were typed, >= or <=, and the limit."""
    found = []
    for text in constraints:
        match = re.fullmatch(r"\s*([\w.]+)\s*(>=|<=)\s*(\S+)\s*", text)
        if match is None:
            raise click.UsageError(f"--subject-to takes NAME>=VALUE or NAME<=VALUE, got {text!r}.")
        found.append((match[1], match[2], as_number(match[3], f"--subject-to {match[1]}")))
    return found


def _problem(machine, objective, bounds, constraints):
    named = observables_of(machine)
    limits = {}
    for typed, sign, value in constraints:
        name, function = observable(named, typed)
        low, high = limits.get(name, (function, None, None))[1:]
        if (low if sign == ">=" else high) is not None:
            raise click.UsageError(
                f"--subject-to limits {name} twice with {sign}; give it one such limit."
            )
        limits[name] = (function, value, high) if sign == ">=" else (function, low, value)
    if not (objective or bounds):
        default = qtd.design.problem(machine)
        return default._replace(subject_to=limits) if limits else default
    name, function = observable(named, objective or machine.design_problem().maximize)
    if bounds:
        return qtd.design.Problem(name, function, machine, bounds, limits)
    return qtd.design.problem(machine)._replace(
        objective_name=name, objective=function, machine=machine, subject_to=limits
    )


def _interval(text):
    path, separator, interval = text.partition("=")
    low, colon, high = interval.partition(":")
    if not (separator and colon):
        raise click.UsageError(f"--over takes PATH=LOW:HIGH, got {text!r}.")
    return path, (as_number(low, f"--over {path}"), as_number(high, f"--over {path}"))


def _design_record(name, problem, best) -> dict[str, Any]:
    return {
        "machine": name,
        "qtd": qtd.__version__,
        "jax": importlib.metadata.version("jax"),
        "objective": problem.objective_name,
        "value": float(best.value),
        "converged": best.converged,
        "message": best.message,
        "over": {path: list(bounds) for path, bounds in best.bounds.items()},
        "active_bounds": best.active_bounds,
        "subject_to": {
            key: {"low": low, "high": high, "value": float(best.constraints[key])}
            for key, (_, low, high) in problem.subject_to.items()
        },
        "active_constraints": list(best.active_constraints),
        "before": record_of(best.start),
        "after": record_of(best.machine),
        "history": [defined(x) for x in np.asarray(best.history.values, float)],
    }


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
        f"{best.message[0].upper()}{best.message[1:]}. Active constraints:"
        f" {', '.join(best.active_constraints) or 'none'}.",
        "",
    ]
    lines.append(f"{'parameter':<32}{'before':>14}{'after':>14}   bounds")
    start = qtd.parameters(best.start, best.parameters)
    for path, value in best.parameters.items():
        mark = f"  at its {best.active_bounds[path]} bound" if path in best.active_bounds else ""
        low, high = best.bounds[path]
        lines.append(
            f"{path:<32}{float(start[path]):>14.6g}{float(value):>14.6g}   [{low:g},"
            f" {high:g}]{mark}"
        )
    lines += [
        "",
        f"{'operating point':<32}{'before':>14}{'after':>14}   (currents positive out of a"
        " reservoir)",
    ]
    old, new = values_of(before), values_of(after)
    lines += [f"{key:<32}{shown(old[key])}{shown(new[key])}" for key in new]
    lines.append(f"{'mode':<32}{before.mode:>14}{after.mode:>14}")
    for label, point in (("before", before), ("after", after)):
        lines += ["", f"laws of thermodynamics, {label}"]
        lines += [
            f"  {law:<14}{value:>14.4g}   {text}:"
            f" {'undefined' if math.isnan(value) else 'ok' if holds else 'VIOLATED'}"
            for law, value, text, holds in point.laws()
        ]
    return "\n".join(lines)
