"""Test every image region as a shortcut to taxon and institution, and describe the result in words."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leafid.curation.auditing.audit_result import ShortcutResult
from leafid.curation.auditing.region_features import RegionFeatures
from leafid.curation.auditing.shortcut_classifiers import FOLDS, GroupedLabels, cross_validate, evaluate_on_split
from leafid.jobs import Job

if TYPE_CHECKING:
    import pandas as pd

_REGION_DESCRIPTIONS = {
    "border": "the border of the image",
    "background": "the background, its colours and roughness",
    "label_region": "the objects beside the plant (labels, rulers, stamps)",
    "mean_colour": "the mean colour of the image",
}


def shortcut_table(
    rows: "pd.DataFrame", features: Sequence[RegionFeatures], job: Job
) -> tuple[list[ShortcutResult], list[str]]:
    """Evaluate the classifiers on every region for both questions.

    Args:
        rows: rows of a split, with accepted names.
        features: the features of each row.
        job: its seed and split settings.

    Returns:
        The table, and notes on tests that were not possible.
    """
    table: list[ShortcutResult] = []
    notes: list[str] = []
    for question, column in (("taxon", "scientificName"), ("institution", "institutionCode")):
        chosen = np.flatnonzero(_in_enough_gatherings(rows, column))
        names = rows[column].iloc[chosen]
        excluded = sorted(set(rows[column].dropna()) - set(names))
        kinds = "taxa" if question == "taxon" else "institutions"
        if names.nunique() < 2:
            reason = f"there are {names.nunique()} {kinds} with {FOLDS} or more gatherings"
            notes.append(f"Shortcuts to the {question} were not tested: {reason}.")
            continue
        if excluded:
            notes.append(
                f"Not in the table of shortcuts, since they have fewer than {FOLDS} gatherings: {', '.join(excluded)}."
            )
        labels = np.unique(names.astype(str), return_inverse=True)[1].astype(np.int64)
        units = np.unique(rows["gathering_id"].iloc[chosen].astype(str), return_inverse=True)[1].astype(np.int64)
        grouped_labels = GroupedLabels(labels, units, job.seed)
        prescribed = question == "taxon" and job.curation.split.by != "gathering"
        train, test = (np.flatnonzero(rows["split"].iloc[chosen] == part) for part in ("train", "test"))
        for background, region in features[0]:
            vectors = np.stack([features[index][background, region] for index in chosen.tolist()])
            scores_by_evaluation = {"crossvalidated": cross_validate(vectors, grouped_labels)}
            if prescribed and len(train) and len(test):
                scores_by_evaluation["job_split"] = evaluate_on_split(vectors, grouped_labels, train, test)
            for evaluation, by_classifier in scores_by_evaluation.items():
                for classifier, score in by_classifier.items():
                    table.append(
                        ShortcutResult.model_validate(
                            {
                                "question": question,
                                "region": region,
                                "background": background,
                                "classifier": classifier,
                                "evaluation": evaluation,
                                "chance": 1 / grouped_labels.categories,
                                "categories": grouped_labels.categories,
                                **vars(score),
                            }
                        )
                    )
    return table, notes


def shortcut_warnings(table: Sequence[ShortcutResult]) -> Iterator[str]:
    """Yield a sentence for each region that beats chance, based on its best classifier."""
    for region, words in _REGION_DESCRIPTIONS.items():
        significant = [row for row in _rows(table, region, "kept") if row.beats_chance]
        if not significant:
            continue
        best = max(significant, key=lambda row: row.low)
        how = "by gathering, cross-validated" if best.evaluation == "crossvalidated" else "on the job's split"
        advice = (
            "part of this may be the colour of the plant itself"
            if region == "mean_colour"
            else "a network can learn this instead of the plant: remove the background, test on other institutions"
        )
        yield (
            f"shortcut: a simple classifier that uses only {words} reaches a balanced accuracy of {best.score:.2f} "
            f"over {best.categories} taxa ({how}; 95 % interval {best.low:.2f} to {best.high:.2f}, "
            f"chance {best.chance:.2f}); {advice}"
        )


def _rows(table: Sequence[ShortcutResult], region: str, background: str) -> list[ShortcutResult]:
    return [row for row in table if (row.question, row.region, row.background) == ("taxon", region, background)]


def _in_enough_gatherings(rows: "pd.DataFrame", column: str) -> "pd.Series":
    """Return for each row whether its name or institution is known and has at least one gathering per fold."""
    gatherings = rows.groupby(column)["gathering_id"].transform("nunique")
    return rows[column].notna() & (gatherings >= FOLDS)
