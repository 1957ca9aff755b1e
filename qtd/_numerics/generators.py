"""What is static in a generator of Lindblad form: its operators, and the real matrices that they
make.

A state is kept as m = d^2 real numbers: its trace, the populations but the first, and of each pair
a < b the real and the imaginary part of rho_ab. The trace comes first, so that its row of every
generator is empty, and the rest of the generator is regular wherever the state at rest is unique,
in whatever basis.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .linear_map import LinearMap

_ROUNDING = 1e-12  # of products of two or three operators, relative to their norms


class Channels:
    """Jump operators C_k that belong together, and what they do to a state, each at the rate 1.

    `generator` makes the matrix of sum_k r_k D[C_k] from the rates r; `jumped`: C_k rho C_k^+;
    `activity`: its trace; `energy`: Tr[B_i D[C_k] rho] of the terms B_i of H, by channel and term;
    `number`: the same of the number of particles. `gross` are the sizes of the coefficients of
    `activity` and `energy`.
    """

    def __init__(
        self,
        space: "Coordinates",
        operators: Sequence[np.ndarray],
        terms: Sequence[np.ndarray],
        number: np.ndarray,
    ):
        parts = [space.generator(dissipator(c)) for c in operators]
        self.generator = LinearMap(np.stack(parts, axis=-1))
        self.jumped = LinearMap(np.stack([space.superoperator(sandwich(c)) for c in operators]))
        activity = np.stack([space.functional(c.conj().T @ c) for c in operators])
        energy = np.stack([[_given(space, b, c) for b in terms] for c in operators])
        self.activity, self.energy = LinearMap(activity), LinearMap(energy)
        self.number = LinearMap(np.stack([_given(space, number, c) for c in operators]))
        self.gross = LinearMap(np.abs(activity)), LinearMap(np.abs(energy))
        self.exchanges = bool(np.any(energy))
        self._key = tuple(c.tobytes() for c in (*operators, *terms, number))

    def __hash__(self):
        return hash(self._key)

    def __eq__(self, other):
        return self is other or (isinstance(other, Channels) and self._key == other._key)


class Coordinates:
    """The m = d^2 real numbers that a Hermitian matrix of `size` d is kept as.

    `elements`: the maps from these to real and imaginary parts of all elements, row by row;
    `numbers`: those back. `pure`: columns, the coordinates of the basis states.
    """

    def __init__(self, size: int):
        self.size = size
        upper = list(zip(*np.triu_indices(size, 1)))
        self.basis = np.zeros((size**2, size, size), complex)
        self.basis[:size, range(size), range(size)] = np.eye(size)
        self.basis[1:size, 0, 0] = -1.0
        for i, (a, b) in enumerate(upper):
            real, imaginary = size + 2 * i, size + 2 * i + 1
            self.basis[real, a, b] = self.basis[real, b, a] = 1.0
            self.basis[imaginary, a, b], self.basis[imaginary, b, a] = 1j, -1j
        flat = self.basis.reshape(size**2, -1).T
        self.elements = LinearMap(np.real(flat)), LinearMap(np.imag(flat))
        units = np.eye(size**2).reshape(size**2, size, size)
        self.numbers = LinearMap(self.of(units).T), LinearMap(self.of(1j * units).T)
        self.pure = self.of(np.stack([np.diag(row) for row in np.eye(size)])).T

    def of(self, matrices: np.ndarray) -> np.ndarray:
        """(..., m): the coordinates of `matrices`, of which only the diagonal and what is above it
        is looked at."""
        diagonal = np.real(np.diagonal(matrices, axis1=-2, axis2=-1))
        above = matrices[(..., *np.triu_indices(self.size, 1))]
        parts = np.stack([np.real(above), np.imag(above)], axis=-1).reshape(*above.shape[:-1], -1)
        return np.concatenate([diagonal.sum(-1, keepdims=True), diagonal[..., 1:], parts], axis=-1)

    def superoperator(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """(m, m): the matrix of a `function` that takes stacks of Hermitian matrices to such."""
        return self.of(function(self.basis)).T

    def generator(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """`superoperator` of a `function` whose results have no trace, rounding included."""
        matrix = self.superoperator(function)
        matrix[0] = 0.0
        return matrix

    def functional(self, operator: np.ndarray) -> np.ndarray:
        """(m,): Tr[operator rho] of a Hermitian one."""
        return np.einsum("ab,mba->m", operator, self.basis).real


class Generator:
    """What is static in a device made of terms of H and of jump operators: its operators by name,
    and what they make.

    `terms`: Hermitian matrices B_i, the first `bare` of which are H_0; `number`: how many particles
    each basis state has; `channels`: by reservoir, the operators of its jumps. `unitary`: the map
    from coefficients h to the matrix of -i sum_i h_i [B_i, rho]. `idle`: reservoirs that exchange
    no energy at rest, as all of it would have to pass by one of them, or by operators that differ
    by a factor only.
    """

    def __init__(
        self,
        terms: Mapping[str, np.ndarray],
        bare: int,
        number: np.ndarray,
        channels: Mapping[str, Sequence[np.ndarray]],
    ):
        every = list(terms.values())
        self.size = len(number)
        self.terms = tuple(terms)
        self.bare = bare
        self.operators = dict(terms)
        self.space = Coordinates(self.size)

        def of(found):
            return Channels(self.space, found, every, np.diag(number))

        self.channels = {name: of(found) for name, found in channels.items()}
        commutators = [self.space.generator(commutator(b)) for b in every]
        self.unitary = LinearMap(np.stack(commutators, axis=-1))
        exchanging = [name for name, part in self.channels.items() if part.exchanges]
        rows = [
            row.ravel()
            for name in exchanging
            for row in self.channels[name].energy.matrix
            if np.any(row)
        ]
        self.idle = tuple(exchanging) if len(exchanging) == 1 or _have_one_direction(rows) else ()
        self.keeps_number = not any(np.any(b * (number[:, None] - number)) for b in every)
        self._key = (bare, *self.terms, *self.channels, *self.channels.values())
        self._hash = hash(self._key)

    def __repr__(self) -> str:
        counts = f"{len(self.terms)} terms, {len(self.channels)} reservoirs"
        return f"Generator({self.size} states, {counts})"

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        same = isinstance(other, Generator) and self._hash == other._hash
        return self is other or (same and self._key == other._key)


def commutator(term: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """rho -> -i [B, rho]."""
    return lambda rho: -1j * (term @ rho - rho @ term)


def sandwich(jump: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """rho -> C rho C^+."""
    return lambda rho: jump @ rho @ jump.conj().T


def dissipator(jump: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """rho -> C rho C^+ - (C^+ C rho + rho C^+ C) / 2."""
    loss = jump.conj().T @ jump / 2
    return lambda rho: jump @ rho @ jump.conj().T - loss @ rho - rho @ loss


def lowered(term: np.ndarray, jump: np.ndarray) -> float | None:
    """w where [B, C] = -w C, so that a jump by C takes w away from what B measures; None where it
    does so by no definite amount."""
    change = term @ jump - jump @ term
    amount = -float(np.real(np.vdot(jump, change))) / float(np.real(np.vdot(jump, jump)))
    size = np.abs(term).max()
    if np.abs(change + amount * jump).max() > 1e3 * _ROUNDING * size * np.abs(jump).max():
        return None
    return 0.0 if abs(amount) <= 1e3 * _ROUNDING * size else amount


def is_own_reverse(jump: np.ndarray) -> bool:
    """Whether C^+ is C times a phase, so that a jump and its reverse are one."""
    back = jump.conj().T
    phase = np.vdot(jump, back) / np.vdot(jump, jump)
    return bool(np.abs(back - phase * jump).max() <= 1e3 * _ROUNDING * np.abs(jump).max())


def _have_one_direction(rows):
    """Whether all of these are one of them times positive factors."""
    first = rows[0] if rows else np.zeros(1)
    shares = [row @ first / (first @ first) for row in rows]
    off = [
        np.abs(row - share * first).max() / np.abs(row).max() for row, share in zip(rows, shares)
    ]
    return all(share > 0 for share in shares) and max(off, default=0.0) <= 1e2 * _ROUNDING


def _given(space, observable, jump):
    """Tr[B D[C] rho], from the adjoint of D[C]; nothing where it is but rounding."""
    back, loss = jump.conj().T, jump.conj().T @ jump / 2
    given = back @ observable @ jump - loss @ observable - observable @ loss
    size = np.abs(observable).max() * np.abs(jump).max() ** 2
    return space.functional(np.where(np.abs(given).max() <= 1e2 * _ROUNDING * size, 0.0, given))
