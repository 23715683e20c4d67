"""The figures of an audit; ``audit.json`` is just this."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from leafid.statements import LIMITS

Region = Literal["border", "background", "label_region", "mean_colour", "whole"]
"""What a shortcut classifier sees of an image. ``whole``, for comparison, is the whole image at 16 x 16 pixels."""

Background = Literal["kept", "removed"]
"""``removed``: everything outside the plant mask was made plain before."""


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TaxonCounts(_Figures):
    """What the catalog holds of one taxon."""

    scientific_name: str
    """Accepted name, as in the job."""
    images: int
    """Images that are used."""
    gatherings: int
    """Gatherings they come from."""
    splits: dict[str, int]
    """Images in train, val and test."""
    institutions: dict[str, int]
    """Images by institution; ``""`` where it is unknown."""
    licences: dict[str, int]
    """Images by licence; ``""`` where it is unknown."""
    shorter_side: tuple[int, int, int] | None
    """Shorter side of the images in pixels: smallest, median, largest; missing where sizes are unknown."""


class NearDuplicatePair(_Figures):
    """Two images that look the same."""

    paths: tuple[str, str]
    """Relative to the catalog."""
    names: tuple[str, str]
    """The names in the catalog."""
    splits: tuple[str | None, str | None]
    """The split of each; missing where it is not used."""
    same_gathering: bool
    """Whether both are known to be of one gathering, and so stay together."""
    distance: int
    """Differing bits of 256."""


class ShortcutResult(_Figures):
    """How well a simple classifier guesses from what it should not be able to guess from."""

    question: Literal["taxon", "institution"]
    """What is guessed."""
    region: Region
    """What is seen."""
    background: Background
    """Whether the background was made plain before."""
    classifier: Literal["nearest_neighbour", "linear"]
    """Nearest neighbour, or linear discriminant with shrunk covariance."""
    evaluation: Literal["crossvalidated", "job_split"]
    """Five folds by gathering, or trained on train and tested on test as the job splits."""
    score: float
    """Balanced accuracy: mean share of right guesses over the categories, 0 to 1."""
    low: float
    """Lower end of the 95 % interval (bootstrap over gatherings)."""
    high: float
    """Upper end of it."""
    chance: float
    """One over the number of categories."""
    shuffled: float
    """Score below which the same guesses stay in 95 % of cases when the true names are shuffled among gatherings."""
    images: int
    """Images that were guessed."""
    categories: int
    """Taxa or institutions that were told apart."""

    @property
    def beats_chance(self) -> bool:
        """Whether even the lower end of the interval lies above chance and above what shuffled names give."""
        return self.low > max(self.chance, self.shuffled)


class Audit(_Figures):
    """What an audit found."""

    job: str
    """Name of the job."""
    images: int
    """Images in the catalog."""
    gatherings: int
    """Gatherings among those that are used."""
    taxa: tuple[TaxonCounts, ...]
    """In label order."""
    left_out: dict[str, int]
    """Images that are not used, by reason."""
    failures: dict[str, int]
    """Images that could not be taken into the catalog, by reason."""
    conflicts: int
    """Images in conflicts (one gathering or one image under two names)."""
    near_duplicates: tuple[NearDuplicatePair, ...]
    """Pairs that look the same, nearest first."""
    shortcuts: tuple[ShortcutResult, ...]
    """The shortcut table."""
    notes: tuple[str, ...]
    """What could not be measured, and why."""
    warnings: tuple[str, ...]
    """In plain words."""
    unread: dict[str, str]
    """Images of the catalog that can no longer be read: path and reason."""
    limits: str = LIMITS
    """What a leaf identification does not say."""
