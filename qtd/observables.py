"""Scalars of what a machine does: by name, or any function of the machine; several of them from one operating point."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

from ._numerics.compilation import compiled

__all__ = ["Named", "observables", "observe"]

Observable = Callable[[Any], Any]  # of a machine: a scalar for who designs, any PyTree of numbers for who records


class Named(NamedTuple):
    """The scalar `name` among the `figures` of what a machine does: a function of the machine."""

    name: str

    def __call__(self, machine: Any) -> Float[Array, ""]:
        return _figure(machine, self.name)


def observables(machine: Any) -> dict[str, Observable]:
    """The scalars of what `machine` does by name, as its result's `figures` list them: functions of a machine of this kind."""
    names = eqx.filter_eval_shape(lambda m: m.operate().figures(), machine)
    return {name: Named(name) for name in names}


def observe(wanted: Iterable[Observable], machine: Any) -> list[Any]:
    """The values of observables of a `machine`, all those that are `wanted` by name from one operating point."""
    wanted = list(wanted)
    figures = machine.operate().figures() if any(isinstance(each, Named) for each in wanted) else {}
    return [figures[each.name] if isinstance(each, Named) else each(machine) for each in wanted]


@compiled
def _figure(machine, name):
    return machine.operate().figures()[name]
