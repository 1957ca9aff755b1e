"""The claims about finite reservoirs: verdicts, and numbers against the values that an independent
implementation found. Where no page prints a number it is bounded by what the claim says.
"""

import functools

import numpy as np
import pytest
from gallery import each_claim, judged, names_of_claims
from helpers import Expected, assert_claim, partly

from papers.test_finite_reservoirs import SWAPS

pytestmark = [pytest.mark.deep, pytest.mark.quick]

REPRODUCED = "reproduced"


@functools.cache
def expected():
    """Verdicts and numbers by the name of a claim's function."""
    modes = np.array([21.1, 21.5])

    def fermi(temperature, potential):
        return 1 / (1 + np.exp((modes - potential) / temperature))

    # Eq. (10) with gamma_1k = gamma_2k = sqrt(omega_k).
    flow = np.sqrt(modes) / 2 * (fermi(0.6, 20.8) - fermi(1.0, 16.0))
    particles = flow.sum()
    energy = modes @ flow
    turns = {f"extrema of T_{j}": (n, n) for j, n in enumerate((2, 1, 3, 2), 1)}
    turns |= {f"extrema of mu_{j}": (n, n) for j, n in enumerate((1, 0, 4, 1), 1)}
    thresholds = {}
    for name, (*_, text, above) in SWAPS.items():
        thresholds[f"potentials cross for {name} {'below' if above else 'above'}"] = text
    return {
        "the_cold_reservoir_loses_heat": Expected(
            "at first mu_1 < omega_k <",
            REPRODUCED,
            {"Y_1": "0.6347", "Y_2": "-7.3273", "omega_tilde": "28.0"}
            | {"P_1": f"{particles:.12f}", "P_2": f"{-particles:.12f}"}
            | {"J_1": f"{energy:.12f}", "J_2": f"{-energy:.12f}"},
        ),
        "the_cold_reservoir_cools": Expected(
            "the cold reservoir cools",
            REPRODUCED,
            {"T_min / T(0)": "0.61507", "time": "8.639"},
        ),
        "omega_tilde_settles_between_the_modes": Expected(
            "later omega_1 < omega_tilde",
            REPRODUCED,
            {"time of entry": "4.17", "omega_tilde in the end": "21.289"},
        ),
        "equilibrium_is_hotter_than_the_beginning": Expected(
            "the temperature of equilibrium",
            REPRODUCED,
            {"T_eq": "1.54344", "mu_eq": "18.403405", "largest T_2": "1.8710"},
        ),
        "reservoirs_end_in_the_conserved_equilibrium": Expected(
            "the reservoirs end in the",
            REPRODUCED,
            {"T_1 at 3e5": "1.54344464", "mu_1 at 3e5": "18.4034054"},
        ),
        "temperatures_change_order": Expected(
            "temperatures change order; omega_tilde",
            REPRODUCED,
            {
                "time of crossing": "2.40954",
                "negative until": "2.75",
                "above omega_1 from": "7.67",
                "T_eq": "0.92982",
            },
        ),
        "potentials_change_order": Expected(
            "chemical potentials change order,",
            partly("with the printed parameters"),
            {
                "time of crossing (T_1 = 0.6)": "4.77822",
                "potential there": "18.40048",
                "lowest mu_1": "18.3772",
                "largest mu_2": "18.4237",
            },
        ),
        "potentials_change_order_near_the_printed_parameters": Expected(
            "printed for both figures,",
            REPRODUCED,
            thresholds,
        ),
        "there_are_several_extrema": Expected(
            "temperatures and potentials have",
            REPRODUCED,
            turns | {"T_eq": "0.48237", "lowest T_4": "0.12871", "lowest T_1": "0.17313"},
        ),
        "three_dimensions_end_as_two": Expected(
            "reservoirs of three dimensions",
            REPRODUCED,
            {"T_eq": "1.16001", "mu_eq": "19.29989"},
        ),
        "entropy_grows": Expected(
            "entropy grows",
            REPRODUCED,
            {f"least rise over the whole, Fig. {k}": (-1e-10, np.inf) for k in range(1, 6)},
        ),
    }


@each_claim("finite-reservoirs")
def test_claim(name):
    assert_claim(judged("finite-reservoirs", name), expected()[name])


def test_no_claim_is_left_out():
    assert names_of_claims("finite-reservoirs") == list(expected())
