"""Occupations of the N-demon on the scale of those of its leads, which underflow at energies of a
thousand temperatures.

Changes, occupations and what they produce are `Scaled`; only currents, occupations and ratios
become floats.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._numerics.batching import settle
from .._numerics.scaled import Scaled, add_scaled
from .._numerics.special import decay_over, log1p_over
from ._demon_conductors import OWNERS


class Occupations(eqx.Module):
    """Occupations at the four resonances: `changes` f_l - f of the lead, f and 1 - f of the lead,
    and f_l and 1 - f_l of the demon, neither from the other."""

    changes: Scaled
    lead_filled: Scaled
    lead_empty: Scaled
    filled: Scaled
    empty: Scaled

    def __init__(self, machine):
        e1, e2, e3, e4 = machine.energies
        self.lead_filled, self.lead_empty = _leads(machine)
        a = per_energy(machine, self.lead_filled, self.lead_empty).times(
            (e4 - e3) * machine.boldness
        )
        exchanged = jnp.stack(
            [(e3 - e2) / (e1 - e2), (e1 - e3) / (e1 - e2), -jnp.ones_like(e1), jnp.zeros_like(e1)]
        )
        self.changes = add_scaled(
            [a.times(_shares(machine)), Scaled.of(machine.exchange).times(exchanged)]
        )
        self.filled = add_scaled([self.lead_filled, self.changes])
        self.empty = add_scaled([self.lead_empty, self.changes.negative])

    @property
    def physical(self) -> Bool[Array, ""]:
        """Whether all lie between 0 and 1."""
        return jnp.all((self.filled.mantissa > 0) & (self.empty.mantissa > 0))

    @property
    def margin(self) -> Float[Array, ""]:
        """The least distance from 0 and 1; where it underflows, the smallest number of its sign."""
        least = jnp.min(jnp.minimum(self.filled.value, self.empty.value))
        tiny = float(jnp.finfo(least.dtype).tiny)
        return jnp.where(self.physical, jnp.maximum(least, tiny), jnp.minimum(least, -tiny))

    @property
    def relative_margin(self) -> Float[Array, ""]:
        """The least ratio of f_l to f of the lead, or of 1 - f_l to 1 - f: of the sign of the
        margin, and never too small."""
        return jnp.min(
            jnp.minimum(self.filled.over(self.lead_filled), self.empty.over(self.lead_empty))
        )

    def logits(self) -> Float[Array, "4"]:
        """Logits of the demon; NaN where it does not exist, which spoils no derivative."""

        def log(x):
            return Scaled(jnp.where(self.physical, x.mantissa, 1.0), x.exponent).log

        return jnp.where(self.physical, log(self.empty) - log(self.filled), jnp.nan)

    def affinities(self) -> Float[Array, "4"]:
        """u - u_l, of the sign of f_l - f, from what always grows: +-ln(1 + |f_l - f| / (f (1 -
        f_l))), f the smaller of the two."""
        return _affinity(*self._parts())

    def times_stiffness(self, rate: Scaled) -> Float[Array, "4"]:
        """`rate` (u - u_l) / (f_l - f), also where both differences vanish."""
        return _stiffness(rate, *self._parts())

    def _parts(self):
        return self.changes, self.lead_filled, self.lead_empty, self.filled, self.empty


def _shares(machine):
    """Shares of the change a of the cold occupations in those of the four resonances."""
    e1, e2, e3, e4 = machine.energies
    ratio = (e3 - e4) / (e1 - e2)
    return jnp.stack([-ratio, ratio, jnp.ones_like(ratio), -jnp.ones_like(ratio)])


def bold(machine) -> Scaled:
    """f_c(e_3) - f_c(e_4), the change a of the cold occupations at a boldness of 1."""
    return per_energy(machine, *_leads(machine)).times(machine.energy_4 - machine.energy_3)


def per_energy(machine, filled: Scaled, empty: Scaled) -> Scaled:
    """[f_c(e_3) - f_c(e_4)] / (e_4 - e_3), also where they meet, from `filled` f and `empty` 1 - f
    of the leads."""
    gap = (machine.energy_4 - machine.energy_3) / machine.cold.temperature
    rises = gap > 0
    # of the smaller logit f, of the larger one 1 - f
    share = Scaled.where(rises, filled[2] * empty[3], filled[3] * empty[2])
    # Not the absolute value, whose slope at 0 would be neither that of one side nor of the other.
    return share.times(decay_over(jnp.where(rises, gap, -gap)) / machine.cold.temperature)


def boldest(machine) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The largest boldness at which the occupation exists, and the change a of the cold occupations
    there."""
    modest = Occupations(
        eqx.tree_at(lambda m: m.boldness, machine, jnp.zeros_like(machine.boldness))
    )
    unit = bold(machine)
    direction = jnp.where(unit.mantissa < 0, -1.0, 1.0).astype(unit.mantissa.dtype)
    change = direction * _shares(machine)
    grows, moves = change > 0, (change != 0) & (unit.mantissa != 0)
    # up to 1 where an occupation grows, down to 0 where it falls
    room = Scaled.where(grows, modest.empty, modest.filled)
    size = jnp.where(moves, jnp.abs(change), 1.0)
    per_boldness = Scaled(
        jnp.where(moves, direction * unit.mantissa, 1.0),
        jnp.broadcast_to(unit.exponent, size.shape),
    )
    bounds = jnp.where(moves, room.over(per_boldness) / size, jnp.inf)
    changes = jnp.where(change != 0, room.value / size, jnp.inf)
    return jnp.min(bounds), direction * jnp.min(changes)


def _leads(machine):
    """f and 1 - f of the leads at the resonances."""
    e1, e2, e3, e4 = machine.energies
    logits = jnp.concatenate(
        [machine.hot.logit(jnp.stack([e1, e2])), machine.cold.logit(jnp.stack([e3, e4]))]
    )

    def scaled(logit):
        return Scaled.exp(settle(-jax.nn.softplus(logit)))

    return scaled(logits), scaled(-logits)


def _ratio(change, lead_filled, lead_empty, filled, empty):
    """|f_l - f|, the smaller f times the smaller 1 - f, and their quotient, which ends at e^600."""
    rises = change.mantissa > 0
    up, down = lead_filled * empty, filled * lead_empty
    width = Scaled.where(rises, up, down)
    # No demon where it is not positive; its derivatives must not spoil those of others.
    width = Scaled(jnp.where(width.mantissa > 0, width.mantissa, 1.0), width.exponent)
    size = Scaled.where(rises, change, change.negative)
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
    """The sum of (f_l - f) (u - u_l) over the resonances: no term is negative, so no digits are
    lost."""
    terms = occupations.changes.times(occupations.affinities())
    return add_scaled([terms[k] for k in range(len(OWNERS))])


def entropy_per_heat_where_they_meet(machine, occupations: Occupations) -> Float[Array, ""]:
    """The entropy produced over the heat for e_3 = e_4 without exchange, where both vanish as (e_4
    - e_3)^2."""
    e1, e2, e3, e4 = machine.energies
    slope = per_energy(machine, occupations.lead_filled, occupations.lead_empty).times(
        machine.boldness
    )
    share = ((e4 - e3) / (e1 - e2)) ** 2
    parts = occupations.times_stiffness(slope)
    return share * (parts[0] + parts[1]) + parts[2] + parts[3]
