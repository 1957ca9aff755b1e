"""Machines: each a PyTree of parameters that knows what couples to what. Each file names the paper
that its equations are from.

A machine of one's own is an `AbstractMachine`, or, if it is levels between reservoirs, an
`AbstractOpenSystem`; it may pose a `DesignProblem`, name a `Survey`, declare what each `parameter`
allows, and check itself with `Finding`s of a `Severity`. Its package brings it to the command by an
entry point:

    [project.entry-points."qtd.machines"]
    my-machine = "my_package.my_machine:MyMachine"
"""

from typing import TYPE_CHECKING

from .._lazy import attach as _attach

if TYPE_CHECKING:
    from ..findings import Finding, Severity
    from ..parameters import parameter
    from ._machine import (
        AbstractMachine,
        AbstractOpenSystem,
        DesignProblem,
        ExplicitMachine,
        Survey,
    )
    from .collective_refrigerator import CollectiveRefrigerator, ReducedRefrigerator
    from .finite_reservoirs import FiniteReservoirs
    from .n_demon import NDemon
    from .quantum_motor import QuantumMotor
    from .qubit_refrigerator import QubitRefrigerator
    from .resonator_refrigerator import ResonatorRefrigerator

HOMES = {
    "AbstractMachine": "_machine",
    "AbstractOpenSystem": "_machine",
    "CollectiveRefrigerator": "collective_refrigerator",
    "DesignProblem": "_machine",
    "ExplicitMachine": "_machine",
    "Finding": ".findings",
    "FiniteReservoirs": "finite_reservoirs",
    "NDemon": "n_demon",
    "QuantumMotor": "quantum_motor",
    "QubitRefrigerator": "qubit_refrigerator",
    "ReducedRefrigerator": "collective_refrigerator",
    "ResonatorRefrigerator": "resonator_refrigerator",
    "Severity": ".findings",
    "parameter": ".parameters",
    "Survey": "_machine",
}
__all__ = [
    "AbstractMachine",
    "AbstractOpenSystem",
    "CollectiveRefrigerator",
    "DesignProblem",
    "ExplicitMachine",
    "Finding",
    "FiniteReservoirs",
    "NDemon",
    "QuantumMotor",
    "QubitRefrigerator",
    "ReducedRefrigerator",
    "ResonatorRefrigerator",
    "Severity",
    "Survey",
    "parameter",
]

__getattr__, __dir__ = _attach(__name__, HOMES)
