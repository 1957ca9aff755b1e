"""Steady states and responses of wide generators, by iteration: what is done to a state between its
levels, to populations and to each coherence alone, is undone, and what is left decreases with each
step.
"""

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
from .wide import Blocks, Operators, Parts, Products, WideGenerator, parted

_RARE = 1e-8  # of populations: those below are as good as this against rounding of the others


class _Factors(NamedTuple):
    """`states`: levels of H as columns, by class, None where blocks are of levels already;
    `coherences`: 1 over what each of them is multiplied with per time; `populations`: the inverse
    of the rates between levels; `start`: their stationary state, by class; `sizes`: about how
    large the elements of a state are."""

    states: Operators | None
    coherences: Parts
    populations: Float[Array, "levels levels"]
    start: Blocks
    sizes: Blocks


class WideElimination(eqx.Module):
    r"""What solves for states of a `generator` L, which is applied and never written down.

    The rate equation between the levels of H, swept without subtractions, and the decay of each
    coherence by itself are the inverse of L up to first order in the rates over the gaps: minimal
    residuals of L times this take few steps where couplings are weak. What is solved is M = L + s
    u t^T, with the trace t, the rate s, and u, the state `start` of the rate equation: as t^T L =
    0, M x = y has the solution of L x = y without trace, for y without trace. Residuals are weighed
    with the populations, so that rare states are as right as others. What has not converged is NaN.

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
        known = lax.stop_gradient((generator.products, generator.scale, energies, states))
        self.factors, self.times = lax.stop_gradient(_factored(*known))

    @property
    def start(self) -> Blocks:
        """The state of the rate equation between levels."""
        return self.factors.start

    def solve(self, y: Blocks) -> Blocks:
        """x with L x = y and no trace, for y without trace."""
        generator, factors = self.generator, lax.stop_gradient(self.factors)
        known = lax.stop_gradient(generator)
        rounding = _rounding(y)
        return lax.custom_linear_solve(
            lambda x: _bordered(generator, factors, x),
            y,
            lambda _, right: _iterate(known, factors, right, rounding, False),
            lambda _, right: _iterate(known, factors, right, rounding, True),
        )

    def value(self, y: Blocks, tolerance: float | None = None) -> Blocks:
        """`solve` of the same `y` without derivatives, to some `tolerance`, by default to
        rounding."""
        known = lax.stop_gradient((self.generator, self.factors, y))
        return _iterate(*known, _rounding(y) if tolerance is None else tolerance, False)

    def following(self, state: Blocks) -> Blocks:
        """0, with the derivatives that the stationary `state` has, itself a constant."""
        return _following(self, lax.stop_gradient(state))

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


def _bordered(generator, factors, x):
    trace = generator.products.wide.trace(x)
    return generator.apply(x) + generator.scale * trace * factors.start


def _factored(products: Products, scale, energies, states):
    wide, kept = products.wide, products.kept
    left, right, lost = (_complex(x) for x in (products.left, products.right, products.lost()))
    if states is not None:
        vectors = _complex(states)
        back = jnp.conj(jnp.swapaxes(vectors, -1, -2))
        arriving = back[wide.targets]
        left, right = (arriving @ x @ vectors[None] for x in (left, right))
        lost = back @ lost @ vectors
    rates = wide.collected(jnp.maximum(2 * jnp.real(left * jnp.conj(right)), 0))
    off_diagonal = rates * (1 - jnp.eye(wide.size, dtype=rates.dtype))
    swept = CoherentElimination(off_diagonal, wide.size).factors
    own = jnp.asarray(wide.targets == np.arange(wide.sectors.count))[:, :, None]
    dephasing = jnp.where(own, jnp.diagonal(left, axis1=-2, axis2=-1), 0)
    jumped = jnp.where(own, jnp.diagonal(right, axis1=-2, axis2=-1), 0)
    made = (dephasing[..., :, None] * jnp.conj(jumped)[..., None, :]).sum(0)
    away = jnp.diagonal(lost, axis1=-2, axis2=-1) + 1j * energies.astype(lost.dtype)
    decay = made + jnp.conj(jnp.swapaxes(made, -1, -2))
    decay = decay - away[:, :, None] - jnp.conj(away)[:, None, :]
    decay = jnp.where(kept > 0, decay, -scale.astype(decay.dtype))
    is_coherence = wide.of_populations(jnp.ones_like(swept.state)) == 0
    is_there = is_coherence & (decay != 0)
    inverse = jnp.where(is_there, 1 / jnp.where(is_there, decay, 1), 0)
    factors = _Factors(
        states,
        jnp.stack([inverse.real, inverse.imag]),
        _inverse_of_rates(swept, scale),
        *_start(wide, swept.state, states),
    )
    return factors, jnp.max(jnp.abs(swept.times))


def _start(wide, populations, states):
    """The state of these populations of levels of H, and the sizes of its elements."""
    start = wide.of_populations(populations)
    if states is not None:
        x = states.after(states.times(parted(start)))
        start = x[0] + x[1]
    size = jnp.maximum(wide.diagonal(start), _RARE * jnp.max(populations))
    roots = wide.by_class(jnp.sqrt(size), 1.0)
    return start, roots[:, :, None] * roots[:, None, :]


def _inverse_of_rates(swept, scale):
    """That of W + s p t^T, with the rates W and their state p."""
    state, inverse = swept.state, -swept.times
    inverse = inverse - state[:, None] * inverse.sum(0)[None]
    return inverse - (inverse @ state)[:, None] + state[:, None] / scale


def _improved(factors, wide, y):
    """About M^{-1} y."""
    x = parted(y)
    if factors.states is not None:
        back = factors.states.adjoint
        x = back.after(back.times(x))
    (real, imaginary), (c, s) = x, factors.coherences
    populations = wide.of_populations(factors.populations @ wide.diagonal(real))
    x = jnp.stack([real * c - imaginary * s + populations, real * s + imaginary * c])
    if factors.states is not None:
        x = factors.states.after(factors.states.times(x))
    return x[0] + x[1]


def _iterate(generator, factors, y, tolerance, transposed):
    operands, structure = jax.tree.flatten((generator, factors, y))
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
        generator, factors, y = jax.tree.unflatten(structure, points)
        return _solved(generator, factors, y, tolerance, transposed)

    def one_after_another(points):
        # What one point is made orthogonal to fits into a processor's cache.
        return lax.map(lambda point: together([x[None] for x in point])[0], points)

    if len(points[-1]) == 1:
        found = together(points)
    else:
        found = lax.platform_dependent(points, cpu=one_after_another, default=together)
    return jnp.moveaxis(found, 0, -1).reshape(shape)


def _solved(generator, factors, y, tolerance, transposed):
    wide = generator.products.wide

    def apply(generator, factors, x):
        return _bordered(generator, factors, x)

    def improved(generator, factors, x):
        return _improved(factors, wide, x)

    def acting(function, x):
        def one(generator, factors, x):
            if not transposed:
                return function(generator, factors, x)
            back = jax.linear_transpose(lambda z: function(generator, factors, z), x)
            return back(x)[0]

        return jax.vmap(one)(generator, factors, x)

    sizes = 1 / factors.sizes if transposed else factors.sizes

    def step(z):
        x = sizes * z.reshape(y.shape)
        return (acting(improved, acting(apply, x)) / sizes).reshape(z.shape)

    right = (acting(improved, y) / sizes).reshape(len(y), -1)
    found, left = minimal_residual(step, right, tolerance)
    is_right = left <= tolerance**0.5
    return jnp.where(is_right[:, None, None, None], sizes * found.reshape(y.shape), jnp.nan)


def _complex(operators):
    imaginary = operators.imaginary
    return lax.complex(
        operators.real, jnp.zeros_like(operators.real) if imaginary is None else imaginary
    )


_iterated = primitive(
    "wide_iteration",
    _by_point,
    lambda *operands, **how: operands[-1],
    traced_once=("structure", "ranks", "tolerance", "transposed"),
)
