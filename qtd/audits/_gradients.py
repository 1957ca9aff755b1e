"""Derivatives of a machine's figures against differences of them."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._numerics.findings import Finding, Severity, rated
from ..parameters import parameters

_STEPS = 1e-2 / 4.0 ** np.arange(8)  # relative


class Probe:
    """A machine's operating point and the derivatives of its figures, those of noise left out, by one compiled program."""

    def __init__(self, machine: Any, operate: Callable[[Any], Any]):
        numbers, rest = eqx.partition(machine, eqx.is_inexact_array)
        self.leaves, structure = jax.tree.flatten(numbers)
        self.paths, self.directions = list(parameters(machine)), [_direction(leaf) for leaf in self.leaves]
        self.names: list[str] = []

        def figures(leaves):
            point = operate(eqx.combine(jax.tree.unflatten(structure, leaves), rest))
            found = point.figures() if hasattr(point, "figures") else {}
            noise = {f"{kind}_{name}" for name in getattr(point, "names", ()) for kind in ("S", "TUR")}
            self.names = [name for name in found if name not in noise]
            return jnp.stack([jnp.asarray(found[name]) for name in self.names]) if self.names else jnp.zeros(0), point

        self._run = eqx.filter_jit(lambda leaves, slopes: jax.jvp(figures, (leaves,), (slopes,), has_aux=True))
        self.still = [jnp.zeros_like(leaf) for leaf in self.leaves]
        self.values, _, self.point = self._run(self.leaves, self.still)

    def slope(self, i: int) -> np.ndarray:
        """Of all figures, per relative change of leaf i."""
        slopes = [d if k == i else zero for k, (d, zero) in enumerate(zip(self.directions, self.still))]
        return np.asarray(self._run(self.leaves, slopes)[1], float)

    def moved(self, i: int, step: float) -> np.ndarray:
        """All figures after a relative change of leaf i."""
        leaf = self.leaves[i] + jnp.asarray(step, self.leaves[i].dtype) * self.directions[i]
        return np.asarray(self._run([*self.leaves[:i], leaf, *self.leaves[i + 1 :]], self.still)[0], float)


def gradients(probe: Probe) -> list[Finding]:
    """Derivatives of the figures with respect to every parameter (arrays: along one direction) against central differences extrapolated to
    step 0, each with its own estimate of error (Ridders)."""
    values, count = np.asarray(probe.values, float), range(len(probe.leaves))
    known = np.isfinite(values)
    if not known.any():
        return [Finding(Severity.NOTE, "gradients", "Not applicable: no figure has a value here, so none has a derivative.")]
    exact = np.stack([probe.slope(i) for i in count])
    few = 32 * float(jnp.finfo(probe.values.dtype).eps)
    with np.errstate(invalid="ignore"):
        central = lambda i, step: (probe.moved(i, step) - probe.moved(i, -step)) / (2 * step)
        # What moves by a few units in the last place of a parameter is rounding.
        noise = np.stack([np.max([np.abs(probe.moved(i, k * few) - values) for k in (-2, -1, 1, 2)], axis=0) for i in count])
        differences, errors = _extrapolated(np.stack([np.stack([central(i, step) for step in _STEPS]) for i in count]), noise)
    return _judged(probe.paths, exact[:, known], differences[:, known], errors[:, known], np.array(probe.names)[known])


def _direction(leaf):
    """One step of each entry in units of itself, or of 1 where it is 0; of an array with fixed random signs and sizes."""
    size = np.where(np.asarray(leaf) == 0, 1.0, np.abs(np.asarray(leaf, float)))
    return jnp.asarray(size * (np.random.default_rng(0).uniform(-1, 1, size.shape) if size.ndim else 1.0), leaf.dtype)


def _extrapolated(table, noise):
    """Central differences (cases, steps, figures) extrapolated in step^2, the entry with the smallest error, and that error: how much the
    extrapolation changes it, and what the noise of the values makes of its smallest step."""
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


def _judged(paths, exact, differences, errors, labels):
    found = []
    nowhere = ~np.isfinite(exact)
    if nowhere.any():
        i, k = np.argwhere(nowhere)[0]
        text = (
            f"The derivative of {labels[k]} with respect to {paths[i]} is not a number; {nowhere.sum()} of {exact.size}"
            " derivatives are not."
        )
        found.append(Finding(Severity.DOUBTFUL, "gradients", text, {"missing": float(nowhere.sum())}))
    # Relative to the largest derivative of the figure, along directions that are relative to the parameters.
    scale = np.maximum(np.max(np.where(np.isfinite(differences), np.abs(differences), 0), axis=0), np.finfo(float).tiny)
    resolved = ~nowhere & (errors < 1e-3 * scale[None])
    unclear = ~nowhere & ~resolved
    defect = np.where(resolved, np.maximum(np.abs(exact - differences) - 10 * errors, 0) / scale[None], 0)
    if resolved.any():
        i, k = np.unravel_index(np.argmax(np.where(resolved, np.abs(exact - differences) / scale[None], -1)), exact.shape)
        if defect.max() > 0:
            i, k = np.unravel_index(np.argmax(defect), defect.shape)
        away = float(abs(exact[i, k] - differences[i, k]) / scale[k])
        text = (
            f"{resolved.sum()} derivatives of figures agree with differences of them; at worst that of {labels[k]} with"
            f" respect to {paths[i]},"
            f" by {away:.1g} of the figure's largest derivative."
        )
        severity = rated(float(defect.max()), 1e-5, 1e-4, 1e-3)
        if severity > Severity.NOTE:
            text = (
                f"The derivative of {labels[k]} with respect to {paths[i]}, per relative change, is {exact[i, k]:.6g}, but differences give"
                f" {differences[i, k]:.6g} +- {errors[i, k]:.1g}: do not design with it."
            )
        found.append(Finding(severity, "gradients", text, {"deviation": away, "compared": float(resolved.sum())}))
    if unclear.any():
        i, k = np.argwhere(unclear)[0]
        text = (
            f"{unclear.sum()} derivatives could not be compared, such as that of {labels[k]} with respect to {paths[i]}: differences of the"
            " figure do not settle, as at a kink, a step, the edge of what is legal, or where rounding is larger than the change."
        )
        found.append(Finding(Severity.NOTE, "gradients", text, {"unresolved": float(unclear.sum())}))
    return found
