"""Operations that JAX sees as single steps, with rules of their own for batches and derivatives.

All of them keep a batch axis last, where loops over levels run along it; see `batching`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array


def primitive(
    name: str,
    compute: Callable[..., Any],
    shapes: Callable[..., Any],
    *,
    transpose: Callable[..., Sequence[Any]] | None = None,
    jvp: Callable[..., tuple[Any, Any]] | None = None,
    several: bool = False,
    traced_once: tuple[str, ...] = (),
    eager: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """The operation `compute` of arrays, and of static keyword arguments, as one step of a program.

    - `compute` must accept batch axes after those of its operands; `shapes` says of abstract
      operands what comes out, a list if there are `several` results.
    - `transpose(ct, *operands, **static)`: what a linear operation gives back, one entry for each
      operand. With it alone the operation is linear in its first operand; with `jvp(primals,
      tangents, **static)`, alone or as well, that rule differentiates. Without either there is no
      derivative.
    - `traced_once`: names of the static arguments of an operation long enough that its program is
      kept, and not traced again wherever it is used.
    - `eager`: what is done with known operands, by default `compute`, compiled.
    """
    new = Primitive(name)
    new.multiple_results = several
    once = jax.jit(compute, static_argnames=traced_once) if traced_once else compute

    def compiled(*operands, **how):
        return jax.jit(partial(compute, **how))(*operands)

    new.def_impl(eager or (once if traced_once else compiled))
    new.def_abstract_eval(shapes)
    mlir.register_lowering(new, mlir.lower_fun(once, multiple_results=several))

    def batch(operands, axes, **how):
        results = new.bind(*batched_last(operands, axes), **how)
        return results, [x.ndim - 1 for x in results] if several else results.ndim - 1

    batching.primitive_batchers[new] = batch
    if jvp is not None:
        ad.primitive_jvps[new] = jvp
    if transpose is None:
        return new.bind

    def given_back(ct, *operands, **how):
        return transpose(ad.instantiate_zeros(ct), *operands, **how)

    if jvp is None:
        ad.deflinear2(new, given_back)
    else:
        ad.primitive_transposes[new] = given_back
    return new.bind


def batched_last(operands: Sequence[Array], axes: Sequence[int | None]) -> list[Array]:
    """The operands of a primitive that is being batched, all with the batch axis last."""
    size = next(x.shape[axis] for x, axis in zip(operands, axes) if axis is not None)
    return [
        jnp.broadcast_to(x[..., None], (*x.shape, size))
        if axis is None
        else jnp.moveaxis(x, axis, -1)
        for x, axis in zip(operands, axes)
    ]


def _follow_jvp(primals, tangents):
    (x, witness), (x_dot, _) = primals, tangents
    return _follow(x, witness), _follow(ad.instantiate_zeros(x_dot), witness)


_follow = primitive(
    "follow",
    lambda x, witness: x,
    lambda x, witness: x,
    jvp=_follow_jvp,
    transpose=lambda ct, x, witness: [_follow(ct, witness), None],
    eager=lambda x, witness: x,
)


def follow(x: Array, witness: Array) -> Array:
    """x, batched wherever x or `witness` is, the batch axis last. The identity; so is its
    derivative, laid out in the same way."""
    return _follow(x, lax.stop_gradient(witness))


def _settled_on_cpu(x):
    """A loop that touches two rows and changes nothing: XLA for CPUs drops its barriers too early,
    but does not fuse across loops."""
    if x.ndim == 0 or x.size == 0:
        return x

    # Of whole numbers the compiler knows the least one.
    least = -jnp.inf if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.iinfo(x.dtype).min + 1

    def touch(i, x):
        row = lax.dynamic_slice_in_dim(x, i, 1)
        return lax.dynamic_update_slice_in_dim(x, jnp.maximum(row, least), i, 0)

    return lax.fori_loop(0, 2, touch, x)


_settle_p = Primitive("settle")
_settle_p.def_impl(lambda x: x)
_settle_p.def_abstract_eval(lambda x: x)
ad.deflinear2(_settle_p, lambda ct, _: [_settle_p.bind(ad.instantiate_zeros(ct))])
batching.primitive_batchers[_settle_p] = lambda args, dims: (_settle_p.bind(*args), *dims)
mlir.register_lowering(_settle_p, mlir.lower_fun(lax.optimization_barrier, multiple_results=False))
mlir.register_lowering(
    _settle_p, mlir.lower_fun(_settled_on_cpu, multiple_results=False), platform="cpu"
)


def settle(x: Array) -> Array:
    """x, computed once and kept. The identity, and so is its derivative.

    A compiler may copy what an array is computed from into every kernel that uses it. Two copies
    need not be rounded alike, and where it is a padded array, or the derivative of a dozen rates,
    the kernels lose their vector instructions or repeat much work.
    """
    return _settle_p.bind(x)


def instantiate_zeros(tangent: Any) -> Array:
    """A tangent of a rule, as an array where it is a symbolic zero."""
    return ad.instantiate_zeros(tangent)


def is_zero(tangent: Any) -> bool:
    """Whether a tangent of a rule is a symbolic zero."""
    return type(tangent) is ad.Zero
