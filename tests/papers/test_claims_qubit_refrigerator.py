"""Figs. 3, 4 and 5 of Bhandari and Jordan as drawn, and the verdicts on what the paper says."""

import numpy as np
import pytest
from gallery import drawn, each_claim, judged, names_of_claims
from helpers import Expected, assert_claim, curve, partly, printed

from qtd.papers.qubit_refrigerator import figures as paper

pytestmark = [pytest.mark.deep, pytest.mark.quick]

REPRODUCED, NOT = "reproduced", "not"


def filtered(gap, temperature, center, width):
    """Rates up and down a gap > 0 through the filter of Eq. (3)."""
    density = width * gap / ((gap - center) ** 2 + (width * gap) ** 2)
    return density / np.expm1(gap / temperature), density / -np.expm1(-gap / temperature)


def exchange_alone():
    """Cooling currents of the claim's 400 devices: without ZZ coupling the global equation has two
    independent modes, + and -."""
    rng = np.random.default_rng(0)
    (e1, e2), exchange = rng.uniform(1.0, 4.0, (2, 400)), rng.uniform(0.01, 0.9, 400)
    bias, widths = rng.uniform(0.01, 0.9, (2, 400)), rng.uniform(0.01, 0.3, (3, 400))
    split, current = np.hypot(e1 - e2, 2 * exchange), 0.0
    first = (1 + (e1 - e2) / split) / 2  # weight of the first qubit in +
    for energy, weight in (((e1 + e2 + split) / 2, first), ((e1 + e2 - split) / 2, 1 - first)):
        hot = filtered(energy, 1 + bias[0], e1, widths[0])
        sink = filtered(energy, 1.0, e1, widths[1])
        cold = filtered(energy, 1 - bias[1], e2, widths[2])
        up, down = (weight * (hot[k] + sink[k]) + (1 - weight) * cold[k] for k in (0, 1))
        current = current + energy * (1 - weight) * (cold[0] * down - cold[1] * up) / (up + down)
    return current


def by_shift(name, texts):
    """Numbers of the curves of Fig. 3, under the `name` that they share."""
    return {f"{name} (D_z = {x})": text for x, text in zip(paper.SHIFTS, texts.split())}


# By the claim's function: how it begins, the verdict, and its numbers as the corrected physics of
# the paper has them.
CLAIMS = {
    "there_is_a_best_bias": Expected(
        "the cooling current has a maximum",
        partly("around dT = 0.3 T"),
        by_shift("dT of maximum", "0.2145 0.2282 0.2255 0.2159 0.1931"),
    ),
    "cooling_depends_on_the_coupling": Expected(
        "the magnitude of cooling",
        REPRODUCED,
        by_shift("largest J_C", "1.15226e-4 4.82135e-4 1.05000e-3 1.24289e-3 1.09068e-3"),
    ),
    "it_cools_in_the_entire_range": Expected(
        "it cools in the entire range",
        partly("beyond"),
        by_shift("dT where cooling ends", "0.663 0.747 0.735 0.682 0.565")
        | {
            "strongest heating, D_z = 0.05 to 0.2": (1e-6, 1.3e-6),
            "strongest heating, D_z = 0.5": "4.4e-5",
            "D_z where cooling begins (dT = 0.1)": "0.0106",
            "D_z where cooling begins (dT = 0.3)": "0.0163",
        },
    ),
    "coupling_is_weak": Expected(
        "the coupling is well within",
        NOT,
        {"largest rate (dT = 0.3, D_z = 0.1)": "31.8", "smallest gap": "2"},
    ),
    "current_goes_to_zero_for_a_large_coupling": Expected(
        "against Delta_z the current has a maximum",
        partly("without heating"),
        {
            "D_z of maximum (dT = 0.1)": "0.359332",
            "D_z of maximum (dT = 0.3)": "0.305780",
            "largest J_C (dT = 0.1)": "9.37506e-4",
            "largest J_C (dT = 0.3)": "1.114655e-3",
            "D_z where heating begins (dT = 0.1)": "1.60465",
            "D_z where heating begins (dT = 0.3)": "1.03903",
            "the same by Eq. 10 (dT = 0.1)": "1.636",
            "the same by Eq. 10 (dT = 0.3)": "1.077",
        },
    ),
    "it_heats_at_negative_energies": Expected(
        "the cold reservoir is heated",
        REPRODUCED,
        {
            "J_C(eps_1 = -0.5)": "-1.45404e-5",
            "J_C(eps_1 = -1)": "-2.8061e-6",
            "J_C(-1), centres |eps_1|": "-1.0665e-3",
        },
    ),
    "it_cools_at_positive_energies": Expected(
        "the cold reservoir is cooled",
        partly("down to eps_1 = 0"),
        {
            "eps_1 where cooling begins": "0.191616",
            "the same by Eq. 10": "0.185714",
            "J_C(eps_1 = 0.1)": "-1.3991e-4",
            "eps_1 of maximum": "1.04978",
            "largest J_C": "6.10277e-4",
        },
    ),
    "it_is_an_effective_refrigerator": Expected(
        "cooling shows that the model is an effective",
        partly("with a tenth of Carnot's COP"),
        {
            "J_L (dT = 0.2, D_z = 0.1)": "0.395875286123",
            "J_C": "4.76053673505e-4",
            "COP": "1.20253446020e-3",
            "COP of Carnot": "0.667",
            "COP over Carnot's": "0.0018",
            "S_CC sigma / J_C^2": "239.802914076",
            "COP over Carnot's, Gamma_L = Gamma_R = 1e-4": "0.07",
            "Delta_z / eps_1 over Carnot's": "0.075",
        },
    ),
    "the_global_equation_heats_at_small_couplings": Expected(
        "at Delta_x = 0.002 the global equation heats",
        partly("up to about 0.2"),
        {
            "D_z where cooling begins (dT = 0.1, D_x = 0.002)": "0.112027",
            "D_z where cooling begins (dT = 0.3, D_x = 0.002)": "0.207517",
            "D_z where cooling begins (dT = 0.1, D_x = 0.003)": "0.195728",
            "D_z where cooling ends (dT = 0.1, D_x = 0.002)": "1.208618",
            "D_z where cooling ends (dT = 0.3, D_x = 0.002)": "0.617046",
        },
    ),
    "the_local_equation_cools_where_the_global_heats": Expected(
        "at Delta_x = 0.002 the local equation cools",
        REPRODUCED,
        {"J_C(D_z = 0.1), local": "3.00070e-4", "J_C(D_z = 0.1), global": "-6.36885e-5"},
    ),
    "exchange_is_detrimental": Expected(
        "the XX coupling is detrimental",
        REPRODUCED,
        {
            "local, D_z = 0.3, D_x = 0": "8.18363e-4",
            "local, D_z = 0.3, D_x = 0.002": "8.18314e-4",
            "local, D_z = 0.3, D_x = 0.02": "8.13447e-4",
            "local, D_z = 0.3, D_x = 0.05": "7.87643e-4",
            "global, D_z = 0.2, D_x = 0": "6.657e-4",
            "global, D_z = 0.2, D_x = 0.002": "3.76825284994e-4",
            "Redfield, D_z = 0.3, D_x = 0.002": "8.1898e-4",
            "Redfield, D_z = 0.3, D_x = 0.02": "8.7624e-4",
            "Redfield, D_z = 0.3, D_x = 0.05": "1.0430e-3",
            "Redfield, D_z = 0.3, D_x = 0.1": "1.29e-4",
        },
    ),
    "the_local_equation_loses_less": Expected(
        "the local equation loses less",
        REPRODUCED,
        {
            "J_C(D_z = 0.2), local, D_x = 0.02": "6.61193901e-4",
            "J_C(D_z = 0.2), global, D_x = 0.002": "3.76825284994e-4",
        },
    ),
    "the_local_equation_is_better": Expected(
        "for small Delta_x the local equation describes",
        partly("at kappa = 1e-4"),
        {
            f"J_C/kappa, {name}, kappa = {kappa}": value
            for name, values in {
                "local": ("3.00070e-4", "2.96334e-4", "-9.58e-6", "-1.33629e-3", "-1.40953e-3"),
                "global": ("-6.36885e-5",) * 5,
                "Redfield": (
                    "3.01825e-4",
                    "3.01028e-4",
                    "2.35704e-4",
                    "-4.78567e-5",
                    "-6.35230e-5",
                ),
            }.items()
            for kappa, value in zip(("1", "0.1", "0.01", "0.001", "0.0001"), values)
        },
    ),
    "both_equations_are_one_without_exchange": Expected(
        "for Delta_x = 0 the global and the local",
        partly("eps_2 = 2"),
        {
            "global, D_x = 1e-8 (eps_2 = 2.1)": "3.0011e-4",  # that of D_x = 0, which its limit is
            "global, D_x = 1e-8 (eps_2 = 2)": "-0.402",
            "D_x = 0 (eps_2 = 2.1)": "3.0011e-4",
            "D_x = 0 (eps_2 = 2)": "3.42e-4",
        },
    ),
    "exchange_alone_cannot_cool": Expected(
        "XX coupling cannot cool",
        partly("by the local one"),
        {
            "J_C (local)": "2.8484762e-3",
            "J_C (global)": "-5.0201302e-4",
            "J_C (Redfield)": "-4.205e-4",  # see the test below
            "J_C (Redfield, one coherence)": "-4.178e-4",
            "J_C of H_S (local)": "3.0548365e-3",
            "sigma (local)": "4.198e-4",
            "sigma of H_S (local)": "-1.608e-4",
            "largest J_C of 400 random devices (global)": f"{np.max(exchange_alone()):.6e}",
        },
    ),
}


@pytest.fixture(scope="module")
def sheets():
    return {name: drawn("qubit-refrigerator", name) for name in paper.FIGURES}


def crossings(x, y):
    """Where a curve changes sign, by linear interpolation, without the first point."""
    x, y = x[1:], y[1:]
    here = np.flatnonzero(np.sign(y[:-1]) != np.sign(y[1:]))
    return x[here] - y[here] * (x[here + 1] - x[here]) / (y[here + 1] - y[here])


@each_claim("qubit-refrigerator")
def test_claim(name):
    assert_claim(judged("qubit-refrigerator", name), CLAIMS[name])


def test_no_claim_is_left_out():
    assert names_of_claims("qubit-refrigerator") == list(CLAIMS)


def test_the_redfield_equation_does_not_cool_by_exchange_alone():
    """The Bloch-Redfield equation of all 16 elements of rho, without the library; one coherence
    alone gives the page's -4.178e-4."""
    lower = {"first": np.zeros((4, 4)), "second": np.zeros((4, 4))}
    lower["first"][0, 1] = lower["first"][2, 3] = lower["second"][0, 2] = lower["second"][1, 3] = 1
    hamiltonian = np.diag([0.0, 2.4, 2.0, 4.4])
    hamiltonian[1, 2] = hamiltonian[2, 1] = 0.2
    energies, basis = np.linalg.eigh(hamiltonian)
    gaps = energies[:, None] - energies[None]
    unit = np.eye(4)
    coherent = -1j * (np.kron(unit, np.diag(energies)) - np.kron(np.diag(energies), unit))

    def dissipator(qubit, temperature, center, width):
        coupling = basis.T @ (lower[qubit] + lower[qubit].T) @ basis
        up, down = filtered(np.where(gaps == 0, 1.0, np.abs(gaps)), temperature, center, width)
        half = 0.05 * coupling * np.where(gaps > 0, up, down) * (gaps != 0) / 2
        # rho stacked by columns: L rho A + A rho L^T - A L rho - rho L^T A.
        gain = np.kron(coupling.T, half) + np.kron(half, coupling)
        return gain - np.kron(unit, coupling @ half) - np.kron((half.T @ coupling).T, unit)

    hot = dissipator("first", 1.0, 2.4, 0.1)
    sink = dissipator("first", 1.0, 2.4, 0.2)
    cold = dissipator("second", 0.95, 2.0, 0.15)
    trace = unit.reshape(-1)
    generator = np.vstack([coherent + hot + sink + cold, trace])
    state = np.linalg.lstsq(generator, np.append(np.zeros(16), 1.0), rcond=None)[0]

    def current(part):
        return (np.diag(energies).reshape(-1) @ part @ state).real

    assert current(cold) == printed("-4.205e-4")
    assert abs(current(hot) + current(sink) + current(cold)) < 1e-12


@pytest.mark.parametrize(
    ("shift", "at", "height", "end"),
    [
        (0.05, 0.2145, 1.15226e-4, 0.663),
        (0.1, 0.2282, 4.82135e-4, 0.747),
        (0.2, 0.2255, 1.05000e-3, 0.735),
        (0.3, 0.2159, 1.24289e-3, 0.682),
        (0.5, 0.1931, 1.09068e-3, 0.565),
    ],
)
def test_figure_3_rises_to_one_maximum_and_ends_in_heating(sheets, shift, at, height, end):
    bias, current = curve(sheets["3"], rf"$\Delta_z={shift}$")
    best = np.argmax(current)
    step = bias[1] - bias[0]
    assert abs(bias[best] - at) < step and current[best] == pytest.approx(height, rel=1e-3)
    assert np.all(np.diff(current[: best + 1]) > 0) and np.all(
        np.diff(current[best : np.searchsorted(bias, end)]) < 0,
    )
    assert crossings(bias, current)[0] == pytest.approx(end, abs=2e-3)


def test_figure_4_passes_through_the_reference_currents(sheets):
    literal = curve(sheets["4"], r"$\Omega_L=\epsilon_1$")
    resonant = curve(sheets["4"], r"$\Omega_L=|\epsilon_1|$")
    assert crossings(*literal) == pytest.approx([0.191616], abs=1e-3)
    assert np.interp(-0.5, *literal) == pytest.approx(-1.45404e-5, rel=1e-3)
    assert np.interp(-1.0, *literal) == pytest.approx(-2.8061e-6, rel=1e-3)
    assert np.interp(1.04978, *literal) == pytest.approx(6.10277e-4, rel=1e-4)
    assert np.interp(-1.0, *resonant) == pytest.approx(-1.0665e-3, rel=1e-4)


def test_figure_5_passes_through_the_reference_currents(sheets):
    def at(panel, exchange, shift):
        label = rf"$\Delta_x={exchange:g}$"
        return np.interp(shift, *curve(sheets["5"], label, panel))

    local = {0.0: "8.18363e-4", 0.002: "8.18314e-4", 0.05: "7.87643e-4"}
    for exchange, text in local.items():
        assert at("a", exchange, 0.3) == printed(text), exchange
    assert at("b", 0.002, 0.2) == printed("3.76825284994e-4")
    assert at("b", 0.002, 0.1) == printed("-6.36885e-5")


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        (r"$\Delta_x=0.002$", [0.112027]),
        (r"$\Delta_x=0.003$", [0.195728]),
        (r"$\Delta_x=0.002$, $\Delta T=0.3$", [0.207517, 0.617046]),
    ],
)
def test_the_global_curves_of_figure_5_cross_zero_where_they_should(sheets, label, wanted):
    assert crossings(*curve(sheets["5"], label, "b")) == pytest.approx(wanted, abs=2e-4)


def test_without_exchange_both_equations_are_one_and_a_small_one_matters_to_the_global_alone(
    sheets,
):
    without = {panel: curve(sheets["5"], r"$\Delta_x=0$", panel)[1] for panel in "ab"}
    small = {panel: curve(sheets["5"], r"$\Delta_x=0.002$", panel)[1] for panel in "ab"}
    np.testing.assert_allclose(without["a"], without["b"], rtol=0, atol=1e-12)
    assert np.max(np.abs(small["a"] - without["a"])) < 1e-3 * np.max(without["a"])
    assert np.max(np.abs(small["b"] - without["b"])) > 0.2 * np.max(without["b"])


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("3", ("eps_1 = eps_2 = 2", "0.05, 0.1, 0.2, 0.3, 0.5")),
        ("4", ("Delta_z = 0.1", "eps_2 = 2.1", "dT = 0.3")),
        (
            "5",
            (
                "eps_1 = 2",
                "eps_2 = 2.1",
                "dT = 0.1",
                "0.002",
                "dT = 0.3",
                "0, 0.001, 0.003, and 0.05",
            ),
        ),
    ],
)
def test_captions_give_every_parameter(sheets, name, own):
    common = (
        "Gamma_L = 0.02",
        "Gamma_R = 0.08",
        "Gamma_C = 0.06",
        "Omega_L = eps_1",
        "Omega_R = eps_1 + Delta_z",
    )
    more = (
        "Omega_C = eps_2 + Delta_z",
        "T_R = T",
        "T_L = T + dT",
        "T_C = T - dT",
        "kappa = 1",
        "cut-off",
    )
    assert [text for text in (*common, *more, *own) if text not in sheets[name].caption] == []
