"""How a search went."""

import equinox as eqx
from jaxtyping import Array, Float


class History(eqx.Module):
    """How the search went, step by step.

    `values`: the best objective of a start that meets the constraints so far, NaN while none does.
    `violations`: by how much the start that meets them best exceeds a limit, relative to the limit;
    negative with room to spare. `all_values`: the objective of every start.
    """

    values: Float[Array, " steps"]
    violations: Float[Array, " steps"]
    all_values: Float[Array, "steps starts"]
