import jax.numpy as jnp
import numpy as np
import pytest
from test_plots import CONTACT, line, rendered

import qtd
from qtd._numerics.printing import typeset
from qtd.counting import LargeDeviations
from qtd.machines import CollectiveRefrigerator
from qtd.plots import correlations, cumulants, large_deviations

FRIDGE = CollectiveRefrigerator(num_spins=5)


def test_bars_are_the_cumulants_of_each_reservoir():
    values = {
        name: qtd.counting.cumulants(FRIDGE.network(), name, 3) for name in ("cold", "hot", "work")
    }
    panels = rendered(cumulants(values))
    assert len(panels) == 3 and "noise" in panels[1].get_title(loc="left")
    for n, ax in enumerate(panels):
        assert [bar.get_height() for bar in ax.patches] == [
            float(values[name][n]) for name in values
        ]


def test_curves_are_the_cumulants_of_a_sweep():
    over = {"cold.temperature": jnp.linspace(0.4, 0.8, 5)}
    table = qtd.sweep(
        FRIDGE,
        over,
        {"cold": lambda m: m.cumulants("cold", 2), "hot": lambda m: m.cumulants("hot", 2)},
    )
    panels = rendered(cumulants(table))
    assert panels[-1].get_xlabel() == "cold.temperature  ($E$)"
    for name in ("cold", "hot"):
        for n, ax in enumerate(panels):
            assert all(
                np.array_equal(a, b)
                for a, b in zip(line(ax, name), (table["cold.temperature"], table[name][:, n]))
            )
    with pytest.raises(ValueError, match=r"one shape \(5 points, orders\)"):
        cumulants({"cold": jnp.zeros((4, 2))}, x=jnp.arange(5.0))


def test_each_cell_of_the_map_holds_correlation_and_noise():
    noise = FRIDGE.covariance()
    ax = rendered(correlations(noise))[0]
    texts = [text.get_text() for text in ax.texts]
    share = float(noise["cold", "work"] / jnp.sqrt(noise["cold", "cold"] * noise["work", "work"]))
    assert (
        texts[4:6] == [typeset(f"{share:+.2f}"), typeset(f"{float(noise['cold', 'work']):.3g}")]
        and texts[0] == "+1.00"
    )


def test_the_mirror_image_lies_on_the_curve_where_the_fluctuation_theorem_holds():
    bias = 1 / 1.0 - 1 / 0.6
    found = qtd.counting.large_deviations(CONTACT, "hot", jnp.linspace(bias - 0.5, 0.5, 41))
    left, right = rendered(large_deviations(found, affinity=bias))
    for ax in (left, right):
        (x, exact), (mirrored, image) = line(ax, "exact"), line(ax, "mirror image")
        assert np.allclose(np.interp(mirrored, x, exact), image, rtol=0, atol=1e-3 * np.ptp(exact))


def test_the_gaussian_has_the_first_two_cumulants_and_leaves_with_the_third():
    known = qtd.counting.cumulants(FRIDGE.network(), "cold", 2)
    found = qtd.counting.large_deviations(FRIDGE.network(), "cold", jnp.linspace(-0.8, 0.8, 41))
    left, right = rendered(large_deviations(found))
    fields, parabola = line(left, r"Gaussian, from $c_1$ and $c_2$")
    assert np.allclose(parabola, known[0] * fields + known[1] * fields**2 / 2, rtol=1e-3, atol=1e-9)
    assert line(right, f"mean {float(known[0]):.3g}")[0][0] == pytest.approx(
        float(known[0]), rel=1e-6
    )
    assert np.array_equal(line(right, "exact")[1], found.rates)
    beside = LargeDeviations(found.fields[:5], found.generating_function[:5], found.currents[:5])
    # 0 lies outside.
    assert not any(
        "Gaussian" in str(each.get_label()) for each in large_deviations(beside).axes[0].lines
    )
