"""The figures of an evaluation; ``evaluation.json`` is just this."""

from datetime import datetime

from pydantic import Field

from leafid.bundle import Interval
from leafid.statements import LIMITS
from leafid.trust.metric_types import (
    CalibrationResult,
    ConfusedPair,
    ControlResult,
    CurvePoint,
    Failure,
    Figures,
    GroupResult,
    HeatMapResult,
    PooledResult,
    PredictionSetResult,
    RankResult,
    ReliabilityBin,
    TargetResult,
    TaxonResult,
)


class Evaluation(Figures):
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
    reasons: dict[str, int] = Field(default_factory=dict)
    """Images answered with "I cannot tell", by reason."""
    wrong_when_identified: int = 0
    """Images that were given a wrong name."""
    temperature: float = 1.0
    """That of the bundle."""
    before_calibration: CalibrationResult | None = None
    """Scores at temperature 1."""
    calibration: CalibrationResult | None = None
    """Scores as they are given."""
    reliability: tuple[ReliabilityBin, ...] = ()
    """Scores as they are given, against the shares of right answers."""
    prediction_sets: tuple[PredictionSetResult, ...] = ()
    """Prediction sets at each level; empty before they were fitted."""
    ranks: tuple[RankResult, ...] = ()
    """At genus and family, where there is something to tell."""
    groups: tuple[GroupResult, ...] = ()
    """By institution, domain and decade, where the catalog says them, and by thirds of size and sharpness."""
    pairs: tuple[ConfusedPair, ...] = ()
    """The worst confusions, most images first."""
    pooled: PooledResult | None = None
    """Several images of one gathering answered together; missing where there are none."""
    learning_curve: tuple[CurvePoint, ...] = ()
    """Of the run's train and val images, with ``--full``; only after a probe, which can be fitted again."""
    controls: tuple[ControlResult, ...] = ()
    """With ``--full``: what is left when the plant is taken away."""
    heat: HeatMapResult | None = None
    """With ``--full``: where the network looks."""
    taxa: tuple[TaxonResult, ...]
    """Each taxon, in label order."""
    target: TargetResult | None
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
