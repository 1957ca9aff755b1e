"""Integrals over energy: panels that are short where an integrand changes, with Gauss-Legendre
points in each."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from .batching import settle, sum_over

FAR = 26  # doublings of a line's width, up to which panels follow its tails
GAUSS = 16  # points in a panel
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(GAUSS)
# Project on the last Legendre polynomials, of either parity, that the points tell from the others.
_TAILS = _WEIGHTS * np.polynomial.legendre.legvander(_POINTS, 15)[:, 14:].T
_LAST = 15.5 * np.polynomial.legendre.Legendre.basis(15)(_POINTS)  # of values times weights
# Legendre coefficients of the polynomial through values at the points, and its integrals from -1 to
# each of them.
_EXPANSION = (
    np.polynomial.legendre.legvander(_POINTS, 15) * _WEIGHTS[:, None] * (np.arange(16) + 0.5)
).T
_PARTS = np.polynomial.legendre.legval(
    _POINTS, np.polynomial.legendre.legint(_EXPANSION, lbnd=-1)
).T


def graded(
    center: Float[Array, ""], scale: Float[Array, ""], doublings: int, middle: bool = True
) -> Float[Array, " breaks"]:
    """Breakpoints for a feature at `center` that changes over `scale`: every panel beyond it is as
    long as its distance from it, which is what a pole at center +- i scale allows, up to `scale` *
    2**doublings. Poles at center +- 3/2 i scale need none in the `middle`."""
    distances = 2.0 ** np.arange(doublings + 1)
    offsets = np.concatenate([-distances[::-1], [0.0] * middle, distances])
    return center + scale * jnp.asarray(offsets, center.dtype)


def panels(
    low: Float[Array, ""], high: Float[Array, ""], breaks: Sequence[Float[Array, " n"]]
) -> tuple[Float[Array, " points"], Float[Array, " points"]]:
    """Points and weights on [low, high], which may move, with these breakpoints; those outside make
    panels of no length.

    A breakpoint at an end moves with it: its panel of no length, which is evaluated elsewhere, must
    not gain or lose any by a derivative.
    """

    def within(x):
        return jnp.where(x <= low, low, jnp.where(x >= high, high, x))

    ends = jnp.sort(jnp.concatenate([low[None], *map(within, breaks), high[None]]))
    half = (ends[1:] - ends[:-1]) / 2
    # Where a panel has no length an integrand must be finite all the same, which it need not be at
    # the ends.
    middle = jnp.where(half > 0, (ends[1:] + ends[:-1]) / 2, (low + high) / 2)
    points, weights = (jnp.asarray(x, middle.dtype)[None] for x in (_POINTS, _WEIGHTS))
    return (middle[:, None] + half[:, None] * points).reshape(-1), (
        half[:, None] * weights
    ).reshape(-1)


def unresolved(shares: Float[Array, "... points"]) -> Float[Array, ""]:
    """How much of an integrand the points of `panels` tell from noise only: the sum over panels of
    the last Legendre coefficient they know, over that of the size. `shares`: values times weights.
    Of a smooth integrand the error is about its square."""
    split = shares.reshape(*shares.shape[:-1], -1, len(_POINTS))
    last = jnp.asarray(_LAST, shares.dtype).reshape((1,) * (split.ndim - 1) + (-1,))
    tails = jnp.abs((split * last).sum(-1)).sum(-1)
    size = jnp.abs(shares).sum(-1)
    return jnp.max(jnp.where(size > 0, tails / jnp.where(size > 0, size, 1.0), 0.0))


def shaken(
    points: Float[Array, " points"],
    weights: Float[Array, " points"],
    values: Float[Array, "kinds points"],
) -> Float[Array, ""]:
    """About how far rounding of the `points` of `panels` moves integrals of `values`, over those of
    their sizes: each is off by what values change by within some roundings, either way, and these
    add up in the square. A line of width g at w makes it some roundings times w / g."""
    size = jnp.abs(weights[None] * values).sum(1, keepdims=True)
    shares = values / jnp.where(size > 0, size, 1.0)
    steps = jnp.diff(shares.reshape(len(shares), -1, len(_POINTS)))
    reach = jnp.where(weights > 0, jnp.abs(points), 0).reshape(-1, len(_POINTS))[None, :, 1:]
    # Of a point, and of the matrices that are inverted there.
    rounding = 4 * float(jnp.finfo(points.dtype).eps)
    return rounding * jnp.sqrt(jnp.max(((reach * steps) ** 2).sum((1, 2))))


def following(function: Callable, known: Float[Array, " n"], count: int) -> Float[Array, " count"]:
    """Breakpoints for a logit, a `function` of energy, that share its changes evenly wherever they
    are between the ends of the `known` ones; constants to every derivative.

    Changes are counted as in `equal_shares`. Each turn looks more closely where the last one saw
    most, so that a step is found however narrow it is.
    """
    known = jnp.sort(lax.stop_gradient(known))
    points = found = known
    for _ in range(6):
        ends = jnp.arcsinh(jnp.clip(lax.stop_gradient(function(points)), -700, 700) / jnp.pi)
        density = jnp.abs(jnp.diff(ends))
        density = density + jnp.max(density) * 1e-6
        filled = jnp.concatenate([jnp.zeros_like(density[:1]), jnp.cumsum(density)])
        found = jnp.interp(
            jnp.linspace(0.0, 1.0, count, dtype=points.dtype) * filled[-1], filled, points
        )
        points = jnp.sort(jnp.concatenate([known, found]))
    return lax.stop_gradient(found)


Features = Callable[
    [Float[Array, " points"]], tuple[Float[Array, "m points"], Float[Array, "k points"]]
]


def equal_shares(
    features: Features, period: Float[Array, ""], count: int
) -> Float[Array, " edges"]:
    """Edges of panels of a period that share its features evenly; constants to every derivative.

    `features` gives logits u at many points, and logarithms, whose every unit is a change. A pole
    where u = i pi lies sqrt(u^2 + pi^2) / |u'| away, so |u'| over this root is the density of
    panels that resolves it. It is sampled evenly first, and then again where it was found to be
    high: a feature narrower than the distance of samples is a step between two of them, which says
    that it is there, but not where.
    """
    samples, period = 10 * count, lax.stop_gradient(period)
    shares = jnp.linspace(0.0, 1.0, samples + 1, dtype=period.dtype)

    def shared(_, grid):
        logits, logs = (jnp.clip(x, -700, 700) for x in lax.stop_gradient(features(grid)))
        ends = settle(jnp.concatenate([jnp.arcsinh(logits / jnp.pi), logs]))
        density = sum_over(jnp.abs(jnp.diff(ends)), 0)
        # Where features are no numbers nothing is known of them.
        density = jnp.where(jnp.isnan(density), 0, density)
        # Some for the whole period alike, and smeared over neighbours: a feature may lie between
        # two samples.
        density = density + (density.sum() / 2 + 2 * jnp.pi) * jnp.diff(grid) / period
        density = (jnp.roll(density, 1) + density + jnp.roll(density, -1)) / 3
        filled = jnp.concatenate([jnp.zeros_like(density[:1]), jnp.cumsum(density)])
        edges = jnp.interp(shares * filled[-1], filled, grid)
        return edges.at[0].set(0.0).at[-1].set(grid[-1])

    return lax.fori_loop(0, 2, shared, period * shares)[::10]


def gauss(
    edges: Float[Array, " edges"],
) -> tuple[Float[Array, " points"], Float[Array, " points"], Float[Array, "2 points"]]:
    """Points and weights on these panels, 16 in each, and two rows of weights for what of an
    integrand the points hardly resolve."""
    half = (edges[1:] - edges[:-1]) / 2

    def spread(x):
        return (half[:, None] * jnp.asarray(x, edges.dtype)[None]).reshape(-1)

    middle = ((edges[1:] + edges[:-1]) / 2)[:, None].repeat(len(_POINTS), 1).reshape(-1)
    return middle + spread(_POINTS), spread(_WEIGHTS), jnp.stack([spread(x) for x in _TAILS])


def slope_of_turn(values: Float[Array, "*entries points"]) -> Float[Array, "*entries points"]:
    """Derivatives at evenly spaced angles of a turn, of an even number, by Fourier series; that of
    the highest frequency, which has no sign, is 0."""
    count = values.shape[-1]
    frequencies = np.append(np.arange(count // 2), 0)
    waves = jnp.fft.rfft(values)
    turning = jnp.asarray(1j * frequencies, waves.dtype)
    return jnp.fft.irfft(waves * jnp.broadcast_to(turning, waves.shape), count)


def integral_up_to(
    edges: Float[Array, " edges"], values: Float[Array, " points"]
) -> Float[Array, " points"]:
    """Integrals from the first edge to each point of `gauss` of a function with these values
    there."""
    half = (edges[1:] - edges[:-1]) / 2
    values = half[:, None] * values.reshape(len(half), -1)
    whole = values @ jnp.asarray(_WEIGHTS, edges.dtype)
    before = jnp.cumsum(whole) - whole
    return (before[:, None] + values @ jnp.asarray(_PARTS, edges.dtype).T).reshape(-1)


def legendre(x: Float[Array, ""]) -> Float[Array, " 16"]:
    """Legendre polynomials of degree 0 to 15 at x in [-1, 1]."""
    found = [jnp.ones_like(x), x]
    for k in range(1, len(_POINTS) - 1):
        found.append(((2 * k + 1) * x * found[k] - k * found[k - 1]) / (k + 1))
    return jnp.stack(found)


def expanded(values: Float[Array, "points quantities"]) -> Float[Array, "panels 16 quantities"]:
    """Coefficients of the `legendre` polynomials in each panel, from values at the points of
    `gauss`."""
    return jnp.einsum(
        "lx,pxq->plq",
        jnp.asarray(_EXPANSION, values.dtype),
        values.reshape(-1, len(_POINTS), values.shape[1]),
    )


def radau(stages: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Nodes of Radau IIA on [0, 1], the last one at 1; their weights; and the slopes at them of the
    polynomial through its value at 0 and its values at the nodes: a column for the value at 0, and
    a matrix."""
    legendre = np.polynomial.legendre.Legendre.basis
    roots = (legendre(stages) - legendre(stages - 1)).roots().real
    nodes = np.append(np.sort(roots)[:-1], 1.0)
    polynomials = np.polynomial.legendre.legvander(nodes, stages - 1)
    weights = np.linalg.solve(polynomials.T, np.eye(stages)[0] * 2)
    x = np.concatenate([[-1.0], nodes])
    gaps = x[:, None] - x[None] + np.eye(stages + 1)
    shares = 1 / gaps.prod(1)
    slopes = shares[None] / shares[:, None] / gaps
    np.fill_diagonal(slopes, 0)
    np.fill_diagonal(slopes, -slopes.sum(1))
    return (nodes + 1) / 2, weights / 2, 2 * slopes[1:, 0], 2 * slopes[1:, 1:]
