"""What every machine is: parameters and what follows from them; most are a network or Lindbladian
whose reservoirs play roles."""

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from .._numerics.compilation import compiled
from .._numerics.modules import Module
from ..counting import Covariance, Weights, covariance, cumulants
from ..findings import Checks
from ..observables import observables
from ..parameters import checked, parameters
from ..systems.base import AbstractSystem
from ..thermodynamics import AbstractPoint, OperatingPoint, operate
from ..thermodynamics._operate import existing

__all__ = ["AbstractMachine", "AbstractOpenSystem", "DesignProblem", "Survey", "around"]


class AbstractMachine(Module):
    """A device with named parameters, which declare their domains and units (`parameter`), and what
    it does at them."""

    @abc.abstractmethod
    def operate(self) -> AbstractPoint:
        """What the machine does: an `AbstractPoint`, with observables by name and the laws that
        they obey."""

    def systems(self) -> Mapping[str, AbstractSystem]:
        """The networks, master equations and conductors that its numbers come from, by where they
        are met; for audits, which say what they could not look at where there are none."""
        return {}

    def alternatives(self) -> Mapping[str, Any]:
        """The same device in other approximations, by name; for audits."""
        return {}

    def checks(self, point: Any) -> Checks:
        """What only this machine knows about the validity of `point`, what its `operate` has
        returned: for audits, functions by topic. Findings about "other approaches" take the place
        of a comparison with `alternatives`."""
        return {}

    def design_problem(self) -> "DesignProblem":
        """The design problem that this kind of machine poses by default; `ValueError` if it poses
        none."""
        raise ValueError(
            f"{type(self).__name__} has no default design problem; name an objective and parameters"
            " to vary."
        )

    def survey(self) -> "Survey":
        """What to look at first: by default the first observable, over two temperatures, or else
        two other numbers."""
        return survey_of(self)


class AbstractOpenSystem(AbstractMachine):
    """A machine made of levels and reservoirs. `cooled` and `driven_by` say which heat currents
    make its COP."""

    cooled: eqx.AbstractClassVar[str | None]
    driven_by: eqx.AbstractClassVar[str | None]

    @abc.abstractmethod
    def system(self) -> AbstractSystem:
        """The levels and jumps of this machine, or its master equation: a layer down, for
        everything that those can do."""

    def systems(self) -> Mapping[str, AbstractSystem]:
        return {"rest": self.system()}

    @checked
    def operate(self) -> OperatingPoint:
        """Stationary currents, entropy production, COP, bounds, mode; see `qtd.OperatingPoint`."""
        return operate(self.system(), self.cooled, self.driven_by)

    def survey(self) -> "Survey":
        """The cooling current, if something is cooled, over the temperature of the cooled reservoir
        and of another one."""
        if self.cooled is None:
            return super().survey()
        paths = _two(self, f"{self.cooled}.temperature")
        return Survey(f"J_{self.cooled}", around(self, *paths))

    @checked
    def covariance(self, quantity: str = "energy") -> Covariance:
        """Zero-frequency noise of all currents of `quantity`; see `qtd.counting.covariance`."""
        return covariance(self.system(), quantity)

    @checked
    def cumulants(
        self, weights: Weights, order: int = 4, quantity: str = "energy"
    ) -> Float[Array, " order"]:
        """Scaled cumulants, up to `order`, of the current of `quantity` that `weights` counts; see
        `qtd.counting.cumulants`."""
        return cumulants(self.system(), weights, order, quantity)


def at_work(machine: AbstractOpenSystem) -> OperatingPoint:
    """`operate` as one program from the parameters on, for machines whose `system` can be traced:
    of what describes it, done step by step, each would be a program of its own."""
    return existing(_at_work(machine))


@compiled
def _at_work(machine):
    return operate(machine.system(), machine.cooled, machine.driven_by)


class DesignProblem(NamedTuple):
    """What a person would ask of the machine `start`: `maximize` an observable `over` bounds,
    `subject_to` limits (low, high) on others, all by name, from so many `starts` and by so many
    `steps`."""

    start: "AbstractMachine"
    maximize: str
    over: dict[str, tuple[float, float]]
    subject_to: dict[str, tuple[float | None, float | None]]
    starts: int = 32
    steps: int = 300


class Survey(NamedTuple):
    """An `observable` of a machine, by name, to map `over` two parameters: their values by path,
    (points, *shape of the parameter)."""

    observable: str
    over: dict[str, np.ndarray]


def survey_of(device: Any) -> Survey:
    """What to look at first of a `device` that does not say, such as a bare network: its first
    observable, over two temperatures, or else two other numbers."""
    return Survey(next(iter(observables(device))), around(device, *_two(device)))


def around(machine: Any, *paths: str) -> dict[str, np.ndarray]:
    """Values from 0.4 to 1.6 of what these parameters are; they must be single numbers and not
    0."""
    known = parameters(machine)
    return {path: float(known[path]) * np.linspace(0.4, 1.6, 25) for path in paths}


def _two(machine, *first):
    """Paths of two parameters that are single numbers and not 0: those that come `first`, then
    temperatures, then others."""
    known = [path for path, value in parameters(machine).items() if value.ndim == 0 and value != 0]
    temperatures = [path for path in known if path.endswith("temperature")]
    return list(dict.fromkeys([*first, *temperatures, *known]))[:2]
