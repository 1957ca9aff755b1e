"""How much observables change with each parameter of a machine, and how uncertain they are where
parameters are."""

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np

from ._numerics.compilation import compiled
from ._numerics.paths import overlapping
from .observables import operating_point
from .parameters import parameters, replace
from .units import unit_of_parameter

__all__ = ["Sensitivity", "Uncertainty", "sensitivities", "sensitivity_table", "uncertainty"]

Sigma = float | tuple[float, Literal["relative", "absolute"]]


class Sensitivity(NamedTuple):
    """The sensitivity of an observable F to one parameter p: its `path`, `value` and `unit` ("1" of
    a pure number, "" where none is declared), the `slope` dF/dp, and the `logarithmic` one, the
    elasticity d ln |F| / d ln |p| = p / F dF/dp: per cent of change for each per cent of p."""

    path: str
    value: float
    slope: float
    logarithmic: float
    unit: str


class Uncertainty(NamedTuple):
    """A `value` and its error bar `sigma`, both in the unit of the observable; `shares`: which part
    of sigma^2 comes from each parameter, by path, the largest first. They add up to 1."""

    value: float
    sigma: float
    shares: dict[str, float]


def sensitivities(machine: Any, observable: str) -> list[Sensitivity]:
    """Sensitivities of an `observable`, by name, of a `machine` or bare system to every number in
    it (entries of arrays one by one), by reverse mode; the largest elasticity first.

    The elasticity is 0 for a parameter that is 0, and NaN where the observable is 0 or no number,
    or has no derivative. Of a rate equation, whose currents are of first order in all couplings
    together, the elasticities with respect to these add up to 1. Raises `ValueError` for what is
    not among the observables.

    >>> fridge = qtd.machines.CollectiveRefrigerator(num_spins=5)
    >>> first, *_ = qtd.sensitivities.sensitivities(fridge, "J_cold")
    >>> print(f"{first.path}: {first.logarithmic:.2f}")
    cold.temperature: 5.42
    """
    return sensitivity_table(machine, [observable])[observable]


def sensitivity_table(machine: Any, wanted: Sequence[str]) -> dict[str, list[Sensitivity]]:
    """`sensitivities` of all `wanted` observables of a `machine`, by name, from one compiled
    program."""
    values, slopes = _differentiated(machine, wanted)
    numbers = _entries(parameters(machine))
    units = {path: unit_of_parameter(path, machine) for path in numbers}
    return {
        name: _ordered(value, numbers, units, {path: each[row] for path, each in slopes.items()})
        for row, (name, value) in enumerate(zip(wanted, values))
    }


@overload
def uncertainty(machine: Any, observable: str, sigmas: Mapping[str, Sigma]) -> Uncertainty: ...


@overload
def uncertainty(
    machine: Any, observable: list[str] | tuple[str, ...], sigmas: Mapping[str, Sigma]
) -> dict[str, Uncertainty]: ...


def uncertainty(
    machine: Any, observable: str | list[str] | tuple[str, ...], sigmas: Mapping[str, Sigma]
) -> Uncertainty | dict[str, Uncertainty]:
    r"""The error bar of an `observable` of a `machine` whose parameters are known up to `sigmas`,
    standard deviations by path, independent of one another and small:

    $$ \sigma_F^2 = \sum_p \Big( \frac{\partial F}{\partial p}\, \sigma_p \Big)^2 $$

    - `sigmas`: 0.02 is two per cent of the parameter, `(0.01, "absolute")` is in its own unit. The
      path of an array stands for each of its entries, independent ones; one entry has a path too.
    - `observable`: a name, or several, which take one compiled program together.

    **Returns** an `Uncertainty`; of several a dictionary of them by name. sigma is NaN where a
    derivative is none. To first order: right where the observable is straight over a few sigma.

    **Raises** `ValueError` for paths and observables that do not exist, for what is no standard
    deviation, and for a relative one of a parameter that is 0.

    >>> fridge = qtd.machines.CollectiveRefrigerator(num_spins=5)
    >>> known = {"cold.temperature": 0.01, "work.spectral_density.width": (1e-3, "absolute")}
    >>> bar = qtd.sensitivities.uncertainty(fridge, "J_cold", known)
    >>> print(f"{bar.value:.3g} ± {bar.sigma:.1g}")
    0.0023 ± 0.0008
    """
    deviations = _deviations(machine, sigmas)
    if isinstance(observable, str):
        return _bars(machine, [observable], deviations)[observable]
    return _bars(machine, list(observable), deviations)


def _bars(machine, names, deviations):
    values, slopes = _differentiated(machine, names)
    found = {}
    for row, name in enumerate(names):
        parts = {path: float(slopes[path][row]) * each for path, each in deviations.items()}
        # `hypot` neither overflows nor underflows, as squares of small currents do.
        sigma = math.hypot(*parts.values())
        shares = {path: _share(part, sigma) for path, part in parts.items()}
        ordered = sorted(shares.items(), key=lambda item: -np.nan_to_num(item[1], nan=-1.0))
        found[name] = Uncertainty(float(values[row]), sigma, dict(ordered))
    return found


def _share(part, sigma):
    return (part / sigma) ** 2 if sigma else math.nan


def _deviations(machine, sigmas):
    """Absolute standard deviations by the paths of single numbers."""
    whole = parameters(machine)
    numbers, found = _entries(whole), {}
    twice = overlapping(sigmas)
    if twice:
        raise ValueError(f"`sigmas` names {twice[0]!r} and {twice[1]!r}, which overlap; keep one.")
    for path, given in sigmas.items():
        size, kind = given if isinstance(given, tuple) else (given, "relative")
        if kind not in ("relative", "absolute"):
            raise ValueError(f'`sigmas[{path!r}]` must be "relative" or "absolute", got {kind!r}.')
        paths = list(_entries({path: whole[path]})) if path in whole else [path]
        for each in paths:
            if each not in numbers:
                close = difflib.get_close_matches(each, numbers, n=3, cutoff=0.4) or [*numbers][:3]
                raise ValueError(
                    f"`sigmas` names {each!r}, which is no parameter; did you mean"
                    f" {', '.join(close)}?"
                )
            found[each] = _deviation(path, size, kind, numbers[each])
    return found


def _deviation(path, size, kind, number):
    size = float(size)
    if not 0 <= size < math.inf:
        raise ValueError(
            f"`sigmas[{path!r}]` must be a standard deviation, finite and not negative, got {size}."
        )
    if kind == "relative" and number == 0:
        raise ValueError(
            f'`sigmas[{path!r}]` is relative to a parameter that is 0; give ({size:g}, "absolute").'
        )
    return size if kind == "absolute" else size * abs(number)


def _ordered(value, numbers, units, slopes):
    """Sensitivities of one observable, the largest elasticity first."""
    found = []
    for path, number in numbers.items():
        slope = float(slopes[path])
        known = value != 0 and np.isfinite(value)
        elasticity = slope * number / float(value) if known else math.nan
        found.append(Sensitivity(path, number, slope, elasticity, units[path]))
    return sorted(found, key=lambda s: -np.nan_to_num(abs(s.logarithmic), nan=-1.0))


def _entries(arrays):
    """Single numbers by path, such as `energies[1]`, of arrays by theirs."""
    return {
        f"{path}[{','.join(map(str, place))}]" if place else path: float(number)
        for path, numbers in arrays.items()
        for place, number in np.ndenumerate(np.asarray(numbers, float))
    }


def _differentiated(machine, names):
    """Values of observables, and their slopes, one for each of them, by paths of single numbers."""
    values, slopes = _jacobian(machine, parameters(machine), tuple(names))
    rows = [
        _entries({path: each[row] for path, each in slopes.items()}) for row in range(len(names))
    ]
    return np.asarray(values, float), {path: [row[path] for row in rows] for path in rows[0]}


def _require(names, table):
    for name in names:
        if name not in table:
            close = difflib.get_close_matches(name, table, cutoff=0.5) or list(table)
            raise ValueError(
                f"`observable` must be among those of the machine, got {name!r}; did you mean"
                f" {', '.join(close)}?"
            )


@compiled
def _jacobian(machine, numbers, names):
    def wanted(numbers):
        table = operating_point(replace(machine, numbers)).observables()
        _require(names, table)
        return jnp.stack([table[name].value for name in names])

    values, backwards = jax.vjp(wanted, numbers)
    each = jnp.eye(len(names), dtype=values.dtype)
    if len(names) == 1:  # a program without a batch, which compiles in less time
        return values, jax.tree.map(lambda slope: slope[None], backwards(each[0])[0])
    return values, jax.vmap(backwards)(each)[0]
