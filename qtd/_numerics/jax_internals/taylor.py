"""Taylor arithmetic: the coefficients of a function of power series, by going through the function
step by step.

Coefficients are stacked along a first axis, c_0 + c_1 t + c_2 t^2 + ..., so that what is linear is
done to all of them at once, and products and elementary functions follow from recursions (Knuth,
The Art of Computer Programming 2, section 4.7; Griewank and Walther, Evaluating Derivatives,
chapter 13). What has no recursion here goes through `jax.experimental.jet`.
"""

import functools
from collections.abc import Callable
from math import factorial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import jet
from jax.extend.core import ClosedJaxpr, Literal
from jaxtyping import Array

from ..batching import add, settle


def taylor(function: Callable[..., Any], *arguments: Array) -> Any:
    """Coefficients, first axis, of `function` of arguments that are such coefficients
    themselves."""
    count = len(arguments[0])
    steps, shapes = jax.make_jaxpr(function, return_shape=True)(*(x[0] for x in arguments))
    found = _follow_steps(steps.jaxpr, steps.consts, [_Series(x) for x in arguments], count)
    return jax.tree.unflatten(jax.tree.structure(shapes), [_lifted(x, count) for x in found])


class _Series(NamedTuple):
    """What depends on t; other values of a program stand for themselves."""

    terms: Array


def _follow_steps(jaxpr, constants, arguments, count):
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *arguments]))

    def read(x):
        return x.val if isinstance(x, Literal) else known[x]

    for step in jaxpr.eqns:
        found = _step(step, [read(x) for x in step.invars], count)
        known.update(zip(step.outvars, found))
    return [read(x) for x in jaxpr.outvars]


def _step(step, operands, count):
    """The results of one primitive operation."""
    name = step.primitive.name
    if name in _CALLS:
        inner = step.params[_CALLS[name]]
        inner, constants = (
            (inner.jaxpr, inner.consts) if isinstance(inner, ClosedJaxpr) else (inner, ())
        )
        return _follow_steps(inner, constants, operands, count)
    moves = any(isinstance(x, _Series) for x in operands) and jnp.issubdtype(
        step.outvars[0].aval.dtype, jnp.inexact
    )
    if not moves or name in _STEPWISE:
        found = step.primitive.bind(*map(_first, operands), **step.params)
        return found if step.primitive.multiple_results else [found]
    return _RULES.get(name, _by_jet)(step, operands, count)


def _first(x):
    return x.terms[0] if isinstance(x, _Series) else x


def _is_real(x):
    return isinstance(x, _Series) or jnp.issubdtype(jnp.result_type(x), jnp.inexact)


def _lifted(x, count, shape=None):
    """The coefficients of anything."""
    if isinstance(x, _Series):
        return x.terms
    x = jnp.asarray(x) if shape is None else jnp.broadcast_to(x, shape)
    return jnp.concatenate([x[None], jnp.zeros((count - 1, *x.shape), x.dtype)])


def _rows(terms):
    """Coefficients one by one; the transpose of this stacks them."""
    return [jnp.squeeze(row, 0) for row in lax.split(terms, (1,) * len(terms))]


def _collected(rows):
    # Settled: a compiler would work out every coefficient anew wherever it is used.
    return [_Series(settle(jnp.stack(rows)))]


def _linear(step, operands, count):
    """One operation on all coefficients; operands that do not move are parameters of it, such as
    indices or factors."""
    axes = [0 if isinstance(x, _Series) else None for x in operands]
    values = [x.terms if isinstance(x, _Series) else x for x in operands]
    return [
        _Series(jax.vmap(lambda *x: step.primitive.bind(*x, **step.params), in_axes=axes)(*values))
    ]


def _along_rows(step, operands, count):
    """A linear map, which is of first axes."""
    found = step.primitive.bind(jnp.moveaxis(operands[0].terms, 0, -1), **step.params)
    return [_Series(jnp.moveaxis(found, -1, 0))]


def _joint(step, operands, count):
    """Linear in all that are real numbers together, such as a concatenation: constants move as
    well."""
    return _linear(
        step, [_Series(_lifted(x, count)) if _is_real(x) else x for x in operands], count
    )


def _sum(step, operands, count):
    return _linear(
        step, [_Series(_lifted(x, count, step.outvars[0].aval.shape)) for x in operands], count
    )


def _bilinear(step, operands, count):
    if not all(isinstance(x, _Series) for x in operands):
        return _linear(step, operands, count)
    if step.primitive.name == "mul":
        return _collected(_product(*(_rows(x.terms) for x in operands)))
    return _by_jet(step, operands, count)


def _division(step, operands, count):
    above, below = operands
    if not isinstance(below, _Series):
        first, *others = _rows(above.terms)
        over = 1 / below
        return [_Series(jnp.stack([first / below, *(x * over for x in others)]))]
    return _collected(
        _quotient(_rows(_lifted(above, count, below.terms.shape[1:])), _rows(below.terms))
    )


def _choice(step, operands, count):
    which, cases = _first(operands[0]), operands[1:]
    shape = step.outvars[0].aval.shape
    which = jnp.broadcast_to(which, (count, *shape)) if jnp.ndim(which) else which
    return [_Series(lax.select_n(which, *(_lifted(x, count, shape) for x in cases)))]


def _elementary(recursion):
    return lambda step, operands, count: _collected(
        recursion(_rows(operands[0].terms), **step.params)
    )


def _both(step, operands, count):
    filled, empty = _occupied(_rows(operands[0].terms))
    (empty,) = _collected(empty)
    return [_Series(jnp.concatenate([filled[0][None], -empty.terms[1:]])), empty]


def _by_jet(step, operands, count):
    """The same by `jax.experimental.jet`, which works with derivatives."""
    if step.primitive not in jet.jet_rules:
        name = step.primitive.name
        raise NotImplementedError(
            f"`network` uses {name!r}, of which no Taylor series is known; write it in other terms."
        )
    real = [i for i, x in enumerate(operands) if _is_real(x)]
    rows = [
        [factorial(k) * row for k, row in enumerate(_rows(_lifted(operands[i], count)))]
        for i in real
    ]

    def operation(*moving):
        values = dict(zip(real, moving))
        return step.primitive.bind(
            *(values.get(i, x) for i, x in enumerate(operands)), **step.params
        )

    first, others = jet.jet(operation, [x[0] for x in rows], [x[1:] for x in rows])
    if not step.primitive.multiple_results:
        first, others = [first], [others]
    return [
        _Series(jnp.stack([x, *(y / factorial(k) for k, y in enumerate(terms, start=1))]))
        for x, terms in zip(first, others)
    ]


def _convolution(a, b, k, start=0, end=None):
    """sum_j a_j b_(k - j) for j from `start` up to, and without, `end`."""
    return [a[j] * b[k - j] for j in range(start, k + 1 if end is None else end)]


def _product(a, b):
    return [add(_convolution(a, b, k)) for k in range(len(a))]


def _quotient(a, b):
    over, found = settle(1 / b[0]), [settle(a[0] / b[0])]
    for k in range(1, len(a)):
        found.append((a[k] - add(_convolution(found, b, k, end=k))) * over)
    return found


def _weighted(a):
    """j a_j: the coefficients of t da/dt."""
    return [j * x if j > 1 else x for j, x in enumerate(a)]


def _exponential(a, **_):
    slope, found = _weighted(a), [settle(jnp.exp(a[0]))]
    for k in range(1, len(a)):
        found.append(add(_convolution(slope, found, k, 1)) / k)
    return found


def _logarithm(a, **_):
    over, found = settle(1 / a[0]), [settle(jnp.log(a[0]))]
    for k in range(1, len(a)):
        known = _convolution(_weighted(found), a, k, 1, k)
        found.append((a[k] - add(known) / k if known else a[k]) * over)
    return found


def _occupied(a):
    """f = 1 / (e^a + 1) and 1 - f, which both keep all digits: f' = -f (1 - f) a'."""
    above = a[0] > 0
    # Not of the absolute value, which has no slope at 0.
    decay = settle(jnp.exp(jnp.where(above, -a[0], a[0])))
    large = 1 / (1 + decay)
    small = decay * large
    found, rest = [settle(jnp.where(above, small, large))], [settle(jnp.where(above, large, small))]
    slope, both = _weighted(a), [found[0] * rest[0]]
    for k in range(1, len(a)):
        rest.append(add(_convolution(slope, both, k, 1)) / k)
        found.append(-rest[k])
        both.append(add(_convolution(found, rest, k)))
    return found, rest


def _waves(a):
    slope = _weighted(a)
    sine = [settle(jnp.sin(a[0]))]
    cosine = [settle(jnp.cos(a[0]))]
    for k in range(1, len(a)):
        up, down = (add(_convolution(slope, x, k, 1)) / k for x in (cosine, sine))
        sine.append(up)
        cosine.append(-down)
    return sine, cosine


def _root(a, **_):
    found = [settle(jnp.sqrt(a[0]))]
    over = settle(0.5 / found[0])
    for k in range(1, len(a)):
        known = _convolution(found, found, k, 1, k)
        found.append((a[k] - add(known) if known else a[k]) * over)
    return found


def _power(a, y, **_):
    """a^y for a whole number y."""
    one = [jnp.ones_like(a[0]), *(jnp.zeros_like(x) for x in a[1:])]
    if y < 0:
        return _quotient(one, _power(a, -y))
    return functools.reduce(_product, [a] * y) if y else one


_CALLS = {
    **dict.fromkeys(("jit", "pjit", "checkpoint"), "jaxpr"),
    **dict.fromkeys(
        ("closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"), "call_jaxpr"
    ),
}
_STEPWISE = {"stop_gradient", "sign", "floor", "ceil", "round"}
_RULES = {
    **dict.fromkeys(
        (
            "neg",
            "reshape",
            "broadcast_in_dim",
            "transpose",
            "slice",
            "squeeze",
            "expand_dims",
            "reduce_sum",
        ),
        _linear,
    ),
    **dict.fromkeys(
        ("cumsum", "rev", "convert_element_type", "gather", "dynamic_slice", "real", "imag"),
        _linear,
    ),
    **dict.fromkeys(("concatenate", "stack", "pad", "dynamic_update_slice"), _joint),
    **dict.fromkeys(("add", "sub", "add_any"), _sum),
    **dict.fromkeys(("mul", "dot_general"), _bilinear),
    # `follow` has done its work when the function was batched.
    **dict.fromkeys(("follow", "copy", "copy_p"), lambda step, operands, count: operands[:1]),
    "settle": lambda step, operands, count: [_Series(settle(operands[0].terms))],
    "div": _division,
    "select_n": _choice,
    "exp": _elementary(_exponential),
    "expm1": _elementary(lambda a, **_: [jnp.expm1(a[0]), *_exponential(a)[1:]]),
    "log": _elementary(_logarithm),
    "log1p": _elementary(lambda a, **_: [jnp.log1p(a[0]), *_logarithm([1 + a[0], *a[1:]])[1:]]),
    "logistic": _elementary(lambda a, **_: _occupied(a)[1]),
    "occupied": _both,
    "linear_map": _along_rows,
    "sin": _elementary(lambda a, **_: _waves(a)[0]),
    "cos": _elementary(lambda a, **_: _waves(a)[1]),
    "sqrt": _elementary(_root),
    "integer_pow": _elementary(_power),
    "square": _elementary(lambda a, **_: _product(a, a)),
}
