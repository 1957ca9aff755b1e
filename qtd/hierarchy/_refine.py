"""How deep a hierarchy must go."""

import equinox as eqx
import numpy as np

from .._numerics.compilation import compiled
from .._numerics.printing import one_line
from .._numerics.validation import is_concrete
from ..status import Status
from ._device import Hierarchy
from ._state import HierarchySteadyState
from ._structure import MOST_BYTES, TooLarge

_SMALL = 1e-3  # of the largest current, below which others are right against it


class Converged(eqx.Module):
    """What became of a hierarchy that was deepened until its currents stood still.

    `hierarchy`, at the depth that was reached, and its `state` at rest. `changes`: by how much one
    more of its "tiers", "terms" and "term_tiers" would move an energy current at most, as a share
    of it; `error`: their sum. `status`: that of the state; NOT_CONVERGED where the error is more
    than was asked for, and a deeper hierarchy too large.
    """

    hierarchy: Hierarchy
    state: HierarchySteadyState
    changes: dict[str, float] = eqx.field(static=True)
    error: float = eqx.field(static=True)
    status: Status = eqx.field(static=True)


def converged(
    hierarchy: Hierarchy, accuracy: float = 1e-3, memory: float = MOST_BYTES
) -> Converged:
    """A `hierarchy` of known numbers, with more `tiers`, `terms` and `term_tiers`, until one more
    of each changes the energy currents of all reservoirs by less than the `accuracy`, relative to
    themselves (or to 1e-3 of the largest, where they are smaller than that).

    `memory`: bytes beyond which no deeper hierarchy is tried, 4 GB at most. Where that is reached,
    or where nothing flows, the status is NOT_CONVERGED, and the state is of the deepest one. Each
    step is compiled anew, as shapes differ: seconds, then minutes. Raises `ValueError` for traced
    numbers, an `accuracy` that is not positive, and where there is no unique state.

    >>> filters = {
    ...     name: qtd.Reservoir(T, spectral_density=qtd.spectral.Peaked(1.0, 0.1, 0.01))
    ...     for name, T in {"hot": 1.0, "cold": 0.5}.items()
    ... }
    >>> qubit = qtd.RateNetwork([0.0, 1.0], [(name, 0, 1, 1.0) for name in filters], filters)
    >>> found = qtd.hierarchy.converged(qtd.hierarchy.of_network(qubit, tiers=2), 1e-2)
    >>> print(found.hierarchy.depth.tiers, found.hierarchy.depth.terms, found.status.name)
    3 1 OK
    """
    if not is_concrete(hierarchy):
        raise ValueError("`hierarchy` must have known numbers: its depth sets shapes.")
    if not accuracy > 0:
        raise ValueError(f"`accuracy` must be positive, got {one_line(accuracy)}.")
    state = _at_rest(hierarchy)
    state.require()
    while True:
        deeper = {
            name: _deeper(hierarchy, name, memory)
            for name in ("tiers", "terms", "term_tiers")
            if name != "term_tiers" or hierarchy.depth.terms
        }
        changes = {
            name: np.inf if other is None else _change(state, _at_rest(other))
            for name, other in deeper.items()
        }
        error = sum(changes.values())
        if error < accuracy:
            return Converged(hierarchy, state, changes, error, Status(int(state.status)))
        least = accuracy / (2 * len(changes))
        chosen = [name for name, change in changes.items() if change > least]
        further = _all_deeper(hierarchy, chosen, memory)
        if further is None:
            return Converged(hierarchy, state, changes, error, Status.NOT_CONVERGED)
        hierarchy, state = further, _at_rest(further)


@compiled
def _at_rest(hierarchy: Hierarchy) -> HierarchySteadyState:
    return HierarchySteadyState(hierarchy)


def _all_deeper(hierarchy, names, memory):
    for name in names:
        if hierarchy is not None:
            hierarchy = _deeper(hierarchy, name, memory)
    return hierarchy


def _deeper(hierarchy, name, memory):
    """A `hierarchy` with one more of what is called `name`; None where it would be too large."""
    try:
        deeper = hierarchy.using(**{name: getattr(hierarchy.depth, name) + 1})
    except TooLarge:
        return None
    return deeper if deeper.memory <= memory else None


def _change(state, deeper):
    """The largest relative change of an energy current."""
    old, new = (
        np.array([float(each.current(name, "energy")) for name in state.reservoirs])
        for each in (state, deeper)
    )
    size = np.maximum(np.abs(new), _SMALL * np.max(np.abs(new)))
    return float(np.max(np.abs(new - old) / size))
