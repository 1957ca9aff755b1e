"""A device whose filters are damped modes inside it."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .._numerics.batching import alike
from .._numerics.memory import require_memory
from .._numerics.printing import one_line
from .._numerics.validation import check, is_concrete, positive, rule
from .._numerics.weighed import levels, weighed
from ..limits import WEAK_FILTER
from ..reservoirs import AbstractReservoir
from ..systems.base import AbstractSystem, explicit_filters
from ._bare import Bare, bare, edges_of
from ._generator import Blocks, FilterDissipator, Flows, Generator, Several
from ._modes import FilterMode, behind, local_mode, rotating_mode, whole_mode
from ._structure import Composite, Direction, composite

Treatment = Literal["redfield", "gap", "local", "davies"]
Coupling = Literal["rotating-wave", "full"]

_TUNED = 1e-6  # a local treatment is of a tuned filter up to rounding
_APART = 1000.0  # heights over widths from which joint levels lie apart, to about 2 % again
_MOST_STATES = 10_000  # beyond, blocks alone would fill any memory


class ExplicitFilters(AbstractSystem):
    r"""A `device` whose chosen filters are damped bosonic modes inside it, so that only their own
    damping has to be weak: what a rate equation becomes where rates outgrow the widths of filters.

    A peaked density of centre e, width d and height h, say that of reservoir r, is a mode b that
    exchanges quanta with the jumps a <-> b of the device, and loses them to what is left of r:

    $$ H = \sum_a E_a |a\rangle\langle a| + \sum_r e_r\, b_r^\dagger b_r + \sum_r \lambda_r
       \sum_{ab} A^r_{ab} \big(|a\rangle\langle b|\, b_r^\dagger + \mathrm{h.c.}\big), \qquad
       \lambda_r^2 = \tfrac12 h_r d_r $$

    with the residual density 2 d, flat and odd, so that the device sees a Lorentzian. A
    `qtd.spectral.Resonator` has lambda^2 = h / 2 and the residual density 2 d w instead. Levels are
    those given: there is no counter term, and couplings shift them.

    - `device`: a `RateNetwork`, or a `Lindbladian` of real operators, of which the levels of H are
      taken.
    - `levels`: the most quanta in each mode, by reservoir; None chooses them by the occupation, for
      known temperatures, and so does a list of names. Modes with many quanta cannot be counted one
      by one: leave these reservoirs implicit, and look at their meter.
    - `treatment` of the damping, A_mode = b + b^+:

      - `"redfield"`: the Redfield equation among the joint levels, without Lamb shift, of products
        that conserve the charges of the couplings ("partially secular"). Rates are those at the
        gaps of joint levels, so that detailed balance holds there. Not of Lindblad form:
        `ExplicitState.smallest_eigenvalue` tells.
      - `"gap"`: Lindblad form, rates 2 d (1 + n) and 2 d n with n at the device's own gap; one jump
        for each filter. Heat is gap times quanta, and obeys both laws where gaps close the loop;
        blind to the splitting of joint levels.
      - `"local"`: the same with n at the centre of the filter: for comparison with tuned filters.
        Detuned, it pumps heat uphill, and derivatives by centres are wrong; the status says so.
      - `"davies"`: a rate equation among the joint levels, rates at their gaps; without the
        coherences that weak coupling leaves, it misses that filters and device must hand quanta on,
        and promises the same current at any height. Of heights h >> d: 17 % too large for two
        levels at h / d = 100, 2 % at 1000 (three: 6 and 0.6 %); below that the status says so.

    - `coupling`: `"rotating-wave"` as above; `"full"` A lambda (b + b^+) with the mode at w0 =
      hypot(e, d), lambda^2 = h d e / (2 w0) and the residual density 2 d w / w0 for `"redfield"`
      (`Peaked` only), and in local treatments with the mode at e. It keeps half of all numbers.
    - `resonant`: by reservoir, pairs of levels whose jumps go by the mode; all by default. The
      others are driven by the tail of the density, as all jumps of implicit reservoirs are, at the
      gaps of joint levels. Jumps go up from the level that lies lower, or, where energies are not
      known, is listed first.

    Heat is Tr[H D_r rho], H with the couplings, in every treatment but "gap": the first law is
    exact. "Particles" of a filter are its quanta, net jumps of its damping; what is counted as
    energy is what each jump adds to H. `structure`: what is static.

    Only what can meet the populations is kept of the density matrix, and eliminated block by block:
    `structure.blocks` tells what memory and how many operations that takes. More memory than this
    computer has is refused.

    **Valid for** damping that is weak against the energies of the modes, d << e, d << T, and for
    the rotating wave h d << e^2. Against a hierarchy of equations of motion the default was off by
    0.4 to 1.1 % for two levels (d / e = 0.05, h / d = 1 to 10), and for a refrigerator of three by
    0.05, 0.9, 1.7 and 4 % at (d, h / d) = (0.05, 1), (0.2, 1), (0.2, 3), (0.2, 10), with e = 2, 4,
    6; the full coupling by 0.03 % for two levels at (0.2, 1). Beyond (d / e)^2 or h d / e^2 of 0.03
    the status says so. What d / T has to do with the rest was not separated. Energy counted beyond
    its mean is not settled: its covariances add up to zero to the accuracy of the theory only
    (0.15 % for three tuned levels at d / e = 0.05), those of quanta of tuned filters to rounding.
    Filters that several jumps share keep only near-resonant ones in the rotating wave: name these
    as `resonant`, and leakage is left to the tails; against no exact solution was that compared.
    Raises `ValueError` for densities that are not peaked, electrons, and what is illegal otherwise.
    **Source:** Kolisnyk and Schaller, Eq. (5) and App. B, for the mode; the residual density and
    its frequency are derived anew.

    Three levels cool 1.64 times less than their rates say, at heights equal to the widths:

    >>> def filtered(temperature, center):
    ...     density = qtd.spectral.Peaked(center, 0.05, 0.05)
    ...     return qtd.Reservoir(temperature, spectral_density=density)
    >>> jumps = [("cold", 0, 1, 1.0), ("work", 1, 2, 1.0), ("hot", 0, 2, 1.0)]
    >>> baths = {"cold": filtered(0.5, 2.0), "work": filtered(5.0, 4.0), "hot": filtered(1.0, 6.0)}
    >>> fridge = qtd.RateNetwork([0.0, 2.0, 6.0], jumps, baths)
    >>> promised = qtd.operate(fridge, "cold", "work").heat_currents["cold"]
    >>> true = qtd.operate(fridge, "cold", "work", explicit={"cold": 2, "work": 9, "hot": 1})
    >>> print(f"{promised / true.heat_currents['cold']:.2f}")
    1.64
    """

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
            ("treatment", treatment, ("redfield", "gap", "local", "davies")),
            ("coupling", coupling, ("rotating-wave", "full")),
        ):
            if value not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(map(repr, known))}, got {value!r}."
                )
        if treatment == "davies" and coupling == "full":
            raise ValueError('`coupling` must be "rotating-wave" with `treatment` "davies".')
        self.device, self.treatment, self.coupling = device, treatment, coupling
        edges = edges_of(device, resonant or {})
        tops = _tops(device, levels, self._mode)
        for edge in edges:
            if edge.name in tops and not any(edge.resonant):
                raise ValueError(f"`explicit` names {edge.name!r}, which drives no jump.")
            if edge.name in tops and treatment == "gap" and sum(edge.resonant) > 1:
                raise ValueError(
                    f'`treatment` "gap" needs one jump for each filter, but {edge.name!r} drives'
                    f' {sum(edge.resonant)}: name the one as `resonant`, or take "redfield".'
                )
        is_full, is_joint = coupling == "full", treatment == "redfield"
        ordered = tuple((edge.name, tops[edge.name]) for edge in edges if edge.name in tops)
        size = len(_energies(device))
        states = size * math.prod(top + 1 for _, top in ordered)
        if states > _MOST_STATES:
            raise ValueError(
                f"`explicit` makes {states} states of device and modes, of {_MOST_STATES} at most:"
                " take fewer quanta, or fewer filters."
            )
        self.structure = composite(size, edges, ordered, is_full, is_joint)
        require_memory(
            self.structure.blocks.memory,
            f"`explicit` keeps {len(self.structure.kept)} numbers, whose elimination",
            "take fewer quanta, or fewer filters",
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
            reservoir = self.reservoirs[name]
            rule(
                (reservoir.chemical_potential,),
                lambda x: x == 0,
                f"`chemical_potential` of {name!r} must be 0, as quanta of filters are no"
                " particles, got {}.".format,
            )
            check(
                f"height of the explicit filter of {name!r}",
                self._mode(reservoir.spectral_density).coupling,
                "positive",
            )

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
                pair for pair, chosen in zip(zip(edge.lower, edge.upper), edge.resonant) if chosen
            ]
            for edge in self.structure.edges
        }
        return ExplicitFilters(self.device, levels, self.treatment, self.coupling, resonant)

    def generator(self) -> Generator:
        """What happens to its state."""
        if self.treatment == "davies":
            raise ValueError('`treatment` "davies" has a rate equation in place of a generator.')
        structure = self.structure
        hamiltonian, operators, strengths = self.parts()
        if self.treatment == "redfield":
            weights, quanta = self._redfield(hamiltonian, operators), None
        else:
            rates, quanta = self._local()
            weights = 0.5 * rates[:, None, None, None] * operators
            quanta = quanta if self.treatment == "gap" else None
        weights = strengths[:, None, None, None] * weights
        every = tuple(range(len(structure.directions)))
        return Generator(hamiltonian, Flows(operators, weights, quanta, structure, every))

    def parts(self) -> tuple[Blocks, Several, Float[Array, " directions"]]:
        """The Hamiltonian and the operators of all directions, by the class that they act on, and
        what multiplies the rates of each besides."""
        known, modes = bare(self.device), self.modes()
        return self._hamiltonian(known, modes), self._operators(known), self._strengths(known)

    def damping(self, direction: Direction) -> tuple[AbstractReservoir, Float[Array, ""] | None]:
        """The reservoir that drives a `direction`, and what it adds to the device's number."""
        channel = self.structure.channels[direction.channel]
        reservoir = self.reservoirs[direction.reservoir]
        if channel.is_mode:
            reservoir = behind(reservoir, self._mode(reservoir.spectral_density))
        particles = channel.particles if direction.is_up else -channel.particles
        kind = reservoir.chemical_potential.dtype
        return reservoir, jnp.asarray(particles, kind) if channel.particles else None

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

    def _redfield(self, hamiltonian, operators):
        """Operators weighed with half of the rates at the gaps between joint levels; reservoirs of
        one kind by one program."""
        structure = self.structure
        is_there = structure.sectors.is_there
        energies, states = levels(hamiltonian, is_there)
        damping = [self.damping(direction) for direction in structure.directions]
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

    def _local(self):
        """Rates and quanta of all directions, each at one energy."""
        known, modes = bare(self.device), self.modes()
        rates, quanta = [], []
        for direction in self.structure.directions:
            channel = self.structure.channels[direction.channel]
            gap = self._gap(channel, known, modes)
            reservoir, particles = self.damping(direction)
            sign = 1 if direction.is_up else -1
            rates.append(reservoir.rates(sign * gap, particles)[0])
            quanta.append(sign * gap)
        return jnp.stack(rates), jnp.stack(quanta)

    def dissipators(self, generator: Generator) -> dict[str, FilterDissipator]:
        """What each reservoir does, by name, of a `generator`."""
        flows = generator.flows
        energies = generator.added(flows, flows.operators)
        return {
            name: FilterDissipator(
                generator,
                flows.of(name),
                energies[flows.places(name)],
                reservoir.chemical_potential,
            )
            for name, reservoir in self.reservoirs.items()
        }

    def damping_ratios(self) -> dict[str, Float[Array, ""]]:
        """What must be small of each mode for its damping to be weak, by reservoir: the square of
        its width over its energy, or height times width over the square of its energy (which full
        coupling does not ask for), whichever is larger."""
        known, found = bare(self.device), {}
        for name, mode in self.modes().items():
            found[name] = (mode.residual(mode.energy) / (2 * mode.energy)) ** 2
        if self.coupling != "rotating-wave":
            return found
        for edge in self.structure.edges:
            if edge.name in found:
                mode, own = self.modes()[edge.name], np.flatnonzero(edge.resonant)
                largest = jnp.max(known.amplitudes[edge.name][own] ** 2)
                strength = 2 * mode.coupling * largest / mode.energy**2
                found[edge.name] = jnp.maximum(found[edge.name], strength)
        return found

    def is_outside(self) -> Bool[Array, ""]:
        """Whether this treatment does not hold at these numbers."""
        known, modes = bare(self.device), self.modes()
        found = [ratio > WEAK_FILTER for ratio in self.damping_ratios().values()]
        for edge in self.structure.edges:
            if edge.name not in modes:
                continue
            mode, own = modes[edge.name], np.flatnonzero(edge.resonant)
            gaps = known.energies[np.array(edge.upper)[own]]
            gaps = gaps - known.energies[np.array(edge.lower)[own]]
            found.append(jnp.any(gaps <= 0))
            if self.treatment == "local":
                found.append(jnp.any(jnp.abs(gaps - mode.energy) > _TUNED * mode.energy))
            if self.treatment == "davies":
                width = mode.residual(mode.energy) / 2
                smallest = jnp.min(known.amplitudes[edge.name][own] ** 2)
                found.append(2 * mode.coupling * smallest < _APART * width**2)
        return functools.reduce(jnp.logical_or, found)

    def _mode(self, density):
        if self.treatment in ("gap", "local"):
            return local_mode(density)
        return whole_mode(density) if self.coupling == "full" else rotating_mode(density)

    def _hamiltonian(self, known: Bare, modes: dict[str, FilterMode]):
        structure = self.structure
        energies = [modes[name].energy for name in structure.modes]
        couplings = [
            jnp.sqrt(positive(modes[name].coupling)) * known.amplitudes[name][edge]
            for name, edge in structure.couplings
        ]
        numbers = jnp.concatenate([known.energies, jnp.stack([*energies, *couplings])])
        pattern = structure.hamiltonian
        values = jnp.asarray(pattern.factors, numbers.dtype) * numbers[pattern.places]
        return structure.sectors.matrices(pattern, values)

    def _operator(self, channel, amplitudes):
        pattern = channel.pattern
        values = jnp.asarray(pattern.factors, amplitudes.dtype)
        if len(channel.edges) > 1:
            values = values * amplitudes[pattern.places]
        return self.structure.sectors.matrices(pattern, values)

    def _strengths(self, known):
        """What multiplies the rates of each direction: what its operator does not hold. The root
        of a strength has no derivative at 0."""
        one = jnp.ones_like(known.energies[0])
        found = []
        for direction in self.structure.directions:
            edges = self.structure.channels[direction.channel].edges
            is_single = len(edges) == 1
            found.append(known.strengths[direction.reservoir][edges[0]] if is_single else one)
        return jnp.stack(found)

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
            top = quanta_needed(name, reservoir, mode)
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


def quanta_needed(name: str, reservoir: AbstractReservoir, mode: FilterMode) -> int:
    """The most quanta that need be counted of the `mode` of a `reservoir` called `name`, by its
    occupation; `ValueError` where these are too many, or where it is not known."""
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
