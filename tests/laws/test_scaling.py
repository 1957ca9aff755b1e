"""Units are free, rates scale what they drive, and the generating function is symmetric under
reversal of time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import COLLECTIVE_NAMES, COLLECTIVE_PATHS, collective

import qtd

from .devices import EPS, by_column, log_floats, refrigerators, solver

pytestmark = pytest.mark.digits

solve = solver("collective refrigerator")
HEIGHTS = np.array([path.endswith("height") for path in COLLECTIVE_PATHS])


@jax.jit
def cumulants(vector):
    return collective(vector, 9).cumulants("cold", order=4)


@jax.jit
def eigenvalue(vector, fields):
    return qtd.counting.generating_function(
        collective(vector, 9).network(), dict(zip(COLLECTIVE_NAMES, fields))
    )


@given(refrigerators(coldest=0.1, narrowest=1e-4), log_floats(1e-12, 1e12))
def test_scaling_all_heights_scales_all_cumulants(vector, factor):
    first, second = (
        np.asarray(cumulants(jnp.asarray(x)))
        for x in (vector, np.where(HEIGHTS, factor * vector, vector))
    )
    # A cumulant of order n is a sum of terms of the size of flux * charge^(n-1); what is counted
    # together is a gap of up to 24 at N = 9, or the longer trains of quanta that slow levels make,
    # which the noise shows.
    flux = float(solve(vector).gross.sum())
    scale = flux * max(24.0, float(first[1]) / flux) ** np.arange(4)
    np.testing.assert_array_less(
        np.abs(second / factor - first), 1e-11 * scale + 1e-10 * np.abs(first)
    )


@given(refrigerators(), st.integers(-40, 40))
def test_the_unit_of_energy_is_free(vector, power):
    unit = 2.0**power  # so that the parameters themselves, narrow filters above all, do not round

    def numbers(found):
        return np.array([found.heat[0], found.noise[0, 0], found.entropy_production])

    at_one = solve(vector)
    here, there = numbers(at_one), numbers(solve(vector * unit))
    rounding = (
        10 * EPS * float(at_one.gross.sum()) * np.array([1, 24, 1 / by_column(vector)[0].min()])
    )
    powers = np.array([2, 3, 1])  # heat per time, its noise, entropy per time
    np.testing.assert_array_less(
        np.abs(there / unit**powers - here), 1e-11 * np.abs(here) + rounding
    )


@given(
    refrigerators(coldest=0.3, narrowest=1e-4),
    st.tuples(*[st.floats(0, 1)] * 3),
    st.floats(-0.1, 0.1),
)
def test_fluctuation_theorem(vector, parts, shift):
    inverse = 1 / by_column(vector)[0]
    fields = np.array(parts) * inverse
    forward, mirrored = (
        float(eigenvalue(jnp.asarray(vector), jnp.asarray(x)))
        for x in (fields, inverse - fields + shift)
    )
    # The eigenvalue is small against the rates it comes from; both are known to a few ulp of the
    # fastest that matters.
    assert abs(forward - mirrored) <= 1e-9 * max(abs(forward), abs(mirrored)) + 1e-13 * float(
        solve(vector).gross.sum()
    )
