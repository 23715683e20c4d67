"""From a trained run to a bundle that can be trusted: what is fitted on images of known taxa is written into it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle, BundleInfo, OodDetector, read_bundle, write_calibration
from leafid.errors import RunError
from leafid.jobs import TrustSettings
from leafid.progress import progress_bar
from leafid.trust.calibration import CalibrationSet, calibrated_probabilities, fit_calibration
from leafid.trust.image_quality import ViewQuality, fit_min_sharpness, plants_are_found, view_quality
from leafid.trust.model_card import calibrated_card
from leafid.trust.ood import (
    TrainingFeatures,
    fit_ood_detector,
    ood_scores,
    out_of_fold_ood_scores,
    unit_length,
)
from leafid.trust.prediction_sets import fit_prediction_sets
from leafid.trust.references import reference_table
from leafid.trust.thumbnails import write_thumbnails

if TYPE_CHECKING:
    import pandas as pd

    from leafid.learning import Run

MIN_SIDE = 0.5
"""An image is too small when its shorter side has less than this share of the side that the network sees."""

OUT_OF_FOLD = "train and val, out of fold"
"""What a bundle says of limits that rest on all gatherings, each judged without its own fold."""


@dataclass(frozen=True)
class _Seen:
    """The train and val images in the order of the split, and what the network says about them.

    Attributes:
        rows: of the split (N).
        labels: (N,).
        logits: (N, T), by the network as it is.
        features: (N, F), as they will be read back from the bundle.
        out_of_fold_logits: (N, T), by probes fitted to the other folds; None after fine-tuning.
        folds: (N,).
    """

    rows: "pd.DataFrame"
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    out_of_fold_logits: NDArray[np.float64] | None
    folds: NDArray[np.int64]

    @property
    def is_val(self) -> NDArray[np.bool_]:
        return np.asarray(self.rows["split"] == "val", dtype=bool)

    @property
    def folded(self) -> NDArray[np.bool_]:
        """The images that can be judged out of fold."""
        from leafid.learning import has_others_outside_fold

        return has_others_outside_fold(self.labels, self.folds)

    def known(self, logits: NDArray[np.floating], where: NDArray[np.bool_], split: str) -> CalibrationSet:
        return CalibrationSet(logits[where], self.labels[where], list(self.rows["gathering_id"][where]), split)


def calibrate(run: Path, *, device: str = "auto") -> Bundle:
    """Fit temperature, prediction sets and limits on the run's known images, and write them into its bundle.

    After a probe, everything rests on all gatherings of train and val, each judged without its own fold. A fine-tuned
    network has seen its training images: temperature and prediction sets are then fitted on val alone, and the limit of
    familiarity is the lower one of val against train, and of all images out of fold, since both are rather too high.

    The features of the known images go into the bundle too: they tell what is familiar. Test images have no part.

    Args:
        run: a finished run.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        RunError, BundleError: there is no finished run, it has no validation image, or an image cannot be read.
        UsageError: there is no such device.
    """
    from leafid.learning import Run

    opened = Run.open(run)
    bundle = read_bundle(opened.bundle_folder)
    if not (opened.split["split"] == "val").any():
        raise RunError(f"The run {run} has no validation image, so it is not known how far to trust its bundle.")
    seen = _seen(opened, bundle, device)
    info = _fitted(bundle.info, seen, opened)
    references: dict[str, NDArray[np.generic]] = {
        "features": TrainingFeatures.of(seen.features, seen.labels).features.astype(np.float16),
        "labels": seen.labels,
    }
    card = calibrated_card(info, opened.split)
    table = reference_table(opened, seen.rows)
    write_thumbnails(bundle.folder, opened, table)
    return write_calibration(bundle, info, card, references, table)


def _fitted(info: BundleInfo, seen: _Seen, run: "Run") -> BundleInfo:
    settings = run.job.trust
    if seen.out_of_fold_logits is not None:
        known = seen.known(seen.out_of_fold_logits, seen.folded, OUT_OF_FOLD)
    else:
        known = seen.known(seen.logits, seen.is_val, "val")
    calibration = fit_calibration(known, seed=run.job.seed)
    scores = calibrated_probabilities(known.logits, calibration)
    qualities = _qualities(run)
    return info.model_copy(
        update={
            "calibration": calibration,
            "prediction_sets": fit_prediction_sets(scores, known, settings.coverage),
            "ood_detector": _ood_detector(seen, settings),
            "decision": info.decision.model_copy(
                update={
                    "min_probability": settings.min_probability,
                    "min_side": round(MIN_SIDE * info.preprocessing.size),
                    "min_sharpness": fit_min_sharpness(qualities),
                    "needs_plant": plants_are_found(qualities),
                }
            ),
        }
    )


def _ood_detector(seen: _Seen, settings: TrustSettings) -> OodDetector:
    score, rate = settings.ood_score, settings.id_acceptance_rate
    detectors = []
    if seen.folded.any():
        scores = out_of_fold_ood_scores(score, seen.logits, seen.features, seen.labels, seen.folds)
        known = seen.known(seen.logits, seen.folded, OUT_OF_FOLD)
        detectors.append(fit_ood_detector(score, scores[seen.folded], known, rate))
    if seen.out_of_fold_logits is None:
        val, train = seen.is_val, ~seen.is_val
        training = TrainingFeatures.of(seen.features[train], seen.labels[train])
        scores = ood_scores(score, seen.logits[val], seen.features[val], training)
        detectors.append(fit_ood_detector(score, scores, seen.known(seen.logits, val, "val"), rate))
    return max(detectors, key=lambda detector: detector.threshold)


def _qualities(run: "Run") -> list[ViewQuality]:
    """Look at the stored views, which are those that identification would see."""
    from leafid.learning import inference_views

    images = int(run.split["split"].isin(["train", "val"]).sum())
    qualities = []
    with progress_bar("Looking at views") as on_progress:
        for views in inference_views(run):
            qualities.append(view_quality(views.pixels, views.kinds, run.job.sheets))
            on_progress(len(qualities), images)
    return qualities


def _seen(run: "Run", bundle: Bundle, device: str) -> _Seen:
    """Run the network over train and val, by their prepared views."""
    import pandas as pd

    from leafid.learning import (
        augmented_copy_embeddings,
        blocked_folds,
        choose_device,
        load_network,
        out_of_fold_logits,
        predict_split,
    )

    network, split, where = load_network(bundle), run.split, choose_device(device)
    train, val = (predict_split(run, part, network, device=where) for part in ("train", "val"))
    rows = pd.concat([split[split["split"] == part] for part in ("train", "val")])
    order = np.argsort(rows.index, kind="stable")  # as in the split, where neighbours stand side by side
    rows = rows.iloc[order].reset_index(drop=True)
    labels = np.array(bundle.info.taxonomy.labels(list(rows["scientificName"])), dtype=np.int64)
    embeddings = np.concatenate([train.embeddings, val.embeddings])[order]
    is_train = np.asarray(rows["split"] == "train", dtype=bool)
    folds = blocked_folds(labels, list(rows["gathering_id"]))
    probe = run.info.probe
    return _Seen(
        rows=rows,
        labels=labels,
        logits=np.concatenate([train.logits, val.logits])[order],
        # Half precision: 2.5 kB for an image of 1,280 features; cosines change in the fourth digit.
        features=unit_length(embeddings).astype(np.float16).astype(np.float32),
        out_of_fold_logits=None
        if probe is None
        else out_of_fold_logits(
            network,
            (embeddings, labels),
            is_train,
            augmented_copy_embeddings(run, network, device=where),
            folds,
            shrinkage=probe.shrinkage,
            balanced=run.job.training.balance != "none",
        ),
        folds=folds,
    )
