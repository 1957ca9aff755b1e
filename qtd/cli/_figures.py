"""`qtd figures`."""

import json
import os
import sys
from pathlib import Path

import click
import jax
from tqdm import tqdm

import qtd

from ._machines import JSON


@click.command("figures")
@click.argument("machine", metavar="[MACHINE|all]", default="all")
@click.option("--out", type=click.Path(path_type=Path), help="Directory for the pictures, their numbers (CSV) and captions.md.")
@click.option("--claims", is_flag=True, help="What the papers claim about their figures, and what comes out here.")
@JSON
def figures(machine: str, out: Path | None, claims: bool, as_json: bool) -> None:
    """Draw the figures of the papers again, or list the claims made about them."""
    jax.config.update("jax_enable_x64", True)
    names = qtd.figures.names(machine)
    if out is None and not claims:
        raise click.UsageError("figures needs --out, a directory to write to, or --claims.")
    if out is not None and not (out.is_dir() and os.access(out, os.W_OK)):
        raise click.UsageError(f"--out must be a directory that can be written to, got {str(out)!r}.")
    show_bar = sys.stderr.isatty()
    written = [] if out is None else qtd.figures.draw(out, machine, progress=show_bar)
    found = {name: qtd.figures.claims(name) for name in tqdm(names, disable=not show_bar, unit="paper")} if claims else {}
    if as_json:
        record = {"written": [str(path) for path in written]} if written else {}
        record |= {"claims": {name: [each._asdict() for each in made] for name, made in found.items()}} if claims else {}
        click.echo(json.dumps(record, indent=2))
        return
    blocks = [f"{qtd.figures.paper(name).PAPER}\n\n{qtd.figures.table(made)}" for name, made in found.items()]
    click.echo("\n\n\n".join([*blocks, *([f"Written: {len(written)} files in {out}"] if written else [])]))
