"""The lower bounds in pyproject.toml as exact requirements, one a line, for pip: the oldest
versions that qtd says it works with."""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest(requirement: str) -> str:
    """`zarr>=3.1.3` as `zarr==3.1.3`; raises `ValueError` for a requirement without a lower
    bound."""
    found = re.fullmatch(r"\s*([\w.\-\[\]]+)\s*>=\s*([\w.]+)\s*", requirement)
    if found is None:
        raise ValueError(f"{requirement!r} has no lower bound; write it as NAME>=VERSION.")
    return f"{found[1]}=={found[2]}"


def requirements() -> list[str]:
    """Of `qtd` and of its tests, the lowest versions."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    return [
        lowest(each)
        for each in (*project["dependencies"], *project["optional-dependencies"]["test"])
    ]


if __name__ == "__main__":
    print("\n".join(requirements()))
