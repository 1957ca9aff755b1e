"""Steady states and responses of wide generators, by iteration: what is done to a state between its
levels, to populations and to each coherence alone, is undone, and what is left decreases with each
step.
"""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from .coherent_elimination import CoherentElimination
from .jax_internals.primitives import primitive
from .krylov import minimal_residual
from .wide import Blocks, Operators, Parts, Products, WideGenerator, kept_of, parted

_RARE = 1e-8  # of populations: those below are as good as this against rounding of the others


class _Factors(NamedTuple):
    """`generator`: between levels of H, whose `states` are columns by class, None where blocks are
    of levels already; `coherences`: 1 over what each of them is multiplied with per time;
    `populations`: the inverse of the rates between levels; `start`: their stationary state, by
    class, as it is given; `sizes`: about how large the elements of a state of levels are."""

    generator: WideGenerator
    states: Operators | None
    coherences: Parts
    populations: Float[Array, "levels levels"]
    start: Blocks
    sizes: Blocks


class WideElimination(eqx.Module):
    r"""What solves for states of a `generator` L, which is applied and never written down.

    The rate equation between the levels of H, swept without subtractions, and the decay of each
    coherence by itself are L up to first order in the rates over the gaps. These are undone, and
    what else couples the numbers is left to minimal residuals, which take few steps where couplings
    are weak. What is solved is M = L + s u t^T, with the trace t, the rate s, and u, the state
    `start` of the rate equation: as t^T L = 0, M x = y has the solution of L x = y without trace,
    for y without trace. Residuals are weighed with the populations, so that rare states are as
    right as others. What has not converged is NaN.

    `times`: the largest time between levels, infinite where the rates leave some apart.
    """

    generator: WideGenerator
    factors: _Factors
    times: Float[Array, ""]

    def __init__(
        self,
        generator: WideGenerator,
        energies: Float[Array, "classes n"],
        states: Operators | None,
    ):
        self.generator = generator
        known = lax.stop_gradient((generator, energies, states))
        self.factors, self.times = lax.stop_gradient(_factored(*known))

    @property
    def start(self) -> Blocks:
        """The state of the rate equation between levels."""
        return self.factors.start

    def solve(self, y: Blocks) -> Blocks:
        """x with L x = y and no trace, for y without trace."""
        factors, rounding = lax.stop_gradient(self.factors), _rounding(y)
        return lax.custom_linear_solve(
            self._bordered,
            y,
            lambda _, right: _iterate(factors, right, rounding, False),
            lambda _, right: _iterate(factors, right, rounding, True),
        )

    def value(self, y: Blocks, tolerance: float | None = None) -> Blocks:
        """`solve` of the same `y` without derivatives, to some `tolerance`, by default to
        rounding."""
        factors, y = lax.stop_gradient((self.factors, y))
        return _iterate(factors, y, _rounding(y) if tolerance is None else tolerance, False)

    def following(self, state: Blocks) -> Blocks:
        """0, with the derivatives that the stationary `state` has, itself a constant."""
        return _following(self, lax.stop_gradient(state))

    def _bordered(self, x):
        trace = self.generator.products.wide.trace(x)
        source = lax.stop_gradient(self.generator.scale * self.factors.start)
        return self.generator.apply(x) + source * trace

    def is_regular(self, gross: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether no level is left apart by rates that are `gross` at most."""
        return gross * self.times < 0.01 / jnp.finfo(self.times.dtype).eps


@jax.custom_jvp
def _following(elimination, state):
    return jnp.zeros_like(state)


@_following.defjvp
def _following_jvp(primals, tangents):
    """M rho = 0 gives M d rho = -dM rho."""
    elimination, state = primals
    found = _following(elimination, state)

    def change(generator):
        return generator.apply(state + found)

    moved = jax.jvp(change, (elimination.generator,), (tangents[0].generator,))[1]
    return found, elimination.solve(-moved)


def _rounding(x):
    return 10 * float(jnp.finfo(x.dtype).eps)


def _factored(generator, energies, states):
    """The factors, and the largest time between levels."""
    products, scale = generator.products, generator.scale
    wide, kept = products.wide, products.kept
    if states is not None:
        targets = states.mapped(lambda x: x[wide.targets])
        left, right = (x.between(states, targets) for x in (products.left, products.right))
        products = Products(left, right, kept, wide, products.which)
    lost = products.lost()
    unit = jnp.eye(wide.sectors.width, dtype=energies.dtype)
    levels = energies[:, :, None] * unit[None]
    leaving = lost._replace(imaginary=levels if lost.imaginary is None else lost.imaginary + levels)
    left, right = products.left.whole, products.right.whole
    rates = wide.collected(jnp.maximum(2 * jnp.real(left * jnp.conj(right)), 0))
    off_diagonal = rates * (1 - jnp.eye(wide.size, dtype=rates.dtype))
    swept = CoherentElimination(off_diagonal, wide.size).factors
    own = jnp.asarray(wide.targets == np.arange(wide.sectors.count))[:, :, None]
    dephasing = jnp.where(own, jnp.diagonal(left, axis1=-2, axis2=-1), 0)
    jumped = jnp.where(own, jnp.diagonal(right, axis1=-2, axis2=-1), 0)
    made = (dephasing[..., :, None] * jnp.conj(jumped)[..., None, :]).sum(0)
    away = jnp.diagonal(leaving.whole, axis1=-2, axis2=-1)
    decay = made + jnp.conj(jnp.swapaxes(made, -1, -2))
    decay = decay - away[:, :, None] - jnp.conj(away)[:, None, :]
    decay = jnp.where(kept > 0, decay, -scale.astype(decay.dtype))
    is_coherence = wide.of_populations(jnp.ones_like(swept.state)) == 0
    is_there = is_coherence & (decay != 0)
    inverse = jnp.where(is_there, 1 / jnp.where(is_there, decay, 1), 0)
    start = wide.of_populations(swept.state)
    size = jnp.maximum(swept.state, _RARE * jnp.max(swept.state))
    roots = wide.by_class(jnp.sqrt(size), 1.0)
    factors = _Factors(
        WideGenerator(products, leaving, scale),
        states,
        jnp.stack([inverse.real, inverse.imag]),
        _inverse_of_rates(swept, scale),
        start if states is None else _turned(states, start),
        roots[:, :, None] * roots[:, None, :],
    )
    return factors, jnp.max(jnp.abs(swept.times))


def _turned(states, blocks):
    """V x V^+, of `blocks` x of a state."""
    return kept_of(states.after(states.times(parted(blocks))))


def _inverse_of_rates(swept, scale):
    """That of W + s p t^T, with the rates W and their state p."""
    state, inverse = swept.state, -swept.times
    inverse = inverse - state[:, None] * inverse.sum(0)[None]
    return inverse - (inverse @ state)[:, None] + state[:, None] / scale


def _improved(factors, y):
    """x with W x = y of populations, and D x = y of each coherence."""
    wide = factors.generator.products.wide
    (real, imaginary), (c, s) = parted(y), factors.coherences
    populations = wide.of_populations(factors.populations @ wide.diagonal(real))
    return kept_of(jnp.stack([real * c - imaginary * s + populations, real * s + imaginary * c]))


def _iterate(factors, y, tolerance, transposed):
    operands, structure = jax.tree.flatten((factors, y))
    ranks = tuple(x.ndim for x in operands)
    return _iterated(
        *operands, structure=structure, ranks=ranks, tolerance=tolerance, transposed=transposed
    )


def _by_point(*operands, structure, ranks, tolerance, transposed):
    shape = operands[-1].shape
    points = [
        jnp.moveaxis(x.reshape(*x.shape[:rank], -1), -1, 0) for x, rank in zip(operands, ranks)
    ]

    def together(points):
        factors, y = jax.tree.unflatten(structure, points)
        return _solved(factors, y, tolerance, transposed)

    def one_after_another(points):
        # What one point is made orthogonal to fits into a processor's cache.
        return lax.map(lambda point: together([x[None] for x in point])[0], points)

    if len(points[-1]) == 1:
        found = together(points)
    else:
        found = lax.platform_dependent(points, cpu=one_after_another, default=together)
    return jnp.moveaxis(found, 0, -1).reshape(shape)


def _solved(factors, y, tolerance, transposed):
    wide, states = factors.generator.products.wide, factors.states

    def between(states, x):
        return x if states is None else jax.vmap(_turned)(states, x)

    def step(factors, x):
        coupled, improved = factors.generator.coupled, lambda x: _improved(factors, x)
        if transposed:
            coupled, improved = (_transposed(each, x) for each in (coupled, improved))
        return wide.populations(x) + improved(coupled(x))

    def start(factors, y):
        improved = functools.partial(_improved, factors)
        return (_transposed(improved, y) if transposed else improved)(y)

    sizes = 1 / factors.sizes if transposed else factors.sizes

    def scaled(z):
        return (jax.vmap(step)(factors, sizes * z.reshape(y.shape)) / sizes).reshape(z.shape)

    own = between(None if states is None else jax.vmap(lambda x: x.adjoint)(states), y)
    right = (jax.vmap(start)(factors, own) / sizes).reshape(len(y), -1)
    found, left = minimal_residual(scaled, right, tolerance)
    found = between(states, sizes * found.reshape(y.shape))
    is_right = left <= tolerance**0.5
    return jnp.where(is_right[:, None, None, None], found, jnp.nan)


def _transposed(function, x):
    back = jax.linear_transpose(function, x)
    return lambda y: back(y)[0]


_iterated = primitive(
    "wide_iteration",
    _by_point,
    lambda *operands, **how: operands[-1],
    traced_once=("structure", "ranks", "tolerance", "transposed"),
)
