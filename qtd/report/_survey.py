"""A small sweep over the two parameters that a machine names, for a map and an explorer."""

from typing import Any

import numpy as np
import xarray

from ..machines import AbstractMachine
from ..machines._machine import survey_of
from ..observables import observables
from ..sweeps import sweep

__all__ = ["survey"]


def survey(machine: Any) -> xarray.Dataset:
    """All observables of a machine over the two parameters, and at the values, that its method
    `survey` names; of a bare system over two of its own.

    Where only one entry of an array varies, such as the temperature of one of several gases, the
    dimension has its name, as in "gases.temperature[0]". `attrs["observable"]` is the one that the
    machine is about.
    """
    plan = machine.survey() if isinstance(machine, AbstractMachine) else survey_of(machine)
    table = sweep(machine, plan.over, observables(machine))
    for path, values in plan.over.items():
        if values.ndim > 1:
            table = _by_entry(table, path, np.asarray(values))
    return table.assign_attrs(observable=plan.observable)


def _by_entry(table, path, values):
    columns = values.reshape(len(values), -1)
    moving = np.flatnonzero(np.ptp(columns, axis=0))
    if len(moving) != 1:
        raise ValueError(f"`survey` must vary one entry of {path!r}, got {len(moving)}.")
    place = ",".join(str(int(i)) for i in np.unravel_index(moving[0], values.shape[1:]))
    name = f"{path}[{place}]"
    coordinate = (name, columns[:, moving[0]], {"units": table[path].attrs["units"]})
    return table.drop_vars(path).rename({f"{path}.index": name}).assign_coords({name: coordinate})
