"""The gallery: pictures, their numbers, captions, the record of claims; what is drawn runs through
reference values of an independent implementation."""

import json

import jax
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from gallery import claimed, drawn
from helpers import printed

import qtd
from qtd import papers
from qtd.cli import main
from qtd.papers._claim import claim, claims_in
from qtd.papers.n_demon import figures as n_demon


def at(sheet, curve, x, panel=None):
    """The last number drawn on this curve at x (a figure's inset comes after its panel)."""
    table = sheet.table
    there = (table.curve == curve) & np.isclose(table.x, x)
    return table[there & (panel is None or table.panel == panel)].y.to_list()


def test_a_folder_holds_pictures_numbers_and_captions(tmp_path):
    written = papers.draw(tmp_path, "n-demon")
    assert [path.name for path in written] == [
        "n-demon-fig2b.png",
        "n-demon-fig2b.csv",
        "n-demon.md",
    ]
    numbers = pd.read_csv(tmp_path / "n-demon-fig2b.csv")
    pd.testing.assert_frame_equal(numbers, drawn("n-demon", "2b").table, rtol=1e-8)
    assert numbers.y_name.iloc[0] == "COP" and len(numbers) == 401 * 14
    picture = matplotlib.image.imread(tmp_path / "n-demon-fig2b.png")
    colours = np.unique(picture.reshape(-1, picture.shape[2]), axis=0)
    assert picture.shape[1] == 748 and len(colours) > 100  # 3.4 inches
    text = (tmp_path / "n-demon.md").read_text()
    assert "n-demon-fig2b.png" in text and "T_0 = T_h" in text
    assert "Eq. (23)" in text  # what is misprinted is said


def test_n_demon_runs_through_the_printed_points():
    sheet = drawn("n-demon", "2b")

    def near(curve, x):
        points = sheet.table[sheet.table.curve == curve]
        return np.interp(x, points.x[:401], points.y[:401])

    for curve, text in (
        (r"$\varepsilon_4=1.6$", "0.3586"),
        (r"$\varepsilon_4=2.1$", "0.2233"),
        (r"$\varepsilon_4\to\varepsilon_3$ (24)", "0.3636"),
    ):
        assert near(curve, 0.8) == printed(text)


@pytest.mark.deep
@pytest.mark.quick
def test_collective_refrigerator_runs_through_the_printed_points():
    sheet = drawn("collective-refrigerator", "2")
    assert at(sheet, "full model", 41) == [printed("0.1656853291"), printed("0.6535494291")]
    assert at(sheet, "reduced model", 41) == [printed("0.2052522117"), printed("0.5382363994")]
    widths = drawn("collective-refrigerator", "3").table
    line = widths[(widths.panel == "a") & np.isclose(widths.y, 0.1)]
    assert line[line.x < 0.0029].value.min() > 0 and line[line.x > 0.003].value.max() < 0
    assert np.all(widths[(widths.y >= 1.999)].value < 0)  # d_h = 2 never cools
    curves = drawn("collective-refrigerator", "4").table
    narrow = curves[curves.curve == r"$\delta_w=0.001\,\Omega$"]
    assert narrow[np.isclose(narrow.x, 1.0)].y.iloc[0] == printed("0.761687")
    times = drawn("collective-refrigerator", "7")
    assert 101**2 * at(times, r"$t_{th}$", 101)[0] == printed("67.6")


def test_efficiency_is_drawn_where_the_machine_cools_and_nowhere_else():
    table = drawn("collective-refrigerator", "5").table
    inside = table.value.notna()
    drawn_at = table[inside]
    assert drawn_at.value.between(0, 1).all()
    assert (drawn_at.x > drawn_at.y).all() and (drawn_at.x < 3 * drawn_at.y).all()
    points = inside.groupby(table.panel).sum()
    # A sharper work filter cools in more places, wider others in fewer.
    assert points.b > points.a > points.c > points.d


def test_the_first_finite_reservoirs_cool_and_rest_as_printed():
    table = drawn("finite-reservoirs", "1").table
    cold = table[table.curve == "$T_1$"]
    assert cold.y.min() == pytest.approx(0.36903938614426, rel=1e-3)
    assert cold.y.iloc[-1] == pytest.approx(1.54344, rel=1e-4)
    crossover = table[table.curve == r"$\tilde\omega$"][:40]
    start = np.polynomial.Polynomial.fit(crossover.x, crossover.y, 3)(0.0)
    assert start == pytest.approx(28.0, rel=1e-5)


def test_captions_name_every_parameter():
    caption = drawn("collective-refrigerator", "5").caption
    parameters = ("N = 31", "0.0005", "2, 6, 4 Omega", "heights 1", "The paper gives no widths")
    assert all(text in caption for text in parameters)
    assert "T_1 = 0.6 stands in" in drawn("finite-reservoirs", "3").caption


def test_the_command_draws_and_judges(capsys, tmp_path, monkeypatch):
    claims = claimed("n-demon")
    monkeypatch.setattr(papers, "claims", lambda machine: claims)

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["figures", *arguments])
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    code, out, _ = run("n-demon", "--out", str(tmp_path / "new"), "--claims", "--json")
    record = json.loads(out)
    assert code == 0 and len(record["written"]) == 3
    by_verdict = {each["verdict"]: each for each in record["claims"]["n-demon"]}
    assert set(by_verdict) == {"reproduced", "partly", "not"}
    assert [name for name, holds in by_verdict["partly"]["parts"].items() if not holds] == [
        "for other occupations too",
    ]
    code, out, _ = run("n-demon", "--claims")
    assert code == 0 and out.startswith("Deghi") and "\nNOT " in out and "paper  trade-off" in out
    assert out.count("    fails  ") == 1 and "    fails  for other occupations too\n" in out
    assert out.endswith("8 claims: 6 reproduced, 1 partly, 1 not\n")
    assert max(map(len, out.splitlines())) <= 120
    refusal = "qtd: error: figures needs --out, a directory to write to, or --claims.\n"
    assert run("n-demon") == (2, "", refusal)
    code, _, err = run("motor", "--claims")
    assert code == 2 and "no figures are known of 'motor'" in err
    (tmp_path / "file").touch()
    assert run("--out", str(tmp_path / "file"))[0] == 2


def test_a_number_that_is_not_defined_is_null_in_json(capsys, monkeypatch):
    numbers = {"COP": float("nan"), "bound": float("inf"), "J_c": 2.0}
    cools = a_claim({"it cools": True}, numbers)
    monkeypatch.setattr(papers, "claims", lambda machine: [cools])
    with pytest.raises(SystemExit):
        main(["figures", "n-demon", "--claims", "--json"])
    constants = []
    out = capsys.readouterr().out
    record = json.loads(out, parse_constant=constants.append)  # NaN and Infinity, which are no JSON
    found = record["claims"]["n-demon"][0]["numbers"]
    assert constants == [] and found == {"COP": None, "bound": None, "J_c": 2.0}


@pytest.mark.deep
@pytest.mark.quick
def test_a_rate_equation_is_drawn_where_the_hierarchy_is_not():
    sheet = drawn("explicit-filters", "1")
    for ratio, current, cop in ((0.1, 2.63366e-5, 0.49977), (1.0, 1.73184e-4, 0.49785)):
        cooling, efficiency = (
            [x for x in at(sheet, "explicit, $d=0.05$", ratio, panel) if not np.isnan(x)]
            for panel in ("a", "b")
        )
        assert cooling == [pytest.approx(current / 0.05, rel=1e-3)]
        assert efficiency == [pytest.approx(cop, abs=1e-5)]
    promised = at(sheet, "rate equation", 10.0, "a")
    assert promised == [pytest.approx(2.83181e-3 / 0.05, rel=1e-5)]
    assert at(sheet, "hierarchy, $d=0.05$", 10.0) == [4.876e-4 / 0.05, 0.4820]
    ends = at(sheet, "explicit, $d=0.05$", 100.0, "a")
    assert np.isnan(ends[0]) and ends[1] < 0.0145  # doubtful, and drawn as such


def test_every_machine_has_figures_and_claims():
    others = {"_machine", ".findings", ".parameters"}
    machines = {name for name, home in qtd.machines.HOMES.items() if home not in others}
    named = {"".join(part.title() for part in name.split("-")) for name in papers.names()}
    # Explicit filters are no machine, but a way to solve one.
    assert named == machines - {"ReducedRefrigerator"} | {"ExplicitFilters"}
    for name in papers.names():
        paper = papers.paper(name)
        assert paper.PAPER and paper.FIGURES and paper.CLAIMS


def test_single_precision_is_refused():
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(ValueError, match="double precision"):
            n_demon.figure_2()
        with pytest.raises(ValueError, match="double precision"):
            papers.claims("n-demon")
    finally:
        jax.config.update("jax_enable_x64", True)


def test_a_claim_is_judged_by_its_parts():
    assert a_claim({"one": True, "other": np.True_}).verdict == "reproduced"
    assert a_claim({"one": False, "other": np.False_}).verdict == "not"
    judged = a_claim({"one": True, "other": np.False_, "third": True})
    assert judged.verdict == "partly" and judged.fails == ["other"]
    assert "    fails  other\n    reason" in papers.table([judged])


def test_a_decorated_function_is_a_claim_and_its_module_has_them_in_order():
    made = claims_in({"later": it_cools, "number": 1, "again": it_heats})
    assert [printed.name for printed in made] == ["it_cools", "it_heats"]
    claim = it_cools.judged()
    assert claim[:5] == ("Fig. 1", "it cools", "yes", {"J_c": 2.0}, "reproduced")


@claim("Fig. 1", "it cools", printed="yes")
def it_cools():
    return papers.Outcome({"it cools": True}, {"J_c": np.float64(2.0)})


@claim("Fig. 1", "it heats", printed="yes")
def it_heats():
    return papers.Outcome({"it heats": False}, {})


def a_claim(parts, numbers=None):
    """A claim of these parts as it is judged."""

    @claim("Fig. 2b", "it cools", printed="yes")
    def made():
        return papers.Outcome(parts, numbers or {}, "for no reason")

    return made.judged()


def test_unknown_figures_are_refused():
    with pytest.raises(ValueError, match="no figures are known of 'engine'; there is all, n-demon"):
        papers.names("engine")
