"""Claims of the paper on the quantum motor about the rotors of Fig. 2."""

import numpy as np

from ..._claim import Outcome, claim, claims_in
from ..devices import (
    BISTABLE,
    Flywheel,
    bistable_load,
    bistable_torque,
    exact_velocities,
    motor,
    series_at,
    settled,
    steady_velocities,
    steady_velocity,
)

__all__ = ["CLAIMS"]

REPULSIONS = (20.0, 40.0)


@claim(
    "Fig. 2a",
    "at C_ext = 0.5 C_F^(0) the rotor settles at a velocity of positive sign, a motor",
    printed="motor",
)
def it_settles_as_a_motor() -> Outcome:
    return _settles(0.5, sign=1)


@claim(
    "Fig. 2b",
    "at C_ext = 1.5 C_F^(0) the rotor settles at a velocity of negative sign, a pump",
    printed="pump",
)
def it_settles_as_a_pump() -> Outcome:
    return _settles(1.5, sign=-1)


def _settles(load, sign):
    """The outcome for a rotor that should settle at a velocity of this sign under a load."""
    torque = series_at(100.0, 2.0).torque
    velocity = steady_velocity(torque, load, 1)
    values, stable = steady_velocities(torque, load * torque[0], 3)
    to_third_order = values[stable][0]
    change = abs(to_third_order / velocity - 1)
    return Outcome(
        {
            "one stable velocity": stable.sum() == 1,
            "its sign": sign * velocity > 0,
            "higher orders change little": change < 0.01,
        },
        {"v, order 1": velocity, "v, order 3": to_third_order},
        f"third order changes it by {100 * change:.2f} %",
    )


@claim(
    "Fig. 2a, b",
    "with a large moment of inertia the velocity hardly varies within a cycle and follows from the"
    " integrated torque",
    printed="large inertia",
)
def a_heavy_rotor_turns_evenly() -> Outcome:
    torque = series_at(100.0, 2.0).torque
    load = torque[0] / 2
    ideal = steady_velocity(torque, 0.5, 1)
    light, ripple = settled(100.0, 2.0, load, inertia=1e8)
    heavy, heavy_ripple = settled(100.0, 2.0, load, inertia=1e10)
    fewer_shifts = (light - ideal) / (heavy - ideal)
    fewer_ripples = ripple / heavy_ripple
    return Outcome(
        {
            "it follows from the integrated torque": abs(heavy / ideal - 1) < 1e-3,
            "the ripple falls as 1 / I": 80 < fewer_ripples < 120,
            "the shift falls as 1 / I": 80 < fewer_shifts < 120,
        },
        {
            "mean v, I = 1e8": light,
            "ripple, I = 1e8": ripple,
            "shift, I = 1e8": light / ideal - 1,
            "shift, I = 1e10": heavy / ideal - 1,
        },
        f"from I = 1e8 to 1e10 the shift falls by a factor of {fewer_shifts:.0f}, the ripple by "
        f"{fewer_ripples:.0f}; the paper does not give I",
    )


def _bistable_velocities(repulsion, order=3):
    """The steady velocities of Fig. 2(c) by order, and whether they are stable."""
    return steady_velocities(bistable_torque(repulsion), bistable_load(repulsion), order)


@claim(
    "Fig. 2c",
    "to third order two stable velocities of opposite sign, and an unstable one between them",
    printed="-7.4e-3, 2e-3, 6.7e-3",
)
def there_are_two_stable_velocities_to_third_order() -> Outcome:
    printed = np.array([-7.4e-3, 2e-3, 6.7e-3])
    alike = {}
    off = {}
    numbers = {}
    for repulsion in REPULSIONS:
        values, stable = _bistable_velocities(repulsion)
        three = len(values) == 3 and stable.tolist() == [True, False, True]
        alike[repulsion] = three and values[0] < 0 < values[1]
        off[repulsion] = np.max(np.abs(values - printed)) if len(values) == 3 else np.inf
        for i, velocity in enumerate(values, 1):
            numbers[f"v{i}, U = {repulsion:g}"] = velocity
    return Outcome(
        {"two stable ones at U = 20": alike[20.0], "as printed at U = 20": off[20.0] < 0.5e-4},
        numbers,
        f"at its U = 20 the velocities are off the paper's by up to {off[20.0]:.1e}, at U = 40 by"
        f" up to {off[40.0]:.0e}",
    )


@claim(
    "Fig. 2c",
    "the next order, C_F^(4), has a negligible effect on these solutions",
    printed="negligible",
)
def the_next_order_is_negligible() -> Outcome:
    torque = bistable_torque(40.0)
    slowest = _bistable_velocities(40.0)[0][0]
    terms = {k: torque[k] * slowest**k for k in (3, 4, 5)}
    values, stable = _bistable_velocities(40.0, order=5)
    numbers = {f"C_F^({k}) v1^{k}": abs(term) for k, term in terms.items()}
    return Outcome(
        {
            "the fourth order below the third": abs(terms[4]) < 0.01 * abs(terms[3]),
            "the fifth order below the third": abs(terms[5]) < abs(terms[3]),
            "three velocities to order 5": len(values) == 3,
        },
        numbers | {"v, order 5": values[0]},
        f"at U = 40 it is {abs(terms[4] / terms[3]):.0e} of the third order, the fifth is "
        f"{abs(terms[5] / terms[3]):.1f} of it: of three velocities order 5 leaves {len(values)}, "
        f"with {stable.sum()} stable",
    )


@claim(
    "Fig. 2c",
    "the rotor has two stable velocities of opposite sign: exactly in the velocity, -0.12 < v <"
    " 0.06",
    printed="two",
)
def there_are_two_stable_velocities_exactly() -> Outcome:
    parts = {}
    numbers = {}
    counts = {}
    for repulsion in REPULSIONS:
        values, stable = exact_velocities(repulsion)
        parts[f"at U = {repulsion:g}"] = set(np.sign(values[stable])) == {-1, 1}
        counts[repulsion] = stable.sum()
        for i, velocity in enumerate(values, 1):
            numbers[f"v{i}, U = {repulsion:g}"] = velocity
    numbers |= {f"stable, U = {repulsion:g}": count for repulsion, count in counts.items()}
    exact, exact_stable = exact_velocities(40.0)
    cubic, cubic_stable = _bistable_velocities(40.0)
    factors = exact[exact_stable] / cubic[cubic_stable]
    return Outcome(
        parts,
        numbers,
        f"stable are {counts[20.0]} at U = 20 and {counts[40.0]} at U = 40, where they are "
        f"{' and '.join(f'{factor:.1f}' for factor in factors)} times as fast as to third order",
    )


@claim(
    "Fig. 2c",
    "a rotor that starts between rest and the unstable velocity is trapped at rest",
    printed="trapped",
)
def a_slow_rotor_is_trapped() -> Outcome:
    trapped = {}
    for repulsion in REPULSIONS:
        trapped[repulsion] = _flywheel(repulsion, 2e7).turns(1.5e-3, 4000)
    lighter = _flywheel(40.0, 5e6).turns(1.5e-3, 20000)
    numbers = {f"stops in cycle, U = {u:g}": len(turns.means) for u, turns in trapped.items()}
    end = "stops" if lighter.stopped else f"settles at {lighter.means[-1]:.1e}"
    return Outcome(
        {f"at U = {u:g}": turns.stopped for u, turns in trapped.items()},
        numbers | {"v, I = 5e6, U = 40": lighter.means[-1]},
        "with I = 2e7, which is ours, from 1.5e-3; with I = 5e6, where the ripple is larger, it "
        f"{end}. By the map of the velocity over one cycle",
    )


def _flywheel(repulsion, inertia):
    """The rotor of Fig. 2(c) at positive velocities."""
    device = motor(*BISTABLE, repulsion=repulsion)
    return Flywheel(device, bistable_load(repulsion), inertia, 3e-4, 1.2e-2)


CLAIMS = claims_in(globals())
