"""How well a machine turns nonthermal fuel into work, or into heat and charge pushed uphill."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics.printing import readable


class Efficiencies(eqx.Module):
    r"""Inputs and outputs of a machine with nonthermal fuel, powers, and how well it turns one into
    another.

    $$ T_0 \sigma = -W + A_\mu + A_T + E \ge 0, \quad A_\mu = \sum_r I_{N,r} (\mu_r - \mu_0), \quad
       A_T = \sum_r J_r \frac{T_r - T_0}{T_r}, \quad E = \sum_l [I_{E,l} - \mu_0 I_{N,l} -
       T_0 I_{S,l}] $$

    `work` W delivered, `chemical` A_mu, `thermal` A_T, `nonthermal` E, `dissipation` T_0 sigma.
    Each efficiency is at most 1 where the term that it leaves out is zero or negative, and NaN
    where nothing is supplied. **Source:** Deghi and Bustos-Marun, Eqs. (11)-(16).
    """

    work: Float[Array, ""]
    chemical: Float[Array, ""]
    thermal: Float[Array, ""]
    nonthermal: Float[Array, ""]
    dissipation: Float[Array, ""]

    @property
    def motor(self) -> Float[Array, ""]:
        """W / (A_mu + E)."""
        return _ratio(self.work, self.chemical + self.nonthermal)

    @property
    def pump(self) -> Float[Array, ""]:
        """-A_mu / (E - W): particles pushed uphill."""
        return _ratio(-self.chemical, self.nonthermal - self.work)

    @property
    def heat_engine(self) -> Float[Array, ""]:
        """W / (A_T + E)."""
        return _ratio(self.work, self.thermal + self.nonthermal)

    @property
    def heat_pump(self) -> Float[Array, ""]:
        """-A_T / (E - W): heat pushed uphill; for a refrigerator COP / COP_Carnot."""
        return _ratio(-self.thermal, self.nonthermal - self.work)

    def __repr__(self) -> str:
        rows = [
            ("W", self.work, "work delivered per time"),
            ("A_mu", self.chemical, "supplied by differences of chemical potential"),
            ("A_T", self.thermal, "supplied by differences of temperature"),
            ("E", self.nonthermal, "supplied by nonthermal reservoirs"),
            ("T_0 sigma", self.dissipation, "dissipated"),
        ]
        rows += [
            (name, getattr(self, name), "efficiency")
            for name in ("motor", "pump", "heat_engine", "heat_pump")
        ]
        return readable(self, "powers", rows)


def _ratio(output, supplied):
    """NaN where nothing is supplied."""
    is_supplied = supplied > 0
    return jnp.where(is_supplied, output / jnp.where(is_supplied, supplied, 1), jnp.nan)
