"""Reference specimens: the training images that speak for an answer, and those whose label their neighbours doubt."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import REFERENCE_TABLE, Bundle
from leafid.catalog import read_catalog
from leafid.errors import BundleError, CatalogError
from leafid.files import written_atomically
from leafid.statements import LIMITS
from leafid.trust.familiarity import TrainingFeatures

if TYPE_CHECKING:
    import pandas as pd

    from leafid.learning import Run

CITED = ("catalogNumber", "institutionCode", "license", "rightsHolder", "references")
"""What is said of a specimen. Collectors and determiners are people, and never named in bundles and results."""

NEIGHBOURS = 5
"""Nearest images of other gatherings that have a vote on a label."""


@dataclass(frozen=True)
class Specimen:
    """A training image that is like the one asked about.

    Attributes:
        image_id: as in the catalog.
        scientific_name: its determination.
        similarity: cosine of the features, at most 1.
        cited: what is known of ``CITED``.
    """

    image_id: str
    scientific_name: str
    similarity: float
    cited: dict[str, str]


@dataclass(frozen=True)
class ReferenceSpecimens:
    """The training images of a bundle, searched exactly: some 0.1 s for 100,000 images of 1,280 features."""

    training: TrainingFeatures
    table: "pd.DataFrame"

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> "ReferenceSpecimens":
        """Load those of a bundle.

        Raises:
            BundleError: it has none, or they are damaged.
        """
        import pandas as pd

        tensors = bundle.references()
        training = TrainingFeatures.of(
            np.asarray(tensors["features"], dtype=np.float32), np.asarray(tensors["labels"], dtype=np.int64)
        )
        try:
            table = pd.read_csv(bundle.folder / REFERENCE_TABLE, dtype=str, keep_default_na=False)
        except (OSError, ValueError) as error:
            raise BundleError(
                f"{bundle.folder / REFERENCE_TABLE} cannot be read: {error}. Copy the bundle again."
            ) from None
        if len(table) != len(training.labels):
            raise BundleError(f"{bundle.folder} is damaged: {REFERENCE_TABLE} has lost rows. Copy the bundle again.")
        return cls(training, table)

    def nearest(self, features: NDArray[np.floating], label: int, *, count: int = 3) -> tuple[Specimen, ...]:
        """Return the training images of a taxon that are most like an image, one for each gathering.

        Args:
            features: (F,), of the image.
            label: the taxon.
            count: how many, at most.
        """
        (similarity,) = self.training.similarity(features[None])
        mine = np.flatnonzero(self.training.labels == label)
        found: list[Specimen] = []
        gatherings: set[str] = set()
        for place in mine[np.argsort(-similarity[mine], kind="stable")]:
            row = self.table.iloc[int(place)]
            if row["gathering_id"] in gatherings:
                continue
            gatherings.add(row["gathering_id"])
            cited = {column: row[column] for column in CITED if row[column]}
            found.append(Specimen(row["image_id"], row["scientificName"], float(similarity[place]), cited))
            if len(found) == count:
                break
        return tuple(found)


def reference_table(run: "Run", rows: "pd.DataFrame") -> str:
    """Say as CSV which images the rows of the split are; what the catalog knows of ``CITED`` is joined."""
    import pandas as pd

    columns = ["image_id", "scientificName", "gathering_id"]
    try:
        catalog = read_catalog(run.info.catalog).set_index("image_id")
    except CatalogError:  # a run that was copied without its catalog still has what the split says
        catalog = pd.DataFrame(index=pd.Index([], name="image_id"))
    known = catalog.reindex(rows["image_id"])
    table = rows[columns].reset_index(drop=True)
    for column in CITED:
        values = known[column] if column in known else pd.Series("", index=known.index)
        table[column] = values.fillna("").to_numpy()
    return str(table.to_csv(index=False, lineterminator="\n"))


@dataclass(frozen=True)
class Disagreement:
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


def disagreements(
    training: TrainingFeatures,
    names: Sequence[str],
    image_ids: Sequence[str],
    gatherings: Sequence[str],
    *,
    neighbours: int = NEIGHBOURS,
) -> list[Disagreement]:
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
                Disagreement(
                    str(image_ids[place]),
                    names[int(training.labels[place])],
                    names[label],
                    int(votes[label]),
                    float(similarity[agreeing].mean()),
                )
            )
    return sorted(found, key=lambda one: (-one.votes, -one.similarity, one.image_id))


def write_disagreements(found: Sequence[Disagreement], path: Path, *, identifier: str) -> None:
    """Write the list as rows of Darwin Core's Identification class (``http://rs.tdwg.org/dwc/terms/Identification``).

    Args:
        found: the list.
        path: a ``.csv`` file.
        identifier: the bundle's, which stands for who made the suggestion.
    """
    import pandas as pd

    rows = [
        {
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
