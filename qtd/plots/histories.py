"""Drawings of finite reservoirs that change in time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..machines import FiniteReservoirs
from ..machines.finite_reservoirs import Evolution
from ._axes import GREY, WORK, colors_of, figure_of, set_title, two_axes

__all__ = ["evolution"]


def evolution(
    found: Evolution, machine: FiniteReservoirs | None = None, axes: Sequence[Axes] | None = None
) -> Figure:
    """Temperatures and chemical potentials of `FiniteReservoirs.evolve` against time, on a
    logarithmic axis; times of 0 are left out.

    With the `machine`, its equilibrium is dash-dotted and its modes' energies are dashed. Between
    two reservoirs the energy at which they are equally occupied (`crossover`) is dotted, where it
    lies among the potentials and modes.
    - `found`: an `Evolution`; `axes`: two to draw into, a new figure by default.

    **Raises** `ValueError` where fewer than two times are positive.
    """
    times = np.asarray(found.times, float)
    order = np.argsort(times)
    order = order[times[order] > 0]
    if len(order) < 2:
        raise ValueError(
            f"`found` must have two or more times above 0 for a logarithmic axis, got {len(order)}."
        )
    left, right = two_axes() if axes is None else axes
    times, temperatures, potentials = (
        np.asarray(x, float)[order]
        for x in (found.times, found.temperatures, found.chemical_potentials)
    )
    labels = [f"reservoir {j}" for j in range(temperatures.shape[1])]
    colors = colors_of(labels, dict(zip(labels, temperatures[0])))
    for ax, table in ((left, temperatures), (right, potentials)):
        for label, curve in zip(labels, table.T):
            ax.plot(times, curve, color=colors[label], label=label)
        ax.set(xscale="log", xlim=times[[0, -1]], xlabel=r"time  ($1/E$)")
    low, high = right.get_ylim()
    if machine is not None:
        rest = machine.equilibrium()
        for ax, value in ((left, rest.temperature), (right, rest.chemical_potential)):
            ax.axhline(
                float(value), color=GREY, linestyle="dashdot", linewidth=1.2, label="equilibrium"
            )
        modes = np.asarray(machine.energies, float)
        for k, energy in enumerate(modes):
            right.axhline(
                energy,
                color="black",
                linestyle="dashed",
                linewidth=0.9,
                label="modes" if k == 0 else None,
            )
        span = [low, high, modes.min(), modes.max()]
        low, high = min(span) - 0.04 * np.ptp(span), max(span) + 0.04 * np.ptp(span)
    if temperatures.shape[1] == 2:
        right.plot(
            times,
            _crossover(temperatures, potentials),
            color=WORK,  # which no reservoir here does
            linestyle="dotted",
            label="equally occupied",
        )
    right.set_ylim(low, high)
    left.set_ylabel(r"temperature  ($E$)")
    right.set_ylabel(r"chemical potential  ($E$)")
    left.legend(fontsize="small", framealpha=0.9)
    others = {
        label: line
        for line, label in zip(*right.get_legend_handles_labels())
        if label in ("modes", "equally occupied")
    }
    if others:  # the rest is explained on the left
        right.legend(others.values(), others.keys(), fontsize="small", framealpha=0.9)
    set_title(left, "Temperatures")
    set_title(right, "Chemical potentials")
    return figure_of(left)


def _crossover(temperatures, potentials):
    """(T_0 mu_1 - T_1 mu_0) / (T_0 - T_1), which has a pole where temperatures cross."""
    (t, other), (mu, level) = temperatures.T, potentials.T
    gap = t - other
    return np.where(gap == 0, np.nan, (t * level - other * mu) / np.where(gap == 0, 1.0, gap))
