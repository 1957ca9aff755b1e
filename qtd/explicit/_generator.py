"""The generator of a device with explicit filters: what its Hamiltonian and its reservoirs do to
the blocks of its state."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from .._numerics.block_elimination import Bands
from ._structure import Composite

Blocks = Float[Array, "sectors n n"]
Several = Float[Array, "flows sectors n n"]


class Flows(eqx.Module):
    r"""Jumps by operators C, each in one direction, and what they lose:
    $\Lambda \rho C^T + C \rho \Lambda^T - C^T \Lambda \rho - \rho \Lambda^T C$.

    `operators` C and `weighed` \Lambda by the class that they act on; `which`: their places among
    `structure.directions`; `quanta`: what a jump takes out of the reservoir where that is the same
    for all, in local treatments, else None.
    """

    operators: Several
    weighed: Several
    quanta: Float[Array, " flows"] | None
    structure: Composite = eqx.field(static=True)
    which: tuple[int, ...] = eqx.field(static=True)

    def places(self, reservoir: str) -> np.ndarray:
        """Which of them are of one `reservoir`, by name."""
        directions = self.structure.directions
        own = [directions[place].reservoir == reservoir for place in self.which]
        return np.flatnonzero(own)

    def of(self, reservoir: str) -> "Flows":
        """Those of one `reservoir`, by name."""
        chosen = self.places(reservoir)
        return Flows(
            self.operators[chosen],
            self.weighed[chosen],
            None if self.quanta is None else self.quanta[chosen],
            self.structure,
            tuple(self.which[i] for i in chosen),
        )

    @property
    def targets(self) -> np.ndarray:
        """The class that each takes each class to, -1 for none."""
        return self.structure.targets[list(self.which)]

    def losses(self) -> Blocks:
        r"""The sum of C^T \Lambda."""
        return jnp.sum(_turned(self.operators) @ self.weighed, axis=0)

    def gains(self, blocks: Blocks, operators: Several) -> Blocks:
        r"""The sum of \Lambda \rho C^T + C \rho \Lambda^T, with other `operators` in place of C."""
        made = self.weighed @ blocks[None] @ _turned(operators)
        made = made + operators @ blocks[None] @ _turned(self.weighed)
        sources = self.structure.sources[list(self.which)]
        arrived = made[np.arange(len(sources))[:, None], sources]
        return jnp.sum(jnp.where((sources >= 0)[..., None, None], arrived, 0.0), axis=0)

    def counted(self, blocks: Blocks, operators: Several) -> Float[Array, ""]:
        """The trace of `gains`."""
        even = 0.5 * (blocks + _turned(blocks))
        return 2 * jnp.sum((self.weighed @ even[None]) * operators)

    @property
    def carries_particles(self) -> bool:
        """Whether any of them changes the device's number of particles."""
        return any(self.structure.directions[place].particles for place in self.which)

    def number(self) -> Float[Array, "flows #sectors #n #n"]:
        """Particles that the elements of jumps take out of the reservoir, or, where they carry
        none, quanta."""
        which = list(self.which)
        found = self.structure.quanta[which]
        if self.carries_particles:
            sizes = [self.structure.directions[place].particles for place in which]
            found = found * np.array(sizes)[:, None, None, None]
        return jnp.asarray(found, self.operators.dtype)


class Generator(eqx.Module):
    """All that happens: `hamiltonian` by class, the `flows` of all reservoirs, and their
    `losses`."""

    hamiltonian: Blocks
    flows: Flows
    losses: Blocks

    def __init__(self, hamiltonian: Blocks, flows: Flows):
        self.hamiltonian, self.flows, self.losses = hamiltonian, flows, flows.losses()

    def apply(self, x: Float[Array, " m"]) -> Float[Array, " m"]:
        """What happens to a state `x` per time, both as the numbers that are kept."""
        blocks = self.blocks(x)
        # Of S + i A, kept as R = S + A, the commutator is this; see `Composite`.
        turned = _turned(blocks)
        made = turned @ self.hamiltonian - self.hamiltonian @ turned
        made = made - self.losses @ blocks - blocks @ _turned(self.losses)
        return self.numbers(made + self.flows.gains(blocks, self.flows.operators))

    def gross(self, x: Float[Array, " m"]) -> Float[Array, " m"]:
        """What `apply` of a state `x` adds up, without signs; without derivatives."""
        parts = lax.stop_gradient((self.hamiltonian, self.flows, self.blocks(x)))
        hamiltonian, flows, blocks = jax.tree.map(jnp.abs, parts)
        losses, turned = flows.losses(), _turned(blocks)
        made = turned @ hamiltonian + hamiltonian @ turned
        made = made + losses @ blocks + blocks @ _turned(losses)
        return self.numbers(made + flows.gains(blocks, flows.operators))

    def blocks(self, x: Float[Array, " m"]) -> Blocks:
        """The blocks of a state from the numbers `x` that are kept."""
        return jnp.concatenate([x, jnp.zeros_like(x[:1])])[self.flows.structure.spread]

    def numbers(self, blocks: Blocks) -> Float[Array, " m"]:
        """The inverse of `blocks`."""
        return blocks.reshape(-1)[self.flows.structure.kept]

    def added(self, flows: Flows, operators: Several) -> Several:
        """`operators` in place of those of `flows`, each element times the energy that it adds to
        the device: the commutator with H."""
        return self.hamiltonian[flows.targets] @ operators - operators @ self.hamiltonian[None]

    def bands(self) -> Bands:
        """The matrix of `apply`, as `structure.blocks` has its numbers, on, above and below the
        diagonal."""
        structure = self.flows.structure
        # What is known when it is compiled would be worked out by the compiler, number by number.
        here, rows, operators = lax.optimization_barrier(
            (structure.number_places, structure.rows, self.flows.operators)
        )
        columns, own = _Columns(*here), rows.at(1)
        left, right = columns.of_rows(self.losses), columns.of_columns(self.losses)
        commuted = columns.of_columns(self.hamiltonian), columns.of_rows(self.hamiltonian)

        def where(rows, columns, values):
            return jnp.where(_equal(rows, columns), values, 0.0)

        local = (
            where(own.row, here.column, _pick(own.column, commuted[1]))
            - where(own.column, here.row, _pick(own.row, commuted[0]))
            - where(own.column, here.column, _pick(own.row, left))
            - where(own.row, here.row, _pick(own.column, right))
        )
        same = _equal(own.sector, here.sector) & (own.sector >= 0)[..., :, None]
        start = jnp.zeros((3, *local.shape), local.dtype).at[1].set(jnp.where(same, local, 0.0))

        def add_flow(made, which):
            flow, shift, arriving = which
            row, operator, weight = rows.at(shift), operators[flow], self.flows.weighed[flow]
            values = _pick(row.row, columns.of_rows(weight)) * _pick(
                row.column, columns.of_columns(operator)
            ) + _pick(row.row, columns.of_rows(operator)) * _pick(
                row.column, columns.of_columns(weight)
            )
            meets = _equal(row.sector, arriving)
            return made.at[shift].add(jnp.where(meets, values, 0.0)), None

        (before, on, after), _ = lax.scan(add_flow, start, structure.meetings)
        # They are listed by the block of their columns.
        above, below = jnp.roll(before, -1, axis=0), jnp.roll(after, 1, axis=0)
        diagonal = np.arange(on.shape[1])
        missing = jnp.where(here.sector < 0, 1.0, 0.0).astype(on.dtype)
        return Bands(on.at[:, diagonal, diagonal].add(missing), above, below)


class FilterDissipator(eqx.Module):
    """What one reservoir does, jump by jump: the `flows` that are its own, of a `generator`.
    `energies`: their operators with each element times the energy that it adds to the device;
    `potential`: the chemical potential of the reservoir."""

    generator: Generator
    flows: Flows
    energies: Several
    potential: Float[Array, ""]

    def jump(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, " m"]:
        """The jump part applied to a `state`, each quantum of a `quantity` counted to some
        `power`."""
        blocks = self.generator.blocks(state)
        return self.generator.numbers(self.flows.gains(blocks, self._counting(quantity, power)))

    def counted(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, ""]:
        """The trace of `jump`, of the same `state`, `quantity` and `power`."""
        return self.flows.counted(self.generator.blocks(state), self._counting(quantity, power))

    def taken(self, state: Float[Array, " m"]) -> Float[Array, ""]:
        """Tr[H D rho] of a `state`."""
        return self.flows.counted(self.generator.blocks(state), self.energies)

    def _counting(self, quantity, power):
        """Operators with each element times what it takes out of the reservoir, to some power."""
        if quantity not in ("energy", "particles", "heat"):
            raise ValueError(
                f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.'
            )
        flows, number = self.flows, self.flows.number()
        if quantity == "particles" or not power:
            return flows.operators * number**power
        work = None
        if quantity == "heat" and flows.carries_particles:
            work = self.potential * number
        if flows.quanta is not None:
            quanta = flows.quanta[:, None, None, None]
            return flows.operators * (quanta if work is None else quanta - work) ** power
        found = self.energies if work is None else self.energies - work * flows.operators
        for _ in range(power - 1):
            energies = self.generator.added(flows, found)
            found = energies if work is None else energies - work * found
        return found


class _Columns:
    """Columns of matrices by class, for numbers whose class is `sector` and whose place there is
    `row`, `column`."""

    def __init__(self, sector, row, column):
        self._sector = jnp.maximum(sector, 0)
        self._row, self._column = row, column

    def of_rows(self, matrix):
        """[k, :, c]: the column of the matrix by which the row of number c is multiplied."""
        return jnp.swapaxes(matrix[self._sector, :, self._row], 1, 2)

    def of_columns(self, matrix):
        """The same for its column."""
        return jnp.swapaxes(matrix[self._sector, :, self._column], 1, 2)


def _pick(rows, table):
    """[k, r, c]: the entry of `table` [k, :, c] at the place of row r."""
    return jax.nn.one_hot(rows, table.shape[1], dtype=table.dtype) @ table


def _equal(rows, columns):
    return rows[..., :, None] == columns[..., None, :]


def _turned(blocks):
    return jnp.swapaxes(blocks, -1, -2)
