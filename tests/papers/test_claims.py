"""The claims that the papers make about their figures: verdicts and numbers, against the values that an independent implementation found.

Where no page prints a number it is bounded by what the claim says.
"""

import numpy as np
from gallery import claimed
from helpers import along, assert_claims
from scipy.integrate import quad
from scipy.optimize import brentq, fsolve

from papers.test_finite_reservoirs import SWAPS


def demon_cop(cold, fourth):
    """Eq. (22) with the paper's occupation, for arrays; NaN where there is none."""
    fermi = lambda energy, temperature: 1 / (1 + np.exp((energy - 1) / temperature))
    change, ratio = fermi(1.5, cold) - fermi(fourth, cold), fourth - 1.5
    filled = np.array([fermi(1, 1) - ratio * change, fermi(2, 1) + ratio * change, fermi(1.5, cold) + change, fermi(fourth, cold) - change])
    with np.errstate(invalid="ignore"):
        u = np.log(1 / filled - 1)
    return 1 / ((u[1] - u[0]) / -1 + (u[2] - u[3]) / (1.5 - fourth))


def broadened_demon(width=0.05):
    """Heat from the cold lead and entropy into the demon of Fig. 2 at T_c = 0.5, e_4 = 1.6 between windows, by adaptive quadrature."""
    middles, temperatures = (1.0, 2.0, 1.5, 1.6), (1.0, 1.0, 0.5, 0.5)
    fermi = lambda energy, temperature: 1 / (1 + np.exp((energy - 1) / temperature))
    last = np.log(1 / (2 * fermi(1.6, 0.5) - fermi(1.5, 0.5)) - 1) - 0.6 / 0.5

    def out_of_lead(k, shift, weight):
        """Integral over its window of weight(e, u of the demon) (f of the lead - f of the demon)."""
        logit = lambda energy: (energy - 1) / temperatures[k] + shift
        flow = lambda energy: weight(energy, logit(energy)) * (fermi(energy, temperatures[k]) - 1 / (1 + np.exp(logit(energy))))
        return quad(flow, middles[k] - width / 2, middles[k] + width / 2, epsabs=0, epsrel=1e-12)[0] / (2 * np.pi)

    def over(shifts, windows, weight):
        return sum(out_of_lead(k, shift, weight) for k, shift in enumerate([*shifts, last]) if k in windows)

    number, energy = (lambda e, u: 1.0), (lambda e, u: e)
    balance = lambda s: [over(s, (0, 1), number), over(s, (2, 3), number), over(s, range(4), energy)]
    shifts = fsolve(lambda s: 1e4 * np.array(balance(s)), [0.02, -0.02, -0.2], xtol=1e-13)
    return over(shifts, (2, 3), lambda e, u: e - 1), over(shifts, range(4), lambda e, u: u)


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
    temperatures, fourth = np.linspace(0.02, 0.98, 97)[:, None], np.array([float(e) for e in energies])[None, :]
    share = np.nanmax(demon_cop(temperatures, fourth) * (1 - temperatures) / temperatures)
    coldest_of_16 = brentq(lambda t: np.exp(0.6 / t) - 2 * np.exp(0.5 / t) - 1, 0.1, 0.2)
    near = {f"COP(T_c = T_h, e_4 = {e})": f"{float(demon_cop(1.0, float(e))):.12f}" for e in ("1.4", "1.49", "1.51", "1.6")}
    cooling, taken = broadened_demon()
    expected = [
        ("reproduced", cop | {"largest COP over Carnot": f"{share:.9f}"}),
        (
            "reproduced",
            {"COP(T_c = 0.5, e_4 = 1.51)": "0.199959"}
            | along([f"T_c = {t}" for t in ("0.2", "0.5", "0.8")], limit="0.071429 0.200000000000 0.363636"),
        ),
        ("reproduced", near | {"COP(T_c = T_h, e_4 = 1.5)": "0.500000000000"}),
        (
            "reproduced",
            {
                "COP(24) at T_c = 0.01": "0.00334",
                "COP(e_4 = 1.6) 1e-6 above T_min": f"{float(demon_cop(coldest_of_16 + 1e-6, 1.6)):.8f}",
            },
        ),
        ("partly", coldest | less_bold),
        ("reproduced", power | {"T_c of largest power, e_4 = 1.6": "0.3556", "largest power, e_4 = 1.6": "0.0040721"}),
        ("not", {"lowest e_4 at T_c = T_h": "0.205623", "highest e_4 at T_c = T_h": "2.458020"} | less_bold),
        (
            "reproduced",
            {
                "J_c (T_c = 0.5, e_4 = 1.6, Gamma = 0.05)": f"{cooling:.9e}",
                "J_c, narrow": f"{0.1 * (1 / (1 + np.exp(1.0)) - 1 / (1 + np.exp(1.2))) / (2 * np.pi) * 0.05:.12e}",  # Eq. (21)
                "particles of the demon over Gamma / h": (-1e-12, 1e-12),
                "energy of the demon over J_c": (-1e-9, 1e-9),
                "J_c + J_h over J_c": (-1e-9, 1e-9),
                "entropy into the demon": f"{taken:.9e}",
            },
        ),
    ]
    assert_claims(claimed("n-demon"), expected)


def test_finite_reservoirs():
    modes = np.array([21.1, 21.5])
    fermi = lambda temperature, potential: 1 / (1 + np.exp((modes - potential) / temperature))
    flow = np.sqrt(modes) / 2 * (fermi(0.6, 20.8) - fermi(1.0, 16.0))  # Eq. (10) with gamma_1k = gamma_2k = sqrt(omega_k)
    particles, energy = flow.sum(), modes @ flow
    turns = {f"extrema of T_{j}": (n, n) for j, n in enumerate((2, 1, 3, 2), 1)} | {
        f"extrema of mu_{j}": (n, n) for j, n in enumerate((1, 0, 4, 1), 1)
    }
    expected = [
        (
            "reproduced",
            {"Y_1": "0.6347", "Y_2": "-7.3273", "omega_tilde": "28.0"}
            | {f"{name}_{j}": f"{sign * flow:.12f}" for name, flow in (("P", particles), ("J", energy)) for j, sign in ((1, 1), (2, -1))},
        ),
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
        (
            "reproduced",
            {f"potentials cross for {name} {'below' if above else 'above'}": text for name, (*_, text, above) in SWAPS.items()},
        ),
        ("reproduced", turns | {"T_eq": "0.48237", "lowest T_4": "0.12871", "lowest T_1": "0.17313"}),
        ("reproduced", {"T_eq": "1.16001", "mu_eq": "19.29989"}),
        ("reproduced", {f"least rise over the whole, Fig. {k}": (-1e-10, np.inf) for k in range(1, 6)}),
    ]
    assert_claims(claimed("finite-reservoirs"), expected)
