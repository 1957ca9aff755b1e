"""What a workshop makes of a design: machines whose parameters scatter about it."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri
from scipy.stats import qmc

from .._numerics.compilation import quickly
from .._numerics.cores import SideBySide, dealt, joined
from .._numerics.jax_internals.extrema import Extremum
from ..observables import Observable, observe
from ..parameters import parameters, replace

Sigma = float | tuple[float, str]
Tolerance = Mapping[str, Sigma]
Measure = str | float

_BATCH = 256  # machines that are looked at together
_NAMED = ("worst", "mean", "mean-2sigma")


class Workshop(NamedTuple):
    """Normally distributed parameters, independent of one another, with the standard deviations
    `sigmas`, relative where the path is in `relative`. `sample`: standard normal numbers, the same
    at every step of a search. `measure`: what counts of the sample."""

    sigmas: dict[str, float]
    relative: frozenset[str]
    sample: np.ndarray
    measure: Measure
    dtype: Any

    def made(self, machine: Any, draw: Float[Array, " parameters"]) -> Any:
        """The machine that comes of one draw."""
        known, moved = parameters(machine, self.sigmas), {}
        for i, (path, sigma) in enumerate(self.sigmas.items()):
            step = sigma * draw[i]
            moved[path] = known[path] * (1 + step) if path in self.relative else known[path] + step
        return replace(machine, moved)

    def fresh(self, count: int, seed: int) -> np.ndarray:
        """As many draws that no search has seen."""
        return np.random.default_rng(seed).standard_normal((count, len(self.sigmas)))


def workshop_of(
    machine: Any, tolerance: Tolerance, measure: Measure, draws: int, seed: int
) -> Workshop:
    """The workshop of a `tolerance`, with so many `draws`, evenly spread (Sobol)."""
    known = parameters(machine)
    sigmas, relative = {}, set()
    for path, given in tolerance.items():
        sigma, kind = given if isinstance(given, tuple) else (given, "relative")
        if kind not in ("relative", "absolute"):
            raise ValueError(
                f'`tolerance` must say "relative" or "absolute" of {path!r}, got {kind!r}.'
            )
        if not (np.ndim(sigma) == 0 and np.isfinite(sigma) and sigma > 0):
            raise ValueError(
                f"`tolerance` must give one positive standard deviation for {path!r}, got {sigma}."
            )
        replace(machine, {path: 1.0} if path not in known else {})  # says what is no parameter
        value = parameters(machine, [path])[path]
        if np.ndim(value):
            raise ValueError(
                f"`tolerance` must name one number, not the array {path!r}; name its entries."
            )
        if kind == "relative" and float(value) == 0:
            raise ValueError(
                f"`tolerance` is relative to {path!r}, which is 0; give an absolute one,"
                f' ({sigma}, "absolute").'
            )
        sigmas[path] = float(sigma)
        relative |= {path} if kind == "relative" else set()
    if not sigmas:
        raise ValueError('`tolerance` must name a parameter, as in {"cold.temperature": 0.02}.')
    if isinstance(measure, str):
        if measure not in _NAMED:
            raise ValueError(
                f"`measure` must be one of {', '.join(map(repr, _NAMED))} or a quantile between 0"
                f" and 1, got {measure!r}."
            )
    elif not 0 < measure < 1:
        raise ValueError(f"`measure` must be a quantile between 0 and 1, got {measure}.")
    if not isinstance(draws, int) or draws < 2:
        raise ValueError(f"`draws` must be a whole number from 2 on, got {draws!r}.")
    sequence = qmc.Sobol(len(sigmas), seed=seed)  # pyright: ignore[reportCallIssue]
    uniform = sequence.random_base2(int(np.ceil(np.log2(draws))))[:draws]
    sample = ndtri(np.clip(uniform, 1e-9, 1 - 1e-9))
    dtype = next(iter(known.values())).dtype
    return Workshop(sigmas, frozenset(relative), sample, measure, dtype)


def measured(found: Extremum, side: str, workshop: Workshop | None) -> Float[Array, " numbers"]:
    """The numbers by which one side of a function is judged, the smallest ("low") or the largest
    ("high") of which counts; with a `workshop`, on the side of the sample that hurts."""
    kind, parts = found
    measure = "worst" if workshop is None else workshop.measure
    if measure == "worst" and kind == ("min" if side == "low" else "max"):
        return jnp.ravel(parts)
    value = parts.min(-1) if kind == "min" else parts.max(-1)
    if measure == "worst":
        return jnp.ravel(value)
    return one_number(value, side, measure)[None]


def one_number(sample: Float[Array, " draws"], side: str, measure: Measure) -> Float[Array, ""]:
    """What counts of a sample where small numbers hurt (`side` "low"), or large ones ("high")."""
    is_low = side == "low"
    if measure == "worst":
        return sample.min() if is_low else sample.max()
    if measure == "mean":
        return sample.mean()
    if measure == "mean-2sigma":
        spread = 2 * jnp.std(sample)
        return sample.mean() - (spread if is_low else -spread)
    share = float(measure)
    return jnp.quantile(sample, share if is_low else 1 - share)


class Robustness(eqx.Module):
    """What a workshop makes of a design, and of the one that pays no attention to it.

    `value` is the `measure` of the objective over `draws` fresh machines of this design, and
    `nominal` that of the `nominal_machine`, the optimum without tolerances, whose own value is
    `nominal_value`: what the workshop takes from it. `mean` and `sigma` of the objective: the quick
    estimate about this design from its gradient and curvature, (f + tr H / 2, (|g|^2 + tr H^2 /
    2)^(1/2)) with g and H in units of standard deviations; `sample_mean` and `sample_sigma` those
    of the fresh machines.
    """

    measure: Measure = eqx.field(static=True)
    draws: int = eqx.field(static=True)
    value: float = eqx.field(static=True)
    nominal: float = eqx.field(static=True)
    nominal_value: float = eqx.field(static=True)
    mean: float = eqx.field(static=True)
    sigma: float = eqx.field(static=True)
    sample_mean: float = eqx.field(static=True)
    sample_sigma: float = eqx.field(static=True)
    nominal_machine: Any

    def __repr__(self) -> str:
        what = self.measure if isinstance(self.measure, str) else f"{self.measure:g} quantile"
        return (
            f"in the workshop ({what} of {self.draws} machines): {self.value:.6g}; the nominal"
            f" optimum {self.nominal_value:.6g} falls to {self.nominal:.6g}; mean and sigma"
            f" {self.sample_mean:.6g}, {self.sample_sigma:.3g} (estimated {self.mean:.6g},"
            f" {self.sigma:.3g})"
        )


def robustness(
    objective: Observable, machine: Any, nominal: Any, workshop: Workshop, sign: float, seed: int
) -> Robustness:
    """What `workshop` makes of a `machine` and of a `nominal` one, whose `objective` is to be large
    (`sign` 1) or small."""
    draws = workshop.fresh(8 * len(workshop.sample), seed + 1)

    def value(machine, draw):
        return observe([objective], workshop.made(machine, draw))[0]

    @eqx.filter_jit
    def some(machine, chosen):
        return jax.lax.map(functools.partial(value, machine), chosen, batch_size=_BATCH)

    every = SideBySide(lambda part: some(*part))
    parts = dealt(jnp.asarray(draws, workshop.dtype), max(len(draws) // _BATCH, 1))
    side = "low" if sign > 0 else "high"
    samples = [joined(every([(each, part) for part in parts])) for each in (machine, nominal)]
    robust, fallen = (float(one_number(each, side, workshop.measure)) for each in samples)
    mean, sigma = _estimate(quickly(jax.value_and_grad(value, argnums=1)), machine, workshop)
    undisturbed = float(observe([objective], nominal)[0])
    return Robustness(
        workshop.measure,
        len(draws),
        robust,
        fallen,
        undisturbed,
        mean,
        sigma,
        float(samples[0].mean()),
        float(samples[0].std()),
        nominal,
    )


def _estimate(differentiated, machine, workshop):
    """Mean and standard deviation of an objective to second order in the standard deviations."""
    size, step = len(workshop.sigmas), 1e-3

    def at(draw):
        value, slope = differentiated(machine, jnp.asarray(draw, workshop.dtype))
        return float(value), np.asarray(slope, float)

    value, slope = at(np.zeros(size))
    rows = [(at(step * e)[1] - at(-step * e)[1]) / (2 * step) for e in np.eye(size)]
    curvature = (np.array(rows) + np.array(rows).T) / 2
    spread = slope @ slope + (curvature**2).sum() / 2
    return float(value + np.trace(curvature) / 2), float(np.sqrt(spread))
