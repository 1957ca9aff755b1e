"""The `qtd` command: list the machines, show one, design one, sweep one, audit one, report on one; redraw the papers' figures."""

import json
import os
import sys

import click

import qtd

from ..parameters import options
from ._audit import audit
from ._design import design
from ._figures import figures
from ._machines import FLOAT32, JSON, MACHINE, SETTINGS, build, machine_kinds, parameters_of, record_of
from ._report import report
from ._sweep import sweep

__all__ = ["commands", "main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command with these `arguments`, by default those of the process.

    Bad input ends with exit code 2 and one line on stderr.
    """
    try:
        sys.exit(commands.main(arguments, prog_name="qtd", standalone_mode=False) or 0)
    except click.ClickException as error:
        message = error.format_message()
    except (ValueError, OSError) as error:
        message = str(error)
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    click.echo(f"qtd: error: {' '.join(message.split())}", err=True)
    sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(qtd.__version__)
def commands() -> None:
    """Differentiable thermodynamics of small quantum machines."""


@commands.command("list")
@JSON
def list_machines(as_json: bool) -> None:
    """The machines, by name."""
    machines = {name: (kind.__doc__ or "").strip().splitlines()[0] for name, kind in machine_kinds().items()}
    click.echo(json.dumps(machines, indent=2) if as_json else "\n".join(f"{name:<26} {text}" for name, text in machines.items()))


@commands.command("show")
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


for command in (design, sweep, audit, report, figures):
    commands.add_command(command)
