"""Differentiable thermodynamics of small quantum machines: currents, noise, efficiency, and their derivatives, in JAX.

Examples in docstrings begin after `import jax, jax.numpy as jnp, numpy as np, qtd` and `jax.config.update("jax_enable_x64", True)`.
"""

import importlib as _importlib
from typing import TYPE_CHECKING

from . import (
    cooling,
    counting,
    distributions,
    evolution,
    expansion,
    gases,
    greens,
    lindblad,
    machines,
    networks,
    nonthermal,
    reservoirs,
    rotor,
    scatterers,
    scattering,
    spectral,
    steady,
    thermodynamics,
    transmissions,
    units,
)
from ._numerics.status import Status
from .lindblad import Lindbladian
from .networks import RateNetwork, rate_matrix
from .parameters import parameters, replace
from .reservoirs import NonthermalReservoir, Reservoir
from .steady import steady_state
from .thermodynamics import Mode, OperatingPoint, operate

if TYPE_CHECKING:
    from . import audits, design, figures, plots, report, sweeps
    from .audits import audit
    from .sweeps import sweep

__version__ = "0.1.0"
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
    "figures",
    "gases",
    "greens",
    "lindblad",
    "machines",
    "networks",
    "nonthermal",
    "operate",
    "parameters",
    "plots",
    "rate_matrix",
    "replace",
    "report",
    "reservoirs",
    "rotor",
    "scatterers",
    "scattering",
    "spectral",
    "steady",
    "steady_state",
    "sweep",
    "sweeps",
    "thermodynamics",
    "transmissions",
    "units",
]


def __getattr__(name: str):
    """Load audits, the optimiser, sweeps, drawings, pages and figures when they are first used, not with `import qtd`."""
    if name in ("audit", "sweep"):
        return getattr(_importlib.import_module(f".{name}s", __name__), name)
    if name in ("audits", "design", "figures", "plots", "report", "sweeps"):
        return _importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
