"""How much an observable of a machine changes with each of its parameters."""

from typing import Any, NamedTuple

import jax
import numpy as np

from .._numerics.compilation import compiled
from ..observables import operating_point
from ..parameters import parameters, replace

__all__ = ["Sensitivity", "sensitivities"]


class Sensitivity(NamedTuple):
    """The sensitivity to one parameter: path, value p, derivative dF/dp, and the logarithmic one, d
    ln |F| / d ln |p| = p / F dF/dp."""

    path: str
    value: float
    slope: float
    logarithmic: float


def sensitivities(machine: Any, observable: str) -> list[Sensitivity]:
    """Sensitivities of an observable of the machine, for every number in it (entries of arrays one
    by one), by reverse mode; the strongest first.

    The logarithmic derivative is 0 for a parameter that is 0, and NaN where the observable is 0 or
    no number, or has no derivative.
    """
    value, slopes = _differentiated(machine, parameters(machine), observable)
    found = []
    for path, numbers in parameters(machine).items():
        for place, number in np.ndenumerate(np.asarray(numbers, float)):
            name = f"{path}[{','.join(map(str, place))}]" if place else path
            slope = float(np.asarray(slopes[path])[place])
            relative = (
                slope * number / float(value) if value != 0 and np.isfinite(value) else np.nan
            )
            found.append(Sensitivity(name, float(number), slope, float(relative)))
    return sorted(found, key=lambda s: -np.nan_to_num(abs(s.logarithmic), nan=-1.0))


@compiled
def _differentiated(machine, values, name):
    return jax.value_and_grad(
        lambda values: operating_point(replace(machine, values)).observables()[name].value
    )(values)
