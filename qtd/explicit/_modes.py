"""The damped mode that stands for a filter, and what remains of the reservoir behind it."""

import functools
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics.validation import nonnegative, positive
from ..reservoirs import AbstractReservoir
from ..spectral import AbstractSpectralDensity, Lorentzian, Peaked, Resonator, WideBand


class FilterMode(NamedTuple):
    """A bosonic mode of some `energy`, which the device couples to by A sqrt(`coupling`) (b +
    b^+), `coupling` in energy^2, and which the `residual` density damps."""

    energy: Float[Array, ""]
    coupling: Float[Array, ""]
    residual: AbstractSpectralDensity


class Slope(AbstractSpectralDensity):
    """J(w) = k w at all energies, k = `slope`: what damps a mode whose width grows with the
    energy."""

    slope: Float[Array, ""]

    def __call__(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return self.slope * energy

    def per_energy(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return self.slope * jnp.ones_like(energy)


@functools.singledispatch
def rotating_mode(density: AbstractSpectralDensity) -> FilterMode:
    """The mode of a peaked `density` that meets the device by what conserves quanta, b^+ where the
    device goes down. Densities register theirs."""
    raise ValueError(_unknown(density, "one that is peaked, `Peaked`, `Lorentzian` or `Resonator`"))


@functools.singledispatch
def whole_mode(density: AbstractSpectralDensity) -> FilterMode:
    """The mode of a peaked `density` whose whole coupling b + b^+ is kept, and whose residual
    density is Ohmic. Densities register theirs."""
    raise ValueError(_unknown(density, "`Peaked`, for the whole coupling"))


@functools.singledispatch
def local_mode(density: AbstractSpectralDensity) -> FilterMode:
    """The mode of a peaked `density` as it is damped at one energy, its own."""
    mode = rotating_mode(density)
    return mode._replace(residual=WideBand(mode.residual(mode.energy)))


@rotating_mode.register
def _(density: Peaked) -> FilterMode:
    width = positive(density.width)
    coupling = nonnegative(density.height) * width / 2
    return FilterMode(positive(density.center), coupling, WideBand(2 * width))


@rotating_mode.register
def _(density: Lorentzian) -> FilterMode:
    width = positive(density.width)
    coupling = nonnegative(density.height) * width / 2
    return FilterMode(positive(density.center), coupling, WideBand(2 * width))


@rotating_mode.register
def _(density: Resonator) -> FilterMode:
    coupling = nonnegative(density.strength) / 2
    return FilterMode(positive(density.center), coupling, Slope(2 * positive(density.width)))


@whole_mode.register
def _(density: Peaked) -> FilterMode:
    center, width = positive(density.center), positive(density.width)
    energy = jnp.hypot(center, width)
    coupling = nonnegative(density.height) * width * center / (2 * energy)
    return FilterMode(energy, coupling, Slope(2 * width / energy))


def behind(reservoir: AbstractReservoir, mode: FilterMode) -> AbstractReservoir:
    """What is left of a `reservoir` behind a `mode` of it."""
    return eqx.tree_at(lambda r: r.spectral_density, reservoir, mode.residual)


def _unknown(density, wanted):
    return (
        f"`explicit` names a reservoir whose spectral density is {type(density).__name__}, which is"
        f" no mode with a rest; take {wanted}."
    )
