"""The pictures of a page: each with its title, what it shows in words, and itself as a data URI."""

import base64
import io
from typing import Any, NamedTuple

import jax.numpy as jnp
import matplotlib
import numpy as np
import xarray
from matplotlib.figure import Figure

from .. import plots
from ..machines import FiniteReservoirs, QuantumMotor
from ..plots.devices import heat_of
from ..sensitivities import Sensitivity
from ..thermodynamics import operate

__all__ = ["Picture", "pictures"]

_SHOWN = 12  # bars of elasticities


class Picture(NamedTuple):
    """`alt` says what is drawn, for those who do not see it; `source` is a data URI."""

    key: str
    title: str
    alt: str
    source: str


def pictures(
    machine: Any, point: Any, table: xarray.Dataset, found: list[Sensitivity]
) -> list[Picture]:
    """All drawings that this kind of machine has."""
    drawn = [
        _currents(point),
        _levels(machine),
        _map(table),
        _sensitivities(machine, found, str(table.attrs["observable"])),
    ]
    if isinstance(machine, QuantumMotor):
        drawn.append(_torque(machine))
    if isinstance(machine, FiniteReservoirs):
        drawn.append(_evolution(machine))
    return [picture for picture in drawn if picture is not None]


def _currents(point):
    heat = heat_of(point)
    if not heat:
        return None
    figure, ax = _blank()
    plots.currents(point, ax)
    words = ", ".join(f"{name} {value:.3g}" for name, value in heat.items())
    return _picture(
        "currents",
        "Heat currents",
        f"Bars: heat that leaves each reservoir per time. {words}.",
        figure,
    )


def _levels(machine):
    """Levels, of a motor at the angle of its orbit where most heat flows."""
    title, network = "Levels and net jumps", machine
    if isinstance(machine, QuantumMotor):
        angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
        at = {angle: machine.network(angle) for angle in angles}
        flows = {angle: float(operate(each).entropy_production) for angle, each in at.items()}
        angle = max(flows, key=lambda angle: flows[angle])
        title, network = f"Levels and net jumps at the angle {angle:.3g}", at[angle]
    figure, ax = _blank()
    try:
        plots.level_scheme(network, ax)
    except ValueError:  # no levels, or coherences that such a drawing would hide
        return None
    drives = ", ".join(tick.get_text() for tick in ax.get_xticklabels())
    alt = (
        "Energy levels with an arrow for the net jumps per time that each reservoir drives:"
        f" {drives}."
    )
    return _picture("levels", title, alt, figure)


def _map(table):
    figure, ax = _blank(4.8)
    name = str(table.attrs["observable"])
    axes = [str(dimension) for dimension in table[name].dims]
    ratio = next(
        (
            ratio
            for ratio in ("COP", "efficiency")
            if ratio in table and np.isfinite(table[ratio]).any()
        ),
        None,
    )
    if len(axes) == 1:
        plots.lines(table, name, ax=ax)
    else:
        plots.operating_map(table, name, contours=ratio, ax=ax)
    ax.set_title("", loc="left")
    known = table[name].where(np.isfinite(table[name]))
    over = " and ".join(axes)
    found = (
        f"from {float(known.min()):.3g} to {float(known.max()):.3g}"
        if known.notnull().any()
        else "no numbers"
    )
    return _picture(
        "map", f"Operating map: {name} over {over}", f"{name} against {over}, {found}.", figure
    )


def _sensitivities(machine, found, name):
    moving = [each for each in found if np.isfinite(each.logarithmic) and each.logarithmic]
    figure, ax = _blank(1.6 + 0.28 * min(len(moving), _SHOWN))
    plots.sensitivities(machine, name, ax, found=found, most=_SHOWN)
    words = ", ".join(f"{each.path} {each.logarithmic:+.3g}" for each in moving[:5])
    alt = f"Bars, the longest first: elasticities of {name}. {words or 'There are none'}."
    return _picture("sensitivities", f"Elasticities of {name}", alt, figure)


def _torque(motor):
    figure, ax = _blank(4.6)
    plots.torque(motor, ax=ax)
    ax.set_title("", loc="left")
    alt = (
        "Torque per turn against the velocity, exact and by the series, with the load and the"
        " steady velocities at which they balance."
    )
    return _picture("torque", "Torque against velocity", alt, figure)


def _evolution(machine):
    rates = np.asarray(machine.relaxation_rates(), float)
    rates = rates[rates > 1e-9 * rates.max(initial=0.0)]
    fast, slow = (rates.max(), rates.min()) if len(rates) else (1.0, 1.0)
    found = machine.evolve(jnp.geomspace(0.1 / fast, 8 / slow, 160))
    figure = Figure(figsize=(5.0, 6.4), layout="constrained")
    plots.evolution(found, machine, figure.subplots(2, 1))
    start, end = (", ".join(f"{float(t):.3g}" for t in found.temperatures[i]) for i in (0, -1))
    alt = (
        "Temperatures and chemical potentials of the reservoirs against time: temperatures from"
        f" {start} to {end}."
    )
    return _picture("evolution", "Evolution in time", alt, figure)


def _blank(height=3.9):
    figure = Figure(figsize=(5.0, height), layout="constrained")
    return figure, figure.subplots()


def _picture(key, title, alt, figure):
    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "qtd"}):  # the same page from the same machine
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return Picture(
        key, title, alt, "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()
    )
