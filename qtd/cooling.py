"""Any machine at a finite reservoir: how far it cools it, or heats it, and how long that takes."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Int

from ._numerics.compilation import compiled
from ._numerics.printing import readable
from ._numerics.quadrature import gauss, integral_up_to
from ._numerics.roots import bracketed
from ._numerics.validation import as_scalar, as_share, check
from .parameters import checked, parameters, replace
from .status import Status, first

__all__ = ["CoolDown", "cool_down"]

_SAMPLES, _PANELS = 96, 8


class CoolDown(eqx.Module):
    """`stopping` is the temperature at which no heat flows any more; `time` how long it takes until
    only `share` of the way is left.

    On the way: `temperatures` at `times`, in rising order of time, from the start. `status` is 0
    where all is well (`qtd.Status`), NOT_CONVERGED where the heat current keeps its sign down to
    the last temperature that was looked at, or changes it before `until`.
    """

    stopping: Float[Array, ""]
    time: Float[Array, ""]
    temperatures: Float[Array, " points"]
    times: Float[Array, " points"]
    status: Int[Array, ""]

    def __repr__(self) -> str:
        rows = [
            ("stopping", self.stopping, "temperature at which no heat flows"),
            ("time", self.time, "until little of the way is left"),
        ]
        return readable(self, "a finite reservoir", [*rows, ("status", self.status, "0: fine")])


@checked
def cool_down(
    machine: Any,
    cold: str = "cold",
    heat_capacity: ArrayLike | Callable[[Float[Array, ""]], Float[Array, ""]] = 1.0,
    share: ArrayLike = 0.01,
    until: ArrayLike | None = None,
    within: float = 1e4,
) -> CoolDown:
    r"""What becomes of the temperature of one reservoir under the heat current that the machine
    draws from it.

    $$ C(T)\, \frac{dT}{dt} = -J(T), \qquad J(T^*) = 0, \qquad t =
       \int_{T}^{T_0} \frac{C(T')}{J(T')}\, dT' $$

    All else stays as it is; currents are those of the machine at rest, so the reservoir must be
    large on the scale of the device. A finite hot reservoir is heated, by the same equation, until
    its current vanishes.

    - `machine`: whatever has `operate()` with `heat_currents`, and the parameter
      "<cold>.temperature", where it starts.
    - `cold`: the reservoir that is finite. `heat_capacity`: a number, or a function of its
      temperature, positive.
    - `share`: of the distance between start and stop that is left at `time`, as the last bit takes
      for ever.
    - `until`: stop at this temperature instead, as where a machine ceases to exist:
      `until=demon.minimum_cold_temperature()`.
    - `within`: a factor; the stopping temperature is looked for between start / within and start *
      within, nearest first.

    The temperature is the variable of integration, so neither steps nor tolerances enter;
    derivatives with respect to the machine, the capacity and the share are those of the integral
    and of the implicit theorem. Raises `ValueError` for an unknown reservoir and for numbers
    outside their domain.

    How long the N-demon takes to cool its lead as far as it can:

    >>> demon = qtd.machines.NDemon()
    >>> lowest = demon.minimum_cold_temperature()
    >>> found = qtd.cooling.cool_down(demon, heat_capacity=1.0, until=lowest)
    >>> print(f"{lowest:.4f} after {found.time:.0f}")
    0.1413 after 1259
    """
    path = f"{cold}.temperature"
    if path not in parameters(machine):
        known = [
            name.removesuffix(".temperature")
            for name in parameters(machine)
            if name.endswith(".temperature")
        ]
        raise ValueError(
            f"`cold` must name a reservoir of the machine, {', '.join(map(repr, known))}, got"
            f" {cold!r}."
        )
    if not callable(heat_capacity):
        constant = as_scalar(heat_capacity, "heat_capacity")
        check("heat_capacity", constant, "positive")
        heat_capacity = jax.tree_util.Partial(_constant, constant)
    share = as_share(share, "share")
    if not within > 1:
        raise ValueError(f"`within` must be a factor above 1, got {within}.")
    start = parameters(machine)[path]
    if until is not None:
        until = as_scalar(until, "until").astype(start.dtype)
        check("until", until, "positive")
    return _cool_down(machine, path, heat_capacity, share.astype(start.dtype), until, float(within))


def _constant(value, _):
    """The same heat capacity at any temperature; one function for all calls, as a new one would be
    compiled anew."""
    return value


@compiled
def _cool_down(machine, path, heat_capacity, share, until, within):
    start = parameters(machine)[path]
    cold = path.removesuffix(".temperature")

    def current(temperature, machine):
        return replace(machine, {path: temperature}).operate().heat_currents[cold]

    if until is None:
        stopping, found = _standstill(current, machine, start, within)

        # In the logarithm of the share that is left the integrand is smooth up to the stop.
        def place(x):
            return stopping + (start - stopping) * share**x

        def pace(x):
            return -jnp.log(share) * (start - stopping) * share**x
    else:
        stopping, found = until, jnp.asarray(True)

        def place(x):
            return start + (stopping - start) * x

        def pace(x):
            return (start - stopping) * jnp.ones_like(x)

    edges = jnp.linspace(0.0, 1.0, _PANELS + 1, dtype=start.dtype)
    points, weights, _ = gauss(edges)
    temperatures = place(points)
    capacity = jax.vmap(heat_capacity)(temperatures)
    currents = lax.map(
        lambda temperature: current(temperature, machine), jnp.append(temperatures, start)
    )
    slowness = pace(points) * capacity / currents[:-1]
    runs = found & jnp.all(slowness > 0)
    invalid = ~jnp.isfinite(currents[-1])
    status = first((invalid, Status.INVALID_PARAMETER), (~runs, Status.NOT_CONVERGED))

    def known(x):
        return jnp.where(status == 0, x, jnp.nan)

    return CoolDown(
        known(stopping),
        known(weights @ slowness),
        known(temperatures),
        known(integral_up_to(edges, slowness)),
        status,
    )


def _standstill(current, machine, start, within):
    """The nearest temperature at which the current vanishes, where it drives the reservoir to; and
    whether there is one."""
    frozen, begin = lax.stop_gradient((machine, start))
    factors = jnp.asarray(np.geomspace(1.0, within, _SAMPLES), start.dtype)

    def look(driven, factor):
        """Looks at the next temperature; the current at the first one tells in which direction."""
        temperature = begin * jnp.where(driven > 0, 1 / factor, factor)
        value = current(temperature, frozen)
        return jnp.where(factor == 1, value, driven), (temperature, value)

    _, (ladder, values) = lax.scan(look, jnp.zeros_like(begin), factors)
    changes = values[1:] * values[:-1] <= 0
    i = jnp.argmax(changes)
    found = changes[i]
    # Where there is none, a line that has one stands in: a derivative of what is not a number would
    # spoil others.
    middle = (ladder[i] + ladder[i + 1]) / 2

    def function(temperature, machine):
        return jnp.where(found, current(temperature, machine), temperature - middle)

    def at(j):
        return jnp.where(found, values[j], ladder[j] - middle)

    return bracketed(function, (ladder[i], ladder[i + 1]), (at(i), at(i + 1)), machine), found
