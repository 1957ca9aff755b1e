"""What every result of a machine offers: its numbers with units and meanings, the laws that they
obey, what the machine does in a word, and how all this prints."""

import abc
import enum
from collections.abc import Mapping
from html import escape
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from .._numerics.printing import digits
from .._numerics.validation import is_concrete
from ..status import Status


class Law(NamedTuple):
    """The `value` that a law, `name`, is about, what it says of it (`statement`), and whether that
    `holds` to rounding."""

    name: str
    value: float
    statement: str
    holds: bool


class Mode(enum.IntEnum):
    """What a machine does, from the signs of its currents (heat and power, positive into the device
    and out of it)."""

    DISSIPATOR = 0  # heat runs down, nothing useful
    REFRIGERATOR = 1  # heat leaves the cooled, or the coldest, reservoir
    HEAT_ENGINE = 2  # power is delivered, driven by heat
    HEAT_TRANSFORMER = 3  # the hottest reservoir is heated by the others, without power
    HEATER = 4  # power is consumed and the cooled reservoir is heated
    MOTOR = 5  # a bias turns a load
    CHARGE_PUMP = 6  # a load pushes electrons against the bias
    FRUSTRATED = 7  # a load drives the rotor, but electrons and heat still run down
    FREE = 8  # there is no load: nothing is delivered, and nothing driven
    IDLE = 9  # nothing flows
    NOTHING = 10  # there is no such machine, or it has no stable operation
    UNKNOWN = 11  # the machine does not say

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class Observable(NamedTuple):
    """One number of an operating point: its `value`; its `unit`, a power of the energy unit E as in
    "E^2", or "1" for pure numbers; and its `meaning` in a few words."""

    value: Float[Array, ""]
    unit: str
    meaning: str


class AbstractPoint(eqx.Module):
    """What a machine does at one setting of its parameters: `status` is 0 where all is well
    (`qtd.Status`), and everything that can be asked for by name is in `observables`."""

    status: eqx.AbstractVar[Int[Array, ""]]

    def ratios(self) -> Mapping[tuple[str, str], Float[Array, ""]]:
        """Rates over what they must stay below, by whose they are and what that is, in words: pure
        numbers. Empty where nothing is an expansion in rates."""
        return {}

    @property
    def validity(self) -> Float[Array, ""]:
        """The largest of the `ratios`, of rates over what they must stay below: currents are right
        to about half of it, so that it should be at most 0.1; from 1 on they are no answer. 0 where
        nothing is an expansion in rates."""
        values = list(self.ratios().values())
        if not values:
            return jnp.zeros(jnp.shape(self.status))
        return jnp.max(jnp.stack(values), axis=0)

    def binding(self) -> str:
        """Which of the `ratios` of one known point is the largest, in words."""
        ratios = self.ratios()
        if not ratios:
            return "nothing here is an expansion in rates"
        name, what = max(ratios, key=lambda key: float(ratios[key]))
        return f"rates of {name!r} over {what}"

    def about_validity(self) -> dict[str, Observable]:
        """The row of `validity` in a table of observables."""
        meaning = "largest rate over what it must stay below, to be below 0.1"
        return {"validity": Observable(self.validity, "1", meaning)}

    @abc.abstractmethod
    def observables(self) -> dict[str, Observable]:
        """All scalars by name, with units and meanings: the one table that prints, sweeps, designs,
        reports and the command read."""

    def headlines(self) -> list[str]:
        """Names of the observables that are worth a line of print each; the others are there, but
        mostly come from the same formulas."""
        return list(self.observables())

    def laws(self) -> list[Law]:
        """The laws of thermodynamics at one known point, and whether they hold to rounding; none
        where the machine knows of none."""
        return []

    @property
    def mode_code(self) -> Int[Array, ""]:
        """`Mode` as an integer array, for compiled code and batches."""
        return jnp.full_like(self.status, int(Mode.UNKNOWN))

    @property
    def mode(self) -> str:
        """What the machine does, in words; for compiled code and batches use `mode_code`."""
        if not is_concrete(self.mode_code) or jnp.ndim(self.mode_code):
            raise ValueError(
                "`mode` is a word for one known operating point; use `mode_code` under jit, vmap"
                " and for batches."
            )
        return str(Mode(int(self.mode_code)))

    def __repr__(self) -> str:
        kind = type(self).__name__
        if not is_concrete(self):
            return f"{kind}({', '.join(self.headlines())})"
        lines = [f"  {name:<16} {value:>18}   {meaning}" for name, value, meaning in _rows(self)]
        return "\n".join([f"{kind} ({_CONVENTION})", *lines])

    def _repr_html_(self) -> str:
        rows = [[escape(text) for text in row] for row in _rows(self)]
        lines = [f"<tr><th>{a}</th><td>{b}</td><td>{c}</td></tr>" for a, b, c in rows]
        return (
            f"<table><caption>{type(self).__name__}"
            f" ({_CONVENTION})</caption>{''.join(lines)}</table>"
        )


def chemical_work(
    currents: Mapping[str, Float[Array, ""]], potentials: Mapping[str, Float[Array, ""]]
) -> Float[Array, ""]:
    """Sum of mu I over the reservoirs, whose particle `currents` I add up to zero.

    Potentials are counted from that of the largest current, which changes nothing but rounding:
    a bias keeps its digits however far from zero the potentials are, and where nothing but
    rounding flows the result has no sign of its own."""
    flowing = jnp.stack([currents[name] for name in currents])
    levels = jnp.stack([potentials[name] for name in currents])
    sizes = jnp.abs(lax.stop_gradient(flowing))
    ground = jnp.take_along_axis(levels, sizes.argmax(0, keepdims=True), 0)
    return ((levels - ground) * flowing).sum(0)


_CONVENTION = "hbar = k_B = 1; currents positive out of a reservoir"


def _rows(point) -> list[tuple[str, str, str]]:
    """Name, value and meaning of what prints of a known `point`: of batches only the shapes."""
    table = point.observables()
    rows = [(name, _text(table[name].value), table[name].meaning) for name in point.headlines()]
    if jnp.ndim(point.status):
        return rows
    code = Status(int(point.status))
    if point.mode_code != Mode.UNKNOWN:
        rows.append(("mode", point.mode, "from the signs"))
    return [*rows, ("status", str(int(code)), code.message)]


def _text(value):
    return digits(value) if jnp.ndim(value) == 0 else f"array{jnp.shape(value)}"
