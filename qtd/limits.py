"""The places where audits draw their lines, and why there."""

import math
from typing import NamedTuple

from .findings import Severity

__all__ = ["Limits"]


class Limits(NamedTuple):
    """Above which a number that should be small is worth a note, is doubtful, or is wrong."""

    note: float
    doubtful: float = math.inf
    wrong: float = math.inf

    def rate(self, value: float) -> Severity:
        """How bad this value is; what is not a number is doubtful."""
        if math.isnan(value):
            return Severity.DOUBTFUL
        if value > self.wrong:
            return Severity.WRONG
        if value > self.doubtful:
            return Severity.DOUBTFUL
        return Severity.NOTE if value > self.note else Severity.FINE


# Physics: ratios in which a theory is an expansion. What is left out is of the order of the first
# power (rates over gaps, widths, temperatures), or of the second (velocities, in which what is odd
# averages out over a turn): 1 %, 10 %, and no expansion at all.
FIRST_ORDER = Limits(0.01, 0.1, 1.0)
SECOND_ORDER = Limits(0.1, 0.3, 1.0)

# (d / e)^2 and h d / e^2 of a filter that is a mode in the device, where weak damping and the
# rotating wave are off by about 2 %.
WEAK_FILTER = 0.03

# A level that holds a smaller share of the time, of the jumps and of the heat cannot move a current
# by more than what is worth a note.
MATTERS = FIRST_ORDER.note

# Two answers to the same question, their difference over the larger: 1 % is more than rounding, 10
# % more than most devices are known to, and above one half they do not agree even about the size.
DIFFERENCE = Limits(0.01, 0.1, 0.5)
# Which of several currents to quote: the one that was asked for, if it differs enough to be
# doubtful; one that is nothing against the others is rounding.
QUOTED, NO_CURRENT = DIFFERENCE.doubtful, 1e-8

# Exchange and correlation over occupation, up to which Green functions of second order in the shift
# are a reference.
CORRELATED = 0.1

# Populations of a top level that was kept, which are of the size of what was cut off: 1e-3 is where
# machines say TRUNCATED.
TRUNCATED = Limits(1e-5, 1e-3)

# Quanta that nobody supplied, as a share of the smallest current: rounding, what matters, all of
# it.
UNBALANCED = Limits(1e-6, 1e-2, 1.0)

# A probability below 0 by rounding only, and by more than any digit that one would read.
NEGATIVE = 1e-3

# mu / T below which the Sommerfeld expansion is more than 2 % off, where machines say
# NOT_DEGENERATE.
DEGENERATE = 10.0

# A mode so close (in temperatures) to an energy at which two reservoirs are equally occupied that
# its current is of either sign.
CROSSOVER = 1e-3

# An occupation so close to 0 or 1 that the entropy it costs goes as its logarithm.
OCCUPIED = 0.01

# A mode that decays so many times more slowly than the fastest level has not decayed when
# everything else has long been at rest.
SLOW = 1e-9

# A jump so many times slower than another one makes no coherence with it that could be seen.
IDLE = 1e-9

# Digits: a relative error that leaves six of them is worth nothing, one that leaves three leaves
# what a plot shows.
DIGITS = Limits(1e-6, 1e-3)
# Totals that must not move at all; what flows is a small part of them, and has fewer digits.
CONSERVED = Limits(1e-7, 1e-4)

# Derivatives against differences, over the largest derivative: what extrapolated differences
# resolve, what an optimiser notices, and what misleads it. Differences whose own error is larger
# than the last prove nothing.
SLOPES = Limits(1e-5, 1e-4, 1e-3)
RESOLVED = SLOPES.wrong

# Rounding, in units of the last place: of a sum that is 0 up to it; of a single rate with its
# exponential; of a sum over many jumps.
NOTHING, OF_A_RATE, OF_A_SUM = 1e2, 1e3, 1e4

# Levels up to which the inverse of a generator is written out: above that it takes longer than all
# else.
DENSE = 400
