"""Occupations of the N-demon on the scale of those of its leads, which underflow at energies of a thousand temperatures.

Changes, occupations and what they produce are `Scaled`; only currents, occupations and ratios become floats.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._numerics.batching import settle
from .._numerics.scaled import Scaled, add_scaled
from .._numerics.special import decay_over, log1p_over
from ._demon_conductors import OWNERS


class Occupations(eqx.Module):
    """At the four resonances: `changes` f_l - f of the lead, f and 1 - f of the lead, and f_l and 1 - f_l of the demon, neither from the
    other. Lists of numbers, so that a batch of demons is one loop over all of them."""

    changes: list[Scaled]
    lead_filled: list[Scaled]
    lead_empty: list[Scaled]
    filled: list[Scaled]
    empty: list[Scaled]

    def __init__(self, machine):
        e1, e2, e3, e4 = machine.energies
        self.lead_filled, self.lead_empty = _leads(machine)
        unit = per_energy(machine, self.lead_filled, self.lead_empty).times(e4 - e3)
        a, n = unit.times(machine.boldness), Scaled.of(machine.exchange)
        second = add_scaled([a.times((e3 - e4) / (e1 - e2)), n.times((e1 - e3) / (e1 - e2))])
        self.changes = [add_scaled([n, second.negative]), second, add_scaled([a, n.negative]), a.negative]
        self.filled = [add_scaled([f, x]) for f, x in zip(self.lead_filled, self.changes)]
        self.empty = [add_scaled([v, x.negative]) for v, x in zip(self.lead_empty, self.changes)]

    @property
    def physical(self) -> Bool[Array, ""]:
        """Whether all lie between 0 and 1."""
        return functools.reduce(jnp.logical_and, [x.mantissa > 0 for x in (*self.filled, *self.empty)])

    @property
    def margin(self) -> Float[Array, ""]:
        """The least distance from 0 and 1; where it underflows, the smallest number of its sign."""
        least = functools.reduce(jnp.minimum, [x.value for x in (*self.filled, *self.empty)])
        tiny = float(jnp.finfo(least.dtype).tiny)
        return jnp.where(self.physical, jnp.maximum(least, tiny), jnp.minimum(least, -tiny))

    @property
    def relative_margin(self) -> Float[Array, ""]:
        """The least ratio of f_l to f of the lead, or of 1 - f_l to 1 - f: of the sign of the margin, and never too small."""
        pairs = zip((*self.filled, *self.empty), (*self.lead_filled, *self.lead_empty))
        return functools.reduce(jnp.minimum, [x.over(lead) for x, lead in pairs])

    def logits(self) -> list[Float[Array, ""]]:
        """Of the demon; NaN where it does not exist, which spoils no derivative."""
        log = lambda x: Scaled(jnp.where(self.physical, x.mantissa, 1.0), x.exponent).log
        return [jnp.where(self.physical, log(v) - log(f), jnp.nan) for f, v in zip(self.filled, self.empty)]

    def affinities(self) -> list[Float[Array, ""]]:
        """u - u_l, of the sign of f_l - f, from what always grows: +-ln(1 + |f_l - f| / (f (1 - f_l))), f the smaller of the two."""
        return [_affinity(*parts) for parts in self._pairs()]

    def times_stiffness(self, rate: Scaled) -> list[Float[Array, ""]]:
        """`rate` (u - u_l) / (f_l - f), also where both differences vanish."""
        return [_stiffness(rate, *parts) for parts in self._pairs()]

    def _pairs(self):
        return zip(self.changes, self.lead_filled, self.lead_empty, self.filled, self.empty)


def bold(machine) -> Scaled:
    """f_c(e_3) - f_c(e_4), the change a of the cold occupations at a boldness of 1."""
    return per_energy(machine, *_leads(machine)).times(machine.energy_4 - machine.energy_3)


def per_energy(machine, filled: list[Scaled], empty: list[Scaled]) -> Scaled:
    """[f_c(e_3) - f_c(e_4)] / (e_4 - e_3), also where they meet, from `filled` f and `empty` 1 - f of the leads."""
    gap = (machine.energy_4 - machine.energy_3) / machine.cold.temperature
    rises = gap > 0
    pick = lambda x, y: Scaled(jnp.where(rises, x.mantissa, y.mantissa), jnp.where(rises, x.exponent, y.exponent))
    share = pick(filled[2] * empty[3], filled[3] * empty[2])  # of the smaller logit f, of the larger one 1 - f
    # Not the absolute value, whose slope at 0 would be neither that of one side nor of the other.
    return share.times(decay_over(jnp.where(rises, gap, -gap)) / machine.cold.temperature)


def boldest(machine) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The largest boldness at which the occupation exists, and the change a of the cold occupations there."""
    modest = Occupations(eqx.tree_at(lambda m: m.boldness, machine, jnp.zeros_like(machine.boldness)))
    e1, e2, e3, e4 = machine.energies
    unit = bold(machine)
    direction = jnp.where(unit.mantissa < 0, -1.0, 1.0).astype(unit.mantissa.dtype)
    ratio = (e3 - e4) / (e1 - e2)
    bounds, changes = [], []
    for share, filled, empty in zip((-ratio, ratio, 1.0, -1.0), modest.filled, modest.empty):
        change = direction * share
        grows, moves = change > 0, (change != 0) & (unit.mantissa != 0)
        # Up to 1 where an occupation grows, down to 0 where it falls.
        room = Scaled(jnp.where(grows, empty.mantissa, filled.mantissa), jnp.where(grows, empty.exponent, filled.exponent))
        size = jnp.where(moves, change * jnp.where(grows, 1.0, -1.0), 1.0)
        per_boldness = Scaled(jnp.where(moves, direction * unit.mantissa, 1.0), unit.exponent)
        bounds.append(jnp.where(moves, room.over(per_boldness) / size, jnp.inf))
        changes.append(jnp.where(change != 0, room.value / size, jnp.inf))
    return functools.reduce(jnp.minimum, bounds), direction * functools.reduce(jnp.minimum, changes)


def _leads(machine):
    """f and 1 - f of the leads at the resonances."""
    logits = [machine.leads[name].logit(energy) for name, energy in zip(OWNERS, machine.energies)]
    scaled = lambda logit: Scaled.exp(settle(-jax.nn.softplus(logit)))
    return [scaled(u) for u in logits], [scaled(-u) for u in logits]


def _ratio(change, lead_filled, lead_empty, filled, empty):
    """|f_l - f|, the smaller f times the smaller 1 - f, and their quotient, which ends at e^600."""
    rises = change.mantissa > 0
    up, down = lead_filled * empty, filled * lead_empty
    width = jnp.where(rises, up.mantissa, down.mantissa)
    width = jnp.where(width > 0, width, 1.0)  # no demon; its derivatives must not spoil those of others
    width = Scaled(width, jnp.where(rises, up.exponent, down.exponent))
    size = Scaled(jnp.where(rises, change.mantissa, -change.mantissa), change.exponent)
    return rises, size, width, size.over(width)


def _affinity(*parts):
    rises, size, width, ratio = _ratio(*parts)
    moves = size.mantissa > 0
    logarithm = Scaled(jnp.where(moves, size.mantissa, 1.0), size.exponent).log - width.log
    far = moves & (logarithm > 40)  # where the quotient is 1 + itself, and its powers overflow
    near = jnp.where(far, 0.0, ratio)
    grown = jnp.where(far, logarithm, settle(log1p_over(settle(near))) * near)
    return jnp.where(rises, grown, -grown)


def _stiffness(rate, *parts):
    _, _, width, ratio = _ratio(*parts)
    return rate.over(width) * settle(log1p_over(settle(ratio)))


def entropy_produced(occupations: Occupations) -> Scaled:
    """The sum of (f_l - f) (u - u_l) over the resonances: no term is negative, so no digits are lost."""
    return add_scaled([x.times(affinity) for x, affinity in zip(occupations.changes, occupations.affinities())])


def entropy_per_heat_where_they_meet(machine, occupations: Occupations) -> Float[Array, ""]:
    """The entropy produced over the heat for e_3 = e_4 without exchange, where both vanish as (e_4 - e_3)^2."""
    e1, e2, e3, e4 = machine.energies
    slope = per_energy(machine, occupations.lead_filled, occupations.lead_empty).times(machine.boldness)
    share = ((e4 - e3) / (e1 - e2)) ** 2
    parts = occupations.times_stiffness(slope)
    return share * (parts[0] + parts[1]) + parts[2] + parts[3]
