"""The content of ``evaluation.json``, as a schema; ``leafid.trust.metric_schemas`` defines its parts."""

from datetime import datetime

from pydantic import Field

from leafid.bundle import Interval
from leafid.statements import DOMAINS
from leafid.trust.metric_schemas import (
    CalibrationResult,
    ConfusedPair,
    ControlResult,
    Failure,
    GroupResult,
    HeatMapResult,
    LearningCurvePoint,
    PooledResult,
    PredictionSetResult,
    RankResult,
    ReliabilityBin,
    Result,
    TargetResult,
    TaxonResult,
)


class Evaluation(Result):
    """Performance of a bundle on a set of images.

    Unless stated otherwise, the prediction for an image is its most probable taxon.
    """

    bundle: str
    """Identifier of the bundle: name, hash of the weights, hash of the calibration."""
    on: str
    """The images: ``train``, ``val`` or ``test`` of the split, or ``all`` of a catalog."""
    created: datetime
    """Date and time of the evaluation."""
    leafid_version: str
    """Version of leafid."""
    images: int
    """Images of the set."""
    read: int
    """Images that could be read."""
    gatherings: int
    """Gatherings of the images; images of one gathering are not independent evidence."""
    failures: tuple[Failure, ...]
    """Images that could not be read."""
    limits: str
    """What the bundle cannot know, from the images that it was trained on."""
    unseen_domains: dict[str, int] = Field(default_factory=dict)
    """Images of kinds (``domain``) that the bundle was not trained on."""
    accuracy: float | None
    """Share of correct predictions."""
    macro_f1: float | None
    """Mean F1 over the taxa that occur in the truth or the predictions."""
    macro_f1_taxa: int
    """Number of taxa in this mean."""
    balanced_accuracy: float | None
    """Mean recall over the taxa that have images."""
    accuracy_interval: Interval | None = None
    """95 % confidence interval of the accuracy (bootstrap over gatherings)."""
    macro_f1_interval: Interval | None = None
    """95 % confidence interval of macro-F1 (jackknife over gatherings)."""
    balanced_accuracy_interval: Interval | None = None
    """95 % confidence interval of the balanced accuracy (bootstrap over gatherings)."""
    undetermined: int
    """Images with an undetermined answer."""
    undetermined_share: float | None
    """``undetermined / read``."""
    accuracy_when_identified: float | None
    """Share of correct names among the identified images, at whatever rank; null when no image was identified."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Undetermined images by reason."""
    wrong_when_identified: int = 0
    """Identified images with a wrong name."""
    temperature: float = 1.0
    """Temperature of the bundle."""
    before_calibration: CalibrationResult | None = None
    """Calibration at temperature 1."""
    calibration: CalibrationResult | None = None
    """Calibration at the temperature of the bundle."""
    reliability: tuple[ReliabilityBin, ...] = ()
    """Reliability diagram at the temperature of the bundle."""
    prediction_sets: tuple[PredictionSetResult, ...] = ()
    """Prediction sets at each coverage; empty before calibration."""
    ranks: tuple[RankResult, ...] = ()
    """Results at genus and family; a rank at which all taxa share one name is left out."""
    groups: tuple[GroupResult, ...] = ()
    """Results by institution, domain and decade, if the catalog has them, and by tertile of size and sharpness."""
    pairs: tuple[ConfusedPair, ...] = ()
    """The most frequent confusions, most images first."""
    pooled: PooledResult | None = None
    """Pooled predictions of gatherings with several images; null when there are none."""
    learning_curve: tuple[LearningCurvePoint, ...] = ()
    """With ``--full``: learning curve on train and val; only for a linear probe, which is quick to fit again."""
    controls: tuple[ControlResult, ...] = ()
    """With ``--full``: performance on masked images."""
    heat: HeatMapResult | None = None
    """With ``--full``: faithfulness of heat maps."""
    taxa: tuple[TaxonResult, ...]
    """Results of each taxon, in label order."""
    target: TargetResult | None
    """The target against the rest; null when the bundle has no target."""
    confusion: tuple[tuple[int, ...], ...]
    """Counts of images: rows are true taxa, columns the most probable ones, both in label order."""

    @property
    def domain_warning(self) -> str:
        """What to make of images of kinds that the bundle was not trained on; empty without any."""
        if not self.unseen_domains:
            return ""
        kinds = " and ".join(f"{count:,} {DOMAINS[name]}" for name, count in self.unseen_domains.items())
        return (
            f"of the images, {kinds} are of a kind that the bundle was not trained on. Expect lower accuracy, more "
            "undetermined answers and prediction sets that cover less than stated. Train on such images too."
        )

    def __str__(self) -> str:
        """Return the main results as a few lines of text, with the statement of limits."""
        lines = [
            f"{self.bundle} on {self.on}: {_count(self.images, 'image')} of {_count(self.gatherings, 'gathering')}"
            + (f", {len(self.failures)} could not be read" if self.failures else ""),
            f"  accuracy            {_value(self.accuracy)}{_range(self.accuracy_interval)}",
            f"  macro-F1            {_value(self.macro_f1)}{_range(self.macro_f1_interval)}   "
            f"over the {self.macro_f1_taxa} taxa in truth or predictions",
            f"  balanced accuracy   {_value(self.balanced_accuracy)}{_range(self.balanced_accuracy_interval)}",
            f"  undetermined        {_value(self.undetermined_share)}   ({self.undetermined} of {self.read}); "
            f"accuracy of the rest {_value(self.accuracy_when_identified)}",
        ]
        if self.calibration is not None and self.before_calibration is not None:
            lines.append(
                f"  calibration error   {_value(self.calibration.ece)}{_range(self.calibration.ece_interval)}   "
                f"(before temperature scaling {_value(self.before_calibration.ece)})"
            )
        lines += [
            f"  prediction sets     {_value(sets.coverage)}{_range(sets.coverage_interval)} coverage "
            f"(nominal {sets.nominal_coverage:.2f}), {sets.mean_size:.1f} taxa on average"
            for sets in self.prediction_sets
        ]
        domains = [group for group in self.groups if group.column == "domain"]
        lines += [_of_domain(group) for group in domains if len(domains) > 1]
        if self.unseen_domains:
            lines.append(f"Warning: {self.domain_warning}")
        if self.target is not None:
            target = self.target
            lines += [
                f"  {target.scientific_name} ({target.images}) against the rest ({target.others}):",
                f"    sensitivity {_value(target.sensitivity)}, specificity {_value(target.specificity)}, "
                f"AUROC {_value(target.auroc)}",
            ]
        measured = [taxon for taxon in self.taxa if taxon.f1 is not None]
        lowest = sorted(measured, key=lambda taxon: (taxon.f1, taxon.scientific_name))[:5]
        if len(measured) > 1:
            lines.append("  lowest F1: " + ", ".join(f"{taxon.scientific_name} {_value(taxon.f1)}" for taxon in lowest))
        return "\n".join([*lines, self.limits])


def _of_domain(group: GroupResult) -> str:
    """Return the results of one kind of image as a line."""
    kind = f"{DOMAINS.get(group.value, group.value)} ({group.images:,})"
    sets = "".join(f"; sets at {one.nominal_coverage:.2f} cover {one.coverage:.3f}" for one in group.prediction_sets)
    return (
        f"  {kind}: accuracy {_value(group.accuracy)}{_range(group.accuracy_interval)}, undetermined "
        f"{group.undetermined}, accuracy of the rest {_value(group.accuracy_when_identified)}{sets}"
    )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _value(value: float | None) -> str:
    return "  -  " if value is None else f"{value:.3f}"


def _range(ends: Interval | None) -> str:
    return "" if ends is None else f" ({ends[0]:.3f}-{ends[1]:.3f})"
