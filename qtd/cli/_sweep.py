"""`qtd sweep`."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np

import qtd

from ._machines import FLOAT32, JSON, MACHINE, SETTINGS, as_number, build, defined, observable, observables_of, shown


@click.command("sweep")
@MACHINE
@click.option("--over", multiple=True, metavar="PATH=LOW:HIGH:COUNT[:log]", help="A parameter and its values; repeatable, for a grid.")
@click.option(
    "--observe", multiple=True, metavar="NAME", help="What to record, such as J_cold, COP, sigma; repeatable. Default: everything."
)
@click.option("--store", type=click.Path(path_type=Path), help="A Zarr store to write to. Without it, a table on stdout.")
@click.option("--resume", is_flag=True, help="Finish the store of the same sweep, if there is one.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the first observable: a map over two parameters, a curve over one.")
@SETTINGS
@JSON
@FLOAT32
def sweep(machine, over, observe, store, resume, picture, settings, as_json, float32) -> None:
    """Compute a machine on a grid of its parameters."""
    built = build(machine, settings, float32)
    grid = dict(_values(text) for text in over)
    if not grid:
        raise click.UsageError("--over must name a parameter, as in --over cold.temperature=0.3:1:100.")
    if len(grid) < len(over):
        raise click.UsageError("--over names a parameter twice; give each one range.")
    if resume and store is None:
        raise click.UsageError("--resume needs the --store to go on with.")
    varied = sum(len(values) > 1 for values in grid.values())
    if picture is not None and (varied not in (1, 2) or not os.access(picture.parent, os.W_OK)):
        raise click.UsageError(
            f"--picture takes one or two parameters, got {varied}, and a folder that can be written to, for {str(picture)!r}."
        )
    named = observables_of(built)
    names = [observable(named, name)[0] for name in observe] or list(dict(named.values()))
    found = qtd.sweep(built, grid, names, store=store, resume=resume, progress=sys.stderr.isatty())
    if picture is not None:
        draw = qtd.plots.operating_map if varied == 2 else qtd.plots.lines
        draw(found, names[0]).savefig(picture, dpi=120)
    if store is None and not as_json:
        click.echo(found.to_dataframe(dim_order=list(grid)).to_csv(), nl=False)
        return
    record = _sweep_record(machine, found, store)
    click.echo(json.dumps(record, indent=2) if as_json else _sweep_report(record))


def _values(text):
    path, separator, numbers = text.partition("=")
    low, high, count, *scale = numbers.split(":") if numbers.count(":") in (2, 3) else ("", "", "", "?")
    if not separator or scale not in ([], ["log"]) or not count.isdigit() or int(count) < 1:
        raise click.UsageError(f"--over takes PATH=LOW:HIGH:COUNT or PATH=LOW:HIGH:COUNT:log, got {text!r}.")
    first, last = (as_number(x, f"--over {path}") for x in (low, high))
    if scale and min(first, last) <= 0:
        raise click.UsageError(f"--over {path} is logarithmic and takes positive bounds, got {text!r}.")
    return path, (np.geomspace if scale else np.linspace)(first, last, int(count))


def _sweep_record(name, found, store) -> dict[str, Any]:
    largest = {}
    for key in (key for key in found if key != "status"):
        best = found[key].where(np.isfinite(found[key]), -np.inf).argmax(...)
        where = {path: float(found[path][best[path]]) for path in found[key].dims}
        largest[key] = {"value": defined(found[key][best]), "units": found[key].attrs["units"], "at": where}
    codes, counts = np.unique(found.status, return_counts=True)
    return {
        "machine": name,
        "points": int(found.status.size),
        "status": {qtd.Status(int(code)).name: int(count) for code, count in zip(codes, counts)},
        "largest": largest,
        "store": None if store is None else str(store),
    }


def _sweep_report(record) -> str:
    lines = [f"{record['machine']}: {record['points']} points ({', '.join(f'{n} {name}' for name, n in record['status'].items())})", ""]
    for name, best in record["largest"].items():
        at = ", ".join(f"{path} = {value:.6g}" for path, value in best["at"].items())
        lines.append(f"largest {name:<16} {shown(best['value'])} {best['units']:<4} at {at}")
    return "\n".join([*lines, "", f"Written: {record['store']}"])
