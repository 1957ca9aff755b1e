"""Occupations of the N-demon on the scale of those of its leads, which underflow at energies of a
thousand temperatures.

Changes, occupations and what they produce are `Scaled`; only currents, occupations and ratios
become floats.
"""

import functools
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._numerics.batching import settle
from .._numerics.elementary import log1p
from .._numerics.scaled import Scaled, add_scaled, filled_and_empty
from .._numerics.special import decay_over
from ._demon_conductors import OWNERS


class Resonance(eqx.Module):
    """What the demon is at one of its resonances: `change` f_l - f of the lead, f and 1 - f of the
    lead, and f_l and 1 - f_l of the demon, neither from the other."""

    change: Scaled
    lead_filled: Scaled
    lead_empty: Scaled
    filled: Scaled
    empty: Scaled

    def __init__(self, change: Scaled, lead_filled: Scaled, lead_empty: Scaled):
        self.change, self.lead_filled, self.lead_empty = change, lead_filled, lead_empty
        self.filled = add_scaled([lead_filled, change])
        self.empty = add_scaled([lead_empty, change.negative])

    @property
    def is_physical(self) -> Bool[Array, ""]:
        """Whether f_l lies between 0 and 1."""
        return (self.filled.mantissa > 0) & (self.empty.mantissa > 0)

    @property
    def margin(self) -> Float[Array, ""]:
        """The distance from 0 and 1, which may underflow."""
        return jnp.minimum(self.filled.value, self.empty.value)

    @property
    def relative_margin(self) -> Float[Array, ""]:
        """The smaller of the ratios of f_l to f of the lead and of 1 - f_l to 1 - f."""
        return jnp.minimum(self.filled.over(self.lead_filled), self.empty.over(self.lead_empty))

    def affinity(self) -> Float[Array, ""]:
        """u - u_l, of the sign of f_l - f, from what always grows: +-ln(1 + |f_l - f| / (f (1 -
        f_l))), f the smaller of the two."""
        rises, ratio = self._ratio()
        # Where the quotient is 1 + itself, and may overflow: of its mantissa alone.
        far = ratio.exponent > 60
        near = jnp.where(far, ratio.mantissa - 1, ratio.end)
        grown = log1p(near) + jnp.where(far, ratio.log_of_scale, 0.0)
        return settle(jnp.where(rises, grown, -grown))

    def times_stiffness(self, rate: Scaled) -> Float[Array, ""]:
        """`rate` (u - u_l) / (f_l - f) where both differences vanish, with three derivatives."""
        _, ratio = self._ratio()
        # Only 0 counts; elsewhere no derivative may overflow.
        x = jnp.minimum(ratio.end, 1.0)
        return rate.over(self._width()) * (1 - x * (1 / 2 - x * (1 / 3 - x / 4)))

    def _ratio(self):
        """Whether f_l is the larger one, and |f_l - f| over the smaller f times the smaller 1 -
        f."""
        rises = self.change.mantissa > 0
        size = Scaled.where(rises, self.change, self.change.negative)
        return rises, (size / self._width()).normal.settled

    def _width(self):
        """The smaller f times the smaller 1 - f."""
        up, down = self.lead_filled * self.empty, self.filled * self.lead_empty
        width = Scaled.where(self.change.mantissa > 0, up, down)
        # No demon where it is not positive; its derivatives must not spoil those of others.
        return Scaled(jnp.where(width.mantissa > 0, width.mantissa, 1.0), width.exponent).settled


class Occupations(eqx.Module):
    """The demon at its four `resonances`. One by one: arrays of four would leave the processor's
    vectors half empty."""

    resonances: tuple[Resonance, ...]

    def __init__(self, machine):
        e1, e2, e3, e4 = machine.energies
        filled, empty = _leads(machine)
        a = per_energy(machine, filled, empty).times((e4 - e3) * machine.boldness)
        exchange = Scaled.of(machine.exchange)
        b = a.times((e3 - e4) / (e1 - e2))
        changes = (
            add_scaled([b.negative, exchange.times((e3 - e2) / (e1 - e2))]),
            add_scaled([b, exchange.times((e1 - e3) / (e1 - e2))]),
            add_scaled([a, exchange.negative]),
            a.negative,
        )
        self.resonances = tuple(map(Resonance, changes, filled, empty))

    @property
    def physical(self) -> Bool[Array, ""]:
        """Whether all lie between 0 and 1."""
        return functools.reduce(jnp.logical_and, (x.is_physical for x in self.resonances))

    @property
    def margin(self) -> Float[Array, ""]:
        """The least distance from 0 and 1; where it underflows, the smallest number of its sign."""
        least = functools.reduce(jnp.minimum, (x.margin for x in self.resonances))
        tiny = float(jnp.finfo(least.dtype).tiny)
        return jnp.where(self.physical, jnp.maximum(least, tiny), jnp.minimum(least, -tiny))

    @property
    def relative_margin(self) -> Float[Array, ""]:
        """The least ratio of f_l to f of the lead, or of 1 - f_l to 1 - f: of the sign of the
        margin, and never too small."""
        return functools.reduce(jnp.minimum, (x.relative_margin for x in self.resonances))

    def logits(self) -> Float[Array, "4"]:
        """Logits of the demon; NaN where it does not exist, which spoils no derivative."""
        physical = self.physical

        def log(x):
            return Scaled(jnp.where(physical, x.mantissa, 1.0), x.exponent).log

        found = [log(x.empty) - log(x.filled) for x in self.resonances]
        return jnp.stack([jnp.where(physical, x, jnp.nan) for x in found])


def _shares(machine):
    """Shares of the change a of the cold occupations in those of the four resonances."""
    e1, e2, e3, e4 = machine.energies
    ratio, one = (e3 - e4) / (e1 - e2), jnp.ones_like(e1)
    return -ratio, ratio, one, -one


def bold(machine) -> Scaled:
    """f_c(e_3) - f_c(e_4), the change a of the cold occupations at a boldness of 1."""
    return per_energy(machine, *_leads(machine)).times(machine.energy_4 - machine.energy_3)


def per_energy(machine, filled: Sequence[Scaled], empty: Sequence[Scaled]) -> Scaled:
    """[f_c(e_3) - f_c(e_4)] / (e_4 - e_3), also where they meet, from `filled` f and `empty` 1 - f
    of the leads."""
    gap = (machine.energy_4 - machine.energy_3) / machine.cold.temperature
    rises = gap > 0
    # of the smaller logit f, of the larger one 1 - f
    share = Scaled.where(rises, filled[2] * empty[3], filled[3] * empty[2])
    # Not the absolute value, whose slope at 0 would be neither that of one side nor of the other.
    slope = decay_over(jnp.where(rises, gap, -gap)) / machine.cold.temperature
    return share.times(slope).settled


def boldest(machine) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The largest boldness at which the occupation exists, and the change a of the cold occupations
    there."""
    modest = Occupations(
        eqx.tree_at(lambda m: m.boldness, machine, jnp.zeros_like(machine.boldness))
    )
    unit = bold(machine)
    direction = jnp.where(unit.mantissa < 0, -1.0, 1.0).astype(unit.mantissa.dtype)
    bounds, changes = [], []
    for resonance, share in zip(modest.resonances, _shares(machine)):
        change = direction * share
        moves = (change != 0) & (unit.mantissa != 0)
        # Up to 1 where an occupation grows, down to 0 where it falls.
        room = Scaled.where(change > 0, resonance.empty, resonance.filled)
        size = jnp.where(moves, jnp.abs(change), 1.0)
        per_boldness = Scaled(jnp.where(moves, direction * unit.mantissa, 1.0), unit.exponent)
        bounds.append(jnp.where(moves, room.over(per_boldness) / size, jnp.inf))
        changes.append(jnp.where(change != 0, room.value / size, jnp.inf))
    return (
        functools.reduce(jnp.minimum, bounds),
        direction * functools.reduce(jnp.minimum, changes),
    )


def _leads(machine):
    """f and 1 - f of the leads at the resonances."""
    logits = [machine.leads[owner].logit(energy) for owner, energy in zip(OWNERS, machine.energies)]

    found = [filled_and_empty(x) for x in logits]
    return [filled for filled, _ in found], [empty for _, empty in found]


def entropy_produced(occupations: Occupations) -> Scaled:
    """The sum of (f_l - f) (u - u_l) over the resonances: no term is negative, so no digits are
    lost."""
    return add_scaled([x.change.times(x.affinity()) for x in occupations.resonances])


def entropy_per_heat_where_they_meet(machine, occupations: Occupations) -> Float[Array, ""]:
    """The entropy produced over the heat for e_3 = e_4 without exchange, where both vanish as (e_4
    - e_3)^2."""
    e1, e2, e3, e4 = machine.energies
    leads = zip(*((x.lead_filled, x.lead_empty) for x in occupations.resonances))
    slope = per_energy(machine, *leads).times(machine.boldness)
    share = ((e4 - e3) / (e1 - e2)) ** 2
    parts = [x.times_stiffness(slope) for x in occupations.resonances]
    return share * (parts[0] + parts[1]) + parts[2] + parts[3]
