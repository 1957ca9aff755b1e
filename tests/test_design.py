import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import pytest
import scipy

import qtd
from qtd.cli._designs import front_report
from qtd.design._landscape import Landscape
from qtd.design._polish import continued
from qtd.spectral import WideBand

FRIDGE = qtd.machines.CollectiveRefrigerator(num_spins=5)
CENTER, WIDTH = "cold.spectral_density.center", "work.spectral_density.width"


def cooling(machine):
    return machine.operate().heat_currents["cold"]


def cop(machine):
    return machine.operate().cop


def test_an_interior_maximum_is_found_and_reported_as_converged():
    best = qtd.design.maximize(cooling, FRIDGE, {CENTER: (1.5, 2.5)}, starts=2, steps=40)
    assert best.converged and best.feasible and not best.active_bounds
    slope = jax.jit(jax.grad(lambda x: cooling(qtd.replace(FRIDGE, {CENTER: x}))))(
        best.parameters[CENTER]
    )
    assert abs(slope) < 1e-6 * abs(best.value)  # stationary
    assert best.value > cooling(FRIDGE)


def test_bounds_are_never_left_and_active_ones_are_named():
    # A bound may be an array.
    best = qtd.design.maximize(
        cooling, FRIDGE, {WIDTH: (jnp.array(1e-3), 1e-1)}, starts=2, steps=40
    )
    # A narrower work filter always cools more here.
    assert best.active_bounds == {WIDTH: "lower"} and best.converged
    np.testing.assert_allclose(best.parameters[WIDTH], 1e-3, rtol=1e-6)


def test_an_active_constraint_holds_with_equality():
    free = qtd.design.maximize(cooling, FRIDGE, {CENTER: (1.5, 2.5)}, starts=2, steps=40)
    least = float(cop(free.machine)) * 1.001
    best = qtd.design.maximize(
        cooling, FRIDGE, {CENTER: (1.5, 2.5)}, {"cop": (cop, least, None)}, starts=4, steps=60
    )
    assert best.feasible and best.converged and best.active_constraints == ("cop",)
    np.testing.assert_allclose(cop(best.machine), least, rtol=1e-6)
    assert best.value < free.value


def test_constraints_that_cannot_be_met_are_reported_not_hidden():
    best = qtd.design.maximize(
        cooling, FRIDGE, {CENTER: (1.5, 2.5)}, {"cop": (cop, 0.9, None)}, starts=2, steps=20
    )
    assert not best.feasible and not best.converged
    assert "'cop' was met from none of 2 starts" in best.message and "0.9" in best.message


def test_history_has_every_step_and_start_and_never_falls():
    best = qtd.design.maximize(cooling, FRIDGE, {CENTER: (1.5, 2.5)}, starts=3, steps=25)
    assert best.history.all_values.shape == (25, 3) and best.history.violations.shape == (25,)
    assert np.all(np.diff(best.history.values) >= 0)


def test_any_optax_optimiser_serves():
    best = qtd.design.maximize(
        cooling, FRIDGE, {CENTER: (1.5, 2.5)}, starts=1, steps=20, optimizer=optax.sgd(0.1)
    )
    assert best.converged


def test_a_start_that_is_not_finite_spoils_no_other():
    def broken(machine):
        center = machine.cold.spectral_density.center
        return jnp.where(center > 2.2, jnp.nan, cooling(machine))

    best = qtd.design.maximize(broken, FRIDGE, {CENTER: (1.5, 2.5)}, starts=8, steps=30)
    assert np.isfinite(best.value) and best.parameters[CENTER] < 2.2


def test_where_a_constraint_is_no_number_the_objective_does_not_count():
    # The largest current is at 2.
    def known(machine):
        return jnp.where(machine.cold.spectral_density.center > 1.8, jnp.nan, cop(machine))

    best = qtd.design.maximize(
        cooling, FRIDGE, {CENTER: (1.5, 2.5)}, {"cop": (known, -10.0, None)}, starts=4, steps=5
    )
    assert best.feasible and best.parameters[CENTER] < 1.8


@pytest.mark.parametrize(
    ("over", "constraints", "words"),
    [
        ({}, {}, "at least one parameter"),
        ({"cold.centre": (1, 2)}, {}, "No parameter is called 'cold.centre'"),
        ({CENTER: (2.5, 1.5)}, {}, "low < high"),
        ({CENTER: (1.5, np.inf)}, {}, "finite bounds"),
        ({WIDTH: (0.0, 0.1)}, {}, "must be positive"),
        ({CENTER: (1.5, 2.5)}, {"cop": (cop, None, None)}, "no limit for 'cop'"),
        ({CENTER: (1.5, 2.5)}, {"cop": (cop, np.nan, None)}, "finite limits"),
        ({CENTER: (1.5, 2.5)}, {"cop": (cop, 0.4, 0.3)}, "low < high"),
    ],
)
def test_bad_problems_raise_one_clear_line(over, constraints, words):
    with pytest.raises(ValueError, match=words) as error:
        qtd.design.maximize(cooling, FRIDGE, over, constraints)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [{"starts": 0}, {"steps": -1}, {"steps": 2.5}])
def test_counts_must_be_positive_integers(wrong):
    with pytest.raises(ValueError, match="positive integer"):
        qtd.design.maximize(cooling, FRIDGE, {CENTER: (1.5, 2.5)}, **wrong)


def test_an_objective_that_is_nowhere_finite_raises():
    with pytest.raises(ValueError, match="not finite at any start"):
        qtd.design.maximize(
            lambda m: jnp.nan * cooling(m), FRIDGE, {CENTER: (1.5, 2.5)}, starts=2, steps=2
        )


def test_a_kink_is_not_called_converged():
    best = qtd.design.maximize(
        lambda m: -jnp.abs(m.cold.spectral_density.center - 2.1),
        FRIDGE,
        {CENTER: (1.5, 2.5)},
        starts=2,
        steps=20,
    )
    assert best.feasible and not best.converged and "slope" in best.message


class Toy(eqx.Module):
    """Two numbers, for problems whose answers are known."""

    x: jax.Array
    y: jax.Array

    def __init__(self, x=0.3, y=0.4):
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)


WIDE = {"x": (-2.0, 2.0), "y": (-2.0, 2.0)}
QUICK = {"starts": 4, "steps": 40}


def hill(toy):
    return 3.0 - (toy.x - 0.5) ** 2 - 2 * (toy.y + 0.25) ** 2


def test_a_design_whose_numbers_are_doubted_says_so():
    """Warm gases in the closure of the Sommerfeld expansion."""

    def asked(temperature):
        gases = qtd.gases.FermiGas(
            jnp.array([1.0, temperature]), jnp.array([18.0, 20.0]), closure="sommerfeld"
        )
        return qtd.design.maximize(
            lambda machine: -((machine.energies[0] - 21.5) ** 2),
            qtd.machines.FiniteReservoirs(gases=gases),
            {"energies[0]": (20.5, 22.0)},
            **QUICK,
        )

    assert "of the design" not in asked(1.1).message
    doubted = asked(8.0)
    assert doubted.converged and "of the design: mu / T is below 10" in doubted.message


# Certificates


def test_a_strict_maximum_has_the_curvature_of_its_closed_form():
    best = qtd.design.maximize(hill, Toy(), WIDE, **QUICK)
    found = best.certificate
    assert found.kind == "strict maximum" and found.gradient_norm < 1e-8
    # Second derivatives over the whole range of 4 each way.
    np.testing.assert_allclose(sorted(found.curvature), [-4 * 16, -2 * 16], rtol=1e-6)
    assert (found.reached_by, found.starts, found.others) == (4, 4, None)
    assert best.message == "converged to a strict maximum, reached by 4 of 4 starts"


def test_a_minimum_is_the_maximum_turned_round():
    least = qtd.design.minimize(lambda toy: -hill(toy), Toy(), WIDE, **QUICK)
    assert float(least.value) == pytest.approx(-3.0, abs=1e-12) and not least.is_largest
    assert least.certificate.kind == "strict minimum" and min(least.certificate.curvature) > 0
    assert np.all(np.diff(least.history.values) <= 0)


def test_a_parameter_that_does_not_matter_is_named():
    best = qtd.design.maximize(lambda toy: 1 - toy.x**2, Toy(), WIDE, **QUICK)
    assert best.certificate.kind == "flat" and best.certificate.flat_along == ("y",)
    assert "flat along y" in best.message and best.converged


def test_an_objective_that_nothing_changes_is_flat_everywhere():
    best = qtd.design.maximize(lambda toy: 0 * toy.x + 2.0, Toy(), WIDE, **QUICK)
    assert best.certificate.flat_along == ("x", "y") and float(best.value) == 2.0


def test_a_saddle_is_not_called_a_maximum():
    # Every start sits where symmetry leaves no slope across.
    best = qtd.design.maximize(
        lambda toy: toy.y**2 - toy.x**2, Toy(0.0, 0.0), WIDE, starts=1, steps=5
    )
    assert best.certificate.kind == "saddle"


def test_multipliers_are_what_limits_and_bounds_are_worth():
    limits = {"sum": (lambda toy: toy.x + toy.y, None, 1.0)}
    over = {"x": (0.1, 2.0), "y": (0.1, 2.0)}
    best = qtd.design.maximize(lambda toy: toy.x * toy.y, Toy(), over, limits, **QUICK)
    # x = y = s / 2, x y = s^2 / 4.
    assert best.certificate.multipliers == {"sum": pytest.approx(0.5, rel=1e-8)}
    assert best.worths() == ["1 % more of the limit of sum is worth +2.000%"]
    held = qtd.design.maximize(lambda toy: toy.x**3 - toy.y**2, Toy(), WIDE, **QUICK)
    assert held.certificate.multipliers == {"x": pytest.approx(12.0, rel=1e-8)}
    lower = qtd.design.minimize(
        lambda toy: toy.x**2 + toy.y**2, Toy(), WIDE, {"x": (lambda toy: toy.x, 1.0, None)}, **QUICK
    )
    assert lower.certificate.multipliers == {"x": pytest.approx(2.0, rel=1e-8)}


def test_limits_on_every_side_make_a_vertex():
    best = qtd.design.maximize(lambda toy: toy.x + toy.y, Toy(), WIDE, **QUICK)
    assert best.certificate.kind == "vertex" and best.certificate.curvature == ()


def test_a_limit_on_a_maximum_holds_each_of_its_parts():
    limits = {"worst": (lambda toy: jnp.maximum(toy.x, jnp.max(jnp.stack([toy.y]))), None, 1.0)}
    best = qtd.design.maximize(lambda toy: toy.x + 2 * toy.y, Toy(), WIDE, limits, **QUICK)
    assert best.converged and best.certificate.kind == "vertex"
    np.testing.assert_allclose([best.machine.x, best.machine.y], 1.0, rtol=1e-9)
    # What both together are worth.
    assert best.certificate.multipliers["worst"] == pytest.approx(3.0, rel=1e-8)


def test_an_objective_that_is_the_least_of_several_has_its_optimum_at_the_kink():
    def least(toy):
        return jnp.minimum(toy.x + 1, jnp.minimum(1 - toy.x, 0.5 - (toy.y - 0.1) ** 2))

    best = qtd.design.maximize(least, Toy(), WIDE, **QUICK)
    assert best.converged and float(best.value) == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (lambda toy: jnp.stack([toy.x, toy.y]), "must return one number"),
        (lambda toy: float(toy.x), "cannot be differentiated"),
    ],
)
def test_what_is_no_scalar_is_refused_in_one_line(objective, words):
    with pytest.raises(ValueError, match=words) as error:
        qtd.design.maximize(objective, Toy(), WIDE, **QUICK)
    assert "\n" not in str(error.value)


def test_current_under_validity_is_the_best_that_was_found_independently():
    d = 0.05
    names = ("cold", "work", "hot")
    baths = {
        name: qtd.Reservoir(t, spectral_density=qtd.spectral.Peaked(e, d, 0.05 * d))
        for name, t, e in zip(names, (0.5, 5.0, 1.0), (2.0, 4.0, 6.0))
    }
    jumps = [("cold", 0, 1, 1.0), ("work", 1, 2, 1.0), ("hot", 0, 2, 1.0)]
    device = qtd.RateNetwork([0.0, 2.0, 6.0], jumps, baths)
    named = qtd.design.observables(device)
    over = {f"reservoirs.{name}.spectral_density.height": (1e-3 * d, d) for name in names}
    best = qtd.design.maximize(
        named["J_cold"], device, over, {"validity": (named["validity"], None, 0.1)}, **QUICK
    )
    assert best.converged and float(best.value) / d == pytest.approx(2.7306e-4, rel=2e-5)
    # Currents and rates grow together: one per cent more of the limit is one of the current.
    assert best.certificate.multipliers["validity"] * 0.1 == pytest.approx(best.value, rel=1e-6)


# Workshops


def test_the_best_mean_is_that_of_the_closed_form():
    # E[-(x (1 + s z) - 1)^2] = -(x - 1)^2 - s^2 x^2 is largest at 1 / (1 + s^2).
    best = qtd.design.maximize(
        lambda toy: -((toy.x - 1) ** 2), Toy(), {"x": (0.1, 2.0)}, tolerance={"x": 0.5},
        measure="mean", draws=256, **QUICK,
    )  # fmt: skip
    assert float(best.machine.x) == pytest.approx(1 / 1.25, rel=5e-3)
    found = best.robustness
    assert found.nominal_value == pytest.approx(0.0, abs=1e-12)
    assert found.nominal == pytest.approx(-0.25, rel=0.1) and found.value > found.nominal
    # To second order in the errors, which is all that there is.
    assert found.mean == pytest.approx(-0.2, rel=5e-3)


def cliff(toy):
    """Rises up to a cliff at 1."""
    return toy.x - 5 * jax.nn.softplus(20 * (toy.x - 1)) / 20


def sampled(places, count):
    """The cliff at each place of so many machines."""
    draws = np.random.default_rng(7).standard_normal(count)
    return jax.jit(jax.vmap(jax.vmap(lambda x: cliff(Toy(x)))))(
        jnp.asarray(places[:, None] + 0.1 * draws)
    )


def robust(measure):
    tolerance = {"x": (0.1, "absolute")}
    return qtd.design.maximize(
        cliff, Toy(), {"x": (0.2, 1.5)}, tolerance=tolerance, measure=measure, draws=256, **QUICK
    )


@pytest.mark.parametrize("measure", ["mean", "mean-2sigma", 0.05])
def test_a_robust_optimum_is_that_of_many_fresh_machines(measure):
    best, places = robust(measure), np.linspace(0.2, 1.3, 111)
    samples = sampled(places, 100_000)
    values = {
        "mean": samples.mean(1),
        "mean-2sigma": samples.mean(1) - 2 * samples.std(1),
    }.get(measure, np.quantile(samples, 0.05, axis=1))
    assert float(best.machine.x) == pytest.approx(places[np.argmax(values)], abs=0.06)
    assert best.robustness.value == pytest.approx(float(np.max(values)), abs=0.05)
    assert best.robustness.value > best.robustness.nominal


def test_the_best_worst_case_keeps_away_from_the_cliff():
    best = robust("worst")
    places = np.array([float(best.machine.x), float(best.robustness.nominal_machine.x)])
    ours, nominal = np.quantile(sampled(places, 100_000), 1 / 256, axis=1)
    assert ours > nominal and places[0] < places[1]
    assert best.robustness.value > best.robustness.nominal


BIAS = "reservoirs.cold.chemical_potential"


def two_states():
    """An engine of one level between a cold lead and a hot one."""
    leads = {
        "cold": qtd.Reservoir(1.0, 0.5, "fermi", spectral_density=WideBand(0.02)),
        "hot": qtd.Reservoir(2.0, 0.0, "fermi", spectral_density=WideBand(0.02)),
    }
    jumps = [("cold", 0, 1, 1.0), ("hot", 0, 1, 1.0)]
    return qtd.RateNetwork([0.0, 2.0], jumps, leads, particles=[0, 1])


@pytest.mark.deep
@pytest.mark.parametrize("measure", ["mean", "mean-2sigma", 0.05])
def test_a_robust_engine_is_the_best_of_its_neighbours_in_a_large_workshop(measure):
    """100 000 fresh machines of every design, their powers in closed form."""
    device, sigmas = two_states(), np.array([0.4, 0.2])
    best = qtd.design.maximize(
        qtd.design.observables(device)["power"], device,
        {"energies[1]": (0.5, 8.0), BIAS: (0.1, 4.0)},
        tolerance={"energies[1]": (0.4, "absolute"), BIAS: (0.2, "absolute")}, measure=measure,
        draws=256, **QUICK,
    )  # fmt: skip
    draws = np.random.default_rng(3).standard_normal((100_000, 2)) * sigmas

    def judged(design):
        level, bias = (design + draws).T
        powers = bias * 0.01 * (scipy.special.expit(-level / 2) - scipy.special.expit(bias - level))
        if measure == 0.05:
            return np.quantile(powers, 0.05)
        return powers.mean() - (2 * powers.std() if measure == "mean-2sigma" else 0)

    ours = np.array([float(best.parameters["energies[1]"]), float(best.parameters[BIAS])])
    near = ours * (1 + 0.15 * np.random.default_rng(4).uniform(-1, 1, (200, 2)))
    assert best.converged or (measure == 0.05 and "has kinks" in best.message)
    assert judged(ours) > max(map(judged, near)) - 3e-3 * judged(ours)
    assert best.robustness.value == pytest.approx(judged(ours), rel=0.05)
    nominal = qtd.parameters(best.robustness.nominal_machine, best.parameters)
    assert judged(ours) > judged(np.array([nominal["energies[1]"], nominal[BIAS]], float))


@pytest.mark.parametrize(
    ("tolerance", "measure", "words"),
    [
        ({}, "worst", "must name a parameter"),
        ({"x": -0.1}, "worst", "positive standard deviation"),
        ({"x": (0.1, "about")}, "worst", "relative"),
        ({"z": 0.1}, "worst", "No parameter is called 'z'"),
        ({"y": 0.1}, "worst", "which is 0"),
        ({"x": 0.1}, "median", "must be one of"),
        ({"x": 0.1}, 1.5, "between 0 and 1"),
    ],
)
def test_bad_workshops_raise_one_clear_line(tolerance, measure, words):
    with pytest.raises(ValueError, match=words):
        qtd.design.maximize(hill, Toy(y=0.0), WIDE, tolerance=tolerance, measure=measure, **QUICK)


# Interruptions


def interrupted(monkeypatch, after, **how):
    from qtd.design._progress import Progress

    seen, advance = [], Progress.advance

    def stop(self, steps):
        advance(self, steps)
        seen.append(steps)
        if len(seen) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "advance", stop)
        return qtd.design.maximize(hill, Toy(), WIDE, starts=4, steps=60, **how)


def test_an_interrupted_search_returns_the_best_so_far_and_goes_on_from_there(
    monkeypatch, tmp_path
):
    whole = qtd.design.maximize(hill, Toy(), WIDE, starts=4, steps=60)
    part = interrupted(monkeypatch, 2)
    assert part.interrupted and not part.converged and part.certificate is None
    assert "interrupted after 40 of 60 steps" in part.message and np.isfinite(part.value)
    qtd.design.keep_search(part, tmp_path / "search.npz")
    for resume in (part, tmp_path / "search.npz"):
        again = qtd.design.maximize(hill, Toy(), WIDE, starts=4, steps=60, resume=resume)
        assert again.converged and np.array_equal(again.history.values, whole.history.values)
    with pytest.raises(ValueError, match="same problem"):
        qtd.design.maximize(hill, Toy(), {"x": (0.0, 1.0)}, starts=4, steps=60, resume=part)
    with pytest.raises(ValueError, match="does not exist"):
        qtd.design.maximize(hill, Toy(), WIDE, starts=4, steps=60, resume=tmp_path / "none")


# Fronts


def near_one(toy):
    return 1 - (toy.x - 1) ** 2 - toy.y**2


def near_zero(toy):
    return 1 - toy.x**2 - toy.y**2


def test_a_front_is_that_of_its_closed_form_from_end_to_end():
    front = qtd.design.pareto_front(
        {"one": near_one, "zero": near_zero}, Toy(), WIDE, points=9, starts=4, steps=40
    )
    one, zero = front.table["one"].values, front.table["zero"].values
    assert front.table.sizes["point"] == 9 and front.table["converged"].values.all()
    # y = 0, (1 - f)^(1/2) add up to 1.
    np.testing.assert_allclose(np.sqrt(1 - one) + np.sqrt(1 - zero), 1, atol=1e-6)
    np.testing.assert_allclose([one[0], zero[-1]], 1, atol=1e-10)
    assert front.table.attrs["gaps"] == [] and front.table.attrs["dominated"] == 0
    np.testing.assert_allclose(near_zero(front.machine(3)), zero[3], rtol=1e-12)
    with pytest.raises(ValueError, match="below 9"):
        front.machine(9)


def peak(toy):
    """A narrow one on a slope that leads away from it."""
    return jnp.exp(-200 * ((toy.x - 1.6) ** 2 + (toy.y - 1.6) ** 2)) - 0.1 * (toy.x + toy.y)


def test_few_starts_find_what_many_points_have_seen():
    """A peak that covers about a hundredth of the square, to which no start would come down the
    slope."""
    best = qtd.design.maximize(peak, Toy(), WIDE, starts=16, steps=60)
    np.testing.assert_allclose([best.parameters["x"], best.parameters["y"]], 1.6, atol=0.01)
    assert 0 < best.certificate.reached_by < 16


def test_the_ends_of_a_front_are_reached_from_one_another():
    def at_its_foot(toy):
        return -((toy.x - 1.5) ** 2) - (toy.y - 1.5) ** 2

    alone = qtd.design.maximize(peak, Toy(), WIDE, starts=1, steps=40)
    assert alone.value < 0.5
    wanted = {"peak": peak, "foot": at_its_foot}
    front = qtd.design.pareto_front(wanted, Toy(), WIDE, points=5, starts=1, steps=40)
    found = front.table[["x", "y"]].isel(point=0).to_array().values
    np.testing.assert_allclose(found, 1.6, atol=0.01)
    assert front.table["converged"].values.all()


def test_a_front_next_to_where_there_are_no_numbers():
    """Limits hold the front at y = 0.2, above which nothing is known from 0.21 on."""

    def known(toy):
        return jnp.where(toy.y > 0.21, jnp.nan, toy.y)

    wanted = {"one": near_one, "zero": lambda toy: near_zero(toy) + 10 * known(toy)}
    limits = {"y": (known, None, 0.2)}
    front = qtd.design.pareto_front(wanted, Toy(), WIDE, limits, points=5, starts=4, steps=40)
    assert front.table.sizes["point"] == 5 and front.table["converged"].values.all()
    bent = front.table["y"].values < 0.2 * (1 - 1e-6)
    assert bent.any() and not bent.all()


def test_a_point_where_a_limit_is_infinite_leads_nowhere_and_raises_nothing():
    limits = {"x": (lambda toy: jnp.where(toy.x > 1, jnp.inf, toy.x), None, 0.2)}
    landscape = Landscape([("objective", hill, 1.0)], Toy(), WIDE, limits)
    inside, outside = np.array([0.5, 0.5]), np.array([0.9, 0.5])
    goal = landscape.goal(landscape.at(inside)[0][None])
    np.testing.assert_array_equal(continued(landscape, goal, outside), outside)
    # x = 0.2 and y = -0.25 of intervals from -2 to 2.
    np.testing.assert_allclose(continued(landscape, goal, inside), [0.55, 0.4375], atol=1e-6)


@pytest.mark.deep
def test_the_front_of_the_refrigerators_own_problem_runs_from_most_cooling_to_best_cop():
    """Most starts end where a machine heats least; the best COP leads from there."""
    asked = qtd.design.problem(qtd.machines.CollectiveRefrigerator())
    limits = {"validity": asked.subject_to["validity"]}
    wanted = {"J_cold": cooling, "COP": cop}
    front = qtd.design.pareto_front(wanted, asked.machine, asked.over, limits, points=12)
    assert front.table.sizes["point"] == 12 and front.table["converged"].values.sum() >= 11
    best = qtd.design.maximize(cooling, asked.machine, asked.over, asked.subject_to, starts=16)
    current, ratio = front.table["J_cold"].values, front.table["COP"].values
    assert ratio[0] < 0.25 and ratio[-1] > 0.4998
    # The most cooling at a COP of 0.368, by a search of its own, lies on the front.
    between = np.interp(0.368, ratio, current)
    np.testing.assert_allclose(between, best.value, rtol=5e-3)


def test_a_front_says_which_of_its_designs_are_no_optima():
    front = qtd.design.pareto_front(
        {"one": near_one, "zero": near_zero}, Toy(), WIDE, points=3, starts=1, steps=20
    )
    assert "not converged" not in repr(front) + front_report("toy", front)
    rough = dataclasses.replace(
        front, table=front.table.assign(converged=("point", np.array([True, False, True])))
    )
    assert "1 of them not converged" in repr(rough)
    marked = [line.endswith("  not converged") for line in front_report("toy", rough).splitlines()]
    assert marked == [False, False, False, True, False]
    drawn = qtd.plots.pareto(rough)
    assert "1 not converged" in drawn.axes[0].get_title("left")
    plt.close(drawn)


def test_another_number_of_points_compiles_nothing_more():
    traces = []

    def counted(toy):
        traces.append(1)
        return near_one(toy)

    counts = []
    for points in (3, 17):
        traces.clear()
        qtd.design.pareto_front(
            {"one": counted, "zero": near_zero}, Toy(), WIDE, points=points, starts=2, steps=20
        )
        counts.append(len(traces))
    assert counts[0] == counts[1]


def test_three_objectives_cover_a_triangle():
    def corner(x, y):
        return lambda toy: -((toy.x - x) ** 2) - (toy.y - y) ** 2

    wanted = {"a": corner(0.0, 0.0), "b": corner(1.0, 0.0), "c": corner(0.0, 1.0)}
    front = qtd.design.pareto_front(wanted, Toy(), WIDE, points=15, starts=4, steps=40)
    assert front.table.sizes["point"] >= 12
    x, y = front.table["x"].values, front.table["y"].values
    # Between the three corners nothing is dominated, and outside everything.
    assert (x > -1e-6).all() and (y > -1e-6).all() and (x + y < 1 + 1e-6).all()
    assert x.max() > 0.99 and y.max() > 0.99 and (x + y).min() < 0.01


def test_objectives_that_agree_have_a_front_of_one_point():
    front = qtd.design.pareto_front(
        {"one": near_one, "twice": lambda toy: 2 * near_one(toy)}, Toy(), WIDE, points=5,
        starts=2, steps=40,
    )  # fmt: skip
    assert front.table.sizes["point"] == 1


def test_a_front_keeps_within_limits_and_says_where_none_can():
    limits = {"x": (lambda toy: toy.x, None, 0.5)}
    wanted = {"one": near_one, "zero": near_zero}
    front = qtd.design.pareto_front(wanted, Toy(), WIDE, limits, points=4, starts=2, steps=40)
    assert front.table["x"].max() <= 0.5 * (1 + 1e-6)
    limits = {"x": (lambda toy: toy.x, 3.0, None)}
    with pytest.raises(ValueError, match="was met from none of 2 starts"):
        qtd.design.pareto_front(wanted, Toy(), WIDE, limits, points=4, starts=2, steps=40)
    with pytest.raises(ValueError, match="two or three"):
        qtd.design.pareto_front({"one": near_one}, Toy(), WIDE)


def test_an_objective_of_a_front_may_have_a_limit():
    wanted, limits = {"one": near_one, "zero": near_zero}, {"one": (near_one, 0.75, None)}
    front = qtd.design.pareto_front(wanted, Toy(), WIDE, limits, points=3, starts=2, steps=40)
    np.testing.assert_allclose(front.table["x"][::2], [1.0, 0.5], atol=1e-5)
    assert front.table["one"].values.min() >= 0.75 * (1 - 1e-6)
    assert front_report("toy", front).splitlines()[1].split() == ["one", "zero"]
    limits = {"one": (near_zero, 0.5, None)}
    with pytest.raises(ValueError, match="the name 'one'"):
        qtd.design.pareto_front(wanted, Toy(), WIDE, limits, points=3, starts=2, steps=40)


def whitney(power, cold=1.0, hot=2.0, hot_potential=-0.5):
    """The best efficiency of any conductor of one mode at a `power`: a window of energies that
    opens where both leads are equally occupied, and closes where the power is reached; the bias by
    a scalar search."""

    def flows(bias, upper):
        potentials = hot_potential, hot_potential + bias
        lower = (potentials[1] * hot - potentials[0] * cold) / (hot - cold)

        def passes(energy):
            fillings = (
                scipy.special.expit((m - energy) / t) for m, t in zip(potentials, (hot, cold))
            )
            return np.subtract(*fillings) / (2 * np.pi)

        def over(weight):
            return scipy.integrate.quad(
                lambda e: weight(e) * passes(e), lower, lower + upper, epsabs=1e-13, epsrel=1e-12
            )[0]

        return bias * over(lambda e: 1.0), over(lambda e: e - hot_potential)

    def efficiency(bias):
        if flows(bias, 60.0)[0] <= power:
            return 0.0
        upper = scipy.optimize.brentq(lambda w: flows(bias, w)[0] - power, 1e-9, 60.0, xtol=1e-12)
        return power / flows(bias, upper)[1]

    found = scipy.optimize.minimize_scalar(
        lambda bias: -efficiency(bias), bounds=(0.2, 3.5), method="bounded", options={"xatol": 1e-9}
    )
    return -found.fun


@pytest.mark.deep
def test_the_front_of_a_conductor_is_that_of_whitney():
    asked = qtd.design.reference("conductor")["Whitney"].problem
    named = qtd.design.observables(asked.machine)
    wanted = {name: named[name] for name in ("power", "efficiency")}
    limits = {"power at least": (named["power"], 0.004, None)}
    front = qtd.design.pareto_front(wanted, asked.machine, asked.over, limits, points=11)
    table = front.table
    assert table.sizes["point"] == 11 and table["converged"].values.all()
    # But for the end, at the largest power, where the window never closes.
    best = [whitney(float(power)) for power in table["power"][1:]]
    np.testing.assert_allclose(table["efficiency"].values[1:], best, rtol=1e-6)


def ring(levels=(1.0, 5.0)):
    """A three-level absorption refrigerator with one flat reservoir at each edge."""
    temperatures = {"cold": 0.8, "work": 5.0, "hot": 1.0}
    return qtd.RateNetwork(
        energies=[0.0, *levels],
        jumps=[("cold", 0, 1, 1.0), ("work", 1, 2, 1.0), ("hot", 0, 2, 1.0)],
        reservoirs={
            name: qtd.Reservoir(temperature, spectral_density=WideBand(0.01))
            for name, temperature in temperatures.items()
        },
    )


def quanta_of_a_ring(cold, work):
    """Turns per time of that ring, whose gaps are `cold`, `work` and their sum: products of rates
    forwards and backwards over the sum of all spanning trees."""
    gaps, temperatures = np.array([cold, work, cold + work]), np.array([0.8, 5.0, 1.0])
    filling = 1 / np.expm1(gaps / temperatures)
    up, down = 0.01 * filling, 0.01 * (1 + filling)
    forwards = np.array([up[0], up[1], down[2]])  # 0 -> 1 -> 2 -> 0
    backwards = np.array([down[0], down[1], up[2]])
    trees = sum(
        forwards[(k + 1) % 3] * forwards[(k + 2) % 3]
        + backwards[k] * forwards[(k + 2) % 3]
        + backwards[k] * backwards[(k + 1) % 3]
        for k in range(3)
    )
    return (forwards.prod() - backwards.prod()) / trees


@pytest.mark.deep
def test_the_front_of_a_three_level_ring_is_that_of_its_closed_form():
    """A ring that turns one way pays a quantum of work for every quantum of cold: COP = e_c / e_w,
    and the most cooling at each by a search along e_c."""
    device = ring()
    named = qtd.design.observables(device)

    def cop(device):
        return named["J_cold"](device) / named["J_work"](device)

    wanted = {"J_cold": named["J_cold"], "COP": cop}
    over = {"energies[1]": (0.05, 4.0), "energies[2]": (1.0, 12.0)}
    limits = {"cooling": (named["J_cold"], 1e-5, None)}
    front = qtd.design.pareto_front(wanted, device, over, limits, points=11, starts=8, steps=100)
    assert front.table.sizes["point"] == 11 and front.table["converged"].values.all()

    def most(ratio):
        found = scipy.optimize.minimize_scalar(
            lambda cold: -cold * quanta_of_a_ring(cold, cold / ratio),
            bounds=(0.05, 4.0), method="bounded", options={"xatol": 1e-10},
        )  # fmt: skip
        return -found.fun

    best = [most(float(ratio)) for ratio in front.table["COP"]]
    np.testing.assert_allclose(front.table["J_cold"], best, rtol=1e-6)


@pytest.mark.deep
def test_the_front_of_a_two_state_engine_is_that_of_its_closed_form():
    """Power b G (f_h - f_c) / 2 at the bias b, efficiency b / (e - mu_h), and the most power at
    each efficiency by a search along the level."""
    device = two_states()
    named = qtd.design.observables(device)
    wanted = {name: named[name] for name in ("power", "efficiency")}
    over = {"energies[1]": (0.2, 12.0), BIAS: (0.01, 6.0)}
    limits = {"power at least": (named["power"], 1e-5, None)}
    front = qtd.design.pareto_front(wanted, device, over, limits, points=11, starts=8, steps=100)
    assert front.table.sizes["point"] == 11 and front.table["converged"].values.all()

    def most(efficiency):
        def power(level):
            hot, cold = scipy.special.expit([-level / 2, -level * (1 - efficiency)])
            return efficiency * level * 0.01 * (hot - cold)

        found = scipy.optimize.minimize_scalar(
            lambda level: -power(level), bounds=(0.2, 12.0), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        return -found.fun

    best = [most(float(efficiency)) for efficiency in front.table["efficiency"]]
    np.testing.assert_allclose(front.table["power"], best, rtol=1e-6)
