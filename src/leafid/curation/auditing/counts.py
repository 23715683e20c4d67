"""Count the contents of a catalog: images, gatherings, institutions, licences, sizes, failures, near-duplicates."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.catalog import FAILURE_COLUMNS
from leafid.curation.auditing.audit_result import NearDuplicatePair, TaxonCounts
from leafid.curation.curate import CuratedCatalog
from leafid.tables import read_frame

if TYPE_CHECKING:
    import pandas as pd


def taxon_counts(catalog: "pd.DataFrame", curated: CuratedCatalog) -> tuple[TaxonCounts, ...]:
    """Count the images used, by taxon in label order."""
    details = catalog.set_index("image_id")[["license", "width", "height"]]
    split = curated.split.join(details, on="image_id")
    return tuple(_counts(name, split[split["scientificName"] == name]) for name in curated.taxonomy.names)


def _counts(name: str, rows: "pd.DataFrame") -> TaxonCounts:
    sides = rows[["width", "height"]].min(axis=1).dropna().astype(int)
    return TaxonCounts(
        scientific_name=name,
        images=len(rows),
        gatherings=int(rows["gathering_id"].nunique()),
        splits=_counted(rows["split"]),
        institutions=_counted(rows["institutionCode"]),
        licences=_counted(rows["license"]),
        shorter_side=(int(sides.min()), int(sides.median()), int(sides.max())) if len(sides) else None,
    )


def _counted(values: "pd.Series") -> dict[str, int]:
    return dict(Counter(str(value) for value in values.fillna("")).most_common())


def failure_counts(catalog_path: Path) -> dict[str, int]:
    """Count the images that are missing in the catalog by the reason in ``failures.csv``, if that exists."""
    path = catalog_path.with_name("failures.csv")
    if not path.is_file():
        return {}
    failures = read_frame(path)
    return _counted(failures["reason"]) if list(failures.columns) == list(FAILURE_COLUMNS) else {}


def near_duplicate_pairs(
    catalog: "pd.DataFrame", curated: CuratedCatalog, catalog_path: Path
) -> tuple[NearDuplicatePair, ...]:
    """Describe the pairs of ``near_duplicates.csv``, if that exists."""
    path = catalog_path.with_name("near_duplicates.csv")
    if not path.is_file():
        return ()
    rows = catalog.drop_duplicates("image_id").set_index("image_id")
    splits = dict(zip(curated.split["image_id"], curated.split["split"], strict=True))
    pairs = read_frame(path).astype({"distance": int})
    described = []
    for one, other, distance in pairs.itertuples(index=False, name=None):
        if one not in rows.index or other not in rows.index:
            continue
        both = rows.loc[[one, other]]
        gatherings = both["gathering_id"]
        described.append(
            NearDuplicatePair(
                paths=(both["path"].iloc[0], both["path"].iloc[1]),
                names=(both["scientificName"].iloc[0], both["scientificName"].iloc[1]),
                splits=(splits.get(one), splits.get(other)),
                same_gathering=bool(gatherings.notna().all() and gatherings.nunique() == 1),
                distance=distance,
            )
        )
    return tuple(described)
