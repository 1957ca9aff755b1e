"""Differentiable thermodynamics of small quantum machines: currents, noise, efficiency, and their
derivatives, in JAX.

Examples in docstrings begin after `import jax, jax.numpy as jnp, numpy as np, qtd` and
`jax.config.update("jax_enable_x64", True)`.
"""

import sys as _sys
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

from ._lazy import attach as _attach

if TYPE_CHECKING:
    from . import (
        audits,
        cooling,
        counting,
        design,
        distributions,
        evolution,
        expansion,
        explicit,
        gases,
        greens,
        hierarchy,
        jumps,
        lindblad,
        machines,
        networks,
        nonthermal,
        oscillators,
        papers,
        plots,
        report,
        reservoirs,
        rotor,
        scatterers,
        scattering,
        sensitivities,
        spectral,
        steady,
        sweeps,
        thermodynamics,
        transmissions,
        units,
    )
    from .audits import audit
    from .lindblad import Lindbladian
    from .networks import RateNetwork, rate_matrix
    from .parameters import parameters, replace
    from .reservoirs import NonthermalReservoir, Reservoir
    from .status import Status
    from .steady import steady_state
    from .sweeps import sweep
    from .thermodynamics import Mode, OperatingPoint, operate

__version__ = "0.1.0"

_HOMES = {
    "Lindbladian": "lindblad",
    "Mode": "thermodynamics",
    "NonthermalReservoir": "reservoirs",
    "OperatingPoint": "thermodynamics",
    "RateNetwork": "networks",
    "Reservoir": "reservoirs",
    "Status": "status",
    "audit": "audits",
    "operate": "thermodynamics",
    "rate_matrix": "networks",
    "replace": "parameters",
    "steady_state": "steady",
    "sweep": "sweeps",
}

__all__ = [
    "Lindbladian",
    "Mode",
    "NonthermalReservoir",
    "OperatingPoint",
    "RateNetwork",
    "Reservoir",
    "Status",
    "audit",
    "audits",
    "cooling",
    "counting",
    "design",
    "distributions",
    "evolution",
    "expansion",
    "explicit",
    "gases",
    "greens",
    "hierarchy",
    "jumps",
    "lindblad",
    "machines",
    "networks",
    "nonthermal",
    "operate",
    "oscillators",
    "papers",
    "parameters",
    "plots",
    "rate_matrix",
    "replace",
    "report",
    "reservoirs",
    "rotor",
    "scatterers",
    "scattering",
    "sensitivities",
    "spectral",
    "steady",
    "steady_state",
    "sweep",
    "sweeps",
    "thermodynamics",
    "transmissions",
    "units",
]


__getattr__, __dir__ = _attach(__name__, _HOMES, [name for name in __all__ if name not in _HOMES])


class _Package(_ModuleType):
    @property
    def parameters(self):
        """The function. Whoever imports the module of this name would else find that in its
        place."""
        from .parameters import parameters

        return parameters

    @parameters.setter
    def parameters(self, value):
        pass


_sys.modules[__name__].__class__ = _Package
