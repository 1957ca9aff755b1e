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


def gradients(machine: Any, figures: Callable[[Any], dict[str, Any]]) -> list[Finding]:
    """Reverse-mode derivatives of all figures with respect to every parameter (arrays: along one direction) against central differences
    extrapolated to step 0, each with its own estimate of error (Ridders)."""
    numbers, rest = eqx.partition(machine, eqx.is_inexact_array)
    leaves, structure = jax.tree.flatten(numbers)
    paths, directions = list(parameters(machine)), [_direction(leaf) for leaf in leaves]
    names: list[str] = []

    def stacked(leaves):
        found = {name: x for name, x in figures(eqx.combine(jax.tree.unflatten(structure, leaves), rest)).items()}
        names[:] = list(found)
        return jnp.stack([jnp.asarray(x) for x in found.values()])

    def moved(which, step):
        return stacked([leaf + jnp.where(which == i, step, 0).astype(leaf.dtype) * d for i, (leaf, d) in enumerate(zip(leaves, directions))])

    steps = jnp.asarray(np.concatenate([_STEPS, -_STEPS]), leaves[0].dtype)
    which = jnp.repeat(jnp.arange(len(leaves)), len(steps))
    shifted = jax.jit(lambda: jax.lax.map(lambda x: moved(*x), (which, jnp.tile(steps, len(leaves))), batch_size=16))()
    value, jacobian = jax.jit(lambda leaves: (stacked(leaves), jax.jacrev(stacked)(leaves)))(leaves)
    exact = np.stack([np.tensordot(np.asarray(j, float), np.asarray(d, float), np.ndim(d)) for j, d in zip(jacobian, directions)])
    shifted = np.asarray(shifted, float).reshape(len(leaves), 2, len(_STEPS), -1)
    value, known = np.asarray(value, float), np.isfinite(np.asarray(value, float))
    if not known.any():
        return [Finding(Severity.NOTE, "gradients", "No figure has a value here, so none has a derivative.")]
    differences, errors = _extrapolated((shifted[:, 0] - shifted[:, 1]) / (2 * _STEPS[:, None]))
    # Rounding of values that differ by little, which differences of differences may hide.
    errors = errors + 4 * float(jnp.finfo(leaves[0].dtype).eps) * np.abs(value) / _STEPS[0]
    return _judged(paths, names, exact[:, known], differences[:, known], errors[:, known], np.array(names)[known])


def _direction(leaf):
    """One step of each entry in units of itself, or of 1 where it is 0; of an array with fixed random signs and sizes."""
    size = np.where(np.asarray(leaf) == 0, 1.0, np.abs(np.asarray(leaf, float)))
    return jnp.asarray(size * (np.random.default_rng(0).uniform(-1, 1, size.shape) if size.ndim else 1.0), leaf.dtype)


def _extrapolated(table):
    """Central differences (cases, steps, figures) extrapolated in step^2, the entry with the smallest change, and that change."""
    best, error = table[:, 0], np.full(table[:, 0].shape, np.inf)
    row, factor = table, 1.0
    while row.shape[1] > 1:
        factor *= 16.0
        finer = row[:, 1:] + (row[:, 1:] - row[:, :-1]) / (factor - 1)
        change = np.maximum(np.abs(finer - row[:, 1:]), np.abs(finer - row[:, :-1]))
        change = np.where(np.isfinite(change), change, np.inf)
        for k in range(finer.shape[1]):
            better = change[:, k] < error
            best, error = np.where(better, finer[:, k], best), np.where(better, change[:, k], error)
        row = finer
    return best, error


def _judged(paths, names, exact, differences, errors, labels):
    found = []
    nowhere = ~np.isfinite(exact)
    if nowhere.any():
        i, k = np.argwhere(nowhere)[0]
        text = f"The derivative of {labels[k]} with respect to {paths[i]} is not a number; {nowhere.sum()} of {exact.size} derivatives are not."
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
            f"{resolved.sum()} derivatives of figures agree with differences of them; at worst that of {labels[k]} with respect to {paths[i]},"
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
