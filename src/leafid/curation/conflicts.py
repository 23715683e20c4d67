"""One gathering under two names, one image under two labels: what somebody must look at before it teaches anything.

Of 21,075 duplicate Dipterocarpaceae, 29 % bear different names (Goodwin et al. 2015, Curr. Biol. 25: R1066).
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.curation.determinations import LeftOutReason
from leafid.curation.names import read_name
from leafid.files import written_atomically

if TYPE_CHECKING:
    import pandas as pd

CONFLICT_COLUMNS = ("kind", "group", "image_id", "path", "scientificName", "institutionCode", "catalogNumber")
"""Columns of ``conflicts.csv``: one row per image; ``group`` is the gathering, or the repeated image."""


def find_conflicts(catalog: "pd.DataFrame", accepted: "pd.Series", units: "pd.Series") -> "pd.DataFrame":
    """Find images of one gathering, or of the same bytes, whose names exclude each other.

    A name of a genus alone, or of a species beside its variety, is less precise and no conflict; nor are synonyms.

    Args:
        catalog: the catalog.
        accepted: for each row the accepted name, or None where the job has none for it.
        units: for each row the gathering.

    Returns:
        The columns ``CONFLICT_COLUMNS``, sorted by group; the index is that of the catalog.
    """
    import pandas as pd

    names = accepted.where(accepted.notna(), catalog["scientificName"])
    images = image_stems(catalog)
    found = []
    same_image = _disputed(images, names)
    for kind, groups, where in (
        (LeftOutReason.IMAGE_UNDER_TWO_NAMES, images, same_image),
        (LeftOutReason.GATHERING_UNDER_TWO_NAMES, units, _disputed(units, names) & ~same_image),
    ):
        rows = catalog.loc[where].assign(kind=str(kind), group=groups[where])
        found.append(rows.reindex(columns=list(CONFLICT_COLUMNS)).sort_values(["group", "scientificName", "image_id"]))
    return pd.concat(found)


def write_conflicts(conflicts: "pd.DataFrame", path: Path) -> None:
    """Write ``conflicts.csv``, with its header even when there are none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as temporary:
        conflicts.to_csv(temporary, index=False, lineterminator="\n")


def image_stems(catalog: "pd.DataFrame") -> "pd.Series":
    """Return for each row what rows of the same bytes share: ``image_id`` without the ``-2`` of a repetition."""
    return catalog["image_id"].str.replace(r"^([0-9a-f]{16})-\d+$", r"\1", regex=True)


def _disputed(groups: "pd.Series", names: "pd.Series") -> "pd.Series":
    """For each row, whether its group bears names that exclude each other."""
    several = names.groupby(groups).nunique()
    candidates = several.index[several > 1]
    disputed = {
        group
        for group, members in names[groups.isin(candidates)].groupby(groups)
        if _exclude_each_other([str(name) for name in members.unique()])
    }
    return groups.isin(disputed)


def _exclude_each_other(names: Sequence[str]) -> bool:
    """Whether two of the names cannot both be right: neither is the other's genus or species."""
    read = [read_name(name) for name in names]
    words = sorted({tuple(one.key.split()[: 1 if one.uncertain else None]) for one in read})
    return any(longer[: len(shorter)] != shorter for shorter, longer in pairwise(words))
