"""The `qtd` command: list the machines, show one, design one, sweep one, audit one, report on one;
check a store; redraw the papers' figures."""

import os
import re
import sys

import click

import qtd

from ._cache import keep_compiled_programs
from ._found import Commands
from ._machines import FLOAT32 as FLOAT32
from ._machines import JSON as JSON
from ._machines import MACHINE as MACHINE
from ._machines import SETTINGS as SETTINGS
from ._machines import build
from ._outputs import Interrupted, every_interrupt

__all__ = ["build", "commands", "main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command with these `arguments`, by default those of the process.

    Bad input ends with exit code 2 and one line on stderr, Ctrl-C with 130 and one that says what
    is kept.
    """
    is_process = arguments is None
    arguments = sys.argv[1:] if arguments is None else arguments
    code = 2
    try:
        with every_interrupt():
            sys.exit(commands.main(arguments, prog_name="qtd", standalone_mode=False) or 0)
    except Interrupted as stop:
        code, message = stop.exit_code, f"interrupted; {stop.format_message()}."
    except click.ClickException as error:
        message = error.format_message()
    except (ValueError, OSError) as error:
        message = _in_own_words(str(error), next(iter(arguments), ""))
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        code, message = Interrupted.exit_code, "interrupted; nothing is kept."
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(
            error
        ):  # as jax calls it
            raise
        message = (
            "this takes more memory than there is; take fewer levels, points, starts or steps."
        )
    click.echo(f"qtd: {'error: ' * (code == 2)}{' '.join(message.split())}", err=True)
    if is_process and code == Interrupted.exit_code:
        sys.stderr.flush()
        os._exit(code)  # threads that still compile crash while Python takes down what they use
    sys.exit(code)


def _in_own_words(message: str, command: str) -> str:
    """What a function says of its arguments, of the options and arguments of a command that give
    them."""
    known = {}
    asked = commands.get_command(click.Context(commands), command)
    for each in asked.params if asked is not None else ():
        known[f"`{each.name}`"] = (
            each.opts[0] if isinstance(each, click.Option) else each.human_readable_name
        )
    named = re.sub(r"`\w+`", lambda found: known.get(found[0], found[0]), message)
    return named.replace("resume=True", "--resume")


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False
)
@click.version_option(qtd.__version__)
@click.option(
    "--no-cache",
    is_flag=True,
    envvar="QTD_NO_CACHE",
    help="Compile anew, and keep no compiled programs (QTD_NO_CACHE=1).",
)
def commands(no_cache: bool) -> None:
    """Differentiable thermodynamics of small quantum machines."""
    if not no_cache:
        keep_compiled_programs()
