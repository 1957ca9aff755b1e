"""What a rate equation promises where rates outgrow the widths of filters, and what is true, as a
hierarchy of equations of motion and closed forms say it: claims about these figures."""

import numpy as np

from .._claim import Outcome, claim, claims_in
from .devices import (
    DRAWS,
    EXACT_COOLING,
    EXACT_GRADIENT,
    EXACT_TWO_LEVELS,
    SIZES,
    best_width,
    detuned,
    explicit,
    fixed_heights,
    rate_equation,
    slope,
    two_levels,
    within_the_meter,
)

__all__ = ["CLAIMS"]

NARROW, WIDE = 0.05, 0.2
COOL = (0.4, 0.25)


def _equal(way, width, ratio):
    return way((width,) * 3, (width * ratio,) * 3)


@claim(
    "Fig. 1a",
    "a rate equation promises more than what is true as soon as heights reach the widths",
    printed="by factors of 1.636 at h = d, 5.81 at h = 10 d",
)
def rates_promise_too_much() -> Outcome:
    factors, parts = {}, {}
    for ratio in (0.01, 0.1, 1.0, 10.0):
        found = _equal(explicit, NARROW, ratio).current
        factors[ratio] = _equal(rate_equation, NARROW, ratio).current / found
    for ratio, printed in ((0.01, 1.0078), (0.1, 1.0753), (1.0, 1.636), (10.0, 5.81)):
        parts[f"h / d = {ratio:g}"] = abs(factors[ratio] / printed - 1) < 3e-3
    return Outcome(
        parts,
        {f"rate equation / explicit at h / d = {x:g}": y for x, y in factors.items()},
        f"by {factors[1.0]:.3f} and {factors[10.0]:.2f} at d = 0.05",
    )


@claim(
    "Fig. 1a",
    "explicit filters in the default treatment have the cooling current of the hierarchy while h d"
    " << e^2",
    printed="0.05 % at d = 0.05, h = d",
)
def the_default_is_that_of_the_hierarchy() -> Outcome:
    off = {}
    for width, ratio in ((NARROW, 0.1), (NARROW, 1.0), (NARROW, 10.0), (WIDE, 1.0), (WIDE, 10.0)):
        ratios, currents, *_ = EXACT_COOLING[width]
        exact = currents[ratios.index(ratio)]
        off[width, ratio] = _equal(explicit, width, ratio).current / exact - 1
    return Outcome(
        {
            "d = 0.05, h = d": abs(off[NARROW, 1.0]) < 1e-3,
            "d = 0.05, h = 10 d": abs(off[NARROW, 10.0]) < 3e-3,
            "d = 0.2, h = d": abs(off[WIDE, 1.0]) < 0.01,
        },
        {f"off at d = {width:g}, h / d = {x:g}": y for (width, x), y in off.items()},
        f"to {100 * abs(off[NARROW, 1.0]):.2f} %, and at d = 0.2 to"
        f" {100 * abs(off[WIDE, 1.0]):.1f} % at h = d, {100 * abs(off[WIDE, 10.0]):.0f} % at h = 10"
        " d, where the status says so",
    )


@claim(
    "Fig. 1a",
    "the cooling current saturates in the height of the filters, at a number of quanta for each"
    " width",
    printed="0.0145 d, half of it at h = 4 to 5 d",
)
def cooling_saturates() -> Outcome:
    # A width of 1e-3 keeps h d far below e^2 at all of these ratios.
    shares = {x: _equal(explicit, 1e-3, x).current / 1e-3 for x in (4.5, 100.0, 300.0, 1000.0)}
    last, before = shares[1000.0], shares[300.0]
    # What is left falls as 1 / x.
    limit = last + (last - before) * 300 / (1000 - 300)
    return Outcome(
        {
            "0.0145 d": abs(limit / 0.0145 - 1) < 0.01,
            "half of it at h = 4.5 d": abs(shares[4.5] / limit - 0.5) < 0.03,
        },
        {f"I_c / d at h / d = {x:g}": y for x, y in shares.items()} | {"limit of I_c / d": limit},
        f"{limit:.4f} d; at h = 4.5 d it is {100 * shares[4.5] / limit:.0f} % of that",
    )


@claim(
    "Fig. 1b",
    "COP stays the ratio of the gaps, 1/2, says the rate equation; it falls",
    printed="0.49786, 0.4820 (d = 0.05), 0.4653, 0.248 (d = 0.2) at h = d, 10 d",
)
def cop_falls() -> Outcome:
    cops = {(d, x): _equal(explicit, d, x).cop for d in (NARROW, WIDE) for x in (0.1, 1.0, 10.0)}
    parts = {
        "falls with the height": all(
            0.5 > cops[d, 0.1] > cops[d, 1.0] > cops[d, 10.0] for d in (NARROW, WIDE)
        ),
        "1/2 of the rate equation": abs(_equal(rate_equation, NARROW, 10.0).cop - 0.5) < 1e-9,
    }
    for width, ratio in ((NARROW, 1.0), (NARROW, 10.0), (WIDE, 1.0)):
        ratios, *_, exact = EXACT_COOLING[width]
        gap = cops[width, ratio] / exact[ratios.index(ratio)] - 1
        parts[f"as the hierarchy, d = {width:g}, h / d = {ratio:g}"] = abs(gap) < 5e-3
    return Outcome(
        parts,
        {f"COP at d = {d:g}, h / d = {x:g}": cop for (d, x), cop in cops.items()},
        f"to {cops[NARROW, 10.0]:.3f} at d = 0.05 and {cops[WIDE, 10.0]:.2f} at d = 0.2",
    )


@claim(
    "Fig. 2",
    "narrow filters, which a rate equation asks for at given heights, are the wrong direction",
    printed="best width (2 kappa h e^2)^(1/3)",
)
def narrow_filters_are_the_wrong_direction() -> Outcome:
    numbers, parts = {}, {}
    for height in (0.002, 0.02):
        predicted = best_width(COOL, height)
        widths = predicted * np.array([0.5, 0.7, 0.85, 1.0, 1.2, 1.5])
        currents = [two_levels("full", COOL, d, height).current / height for d in widths]
        curve = np.polynomial.Polynomial.fit(np.log(widths), currents, 4)
        fine = np.linspace(np.log(widths[0]), np.log(widths[-1]), 2001)
        best = float(np.exp(fine[np.argmax(curve(fine))]))
        promised = [two_levels("rates", COOL, d, height).current for d in (0.01, predicted)]
        parts[f"the best width, h = {height:g}"] = abs(best / predicted - 1) < 0.2
        parts[f"the rate equation asks for less, h = {height:g}"] = promised[0] > promised[1]
        numbers |= {f"best width at h = {height:g}": best, f"d* at h = {height:g}": predicted}
    exact = dict(zip(*EXACT_TWO_LEVELS))
    of_hierarchy = max(exact, key=exact.__getitem__)
    warm = best_width((1.0, 0.5), 0.02)
    parts["of the hierarchy"] = abs(of_hierarchy / warm - 1) < 0.2
    numbers |= {"best width of the hierarchy, T = 1, 0.5, h = 0.02": of_hierarchy, "d* of it": warm}
    return Outcome(parts, numbers)


@claim(
    "Fig. 3",
    "a rate equation is off by half the mean of the meters",
    printed="slope 1/2; 0.62 to 1.92 times that for unequal filters",
)
def half_the_meter_is_the_error() -> Outcome:
    def ratio(filters):
        promised = rate_equation(*filters)
        off = promised.current / explicit(*filters).current - 1
        return off / (np.mean(promised.meters) / 2)

    equal = ratio(((NARROW,) * 3, (0.1 * NARROW,) * 3))
    two = two_levels("rates", COOL, 0.02, 0.002)
    of_two = two.current / two_levels("redfield", COOL, 0.02, 0.002).current - 1
    drawn = [ratio(filters) for filters in DRAWS]
    return Outcome(
        {
            "equal filters, three levels": abs(equal - 1) < 0.05,
            "equal filters, two levels": abs(of_two / (two.meter / 2) - 1) < 0.05,
            "unequal filters": min(drawn) > 0.5 and max(drawn) < 2,
        },
        {
            "three levels": equal,
            "two levels": of_two / (two.meter / 2),
            "smallest of drawn filters": min(drawn),
            "largest of drawn filters": max(drawn),
        },
        f"of {len(drawn)} drawn sets of filters {min(drawn):.2f} to {max(drawn):.2f} times that",
    )


@claim(
    "Fig. 4",
    "the N^2 advantage of a collective refrigerator does not survive where its rate equation holds",
    printed="26 % from N = 5 to 31, a factor 42 at fixed heights",
)
def the_collective_advantage_is_lost() -> Outcome:
    fixed = {n: fixed_heights(n) for n in (SIZES[0], SIZES[-1])}
    best = {n: within_the_meter(n) for n in SIZES}
    by_height = fixed[31].current / fixed[5].current
    gain = best[31].current / best[5].current
    scaled = by_height * max(fixed[5].meters) / max(fixed[31].meters)
    return Outcome(
        {
            "a factor 42 at fixed heights": abs(by_height / 42 - 1) < 0.02,
            "26 % within the meter": abs(gain - 1.26) < 0.01,
            "within the meter": all(max(b.meters) < 0.1001 for b in best.values()),
            "none for filters of one shape": scaled < 1,
        },
        {f"I_c(N = {n}) within the meter": b.current for n, b in best.items()}
        | {f"COP(N = {n}) within the meter": best[n].cop for n in (5, 31)}
        | {f"largest meter of Fig. 2, N = {n}": max(f.meters) for n, f in fixed.items()}
        | {"gain at fixed heights": by_height, "gain within the meter": gain}
        | {"gain of the filters of Fig. 2, scaled to the meter": scaled},
    )


@claim(
    "Fig. 5a",
    "a local treatment of filters out of tune drives heat uphill, without work",
    printed="1.889e-4 at T = 0.5 both, 6.42e-5 from 0.47 to 0.5; truth 0, negative",
)
def local_filters_pump_uphill() -> Outcome:
    currents = {
        (way, t): detuned(way, (t, 0.5), (1.0, 1.1))
        for way in ("local", "redfield")
        for t in (0.44, 0.47, 0.5)
    }
    return Outcome(
        {
            "at equal temperatures": abs(currents["local", 0.5] / 1.889e-4 - 1) < 1e-3,
            "uphill": abs(currents["local", 0.47] / 6.42e-5 - 1) < 2e-3,
            "turned at T_1 = T_2 e_1 / e_2": currents["local", 0.44] < 0,
            "none in Redfield": abs(currents["redfield", 0.5]) < 1e-14,
            "downhill in Redfield": currents["redfield", 0.47] < 0,
        },
        {f"I_1 ({way}) at T_1 = {t:g}": current for (way, t), current in currents.items()},
    )


@claim(
    "Fig. 5b",
    "its gradient by the centre of a filter points the wrong way, so that a design would exploit"
    " it",
    printed="truth +2.76e-4",
)
def local_gradients_point_the_wrong_way() -> Outcome:
    slopes = {way: slope(way) for way in ("local", "redfield")}
    return Outcome(
        {
            "wrong sign of the local one": slopes["local"] < 0,
            "far too large": abs(slopes["local"]) > 5 * EXACT_GRADIENT,
            "sign of Redfield": slopes["redfield"] > 0,
        },
        {f"dI_1 / de_1 ({way})": value for way, value in slopes.items()},
        "the rotating wave has the sign and a third of the slope; the whole coupling has 2.79e-4",
    )


CLAIMS = claims_in(globals())
