import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import qtd

ROOT = Path(qtd.__file__).parent
LAYERS = {
    "_lazy": 0,
    "findings": 0.5,
    **dict.fromkeys(("limits", "status"), 0.6),
    "_numerics": 0,
    **dict.fromkeys(
        (
            "distributions",
            "spectral",
            "transmissions",
            "scatterers",
            "reservoirs",
            "gases",
            "parameters",
            "units",
        ),
        1,
    ),
    "systems": 1.5,
    **dict.fromkeys(("networks", "lindblad", "jumps", "hierarchy", "scattering", "greens"), 2),
    **dict.fromkeys(("oscillators", "_wide"), 2.5),
    **dict.fromkeys(("steady", "certificates"), 3),
    "explicit": 3.5,
    **dict.fromkeys(("counting", "evolution", "expansion", "nonthermal"), 4),
    **dict.fromkeys(("thermodynamics", "rotor", "cooling"), 5),
    "observables": 5.5,
    "machines": 6,
    **dict.fromkeys(("design", "sweeps", "audits", "sensitivities"), 7),
    **dict.fromkeys(("plots", "report", "cli", "papers"), 8),
    "__main__": 9,
}
SAME_LAYER = {
    ("reservoirs", "spectral"): "a reservoir holds its spectral density",
    ("reservoirs", "distributions"): "and its occupation",
    ("lindblad", "networks"): "without coherences a Lindbladian is a network",
    ("lindblad", "jumps"): "its front door to devices given by jump operators",
    ("lindblad", "hierarchy"): "and to reservoirs that have a memory",
    ("hierarchy", "networks"): "a rate equation has a device behind it",
    ("report", "plots"): "a report shows the drawings that a user can make",
    ("cli", "plots"): "commands save drawings",
    ("cli", "report"): "a command writes the report",
    ("cli", "papers"): "a command redraws the papers",
}
LATE = {
    "matplotlib",
    "jinja2",
    "xarray",
    "zarr",
    "dask",
    "distributed",
    "optax",
    "diffrax",
    "scipy.optimize",
    "scipy.sparse",
}
FILES = [
    path for path in sorted(ROOT.rglob("*.py")) if path.relative_to(ROOT).parts != ("__init__.py",)
]


def imports(path):
    """Dotted names inside qtd, such as `machines._machine`, that a file imports anywhere, at the
    top or in a function."""
    package = ("qtd", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (
                tuple(alias.name.split("."))[1:]
                for alias in node.names
                if alias.name.split(".")[0] == "qtd"
            )
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            full = (*base, *(node.module.split(".") if node.module else ()))
            if full[:1] == ("qtd",):
                yield from ((*full, alias.name)[1:] for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_only_downwards(path):
    home = path.relative_to(ROOT).with_suffix("").parts[0]
    assert home in LAYERS, f"{home} has no layer"
    for target in imports(path):
        if not target or target[0] == home:
            continue
        assert target[0] in LAYERS, (
            f"{path.name} imports {'.'.join(target)}: import from its own module, not from qtd"
        )
        below = LAYERS[target[0]] < LAYERS[home]
        assert below or (home, target[0]) in SAME_LAYER, f"{home} must not import {target[0]}"


def test_machines_never_import_one_another():
    for path in (ROOT / "machines").glob("*.py"):
        inside = {
            target[1] for target in imports(path) if target[0] == "machines" and len(target) > 1
        }
        siblings = {
            other.stem
            for other in (ROOT / "machines").glob("*.py")
            if not other.stem.startswith("_")
        }
        assert path.stem == "__init__" or not inside & siblings, path


def test_papers_never_import_one_another():
    """Nor do the figures and the claims of one paper: what they share is in its devices."""
    folders = {path.parent.name for path in (ROOT / "papers").glob("*/__init__.py")}
    below = {
        "__init__": {"figures", "claims"},
        "figures": {"devices"},
        "claims": {"claims", "devices"},
        "devices": set(),
    }
    for path in (ROOT / "papers").glob("*/**/*.py"):
        folder, part, *_ = path.relative_to(ROOT / "papers").with_suffix("").parts
        inside = [target[1:] for target in imports(path) if target[0] == "papers"]
        assert not {target[0] for target in inside if target} & (folders - {folder}), path
        assert {target[1] for target in inside if target[0] == folder} <= below[part], path


def test_what_is_imported_is_declared():
    """The trap: a package that another one brings along is missed when that one drops it."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["cluster"]]
    known = {re.split(r"[<>=]", line)[0].replace("-", "_") for line in declared} | {
        "qtd",
        *sys.stdlib_module_names,
    }
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert {name.split(".")[0] for name in names} <= known, path


def test_numerics_knows_no_physics():
    for path in (ROOT / "_numerics").glob("*.py"):
        assert all(target[0] == "_numerics" for target in imports(path) if target), path


def test_nothing_configures_jax():
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            touches = (
                isinstance(node, ast.Attribute)
                and node.attr in ("update", "config")
                and "jax.config" in ast.unparse(node)
            )
            allowed = path.parent.name == "cli"  # a program of its own, not a library
            assert allowed or not touches, path


def test_importing_is_light_and_leaves_jax_as_it_was():
    code = (
        f"import sys, jax, qtd; print(sorted({LATE!r} & set(sys.modules)),"
        " jax.config.jax_enable_x64)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    assert run.stdout.split("\n")[0] == "[] False"


def in_a_process(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    ).stdout.strip()


def test_importing_loads_nothing_until_it_is_used():
    assert (
        in_a_process(
            "import sys, qtd, qtd.machines; dir(qtd); print('jax' in sys.modules, 'numpy' in"
            " sys.modules)"
        )
        == "False False"
    )


def test_what_is_loaded_inside_a_program_can_be_used_after_it():
    """The trap: constants that a module makes while it is loaded belong to the program that is
    being written down then."""
    names = (
        "[getattr(qtd, name) for name in dir(qtd)], [getattr(qtd.machines, name) for name in"
        " dir(qtd.machines)]"
    )
    code = (
        f"import jax, qtd; jax.jit(lambda x: ({names}, x)[-1])(1.0);"
        " print(float(qtd.machines.NDemon().operate().cop) > 0)"
    )
    assert in_a_process(code) == "True"


@pytest.mark.parametrize("first", ["qtd.parameters", "qtd.networks", "qtd.cli"])
def test_parameters_is_the_function_whatever_has_been_imported(first):
    assert in_a_process(
        f"import {first}, qtd; print(list(qtd.parameters(qtd.machines.NDemon()))[-1],"
        " qtd.parameters.__name__)"
    ) == ("exchange parameters")


@pytest.mark.parametrize("module", [qtd, qtd.machines])
def test_packages_list_what_they_load(module):
    assert sorted(dir(module)) == sorted(module.__all__)
    for name in module.__all__:
        getattr(module, name)


def test_the_inside_of_jax_is_touched_in_one_folder():
    for path in FILES:
        if "jax_internals" not in path.parts:
            told = re.findall(r"jax\.(?:extend|interpreters|_src)|make_jaxpr", path.read_text())
            assert told in ([], ["make_jaxpr"]), f"{path} leans on the inside of JAX: {told}"


def test_files_hold_one_subject_each():
    for path in FILES:
        assert len(path.read_text().splitlines()) <= 600, (
            f"{path} holds two subjects: find the seam"
        )


def test_the_version_is_stated_once():
    assert isinstance(qtd.__version__, str) and qtd.__version__[0].isdigit()


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="nothing"):
        _ = qtd.nothing
