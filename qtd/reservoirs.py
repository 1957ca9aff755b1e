"""Reservoirs: large environments that exchange energy, and perhaps particles, with a device."""

import abc
from typing import Literal

import equinox as eqx
import jax
from jaxtyping import Array, ArrayLike, Float

from ._numerics.special import bose_weights
from ._numerics.validation import as_scalar, nonnegative, positive, require
from .spectral import AbstractSpectralDensity

__all__ = ["AbstractReservoir", "Reservoir"]


class AbstractReservoir(eqx.Module):
    """A large environment, described by what it does at one energy."""

    chemical_potential: eqx.AbstractVar[Float[Array, ""]]
    spectral_density: eqx.AbstractVar[AbstractSpectralDensity]

    @abc.abstractmethod
    def occupation(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """Mean number of quanta in a mode of this energy."""

    @abc.abstractmethod
    def rates(
        self, gap: Float[Array, "*batch"], particles: Float[Array, "*batch"] | None = None
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """Golden-rule rates, for a unit matrix element, of a jump that raises the device's energy by `gap` and its number by
        `particles` (None where jumps exchange none), and of the reverse jump."""


class Reservoir(AbstractReservoir):
    r"""A reservoir of bosons or fermions in thermal equilibrium.

    - `temperature` T > 0, `chemical_potential` mu: energies (k_B = 1).
    - `statistics`: "bose" (photons, phonons; a jump exchanges one quantum of energy `gap`) or "fermi" (a lead; a jump exchanges
      one electron).
    - `spectral_density`: see `qtd.spectral`.

    A boson rate is J(w) n(w) up and J(w) (1 + n(w)) down; an electron rate Gamma(E) f(E) in and Gamma(E) (1 - f(E)) out. Both
    satisfy detailed balance, up/down = exp(-(gap - mu dN)/T), to rounding for every gap.
    """

    temperature: Float[Array, ""]
    chemical_potential: Float[Array, ""]
    statistics: str = eqx.field(static=True)
    spectral_density: AbstractSpectralDensity

    def __init__(
        self,
        temperature: ArrayLike,
        chemical_potential: ArrayLike = 0.0,
        statistics: Literal["bose", "fermi"] = "bose",
        *,
        spectral_density: AbstractSpectralDensity,
    ):
        self.temperature = as_scalar(temperature, "temperature")
        self.chemical_potential = as_scalar(chemical_potential, "chemical_potential")
        if statistics not in ("bose", "fermi"):
            raise ValueError(f'`statistics` must be "bose" or "fermi", got {statistics!r}.')
        if not callable(getattr(spectral_density, "per_energy", None)):
            raise ValueError(f"`spectral_density` must be one of `qtd.spectral`, got {spectral_density!r}.")
        self.statistics = statistics
        self.spectral_density = spectral_density

    def __check_init__(self):
        require(self, temperature="positive", chemical_potential="any")

    def occupation(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """n(E) or f(E). The Bose function diverges at E = mu and means nothing below."""
        x = (energy - self.chemical_potential) / positive(self.temperature)
        if self.statistics == "fermi":
            return jax.nn.sigmoid(-x)
        return bose_weights(x)[0] / x

    def rates(
        self, gap: Float[Array, "*batch"], particles: Float[Array, "*batch"] | None = None
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        temperature = positive(self.temperature)
        energy = gap if particles is None else gap - self.chemical_potential * particles
        if self.statistics == "fermi":
            x = energy / temperature
            tunnelling = nonnegative(self.spectral_density(gap if particles is None else gap * particles))
            return tunnelling * jax.nn.sigmoid(-x), tunnelling * jax.nn.sigmoid(x)
        strength = self.spectral_density.per_energy(gap)
        if particles is not None:  # massive bosons: J(w) n(w - mu), finite only while w and w - mu have one sign
            strength = nonnegative(strength * gap / energy)
        absorption, emission = bose_weights(energy / temperature)
        return strength * temperature * absorption, strength * temperature * emission
