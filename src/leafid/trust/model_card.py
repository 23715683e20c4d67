"""The part of the model card that was measured: on val when trust is fitted, on test when a run is evaluated."""

from typing import TYPE_CHECKING

from leafid.bundle import BundleInfo, FittedOn, Interval
from leafid.trust.evaluation_results import Evaluation

if TYPE_CHECKING:
    import pandas as pd


def calibrated_card(info: BundleInfo, split: "pd.DataFrame", evaluation: Evaluation | None = None) -> str:
    """Write the model card of a bundle as Markdown, from measured figures only.

    Args:
        info: the bundle's description.
        split: the images of its run.
        evaluation: of its test images; None: none has been made.
    """
    from leafid.learning import model_card

    lines = [*_fitted(info), *_measured(info, evaluation), *_never_tested(split, evaluation)]
    return model_card(info, split, lines)


def _fitted(info: BundleInfo) -> list[str]:
    lines = ["### When it says what", ""]
    calibration, sets, detector, limits = info.calibration, info.prediction_sets, info.ood_detector, info.decision
    if calibration.fitted_on is not None:
        lines.append(
            f"- Scores: softmax at temperature {calibration.temperature:.2f}{_range(calibration.interval, 2)}, "
            f"fitted on {_by(calibration.fitted_on)}."
        )
    if sets is not None:
        lines.append(
            f"- Prediction sets are to hold the true taxon in {sets.coverage:.0%} of cases, for gatherings like those "
            f"they were fitted on ({_by(sets.fitted_on)})."
        )
    if detector is not None:
        lines.append(
            f"- `unknown_taxon` above an OOD score ({detector.score.replace('_', ' ')}) of {detector.threshold:.4f}, "
            f"which accepts {detector.id_acceptance_rate:.0%} of {_by(detector.fitted_on)}."
        )
    lines.append(f"- `ambiguous` where no score at species, genus or family reaches {limits.min_probability:.2f}.")
    if limits.min_side is not None:
        lines.append(f"- `too_small` below {limits.min_side} pixels of the shorter side.")
    if limits.min_sharpness is not None:
        lines.append(f"- `blurred` below a sharpness of {limits.min_sharpness:.1f}.")
    if limits.needs_plant:
        lines.append("- `not_a_leaf` where no plant is found.")
    return [*lines, ""]


def _measured(info: BundleInfo, evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return ["Not yet measured on test images: `leafid evaluate` does it and writes it here.", ""]
    lines = [
        f"### Measured on {evaluation.on}",
        "",
        f"{evaluation.read} images of {evaluation.gatherings} gatherings, with leafid {evaluation.leafid_version} on "
        f"{evaluation.created:%Y-%m-%d}, bundle `{evaluation.bundle}`. In brackets 95 % intervals (bootstrap over "
        "gatherings).",
        "",
        "| figure | value |",
        "| --- | --- |",
        f"| macro-F1 | {_figure(evaluation.macro_f1, evaluation.macro_f1_interval)} |",
        f"| accuracy | {_figure(evaluation.accuracy, evaluation.accuracy_interval)} |",
        f"| balanced accuracy | {_figure(evaluation.balanced_accuracy, evaluation.balanced_accuracy_interval)} |",
        f'| share answered with "I cannot tell" | {_figure(evaluation.undetermined_share)} |',
        f"| accuracy of the rest | {_figure(evaluation.accuracy_when_identified)} |",
    ]
    if evaluation.calibration is not None and evaluation.before_calibration is not None:
        after, before = evaluation.calibration, evaluation.before_calibration
        lines.append(f"| calibration error (ECE) | {_figure(after.ece, after.ece_interval)}, before {before.ece:.3f} |")
    lines += [
        f"| prediction sets at {sets.nominal:.2f} | cover {_figure(sets.coverage, sets.coverage_interval)}, "
        f"{sets.mean_size:.1f} taxa on average |"
        for sets in evaluation.prediction_sets
    ]
    if evaluation.target is not None:
        target = evaluation.target
        lines += [
            f"| {target.scientific_name}: sensitivity, specificity | {_figure(target.sensitivity)}, "
            f"{_figure(target.specificity)} |",
            f"| {target.scientific_name}: sensitivity at 95 %, 99 % specificity | "
            f"{_figure(target.sensitivity_at_95)}, {_figure(target.sensitivity_at_99)} |",
            f"| {target.scientific_name}: AUROC | {_figure(target.auroc, target.auroc_interval)} |",
        ]
    lines += ["", "| taxon | test images | recall | precision | F1 |", "| --- | ---: | --- | --- | --- |"]
    lines += [
        f"| {taxon.scientific_name} | {taxon.images} | {_figure(taxon.recall, taxon.recall_interval)} | "
        f"{_figure(taxon.precision, taxon.precision_interval)} | {_figure(taxon.f1, taxon.f1_interval)} |"
        for taxon in evaluation.taxa
    ]
    return [*lines, ""]


def _never_tested(split: "pd.DataFrame", evaluation: Evaluation | None) -> list[str]:
    """Say what nothing is known about."""
    lines = ["### Never tested", ""]
    if evaluation is not None:
        without = [taxon.scientific_name for taxon in evaluation.taxa if not taxon.images]
        few = [
            f"{taxon.scientific_name} ({taxon.gatherings})" for taxon in evaluation.taxa if 0 < taxon.gatherings < 10
        ]
        if without:
            lines.append(f"- Taxa without test images: {', '.join(without)}.")
        if few:
            lines.append(f"- Fewer than ten test gatherings, so that single plants decide: {', '.join(few)}.")
    herbaria = split["institutionCode"].dropna()
    apart = set(herbaria[split["split"] == "test"]) - set(herbaria[split["split"] != "test"])
    if herbaria.empty:
        lines.append("- Images of other herbaria or cameras: where the images come from is not known.")
    elif not apart:
        lines.append("- Images of a herbarium that has none in training: `leafid crossvalidate JOB --by institution`.")
    lines += [
        "- Species outside the list above, except as measured there.",
        "- Flowers, fruits, bark, seedlings, sprout leaves, powder.",
    ]
    return [*lines, ""]


def _by(fitted: FittedOn) -> str:
    return f"{fitted.split}: {fitted.images} images of {fitted.gatherings} gatherings"


def _figure(value: float | None, ends: Interval | None = None) -> str:
    return "–" if value is None else f"{value:.3f}{_range(ends, 3)}"


def _range(ends: Interval | None, digits: int) -> str:
    return "" if ends is None else f" ({ends[0]:.{digits}f}–{ends[1]:.{digits}f})"
