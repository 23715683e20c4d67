"""The measured part of the model card: thresholds from calibration, performance from evaluation on test images."""

from typing import TYPE_CHECKING

from leafid.bundle import BundleInfo, FittedOn, Interval
from leafid.trust.evaluation_schema import Evaluation
from leafid.trust.image_quality import MIN_BRIGHTNESS

if TYPE_CHECKING:
    import pandas as pd


def calibrated_card(info: BundleInfo, split: "pd.DataFrame", evaluation: Evaluation | None = None) -> str:
    """Return the model card of a bundle as Markdown.

    Args:
        info: the bundle's description.
        split: the images of its run.
        evaluation: on its test images; None before evaluation.
    """
    from leafid.learning import model_card

    lines = [*_thresholds(info), *_performance(evaluation), *_not_tested(split, evaluation)]
    return model_card(info, split, lines)


def _thresholds(info: BundleInfo) -> list[str]:
    lines = ["### Calibration and thresholds", ""]
    calibration, sets, detector, decision = info.calibration, info.prediction_sets, info.ood_detector, info.decision
    if calibration.fitted_on is not None:
        lines.append(
            f"- Probabilities: softmax at temperature {calibration.temperature:.2f}{_range(calibration.interval, 2)}, "
            f"fitted on {_describe(calibration.fitted_on)}."
        )
    if sets is not None:
        lines.append(
            f"- Prediction sets should contain the true taxon in {sets.coverage:.0%} of cases, for gatherings like "
            f"those used for fitting ({_describe(sets.fitted_on)})."
        )
    if detector is not None:
        lines.append(
            f"- `unknown_taxon` above an OOD score ({detector.score.replace('_', ' ')}) of {detector.threshold:.4f}, "
            f"which accepts {detector.id_acceptance_rate:.0%} of {_describe(detector.fitted_on)}."
        )
    lines.append(f"- `ambiguous` if no probability at species, genus or family reaches {decision.min_probability:.2f}.")
    if decision.min_side is not None:
        lines.append(f"- `too_small` if the shorter side has fewer than {decision.min_side} pixels.")
        lines.append(f"- `too_dark` if the bright parts have fewer than {MIN_BRIGHTNESS:.0f} of 255 grey values.")
    if decision.min_good is not None:
        lines.append(
            "- `blurred`, `not_a_leaf`, `several_plants`, `cut_off` or `too_small` if the input gate gives a suitable "
            f"photo of a leaf a probability below {decision.min_good:.2f}."
        )
    return [*lines, ""]


def _performance(evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return ["Not yet measured on test images. `leafid evaluate` measures it and writes the results here.", ""]
    lines = [
        f"### Measured on {evaluation.on}",
        "",
        f"{evaluation.read} images of {evaluation.gatherings} gatherings, with leafid {evaluation.leafid_version} on "
        f"{evaluation.created:%Y-%m-%d}, bundle `{evaluation.bundle}`. Brackets give 95 % confidence intervals "
        "(over gatherings).",
        "",
        "| metric | value |",
        "| --- | --- |",
        f"| macro-F1 | {_value(evaluation.macro_f1, evaluation.macro_f1_interval)} |",
        f"| accuracy | {_value(evaluation.accuracy, evaluation.accuracy_interval)} |",
        f"| balanced accuracy | {_value(evaluation.balanced_accuracy, evaluation.balanced_accuracy_interval)} |",
        f"| share undetermined | {_value(evaluation.undetermined_share)} |",
        f"| accuracy of the rest | {_value(evaluation.accuracy_when_identified)} |",
    ]
    if evaluation.calibration is not None and evaluation.before_calibration is not None:
        after, before = evaluation.calibration, evaluation.before_calibration
        lines.append(f"| calibration error (ECE) | {_value(after.ece, after.ece_interval)}, before {before.ece:.3f} |")
    lines += [
        f"| prediction sets, nominal coverage {sets.nominal_coverage:.2f} | coverage "
        f"{_value(sets.coverage, sets.coverage_interval)}, {sets.mean_size:.1f} taxa on average |"
        for sets in evaluation.prediction_sets
    ]
    if evaluation.target is not None:
        target = evaluation.target
        lines += [
            f"| {target.scientific_name}: sensitivity, specificity | {_value(target.sensitivity)}, "
            f"{_value(target.specificity)} |",
            f"| {target.scientific_name}: sensitivity at 95 %, 99 % specificity | "
            f"{_value(target.sensitivity_at_95)}, {_value(target.sensitivity_at_99)} |",
            f"| {target.scientific_name}: AUROC | {_value(target.auroc, target.auroc_interval)} |",
        ]
    lines += ["", "| taxon | test images | recall | precision | F1 |", "| --- | ---: | --- | --- | --- |"]
    lines += [
        f"| {taxon.scientific_name} | {taxon.images} | {_value(taxon.recall, taxon.recall_interval)} | "
        f"{_value(taxon.precision, taxon.precision_interval)} | {_value(taxon.f1, taxon.f1_interval)} |"
        for taxon in evaluation.taxa
    ]
    return [*lines, ""]


def _not_tested(split: "pd.DataFrame", evaluation: Evaluation | None) -> list[str]:
    """List the cases for which no performance is known."""
    lines = ["### Not tested", ""]
    if evaluation is not None:
        without = [taxon.scientific_name for taxon in evaluation.taxa if not taxon.images]
        few = [
            f"{taxon.scientific_name} ({taxon.gatherings})" for taxon in evaluation.taxa if 0 < taxon.gatherings < 10
        ]
        if without:
            lines.append(f"- Taxa without test images: {', '.join(without)}.")
        if few:
            lines.append(f"- Taxa with fewer than ten test gatherings, too few to judge: {', '.join(few)}.")
    herbaria = split["institutionCode"].dropna()
    unseen = set(herbaria[split["split"] == "test"]) - set(herbaria[split["split"] != "test"])
    if herbaria.empty:
        lines.append("- Images of other herbaria or cameras: the origin of the images is not known.")
    elif not unseen:
        lines.append(
            "- Images of a herbarium without training images: `leafid crossvalidate JOB --by institution` measures it."
        )
    lines += [
        "- Species outside the list above.",
        "- Flowers, fruits, bark, seedlings, sprout leaves, powder.",
    ]
    return [*lines, ""]


def _describe(fitted: FittedOn) -> str:
    return f"{fitted.split}: {fitted.images} images of {fitted.gatherings} gatherings"


def _value(value: float | None, ends: Interval | None = None) -> str:
    return "–" if value is None else f"{value:.3f}{_range(ends, 3)}"


def _range(ends: Interval | None, digits: int) -> str:
    return "" if ends is None else f" ({ends[0]:.{digits}f}–{ends[1]:.{digits}f})"
