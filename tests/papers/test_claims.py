"""The claims that the papers make about their figures: verdicts and numbers, against the values that an independent implementation found.

Where no page prints a number it is bounded by what the claim says.
"""

import numpy as np
import pytest
from helpers import assert_claims

from qtd import figures
from qtd.figures import collective_refrigerator, finite_reservoirs, n_demon


def along(columns, **rows):
    """{"name(column)": text} of a printed table; "-" is no number."""
    return {f"{name}({column})": text for name, row in rows.items() for column, text in zip(columns, row.split()) if text != "-"}


def test_collective_refrigerator():
    sizes, edges = (11, 21, 41, 51), {0.001: "2.692954", 0.002: "2.300553", 0.004: "1.728509", 0.006: "1.361515", 0.008: "1.103982"}
    full = along(
        sizes,
        I_c="0.01354773005 0.04635460524 0.1656853291 0.2522796294",
        S_cc="0.05229841466 0.1807504062 0.6535494291 0.9980727392",
    )
    slopes = {"I_c/N^2(11)": "1.12e-4", "I_c/N^2(21)": "1.05e-4", "I_c/N^2(41)": "0.986e-4", "I_c/N^2(51)": "0.970e-4"}
    reduced = {"I_c reduced(11)": "0.01659228493", "I_c reduced(51)": "0.3130478476", "G4(11)": "0.01666866784", "G4(51)": "0.3144819912"}
    reduced |= {"current(51)": "0.995440", "noise(51)": "0.996554"}  # quotients of the table
    currents = {
        **along(
            ("d_c = 0.05, d_h = 0.05", "d_c = 0.05, d_h = 0.5", "d_c = 0.05, d_h = 1", "d_c = 0.05, d_h = 2"),
            I_c="0.1041 0.0925 0.0585 -0.0453",
        ),
        **along(
            ("d_c = 0.1, d_h = 0.05", "d_c = 0.1, d_h = 0.5", "d_c = 0.1, d_h = 1", "d_c = 0.1, d_h = 2"),
            I_c="0.0974 0.0854 0.0513 -0.0528",
        ),
        **along(
            ("d_c = 0.3, d_h = 0.05", "d_c = 0.3, d_h = 0.5", "d_c = 0.3, d_h = 1", "d_c = 0.3, d_h = 2"),
            I_c="0.0243 0.0117 -0.0235 -0.131",
        ),
    }
    expected = [
        ("reproduced", full | slopes),
        ("reproduced", reduced),
        ("reproduced", {"current(51)": "0.806", "noise(51)": "1.216"}),
        ("reproduced", {f"N sqrt(S_cc)/I_c({n})": (185, 203) for n in sizes}),
        (
            "reproduced",
            {
                "d_w at d_h = 0.1": "2.93e-3",
                "d_w at d_h = 0.5": "2.78e-3",
                "d_w at d_h = 1": "2.25e-3",
                "largest current at d_h = 2": (-1, 0),
                "I_c(d_w = 0.01)": (-np.inf, 0),
                "I_c(d_w = 0.001)": "0.09704813677557",
            },
        ),
        ("reproduced", currents | {"largest current at d_c = 0.6": (-1, 0)}),
        (
            "reproduced",
            {f"beta_c at d_w = {width:g}": text for width, text in edges.items()}
            | along([f"beta_c = 1, d_w = {width:g}" for width in edges], I_c="0.761687 0.716261 0.567538 0.367631 0.131119"),
        ),
        ("partly", {"d_w = 0.001": "2.692954", "d_w = 1e-6": (2.7, 2.95), "d_w = 1e-6, others 0.01": (2.95, 3.0)}),
        ("reproduced", {f"largest beta_c that cools, ({letter})": (1.0, 4.95) for letter in "abcd"}),
        ("reproduced", {f"d_w that ends cooling there, beta_h = {h}": (4.5e-4, 5.5e-4) for h in ("1.5", "2", "2.5")}),
        ("reproduced", {f"largest COP over bound, ({letter})": (0.0, 1.0) for letter in "abcd"}),
        ("reproduced", {"mode energy": "3.74299345444", "coupling squared": "0.0265676988728", "residual density at 3": "0.159346850952"}),
        ("reproduced", along((11, 21, 31, 51, 101), **{"N^2 t_th": "59.6 63.4 65.0 66.4 67.6"})),
    ]
    assert_claims(collective_refrigerator.claims(), expected)


def test_n_demon():
    energies = ("1.25", "1.4", "1.55", "1.6", "1.75", "1.9", "2.1")
    cop = {
        **along([f"T_c = 0.2, e_4 = {e}" for e in energies], COP="- 0.060329 0.068723 0.058941 - - -"),
        **along([f"T_c = 0.5, e_4 = {e}" for e in energies], COP="0.177190 0.196076 0.198974 0.195850 0.172786 0.112404 -"),
        **along([f"T_c = 0.8, e_4 = {e}" for e in energies], COP="0.334492 0.358647 0.362376 0.358640 0.334183 0.294554 0.223310"),
    }
    power = along([f"T_c = 0.5, e_4 = {e}" for e in energies], power="0.027150 0.004108 0.000960 0.003747 0.021629 0.050836 -")
    power |= along([f"T_c = 0.8, e_4 = {e}" for e in energies], power="0.018465 0.002890 0.000703 0.002782 0.016810 0.041424 0.088099")
    coldest = along(
        [f"e_4 = {e}" for e in ("1.4", "1.45", "1.55", "1.6", "1.75", "1.9")],
        T_min="0.138745039 0.072034193 0.072084231 0.141326834 0.316061331 0.469404753",
    )
    less_bold = {"COP(T_c = 0.05, e_4 = 1.75) with half the largest boldness": "0.0459"}
    expected = [
        ("reproduced", cop | {"largest COP over Carnot": (0.2, 1 / 3)}),
        ("reproduced", {"COP(T_c = 0.5, e_4 = 1.51)": "0.199959", "limit": "0.200000000000"}),
        ("reproduced", {"COP(24) at T_c = 0.01": "0.00334", "COP(e_4 = 1.6) 1e-6 above T_min": (0.0, 0.01)}),
        ("partly", coldest | less_bold),
        ("reproduced", power | {"T_c of largest power, e_4 = 1.6": "0.3556", "largest power, e_4 = 1.6": "0.0040721"}),
        ("not", {"lowest e_4 at T_c = T_h": "0.205623", "highest e_4 at T_c = T_h": "2.458020"} | less_bold),
    ]
    assert_claims(n_demon.claims(), expected)


def test_finite_reservoirs():
    turns = {f"extrema of T_{j}": (n, n) for j, n in enumerate((2, 1, 3, 2), 1)} | {
        f"extrema of mu_{j}": (n, n) for j, n in enumerate((1, 0, 4, 1), 1)
    }
    expected = [
        ("reproduced", {"Y_1": "0.6347", "Y_2": "-7.3273", "omega_tilde": "28.0"}),
        ("reproduced", {"T_min / T(0)": "0.61507", "time": "8.639"}),
        ("reproduced", {"time of entry": "4.17", "omega_tilde in the end": "21.289"}),
        ("reproduced", {"T_eq": "1.54344", "mu_eq": "18.403405", "largest T_2": "1.8710"}),
        ("reproduced", {"T_1 at 3e5": "1.54344464", "mu_1 at 3e5": "18.4034054"}),
        ("reproduced", {"time of crossing": "2.40954", "negative until": "2.75", "above omega_1 from": "7.67", "T_eq": "0.92982"}),
        (
            "partly",
            {
                "time of crossing (T_1 = 0.6)": "4.77822",
                "potential there": "18.40048",
                "lowest mu_1": "18.3772",
                "largest mu_2": "18.4237",
            },
        ),
        ("reproduced", turns | {"T_eq": "0.48237", "lowest T_4": "0.12871", "lowest T_1": "0.17313"}),
        ("reproduced", {"T_eq": "1.16001", "mu_eq": "19.29989"}),
        ("reproduced", {f"least rise over the whole, Fig. {k}": (-1e-10, np.inf) for k in range(1, 6)}),
    ]
    assert_claims(finite_reservoirs.claims(), expected)


def test_a_claim_is_judged_by_its_parts():
    judged = lambda *parts: str(figures._sheet.claim("Fig. 1", "", "", {}, list(parts)).verdict)
    assert (judged(True, True), judged(True, False), judged(False)) == ("reproduced", "partly", "not")


def test_unknown_figures_are_refused():
    with pytest.raises(ValueError, match="no figures are known of 'engine'; there is all, n-demon"):
        figures.names("engine")
