"""What a search found, and how it went."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._numerics.printing import digits


class History(eqx.Module):
    """How the search went, step by step.

    `values`: the best objective of a start that meets the constraints so far, NaN while none does.
    `violations`: by how much the start that meets them best exceeds a limit, relative to the limit;
    negative with room to spare. `all_values`: the objective of every start.
    """

    values: Float[Array, " steps"]
    violations: Float[Array, " steps"]
    all_values: Float[Array, "steps starts"]


class Optimum(eqx.Module):
    """What `maximize` found. `machine` is the design, `start` what it began with; `message` says in
    words whether to trust it.

    - `value`: the objective. `parameters`, `bounds`: by path, where it is and between what it was
      sought.
    - `active_bounds`: "lower" or "upper" by path, where one is met. `constraints`: their values by
      name; `active_constraints`: names of those that are met with equality.
    - `history`: of the search. `feasible`: all constraints are met, to 1e-6. `converged`: and the
      first-order conditions of an optimum too.
    """

    machine: Any
    start: Any
    value: Float[Array, ""]
    parameters: dict[str, Float[Array, ""]]
    bounds: dict[str, tuple[float, float]] = eqx.field(static=True)
    active_bounds: dict[str, str] = eqx.field(static=True)
    constraints: dict[str, Float[Array, ""]]
    active_constraints: tuple[str, ...] = eqx.field(static=True)
    history: History
    feasible: bool = eqx.field(static=True)
    converged: bool = eqx.field(static=True)
    message: str = eqx.field(static=True)

    def __repr__(self) -> str:
        lines = [f"Optimum: {digits(self.value)} ({self.message})"]
        for path, value in self.parameters.items():
            low, high = self.bounds[path]
            mark = (
                f", at its {self.active_bounds[path]} bound" if path in self.active_bounds else ""
            )
            lines.append(f"  {path:<32} {float(value):>14.8g}   in [{low:g}, {high:g}]{mark}")
        for name, value in self.constraints.items():
            lines.append(
                f"  {name:<32} {float(value):>14.8g}  "
                f" constraint{', active' if name in self.active_constraints else ''}"
            )
        return "\n".join(lines)
