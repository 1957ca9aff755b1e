"""The whole table of speed, in Markdown.

    python -m benchmarks [--only NAME ...] [--quick] [--json FILE]
    python -m benchmarks --against REV      two versions of qtd side by side
    python -m benchmarks --pinned           fails where speed has been lost against the rivals

Headline kernels of qtd against whoever does the same job, on one core: agreement first, then
medians of runs taken in turn, compilation apart, and what share of the core's arithmetic and
bandwidth qtd gets, both measured in the same process.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import against
import pinned
import rows
import table
import timing

QUICK_SHARE = 8  # of the points


def main():
    arguments = _arguments()
    begun = time.perf_counter()
    timing.one_core()
    names, rounds = arguments.only or list(rows.SCRIPTS), 3 if arguments.quick else 7
    if arguments.against:
        share = QUICK_SHARE if arguments.quick else 1
        lost = against.compare(arguments.against, names, share, rounds)
        _end(lost, f"More than {against.SLOWER} times slower than {arguments.against}")
    elif arguments.pinned:
        wanted = {name: pin for name, pin in pinned.pinned().items() if name in names}
        lost = pinned.check(wanted)
        _end(lost, f"Against its rivals more than {pinned.LOSS} times slower than it was")
    else:
        table.show(names, rounds, QUICK_SHARE if arguments.quick else 1, arguments.json)
    print(f"\nAll of this took {time.perf_counter() - begun:.0f} s.")


def _end(lost, verdict):
    """Ends with status 1 where rows have become slower."""
    if lost:
        sys.exit(f"\n{verdict}: {', '.join(lost)}.")


def _arguments():
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=rows.SCRIPTS, metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="fewer points and rounds")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--against", metavar="REV", help="compare with another version of qtd")
    what.add_argument("--pinned", action="store_true", help="fail where speed has been lost")
    parser.add_argument("--json", metavar="FILE", help="where to write all numbers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
