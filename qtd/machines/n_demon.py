"""The N-demon of Deghi and Bustos-Marun: heat flows from cold to hot at the cost of nothing but the
low entropy of a third reservoir."""

import itertools
from typing import ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from .._numerics.compilation import compiled
from .._numerics.modules import parameter
from .._numerics.roots import bisect
from .._numerics.scaled import Scaled, add_scaled
from .._numerics.validation import as_scalar, positive, rule
from ..distributions import difference
from ..findings import Checks, Finding, Severity
from ..limits import OCCUPIED
from ..nonthermal import Balance, Filling, Windows, least_entropy, maximum_cooling
from ..parameters import checked, replace
from ..reservoirs import Reservoir
from ..scattering import Conductor
from ..spectral import WideBand
from ..status import Status, first, raise_if_known
from ..thermodynamics import AbstractPoint, Law, Mode, Observable
from . import _demon_conductors as demons
from ._demon_occupations import (
    Occupations,
    bold,
    boldest,
    entropy_per_heat_where_they_meet,
    entropy_produced,
)
from ._machine import VALID, AbstractMachine, DesignProblem, Survey, around

__all__ = ["DemonPoint", "NDemon"]


class NDemon(AbstractMachine):
    r"""A nonthermal reservoir, the demon, between a hot and a cold lead; on average it exchanges
    neither particles nor energy with them.

    It meets the hot lead through two narrow resonances at `energy_1`, `energy_2` and the cold one
    through two at `energy_3`, `energy_4`, all of the weight `width` Gamma = int T dE. Both leads
    have one chemical potential mu. Two parameters of its occupation stay free,

    $$ a = f_c(e_4) - f_l(e_4) = \lambda\, [f_c(e_3) - f_c(e_4)], \quad n =
       \frac{2\pi}{\Gamma} I_{N,c}, \qquad
       J_c = \frac{\Gamma}{2\pi} [(e_4 - e_3)\, a + (e_3 - \mu)\, n] $$

    with lambda = `boldness`: 1 is the paper's choice, 0 reversible; and n = `exchange`, particles
    that the demon passes from the cold to the hot lead: the paper has none. Without them any lambda
    > 0 cools, as far as 0 <= f_l <= 1: see `DemonPoint.margin`. `reference`: the temperature T_0 at
    which entropy is paid for; that of the hot lead if None. `hot`, `cold`: `qtd.Reservoir`s of
    fermions.

    This is the limit of narrow resonances; `conductor` and `broadened` give them a width.

    Defaults: the paper's Fig. 2 at T_c = 0.8, e_4 = 1.6. **Source:** Deghi and Bustos-Marun, Eqs.
    (19)-(24), (C1)-(C10), (23) corrected.

    >>> point = qtd.machines.NDemon().operate()
    >>> print(f"{point.heat_currents['cold']:.4e} {point.cop:.4f} {point.occupations.round(4)}")
    4.4283e-04 0.3586 [0.4972 0.2717 0.3765 0.293 ]
    """

    hot: Reservoir
    cold: Reservoir
    energy_1: Float[Array, ""] = parameter("any", "E")
    energy_2: Float[Array, ""] = parameter("any", "E")
    energy_3: Float[Array, ""] = parameter("any", "E")
    energy_4: Float[Array, ""] = parameter("any", "E")
    width: Float[Array, ""] = parameter("positive", "E")
    boldness: Float[Array, ""] = parameter("any", "1")
    exchange: Float[Array, ""] = parameter("any", "1")
    reference: Float[Array, ""] | None = parameter("positive", "E")

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
        self.energy_1 = as_scalar(energy_1, "energy_1")
        self.energy_2 = as_scalar(energy_2, "energy_2")
        self.energy_3 = as_scalar(energy_3, "energy_3")
        self.energy_4 = as_scalar(energy_4, "energy_4")
        self.width, self.boldness = as_scalar(width, "width"), as_scalar(boldness, "boldness")
        self.exchange = as_scalar(exchange, "exchange")
        self.reference = None if reference is None else as_scalar(reference, "reference")

    def rules(self) -> None:
        for name, reservoir in (("hot", self.hot), ("cold", self.cold)):
            if reservoir.statistics != "fermi":
                raise ValueError(
                    f"`{name}` must be a reservoir of fermions, got statistics"
                    f" {reservoir.statistics!r}."
                )
        numbers = self.energy_1, self.energy_2, self.energy_3, self.energy_4
        rule(
            numbers[:2],
            lambda x, y: x != y,
            lambda x, y: f"`energy_1` and `energy_2` must differ, got {x} twice.",
        )
        rule(
            numbers,
            lambda a, b, c, d: (a != c) & (a != d) & (b != c) & (b != d),
            lambda *x: (
                "`energy_3` and `energy_4` must differ from `energy_1` and `energy_2`, got"
                f" {[float(np.max(y)) for y in x]}:"
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
    def occupations(self) -> Float[Array, "4"]:
        """Occupations of the demon at the four resonances, by number;
        between 0 and 1 where such a demon exists, see `DemonPoint.margin`."""
        return _operate(self).occupations

    @checked
    def limits(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The largest `boldness` for which an occupation exists at this `exchange`, and the cooling
        current there. Without exchange that is the most these resonances give; infinite and 0 for
        e_3 = e_4."""
        return _limits(self)

    @checked
    def minimum_cold_temperature(self) -> Float[Array, ""]:
        """The lowest temperature of the cold lead at which the occupation of this `boldness`
        exists; it must exist at the present one.

        NaN where it does not, or where no such temperature lies above a twentieth of |e_3 - e_4|.
        Differentiable.
        """
        return _minimum_cold_temperature(self)

    @checked
    def least_entropy(self, heat: ArrayLike, closed: bool = False) -> "NDemon":
        """The same machine with the `boldness` and `exchange` that take the heat current `heat`
        from the cold lead at the least entropy, `closed`: without exchange. Differentiable. See
        `qtd.nonthermal.least_entropy`."""
        scale, heat = self.width / (2 * jnp.pi), as_scalar(heat, "heat")
        if closed:
            a, exchange = heat / (scale * (self.energy_4 - self.energy_3)), jnp.zeros_like(scale)
        else:
            found = least_entropy(self.windows(), "cold", heat)
            a = difference(self.cold.logit(self.energy_4), found.logits[3], "fermi")
            exchange = found.particle_currents["cold"] / scale
        return replace(self, {"boldness": Scaled.of(a).over(bold(self)), "exchange": exchange})

    def maximum_cooling(self, closed: bool = False) -> Filling:
        """The occupation that cools most, `closed`: without exchange of particles. See
        `qtd.nonthermal.maximum_cooling`."""
        return maximum_cooling(self.windows(), "cold", ("hot", "cold") if closed else ())

    def windows(self, bins: int = 1, narrow: bool = True) -> Windows:
        """The four resonances for `qtd.nonthermal`: `bins` and `narrow` as in
        `qtd.nonthermal.Windows`."""
        return Windows(
            self.leads,
            [(*pair, self.width) for pair in zip(demons.OWNERS, self.energies)],
            bins,
            narrow,
        )

    @checked
    def conductor(self, shape: Literal["narrow", "boxcar", "lorentzian"] = "narrow") -> Conductor:
        """The same demon, with the logits of the narrow limit, between resonances of the weight
        `width` and this `shape`.

        Its logit is that of the lead on the other side, shifted in each window ("narrow",
        "boxcar"); or that of a Fermi function between the two leads, with a bump at each line
        ("lorentzian") a fifth as wide as the smallest distance of two resonances.
        """
        return demons.conductor(self, self._logits(), shape)

    @checked
    def broadened(self, shape: Literal["boxcar", "lorentzian"] = "boxcar") -> Balance:
        """`conductor`, with the first three parameters of its occupation moved until it is a demon
        at this width: no particles from either lead, no energy from the demon. The fourth stays as
        it is, so `boldness` still says how bold. `shape` as there. Differentiable."""
        return demons.broadened(self, self._logits(), shape)

    def _logits(self):
        """Logits of the demon; refused where it is known that there is none."""
        point = _operate(self)
        raise_if_known(point.status, Status.NO_OCCUPATION)
        return point.logits

    def systems(self):
        """The conductor that it is."""
        return {"narrow resonances": self.conductor()}

    def checks(self, point) -> Checks:
        return {"occupation": lambda: _occupation(float(point.margin))}

    @checked
    def wire(
        self,
        share: ArrayLike = 0.3,
        temperature: ArrayLike = 0.2,
        start: tuple[float, float] = (2.4, 0.9),
    ) -> Balance:
        """A biased wire as the demon, f_l = w f(mu_A) + (1 - w) f(mu_B) at one `temperature` with w
        = `share`: the potentials at which it gives neither particles nor energy, as `parameters`,
        from `start`; and the conductor of narrow resonances. The leads may exchange particles."""
        return demons.wire(
            self, as_scalar(share, "share"), as_scalar(temperature, "temperature"), start
        )

    def design_problem(self) -> DesignProblem:
        """The largest cooling current over boldness, exchange, the fourth resonance and the width,
        at no smaller COP than now, where the resonances are narrow (`VALID`)."""
        required = np.ceil(1e5 * float(self.operate().cop)) / 1e5
        low, high = sorted((float(self.energy_1), float(self.energy_2)))
        over = {
            "boldness": (0.02, 3.0),
            "exchange": (-0.3, 0.3),
            "energy_4": (low + 0.1 * (high - low), high - 0.1 * (high - low)),
            "width": (1e-4 * float(self.width), float(self.width)),
        }
        limits = {"COP": (required, None), "margin": (0.01, None), **VALID}
        return DesignProblem(self, "J_cold", over, limits)

    def survey(self) -> Survey:
        """The cooling current over the temperature of the cold lead and the fourth resonance,
        between the first two."""
        low, high = sorted((float(self.energy_1), float(self.energy_2)))
        return Survey(
            "J_cold",
            around(self, "cold.temperature") | {"energy_4": np.linspace(low, high, 26)[1:-1]},
        )

    @property
    def energies(self) -> tuple[Float[Array, ""], ...]:
        """Energies of the four resonances, two of the hot lead and two of the cold one."""
        return self.energy_1, self.energy_2, self.energy_3, self.energy_4

    @property
    def leads(self) -> dict[str, Reservoir]:
        """Both by name."""
        return {"hot": self.hot, "cold": self.cold}

    @property
    def limit_cop(self) -> Float[Array, ""]:
        """COP as e_4 -> e_3, where the power vanishes: T_c T_h / (T_0 [(1 + 2 lambda) T_h - T_c]).
        **Source:** Eqs. (24), (C20)."""
        hot, cold = self.hot.temperature, self.cold.temperature
        return cold * hot / (self._reference() * ((1 + 2 * self.boldness) * hot - cold))

    def _reference(self):
        return self.hot.temperature if self.reference is None else self.reference


class DemonPoint(AbstractPoint):
    """What an N-demon does, currents positive out of a reservoir.

    `heat_currents` of "hot" and "cold" (the demon has none), their `temperatures`;
    `entropy_current` out of the demon, negative when it pays; `cop` is the heat from the cold lead
    over T_0 times the entropy that enters the demon, NaN where no occupation exists; `carnot_cop`
    its bound; `entropy_production` that of leads and demon together. `occupations` and `logits` of
    the demon at the four resonances; `margin`: the least distance of an occupation from 0 and 1,
    negative where none is possible; then `status` is NO_OCCUPATION, entropy and COP are NaN, and
    the heat currents what the formulas give even so.

    At energies of a thousand temperatures occupations and currents underflow to 0 (where the margin
    keeps its sign), while logits, COP, status and their derivatives are computed from logarithms
    and stay right. A derivative by `exchange` is of the size of 1 / f, and ends at e^600.
    `rates_over`: the width of the resonances over what makes them narrow; see `validity`.
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
    rates_over: dict[tuple[str, str], Float[Array, ""]]
    status: Int[Array, ""]

    @property
    def names(self) -> tuple[str, ...]:
        """The leads."""
        return ("hot", "cold")

    def ratios(self) -> dict[tuple[str, str], Float[Array, ""]]:
        return self.rates_over

    @property
    def mode_code(self) -> Int[Array, ""]:
        """`Mode` as an integer array: idle where the currents underflow, nothing where there is no
        demon."""
        heat = self.heat_currents["cold"]
        cases = [self.status != 0, heat > 0, heat < 0]
        modes = [int(Mode.NOTHING), int(Mode.REFRIGERATOR), int(Mode.HEATER)]
        return jnp.select(cases, modes, int(Mode.IDLE))

    def observables(self) -> dict[str, Observable]:
        """All scalars by name: J_* of the leads, the entropy S_demon that leaves the demon, sigma,
        COP and its bound, the margin and the occupations f_1 to f_4 at the resonances."""
        table = {
            f"J_{name}": Observable(heat, "E^2", f"heat current out of {name!r}")
            for name, heat in self.heat_currents.items()
        }
        table |= {
            "S_demon": Observable(self.entropy_current, "E", "entropy current out of the demon"),
            "sigma": Observable(self.entropy_production, "E", "entropy production"),
            "margin": Observable(
                self.margin, "1", "of its occupations from 0 and 1; negative: no such demon exists"
            ),
            "COP": Observable(
                self.cop, "1", "heat from the cold lead over the entropy it takes, at T_0"
            ),
            "COP_Carnot": Observable(self.carnot_cop, "1", "its bound by the second law"),
        }
        for j in range(4):
            table[f"f_{j + 1}"] = Observable(
                self.occupations[..., j], "1", f"occupation of the demon at energy_{j + 1}"
            )
        return table | self.about_validity()

    def laws(self) -> list[Law]:
        """The laws of thermodynamics at one known point."""
        balance, sigma, share = (
            float(x)
            for x in (
                sum(self.heat_currents.values()),
                self.entropy_production,
                self.cop / self.carnot_cop,
            )
        )
        found = [Law("first law", balance, "sum of heat currents = 0", balance == 0)]
        found.append(Law("second law", sigma, "entropy production >= 0", sigma >= 0))
        if self.mode == "refrigerator" and float(self.carnot_cop) > 0:
            found.append(Law("Carnot", share, "COP / Carnot COP <= 1", not share > 1 + 1e-6))
        return found


def _occupation(margin):
    text = f"The occupation of the demon keeps a distance of {margin:.3g} from 0 and 1"
    if margin < 0:
        text += ": no reservoir has it, and the currents are not those of any machine."
        return [Finding(Severity.WRONG, "occupation", text, {"margin": margin})]
    if margin <= OCCUPIED:
        return [
            Finding(
                Severity.NOTE,
                "occupation",
                f"{text}; at that edge COP falls to 0 ever more steeply.",
                {"margin": margin},
            )
        ]
    return [Finding(Severity.FINE, "occupation", f"{text}.", {"margin": margin})]


@compiled
def _operate(machine):
    hot, cold = machine.hot.temperature, positive(machine.cold.temperature)
    reference, mu = positive(machine._reference()), machine.cold.chemical_potential
    found = Occupations(machine)
    produced, physical = entropy_produced(found), found.physical
    e3, e4 = machine.energy_3, machine.energy_4
    scale = positive(machine.width) / (2 * jnp.pi)
    heat = add_scaled(
        [found.resonances[3].change.times(e3 - e4), Scaled.of(machine.exchange).times(e3 - mu)]
    )
    meets = (e3 == e4) & (machine.exchange == 0)
    taken = Scaled(jnp.where(meets, 1.0, heat.mantissa), heat.exponent)
    per_heat = jnp.where(
        meets, entropy_per_heat_where_they_meet(machine, found), produced.over(taken)
    )
    bias = (hot - cold) / (hot * cold)

    def known(x):
        return jnp.where(physical, x, jnp.nan)

    flows, costs = scale * heat.value, scale * produced.value
    return DemonPoint(
        heat_currents={"hot": -flows, "cold": flows},
        temperatures={"hot": hot, "cold": cold},
        entropy_current=known(-costs - flows * bias),
        entropy_production=known(costs),
        cop=known(1 / (reference * (per_heat + bias))),
        carnot_cop=cold * hot / (reference * (hot - cold)),
        occupations=jnp.stack([x.filled.value for x in found.resonances]),
        logits=found.logits(),
        margin=found.margin,
        rates_over=_rates_over(machine),
        status=first(
            (~jnp.isfinite(found.margin), Status.INVALID_PARAMETER),
            (~physical, Status.NO_OCCUPATION),
            (~meets & (heat.mantissa == 0), Status.COP_UNDEFINED),
        ),
    )


def _rates_over(machine):
    """The width of the resonances over what makes them narrow: temperatures, and their
    distances."""
    found = {
        ("resonances", f"the temperature of {name!r}"): machine.width / positive(lead.temperature)
        for name, lead in machine.leads.items()
    }
    for (i, one), (j, other) in itertools.combinations(enumerate(machine.energies, 1), 2):
        meet = one == other
        apart = jnp.where(meet, 1.0, jnp.abs(one - other))
        ratio = jnp.where(meet, 0.0, machine.width / apart)
        found["resonances", f"the distance of energy_{i} and energy_{j}"] = ratio
    return found


@compiled
def _limits(machine):
    largest, change = boldest(machine)
    exchanged = (machine.energy_3 - machine.cold.chemical_potential) * machine.exchange
    return largest, machine.width / (2 * jnp.pi) * (
        (machine.energy_4 - machine.energy_3) * change + exchanged
    )


@compiled
def _minimum_cold_temperature(machine):
    def margin(temperature, machine):
        return Occupations(
            eqx.tree_at(lambda m: m.cold.temperature, machine, temperature)
        ).relative_margin

    lowest = jnp.abs(machine.energy_3 - machine.energy_4) / 20
    return bisect(margin, lowest, machine.cold.temperature, machine)
