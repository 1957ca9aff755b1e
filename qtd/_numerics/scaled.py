"""Numbers beyond the range of floats, such as occupations at energies of thousands of
temperatures."""

import functools
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .batching import add, settle
from .elementary import LN2, LN2_HIGH, LN2_LOW, exponent_of, log, power_of_two, whole

_FAR = 0.85  # of the largest exponent: room for the mantissa
_MOST = 2**24  # the size of exponents, of which single precision knows all


class Scaled(eqx.Module):
    """Arrays of `mantissa` * 2^`exponent`, with exponents that are constant to every derivative."""

    mantissa: Float[Array, "*shape"]
    exponent: Int[Array, "*shape"]

    @classmethod
    def exp(cls, logarithm: Float[Array, "*shape"]) -> "Scaled":
        """exp(`logarithm`)."""
        known = lax.stop_gradient(logarithm)
        n = jnp.clip(jnp.round(known * (1 / LN2)), -_MOST, _MOST)
        # Beyond that, 2^(10^7) and more, there are no digits left.
        rest = jnp.clip((known - n * LN2_HIGH) - n * LN2_LOW, -1, 1)
        exponent = n.astype(jnp.int32).astype(whole(n.dtype))
        return cls(jnp.exp(rest + (logarithm - known)), exponent)

    @classmethod
    def of(cls, x: Float[Array, "*shape"]) -> "Scaled":
        """`x`, with a mantissa of size 1 to 2 (or 0), so that exponents tell sizes."""
        exponent = exponent_of(x)
        return cls(x * power_of_two(-exponent, x.dtype), exponent)

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
    def normal(self) -> "Scaled":
        """The same with a mantissa of size 1 to 2 (or 0)."""
        found = Scaled.of(self.mantissa)
        return Scaled(found.mantissa, found.exponent + self.exponent)

    @property
    def settled(self) -> "Scaled":
        """The same, computed once: worked out anew wherever it is used, gradients would take ten
        times as long."""
        return Scaled(settle(self.mantissa), settle(self.exponent))

    @property
    def negative(self) -> "Scaled":
        """-x."""
        return Scaled(-self.mantissa, self.exponent)

    @property
    def value(self) -> Float[Array, "*shape"]:
        """The float it is, 0 where that underflows."""
        return self.mantissa * power_of_two(self.exponent, self.mantissa.dtype)

    @property
    def log(self) -> Float[Array, "*shape"]:
        """The logarithm of a positive one."""
        return log(self.mantissa) + self.log_of_scale

    @property
    def log_of_scale(self) -> Float[Array, "*shape"]:
        """The logarithm of 2^`exponent`."""
        return self.exponent.astype(self.mantissa.dtype) * LN2

    def __truediv__(self, other: "Scaled") -> "Scaled":
        return Scaled(self.mantissa / other.mantissa, self.exponent - other.exponent)

    @property
    def end(self) -> Float[Array, "*shape"]:
        """The float it is, which ends at e^600 in double precision."""
        kind = self.mantissa.dtype
        most = int(_FAR * int(jnp.finfo(kind).maxexp))
        return self.mantissa * power_of_two(jnp.minimum(self.exponent, most), kind)

    def over(self, other: "Scaled") -> Float[Array, "*shape"]:
        """The `end` of the quotient."""
        return (self / other).end


def filled_and_empty(logit: Float[Array, "*shape"]) -> tuple[Scaled, Scaled]:
    """f and 1 - f of f = 1 / (1 + exp(`logit`)), from one exponential."""
    above = logit > 0
    # Not the absolute value, which has no slope at 0.
    small = Scaled.exp(jnp.where(above, -logit, logit))
    share = 1 / (1 + small.value)
    rare = Scaled(small.mantissa * share, small.exponent)
    common = Scaled(share, jnp.zeros_like(small.exponent))
    return Scaled.where(above, rare, common), Scaled.where(above, common, rare)


def add_scaled(terms: Sequence[Scaled]) -> Scaled:
    """Their sum, on the scale of the largest; terms that vanish have none."""
    present = [jnp.where(term.mantissa == 0, -_MOST, term.exponent) for term in terms]
    largest = functools.reduce(jnp.maximum, present)
    largest = jnp.where(largest == -_MOST, 0, largest)
    aligned = [Scaled(term.mantissa, term.exponent - largest).end for term in terms]
    return Scaled(add(aligned), largest).settled
