"""Parts of ``evaluation.json``: the definition of each measured value."""

from pydantic import BaseModel, ConfigDict

from leafid.bundle import Interval


class Result(BaseModel):
    """Measured values; an undefined value is null."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TaxonResult(Result):
    """Precision, recall and F1 of one taxon."""

    scientific_name: str
    """The taxon."""
    images: int
    """Images of this taxon that could be read."""
    predicted: int
    """Images for which this taxon was the most probable."""
    correct: int
    """Images of this taxon for which it was the most probable."""
    precision: float | None
    """``correct / predicted``; null when the taxon was never predicted."""
    recall: float | None
    """``correct / images``; null when the taxon has no images."""
    f1: float | None
    """``2 * correct / (images + predicted)``; null when both are 0."""
    gatherings: int = 0
    """Gatherings of these images."""
    precision_interval: Interval | None = None
    """95 % confidence interval of the precision (bootstrap over gatherings); null with fewer than 3 gatherings."""
    recall_interval: Interval | None = None
    """The same for the recall."""
    f1_interval: Interval | None = None
    """The same for F1."""


class TargetResult(Result):
    """The target taxon against all other taxa together (one-vs-rest)."""

    scientific_name: str
    """The target."""
    images: int
    """Images of the target that could be read."""
    others: int
    """Images of other taxa that could be read."""
    true_positives: int
    """Images of the target for which it was the most probable taxon."""
    false_positives: int
    """Images of other taxa for which the target was the most probable."""
    sensitivity: float | None
    """``true_positives / images``; null without images of the target."""
    specificity: float | None
    """``1 - false_positives / others``; null without images of others."""
    auroc: float | None
    """Area under the ROC curve of the target's probability; null unless the target and others have images."""
    auroc_interval: Interval | None = None
    """Its 95 % confidence interval (bootstrap over gatherings)."""
    average_precision: float | None = None
    """Area under the precision-recall curve: mean precision over the images of the target."""
    sensitivity_at_95: float | None = None
    """Highest sensitivity at a specificity of at least 95 %."""
    sensitivity_at_99: float | None = None
    """The same for 99 %."""


class CalibrationResult(Result):
    """Agreement of probabilities with the truth; 0 is best."""

    nll: float
    """Negative log-likelihood: mean negative logarithm of the true taxon's probability."""
    brier: float
    """Brier score: mean squared distance of the probabilities from the truth, 0 to 2."""
    ece: float
    """Expected calibration error, 0 to 1: mean difference between confidence and accuracy of the first candidate over
    15 bins of equal width. With few images it is above 0 even for perfect probabilities."""
    ece_interval: Interval | None
    """Its 95 % confidence interval (bootstrap over gatherings)."""


class ReliabilityBin(Result):
    """Images whose first candidate has a probability above ``low`` and up to ``high``."""

    low: float
    high: float
    images: int
    mean_confidence: float | None
    """Mean probability of the first candidate."""
    accuracy: float | None
    """Share of images whose first candidate is correct."""


class PredictionSetResult(Result):
    """Measured prediction sets at one coverage."""

    nominal_coverage: float
    """Coverage for which the sets were fitted."""
    coverage: float
    """Share of images whose set contains the true taxon."""
    coverage_interval: Interval | None
    """Its 95 % confidence interval (bootstrap over gatherings)."""
    mean_size: float
    """Mean number of taxa in a set."""
    median_size: float
    """Median number of taxa in a set."""
    singleton_share: float
    """Share of sets of one taxon."""


class RankResult(Result):
    """Results at genus or family: probabilities are summed up to the rank, and the most probable name is taken."""

    rank: str
    names: int
    """Different names at this rank."""
    accuracy: float
    macro_f1: float
    rolled_up: int
    """Images identified at this rank because no species was certain enough."""
    rolled_up_correct: int
    """Images among these that were identified correctly."""


class GroupResult(Result):
    """Images with the same value in a column."""

    column: str
    value: str
    images: int
    gatherings: int
    accuracy: float
    accuracy_interval: Interval | None
    balanced_accuracy: float
    undetermined: int
    accuracy_when_identified: float | None = None
    """Share of correct names among the identified images, at whatever rank; null when none was identified."""
    prediction_sets: tuple[PredictionSetResult, ...] = ()
    """Prediction sets at each coverage; empty before calibration."""


class ConfusedPair(Result):
    """Images of one taxon for which another was the most probable."""

    determination: str
    """The true taxon."""
    predicted: str
    """The most probable taxon."""
    images: int
    share: float
    """``images`` over all images of the true taxon."""
    paths: tuple[str, ...]
    """Some of the images, those with the highest wrong probability first."""


class PooledResult(Result):
    """One prediction for each gathering of several images: mean of log-probabilities (logarithmic opinion pool)."""

    gatherings: int
    """Gatherings of two or more images of one determination."""
    images: int
    """Their images."""
    image_accuracy: float
    """Accuracy when each image is predicted alone."""
    pooled_accuracy: float
    """Accuracy of the pooled predictions, one for each gathering."""


class Failure(Result):
    """An image that could not be read; it counts in ``images`` and in no other value."""

    image_id: str
    path: str
    reason: str
    detail: str


class LearningCurvePoint(Result):
    """Performance of probes fitted to part of the training gatherings."""

    gatherings: int
    """Maximum number of gatherings of each taxon to train on."""
    images: int
    """Training images, mean over folds and draws."""
    macro_f1: float
    """Mean over the draws; every image is predicted by a probe of other folds."""
    macro_f1_std: float
    """Standard deviation over the draws."""
    draws: int
    """Number of random draws of gatherings; each draw contains the smaller ones."""


class ControlResult(Result):
    """Performance on images in which everything but one part is masked."""

    part: str
    """``whole``, ``plant``, ``border``, ``background`` or ``objects`` (labels, rulers, stamps)."""
    images: int
    accuracy: float
    accuracy_interval: Interval | None
    balanced_accuracy: float


class HeatMapResult(Result):
    """Heat maps of the first candidate, over all views of some images."""

    images: int
    views: int
    plant_fraction: float
    """Mean fraction of a view that is plant."""
    heat_on_plant: float | None
    """Mean fraction of the heat on the plant; null when no view has both heat and a plant."""
    deletion: float
    """Mean probability while the hottest parts are blurred first; low is good."""
    deletion_random: float
    """The same for a random heat map."""
    insertion: float
    """Mean probability while the hottest parts are restored first; high is good."""
    insertion_random: float
    """The same for a random heat map."""
