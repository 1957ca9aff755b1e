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
    parents = {(int(v), int(before[v])) for v in order[1:]}
    among = [tuple(map(int, pair)) for pair in pairs]
    times = Counter(tuple(sorted(pair)) for pair in among)
    on_tree = np.array([(pair in parents or pair[::-1] in parents) and times[tuple(sorted(pair))] == 1 for pair in among])
    labels = np.random.default_rng(0).integers(1, 2**63, len(pairs))
    at = np.zeros(size, np.int64)
    for pair, label, inside in zip(among, labels, on_tree):
        if not inside and not (times[tuple(sorted(pair))] > 1 and (pair in parents or pair[::-1] in parents)):
            at[list(pair)] ^= label
    for v in order[:0:-1]:
        at[before[v]] ^= at[v]
    below = {pair: at[pair[0]] for pair in parents}
    return np.array([inside and below.get(pair, below.get(pair[::-1])) == 0 for inside, pair in zip(on_tree, among)], bool)
