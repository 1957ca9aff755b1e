"""Steady velocities: where the torque integrated over a turn meets a load, by the series and
exactly."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from .._numerics.compilation import compiled
from .._numerics.printing import readable
from .._numerics.roots import bracketed, roots_or_infinity
from .._numerics.validation import is_concrete, missing, whole
from ..status import Status, first, raise_if_known
from ._driven import Network, as_asked
from .series import Coefficients, coefficients
from .turns import flows, turn_in_panels

__all__ = ["Velocities", "exact_velocities", "steady_velocities"]

_SLOTS = 8  # steady velocities of the exact torque that are told apart


class Velocities(eqx.Module):
    """Steady velocities, `values`, in rising order, NaN for the roots that are complex, or that
    there are not.

    `stable`: a small change of velocity dies out, dC_F / dv < 0. `omitted`: the next two terms of
    the series over the largest of those kept, 0 to 0.5 where it may be believed; 0 for the exact
    torque. `status` of each: UNTRUSTED where `omitted` is larger, FOLD where two roots merge and
    derivatives are infinite, INACCURATE where `Coefficients.rounding` moves the root by more than
    1e-6 of itself, as it does in equilibrium without a load.
    """

    values: Float[Array, " roots"]
    stable: Bool[Array, " roots"]
    omitted: Float[Array, " roots"]
    status: Int[Array, " roots"]

    @property
    def complex_roots(self) -> Int[Array, ""]:
        """How many roots of the polynomial are not real."""
        return jnp.isnan(self.values).sum(-1)

    @property
    def slowest(self) -> tuple[Float[Array, ""], Float[Array, ""], Int[Array, ""]]:
        """The slowest stable velocity with its `omitted` and `status`; NaN and NOT_CONVERGED if
        there is none."""
        i = jnp.argmin(jnp.where(self.stable, jnp.abs(self.values), jnp.inf))
        some = jnp.any(self.stable)
        # Why nothing could be computed.
        reason = jnp.max(jnp.where(jnp.isfinite(self.values), 0, self.status))
        status = jnp.where(
            reason > 0, reason, jnp.asarray(int(Status.NOT_CONVERGED), self.status.dtype)
        )
        return (
            missing(~some, self.values[i]),
            missing(~some, self.omitted[i]),
            jnp.where(some, self.status[i], status),
        )

    def __repr__(self) -> str:
        rows = [
            ("v", self.values, "steady velocities"),
            ("stable", self.stable, "1: small changes die out"),
        ]
        rows += [
            ("omitted", self.omitted, "next two terms of the series over those kept"),
            ("status", self.status, "0: fine"),
        ]
        return readable(self, "where torque and load balance", rows)


def steady_velocities(
    network: Network,
    load: ArrayLike,
    order: int = 3,
    panels: int | None = None,
    angles: int | None = None,
) -> Velocities:
    """Constant velocities at which the torque of `network` integrated over a turn is `load` = 2 pi
    F_ext: all real roots of the series to `order` >= 1.

    For a rotor of large inertia; with implicit derivatives. The series is asymptotic: roots at
    which it cannot be believed have the status UNTRUSTED; `exact_velocities` does without it.
    `panels` and `angles` as in `coefficients`. **Source:** Eqs. (60)-(64).
    """
    whole(order, "order", 1)
    found = _steady_velocities(network, as_asked(network, load, "load"), order, panels, angles)
    _raise(found)
    return found


def exact_velocities(
    network: Network, load: ArrayLike, samples: int = 64, panels: int | None = None
) -> Velocities:
    """All constant velocities at which the torque of `cycle` of `network` is `load` = 2 pi F_ext:
    up to 8, with implicit derivatives.

    Looked for between `samples` velocities of either sign, from 1e-4 to 30 times the mean rate at
    which a level is left, evenly on a logarithmic scale; two roots between the same neighbours are
    overlooked. UNRESOLVED where there are more than 8, or where `panels`, as in `cycle`, do not
    suffice.
    """
    load = as_asked(network, load, "load")
    found = _exact_velocities(network, load, samples, panels or 96)
    if panels is None and is_concrete(found.status) and jnp.any(found.status == Status.UNRESOLVED):
        found = _exact_velocities(network, load, samples, 384)
    _raise(found)
    return found


def _raise(found):
    for status in found.status if found.status.ndim == 1 else ():
        raise_if_known(status, Status.INVALID_PARAMETER, Status.NO_UNIQUE_STEADY_STATE)


@compiled
def _steady_velocities(network, load, order, panels, angles):
    found = velocities_of(coefficients(network, order + 2, panels, angles), load, order)

    def told(x):
        return missing(jnp.isinf(found.values), x)

    return Velocities(told(found.values), found.stable, told(found.omitted), found.status)


def velocities_of(series: Coefficients, load: Float[Array, ""], order: int) -> Velocities:
    """`steady_velocities` from a series that is known to two orders more; infinite where those are
    NaN."""
    kept = series.torque[: order + 1].at[0].add(-load)
    values = roots_or_infinity(kept)
    real = jnp.isfinite(values)
    powers = jnp.arange(order + 3, dtype=values.dtype)
    # Without a root there is nothing to take derivatives of.
    at = jnp.where(real, values, 1.0)
    terms = jnp.abs(series.torque[None] * at[:, None] ** powers[None])
    omitted = terms[:, order + 1 :].max(1) / terms[:, 1 : order + 1].max(1)
    slopes = (
        powers[None, 1 : order + 1]
        * kept[None, 1:]
        * at[:, None] ** (powers[None, 1 : order + 1] - 1)
    )
    slope = slopes.sum(1)
    merges = jnp.abs(slope) < 1e-6 * jnp.abs(slopes).sum(1)
    doubt = (
        series.rounding[None, : order + 1] * jnp.abs(at)[:, None] ** powers[None, : order + 1]
    ).sum(1)
    status = first(
        (series.status > 0, series.status),
        (merges, Status.FOLD),
        (~(omitted <= 0.5), Status.UNTRUSTED),
        (doubt > 1e-6 * jnp.abs(slope * at), Status.INACCURATE),
    )
    failed = ~real & (series.status == 0)
    return Velocities(
        values, (slope < 0) & real, jnp.where(real, omitted, jnp.inf), jnp.where(failed, 0, status)
    )


@compiled
def _exact_velocities(network, load, samples, panels):
    ways = jnp.array([-1.0, 1.0], load.dtype)
    turns = jax.vmap(lambda way: turn_in_panels(network, way, panels))(ways)

    def flows_at(v, turns):
        return flows(jax.tree.map(lambda x: jnp.where(v < 0, x[0], x[1]), turns), v)

    def excess(v, known):
        return flows_at(v, known[0]).torque - known[1]

    frozen = lax.stop_gradient((turns, load))
    forwards = jax.tree.map(lambda x: x[1], frozen[0])
    rate = -(
        jnp.diagonal(forwards.generators, axis1=-2, axis2=-1).mean((1, 2)) * forwards.sizes
    ).sum() / (2 * jnp.pi)
    speeds = rate * jnp.geomspace(1e-4, 30.0, samples, dtype=load.dtype)
    velocities = jnp.concatenate([-speeds[::-1], speeds])
    values = lax.map(lambda v: excess(v, frozen), velocities, batch_size=8)
    crosses = (values[1:] > 0) != (values[:-1] > 0)
    (left,) = jnp.nonzero(crosses, size=_SLOTS, fill_value=-1)

    def refined(i):
        found = bracketed(
            excess, (velocities[i], velocities[i + 1]), (values[i], values[i + 1]), (turns, load)
        )

        def at(v):
            return flows_at(v, frozen[0])

        turn, slopes = eqx.filter_jvp(at, (lax.stop_gradient(found),), (jnp.ones_like(load),))
        return found, slopes.torque, turn.status

    def nothing(i):
        return (jnp.full_like(load, jnp.nan),) * 2 + (jnp.asarray(0),)

    roots, slopes, told = lax.map(lambda i: lax.cond(i < 0, nothing, refined, i), left)
    empty = left < 0
    merges = jnp.abs(slopes * roots) < 1e-6 * jnp.abs(values + load).max()
    lost = jnp.isnan(roots) & ~empty
    status = first(
        (~jnp.all(jnp.isfinite(values)), Status.NO_UNIQUE_STEADY_STATE),
        (lost, Status.NOT_CONVERGED),
        (told > 0, told),
        (crosses.sum() > _SLOTS, Status.UNRESOLVED),
        (merges & ~empty, Status.FOLD),
    )
    return Velocities(
        roots, (slopes < 0) & ~jnp.isnan(roots), jnp.where(empty, jnp.nan, 0.0), status
    )
