"""`qtd design`."""

import json
import re
from pathlib import Path
from typing import Any

import click

import qtd

from .._designs import (
    design_record,
    design_report,
    front_record,
    front_report,
    reference_record,
    reference_report,
)
from .._machines import (
    FLOAT32,
    JSON,
    MACHINE,
    SETTINGS,
    as_number,
    build,
    compute_in,
    observable,
    observables_of,
)
from .._outputs import Interrupted, interruptible, require_file, require_folder


@click.command("design")
@MACHINE
@click.option(
    "--maximize",
    "largest",
    metavar="NAME",
    help="What to make large, such as J_cold, COP, power, efficiency.",
)
@click.option(
    "--minimize", "smallest", metavar="NAME", help="What to make small, such as sigma, TUR_cold."
)
@click.option(
    "--pareto",
    metavar="NAME,NAME",
    help="A front between two or three; a minus sign before a name makes it small. The machine's"
    " own limits of these do not count.",
)
@click.option("--points", type=click.IntRange(2), default=24, help="Designs on the front.")
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
    help="A constraint, >= or <=; repeatable. Without --over the machine's own limit of validity"
    " stays, unless another is given.",
)
@click.option(
    "--tolerance",
    multiple=True,
    metavar="PATH=SIGMA",
    help="A relative error of the workshop (or SIGMA:absolute); repeatable.",
)
@click.option(
    "--measure",
    default="worst",
    show_default=True,
    help="What counts of its machines: worst, mean, mean-2sigma, or a quantile such as 0.05.",
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
@click.option("--resume", is_flag=True, help="Go on with a design that was interrupted.")
@click.option("--reference", is_flag=True, help="Print the machine's reference designs, again.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("."),
    help="Directory for design.png, design.html and design.json.",
)
@SETTINGS
@JSON
@FLOAT32
def design(
    machine, largest, smallest, pareto, points, over, constraints, tolerance, measure, starts,
    steps, seed, resume, reference, out, settings, as_json, float32,
) -> None:  # fmt: skip
    """Find the parameters that make a figure of merit largest, within bounds and under constraints.

    Without options: the machine's own problem, from filters too wide to cool to the largest cooling
    current at a required COP, where its rates stay well below what they must.
    """
    if sum(map(bool, (largest, smallest, pareto, reference))) > 1:
        raise click.UsageError("--maximize, --minimize, --pareto and --reference exclude another.")
    if reference:
        _print_reference(machine, as_json, float32)
        return
    require_folder("--out", out)
    files = {name: out / f"design.{name}" for name in ("png", "html", "json")}
    kept = out / "design.search.npz"
    for path in files.values():
        require_file("--out", path)
    if resume and not kept.is_file():
        raise click.UsageError(
            f"--resume finds no {kept}; there is one where a design was interrupted."
        )
    bounds, limits = _bounds(over), _limits(constraints)
    effort: dict[str, Any] = {"starts": starts, "steps": steps, "seed": seed, "progress": True}
    told = "nothing is kept of a design of which no step is finished"
    with interruptible(lambda: told):
        built = build(machine, settings, float32)
        if pareto:
            _front(machine, built, pareto, points, bounds, limits, effort, files, as_json)
            return
        problem = _problem(built, largest, smallest, bounds, limits)
        search = qtd.design.maximize if problem.is_largest else qtd.design.minimize
        best = search(
            problem.objective,
            problem.machine,
            problem.over,
            problem.subject_to,
            starts=starts or problem.starts,
            steps=steps or problem.steps,
            seed=seed,
            progress=True,
            tolerance=_tolerance(tolerance),
            measure=_measure(measure),
            resume=kept if resume else None,
        )
        if best.interrupted:
            qtd.design.keep_search(best, kept)
        elif not best.feasible:
            raise click.ClickException(f"{best.message}.")
        findings = [] if best.interrupted else qtd.audits.with_explicit_filters(best.machine)
        record = design_record(machine, problem, best, findings)
        files["json"].write_text(json.dumps(record, indent=2) + "\n")
        picture = qtd.plots.design_summary(best, problem.objective_name, machine)
        picture.savefig(files["png"], dpi=120)
        report = design_report(machine, problem, best, findings)
        page = qtd.report.design_page(best, problem.objective_name, machine, report, picture)
        files["html"].write_text(page, encoding="utf-8")
    if best.interrupted:
        raise Interrupted(
            f"the best so far is kept in {files['json']}; the same command with --resume goes on"
        )
    kept.unlink(missing_ok=True)
    if as_json:
        click.echo(json.dumps(record, indent=2))
        return
    click.echo(report)
    click.echo(f"\nWritten: {', '.join(map(str, files.values()))}")


def _front(name, machine, pareto, points, bounds, limits, effort, files, as_json):
    """A front, printed and drawn."""
    named = observables_of(machine)
    wanted = dict(_signed(named, text) for text in pareto.split(","))
    problem = _problem(machine, None, None, bounds, limits)
    # The machine's own limits of what the front is about would cut it off.
    free = {key.removeprefix("-") for key in wanted if not limits}
    asked = {key: limit for key, limit in problem.subject_to.items() if key not in free}
    known = {key: value for key, value in effort.items() if value is not None}
    front = qtd.design.pareto_front(
        wanted, problem.machine, problem.over, asked, points=points, **known
    )
    record = front_record(name, front)
    files["json"].write_text(json.dumps(record, indent=2) + "\n")
    qtd.plots.pareto(front).savefig(files["png"], dpi=120)
    if as_json:
        click.echo(json.dumps(record, indent=2))
        return
    click.echo(front_report(name, front))
    click.echo(f"\nWritten: {files['png']}, {files['json']}")


def _signed(named, text):
    """An objective, to be small with a minus sign."""
    name, function = observable(named, text.strip().removeprefix("-"))
    if not text.strip().startswith("-"):
        return name, function
    return f"-{name}", lambda machine: -function(machine)


def _print_reference(machine, as_json, float32):
    compute_in(float32)
    try:
        record = reference_record(qtd.design.reference(machine))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(json.dumps(record, indent=2) if as_json else reference_report(record))


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


def _tolerance(texts):
    """Standard deviations by path, None without any."""
    found = {}
    for text in texts:
        path, separator, sigma = text.partition("=")
        number, colon, kind = sigma.partition(":")
        if not separator or kind not in ("", "absolute", "relative") or bool(colon) != bool(kind):
            raise click.UsageError(
                f"--tolerance takes PATH=SIGMA or PATH=SIGMA:absolute, got {text!r}."
            )
        value = as_number(number, f"--tolerance {path}")
        found[path] = (value, kind) if kind else value
    return found or None


def _measure(text):
    try:
        return float(text)
    except ValueError:
        return text


def _problem(machine, largest, smallest, bounds, constraints):
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
    wanted = observable(named, largest or smallest) if largest or smallest else None
    if bounds and wanted:
        return qtd.design.Problem(*wanted, machine, bounds, limits, is_largest=not smallest)
    default = qtd.design.problem(machine)
    if bounds:
        own = default.objective_name, default.objective
        return qtd.design.Problem(*own, machine, bounds, limits, is_largest=default.is_largest)
    if not (limits or wanted):
        return default
    # Where the model holds is no matter of what is asked of it.
    valid = {key: limit for key, limit in default.subject_to.items() if key == "validity"}
    default = default._replace(subject_to=valid | limits)
    if wanted is None:
        return default
    name, function = wanted
    return default._replace(
        objective_name=name, objective=function, machine=machine, is_largest=not smallest
    )


def _interval(text):
    path, separator, interval = text.partition("=")
    low, colon, high = interval.partition(":")
    if not (separator and colon):
        raise click.UsageError(f"--over takes PATH=LOW:HIGH, got {text!r}.")
    return path, (as_number(low, f"--over {path}"), as_number(high, f"--over {path}"))
