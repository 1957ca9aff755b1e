"""Master equations from a Hamiltonian and jump operators, as QuTiP's `mesolve` takes them: each
with a rate or a reservoir of its own."""

from ._device import JumpDissipator, JumpLindbladian
from ._sources import ConstantRate
from ._state import JumpSteadyState

__all__ = ["ConstantRate", "JumpDissipator", "JumpLindbladian", "JumpSteadyState"]
