"""Two-qubit refrigerator of Bhandari and Jordan: reference numbers, and the figures of the
paper."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

import qtd
from qtd.machines import QubitRefrigerator
from qtd.spectral import Resonator

# Model; energy_1, energy_2, shift, exchange, coupling; of hot, sink and cold: temperature, and
# center, width, cutoff of the filter.
POINTS = {
    "P1": (
        "zz",
        (2.0, 2.0, 0.1, 0.0, 1.0),
        (1.2, 2.0, 0.02, 20.0),
        (1.0, 2.1, 0.08, 20.0),
        (0.8, 2.1, 0.06, 20.0),
        {
            "population 0": 0.783330821905701,
            "population 1": 0.14176770714575446,
            "population 2": 0.06518822894853961,
            "population 3": 0.009713242000004845,
            "heat hot": 0.395875286122638,
            "heat sink": -0.3963513397961427,
            "heat cold": 0.00047605367350467417,
            "sigma": 0.06586020093539682,
            "noise cold cold": 0.0008251696507215148,
            "noise hot hot": 4.797125430356328,
            "noise hot cold": 0.0069616749115558275,
            "cop": 0.0012025344602016852,
            "tur": 239.80291407590133,
            "slope energy_1": 0.003263904213652712,
            "slope energy_2": -0.0002480075945114711,
            "slope shift": 0.007027890869714392,
            "slope coupling": 0.00047605367350467417,
            "slope hot.spectral_density.width": -0.01733919127020871,
            "slope sink.spectral_density.width": -0.004754627758904628,
            "slope cold.spectral_density.width": -0.004094726326442722,
            "slope hot.spectral_density.center": -0.004535044374450738,
            "slope sink.spectral_density.center": 0.0008765950100133798,
            "slope cold.spectral_density.center": -0.0004437998624797814,
            "slope hot.temperature": 0.0025582858818073073,
            "slope sink.temperature": -0.0033391028641916675,
            "slope cold.temperature": 0.002119745524812374,
        },
    ),
    "P2": (
        "zz",
        (1.2, 0.8, 0.5, 0.0, 1.0),
        (2.0, 1.2, 0.05, 20.0),
        (1.0, 1.7, 0.1, 20.0),
        (0.8, 1.3, 0.2, 20.0),
        {
            "population 0": 0.4830903728679089,
            "population 1": 0.26229555257534626,
            "population 2": 0.20895512245516626,
            "population 3": 0.04565895210157862,
            "heat hot": 0.16827610206462673,
            "heat sink": -0.18262001851837423,
            "heat cold": 0.014343916453747498,
            "sigma": 0.08055207191887649,
            "noise cold cold": 0.03870641157818149,
            "cop": 0.08524036555255297,
            "tur": 15.153890050146604,
            "slope cold.spectral_density.width": -0.0015779399331223183,
            "slope energy_1": 0.016805531936139043,
            "slope hot.temperature": 0.00884756653864162,
        },
    ),
    "P3": (
        "zz",
        (-0.5, 2.1, 0.1, 0.0, 1.0),
        (1.3, -0.5, 0.02, 10.0),
        (1.0, -0.4, 0.08, 10.0),
        (0.7, 2.2, 0.06, 10.0),
        {
            "population 0": 0.3659208085079888,
            "population 1": 0.5903902414091322,
            "heat hot": 0.0005714421505454945,
            "heat cold": -1.4540373187184905e-05,
            "noise cold cold": 6.047174916689926e-05,
        },
    ),
    "P4": (
        "global",
        (2.0, 2.1, 0.2, 0.002, 1.0),
        (1.1, 2.0, 0.02, 10.0),
        (1.0, 2.2, 0.08, 10.0),
        (0.9, 2.3, 0.06, 10.0),
        {
            "population 0": 0.7871214418030109,
            "population 1": 0.0776948022402057,
            "population 2": 0.12583464589010424,
            "population 3": 0.009349110066679168,
            "heat hot": 0.11876683586927173,
            "heat sink": -0.1191436611542659,
            "heat cold": 0.00037682528499417004,
            "sigma": 0.010755115602914238,
            "noise cold cold": 0.006284330586459748,
            "slope exchange": -0.2880976719682975,
        },
    ),
    "P5": (
        "global",
        (2.0, 2.0, 0.1, 0.01, 1.0),
        (1.1, 2.0, 0.02, 10.0),
        (1.0, 2.1, 0.08, 10.0),
        (0.9, 2.1, 0.06, 10.0),
        {
            "population 1": 0.11285089805821172,
            "population 2": 0.11605337533514698,
            "heat hot": 0.5124414247053053,
            "heat cold": -0.39836927727628924,
        },
    ),
    "P6": (
        "local",
        (2.0, 2.1, 0.2, 0.02, 1.0),
        (1.1, 2.0, 0.02, 10.0),
        (1.0, 2.2, 0.08, 10.0),
        (0.9, 2.3, 0.06, 10.0),
        {
            "population 0": 0.7871525107840297,
            "population 1": 0.12583482722743694,
            "population 2": 0.07766531247017903,
            "population 3": 0.009347349518354317,
            "coherence real": -2.869660079899139e-07,
            "coherence imaginary": 5.2578705973526665e-05,
            "heat hot": 0.1186782848625847,
            "heat sink": -0.11933968907804664,
            "heat cold": 0.0006611939006380466,
            "device hot": 0.11867845709140327,
            "device sink": -0.11933966882520096,
            "device cold": 0.0006612117337976858,
            "sum of heat": -2.1031482389410665e-07,
            "sigma": 0.010715679313371812,
            "device sigma": 0.01071548267425106,
            "noise cold cold": 0.0024541344607636835,
            "slope exchange": -0.0004483172384240227,
        },
    ),
    "P7": (
        "local",
        (2.0, 2.1, 0.2, 0.02, 0.001),
        (1.1, 2.0, 0.02, 10.0),
        (1.0, 2.2, 0.08, 10.0),
        (0.9, 2.3, 0.06, 10.0),
        {
            "coherence real": -0.006061826421208044,
            "coherence imaginary": 0.0011106646090099125,
            "heat hot": 0.00018862486798580482,
            "heat sink": -9.90297825491114e-05,
            "heat cold": -9.403774387273307e-05,
            "device cold": -9.366103891373244e-05,
            "sum of heat": -4.44265843603965e-06,
            "sigma": 3.2039011915557905e-05,
            "noise cold cold": 0.0008527245754570423,
        },
    ),
    "P8": (
        "local",
        (2.0, 2.1, 0.1, 0.05, 0.001),
        (1.0, 2.0, 0.02, 10.0),
        (1.0, 2.1, 0.08, 10.0),
        (1.0, 2.2, 0.06, 10.0),
        {
            "heat hot": 5.6123793915159963e-05,
            "heat sink": 1.4525536054057745e-05,
            "heat cold": -7.416285797950793e-05,
            "device hot": 5.8588157057011726e-05,
            "device sink": 1.5030660929724937e-05,
            "device cold": -7.361881798673667e-05,
            "sum of heat": -3.5135280102902177e-06,
            "sigma": 3.5135280102902177e-06,
            "device sigma": 0.0,
        },
    ),
    "P9": (
        "local",
        (2.0, 2.1, 0.1, 0.05, 0.001),
        (1.0, 2.0, 0.02, 10.0),
        (1.0, 2.1, 0.08, 10.0),
        (1.0005, 2.2, 0.06, 10.0),
        {
            "heat hot": 5.55648376630991e-05,
            "heat sink": 1.437814272135535e-05,
            "heat cold": -7.34213911795187e-05,
            "device hot": 5.800445457825552e-05,
            "device sink": 1.4878195319130365e-05,
            "device cold": -7.288264989738589e-05,
            "sigma": 3.44171844564919e-06,
            "device sigma": -3.642311339199694e-08,
        },
    ),
    "P10 redfield partial": (
        "redfield-partial",
        (2.0, 2.1, 0.2, 0.02, 0.01),
        (1.1, 2.0, 0.02, 10.0),
        (1.0, 2.2, 0.08, 10.0),
        (0.9, 2.3, 0.06, 10.0),
        {
            "heat hot": 0.001136900834819782,
            "heat sink": -0.0010792921700256703,
            "heat cold": -5.760866479411173e-05,
            "sigma": 0.00010975558410215421,
        },
    ),
    "P10 redfield full": (
        "redfield",
        (2.0, 2.1, 0.2, 0.02, 0.01),
        (1.1, 2.0, 0.02, 10.0),
        (1.0, 2.2, 0.08, 10.0),
        (0.9, 2.3, 0.06, 10.0),
        {
            "heat hot": 0.0011360863720101303,
            "heat sink": -0.001079160422220377,
            "heat cold": -5.6925949789753426e-05,
            "sigma": 0.00010960568480584305,
        },
    ),
    "P10 local": (
        "local",
        (2.0, 2.1, 0.2, 0.02, 0.01),
        (1.1, 2.0, 0.02, 10.0),
        (1.0, 2.2, 0.08, 10.0),
        (0.9, 2.3, 0.06, 10.0),
        {
            "heat cold": -0.00029971137585096453,
        },
    ),
    "P10 global": (
        "global",
        (2.0, 2.1, 0.2, 0.02, 0.01),
        (1.1, 2.0, 0.02, 10.0),
        (1.0, 2.2, 0.08, 10.0),
        (0.9, 2.3, 0.06, 10.0),
        {
            "heat cold": -0.00022277162560240376,
        },
    ),
}


def refrigerator(model, device, *reservoirs):
    made = [
        qtd.Reservoir(t, spectral_density=Resonator(center, width, 1.0, cutoff))
        for t, center, width, cutoff in reservoirs
    ]
    return QubitRefrigerator(model, *device, *made)


@jax.jit
def cooling(machine):
    return machine.operate().heat_currents["cold"]


slopes = jax.jit(jax.grad(cooling))


def look_up(machine, name):
    """One of the numbers of the table."""
    kind, *rest = name.split()
    if kind == "slope":
        return qtd.parameters(slopes(machine))[rest[0]]
    if kind == "population":
        state = qtd.steady_state(machine.system())
        return (state if state.ndim == 1 else jnp.diag(state).real)[int(rest[0])]
    if kind == "coherence":
        return getattr(
            machine.density_matrix()[1, 2], {"real": "real", "imaginary": "imag"}[rest[0]]
        )
    point = machine.operate()
    figures = {
        "heat": lambda: point.heat_currents[rest[0]],
        "noise": lambda: point.heat_covariance[rest[0], rest[1]],
        "sigma": lambda: point.entropy_production,
        "cop": lambda: point.cop,
        "tur": lambda: point.tur("cold"),
        "sum": lambda: sum(point.heat_currents.values()),
        "device": lambda: (
            point.device_entropy_production
            if rest == ["sigma"]
            else point.device_energy_currents[rest[0]]
        ),
    }
    return figures[kind]()


@pytest.mark.parametrize(
    ("point", "name"), [(point, name) for point, entry in POINTS.items() for name in entry[-1]]
)
def test_reference_numbers(point, name):
    *arguments, values = POINTS[point]
    machine, wanted = refrigerator(*arguments), values[name]
    # The master equations solve for the state; what is a small difference of currents keeps what
    # the currents leave.
    largest = max(abs(float(current)) for current in machine.operate().heat_currents.values())
    limit = (
        1e-13 * abs(wanted)
        if machine.model in ("zz", "global")
        else 2e-12 * abs(wanted) + 1e-13 * largest
    )
    np.testing.assert_allclose(look_up(machine, name), wanted, rtol=0, atol=limit)


def figure_3(shift, bias, energy_1=2.0, energy_2=2.0, model="zz", exchange=0.0, coupling=1.0):
    """The machine of the paper's figures: filters on the levels, T +- dT at hot and cold."""
    filters = {"hot": (1 + bias, 0.02), "sink": (1.0, 0.08), "cold": (1 - bias, 0.06)}
    made = {
        name: qtd.Reservoir(t, spectral_density=Resonator(2.0, width, 1.0, 30.0))
        for name, (t, width) in filters.items()
    }
    return QubitRefrigerator(model, energy_1, energy_2, shift, exchange, coupling, **made).tied()


@pytest.mark.parametrize(
    ("shift", "at", "largest", "reverses"),
    [
        (0.05, 0.2145, 1.15226e-4, 0.663),
        (0.1, 0.2282, 4.82135e-4, 0.747),
        (0.2, 0.2255, 1.05000e-3, 0.735),
        (0.3, 0.2159, 1.24289e-3, 0.682),
        (0.5, 0.1931, 1.09068e-3, 0.565),
    ],
)
def test_figure_3_maximum_and_reversal(shift, at, largest, reverses):
    def current(bias):
        return float(cooling(figure_3(shift, bias)))

    best = minimize_scalar(
        lambda bias: -current(bias), bounds=(0.05, 0.5), method="bounded", options={"xatol": 1e-6}
    )
    assert best.x == pytest.approx(at, abs=5e-5) and -best.fun == pytest.approx(largest, rel=5e-6)
    assert brentq(current, 0.5, 0.9) == pytest.approx(reverses, abs=5e-4)


def test_figure_4_cools_only_above_a_positive_energy():
    def current(energy):
        return float(cooling(figure_3(0.1, 0.3, energy_1=energy, energy_2=2.1)))

    assert brentq(current, 0.1, 0.3) == pytest.approx(0.191616, abs=5e-7)
    assert current(1.04978) == pytest.approx(6.10277e-4, rel=1e-6)
    assert current(0.1) == pytest.approx(-1.3991e-4, rel=5e-5) and current(-1.0) == pytest.approx(
        -2.8061e-6, rel=5e-5
    )


@pytest.mark.parametrize(
    ("bias", "exchange", "starts", "ends"),
    [
        (0.1, 0.002, 0.112027, 1.208618),
        (0.3, 0.002, 0.207517, 0.617046),
        (0.1, 0.003, 0.195728, None),
    ],
)
def test_figure_5_global_cools_between_two_shifts(bias, exchange, starts, ends):
    def current(shift):
        return float(
            cooling(figure_3(shift, bias, energy_2=2.1, model="global", exchange=exchange))
        )

    assert brentq(current, 0.05, 0.3) == pytest.approx(starts, abs=1e-6)
    if ends is not None:
        assert brentq(current, 0.5, 1.5) == pytest.approx(ends, abs=1e-6)


@pytest.mark.parametrize(
    ("exchange", "wanted"),
    [(0.0, 8.18363e-4), (0.002, 8.18314e-4), (0.02, 8.13447e-4), (0.05, 7.87643e-4)],
)
def test_figure_5_local_hardly_minds_an_exchange(exchange, wanted):
    machine = figure_3(0.3, 0.1, energy_2=2.1, model="local", exchange=exchange)
    assert float(cooling(machine)) == pytest.approx(wanted, rel=1e-5)


def test_crossover_from_local_to_global_with_redfield_between():
    machine = figure_3(0.1, 0.1, energy_2=2.1, model="local", exchange=0.002)
    found = machine.crossover([1.0, 1e-1, 1e-2, 1e-3, 1e-4])
    # Five or six printed digits.
    np.testing.assert_allclose(
        found["local"], [3.00070e-4, 2.96334e-4, -9.58e-6, -1.33629e-3, -1.40953e-3], rtol=6e-4
    )
    np.testing.assert_allclose(found["global"], -6.36885e-5 * np.ones(5), rtol=1e-5)
    np.testing.assert_allclose(
        found["redfield-partial"],
        [3.01825e-4, 3.01028e-4, 2.35704e-4, -4.78567e-5, -6.35230e-5],
        rtol=1e-5,
    )


def test_the_local_equation_cools_without_interaction_and_breaks_the_second_law_of_the_device():
    made = [
        qtd.Reservoir(t, spectral_density=Resonator(c, g))
        for t, c, g in ((1, 2.4, 0.1), (1, 2.4, 0.2), (0.95, 2.0, 0.15))
    ]
    point = {
        model: QubitRefrigerator(model, 2.4, 2.0, 0.0, 0.2, 0.05, *made).operate()
        for model in ("local", "global", "redfield-partial")
    }
    assert float(point["local"].heat_currents["cold"]) == pytest.approx(2.8484762e-3, rel=1e-7)
    assert float(point["local"].device_energy_currents["cold"]) == pytest.approx(
        3.0548365e-3, rel=1e-7
    )
    assert float(point["local"].device_entropy_production) == pytest.approx(-1.608e-4, rel=5e-4)
    assert float(point["local"].entropy_production) == pytest.approx(4.198e-4, rel=5e-4)
    assert float(point["global"].heat_currents["cold"]) == pytest.approx(-5.0201302e-4, rel=1e-7)
    assert float(point["redfield-partial"].heat_currents["cold"]) == pytest.approx(
        -4.178e-4, rel=5e-4
    )


def test_narrow_filters_reach_seven_percent_of_carnot():
    machine = figure_3(0.1, 0.2)
    narrow = qtd.replace(
        machine, {"hot.spectral_density.width": 1e-4, "sink.spectral_density.width": 1e-4}
    )
    point = machine.operate()
    assert float(point.cop / point.carnot_cop) == pytest.approx(0.0018, rel=0.01) and float(
        point.tur("cold")
    ) == pytest.approx(240, rel=1e-3)
    assert float(cooling(narrow)) == pytest.approx(2.02e-3, rel=3e-3)
    assert float(narrow.operate().cop) < float(narrow.tight_coupling_cop) == pytest.approx(0.05)


def test_equation_11_is_the_limit_of_one_common_filter():
    sink = figure_3(0.1, 0.0).sink

    def at(bias, shift):
        return QubitRefrigerator(
            "zz",
            2.0,
            2.0,
            shift,
            0.0,
            1.0,
            qtd.replace(sink, {"temperature": 1 + bias}),
            sink,
            qtd.replace(sink, {"temperature": 1 - bias}),
        )

    machine = at(1e-7, 1e-5)
    # Next order in the shift.
    assert float(machine.small_shift(1e-7)) == pytest.approx(float(cooling(machine)), rel=2e-5)
    assert float(machine.small_shift(1e-7)) < 0
