"""Finite reservoirs: the reference values and the claims about the five figures."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.gases import FermiGas
from qtd.machines import FiniteReservoirs


def device(energies, temperatures, potentials, strengths, closure="sommerfeld", size=1.0):
    """gamma_jk = c_j sqrt(omega_k), in time units tau; `size` scales volumes and rates together."""
    energies, strengths = jnp.asarray(energies), jnp.asarray(strengths)
    gases = FermiGas(jnp.asarray(temperatures), jnp.asarray(potentials), size, closure=closure)
    return FiniteReservoirs(energies, size * strengths[:, None] * jnp.sqrt(energies)[None], gases)


FIGURES = {
    1: ([21.1, 21.5], [0.6, 1.0], [20.8, 16.0], [1.0, 1.0]),
    2: ([17.1, 17.5], [0.8, 1.0], [18.8, 18.0], [1.0, 1.0]),
    3: ([17.1, 17.5], [0.6, 1.0], [18.8, 18.0], [1.0, 1.0]),
    4: ([21.5, 21.2], [0.3, 0.2, 0.1, 0.15], [21.0, 19.0, 20.2, 20.9], [10.0, 1.0, 10.0, 0.05]),
    5: (
        [18.5, 18.0, 20.5, 21.0, 17.0, 17.5],
        [1.0, 0.6, 0.8, 0.7, 0.8],
        [20.5, 18.0, 20.0, 17.0, 21.0],
        [1.0, 0.1, 1.0, 0.5, 0.5],
    ),
}


@pytest.mark.parametrize(
    ("figure", "closure", "temperature", "potential"),
    [
        (1, "sommerfeld", 1.5434446373494, 18.403405373859),
        (2, "sommerfeld", 0.92981764758513, 18.400276406534),
        (4, "exact", 0.48247962897514, 20.275085814506),
        (5, "sommerfeld", 1.16001, 19.29989),
    ],
)
def test_equilibrium(figure, closure, temperature, potential):
    rest = device(*FIGURES[figure], closure=closure).equilibrium()
    tolerance = 1e-11 if figure != 5 else 1e-5
    np.testing.assert_allclose(
        [rest.temperature, rest.chemical_potential], [temperature, potential], rtol=tolerance
    )
    assert bool(rest.unique) and int(rest.status) == 0


def test_flows_at_the_start():
    second, first = device(*FIGURES[2]).operate(), device(*FIGURES[1]).operate()
    np.testing.assert_allclose(
        [second.particles[0], second.energy[0]], [0.82262076429953, 14.245043907284], rtol=1e-12
    )
    np.testing.assert_allclose(second.heat, [-1.2202264615472, 0.56212985010756], rtol=1e-11)
    np.testing.assert_allclose(second.occupations, [0.80212945433968, 0.72897143415265], rtol=1e-12)
    assert float(second.entropy_production) == pytest.approx(0.96315322682642, rel=1e-12)
    np.testing.assert_allclose(
        first.temperature_rates, [-0.066139475066943, 0.54765772037693], rtol=1e-12
    )
    np.testing.assert_allclose(
        first.potential_rates, [-0.30268166401689, 0.29273678145826], rtol=1e-12
    )
    t, mu = np.array(FIGURES[1][1]), np.array(FIGURES[1][2])
    by_ratio = first.potential_rates / t - mu * first.temperature_rates / t**2
    np.testing.assert_allclose(by_ratio, [3.3169224527286, -8.4697867445725], rtol=1e-12)
    # The cold one loses heat, the hot one gains it.
    np.testing.assert_allclose(first.heat, [0.6347194, -7.3272699], rtol=1e-7)


def test_states_on_the_way():
    found = device(*FIGURES[1]).evolve(jnp.array([200.0, 2.0, 20.0, 2000.0]))
    temperatures = [
        [0.58422757703746, 1.8262198668722],
        [0.46748730891685, 1.5143184208582],
        [0.38304816246419, 1.7018976683013],
        [1.2329505970204, 1.7690736612095],
    ]
    potentials = [
        [19.880601112647, 16.908944826786],
        [20.421971038303, 16.368091762626],
        [20.21135424186, 16.575880293129],
        [18.917295535781, 17.886341129973],
    ]
    np.testing.assert_allclose(found.temperatures, temperatures, rtol=1e-9)
    np.testing.assert_allclose(found.chemical_potentials, potentials, rtol=1e-9)
    assert np.all(found.drift < 1e-9) and int(found.status) == 0


MINIMUM = {
    "energies": ([-0.095065344948901, 0.053676774049569], [9.4164356027142, -4.7630350276221]),
    "rates": (
        [[4.6563303399556e-05, -4.6128122788174e-05]] * 2,
        [[-0.47284592429805, -0.46311183]] * 2,
    ),
    "gases.temperature": (
        [0.72069194509892, 0.077657586193089],
        [10.499169954828, -1.9643165304433],
    ),
    "gases.chemical_potential": (
        [0.011516204400051, 0.029453607357923],
        [-3.4746077178068, -0.96167397146516],
    ),
    "gases.volume": ([0.090125271405596, -0.090125271405634], [4.5977904770054, 4.0409425176776]),
    "gases.alpha": ([0.27907746374191, -0.26204359378476], [13.977787876178, 11.84111814305]),
}
LOWEST = eqx.filter_jit(
    lambda m: (lambda x: jnp.stack([x.temperature, x.time]))(m.minimum_temperature(0))
)
SLOPES = eqx.filter_jit(
    lambda m: eqx.filter_jacrev(
        lambda m: (lambda x: jnp.stack([x.temperature, x.time]))(m.minimum_temperature(0))
    )(m)
)


def test_the_first_minimum_and_its_gradient_by_reverse_mode():
    machine = device(*FIGURES[1])
    np.testing.assert_allclose(LOWEST(machine), [0.36903938614426, 8.6387329947019], rtol=1e-10)
    slopes = qtd.parameters(SLOPES(machine))
    for path, (of_temperature, of_time) in MINIMUM.items():
        np.testing.assert_allclose(slopes[path][0], of_temperature, rtol=1e-7)
        np.testing.assert_allclose(slopes[path][1], of_time, rtol=1e-6)
    # Scaling laws: a common factor of all rates, or of all volumes, only stretches time.
    rates = (slopes["rates"] * machine.rates[None]).sum((1, 2))
    volumes = (slopes["gases.volume"] * machine.gases.volume[None]).sum(1)
    np.testing.assert_allclose(rates, [0, -8.6387329947], atol=1e-8, rtol=1e-9)
    np.testing.assert_allclose(volumes, [0, 8.6387329947], atol=1e-8, rtol=1e-9)


def test_the_exact_closure_has_a_slightly_other_minimum():
    found = device(*FIGURES[1], closure="exact").minimum_temperature(0)
    assert float(found.temperature / 0.6) == pytest.approx(0.61625, abs=1e-5) and float(
        found.time
    ) == pytest.approx(8.594, abs=1e-3)


def test_relaxation_rates():
    np.testing.assert_allclose(
        device(*FIGURES[2]).relaxation_rates()[2:],
        [0.0035264950518562, 0.55134010574497],
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        device(*FIGURES[1]).relaxation_rates(), [0, 0, 4.285e-4, 0.3083], rtol=2e-4, atol=1e-12
    )


def test_a_single_mode_leaves_the_reservoirs_unequal_and_cool():
    machine = device([17.3], *FIGURES[2][1:])
    end = machine.evolve(jnp.array([1e3]))
    np.testing.assert_allclose(end.temperatures[0], [0.96497094066483, 0.89247976660319], rtol=1e-9)
    np.testing.assert_allclose(
        end.chemical_potentials[0], [18.443227973287, 18.357345658586], rtol=1e-9
    )
    assert int(machine.equilibrium().conserved) == 3 and not machine.equilibrium().unique
    cooled = device([21.5], *FIGURES[1][1:]).minimum_temperature(0)
    assert (
        float(cooled.temperature) == pytest.approx(0.35200, abs=1e-5)
        and np.isinf(cooled.time)
        and not cooled.interior
    )


@pytest.mark.parametrize(
    ("occupations", "time", "temperature"),
    [(0.0, 8.6407973211315, 0.36899977128781), (1.0, 8.62905, 0.369771)],
)
def test_modes_of_their_own_make_a_stiff_problem(occupations, time, temperature):
    found = FULL(device(*FIGURES[1], size=100.0), jnp.full(2, occupations))
    tolerance = 1e-8 if occupations == 0 else 1e-5
    np.testing.assert_allclose([found.time, found.temperature], [time, temperature], rtol=tolerance)


FULL = eqx.filter_jit(
    lambda machine, occupations: machine.minimum_temperature(0, full=True, occupations=occupations)
)


def test_figure_1_is_in_the_mixed_regime_later_and_overshoots():
    machine = device(*FIGURES[1])
    assert float(machine.crossover()[0, 1]) == pytest.approx(28.0, rel=1e-12)
    found = machine.evolve(jnp.array([4.1, 4.3, 5e3, 568.0, 3e4]))
    t, mu = np.asarray(found.temperatures), np.asarray(found.chemical_potentials)
    equal = (t[:, 0] * mu[:, 1] - t[:, 1] * mu[:, 0]) / (t[:, 0] - t[:, 1])
    assert (
        not 21.1 < equal[0] < 21.5
        and 21.1 < equal[1] < 21.5
        and equal[2] == pytest.approx(21.289, abs=2e-3)
    )
    assert t[3, 1] == pytest.approx(1.8710, abs=1e-4) and np.allclose(t[4], 1.5434446, rtol=1e-5)


def test_figure_2_swaps_the_temperatures_and_figure_3_the_potentials():
    second = CROSS["temperature"](device(*FIGURES[2]))
    assert (
        float(second.times[0]) == pytest.approx(2.40954, abs=1e-5)
        and np.isnan(second.times[1:]).all()
    )
    assert np.isnan(CROSS["chemical_potential"](device(*FIGURES[2])).times).all()
    third = CROSS["chemical_potential"](device(*FIGURES[3]))
    assert float(third.times[0]) == pytest.approx(4.77822, abs=1e-5) and float(
        third.values[0]
    ) == pytest.approx(18.40048, abs=1e-5)
    assert np.isnan(CROSS["temperature"](device(*FIGURES[3])).times).all()


CROSS = {
    of: eqx.filter_jit(lambda m, of=of: m.crossing_times(of=of, most=2))
    for of in ("temperature", "chemical_potential")
}


def test_in_figure_2_omega_tilde_is_negative_for_a_while_and_enters_between_the_modes():
    found = device(*FIGURES[2]).evolve(jnp.array([2.40, 2.42, 2.74, 2.76, 7.6, 7.7]))
    t, mu = np.asarray(found.temperatures), np.asarray(found.chemical_potentials)
    equal = (t[:, 0] * mu[:, 1] - t[:, 1] * mu[:, 0]) / (t[:, 0] - t[:, 1])
    assert (
        equal[0] > 18.8
        and np.all(equal[1:3] < 0)
        and 0 < equal[3] < equal[4] < 17.1 < equal[5] < 17.5
    )


# one number of Fig. 2: where it stands, its threshold, and whether temperatures change order above
# it
SWAPS = {
    "T_1": (1, [0], "0.675598", True),
    "T_2": (1, [1], "1.092175", False),
    "mu_1": (2, [0], "18.578535", True),
    "mu_2": (2, [1], "18.338037", False),
    "omega_1": (0, [0, 1], "17.512535", False),
}


@pytest.mark.parametrize("name", SWAPS)
def test_which_order_swaps_turns_over_where_the_page_says(name):
    place, indices, text, above = SWAPS[name]
    threshold = float(text)
    for shift in (-2e-3, 2e-3):
        parts = [list(part) for part in FIGURES[2]]
        for index, value in zip(
            indices, (threshold + shift, threshold + shift + 0.4)
        ):  # the modes stay 0.4 apart
            parts[place][index] = value
        temperatures_cross = bool(np.isfinite(CROSS["temperature"](device(*parts)).times[0]))
        potentials_cross = bool(np.isfinite(CROSS["chemical_potential"](device(*parts)).times[0]))
        assert temperatures_cross == ((shift > 0) == above) and potentials_cross == (
            not temperatures_cross
        )


@pytest.mark.parametrize("figure", [1, 2, 3, 4])
def test_entropy_grows_and_nothing_is_lost(figure):
    found = device(*FIGURES[figure]).evolve(jnp.geomspace(1e-3, 3e3, 30))
    assert (
        np.all(np.diff(found.entropy) > 0)
        and np.all(found.entropy_production >= 0)
        and np.all(found.drift < 1e-9)
    )


def test_figure_4_cools_the_hottest_and_the_fourth_but_not_the_coldest():
    machine = device(*FIGURES[4])
    assert float(machine.operate().temperature_rates[2]) > 0
    rest = machine.equilibrium()
    assert float(rest.temperature) == pytest.approx(0.48237, abs=1e-5)
    for reservoir, lowest in ((3, 0.12871), (0, 0.17313)):
        assert float(machine.minimum_temperature(reservoir).temperature) == pytest.approx(
            lowest, abs=1e-5
        )


def test_figure_5_entropy_grows_and_totals_stay():
    # Up to where it rests: after that its entropy is constant but for rounding.
    found = device(*FIGURES[5]).evolve(jnp.geomspace(1e-3, 300.0, 30))
    assert (
        np.all(np.diff(found.entropy) > 0)
        and np.all(found.entropy_production >= 0)
        and np.all(found.drift < 1e-9)
    )
    assert np.all(np.asarray(device(*FIGURES[5]).evolve(jnp.array([1e4])).temperatures[0]) > 1.0)


def test_the_clausius_example_of_the_paper():
    heat, temperatures = np.array([1.0, -5.0, 20.0, -16.0]), np.array([10.0, 20.0, 60.0, 70.0])
    assert heat.sum() == 0 and (heat / temperatures).sum() == pytest.approx(-0.0452381, rel=1e-6)
