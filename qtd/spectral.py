"""How strongly a reservoir couples at each energy: spectral densities, filters and the
reaction-coordinate map.

A density J is given for positive energies. Bosonic reservoirs need it on the whole axis, where it
is odd, J(-w) = -J(w), and enters rates as J(w) n(w) for either sign of w; they use `per_energy`,
J(w) / w, which is even and, with w n(w), has the right limit at w = 0. Fermionic reservoirs use
J(E) itself as the tunnelling rate at the electron's energy E, of either sign.
"""

import abc
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ._numerics.modules import Module, parameter
from ._numerics.roots import bisect
from ._numerics.validation import as_scalar, nonnegative, positive

__all__ = [
    "AbstractSpectralDensity",
    "Embedding",
    "LorentzDrude",
    "Lorentzian",
    "Ohmic",
    "Peaked",
    "ReactionCoordinate",
    "Resonator",
    "WideBand",
    "reaction_coordinate",
]


class Embedding(NamedTuple):
    """A few damped variables s that answer as a bosonic reservoir does: ds/dt = `dynamics` s +
    `into` x(t) for the coordinate x = a + a^dagger that it is coupled to, which feels `out_of` . s;
    chi(w) = out_of . (-i w - dynamics)^-1 into. All in units of energy."""

    dynamics: Float[Array, "k k"]
    into: Float[Array, " k"]
    out_of: Float[Array, " k"]


class AbstractSpectralDensity(Module):
    """Coupling strength of a reservoir as a function of energy."""

    @abc.abstractmethod
    def __call__(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """J at this `energy`, in units of energy (hbar = 1)."""

    @abc.abstractmethod
    def per_energy(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """J(w) / w, w = `energy`, of the odd continuation of J, dimensionless and even in w."""

    def bandwidth(self) -> Float[Array, ""] | None:
        """The rate at which the reservoir behind it forgets, which rates have to stay well below:
        the half width of a filter, the cut-off of a broad density, infinite where J is flat; None
        where it is not known."""
        return None

    @property
    def is_flat(self) -> bool:
        """Whether J is the same at all energies, whatever its numbers: then `bandwidth` is
        infinite."""
        return False

    def susceptibility(
        self, energy: Float[Array, "*batch"]
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        r"""Real and imaginary part of the answer of a bosonic reservoir to what it is coupled to,
        at any real `energy` w, in units of energy.

        $$ \chi(\omega) = \int_0^\infty \frac{dx}{2\pi} J(x) \Big[ \frac{1}{\omega - x + i0}
           - \frac{1}{\omega + x + i0} \Big], \qquad \mathrm{Im}\, \chi = -J(\omega) / 2 $$

        of J continued as an odd function. No counter term is added: the real part shifts levels.
        Raises `ValueError` for densities of which no closed form is known.
        """
        raise ValueError(self._unanswered("susceptibility"))

    def embedding(self) -> Embedding:
        """Damped variables whose answer is the `susceptibility`; their poles are where it has
        lines. Raises `ValueError` for densities that are not that of finitely many."""
        raise ValueError(self._unanswered("embedding"))

    def _unanswered(self, what):
        return (
            f"`spectral_density` must be one whose {what} is known, such as `Peaked` or"
            f" `LorentzDrude`, got {type(self).__name__}."
        )


class Peaked(AbstractSpectralDensity):
    r"""A peak of height h near w = e, as one damped bosonic mode between reservoir and device makes
    it.

    $$ J(\omega) = \frac{4 h\, e\, d^2\, \omega}{[(\omega - e)^2 + d^2]\,[(\omega + e)^2 + d^2]} $$

    e = `center` > 0, d = `width` > 0 (half width at half maximum), h = `height` >= 0, all energies.
    J(e) = 4 h e^2 / (4 e^2 + d^2), which is h only for d << e. **Source:** Kolisnyk and Schaller,
    Eq. (5).

    >>> round(float(qtd.spectral.Peaked(center=1.0, width=0.5, height=1.0)(1.0)), 4)
    0.9412
    """

    center: Float[Array, ""] = parameter("positive", "E")
    width: Float[Array, ""] = parameter("positive", "E")
    height: Float[Array, ""] = parameter("nonnegative", "E")

    def __init__(self, center: ArrayLike, width: ArrayLike, height: ArrayLike = 1.0):
        self.center = as_scalar(center, "center")
        self.width = as_scalar(width, "width")
        self.height = as_scalar(height, "height")

    def __call__(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return energy * self.per_energy(energy)

    def per_energy(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        center, square = positive(self.center), positive(self.width) ** 2
        numerator = 4 * nonnegative(self.height) * center * square
        return numerator / (((energy - center) ** 2 + square) * ((energy + center) ** 2 + square))

    def bandwidth(self) -> Float[Array, ""]:
        return self.width

    def susceptibility(
        self, energy: Float[Array, "*batch"]
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        r"""$\chi(\omega) = -h\, e\, d / (e^2 + d^2 - \omega^2 - 2 i d\, \omega)$ at this
        `energy`."""
        per = self.per_energy(energy)
        center, width = self.center, positive(self.width)
        detuned = (center - energy) * (center + energy) + width**2
        return -per * detuned / (4 * width), -energy * per / 2

    def embedding(self) -> Embedding:
        """The mode itself: energy (e^2 + d^2)^(1/2), amplitude damped at the rate d."""
        center, width = self.center, self.width
        energy = jnp.sqrt(center**2 + width**2)
        coupling = jnp.sqrt(nonnegative(self.height) * center * width / energy)
        none = jnp.zeros_like(energy)
        return Embedding(
            jnp.stack([jnp.stack([none, energy]), jnp.stack([-energy, -2 * width])]),
            jnp.stack([none, coupling]),
            jnp.stack([-coupling, none]),
        )


class Lorentzian(AbstractSpectralDensity):
    r"""A Lorentzian filter, J(w) = h d^2 / ((w - e)^2 + d^2), of height h at its centre.

    e = `center` (any sign for fermions, > 0 for bosons), d = `width` > 0 (half width at half
    maximum), h = `height` >= 0. Unlike `Peaked` it does not vanish at w = 0, where the rate of a
    bosonic jump therefore diverges: use it for gaps well above zero.

    >>> round(float(qtd.spectral.Lorentzian(center=1.0, width=0.5)(1.5)), 4)
    0.5
    """

    center: Float[Array, ""] = parameter("any", "E")
    width: Float[Array, ""] = parameter("positive", "E")
    height: Float[Array, ""] = parameter("nonnegative", "E")

    def __init__(self, center: ArrayLike, width: ArrayLike, height: ArrayLike = 1.0):
        self.center = as_scalar(center, "center")
        self.width = as_scalar(width, "width")
        self.height = as_scalar(height, "height")

    def __call__(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        square = positive(self.width) ** 2
        return nonnegative(self.height) * square / ((energy - self.center) ** 2 + square)

    def per_energy(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return self(jnp.abs(energy)) / jnp.abs(energy)

    def bandwidth(self) -> Float[Array, ""]:
        return self.width


class Resonator(AbstractSpectralDensity):
    r"""A damped resonator between reservoir and device, whose width grows with the energy.

    $$ K(\omega) = \frac{h\, d\, \omega}{(\omega - e)^2 + (d\, \omega)^2} \quad
       (0 < \omega \le \omega_c), \qquad 0 \text{ above} $$

    e = `center`, an energy of any sign (a negative one is never resonant); d = `width` > 0,
    dimensionless; h = `strength` >= 0, an energy; w_c = `cutoff` > 0, an energy. K(e) = h / (d e):
    a narrower filter is a stronger one. The cut-off is a step, with no derivative; rates of gaps ->
    0 tend to h d T / e^2. **Source:** Bhandari and Jordan, Eq. (3), the direction of its cut-off
    corrected.

    >>> round(float(qtd.spectral.Resonator(center=2.0, width=0.1)(2.0)), 4)
    5.0
    """

    center: Float[Array, ""] = parameter("any", "E")
    width: Float[Array, ""] = parameter("positive", "1")
    strength: Float[Array, ""] = parameter("nonnegative", "E")
    cutoff: Float[Array, ""] = parameter("positive", "E")

    def __init__(
        self,
        center: ArrayLike,
        width: ArrayLike,
        strength: ArrayLike = 1.0,
        cutoff: ArrayLike = 20.0,
    ):
        self.center = as_scalar(center, "center")
        self.width = as_scalar(width, "width")
        self.strength = as_scalar(strength, "strength")
        self.cutoff = as_scalar(cutoff, "cutoff")

    def __call__(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return energy * self.per_energy(energy)

    def per_energy(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        size, width = jnp.abs(energy), positive(self.width)
        peak = (
            nonnegative(self.strength) * width / ((size - self.center) ** 2 + (width * size) ** 2)
        )
        return jnp.where(size <= positive(self.cutoff), peak, 0 * size)

    def bandwidth(self) -> Float[Array, ""]:
        # Distance of its poles from the real axis.
        return self.width * jnp.abs(self.center) / (1 + self.width**2)

    def level_shift(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        r"""The real part of the retarded self-energy, whose imaginary part is -K/2, at any real
        `energy`.

        $$ \Lambda(\omega) = P\int_0^{\omega_c} \frac{dx}{2\pi} \frac{K(x)}{\omega - x}
           = \frac{h}{2\pi}\, \mathrm{Im} \frac{\ln(\omega_c - z) - \ln(-z) +
           \ln|\omega/(\omega_c - \omega)|}{(1 - i d)(\omega - z)}, \quad
           z = \frac{e}{1 - i d} $$

        For e > 0. It diverges, as a logarithm, at the step of the cut-off.
        """
        center = positive(self.center)
        width = positive(self.width)
        cutoff = positive(self.cutoff)
        real, imaginary = center / (1 + width**2), width * center / (1 + width**2)  # of z
        below = jnp.abs(energy) / jnp.abs(cutoff - energy)
        is_zero = energy == 0
        # Comes with a factor that vanishes there.
        logarithm = jnp.where(is_zero, 0, jnp.log(jnp.where(is_zero, 1, below)))
        logarithm = logarithm + 0.5 * jnp.log(
            ((cutoff - real) ** 2 + imaginary**2) * (1 + width**2) / center**2
        )
        angle = jnp.arctan2(cutoff - real, imaginary) + jnp.arctan(1 / width)
        square = (energy - center) ** 2 + (width * energy) ** 2
        return (
            nonnegative(self.strength)
            / (2 * jnp.pi)
            * (logarithm * width * energy + angle * (energy - center))
            / square
        )


class Ohmic(AbstractSpectralDensity):
    """Ohmic density with an exponential cut-off, J(w) = k w exp(-|w| / w_c).

    k = `coupling` >= 0, dimensionless; w_c = `cutoff` > 0, an energy. **Source:** Kolisnyk and
    Schaller, App. C (k = 1).

    >>> round(float(qtd.spectral.Ohmic(coupling=0.1, cutoff=10.0)(2.0)), 4)
    0.1637
    """

    coupling: Float[Array, ""] = parameter("nonnegative", "1")
    cutoff: Float[Array, ""] = parameter("positive", "E")

    def __init__(self, coupling: ArrayLike, cutoff: ArrayLike):
        self.coupling = as_scalar(coupling, "coupling")
        self.cutoff = as_scalar(cutoff, "cutoff")

    def __call__(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return energy * self.per_energy(energy)

    def per_energy(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return nonnegative(self.coupling) * jnp.exp(-jnp.abs(energy) / positive(self.cutoff))

    def bandwidth(self) -> Float[Array, ""]:
        return self.cutoff


class LorentzDrude(AbstractSpectralDensity):
    """Ohmic density with an algebraic cut-off, J(w) = k w w_c^2 / (w^2 + w_c^2).

    k = `coupling` >= 0, dimensionless; w_c = `cutoff` > 0, an energy.
    """

    coupling: Float[Array, ""] = parameter("nonnegative", "1")
    cutoff: Float[Array, ""] = parameter("positive", "E")

    def __init__(self, coupling: ArrayLike, cutoff: ArrayLike):
        self.coupling = as_scalar(coupling, "coupling")
        self.cutoff = as_scalar(cutoff, "cutoff")

    def __call__(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return energy * self.per_energy(energy)

    def per_energy(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return nonnegative(self.coupling) / (1 + (energy / positive(self.cutoff)) ** 2)

    def bandwidth(self) -> Float[Array, ""]:
        return self.cutoff

    def susceptibility(
        self, energy: Float[Array, "*batch"]
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        r"""$\chi(\omega) = -k\, \omega_c^2 / [2\, (\omega_c - i \omega)]$ at this `energy`."""
        per = self.per_energy(energy)
        return -self.cutoff * per / 2, -energy * per / 2

    def embedding(self) -> Embedding:
        """One variable that decays at the rate w_c."""
        coupling = self.cutoff * jnp.sqrt(nonnegative(self.coupling) / 2)
        return Embedding(-self.cutoff[None, None], coupling[None], -coupling[None])


class WideBand(AbstractSpectralDensity):
    """The same coupling at all energies, J = h: `height` >= 0, an energy (the tunnelling rate of a
    wide-band lead)."""

    height: Float[Array, ""] = parameter("nonnegative", "E")

    def __init__(self, height: ArrayLike):
        self.height = as_scalar(height, "height")

    def __call__(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return nonnegative(self.height) * jnp.ones_like(energy)

    def per_energy(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return nonnegative(self.height) / jnp.abs(energy)

    def bandwidth(self) -> Float[Array, ""]:
        return jnp.full_like(self.height, jnp.inf)

    @property
    def is_flat(self) -> bool:
        return True


class ReactionCoordinate(Module):
    """One bosonic mode of the reservoir, coupled to the device, and what remains of the reservoir
    behind it.

    `energy` of the mode; `coupling` lambda between device and mode, an energy, in A lambda (b +
    b^dagger); `residual`, the spectral density seen by the mode.
    """

    energy: Float[Array, ""] = parameter("positive", "E")
    coupling: Float[Array, ""] = parameter("nonnegative", "E")
    residual: LorentzDrude

    def __init__(self, energy: ArrayLike, coupling: ArrayLike, residual: LorentzDrude):
        self.energy = as_scalar(energy, "energy")
        self.coupling = as_scalar(coupling, "coupling")
        self.residual = residual

    def peaked(self) -> tuple[Peaked, Float[Array, ""]]:
        r"""The peaked density and the cut-off D that this coordinate stands for: the inverse of
        `reaction_coordinate`.

        The width d is the smallest root of d [\Omega^2 + (w_c - 2 d)^2] = k w_c^2 \Omega / 2, with
        k, w_c of the residual density; the other roots are overdamped coordinates, not peaks. NaN
        where there is none.
        """
        energy = self.energy
        coupling = self.residual.coupling
        cutoff = self.residual.cutoff
        target = coupling * cutoff**2 * energy / 2

        def balance(d, args):
            return d * (args[0] ** 2 + (args[1] - 2 * d) ** 2) - args[2]

        # The left side rises from zero up to its first maximum, which is real only for a far
        # cut-off.
        spread = cutoff**2 - 3 * energy**2
        top = jnp.where(
            spread > 0, (2 * cutoff - jnp.sqrt(jnp.where(spread > 0, spread, 1.0))) / 6, cutoff / 2
        )
        width = bisect(balance, jnp.zeros_like(top), top, (energy, cutoff, target))
        drude = cutoff - 2 * width
        center = jnp.sqrt(positive(energy**2 - width**2 - 2 * drude * width))
        height = (
            2
            * energy
            * self.coupling**2
            * (center**2 + (drude + width) ** 2)
            / (width * center * drude**2)
        )
        return Peaked(center, width, height), drude


def reaction_coordinate(density: Peaked, cutoff: ArrayLike) -> ReactionCoordinate:
    r"""The mode that stands for a peaked `density` with a Drude cut-off D, J(w) D^2 / (D^2 + w^2).

    $$ \tilde\Omega^2 = e^2 + d^2 + 2 D d, \quad \tilde\lambda^2 = \frac{h\, d\, e\,
       D^2}{2 \tilde\Omega\, [e^2 + (D + d)^2]}, \quad
       \tilde J(\omega) = \frac{2 d}{\tilde\Omega} \frac{[e^2 + (D + d)^2]\, \omega}{\omega^2 +
       (D + 2 d)^2} $$

    `cutoff` = D > 0, an energy. A Lorentz-Drude residual density: the sharp filter is now explicit
    and the rest is smooth, so weak coupling is asked of the rest alone. **Source:** Kolisnyk and
    Schaller, App. B, Eqs. (B1), (B2).
    """
    e = density.center
    d = density.width
    h = density.height
    cut = as_scalar(cutoff, "cutoff")
    energy = jnp.sqrt(e**2 + d**2 + 2 * cut * d)
    spread = e**2 + (cut + d) ** 2
    coupling = cut * jnp.sqrt(h * d * e / (2 * energy * spread))
    return ReactionCoordinate(
        energy, coupling, LorentzDrude(2 * d / energy * spread / (cut + 2 * d) ** 2, cut + 2 * d)
    )
