"""Elasticities against differences and closed forms, error bars against draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.machines import CollectiveRefrigerator, FiniteReservoirs
from qtd.sensitivities import sensitivities, sensitivity_table, uncertainty

FRIDGE = qtd.replace(CollectiveRefrigerator(num_spins=5), {"cold.temperature": 1 / 3 + 0.2})


def current(machine):
    return float(machine.operate().heat_currents["cold"])


def by_path(found):
    return {each.path: each for each in found}


@pytest.fixture(scope="module")
def found():
    return sensitivity_table(FRIDGE, ["J_cold", "COP"])


def test_elasticities_in_all_heights_add_up_to_one_for_currents_and_to_none_for_ratios(found):
    """All currents of a rate equation are of first order in the three heights together."""
    heights = [f"{name}.spectral_density.height" for name in ("cold", "hot", "work")]
    for name, total in (("J_cold", 1.0), ("COP", 0.0)):
        known = by_path(found[name])
        shares = [known[path].logarithmic for path in heights]
        assert sum(shares) == pytest.approx(total, abs=1e-9), name


def test_slopes_are_those_of_central_differences(found):
    known = by_path(found["J_cold"])
    for path in ("cold.temperature", "work.spectral_density.width", "interaction"):
        step = 1e-5 * known[path].value  # h^2 truncation and rounding / h, both near 1e-10
        up, down = (
            current(qtd.replace(FRIDGE, {path: known[path].value + sign * step}))
            for sign in (1, -1)
        )
        assert known[path].slope == pytest.approx((up - down) / (2 * step), rel=1e-6), path


def test_every_number_is_listed_with_its_unit_the_largest_elasticity_first(found):
    sizes = [abs(each.logarithmic) for each in found["J_cold"]]
    assert sizes == sorted(sizes, reverse=True)
    assert set(by_path(found["J_cold"])) == set(qtd.parameters(FRIDGE))
    cold = by_path(found["J_cold"])["cold.temperature"]
    assert cold.unit == "E" and cold.value == pytest.approx(1 / 3 + 0.2)
    assert cold.logarithmic == pytest.approx(cold.slope * cold.value / current(FRIDGE), rel=1e-12)


def test_entries_of_arrays_stand_one_by_one():
    known = by_path(sensitivities(FiniteReservoirs(), "J_0"))
    assert {"energies[0]", "rates[1,0]", "gases.temperature[1]"} <= set(known)
    # Every mode's flow is in proportion to the product of its rates over their sum.
    rates = sum(known[f"rates[{j},{k}]"].logarithmic for j in (0, 1) for k in (0, 1))
    assert rates == pytest.approx(1, rel=1e-9)


def test_error_bars_are_the_spread_of_many_draws():
    sigmas = {"cold.temperature": 1e-3, "work.spectral_density.height": (2e-3, "absolute")}
    bar = uncertainty(FRIDGE, "J_cold", sigmas)
    assert bar.value == pytest.approx(current(FRIDGE), rel=1e-12)
    draws = 100_000
    normal = np.random.default_rng(0).normal(size=(2, draws))
    known = qtd.parameters(FRIDGE)
    wide = float(known["cold.temperature"]) * 1e-3, 2e-3

    def drawn(moved):
        changed = {path: known[path] + x for path, x in zip(sigmas, moved)}
        return qtd.replace(FRIDGE, changed).operate().heat_currents["cold"]

    values = jax.jit(lambda moves: jax.lax.map(drawn, moves, batch_size=1000))(
        jnp.asarray(normal.T * np.array(wide))
    )
    # The spread of so many draws is known to 1 / sqrt(2 draws) = 0.2 %.
    assert bar.sigma == pytest.approx(float(jnp.std(values)), rel=0.01)
    assert sum(bar.shares.values()) == pytest.approx(1, rel=1e-12)
    alone = {path: uncertainty(FRIDGE, "J_cold", {path: sigmas[path]}).sigma for path in sigmas}
    assert bar.shares == pytest.approx({p: (s / bar.sigma) ** 2 for p, s in alone.items()})


def test_an_array_stands_for_each_of_its_entries():
    gases = FiniteReservoirs()
    whole = uncertainty(gases, "J_0", {"energies": 0.01})
    single = {f"energies[{k}]": 0.01 for k in range(gases.energies.size)}
    assert whole.sigma == pytest.approx(uncertainty(gases, "J_0", single).sigma, rel=1e-12)
    assert set(whole.shares) == set(single)


@pytest.mark.parametrize(
    ("sigmas", "message"),
    [
        ({"cold.temprature": 0.1}, "no parameter; did you mean cold.temperature"),
        ({"cold.temperature": -0.1}, "must be a standard deviation"),
        (
            {"cold.temperature": (0.1, "percent")},
            'must be "relative" or "absolute", got \'percent\'',
        ),
        ({"cold.chemical_potential": 0.1}, r'a parameter that is 0; give \(0.1, "absolute"\)'),
    ],
)
def test_what_is_no_standard_deviation_of_a_parameter_is_refused(sigmas, message):
    with pytest.raises(ValueError, match=message):
        uncertainty(FRIDGE, "J_cold", sigmas)


def test_what_is_no_observable_is_refused_with_those_that_are_close():
    with pytest.raises(ValueError, match="got 'J_cld'; did you mean J_cold"):
        sensitivities(FRIDGE, "J_cld")
