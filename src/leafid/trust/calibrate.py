"""Calibrate a trained bundle: fit temperature, prediction sets and rejection thresholds on images of known taxa."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle, BundleInfo, Calibration, OodDetector, read_bundle, update_bundle
from leafid.errors import RunError
from leafid.jobs import OodScore, TrustSettings
from leafid.trust.calibration import CalibrationSet, calibrated_probabilities, fit_calibration
from leafid.trust.image_quality import fit_min_good
from leafid.trust.model_card import calibrated_card
from leafid.trust.nuisance import nuisance_directions
from leafid.trust.ood import (
    acceptance_threshold,
    combined_scores,
    fit_ood_detector,
    needs_distributions,
    out_of_fold_part_scores,
    part_scores,
    parts_of,
)
from leafid.trust.photo_pooling import fit_photo_pooling
from leafid.trust.prediction_sets import fit_prediction_sets
from leafid.trust.references import reference_table
from leafid.trust.thumbnails import write_thumbnails
from leafid.trust.training_features import TrainingFeatures, l2_normalise
from leafid.trust.training_photos import each_photo

if TYPE_CHECKING:
    import pandas as pd

    from leafid.learning import Part, Run

MIN_SIDE_FRACTION = 0.5
"""An image is too small when its shorter side is below this fraction of the network's input side."""

OOD_BLOCKS = 2
"""Blocks of a series of photos for OOD scores: the widest gap that a series allows. With narrower ones, limits refuse
more photos of another stretch than promised (docs/results.md)."""

_MOST_JUDGED = 300
"""Most training images at which the input gate looks: enough to see a share of 2 %."""

OUT_OF_FOLD, VAL_OUT_OF_FOLD = "train and val, out of fold", "val, out of fold"
"""Names of the fitting set, in a bundle, when each gathering is predicted by a head fitted without its fold."""


@dataclass(frozen=True)
class _TrainVal:
    """The train and val images in the order of the split, with the network's logits and features.

    Attributes:
        rows: of the split (N).
        labels: (N,).
        logits: (N, T), of the network itself.
        features: (N, F), rounded as in the bundle.
        out_of_fold_logits: (N, T), of heads fitted to the other folds; None: the head was not solved, but trained.
        fine_tuned: whether the features were fitted to the labels of train, so that train holds nothing out.
        folds: (N,), of the OOD scores.
        head_folds: (N,), of the logits: images that the head was not fitted to are held out from all.
        nuisance: (F, K), directions in which features move with the photo alone; None: the OOD score needs none.
    """

    rows: "pd.DataFrame"
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    out_of_fold_logits: NDArray[np.float64] | None
    fine_tuned: bool
    folds: NDArray[np.int64]
    head_folds: NDArray[np.int64]
    nuisance: NDArray[np.float32] | None

    @property
    def is_val(self) -> NDArray[np.bool_]:
        return np.asarray(self.rows["split"] == "val", dtype=bool)

    @property
    def fitting_set(self) -> CalibrationSet:
        """The held-out images with their logits: all of them, or val alone after fine-tuning."""
        if self.out_of_fold_logits is None:
            return self.calibration_set(self.logits, self.is_val, "val")
        comparable = self.has_others(self.head_folds)
        if not self.fine_tuned:
            return self.calibration_set(self.out_of_fold_logits, comparable, OUT_OF_FOLD)
        return self.calibration_set(self.out_of_fold_logits, self.is_val & comparable, VAL_OUT_OF_FOLD)

    def stretches(self, mask: NDArray[np.bool_]) -> list[str] | None:
        """Return the stretches of a series that the images of a mask are in; None where they are no series."""
        from leafid.learning import series_stretches

        return series_stretches(self.labels[mask], self.folds[mask], list(self.rows["gathering_id"][mask]))

    def has_others(self, folds: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The images whose taxon has images in other folds, so that an out-of-fold prediction is possible."""
        from leafid.learning import has_others_outside_fold

        return has_others_outside_fold(self.labels, folds)

    def calibration_set(self, logits: NDArray[np.floating], mask: NDArray[np.bool_], split: str) -> CalibrationSet:
        return CalibrationSet(logits[mask], self.labels[mask], list(self.rows["gathering_id"][mask]), split)


def calibrate(run: Path, *, device: str = "auto") -> Bundle:
    """Fit temperature, prediction sets and thresholds on train and val images, and write them into the run's bundle.

    For a linear probe, everything is fitted on all gatherings of train and val, each predicted without its own fold.
    Fine-tuned features know the labels of train: temperature and prediction sets are then fitted on val alone, which is
    predicted without its own fold, too, where the head was refitted to it.
    Its OOD threshold is the higher of two, one from val against train and one from all images out of fold, since each
    of them tends to be too low.

    The features of train and val go into the bundle too: OOD detection compares images with them. Test images are not
    used.

    Args:
        run: a finished run.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        RunError, BundleError: there is no finished run, it has no validation image, or an image cannot be read.
        UsageError: the device does not exist.
    """
    from leafid.learning import Run

    opened = Run.open(run)
    bundle = read_bundle(opened.bundle_folder)
    if not (opened.split["split"] == "val").any():
        raise RunError(
            f"The run {run} has no validation image, so its bundle cannot be calibrated. "
            "Raise curation.split.val in its job and train again."
        )
    images = _predict_train_val(opened, bundle, device)
    info = _fit(bundle.info, images, opened)
    training = TrainingFeatures.of(images.features, images.labels, images.nuisance)
    needs_gaussians = info.ood_detector is not None and info.ood_detector.needs_gaussians
    card = calibrated_card(info, opened.split)
    table = reference_table(opened, images.rows)
    write_thumbnails(bundle.folder, opened, table)
    return update_bundle(bundle, info, card, training.arrays(with_gaussians=needs_gaussians), table)


def _fit(info: BundleInfo, images: _TrainVal, run: "Run") -> BundleInfo:
    settings = run.job.trust
    fitting = images.fitting_set
    calibration = fit_calibration(fitting, seed=run.job.seed)
    probabilities = calibrated_probabilities(fitting.logits, calibration)
    return info.model_copy(
        update={
            "calibration": calibration,
            "prediction_sets": fit_prediction_sets(probabilities, fitting, settings.coverage),
            "ood_detector": _fit_ood_detector(images, calibration, settings),
            "photo_pooling": fit_photo_pooling(fitting, calibration),
            "decision": info.decision.model_copy(
                update={
                    "min_probability": settings.min_probability,
                    "min_side": round(MIN_SIDE_FRACTION * info.preprocessing.size),
                    "min_good": fit_min_good(_gate_answers(run)),
                }
            ),
        }
    )


def _fit_ood_detector(images: _TrainVal, calibration: Calibration, settings: TrustSettings) -> OodDetector:
    score, rate = settings.ood_score, settings.id_acceptance_rate
    comparable = images.has_others(images.folds)
    held_out = images.logits if images.out_of_fold_logits is None else images.out_of_fold_logits
    logits = held_out / calibration.temperature
    out_of_fold: dict[OodScore, NDArray[np.float64]] = {}
    if comparable.any():
        scores = out_of_fold_part_scores(score, logits, images.features, images.labels, images.folds, images.nuisance)
        out_of_fold = {part: values[comparable] for part, values in scores.items()}
    known = images.calibration_set(logits, comparable, OUT_OF_FOLD)
    if not images.fine_tuned and images.out_of_fold_logits is not None:
        return fit_ood_detector(score, out_of_fold, known, rate, stretches=images.stretches(comparable))
    val, train = images.is_val, ~images.is_val
    training = TrainingFeatures.of(images.features[train], images.labels[train], images.nuisance)
    of_val = part_scores(parts_of(score), logits[val], images.features[val], training)
    fitting = images.calibration_set(logits, val, "val")
    detector = fit_ood_detector(score, of_val, fitting, rate, stretches=images.stretches(val))
    if not out_of_fold:
        return detector
    combined = combined_scores(detector.parts, out_of_fold)
    threshold = acceptance_threshold(combined, known.gatherings, rate, stretches=images.stretches(comparable))
    if threshold <= detector.threshold:
        return detector
    return detector.model_copy(update={"threshold": threshold, "fitted_on": known.fitted_on})


def _gate_answers(run: "Run") -> list[Mapping[str, float]]:
    """Ask the input gate about train and val images, or a part of them, opened as in identification."""
    from leafid.learning import train_val_rows
    from leafid.sheets import judge_input

    rows = train_val_rows(run)
    rows = rows.sample(min(len(rows), _MOST_JUDGED), random_state=run.job.seed)
    title = "Looking at images as the input gate does"
    return list(each_photo(run, rows, lambda opened: judge_input(np.asarray(opened.rgb)), title=title))


def _predict_train_val(run: "Run", bundle: Bundle, device: str) -> _TrainVal:
    """Run the network on the prepared views of train and val."""
    from leafid.learning import (
        NOT_FITTED,
        augmented_copy_embeddings,
        choose_device,
        head_logits,
        held_out_folds,
        load_network,
        out_of_fold_logits,
        train_val_embeddings,
        train_val_rows,
    )

    network, chosen_device = load_network(bundle), choose_device(device)
    images, rows = train_val_embeddings(run, network, device=chosen_device), train_val_rows(run)
    labels, gatherings, domains = images.labels, list(rows["gathering_id"]), list(rows["domain"])
    folds = held_out_folds(labels, gatherings, domains)
    probe = run.info.probe
    fitted_parts: tuple[Part, ...] = ("train", "val") if probe and probe.refitted else ("train",)
    head_folds = np.where(rows["split"].isin(fitted_parts), folds, NOT_FITTED)
    # Half precision, as in the bundle: it halves the file, and cosines change only in the fourth digit.
    features = l2_normalise(images.embeddings).astype(np.float16).astype(np.float32)
    return _TrainVal(
        rows=rows,
        labels=images.labels,
        logits=head_logits(network, images.embeddings),
        features=features,
        out_of_fold_logits=None
        if probe is None
        else out_of_fold_logits(
            network,
            images,
            augmented_copy_embeddings(run, network, device=chosen_device, parts=fitted_parts),
            head_folds,
            shrinkage=probe.shrinkage,
            balanced=run.job.training.balance != "none",
        ),
        fine_tuned=run.info.fine_tuned,
        folds=held_out_folds(labels, gatherings, domains, blocks=OOD_BLOCKS),
        head_folds=head_folds,
        nuisance=nuisance_directions(run, network, rows, features, chosen_device)
        if needs_distributions(run.job.trust.ood_score)
        else None,
    )
