"""Rows that share something become one group: connected components, so that A = B and B = C put A and C together."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def joined_by_keys(keys_of_rows: Sequence[Iterable[Hashable]]) -> NDArray[np.int64]:
    """Return a component number for each row; rows that share a key, directly or through others, have the same.

    Args:
        keys_of_rows: the keys of each row; a row without keys stays alone.

    Returns:
        Numbers from 0, in the order in which the components are met; shape ``(rows,)``.
    """
    first_with: dict[Hashable, int] = {}
    pairs: list[tuple[int, int]] = []
    for row, keys in enumerate(keys_of_rows):
        for key in keys:
            pairs.append((first_with.setdefault(key, row), row))
    return joined_by_pairs(len(keys_of_rows), pairs)


def joined_by_pairs(rows: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return a component number for each of ``rows`` rows; the two rows of a pair have the same. Shape ``(rows,)``."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=(rows, rows))
    _, numbers = connected_components(graph, directed=False)
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
