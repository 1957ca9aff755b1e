"""Machines: each a PyTree of parameters that knows what couples to what. Each file names the paper that its equations are from."""

from ._machine import AbstractMachine
from .collective_refrigerator import CollectiveRefrigerator, ReducedRefrigerator
from .finite_reservoirs import FiniteReservoirs
from .n_demon import NDemon
from .quantum_motor import QuantumMotor
from .qubit_refrigerator import QubitRefrigerator
from .resonator_refrigerator import ResonatorRefrigerator

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
