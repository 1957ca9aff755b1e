"""What the README and the pages in docs/ say works as printed, and nothing public is left out."""

import doctest
import pkgutil
import re
from pathlib import Path

import pytest

import qtd

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WITH_EXAMPLES = [page for page in (README, *PAGES) if BLOCK.search(page.read_text())]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def place(page):
    return page.relative_to(ROOT).as_posix()


def in_the_navigation():
    """The pages that mkdocs.yml lists: its lines are enough for that, without mkdocs."""
    _, _, listed = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")
    return re.findall(r"^ +- .*?([\w./]+\.(?:md|ipynb))$", listed, re.MULTILINE)


@pytest.mark.deep
@pytest.mark.quick
@pytest.mark.timeout(1800)  # all of a page in one go
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=place)
def test_the_examples_run_in_order_and_print_what_they_say(
    page,
    tmp_path,
    monkeypatch,
    users_configuration,
):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    told = []
    for kind, block in BLOCK.findall(page.read_text()):
        if kind == "python":
            exec(compile(block, place(page), "exec"), names)
            continue
        example = doctest.DocTestParser().get_doctest(block, names, place(page), place(page), 0)
        doctest.DocTestRunner(optionflags=OPTIONS).run(example, out=told.append, clear_globs=False)
        names.update(example.globs)
    assert not told, "".join(told)


def test_there_are_exactly_two_set_up_commands():
    commands = re.findall(r"```bash\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(commands) == 2
    assert all(len(text.strip().splitlines()) == 1 for text in commands)


def test_every_public_module_has_a_page():
    found = {"qtd"}
    for module in pkgutil.walk_packages(qtd.__path__, "qtd."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            found.add(module.name)
    pages = [path for path in in_the_navigation() if path.startswith("api/qtd")]
    assert sorted(pages) == sorted(f"api/{name}.md" for name in found)


def test_every_page_and_notebook_is_in_the_navigation():
    notebooks = [f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")]
    there = [place(page).removeprefix("docs/") for page in PAGES] + notebooks
    assert sorted(there) == sorted(p for p in in_the_navigation() if not p.startswith("api/qtd"))


def test_lines_are_not_too_long():
    for page in (README, *PAGES):
        for line in page.read_text().splitlines():
            assert len(line) <= 140 or line.startswith("|"), f"{place(page)}: {line}"
