"""What a search found, and how it went."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._numerics.printing import digits
from ..findings import Severity
from ..machines import AbstractMachine
from ..observables import operating_point
from ..status import Status
from ..systems.base import AbstractSystem
from ..thermodynamics import AbstractPoint
from ._certificate import Certificate
from ._history import History
from ._workshop import Robustness


def point_of(machine: Any) -> AbstractPoint | None:
    """The operating point of a machine or a system, None of anything else."""
    if not isinstance(machine, AbstractMachine | AbstractSystem):
        return None
    point = operating_point(machine)
    return point if isinstance(point, AbstractPoint) else None


def doubt(machine: Any) -> str:
    """What the status of a design says against its numbers, as the end of a message; empty where
    it says nothing."""
    point = point_of(machine)
    status = Status.OK if point is None else Status(int(point.status))
    is_fine = status.severity < Severity.DOUBTFUL
    return "" if is_fine else f"; status {int(status)} of the design: {status.message}"


class Optimum(eqx.Module):
    """What `maximize` or `minimize` found. `machine` is the design, `start` what it began with;
    `message` says in words whether to trust it.

    - `value`: the objective. `parameters`, `bounds`: by path, where it is and between what it was
      sought.
    - `active_bounds`: "lower" or "upper" by path, where one is met. `constraints`: their values by
      name; `active_constraints`: names of those that are met with equality.
    - `certificate`: what kind of optimum it is, and what holds it there; None of an interrupted
      search. `robustness`: what a workshop makes of it, of a search with a tolerance, whose `value`
      and `constraints` are its measure over the sample that it used.
    - `history`: of the search. `feasible`: all constraints are met, to 1e-6. `converged`: and the
      first-order conditions of an optimum too. `is_largest`: whether the objective was to be large.
    - `interrupted`: a person stopped it; `search`: where its starts are, for `resume`.
    """

    machine: Any
    start: Any
    value: Float[Array, ""]
    parameters: dict[str, Float[Array, ""]]
    bounds: dict[str, tuple[float, float]] = eqx.field(static=True)
    active_bounds: dict[str, str] = eqx.field(static=True)
    constraints: dict[str, Float[Array, ""]]
    active_constraints: tuple[str, ...] = eqx.field(static=True)
    certificate: Certificate | None
    robustness: Robustness | None
    history: History
    feasible: bool = eqx.field(static=True)
    converged: bool = eqx.field(static=True)
    is_largest: bool = eqx.field(static=True)
    interrupted: bool = eqx.field(static=True)
    message: str = eqx.field(static=True)
    search: Any

    def __repr__(self) -> str:
        lines = [f"Optimum: {digits(self.value)} ({self.message})"]
        for path, value in self.parameters.items():
            low, high = self.bounds[path]
            mark = (
                f", at its {self.active_bounds[path]} bound" if path in self.active_bounds else ""
            )
            lines.append(f"  {path:<32} {float(value):>14.8g}   in [{low:g}, {high:g}]{mark}")
        for name, value in self.constraints.items():
            mark = ", active" if name in self.active_constraints else ""
            lines.append(f"  {name:<32} {float(value):>14.8g}   constraint{mark}")
        lines += [f"  {text}" for text in self.worths()]
        if self.robustness is not None:
            lines.append(f"  {self.robustness!r}")
        return "\n".join(lines)

    def worths(self) -> list[str]:
        """What one per cent more of each limit and bound that holds the design is worth, a sentence
        each, the most valuable first."""
        if self.certificate is None:
            return []
        limits = {
            name: float(value) for name, value in {**self.constraints, **self.parameters}.items()
        }
        found = []
        for name, worth in self.certificate.multipliers.items():
            change = 0.01 * abs(limits[name]) * worth
            share = change / abs(float(self.value)) if float(self.value) else float("nan")
            what = (
                f"the {self.active_bounds[name]} bound of"
                if name in self.active_bounds
                else "the limit of"
            )
            found.append((abs(share), f"1 % more of {what} {name} is worth {share:+.3%}"))
        return [text for _, text in sorted(found, reverse=True)]
