"""Devices with coherences whose generator is too large to be written down, at rest."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from ._numerics.batching import add
from ._numerics.hermitian import large_eigensystem
from ._numerics.wide import Blocks, Operators, Products, Wide, WideGenerator, kept_of, parted
from ._numerics.wide_elimination import WideElimination
from .lindblad import Lindbladian
from .reservoirs import AbstractReservoir
from .status import Status, first
from .systems._ratios import ratios
from .systems.base import AbstractState

__all__ = ["WideDissipator", "WideSteadyState"]

_ROUGH = 1e-3  # of what corrects a state by rounding, or asks what rounding may do

Matrix = Float[Array, "levels levels"]
Elements = Float[Array, "groups classes n n"]


class WideDissipator(eqx.Module):
    """What one reservoir does, jump by jump: the `products` that are its own, and the `rates` of
    jumps between populations, to the row from the column. `quanta` by quantity: of jumps between
    levels, and of the elements of operators."""

    products: Products
    rates: Matrix
    quanta: dict[str, tuple[Matrix, Elements]]

    def flows(self, state: Blocks) -> Matrix:
        """Net jumps between the populations of a `state` per time, to the row from the column."""
        gross = self.rates * self.products.wide.diagonal(state)[None]
        return gross - gross.T

    def current(self, flows: Matrix, state: Blocks, quantity: str) -> Float[Array, ""]:
        """What jumps take out of the reservoir per time: those between populations from their net
        `flows`, without loss of digits, and those that the coherences of the `state` make, of a
        `quantity`."""
        between, elements = self.quanta_of(quantity)
        coherences = self.products.wide.coherences(state)
        return 0.5 * jnp.sum(between * flows) + self.products.counted(coherences, elements)

    def jump(self, state: Blocks, quantity: str, power: int) -> Blocks:
        """The jump part applied to a `state`, each quantum of a `quantity` counted to some
        `power`."""
        return self.products.jumped(state, self.quanta_of(quantity)[1] ** power)

    def counted(self, state: Blocks, quantity: str, power: int) -> Float[Array, ""]:
        """The trace of `jump`, of the same `state`, `quantity` and `power`."""
        return self.products.counted(state, self.quanta_of(quantity)[1] ** power)

    def quanta_of(self, quantity: str) -> tuple[Matrix, Elements]:
        """`quanta` of a `quantity`; `ValueError` where it is none."""
        if quantity not in self.quanta:
            raise ValueError(
                f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.'
            )
        return self.quanta[quantity]


class WideSteadyState(AbstractState):
    """A device with many coherences at rest, from which everything stationary is computed.

    Nothing is written down that has as many elements as there are pairs of numbers in the state:
    operators act on the density matrix, and what solves for states iterates.

    `lindbladian`: the device, and `wide`, what is static in it; `dissipators`: the parts of the
    generator by reservoir; `elimination`: what solves; `hamiltonian`: H by class, between the
    states that jumps join; `vector`: the state, by class (see `density_matrix`), and `doubts`, what
    rounding may have done to it, for two patterns of signs; `flows`: net jumps between populations
    per time, by reservoir. `status` is 0 where all is well (`qtd.Status`): besides what spoils any
    state, NOT_CONVERGED where the iteration has not, as of most states that are not unique, and
    INACCURATE where rounding may have moved the state by 1e-9.
    """

    lindbladian: Lindbladian
    dissipators: dict[str, WideDissipator]
    elimination: WideElimination
    hamiltonian: Blocks
    vector: Blocks
    doubts: Float[Array, "2 classes n n"]
    flows: dict[str, Matrix]
    status: Int[Array, ""]

    def __init__(self, lindbladian: Lindbladian, wide: Wide):
        lindbladian.structure.require_connected()
        self.lindbladian = lindbladian
        device = _assembled(lindbladian, wide)
        self.dissipators, self.hamiltonian = device.dissipators, device.hamiltonian
        parts, generator = self.dissipators, device.generator
        self.elimination = WideElimination(generator, device.energies, device.states)
        start = self.elimination.start
        moved = self.elimination.value(-self._change(start, self._flows(start)))
        eliminated = lax.stop_gradient(start + moved)
        # One Newton step makes the flows obey Kirchhoff's law, as in `stationary`. What rounding
        # may do is found with it.
        flows = self._flows(eliminated)
        left = -self._change(eliminated, flows)
        right = jnp.concatenate([left[None], self._rounding(eliminated)])
        correction, *doubts = jax.vmap(lambda y: self.elimination.value(y, _ROUGH))(right)
        self.doubts = jnp.stack(doubts)
        correction = correction + self.elimination.following(eliminated + correction)
        rates = add(part.rates for part in parts.values())
        largest, off = jnp.max(rates), jnp.max(jnp.abs(self.doubts))
        # Rounding moves a state that is not unique anywhere.
        has_one = self.elimination.is_regular(largest) & ~(off > 0.01)
        has_converged = jnp.all(jnp.isfinite(eliminated + correction)) & jnp.isfinite(off)
        is_right = has_one & has_converged
        correction = correction + jnp.where(is_right, 0.0, jnp.nan).astype(off.dtype)
        self.flows = {name: flow + parts[name].flows(correction) for name, flow in flows.items()}
        self.vector = eliminated + correction
        rounding = max(1e-9, 1e4 * float(jnp.finfo(off.dtype).eps))
        self.status = first(
            (jnp.any(jnp.isinf(rates)), Status.INFINITE_RATE),
            (~jnp.isfinite(largest), Status.INVALID_PARAMETER),
            (~has_one, Status.NO_UNIQUE_STEADY_STATE),
            (~has_converged, Status.NOT_CONVERGED),
            (self._is_no_state(), Status.NOT_POSITIVE),
            (off > rounding, Status.INACCURATE),
        )

    def _flows(self, state):
        return {name: part.flows(state) for name, part in self.dissipators.items()}

    def _change(self, state, flows):
        """What happens to a state, with these flows between its populations."""
        wide, generator = self._wide, self.elimination.generator
        populations, coherences = wide.populations(state), wide.coherences(state)
        arriving = wide.of_populations(add(flows.values()).sum(axis=1))
        made = wide.coherences(generator.apply(populations))
        return arriving + made + generator.apply(coherences)

    def _rounding(self, state):
        """What rounding of all that `_change` adds up, but flows, may leave of it, for two patterns
        of signs."""
        wide, generator = self._wide, self.elimination.generator
        gross = generator.gross(wide.coherences(state))
        gross = gross + wide.coherences(generator.gross(wide.populations(state)))
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (2, *gross.shape))
        rounding = float(jnp.finfo(gross.dtype).eps) * jnp.asarray(signs, gross.dtype) * gross[None]
        traces = jax.vmap(wide.trace)(rounding)
        return rounding - traces[:, None, None, None] * self.elimination.start[None]

    def _is_no_state(self):
        if self.lindbladian.structure.approach != "redfield":
            return jnp.asarray(False)
        return self.smallest_eigenvalue < -100 * jnp.finfo(self.vector.dtype).eps

    @property
    def _wide(self) -> Wide:
        return self.elimination.generator.products.wide

    @property
    def is_classical(self) -> bool:
        """Whether no coherence is kept, so that what binds jumps binds it."""
        return self._wide.sectors.width == 1

    @property
    def coherences(self) -> Blocks:
        """Real and imaginary parts of the coherences that are kept, by class, times the root of
        2."""
        return self._wide.coherences(self.vector)

    @property
    def reservoirs(self) -> dict[str, AbstractReservoir]:
        """Reservoirs by name, in the order of the Lindbladian."""
        return {name: self.lindbladian.reservoirs[name] for name in self._edges}

    @property
    def _edges(self):
        return self.lindbladian.structure.edges

    @property
    def exchanges_particles(self) -> bool:
        """Whether any jump changes the number of particles."""
        return any(np.any(edges.particles) for edges in self._edges.values())

    def drives(self, reservoir: str) -> bool:
        """Whether `reservoir`, a name, has any jump."""
        return bool(self._edges[reservoir].upper.size)

    def entropy_current(self, reservoir: str) -> Float[Array, ""]:
        """Entropy that leaves `reservoir`, one without a temperature, per time."""
        return self.current(reservoir, "entropy")

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean `quantity`, "energy", "particles" or "heat", that leaves `reservoir` per time: of
        the quanta, as they are counted."""
        return self.dissipators[reservoir].current(self.flows[reservoir], self.vector, quantity)

    def device_current(self, reservoir: str) -> Float[Array, ""]:
        """Tr[H D_r rho], the energy that the device takes up from `reservoir` r per time. The sum
        over reservoirs is zero."""
        own = self._wide.diagonal(self.hamiltonian)
        flows = jnp.sum((own[:, None] - own[None]) * self.flows[reservoir])
        return 0.5 * flows + self._taken(reservoir, self.vector)

    def doubt(self, reservoir: str) -> Float[Array, ""]:
        """About how far the energy current of `reservoir` may be off by rounding; without
        derivatives."""
        own = self._wide.diagonal(self.hamiltonian)

        def moved(state):
            flows = self.dissipators[reservoir].flows(state)
            between = 0.5 * jnp.sum((own[:, None] - own[None]) * flows)
            return between + self._taken(reservoir, state)

        return lax.stop_gradient(jnp.max(jnp.abs(jax.vmap(moved)(self.doubts))))

    def _taken(self, reservoir, state):
        """Tr[H D_r rho] but for jumps between populations."""
        wide, products = self._wide, self.dissipators[reservoir].products
        own, mixing = wide.populations(self.hamiltonian), wide.coherences(self.hamiltonian)
        made = products.applied(wide.coherences(state))
        return jnp.sum(own * made) + jnp.sum(mixing * products.applied(state))

    def ratios(self) -> dict[tuple[str, str], Float[Array, ""]]:
        """Rates over what they must stay below, weighted by traffic, of the jumps between
        populations: see `AbstractState`."""
        populations = self._wide.diagonal(self.vector)
        exits = add(part.rates for part in self.dissipators.values()).sum(axis=0)
        jumps = {}
        for name, part in self.dissipators.items():
            lower, upper = self._edges[name].rising.T
            up, down = part.rates[upper, lower], part.rates[lower, upper]
            if len(lower):
                traffic = up * populations[lower] + down * populations[upper]
                gaps = part.quanta["energy"][0][upper, lower]
                jumps[name] = [(traffic, (exits[lower] + exits[upper]) / 2, gaps)]
        return ratios(self.reservoirs, jumps)

    def array(self) -> Array:
        """`density_matrix`."""
        return self.density_matrix

    @property
    def density_matrix(self) -> Array:
        """rho in the basis of the operators."""
        return self.lindbladian.matrix(self.vector)

    @property
    def smallest_eigenvalue(self) -> Float[Array, ""]:
        """The smallest eigenvalue of rho: negative, beyond rounding, where a Redfield equation has
        left the states."""
        missing = jnp.asarray(~self._wide.sectors.is_there, self.vector.dtype)
        real, imaginary = parted(self.vector)
        unit = jnp.eye(self._wide.sectors.width, dtype=self.vector.dtype)
        blocks = lax.complex(real + missing[:, :, None] * unit[None], imaginary)
        return jnp.min(jax.vmap(large_eigensystem)(blocks)[0])


class _Device(NamedTuple):
    """What a Lindbladian does, as arrays: H between the states that jumps join, its `energies` by
    class, and its `states` there, None where these are its own."""

    dissipators: dict[str, WideDissipator]
    generator: WideGenerator
    hamiltonian: Blocks
    energies: Float[Array, "classes n"]
    states: Operators | None


def _assembled(lindbladian: Lindbladian, wide: Wide) -> _Device:
    structure = lindbladian.structure
    energies, vectors = lindbladian.eigenstates()
    if structure.approach == "local":
        jumps = lindbladian.jumps(*lindbladian.levels())
        states = _by_class(wide, vectors)
        states = states._replace(real=states.real + wide.of_missing(energies.dtype))
        matrix = _by_class(wide, lindbladian.hamiltonian())
    else:
        jumps = lindbladian.jumps(energies, vectors)
        states, matrix = None, Operators(wide.of_populations(energies), None)
    near = 1e3 * float(jnp.finfo(jumps.scale.dtype).eps) * jumps.scale
    by_class = wide.by_class(energies, 0.0)
    kept = jnp.asarray(wide.is_there, near.dtype)
    if structure.approach == "global":
        # Of the coherences only those of degenerate levels meet the populations.
        gaps = lax.stop_gradient(by_class[:, :, None] - by_class[:, None, :])
        kept = jnp.where(jnp.abs(gaps) <= near, kept, 0)
    products, equal = _products(structure, wide, jumps, kept, near)
    parts = _dissipators(structure, wide, jumps, products, equal)
    lost = products.lost()
    leaving = Operators(
        lost.real if matrix.imaginary is None else lost.real - matrix.imaginary,
        matrix.real if lost.imaginary is None else matrix.real + lost.imaginary,
    )
    largest = lax.stop_gradient(jnp.max(add(part.rates for part in parts.values())))
    generator = WideGenerator(products, leaving, jnp.where(largest == 0, 1, largest))
    imaginary = jnp.zeros_like(matrix.real) if matrix.imaginary is None else matrix.imaginary
    hamiltonian = kept_of(jnp.stack([matrix.real, imaginary]))
    return _Device(parts, generator, hamiltonian, by_class, states)


def _by_class(wide, matrix):
    """A matrix of levels by class."""
    imaginary = wide.blocks(matrix.imag) if jnp.iscomplexobj(matrix) else None
    return Operators(wide.blocks(matrix.real), imaginary)


def _products(structure, wide, jumps, kept, near):
    """What all jumps do, and which groups of them have equal gaps."""

    def every(values):
        return jnp.concatenate([values[name] for name in structure.edges])

    gaps = every({name: quanta["energy"] for name, quanta in jumps.quanta.items()})
    equal = wide.equal_groups(lax.stop_gradient(gaps), near)
    amplitudes = jax.tree.map(
        lambda *x: jnp.concatenate(x),
        *(Operators(*jumps.amplitudes[name]) for name in structure.edges),
    )
    left = amplitudes.weighed(0.5 * every(jumps.rates)).mapped(lambda x: wide.placed(x, None))
    right = amplitudes.mapped(lambda x: wide.placed(x, equal))
    return Products(left, right, kept, wide, tuple(range(len(wide.owner)))), equal


def _dissipators(structure, wide, jumps, products, equal):
    """The part of each reservoir."""
    found, start = {}, 0
    for owner, (name, edges) in enumerate(structure.edges.items()):
        own = slice(start, start + len(edges.upper))
        start = own.stop
        which = np.flatnonzero(wide.owner == owner)

        def between(values, edges=edges):
            """Of jumps between different levels, as a matrix."""
            moving = jnp.where(edges.upper != edges.lower, values, 0)
            return (
                jnp.zeros((wide.size,) * 2, values.dtype).at[edges.upper, edges.lower].set(moving)
            )

        def elements(values, own=own, which=which):
            every = jnp.zeros(wide.count, values.dtype).at[own].set(values)
            return wide.placed(every, equal)[which]

        real, imaginary = jumps.amplitudes[name]
        size = real**2 if imaginary is None else real**2 + imaginary**2
        quanta = {
            quantity: (between(values), elements(values))
            for quantity, values in jumps.quanta[name].items()
        }
        own_products = products.of(tuple(which.tolist()))
        found[name] = WideDissipator(own_products, between(jumps.rates[name] * size), quanta)
    return found
