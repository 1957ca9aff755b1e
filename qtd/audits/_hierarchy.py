"""What can be asked of a hierarchy: whether it goes deep enough, and whether its state is one."""

import numpy as np

from ..findings import Checks, Finding, Severity
from ..hierarchy import Hierarchy, HierarchySteadyState
from ..limits import DIFFERENCE
from ..steady import solve
from ._coherent import positive
from ._systems import checks_of


@checks_of.register
def _(hierarchy: Hierarchy) -> Checks:
    state = solve(hierarchy)
    return {
        "truncation": lambda: truncation(state),
        "positivity": lambda: positivity(state),
        "weak coupling": lambda: [
            Finding(
                Severity.FINE,
                "weak coupling",
                "A hierarchy assumes no weak coupling; how deep it must go is its truncation.",
            )
        ],
    }


def truncation(state: HierarchySteadyState) -> list[Finding]:
    """How far the current of each reservoir may be off, as a share of it."""
    found = []
    for name in state.reservoirs:
        off, current = float(state.truncation[name]), abs(float(state.current(name, "energy")))
        share = off / current if current else np.inf
        depth = state.hierarchy.depth
        text = (
            f"With {depth.tiers} tiers and {depth.terms} terms the current of {name!r} is right to"
            f" about {share:.2g} of itself."
        )
        badness = DIFFERENCE.rate(share)
        found.append(Finding(badness, "truncation", text, {"share": share}, name, share))
    return found


def positivity(state: HierarchySteadyState) -> list[Finding]:
    """The smallest eigenvalue of the density matrix, which a short hierarchy may make negative."""
    smallest = float(np.linalg.eigvalsh(np.asarray(state.density_matrix))[0])
    return positive(smallest, state.vector.dtype, "truncated")
