"""Figs. 7, 8 and 10 of Bhandari and Jordan as drawn, and the verdicts on what the paper says."""

import numpy as np
import pytest
from gallery import drawn, each_claim, judged, names_of_claims
from helpers import Expected, assert_claim, curve, partly, printed

from qtd.papers.resonator_refrigerator import figures as paper

pytestmark = [pytest.mark.deep, pytest.mark.quick]

REPRODUCED, NOT = "reproduced", "not"
MAXIMA_7 = {
    "2 x 2": ("0.2842", "0.00178178"),
    "2 x 3": ("0.2734", "0.00203075"),
    "3 x 2": ("0.2899", "0.00292078"),
    "3 x 3": ("0.2786", "0.00332318"),
    "4 x 4": ("0.2797", "0.00386443"),
    "6 x 6": ("0.2830", "0.00415837"),
    "16 x 16": ("0.2843", "0.00422071"),
}
ENDS_7 = {levels: "0.757" if levels.endswith(" 2") else "0.756" for levels in MAXIMA_7}
FIGURE_8 = {  # maximum and zeros
    "2 x 2": ("0.1369", "0.00403663", "0.00784", "0.5213"),
    "3 x 2": ("0.1157", "0.00505345", "0.00784", "0.5213"),
    "2 x 3": ("0.1248", "0.00373872", "0.00520", "0.4741"),
    "3 x 3": ("0.1034", "0.00481418", "0.00524", "0.4744"),
    "16 x 16": ("0.0902", "0.00520443", "0.00404", "0.4666"),
}
MAXIMA_10 = {
    "paper, lambda = 1, Gamma_L = 0.01": ("0.6979", "2.6584e-8"),
    "paper, lambda = 1, Gamma_L = 0.02": ("0.1557", "2.6948e-9"),
    "local, lambda = 1, Gamma_L = 0.01": ("1.711", "1.778e-6"),
    "local, lambda = 1, Gamma_L = 0.02": ("0.605", "4.466e-7"),
    "local, lambda = 2, Gamma_L = 0.01": ("0.745", "4.59e-7"),
    "local, lambda = 2, Gamma_L = 0.02": ("0.168", "4.83e-8"),
    "causal, lambda = 0.3, Gamma_L = 0.01": ("1.850", "4.383e-5"),
    "causal, lambda = 0.3, Gamma_L = 0.02": ("0.826", "2.203e-5"),
}
STARTS_10 = {
    "paper, lambda = 1": ("0.162", "0.091"),
    "local, lambda = 1": ("0.089", "0.054"),
    "causal, lambda = 1": ("0.383", "0.298"),
    "causal, lambda = 0.3": ("0.108", "0.085"),
    "causal, lambda = 0.1": ("0.039", "0.031"),
}


def column(name, table, index):
    return {f"{name} ({row})": values[index] for row, values in table.items()}


# By the claim's function: how it begins, the verdict, and its numbers as the corrected physics of
# the paper has them.
CLAIMS = {
    "more_levels_cool_more": Expected(
        "more levels cool more",
        REPRODUCED,
        column("dT of maximum", MAXIMA_7, 0)
        | column("largest J_C", MAXIMA_7, 1)
        | {f"dT where cooling ends ({levels})": end for levels, end in ENDS_7.items()},
    ),
    "resonators_cool_twice_as_much": Expected(
        "at dT = 0.3 the resonators",
        REPRODUCED,
        {
            f"J_C over the qubits' ({levels})": gain
            for levels, gain in {
                "2 x 3": "1.134",
                "3 x 2": "1.642",
                "3 x 3": "1.861",
                "4 x 4": "2.165",
                "6 x 6": "2.333",
                "16 x 16": "2.369",
            }.items()
        },
    ),
    "three_levels_are_the_largest_correction": Expected(
        "the largest correction",
        REPRODUCED,
        {
            "relative gain from 2 to 3 levels each": "0.86",
            "relative gain from 3 to 4 levels each": "0.16",
            # 0.077 to 0.078: 2.333 / 2.165 of the table
            "relative gain from 4 to 6 levels each": "0.077",
        },
    ),
    "current_decreases_beyond_a_maximum": Expected(
        "against Delta_z the current reaches",
        REPRODUCED,
        {
            **column("D_z of maximum", FIGURE_8, 0),
            **column("largest J_C", FIGURE_8, 1),
            **column("D_z where cooling ends", FIGURE_8, 3),
        },
    ),
    "it_cools_at_small_couplings": Expected(
        "unlike the Green functions",
        partly("at half of that, too"),
        column("D_z where cooling begins", FIGURE_8, 2),
    ),
    "a_third_level_enhances_cooling": Expected(
        "a third level of the first resonator",
        REPRODUCED,
        {
            f"gain of 3 x 2 over 2 x 2 (D_z = {shift})": gain
            for shift, gain in zip(
                (0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
                ("0.64", "0.34", "0.20", "0.12", "0.077", "0.048"),
            )
        },
    ),
    "a_third_level_does_nothing_at_large_couplings": Expected(
        "for Delta_z > 0.35",
        partly("to half a percent"),
        {
            "gain of 3 x 2 over 2 x 2 (D_z = 0.35)": "0.026",
            "gain of 3 x 2 over 2 x 2 (D_z = 0.4)": "0.010",
            "gain of 3 x 2 over 2 x 2 (D_z = 0.45)": "-0.0035",
            "gain of 2 x 3 over 2 x 2 (D_z = 0.35)": "-0.28",
        },
    ),
    "maxima_are_as_quoted": Expected(
        "the maxima are at",
        partly("cooling with the causal Sigma^r"),
        column("dT of maximum", MAXIMA_10, 0) | column("largest J_C", MAXIMA_10, 1),
    ),
    "cooling_falls_with_the_width": Expected(
        "cooling falls much",
        REPRODUCED,
        {
            "ratio of the maxima (paper)": "9.9",
            "dT where cooling ends (paper, Gamma_L = 0.01)": "1.41",
            "dT where cooling ends (paper, Gamma_L = 0.02)": "0.312",
        },
    ),
    "cooling_by_rates_does_not_fall": Expected(
        "in the master equation it does not",
        REPRODUCED,
        {
            "J_C(dT = 0.5), rates, Gamma_L = 0.01": "0.009901",
            "J_C(dT = 0.5), rates, Gamma_L = 0.02": "0.0092875",
        },  # 8 levels: 0.0092876
    ),
    "green_functions_cool_much_less": Expected(
        "the Green functions cool much less",
        REPRODUCED,
        {
            "J_C(dT = 0.15), rates": "3.3e-3",
            "J_C(dT = 0.15), paper, lambda = 1": "2.69110936e-9",
            "J_C(dT = 0.15), local, lambda = 1": "1.94534642e-7",
            "J_C(dT = 0.15), causal, lambda = 1": "-5.33258576e-6",
        },
    ),
    "there_is_no_cooling_at_small_couplings": Expected(
        "there is no cooling",
        REPRODUCED,
        {
            f"D_z where cooling begins ({model}, Gamma_L = {width})": start
            for model, starts in STARTS_10.items()
            for width, start in zip((0.02, 0.01), starts)
        },
    ),
    "finite_cooling_proves_them_effective": Expected(
        "finite cooling proves",
        NOT,
        {
            "J_C(dT = 0.3), causal, lambda = 0.5": "1.4e-7",
            "J_C(dT = 0.3), causal, lambda = 0.7": "-6.8e-6",
            "lambda where cooling ends (causal, dT = 0.3)": "0.50",
        },
    ),
}


@pytest.fixture(scope="module")
def sheets():
    return {name: drawn("resonator-refrigerator", name) for name in paper.FIGURES}


@each_claim("resonator-refrigerator")
def test_claim(name):
    assert_claim(judged("resonator-refrigerator", name), CLAIMS[name])


def test_no_claim_is_left_out():
    assert names_of_claims("resonator-refrigerator") == list(CLAIMS)


@pytest.mark.parametrize(
    "levels",
    [levels for levels in MAXIMA_7 if levels != "6 x 6"],
)  # which the figure leaves out
def test_figure_7_rises_to_one_maximum_and_falls_below_zero(sheets, levels):
    bias, current = curve(sheets["7"], levels)
    at, height = map(float, MAXIMA_7[levels])
    best, end = np.argmax(current), np.searchsorted(bias, 0.76)
    assert abs(bias[best] - at) < bias[1] - bias[0] and current[best] == pytest.approx(
        height,
        rel=1e-3,
    )
    assert np.all(np.diff(current[: best + 1]) > 0) and np.all(np.diff(current[best:end]) < 0)
    assert np.all(current[1 : end - 2] > 0) and current[end] < 0


@pytest.mark.parametrize(
    ("levels", "wanted"),
    [("2 x 2", "0.00177740924074"), ("3 x 3", "0.003307376838514")],
)
def test_figure_7_passes_through_the_reference_currents(sheets, levels, wanted):
    assert np.interp(0.3, *curve(sheets["7"], levels)) == printed(wanted)


@pytest.mark.parametrize("levels", FIGURE_8)
def test_figure_8_has_its_maximum_and_zeros(sheets, levels):
    shift, current = curve(sheets["8"], levels)
    at, height, first, last = map(float, FIGURE_8[levels])
    best = np.argmax(current)
    assert abs(shift[best] - at) < shift[1] - shift[0] and current[best] == pytest.approx(
        height,
        rel=1e-3,
    )
    cools = (shift > first) & (shift < last)
    assert np.all((current > 0)[cools]) and np.all((current <= 0)[~cools])


@pytest.mark.parametrize(
    ("levels", "shift", "wanted"),
    [
        ("3 x 2", 0.1, "0.004971240237258"),
        ("3 x 3", 0.2, "0.00344614707095"),
        ("2 x 2", 0.35, "0.00155328418469"),
    ],
)
def test_figure_8_passes_through_the_reference_currents(sheets, levels, shift, wanted):
    assert np.interp(shift, *curve(sheets["8"], levels)) == printed(wanted)


@pytest.mark.parametrize(
    ("width", "key"),
    [(width, f"paper, lambda = 1, Gamma_L = {width}") for width in paper.WIDTHS],
)
def test_figure_10_has_the_maxima_of_the_text(sheets, width, key):
    bias, current = curve(sheets["10"], rf"$\Gamma_L={width}$")
    at, height = map(float, MAXIMA_10[key])
    between_two_points = np.interp(at, bias, current)
    assert between_two_points == pytest.approx(height, rel=3e-3)
    assert bias[np.argmax(current)] == pytest.approx(at, abs=0.02)


@pytest.mark.parametrize(("width", "wanted"), [(0.01, 0.009901), (0.02, 0.009288)])
def test_the_inset_of_figure_10_is_the_master_equation(sheets, width, wanted):
    bias, current = curve(sheets["10"], rf"rates, $\Gamma_L={width}$")
    assert np.interp(0.5, bias, current) == pytest.approx(wanted, rel=1e-3)
    assert np.all(np.diff(current) > 0)


def test_the_other_retarded_functions_of_figure_10(sheets):
    def at(name, strength, bias):
        label = rf"{name}, $\lambda={strength}$, $\Gamma_L=0.02$"
        return np.interp(bias, *curve(sheets["10"], label, "b"))

    assert at("local", "1", 0.605) == pytest.approx(4.466e-7, rel=1e-3)
    assert at("causal", "0.3", 0.826) == pytest.approx(2.203e-5, rel=1e-3)
    assert at("causal", "0.3", 0.5) == pytest.approx(1.86712420074e-5, rel=1e-3)
    assert at("causal", "1", 0.15) == pytest.approx(-5.33258575919e-6, rel=1e-2)
    for width in paper.WIDTHS:
        _, current = curve(sheets["10"], rf"causal, $\lambda=1$, $\Gamma_L={width}$", "b")
        assert np.all(current[1:] < 0), width


@pytest.mark.parametrize(
    ("name", "own"),
    [
        (
            "7",
            (
                "Delta_z = 0.05",
                "cut-off 10",
                "eps_1 = eps_2 = 1",
                "Gamma_L = 0.02",
                "Gamma_R = 0.08",
                "Gamma_C = 0.06",
                "T_C = T - dT",
            ),
        ),
        (
            "8",
            (
                "dT = 0.3",
                "cut-off 20",
                "eps_1 = eps_2 = 1",
                "Gamma_L = 0.02",
                "Gamma_R = 0.08",
                "Gamma_C = 0.06",
                "T_C = T - dT",
            ),
        ),
        (
            "10",
            (
                "Delta_z = 0.2",
                "cut-off 7",
                "eps_1 = eps_2 = 2",
                "Gamma_L = 0.01",
                "0.02",
                "Gamma_R = Gamma_C = 0.02",
                "T_C = T.",
                "-iK",
            ),
        ),
    ],
)
def test_captions_give_every_parameter(sheets, name, own):
    common = (
        "Omega_L = eps_1",
        "Omega_R = eps_1 + Delta_z",
        "Omega_C = eps_2 + Delta_z",
        "T_R = T",
        "T_L = T + dT",
        "strength",
    )
    assert [text for text in (*common, *own) if text not in sheets[name].caption] == []
