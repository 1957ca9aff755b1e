"""Generators of density matrices that are too large to be written as matrices themselves: what they
do to a state, from products of operators.

A density matrix has a block for each class of basis states among which coherence can arise
(`sectors`). Of a Hermitian block a real matrix is kept: the diagonal, above it the real parts, and
below it the imaginary parts, times the root of 2, so that scalar products stay what they are.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float

from .graphs import groups
from .sectors import Pattern, Sectors

_HALF_ROOT = float(np.sqrt(0.5))

Blocks = Float[Array, "classes n n"]
Parts = Float[Array, "2 *operators classes n n"]  # real and imaginary


class Jumps(NamedTuple):
    """Jumps `lower` -> `upper` of one reservoir, and `groups` of them, by their places, which act
    together; products of two groups only where they are `alike`."""

    lower: np.ndarray
    upper: np.ndarray
    groups: Sequence[np.ndarray]
    alike: np.ndarray


class Wide:
    """What is static in a generator of states of `size` levels: its classes, and where the jumps
    of the reservoirs stand in operators by class.

    `hamiltonian`: which elements of H there are; `jumps` of each reservoir. `first`: a jump of each
    group, `owner`: the reservoir of each, by its place; `place`: (groups, classes, n, n), the place
    of each element among all jumps, one after the last where there is none; `targets`, `sources`:
    the class that a group takes each class to, or brings there from, -1 for none; `alike`: which
    groups make products.
    """

    def __init__(self, size: int, hamiltonian: np.ndarray, jumps: Sequence[Jumps]):
        self.size, self.jumps = size, tuple(jumps)
        units, parts = [], []
        counts = np.cumsum([0, *(len(jump.upper) for jump in jumps)])
        self.count = int(counts[-1])
        for owner, jump in enumerate(jumps):
            part = groups(np.argwhere(jump.alike), len(jump.groups))
            for number in range(part.max(initial=-1) + 1):
                own = [edges for edges, other in zip(jump.groups, part) if other == number]
                edges = np.concatenate(own)
                units.append(_pattern(jump.upper[edges], jump.lower[edges]))
            first = len(units) - part.max(initial=-1) - 1
            parts += [(owner, first + unit, edges) for unit, edges in zip(part, jump.groups)]
        reversed_units = [unit.reversed() for unit in units]
        self.sectors = Sectors(size, _pattern(*np.nonzero(hamiltonian)), units + reversed_units)
        self.owner = np.array([owner for owner, _, _ in parts])
        targets, sources = (
            np.array([self.sectors.target(way[unit]) for _, unit, _ in parts])
            for way in (units, reversed_units)
        )
        self.targets, self.sources = targets, sources
        shape = len(parts), self.sectors.count, self.sectors.width, self.sectors.width
        self.place = np.full(shape, self.count)
        of, slot = self.sectors.of, self.sectors.slot
        self.first = np.array([counts[owner] + edges[0] for owner, _, edges in parts])
        for k, (owner, _, edges) in enumerate(parts):
            upper, lower = self.jumps[owner].upper[edges], self.jumps[owner].lower[edges]
            self.place[k, of[lower], slot[upper], slot[lower]] = counts[owner] + edges
        self.alike = np.zeros((len(parts),) * 2, bool)
        for owner, jump in enumerate(jumps):
            own = np.flatnonzero(self.owner == owner)
            self.alike[np.ix_(own, own)] = jump.alike
        there = self.sectors.is_there
        self.is_there = there[:, :, None] & there[:, None, :]
        self._diagonal = of, slot, slot
        arrays = [
            hamiltonian,
            *(x for jump in jumps for x in (*jump[:2], *jump.groups, jump.alike)),
        ]
        self._key = (size, *(np.asarray(x).tobytes() for x in arrays))
        self._hash = hash(self._key)

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        return self is other or (isinstance(other, Wide) and self._key == other._key)

    @property
    def numbers(self) -> int:
        """How many real numbers a state is kept as."""
        return int((self.sectors.sizes**2).sum())

    def diagonal(self, blocks: Blocks) -> Float[Array, " levels"]:
        """The populations in `blocks` of a state, level by level."""
        return blocks[self._diagonal]

    def by_class(self, values: Float[Array, " levels"], missing: float) -> Float[Array, "c n"]:
        """`values` of levels by class, `missing` where a class has fewer than the largest."""
        padded = jnp.concatenate([values, jnp.full_like(values[:1], missing)])
        return padded[self.sectors.members]

    def of_populations(self, values: Float[Array, " levels"]) -> Blocks:
        """The blocks of a state with these populations, `values`, and no coherence."""
        unit = jnp.eye(self.sectors.width, dtype=values.dtype)
        return self.by_class(values, 0.0)[:, :, None] * unit[None]

    def populations(self, blocks: Blocks) -> Blocks:
        """The `blocks` of a state without its coherences."""
        return blocks * jnp.eye(self.sectors.width, dtype=blocks.dtype)[None]

    def coherences(self, blocks: Blocks) -> Blocks:
        """The `blocks` of a state without its populations."""
        return blocks - self.populations(blocks)

    def of_missing(self, kind: jnp.dtype) -> Blocks:
        """1 on the diagonal, in numbers of this `kind`, where a class has fewer levels than the
        largest."""
        missing = jnp.asarray(~self.sectors.is_there, kind)
        return missing[:, :, None] * jnp.eye(self.sectors.width, dtype=kind)[None]

    def blocks(self, matrix: Float[Array, "levels levels"]) -> Blocks:
        """What a `matrix` of levels has by class."""
        padded = jnp.pad(matrix, ((0, 1), (0, 1)))
        members = self.sectors.members
        return padded[members[:, :, None], members[:, None, :]]

    def matrix(self, blocks: Blocks) -> Float[Array, "levels levels"]:
        """The inverse of `blocks`."""
        of, slot = self.sectors.of, self.sectors.slot
        same = of[:, None] == of[None]
        found = blocks[of[:, None], slot[:, None], slot[None]]
        return jnp.where(same, found, 0)

    def placed(
        self, values: Float[Array, " jumps"], equal: Float[Array, "groups groups"] | None
    ) -> Float[Array, "groups classes n n"]:
        """Operators by the class that they act on, from the `values` of all jumps; each group with
        those that are `equal`, by `equal_groups`."""
        made = jnp.concatenate([values, jnp.zeros_like(values[:1])])[self.place]
        return made if equal is None else jnp.einsum("ij,jcab->icab", equal, made)

    def equal_groups(
        self, gaps: Float[Array, " jumps"], near: Float[Array, ""]
    ) -> Float[Array, "groups groups"] | None:
        """1 for groups that make products as their `gaps`, of all jumps, differ by no more than
        what is `near`, 0 for others; None where each group is by itself."""
        if np.array_equal(self.alike, np.eye(len(self.alike), dtype=bool)):
            return None
        own = gaps[self.first]
        is_equal = jnp.abs(own[:, None] - own[None]) <= near
        return jnp.where(self.alike & is_equal, 1, 0).astype(gaps.dtype)

    def collected(self, elements: Array) -> Float[Array, "levels levels"]:
        """The sum of all `elements` of operators, by group and class, as a matrix of levels."""
        members, n = self.sectors.members, self.size
        rows = np.where((self.targets >= 0)[:, :, None], members[self.targets], n)[..., :, None]
        columns = members[None, :, None, :]
        found = jnp.zeros((n + 1, n + 1), elements.dtype)
        return found.at[rows, columns].add(elements)[:n, :n]

    def trace(self, blocks: Blocks) -> Float[Array, ""]:
        """The trace of a state given by its `blocks`."""
        return jnp.trace(blocks, axis1=1, axis2=2).sum()


def _pattern(rows, columns):
    return Pattern(rows, columns, np.ones(len(rows)), np.zeros(len(rows), int))


class Operators(NamedTuple):
    """Operators by the class that they act on, `imaginary` None where all are real."""

    real: Float[Array, "*operators classes n n"]
    imaginary: Float[Array, "*operators classes n n"] | None

    def times(self, x: Parts) -> Parts:
        """A x, for parts `x` of a matrix."""
        made = self.real[None] @ x
        return made if self.imaginary is None else made + turned(self.imaginary[None] @ x)

    def after(self, x: Parts) -> Parts:
        """x A^+, for parts `x` of a matrix."""
        made = x @ transposed(self.real)[None]
        if self.imaginary is None:
            return made
        return made - turned(x @ transposed(self.imaginary)[None])

    def columns(self, weights: Array) -> Parts:
        """Parts of A with each element times the weight of its column, `weights`."""
        made = self.weighed(jnp.broadcast_to(weights, self.real.shape))
        imaginary = jnp.zeros_like(made.real) if made.imaginary is None else made.imaginary
        return jnp.stack([made.real, imaginary])

    def along(self, x: Parts) -> Float[Array, "*operators classes n"]:
        """Real part of the diagonal of x A^+, for parts `x` of matrices."""
        found = jnp.sum(x[0] * self.real, axis=-1)
        if self.imaginary is None:
            return found
        return found + jnp.sum(x[1] * self.imaginary, axis=-1)

    def between(self, before: "Operators", after: "Operators") -> "Operators":
        """B^+ A C, with C `before` and B `after`; all real, or none."""
        if self.imaginary is None:
            return Operators(transposed(after.real) @ self.real @ before.real, None)
        made = jnp.conj(transposed(after.whole)) @ self.whole @ before.whole
        return Operators(made.real, made.imag)

    @property
    def whole(self) -> Complex[Array, "*operators classes n n"]:
        """Both parts in one."""
        real, imaginary = self
        return lax.complex(real, jnp.zeros_like(real) if imaginary is None else imaginary)

    @property
    def adjoint(self) -> "Operators":
        """A^+, of operators that take each class to itself."""
        back = None if self.imaginary is None else -transposed(self.imaginary)
        return Operators(transposed(self.real), back)

    def mapped(self, function: Callable[[Array], Array]) -> "Operators":
        """A `function` of the real and of the imaginary part."""
        other = None if self.imaginary is None else function(self.imaginary)
        return Operators(function(self.real), other)

    def weighed(self, weights: Array) -> "Operators":
        """Each element times its weight, `weights`."""
        return self.mapped(lambda x: x * weights)


class Products(eqx.Module):
    r"""What jumps do: $\sum_k L_k \rho R_k^\dagger - R_k^\dagger L_k \rho$ and its adjoint, of the
    groups `which`; of elements that are `kept`, 1, and not of others, 0."""

    left: Operators
    right: Operators
    kept: Blocks
    wide: Wide = eqx.field(static=True)
    which: tuple[int, ...] = eqx.field(static=True)

    def of(self, which: tuple[int, ...]) -> "Products":
        """Those of some groups, `which` by their places."""
        left, right = (
            x.mapped(lambda each: each[np.array(which, int)]) for x in (self.left, self.right)
        )
        return Products(left, right, self.kept, self.wide, which)

    def gained(self, x: Parts, right: Operators) -> Parts:
        """The sum of L x R^+ for other operators `right` in place of R; `x`: parts of a state."""
        return self.arrived(right.after(self.left.times(x[:, None])))

    def arrived(self, made: Float[Array, "2 groups classes *n"]) -> Float[Array, "2 classes *n"]:
        """The sum of what each group has `made` of each class, by the class that it arrives in."""
        sources = self.wide.sources[list(self.which)]
        found = made[:, np.arange(len(sources))[:, None], sources]
        is_there = (sources >= 0).reshape(1, *sources.shape, *(1,) * (made.ndim - 3))
        return jnp.where(is_there, found, 0).sum(axis=1)

    def lost(self) -> Operators:
        """The sum of R^+ L."""
        left, right = self.left, self.right
        real = transposed(right.real) @ left.real
        imaginary = None
        if left.imaginary is not None and right.imaginary is not None:
            real = real + transposed(right.imaginary) @ left.imaginary
            imaginary = transposed(right.real) @ left.imaginary
            imaginary = (imaginary - transposed(right.imaginary) @ left.real).sum(0) * self.kept
        return Operators(real.sum(0) * self.kept, imaginary)

    def applied(self, state: Blocks) -> Blocks:
        """What they make of a `state`."""
        x = parted(self.kept * state)
        return self.kept * joined(self.gained(x, self.right) - self.lost().times(x))

    def jumped(self, state: Blocks, weights: Array) -> Blocks:
        """The gains alone of a `state`, with `weights` for the elements of R."""
        x = parted(self.kept * state)
        return self.kept * joined(self.gained(x, self.right.weighed(weights)))

    def counted(self, state: Blocks, weights: Array) -> Float[Array, ""]:
        """The trace of `jumped`, of the same `state` and `weights`."""
        made = self.left.times(parted(self.kept * state)[:, None])
        right = self.right.weighed(weights)
        found = jnp.sum(made[0] * right.real)
        if right.imaginary is not None:
            found = found + jnp.sum(made[1] * right.imaginary)
        return 2 * found


class WideGenerator(eqx.Module):
    """The whole of a generator: the `products` of all jumps, and what leaves each state, their
    losses and i H, `leaving`. `scale`, a rate, stands for what is not kept of a state."""

    products: Products
    leaving: Operators
    scale: Float[Array, ""]

    def apply(self, state: Blocks) -> Blocks:
        """What happens to a `state` per time."""
        kept = self.products.kept
        x = parted(kept * state)
        made = joined(self.products.gained(x, self.products.right) - self.leaving.times(x))
        return kept * made - self.scale * (1 - kept) * state

    def coupled(self, state: Blocks) -> Blocks:
        """`apply` of a `state` without what populations do to populations: not even rounding of
        that is left."""
        products, kept, wide = self.products, self.products.kept, self.products.wide
        x = parted(kept * state)
        own, others = wide.populations(x[0]), jnp.stack([wide.coherences(x[0]), x[1]])
        weights = jnp.diagonal(own, axis1=-2, axis2=-1)[:, None, :]
        coherent = products.left.times(others[:, None])
        made = coherent + products.left.columns(weights)
        left = self.leaving.times(others)
        moved = joined(
            products.arrived(products.right.after(made)) - left - self.leaving.columns(weights)
        )
        arriving = products.arrived(products.right.along(coherent)[None])[0]
        arriving = arriving - jnp.diagonal(left[0], axis1=-2, axis2=-1)
        unit = jnp.eye(wide.sectors.width, dtype=state.dtype)[None]
        made = wide.coherences(moved) + 2 * arriving[:, :, None] * unit
        return kept * made - self.scale * (1 - kept) * state

    def gross(self, state: Blocks) -> Blocks:
        """What `apply` of a `state` adds up, without signs."""
        products, kept = self.products, self.products.kept
        x = jnp.abs(parted(kept * state))
        made = _adjoint_after(_times(products.left, x[:, None]), products.right)
        made = products.arrived(made) + _times(self.leaving, x)
        return kept * kept_of(made + transposed(made))


def _times(operators, x):
    """A x without signs, of the sizes x of parts."""
    made = jnp.abs(operators.real)[None] @ x
    if operators.imaginary is None:
        return made
    return made + jnp.abs(operators.imaginary)[None] @ x[::-1]


def _adjoint_after(x, operators):
    """x A^+ without signs."""
    made = x @ transposed(jnp.abs(operators.real))[None]
    if operators.imaginary is None:
        return made
    return made + x[::-1] @ transposed(jnp.abs(operators.imaginary))[None]


def parted(blocks: Blocks) -> Parts:
    """Real and imaginary part of the Hermitian matrices that `blocks` keep."""
    above, below = _triangles(blocks.shape[-1])
    real = jnp.where(above, _HALF_ROOT * blocks, 0)
    imaginary = jnp.where(below, _HALF_ROOT * blocks, 0)
    own = jnp.where(above | below, 0, blocks)
    return jnp.stack([real + own + transposed(real), imaginary - transposed(imaginary)])


def kept_of(x: Parts) -> Blocks:
    """The inverse of `parted`, of the parts `x` of Hermitian matrices."""
    above, below = _triangles(x.shape[-1])
    outside = jnp.where(above, x[0], x[1]) / _HALF_ROOT
    return jnp.where(above | below, outside, x[0])


def joined(x: Parts) -> Blocks:
    """`kept_of` x + x^+, of parts `x` of any matrices."""
    back = transposed(x)
    return kept_of(jnp.stack([x[0] + back[0], x[1] - back[1]]))


def _triangles(size):
    above = np.triu(np.ones((1, size, size), bool), 1)
    return above, np.swapaxes(above, 1, 2)


def turned(x: Parts) -> Parts:
    """i x, of parts `x` of matrices."""
    return jnp.stack([-x[1], x[0]])


def transposed(x: Array) -> Array:
    """Each of the matrices `x` on the last two axes transposed."""
    return jnp.swapaxes(x, -1, -2)
