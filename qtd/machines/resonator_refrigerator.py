"""The refrigerator of two Kerr-coupled resonators of Bhandari and Jordan, between three filtered
reservoirs (their equation numbers)."""

import functools
import operator
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .. import greens
from .._numerics.batching import add
from .._numerics.compilation import compiled, quickly
from .._numerics.modules import parameter
from .._numerics.validation import as_scalar, check, positive, rule
from ..counting import Covariance
from ..findings import Checks, Finding, Severity
from ..greens import KeldyshState, KerrModes
from ..limits import CORRELATED, DIFFERENCE, TRUNCATED
from ..networks import MOST_BAND_ENTRIES, RateNetwork
from ..parameters import checked, replace
from ..reservoirs import Reservoir
from ..spectral import Resonator
from ..status import Status
from ..steady import SteadyState, solve
from ..thermodynamics import OperatingPoint
from ..thermodynamics._operate import existing, point_of
from ._filtered import NAMES, AbstractFilteredRefrigerator, resonances

__all__ = ["Moments", "ResonatorRefrigerator"]


class ResonatorRefrigerator(AbstractFilteredRefrigerator):
    r"""Two resonators with H = e_1 n_1 + e_2 n_2 + D_z n_1 n_2: a photon in one shifts the
    frequency of the other; no work is supplied.

    Resonator 1 touches the reservoirs `hot` (L) and `sink` (R), resonator 2 the reservoir `cold`
    (C). Heat that runs from hot to sink drags heat out of the cold reservoir: resonator 2 absorbs
    at e_2 + D_z n_1 and emits at e_2.

    - `levels`: how many levels (N_1, N_2) of the resonators are kept; two each are the qubits of
      `QubitRefrigerator`.
    - `energy_1`, `energy_2`, `shift` D_z: energies; all level spacings kept must be positive. D_z <
      0 is legal.
    - `hot`, `sink`, `cold`: `qtd.Reservoir`s of bosons. Filters are independent of the levels;
      `tied()` moves them along.

    Two methods answer for the same device:

    - `operate()`: rates between photon numbers (Eqs. 14-19), weak coupling, any shift, currents
      without cancellation. The status is TRUNCATED where the top level kept holds more than 1e-3 of
      a resonator's population.
    - `operate(method="keldysh")`: Green functions (Eqs. 20-30), any coupling, lowest order in the
      shift; see `qtd.greens.solve`.

    They agree where coupling and shift are both small, with `weak_coupling_current`. Filter
    strengths scale the rates; that of the paper's figures is 1. Defaults: the paper's Fig. 7 at dT
    = 0.3. COP is J_cold / J_hot.

    **Source:** B. Bhandari and A. N. Jordan, Secs. II, IV and Apps. B, C, Eqs. (3), (14), (23),
    (24), (29), (30) corrected.

    >>> point = qtd.machines.ResonatorRefrigerator(levels=(3, 3)).operate()
    >>> print(
    ...     f"{point.heat_currents['cold']:.6f} {point.entropy_production:.4f}",
    ...     qtd.Status(int(point.status)).name,
    ... )
    0.003307 0.2879 TRUNCATED
    """

    hot: Reservoir
    sink: Reservoir
    cold: Reservoir
    energy_1: Float[Array, ""] = parameter("positive", "E")
    energy_2: Float[Array, ""] = parameter("positive", "E")
    shift: Float[Array, ""] = parameter("any", "E")
    levels: tuple[int, int] = eqx.field(static=True)

    def __init__(
        self,
        levels: tuple[int, int] = (12, 12),
        energy_1: ArrayLike = 1.0,
        energy_2: ArrayLike = 1.0,
        shift: ArrayLike = 0.05,
        hot: Reservoir | None = None,
        sink: Reservoir | None = None,
        cold: Reservoir | None = None,
    ):
        if (
            np.shape(levels) != (2,)
            or not all(isinstance(n, int | np.integer) and n >= 1 for n in levels)
            or max(levels) < 2
        ):
            raise ValueError(
                f"`levels` must be two whole numbers of at least 1, not both 1, got {levels!r}."
            )
        if int(max(levels)) * int(min(levels)) ** 2 > MOST_BAND_ENTRIES:
            raise ValueError(
                f"`levels` = {levels} are too many: their elimination would need more than"
                f" {MOST_BAND_ENTRIES} rates."
            )
        self.levels = int(levels[0]), int(levels[1])
        self.energy_1 = as_scalar(energy_1, "energy_1")
        self.energy_2 = as_scalar(energy_2, "energy_2")
        self.shift = as_scalar(shift, "shift")
        centers = resonances(self.energy_1, self.energy_2, self.shift)
        self.hot = hot or Reservoir(
            1.3, spectral_density=Resonator(centers["hot"], 0.02, cutoff=10.0)
        )
        self.sink = sink or Reservoir(
            1.0, spectral_density=Resonator(centers["sink"], 0.08, cutoff=10.0)
        )
        self.cold = cold or Reservoir(
            0.7, spectral_density=Resonator(centers["cold"], 0.06, cutoff=10.0)
        )

    def rules(self) -> None:
        for name, reservoir in self.reservoirs.items():
            if reservoir.statistics != "bose":
                raise ValueError(
                    f"`{name}` must be a reservoir of bosons, got statistics"
                    f" {reservoir.statistics!r}."
                )
            if isinstance(reservoir.spectral_density, Resonator):
                check(
                    f"{name}.spectral_density.center", reservoir.spectral_density.center, "positive"
                )
        numbers = self.energy_1, self.energy_2, self.shift

        def all_rise(*x):
            return functools.reduce(operator.and_, (gap > 0 for gap in self._gaps(*x)))

        told = f"with levels {self.levels}; raise it or keep fewer."
        rule(
            numbers,
            all_rise,
            lambda *x: f"`shift` must leave all level spacings positive, got {x[2]} {told}",
        )

    def system(self) -> RateNetwork:
        return self.network()

    def network(self) -> RateNetwork:
        """The rate equation among photon numbers; level n_1 N_2 + n_2 holds n_1 and n_2 photons, or
        n_2 N_1 + n_1 where N_1 < N_2."""
        first, second = self._photons()
        index = np.full(self.levels, 0)
        index[first, second] = np.arange(len(first))

        def numbers(n):
            return jnp.asarray(n, self.energy_1.dtype)

        energies = (
            self.energy_1 * numbers(first)
            + self.energy_2 * numbers(second)
            + self.shift * numbers(first * second)
        )
        smallest = jnp.min(jnp.stack(self._gaps(self.energy_1, self.energy_2, self.shift)))
        energies = energies + 0 * positive(smallest)  # NaN where a spacing is not
        jumps = []
        for name, low, high, photons in (
            ("hot", index[:-1], index[1:], first),
            ("sink", index[:-1], index[1:], first),
            ("cold", index[:, :-1], index[:, 1:], second),
        ):
            if low.size:
                jumps.append((name, low.ravel(), high.ravel(), numbers(photons[high.ravel()])))
        return RateNetwork(energies, jumps, self.reservoirs)

    @checked
    def operate(
        self,
        method: Literal["rates", "keldysh"] = "rates",
        retarded: greens.Retarded = "causal",
        points: int = 8192,
    ) -> OperatingPoint:
        """Stationary currents, entropy production, COP, bounds, mode, by either method; see
        `qtd.OperatingPoint`.

        `retarded` and `points` are those of `keldysh`, of which this is the summary; there is no
        noise in that theory, and `heat_covariance` is NaN.
        """
        if method not in ("rates", "keldysh"):
            raise ValueError(f'`method` must be "rates" or "keldysh", got {method!r}.')
        if method == "rates":
            return existing(_by_rates(self))
        state = self.keldysh(retarded, points)
        zero, heat = jnp.zeros_like(self.shift), state.heat_currents
        unknown = Covariance(
            NAMES,
            tuple((jnp.full_like(zero, jnp.nan),) * (len(NAMES) - i) for i in range(len(NAMES))),
        )
        return OperatingPoint(
            heat_currents=heat,
            energy_currents=heat,
            particle_currents=dict.fromkeys(NAMES, zero),
            device_energy_currents=heat,
            nonthermal_entropy_currents={},
            temperatures={
                name: reservoir.temperature for name, reservoir in self.reservoirs.items()
            },
            chemical_potentials={
                name: reservoir.chemical_potential for name, reservoir in self.reservoirs.items()
            },
            heat_covariance=unknown,
            particle_covariance=None,
            rates_over={},
            status=state.status,
            names=NAMES,
            cooled=self.cooled,
            driven_by=self.driven_by,
            of_jumps=False,
        )

    def modes(self) -> KerrModes:
        """The same device for `qtd.greens`; the resonators have all their levels."""
        zero = jnp.zeros_like(self.shift)
        shifts = jnp.stack([jnp.stack([zero, self.shift]), jnp.stack([self.shift, zero])])
        return KerrModes(
            jnp.stack([self.energy_1, self.energy_2]),
            shifts,
            {"hot": 0, "sink": 0, "cold": 1},
            self.reservoirs,
        )

    @checked
    def keldysh(
        self,
        retarded: greens.Retarded = "causal",
        points: int = 8192,
        occupations: greens.Occupations = "mean-field",
    ) -> KeldyshState:
        """Occupations, currents and validity by Green functions: `retarded`, `points` and
        `occupations` as in `qtd.greens.solve`."""
        return greens.solve(self.modes(), retarded, points, occupations)

    @checked
    def populations(self) -> Float[Array, "N1 N2"]:
        """Populations of the photon numbers, by the rate equation."""
        return _populations(self, solve(self.network()))

    def moments(self) -> "Moments":
        """Mean photon numbers and their product, by the rate equation, and the populations of the
        top levels kept."""
        return _moments(self, self.populations())

    @checked
    def photon_currents(self) -> dict[str, Float[Array, ""]]:
        """Photons that leave each reservoir per time, by the rate equation: those of hot and sink
        add up to 0, that of cold is 0."""
        state = solve(self.network())
        return {name: _photon_current(self, state, name) for name in NAMES}

    def checks(self, point) -> Checks:
        return {
            "truncation": lambda: _truncation(self),
            "other approaches": lambda: _by_green_functions(self, point),
        }

    def weak_coupling_current(self) -> Float[Array, ""]:
        r"""Cooling current to lowest order in coupling and shift, where both methods agree.

        $$ J_c = D_z^2 \frac{g_1 g_2}{g_1 + g_2} \big[ f_1 (1 + f_1) f_2' - f_2 (1 +
           f_2) f_1' \big], \qquad
           f_1 = \frac{K_h n_h + K_s n_s}{K_h + K_s}, \quad f_2 = n_c $$

        with g_1 = K_h + K_s and f_1, and their derivative, at e_1, g_2 = K_c and f_2 at e_2. It
        cools if and only if -f_1 (1 + f_1) / f_1', the temperature that the mixture of hot and sink
        seems to have, is below that of the cold reservoir.
        """

        def strength(energy):
            return add(self.reservoirs[name].spectral_density(energy) for name in ("hot", "sink"))

        def absorbed(energy):
            return add(self.reservoirs[name].rates(energy)[0] for name in ("hot", "sink"))

        first, first_slope = jax.value_and_grad(lambda energy: absorbed(energy) / strength(energy))(
            self.energy_1
        )
        second, second_slope = jax.value_and_grad(self.cold.occupation)(self.energy_2)
        g_1, g_2 = strength(self.energy_1), self.cold.spectral_density(self.energy_2)
        return (
            self.shift**2
            * g_1
            * g_2
            / (g_1 + g_2)
            * (first * (1 + first) * second_slope - second * (1 + second) * first_slope)
        )

    def with_cutoff(self, cutoff: ArrayLike) -> "ResonatorRefrigerator":
        """The same machine with one `cutoff`, the band of the Green functions, for all
        reservoirs."""
        return replace(self, {f"{name}.spectral_density.cutoff": cutoff for name in NAMES})

    def _photons(self):
        """Photon numbers of each level of the network, the resonator with fewer levels innermost:
        the band is as narrow as that one."""
        grids = np.meshgrid(*map(np.arange, self.levels), indexing="ij")
        return tuple(
            grid.ravel(order="F" if self.levels[0] < self.levels[1] else "C") for grid in grids
        )

    def _gaps(self, energy_1, energy_2, shift):
        """The outermost level spacings, between which all others lie."""
        top_1, top_2 = (float(n - 1) for n in self.levels)
        return energy_1, energy_2, energy_1 + shift * top_2, energy_2 + shift * top_1


def _truncation(machine):
    top = float(machine.moments().top.max())
    text = (
        f"The top level kept of a resonator holds {top:.2g} of its population; above 1e-3"
        " resonators need more `levels`."
    )
    if min(machine.levels) == 2:
        text += (
            " With two levels it is a qubit: if that is meant, `QubitRefrigerator` says the"
            " same without cutting anything off."
        )
    return [Finding(TRUNCATED.rate(top), "truncation", text, {"top": top})]


def _by_green_functions(machine, point):
    """What the other method says. It is a reference where exchange and correlation add at most a
    tenth to the photons of a mode, as for a shift small against the line widths; rates hold for a
    weak coupling, and the difference is what the coupling does to them."""
    rates, limit = float(point.heat_currents["cold"]), float(machine.weak_coupling_current())
    machine.modes()  # raises where they do not apply
    # resolves lines a hundredth of a filter wide
    state = quickly(lambda m: m.keldysh(points=2**17))(machine)
    code, added = Status(int(state.status)), float(jnp.max(jnp.abs(state.xc_ratios)))
    cold, margin = float(state.heat_currents["cold"]), float(state.stability_margins.min())
    numbers = {
        "rates": rates,
        "green_functions": cold,
        "lowest_order": limit,
        "xc_ratio": added,
        "margin": margin,
    }
    severity, text = _judged_by_green_functions(code, numbers)
    return [Finding(severity, "other approaches", text, numbers)]


def _judged_by_green_functions(code: Status, numbers: dict[str, float]) -> tuple[Severity, str]:
    """How bad the difference is, and in words; `code` is the status of the Green functions."""
    rates, cold, limit, added, margin = numbers.values()
    if code == Status.UNSTABLE:
        text = (
            f"By Green functions a mode is unstable at this coupling (margin {margin:.3g}) and"
            " has no steady state."
        )
        return Severity.DOUBTFUL, f"{text} Rates, which assume weak coupling, miss that."
    if code not in (Status.OK, Status.STRONG_CORRELATION):
        return Severity.UNCHECKED, f"Not compared with Green functions: {code.message}."
    text = (
        f"The cooling current is {rates:.4g} by `operate`, {cold:.4g} by Green functions at any"
        " coupling,"
        f" and {limit:.4g} in the limit of weak coupling and small shift."
    )
    if not added <= CORRELATED:
        reason = (
            f"Exchange and correlation add {added:.2g} to the photons of a mode, more than"
            f" {CORRELATED:g}"
        )
        return (
            Severity.NOTE,
            f"{text} {reason}: Green functions are no reference here, so this is a note whatever"
            " the difference.",
        )
    off = abs(cold - rates) / max(abs(cold), abs(rates), np.finfo(float).tiny)
    severity = DIFFERENCE.rate(off)
    text += (
        f" Exchange and correlation add only {added:.2g} to the photons of a mode, and the two"
        f" differ by {off:.2g} of a current"
    )
    return (
        severity,
        f"{text}."
        if severity == Severity.FINE
        else f"{text}: so much does this coupling change what rates say.",
    )


class Moments(eqx.Module):
    """Mean photon numbers of the `first` and the `second` resonator and of their `product`; and, by
    resonator, the population of the `top` level kept, 0 where only one is."""

    first: Float[Array, ""]
    second: Float[Array, ""]
    product: Float[Array, ""]
    top: Float[Array, "2"]


@compiled
def _by_rates(machine):
    """The operating point by rates, with J_cold = D_z sum n_1 (photons per time at n_1): those that
    only carry e_2 add up to nothing, and are left out."""
    state = SteadyState(machine.network())
    point, topology = point_of(state, machine.cooled, machine.driven_by), state.network.topology
    first, _ = machine._photons()
    weights = jnp.asarray(first[topology.order], state.populations.dtype)
    cold = machine.shift * add(
        [jnp.sum(weights * state.flows[i]) for i in topology.of("cold")]
        or [jnp.zeros_like(machine.shift)]
    )
    hot = point.heat_currents["hot"]
    heat = {"hot": hot, "sink": -hot - cold, "cold": cold}
    truncated = jnp.any(_moments(machine, _populations(machine, state)).top > 1e-3)
    status = jnp.where(
        (point.status == 0) & truncated,
        jnp.asarray(int(Status.TRUNCATED), point.status.dtype),
        point.status,
    )

    def fields(p):
        return (p.heat_currents, p.energy_currents, p.device_energy_currents, p.status)

    return eqx.tree_at(fields, point, (heat, heat, heat, status))


def _populations(machine, state):
    places = tuple(n[state.network.topology.order] for n in machine._photons())
    return jnp.zeros(machine.levels, state.populations.dtype).at[places].set(state.populations)


@compiled
def _moments(machine, populations):
    first, second = (jnp.arange(n, dtype=populations.dtype) for n in machine.levels)
    tops = [populations[-1].sum(), populations[:, -1].sum()]
    top = jnp.stack([jnp.zeros_like(p) if n == 1 else p for p, n in zip(tops, machine.levels)])
    by_first = populations @ second
    return Moments((first[:, None] * populations).sum(), by_first.sum(), first @ by_first, top)


@compiled
def _photon_current(machine, state, name):
    return add(
        [jnp.sum(state.flows[i]) for i in state.network.topology.of(name)]
        or [jnp.zeros_like(machine.shift)]
    )
