"""What a number carries: whatever breaks a law by more than rounding is flagged, and nothing else
is."""

import dataclasses
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import exact_populations, three_levels

import qtd
from qtd._numerics.graphs import bridges
from qtd.certificates import Certificate, NoiseCertificate
from qtd.scatterers import Levels
from qtd.scattering import Conductor

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import attack

pytestmark = pytest.mark.digits


EVERYDAY = "networks", "qubits, zz", "dots", "conductors"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.deep)
        for name in attack.KINDS
    ],
)
def test_random_devices_over_wide_decades_break_no_law_unless_their_status_says_so(name):
    """A small version of `benchmarks/attack.py`."""
    statuses, broken, places = attack.attack(
        name, attack.KINDS[name].size * attack.KINDS[name].cost
    )
    assert sum(broken.values()) == 0, (broken, places)
    # Few of them are flagged, or the flag would be worth nothing; but Redfield equations do have
    # negative noise, and covariances that no noise has, far from slow rates, and on large orbits in
    # the cold populations underflow.
    allowed = 1 / 3 if "redfield" in name else 0.1 if name == "motors" else 0.01
    assert statuses[qtd.Status.INACCURATE] <= allowed * sum(statuses.values())


def exact_currents(network, digits=400):
    """Energy currents of a network from its rates, in high precision."""
    topology, edges = network.topology, []
    levels = [mp.mpf(float(e)) for e in np.asarray(network.energies)[topology.order]]
    dense = np.full((topology.size,) * 2, mp.mpf(0))  # sums of rates, too, would be rounded
    mp.mp.dps = digits
    for diagonal, (up, down, _) in zip(topology.diagonals, network.jumps()):
        for k in diagonal.levels:
            low, high = int(diagonal.lower[k]), int(k)
            edges.append((diagonal.reservoir, low, high, float(up[k]), float(down[k])))
            dense[high, low] += mp.mpf(float(up[k]))
            dense[low, high] += mp.mpf(float(down[k]))
    p = exact_populations(dense, digits)
    found = dict.fromkeys(topology.names, mp.mpf(0))
    for name, low, high, up, down in edges:
        found[name] += (mp.mpf(up) * p[low] - mp.mpf(down) * p[high]) * (levels[high] - levels[low])
    return found


def test_currents_between_rates_far_apart_are_right_where_nothing_is_flagged():
    seed, checked = 0, 0
    points = attack.program("networks", seed)(
        jnp.asarray(attack.KINDS["networks"].draw(np.random.default_rng(seed), attack.CHUNK))
    )
    for number in np.flatnonzero(np.asarray(points.status) == 0)[:60]:
        network = attack.device("networks", seed, int(number))
        found, exact = qtd.operate(network).energy_currents, exact_currents(network)
        largest = max(abs(x) for x in exact.values())
        if largest > 1e-250:
            checked += 1
            assert all(abs(float(found[name]) - exact[name]) < 1e-9 * largest for name in exact), (
                number
            )
    assert checked > 40


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)])
def test_levels_may_be_listed_in_any_order_however_cold_it_is(order):
    """Trap: the level that is eliminated last must hold population, or noise and currents are
    differences of huge numbers."""
    energies, place = np.array([0.0, 1.0, 5.0, 7.0]), np.argsort(order)
    jumps = [
        ("cold", 0, 1, 1.0),
        ("work", 1, 2, 0.8),
        ("hot", 0, 2, 1.3),
        ("hot", 2, 3, 0.4),
        ("work", 0, 3, 0.2),
    ]
    baths = {"cold": 0.02, "hot": 0.05, "work": 0.1}
    reservoirs = {
        name: qtd.Reservoir(t, spectral_density=qtd.spectral.Ohmic(0.01, 100.0))
        for name, t in baths.items()
    }

    def build(place):
        listed = np.empty(4)
        listed[place] = energies
        return qtd.RateNetwork(
            listed, [(name, int(place[a]), int(place[b]), s) for name, a, b, s in jumps], reservoirs
        )

    found, straight = qtd.operate(build(place)), qtd.operate(build(np.arange(4)))
    assert int(found.status) == 0
    for name, current in straight.energy_currents.items():
        assert float(found.energy_currents[name]) == pytest.approx(float(current), rel=1e-9, abs=0)
        assert float(found.heat_covariance[name, name]) == pytest.approx(
            float(straight.heat_covariance[name, name]), rel=1e-9, abs=0
        )


def test_a_chain_of_qubits_as_a_network_keeps_its_laws_in_the_cold():
    """Couplings 5, fields 0.5, 0.35 and 0.6, listed by the basis, not by the energy."""
    z = np.diag([1.0, -1.0])
    one = np.eye(2)
    x = np.array([[0.0, 1.0], [1.0, 0.0]])

    def on(site, matrix):
        return np.kron(
            np.kron(*(matrix if site == k else one for k in (0, 1))), matrix if site == 2 else one
        )

    bare = {f"field{k}": (field / 2, on(k, z)) for k, field in enumerate((0.5, 0.35, 0.6))}
    bare |= {"first": (5.0, on(0, z) @ on(1, z)), "second": (5.0, on(1, z) @ on(2, z))}

    def cold(t):
        return qtd.Reservoir(t, spectral_density=qtd.spectral.Ohmic(0.01, 1e3))

    chain = qtd.Lindbladian(
        bare,
        {f"r{k}": on(k, x) for k in range(3)},
        {f"r{k}": cold(t) for k, t in enumerate((0.1, 0.02, 0.02))},
    )
    point = qtd.operate(chain.network())
    exact = exact_currents(chain.network())
    assert all(float(point.heat_covariance[name, name]) > 0 for name in point.names)
    largest = max(abs(x) for x in exact.values())
    right = all(
        abs(float(point.energy_currents[name]) - exact[name]) < 1e-9 * largest for name in exact
    )
    assert right if int(point.status) == 0 else int(point.status) == qtd.Status.INACCURATE


@pytest.mark.parametrize(("apart", "error"), [(1e-3, 1e-11), (1e-6, 1e-10), (1e-9, 1e-6)])
def test_currents_close_to_equilibrium_keep_what_rates_leave_them(apart, error):
    temperatures = {
        "cold.temperature": 0.5,
        "hot.temperature": 0.5 * (1 + apart),
        "work.temperature": 0.5 * (1 + 2 * apart),
    }
    fridge = qtd.replace(qtd.machines.CollectiveRefrigerator(31), temperatures)
    point, exact = fridge.operate(), exact_currents(fridge.network())
    assert int(point.status) == 0
    assert all(abs(float(point.energy_currents[name]) / x - 1) < error for name, x in exact.items())


def test_derivatives_of_currents_between_rates_far_apart_are_right():
    """First and second, by the temperature of a slow reservoir beside a fast one, whose flows are
    10^12 times larger than what passes."""
    scale = {"a": 1e6, "b": 1e-6, "c": 1e-6}

    def current(warmth):
        baths = {"a": 1.0, "b": 2.0 * warmth, "c": 0.5}
        reservoirs = {
            name: qtd.Reservoir(t, spectral_density=qtd.spectral.Ohmic(scale[name], 1e3))
            for name, t in baths.items()
        }
        jumps = [("a", 0, 1, 1.0), ("b", 1, 2, 1.0), ("c", 0, 2, 1.0), ("a", 2, 3, 1.0)]
        return qtd.operate(
            qtd.RateNetwork([0.0, 1.0, 1.75, 2.0], jumps, reservoirs)
        ).energy_currents["a"]

    mp.mp.dps = 60

    def n(e, t):
        return 1 / mp.expm1(mp.mpf(e) / mp.mpf(t))

    def exact(warmth):
        """A ring of three, and a level that hangs on it."""
        gaps = {"a": mp.mpf(1), "b": mp.mpf("0.75"), "c": mp.mpf("1.75")}
        warm = {"a": mp.mpf(1), "b": 2 * warmth, "c": mp.mpf("0.5")}
        density = {
            name: mp.mpf(scale[name]) * gap * mp.exp(-gap / 1000) for name, gap in gaps.items()
        }
        up = {name: density[name] * n(gap, warm[name]) for name, gap in gaps.items()}
        down = {name: density[name] * (1 + n(gap, warm[name])) for name, gap in gaps.items()}
        ground = down["a"] * down["b"] + down["a"] * down["c"] + down["c"] * up["b"]
        middle = up["a"] * down["c"] + up["a"] * down["b"] + up["c"] * down["b"]
        high = up["a"] * up["b"] + up["c"] * down["a"] + up["c"] * up["b"]
        total = ground + middle + high * (1 + mp.exp(mp.mpf("-0.25")))
        return (up["a"] * ground - down["a"] * middle) / total

    for order, derivative in enumerate((current, jax.grad(current), jax.grad(jax.grad(current)))):
        expected = (
            mp.diff(exact, mp.mpf(1), order, h=mp.mpf("1e-15")) if order else exact(mp.mpf(1))
        )
        assert abs(float(derivative(1.0)) / expected - 1) < 1e-9, order


def test_a_network_without_a_cycle_carries_exactly_nothing():
    reservoirs = {
        name: qtd.Reservoir(t, spectral_density=qtd.spectral.Ohmic(0.1, 50.0))
        for name, t in (("a", 1.0), ("b", 0.3))
    }
    tree = qtd.RateNetwork(
        [0.0, 1.0, 2.5, 2.0], [("a", 0, 1, 1.0), ("b", 1, 2, 0.4), ("a", 1, 3, 0.7)], reservoirs
    )
    point = qtd.operate(tree)
    assert int(point.status) == 0 and all(float(x) == 0 for x in point.energy_currents.values())
    slopes = jax.grad(
        lambda t: qtd.operate(qtd.replace(tree, {"reservoirs.a.temperature": t})).energy_currents[
            "b"
        ]
    )(1.0)
    assert float(slopes) == 0


@pytest.mark.parametrize("seed", range(20))
def test_bridges_are_the_pairs_without_which_a_network_falls_apart(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 9))
    pairs = [(i, int(rng.integers(0, i))) for i in range(1, size)]
    pairs += [tuple(rng.choice(size, 2, replace=False)) for _ in range(rng.integers(0, 4))]

    def falls_apart(without):
        reached, border = {0}, [0]
        while border:
            at = border.pop()
            found = {
                a + b - at for k, (a, b) in enumerate(pairs) if k != without and at in (a, b)
            } - reached
            reached |= found
            border += found
        return len(reached) < size

    assert bridges(np.array(pairs), size).tolist() == [falls_apart(k) for k in range(len(pairs))]


def test_whatever_breaks_a_law_is_flagged():
    point = qtd.operate(three_levels(), "cold", "work")
    assert bool(point.certificate.holds) and int(point.certified().status) == 0
    heat, spread = point.heat_currents, point.heat_covariance
    wrong = {
        "first law": (
            lambda p: p.device_energy_currents,
            heat | {"cold": heat["cold"] * (1 + 1e-7)},
        ),
        "second law": (lambda p: p.heat_currents, {name: -x for name, x in heat.items()}),
        "uncertainty": (lambda p: p.heat_currents, {name: 10 * x for name, x in heat.items()}),
        "variance": (
            lambda p: p.heat_covariance,
            eqx.tree_at(lambda s: s.entries[0][0], spread, -spread.entries[0][0]),
        ),
        "a number": (lambda p: p.heat_currents, heat | {"cold": jnp.asarray(jnp.nan)}),
    }
    for law, (where, value) in wrong.items():
        spoiled = eqx.tree_at(where, point, value)
        assert not bool(spoiled.certificate.holds), law
        # The noise of jumps is a sum of squares: for a status it is not computed.
        if law not in ("uncertainty", "variance"):
            assert int(spoiled.certified().status) == qtd.Status.INACCURATE, law
    coherent = eqx.tree_at(
        *wrong["variance"][:1], dataclasses.replace(point, of_jumps=False), wrong["variance"][1]
    )
    assert int(coherent.certified().status) == qtd.Status.INACCURATE


def test_equilibrium_is_not_flagged():
    for t in (1e-2, 1.0, 1e4):
        point = qtd.operate(three_levels(t, t, t))
        assert int(point.status) == 0 and isinstance(point.certificate, Certificate)


def lead(temperature, potential):
    return qtd.Reservoir(
        temperature, potential, "fermi", spectral_density=qtd.spectral.WideBand(1.0)
    )


def test_covariances_that_are_asked_for_alone_carry_their_evidence():
    levels = Levels([[0.3, 0.1], [0.1, 0.8]], {"a": [0.3, 0.1], "b": [0.1, 0.4], "c": [0.0, 0.2]})
    leads = {"a": lead(1.0, 0.2), "b": lead(0.4, 0.6), "c": lead(0.7, 0.4)}
    dot = qtd.RateNetwork(
        [0.0, 0.5, 1.2],
        [("a", 0, 1, 1.0), ("b", 0, 1, 0.3), ("c", 0, 2, 1.0), ("a", 0, 2, 1.0)],
        leads,
        particles=[0, 1, 1],
    )
    for system in (Conductor(leads, scatterer=levels), dot, three_levels()):
        for quantity in ("energy", "particles", "heat"):
            if (
                quantity == "particles"
                and system.__class__ is qtd.RateNetwork
                and system is not dot
            ):
                continue
            found = qtd.counting.covariance(system, quantity)
            certificate = found.certificate
            assert bool(certificate.holds) and float(certificate.correlation) <= 1 + 1e-12, quantity
            assert np.isnan(float(certificate.conservation)) != found.is_conserved
            assert not found.is_conserved or float(certificate.conservation) < 1e-12


@pytest.mark.parametrize("wrong", ["a variance", "a correlation", "a sum", "a number"])
def test_a_matrix_that_breaks_what_binds_covariances_is_found_out(wrong):
    good = jnp.array([[2.0, -1.5, -0.5], [-1.5, 2.5, -1.0], [-0.5, -1.0, 1.5]])
    assert bool(NoiseCertificate.of(good, True).holds)
    spoiled = {
        "a variance": -good,
        "a correlation": good.at[0, 2].set(-2.0).at[2, 0].set(-2.0),
        "a sum": good * (1 + 1e-5 * jnp.eye(3)),
        "a number": good.at[1, 1].set(jnp.nan),
    }[wrong]
    assert not bool(NoiseCertificate.of(spoiled, True).holds)


@pytest.mark.parametrize("kind", ["qubits, redfield", "qubits, redfield-partial", "dots"])
def test_noise_that_no_random_numbers_have_is_no_number_and_no_status_calls_it_fine(kind):
    """Trap: far from its validity a Redfield equation has negative variances, and covariances
    larger than variances allow: asked for alone, nobody would know."""
    # The third kind of dots is the Redfield equation.
    variant, quantity = (2, "particles") if kind == "dots" else (0, "energy")

    def noise(vector):
        device = attack.KINDS[kind].build(variant, vector)
        state = qtd.steady.solve(device.lindbladian() if hasattr(device, "lindbladian") else device)
        found = qtd.counting.covariance(state, quantity)
        heat = qtd.counting.covariance(state, "heat").matrix
        return (
            found.matrix,
            qtd.counting.cumulants(state, found.names[0], 3, quantity),
            qtd.operate(state).status,
            heat,
        )

    vectors = jnp.asarray(attack.KINDS[kind].draw(np.random.default_rng(2), 300))
    matrix, cumulants, status, heat = map(
        np.asarray, jax.jit(lambda x: jax.lax.map(noise, x, batch_size=100))(vectors)
    )
    variances = np.diagonal(matrix, axis1=1, axis2=2)
    bounds = np.sqrt(np.maximum(variances[:, :, None] * variances[:, None], 0))
    known = ~np.isnan(matrix) & ~np.isnan(bounds)
    assert np.all(np.abs(matrix[known]) <= 1.1001 * bounds[known])
    assert np.all(np.isfinite(cumulants[:, 0])) and np.array_equal(
        np.isnan(cumulants[:, 1]), np.isnan(variances[:, 0])
    )
    assert np.all(np.isfinite(heat[status == 0]))
    if kind != "dots":
        assert (
            np.isnan(variances).any()
            and (np.isnan(matrix).any(axis=(1, 2)) & ~np.isnan(variances).any(1)).any()
        )
