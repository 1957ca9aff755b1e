"""The generator of a device with explicit filters: what its Hamiltonian and its reservoirs do to
the blocks of its state."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numerics.batching import add
from ._structure import Channel, Composite

Blocks = Float[Array, "sectors n n"]


class Flow(eqx.Module):
    r"""Jumps by an operator C in one direction, and what they lose:
    $\Lambda \rho C^T + C \rho \Lambda^T - C^T \Lambda \rho - \rho \Lambda^T C$.

    `is_up`: by C as the channel has it (False) or by its transposed (True); `operator` C and
    `weighed` \Lambda by the class that they act on; `quantum`: what a jump takes out of the
    reservoir where that is the same for all, in the local treatments, else None.
    """

    channel: Channel = eqx.field(static=True)
    is_up: bool = eqx.field(static=True)
    operator: Blocks
    weighed: Blocks
    quantum: Float[Array, ""] | None

    @property
    def target(self):
        """The class that each class is taken to, -1 for none."""
        return self.channel.back if self.is_up else self.channel.target

    @property
    def source(self):
        """The class that each class is reached from, -1 for none."""
        return self.channel.target if self.is_up else self.channel.back

    @property
    def loss(self) -> Blocks:
        """C^T \Lambda."""
        return _turned(self.operator) @ self.weighed

    def arrive(self, made: Blocks) -> Blocks:
        """What is made from each class, in the class where it arrives."""
        source = self.source
        return jnp.where((source >= 0)[:, None, None], made[source], 0.0)

    def gain(self, blocks: Blocks, operator: Blocks) -> Blocks:
        """\Lambda \rho C^T + C \rho \Lambda^T, with another operator in place of C."""
        left = self.weighed @ blocks @ _turned(operator)
        return self.arrive(left + operator @ blocks @ _turned(self.weighed))

    def counted(self, blocks: Blocks, operator: Blocks) -> Float[Array, ""]:
        """The trace of `gain`."""
        even = 0.5 * (blocks + _turned(blocks))
        return 2 * jnp.sum((self.weighed @ even) * operator)

    def gross(self, blocks: Blocks, operator: Blocks) -> Float[Array, ""]:
        """The same without signs, of which rounding is a share."""
        even = 0.5 * (blocks + _turned(blocks))
        return 2 * jnp.sum((jnp.abs(self.weighed) @ jnp.abs(even)) * jnp.abs(operator))


class Generator(eqx.Module):
    """All that happens: `hamiltonian` by class, and the `flows` of all reservoirs."""

    hamiltonian: Blocks
    flows: tuple[Flow, ...]
    losses: Blocks
    structure: Composite = eqx.field(static=True)

    def __init__(self, hamiltonian: Blocks, flows: tuple[Flow, ...], structure: Composite):
        self.hamiltonian, self.flows, self.structure = hamiltonian, flows, structure
        self.losses = add(flow.loss for flow in flows)

    def apply(self, x: Float[Array, " m"], transposed: bool = False) -> Float[Array, " m"]:
        """What happens to a state per time, both as the numbers that are kept; only not
        `transposed`."""
        blocks = self.blocks(x)
        # Of S + i A, kept as R = S + A, the commutator is this; see `Composite`.
        turned = _turned(blocks)
        made = turned @ self.hamiltonian - self.hamiltonian @ turned
        made = made - self.losses @ blocks - blocks @ _turned(self.losses)
        for flow in self.flows:
            made = made + flow.gain(blocks, flow.operator)
        return self.numbers(made)

    def blocks(self, x: Float[Array, " m"]) -> Blocks:
        """The blocks of a state from the numbers that are kept."""
        return jnp.concatenate([x, jnp.zeros_like(x[:1])])[self.structure.spread]

    def numbers(self, blocks: Blocks) -> Float[Array, " m"]:
        """The inverse of `blocks`."""
        return blocks.reshape(-1)[self.structure.kept]

    def energy(self, flow: Flow, power: int, offset: Float[Array, ""] | float = 0.0) -> Blocks:
        """C with its elements times the energy that they add to the device, less an `offset`, to
        some `power`: nested commutators with H."""
        weighed = flow.operator
        for _ in range(power):
            step = self.hamiltonian[flow.target] @ weighed - weighed @ self.hamiltonian
            weighed = step - offset * weighed
        return weighed


class FilterDissipator(eqx.Module):
    """What one reservoir does, jump by jump: the `flows` that are its own, of a `generator`.
    `potential`: its chemical potential, for electrons."""

    generator: Generator
    flows: tuple[Flow, ...]
    potential: Float[Array, ""]
    counts_particles: bool = eqx.field(static=True)

    def jump(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, " m"]:
        """The jump part applied to a `state`, each quantum of a `quantity` counted to some
        `power`."""
        blocks = self.generator.blocks(state)
        made = [flow.gain(blocks, self._weighed(flow, quantity, power)) for flow in self.flows]
        return self.generator.numbers(add([jnp.zeros_like(blocks), *made]))

    def counted(self, state: Float[Array, " m"], quantity: str, power: int) -> Float[Array, ""]:
        """The trace of `jump`, of the same `state`, `quantity` and `power`."""
        blocks = self.generator.blocks(state)
        made = [flow.counted(blocks, self._weighed(flow, quantity, power)) for flow in self.flows]
        return add([jnp.zeros_like(state[0]), *made])

    def taken(self, state: Float[Array, " m"]) -> Float[Array, ""]:
        """Tr[H D rho] of a `state`."""
        blocks = self.generator.blocks(state)
        made = [flow.counted(blocks, self.generator.energy(flow, 1)) for flow in self.flows]
        return add([jnp.zeros_like(state[0]), *made])

    def gross(self, state: Float[Array, " m"]) -> Float[Array, ""]:
        """`taken` without signs: what goes to and fro."""
        blocks = self.generator.blocks(state)
        made = [flow.gross(blocks, self.generator.energy(flow, 1)) for flow in self.flows]
        return add([jnp.zeros_like(state[0]), *made])

    def _weighed(self, flow, quantity, power):
        """C with each element times what it takes out of the reservoir, to some power."""
        if quantity not in ("energy", "particles", "heat"):
            raise ValueError(
                f'`quantity` must be "energy", "particles" or "heat", got {quantity!r}.'
            )
        number = self._particles(flow)
        if quantity == "particles":
            return flow.operator * number**power
        work = self.potential * number if self.counts_particles and quantity == "heat" else 0.0
        if flow.quantum is not None:
            return flow.operator * (flow.quantum - work) ** power
        return self.generator.energy(flow, power, work)

    def _particles(self, flow):
        """Electrons that a jump takes out of the reservoir; of bosons, quanta."""
        number = flow.channel.particles if self.counts_particles else 1
        return float(number if flow.is_up else -number)


def _turned(blocks):
    return jnp.swapaxes(blocks, -1, -2)
