"""What is known of a network from who is joined to whom: `pairs` of levels, of so many.

SciPy is imported when a network is made: it takes a fifth of a second, which whoever imports qtd
need not wait for.
"""

from collections import Counter

import numpy as np


def groups(pairs: np.ndarray, size: int) -> np.ndarray:
    """The number of the part that each level belongs to; the pairs join no level of another."""
    from scipy.sparse import csgraph

    return csgraph.connected_components(_adjacency(pairs, size), directed=False)[1]


def narrow_order(pairs: np.ndarray, size: int) -> np.ndarray:
    """All levels, those that are joined close to one another (reverse Cuthill-McKee)."""
    from scipy.sparse import csgraph

    return np.asarray(csgraph.reverse_cuthill_mckee(_adjacency(pairs, size), symmetric_mode=True))


def bridges(pairs: np.ndarray, size: int) -> np.ndarray:
    """Which of the pairs are the only way between two parts of a connected network: at rest nothing
    flows there, whatever the rates.

    Every pair off a spanning tree closes one cycle. Each gets a random label, and a pair of the
    tree the exclusive or of all whose cycle it is part of: 0, but for an accident of 1 in 2^63,
    where it is part of none.
    """
    from scipy.sparse import csgraph

    order, before = csgraph.breadth_first_order(_adjacency(pairs, size), 0, directed=False)
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
    return np.array(
        [times[pair] == 1 and pair in parents and at[parents[pair]] == 0 for pair in among], bool
    )


def _adjacency(pairs, size):
    from scipy.sparse import coo_array

    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T
    return coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size)).tocsr()


def _either(a, b):
    """A pair of levels, whichever comes first."""
    return (int(a), int(b)) if a < b else (int(b), int(a))
