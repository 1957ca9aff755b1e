"""What every machine is: parameters and what follows from them; most are a network or Lindbladian
whose reservoirs play roles."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from .._numerics.compilation import compiled
from .._numerics.modules import Module
from ..counting import Covariance, Weights, covariance, cumulants
from ..explicit import ExplicitFilters
from ..explicit._device import Coupling, Treatment
from ..explicit._structure import Composite
from ..findings import Checks
from ..limits import FIRST_ORDER
from ..observables import observables, operating_point
from ..parameters import checked, parameters
from ..systems.base import AbstractSystem, role_of
from ..thermodynamics import AbstractPoint, OperatingPoint, operate
from ..thermodynamics._operate import existing

__all__ = [
    "AbstractMachine",
    "AbstractOpenSystem",
    "DesignProblem",
    "ExplicitMachine",
    "Survey",
    "around",
]


class AbstractMachine(Module):
    """A device with named parameters, which declare their domains and units (`parameter`), and what
    it does at them."""

    @abc.abstractmethod
    def operate(self) -> AbstractPoint:
        """What the machine does: an `AbstractPoint`, with observables by name and the laws that
        they obey."""

    def validity(self) -> Float[Array, ""]:
        """The largest rate over what it must stay below: widths of filters, energies of jumps,
        temperatures; see `AbstractPoint.validity`. At most 0.1 where currents are to be right to
        about 5 %. The observable "validity"."""
        return operating_point(self).validity

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

    def with_explicit_filters(
        self, levels: Mapping[str, int | None] | Sequence[str], **how: Any
    ) -> "ExplicitMachine":
        """The same machine with the filters of some reservoirs as damped modes inside it, where it
        has any; `levels` and `how` as in `AbstractOpenSystem.with_explicit_filters`. Raises
        `ValueError` of others."""
        raise ValueError(
            f"`explicit` needs a machine of levels between filters, got {type(self).__name__}."
        )

    def survey(self) -> "Survey":
        """What to look at first: by default the first observable, over two temperatures, or else
        two other numbers."""
        return survey_of(self)


class AbstractOpenSystem(AbstractMachine):
    """A machine made of levels and reservoirs. `cooled` and `driven_by` say which heat currents
    make its COP."""

    cooled: eqx.AbstractVar[str | None]
    driven_by: eqx.AbstractVar[str | None]

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

    def resonant_jumps(self) -> Mapping[str, Sequence[tuple[int, int]]]:
        """Pairs of levels whose jumps go by the filter of a reservoir where that is explicit; all
        jumps of a reservoir that it does not name. The others are driven by the tails."""
        return {}

    def with_explicit_filters(
        self, levels: Mapping[str, int | None] | Sequence[str], **how: Any
    ) -> "ExplicitMachine":
        """The same machine with the filters of some reservoirs as damped modes inside it, `levels`:
        the most quanta in each, by reservoir (None: chosen by its occupation), or names; `how`: see
        `qtd.explicit.ExplicitFilters`."""
        return ExplicitMachine(self, levels, **{"resonant": self.resonant_jumps(), **how})

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


class ExplicitMachine(AbstractOpenSystem):
    """A `machine` whose chosen filters are damped modes inside it, with the most quanta in each by
    `levels`, as `machine.with_explicit_filters({"cold": 3})` makes it.

    Its parameters are those of the machine, such as `machine.cold.temperature`; so are its roles.
    `how`, `structure`, `treatment` and `coupling` as in `qtd.explicit.ExplicitFilters`, which is
    its `system`. Raises `ValueError` as that does. **Source:** as that.

    >>> fridge = qtd.machines.CollectiveRefrigerator(num_spins=5)
    >>> fridge = qtd.replace(fridge, {"cold.spectral_density.height": 0.02})
    >>> explicit = fridge.with_explicit_filters({"cold": 3})
    >>> explicit.system().structure
    Composite(12 states, 18 numbers kept, blocks of 5)
    """

    machine: AbstractOpenSystem
    structure: Composite = eqx.field(static=True)
    treatment: Treatment = eqx.field(static=True)
    coupling: Coupling = eqx.field(static=True)

    def __init__(self, machine: AbstractOpenSystem, levels: Any, **how: Any):
        made = ExplicitFilters(machine.system(), levels, **how)
        self.machine = machine
        self.structure, self.treatment, self.coupling = (
            made.structure,
            made.treatment,
            made.coupling,
        )

    def rules(self) -> None:
        self.system().rules()

    @property
    def cooled(self) -> str | None:
        """The reservoir that the machine cools."""
        return self.machine.cooled

    @property
    def driven_by(self) -> str | None:
        """The reservoir that drives the machine."""
        return self.machine.driven_by

    def system(self) -> ExplicitFilters:
        return ExplicitFilters.of(
            self.machine.system(), self.structure, self.treatment, self.coupling
        )

    def alternatives(self) -> Mapping[str, AbstractSystem]:
        """The machine as it is, with all filters implicit."""
        return {"implicit filters": self.machine.system()}


@role_of.register
def _(machine: AbstractOpenSystem) -> tuple[AbstractSystem, str | None, str | None]:
    return machine.system(), machine.cooled, machine.driven_by


def at_work(machine: AbstractOpenSystem) -> OperatingPoint:
    """`operate` as one program from the parameters on, for machines whose `system` can be traced:
    of what describes it, done step by step, each would be a program of its own."""
    return existing(_at_work(machine))


@compiled
def _at_work(machine):
    return operate(machine.system(), machine.cooled, machine.driven_by)


class DesignProblem(NamedTuple):
    """What a person would ask of the machine `start`: the largest `objective`, an observable, or
    the smallest one unless `is_largest`, `over` bounds, `subject_to` limits (low, high) on others,
    all by name, from so many `starts` and by so many `steps`."""

    start: "AbstractMachine"
    objective: str
    over: dict[str, tuple[float, float]]
    subject_to: dict[str, tuple[float | None, float | None]]
    starts: int = 32
    steps: int = 300
    is_largest: bool = True


# The limit within which designs are sought: currents are then right to about 5 %.
VALID: dict[str, tuple[float | None, float | None]] = {"validity": (None, FIRST_ORDER.doubtful)}


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
