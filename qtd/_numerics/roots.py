"""Roots and fixed points, with implicit derivatives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from .coherent_elimination import inverse
from .validation import missing


def bisect(function: Callable, lower: Float[Array, ""], upper: Float[Array, ""], args) -> Float[Array, ""]:
    """x in [lower, upper] with function(x, args) = 0, to the last bits; NaN where the ends do not bracket a sign change.

    Bisection to full precision, under `vmap` as well; derivatives of any order by Newton steps at the root, which have no value
    but carry the implicit derivative: pass all that is differentiated in `args`.
    """
    frozen = lax.stop_gradient(args)
    low, high = lax.stop_gradient((jnp.asarray(lower), jnp.asarray(upper)))
    rises = function(high, frozen) > function(low, frozen)

    def halve(_, ends):
        low, high = ends
        middle = low + (high - low) / 2
        above = (function(middle, frozen) > 0) == rises
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    bracketed = function(low, frozen) * function(high, frozen) <= 0
    bits = jnp.finfo(low.dtype).nmant + 12
    low, high = lax.fori_loop(0, bits, halve, (low, high))
    root = jnp.where(bracketed, low + (high - low) / 2, jnp.nan)
    slope = jax.grad(function)
    for _ in range(2):  # each step makes one more order of the derivative right
        root = root - function(root, args) / slope(root, args)
    return root


def bracketed(function: Callable, lower: Float[Array, ""], upper: Float[Array, ""], args) -> Float[Array, ""]:
    """`bisect` for a function that costs much and is not flat: some ten evaluations instead of sixty.

    By inverse quadratic interpolation where that is safe, else by bisection (Chandrupatla, Adv. Eng. Software 28, 145 (1997)).
    """
    frozen = lax.stop_gradient(args)
    low, high = lax.stop_gradient((jnp.asarray(lower), jnp.asarray(upper)))
    at_low, at_high = function(low, frozen), function(high, frozen)
    tolerance = 2 * jnp.finfo(low.dtype).eps

    def width(x, other):
        return (tolerance * jnp.abs(x) + jnp.finfo(x.dtype).tiny) / jnp.abs(other - x)

    def unfinished(carry):
        count, _, a, fa, b, fb, _, _ = carry
        best = jnp.where(jnp.abs(fa) < jnp.abs(fb), a, b)
        return (count < 100) & (width(best, jnp.where(best == a, b, a)) < 0.5) & (fa != 0) & (fb != 0)

    def advance(carry):
        count, share, a, fa, b, fb, c, fc = carry
        x = a + share * (b - a)
        fx = function(x, frozen)
        # The last three points: x, then the end that brackets the root with it, then the one that is left.
        same = (fx > 0) == (fa > 0)
        c, fc = jnp.where(same, a, b), jnp.where(same, fa, fb)
        b, fb = jnp.where(same, b, a), jnp.where(same, fb, fa)
        a, fa = x, fx
        inner, outer = (a - b) / (c - b), (fa - fb) / (fc - fb)
        quadratic = (outer**2 < inner) & ((1 - outer) ** 2 < 1 - inner)
        step = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        least = jnp.minimum(width(jnp.where(jnp.abs(fa) < jnp.abs(fb), a, b), jnp.where(jnp.abs(fa) < jnp.abs(fb), b, a)), 0.5)
        share = jnp.clip(jnp.where(quadratic & jnp.isfinite(step), step, 0.5), least, 1 - least)
        return count + 1, share, a, fa, b, fb, c, fc

    half = jnp.full_like(low, 0.5)
    _, _, a, fa, b, fb, _, _ = lax.while_loop(unfinished, advance, (0, half, low, at_low, high, at_high, low, at_low))
    root = jnp.where(jnp.abs(fa) < jnp.abs(fb), a, b)
    root = jnp.where(at_low * at_high <= 0, root, jnp.nan)

    def polish(root, _):  # each step makes one more order of the derivative right
        value, slope = jax.jvp(lambda x: function(x, args), (root,), (jnp.ones_like(root),))
        return root - value / slope, None

    return lax.scan(polish, root, length=2)[0]


def fixed_point(function: Callable, start: Float[Array, " n"], args) -> tuple[Float[Array, " n"], Bool[Array, ""]]:
    """x with function(x, args) = x, by iteration from `start`, halving the step where it does not settle; and whether it has.

    For few unknowns. Derivatives of any order by Newton steps at the end, as in `bisect`: pass all that is differentiated in `args`.
    """
    frozen, start = lax.stop_gradient((args, start))
    tolerance = float(jnp.finfo(start.dtype).eps) ** 0.6  # the Newton steps at the end double the digits

    def unfinished(carry):
        count, x, image = carry
        return (count < 200) & jnp.any(jnp.abs(image - x) > tolerance * jnp.abs(image))

    def step(carry):
        count, x, image = carry
        x = jnp.where(count < 20, image, (x + image) / 2)
        return count + 1, x, function(x, frozen)

    count, x, _ = lax.while_loop(unfinished, step, (0, start, function(start, frozen)))
    solve = inverse(jnp.eye(len(x), dtype=x.dtype) - jax.jacfwd(function)(x, frozen))
    for _ in range(2):  # each step makes one more order of the derivative right
        x = x - (solve * (x - function(x, args))[None]).sum(1)
    return x, jnp.asarray(count < 200)


def newton(function: Callable, start: Float[Array, " n"], args) -> tuple[Float[Array, " n"], Bool[Array, ""]]:
    """x with function(x, args) = 0, both of n numbers, from `start`, halving steps that make the residual larger; and whether it was found.

    For few unknowns. Derivatives of any order by Newton steps at the end, as in `bisect`: pass all that is differentiated in `args`.
    """
    frozen, start = lax.stop_gradient((args, start))
    tolerance = float(jnp.finfo(start.dtype).eps) ** 0.6  # the Newton steps at the end double the digits
    slope = lambda x: inverse(jax.jacfwd(function)(x, frozen))
    size = lambda residual: jnp.sum(residual**2)

    met = lambda x, step: jnp.all(jnp.abs(step) <= tolerance * (1 + jnp.abs(x)))

    def unfinished(carry):
        count, x, _, step, stuck = carry
        return (count < 40) & ~met(x, step) & ~stuck

    def advance(carry):
        count, x, residual, _, _ = carry
        step = -(slope(x) * residual[None]).sum(1)
        worse = lambda share: ~(size(function(x + share * step, frozen)) < size(residual))
        goes_on = lambda trial: trial[1] & (trial[0] > 2**-8)
        share, fails = lax.while_loop(goes_on, lambda trial: (trial[0] / 2, worse(trial[0] / 2)), (jnp.ones_like(step[0]), worse(1.0)))
        stuck = fails & ~met(x, step)
        x = jnp.where(fails, x, x + share * step)
        return count + 1, x, function(x, frozen), step, stuck

    first = function(start, frozen)
    _, x, _, step, _ = lax.while_loop(unfinished, advance, (0, start, first, jnp.full_like(start, jnp.inf), jnp.asarray(False)))
    solve = slope(x)
    for _ in range(2):  # each step makes one more order of the derivative right
        x = x - (solve * function(x, args)[None]).sum(1)
    found = met(x, step)
    return jnp.where(found, x, jnp.nan), found


def real_roots(coefficients: Float[Array, " n"]) -> Float[Array, " m"]:
    """The n - 1 roots x of sum_k c_k x^k, n > 1, in rising order, NaN for those that are not real or infinite; with implicit derivatives.

    Each is right to a few roundings of the coefficients, however small or large it is.
    """
    found = roots_or_infinity(coefficients)
    return missing(jnp.isinf(found), found)


def roots_or_infinity(coefficients: Float[Array, " n"]) -> Float[Array, " m"]:
    """`real_roots`, but infinite where those are NaN: for what goes on with those that there are, and makes no NaN on the way."""
    degree, frozen = len(coefficients) - 1, lax.stop_gradient(coefficients)
    signs = np.array([[(-1.0) ** k for k in range(degree + 1)], [1.0] * (degree + 1)])
    ends = (jnp.asarray(signs, frozen.dtype) * frozen[None]).sum(1)
    # A root at 1 or -1 counts as one within: a little further away the polynomial has the sign of its slope.
    outwards = (jnp.asarray(signs * np.arange(degree + 1), frozen.dtype) * frozen[None]).sum(1)
    ends = jnp.where(ends == 0, outwards, ends)
    within = _roots_within(coefficients, ends)
    beyond = _roots_within(coefficients[::-1], ends * jnp.asarray(signs[:, -1], frozen.dtype))
    # Of several roots at infinity, where a power of 1 / x underflows is all that can be told.
    tiny = float(jnp.finfo(frozen.dtype).tiny)
    finite = (jnp.abs(beyond) > jnp.where(frozen[-2] == 0, tiny ** (1 / degree), tiny)) & (beyond < jnp.inf)
    return jnp.sort(jnp.concatenate([within, jnp.where(finite, 1 / jnp.where(finite, beyond, 1.0), jnp.inf)]))[:degree]


def _roots_within(coefficients, ends):
    """The roots between -1 and 1 of a polynomial that is known at these `ends`, infinity for the others.

    Between neighbouring extrema, which are roots of the derivative, a polynomial has one root or none.
    """
    degree, frozen = len(coefficients) - 1, lax.stop_gradient(coefficients)
    evaluate = lambda x, c: jnp.polyval(c[::-1], x)
    if degree > 1:
        derivative = frozen[1:] * jnp.arange(1, degree + 1, dtype=frozen.dtype)
        turns = _roots_within(derivative, evaluate(jnp.array([-1.0, 1.0], frozen.dtype), derivative))
        turns = jnp.sort(jnp.where(jnp.isinf(turns), 1.0, turns))
    else:
        turns = frozen[:0]
    one = jnp.ones_like(frozen[:1])
    edges = jnp.concatenate([-one, turns, one])
    values = jnp.concatenate([ends[:1], jnp.where(turns == 1, ends[1], evaluate(turns, frozen)), ends[1:]])

    def between(low, high, at_low, at_high):
        there = (at_low * at_high <= 0) & (low != high) & ((at_low != 0) | (at_high != 0))
        x = jnp.where(there, _sign_change(lambda x: evaluate(x, frozen), low, high, at_high > at_low), 0.0)
        # Where there is none, that of x stands in: a derivative of what is not a number would spoil those of the others.
        known = jnp.where(there, coefficients, jnp.zeros_like(frozen).at[1].set(1))
        for _ in range(2):  # each step makes one more order of the derivative right
            x = x - evaluate(x, known) / jax.grad(evaluate)(x, known)
        return jnp.where(there, x, jnp.inf)

    return jax.vmap(between)(edges[:-1], edges[1:], values[:-1], values[1:])


def _sign_change(function, low, high, rises):
    """The last x before `function` changes its sign, by halving the number of floats in between: as right at 1e-300 as at 1."""
    bits = jnp.finfo(low.dtype).bits
    whole = jnp.int64 if bits == 64 else jnp.int32
    least = jnp.iinfo(whole).min
    flip = lambda k: jnp.where(k < 0, least - k, k)  # floats are stored with a sign and a size
    number = lambda k: lax.bitcast_convert_type(flip(k), low.dtype)

    def halve(_, ends):
        low, high = ends
        middle = (low & high) + ((low ^ high) >> 1)  # without overflow
        above = (function(number(middle)) > 0) == rises
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    ends = flip(lax.bitcast_convert_type(low, whole)), flip(lax.bitcast_convert_type(high, whole))
    return number(lax.fori_loop(0, bits, halve, ends)[0])
