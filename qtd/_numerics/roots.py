"""Roots and fixed points, with implicit derivatives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from .coherent_elimination import inverse
from .validation import missing

Pair = tuple[Float[Array, ""], Float[Array, ""]]


def bisect(
    function: Callable, lower: Float[Array, ""], upper: Float[Array, ""], args
) -> Float[Array, ""]:
    """x in [lower, upper] with function(x, args) = 0, to the last bits; NaN where the ends do not
    bracket a sign change.

    Bisection to full precision, under `vmap` as well; derivatives of any order by Newton steps at
    the root, which have no value but carry the implicit derivative: pass all that is differentiated
    in `args`.
    """
    frozen = lax.stop_gradient(args)
    ends = lax.stop_gradient((jnp.asarray(lower), jnp.asarray(upper)))
    at_low, at_high = jax.vmap(lambda x: function(x, frozen))(jnp.stack(ends))

    def halve(_, ends):
        low, high = ends
        middle = low + (high - low) / 2
        above = (function(middle, frozen) > 0) == (at_high > at_low)
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    bits = jnp.finfo(at_low.dtype).nmant + 12
    low, high = lax.fori_loop(0, bits, halve, ends)
    root = jnp.where(at_low * at_high <= 0, low + (high - low) / 2, jnp.nan)
    return _with_derivatives(function, root, args)


def bracketed(function: Callable, ends: Pair, values: Pair, args) -> Float[Array, ""]:
    """`bisect` between two `ends`, where the function has these `values`, if it costs much and is
    not flat: ten evaluations, not sixty.

    By inverse quadratic interpolation where that is safe, else by bisection (Chandrupatla, Adv.
    Eng. Software 28, 145 (1997)).
    """
    frozen = lax.stop_gradient(args)
    (low, high), (at_low, at_high) = lax.stop_gradient((ends, values))
    tolerance = 2 * jnp.finfo(low.dtype).eps

    def width(x, other):
        return (tolerance * jnp.abs(x) + jnp.finfo(x.dtype).tiny) / jnp.abs(other - x)

    def unfinished(carry):
        count, _, a, fa, b, fb, _, _ = carry
        best = jnp.where(jnp.abs(fa) < jnp.abs(fb), a, b)
        return (
            (count < 100) & (width(best, jnp.where(best == a, b, a)) < 0.5) & (fa != 0) & (fb != 0)
        )

    def advance(carry):
        count, share, a, fa, b, fb, c, fc = carry
        x = a + share * (b - a)
        fx = function(x, frozen)
        # The last three points: x, then the end that brackets the root with it, then the one that
        # is left.
        same = (fx > 0) == (fa > 0)
        c, fc = jnp.where(same, a, b), jnp.where(same, fa, fb)
        b, fb = jnp.where(same, b, a), jnp.where(same, fb, fa)
        a, fa = x, fx
        inner, outer = (a - b) / (c - b), (fa - fb) / (fc - fb)
        quadratic = (outer**2 < inner) & ((1 - outer) ** 2 < 1 - inner)
        step = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        least = jnp.minimum(
            width(
                jnp.where(jnp.abs(fa) < jnp.abs(fb), a, b),
                jnp.where(jnp.abs(fa) < jnp.abs(fb), b, a),
            ),
            0.5,
        )
        share = jnp.clip(jnp.where(quadratic & jnp.isfinite(step), step, 0.5), least, 1 - least)
        return count + 1, share, a, fa, b, fb, c, fc

    half = jnp.full_like(low, 0.5)
    _, _, a, fa, b, fb, _, _ = lax.while_loop(
        unfinished, advance, (0, half, low, at_low, high, at_high, low, at_low)
    )
    root = jnp.where(jnp.abs(fa) < jnp.abs(fb), a, b)
    return _with_derivatives(function, jnp.where(at_low * at_high <= 0, root, jnp.nan), args)


def _with_derivatives(function, root, args):
    """The root after two steps of Newton's, each of which makes one more order of the derivative
    right."""

    def polish(root, _):
        value, slope = jax.jvp(lambda x: function(x, args), (root,), (jnp.ones_like(root),))
        return root - value / slope, None

    return lax.scan(polish, root, length=2)[0]


def fixed_point(
    function: Callable, start: Float[Array, " n"], args
) -> tuple[Float[Array, " n"], Bool[Array, ""]]:
    """x with function(x, args) = x, by iteration from `start`, halving the step where it does not
    settle; and whether it has.

    For few unknowns. Derivatives of any order by Newton steps at the end, as in `bisect`: pass all
    that is differentiated in `args`.
    """
    frozen, start = lax.stop_gradient((args, start))
    # the Newton steps at the end double the digits
    tolerance = float(jnp.finfo(start.dtype).eps) ** 0.6

    def unfinished(carry):
        count, _, moves = carry
        return (count < 200) & moves

    def step(carry):
        count, x, _ = carry
        image = function(x, frozen)
        return (
            count + 1,
            jnp.where(count < 20, image, (x + image) / 2),
            jnp.any(jnp.abs(image - x) > tolerance * jnp.abs(image)),
        )

    count, x, _ = lax.while_loop(unfinished, step, (0, start, jnp.asarray(True)))
    solve = inverse(jnp.eye(len(x), dtype=x.dtype) - jax.jacfwd(function)(x, frozen))
    return _corrected(lambda x: x - function(x, args), x, solve), jnp.asarray(count < 200)


def newton(
    function: Callable, start: Float[Array, " n"], args
) -> tuple[Float[Array, " n"], Bool[Array, ""]]:
    """x with function(x, args) = 0, both of n numbers, from `start`, halving steps that make the
    residual larger; and whether it was found.

    For few unknowns. Derivatives of any order by Newton steps at the end, as in `bisect`: pass all
    that is differentiated in `args`.
    """
    frozen, start = lax.stop_gradient((args, start))
    # the Newton steps at the end double the digits
    tolerance = float(jnp.finfo(start.dtype).eps) ** 0.6

    def size(residual):
        return jnp.sum(residual**2)

    both = jax.jacfwd(lambda x: (function(x, frozen),) * 2, has_aux=True)

    def unfinished(carry):
        count, _, _, _, share, _, met = carry
        return (count < 100) & (share > 2**-9) & ~met

    def advance(carry):
        """Moves to the point that the step leads to, with a new step from there; or, where the
        residual is larger there, half of this step."""
        count, x, least, step, share, solve, _ = carry
        trial = x + share * step
        slope, residual = both(trial)
        better = size(residual) < least

        def keep(new, old):
            return jnp.where(better, new, old)

        solve = keep(inverse(slope), solve)
        x = keep(trial, x)
        least = keep(size(residual), least)
        step = keep(-(solve * residual[None]).sum(1), step)
        met = better & jnp.all(jnp.abs(step) <= tolerance * (1 + jnp.abs(x)))
        return count + 1, x, least, step, keep(jnp.ones_like(share), share / 2), solve, met

    far, one = jnp.full_like(start[0], jnp.inf), jnp.ones_like(start[0])
    begin = (
        0,
        start,
        far,
        jnp.zeros_like(start),
        one,
        jnp.eye(len(start), dtype=start.dtype),
        jnp.asarray(False),
    )
    _, x, _, _, _, solve, found = lax.while_loop(unfinished, advance, begin)
    return jnp.where(found, _corrected(lambda x: function(x, args), x, solve), jnp.nan), found


def _corrected(residual, x, solve):
    """x after two steps of Newton's with this inverse slope, each of which makes one more order of
    the derivative right."""
    return lax.scan(lambda x, _: (x - (solve * residual(x)[None]).sum(1), None), x, length=2)[0]


def real_roots(coefficients: Float[Array, " n"]) -> Float[Array, " m"]:
    """The n - 1 roots x of sum_k c_k x^k, n > 1, in rising order, NaN for those that are not real
    or infinite; with implicit derivatives.

    Each is right to a few roundings of the coefficients, however small or large it is.
    """
    found = roots_or_infinity(coefficients)
    return missing(jnp.isinf(found), found)


def roots_or_infinity(coefficients: Float[Array, " n"]) -> Float[Array, " m"]:
    """`real_roots`, but infinite where those are NaN: for what goes on with those that there are,
    and makes no NaN on the way."""
    degree, frozen = len(coefficients) - 1, lax.stop_gradient(coefficients)
    signs = np.array([[(-1.0) ** k for k in range(degree + 1)], [1.0] * (degree + 1)])
    ends = (jnp.asarray(signs, frozen.dtype) * frozen[None]).sum(1)
    # A root at 1 or -1 counts as one within: a little further away the polynomial has the sign of
    # its slope.
    outwards = (jnp.asarray(signs * np.arange(degree + 1), frozen.dtype) * frozen[None]).sum(1)
    ends = jnp.where(ends == 0, outwards, ends)
    within = _roots_within(coefficients, ends)
    beyond = _roots_within(coefficients[::-1], ends * jnp.asarray(signs[:, -1], frozen.dtype))
    # Of several roots at infinity, where a power of 1 / x underflows is all that can be told.
    tiny = float(jnp.finfo(frozen.dtype).tiny)
    finite = (jnp.abs(beyond) > jnp.where(frozen[-2] == 0, tiny ** (1 / degree), tiny)) & (
        beyond < jnp.inf
    )
    return jnp.sort(
        jnp.concatenate([within, jnp.where(finite, 1 / jnp.where(finite, beyond, 1.0), jnp.inf)])
    )[:degree]


def _roots_within(coefficients, ends):
    """The roots between -1 and 1 of a polynomial that is known at these `ends`, infinity for the
    others.

    Between neighbouring extrema, which are roots of the derivative, a polynomial has one root or
    none.
    """
    degree, frozen = len(coefficients) - 1, lax.stop_gradient(coefficients)

    def evaluate(x, c):
        return jnp.polyval(c[::-1], x)

    if degree > 1:
        derivative = frozen[1:] * jnp.arange(1, degree + 1, dtype=frozen.dtype)
        turns = _roots_within(
            derivative, evaluate(jnp.array([-1.0, 1.0], frozen.dtype), derivative)
        )
        turns = jnp.sort(jnp.where(jnp.isinf(turns), 1.0, turns))
    else:
        turns = frozen[:0]
    one = jnp.ones_like(frozen[:1])
    edges = jnp.concatenate([-one, turns, one])
    values = jnp.concatenate(
        [ends[:1], jnp.where(turns == 1, ends[1], evaluate(turns, frozen)), ends[1:]]
    )

    def between(low, high, at_low, at_high):
        there = (at_low * at_high <= 0) & (low != high) & ((at_low != 0) | (at_high != 0))
        x = jnp.where(
            there, _sign_change(lambda x: evaluate(x, frozen), low, high, at_high > at_low), 0.0
        )
        # Where there is none, that of x stands in: a derivative of what is not a number would spoil
        # those of the others.
        known = jnp.where(there, coefficients, jnp.zeros_like(frozen).at[1].set(1))
        for _ in range(2):  # each step makes one more order of the derivative right
            x = x - evaluate(x, known) / jax.grad(evaluate)(x, known)
        return jnp.where(there, x, jnp.inf)

    return jax.vmap(between)(edges[:-1], edges[1:], values[:-1], values[1:])


def _sign_change(function, low, high, rises):
    """The last x before `function` changes its sign, by halving the number of floats in between: as
    right at 1e-300 as at 1."""
    bits = jnp.finfo(low.dtype).bits
    whole = jnp.int64 if bits == 64 else jnp.int32
    least = jnp.iinfo(whole).min

    def flip(k):
        return jnp.where(k < 0, least - k, k)  # floats are stored with a sign and a size

    def number(k):
        return lax.bitcast_convert_type(flip(k), low.dtype)

    def halve(_, ends):
        low, high = ends
        middle = (low & high) + ((low ^ high) >> 1)  # without overflow
        above = (function(number(middle)) > 0) == rises
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    ends = flip(lax.bitcast_convert_type(low, whole)), flip(lax.bitcast_convert_type(high, whole))
    return number(lax.fori_loop(0, bits, halve, ends)[0])
