"""Numbers beyond the range of floats, such as occupations at energies of thousands of
temperatures."""

import functools
import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from .batching import add

_FAR = 0.85  # of the largest exponent: room for the mantissa


class Scaled(eqx.Module):
    """Arrays of `mantissa` * exp(`exponent`), with exponents that are constant to every
    derivative."""

    mantissa: Float[Array, "*shape"]
    exponent: Float[Array, "*shape"]

    @classmethod
    def exp(cls, logarithm: Float[Array, "*shape"]) -> "Scaled":
        """exp(`logarithm`)."""
        exponent = lax.stop_gradient(logarithm)
        return cls(jnp.exp(logarithm - exponent), exponent)

    @classmethod
    def of(cls, x: Float[Array, "*shape"]) -> "Scaled":
        """`x`, with a mantissa of 1 or -1 (or 0), so that exponents tell sizes."""
        size = jnp.abs(lax.stop_gradient(x))
        size = jnp.where(size > 0, size, 1.0)
        return cls(x / size, jnp.log(size))

    @classmethod
    def where(cls, condition: Bool[Array, "*shape"], x: "Scaled", y: "Scaled") -> "Scaled":
        """`x` where the `condition` holds, else `y`."""
        return cls(
            jnp.where(condition, x.mantissa, y.mantissa),
            jnp.where(condition, x.exponent, y.exponent),
        )

    def __getitem__(self, index: int) -> "Scaled":
        return Scaled(self.mantissa[index], self.exponent[index])

    def times(self, x: Float[Array, "*shape"]) -> "Scaled":
        """The product with floats."""
        return self * Scaled.of(x)

    def __mul__(self, other: "Scaled") -> "Scaled":
        return Scaled(self.mantissa * other.mantissa, self.exponent + other.exponent)

    @property
    def negative(self) -> "Scaled":
        """-x."""
        return Scaled(-self.mantissa, self.exponent)

    @property
    def value(self) -> Float[Array, "*shape"]:
        """The float it is, 0 where that underflows."""
        return self.mantissa * jnp.exp(self.exponent)

    @property
    def log(self) -> Float[Array, "*shape"]:
        """The logarithm of a positive one."""
        return jnp.log(self.mantissa) + self.exponent

    def over(self, other: "Scaled") -> Float[Array, "*shape"]:
        """The quotient as a float, which ends at e^600 in double precision."""
        return self.mantissa / other.mantissa * jnp.exp(_clipped(self.exponent - other.exponent))


def add_scaled(terms: Sequence[Scaled]) -> Scaled:
    """Their sum, on the scale of the largest; terms that vanish have none."""
    present = [jnp.where(term.mantissa == 0, -jnp.inf, term.exponent) for term in terms]
    largest = lax.stop_gradient(functools.reduce(jnp.maximum, present))
    largest = jnp.where(largest == -jnp.inf, 0.0, largest)
    return Scaled(
        add(term.mantissa * jnp.exp(_clipped(term.exponent - largest)) for term in terms), largest
    )


def _clipped(exponent):
    return jnp.minimum(exponent, _FAR * math.log(float(jnp.finfo(exponent.dtype).max)))
