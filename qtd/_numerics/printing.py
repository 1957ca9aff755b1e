"""How modules and results print: with their numbers, and results one line for each, with what it
is."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import wadler_lindig as wl
from jaxtyping import Array

from .validation import is_concrete


def one_line(value: object) -> str:
    """How a value prints, on one line: for messages."""
    return " ".join(repr(value).split())


def known_number(value: object) -> wl.AbstractDoc | None:
    """How a known array of numbers prints within a module; None of everything else."""
    if (
        not isinstance(value, jax.Array)
        or not is_concrete(value)
        or not jnp.issubdtype(value.dtype, jnp.number)
    ):
        return None
    few = {"precision": 6, "separator": ", ", "threshold": 12}
    return wl.TextDoc(
        digits(value)
        if value.ndim == 0
        else np.array2string(np.asarray(value), **few).replace("\n", "")
    )


def readable(result, title: str, rows: list[tuple[str, Array, str]]) -> str:
    """`rows` are names, numbers or arrays, and meanings; of traced or batched results only the
    title."""
    if not is_concrete([value for _, value, _ in rows]) or any(
        jnp.ndim(value) > 1 for _, value, _ in rows
    ):
        return f"{type(result).__name__}({title})"

    def show(value):
        return "  ".join(map(digits, np.atleast_1d(np.asarray(value))))

    return f"{type(result).__name__} ({title}; hbar = k_B = 1)\n" + "\n".join(
        f"  {name:<16} {show(value):>18}   {meaning}" for name, value, meaning in rows
    )


def digits(value: Array) -> str:
    """A number with no more digits than its type has."""
    known = np.asarray(value)
    return f"{float(known):.{6 if known.dtype == np.float32 else 10}g}"


def by_name(symbol: str, values: dict[str, Array], meaning: str) -> list[tuple[str, Array, str]]:
    """A row for each entry of a dictionary over reservoirs."""
    return [(f"{symbol}_{name}", value, f"{meaning} {name!r}") for name, value in values.items()]


def typeset(text: str) -> str:
    """`text` with its numbers as they are set, not as programs write them: with minus signs, and
    with powers of ten, as in 1.2·10⁻⁵.

    >>> qtd._numerics.printing.typeset("from -0.5 to 1.2e-05")
    'from \N{MINUS SIGN}0.5 to 1.2·10⁻⁵'
    """
    return _MINUS.sub("\N{MINUS SIGN}", _EXPONENT.sub(_power_of_ten, text))


_EXPONENT = re.compile(r"(?<=\d)e([+-]?\d+)\b")
_MINUS = re.compile(r"(?<![\w.)\]-])-(?=[\d.])")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power_of_ten(found):
    return "·10" + str(int(found[1])).translate(_RAISED)
