"""A device with explicit filters at rest."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .._numerics.block_elimination import BlockElimination
from .._numerics.hermitian import eigensystem, smallest_pivot
from ..reservoirs import AbstractReservoir
from ..status import Status, first
from ..systems.base import MODE, AbstractState, at_rest
from ._device import ExplicitFilters, lost
from ._generator import FilterDissipator, Generator

# Currents are off by less where nothing is said; probabilities below this are no state.
_LOST, _NEGATIVE = 1e-3, 1e-4


class AbstractExplicitState(AbstractState):
    """A device with explicit filters at rest: its `system`, and what the populations of device and
    modes together say of each."""

    system: eqx.AbstractVar[ExplicitFilters]

    @abc.abstractmethod
    def joint_populations(self) -> Float[Array, " states"]:
        """Those of the states of device and modes, in the order of `structure.basis`."""

    @property
    @abc.abstractmethod
    def smallest_eigenvalue(self) -> Float[Array, ""]:
        """The smallest eigenvalue of the density matrix of device and modes."""

    @property
    def reservoirs(self) -> dict[str, AbstractReservoir]:
        return self.system.reservoirs

    @property
    def exchanges_particles(self) -> bool:
        """Whether electrons pass; quanta of filters are no particles."""
        return any(edge.particles and any(edge.particles) for edge in self.system.structure.edges)

    def ratios(self) -> dict[tuple[str, str], Float[Array, ""]]:
        """Those of the implicit reservoirs, of the device without explicit filters: see
        `AbstractState`. The rates of an explicit filter need not be slow against its width; that
        must be narrow against its energy: (d / e)^2 or, where larger, h d / e^2."""
        own = {(name, MODE): ratio for name, ratio in self.system.damping_ratios().items()}
        implicit = set(self.reservoirs) - set(self.system.structure.modes)
        if all(self.reservoirs[name].bandwidth() is None for name in implicit):
            return own  # the steady state of the device would be a program of its own
        known = at_rest(self.system.device).ratios()
        return own | {key: ratio for key, ratio in known.items() if key[0] in implicit}

    def array(self) -> Float[Array, " levels"]:
        """`populations`."""
        return self.populations

    @property
    def populations(self) -> Float[Array, " levels"]:
        """Those of the levels of the device, whatever its modes do."""
        structure = self.system.structure
        joint = self.joint_populations()
        return jnp.zeros(structure.size, joint.dtype).at[structure.basis[:, 0]].add(joint)

    @property
    def occupations(self) -> dict[str, Float[Array, ""]]:
        """Mean number of quanta in each mode, by reservoir."""
        structure, joint = self.system.structure, self.joint_populations()
        return {
            name: jnp.sum(jnp.asarray(structure.number(i), joint.dtype) * joint)
            for i, name in enumerate(structure.modes)
        }

    @property
    def top_populations(self) -> dict[str, Float[Array, ""]]:
        """What the last level that is kept of each mode holds, by reservoir."""
        structure, joint = self.system.structure, self.joint_populations()
        return {
            name: jnp.sum(jnp.where(structure.number(i) == top, joint, 0.0))
            for i, (name, top) in enumerate(structure.levels)
        }

    def is_cut(self) -> Bool[Array, ""]:
        """Whether what was cut off may move currents by 1e-3."""
        tops = self.top_populations
        return jnp.any(
            jnp.stack([lost(top, tops[name]) > _LOST for name, top in self.system.structure.levels])
        )


class ExplicitState(AbstractExplicitState):
    """A device with explicit filters at rest, from which everything stationary is computed.

    `system`: the device; `generator`: what happens to it, and `dissipators`: what each reservoir
    does, by name; `elimination`: the factors of the generator; `vector`: the numbers of the density
    matrix that are kept, and `doubts`: what rounding may have done to them, for two patterns of
    signs. `status` is 0 where all is well (`qtd.Status`): besides what spoils any state,
    NOT_POSITIVE where a probability is below -1e-4, TRUNCATED where what was cut off may move
    currents by 1e-3, TREATMENT where the treatment does not hold.
    """

    system: ExplicitFilters
    generator: Generator
    dissipators: dict[str, FilterDissipator]
    elimination: BlockElimination
    vector: Float[Array, " m"]
    doubts: Float[Array, "2 m"]
    status: Int[Array, ""]

    def __init__(self, system: ExplicitFilters):
        self.system = system
        self.generator = system.generator()
        self.dissipators = system.dissipators(self.generator)
        bands = self.generator.bands()
        self.elimination = BlockElimination(self.generator, system.structure.blocks, bands)
        is_regular = self.elimination.is_regular
        vector = self.elimination.state()
        self.doubts = self.elimination.doubts(self.generator.gross(vector))
        self.vector = vector + jnp.where(is_regular, 0.0, jnp.nan).astype(vector.dtype)
        weights = lax.stop_gradient(self.generator.flows.weighed)
        self.status = first(
            (jnp.any(jnp.isinf(weights)), Status.INFINITE_RATE),
            (~jnp.all(jnp.isfinite(weights)), Status.INVALID_PARAMETER),
            (~is_regular, Status.NO_UNIQUE_STEADY_STATE),
            (self._is_no_state(), Status.NOT_POSITIVE),
            (self.is_cut(), Status.TRUNCATED),
            (system.is_outside(), Status.TREATMENT),
        )

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        return self.dissipators[reservoir].counted(self.vector, quantity, 1)

    def device_current(self, reservoir: str) -> Float[Array, ""]:
        """Tr[H D_r rho], the energy that device and modes take up from `reservoir` r per time. The
        sum over reservoirs is zero."""
        return self.dissipators[reservoir].taken(self.vector)

    def doubt(self, reservoir: str) -> Float[Array, ""]:
        """About how far the energy current of `reservoir` may be off by rounding; without
        derivatives."""
        moved = jax.vmap(self.dissipators[reservoir].taken)(self.doubts)
        return lax.stop_gradient(jnp.max(jnp.abs(moved)))

    def joint_populations(self) -> Float[Array, " states"]:
        sectors = self.system.structure.sectors
        return self.generator.blocks(self.vector)[sectors.of, sectors.slot, sectors.slot]

    @property
    def smallest_eigenvalue(self) -> Float[Array, ""]:
        """The smallest eigenvalue of the density matrix of device and modes."""
        values = jax.vmap(eigensystem)(self._hermitian())[0]
        is_there = jnp.asarray(self.system.structure.sectors.is_there)
        return jnp.min(jnp.where(is_there, values, jnp.inf))

    def _hermitian(self):
        blocks = self.generator.blocks(self.vector)
        turned = jnp.swapaxes(blocks, 1, 2)
        return lax.complex(0.5 * (blocks + turned), 0.5 * (blocks - turned))

    def _is_no_state(self):
        unit = jnp.eye(self.system.structure.sectors.width, dtype=self.vector.dtype)
        rho = lax.stop_gradient(self._hermitian())
        pivots = jax.vmap(smallest_pivot)(rho + (_NEGATIVE * unit[None]).astype(rho.dtype))
        return jnp.min(pivots) < 0
