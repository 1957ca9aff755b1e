"""What is left of the currents of a local master equation where nothing should flow."""

import numpy as np

from ..findings import Checks, Finding, Severity
from ..jumps import JumpLindbladian
from ..limits import DIFFERENCE, NO_CURRENT
from ..lindblad import Lindbladian
from ..parameters import parameters, replace
from ..steady import solve

_TOPIC = "equal temperatures"


def equal_temperatures(lindbladian: Lindbladian | JumpLindbladian) -> Checks:
    """The check of a master equation whose reservoirs know the levels of H_0 alone, of H = H_0 +
    H_int: at equal temperatures and chemical potentials nothing may flow.

    Each reservoir then keeps its part of the device as occupied as the levels of that part ask for.
    Where the interaction joins parts of other levels, or changes them, no common state is all of
    these, and heat is pumped from one reservoir to the other, also uphill. What flows is Tr[H D_r
    rho]. No checks where nothing interacts, and where some reservoir has no temperature that could
    be set.
    """
    numbers = parameters(lindbladian)
    paths = [f"reservoirs.{name}.temperature" for name in lindbladian.reservoirs]
    if not lindbladian.interaction or not set(paths) <= set(numbers):
        return {}
    return {_TOPIC: lambda: [_spurious(lindbladian, numbers, paths)]}


def _spurious(lindbladian, numbers, paths):
    """The largest current at equal temperatures, as a share of the same current here."""
    level = [path.replace("temperature", "chemical_potential") for path in paths]
    changes = {
        path: np.median([float(numbers[other]) for other in same])
        for same in (paths, level)
        for path in same
    }
    names = list(lindbladian.reservoirs)
    here, there = (_taken(system) for system in (lindbladian, replace(lindbladian, changes)))
    if not np.all(np.isfinite([here, there])):
        text = "There are no currents to compare with those at equal temperatures."
        return Finding(Severity.UNCHECKED, _TOPIC, text)
    largest = max(here.max(), there.max())
    counted = np.where(there > NO_CURRENT * largest, there, 0.0)
    shares = counted / np.maximum(here, NO_CURRENT * largest) if largest else counted
    worst = int(np.argmax(shares))
    share, temperature = float(shares[worst]), changes[paths[0]]
    severity = DIFFERENCE.rate(share)
    if not share:
        text = f"With all reservoirs at {temperature:.3g} nothing flows, as it should be."
        return Finding(severity, _TOPIC, text, {"share": share}, "local", share)
    text = (
        f"With all reservoirs at {temperature:.3g} the local equation still drives"
        f" {there[worst]:.3g} through {names[worst]!r}, which no device does: {share:.2g} of the"
        " current here."
    )
    if severity > Severity.FINE:
        text += (
            " Its reservoirs know the levels of H_0 alone, not the energies that are exchanged."
            " Compare the global or Redfield approach."
        )
    numbers = {"share": share, "spurious": float(there[worst]), "current": float(here[worst])}
    return Finding(severity, _TOPIC, text, numbers, "local", share)


def _taken(lindbladian):
    """Sizes of the energies that the device takes up, in the order of its reservoirs."""
    state = solve(lindbladian)
    return np.abs([float(state.device_current(name)) for name in lindbladian.reservoirs])
