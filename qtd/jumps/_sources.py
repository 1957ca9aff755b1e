"""What makes jumps, a rate or a reservoir, and how it is read from what a user gives."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .._numerics.generators import is_own_reverse, lowered
from .._numerics.modules import parameter
from .._numerics.printing import one_line
from .._numerics.validation import as_scalar, is_concrete, nonnegative
from ..reservoirs import AbstractReservoir
from ..spectral import AbstractSpectralDensity, WideBand

Source = ArrayLike | str | AbstractReservoir | tuple[str, Any]

_MOST_STATES = 32  # whose generator is a dense matrix of a thousand rows


class ConstantRate(AbstractReservoir):
    """What makes the jumps of one operator at a known `rate` >= 0, an energy (hbar = 1), and of
    which nothing else is known.

    It has no temperature. As a reservoir of a device that is not built from jump operators it is a
    vacuum of bosons, flat in energy, that takes what the device gives.
    """

    rate: Float[Array, ""] = parameter("nonnegative", "E")

    def __init__(self, rate: ArrayLike):
        self.rate = as_scalar(rate, "rate")

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
    """What is static of one jump operator L as it was given: who makes it, what it takes from the
    device, and how it is undone.

    `energy`: w by term of H_0, where [H_0, L] = -w L; `particles`: the same of their number. None
    where L takes no definite amount. `is_reversed`: whether L^+ is made besides; `is_own_reverse`:
    whether it is L itself.
    """

    owner: str
    energy: tuple[float, ...] | None
    particles: float | None
    is_reversed: bool
    is_own_reverse: bool


@functools.singledispatch
def jump_rates(
    reservoir: AbstractReservoir, gap: Float[Array, ""], particles: Float[Array, ""] | None
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Rates at which a `reservoir` makes the reverse of a jump that lowers the device by `gap` and
    `particles`, and the jump itself."""
    return reservoir.rates(gap, particles)


@jump_rates.register
def _(reservoir: ConstantRate, gap, particles):
    return jnp.zeros_like(gap), nonnegative(reservoir.rate)


@functools.singledispatch
def jump_entropy(
    reservoir: AbstractReservoir,
    energy: Float[Array, " channels"],
    number: Float[Array, " channels"],
    one_way: np.ndarray,
) -> Float[Array, " channels"]:
    """Entropy that jumps by `energy` and `number` take from a `reservoir` without a temperature;
    `one_way`: which are not their own reverse."""
    return reservoir.entropy(energy, number)


@jump_entropy.register
def _(reservoir: ConstantRate, energy, number, one_way):
    return jnp.where(one_way, -jnp.inf, jnp.zeros_like(energy))


def terms_of(H, bare):
    """Terms of H_0, and the others: names to pairs (coefficient, matrix)."""
    if not isinstance(H, Mapping):
        whole = _hermitian(H, "H")
        if bare is None:
            return {"H": (1.0, whole)}, {}
        if isinstance(bare, str | Mapping):
            raise ValueError(f"`bare` must be a matrix, as `H` is, got {one_line(bare)}.")
        part = _hermitian(bare, "bare", len(whole))
        return {"H_0": (1.0, part)}, {"V": (1.0, whole - part)}
    pairs = [term for term in H.values() if isinstance(term, tuple | list) and len(term) == 2]
    if not H or len(pairs) < len(H):
        wanted = "a matrix, or a mapping of names to pairs (coefficient, matrix)"
        raise ValueError(f"`H` must be {wanted}, got {one_line(H)}.")
    size = len(operator_of(pairs[0][1], "H"))
    known = {name: _hermitian(matrix, f"H of {name!r}", size) for name, (_, matrix) in H.items()}
    terms = {name: (H[name][0], matrix) for name, matrix in known.items()}
    chosen = list(H) if bare is None else [bare] if isinstance(bare, str) else list(bare)
    if not chosen or not all(isinstance(name, str) and name in H for name in chosen):
        listed = ", ".join(map(repr, H))
        raise ValueError(
            f"`bare` must name some of the terms of `H`, {listed}, got {one_line(bare)}."
        )
    rest = {name: term for name, term in terms.items() if name not in chosen}
    return {name: terms[name] for name in chosen}, rest


def operator_of(given, name, size=None):
    """A known square matrix; of `qutip.Qobj`, its array."""
    if not is_concrete(given):
        remedy = 'what varies is a coefficient, as in {"drive": (amplitude, matrix)}, or a rate'
        raise ValueError(f"`{name}` must be a known matrix; {remedy}.")
    full = getattr(given, "full", None)
    matrix = np.asarray(given if full is None else full())
    is_square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not is_square or (size is not None and len(matrix) != size):
        wanted = "a square matrix" if size is None else f"a {size} x {size} matrix"
        raise ValueError(f"`{name}` must be {wanted}, got shape {matrix.shape}.")
    if len(matrix) > _MOST_STATES:
        remedy = "take fewer, or a `qtd.Lindbladian` of couplings"
        raise ValueError(f"`{name}` has {len(matrix)} states, of {_MOST_STATES} at most: {remedy}.")
    if not np.issubdtype(matrix.dtype, np.number) or not np.all(np.isfinite(matrix)):
        raise ValueError(f"`{name}` must hold finite numbers.")
    return matrix.astype(complex)


def _hermitian(given, name, size=None):
    matrix = operator_of(given, name, size)
    if np.abs(matrix - matrix.conj().T).max() > 1e-12 * np.abs(matrix).max():
        raise ValueError(f"`{name}` must be Hermitian.")
    return matrix


def sources_of(jumps, reservoirs):
    """Reservoirs by name, and of each jump the name of its own and its operator as given."""
    if not isinstance(jumps, list | tuple) or not jumps:
        wanted = "a list of pairs (operator, rate or reservoir), at least one"
        raise ValueError(f"`jumps` must be {wanted}, got {one_line(jumps)}.")
    known, made = dict(reservoirs), []
    for index, entry in enumerate(jumps):
        if not isinstance(entry, list | tuple) or len(entry) != 2:
            wanted = "a pair (operator, rate or reservoir)"
            raise ValueError(f"`jumps[{index}]` must be {wanted}, got {one_line(entry)}.")
        name, reservoir = named_source(entry[1], f"jump_{index}", known)
        is_new = known.setdefault(name, reservoir) is reservoir
        if not is_new:
            text = f"`jumps[{index}]` calls a second reservoir or rate {name!r}"
            raise ValueError(f"{text}; give each a name of its own.")
        made.append((name, entry[0]))
    idle = set(known) - {name for name, _ in made}
    if idle:
        listed = ", ".join(map(repr, sorted(idle)))
        raise ValueError(f"`reservoirs` holds {listed}, which no jump names; leave them out.")
    return {name: known[name] for name in dict.fromkeys(name for name, _ in made)}, made


@functools.singledispatch
def named_source(
    source: Any, name: str, known: Mapping[str, AbstractReservoir]
) -> tuple[str, AbstractReservoir]:
    """The name and the reservoir that a `source` stands for: a rate called `name`, or one of those
    `known` by name."""
    return name, ConstantRate(as_scalar(source, f"rate of {name}"))


@named_source.register
def _(source: AbstractReservoir, name, known):
    return name, source


@named_source.register
def _(source: str, name, known):
    if source not in known:
        listed = ", ".join(map(repr, known)) or "none"
        raise ValueError(f"`jumps` names the reservoir {source!r}, but `reservoirs` has {listed}.")
    return source, known[source]


@named_source.register
def _(source: tuple, name, known):
    if len(source) != 2 or not isinstance(source[0], str):
        wanted = "a rate, a reservoir, or a pair (name, rate or reservoir)"
        raise ValueError(f"`jumps` must give {wanted} of {name}, got {one_line(source)}.")
    return named_source(source[1], source[0], known)


def jump_of(index, owner, jump, reservoir, terms, number):
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
            f"`jumps[{index}]` must change {unclear[0]!r} by one gap, as {owner!r} makes it: give a"
            " rate, the parts of the operator that do, or what they lower as `bare`; or the"
            " Hermitian coupling to `qtd.Lindbladian`."
        )
    if reservoir.statistics == "fermi" and (particles is None or abs(particles) != 1):
        text = f"`particles` must change by one in `jumps[{index}]`"
        raise ValueError(f"{text}, as the reservoir {owner!r} is fermionic.")
    return Jump(owner, energy, particles, not reverse, reverse)
