"""`qtd list`."""

import json

import click

import qtd

from .._found import summaries
from .._machines import JSON


@click.command("list")
@click.option("--designs", is_flag=True, help="The reference designs instead.")
@JSON
def list_machines(designs: bool, as_json: bool) -> None:
    """The machines, by name."""
    found = _designs() if designs else summaries()
    click.echo(
        json.dumps(found, indent=2)
        if as_json
        else "\n".join(f"{name:<26} {text}" for name, text in found.items())
    )


def _designs():
    """What each reference design is, by machine and name."""
    return {
        f"{device}: {name}": statement
        for device, stated in qtd.design.references().items()
        for name, statement in stated.items()
    }
