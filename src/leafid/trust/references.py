"""Reference specimens: the train and val images of a taxon that are most similar to an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import REFERENCE_TABLE, Bundle, read_thumbnail
from leafid.catalog import read_catalog
from leafid.errors import BundleError, CatalogError
from leafid.tables import TableError, read_table
from leafid.trust.training_features import TrainingFeatures

if TYPE_CHECKING:
    import pandas as pd

    from leafid.learning import Run

CITED_COLUMNS = ("catalogNumber", "institutionCode", "license", "rightsHolder", "references")
"""Catalog columns that identify and credit a specimen.

Collectors and determiners are left out: bundles and results never name people.
"""

_TABLE_COLUMNS = ("image_id", "scientificName", "gathering_id", *CITED_COLUMNS)


@dataclass(frozen=True)
class Specimen:
    """A train or val image that is similar to an identified image.

    Attributes:
        image_id: as in the catalog.
        scientific_name: its determination.
        similarity: cosine similarity of the features, at most 1.
        cited: its values in ``CITED_COLUMNS``; empty ones are left out.
    """

    image_id: str
    scientific_name: str
    similarity: float
    cited: dict[str, str]


@dataclass(frozen=True)
class ReferenceSpecimens:
    """The train and val images of a bundle, with exact nearest-neighbour search.

    Attributes:
        training: their features and labels, N images.
        rows: N rows of ``references.csv``, by column; an empty cell is an empty string.
        bundle: the folder of the bundle, for thumbnails.
    """

    training: TrainingFeatures
    rows: tuple[dict[str, str], ...]
    bundle: Path

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> "ReferenceSpecimens":
        """Load the references of a bundle.

        Raises:
            BundleError: it has none, or they are damaged.
        """
        tensors = bundle.references()
        training = TrainingFeatures.of(
            np.asarray(tensors["features"], dtype=np.float32), np.asarray(tensors["labels"], dtype=np.int64)
        )
        try:
            table = read_table(bundle.folder / REFERENCE_TABLE)
        except TableError as error:
            raise BundleError(f"{bundle.folder} is damaged: {error} Copy the bundle again.") from None
        if missing := [column for column in _TABLE_COLUMNS if column not in table.header]:
            raise BundleError(
                f"{bundle.folder} is damaged: {REFERENCE_TABLE} has no column {missing[0]}. Copy the bundle again."
            )
        if len(table.rows) != len(training.labels):
            raise BundleError(f"{bundle.folder} is damaged: {REFERENCE_TABLE} lacks rows. Copy the bundle again.")
        rows = tuple(dict(zip(table.header, cells, strict=True)) for _, cells in table.rows)
        return cls(training, rows, bundle.folder)

    def nearest(self, features: NDArray[np.floating], labels: Sequence[int], *, count: int = 3) -> tuple[Specimen, ...]:
        """Return the specimens of each taxon that are most similar to an image, at most one of a gathering.

        Args:
            features: (F,), of the image.
            labels: the taxa, in the order of the result.
            count: maximum number for each taxon.
        """
        (similarity,) = self.training.similarity(features[None])
        return tuple(specimen for label in labels for specimen in self._of_taxon(label, similarity, count))

    def _of_taxon(self, label: int, similarity: NDArray[np.float32], count: int) -> list[Specimen]:
        of_taxon = np.flatnonzero(self.training.labels == label)
        found: list[Specimen] = []
        gatherings: set[str] = set()
        for index in of_taxon[np.argsort(-similarity[of_taxon], kind="stable")]:
            row = self.rows[int(index)]
            if row["gathering_id"] in gatherings:
                continue
            gatherings.add(row["gathering_id"])
            cited = {column: row[column] for column in CITED_COLUMNS if row[column]}
            found.append(Specimen(row["image_id"], row["scientificName"], float(similarity[index]), cited))
            if len(found) == count:
                break
        return found

    def thumbnail(self, image_id: str) -> bytes | None:
        """Return the thumbnail of a specimen as JPEG; None if its licence did not allow one."""
        return read_thumbnail(self.bundle, image_id)


def reference_table(run: "Run", rows: "pd.DataFrame") -> str:
    """Return the text of ``references.csv``: the rows of the split, joined with ``CITED_COLUMNS`` of the catalog."""
    import pandas as pd

    columns = list(_TABLE_COLUMNS[:3])
    try:
        catalog = read_catalog(run.info.catalog).set_index("image_id")
    except CatalogError:  # a run copied without its catalog keeps the columns of its split
        catalog = pd.DataFrame(index=pd.Index([], name="image_id"))
    joined = catalog.reindex(rows["image_id"])
    table = rows[columns].reset_index(drop=True)
    for column in CITED_COLUMNS:
        values = joined[column] if column in joined else pd.Series("", index=joined.index)
        table[column] = values.fillna("").to_numpy()
    return str(table.to_csv(index=False, lineterminator="\n"))
