import io

import qtd

FRIDGE = qtd.machines.CollectiveRefrigerator(num_spins=5)


def png(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=50)
    return stream.getvalue()


def labels(figure):
    return [(ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes]


def test_every_drawing_renders_with_labelled_axes():
    point = FRIDGE.operate()
    for figure in (qtd.plots.filters(FRIDGE), qtd.plots.currents(point), qtd.plots.level_scheme(FRIDGE.network())):
        assert png(figure)[:4] == b"\x89PNG"
        assert any(y for _, y in labels(figure))


def test_the_design_page_shows_before_and_after():
    cooling = lambda machine: machine.operate().heat_currents["cold"]
    best = qtd.design.maximize(cooling, FRIDGE, {"cold.spectral_density.center": (1.5, 2.5)}, starts=2, steps=5)
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
    assert png(figure)[:4] == b"\x89PNG" and "efficiency before 0.376, after 0.376" in figure.axes[0].get_title(loc="left")


def test_notebooks_show_a_drawing_without_pyplot():
    assert qtd.plots.level_scheme(qtd.machines.CollectiveRefrigerator(num_spins=5).network())._repr_png_().startswith(b"\x89PNG")
