"""Devices of two and of three levels between peaked filters, by rate equations and with explicit
filters, and what a hierarchy of equations of motion says of them.

Energies, temperatures and rates are in one unit. No paper prints these devices: the numbers of the
hierarchy are those of an independent implementation, with the full coupling and the exact
correlation functions of the filters.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...machines import CollectiveRefrigerator
from ...networks import RateNetwork
from ...parameters import replace
from ...reservoirs import Reservoir
from ...spectral import Peaked
from ...status import Status
from ...steady import solve

__all__ = [
    "CENTRES",
    "DRAWS",
    "EXACT_COOLING",
    "EXACT_GRADIENT",
    "EXACT_TWO_LEVELS",
    "NAMES",
    "RATIOS",
    "SIZES",
    "Cooling",
    "Filters",
    "Flow",
    "best_width",
    "collective",
    "detuned",
    "explicit",
    "filters_within_the_meter",
    "fixed_heights",
    "is_doubtful",
    "is_drawn",
    "kappa",
    "rate_equation",
    "slope",
    "two_levels",
    "within_the_meter",
]

NAMES = ("cold", "work", "hot")
CENTRES = (2.0, 4.0, 6.0)
RATIOS = np.geomspace(0.01, 100.0, 13)  # of height to width
SIZES = (5, 7, 11, 21, 31)
_LEVELS = {"cold": 3, "work": 13, "hot": 2}

# By the width of all filters, the three levels by the hierarchy: ratios of height to width, cooling
# currents, how far these may be off, and COPs. From ratio 3 on the tiers alternate.
EXACT_COOLING = {
    0.05: (
        (0.01, 0.1, 0.3, 1.0, 3.0, 10.0),
        (2.8098e-6, 2.6335e-5, 7.0015e-5, 1.7310e-4, 3.179e-4, 4.876e-4),
        (1e-10, 1e-9, 1e-9, 1e-8, 1e-6, 1e-6),
        (0.49998, 0.49977, 0.49932, 0.49786, 0.4941, 0.4820),
    ),
    0.2: (
        (0.1, 1.0, 3.0, 10.0),
        (1.0506e-4, 6.834e-4, 1.241e-3, 1.75e-3),
        (1e-8, 1e-7, 5e-6, 3e-5),
        (0.4962, 0.4653, 0.407, 0.248),
    ),
}
# Two levels by the hierarchy, of height 0.02, at temperatures of 1 and 0.5: width, current over
# height.
EXACT_TWO_LEVELS = (
    (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8),
    (0.0411, 0.0747, 0.0944, 0.1050, 0.1110, 0.1120, 0.1096, 0.1014),
)
# At temperatures of 0.5 and 0.3, width and height 0.05, how the current of two levels in tune
# changes with the centre of the hot filter, by the hierarchy.
EXACT_GRADIENT = 2.76e-4
# Widths and heights of the three filters, drawn with a spread of 0.7 in their logarithms.
DRAWS = tuple(
    (tuple(np.exp(widths)), tuple(np.exp(heights)))
    for widths, heights in np.random.default_rng(1).normal(
        np.log([[0.05], [0.005]]), 0.7, (6, 2, 3)
    )
)


class Cooling(NamedTuple):
    """What three levels do: their cooling `current`, `cop` and `status`, and of a rate equation the
    `meters` of the filters, 0 where these are explicit."""

    current: float
    cop: float
    status: int
    meters: tuple[float, ...]


@functools.cache
def rate_equation(widths: tuple[float, ...], heights: tuple[float, ...]) -> Cooling:
    """The refrigerator by its rate equation, with filters of `widths` and `heights` in the order of
    `NAMES`."""
    return _cooling(*_promised(np.asarray(widths), np.asarray(heights)))


@functools.cache
def explicit(widths: tuple[float, ...], heights: tuple[float, ...]) -> Cooling:
    """The refrigerator with explicit filters of `widths` and `heights`, in the default
    treatment."""
    return _cooling(*_true(np.asarray(widths), np.asarray(heights)))


def _cooling(current, cop, status, meters):
    return Cooling(float(current), float(cop), int(status), tuple(map(float, meters)))


def _three_levels(widths, heights):
    """Levels at 0, 2, 6 between filters in tune, at temperatures of 0.5, 5, 1."""
    reservoirs = {
        name: Reservoir(temperature, spectral_density=Peaked(centre, widths[i], heights[i]))
        for i, (name, temperature, centre) in enumerate(zip(NAMES, (0.5, 5.0, 1.0), CENTRES))
    }
    jumps = [("cold", 0, 1, 1.0), ("work", 1, 2, 1.0), ("hot", 0, 2, 1.0)]
    return RateNetwork([0.0, 2.0, 6.0], jumps, reservoirs)


@jax.jit
def _promised(widths, heights):
    state = solve(_three_levels(widths, heights))
    cold, work = (state.device_current(name) for name in ("cold", "work"))
    meters = state.meters()
    return cold, cold / work, state.status, jnp.stack([meters[name] for name in NAMES])


@jax.jit
def _true(widths, heights):
    state = solve(_three_levels(widths, heights).with_explicit_filters(_LEVELS))
    cold, work = (state.device_current(name) for name in ("cold", "work"))
    return cold, cold / work, state.status, jnp.zeros_like(widths)


def is_drawn(status: Any) -> np.ndarray:
    """Where a `status` leaves numbers to be looked at: those that are right, and those that
    `is_doubtful` tells."""
    return (np.asarray(status) == 0) | is_doubtful(status)


def is_doubtful(status: Any) -> np.ndarray:
    """Where a `status` says that a treatment of explicit filters may be off by some per cent."""
    return np.asarray(status) == int(Status.TREATMENT)


_Way = Literal["rates", "redfield", "full", "local"]
# The most quanta of the hot and of the cold filter, by the way of solving and the temperature of
# the hot one.
_TOPS: Mapping[str, Mapping[float, tuple[int, int]]] = {
    "redfield": {1.0: (13, 8), 0.4: (5, 3)},
    "full": {0.4: (5, 3)},
}


class Flow(NamedTuple):
    """What two levels do: the `current` out of the hot filter, the mean `meter` of a rate equation,
    and the `status`."""

    current: float
    meter: float
    status: int


@functools.cache
def two_levels(way: _Way, temperatures: tuple[float, float], width: float, height: float) -> Flow:
    """Levels 0 and 1 between a hot and a cold filter in tune, at `temperatures`, of one `width` and
    `height`, by a rate equation (`way` "rates"), or with explicit filters in the rotating wave
    ("redfield") or with the whole coupling ("full")."""
    tops = _TOPS[way][temperatures[0]] if way != "rates" else None
    current, status = _tuned(way, tops, temperatures, width, height)
    meter = kappa(temperatures) * 2 * height / width
    return Flow(float(current), meter, int(status))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _tuned(way, tops, temperatures, width, height):
    state = solve(_two(way, tops, temperatures, (1.0, 1.0), width, height))
    return state.device_current("hot"), state.status


@functools.cache
def detuned(way: _Way, temperatures: tuple[float, float], centres: tuple[float, float]) -> float:
    """Heat current out of the hot filter of two levels, 0 and 1, between this one and a cold one,
    at `centres`, of width and height 0.05, at `temperatures` of 0.53 at most, in a `way` "redfield"
    or "local"."""
    return float(_turned(way, temperatures, centres))


@functools.partial(jax.jit, static_argnums=0)
def _turned(way, temperatures, centres):
    return solve(_two(way, (6, 6), temperatures, centres, 0.05, 0.05)).device_current("hot")


def slope(way: _Way) -> float:
    """How `detuned` in this `way` changes with the centre of the hot filter, in tune, at
    temperatures of 0.5 and 0.3, by a difference."""
    above, below = (detuned(way, (0.5, 0.3), (1 + step, 1.0)) for step in (1e-4, -1e-4))
    return (above - below) / 2e-4


def _two(way, tops, temperatures, centres, width, height):
    reservoirs = {
        name: Reservoir(temperature, spectral_density=Peaked(centre, width, height))
        for name, temperature, centre in zip(("hot", "cold"), temperatures, centres)
    }
    network = RateNetwork([0.0, 1.0], [(name, 0, 1, 1.0) for name in reservoirs], reservoirs)
    if way == "rates":
        return network
    how = {"full": {"coupling": "full"}, "local": {"treatment": "local"}}.get(way, {})
    return network.with_explicit_filters(dict(zip(reservoirs, tops)), **how)


def best_width(temperatures: Sequence[float], height: float) -> float:
    """The width at which two levels of gap 1 transmit most at a given `height` of both filters, at
    `temperatures`: (2 kappa h)^(1/3).

    There the loss by memory, kappa h / d, and that by a filter that is wide against its centre, d^2
    / 4, change by as much; kappa is half of what the meter is at h = d.
    """
    return (2 * kappa(temperatures) * height) ** (1 / 3)


def kappa(temperatures: Sequence[float]) -> float:
    """Half of the meter of two levels of gap 1 at h = d, between filters at `temperatures`."""
    return float(np.mean(1 / np.tanh(0.5 / np.asarray(temperatures)))) / 2


class Filters(NamedTuple):
    """`centres`, `widths` and `heights` of filters, in the order of `NAMES`."""

    centres: tuple[float, ...]
    widths: tuple[float, ...]
    heights: tuple[float, ...]


# Most cooling of N spins with all meters at most 0.1, at temperatures 0.5, 5, 1 of cold, work, hot,
# by sequential quadratic programming over these nine numbers.
_DESIGNS = {
    5: (
        (1.99850388, 4.00186885, 6.00054251),
        (0.02078629, 0.05865726, 0.0430892),
        (0.00137487, 0.00127052, 0.0567292),
    ),
    7: (
        (1.99967757, 4.00238846, 6.00071087),
        (0.02350948, 0.06646504, 0.04889473),
        (0.00082487, 0.00059946, 0.02806778),
    ),
    11: (
        (1.99963237, 4.00273354, 6.00082168),
        (0.02513036, 0.07112401, 0.0523671),
        (0.0003778, 0.00024048, 0.01193736),
    ),
    21: (
        (1.99960955, 4.00291749, 6.00087816),
        (0.02594966, 0.07348362, 0.05412825),
        (1.13764942e-04, 6.79465374e-05, 3.58836147e-03),
    ),
    31: (
        (1.9996046, 4.00295763, 6.00089043),
        (0.02612476, 0.07398854, 0.05450544),
        (5.38957914e-05, 3.17627009e-05, 1.72047723e-03),
    ),
}


def filters_within_the_meter(num_spins: int) -> Filters:
    """The filters by which `num_spins` spins cool most with all meters at most 0.1."""
    return Filters(*_DESIGNS[num_spins])


@functools.cache
def within_the_meter(num_spins: int) -> Cooling:
    """The collective refrigerator of `num_spins` spins that cools most where all meters are at most
    0.1: recomputed at the centres, widths and heights that a design found."""
    return collective(num_spins, 5.0, *_DESIGNS[num_spins])


@functools.cache
def fixed_heights(num_spins: int) -> Cooling:
    """The collective refrigerator of `num_spins` at the filters of its paper's Fig. 2, of height
    1."""
    return collective(num_spins, 1000.0, CENTRES, (0.1, 1e-3, 0.1), (1.0, 1.0, 1.0))


def collective(
    num_spins: int,
    work_temperature: float,
    centres: Sequence[float],
    widths: Sequence[float],
    heights: Sequence[float],
) -> Cooling:
    """`num_spins` spins by their rate equation, at temperatures of 0.5, `work_temperature` and 1,
    with filters at `centres`, of `widths` and `heights`, all in the order of `NAMES`."""
    changes = {"work.temperature": work_temperature}
    for name, *numbers in zip(NAMES, centres, widths, heights):
        for parameter, value in zip(("center", "width", "height"), numbers):
            changes[f"{name}.spectral_density.{parameter}"] = value
    machine = replace(CollectiveRefrigerator(num_spins), changes)
    return _cooling(*_of_spins(machine))


@jax.jit
def _of_spins(machine):
    state = solve(machine.system())
    cold, work = (state.device_current(name) for name in ("cold", "work"))
    meters = state.meters()
    return cold, cold / work, state.status, jnp.stack([meters[name] for name in NAMES])
