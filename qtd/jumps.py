"""Master equations from a Hamiltonian and jump operators, as QuTiP's `mesolve` takes them: each with a rate or a reservoir of its own."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Complex, Float, Int

from ._numerics.batching import add, follow, largest, settle, sum_over, total
from ._numerics.coherent_elimination import CoherentElimination, product
from ._numerics.compilation import compiled
from ._numerics.generators import Channels, Generator, is_own_reverse, lowered
from ._numerics.special import carried
from ._numerics.validation import as_scalar, check, is_concrete, missing, nonnegative, require
from .reservoirs import AbstractReservoir
from .spectral import AbstractSpectralDensity, WideBand
from .status import Status, first
from .systems.base import AbstractState, AbstractSystem, at_rest

__all__ = ["ConstantRate", "JumpDissipator", "JumpLindbladian", "JumpSteadyState"]

Hamiltonian = Any  # a matrix, a `qutip.Qobj`, or a mapping of names to pairs of a coefficient and such
Source = ArrayLike | str | AbstractReservoir | tuple[str, Any]

_MOST_STATES = 32  # whose generator is a dense matrix of a thousand rows


class ConstantRate(AbstractReservoir):
    """What makes the jumps of one operator at a known `rate` >= 0, an energy (hbar = 1), and of which nothing else is known.

    It has no temperature. As a reservoir of a device that is not built from jump operators it is a vacuum of
    bosons, flat in energy, that takes what the device gives.
    """

    rate: Float[Array, ""]

    def __init__(self, rate: ArrayLike):
        self.rate = as_scalar(rate, "rate")

    def __check_init__(self):
        require(self, rate="nonnegative")

    @property
    def temperature(self) -> None:
        """None: it has none."""
        return None

    @property
    def chemical_potential(self) -> Float[Array, ""]:
        """0."""
        return jnp.zeros_like(self.rate)

    @property
    def statistics(self) -> str:
        """ "bose"."""
        return "bose"

    @property
    def spectral_density(self) -> AbstractSpectralDensity:
        """The rate, at all energies."""
        return WideBand(self.rate)

    def logit(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return jnp.full_like(energy, jnp.inf)

    def breaks(self) -> list[Float[Array, " n"]]:
        return []

    def occupation(self, energy: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """0."""
        return jnp.zeros_like(energy)

    def rates(
        self, gap: Float[Array, "*batch"], particles: Float[Array, "*batch"] | None = None
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        rate = nonnegative(self.rate)
        return jnp.where(gap < 0, rate, 0), jnp.where(gap > 0, rate, 0)


class Jump(NamedTuple):
    """What is static of one jump operator L as it was given: who makes it, what it takes from the device, and how it is undone.

    `energy`: w by term of H_0, where [H_0, L] = -w L; `particles`: the same of their number. None where L takes no
    definite amount. `is_reversed`: whether L^+ is made besides; `is_own_reverse`: whether it is L itself.
    """

    owner: str
    energy: tuple[float, ...] | None
    particles: float | None
    is_reversed: bool
    is_own_reverse: bool


class JumpLindbladian(AbstractSystem):
    r"""A finite device whose state obeys a master equation of jump operators, given one by one. `qtd.Lindbladian.from_jumps` makes it.

    $$ \dot\rho = -i [H, \rho] + \sum_k \Gamma_k D[L_k] \rho + \Gamma_k^{\rm back} D[L_k^\dagger] \rho, \qquad
       D[L] \rho = L \rho L^\dagger - \tfrac12 (L^\dagger L \rho + \rho L^\dagger L) $$

    - `H`: a Hermitian matrix (or `qutip.Qobj`), or a mapping of names to pairs (coefficient, matrix), whose
      coefficients are parameters. Real or complex, in one orthonormal basis; up to 32 states.
    - `jumps`: pairs (operator, source), operators as H, of any kind. The source is

      - a number Gamma >= 0, a parameter: the equation of QuTiP's `mesolve(H, c_ops=[sqrt(Gamma) * L])`. Lowering
        operators make decay, diagonal ones pure dephasing.
      - a reservoir, or the name of one of `reservoirs`. Then L lowers H_0 by a gap w, [H_0, L] = -w L, and the
        reservoir makes it at Gamma = J(w) (1 + n(w)) and L^+ at Gamma^back = J(w) n(w); electrons leave the device
        at Gamma(E) (1 - f(E)) and enter it at Gamma(E) f(E). An L that is its own reverse, of gap 0, is made once.
        In its ground state: `qtd.reservoirs.ZeroTemperatureReservoir`.
      - (name, number or reservoir), to call it by that name in results; else it is "jump_0", by its place in the
        list. Operators of one reservoir are counted together.

    - `bare`: H_0, the part of H whose energy the jumps change by definite amounts: a matrix, or names of terms of
      H; all of H by default.
    - `particles`: the number of particles of each basis state (integers), for reservoirs of electrons, whose
      operators must change it by one.

    Parameters: `bare.NAME` and `interaction.NAME` are the coefficients of the terms in H_0 and of the others (called
    H; or H_0 and V, where these are matrices), `reservoirs.NAME.rate` a number, `reservoirs.NAME.temperature` and
    so on. `structure` and `sources`, made from these, hold all that is static.

    Currents are positive into the device. Energy is that of the quanta of H_0, w a jump, where all operators of a
    source have definite ones; else Tr[H D rho], as `device_energy_currents` always is. Only definite quanta can be
    counted: noise of the others is refused. Of entropy, a source whose number is all that is known exchanges none
    where its operators are their own reverse (noise, as of an infinite temperature), and else infinitely much as
    soon as it makes jumps, which nothing reverses: the entropy production is infinite, and NaN where the jumps are
    fewer than what rounding one_way. Of Lindblad form, so that the state has no negative probabilities; the second law
    binds the quanta, the first one Tr[H D rho]. Raises `ValueError` for what fits none of this.

    A qubit of energy 1 that only decays, at the rate 0.1, while something drives it:

    >>> excited, lower = np.diag([0.0, 1.0]), np.array([[0.0, 1.0], [0.0, 0.0]])
    >>> qubit = qtd.Lindbladian.from_jumps(1.0 * excited + 0.2 * (lower + lower.T), [(lower, ("decay", 0.1))])
    >>> print(np.diag(qtd.steady_state(qubit).real).round(4), float(qubit.reservoirs["decay"].rate))
    [0.963 0.037] 0.1
    """

    bare: dict[str, Float[Array, ""]]
    interaction: dict[str, Float[Array, ""]]
    reservoirs: dict[str, AbstractReservoir]
    structure: Generator = eqx.field(static=True)
    sources: tuple[Jump, ...] = eqx.field(static=True)

    def __init__(
        self,
        H: Hamiltonian,
        jumps: Sequence[tuple[Any, Source]],
        bare: Any = None,
        reservoirs: Mapping[str, AbstractReservoir] | None = None,
        particles: Sequence[int] | None = None,
    ):
        terms, others = _terms(H, bare)
        operators = {name: operator for name, (_, operator) in (terms | others).items()}
        size = len(next(iter(operators.values())))
        number = np.zeros(size) if particles is None else np.asarray(particles)
        if number.shape != (size,) or (particles is not None and not np.issubdtype(number.dtype, np.integer)):
            raise ValueError(f"`particles` must hold one integer for each of the {size} basis states, got {particles!r}.")
        of_bare = {name: operators[name] for name in terms}
        self.reservoirs, made = _sources(jumps, reservoirs or {})
        channels: dict[str, list[np.ndarray]] = {name: [] for name in self.reservoirs}
        found = []
        for index, (owner, given) in enumerate(made):
            jump = _operator(given, f"operator of jumps[{index}]", size)
            if not np.any(jump):
                raise ValueError(f"`jumps[{index}]` has an operator that is 0 and makes no jump; leave it out.")
            source = _jump(index, owner, jump, self.reservoirs[owner], of_bare, number.astype(float))
            found.append(source)
            channels[owner] += [jump, jump.conj().T] if source.is_reversed else [jump]
        self.sources = tuple(found)
        self.structure = Generator(operators, len(terms), number.astype(float), channels)
        self.bare, self.interaction = (
            {name: as_scalar(value, f"{part}.{name}") for name, (value, _) in chosen.items()}
            for part, chosen in (("bare", terms), ("interaction", others))
        )

    def __check_init__(self):
        for part in ("bare", "interaction"):
            for name, value in getattr(self, part).items():
                check(f"{part}.{name}", value, "any")

    def hamiltonian(self) -> Complex[Array, "d d"]:
        """H, in the basis of its operators."""
        values = self.coefficients()
        kind = _complex(values)
        terms = [jnp.asarray(operator, kind) for operator in self.structure.operators.values()]
        return add(value.astype(kind) * term for value, term in zip(values, terms))

    def dissipators(self) -> dict[str, "JumpDissipator"]:
        """What each reservoir, by name, does."""
        coefficients = self.coefficients()[: self.structure.bare]
        found = {}
        for name, reservoir in self.reservoirs.items():
            rates, quanta = [], []
            for source in (source for source in self.sources if source.owner == name):
                known = zip(source.energy or [0.0] * len(coefficients), coefficients)
                gap = add(amount * value for amount, value in known)
                taken = jnp.full_like(gap, source.particles or 0.0)
                back, there = jump_rates(reservoir, gap, taken if source.particles else None)
                rates += [there, back] if source.is_reversed else [there]
                quanta += [(-gap, -taken), (gap, taken)] if source.is_reversed else [(-gap, -taken)]
            energy, number = (jnp.stack(parts) for parts in zip(*quanta))
            counted = {"energy": energy, "particles": number, "heat": energy - reservoir.chemical_potential * number}
            if reservoir.temperature is None:
                counted["entropy"] = jump_entropy(reservoir, energy, number, self._one_way(name))
            found[name] = JumpDissipator(self.structure.channels[name], settle(jnp.stack(rates)), counted)
        return found

    def generator(self, dissipators: Mapping[str, "JumpDissipator"] | None = None) -> Float[Array, "m m"]:
        """The matrix of all that happens, in the coordinates of `vector`; `dissipators`, where they are known."""
        parts = self.dissipators() if dissipators is None else dissipators
        made = [self.structure.channels[name].generator(part.rates) for name, part in parts.items()]
        return settle(self.structure.unitary(self.coefficients()) + add(made))

    def counts(self, reservoir: str, quantity: str) -> bool:
        """Whether all jumps of a `reservoir` carry definite amounts of a `quantity`, "energy", "particles" or "heat"."""
        asked = {"energy": ("energy",), "particles": ("particles",), "heat": ("energy", "particles")}
        if quantity not in asked:
            raise ValueError(f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.')
        own = [source for source in self.sources if source.owner == reservoir]
        return all(getattr(source, name) is not None for source in own for name in asked[quantity])

    @compiled
    def matrix(self, vector: Float[Array, " m"]) -> Complex[Array, "d d"]:
        """The density matrix, in the basis of the operators, of a state given as `vector`: its trace, the populations of the basis
        states but the first, and real and imaginary part of its elements above the diagonal."""
        real, imaginary = (read(vector) for read in self.structure.space.elements)
        kind, size = _complex(vector), self.structure.size
        return (real.astype(kind) + 1j * imaginary.astype(kind)).reshape(size, size)

    @compiled
    def vector(self, matrix: Array) -> Float[Array, " m"]:
        """The inverse of `matrix`, of a density matrix `matrix`."""
        write_real, write_imaginary = self.structure.space.numbers
        flat = matrix.reshape(-1)
        kind = self.coefficients().dtype
        return write_real(flat.real.astype(kind)) + write_imaginary(flat.imag.astype(kind))

    def coefficients(self) -> Float[Array, " terms"]:
        """Of the terms of H, in the order of `structure.terms`; PyTrees sort their dictionaries."""
        every = self.bare | self.interaction
        return jnp.stack([every[name] for name in self.structure.terms])

    def _one_way(self, reservoir):
        own = [source for source in self.sources if source.owner == reservoir]
        return np.array([not source.is_own_reverse for source in own for _ in range(1 + source.is_reversed)])


@functools.singledispatch
def jump_rates(
    reservoir: AbstractReservoir, gap: Float[Array, ""], particles: Float[Array, ""] | None
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Rates at which a `reservoir` makes the reverse of a jump that lowers the device by `gap` and `particles`, and the jump itself."""
    return reservoir.rates(gap, particles)


@jump_rates.register
def _(reservoir: ConstantRate, gap, particles):
    return jnp.zeros_like(gap), nonnegative(reservoir.rate)


@functools.singledispatch
def jump_entropy(
    reservoir: AbstractReservoir, energy: Float[Array, " channels"], number: Float[Array, " channels"], one_way: np.ndarray
) -> Float[Array, " channels"]:
    """Entropy that jumps by `energy` and `number` take from a `reservoir` without a temperature; `one_way`: which are not their own reverse."""
    return reservoir.entropy(energy, number)


@jump_entropy.register
def _(reservoir: ConstantRate, energy, number, one_way):
    return jnp.where(one_way, -jnp.inf, jnp.zeros_like(energy))


class JumpDissipator(eqx.Module):
    """What one reservoir does: jumps by the operators of its `channels`, at `rates`, each of which takes its `quanta` out of it."""

    channels: Channels = eqx.field(static=True)
    rates: Float[Array, " channels"]
    quanta: dict[str, Float[Array, " channels"]]

    def jump(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, " m"]:
        """The jump part applied to a `state`, each quantum of a `quantity` counted to some `power`."""
        weights, parts = self._weights(quantity, power), self.channels.jumped(state)
        return sum_over(weights[:, None] * parts, 0)

    def counted(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, ""]:
        """The trace of `jump`, of the same `state`, `quantity` and `power`."""
        return total(self._weights(quantity, power) * self.channels.activity(state))

    def taken(self, state: Float[Array, " m"], coefficients: Float[Array, " terms"]) -> Float[Array, ""]:
        """Tr[H D rho] of a `state`, H by its `coefficients`."""
        return total(self.rates * (self.channels.energy(state) @ coefficients))

    def entropy(self, state: Float[Array, " m"], off: Float[Array, " m"]) -> Float[Array, ""]:
        """Entropy that leaves a reservoir without a temperature per time, in a `state` that rounding may have moved by `off`.

        Where it is infinite by the jump, it is NaN if there are no more jumps than rounding may have made.
        """
        flows, entropy = self.rates * self.channels.activity(state), self.quanta["entropy"]
        unsure = self.rates * self.channels.gross[0](_off(state, off))
        hidden = jnp.isinf(entropy) & (flows != 0) & (jnp.abs(flows) <= unsure)
        return total(carried(entropy, missing(hidden, flows)))

    def doubt(self, state: Float[Array, " m"], off: Float[Array, " m"], coefficients: Float[Array, " terms"]) -> Float[Array, ""]:
        """About how far Tr[H D rho] is off, of a `state` that is `off` by so much; `coefficients` of H."""
        return total(self.rates * (self.channels.gross[1](_off(state, off)) @ jnp.abs(coefficients)))

    def _weights(self, quantity, power):
        return self.rates if power == 0 else self.rates * self.quanta[quantity] ** power


class JumpSteadyState(AbstractState):
    """A device of jump operators at rest, from which everything stationary is computed.

    `lindbladian`: the device; `dissipators`: by reservoir what it does; `elimination`: the factors of the generator;
    `vector`: the state, see `density_matrix`, and `doubts`, about how far rounding may have moved its numbers.
    `status` is 0 where all is well (`qtd.Status`).
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
        # With the trace as the only population, what is inverted is regular wherever the state is unique.
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
        infinite = jnp.any(jnp.isinf(jnp.concatenate([part.rates for part in self.dissipators.values()])))
        self.status = first(
            (infinite, Status.INFINITE_RATE),
            (~jnp.isfinite(scale), Status.INVALID_PARAMETER),
            (~has_one, Status.NO_UNIQUE_STEADY_STATE),
            (largest(self.doubts) > max(1e-9, 1e4 * float(rounding)), Status.INACCURATE),
        )

    @property
    def reservoirs(self) -> dict[str, AbstractReservoir]:
        """By name, in the order of the jumps."""
        return {name: self.lindbladian.reservoirs[name] for name in self.lindbladian.structure.channels}

    def current(self, reservoir: str, quantity: str) -> Float[Array, ""]:
        """Mean `quantity`, "energy", "particles" or "heat", that leaves `reservoir` per time.

        Energy is that of the quanta of H_0 as they are counted; where these are not definite, Tr[H D rho].
        """
        device, part = self.lindbladian, self.dissipators[reservoir]
        counts = device.counts(reservoir, quantity)
        if quantity == "particles":
            return total(part.rates * part.channels.number(self.vector))
        if quantity == "heat":
            potential = device.reservoirs[reservoir].chemical_potential
            return self.current(reservoir, "energy") - potential * self.current(reservoir, "particles")
        return part.counted(self.vector, "energy", 1) if counts and device.interaction else self.device_current(reservoir)

    def device_current(self, reservoir: str) -> Float[Array, ""]:
        """Tr[H D rho] of `reservoir`, the energy that the device takes up from it per time. The sum over reservoirs is zero."""
        device = self.lindbladian
        taken = self.dissipators[reservoir].taken(self.vector, device.coefficients())
        return 0 * taken if reservoir == device.structure.single else taken

    def entropy_current(self, reservoir: str) -> Float[Array, ""]:
        """Entropy that leaves `reservoir`, one without a temperature, per time: see `JumpLindbladian`."""
        return self.dissipators[reservoir].entropy(self.vector, self.doubts)

    def doubt(self, reservoir: str) -> Float[Array, ""]:
        """About how far the energy current of `reservoir` may be off by rounding; without derivatives."""
        device = self.lindbladian
        if reservoir == device.structure.single:
            return jnp.zeros_like(self.doubts[0])
        return lax.stop_gradient(self.dissipators[reservoir].doubt(self.vector, self.doubts, device.coefficients()))

    def array(self) -> Array:
        """`density_matrix`."""
        return self.density_matrix

    @property
    def density_matrix(self) -> Complex[Array, "d d"]:
        """rho in the basis of the operators."""
        return self.lindbladian.matrix(self.vector)

    def _doubts(self, matrix, inverse):
        """About how far each number of the state is off: what rounding leaves in the generator times the state, seen through its inverse."""
        state = lax.stop_gradient(self.vector)
        left = product(jnp.abs(matrix), jnp.abs(state))[1:]
        moved = jnp.concatenate([jnp.zeros_like(state[:1]), product(jnp.abs(inverse), left)])
        return settle(jnp.finfo(state.dtype).eps * (moved + jnp.abs(state)))


at_rest.register(JumpLindbladian, JumpSteadyState)


def _off(state, off):
    """Rounding of sums over a state, besides what it is off by."""
    return lax.stop_gradient(off + jnp.finfo(state.dtype).eps * jnp.abs(state))


def _least_left(generator, pure):
    """The basis state that is left most slowly: one that is never left is the state at rest, to all digits."""
    states = jnp.asarray(pure, generator.dtype)
    leaving = jnp.abs(generator @ states).sum(0)
    chosen = jnp.arange(len(leaving)) == jnp.argmin(leaving)
    return states @ chosen.astype(states.dtype)


def _terms(H, bare):
    """Terms of H_0, and the others: names to pairs (coefficient, matrix)."""
    if not isinstance(H, Mapping):
        whole = _hermitian(H, "H")
        if bare is None:
            return {"H": (1.0, whole)}, {}
        if isinstance(bare, str | Mapping):
            raise ValueError(f"`bare` must be a matrix, as `H` is, got {bare!r}.")
        part = _hermitian(bare, "bare", len(whole))
        return {"H_0": (1.0, part)}, {"V": (1.0, whole - part)}
    pairs = [term for term in H.values() if isinstance(term, tuple | list) and len(term) == 2]
    if not H or len(pairs) < len(H):
        raise ValueError(f"`H` must be a matrix, or a mapping of names to pairs (coefficient, matrix), got {H!r}.")
    size = len(_operator(pairs[0][1], "H"))
    terms = {name: (value, _hermitian(matrix, f"H of {name!r}", size)) for name, (value, matrix) in H.items()}
    chosen = list(H) if bare is None else [bare] if isinstance(bare, str) else list(bare)
    if not chosen or not all(isinstance(name, str) and name in H for name in chosen):
        raise ValueError(f"`bare` must name some of the terms of `H`, {', '.join(map(repr, H))}, got {bare!r}.")
    return {name: terms[name] for name in chosen}, {name: term for name, term in terms.items() if name not in chosen}


def _operator(given, name, size=None):
    """A known square matrix; of `qutip.Qobj`, its array."""
    if not is_concrete(given):
        raise ValueError(f'`{name}` must be a known matrix; what varies is a coefficient, as in {{"drive": (amplitude, matrix)}}, or a rate.')
    full = getattr(given, "full", None)
    matrix = np.asarray(given if full is None else full())
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or (size is not None and len(matrix) != size):
        wanted = "a square matrix" if size is None else f"a {size} x {size} matrix"
        raise ValueError(f"`{name}` must be {wanted}, got shape {matrix.shape}.")
    if len(matrix) > _MOST_STATES:
        text = f"`{name}` has {len(matrix)} states, of {_MOST_STATES} at most: take fewer, or a `qtd.Lindbladian` of couplings."
        raise ValueError(text)
    if not np.issubdtype(matrix.dtype, np.number) or not np.all(np.isfinite(matrix)):
        raise ValueError(f"`{name}` must hold finite numbers.")
    return matrix.astype(complex)


def _hermitian(given, name, size=None):
    matrix = _operator(given, name, size)
    if np.abs(matrix - matrix.conj().T).max() > 1e-12 * np.abs(matrix).max():
        raise ValueError(f"`{name}` must be Hermitian.")
    return matrix


def _sources(jumps, reservoirs):
    """Reservoirs by name, and of each jump the name of its own and its operator as given."""
    if not isinstance(jumps, list | tuple) or not jumps:
        raise ValueError(f"`jumps` must be a list of pairs (operator, rate or reservoir), at least one, got {jumps!r}.")
    known, made = dict(reservoirs), []
    for index, entry in enumerate(jumps):
        if not isinstance(entry, list | tuple) or len(entry) != 2:
            raise ValueError(f"`jumps[{index}]` must be a pair (operator, rate or reservoir), got {entry!r}.")
        name, reservoir = named_source(entry[1], f"jump_{index}", known)
        is_new = known.setdefault(name, reservoir) is reservoir
        if not is_new:
            raise ValueError(f"`jumps[{index}]` calls a second reservoir or rate {name!r}; give each a name of its own.")
        made.append((name, entry[0]))
    idle = set(known) - {name for name, _ in made}
    if idle:
        raise ValueError(f"`reservoirs` holds {', '.join(map(repr, sorted(idle)))}, which no jump names; leave them out.")
    return {name: known[name] for name in dict.fromkeys(name for name, _ in made)}, made


@functools.singledispatch
def named_source(source: Any, name: str, known: Mapping[str, AbstractReservoir]) -> tuple[str, AbstractReservoir]:
    """The name and the reservoir that a `source` stands for: a rate called `name`, or one of those `known` by name."""
    return name, ConstantRate(as_scalar(source, f"rate of {name}"))


@named_source.register
def _(source: AbstractReservoir, name, known):
    return name, source


@named_source.register
def _(source: str, name, known):
    if source not in known:
        raise ValueError(f"`jumps` names the reservoir {source!r}, but `reservoirs` has {', '.join(map(repr, known)) or 'none'}.")
    return source, known[source]


@named_source.register
def _(source: tuple, name, known):
    if len(source) != 2 or not isinstance(source[0], str):
        raise ValueError(f"`jumps` must give a rate, a reservoir, or a pair (name, rate or reservoir) of {name}, got {source!r}.")
    return named_source(source[1], source[0], known)


def _jump(index, owner, jump, reservoir, terms, number):
    """What is static of the jump that stands at this place in the list."""
    taken = {name: lowered(term, jump) for name, term in terms.items()}
    unclear = [name for name, amount in taken.items() if amount is None]
    particles, energy = lowered(np.diag(number), jump) if np.any(number) else 0.0, None
    if not unclear:
        energy = tuple(amount for amount in taken.values() if amount is not None)
    reverse = is_own_reverse(jump)
    if isinstance(reservoir, ConstantRate):
        return Jump(owner, energy, particles, False, reverse)
    if unclear:
        raise ValueError(
            f"`jumps[{index}]` must change {unclear[0]!r} by one gap, as the reservoir {owner!r} makes it: give a rate, the parts of the"
            " operator that do, or what they lower as `bare`; or the Hermitian coupling to `qtd.Lindbladian`."
        )
    if reservoir.statistics == "fermi" and (particles is None or abs(particles) != 1):
        raise ValueError(f"`particles` must change by one in `jumps[{index}]`, as the reservoir {owner!r} is fermionic.")
    return Jump(owner, energy, particles, not reverse, reverse)


def _complex(x):
    return jnp.complex128 if x.dtype == jnp.float64 else jnp.complex64
