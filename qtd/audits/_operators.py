"""What can be asked of a device of jump operators: how it comes to rest, and whether what makes its
jumps is weak."""

import numpy as np

from ..findings import Checks, Finding, Severity
from ..jumps import ConstantRate, JumpLindbladian, JumpSteadyState
from ..limits import FIRST_ORDER
from ..steady import solve
from ._coherent import positive, relaxation, slow_modes
from ._local import equal_temperatures
from ._systems import checks_of


@checks_of.register
def _(lindbladian: JumpLindbladian) -> Checks:
    state = solve(lindbladian)
    return {
        "detailed balance": lambda: detailed_balance(state),
        "weak coupling": lambda: weak_coupling(state),
        "steady state": lambda: relaxation(state, slow_modes(state, 1)),
        "positivity": lambda: positivity(state),
        **equal_temperatures(lindbladian),
    }


def positivity(state: JumpSteadyState) -> list[Finding]:
    """The smallest eigenvalue of the density matrix."""
    smallest = float(np.linalg.eigvalsh(np.asarray(state.density_matrix))[0])
    return positive(smallest, state.vector.dtype, "Lindblad")


def detailed_balance(state: JumpSteadyState) -> list[Finding]:
    """Which sources make jumps in one direction only, as given, and have no temperature that could
    be checked."""
    found = []
    for name, reservoir in state.reservoirs.items():
        if isinstance(reservoir, ConstantRate):
            text = (
                f"The rate of {name!r} was given as a number: nothing says what temperature it"
                " stands for."
            )
        else:
            text = (
                f"The jumps of {name!r} and their reverse have the rates of one reservoir, at"
                " their gap in H_0."
            )
        severity = Severity.UNCHECKED if isinstance(reservoir, ConstantRate) else Severity.FINE
        found.append(Finding(severity, "detailed balance", text, kind=name))
    return found


def weak_coupling(state: JumpSteadyState) -> list[Finding]:
    """The fastest jump that each reservoir makes over the energy that it carries; rates given as
    numbers are taken as they are."""
    found = []
    for name, reservoir in state.reservoirs.items():
        part = state.dissipators[name]
        rates, gaps = np.asarray(part.rates), np.abs(np.asarray(part.quanta["energy"]))
        if isinstance(reservoir, ConstantRate) or reservoir.statistics != "bose" or not gaps.max():
            continue
        ratio = float((rates[gaps > 0] / gaps[gaps > 0]).max())
        text = (
            f"The fastest jump of {name!r} has a rate of {ratio:.3g} of its energy: this must be"
            " well below 1."
        )
        found.append(
            Finding(
                FIRST_ORDER.rate(ratio),
                "weak coupling",
                text,
                {"ratio": ratio},
                f"gap, {name}",
                ratio,
            )
        )
    if not found:
        text = "Rates are numbers, or of electrons: whether they are slow enough was not looked at."
        found.append(Finding(Severity.UNCHECKED, "weak coupling", text))
    return found
