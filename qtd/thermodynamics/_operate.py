"""The operating point of anything that has a state at rest."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from .._numerics.compilation import compiled
from ..counting import System, covariance
from ..parameters import checked
from ..status import Status, first, raise_if_known
from ..systems.base import at_rest, role_of
from ._operating_point import OperatingPoint


@checked
def operate(
    system: Any,
    cooled: str | None = None,
    driven_by: str | None = None,
    explicit: Mapping[str, int | None] | Sequence[str] | None = None,
) -> OperatingPoint:
    """The stationary operating point of `system`: a network, a Lindbladian, the steady state of one
    (`qtd.steady.solve`), a conductor, or a machine made of one of these.

    `cooled` and `driven_by` name the reservoirs whose heat currents make the COP; leave them out
    for an engine or a conductor, and for a machine that knows. `explicit`: reservoirs whose
    filters are damped modes inside the device, and the most quanta in each (None: chosen), where
    rates outgrow the widths of filters: see `qtd.explicit`. Raises `ValueError` where values are
    known and illegal or the steady state is not unique; in compiled code `status` says so and every
    number of that point is NaN.

    Electrons that fall from one lead through a level into another turn work into heat:

    >>> lead = lambda mu: qtd.Reservoir(
    ...     1.0, mu, "fermi", spectral_density=qtd.spectral.WideBand(1.0)
    ... )
    >>> leads = {"left": lead(20.0), "right": lead(-20.0)}
    >>> dot = qtd.RateNetwork(
    ...     [0.0, 0.0], [("left", 0, 1, 1.0), ("right", 0, 1, 1.0)], leads, particles=[0, 1]
    ... )
    >>> point = qtd.operate(dot)
    >>> print(f"{point.power:.4f} {point.entropy_production:.4f} {point.mode}")
    -20.0000 20.0000 heater
    """
    if explicit is not None:
        system = system.with_explicit_filters(explicit)
    system, own_cooled, own_driven_by = role_of(system)
    cooled, driven_by = cooled or own_cooled, driven_by or own_driven_by
    for role, name in (("cooled", cooled), ("driven_by", driven_by)):
        if name is not None and name not in system.reservoirs:
            raise ValueError(
                f"`{role}` names {name!r}; the reservoirs are"
                f" {', '.join(map(repr, system.reservoirs))}."
            )
    if cooled is not None and system.reservoirs[cooled].temperature is None:
        raise ValueError(
            f"`cooled` names {cooled!r}, which has no temperature; name a reservoir in equilibrium."
        )
    return existing(point_of(system, cooled, driven_by))


def existing(point: OperatingPoint) -> OperatingPoint:
    """This point; `ValueError` where it is known that there is none."""
    raise_if_known(
        point.status,
        Status.INVALID_PARAMETER,
        Status.NO_UNIQUE_STEADY_STATE,
        Status.NOT_UNITARY,
        Status.INFINITE_RATE,
        Status.UNSTABLE,
    )
    return point


@compiled
def point_of(system: System, cooled: str | None, driven_by: str | None) -> OperatingPoint:
    """`operate` without its checks, for machines that have made them."""
    state = at_rest(system)
    reservoirs, names = state.reservoirs, tuple(state.reservoirs)
    idle = cooled is not None and not all(state.drives(name) for name in names)

    def of(quantity):
        return {name: state.current(name, quantity) for name in names}

    temperatures = _temperatures(reservoirs)
    point = OperatingPoint(
        heat_currents=of("heat"),
        energy_currents=of("energy"),
        particle_currents=of("particles"),
        device_energy_currents={name: state.device_current(name) for name in names},
        nonthermal_entropy_currents={
            name: state.entropy_current(name) for name in names if name not in temperatures
        },
        temperatures=temperatures,
        chemical_potentials={name: reservoirs[name].chemical_potential for name in names},
        heat_covariance=covariance(state, "heat"),
        particle_covariance=covariance(state, "particles") if state.exchanges_particles else None,
        rates_over=state.ratios(),
        status=first((state.status > 0, state.status), (jnp.asarray(idle), Status.COP_UNDEFINED)),
        names=names,
        cooled=cooled,
        driven_by=driven_by,
        of_jumps=state.is_classical,
    )
    return point.certified({name: state.doubt(name) for name in names})


def _temperatures(reservoirs):
    return {
        name: reservoir.temperature
        for name, reservoir in reservoirs.items()
        if reservoir.temperature is not None
    }
