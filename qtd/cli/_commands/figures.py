"""`qtd figures`."""

import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import click
from tqdm import tqdm

import qtd

from .._machines import JSON, compute_in, defined

OUT = "Directory for the pictures, their numbers (CSV) and captions (MACHINE.md)."
CLAIMS = "What the papers claim about their figures, and what comes out here."


@click.command("figures")
@click.argument("machine", metavar="[MACHINE|all]", default="all")
@click.option("--out", type=click.Path(path_type=Path), help=OUT)
@click.option("--claims", is_flag=True, help=CLAIMS)
@JSON
def figures(machine: str, out: Path | None, claims: bool, as_json: bool) -> None:
    """Draw the figures of the papers again, or list the claims made about them."""
    if out is None and not claims:
        raise click.UsageError("figures needs --out, a directory to write to, or --claims.")
    names = qtd.papers.names(machine)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    done = _every(names, out, claims)
    written = [path for name in names for path in done[name][0]]
    judged = {name: done[name][1] for name in names if claims}
    if as_json:
        click.echo(json.dumps(_records(written, judged), indent=2))
        return
    blocks = []
    for name, made in judged.items():
        blocks.append(f"{qtd.papers.paper(name).PAPER}\n\n{qtd.papers.table(made)}")
    if written:
        blocks.append(f"Written: {len(written)} files in {out}")
    click.echo("\n\n\n".join(blocks))


def _records(written, judged):
    """The files written, and the claims by machine, each where there are any."""
    records = {}
    if written:
        records["written"] = [str(path) for path in written]
    claims = {name: [_record(each) for each in made] for name, made in judged.items()}
    if claims:
        records["claims"] = claims
    return records


def _record(claim):
    """A claim, with nothing where a number is not defined."""
    numbers = {name: defined(value) for name, value in claim.numbers.items()}
    return claim._asdict() | {"numbers": numbers}


def _every(names, out, claims):
    """Results of `_one` for all machines, side by side on all cores: most of the time goes into
    compilation, on one core each."""
    if len(names) == 1:
        return {names[0]: _one(names[0], out, claims)}
    workers = min(len(names), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        # The longest first.
        started = {pool.submit(_one, name, out, claims): name for name in reversed(names)}
        silent = not sys.stderr.isatty()
        bar = tqdm(as_completed(started), total=len(names), disable=silent, unit="paper")
        return {started[one]: one.result() for one in bar}


def _one(name, out, claims):
    """The files written and the claims about one machine."""
    compute_in(float32=False)
    written = [] if out is None else qtd.papers.draw(out, name)
    return written, qtd.papers.claims(name) if claims else []
