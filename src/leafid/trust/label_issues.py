"""Labels that their neighbours doubt: hints at misidentified sheets, as rows that a curator can file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leafid.bundle import read_bundle
from leafid.files import written_atomically
from leafid.statements import LIMITS
from leafid.trust.ood import TrainingFeatures
from leafid.trust.references import ReferenceSpecimens

if TYPE_CHECKING:
    import pandas as pd

NEIGHBOURS = 5
"""Nearest images of other gatherings that have a vote on a label."""

NAMED = ("catalogNumber", "institutionCode", "references")
"""What is said of a doubted sheet, so that it can be found."""


@dataclass(frozen=True)
class LabelIssue:
    """An image whose label its nearest neighbours of other gatherings contradict.

    Attributes:
        image_id: as in the catalog.
        determination: its label.
        suggestion: the taxon of most of its neighbours.
        votes: how many of the ``NEIGHBOURS`` are of it.
        similarity: mean cosine with those.
    """

    image_id: str
    determination: str
    suggestion: str
    votes: int
    similarity: float


def find_label_issues(
    training: TrainingFeatures,
    names: Sequence[str],
    image_ids: Sequence[str],
    gatherings: Sequence[str],
    *,
    neighbours: int = NEIGHBOURS,
) -> list[LabelIssue]:
    """List labels that more than half of the nearest neighbours contradict, the clearest first.

    A network that was trained on these images has learnt some wrong labels by heart, so that the list is not complete.
    An image's own gathering has no vote, since a wrong name stands on all its sheets.

    Args:
        training: features and labels of M images.
        names: the taxa in label order.
        image_ids: of the M images.
        gatherings: of the M images.
        neighbours: how many vote.
    """
    own = np.asarray(gatherings, dtype=str)
    found = []
    for place in range(len(own)):
        (similarity,) = training.similarity(training.features[place : place + 1])
        others = np.flatnonzero(own != own[place])
        near = others[np.argsort(-similarity[others], kind="stable")][:neighbours]
        if not len(near):
            continue
        votes = np.bincount(training.labels[near], minlength=len(names))
        label = int(votes.argmax())
        if label != training.labels[place] and votes[label] * 2 > len(near):
            agreeing = near[training.labels[near] == label]
            found.append(
                LabelIssue(
                    str(image_ids[place]),
                    names[int(training.labels[place])],
                    names[label],
                    int(votes[label]),
                    float(similarity[agreeing].mean()),
                )
            )
    return sorted(found, key=lambda one: (-one.votes, -one.similarity, one.image_id))


def list_label_issues(bundle: Path, path: Path) -> list[LabelIssue]:
    """Find the disagreements among the known specimens of a bundle and write them; see ``write_label_issues``.

    Raises:
        BundleError: it is missing, damaged or foreign, or its trust was never fitted.
        OutputError: the file cannot be written.
    """
    read = read_bundle(bundle)
    known = ReferenceSpecimens.of_bundle(read)
    found = find_label_issues(
        known.training, read.info.taxonomy.names, list(known.table["image_id"]), list(known.table["gathering_id"])
    )
    write_label_issues(found, path, known.table, identifier=read.info.identifier)
    return found


def write_label_issues(found: Sequence[LabelIssue], path: Path, specimens: "pd.DataFrame", *, identifier: str) -> None:
    """Write the list as rows of Darwin Core's Identification class (``http://rs.tdwg.org/dwc/terms/Identification``).

    Args:
        found: the list.
        path: a ``.csv`` file.
        specimens: what is known of the images, with the columns ``image_id`` and, where they are known, ``NAMED``.
        identifier: the bundle's, which stands for who made the suggestion.
    """
    import pandas as pd

    known = specimens.set_index("image_id").reindex(columns=list(NAMED), fill_value="")
    rows = [
        {
            **known.loc[one.image_id].to_dict(),
            "associatedMedia": one.image_id,
            "scientificName": one.suggestion,
            "identificationQualifier": "?",
            "identifiedBy": f"leafid, bundle {identifier}",
            "identificationVerificationStatus": "unverified",
            "verbatimIdentification": one.determination,
            "identificationRemarks": f"{one.votes} of the {NEIGHBOURS} most similar sheets of other gatherings bear "
            f"this name (mean similarity {one.similarity:.3f}). A hint for a curator, no determination. {LIMITS}",
        }
        for one in found
    ]
    columns = [
        *NAMED,
        "associatedMedia",
        "scientificName",
        "identificationQualifier",
        "identifiedBy",
        "identificationVerificationStatus",
        "verbatimIdentification",
        "identificationRemarks",
    ]
    content = io.StringIO()
    pd.DataFrame(rows, columns=columns).to_csv(content, index=False, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as temporary:
        temporary.write_text(content.getvalue(), encoding="utf-8")
