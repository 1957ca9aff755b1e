"""The figures of the papers, drawn again from the library, with their numbers and a verdict on each claim made about them.

One module a machine, such as `qtd.figures.quantum_motor`, each with `FIGURES`, functions by the paper's number of a figure, and `claims`.
"""

import importlib
from pathlib import Path
from types import ModuleType

from tqdm import tqdm

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
    return importlib.import_module(f".{names(machine)[0].replace('-', '_')}", __name__)


def draw(folder: Path | str, machine: str = "all", progress: bool = False) -> list[Path]:
    """Draw the figures about a machine, or all, into a folder, and return the files written.

    MACHINE-figN.png and MACHINE-figN.csv, with every point drawn, for each figure N of the paper; captions.md with all pictures and
    captions. Needs double precision. `progress`: show a bar on stderr.
    """
    folder, written, text = Path(folder), [], []
    numbered = [(name, number) for name in names(machine) for number in paper(name).FIGURES]
    for name, number in tqdm(numbered, disable=not progress, unit="figure"):
        sheet = paper(name).FIGURES[number]()
        picture, numbers = sheet.save(folder, name)
        written += [picture, numbers]
        text.append(
            f"## {paper(name).PAPER}: Fig. {number}\n\n![Fig. {number}]({picture.name})\n\n{sheet.caption} [Numbers]({numbers.name})\n"
        )
    captions = folder / "captions.md"
    captions.write_text("# Figures\n\n" + "\n".join(text))
    return [*written, captions]


def claims(machine: str) -> list[Claim]:
    """What the paper on this machine claims about its figures, and what comes out here. Needs double precision."""
    return list(paper(machine).claims())
