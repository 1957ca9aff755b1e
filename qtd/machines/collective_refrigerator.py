"""The collective-spin absorption refrigerator of Kolisnyk and Schaller (their equation numbers
throughout)."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .._numerics.modules import parameter
from .._numerics.printing import one_line
from .._numerics.special import bosons, net_flow
from .._numerics.validation import as_scalar, check, positive
from ..evolution import thermalisation_time
from ..findings import Checks, Finding, Severity
from ..lindblad import Lindbladian
from ..networks import MOST_BAND_ENTRIES, RateNetwork
from ..parameters import checked, replace
from ..reservoirs import Reservoir
from ..spectral import AbstractSpectralDensity, Ohmic, Peaked
from ..thermodynamics import OperatingPoint
from ._machine import VALID, AbstractOpenSystem, DesignProblem, at_work

__all__ = ["CollectiveRefrigerator", "ReducedRefrigerator"]

# levels, up to which an audit solves the Redfield equation: the time grows with their sixth power,
# of 16 it is seconds
_FEW = 16


class CollectiveRefrigerator(AbstractOpenSystem):
    r"""N spins 1/2 with a collective antiferromagnetic interaction, H = \Omega J_z^2, cooled
    through a third reservoir.

    Cold and work reservoirs couple through J_x, the hot one through J_x^2 / N. Within a sector of
    total spin j and parity the levels are E_m = \Omega m^2, m >= 0, and the populations obey a rate
    equation among them (Eqs. 3-9). With filters on the gaps between the three lowest levels heat
    from the work reservoir draws heat from the cold one into the hot one, at a rate that grows as
    N^2.

    - `num_spins` N >= 2, `parity` ("even" or "odd") and total `spin` j (default N/2, the sector of
      the paper) are static.
    - `interaction` Omega > 0; `cold`, `hot`, `work` are `qtd.Reservoir`s of bosons.

    Defaults: Fig. 2 of the paper with N = 31: T = (0.5, 1, 1000) for (cold, hot, work), peaked
    filters of height 1 and widths (0.1, 0.1, 0.001) on the gaps of the three lowest levels: 2, 6, 4
    Omega for odd N; 1, 4, 3 Omega for even N and parity.

    **Valid for** rates well below the filter widths and level spacings (Born, Markov and secular
    approximations); the paper's own point is outside unless the heights are scaled down, and
    currents scale with the heights, so read them per height. **Source:** D. Kolisnyk and G.
    Schaller, Eqs. (3)-(9). Raises `ValueError` for sectors of fewer than two levels.

    >>> fridge = qtd.machines.CollectiveRefrigerator(num_spins=31)
    >>> point = fridge.operate()
    >>> print(f"{point.heat_currents['cold']:.4f} {point.cop:.4f} {point.mode}")
    0.0970 0.3673 refrigerator
    """

    cold: Reservoir
    hot: Reservoir
    work: Reservoir
    interaction: Float[Array, ""] = parameter("positive", "E")
    num_spins: int = eqx.field(static=True)
    parity: Literal["even", "odd"] = eqx.field(static=True)
    spin: float | None = eqx.field(static=True)

    cooled: ClassVar[str | None] = "cold"
    driven_by: ClassVar[str | None] = "work"

    def __init__(
        self,
        num_spins: int = 31,
        cold: Reservoir | None = None,
        hot: Reservoir | None = None,
        work: Reservoir | None = None,
        interaction: ArrayLike = 1.0,
        parity: Literal["even", "odd"] = "even",
        spin: float | None = None,
    ):
        self.num_spins, self.parity, self.spin = _checked_sector(num_spins, parity, spin)
        self.interaction = as_scalar(interaction, "interaction")
        check("interaction", self.interaction, "positive")  # before it scales the default filters
        # The energies of the cycle, also where only two of them exist.
        lowest = (self.levels[0] + np.arange(3)) ** 2
        low, high, both = (
            self.interaction * float(lowest[a] - lowest[b]) for a, b in ((1, 0), (2, 1), (2, 0))
        )
        self.cold = _default(cold, "cold", 0.5, low, 0.1)
        self.hot = _default(hot, "hot", 1.0, both, 0.1)
        self.work = _default(work, "work", 1000.0, high, 1e-3)

    @property
    def levels(self) -> np.ndarray:
        """Quantum numbers m of the levels of this sector, from the lowest up; their energies are
        Omega m^2."""
        total, is_odd = _total_spin(self.num_spins, self.spin), self.num_spins % 2
        return np.arange(0.5 if is_odd else float(self.parity == "odd"), total + 0.25)

    def system(self) -> RateNetwork:
        return self.network()

    @checked
    def operate(self) -> OperatingPoint:
        """Stationary currents, noise, entropy production, COP, bounds, mode; see
        `qtd.OperatingPoint`."""
        return at_work(self)

    def network(self) -> RateNetwork:
        """Its levels and jumps."""
        m, states = self.levels, np.arange(len(self.levels))
        single, double = self.matrix_elements()
        pairs = (states[:-2], states[2:])
        if (
            self.num_spins % 2 and len(m) > 1
        ):  # J_x^2 also folds 3/2 -> -1/2, which is the level 1/2
            pairs = (np.append(pairs[0], 0), np.append(pairs[1], 1))
        return RateNetwork(
            energies=positive(self.interaction) * jnp.asarray(m**2, self.interaction.dtype),
            jumps=[
                ("cold", states[:-1], states[1:], single),
                ("hot", pairs[0], pairs[1], double),
                ("work", states[:-1], states[1:], single),
            ],
            reservoirs={"cold": self.cold, "hot": self.hot, "work": self.work},
        )

    def lindbladian(self, approach: Literal["global", "redfield"] = "redfield") -> Lindbladian:
        """The master equation of this sector with its coherences, in another `approach` of
        `qtd.Lindbladian`; "global" is `network` again.

        There is no "local" one of its own: the spins are one system. It joins all coherences, L (L
        - 1) real numbers for L levels: for up to 20 levels or so.
        """
        flip = self._collective_spin()
        return Lindbladian(
            bare={"interaction": (self.interaction, np.diag(self.levels**2))},
            couplings={"cold": flip, "hot": flip @ flip / self.num_spins, "work": flip},
            reservoirs={"cold": self.cold, "hot": self.hot, "work": self.work},
            approach=approach,
        )

    def _collective_spin(self):
        """J_x among the levels: even or odd superpositions of m and -m. For odd N, 1/2 and -1/2
        join into one level and make it an entry of its own."""
        single, _ = self.matrix_elements()
        flip = np.diag(np.sqrt(single), 1) + np.diag(np.sqrt(single), -1)
        if self.num_spins % 2:
            flip[0, 0] = (
                (_total_spin(self.num_spins, self.spin) + 0.5)
                / 2
                * (1 if self.parity == "even" else -1)
            )
        return flip

    def resonant_jumps(self) -> dict[str, list[tuple[int, int]]]:
        """The cycle through the three lowest levels; all other jumps are driven by tails."""
        return {"cold": [(0, 1)], "hot": [(0, 2)], "work": [(1, 2)]}

    @property
    def _has_few_levels(self):
        return len(self.levels) <= _FEW

    def alternatives(self):
        return {"redfield": self.lindbladian()} if self._has_few_levels else {}

    def checks(self, point) -> Checks:
        complete = (
            f"No level is left out: the {len(self.levels)} levels of this sector are all there are."
        )
        checks: Checks = {"truncation": lambda: [Finding(Severity.FINE, "truncation", complete)]}
        if self._has_few_levels:
            return checks
        omitted = (
            f"Not compared with the Redfield equation, which takes long for {len(self.levels)}"
            " levels:"
            f" compare a machine of up to {2 * _FEW - 1} spins, or solve `lindbladian()`."
        )
        return {
            **checks,
            "other approaches": lambda: [Finding(Severity.UNCHECKED, "other approaches", omitted)],
        }

    def matrix_elements(self) -> tuple[np.ndarray, np.ndarray]:
        """Squared elements of J_x between neighbouring levels, and of J_x^2 / N between
        next-nearest ones (Eqs. 8, 9).

        For odd N the element of J_x^2 / N between the two lowest levels follows as the last entry
        of the second array.
        """
        total, m = _total_spin(self.num_spins, self.spin), self.levels
        raising = total * (total + 1) - m * (m + 1)  # alpha^+ squared
        twice = np.where(m == 0, 2.0, 1.0)  # from |j, 0> both +m and -m are reached
        single = twice[:-1] * raising[:-1] / 4
        double = twice[:-2] * raising[:-2] * raising[1:-1] / 16
        if self.num_spins % 2:
            lowering = total * (total + 1) - m[:1] * (m[:1] - 1)
            double = np.append(double, lowering * raising[0] / 16)
        return single, double / self.num_spins**2

    def mixture(self, weights: Mapping[float, ArrayLike]) -> OperatingPoint:
        """The operating point averaged over sectors of total spin j, `{j: weight}`, of this
        machine's N and parity (Eq. A1).

        The sectors are conserved, so each run of the machine stays in one: currents and noise are
        the mean over runs, to which the spread of the currents between sectors adds a variance that
        grows as time squared. The `weights` >= 0 are normalised.
        """
        if not weights:
            raise ValueError(
                "`weights` must name at least one sector, as in {15.5: 0.9, 14.5: 0.1}."
            )
        shares = jnp.stack([as_scalar(weight, "weights") for weight in weights.values()])
        check("weights", shares, "nonnegative")
        shares = shares / shares.sum()
        fields = (
            "heat_currents",
            "energy_currents",
            "particle_currents",
            "device_energy_currents",
            "heat_covariance",
            "rates_over",
        )

        def parts(point):
            return tuple(getattr(point, field) for field in fields)

        points = [parts(self._in_sector(spin).operate()) for spin in weights]
        mean = jax.tree.map(
            lambda *values: jnp.tensordot(shares, jnp.stack(values), axes=1), *points
        )
        return eqx.tree_at(parts, self.operate(), mean)

    def reduced(self, laser: ArrayLike | None = None) -> "ReducedRefrigerator":
        """The three lowest levels alone, each transition driven by its own reservoir: the limit of
        sharp filters (App. G).

        Needs peaked densities, whose heights become rates. With `laser` = Gamma_L a resonant laser
        drives the work transition at that rate both ways, in place of the work reservoir (Eq. G6).
        """
        if len(self.levels) < 3:
            raise ValueError(
                "`num_spins` must leave three levels for the reduced model, got"
                f" {len(self.levels)}."
            )
        single, double = self.matrix_elements()
        energies = self.levels[:3] ** 2
        heights = [_peak_height(reservoir) for reservoir in (self.cold, self.hot, self.work)]
        strengths = [
            jnp.asarray(x, self.interaction.dtype) * h
            for x, h in zip((single[0], double[0], single[1]), heights)
        ]
        return ReducedRefrigerator(
            quanta=(
                self.interaction * float(energies[1] - energies[0]),
                self.interaction * float(energies[2] - energies[1]),
            ),
            temperatures=(self.cold.temperature, self.hot.temperature, self.work.temperature),
            strengths=(
                strengths[0],
                strengths[1],
                strengths[2] if laser is None else as_scalar(laser, "laser"),
            ),
            has_laser=laser is not None,
        )

    def design_problem(self) -> DesignProblem:
        """Filters too wide to cool: find centres, widths and heights for the largest cooling
        current at a required COP, where the rate equation holds (`VALID`).

        The centres may move by a quarter of the gap they serve, widths by three decades and heights
        by eight, up to Omega: an optimum lies inside. The required COP is that of the paper's own
        filters, rounded up to three digits (0.368 for N = 31).
        """
        paper, scale = self._in_sector(self.spin, defaults=True), float(self.interaction)
        over, widths = {}, {}
        for name in ("cold", "hot", "work"):
            density = f"{name}.spectral_density"
            center = float(getattr(paper, name).spectral_density.center)
            over[f"{density}.center"] = (0.75 * center, 1.25 * center)
            over[f"{density}.width"] = (1e-3 * scale, scale)
            over[f"{density}.height"] = (1e-8 * scale, scale)
            widths[f"{density}.width"] = 0.5 * scale
        required = np.ceil(1000 * float(paper.operate().cop)) / 1000
        limits = {"COP": (required, None), **VALID}
        return DesignProblem(replace(self, widths), "J_cold", over, limits, starts=16, steps=200)

    def relaxation_network(
        self, temperature: ArrayLike, spectral_density: AbstractSpectralDensity
    ) -> RateNetwork:
        """The same levels in contact with one reservoir of this `temperature` and
        `spectral_density`, through J_x (App. C)."""
        single, _ = self.matrix_elements()
        states = np.arange(len(self.levels))
        return RateNetwork(
            energies=self.interaction * jnp.asarray(self.levels**2, self.interaction.dtype),
            jumps=[("reservoir", states[:-1], states[1:], single)],
            reservoirs={"reservoir": Reservoir(temperature, spectral_density=spectral_density)},
        )

    def thermalisation_time(
        self,
        initial_temperature: ArrayLike = 1.0,
        final_temperature: ArrayLike = 0.25,
        spectral_density: AbstractSpectralDensity | None = None,
        threshold: ArrayLike = 1e-6,
    ) -> Float[Array, ""]:
        """Time after which the Gibbs state of `initial_temperature` has relaxed to that of
        `final_temperature` (App. C; defaults: Fig. 7).

        Relaxed means that the relative entropy to the final Gibbs state has fallen to `threshold`.
        Superradiant: scales as 1/N^2. `spectral_density`: Ohmic with cut-off 100 by default.
        """
        density = Ohmic(1.0, 100.0) if spectral_density is None else spectral_density
        network = self.relaxation_network(final_temperature, density)
        initial_temperature = as_scalar(initial_temperature, "initial_temperature")
        check("initial_temperature", initial_temperature, "positive")
        initial = jax.nn.softmax(-network.energies / positive(initial_temperature))
        return thermalisation_time(network, initial, threshold)

    def decay_time(
        self, initial_level: float = 3.5, spectral_density: AbstractSpectralDensity | None = None
    ) -> Float[Array, ""]:
        """Mean time to fall from the level m = `initial_level` to the lowest at zero temperature,
        one step at a time (Eq. C3).

        `spectral_density` as in `thermalisation_time`. Raises `ValueError` for what is no level.
        """
        density = Ohmic(1.0, 100.0) if spectral_density is None else spectral_density
        top = np.flatnonzero(self.levels == initial_level)
        if len(top) == 0:
            raise ValueError(
                f"`initial_level` must be one of {self.levels.tolist()}, got {initial_level}."
            )
        single = jnp.asarray(self.matrix_elements()[0][: top[0]], self.interaction.dtype)
        gaps = self.interaction * jnp.asarray(
            np.diff(self.levels[: top[0] + 1] ** 2), self.interaction.dtype
        )
        return jnp.sum(1 / (density(gaps) * single))

    def transmitted_current(self) -> Float[Array, ""]:
        """Heat current out of the cold reservoir with the hot one away, from the two lowest levels
        alone (Eq. D2).

        Negative where the work reservoir is warmer; grows as N^2 (supertransmittance). Valid for
        temperatures below the first gap.
        """
        gap = self.interaction * float(self.levels[1] ** 2 - self.levels[0] ** 2)
        strength = jnp.asarray(self.matrix_elements()[0][0], self.interaction.dtype)
        (up_c, down_c), (up_w, down_w) = (r.rates(gap) for r in (self.cold, self.work))
        affinity = (
            gap
            * (self.cold.temperature - self.work.temperature)
            / (self.work.temperature * self.cold.temperature)
        )
        return (
            gap
            * strength
            * net_flow(up_c * down_w, down_c * up_w, affinity)
            / (up_c + down_c + up_w + down_w)
        )

    def rectification(self) -> Float[Array, ""]:
        """Heat current out of the cold reservoir over that into it once cold and work have swapped
        temperatures; -1 without rectification (App. D)."""
        swapped = eqx.tree_at(
            lambda m: (m.cold.temperature, m.work.temperature),
            self,
            (self.work.temperature, self.cold.temperature),
        )
        return self.operate().heat_currents["cold"] / swapped.operate().heat_currents["cold"]

    def _in_sector(self, spin, defaults=False):
        cold, hot, work = (None, None, None) if defaults else (self.cold, self.hot, self.work)
        return CollectiveRefrigerator(
            self.num_spins, cold, hot, work, self.interaction, self.parity, spin
        )


class ReducedRefrigerator(eqx.Module):
    r"""Three levels in a ring, each edge driven by one reservoir: closed forms without cancellation
    (App. G).

    `quanta` are the cold and the work gap, the hot one is their sum; `temperatures` and `strengths`
    (rate prefactors, e.g. Gamma_c = h_c |A_c|^2) are in the order cold, hot, work. `has_laser`: a
    laser drives the work transition, at its strength both ways. **Source:** Kolisnyk and Schaller,
    App. G.

    >>> ring = qtd.machines.CollectiveRefrigerator(num_spins=31).reduced()
    >>> print(f"{ring.current():.4f} {ring.current_hot_drive():.4f}")
    0.1199 0.1205
    """

    quanta: tuple[Float[Array, ""], Float[Array, ""]]
    temperatures: tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]
    strengths: tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]
    has_laser: bool = eqx.field(static=True)

    def current(self) -> Float[Array, ""]:
        """Cooling current, at any work temperature: q_c (k+ - k-) / a_1."""
        forward, backward, first, _ = self._cycle()
        return self.quanta[0] * net_flow(forward, backward, self._affinity()) / first

    def noise(self) -> Float[Array, ""]:
        """Zero-frequency noise of the cooling current: q_c^2 [(k+ + k-)/a_1 - 2 a_2 (k+ - k-)^2 /
        a_1^3]."""
        forward, backward, first, second = self._cycle()
        net = net_flow(forward, backward, self._affinity())
        return self.quanta[0] ** 2 * ((forward + backward) / first - 2 * second * net**2 / first**3)

    def current_hot_drive(self) -> Float[Array, ""]:
        """Cooling current for an infinitely hot work reservoir (Eq. G4)."""
        (cold, hot), (n_c, n_h) = self.strengths[:2], self._occupations()
        return (
            self.quanta[0] * cold * hot * (n_c - n_h) / (cold * (1 + 3 * n_c) + hot * (1 + 3 * n_h))
        )

    def noise_hot_drive(self) -> Float[Array, ""]:
        """Noise of the cooling current for an infinitely hot work reservoir (Eq. G5)."""
        (cold, hot), (n_c, n_h) = self.strengths[:2], self._occupations()
        exit_c, exit_h = cold * (1 + 3 * n_c), hot * (1 + 3 * n_h)
        a = (exit_c**2 + exit_h**2) * (n_c + n_h + 2 * n_c * n_h)
        b = (
            n_c * (1 + n_c)
            + n_h * (1 + n_h)
            + 12 * n_c * n_h
            + 15 * n_c * n_h * (n_c + n_h)
            + 18 * (n_c * n_h) ** 2
        )
        return self.quanta[0] ** 2 * cold * hot * (a + 2 * cold * hot * b) / (exit_c + exit_h) ** 3

    def _affinity(self):
        """ln(k+ / k-): the entropy made by one cycle."""
        (cold_gap, work_gap), (cold, hot, work) = self.quanta, self.temperatures
        # Differences of temperatures, not of their inverses, which would round.
        driven = work_gap / hot if self.has_laser else work_gap * (work - hot) / (hot * work)
        return driven - cold_gap * (hot - cold) / (hot * cold)

    def _cycle(self):
        """k+, k-, and the coefficients a_1, a_2 of the characteristic polynomial."""
        gaps = self.quanta[0], self.quanta[0] + self.quanta[1], self.quanta[1]
        n = [bosons(gap / temperature) for gap, temperature in zip(gaps, self.temperatures)]
        (up_c, down_c), (up_h, down_h), (up_w, down_w) = (
            (g * x, g * (1 + x)) for g, x in zip(self.strengths, n)
        )
        if self.has_laser:
            up_w = down_w = self.strengths[2]
        # Spanning trees: pairs of edges that lead to one level, none of them a round trip.
        to_lowest = down_c * down_h + down_c * down_w + down_h * up_w
        to_middle = up_c * down_w + up_c * down_h + up_h * down_w
        to_highest = up_h * up_w + up_h * down_c + up_c * up_w
        second = up_c + down_c + up_h + down_h + up_w + down_w
        return (
            up_c * up_w * down_h,
            down_c * down_w * up_h,
            to_lowest + to_middle + to_highest,
            second,
        )

    def _occupations(self):
        gaps = self.quanta[0], self.quanta[0] + self.quanta[1]
        return tuple(bosons(gap / temperature) for gap, temperature in zip(gaps, self.temperatures))


def _peak_height(reservoir):
    if not isinstance(reservoir.spectral_density, Peaked):
        raise ValueError(
            "the reduced model needs `Peaked` spectral densities, got"
            f" {type(reservoir.spectral_density).__name__}."
        )
    return reservoir.spectral_density.height


def _total_spin(num_spins, spin):
    return num_spins / 2 if spin is None else float(spin)


def _checked_sector(num_spins, parity, spin):
    if not isinstance(num_spins, int | np.integer) or isinstance(num_spins, bool) or num_spins < 1:
        raise ValueError(f"`num_spins` must be a positive integer, got {num_spins!r}.")
    if parity not in ("even", "odd"):
        raise ValueError(f'`parity` must be "even" or "odd", got {parity!r}.')
    if num_spins > MOST_BAND_ENTRIES:
        raise ValueError(
            f"`num_spins` must be at most {MOST_BAND_ENTRIES}: more levels do not fit into memory,"
            f" got {num_spins}."
        )
    total = _total_spin(num_spins, spin)
    if not 0 <= total <= num_spins / 2 or (2 * total - num_spins) % 2:
        raise ValueError(
            f"`spin` must be one of {num_spins / 2:g}, {num_spins / 2 - 1:g}, ... >= 0 for"
            f" {num_spins} spins, got {spin!r}."
        )
    count = np.floor(total) + (num_spins % 2 == 1 or parity == "even")
    if count < 2:
        raise ValueError(
            f"`num_spins` = {num_spins}, `spin` = {total:g} and `parity` = {parity!r} leave a"
            " single level, so nothing can jump; take"
            " more spins or another sector."
        )
    return int(num_spins), parity, None if spin is None else total


def _default(reservoir, name, temperature, center, width):
    if reservoir is None:
        return Reservoir(temperature, spectral_density=Peaked(center, width))
    if not isinstance(reservoir, Reservoir) or reservoir.statistics != "bose":
        raise ValueError(f"`{name}` must be a bosonic `qtd.Reservoir`, got {one_line(reservoir)}.")
    return reservoir
