"""The papers that the machines are from: their figures drawn again from the library, with their
numbers, and a verdict on each claim made about them.

A folder a machine, such as `qtd.papers.quantum_motor`: `devices`, the machines at the paper's
parameters; `figures`, what draws them, with `FIGURES`, functions by the paper's number of a figure;
`claims`, what the paper says and what comes out, with `CLAIMS`.
`qtd.papers.explicit_filters` has no paper: it is judged by reference numbers.
"""

import importlib
from pathlib import Path
from types import ModuleType

from ._claim import Claim, Outcome, Verdict, table
from ._sheet import Sheet

__all__ = ["Claim", "Outcome", "Sheet", "Verdict", "claims", "draw", "names", "paper", "table"]

_MACHINES = (
    "n-demon",
    "qubit-refrigerator",
    "resonator-refrigerator",
    "collective-refrigerator",
    "quantum-motor",
    "finite-reservoirs",
    "explicit-filters",
)


def names(machine: str = "all") -> list[str]:
    """The machines whose papers are here, or the one `machine` asked for.

    Raises `ValueError` for an unknown one.
    """
    if machine == "all":
        return list(_MACHINES)
    if machine not in _MACHINES:
        known = ", ".join(_MACHINES)
        raise ValueError(f"no figures are known of {machine!r}; there is all, {known}.")
    return [machine]


def paper(machine: str) -> ModuleType:
    """The folder of the paper on this machine: `PAPER`, its name, `FIGURES` and `CLAIMS`."""
    return importlib.import_module(f".{names(machine)[0].replace('-', '_')}", __name__)


def draw(folder: Path | str, machine: str) -> list[Path]:
    """Draw the figures about a machine into a folder, and return the files written.

    MACHINE-figN.png and MACHINE-figN.csv, with every point drawn, for each figure N of the paper;
    MACHINE.md with all pictures and captions. Needs double precision.
    """
    folder = Path(folder)
    drawn = paper(machine)
    written = []
    text = [f"# {drawn.PAPER}"]
    for number, figure in drawn.FIGURES.items():
        sheet = figure()
        picture, numbers = sheet.save(folder, machine)
        written += [picture, numbers]
        text += [f"## Fig. {number}", f"![Fig. {number}]({picture.name})"]
        text.append(f"{sheet.caption} [Numbers]({numbers.name})")
    captions = folder / f"{machine}.md"
    captions.write_text("\n\n".join(text) + "\n")
    return [*written, captions]


def claims(machine: str) -> list[Claim]:
    """Claims of the paper on this `machine`, as they come out here. Needs double precision."""
    return [printed.judged() for printed in paper(machine).CLAIMS]
