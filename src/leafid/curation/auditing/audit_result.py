"""The result of an audit, as written to ``audit.json``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Region = Literal["border", "background", "label_region", "mean_colour", "whole"]
"""Part of an image that a shortcut classifier uses. ``whole``, for comparison, is the image at 16 x 16 pixels."""

Background = Literal["kept", "removed"]
"""``removed``: everything outside the plant mask was replaced by a plain grey."""


class _AuditModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TaxonCounts(_AuditModel):
    """Counts of one taxon in the catalog."""

    scientific_name: str
    """Accepted name, as in the job."""
    images: int
    """Images used."""
    gatherings: int
    """Gatherings of these images."""
    splits: dict[str, int]
    """Images in train, val and test."""
    institutions: dict[str, int]
    """Images by institution; ``""`` where it is unknown."""
    licences: dict[str, int]
    """Images by licence; ``""`` where it is unknown."""
    shorter_side: tuple[int, int, int] | None
    """Shorter side of the images in pixels: smallest, median, largest; missing where sizes are unknown."""


class NearDuplicatePair(_AuditModel):
    """Two images that look the same."""

    paths: tuple[str, str]
    """Relative to the catalog."""
    names: tuple[str, str]
    """The names in the catalog."""
    splits: tuple[str | None, str | None]
    """The split of each; missing if the image is not used."""
    same_gathering: bool
    """Whether both belong to one gathering, and so stay together."""
    distance: int
    """Differing bits of 256."""


class ShortcutResult(_AuditModel):
    """How well a simple classifier predicts taxon or institution from a part of the image without the plant."""

    question: Literal["taxon", "institution"]
    """What is predicted."""
    region: Region
    """The part of the image used."""
    background: Background
    """Whether the background was removed before."""
    classifier: Literal["nearest_neighbour", "linear"]
    """Nearest neighbour, or linear discriminant with shrunk covariance."""
    evaluation: Literal["crossvalidated", "job_split"]
    """Five folds by gathering, or trained on train and tested on test of the job's split."""
    score: float
    """Balanced accuracy: mean recall over the categories, 0 to 1."""
    low: float
    """Lower end of the 95 % interval (bootstrap over gatherings)."""
    high: float
    """Upper end of the interval."""
    chance: float
    """One over the number of categories."""
    shuffled: float
    """95 % quantile of the score when the true names are permuted among gatherings (permutation test)."""
    images: int
    """Images predicted."""
    categories: int
    """Taxa or institutions distinguished."""

    @property
    def beats_chance(self) -> bool:
        """Whether the lower end of the interval is above chance and above the score of permuted names."""
        return self.low > max(self.chance, self.shuffled)


class Audit(_AuditModel):
    """The result of an audit."""

    job: str
    """Name of the job."""
    images: int
    """Images in the catalog."""
    gatherings: int
    """Gatherings of the images used."""
    taxa: tuple[TaxonCounts, ...]
    """Counts by taxon, in label order."""
    left_out: dict[str, int]
    """Images not used, by reason."""
    failures: dict[str, int]
    """Images missing in the catalog, by reason."""
    conflicts: int
    """Images in conflicts (one gathering or one image under two names)."""
    near_duplicates: tuple[NearDuplicatePair, ...]
    """Pairs that look the same, nearest first."""
    shortcuts: tuple[ShortcutResult, ...]
    """The shortcut table."""
    notes: tuple[str, ...]
    """Tests that were not possible, with the reason."""
    warnings: tuple[str, ...]
    """Findings that need attention, in plain words."""
    unread: dict[str, str]
    """Images of the catalog that can no longer be read: reason by path."""
    limits: str
    """Limits of leaf identification."""
