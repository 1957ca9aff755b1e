"""Taylor arithmetic: the coefficients of a function of power series, by going through the function step by step.

Coefficients are stacked along a first axis, c_0 + c_1 t + c_2 t^2 + ..., so that what is linear is done to all of them at once, and
products and elementary functions follow from recursions (Knuth, The Art of Computer Programming 2, section 4.7; Griewank and Walther,
Evaluating Derivatives, chapter 13). What has no recursion here goes through `jax.experimental.jet`.
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

from .batching import add, settle


def taylor(function: Callable[..., Any], *arguments: Array) -> Any:
    """Coefficients, first axis, of `function` of arguments that are such coefficients themselves."""
    count = len(arguments[0])
    steps, shapes = jax.make_jaxpr(function, return_shape=True)(*(x[0] for x in arguments))
    found = _follow_steps(steps.jaxpr, steps.consts, [_Series(x) for x in arguments], count)
    return jax.tree.unflatten(jax.tree.structure(shapes), [_lifted(x, count) for x in found])


class _Series(NamedTuple):
    """What depends on t; other values of a program stand for themselves."""

    terms: Array


def _follow_steps(jaxpr, constants, arguments, count):
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *arguments]))
    read = lambda x: x.val if isinstance(x, Literal) else known[x]
    for step in jaxpr.eqns:
        found = _step(step, [read(x) for x in step.invars], count)
        known.update(zip(step.outvars, found))
    return [read(x) for x in jaxpr.outvars]


def _step(step, operands, count):
    """The results of one primitive operation."""
    name, primitive = step.primitive.name, step.primitive
    if name in _CALLS:
        inner = step.params[_CALLS[name]]
        inner, constants = (inner.jaxpr, inner.consts) if isinstance(inner, ClosedJaxpr) else (inner, ())
        return _follow_steps(inner, constants, operands, count)
    moving = [isinstance(x, _Series) for x in operands]
    shape, dtype = step.outvars[0].aval.shape, step.outvars[0].aval.dtype
    if not any(moving) or name in _STEPWISE or not jnp.issubdtype(dtype, jnp.inexact):
        plain = [x.terms[0] if isinstance(x, _Series) else x for x in operands]
        found = primitive.bind(*plain, **step.params)
        return found if primitive.multiple_results else [found]
    if name in _IDENTITIES:
        return [operands[0]]
    if name == "settle":
        return [_Series(settle(operands[0].terms))]
    if name in _FUNCTIONS:
        return [_collected(_FUNCTIONS[name](_rows(operands[0]), **step.params))]
    if name == "select_n":
        which, *cases = operands
        which = which.terms[0] if isinstance(which, _Series) else which
        which = jnp.broadcast_to(which, (count, *shape)) if jnp.ndim(which) else which
        return [_Series(lax.select_n(which, *(_lifted(x, count, shape) for x in cases)))]
    if name in _PRODUCTS and all(moving):
        return [_collected(_PRODUCTS[name](*map(_rows, operands)))]
    if name == "div" and moving[1]:
        return [_collected(_quotient(_rows(_Series(_lifted(operands[0], count, shape))), _rows(operands[1])))]
    if name in _LINEAR or name in _PRODUCTS or name == "div":
        if name in _JOINT:
            operands = [_Series(_lifted(x, count, shape if name in _ELEMENTWISE else None)) if _is_real(x) else x for x in operands]
        axes = [0 if isinstance(x, _Series) else None for x in operands]
        values = [x.terms if isinstance(x, _Series) else x for x in operands]
        return [_Series(jax.vmap(lambda *x: primitive.bind(*x, **step.params), in_axes=axes)(*values))]
    return _by_jet(step, operands, count)


def _by_jet(step, operands, count):
    """By the rule of `jax.experimental.jet`, which works with derivatives."""
    rule = jet.jet_rules.get(step.primitive)
    if rule is None:
        raise NotImplementedError(f"`network` uses {step.primitive.name!r}, of which no Taylor series is known; write it in other terms.")
    values = [_lifted(x, count) if _is_real(x) else x for x in operands]
    primals = [x[0] if _is_real(y) else x for x, y in zip(values, operands)]
    series = [[factorial(k) * x[k] for k in range(1, count)] if _is_real(y) else [jnp.zeros_like(x)] * (count - 1)
              for x, y in zip(values, operands)]
    first, others = rule(primals, series, **step.params)
    if not step.primitive.multiple_results:
        first, others = [first], [others]
    return [_collected([x, *(y / factorial(k) for k, y in enumerate(terms, start=1))]) for x, terms in zip(first, others)]


def _is_real(x):
    return isinstance(x, _Series) or jnp.issubdtype(jnp.result_type(x), jnp.inexact)


def _lifted(x, count, shape=None):
    """The coefficients of anything."""
    if isinstance(x, _Series):
        return x.terms
    x = jnp.asarray(x) if shape is None else jnp.broadcast_to(x, shape)
    return jnp.concatenate([x[None], jnp.zeros((count - 1, *x.shape), x.dtype)])


def _rows(x):
    """Coefficients one by one; the transpose of this stacks them."""
    return [jnp.squeeze(row, 0) for row in lax.split(x.terms, (1,) * len(x.terms))]


def _collected(rows):
    # Settled: a compiler would work out every coefficient anew wherever it is used.
    return _Series(settle(jnp.stack(rows)))


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


def _logistic(a, **_):
    """s' = s (1 - s) a'; both s and 1 - s keep all digits."""
    above = a[0] > 0
    decay = settle(jnp.exp(jnp.where(above, -a[0], a[0])))  # not of the absolute value, which has no slope at 0
    large = 1 / (1 + decay)
    small = decay * large
    found, rest = [settle(jnp.where(above, large, small))], [settle(jnp.where(above, small, large))]
    slope, both = _weighted(a), [found[0] * rest[0]]
    for k in range(1, len(a)):
        found.append(add(_convolution(slope, both, k, 1)) / k)
        rest.append(-found[k])
        both.append(add(_convolution(found, rest, k)))
    return found


def _waves(a):
    slope, sine, cosine = _weighted(a), [settle(jnp.sin(a[0]))], [settle(jnp.cos(a[0]))]
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


_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "checkpoint": "jaxpr"}
_CALLS |= {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
_PRODUCTS = {"mul": _product}
_FUNCTIONS = {
    "exp": _exponential,
    "expm1": lambda a, **_: [jnp.expm1(a[0]), *_exponential(a)[1:]],
    "log": _logarithm,
    "log1p": lambda a, **_: [jnp.log1p(a[0]), *_logarithm([1 + a[0], *a[1:]])[1:]],
    "logistic": _logistic,
    "sin": lambda a, **_: _waves(a)[0],
    "cos": lambda a, **_: _waves(a)[1],
    "sqrt": _root,
    "integer_pow": _power,
    "square": lambda a, **_: _product(a, a),
}
_STEPWISE = {"stop_gradient", "sign", "floor", "ceil", "round"}
_IDENTITIES = {"follow", "copy", "copy_p"}
_ELEMENTWISE = {"add", "sub", "add_any"}
_JOINT = {*_ELEMENTWISE, "concatenate", "stack", "pad", "dynamic_update_slice"}
_LINEAR = {
    *_JOINT,
    *("neg", "reshape", "broadcast_in_dim", "transpose", "slice", "squeeze", "expand_dims", "reduce_sum", "cumsum", "rev"),
    *("convert_element_type", "gather", "dynamic_slice", "real", "imag"),
}
