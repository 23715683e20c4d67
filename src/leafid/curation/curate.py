"""From the catalog to what may be trained on: accepted names, no conflicts, whole gatherings in train, val and test."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from leafid.curation.components import joined_by_keys
from leafid.curation.conflicts import find_conflicts, image_stems
from leafid.curation.determinations import Determinations, LeftOutReason, taxonomy_of
from leafid.curation.draw_splits import draw_folds, draw_splits
from leafid.curation.split import SPLIT_COLUMNS, SPLITS
from leafid.errors import SplitError
from leafid.jobs import Job, SplitSettings
from leafid.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT_COLUMNS = ("image_id", "path", "scientificName", "reason")


@dataclass(frozen=True)
class Curated:
    """What curation makes of a catalog.

    Attributes:
        taxonomy: the taxa in label order, with the job's target.
        split: one row per image used; the columns ``SPLIT_COLUMNS``, with accepted names.
        left_out: one row per image not used; the columns ``LEFT_OUT_COLUMNS``, with the name as the catalog has it.
        conflicts: one row per image of a conflict; the columns ``CONFLICT_COLUMNS``.
        warnings: in plain words, what the split cannot give.
    """

    taxonomy: Taxonomy
    split: "pd.DataFrame"
    left_out: "pd.DataFrame"
    conflicts: "pd.DataFrame"
    warnings: tuple[str, ...]


def curate(catalog: "pd.DataFrame", job: Job) -> Curated:
    """Map names to the job's taxa, leave conflicts out, and divide the gatherings as the job says.

    Args:
        catalog: as ``read_catalog`` gives it. Rows of the same bytes are kept together whatever gathering they have; a
            row without gathering is one of its own.
        job: its taxa, curation settings and seed.

    Raises:
        SplitError: the column or values that the job splits by are not in the catalog.
        TaxonomyError: one name stands for two of the job's taxa.
    """
    named = _Named.of(catalog, job)
    splits, reasons = _divide(named, job.curation.split, job.seed)
    return named.curated(splits, reasons, job)


def crossvalidation_splits(
    catalog: "pd.DataFrame", job: Job, *, by: str = "gathering", folds: int = 5
) -> Iterator[tuple[str, Curated]]:
    """Yield ``(name, curated)`` for each fold: its part is the test, validation is drawn from the rest.

    Args:
        catalog: as for ``curate``.
        job: as for ``curate``; its split settings give only the share of validation.
        by: ``gathering`` draws ``folds`` folds stratified by taxon; ``institution`` leaves out one herbarium after the
            other; any other word is a column of the catalog, each value of which is left out in turn.
        folds: number of folds with ``gathering``.

    Raises:
        SplitError: there are fewer than two folds, or the column is not in the catalog.
    """
    import pandas as pd

    named = _Named.of(catalog, job)
    if by == "gathering":
        drawn = draw_folds(named.units_of_taxa(), folds=folds, seed=job.seed)
        parts = named.units.map(lambda unit: f"fold {drawn[unit] + 1} of {folds}" if unit in drawn else pd.NA)
    else:
        parts = _column(catalog, "institutionCode" if by == "institution" else by)
    values = sorted(parts[named.usable].dropna().unique())
    if len(values) < 2:
        raise SplitError(f"Cross-validation by {by} needs two or more parts; the catalog has {len(values)}.")
    for value in values:
        splits, reasons = _held_out(named, parts, [value], [], job.curation.split.val, job.seed)
        yield str(value), named.curated(splits, reasons, job)


@dataclass(frozen=True)
class _Named:
    """The catalog with accepted names. ``units``: what must stay together; ``reasons``: why a row is not used."""

    catalog: "pd.DataFrame"
    accepted: "pd.Series"
    units: "pd.Series"
    reasons: "pd.Series"
    conflicts: "pd.DataFrame"

    @classmethod
    def of(cls, catalog: "pd.DataFrame", job: Job) -> "_Named":
        import pandas as pd

        catalog = catalog.reset_index(drop=True)
        names = list(catalog["scientificName"])
        known = Determinations.of_job(job.taxa) if job.taxa else Determinations.of_names(names)
        answers = [known.label_name(name) for name in names]
        refused = [isinstance(answer, LeftOutReason) for answer in answers]
        pairs = list(zip(answers, refused, strict=True))
        accepted = pd.Series([None if no else answer for answer, no in pairs], dtype=object)
        reasons = pd.Series([str(answer) if no else None for answer, no in pairs], dtype=object)
        units = _units(catalog)
        conflicts = find_conflicts(catalog, accepted, units)
        if job.curation.conflicts == "leave_out":
            reasons = reasons.where(reasons.notna(), conflicts["kind"].reindex(catalog.index))
        return cls(catalog, accepted, units, reasons, conflicts)

    @property
    def usable(self) -> "pd.Series":
        return self.reasons.isna()

    def units_of_taxa(self, rows: "pd.Series | None" = None) -> dict[str, list[str]]:
        """The units of each taxon among the usable rows, or among those of ``rows`` that are usable."""
        chosen = self.usable if rows is None else self.usable & rows
        grouped = self.units[chosen].groupby(self.accepted[chosen].astype(str)).unique()
        return {str(taxon): [str(unit) for unit in units] for taxon, units in grouped.items()}

    def curated(self, splits: "pd.Series", reasons: "pd.Series", job: Job) -> Curated:
        """Put together what the division gave. ``splits``, ``reasons``: for each row, or missing."""
        import pandas as pd

        reasons = self.reasons.where(self.reasons.notna(), reasons)
        used = reasons.isna()
        gatherings = self.catalog["gathering_id"].where(self.catalog["gathering_id"].notna(), self.units)
        frame = self.catalog.assign(scientificName=self.accepted, gathering_id=gatherings, split=splits)
        split = frame.loc[used, list(SPLIT_COLUMNS)].astype("str").reset_index(drop=True)
        left_out = self.catalog.assign(reason=reasons).loc[~used, list(LEFT_OUT_COLUMNS)].reset_index(drop=True)
        taxonomy = taxonomy_of(job.taxa, self.accepted[used], self.catalog[used])
        warnings = [*_about_names(self, job), *_about_splits(split, taxonomy, job)]
        conflicts = self.conflicts.reset_index(drop=True)
        return Curated(taxonomy, split, left_out.astype({"reason": pd.StringDtype()}), conflicts, tuple(warnings))


def _units(catalog: "pd.DataFrame") -> "pd.Series":
    """What must stay together: rows of one gathering or of the same bytes, named by the first gathering among them."""
    import pandas as pd

    stems = image_stems(catalog)
    keys = [
        [("image", stem)] if pd.isna(gathering) else [("image", stem), ("gathering", gathering)]
        for stem, gathering in zip(stems, catalog["gathering_id"], strict=True)
    ]
    numbers = pd.Series(joined_by_keys(keys), index=catalog.index)
    names = catalog["gathering_id"].where(catalog["gathering_id"].notna(), "image " + stems)
    return names.groupby(numbers).transform("min").astype("str")


def _divide(named: _Named, settings: SplitSettings, seed: int) -> tuple["pd.Series", "pd.Series"]:
    """For each row its split and, where it has none, why."""
    import pandas as pd

    nothing = pd.Series(pd.NA, index=named.catalog.index, dtype=object)
    if settings.by == "gathering":
        drawn = draw_splits(named.units_of_taxa(), val=settings.val, test=settings.test, seed=seed)
        return named.units.map(drawn), nothing
    column = "institutionCode" if settings.by == "institution" else settings.column
    values = _column(named.catalog, column)
    if settings.test_values:
        _refuse_unknown(values, [*settings.test_values, *settings.val_values], column)
        return _held_out(named, values, settings.test_values, settings.val_values, settings.val, seed)
    used = values.isin(SPLITS)
    if not used.any():
        raise SplitError(
            f"curation: the column {column!r} never says train, val or test; it says {_some(values)}. Fill it, name "
            "the values that are the test (test_values), or use `by: gathering`."
        )
    return values, nothing.mask(~used, str(LeftOutReason.SPLIT_NOT_USED))


def _held_out(
    named: _Named, values: "pd.Series", test: Sequence[str], val: Sequence[str], share: float, seed: int
) -> tuple["pd.Series", "pd.Series"]:
    """Test on some values of a column. What belongs to a gathering of the test but lies elsewhere is left out."""
    import pandas as pd

    in_test = values.isin(list(test))
    test_units = set(named.units[in_test & named.usable])
    splits = pd.Series("train", index=values.index, dtype=object).mask(in_test, "test")
    beside = ~in_test & named.units.isin(test_units)
    if val:
        in_val = values.isin(list(val)) & ~in_test
        val_units = set(named.units[in_val & named.usable])
        beside |= ~in_test & ~in_val & named.units.isin(val_units)
        splits = splits.mask(in_val, "val")
    else:
        drawn = draw_splits(named.units_of_taxa(~in_test & ~beside), val=share, test=0, seed=seed)
        splits = splits.where(in_test, named.units.map(drawn))
    reasons = pd.Series(pd.NA, index=values.index, dtype=object)
    return splits, reasons.mask(beside, str(LeftOutReason.GATHERING_IN_TEST))


def _column(catalog: "pd.DataFrame", column: str) -> "pd.Series":
    if column not in catalog:
        close = get_close_matches(column, catalog.columns, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise SplitError(
            f"curation: the catalog has no column {column!r}.{guess} It has: {', '.join(catalog.columns)}."
        )
    return catalog[column]


def _refuse_unknown(values: "pd.Series", asked: Sequence[str], column: str) -> None:
    unknown = [value for value in asked if value not in set(values.dropna())]
    if unknown:
        raise SplitError(
            f"curation: no image has {column} {', '.join(map(repr, unknown))}; the catalog has {_some(values)}."
        )


def _some(values: "pd.Series") -> str:
    there = [str(value) for value in values.dropna().value_counts().index]
    return (", ".join(there[:12]) + (f" and {len(there) - 12} more" if len(there) > 12 else "")) or "nothing"


def _about_names(named: _Named, job: Job) -> Iterator[str]:
    """Warnings about what is not used, and why."""
    for reason, words in (
        (LeftOutReason.NAME_NOT_IN_JOB, "bear names that the job does not list"),
        (LeftOutReason.UNCERTAIN_NAME, "bear uncertain names (cf., aff., ?)"),
    ):
        names = Counter(named.catalog.loc[named.reasons == reason, "scientificName"])
        if names:
            shown = ", ".join(f"{name} ({count})" for name, count in names.most_common(8))
            more = f" and {len(names) - 8} more names" if len(names) > 8 else ""
            yield f"{names.total()} images {words} and are left out: {shown}{more}"
    if len(named.conflicts):
        groups = named.conflicts["group"].nunique()
        fate = "left out" if job.curation.conflicts == "leave_out" else "kept, as the job says"
        yield f"{len(named.conflicts)} images in {groups} conflicts (two names for one gathering or image) are {fate}"
    without = int((named.usable & named.catalog["gathering_id"].isna()).sum())
    if without:
        yield f"{without} images have no gathering; each counts as one of its own, and duplicates may cross the splits"


def _about_splits(split: "pd.DataFrame", taxonomy: Taxonomy, job: Job) -> Iterator[str]:
    """Warnings about taxa that a split lacks, and about the number of gatherings behind them."""
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
        yield f"fewer than ten gatherings, so that single plants decide the score: {', '.join(few)}"


def _gatherings(count: int) -> str:
    return "1 gathering" if count == 1 else f"{count} gatherings"
