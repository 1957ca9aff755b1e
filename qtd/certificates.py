"""What a number carries with it: how well the currents of a point obey the laws that bind them."""

import functools
from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float

__all__ = ["Certificate", "NoiseCertificate"]

_FIRST_LAW = 1e-9  # of the largest current
_NOISE = 1e-6  # of a covariance
_ROUNDING = 1e4  # roundings of the largest part of the entropy production


class Certificate(eqx.Module):
    """How well a stationary point obeys its laws, computed with it from the numbers that it gives.

    - `first_law`: |sum of the energies that the device takes up| over the largest of them; at most
      1e-9.
    - `second_law`: entropy production over the largest of its parts |J / T|; not below -1e-9.
    - `smallest_variance`: over the reservoirs that can be counted, infinite where there are none;
      not negative. Of coherent devices, whose noise is no sum of squares, all covariances must be
      numbers besides, which they are not where they exceed what their variances allow
      (`qtd.counting.Covariance`).
    - `uncertainty`: the smallest S_rr sigma / J_r^2, of jumps; at least 2 (infinite for coherent
      devices, which it does not bind).
    - `largest`: of the energies. `at_rest`: in equilibrium, at equal temperatures and chemical
      potentials, where currents are nothing but rounding, and only the variances are looked at.
    - `holds`: whether all of these do; `conserves`: whether the first and the second law do, all
      that can fail of jumps, whose noise is a sum of squares. In single precision 1e-9 is less than
      rounding, and 1e-3 is allowed.

    A fault that breaks no law is not seen: a wrong parameter, a model used beyond its validity, or
    rates that are wrong but obey detailed balance.
    """

    first_law: Float[Array, ""]
    second_law: Float[Array, ""]
    smallest_variance: Float[Array, ""]
    uncertainty: Float[Array, ""]
    holds: Bool[Array, ""]
    conserves: Bool[Array, ""]
    largest: Float[Array, ""]  # of the energies that the device takes up per time
    at_rest: Bool[Array, ""]  # in equilibrium

    @classmethod
    def of(cls, point) -> "Certificate":
        """The certificate of an operating `point`."""

        def stacked(values):
            return lax.stop_gradient(jnp.stack(list(values)))

        taken = stacked(point.device_energy_currents.values())
        heat = stacked(point.heat_currents[name] for name in point.names)
        parts = stacked(point.entropy_currents[name] for name in point.names)
        counted = [point.heat_covariance[name, name] for name in point.heat_covariance.names]
        variances = stacked(counted) if counted else jnp.full_like(taken[:1], jnp.inf)
        sigma = lax.stop_gradient(point.entropy_production)
        rounding = float(jnp.finfo(heat.dtype).eps)
        allowed = max(_FIRST_LAW, _ROUNDING * rounding)
        largest, part = _largest(taken), _largest(parts)
        imbalance, smallest = jnp.abs(sum(taken)), variances.min(axis=0)
        known = stacked([*point.temperatures.values(), *point.chemical_potentials.values()])
        split = len(point.temperatures)

        def is_one(x):
            return jnp.all(x == x[:1], axis=0)

        at_rest = is_one(known[:split]) & is_one(known[split:]) & (split == len(point.names))
        balanced = (imbalance <= allowed * largest) & (sigma >= -allowed * part)
        uncertain, uncertainty = jnp.asarray(True), jnp.full_like(sigma, jnp.inf)
        if point.of_jumps:
            spread = _ROUNDING * rounding * part
            uncertain = jnp.all(
                variances * (sigma + spread)[None] >= 2 * (1 - allowed) * heat**2, axis=0
            )
            moves = heat != 0
            uncertainty = jnp.where(
                moves, variances * sigma[None] / jnp.where(moves, heat, 1.0) ** 2, jnp.inf
            ).min(axis=0)

        def ratio(x, of):
            return x / jnp.where(of > 0, of, 1.0)

        conserves = balanced | at_rest
        possible = smallest >= 0
        if not point.of_jumps:
            possible = possible & jnp.all(
                jnp.isfinite(lax.stop_gradient(point.heat_covariance.matrix)), axis=(-2, -1)
            )
        holds = conserves & (uncertain | at_rest) & possible
        return cls(
            ratio(imbalance, largest),
            ratio(sigma, part),
            smallest,
            uncertainty,
            holds,
            conserves,
            largest,
            at_rest,
        )

    def knows(
        self, currents: Mapping[str, Array], doubts: Mapping[str, ArrayLike]
    ) -> Bool[Array, ""]:
        """Whether energy `currents` that may be off by these `doubts`, by reservoir, are right to
        1e-9 of the largest and to 1e-6 of themselves: what goes round obeys all laws."""
        share = max(_FIRST_LAW, _ROUNDING * float(jnp.finfo(self.largest.dtype).eps))
        known = [
            (x <= share * self.largest) & (x <= 1e3 * share * jnp.abs(currents[name]))
            for name, x in doubts.items()
        ]
        return functools.reduce(jnp.logical_and, known, jnp.asarray(True)) | self.at_rest


class NoiseCertificate(eqx.Module):
    """How well a matrix of covariances obeys what binds any, computed from its entries.

    - `smallest_variance`: of the reservoirs; not negative.
    - `correlation`: the largest |S_rs| / sqrt(S_rr S_ss); at most 1.
    - `conservation`: the largest |sum_s S_rs| over the sum of |S_rs|, of what the device only
      passes on (energy or particles): 0. NaN where nothing says that it must be.
    - `holds`: whether all of these do, the last two to 1e-6 (1e-3 in single precision).

    What obeys all of these may be wrong all the same, such as a matrix with a wrong factor.
    """

    smallest_variance: Float[Array, ""]
    correlation: Float[Array, ""]
    conservation: Float[Array, ""]
    holds: Bool[Array, ""]

    @classmethod
    def of(cls, matrix: Float[Array, "*batch r r"], is_conserved: bool) -> "NoiseCertificate":
        """The certificate of covariances; `is_conserved`: whether what is counted adds up to
        nothing over all reservoirs."""
        matrix = lax.stop_gradient(matrix)
        allowed = max(_NOISE, _ROUNDING * float(jnp.finfo(matrix.dtype).eps))
        variances = jnp.diagonal(matrix, axis1=-2, axis2=-1)
        deviations = jnp.sqrt(jnp.maximum(variances, 0))
        bounds, sizes = deviations[..., :, None] * deviations[..., None, :], jnp.abs(matrix)
        correlation = jnp.max(
            jnp.where(bounds > 0, sizes / jnp.where(bounds > 0, bounds, 1.0), 0.0), axis=(-2, -1)
        )
        gross = sizes.sum(-1)
        missing = jnp.max(
            jnp.where(gross > 0, jnp.abs(matrix.sum(-1)) / jnp.where(gross > 0, gross, 1.0), 0.0),
            axis=-1,
        )
        smallest = variances.min(-1)
        # Where a variance vanishes so does all that it is correlated with; of what is no number
        # nothing holds.
        holds = (smallest >= 0) & jnp.all(sizes <= (1 + allowed) * bounds, axis=(-2, -1))
        if is_conserved:
            return cls(smallest, correlation, missing, holds & (missing <= allowed))
        return cls(smallest, correlation, jnp.full_like(missing, jnp.nan), holds)


def _largest(values):
    return jnp.abs(values).max(axis=0)
