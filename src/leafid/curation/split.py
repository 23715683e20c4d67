"""Write, read and check ``split.csv``, the assignment of images to train, val and test."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.curation.conflicts import image_content_ids
from leafid.errors import SplitError
from leafid.tables import TableError, read_frame, write_frame
from leafid.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "val", "test")
SPLIT_COLUMNS = ("image_id", "path", "scientificName", "gathering_id", "institutionCode", "domain", "split")
"""Columns of ``split.csv``; ``path`` is relative to the catalog, ``scientificName`` is the accepted name."""
MAY_BE_EMPTY = ("institutionCode", "domain")
"""Columns that need no value; a split of an earlier version has no ``domain``."""


def write_split(path: Path, split: "pd.DataFrame") -> None:
    """Write ``split.csv`` atomically; without a column ``domain``, its cells are empty."""
    write_frame(split.reindex(columns=list(SPLIT_COLUMNS)), path)


def read_split(path: Path) -> "pd.DataFrame":
    """Read ``split.csv``.

    Raises:
        SplitError: the file is missing, lacks columns, or has empty or unknown values; all mistakes are listed.
    """
    if not path.is_file():
        raise SplitError(f"There is no split {path}. `leafid train` writes it into the run folder.")
    try:
        split = read_frame(path)
    except TableError as error:
        raise SplitError(f"{path} cannot be read as a split: {error}") from None
    missing = [column for column in SPLIT_COLUMNS if column not in split and column != "domain"]
    if missing:
        raise SplitError(f"{path} lacks the columns {', '.join(missing)}.")
    split = split.reindex(columns=list(SPLIT_COLUMNS))
    mistakes = [
        f"{int(split[column].isna().sum())} rows without {column}"
        for column in SPLIT_COLUMNS
        if column not in MAY_BE_EMPTY and split[column].isna().any()
    ]
    unknown = sorted(set(split["split"].dropna()) - {*SPLITS})
    if unknown:
        mistakes.append(f"split is {', '.join(map(repr, unknown))}; it must be train, val or test")
    if mistakes:
        raise SplitError("\n".join([f"{path} has mistakes:", *(f"  {mistake}" for mistake in mistakes)]))
    return split


def check_split(
    split: "pd.DataFrame",
    *,
    taxonomy: Taxonomy | None = None,
    near_duplicates: Sequence[tuple[str, str]] = (),
) -> None:
    """Refuse a split with leaks, or without enough images to train and validate on.

    Args:
        split: the columns ``SPLIT_COLUMNS``.
        taxonomy: each of its taxa must have training images; None: the taxa in ``split``.
        near_duplicates: pairs of ``image_id`` that must not be in different splits.

    Raises:
        SplitError: a gathering, an image file or a pair of near-duplicates is in more than one split, a taxon has no
            training images, or there are no validation images; all mistakes are listed.
    """
    mistakes = _crossing(split, split["gathering_id"], "gathering")
    mistakes += _crossing(split, image_content_ids(split), "image file")
    mistakes += _crossing_pairs(split, near_duplicates)
    trained = set(split.loc[split["split"] == "train", "scientificName"])
    names = taxonomy.names if taxonomy else tuple(sorted(set(split["scientificName"])))
    without = [name for name in names if name not in trained]
    if without:
        mistakes.append(
            f"no training images for {', '.join(without)}: add images, or remove the taxon from the job's taxa"
        )
    if len(names) < 2:
        mistakes.append(f"{len(names)} taxon: training needs two or more")
    if not (split["split"] == "val").any():
        mistakes.append("no images for validation, which selects the best epoch: more gatherings are needed")
    if mistakes:
        raise SplitError("\n".join(["This split cannot be trained on:", *(f"  {mistake}" for mistake in mistakes)]))


def _crossing(split: "pd.DataFrame", groups: "pd.Series", what: str) -> list[str]:
    """Return a line for each group whose rows are in more than one split; after ten, their number."""
    several = split["split"].groupby(groups).nunique()
    crossing = list(several.index[several > 1])
    lines = []
    for group in crossing[:10]:
        counts = split.loc[groups == group, "split"].value_counts()
        parts = ", ".join(f"{counts[name]} in {name}" for name in SPLITS if name in counts)
        lines.append(f"{what} {group} is in more than one split: {parts}")
    if len(crossing) > 10:
        lines.append(f"... and {len(crossing) - 10} more ({what}) in more than one split")
    return lines


def _crossing_pairs(split: "pd.DataFrame", pairs: Sequence[tuple[str, str]]) -> list[str]:
    of_image = dict(zip(split["image_id"], zip(split["split"], split["path"], strict=True), strict=True))
    lines = []
    for one, other in pairs:
        if one in of_image and other in of_image and of_image[one][0] != of_image[other][0]:
            ends = " and ".join(f"{path} ({name})" for name, path in (of_image[one], of_image[other]))
            lines.append(f"near-duplicates in different splits: {ends}")
    if len(lines) > 10:
        lines[10:] = [f"... and {len(lines) - 10} more pairs of near-duplicates in different splits"]
    if lines:
        lines.append("if these images show different plants, set `curation: near_duplicates: allow`")
    return lines
