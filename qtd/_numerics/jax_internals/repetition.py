"""Programs without repetition: what is computed twice from the same numbers is computed once, loops
included.

Compilers do this for single instructions and not for loops; so that two quantities that each solve
the same network cost two solutions.
"""

from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, jaxpr_as_fun
from jax.interpreters import partial_eval


def without_repetition(program: ClosedJaxpr) -> ClosedJaxpr:
    """The same program, each of whose equations appears once and is needed; it can be batched, but
    not differentiated.

    Equations are the same if they apply the same primitive, with the same parameters, to the same
    values. Functions among the parameters of custom derivative rules are no part of that: they only
    matter to whoever differentiates.
    """
    jaxpr = program.jaxpr
    known: dict[Any, Any] = {}  # what stands for a variable
    constants: dict[Hashable, Any] = {}
    for var, value in zip(jaxpr.constvars, program.consts):
        known[var] = constants.setdefault((str(var.aval), exact_bytes(value)), var)
    seen: dict[Hashable, list] = {}
    kept = []
    for equation in jaxpr.eqns:
        inputs = [known.get(x, x) if not isinstance(x, Literal) else x for x in equation.invars]
        key = _key(equation, [_literal(x) if isinstance(x, Literal) else id(x) for x in inputs])
        before = seen.get(key)
        # An output that was dropped the first time may be needed the second time.
        fits = before is not None and all(
            type(x) is Var or type(y) is not Var for x, y in zip(before, equation.outvars)
        )
        if not fits or equation.effects:
            seen[key] = equation.outvars
            kept.append(equation.replace(invars=inputs))
        else:
            known |= zip(equation.outvars, before or [])
    outputs = [known.get(x, x) if not isinstance(x, Literal) else x for x in jaxpr.outvars]
    shorter, _ = partial_eval.dce_jaxpr(
        jaxpr.replace(eqns=kept, outvars=outputs), [True] * len(outputs), instantiate=True
    )
    return ClosedJaxpr(shorter, program.consts)


def as_function(program: ClosedJaxpr, outputs: Any) -> Callable:
    """A function of one PyTree, such as the program was traced from; `outputs` has the structure of
    its result."""
    flat, structure = jaxpr_as_fun(program), jax.tree.structure(outputs)
    return lambda inputs: jax.tree.unflatten(structure, flat(*jax.tree.leaves(inputs)))


def inside(equation: JaxprEqn) -> list[Jaxpr]:
    """The programs among the parameters of an equation: bodies of loops, branches, functions."""
    found = jax.tree.leaves(
        list(equation.params.values()), is_leaf=lambda x: isinstance(x, Jaxpr | ClosedJaxpr)
    )
    return [
        x.jaxpr if isinstance(x, ClosedJaxpr) else x
        for x in found
        if isinstance(x, Jaxpr | ClosedJaxpr)
    ]


def exact_bytes(value: Any) -> bytes:
    """All digits of an array, which printing would not show; of the keys of random numbers too."""
    if jnp.issubdtype(getattr(value, "dtype", float), jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return np.asarray(value).tobytes()


def _key(equation, inputs):
    has_rule = equation.primitive.name.startswith(("custom_jvp", "custom_vjp"))

    def plain(x):
        return isinstance(x, ClosedJaxpr | Jaxpr | int | str | tuple | None)

    parameters = tuple(
        (name, _normal(x))
        for name, x in sorted(equation.params.items())
        if plain(x) or not has_rule
    )
    return (
        equation.primitive,
        tuple(inputs),
        parameters,
        tuple(str(x.aval) for x in equation.outvars),
    )


def _normal(value) -> Hashable:
    """A parameter in a form that can be compared."""
    if isinstance(value, ClosedJaxpr):
        return _shape_of(value.jaxpr), tuple(exact_bytes(x) for x in value.consts)
    if isinstance(value, Jaxpr):
        return _shape_of(value)
    if isinstance(value, tuple | list):
        return tuple(_normal(x) for x in value)
    if isinstance(value, dict):
        return tuple((name, _normal(x)) for name, x in sorted(value.items()))
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def _shape_of(jaxpr: Jaxpr) -> Hashable:
    """An inner program with its variables numbered in the order in which they appear."""
    numbers: dict[Any, int] = {}

    def name(x):
        return _literal(x) if isinstance(x, Literal) else numbers.setdefault(x, len(numbers))

    given = tuple((name(x), str(x.aval)) for x in (*jaxpr.constvars, *jaxpr.invars))
    equations = []
    for equation in jaxpr.eqns:
        key = _key(equation, [name(x) for x in equation.invars])
        equations.append((key, tuple(name(x) for x in equation.outvars)))
    return given, tuple(equations), tuple(name(x) for x in jaxpr.outvars)


def _literal(x):
    return "literal", str(x.aval), exact_bytes(x.val)
