"""Find conflicts: one gathering or one image under two names, which a botanist should review before training.

Conflicts are common: of 21,075 duplicate Dipterocarpaceae, 29 % have different names (Goodwin et al. 2015, Curr. Biol.
25: R1066).
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.curation.taxon_lookup import LeftOutReason
from leafid.scientific_names import read_name
from leafid.tables import write_frame

if TYPE_CHECKING:
    import pandas as pd

CONFLICT_COLUMNS = ("kind", "group", "image_id", "path", "scientificName", "institutionCode", "catalogNumber")
"""Columns of ``conflicts.csv``: one row per image; ``group`` is the gathering, or the repeated image."""


def find_conflicts(catalog: "pd.DataFrame", accepted: "pd.Series", units: "pd.Series") -> "pd.DataFrame":
    """Find images of one gathering, or with the same bytes, whose names exclude each other.

    A genus and one of its species do not conflict, nor a species and its variety, nor synonyms.

    Args:
        catalog: the catalog.
        accepted: for each row the accepted name, or None where the job has none for it.
        units: for each row the unit of splitting.

    Returns:
        The columns ``CONFLICT_COLUMNS``, sorted by group; the index is that of the catalog.
    """
    import pandas as pd

    names = accepted.where(accepted.notna(), catalog["scientificName"])
    images = image_content_ids(catalog)
    conflicts = []
    same_image = _has_conflict(images, names)
    for kind, groups, where in (
        (LeftOutReason.IMAGE_UNDER_TWO_NAMES, images, same_image),
        (LeftOutReason.GATHERING_UNDER_TWO_NAMES, units, _has_conflict(units, names) & ~same_image),
    ):
        rows = catalog.loc[where].assign(kind=str(kind), group=groups[where])
        conflicts.append(
            rows.reindex(columns=list(CONFLICT_COLUMNS)).sort_values(["group", "scientificName", "image_id"])
        )
    return pd.concat(conflicts)


def write_conflicts(conflicts: "pd.DataFrame", path: Path) -> None:
    """Write ``conflicts.csv``. Without conflicts it contains the header alone."""
    write_frame(conflicts, path)


def image_content_ids(catalog: "pd.DataFrame") -> "pd.Series":
    """Return for each row an identifier of its bytes: ``image_id`` without the suffix ``-2`` of a copy."""
    return catalog["image_id"].str.replace(r"^([0-9a-f]{16})-\d+$", r"\1", regex=True)


def _has_conflict(groups: "pd.Series", names: "pd.Series") -> "pd.Series":
    """Return for each row whether its group has names that exclude each other."""
    several = names.groupby(groups).nunique()
    candidates = several.index[several > 1]
    conflicting = {
        group
        for group, members in names[groups.isin(candidates)].groupby(groups)
        if _exclude_each_other([str(name) for name in members.unique()])
    }
    return groups.isin(conflicting)


def _exclude_each_other(names: Sequence[str]) -> bool:
    """Whether two of the names cannot both be right: neither is the genus or species of the other."""
    parsed = [read_name(name) for name in names]
    certain = [read_name(name.genus) if name.uncertain and name.genus else name for name in parsed]
    words = sorted({tuple(name.key.split()) for name in certain if not name.uncertain})
    return any(longer[: len(shorter)] != shorter for shorter, longer in pairwise(words))
