"""Kolisnyk and Schaller, "Performance boost of a collective qubit absorption refrigerator": its
figures, recomputed with 30 to 60 digits by an independent implementation
(physics/collective_refrigerator.md, whose sections are quoted below)."""

import jax
import jax.numpy as jnp
import pytest
from helpers import printed

import qtd
from qtd.machines import CollectiveRefrigerator
from qtd.spectral import Peaked

FIG_2 = CollectiveRefrigerator(num_spins=31)


def refrigerator(num_spins=31, widths=(0.1, 0.1, 1e-3), temperatures=(0.5, 1.0, 1000.0), **options):
    """Widths and temperatures in the order cold, hot, work; everything else as in Fig. 2."""
    changes = {}
    for name, width, temperature in zip(("cold", "hot", "work"), widths, temperatures):
        changes |= {f"{name}.spectral_density.width": width, f"{name}.temperature": temperature}
    return qtd.replace(CollectiveRefrigerator(num_spins, **options), changes)


def figures(machine):
    """I_c, S_cc, COP, sigma."""
    point = machine.operate()
    noise = point.heat_covariance["cold", "cold"]
    return jnp.stack([point.heat_currents["cold"], noise, point.cop, point.entropy_production])


@jax.jit
def cooling(beta_cold, cold_width, hot_width, work_width):
    return (
        refrigerator(31, (cold_width, hot_width, work_width), (1 / beta_cold, 1.0, 1000.0))
        .operate()
        .heat_currents["cold"]
    )


def cooling_at(beta_cold=2.0, cold_width=0.1, hot_width=0.1, work_width=1e-3):
    return float(cooling(*(jnp.array(x) for x in (beta_cold, cold_width, hot_width, work_width))))


# Section 5, figures and claims


FIGURE_2 = [  # N, I_c and S_cc: full, reduced at T_w = 1000, reduced at T_w = infinity (G4), (G5)
    (11, "0.01354773005 0.05229841466 0.01659228493 0.04350853209 0.01666866784 0.04365995287"),
    (21, "0.04635460524 0.1807504062 0.05705938994 0.1496209278 0.05732111040 0.1501390982"),
    (41, "0.1656853291 0.6535494291 0.2052522117 0.5382363994 0.2061926549 0.5400978744"),
    (51, "0.2522796294 0.9980727392 0.3130478476 0.8209221088 0.3144819912 0.8237607529"),
]


@pytest.mark.parametrize(("spins", "row"), FIGURE_2)
def test_figure_2_current_and_noise_against_size(spins, row):
    machine = refrigerator(spins)
    point, reduced = machine.operate(), machine.reduced()
    found = [
        point.heat_currents["cold"],
        point.heat_covariance["cold", "cold"],
        reduced.current(),
        reduced.noise(),
    ]
    found += [reduced.current_hot_drive(), reduced.noise_hot_drive()]
    assert [float(x) for x in found] == [printed(text) for text in row.split()]


def test_figure_2_current_grows_as_the_square_of_the_size():
    ratios = {
        11: "1.12e-4",
        21: "1.05e-4",
        41: "0.986e-4",
        51: "0.970e-4",
        201: "0.918e-4",
        1001: "0.902e-4",
    }
    for spins, text in ratios.items():
        assert float(refrigerator(spins).operate().heat_currents["cold"]) / spins**2 == printed(
            text
        )


def test_figure_2_the_full_model_is_a_bit_worse_than_the_reduced_one():
    machine = refrigerator(51)
    point, reduced = machine.operate(), machine.reduced()
    # "19 % lower".
    assert float(point.heat_currents["cold"] / reduced.current()) == pytest.approx(0.81, abs=0.005)
    # "21 % higher".
    assert float(point.heat_covariance["cold", "cold"] / reduced.noise()) == pytest.approx(
        1.21, abs=0.01
    )


def test_two_levels_heat():
    assert float(refrigerator(3).operate().heat_currents["cold"]) == printed("-1.708315184e-4")


def test_claim_21_relative_fluctuations_fall_as_one_over_the_size():
    relative = []
    for spins in (21, 41, 201, 1001):
        current, noise, *_ = figures(refrigerator(spins))
        relative.append(spins * float(jnp.sqrt(noise) / current))
    assert max(relative) / min(relative) < 1.1


@pytest.mark.parametrize(("hot_width", "zero"), [(0.1, 2.93e-3), (0.5, 2.78e-3), (1.0, 2.25e-3)])
def test_figure_3a_current_vanishes_at_the_printed_work_width(hot_width, zero):
    assert (
        cooling_at(hot_width=hot_width, work_width=zero - 5e-6)
        > 0
        > cooling_at(hot_width=hot_width, work_width=zero + 5e-6)
    )


def test_figure_3_broad_filters_never_cool():
    widths = jnp.logspace(-7, 0, 40)
    two, tenth, milli, low = (jnp.full(40, x) for x in (2.0, 0.1, 1e-3, 2.0))
    many = jax.vmap(cooling)
    assert jnp.all(many(low, tenth, two, widths) < 0)  # (a), d_h = 2
    assert jnp.all(many(low, jnp.full(40, 0.6), widths, milli) < 0)  # (b), d_c = 0.6


@pytest.mark.parametrize(
    ("cold_width", "row"),
    [
        (0.05, "0.1041 0.0925 0.0585 -0.0453"),
        (0.1, "0.0974 0.0854 0.0513 -0.0528"),
        (0.3, "0.0243 0.0117 -0.0235 -0.131"),
    ],
)
def test_figure_3b_currents(cold_width, row):
    for hot_width, text in zip((0.05, 0.5, 1.0, 2.0), row.split()):
        assert cooling_at(cold_width=cold_width, hot_width=hot_width) == printed(text)


@pytest.mark.parametrize(
    ("work_width", "edge", "at_equal_temperatures"),
    [
        (1e-3, "2.692954", "0.761687"),
        (2e-3, "2.300553", "0.716261"),
        (4e-3, "1.728509", "0.567538"),
        (6e-3, "1.361515", "0.367631"),
        (8e-3, "1.103982", "0.131119"),
    ],
)
def test_figure_4_edge_of_cooling(work_width, edge, at_equal_temperatures):
    beta = float(edge)
    assert (
        cooling_at(beta - 5.1e-7, work_width=work_width)
        > 0
        > cooling_at(beta + 5.1e-7, work_width=work_width)
    )
    assert cooling_at(1.0, work_width=work_width) == printed(at_equal_temperatures)


@pytest.mark.parametrize(
    ("spins", "scaled", "time"),
    [
        (5, None, "2.21647572033"),
        (11, "59.6", "0.492766656659"),
        (21, "63.4", None),
        (31, "65.0", "0.0676030657151"),
        (51, "66.4", None),
        (101, "67.6", None),
    ],
)
def test_figure_7_thermalisation_is_superradiant(spins, scaled, time):
    found = float(CollectiveRefrigerator(num_spins=spins).thermalisation_time())
    assert scaled is None or spins**2 * found == printed(scaled)
    assert time is None or found == printed(time)


@pytest.mark.parametrize(("spins", "text"), [(31, "0.0149977362136"), (101, "0.00145865063729")])
def test_appendix_c_decay_at_zero_temperature(spins, text):
    # Eq. (C3), from 7/2.
    assert float(CollectiveRefrigerator(num_spins=spins).decay_time()) == printed(text)


@pytest.mark.parametrize(
    ("spins", "full", "two_levels"),
    [
        (5, "-0.188916933", "-0.187696685"),
        (11, "-0.829253124", "-0.821172995"),
        (31, "-6.04680861", "-5.98283182"),
        (61, "-22.7667023", "-22.5236021"),
    ],
)
def test_appendix_d_supertransmittance(spins, full, two_levels):
    def bath(temperature):
        return qtd.Reservoir(temperature, spectral_density=Peaked(2.0, 2.0))

    absent = qtd.Reservoir(1.0, spectral_density=Peaked(6.0, 0.1, 0.0))
    machine = CollectiveRefrigerator(spins, cold=bath(0.5), hot=absent, work=bath(1.0))
    assert float(machine.operate().heat_currents["cold"]) == printed(full)
    assert float(machine.transmitted_current()) == printed(two_levels)
    assert float(machine.operate().heat_currents["hot"]) == 0.0


def test_appendix_d_heat_flows_more_easily_one_way():
    def bath(temperature, width):
        return qtd.Reservoir(temperature, spectral_density=Peaked(2.0, width))

    absent = qtd.Reservoir(1.0, spectral_density=Peaked(6.0, 0.1, 0.0))

    def make(cold, work):
        return CollectiveRefrigerator(11, cold=bath(cold, 2.0), hot=absent, work=bath(work, 0.5))

    there, back = (make(*t).operate().heat_currents["cold"] for t in ((0.5, 1.0), (1.0, 0.5)))
    assert float(make(0.5, 1.0).rectification()) == pytest.approx(float(there / back), rel=1e-12)
    symmetric = CollectiveRefrigerator(11, cold=bath(0.5, 2.0), hot=absent, work=bath(1.0, 2.0))
    assert float(symmetric.rectification()) == pytest.approx(-1.0, rel=1e-10)


def test_appendix_a_sectors_of_odd_size_agree_exactly():
    assert jnp.array_equal(figures(refrigerator(11)), figures(refrigerator(11, parity="odd")))


def test_appendix_a_even_size_cools_with_filters_at_its_own_gaps():
    machine = CollectiveRefrigerator(num_spins=6)  # defaults: filters at 1, 4, 3
    found = machine.cumulants("cold", order=4)
    expected = "0.0345084809988 0.09601687308944 -6.532822908746 1325.642564054"
    assert [float(x) for x in found] == [printed(text) for text in expected.split()]


def test_appendix_a_a_mixture_is_the_mean_over_its_sectors():
    machine = refrigerator(11)
    mixed = machine.mixture({5.5: 3.0, 4.5: 1.0})
    parts = [refrigerator(11, spin=j).operate() for j in (5.5, 4.5)]

    def mean(read):
        return 0.75 * float(read(parts[0])) + 0.25 * float(read(parts[1]))

    for read in (
        lambda p: p.heat_currents["cold"],
        lambda p: p.heat_covariance["cold", "work"],
        lambda p: p.entropy_production,
    ):
        assert float(read(mixed)) == pytest.approx(mean(read), rel=1e-13)
    assert float(machine.mixture({5.5: 2.0}).cop) == pytest.approx(
        float(machine.operate().cop), rel=1e-13
    )


# Appendix G, the reduced model


def test_reduced_model_cools_up_to_three_times_the_hot_inverse_temperature():
    def reduced(beta):
        return refrigerator(temperatures=(1 / beta, 1.0, 1000.0)).reduced()

    assert (
        float(reduced(2.9999).current_hot_drive()) > 0 > float(reduced(3.0001).current_hot_drive())
    )
    shift = 2 * 1e-3  # finite T_w: 6 beta_h = 2 beta_c + 4 beta_w
    assert (
        float(reduced(3 - shift - 1e-6).current()) > 0 > float(reduced(3 - shift + 1e-6).current())
    )


# Section 6, numerics


@pytest.mark.parametrize(("spins", "text"), [(31, "1.358035195e-26"), (61, "4.1e-62")])
def test_highest_level_is_populated_as_printed(spins, text):
    assert float(qtd.steady_state(refrigerator(spins).network())[-1]) == printed(text)


# Section 7, derivatives


GRADIENTS = {  # of I_c, S_cc, COP, sigma at the point of Fig. 2, N = 31
    "cold.spectral_density.width": "-0.185396183622 0.675675575981 -0.969693945507 0.377927381963",
    "work.spectral_density.width": "-26.0083320591 58.3379463668 -140.016214956 55.879106509",
    "cold.temperature": "1.0094660353 2.44813935934 0.734381296001 1.59641420242",
    "hot.temperature": "-0.113217977653 0.233970412435 -0.11933298218 -0.470193032703",
    "hot.spectral_density.height": "0.113455949634 0.294004366845 0.114341487492 0.112943793129",
    "work.spectral_density.center": "0.0134043879172 -0.0254520971563 0.0735193154595"
    " -0.0297741705125",
}


@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev], ids=["forward", "reverse"])
def test_gradients_at_the_point_of_figure_2(mode):
    found = qtd.parameters(jax.jit(mode(figures))(FIG_2))
    for (
        path,
        row,
    ) in GRADIENTS.items():  # of the COP to 5e-12, because terms ten times larger cancel in it
        assert [float(x) for x in found[path]] == [printed(text, 5e-12) for text in row.split()], (
            path
        )


# Section 8, reference values


def test_reference_currents_and_figures_of_merit():
    point = FIG_2.operate()
    expected = {"cold": "0.09704813677557", "hot": "-0.3612448999069", "work": "0.2641967631313"}
    for name, text in expected.items():
        assert float(point.heat_currents[name]) == printed(text)
    found = [point.entropy_production, point.cop, point.tur("cold"), point.cop_bound_from_noise]
    expected = "0.1668844295926 0.3673328000894 6.753098269571 0.6625681369802"
    assert [float(x) for x in found] == [printed(text) for text in expected.split()]


def test_reference_cumulants():
    expected = "0.3811199251033 0.2386061575434 2.592486385503"
    assert [float(x) for x in FIG_2.cumulants("cold", order=4)[1:]] == [
        printed(text) for text in expected.split()
    ]


def test_reference_covariance():
    noise = FIG_2.covariance()
    expected = {
        ("cold", "cold"): "0.3811199251033",
        ("cold", "hot"): "-0.9461005272388",
        ("cold", "work"): "0.5649806021355",
        ("hot", "hot"): "2.852472578973",
        ("hot", "work"): "-1.906372051734",
        ("work", "work"): "1.341391449598",
    }
    for pair, text in expected.items():
        assert float(noise[pair]) == printed(text), pair
        assert float(noise[pair[::-1]]) == printed(text)


def test_reference_populations():
    expected = "0.9650935255174 0.01685474207824 0.01678348883013 0.001223353323775"
    found = qtd.steady_state(FIG_2.network())[:4]
    assert [float(x) for x in found] == [printed(text) for text in expected.split()]


def test_reference_cumulants_of_five_spins():
    expected = "0.002297869835716 0.009256176898359 0.006813346950432 0.04586895490772"
    assert [float(x) for x in refrigerator(5).cumulants("cold", order=4)] == [
        printed(text) for text in expected.split()
    ]


def test_reference_values_of_61_spins():
    current, noise, cop, sigma = (float(x) for x in figures(refrigerator(61)))
    expected = "0.3568358501064 1.414701952338 0.6207293329573 0.3646600967713"
    assert [current, noise, sigma, cop] == [printed(text) for text in expected.split()]


def test_reference_values_of_eleven_spins_elsewhere():
    machine = refrigerator(11, (0.2, 0.3, 0.002), (0.6, 1.1, 5.0))
    current, noise, cop, sigma = (float(x) for x in figures(machine))
    third, tur = float(machine.cumulants("cold", order=3)[2]), float(machine.operate().tur("cold"))
    expected = (
        "0.007215504307643 0.06065615723842 -0.02324768215904 0.01460716295475"
        " 0.2548863032918 17.01795561027"
    )
    assert [current, noise, third, sigma, cop, tur] == [printed(text) for text in expected.split()]


@pytest.mark.parametrize(("spins", "text"), [(201, "3.70705446973"), (1001, "90.4072284769")])
def test_reference_currents_of_many_spins(spins, text):
    assert float(refrigerator(spins).operate().heat_currents["cold"]) == printed(text)
