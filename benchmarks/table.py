"""The table of speed: kernels of qtd beside their rivals, and beside what the core can do."""

import json
from pathlib import Path

import jax
import roofline
import rows
import timing

SPEED = (
    "| kernel | points | qtd, us per point | rival's time, qtd = 1 (above 1: qtd is faster) |"
    " largest difference | gradient and its value, all values = 1 |"
    " rival's differences, qtd's gradient = 1 | compilation of value, gradient, s |\n"
    + "|---" * 8
    + "|"
)
WORK = (
    "| kernel | operations per point | of which slow | bytes per point |"
    " share of the core's operations | share of its bandwidth |\n" + "|---" * 6 + "|"
)


def show(names, rounds, share, file):
    """Prints the two tables, and writes all numbers to a file."""
    print(f"\n{SPEED}", flush=True)
    found = {}
    for name in names:
        found[name] = measured(rows.fewer(rows.row_of(name), share), rounds)
        print(speed_line(name, found[name]), flush=True)
    core = {"operations": roofline.arithmetic(), "bytes": roofline.bandwidth()}
    print(
        f"\nThis core: {core['operations']:.3g} multiplications and additions and"
        f" {core['bytes']:.3g} bytes per second.\n\n{WORK}"
    )
    for name, each in found.items():
        print(work_line(name, each, core))
    if file:
        whole = {"processor": timing.processor(), "core": core, "kernels": found}
        Path(file).write_text(json.dumps(whole, indent=1), encoding="utf-8")


def measured(row, rounds):
    """All that is known of a kernel."""
    case = row.case(row.points)
    ours = rows.compiled(row, case.arguments)
    differences = rows.agreement(row, case, ours.runs["value"]())
    seconds = rows.seconds_per_point(ours, case, rounds)
    return {
        "title": row.title,
        "points": rows.points_of(case.arguments),
        "differences": differences,
        "seconds": seconds,
        "compilation": ours.compilation,
        "work": work(row, case.arguments),
    }


def work(row, arguments):
    """Operations, slow ones, bytes and loops of unknown length, of one point's value."""
    if row.chunk is None:
        whole, points = roofline.work(row.value, arguments), rows.points_of(arguments)
    else:
        whole, points = roofline.work(row.value, jax.tree.map(lambda x: x[0], arguments)), 1
    return {name: x if name == "unknown" else x / points for name, x in whole._asdict().items()}


def speed_line(name, found):
    """A row of the first table."""
    qtd, points = found["seconds"]["qtd"], found["points"]
    value, gradient = qtd["value"], qtd.get("gradient")
    return _line(
        f"`{name}`: {found['title']}",
        points,
        f"{1e6 * value:.3g}",
        _ratios(found["seconds"]["rivals"], value),
        f"{max(found['differences'].values()):.0e}",
        f"{gradient / value:.2g}" if gradient else "-",
        _ratios(found["seconds"]["gradient rivals"], gradient) or "-",
        ", ".join(f"{x:.1f}" for x in found["compilation"].values()),
    )


def work_line(name, found, core):
    """A row of the second table."""
    work, seconds = found["work"], found["seconds"]["qtd"]["value"]
    # What is counted once in a loop of unknown length is a lower bound.
    least = "at least " if work["unknown"] else ""
    return _line(
        f"`{name}`",
        f"{least}{work['operations']:.3g}",
        f"{work['slow'] / work['operations']:.0%}",
        f"{work['moved']:.3g}",
        f"{least}{work['operations'] / seconds / core['operations']:.2g}",
        f"{work['moved'] / seconds / core['bytes']:.1g}",
    )


def _ratios(seconds, base):
    return "; ".join(f"{name} {spent / base:.2g}" for name, spent in seconds.items())


def _line(*cells):
    return f"| {' | '.join(map(str, cells))} |"
