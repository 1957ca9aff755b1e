"""Derivatives of a machine's observables: forward mode against differences, and reverse mode
against forward mode."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._numerics.compilation import quickly
from ..findings import Finding, Severity
from ..limits import RESOLVED, SLOPES
from ..parameters import parameters
from ..thermodynamics import AbstractPoint

_TOPIC = "gradients"
_STEPS = 1e-2 / 4.0 ** np.arange(8)  # relative


class Probe:
    """A machine's operating point and the derivatives of its headlines, by one compiled program for
    each mode.

    Only these are taken; most of the `others`, such as the noise of every reservoir, come from the
    same formulas, and would take as long again to compile for each.
    """

    def __init__(self, machine: Any, operate: Callable[[Any], Any]):
        numbers, rest = eqx.partition(machine, eqx.is_inexact_array)
        self.leaves, structure = jax.tree.flatten(numbers)
        self.paths = list(parameters(machine))
        self.directions = [_direction(leaf) for leaf in self.leaves]
        self.names: list[str] = []
        self.others: list[str] = []

        def at(leaves):
            return operate(eqx.combine(jax.tree.unflatten(structure, leaves), rest))

        def headlines(leaves):
            point = at(leaves)
            table = point.observables() if isinstance(point, AbstractPoint) else {}
            self.names = point.headlines() if table else []
            self.others = [name for name in table if name not in self.names]
            return _stacked(table, self.names), point

        def reverse(leaves, names, weights):
            return jax.vjp(lambda x: _stacked(at(x).observables(), names), leaves)[1](weights)

        self._run = quickly(
            lambda leaves, slopes: jax.jvp(headlines, (leaves,), (slopes,), has_aux=True)
        )
        self._turn = quickly(reverse)
        self.still = [jnp.zeros_like(leaf) for leaf in self.leaves]
        self.values, _, self.point = self._run(self.leaves, self.still)

    def slope(self, i: int) -> np.ndarray:
        """Slopes of all observables, per relative change of leaf i."""
        slopes = [
            d if k == i else zero for k, (d, zero) in enumerate(zip(self.directions, self.still))
        ]
        return np.asarray(self._run(self.leaves, slopes)[1], float)

    def moved(self, i: int, step: float) -> np.ndarray:
        """All observables after a relative change of leaf i."""
        leaf = self.leaves[i] + jnp.asarray(step, self.leaves[i].dtype) * self.directions[i]
        return np.asarray(
            self._run([*self.leaves[:i], leaf, *self.leaves[i + 1 :]], self.still)[0], float
        )

    def reverse(self, names: tuple[str, ...], weights: np.ndarray) -> np.ndarray:
        """The slopes of the sum of these observables times `weights`, per relative change of each
        leaf, by reverse mode."""
        (gradients,) = self._turn(self.leaves, names, jnp.asarray(weights, self.values.dtype))
        return np.array(
            [
                float(jnp.sum(gradient * direction))
                for gradient, direction in zip(gradients, self.directions)
            ]
        )


def _stacked(table, names):
    return jnp.stack([jnp.asarray(table[name].value) for name in names]) if names else jnp.zeros(0)


def gradients(probe: Probe) -> list[Finding]:
    """Derivatives of the observables with respect to every parameter (arrays: along one direction)
    against central differences extrapolated to step 0, each with its own estimate of error
    (Ridders); and one gradient by reverse mode, of a mixture of all observables."""
    values, count = np.asarray(probe.values, float), range(len(probe.leaves))
    known = np.isfinite(values)
    if not known.any():
        return [
            Finding(
                Severity.UNCHECKED,
                _TOPIC,
                "No observable has a value here, so none has a derivative.",
            )
        ]
    if not probe.leaves:
        return [
            Finding(
                Severity.UNCHECKED,
                _TOPIC,
                "The machine has no numbers with respect to which there would be derivatives.",
            )
        ]
    exact = np.stack([probe.slope(i) for i in count])
    few = 32 * float(jnp.finfo(probe.values.dtype).eps)
    with np.errstate(invalid="ignore"):

        def central(i, step):
            return (probe.moved(i, step) - probe.moved(i, -step)) / (2 * step)

        # What moves by a few units in the last place of a parameter is rounding.
        noise = np.stack(
            [
                np.max([np.abs(probe.moved(i, k * few) - values) for k in (-2, -1, 1, 2)], axis=0)
                for i in count
            ]
        )
        differences, errors = _extrapolated(
            np.stack([np.stack([central(i, step) for step in _STEPS]) for i in count]), noise
        )
    labels = np.array(probe.names)[known]
    # A rule may tie a parameter to others: moved alone, either way, there is no machine.
    moves = np.array(
        [
            any(np.isfinite(probe.moved(i, sign * _STEPS[-1])).any() for sign in (-1, 1))
            for i in count
        ]
    )
    tied = [path for path, free in zip(probe.paths, moves) if not free]
    exact = exact[moves]
    differences = differences[moves]
    errors = errors[moves]
    count = range(int(moves.sum()))
    found = [_tied(tied)] if tied else []
    if not len(count):
        return found
    paths = [path for path, free in zip(probe.paths, moves) if free]
    found += _forward(
        paths, exact[:, known], differences[:, known], errors[:, known], labels, probe.others
    )
    return [*found, *_reverse(probe, exact[:, known], labels, moves)]


def _tied(paths):
    text = (
        f"Moved alone, {' and '.join(paths)} would break a rule of this machine, so no"
        " difference says what the derivative is."
    )
    return Finding(Severity.INAPPLICABLE, _TOPIC, text, {"tied": float(len(paths))})


def _direction(leaf):
    """One step of each entry in units of itself, or of 1 where it is 0; of an array with fixed
    random signs and sizes."""
    size = np.where(np.asarray(leaf) == 0, 1.0, np.abs(np.asarray(leaf, float)))
    return jnp.asarray(
        size * (np.random.default_rng(0).uniform(-1, 1, size.shape) if size.ndim else 1.0),
        leaf.dtype,
    )


def _extrapolated(table, noise):
    """Central differences (cases, steps, observables) extrapolated in step^2, the entry with the
    smallest error, and that error: how much the extrapolation changes it, and what the noise of the
    values makes of its smallest step."""
    best, error = table[:, 0], np.full(table[:, 0].shape, np.inf)
    row, factor = table, 1.0
    while row.shape[1] > 1:
        factor *= 16.0
        finer = row[:, 1:] + (row[:, 1:] - row[:, :-1]) / (factor - 1)
        change = np.maximum(np.abs(finer - row[:, 1:]), np.abs(finer - row[:, :-1]))
        change = np.where(np.isfinite(change), change, np.inf)
        change = change + noise[:, None] / _STEPS[None, -finer.shape[1] :, None]
        for k in range(finer.shape[1]):
            better = change[:, k] < error
            best, error = np.where(better, finer[:, k], best), np.where(better, change[:, k], error)
        row = finer
    return best, error


def _forward(paths, exact, differences, errors, labels, others):
    """All derivatives, (parameters, observables), relative to the largest one of the observable;
    directions are relative to the parameters."""
    finite = np.isfinite(exact)
    scale = np.maximum(
        np.max(np.where(np.isfinite(differences), np.abs(differences), 0), axis=0),
        np.finfo(float).tiny,
    )
    resolved = finite & (errors < RESOLVED * scale[None])
    unclear, found = finite & ~resolved, []

    def name(where):
        return f"{labels[where[1]]} with respect to {paths[where[0]]}"

    if not finite.all():
        first, missing = name(np.argwhere(~finite)[0]), int((~finite).sum())
        text = (
            f"The derivative of {first} is not a number; {missing} of {exact.size} derivatives"
            " are not."
        )
        found.append(Finding(Severity.DOUBTFUL, _TOPIC, text, {"missing": float(missing)}))
    if resolved.any():
        away = np.where(resolved, np.abs(exact - differences), 0) / scale[None]
        defect = (
            np.where(resolved, np.maximum(np.abs(exact - differences) - 10 * errors, 0), 0)
            / scale[None]
        )
        judged = defect if defect.max() > 0 else away
        worst = np.unravel_index(np.argmax(judged), judged.shape)
        severity = SLOPES.rate(float(defect.max()))
        text = (
            f"{resolved.sum()} derivatives agree with differences: those of {', '.join(labels)}"
            f" with respect to {len(paths)} parameters."
            f" At worst that of {name(worst)} is off by {away[worst]:.1g} of the observable's"
            " largest derivative."
        )
        if others:
            named = ", ".join(others)
            text += f" Others, most of them from the same formulas, were not checked: {named}."
        if severity > Severity.NOTE:
            text = (
                f"The derivative of {name(worst)}, per relative change, is {exact[worst]:.6g},"
                f" but differences give {differences[worst]:.6g} +- {errors[worst]:.1g}: do not"
                " design with it."
            )
        found.append(
            Finding(
                severity,
                _TOPIC,
                text,
                {"deviation": float(away[worst]), "compared": float(resolved.sum())},
            )
        )
    if unclear.any():
        first = name(np.argwhere(unclear)[0])
        text = (
            f"{unclear.sum()} derivatives could not be compared, such as that of {first}."
            " Differences do not settle:"
            " it may be at a kink, a step, the edge of what is legal, or where rounding is larger"
            " than the change."
        )
        found.append(
            Finding(Severity.UNCHECKED, _TOPIC, text, {"unresolved": float(unclear.sum())})
        )
    return found


def _reverse(probe, exact, labels, moves):
    """The gradient of a mixture of observables, each over its largest derivative, with fixed random
    weights so that nothing cancels."""
    usable = np.all(np.isfinite(exact), axis=0)
    if not usable.any():
        return []
    slopes, names = exact[:, usable], tuple(str(name) for name in labels[usable])
    largest = np.max(np.abs(slopes), axis=0)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, len(names)) / np.where(
        largest > 0, largest, 1.0
    )
    try:
        turned = probe.reverse(names, weights)[moves]
    except Exception as error:
        text = f"Reverse mode (jax.grad) could not be checked: {' '.join(str(error).split())[:200]}"
        return [Finding(Severity.UNCHECKED, _TOPIC, text)]
    away = np.abs(turned - slopes @ weights)
    away = np.where(np.isnan(away), np.inf, away)
    worst = int(np.argmax(away))
    severity = SLOPES.rate(float(away[worst]))
    text = "Reverse mode (jax.grad) agrees with forward mode"
    if severity > Severity.NOTE:
        text = (
            "Reverse mode (jax.grad) does not agree with forward mode: do not design with it."
            " They differ"
        )
    text += (
        " for a mixture of these observables, at worst for"
        f" {np.array(probe.paths)[moves][worst]}, by {away[worst]:.1g} of"
    )
    text += " their largest derivatives."
    return [Finding(severity, _TOPIC, text, {"reverse": float(away[worst])})]
