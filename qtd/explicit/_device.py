"""A device whose filters are damped modes inside it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics.batching import alike
from .._numerics.printing import one_line
from .._numerics.validation import check, is_concrete
from .._numerics.weighed import levels, weighed
from ..reservoirs import AbstractReservoir
from ..systems.base import AbstractSystem, explicit_filters
from ._bare import Bare, bare, edges_of
from ._generator import FilterDissipator, Flows, Generator
from ._modes import FilterMode, behind, local_mode, rotating_mode, whole_mode
from ._structure import Composite, composite

Treatment = Literal["redfield", "gap", "local"]
Coupling = Literal["rotating-wave", "full"]

_MOST_MEMORY = 6e9  # bytes


class ExplicitFilters(AbstractSystem):
    r"""TODO"""

    device: AbstractSystem
    structure: Composite = eqx.field(static=True)
    treatment: Treatment = eqx.field(static=True)
    coupling: Coupling = eqx.field(static=True)

    def __init__(
        self,
        device: AbstractSystem,
        levels: Mapping[str, int] | Sequence[str],
        treatment: Treatment = "redfield",
        coupling: Coupling = "rotating-wave",
        resonant: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    ):
        for name, value, known in (
            ("treatment", treatment, ("redfield", "gap", "local")),
            ("coupling", coupling, ("rotating-wave", "full")),
        ):
            if value not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(map(repr, known))}, got {value!r}."
                )
        self.device, self.treatment, self.coupling = device, treatment, coupling
        edges = edges_of(device, resonant or {})
        tops = _tops(device, levels, self._mode)
        for edge in edges:
            if edge.name in tops and not any(edge.resonant):
                raise ValueError(f"`explicit` names {edge.name!r}, which drives no jump.")
            if edge.name in tops and treatment == "gap" and sum(edge.resonant) > 1:
                raise ValueError(
                    f'`treatment` "gap" needs one jump for each filter, but {edge.name!r} drives'
                    f" {sum(edge.resonant)}: name the one as `resonant`, or take \"redfield\"."
                )
        is_full, is_joint = coupling == "full", treatment == "redfield"
        ordered = tuple((edge.name, tops[edge.name]) for edge in edges if edge.name in tops)
        self.structure = composite(len(_energies(device)), edges, ordered, is_full, is_joint)
        if self.structure.blocks.memory > _MOST_MEMORY:
            raise ValueError(
                f"`explicit` keeps {len(self.structure.kept)} numbers, whose elimination takes"
                f" {self.structure.blocks.memory / 1e9:.0f} GB: take fewer quanta, or fewer"
                " filters."
            )

    @classmethod
    def of(
        cls,
        device: AbstractSystem,
        structure: Composite,
        treatment: Treatment,
        coupling: Coupling,
    ) -> "ExplicitFilters":
        """The same of another `device` of the same kind, without working out the `structure`
        again; nothing is checked. `treatment` and `coupling` as in the constructor."""
        made = object.__new__(cls)
        for name, value in (
            ("device", device),
            ("structure", structure),
            ("treatment", treatment),
            ("coupling", coupling),
        ):
            object.__setattr__(made, name, value)
        return made

    def rules(self) -> None:
        for name in self.structure.modes:
            potential = self.reservoirs[name].chemical_potential
            check(f"chemical_potential of {name!r}", -jnp.abs(potential), "nonnegative")

    @property
    def reservoirs(self) -> dict[str, AbstractReservoir]:
        """Those of the device, by name, in the order in which they are counted."""
        return {edge.name: self.device.reservoirs[edge.name] for edge in self.structure.edges}

    @property
    def approach(self) -> str:
        """Its `treatment`."""
        return self.treatment

    def modes(self) -> dict[str, FilterMode]:
        """The modes, by the name of their reservoir: energy, coupling^2 and residual density."""
        return {
            name: self._mode(self.reservoirs[name].spectral_density)
            for name in self.structure.modes
        }

    def with_levels(self, levels: Mapping[str, int]) -> "ExplicitFilters":
        """The same with at most so many quanta in each mode, `levels` by reservoir."""
        resonant = {
            edge.name: [
                pair
                for pair, chosen in zip(zip(edge.lower, edge.upper), edge.resonant)
                if chosen
            ]
            for edge in self.structure.edges
        }
        return ExplicitFilters(self.device, levels, self.treatment, self.coupling, resonant)

    def generator(self) -> Generator:
        """What happens to its state."""
        structure, known, modes = self.structure, bare(self.device), self.modes()
        hamiltonian = self._hamiltonian(known, modes)
        operators = self._operators(known)
        if self.treatment == "redfield":
            weights, quanta = self._redfield(hamiltonian, operators, modes), None
        else:
            rates, quanta = self._local(known, modes)
            weights = 0.5 * rates[:, None, None, None] * operators
            quanta = quanta if self.treatment == "gap" else None
        every = tuple(range(len(structure.directions)))
        return Generator(hamiltonian, Flows(operators, weights, quanta, structure, every))

    def _operators(self, known):
        """Operators of all directions, by the class that they act on."""
        structure, made = self.structure, []
        down = [
            self._operator(channel, known.amplitudes[channel.reservoir])
            for channel in structure.channels
        ]
        for direction, targets in zip(structure.directions, structure.targets):
            operator = down[direction.channel]
            if direction.is_up:
                back = jnp.swapaxes(operator, 1, 2)[targets]
                operator = jnp.where((targets >= 0)[:, None, None], back, 0.0)
            made.append(operator)
        return jnp.stack(made)

    def _redfield(self, hamiltonian, operators, modes):
        """Operators weighed with half of the rates at the gaps between joint levels; reservoirs of
        one kind by one program."""
        structure = self.structure
        is_there = structure.sectors.is_there
        energies, states = levels(hamiltonian, is_there)
        damping = [self._damping(direction, modes) for direction in structure.directions]
        found = jnp.zeros_like(operators)
        for group in alike(damping):
            chosen = np.array(group)
            parts = [eqx.partition(damping[i], eqx.is_inexact_array) for i in group]
            numbers = jax.tree.map(lambda *x: jnp.stack(x), *(number for number, _ in parts))
            made = weighed(
                _half_rate(parts[0][1]),
                structure.targets[chosen],
                is_there,
                numbers,
                hamiltonian,
                energies,
                states,
                operators[chosen],
            )
            found = found.at[chosen].set(made)
        return found

    def _damping(self, direction, modes):
        """The reservoir that drives a direction, and what it adds to the device's number."""
        channel = self.structure.channels[direction.channel]
        reservoir = self.reservoirs[direction.reservoir]
        if channel.is_mode:
            reservoir = behind(reservoir, modes[direction.reservoir])
        particles = channel.particles if direction.is_up else -channel.particles
        kind = reservoir.chemical_potential.dtype
        return reservoir, jnp.asarray(particles, kind) if channel.particles else None

    def _local(self, known, modes):
        """Rates and quanta of all directions, each at one energy."""
        rates, quanta = [], []
        for direction in self.structure.directions:
            channel = self.structure.channels[direction.channel]
            gap = self._gap(channel, known, modes)
            reservoir, particles = self._damping(direction, modes)
            sign = 1 if direction.is_up else -1
            rates.append(reservoir.rates(sign * gap, particles)[0])
            quanta.append(sign * gap)
        return jnp.stack(rates), jnp.stack(quanta)

    def dissipators(self, generator: Generator) -> dict[str, FilterDissipator]:
        """What each reservoir does, by name, of a `generator`."""
        return {
            name: FilterDissipator(
                generator,
                generator.flows.of(name),
                reservoir.chemical_potential,
                reservoir.statistics == "fermi",
            )
            for name, reservoir in self.reservoirs.items()
        }

    def _mode(self, density):
        if self.treatment != "redfield":
            return local_mode(density)
        return whole_mode(density) if self.coupling == "full" else rotating_mode(density)

    def _hamiltonian(self, known: Bare, modes: dict[str, FilterMode]):
        structure = self.structure
        energies = [modes[name].energy for name in structure.modes]
        couplings = [
            jnp.sqrt(modes[name].coupling) * known.amplitudes[name][edge]
            for name, edge in structure.couplings
        ]
        numbers = jnp.concatenate([known.energies, jnp.stack([*energies, *couplings])])
        pattern = structure.hamiltonian
        values = jnp.asarray(pattern.factors, numbers.dtype) * numbers[pattern.places]
        return structure.sectors.matrices(pattern, values)

    def _operator(self, channel, amplitudes):
        pattern = channel.pattern
        factors = jnp.asarray(pattern.factors, amplitudes.dtype)
        values = factors if channel.is_mode else factors * amplitudes[pattern.places]
        return self.structure.sectors.matrices(pattern, values)

    def _gap(self, channel, known, modes):
        """The energy at which a local treatment makes the jumps of a channel."""
        edge = next(x for x in self.structure.edges if x.name == channel.reservoir)
        if channel.is_mode and self.treatment == "local":
            return modes[channel.reservoir].energy
        place = int(np.flatnonzero(edge.resonant)[0]) if channel.is_mode else channel.edges[0]
        return known.energies[edge.upper[place]] - known.energies[edge.lower[place]]


@explicit_filters.register
def _(device: AbstractSystem, levels: Any, **how: Any) -> ExplicitFilters:
    return ExplicitFilters(device, levels, **how)


def _half_rate(rest):
    """Half the golden-rule rate of a jump by a gap, from the numbers of a reservoir and of the
    particles that jump."""

    def weight(numbers, gaps):
        reservoir, particles = eqx.combine(numbers, rest)
        exchanged = None if particles is None else jnp.broadcast_to(particles, gaps.shape)
        return 0.5 * reservoir.rates(gaps, exchanged)[0]

    return weight


def _energies(device):
    return bare(device).energies


def _tops(device, levels, mode_of):
    """The largest number of quanta in the mode of each reservoir, chosen where it is not given."""
    given = levels if isinstance(levels, Mapping) else dict.fromkeys(levels)
    if isinstance(levels, str) or not given:
        raise ValueError(
            "`explicit` must map names of reservoirs to the most quanta in their modes, as in"
            f' {{"cold": 3}}, or list names, got {one_line(levels)}.'
        )
    found = {}
    for name, top in given.items():
        if name not in device.reservoirs:
            raise ValueError(
                f"`explicit` names {name!r}; the reservoirs are"
                f" {', '.join(map(repr, device.reservoirs))}."
            )
        reservoir = device.reservoirs[name]
        if reservoir.statistics != "bose":
            raise ValueError(f"`explicit` names {name!r}, whose quanta are no bosons.")
        mode = mode_of(reservoir.spectral_density)
        if top is None:
            top = _enough(name, reservoir, mode)
        if not isinstance(top, int | np.integer) or isinstance(top, bool) or top < 1:
            raise ValueError(
                f"`explicit` of {name!r} must be a number of quanta, at least 1, or None to choose"
                f" it, got {top!r}."
            )
        found[name] = int(top)
    return found


def lost(top: int, share: Any) -> Any:
    """About how far currents are off, relatively, where the level of `top` quanta, the last one,
    holds a `share` of a mode: measured on devices of two and three levels, mostly less."""
    return 4 * (top + 1) * share


def _enough(name, reservoir, mode):
    if not is_concrete(reservoir):
        raise ValueError(
            f"`explicit` of {name!r} must be a number of quanta where its temperature is not known."
        )
    mean = float(reservoir.occupation(mode.energy))
    share = mean / (1 + mean)
    for top in range(1, 64):
        if lost(top, (1 - share) * share**top) < 3e-4:
            return top
    raise ValueError(
        f"`explicit` names {name!r}, whose mode holds {mean:.3g} quanta: too many to count one by"
        " one; leave it implicit."
    )
