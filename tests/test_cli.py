import gc
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
import xarray as xr
import zarr
from matplotlib.figure import Figure

import qtd
from qtd.cli import main
from qtd.cli._commands import sweep as _sweep


@pytest.fixture(autouse=True)
def keep_double_precision():
    import jax

    yield
    jax.config.update("jax_enable_x64", True)


def run(capsys, *arguments):
    """Exit code, stdout and stderr of the command."""
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    out, err = capsys.readouterr()
    return stop.value.code or 0, out, err


def test_list_names_every_machine(capsys):
    code, out, _ = run(capsys, "list")
    assert code == 0 and "collective-refrigerator" in out
    assert list(json.loads(run(capsys, "list", "--json")[1])) == [
        line.split()[0] for line in out.splitlines()
    ]


def test_show_prints_parameters_and_operating_point(capsys):
    code, out, _ = run(
        capsys,
        "show",
        "collective-refrigerator",
        "--set",
        "num_spins=5",
        "--set",
        "cold.temperature=0.6",
    )
    assert code == 0 and "cold.temperature" in out and "COP" in out
    record = json.loads(
        run(capsys, "show", "collective-refrigerator", "--set", "num_spins=5", "--json")[1]
    )
    point = qtd.machines.CollectiveRefrigerator(num_spins=5).operate()
    assert record["operating_point"]["J_cold"] == float(point.heat_currents["cold"])
    assert record["parameters"]["work.temperature"] == 1000 and record["options"]["num_spins"] == 5


def test_sizes_of_two_resonators_are_set_with_a_comma(capsys):
    record = json.loads(
        run(capsys, "show", "resonator-refrigerator", "--set", "levels=3,4", "--json")[1]
    )
    point = qtd.machines.ResonatorRefrigerator((3, 4)).operate()
    assert record["options"]["levels"] == [3, 4] and record["operating_point"]["J_cold"] == float(
        point.heat_currents["cold"]
    )


def test_single_precision_is_an_option(capsys):
    record = json.loads(
        run(
            capsys, "show", "collective-refrigerator", "--set", "num_spins=5", "--json", "--float32"
        )[1]
    )
    assert record["operating_point"]["J_cold"] == pytest.approx(0.002297869835715556, rel=1e-4)


def test_design_writes_a_picture_and_a_record(capsys, tmp_path):
    options = ["--starts", "2", "--steps", "20", "--out", str(tmp_path), "--set", "num_spins=5"]
    problem = [
        "--maximize",
        "J_c",
        "--over",
        "cold.spectral_density.center=1.5:2.5",
        "--subject-to",
        "cop>=0.2",
    ]
    code, out, err = run(capsys, "design", "collective-refrigerator", *problem, *options)
    assert code == 0 and err == "" and "Converged" in out and "first law" in out
    record = json.loads((tmp_path / "design.json").read_text())
    assert (
        record["converged"]
        and record["objective"] == "J_cold"
        and record["after"]["laws"]["second law"]["holds"]
    )
    assert record["value"] > record["before"]["operating_point"]["J_cold"]
    assert (tmp_path / "design.png").read_bytes()[:4] == b"\x89PNG"


def test_a_design_that_is_interrupted_goes_on_where_it_was(capsys, monkeypatch, tmp_path):
    line = ["design", "n-demon", "--starts", "2", "--steps", "40", "--out", str(tmp_path)]
    code, _, err = run(capsys, *line, "--resume")
    assert code == 2 and "--resume finds no" in err
    whole, _, _ = run(capsys, *line, "--json")
    kept, seen = json.loads((tmp_path / "design.json").read_text()), []
    assert whole == 0 and "Validity" not in kept and kept["certificate"]["starts"] == 2

    def stop(self, steps):
        seen.append(steps)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("qtd.design._progress.Progress.advance", stop)
        code, _, err = run(capsys, *line)
    assert code == 130 and "--resume goes on" in err and (tmp_path / "design.search.npz").exists()
    assert json.loads((tmp_path / "design.json").read_text())["interrupted"]
    assert run(capsys, *line, "--resume")[0] == 0 and not (tmp_path / "design.search.npz").exists()
    assert json.loads((tmp_path / "design.json").read_text())["value"] == kept["value"]
    assert "<img" in (tmp_path / "design.html").read_text()


@pytest.mark.parametrize(("limits", "validity"), [
    ([], 0.1),
    (["--subject-to", "COP>=0.4"], 0.1),
    (["--subject-to", "validity<=0.05"], 0.05),
])  # fmt: skip
def test_another_aim_is_sought_where_the_model_holds(capsys, tmp_path, limits, validity):
    line = ["design", "n-demon", "--minimize", "sigma", "--starts", "2", "--steps", "10", *limits]
    code, out, err = run(capsys, *line, "--out", str(tmp_path), "--json")
    limit = json.loads(out)["subject_to"]["validity"]
    assert code == 0 and err == "" and limit["high"] == validity
    assert limit["value"] <= validity * (1 + 1e-6)


def test_fronts_tolerances_and_references_by_command(capsys, tmp_path):
    demon = ["design", "n-demon", "--starts", "2", "--steps", "20", "--out", str(tmp_path)]
    over = ["--over", "boldness=0.1:3"]
    front = ["--pareto", "J_cold,-sigma", "--points", "3"]
    code, out, err = run(capsys, *demon, *over, *front, "--json")
    record = json.loads(out)
    assert code == 0 and err == "" and record["objectives"] == ["J_cold", "-sigma"]
    assert len(record["points"]) == 3 and (tmp_path / "design.png").exists()
    # The demon's own problem asks for a COP.
    code, out, err = run(capsys, *demon, "--pareto", "J_cold,COP", "--points", "2", "--json")
    assert code == 0 and err == "" and json.loads(out)["objectives"] == ["J_cold", "COP"]
    rough = ["--minimize", "sigma", "--subject-to", "J_cold>=3e-4", "--tolerance", "energy_4=0.01"]
    code, out, err = run(capsys, *demon, *over, *rough, "--measure", "mean")
    assert code == 0 and err == "" and "in the workshop (mean of" in out
    code, out, err = run(capsys, "design", "n-demon", "--reference", "--json")
    kept = json.loads(out)["least entropy"]
    assert kept["again"] == pytest.approx(kept["kept"], rel=1e-9, abs=1e-12)
    assert "n-demon: least entropy" in run(capsys, "list", "--designs")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "nothing"], "collective-refrigerator"),
        (["nonsense"], "nonsense"),
        (["show"], "MACHINE"),
        (["show", "collective-refrigerator", "--nope"], "--nope"),
        (["show", "collective-refrigerator", "--set", "cold.temperature"], "PATH=VALUE"),
        (["show", "collective-refrigerator", "--set", "cold.temperature=warm"], "number"),
        (["show", "collective-refrigerator", "--set", "cold.temperature=nan"], "finite"),
        (["show", "collective-refrigerator", "--set", "cold.temperature=-1"], "must be positive"),
        (
            ["show", "collective-refrigerator", "--set", "cold.temprature=1"],
            "did you mean cold.temperature",
        ),
        (["show", "collective-refrigerator", "--set", "num_spins=1"], "single level"),
        (["show", "resonator-refrigerator", "--set", "levels=3"], "two whole numbers"),
        (["show", "resonator-refrigerator", "--set", "levels=3,x"], "takes a number"),
        (["show", "collective-refrigerator", "--set", "parity=left"], "even"),
        (["show", "collective-refrigerator", "--set", "spin=3"], "spin"),
        (
            ["design", "collective-refrigerator", "--over", "cold.spectral_density.center=3:1"],
            "low < high",
        ),
        (
            ["design", "collective-refrigerator", "--over", "cold.spectral_density.center=3"],
            "PATH=LOW:HIGH",
        ),
        (
            ["design", "collective-refrigerator", "--over", "cold.spectral_density.width=-1:1"],
            "must be positive",
        ),
        (["design", "collective-refrigerator", "--maximize", "joy"], "joy"),
        (["design", "n-demon", "--minimize", "sigma", "--pareto", "J_cold,COP"], "exclude another"),
        (["design", "n-demon", "--tolerance", "width"], "PATH=SIGMA"),
        (["design", "n-demon", "--tolerance", "width=-1"], "positive standard deviation"),
        (["design", "n-demon", "--pareto", "J_cold"], "two or three"),
        (["design", "valve", "--reference"], "must be one of"),
        (["design", "collective-refrigerator", "--subject-to", "COP=3"], "NAME>=VALUE"),
        (["design", "collective-refrigerator", "--subject-to", "COP>=high"], "number"),
        (
            [
                "design",
                "collective-refrigerator",
                "--subject-to",
                "COP>=0.1",
                "--subject-to",
                "cop>=0.2",
            ],
            "limits COP twice with >=",
        ),
        (
            ["design", "n-demon", "--over", "width=0.9:1.1", "--over", "width=0.9:1.2"],
            "a parameter twice",
        ),
        (["design", "n-demon", "--starts", "99999999999"], "GB of memory"),
        (["design", "n-demon", "--steps", "99999999999"], "GB of memory"),
        (["show", "resonator-refrigerator", "--set", "levels=1e9,1e9"], "too many"),
        (["show", "resonator-refrigerator", "--set", "levels=1e200,1e200"], "too many"),
        (["show", "collective-refrigerator", "--set", "num_spins=1e12"], "memory"),
        (["check", "/no/such/store.zarr"], "STORE '/no/such/store.zarr' does not exist"),
        (["check"], "STORE"),
        (["design", "collective-refrigerator", "--starts", "0"], "starts"),
    ],
)
def test_bad_input_ends_with_code_2_and_one_line(capsys, arguments, words):
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == ""
    assert err.startswith("qtd: error: ") and err.count("\n") == 1 and words in err


def test_a_constraint_that_cannot_be_met_ends_with_code_2(capsys, tmp_path):
    problem = [
        "--over",
        "cold.spectral_density.center=1.5:2.5",
        "--subject-to",
        "COP>=0.99",
        "--set",
        "num_spins=5",
    ]
    code, _, err = run(
        capsys,
        "design",
        "collective-refrigerator",
        *problem,
        "--starts",
        "1",
        "--steps",
        "5",
        "--out",
        str(tmp_path),
    )
    assert code == 2 and "was met from none" in err and not list(tmp_path.iterdir())


def test_the_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "qtd", "list"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and "collective-refrigerator" in done.stdout


@pytest.mark.parametrize("machine", [
    "collective-refrigerator", "qubit-refrigerator", "resonator-refrigerator", "n-demon",
    "finite-reservoirs", pytest.param("quantum-motor", marks=pytest.mark.deep),
])  # fmt: skip
def test_every_machine_is_designed(capsys, tmp_path, machine):
    asked = ["design", machine, "--starts", "2", "--steps", "5", "--out", str(tmp_path)]
    code, out, err = run(capsys, *asked)
    assert code == 0 and err == "" and "operating point" in out
    assert (tmp_path / "design.png").exists() and "<img" in (tmp_path / "design.html").read_text()


def test_a_machine_without_levels_is_shown_and_designed(capsys, tmp_path):
    record = json.loads(
        run(capsys, "show", "n-demon", "--set", "cold.temperature=0.9", "--json")[1]
    )
    assert record["operating_point"]["mode"] == "refrigerator" and all(
        law["holds"] for law in record["laws"].values()
    )
    code, out, err = run(
        capsys, "design", "n-demon", "--starts", "2", "--steps", "20", "--out", str(tmp_path)
    )
    assert code == 0 and err == "" and "exchange" in out and (tmp_path / "design.png").exists()


def test_finite_reservoirs_show_what_flows(capsys):
    record = json.loads(run(capsys, "show", "finite-reservoirs", "--json")[1])
    assert (
        record["operating_point"]["mode"] == "refrigerator"
        and record["operating_point"]["dT_0"] < 0
    )
    assert all(law["holds"] for law in record["laws"].values())


GRID = [
    "sweep",
    "collective-refrigerator",
    "--set",
    "num_spins=3",
    "--over",
    "cold.temperature=0.3:1:5",
    "--over",
    "hot.temperature=0.5:2:4:log",
]


def test_sweep_prints_a_table(capsys):
    code, out, err = run(capsys, *GRID, "--observe", "j_c", "--observe", "COP")
    lines = out.splitlines()
    assert (
        code == 0
        and err == ""
        and lines[0] == "cold.temperature,hot.temperature,COP,J_cold,status"
        and len(lines) == 21
    )
    cold, hot, _, current, status = map(float, lines[7].split(","))
    machine = qtd.replace(
        qtd.machines.CollectiveRefrigerator(num_spins=3),
        {"cold.temperature": cold, "hot.temperature": hot},
    )
    assert (
        current == pytest.approx(float(machine.operate().heat_currents["cold"]), rel=1e-12)
        and status == 0
    )


def test_sweep_fills_a_store_and_resumes_it(capsys, tmp_path):
    store, picture = tmp_path / "map.zarr", tmp_path / "map.png"
    code, out, _ = run(
        capsys, *GRID, "--observe", "J_cold", "--store", str(store), "--picture", str(picture)
    )
    assert code == 0 and "20 points (20 OK)" in out and "largest J_cold" in out and "E^2" in out
    assert store.is_dir() and picture.read_bytes().startswith(b"\x89PNG")
    code, _, err = run(capsys, *GRID, "--observe", "J_cold", "--store", str(store))
    assert code == 2 and "--store" in err and "exists; finish it with --resume" in err
    record = json.loads(
        run(capsys, *GRID, "--observe", "J_cold", "--store", str(store), "--resume", "--json")[1]
    )
    assert record["status"] == {"OK": 20} and set(record["largest"]["J_cold"]["at"]) == {
        "cold.temperature",
        "hot.temperature",
    }
    assert run(capsys, *GRID, "--observe", "COP", "--store", str(store), "--resume")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--over must name a parameter"),
        (["--over", "cold.temperature=0.3:1"], "PATH=LOW:HIGH:COUNT"),
        (["--over", "cold.temperature=0.3:1:many"], "PATH=LOW:HIGH:COUNT"),
        (["--over", "cold.temperature=0:1:9:log"], "positive bounds"),
        (["--over", "cold.temprature=0.3:1:9"], "did you mean cold.temperature"),
        (
            ["--over", "cold.temperature=0.3:1:9", "--over", "cold.temperature=0.3:2:9"],
            "a parameter twice",
        ),
        (["--over", "cold.temperature=0.3:1:9", "--resume"], "--resume needs the --store"),
        (["--over", "cold.temperature=0.3:1:99999999999"], "take fewer"),
        (["--over", "cold.temperature=0.3:1:99999999999999999999999"], "take fewer"),
        (
            ["--over", "cold.temperature=0.3:1:50000", "--over", "hot.temperature=0.3:1:50000"],
            "or write to a --store",
        ),
        (
            [
                "--over",
                "cold.temperature=0.3:1:100000",
                "--over",
                "hot.temperature=0.3:1:100000",
                "--json",
            ],
            "or give a --store",
        ),
        (
            ["--over", "cold.temperature=0.3:1:9", "--observe", "J_kold"],
            "no observable is called 'J_kold'",
        ),
    ],
)
def test_sweep_refuses_bad_input_in_one_line(capsys, arguments, words):
    code, out, err = run(capsys, "sweep", "collective-refrigerator", *arguments)
    assert code == 2 and out == "" and len(err.splitlines()) == 1 and words in err


def test_lists_of_numbers_are_set_with_commas(capsys):
    record = json.loads(
        run(capsys, "show", "finite-reservoirs", "--set", "gases.temperature=0.5,0.9", "--json")[1]
    )
    assert record["parameters"]["gases.temperature"] == [0.5, 0.9]
    code, _, err = run(capsys, "show", "finite-reservoirs", "--set", "gases.temperature=0.5")
    assert code == 2 and "must have shape (2,), got (1,)" in err


def test_audit_says_whether_to_trust_a_machine(capsys):
    code, out, _ = run(capsys, "audit", "n-demon", "--set", "width=0.001")
    assert code == 0 and "first law" in out and "nothing speaks against" in out
    code, out, _ = run(capsys, "audit", "collective-refrigerator", "--set", "num_spins=5", "--json")
    record = json.loads(out)
    # Heights of 1 are far too much.
    assert code == 1 and any(each["topic"] == "weak coupling" for each in record["findings"])


def test_report_writes_a_page_and_an_explorer(capsys, tmp_path):
    out = str(tmp_path / "demon.html")
    code, out, err = run(capsys, "report", "n-demon", "--out", out, "--derivatives")
    assert code == 0 and err == "" and "demon-explorer.html" in out
    page, explorer = (
        (tmp_path / name).read_text() for name in ("demon.html", "demon-explorer.html")
    )
    assert (
        "first law" in page
        and "data:image" in page
        and "<script" in explorer
        and '"slopes": [null' not in explorer
        and not re.search("src=.http|href=.http|url\\(http", page + explorer)
    )
    assert "--out" in run(capsys, "report", "n-demon")[2]


@pytest.mark.parametrize(
    "name", ["collective-refrigerator", "CollectiveRefrigerator", "collective_refrigerator"]
)
def test_machines_answer_to_any_spelling_of_their_name(capsys, name):
    code, out, _ = run(capsys, "show", name, "--set", "num_spins=5", "--json")
    assert code == 0 and json.loads(out)["options"]["num_spins"] == 5


def test_a_name_that_is_nearly_one_is_told_which(capsys):
    code, _, err = run(capsys, "show", "n-deamon")
    assert code == 2 and "did you mean n-demon?" in err


def test_a_path_set_twice_is_refused_and_lists_may_have_brackets(capsys):
    code, _, err = run(capsys, "show", "n-demon", "--set", "width=0.1", "--set", "width=0.2")
    assert code == 2 and "'width' twice" in err
    settings = "--set", "gases.temperature=[0.6,1.0]", "--set", "energies[1]=21.7"
    code, out, _ = run(capsys, "show", "finite-reservoirs", *settings, "--json")
    assert code == 0 and json.loads(out)["parameters"]["energies"] == [21.1, 21.7]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["list"], 0),
        (["--help"], 0),
        (["--version"], 0),
        (["sweep", "--help"], 0),
        (["sow"], 2),
        (["show", "n-deamon"], 2),
        (["show", "n-demon", "--set", "width"], 2),
        (["audit", "n-deamon"], 2),
        (["design", "n-demon", "--over", "width=1"], 2),
        (["design", "n-demon", "--subject-to", "COP"], 2),
        (["sweep", "n-demon", "--over", "width=1:2"], 2),
        (["report", "n-demon", "--out", "/nowhere/page.html"], 2),
        (["figures", "--out", "x", "n-deamon"], 2),
        (["check", "nothing.zarr"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_needs_no_numbers_is_answered_without_jax(tmp_path, arguments, code):
    script = (
        f"import sys; from qtd.cli import main\ntry: main({arguments!r})\nfinally: assert"
        " 'jax' not in sys.modules"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert run.returncode == code, run.stderr
    assert code == 0 or (run.stderr.startswith("qtd: error: ") and run.stderr.count("\n") == 1)


TOY = '''
"""A machine of another package."""

import jax.numpy as jnp

import qtd
from qtd.machines import AbstractOpenSystem


class Toy(AbstractOpenSystem):
    """A place between two baths, of a package that qtd does not know.

    More of it.
    """

    cooled, driven_by = None, None
    gap: object
    cold: qtd.Reservoir
    hot: qtd.Reservoir

    def __init__(self, gap=1.0):
        ohmic = qtd.spectral.Ohmic(0.1, 10.0)
        bath = lambda temperature: qtd.Reservoir(temperature, spectral_density=ohmic)
        self.gap, self.cold, self.hot = jnp.asarray(gap), bath(0.5), bath(1.0)

    def system(self):
        jumps = [("cold", 0, 1, 1.0), ("hot", 0, 1, 1.0)]
        baths = {"cold": self.cold, "hot": self.hot}
        return qtd.RateNetwork(jnp.stack([0 * self.gap, self.gap]), jumps, baths)


class NoMachine:
    """Does nothing."""


class NoDefault(Toy):
    """Cannot be built from nothing."""

    def __init__(self, gap):
        super().__init__(gap)
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package with a machine, as an installer would leave it."""
    package, told = tmp_path / "toybox", tmp_path / "toybox-1.0.dist-info"
    package.mkdir()
    told.mkdir()
    (package / "__init__.py").write_text("")
    (package / "toys.py").write_text(TOY)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: toybox\nVersion: 1.0\n")
    (package / "broken.py").write_text("class Broken(:")
    others = "broken = toybox.broken:Broken\nlost = nowhere.at_all:Lost\nbare = toybox"
    (told / "entry_points.txt").write_text(f"[qtd.machines]\ntoy = toybox.toys:Toy\n{others}\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("toybox", "toybox.toys"):
        sys.modules.pop(name, None)


@pytest.mark.deep
@pytest.mark.quick
def test_a_machine_of_another_package_joins_every_command(capsys, toy):
    listed = json.loads(run(capsys, "list", "--json")[1])
    assert (
        listed["toy"] == "A place between two baths, of a package that qtd does not know."
        and "n-demon" in listed
    )
    assert "toybox.toys" not in sys.modules  # listed without being imported
    code, out, _ = run(capsys, "show", "toy", "--set", "gap=2", "--json")
    assert (
        code == 0
        and json.loads(out)["parameters"]["gap"] == 2.0
        and json.loads(out)["laws"]["first law"]["holds"]
    )
    code, out, _ = run(capsys, "sweep", "toy", "--over", "gap=1:2:3", "--observe", "J_hot")
    assert code == 0 and len(out.splitlines()) == 4
    code, out, _ = run(capsys, "audit", "toy")
    assert code == 0 and "Toy" in out
    design = [
        "--maximize",
        "J_hot",
        "--over",
        "gap=0.5:4",
        "--starts",
        "2",
        "--steps",
        "20",
        "--out",
        str(toy),
    ]
    code, out, _ = run(capsys, "design", "toy", *design)
    assert code == 0 and "Converged" in out
    code, _, _ = run(capsys, "report", "toy", "--out", str(toy / "toy.html"))
    assert code == 0 and (toy / "toy-explorer.html").exists()


def test_any_class_can_be_named_by_its_module(capsys, toy, monkeypatch):
    monkeypatch.chdir(toy)
    code, out, _ = run(capsys, "show", "toybox.toys:Toy")
    assert code == 0 and "entropy production" in out
    for name, words in (
        (
            "toybox.toys:NoMachine",
            "'toybox.toys:NoMachine' is no machine: it must be a class with `operate`",
        ),
        ("toybox.toys:Nothing", "there is no machine 'toybox.toys:Nothing'"),
        ("nowhere:Toy", "there is no machine 'nowhere:Toy': No module named 'nowhere'"),
        ("tot", "did you mean toy? There is"),
        ("broken", "there is no machine 'toybox.broken:Broken': "),
        ("bare", "there is no machine"),
        ("toybox.toys:NoDefault", "every argument must have a default"),
    ):
        code, _, err = run(capsys, "show", name)
        assert code == 2 and words in err and err.count("\n") == 1, err


@pytest.fixture
def compiles_nothing(monkeypatch):
    """Whatever is found wrong, is found before a machine is built."""
    monkeypatch.setattr(
        "qtd.cli._machines.compute_in", lambda float32: pytest.fail("a machine was built")
    )


DEMON = ["n-demon", "--over", "width=0.9:1.1:5"]
# arguments, and the words of the refusal; {} is a folder, in which are a file "file", a folder
# "full" and an empty "full.zarr"
OUTPUTS = [
    (
        ["design", "n-demon", "--out", "{}/new/x"],
        "--out must be a directory that can be written to, got '{}/new/x', which is none; make it",
    ),
    (["design", "n-demon", "--out", "{}/file"], "--out must be a directory"),
    (
        ["report", "n-demon", "--out", "{}/new/x.html"],
        "--out must be a directory that can be written to, got '{}/new', which is none",
    ),
    (
        ["report", "n-demon", "--out", "{}/full"],
        "--out must be a file, got '{}/full', which is a directory",
    ),
    (
        ["sweep", *DEMON, "--store", "{}/full.zarr"],
        "--store '{}/full.zarr' exists; finish it with --resume, delete it, or choose another",
    ),
    (
        ["sweep", *DEMON, "--store", "{}/file/map.zarr"],
        "--store must be a directory that can be written to, got '{}/file', which is none",
    ),
    (["sweep", *DEMON, "--picture", "{}/new/x.png"], "--picture must be a directory"),
    (["sweep", *DEMON, "--picture", "{}/x.docx"], "--picture must end in one of ."),
    (["sweep", *DEMON, "--picture", "{}/x"], "--picture must end in one of"),
]


@pytest.mark.parametrize(
    ("arguments", "words"), OUTPUTS, ids=[" ".join(arguments) for arguments, _ in OUTPUTS]
)
def test_what_cannot_be_written_is_found_first(
    capsys, tmp_path, compiles_nothing, arguments, words
):
    (tmp_path / "file").write_text("")
    for folder in ("full", "full.zarr"):
        (tmp_path / folder).mkdir()
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run(capsys, *(each.format(tmp_path) for each in arguments))
    assert code == 2 and out == "" and len(err.splitlines()) == 1
    assert words.format(tmp_path) in err and sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["design", "n-demon", "--out", "{}"], "--out"),
        (["report", "n-demon", "--out", "{}/x.html"], "--out"),
    ]
    + [
        (["sweep", *DEMON, "--store", "{}/a/x.zarr"], "--store"),
        (["sweep", *DEMON, "--picture", "{}/x.png"], "--picture"),
    ],
    ids=["design", "report", "store", "picture"],
)
def test_a_folder_that_nobody_can_write_to_is_found_first(
    capsys, monkeypatch, tmp_path, compiles_nothing, arguments, option
):
    """For root every folder can be written to, so that a refusal is put in its place."""

    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    code, out, err = run(capsys, *(each.format(tmp_path) for each in arguments))
    assert code == 2 and out == "" and len(err.splitlines()) == 1
    assert err.startswith(
        f"qtd: error: {option} must be in a directory that can be written to, got '{tmp_path}':"
        " Permission denied"
    )


def test_check_reads_a_store_and_names_what_is_damaged(capsys, tmp_path):
    store = tmp_path / "map.zarr"
    line = ["sweep", *DEMON, "--observe", "J_cold", "--store", str(store)]
    assert run(capsys, *line)[0] == 0
    code, out, _ = run(capsys, "check", str(store))
    assert code == 0 and "5 blocks, 0 unfinished, 0 damaged" in out
    (store / "J_cold/c/3").unlink()
    zarr.open_array(str(store / "progress/finished"), mode="r+")[1] = False
    code, out, _ = run(capsys, "check", str(store), "--json")
    assert code == 1 and json.loads(out) == {"blocks": 5, "unfinished": [1], "damaged": [3]}
    assert "with --resume" in run(capsys, "check", str(store))[1]
    with pytest.warns(UserWarning, match="computed again: 3"):
        assert run(capsys, *line, "--resume")[0] == 0
    assert run(capsys, "check", str(store))[0] == 0
    (store / "J_cold/zarr.json").unlink()
    code, out, err = run(capsys, "check", str(store))
    assert (
        code == 2
        and out == ""
        and err.startswith(f"qtd: error: STORE '{store}' is damaged")
        and "delete it and compute again" in err
    )
    code, out, err = run(capsys, *line, "--resume")
    assert code == 2 and err.startswith(f"qtd: error: --store '{store}' is damaged")


def test_the_summary_of_a_sweep_does_not_depend_on_how_much_is_read_at_once(capsys, monkeypatch):
    whole = run(capsys, *GRID, "--json")[1]
    monkeypatch.setattr("qtd.cli._commands.sweep._CELLS", 4)
    assert run(capsys, *GRID, "--json")[1] == whole and json.loads(whole)["points"] == 20


def interrupted(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "where", "words"),
    [
        (
            ["design", "n-demon", "--out", "{}"],
            "qtd.design.maximize",
            "nothing is kept of a design of which no step is finished.",
        ),
        (
            ["report", "n-demon", "--out", "{}/x.html"],
            "qtd.report.survey",
            "{}/x.html is not written; run the same command again.",
        ),
        (["sweep", *DEMON], "tqdm.tqdm.update", "nothing is kept without a --store"),
        (
            ["sweep", *DEMON, "--store", "{}/x.zarr"],
            "qtd.sweep",
            "nothing has been written yet; run the same command again.",
        ),
        (
            ["sweep", *DEMON, "--store", "{}/x.zarr"],
            "tqdm.tqdm.update",
            "kept in {}/x.zarr; run the same command with --resume to go on.",
        ),
        (["audit", "n-demon"], "qtd.audit", "nothing is kept."),
        (["figures", "--claims", "n-demon"], "qtd.papers.claims", "nothing is kept."),
    ],
    ids=["design", "report", "sweep", "store not begun", "store begun", "audit", "figures"],
)
def test_an_interrupt_says_what_is_kept_and_how_to_go_on(
    capsys, monkeypatch, tmp_path, arguments, where, words
):
    with monkeypatch.context() as patch:
        patch.setattr(where, interrupted)
        code, out, err = run(capsys, *(each.format(tmp_path) for each in arguments))
    assert code == 130 and out == "" and len(err.split()) > 3
    assert (
        err.strip().startswith("qtd: interrupted; ")
        and "\n" not in err.strip()
        and words.format(tmp_path) in err
    )
    if "--resume" in words:
        assert run(capsys, *(each.format(tmp_path) for each in arguments), "--resume")[0] == 0


def test_an_interrupt_during_a_collection_of_garbage_is_not_lost(capsys, monkeypatch):
    """Python prints exceptions of such callbacks, and drops them."""
    pending = [KeyboardInterrupt]

    def once(phase, info):
        if pending:
            raise pending.pop()

    def slowly(machine):
        gc.callbacks.append(once)
        gc.collect()
        for _ in range(200):
            time.sleep(0.01)
        pytest.fail("nothing was interrupted")

    monkeypatch.setattr("qtd.audit", slowly)
    # Tests that run in the background have none.
    known = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, out, err = run(capsys, "audit", "n-demon")
    finally:
        signal.signal(signal.SIGINT, known)
        gc.callbacks.remove(once)
    assert code == 130 and out == "" and err.strip() == "qtd: interrupted; nothing is kept."


def test_a_sweep_that_is_interrupted_tells_what_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr("tqdm.tqdm.update", interrupted)
    for store, words in (
        (None, "Nothing is kept"),
        (tmp_path / "x.zarr", "resume=True goes on from there"),
    ):
        with pytest.raises(KeyboardInterrupt) as stop:
            qtd.sweep(
                qtd.machines.NDemon(), {"width": np.linspace(0.9, 1.1, 5)}, ["J_cold"], store=store
            )
        assert words in stop.value.__notes__[0]


@pytest.mark.deep
@pytest.mark.parametrize("command", ["sweep", "design", "report"])
@pytest.mark.parametrize("seconds", [0.0, 1.0, 3.0])
def test_ctrl_c_leaves_no_traceback(tmp_path, command, seconds):
    """A signal to a process, some time after it has begun to work."""
    arguments = {
        "sweep": [
            "--over",
            "cold.temperature=0.3:1:3000",
            "--over",
            "hot.temperature=0.4:2:3000",
            "--store",
            str(tmp_path / "map.zarr"),
        ],
        "design": ["--starts", "400", "--steps", "100000", "--out", str(tmp_path)],
        "report": ["--out", str(tmp_path / "page.html")],
    }[command]
    begin = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from qtd.cli"
        " import main; print('begun', flush=True); "
    )
    process = [
        sys.executable,
        "-c",
        f"{begin}main()",
        command,
        "collective-refrigerator",
        *arguments,
    ]
    running = subprocess.Popen(process, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout.readline() == "begun\n", running.stderr.read()
    time.sleep(seconds)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130 and out == "", err
    assert err.strip().startswith("qtd: interrupted; ") and len(err.strip().splitlines()) == 1


def test_no_current_out_of_what_is_not_cold_is_the_largest_cooling(tmp_path, capsys, monkeypatch):
    """The trap: most heat leaves the cooled reservoir where that is the hotter one."""
    drawn = []
    monkeypatch.setattr(
        "qtd.plots.operating_map", lambda table, name: drawn.append(table[name]) or Figure()
    )
    grid = [
        "--over",
        "cold.temperature=0.3:1:8",
        "--over",
        "hot.temperature=0.4:2:9",
        "--observe",
        "J_cold",
        "--observe",
        "J_hot",
    ]
    command = ["sweep", "collective-refrigerator", "--set", "num_spins=5", *grid, "--json"]
    code, out, _ = run(
        capsys,
        *command,
        "--store",
        str(tmp_path / "map.zarr"),
        "--picture",
        str(tmp_path / "map.png"),
    )
    best, table = json.loads(out)["largest"], drawn[0]
    assert (
        code == 0
        and best["J_cold"]["at"]["cold.temperature"] < best["J_cold"]["at"]["hot.temperature"]
    )
    assert np.array_equal(
        np.isnan(table),
        np.broadcast_to(table["cold.temperature"] >= table["hot.temperature"], table.shape),
    )
    assert (
        float(best["J_cold"]["value"]) == float(table.max())
        and table.attrs["units"] == best["J_cold"]["units"] == "E^2"
    )
    # With the other temperature as it is.
    _, out, _ = run(
        capsys, *command[:4], "--over", "cold.temperature=0.9:3:8", "--observe", "J_cold", "--json"
    )
    assert json.loads(out)["largest"]["J_cold"]["at"]["cold.temperature"] == 0.9


def test_the_largest_of_a_sweep_that_is_read_in_parts_may_be_nought():
    """The trap: 0 counts as nothing in Python, and so did the best of a part."""
    values = xr.DataArray(
        np.array([-1.0, 0.0, -2.0, np.nan]),
        dims="x",
        coords={"x": np.arange(4.0)},
        attrs={"units": "E"},
    )
    found = xr.Dataset({"J": values, "status": ("x", np.zeros(4, int))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sweep, "_CELLS", 1)
        largest = _sweep._sweep_record("a machine", qtd.machines.NDemon(), found, None)["largest"]
    assert largest["J"] == {"value": 0.0, "units": "E", "at": {"x": 1.0}}


def show_with_cache(home, *options):
    """`qtd show` in a process that has no folder for compiled programs but that of the user, and
    what is kept there."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JAX_COMPILATION", "JAX_PERSISTENT"))
    }
    command = [sys.executable, "-m", "qtd", *options, "show", "n-demon", "--json"]
    done = subprocess.run(
        command, env={**environment, "XDG_CACHE_HOME": str(home)}, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout, {path: path.stat().st_mtime_ns for path in home.rglob("*-cache")}


@pytest.mark.skipif(
    sys.platform != "linux", reason="where a user's cache is, is told by other means there"
)
def test_a_command_reads_what_it_has_compiled_before(tmp_path):
    first, kept = show_with_cache(tmp_path)
    second, still = show_with_cache(tmp_path)
    assert second == first and kept and still == kept
    damaged = max(kept, key=lambda path: path.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert show_with_cache(tmp_path)[0] == first


@pytest.mark.skipif(
    sys.platform != "linux", reason="where a user's cache is, is told by other means there"
)
def test_a_command_keeps_nothing_where_it_must_not_or_cannot(tmp_path):
    found, kept = show_with_cache(tmp_path, "--no-cache")
    assert not kept
    (tmp_path / "qtd").touch()  # where the folder would be
    assert show_with_cache(tmp_path) == (found, {})
