"""Whether rates are slow enough for a rate equation: weak coupling to each reservoir, and levels
that are well apart."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from ..findings import Finding, Severity
from ..limits import FIRST_ORDER, IDLE
from ..reservoirs import AbstractReservoir
from ._jumps import Jumps

_TOPIC = "weak coupling"


def weak_coupling(jumps: Jumps, reservoirs: Mapping[str, AbstractReservoir]) -> list[Finding]:
    """The fastest jump that matters over the width of its filter, over the gap it bridges (bosons)
    and over the temperature (fermions).

    A rate equation leaves out corrections of the order of these ratios, to the populations of the
    two levels that a jump joins and to whatever passes through them. A fast jump is therefore
    judged by its levels, and by what a fault there would spoil: levels that hold 1 % of the time,
    or through which 1 % of the net jumps or of the heat of some reservoir passes, count however
    rarely they are visited; others do not, however fast they are left. Levels too small to count
    alone count together, so that no long ladder escapes: see `Jumps.decisive`.

    What counts is net, not jumps in both directions: else a fast jump to and fro between two levels
    that are hardly ever met would vouch for its own importance. What this does not see: a level
    that only virtual transitions reach. This is the one jump that a mean over all, `validity`, may
    hide; what passes through it is off by about half of its ratio.
    """
    found = {}
    for name, reservoir in reservoirs.items():
        chosen = np.flatnonzero(jumps.of(name) & jumps.candidates)
        ends = np.stack([jumps.lower[chosen], jumps.upper[chosen]], axis=1)
        for what, limits in _limits(jumps, reservoir, chosen).items():
            values = jumps.rate[chosen] / np.where(limits > 0, limits, np.finfo(float).tiny)
            k = jumps.decisive(values, ends)
            if k is not None and (what not in found or values[k] > found[what].badness):
                found[what] = _too_fast(
                    jumps, int(chosen[k]), what, float(values[k]), float(limits[k])
                )
    return list(found.values())


def _limits(jumps, reservoir, chosen):
    """What the rates of the chosen jumps of a reservoir have to be small against, in words."""
    every = np.ones(len(chosen))
    bandwidth, found = reservoir.bandwidth(), {}
    if bandwidth is not None:
        found["the width of its filter"] = float(bandwidth) * every
    if reservoir.statistics == "bose":
        found["the energy of the jump"] = np.abs(jumps.energy[chosen])
    elif reservoir.temperature is not None:
        found["its temperature"] = float(reservoir.temperature) * every
    return found


def _too_fast(jumps, jump, what, ratio, limit):
    rate, name = float(jumps.rate[jump]), jumps.names[jumps.reservoir[jump]]
    pair = f"between levels {jumps.lower[jump]} and {jumps.upper[jump]}"
    text = (
        f"The fastest jump of {name!r} that matters to what flows, {pair}, has the rate {rate:.3g}:"
        f" {ratio:.3g} times {what} ({limit:.3g}). A rate equation needs this well below 1."
    )
    return Finding(
        FIRST_ORDER.rate(ratio / 2),
        _TOPIC,
        text,
        {"ratio": ratio, "rate": rate, "limit": limit},
        what,
        ratio,
    )


def advised(found: list[Finding]) -> list[Finding]:
    """Adds what to do where rates are too fast and are all that there is; once, at the worst of
    them."""
    worst = max(found, key=lambda finding: finding.numbers.get("ratio", 0.0), default=None)
    if worst is None or worst.severity < Severity.DOUBTFUL:
        return found
    factor = FIRST_ORDER.note / worst.numbers["ratio"]
    advice = (
        " Currents and noise of a rate equation are proportional to the heights of all spectral"
        " densities together: read them per height."
        f" With all heights times {factor:.1g} the model holds, and populations, COP and"
        " uncertainties stay as they are."
    )
    return [
        worst._replace(text=worst.text + advice),
        *(finding for finding in found if finding is not worst),
    ]


def secular(jumps: Jumps) -> list[Finding]:
    """Whether two levels that one reservoir joins to a third, both above it or both below, lie
    further apart than the rates: else it makes them coherent. (One above and one below are further
    apart than any of the two jumps, with which rates are compared anyway.) The two count as in
    `weak_coupling`; the third does not, as it is not made coherent."""
    found, pairs = [], list(_meeting(jumps))
    twins = [pair for pair in pairs if pair[1] == 0]
    if (
        twins
        and (k := jumps.decisive(np.ones(len(twins)), np.array([levels for *_, levels in twins])))
        is not None
    ):
        name, *_, (a, b) = twins[k]
        text = (
            f"Levels {a} and {b} have the same energy and {name!r} joins both to a third one. A"
            " rate equation cannot tell what that does:"
            " it takes for granted that nothing makes superpositions of them, as with two"
            " directions of a spin."
        )
        found.append(Finding(Severity.NOTE, _TOPIC, text, kind="same energy"))
    apart = [pair for pair in pairs if pair[1] > 0]
    ratios = np.array([rate / splitting for _, splitting, rate, _ in apart])
    if (
        apart
        and (k := jumps.decisive(ratios, np.array([levels for *_, levels in apart]))) is not None
    ):
        (name, splitting, _, (a, b)), ratio = apart[k], float(ratios[k])
        text = (
            f"{name!r} joins levels {a} and {b}, {splitting:.3g} apart, to a common third one, at"
            f" rates up to {ratio:.3g} times that."
            " A rate equation without their coherence needs this well below 1 (else use a"
            " Lindbladian in the Redfield approach)."
        )
        found.append(
            Finding(
                FIRST_ORDER.rate(ratio),
                _TOPIC,
                text,
                {"ratio": ratio, "splitting": splitting},
                "splitting",
                ratio,
            )
        )
    return found


def _meeting(jumps) -> Iterator[tuple[str, float, float, tuple[int, int]]]:
    """Two jumps of one reservoir that meet in a level, to two others on the same side of it: the
    reservoir, how far these two are apart, the faster rate, and these two."""
    for name in jumps.names:
        ends: dict[int, list[tuple[int, float]]] = {}
        for jump in np.flatnonzero(jumps.of(name) & jumps.candidates):
            a = int(jumps.lower[jump])
            b = int(jumps.upper[jump])
            rate = float(jumps.rate[jump])
            ends.setdefault(a, []).append((b, rate))
            ends.setdefault(b, []).append((a, rate))
        for meet, others in ends.items():
            above = {level: jumps.energies[level] > jumps.energies[meet] for level, _ in others}
            for (a, first), (b, second) in itertools.combinations(others, 2):
                if (
                    a != b
                    and above[a] == above[b]
                    and min(first, second) >= IDLE * max(first, second)
                ):
                    yield (
                        name,
                        float(abs(jumps.energies[a] - jumps.energies[b])),
                        max(first, second),
                        (a, b),
                    )
