"""Machines: each a PyTree of parameters that knows what couples to what. Each file names the paper that its equations are from."""

from typing import TYPE_CHECKING

from .._lazy import attach as _attach

if TYPE_CHECKING:
    from ._machine import AbstractMachine
    from .collective_refrigerator import CollectiveRefrigerator, ReducedRefrigerator
    from .finite_reservoirs import FiniteReservoirs
    from .n_demon import NDemon
    from .quantum_motor import QuantumMotor
    from .qubit_refrigerator import QubitRefrigerator
    from .resonator_refrigerator import ResonatorRefrigerator

HOMES = {
    "AbstractMachine": "_machine",
    "CollectiveRefrigerator": "collective_refrigerator",
    "FiniteReservoirs": "finite_reservoirs",
    "NDemon": "n_demon",
    "QuantumMotor": "quantum_motor",
    "QubitRefrigerator": "qubit_refrigerator",
    "ReducedRefrigerator": "collective_refrigerator",
    "ResonatorRefrigerator": "resonator_refrigerator",
}
__all__ = [
    "AbstractMachine",
    "CollectiveRefrigerator",
    "FiniteReservoirs",
    "NDemon",
    "QuantumMotor",
    "QubitRefrigerator",
    "ReducedRefrigerator",
    "ResonatorRefrigerator",
]

__getattr__, __dir__ = _attach(__name__, HOMES)
