"""Trajectories of equations that have closed solutions."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qtd._numerics import trajectories
from qtd._numerics.trajectories import Equation, at_times, course, first_rise

pytestmark = pytest.mark.digits


class Turning(NamedTuple):
    """A spiral, dr/dt = growth * r^3 - damping * r, that turns at a constant `frequency`.

    At radii below `ended` it has ended, and below `settled` it has settled.
    """

    damping: jax.Array
    frequency: jax.Array
    growth: jax.Array
    ended: jax.Array
    settled: jax.Array


def turning(damping=0.3, frequency=1.1, growth=0.0, ended=0.0, settled=0.0):
    return Turning(*(jnp.asarray(x, float) for x in (damping, frequency, growth, ended, settled)))


def speed(state, at):
    x, y = state
    pull = at.growth * (x**2 + y**2) - at.damping
    return jnp.stack([pull * x - at.frequency * y, pull * y + at.frequency * x])


def ends(state, at):
    return jnp.hypot(*state) < at.ended


def settled(state, at):
    return jnp.hypot(*state) < at.settled


def scale(state, at):
    return 0.01 + jnp.abs(state)


SPIRAL = Equation(speed, ends, scale)


def height(state, at):
    """0 where the spiral crosses a line through the origin."""
    return state[0]


def exact(state, time, at):
    """The spiral at this time."""
    square = (state**2).sum()
    passed = -jnp.expm1(-2 * at.damping * time)
    scale = jnp.exp(-at.damping * time) / jnp.sqrt(1 - at.growth * square / at.damping * passed)
    c, s = jnp.cos(at.frequency * time), jnp.sin(at.frequency * time)
    return scale * jnp.stack([c * state[0] - s * state[1], s * state[0] + c * state[1]])


exact_states = jax.jit(jax.vmap(jax.vmap(exact, in_axes=(None, 0, None)), in_axes=(0, None, 0)))
exact_each = jax.jit(jax.vmap(exact))


def stacked(*cases):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *cases)


# Every step keeps its error below a tenth of this.
PRECISION = 1e-10
TIMES = jnp.array([0.0, 0.4, 0.4, 1.3, 4.0])
FORWARDS = jnp.array([1.0, 0.0])
STARTS = jnp.stack([FORWARDS] * 7).at[1].set(jnp.array([0.3, -0.4]))
CASES = stacked(
    turning(),
    turning(damping=1.0, frequency=-3.0, growth=-2.0),
    turning(damping=0.0625, frequency=0.5, growth=0.05),
    turning(ended=0.75),
    turning(damping=0.5, growth=1.0),
    turning(frequency=np.nan),
    turning(frequency=1e4),
)
STRONG, ENDING, EXPLODING, UNKNOWN, FAST = 1, 3, 4, 5, 6
REGULAR = slice(0, 3)


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    """Few trajectories here need more, and those that cannot go on try as many as they may."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajectories, "_STEPS", 1000)
        yield


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, None, 0))
def courses(start, times, at):
    return course(SPIRAL, start, times, at)


@pytest.fixture(scope="module")
def moved(few_steps):
    """States and last times of all cases, and the states of the closed solution."""
    found = courses(STARTS, TIMES, CASES)
    arrays = found.states, found.last, exact_states(STARTS, TIMES, CASES)
    return tuple(np.asarray(x) for x in arrays)


def test_states_are_those_of_the_closed_solution(moved):
    states, last, wanted = moved
    np.testing.assert_allclose(states[REGULAR], wanted[REGULAR], rtol=0, atol=50 * PRECISION)
    assert np.array_equal(states[REGULAR, 0], STARTS[REGULAR])
    assert np.all(last[REGULAR] == 4.0)


def test_a_time_asked_for_twice_gives_one_state_twice(moved):
    states, _, _ = moved
    assert np.array_equal(states[:, 1], states[:, 2], equal_nan=True)


def test_states_beyond_the_end_of_a_trajectory_are_not_numbers(moved):
    states, last, wanted = moved
    # The radius falls as e^(-damping * time); the end is that of the step in which it is too small.
    ended = -np.log(0.75) / 0.3
    assert ended <= last[ENDING] < 4.0
    before = np.asarray(TIMES) < ended
    found, known = states[ENDING][before], wanted[ENDING][before]
    np.testing.assert_allclose(found, known, rtol=0, atol=50 * PRECISION)
    assert np.array_equal(np.isnan(states[ENDING]).all(1), np.asarray(TIMES) > last[ENDING])
    assert np.isnan(states[ENDING]).any()


def test_a_trajectory_ends_where_its_numbers_stop_being_finite(moved):
    states, last, wanted = moved
    # 1 = growth / damping * (1 - e^(-2 damping * time))
    explosion = np.log(2.0)
    assert float(last[EXPLODING]) == pytest.approx(explosion, rel=1e-8)
    np.testing.assert_allclose(states[EXPLODING, :3], wanted[EXPLODING, :3], rtol=1e-8)
    assert np.isnan(states[EXPLODING, 3:]).all()
    # Nothing is known from the start on, and the others do not notice.
    assert last[UNKNOWN] == 0
    assert np.array_equal(states[UNKNOWN, 0], STARTS[UNKNOWN])
    assert np.isnan(states[UNKNOWN, 1:]).all()


def test_all_times_may_be_nought():
    states, last = (x[REGULAR] for x in courses(STARTS, 0 * TIMES, CASES)[:2])
    assert np.array_equal(states, np.broadcast_to(STARTS[REGULAR, None], states.shape))
    assert np.all(last < 1e-100)


def test_a_trajectory_of_too_many_steps_ends_where_they_do(moved):
    states, last, _ = moved
    # A thousand steps of a radian or so.
    assert 100 / 1e4 < last[FAST] < 3000 / 1e4
    assert np.array_equal(states[FAST, 0], STARTS[FAST])
    assert np.isnan(states[FAST, 1:]).all()


def test_a_single_trajectory_is_that_of_a_batch_and_has_its_closed_derivatives(moved):
    def reached(start, times, at):
        states = at_times(SPIRAL, course(SPIRAL, start, times, at).states, times, at)
        return states, states

    case = jax.tree.map(lambda x: x[STRONG], CASES)
    tangents = jax.jit(jax.jacfwd(reached, (0, 1, 2), has_aux=True))
    slopes, states = tangents(STARTS[STRONG], TIMES, case)
    np.testing.assert_allclose(states, moved[0][STRONG], rtol=0, atol=PRECISION)
    known = jax.vmap(exact, in_axes=(None, 0, None))
    wanted = jax.jit(jax.jacfwd(known, (0, 1, 2)))(STARTS[STRONG], TIMES, case)
    for found, exactly in zip(jax.tree.leaves(slopes), jax.tree.leaves(wanted)):
        np.testing.assert_allclose(found, exactly, rtol=0, atol=100 * PRECISION)


# Stiff equations.


def following(state, at):
    """A pair that turns, and a third number that follows the first one at a rate."""
    x, y, z = state
    rate, frequency = at
    return jnp.stack([-frequency * y, frequency * x, rate * (x - z) - frequency * y])


def never(state, at):
    return jnp.zeros((), bool)


FOLLOWING = Equation(following, never, scale)
RATES = jnp.array([1.0, 1e3, 1e6, 1e9])


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, None, 0))
def stiff_courses(start, times, rate):
    return course(FOLLOWING, start, times, (rate, jnp.ones_like(rate)))


def test_stiff_trajectories_take_few_steps_however_fast_one_of_the_rates_is():
    start, times = jnp.array([1.0, 0.0, 3.0]), np.array([0.0, 0.5, 2.0])
    states, last, _ = stiff_courses(start, times, RATES)
    # In 1000 steps an explicit method, stable up to some ten times 1 / rate each, comes to 1e-2.
    assert np.all(last == 2.0)
    x, y = np.cos(times), np.sin(times)
    for rate, found in zip(RATES, states):
        wanted = np.stack([x, y, x + 2 * np.exp(-float(rate) * times)], axis=1)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2 * PRECISION)


def test_stiff_trajectories_have_the_derivatives_of_their_slow_part():
    def at_end(frequency):
        return course(
            FOLLOWING, jnp.array([1.0, 0.0, 3.0]), jnp.array([2.0]), (RATES[3], frequency)
        ).states[0]

    # The follower is z = x up to 1 / rate, so all turn by frequency * time.
    slopes = jax.jit(jax.jacfwd(at_end))(1.0)
    np.testing.assert_allclose(
        slopes, 2 * np.array([-np.sin(2), np.cos(2), -np.sin(2)]), rtol=0, atol=1e-8
    )


def test_nothing_of_a_trajectory_is_left_to_lapack():
    lowered = stiff_courses.lower(jnp.ones(3), jnp.ones(3), RATES).as_text().lower()
    assert "while" in lowered and "lapack" not in lowered


# When something happens for the first time.


def at_once(state, *_):
    return jnp.ones((), bool)


@jax.jit
@jax.vmap
def rises(start, at, horizon):
    return first_rise(SPIRAL, start, at, height, at_once, settled, horizon)


BEGINNINGS = stacked(*[FORWARDS] * 6, -FORWARDS)
HAPPENINGS = stacked(
    turning(),
    turning(growth=-0.2),
    turning(),
    turning(settled=0.3),
    turning(ended=0.3),
    turning(damping=0.5, growth=1.0),
    turning(),
)
LATE, SETTLED, ENDED, GONE = 2, 3, 4, 5
HORIZONS = jnp.full(7, 100.0).at[LATE].set(4.0)
# A spiral that starts on the right crosses the vertical line to the left first, then to the right.
QUARTER = np.pi / 2 / 1.1


@pytest.fixture(scope="module")
def searched(few_steps):
    """What was found in each case."""
    return jax.tree.map(np.asarray, rises(BEGINNINGS, HAPPENINGS, HORIZONS))


def test_the_first_rise_is_found_and_a_fall_before_it_is_not(searched):
    assert np.array_equal(searched.happened, [True, True, False, False, False, False, True])
    wanted = np.array([3, 3, 1]) * QUARTER
    there = searched.happened
    np.testing.assert_allclose(searched.time[there], wanted, rtol=PRECISION)
    np.testing.assert_allclose(searched.state[there][:, 0], 0, atol=PRECISION)
    # It is left at the end of the step.
    assert np.all(searched.left_at[there] >= wanted) and np.all(
        searched.left_at[there] < wanted + QUARTER
    )


def test_a_trajectory_is_left_where_it_was_at_that_time(searched):
    regular = np.arange(len(HORIZONS)) != GONE
    wanted = exact_each(BEGINNINGS, searched.left_at, HAPPENINGS)
    np.testing.assert_allclose(searched.left[regular], wanted[regular], rtol=0, atol=PRECISION)


def test_a_search_ends_at_its_horizon_or_where_the_trajectory_settles_or_ends(searched):
    assert searched.left_at[LATE] == HORIZONS[LATE]
    for k in (SETTLED, ENDED):
        assert -np.log(0.3) / 0.3 <= searched.left_at[k] < 3 * QUARTER
        assert np.hypot(*searched.left[k]) < 0.3
    assert searched.left_at[GONE] == pytest.approx(np.log(2.0), rel=1e-8)
    assert np.array_equal(np.flatnonzero(searched.ended), [ENDED, GONE])


def test_a_rise_that_ends_a_step_is_found_there():
    """A value that is 0 there leaves nothing to search."""
    rising = Equation(
        lambda state, at: jnp.ones_like(state),
        lambda *_: jnp.zeros((), bool),
        lambda state, at: jnp.ones_like(state),
    )

    def above(state, at):
        return jnp.where(state[0] > 0, 0.0, -1.0)

    found = jax.jit(
        lambda: first_rise(
            rising, jnp.zeros(1), turning(), above, at_once, lambda *_: jnp.zeros((), bool), 1.0
        )
    )()
    assert bool(found.happened) and float(found.time) == float(found.left_at) > 0
    assert float(found.state[0]) == pytest.approx(float(found.time), rel=1e-14)


def test_a_rise_counts_only_if_it_stays():
    """The height rises again and again, each time less high; the first one is too low, and so are
    all."""

    def stays(limit):
        return lambda state, before, after, at: state[0] > jnp.maximum(limit, after[0])

    def search(limit):
        return first_rise(
            SPIRAL, FORWARDS, turning(), height, stays(limit), settled, jnp.asarray(40.0)
        )

    # A quarter of a turn after the first rise the height is nearly exp(-0.3 * 4 * QUARTER) = 0.18.
    low, high = jax.jit(lambda: (search(0.1), search(0.3)))()
    assert low.happened and float(low.time) == pytest.approx(3 * QUARTER, rel=PRECISION)
    assert not high.happened and float(high.left_at) == 40.0


# Types.


def test_float32_stays_float32():
    start, times, at = jax.tree.map(lambda x: x.astype(jnp.float32), (FORWARDS, TIMES, turning()))

    reached = jax.jit(functools.partial(course, SPIRAL))(start, times, args=at)
    assert {x.dtype for x in reached[:2]} == {np.dtype(np.float32)}
    wanted = exact_states(FORWARDS[None], TIMES, stacked(turning()))[0]
    np.testing.assert_allclose(reached.states, wanted, rtol=0, atol=1e-4)  # steps are good to 1e-5
