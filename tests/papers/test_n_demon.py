"""N-demon of Deghi and Bustos-Marun: the reference rows, Figure 2(b), and the cases of
cancellation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.distributions import LogitBasis, PiecewiseConstant, ShiftedLogits, Thermal, difference
from qtd.machines import NDemon
from qtd.nonthermal import balanced
from qtd.scattering import Conductor
from qtd.spectral import WideBand
from qtd.transmissions import Boxcar, Lorentzian


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
    machine = demon(cold, energy_4)
    point = machine.operate()
    np.testing.assert_allclose(
        [point.heat_currents["cold"], point.entropy_current, point.cop],
        [heat, entropy, cop],
        rtol=1e-11,
    )
    assert int(point.status) == 0
    # What its occupation lets through the four resonances: neither particles nor energy of the
    # demon, the heat of each lead.
    energies, temperatures = np.array(machine.energies), np.array([1.0, 1.0, cold, cold])
    flows = (1 / (1 + np.exp((energies - 1) / temperatures)) - np.asarray(point.occupations)) / (
        2 * np.pi
    )
    heats = {"hot": flows[:2] @ (energies[:2] - 1), "cold": flows[2:] @ (energies[2:] - 1)}
    np.testing.assert_allclose([flows[:2].sum(), flows[2:].sum(), flows @ energies], 0, atol=1e-15)
    np.testing.assert_allclose(
        [point.heat_currents[name] for name in heats], list(heats.values()), rtol=1e-11
    )
    if (cold, energy_4) == (0.8, 1.6):
        np.testing.assert_allclose(
            point.occupations,
            [0.497217616549, 0.271723804821, 0.376468969843, 0.292997466315],
            rtol=1e-11,
        )
        np.testing.assert_allclose(
            point.logits, np.log(1 / np.asarray(point.occupations) - 1), rtol=1e-13
        )
        assert float(point.entropy_production) == pytest.approx(0.00112403968287, rel=1e-11)


def test_reference_slopes():
    cop = jax.jit(jax.grad(lambda m: m.operate().cop))(NDemon())
    heat = jax.jit(jax.grad(lambda m: m.operate().heat_currents["cold"]))(NDemon())
    found = [
        cop.cold.temperature,
        cop.hot.temperature,
        cop.energy_2,
        cop.energy_3,
        cop.energy_4,
        heat.cold.temperature,
        heat.energy_4,
    ]
    wanted = [
        0.613357652331,
        -0.486432433457,
        0.00565518388435,
        0.0986460404708,
        -0.098719820879,
        -0.000427508673588,
        0.00876318396445,
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-11)
    cold = NDemon().cold
    unit = difference(cold.logit(NDemon().energy_3), cold.logit(NDemon().energy_4), "fermi")
    assert float(cop.boldness / unit) == pytest.approx(-11.8049871809, rel=1e-11)


def test_reference_limits_and_compromise():
    machine = demon(0.5, 1.6)
    boldest, heat = machine.limits()
    unit = float(
        difference(
            machine.cold.logit(machine.energy_3), machine.cold.logit(machine.energy_4), "fermi"
        )
    )
    assert float(boldest) * unit == pytest.approx(0.231475216501, rel=1e-11) and float(
        heat
    ) == pytest.approx(0.00368404249094, rel=1e-11)
    point = demon(0.5, 1.6, boldness=0.08762471 / unit).operate()
    assert float(point.cop) == pytest.approx(0.09080275, rel=1e-6)
    assert float(point.heat_currents["cold"]) == pytest.approx(0.00139459, rel=3e-6)
    slope = jax.jit(
        jax.grad(
            lambda b: (lambda p: p.cop * p.heat_currents["cold"])(
                demon(0.5, 1.6, boldness=b).operate()
            )
        )
    )(0.08762471 / unit)
    assert abs(float(slope)) < 1e-9


@pytest.mark.parametrize(
    ("energy_4", "lowest"),
    [
        (1.4, 0.138745039),
        (1.45, 0.072034193),
        (1.55, 0.072084231),
        (1.6, 0.141326834),
        (1.75, 0.316061331),
        (1.9, 0.469404753),
    ],
)
def test_minimum_cold_temperatures_and_their_slopes(energy_4, lowest):
    def at(energy):
        return demon(1.0, energy).minimum_cold_temperature()

    assert float(at(energy_4)) == pytest.approx(lowest, abs=6e-10)
    wanted = (at(energy_4 + 1e-5) - at(energy_4 - 1e-5)) / 2e-5
    assert float(jax.jit(jax.grad(at))(energy_4)) == pytest.approx(float(wanted), rel=1e-7)
    assert (
        int(demon(lowest + 1e-6, energy_4).operate().status)
        == 0
        != int(demon(lowest - 1e-6, energy_4).operate().status)
    )


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
        assert (int(point.status) == 0) == (wanted is not None)
        if wanted is not None:
            assert float(point.cop) == pytest.approx(wanted, abs=6e-7)
        else:
            assert np.isnan(float(point.cop)) and float(point.margin) < 0
    assert (
        float(demon(cold, 1.5).operate().cop)
        == pytest.approx(cold / (3 - cold), rel=1e-13)
        == float(demon(cold, 1.5).limit_cop)
    )


def test_a_bolder_choice_fails_where_a_modest_one_cools():
    assert demon(0.05, 1.75).operate().status == qtd.Status.NO_OCCUPATION
    boldest, _ = demon(0.05, 1.75).limits()
    point = demon(0.05, 1.75, boldness=float(boldest) / 2).operate()
    assert (
        int(point.status) == 0
        and float(point.cop) == pytest.approx(0.0459, abs=6e-5)
        and float(point.carnot_cop) == pytest.approx(0.05 / 0.95)
    )


def lead(temperature, potential=1.0):
    return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(1.0))


def four(distribution, leads, energies, width, kind=Boxcar):
    links = [
        ("demon", name, kind(e, width)) for name, e in zip(("hot", "hot", "cold", "cold"), energies)
    ]
    return Conductor(
        {"demon": qtd.NonthermalReservoir(distribution, chemical_potential=1.0), **leads}, links
    )


def test_reference_least_entropy_with_and_without_exchange():
    machine = demon(0.5, 1.6)
    for closed, entropy, cop, most in (
        (True, 0.0022158786605, 0.225644, 0.003684),
        (False, 0.000525980369916, 0.950606, 0.043506),
    ):
        point = machine.least_entropy(5e-4, closed).operate()
        assert float(point.entropy_current) == pytest.approx(-entropy, rel=1e-11) and float(
            point.cop
        ) == pytest.approx(cop, abs=6e-7)
        assert float(point.heat_currents["cold"]) == pytest.approx(5e-4, rel=1e-13)
        assert float(machine.maximum_cooling(closed).heat_currents["cold"]) == pytest.approx(
            most, abs=6e-7
        )
    assert float(machine.maximum_cooling(True).heat_currents["cold"]) == pytest.approx(
        float(machine.limits()[1]), rel=1e-9
    )


@pytest.mark.parametrize(
    ("a", "heat", "entropy", "cop"),
    [
        (0.037466204869, 2.85729364834e-5, -0.000154063062969, 0.185462601695),
        (0.0, -1.24172203557e-6, None, None),
    ],
)
def test_reference_constant_occupation_in_each_window(a, heat, entropy, cop):
    leads = {"hot": lead(1.0), "cold": lead(0.5)}
    energies = (1.0, 2.0, 1.5, 1.6)
    width = 0.05
    points = np.linspace(-1, 1, 20001)[1::2] * width / 2 + 1.6
    mean = np.mean(1 / (1 + np.exp((points - 1) / 0.5)))
    edges = np.sort([e + sign * width / 2 for e in energies for sign in (-1, 1)])
    between = jnp.full((1,), 0.5)

    def build(x, a):
        filled = [x[:1], between, x[2:], between, (mean - a)[None], between, x[1:2]]
        return four(PiecewiseConstant(edges, jnp.concatenate(filled)), leads, energies, width)

    found = balanced(build, [0.5, 0.27, 0.3], jnp.asarray(a), closed=("hot", "cold"))
    point = qtd.operate(found.conductor, "cold", "demon")
    # The mean above is a sum of 10^4 midpoints.
    assert float(point.heat_currents["cold"]) == pytest.approx(heat, rel=1e-8)
    if entropy is not None:
        assert float(point.entropy_currents["demon"]) == pytest.approx(entropy, rel=1e-8) and float(
            point.cop
        ) == pytest.approx(cop, rel=1e-8)


def test_reference_shifted_logits():
    leads = {"hot": lead(1.0), "cold": lead(0.5)}
    references = [Thermal(1.0, 1.0), Thermal(0.5, 1.0), Thermal(0.5, 1.0), Thermal(1.0, 1.0)]

    def build(x, fourth):
        shifts = jnp.stack([x[0], x[2], fourth, x[1]])
        return four(
            ShiftedLogits(references, shifts, [1.2, 1.55, 1.8]), leads, (1.0, 2.0, 1.5, 1.6), 0.05
        )

    found = balanced(build, jnp.zeros(3), jnp.asarray(0.3), closed=("hot", "cold"))
    np.testing.assert_allclose(
        found.parameters, [0.0196093650232, -0.0247909446946, -0.237005186354], rtol=1e-11
    )
    point = qtd.operate(found.conductor, "cold", "demon")
    assert float(point.heat_currents["cold"]) == pytest.approx(3.90046350939e-5, rel=1e-11)
    assert float(point.entropy_currents["demon"]) == pytest.approx(-0.000250344624788, rel=1e-11)
    assert float(point.cop) == pytest.approx(0.155803765018, rel=1e-11)
    # The machine's own way to a finite width, at the boldness that leaves the fourth shift at 0.3.
    fourth = float(1 / (1 + np.exp(0.3 + (1.6 - 1) / 0.5)))
    a = 1 / (1 + np.exp((1.6 - 1) / 0.5)) - fourth
    unit = float(difference(jnp.asarray(1.0), jnp.asarray(1.2), "fermi"))
    machine = demon(0.5, 1.6, width=0.05, boldness=a / unit)
    np.testing.assert_allclose(machine.broadened("boxcar").parameters, found.parameters, rtol=1e-10)


def test_reference_lorentzian_lines():
    leads, energies = {"hot": lead(1.0), "cold": lead(0.9)}, (1.0, 2.0, 1.5, 1.75)

    def build(x, fourth):
        bumps = LogitBasis(
            Thermal(0.95, 1.0), jnp.concatenate([x, fourth[None]]), energies, [0.1] * 4
        )
        return four(bumps, leads, energies, 0.02, Lorentzian)

    found = balanced(build, jnp.zeros(3), jnp.asarray(0.6), closed=("hot", "cold"))
    np.testing.assert_allclose(
        found.parameters, [0.0974249783, -0.2145027220, -0.4050970033], atol=6e-11
    )
    point = qtd.operate(found.conductor, "cold", "demon")
    assert float(point.heat_currents["cold"]) == pytest.approx(1.12049916e-4, rel=5e-9)
    assert float(point.cop) == pytest.approx(0.24644844, rel=3e-8)


def test_a_biased_wire_is_a_demon():
    found = demon(0.9, 1.9).wire(0.3, 0.2)
    np.testing.assert_allclose(found.parameters, [2.456825, 0.843151], atol=6e-7)
    point = qtd.operate(found.conductor, "cold", "demon")
    assert float(point.heat_currents["cold"]) == pytest.approx(8.7075e-4, abs=6e-9)
    assert float(point.cop) == pytest.approx(0.478131, abs=6e-7)
    for flows in (point.particle_currents, point.energy_currents):
        assert abs(float(flows["demon"])) < 1e-16
    slope = jax.jit(jax.grad(lambda share: demon(0.9, 1.9).wire(share).parameters[0]))(0.3)
    ends = [float(demon(0.9, 1.9).wire(0.3 + h).parameters[0]) for h in (-1e-5, 1e-5)]
    assert float(slope) == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-6)


def test_shifted_logits_lose_less_than_constant_occupations():
    # Width 0.09, T_c = 0.5, e_4 = 1.6: constant in each window 13 % of the current, shifted logits
    # 0.2 %.
    machine = demon(0.5, 1.6, width=0.09)
    narrow, broad = machine.operate(), qtd.operate(machine.broadened().conductor, "cold", "demon")
    assert 1e-3 < 1 - float(broad.heat_currents["cold"] / narrow.heat_currents["cold"]) < 3e-3


def test_a_refrigerator_is_a_heat_pump_of_the_fraction_of_carnot_that_its_cop_is():
    point = qtd.operate(demon(0.8, 1.6).conductor(), "cold", "demon")
    found = point.efficiencies(temperature=1.0, chemical_potential=1.0)
    assert float(found.heat_pump) == pytest.approx(float(point.cop / point.carnot_cop), rel=1e-12)
    assert float(found.dissipation) == pytest.approx(
        float(found.chemical + found.thermal + found.nonthermal - found.work), rel=1e-12
    )
    assert float(point.cop) == pytest.approx(0.358640277769, rel=1e-11)
