"""What to fill a nonthermal reservoir with: the occupation of least entropy for a given cooling,
the one that cools most, and conditions such as those of a demon, which exchanges nothing on
average."""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Int

from ._numerics.coherent_elimination import inverse
from ._numerics.compilation import compiled
from ._numerics.printing import by_name, readable
from ._numerics.quadrature import panels
from ._numerics.roots import newton
from ._numerics.validation import as_scalar, check, is_concrete, rule
from .distributions import PiecewiseConstant
from .parameters import checked
from .reservoirs import NonthermalReservoir, Reservoir
from .scattering import Conductor, currents
from .status import Status, first

__all__ = ["Balance", "Filling", "Windows", "balanced", "least_entropy", "maximum_cooling"]


class Windows(eqx.Module):
    r"""Windows of unit transmission between a nonthermal reservoir of fermions, the demon, and
    thermal ones.

    - `reservoirs`: thermal, by name. `windows`: tuples `(reservoir, center, width)`, apart from one
      another.
    - `bins`: parts of equal width in each window, in which the demon's occupation is constant.
      `narrow`: a window is the point at its centre, of weight `width`; then one bin is all there
      is.
    - `centers`, `widths`, `owners`: of the windows as given, an owner being the thermal reservoir.

    With F_b and D_b the means of f_r and of (e_b - E) f_r over bin b and x_b the demon's
    occupation, currents out of r and the demon l are

    $$ I_{N,r} = \sum_b \frac{w_b}{h} (F_b - x_b), \quad I_{E,r} = \sum_b \frac{w_b}{h} [e_b (F_b -
       x_b) - D_b], \quad
       I_{S,l} = \sum_b \frac{w_b}{h} (x_b - F_b)\, u(x_b) $$

    exactly, with h = 2 pi. D_b is what leaks even where x_b = F_b. Raises `ValueError` for windows
    that overlap, and for reservoirs that are not thermal or not of fermions.
    """

    reservoirs: dict[str, Reservoir]
    centers: Float[Array, " windows"]
    widths: Float[Array, " windows"]
    owners: tuple[str, ...] = eqx.field(static=True)
    bins: int = eqx.field(static=True)
    narrow: bool = eqx.field(static=True)

    def __init__(
        self,
        reservoirs: Mapping[str, Reservoir],
        windows: Sequence[tuple[str, ArrayLike, ArrayLike]],
        bins: int = 1,
        narrow: bool = False,
    ):
        self.reservoirs = dict(reservoirs)
        self.bins = bins
        self.narrow = narrow
        self.owners = tuple(name for name, _, _ in windows)
        self.centers = jnp.stack([as_scalar(center, "center") for _, center, _ in windows])
        self.widths = jnp.stack([as_scalar(width, "width") for _, _, width in windows])

    def __check_init__(self):
        if not isinstance(self.bins, int) or self.bins < 1 or (self.narrow and self.bins > 1):
            raise ValueError(
                f"`bins` must be a positive integer, and 1 for narrow windows, got {self.bins!r}."
            )
        for name in self.owners:
            if name not in self.reservoirs:
                raise ValueError(
                    f"`windows` name {name!r}; the reservoirs are"
                    f" {', '.join(map(repr, self.reservoirs))}."
                )
        for name, reservoir in self.reservoirs.items():
            if reservoir.temperature is None or reservoir.statistics != "fermi":
                raise ValueError(
                    f"`reservoirs` must be thermal and of fermions, which {name!r} is not."
                )
        check("center", self.centers, "any")
        check("width", self.widths, "positive")
        rule(
            (self.centers, self.widths),
            self._are_apart,
            lambda x, d: (
                f"`windows` must lie apart, got centres {x.tolist()} and widths {d.tolist()}: one"
                " occupation cannot serve two of"
                " them. Use a `Conductor` for windows that overlap."
            ),
        )

    def _are_apart(self, centers, widths):
        """Windows that touch may overlap by rounding."""
        size = abs(centers).max() + widths.max()
        pairs = ((i, j) for i in range(len(centers)) for j in range(i))
        distances = [
            abs(centers[i] - centers[j]) - (0 if self.narrow else (widths[i] + widths[j]) / 2)
            for i, j in pairs
        ]
        # Of narrow windows the centres differ; wide ones may touch, up to rounding.
        least = 0 * size if self.narrow else -4 * float(jnp.finfo(centers.dtype).eps) * size
        apart = [distance > least if self.narrow else distance >= least for distance in distances]
        return functools.reduce(operator.and_, apart, size == size)


class Filling(eqx.Module):
    """An occupation of the demon and what it does, currents positive out of a reservoir.

    `energies`, `widths`, `occupations`, `logits` of the bins, window by window; `entropy_current`
    out of the demon, negative where it pays. `particle_currents` and `heat_currents` of the thermal
    reservoirs; `entropy_production` of all together. `status` is 0 where all is well
    (`qtd.Status`).
    """

    energies: Float[Array, " bins"]
    widths: Float[Array, " bins"]
    occupations: Float[Array, " bins"]
    logits: Float[Array, " bins"]
    particle_currents: dict[str, Float[Array, ""]]
    heat_currents: dict[str, Float[Array, ""]]
    entropy_current: Float[Array, ""]
    entropy_production: Float[Array, ""]
    status: Int[Array, ""]

    def reservoir(self, chemical_potential: ArrayLike = 0.0) -> NonthermalReservoir:
        """The demon for a `Conductor`: constant in each bin, and half filled between windows, where
        nobody sees it. Not for points.

        `chemical_potential`: mu_0 from which its energies are counted where they are called heat.
        """
        order = jnp.argsort(self.energies)
        low, high = ((self.energies + sign * self.widths / 2)[order] for sign in (-1, 1))
        edges, filled = [low[:1]], []
        touching = 1e-9 * float(jnp.max(high) - jnp.min(low))
        for k, x in enumerate(self.occupations[order]):
            if k and float(low[k]) - float(high[k - 1]) > touching:
                edges.append(low[k : k + 1])
                filled.append(jnp.full((1,), 0.5, x.dtype))
            edges.append(high[k : k + 1])
            filled.append(x[None])
        return NonthermalReservoir(
            PiecewiseConstant(jnp.concatenate(edges), jnp.concatenate(filled)),
            chemical_potential=chemical_potential,
        )

    def __repr__(self) -> str:
        rows = by_name("J", self.heat_currents, "heat current out of") + by_name(
            "I", self.particle_currents, "particles that leave"
        )
        rows += [
            ("S_demon", self.entropy_current, "entropy that leaves the demon"),
            ("sigma", self.entropy_production, "entropy production"),
        ]
        rows += [
            ("f", self.occupations, "of the demon in each bin"),
            ("status", self.status, "0: fine"),
        ]
        return readable(self, "currents positive out of a reservoir", rows)


@checked
def least_entropy(
    windows: Windows, cooled: str, heat: ArrayLike, closed: Sequence[str] = ()
) -> Filling:
    r"""The demon behind these `windows` that takes the heat current `heat` out of `cooled` at the
    smallest entropy current into itself.

    Its particle and energy currents vanish, and the particle currents of the `closed` reservoirs.
    -I_S is strictly convex in x, so there is one such demon: with one multiplier for each
    condition, in every bin u - (x - F) / (x (1 - x)) is linear in what the conditions weigh. Found
    by Newton's method from x = F within the box; derivatives are implicit.

    Raises `ValueError` where `heat` is more than these windows can give (status NOT_CONVERGED, and
    NaN, in compiled code). **Source:** Deghi and Bustos-Marun, Eqs. (17)-(20), as a convex problem.
    """
    _check_names(windows, cooled, closed)
    found = _least_entropy(windows, as_scalar(heat, "heat"), cooled, tuple(closed))
    if is_concrete(found.status, heat) and jnp.ndim(found.status) == 0 and int(found.status):
        raise ValueError(
            "`heat` must be less than `maximum_cooling` gives under the same conditions, got"
            f" {heat}."
        )
    return found


@checked
def maximum_cooling(windows: Windows, cooled: str, closed: Sequence[str] = ()) -> Filling:
    """The demon behind these `windows` that cools the reservoir `cooled` most, under the conditions
    of `least_entropy`, `closed` included.

    A linear programme, by SciPy's HiGHS. It fills most bins wholly or not at all, so its entropy
    current is minus infinity; not differentiable, as the corner it sits in changes. Raises
    `ValueError` where no occupation meets the conditions.
    """
    from scipy.optimize import linprog  # when it is needed: it takes a tenth of a second

    _check_names(windows, cooled, closed)
    bins = _bins(windows)
    rows, wanted = (np.asarray(x) for x in _conditions(windows, bins, cooled, None, tuple(closed)))
    weights = np.asarray(_heat(windows, bins, cooled)[0])
    # Its tolerances are absolute.
    sizes = np.maximum(np.abs(rows).max(axis=1), np.finfo(rows.dtype).tiny)
    rows, wanted, weights = (
        rows / sizes[:, None],
        wanted / sizes,
        weights / np.maximum(np.abs(weights).max(), np.finfo(rows.dtype).tiny),
    )
    low, high = -np.asarray(bins.filled), np.asarray(bins.empty)
    solution = linprog(-weights, A_eq=rows, b_eq=wanted, bounds=np.stack([low, high], axis=1))
    if not solution.success:
        raise ValueError(
            f"`windows` leave no occupation that meets the conditions: {solution.message}"
        )
    change = _corner(solution.x, rows, wanted, low, high)
    return _filling(
        windows, bins, jnp.asarray(change, bins.filled.dtype), jnp.asarray(int(Status.OK))
    )


def _corner(found, rows, wanted, low, high):
    """The corner of the box that an optimiser has found to its tolerance: what is at a bound put
    there, the rest by the conditions."""
    room = np.minimum(found - low, high - found)
    free = np.argsort(-room)[: len(rows)]
    change = np.where(found - low < high - found, low, high)
    change[free] = 0
    change[free] = np.linalg.lstsq(rows[:, free], wanted - rows @ change, rcond=None)[0]
    missed = np.abs(rows @ change - wanted).max()
    allowed = 1e4 * np.finfo(rows.dtype).eps
    if missed > allowed or np.any(change < low - allowed) or np.any(change > high + allowed):
        raise ValueError(
            "`windows` are too different in size: the best occupation misses its conditions by"
            f" {missed:.1g}."
        )
    return np.clip(change, low, high)


class Balance(eqx.Module):
    """`parameters` at which a conductor meets its conditions, and the `conductor`. `status` is 0
    where they were found."""

    parameters: Float[Array, " n"]
    conductor: Conductor
    status: Int[Array, ""]


def balanced(
    build: Callable[[Float[Array, " n"], Any], Conductor],
    start: ArrayLike,
    args: Any = None,
    isolated: str = "demon",
    closed: Sequence[str] = (),
) -> Balance:
    """Parameters x at which `build(x, args)` is a conductor that exchanges neither particles nor
    energy with the reservoir `isolated`, nor particles with the `closed` ones: as many parameters
    as conditions.

    If all others are closed, the particles of the isolated one vanish with theirs and are no
    condition. By Newton's method from `start`; derivatives are implicit, so pass all that is
    differentiated in `args`. Raises `ValueError` where nothing is found (status NOT_CONVERGED in
    compiled code).
    """
    told = (
        f"`start` must lie nearer to parameters that meet the conditions, got {start}: from"
        " there none are found."
    )
    return balanced_or_refused(build, start, args, isolated, closed, told)


def balanced_or_refused(build, start, args, isolated, closed, refusal) -> Balance:
    """`balanced`, with a `refusal` of one's own."""
    begin = jnp.asarray(start, jnp.result_type(float))
    names = build(begin, args).names
    for name in (isolated, *closed):
        if name not in names:
            raise ValueError(
                f"`isolated` and `closed` name {name!r}; the reservoirs are"
                f" {', '.join(map(repr, names))}."
            )
    open_ones = [name for name in names if name != isolated and name not in closed]
    particles = [*closed, *([isolated] if open_ones else [])]
    if begin.shape != (len(particles) + 1,):
        raise ValueError(
            f"`start` must have one number for each of {len(particles) + 1} conditions, got shape"
            f" {begin.shape}."
        )

    def residuals(x, args):
        flows = currents(build(x, args))
        return jnp.stack(
            [
                flows.energy_currents[isolated],
                *(flows.particle_currents[name] for name in particles),
            ]
        )

    found, converged = newton(residuals, begin, args)
    status = first((~converged, Status.NOT_CONVERGED))
    if is_concrete(status) and not converged:
        raise ValueError(refusal)
    return Balance(found, build(found, args), status)


class _Bins(eqx.Module):
    """Energies e, weights w / h, means F and 1 - F of the lead's occupation, and what leaks, D."""

    energies: Float[Array, " bins"]
    weights: Float[Array, " bins"]
    filled: Float[Array, " bins"]
    empty: Float[Array, " bins"]
    leak: Float[Array, " bins"]
    owners: tuple[str, ...] = eqx.field(static=True)


def _bins(windows):
    parts = [_of_window(windows, k) for k in range(len(windows.owners))]
    owners = tuple(name for name in windows.owners for _ in range(windows.bins))
    return _Bins(*(jnp.concatenate(x) for x in zip(*parts)), owners=owners)


def _of_window(windows, k):
    reservoir = windows.reservoirs[windows.owners[k]]
    center = windows.centers[k]
    width = windows.widths[k]
    if windows.narrow:
        logit = reservoir.logit(center)[None]
        return (
            center[None],
            width[None] / (2 * jnp.pi),
            jax.nn.sigmoid(-logit),
            jax.nn.sigmoid(logit),
            jnp.zeros_like(logit),
        )
    size = width / windows.bins
    middles = center + size * jnp.asarray(
        (np.arange(windows.bins) + 0.5) - windows.bins / 2, center.dtype
    )

    def means(middle):
        ends = middle - size / 2, middle + size / 2
        energy, weights = panels(*ends, reservoir.breaks_within(*ends))
        logit = reservoir.logit(energy)

        def mean(x):
            return (weights * x).sum() / size

        filled = jax.nn.sigmoid(-logit)
        return mean(filled), mean(jax.nn.sigmoid(logit)), mean((middle - energy) * filled)

    return middles, jnp.broadcast_to(size / (2 * jnp.pi), middles.shape), *jax.vmap(means)(middles)


def _heat(windows, bins, name):
    """Weights of x - F, and what leaks, in the heat current out of a reservoir."""
    own = jnp.asarray(np.array([owner == name for owner in bins.owners]), bins.weights.dtype)
    share = own * bins.weights
    return -share * (bins.energies - windows.reservoirs[name].chemical_potential), -(
        share * bins.leak
    ).sum()


def _conditions(windows, bins, cooled, heat, closed):
    """Rows A and right-hand side c of the conditions A (x - F) = c."""
    # Energies from here on, as no particles are exchanged: better conditioned.
    middle = bins.energies.mean()
    zero = jnp.zeros_like(middle)

    def own(name):
        return (
            jnp.asarray(np.array([owner == name for owner in bins.owners]), bins.weights.dtype)
            * bins.weights
        )

    conditions = [(bins.weights * (bins.energies - middle), -(bins.weights * bins.leak).sum())]
    conditions += [(own(name), zero) for name in closed]
    if set(windows.owners) - set(closed):
        conditions.append((bins.weights, zero))
    if heat is not None:
        weights, offset = _heat(windows, bins, cooled)
        conditions.append((weights, heat - offset))
    return tuple(jnp.stack(x) for x in zip(*conditions))


@compiled
def _least_entropy(windows, heat, cooled, closed):
    bins = _bins(windows)
    rows, wanted = _conditions(windows, bins, cooled, heat, closed)
    frozen = lax.stop_gradient((bins, rows, wanted))

    def step(change, multipliers, bins, rows, wanted):
        """Newton's step for the change x - F and the multipliers of the conditions, so that what is
        solved for vanishes in the end."""
        x, v = bins.filled + change, bins.empty - change
        slope = bins.weights * (change / (x * v) - (jnp.log(v) - jnp.log(x)))
        # No squares, which underflow where it is cold.
        soft = x * v / (bins.weights * (bins.empty / v + bins.filled / x))
        scaled = rows * soft[None]
        system = scaled @ rows.T
        scale = jnp.sqrt(jnp.diagonal(system))
        right = (rows @ change - wanted - scaled @ (slope + rows.T @ multipliers)) / scale
        multipliers = multipliers + inverse(system / (scale[:, None] * scale[None])) @ right / scale
        return -(slope + rows.T @ multipliers) * soft, multipliers

    def unfinished(carry):
        count, _, _, size = carry
        return (count < 100) & (size > jnp.finfo(heat.dtype).eps ** 0.6)

    def advance(carry):
        count, change, multipliers, _ = carry
        direction, multipliers = step(change, multipliers, *frozen)
        x, v = frozen[0].filled + change, frozen[0].empty - change
        used = jnp.max(jnp.maximum(direction / v, -direction / x))  # of the room left
        change = change + direction / jnp.maximum(1, used / 0.9)
        return count + 1, change, multipliers, jnp.max(jnp.abs(direction) / jnp.minimum(x, v))

    start = (
        0,
        jnp.zeros_like(frozen[0].filled),
        jnp.zeros_like(frozen[2]),
        jnp.asarray(jnp.inf, heat.dtype),
    )
    _, change, multipliers, size = lax.while_loop(unfinished, advance, start)
    for _ in range(2):  # each step makes one more order of the derivative right
        direction, multipliers = step(change, multipliers, bins, rows, wanted)
        change = change + direction
    met = size <= jnp.finfo(heat.dtype).eps ** 0.6
    return _filling(
        windows, bins, jnp.where(met, change, jnp.nan), first((~met, Status.NOT_CONVERGED))
    )


def _filling(windows, bins, change, status):
    # To rounding.
    x, v = (jnp.clip(share, 0, 1) for share in (bins.filled + change, bins.empty - change))
    logits = jnp.log(v) - jnp.log(x)
    particles, heats = {}, {}
    for name in windows.reservoirs:
        own = (
            jnp.asarray(np.array([owner == name for owner in bins.owners]), x.dtype) * bins.weights
        )
        weights, offset = _heat(windows, bins, name)
        particles[name], heats[name] = -(own * change).sum(), (weights * change).sum() + offset
    moves = change != 0
    entropy = (bins.weights * jnp.where(moves, change * jnp.where(moves, logits, 0), 0)).sum()
    produced = -entropy - sum(
        heats[name] / reservoir.temperature for name, reservoir in windows.reservoirs.items()
    )
    widths = bins.weights * 2 * jnp.pi
    return Filling(bins.energies, widths, x, logits, particles, heats, entropy, produced, status)


def _check_names(windows, cooled, closed):
    for name in (cooled, *closed):
        if name not in windows.reservoirs:
            raise ValueError(
                f"`cooled` and `closed` name {name!r}; the reservoirs are"
                f" {', '.join(map(repr, windows.reservoirs))}."
            )
