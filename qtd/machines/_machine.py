"""What every machine is: parameters and what follows from them; most are a network or Lindbladian whose reservoirs play roles."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

from ..counting import Covariance, Weights, covariance, cumulants
from ..lindblad import Lindbladian
from ..networks import RateNetwork
from ..parameters import validate
from ..thermodynamics import OperatingPoint, operate

__all__ = ["AbstractMachine", "AbstractOpenSystem", "DesignProblem"]


class AbstractMachine(eqx.Module):
    """A device with named parameters, and what it does at them."""

    @abc.abstractmethod
    def operate(self) -> Any:
        """What the machine does: a result with `figures`, numbers by name, and `laws` that they obey."""

    def design_problem(self) -> "DesignProblem":
        """The design problem that this kind of machine poses by default; `ValueError` if it poses none."""
        raise ValueError(f"{type(self).__name__} has no default design problem; name an objective and parameters to vary.")


class AbstractOpenSystem(AbstractMachine):
    """A machine made of levels and reservoirs. `cooled` and `driven_by` say which heat currents make its COP."""

    cooled: eqx.AbstractClassVar[str | None]
    driven_by: eqx.AbstractClassVar[str | None]

    @abc.abstractmethod
    def system(self) -> RateNetwork | Lindbladian:
        """The levels and jumps of this machine, or its master equation: a layer down, for everything that those can do."""

    def operate(self) -> OperatingPoint:
        """Stationary currents, entropy production, COP, bounds, mode; see `qtd.OperatingPoint`."""
        validate(self)
        return operate(self.system(), self.cooled, self.driven_by)

    def covariance(self, quantity: str = "energy") -> Covariance:
        """Zero-frequency noise of all currents of `quantity`; see `qtd.counting.covariance`."""
        validate(self)
        return covariance(self.system(), quantity)

    def cumulants(self, weights: Weights, order: int = 4, quantity: str = "energy") -> Float[Array, " order"]:
        """Scaled cumulants, up to `order`, of the current of `quantity` that `weights` counts; see `qtd.counting.cumulants`."""
        validate(self)
        return cumulants(self.system(), weights, order, quantity)


class DesignProblem(NamedTuple):
    """What a person would ask of the machine `start`: `maximize` an observable `over` bounds, `subject_to` limits (low, high) on others,
    all by name, from so many `starts` and by so many `steps`."""

    start: "AbstractMachine"
    maximize: str
    over: dict[str, tuple[float, float]]
    subject_to: dict[str, tuple[float | None, float | None]]
    starts: int = 32
    steps: int = 300
