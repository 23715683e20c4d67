"""Group rows by connected components: if A matches B and B matches C, all three are one group."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def components_by_keys(keys_of_rows: Sequence[Iterable[Hashable]]) -> NDArray[np.int64]:
    """Return a component number for each row, equal for rows that share a key directly or through other rows.

    Args:
        keys_of_rows: the keys of each row; a row without keys is its own component.

    Returns:
        Numbers from 0 in the order of the first row of each component; shape ``(rows,)``.
    """
    first_with: dict[Hashable, int] = {}
    pairs: list[tuple[int, int]] = []
    for row, keys in enumerate(keys_of_rows):
        for key in keys:
            pairs.append((first_with.setdefault(key, row), row))
    return components_by_pairs(len(keys_of_rows), pairs)


def components_by_pairs(rows: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return a component number for each of ``rows`` rows, equal for the two rows of a pair. Shape ``(rows,)``."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=(rows, rows))
    _, numbers = connected_components(graph, directed=False)
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
