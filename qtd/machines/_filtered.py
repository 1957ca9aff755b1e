"""What the refrigerators of two bodies between three filtered reservoirs have in common."""

from typing import ClassVar, Self

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from ..parameters import replace
from ..reservoirs import Reservoir
from ..spectral import Resonator
from ._machine import VALID, AbstractOpenSystem, DesignProblem

NAMES = ("hot", "sink", "cold")


class AbstractFilteredRefrigerator(AbstractOpenSystem):
    """Body 1 of energy `energy_1` touches the reservoirs `hot` and `sink`, body 2 of `energy_2` the
    reservoir `cold`; `shift` is what a quantum in one adds to the energy of the other."""

    hot: eqx.AbstractVar[Reservoir]
    sink: eqx.AbstractVar[Reservoir]
    cold: eqx.AbstractVar[Reservoir]
    energy_1: eqx.AbstractVar[Float[Array, ""]]
    energy_2: eqx.AbstractVar[Float[Array, ""]]
    shift: eqx.AbstractVar[Float[Array, ""]]

    cooled: ClassVar[str | None] = "cold"
    driven_by: ClassVar[str | None] = "hot"

    @property
    def reservoirs(self) -> dict[str, Reservoir]:
        """All three by name."""
        return {"hot": self.hot, "sink": self.sink, "cold": self.cold}

    @property
    def tight_coupling_cop(self) -> Float[Array, ""]:
        """`shift` / `energy_1`, the COP of ideal filters; there cooling stops where it reaches the
        Carnot COP, at zero power."""
        return self.shift / self.energy_1

    def design_problem(self) -> DesignProblem:
        """The largest cooling current over shift, centres and strengths of the filters, at no
        smaller COP than now, where the rates stay well below the widths, which are as they are
        (`VALID`)."""
        over = {"shift": (0.02, 0.5 * float(self.energy_1))}
        for name, center in resonances(self.energy_1, self.energy_2, self.shift).items():
            density = f"{name}.spectral_density"
            strength = float(resonator(self.reservoirs[name]).strength)
            over[f"{density}.center"] = (0.8 * float(center), 1.3 * float(center))
            over[f"{density}.strength"] = (1e-6 * strength, strength)
        required = np.ceil(1e5 * max(float(self.operate().cop), 0.0)) / 1e5
        limits = {"COP": (required, None), **VALID}
        return DesignProblem(self, "J_cold", over, limits, starts=16, steps=200)

    def tied(self) -> Self:
        """The same machine with the filters on the levels as in the paper's figures: centres e_1
        (hot), e_1 + D_z (sink), e_2 + D_z (cold).

        `jax.grad(lambda m: current(m.tied()))` moves the filters with the levels,
        `jax.grad(current)` leaves them where they are.
        """
        centers = resonances(self.energy_1, self.energy_2, self.shift)
        return replace(
            self, {f"{name}.spectral_density.center": center for name, center in centers.items()}
        )

    def fixed_peak(self) -> Self:
        """The same machine with the strength of each filter set to its width, so that K at its
        centre is 1 / centre whatever the width.

        Without it a narrower filter is a stronger one, and an optimum runs to width 0, out of the
        model's validity.
        """
        widths = {name: resonator(reservoir).width for name, reservoir in self.reservoirs.items()}
        return replace(
            self, {f"{name}.spectral_density.strength": width for name, width in widths.items()}
        )


def resonances(energy_1, energy_2, shift) -> dict[str, Float[Array, ""]]:
    """Filter centres by reservoir: hot on body 1 while body 2 is empty, the other two with one
    quantum in the other body."""
    return {"hot": energy_1, "sink": energy_1 + shift, "cold": energy_2 + shift}


def resonator(reservoir: Reservoir) -> Resonator:
    if not isinstance(reservoir.spectral_density, Resonator):
        raise ValueError(
            "needs `Resonator` spectral densities, got"
            f" {type(reservoir.spectral_density).__name__}."
        )
    return reservoir.spectral_density
