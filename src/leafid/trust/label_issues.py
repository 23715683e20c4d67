"""Label issues by nearest-neighbour disagreement: probably misidentified sheets, as Darwin Core rows for a curator.

An image has a label issue when most of its nearest neighbours in feature space have another label. This is a k-nearest-
neighbour filter in the manner of edited nearest neighbours (Wilson 1972, IEEE Transactions on Systems, Man, and
Cybernetics 2), with other gatherings as neighbours. It does not estimate the noise of labels from probabilities, as
confident learning does.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import read_bundle
from leafid.destinations import Destination, check_destinations, has_header
from leafid.tables import write_table
from leafid.trust.references import ReferenceSpecimens
from leafid.trust.training_features import TrainingFeatures

log = logging.getLogger(__name__)

NEIGHBOURS = 5
"""Number of nearest neighbours, from other gatherings, that vote on a label."""

SPECIMEN_COLUMNS = ("catalogNumber", "institutionCode", "references")
"""Columns by which a curator finds the sheet."""

COLUMNS = (
    *SPECIMEN_COLUMNS,
    "associatedMedia",
    "scientificName",
    "identificationQualifier",
    "identifiedBy",
    "identificationVerificationStatus",
    "verbatimIdentification",
    "identificationRemarks",
)
"""The columns of the list, Darwin Core terms."""


@dataclass(frozen=True)
class LabelIssue:
    """An image whose nearest neighbours of other gatherings have another label.

    Attributes:
        image_id: as in the catalog.
        determination: its label.
        suggestion: the taxon of most of its neighbours.
        votes: number of neighbours of that taxon, of ``NEIGHBOURS``.
        similarity: mean cosine similarity with these neighbours.
        sheet: institution code and catalogue number, by which a curator finds the sheet; else ``image_id``.
    """

    image_id: str
    determination: str
    suggestion: str
    votes: int
    similarity: float
    sheet: str = ""


def find_label_issues(
    training: TrainingFeatures,
    names: Sequence[str],
    image_ids: Sequence[str],
    gatherings: Sequence[str],
    *,
    neighbours: int = NEIGHBOURS,
) -> list[LabelIssue]:
    """List images of which more than half of the nearest neighbours have one other label, most votes first.

    The list is incomplete: a network trained on these images has memorised some of their wrong labels. Images of the
    same gathering do not vote, since duplicates of one gathering share its wrong name.

    Args:
        training: features and labels of M images.
        names: the taxa in label order.
        image_ids: of the M images.
        gatherings: of the M images.
        neighbours: number of neighbours that vote.
    """
    issues = []
    for index, nearest, similarity in _nearest_of_others(training, gatherings, neighbours):
        votes = np.bincount(training.labels[nearest], minlength=len(names))
        suggested = int(votes.argmax())
        if suggested != training.labels[index] and votes[suggested] * 2 > len(nearest):
            agreeing = nearest[training.labels[nearest] == suggested]
            issues.append(
                LabelIssue(
                    str(image_ids[index]),
                    names[int(training.labels[index])],
                    names[suggested],
                    int(votes[suggested]),
                    float(similarity[agreeing].mean()),
                )
            )
    return sorted(issues, key=lambda issue: (-issue.votes, -issue.similarity, issue.image_id))


def count_nearest_alike(training: TrainingFeatures, gatherings: Sequence[str]) -> int:
    """Count the images whose nearest neighbour of another gathering has their own label: whether neighbours can judge.

    Args:
        training: features and labels of M images.
        gatherings: of the M images.
    """
    nearest_of_others = _nearest_of_others(training, gatherings, 1)
    return sum(int(training.labels[nearest[0]] == training.labels[index]) for index, nearest, _ in nearest_of_others)


def _nearest_of_others(
    training: TrainingFeatures, gatherings: Sequence[str], neighbours: int
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float32]]]:
    """Yield each image that has any: its number, its nearest neighbours of other gatherings, its similarities (M,)."""
    units = np.asarray(gatherings, dtype=str)
    for index in range(len(units)):
        (similarity,) = training.similarity(training.features[index : index + 1])
        others = np.flatnonzero(units != units[index])
        if len(others):
            yield index, others[np.argsort(-similarity[others], kind="stable")][:neighbours], similarity


def _sheet(row: Mapping[str, str]) -> str:
    number = row.get("catalogNumber", "")
    return f"{row.get('institutionCode', '')} {number}".strip() if number else row["image_id"]


def list_label_issues(bundle: Path, path: Path) -> list[LabelIssue]:
    """Find the label issues among the train and val images of a bundle, and write them; see ``write_label_issues``.

    Raises:
        BundleError: the bundle is missing, damaged or foreign, or was never calibrated.
        OutputError: the file cannot be written.
    """
    destination = Destination("-o", path, has_header(COLUMNS))
    check_destinations([destination], existing="replace")
    read = read_bundle(bundle)
    specimens = ReferenceSpecimens.of_bundle(read)
    gatherings = [row["gathering_id"] for row in specimens.rows]
    image_ids = [row["image_id"] for row in specimens.rows]
    found = find_label_issues(specimens.training, read.info.taxonomy.names, image_ids, gatherings)
    sheets = {row["image_id"]: _sheet(row) for row in specimens.rows}
    issues = [replace(issue, sheet=sheets[issue.image_id]) for issue in found]
    alike = count_nearest_alike(specimens.training, gatherings)
    log.info(
        "%d of %d sheets are most similar to a sheet of their own name. The fewer, the more wrong names this list "
        "misses, and the more right ones it doubts.",
        alike,
        len(gatherings),
    )
    write_label_issues(
        issues, path, specimens.rows, identifier=read.info.identifier, caution=read.info.trained_on.caution
    )
    return issues


def write_label_issues(
    issues: Sequence[LabelIssue],
    path: Path,
    specimens: Sequence[Mapping[str, str]],
    *,
    identifier: str,
    caution: str,
) -> None:
    """Write the list as rows of Darwin Core's Identification class (``http://rs.tdwg.org/dwc/terms/Identification``).

    Args:
        issues: the list.
        path: a ``.csv`` file.
        specimens: the images, each with ``image_id`` and, where known, ``SPECIMEN_COLUMNS``.
        identifier: the bundle's, written as ``identifiedBy``.
        caution: statement of limits, written with each remark.
    """
    sheets = {specimen["image_id"]: specimen for specimen in specimens}
    rows = [
        {
            **{column: sheets[issue.image_id].get(column, "") for column in SPECIMEN_COLUMNS},
            "associatedMedia": issue.image_id,
            "scientificName": issue.suggestion,
            "identificationQualifier": "?",
            "identifiedBy": f"leafid, bundle {identifier}",
            "identificationVerificationStatus": "unverified",
            "verbatimIdentification": issue.determination,
            "identificationRemarks": f"{issue.votes} of the {NEIGHBOURS} most similar sheets of other gatherings have "
            f"this name (mean similarity {issue.similarity:.3f}). {caution}",
        }
        for issue in issues
    ]
    write_table(path, COLUMNS, ([row[column] for column in COLUMNS] for row in rows))
