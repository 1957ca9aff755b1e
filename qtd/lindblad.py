"""Lindbladians: devices whose state keeps coherences, built from operators in local, global
(Davies) or Redfield form."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, overload

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Inexact

from ._numerics.batching import add, at_every, settle, together, total
from ._numerics.compilation import compiled
from ._numerics.hermitian import eigensystem, large_eigensystem
from ._numerics.modules import parameter
from ._numerics.structure import Edges, Structure
from ._numerics.validation import as_scalar, nonnegative
from ._numerics.wide import kept_of, parted
from .hierarchy import Hierarchy
from .jumps import JumpLindbladian
from .networks import RateNetwork
from .reservoirs import AbstractReservoir
from .systems.base import AbstractSystem

__all__ = ["Lindbladian"]

Terms = Mapping[str, tuple[ArrayLike, Any]]
Approach = Literal["local", "global", "redfield"]
Coherences = Literal["all"] | Sequence[tuple[int, int]]


class Lindbladian(AbstractSystem):
    r"""A finite device with Hamiltonian H = H_0 + H_int, weakly coupled to reservoirs r through
    Hermitian operators A_r.

    $$ \dot\rho = -i [H, \rho] + \sum_r D_r \rho, \qquad
       D_r \rho = \Lambda \rho A + A \rho \Lambda^\dagger - A \Lambda \rho -
       \rho \Lambda^\dagger A, \qquad
       \Lambda_{ac} = \tfrac12 A_{ac} k_r(E_a - E_c) $$

    with k_r(gap) the golden-rule rate of a jump that raises the device's energy by `gap`
    (`AbstractReservoir.rates`). Two jumps that take different numbers of particles out of a
    reservoir make no product: <c c> = 0. Of the products that D_r consists of, the approach keeps:

    - `"local"`: E are the levels of H_0, which must be diagonal as given; only products of jumps
      with equal gaps. Of Lindblad form. The quanta of H_0 obey the second law, the energy of H the
      first one.
    - `"global"`: E are the levels of H; only products of jumps with equal gaps (Davies). Of
      Lindblad form, with both laws; valid where gaps that differ do so by much more than the rates.
    - `"redfield"`: E are the levels of H; all products, without Lamb shift. First law exact; close
      gaps are resolved; but populations may become negative: look at `smallest_eigenvalue` of the
      steady state.
    - `using("hierarchy")` makes another kind of device of it, which keeps what the reservoirs
      remember: `qtd.hierarchy.Hierarchy`.

    Arguments:

    - `bare`, `interaction`: `{name: (coefficient, operator)}`, H_0 and H_int as sums of constant
      Hermitian matrices in one orthonormal basis, real or complex, with real coefficients, which
      are parameters (`bare.NAME`, `interaction.NAME`).
    - `couplings`: `{reservoir: operator}` or `{reservoir: (strength, operator)}`, constant and
      Hermitian; the strength >= 0 (default 1) multiplies all rates of the reservoir and is a
      parameter, `strengths.NAME`. `reservoirs` by the same names.
    - `particles`: particle number of each basis state (integers), for reservoirs of fermions; their
      operators must change it by one.
    - `coherences`: "all", or the pairs of levels whose coherence is kept, as in the "partial
      secular" Redfield equation. A level has the number of the basis state that it comes out of as
      the interaction is turned on.

    `structure`: made from these, all that is static.

    Which matrix elements vanish is static; only coherences that can meet the populations are
    computed. From a hundred numbers on, some four qubits, the generator is applied instead of
    written down, and states are iterated (`qtd.steady.WideSteadyState`): six qubits of 4096 numbers
    take some 20 ms. Raises `ValueError` for operators that are not Hermitian or of
    different sizes, and for unknown names. A reservoir whose operator commutes with the levels
    takes coherences away, and no heat.

    A qubit at rest with one reservoir is in its Gibbs state:

    >>> qubit = qtd.Lindbladian(
    ...     bare={"energy": (1.0, [[0.0, 0.0], [0.0, 1.0]])},
    ...     couplings={"cold": [[0.0, 1.0], [1.0, 0.0]]},
    ...     reservoirs={"cold": qtd.Reservoir(0.5, spectral_density=qtd.spectral.Ohmic(0.1, 10.0))},
    ... )
    >>> print(jnp.real(qtd.steady_state(qubit)).round(4))
    [[0.8808 0.    ]
     [0.     0.1192]]
    """

    bare: dict[str, Float[Array, ""]] = parameter("any", "E")
    interaction: dict[str, Float[Array, ""]] = parameter("any", "E")
    strengths: dict[str, Float[Array, ""]] = parameter("nonnegative", "1")
    reservoirs: dict[str, AbstractReservoir]
    structure: Structure = eqx.field(static=True)

    def __init__(
        self,
        bare: Terms,
        couplings: Mapping[str, Any],
        reservoirs: Mapping[str, AbstractReservoir],
        interaction: Terms | None = None,
        particles: Sequence[int] | None = None,
        approach: Approach = "global",
        coherences: Coherences = "all",
    ):
        interaction = {} if interaction is None else interaction
        for name, terms in (("bare", bare), ("interaction", interaction)):
            if not isinstance(terms, Mapping) or not all(
                isinstance(term, tuple | list) and len(term) == 2 for term in terms.values()
            ):
                raise ValueError(
                    f"`{name}` must be a mapping of names to pairs (coefficient, operator), got"
                    f" {terms!r}."
                )
        if not isinstance(couplings, Mapping) or not isinstance(reservoirs, Mapping):
            raise ValueError("`couplings` and `reservoirs` must be mappings by the same names.")
        if set(couplings) != set(reservoirs) or not couplings:
            raise ValueError(
                f"`couplings` and `reservoirs` must have the same names, got {list(couplings)} and"
                f" {list(reservoirs)}."
            )
        couplings = {
            name: given if isinstance(given, tuple) else (1.0, given)
            for name, given in couplings.items()
        }
        self.structure = Structure(
            _operators(bare),
            _operators(interaction),
            _operators(couplings),
            particles,
            approach,
            coherences,
        )
        self.bare, self.interaction, self.strengths = (
            {name: as_scalar(value, f"{part}.{name}") for name, (value, _) in terms.items()}
            for part, terms in (
                ("bare", bare),
                ("interaction", interaction),
                ("strengths", couplings),
            )
        )
        self.reservoirs = dict(reservoirs)
        for name, edges in self.structure.edges.items():
            if self.reservoirs[name].statistics == "fermi" and np.any(np.abs(edges.particles) != 1):
                raise ValueError(
                    "`particles` must change by one in every jump of the fermionic reservoir"
                    f" {name!r}."
                )

    @classmethod
    def of(cls, structure: Structure, bare, interaction, strengths, reservoirs) -> "Lindbladian":
        """A device of known `structure` from its numbers by name: `bare`, `interaction` and
        `strengths`, and its `reservoirs`.

        As the constructor, without working out what is static again; nothing is checked.
        """
        made = object.__new__(cls)
        for name, value in zip(
            ("bare", "interaction", "strengths", "reservoirs"),
            (bare, interaction, strengths, reservoirs),
        ):
            object.__setattr__(made, name, value)
        object.__setattr__(made, "structure", structure)
        return made

    @classmethod
    def from_jumps(
        cls,
        H: Any,
        jumps: Sequence[tuple[Any, Any]],
        bare: Any = None,
        reservoirs: Mapping[str, AbstractReservoir] | None = None,
        particles: Sequence[int] | None = None,
    ) -> JumpLindbladian:
        """The master equation of a Hamiltonian `H` and of `jumps`, pairs of a jump operator and its
        rate or reservoir.

        For who comes from QuTiP: `mesolve(H, c_ops=[sqrt(rate) * L])` is
        `from_jumps(H, [(L, rate)])`. Its kind is another one, whose operators are not couplings but
        jumps; it has the same currents, noise and evolution. `bare` H_0, `reservoirs` by name,
        `particles` of the basis states: see `qtd.jumps.JumpLindbladian`.

        A qubit that decays into a cold reservoir and dephases:

        >>> excited, lower = np.diag([0.0, 1.0]), np.array([[0.0, 1.0], [0.0, 0.0]])
        >>> cold = qtd.Reservoir(0.5, spectral_density=qtd.spectral.Ohmic(0.1, 10.0))
        >>> qubit = qtd.Lindbladian.from_jumps(
        ...     excited, [(lower, ("cold", cold)), (excited, ("noise", 0.3))]
        ... )
        >>> print(np.diag(qtd.steady_state(qubit).real).round(4))
        [0.8808 0.1192]
        """
        return JumpLindbladian(H, jumps, bare, reservoirs, particles)

    @property
    def approach(self) -> str:
        """ "local", "global" or "redfield"."""
        return self.structure.approach

    @overload
    def using(self, approach: Approach, coherences: Coherences = "all") -> "Lindbladian": ...
    @overload
    def using(self, approach: Literal["hierarchy"], **depth: Any) -> Hierarchy: ...
    def using(
        self,
        approach: Approach | Literal["hierarchy"],
        coherences: Coherences = "all",
        **depth: Any,
    ) -> "Lindbladian | Hierarchy":
        """The same device in another `approach`, with these `coherences`.

        "hierarchy" is a kind of its own, exact as it goes deeper: `qtd.hierarchy.Hierarchy`, with
        the same parameters, to this `depth` (`tiers`, `terms`, `term_tiers`, `series`). The others
        have no depth. Raises `ValueError` where the hierarchy does, and of a device with particles.
        """
        if approach == "hierarchy":
            return self._hierarchy(**depth)
        if depth:
            named = ", ".join(f"`{name}`" for name in depth)
            raise ValueError(f'{named}: only approach="hierarchy" has a depth, got {approach!r}.')
        return self._with(self.structure.using(approach, coherences))

    def complete(self) -> "Lindbladian":
        """The same with all coherences kept, also those that never meet the populations: as needed
        for a given initial state."""
        return self._with(self.structure.complete())

    def hamiltonian(self) -> Inexact[Array, "d d"]:
        """H, in the basis of its operators."""
        values = self._coefficients()
        operators = [*self.structure.bare.values(), *self.structure.interaction.values()]
        kind = _complex(values[0]) if self.structure.is_complex else values[0].dtype
        total = jnp.zeros((self.structure.size,) * 2, kind)
        for value, operator in zip(values, operators):
            total = total + value.astype(kind) * jnp.asarray(operator, kind)
        return total

    def levels(self) -> tuple[Float[Array, " d"], Inexact[Array, "d d"]]:
        """Energies between which the reservoirs drive jumps, and their states as columns: of H_0
        for "local", else of H. Of large devices those that H mixes are in ascending order."""
        if self.structure.approach == "local":
            operators = self.structure.bare.values()
            diagonals = [
                value * jnp.asarray(np.real(np.diag(x)), value.dtype)
                for value, x in zip(self._coefficients(), operators)
            ]
            energies = add(diagonals)
            kind = _complex(energies) if self.structure.is_complex else energies.dtype
            return energies, jnp.eye(self.structure.size, dtype=kind)
        return self.eigenstates()

    def eigenstates(self) -> tuple[Float[Array, " d"], Inexact[Array, "d d"]]:
        """Energies and states, as columns, of H."""
        matrix = self.hamiltonian()
        energies = jnp.diagonal(matrix).real
        vectors = jnp.eye(self.structure.size, dtype=matrix.dtype)
        solved = large_eigensystem if self.structure.wide else eigensystem
        for block in self.structure.blocks:
            inside = np.ix_(block, block)
            values, states = solved(matrix[inside])
            energies, vectors = energies.at[block].set(values), vectors.at[inside].set(states)
        return energies, vectors

    def network(self) -> RateNetwork:
        """The rate equation among its levels that is left when every coherence is dropped (the
        fully secular approximation)."""
        energies, vectors = self.levels()
        jumps = []
        for name, edges in self.structure.edges.items():
            coupling = (
                vectors.conj().T
                @ jnp.asarray(self.structure.couplings[name], vectors.dtype)
                @ vectors
            )
            up = edges.upper > edges.lower
            lower, upper = edges.lower[up], edges.upper[up]
            jumps.append(
                (name, lower, upper, self.strengths[name] * jnp.abs(coupling[upper, lower]) ** 2)
            )
        return RateNetwork(
            energies, jumps, self.reservoirs, particles=self.structure.particles.tolist()
        )

    @compiled
    def matrix(self, vector: Float[Array, "..."]) -> Inexact[Array, "d d"]:
        """The density matrix, in the basis of the operators, of a state given as `vector`: its
        populations, then the coherences kept; of many, by class (`qtd.steady.WideSteadyState`)."""
        vectors = self.levels()[1]
        kind = _complex(vectors)
        structure, d = self.structure, self.structure.size
        if structure.wide:
            real, imaginary = map(structure.wide.matrix, parted(vector))
        else:
            real, imaginary = (read(vector) for read in structure.elements)
        rho = real.astype(kind) + 1j * imaginary.astype(kind)
        vectors = vectors.astype(kind)
        return vectors @ rho.reshape(d, d) @ vectors.conj().T

    @compiled
    def vector(self, matrix: Array) -> Float[Array, "..."]:
        """The inverse of `matrix`, of a density matrix `matrix`, with what is not kept left out."""
        vectors = self.levels()[1]
        kind = _complex(vectors)
        rho = vectors.conj().T.astype(kind) @ matrix.astype(kind) @ vectors.astype(kind)
        if self.structure.wide:
            return kept_of(jax.vmap(self.structure.wide.blocks)(jnp.stack([rho.real, rho.imag])))
        rho = rho.reshape(-1)
        return self.structure.state_real(rho.real) + self.structure.state_imaginary(rho.imag)

    def _hierarchy(self, **depth):
        known = self.structure
        if np.any(known.particles):
            raise ValueError(
                "`particles` must all be 0 in a hierarchy, whose reservoirs are bosons."
            )
        bare, interaction, couplings = (
            {name: (values[name], operator) for name, operator in operators.items()}
            for values, operators in (
                (self.bare, known.bare),
                (self.interaction, known.interaction),
                (self.strengths, known.couplings),
            )
        )
        return Hierarchy(bare, couplings, self.reservoirs, interaction, **depth)

    def _with(self, structure):
        return Lindbladian.of(
            structure, self.bare, self.interaction, self.strengths, self.reservoirs
        )

    def _coefficients(self):
        """Coefficients of the terms in the order of the structure; PyTrees sort their
        dictionaries."""
        return [
            *(self.bare[name] for name in self.structure.bare),
            *(self.interaction[name] for name in self.structure.interaction),
        ]

    def jumps(self, energies: Float[Array, " d"], vectors: Inexact[Array, "d d"]) -> "Jumps":
        """All jumps between levels, of these `energies` and with these states as columns,
        `vectors`."""
        structure, amplitudes, quanta, numbers, strengths = self.structure, {}, {}, {}, {}
        for name, edges in structure.edges.items():
            coupling = jnp.asarray(structure.couplings[name], vectors.dtype)
            if structure.approach != "local":
                coupling = vectors.conj().T @ coupling @ vectors
            amplitude = coupling[edges.upper, edges.lower]
            gaps, reservoir = energies[edges.upper] - energies[edges.lower], self.reservoirs[name]
            particles = jnp.asarray(edges.particles, energies.dtype)
            quanta[name] = {
                "energy": gaps,
                "particles": particles,
                "heat": gaps - reservoir.chemical_potential * particles,
            }
            if reservoir.temperature is None:
                quanta[name]["entropy"] = reservoir.entropy(gaps, particles)
            amplitudes[name] = amplitude.real, amplitude.imag if structure.is_complex else None
            numbers[name] = at_every(reservoir, len(gaps))
            strengths[name] = jnp.broadcast_to(nonnegative(self.strengths[name]), gaps.shape)
        largest_energy = lax.stop_gradient(jnp.max(jnp.abs(energies)))
        values = energies if structure.approach != "local" else jnp.stack(self._coefficients())
        amplitudes, quanta, numbers, strengths, values, scale = together(
            (amplitudes, quanta, numbers, strengths, values, largest_energy)
        )
        rates = {}
        for name, edges in structure.edges.items():
            static = eqx.filter(self.reservoirs[name], eqx.is_inexact_array, inverse=True)

            def rate(numbers, *jump, static=static):
                return eqx.combine(numbers, static).rates(*jump)[0]

            particles = quanta[name]["particles"] if np.any(edges.particles) else None
            found = jax.vmap(rate)(numbers[name], quanta[name]["energy"], particles)
            rates[name] = settle(strengths[name] * found)
        return Jumps(amplitudes, quanta, rates, values, scale)

    def dissipators(
        self,
    ) -> tuple[dict[str, "Dissipator"], Float[Array, "m m"], Float[Array, " m"]]:
        """The part of each reservoir, and of the Hamiltonian, its part of the generator, and the
        functional Tr[H rho]."""
        structure, jumps = self.structure, self.jumps(*self.levels())
        keeps_all = structure.approach == "redfield"
        dissipators = {
            name: Dissipator(
                edges,
                *jumps.amplitudes[name],
                jumps.rates[name],
                jumps.quanta[name],
                jumps.scale,
                keeps_all,
            )
            for name, edges in structure.edges.items()
        }
        return dissipators, structure.unitary(jumps.values), structure.energy(jumps.values)


class Jumps(NamedTuple):
    """What is known of the jumps between levels, by reservoir and, in its order, by edge:
    `amplitudes`, real and imaginary part (None where all are real), `quanta` by quantity, and
    `rates`. `values`: what H is a sum over, coefficients of its terms in the local approach, else
    levels; `scale`: the largest energy."""

    amplitudes: dict[str, tuple[Float[Array, " edges"], Float[Array, " edges"] | None]]
    quanta: dict[str, dict[str, Float[Array, " edges"]]]
    rates: dict[str, Float[Array, " edges"]]
    values: Float[Array, " terms"]
    scale: Float[Array, ""]


def _operators(terms):
    return {name: operator for name, (_, operator) in terms.items()}


class Dissipator(eqx.Module):
    """What one reservoir does: jumps between levels ("edges"), and the products of two of them that
    act on the state."""

    edges: Edges = eqx.field(static=True)  # belongs to a structure, by which it is known
    # A_ac conj(A_bd) of the products kept, 0 where their gaps must be equal and are not.
    pairs_real: Float[Array, " gains"]
    pairs_imaginary: Float[Array, " gains"] | None
    losses_real: Float[Array, " losses"]
    losses_imaginary: Float[Array, " losses"] | None
    rates: Float[Array, " edges"]
    quanta: dict[str, Float[Array, " edges"]]

    def __init__(self, edges, real, imaginary, rates, quanta, scale, keeps_all):
        self.edges, self.rates, self.quanta = edges, rates, quanta
        self.pairs_real, self.pairs_imaginary = _products(
            edges.gains, real, imaginary, quanta["energy"], scale, keeps_all
        )
        losses = _products(edges.losses, real, imaginary, quanta["energy"], scale, keeps_all)
        half = 0.5 * edges.losses.first(rates)
        self.losses_real = half * losses[0]
        self.losses_imaginary = None if losses[1] is None else half * losses[1]

    def gains(
        self, quantity: str = "energy", power: int = 0
    ) -> tuple[Float[Array, " gains"], Float[Array, " gains"] | None]:
        """What multiplies the elements of the state, each quantum counted to some power: real and
        imaginary part."""
        if quantity not in self.quanta:
            raise ValueError(
                f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.'
            )
        first = self.edges.gains.first
        second = self.edges.gains.second
        quanta = self.quanta[quantity]
        if power == 0:
            weight = 0.5 * (first(self.rates) + second(self.rates))
        else:
            weight = 0.5 * (
                first(self.rates) * second(quanta) ** power
                + second(self.rates) * first(quanta) ** power
            )
        return (
            weight * self.pairs_real,
            None if self.pairs_imaginary is None else weight * self.pairs_imaginary,
        )

    @property
    def jumps(self) -> tuple[Float[Array, " upward"], Float[Array, " upward"]]:
        """Rates of the jumps between populations, up and down."""
        rates = self.gains()[0]
        return self.edges.up(rates), self.edges.down(rates)

    def exits(self) -> Float[Array, " m"]:
        """Rates at which jumps between populations leave each level."""
        up, down = self.jumps
        return self.edges.at_lower(up) + self.edges.at_upper(down)

    def traffic(self, state: Float[Array, " m"]) -> Float[Array, " upward"]:
        """Jumps between populations per time, in both directions, by upward jumps."""
        up, down = self.jumps
        return up * self.edges.read_lower(state) + down * self.edges.read_upper(state)

    def rate_equation(self) -> Float[Array, "m m"]:
        """The part of D_r that acts between populations."""
        up, down = self.jumps
        return self.edges.hop_up(up) + self.edges.hop_down(down)

    def coherent(self) -> Float[Array, "m m"]:
        """The rest of D_r: what it does to coherences, or with them."""
        parts = zip((*self.gains(), self.losses_real, self.losses_imaginary), self.edges.generators)
        known = [build(values) for values, build in parts if values is not None]
        return add(known)

    def flows(self, state: Float[Array, " m"]) -> Float[Array, " upward"]:
        """Net jumps between populations per time, by upward jumps."""
        up, down = self.jumps
        return up * self.edges.read_lower(state) - down * self.edges.read_upper(state)

    def current(
        self, flows: Float[Array, " upward"], state: Float[Array, " m"], quantity: str
    ) -> Float[Array, ""]:
        """What jumps take out of the reservoir per time: those between populations from their net
        flows, without loss of digits."""
        of_coherences = self.edges.trace_of_coherences(self._elements(state, quantity, 1)[0])
        return total(self.edges.upward(self.quanta[quantity]) * flows) + of_coherences

    def jump(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, " m"]:
        """The jump part of D_r applied to a state, each quantum counted to some power."""
        real, imaginary = self._elements(state, quantity, power)
        return self.edges.write_real(real) + self.edges.write_imaginary(imaginary)

    def counted(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, ""]:
        """The trace of `jump`."""
        return self.edges.trace(self._elements(state, quantity, power)[0])

    def _elements(self, state, quantity, power):
        x, y = self.edges.read_real(state), self.edges.read_imaginary(state)
        real, imaginary = self.gains(quantity, power)
        if imaginary is None:
            return real * x, real * y
        return real * x - imaginary * y, real * y + imaginary * x


def _products(pairs, real, imaginary, gaps, scale, keeps_all):
    """A_e conj(A_f) of pairs of edges, real and imaginary part."""
    x, y = pairs.first, pairs.second
    gaps = lax.stop_gradient(gaps)
    limit = 1e3 * float(jnp.finfo(gaps.dtype).eps) * pairs.spread(scale[None])

    def kept(product):
        if keeps_all:
            return product
        return jnp.where(jnp.abs(x(gaps) - y(gaps)) <= limit, product, 0 * product)

    if imaginary is None:
        return kept(x(real) * y(real)), None
    return kept(x(real) * y(real) + x(imaginary) * y(imaginary)), kept(
        x(imaginary) * y(real) - x(real) * y(imaginary)
    )


def _complex(x):
    return jnp.complex128 if x.dtype in (jnp.float64, jnp.complex128) else jnp.complex64
