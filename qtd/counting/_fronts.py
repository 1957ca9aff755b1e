"""What is counted, and the two questions that every kind of state may answer: how much it
fluctuates, and all cumulants."""

import functools
from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._numerics.compilation import compiled
from ..certificates import NoiseCertificate
from ..steady import solve
from ..systems.base import AbstractState, AbstractSystem

Weights = str | Mapping[str, ArrayLike]
System = AbstractSystem | AbstractState


class Covariance(eqx.Module):
    """Zero-frequency covariances S_rs of the currents out of reservoirs:
    `covariance["cold", "work"]`, or `.matrix`.

    `names`: the reservoirs in order. `entries`: S_rs by row, each from its diagonal on. Those of
    coherent devices are NaN where they are none: a variance that is negative by more than rounding,
    and |S_rs| > sqrt(S_rr S_ss) by more than 1e-6, or, of a Redfield equation, by more than a
    tenth, where it is not valid: it keeps the laws of noise to its own accuracy only.
    `is_conserved`: whether what is counted only passes through the device, so that rows add up to
    0. `uncounted`: reservoirs that exchange no definite quanta, of which nothing can be counted;
    asked for, they are refused (`qtd.jumps`).
    """

    names: tuple[str, ...] = eqx.field(static=True)
    # Row r holds s = r, r+1, ...: what is not asked for is not computed.
    entries: tuple[tuple[Float[Array, ""], ...], ...]
    is_conserved: bool = eqx.field(static=True, default=False)
    uncounted: tuple[str, ...] = eqx.field(static=True, default=())

    def __getitem__(self, pair: tuple[str, str]) -> Float[Array, ""]:
        for name in pair:
            if name in self.uncounted:
                raise ValueError(uncountable(name))
            if name not in self.names:
                raise ValueError(
                    f"No reservoir is called {name!r}; there are"
                    f" {', '.join(map(repr, self.names))}."
                )
        first, second = sorted(map(self.names.index, pair))
        return self.entries[first][second - first]

    @property
    def certificate(self) -> NoiseCertificate:
        """How well these numbers obey what binds all covariances; it asks for all of them."""
        return NoiseCertificate.of(self.matrix, self.is_conserved)

    @property
    def matrix(self) -> Float[Array, "r r"]:
        """All of S, reservoirs in the order of `names`."""
        if not self.names:
            return jnp.zeros((0, 0))
        return jnp.stack(
            [jnp.stack([self[a, b] for b in self.names], axis=-1) for a in self.names], axis=-2
        )


def covariance(system: System, quantity: str = "energy") -> Covariance:
    r"""Zero-frequency noise of all currents, S_rs = d/dt <<Q_r Q_s>> (one factor, no 2), Q counted
    positive out of a reservoir.

    $$ S_{rs} = \sum_{\mathrm{jumps}\ b \to a} W_{ab}\, p_b\,
       (q_r + z_{r,a} - z_{r,b}) (q_s + z_{s,a} - z_{s,b}), \qquad
       W^T z_r = I_r - w_r $$

    with q_r what the jump takes out of r, w_r its mean rate in each level, I_r = w_r.p, and z_r the
    surplus still to come from each level: counted charge plus z is a martingale, so its variance is
    a sum of squares. S is symmetric and positive semidefinite by construction, and agrees with the
    second derivative of the generating function. For a Lindbladian the jumps are those of its
    Lindblad form, or the jump part of the Redfield equation, and S is computed from the response of
    the state to counting. For a conductor see `qtd.scattering.currents`.

    Each entry is right to some roundings of its own size, times the ratio of the fastest rates to
    the slowest for entries of the fastest reservoir alone: 1e-8 of those of a driving reservoir at
    a temperature of 1e8. `Covariance.certificate` says how well they obey their laws.

    `system`: a network, a Lindbladian, a conductor, or the steady state of one of the former
    (`qtd.steady.solve`). `quantity`: "energy", "particles" or "heat"; S has its square, per time.
    Raises `ValueError` as `qtd.steady.solve` does. **Source:** Kolisnyk and Schaller, Eqs. (13),
    (14), in another form.

    A level through which electrons pass one by one has half of the noise of independent ones:

    >>> lead = lambda mu: qtd.Reservoir(
    ...     1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0)
    ... )
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork(
    ...     [0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1]
    ... )
    >>> print(qtd.counting.covariance(dot, "particles").matrix.round(4))
    [[ 0.25 -0.25]
     [-0.25  0.25]]
    """
    return _covariance(solve(system), quantity)


@compiled
def _covariance(state, quantity):
    return noise(state, quantity)


@functools.singledispatch
def noise(state: AbstractState, quantity: str) -> Covariance:
    """`covariance` of this `quantity` for a `state` at rest. Kinds of state register how."""
    raise ValueError(
        f"`system` must be of a kind whose noise is known, got {type(state).__name__}."
    )


def cumulants(
    system: System, weights: Weights, order: int = 4, quantity: str = "energy"
) -> Float[Array, " order"]:
    r"""Scaled cumulants c_1 ... c_order of a counted current: the derivatives at 0 of the
    generating function.

    $$ c_n = \sum_{k=1}^n \binom{n}{k} 1 \cdot W_k p_{n-k}, \qquad
       W p_n = \sum_{k=1}^n \binom{n}{k} (c_k - W_k)\, p_{n-k}, \quad 1 \cdot p_n = 0 $$

    W_k weighs each jump with the k-th power of its charge. c_1 is the current, c_2 the
    zero-frequency noise (one factor).

    - `system`: a network, a Lindbladian, or the steady state of one (`qtd.steady.solve`).
    - `weights`: a reservoir's name; or a mapping from names to factors of the `quantity` ("energy",
      "particles", "heat"): one number, or one for each jump of that reservoir in the order in which
      the network was given them. The charge counts positive out of the reservoir.
    - `order`: how many, >= 1.

    Every order costs one solve with the same factors; large orders lose digits, as any recursion of
    differences does. From the second on they are NaN where the variance of a coherent device is
    negative by more than rounding. Raises `ValueError` for unknown names and as `qtd.steady.solve`
    does. **Source:** Kolisnyk and Schaller, Eqs. (10)-(14) and App. E, continued to all orders.

    Of electrons through one level at large bias and equal rates, c_n = 2^-n:

    >>> lead = lambda mu: qtd.Reservoir(
    ...     1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0)
    ... )
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork(
    ...     [0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1]
    ... )
    >>> print(qtd.counting.cumulants(dot, "left", order=4, quantity="particles").round(4))
    [0.5    0.25   0.125  0.0625]
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"`order` must be a positive integer, got {order!r}.")
    return series(solve(system), weights, order, quantity)


@functools.singledispatch
def series(
    state: AbstractState, weights: Weights, order: int, quantity: str
) -> Float[Array, " order"]:
    """`cumulants` of a `state` at rest, `weights`, `order` and `quantity` as there. Kinds of state
    register how."""
    raise ValueError(f"{unknown(state)}: take its `covariance`, or ask a network or a Lindbladian.")


def unknown(state):
    """What is wrong with a state that has no cumulants, in words."""
    return (
        f"`system` is at rest in a {type(state).__name__}, of which no generating function is known"
    )


def uncountable(name: str) -> str:
    """What is wrong with counting a reservoir called `name`, in words."""
    return (
        f"{name!r} exchanges no definite quanta, so that nothing is counted of it: ask for its"
        " current; jumps are counted where `bare` names what they lower."
    )


def check_known(names, name):
    """`ValueError` unless the `name` is one of a reservoir."""
    if name not in names:
        raise ValueError(
            f"No reservoir is called {name!r}; there are {', '.join(map(repr, names))}."
        )
