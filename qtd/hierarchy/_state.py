"""A hierarchy at rest."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Complex, Float, Int

from .._numerics.batching import add, follow, settle
from .._numerics.block_elimination import BlockElimination
from ..reservoirs import AbstractReservoir
from ..status import Status, first
from ..systems.base import AbstractState, at_rest
from ._device import Hierarchy
from ._generator import Numbers

_MOVED = 1e-3  # of a current, by what is cut off
_NEGLIGIBLE = 1e-6  # of the largest current


class HierarchySteadyState(AbstractState):
    """A hierarchy at rest, from which everything stationary is computed.

    `hierarchy`: the device; `numbers`: those that its equations are made of; `elimination`: the
    factors of its generator; `vector`: the state and its auxiliary operators, as real numbers; see
    `density_matrix`. `taken`: the energy that the device takes up from each reservoir per time, and
    `exchanged`, what leaves each for the others besides, where their couplings do not commute.
    `truncation`: about how far the energy current of each reservoir is off at most, as its last
    tier, a next quantum in its terms, and the part of the correlation functions that no term stands
    for, move it in first order; without derivatives. `status` is 0 where all is well
    (`qtd.Status`).
    """

    hierarchy: Hierarchy
    numbers: Numbers
    elimination: BlockElimination
    vector: Float[Array, " m"]
    taken: dict[str, Float[Array, ""]]
    exchanged: dict[str, Float[Array, ""]]
    truncation: dict[str, Float[Array, ""]]
    status: Int[Array, ""]

    def __init__(self, hierarchy: Hierarchy):
        self.hierarchy, tiers = hierarchy, hierarchy.structure.tiers
        self.numbers = Numbers(hierarchy)
        atoms = self.numbers.atoms()
        generator = self.numbers.generator(atoms)
        self.elimination = BlockElimination(generator, tiers.blocks, generator.bands())
        vector, has_one = self.elimination.state(), self.elimination.is_regular
        spoiled = jnp.where(has_one, 0.0, jnp.nan).astype(vector.dtype)
        self.vector = settle(vector + follow(jnp.broadcast_to(spoiled, vector.shape), vector))
        self.taken, self.exchanged = self.numbers.currents(self.vector)
        self.truncation = lax.stop_gradient(self._truncation())
        self.status = first(
            (~jnp.all(jnp.isfinite(atoms)), Status.INVALID_PARAMETER),
            (~has_one, Status.NO_UNIQUE_STEADY_STATE),
            (self._is_truncated(), Status.TRUNCATED),
        )

    @property
    def reservoirs(self) -> dict[str, AbstractReservoir]:
        """Reservoirs by name, in the order of the couplings."""
        return {name: self.hierarchy.reservoirs[name] for name in self.numbers.tiers.names}

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean `quantity`, "energy", "particles" or "heat", that leaves `reservoir` per time. Of
        particles, none."""
        if quantity not in ("energy", "particles", "heat"):
            raise ValueError(
                f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.'
            )
        energy = self.taken[reservoir] + self.exchanged[reservoir]
        return jnp.zeros_like(energy) if quantity == "particles" else energy

    def device_current(self, reservoir: str) -> Float[Array, ""]:
        """Energy that the device takes up from `reservoir` per time, i <[A_r (b + b^+), H]>. The
        sum over reservoirs is zero."""
        return self.taken[reservoir]

    def array(self) -> Array:
        """`density_matrix`."""
        return self.density_matrix

    @property
    def density_matrix(self) -> Complex[Array, "d d"]:
        """rho in the basis of the operators."""
        return self.numbers.operators(self.vector, [0])[0]

    def _truncation(self):
        """Changes of the energy currents by what is cut off, in first order."""
        numbers, vector, known = lax.stop_gradient((self.numbers, self.vector, self.elimination))
        sources, direct = [], []
        for ends, share in zip(numbers.tiers.last, (1.0, numbers.next_quantum())):
            # What is left of the equations of the others where these are missing.
            lost = jnp.asarray(ends, vector.dtype)
            sources.append(share * (1 - lost) * known.operator.apply(lost * vector))
            direct.append({})
        for name, reservoir in lax.stop_gradient(self.reservoirs).items():
            made = numbers.missed(vector, name, reservoir)
            sources.append(-made)
            direct.append({name: numbers.work(made)})
        moved = jax.vmap(known.solve)(jnp.stack(sources))
        found = {name: jnp.zeros_like(value) for name, value in self.taken.items()}
        for change, own in zip(moved, direct):
            parts = numbers.currents(change)
            for name in found:
                off = add(part[name] for part in parts) + own.get(name, 0.0)
                found[name] = found[name] + jnp.abs(off)
        return found

    def _is_truncated(self) -> Bool[Array, ""]:
        energy = {name: jnp.abs(self.current(name, "energy")) for name in self.taken}
        largest = functools.reduce(jnp.maximum, energy.values())
        off = [
            self.truncation[name] > jnp.maximum(_MOVED * value, _NEGLIGIBLE * largest)
            for name, value in energy.items()
        ]
        return functools.reduce(jnp.logical_or, off)


at_rest.register(Hierarchy, HierarchySteadyState)
