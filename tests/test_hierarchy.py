"""Hierarchical equations of motion. Reference numbers: an independent implementation in NumPy, with
tier 8 and one Matsubara term where nothing else is said; and QuTiP's solver."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import dense
from scipy.integrate import quad

import qtd
from qtd.hierarchy import Hierarchy, converged, correlation, of_network

FLIP = np.array([[0.0, 1.0], [1.0, 0.0]])
NAMES = "hot", "cold"


def reservoir(temperature, center, width, height):
    return qtd.Reservoir(temperature, spectral_density=qtd.spectral.Peaked(center, width, height))


def drude(temperature, coupling, cutoff):
    return qtd.Reservoir(temperature, spectral_density=qtd.spectral.LorentzDrude(coupling, cutoff))


def two_level(d=0.05, x=1.0, temperatures=(1.0, 0.5), second=1.0, **depth):
    filters = {
        name: reservoir(temperature, center, d, x * d)
        for name, temperature, center in zip(NAMES, temperatures, (1.0, second))
    }
    network = qtd.RateNetwork([0.0, 1.0], [(name, 0, 1, 1.0) for name in NAMES], filters)
    return of_network(network, **depth)


def three_level(d, x, **depth):
    places = {"c": (0.5, 2.0, 0, 1), "w": (5.0, 4.0, 1, 2), "h": (1.0, 6.0, 0, 2)}
    filters = {name: reservoir(T, e, d, x * d) for name, (T, e, _, _) in places.items()}
    jumps = [(name, a, b, 1.0) for name, (_, _, a, b) in places.items()]
    return of_network(qtd.RateNetwork([0.0, 2.0, 6.0], jumps, filters), **depth)


@functools.cache
def solved(make, *args, **depth):
    return qtd.steady.solve(make(*args, **depth))


def heat(state, name):
    return float(state.current(name, "heat"))


# Correlation functions


@pytest.mark.parametrize(
    "density",
    [qtd.spectral.Peaked(1.0, 0.1, 0.3), qtd.spectral.LorentzDrude(0.2, 1.7)],
    ids=["peaked", "drude"],
)
@pytest.mark.parametrize("time", [0.7, 2.0, 5.0])
def test_correlations_are_integrals_over_the_spectral_density(density, time):
    temperature, J = 0.7, lambda w: float(density(w))
    how = dict(wvar=time, limit=2000, epsabs=1e-12)
    real = quad(lambda w: J(w) / np.tanh(w / (2 * temperature)), 1e-9, np.inf, weight="cos", **how)[
        0
    ]
    imaginary = -quad(J, 0.0, np.inf, weight="sin", **how)[0]
    bath = qtd.Reservoir(temperature, spectral_density=density)
    found = correlation(bath, time, terms=12)
    np.testing.assert_allclose(found, complex(real, imaginary) / (2 * np.pi), rtol=0, atol=1e-7)


@pytest.mark.parametrize("gap", [0.4, 1.0, 2.5])
@pytest.mark.parametrize(
    "density",
    [qtd.spectral.Peaked(1.0, 0.3, 0.3), qtd.spectral.LorentzDrude(0.2, 1.7)],
    ids=["peaked", "drude"],
)
def test_spectra_of_correlations_are_golden_rule_rates(density, gap):
    bath = qtd.Reservoir(0.7, spectral_density=density)
    times = np.linspace(0.0, 60.0, 240_001)
    made = np.asarray(correlation(bath, times, terms=8))
    up, down = bath.rates(gap)
    for rate, sign in ((down, 1), (up, -1)):
        spectrum = 2 * np.trapezoid((made * np.exp(1j * sign * gap * times)).real, times)
        np.testing.assert_allclose(spectrum, rate, rtol=2e-4)


def test_nothing_diverges_where_a_cutoff_meets_a_pole_of_the_occupation():
    """Matsubara's first pole is at 2 pi T: C(t) and its derivative run smoothly through it."""
    times, meeting = jnp.linspace(0.0, 3.0, 7), 2 * np.pi * 0.5

    def value(cutoff):
        return correlation(drude(0.5, 0.2, cutoff), times, terms=3, series="matsubara").real

    near = [value(meeting * (1 + share)) for share in (-1e-4, 0.0, 1e-4)]
    np.testing.assert_allclose(near[1], (near[0] + near[2]) / 2, rtol=1e-6)
    slope = jax.jacfwd(value)(meeting)
    np.testing.assert_allclose(slope, (near[2] - near[0]) / (2e-4 * meeting), rtol=1e-6)


def test_poles_of_pade_are_those_of_its_source():
    """[0/1]: 2 sqrt(15) and 5/2, by hand; and many of them make the occupation."""
    from qtd.hierarchy._correlations import poles

    np.testing.assert_allclose(poles(1, "pade"), [[2 * np.sqrt(15)], [2.5]], rtol=1e-13)
    x = np.array([0.3, 2.0, 9.0])
    positions, weights = poles(8, "pade")
    parts = (2 * weights * x[:, None] / (x[:, None] ** 2 + positions**2)).sum(1)
    np.testing.assert_allclose(1 / x - 0.5 + parts, 1 / np.expm1(x), rtol=0, atol=1e-12)


# Against QuTiP


def pauli_device(seed, terms=1):
    """A random complex two-level device between two filters, of which numbers alone differ."""
    paulis = {"x": FLIP, "y": np.array([[0, -1j], [1j, 0]]), "z": np.diag([1.0, -1.0])}
    draw = np.random.default_rng(seed).uniform
    couplings = {name: [(draw(0.05, 0.5), matrix) for matrix in paulis.values()] for name in NAMES}
    baths = {
        name: reservoir(draw(0.4, 2.0), draw(0.5, 2.0), draw(0.1, 0.5), draw(0.1, 0.6))
        for name in NAMES
    }
    bare = {key: (draw(-1.0, 1.0), matrix) for key, matrix in paulis.items()}
    depth = dict(tiers=3, terms=terms, term_tiers=3, series="matsubara")
    return Hierarchy(bare, couplings, baths, **depth)


def of_qutip(device):
    """State, and the heat that leaves each reservoir, from the auxiliary operators of QuTiP: - Tr[A
    sum gamma_k rho_k], to which a density that falls fast adds nothing."""
    qutip = pytest.importorskip("qutip")
    from qutip.solver.heom import HEOMSolver, UnderDampedBath

    matrices = {name: np.asarray(matrix) for name, matrix in device.couplings().items()}
    baths = []
    for name, bath in device.reservoirs.items():
        e, d, h = (float(x) for x in jax.tree.leaves(bath.spectral_density))
        baths.append(
            UnderDampedBath(
                qutip.Qobj(matrices[name]),
                lam=np.sqrt(h * d * e),
                gamma=2 * d,
                w0=np.hypot(e, d),
                T=float(bath.temperature),
                Nk=device.depth.terms,
                tag=name,
            )
        )
    hamiltonian = np.asarray(device.hamiltonian())
    solver = HEOMSolver(qutip.Qobj(hamiltonian), baths, device.depth.tiers)
    state, operators = solver.steady_state()
    left, taken = {}, {}
    for name, matrix in matrices.items():
        labels = operators.filter(level=1, tags=[name])
        parts = [(operators.exps(label)[0].vk, operators.extract(label).full()) for label in labels]
        left[name] = -np.trace(matrix @ sum(rate * part for rate, part in parts)).real
        force = 1j * (matrix @ hamiltonian - hamiltonian @ matrix)
        taken[name] = np.trace(force @ sum(part for _, part in parts)).real
    return state.full(), left, taken


@pytest.mark.parametrize(
    "seeds", [range(2), pytest.param(range(2, 10), marks=pytest.mark.deep)], ids=["2", "10"]
)
def test_random_devices_are_those_of_qutip(seeds):
    for seed in seeds:
        device = pauli_device(seed)
        state = qtd.steady.solve(device)
        rho, left, taken = of_qutip(device)
        np.testing.assert_allclose(state.density_matrix, rho, rtol=0, atol=1e-11)
        size = max(map(abs, left.values()))
        for name in NAMES:
            np.testing.assert_allclose(heat(state, name), left[name], rtol=0, atol=1e-9 * size)
            np.testing.assert_allclose(state.device_current(name), taken[name], atol=1e-9 * size)


def test_a_drude_reservoir_is_that_of_qutip():
    """Whose exponentials are the same sum in other words: one of the cutoff, one a term."""
    qutip = pytest.importorskip("qutip")
    from qutip.solver.heom import BosonicBath, HEOMSolver

    matrices = {"hot": FLIP, "cold": np.diag([0.4, -0.7]) + 0.3 * FLIP}
    baths = {"hot": drude(1.1, 0.3, 1.5), "cold": drude(0.6, 0.2, 0.8)}
    device = Hierarchy(np.diag([0.0, 1.2]), matrices, baths, tiers=3, terms=2, term_tiers=3)
    given = []
    for name, modes in device.modes().items():
        rates, feeds = np.asarray(modes.rates.real), np.asarray(modes.feeds)
        others = feeds[1:] / (rates[0] - rates[1:])
        real = [float(modes.left[0].real) - others.sum(), *others]
        imaginary = [float(modes.left[0].imag)]
        operator = qutip.Qobj(matrices[name])
        given.append(BosonicBath(operator, real, list(rates), imaginary, [rates[0]], tag=name))
    solver = HEOMSolver(qutip.Qobj(np.asarray(device.hamiltonian())), given, 3)
    rho, _ = solver.steady_state()
    state = qtd.steady.solve(device)
    np.testing.assert_allclose(state.density_matrix, rho.full(), rtol=0, atol=1e-11)


# Against the reference


@pytest.mark.deep
@pytest.mark.parametrize(
    "second, tiers, current, population",
    [
        (1.0, 8, 0.0037179393760718884, 0.21292598357044187),
        (1.1, 7, 0.0017511701942933067, 0.2388607554432453),
    ],
    ids=["tuned", "detuned"],
)
def test_a_two_level_device_is_that_of_the_reference(second, tiers, current, population):
    """Which has one more quantum in its Matsubara terms: 1e-9."""
    device = two_level(second=second, tiers=tiers, series="matsubara")
    state = qtd.steady.solve(device)
    np.testing.assert_allclose(heat(state, "hot"), current, rtol=1e-9)
    np.testing.assert_allclose(heat(state, "cold"), -current, rtol=1e-9)
    np.testing.assert_allclose(state.density_matrix[1, 1].real, population, rtol=1e-9)
    assert state.status == 0


TWO_LEVEL = [
    (0.05, 0.01, 5, 6.06165e-5, 1e-4),
    (0.05, 0.1, 6, 5.64577e-4, 2e-4),
    (0.05, 0.3, 6, 1.49204e-3, 5e-4),
    (0.05, 1.0, 8, 3.71806e-3, 5e-5),
    (0.05, 3.0, 9, 7.08705e-3, 1e-4),
    (0.05, 10.0, 10, 1.12993e-2, 2e-4),
    (0.2, 0.01, 4, 2.4002e-4, 4e-4),
    (0.2, 0.1, 5, 2.2203e-3, 4e-4),
    (0.2, 0.3, 6, 5.7802e-3, 4e-4),
    (0.2, 1.0, 7, 1.3756e-2, 4e-4),
    (0.2, 3.0, 8, 2.3685e-2, 4e-4),
]


@pytest.mark.parametrize(
    "d, x, tiers, current, accuracy",
    [
        TWO_LEVEL[0],
        TWO_LEVEL[6],
        *(pytest.param(*row, marks=pytest.mark.deep) for row in (*TWO_LEVEL[1:6], *TWO_LEVEL[7:])),
    ],
)
def test_a_two_level_device_has_the_currents_of_the_reference(d, x, tiers, current, accuracy):
    """Which are right to about 1e-5 (d = 0.05) and 2e-4 (d = 0.2) in what their terms leave out."""
    state = solved(two_level, d, x, tiers=tiers, terms=2)
    np.testing.assert_allclose(heat(state, "hot"), current, rtol=accuracy)


@pytest.mark.parametrize(
    "d, x, tiers, terms, current, cop, off, accuracy",
    [
        (0.05, 0.1, 3, 2, 2.6335e-5, 0.49977, 1e-4, 1e-3),
        pytest.param(0.05, 1.0, 5, 2, 1.7310e-4, 0.49786, 1e-4, 1e-3, marks=pytest.mark.deep),
        pytest.param(0.05, 10.0, 7, 1, 4.876e-4, 0.4820, 1e-4, 2e-3, marks=pytest.mark.deep),
        pytest.param(0.2, 0.1, 4, 2, 1.0506e-4, 0.4962, 1e-4, 2e-3, marks=pytest.mark.deep),
        pytest.param(0.2, 1.0, 5, 2, 6.834e-4, 0.4653, 1e-4, 3e-3, marks=pytest.mark.deep),
        pytest.param(0.2, 3.0, 6, 2, 1.241e-3, 0.407, 5e-4, 4e-3, marks=pytest.mark.deep),
    ],
)
def test_a_refrigerator_is_that_of_the_reference(d, x, tiers, terms, current, cop, off, accuracy):
    """The heat that leaves the reservoirs: what the device takes up has the COP 1/2, whatever the
    coupling."""
    state = solved(three_level, d, x, tiers=tiers, terms=terms)
    np.testing.assert_allclose(heat(state, "c"), current, rtol=accuracy)
    np.testing.assert_allclose(heat(state, "c") / heat(state, "w"), cop, rtol=0, atol=off)
    taken = {name: state.device_current(name) for name in "cw"}
    np.testing.assert_allclose(taken["c"] / taken["w"], 0.5, rtol=1e-9)


# Laws and limits


@pytest.mark.parametrize("make", ["pauli", "three", "drude"])
def test_the_first_law_holds_to_rounding(make):
    device = {
        "pauli": lambda: pauli_device(0),
        "three": lambda: three_level(0.05, 0.1, tiers=3, terms=2),
        "drude": lambda: Hierarchy(
            np.diag([0.0, 1.2]),
            {"hot": FLIP, "cold": FLIP},
            {"hot": drude(1.1, 0.3, 1.5), "cold": drude(0.6, 0.2, 0.8)},
            tiers=3,
        ),
    }[make]()
    state = qtd.steady.solve(device)
    for currents in (
        [state.device_current(name) for name in state.reservoirs],
        [state.current(name, "heat") for name in state.reservoirs],
    ):
        assert abs(sum(currents)) <= 1e-12 * max(map(abs, currents))
    np.testing.assert_allclose(jnp.trace(state.density_matrix), 1.0, rtol=1e-13)


def test_heat_is_what_memory_takes_out_of_a_reservoir():
    r"""- Tr[A sum_k gamma_k rho_k] + 2 Im C(0) Tr[A^2 rho], the rate at which the reservoir's own
    energy falls, where couplings do not commute and C(0) is not real."""
    matrices = {"hot": FLIP, "cold": np.diag([0.4, -0.7]) + 0.3 * FLIP}
    baths = {"hot": drude(1.1, 0.3, 1.5), "cold": reservoir(0.6, 1.0, 0.3, 0.4)}
    state = qtd.steady.solve(Hierarchy(np.diag([0.0, 1.2]), matrices, baths, tiers=4, terms=0))
    numbers, tiers = state.numbers, state.numbers.tiers
    assert abs(state.exchanged["hot"]) > 1e-2 * abs(state.taken["hot"])
    for name in NAMES:
        modes, start = numbers.modes[name], tiers.modes_of[name][0]
        first = tiers.first(name)
        found = numbers.operators(state.vector, [place for _, place in first])
        memory = sum(
            complex(modes.rates[k - start] * complex(modes.scales[k - start])) * part
            for (k, _), part in zip(first, found)
        )
        square = np.trace(matrices[name] @ matrices[name] @ np.asarray(state.density_matrix)).real
        start_of_c = float(correlation(baths[name], 0.0, terms=0).imag)
        expected = -np.trace(matrices[name] @ np.asarray(memory)).real + 2 * start_of_c * square
        np.testing.assert_allclose(heat(state, name), expected, rtol=1e-10)


def test_nothing_flows_at_equal_temperatures():
    """Between detuned filters, where a local master equation has a current: 1.9e-4."""
    shallow, deep = (
        abs(heat(solved(two_level, 0.05, 1.0, (0.5, 0.5), 1.1, tiers=tiers, terms=2), "hot"))
        for tiers in (3, 6)
    )
    assert deep < 0.1 * shallow
    assert deep < 1e-3 * 1.75e-3  # of the current between 1 and 1/2


@pytest.mark.parametrize("d", [0.05, 0.2])
def test_weak_coupling_is_the_rate_equation(d):
    """First order in h / d is all that is missing."""
    network = qtd.RateNetwork(
        [0.0, 1.0],
        [(name, 0, 1, 1.0) for name in NAMES],
        {"hot": reservoir(1.0, 1.0, d, 1.0), "cold": reservoir(0.5, 1.0, d, 1.0)},
    )

    def missing(x):
        heights = {f"{name}.spectral_density.height": x * d for name in NAMES}
        weak = qtd.replace(network, {f"reservoirs.{key}": h for key, h in heights.items()})
        known = qtd.operate(weak).heat_currents["hot"]
        return 1 - heat(qtd.steady.solve(of_network(weak, tiers=2, terms=3)), "hot") / known

    first, second = missing(1e-3), missing(1e-4)
    assert abs(second) < 2e-4
    np.testing.assert_allclose(first / second, 10.0, rtol=0.02)


def test_weak_coupling_is_a_davies_equation():
    """Of a Lindbladian, whose parameters stay where they are."""
    system = qtd.Lindbladian(
        bare={"gap": (1.0, np.diag([0.0, 1.0]))},
        interaction={"drive": (0.3, FLIP)},
        couplings={"hot": (0.5, FLIP), "cold": np.diag([1.0, -1.0]) + FLIP},
        reservoirs={"hot": drude(1.0, 1e-5, 2.0), "cold": drude(0.5, 2e-5, 3.0)},
    )
    deep = system.using("hierarchy", tiers=2, terms=4)
    assert list(qtd.parameters(deep)) == list(qtd.parameters(system))
    np.testing.assert_allclose(deep.hamiltonian(), system.hamiltonian())
    state, weak = qtd.steady.solve(deep), qtd.steady.solve(system)
    np.testing.assert_allclose(state.density_matrix, weak.density_matrix, atol=1e-4)
    np.testing.assert_allclose(heat(state, "hot"), float(weak.current("hot", "heat")), rtol=1e-3)


# Derivatives, transformations, precision


def test_gradients_are_differences():
    """Over centres, widths, heights, temperatures, gaps and strengths."""
    device = two_level(0.2, 0.5, second=1.1, tiers=3)
    paths = [
        *(f"reservoirs.hot.spectral_density.{name}" for name in ("center", "width", "height")),
        "reservoirs.cold.temperature",
        "bare.level_1",
        "strengths.cold",
    ]
    start = jnp.stack([qtd.parameters(device)[path] for path in paths])

    @jax.jit
    def current(values):
        changed = qtd.replace(device, dict(zip(paths, values)))
        return qtd.steady.solve(changed).current("hot", "heat")

    slope = jax.jit(jax.grad(current))(start)
    for place, step in enumerate(np.eye(len(paths))):
        h = 1e-5 * float(start[place])
        ahead, behind = (current(start + s * h * step) for s in (1, -1))
        np.testing.assert_allclose(slope[place], (ahead - behind) / (2 * h), rtol=1e-6)
    forward = jax.jit(jax.jacfwd(current))(start)
    np.testing.assert_allclose(forward, slope, rtol=1e-9)


def test_derivatives_pass_through_no_coupling_and_through_a_meeting_of_poles():
    def current(strength, cutoff):
        device = Hierarchy(
            np.diag([0.0, 1.0]),
            {"hot": (strength, FLIP), "cold": FLIP},
            {"hot": drude(1.0, 0.1, cutoff), "cold": drude(0.5, 0.1, 2.0)},
            tiers=2,
            terms=1,
            series="matsubara",
        )
        return qtd.steady.solve(device).current("hot", "heat")

    jitted = jax.jit(jax.value_and_grad(current, argnums=(0, 1)))
    nothing, slopes = jitted(jnp.array(0.0), jnp.array(2.0))
    np.testing.assert_allclose(nothing, 0.0, atol=1e-16)
    step = 1e-6
    np.testing.assert_allclose(slopes[0], jitted(jnp.array(step), jnp.array(2.0))[0] / step, 1e-4)
    meeting = 2 * np.pi
    values = [jitted(jnp.array(1.0), jnp.array(meeting + s)) for s in (-1e-4, 0.0, 1e-4)]
    difference = (values[2][0] - values[0][0]) / 2e-4
    np.testing.assert_allclose(values[1][1][1], difference, rtol=1e-6)


def test_batches_are_loops_and_say_which_point_is_illegal():
    device = two_level(0.2, 0.5, tiers=3)

    @jax.jit
    @jax.vmap
    def point(temperature):
        changed = qtd.replace(device, {"reservoirs.hot.temperature": temperature})
        made = qtd.operate(changed)
        return made.heat_currents["hot"], made.status

    currents, status = point(jnp.array([0.7, -1.0, 2.0]))
    assert np.isnan(currents[1])
    assert status[1] == qtd.Status.INVALID_PARAMETER
    for place, temperature in ((0, 0.7), (2, 2.0)):
        one = qtd.replace(device, {"reservoirs.hot.temperature": temperature})
        np.testing.assert_allclose(
            currents[place], qtd.operate(one).heat_currents["hot"], rtol=1e-10
        )


def test_single_precision_stays_single():
    device = two_level(0.2, 0.5, tiers=3)
    single = jax.tree.map(lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x, device)
    state, known = jax.jit(qtd.systems.at_rest)(single), qtd.steady.solve(device)
    assert state.vector.dtype == jnp.float32
    assert state.current("hot", "heat").dtype == jnp.float32
    assert state.status == known.status
    np.testing.assert_allclose(heat(state, "hot"), heat(known, "hot"), rtol=1e-4)


# Depth


@pytest.mark.parametrize(
    "make, args, depth, deeper",
    [
        (two_level, (0.2, 0.5), dict(tiers=3, terms=1), dict(tiers=5, terms=3)),
        (three_level, (0.2, 0.1), dict(tiers=2, terms=1), dict(tiers=3, terms=2)),
        pytest.param(
            *(two_level, (0.2, 0.1), dict(tiers=3, terms=0), dict(tiers=4, terms=3)),
            marks=pytest.mark.deep,
        ),
    ],
)
def test_truncation_is_estimated_from_above(make, args, depth, deeper):
    """But by no more than the last tier did, within a factor of 100."""
    state, better = solved(make, *args, **depth), solved(make, *args, **deeper)
    for name in state.reservoirs:
        off = abs(heat(state, name) - heat(better, name))
        assert off <= state.truncation[name] <= 100 * off + 1e-3 * abs(heat(better, name))


def test_a_shallow_hierarchy_says_so_and_a_deep_one_does_not():
    assert solved(two_level, 0.05, 1.0, tiers=3).status == qtd.Status.TRUNCATED
    assert solved(two_level, 0.05, 0.01, tiers=5, terms=2).status == 0


@pytest.mark.deep
def test_convergence_is_to_the_accuracy_asked_for():
    found = converged(two_level(0.2, 0.1, tiers=2), 3e-3)
    assert found.status == 0
    assert found.error < 3e-3
    best = solved(two_level, 0.2, 0.1, tiers=5, terms=3)
    np.testing.assert_allclose(heat(found.state, "hot"), heat(best, "hot"), rtol=3e-3)


def test_no_convergence_is_said_where_memory_ends():
    found = converged(two_level(0.05, 10.0, tiers=2), 1e-3, memory=3e6)
    assert found.status == qtd.Status.NOT_CONVERGED
    assert found.error > 1e-3
    assert found.hierarchy.memory <= 3e6


def test_blocks_are_those_of_the_products():
    state = solved(two_level, 0.2, 0.5, tiers=3)
    generator, blocks = state.elimination.operator, state.numbers.tiers.blocks
    assert blocks.count > 1
    products = jax.vmap(lambda x: generator.apply(x), 1, 1)(jnp.eye(blocks.size))
    np.testing.assert_allclose(dense(blocks, generator.bands()), products, rtol=1e-13, atol=1e-16)


# As a system


def test_an_operating_point_has_heat_a_cop_and_no_noise():
    device = three_level(0.05, 0.1, tiers=3, terms=2)
    point = qtd.operate(device, cooled="c", driven_by="w")
    assert point.mode == "refrigerator"
    np.testing.assert_allclose(point.cop, 0.49977, atol=1e-4)
    assert 0 < point.cop < point.carnot_cop
    assert point.certificate.conserves
    with pytest.raises(ValueError, match="'c' exchanges no definite quanta"):
        point.heat_covariance["c", "c"]
    assert "heat" in repr(point)


@pytest.mark.deep
def test_an_audit_says_how_deep_it_goes():
    found = qtd.audit(two_level(0.2, 0.5, tiers=3))
    assert any("With 3 tiers and 1 terms" in str(line) for line in found.findings)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: two_level(tiers=20, terms=4), "lower `tiers`"),
        (lambda: three_level(0.1, 1.0, tiers=8, terms=2), "lower `tiers`"),
        (lambda: two_level(tiers=0), "`tiers` must be an integer not below 1"),
        (lambda: two_level(series="taylor"), '`series` must be "pade" or "matsubara"'),
        (
            lambda: Hierarchy(FLIP, {"a": FLIP}, {"a": qtd.Reservoir(1.0, spectral_density=OHMIC)}),
            "`spectral_density` of a hierarchy must be",
        ),
        (
            lambda: Hierarchy(
                FLIP,
                {"a": FLIP},
                {"a": qtd.Reservoir(1.0, statistics="fermi", spectral_density=OHMIC)},
            ),
            "of bosons",
        ),
        (
            lambda: Hierarchy(
                FLIP,
                {"a": FLIP},
                {"a": qtd.reservoirs.ZeroTemperatureReservoir(spectral_density=OHMIC)},
            ),
            "must be `qtd.Reservoir`",
        ),
        (
            lambda: Hierarchy(np.eye(3), {"a": FLIP}, {"a": drude(1.0, 1.0, 1.0)}),
            "must be of one size",
        ),
        (
            lambda: Hierarchy([[0, 1], [0, 0]], {"a": FLIP}, {"a": drude(1.0, 1.0, 1.0)}),
            "`bare` must be Hermitian",
        ),
        (
            lambda: Hierarchy(FLIP, {"a": FLIP}, {"b": drude(1.0, 1.0, 1.0)}),
            "must have the same names",
        ),
        (
            lambda: Hierarchy(FLIP, {"a": (-1.0, FLIP)}, {"a": drude(1.0, 1.0, 1.0)}),
            "`strengths.a` must not be negative",
        ),
        (
            lambda: qtd.steady.solve(
                Hierarchy(np.diag([0.0, 1.0]), {"a": np.eye(2)}, {"a": drude(1.0, 1.0, 1.0)})
            ),
            "No unique steady state",
        ),
    ],
)
def test_what_fits_no_hierarchy_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


OHMIC = qtd.spectral.Ohmic(0.1, 10.0)
