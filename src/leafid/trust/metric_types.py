"""The figures of an evaluation, part by part: what is counted, and how each number is defined."""

from pydantic import BaseModel, ConfigDict

from leafid.bundle import Interval


class Figures(BaseModel):
    """Measured values; a value that is not defined is missing."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TaxonResult(Figures):
    """How well one taxon is told from the others. A figure that is not defined is missing."""

    scientific_name: str
    """The taxon."""
    images: int
    """Images of this taxon that could be read."""
    predicted: int
    """Images for which this taxon was the most probable."""
    correct: int
    """Images of this taxon for which it was the most probable."""
    precision: float | None
    """``correct / predicted``; missing when it was never predicted."""
    recall: float | None
    """``correct / images``; missing when it has no images."""
    f1: float | None
    """``2 * correct / (images + predicted)``; missing when both are 0."""
    gatherings: int = 0
    """Gatherings to which the images belong."""
    precision_interval: Interval | None = None
    """95 % interval of the precision (bootstrap over gatherings); missing where it cannot be told."""
    recall_interval: Interval | None = None
    """That of the recall."""
    f1_interval: Interval | None = None
    """That of F1."""


class TargetResult(Figures):
    """The target against all other taxa together."""

    scientific_name: str
    """The target."""
    images: int
    """Images of the target that could be read."""
    others: int
    """Images of other taxa that could be read."""
    found: int
    """Images of the target for which it was the most probable taxon."""
    mistaken: int
    """Images of other taxa for which the target was the most probable."""
    sensitivity: float | None
    """``found / images``; missing without images of the target."""
    specificity: float | None
    """``1 - mistaken / others``; missing without images of others."""
    auroc: float | None
    """Area under the ROC curve of the target's probability; missing unless the target and others have images."""
    auroc_interval: Interval | None = None
    """Its 95 % interval (bootstrap over gatherings)."""
    average_precision: float | None = None
    """Area under the precision-recall curve, as the mean precision over the images of the target."""
    sensitivity_at_95: float | None = None
    """Highest share of the target's images found while 95 % of the others are not taken for it."""
    sensitivity_at_99: float | None = None
    """The same for 99 %."""


class CalibrationResult(Figures):
    """How far probabilities are from the truth; 0 is best."""

    nll: float
    """Mean negative logarithm of the true taxon's probability."""
    brier: float
    """Mean squared distance of the probabilities from the truth, 0 to 2."""
    ece: float
    """Expected calibration error: mean distance between the first candidate's score and the share of right answers,
    over 15 equally wide bins, 0 to 1. With few images it lies above 0 even for perfect scores."""
    ece_interval: Interval | None
    """Its 95 % interval (bootstrap over gatherings)."""


class ReliabilityBin(Figures):
    """Images whose first candidate has a score above ``low`` and up to ``high``."""

    low: float
    high: float
    images: int
    mean_score: float | None
    right: float | None
    """Share of right answers."""


class PredictionSetResult(Figures):
    """Prediction sets at one level, measured."""

    nominal: float
    """Coverage that was asked for."""
    coverage: float
    """Share of images whose set holds the true taxon."""
    coverage_interval: Interval | None
    """Its 95 % interval (bootstrap over gatherings)."""
    mean_size: float
    """Mean number of taxa in a set."""
    median_size: float
    """Median of it."""
    single: float
    """Share of sets of one taxon."""


class RankResult(Figures):
    """Answers at a wider rank: scores are summed up to it, and the most probable name is taken."""

    rank: str
    names: int
    """Different names at this rank."""
    accuracy: float
    macro_f1: float
    rolled_up: int
    """Images answered at this rank because no species was certain."""
    rolled_up_right: int
    """Those of them that were right."""


class GroupResult(Figures):
    """The images that share a value of a column of the catalog."""

    column: str
    value: str
    images: int
    gatherings: int
    accuracy: float
    accuracy_interval: Interval | None
    balanced_accuracy: float
    undetermined: int


class ConfusedPair(Figures):
    """Two taxa that are taken for each other."""

    determination: str
    """The true taxon."""
    taken_for: str
    """The most probable one."""
    images: int
    share: float
    """``images`` over all images of the true taxon."""
    paths: tuple[str, ...]
    """Some of the images, the most certainly mistaken first."""


class PooledResult(Figures):
    """One answer for each gathering of several images: the mean of its images' log-probabilities (log-opinion pool)."""

    gatherings: int
    """Gatherings of two or more images of one determination."""
    images: int
    """Their images."""
    accuracy_of_images: float
    """Share of right answers when each image is answered alone."""
    accuracy_pooled: float
    """Share of right answers of the pool, one for each gathering."""


class Failure(Figures):
    """An image that could not be read; it counts in ``images`` and in no other figure."""

    image_id: str
    path: str
    reason: str
    detail: str


class CurvePoint(Figures):
    """How well taxa are told apart after fewer gatherings: probes fitted to parts of the training images."""

    gatherings: int
    """Gatherings of each taxon to train on, or all it has where these are fewer."""
    images: int
    """Training images, mean over folds and draws."""
    macro_f1: float
    """Mean over the draws; every image is judged by a probe of other folds."""
    spread: float
    """Standard deviation over the draws."""
    draws: int
    """How often gatherings were drawn; a draw holds those of the smaller ones."""


class ControlResult(Figures):
    """The network on images of which only a part was left: what it knows without the plant."""

    left: str
    """``whole``, ``plant``, ``border``, ``background`` or ``objects`` (labels, rulers, stamps)."""
    images: int
    accuracy: float
    accuracy_interval: Interval | None
    balanced_accuracy: float


class HeatMapResult(Figures):
    """Where the network looks, over all views of some images, for the first candidate."""

    images: int
    views: int
    plant: float
    """Share of a view that is plant, mean."""
    inside: float | None
    """Share of the heat that lies on the plant, mean; missing where no view has both."""
    deletion: float
    """Mean score while the hottest parts are blurred first; low is good."""
    deletion_random: float
    """The same for heat by chance."""
    insertion: float
    """Mean score while the hottest parts come back first; high is good."""
    insertion_random: float
    """The same for heat by chance."""
