"""Probabilities that a particle passes from one reservoir to another, as functions of its
energy."""

import abc
from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from ._numerics.modules import Module, parameter
from ._numerics.quadrature import FAR, graded
from ._numerics.validation import as_real, as_scalar, nonnegative, positive

__all__ = ["AbstractTransmission", "AnyTransmission", "Boxcar", "BreitWigner", "Lorentzian"]


class AbstractTransmission(Module):
    """The probability T(E) that a particle passes from one reservoir to another, the same in both
    directions."""

    @abc.abstractmethod
    def __call__(self, energy: Float[Array, " points"]) -> Float[Array, " points"]:
        """T at this `energy`, between 0 and 1."""

    @abc.abstractmethod
    def window(self) -> tuple[Float[Array, ""], Float[Array, ""]] | None:
        """Energies between which it is not zero, None for all."""

    @abc.abstractmethod
    def breaks(self) -> list[Float[Array, " n"]]:
        """Energies between which it is smooth on its own scale."""

    @abc.abstractmethod
    def narrow(self) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
        """The energy, int T dE and int T^2 dE of the point that stands for it where it is
        narrow."""


class Boxcar(AbstractTransmission):
    """T = 1 for |E - e| < d / 2, else 0: `center` e, `width` d > 0. **Source:** Deghi and
    Bustos-Marun, Eq. (C2)."""

    center: Float[Array, ""] = parameter("any", "E")
    width: Float[Array, ""] = parameter("positive", "E")

    def __init__(self, center: ArrayLike, width: ArrayLike):
        self.center, self.width = as_scalar(center, "center"), as_scalar(width, "width")

    def __call__(self, energy):
        return jnp.where(jnp.abs(energy - self.center) < positive(self.width) / 2, 1.0, 0.0).astype(
            energy.dtype
        )

    def window(self):
        half = positive(self.width) / 2
        return self.center - half, self.center + half

    def breaks(self):
        return []

    def narrow(self):
        return self.center, positive(self.width), self.width


class Lorentzian(AbstractTransmission):
    """T = g^2 / ((E - e)^2 + g^2): `center` e, `width` 2 g > 0 (full width at half maximum)."""

    center: Float[Array, ""] = parameter("any", "E")
    width: Float[Array, ""] = parameter("positive", "E")

    def __init__(self, center: ArrayLike, width: ArrayLike):
        self.center, self.width = as_scalar(center, "center"), as_scalar(width, "width")

    def __call__(self, energy):
        square = positive(self.width) ** 2 / 4
        return square / ((energy - self.center) ** 2 + square)

    def window(self):
        return None

    def breaks(self):
        return [lax.stop_gradient(graded(self.center, self.width / 2, FAR))]

    def narrow(self):
        weight = jnp.pi * positive(self.width) / 2
        return self.center, weight, weight / 2


class BreitWigner(AbstractTransmission):
    """T = g_a g_b / ((E - e)^2 + (g_a + g_b)^2 / 4), a level between two leads: `center` e, `left`
    g_a >= 0, `right` g_b >= 0."""

    center: Float[Array, ""] = parameter("any", "E")
    left: Float[Array, ""] = parameter("nonnegative", "E")
    right: Float[Array, ""] = parameter("nonnegative", "E")

    def __init__(self, center: ArrayLike, left: ArrayLike, right: ArrayLike):
        self.center, self.left, self.right = (
            as_scalar(x, n) for x, n in ((center, "center"), (left, "left"), (right, "right"))
        )

    def __call__(self, energy):
        left, right = nonnegative(self.left), nonnegative(self.right)
        return left * right / ((energy - self.center) ** 2 + positive(left + right) ** 2 / 4)

    def window(self):
        return None

    def breaks(self):
        return [lax.stop_gradient(graded(self.center, (self.left + self.right) / 2, FAR))]

    def narrow(self):
        left, right = nonnegative(self.left), nonnegative(self.right)
        weight = 2 * jnp.pi * left * right / positive(left + right)
        return self.center, weight, weight * 2 * left * right / (left + right) ** 2


class AnyTransmission(AbstractTransmission):
    """Any smooth `function` of energy with values from 0 to 1 (an `eqx.Module`, if it has
    parameters), with lines or steps at `centers` of widths `scales` (lists of numbers)."""

    function: Callable
    centers: Float[Array, " features"] = parameter("any", "E")
    scales: Float[Array, " features"] = parameter("positive", "E")

    def __init__(self, function: Callable, centers: ArrayLike, scales: ArrayLike):
        self.function, self.centers = function, jnp.atleast_1d(as_real(centers, "centers"))
        self.scales = jnp.broadcast_to(as_real(scales, "scales"), self.centers.shape)

    def __call__(self, energy):
        return self.function(energy)

    def window(self):
        return None

    def breaks(self):
        return [
            lax.stop_gradient(graded(self.centers[k], self.scales[k], FAR))
            for k in range(len(self.centers))
        ]

    def narrow(self):
        raise ValueError(
            "AnyTransmission has no narrow limit: use a `Conductor` with `narrow=False`."
        )
