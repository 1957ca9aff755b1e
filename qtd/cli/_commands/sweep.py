"""`qtd sweep`."""

import collections
import json
import math
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np

import qtd

from ..._numerics.memory import require_memory
from .._machines import (
    FLOAT32,
    JSON,
    MACHINE,
    SETTINGS,
    as_number,
    build,
    defined,
    observable,
    observables_of,
    shown,
)
from .._outputs import interruptible, require_picture, require_store

_CELLS = 2**22  # of a dataset that are looked at together
_BYTES_OF_A_CELL = 64  # of a table: numbers, labels and text


@click.command("sweep")
@MACHINE
@click.option(
    "--over",
    multiple=True,
    metavar="PATH=LOW:HIGH:COUNT[:log]",
    help="A parameter and its values; repeatable, for a grid.",
)
@click.option(
    "--observe",
    multiple=True,
    metavar="NAME",
    help="What to record, such as J_cold, COP, sigma; repeatable. Default: everything.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    help="A Zarr store to write to. Without it, a table on stdout.",
)
@click.option("--resume", is_flag=True, help="Finish the store of the same sweep, if there is one.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Draw the first observable: a map over two parameters, a curve over one.",
)
@SETTINGS
@JSON
@FLOAT32
def sweep(machine, over, observe, store, resume, picture, settings, as_json, float32) -> None:
    """Compute a machine on a grid of its parameters."""
    grid = dict(_values(text) for text in over)
    if not grid:
        raise click.UsageError(
            "--over must name a parameter, as in --over cold.temperature=0.3:1:100."
        )
    if len(grid) < len(over):
        raise click.UsageError("--over names a parameter twice; give each one range.")
    if resume and store is None:
        raise click.UsageError("--resume needs the --store to go on with.")
    varied = sum(len(values) > 1 for values in grid.values())
    if picture is not None:
        if varied not in (1, 2):
            raise click.UsageError(
                f"--picture takes one or two parameters with several values, got {varied}."
            )
        require_picture("--picture", picture)
    if store is not None:
        require_store("--store", store, resume)
    with interruptible(lambda: _kept(store)):
        named = observables_of(built := build(machine, settings, float32))
        names = [observable(named, name)[0] for name in observe] or list(dict(named.values()))
        if store is None and not as_json:
            needed = (
                _BYTES_OF_A_CELL * (len(grid) + len(names) + 1) * math.prod(map(len, grid.values()))
            )
            require_memory(
                needed, "a table of so many points", "take fewer values, or write to a --store"
            )
        found = qtd.sweep(
            built, grid, names, store=store, resume=resume, progress=sys.stderr.isatty()
        )
        if picture is not None:
            draw = qtd.plots.operating_map if varied == 2 else qtd.plots.lines
            draw(_cooling(built, found), names[0]).savefig(picture, dpi=120)
        if store is None and not as_json:
            click.echo(found.to_dataframe(dim_order=list(grid)).to_csv(), nl=False)
            return
        record = _sweep_record(machine, built, found, store)
    click.echo(json.dumps(record, indent=2) if as_json else _sweep_report(record))


@click.command("check")
@click.argument("store", metavar="STORE", type=click.Path(path_type=Path))
@JSON
def check(store: Path, as_json: bool) -> None:
    """Whether the store of a sweep is whole: reads all of it, computes nothing; exit code 1 if
    blocks are damaged."""
    if not store.exists():
        raise click.UsageError(
            f"STORE {str(store)!r} does not exist; give the path of a store that `qtd.sweep` has"
            " written."
        )
    found = qtd.sweeps.verify(store)
    if as_json:
        click.echo(json.dumps(found._asdict(), indent=2))
    else:
        click.echo(
            f"{store}: {found.blocks} blocks, {len(found.unfinished)} unfinished,"
            f" {len(found.damaged)} damaged"
        )
        if found.unfinished or found.damaged:
            click.echo("The sweep that wrote it, with --resume, computes these again.")
    if found.damaged:
        sys.exit(1)


def _kept(store):
    if store is None:
        return "nothing is kept without a --store, which a sweep can go on with"
    if not store.exists():
        return "nothing has been written yet; run the same command again"
    return f"what is finished is kept in {store}; run the same command with --resume to go on"


def _values(text):
    path, separator, numbers = text.partition("=")
    low, high, count, *scale = (
        numbers.split(":") if numbers.count(":") in (2, 3) else ("", "", "", "?")
    )
    if not separator or scale not in ([], ["log"]) or not count.isdigit() or int(count) < 1:
        raise click.UsageError(
            f"--over takes PATH=LOW:HIGH:COUNT or PATH=LOW:HIGH:COUNT:log, got {text!r}."
        )
    what = f"--over {path} with {count} values"
    # NumPy makes its copies, and so do sweeps.
    require_memory(4 * 8 * int(count), what, "take fewer")
    first, last = (as_number(x, f"--over {path}") for x in (low, high))
    if scale and min(first, last) <= 0:
        raise click.UsageError(
            f"--over {path} is logarithmic and takes positive bounds, got {text!r}."
        )
    return path, (np.geomspace if scale else np.linspace)(first, last, int(count))


def _sweep_record(name, machine, found, store) -> dict[str, Any]:
    largest, counts = {}, collections.Counter()
    for part in (_cooling(machine, slab) for slab in _slabs(found)):
        codes, times = np.unique(part.status, return_counts=True)
        counts.update(dict(zip(codes.tolist(), times.tolist())))
        for key in (key for key in part if key != "status"):
            best = _largest(part[key])
            if key not in largest or _rank(best) > _rank(largest[key]):
                largest[key] = best
    return {
        "machine": name,
        "points": sum(counts.values()),
        "status": {qtd.Status(code).name: count for code, count in sorted(counts.items())},
        "largest": largest,
        "store": None if store is None else str(store),
    }


def _cooling(machine, table):
    """A table without what leaves the cooled reservoir where that is not colder than the one that
    takes the heat: however much, it is no cooling."""
    cooled, known = getattr(machine, "cooled", None), qtd.parameters(machine)
    names = [path.removesuffix(".temperature") for path in known if path.endswith(".temperature")]
    others = [name for name in names if name not in (cooled, getattr(machine, "driven_by", None))]
    if f"J_{cooled}" not in table or cooled not in names or len(others) != 1:
        return table

    def temperature(path):
        return table[path] if path in table.coords else float(known[path])

    colder = temperature(f"{cooled}.temperature") < temperature(f"{others[0]}.temperature")
    return table.assign({f"J_{cooled}": table[f"J_{cooled}"].where(colder)})


def _slabs(found):
    """A dataset in parts along its first axis, as it may be larger than the memory."""
    axis, length = next(iter(found.sizes.items()))
    step = max(1, _CELLS * length // found.status.size)
    return (found.isel({axis: slice(start, start + step)}) for start in range(0, length, step))


def _rank(best):
    return -math.inf if best["value"] is None else best["value"]


def _largest(values):
    best = values.where(np.isfinite(values), -np.inf).argmax(...)
    where = {path: float(values[path][best[path]]) for path in values.dims}
    return {"value": defined(values[best]), "units": values.attrs["units"], "at": where}


def _sweep_report(record) -> str:
    lines = [
        f"{record['machine']}: {record['points']} points"
        f" ({', '.join(f'{n} {name}' for name, n in record['status'].items())})",
        "",
    ]
    for name, best in record["largest"].items():
        at = ", ".join(f"{path} = {value:.6g}" for path, value in best["at"].items())
        lines.append(f"largest {name:<16} {shown(best['value'])} {best['units']:<4} at {at}")
    return "\n".join([*lines, "", f"Written: {record['store']}"])
