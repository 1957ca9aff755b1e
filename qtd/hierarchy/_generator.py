"""The generator of a hierarchy, from the numbers of a device, and what is read off its state."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .._numerics.batching import add
from .._numerics.block_elimination import Bands
from .._numerics.hermitian import eigensystem
from ..reservoirs import AbstractReservoir
from ._correlations import Modes
from ._device import Hierarchy
from ._structure import Tiers


class Generator(eqx.Module):
    """What the auxiliary operators do to one another: the real matrix that has these `values` at
    the places of `tiers`."""

    values: Float[Array, " entries"]
    tiers: Tiers = eqx.field(static=True)

    def apply(self, x: Float[Array, " m"]) -> Float[Array, " m"]:
        """The matrix times `x`."""
        by_row = jnp.append(self.values, 0)[self.tiers.slots]
        return jnp.sum(by_row * x[self.tiers.meets], axis=0)

    def bands(self) -> Bands:
        """The same, block by block."""
        return self.tiers.blocks.of_entries(self.tiers.rows, self.tiers.columns, self.values)


class Numbers(eqx.Module):
    """The numbers of a `hierarchy` that its equations are made of: `hamiltonian`, and `couplings`
    and `modes` by reservoir."""

    hamiltonian: Complex[Array, "d d"]
    couplings: dict[str, Complex[Array, "d d"]]
    modes: dict[str, Modes]
    tiers: Tiers = eqx.field(static=True)

    def __init__(self, hierarchy: Hierarchy):
        self.tiers = hierarchy.structure.tiers
        self.hamiltonian = hierarchy.hamiltonian()
        self.couplings, self.modes = hierarchy.couplings(), hierarchy.modes()

    def atoms(self) -> Float[Array, " numbers"]:
        """What the generator is linear in: all real parts, then all imaginary ones."""
        tiers, kind = self.tiers, self.hamiltonian.dtype
        up, left, right, feeds, rates = [], [], [], [], []
        for name in tiers.names:
            coupling, modes = self.couplings[name].reshape(-1), self.modes[name]
            scales = modes.scales.astype(kind)
            up.append(scales[:, None] * coupling[None])
            left.append((modes.left / scales)[:, None] * coupling[None])
            right.append((modes.right / scales)[:, None] * coupling[None])
            feeds.append((modes.feeds * modes.scales / modes.scales[0]).astype(kind))
            rates.append(modes.rates)
        decays = jnp.asarray(tiers.quanta, kind) @ jnp.concatenate(rates)
        parts = [self.hamiltonian, *up, *left, *right, *feeds, decays]
        every = jnp.concatenate([part.reshape(-1) for part in parts])
        return jnp.concatenate([every.real, every.imag])

    def generator(self, atoms: Float[Array, " numbers"]) -> Generator:
        """The generator made of these `atoms`."""
        tiers = self.tiers
        parts = jnp.asarray(tiers.factors, atoms.dtype) * atoms[tiers.sources]
        values = jax.ops.segment_sum(parts, tiers.targets, len(tiers.rows), indices_are_sorted=True)
        return Generator(values, tiers)

    def operators(self, vector: Float[Array, " m"], chosen) -> Complex[Array, "n d d"]:
        """Some auxiliary operators of a state `vector`, in quanta of their size."""
        real, imaginary, sign = self.tiers.element_map(chosen)
        padded = jnp.append(vector, 0)
        return jax.lax.complex(padded[real], jnp.asarray(sign, vector.dtype) * padded[imaginary])

    def vector(self, operators: Complex[Array, "n d d"]) -> Float[Array, " m"]:
        """The inverse of `operators`, of all of them, with what is not kept left out."""
        flat = operators.reshape(-1)
        real, imaginary = self.tiers.nodes
        return jnp.concatenate([flat.real[real], flat.imag[imaginary]])

    def currents(
        self, vector: Float[Array, " m"]
    ) -> tuple[dict[str, Float[Array, ""]], dict[str, Float[Array, ""]]]:
        """Of a state `vector`: the energy that the device takes up from each reservoir r per time,
        Tr[i [A_r, H] <B_r>], and what leaves the reservoir besides, sum_s Tr[i [A_r, A_s] <B_r
        B_s>]."""
        taken = {name: self._mean(vector, name) for name in self.tiers.names}
        exchanged = {name: jnp.zeros_like(value) for name, value in taken.items()}
        for i, name in enumerate(self.tiers.names):
            for other in self.tiers.names[i + 1 :]:
                found = self._exchange(vector, name, other)
                if found is not None:
                    exchanged[name] = exchanged[name] + found
                    exchanged[other] = exchanged[other] - found
        return taken, exchanged

    def missed(
        self, vector: Float[Array, " m"], name: str, reservoir: AbstractReservoir
    ) -> Float[Array, " m"]:
        """What the part of the correlation function of a `reservoir`, called `name`, that its modes
        do not have would do to all auxiliary operators of a `vector`: -[A, [Lambda, rho]], Lambda
        the coupling between levels of H times half of the largest missing part of the spectrum
        within the reservoir's bandwidth of their gap."""
        coupling = self.couplings[name]
        energies, states = eigensystem(self.hamiltonian)
        gaps, width = energies[:, None] - energies[None], reservoir.spectral_density.bandwidth()
        near = [gaps] if width is None else [gaps, gaps + width, gaps - width]
        parts = [jnp.abs(self._missing(frequency, name, reservoir)) for frequency in near]
        weights = 0.5 * functools.reduce(jnp.maximum, parts)
        inside = states.conj().T @ coupling @ states * weights.astype(states.dtype)
        second = states @ inside @ states.conj().T
        every = self.operators(vector, np.arange(len(self.tiers.quanta)))
        return self.vector(-_commutator(coupling, _commutator(second, every)))

    def next_quantum(self) -> Float[Array, ""]:
        """About how much less the next quantum of the terms does than the last one: the sum of
        |c_j| Tr[A^2] / nu_j^2; 0 where there are no terms."""
        found = [jnp.zeros_like(self.hamiltonian[0, 0].real)]
        for name, modes in self.modes.items():
            size = jnp.sum(jnp.abs(self.couplings[name]) ** 2)
            rates, fed = modes.rates.real, jnp.abs(modes.feeds)
            heard = self.tiers.heard_of(name)
            amounts = jnp.where(heard, jnp.abs(modes.left), fed / (rates + rates[0]))
            is_term = self.tiers.is_term[self.tiers.modes_of[name]]
            found.append(jnp.sum(jnp.where(is_term, size * amounts / rates**2, 0)))
        return add(found)

    def work(self, vector: Float[Array, " m"]) -> Float[Array, ""]:
        """Tr[H rho] of the first operator of a `vector`."""
        return _trace(self.hamiltonian, self.operators(vector, [0])[0])

    def _missing(self, frequency, name, reservoir):
        """The symmetric part of the spectrum, less that of the modes."""
        up, down = reservoir.rates(frequency)
        modes, heard = self.modes[name], self.tiers.heard_of(name)

        def half(z):
            """The Laplace transform of C."""
            first, found = modes.rates[0] + z, []
            for k, is_heard in enumerate(heard):
                each = modes.left[k] / (modes.rates[k] + z)
                found.append(each if is_heard else modes.feeds[k].astype(z.dtype) * each / first)
            return add(found)

        at = jax.lax.complex(jnp.zeros_like(frequency), frequency)
        return 0.5 * (up + down) - (half(at) + half(-at)).real

    def _mean(self, vector, name):
        first = self.tiers.first(name)
        scales = self.modes[name].scales
        start = self.tiers.modes_of[name][0]
        found = self.operators(vector, [place for _, place in first])
        heard = add(
            scales[k - start].astype(found.dtype) * part for (k, _), part in zip(first, found)
        )
        return _trace(1j * _commutator(self.couplings[name], self.hamiltonian), heard)

    def _exchange(self, vector, name, other):
        pairs = self.tiers.second(name, other)
        if not pairs:
            return None
        here, there = self.modes[name].scales, self.modes[other].scales
        starts = self.tiers.modes_of[name][0], self.tiers.modes_of[other][0]
        found = self.operators(vector, [place for _, _, place in pairs])
        both = add(
            (here[k - starts[0]] * there[m - starts[1]]).astype(found.dtype) * part
            for (k, m, _), part in zip(pairs, found)
        )
        return _trace(1j * _commutator(self.couplings[name], self.couplings[other]), both)


def _commutator(a, b):
    return a @ b - b @ a


def _trace(a, b):
    """Tr[a b], real."""
    return jnp.sum(a * b.T).real
