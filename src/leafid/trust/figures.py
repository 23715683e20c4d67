"""The figures of an evaluation: what is counted, and how each number is defined; ``evaluation.json`` is just this."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from leafid.bundle import Interval
from leafid.statements import LIMITS


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TaxonFigures(_Figures):
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


class TargetFigures(_Figures):
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


class CalibrationFigures(_Figures):
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


class ReliabilityBin(_Figures):
    """Images whose first candidate has a score above ``low`` and up to ``high``."""

    low: float
    high: float
    images: int
    mean_score: float | None
    right: float | None
    """Share of right answers."""


class SetFigures(_Figures):
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


class RankFigures(_Figures):
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


class GroupFigures(_Figures):
    """The images that share a value of a column of the catalog."""

    column: str
    value: str
    images: int
    gatherings: int
    accuracy: float
    accuracy_interval: Interval | None
    balanced_accuracy: float
    undetermined: int


class ConfusedPair(_Figures):
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


class PooledFigures(_Figures):
    """One answer for each gathering of several images: the mean of its images' log-probabilities (log-opinion pool)."""

    gatherings: int
    """Gatherings of two or more images of one determination."""
    images: int
    """Their images."""
    accuracy_of_images: float
    """Share of right answers when each image is answered alone."""
    accuracy_pooled: float
    """Share of right answers of the pool, one for each gathering."""


class Failure(_Figures):
    """An image that could not be read; it counts in ``images`` and in no other figure."""

    image_id: str
    path: str
    reason: str
    detail: str


class Evaluation(_Figures):
    """What a bundle is worth on given images.

    Unless said otherwise, the most probable taxon of every image that could be read is taken as its answer.
    """

    bundle: str
    """The bundle: its name, ``@``, and the first 12 digits of its weights' SHA-256."""
    on: str
    """Which images: ``train``, ``val``, ``test`` of the split, or ``all`` of a catalog."""
    created: datetime
    """When."""
    leafid_version: str
    """With which leafid."""
    images: int
    """All images asked for."""
    read: int
    """Images that could be read."""
    gatherings: int
    """Gatherings to which these belong; images of one gathering are no independent evidence."""
    failures: tuple[Failure, ...]
    """Images that could not be read."""
    accuracy: float | None
    """Share of correct answers."""
    macro_f1: float | None
    """Mean F1 over the taxa that occur in truth or in predictions; a taxon with neither is left out."""
    macro_f1_taxa: int
    """Number of taxa in this mean."""
    balanced_accuracy: float | None
    """Mean recall over the taxa that have images."""
    accuracy_interval: Interval | None = None
    """95 % interval of the accuracy (bootstrap over gatherings)."""
    macro_f1_interval: Interval | None = None
    """That of macro-F1."""
    balanced_accuracy_interval: Interval | None = None
    """That of the balanced accuracy."""
    undetermined: int
    """Images answered with "I cannot tell"."""
    undetermined_share: float | None
    """``undetermined / read``."""
    accuracy_when_identified: float | None
    """Share of right names among images that were named, at whatever rank; missing when none was."""
    reasons: dict[str, int] = {}
    """Images answered with "I cannot tell", by reason."""
    wrong_when_identified: int = 0
    """Images that were given a wrong name."""
    temperature: float = 1.0
    """That of the bundle."""
    before_calibration: CalibrationFigures | None = None
    """Scores at temperature 1."""
    calibration: CalibrationFigures | None = None
    """Scores as they are given."""
    reliability: tuple[ReliabilityBin, ...] = ()
    """Scores as they are given, against the shares of right answers."""
    prediction_sets: tuple[SetFigures, ...] = ()
    """Prediction sets at each level; empty before they were fitted."""
    ranks: tuple[RankFigures, ...] = ()
    """At genus and family, where there is something to tell."""
    groups: tuple[GroupFigures, ...] = ()
    """By institution, domain and decade, where the catalog says them."""
    pairs: tuple[ConfusedPair, ...] = ()
    """The worst confusions, most images first."""
    pooled: PooledFigures | None = None
    """Several images of one gathering answered together; missing where there are none."""
    taxa: tuple[TaxonFigures, ...]
    """Each taxon, in label order."""
    target: TargetFigures | None
    """The target against the rest; missing when the bundle has no target."""
    confusion: tuple[tuple[int, ...], ...]
    """Counts of images: rows are the true taxa, columns the most probable ones, both in label order."""

    def __str__(self) -> str:
        """Say the main figures in a few lines, with the statement of limits."""
        lines = [
            f"{self.bundle} on {self.on}: {_counted(self.images, 'image')} of {_counted(self.gatherings, 'gathering')}"
            + (f", {len(self.failures)} could not be read" if self.failures else ""),
            f"  accuracy            {_figure(self.accuracy)}{_range(self.accuracy_interval)}",
            f"  macro-F1            {_figure(self.macro_f1)}{_range(self.macro_f1_interval)}   "
            f"over the {self.macro_f1_taxa} taxa in truth or answers",
            f"  balanced accuracy   {_figure(self.balanced_accuracy)}{_range(self.balanced_accuracy_interval)}",
            f"  cannot tell         {_figure(self.undetermined_share)}   ({self.undetermined} of {self.read}); "
            f"accuracy of the rest {_figure(self.accuracy_when_identified)}",
        ]
        if self.calibration is not None and self.before_calibration is not None:
            lines.append(
                f"  calibration error   {_figure(self.calibration.ece)}{_range(self.calibration.ece_interval)}   "
                f"(before temperature scaling {_figure(self.before_calibration.ece)})"
            )
        lines += [
            f"  prediction sets     {sets.nominal:.2f} asked, {_figure(sets.coverage)}{_range(sets.coverage_interval)} "
            f"covered, {sets.mean_size:.1f} taxa on average"
            for sets in self.prediction_sets
        ]
        if self.target is not None:
            target = self.target
            lines += [
                f"  {target.scientific_name} ({target.images}) against the rest ({target.others}):",
                f"    sensitivity {_figure(target.sensitivity)}, specificity {_figure(target.specificity)}, "
                f"AUROC {_figure(target.auroc)}",
            ]
        known = [taxon for taxon in self.taxa if taxon.f1 is not None]
        worst = sorted(known, key=lambda taxon: (taxon.f1, taxon.scientific_name))[:5]
        if len(known) > 1:
            lines.append("  lowest F1: " + ", ".join(f"{taxon.scientific_name} {_figure(taxon.f1)}" for taxon in worst))
        return "\n".join([*lines, LIMITS])


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _figure(value: float | None) -> str:
    return "  -  " if value is None else f"{value:.3f}"


def _range(ends: Interval | None) -> str:
    return "" if ends is None else f" ({ends[0]:.3f}-{ends[1]:.3f})"
