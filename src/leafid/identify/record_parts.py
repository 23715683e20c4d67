"""The parts of a record: status, candidates, cited specimens, photos of a plant, and what the leaf says."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How the identification of one image ended."""

    IDENTIFIED = "identified"
    UNDETERMINED = "undetermined"
    FAILED = "failed"


class LeafCheck(StrEnum):
    """What the measured leaf says about the name; two of the codes are reasons why there is no measured leaf."""

    FITS = "fits"
    EXCLUDES = "excludes"
    NO_LEAF = "no_leaf"
    OVERLAPPED = "overlapped"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A taxon with its calibrated probability."""

    scientific_name: str
    probability: float


@dataclass(frozen=True, slots=True)
class CitedSpecimen:
    """A reference specimen similar to the image. Collectors and determiners are never named."""

    scientific_name: str
    """Its determination."""
    similarity: float
    """Cosine similarity of the embeddings, at most 1."""
    image_id: str
    """Its ``image_id`` in the training catalog, which is also the name of its thumbnail in the bundle, if any."""
    catalog_number: str | None = None
    institution_code: str | None = None
    license: str | None = None
    rights_holder: str | None = None
    references: str | None = None
    """Its page on the web."""


@dataclass(frozen=True, slots=True)
class PlantPhoto:
    """A photo of a plant, in the record of the plant."""

    path: str
    left_out: str | None = None
    """Why it was not used: a code of ``Record.reason``; None if it was."""
    scientific_name: str | None = None
    """The most probable taxon on this photo alone; None if it could not be read."""
    probability: float | None = None
    """Calibrated probability of ``scientific_name`` on this photo alone."""
    file_sha256: str | None = None
    """SHA-256 of the file, as in a record; None if it could not be read."""
