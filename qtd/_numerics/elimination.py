"""Linear algebra of Markov generators without subtractions: steady states, and solves with the same factors.

A generator `W` (columns sum to zero) over levels 0 ... n-1 is stored by diagonals, `up[d-1, k]` = rate k -> k+d and
`down[d-1, k]` = rate k+d -> k, zero where k+d is no level. Eliminating the levels from the top one down (Grassmann, Taksar and
Heyman, Oper. Res. 33, 1107 (1985)) only adds, multiplies and divides positive numbers, so every population comes out accurate
relative to itself however far apart the rates lie. Cost: O(n b^2) operations and O(n b) memory for bandwidth b.

The factors are made from values, without derivatives. Derivatives enter through `lax.custom_linear_solve`, which needs only the
operator and the two solves: forward mode, reverse mode and all higher orders follow, and no loop is ever differentiated.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

# Up to this bandwidth the elimination step is written out on scalars, which `vmap` turns into vectors over the batch, the
# batch innermost; wider bands use arrays, whose step is a few matrix operations whatever the bandwidth.
_SCALAR_BANDWIDTH = 4
_UNROLL = 2  # steps per turn of a compiled loop; more compiles longer and runs no faster


class Elimination(eqx.Module):
    """The factors of a generator W with one steady state p, and the linear systems they solve.

    `populations` is p as eliminated, a constant to every derivative. It fixes the non-singular operator A = W - p 1^T; what is
    asked of `solve` must not depend on that choice (sums to zero), what comes from `solve_transposed` only up to a constant.
    """

    up: Float[Array, "b n"]
    down: Float[Array, "b n"]
    gains: Float[Array, "b n"]  # rate k-1-j -> k over the rate out of k, once the levels above k are gone
    shares: Float[Array, "b n"]  # part of what leaves k that goes to k-1-j
    exits: Float[Array, " n"]  # rate out of k to the levels below it; 1 for k = 0, which is never eliminated
    populations: Float[Array, " n"]

    def __init__(self, up: Float[Array, "b n"], down: Float[Array, "b n"]):
        self.up, self.down = up, down
        self.gains, self.shares, self.exits, _ = _eliminate(up, down)
        weights = _forward(self.gains, jnp.zeros_like(self.exits).at[0].set(1))
        self.populations = weights / weights.sum()

    def apply(self, x: Float[Array, " n"]) -> Float[Array, " n"]:
        """W x."""
        return _apply(self.up, self.down, x)

    def solve(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """x with (W - p 1^T) x = y; for sum(y) = 0 that is W x = y with sum(x) = 0."""
        return lax.custom_linear_solve(
            lambda x: _apply(self.up, self.down, x) - self.populations * x.sum(),
            y,
            lambda _, rhs: self._substitute(rhs),
            lambda _, rhs: self._substitute_transposed(rhs),
        )

    def solve_transposed(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """z with (W^T - 1 p^T) z = y, that is W^T z = y - p.y with p.z = -p.y."""
        return lax.custom_linear_solve(
            lambda z: _apply_transposed(self.up, self.down, z) - self.populations @ z,
            y,
            lambda _, rhs: self._substitute_transposed(rhs),
            lambda _, rhs: self._substitute(rhs),
        )

    def _substitute(self, y):
        p, total = self.populations, y.sum()
        folded = _backward(self.shares, y - p * total)
        x = _forward(self.gains, (-folded / self.exits).at[0].set(0))
        return x - p * (x.sum() + total)

    def _substitute_transposed(self, y):
        p = self.populations
        mean = p @ y
        folded = _backward(self.gains, y - mean)
        z = _forward(self.shares, (-folded / self.exits).at[0].set(0))
        return z - (p @ z + mean)


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
        self.gains, self.shares, self.exits, left = _eliminate(up, down, lost)
        self.exits = self.exits.at[0].set(left)

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
    n, result = x.shape[0], jnp.zeros_like(x)
    for d, (raising, lowering) in enumerate(zip(up, down), start=1):
        flow = raising[: n - d] * x[: n - d] - lowering[: n - d] * x[d:]
        result = result + jnp.pad(flow, (d, 0)) - jnp.pad(flow, (0, d))
    return result


def _apply_transposed(up, down, z):
    """W^T z, from differences of z between pairs of levels."""
    n, result = z.shape[0], jnp.zeros_like(z)
    for d, (raising, lowering) in enumerate(zip(up, down), start=1):
        step = z[d:] - z[: n - d]
        result = result + jnp.pad(raising[: n - d] * step, (0, d)) - jnp.pad(lowering[: n - d] * step, (d, 0))
    return result


def _eliminate(up, down, lost=None):
    """Gains, shares and exits of every level, the levels eliminated from n-1 down to 1; and the rate lost from level 0 then."""
    up, down = lax.stop_gradient((up, down))
    b, n = up.shape
    lost = jnp.zeros((0, n), up.dtype) if lost is None else lax.stop_gradient(lost)[None]
    # The step that eliminates level k brings in level k - b. Levels below 0 and above n - 1 are empty: no rates.
    leaving, arriving, leaking = (jnp.pad(x[:, : n - 1], ((0, 0), (b - 1, 0))) for x in (up, down, lost))
    empty = jnp.asarray(np.arange(1, n - 1 + b) > n - 1, up.dtype)  # dividing by 1 keeps an empty level at zero
    window = jnp.zeros((b, b + len(lost)), up.dtype)
    window = window.at[b - 1, b:].set(lost[:, n - 1])  # level n - 1 is in the window from the start
    if b <= _SCALAR_BANDWIDTH:
        window, step, unstack, stack = [list(row) for row in window], _scalar_step, list, jnp.stack
    else:
        step, unstack, stack = _array_step, jnp.transpose, jnp.transpose
    inputs = empty, unstack(leaving), unstack(arriving), unstack(leaking)
    window, (gains, shares, exits) = lax.scan(step, window, inputs, reverse=True, unroll=_UNROLL)
    first = lambda x: jnp.pad(stack(x)[:b, : n - 1], ((0, 0), (1, 0)))
    exits = jnp.append(jnp.ones(1, up.dtype), exits[: n - 1])
    return first(gains), first(shares), exits, window[0][b] if len(lost) else None


def _array_step(window, inputs):
    """Eliminate level k and bring in level k-b.

    `window[i, j]` is the rate k-i -> k-j, further columns the rate lost; `leaving` and `arriving` are the rates between the new
    level and those 1 ... b above it.
    """
    b = window.shape[0]
    empty, leaving, arriving, leaking = inputs
    out = jnp.concatenate([window[0, 1:b], arriving[-1:], window[0, b:]])
    into = jnp.append(window[1:, 0], leaving[-1])
    exit_rate = out.sum() + empty
    share, gain = out / exit_rate, into / exit_rate
    newest = jnp.concatenate([leaving[-2::-1], jnp.zeros_like(exit_rate)[None], leaking])
    kept = jnp.concatenate([window[1:, 1:b], arriving[-2::-1, None], window[1:, b:]], axis=1)
    return jnp.concatenate([kept, newest[None]]) + into[:, None] * share[None, :], (gain, share, exit_rate)


def _scalar_step(window, inputs):
    """`_array_step` written out."""
    b = len(window)
    empty, leaving, arriving, leaking = inputs
    out = [*window[0][1:b], arriving[-1], *window[0][b:]]
    into = [*(row[0] for row in window[1:]), leaving[-1]]
    exit_rate = sum(out) + empty
    share, gain = [x / exit_rate for x in out], [x / exit_rate for x in into]
    kept = [[*row[1:b], rate, *row[b:]] for row, rate in zip(window[1:], arriving[-2::-1])]
    kept.append([*leaving[-2::-1], jnp.zeros_like(exit_rate), *leaking])
    return [[rate + x * y for rate, y in zip(row, share)] for row, x in zip(kept, into)], (gain, share, exit_rate)


def _forward(coefficients, source):
    """x_k = source_k + sum_j coefficients[j, k] x_{k-1-j}, for k = 0, 1, ..."""
    return _recur(coefficients, source, reverse=False)


def _backward(coefficients, source):
    """y_k = source_k + sum_j coefficients[j, k+1+j] y_{k+1+j}, for k = n-1, n-2, ...; the transpose of `_forward`."""
    shifted = [jnp.pad(row[1 + j :], (0, 1 + j)) for j, row in enumerate(coefficients[:, : source.shape[0]])]
    return _recur(jnp.stack(shifted), source, reverse=True)


def _recur(coefficients, source, reverse):
    b = coefficients.shape[0]
    if b <= _SCALAR_BANDWIDTH:
        start, inputs, step = (jnp.zeros((), source.dtype),) * b, (source, *coefficients), _scalar_recursion
    else:
        start, inputs, step = jnp.zeros(b, source.dtype), (source, coefficients.T), _array_recursion
    return lax.scan(step, start, inputs, reverse=reverse, unroll=_UNROLL)[1]


def _array_recursion(recent, inputs):
    value, coefficients = inputs
    value = value + coefficients @ recent
    return jnp.append(value, recent[:-1]), value


def _scalar_recursion(recent, inputs):
    value, *coefficients = inputs
    for coefficient, earlier in zip(coefficients, recent):
        value = value + coefficient * earlier
    return (value, *recent[:-1]), value
