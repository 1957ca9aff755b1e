"""Two-resonator refrigerator of Bhandari and Jordan: reference numbers of both methods, the figures
of the paper, and the common limit."""

import functools

import jax
import numpy as np
import pytest

import qtd
from qtd.machines import ResonatorRefrigerator
from qtd.spectral import Resonator

NAMES = ("hot", "sink", "cold")


def device(levels, temperatures, widths, centers, energy, shift, strength=1.0, cutoff=10.0):
    made = [
        qtd.Reservoir(t, spectral_density=Resonator(center, width, strength, cutoff))
        for t, width, center in zip(temperatures, widths, centers)
    ]
    return ResonatorRefrigerator(levels, energy, energy, shift, *made)


def figure_7(levels, bias=0.3, shift=0.05, cutoff=10.0):
    centers = (1.0, 1.0 + shift, 1.0 + shift)
    return device(
        levels, (1 + bias, 1.0, 1 - bias), (0.02, 0.08, 0.06), centers, 1.0, shift, cutoff=cutoff
    )


def figure_8(levels, shift):
    return figure_7(levels, 0.3, shift, 20.0)


def figure_10(strength, bias, hot_width, levels=(8, 8), shift=0.2):
    centers = (2.0, 2.0 + shift, 2.0 + shift)
    return device(
        levels, (1 + bias, 1.0, 1.0), (hot_width, 0.02, 0.02), centers, 2.0, shift, strength, 7.0
    )


def broad(shift, strength=1.0, levels=(40, 26)):
    return device(levels, (2.0, 1.0, 1.0), (0.3,) * 3, (1.3, 2.9, 2.4), 2.0, shift, strength, 8.0)


@functools.cache
def _compiled(method, *options):
    if method == "rates":
        return jax.jit(lambda machine: machine.operate().heat_currents)
    return jax.jit(lambda machine: machine.keldysh(*options))


def currents(machine):
    return _compiled("rates")(machine)


def keldysh(machine, retarded, points=8192):
    state = _compiled("keldysh", retarded, points)(machine)
    assert int(state.status) in (0, qtd.Status.STRONG_CORRELATION)
    return state


@pytest.mark.parametrize(
    ("machine", "cold", "hot"),
    [
        (figure_7((2, 2)), 0.00177740924074, 0.7768223296163),
        (figure_7((3, 3)), 0.003307376838514, 1.253545603066),
        (figure_7((6, 6)), 0.004145915787972, 1.822163072173),
        (figure_8((3, 2), 0.1), 0.004971240237258, 0.7419375952382),
        (figure_8((3, 3), 0.2), 0.00344614707095, 0.269113731276),
        (figure_8((2, 2), 0.35), 0.00155328418469, 0.06230270059173),
    ],
)
def test_reference_currents_of_the_rate_equation(machine, cold, hot):
    found = currents(machine)
    assert float(found["cold"]) == pytest.approx(cold, rel=1e-12)  # as many digits as are given
    assert float(found["hot"]) == pytest.approx(hot, rel=1e-12)


def test_reference_moments_entropy_and_cumulants():
    machine = figure_7((3, 3))
    moments = machine.moments()
    found = [moments.first, moments.second, moments.product, machine.operate().entropy_production]
    np.testing.assert_allclose(
        found, [0.50287149861, 0.26416842461, 0.11803729693, 0.287862307337], rtol=3e-11
    )
    # Trap: each photon carries an energy of 1, but only D_z of it stays on average; the third
    # cumulant lost ten digits to the rest.
    np.testing.assert_allclose(
        machine.cumulants("cold", 3),
        [0.003307376838514, 0.00519736825509, 1.67524884754e-5],
        rtol=2e-11,
    )
    np.testing.assert_allclose(
        figure_7((2, 2)).cumulants("cold", 3),
        [0.00177740924074, 0.00238977726952, 2.4725904712e-6],
        rtol=2e-11,
    )
    assert float(machine.operate().heat_covariance["cold", "cold"]) == pytest.approx(
        0.00519736825509, rel=2e-11
    )


def test_reference_slopes_of_the_cooling_current():
    slope = qtd.parameters(
        jax.jit(jax.grad(lambda m: m.operate().heat_currents["cold"]))(figure_7((3, 3)))
    )
    wanted = {
        "shift": 0.04575491422,
        "hot.spectral_density.width": -0.1252134992,
        "sink.spectral_density.width": -0.02538551675,
        "cold.spectral_density.width": -0.01374908409,
        "hot.spectral_density.center": -0.05854630297,
        "sink.spectral_density.center": 0.01864894494,
        "cold.spectral_density.center": 0.004130320697,
        "cold.temperature": 0.01281332822,
        "hot.temperature": 0.01135196828,
    }
    for path, value in wanted.items():
        assert float(slope[path]) == pytest.approx(value, rel=1e-9), path


@pytest.mark.parametrize(
    ("levels", "at", "largest", "gain"),
    [
        ((2, 2), 0.2842, 0.00178178, 1),
        ((2, 3), 0.2734, 0.00203075, 1.134),
        ((3, 2), 0.2899, 0.00292078, 1.642),
        ((3, 3), 0.2786, 0.00332318, 1.861),
        ((4, 4), 0.2797, 0.00386443, 2.165),
        ((6, 6), 0.2830, 0.00415837, 2.333),
        ((16, 16), 0.2843, 0.00422071, 2.369),
    ],
)
def test_figure_7_maximum_and_gain_over_the_qubits(levels, at, largest, gain):
    def current(bias):
        return float(currents(figure_7(levels, bias))["cold"])

    assert current(at) == pytest.approx(largest, rel=3e-6)
    assert max(current(at - 3e-3), current(at + 3e-3)) < current(at)
    assert current(0.3) / 0.00177740924074 == pytest.approx(gain, abs=6e-4)


@pytest.mark.parametrize(
    ("levels", "error"),
    [(2, -0.58), (4, -8.6e-2), (8, -2.6e-3), (10, -4.3e-4), (12, -6.8e-5), (16, -1.5e-6)],
)
def test_the_error_of_truncation_falls_geometrically(levels, error):
    exact = float(currents(figure_7((24, 24)))["cold"])
    assert float(currents(figure_7((levels, levels)))["cold"]) / exact - 1 == pytest.approx(
        error, rel=0.03
    )


@pytest.mark.parametrize(
    ("levels", "at", "largest", "zeros"),
    [
        ((2, 2), 0.1369, 0.00403663, (0.00784, 0.5213)),
        ((3, 2), 0.1157, 0.00505345, (0.00784, 0.5213)),
        ((2, 3), 0.1248, 0.00373872, (0.00520, 0.4741)),
        ((3, 3), 0.1034, 0.00481418, (0.00524, 0.4744)),
        ((16, 16), 0.0902, 0.00520443, (0.00404, 0.4666)),
    ],
)
def test_figure_8_maximum_and_zeros(levels, at, largest, zeros):
    def current(shift):
        return float(currents(figure_8(levels, shift))["cold"])

    assert current(at) == pytest.approx(largest, rel=3e-6)
    first, last = zeros
    assert current(first - 6e-6) < 0 < current(first + 6e-6) and current(last - 6e-5) > 0 > current(
        last + 6e-5
    )


@pytest.mark.parametrize(
    ("retarded", "machine", "occupations", "cold", "hot"),
    [
        (
            "paper",
            figure_10(1, 0.15, 0.02),
            (0.0324036884991, 0.0317382871709),
            2.6911093595e-9,
            0.00238456269828,
        ),
        (
            "paper",
            figure_10(1, 0.7, 0.01),
            (0.047564843524, 0.031511769376),
            2.65836846656e-8,
            0.0103540299434,
        ),
        (
            "local",
            figure_10(1, 0.15, 0.02),
            (0.0616903102024, 0.0663078052532),
            1.94534642281e-7,
            0.00707003211843,
        ),
        (
            "causal",
            figure_10(1, 0.15, 0.02),
            (0.335772318995, 0.200921081558),
            -5.33258575919e-6,
            0.00668114544789,
        ),
        (
            "causal",
            figure_10(0.1, 0.5, 0.02),
            (0.279599247685, 0.151829905228),
            8.54819143082e-5,
            0.0175824534627,
        ),
        (
            "causal",
            figure_10(0.3, 0.5, 0.02),
            (0.308266601151, 0.161290328771),
            1.86712420074e-5,
            0.0203670129511,
        ),
        (
            "causal",
            broad(0.02, 0.03),
            (0.410655473315, 0.15631029895),
            1.28320346684e-7,
            0.0078849090756,
        ),
    ],
)
def test_reference_numbers_of_the_green_functions(retarded, machine, occupations, cold, hot):
    state = keldysh(machine, retarded)
    np.testing.assert_allclose(state.occupations, occupations, rtol=1e-11)
    assert float(state.heat_currents["cold"]) == pytest.approx(cold, rel=1e-10)
    assert float(state.heat_currents["hot"]) == pytest.approx(hot, rel=1e-11)
    if retarded == "causal":
        np.testing.assert_allclose(state.sum_rules, 1, atol=1e-6)
    else:
        wanted = {"paper": (0.15, 0.19), "local": (0.31, 0.42)}[retarded]
        np.testing.assert_allclose(state.sum_rules, wanted, atol=0.006)


@pytest.mark.parametrize(
    ("points", "error"), [(1024, 3e-4), (2048, 1e-7), (4096, 1e-8), (8192, 1e-11)]
)
def test_the_error_of_the_grid_falls_once_lines_are_resolved(points, error):
    machine = figure_10(1.0, 0.6, 0.02)
    exact = keldysh(machine, "causal", 32768).heat_currents["cold"]
    found = _compiled("keldysh", "causal", points)(machine)
    assert (
        abs(float(found.heat_currents["cold"] / exact - 1)) < error
        or int(found.status) == qtd.Status.UNRESOLVED
    )


@pytest.mark.parametrize(
    ("retarded", "strength", "hot_width", "at", "largest"),
    [
        ("paper", 1, 0.02, 0.1557, 2.6948e-9),
        ("paper", 1, 0.01, 0.6979, 2.6584e-8),
        ("local", 1, 0.02, 0.605, 4.466e-7),
        ("local", 1, 0.01, 1.711, 1.778e-6),
        ("local", 2, 0.02, 0.168, 4.83e-8),
        ("causal", 0.3, 0.02, 0.826, 2.203e-5),
        ("causal", 0.3, 0.01, 1.850, 4.383e-5),
    ],
)
def test_figure_10_maxima(retarded, strength, hot_width, at, largest):
    def current(bias):
        return float(keldysh(figure_10(strength, bias, hot_width), retarded).heat_currents["cold"])

    assert current(at) == pytest.approx(largest, rel=2e-4)
    assert max(current(0.97 * at), current(1.03 * at)) < current(at)


def test_figure_10_causal_heats_at_full_strength_and_cools_at_half():
    def current(strength, bias):
        return float(keldysh(figure_10(strength, bias, 0.02), "causal").heat_currents["cold"])

    assert all(current(1.0, bias) < 0 for bias in (0.1, 0.5, 1.0, 3.0))
    assert current(0.5, 0.3) == pytest.approx(1.4e-7, rel=0.05) and current(
        0.7, 0.3
    ) == pytest.approx(-6.8e-6, rel=0.02)


@pytest.mark.parametrize(
    ("shift", "ratio"), [(0.02, 1.0344), (0.01, 1.0193), (0.005, 1.0102), (0.0025, 1.0052)]
)
def test_the_rate_equation_tends_to_the_weak_coupling_form(shift, ratio):
    machine = broad(shift)
    assert float(currents(machine)["cold"] / machine.weak_coupling_current()) == pytest.approx(
        ratio, abs=6e-5
    )


@pytest.mark.parametrize(
    ("retarded", "ratios"),
    [
        ("causal", (0.4447, 0.9415, 0.9941, 0.9983)),
        ("local", (0.4045, 0.9297, 0.9929, 0.9979)),
        ("paper", (0.0077, 0.1077, 0.1232, 0.1245)),  # to one eighth
    ],
)
def test_the_green_functions_tend_to_the_weak_coupling_form(retarded, ratios):
    for strength, points, wanted in zip(
        (0.1, 0.01, 0.001, 0.0003), (8192, 32768, 2**17, 2**19), ratios
    ):
        machine = broad(1e-4, strength, (2, 2))
        found = keldysh(machine, retarded, points).heat_currents["cold"]
        assert float(found / machine.weak_coupling_current()) == pytest.approx(wanted, abs=6e-5)


@pytest.mark.parametrize(
    ("shift", "ratio"), [(0.01, 0.449), (0.02, 0.608), (0.05, 0.996), (0.1, 1.023), (0.2, 0.567)]
)
def test_the_methods_differ_at_a_fixed_shift_however_weak_the_coupling(shift, ratio):
    machine = figure_10(1e-3, 0.5, 0.02, (20, 20), shift)
    found = keldysh(machine, "causal", 2**15).heat_currents["cold"] / currents(machine)["cold"]
    assert float(found) == pytest.approx(ratio, abs=6e-4)


def test_a_resonator_beside_a_qubit_cools_best():
    found = [
        float(currents(figure_8(levels, 0.12))["cold"])
        for levels in ((2, 2), (16, 2), (2, 16), (16, 16))
    ]
    np.testing.assert_allclose(found, [0.00398, 0.00544, 0.00359, 0.00494], atol=6e-6)
