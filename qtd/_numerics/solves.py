"""Linear systems whose factors are known: one primitive, so that a factorisation is never
differentiated.

The tangent of a solve is another solve with the same factors, and its transpose a solve with the
transposed operator: forward mode, reverse mode and all higher orders follow. Batches keep their
axis last; see `batching`.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .jax_internals.primitives import follow, instantiate_zeros, is_zero, primitive


class Operator(Protocol):
    """A PyTree of arrays on which an operator depends linearly."""

    def apply(self, x: Float[Array, "n *batch"], transposed: bool) -> Float[Array, "n *batch"]: ...


def solve(
    substitute: Callable[[Any, Array, bool], Array],
    y: Float[Array, " n"],
    operator: Operator,
    factors: Any,
    transposed: bool,
    needed: Float[Array, ""] | None = None,
) -> Float[Array, " n"]:
    """x with A x = y, or A^T x = y, from `substitute(factors, y, transposed)`, which must accept
    batch axes after the first one.

    A is `operator`, plus what may be added to it by `factors`, which are constants to every
    derivative. Where `needed` is 0, x is 0, and so are its derivatives; a batch of which none is
    needed is not solved.
    """
    operands, structure = jax.tree.flatten((operator, lax.stop_gradient((factors, needed))))
    return _solve(
        follow(y, y), *operands, structure=structure, substitute=substitute, transposed=transposed
    )


def _substituted(y, *operands, structure, substitute, transposed):
    _, (factors, needed) = jax.tree.unflatten(structure, operands)
    if needed is None:
        return substitute(factors, y, transposed)

    def found():
        return jnp.where(needed[None] > 0, substitute(factors, y, transposed), 0.0)

    return lax.cond(jnp.any(needed > 0), found, lambda: jnp.zeros_like(y))


def _solve_jvp(primals, tangents, *, structure, **how):
    """A x = y gives A dx = dy - dA x; the factors are constants."""

    def again(y):
        return _solve(y, *primals[1:], structure=structure, **how)

    x, (y_dot, *operands_dot) = again(primals[0]), tangents
    right = instantiate_zeros(y_dot)
    if not all(map(is_zero, operands_dot)):
        changes, _ = jax.tree.unflatten(
            structure, [follow(instantiate_zeros(change), x) for change in operands_dot]
        )
        right = right - changes.apply(x, how["transposed"])
    return x, again(right)


def _solve_transpose(ct, y, *operands, transposed, **how):
    found = _solve(ct, *operands, transposed=not transposed, **how)
    return [found, *(None for _ in operands)]


_solve = primitive(
    "solve",
    _substituted,
    lambda y, *operands, **how: y,
    jvp=_solve_jvp,
    transpose=_solve_transpose,
)
