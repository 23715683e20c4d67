"""Curate a catalog for training: accepted names, no conflicts, whole gatherings in train, val and test."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from leafid.catalog import SPLIT_WORDS, read_catalog
from leafid.curation.conflicts import find_conflicts, image_content_ids
from leafid.curation.connected_components import components_by_keys
from leafid.curation.draw_splits import draw_splits
from leafid.curation.near_duplicates import near_duplicates_of
from leafid.curation.split import SPLIT_COLUMNS, SPLITS, check_split
from leafid.curation.taxon_lookup import LeftOutReason, TaxonLookup, taxonomy_of
from leafid.errors import SplitError
from leafid.jobs import Job, SplitSettings
from leafid.scientific_names import Name, read_name
from leafid.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

LEFT_OUT_COLUMNS = ("image_id", "path", "scientificName", "reason")


@dataclass(frozen=True)
class CuratedCatalog:
    """The result of curation.

    Attributes:
        taxonomy: the taxa in label order, with the job's target.
        split: one row per image used, with the columns ``SPLIT_COLUMNS`` and accepted names.
        left_out: one row per image not used, with the columns ``LEFT_OUT_COLUMNS`` and the name of the catalog.
        conflicts: one row per image in a conflict, with the columns ``CONFLICT_COLUMNS``.
        warnings: shortcomings of the data and the split, in plain words.
    """

    taxonomy: Taxonomy
    split: "pd.DataFrame"
    left_out: "pd.DataFrame"
    conflicts: "pd.DataFrame"
    warnings: tuple[str, ...]


def curate(catalog: "pd.DataFrame", job: Job) -> CuratedCatalog:
    """Map names to the job's taxa, leave out conflicts, and split the gatherings as the job says.

    Args:
        catalog: as ``read_catalog`` returns it. Rows with the same bytes stay together even if their gatherings differ.
            A row without a gathering is a gathering of its own.
        job: its taxa, curation settings and seed.

    Raises:
        SplitError: the column or values that the job splits by are not in the catalog.
        TaxonomyError: one name belongs to two of the job's taxa.
    """
    named = _NamedCatalog.of(catalog, job)
    splits, reasons = _assign_splits(named, job.curation.split, job.seed)
    return named.curated(splits, reasons, job)


def training_split(job: Job) -> CuratedCatalog:
    """Read the job's catalog, curate it, and check the split for leaks.

    Warnings are logged before the check, since they often say why it fails.

    Raises:
        CatalogError: there is no catalog, or it has mistakes.
        SplitError: a gathering, an image or a near-duplicate crosses the split, or it leaves nothing to train or to
            validate on.
        TaxonomyError: one name belongs to two of the job's taxa.
    """
    curated = curate(read_catalog(job.catalog_path), job)
    for warning in curated.warnings:
        _log.warning("%s", warning)
    check_split(curated.split, taxonomy=curated.taxonomy, near_duplicates=near_duplicates_of(job))
    return curated


@dataclass(frozen=True)
class _NamedCatalog:
    """The catalog with accepted names, units of splitting, and for each unused row the reason."""

    catalog: "pd.DataFrame"
    accepted: "pd.Series"
    units: "pd.Series"
    reasons: "pd.Series"
    conflicts: "pd.DataFrame"

    @classmethod
    def of(cls, catalog: "pd.DataFrame", job: Job) -> "_NamedCatalog":
        import pandas as pd

        catalog = catalog.reset_index(drop=True)
        names = _names_of(catalog)
        lookup = TaxonLookup.of_job(job.taxa) if job.taxa else TaxonLookup.of_names(names)
        labels = [lookup.label_name(name) for name in names]
        left_out = [isinstance(label, LeftOutReason) for label in labels]
        pairs = list(zip(labels, left_out, strict=True))
        accepted = pd.Series([None if no_label else label for label, no_label in pairs], dtype=object)
        reasons = pd.Series([str(label) if no_label else None for label, no_label in pairs], dtype=object)
        units = _units(catalog)
        conflicts = find_conflicts(catalog, accepted, units)
        if job.curation.conflicts == "leave_out":
            reasons = reasons.where(reasons.notna(), conflicts["kind"].reindex(catalog.index))
        return cls(catalog, accepted, units, reasons, conflicts)

    @property
    def usable(self) -> "pd.Series":
        return self.reasons.isna()

    def strata(self, rows: "pd.Series | None" = None) -> dict[str, list[str]]:
        """Return the units of each taxon among the usable rows, optionally only those where ``rows`` is true.

        A taxon with pressed sheets and photos in the open has a stratum for each, so that both are in every split.
        """
        selected = self.usable if rows is None else self.usable & rows
        taxa, domains = self.accepted[selected].astype(str), self.catalog["domain"][selected].fillna("")
        several = domains.groupby(taxa).transform("nunique") > 1
        grouped = self.units[selected].groupby(taxa.where(~several, taxa + " " + domains)).unique()
        return {str(stratum): [str(unit) for unit in units] for stratum, units in grouped.items()}

    def curated(self, splits: "pd.Series", reasons: "pd.Series", job: Job) -> CuratedCatalog:
        """Build the result from the split of each row and the reason of each row left out."""
        import pandas as pd

        reasons = self.reasons.where(self.reasons.notna(), reasons)
        used = reasons.isna()
        gatherings = self.catalog["gathering_id"].where(self.catalog["gathering_id"].notna(), self.units)
        frame = self.catalog.assign(scientificName=self.accepted, gathering_id=gatherings, split=splits)
        split = frame.loc[used, list(SPLIT_COLUMNS)].astype("str").reset_index(drop=True)
        left_out = self.catalog.assign(reason=reasons).loc[~used, list(LEFT_OUT_COLUMNS)].reset_index(drop=True)
        taxonomy = taxonomy_of(job.taxa, self.accepted[used], self.catalog[used])
        warnings = [*_name_warnings(self, job), *_split_warnings(split, taxonomy, job)]
        conflicts = self.conflicts.reset_index(drop=True)
        return CuratedCatalog(
            taxonomy, split, left_out.astype({"reason": pd.StringDtype()}), conflicts, tuple(warnings)
        )


def _names_of(catalog: "pd.DataFrame") -> list[Name]:
    """Read the name of each row, with its identificationQualifier if the catalog has that column."""
    texts = catalog["scientificName"]
    if "identificationQualifier" not in catalog:
        return [read_name(str(text)) for text in texts]
    qualifiers = catalog["identificationQualifier"].fillna("")
    return [read_name(str(text), str(qualifier)) for text, qualifier in zip(texts, qualifiers, strict=True)]


def _units(catalog: "pd.DataFrame") -> "pd.Series":
    """Return the unit of each row: rows of one gathering or with the same bytes, named by their first gathering."""
    import pandas as pd

    content_ids = image_content_ids(catalog)
    keys = [
        [("image", content)] if pd.isna(gathering) else [("image", content), ("gathering", gathering)]
        for content, gathering in zip(content_ids, catalog["gathering_id"], strict=True)
    ]
    numbers = pd.Series(components_by_keys(keys), index=catalog.index)
    names = catalog["gathering_id"].where(catalog["gathering_id"].notna(), "image " + content_ids)
    return names.groupby(numbers).transform("min").astype("str")


def _assign_splits(named: _NamedCatalog, settings: SplitSettings, seed: int) -> tuple["pd.Series", "pd.Series"]:
    """Return for each row its split, and for each row without one the reason."""
    import pandas as pd

    no_reasons = pd.Series(pd.NA, index=named.catalog.index, dtype=object)
    if settings.by == "gathering":
        drawn = draw_splits(named.strata(), val=settings.val, test=settings.test, seed=seed)
        return named.units.map(drawn), no_reasons
    column = "institutionCode" if settings.by == "institution" else settings.column
    values = _column(named.catalog, column)
    if settings.test_values:
        _refuse_unknown_values(values, [*settings.test_values, *settings.val_values], column)
        return _held_out(named, values, settings.test_values, settings.val_values, settings.val, seed)
    values = values.map(_split_of, na_action="ignore")
    used = values.isin(SPLITS)
    if not used.any():
        raise SplitError(
            f"curation: the column {column!r} contains neither train, val nor test; it has {_examples(values)}. Fill "
            "it, name the values of the test set (test_values), or use `by: gathering`."
        )
    return values, no_reasons.mask(~used, str(LeftOutReason.SPLIT_NOT_USED))


def _split_of(word: str) -> str:
    """Return train, val or test for a word that means one, or the word itself."""
    return SPLIT_WORDS.get(str(word).strip().lower(), str(word))


def _held_out(
    named: _NamedCatalog, values: "pd.Series", test: Sequence[str], val: Sequence[str], share: float, seed: int
) -> tuple["pd.Series", "pd.Series"]:
    """Hold out some values of a column as the test set.

    Images outside the test set whose gathering is in it are left out, since they would leak into training.
    """
    import pandas as pd

    in_test = values.isin(list(test))
    test_units = set(named.units[in_test & named.usable])
    splits = pd.Series("train", index=values.index, dtype=object).mask(in_test, "test")
    leaking = ~in_test & named.units.isin(test_units)
    if val:
        in_val = values.isin(list(val)) & ~in_test
        val_units = set(named.units[in_val & named.usable])
        leaking |= ~in_test & ~in_val & named.units.isin(val_units)
        splits = splits.mask(in_val, "val")
    else:
        drawn = draw_splits(named.strata(~in_test & ~leaking), val=share, test=0, seed=seed)
        splits = splits.where(in_test, named.units.map(drawn))
    reasons = pd.Series(pd.NA, index=values.index, dtype=object)
    return splits, reasons.mask(leaking, str(LeftOutReason.GATHERING_IN_TEST))


def _column(catalog: "pd.DataFrame", column: str) -> "pd.Series":
    if column not in catalog:
        close = get_close_matches(column, catalog.columns, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise SplitError(
            f"curation: the catalog has no column {column!r}.{guess} It has: {', '.join(catalog.columns)}."
        )
    return catalog[column]


def _refuse_unknown_values(values: "pd.Series", required: Sequence[str], column: str) -> None:
    unknown = [value for value in required if value not in set(values.dropna())]
    if unknown:
        raise SplitError(
            f"curation: no image has {column} {', '.join(map(repr, unknown))}; the catalog has {_examples(values)}."
        )


def _examples(values: "pd.Series") -> str:
    present = [str(value) for value in values.dropna().value_counts().index]
    return (", ".join(present[:12]) + (f" and {len(present) - 12} more" if len(present) > 12 else "")) or "no values"


def _name_warnings(named: _NamedCatalog, job: Job) -> Iterator[str]:
    """Warn about images that are not used, with the reason."""
    for reason, words in (
        (LeftOutReason.NAME_NOT_IN_JOB, "have names that the job does not list"),
        (LeftOutReason.UNCERTAIN_NAME, "have uncertain names (cf., aff., ?)"),
        (LeftOutReason.HYBRID_FORMULA, "have hybrid formulas, which are neither parent,"),
        (LeftOutReason.MISAPPLIED_NAME, "have misapplied names (auct. non)"),
    ):
        names = Counter(named.catalog.loc[named.reasons == reason, "scientificName"])
        if names:
            shown = ", ".join(f"{name} ({count})" for name, count in names.most_common(8))
            more = f" and {len(names) - 8} more names" if len(names) > 8 else ""
            yield f"{names.total()} images {words} and are left out: {shown}{more}"
    settings = job.curation.split
    if settings.by == "column" and not settings.test_values and settings.column in named.catalog:
        words = named.catalog.loc[named.usable, settings.column].fillna("(empty)")
        unknown = Counter(str(word) for word in words if _split_of(word) not in SPLITS)
        if unknown:
            shown = ", ".join(f"{word} ({count})" for word, count in unknown.most_common(8))
            yield (
                f"{unknown.total()} images are left out, since their {settings.column} is not train, val or test: "
                f"{shown}"
            )
    if len(named.conflicts):
        groups = named.conflicts["group"].nunique()
        action = "left out" if job.curation.conflicts == "leave_out" else "kept, as the job says"
        yield f"{len(named.conflicts)} images in {groups} conflicts (two names for one gathering or image) are {action}"
    without = int((named.usable & named.catalog["gathering_id"].isna()).sum())
    if without:
        yield f"{without} images have no gathering; each is treated as its own, so duplicates may cross the splits"


def _split_warnings(split: "pd.DataFrame", taxonomy: Taxonomy, job: Job) -> Iterator[str]:
    """Warn about taxa that are missing in a split, and about taxa with few gatherings."""
    tests = job.curation.split.test > 0 or job.curation.split.by != "gathering"
    units = split.groupby("scientificName")["gathering_id"].nunique()
    for name in ("train", "val", "test") if tests else ("train", "val"):
        present = set(split.loc[split["split"] == name, "scientificName"])
        missing = [taxon for taxon in taxonomy.names if taxon not in present]
        if missing:
            shown = ", ".join(f"{taxon} ({_gatherings(int(units.get(taxon, 0)))})" for taxon in missing)
            yield f"no {name} images for {shown}"
    few = [f"{taxon} ({int(units[taxon])})" for taxon in taxonomy.names if 3 <= units.get(taxon, 0) < 10]
    if few:
        yield f"fewer than ten gatherings, so that single plants dominate the metrics: {', '.join(few)}"


def _gatherings(count: int) -> str:
    return "1 gathering" if count == 1 else f"{count} gatherings"
