import io
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import qtd
from qtd.machines import CollectiveRefrigerator, FiniteReservoirs, QuantumMotor, QubitRefrigerator
from qtd.plots import currents, evolution, level_scheme, sensitivities, torque
from qtd.plots._axes import PALETTE, WORK, colors_of
from qtd.thermodynamics import Observable

FRIDGE = CollectiveRefrigerator(num_spins=5)
OHMIC = qtd.spectral.Ohmic(0.1, 10.0)
CONTACT = qtd.RateNetwork(
    [0.0, 1.0],
    [("hot", 0, 1, 1.0), ("cold", 0, 1, 1.0)],
    {
        "hot": qtd.Reservoir(1.0, spectral_density=OHMIC),
        "cold": qtd.Reservoir(0.6, spectral_density=OHMIC),
    },
)


def png(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=50)
    return stream.getvalue()


def labels(figure):
    return [(ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes]


def rendered(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=50)
    assert stream.getvalue()[:4] == b"\x89PNG"
    return figure.axes


def line(ax, label):
    (found,) = [line for line in ax.lines if line.get_label() == label]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def arrows(ax):
    """Numbers beside the arrows, and energies from and to which they run, in the order of
    drawing."""
    drawn = [text for text in ax.texts if text.get_text() == ""]
    return [(arrow.xyann[1], arrow.xy[1]) for arrow in drawn], [
        text.get_text() for text in ax.texts if "$" not in text.get_text()
    ][1::2]


def test_every_drawing_renders_with_labelled_axes():
    point = FRIDGE.operate()
    for figure in (
        qtd.plots.filters(FRIDGE),
        qtd.plots.currents(point),
        qtd.plots.level_scheme(FRIDGE.network()),
    ):
        assert png(figure)[:4] == b"\x89PNG"
        assert any(y for _, y in labels(figure))


def test_the_design_page_shows_before_and_after():
    def cooling(machine):
        return machine.operate().heat_currents["cold"]

    best = qtd.design.maximize(
        cooling, FRIDGE, {"cold.spectral_density.center": (1.5, 2.5)}, starts=2, steps=5
    )
    figure = qtd.plots.design_summary(best, "J_cold")
    assert png(figure)[:4] == b"\x89PNG" and "0.00" in figure.get_suptitle()
    assert png(qtd.plots.history(best))[:4] == b"\x89PNG"


def test_a_level_scheme_shows_the_net_jumps_of_each_reservoir():
    figure = qtd.plots.level_scheme(FRIDGE.network())
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["cold", "hot", "work"]


def test_currents_of_a_motor_come_with_its_efficiency():
    point = qtd.machines.QuantumMotor().operate(order=1)
    figure = qtd.plots.currents({"before": point, "after": point})
    assert png(figure)[:4] == b"\x89PNG" and "efficiency before 0.376, after 0.376" in figure.axes[
        0
    ].get_title(loc="left")


def test_notebooks_show_a_drawing_without_pyplot():
    assert (
        qtd.plots.level_scheme(qtd.machines.CollectiveRefrigerator(num_spins=5).network())
        ._repr_png_()
        .startswith(b"\x89PNG")
    )


def test_a_level_scheme_draws_the_net_current_of_every_jump_in_its_direction():
    ax = rendered(level_scheme(CONTACT))[0]
    ends, numbers = arrows(ax)
    current = float(qtd.operate(CONTACT).heat_currents["hot"])  # the quantum is 1
    assert ends == [(0.0, 1.0), (1.0, 0.0)] and numbers == [f"{current:.2g}"] * 2
    populations = qtd.steady_state(CONTACT)
    assert [text.get_text() for text in ax.texts if "$" in text.get_text()] == [
        f"$p_{{{level}}}$ = {float(p):.3g}" for level, p in enumerate(populations)
    ]


def test_numbers_beside_arrows_do_not_overlap_at_column_width():
    machines = [
        CollectiveRefrigerator(31),
        QubitRefrigerator(),
        qtd.machines.ResonatorRefrigerator((3, 3)),
        QuantumMotor().network(0.8),
    ]
    for machine in machines:
        figure = Figure(figsize=(3.4, 2.8), layout="constrained")
        ax = rendered(level_scheme(machine, figure.subplots()))[0]
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
        overlaps = sum(
            a.shrunk(0.8, 0.8).overlaps(b.shrunk(0.8, 0.8))
            for i, a in enumerate(boxes)
            for b in boxes[:i]
        )
        assert overlaps == 0, type(machine).__name__


def labels_overlap(texts):
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    return any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_names_of_levels_at_one_energy_and_of_sixty_levels_do_not_overlap():
    quiet = {"hot": qtd.Reservoir(1.0, spectral_density=OHMIC)}
    pairs = [("hot", 0, k, 1.0) for k in range(1, 6)]
    one_energy = qtd.RateNetwork([0.0, 1.0, 1.0, 1.0, 1.0 + 1e-9, 2.0], pairs, quiet)
    sixty = CollectiveRefrigerator(num_spins=119).network()
    for network, count in ((one_energy, 6), (sixty, 60)):
        figure = Figure(figsize=(5.0, 3.9), layout="constrained")
        ax = rendered(level_scheme(network, figure.subplots(), levels=count))[0]
        figure.draw_without_rendering()
        populations = [text for text in ax.texts if "$p_" in text.get_text()]
        assert not labels_overlap(ax.get_yticklabels()) and not labels_overlap(populations)
        assert (len(populations) == count) == (count == 6) and len(populations) >= 6
        (levels,) = [each for each in ax.collections if len(each.get_segments()) == count]
        assert len({segment[0, 1] for segment in levels.get_segments()}) == count


def point_with(heat, temperatures=(), driven_by=None):
    table = {f"J_{name}": Observable(value, "E^2", "heat") for name, value in heat.items()}
    return SimpleNamespace(
        temperatures=dict(temperatures), driven_by=driven_by, observables=lambda: table
    )


@pytest.mark.parametrize(
    "heat",
    [
        {"cold": 1e-2, "hot": -1e-6, "work": 3e-4},
        {"cold": 1e-2, "hot": 2e-2, "work": 5e-6},
        {"cold": 1e-8, "hot": -1.0, "work": 0.5},
        {"cold": -1e-9, "hot": -0.1, "work": 0.0},
        {"cold": -1e-1, "hot": 7e-4, "work": np.nan},
    ],
)
@pytest.mark.parametrize("size", [(3.4, 2.8), (5.0, 3.9)])
def test_ticks_of_currents_decades_apart_do_not_overlap(heat, size):
    figure = Figure(figsize=size, layout="constrained")
    ax = rendered(currents(point_with(heat), figure.subplots()))[0]
    figure.draw_without_rendering()
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert len(ticks) >= 3 and not labels_overlap([tick.label1 for tick in ticks])


def test_heat_of_numbered_reservoirs_is_drawn_with_their_temperatures():
    (ax,) = rendered(currents(FiniteReservoirs().operate()))
    labels = [tick.get_text() for tick in ax.get_xticklabels()]
    assert labels == ["reservoir 0\n$T$ = 0.6 $E$", "reservoir 1\n$T$ = 1 $E$"]


def test_a_sentence_stands_where_a_drawing_would_be_empty():
    still = point_with({"cold": 0.0, "hot": 0.0})
    unknown = point_with({"cold": np.nan, "hot": np.nan})
    nothing = sensitivities(CONTACT, "J_hot", found=[])
    for figure, words in (
        (currents(still), "no heat flows"),
        (currents(unknown), "none of them is a number"),
        (nothing, "No elasticities"),
    ):
        (ax,) = rendered(figure)
        assert words in ax.texts[0].get_text() and not ax.axison


def test_what_works_has_its_own_colour_and_the_others_go_from_cool_to_warm():
    blue, vermillion, green = PALETTE[:3]
    three = colors_of(["hot", "work", "cold"], {"hot": 1.0, "work": 20.0, "cold": 0.5}, "work")
    assert three == {"hot": vermillion, "work": WORK, "cold": blue}
    heat_driven = colors_of(("hot", "sink", "cold"), {"hot": 1.2, "sink": 1, "cold": 0.8}, "hot")
    assert heat_driven == {"hot": vermillion, "sink": green, "cold": blue}
    renamed = colors_of(["a", "b", "c"], {"a": 2.0, "b": 1.0, "c": 3.0}, "c")
    assert renamed == {"a": vermillion, "b": blue, "c": WORK}
    leads = colors_of(["left", "right"], {"left": 1.0, "right": 1.0})
    assert len({*leads.values(), blue, vermillion, WORK}) == 5
    many = [f"r{k}" for k in range(6)]
    assert len(set(colors_of(many, dict(zip(many, range(1, 7)))).values())) == 6


def test_a_reservoir_has_one_colour_in_all_drawings_of_a_machine():
    fridge = QubitRefrigerator()
    point = fridge.operate()
    expected = colors_of(point.names, point.temperatures, point.driven_by)
    filters = {x.get_label(): x.get_color() for x in qtd.plots.filters(fridge).axes[0].lines}
    bars = [to_hex(bar.get_facecolor()).upper() for bar in currents(point).axes[0].patches]
    levels = level_scheme(fridge).axes[0].get_xticklabels()
    assert filters == expected == dict(zip(point.names, bars))
    assert {tick.get_text(): tick.get_color() for tick in levels} == expected


def test_bars_of_elasticities_are_the_largest_and_have_the_colours_of_reservoirs():
    found = qtd.sensitivities.sensitivities(FRIDGE, "J_cold")
    ax = rendered(sensitivities(FRIDGE, "J_cold", found=found, most=5))[0]
    assert [bar.get_width() for bar in ax.patches] == [s.logarithmic for s in found[:5]]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == [s.path for s in found[:5]] and "elasticity" in ax.get_xlabel()
    colors = dict(zip(names, [to_hex(bar.get_facecolor()).upper() for bar in ax.patches]))
    assert colors["cold.temperature"] == PALETTE[0] and colors["hot.temperature"] == PALETTE[1]


def test_a_level_scheme_takes_what_rates_describe_and_refuses_the_rest():
    resonant, apart = (QubitRefrigerator("global", energy_2=e, exchange=0.05) for e in (2.0, 2.1))
    assert arrows(level_scheme(apart).axes[0]) == arrows(level_scheme(apart.network()).axes[0])
    assert arrows(level_scheme(resonant).axes[0])[0]
    with pytest.raises(ValueError, match=r"coherences up to 0\.\d+, which carry part"):
        level_scheme(QubitRefrigerator("local", exchange=0.05))
    with pytest.raises(ValueError, match="network at every angle"):
        level_scheme(QuantumMotor())
    with pytest.raises(ValueError, match="NDemon, which has no levels"):
        level_scheme(qtd.machines.NDemon())


class Rotor(eqx.Module):
    """A motor in closed form: C_F = 1 - v + 0.04 v^2, exactly; the load 0.5 is met at 0.51 (stable)
    and 24.5 (unstable)."""

    def work_coefficients(self, order):
        return jnp.array([1.0, -1.0, 0.04])[: order + 1]

    def torque_curve(self, velocities):
        velocities = jnp.asarray(velocities)
        nothing = jnp.zeros_like(velocities)
        return qtd.expansion.Cycle(
            velocities,
            1 - velocities + 0.04 * velocities**2,
            {},
            {},
            {},
            nothing,
            nothing.astype(int),
        )

    def network(self, angle):
        return CONTACT


@pytest.mark.parametrize("velocities", [np.linspace(-1.0, 30.0, 32), None])
def test_torque_meets_the_load_at_filled_and_open_marks(velocities):
    ax = rendered(torque(Rotor(), velocities, load=0.5, order=1))[0]
    at, drawn = line(ax, "exact")
    assert np.allclose(drawn, 1 - at + 0.04 * at**2) and 0.0 in at
    assert np.allclose(line(ax, "series to order 1")[1], 1 - at)
    for label, filled in (
        (("stable", True), ("unstable", False)) if velocities is not None else (("stable", True),)
    ):
        (marks,) = [each for each in ax.lines if each.get_label() == f"{label} steady velocity"]
        v = float(marks.get_xdata()[0])
        assert 1 - v + 0.04 * v**2 == pytest.approx(0.5) and (
            marks.get_markerfacecolor() != "white"
        ) == filled == (v < 12.5)
    assert line(ax, "load 0.5")[1][0] == 0.5


def test_the_history_of_finite_reservoirs_shows_where_they_end():
    pair = FiniteReservoirs()
    found = pair.evolve(jnp.concatenate([jnp.zeros(1), jnp.geomspace(0.1, 1e4, 30)]))
    left, right = rendered(evolution(found, pair))
    for j in (0, 1):
        assert np.array_equal(line(left, f"reservoir {j}")[1], found.temperatures[1:, j])
        assert np.array_equal(line(right, f"reservoir {j}")[1], found.chemical_potentials[1:, j])
    assert line(left, "equilibrium")[1][0] == float(pair.equilibrium().temperature)
    assert line(right, "modes")[1][0] == float(pair.energies[0]) and left.get_xscale() == "log"
    crossing = jax.vmap(lambda t, mu: (t[0] * mu[1] - t[1] * mu[0]) / (t[0] - t[1]))(
        found.temperatures, found.chemical_potentials
    )
    assert np.allclose(line(right, "equally occupied")[1], crossing[1:])
    with pytest.raises(ValueError, match="two or more times above 0"):
        evolution(pair.evolve(jnp.zeros(1)), pair)
