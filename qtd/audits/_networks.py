"""What can be asked of any rate network at rest: detailed balance, one steady state and how soon,
digits, bounds on noise."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse.linalg import LinearOperator, eigs

from .._numerics.compilation import compiled
from ..counting import covariance
from ..findings import Checks, Finding, Severity
from ..limits import DENSE, DIGITS, NOTHING, OF_A_RATE, OF_A_SUM, SLOW
from ..networks import RateNetwork
from ..reservoirs import AbstractReservoir
from ..steady import SteadyState, solve
from ._coupling import advised, secular, weak_coupling
from ._jumps import Jumps, tabulated
from ._systems import checks_of


@checks_of.register
def _(network: RateNetwork) -> Checks:
    state = solve(network)
    jumps, reservoirs = tabulated(state), state.reservoirs
    return {
        "detailed balance": lambda: detailed_balance(jumps, reservoirs),
        "weak coupling": lambda: advised([*weak_coupling(jumps, reservoirs), *secular(jumps)]),
        "steady state": lambda: relaxation(state, jumps),
        "precision": lambda: [*cancellation(jumps), *stiffness(jumps)],
        "kinetic uncertainty": lambda: kinetic_uncertainty(state, jumps),
    }


def detailed_balance(jumps: Jumps, reservoirs: Mapping[str, AbstractReservoir]) -> list[Finding]:
    """Rates up and down of every jump against exp(-entropy it takes from its reservoir),
    degeneracies included."""
    topic = "detailed balance"
    kept = []
    found = []
    smallest = (
        np.finfo(np.float32 if jumps.precision > 1e-10 else np.float64).tiny / jumps.precision
    )
    for name, reservoir in reservoirs.items():
        thermal, chosen = reservoir.temperature is not None, jumps.of(name)
        chosen = np.flatnonzero(chosen & ~(np.minimum(jumps.up, jumps.down) <= smallest))
        law = (
            "exp(-heat / T)"
            if thermal
            else "exp(-u), u the entropy that its occupation gives a quantum"
        )
        wanted = jumps.weight[chosen] - jumps.entropy[chosen]
        defects = np.abs(np.log(jumps.up[chosen] / jumps.down[chosen]) - wanted)
        broken = np.flatnonzero(~(defects <= OF_A_RATE * jumps.precision * (1 + np.abs(wanted))))
        if not len(chosen):
            text = (
                f"No jump of {name!r} has rates in both directions, above what underflows, that"
                " could be compared."
            )
            found.append(Finding(Severity.UNCHECKED, topic, text, kind=f"one way, {name}"))
        elif len(broken):
            worst = chosen[broken[np.argmax(defects[broken])]]
            factor = float(np.exp(min(defects[broken].max(), 700.0)))
            pair = f"{jumps.lower[worst]} and {jumps.upper[worst]}"
            text = (
                f"Rates of {name!r} up and down between levels {pair} differ from {law} by a factor"
                f" of {factor:.4g}:"
                " it is not the reservoir that it is said to be, and no law of thermodynamics need"
                " hold."
            )
            numbers = {"factor": factor, "broken": float(len(broken))}
            found.append(Finding(Severity.WRONG, topic, text, numbers, f"broken, {name}", factor))
        elif thermal:
            kept.append((repr(name), len(chosen), float(defects.max())))
        else:
            defect = float(defects.max())
            text = (
                f"{name!r} has no temperature to be in balance with; its {len(chosen)} jumps"
                f" stand as {law}, to {defect:.1g}."
            )
            found.append(
                Finding(
                    Severity.FINE, topic, text, {"defect": defect}, f"nonthermal, {name}", defect
                )
            )
    if kept:
        names, counts, defects = zip(*kept)
        text = (
            f"Rates up and down stand as exp(-heat / T) in all {sum(counts)} jumps of"
            f" {', '.join(names)}, to {max(defects):.1g}."
        )
        numbers = {"defect": max(defects), "jumps": float(sum(counts))}
        found.append(Finding(Severity.FINE, topic, text, numbers, "thermal", max(defects)))
    return found


def relaxation(state: SteadyState, jumps: Jumps) -> list[Finding]:
    """The slowest mode, from the inverse of the generator: there the slow modes are the large
    eigenvalues, which come with all digits."""
    size, order = len(jumps.populations), state.network.topology.order
    p = np.asarray(state.populations, float)
    if size <= DENSE:
        inverse = np.asarray(_inverse(state), float)
        values, vectors = np.linalg.eig(inverse)
    else:

        def apply(y):
            return np.asarray(
                _apply(state, jnp.asarray((y - p * y.sum()).ravel(), state.populations.dtype)),
                float,
            )

        found: Any = eigs(LinearOperator((size, size), matvec=apply, dtype=float), k=1, which="LM")  # pyright: ignore[reportCallIssue]
        values, vectors = found
    rate, which = slowest(values, jumps.precision)
    mode = np.zeros(size)
    mode[order] = np.real(vectors[:, which])
    ends = sorted((int(np.argmin(mode)), int(np.argmax(mode))))
    fastest = float(
        (
            np.bincount(jumps.lower, jumps.up, size) + np.bincount(jumps.upper, jumps.down, size)
        ).max()
    )
    time = 1 / rate if rate else np.inf
    text = (
        "There is one steady state."
        f" The slowest way to it, between levels {ends[0]} and {ends[1]}, has the rate {rate:.4g},"
        f" which is a time of {time:.4g};"
        f" the fastest level is left at the rate {fastest:.4g}."
    )
    severity = Severity.FINE
    if not rate > 0:
        severity = Severity.DOUBTFUL
        text = f"{text} A rate that is not positive cannot be: it is lost in rounding."
    elif rate < SLOW * fastest:
        severity = Severity.NOTE
        text = f"{text} A device that was just switched on is far from this state for long."
    return [
        Finding(
            severity,
            "steady state",
            text,
            {"rate": rate, "time": time, "fastest": fastest},
            "relaxation",
            time,
        )
    ]


def slowest(inverse: np.ndarray, precision: float) -> tuple[float, int]:
    """The smallest rate of decay, and whose it is, from the eigenvalues of the inverse of a
    generator; that of rest is 0 in both."""
    kept = np.flatnonzero(np.abs(inverse) > OF_A_RATE * precision * np.abs(inverse).max())
    decays = np.real(-1 / inverse[kept])
    return float(decays.min()), int(kept[np.argmin(decays)])


@compiled
def _inverse(state):
    p = state.populations
    return jax.vmap(state.elimination.solve, in_axes=1, out_axes=1)(
        jnp.eye(len(p), dtype=p.dtype) - p[:, None]
    )


@compiled
def _apply(state, y):
    return state.elimination.solve(y)


def cancellation(jumps: Jumps) -> list[Finding]:
    """Digits that are left of each heat current, a difference of what jumps carry in either
    direction."""
    lowest = np.inf
    through = ""
    quiet = []
    for name in jumps.names:
        chosen = jumps.of(name)
        up = jumps.up * jumps.populations[jumps.lower]
        down = jumps.down * jumps.populations[jumps.upper]
        gross = float((np.abs(jumps.heat) * (up + down))[chosen].sum())
        net = abs(float((jumps.heat * (up - down))[chosen].sum()))
        if gross == 0:
            continue
        if net < NOTHING * jumps.precision * gross:
            quiet.append(repr(name))
        elif net / gross < lowest:
            lowest, through = net / gross, name
    found = []
    if quiet:
        text = (
            f"The heat current out of {' and '.join(quiet)} is 0 to rounding: jumps in and out"
            " balance, and its sign means nothing."
        )
        found.append(
            Finding(Severity.NOTE, "precision", text, kind="no current", badness=len(quiet))
        )
    if through:
        digits = -np.log10(jumps.precision / lowest)
        single = digits + np.log10(jumps.precision / np.finfo(np.float32).eps)
        text = (
            f"The heat current out of {through!r} is {lowest:.2g} of what jumps carry in either"
            " direction,"
            f" which leaves at least {digits:.0f} of its digits; single precision would leave"
            f" {max(single, 0):.0f}."
        )
        lost = jumps.precision / lowest
        numbers = {"net_over_gross": lowest, "digits": digits, "digits_float32": single}
        found.append(Finding(DIGITS.rate(lost), "precision", text, numbers, "digits", lost))
    if jumps.precision > 1e-10:
        text = (
            "Everything is computed in single precision. To check, repeat with"
            " jax.config.update('jax_enable_x64', True)."
        )
        found.append(
            Finding(Severity.NOTE, "precision", text, {"eps": jumps.precision}, "single precision")
        )
    return found


def stiffness(jumps: Jumps) -> list[Finding]:
    """How far populations and rates are apart."""
    rates = np.concatenate([jumps.up, jumps.down])
    rates, smallest = rates[rates > 0], float(jumps.populations.min())
    numbers = {
        "smallest_population": smallest,
        "slowest_rate": float(rates.min()),
        "fastest_rate": float(rates.max()),
    }
    text = (
        f"Rates span {rates.min():.2g} to {rates.max():.2g}, and the smallest population is"
        f" {smallest:.2g}"
    )
    if smallest <= 0:
        severity = Severity.NOTE
        text = f"{text}: it underflows, as do derivatives through it; nothing else is lost."
    elif jumps.precision < 1e-10 and smallest < np.finfo(np.float32).tiny:
        severity, text = Severity.NOTE, f"{text}, which single precision has no numbers for."
    else:
        severity = Severity.FINE
        text = (
            f"{text}; the elimination subtracts nothing, so each population is right relative to"
            " itself."
        )
    return [Finding(severity, "precision", text, numbers, "populations", -smallest)]


def kinetic_uncertainty(state: SteadyState, jumps: Jumps) -> list[Finding]:
    r"""$c_2 / c_1^2 \ge 1 / A$ with A all jumps per time, for whatever is counted.

    Making every rate larger by a factor 1 + x makes any count, with fixed weights of the jumps,
    larger by the same factor, and the path of the device holds the Fisher information A t about x;
    the bound is that of Cramer and Rao. It therefore holds for counted energy and heat as for
    particles. **Source:** Garrahan, Phys. Rev. E 95, 032134 (2017); Di Terlizzi and Baiesi, J.
    Phys. A 52, 02LT03 (2018).
    """
    activity = float(jumps.activity.sum())
    noise = covariance(state, "heat")
    products = {
        name: _product(float(noise[name, name]), float(state.current(name, "heat")), activity)
        for name in jumps.names
    }
    return [kinetic_finding(products, activity, jumps.precision, is_theorem=True)]


def _product(noise, current, activity):
    return noise * activity / current**2 if current else np.inf


def kinetic_finding(
    products: Mapping[str, float], activity: float, precision: float, is_theorem: bool
) -> Finding:
    """How noise times jumps per time over current squared compares with 1, by reservoir."""
    name = min(products, key=lambda name: products[name])
    value, numbers = products[name], {"product": products[name], "activity": activity}
    text = (
        f"Noise times all jumps per time ({activity:.4g}) over the square of the heat current is at"
        f" least {value:.4g} (out of {name!r});"
        " for jumps it cannot be below 1."
    )
    severity = Severity.FINE
    if not value >= 1 - OF_A_SUM * precision:
        severity = Severity.WRONG if is_theorem else Severity.NOTE
        text += (
            " This is a theorem for rate equations: something is broken."
            if is_theorem
            else _OF_COHERENCE
        )
    return Finding(severity, "kinetic uncertainty", text, numbers, "heat", -value)


_OF_COHERENCE = " Coherence may do that; it is no error by itself."
