"""`qtd list`."""

import json

import click

from .._found import summaries
from .._machines import JSON


@click.command("list")
@JSON
def list_machines(as_json: bool) -> None:
    """The machines, by name."""
    found = summaries()
    click.echo(
        json.dumps(found, indent=2)
        if as_json
        else "\n".join(f"{name:<26} {text}" for name, text in found.items())
    )
