"""What every kind of system is: something between reservoirs that has a state at rest, from which
all that is stationary follows."""

import abc
import functools
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .._numerics.modules import Module
from ..reservoirs import AbstractReservoir
from ..status import Status, raise_if_known

__all__ = ["AbstractState", "AbstractSystem", "at_rest"]

# What the rates of a reservoir have to stay below, in words.
WIDTH, ENERGY = "the width of its filter", "the energy of the jump"
TEMPERATURE, MODE = "its temperature", "the energy of its mode"


class AbstractSystem(Module):
    """What describes a device: levels and jumps, a master equation, a conductor. `reservoirs`: what
    it lies between, by name."""

    reservoirs: eqx.AbstractVar[Mapping[str, AbstractReservoir]]

    @property
    def is_classical(self) -> bool:
        """Whether it jumps between levels and no more, so that what binds jumps binds it."""
        return False

    @property
    def approach(self) -> str | None:
        """The approximation that it is made in, where there are several: "local", "global",
        "redfield"."""
        return None

    def with_explicit_filters(
        self, levels: Mapping[str, int | None] | Sequence[str], **how: Any
    ) -> "AbstractSystem":
        """The same device with the filters of some reservoirs as damped modes inside it, `levels`:
        the most quanta in each, by reservoir, or names; `how`: see `qtd.explicit.ExplicitFilters`.
        """
        # Loaded when it is asked for: it is made of kinds of systems, which are made of this one.
        importlib.import_module("qtd.explicit")
        return explicit_filters(self, levels, **how)


class AbstractState(eqx.Module):
    """A system at rest: what leaves each of its `reservoirs` per time. `status` is 0 where all is
    well (`qtd.Status`).

    Names of reservoirs are those of the system, quantities are "energy", "particles" and "heat",
    currents positive out of a reservoir.
    """

    status: eqx.AbstractVar[Int[Array, ""]]
    is_answer = True  # made from checked numbers, so that nobody checks them again

    @property
    @abc.abstractmethod
    def reservoirs(self) -> Mapping[str, AbstractReservoir]:
        """Reservoirs by name, in the order in which they are counted."""

    @property
    def is_classical(self) -> bool:
        """Whether it jumps between levels and no more, so that what binds jumps binds it."""
        return False

    @property
    def exchanges_particles(self) -> bool:
        """Whether particles pass between reservoirs and device, and not energy alone."""
        return any(reservoir.statistics == "fermi" for reservoir in self.reservoirs.values())

    @abc.abstractmethod
    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean `quantity` that leaves `reservoir` per time."""

    def device_current(self, reservoir: str) -> Float[Array, ""]:
        """Energy that the device takes up from `reservoir` per time; the sum over reservoirs is
        zero."""
        return self.current(reservoir, "energy")

    def entropy_current(self, reservoir: str) -> Float[Array, ""]:
        """Entropy that leaves `reservoir`, one without a temperature, per time; `ValueError` of
        kinds that do not know."""
        raise ValueError(
            f"`system` is at rest in a {type(self).__name__}, which does not know the entropy of"
            f" nonthermal {reservoir!r}."
        )

    def require(self) -> None:
        """Raise `ValueError` where it is known that there is no such state."""
        raise_if_known(self.status, *(status for status in Status if not status.stands))

    def array(self) -> Array:
        """The populations of levels, or the density matrix, of what has any."""
        raise ValueError(
            f"`system` is at rest in a {type(self).__name__}, which has no levels to be populated."
        )

    def drives(self, reservoir: str) -> bool:
        """Whether `reservoir` is coupled to anything."""
        return True

    def meters(self) -> dict[str, Float[Array, ""]]:
        r"""How far rates are from being slow against what reservoirs forget, by reservoir, where
        that is known: pure numbers, which should be at most 0.1.

        $$ m_r = \sum_{e \in r} \frac{t_e}{\sum_{e' \in r} t_{e'}} \frac{\Gamma_e}{d_r}, \qquad
           t_e = W_{ba}\, p_a + W_{ab}\, p_b, \qquad
           \Gamma_e = \tfrac12 \sum_{s, c} (W^s_{ca} + W^s_{cb}) $$

        over the jumps e of the reservoir r between levels a and b: t_e, its traffic, are the jumps
        in both directions per time, Gamma_e is half of all rates out of both levels, by all
        reservoirs s, at which the coherence of a and b decays, and d_r is the `bandwidth` of the
        spectral density. A smooth function of all parameters, in proportion to all rates together;
        0 where r makes no jumps.

        A rate equation is off by about half the mean of m_r over the reservoirs: its currents are
        too large by 5 % at 0.1, by 10 % at worst. This was measured against hierarchies of
        equations of motion, of two and of three levels between peaked filters; with unequal widths
        and heights the one was 0.6 to 1.9 times the other. Where the steps of a ladder are equal,
        coherences hand one another on and live longer than Gamma_e says: of an oscillator with n
        quanta the meter is too large by the factor 1 + 8 n (1 + n).

        Needed besides, of a filter at e of width d and height h: d << e, as J at the gap is h (1 -
        d^2 / 4 e^2), and h d << e^2. A bound on the meter alone does not bound d: the best tuned
        devices run off to wide filters, so that d needs a bound of its own.

        A reservoir has none where its bandwidth is not known; nor has any of a kind of system
        without jumps between levels, such as a conductor.
        """
        return {name: ratio for (name, what), ratio in self.ratios().items() if what == WIDTH}

    def ratios(self) -> dict[tuple[str, str], Float[Array, ""]]:
        r"""Rates over all that they must stay below, by reservoir and what that is, in words: pure
        numbers, the largest of which is the validity of what flows.

        Over the width of its filter those of `meters`; of bosons also over the energy of each
        jump, and of electrons over the temperature, weighted by traffic as there:

        $$ \sum_e \frac{t_e}{\sum_{e'} t_{e'}} \frac{\Gamma_e}{|\Delta_e|}, \qquad
           \sum_e \frac{t_e}{\sum_{e'} t_{e'}} \frac{\Gamma_e}{T_r} $$

        Jumps between levels of one energy, which carry none, count as 0. Empty of a kind of system
        that is no expansion in rates.
        """
        return {}

    def doubt(self, reservoir: str) -> Float[Array, ""]:
        """About how far the energy current of `reservoir` may be off by rounding, where that is
        known; without derivatives."""
        return jnp.zeros_like(self.current(reservoir, "energy"))


@functools.singledispatch
def at_rest(system: Any) -> AbstractState:
    """The state that a `system` settles in; its `status` tells where there is none, and nothing is
    raised. Kinds of system register how."""
    kind = type(system).__name__
    raise ValueError(
        "`system` must be a network, a master equation, a conductor, or the steady state of one,"
        f" got {kind}."
    )


@at_rest.register
def _(system: AbstractState) -> AbstractState:
    return system


@functools.singledispatch
def explicit_filters(system: Any, levels: Any, **how: Any) -> AbstractSystem:
    """`AbstractSystem.with_explicit_filters` of a `system`, with the same `levels` and `how`."""
    raise ValueError(
        f"`system` must be a network or a master equation, got {type(system).__name__}."
    )


@functools.singledispatch
def role_of(device: Any) -> tuple[Any, str | None, str | None]:
    """What has a state at rest, and the names of the reservoirs that a `device` cools and is driven
    by, where it says so. Machines register how."""
    return device, None, None
