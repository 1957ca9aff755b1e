"""Scalars of what a machine does: by name, or any function of the machine; several of them from one
operating point."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

from ._numerics.compilation import compiled, evaluated_once
from .thermodynamics import operate

__all__ = ["Named", "observables", "observe", "operating_point", "units_of"]

Observable = Callable[[Any], Any]  # of a machine: a scalar to design by, any numbers to record


def operating_point(machine: Any, **how: Any) -> Any:
    """What a `machine`, anything that can `operate`, returns, asked `how` it likes; of a bare
    network, master equation or conductor `qtd.operate`."""
    return machine.operate(**how) if hasattr(machine, "operate") else operate(machine, **how)


class Named(NamedTuple):
    """The scalar `name` among the observables of what a machine does: a function of the machine."""

    name: str

    def __call__(self, machine: Any) -> Float[Array, ""]:
        return _value(machine, self.name)


def observables(machine: Any) -> dict[str, Observable]:
    """The scalars of what `machine` (or a bare system) does by name, as its result's `observables`
    list them: functions of its kind."""
    return {name: Named(name) for name in _table(machine)}


def units_of(machine: Any, names: Iterable[str]) -> dict[str, str]:
    """The units, in powers of E, of what is called by these `names`, from the table of observables
    of a `machine`. A name that the table lacks, such as J_c of a function of one's own, has the
    unit of all that begin with its symbol, J; "" where these differ, and where the table is not
    known."""
    try:
        table = {name.lower(): each.unit for name, each in _table(machine).items()}
    except Exception:  # whatever the machine says; units are no reason to refuse it
        return dict.fromkeys(names, "")
    units = {}
    for name in names:
        alike = {unit for other, unit in table.items() if _symbol(other) == _symbol(name.lower())}
        units[name] = table.get(name.lower(), alike.pop() if len(alike) == 1 else "")
    return units


def _symbol(name):
    return name.partition("_")[0]


def observe(wanted: Iterable[Observable], machine: Any) -> list[Any]:
    """The values of observables of a `machine`, all those `wanted` by name from one operating
    point."""
    wanted = list(wanted)
    by_name = any(isinstance(each, Named) for each in wanted)
    with evaluated_once():
        table = operating_point(machine).observables() if by_name else {}
        return [
            table[each.name].value if isinstance(each, Named) else each(machine) for each in wanted
        ]


def _table(machine):
    """The table of observables, with shapes in place of values: nothing is computed."""
    names = []

    def table(machine):
        observables = operating_point(machine).observables()
        names.extend(observables)  # in the order of the machine; JAX sorts dictionaries
        return observables

    shapes = eqx.filter_eval_shape(table, machine)
    return {name: shapes[name] for name in names}


@compiled
def _value(machine, name):
    return operating_point(machine).observables()[name].value
