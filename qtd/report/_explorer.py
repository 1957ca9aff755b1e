"""A page on which a machine or a sweep can be explored: a map, a curve, a slider for each
parameter, and all numbers at one point with their derivatives."""

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib
import numpy as np
import xarray
from jaxtyping import ArrayLike
from matplotlib.colors import to_hex

from ..limits import FIRST_ORDER
from ..machines import AbstractMachine
from ..plots._sweeps import is_geometric
from ..status import Status
from ..systems.base import AbstractSystem
from ..thermodynamics import Mode
from ._page import template
from ._survey import BOUNDS, headlines, plan_of, survey
from ._units import is_natural, quotient, shown

__all__ = ["explorer"]

_MOST = 400_000  # numbers in a page, about ten bytes each
_MOST_DIMENSIONS = 4
_COLOURS = {"sequential": "viridis", "diverging": "RdBu_r"}  # those of `qtd.plots.operating_map`
_STOPS = 17  # of a scale of colours, between which the page interpolates
_STANDS = {int(status) for status in Status if status.stands}


def explorer(
    thing: Any,
    title: str | None = None,
    over: Mapping[str, ArrayLike] | None = None,
    observe: Iterable[str] | None = None,
) -> str:
    """A machine, a bare system or a sweep as a design bench: one HTML page for a browser without a
    network.

    It has a map of any observable over any two parameters and a curve along one, which share a
    point; sliders and the pointer move it, and a table tells all observables there, with their
    derivatives with respect to the parameters of the map. The map shows borders between modes,
    where the observable is 0, where the theory is doubtful (`validity` above 0.1) or does not hold
    (above 1), where there is no number, and where the status is not OK. A COP or an efficiency is
    drawn below its bound.

    - `thing`: a machine, or a bare network, master equation or conductor, which is swept; or an
      `xarray.Dataset` of `qtd.sweep` with 1 to 4 dimensions, of which observables that have more of
      their own, such as cumulants, are left out.
    - `title`: the headline.
    - `over`: of a machine or system, values by path of 1 to 4 parameters; by default two, as in
      `survey`.
    - `observe`: of a machine or system, names of its observables; by default its headlines, the
      bounds of its COP and efficiency, and its validity.

    Derivatives of a machine or system are exact. Of a dataset they are where it holds them, as
    `observe={"J": cooling, "J.d": qtd.sweeps.gradient(cooling, paths)}` or "dJ" records them, and
    else differences between neighbouring points. The page says which.

    **Raises** `ValueError` for more dimensions, no observables, unknown names and paths, and more
    than 400 000 numbers.
    """
    if isinstance(thing, xarray.Dataset):
        if over is not None or observe is not None:
            raise ValueError(
                "`over` and `observe` are for a machine or a system, and this dataset is swept"
                " already; leave them out, or give the machine."
            )
        return _page(thing, title)
    if not isinstance(thing, AbstractMachine | AbstractSystem):
        raise ValueError(
            "`thing` must be a machine, a bare network, master equation or conductor, or a dataset"
            f" of `qtd.sweep`, got {type(thing).__name__}."
        )
    names = headlines(thing) if observe is None else list(observe)
    grid = plan_of(thing, over).over
    points = int(np.prod([len(np.atleast_1d(values)) for values in grid.values()]))
    _require_dimensions(len(grid), "`over`", "leave some out.")
    # Besides, a mode and a status at each point.
    _require_room(
        points * (len(names) * (1 + len(grid)) + 2),
        "`over` with its observables and derivatives",
        'take fewer values, or fewer observables, as in `observe=["J_cold", "COP"]`.',
    )
    return _page(survey(thing, over, names, derivatives=True), title)


def _page(dataset, title):
    if "status" not in dataset:
        first = next(iter(dataset.data_vars.values()))
        dataset = dataset.assign(status=xarray.zeros_like(first, dtype=np.int8))
    dimensions = [str(name) for name in dataset["status"].dims]
    _require_dimensions(
        len(dimensions),
        "`dataset`",
        'pick values of some, as in `dataset.sel({"cold.temperature": 0.5}, method="nearest")`.',
    )
    slopes = _slopes(dataset, dimensions)
    names = _names(dataset, dimensions, set().union(*(each.values() for each in slopes.values())))
    if not names:
        raise ValueError("`dataset` has no observable that is one number at each point; sweep one.")
    count = (len(names) + sum(map(len, slopes.values())) + 1) * dataset["status"].size
    _require_room(
        count,
        "`dataset`",
        f"thin it out, as in `dataset.isel({{{dimensions[0]!r}: slice(None, None,"
        f" {-(-count // _MOST)})}})`, or keep fewer observables, as in"
        f' `dataset[["{names[0]}", "status"]]`.',
    )
    machine = str(dataset.attrs.get("machine", "Sweep"))
    return template("explorer.html").render(
        title=title or f"{machine}: explorer",
        data=_data(dataset, dimensions, names, slopes),
        version=dataset.attrs.get("qtd"),
    )


def _require_dimensions(count, what, remedy):
    if not 1 <= count <= _MOST_DIMENSIONS:
        raise ValueError(
            f"{what} must have 1 to {_MOST_DIMENSIONS} dimensions, got {count}; {remedy}"
        )


def _require_room(count, what, remedy):
    if count > _MOST:
        raise ValueError(f"{what} holds {count} numbers, more than the {_MOST} of a page; {remedy}")


def _slopes(dataset, dimensions) -> dict[str, dict[str, str]]:
    """Variables that hold derivatives, by observable and dimension: "J.d.path" or "dJ.path".

    One in another unit than those of the observable and the dimension make is none of these, as
    after a conversion of them alone."""
    found: dict[str, dict[str, str]] = {}
    for name in map(str, dataset.data_vars):
        for by in dimensions:
            for key in (f"{name}.d.{by}", f"d{name}.{by}"):
                if key in dataset.data_vars and _is_derivative(dataset, key, name, by):
                    found.setdefault(name, {}).setdefault(by, key)
    return found


def _is_derivative(dataset, key, name, by):
    own, units = _unit(dataset, key), (_unit(dataset, name), _unit(dataset, by))
    return own == quotient(*units) if own else all(is_natural(unit) for unit in units)


def _unit(dataset, name):
    return str(dataset[name].attrs.get("units", "")) if name in dataset.variables else ""


def _names(dataset, dimensions, derivatives):
    """Observables that are one number at each point."""
    return [
        str(name)
        for name, x in dataset.data_vars.items()
        if name not in {"status", "mode", *derivatives}
        and set(x.dims) <= set(dimensions)
        and x.dtype.kind in "fiub"
    ]


def _data(dataset, dimensions, names, slopes) -> dict[str, Any]:
    """All that the page reads."""

    def over_the_grid(name):
        return dataset[name].broadcast_like(dataset["status"]).transpose(*dimensions).to_numpy()

    status = over_the_grid("status")
    about = dataset.attrs.get("observable")
    return {
        "dimensions": [_dimension(dataset, name) for name in dimensions],
        "observables": [
            {
                "name": name,
                "unit": shown(_unit(dataset, name)),
                "values": _numbers(over_the_grid(name)),
                "bound": names.index(BOUNDS[name]) if BOUNDS.get(name) in names else None,
                "slopes": [
                    _numbers(over_the_grid(slopes[name][by]))
                    if by in slopes.get(name, {})
                    else None
                    for by in dimensions
                ],
                "units_of_slopes": [
                    shown(quotient(_unit(dataset, name), _unit(dataset, by))) for by in dimensions
                ],
            }
            for name in names
        ],
        "status": status.ravel().astype(int).tolist(),
        "words": {int(code): _word(int(code)) for code in np.unique(status)},
        "modes": {int(mode): str(mode) for mode in Mode},
        "mode": _modes(over_the_grid("mode"), status) if "mode" in dataset else None,
        "validity": names.index("validity") if "validity" in names else None,
        "limits": [FIRST_ORDER.doubtful, FIRST_ORDER.wrong],
        "colours": {kind: _stops(name) for kind, name in _COLOURS.items()},
        "first": names.index(about) if about in names else 0,
    }


def _dimension(dataset, name) -> dict[str, Any]:
    """Places on the axis, words where they are no numbers, and the parameters that change along."""
    size = dataset.sizes[name]
    values = dataset[name].to_numpy() if name in dataset.coords else np.arange(size)
    is_number = np.issubdtype(values.dtype, np.number)
    places = values.astype(float) if is_number else np.arange(size, dtype=float)
    others = [
        {"name": str(key), "values": x.to_numpy().astype(float).tolist()}
        for key, x in dataset.coords.items()
        if x.dims == (name,) and key != name and np.issubdtype(x.dtype, np.number)
    ]
    return {
        "name": name,
        "unit": shown(_unit(dataset, name)),
        "places": places.tolist(),
        "words": None if is_number else [str(value) for value in values],
        "others": others,
        "log": is_geometric(np.sort(places)),
    }


def _numbers(values):
    """Eight digits of each, None for what is no number."""
    return [
        float(f"{value:.8g}") if np.isfinite(value) else None
        for value in values.astype(float).ravel()
    ]


def _modes(codes, status):
    """Codes of modes, None where the machine tells none or there are no numbers."""
    told = np.isin(status, list(_STANDS)) & np.isin(codes, list(set(Mode) - {Mode.UNKNOWN}))
    return [int(code) if known else None for code, known in zip(codes.ravel(), told.ravel())]


def _stops(name):
    return [to_hex(colour) for colour in matplotlib.colormaps[name](np.linspace(0, 1, _STOPS))]


def _word(code):
    known = {int(status) for status in Status}
    if code == -1:
        return "not computed yet"
    return (
        f"{Status(code).name.lower().replace('_', ' ')}: {Status(code).message}"
        if code in known
        else f"status {code}"
    )
