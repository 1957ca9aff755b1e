"""Claims of papers: each is a function of what comes out here, and its parts make the verdict."""

import dataclasses
import enum
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ._precision import refuse_single_precision


class Verdict(enum.StrEnum):
    """Verdict on a paper's claim: it came out, partly, or not."""

    REPRODUCED = "reproduced"
    PARTLY = "partly"
    NOT = "not"


class Claim(NamedTuple):
    """A paper's statement about a figure, and what comes out here.

    `statement`: what is said of a `figure`; `paper`: its number or word; `numbers`: ours, by name;
    `verdict`: whether it came out; `reason`: what holds and what does not, in words; `parts`:
    whether each part of the statement holds, by name.
    """

    figure: str
    statement: str
    paper: str
    numbers: dict[str, float]
    verdict: Verdict
    reason: str
    parts: dict[str, bool]

    @property
    def fails(self) -> list[str]:
        """The parts that do not hold."""
        return [name for name, holds in self.parts.items() if not holds]


class Outcome(NamedTuple):
    """The outcome of a paper's claim here.

    `parts`: whether each part of the claim holds, by name; `numbers`: ours, by name; `note`: what
    holds and what does not, in words.
    """

    parts: Mapping[str, Any]
    numbers: Mapping[str, Any]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Printed:
    """A claim as the paper has it, and the function that computes what comes out here.

    `name`: that of the function; `figure`, `statement`, `paper`: as in `Claim`; `compute`: the
    function.
    """

    name: str
    figure: str
    statement: str
    paper: str
    compute: Callable[[], Outcome]

    def judged(self) -> Claim:
        """The claim with its verdict: reproduced where all parts hold, partly where some do."""
        refuse_single_precision()
        outcome = self.compute()
        parts = {name: bool(holds) for name, holds in outcome.parts.items()}
        numbers = {name: float(value) for name, value in outcome.numbers.items()}
        verdict = _verdict(parts.values())
        note = outcome.note
        return Claim(self.figure, self.statement, self.paper, numbers, verdict, note, parts)


Computation = Callable[[], Outcome]


def claim(figure: str, statement: str, *, printed: str) -> Callable[[Computation], Printed]:
    """Decorate a function: it computes what comes out where a paper makes this `statement` about a
    `figure`; `printed` is the paper's number or word."""

    def decorate(compute: Computation) -> Printed:
        return Printed(compute.__name__, figure, statement, printed, compute)

    return decorate


def claims_in(names: Mapping[str, Any]) -> tuple[Printed, ...]:
    """The claims among the `names` of a module, in the order in which it makes them."""
    return tuple(thing for thing in names.values() if isinstance(thing, Printed))


def table(claims: Iterable[Claim]) -> str:
    """`claims` as text, a block each: figure and claim, the paper's number, ours, the parts that
    fail where others hold, the reason; and how many came out."""
    judged = list(claims)
    blocks = ["\n".join(map(_wrapped, _lines(each))) for each in judged]
    counts = [f"{sum(each.verdict == verdict for each in judged)} {verdict}" for verdict in Verdict]
    return "\n\n".join([*blocks, f"{len(judged)} claims: {', '.join(counts)}"])


def _lines(each: Claim) -> list[str]:
    """The lines of a claim's block, however long."""
    ours = "; ".join(f"{name} = {value:.6g}" for name, value in each.numbers.items())
    lines = [f"{each.verdict.upper():<11}{each.figure}: {each.statement}"]
    lines += [f"    paper  {each.paper}", f"    qtd    {ours}"]
    if each.verdict == Verdict.PARTLY:
        lines.append(f"    fails  {'; '.join(each.fails)}")
    if each.reason:
        lines.append(f"    reason {each.reason}")
    return lines


def _verdict(parts: Iterable[bool]) -> Verdict:
    held = set(parts)
    if held == {True}:
        return Verdict.REPRODUCED
    return Verdict.PARTLY if True in held else Verdict.NOT


def _wrapped(line: str) -> str:
    """A line of a block in 120 columns."""
    return textwrap.fill(line, width=120, subsequent_indent=" " * 11, break_on_hyphens=False)
