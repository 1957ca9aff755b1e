r"""Occupations of reservoirs in no equilibrium, each given by its logit u, the entropy that a
particle carries.

$$ f = \frac{1}{e^u + 1} \ \text{(fermions)}, \qquad f = \frac{1}{e^u - 1} \ \text{(bosons)},
   \qquad u = \frac{ds}{df} $$

with s the entropy per state. In equilibrium u = (E - mu) / T. Near f = 0 and 1 the logit keeps the
digits that f loses. **Source:** Deghi and Bustos-Marun, Eqs. (4)-(7), the logarithm of Eq. (18)
corrected.
"""

import abc
import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ._numerics.modules import Module, parameter
from ._numerics.quadrature import FAR, following, graded
from ._numerics.special import endless
from ._numerics.validation import as_real, as_scalar, check, positive, rule

Shares = tuple[Float[Array, "*batch"], Float[Array, "*batch"]]

__all__ = [
    "AbstractDistribution",
    "AnyLogit",
    "LogitBasis",
    "Mixture",
    "PiecewiseConstant",
    "ShiftedLogits",
    "Thermal",
    "difference",
    "entropy",
    "filled_and_empty",
    "occupation",
    "shares",
]


class AbstractDistribution(Module):
    """A logit as a function of energy, and where it changes: dimensionless, of energies in one
    unit."""

    @abc.abstractmethod
    def __call__(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """u at this energy."""

    @abc.abstractmethod
    def breaks(self) -> list[Float[Array, " n"]]:
        """Energies between which u is smooth on its own scale, for quadratures; steps move with the
        parameters."""


class Thermal(AbstractDistribution):
    """u = (E - mu) / T of a `temperature` T > 0 and a `chemical_potential` mu."""

    temperature: Float[Array, ""] = parameter("positive", "E")
    chemical_potential: Float[Array, ""] = parameter("any", "E")

    def __init__(self, temperature: ArrayLike, chemical_potential: ArrayLike = 0.0):
        self.temperature = as_scalar(temperature, "temperature")
        self.chemical_potential = as_scalar(chemical_potential, "chemical_potential")

    def __call__(self, energy):
        return (energy - self.chemical_potential) / positive(self.temperature)

    def breaks(self):
        return [
            jax.lax.stop_gradient(
                graded(self.chemical_potential, 2 * self.temperature, 5, middle=False)
            )
        ]


class LogitBasis(AbstractDistribution):
    r"""u = (E - mu) / T + sum_k theta_k exp(-(E - e_k)^2 / (2 d_k^2)): a thermal `reference` with
    Gaussian bumps.

    `coefficients` theta, `centers` e and `widths` d > 0 have one shape, (bumps,). f stays between 0
    and 1 whatever theta is.
    """

    reference: Thermal
    coefficients: Float[Array, " bumps"] = parameter("any", "1")
    centers: Float[Array, " bumps"] = parameter("any", "E")
    widths: Float[Array, " bumps"] = parameter("positive", "E")

    def __init__(
        self, reference: Thermal, coefficients: ArrayLike, centers: ArrayLike, widths: ArrayLike
    ):
        self.reference = reference
        self.coefficients = as_real(coefficients, "coefficients")
        self.centers = as_real(centers, "centers")
        self.widths = jnp.broadcast_to(as_real(widths, "widths"), self.centers.shape)
        if self.coefficients.ndim != 1 or self.coefficients.shape != self.centers.shape:
            raise ValueError(
                f"`coefficients` and `centers` must be lists of one length, got {coefficients!r}"
                f" and {centers!r}."
            )

    def __call__(self, energy):
        distance = (energy[..., None] - _last(self.centers, energy)) / _last(
            positive(self.widths), energy
        )
        return self.reference(energy) + (
            _last(self.coefficients, energy) * jnp.exp(-(distance**2) / 2)
        ).sum(-1)

    def breaks(self):
        bumps = [graded(self.centers[k], self.widths[k], 3) for k in range(len(self.centers))]
        return [*self.reference.breaks(), *map(jax.lax.stop_gradient, bumps)]


class ShiftedLogits(AbstractDistribution):
    """u = u_k(E) + theta_k in windows [edge_k, edge_k+1): in each the logit of some thermal
    `references[k]`, shifted by `shifts[k]`.

    `edges` has one entry fewer than `references`; the first and the last window are open. With
    theta_k = 0 and the reference of the reservoir on the other side nothing flows through a window.
    """

    references: tuple[Thermal, ...]
    shifts: Float[Array, " windows"] = parameter("any", "1")
    edges: Float[Array, " edges"] = parameter("any", "E")

    def __init__(self, references: Sequence[Thermal], shifts: ArrayLike, edges: ArrayLike):
        self.references = tuple(references)
        self.shifts = as_real(shifts, "shifts")
        self.edges = as_real(edges, "edges")
        if self.shifts.shape != (len(self.references),) or self.edges.shape != (
            len(self.references) - 1,
        ):
            raise ValueError(
                f"`shifts` must have one entry for each of {len(self.references)} references and"
                " `edges` one fewer,"
                f" got shapes {self.shifts.shape} and {self.edges.shape}."
            )

    def rules(self) -> None:
        _check_rising("edges", self.edges)

    def __call__(self, energy):
        inside = _windows(energy, self.edges)
        values = jnp.stack(
            [reference(energy) + self.shifts[k] for k, reference in enumerate(self.references)],
            axis=-1,
        )
        return jnp.where(inside, values, 0).sum(-1)

    def breaks(self):
        # A shift moves the step of its reference by that many temperatures.
        moved = [
            Thermal(r.temperature, r.chemical_potential - r.temperature * self.shifts[k])
            for k, r in enumerate(self.references)
        ]
        return [x for reference in (*self.references, *moved) for x in reference.breaks()] + [
            self.edges
        ]


class PiecewiseConstant(AbstractDistribution):
    """Fermionic `occupations` f_b, 0 <= f_b <= 1, of the bins between rising `edges`; above the
    last edge it is empty, below the first one full.

    Bins wholly full or empty take entropy without limit from whoever meets them with another
    occupation: that entropy current is infinite, and so are its derivatives (they come out as large
    as the square root of the largest number, 1e154 in double precision). Everything else is finite
    there, and so are its derivatives, by an `occupations` of 0 or 1 too. For bosons it must vanish
    below as well, which a logit of energies below the first edge cannot say: use other
    distributions there.
    """

    edges: Float[Array, " edges"] = parameter("any", "E")
    occupations: Float[Array, " bins"] = parameter("nonnegative", "1")

    def __init__(self, edges: ArrayLike, occupations: ArrayLike):
        self.edges, self.occupations = as_real(edges, "edges"), as_real(occupations, "occupations")
        if self.edges.ndim != 1 or self.occupations.shape != (self.edges.shape[0] - 1,):
            raise ValueError(
                "`occupations` must have one entry fewer than `edges`, got"
                f" {self.occupations.shape} and {self.edges.shape}."
            )

    def rules(self) -> None:
        _check_rising("edges", self.edges)
        rule(
            (self.occupations,),
            lambda f: f <= 1,
            lambda f: f"`occupations` must be at most 1, got {f.tolist()}.",
        )

    def __call__(self, energy):
        f = self.occupations
        far = jnp.full((1,), jnp.inf, f.dtype)
        values = jnp.concatenate([-far, _logit(f), far])
        return jnp.where(_windows(energy, self.edges), _last(values, energy), 0).sum(-1)

    def breaks(self):
        return [self.edges]


class Mixture(AbstractDistribution):
    """f = sum_k w_k f_k of fermions, such as the two-step distribution of a biased wire: `weights`
    w > 0 with sum 1, `parts`."""

    weights: Float[Array, " parts"] = parameter("positive", "1")
    parts: tuple[AbstractDistribution, ...]

    def __init__(self, weights: ArrayLike, parts: Sequence[AbstractDistribution]):
        self.weights, self.parts = as_real(weights, "weights"), tuple(parts)
        if self.weights.shape != (len(self.parts),):
            raise ValueError(
                f"`weights` must have one entry for each of {len(self.parts)} parts, got shape"
                f" {self.weights.shape}."
            )

    def rules(self) -> None:
        rule(
            (self.weights,),
            lambda w: abs(w.sum() - 1) <= 1e-6,
            lambda w: f"`weights` must add up to 1, got {w.tolist()}.",
        )

    def __call__(self, energy):
        filled, empty = filled_and_empty(self, energy, "fermi")
        tiny = float(jnp.finfo(filled.dtype).tiny)
        near = (filled > tiny) & (empty > tiny)
        direct = jnp.log(jnp.where(near, empty, 0.5)) - jnp.log(jnp.where(near, filled, 0.5))
        return jnp.where(near, direct, self._far(energy))

    def breaks(self):
        return [x for part in self.parts for x in part.breaks()]

    def _far(self, energy):
        """The logit where f or 1 - f underflows."""
        most = endless(energy)
        logits = jnp.stack([jnp.clip(part(energy), -most, most) for part in self.parts], axis=-1)
        logs = _last(jnp.log(positive(self.weights)), energy)
        filled = jax.nn.logsumexp(logs - jax.nn.softplus(logits), axis=-1)
        empty = jax.nn.logsumexp(logs - jax.nn.softplus(-logits), axis=-1)
        found = empty - filled
        return jnp.where(jnp.abs(found) > most / 2, jnp.sign(found) * jnp.inf, found)


class AnyLogit(AbstractDistribution):
    """Any `function` of energy (an `eqx.Module`, if it has parameters), that changes at `centers`
    over `scales` (lists of numbers).

    It must tend to full far below and to empty far above, as far as 2^26 `scales` from the
    `centers`; where it goes from one to the other is found, and need not be listed. A
    `qtd.scattering.Conductor` whose integrals do not end there is refused (status UNRESOLVED), and
    so is one whose integrals meet another change that is not listed, unless it is so narrow that no
    point falls into it.
    """

    function: Callable
    centers: Float[Array, " features"] = parameter("any", "E")
    scales: Float[Array, " features"] = parameter("positive", "E")

    def __init__(self, function: Callable, centers: ArrayLike, scales: ArrayLike):
        self.function = function
        self.centers = jnp.atleast_1d(as_real(centers, "centers"))
        self.scales = jnp.broadcast_to(as_real(scales, "scales"), self.centers.shape)

    def __call__(self, energy):
        return self.function(energy)

    def breaks(self):
        listed = [jax.lax.stop_gradient(graded(c, s, 6)) for c, s in zip(self.centers, self.scales)]
        far = jnp.concatenate([graded(c, s, FAR) for c, s in zip(self.centers, self.scales)])
        return [*listed, following(self.function, far, 48)]


def shares(
    logit: Float[Array, "*batch"], statistics: str
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """f and 1 - f of fermions, f and 1 + f of bosons, neither from the other; NaN for bosons with u
    <= 0, which no state has.

    `logit` u; `statistics`: "fermi" or "bose".
    """
    if statistics == "bose":
        # Infinite, it is as legal as any other above 0.
        legal = positive(jnp.minimum(jax.lax.stop_gradient(logit), 1.0))
        more = -(legal / legal) / jnp.expm1(-logit)
        return more * jnp.exp(-logit), more
    decay = jnp.exp(jnp.where(logit > 0, -logit, logit))
    large = 1 / (1 + decay)
    return jnp.where(logit > 0, decay * large, large), jnp.where(logit > 0, large, decay * large)


@functools.singledispatch
def filled_and_empty(
    distribution: AbstractDistribution, energy: Float[Array, "*batch"], statistics: str
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """`shares` of a `distribution` at this `energy`: from its logit, unless it knows them
    themselves, as where f is 0 or 1 and the logit, which is infinite there, has no derivative.
    `statistics`: "fermi" or "bose"."""
    return shares(distribution(energy), statistics)


@filled_and_empty.register
def _(distribution: PiecewiseConstant, energy, statistics):
    f = distribution.occupations
    end = jnp.ones_like(f[:1])
    filled, empty = jnp.concatenate([end, f, 0 * end]), jnp.concatenate([0 * end, 1 - f, end])
    inside = _windows(energy, distribution.edges)

    def read(values):
        return jnp.where(inside, _last(values, energy), 0).sum(-1)

    return read(filled), read(empty) if statistics == "fermi" else 1 + read(filled)


@filled_and_empty.register
def _(distribution: Mixture, energy, statistics):
    weights = _last(positive(distribution.weights), energy)
    parts = zip(*(filled_and_empty(part, energy, statistics) for part in distribution.parts))
    filled, empty = (jnp.stack(part, axis=-1) for part in parts)
    return (weights * filled).sum(-1), (weights * empty).sum(-1)


def occupation(logit: Float[Array, "*batch"], statistics: str) -> Float[Array, "*batch"]:
    """f from the `logit`, of `statistics` "fermi" or "bose"."""
    return shares(logit, statistics)[0]


def entropy(logit: Float[Array, "*batch"], statistics: str) -> Float[Array, "*batch"]:
    """Entropy per state: -f ln f - (1 - f) ln(1 - f) of fermions, (1 + f) ln(1 + f) - f ln f of
    bosons.

    `logit` u of f; `statistics`: "fermi" or "bose".
    """
    if statistics == "fermi":
        # Even in u, and of u > 0 a sum of positive terms.
        size = jnp.abs(logit)
        known = jnp.where(jnp.isinf(size), 0.0, size)
        return jnp.where(
            jnp.isinf(size), 0.0, occupation(known, statistics) * known + jnp.log1p(jnp.exp(-known))
        )
    far = logit > 0.5
    near = jnp.log(-jnp.expm1(-jnp.where(far, 0.5, positive(logit))))
    return occupation(logit, statistics) * logit - jnp.where(
        far, jnp.log1p(-jnp.exp(-jnp.where(far, logit, 1.0))), near
    )


def difference(
    first: Float[Array, "*batch"],
    second: Float[Array, "*batch"],
    statistics: str,
    known: tuple[Shares, Shares] | None = None,
) -> Float[Array, "*batch"]:
    """f_1 - f_2 from the logits `first` and `second`, without cancellation where they are close,
    nor near f = 0 or 1.

    `statistics`: "fermi" or "bose". `known`: the `shares` of both, where they are; with them the
    derivatives are right where f is 0 or 1.
    """
    (f, more), (other, other_more) = known or (
        shares(first, statistics),
        shares(second, statistics),
    )
    # Where one of them is full or empty nothing cancels.
    ends = jnp.isinf(first) | jnp.isinf(second)
    gap = jnp.where(ends, 0.0, first) - jnp.where(ends, 0.0, second)
    rises = gap <= 0  # f_1 is the larger one
    size = jnp.expm1(jnp.where(rises, gap, -gap))
    inside = jnp.where(rises, -size * f * other_more, size * other * more)
    crowded = (more == 0) | (other_more == 0)
    return jnp.where(ends, jnp.where(crowded, other_more - more, f - other), inside)


@jax.custom_jvp
def _logit(f):
    """ln(1/f - 1), whose derivative at 0 and 1 is finite, if huge."""
    return jnp.log1p(-f) - jnp.log(f)


@_logit.defjvp
def _logit_jvp(primals, tangents):
    (f,), (change,) = primals, tangents
    spread = f * (1 - f)
    inside = spread > 0
    slope = jnp.where(inside, 1 / jnp.where(inside, spread, 1.0), endless(f))
    return _logit(f), -slope * change


def _windows(energy, edges):
    """(..., windows): whether the energy lies in each window between the edges, the outer ones
    open."""
    count = (energy[..., None] >= _last(edges, energy)).sum(-1)
    return count[..., None] == _last(jnp.arange(len(edges) + 1), energy)


def _last(values, energy):
    """Behind the axes of the energy."""
    return values.reshape((1,) * energy.ndim + values.shape)


def _check_rising(name, edges):
    check(name, edges, "any")
    rule((edges,), lambda x: x[1:] > x[:-1], lambda x: f"`{name}` must rise, got {x.tolist()}.")
