"""One page about one machine."""

from collections.abc import Mapping
from typing import Any

import jinja2
import numpy as np
import xarray
from markupsafe import Markup, escape

from .._numerics.printing import typeset
from ..machines import AbstractMachine
from ..observables import operating_point
from ..parameters import options, parameters
from ..sensitivities import Sigma, sensitivities, uncertainty
from ..status import Status
from ..systems.base import AbstractSystem
from ..thermodynamics import Mode
from ..units import unit_of_parameter
from ._pictures import pictures
from ._recipe import command
from ._survey import survey
from ._verdict import SYMBOLS, gravest_first, verdict

__all__ = ["page"]

_MOST_ROWS = 20  # elasticities in the table


def page(
    machine: Any,
    title: str | None = None,
    audit: Any = None,
    table: xarray.Dataset | None = None,
    sigmas: Mapping[str, Sigma] | None = None,
) -> str:
    """A machine on one HTML page: what an audit comes to in a sentence, operating point and laws,
    the audit, levels, an operating map, elasticities, parameters.

    Of a motor with its torque against velocity, of finite reservoirs with their evolution. The page
    holds everything it shows, needs no network, and says how to make the machine again.

    - `machine`: one of `qtd.machines`, or of your own `AbstractMachine`, whose method `survey` says
      which observable the page is about, and over which two parameters it is mapped; or a bare
      network, master equation or conductor.
    - `title`: the headline, by default the name of its class.
    - `audit`: what `qtd.audit` found, or anything with `findings`; left out if None.
    - `table`: the `survey` of this machine, where it is known already.
    - `sigmas`: how well parameters are known, as in `qtd.sensitivities.uncertainty`; the operating
      point then has error bars.

    **Raises** `ValueError` for what is no machine, and as `uncertainty` does.
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
    names = list(dict.fromkeys([observable, *point.headlines()]))
    bars = None if sigmas is None else uncertainty(machine, names, sigmas)
    return template("page.html").render(
        title=title or type(machine).__name__,
        kind=type(machine).__name__,
        summary=_summary(type(machine)),
        mode="" if point.mode_code == Mode.UNKNOWN else point.mode,
        status=Status(int(point.status)),
        options={name: written(value) for name, value in options(machine).items()},
        parameters=_parameters(machine),
        rows=_rows(point),
        bars=bars,
        known=[] if sigmas is None else [_known(path, given) for path, given in sigmas.items()],
        laws=point.laws(),
        verdict=None if audit is None else verdict(audit, point),
        findings=[] if audit is None else gravest_first(audit.findings),
        symbols=SYMBOLS,
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
        "typeset": _prose,
        "wrapped": _wrapped,
        "numbers": _numbers,
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


def _numbers(text: str) -> Markup:
    """Numbers with commas between, none of which is broken, as they are set; programs find them as
    they write them."""
    known = [escape(number) for number in text.split(", ")]
    data = [Markup('<data value="{}">{}</data>').format(each, typeset(each)) for each in known]
    return Markup(", ").join(data)


def _prose(text: str) -> str:
    """Numbers and relations within words as they are set."""
    return typeset(text).replace(">=", "≥").replace("<=", "≤").replace("^2", "²")


def _known(path: str, given: Sigma) -> str:
    """How well a parameter is known, in words."""
    size, kind = given if isinstance(given, tuple) else (given, "relative")
    return f"{path} {100 * float(size):.3g} %" if kind == "relative" else f"{path} {size:.3g}"


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
