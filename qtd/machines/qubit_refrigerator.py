"""The two-qubit refrigerator of Bhandari and Jordan: two coupled qubits between three filtered
reservoirs (their equation numbers)."""

import functools
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from .._numerics.compilation import compiled
from .._numerics.modules import parameter
from .._numerics.structure import Structure
from .._numerics.validation import as_scalar, check, is_concrete, nonnegative, rule
from ..findings import Checks, Finding, Severity
from ..lindblad import Lindbladian
from ..networks import RateNetwork
from ..parameters import checked, replace
from ..reservoirs import Reservoir
from ..spectral import Resonator
from ..status import Status
from ..steady import SteadyState, solve, steady_state
from ..thermodynamics import OperatingPoint
from ..thermodynamics._operate import existing, point_of
from ._filtered import NAMES, AbstractFilteredRefrigerator, resonances, resonator
from ._machine import at_work

__all__ = ["QubitRefrigerator", "RateRatios", "Ring"]

Model = Literal["zz", "global", "local", "redfield", "redfield-partial"]
_MODELS = ("zz", "global", "local", "redfield", "redfield-partial")


class QubitRefrigerator(AbstractFilteredRefrigerator):
    r"""Two qubits with H = e_1 n_1 + e_2 n_2 + D_z n_1 n_2 + D_x (s_1^+ s_2^- + h.c.); no work is
    supplied.

    Qubit 1 touches the reservoirs `hot` (L) and `sink` (R), qubit 2 the reservoir `cold` (C). Heat
    that runs from hot to sink through qubit 1 drags heat out of the cold reservoir through qubit 2,
    D_z for each turn of 0 -> 1 -> d -> 2 -> 0.

    - `energy_1`, `energy_2`, `shift` D_z, `exchange` D_x: real energies. `coupling` kappa > 0
      multiplies all rates.
    - `hot`, `sink`, `cold`: `qtd.Reservoir`s of bosons. Filters are independent of the levels;
      `tied()` moves them along.
    - `model`: what is solved.
        - "zz": D_x = 0; a ring of four states, currents in closed form without cancellation (Eqs.
          7, A22-A25).
        - "global": rates between the eigenstates of H (A1-A12). Valid where rates are small against
          the splitting of the qubits.
        - "local": rates between the states of D_x = 0 beside a coherent exchange (A13-A21). Valid
          where D_x and the detuning are small against the rates. Its `heat_currents` are quanta of
          D_x = 0 (second law), its `device_energy_currents` obey the first.
        - "redfield", "redfield-partial": resolves the splitting (all coherences, or that of the two
          qubits alone); positivity is not promised.

    Defaults: the paper's Fig. 3 at D_z = 0.1, dT = 0.2. States are ordered 0, 1, 2, d; in "global"
    0, +, -, d, where + is mostly qubit 1 if e_1 > e_2. COP is J_cold / J_hot.

    **Source:** the two-qubit refrigerator of B. Bhandari and A. N. Jordan, Secs. II, III and App.
    A.

    >>> point = qtd.machines.QubitRefrigerator().operate()
    >>> print(f"{point.heat_currents['cold']:.4e} {point.cop:.4f} {point.carnot_cop:.4f}")
    4.7605e-04 0.0012 0.6667
    """

    hot: Reservoir
    sink: Reservoir
    cold: Reservoir
    energy_1: Float[Array, ""] = parameter("any", "E")
    energy_2: Float[Array, ""] = parameter("any", "E")
    shift: Float[Array, ""] = parameter("any", "E")
    exchange: Float[Array, ""] = parameter("any", "E")
    coupling: Float[Array, ""] = parameter("positive", "1")
    model: str = eqx.field(static=True)

    def __init__(
        self,
        model: Model = "zz",
        energy_1: ArrayLike = 2.0,
        energy_2: ArrayLike = 2.0,
        shift: ArrayLike = 0.1,
        exchange: ArrayLike = 0.0,
        coupling: ArrayLike = 1.0,
        hot: Reservoir | None = None,
        sink: Reservoir | None = None,
        cold: Reservoir | None = None,
    ):
        if model not in _MODELS:
            raise ValueError(f"`model` must be one of {', '.join(_MODELS)}, got {model!r}.")
        self.model = model
        self.energy_1 = as_scalar(energy_1, "energy_1")
        self.energy_2 = as_scalar(energy_2, "energy_2")
        self.shift, self.exchange = as_scalar(shift, "shift"), as_scalar(exchange, "exchange")
        self.coupling = as_scalar(coupling, "coupling")
        centers = resonances(self.energy_1, self.energy_2, self.shift)
        self.hot = hot or Reservoir(1.2, spectral_density=Resonator(centers["hot"], 0.02))
        self.sink = sink or Reservoir(1.0, spectral_density=Resonator(centers["sink"], 0.08))
        self.cold = cold or Reservoir(0.8, spectral_density=Resonator(centers["cold"], 0.06))

    def rules(self) -> None:
        for name, reservoir in self.reservoirs.items():
            if reservoir.statistics != "bose":
                raise ValueError(
                    f"`{name}` must be a reservoir of bosons, got statistics"
                    f" {reservoir.statistics!r}."
                )
        if self.model == "zz":
            told = (
                '`exchange` must be 0 in the model "zz", got {}; choose "global", "local" or'
                ' "redfield".'
            )
            rule((self.exchange,), lambda x: x == 0, told.format)

    def system(self) -> RateNetwork | Lindbladian:
        return self.network() if self.model in ("zz", "global") else self.lindbladian()

    def network(self) -> RateNetwork:
        """The rate equation of the models "zz" and "global"; of the others, what is left of them
        without coherences."""
        if self.model not in ("zz", "global"):
            return self.lindbladian().network()
        top = self.energy_1 + self.energy_2 + self.shift
        if self.model == "zz":
            levels = (self.energy_1, self.energy_2)
            weights = {"hot": (1.0, None, None, 1.0), "cold": (None, 1.0, 1.0, None)}
        else:
            upper, lower, c, s, _ = self._eigenstates()
            levels, weights = (upper, lower), {"hot": (c, s, s, c), "cold": (s, c, c, s)}
        weights["sink"], edges = weights["hot"], ((0, 1), (0, 2), (1, 3), (2, 3))
        jumps = [
            (name, *edge, self.coupling * weight)
            for name in NAMES
            for edge, weight in zip(edges, weights[name])
            if weight is not None
        ]
        return RateNetwork(jnp.stack([jnp.zeros_like(top), *levels, top]), jumps, self.reservoirs)

    def lindbladian(self) -> Lindbladian:
        """The master equation of the models "local" and "redfield"."""
        if self.model in ("zz", "global"):
            raise ValueError(
                f'`model` {self.model!r} is a rate equation: use `network()`, or the model "local"'
                ' or "redfield".'
            )
        bare = {"energy_1": self.energy_1, "energy_2": self.energy_2, "shift": self.shift}
        strengths = dict.fromkeys(NAMES, self.coupling)
        return Lindbladian.of(
            _structure(self.model), bare, {"exchange": self.exchange}, strengths, self.reservoirs
        )

    def alternatives(self):
        """The models that treat the exchange otherwise; without one all are the same."""
        if self.model == "zz" or (
            is_concrete(self.exchange) and not np.any(np.asarray(self.exchange))
        ):
            return {}
        others = [model for model in ("local", "global", "redfield") if model != self.model]
        return {model: replace(self, {"model": model}) for model in others}

    def checks(self, point) -> Checks:
        is_rate_equation = self.model in ("zz", "global")
        return (
            {"other approaches": _nothing_to_choose}
            if is_rate_equation and not self.alternatives()
            else {}
        )

    @checked
    def operate(self) -> OperatingPoint:
        """Stationary currents, noise, entropy production, COP, bounds, mode; see
        `qtd.OperatingPoint`.

        In the model "zz" the currents come from `ring`: accurate relative to themselves however
        close to equilibrium.
        """
        return at_work(self) if self.model != "zz" else existing(_by_ring(self))

    def ring(self) -> "Ring":
        """The closed form of the model "zz": circulation, affinity, populations and currents
        without cancellation (Eqs. 7-10)."""
        return _ring(self, solve(self.network()))

    def density_matrix(self) -> Array:
        """The steady state in the basis 0, 1, 2, d (real diagonal for "zz"); its element [1, 2] is
        the coherence of the qubits."""
        populations = steady_state(self.system())
        if populations.ndim == 2:
            return populations
        if self.model == "zz":
            return jnp.diag(populations)
        c, s, cs = self._eigenstates()[2:]
        rotation = jnp.stack([jnp.stack([c, s]), jnp.stack([s, c])])
        inner, coherence = rotation @ populations[1:3], cs * (populations[1] - populations[2])
        rho = jnp.diag(jnp.stack([populations[0], inner[0], inner[1], populations[3]]))
        return rho.at[1, 2].set(coherence).at[2, 1].set(coherence)

    def linear_response(self, bias: ArrayLike) -> Float[Array, ""]:
        """Cooling current of the model "zz" to first order in dT = `bias`, for T +- dT at hot and
        cold, T of the sink, and any D_z."""
        bias, temperature = as_scalar(bias, "bias"), self.sink.temperature
        low = self.energy_1
        high = self.energy_1 + self.shift
        lifted = self.energy_2 + self.shift

        def slope(reservoir, gap):
            return self.coupling * reservoir.spectral_density.per_energy(gap) * temperature

        def both(gap):
            return slope(self.hot, gap) + slope(self.sink, gap)

        def weight(gap):
            return slope(self.hot, gap) / both(gap)

        drive = bias / temperature**2 * (low * weight(low) - high * weight(high) - self.shift)

        def absorbed(strength, gap):
            return jnp.log(strength) + _log_absorption(gap / temperature)

        # Logarithms of the equilibrium flow of each edge of the ring: of many kT they underflow
        # long before the current does.
        energies = jnp.stack([jnp.zeros_like(low), low, self.energy_2, low + lifted]) / temperature
        flows = jnp.stack(
            [
                absorbed(both(low), low),
                absorbed(slope(self.cold, lifted), lifted) - energies[1],
                absorbed(both(high), high) - energies[2],
                absorbed(slope(self.cold, self.energy_2), self.energy_2),
            ]
        )
        turning = -jax.nn.logsumexp(-flows) - jax.nn.logsumexp(-energies)
        return self.shift * drive * jnp.exp(turning)

    def small_shift(self, bias: ArrayLike) -> Float[Array, ""]:
        """Eq. (11): the cooling current for small dT = `bias` and D_z where all three reservoirs
        have the filter of `sink`, e_1 = e_2.

        It is negative: without asymmetric filters nothing cools. K(e + D_z) is not expanded.
        """
        bias = as_scalar(bias, "bias")
        temperature = self.sink.temperature
        energy = self.energy_1
        density, x = self.sink.spectral_density, energy / temperature
        low, high = self.coupling * density(energy), self.coupling * density(energy + self.shift)
        below = (1 + jnp.exp(-x)) ** 2 * (high * jnp.exp(-x) + low) * -jnp.expm1(-x)
        return -jnp.exp(-2 * x) * low * high * bias / below * (self.shift / temperature) ** 2

    def rate_ratios(self) -> "RateRatios":
        """How far the rates are from being slow; every ratio should be well below 1."""
        rates, widths = [], []
        for name, reservoir in self.reservoirs.items():
            others = (
                (self.energy_1, self.energy_1 + self.shift)
                if name != "cold"
                else (self.energy_2, self.energy_2 + self.shift)
            )
            for gap in others:
                fastest = self.coupling * jnp.maximum(*reservoir.rates(gap))
                rates.append(fastest)
                widths.append(fastest / (resonator(reservoir).width * jnp.abs(gap)))
        largest = functools.reduce(jnp.maximum, rates)
        gaps = self.energy_1, self.energy_2, self.energy_1 + self.shift, self.energy_2 + self.shift
        smallest = functools.reduce(jnp.minimum, map(jnp.abs, gaps))
        return RateRatios(
            functools.reduce(jnp.maximum, widths), largest / smallest, largest / self._splitting()
        )

    def crossover(self, couplings: ArrayLike) -> dict[str, Float[Array, " points"]]:
        """Cooling current over kappa of the models "local", "global" and "redfield-partial", for
        each kappa in `couplings`.

        Where they differ, believe none on its own: local holds for rates above the splitting,
        global below, Redfield in between.
        """
        couplings = jnp.asarray(couplings, self.coupling.dtype)
        check("couplings", couplings, "positive")
        models = ("local", "global", "redfield-partial")
        return {
            model: _cooling_per_coupling(replace(self, {"model": model}), couplings)
            for model in models
        }

    def _splitting(self):
        """sqrt((e_1 - e_2)^2 + 4 D_x^2), with a derivative also at 0."""
        square = (self.energy_1 - self.energy_2) ** 2 + 4 * self.exchange**2
        return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)

    def _eigenstates(self):
        """E_+, E_-, cos^2, sin^2 and cos * sin of half the mixing angle; the basis itself where
        nothing splits the qubits."""
        detuning, splitting = self.energy_1 - self.energy_2, self._splitting()
        mean, is_split = (self.energy_1 + self.energy_2) / 2, splitting > 0
        safe = jnp.where(is_split, splitting, 1.0)
        size = jnp.abs(detuning)
        # no difference of nearly equal numbers
        smaller = 2 * self.exchange**2 / (safe * (safe + size))
        follows = detuning >= 0
        c, s = jnp.where(follows, 1 - smaller, smaller), jnp.where(follows, smaller, 1 - smaller)
        c, s = jnp.where(is_split, c, 1.0), jnp.where(is_split, s, 0.0)
        return (
            mean + splitting / 2,
            mean - splitting / 2,
            c,
            s,
            jnp.where(is_split, self.exchange / safe, 0.0),
        )


def _nothing_to_choose():
    text = (
        "Without an exchange of quanta local, global and Redfield equations are this same rate"
        " equation."
    )
    return [Finding(Severity.INAPPLICABLE, "other approaches", text)]


class Ring(eqx.Module):
    """The four-state ring of the model "zz" at rest.

    `circulation`: turns 0 -> 1 -> d -> 2 -> 0 per time; `affinity`: entropy made by one turn, whose
    sign is that of the circulation; `populations` of 0, 1, 2, d; `heat_currents` positive out of a
    reservoir; `cools` > 0 exactly where heat leaves the cold reservoir: the cooling condition, Eq.
    (8) corrected.
    """

    circulation: Float[Array, ""]
    affinity: Float[Array, ""]
    populations: Float[Array, "4"]
    heat_currents: dict[str, Float[Array, ""]]
    cools: Float[Array, ""]


class RateRatios(eqx.Module):
    """Largest golden-rule rate over the half width of its filter (`rate_over_width`), over the
    smallest gap (`rate_over_gap`), and over the splitting of the qubits (`rate_over_splitting`).

    The first two bound every model; the third the "global" one (small) against the "local" one
    (large).
    """

    rate_over_width: Float[Array, ""]
    rate_over_gap: Float[Array, ""]
    rate_over_splitting: Float[Array, ""]


@compiled
def _by_ring(machine):
    state = SteadyState(machine.network())
    point = point_of(state, machine.cooled, machine.driven_by)
    exact = _ring(machine, state).heat_currents
    # Whether the laws hold is asked of the currents that are given.
    status = jnp.where(point.status == Status.INACCURATE, int(Status.OK), point.status)
    exact = {name: jnp.where(status == 0, value, jnp.nan) for name, value in exact.items()}

    def fields(p):
        return (p.heat_currents, p.energy_currents, p.device_energy_currents, p.status)

    return eqx.tree_at(fields, point, (exact, exact, exact, status)).certified()


@compiled
def _ring(machine, state):
    """Circulation, affinity and heat around 0 -> 1 -> d -> 2 -> 0, without cancellation."""

    def rates(reservoir, gap):
        return tuple(nonnegative(machine.coupling) * rate for rate in reservoir.rates(gap))

    low = machine.energy_1
    high = machine.energy_1 + machine.shift
    at_low = _Edge.of(low, machine.hot, machine.sink, rates)
    at_high = _Edge.of(high, machine.hot, machine.sink, rates)
    up_2, down_2 = rates(machine.cold, machine.energy_2)
    up_2_lifted, down_2_lifted = rates(machine.cold, machine.energy_2 + machine.shift)
    affinity = _affinity(machine, at_low, at_high)
    in_order = state.network.topology.order
    populations = jnp.zeros_like(state.populations).at[in_order].set(state.populations)
    # The larger one of the flows there and back, and the difference of both.
    falls = affinity > 0
    there = (at_low.up, up_2_lifted, at_high.down, down_2), (at_low.down, down_2_lifted, at_high.up)
    back = (up_2, at_high.up, down_2_lifted, at_low.down), (down_2, at_high.down, up_2_lifted)
    larger = jax.tree.map(lambda x, y: jnp.where(falls, x, y), there, back)
    # Not the absolute value, which has no slope in equilibrium.
    lost = -jnp.expm1(-jnp.where(falls, affinity, -affinity))
    circulation = populations[0] * _passing(*larger) * jnp.where(falls, lost, -lost)
    heat_low = low * (populations[0] * at_low.straight + at_low.share * circulation)
    heat_high = high * (populations[2] * at_high.straight - at_high.share * circulation)
    heat_hot = heat_low + heat_high
    heat_cold = machine.shift * circulation
    heat = {"hot": heat_hot, "sink": -heat_hot - heat_cold, "cold": heat_cold}
    return Ring(circulation, affinity, populations, heat, machine.shift * affinity)


def _affinity(machine, at_low, at_high):
    """The logarithm of the rates around the ring over those back, from differences of temperatures,
    which are not rounded as inverse temperatures are."""
    cold = machine.cold.temperature

    def colder(temperature):
        return (cold - temperature) / (temperature * cold)

    low = machine.energy_1
    high = machine.energy_1 + machine.shift
    apart = high * colder(at_high.temperature) - low * colder(at_low.temperature)
    together = machine.shift * colder(at_low.temperature)
    straight = jnp.where(at_low.hotter == at_high.hotter, together, apart)
    return straight + at_low.logarithm - at_high.logarithm


class _Edge(NamedTuple):
    """An edge of qubit 1, driven by hot and sink: rates `up` and `down`; `hotter`, whether the hot
    reservoir has the larger up/down of the two, and the `temperature` of the one that has; the
    `logarithm` of up/down less that of this reservoir; the hot reservoir's `share` of the rate
    down; and what goes `straight` from hot to sink, per population of the lower level."""

    up: Float[Array, ""]
    down: Float[Array, ""]
    hotter: Bool[Array, ""]
    temperature: Float[Array, ""]
    logarithm: Float[Array, ""]
    share: Float[Array, ""]
    straight: Float[Array, ""]

    @classmethod
    def of(cls, gap, hot, sink, rates):
        (up_hot, down_hot), (up_sink, down_sink) = rates(hot, gap), rates(sink, gap)
        up, down = up_hot + up_sink, down_hot + down_sink
        share, rest = _share(down_hot, down), _share(down_sink, down)
        # Differences of temperatures, not of their inverses, which would round: close to
        # equilibrium everything hangs on them.
        bias = gap * (hot.temperature - sink.temperature) / (hot.temperature * sink.temperature)
        hotter, size = bias >= 0, jnp.abs(bias)
        other = jnp.where(hotter, rest, share)
        lost = -other * jnp.expm1(-size)
        near = lost < 0.5
        far = jnp.where(near, 1.0, jnp.where(hotter, share, rest) + other * jnp.exp(-size))
        logarithm = jnp.where(near, jnp.log1p(-jnp.where(near, lost, 0.0)), jnp.log(far))
        straight = -jnp.expm1(-size) * jnp.where(hotter, rest * up_hot, -share * up_sink)
        return cls(
            up,
            down,
            hotter,
            jnp.where(hotter, hot.temperature, sink.temperature),
            logarithm,
            share,
            straight,
        )


def _log_absorption(x):
    """ln [x / (e^x - 1)]."""
    size = jnp.where(x == 0, 1.0, jnp.abs(x))
    return -jnp.maximum(x, 0.0) + jnp.where(x == 0, 0.0, jnp.log(size / -jnp.expm1(-size)))


def _passing(steps, back):
    """The share, of what leaves a level by the first of these steps, per time, how much passes the
    last one: 1 / (1/f1 + b1/(f1 f2) + ...). By logarithms, because squares of small rates underflow
    in derivatives."""
    resistance, terms = jnp.zeros_like(steps[0]), []
    for step, returns in zip(steps, (None, *back)):
        resistance = resistance - _log(step) + (0.0 if returns is None else _log(returns))
        terms.append(resistance)
    return jnp.exp(-jax.nn.logsumexp(jnp.stack(terms)))


def _log(rate):
    """Its logarithm, a very negative number for 0."""
    return jnp.where(rate > 0, jnp.log(jnp.where(rate > 0, rate, 1.0)), -1e6)


def _share(x, whole):
    """x / whole, 0 where nothing is there."""
    return jnp.where(whole > 0, x / jnp.where(whole > 0, whole, 1.0), 0.0)


@jax.jit
def _cooling_per_coupling(machine, couplings):
    def at(coupling):
        return (
            eqx.tree_at(lambda m: m.coupling, machine, coupling).operate().heat_currents["cold"]
            / coupling
        )

    return jax.vmap(at)(couplings)


@functools.cache
def _structure(model: str) -> Structure:
    """The operators of the device, in the order 0, 1, 2, d, and what each model keeps of its
    coherences."""
    first, second = np.diag([0.0, 1.0, 0.0, 1.0]), np.diag([0.0, 0.0, 1.0, 1.0])
    swap, flip_first, flip_second = np.zeros((3, 4, 4))
    swap[1, 2] = flip_first[0, 1] = flip_first[2, 3] = flip_second[0, 2] = flip_second[1, 3] = 1.0
    swap, flip_first, flip_second = (x + x.T for x in (swap, flip_first, flip_second))
    bare = {"energy_1": first, "energy_2": second, "shift": first @ second}
    couplings = {"hot": flip_first, "sink": flip_first, "cold": flip_second}
    approach, coherences = (
        ("redfield", "all") if model == "redfield" else (model.removesuffix("-partial"), [(1, 2)])
    )
    return Structure(bare, {"exchange": swap}, couplings, None, approach, coherences)
