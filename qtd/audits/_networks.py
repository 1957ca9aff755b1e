"""What can be asked of any rate network: detailed balance, weak coupling, one steady state and how soon, digits, bounds on noise."""

import itertools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse.linalg import LinearOperator, eigs

from .._numerics.findings import Checks, Finding, Severity, rated
from ..counting import covariance
from ..reservoirs import AbstractReservoir
from ..steady import SteadyState
from ._jumps import Jumps, tabulated

_DENSE = 400  # levels up to which the inverse of the generator is written out


def network_checks(state: SteadyState) -> Checks:
    """By topic, for a network at rest."""
    jumps, reservoirs = tabulated(state), state.reservoirs
    return {
        "detailed balance": lambda: detailed_balance(jumps, reservoirs),
        "weak coupling": lambda: advised([*weak_coupling(jumps, reservoirs), *secular(jumps)]),
        "steady state": lambda: relaxation(state, jumps),
        "precision": lambda: [*cancellation(jumps), *stiffness(jumps)],
        "kinetic uncertainty": lambda: kinetic_uncertainty(state, jumps),
    }


def detailed_balance(jumps: Jumps, reservoirs: Mapping[str, AbstractReservoir]) -> list[Finding]:
    """Rates up and down of every jump against exp(-entropy it takes from its reservoir), degeneracies included."""
    topic, kept, found = "detailed balance", [], []
    smallest = np.finfo(np.float32 if jumps.precision > 1e-10 else np.float64).tiny / jumps.precision
    for name, reservoir in reservoirs.items():
        thermal, chosen = reservoir.temperature is not None, jumps.of(name)
        chosen = np.flatnonzero(chosen & ~(np.minimum(jumps.up, jumps.down) <= smallest))
        law = "exp(-heat / T)" if thermal else "exp(-u), u the entropy that its occupation gives a quantum"
        wanted = jumps.weight[chosen] - jumps.entropy[chosen]
        defects = np.abs(np.log(jumps.up[chosen] / jumps.down[chosen]) - wanted)
        allowed = 1e3 * jumps.precision * (1 + np.abs(wanted))
        broken = np.flatnonzero(~(defects <= allowed))
        if not len(chosen):
            text = f"No jump of {name!r} has rates in both directions, above what underflows, that could be compared."
            found.append(Finding(Severity.NOTE, topic, text))
        elif len(broken):
            worst = chosen[broken[np.argmax(defects[broken])]]
            factor = float(np.exp(min(defects[broken].max(), 700.0)))
            text = (
                f"Rates of {name!r} up and down between levels {jumps.lower[worst]} and {jumps.upper[worst]} differ"
                f" from {law} by a factor of"
                f" {factor:.4g}: it is not the reservoir that it is said to be, and no law of thermodynamics need hold."
            )
            found.append(Finding(Severity.WRONG, topic, text, {"factor": factor, "broken": float(len(broken))}))
        elif thermal:
            kept.append((repr(name), len(chosen), float(defects.max())))
        else:
            text = f"{name!r} has no temperature to be in balance with; its {len(chosen)} jumps stand as {law}, to {defects.max():.1g}."
            found.append(Finding(Severity.FINE, topic, text, {"defect": float(defects.max())}))
    if kept:
        names, counts, defects = zip(*kept)
        text = f"Rates up and down stand as exp(-heat / T) in all {sum(counts)} jumps of {', '.join(names)}, to {max(defects):.1g}."
        found.append(Finding(Severity.FINE, topic, text, {"defect": max(defects), "jumps": float(sum(counts))}))
    return found


def weak_coupling(jumps: Jumps, reservoirs: Mapping[str, AbstractReservoir]) -> list[Finding]:
    """The fastest jump over the width of its filter, over the gap it bridges (bosons) and over the temperature (fermions)."""
    ratios: dict[str, list[tuple[float, int, float]]] = {}
    for name, reservoir in reservoirs.items():
        chosen = np.flatnonzero(jumps.of(name) & jumps.matter & (jumps.rate > 0))
        if not len(chosen):
            continue
        bandwidth = _bandwidth(reservoir)
        against = {"the width of its filter": np.full(len(chosen), bandwidth)} if np.isfinite(bandwidth) else {}
        if reservoir.statistics == "bose":
            against["the energy of the jump"] = np.abs(jumps.energy[chosen])
        elif reservoir.temperature is not None:
            against["its temperature"] = np.full(len(chosen), float(reservoir.temperature))
        for what, limits in against.items():
            values = jumps.rate[chosen] / np.where(limits > 0, limits, np.finfo(float).tiny)
            k = int(np.argmax(values))
            ratios.setdefault(what, []).append((float(values[k]), int(chosen[k]), float(limits[k])))
    found = []
    for what, candidates in ratios.items():
        value, jump, limit = max(candidates)
        name, pair = jumps.names[jumps.reservoir[jump]], (int(jumps.lower[jump]), int(jumps.upper[jump]))
        severity = rated(value, 0.01, 0.1, 1.0)
        text = (
            f"The fastest jump of {name!r}, between levels {pair[0]} and {pair[1]}, has the rate"
            f" {jumps.rate[jump]:.3g}, which is {value:.3g}"
            f" times {what} ({limit:.3g}); a rate equation needs this well below 1."
        )
        found.append(Finding(severity, "weak coupling", text, {"ratio": value, "rate": float(jumps.rate[jump]), "limit": limit}))
    return found


def _bandwidth(reservoir):
    """Infinite where there is none, or none that is known."""
    known = getattr(reservoir.spectral_density, "bandwidth", lambda: None)()
    return np.inf if known is None else float(known)


def advised(found: list[Finding]) -> list[Finding]:
    """With what to do where rates are too fast and are all that there is; once, at the worst of them."""
    worst = max(found, key=lambda finding: finding.numbers.get("ratio", 0.0), default=None)
    if worst is None or worst.severity < Severity.DOUBTFUL:
        return found
    advice = (
        " Currents and noise of a rate equation grow in proportion to the heights of all spectral densities together,"
        " so read them per height:"
        f" with all heights times {0.01 / worst.numbers['ratio']:.1g} the model holds, and populations, COP and"
        " uncertainties stay as they are."
    )
    return [worst._replace(text=worst.text + advice), *(finding for finding in found if finding is not worst)]


def secular(jumps: Jumps) -> list[Finding]:
    """Whether two levels that one reservoir joins to a third, both above it or both below, lie further apart than the rates: else it makes
    them coherent. (One above and one below are further apart than any of the two jumps, with which rates are compared anyway.)"""
    worst, twins = (0.0, (0, 0), "", 0.0), None
    for index, name in enumerate(jumps.names):
        chosen = np.flatnonzero((jumps.reservoir == index) & jumps.matter & (jumps.rate > 0))
        meeting: dict[int, list[tuple[int, float]]] = {}
        for jump in chosen:
            a, b, rate = int(jumps.lower[jump]), int(jumps.upper[jump]), float(jumps.rate[jump])
            meeting.setdefault(a, []).append((b, rate))
            meeting.setdefault(b, []).append((a, rate))
        for meet, ends in meeting.items():
            for (a, first), (b, second) in itertools.combinations(ends, 2):
                splitting = abs(jumps.energies[a] - jumps.energies[b])
                same_side = (jumps.energies[a] > jumps.energies[meet]) == (jumps.energies[b] > jumps.energies[meet])
                if a == b or not same_side or min(first, second) < 1e-9 * max(first, second):
                    continue
                if splitting == 0:
                    twins = (a, b, name)
                elif max(first, second) / splitting > worst[0]:
                    worst = max(first, second) / splitting, (a, b), name, splitting
    found = []
    if twins:
        text = (
            f"Levels {twins[0]} and {twins[1]} have the same energy and {twins[2]!r} joins both to a third one. The rate equation takes for"
            " granted that nothing makes superpositions of them, as with two directions of a spin; it cannot tell."
        )
        found.append(Finding(Severity.NOTE, "weak coupling", text))
    if worst[0] > 0:
        value, (a, b), name, splitting = worst
        text = (
            f"{name!r} joins levels {a} and {b}, {splitting:.3g} apart, to a common third one, at rates up to"
            f" {value:.3g} times that; a rate"
            " equation without their coherence needs this well below 1 (else use a Lindbladian in the Redfield approach)."
        )
        found.append(Finding(rated(value, 0.02, 0.1, 1.0), "weak coupling", text, {"ratio": value, "splitting": splitting}))
    return found


def relaxation(state: SteadyState, jumps: Jumps) -> list[Finding]:
    """The slowest mode, from the inverse of the generator: there the slow modes are the large eigenvalues, which come with all digits."""
    size, order = len(jumps.populations), state.network.topology.order
    p = np.asarray(state.populations, float)
    if size <= _DENSE:
        inverse = np.asarray(_inverse(state), float)
        values, vectors = np.linalg.eig(inverse)
    else:
        apply = lambda y: np.asarray(_apply(state, jnp.asarray((y - p * y.sum()).ravel(), state.populations.dtype)), float)
        found: Any = eigs(LinearOperator((size, size), matvec=apply, dtype=float), k=1, which="LM")
        values, vectors = found
    rate, which = slowest(values, jumps.precision)
    mode = np.zeros(size)
    mode[order] = np.real(vectors[:, which])
    ends = sorted((int(np.argmin(mode)), int(np.argmax(mode))))
    fastest = float((np.bincount(jumps.lower, jumps.up, size) + np.bincount(jumps.upper, jumps.down, size)).max())
    numbers = {"rate": rate, "time": 1 / rate if rate else np.inf, "fastest": fastest}
    text = (
        f"There is one steady state. The slowest way to it, between levels {ends[0]} and {ends[1]}, has the rate"
        f" {rate:.4g}, which is a time"
        f" of {numbers['time']:.4g}; the fastest level is left at the rate {fastest:.4g}."
    )
    if not rate > 0:
        return [
            Finding(Severity.DOUBTFUL, "steady state", f"{text} A rate that is not positive cannot be: it is lost in rounding.", numbers)
        ]
    if rate < 1e-9 * fastest:
        text += " A device that was just switched on is far from this state for long."
        return [Finding(Severity.NOTE, "steady state", text, numbers)]
    return [Finding(Severity.FINE, "steady state", text, numbers)]


def slowest(inverse: np.ndarray, precision: float) -> tuple[float, int]:
    """The smallest rate of decay, and whose it is, from the eigenvalues of the inverse of a generator; that of rest is 0 in both."""
    kept = np.flatnonzero(np.abs(inverse) > 1e3 * precision * np.abs(inverse).max())
    decays = np.real(-1 / inverse[kept])
    return float(decays.min()), int(kept[np.argmin(decays)])


@eqx.filter_jit
def _inverse(state):
    p = state.populations
    return jax.vmap(state.elimination.solve, in_axes=1, out_axes=1)(jnp.eye(len(p), dtype=p.dtype) - p[:, None])


@eqx.filter_jit
def _apply(state, y):
    return state.elimination.solve(y)


def cancellation(jumps: Jumps) -> list[Finding]:
    """Digits that are left of each heat current, a difference of what jumps carry in either direction."""
    lowest, through, quiet = np.inf, "", []
    for name in jumps.names:
        chosen = jumps.of(name)
        up, down = jumps.up * jumps.populations[jumps.lower], jumps.down * jumps.populations[jumps.upper]
        gross = float((np.abs(jumps.heat) * (up + down))[chosen].sum())
        net = abs(float((jumps.heat * (up - down))[chosen].sum()))
        if gross == 0:
            continue
        if net < 100 * jumps.precision * gross:
            quiet.append(repr(name))
        elif net / gross < lowest:
            lowest, through = net / gross, name
    found = []
    if quiet:
        text = f"The heat current out of {' and '.join(quiet)} is 0 to rounding: jumps in and out balance, and its sign means nothing."
        found.append(Finding(Severity.NOTE, "precision", text))
    if through:
        digits = -np.log10(jumps.precision / lowest)
        single = digits + np.log10(jumps.precision / np.finfo(np.float32).eps)
        text = (
            f"The heat current out of {through!r} is {lowest:.2g} of what jumps carry in either direction, which leaves"
            f" at least {digits:.0f}"
            f" of its digits; single precision would leave {max(single, 0):.0f}."
        )
        severity = rated(-digits, -6, -3)
        found.append(Finding(severity, "precision", text, {"net_over_gross": lowest, "digits": digits, "digits_float32": single}))
    if jumps.precision > 1e-10:
        text = "Everything is computed in single precision. To check, repeat with jax.config.update('jax_enable_x64', True)."
        found.append(Finding(Severity.NOTE, "precision", text, {"eps": jumps.precision}))
    return found


def stiffness(jumps: Jumps) -> list[Finding]:
    """How far populations and rates are apart."""
    rates = np.concatenate([jumps.up, jumps.down])
    rates, smallest = rates[rates > 0], float(jumps.populations.min())
    numbers = {"smallest_population": smallest, "slowest_rate": float(rates.min()), "fastest_rate": float(rates.max())}
    text = f"Rates span {rates.min():.2g} to {rates.max():.2g}, and the smallest population is {smallest:.2g}"
    if smallest <= 0:
        return [Finding(Severity.NOTE, "precision", f"{text}: it underflows, as do derivatives through it; nothing else is lost.", numbers)]
    if jumps.precision < 1e-10 and smallest < np.finfo(np.float32).tiny:
        return [Finding(Severity.NOTE, "precision", f"{text}, which single precision has no numbers for.", numbers)]
    text += "; the elimination subtracts nothing, so each population is right relative to itself."
    return [Finding(Severity.FINE, "precision", text, numbers)]


def kinetic_uncertainty(state: SteadyState, jumps: Jumps) -> list[Finding]:
    r"""$c_2 / c_1^2 \ge 1 / A$ with A all jumps per time, for whatever is counted.

    Making every rate larger by a factor 1 + x makes any count, with fixed weights of the jumps, larger by the same factor, and the
    path of the device holds the Fisher information A t about x; the bound is that of Cramer and Rao. It therefore holds for counted
    energy and heat as for particles. **Source:** Garrahan, Phys. Rev. E 95, 032134 (2017); Di Terlizzi and Baiesi, J. Phys. A 52,
    02LT03 (2018).
    """
    activity = float(jumps.activity.sum())
    noise = covariance(state, "heat")
    products = {name: _product(float(noise[name, name]), float(state.current(name, "heat")), activity) for name in jumps.names}
    return [kinetic_finding(products, activity, jumps.precision, is_theorem=True)]


def _product(noise, current, activity):
    return noise * activity / current**2 if current else np.inf


def kinetic_finding(products: Mapping[str, float], activity: float, precision: float, is_theorem: bool) -> Finding:
    """How noise times jumps per time over current squared compares with 1, by reservoir."""
    name = min(products, key=lambda name: products[name])
    value, numbers = products[name], {"product": products[name], "activity": activity}
    text = (
        f"Noise times all jumps per time ({activity:.4g}) over the square of the heat current is at least {value:.4g} (out of {name!r});"
        " for jumps it cannot be below 1."
    )
    if value >= 1 - 1e4 * precision:
        return Finding(Severity.FINE, "kinetic uncertainty", text, numbers)
    if is_theorem:
        return Finding(Severity.WRONG, "kinetic uncertainty", f"{text} This is a theorem for rate equations: something is broken.", numbers)
    return Finding(Severity.NOTE, "kinetic uncertainty", f"{text} Coherence may do that; it is no error by itself.", numbers)
