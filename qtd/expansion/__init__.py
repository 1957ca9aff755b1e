r"""Slow driving: what a rate network does to a coordinate that turns it, as a series in the
velocity and exactly.

A function from the angle theta to a `RateNetwork`, such as `QuantumMotor.network`, says how levels
and jumps depend on a slow coordinate. Its energies push the coordinate with the torque -dE/dtheta
of the occupied state. `series` expands in the velocity, `responses` around equilibrium in velocity,
potentials and temperatures together, `turns` goes around exactly and counts the work, and
`velocities` finds where torque and load balance. **Source:** Bustos-Marun and Calvo,
"Thermodynamics and steady state of quantum motors and pumps far from equilibrium".
"""

from .responses import Responses, responses
from .series import Coefficients, Local, coefficients, local
from .turns import Cycle, cycle, work_cumulants, work_generating_function
from .velocities import Velocities, exact_velocities, steady_velocities

__all__ = [
    "Coefficients",
    "Cycle",
    "Local",
    "Responses",
    "Velocities",
    "coefficients",
    "cycle",
    "exact_velocities",
    "local",
    "responses",
    "steady_velocities",
    "work_cumulants",
    "work_generating_function",
]
