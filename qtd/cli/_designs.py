"""What the command says of a design, of a front, and of reference designs: as records and in
words."""

import importlib.metadata
import math
from typing import Any

import numpy as np

import qtd

from ._machines import defined, record_of, shown, values_of


def design_record(name: str, problem: Any, best: Any, findings: list) -> dict[str, Any]:
    """All of a design as JSON holds it."""
    return {
        "machine": name,
        **_versions(),
        "objective": problem.objective_name,
        "is_largest": best.is_largest,
        "value": float(best.value),
        "converged": best.converged,
        "interrupted": best.interrupted,
        "message": best.message,
        "over": {path: list(bounds) for path, bounds in best.bounds.items()},
        "active_bounds": best.active_bounds,
        "subject_to": {
            key: {"low": low, "high": high, "value": float(best.constraints[key])}
            for key, (_, low, high) in problem.subject_to.items()
        },
        "active_constraints": list(best.active_constraints),
        "certificate": best.certificate and best.certificate.record(),
        "worths": best.worths(),
        "robustness": best.robustness and repr(best.robustness),
        "explicit_filters": [finding.text for finding in findings],
        "before": record_of(best.start),
        "after": record_of(best.machine),
        "history": [defined(x) for x in np.asarray(best.history.values, float)],
    }


def design_report(name: str, problem: Any, best: Any, findings: list) -> str:
    """A design in words."""
    before, after = best.start.operate(), best.machine.operate()
    extreme = "largest" if best.is_largest else "smallest"
    lines = [f"{name}: {', '.join([f'{extreme} {problem.objective_name}', *_limits(problem)])}"]
    lines += [
        f"{best.message[0].upper()}{best.message[1:]}. Active constraints:"
        f" {', '.join(best.active_constraints) or 'none'}.",
        *(f"{text}." for text in best.worths()),
        *([f"{best.robustness!r}."] if best.robustness is not None else []),
        "",
        f"Validity before: {_validity(before)}.",
        f"Validity after:  {_validity(after)}.",
        *(finding.text for finding in findings),
        "",
        f"{'parameter':<32}{'before':>14}{'after':>14}   bounds",
    ]
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


def front_record(name: str, front: Any) -> dict[str, Any]:
    """A front as JSON holds it."""
    table = front.table
    return {
        "machine": name,
        **_versions(),
        "objectives": table.attrs["objectives"],
        "over": table.attrs["paths"],
        "gaps": [list(gap) for gap in table.attrs["gaps"]],
        "dominated": table.attrs["dominated"],
        "points": [
            {str(key): defined(float(table[key][i])) for key in table}
            for i in range(table.sizes["point"])
        ],
    }


def front_report(name: str, front: Any) -> str:
    """A front in words: a line for each design."""
    table = front.table
    known = (key for key in ("validity", "status") if key in table)
    told = list(dict.fromkeys([*table.attrs["objectives"], *table.attrs["constraints"], *known]))
    lines = [f"{name}: {table.sizes['point']} designs", "".join(f"{key:>14}" for key in told)]
    for i in range(table.sizes["point"]):
        mark = "" if table["converged"][i] else "  not converged"
        lines.append("".join(f"{float(table[key][i]):>14.6g}" for key in told) + mark)
    lines += [f"A gap between designs {a} and {b}." for a, b in table.attrs["gaps"]]
    if table.attrs["dominated"]:
        lines.append(f"{table.attrs['dominated']} designs were removed, which others beat.")
    return "\n".join(lines)


def reference_record(found: dict[str, Any]) -> dict[str, Any]:
    """Reference designs, kept and computed again, as JSON holds them."""
    return {
        name: {
            "statement": design.statement,
            "kept": design.values,
            "again": design.recomputed(),
            "parameters": design.parameters,
            "certificate": design.certificate,
            "version": design.version,
        }
        for name, design in found.items()
    }


def reference_report(record: dict[str, Any]) -> str:
    """The same in words."""
    lines = []
    for name, each in record.items():
        lines += [f"{name}: {each['statement']}"]
        lines.append(f"{'':<32}{'kept':>16}{'again':>16}")
        for key, value in each["kept"].items():
            lines.append(f"{key:<32}{value:>16.8g}{each['again'][key]:>16.8g}")
        lines += [f"{path:<32}{value:>16.8g}" for path, value in each["parameters"].items()]
        certificate = each["certificate"]
        lines += [
            f"{certificate['kind']}, slope {certificate['gradient_norm']:.1e}, reached by"
            f" {certificate['reached_by']} of {certificate['starts']} starts; qtd"
            f" {each['version']}",
            "",
        ]
    return "\n".join(lines).rstrip()


def _versions():
    return {"qtd": qtd.__version__, "jax": importlib.metadata.version("jax")}


def _limits(problem):
    return [
        f"{key} {sign} {limit:g}"
        for key, (_, low, high) in problem.subject_to.items()
        for sign, limit in ((">=", low), ("<=", high))
        if limit is not None
    ]


def _validity(point):
    return f"{float(point.validity):.3g}, {point.binding()}"
