"""The gallery: pictures, their numbers, captions; what is drawn runs through reference values of an independent implementation."""

import json

import jax
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from gallery import claimed, drawn
from helpers import printed

import qtd
from qtd import figures
from qtd.cli import main
from qtd.figures import n_demon


def at(sheet, curve, x, panel=None):
    """The last number drawn on this curve at x (a figure's inset comes after its panel)."""
    rows = sheet.table[(sheet.table.curve == curve) & np.isclose(sheet.table.x, x) & (panel is None or sheet.table.panel == panel)]
    return rows.y.to_list()


def test_a_folder_holds_pictures_numbers_and_captions(tmp_path):
    written = figures.draw(tmp_path, "n-demon")
    assert [path.name for path in written] == ["n-demon-fig2b.png", "n-demon-fig2b.csv", "n-demon.md"]
    numbers = pd.read_csv(tmp_path / "n-demon-fig2b.csv")
    pd.testing.assert_frame_equal(numbers, drawn("n-demon", "2b").table, rtol=1e-8)
    assert numbers.y_name.iloc[0] == "COP" and len(numbers) == 401 * 14
    picture = matplotlib.image.imread(tmp_path / "n-demon-fig2b.png")
    assert picture.shape[1] == 748 and len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 100  # 3.4 inches, colours
    text = (tmp_path / "n-demon.md").read_text()
    assert "n-demon-fig2b.png" in text and "T_0 = T_h" in text and "Eq. (23)" in text  # what is misprinted is said


def test_n_demon_runs_through_the_printed_points():
    sheet = drawn("n-demon", "2b")
    near = lambda curve, x: sheet.table[sheet.table.curve == curve].pipe(lambda t: np.interp(x, t.x[:401], t.y[:401]))
    for curve, text in (
        (r"$\varepsilon_4=1.6$", "0.3586"),
        (r"$\varepsilon_4=2.1$", "0.2233"),
        (r"$\varepsilon_4\to\varepsilon_3$ (24)", "0.3636"),
    ):
        assert near(curve, 0.8) == printed(text)


def test_collective_refrigerator_runs_through_the_printed_points():
    sheet = drawn("collective-refrigerator", "2")
    assert at(sheet, "full model", 41) == [printed("0.1656853291"), printed("0.6535494291")]
    assert at(sheet, "reduced model", 41) == [printed("0.2052522117"), printed("0.5382363994")]
    widths = drawn("collective-refrigerator", "3").table
    near = widths[(widths.panel == "a") & np.isclose(widths.y, 0.1) & (widths.x < 0.0029)]
    assert near.value.min() > 0 and widths[(widths.panel == "a") & np.isclose(widths.y, 0.1) & (widths.x > 0.003)].value.max() < 0
    assert np.all(widths[(widths.y >= 1.999)].value < 0)  # d_h = 2 never cools
    curves = drawn("collective-refrigerator", "4").table
    assert curves[(curves.curve == r"$\delta_w=0.001\,\Omega$") & np.isclose(curves.x, 1.0)].y.iloc[0] == printed("0.761687")
    times = drawn("collective-refrigerator", "7")
    assert 101**2 * at(times, r"$t_{th}$", 101)[0] == printed("67.6")


def test_efficiency_is_drawn_where_the_machine_cools_and_nowhere_else():
    table = drawn("collective-refrigerator", "5").table
    inside = table.value.notna()
    assert table[inside].value.between(0, 1).all() and (table.x > table.y)[inside].all() and (table.x < 3 * table.y)[inside].all()
    points = inside.groupby(table.panel).sum()
    assert points.b > points.a > points.c > points.d  # a sharper work filter cools in more places, wider others in fewer


def test_the_first_finite_reservoirs_cool_and_rest_as_printed():
    table = drawn("finite-reservoirs", "1").table
    cold = table[table.curve == "$T_1$"]
    assert cold.y.min() == pytest.approx(0.36903938614426, rel=1e-3) and cold.y.iloc[-1] == pytest.approx(1.54344, rel=1e-4)
    crossover = table[table.curve == r"$\tilde\omega$"][:40]
    assert np.polynomial.Polynomial.fit(crossover.x, crossover.y, 3)(0.0) == pytest.approx(28.0, rel=1e-5)


def test_captions_name_every_parameter():
    caption = drawn("collective-refrigerator", "5").caption
    assert all(text in caption for text in ("N = 31", "0.0005", "2, 6, 4 Omega", "heights 1", "The paper gives no widths"))
    assert "T_1 = 0.6 stands in" in drawn("finite-reservoirs", "3").caption


def test_the_command_draws_and_judges(capsys, tmp_path, monkeypatch):
    claims = claimed("n-demon")
    monkeypatch.setattr(n_demon, "claims", lambda: claims)

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["figures", *arguments])
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    code, out, _ = run("n-demon", "--out", str(tmp_path / "new"), "--claims", "--json")
    record = json.loads(out)
    assert (
        code == 0 and len(record["written"]) == 3 and {c["verdict"] for c in record["claims"]["n-demon"]} == {"reproduced", "partly", "not"}
    )
    code, out, _ = run("n-demon", "--claims")
    assert code == 0 and out.startswith("Deghi") and "\nNOT " in out and "paper  trade-off" in out
    assert out.endswith("8 claims: 6 reproduced, 1 partly, 1 not\n") and max(map(len, out.splitlines())) <= 120
    assert run("n-demon") == (2, "", "qtd: error: figures needs --out, a directory to write to, or --claims.\n")
    assert run("motor", "--claims")[0] == 2 and "no figures are known of 'motor'" in run("motor", "--claims")[2]
    (tmp_path / "file").touch()
    assert run("--out", str(tmp_path / "file"))[0] == 2


def test_a_number_that_is_not_defined_is_null_in_json(capsys, monkeypatch):
    numbers = {"COP": float("nan"), "bound": float("inf"), "J_c": 2.0}
    monkeypatch.setattr(n_demon, "claims", lambda: [figures._sheet.claim("Fig. 2b", "it cools", "yes", numbers, [True])])
    with pytest.raises(SystemExit):
        main(["figures", "n-demon", "--claims", "--json"])
    constants = []
    record = json.loads(capsys.readouterr().out, parse_constant=constants.append)  # NaN and Infinity, which are no JSON
    assert constants == [] and record["claims"]["n-demon"][0]["numbers"] == {"COP": None, "bound": None, "J_c": 2.0}


def test_every_machine_has_figures():
    homes = set(qtd.machines.HOMES.values()) - {"_machine", ".findings", ".parameters"}
    machines = {name for name, home in qtd.machines.HOMES.items() if home in homes} - {"ReducedRefrigerator"}
    assert {"".join(part.title() for part in name.split("-")) for name in figures.names()} == machines
    for name in figures.names():
        assert figures.paper(name).PAPER and figures.paper(name).FIGURES


def test_single_precision_is_refused():
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(ValueError, match="double precision"):
            n_demon.figure_2()
    finally:
        jax.config.update("jax_enable_x64", True)


def test_a_claim_is_judged_by_its_parts():
    judged = lambda *parts: str(figures._sheet.claim("Fig. 1", "", "", {}, list(parts)).verdict)
    assert (judged(True, True), judged(True, False), judged(False)) == ("reproduced", "partly", "not")


def test_unknown_figures_are_refused():
    with pytest.raises(ValueError, match="no figures are known of 'engine'; there is all, n-demon"):
        figures.names("engine")
