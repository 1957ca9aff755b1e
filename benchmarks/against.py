"""Two versions of qtd side by side: one process for each, which measure the same rows by the same
scripts, those of this version, in turn.

    python -m benchmarks --against REV [--only NAME ...] [--quick]
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import rows
import timing

SLOWER = 1.5  # times as long as before is a loss
HERE = Path(__file__).resolve().parents[1]
HEAD = (
    "| kernel | points | value, us per point: then, now | then/now (above 1: now is faster) |"
    " gradient and its value: then, now | then/now | compilation of both, s: then, now |"
    " largest difference, over the largest number |\n" + "|---" * 8 + "|"
)


class Version:
    """A process with the qtd of a folder, asked a line at a time; a new one where it has ended."""

    def __init__(self, folder):
        self._environment = {**os.environ, "PYTHONPATH": str(folder)}
        self._process = None

    def ask(self, **question):
        """What it answers: results by name, or an `error`."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self._environment,
            )
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if answer:
            return json.loads(answer)
        return {"error": f"its process ended with {self._process.wait()}"}

    def end(self):
        """Ends the process."""
        if self._process is not None:
            self._process.communicate()


def compare(revision, names, share, rounds):
    """Prints the table; the names of the rows that have become slower."""
    lost = []
    with checked_out(revision) as folder, tempfile.TemporaryDirectory() as scratch:
        then, now = _git("describe", "--always", revision), _git("describe", "--always", "--dirty")
        print(f"Then: {revision} ({then}); now: {now}.\n")
        versions = {"then": Version(folder), "now": Version(HERE)}
        print(HEAD, flush=True)
        for name in names:
            line, slower = compared(versions, name, share, rounds, Path(scratch))
            print(line, flush=True)
            lost += [name] * slower
        for version in versions.values():
            version.end()
    return lost


@contextlib.contextmanager
def checked_out(revision):
    """A folder with that version, gone in the end."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "then"
        _git("worktree", "add", "--detach", folder, revision)
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", folder)


def compared(versions, name, share, rounds, scratch):
    """A line of the table, and whether value or gradient have become slower."""
    ready = {
        which: version.ask(prepare=name, share=share, values=str(scratch / f"{which}.npz"))
        for which, version in versions.items()
    }
    failed = [f"{which}: {each['error']}" for which, each in ready.items() if "error" in each]
    if failed:
        return f"| {name} | not measured: {'; '.join(failed)} |" + " |" * 6, False
    spent = {(which, kind): [] for which in versions for kind in ready[which]["compilation"]}
    for turn in range(rounds + 1):
        for which, kind in spent:
            answer = versions[which].ask(run=kind)
            if turn:
                spent[which, kind].append(answer["seconds"])
    each = {key: float(np.median(x)) / ready["now"]["points"] for key, x in spent.items()}
    cells, ratios = [], []
    for kind in ("value", "gradient"):
        if ("now", kind) in each:
            then, now = each["then", kind], each["now", kind]
            ratios.append(then / now)
            cells += [f"{1e6 * then:.3g}, {1e6 * now:.3g}", f"{then / now:.2f}"]
        else:
            cells += ["-", "-"]
    compilation = ", ".join(f"{sum(ready[x]['compilation'].values()):.1f}" for x in versions)
    off = difference(scratch / "then.npz", scratch / "now.npz")
    title = f"`{name}`: {ready['now']['title']}"
    cells = [title, str(ready["now"]["points"]), *cells, compilation, off]
    return f"| {' | '.join(cells)} |", min(ratios) < 1 / SLOWER


def difference(then, now):
    """Of what both versions know, values and gradients, in words."""
    with np.load(then) as before, np.load(now) as after:
        pairs = [(before[key], after[key]) for key in before.files]
    worst, alike = 0.0, True
    for x, y in pairs:
        known = np.isfinite(x) & np.isfinite(y)
        alike &= np.array_equal(np.isfinite(x), np.isfinite(y))
        if np.any(x[known]):
            worst = max(worst, rows.to_largest(x[known], y[known]).max())
    return f"{worst:.0e}" + ("" if alike else ", and not known at the same points")


def serve():
    """Answers questions, a line each, about the qtd that this process has imported."""
    answers, sys.stdout = sys.stdout, sys.stderr
    with contextlib.redirect_stdout(None):
        timing.one_core()
    ours = None
    for line in sys.stdin:
        question = json.loads(line)
        if "prepare" in question:
            ours, answer = _prepared(question)
        else:
            start = time.perf_counter()
            ours.runs[question["run"]]()
            answer = {"seconds": time.perf_counter() - start}
        print(json.dumps(answer), file=answers, flush=True)


def _prepared(question):
    """Compiled runs of a row, None where this version cannot do it, and what is said of them."""
    try:
        row = rows.fewer(rows.row_of(question["prepare"]), question["share"])
        case = row.case(row.points)
        ours = rows.compiled(row, case.arguments)
        found = jax.tree.leaves([run() for run in ours.runs.values()])
    except Exception as error:  # an older version may lack anything
        return None, {"error": " ".join(repr(error).split())[:100]}
    np.savez(question["values"], *map(np.asarray, found))
    points = rows.points_of(case.arguments)
    return ours, {"title": row.title, "points": points, "compilation": ours.compilation}


def _git(*command):
    done = subprocess.run(["git", *command], cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"git {' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    serve()
