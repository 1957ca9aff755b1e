"""The expansion around equilibrium: conservation for every power, relations of the paper, and the
derivatives that it consists of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.expansion import coefficients, responses
from qtd.machines import QuantumMotor
from qtd.spectral import WideBand

NAMES = ("left", "right")
POTENTIALS = tuple(f"{name}.chemical_potential" for name in NAMES)
TEMPERATURES = tuple(f"{name}.temperature" for name in NAMES)
T, MU = 1.1, 0.4


def lead(temperature, potential, rate):
    return qtd.Reservoir(temperature, potential, "fermi", spectral_density=WideBand(rate))


def device(seed):
    rng = np.random.default_rng(seed)
    leads = [lead(T, MU, rng.uniform(0.1, 0.4)) for _ in NAMES]
    orbit = rng.normal(size=(2, 2, 2)) * np.array([1.0, 0.3])
    return QuantumMotor(
        *rng.uniform(-4, 2, 2),
        rng.uniform(2, 6),
        rng.uniform(4, 9),
        rng.uniform(5, 20),
        *leads,
        orbit=orbit,
    )


DEVICE = device(0)
RESPONSES = jax.jit(
    lambda motor, temperature: responses(motor.network, temperature, MU, 3, panels=32)
)


@pytest.fixture(scope="module")
def known():
    """Those of the device."""
    return RESPONSES(DEVICE, T)


def shifted(motor, source):
    paths = (*POTENTIALS, *TEMPERATURES)
    rest = (MU, MU, T, T)
    return qtd.replace(motor, {path: rest[i] + source[i] for i, path in enumerate(paths)})


SERIES = jax.jit(lambda motor, source: coefficients(shifted(motor, source).network, 2, panels=32))


def term(found, which, **powers):
    return float(which[found.index(**powers)])


def heat(found, **powers):
    return sum(term(found, found.heat[name], **powers) for name in NAMES)


@pytest.mark.parametrize("seed", range(3))
def test_every_power_of_the_sources_conserves_energy_and_particles(seed):
    # Eq. (25): heat and electric work of each power go into the work of the power with one velocity
    # less.
    found = RESPONSES(device(seed), T)
    size = np.abs(np.stack([*found.energy.values(), found.torque])).max(0)
    for i, powers in enumerate(found.powers):
        fewer = (powers[0] - 1, *powers[1:])
        work = float(found.torque[found.powers.index(fewer)]) if powers[0] else 0.0
        electric = 0.0
        for name in NAMES:
            place = found.variables.index(f"{name}.chemical_potential")
            if powers[place]:
                less = tuple(n - (j == place) for j, n in enumerate(powers))
                electric += float(found.particles[name][found.powers.index(less)])
        heats = sum(float(x[i]) for x in found.heat.values())
        scale = max(size[i], abs(work), abs(electric), 1e-6 * size.max())
        assert abs(heats + electric - work) < 1e-9 * scale, powers
        assert abs(sum(float(x[i]) for x in found.particles.values())) < 1e-9 * scale, powers
    assert int(found.status) == 0 and float(found.error) < 1e-9


def test_nothing_flows_in_equilibrium_and_first_orders_only_pass_heat_on(known):
    # Eqs. (37), (38).
    size = max(abs(term(known, known.heat[name], **{TEMPERATURES[0]: 1})) for name in NAMES)
    assert (
        all(abs(term(known, known.heat[name])) < 1e-12 * size for name in NAMES)
        and abs(term(known, known.torque)) < 1e-12
    )
    for variable in known.variables:
        each = max(abs(term(known, known.heat[name], **{variable: 1})) for name in NAMES)
        assert abs(heat(known, **{variable: 1})) < 1e-9 * each


def test_friction_is_delivered_as_heat(known):
    # Eq. (39), and the friction is positive.
    friction = -term(known, known.torque, velocity=1)
    assert friction > 0 and heat(known, velocity=2) == pytest.approx(-friction, rel=1e-9)


def test_leakage_is_dissipated_as_joule_heat(known):
    # Eq. (40) for one and for two different potentials, with the symmetric matrix of conductances.
    conductance = np.array(
        [
            [term(known, known.particles[a], **{f"{b}.chemical_potential": 1}) for b in NAMES]
            for a in NAMES
        ]
    )
    np.testing.assert_allclose(conductance, conductance.T, rtol=1e-9)
    assert heat(known, **dict.fromkeys(POTENTIALS, 1)) == pytest.approx(
        -2 * conductance[0, 1], rel=1e-9
    )
    for i, path in enumerate(POTENTIALS):
        assert heat(known, **{path: 2}) == pytest.approx(-conductance[i, i], rel=1e-9)


@pytest.mark.parametrize("i", range(2))
def test_the_heat_pumped_with_a_bias_is_conserved(i, known):
    # Eq. (41), and Onsager's relation, by which both of its other terms are the same.
    mixed = {"velocity": 1, POTENTIALS[i]: 1}
    pumped = term(known, known.particles[NAMES[i]], velocity=1)
    pushed = term(known, known.torque, **{POTENTIALS[i]: 1})
    assert pumped == pytest.approx(pushed, rel=1e-9)
    assert abs(heat(known, **mixed) + pumped - pushed) < 1e-9 * abs(pumped) and abs(
        heat(known, **mixed)
    ) < 1e-9 * abs(pumped)
    heated = term(known, known.torque, **{TEMPERATURES[i]: 1})
    assert T * heated == pytest.approx(term(known, known.heat[NAMES[i]], velocity=1), rel=1e-9)


SOURCE = np.array([1.3, -0.6, 0.25, -0.2])


def test_far_from_equilibrium_every_order_in_the_velocity_conserves_energy():
    # Eqs. (42)-(44) at a large bias.
    found = SERIES(DEVICE, SOURCE)
    potentials = dict(zip(NAMES, MU + SOURCE[:2]))
    for k in range(3):
        electric = sum(potentials[name] * float(found.particles[name][k]) for name in NAMES)
        heats = sum(float(found.heat[name][k]) for name in NAMES)
        work = float(found.torque[k - 1]) if k else 0.0
        size = max(abs(float(x[k])) for x in found.heat.values())
        assert abs(heats + electric - work) < 1e-9 * max(size, abs(work))


SLOPES = jax.jit(jax.jacfwd(lambda source, motor: SERIES(motor, source)))


def test_first_powers_are_the_derivatives_of_the_series_in_the_velocity(known):
    slopes = SLOPES(np.zeros(4), DEVICE)
    for j, path in enumerate((*POTENTIALS, *TEMPERATURES)):
        for k in range(3):
            powers = {"velocity": k, path: 1}
            assert term(known, known.torque, **powers) == pytest.approx(
                float(slopes.torque[k, j]), rel=1e-9
            )
            for name in NAMES:
                for kind in ("particles", "heat"):
                    wanted = np.asarray(getattr(slopes, kind)[name])[k]
                    assert (
                        abs(term(known, getattr(known, kind)[name], **powers) - wanted[j])
                        < 1e-9 * np.abs(wanted).max()
                    )


SECOND = jax.jit(lambda motor: responses(motor.network, T, MU, 2, panels=32))


def test_efficiencies_near_equilibrium_are_those_of_both_expansions(known):
    # Eq. (46): to second order in bias and velocity together; Eq. (47): to first order in the
    # velocity, at a finite bias.
    bias = 1e-4
    powers = {POTENTIALS[0]: bias / 2, POTENTIALS[1]: -bias / 2}
    push = sum(term(known, known.torque, **{path: 1}) * value for path, value in powers.items())
    velocity = -push / (2 * term(known, known.torque, velocity=1))  # half of that without a load

    def charge(x):
        return (x["left"] - x["right"]) / 2

    turn = SECOND(DEVICE).cycle(velocity, powers)
    found = velocity * float(turn.torque) / (float(charge(turn.particles)) * bias)
    first = [("velocity", velocity), *powers.items()]
    work = velocity * sum(term(known, known.torque, **{path: 1}) * value for path, value in first)
    charges = sum(
        float(charge({n: x[known.index(**{path: 1})] for n, x in known.particles.items()})) * value
        for path, value in first
    )
    assert found == pytest.approx(work / (charges * bias), rel=1e-9) and 0 < found < 1
    assert float(sum(turn.energy.values())) == pytest.approx(
        velocity * float(turn.torque), rel=1e-6
    )
    series = SERIES(DEVICE, np.array([bias / 2, -bias / 2, 0.0, 0.0]))
    work = velocity * float(series.torque[0] + series.torque[1] * velocity)
    alone = work / (float((charge(series.particles) * velocity ** np.arange(3)).sum()) * bias)
    assert found == pytest.approx(alone, rel=1e-3)  # they differ by higher powers of the bias
    point = shifted(DEVICE, np.array([bias / 2, -bias / 2, 0.0, 0.0])).operate(
        work / velocity, order=1
    )
    assert float(point.velocity) == pytest.approx(velocity, rel=1e-6) and float(
        point.efficiency
    ) == pytest.approx(alone, rel=1e-6)


def test_a_third_lead_has_its_own_powers():
    third = {"probe": (lead(T, MU, 0.2), "left")}
    motor = QuantumMotor(0.8, -0.5, 3.0, 6.0, 9.0, lead(T, MU, 0.2), lead(T, MU, 0.3), others=third)
    found = responses(motor.network, T, MU, 1, panels=24)
    assert len(found.variables) == 7 and len(found.powers) == 8
    pushed = found.torque[found.index(**{"probe.chemical_potential": 1})]
    assert float(pushed) == pytest.approx(
        float(found.particles["probe"][found.index(velocity=1)]), rel=1e-9
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda known: known.index(speed=1),
            "`powers` must name velocity, left.chemical_potential",
        ),
        (lambda known: known.index(velocity=4), "with a total up to 3"),
        (
            lambda known: known.cycle(0.1, {"middle.temperature": 0.1}),
            "`deviations` must name some of left.chemical_potential",
        ),
        (lambda _: responses(DEVICE.network, -1.0), "`temperature` must be positive"),
        (
            lambda _: responses(DEVICE.network, 1.0, order=-1),
            "`order` must be an integer not below 0",
        ),
    ],
)
def test_bad_input_names_the_argument(call, words, known):
    with pytest.raises(ValueError, match=words):
        call(known)


def test_the_expansion_does_not_depend_on_where_the_leads_are(known):
    moved = qtd.replace(DEVICE, {"left.temperature": 3.0, "right.chemical_potential": -1.0})
    np.testing.assert_allclose(RESPONSES(moved, T).torque, known.torque, rtol=1e-12, atol=1e-13)


def test_derivatives_pass_through():
    slope = jax.jit(
        jax.grad(lambda t, motor: responses(motor.network, t, MU, 1, panels=24).torque[1])
    )
    step = 1e-4
    wanted = (RESPONSES(DEVICE, T + step).torque[1] - RESPONSES(DEVICE, T - step).torque[1]) / (
        2 * step
    )
    assert float(slope(jnp.asarray(T), DEVICE)) == pytest.approx(float(wanted), rel=1e-6)
