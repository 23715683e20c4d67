"""The shortcut table of a job: which regions are tried, on which questions, and what it means in words."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leafid.curation.auditing.figures import ShortcutResult
from leafid.curation.auditing.regions import Seen
from leafid.curation.auditing.shortcuts import FOLDS, Question, crossvalidated, on_split
from leafid.jobs import Job

if TYPE_CHECKING:
    import pandas as pd

_SEEN_IN_WORDS = {
    "border": "the border of the image",
    "background": "the background, its colours and roughness",
    "label_region": "what lies beside the plant (labels, rulers, stamps)",
    "mean_colour": "the mean colour of the image",
}


def shortcut_table(rows: "pd.DataFrame", seen: Sequence[Seen], job: Job) -> tuple[list[ShortcutResult], list[str]]:
    """Measure every region on both questions.

    Args:
        rows: rows of a split, with accepted names.
        seen: what was seen of each.
        job: its seed and way of splitting.

    Returns:
        The table, and notes on what could not be measured.
    """
    table: list[ShortcutResult] = []
    notes: list[str] = []
    for question, column in (("taxon", "scientificName"), ("institution", "institutionCode")):
        chosen = np.flatnonzero(_in_enough_gatherings(rows, column))
        names = rows[column].iloc[chosen]
        few = sorted(set(rows[column].dropna()) - set(names))
        kinds = "taxa" if question == "taxon" else "institutions"
        if names.nunique() < 2:
            reason = f"{names.nunique()} {kinds} with {FOLDS} or more gatherings"
            notes.append(f"Shortcuts to the {question} were not tested: {reason}.")
            continue
        if few:
            notes.append(f"Not in the table of shortcuts, with fewer than {FOLDS} gatherings: {', '.join(few)}.")
        labels = np.unique(names.astype(str), return_inverse=True)[1].astype(np.int64)
        units = np.unique(rows["gathering_id"].iloc[chosen].astype(str), return_inverse=True)[1].astype(np.int64)
        asked = Question(labels, units, job.seed)
        prescribed = question == "taxon" and job.curation.split.by != "gathering"
        train, test = (np.flatnonzero(rows["split"].iloc[chosen] == part) for part in ("train", "test"))
        for background, region in seen[0]:
            vectors = np.stack([seen[place][background, region] for place in chosen.tolist()])
            answers = {"crossvalidated": crossvalidated(vectors, asked)}
            if prescribed and len(train) and len(test):
                answers["job_split"] = on_split(vectors, asked, train, test)
            for evaluation, by_classifier in answers.items():
                for classifier, guessed in by_classifier.items():
                    table.append(
                        ShortcutResult.model_validate(
                            {
                                "question": question,
                                "region": region,
                                "background": background,
                                "classifier": classifier,
                                "evaluation": evaluation,
                                "chance": 1 / asked.categories,
                                "categories": asked.categories,
                                **vars(guessed),
                            }
                        )
                    )
    return table, notes


def about_shortcuts(table: Sequence[ShortcutResult]) -> Iterator[str]:
    """Say in words which regions beat chance: one sentence for each, on the strongest evidence."""
    for region, words in _SEEN_IN_WORDS.items():
        clear = [row for row in _rows(table, region, "kept") if row.beats_chance]
        if not clear:
            continue
        best = max(clear, key=lambda row: row.low)
        how = "by gathering, cross-validated" if best.evaluation == "crossvalidated" else "on the job's split"
        advice = (
            "part of this may be the plant's own colour"
            if region == "mean_colour"
            else "a network can learn this instead of the plant: take the background away, test on other institutions"
        )
        yield (
            f"shortcut: a simple classifier that sees only {words} reaches a balanced accuracy of {best.score:.2f} "
            f"over {best.categories} taxa ({how}; 95 % interval {best.low:.2f} to {best.high:.2f}, "
            f"chance {best.chance:.2f}); {advice}"
        )


def _rows(table: Sequence[ShortcutResult], region: str, background: str) -> list[ShortcutResult]:
    return [row for row in table if (row.question, row.region, row.background) == ("taxon", region, background)]


def _in_enough_gatherings(rows: "pd.DataFrame", column: str) -> "pd.Series":
    """For each row whether its name or institution is known and has a gathering for each fold."""
    gatherings = rows.groupby(column)["gathering_id"].transform("nunique")
    return rows[column].notna() & (gatherings >= FOLDS)
