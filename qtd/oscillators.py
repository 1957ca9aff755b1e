"""Coupled harmonic oscillators between bosonic reservoirs: heat currents and noise, exact at any
coupling, by the quantum Langevin equation."""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Int

from ._numerics.coherent_elimination import inverse_of_parts
from ._numerics.eigenvalues import eigenvalues
from ._numerics.hermitian import smallest_pivot
from ._numerics.modules import parameter
from ._numerics.quadrature import graded
from ._numerics.validation import as_real, is_concrete, rule
from .reservoirs import AbstractReservoir
from .scatterers import AbstractScatterer
from .scattering import Conductor, ConductorState
from .spectral import AbstractSpectralDensity
from .status import Status, first
from .systems.base import AbstractSystem, at_rest

__all__ = ["HarmonicDevice", "Oscillators"]

# Doublings of the narrowest line that rounding leaves, up to the energy of the oscillators.
_FAR = 44


class HarmonicDevice(AbstractSystem):
    r"""Any number of coupled harmonic oscillators between bosonic reservoirs, exactly.

    $$ H = \sum_i W_i\, a_i^\dagger a_i + \sum_{i<j} g_{ij}\, x_i x_j
       + \sum_r (c_r \cdot x) \sum_k t_{rk} (b_{rk} + b_{rk}^\dagger) + H_R, \qquad
       x_i = a_i + a_i^\dagger $$

    with the spectral density J_r(w) = 2 pi sum_k t_rk^2 delta(w - w_k) of each reservoir. Heat is
    carried at each energy w with the transmission T_rs of `Oscillators`, and

    $$ J_r = \sum_s \int_0^\infty \frac{d\omega}{2\pi}\, \omega\, T_{rs}(\omega)\,
       [n_r(\omega) - n_s(\omega)] $$

    is the heat that leaves r per time; its noise is that of Levitov and Lesovik for bosons. No
    coupling is weak, no filter broad, no counter-rotating term is left out: this is what every
    master equation of such a device is to be compared with. No counter term is added either: the
    reservoirs shift the levels, by about -h d / (2 e) W for a `Peaked` one, and may make the device
    unstable.

    - `energies`: W_i > 0, one for each oscillator. `couplings`: g, symmetric with a diagonal of 0;
      none by default.
    - `filters`: `{reservoir: c}`, which oscillator each reservoir is coupled to: an index; or one
      amplitude, a pure number, for each oscillator; or (oscillators, channels) for several
      independent couplings of the same density.
    - `reservoirs`: by name, bosons without chemical potential, whose spectral densities know their
      `susceptibility`: `qtd.spectral.Peaked` or `LorentzDrude`.

    `qtd.operate`, `qtd.counting.covariance`, sweeps, designs and audits take it as it is; currents
    and the integrals behind them are those of `conductor()`. `names` are those of the reservoirs in
    order. What a line of width g at the energy w carries is known to some 1e-15 w / g of itself,
    and the status is INACCURATE where that is more than 1e-9. Raises `ValueError` for other
    reservoirs, names or shapes, and where the device is unstable (status UNSTABLE in compiled
    code). **Source:** Saito and Dhar, Phys. Rev. Lett. 99, 180601 (2007); for one oscillator
    between peaked densities the transmission is 4 W^2 J_1 J_2 / |W^2 - w^2 + 2 W (chi_1 +
    chi_2)|^2.

    >>> def bath(temperature):
    ...     density = qtd.spectral.Peaked(center=1.0, width=0.05, height=0.05)
    ...     return qtd.Reservoir(temperature, spectral_density=density)
    >>> device = qtd.oscillators.HarmonicDevice(
    ...     1.0, {"hot": 0, "cold": 0}, {"hot": bath(1.0), "cold": bath(0.5)}
    ... )
    >>> print(f"{qtd.operate(device).heat_currents['hot']:.8f}")
    0.00710025
    """

    energies: Float[Array, " oscillators"] = parameter("positive", "E")
    couplings: Float[Array, "oscillators oscillators"] = parameter("any", "E")
    filters: dict[str, Float[Array, "oscillators channels"]] = parameter("any", "1")
    reservoirs: dict[str, AbstractReservoir]
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        energies: ArrayLike,
        filters: Mapping[str, ArrayLike],
        reservoirs: Mapping[str, AbstractReservoir],
        couplings: ArrayLike | None = None,
    ):
        self.reservoirs, self.names = dict(reservoirs), tuple(reservoirs)
        if set(filters) != set(reservoirs):
            raise ValueError(
                "`filters` must name each of the reservoirs"
                f" {', '.join(map(repr, reservoirs))}, got {', '.join(map(repr, filters))}."
            )
        for name, reservoir in self.reservoirs.items():
            if reservoir.statistics != "bose":
                raise ValueError(
                    f"`reservoirs` must be of bosons: {name!r} has the statistics"
                    f" {reservoir.statistics!r}."
                )
        known = Oscillators(energies, filters, self._densities(), couplings)
        self.energies, self.couplings, self.filters = known.energies, known.couplings, known.filters

    def rules(self) -> None:
        self.oscillators()  # which has rules of its own
        for name, reservoir in self.reservoirs.items():
            told = (
                f"`chemical_potential` of {name!r} must be 0, got {{}}: oscillators make quanta and"
                " lose them."
            )
            rule((reservoir.chemical_potential,), lambda x: x == 0, told.format)

    def oscillators(self) -> "Oscillators":
        """What scatters quanta from one reservoir to another."""
        filters = {name: self.filters[name] for name in self.names}
        return Oscillators(self.energies, filters, self._densities(), self.couplings)

    def conductor(self) -> Conductor:
        """The device as what its reservoirs see: `qtd.scattering.currents` of it has all currents
        and their noise."""
        reservoirs = {name: self.reservoirs[name] for name in self.names}
        return Conductor(reservoirs, scatterer=self.oscillators())

    def _densities(self):
        return {name: self.reservoirs[name].spectral_density for name in self.names}


@at_rest.register
def _(system: HarmonicDevice) -> ConductorState:
    return ConductorState(system.conductor())


class Oscillators(AbstractScatterer):
    r"""How coupled oscillators scatter the quanta of their reservoirs.

    $$ D_{ij}(\omega) = \frac{W_i^2 - \omega^2}{2 W_i}\, \delta_{ij} + g_{ij}
       + \sum_r c_{ri}\, \chi_r(\omega)\, c_{rj}, \qquad
       s_{rs} = \delta_{rs} + i \sqrt{J_r J_s}\; c_r^T D^{-1} c_s, \qquad T_{rs} = |s_{rs}|^2 $$

    x = -D^-1 sum_r c_r F_r is the answer of the coordinates to what the reservoirs do to them by
    themselves. Im chi_r = -J_r / 2 makes s unitary, and D is symmetric, so T_rs = T_sr.

    - `energies`, `couplings`, `filters`: as of `HarmonicDevice`; `densities`: the spectral density
      of each reservoir, by the names of the filters. `channels`: as of all scatterers.

    Raises `ValueError` where shapes or names do not fit, and where it is unstable. Integrals follow
    its poles, however narrow their lines.
    """

    by_construction: ClassVar[bool] = True

    energies: Float[Array, " oscillators"] = parameter("positive", "E")
    couplings: Float[Array, "oscillators oscillators"] = parameter("any", "E")
    filters: dict[str, Float[Array, "oscillators channels"]] = parameter("any", "1")
    densities: dict[str, AbstractSpectralDensity]
    channels: tuple[tuple[str, int], ...] = eqx.field(static=True)

    def __init__(
        self,
        energies: ArrayLike,
        filters: Mapping[str, ArrayLike],
        densities: Mapping[str, AbstractSpectralDensity],
        couplings: ArrayLike | None = None,
    ):
        self.energies = jnp.atleast_1d(as_real(energies, "energies"))
        if self.energies.ndim != 1:
            raise ValueError(
                f"`energies` must be a list of numbers, got shape {self.energies.shape}."
            )
        n, dtype = len(self.energies), self.energies.dtype
        given = jnp.zeros((n, n), dtype) if couplings is None else as_real(couplings, "couplings")
        if given.shape != (n, n):
            raise ValueError(
                f"`couplings` must be a matrix between {n} oscillators, got shape {given.shape}."
            )
        if set(filters) != set(densities) or not filters:
            raise ValueError(
                "`filters` and `densities` must have the same names, got"
                f" {', '.join(map(repr, filters))} and {', '.join(map(repr, densities))}."
            )
        self.couplings, self.densities = given, dict(densities)
        self.filters = {
            name: _amplitudes(value, f"filters of {name!r}", n).astype(dtype)
            for name, value in filters.items()
        }
        self.channels = tuple((name, x.shape[1]) for name, x in self.filters.items())

    def rules(self) -> None:
        def fits(g):
            size = abs(g).max()
            return (abs(g - g.T).max() <= 1e-6 * size) & (abs(g.diagonal()).max() == 0)

        rule(
            (self.couplings,),
            fits,
            lambda g: f"`couplings` must be symmetric, with a diagonal of 0, got {g.tolist()}.",
        )
        _require_stable(self.margin())

    def margin(self) -> Float[Array, ""]:
        """How far it is from where its oscillators run away: the smallest pivot of D(0), an energy;
        positive where it is stable. Of one oscillator between `Peaked` densities W / 2 - sum_r h e
        d / (e^2 + d^2)."""
        return smallest_pivot(self._dynamical(jnp.zeros_like(self.energies[:1]))[0][..., 0])

    def status(self) -> Int[Array, ""]:
        return first((~(self.margin() > 0), Status.UNSTABLE))

    def amplitudes(self, energy):
        strengths = jnp.sqrt(self._strengths(energy))
        real, imaginary = self._green(energy)
        both = strengths[:, None] * strengths[None]
        return self._unit(energy) - both * imaginary, both * real

    def similar(self, energy):
        strengths, (real, imaginary) = self._strengths(energy), self._green(energy)
        unit = self._unit(energy)

        def scaled(strengths):
            return unit - strengths * imaginary, strengths * real

        return scaled(strengths[:, None]), scaled(strengths[None])

    def breaks(self):
        real, imaginary = self.poles()
        # Others mirror these, or are purely imaginary: these need no more than panels as long as
        # their distance from 0, beyond the one that is nearest.
        order = jnp.argsort(-real)[: (len(real) + 1) // 2]
        size = jnp.hypot(real, imaginary)
        widths = jnp.abs(imaginary) + 512 * float(jnp.finfo(size.dtype).eps) * jnp.max(size)
        lines = jax.vmap(lambda center, width: graded(center, width, _FAR))(
            real[order], widths[order]
        )
        return [graded(jnp.zeros_like(size[0]), jnp.min(size), _FAR), lines.reshape(-1)]

    def poles(self) -> tuple[Float[Array, " poles"], Float[Array, " poles"]]:
        """Real and imaginary parts of the poles of D^-1, in no order: +- the energies of the lines,
        and minus half of their widths; constant to every derivative.

        They are those of 2 N + K linear equations of motion, with the N oscillators and all
        variables of the reservoirs' embeddings.
        """
        fixed = jax.tree.map(lambda x: lax.stop_gradient(x) if eqx.is_array(x) else x, self)
        motion = fixed._motion()
        found = eigenvalues(lax.complex(motion, jnp.zeros_like(motion)))
        return -found.imag, found.real

    def _motion(self):
        """The matrix of d/dt of coordinates, momenta and the variables of reservoirs."""
        energies = jnp.diag(self.energies)
        none = jnp.zeros_like(energies)
        inside, into, out_of = [], [], []
        for name, count in self.channels:
            found = self.densities[name].embedding()
            for column in self.filters[name].T:
                into.append(found.into[:, None] * column[None])
                out_of.append(-2 * column[:, None] * found.out_of[None])
            inside += count * [found.dynamics]
        entered, left = jnp.concatenate(into), jnp.concatenate(out_of, 1)
        rows = [
            [none, energies, jnp.zeros_like(left)],
            [-energies - 2 * self.couplings, none, left],
            [entered, jnp.zeros_like(entered), jax.scipy.linalg.block_diag(*inside)],
        ]
        return jnp.concatenate([jnp.concatenate(row, 1) for row in rows])

    def _columns(self):
        return jnp.concatenate([self.filters[name] for name, _ in self.channels], 1)

    def _unit(self, energy):
        size = sum(count for _, count in self.channels)
        return jnp.eye(size, dtype=energy.dtype)[..., None]

    def _strengths(self, energy):
        """J of each channel at each energy."""
        return jnp.stack(
            [self.densities[name](energy) for name, count in self.channels for _ in range(count)]
        )

    def _dynamical(self, energy):
        """Real and imaginary part of D at each energy."""
        bare = (self.energies[:, None] - energy[None]) * (self.energies[:, None] + energy[None])
        unit = jnp.eye(len(self.energies), dtype=energy.dtype)[..., None]
        real = unit * (bare / (2 * self.energies[:, None]))[:, None] + self.couplings[..., None]
        imaginary = jnp.zeros_like(real)
        for name, _ in self.channels:
            overlap = (self.filters[name] @ self.filters[name].T)[..., None]
            shift, damping = self.densities[name].susceptibility(energy)
            real = real + overlap * shift[None, None]
            imaginary = imaginary + overlap * damping[None, None]
        return real, imaginary

    def _green(self, energy):
        """Real and imaginary part of c_r^T D^-1 c_s, between channels, at each energy: symmetric to
        the last digit, or what rounding leaves of narrow lines would break the first law."""
        columns = self._columns()
        found = inverse_of_parts(*self._dynamical(energy))
        between = [jnp.einsum("ia,ijp,jb->abp", columns, x, columns) for x in found]
        return tuple((x + x.swapaxes(0, 1)) / 2 for x in between)


def _amplitudes(value, name, size):
    """Amplitudes (oscillators, channels) of what is an index, one channel or several."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        if not 0 <= value < size:
            raise ValueError(
                f"`{name}` must be the index of one of {size} oscillators, got {value}."
            )
        return jnp.eye(size)[:, [int(value)]]
    known = as_real(value, name)
    if known.ndim not in (1, 2) or len(known) != size:
        raise ValueError(
            f"`{name}` must be an index, or have one row for each of {size} oscillators, got shape"
            f" {known.shape}."
        )
    return known[:, None] if known.ndim == 1 else known


def _require_stable(margin):
    """Raise `ValueError` where it is known that a device is unstable; where it is not, its status
    tells."""
    if is_concrete(margin) and not margin > 0:
        raise ValueError(
            "`couplings`, `filters` and spectral densities must be weaker, or `energies` higher:"
            f" the device is unstable, the smallest pivot of its stiffness is {float(margin):.3g}."
        )
