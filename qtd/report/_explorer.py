"""A page on which a sweep can be explored: a slider for each parameter, a curve, and all numbers at
one point."""

from typing import Any

import numpy as np
import xarray

from ..plots._sweeps import is_geometric
from ..status import Status
from ._page import template

__all__ = ["explorer"]

_MOST = 400_000  # numbers in a page, about ten bytes each
_MOST_DIMENSIONS = 4


def explorer(dataset: xarray.Dataset, title: str | None = None) -> str:
    """A sweep on one HTML page with a slider for each parameter, for a browser without a network.

    A curve shows one observable along one parameter, at the values of the others that their sliders
    have; a mark, and a table of all observables, the point itself. The curve has gaps where there
    is no number, and the table the status that says why.

    - `title`: the headline.
    - `dataset`: an `xarray.Dataset` of `qtd.sweep` with 1 to 4 dimensions; observables that have
      more of their own, such as cumulants, are left out.

    **Raises** `ValueError` for more dimensions, no observables, and more than 400 000 numbers.
    """
    if "status" not in dataset:
        dataset = dataset.assign(
            status=xarray.zeros_like(next(iter(dataset.data_vars.values())), dtype=np.int8)
        )
    dimensions = [str(name) for name in dataset["status"].dims]
    if not 1 <= len(dimensions) <= _MOST_DIMENSIONS:
        raise ValueError(
            f"`dataset` must have 1 to {_MOST_DIMENSIONS} dimensions, got {len(dimensions)}; pick"
            " values of some, as in"
            ' `dataset.sel({"cold.temperature": 0.5}, method="nearest")`.'
        )
    names = [
        str(name)
        for name, x in dataset.data_vars.items()
        if name != "status" and set(x.dims) <= set(dimensions) and x.dtype.kind in "fiub"
    ]
    if not names:
        raise ValueError("`dataset` has no observable that is one number at each point; sweep one.")
    count = (len(names) + 1) * dataset["status"].size
    if count > _MOST:
        raise ValueError(
            f"`dataset` holds {count} numbers, more than the {_MOST} of a page; thin it out, as in"
            f" `dataset.isel({{{dimensions[0]!r}: slice(None, None, {-(-count // _MOST)})}})`, or"
            " keep fewer observables, as in"
            f' `dataset[["{names[0]}", "status"]]`.'
        )
    status = dataset["status"].to_numpy()
    data = {
        "dimensions": [_dimension(dataset, name) for name in dimensions],
        "observables": [
            _observable(dataset[name].broadcast_like(dataset["status"]).transpose(*dimensions))
            for name in names
        ],
        "status": status.ravel().astype(int).tolist(),
        "words": {int(code): _word(int(code)) for code in np.unique(status)},
        "first": names.index(dataset.attrs["observable"])
        if dataset.attrs.get("observable") in names
        else 0,
    }
    machine = str(dataset.attrs.get("machine", "Sweep"))
    return template("explorer.html").render(
        title=title or f"{machine}: explorer", data=data, version=dataset.attrs.get("qtd")
    )


def _dimension(dataset, name) -> dict[str, Any]:
    """Values as numbers, places on the axis and words; parameters that change along with it are
    told in words only."""
    size = dataset.sizes[name]
    values = dataset[name].to_numpy() if name in dataset.coords else np.arange(size)
    is_number = np.issubdtype(values.dtype, np.number)
    places = values.astype(float) if is_number else np.arange(size, dtype=float)
    words = [f"{value:.6g}" if is_number else str(value) for value in values]
    others = [
        str(key)
        for key, x in dataset.coords.items()
        if x.dims == (name,) and key != name and np.issubdtype(x.dtype, np.number)
    ]
    for key in others:
        words = [
            f"{word}, {key} = {value:.6g}" for word, value in zip(words, dataset[key].to_numpy())
        ]
    order = np.sort(places)
    unit = str(dataset[name].attrs.get("units", "")) if name in dataset.coords else ""
    return {
        "name": name,
        "unit": _shown(unit),
        "places": places.tolist(),
        "words": words,
        "log": is_geometric(order),
    }


def _observable(variable) -> dict[str, Any]:
    values = variable.to_numpy().astype(float).ravel()
    numbers = [float(f"{value:.8g}") if np.isfinite(value) else None for value in values]
    return {
        "name": str(variable.name),
        "unit": _shown(str(variable.attrs.get("units", ""))),
        "values": numbers,
    }


def _shown(unit):
    """E^2 with a raised 2, as plain text; nothing for pure numbers."""
    base, _, power = unit.partition("^")
    return (
        "" if unit == "1" else base + power.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    )


def _word(code):
    known = {int(status) for status in Status}
    if code == -1:
        return "not computed yet"
    return (
        f"{Status(code).name.lower().replace('_', ' ')}: {Status(code).message}"
        if code in known
        else f"status {code}"
    )
