"""Linear algebra of Markov generators without subtractions: steady states, and solves with the same
factors.

A generator `W` (columns sum to zero) over levels 0 ... n-1 is given by diagonals at the upper level
of each jump, `up[d][k]` = rate k-d -> k and `down[d][k]` = rate k -> k-d, zero for k < d.
Eliminating the levels from the top one down (Grassmann, Taksar and Heyman, Oper. Res. 33, 1107
(1985)) only adds, multiplies and divides positive numbers, so every population comes out accurate
relative to itself however far apart the rates lie. Cost: O(n b^2) operations and O(n b) memory for
bandwidth b.

The factors are made from values, without derivatives; those enter through `solves.solve`, and no
elimination is ever differentiated.

The level eliminated last must hold population: what a solve adds to it is taken off all levels
again in proportion to their populations, and where it holds next to nothing that is a difference of
large numbers. Of few levels the fullest one changes places with level 0.
"""

from collections.abc import Mapping
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from .batching import add, first_largest, sum_over, total
from .jax_internals.primitives import primitive
from .ladders import shift
from .solves import solve

# Up to this bandwidth loops over levels work on scalars, which `vmap` turns into vectors over the
# batch; beyond, on the b diagonals at a level together.
_NARROW = 4
# Up to so many levels any of them may be the last.
FEW = 8
_POOR = 0.01  # share of the fullest level below which level 0 is not the last one
_LARGE = 0.3  # weights beyond this power of the largest number are scaled down

Diagonals = Mapping[int, Float[Array, " n"]]


class Elimination(eqx.Module):
    """The factors of a generator W with one steady state p, and the linear systems they solve.

    `up` and `down`: rates between k - distance and k, and back, by distance; zeros where there is
    none. `populations` is p as eliminated, and `scale` s the sum of all rates, both constant to
    every derivative. They fix the non-singular operator A = W - s p 1^T; what is asked of `solve`
    must not depend on that choice (sums to zero), and what comes from `solve_transposed` does so
    only by a constant. With s = 1 rounding would grow with the unit of the rates.
    """

    rates: "_Rates"
    factors: "_Factors"
    populations: Float[Array, " n"]
    scale: Float[Array, ""]

    def __init__(self, up: Diagonals, down: Diagonals):
        self.rates = _Rates(dict(up), dict(down))
        self.factors, self.populations = _at_rest(up, down)
        self.scale = lax.stop_gradient(add(total(x) for x in (*up.values(), *down.values())))

    def solve(
        self, y: Float[Array, " n"], needed: Float[Array, ""] | None = None
    ) -> Float[Array, " n"]:
        """x with (W - s p 1^T) x = y; for sum(y) = 0 that is W x = y with sum(x) = 0. `needed` as
        in `solves.solve`."""
        return solve(
            conserving, y, self.rates, (self.factors, self.populations, self.scale), False, needed
        )

    def solve_transposed(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """z with (W^T - s 1 p^T) z = y, that is W^T z = y - p.y with p.z = -p.y / s."""
        return solve(
            conserving, y, self.rates, (self.factors, self.populations, self.scale), transposed=True
        )


class AbsorbingElimination(eqx.Module):
    """The factors of diag(lost) - W, where each level also leaves the system for good at the rate
    `lost` >= 0.

    Solves with a positive right-hand side are free of subtractions throughout. At least one level
    must be lost.
    """

    rates: "_Rates"
    factors: "_Factors"

    def __init__(self, up: Diagonals, down: Diagonals, lost: Float[Array, " n"]):
        self.rates, self.factors = _Rates(dict(up), dict(down), lost), _eliminate(up, down, lost)

    def solve(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """x with (W - diag(lost)) x = -y: the time spent in each level, per unit fed in as y."""
        return -solve(_absorbing, y, self.rates, self.factors, transposed=False)

    def solve_transposed(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """z with (W^T - diag(lost)) z = -y: what is collected from each starting level on, at y per
        time spent."""
        return -solve(_absorbing, y, self.rates, self.factors, transposed=True)


class _Rates(eqx.Module):
    """The operator W - diag(lost)."""

    up: dict[int, Float[Array, " n"]]
    down: dict[int, Float[Array, " n"]]
    lost: Float[Array, " n"] | None = None

    def apply(self, x, transposed):
        """W x from net flows between pairs of levels, or W^T x from differences of x between
        them."""
        terms = [] if self.lost is None else [-self.lost * x]
        for d in self.up:
            if transposed:
                step = x - shift(x, d)
                terms += [shift(self.up[d] * step, -d), -self.down[d] * step]
            else:
                flow = self.up[d] * shift(x, d) - self.down[d] * x
                terms += [flow, -shift(flow, -d)]
        return add(terms)


class _Factors(eqx.Module):
    """`gains` are rates k-d -> k over the rate out of k, once the levels above k are gone; `shares`
    the parts of what leaves k that go to k-d; `times` one over the rate out of k, 0 where k is
    never eliminated (the last level, if nothing is lost).

    Gains and shares are lists of diagonals, of as many as the band has up to `_NARROW`, or else one
    array (n, b). `last`: 1 at the level that has changed places with level 0, or at level 0; None
    where levels are too many for that.
    """

    gains: list[Float[Array, " n"]] | Float[Array, "n b"]
    shares: list[Float[Array, " n"]] | Float[Array, "n b"]
    times: Float[Array, " n"]
    last: Float[Array, " n"] | None = None

    def in_place(self, x):
        """Values on levels, (n, *batch), in the order of elimination; and back again."""
        if self.last is None:
            return x
        return lax.cond(jnp.any(self.last[0] == 0), lambda: _exchange(self.last, x), lambda: x)


def conserving(factors, y, transposed):
    """Solves, from factors, populations p and scale s, for x with (W - s p 1^T) x = y, or
    transposed; arrays may have batch axes after the first."""
    factors, p, scale = factors
    p, y = factors.in_place(p), factors.in_place(y)
    if transposed:
        mean = (p * y).sum(0, keepdims=True)
        z = _forward(factors.shares, -factors.times * _backward(factors.gains, y - mean))
        return factors.in_place(z - ((p * z).sum(0, keepdims=True) + mean / scale[None]))
    sum_y = y.sum(0, keepdims=True)
    x = _forward(factors.gains, -factors.times * _backward(factors.shares, y - p * sum_y))
    return factors.in_place(x - p * (x.sum(0, keepdims=True) + sum_y / scale[None]))


def _absorbing(factors, y, transposed):
    """x with (W - diag(lost)) x = y, or transposed."""
    first, last = (factors.gains, factors.shares) if transposed else (factors.shares, factors.gains)
    return _forward(last, -factors.times * _backward(first, y))


def _at_rest(up, down):
    """The factors of a generator and its populations, without derivatives; a batch keeps its axis
    last."""
    operands, structure = jax.tree.flatten(lax.stop_gradient((dict(up), dict(down))))
    found = _bind_at_rest(*operands, structure=structure)
    return jax.tree.unflatten(jax.tree.structure(_layout(operands, structure)), found)


def _rested(*operands, structure):
    up, down = jax.tree.unflatten(structure, operands)
    some = next(iter(up.values()))
    if len(some) <= FEW:
        return _with_fullest_last(
            *(
                {d: rates.get(d, jnp.zeros_like(some)) for d in range(1, len(some))}
                for rates in (up, down)
            )
        )
    factors = _eliminate(up, down)
    return factors, _populations(factors)


def _with_fullest_last(up, down):
    """Factors and populations by rates over all distances, eliminated anew where level 0 holds
    little."""
    first = _eliminate(up, down)
    populations = _populations(first)
    is_poor = populations[0] < _POOR * populations.max(0)
    levels = jnp.arange(len(populations)).reshape(-1, *(1,) * is_poor.ndim)
    first_level = (levels == 0).astype(populations.dtype)
    last = jnp.where(is_poor[None], first_largest(populations), first_level)

    def again():
        made = _eliminate(*_exchanged(up, down, last))
        new, old = (made, _exchange(last, _populations(made))), (first, populations)
        return jax.tree.map(lambda x, y: jnp.where(_beside(is_poor, x), x, y), new, old)

    factors, populations = lax.cond(jnp.any(is_poor), again, lambda: (first, populations))
    return _Factors(factors.gains, factors.shares, factors.times, last), populations


def _exchanged(up, down, last):
    """The rates after levels have changed places."""
    n = len(last)
    joined = {d: np.eye(n, k=-d, dtype=bool).reshape(n, n, *(1,) * (last.ndim - 1)) for d in up}
    rises = [jnp.where(place, up[d][:, None], 0) for d, place in joined.items()]
    falls = [jnp.where(place.swapaxes(0, 1), down[d][None], 0) for d, place in joined.items()]
    dense = add([*rises, *falls])
    dense = _exchange(last, _exchange(last, dense).swapaxes(0, 1)).swapaxes(0, 1)
    rises = {d: jnp.where(place, dense, 0).sum(1) for d, place in joined.items()}
    return rises, {
        d: jnp.where(place.swapaxes(0, 1), dense, 0).sum(0) for d, place in joined.items()
    }


def _exchange(last, x):
    """Level 0 and the one marked by `last` change places, on the first axis."""
    marked = (last > 0).reshape(len(last), *(1,) * (x.ndim - last.ndim), *last.shape[1:])
    first = jnp.where(marked, x, 0).sum(0, keepdims=True)
    return jnp.concatenate([first, jnp.where(marked, x[:1], x)[1:]])


def _beside(x, y):
    """x, of a batch alone, for arithmetic with y."""
    return x.reshape(*(1,) * (y.ndim - x.ndim), *x.shape)


def _populations(factors):
    """One steady state; where it becomes so large on the way that it overflows, it is made again,
    scaled down as it grows."""
    ground = jnp.zeros_like(factors.times).at[0].set(1)
    weights = _forward(factors.gains, ground)
    known = jnp.isfinite(sum_over(weights, 0))
    weights = lax.cond(
        jnp.all(known),
        lambda: weights,
        lambda: jnp.where(known[None], weights, _scaled(factors, ground)),
    )
    return weights / sum_over(weights, 0)[None]


def _scaled(factors, ground):
    start, step = _forward_step(factors.gains, factors.times)
    large = float(jnp.finfo(factors.times.dtype).max) ** _LARGE

    def scaled(recent, inputs):
        recent, value = step(recent, inputs)
        share = jnp.where(value > large, 1 / value, 1.0)
        return jax.tree.map(lambda x: x * _beside(share, x), recent), (value * share, share)

    def lowered(later, inputs):
        value, share = inputs
        return later * share, later * value

    _, found = lax.scan(scaled, start, (ground, factors.gains))
    return lax.scan(lowered, jnp.ones_like(ground[0]), found, reverse=True)[1]


def _layout(operands, structure):
    """The shapes of what `_rested` returns."""
    up, _ = jax.tree.unflatten(structure, operands)
    n, *batch = next(iter(up.values())).shape
    b = n - 1 if n <= FEW else max(up)

    def of(*shape):
        return cast(Array, jax.ShapeDtypeStruct((*shape, *batch), operands[0].dtype))

    coefficients = [of(n)] * b if b <= _NARROW else of(n, b)
    return _Factors(coefficients, coefficients, of(n), of(n) if n <= FEW else None), of(n)


def _rested_arrays(*operands, structure):
    return jax.tree.leaves(_rested(*operands, structure=structure))


def _rested_shapes(*operands, structure):
    return [
        operands[0].update(shape=x.shape) for x in jax.tree.leaves(_layout(operands, structure))
    ]


_bind_at_rest = primitive(
    "at_rest", _rested_arrays, _rested_shapes, several=True, traced_once=("structure",)
)


def _eliminate(up, down, lost=None):
    """The factors, the levels eliminated from n-1 down to 0 (to 1 if nothing is lost); arrays may
    have batch axes after that of the levels."""
    up, down, lost = lax.stop_gradient((dict(up), dict(down), lost))
    b, some = max(up), next(iter(up.values()))
    nothing = jnp.zeros_like(some)
    # What the last level would divide by, were it eliminated, is made 1 if nothing is lost.
    ground = nothing.at[0].set(1.0 if lost is None else 0.0)
    rows = [[rates.get(d, nothing) for d in range(1, b + 1)] for rates in (up, down)]
    leaks = [] if lost is None else [lost]
    if b <= _NARROW:
        start = [[nothing[0]] * (b + len(leaks))] * b
        _, factors = lax.scan(_scalar_step, start, (ground, *rows, leaks), reverse=True)
    else:
        columns = [jnp.stack(x, axis=1) for x in rows]
        leaks = jnp.stack(leaks, axis=1) if leaks else columns[0][:, :0]
        start = jnp.zeros((b, b + leaks.shape[1], *some.shape[1:]), some.dtype)
        _, factors = lax.scan(_array_step, start, (ground, *columns, leaks), reverse=True)
    gains, shares, times = factors
    return _Factors(gains, shares, times)


def _array_step(filled, inputs):
    """Eliminate level k.

    `filled[i, j]` is what the elimination of higher levels has added to the rate k-i -> k-j
    (further columns: to the rate at which k-i is lost); `up` and `down` are the rates between k and
    k-1 ... k-b.
    """
    b = len(filled)
    ground, up, down, leak = inputs
    out = jnp.concatenate(
        [filled[0, 1:b], jnp.zeros_like(up[:1]), filled[0, b:]]
    ) + jnp.concatenate([down, leak])
    into = jnp.concatenate([filled[1:, 0], jnp.zeros_like(up[:1])]) + up
    time = 1 / (out.sum(0) + ground)
    share, gain = out * time[None], into * time[None]
    kept = jnp.concatenate([filled[1:, 1:], jnp.zeros_like(filled[:1, 1:])])
    kept = jnp.concatenate(
        [kept[:, : b - 1], jnp.zeros_like(kept[:, :1]), kept[:, b - 1 :]], axis=1
    )
    return kept + into[:, None] * share[None, :], (gain, share[:b], time * (1 - ground))


def _scalar_step(filled, inputs):
    """`_array_step` written out."""
    b = len(filled)
    ground, up, down, leak = inputs
    zero = jnp.zeros_like(ground)
    out = [x + y for x, y in zip([*filled[0][1:b], zero, *filled[0][b:]], [*down, *leak])]
    into = [x + y for x, y in zip([*(row[0] for row in filled[1:]), zero], up)]
    time = 1 / (sum(out) + ground)
    share, gain = [x * time for x in out], [x * time for x in into]
    kept = [[*row[1:b], zero, *row[b:]] for row in filled[1:]] + [[zero] * len(out)]
    # The rate of a level to itself is never asked for.
    filled = [
        [zero if i == j else kept[i][j] + x * y for j, y in enumerate(share)]
        for i, x in enumerate(into)
    ]
    return filled, (gain, share[:b], time * (1 - ground))


def _forward(coefficients, source):
    """x_k = source_k + sum_d coefficients[d-1]_k x_{k-d}, for k = 0, 1, ..."""
    start, step = _forward_step(coefficients, source)
    return lax.scan(step, start, (source, coefficients))[1]


def _forward_step(coefficients, source):
    if isinstance(coefficients, list):
        return (jnp.zeros_like(source[0]),) * len(coefficients), _scalar_forward
    return jnp.zeros((coefficients.shape[1], *source.shape[1:]), source.dtype), _array_forward


def _backward(coefficients, source):
    """y_k = source_k + sum_d coefficients[d-1]_{k+d} y_{k+d}, for k = n-1, n-2, ...; the transpose
    of `_forward`."""
    if isinstance(coefficients, list):
        start, step = (jnp.zeros_like(source[0]),) * len(coefficients), _scalar_backward
    else:
        start = jnp.zeros((coefficients.shape[1], *source.shape[1:]), source.dtype)
        step = _array_backward
    return lax.scan(step, start, (source, coefficients), reverse=True)[1]


def _scalar_forward(recent, inputs):
    value, coefficients = inputs
    for coefficient, lower in zip(coefficients, recent):
        value = value + coefficient * lower
    return (value, *recent[:-1]), value


def _array_forward(recent, inputs):
    value, coefficients = inputs
    value = value + (coefficients * recent).sum(0)
    return jnp.concatenate([value[None], recent[:-1]]), value


def _scalar_backward(due, inputs):
    value, coefficients = inputs
    value = value + due[0]
    due = [*due[1:], jnp.zeros_like(value)]
    return tuple(rest + coefficient * value for rest, coefficient in zip(due, coefficients)), value


def _array_backward(due, inputs):
    value, coefficients = inputs
    value = value + due[0]
    return jnp.concatenate([due[1:], jnp.zeros_like(value[None])]) + coefficients * value[
        None
    ], value
