"""A small sweep of a machine over a few of its parameters, for a map and an explorer."""

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
import xarray
from jaxtyping import ArrayLike

from ..machines import AbstractMachine
from ..machines._machine import Survey, survey_of
from ..observables import observables, operating_point
from ..parameters import parameters, replace
from ..sweeps import sweep
from ..thermodynamics import AbstractPoint, Mode
from ._units import quotient

__all__ = ["BOUNDS", "headlines", "plan_of", "survey"]

BOUNDS = {"COP": "COP_Carnot", "efficiency": "efficiency_Carnot"}
_SLOPES = "slopes."


def survey(
    machine: Any,
    over: Mapping[str, ArrayLike] | None = None,
    observe: Iterable[str] | None = None,
    *,
    derivatives: bool = False,
) -> xarray.Dataset:
    """Observables of a `machine`, or of a bare system, and its mode on a grid of its parameters.

    - `over`: values by path; by default of the two parameters that its method `survey` names, and
      of a bare system of two of its own. Where only one entry of an array varies, such as the
      temperature of one of several gases, the dimension has its name, "gases.temperature[0]".
    - `observe`: names of observables, by default all.
    - `derivatives`: whether to record the exact derivative of each observable with respect to each
      parameter too, as "J_cold.d.cold.temperature". They take most of the time of compilation.

    `attrs["observable"]` is the one that the machine is about; "mode" holds codes of
    `qtd.thermodynamics.Mode`, and is left out where the machine tells none.

    **Raises** `ValueError` for unknown paths and names.

    >>> table = qtd.report.survey(
    ...     qtd.machines.NDemon(), {"cold.temperature": [0.7, 0.8]}, ["COP"], derivatives=True
    ... )
    >>> list(table.data_vars)
    ['COP', 'mode', 'COP.d.cold.temperature', 'status']
    """
    plan = plan_of(machine, over)
    machine, grid = _by_entry(machine, plan.over)
    names = list(observables(machine)) if observe is None else list(observe)
    asked: dict[str, Any] = dict(zip(names, names)) | {"mode": _mode_code}
    if derivatives:
        asked[_SLOPES.rstrip(".")] = _slopes(names, list(grid))
    table = sweep(machine, grid, asked)
    table = table.rename({key: str(key).removeprefix(_SLOPES) for key in table.data_vars})
    if derivatives:
        _tell_units(table, names, list(grid))
    table = table[[*names, *(key for key in table.data_vars if key not in names)]]
    if (table["mode"] == Mode.UNKNOWN).all():
        table = table.drop_vars("mode")
    about = plan.observable if plan.observable in names else names[0]
    return table.assign_attrs(observable=about)


def plan_of(machine: Any, over: Mapping[str, ArrayLike] | None = None) -> Survey:
    """What to look at: the observable that a `machine` is about, `over` these values, or else those
    that it names itself."""
    own = machine.survey() if isinstance(machine, AbstractMachine) else survey_of(machine)
    if over is None:
        return own
    return own._replace(over={path: np.asarray(values) for path, values in over.items()})


def headlines(machine: Any) -> list[str]:
    """The observables of a `machine` that are worth a line each, the bounds of its ratios, and its
    validity, by name; nothing is computed."""
    listed, shown = [], []

    def read(machine):
        point = operating_point(machine)
        table = point.observables()
        listed.extend(table)
        shown.extend(point.headlines())
        return [each.value for each in table.values()]

    eqx.filter_eval_shape(read, machine)
    shown += [BOUNDS[name] for name in shown if name in BOUNDS] + ["validity"]
    return [name for name in listed if name in shown]


def _mode_code(machine):
    point = operating_point(machine)
    return point.mode_code if isinstance(point, AbstractPoint) else np.int32(Mode.UNKNOWN)


def _slopes(names, paths):
    """The function from a machine to the derivatives of its observables `names` with respect to the
    parameters at `paths`, by forward mode: there are few of these, and many observables."""

    def slopes(machine):
        known = parameters(machine, paths)

        def values(numbers):
            table = operating_point(replace(machine, numbers)).observables()
            return {name: table[name].value for name in names}

        found = jax.jacfwd(values)({path: known[path] for path in paths})
        return {f"{name}.d.{path}": found[name][path] for name in names for path in paths}

    return slopes


def _tell_units(table, names, paths):
    for name in names:
        for path in paths:
            units = quotient(table[name].attrs["units"], table[path].attrs["units"])
            table[f"{name}.d.{path}"].attrs["units"] = units


def _by_entry(machine, over):
    """The machine, and values of single numbers of it: of an array of which one entry varies, that
    entry, with the others set."""
    grid = {}
    for path, values in over.items():
        if values.ndim < 2:
            grid[path] = values
            continue
        columns = values.reshape(len(values), -1)
        moving = np.flatnonzero(np.ptp(columns, axis=0))
        if len(moving) != 1:
            raise ValueError(
                f"`over` must vary one entry of {path!r}, got {len(moving)}; name the entry, as in"
                f' "{path}[0]".'
            )
        place = ",".join(str(int(i)) for i in np.unravel_index(moving[0], values.shape[1:]))
        machine = replace(machine, {path: values[0]})
        grid[f"{path}[{place}]"] = columns[:, moving[0]]
    return machine, grid
