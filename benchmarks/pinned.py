"""Whether qtd has lost speed: ratios to its rivals beside those in `pinned.toml`.

python -m benchmarks --pinned [--only NAME ...]
"""

import tomllib
from pathlib import Path

import rows

LOSS = 1.5  # a ratio so many times less than it was fails
HEAD = "| kernel | rival | rival's time, qtd = 1 | pinned |\n|---|---|---|---|"


def pinned() -> dict[str, dict]:
    """Rival, ratio and points by kernel."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def check(wanted: dict[str, dict], row_of=rows.row_of, rounds: int = 5) -> list[str]:
    """Prints a table; the names of the rows that have lost."""
    print(f"\n{HEAD}", flush=True)
    lost = []
    for name, pin in wanted.items():
        found = measured(row_of(name), pin, rounds)
        has_lost = found < pin["ratio"] / LOSS
        verdict = ": lost" if has_lost else ""
        print(f"| {name} | {pin['rival']} | {found:.2g}{verdict} | {pin['ratio']} |", flush=True)
        lost += [name] * has_lost
    return lost


def measured(row: rows.Row, pin: dict, rounds: int) -> float:
    """The rival's time over qtd's; the better of two where the first one is a loss, which may be
    other work on the same core."""
    case = row.case(pin["points"])
    case = case._replace(rivals={pin["rival"]: case.rivals[pin["rival"]]})
    ours = rows.compiled(row, case.arguments, ("value",))
    rows.agreement(row, case, ours.runs["value"]())

    def ratio():
        seconds = rows.seconds_per_point(ours, case, rounds)
        return seconds["rivals"][pin["rival"]] / seconds["qtd"]["value"]

    found = ratio()
    return found if found >= pin["ratio"] / LOSS else max(found, ratio())
