"""Scalars of what a machine does: by name, or any function of the machine; several of them from one operating point."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

from ._numerics.compilation import compiled
from .thermodynamics import operate

__all__ = ["Named", "observables", "observe", "operating_point"]

Observable = Callable[[Any], Any]  # of a machine: a scalar for who designs, any PyTree of numbers for who records


def operating_point(machine: Any, **how: Any) -> Any:
    """What a `machine` does: what its `operate` returns, asked `how` it likes; of a bare network, master equation or conductor
    `qtd.operate`."""
    return machine.operate(**how) if hasattr(machine, "operate") else operate(machine, **how)


class Named(NamedTuple):
    """The scalar `name` among the `figures` of what a machine does: a function of the machine."""

    name: str

    def __call__(self, machine: Any) -> Float[Array, ""]:
        return _figure(machine, self.name)


def observables(machine: Any) -> dict[str, Observable]:
    """The scalars of what `machine` (or a bare system) does by name, as its result's `figures` list them: functions of its kind."""
    names = eqx.filter_eval_shape(lambda m: operating_point(m).figures(), machine)
    return {name: Named(name) for name in names}


def observe(wanted: Iterable[Observable], machine: Any) -> list[Any]:
    """The values of observables of a `machine`, all those that are `wanted` by name from one operating point."""
    wanted = list(wanted)
    figures = operating_point(machine).figures() if any(isinstance(each, Named) for each in wanted) else {}
    return [figures[each.name] if isinstance(each, Named) else each(machine) for each in wanted]


@compiled
def _figure(machine, name):
    return operating_point(machine).figures()[name]
