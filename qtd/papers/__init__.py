"""The figures of the papers, drawn again from the library, with their numbers and a verdict on each claim made about them.

One module a machine, such as `qtd.papers.quantum_motor`, each with `FIGURES`, functions by the paper's number of a figure, and `claims`.
"""

import importlib
from pathlib import Path
from types import ModuleType

from ._sheet import Claim, Sheet, Verdict, table

__all__ = ["Claim", "Sheet", "Verdict", "claims", "draw", "names", "paper", "table"]

_MACHINES = (
    "n-demon",
    "qubit-refrigerator",
    "resonator-refrigerator",
    "collective-refrigerator",
    "quantum-motor",
    "finite-reservoirs",
)


def names(machine: str = "all") -> list[str]:
    """The machines whose papers have figures here, or the one `machine` asked for. Raises `ValueError` for an unknown one."""
    if machine == "all":
        return list(_MACHINES)
    if machine not in _MACHINES:
        raise ValueError(f"no figures are known of {machine!r}; there is all, {', '.join(_MACHINES)}.")
    return [machine]


def paper(machine: str) -> ModuleType:
    """The module that draws the figures about this machine: `PAPER`, `FIGURES`, `claims`."""
    return importlib.import_module(f".{names(machine)[0].replace('-', '_')}.figures", __name__)


def draw(folder: Path | str, machine: str) -> list[Path]:
    """Draw the figures about a machine into a folder, and return the files written.

    MACHINE-figN.png and MACHINE-figN.csv, with every point drawn, for each figure N of the paper; MACHINE.md with all pictures and
    captions. Needs double precision.
    """
    folder, module, written = Path(folder), paper(machine), []
    text = [f"# {module.PAPER}"]
    for number, figure in module.FIGURES.items():
        sheet = figure()
        picture, numbers = sheet.save(folder, machine)
        written += [picture, numbers]
        text += [f"## Fig. {number}", f"![Fig. {number}]({picture.name})", f"{sheet.caption} [Numbers]({numbers.name})"]
    captions = folder / f"{machine}.md"
    captions.write_text("\n\n".join(text) + "\n")
    return [*written, captions]


def claims(machine: str) -> list[Claim]:
    """What the paper on this machine claims about its figures, and what comes out here. Needs double precision."""
    return list(paper(machine).claims())
