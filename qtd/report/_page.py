"""One page about one machine."""

from typing import Any

import jinja2
import numpy as np
import xarray
from markupsafe import Markup, escape

from ..machines import AbstractMachine
from ..observables import operating_point
from ..parameters import options, parameters
from ..sensitivities import sensitivities
from ..status import Status
from ..systems.base import AbstractSystem
from ..thermodynamics import Mode
from ..units import unit_of_parameter
from ._pictures import pictures
from ._recipe import command
from ._survey import survey

__all__ = ["page"]

_MOST_ROWS = 20  # sensitivities in the table


def page(
    machine: Any, title: str | None = None, audit: Any = None, table: xarray.Dataset | None = None
) -> str:
    """A machine on one HTML page: parameters, operating point and laws, audit, levels, an operating
    map, sensitivities.

    Of a motor with its torque against velocity, of finite reservoirs with their evolution. The page
    holds everything it shows, needs no network, and says how to make the machine again.

    - `machine`: one of `qtd.machines`, or of your own `AbstractMachine`, whose method `survey` says
      which observable the page is about, and over which two parameters it is mapped; or a bare
      network, master equation or conductor.
    - `title`: the headline, by default the name of its class.
    - `audit`: what an audit found, with `findings` that have a `severity`, `topic` and `text`; left
      out if None.
    - `table`: the `survey` of this machine, where it is known already.

    **Raises** `ValueError` for what is no machine.
    """
    if not isinstance(machine, AbstractMachine | AbstractSystem):
        kind = type(machine).__name__
        raise ValueError(
            "`machine` must be an AbstractMachine, such as those of qtd.machines, or a bare"
            f" system, got {kind}."
        )
    point = operating_point(machine)
    observables = point.observables()
    table = survey(machine) if table is None else table
    observable = str(table.attrs["observable"])
    found = sensitivities(machine, observable)
    return template("page.html").render(
        title=title or type(machine).__name__,
        kind=type(machine).__name__,
        summary=_summary(type(machine)),
        mode="" if point.mode_code == Mode.UNKNOWN else point.mode,
        status=Status(int(point.status)),
        options={name: written(value) for name, value in options(machine).items()},
        parameters=_parameters(machine),
        rows=_rows(point),
        laws=point.laws(),
        audit=audit,
        pictures=pictures(machine, point, table, found),
        observable=observable,
        unit=observables[observable].unit,
        value=observables[observable].value,
        sensitivities=found[:_MOST_ROWS],
        omitted=len(found[_MOST_ROWS:]),
        command=command(machine),
        versions={name: table.attrs[name] for name in ("qtd", "jax") if name in table.attrs},
    )


def _summary(kind):
    """The first paragraph of what its author says of it; a class without a docstring is given its
    signature as one."""
    said = " ".join((kind.__doc__ or "").strip().partition("\n\n")[0].split()).replace("\\", "")
    return "" if said.startswith(f"{kind.__name__}(") else said


def template(name: str) -> jinja2.Template:
    """A page of this folder to be filled in; what is filled in is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("qtd", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "written": written,
        "change": _change,
        "power": _power,
        "wrapped": _wrapped,
        "unbroken": _unbroken,
    }
    return environment.get_template(name)


def written(value: Any, digits: int = 6) -> str:
    """A number, an array of them, or a word, as a person would write it, with so many `digits`."""
    if isinstance(value, str | bool) or value is None:
        return str(value)
    if isinstance(value, tuple | list):
        return ", ".join(written(each, digits) for each in value)
    numbers = np.atleast_1d(np.asarray(value))
    if np.issubdtype(numbers.dtype, np.number):
        # Without negative zeros.
        texts = [
            f"{float(x) + 0.0:.{digits}g}" if np.isfinite(x) else "undefined"
            for x in numbers.ravel()
        ]
        return ", ".join(texts)
    return str(value)


def _change(number: float) -> str:
    """A number with its sign, unless it is 0."""
    return f"{number:+.4g}" if number and np.isfinite(number) else written(number)


def _power(unit: str) -> Markup:
    """E^2 with a raised 2; nothing for pure numbers."""
    base, caret, exponent = unit.partition("^")
    return escape("" if unit == "1" else base) + (
        Markup("<sup>{}</sup>").format(exponent) if caret else ""
    )


def _wrapped(path: str) -> Markup:
    """A path that a narrow screen may break after its dots and underscores."""
    return Markup(str(escape(path)).replace(".", ".<wbr>").replace("_", "_<wbr>"))


def _unbroken(numbers: str) -> Markup:
    """Numbers with commas between, none of which is broken."""
    return Markup(" ").join(
        Markup("<span>{}</span>").format(number) for number in numbers.split(" ")
    )


def _parameters(machine):
    return [
        (path, written(value), unit_of_parameter(path, machine))
        for path, value in parameters(machine).items()
    ]


def _rows(point):
    """Name, value, meaning and unit of what is worth a line."""
    table = point.observables()
    shown = {name: table[name] for name in point.headlines()}
    return [
        (name, written(each.value, 10), each.meaning, each.unit) for name, each in shown.items()
    ]
