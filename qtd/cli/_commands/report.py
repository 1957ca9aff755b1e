"""`qtd report`."""

import sys
from pathlib import Path

import click
from tqdm import tqdm

import qtd

from .._machines import FLOAT32, MACHINE, SETTINGS, build
from .._outputs import interruptible, require_file


@click.command("report")
@MACHINE
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The page to write, such as machine.html.",
)
@click.option(
    "--derivatives",
    is_flag=True,
    help="Exact derivatives in the explorer instead of differences; takes longer.",
)
@SETTINGS
@FLOAT32
def report(
    machine: str, out: Path, derivatives: bool, settings: tuple[str, ...], float32: bool
) -> None:
    """Write a page about a machine, and next to it one to explore it: MACHINE.html and
    MACHINE-explorer.html."""
    explorer = out.with_name(f"{out.stem}-explorer.html")
    for path in (out, explorer):
        require_file("--out", path)
    with interruptible(lambda: f"{out} is not written; run the same command again"):
        _write(machine, build(machine, settings, float32), out, explorer, derivatives)
    click.echo(f"Written: {out}, {explorer}")


def _write(machine, built, out, explorer, derivatives):
    with tqdm(
        total=3, disable=not sys.stderr.isatty(), unit="step"
    ) as bar:  # minutes for motors, most of it compilation
        bar.set_description("map")
        table = qtd.report.survey(built, derivatives=derivatives)
        explorer.write_text(qtd.report.explorer(table, machine), encoding="utf-8")
        bar.update()
        bar.set_description("audit")
        audit = qtd.audit(built)
        bar.update()
        bar.set_description("page")
        out.write_text(qtd.report.page(built, machine, audit, table), encoding="utf-8")
        bar.update()
