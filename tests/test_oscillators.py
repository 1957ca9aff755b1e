"""Harmonic devices: reference numbers, closed forms, baths of finitely many modes, and laws."""

import functools
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import central_difference
from scipy.integrate import quad

import qtd
from qtd.oscillators import HarmonicDevice, Oscillators
from qtd.scattering import currents
from qtd.spectral import LorentzDrude, Ohmic, Peaked

# Of each filter center, width, height and temperature.
TUNED = (1.0, ((1.0, 0.05, 0.05, 1.0), (1.0, 0.05, 0.05, 0.5)))
DETUNED = (1.02, ((1.0, 0.04, 0.08, 1.2), (1.1, 0.06, 0.05, 0.4)))
LADDER = ([1.0, 1.3], ((1.1, 0.1, 0.3, 1.0), (1.2, 0.15, 0.2, 0.4)))


def bath(center, width, height, temperature):
    return qtd.Reservoir(temperature, spectral_density=Peaked(center, width, height))


def oscillator(energy, filters):
    """One oscillator, and its reservoirs "0", "1", ..."""
    reservoirs = {str(k): bath(*values) for k, values in enumerate(filters)}
    return HarmonicDevice(energy, dict.fromkeys(reservoirs, 0), reservoirs)


def ladder(coupling=0.2):
    """Two coupled oscillators, each with a filter."""
    energies, filters = LADDER
    reservoirs = {str(k): bath(*values) for k, values in enumerate(filters)}
    g = jnp.asarray([[0.0, coupling], [coupling, 0.0]])
    return HarmonicDevice(energies, {"0": 0, "1": 1}, reservoirs, g)


def pair(temperatures=(1.0, 0.5)):
    """Two coupled oscillators between a filter, a Drude reservoir, and one that sees both of them
    twice."""
    hot, cold = temperatures
    reservoirs = {
        "filter": bath(1.0, 0.1, 0.2, hot),
        "drude": qtd.Reservoir(cold, spectral_density=LorentzDrude(0.1, 3.0)),
        "both": bath(1.2, 0.2, 0.1, (hot + cold) / 2),
    }
    filters = {"filter": 0, "drude": 1, "both": [[0.5, 0.2], [-0.3, 0.8]]}
    return HarmonicDevice([1.0, 1.3], filters, reservoirs, [[0.0, 0.1], [0.1, 0.0]])


def bose(energy, temperature):
    return 1 / np.expm1(energy / temperature)


def transmission(energy, device):
    """The closed form of one oscillator between two peaked densities."""
    gap, filters = device
    answer, product = gap**2 - energy**2, 4 * gap**2
    for e, d, h, _ in filters:
        # Together, so that neither cancels the other.
        chi = -h * e * d / (e**2 + d**2 - energy**2 - 2j * d * energy)
        answer, product = answer + 2 * gap * chi, product * -2 * chi.imag
    return product / abs(answer) ** 2


def integral(function, high=60.0):
    """int_0^high dw / 2 pi, split where narrow lines may lie."""
    edges = [0.0, 0.4, 0.8, 0.95, 1.0, 1.05, 1.1, 1.2, 1.6, 3.0, high]
    parts = [
        quad(function, a, b, epsabs=1e-15, epsrel=1e-11, limit=400)[0] for a, b in pairwise(edges)
    ]
    return sum(parts) / (2 * np.pi)


def heat(device, name="0"):
    return qtd.operate(device).heat_currents[name]


@pytest.mark.parametrize(
    ("device", "wanted"), [(TUNED, 0.007100254604906175), (DETUNED, 0.007384112620894705)]
)
def test_reference_currents(device, wanted):
    point = qtd.operate(oscillator(*device), cooled="1", driven_by="0")
    assert float(point.heat_currents["0"]) == pytest.approx(wanted, rel=1e-12)
    assert float(point.heat_currents["1"]) == pytest.approx(-wanted, rel=1e-12)
    assert float(point.certificate.first_law) < 1e-15 and point.status == 0


@pytest.mark.parametrize(
    ("device", "wanted"), [(TUNED, 0.007096898471753657), (DETUNED, 0.007841572619454373)]
)
def test_reference_currents_of_a_mode_that_is_damped_locally(device, wanted):
    """1 + 2 n_eff(w) = (1 + 2 n(e)) (w^2 + w0^2) / (2 e w) is what an oscillator sees of a mode of
    energy e that Lindblad operators damp at n(e)."""
    scatterer = oscillator(*device).oscillators()

    @jax.jit
    def passed(energy):
        return scatterer.probabilities(energy[None])[0, 1, 0]

    def seen(energy, filter):
        e, d, _, t = filter
        return (1 + 2 * bose(e, t)) * (energy**2 + e**2 + d**2) / (4 * e * energy) - 0.5

    def flow(energy):
        gap = seen(energy, device[1][0]) - seen(energy, device[1][1])
        return energy * float(passed(energy)) * gap

    assert integral(flow, 1e3) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("device", [TUNED, DETUNED])
def test_transmission_and_noise_are_the_closed_ones(device):
    built = oscillator(*device)
    energy = np.linspace(0.01, 8.0, 400)
    found = built.oscillators().probabilities(jnp.asarray(energy))
    np.testing.assert_allclose(found[0, 1], transmission(energy, device), rtol=1e-12)
    hot, cold = (filter[3] for filter in device[1])

    def power(energy):
        passed, a, b = transmission(energy, device), bose(energy, hot), bose(energy, cold)
        return energy**2 * (passed * (a + b + 2 * a * b) + passed**2 * (a - b) ** 2)

    noise = qtd.counting.covariance(built)
    assert float(noise["0", "0"]) == pytest.approx(integral(power), rel=1e-11)
    assert float(noise["0", "1"]) == pytest.approx(-integral(power), rel=1e-11)


def test_current_and_noise_are_derivatives_of_the_generating_function():
    """Levitov and Lesovik of bosons: G(x) = -int dw/2pi ln{1 - T [n_1 (1 + n_2) (e^xw - 1) + n_2 (1
    + n_1) (e^-xw - 1)]}."""
    energy = np.linspace(0.0, 30.0, 60001)[1:]  # a sum without ends: exponentially exact
    passed, a, b = transmission(energy, DETUNED), bose(energy, 1.2), bose(energy, 0.4)

    def function(x):
        up = passed * a * (1 + b) * jnp.expm1(x * energy)
        down = passed * b * (1 + a) * jnp.expm1(-x * energy)
        return -jnp.log1p(-up - down).sum() * (energy[1] - energy[0]) / (2 * jnp.pi)

    first, second = jax.grad(function)(0.0), jax.grad(jax.grad(function))(0.0)
    built = oscillator(*DETUNED)
    assert float(heat(built)) == pytest.approx(float(first), rel=1e-8)
    assert float(qtd.counting.covariance(built)["0", "0"]) == pytest.approx(float(second), rel=1e-8)


@pytest.mark.parametrize("make", [lambda: oscillator(*TUNED), ladder, pair])
def test_scattering_is_unitary_and_reciprocal(make):
    scatterer, energy = make().oscillators(), jnp.linspace(0.003, 6.0, 1500)
    matrix = np.asarray(jax.lax.complex(*scatterer.amplitudes(energy)))
    unit = np.eye(len(matrix))[..., None]
    assert np.abs(np.einsum("abp,cbp->acp", matrix, matrix.conj()) - unit).max() < 1e-12
    assert np.abs(matrix - matrix.swapaxes(0, 1)).max() < 1e-12
    passed = scatterer.probabilities(energy)
    np.testing.assert_allclose(passed, np.abs(matrix) ** 2, rtol=1e-11, atol=1e-14)
    left, right = (np.asarray(jax.lax.complex(*parts)) for parts in scatterer.similar(energy))
    np.testing.assert_allclose(left.conj() * right, passed, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("make", [lambda t: oscillator(1.0, ((1.0, 0.05, 0.05, t),) * 2), pair])
def test_nothing_flows_at_equal_temperatures_where_noise_is_that_of_the_conductance(make):
    """S_rs = -2 T^2 dJ_r/dT_s, and of all J_r are 0."""
    device = make(0.7) if make is not pair else pair((0.7, 0.7))
    point = qtd.operate(device)
    assert all(float(flow) == 0 for flow in point.heat_currents.values())
    names = list(device.reservoirs)

    def flows(temperatures):
        changes = {
            f"reservoirs.{name}.temperature": temperatures[k] for k, name in enumerate(names)
        }
        moved = qtd.operate(qtd.replace(device, changes)).heat_currents
        return jnp.stack([moved[name] for name in names])

    slopes = jax.jit(jax.jacfwd(flows))(jnp.full(len(names), 0.7))
    noise = qtd.counting.covariance(device, "heat").matrix
    np.testing.assert_allclose(noise, 2 * 0.7**2 * slopes, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    ("width", "heights"),
    [(1e-6, (1e-6, 1e-6)), (1e-6, (1e-5, 3e-6)), (1e-5, (1e-4, 1e-7)), (1e-6, (1e-8, 2e-8))],
)
def test_tuned_narrow_filters_are_resistances_in_series_with_the_contacts(width, heights):
    """In a rotating frame, right to h d / e^2 and d^2 / e^2: N = (n_1 - n_2) / R, R = 1/h_1 + 1/h_2
    + 1/(2 d_1) + 1/(2 d_2) + (s + 1/s - 2) / (2 (d_1 + d_2)) with s = h_2 d_2 / (h_1 d_1)."""
    widths = (width, 2 * width)
    filters = ((1.0, widths[0], heights[0], 1.0), (1.0, widths[1], heights[1], 0.5))
    s = heights[1] * widths[1] / (heights[0] * widths[0])
    series = sum(1 / h for h in heights) + sum(1 / (2 * d) for d in widths)
    series += (s + 1 / s - 2) / (2 * sum(widths))
    wanted = (bose(1.0, 1.0) - bose(1.0, 0.5)) / series
    assert float(heat(oscillator(1.0, filters))) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize(
    ("height", "status"), [(1e-6, 0), (1e-9, qtd.Status.INACCURATE), (1e-12, qtd.Status.INACCURATE)]
)
def test_a_line_that_is_hardly_wider_than_rounding_has_a_status_that_tells(height, status):
    """Its points are known to 1e-16, the share 1e-16 / h of its width: numbers are kept."""
    filters = ((1.0, 0.1, height, 1.0), (1.0, 0.1, height, 0.5))
    point = qtd.operate(oscillator(1.0, filters))
    wanted = (bose(1.0, 1.0) - bose(1.0, 0.5)) * height / 2 * 400 / 401  # J(W) = h / (1 + d^2 / 4)
    assert point.status == status
    allowed = 20 * height + 10 * 2.2e-16 / height
    assert float(point.heat_currents["0"]) == pytest.approx(wanted, rel=allowed)


@pytest.mark.parametrize("height", [1e-4, 1e-6])
def test_weak_coupling_is_the_golden_rule(height):
    """N = (n_1 - n_2) / (1/J_1(W) + 1/J_2(W)) up to terms of the order of the height."""
    filters = ((1.2, 0.1, height, 1.0), (0.9, 0.2, 2 * height, 0.5))
    rates = [float(Peaked(e, d, h)(1.0)) for e, d, h, _ in filters]
    wanted = (bose(1.0, 1.0) - bose(1.0, 0.5)) / sum(1 / rate for rate in rates)
    assert float(heat(oscillator(1.0, filters))) == pytest.approx(wanted, rel=20 * height)
    # Of a network of many levels this is the steady state, too.
    levels = 60
    jumps = [(name, n, n + 1, n + 1.0) for name in ("0", "1") for n in range(levels)]
    reservoirs = {str(k): bath(*values) for k, values in enumerate(filters)}
    network = qtd.RateNetwork(jnp.arange(levels + 1.0), jumps, reservoirs)
    assert float(heat(network)) == pytest.approx(wanted, rel=1e-10)


def test_strongly_coupled_filters_against_quadrature_of_the_closed_form():
    for heights in ((0.8, 1.5), (2.0, 1.7)):
        device = 1.0, ((1.0, 0.1, heights[0], 1.0), (1.1, 0.2, heights[1], 0.3))
        wanted = integral(
            lambda w, device=device: w * transmission(w, device) * (bose(w, 1.0) - bose(w, 0.3))
        )
        assert float(heat(oscillator(*device))) == pytest.approx(wanted, rel=1e-10)


def stiffness(coupling):
    """Of the two oscillators of the ladder and the modes that their filters are, in coordinates of
    unit mass."""
    (first, second), filters = LADDER
    matrix = np.diag([first**2, second**2, *(e**2 + d**2 for e, d, _, _ in filters)])
    matrix[0, 1] = matrix[1, 0] = 2 * coupling * np.sqrt(first * second)
    for k, (energy, (e, d, h, _)) in enumerate(zip(LADDER[0], filters)):
        matrix[k, 2 + k] = matrix[2 + k, k] = -np.sqrt(2 * energy * h * e * d)
    return matrix


@pytest.mark.parametrize("coupling", [0.02, 0.2])
def test_coupled_oscillators_against_explicit_modes_with_friction(coupling):
    """Four coordinates y'' = -K y - 2 d y', and T = 4 (2 d_1 w) (2 d_2 w) |G_12|^2 between two."""
    widths = np.array([d for _, d, _, _ in LADDER[1]])
    friction, matrix = np.diag([0.0, 0.0, *(2 * widths)]), stiffness(coupling)

    def flow(w):
        green = np.linalg.inv(matrix - w**2 * np.eye(4) - 1j * w * friction)
        passed = 16 * widths[0] * widths[1] * w**2 * abs(green[2, 3]) ** 2
        return w * passed * (bose(w, 1.0) - bose(w, 0.4))

    assert float(heat(ladder(coupling))) == pytest.approx(integral(flow), rel=1e-10)


def test_coupled_oscillators_against_reservoirs_of_many_modes():
    """Two reservoirs of 500 oscillators each, solved as one closed system: after transients, and
    long before the first echo, the same heat leaves them."""
    energies, filters = LADDER
    count, high, time, coupling = 500, 6.0, 350.0, 0.2
    step = high / count
    modes = (np.arange(count) + 0.5) * step
    bare = np.concatenate([energies, modes, modes])
    temperatures = np.concatenate([[0.5, 0.5], *(np.full(count, f[3]) for f in filters)])
    matrix = np.diag(bare**2)
    matrix[0, 1] = matrix[1, 0] = 2 * coupling * np.sqrt(energies[0] * energies[1])
    for k, (e, d, h, _) in enumerate(filters):
        strengths = np.asarray(Peaked(e, d, h)(jnp.asarray(modes))) * step / (2 * np.pi)
        places = slice(2 + k * count, 2 + (k + 1) * count)
        matrix[k, places] = matrix[places, k] = 2 * np.sqrt(strengths * energies[k] * modes)
    squares, vectors = np.linalg.eigh(matrix)
    proper = np.sqrt(squares)

    def evolved(values):
        return (vectors * values) @ vectors.T

    cosine, sine = evolved(np.cos(proper * time)), evolved(np.sin(proper * time) / proper)
    slope = evolved(-np.sin(proper * time) * proper)
    spread = (0.5 + bose(bare, temperatures)) / bare  # of coordinates; that of momenta w^2 times
    together = cosine @ np.diag(spread) @ slope.T + sine @ np.diag(spread * bare**2) @ cosine.T
    for k in (0, 1):
        places = slice(2 + k * count, 2 + (k + 1) * count)
        leaves = matrix[k, places] @ together[k, places]
        assert float(heat(ladder(coupling), str(k))) == pytest.approx(leaves, rel=1e-4)


def test_three_reservoirs_keep_both_laws_and_the_law_of_noise():
    device = pair()
    flow = currents(device.conductor())
    heats = np.array([float(flow.heat_currents[name]) for name in device.reservoirs])
    assert abs(heats.sum()) < 1e-15 and np.abs(heats).min() > 1e-4
    assert float(flow.entropy_production) > 0 and heats[0] > 0 > heats[1]
    np.testing.assert_allclose(flow.heat_noise.sum(0), 0, atol=1e-15)
    assert int(flow.status) == 0


def test_oscillators_that_do_not_see_each_other_add_up():
    alone = sum(
        float(heat(oscillator(energy, ((1.0, 0.1, 0.2, 1.0), (1.1, 0.1, 0.1, 0.4)))))
        for energy in (0.9, 1.2)
    )
    reservoirs = {"0": bath(1.0, 0.1, 0.2, 1.0), "1": bath(1.1, 0.1, 0.1, 0.4)}
    both = HarmonicDevice([0.9, 1.2], dict.fromkeys(reservoirs, np.eye(2)), reservoirs)
    assert float(heat(both)) == pytest.approx(alone, rel=1e-12)


def test_modes_that_are_mixed_by_their_coupling_are_those_of_the_mixed_ones():
    """Of two oscillators of one energy W the sum has the energy (W^2 + 2 W g)^(1/2): a filter that
    sees only the sum sees one oscillator."""
    reservoirs = {"0": bath(1.0, 0.1, 0.2, 1.0), "1": bath(1.1, 0.1, 0.1, 0.4)}
    g, w = 0.2, 1.0
    both = HarmonicDevice(
        [w, w], dict.fromkeys(reservoirs, [0.5**0.5] * 2), reservoirs, [[0, g], [g, 0]]
    )
    energy = np.sqrt(w**2 + 2 * w * g)
    strength = {name: [(w / energy) ** 0.5] for name in reservoirs}
    one = HarmonicDevice([energy], strength, reservoirs)
    assert float(heat(both)) == pytest.approx(float(heat(one)), rel=1e-11)


def test_poles_are_those_of_the_explicit_modes():
    real, imaginary = ladder(0.2).oscillators().poles()
    friction = np.diag([0.0, 0.0, *(2 * d for _, d, _, _ in LADDER[1])])
    motion = np.block([[np.zeros((4, 4)), np.eye(4)], [-stiffness(0.2), -friction]])
    wanted = 1j * np.linalg.eigvals(motion)
    found = np.asarray(real) + 1j * np.asarray(imaginary)
    assert np.abs(found[:, None] - wanted[None]).min(1).max() < 1e-13
    assert np.abs(found[:, None] - wanted[None]).min(0).max() < 1e-13


SLOPES = {
    "energies": ([1.0, 1.3], [1.0, -0.5]),
    "reservoirs.0.spectral_density.center": (1.1, 1.0),
    "reservoirs.0.spectral_density.width": (0.1, 0.2),
    "reservoirs.1.spectral_density.height": (0.2, 0.5),
    "reservoirs.1.temperature": (0.4, 0.5),
    "couplings": ([[0.0, 0.2], [0.2, 0.0]], [[0.0, 1.0], [1.0, 0.0]]),
    "filters.0": ([[1.0], [0.0]], [[1.0], [0.3]]),
}


@functools.cache
def slopes():
    """The device with numbers at all paths moved together, and how its heat and noise change by
    each of them."""

    def of(numbers):
        point = qtd.operate(qtd.replace(ladder(), numbers))
        return jnp.stack([point.heat_currents["0"], point.heat_covariance["0", "0"]])

    at = {path: jnp.asarray(value) for path, (value, _) in SLOPES.items()}
    return jax.jit(of), at, jax.jit(jax.jacrev(of))(at)


@pytest.mark.parametrize("path", SLOPES)
def test_slopes_of_heat_and_noise_are_differences(path):
    of, at, found = slopes()
    direction = jnp.asarray(SLOPES[path][1])
    wanted = central_difference(lambda x: of({**at, path: at[path] + x * direction}), 0.0, 1e-3)
    moved = (found[path] * direction[None]).reshape(2, -1).sum(1)
    np.testing.assert_allclose(moved, wanted, rtol=1e-6)


def test_a_filter_of_height_0_has_finite_slopes():
    """The trap: amplitudes are proportional to roots of heights, whose slopes at 0 are infinite."""

    def of(height):
        point = qtd.operate(oscillator(1.0, ((1.0, 0.1, 0.2, 1.0), (1.1, 0.1, height, 0.4))))
        return jnp.stack([point.heat_currents["0"], point.heat_covariance["0", "0"]])

    values, slopes = jax.jit(of), jax.jit(jax.jacrev(of))
    np.testing.assert_allclose(values(0.0), 0.0, atol=1e-30)
    wanted = (18 * values(1e-4) - 9 * values(2e-4) + 2 * values(3e-4)) / 6e-4
    np.testing.assert_allclose(slopes(0.0), wanted, rtol=1e-6)


def test_a_batch_is_a_loop():
    energies = jnp.array([0.9, 1.0, 1.2])

    def of(energy):
        return heat(oscillator(energy, TUNED[1]))

    batch = jax.jit(jax.vmap(of))(energies)
    np.testing.assert_allclose(batch, [float(of(x)) for x in energies], rtol=1e-13)


def test_an_unstable_device_is_refused_or_has_a_status_that_tells():
    """W^2 = 2 W h e d / (e^2 + d^2) at a height of 5.05."""
    filters = ((1.0, 0.1, 5.1, 1.0), (1.0, 0.1, 0.0, 0.5))
    with pytest.raises(ValueError, match="unstable"):
        oscillator(1.0, filters)
    stable = oscillator(1.0, ((1.0, 0.1, 5.0, 1.0), filters[1]))
    assert float(stable.oscillators().margin()) == pytest.approx(0.5 - 5 * 0.1 / 1.01, rel=1e-12)
    with pytest.raises(ValueError, match="unstable"):
        qtd.replace(stable, {"reservoirs.0.spectral_density.height": 5.1})

    def of(height):
        changed = qtd.replace(stable, {"reservoirs.0.spectral_density.height": height})
        point = qtd.operate(changed)
        return point.heat_currents["0"], point.heat_covariance["0", "0"], point.status

    flow, noise, status = map(np.asarray, jax.jit(jax.vmap(of))(jnp.array([1.0, 5.1, 5.0, -1.0])))
    assert status.tolist() == [0, qtd.Status.UNSTABLE, 0, qtd.Status.INVALID_PARAMETER]
    assert np.isnan(flow).tolist() == np.isnan(noise).tolist() == [False, True, False, True]
    coupled = [[0.0, 0.6], [0.6, 0.0]]
    with pytest.raises(ValueError, match="unstable"):
        HarmonicDevice([1.0, 1.0], {"a": 0}, {"a": bath(1.0, 0.1, 0.1, 1.0)}, coupled)


def test_a_zero_of_temperature_takes_what_quanta_there_are():
    vacuum = qtd.reservoirs.ZeroTemperatureReservoir(spectral_density=Peaked(1.1, 0.06, 0.05))
    reservoirs = {"0": bath(*DETUNED[1][0]), "1": vacuum}
    device = HarmonicDevice(1.02, {"0": 0, "1": 0}, reservoirs)
    wanted = integral(lambda w: w * transmission(w, DETUNED) * bose(w, 1.2))
    found = currents(device.conductor()).heat_currents["0"]
    assert float(found) == pytest.approx(wanted, rel=1e-11)


def test_single_precision_keeps_its_type():
    device = jax.tree.map(lambda x: x.astype(jnp.float32), oscillator(*DETUNED))
    flow = currents(device.conductor())
    assert flow.heat_currents["0"].dtype == jnp.float32
    assert float(flow.heat_currents["0"]) == pytest.approx(0.0073841126, rel=1e-5)


def test_a_harmonic_device_is_swept_and_audited_as_a_conductor():
    device = oscillator(*DETUNED)
    over = {"reservoirs.0.temperature": jnp.array([1.0, 1.2])}
    table = qtd.sweep(device, over=over, observe=["J_0", "S_0"], store=None)
    assert float(table.J_0[1]) == pytest.approx(0.0073841126208947, rel=1e-11)
    assert set(qtd.audits.checks_of(device)) == set(qtd.audits.checks_of(device.conductor()))


def test_what_it_is_made_of_must_fit():
    reservoirs = {"a": bath(1.0, 0.1, 0.1, 1.0)}

    def refused(match, *arguments, **more):
        with pytest.raises(ValueError, match=match):
            HarmonicDevice(*arguments, **more)

    refused("`energies` must be positive", [-1.0], {"a": 0}, reservoirs)
    refused("`energies` must be a list", [[1.0]], {"a": 0}, reservoirs)
    refused("index of one of 2 oscillators", [1.0, 1.2], {"a": 2}, reservoirs)
    refused("one row for each of 2", [1.0, 1.2], {"a": [1.0]}, reservoirs)
    refused("name each of the reservoirs", 1.0, {"b": 0}, reservoirs)
    refused("matrix between 2", [1.0, 1.2], {"a": 0}, reservoirs, [[0.0]])
    refused("symmetric", [1.0, 1.2], {"a": 0}, reservoirs, [[0.0, 0.1], [0.2, 0.0]])
    refused("diagonal of 0", [1.0, 1.2], {"a": 0}, reservoirs, [[0.1, 0.1], [0.1, 0.0]])
    with pytest.raises(ValueError, match="same names"):
        Oscillators(1.0, {"a": 0}, {"b": Peaked(1.0, 0.1, 0.1)})
    ohmic = qtd.Reservoir(1.0, spectral_density=Ohmic(0.1, 10.0))
    refused("susceptibility is known, such as `Peaked`.*Ohmic", 1.0, {"a": 0}, {"a": ohmic})
    density = Peaked(1.0, 0.1, 0.1)
    shifted = qtd.Reservoir(1.0, -0.1, spectral_density=density)
    refused("`chemical_potential` of 'a' must be 0", 1.0, {"a": 0}, {"a": shifted})
    lead = qtd.Reservoir(1.0, 0.0, "fermi", spectral_density=density)
    refused("must be of bosons", 1.0, {"a": 0}, {"a": lead})


def test_its_numbers_are_parameters_by_path():
    device = oscillator(*DETUNED)
    assert {"energies", "couplings", "filters.0", "reservoirs.0.spectral_density.center"} <= set(
        qtd.parameters(device)
    )
    slope = eqx.filter_grad(heat)(device)
    assert all(
        np.isfinite(float(getattr(slope.reservoirs["0"].spectral_density, name)))
        for name in ("center", "width", "height")
    )
    moved = qtd.replace(device, {"reservoirs.0.spectral_density.height": 0.1})
    assert float(moved.oscillators().densities["0"].height) == 0.1
