"""Reservoirs: large environments that exchange energy, and perhaps particles, with a device."""

import abc
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ._numerics.modules import Module, parameter
from ._numerics.printing import one_line
from ._numerics.quadrature import FAR, graded
from ._numerics.special import bose_weights, occupied
from ._numerics.validation import as_scalar, nonnegative, positive
from .distributions import AbstractDistribution, Thermal, filled_and_empty, shares
from .spectral import AbstractSpectralDensity, WideBand

__all__ = ["AbstractReservoir", "NonthermalReservoir", "Reservoir", "ZeroTemperatureReservoir"]


class AbstractReservoir(Module):
    """A large environment, described by what it does at one energy. `temperature` is None where it
    has none; `chemical_potential`, `statistics` and `spectral_density` as in `Reservoir`."""

    temperature: eqx.AbstractVar[Float[Array, ""] | None]  # None where there is none
    chemical_potential: eqx.AbstractVar[Float[Array, ""]]
    statistics: eqx.AbstractVar[str]
    spectral_density: eqx.AbstractVar[AbstractSpectralDensity]

    @abc.abstractmethod
    def occupation(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """Mean number of quanta in a mode of this `energy`."""

    @abc.abstractmethod
    def logit(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """The entropy that a quantum of this `energy` carries, u = ds/df; (E - mu) / T in
        equilibrium. See `qtd.distributions`."""

    def shares(
        self, energy: Float[Array, "*batch"]
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """f and 1 - f of fermions, f and 1 + f of bosons at this `energy`, neither from the
        other."""
        return shares(self.logit(energy), self.statistics)

    @abc.abstractmethod
    def breaks(self) -> list[Float[Array, " n"]]:
        """Energies between which the occupation is smooth on its own scale, for quadratures."""

    def breaks_within(
        self, low: Float[Array, ""], high: Float[Array, ""]
    ) -> list[Float[Array, " n"]]:
        """`breaks` for a window between `low` and `high`."""
        return self.breaks()

    def bandwidth(self) -> Float[Array, ""] | None:
        """The rate at which it forgets, the `bandwidth` of its spectral density; None where that is
        not known, and where the density is flat, so that there is no limit."""
        density = self.spectral_density
        if not hasattr(density, "bandwidth") or getattr(density, "is_flat", False):
            return None
        return density.bandwidth()

    @abc.abstractmethod
    def rates(
        self, gap: Float[Array, "*batch"], particles: Float[Array, "*batch"] | None = None
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """Golden-rule rates, for a unit matrix element, of a jump that raises the device's energy
        by `gap` and its number by `particles` (None where jumps exchange none), and of the reverse
        jump."""

    def entropy(
        self, gap: Float[Array, "*batch"], particles: Float[Array, "*batch"]
    ) -> Float[Array, "*batch"]:
        """Entropy that a jump by `gap` and `particles` takes from the reservoir: (gap - mu
        particles) / T in equilibrium."""
        if self.statistics == "bose":
            return jnp.sign(gap) * self.logit(jnp.abs(gap))
        return particles * self.logit(gap * particles)


class Reservoir(AbstractReservoir):
    r"""A reservoir of bosons or fermions in thermal equilibrium.

    - `temperature` T > 0, `chemical_potential` mu: energies (k_B = 1).
    - `statistics`: "bose" (photons, phonons; a jump exchanges one quantum of energy `gap`) or
      "fermi" (a lead; a jump exchanges one electron).
    - `spectral_density`: see `qtd.spectral`.

    A boson rate is J(w) n(w) up and J(w) (1 + n(w)) down; an electron rate Gamma(E) f(E) in and
    Gamma(E) (1 - f(E)) out. Both satisfy detailed balance, up/down = exp(-(gap - mu dN)/T), to
    rounding for every gap. Raises `ValueError` outside these domains.

    >>> reservoir = qtd.Reservoir(
    ...     0.5, spectral_density=qtd.spectral.Ohmic(coupling=0.1, cutoff=10.0)
    ... )
    >>> up, down = reservoir.rates(1.0)
    >>> print(f"{reservoir.occupation(1.0):.4f} {up / down:.4f}")
    0.1565 0.1353
    """

    temperature: Float[Array, ""] = parameter("positive", "E")
    chemical_potential: Float[Array, ""] = parameter("any", "E")
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
        if isinstance(spectral_density, type) or not callable(
            getattr(spectral_density, "per_energy", None)
        ):
            raise ValueError(
                "`spectral_density` must be one of `qtd.spectral`, got"
                f" {one_line(spectral_density)}."
            )
        self.statistics = statistics
        self.spectral_density = spectral_density

    def logit(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return Thermal(self.temperature, self.chemical_potential)(energy)

    def breaks(self) -> list[Float[Array, " n"]]:
        return Thermal(self.temperature, self.chemical_potential).breaks()

    def breaks_within(
        self, low: Float[Array, ""], high: Float[Array, ""]
    ) -> list[Float[Array, " n"]]:
        """`breaks` between `low` and `high`; far from the chemical potential the tail falls from
        the nearest edge on, and close to it bosons have a pole."""
        low, high, potential = jax.lax.stop_gradient((low, high, self.chemical_potential))
        nearest = Thermal(self.temperature, jnp.clip(potential, low, high)).breaks()
        return (
            nearest
            if self.statistics == "fermi"
            else [*nearest, graded(potential, jnp.abs(low - potential), FAR, middle=False)]
        )

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
            tunnelling = nonnegative(
                self.spectral_density(gap if particles is None else gap * particles)
            )
            filled, empty = occupied(x)
            return tunnelling * filled, tunnelling * empty
        strength = self.spectral_density.per_energy(gap)
        if (
            particles is not None
        ):  # massive bosons: J(w) n(w - mu), finite only while w and w - mu have one sign
            strength = nonnegative(strength * gap / energy)
        absorption, emission = bose_weights(energy / temperature)
        return strength * temperature * absorption, strength * temperature * emission


class ZeroTemperatureReservoir(AbstractReservoir):
    r"""A reservoir of bosons or fermions in its ground state, the limit T -> 0 of `Reservoir`.

    - `chemical_potential` mu: energy; `statistics`: "bose" or "fermi"; `spectral_density`: see
      `qtd.spectral`.

    Bosons are only emitted into it, at the rate J(w); electrons come out below mu and go in above
    it, at the rate Gamma(E), and at E = mu at half of it either way. Its `temperature` is 0, and no
    parameter. Whatever heat it is given, it is given entropy without end: the entropy production is
    infinite, and where it is given none the reservoir has no part in it. Derivatives do not see the
    steps. Raises `ValueError` outside these domains.

    >>> vacuum = qtd.reservoirs.ZeroTemperatureReservoir(
    ...     spectral_density=qtd.spectral.WideBand(0.1)
    ... )
    >>> up, down = vacuum.rates(2.0)
    >>> print(f"{up:.4f} {down:.4f}")
    0.0000 0.1000
    """

    chemical_potential: Float[Array, ""] = parameter("any", "E")
    statistics: str = eqx.field(static=True)
    spectral_density: AbstractSpectralDensity

    def __init__(
        self,
        chemical_potential: ArrayLike = 0.0,
        statistics: Literal["bose", "fermi"] = "bose",
        *,
        spectral_density: AbstractSpectralDensity,
    ):
        # What is asked of these is asked of a reservoir at any temperature.
        known = Reservoir(1.0, chemical_potential, statistics, spectral_density=spectral_density)
        self.chemical_potential, self.statistics = known.chemical_potential, known.statistics
        self.spectral_density = spectral_density

    @property
    def temperature(self) -> Float[Array, ""]:
        """0."""
        return jnp.zeros_like(self.chemical_potential)

    def logit(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        above = energy - self.chemical_potential
        return jnp.where(
            above == 0, 0.0, jnp.where(above > 0, jnp.inf, -jnp.inf).astype(above.dtype)
        )

    def breaks(self) -> list[Float[Array, " n"]]:
        return [jax.lax.stop_gradient(self.chemical_potential)[None]]

    def occupation(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """f(E), a step; no bosons at any energy above mu."""
        return (
            _step(self.chemical_potential - energy)
            if self.statistics == "fermi"
            else jnp.zeros_like(energy)
        )

    def rates(
        self, gap: Float[Array, "*batch"], particles: Float[Array, "*batch"] | None = None
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        energy = gap if particles is None else gap - self.chemical_potential * particles
        if self.statistics == "fermi":
            tunnelling = nonnegative(
                self.spectral_density(gap if particles is None else gap * particles)
            )
            return tunnelling * _step(-energy), tunnelling * _step(energy)
        strength = self.spectral_density.per_energy(gap)
        if particles is not None:  # as of `Reservoir`: J(w) n(w - mu)
            strength = nonnegative(strength * gap / energy)
        # A flat one at a gap of 0 makes rates that no temperature, however low, makes finite.
        endless = jnp.isinf(strength)
        finite = jnp.where(endless, 0, strength)

        def of(share):
            return jnp.where(endless, jnp.inf, finite * jnp.maximum(share, 0))

        return of(-energy), of(energy)


class NonthermalReservoir(AbstractReservoir):
    r"""A large reservoir of non-interacting particles in no equilibrium: its occupation is any
    function of energy.

    - `distribution`: see `qtd.distributions`; the occupation is given through its logit u, so that
      it stays legal and keeps its digits.
    - `statistics`: "fermi" (default) or "bose". `spectral_density`, for devices described by rates;
      1 by default.
    - `chemical_potential`: mu_0 from which its energies are counted where others call it heat; no
      part of its occupation.

    It has no temperature: energy, particles and entropy are what it exchanges. **Source:** Deghi
    and Bustos-Marun.
    """

    distribution: AbstractDistribution
    chemical_potential: Float[Array, ""] = parameter("any", "E")
    statistics: str = eqx.field(static=True)
    spectral_density: AbstractSpectralDensity

    def __init__(
        self,
        distribution: AbstractDistribution,
        statistics: Literal["bose", "fermi"] = "fermi",
        spectral_density: AbstractSpectralDensity | None = None,
        chemical_potential: ArrayLike = 0.0,
    ):
        if not isinstance(distribution, AbstractDistribution):
            raise ValueError(
                f"`distribution` must be one of `qtd.distributions`, got {one_line(distribution)}."
            )
        if statistics not in ("bose", "fermi"):
            raise ValueError(f'`statistics` must be "bose" or "fermi", got {statistics!r}.')
        self.distribution, self.statistics = distribution, statistics
        self.chemical_potential = as_scalar(chemical_potential, "chemical_potential")
        self.spectral_density = spectral_density or WideBand(1.0)

    @property
    def temperature(self) -> None:
        """None: it has none."""
        return None

    def logit(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return self.distribution(energy)

    def shares(
        self, energy: Float[Array, "*batch"]
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        return filled_and_empty(self.distribution, energy, self.statistics)

    def breaks(self) -> list[Float[Array, " n"]]:
        return self.distribution.breaks()

    def occupation(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return self.shares(energy)[0]

    def effective_temperature(
        self, energy: Float[Array, "*batch"], reference: ArrayLike = 0.0
    ) -> Float[Array, "*batch"]:
        """(E - E_ref) / u(E) at `energy` E with E_ref = `reference`, to look at: only its ratio
        with E - E_ref has a meaning; it is infinite at f = 1/2 and may be negative."""
        return (energy - as_scalar(reference, "reference")) / self.logit(energy)

    def rates(
        self, gap: Float[Array, "*batch"], particles: Float[Array, "*batch"] | None = None
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        if self.statistics == "bose":
            size = jnp.abs(gap)
            strength, (mean, more) = nonnegative(self.spectral_density(size)), self.shares(size)
            up, down = strength * mean, strength * more
            return jnp.where(gap >= 0, up, down), jnp.where(gap >= 0, down, up)
        energy = gap if particles is None else gap * particles
        filled, empty = self.shares(energy)
        tunnelling = nonnegative(self.spectral_density(energy))
        enters = jnp.ones_like(energy, bool) if particles is None else particles > 0
        return tunnelling * jnp.where(enters, filled, empty), tunnelling * jnp.where(
            enters, empty, filled
        )


def _step(x):
    """1 above 0, 0 below, and one half there."""
    return jnp.heaviside(jax.lax.stop_gradient(x), jnp.asarray(0.5, jnp.result_type(x)))
