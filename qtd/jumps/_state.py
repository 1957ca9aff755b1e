"""A device of jump operators at rest."""

import functools

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Complex, Float, Int

from .._numerics.batching import follow, largest, settle, total
from .._numerics.coherent_elimination import CoherentElimination, product
from .._numerics.special import nothing_where
from ..reservoirs import AbstractReservoir
from ..status import Status, first
from ..systems.base import AbstractState, at_rest
from ._device import JumpDissipator, JumpLindbladian


class JumpSteadyState(AbstractState):
    """A device of jump operators at rest, from which everything stationary is computed.

    `lindbladian`: the device; `dissipators`: by reservoir what it does; `elimination`: the factors
    of the generator; `vector`: the state, see `density_matrix`, and `doubts`, about how far
    rounding may have moved its numbers. `status` is 0 where all is well (`qtd.Status`).
    """

    lindbladian: JumpLindbladian
    dissipators: dict[str, JumpDissipator]
    elimination: CoherentElimination
    vector: Float[Array, " m"]
    doubts: Float[Array, " m"]
    status: Int[Array, ""]

    def __init__(self, lindbladian: JumpLindbladian):
        self.lindbladian, structure = lindbladian, lindbladian.structure
        self.dissipators = lindbladian.dissipators()
        matrix = lindbladian.generator(self.dissipators)
        # With the trace as the only population, what is inverted is regular where the state is
        # unique.
        self.elimination = CoherentElimination(matrix, 1)
        known = lax.stop_gradient(matrix)
        start = _least_left(known, structure.space.pure)
        start = lax.stop_gradient(start + self.elimination.solve(-product(known, start)))
        # One Newton step, which carries the derivatives.
        vector = start + self.elimination.solve(-product(matrix, start))
        inverse, scale = self.elimination.factors.inverse, largest(known)
        rounding = jnp.finfo(matrix.dtype).eps
        has_one = scale * largest(inverse) < 0.01 / rounding
        spoiled = jnp.where(has_one, 0.0, jnp.nan).astype(matrix.dtype)
        self.vector = settle(vector + follow(jnp.broadcast_to(spoiled, vector.shape), vector))
        self.doubts = self._doubts(known, inverse)
        rates = jnp.concatenate([part.rates for part in self.dissipators.values()])
        self.status = first(
            (jnp.any(jnp.isinf(rates)), Status.INFINITE_RATE),
            (~jnp.isfinite(scale), Status.INVALID_PARAMETER),
            (~has_one, Status.NO_UNIQUE_STEADY_STATE),
            (largest(self.doubts) > max(1e-9, 1e4 * float(rounding)), Status.INACCURATE),
        )

    @property
    def reservoirs(self) -> dict[str, AbstractReservoir]:
        """Reservoirs by name, in the order of the jumps."""
        device = self.lindbladian
        return {name: device.reservoirs[name] for name in device.structure.channels}

    @property
    def exchanges_particles(self) -> bool:
        """Whether any jump changes the number of particles."""
        return any(source.particles != 0 for source in self.lindbladian.sources)

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean `quantity`, "energy", "particles" or "heat", that leaves `reservoir` per time.

        Energy is that of the quanta of H_0 as they are counted; where these are not definite, Tr[H
        D rho].
        """
        device, part = self.lindbladian, self.dissipators[reservoir]
        counts = device.counts(reservoir, quantity)
        if quantity == "particles":
            return total(part.rates * part.channels.number(self.vector))
        if quantity == "heat":
            work = device.reservoirs[reservoir].chemical_potential * self.current(
                reservoir, "particles"
            )
            return self.current(reservoir, "energy") - work
        if counts and device.interaction:
            return part.counted(self.vector, "energy", 1)
        return self.device_current(reservoir)

    def device_current(self, reservoir: str) -> Float[Array, ""]:
        """Tr[H D rho] of `reservoir`, the energy that the device takes up from it per time. The sum
        over reservoirs is zero."""
        part, coefficients = self.dissipators[reservoir], self.lindbladian.coefficients()
        return nothing_where(self.is_idle(reservoir), part.taken(self.vector, coefficients))

    def is_idle(self, reservoir: str) -> Bool[Array, ""]:
        """Whether `reservoir` can exchange no energy at rest, as no other one makes jumps that
        do."""
        others = [
            jnp.all(part.rates == 0)
            for name, part in self.dissipators.items()
            if name != reservoir and part.channels.exchanges
        ]
        known = jnp.asarray(reservoir in self.lindbladian.structure.idle)
        return known | functools.reduce(jnp.logical_and, others, jnp.asarray(True))

    def entropy_current(self, reservoir: str) -> Float[Array, ""]:
        """Entropy that leaves `reservoir`, one without a temperature, per time: see
        `JumpLindbladian`."""
        return self.dissipators[reservoir].entropy(self.vector, self.doubts)

    def doubt(self, reservoir: str) -> Float[Array, ""]:
        """About how far the energy current of `reservoir` may be off by rounding; without
        derivatives."""
        part, coefficients = self.dissipators[reservoir], self.lindbladian.coefficients()
        found = lax.stop_gradient(part.doubt(self.vector, self.doubts, coefficients))
        return jnp.where(self.is_idle(reservoir), 0, found)

    def array(self) -> Array:
        """`density_matrix`."""
        return self.density_matrix

    @property
    def density_matrix(self) -> Complex[Array, "d d"]:
        """rho in the basis of the operators."""
        return self.lindbladian.matrix(self.vector)

    def _doubts(self, matrix, inverse):
        """About how far each number of the state is off: what rounding leaves of the generator
        times the state, by its inverse."""
        state = lax.stop_gradient(self.vector)
        left = product(jnp.abs(matrix), jnp.abs(state))[1:]
        moved = jnp.concatenate([jnp.zeros_like(state[:1]), product(jnp.abs(inverse), left)])
        return settle(jnp.finfo(state.dtype).eps * (moved + jnp.abs(state)))


at_rest.register(JumpLindbladian, JumpSteadyState)


def _least_left(generator, pure):
    """The basis state that is left most slowly: one that is never left is the state at rest, to all
    digits."""
    states = jnp.asarray(pure, generator.dtype)
    leaving = jnp.abs(generator @ states).sum(0)
    chosen = jnp.arange(len(leaving)) == jnp.argmin(leaving)
    return states @ chosen.astype(states.dtype)
