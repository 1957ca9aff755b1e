"""Drawings of motors: torque against velocity, and where it balances a load."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..machines import QuantumMotor
from ..networks import rate_matrix
from ._axes import (
    GREY,
    PALETTE,
    axes_or_new,
    figure_of,
    legend_below,
    set_title,
    write_across,
)

__all__ = ["torque"]


def torque(
    motor: QuantumMotor,
    velocities: ArrayLike | None = None,
    load: float | None = None,
    *,
    order: int = 3,
    ax: Axes | None = None,
) -> Figure:
    """The torque of a `motor`, integrated over a turn, against the velocity: exact, and by the
    series to `order` (dashed).

    The `load` (None: half of the torque at rest, as in `QuantumMotor.operate`) is a horizontal
    line, and the steady velocities at which the exact torque meets it are dots where they are
    stable and rings where they are not: `QuantumMotor.terminal_velocities` finds the same ones, and
    their derivatives.

    - `ax`: where to draw, a new figure by default.
    - `velocities`: where to compute it, in rising order; steady velocities are found between
      neighbours. By default on either side of 0 up to 30 times the mean rate at which levels are
      left, on an axis that is logarithmic beyond a tenth of it.
    """
    ax = axes_or_new(ax)
    series = np.asarray(motor.work_coefficients(order), float)
    load = float(series[0]) / 2 if load is None else float(load)
    if velocities is None:
        velocities = _around(motor, ax)
    velocities = np.asarray(velocities, float)
    if velocities.ndim != 1 or len(velocities) < 2:
        raise ValueError(
            f"`velocities` must be a list of two or more, got shape {velocities.shape}."
        )
    exact = _exact(motor, velocities, series[0])
    ax.plot(velocities, exact, color=PALETTE[0], linewidth=2, label="exact")
    by_series = np.polynomial.polynomial.polyval(velocities, series)
    ax.plot(
        velocities,
        by_series,
        color=PALETTE[1],
        linestyle="dashed",
        label=f"series to order {order}",
    )
    ax.axhline(load, color=GREY, linestyle="dashdot", linewidth=1.2, label=f"load {load:.3g}")
    at, stable = _steady(motor, velocities, exact, load, float(series[0]))
    for chosen, fill, label in ((stable, PALETTE[0], "stable"), (~stable, "white", "unstable")):
        if chosen.any():
            style: Any = {
                "markerfacecolor": fill,
                "markeredgecolor": PALETTE[0],
                "markersize": 8,
                "linestyle": "none",
            }
            ax.plot(
                at[chosen],
                np.full(chosen.sum(), load),
                "o",
                label=f"{label} steady velocity",
                zorder=4,
                **style,
            )
    if not np.isfinite(exact).any():
        write_across(ax, "the torque is no number at any of these velocities")
    known = np.append(exact[np.isfinite(exact)], load)
    margin = 0.12 * (np.ptp(known) or 1.0)
    ax.set(xlim=velocities[[0, -1]], ylim=(known.min() - margin, known.max() + margin))
    ax.axvline(0, color="black", linewidth=0.8, zorder=1)
    ax.set(xlabel=r"velocity  ($E$)", ylabel=r"torque per turn  ($E$)")
    legend_below(ax)
    set_title(ax, "Torque")
    return figure_of(ax)


def _around(motor, ax):
    angles = jnp.linspace(0.0, 2 * jnp.pi, 16, endpoint=False)
    rate = float(
        jnp.mean(jax.vmap(lambda angle: -jnp.diag(rate_matrix(motor.network(angle))))(angles))
    )
    ax.set_xscale("symlog", linthresh=rate / 10)
    decades = range(int(np.ceil(np.log10(rate / 10))), int(np.floor(np.log10(30 * rate))) + 1)
    # those of Matplotlib would overlap around 0
    ax.set_xticks([0.0, *(sign * 10.0**k for k in decades for sign in (-1, 1))])
    ahead = np.append(np.linspace(0.0, rate / 10, 10)[1:-1], np.geomspace(rate / 10, 30 * rate, 40))
    return np.concatenate([-ahead[::-1], [0.0], ahead])


def _steady(motor, velocities, exact, load, at_rest):
    """Velocities where the exact torque crosses the load, and whether it falls there: each crossing
    enclosed ever more closely, then interpolated."""
    roots, stable = [], []
    for i in np.flatnonzero((exact[1:] > load) != (exact[:-1] > load)):
        grid, values = velocities[i : i + 2], exact[i : i + 2] - load
        for _ in range(2):
            # as many as before: nothing is compiled again
            grid = np.linspace(grid[0], grid[1], len(velocities))
            values = _exact(motor, grid, at_rest) - load
            k = np.flatnonzero((values[1:] > 0) != (values[:-1] > 0))[0]
            grid, values = grid[k : k + 2], values[k : k + 2]
        roots.append(grid[0] - values[0] * (grid[1] - grid[0]) / (values[1] - values[0]))
        stable.append(values[1] < values[0])
    return np.array(roots), np.array(stable, bool)


def _exact(motor, velocities, at_rest):
    """Torques by whole turns; at rest there is none, and the torque is that of the instantaneous
    steady states."""
    moving = np.where(velocities == 0, 1.0, velocities)
    return np.where(velocities == 0, at_rest, np.asarray(motor.torque_curve(moving).torque, float))
