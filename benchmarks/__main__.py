"""The whole table of speed, in Markdown.

    python -m benchmarks [--only NAME ...] [--quick] [--json FILE]

Headline kernels of qtd against whoever does the same job, on one core: agreement first, then
medians of runs taken in turn, compilation apart, and what share of the core's arithmetic and
bandwidth qtd gets, both measured in the same process.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import against
import jax
import roofline
import rows
import timing

QUICK_SHARE = 8  # of the points
SPEED = (
    "| kernel | points | qtd, us per point | rival's time, qtd = 1 (above 1: qtd is faster) |"
    " largest difference | value and gradient, value = 1 |"
    " rival's differences, qtd's gradient = 1 | compilation of value, gradient, s |\n"
    + "|---" * 8
    + "|"
)
WORK = (
    "| kernel | operations per point | of which slow | bytes per point |"
    " share of the core's operations | share of its bandwidth |\n" + "|---" * 6 + "|"
)


def main():
    arguments = _arguments()
    begun = time.perf_counter()
    timing.one_core()
    names, rounds = arguments.only or list(rows.SCRIPTS), 3 if arguments.quick else 7
    if arguments.against:
        share = QUICK_SHARE if arguments.quick else 1
        lost = against.compare(arguments.against, names, share, rounds)
        if lost:
            sys.exit(f"\nMore than {against.SLOWER} times slower: {', '.join(lost)}.")
        return
    print(f"\n{SPEED}", flush=True)
    found = {}
    for name in names:
        row = rows.row_of(name)
        found[name] = measured(rows.fewer(row, QUICK_SHARE) if arguments.quick else row, rounds)
        print(speed_line(found[name]), flush=True)
    core = {"operations": roofline.arithmetic(), "bytes": roofline.bandwidth()}
    print(
        f"\nThis core: {core['operations']:.3g} multiplications and additions and"
        f" {core['bytes']:.3g} bytes per second.\n\n{WORK}"
    )
    for each in found.values():
        print(work_line(each, core))
    print(f"\nAll of this took {time.perf_counter() - begun:.0f} s.")
    if arguments.json:
        whole = {"processor": timing.processor(), "core": core, "kernels": found}
        Path(arguments.json).write_text(json.dumps(whole, indent=1), encoding="utf-8")


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


def speed_line(found):
    """A row of the first table."""
    qtd, points = found["seconds"]["qtd"], found["points"]
    value, gradient = qtd["value"], qtd.get("gradient")
    return _line(
        found["title"],
        points,
        f"{1e6 * value:.3g}",
        _ratios(found["seconds"]["rivals"], value),
        f"{max(found['differences'].values()):.0e}",
        f"{gradient / value:.2g}" if gradient else "-",
        _ratios(found["seconds"]["gradient rivals"], gradient) or "-",
        ", ".join(f"{x:.1f}" for x in found["compilation"].values()),
    )


def work_line(found, core):
    """A row of the second table."""
    work, seconds = found["work"], found["seconds"]["qtd"]["value"]
    # What is counted once in a loop of unknown length is a lower bound.
    least = "at least " if work["unknown"] else ""
    return _line(
        found["title"],
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


def _arguments():
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=rows.SCRIPTS, metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="fewer points and rounds")
    parser.add_argument("--against", metavar="REV", help="compare with another version of qtd")
    parser.add_argument("--json", metavar="FILE", help="where to write all numbers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
