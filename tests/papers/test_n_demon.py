"""N-demon of Deghi and Bustos-Marun: the reference rows in the limit of narrow resonances, Figure 2(b), and the cases of cancellation."""

import jax
import mpmath as mp
import numpy as np
import pytest

import qtd
from qtd.distributions import difference
from qtd.machines import NDemon


def demon(cold, energy_4, **others):
    return qtd.replace(NDemon(), {"cold.temperature": cold, "energy_4": energy_4, **others})


@pytest.mark.parametrize(
    ("cold", "energy_4", "heat", "entropy", "cop"),
    [
        (0.8, 1.6, 0.000442830079793, -0.00123474720282, 0.358640277769),
        (0.9, 2.2, 0.0173761450687, -0.0728516170075, 0.238514198894),
        (0.95, 0.6, 0.0332829073438, -0.154429334721, 0.215521924017),
    ],
)
def test_reference_currents(cold, energy_4, heat, entropy, cop):
    point = demon(cold, energy_4).operate()
    np.testing.assert_allclose([point.heat_currents["cold"], point.entropy_current, point.cop], [heat, entropy, cop], rtol=1e-11)
    assert float(point.heat_currents["hot"]) == -float(point.heat_currents["cold"]) and bool(point.physical)
    if (cold, energy_4) == (0.8, 1.6):
        np.testing.assert_allclose(point.occupations, [0.497217616549, 0.271723804821, 0.376468969843, 0.292997466315], rtol=1e-11)
        np.testing.assert_allclose(point.logits, np.log(1 / np.asarray(point.occupations) - 1), rtol=1e-13)
        assert float(point.entropy_production) == pytest.approx(0.00112403968287, rel=1e-11)


def test_reference_slopes():
    cop = jax.grad(lambda m: m.operate().cop)(NDemon())
    heat = jax.grad(lambda m: m.operate().heat_currents["cold"])(NDemon())
    found = [cop.cold.temperature, cop.hot.temperature, cop.energy_2, cop.energy_3, cop.energy_4, heat.cold.temperature, heat.energy_4]
    wanted = [0.613357652331, -0.486432433457, 0.00565518388435, 0.0986460404708, -0.098719820879, -0.000427508673588, 0.00876318396445]
    np.testing.assert_allclose(found, wanted, rtol=1e-11)
    cold = NDemon().cold
    unit = difference(cold.logit(NDemon().energy_3), cold.logit(NDemon().energy_4), "fermi")
    assert float(cop.boldness / unit) == pytest.approx(-11.8049871809, rel=1e-11)


def test_reference_limits_and_compromise():
    machine = demon(0.5, 1.6)
    boldest, heat = machine.limits()
    unit = float(difference(machine.cold.logit(machine.energy_3), machine.cold.logit(machine.energy_4), "fermi"))
    assert float(boldest) * unit == pytest.approx(0.231475216501, rel=1e-11) and float(heat) == pytest.approx(0.00368404249094, rel=1e-11)
    point = demon(0.5, 1.6, boldness=0.08762471 / unit).operate()
    assert float(point.cop) == pytest.approx(0.09080275, rel=1e-6)
    assert float(point.heat_currents["cold"]) == pytest.approx(0.00139459, rel=3e-6)
    slope = jax.grad(lambda b: (lambda p: p.cop * p.heat_currents["cold"])(demon(0.5, 1.6, boldness=b).operate()))(0.08762471 / unit)
    assert abs(float(slope)) < 1e-9


@pytest.mark.parametrize(
    ("energy_4", "lowest"),
    [(1.4, 0.138745039), (1.45, 0.072034193), (1.55, 0.072084231), (1.6, 0.141326834), (1.75, 0.316061331), (1.9, 0.469404753)],
)
def test_minimum_cold_temperatures_and_their_slopes(energy_4, lowest):
    at = lambda energy: demon(1.0, energy).minimum_cold_temperature()
    assert float(at(energy_4)) == pytest.approx(lowest, abs=6e-10)
    wanted = (at(energy_4 + 1e-5) - at(energy_4 - 1e-5)) / 2e-5
    assert float(jax.grad(at)(energy_4)) == pytest.approx(float(wanted), rel=1e-7)
    assert bool(demon(lowest + 1e-6, energy_4).operate().physical) and not bool(demon(lowest - 1e-6, energy_4).operate().physical)


@pytest.mark.parametrize(
    ("cold", "cops"),
    [
        (0.2, (None, 0.060329, 0.068723, 0.058941, None, None, None)),
        (0.5, (0.177190, 0.196076, 0.198974, 0.195850, 0.172786, 0.112404, None)),
        (0.8, (0.334492, 0.358647, 0.362376, 0.358640, 0.334183, 0.294554, 0.223310)),
    ],
)
def test_figure_2b(cold, cops):
    for energy_4, wanted in zip((1.25, 1.4, 1.55, 1.6, 1.75, 1.9, 2.1), cops):
        point = demon(cold, energy_4).operate()
        assert bool(point.physical) == (wanted is not None)
        if wanted is not None:
            assert float(point.cop) == pytest.approx(wanted, abs=6e-7)
        else:
            assert np.isnan(float(point.cop)) and float(point.margin) < 0
    assert float(demon(cold, 1.5).operate().cop) == pytest.approx(cold / (3 - cold), rel=1e-13) == float(demon(cold, 1.5).limit_cop)


def exact(machine):
    """J_c and I_S,l from differences of occupations, with 60 digits."""
    mp.mp.dps = 60
    number = lambda x: mp.mpf(float(x))
    hot, cold, mu = (number(x) for x in (machine.hot.temperature, machine.cold.temperature, machine.hot.chemical_potential))
    e = [number(getattr(machine, f"energy_{k}")) for k in (1, 2, 3, 4)]
    f = [1 / (1 + mp.exp((x - mu) / t)) for x, t in zip(e, (hot, hot, cold, cold))]
    a = number(machine.boldness) * (f[2] - f[3])
    r = (e[2] - e[3]) / (e[0] - e[1])
    u = [mp.log(1 / x - 1) for x in (f[0] - r * a, f[1] + r * a, f[2] + a, f[3] - a)]
    scale = number(machine.width) / (2 * mp.pi)
    heat, entropy = -scale * (e[2] - e[3]) * a, -scale * a * (r * (u[0] - u[1]) + u[3] - u[2])
    mp.mp.dps = 15
    return heat, entropy


@pytest.mark.parametrize(
    ("cold", "energy_4", "error"), [(0.01, 1.502, 1e-13), (0.5, 1.500001, 3e-10), (0.01, 0.9, 1e-13), (0.026, 1.51, 1e-13)]
)
def test_currents_keep_their_digits_where_occupations_nearly_agree(cold, energy_4, error):
    # Trap: by subtraction the first of these is wrong by 3e-3; the second knows the gap of its energies to 2e-10 only.
    machine = demon(cold, energy_4, **({"energy_3": 0.899} if energy_4 < 1 else {}))
    point, (heat, entropy) = machine.operate(), exact(machine)
    assert bool(point.physical)
    assert abs(float(point.heat_currents["cold"]) / float(heat) - 1) < error
    assert abs(float(point.entropy_current) / float(entropy) - 1) < error
    assert abs(float(point.cop) / float(-heat / entropy) - 1) < error


def test_a_bolder_choice_fails_where_a_modest_one_cools():
    assert not bool(demon(0.05, 1.75).operate().physical)
    boldest, _ = demon(0.05, 1.75).limits()
    point = demon(0.05, 1.75, boldness=float(boldest) / 2).operate()
    assert (
        bool(point.physical)
        and float(point.cop) == pytest.approx(0.0459, abs=6e-5)
        and float(point.carnot_cop) == pytest.approx(0.05 / 0.95)
    )


def test_equal_energies_have_limits_too():
    boldest, heat = demon(0.5, 1.5).limits()
    assert np.isinf(float(boldest)) and float(heat) == 0
    assert float(demon(0.5, 1.5 + 1e-9).limits()[1]) == pytest.approx(float(demon(0.5, 1.5 + 2e-9).limits()[1]) / 2, rel=1e-6)


def test_cop_falls_from_carnot_with_boldness():
    cops = [float(demon(0.5, 1.6, boldness=b).operate().cop) for b in (1e-9, 0.1, 1.0, 3.0, 6.0)]
    assert cops[0] == pytest.approx(1.0, rel=1e-7) and cops == sorted(cops, reverse=True)


def test_unphysical_points_spoil_no_gradient():
    slope = jax.grad(lambda b: demon(0.5, 1.6, boldness=b).operate().cop)
    assert np.isnan(float(demon(0.5, 1.6, boldness=20.0).operate().cop)) and np.isfinite(float(slope(1.0)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"energy_2": 1.0}, "`energy_1` and `energy_2` must differ"),
        ({"energy_4": 2.0}, "cannot serve both leads"),
        ({"width": 0.0}, "`width` must be positive"),
        ({"cold.chemical_potential": 0.5}, "`chemical_potential` must be the same"),
        ({"cold.temperature": -1.0}, "`temperature` must be positive"),
    ],
)
def test_bad_input_names_the_argument(changes, words):
    with pytest.raises(ValueError, match=words):
        qtd.replace(NDemon(), changes)
