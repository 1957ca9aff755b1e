"""What is known of a network from who is joined to whom."""

from collections import Counter

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order


def adjacency(pairs: np.ndarray, size: int):
    """The matrix with an entry wherever two of so many levels are joined, `pairs` of which are given."""
    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T
    return coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size)).tocsr()


def bridges(pairs: np.ndarray, size: int) -> np.ndarray:
    """Which of the pairs are the only way between two parts of a connected network: at rest nothing flows there, whatever the rates.

    Every pair off a spanning tree closes one cycle. Each gets a random label, and a pair of the tree the exclusive or of all whose cycle it
    is part of: 0, but for an accident of 1 in 2^63, where it is part of none.
    """
    order, before = breadth_first_order(adjacency(pairs, size), 0, directed=False)
    parents = {_either(v, before[v]): int(v) for v in order[1:]}
    among = [_either(*pair) for pair in pairs]
    times = Counter(among)
    labels = np.random.default_rng(0).integers(1, 2**63, len(pairs))
    at = np.zeros(size, np.int64)
    for pair, label in zip(among, labels):
        if pair not in parents:
            at[list(pair)] ^= label
    for v in order[:0:-1]:
        at[before[v]] ^= at[v]
    return np.array([times[pair] == 1 and pair in parents and at[parents[pair]] == 0 for pair in among], bool)


def _either(a, b):
    """A pair of levels, whichever comes first."""
    return (int(a), int(b)) if a < b else (int(b), int(a))
