"""A device described by its Hamiltonian and its jump operators, and what each of its reservoirs
does."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float

from .._numerics.batching import add, settle, sum_over, total
from .._numerics.compilation import compiled
from .._numerics.generators import Channels, Generator
from .._numerics.modules import parameter
from .._numerics.printing import one_line
from .._numerics.special import carried
from .._numerics.validation import as_scalar, missing
from ..reservoirs import AbstractReservoir
from ..systems.base import AbstractSystem
from ._sources import (
    Jump,
    Source,
    jump_entropy,
    jump_of,
    jump_rates,
    operator_of,
    sources_of,
    terms_of,
)


class JumpLindbladian(AbstractSystem):
    r"""A finite device whose state obeys a master equation of jump operators, given one by one.
    `qtd.Lindbladian.from_jumps` makes it.

    $$ \dot\rho = -i [H, \rho]
       + \sum_k (\Gamma_k D[L_k] \rho + \Gamma_k^{\rm back} D[L_k^\dagger] \rho), \qquad
       D[L] \rho = L \rho L^\dagger - \tfrac12 (L^\dagger L \rho + \rho L^\dagger L) $$

    - `H`: a Hermitian matrix (or `qutip.Qobj`), or a mapping of names to pairs (coefficient,
      matrix), whose coefficients are parameters. Real or complex, in one orthonormal basis; up to
      32 states d, as all of the density matrix is kept: O(d^6), half a second at 16 and half a
      minute at 32.
    - `jumps`: pairs (operator, source), operators as H, of any kind. The source is

      - a number Gamma >= 0, a parameter: the equation of QuTiP's `mesolve(H, c_ops=[sqrt(Gamma) *
        L])`. Lowering operators make decay, diagonal ones pure dephasing.
      - a reservoir, or the name of one of `reservoirs`. Then L lowers each term of H_0 by some
        amount, together by the gap w, [H_0, L] = -w L, and the reservoir makes it at Gamma = J(w)
        (1 + n(w)) and L^+ at Gamma^back = J(w) n(w); electrons leave the device at Gamma(E) (1 -
        f(E)) and enter it at Gamma(E) f(E). An L that is its own reverse, of gap 0, is made once.
        In its ground state: `qtd.reservoirs.ZeroTemperatureReservoir`.
      - (name, number or reservoir), to call it by that name in results; else it is "jump_0", by its
        place in the list. Operators of one reservoir are counted together.

    - `bare`: H_0, the part of H whose energy the jumps change by definite amounts: a matrix, or
      names of terms of H; all of H by default.
    - `particles`: the number of particles of each basis state (integers), for reservoirs of
      electrons, whose operators must change it by one.

    Parameters: `bare.NAME` and `interaction.NAME` are the coefficients of the terms in H_0 and of
    the others (called H; or H_0 and V, where these are matrices), `reservoirs.NAME.rate` a number,
    `reservoirs.NAME.temperature` and so on. `structure` and `sources`, made from these, hold all
    that is static.

    Currents are positive into the device. Energy is that of the quanta of H_0, w a jump, where all
    operators of a source have definite ones; else Tr[H D rho], as `device_energy_currents` always
    is. Only definite quanta can be counted: noise of the others is refused. Of entropy, a source
    whose number is all that is known exchanges none where its operators are their own reverse
    (noise, as of an infinite temperature), and else infinitely much as soon as it makes jumps,
    which nothing reverses: the entropy production is infinite, and NaN where the jumps are fewer
    than what rounding hides. Of Lindblad form, so that the state has no negative probabilities; the
    second law binds the quanta, the first one Tr[H D rho]. Raises `ValueError` for what fits none
    of this.

    A qubit of energy 1 that only decays, at the rate 0.1, while something drives it:

    >>> excited, lower = np.diag([0.0, 1.0]), np.array([[0.0, 1.0], [0.0, 0.0]])
    >>> driven = 1.0 * excited + 0.2 * (lower + lower.T)
    >>> qubit = qtd.Lindbladian.from_jumps(driven, [(lower, ("decay", 0.1))])
    >>> print(np.diag(qtd.steady_state(qubit).real).round(4), float(qubit.reservoirs["decay"].rate))
    [0.963 0.037] 0.1
    """

    bare: dict[str, Float[Array, ""]] = parameter("any", "E")
    interaction: dict[str, Float[Array, ""]] = parameter("any", "E")
    reservoirs: dict[str, AbstractReservoir]
    structure: Generator = eqx.field(static=True)
    sources: tuple[Jump, ...] = eqx.field(static=True)

    def __init__(
        self,
        H: Any,
        jumps: Sequence[tuple[Any, Source]],
        bare: Any = None,
        reservoirs: Mapping[str, AbstractReservoir] | None = None,
        particles: Sequence[int] | None = None,
    ):
        terms, others = terms_of(H, bare)
        operators = {name: operator for name, (_, operator) in (terms | others).items()}
        size = len(next(iter(operators.values())))
        number = np.zeros(size) if particles is None else np.asarray(particles)
        is_whole = particles is None or np.issubdtype(number.dtype, np.integer)
        if number.shape != (size,) or not is_whole:
            wanted = f"one integer for each of the {size} basis states"
            raise ValueError(f"`particles` must hold {wanted}, got {one_line(particles)}.")
        number = number.astype(float)
        of_bare = {name: operators[name] for name in terms}
        self.reservoirs, made = sources_of(jumps, reservoirs or {})
        channels: dict[str, list[np.ndarray]] = {name: [] for name in self.reservoirs}
        found = []
        for index, (owner, given) in enumerate(made):
            jump = operator_of(given, f"operator of jumps[{index}]", size)
            if not np.any(jump):
                raise ValueError(f"`jumps[{index}]` has an operator that is 0; leave it out.")
            source = jump_of(index, owner, jump, self.reservoirs[owner], of_bare, number)
            found.append(source)
            channels[owner] += [jump, jump.conj().T] if source.is_reversed else [jump]
        self.sources = tuple(found)
        self.structure = Generator(operators, len(terms), number, channels)
        self.bare, self.interaction = (
            {name: as_scalar(value, f"{part}.{name}") for name, (value, _) in chosen.items()}
            for part, chosen in (("bare", terms), ("interaction", others))
        )

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
                quanta += [(0 - gap, 0 - taken), (gap, taken)][: 1 + source.is_reversed]
            energy, number = (jnp.stack(parts) for parts in zip(*quanta))
            counted = {
                "energy": energy,
                "particles": number,
                "heat": energy - reservoir.chemical_potential * number,
            }
            if reservoir.temperature is None:
                counted["entropy"] = jump_entropy(reservoir, energy, number, self._one_way(name))
            made = settle(jnp.stack(rates))
            found[name] = JumpDissipator(self.structure.channels[name], made, counted)
        return found

    def generator(
        self, dissipators: Mapping[str, "JumpDissipator"] | None = None
    ) -> Float[Array, "m m"]:
        """The matrix of all that happens, in the coordinates of `vector`; `dissipators`, where they
        are known."""
        parts = self.dissipators() if dissipators is None else dissipators
        made = [self.structure.channels[name].generator(part.rates) for name, part in parts.items()]
        return settle(self.structure.unitary(self.coefficients()) + add(made))

    def counts(self, reservoir: str, quantity: str) -> bool:
        """Whether all jumps of a `reservoir` carry definite amounts of a `quantity`, "energy",
        "particles" or "heat"."""
        asked = {
            "energy": ("energy",),
            "particles": ("particles",),
            "heat": ("energy", "particles"),
        }
        if quantity not in asked:
            raise ValueError(
                f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.'
            )
        own = [source for source in self.sources if source.owner == reservoir]
        return all(getattr(source, name) is not None for source in own for name in asked[quantity])

    @compiled
    def matrix(self, vector: Float[Array, " m"]) -> Complex[Array, "d d"]:
        """The density matrix, in the basis of the operators, of a state given as `vector`: its
        trace, the populations of the basis states but the first, and real and imaginary part of its
        elements above the diagonal."""
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
        """Coefficients of the terms of H, in the order of `structure.terms`; PyTrees sort their
        dictionaries."""
        every = self.bare | self.interaction
        return jnp.stack([every[name] for name in self.structure.terms])

    def _one_way(self, reservoir):
        own = [source for source in self.sources if source.owner == reservoir]
        one_way = [[not source.is_own_reverse] * (1 + source.is_reversed) for source in own]
        return np.concatenate(one_way)


class JumpDissipator(eqx.Module):
    """What one reservoir does: jumps by the operators of its `channels`, at `rates`, each of which
    takes its `quanta` out of it."""

    channels: Channels = eqx.field(static=True)
    rates: Float[Array, " channels"]
    quanta: dict[str, Float[Array, " channels"]]

    def jump(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, " m"]:
        """The jump part applied to a `state`, each quantum of a `quantity` counted to some
        `power`."""
        weights, parts = self._weights(quantity, power), self.channels.jumped(state)
        return sum_over(weights[:, None] * parts, 0)

    def counted(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, ""]:
        """The trace of `jump`, of the same `state`, `quantity` and `power`."""
        return total(self._weights(quantity, power) * self.channels.activity(state))

    def taken(
        self, state: Float[Array, " m"], coefficients: Float[Array, " terms"]
    ) -> Float[Array, ""]:
        """Tr[H D rho] of a `state`, H by its `coefficients`."""
        return total(self.rates * (self.channels.energy(state) @ coefficients))

    def entropy(self, state: Float[Array, " m"], off: Float[Array, " m"]) -> Float[Array, ""]:
        """Entropy that leaves a reservoir without a temperature per time, in a `state` that
        rounding may have moved by `off`.

        Where it is infinite by the jump, it is NaN if there are no more jumps than rounding may
        have made.
        """
        flows, entropy = self.rates * self.channels.activity(state), self.quanta["entropy"]
        unsure = self.rates * self.channels.gross[0](_off(state, off))
        hidden = jnp.isinf(entropy) & (flows != 0) & (jnp.abs(flows) <= unsure)
        return total(carried(entropy, missing(hidden, flows)))

    def doubt(
        self,
        state: Float[Array, " m"],
        off: Float[Array, " m"],
        coefficients: Float[Array, " terms"],
    ) -> Float[Array, ""]:
        """About how far Tr[H D rho] is off, of a `state` that is `off` by so much; `coefficients`
        of H."""
        moved = self.channels.gross[1](_off(state, off))
        return total(self.rates * (moved @ jnp.abs(coefficients)))

    def _weights(self, quantity, power):
        return self.rates if power == 0 else self.rates * self.quanta[quantity] ** power


def _off(state, off):
    """Rounding of sums over a state, besides what it is off by."""
    return lax.stop_gradient(off + jnp.finfo(state.dtype).eps * jnp.abs(state))


def _complex(x):
    return jnp.complex128 if x.dtype == jnp.float64 else jnp.complex64
