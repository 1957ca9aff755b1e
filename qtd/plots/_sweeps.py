"""What drawings read from a sweep: observables over the dimensions to draw, statuses by name,
labels with units."""

import difflib
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._numerics.printing import typeset
from ..status import Status
from ._axes import symbol, unit_text

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

_STATUS_NAMES = {int(status): status.name.lower().replace("_", " ") for status in Status} | {
    -1: "not computed yet"
}


def arranged(
    dataset: "Dataset", names: Sequence[str], over: Sequence[str | None], needs: int
) -> tuple["Dataset", list[str]]:
    """The observables `names` and their status over some dimensions, in ascending order, and which
    dimensions these are.

    `over`: dimensions, or coordinates that run along one; `None` stands for the next that has more
    than one value. At least the first `needs` of them must exist, and no other dimension may have
    more than one value.
    """
    names = list(dict.fromkeys(names))
    for name in names:
        _check_observable(dataset, name)
    for name in filter(None, over):
        if name not in dataset.dims:
            if name not in dataset.coords or dataset[name].ndim != 1:
                raise ValueError(
                    f"No dimension of this sweep is called '{name}'; it has"
                    f" {_listed(dataset.dims)}."
                )
            dataset = dataset.swap_dims({dataset[name].dims[0]: name})
    table = dataset[[*names, *({"status"} & set(dataset.data_vars))]]
    table = table.squeeze(
        [
            dimension
            for dimension, size in table.sizes.items()
            if size == 1 and dimension not in over
        ]
    )
    dimensions = list(
        dict.fromkeys(str(dimension) for name in names for dimension in table[name].dims)
    )
    free = [name for name in dimensions if name not in over]
    chosen = [name or (free.pop(0) if free else None) for name in over]
    drawn = [name for name in chosen if name in dimensions]
    if free or len(set(drawn)) < max(needs, sum(name is not None for name in over)):
        raise ValueError(_wrong_dimensions(names, dimensions, len(over), needs))
    ascending = [name for name in drawn if np.issubdtype(table[name].dtype, np.number)]
    return table.sortby(ascending).broadcast_like(table), drawn


def _check_observable(dataset, name):
    if name not in dataset.data_vars:
        known = [str(variable) for variable in dataset.data_vars]
        close = difflib.get_close_matches(name, known, cutoff=0.5)
        hint = f"close: {_listed(close)}" if close else f"it has {_listed(known)}"
        raise ValueError(f"This sweep has no observable '{name}'; {hint}.")


def _wrong_dimensions(names, dimensions, most, needs):
    what, along = _listed(names), _listed(dimensions) or "no dimension"
    if len(dimensions) > most:
        return (
            f"{what} varies along {along}, but {most} dimensions are drawn; first pick values of"
            " others by `dataset.sel(...)` or `isel`."
        )
    return (
        f"{what} varies along {along}, but {needs} different dimensions are needed; sweep a"
        " grid"
        " of more parameters."
    )


def numbers(table: "Dataset", name: str, *dimensions: str) -> np.ndarray:
    """A variable as an array over `dimensions`, NaN where it is not finite."""
    values = table[name].transpose(*dimensions).to_numpy()
    if not np.issubdtype(values.dtype, np.number):
        raise ValueError(
            f"'{name}' holds no numbers, but {values.dtype}; pick one value first with"
            " `dataset.sel(...)`."
        )
    return np.where(np.isfinite(values), values, np.nan).astype(float)


def statuses(table: "Dataset", *dimensions: str) -> np.ndarray:
    """The status of each point, 0 where there is none, as after `dataset.where(...)`."""
    if "status" in table:
        return np.nan_to_num(table["status"].transpose(*dimensions).to_numpy()).astype(int)
    return np.zeros([table.sizes[dimension] for dimension in dimensions], int)


def flagged(values: np.ndarray, status: np.ndarray) -> dict[str, np.ndarray]:
    """Masks by name, where points have a status other than OK, or no number in spite of it."""
    found = {
        _STATUS_NAMES.get(int(code), f"status {code}"): status == code
        for code in np.unique(status)
        if code != 0
    }
    missing = np.isnan(values) & (status == 0)
    return found | ({"no number": missing} if missing.any() else {})


def is_geometric(values: np.ndarray) -> bool:
    """Whether ascending values belong on a logarithmic axis: equal ratios, over a range wide enough
    for its ticks."""
    if len(values) < 3 or not 0 < 3 * values[0] < values[-1]:
        return False
    ratios = np.diff(np.log(values))
    return bool(np.ptp(ratios) < 1e-3 * ratios.mean())


def spans_decades(values: np.ndarray) -> bool:
    """Whether a few values are so large that on a linear scale nearly all others look like zero."""
    return bool(values.min() > 0 and values.max() > 100 * np.median(values))


def quantity_label(variable: "DataArray") -> str:
    """Symbol and unit of an observable, path and unit of a parameter: a label for an axis."""
    unit = unit_of(variable)
    return name_of(variable) + (f"  ({unit})" if unit else "")


def name_of(variable: "DataArray") -> str:
    """Symbol of an observable; a parameter goes by its path."""
    name = str(variable.name)
    return name if name in variable.coords or "." in name else symbol(name)


def unit_of(variable: "DataArray") -> str:
    """The unit as text for Matplotlib, empty where there is none."""
    return unit_text(str(variable.attrs.get("units") or ""))


def written(value: object) -> str:
    """One coordinate or result, four digits if it is a number."""
    return typeset(f"{value:.4g}") if isinstance(value, (float, int, np.number)) else str(value)


def headline(table: "Dataset", remark: str = "") -> str:
    """Title of a drawing: the machine, the parameters that were fixed to draw it, and a remark."""
    fixed = ", ".join(
        f"{name} = {written(c.item())}" for name, c in table.coords.items() if c.ndim == 0
    )
    text = ";  ".join(filter(None, [str(table.attrs.get("machine", "")), fixed, remark]))
    return textwrap.fill(text, 62)


def _listed(names):
    return ", ".join(f"'{name}'" for name in names)
