"""What went wrong at one parameter point, in a form that compiled code can return."""

import enum

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from ._numerics.validation import is_concrete
from .findings import Severity

__all__ = ["Status", "first", "raise_if_known"]


class Status(enum.IntEnum):
    """Outcome of one parameter point; 0 is fine. Anything but 0 comes with NaN where no number
    could be given; what is only beyond the validity of its model (NOT_POSITIVE, TRUNCATED,
    STRONG_CORRELATION, WEAK_TUNNELLING, NOT_DEGENERATE, BELOW_BAND), or does not obey its laws to
    the last digits (INACCURATE), keeps its numbers, but for covariances that are none.

    `message`: what is wrong, and what to do. `severity`: what an audit says of such a point
    (`qtd.findings.Severity`). `stands`: whether its numbers are about a device that does anything;
    a sweep records none where they are not.
    """

    message: str
    severity: Severity
    stands: bool

    def __new__(cls, code: int, severity: Severity, stands: bool, message: str):
        made = int.__new__(cls, code)
        made._value_, made.severity, made.stands, made.message = code, severity, stands, message
        return made

    OK = (0, Severity.FINE, True, "fine")
    INVALID_PARAMETER = (
        1,
        Severity.WRONG,
        False,
        "a parameter is outside its domain (temperatures and widths must be positive, heights not"
        " negative, everything finite); correct it",
    )
    NO_UNIQUE_STEADY_STATE = (
        2,
        Severity.WRONG,
        False,
        "no unique steady state in this precision: some state is cut off from the others, by a"
        " symmetry (a dark state), or because the rates that lead there vanish or underflow;"
        " connect it, or raise the temperature or the"
        " precision",
    )
    COP_UNDEFINED = (
        3,
        Severity.NOTE,
        True,
        "the coefficient of performance is undefined: nothing is cooled and nothing supplied, or a"
        " reservoir of the"
        " cooling cycle drives no jump",
    )
    NOT_CONVERGED = (
        4,
        Severity.WRONG,
        False,
        "the iteration did not converge; loosen the tolerance or move the start; of a master"
        " equation, see that its parts are coupled, and by more than a thousandth of the rates",
    )
    NOT_POSITIVE = (
        5,
        Severity.WRONG,
        True,
        "the state has a negative eigenvalue, so the Redfield equation is not valid here; compare"
        " with the approach"
        " that fits the ratio of rates to splittings",
    )
    TRUNCATED = (
        6,
        Severity.DOUBTFUL,
        True,
        "what is cut off matters: the top level of a resonator holds more than 1e-3 of its"
        " population, or the last tier of a hierarchy, or terms that it lacks, may move a current"
        " by more than 1e-3; give it more levels, or more `tiers` and `terms`",
    )
    STRONG_CORRELATION = (
        7,
        Severity.DOUBTFUL,
        True,
        "exchange and correlation change an occupation by more than a tenth, so second order in the"
        " shift does not"
        " suffice; take the numbers as coefficients of the square of the shift",
    )
    UNSTABLE = (
        8,
        Severity.WRONG,
        False,
        "a mode is unstable: its margin is not positive; weaken its coupling, or move the level",
    )
    UNRESOLVED = (
        9,
        Severity.WRONG,
        False,
        "the grid does not resolve a line, a filter or an orbit; use more `points` or `panels`, or,"
        " if those do not"
        " help, move a level into the band",
    )
    NOT_UNITARY = (
        10,
        Severity.WRONG,
        False,
        "the scatterer conserves no probability: its matrix is not unitary, or a transmission is"
        " negative, or those into"
        " and out of a reservoir differ in sum; correct its function",
    )
    NO_OCCUPATION = (
        11,
        Severity.WRONG,
        False,
        "no occupation between 0 and 1 does this; be less bold, or raise the cold temperature",
    )
    UNTRUSTED = (
        12,
        Severity.WRONG,
        True,
        "the series in the velocity does not converge here; compute the cycle exactly",
    )
    FOLD = (
        13,
        Severity.DOUBTFUL,
        True,
        "two steady states merge here, and derivatives are infinite; move the load",
    )
    WEAK_TUNNELLING = (
        14,
        Severity.DOUBTFUL,
        True,
        "the tunnelling between the dots is less than five times the rates to the leads, so that"
        " orbitals are not well"
        " apart; raise `tunnelling`, or lower the rates",
    )
    NOT_DEGENERATE = (
        15,
        Severity.DOUBTFUL,
        True,
        "mu / T is below 10, where the Sommerfeld expansion changes rates by 2 % and more; use the"
        " exact closure",
    )
    SINGULAR = (
        16,
        Severity.WRONG,
        False,
        "the trajectory ran into a point where the Sommerfeld expansion has no heat capacity; use"
        " the exact closure",
    )
    BELOW_BAND = (
        17,
        Severity.NOTE,
        True,
        "a mode lies below the band of the reservoirs, at an energy that is not positive; its rates"
        " are taken as given",
    )
    INACCURATE = (
        18,
        Severity.DOUBTFUL,
        True,
        "a law is broken by more than rounding (`certificate` says which): some currents are too"
        " small against what goes to"
        " and fro, a line is hardly wider than rounding, or the equation is not valid here; raise"
        " the temperature or the precision, or take another approach",
    )
    INFINITE_RATE = (
        19,
        Severity.WRONG,
        False,
        "a rate is infinite: a gap is 0, where a spectral density that does not vanish makes bosons"
        " without end; take"
        " one that grows with the energy, such as `Ohmic`, or another gap",
    )
    UNCOUNTABLE = (
        20,
        Severity.DOUBTFUL,
        True,
        "bosons are coupled down to their chemical potential, where their number has no end: energy"
        " and heat are"
        " right, particle currents and their noise do not exist; let the window begin above it",
    )
    TREATMENT = (
        21,
        Severity.DOUBTFUL,
        True,
        "this treatment of explicit filters does not hold here: the rotating wave needs widths, and"
        " the root of height times width, well below the centres, and jumps that go up in energy; a"
        " local one filters in tune; take the default, the full coupling, or a hierarchy",
    )


def first(*checks: tuple[Bool[Array, ""], Status | Int[Array, ""]]) -> Int[Array, ""]:
    """The status of the first of these `checks` (condition, status) that holds, 0 if none does."""
    result = jnp.asarray(int(Status.OK))
    for failed, status in reversed(checks):
        result = jnp.where(failed, jnp.asarray(status, result.dtype), result)
    return result


def raise_if_known(status: Int[Array, ""], *errors: Status) -> None:
    """Raise `ValueError` where the status has a value that Python may look at and is one of
    `errors`."""
    if is_concrete(status) and jnp.ndim(status) == 0 and Status(int(status)) in errors:
        raise ValueError(
            f"{Status(int(status)).message[0].upper()}{Status(int(status)).message[1:]}."
        )
