"""The figures of an evaluation: what is counted, and how each number is defined; ``evaluation.json`` is just this."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

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
    undetermined: int
    """Images answered with "I cannot tell"."""
    undetermined_share: float | None
    """``undetermined / read``."""
    accuracy_when_identified: float | None
    """Share of correct answers among images that were identified; missing when none was."""
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
            f"  accuracy            {_figure(self.accuracy)}",
            f"  macro-F1            {_figure(self.macro_f1)}   over the {self.macro_f1_taxa} taxa in truth or answers",
            f"  balanced accuracy   {_figure(self.balanced_accuracy)}",
            f"  cannot tell         {_figure(self.undetermined_share)}   ({self.undetermined} of {self.read}); "
            f"accuracy of the rest {_figure(self.accuracy_when_identified)}",
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
