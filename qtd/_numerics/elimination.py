"""Linear algebra of Markov generators without subtractions: steady states, and solves with the same factors.

A generator `W` (columns sum to zero) over levels 0 ... n-1 is stored by diagonals at the upper level of each jump, `up[d-1, k]` =
rate k-d -> k and `down[d-1, k]` = rate k -> k-d, zero for k < d. Eliminating the levels from the top one down (Grassmann, Taksar
and Heyman, Oper. Res. 33, 1107 (1985)) only adds, multiplies and divides positive numbers, so every population comes out accurate
relative to itself however far apart the rates lie. Cost: O(n b^2) operations and O(n b) memory for bandwidth b.

The factors are made from values, without derivatives. Derivatives enter through `lax.custom_linear_solve`, which needs only the
operator and the two solves: forward mode, reverse mode and all higher orders follow, and no elimination is ever differentiated.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .ladders import below, to_lower

# Up to this bandwidth loops over levels work on scalars, which `vmap` turns into vectors over the batch, the batch innermost.
_NARROW = 4


class Elimination(eqx.Module):
    """The factors of a generator W with one steady state p, and the linear systems they solve.

    `populations` is p as eliminated, and `scale` s the sum of all rates, both constant to every derivative. They fix the non-singular
    operator A = W - s p 1^T; what is asked of `solve` must not depend on that choice (sums to zero), and what comes from
    `solve_transposed` does so only by a constant. With s = 1 rounding would grow with the unit of the rates.
    """

    up: Float[Array, "b n"]
    down: Float[Array, "b n"]
    gains: Float[Array, "b n"]  # rate k-d -> k over the rate out of k, once the levels above k are gone
    shares: Float[Array, "b n"]  # part of what leaves k that goes to k-d
    exits: Float[Array, " n"]  # rate out of k to the levels below it; 1 for k = 0, which is never eliminated
    populations: Float[Array, " n"]
    scale: Float[Array, ""]

    def __init__(self, up: Float[Array, "b n"], down: Float[Array, "b n"]):
        self.up, self.down = up, down
        self.gains, self.shares, self.exits = _eliminate(up, down)
        weights = _forward(self.gains, jnp.zeros_like(self.exits).at[0].set(1))
        self.populations = weights / weights.sum()
        self.scale = lax.stop_gradient(up.sum() + down.sum())

    def solve(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """x with (W - s p 1^T) x = y; for sum(y) = 0 that is W x = y with sum(x) = 0."""
        return lax.custom_linear_solve(
            lambda x: _apply(self.up, self.down, x) - self.populations * (self.scale * x.sum()),
            y,
            lambda _, rhs: self._substitute(rhs),
            lambda _, rhs: self._substitute_transposed(rhs),
        )

    def solve_transposed(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """z with (W^T - s 1 p^T) z = y, that is W^T z = y - p.y with p.z = -p.y / s."""
        return lax.custom_linear_solve(
            lambda z: _apply_transposed(self.up, self.down, z) - self.scale * (self.populations @ z),
            y,
            lambda _, rhs: self._substitute_transposed(rhs),
            lambda _, rhs: self._substitute(rhs),
        )

    def _substitute(self, y):
        p, total = self.populations, y.sum()
        folded = _backward(self.shares, y - p * total)
        x = _forward(self.gains, (-folded / self.exits).at[0].set(0))
        return x - p * (x.sum() + total / self.scale)

    def _substitute_transposed(self, y):
        p = self.populations
        mean = p @ y
        folded = _backward(self.gains, y - mean)
        z = _forward(self.shares, (-folded / self.exits).at[0].set(0))
        return z - (p @ z + mean / self.scale)


class AbsorbingElimination(eqx.Module):
    """The factors of diag(lost) - W, where each level also leaves the system for good at the rate `lost` >= 0.

    Solves with a positive right-hand side are free of subtractions throughout. At least one level must be lost.
    """

    up: Float[Array, "b n"]
    down: Float[Array, "b n"]
    lost: Float[Array, " n"]
    gains: Float[Array, "b n"]
    shares: Float[Array, "b n"]
    exits: Float[Array, " n"]

    def __init__(self, up: Float[Array, "b n"], down: Float[Array, "b n"], lost: Float[Array, " n"]):
        self.up, self.down, self.lost = up, down, lost
        self.gains, self.shares, self.exits = _eliminate(up, down, lost)

    def solve(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """x with (diag(lost) - W) x = y: the time spent in each level, per unit fed in as y."""
        return lax.custom_linear_solve(
            lambda x: self.lost * x - _apply(self.up, self.down, x),
            y,
            lambda _, rhs: _forward(self.gains, _backward(self.shares, rhs) / self.exits),
            lambda _, rhs: _forward(self.shares, _backward(self.gains, rhs) / self.exits),
        )

    def solve_transposed(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """z with (diag(lost) - W^T) z = y: what is collected from each starting level on, at y per time spent."""
        return lax.custom_linear_solve(
            lambda z: self.lost * z - _apply_transposed(self.up, self.down, z),
            y,
            lambda _, rhs: _forward(self.shares, _backward(self.gains, rhs) / self.exits),
            lambda _, rhs: _forward(self.gains, _backward(self.shares, rhs) / self.exits),
        )


def _apply(up, down, x):
    """W x, from net flows between pairs of levels."""
    flows = [u * lower - d * x for u, d, lower in zip(up, down, below(x, len(up)))]
    return sum(flows) - to_lower(flows)


def _apply_transposed(up, down, z):
    """W^T z, from differences of z between pairs of levels."""
    steps = [z - lower for lower in below(z, len(up))]
    return to_lower([u * step for u, step in zip(up, steps)]) - sum(d * step for d, step in zip(down, steps))


def _eliminate(up, down, lost=None):
    """Gains, shares and exits of every level, the levels eliminated from n-1 down to 0 (to 1 if nothing is lost)."""
    up, down = lax.stop_gradient((up, down))
    b, n = up.shape
    if lost is None:
        ground, leaks = jnp.zeros(n, up.dtype).at[0].set(1), jnp.zeros((n, 0), up.dtype)
    else:
        ground, leaks = jnp.zeros(n, up.dtype), lax.stop_gradient(lost)[:, None]
    leaked = leaks.shape[1]
    if b <= _NARROW:
        filled, step = [[jnp.zeros((), up.dtype)] * (b + leaked)] * b, _scalar_step
        inputs = ground, list(up), list(down), [leaks[:, i] for i in range(leaked)]
        _, (gains, shares, exits) = lax.scan(step, filled, inputs, reverse=True)
        return jnp.stack(gains), jnp.stack(shares[:b]), exits
    filled, inputs = jnp.zeros((b, b + leaked), up.dtype), (ground, up.T, down.T, leaks)
    _, (gains, shares, exits) = lax.scan(_array_step, filled, inputs, reverse=True)
    return gains.T, shares[:, :b].T, exits


def _array_step(filled, inputs):
    """Eliminate level k.

    `filled[i, j]` is what the elimination of higher levels has added to the rate k-i -> k-j (further columns: to the rate at which
    k-i is lost); `up` and `down` are the rates between k and k-1 ... k-b.
    """
    b = len(filled)
    ground, up, down, leak = inputs
    out = jnp.concatenate([filled[0, 1:b], jnp.zeros_like(up[:1]), filled[0, b:]]) + jnp.concatenate([down, leak])
    into = jnp.append(filled[1:, 0], 0) + up
    exit_rate = out.sum() + ground
    share, gain = out / exit_rate, into / exit_rate
    kept = jnp.pad(filled[1:, 1:], ((0, 1), (0, 0)))
    kept = jnp.concatenate([kept[:, : b - 1], jnp.zeros_like(kept[:, :1]), kept[:, b - 1 :]], axis=1)
    return kept + into[:, None] * share[None, :], (gain, share, exit_rate)


def _scalar_step(filled, inputs):
    """`_array_step` written out."""
    b = len(filled)
    ground, up, down, leak = inputs
    zero = jnp.zeros_like(ground)
    out = [x + y for x, y in zip([*filled[0][1:b], zero, *filled[0][b:]], [*down, *leak])]
    into = [x + y for x, y in zip([*(row[0] for row in filled[1:]), zero], up)]
    exit_rate = sum(out) + ground
    share, gain = [x / exit_rate for x in out], [x / exit_rate for x in into]
    kept = [[*row[1:b], zero, *row[b:]] for row in filled[1:]] + [[zero] * len(out)]
    # The rate of a level to itself is never asked for.
    filled = [[zero if i == j else kept[i][j] + x * y for j, y in enumerate(share)] for i, x in enumerate(into)]
    return filled, (gain, share, exit_rate)


def _forward(coefficients, source):
    """x_k = source_k + sum_d coefficients[d-1, k] x_{k-d}, for k = 0, 1, ..."""
    b = len(coefficients)
    if b <= _NARROW:
        return lax.scan(_scalar_forward, (jnp.zeros((), source.dtype),) * b, (source, list(coefficients)))[1]
    return lax.scan(_array_forward, jnp.zeros(b, source.dtype), (source, coefficients.T))[1]


def _backward(coefficients, source):
    """y_k = source_k + sum_d coefficients[d-1, k+d] y_{k+d}, for k = n-1, n-2, ...; the transpose of `_forward`."""
    b = len(coefficients)
    if b <= _NARROW:
        start, inputs = (jnp.zeros((), source.dtype),) * b, (source, list(coefficients))
        return lax.scan(_scalar_backward, start, inputs, reverse=True)[1]
    return lax.scan(_array_backward, jnp.zeros(b, source.dtype), (source, coefficients.T), reverse=True)[1]


def _scalar_forward(recent, inputs):
    value, coefficients = inputs
    for coefficient, lower in zip(coefficients, recent):
        value = value + coefficient * lower
    return (value, *recent[:-1]), value


def _array_forward(recent, inputs):
    value, coefficients = inputs
    value = value + coefficients @ recent
    return jnp.append(value, recent[:-1]), value


def _scalar_backward(due, inputs):
    value, coefficients = inputs
    value = value + due[0]
    due = [*due[1:], jnp.zeros_like(value)]
    return tuple(rest + coefficient * value for rest, coefficient in zip(due, coefficients)), value


def _array_backward(due, inputs):
    value, coefficients = inputs
    value = value + due[0]
    return jnp.append(due[1:], 0) + coefficients * value, value
