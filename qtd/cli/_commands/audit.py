"""`qtd audit`."""

import json
import sys

import click

import qtd

from .._machines import FLOAT32, JSON, MACHINE, SETTINGS, build


@click.command("audit")
@MACHINE
@SETTINGS
@JSON
@FLOAT32
def audit(machine: str, settings: tuple[str, ...], as_json: bool, float32: bool) -> None:
    """Whether the numbers of a machine may be trusted, in plain words, the gravest first; exit code
    1 if they are wrong."""
    built = build(machine, settings, float32)
    found = qtd.audit(built)
    click.echo(json.dumps(found.record(), indent=2) if as_json else repr(found))
    if not found.trusted:
        sys.exit(1)
