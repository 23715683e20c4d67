"""Draw whole gatherings into train, val and test, or into folds, stratified by taxon and reproducible by seed."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

Unit = str
"""A gathering, or several that must stay together."""


def draw_splits(units_of: Mapping[str, Sequence[Unit]], *, val: float, test: float, seed: int) -> dict[Unit, str]:
    """Draw units into ``train``, ``val`` and ``test``.

    A taxon with three or more units has at least one in each requested split. With two units, one is for training and
    one for the test (or for validation if no test is requested). A single unit is for training. The rarest taxon draws
    first; a unit that several taxa share is drawn once.

    Args:
        units_of: the units of each taxon, or of each kind of image of a taxon.
        val: share of each taxon's units for validation, 0 to 1.
        test: share of each taxon's units for the test, 0 to 1.
        seed: the job's seed.
    """
    drawn: dict[Unit, str] = {}
    for taxon in sorted(units_of, key=lambda taxon: (len(units_of[taxon]), taxon)):
        units = _shuffled(units_of[taxon], taxon, seed)
        wanted = _counts(len(units), val, test)
        for split, count in wanted.items():
            missing = count - sum(drawn.get(unit) == split for unit in units)
            for unit in [unit for unit in units if unit not in drawn][: max(0, missing)]:
                drawn[unit] = split
        for unit in units:
            drawn.setdefault(unit, "train")
    return drawn


def draw_folds(units_of: Mapping[str, Sequence[Unit]], *, folds: int, seed: int) -> dict[Unit, int]:
    """Draw units into folds with nearly equal numbers of each taxon; a unit that several taxa share is drawn once."""
    drawn: dict[Unit, int] = {}
    sizes = np.zeros(folds, dtype=np.int64)
    for taxon in sorted(units_of, key=lambda taxon: (len(units_of[taxon]), taxon)):
        units = _shuffled(units_of[taxon], taxon, seed)
        own = np.bincount([drawn[unit] for unit in units if unit in drawn], minlength=folds)
        for unit in units:
            if unit not in drawn:
                fold = int(np.lexsort((sizes, own))[0])
                drawn[unit] = fold
                own[fold] += 1
                sizes[fold] += 1
    return drawn


def _counts(units: int, val: float, test: float) -> dict[str, int]:
    """Return the numbers of units for test and validation; at least one remains for training."""
    if units < 2:
        return {}
    if units == 2:
        return {"test": 1} if test else {"val": 1}
    counts = {"test": max(1, round(test * units)) if test else 0, "val": max(1, round(val * units))}
    while sum(counts.values()) >= units:
        counts[max(counts, key=lambda split: counts[split])] -= 1
    return counts


def _shuffled(units: Sequence[Unit], taxon: str, seed: int) -> list[Unit]:
    """Shuffle the units in an order that depends on the seed and the taxon alone."""
    generator = np.random.default_rng([seed, zlib.crc32(taxon.encode())])
    ordered = sorted(set(units))
    return [ordered[index] for index in generator.permutation(len(ordered))]
