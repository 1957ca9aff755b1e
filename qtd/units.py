"""Laboratory units: GHz, mK, ueV or fW into the library's numbers, where hbar = k_B = 1, and
back."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import constants

from ._numerics.modules import unit_of
from ._numerics.paths import after, first_name, place

__all__ = ["Scale", "unit_of_parameter"]

_PREFIXES = {
    "": 0,
    "z": -21,
    "a": -18,
    "f": -15,
    "p": -12,
    "n": -9,
    "u": -6,
    "m": -3,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
}
# Units without prefix: the power n of the energy unit E that a number carries, and E^n in these
# units if E is a joule.
_BASES = {
    "J": (1, 1.0),
    "eV": (1, 1 / constants.e),
    "K": (1, 1 / constants.k),
    "Hz": (1, 1 / constants.h),
    "rad/s": (1, 1 / constants.hbar),
    "1/s": (1, 1 / constants.hbar),
    "W": (2, 1 / constants.hbar),
    "W^2/Hz": (3, 1 / constants.hbar),
    "s": (-1, constants.hbar),
}


class Scale:
    """What the library's energy unit E is in a laboratory: `value` > 0 of `unit`, such as
    `Scale(1.0, "GHz")`; it then fixes all others.

    Energies, temperatures, frequencies, rates: "J", "eV", "K" (k_B T), "Hz" (h nu), "rad/s" or
    "1/s" (hbar omega); powers: "W"; noise of powers: "W^2/Hz"; times: "s"; each with a prefix from
    "z" to "T", as in "ueV", "mK", "GHz", "fW", "aW^2/Hz", "ns". Constants are the exact ones of the
    SI (CODATA). Raises `ValueError` for units that are not known, or not of an energy.

    >>> scale = qtd.units.Scale(5.0, "GHz")
    >>> print(f"{scale.number(120.0, 'mK'):.4f} E, {scale.quantity(1e-4, 'aW'):.3f} aW")
    0.5001 E, 10.408 aW
    """

    def __init__(self, value: float, unit: str):
        power, size = _known(unit)
        if power != 1 or not (np.isfinite(value) and value > 0):
            raise ValueError(
                f"`Scale` takes a positive energy, such as 1.0 and 'GHz', got {value!r} and"
                f" {unit!r}."
            )
        self.value, self.unit = float(value), unit
        self.joule = value / size

    def number(self, value: Any, unit: str) -> Any:
        """The library's number for a `value`, or an array of them, in a laboratory `unit`:
        `scale.number(50, "mK")` is a temperature."""
        return value / self._size(unit)

    def quantity(self, number: Any, unit: str) -> Any:
        """The value in a laboratory `unit` of a `number` of the library, or an array of them:
        `scale.quantity(point.power, "fW")`."""
        return number * self._size(unit)

    def converted(self, dataset: Any, units: dict[str, str]) -> Any:
        """The `dataset` of a sweep with variables and coordinates in these `units`, by name, such
        as `{"J_cold": "fW"}`.

        Raises `ValueError` where the dataset has another power of E, or none, as unit.
        """
        for name, unit in units.items():
            known, wanted = dataset[name].attrs.get("units", ""), _known(unit)[0]
            if known != _power(wanted):
                raise ValueError(
                    f"`units[{name!r}]` must be a unit of {known or 'nothing known'}, got {unit!r},"
                    f" one of {_power(wanted)}."
                )
            changed = self.quantity(dataset[name], unit).assign_attrs(
                {**dataset[name].attrs, "units": unit}
            )
            dataset = (
                dataset.assign_coords({name: changed})
                if name in dataset.coords
                else dataset.assign({name: changed})
            )
        return dataset

    def table(self, observables: Mapping[str, tuple[Any, str, str]], units: dict[str, str]) -> str:
        """Results in words: `observables` by name, as of `point.observables()`; `units`: what to
        show those of a power of E in, such as `{"E^2": "fW"}`."""
        lines = []
        for name, (value, power, _) in observables.items():
            unit = units.get(power, power)
            number = value if unit == power else self.quantity(value, unit)
            shown = float(number) + 0.0  # no negative zeros
            lines.append(f"  {name:<16} {shown:>16.8g} {'' if unit == '1' else unit}".rstrip())
        return f"E = {self.value:g} {self.unit}\n" + "\n".join(lines)

    def __repr__(self) -> str:
        return f"Scale({self.value:g}, {self.unit!r})"

    def _size(self, unit):
        power, size = _known(unit)
        return size * self.joule**power


def unit_of_parameter(path: str, machine: Any) -> str:
    """The unit, in powers of E, that the parameter at `path` of a `machine` declares, "1" of a pure
    number; "" where it declares none.

    >>> qtd.units.unit_of_parameter(
    ...     "work.spectral_density.width", qtd.machines.CollectiveRefrigerator()
    ... )
    'E'
    """
    if isinstance(machine, tuple | list):
        where, rest = place(path)
        return (
            unit_of_parameter(rest.removeprefix("."), machine[where[0]])
            if where and where[0] < len(machine)
            else ""
        )
    if isinstance(machine, Mapping):
        name = first_name(path, machine)
        return "" if name is None else unit_of_parameter(after(path, len(name)), machine[name])
    if not dataclasses.is_dataclass(machine):
        return ""
    name = first_name(path, [field.name for field in dataclasses.fields(machine)])
    if name is None:
        return ""
    own = unit_of(machine, name)
    return unit_of_parameter(after(path, len(name)), getattr(machine, name)) if own is None else own


def _known(unit: str) -> tuple[int, float]:
    """The power of E, and E^power in this unit if E is a joule."""
    for base, (power, size) in _BASES.items():
        prefix = unit[: -len(base)]
        if unit.endswith(base) and prefix in _PREFIXES and not (prefix and base == "1/s"):
            squared = 2 if re.match(r"W\^2", base) else 1
            return power, size * 10.0 ** (-squared * _PREFIXES[prefix])
    raise ValueError(
        f"No unit is called {unit!r}; there is {', '.join(_BASES)}, with a prefix of"
        f" {', '.join(filter(None, _PREFIXES))}."
    )


def _power(power):
    return "E" if power == 1 else f"E^{power}"
