"""Checks of user input: an exception where the value is known, NaN in that point alone where it is traced."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float


def is_concrete(*values) -> bool:
    """Whether every array in these PyTrees has a value that Python may look at (none is traced)."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def as_real(value: ArrayLike, name: str) -> Float[Array, "..."]:
    """`value` as a floating-point array; raises `ValueError` if it is not a real, finite number (traced values pass)."""
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be a real number or an array of them, got {value!r}.") from error
    if jnp.issubdtype(array.dtype, jnp.floating):
        return lax.convert_element_type(array, array.dtype)  # a Python float's type is weak, and would compile twice
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise ValueError(f"`{name}` must be real, got {value!r}.")
    return array.astype(jnp.result_type(float))


def as_scalar(value: ArrayLike, name: str) -> Float[Array, ""]:
    """`as_real` for one number."""
    array = as_real(value, name)
    if array.shape != ():
        raise ValueError(f"`{name}` must be one number, got shape {array.shape}; use `jax.vmap` for a batch.")
    return array


def as_share(value: ArrayLike, name: str) -> Float[Array, ""]:
    """`as_scalar` for a number between 0 and 1, both excluded."""
    number = as_scalar(value, name)
    if is_concrete(number) and not 0 < number < 1:
        raise ValueError(f"`{name}` must be between 0 and 1, got {float(number)}.")
    return number


def require(module, **domains: str) -> None:
    """`check` every named field of a module; for `__check_init__`, which runs at construction and again in `qtd.replace`."""
    for name, domain in domains.items():
        check(name, getattr(module, name), domain)


def check(name: str, value: Array, domain: str) -> None:
    """Raise `ValueError` if a value is not finite or outside "any", "positive" or "nonnegative"; traced values pass."""
    if not is_concrete(value):
        return
    known = np.asarray(value)
    if not np.all(np.isfinite(known)):
        raise ValueError(f"`{name}` must be finite, got {known}.")
    if domain == "positive" and not np.all(known > 0):
        raise ValueError(f"`{name}` must be positive, got {known}.")
    if domain == "nonnegative" and not np.all(known >= 0):
        raise ValueError(f"`{name}` must not be negative, got {known}.")


def positive(value: Float[Array, "..."]) -> Float[Array, "..."]:
    """`value` where it is positive, NaN elsewhere: no exception can leave compiled code."""
    return jnp.where(value > 0, value, _nan_like(value))


def nonnegative(value: Float[Array, "..."]) -> Float[Array, "..."]:
    """`value` where it is not negative, NaN elsewhere."""
    return jnp.where(value >= 0, value, _nan_like(value))


def _nan_like(value):
    return jnp.nan * lax.stop_gradient(value)  # not a constant, which would move the axis of a batch; see `batching`


def whole(value: int, name: str, least: int) -> None:
    """Raise `ValueError` unless this is an integer, not below `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"`{name}` must be an integer not below {least}, got {value!r}.")
