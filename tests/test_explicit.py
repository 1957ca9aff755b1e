"""Explicit filters against published numbers, dense linear algebra, QuTiP, laws and limits, and
what they refuse."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from explicit_filters import at_rest, operators, secular, three_levels
from helpers import as_float32, central_difference, examples, stack
from hypothesis import given
from hypothesis import strategies as st

import qtd
from qtd.counting import covariance, cumulants
from qtd.explicit import ExplicitFilters, ExplicitState
from qtd.spectral import Lorentzian, Ohmic, Peaked, Resonator
from qtd.steady import solve

PARTS = "cold", "work", "hot"
SMALL = {"cold": 2, "hot": 1}
CYCLE = [("cold", 0, 1, 1.0), ("work", 1, 2, 1.0), ("hot", 0, 2, 1.0)]


def reservoir(center, width, height, temperature):
    return qtd.Reservoir(temperature, spectral_density=Peaked(center, width, height))


def two_levels(first=(1.0, 0.05, 0.05, 1.0), second=(1.0, 0.05, 0.05, 0.5)):
    baths = {"1": reservoir(*first), "2": reservoir(*second)}
    return qtd.RateNetwork([0.0, 1.0], [("1", 0, 1, 1.0), ("2", 0, 1, 1.0)], baths)


def fridge(cold=(2.0, 0.05, 0.05, 0.5), work=(4.0, 0.05, 0.05, 2.5), hot=(6.0, 0.05, 0.05, 1.0)):
    baths = {name: reservoir(*x) for name, x in zip(PARTS, (cold, work, hot))}
    return qtd.RateNetwork([0.0, 2.0, 6.0], CYCLE, baths)


def network_of(energies, jumps, filters):
    """What `three_levels` draws, for the library."""
    strengths = [(name, a, b, element**2) for name, (a, b, element) in jumps.items()]
    baths = {name: reservoir(*filters[name]) for name in jumps}
    return qtd.RateNetwork(energies, strengths, baths)


@eqx.filter_jit
def rest(system):
    """Heat and quanta of each reservoir, the noise of quanta, populations, the smallest eigenvalue,
    and the status."""
    state = qtd.systems.base.at_rest(system)
    heat = {name: state.device_current(name) for name in state.reservoirs}
    quanta = {name: state.current(name, "particles") for name in state.reservoirs}
    noise = covariance(state, "particles").matrix
    return heat, quanta, noise, state.populations, state.smallest_eigenvalue, state.status


UNEQUAL = ((2.0, 0.05, 0.02, 0.5), (4.0, 0.1, 0.03, 2.5), (6.1, 0.08, 0.04, 1.0))
RECORDS = {
    # device, levels, treatment: quanta, heat, covariance of the first two reservoirs, populations
    "two levels, local": (
        two_levels(),
        {"1": 5, "2": 4},
        "local",
        (0.003716452625080086, -0.003716452625080072),
        (0.0037164526250800787, -0.0037164526250800705),
        (0.0076854395890310345, -0.007685439589030785),
        (0.7884803434105657, 0.21151965658943436),
    ),
    "two levels": (
        two_levels(),
        {"1": 5, "2": 4},
        "redfield",
        (0.0037095056260364584, -0.00370950562603645),
        (0.0037074653814259573, -0.003707465381425942),
        (0.007688297043311976, -0.0076882970433120364),
        (0.7881101997971948, 0.21188980020280546),
    ),
    "three levels": (
        fridge(),
        {"cold": 2, "work": 6, "hot": 1},
        "redfield",
        (1.909066366702138e-05, 1.9090663667023385e-05, -1.9090663667022158e-05),
        (3.802493950281211e-05, 7.651121157244015e-05, -0.00011453615107520283),
        (9.649922746325082e-05, 9.649922746325277e-05),
        (0.9794883203749558, 0.017477962140991364, 0.00303371748405307),
    ),
    "three levels, work implicit, local": (
        fridge(*UNEQUAL),
        {"cold": 3, "hot": 2},
        "local",
        (1.3211212231020152e-05, 1.3211212231020524e-05, -1.3211212231020584e-05),
        (2.642311961853427e-05, 5.309605022269743e-05, -7.951916984123245e-05),
        (5.391342686200456e-05, 5.3913426862007476e-05),
        (0.9797819280339268, 0.01711427763574637, 0.0031037943303267594),
    ),
}
DEEP = {
    "two levels, local, many quanta": (
        two_levels(),
        {"1": 20, "2": 12},
        "local",
        (0.003737633990745884, -0.0037376339907458766),
        (0.0037376339907458905, -0.0037376339907458714),
        (0.007745026268266175, -0.007745026268266376),
        (0.7876051912061245, 0.21239480879387673),
    ),
    "two levels, detuned, local": (
        two_levels(second=(1.1, 0.05, 0.05, 0.5)),
        {"1": 12, "2": 7},
        "local",
        (0.0018865995851891013, -0.0018865995851890895),
        (0.001926894246940167, -0.0019268942469401749),
        (0.003437305566782345, -0.0034373055667845194),
        (0.76335227402329, 0.2366477259767097),
    ),
    "two levels, detuned": (
        two_levels(second=(1.1, 0.05, 0.05, 0.5)),
        {"1": 12, "2": 7},
        "redfield",
        (0.001723981342729601, -0.001723981342729588),
        (0.0017587839087170373, -0.0017587839087170247),
        (0.003610176375886398, -0.0036101763758863595),
        (0.7604484256711583, 0.23955157432884203),
    ),
    "three levels, local": (
        fridge(),
        {"cold": 2, "work": 6, "hot": 1},
        "local",
        (1.9032235724399947e-05, 1.9032235724410464e-05, -1.9032235724399795e-05),
        (3.806447144880022e-05, 7.612894289762723e-05, -0.00011419341434639867),
        (9.639286766626549e-05, 9.639286766626866e-05),
        (0.9795426269033576, 0.01742842143235613, 0.0030289516642863644),
    ),
    "three unequal": (
        fridge(*UNEQUAL),
        {"cold": 2, "work": 6, "hot": 1},
        "redfield",
        (1.0856931725467173e-05, 1.085693172546498e-05, -1.0856931725466398e-05),
        (2.16541464727035e-05, 4.360263227267445e-05, -6.525677874538247e-05),
        (5.435507691307776e-05, 5.435507691307923e-05),
        (0.9795362941289101, 0.017327484675379656, 0.0031362211957103696),
    ),
}


def is_record(record):
    device, levels, treatment, quanta, heat, noise, populations = record
    found = rest(device.with_explicit_filters(levels, treatment=treatment))
    names = list(device.reservoirs)
    np.testing.assert_allclose([found[1][name] for name in names], quanta, rtol=1e-10)
    np.testing.assert_allclose([found[0][name] for name in names], heat, rtol=1e-10)
    np.testing.assert_allclose(found[2][0, :2], noise, rtol=1e-10)
    np.testing.assert_allclose(found[3], populations, rtol=1e-11)
    # What a mode gives and takes, a quantum in the time of its width, is known to one rounding.
    filters = [each.spectral_density for each in device.reservoirs.values()]
    to_and_fro = sum(float(filter.width * filter.center) for filter in filters)
    rounding = np.finfo(float).eps * to_and_fro
    assert abs(sum(found[0].values())) < max(1e-12 * max(map(abs, heat)), rounding)


@pytest.mark.parametrize("name", ["two levels", "three levels, work implicit, local"])
def test_independent_numbers(name):
    """Truncated models by sparse LU, of another implementation."""
    is_record(RECORDS[name])


@pytest.mark.deep
@pytest.mark.parametrize("name", ["two levels, local", "three levels", *DEEP])
def test_more_independent_numbers(name):
    is_record((RECORDS | DEEP)[name])


SLOPES = {
    # of heat and of the noise of quanta of the first reservoir, by Richardson extrapolation
    "two levels, local": {
        "1.spectral_density.center": (-0.005116722333172327, -0.004364595670554458),
        "1.spectral_density.width": (0.004829998001192884, 0.010958086320698685),
        "1.spectral_density.height": (0.01584680462016835, 0.035586969590559084),
        "1.temperature": (0.005627332479707531, 0.004364595670198692),
    },
    "two levels": {
        "1.spectral_density.center": (0.001184152296442724, 0.00023669219314332405),
        "1.spectral_density.width": (0.0046903718659647275, 0.010797740529449373),
        "1.spectral_density.height": (0.015711692854627608, 0.035607480823748754),
        "1.temperature": (0.0056138661105971255, 0.004352631210710546),
    },
    "three levels": {
        "cold.spectral_density.center": (-8.632375560774104e-07, 1.4014731910959575e-07),
        "cold.spectral_density.width": (4.423162711666925e-06, 1.2930127236368034e-05),
        "hot.spectral_density.height": (0.000278464982432632, 0.0007040662363616629),
        "work.temperature": (7.347415989227024e-05, 3.583842895638639e-05),
    },
}


@pytest.mark.deep
@pytest.mark.quick
@pytest.mark.parametrize("name", SLOPES)
def test_independent_derivatives(name):
    device, levels, treatment = RECORDS[name][:3]
    system = device.with_explicit_filters(levels, treatment=treatment)

    @eqx.filter_jit
    def slopes(system):
        def observed(system):
            state = ExplicitState(system)
            first = next(iter(state.reservoirs))
            noise = covariance(state, "particles")[first, first]
            return jnp.stack([state.device_current(first), noise])

        return jax.jacrev(observed)(system)

    found = qtd.parameters(slopes(system))
    for path, expected in SLOPES[name].items():
        np.testing.assert_allclose(
            found[f"device.reservoirs.{path}"], expected, rtol=1e-7, err_msg=path
        )


@pytest.mark.deep
@pytest.mark.quick
def test_full_coupling_of_two_levels():
    """Independent numbers at T = 0.5 and 0.3 with at most (4, 3) quanta."""
    device = two_levels((1.0, 0.05, 0.05, 0.5), (1.0, 0.05, 0.05, 0.3))
    for treatment, expected in (("redfield", 0.00162085538837), ("local", 0.00162244243653)):
        system = device.with_explicit_filters(
            {"1": 4, "2": 3}, treatment=treatment, coupling="full"
        )
        assert abs(rest(system)[0]["1"] / expected - 1) < 1e-11


@pytest.mark.deep
@pytest.mark.quick
def test_at_the_gap_of_the_device():
    """Lindblad form with n at the gap: published to five digits, with many quanta."""
    for center, heat, taken in ((1.1, 1.7307e-3, 1.7672e-3), (1.02, 3.5819e-3, 3.5999e-3)):
        device = two_levels(second=(center, 0.05, 0.05, 0.5))
        state = solve(device.with_explicit_filters({"1": 12, "2": 8}, treatment="gap"))
        assert abs(state.current("1", "energy") / heat - 1) < 3e-5
        assert abs(state.device_current("1") / taken - 1) < 3e-5


TABLE = [  # d, x, local, Redfield, its COP: three levels, T_w = 5
    (0.05, 0.01, 2.80974e-6, 2.80984e-6, 0.49998),
    (0.05, 0.1, 2.63374e-5, 2.63366e-5, 0.49977),
    (0.05, 0.3, 7.00374e-5, 7.00292e-5, 0.49932),
    (0.05, 1.0, 1.732239e-4, 1.73184e-4, 0.49785),
    (0.05, 3.0, 3.181426e-4, 3.18164e-4, 0.49408),
    (0.05, 10.0, 4.859335e-4, 4.87132e-4, 0.48227),
    (0.2, 0.1, 1.05350e-4, 1.05275e-4, 0.49629),
    (0.2, 1.0, 6.92895e-4, 6.8958e-4, 0.46655),
    (0.2, 3.0, 1.27257e-3, 1.26181e-3, 0.41177),
    (0.2, 10.0, 1.94373e-3, 1.81320e-3, 0.26189),
]


@pytest.mark.deep
@pytest.mark.quick
@pytest.mark.parametrize(("width", "ratio", "local", "redfield", "cop"), TABLE)
def test_the_table_of_the_refrigerator(width, ratio, local, redfield, cop):
    levels = {"cold": 3, "work": 17, "hot": 2}
    shape, temperatures = (width, ratio * width), (0.5, 5.0, 1.0)
    device = fridge(*((c, *shape, t) for c, t in zip((2.0, 4.0, 6.0), temperatures)))
    heat = rest(device.with_explicit_filters(levels))[0]
    assert abs(heat["cold"] / redfield - 1) < 1e-5
    assert abs(heat["cold"] / heat["work"] - cop) < 1e-5
    # These numbers have the digits of at most 16 quanta: 4e-5 less than of 17 at low heights.
    heat = rest(device.with_explicit_filters(levels | {"work": 16}, treatment="local"))[0]
    assert abs(heat["cold"] / local - 1) < 5e-6


@pytest.mark.parametrize("seed", range(10))
def test_dense_linear_algebra_says_the_same(seed):
    """Of random detuned refrigerators, with all d^2 numbers kept."""
    energies, jumps, filters = three_levels(np.random.default_rng(seed))
    heat, rho = at_rest(*operators(energies, jumps, filters, SMALL))
    found = rest(network_of(energies, jumps, filters).with_explicit_filters(SMALL))
    np.testing.assert_allclose([found[0][x] for x in heat], list(heat.values()), rtol=1e-9)
    diagonal = np.diag(rho).real.reshape(3, -1).sum(1)
    np.testing.assert_allclose(found[3], diagonal, rtol=1e-11)
    assert abs(found[4] - np.linalg.eigvalsh(rho)[0]) < 1e-15


@pytest.mark.deep
@pytest.mark.quick
@pytest.mark.parametrize(
    ("treatment", "coupling", "levels"),
    [
        ("local", "rotating-wave", SMALL),
        ("redfield", "full", {"cold": 1, "work": 1, "hot": 1}),
        ("local", "full", SMALL),
        ("redfield", "rotating-wave", {"cold": 1, "work": 1, "hot": 1}),
    ],
)
def test_dense_linear_algebra_of_every_treatment(treatment, coupling, levels):
    for seed in range(4):
        drawn = three_levels(np.random.default_rng(100 + seed))
        heat, rho = at_rest(*operators(*drawn, levels, treatment, coupling == "full"))
        system = network_of(*drawn).with_explicit_filters(
            levels, treatment=treatment, coupling=coupling
        )
        found = rest(system)
        np.testing.assert_allclose([found[0][x] for x in heat], list(heat.values()), rtol=1e-9)
        assert abs(found[4] - np.linalg.eigvalsh(rho)[0]) < 1e-15


@pytest.mark.deep
@pytest.mark.quick
def test_qutip_says_the_same():
    """Steady state and noise of quanta of ten random devices in the local treatment."""
    qutip = pytest.importorskip("qutip")
    for seed in range(10):
        drawn = three_levels(np.random.default_rng(200 + seed))
        hamiltonian, made = operators(*drawn, SMALL, "local")
        jumps = {
            name: [np.sqrt(rate(0.0)) * qutip.Qobj(operator) for operator, rate in parts]
            for name, parts in made.items()
        }
        every = [jump for parts in jumps.values() for jump in parts]
        rho = qutip.steadystate(qutip.Qobj(hamiltonian), every)
        generator = qutip.liouvillian(qutip.Qobj(hamiltonian), every)
        down, up = (qutip.sprepost(jump, jump.dag()) for jump in jumps["cold"])
        current, noise, _ = qutip.countstat_current_noise(
            generator, [], I_ops=[up - down], J_ops=[up + down], rhoss=rho
        )
        found = rest(network_of(*drawn).with_explicit_filters(SMALL, treatment="local"))
        populations = np.diag(rho.full()).real.reshape(3, -1).sum(1)
        np.testing.assert_allclose(found[3], populations, rtol=1e-8)
        assert abs(found[1]["cold"] - current[0]) < 1e-9 * found[2][0, 0]
        assert abs(found[2][0, 0] / noise[0, 0] - 1) < 1e-8


numbers = st.integers(0, 2**32 - 1)


@given(numbers)
@examples(20)
def test_laws(seed):
    """The first law to rounding of what flows; no heat at equal temperatures, detuned too; entropy
    is produced, up to the accuracy of the theory."""
    rng = np.random.default_rng(seed)
    energies, jumps, filters = three_levels(rng)
    heat, _, noise, populations, *_ = rest(
        network_of(energies, jumps, filters).with_explicit_filters(SMALL)
    )
    values = np.array([heat[name] for name in jumps])
    assert abs(values.sum()) < 1e-12 * 2 * 0.08 * 4
    temperatures = np.array([filters[name][3] for name in jumps])
    assert -(values / temperatures).sum() > -1e-3 * np.abs(values).max()
    assert abs(populations.sum() - 1) < 1e-14
    assert np.all(np.linalg.eigvalsh(noise) > -1e-3 * np.abs(noise).max())
    equal = {name: (*shape[:3], 0.8) for name, shape in filters.items()}
    heat = rest(network_of(energies, jumps, equal).with_explicit_filters(SMALL))[0]
    assert max(map(abs, heat.values())) < 1e-15


def test_a_local_treatment_pumps_heat_uphill_and_says_so():
    """e = 1 and 1.1, both at T = 0.5: published current 1.88924e-4, where there is none."""
    device = two_levels((1.0, 0.05, 0.05, 0.5), (1.1, 0.05, 0.05, 0.5))
    heat, *_, status = rest(device.with_explicit_filters({"1": 5, "2": 4}, treatment="local"))
    assert abs(heat["1"] / 1.88924e-4 - 1) < 5e-3
    assert status == qtd.Status.TREATMENT or status == qtd.Status.TRUNCATED
    heat, *_ = rest(device.with_explicit_filters({"1": 5, "2": 4}))
    assert abs(heat["1"]) < 1e-16


@pytest.mark.deep
@pytest.mark.quick
def test_low_heights_give_back_the_rate_equation():
    """Current and noise, relative to it, go as 1 - 0.66 h / d: published 0.99335 at 0.01, 0.999318
    at 0.001, of the tuned refrigerator; and of a detuned one to first order."""
    for ratio, share in ((0.01, 0.99335), (0.001, 0.999318)):
        filters = ((c, 0.05, 0.05 * ratio, t) for c, t in zip((2.0, 4.0, 6.0), (0.5, 2.5, 1.0)))
        device = fridge(*filters)
        explicit = rest(device.with_explicit_filters({"cold": 3, "work": 8, "hot": 2}))
        point = qtd.operate(device)
        assert abs(explicit[0]["cold"] / point.heat_currents["cold"] / share - 1) < 3e-4
        noise = covariance(device, "energy")["cold", "cold"]
        assert abs(explicit[2][0, 0] * 4 / noise / share - 1) < 3e-4


@pytest.mark.deep
@pytest.mark.quick
def test_heat_of_a_detuned_filter_is_counted_at_the_gap():
    """In the limit of low heights and narrow filters the noise of heat is that of quanta of the
    device's gap, 1, not of the filter's energy, whose square is 1.04: what is left falls with the
    square of the width."""
    off = []
    for width in (0.1, 0.05):
        shape = width, 1e-3 * width
        device = two_levels((1.02, *shape, 1.0), (0.98, *shape, 0.5))
        system = device.with_explicit_filters({"1": 12, "2": 7})
        noise = covariance(system, "energy")["1", "1"]
        off.append(float(noise / covariance(system, "particles")["1", "1"] - 1))
    assert 3 < off[0] / off[1] < 5 and abs(off[1]) < 1e-2


@pytest.mark.deep
@pytest.mark.quick
def test_currents_saturate_at_the_width():
    """Quanta over the width of three tuned levels, a function of h / d alone, at most (3, 9, 2)
    quanta in the modes: published to four digits."""
    saturating = {
        0.1: 2.622e-4, 1.0: 1.7335e-3, 10.0: 4.861e-3, 30.0: 6.024e-3,
        100.0: 6.750e-3, 300.0: 7.049e-3, 1000.0: 7.178e-3,
    }  # fmt: skip
    for ratio, expected in saturating.items():
        for width in (0.05, 0.001):
            shape = width, ratio * width
            baths = ((c, *shape, t) for c, t in zip((2.0, 4.0, 6.0), (0.5, 5.0, 1.0)))
            levels = dict(zip(PARTS, (3, 9, 2)))
            quanta = rest(fridge(*baths).with_explicit_filters(levels, treatment="local"))[1]
            assert abs(quanta["cold"] / width / expected - 1) < 2e-4


def test_modes_have_the_density_that_they_stand_for():
    """e = 2, d = 0.1, h = 0.3: published energies, couplings and densities; and the density of an
    oscillator of this energy, coupling and friction is that of the filter at all energies."""
    device = two_levels((2.0, 0.1, 0.3, 0.5), (2.0, 0.1, 0.3, 0.5))
    local = device.with_explicit_filters({"1": 1}, treatment="local").modes()["1"]
    whole = device.with_explicit_filters({"1": 1}, coupling="full").modes()["1"]
    assert local.energy == 2 and abs(local.coupling - 0.015) < 1e-15
    assert abs(whole.energy - 2.00249843945) < 1e-11
    assert abs(whole.coupling - 0.0149812850832) < 1e-13
    reservoir = device.reservoirs["1"]
    assert abs(reservoir.spectral_density(2.05) - 0.239817212490) < 1e-12
    assert abs(reservoir.occupation(2.05) - 0.0168519574220) < 1e-13
    twice = (1 + 2 * reservoir.occupation(2.0)) * (2.05**2 + 2**2 + 0.1**2) / (2 * 2 * 2.05)
    assert abs((twice - 1) / 2 - 0.0194479965838) < 1e-13
    w = jnp.linspace(0.1, 5.0, 30)
    friction = whole.residual(w)
    made = 4 * whole.coupling * whole.energy**2 * friction
    made = made / ((w**2 - whole.energy**2) ** 2 + (friction * whole.energy) ** 2)
    np.testing.assert_allclose(made, reservoir.spectral_density(w), rtol=1e-13)


def series_of_oscillators(energy, first, second):
    """Quanta and heat out of the first of two filters with an oscillator between them, local and in
    the rotating wave, by the second moments of the three modes."""
    (e_1, d_1, h_1, t_1), (e_2, d_2, h_2, t_2) = first, second
    couplings = np.sqrt([h_1 * d_1 / 2, h_2 * d_2 / 2])
    hamiltonian = np.diag([energy, e_1, e_2])
    hamiltonian[0, 1:] = hamiltonian[1:, 0] = couplings
    damping = np.diag([0.0, d_1, d_2])
    held = np.diag([0.0, 1 / np.expm1(e_1 / t_1), 1 / np.expm1(e_2 / t_2)])
    drift = 1j * hamiltonian - damping
    unit = np.eye(3)
    rates = np.kron(drift, unit) + np.kron(unit, drift.conj())
    moments = np.linalg.solve(rates, -2 * (damping @ held).ravel()).reshape(3, 3)
    quanta = 2 * d_1 * (held[1, 1] - moments[1, 1].real)
    return quanta, e_1 * quanta - 2 * d_1 * couplings[0] * moments[0, 1].real


def test_an_oscillator_between_explicit_filters_is_three_coupled_modes():
    """Published rows of the local treatment by second moments, the tuned one in closed form; and a
    cold oscillator, cut off at four quanta, by explicit filters."""
    tuned = (1.0, 0.05, 0.05, 1.0), (1.0, 0.05, 0.05, 0.5)
    assert abs(series_of_oscillators(1.0, *tuned)[0] - 0.00709098440199) < 1e-14
    detuned = (1.0, 0.04, 0.08, 1.2), (1.1, 0.06, 0.05, 0.4)
    expected = 0.00775596893116, 0.00795463917633
    np.testing.assert_allclose(series_of_oscillators(1.02, *detuned), expected, rtol=1e-11)
    cold = (1.0, 0.04, 0.08, 0.12), (1.1, 0.06, 0.05, 0.08)
    lowering = np.diag(np.sqrt(np.arange(1.0, 5.0)), 1)
    oscillator = qtd.Lindbladian(
        bare={"energy": (1.02, lowering.T @ lowering)},
        couplings=dict.fromkeys("12", lowering + lowering.T),
        reservoirs={"1": reservoir(*cold[0]), "2": reservoir(*cold[1])},
        approach="redfield",
    )
    heat, quanta, *_ = rest(oscillator.with_explicit_filters({"1": 4, "2": 4}, treatment="local"))
    np.testing.assert_allclose((quanta["1"], heat["1"]), series_of_oscillators(1.02, *cold), 1e-9)


@pytest.mark.deep
@pytest.mark.quick
def test_davies_promises_the_same_at_any_height_and_says_so():
    """Quanta over the width are the difference of the occupations; Redfield comes to that far above
    the widths, and only there does the status say nothing."""
    wanted = 1 / np.expm1(1.0) - 1 / np.expm1(2.0)
    for ratio, width, status in ((0.1, 0.05, 21), (10.0, 0.001, 21), (3000.0, 1e-5, 0)):
        shape = width, ratio * width
        device = two_levels((1.0, *shape, 1.0), (1.0, *shape, 0.5))
        levels = {"1": 12, "2": 12}
        davies = rest(device.with_explicit_filters(levels, treatment="davies"))
        assert abs(davies[1]["1"] / width / wanted - 1) < 1e-3
        assert davies[-1] == status
        assert abs(davies[0]["1"] + davies[0]["2"]) < 1e-14 * davies[0]["1"]
        assert davies[4] > 0
    redfield = rest(device.with_explicit_filters(levels))
    assert abs(davies[0]["1"] / redfield[0]["1"] - 1) < 1e-2
    np.testing.assert_allclose(davies[2], redfield[2], rtol=2e-2)
    np.testing.assert_allclose(davies[3], redfield[3], rtol=1e-2)


def test_davies_is_the_fully_secular_equation_of_device_and_modes():
    """Of a detuned refrigerator, by dense linear algebra among its joint levels, with noise."""
    energies, jumps, filters = three_levels(np.random.default_rng(5))
    heat, populations = secular(*operators(energies, jumps, filters, SMALL))
    system = network_of(energies, jumps, filters).with_explicit_filters(SMALL, treatment="davies")
    found = rest(system)
    np.testing.assert_allclose([found[0][x] for x in heat], list(heat.values()), rtol=1e-9)
    np.testing.assert_allclose(found[3], populations, rtol=1e-11)
    assert np.all(np.linalg.eigvalsh(found[2]) > -1e-15)
    two = cumulants(system, "cold", 2, "particles")
    np.testing.assert_allclose(two, (found[1]["cold"], found[2][0, 0]), rtol=1e-11)


@pytest.mark.deep
@pytest.mark.quick
def test_davies_in_batches_with_derivatives_and_in_single_precision():
    drawn = [network_of(*three_levels(np.random.default_rng(seed))) for seed in (5, 6)]
    systems = [x.with_explicit_filters({"cold": 1, "hot": 1}, treatment="davies") for x in drawn]
    found, known, step = slopes(stack(systems)), values(stack(systems)), 1e-5
    for path in MOVED[::3]:
        here = np.array([float(qtd.parameters(each)[path]) for each in systems])
        above, below = (values(stack([moved(x, path, s) for x in systems])) for s in (step, -step))
        difference = np.asarray(above - below) / (2 * step * here[:, None])
        scale = np.abs(np.asarray(known)) / here[:, None]
        assert np.all(np.abs(qtd.parameters(found)[path] - difference) < 1e-6 * scale), path
    for system, one in zip(systems, known):
        np.testing.assert_allclose(one, eqx.filter_jit(observed)(system), rtol=1e-12)
    single = values(stack([as_float32(x) for x in systems]))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, known, rtol=1e-3)


@pytest.mark.parametrize("coupling", ["rotating-wave", "full"])
def test_electrons_pass_beside_an_explicit_filter(coupling):
    """An electron that goes up by one quantum of a filter between two flat leads: what one lead
    gives the other takes, quanta as many, and at low heights all is the rate equation."""

    def lead(potential, temperature):
        flat = qtd.spectral.WideBand(2e-5)
        return qtd.Reservoir(temperature, potential, "fermi", spectral_density=flat)

    device = qtd.RateNetwork(
        [0.0, 1.0, 2.0],
        [("left", 0, 1, 1.0), ("right", 0, 2, 1.0), ("filter", 1, 2, 1.0)],
        {
            "left": lead(1.0, 0.5),
            "right": lead(1.5, 0.4),
            "filter": reservoir(1.0, 0.01, 1e-5, 0.4),
        },
        particles=[0, 1, 1],
    )
    state = solve(device.with_explicit_filters({"filter": 4}, coupling=coupling))
    taken = {name: state.current(name, "particles") for name in device.reservoirs}
    assert abs(taken["left"] + taken["right"]) < 1e-14 * 0.02  # of the fastest rate
    assert abs(taken["filter"] / taken["left"] - 1) < 2e-3
    by_rates = qtd.operate(device).particle_currents["left"]
    assert abs(taken["left"] / by_rates - 1) < 5e-3
    noise = covariance(state, "particles")
    assert abs(noise["left", "right"] / noise["left", "left"] + 1) < 1e-9
    heat = state.current("right", "heat")
    assert abs(heat / (state.device_current("right") - 1.5 * taken["right"]) - 1) < 1e-6


@pytest.mark.deep
@pytest.mark.quick
def test_tuned_noise_of_energy_is_that_of_quanta():
    system = fridge().with_explicit_filters({"cold": 3, "hot": 2}, treatment="gap")
    energy, quanta = covariance(system, "energy"), covariance(system, "particles")
    assert abs(energy["cold", "cold"] / quanta["cold", "cold"] / 4 - 1) < 1e-12
    assert abs(energy["cold", "hot"] / quanta["cold", "hot"] / 12 - 1) < 1e-12
    assert abs(cumulants(system, "cold", 2)[1] / energy["cold", "cold"] - 1) < 1e-12


def observed(system):
    state = qtd.systems.base.at_rest(system)
    noise = covariance(state, "particles")["cold", "cold"]
    return jnp.stack([state.device_current("cold"), noise, state.occupations["cold"]])


slopes = eqx.filter_jit(eqx.filter_vmap(jax.jacrev(observed)))
values = eqx.filter_jit(eqx.filter_vmap(observed))
MOVED = tuple(
    f"device.reservoirs.{name}.{path}"
    for name in PARTS
    for path in (
        "temperature",
        "spectral_density.center",
        "spectral_density.width",
        "spectral_density.height",
    )
)


def moved(system, path, share):
    return qtd.replace(system, {path: qtd.parameters(system)[path] * (1 + share)})


@pytest.mark.deep
@pytest.mark.quick
def test_derivatives_against_differences():
    """Tuned and detuned, in a batch, by every number of every filter."""
    drawn = [three_levels(np.random.default_rng(seed)) for seed in (1, 2)]
    systems = [fridge().with_explicit_filters(SMALL)]
    systems += [network_of(*each).with_explicit_filters(SMALL) for each in drawn]
    found, step = slopes(stack(systems)), 1e-5
    known = qtd.parameters(found)
    for path in MOVED:
        here = np.array([float(qtd.parameters(each)[path]) for each in systems])

        def difference(step, path=path, here=here):
            above = values(stack([moved(each, path, step) for each in systems]))
            below = values(stack([moved(each, path, -step) for each in systems]))
            return np.asarray(above - below) / (2 * step * here[:, None])

        # Extrapolated, as the step is no small part of a width.
        differences = (4 * difference(step / 2) - difference(step)) / 3
        scale = np.abs(np.asarray(values(stack(systems)))) / here[:, None]
        assert np.all(np.abs(known[path] - differences) < 1e-6 * scale), path


@pytest.mark.deep
@pytest.mark.quick
@pytest.mark.parametrize("height", [1e-5, 1e-7, 1e-9])
def test_derivatives_where_joint_levels_meet(height):
    """Where heights split tuned levels by no more than 1e-6 of their energy, value and derivatives
    are those of the rate equation, up to h / d and rounding."""
    shapes = zip((2.0, 4.0, 6.0), (0.5, 2.5, 1.0))
    device = fridge(*((center, 0.02, height, t) for center, t in shapes))
    system = device.with_explicit_filters({"cold": 4, "hot": 3})
    found = qtd.parameters(jax.tree.map(lambda x: x[0], slopes(stack([system]))))

    def rate(network):
        return qtd.operate(network).heat_currents["cold"]

    wanted = qtd.parameters(jax.grad(rate)(device))
    for path in ("hot.spectral_density.height", "work.temperature", "cold.temperature"):
        share = found[f"device.reservoirs.{path}"][0] / wanted[f"reservoirs.{path}"]
        assert abs(share - 1) < 2 * height / 0.02 + 1e-5, path


@pytest.mark.deep
@pytest.mark.quick
def test_a_batch_is_its_points_and_one_illegal_point_spoils_no_other():
    systems = [network_of(*three_levels(np.random.default_rng(s))) for s in (5, 6)]
    systems = [each.with_explicit_filters(SMALL) for each in systems]
    batch = stack([*systems, systems[0]])
    path = "device.reservoirs.cold.temperature"
    spoiled = eqx.tree_at(
        lambda s: s.device.reservoirs["cold"].temperature,
        batch,
        qtd.parameters(batch)[path].at[2].set(-1.0),
    )
    together = eqx.filter_jit(eqx.filter_vmap(lambda s: qtd.operate(s, "cold", "work")))(spoiled)
    assert together.status.tolist()[2] == qtd.Status.INVALID_PARAMETER
    assert np.isnan(together.heat_currents["cold"][2])
    for i, each in enumerate(systems):
        heat = rest(each)[0]
        for name in PARTS:
            assert abs(together.device_energy_currents[name][i] / heat[name] - 1) < 1e-9


@pytest.mark.deep
@pytest.mark.timeout(300)
def test_gradients_of_two_thousand_refrigerators_do_not_hang():
    system = fridge().with_explicit_filters({"cold": 3, "hot": 2})
    widths = jnp.linspace(0.02, 0.1, 2000)

    def current(width):
        path = "device.reservoirs.cold.spectral_density.width"
        return ExplicitState(qtd.replace(system, {path: width})).device_current("cold")

    found = jax.jit(jax.vmap(jax.grad(current)))(widths)
    assert np.all(np.isfinite(found))
    expected = central_difference(jax.jit(current), widths[700], 1e-5)
    assert abs(found[700] / expected - 1) < 1e-6


@pytest.mark.deep
@pytest.mark.quick
def test_single_precision_runs_and_stays():
    system = as_float32(fridge().with_explicit_filters(SMALL))
    heat, _, _, populations, *_ = rest(system)
    assert heat["cold"].dtype == jnp.float32
    double = rest(fridge().with_explicit_filters(SMALL))
    assert abs(float(heat["cold"]) / double[0]["cold"] - 1) < 1e-2
    np.testing.assert_allclose(populations, double[3], atol=2e-6)


@pytest.mark.deep
@pytest.mark.quick
def test_other_filters_are_modes_too():
    """`Lorentzian`, and `Resonator` with what damps it in proportion to the energy: at low
    couplings both give the rate equation of their own density at the gap, detuned too, up to the
    width over the temperature."""
    densities = Lorentzian(1.004, 0.002, 1e-6), Resonator(1.004, 0.002, 2e-9)
    for density in densities:
        baths = {
            "1": qtd.Reservoir(0.3, spectral_density=density),
            "2": qtd.Reservoir(0.2, spectral_density=Ohmic(1e-5, 10.0)),
        }
        device = qtd.RateNetwork([0.0, 1.0], [("1", 0, 1, 1.0), ("2", 0, 1, 1.0)], baths)
        explicit = solve(device.with_explicit_filters({"1": 3})).device_current("1")
        assert abs(explicit / qtd.operate(device).heat_currents["1"] - 1) < 2e-3


def test_only_what_meets_the_populations_is_kept():
    """Published numbers of kept entries."""
    sizes = {(5, 4): 430, (10, 7): 2128, (20, 12): 11258}
    for (first, second), kept in sizes.items():
        structure = two_levels().with_explicit_filters({"1": first, "2": second}).structure
        assert len(structure.kept) == kept
    sizes = {(2, 6, 1): 522, (3, 10, 2): 2430, (3, 16, 2): 3870, (5, 20, 3): 13244}
    for tops, kept in sizes.items():
        structure = fridge().with_explicit_filters(dict(zip(PARTS, tops))).structure
        assert len(structure.kept) == kept
    for tops, kept in {(2, 1): 36, (3, 2): 82, (5, 4): 228}.items():
        structure = fridge().with_explicit_filters(dict(zip(("cold", "hot"), tops))).structure
        assert len(structure.kept) == kept


@pytest.mark.deep
@pytest.mark.quick
def test_levels_are_chosen_so_that_little_is_cut():
    system = fridge().with_explicit_filters(["cold", "hot"])
    assert system.structure.levels == (("cold", 3), ("hot", 2))
    assert solve(system).status == 0
    assert solve(fridge().with_explicit_filters(SMALL)).status == qtd.Status.TRUNCATED
    more = rest(fridge().with_explicit_filters({"cold": 5, "hot": 4}))[0]["cold"]
    assert abs(rest(system)[0]["cold"] / more - 1) < 1e-3


@pytest.mark.deep
@pytest.mark.quick
def test_a_master_equation_has_explicit_filters_too():
    """A device given by operators, in another basis than its levels, is the network of its
    levels."""
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    hamiltonian = turn @ np.diag([0.0, 1.0]) @ turn.T
    flip = turn @ np.array([[0.0, 1.0], [1.0, 0.0]]) @ turn.T
    baths = two_levels().reservoirs
    device = qtd.Lindbladian(
        bare={"energy": (1.0, hamiltonian)},
        couplings={"1": flip, "2": flip},
        reservoirs=baths,
        approach="redfield",
    )
    found = rest(device.with_explicit_filters({"1": 5, "2": 4}))[0]["1"]
    assert abs(found / RECORDS["two levels"][4][0] - 1) < 1e-9


def test_operate_takes_explicit_filters():
    point = qtd.operate(fridge(), "cold", "work", explicit={"cold": 3, "hot": 2})
    heat = rest(fridge().with_explicit_filters({"cold": 3, "hot": 2}))[0]
    assert abs(point.heat_currents["cold"] / heat["cold"] - 1) < 1e-12
    assert point.status == 0 and point.mode == "refrigerator"
    assert list(point.meters) == ["work"]
    assert point.meters["work"] == qtd.operate(fridge()).meters["work"]


def explicit_machine():
    machine = qtd.machines.CollectiveRefrigerator(
        5,
        cold=reservoir(2.0, 0.05, 0.02, 0.5),
        work=reservoir(4.0, 0.05, 0.002, 5.0),
        hot=reservoir(6.0, 0.05, 0.02, 1.0),
    )
    return machine, machine.with_explicit_filters(["cold", "hot"])


def test_a_machine_with_explicit_filters_is_a_machine():
    """Its parameters and roles are those of the machine."""
    machine, explicit = explicit_machine()
    assert explicit.cooled == "cold" and explicit.driven_by == "work"
    assert list(qtd.parameters(explicit)) == [f"machine.{x}" for x in qtd.parameters(machine)]
    assert explicit.structure == explicit.system().structure
    assert dict(explicit.structure.levels) == {"cold": 3, "hot": 2}


@pytest.mark.deep
@pytest.mark.quick
def test_derivatives_reach_the_parameters_of_the_machine():
    machine, explicit = explicit_machine()

    @eqx.filter_jit
    def cooling(machine):
        return machine.operate().heat_currents["cold"]

    slope = eqx.filter_jit(jax.grad(cooling))(explicit).machine.cold.spectral_density.width
    path, step = "machine.cold.spectral_density.width", 1e-5
    above, below = (cooling(qtd.replace(explicit, {path: 0.05 + sign * step})) for sign in (1, -1))
    assert abs(slope / ((above - below) / (2 * step)) - 1) < 1e-6
    same = qtd.operate(machine, explicit=["cold", "hot"]).heat_currents["cold"]
    assert abs(cooling(explicit) / same - 1) < 1e-12
    assert cooling(explicit) < machine.operate().heat_currents["cold"]


def seven_spins(height):
    return qtd.machines.CollectiveRefrigerator(
        7,
        cold=reservoir(2.0, 0.02, height, 0.5),
        work=reservoir(4.0, 0.02, height / 10, 5.0),
        hot=reservoir(6.0, 0.02, height, 1.0),
    )


def resonant(height, center, temperature):
    density = Resonator(center, 0.01, height / 200)
    return qtd.Reservoir(temperature, spectral_density=density)


def qubits(height):
    baths = {"hot": (2.0, 1.2), "sink": (2.4, 1.0), "cold": (2.4, 0.6)}
    baths = {name: resonant(height, *x) for name, x in baths.items()}
    return qtd.machines.QubitRefrigerator(shift=0.4, **baths)


def resonators(height):
    baths = {"hot": (2.0, 1.2), "sink": (2.2, 1.0), "cold": (2.2, 0.6)}
    baths = {name: resonant(height, *x) for name, x in baths.items()}
    return qtd.machines.ResonatorRefrigerator((3, 3), 2.0, 2.0, 0.2, **baths)


@pytest.mark.deep
@pytest.mark.quick
@pytest.mark.parametrize("make", [seven_spins, qubits, resonators])
def test_machines_leave_their_rate_equation_as_their_heights_grow(make):
    """Cold and hot filters explicit: what the rate equation promises where its meters are below
    3e-3, to as much; less cooling where they are of the order of 1."""
    low, high = make(2e-5), make(2e-2)
    assert max(low.operate().meters.values()) < 3e-3
    assert max(high.operate().meters.values()) > 0.3
    for machine, least, most in ((low, 0.997, 1.0), (high, 0.3, 0.97)):
        point = machine.with_explicit_filters(["cold", "hot"]).operate()
        share = point.heat_currents["cold"] / machine.operate().heat_currents["cold"]
        assert least < share < most
        assert abs(sum(point.heat_currents.values())) < 1e-12 * 0.02
    assert point.status == 0


def test_what_a_mode_cannot_be_is_refused_of_machines_too():
    _, explicit = explicit_machine()
    for path, value, text in (
        ("machine.cold.spectral_density.height", 0.0, "height of the explicit filter of 'cold'"),
        ("machine.hot.chemical_potential", 0.1, "`chemical_potential` of 'hot' must be 0"),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            qtd.replace(explicit, {path: value})


def test_bad_input_is_named():
    device = fridge()
    for levels, how, text in (
        ({}, {}, "`explicit` must map names"),
        ("cold", {}, "`explicit` must map names"),
        ({"warm": 3}, {}, "`explicit` names 'warm'"),
        ({"cold": 0}, {}, "`explicit` of 'cold' must be a number of quanta, at least 1"),
        ({"cold": 2.5}, {}, "got 2.5"),
        ({"cold": 2}, {"treatment": "exact"}, "`treatment` must be one of"),
        ({"cold": 2}, {"treatment": "davies", "coupling": "full"}, "`coupling` must be"),
        ({"cold": 2}, {"coupling": "half"}, "`coupling` must be one of"),
        ({"cold": 2}, {"resonant": {"warm": []}}, "`resonant` names 'warm'"),
        ({"cold": 2}, {"resonant": {"cold": [(0, 2)]}}, "`resonant` of 'cold' must be pairs"),
        ({"cold": 300, "work": 300}, {}, "`explicit` makes 271803 states"),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            device.with_explicit_filters(levels, **how)
    hot = qtd.replace(device, {"reservoirs.work.temperature": 1000.0})
    with pytest.raises(ValueError, match="too many to count one by one"):
        hot.with_explicit_filters(["work"])
    ohmic = eqx.tree_at(lambda d: d.reservoirs["cold"].spectral_density, device, Ohmic(0.1, 10.0))
    with pytest.raises(ValueError, match="whose spectral density is Ohmic"):
        ohmic.with_explicit_filters({"cold": 3})
    with pytest.raises(ValueError, match="must be positive"):
        qtd.replace(device, {"reservoirs.cold.spectral_density.height": 0.0}).with_explicit_filters(
            {"cold": 3}
        )
    with pytest.raises(ValueError, match="needs a machine of levels between filters"):
        qtd.machines.QuantumMotor().with_explicit_filters({"left": 2})


@pytest.mark.deep
@pytest.mark.quick
def test_an_audit_of_explicit_filters():
    text = " ".join(str(qtd.audit(fridge().with_explicit_filters({"cold": 3, "hot": 2}))).split())
    assert "mode in the device" in text and "rates of 'work' over the width of its filter" in text
    assert isinstance(fridge().with_explicit_filters({"cold": 3}), ExplicitFilters)


@pytest.mark.deep
@pytest.mark.quick
def test_an_audit_solves_explicit_filters_where_it_doubts_rates():
    """All three filters, as the numbers of quanta are small; and nothing where meters are low."""
    (found,) = qtd.audit(fridge(), cooled="cold", driven_by="work").of("explicit filters")
    levels = {"cold": 3, "work": 8, "hot": 2}
    expected = rest(fridge().with_explicit_filters(levels))[0]["cold"]
    assert found.severity == qtd.audits.Severity.DOUBTFUL
    assert abs(found.numbers["explicit"] / expected - 1) < 1e-2
    assert found.numbers["here"] == qtd.operate(fridge()).heat_currents["cold"]
    low = qtd.replace(fridge(), {f"reservoirs.{x}.spectral_density.height": 1e-5 for x in PARTS})
    assert not qtd.audit(low).of("explicit filters")
