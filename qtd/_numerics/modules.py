"""Modules whose numbers declare what they allow and what unit they have, and which print their
values."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, dataclass_transform

import equinox as eqx
import wadler_lindig as wl

from .printing import known_number
from .validation import check

Domain = Literal["any", "positive", "nonnegative"]


def parameter(domain: Domain | None = "any", unit: str = "") -> Any:
    """A field that holds a number, an array of them, or a mapping of names to numbers.

    - `domain`: "any" finite number, "positive" or "nonnegative". Known values outside it raise
      `ValueError`; in compiled code they make a status. None where `rules` say it in other words.
    - `unit`: the power of the energy unit E that it carries, "E" or "E^2"; "1" for a pure number;
      "" where it has none of these.
    """
    if domain not in ("any", "positive", "nonnegative", None):
        raise ValueError(f'`domain` must be "any", "positive" or "nonnegative", got {domain!r}.')
    return eqx.field(metadata={"domain": domain, "unit": unit})


@dataclass_transform(field_specifiers=(parameter, eqx.field))
class _Declaring(type(eqx.Module)):
    """Tells type checkers that `parameter` makes a field, and gives it no default."""


class Module(eqx.Module, metaclass=_Declaring):
    """What `parameter` declares of its fields is checked when it is made and when it is changed;
    it prints the values of its numbers, not their types."""

    def __check_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            domain = field.metadata.get("domain")
            if domain is None or value is None:
                continue
            if isinstance(value, Mapping):
                for name, entry in value.items():
                    check(f"{field.name}.{name}", entry, domain)
            else:
                check(field.name, value, domain)
        self.rules()

    def rules(self) -> None:
        """What binds several numbers, or one in a way that no domain says: raises `ValueError` for
        known values that break a rule, after all domains are checked. None by default."""

    def __repr__(self) -> str:
        return wl.pformat(self, width=100, custom=known_number)


def recheck(module: Any) -> None:
    """Everything that the constructor of this `module` checks, its own rules and those of its
    bases, as equinox does when it is made."""
    for kind in type(module).__mro__:
        if "__check_init__" in vars(kind):
            vars(kind)["__check_init__"](module)


def unit_of(module: Any, name: str) -> str | None:
    """The unit that the field `name` of a module declares; None where it declares none."""
    fields = {field.name: field for field in dataclasses.fields(module)}
    return fields[name].metadata.get("unit") if name in fields else None
