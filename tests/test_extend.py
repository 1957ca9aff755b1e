"""The package that the page "Extend" describes: built from the page, and used for all it says."""

import importlib
import re
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd
from qtd.audits import Severity
from qtd.cli import main

PAGE = (Path(__file__).parent.parent / "docs" / "extend.md").read_text()
FILES = dict(re.findall(r'^```py title="([\w/.]+)"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE))
POINTS = re.search(r'^```toml title="pyproject.toml"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE)[
    1
]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder in which an installer would leave `my_devices`."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in {**FILES, "my_devices/__init__.py": ""}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    about = folder / "my_devices-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my_devices\nVersion: 1.0\n")
    points = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", POINTS).replace('"', "")
    (about / "entry_points.txt").write_text(points)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_devices"]:
        del sys.modules[name]


@pytest.fixture
def device(package):
    return lambda name: importlib.import_module(f"my_devices.{name}")


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


def test_each_addition_is_one_file():
    rows = re.findall(r"^\| an? (.*?) \| (\d)\b", PAGE, re.MULTILINE)
    assert rows == [(name, "1") for name in KINDS]
    assert len(FILES) == len(KINDS)


KINDS = ["machine", "spectral density", "observable", "kind of system", "command"]


def test_a_machine_is_one_file(device):
    valve = device("valve").Valve()
    point = valve.operate()
    assert float(point.heat_currents["hot"]) > 0 and not int(point.status)
    slopes = eqx.filter_grad(lambda m: m.operate().heat_currents["hot"])(valve)
    assert np.all(np.isfinite(jax.tree.leaves(slopes)))
    with pytest.raises(ValueError, match="`gap` must be positive"):
        device("valve").Valve(-1.0)
    assert qtd.audit(valve).trusted


def test_a_spectral_density_is_one_file(device):
    gaussian = device("gaussian").Gaussian(1.0, 0.2, 0.3)
    energies = jnp.array([0.8, 1.0, 1.4])
    wanted = 0.3 * np.exp(-(((np.asarray(energies) - 1.0) / 0.2) ** 2) / 2)
    np.testing.assert_allclose(gaussian(energies), wanted, rtol=1e-14)
    reservoir = qtd.Reservoir(0.5, spectral_density=gaussian)
    up, down = reservoir.rates(1.0)
    assert float(up / down) == pytest.approx(np.exp(-2.0), rel=1e-13)
    assert qtd.units.unit_of_parameter("spectral_density.width", reservoir) == "E"


def test_an_observable_is_a_row(device, capsys):
    diode = device("diode").Diode()
    point = diode.operate()
    forward, backward = (
        abs(float(p.heat_currents["hot"])) for p in (point.forward, point.backward)
    )
    assert float(point.observables()["R"].value) == pytest.approx(forward / backward, rel=1e-14)
    assert "heat current forward over backward" in repr(point)
    table = qtd.sweep(diode, {"valve.gap": [0.9, 1.0]}, ["R", "J_hot"])
    assert table.R.units == "1" and float(table.R[1]) == pytest.approx(
        forward / backward, rel=1e-12
    )
    code, out, _ = run(capsys, "sweep", "diode", "--over", "valve.gap=0.9:1.0:2", "--observe", "R")
    assert code == 0 and len(out.splitlines()) == 3
    assert run(capsys, "show", "diode")[1].count("heat current forward over backward") == 1


@pytest.fixture
def ladder(device):
    flat = qtd.spectral.Ohmic(0.1, 10.0)
    baths = {
        name: qtd.Reservoir(t, spectral_density=flat) for name, t in (("cold", 0.5), ("hot", 1.0))
    }
    return device("ladder").Ladder(jnp.asarray(1.0), baths, 4)


def test_a_kind_of_system_is_one_file(ladder, device):
    """A birth-death chain with a solver of its own does what the same rate network does."""
    network = device("ladder").network_of(ladder)
    point, known = qtd.operate(ladder), qtd.operate(network)
    for name in ("cold", "hot"):
        np.testing.assert_allclose(point.heat_currents[name], known.heat_currents[name], rtol=1e-12)
    np.testing.assert_allclose(
        point.heat_covariance.matrix, known.heat_covariance.matrix, rtol=1e-11
    )
    start, times = [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 20.0]
    here, there = (qtd.evolution.relax(system, start, times) for system in (ladder, network))
    np.testing.assert_allclose(here, there, rtol=1e-10, atol=1e-14)

    def current(system):
        return qtd.operate(system).heat_currents["hot"]

    slope = eqx.filter_grad(current)(ladder).gap
    step = 1e-5
    moved = [float(current(qtd.replace(ladder, {"gap": 1.0 + x}))) for x in (step, -step)]
    assert float(slope) == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-7)


def test_a_kind_of_system_is_swept_by_name_audited_drawn_and_reported(ladder):
    table = qtd.sweep(ladder, {"gap": [0.5, 1.0]}, ["J_hot", "sigma"])
    assert table.J_hot.units == "E^2" and table.status.values.tolist() == [0, 0]
    audit = qtd.audit(ladder)
    assert audit.trusted and audit.of("steady state")[0].severity == Severity.FINE
    assert qtd.plots.level_scheme(ladder).axes
    survey = qtd.report.survey(ladder)
    assert "<h1>Ladder" in qtd.report.page(ladder, table=survey)
    assert "Ladder" in qtd.report.explorer(survey) or survey.attrs["observable"] == "J_cold"


def test_a_command_is_one_file(package, capsys, monkeypatch):
    monkeypatch.chdir(package)
    code, out, _ = run(capsys, "count", "my_devices.valve:Valve")
    assert (code, out) == (0, "11\n")
    assert "count" in run(capsys, "--help")[1]
    entry = package / "my_devices-1.0.dist-info" / "entry_points.txt"
    kept = entry.read_text()
    entry.write_text(kept + "lost = nowhere:lost\n")
    code, _, err = run(capsys, "lost")
    assert code == 2 and "the command 'lost' of nowhere:lost cannot be used" in err
    assert run(capsys, "--help")[0] == 0
    entry.write_text(kept)
