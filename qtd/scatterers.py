"""Coherent scatterers between reservoirs: few levels by their Green function, any scattering
matrix, any transmission probabilities."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Int

from ._numerics.coherent_elimination import inverse_of_parts
from ._numerics.eigenvalues import eigenvalues
from ._numerics.modules import Module, parameter
from ._numerics.quadrature import FAR, graded
from ._numerics.validation import as_real, check, rule
from .status import Status

__all__ = ["AbstractScatterer", "Levels", "ScatteringMatrix", "TransmissionMatrix"]

Parts = tuple[Float[Array, "channels channels points"], Float[Array, "channels channels points"]]


class AbstractScatterer(Module):
    """What joins several reservoirs at once. `channels`: their names, and how many modes lead to
    each, in the order of its matrix. `by_construction`: it conserves probability whatever its
    parameters, so that nobody needs to check."""

    by_construction: eqx.AbstractClassVar[bool]
    channels: eqx.AbstractVar[tuple[tuple[str, int], ...]]

    @abc.abstractmethod
    def amplitudes(self, energy: Float[Array, " points"]) -> Parts | None:
        """Real and imaginary part of the scattering matrix at each `energy`, [a, b] from b to a;
        None where only its squares are known."""

    @abc.abstractmethod
    def breaks(self) -> list[Float[Array, " n"]]:
        """Energies between which it is smooth on its own scale."""

    def probabilities(
        self, energy: Float[Array, " points"]
    ) -> Float[Array, "channels channels points"]:
        """Squares of the amplitudes at each `energy`, [a, b] from b to a."""
        return squares(self.similar(energy))  # pyright: ignore[reportArgumentType]

    def similar(self, energy: Float[Array, " points"]) -> tuple[Parts, Parts] | None:
        """Parts of D S D^-1 and of D^-1 S D at each `energy`, with the scattering matrix S and any
        diagonal D; of S twice where there is no better choice.

        All that is measured is made of products in which D cancels. Where S has square roots of
        coupling strengths, these are free of them, and have derivatives where a strength is 0.
        """
        amplitudes = self.amplitudes(energy)
        return None if amplitudes is None else (amplitudes, amplitudes)

    def status(self) -> Int[Array, ""]:
        """What makes its matrix meaningless, whatever the energy; 0 where nothing does
        (`qtd.Status`)."""
        return jnp.asarray(int(Status.OK))


def squares(similar: tuple[Parts, Parts]) -> Float[Array, "channels channels points"]:
    """|s_ab|^2 of the scattering matrix from two matrices that are `similar` to it."""
    (real, imaginary), (other, turned) = similar
    return real * other + imaginary * turned


class Levels(AbstractScatterer):
    r"""A few coherent levels between wide-band leads, through their Green function.

    $$ G(E) = \Big[E - H + \tfrac{i}{2} \sum_r w_r w_r^T\Big]^{-1}, \qquad
       s_{ab} = \delta_{ab} - i\, w_a^T G\, w_b, \qquad T_{ab} = |s_{ab}|^2 $$

    - `hamiltonian`: (levels, levels), real symmetric or complex Hermitian (a magnetic flux: then
      T_ab and T_ba differ).
    - `couplings`: `{reservoir: w}` with w (levels,) or, for several channels, (levels, channels),
      real, of unit sqrt(energy): a level of energy e that only one lead sees through w decays at
      the rate w^2.

    `real` and `imaginary`: the parts of the Hamiltonian; `channels`: names of the leads, and how
    many modes each has. Unitary by construction. Integrals follow its poles, however narrow
    interference makes a line.
    """

    by_construction: ClassVar[bool] = True

    real: Float[Array, "levels levels"]
    imaginary: Float[Array, "levels levels"]
    couplings: dict[str, Float[Array, "levels channels"]]
    channels: tuple[tuple[str, int], ...] = eqx.field(static=True)

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
                raise ValueError(
                    f"`couplings` of {name!r} must have one row for each of {matrix.shape[0]}"
                    f" levels, got shape {w.shape}."
                )
        self.channels = tuple((name, w.shape[1]) for name, w in self.couplings.items())

    def rules(self) -> None:
        check("hamiltonian", self.real, "any")
        check("hamiltonian", self.imaginary, "any")

        def skew(x, y):
            return abs(x - x.T).max() + abs(y + y.T).max() <= 1e-6 * (abs(x).max() + abs(y).max())

        rule(
            (self.real, self.imaginary),
            skew,
            lambda x, y: f"`hamiltonian` must be Hermitian, got {(x + 1j * y).tolist()}.",
        )
        for name, w in self.couplings.items():
            check(f"couplings of {name!r}", w, "any")

    def amplitudes(self, energy):
        columns = self._columns()
        real, imaginary = self._effective()
        unit = jnp.eye(len(real), dtype=energy.dtype)[..., None]
        width = jnp.broadcast_to(-imaginary[..., None], (*imaginary.shape, len(energy)))
        found = inverse_of_parts(unit * energy[None, None] - real[..., None], width)
        real, imaginary = (jnp.einsum("ia,ijp,jb->abp", columns, x, columns) for x in found)
        return jnp.eye(columns.shape[1], dtype=energy.dtype)[..., None] + imaginary, -real

    def breaks(self):
        real, imaginary = lax.stop_gradient(self.poles())
        widths = jnp.abs(imaginary) / 2 + 1e-8 * jnp.max(jnp.abs(self._columns())) ** 2
        return [lax.stop_gradient(graded(real[k], widths[k], FAR)) for k in range(len(real))]

    def poles(self) -> tuple[Float[Array, " levels"], Float[Array, " levels"]]:
        """Real and imaginary parts of the poles of G, in no order: energies of the lines, and minus
        half of their widths, 0 for a dark one.

        They are eigenvalues of H - (i/2) sum_r w_r w_r^T, right to rounding of its largest entry;
        where m of them meet in one pole of order m, to the m-th root of rounding. Derivatives are
        those of simple poles; several in one place have that of their mean, and a pole of higher
        order has none.
        """
        found = eigenvalues(lax.complex(*self._effective()))
        return found.real, found.imag

    def _columns(self):
        return jnp.concatenate([self.couplings[name] for name, _ in self.channels], axis=1)

    def _effective(self):
        """Real and imaginary part of H - (i/2) sum_r w_r w_r^T."""
        columns = self._columns()
        return self.real, self.imaginary - columns @ columns.T / 2


class ScatteringMatrix(AbstractScatterer):
    """Any unitary `function` of one energy, a complex (channels, channels) matrix with [a, b] the
    amplitude from b to a.

    `channels`: the reservoirs in the order of the matrix, or how many modes lead to each. An
    `eqx.Module` as `function` may have parameters. Lines or steps lie at `centers` and are as wide
    as `scales` (lists of numbers).
    """

    by_construction: ClassVar[bool] = False

    function: Callable
    centers: Float[Array, " features"] = parameter("any", "E")
    scales: Float[Array, " features"] = parameter("positive", "E")
    channels: tuple[tuple[str, int], ...] = eqx.field(static=True)

    def __init__(
        self,
        function: Callable,
        channels: Sequence[str] | Mapping[str, int],
        centers: ArrayLike,
        scales: ArrayLike,
    ):
        self.function, self.channels = function, _counted(channels)
        self.centers, self.scales = _features(centers, scales)

    def amplitudes(self, energy):
        matrix = _at_every(self.function, energy, sum(count for _, count in self.channels))
        return matrix.real.astype(energy.dtype), matrix.imag.astype(energy.dtype)

    def breaks(self):
        return _around(self.centers, self.scales)


class TransmissionMatrix(AbstractScatterer):
    """Any `function` of one energy, a real matrix with [a, b] the probability T_ab from reservoir b
    to reservoir a, in the order of `names`; its diagonal is not used.

    T_ab and T_ba may differ (a magnetic field, an edge that runs one way) as long as sum_b T_ab =
    sum_b T_ba, which is checked. Of a device that is driven periodically: the average over a cycle.
    Probabilities alone leave the noise open: it is NaN. `centers`, `scales` and `channels` (one
    mode each) as in `ScatteringMatrix`. **Source:** Deghi and Bustos-Marun, Eqs. (17), (18).
    """

    by_construction: ClassVar[bool] = False

    function: Callable
    centers: Float[Array, " features"] = parameter("any", "E")
    scales: Float[Array, " features"] = parameter("positive", "E")
    channels: tuple[tuple[str, int], ...] = eqx.field(static=True)

    def __init__(
        self, function: Callable, names: Sequence[str], centers: ArrayLike, scales: ArrayLike
    ):
        self.function, self.channels = function, _counted(names)
        self.centers, self.scales = _features(centers, scales)

    def amplitudes(self, energy):
        return None

    def probabilities(self, energy):
        matrix = _at_every(self.function, energy, len(self.channels)).astype(energy.dtype)
        return matrix * (1 - jnp.eye(len(self.channels), dtype=energy.dtype))[..., None]

    def breaks(self):
        return _around(self.centers, self.scales)


def _counted(channels):
    counts = dict(channels) if isinstance(channels, Mapping) else {name: 1 for name in channels}
    if (
        len(counts) != len(channels)
        or not counts
        or any(not isinstance(n, int) or n < 1 for n in counts.values())
    ):
        raise ValueError(
            "`channels` must name each reservoir once, with a positive number of modes, got"
            f" {channels!r}."
        )
    return tuple(counts.items())


def _features(centers, scales):
    centers = jnp.atleast_1d(as_real(centers, "centers"))
    return centers, jnp.broadcast_to(as_real(scales, "scales"), centers.shape)


def _around(centers, scales):
    return [lax.stop_gradient(graded(centers[k], scales[k], FAR)) for k in range(len(centers))]


def _at_every(function, energy, size):
    """A function of one energy, at all of them, the energies last."""
    found = jax.vmap(function, out_axes=-1)(energy)
    if found.shape != (size, size, len(energy)):
        raise ValueError(
            f"`function` must return a matrix of shape {(size, size)}, got {found.shape[:-1]}."
        )
    return found
