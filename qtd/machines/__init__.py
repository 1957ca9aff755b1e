"""Machines: each a PyTree of parameters that knows what couples to what."""

from ._machine import AbstractMachine
from .collective_refrigerator import CollectiveRefrigerator, ReducedRefrigerator
from .qubit_refrigerator import QubitRefrigerator

__all__ = ["AbstractMachine", "CollectiveRefrigerator", "QubitRefrigerator", "ReducedRefrigerator"]
