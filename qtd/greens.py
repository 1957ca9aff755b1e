"""Keldysh Green functions of bosonic modes that shift one another's frequencies, at any coupling to
structured reservoirs."""

import functools
import operator
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ._numerics.batching import add
from ._numerics.compilation import compiled
from ._numerics.modules import Module, parameter
from ._numerics.printing import by_name, one_line, readable
from ._numerics.roots import fixed_point
from ._numerics.validation import as_real, check, is_concrete, rule
from .parameters import checked
from .reservoirs import Reservoir
from .spectral import Resonator
from .status import Status, first, raise_if_known

__all__ = ["KeldyshState", "KerrModes", "solve"]

Retarded = Literal["causal", "local", "paper"]
Occupations = Literal["mean-field", "correlated"]


class KerrModes(Module):
    r"""Bosonic modes with H = sum_j e_j n_j + sum_{j<k} U_jk n_j n_k, each in contact with
    reservoirs of its own.

    - `energies`: (modes,). `shifts`: (modes, modes) symmetric, zero on the diagonal; U_jk is what a
      photon in mode k adds to the energy of mode j.
    - `couplings`: `{reservoir: mode}`, mode by number. Each mode needs a reservoir. `reservoirs`:
      by the same names, bosons without chemical potential, with `Resonator` densities K that have
      one cut-off, the band, in common, and centres > 0.

    Raises `ValueError` where this is not so, or no reservoir of a mode has a strength above 0.

    Two modes that only shift one another's energies hand heat from one reservoir to the other:

    >>> filtered = lambda temperature: qtd.Reservoir(
    ...     temperature, spectral_density=qtd.spectral.Resonator(1.0, 0.5, 0.1)
    ... )
    >>> reservoirs = {"hot": filtered(1.0), "cold": filtered(0.5)}
    >>> modes = qtd.greens.KerrModes(
    ...     [1.0, 1.0], [[0.0, 0.05], [0.05, 0.0]], {"hot": 0, "cold": 1}, reservoirs
    ... )
    >>> found = qtd.greens.solve(modes, points=2048)
    >>> print(
    ...     found.sum_rules.round(4),
    ...     f"{found.heat_currents['hot']:.2e} {found.heat_currents['cold']:.2e}",
    ... )
    [1. 1.] 4.21e-05 -4.21e-05
    """

    energies: Float[Array, " modes"] = parameter("any", "E")
    shifts: Float[Array, "modes modes"] = parameter("any", "E")
    reservoirs: dict[str, Reservoir]
    couplings: tuple[tuple[str, int], ...] = eqx.field(static=True)

    def __init__(
        self,
        energies: ArrayLike,
        shifts: ArrayLike,
        couplings: Mapping[str, int],
        reservoirs: Mapping[str, Reservoir],
    ):
        self.energies, self.shifts = as_real(energies, "energies"), as_real(shifts, "shifts")
        self.reservoirs, self.couplings = dict(reservoirs), tuple(couplings.items())
        size = self.energies.shape[0] if self.energies.ndim == 1 else 0
        if size < 1 or self.shifts.shape != (size, size):
            raise ValueError(
                f"`shifts` must be a modes x modes matrix for {size} energies, got shape"
                f" {self.shifts.shape}."
            )
        if set(couplings) != set(reservoirs):
            raise ValueError(
                f"`couplings` and `reservoirs` must have the same names, got {list(couplings)} and"
                f" {list(reservoirs)}."
            )
        if set(couplings.values()) != set(range(size)):
            raise ValueError(
                f"`couplings` must give every mode 0 ... {size - 1} a reservoir, got"
                f" {dict(couplings)}."
            )

    def rules(self) -> None:
        for name, reservoir in self.reservoirs.items():
            density = reservoir.spectral_density
            if reservoir.statistics != "bose" or not isinstance(density, Resonator):
                raise ValueError(
                    f"`{name}` must be a reservoir of bosons with a `Resonator` density, got"
                    f" {one_line(reservoir)}."
                )
            check(f"{name}.spectral_density.center", density.center, "positive")
        told = "`shifts` must be symmetric and zero on its diagonal, got {}."
        rule(
            (self.shifts,),
            lambda x: (x == x.T).all() & (x.diagonal() == 0).all(),
            lambda x: told.format(x.tolist()),
        )

        def named(*values):
            return dict(zip(self.reservoirs, map(float, values)))

        cutoffs = tuple(self.density(name).cutoff for name in self.reservoirs)
        told = "`cutoff` must be the same in all reservoirs, got"
        rule(
            cutoffs,
            lambda *x: functools.reduce(operator.and_, (y == x[0] for y in x)),
            lambda *x: f"{told} {named(*x)}.",
        )
        for name, reservoir in self.reservoirs.items():
            told = f"`chemical_potential` must be 0 in all reservoirs, got {{}} in {name!r}."
            rule((reservoir.chemical_potential,), lambda x: x == 0, told.format)
        for mode in range(len(self.energies)):
            strengths = tuple(self.density(name).strength for name in self.at(mode))
            told = (
                f"`strength` is 0 in every reservoir of mode {mode}: its steady state is not"
                " unique."
            )
            rule(strengths, lambda *x: sum(x) > 0, lambda *x, told=told: told)

    def at(self, mode: int) -> list[str]:
        """Names of the reservoirs of `mode`, a number."""
        return [name for name, place in self.couplings if place == mode]

    def density(self, name: str) -> Resonator:
        """The spectral density of the reservoir `name`."""
        return self.reservoirs[name].spectral_density  # pyright: ignore[reportReturnType]

    @property
    def cutoff(self) -> Float[Array, ""]:
        """The upper edge of the band: derivatives go to the cut-offs of the reservoirs in equal
        parts, so move them together."""
        cutoffs = [self.density(name).cutoff for name in self.reservoirs]
        return add(cutoffs) / len(cutoffs)


class KeldyshState(eqx.Module):
    """Stationary Green functions, in numbers. Currents are positive when they leave a reservoir.

    - `occupations`: mean photon numbers that shift the energies, by mode: of the mean field, or
      correlated ones if those were asked for.
    - `heat_currents` (energy^2) and `photon_currents` (energy), by reservoir.
    - `sum_rules`: int A/2pi of each mode; 1 for a retarded function that is causal.
    - `stability_margins`: e_j + sum_k U_jk n_k + Lambda_j(0) > 0, or the mode has a pole at
      negative energies.
    - `xc_ratios`: photons that exchange and correlation add to the mean-field ones, relative; the
      results are the lowest order of an expansion in the shifts, which needs this below about 0.1.
    - `grid_errors`: by reservoir, how much the heat currents of the two grids differ: an upper
      bound of the error.
    - `status`: 0, or a `qtd.Status`. Currents are NaN unless it is 0 or STRONG_CORRELATION.
    """

    occupations: Float[Array, " modes"]
    heat_currents: dict[str, Float[Array, ""]]
    photon_currents: dict[str, Float[Array, ""]]
    sum_rules: Float[Array, " modes"]
    stability_margins: Float[Array, " modes"]
    xc_ratios: Float[Array, " modes"]
    grid_errors: dict[str, Float[Array, ""]]
    status: Int[Array, ""]

    def __repr__(self) -> str:
        rows = by_name("J", self.heat_currents, "heat current out of") + by_name(
            "I", self.photon_currents, "photons that leave"
        )
        rows += [
            ("n", self.occupations, "photons in each mode, by the mean field"),
            ("int A/2pi", self.sum_rules, "sum rule, 1 for a causal retarded function"),
            ("margin", self.stability_margins, "above 0 where a mode is stable"),
            (
                "xc ratio",
                self.xc_ratios,
                "photons by exchange and correlation, relative; to be below 0.1",
            ),
        ]
        text = readable(self, "currents positive out of a reservoir", rows)
        known = is_concrete(self.status) and jnp.ndim(self.status) == 0
        return (
            f"{text}\n  {'status':<16} {int(self.status):>18}   {Status(int(self.status)).message}"
            if known
            else text
        )


@checked
def solve(
    modes: KerrModes,
    retarded: Retarded = "causal",
    points: int = 8192,
    occupations: Occupations = "mean-field",
) -> KeldyshState:
    r"""Currents to second order in the shifts U, at any coupling to the reservoirs.

    With G_j = 1/(w - e_j - sum_k U_jk n_k - Sigma_j) and the mean-field functions g^<_j = |G_j|^2
    sum_r K_r n_r (g^> with 1 + n_r),

    $$ n_j = \int_0^{\omega_c} \frac{d\omega}{2\pi} g^<_j, \qquad
       s^>_j(\omega) = \sum_k U_{jk}^2 \int \frac{dx}{2\pi} g^>_j(x) P_k(\omega - x), \qquad
       P_k(\nu) = \int \frac{dx}{2\pi} g^>_k(x + \nu) g^<_k(x) $$

    (s^< with < and > exchanged), so that of a reservoir r of mode j

    $$ J_r = \int \frac{d\omega}{2\pi} \omega\, |G_j|^2
       \big[ \sum_{r'} K_r K_{r'} (n_r - n_{r'}) + s^>_j K_r n_r - s^<_j K_r (1 + n_r) \big]. $$

    Where r is the only reservoir of its mode, this is evaluated as the collisions between modes,
    without any self-energy. Photons of each mode and energy are conserved exactly, whatever the
    retarded function of `modes`:

    - `retarded`: "causal", Sigma = Lambda - iK/2, exact to second order in U; "local", -iK/2, the
      wide-band shortcut, breaks the sum rule; "paper", -iK, as the figures of the paper seem to
      have been made; eight times too small at weak coupling.
    - `points` of the midpoint grid on the band, even; a grid of half as many serves to extrapolate
      to h -> 0. The spacing should be below a fifth of every width of a line or filter.
    - `occupations` that shift the energies: those of the "mean-field", or, for comparison only,
      "correlated" ones, with exchange and correlation, which lack the matching broadening.

    Differentiable in every parameter, the occupations implicitly, to second order. Raises
    `ValueError` where values are known and a mode is unstable, its margin not positive ("causal"
    only), and where the grid does not resolve a line or filter, or a sum rule is off by more than
    1e-6 ("causal" only), as of a mode part of which lies outside the band. A point takes some 8 MB:
    go through many with `jax.lax.map(..., batch_size=16)`.

    **Source:** Bhandari and Jordan, Eqs. (20)-(30), (C1)-(C7), signs and Eq. (29) corrected.
    """
    if retarded not in ("causal", "local", "paper"):
        raise ValueError(f'`retarded` must be "causal", "local" or "paper", got {retarded!r}.')
    if occupations not in ("mean-field", "correlated"):
        raise ValueError(
            f'`occupations` must be "mean-field" or "correlated", got {occupations!r}.'
        )
    if not isinstance(points, int) or points < 16 or points % 2:
        raise ValueError(f"`points` must be an even whole number of at least 16, got {points!r}.")
    state = _solve(modes, retarded, points, occupations)
    raise_if_known(
        state.status,
        Status.INVALID_PARAMETER,
        Status.NOT_CONVERGED,
        Status.UNSTABLE,
        Status.UNRESOLVED,
    )
    return state


class _Figures(NamedTuple):
    """What a grid gives; linear in the integrals, so that two grids can be extrapolated."""

    occupations: Float[Array, " modes"]
    heat: dict[str, Float[Array, ""]]
    photons: dict[str, Float[Array, ""]]
    sum_rules: Float[Array, " modes"]
    correlated: Float[Array, " modes"]  # photons that exchange and correlation add


@compiled
def _solve(modes, retarded, points, occupations):
    (fine, converged, resolved), (coarse, *_) = (
        _on_grid(_Band(modes, retarded, count), occupations) for count in (points, points // 2)
    )
    figures = jax.tree.map(lambda x, y: x + (x - y) / 3, fine, coarse)  # errors of order h^2
    static = _add_up(
        modes,
        {
            name: modes.density(name).level_shift(jnp.zeros_like(modes.cutoff))
            for name in modes.reservoirs
        },
    )
    margins = modes.energies + modes.shifts @ figures.occupations + static
    ratios = figures.correlated / figures.occupations
    is_causal = retarded == "causal"
    fails = is_causal & jnp.any(jnp.abs(figures.sum_rules - 1) > 1e-6)
    coarse_grid = (
        jnp.any(jnp.abs(fine.occupations - coarse.occupations) > 1e-3 * jnp.abs(fine.occupations))
        | ~resolved
    )
    status = first(
        (~jnp.all(jnp.isfinite(figures.occupations)), Status.INVALID_PARAMETER),
        (jnp.any(margins <= 0) & is_causal, Status.UNSTABLE),
        (coarse_grid | fails, Status.UNRESOLVED),
        (~converged, Status.NOT_CONVERGED),
        (jnp.any(jnp.abs(ratios) > 0.1), Status.STRONG_CORRELATION),
    )
    has_none = (status != Status.OK) & (status != Status.STRONG_CORRELATION)

    def known(values):
        return {name: jnp.where(has_none, jnp.nan, value) for name, value in values.items()}

    errors = {name: jnp.abs(fine.heat[name] - coarse.heat[name]) for name in figures.heat}
    return KeldyshState(
        figures.occupations,
        known(figures.heat),
        known(figures.photons),
        figures.sum_rules,
        margins,
        ratios,
        errors,
        status,
    )


class _Band(eqx.Module):
    """What the reservoirs do on a midpoint grid over the band; it cannot be evaluated at 0, where
    every factor of K n is 0 or infinite."""

    modes: KerrModes
    energy: Float[Array, " points"]
    absorption: dict[str, Float[Array, " points"]]  # K n
    emission: dict[str, Float[Array, " points"]]  # K (1 + n)
    strengths: Float[Array, "modes points"]  # sum of K
    lesser: Float[Array, "modes points"]
    greater: Float[Array, "modes points"]
    damping: Float[Array, "modes points"]  # -Im Sigma
    level_shift: Float[Array, "modes points"]  # Re Sigma

    def __init__(self, modes: KerrModes, retarded: str, points: int):
        self.modes = modes
        self.energy = (jnp.arange(points, dtype=modes.energies.dtype) + 0.5) * (
            modes.cutoff / points
        )
        rates = {name: reservoir.rates(self.energy) for name, reservoir in modes.reservoirs.items()}
        self.absorption, self.emission = (
            {name: pair[i] for name, pair in rates.items()} for i in (0, 1)
        )
        self.lesser, self.greater = _add_up(modes, self.absorption), _add_up(modes, self.emission)
        self.strengths = _add_up(
            modes, {name: modes.density(name)(self.energy) for name in modes.reservoirs}
        )
        self.damping = self.strengths * (1.0 if retarded == "paper" else 0.5)
        shifts = _add_up(
            modes, {name: modes.density(name).level_shift(self.energy) for name in modes.reservoirs}
        )
        self.level_shift = shifts if retarded == "causal" else jnp.zeros_like(shifts)

    @property
    def step(self):
        """The spacing of the grid over 2 pi: the weight of each point in an integral."""
        return self.modes.cutoff / (2 * jnp.pi * len(self.energy))

    def propagator(self, occupations: Float[Array, " modes"]) -> Float[Array, "modes points"]:
        """|G|^2 in the mean field of these occupations."""
        detuning = (
            self.energy[None]
            - (self.modes.energies + self.modes.shifts @ occupations)[:, None]
            - self.level_shift
        )
        return 1 / (detuning**2 + self.damping**2)

    def resolves(self, square: Float[Array, "modes points"]) -> Bool[Array, ""]:
        """Whether the sum over the grid of a line, whose |G|^2 is `square`, or of a filter is its
        integral to 1e-6: of a Lorentzian of half width g it is to 2 exp(-2 pi g / step)."""
        lines = (square * self.damping).sum(1) / square.sum(1)
        filters = jnp.stack(
            [self.modes.density(name).bandwidth() for name in self.modes.reservoirs]
        )
        narrowest = jnp.minimum(lines.min(), filters.min())
        return 2 * jnp.exp(-2 * jnp.pi * narrowest * len(self.energy) / self.modes.cutoff) < 1e-6

    def occupied(self, occupations: Float[Array, " modes"]) -> Float[Array, " modes"]:
        """Mean-field occupations in the mean field of these ones."""
        return self.step * (self.propagator(occupations) * self.lesser).sum(1)

    def spectra(self, square: Float[Array, "modes points"]) -> "_Spectra":
        """Transforms of g^> and g^<, padded so that correlations of three of them do not wrap
        around."""

        def transform(x):
            return jnp.fft.rfft(x, n=4 * len(self.energy))

        greater, lesser = transform(square * self.greater), transform(square * self.lesser)
        return _Spectra(greater, lesser, greater * lesser.conj())

    def correlation(
        self, spectra: "_Spectra"
    ) -> tuple[Float[Array, "modes points"], Float[Array, "modes points"]]:
        """Self-energies s^> and s^< of exchange and correlation."""
        squares = self.modes.shifts**2
        bubble = lax.complex(squares @ spectra.bubble.real, squares @ spectra.bubble.imag)

        def back(x):
            return self.step**2 * jnp.fft.irfft(x, n=4 * len(self.energy))[:, : len(self.energy)]

        return back(spectra.greater * bubble), back(spectra.lesser * bubble.conj())

    def collisions(self, spectra: "_Spectra") -> Float[Array, " modes"]:
        """Energy per time that each mode gains from the others, which is what its reservoirs
        lose."""
        points = len(self.energy)
        bubble = self.step * jnp.fft.irfft(spectra.bubble, n=4 * points)
        # P at positive frequencies, which take energy up, and at negative ones.
        up = bubble[:, 1:points]
        down = bubble[:, -1:-points:-1]
        frequency = jnp.arange(1, points, dtype=self.energy.dtype) * (self.modes.cutoff / points)
        exchanged = (down * frequency[None]) @ up.T
        return self.step * (self.modes.shifts**2 * (exchanged - exchanged.T)).sum(1)

    def straight(self, square: Float[Array, " points"], name: str) -> Float[Array, " points"]:
        """Photons per energy and time that go straight from a reservoir through its mode to others;
        0 between equal temperatures."""
        place, reservoirs = dict(self.modes.couplings)[name], self.modes.reservoirs
        flows = [jnp.zeros_like(self.energy)]
        for other in self.modes.at(place):
            if other == name:
                continue
            bias = self.energy * (
                1 / reservoirs[name].temperature - 1 / reservoirs[other].temperature
            )
            out = -self.absorption[name] * self.emission[other] * jnp.expm1(jnp.minimum(bias, 0))
            back = -self.absorption[other] * self.emission[name] * jnp.expm1(jnp.minimum(-bias, 0))
            flows.append(square * (out - back))
        return add(flows)


class _Spectra(NamedTuple):
    greater: Array
    lesser: Array
    bubble: Array  # of P_k


def _on_grid(band, occupations):
    """The figures of one grid, whether the occupations have converged, and whether the grid
    resolves every line and filter."""
    modes = band.modes
    settle = _mean_field if occupations == "mean-field" else _correlated_field
    start = band.occupied(jnp.zeros_like(modes.energies))
    found, converged = fixed_point(settle, start, band)
    square = band.propagator(found)
    spectra = band.spectra(square)
    greater, lesser = band.correlation(spectra)
    gained = band.collisions(spectra)
    heat, photons = {}, {}
    for name, mode in modes.couplings:
        flow = band.straight(square[mode], name)
        if len(modes.at(mode)) == 1:
            heat[name], photons[name] = gained[mode], jnp.zeros_like(gained[mode])
            continue
        flow = flow + square[mode] * (
            greater[mode] * band.absorption[name] - lesser[mode] * band.emission[name]
        )
        heat[name], photons[name] = band.step * (band.energy * flow).sum(), band.step * flow.sum()

    def sums(x):
        return band.step * (square * x).sum(1)

    held = found if occupations == "correlated" else band.occupied(found)
    figures = _Figures(held, heat, photons, sums(band.strengths), sums(lesser))
    return figures, converged, band.resolves(square)


def _mean_field(occupations, band):
    return band.occupied(occupations)


def _correlated_field(occupations, band):
    square = band.propagator(occupations)
    return band.step * (square * (band.lesser + band.correlation(band.spectra(square))[1])).sum(1)


def _add_up(modes: KerrModes, values: Mapping[str, Any]) -> Array:
    """Sums by mode, the sum over its reservoirs."""
    return jnp.stack(
        [add(values[name] for name in modes.at(mode)) for mode in range(len(modes.energies))]
    )
