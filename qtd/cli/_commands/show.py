"""`qtd show`."""

import json

import click

from .._machines import FLOAT32, JSON, MACHINE, SETTINGS, build, options, parameters_of, record_of


@click.command("show")
@MACHINE
@SETTINGS
@JSON
@FLOAT32
def show(machine: str, settings: tuple[str, ...], as_json: bool, float32: bool) -> None:
    """Parameters, their paths and values, and the operating point of a machine."""
    built = build(machine, settings, float32)
    if as_json:
        click.echo(json.dumps({"machine": machine, **record_of(built)}, indent=2))
        return
    click.echo(f"{machine}\n\nOptions and parameters (change with --set PATH=VALUE)")
    for path, value in {**options(built), **parameters_of(built)}.items():
        click.echo(f"  {path:<34} {f'{value:.10g}' if isinstance(value, float) else value}")
    click.echo(f"\n{built.operate()!r}")
