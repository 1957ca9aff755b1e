import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import qtd
from qtd.machines import CollectiveRefrigerator

NAMES = ("cold", "hot", "work")
EPS = 2.2e-16
LAWS = settings(deadline=None, max_examples=60, derandomize=True)


def log_floats(low, high):
    return st.floats(np.log10(low), np.log10(high)).map(lambda x: float(10**x))


def three(strategy):
    return st.tuples(strategy, strategy, strategy)


@st.composite
def parameters(draw, coldest=0.02, narrowest=1e-6):
    """Temperatures over six decades, filters from needles to broad bands, near the resonances or far from them."""
    widths = draw(three(log_floats(narrowest, 2.0)))
    shifts = draw(three(st.floats(-1, 1)))
    centers = [gap + shift * min(5 * width, 1.5) for gap, shift, width in zip((2.0, 6.0, 4.0), shifts, widths)]
    rows = draw(three(log_floats(coldest, 2e4))), centers, widths, draw(three(log_floats(1e-3, 1e3)))
    return jnp.asarray(np.array(rows))


def machine(rows, num_spins=9):
    temperatures, centers, widths, heights = rows
    changes = {}
    for k, name in enumerate(NAMES):
        density = f"{name}.spectral_density."
        changes |= {f"{name}.temperature": temperatures[k], density + "height": heights[k]}
        changes |= {density + "center": centers[k], density + "width": widths[k]}
    return qtd.replace(CollectiveRefrigerator(num_spins), changes)


def off_diagonal(network):
    """Gaps and rates b -> a at [a, b] of each reservoir."""
    gaps = jnp.abs(network.energies[:, None] - network.energies[None])
    return [(gaps, qtd.rate_matrix(network, name) * (1 - jnp.eye(len(gaps)))) for name in NAMES]


@jax.jit
def operate(rows):
    """The operating point, and the gross energy flux through each reservoir that its heat current is the small difference of."""
    model = machine(rows)
    network = model.network()
    populations = qtd.steady_state(network)
    return model.operate(), jnp.stack([jnp.sum(rates * gaps * populations[None]) for gaps, rates in off_diagonal(network)])


@jax.jit
def populations(rows):
    return qtd.steady_state(machine(rows).network())


@jax.jit
def rates(rows):
    return off_diagonal(machine(rows).network())


@jax.jit
def cumulants(rows):
    return machine(rows).cumulants("cold", order=4)


@jax.jit
def _figures(rows, interaction):
    point = qtd.replace(machine(rows), {"interaction": interaction}).operate()
    return jnp.stack([point.heat_currents["cold"], point.heat_covariance["cold", "cold"], point.entropy_production])


def figures(rows, interaction):
    return np.asarray(_figures(rows, jnp.asarray(interaction)))


@jax.jit
def eigenvalue(rows, fields):
    return qtd.counting.generating_function(machine(rows).network(), dict(zip(NAMES, fields)))


@jax.jit
def response(rows):
    """Derivatives of the heat currents with respect to the temperatures, and the noise."""

    def currents(temperatures):
        point = machine(rows.at[0].set(temperatures)).operate()
        return jnp.stack([point.heat_currents[name] for name in NAMES]), point.heat_covariance

    slopes, noise = jax.jacfwd(currents, has_aux=True)(rows[0])
    return slopes, jnp.stack([jnp.stack([noise[a, b] for b in NAMES]) for a in NAMES])


def heat(point):
    return np.array([float(point.heat_currents[name]) for name in NAMES])


@LAWS
@given(parameters())
def test_first_law(rows):
    point, gross = operate(rows)
    assert point.status == 0
    # Each current is a difference of fluxes and known to an ulp of them: that is what remains when all currents vanish.
    assert abs(heat(point).sum()) <= 1e-12 * np.abs(heat(point)).max() + 4 * EPS * float(gross.max())


@LAWS
@given(parameters())
def test_second_law(rows):
    point, gross = operate(rows)
    rounding = 10 * EPS * float(jnp.sum(gross / rows[0]))
    assert float(point.entropy_production) >= -rounding


@LAWS
@given(parameters())
def test_currents_fluctuate_at_least_as_the_uncertainty_relation_says(rows):
    point, gross = operate(rows)
    for name, flux in zip(NAMES, gross):
        current, noise = float(point.heat_currents[name]), float(point.heat_covariance[name, name])
        if abs(current) > 1e-6 * float(flux):  # a current with ten digits; the entropy production may have fewer
            rounding = 10 * EPS * float(jnp.sum(gross / rows[0]))
            assert noise * (float(point.entropy_production) + rounding) >= 2 * current**2 * (1 - 1e-9)


@LAWS
@given(parameters())
def test_no_refrigerator_beats_carnot_or_its_own_noise(rows):
    rows = rows.at[0].set(jnp.sort(rows[0]) * jnp.array([1.0, 1.001, 1.01]))  # cold < hot < work
    point, gross = operate(rows)
    if float(point.heat_currents["cold"]) > 1e-9 * float(gross[0]) and float(point.heat_currents["work"]) > 1e-9 * float(gross[2]):
        assert point.mode == "refrigerator"
        assert float(point.cop) <= float(point.carnot_cop) * (1 + 1e-6) <= float(point.carnot_cop_hot_drive) * (1 + 2e-6)
        assert float(point.cop) <= float(point.cop_bound_from_noise) * (1 + 1e-6)


@LAWS
@given(parameters(coldest=0.04))
def test_equal_temperatures_leave_the_gibbs_state(rows):
    rows = rows.at[0].set(rows[0, 0])
    x = (np.arange(0.5, 5) ** 2 - 0.25) / float(rows[0, 0])
    expected = np.exp(-x) / np.exp(-x).sum()
    visible = expected > 1e-290
    # Boltzmann factors of the gaps, each right to a few ulp and to the rounding of its exponent, multiply up the ladder.
    tolerance = EPS * (40 + x[visible])
    assert np.all(np.abs(np.asarray(populations(rows))[visible] / expected[visible] - 1) <= tolerance)


@LAWS
@given(parameters(coldest=0.04))
def test_equal_temperatures_carry_no_current(rows):
    rows = rows.at[0].set(rows[0, 0])
    point, gross = operate(rows)
    assert np.all(np.abs(heat(point)) <= 20 * EPS * float(gross.sum()))


@LAWS
@given(parameters())
def test_rates_of_each_reservoir_obey_detailed_balance(rows):
    for temperature, (gaps, matrix) in zip(rows[0], rates(rows)):
        x, matrix = np.asarray(gaps) / float(temperature), np.asarray(matrix)
        jumps = (np.tril(matrix.T, -1) > 0) & (x < 650)
        ratio = matrix[jumps] / matrix.T[jumps]
        assert jumps.sum() >= 1
        assert np.all(np.abs(ratio / np.exp(-x[jumps]) - 1) <= EPS * (10 + 2 * x[jumps]))


@LAWS
@given(parameters(coldest=0.1, narrowest=1e-4), log_floats(1e-12, 1e12))
def test_scaling_all_heights_scales_all_cumulants(rows, factor):
    first, second = (np.asarray(cumulants(x)) for x in (rows, rows.at[3].multiply(factor)))
    _, gross = operate(rows)
    # A cumulant of order n is a sum of terms of the size of flux * charge^(n-1); what is counted together is a gap of up to 24 at
    # N = 9, or the longer trains of quanta that slow levels make, which the noise shows.
    flux = float(gross.sum())
    scale = flux * max(24.0, float(first[1]) / flux) ** np.arange(4)
    np.testing.assert_array_less(np.abs(second / factor - first), 1e-11 * scale + 1e-10 * np.abs(first))


@LAWS
@given(parameters(), st.integers(-40, 40))
def test_the_unit_of_energy_is_free(rows, power):
    unit = 2.0**power  # so that the parameters themselves, narrow filters above all, do not round
    here, there = figures(rows, 1.0), figures(rows.at[:].multiply(unit), unit)
    _, gross = operate(rows)
    rounding = 10 * EPS * float(gross.sum()) * np.array([1, 24, 1 / float(rows[0].min())])
    powers = np.array([2, 3, 1])  # heat per time, its noise, entropy per time
    np.testing.assert_array_less(np.abs(there / unit**powers - here), 1e-11 * np.abs(here) + rounding)


@LAWS
@given(parameters(coldest=0.3, narrowest=1e-4), three(st.floats(0, 1)), st.floats(-0.1, 0.1))
def test_fluctuation_theorem(rows, parts, shift):
    fields = jnp.asarray(np.array(parts)) / rows[0]
    forward, mirrored = (float(eigenvalue(rows, x)) for x in (fields, 1 / rows[0] - fields + shift))
    # The eigenvalue is small against the rates it comes from; both are known to a few ulp of the fastest that matters.
    _, gross = operate(rows)
    assert abs(forward - mirrored) <= 1e-9 * max(abs(forward), abs(mirrored)) + 1e-13 * float(gross.sum())


@LAWS
@given(parameters(coldest=0.2, narrowest=1e-4))
def test_near_equilibrium_noise_gives_the_response_and_reciprocity(rows):
    rows = rows.at[0].set(rows[0, 0])
    slopes, noise = (np.asarray(x) for x in response(rows))
    _, gross = operate(rows)
    # Johnson and Nyquist: dJ_r/dT_s = S_rs / (2 T^2). Slopes are differences of fluxes, noise is a sum of fluxes times gaps up to 24.
    atol = 1e-12 * np.abs(noise).max() + 24 * 10 * EPS * float(gross.sum())
    np.testing.assert_allclose(2 * float(rows[0, 0]) ** 2 * slopes, noise, rtol=1e-9, atol=atol)
