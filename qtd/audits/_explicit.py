"""What can be asked of a device with explicit filters."""

from ..explicit import AbstractExplicitState, ExplicitFilters
from ..explicit._davies import explicit_state
from ..findings import Checks, Finding, Severity
from ..limits import TRUNCATED, WEAK_FILTER
from ..systems.base import AbstractSystem
from ._coherent import positive
from ._systems import checks_of, other_approaches


@checks_of.register
def _(system: ExplicitFilters) -> Checks:
    state = explicit_state(system)
    state.require()
    return {
        "truncation": lambda: truncation(state),
        "positivity": lambda: positivity(state),
        "weak coupling": lambda: damping(state),
    }


def truncation(state: AbstractExplicitState) -> list[Finding]:
    """What the last level that is kept of each mode holds."""
    found = []
    for name, share in state.top_populations.items():
        top = dict(state.system.structure.levels)[name]
        text = (
            f"The level of {top} quanta, the last one that is kept of the filter of {name!r}, holds"
            f" {float(share):.2g} of it; mean number {float(state.occupations[name]):.3g}."
        )
        severity = TRUNCATED.rate(float(share))
        found.append(
            Finding(severity, "truncation", text, {"top": float(share)}, name, float(share))
        )
    return found


def positivity(state: AbstractExplicitState) -> list[Finding]:
    """The smallest eigenvalue of the density matrix of device and modes."""
    return positive(
        float(state.smallest_eigenvalue), state.populations.dtype, state.system.treatment
    )


def damping(state: AbstractExplicitState) -> list[Finding]:
    """Whether the damping of each mode is weak against its energy, as its own width need not be
    compared with any rate."""
    found = []
    for name, mode in state.system.modes().items():
        energy = float(mode.energy)
        ratio = float(mode.residual(mode.energy)) / (2 * energy)
        strength = 2 * float(mode.coupling) / energy**2
        text = (
            f"The filter of {name!r} is a mode in the device: rates need not stay below its width."
            f" Its width is {ratio:.3g} of its energy, and height times width {strength:.3g} of the"
            " square of that, which must be well below 1."
        )
        worst = max(ratio**2, strength)
        severity = Severity.DOUBTFUL if worst > WEAK_FILTER else Severity.FINE
        found.append(
            Finding(severity, "weak coupling", text, {"ratio": worst}, f"mode, {name}", worst)
        )
    return found


@other_approaches.register
def _(system: ExplicitFilters) -> dict[str, AbstractSystem]:
    """The same with more quanta in every mode, and the device without explicit filters."""
    more = {name: top + 1 for name, top in system.structure.levels}
    return {"more quanta": system.with_levels(more), "implicit filters": system.device}
