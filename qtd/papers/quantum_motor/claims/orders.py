"""Claims of the paper on the quantum motor about the orders of Fig. 3."""

import functools

import numpy as np

from ..._blocks import root
from ..._claim import Outcome, claim, claims_in
from ..devices import RADII, series, series_at, works

__all__ = ["CLAIMS"]

REPULSIONS = (20.0, 40.0)
BIASES = np.arange(0.25, 20.1, 0.25)


def _slope(radius):
    """The slope at V = 0 of the zeroth order of the work."""
    return works(series_at(radius, 1e-3).torque, radius)[0] / 1e-3


@claim(
    "Fig. 3",
    "the slope of the zeroth order at V = 0 grows with the orbit and saturates at the quantised"
    " pumped charge",
    printed="saturates",
)
def the_slope_saturates() -> Outcome:
    slopes = [_slope(radius) for radius in RADII]
    return Outcome(
        {
            "grows with the orbit": np.all(np.diff(slopes) > 0),
            "saturates": 0.99 < slopes[-1] < 1,
        },
        {f"slope({radius:g})": slope for radius, slope in zip(RADII, slopes)},
    )


@claim(
    "Fig. 3",
    "the first order is negative and nearly constant for V < 10",
    printed="constant",
)
def the_first_order_is_constant() -> Outcome:
    radii = np.array(RADII)
    first = {bias: works(series(radii, bias).torque, radii)[:, 1] for bias in (2.0, 10.0)}
    left = first[10.0] / first[2.0]
    steady = np.abs(left - 1) < 0.05
    numbers = {}
    for bias, row in first.items():
        for radius, work in zip(RADII, row):
            numbers[f"W1({radius:g}, V = {bias:g})"] = work
    listed = ", ".join(f"{radius:g}" for radius, same in zip(RADII, steady) if same)
    return Outcome(
        {
            "negative": np.all([row < 0 for row in first.values()]),
            "constant on all orbits": np.all(steady),
        },
        numbers,
        f"constant within 5 % on the orbits {listed}; on that of radius 10 {100 * left[0]:.0f} % of"
        " it are left at V = 10",
    )


@claim("Fig. 3", "the zeroth order is linear for V < 10", printed="linear")
def the_zeroth_order_is_linear() -> Outcome:
    bias = np.arange(1.0, 10.5, 1.0)
    shares = {}
    for radius in RADII:
        zeroth = works(series(radius, bias).torque, radius)[:, 0]
        shares[radius] = zeroth / bias / _slope(radius)
    bent = {radius: float(np.max(np.abs(share - 1))) for radius, share in shares.items()}
    wider = max(bent[radius] for radius in RADII[1:])
    slope = _slope(10.0)
    return Outcome(
        {"on the three wider orbits": wider < 0.02, "on that of radius 10": bent[10.0] < 0.02},
        {"W0(10, V = 10)": 10 * shares[10.0][-1] * slope, "slope * 10": 10 * slope},
        f"to {100 * wider:.1f} % on the three wider orbits, to {100 * bent[10.0]:.0f} % on that of"
        " radius 10",
    )


@claim(
    "Fig. 3",
    "orders above the first are almost negligible for V < 10",
    printed="negligible",
)
def higher_orders_are_small() -> Outcome:
    radii = np.array(RADII)
    at_ten = works(series(radii, 10.0).torque, radii)
    shares = np.abs(at_ten[:, 3] / at_ten[:, 1])
    return Outcome(
        {
            "the third below the first": np.max(shares) < 0.25,
            "both small": np.all(np.abs(at_ten[:, 2:]) < 0.2),
        },
        {"largest third-order term, V = 10": np.max(np.abs(at_ten[:, 3]))},
        f"at V = 10 the third order is {np.min(shares):.0%} to {np.max(shares):.0%} of the first",
    )


@functools.cache
def _works_on_the_smallest_orbit():
    """The works on the orbit of radius 10 at each of BIASES."""
    return works(series(10.0, BIASES).torque, 10.0)


@claim(
    "Fig. 3a",
    "beyond V = 10 dissipation can be inverted, with a positive first order",
    printed="V > 10",
)
def dissipation_can_be_inverted() -> Outcome:
    zeros = {}
    for repulsion in REPULSIONS:
        first = functools.partial(_first_order, repulsion)
        zeros[repulsion] = root(first, 13.0, 15.0)
    inverted = _works_on_the_smallest_orbit()[:, 1] > 0
    beyond = zeros[20.0] < BIASES
    bias = np.arange(10.0, 20.5, 2.0)
    wider = np.max([works(series(radius, bias).torque, radius)[:, 1] for radius in RADII[1:]])
    return Outcome(
        {
            "beyond a bias at radius 10": np.array_equal(inverted, beyond),
            "not on wider orbits": wider < 0,
        },
        {f"C_F^(1) = 0 at V, U = {u:g}": bias for u, bias in zeros.items()},
        f"from V = {zeros[20.0]:.1f} to {BIASES[inverted][-1]:g} at least; on the wider orbits W1"
        f" is at most {wider:.2f} there",
    )


def _first_order(repulsion, bias):
    """The first order of the torque on the orbit of radius 10."""
    return float(series(10.0, bias, 0.0, repulsion).torque[1])


@claim("Fig. 3a", "beyond V = 10 higher orders can exceed the first two", printed="both")
def higher_orders_can_exceed_the_first_two() -> Outcome:
    small = _works_on_the_smallest_orbit()
    exceeds = BIASES[np.abs(small[:, 3]) > np.abs(small[:, 1])]
    largest = np.max(np.abs(small[:, 3] / small[:, 0]))
    peak = small[BIASES == 16.0][0]
    numbers = {f"W{k}(V = 16)": peak[k] for k in (0, 1, 3)}
    return Outcome(
        {"the first": len(exceeds) > 0, "the zeroth": largest > 1},
        numbers
        | {
            "W3 exceeds W1 from": exceeds[0],
            "W3 exceeds W1 to": exceeds[-1],
            "largest W3 / W0": largest,
        },
        f"in steps of 0.25 of V, the third order exceeds the first {len(exceeds)} times and is at"
        f" most {largest:.2f} of the zeroth",
    )


@claim(
    "Fig. 3",
    "each order conserves energy (Eqs. 55, 71) and is even or odd in the bias (Eq. 69)",
    printed="exact",
)
def each_order_conserves_energy_and_has_a_parity() -> Outcome:
    orbits = [(10, 2, 0), (10, 10, 0), (10, 15.42, 0.3), (20, 5, 0.4), (50, 4, 0.4)]
    orbits += [(100, 2, 0), (100, 10, 0.5)]
    radius, bias, difference = np.array(orbits, float).T
    known = series(radius, bias, difference)
    mirrored = series(radius, -bias, -difference)
    powers = (0.25 / radius[:, None]) ** np.arange(4)
    torque = known.torque[:, :4] * powers
    scale = np.max(np.abs(torque), axis=1, keepdims=True)
    carried = known.hot + known.cold + known.charge * bias[:, None]
    lost = np.max(np.abs((carried[:, 1:5] - known.torque[:, :4]) * powers / scale))
    parity = (-1.0) ** np.arange(4)
    sums = mirrored.torque[:, :4] + parity * known.torque[:, :4]
    uneven = np.max(np.abs(sums * powers / scale))
    return Outcome(
        {"conserves energy": lost < 2e-12, "even or odd": uneven < 1e-12},
        {"largest loss": lost, "largest departure from parity": uneven},
        "relative to the largest order, on seven orbits; parity with delta_T reversed as well",
    )


CLAIMS = claims_in(globals())
