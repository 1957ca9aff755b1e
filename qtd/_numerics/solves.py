"""Linear systems whose factors are known: one primitive, so that a factorisation is never
differentiated.

The tangent of a solve is another solve with the same factors, and its transpose a solve with the
transposed operator: forward mode, reverse mode and all higher orders follow. Batches keep their
axis last; see `batching`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from .batching import batched_last, follow


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
    return _solve_p.bind(
        follow(y, y), *operands, structure=structure, substitute=substitute, transposed=transposed
    )


def _substituted(y, *operands, structure, substitute, transposed):
    _, (factors, needed) = jax.tree.unflatten(structure, operands)
    if needed is None:
        return substitute(factors, y, transposed)
    found = lambda: jnp.where(needed[None] > 0, substitute(factors, y, transposed), 0.0)
    return lax.cond(jnp.any(needed > 0), found, lambda: jnp.zeros_like(y))


def _solve_jvp(primals, tangents, *, structure, **how):
    """A x = y gives A dx = dy - dA x; the factors are constants."""
    again = lambda y: _solve_p.bind(y, *primals[1:], structure=structure, **how)
    x, (y_dot, *operands_dot) = again(primals[0]), tangents
    right = ad.instantiate_zeros(y_dot)
    if any(type(change) is not ad.Zero for change in operands_dot):
        changes, _ = jax.tree.unflatten(
            structure, [follow(ad.instantiate_zeros(change), x) for change in operands_dot]
        )
        right = right - changes.apply(x, how["transposed"])
    return x, again(right)


def _solve_transpose(ct, y, *operands, transposed, **how):
    found = _solve_p.bind(ad.instantiate_zeros(ct), *operands, transposed=not transposed, **how)
    return [found, *(None for _ in operands)]


def _solve_batch(args, dims, **how):
    y, *operands = batched_last(args, dims)
    return _solve_p.bind(y, *operands, **how), y.ndim - 1


_solve_p = Primitive("solve")
_solve_p.def_impl(lambda *operands, **how: jax.jit(partial(_substituted, **how))(*operands))
_solve_p.def_abstract_eval(lambda y, *operands, **how: y)
mlir.register_lowering(_solve_p, mlir.lower_fun(_substituted, multiple_results=False))
ad.primitive_jvps[_solve_p] = _solve_jvp
ad.primitive_transposes[_solve_p] = _solve_transpose
batching.primitive_batchers[_solve_p] = _solve_batch
