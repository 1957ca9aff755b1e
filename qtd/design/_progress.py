"""How far a search is: a bar with the time left on a terminal, a line a minute elsewhere."""

import sys
import time

from tqdm import tqdm

_APART = 60.0  # seconds between two lines


class Progress:
    """Steps done of a `total`, of what is `described`; silent unless `shown`."""

    def __init__(self, total: int, described: str, shown: bool, done: int = 0):
        self._described, self._total, self._first, self._done = described, total, done, done
        self._begun = self._told = time.monotonic()
        self._speaks = shown and not sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            initial=done,
            disable=not shown or self._speaks,
            unit="step",
            desc="compiling",
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, steps: int) -> None:
        """So many more steps are done."""
        self._done += steps
        self._bar.set_description(self._described, refresh=False)
        self._bar.update(steps)
        now = time.monotonic()
        if self._speaks and now - self._told >= _APART:
            self._told = now
            pace = (now - self._begun) / max(self._done - self._first, 1)
            left = pace * (self._total - self._done)
            said = (
                f"{self._described}: step {self._done} of {self._total}, about {_time(left)} left"
            )
            print(said, file=sys.stderr, flush=True)


def _time(seconds):
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
