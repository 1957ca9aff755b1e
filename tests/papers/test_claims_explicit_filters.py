"""The claims about explicit filters: verdicts, and numbers against those of an independent
implementation: a hierarchy of equations of motion, its own Redfield equation, and designs."""

import functools

import pytest
from gallery import each_claim, judged, names_of_claims
from helpers import Expected, assert_claim

pytestmark = [pytest.mark.deep, pytest.mark.quick]

REPRODUCED = "reproduced"


def about(value, share):
    """From so much below to so much above, relatively."""
    off = abs(value) * share
    return value - off, value + off


@functools.cache
def expected():
    """Verdicts and numbers by the name of a claim's function."""
    return {
        "rates_promise_too_much": Expected(
            "a rate equation promises more",
            REPRODUCED,
            {
                "rate equation / explicit at h / d = 0.01": (1.0077, 1.0090),
                "rate equation / explicit at h / d = 0.1": about(2.83181e-5 / 2.63366e-5, 5e-4),
                "rate equation / explicit at h / d = 1": about(2.83181e-4 / 1.73184e-4, 2e-4),
                "rate equation / explicit at h / d = 10": about(2.83181e-3 / 4.87132e-4, 2e-4),
            },
        ),
        "the_default_is_that_of_the_hierarchy": Expected(
            "explicit filters in the default",
            REPRODUCED,
            {
                "off at d = 0.05, h / d = 0.1": (-4e-4, 1e-4),
                "off at d = 0.05, h / d = 1": (4e-4, 6e-4),
                "off at d = 0.05, h / d = 10": (-1.2e-3, -8e-4),
                "off at d = 0.2, h / d = 1": (0.0088, 0.0094),
                "off at d = 0.2, h / d = 10": (0.034, 0.038),
            },
        ),
        "cooling_saturates": Expected(
            "the cooling current saturates",
            REPRODUCED,
            {
                "I_c / d at h / d = 4.5": (0.00725 * 0.98, 0.00725 * 1.06),
                "I_c / d at h / d = 100": about(2 * 6.750e-3, 1e-3),
                "I_c / d at h / d = 300": about(2 * 7.049e-3, 1e-3),
                "I_c / d at h / d = 1000": about(2 * 7.178e-3, 1e-3),
                "limit of I_c / d": about(0.0145, 4e-3),
            },
        ),
        "cop_falls": Expected(
            "COP stays the ratio",
            REPRODUCED,
            {
                "COP at d = 0.05, h / d = 0.1": "0.49977",
                "COP at d = 0.05, h / d = 1": "0.49785",
                "COP at d = 0.05, h / d = 10": about(0.48227, 3e-5),
                "COP at d = 0.2, h / d = 0.1": about(0.49629, 3e-5),
                "COP at d = 0.2, h / d = 1": about(0.46655, 3e-5),
                "COP at d = 0.2, h / d = 10": about(0.26189, 2e-4),
            },
        ),
        "narrow_filters_are_the_wrong_direction": Expected(
            "narrow filters, which",
            REPRODUCED,
            {
                "best width at h = 0.002": (0.12, 0.14),
                "d* at h = 0.002": (0.1303, 0.1305),
                "best width at h = 0.02": (0.25, 0.29),
                "d* at h = 0.02": (0.2808, 0.2810),
                "best width of the hierarchy, T = 1, 0.5, h = 0.02": "0.3",
                "d* of it": "0.326",
            },
        ),
        "half_the_meter_is_the_error": Expected(
            "a rate equation is off by",
            REPRODUCED,
            {
                "three levels": (0.95, 1.05),
                "two levels": (0.95, 1.05),
                "smallest of drawn filters": (0.62, 1.0),
                "largest of drawn filters": (1.0, 1.92),
            },
        ),
        "the_collective_advantage_is_lost": Expected(
            "the N^2 advantage",
            REPRODUCED,
            {
                f"I_c(N = {n}) within the meter": about(current, 4e-3)
                for n, current in (
                    (5, 1.051e-5),
                    (7, 1.188e-5),
                    (11, 1.274e-5),
                    (21, 1.312e-5),
                    (31, 1.325e-5),
                )
            }
            | {
                "COP(N = 5) within the meter": (0.238, 0.240),
                "COP(N = 31) within the meter": (0.236, 0.240),
                "largest meter of Fig. 2, N = 5": about(3.1e5, 0.02),
                "largest meter of Fig. 2, N = 31": "1.58e7",
                "gain at fixed heights": about(42.0, 0.01),
                "gain within the meter": about(1.26, 4e-3),
                "gain of the filters of Fig. 2, scaled to the meter": about(6.15 / 7.33, 1e-3),
            },
        ),
        "local_filters_pump_uphill": Expected(
            "a local treatment of filters",
            REPRODUCED,
            {
                "I_1 (local) at T_1 = 0.44": (-1e-4, -5e-5),
                "I_1 (local) at T_1 = 0.47": about(6.42e-5, 1e-3),
                "I_1 (local) at T_1 = 0.5": about(1.88924e-4, 2e-5),
                "I_1 (redfield) at T_1 = 0.44": (-3e-4, -2e-4),
                "I_1 (redfield) at T_1 = 0.47": (-1.5e-4, -1e-4),
                "I_1 (redfield) at T_1 = 0.5": (-1e-14, 1e-14),
            },
        ),
        "local_gradients_point_the_wrong_way": Expected(
            "its gradient by the centre",
            REPRODUCED,
            {"dI_1 / de_1 (local)": (-4.5e-3, -3.8e-3), "dI_1 / de_1 (redfield)": "1.0e-4"},
        ),
    }


@each_claim("explicit-filters")
def test_claim(name):
    assert_claim(judged("explicit-filters", name), expected()[name])


def test_no_claim_is_left_out():
    assert names_of_claims("explicit-filters") == list(expected())
