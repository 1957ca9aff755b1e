"""A device that its reservoirs remember: its Hamiltonian, its couplings, and how deep a hierarchy
says so."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .._numerics.batching import add
from .._numerics.modules import parameter
from .._numerics.printing import one_line
from .._numerics.validation import as_real, as_scalar, check, is_concrete, nonnegative, whole
from ..networks import RateNetwork
from ..reservoirs import AbstractReservoir
from ..systems.base import AbstractSystem
from ._correlations import Modes, Series, layout_of, modes_of
from ._structure import Depth, Tiers, require

_HERMITIAN = 1e-12  # of the largest element


class Hierarchy(AbstractSystem):
    r"""A finite device whose reservoirs of bosons have a memory and may couple strongly: the
    hierarchical equations of motion, exact as they go deeper. A witness for what `qtd.Lindbladian`
    and `qtd.RateNetwork` approximate.

    $$ \dot\rho_n = -i [H, \rho_n] - \sum_k n_k \gamma_k \rho_n
       - i \sum_k [A_k, \rho_{n + e_k}]
       - i \sum_k n_k (c_k A_k \rho_{n - e_k} - \tilde c_k \rho_{n - e_k} A_k) $$

    for H and couplings A_r (b + b^+) to reservoirs r with the correlation functions C_r(t) = sum_k
    c_k exp(-gamma_k t) (`qtd.hierarchy.correlation`); \tilde c_k belong to their complex conjugate.
    rho_0 is the state. No counter term is added to H: the couplings shift its levels.

    - `bare`: H_0, a Hermitian matrix (or `qutip.Qobj`), or `{name: (coefficient, matrix)}`, whose
      coefficients are parameters, `bare.NAME` (`bare.H` of a matrix). `interaction`: further terms,
      in the same form by name.
    - `couplings`: `{reservoir: matrix}`, `{reservoir: (strength, matrix)}`, Hermitian; the strength
      >= 0 (default 1) multiplies the spectral density and is a parameter, `strengths.NAME`. Or
      several of them, `{reservoir: [(strength, matrix), ...]}`, of which A is the sum of
      sqrt(strength) times the matrix.
    - `reservoirs`: `qtd.Reservoir` by the same names, of bosons, with the spectral density
      `qtd.spectral.Peaked` or `qtd.spectral.LorentzDrude`.
    - `tiers` L: auxiliary operators with at most so many quanta are kept. About the largest number
      of quanta in the filters: more for hot, narrow or strong ones.
    - `terms` N: exponentials for the occupation of each reservoir, besides those of its spectral
      density, of the `series` "pade" or "matsubara"; with at most `term_tiers` quanta in all of
      these together. Colder reservoirs need more terms.

    `structure`, made from these, holds all that is static. Only elements that can meet the
    populations are kept; the equations are solved tier by tier: see `memory`, and `operations`.
    Whether it goes deep enough is estimated at every point (`HierarchySteadyState.truncation`); the
    status is TRUNCATED where not. `qtd.hierarchy.converged` looks for the depth.

    Heat is the energy that leaves a reservoir, which obeys the second law. `device_energy_currents`
    are those that the device takes up, i <[A_r (b + b^+), H]>. The two differ where couplings to
    different reservoirs do not commute, by what reservoirs exchange through the device's back: i
    <[A_r, A_s] B_r B_s>. Either kind adds up to zero. Noise is not known.

    **Raises** `ValueError` for what fits none of this, and for hierarchies whose factors would take
    more than 4 GB. **Valid for** any strength of coupling, as far as the depth reaches. **Source:**
    Tanimura and Kubo, J. Phys. Soc. Jpn. 58, 101 (1989); Kato and Tanimura, J. Chem. Phys. 145,
    224105 (2016), for the heat.

    A qubit between two sharp filters, whose rate equation says 6.1144e-3:

    >>> filters = {
    ...     name: qtd.Reservoir(T, spectral_density=qtd.spectral.Peaked(1.0, 0.05, 0.05))
    ...     for name, T in {"hot": 1.0, "cold": 0.5}.items()
    ... }
    >>> flip = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> device = qtd.hierarchy.Hierarchy(
    ...     np.diag([0.0, 1.0]), {"hot": flip, "cold": flip}, filters, tiers=5
    ... )
    >>> print(f"{qtd.operate(device).heat_currents['hot']:.3e}")
    3.716e-03
    """

    bare: dict[str, Float[Array, ""]] = parameter("any", "E")
    interaction: dict[str, Float[Array, ""]] = parameter("any", "E")
    strengths: dict[str, Float[Array, "..."]] = parameter(None, "1")
    reservoirs: dict[str, AbstractReservoir]
    structure: "Operators" = eqx.field(static=True)

    def __init__(
        self,
        bare: Any,
        couplings: Mapping[str, Any],
        reservoirs: Mapping[str, AbstractReservoir],
        interaction: Mapping[str, tuple[Any, Any]] | None = None,
        tiers: int = 4,
        terms: int = 1,
        term_tiers: int = 1,
        series: Series = "pade",
    ):
        first, others = _terms(bare, "bare"), _terms(interaction or {}, "interaction")
        if not isinstance(couplings, Mapping) or not isinstance(reservoirs, Mapping):
            raise ValueError("`couplings` and `reservoirs` must be mappings by the same names.")
        if set(couplings) != set(reservoirs) or not couplings:
            raise ValueError(
                f"`couplings` and `reservoirs` must have the same names, got {list(couplings)} and"
                f" {list(reservoirs)}."
            )
        parts = {name: _coupling(given, name) for name, given in couplings.items()}
        self.reservoirs = {name: reservoirs[name] for name in couplings}
        self.bare, self.interaction = (
            {name: as_scalar(value, f"{part}.{name}") for name, (value, _) in chosen.items()}
            for part, chosen in (("bare", first), ("interaction", others))
        )
        self.strengths = {name: strength for name, (strength, _) in parts.items()}
        self.structure = Operators(
            {name: matrix for name, (_, matrix) in first.items()},
            {name: matrix for name, (_, matrix) in others.items()},
            {name: matrices for name, (_, matrices) in parts.items()},
            self.reservoirs,
            Depth(tiers, terms, term_tiers, series),
        )

    def rules(self) -> None:
        for name, strength in self.strengths.items():
            check(f"strengths.{name}", strength, "nonnegative")

    @property
    def approach(self) -> str:
        """ "hierarchy"."""
        return "hierarchy"

    @property
    def depth(self) -> Depth:
        """`tiers`, `terms`, `term_tiers` and `series`."""
        return self.structure.depth

    @property
    def size(self) -> int:
        """How many real numbers it is kept as."""
        return self.structure.tiers.size

    @property
    def memory(self) -> int:
        """Bytes that its solution takes, in double precision."""
        return self.structure.tiers.memory

    @property
    def operations(self) -> float:
        """Multiplications and additions of its solution."""
        return self.structure.tiers.blocks.operations

    def using(
        self,
        tiers: int | None = None,
        terms: int | None = None,
        term_tiers: int | None = None,
        series: Series | None = None,
    ) -> "Hierarchy":
        """The same device in a hierarchy of another depth: other `tiers`, `terms`, `term_tiers` or
        another `series`, where they are given."""
        asked = {"tiers": tiers, "terms": terms, "term_tiers": term_tiers, "series": series}
        given = {name: value for name, value in asked.items() if value is not None}
        depth = self.depth._replace(**given)
        known = self.structure
        made = object.__new__(Hierarchy)
        for name in ("bare", "interaction", "strengths", "reservoirs"):
            object.__setattr__(made, name, getattr(self, name))
        structure = Operators(
            known.bare, known.interaction, known.couplings, self.reservoirs, depth
        )
        object.__setattr__(made, "structure", structure)
        return made

    def hamiltonian(self) -> Complex[Array, "d d"]:
        """H, in the basis of its operators."""
        values, known = self.bare | self.interaction, self.structure
        pairs = [(self.bare[name], matrix) for name, matrix in known.bare.items()]
        pairs += [(self.interaction[name], matrix) for name, matrix in known.interaction.items()]
        kind = _complex(next(iter(values.values())))
        return add(value.astype(kind) * jnp.asarray(matrix, kind) for value, matrix in pairs)

    def couplings(self) -> dict[str, Complex[Array, "d d"]]:
        """A of each reservoir, without the strength of one that has a single one, which multiplies
        its spectral density."""
        found = {}
        for name, matrices in self.structure.couplings.items():
            strength = self.strengths[name]
            kind = _complex(strength)
            known = [jnp.asarray(matrix, kind) for matrix in matrices]
            if strength.ndim:
                roots = jnp.sqrt(nonnegative(strength)).astype(kind)
                known = [roots[i] * matrix for i, matrix in enumerate(known)]
            found[name] = add(known)
        return found

    def modes(self) -> dict[str, Modes]:
        """The exponentials of the correlation function of each reservoir, by name."""
        found, depth = {}, self.depth
        for name, reservoir in self.reservoirs.items():
            strength = self.strengths[name]
            whole_of_it = jnp.ones((), strength.dtype) if strength.ndim else strength
            found[name] = modes_of(reservoir, whole_of_it, depth.terms, depth.series)
        return found


class Operators:
    """The constant matrices of a hierarchy: terms of H by name, `bare` and `interaction`, and, by
    reservoir, those of `couplings`; its `depth`, and the `tiers` that follow."""

    def __init__(self, bare, interaction, couplings, reservoirs, depth: Depth):
        whole(depth.tiers, "tiers", 1)
        whole(depth.terms, "terms", 0)
        whole(depth.term_tiers, "term_tiers", 1)
        if depth.series not in ("pade", "matsubara"):
            raise ValueError(f'`series` must be "pade" or "matsubara", got {depth.series!r}.')
        self.bare, self.interaction, self.couplings = bare, interaction, couplings
        self.depth = depth
        named = [("bare", bare), ("interaction", interaction)]
        every = [
            *((f"{part}.{name}", x) for part, group in named for name, x in group.items()),
            *((f"coupling of {name}", x) for name, group in couplings.items() for x in group),
        ]
        sizes = {matrix.shape for _, matrix in every}
        if len(sizes) > 1:
            raise ValueError(
                f"`bare`, `interaction` and `couplings` must be of one size, got {sorted(sizes)}."
            )
        self.tiers = Tiers(
            _pattern([*bare.values(), *interaction.values()]),
            {name: _pattern(group) for name, group in couplings.items()},
            all(not np.any(np.imag(matrix)) for _, matrix in every),
            {name: layout_of(reservoirs[name], depth.terms) for name in couplings},
            depth,
        )
        require(depth, self.tiers.memory)
        self._key = self.tiers, tuple((name, x.tobytes()) for name, x in every)
        self._hash = hash(self._key)

    def __repr__(self) -> str:
        return f"Operators({self.tiers!r})"

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        return self is other or (isinstance(other, Operators) and self._key == other._key)


def of_network(
    network: RateNetwork,
    tiers: int = 4,
    terms: int = 1,
    term_tiers: int = 1,
    series: Series = "pade",
) -> Hierarchy:
    """The device whose rate equation a `network` is, with what its reservoirs remember: levels at
    its energies, and couplings A_r with the matrix element sqrt(strength) for each jump a <-> b.

    `tiers`, `terms`, `term_tiers`, `series`: as in `Hierarchy`. The signs of matrix elements, of
    which a rate equation knows nothing, are taken positive. `bare.level_0` and so on are the
    energies. There is no derivative where one of several strengths of a reservoir is 0. Raises
    `ValueError` for degenerate levels, particles, and as `Hierarchy`.

    >>> filters = {
    ...     name: qtd.Reservoir(T, spectral_density=qtd.spectral.Peaked(1.0, 0.05, 0.0005))
    ...     for name, T in {"hot": 1.0, "cold": 0.5}.items()
    ... }
    >>> qubit = qtd.RateNetwork([0.0, 1.0], [(name, 0, 1, 1.0) for name in filters], filters)
    >>> for device in (qubit, qtd.hierarchy.of_network(qubit)):
    ...     print(f"{qtd.operate(device).heat_currents['hot']:.3e}")
    6.114e-05
    6.062e-05
    """
    topology = network.topology
    if topology.is_degenerate or np.any(topology.particles):
        raise ValueError(
            "`network` must have levels of degeneracy 1 and no particles; list degenerate states"
            " one by one."
        )
    size, unit = topology.size, np.eye(topology.size)
    found: dict[str, list] = {name: [] for name in network.reservoirs}
    for slot in topology.slots:
        for k in np.flatnonzero(slot.jumps >= 0):
            a, b = unit[topology.order[slot.lower[k]]], unit[topology.order[k]]
            strength = network.strengths[slot.reservoir][slot.jumps[k]]
            found[slot.reservoir].append((strength, np.outer(a, b) + np.outer(b, a)))
    idle = [name for name, each in found.items() if not each]
    if idle:
        raise ValueError(
            f"`network` has reservoirs that drive no jump, {', '.join(idle)}; leave them out."
        )
    couplings = {name: each[0] if len(each) == 1 else each for name, each in found.items()}
    levels = {f"level_{i}": (network.energies[i], np.outer(unit[i], unit[i])) for i in range(size)}
    return Hierarchy(levels, couplings, network.reservoirs, None, tiers, terms, term_tiers, series)


def _pattern(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Where any of these has an element."""
    return np.any([matrix != 0 for matrix in matrices], axis=0)


def _terms(given, name):
    """Terms of H by name: (coefficient, matrix)."""
    if not isinstance(given, Mapping):
        return {"H": (1.0, _hermitian(given, name))}
    pairs = [term for term in given.values() if isinstance(term, tuple | list) and len(term) == 2]
    if len(pairs) < len(given) or (name == "bare" and not given):
        wanted = "a matrix, or a mapping of names to pairs (coefficient, matrix)"
        raise ValueError(f"`{name}` must be {wanted}, got {one_line(given)}.")
    return {
        key: (value, _hermitian(matrix, f"{name}.{key}")) for key, (value, matrix) in given.items()
    }


def _coupling(given, name):
    """Strength or strengths of a reservoir's coupling, and its matrices."""
    label = f"couplings.{name}"
    if not isinstance(given, list) or not all(isinstance(each, tuple) for each in given):
        strength, matrix = given if isinstance(given, tuple) and len(given) == 2 else (1.0, given)
        return as_scalar(strength, f"strength of {label}"), [_hermitian(matrix, label)]
    if not given or any(len(each) != 2 for each in given):
        wanted = "a matrix, a pair (strength, matrix), or a list of such pairs"
        raise ValueError(f"`{label}` must be {wanted}, got {one_line(given)}.")
    strengths = [as_scalar(strength, f"strength of {label}") for strength, _ in given]
    return as_real(jnp.stack(strengths), label), [_hermitian(matrix, label) for _, matrix in given]


def _hermitian(given, name):
    """A known Hermitian matrix; of `qutip.Qobj`, its array."""
    if not is_concrete(given):
        raise ValueError(
            f"`{name}` must be a known matrix; what varies is a coefficient, as in"
            ' {"drive": (amplitude, matrix)}, or a strength.'
        )
    full = getattr(given, "full", None)
    matrix = np.asarray(given if full is None else full())
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(
            f"`{name}` must be a square matrix of at least two states, got shape {matrix.shape}."
        )
    if not np.issubdtype(matrix.dtype, np.number) or not np.all(np.isfinite(matrix)):
        raise ValueError(f"`{name}` must hold finite numbers.")
    if np.abs(matrix - matrix.conj().T).max() > _HERMITIAN * np.abs(matrix).max():
        raise ValueError(f"`{name}` must be Hermitian.")
    return matrix.astype(complex)


def _complex(x):
    return jnp.complex128 if x.dtype == jnp.float64 else jnp.complex64
