"""A device whose filters are damped modes inside it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._numerics.printing import one_line
from .._numerics.validation import check, is_concrete
from .._numerics.weighed import levels, weighed
from ..reservoirs import AbstractReservoir
from ..systems.base import AbstractSystem, explicit_filters
from ._bare import Bare, bare, edges_of
from ._generator import FilterDissipator, Flow, Generator
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
        if self.treatment == "redfield":
            energies, states = levels(hamiltonian, structure.sectors.is_there)
        flows = []
        for channel in structure.channels:
            reservoir = self.reservoirs[channel.reservoir]
            operator = self._operator(channel, known.amplitudes[channel.reservoir])
            if channel.mode:
                reservoir = behind(reservoir, modes[channel.reservoir])
            back = jnp.where(
                (channel.back >= 0)[:, None, None],
                jnp.swapaxes(operator, 1, 2)[channel.back],
                0.0,
            )
            directions = [(False, operator)] if channel.is_hermitian else [
                (False, operator),
                (True, back),
            ]
            for is_up, part in directions:
                if self.treatment == "redfield":
                    target = channel.back if is_up else channel.target
                    numbers, rest = eqx.partition(reservoir, eqx.is_inexact_array)
                    weight = _half_rate(rest, channel.particles * (1 if is_up else -1))
                    made, quantum = (
                        weighed(
                            weight,
                            target,
                            structure.sectors.is_there,
                            numbers,
                            hamiltonian,
                            energies,
                            states,
                            part,
                        ),
                        None,
                    )
                else:
                    gap = self._gap(channel, known, modes)
                    exchanged = float(channel.particles) if channel.particles else None
                    up, down = reservoir.rates(
                        gap, None if exchanged is None else jnp.full_like(gap, exchanged)
                    )
                    made = 0.5 * (up if is_up else down) * part
                    quantum = None
                    if self.treatment == "gap":
                        quantum = gap if is_up else -gap
                flows.append(Flow(channel, is_up, part, made, quantum))
        return Generator(hamiltonian, tuple(flows), structure)

    def dissipators(self, generator: Generator) -> dict[str, FilterDissipator]:
        """What each reservoir does, by name, of a `generator`."""
        return {
            name: FilterDissipator(
                generator,
                tuple(flow for flow in generator.flows if flow.channel.reservoir == name),
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
        values = factors if channel.mode else factors * amplitudes[pattern.places]
        return self.structure.sectors.matrices(pattern, values)

    def _gap(self, channel, known, modes):
        """The energy at which a local treatment makes the jumps of a channel."""
        edge = next(x for x in self.structure.edges if x.name == channel.reservoir)
        if channel.mode and self.treatment == "local":
            return modes[channel.reservoir].energy
        place = int(np.flatnonzero(edge.resonant)[0]) if channel.mode else channel.edges[0]
        return known.energies[edge.upper[place]] - known.energies[edge.lower[place]]


@explicit_filters.register
def _(device: AbstractSystem, levels: Any, **how: Any) -> ExplicitFilters:
    return ExplicitFilters(device, levels, **how)


def _half_rate(rest, particles):
    """Half the golden-rule rate of a jump by a gap, from the numbers of a reservoir."""

    def weight(numbers, gaps):
        reservoir = eqx.combine(numbers, rest)
        exchanged = jnp.full_like(gaps, float(particles)) if particles else None
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
