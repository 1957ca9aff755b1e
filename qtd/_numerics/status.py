"""What went wrong at one parameter point, in a form that compiled code can return."""

import enum

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from .validation import is_concrete


class Status(enum.IntEnum):
    """Outcome of one parameter point; 0 is fine. Anything but 0 comes with NaN where no number could be given; what is only beyond
    the validity of its model (NOT_POSITIVE, TRUNCATED, STRONG_CORRELATION, WEAK_TUNNELLING, NOT_DEGENERATE, BELOW_BAND), or does not
    obey its laws to the last digits (INACCURATE), keeps its numbers, but for covariances that are none."""

    OK = 0
    INVALID_PARAMETER = 1
    NO_UNIQUE_STEADY_STATE = 2
    COP_UNDEFINED = 3
    NOT_CONVERGED = 4
    NOT_POSITIVE = 5
    TRUNCATED = 6
    STRONG_CORRELATION = 7
    UNSTABLE = 8
    UNRESOLVED = 9
    NOT_UNITARY = 10
    NO_OCCUPATION = 11
    UNTRUSTED = 12
    FOLD = 13
    WEAK_TUNNELLING = 14
    NOT_DEGENERATE = 15
    SINGULAR = 16
    BELOW_BAND = 17
    INACCURATE = 18
    INFINITE_RATE = 19
    UNCOUNTABLE = 20

    @property
    def message(self) -> str:
        """What is wrong, and what to do."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.OK: "fine",
    Status.INVALID_PARAMETER: "a parameter is outside its domain (temperatures and widths must be positive, heights not negative,"
    " everything finite); correct it",
    Status.NO_UNIQUE_STEADY_STATE: "no unique steady state in this precision: some state is cut off from the others, by a"
    " symmetry (a dark state), or because the rates that lead there vanish or underflow; connect it, or raise the temperature or the"
    " precision",
    Status.COP_UNDEFINED: "the coefficient of performance is undefined: nothing is cooled and nothing supplied, or a reservoir of the"
    " cooling cycle drives no jump",
    Status.NOT_CONVERGED: "the iteration did not converge; loosen the tolerance or move the start",
    Status.NOT_POSITIVE: "the state has a negative eigenvalue, so the Redfield equation is not valid here; compare with the approach"
    " that fits the ratio of rates to splittings",
    Status.TRUNCATED: "the top level of a resonator holds more than 1e-3 of its population; give it more levels",
    Status.STRONG_CORRELATION: "exchange and correlation change an occupation by more than a tenth, so second order in the shift does not"
    " suffice; take the numbers as coefficients of the square of the shift",
    Status.UNRESOLVED: "the grid does not resolve a line, a filter or an orbit; use more `points` or `panels`, or, if those do not"
    " help, move a level into the band",
    Status.NOT_UNITARY: "the scatterer conserves no probability: its matrix is not unitary, or a transmission is negative, or those into"
    " and out of a reservoir differ in sum; correct its function",
    Status.NO_OCCUPATION: "no occupation between 0 and 1 does this; be less bold, or raise the cold temperature",
    Status.UNTRUSTED: "the series in the velocity does not converge here; compute the cycle exactly",
    Status.FOLD: "two steady states merge here, and derivatives are infinite; move the load",
    Status.WEAK_TUNNELLING: "the tunnelling between the dots is less than five times the rates to the leads, so that orbitals are not well"
    " apart; raise `tunnelling`, or lower the rates",
    Status.NOT_DEGENERATE: "mu / T is below 10, where the Sommerfeld expansion changes rates by 2 % and more; use the exact closure",
    Status.SINGULAR: "the trajectory ran into a point where the Sommerfeld expansion has no heat capacity; use the exact closure",
    Status.BELOW_BAND: "a mode lies below the band of the reservoirs, at an energy that is not positive; its rates are taken as given",
    Status.UNCOUNTABLE: "bosons are coupled down to their chemical potential, where their number has no end: energy and heat are"
    " right, particle currents and their noise do not exist; let the window begin above it",
    Status.INFINITE_RATE: "a rate is infinite: a gap is 0, where a spectral density that does not vanish makes bosons without end; take"
    " one that grows with the energy, such as `Ohmic`, or another gap",
    Status.INACCURATE: "a law is broken by more than rounding (`certificate` says which): some currents are too small against what goes to"
    " and fro, or the equation is not valid here; raise the temperature or the precision, or take another approach",
    Status.UNSTABLE: "a mode is unstable: its margin is not positive; weaken its coupling, or move the level",
}


def first(*checks: tuple[Bool[Array, ""], Status | Int[Array, ""]]) -> Int[Array, ""]:
    """The status of the first check that holds, 0 if none does."""
    result = jnp.asarray(int(Status.OK))
    for failed, status in reversed(checks):
        result = jnp.where(failed, jnp.asarray(status, result.dtype), result)
    return result


def raise_if_known(status: Int[Array, ""], *errors: Status) -> None:
    """Raise `ValueError` where the status has a value that Python may look at and is one of `errors`."""
    if is_concrete(status) and jnp.ndim(status) == 0 and Status(int(status)) in errors:
        raise ValueError(f"{Status(int(status)).message[0].upper()}{Status(int(status)).message[1:]}.")
