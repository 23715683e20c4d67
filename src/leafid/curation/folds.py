"""Folds of a curated catalog for cross-validation: each image but those of test is held out once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.curation.conflicts import image_content_ids
from leafid.curation.connected_components import components_by_keys
from leafid.curation.curate import CuratedCatalog
from leafid.curation.split import check_split
from leafid.errors import SplitError

if TYPE_CHECKING:
    import pandas as pd

MIN_FOLDS, MAX_FOLDS = 3, 20
"""Three are needed for training, validation and the held-out images; each more costs a training."""


def units_outside_test(
    curated: CuratedCatalog, near_duplicates: Sequence[tuple[str, str]]
) -> tuple["pd.DataFrame", list[str]]:
    """Return the rows outside test, and for each row its unit: rows that must be in the same fold.

    Args:
        curated: the catalog with the split of the job.
        near_duplicates: pairs of ``image_id`` that look the same.
    """
    rows = curated.split[curated.split["split"] != "test"].reset_index(drop=True)
    keys: list[list[tuple[str, object]]] = [
        [("gathering", gathering), ("file", content), ("image", image_id)]
        for gathering, content, image_id in zip(
            rows["gathering_id"], image_content_ids(rows), rows["image_id"], strict=True
        )
    ]
    row_of = {image_id: row for row, image_id in enumerate(rows["image_id"])}
    for one, other in near_duplicates:
        if one in row_of and other in row_of:
            keys[row_of[one]].append(("image", other))
    return rows, [str(number) for number in components_by_keys(keys).tolist()]


def fold_split(
    curated: CuratedCatalog, rows: "pd.DataFrame", units: Sequence[str], folds: NDArray[np.int64], number: int
) -> CuratedCatalog:
    """Return the catalog of one fold: it is the test, the next fold is val, all others are train.

    A taxon with a single unit is always in train, because it could not be recognised otherwise. Where val
    would take the last training image of a taxon, the taxon has no val.

    Args:
        curated: the catalog with the split of the job.
        rows: those outside test (N), from ``units_outside_test``.
        units: of the rows.
        folds: (N,), from 0.
        number: of the fold.

    Raises:
        SplitError: the fold has no images, or leaves nothing to train or to validate on.
    """
    names = rows["scientificName"].to_numpy()
    single = rows.assign(unit=units).groupby("scientificName")["unit"].transform("nunique").to_numpy() == 1
    in_test = (folds == number) & ~single
    in_val = (folds == (number + 1) % (int(folds.max()) + 1)) & ~single
    in_val &= np.isin(names, names[~in_test & ~in_val])
    split = rows.assign(split=np.select([in_test, in_val], ["test", "val"], "train"))
    if not in_test.any():
        raise SplitError(f"Fold {number + 1} has no images: there are fewer gatherings than folds. Use fewer folds.")
    check_split(split, taxonomy=curated.taxonomy)
    return replace(curated, split=split, warnings=())
