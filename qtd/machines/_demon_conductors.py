"""The N-demon between resonances that have a width, and a biased wire in its place."""

import jax
import jax.numpy as jnp

from ..distributions import LogitBasis, Mixture, ShiftedLogits, Thermal
from ..nonthermal import balanced, balanced_or_refused
from ..reservoirs import NonthermalReservoir
from ..scattering import Conductor
from ..transmissions import Boxcar, Lorentzian

OWNERS = ("hot", "hot", "cold", "cold")


def conductor(machine, logits, shape):
    """A conductor with these logits at the four resonances; see `NDemon.conductor`."""
    if shape not in ("narrow", "boxcar", "lorentzian"):
        raise ValueError(f'`shape` must be "narrow", "boxcar" or "lorentzian", got {shape!r}.')
    return _conductor(_parameters(machine, logits, shape), machine, shape)


def broadened(machine, logits, shape):
    """A conductor with the first three parameters moved until it is a demon; see
    `NDemon.broadened`."""
    known = _parameters(machine, logits, shape)
    conductor(machine, logits, shape)  # checks

    def build(three, args):
        return _conductor(jnp.concatenate([three, args[1][None]]), args[0], shape)

    told = (
        f"`width` {machine.width}: no demon as broad is found near the narrow one. Its resonances"
        " are too broad for these temperatures, or"
        " too many temperatures away from the chemical potential; lower `width`, or raise the"
        " temperatures."
    )
    return balanced_or_refused(
        build, jax.lax.stop_gradient(known[:3]), (machine, known[3]), "demon", ("hot", "cold"), told
    )


def wire(machine, share, temperature, start):
    """See `NDemon.wire`."""

    def build(potentials, known):
        machine, w, t = known
        return _joined(
            machine,
            Mixture(jnp.stack([w, 1 - w]), [Thermal(t, potentials[0]), Thermal(t, potentials[1])]),
            "narrow",
        )

    return balanced(build, start, (machine, share, temperature))


def _parameters(machine, logits, shape):
    """Parameters of the occupation: shifts of the leads' logits, or heights of the bumps that lead
    through these logits."""
    if shape != "lorentzian":
        return logits - jnp.stack(
            [machine.leads[name].logit(e) for name, e in zip(OWNERS, machine.energies)]
        )
    energies, (middle, spread) = jnp.stack(machine.energies), _bumps(machine)
    overlap = jnp.exp(-(((energies[:, None] - energies[None]) / spread) ** 2) / 2)
    wanted = logits - middle(energies)
    heights = wanted
    for _ in range(8):  # neighbours overlap by exp(-12.5) at most
        heights = heights + wanted - (overlap * heights[None]).sum(1)
    return heights


def _bumps(machine):
    """The Fermi function between the leads, and the width of bumps on its logit."""
    middle = Thermal(
        (machine.hot.temperature + machine.cold.temperature) / 2, machine.hot.chemical_potential
    )
    return middle, jnp.min(jnp.diff(jnp.sort(jnp.stack(machine.energies)))) / 5


def _conductor(parameters, machine, shape):
    energies = jnp.stack(machine.energies)
    if shape == "lorentzian":
        middle, spread = _bumps(machine)
        return _joined(
            machine,
            LogitBasis(middle, parameters, energies, jnp.broadcast_to(spread, energies.shape)),
            shape,
        )
    if shape == "boxcar":
        machine.windows(narrow=False)  # checks that they lie apart
    order = jnp.argsort(energies)
    temperatures = jnp.stack([machine.leads[name].temperature for name in OWNERS])[order]
    references = [Thermal(temperatures[k], machine.hot.chemical_potential) for k in range(4)]
    edges = (energies[order][1:] + energies[order][:-1]) / 2
    return _joined(machine, ShiftedLogits(references, parameters[order], edges), shape)


def _joined(machine, distribution, shape):
    """Conductor with this distribution of the demon."""
    kind, width = (
        (Lorentzian, 2 * machine.width / jnp.pi)
        if shape == "lorentzian"
        else (Boxcar, machine.width)
    )
    demon = NonthermalReservoir(distribution, chemical_potential=machine.hot.chemical_potential)
    links = [("demon", name, kind(energy, width)) for name, energy in zip(OWNERS, machine.energies)]
    return Conductor({"demon": demon, **machine.leads}, links, narrow=shape == "narrow")
