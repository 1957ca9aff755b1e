"""The N-demon of Deghi and Bustos-Marun: heat flows from cold to hot at the cost of nothing but the low entropy of a third reservoir."""

import functools
from collections.abc import Mapping
from typing import ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from .._numerics.batching import add, settle
from .._numerics.compilation import compiled
from .._numerics.findings import Checks, Finding, Severity
from .._numerics.limits import OCCUPIED
from .._numerics.printing import by_name, readable
from .._numerics.roots import bisect
from .._numerics.special import decay_over, log1p_over
from .._numerics.status import Status, first
from .._numerics.validation import as_scalar, positive, require, rule
from ..distributions import difference, shares
from ..nonthermal import Balance, Filling, Windows, least_entropy, maximum_cooling
from ..parameters import checked, replace
from ..reservoirs import Reservoir
from ..scattering import Conductor
from ..spectral import WideBand
from ..thermodynamics import Law
from . import _demon_conductors as demons
from ._machine import AbstractMachine, DesignProblem, Survey, around

__all__ = ["DemonPoint", "NDemon"]


class NDemon(AbstractMachine):
    r"""A nonthermal reservoir, the demon, between a hot and a cold lead; on average it exchanges neither particles nor energy with them.

    It meets the hot lead through two narrow resonances at `energy_1`, `energy_2` and the cold one through two at `energy_3`, `energy_4`,
    all of the weight `width` Gamma = int T dE. Both leads have one chemical potential mu. Two parameters of its occupation stay free,

    $$ a = f_c(e_4) - f_l(e_4) = \lambda\, [f_c(e_3) - f_c(e_4)], \quad n = \frac{2\pi}{\Gamma} I_{N,c}, \qquad
       J_c = \frac{\Gamma}{2\pi} [(e_4 - e_3)\, a + (e_3 - \mu)\, n] $$

    with lambda = `boldness`: 1 is the paper's choice, 0 reversible; and n = `exchange`, particles that the demon passes from the cold to
    the hot lead: the paper has none. Without them any lambda > 0 cools, as far as 0 <= f_l <= 1: see `DemonPoint.margin`.
    `reference`: the temperature T_0 at which entropy is paid for; that of the hot lead if None. `hot`, `cold`: `qtd.Reservoir`s of
    fermions.

    This is the limit of narrow resonances; `conductor` and `broadened` give them a width.

    Defaults: the paper's Fig. 2 at T_c = 0.8, e_4 = 1.6. **Source:** Deghi and Bustos-Marun, Eqs. (19)-(24), (C1)-(C10), (23) corrected.

    >>> point = qtd.machines.NDemon().operate()
    >>> print(f"{point.heat_currents['cold']:.4e} {point.cop:.4f} {point.occupations.round(4)}")
    4.4283e-04 0.3586 [0.4972 0.2717 0.3765 0.293 ]
    """

    units: ClassVar[Mapping[str, str]] = {"exchange": "1"}  # particles per width / 2 pi, no energy as elsewhere

    hot: Reservoir
    cold: Reservoir
    energy_1: Float[Array, ""]
    energy_2: Float[Array, ""]
    energy_3: Float[Array, ""]
    energy_4: Float[Array, ""]
    width: Float[Array, ""]
    boldness: Float[Array, ""]
    exchange: Float[Array, ""]
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
        exchange: ArrayLike = 0.0,
        reference: ArrayLike | None = None,
    ):
        self.hot = hot or Reservoir(1.0, 1.0, "fermi", spectral_density=WideBand(1.0))
        self.cold = cold or Reservoir(0.8, 1.0, "fermi", spectral_density=WideBand(1.0))
        self.energy_1, self.energy_2 = as_scalar(energy_1, "energy_1"), as_scalar(energy_2, "energy_2")
        self.energy_3, self.energy_4 = as_scalar(energy_3, "energy_3"), as_scalar(energy_4, "energy_4")
        self.width, self.boldness = as_scalar(width, "width"), as_scalar(boldness, "boldness")
        self.exchange = as_scalar(exchange, "exchange")
        self.reference = None if reference is None else as_scalar(reference, "reference")

    def __check_init__(self):
        require(self, energy_1="any", energy_2="any", energy_3="any", energy_4="any", width="positive", boldness="any", exchange="any")
        if self.reference is not None:
            require(self, reference="positive")
        for name, reservoir in (("hot", self.hot), ("cold", self.cold)):
            if reservoir.statistics != "fermi":
                raise ValueError(f"`{name}` must be a reservoir of fermions, got statistics {reservoir.statistics!r}.")
        numbers = self.energy_1, self.energy_2, self.energy_3, self.energy_4
        rule(numbers[:2], lambda x, y: x != y, lambda x, y: f"`energy_1` and `energy_2` must differ, got {x} twice.")
        rule(
            numbers,
            lambda a, b, c, d: (a != c) & (a != d) & (b != c) & (b != d),
            lambda *x: (
                f"`energy_3` and `energy_4` must differ from `energy_1` and `energy_2`, got {[float(np.max(y)) for y in x]}:"
                " one occupation cannot serve both leads."
            ),
        )
        rule(
            (self.hot.chemical_potential, self.cold.chemical_potential),
            lambda x, y: x == y,
            lambda x, y: f"`chemical_potential` must be the same in both leads, got {x} and {y}.",
        )

    @checked
    def operate(self) -> "DemonPoint":
        """Currents, entropy production, COP and the occupation of the demon."""
        return _operate(self)

    @checked
    def limits(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The largest `boldness` for which an occupation exists at this `exchange`, and the cooling current there. Without exchange that is
        the most these resonances give; infinite and 0 for e_3 = e_4."""
        return _limits(self)

    @checked
    def minimum_cold_temperature(self) -> Float[Array, ""]:
        """The lowest temperature of the cold lead at which the occupation of this `boldness` exists; it must exist at the present one.

        NaN where it does not, or where no such temperature lies above a twentieth of |e_3 - e_4|. Differentiable.
        """
        return _minimum_cold_temperature(self)

    @checked
    def least_entropy(self, heat: ArrayLike, closed: bool = False) -> "NDemon":
        """With the `boldness` and `exchange` that take the heat current `heat` from the cold lead at the least entropy, `closed`: without
        exchange. Differentiable. See `qtd.nonthermal.least_entropy`."""
        unit = difference(self.cold.logit(self.energy_3), self.cold.logit(self.energy_4), "fermi")
        scale, heat = self.width / (2 * jnp.pi), as_scalar(heat, "heat")
        if closed:
            a, exchange = heat / (scale * (self.energy_4 - self.energy_3)), jnp.zeros_like(scale)
        else:
            found = least_entropy(self.windows(), "cold", heat)
            a = difference(self.cold.logit(self.energy_4), found.logits[3], "fermi")
            exchange = found.particle_currents["cold"] / scale
        return replace(self, {"boldness": a / unit, "exchange": exchange})

    def maximum_cooling(self, closed: bool = False) -> Filling:
        """The occupation that cools most, `closed`: without exchange of particles. See `qtd.nonthermal.maximum_cooling`."""
        return maximum_cooling(self.windows(), "cold", ("hot", "cold") if closed else ())

    def windows(self, bins: int = 1, narrow: bool = True) -> Windows:
        """The four resonances for `qtd.nonthermal`: `bins` and `narrow` as in `qtd.nonthermal.Windows`."""
        return Windows(self.leads, [(*pair, self.width) for pair in zip(demons.OWNERS, self.energies)], bins, narrow)

    @checked
    def conductor(self, shape: Literal["narrow", "boxcar", "lorentzian"] = "narrow") -> Conductor:
        """The same demon, with the logits of the narrow limit, between resonances of the weight `width` and this `shape`.

        Its logit is that of the lead on the other side, shifted in each window ("narrow", "boxcar"); or that of a Fermi function between
        the two leads, with a bump at each line ("lorentzian") a fifth as wide as the smallest distance of two resonances.
        """
        return demons.conductor(self, _operate(self).logits, shape)

    @checked
    def broadened(self, shape: Literal["boxcar", "lorentzian"] = "boxcar") -> Balance:
        """`conductor`, with the first three parameters of its occupation moved until it is a demon at this width: no particles from either
        lead, no energy from the demon. The fourth stays as it is, so `boldness` still says how bold. `shape` as there. Differentiable."""
        return demons.broadened(self, _operate(self).logits, shape)

    def systems(self):
        """The conductor that it is."""
        return {"narrow resonances": self.conductor()}

    def checks(self, point) -> Checks:
        return {"occupation": lambda: _occupation(float(point.margin))}

    @checked
    def wire(self, share: ArrayLike = 0.3, temperature: ArrayLike = 0.2, start: tuple[float, float] = (2.4, 0.9)) -> Balance:
        """A biased wire as the demon, f_l = w f(mu_A) + (1 - w) f(mu_B) at one `temperature` with w = `share`: the potentials at which it
        gives neither particles nor energy, as `parameters`, from `start`; and the conductor of narrow resonances. The leads may exchange
        particles."""
        return demons.wire(self, as_scalar(share, "share"), as_scalar(temperature, "temperature"), start)

    def design_problem(self) -> DesignProblem:
        """The largest cooling current over boldness, exchange and the fourth resonance, at no smaller COP than now."""
        required = np.ceil(1e5 * float(self.operate().cop)) / 1e5
        low, high = sorted((float(self.energy_1), float(self.energy_2)))
        over = {"boldness": (0.02, 3.0), "exchange": (-0.3, 0.3), "energy_4": (low + 0.1 * (high - low), high - 0.1 * (high - low))}
        return DesignProblem(self, "J_cold", over, {"COP": (required, None), "margin": (0.01, None)})

    def survey(self) -> Survey:
        """The cooling current over the temperature of the cold lead and the fourth resonance, between the first two."""
        low, high = sorted((float(self.energy_1), float(self.energy_2)))
        return Survey("J_cold", around(self, "cold.temperature") | {"energy_4": np.linspace(low, high, 26)[1:-1]})

    @property
    def energies(self) -> tuple[Float[Array, ""], ...]:
        """Of the four resonances, two of the hot lead and two of the cold one."""
        return self.energy_1, self.energy_2, self.energy_3, self.energy_4

    @property
    def leads(self) -> dict[str, Reservoir]:
        """Both by name."""
        return {"hot": self.hot, "cold": self.cold}

    @property
    def limit_cop(self) -> Float[Array, ""]:
        """COP as e_4 -> e_3, where the power vanishes: T_c T_h / (T_0 [(1 + 2 lambda) T_h - T_c]). **Source:** Eqs. (24), (C20)."""
        hot, cold = self.hot.temperature, self.cold.temperature
        return cold * hot / (self._reference() * ((1 + 2 * self.boldness) * hot - cold))

    def _reference(self):
        return self.hot.temperature if self.reference is None else self.reference


class DemonPoint(eqx.Module):
    """What an N-demon does, currents positive out of a reservoir.

    `heat_currents` of "hot" and "cold" (the demon has none), their `temperatures`; `entropy_current` out of the demon, negative when it
    pays; `cop` is the heat from the cold lead over T_0 times the entropy that enters the demon, NaN where no occupation exists;
    `carnot_cop` its bound; `entropy_production` that of leads and demon together.
    `occupations` and `logits` of the demon at the four resonances; `margin`: the least distance of an occupation from 0 and 1, negative
    where none is possible; then `status` is NO_OCCUPATION, entropy and COP are NaN, and the heat currents what the formulas give even so.
    """

    cooled: ClassVar[str] = "cold"

    heat_currents: dict[str, Float[Array, ""]]
    temperatures: dict[str, Float[Array, ""]]
    entropy_current: Float[Array, ""]
    entropy_production: Float[Array, ""]
    cop: Float[Array, ""]
    carnot_cop: Float[Array, ""]
    occupations: Float[Array, "4"]
    logits: Float[Array, "4"]
    margin: Float[Array, ""]
    status: Int[Array, ""]

    @property
    def names(self) -> tuple[str, ...]:
        """The leads."""
        return ("hot", "cold")

    @property
    def mode(self) -> str:
        """What the machine does, in words, at one known point."""
        return "no demon" if int(self.status) else "refrigerator" if float(self.heat_currents["cold"]) > 0 else "heater"

    def figures(self) -> dict[str, Float[Array, ""]]:
        """All scalars by name."""
        values = {f"J_{name}": heat for name, heat in self.heat_currents.items()}
        values |= {"S_demon": self.entropy_current, "sigma": self.entropy_production, "margin": self.margin}
        return values | {"COP": self.cop, "COP_Carnot": self.carnot_cop}

    def laws(self) -> list[Law]:
        """The laws of thermodynamics at one known point."""
        balance, sigma, share = (float(x) for x in (sum(self.heat_currents.values()), self.entropy_production, self.cop / self.carnot_cop))
        found = [Law("first law", balance, "sum of heat currents = 0", balance == 0)]
        found.append(Law("second law", sigma, "entropy production >= 0", sigma >= 0))
        if self.mode == "refrigerator":
            found.append(Law("Carnot", share, "COP / Carnot COP <= 1", not share > 1 + 1e-6))
        return found

    def rows(self) -> list[tuple[str, Array, str]]:
        """Name, value and meaning of every figure, for printing."""
        return by_name("J", self.heat_currents, "heat current out of") + [
            ("S_demon", self.entropy_current, "entropy that leaves the demon"),
            ("sigma", self.entropy_production, "entropy production"),
            ("COP", self.cop, "heat from the cold lead over the entropy it takes, at T_0"),
            ("COP Carnot", self.carnot_cop, "its bound by the second law"),
            ("f", self.occupations, "of the demon at the four resonances"),
            ("margin", self.margin, "of these from 0 and 1; negative: no such demon exists"),
            ("status", self.status, "0: fine"),
        ]

    def __repr__(self) -> str:
        return readable(self, "currents positive out of a reservoir", self.rows())


def _occupation(margin):
    text = f"The occupation of the demon keeps a distance of {margin:.3g} from 0 and 1"
    if margin < 0:
        text += ": no reservoir has it, and the currents are not those of any machine."
        return [Finding(Severity.WRONG, "occupation", text, {"margin": margin})]
    if margin <= OCCUPIED:
        return [Finding(Severity.NOTE, "occupation", f"{text}; at that edge COP falls to 0 ever more steeply.", {"margin": margin})]
    return [Finding(Severity.FINE, "occupation", f"{text}.", {"margin": margin})]


def _lead_logits(machine):
    return [machine.leads[name].logit(energy) for name, energy in zip(demons.OWNERS, machine.energies)]


def _changes(machine):
    """Of each resonance f_l - f of the lead, f, and 1 - f: lists of numbers, so that a batch of demons is one loop over all of them."""
    e1, e2, e3, e4 = machine.energies
    leads = [[settle(x) for x in shares(logit, "fermi")] for logit in _lead_logits(machine)]
    a, n = settle(machine.boldness * (e4 - e3) * _steepness(machine, leads)), machine.exchange
    second = ((e3 - e4) * a + (e1 - e3) * n) / (e1 - e2)
    return [n - second, second, a - n, -a], *([lead[k] for lead in leads] for k in (0, 1))


def _steepness(machine, leads):
    """[f_c(e_3) - f_c(e_4)] / (e_4 - e_3), also where they meet."""
    gap = (machine.energy_4 - machine.energy_3) / machine.cold.temperature
    (third, no_third), (fourth, no_fourth) = leads[2:]
    share = jnp.where(gap > 0, third * no_fourth, fourth * no_third)  # of the smaller logit f, of the larger one 1 - f
    # Not the absolute value, whose slope at 0 would be neither that of one side nor of the other.
    return share / machine.cold.temperature * decay_over(jnp.where(gap > 0, gap, -gap))


def _margins(machine):
    """f_l and 1 - f_l at the four resonances, neither from the other."""
    changes, filled, empty = _changes(machine)
    return [f + x for f, x in zip(filled, changes)], [v - x for v, x in zip(empty, changes)]


def _least(filled, empty):
    return functools.reduce(jnp.minimum, [*filled, *empty])


@compiled
def _operate(machine):
    hot, cold = machine.hot.temperature, positive(machine.cold.temperature)
    reference = positive(machine._reference())
    changes, lead_filled, lead_empty = _changes(machine)
    filled, empty = ([f + x for f, x in zip(lead_filled, changes)], [v - x for v, x in zip(lead_empty, changes)])
    margin = _least(filled, empty)
    physical = margin > 0
    # What a resonance produces is w (f_l - f) (u - u_l) / h = w (f_l - f)^2 g / h: no sum of it loses digits.
    stiffness = [_stiffness(*shares) for shares in zip(changes, lead_filled, lead_empty, filled, empty)]
    e1, e2, e3, e4 = machine.energies
    scale = positive(machine.width) / (2 * jnp.pi)
    heat = scale * ((e4 - e3) * -changes[3] + (e3 - machine.cold.chemical_potential) * machine.exchange)
    produced = scale * add(x**2 * g for x, g in zip(changes, stiffness))
    # Where e_3 = e_4 and nothing is exchanged both vanish, as (e_4 - e_3)^2.
    meets = (e3 == e4) & (machine.exchange == 0)
    ratio = (e4 - e3) / (e1 - e2)
    slope = machine.boldness * _steepness(machine, list(zip(lead_filled, lead_empty)))
    meeting = slope * (ratio**2 * (stiffness[0] + stiffness[1]) + stiffness[2] + stiffness[3])
    per_heat = jnp.where(meets, meeting, produced / jnp.where(meets, 1, heat))
    known = lambda x: jnp.where(physical, x, jnp.nan)
    logits = [known(jnp.log(jnp.where(physical, v, 0.5)) - jnp.log(jnp.where(physical, f, 0.5))) for f, v in zip(filled, empty)]
    return DemonPoint(
        heat_currents={"hot": -heat, "cold": heat},
        temperatures={"hot": hot, "cold": cold},
        entropy_current=known(-produced - heat * (1 / cold - 1 / hot)),
        entropy_production=known(produced),
        cop=known(1 / (reference * (per_heat + 1 / cold - 1 / hot))),
        carnot_cop=cold * hot / (reference * (hot - cold)),
        occupations=jnp.stack(filled),
        logits=jnp.stack(logits),
        margin=margin,
        status=first(
            (~jnp.isfinite(margin), Status.INVALID_PARAMETER),
            (~physical, Status.NO_OCCUPATION),
            (~meets & (heat == 0), Status.COP_UNDEFINED),
        ),
    )


def _stiffness(change, lead_filled, lead_empty, filled, empty):
    """(u - u_l) / (f_l - f) >= 0, from what always grows: u - u_l = +-ln(1 + |f_l - f| / (f (1 - f_l))), f the smaller of the two."""
    rises = change > 0
    width = jnp.where(rises, lead_filled * empty, filled * lead_empty)
    width = jnp.where(width > 0, width, 1)  # no demon; its derivatives must not spoil those of others
    return settle(log1p_over(settle(jnp.abs(change) / width)) / width)


@compiled
def _limits(machine):
    modest = eqx.tree_at(lambda m: m.boldness, machine, jnp.zeros_like(machine.boldness))
    filled, empty = (jnp.stack(x) for x in _margins(modest))
    unit = difference(machine.cold.logit(machine.energy_3), machine.cold.logit(machine.energy_4), "fermi")
    direction = jnp.where(unit < 0, -1.0, 1.0).astype(unit.dtype)
    e1, e2, e3, e4 = machine.energies
    ratio, one = (e3 - e4) / (e1 - e2), jnp.ones_like(unit)
    change = direction * jnp.stack([-ratio, ratio, one, -one])
    room = jnp.where(change > 0, empty, filled)  # up to 1 where an occupation grows, down to 0 where it falls
    sizes = jnp.abs(change)
    largest = jnp.min(jnp.where(sizes > 0, room / jnp.where(sizes > 0, sizes, 1.0), jnp.inf))
    exchanged = (e3 - machine.cold.chemical_potential) * machine.exchange
    return largest / jnp.abs(unit), machine.width / (2 * jnp.pi) * ((e4 - e3) * direction * largest + exchanged)


@compiled
def _minimum_cold_temperature(machine):
    def margin(temperature, machine):
        return _least(*_margins(eqx.tree_at(lambda m: m.cold.temperature, machine, temperature)))

    lowest = jnp.abs(machine.energy_3 - machine.energy_4) / 20
    return bisect(margin, lowest, machine.cold.temperature, machine)
