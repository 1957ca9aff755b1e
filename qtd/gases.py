"""Finite reservoirs: ideal Fermi gases whose temperature and chemical potential follow from what
they hold."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ._numerics.fermi import thermal_integrals
from ._numerics.modules import Module, parameter
from ._numerics.printing import readable
from ._numerics.validation import as_real, positive, rule

__all__ = ["FermiGas", "GasProperties"]


class FermiGas(Module):
    r"""An ideal Fermi gas with the density of states g(e) = volume * e^(alpha - 1), e > 0; or
    several, in arrays of one shape.

    - `temperature` T > 0, `chemical_potential` mu: energies (k_B = 1).
    - `volume` > 0: A V with A = S / ((2 pi)^D d c^(D / d)) and S = D pi^(D/2) / Gamma(D/2 + 1) for
      a spectrum c p^d in D dimensions.
    - `alpha` = D / d > 0.
    - `closure`: "exact", Fermi-Dirac integrals at any mu / T; or "sommerfeld", their expansion in T
      / mu cut after T^2, whose heat capacity is off by O((T / mu)^2), 2 % at mu / T = 10, and
      vanishes at mu / T = pi sqrt(alpha (alpha - 1) / 6).

    Both obey dE = T dS + mu dN exactly. Raises `ValueError` outside these domains.
    **Source:** Eqs. (19)-(21) of the paper on transient cooling with finite reservoirs.

    >>> held = qtd.gases.FermiGas(temperature=1.0, chemical_potential=3.0).properties()
    >>> print(f"{held.number:.4f} {held.energy:.4f} {held.heat_capacity:.4f}")
    3.9770 10.3537 4.2194
    """

    temperature: Float[Array, "*gases"] = parameter("positive", "E")
    chemical_potential: Float[Array, "*gases"] = parameter("any", "E")
    volume: Float[Array, "*gases"] = parameter("positive", "")
    alpha: Float[Array, "*gases"] = parameter("positive", "1")
    closure: str = eqx.field(static=True)

    def __init__(
        self,
        temperature: ArrayLike,
        chemical_potential: ArrayLike,
        volume: ArrayLike = 1.0,
        alpha: ArrayLike = 1.5,
        closure: Literal["exact", "sommerfeld"] = "exact",
    ):
        values = [
            as_real(x, name)
            for x, name in (
                (temperature, "temperature"),
                (chemical_potential, "chemical_potential"),
            )
        ]
        values += [as_real(volume, "volume"), as_real(alpha, "alpha")]
        with jax.numpy_rank_promotion("allow"):
            self.temperature, self.chemical_potential, self.volume, self.alpha = (
                jnp.broadcast_arrays(*values)
            )
        if closure not in ("exact", "sommerfeld"):
            raise ValueError(f'`closure` must be "exact" or "sommerfeld", got {closure!r}.')
        self.closure = closure

    def rules(self) -> None:
        if self.closure == "sommerfeld":
            rule(
                (self.degeneracy, self.smallest_degeneracy),
                lambda x, least: x > least,
                lambda x, least: (
                    f"`chemical_potential` / `temperature` must exceed {least} in the Sommerfeld"
                    f' expansion, got {x}; use closure="exact".'
                ),
            )

    @property
    def degeneracy(self) -> Float[Array, "*gases"]:
        """mu / T."""
        return self.chemical_potential / self.temperature

    @property
    def smallest_degeneracy(self) -> Float[Array, "*gases"]:
        """mu / T at which the heat capacity of the Sommerfeld expansion vanishes; 0 for alpha <=
        1."""
        inside = self.alpha * (self.alpha - 1) / 6
        return jnp.where(inside > 0, jnp.pi * jnp.sqrt(jnp.where(inside > 0, inside, 1.0)), 0.0)

    def at(
        self, temperature: Float[Array, "*gases"], chemical_potential: Float[Array, "*gases"]
    ) -> "FermiGas":
        """The same gases, each or all of them at another `temperature` and `chemical_potential`;
        nothing is checked."""
        moved = (
            jnp.broadcast_to(temperature, self.volume.shape),
            jnp.broadcast_to(chemical_potential, self.volume.shape),
        )
        return eqx.tree_at(lambda gas: (gas.temperature, gas.chemical_potential), self, moved)

    def properties(self) -> "GasProperties":
        """What the gases hold, and how it changes."""
        exact = jnp.vectorize(_exact, signature="(),(),(),()->" + ",".join(["()"] * 8))
        return GasProperties(*(exact if self.closure == "exact" else _sommerfeld)(*self._numbers()))

    def _numbers(self):
        return (
            positive(self.temperature),
            self.chemical_potential,
            positive(self.volume),
            positive(self.alpha),
        )


class GasProperties(eqx.Module):
    r"""Particles, energy and entropy; and the moments of the thermal window about mu from which all
    derivatives follow.

    $$ M_m = \int g(e)\, (e - \mu)^m (-f')\, de, \qquad N_\mu = M_0, \quad N_T = M_1 / T, \quad
       C_N = (M_2 - M_1^2 / M_0) / T, \quad h = \mu + M_1 / M_0 $$

    `number` N, `energy` E, `entropy` S; `zeroth`, `first`, `second`: M_0, M_1, M_2; `heat_capacity`
    C_N at fixed N; `energy_per_particle` h = dE / dN at fixed T.
    """

    number: Float[Array, "*gases"]
    energy: Float[Array, "*gases"]
    entropy: Float[Array, "*gases"]
    zeroth: Float[Array, "*gases"]
    first: Float[Array, "*gases"]
    second: Float[Array, "*gases"]
    heat_capacity: Float[Array, "*gases"]
    energy_per_particle: Float[Array, "*gases"]

    def __repr__(self) -> str:
        rows = [
            ("N", self.number, "particles"),
            ("E", self.energy, "energy"),
            ("S", self.entropy, "entropy"),
        ]
        rows += [
            ("C_N", self.heat_capacity, "heat capacity at fixed N"),
            ("h", self.energy_per_particle, "dE / dN at fixed T"),
        ]
        return readable(self, "ideal Fermi gases", rows)


def _exact(temperature, potential, volume, alpha):
    found = thermal_integrals(potential / temperature, alpha)
    size = volume * temperature ** (alpha - 1)
    moments = [size * temperature**m * found["moments"][m] for m in range(3)]
    held = (
        size * temperature * found["number"],
        size * temperature**2 * found["energy"],
        size * temperature * found["entropy"],
    )
    return *held, *moments, *_derived(temperature, potential, moments)


def _sommerfeld(temperature, potential, volume, alpha):
    thermal = jnp.pi**2 / 6 * (temperature / potential) ** 2
    density = volume * potential ** (alpha - 1)
    number = density * potential * (1 / alpha + thermal * (alpha - 1))
    energy = density * potential**2 * (1 / (alpha + 1) + thermal * alpha)
    second = 2 * thermal * density * potential**2
    moments = (
        density * (1 + thermal * (alpha - 1) * (alpha - 2)),
        2 * thermal * (alpha - 1) * density * potential,
        second,
    )
    return (
        number,
        energy,
        second / temperature,
        *moments,
        *_derived(temperature, potential, moments),
    )


def _derived(temperature, potential, moments):
    zeroth, first, second = moments
    return (second - first**2 / zeroth) / temperature, potential + first / zeroth
