"""Correlation functions of bosonic reservoirs as sums of exponentials, in numbers that stay finite
where two of their poles meet."""

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Complex, Float

from .._numerics.batching import add
from .._numerics.validation import as_real, nonnegative, positive, whole
from ..reservoirs import AbstractReservoir, Reservoir
from ..spectral import AbstractSpectralDensity, LorentzDrude, Peaked

Series = Literal["pade", "matsubara"]


class Layout(NamedTuple):
    """What is static of the exponentials ("modes") of a reservoir: the `partners` that are one
    another's complex conjugates; which are `heard` by the device itself; which are `terms` of the
    occupation, not poles of the spectral density."""

    partners: tuple[int, ...]
    heard: tuple[bool, ...]
    terms: tuple[bool, ...]


class Modes(NamedTuple):
    r"""Functions f_k, of which those heard add up to C(t), and those of their partners to its
    complex conjugate.

    $$ \dot f_k = -\gamma_k f_k + \alpha_j f_j, \qquad X_k = f_k(0) A\cdot - \tilde f_k(0) \cdot A
    $$

    `rates` gamma_k; `left` and `right`, f_k(0) and \tilde f_k(0) of its partner; `feeds` alpha_j of
    the modes j that are not heard but feed the first one. `scales`: the size of a quantum, constant
    to all derivatives, which no result depends on.
    """

    rates: Complex[Array, " modes"]
    left: Complex[Array, " modes"]
    right: Complex[Array, " modes"]
    feeds: Float[Array, " modes"]
    scales: Float[Array, " modes"]


def poles(terms: int, series: Series) -> tuple[np.ndarray, np.ndarray]:
    """Positions x_j, in units of T, and weights of the poles of the Bose function on the imaginary
    axis: n(x) + 1/2 = 1/x + sum_j 2 weight_j x / (x^2 + x_j^2).

    Of the Matsubara `series` the first few; or those of the Pade approximant [N - 1/N], right to
    the order x^(4N - 1) with as many `terms` N. **Source:** Hu, Luo, Jiang, Xu and Yan, J. Chem.
    Phys. 134, 244106 (2011).
    """
    if terms == 0 or series == "matsubara":
        return 2 * np.pi * np.arange(1.0, terms + 1), np.ones(terms)

    def positions(first, size):
        odd = 2.0 * np.arange(size) + first
        beside = 1 / np.sqrt(odd[1:] * odd[:-1])
        values = np.linalg.eigvalsh(np.diag(beside, 1) + np.diag(beside, -1))
        return np.sort(2 / values[values > 1e-9 / size])

    own, zeros = positions(3, 2 * terms), positions(5, 2 * terms - 1)
    weights = [
        0.5 * terms * (2 * terms + 3) * np.prod((zeros**2 - x**2) / (np.delete(own, j) ** 2 - x**2))
        for j, x in enumerate(own)
    ]
    return own, np.array(weights)


@functools.singledispatch
def density_of(reservoir: AbstractReservoir) -> AbstractSpectralDensity:
    """The spectral density of a `reservoir` whose correlation function is known; kinds of reservoir
    register."""
    raise ValueError(
        "`reservoirs` of a hierarchy must be `qtd.Reservoir`, at a positive temperature, got a"
        f" {type(reservoir).__name__}."
    )


@density_of.register
def _(reservoir: Reservoir) -> AbstractSpectralDensity:
    if reservoir.statistics != "bose":
        raise ValueError(
            "`reservoirs` of a hierarchy must be of bosons, got statistics"
            f" {reservoir.statistics!r}; for electrons take a `qtd.Lindbladian`."
        )
    return reservoir.spectral_density


@functools.singledispatch
def expansion_of(density: AbstractSpectralDensity) -> tuple[Callable[[int], Layout], Callable]:
    """How C is made of exponentials for a spectral `density`: the `Layout` for a number of terms,
    and the `Modes` of (density, strength, temperature, positions, weights, series). Kinds of
    density register."""
    raise ValueError(
        "`spectral_density` of a hierarchy must be `qtd.spectral.Peaked` or"
        f" `qtd.spectral.LorentzDrude`, whose poles are known, got a {type(density).__name__}."
    )


def layout_of(reservoir: AbstractReservoir, terms: int) -> Layout:
    """What is static of the modes of a `reservoir` with so many `terms`."""
    return expansion_of(density_of(reservoir))[0](terms)


def modes_of(
    reservoir: AbstractReservoir, strength: Float[Array, ""], terms: int, series: Series
) -> Modes:
    """The modes of a `reservoir` whose spectral density is multiplied by a `strength`, with so many
    `terms` of a `series`."""
    density, (positions, weights) = density_of(reservoir), poles(terms, series)
    make = expansion_of(density)[1]
    temperature = positive(jnp.asarray(reservoir.temperature))
    kind = jnp.result_type(temperature, strength)
    numbers = (jnp.asarray(x, kind) for x in (positions, weights))
    return make(density, nonnegative(strength), temperature, *numbers, series)


def correlation(
    reservoir: AbstractReservoir, times: ArrayLike, terms: int = 1, series: Series = "pade"
) -> Complex[Array, "..."]:
    r"""The correlation function C(t) of the operator by which a `reservoir` couples, as a hierarchy
    with so many `terms` of a `series` ("pade", "matsubara") takes it, at `times` t >= 0.

    $$ C(t) = \int_{-\infty}^\infty \frac{d\omega}{2\pi} J(\omega) [1 + n(\omega)] e^{-i\omega t},
       \qquad J(-\omega) = -J(\omega) $$

    so that the golden-rule rates are J(w) n(w) up and J(w) (1 + n(w)) down. Units: energy^2. Right
    as the number of terms grows; the difference decays within a time of about 1 / (2 pi T terms).
    Raises `ValueError` for reservoirs and densities that have no such expansion, see
    `qtd.hierarchy.Hierarchy`.

    >>> cold = qtd.Reservoir(0.5, spectral_density=qtd.spectral.Peaked(1.0, 0.05, 0.1))
    >>> print(qtd.hierarchy.correlation(cold, [0.0, 1.0], terms=2).round(6))
    [0.003262+0.j       0.001676-0.002001j]
    """
    whole(terms, "terms", 0)
    if series not in ("pade", "matsubara"):
        raise ValueError(f'`series` must be "pade" or "matsubara", got {series!r}.')
    t = as_real(times, "times")
    modes = modes_of(reservoir, jnp.ones((), t.dtype), terms, series)
    made = [jnp.exp(-rate * t.astype(rate.dtype)) for rate in modes.rates]
    found = []
    for k, is_heard in enumerate(layout_of(reservoir, terms).heard):
        if is_heard:
            found.append(modes.left[k] * made[k])
        else:
            # What it has fed into the first one.
            grown = t * _exchanged(modes.rates[k].real * t, modes.rates[0].real * t)
            found.append((modes.feeds[k] * grown).astype(made[k].dtype))
    return add(found)


def _exchanged(x, y):
    """(exp(-x) - exp(-y)) / (y - x), smooth where x = y."""
    half = 0.5 * (y - x)
    is_near = jnp.abs(half) < 1
    near, far = jnp.where(is_near, half, 0.0), jnp.where(is_near, 1.0, half)
    ratio = jnp.ones_like(near)  # sinh(half) / half
    for k in range(9, 0, -1):
        ratio = 1 + ratio * near**2 / (2 * k * (2 * k + 1))
    return jnp.where(
        is_near,
        jnp.exp(-0.5 * (x + y)) * ratio,
        (jnp.exp(-x) - jnp.exp(-y)) / (2 * far),
    )


def _complex(real, imaginary):
    return lax.complex(*jnp.broadcast_arrays(real, imaginary))


def _scales(sizes, otherwise):
    """Square roots of what is not 0."""
    known, other = lax.stop_gradient((sizes, otherwise))
    return jnp.where(known > 0, jnp.sqrt(jnp.where(known > 0, known, 1.0)), other)


def _peaked_layout(terms):
    each = tuple(range(2, 2 + terms))
    return Layout((1, 0, *each), (True,) * (2 + terms), (False, False, *(True for _ in each)))


def _peaked_modes(density, strength, temperature, positions, weights, series):
    """Poles at +-e - i d with the exact occupation there, n(e - i d), and those of the occupation.

    C(t) = (h d / 2) [(1 + n(e - i d)) exp(-i e t) + n(e + i d) exp(i e t)] exp(-d t) - sum_j 4 h e
    d^2 weight_j T nu_j exp(-nu_j t) / {[(nu_j - d)^2 + e^2] [(nu_j + d)^2 + e^2]}.
    """
    center, width = positive(density.center), positive(density.width)
    height = strength * nonnegative(density.height)
    less, angle = jnp.exp(-center / temperature), width / temperature
    left = -jnp.expm1(-center / temperature)  # 1 - less
    half = 2 * jnp.sin(angle / 2) ** 2
    size = left**2 + 2 * less * half
    real, imaginary = less * (left - half) / size, less * jnp.sin(angle) / size
    gross = 0.5 * height * width
    near = gross * jnp.stack([1 + real, real]), gross * jnp.stack([imaginary, -imaginary])
    # Of the conjugate: its coefficient of the same exponential.
    back = near[0][::-1], -near[1][::-1]
    decays = temperature * positions
    nearest = ((decays - width) ** 2 + center**2) * ((decays + width) ** 2 + center**2)
    others = -4 * height * center * width**2 * temperature * weights * decays / nearest
    nothing = jnp.zeros_like(others)
    rates = _complex(
        jnp.concatenate([jnp.stack([width, width]), decays]),
        jnp.concatenate([jnp.stack([center, -center]), nothing]),
    )
    ahead = _complex(jnp.concatenate([near[0], others]), jnp.concatenate([near[1], nothing]))
    behind = _complex(jnp.concatenate([back[0], others]), jnp.concatenate([back[1], nothing]))
    sizes = jnp.concatenate([gross * jnp.stack([1 + real, 1 + real]), jnp.abs(others)])
    return Modes(rates, ahead, behind, jnp.zeros_like(sizes), _scales(sizes, rates.real))


def _drude_layout(terms):
    each = tuple(range(1 + terms))
    return Layout(each, tuple(k == 0 for k in each), tuple(k > 0 for k in each))


def _drude_modes(density, strength, temperature, positions, weights, series):
    """The pole at -i w_c with the occupation of the series there, and those of the occupation,
    which feed it.

    C' = -w_c C + sum_j alpha_j exp(-nu_j t), alpha_j = -k w_c^2 T weight_j nu_j / (nu_j + w_c),
    from C(0) = k w_c T / 2 - i k w_c^2 / 4 + sum_j k w_c^2 T weight_j / (nu_j + w_c): nothing
    diverges where w_c meets a nu_j.
    """
    cutoff = positive(density.cutoff)
    coupling = strength * nonnegative(density.coupling)
    decays = temperature * positions
    shares = coupling * cutoff**2 * temperature * weights / (decays + cutoff)
    feeds = -shares * decays
    start = 0.5 * coupling * cutoff * temperature + jnp.sum(shares)
    slope = 0.25 * coupling * cutoff**2
    ones, nothing = jnp.ones_like(decays), jnp.zeros_like(decays)
    rates = jnp.append(cutoff, decays)
    real = jnp.concatenate([start[None], ones])
    imaginary = jnp.concatenate([slope[None], nothing])
    first = _scales(jnp.hypot(start, slope), cutoff)
    others = _scales(jnp.where(feeds == 0, 0, first / jnp.where(feeds == 0, 1, -feeds)), 1 / decays)
    return Modes(
        _complex(rates, jnp.zeros_like(rates)),
        _complex(real, -imaginary),
        _complex(real, imaginary),
        jnp.append(jnp.zeros_like(feeds, shape=(1,)), feeds),
        jnp.concatenate([first[None], others]),
    )


@expansion_of.register
def _(density: Peaked):
    return _peaked_layout, _peaked_modes


@expansion_of.register
def _(density: LorentzDrude):
    return _drude_layout, _drude_modes
