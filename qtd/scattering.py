"""Ballistic conductors: particles, energy, heat and entropy that flow between any reservoirs, and their noise (Landauer and Buettiker)."""

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from ._numerics.batching import add
from ._numerics.coherent_elimination import inverse, matmul
from ._numerics.compilation import compiled
from ._numerics.hermitian import eigensystem
from ._numerics.printing import by_name, readable
from ._numerics.quadrature import FAR, graded, panels
from ._numerics.validation import as_real, check, is_concrete
from .distributions import difference
from .parameters import validate
from .reservoirs import AbstractReservoir
from .transmissions import AbstractTransmission

__all__ = ["Conductor", "Currents", "Levels", "currents"]


class Levels(eqx.Module):
    r"""A few coherent levels between wide-band leads, through their Green function.

    $$ G(E) = \Big[E - H + \tfrac{i}{2} \sum_r w_r w_r^T\Big]^{-1}, \qquad
       s_{ab} = \delta_{ab} - i\, w_a^T G\, w_b, \qquad T_{ab} = |s_{ab}|^2 $$

    - `hamiltonian`: (levels, levels), real symmetric or complex Hermitian (a magnetic flux: then T_ab and T_ba differ).
    - `couplings`: `{reservoir: w}` with w (levels,) or, for several channels, (levels, channels), real, of unit sqrt(energy): a level of
      energy e that only one lead sees through w decays at the rate w^2.

    Unitary by construction. Lines much narrower than the distance to the nearest eigenvalue of H (levels that interfere, closer than
    their widths) ask for more panels than it gets.
    """

    real: Float[Array, "levels levels"]
    imaginary: Float[Array, "levels levels"]
    couplings: dict[str, Float[Array, "levels channels"]]

    def __init__(self, hamiltonian: ArrayLike, couplings: Mapping[str, ArrayLike]):
        matrix = jnp.asarray(hamiltonian)
        is_complex = jnp.issubdtype(matrix.dtype, jnp.complexfloating)
        self.real = as_real(matrix.real if is_complex else matrix, "hamiltonian")
        self.imaginary = matrix.imag if is_complex else jnp.zeros_like(self.real)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"`hamiltonian` must be a square matrix, got shape {matrix.shape}.")
        self.couplings = {}
        for name, given in couplings.items():
            w = as_real(given, f"couplings of {name!r}")
            self.couplings[name] = w[:, None] if w.ndim == 1 else w
            if w.ndim not in (1, 2) or w.shape[0] != matrix.shape[0]:
                raise ValueError(f"`couplings` of {name!r} must have one row for each of {matrix.shape[0]} levels, got shape {w.shape}.")

    def __check_init__(self):
        check("hamiltonian", self.real, "any")
        check("hamiltonian", self.imaginary, "any")
        if is_concrete(self.real, self.imaginary):
            matrix = np.asarray(self.real) + 1j * np.asarray(self.imaginary)
            if np.abs(matrix - matrix.conj().T).max() > 1e-6 * np.abs(matrix).max():
                raise ValueError(f"`hamiltonian` must be Hermitian, got {matrix.tolist()}.")
        for name, w in self.couplings.items():
            check(f"couplings of {name!r}", w, "any")

    def channels(self, names: Sequence[str]) -> tuple[Float[Array, "levels channels"], np.ndarray]:
        """All columns w side by side, and to which of these reservoirs each belongs."""
        present = [name for name in names if name in self.couplings]
        owners = np.concatenate([np.full(self.couplings[name].shape[1], names.index(name)) for name in present])
        return jnp.concatenate([self.couplings[name] for name in present], axis=1), owners

    def amplitudes(
        self, energy: Float[Array, " points"], columns: Float[Array, "levels channels"]
    ) -> tuple[Float[Array, "channels channels points"], Float[Array, "channels channels points"]]:
        """Real and imaginary part of the scattering matrix."""
        n = len(self.real)
        broadening = columns @ columns.T / 2
        zero = jnp.zeros_like(self.real)
        # (A + i B) as the real matrix [[A, -B], [B, A]].
        block = lambda a, b: jnp.concatenate([jnp.concatenate([a, -b], 1), jnp.concatenate([b, a], 1)])
        matrix = block(jnp.eye(n, dtype=energy.dtype), zero)[..., None] * energy[None, None]
        matrix = matrix - block(self.real, self.imaginary - broadening)[..., None]
        found = inverse(matrix)
        for _ in range(2):  # Newton steps carry the derivatives
            found = 2 * found - matmul(found, matmul(matrix, found))
        between = lambda part: jnp.einsum("ia,ijp,jb->abp", columns, part, columns)
        real, imaginary = between(found[:n, :n]), between(found[n:, :n])
        return jnp.eye(columns.shape[1], dtype=energy.dtype)[..., None] + imaginary, -real

    def breaks(self) -> list[Float[Array, " n"]]:
        """Around each eigenvalue of H, by its width to first order."""
        energies, vectors = eigensystem(lax.complex(self.real, self.imaginary))
        columns = jnp.concatenate(list(self.couplings.values()), axis=1)
        strength = lambda v: ((v.real.T @ columns) ** 2 + (v.imag.T @ columns) ** 2).sum(1)
        widths = strength(vectors) / 8 + 1e-6 * jnp.max(jnp.abs(columns)) ** 2
        return [lax.stop_gradient(graded(energies[k], widths[k], FAR)) for k in range(len(energies))]


class Conductor(eqx.Module):
    """Reservoirs joined by transmissions, or by the levels between them.

    - `links`: tuples `(reservoir, reservoir, transmission)`, each a channel of its own. `levels`: `Levels`, coherent among themselves.
    - `reservoirs`: by name, thermal or not, all of fermions or all of bosons.
    """

    reservoirs: dict[str, AbstractReservoir]
    transmissions: tuple[AbstractTransmission, ...]
    levels: Levels | None
    ends: tuple[tuple[str, str], ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        reservoirs: Mapping[str, AbstractReservoir],
        links: Sequence[tuple[str, str, AbstractTransmission]] = (),
        levels: Levels | None = None,
    ):
        self.reservoirs, self.names, self.levels = dict(reservoirs), tuple(reservoirs), levels
        self.ends, self.transmissions = tuple((a, b) for a, b, _ in links), tuple(t for *_, t in links)
        for a, b in self.ends:
            if a == b or a not in self.reservoirs or b not in self.reservoirs:
                raise ValueError(f"`links` must join two of the reservoirs {', '.join(map(repr, self.names))}, got {a!r} and {b!r}.")
        unknown = [name for name in (levels.couplings if levels else {}) if name not in self.reservoirs]
        if unknown:
            raise ValueError(f"`levels` couple to {unknown[0]!r}; the reservoirs are {', '.join(map(repr, self.names))}.")
        if len({reservoir.statistics for reservoir in self.reservoirs.values()}) != 1:
            raise ValueError("`reservoirs` must be all of fermions or all of bosons.")
        if not self.ends and levels is None:
            raise ValueError("`links` or `levels` must be given: nothing joins the reservoirs.")

    @property
    def statistics(self) -> str:
        """ "fermi" or "bose"."""
        return next(iter(self.reservoirs.values())).statistics


class Currents(eqx.Module):
    """What flows per time, positive out of a reservoir, by reservoir: particles (energy), energy and heat = energy - mu * particles
    (energy^2), entropy (energy). `particle_noise` and `heat_noise`: zero-frequency covariances (one factor), reservoirs in the order of
    `names`."""

    particle_currents: dict[str, Float[Array, ""]]
    energy_currents: dict[str, Float[Array, ""]]
    heat_currents: dict[str, Float[Array, ""]]
    entropy_currents: dict[str, Float[Array, ""]]
    entropy_production: Float[Array, ""]
    particle_noise: Float[Array, "r r"]
    heat_noise: Float[Array, "r r"]
    names: tuple[str, ...] = eqx.field(static=True)

    def __repr__(self) -> str:
        rows = by_name("I", self.particle_currents, "particles that leave") + by_name("E", self.energy_currents, "energy that leaves")
        rows += by_name("J", self.heat_currents, "heat current out of") + by_name("S", self.entropy_currents, "entropy that leaves")
        noise = dict(zip(self.names, jnp.diagonal(self.heat_noise)))
        rows += by_name("noise", noise, "noise of the heat current out of")
        return readable(self, "currents positive out of a reservoir", [*rows, ("sigma", self.entropy_production, "entropy production")])


def currents(conductor: Conductor, narrow: bool = False) -> Currents:
    r"""All stationary currents and their noise, by quadrature whose points move with windows and steps.

    $$ I_a = \frac{1}{h} \sum_b \int dE\, x_a(E)\, T_{ab}(E)\, [f_a(E) - f_b(E)], \qquad x = 1,\ E,\ E - \mu_a,\ u_a(E) $$

    with h = 2 pi; entropy production sigma = -sum_a I_S,a >= 0. The noise is that of coherent scattering, of two reservoirs

    $$ S = \frac{1}{h} \int dE\, x^2 \{ T [f_a (1 \mp f_a) + f_b (1 \mp f_b)] \pm T (1 - T) (f_a - f_b)^2 \}. $$

    (upper signs for fermions). Derivatives with respect to centres, widths and edges are exact. Bosons must have mu below every coupled
    energy. `narrow`: each transmission as one point of the weight int T dE, right to O(width^2 / T^2) for a `Boxcar`, O(width / T) for
    lines.

    **Source:** Deghi and Bustos-Marun, Eqs. (6), (17)-(19), (C1); Buettiker, Phys. Rev. B 46, 12485 (1992).
    """
    if narrow and conductor.levels is not None:
        raise ValueError("`narrow` stands for separate resonances: `levels` have no narrow limit.")
    validate(conductor)
    return _currents(conductor, narrow)


@compiled
def _currents(conductor, narrow):
    names = conductor.names
    parts = [_of_link(conductor, *link, narrow) for link in zip(conductor.ends, conductor.transmissions)]
    if conductor.levels is not None:
        parts.append(_of_levels(conductor))
    flows, noise, produced = (add(x) / (2 * jnp.pi) for x in zip(*parts))
    listed = lambda k: {name: flows[k][i] for i, name in enumerate(names)}
    particles, energies = listed(0), listed(1)
    potentials = {name: conductor.reservoirs[name].chemical_potential for name in names}
    heats = {name: energies[name] - potentials[name] * particles[name] for name in names}
    # `noise` holds that of particles, of energy with particles, and of energy.
    mu = jnp.stack([potentials[name] for name in names])
    heat_noise = noise[2] - (mu[:, None] + mu[None]) * noise[1] + mu[:, None] * mu[None] * noise[0]
    return Currents(particles, energies, heats, listed(2), produced, noise[0], heat_noise, names)


def _of_link(conductor, ends, transmission, narrow):
    """h times the currents of particles, energy and entropy (3, reservoirs), the noise (3, reservoirs, reservoirs), and sigma."""
    places = [conductor.names.index(name) for name in ends]
    pair = [conductor.reservoirs[name] for name in ends]
    if narrow:
        center, weight, square = transmission.narrow()
        energy, weight, square = center[None], weight[None], square[None]
    else:
        energy, weights = _points(conductor, pair, transmission.window(), transmission.breaks())
        passed = transmission(energy)
        weight, square = weights * passed, weights * passed**2
    logits = [reservoir.logit(energy) for reservoir in pair]
    gap = difference(*logits, conductor.statistics)
    flow = weight * gap
    size = len(conductor.names)
    sign = jnp.zeros(size, energy.dtype).at[places[0]].set(1).at[places[1]].set(-1)
    first, second = (_product(x, flow).sum() for x in logits)
    entropy = jnp.zeros(size, energy.dtype).at[places[0]].set(first).at[places[1]].set(-second)
    spread = add(_fluctuation(x, conductor.statistics) for x in logits)
    sort = 1 if conductor.statistics == "fermi" else -1
    power = weight * spread + sort * (weight - square) * gap**2
    outer = sign[:, None] * sign[None]
    noise = jnp.stack([outer * (energy**k * power).sum() for k in range(3)])
    produced = _product(logits[1] - logits[0], flow).sum()
    return jnp.stack([sign * flow.sum(), sign * (energy * flow).sum(), entropy]), noise, produced


def _of_levels(conductor):
    """The same for coherent levels."""
    levels, names = conductor.levels, conductor.names
    columns, owners = levels.channels(names)
    coupled = [conductor.reservoirs[name] for name in names if name in levels.couplings]
    energy, weights = _points(conductor, coupled, None, levels.breaks())
    real, imaginary = levels.amplitudes(energy, columns)
    belongs = jnp.asarray(np.eye(len(names))[owners], energy.dtype)  # (channels, reservoirs)
    passed = jnp.einsum("abp,ai,bj->ijp", real**2 + imaginary**2, belongs, belongs)  # from j to i
    logits = jnp.stack([conductor.reservoirs[name].logit(energy) for name in names])
    gaps = difference(logits[:, None], logits[None], conductor.statistics)
    flow = (weights[None, None] * passed * gaps).sum(1)
    flows = jnp.stack([flow.sum(1), (energy[None] * flow).sum(1), _product(logits, flow).sum(1)])
    # A_kl(i) = delta_ik delta_il - conj(s_ik) s_il of each channel i.
    sort = -1 if conductor.statistics == "fermi" else 1
    scattered = lax.complex(real, imaginary)
    unit = jnp.eye(len(owners), dtype=energy.dtype)
    ones = jnp.einsum("ik,il->ikl", unit, unit)[..., None].astype(scattered.dtype)
    a = ones - scattered.conj()[:, :, None] * scattered[:, None]
    f = jnp.stack([conductor.reservoirs[names[i]].occupation(energy) for i in owners])
    pairs = (f[:, None] * (1 + sort * f[None]) + f[None] * (1 + sort * f[:, None])) / 2
    power = jnp.einsum("iklp,jlkp,klp->ijp", a, a, pairs.astype(a.dtype)).real
    power = jnp.einsum("ijp,ia,jb->abp", power * weights[None, None], belongs, belongs)
    noise = jnp.stack([(power * (energy**k)[None, None]).sum(-1) for k in range(3)])
    return flows, noise, -flows[2].sum()


def _points(conductor, reservoirs, window, breaks):
    """Where the occupations of these reservoirs differ, as far as double precision sees, or the window."""
    breaks = [*breaks, *(x for reservoir in reservoirs for x in reservoir.breaks())]
    known = lax.stop_gradient(jnp.concatenate([x for reservoir in reservoirs for x in reservoir.breaks()]))
    low, high = (known.min(), known.max()) if window is None else window
    if window is None and conductor.statistics == "bose":
        floor = jnp.max(jnp.stack([reservoir.chemical_potential for reservoir in reservoirs]))
        low = jnp.maximum(low, lax.stop_gradient(floor))
    return panels(low, high, breaks)


def _fluctuation(logit, statistics):
    """f (1 - f) of fermions, f (1 + f) of bosons."""
    size = jnp.abs(logit)
    decay = jnp.exp(-size)
    return decay / (1 + decay) ** 2 if statistics == "fermi" else decay / jnp.expm1(-size) ** 2


def _product(x, flow):
    """x * flow, 0 where nothing flows, however large x is."""
    flows = flow != 0
    return jnp.where(flows, jnp.where(flows, x, 0) * flow, 0)
