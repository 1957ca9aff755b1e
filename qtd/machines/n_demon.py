"""The N-demon: heat flows from cold to hot at the cost of nothing but the low entropy of a third reservoir."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from .._numerics.compilation import compiled
from .._numerics.printing import by_name, readable
from .._numerics.roots import bisect
from .._numerics.special import bose_weights
from .._numerics.validation import as_scalar, is_concrete, positive, require
from ..distributions import difference
from ..parameters import validate
from ..reservoirs import Reservoir
from ..spectral import WideBand

__all__ = ["DemonPoint", "NDemon"]


class NDemon(eqx.Module):
    r"""A nonthermal reservoir, the demon, between a hot and a cold lead; on average it exchanges neither particles nor energy with them.

    It meets the hot lead through two narrow resonances at `energy_1`, `energy_2` and the cold one through two at `energy_3`, `energy_4`,
    all of the weight `width` Gamma = int T dE. Both leads have one chemical potential, and exchange no particles with the demon either: one
    parameter of its occupation stays free,

    $$ a = f_c(e_4) - f_l(e_4) = \lambda\, [f_c(e_3) - f_c(e_4)], \qquad J_c = -\frac{\Gamma}{2\pi} (e_3 - e_4)\, a $$

    with lambda = `boldness`: 1 is the paper's choice, 0 reversible. Any lambda > 0 cools, as far as 0 <= f_l <= 1: see `DemonPoint.margin`.
    `reference`: the temperature T_0 at which entropy is paid for; that of the hot lead if None.

    Defaults: the paper's Fig. 2 at T_c = 0.8, e_4 = 1.6. **Source:** Deghi and Bustos-Marun, Eqs. (19)-(24), (C1)-(C10), (23) corrected.
    """

    hot: Reservoir
    cold: Reservoir
    energy_1: Float[Array, ""]
    energy_2: Float[Array, ""]
    energy_3: Float[Array, ""]
    energy_4: Float[Array, ""]
    width: Float[Array, ""]
    boldness: Float[Array, ""]
    reference: Float[Array, ""] | None

    def __init__(
        self,
        hot: Reservoir | None = None,
        cold: Reservoir | None = None,
        energy_1: ArrayLike = 1.0,
        energy_2: ArrayLike = 2.0,
        energy_3: ArrayLike = 1.5,
        energy_4: ArrayLike = 1.6,
        width: ArrayLike = 1.0,
        boldness: ArrayLike = 1.0,
        reference: ArrayLike | None = None,
    ):
        self.hot = hot or Reservoir(1.0, 1.0, "fermi", spectral_density=WideBand(1.0))
        self.cold = cold or Reservoir(0.8, 1.0, "fermi", spectral_density=WideBand(1.0))
        self.energy_1, self.energy_2 = as_scalar(energy_1, "energy_1"), as_scalar(energy_2, "energy_2")
        self.energy_3, self.energy_4 = as_scalar(energy_3, "energy_3"), as_scalar(energy_4, "energy_4")
        self.width, self.boldness = as_scalar(width, "width"), as_scalar(boldness, "boldness")
        self.reference = None if reference is None else as_scalar(reference, "reference")

    def __check_init__(self):
        require(self, energy_1="any", energy_2="any", energy_3="any", energy_4="any", width="positive", boldness="any")
        if self.reference is not None:
            require(self, reference="positive")
        for name, reservoir in (("hot", self.hot), ("cold", self.cold)):
            if reservoir.statistics != "fermi":
                raise ValueError(f"`{name}` must be a reservoir of fermions, got statistics {reservoir.statistics!r}.")
        numbers = self.energy_1, self.energy_2, self.energy_3, self.energy_4
        potentials = self.hot.chemical_potential, self.cold.chemical_potential
        if not is_concrete(numbers, potentials):
            return
        first, second, third, fourth = map(np.asarray, numbers)
        if np.any(first == second):
            raise ValueError(f"`energy_1` and `energy_2` must differ, got {first} twice.")
        if any(np.any(x == y) for x in (first, second) for y in (third, fourth)):
            raise ValueError(
                f"`energy_3` and `energy_4` must differ from `energy_1` and `energy_2`, got {[float(x) for x in map(np.max, numbers)]}:"
                " one occupation cannot serve both leads."
            )
        if np.any(np.asarray(potentials[0]) != np.asarray(potentials[1])):
            raise ValueError(f"`chemical_potential` must be the same in both leads, got {potentials[0]} and {potentials[1]}.")

    def operate(self) -> "DemonPoint":
        """Currents, entropy production, COP and the occupation of the demon."""
        validate(self)
        return _operate(self)

    def limits(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The largest `boldness` for which an occupation exists, and the cooling current there: the most that these resonances give
        without particles from the leads. Infinite and 0 for e_3 = e_4."""
        validate(self)
        return _limits(self)

    def minimum_cold_temperature(self) -> Float[Array, ""]:
        """The lowest temperature of the cold lead at which the occupation of this `boldness` exists; it must exist at the present one.

        NaN where it does not, or where no such temperature lies above a twentieth of |e_3 - e_4|. Differentiable.
        """
        validate(self)
        return _minimum_cold_temperature(self)

    @property
    def limit_cop(self) -> Float[Array, ""]:
        """COP as e_4 -> e_3, where the power vanishes: T_c T_h / (T_0 [(1 + 2 lambda) T_h - T_c]). **Source:** Eqs. (24), (C20)."""
        hot, cold = self.hot.temperature, self.cold.temperature
        return cold * hot / (self._reference() * ((1 + 2 * self.boldness) * hot - cold))

    def _reference(self):
        return self.hot.temperature if self.reference is None else self.reference


class DemonPoint(eqx.Module):
    """What an N-demon does, currents positive out of a reservoir.

    `heat_currents` of "hot" and "cold" (the demon has none); `entropy_current` out of the demon, negative when it pays; `cop` is the
    heat from the cold lead over T_0 times the entropy that enters the demon, NaN where no occupation exists; `carnot_cop` its bound.
    `occupations` and `logits` of the demon at the four resonances; `margin`: the least distance of an occupation from 0 and 1, negative
    where none is possible; then `physical` is false.
    """

    heat_currents: dict[str, Float[Array, ""]]
    entropy_current: Float[Array, ""]
    entropy_production: Float[Array, ""]
    cop: Float[Array, ""]
    carnot_cop: Float[Array, ""]
    occupations: Float[Array, "4"]
    logits: Float[Array, "4"]
    margin: Float[Array, ""]
    physical: Bool[Array, ""]

    def __repr__(self) -> str:
        rows = by_name("J", self.heat_currents, "heat current out of") + [
            ("S_demon", self.entropy_current, "entropy that leaves the demon"),
            ("sigma", self.entropy_production, "entropy production"),
            ("COP", self.cop, "heat from the cold lead over the entropy it takes, at T_0"),
            ("COP Carnot", self.carnot_cop, "its bound by the second law"),
            ("f", self.occupations, "of the demon at the four resonances"),
            ("margin", self.margin, "of these from 0 and 1; negative: no such demon exists"),
        ]
        return readable(self, "currents positive out of a reservoir", rows)


def _shifts(machine):
    """a, the ratio r of the gaps, and f and 1 - f of the leads at the four resonances."""
    hot, cold = machine.hot, machine.cold
    logits = [hot.logit(machine.energy_1), hot.logit(machine.energy_2), cold.logit(machine.energy_3), cold.logit(machine.energy_4)]
    a = machine.boldness * difference(logits[2], logits[3], "fermi")
    ratio = (machine.energy_3 - machine.energy_4) / (machine.energy_1 - machine.energy_2)
    return a, ratio, jnp.stack([jax.nn.sigmoid(-u) for u in logits]), jnp.stack([jax.nn.sigmoid(u) for u in logits])


def _margins(machine):
    """f_l and 1 - f_l at the four resonances, neither from the other."""
    a, ratio, filled, empty = _shifts(machine)
    change = jnp.stack([-ratio * a, ratio * a, a, -a])
    return filled + change, empty - change


@compiled
def _operate(machine):
    hot, cold = machine.hot.temperature, machine.cold.temperature
    reference = positive(machine._reference())
    a, ratio, *_ = _shifts(machine)
    filled, empty = _margins(machine)
    margin = jnp.min(jnp.concatenate([filled, empty]))
    physical = margin > 0
    # Only one branch has logarithms; the other must not spoil their derivatives.
    f, v = (jnp.where(physical, x, 0.5) for x in (filled, empty))
    hot_gap = difference(machine.hot.logit(machine.energy_1), machine.hot.logit(machine.energy_2), "fermi")
    hot_slope = jnp.log1p((2 * ratio * a - hot_gap) / (f[0] * v[1])) / (machine.energy_1 - machine.energy_2)  # (u_1 - u_2) / (e_1 - e_2)
    # (u_4 - u_3) / (e_4 - e_3), with its limit where the two energies meet: f_c(e_3) - f_c(e_4) is divided by e_4 - e_3 first.
    step = (machine.energy_4 - machine.energy_3) / cold
    share = machine.cold.occupation(machine.energy_3) * jax.nn.sigmoid(machine.cold.logit(machine.energy_4))
    slope = (1 + 2 * machine.boldness) * share / (cold * bose_weights(step)[1]) / (f[3] * v[2])
    cold_slope = slope * _log1p_over(slope * (machine.energy_4 - machine.energy_3))
    scale = machine.width / (2 * jnp.pi)
    heat = -scale * (machine.energy_3 - machine.energy_4) * a
    entropy = scale * a * (machine.energy_3 - machine.energy_4) * (cold_slope - hot_slope)
    known = lambda x: jnp.where(physical, x, jnp.nan)
    return DemonPoint(
        heat_currents={"hot": -heat, "cold": heat},
        entropy_current=known(entropy),
        entropy_production=known(-entropy + heat * (cold - hot) / (cold * hot)),
        cop=known(1 / (reference * (cold_slope - hot_slope))),
        carnot_cop=cold * hot / (reference * (hot - cold)),
        occupations=filled,
        logits=known(jnp.log(v) - jnp.log(f)),
        margin=margin,
        physical=physical,
    )


def _log1p_over(x):
    """ln(1 + x) / x, 1 at x = 0."""
    is_small = jnp.abs(x) < 1e-5
    safe = jnp.where(is_small, 1.0, x)
    return jnp.where(is_small, 1 - x * (1 / 2 - x * (1 / 3 - x / 4)), jnp.log1p(safe) / safe)


@compiled
def _limits(machine):
    unit, ratio, filled, empty = _shifts(eqx.tree_at(lambda m: m.boldness, machine, jnp.ones_like(machine.boldness)))
    direction = jnp.where(unit < 0, -1.0, 1.0).astype(unit.dtype)
    change = direction * jnp.stack([-ratio, ratio, jnp.ones_like(ratio), -jnp.ones_like(ratio)])
    room = jnp.where(change > 0, empty, filled)  # up to 1 where an occupation grows, down to 0 where it falls
    sizes = jnp.abs(change)
    largest = jnp.min(jnp.where(sizes > 0, room / jnp.where(sizes > 0, sizes, 1.0), jnp.inf))
    heat = -machine.width / (2 * jnp.pi) * (machine.energy_3 - machine.energy_4) * direction * largest
    return largest / jnp.abs(unit), heat


@compiled
def _minimum_cold_temperature(machine):
    def margin(temperature, machine):
        return jnp.min(jnp.concatenate(_margins(eqx.tree_at(lambda m: m.cold.temperature, machine, temperature))))

    lowest = jnp.abs(machine.energy_3 - machine.energy_4) / 20
    return bisect(margin, lowest, machine.cold.temperature, machine)
