"""From a trained run to a bundle that can be trusted: what is fitted on validation images is written into it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle, BundleInfo, read_bundle, write_trust
from leafid.errors import RunError
from leafid.trust.calibration import Known, fit_calibration
from leafid.trust.familiarity import SHIPPED, TrainingFeatures, familiarity, fit_unknowns
from leafid.trust.image_quality import fit_min_sharpness, plants_are_found, qualities_of
from leafid.trust.model_card import measured_card
from leafid.trust.prediction_sets import fit_prediction_sets
from leafid.trust.probabilities import probabilities
from leafid.trust.references import reference_table

if TYPE_CHECKING:
    import pandas as pd

    from leafid.learning import Run

MIN_SIDE = 0.5
"""An image is too small when its shorter side has less than this share of the side that the network sees."""


PARTS: tuple[Literal["train", "val"], ...] = ("train", "val")


@dataclass(frozen=True)
class _Seen:
    """Rows of the split, their files, labels, and what the network says about them."""

    rows: "pd.DataFrame"
    files: list[Path]
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    features: NDArray[np.float32]

    def known(self, split: str) -> Known:
        return Known(self.logits, self.labels, list(self.rows["gathering_id"]), split)


def fit_trust(run: Path, *, device: str = "auto") -> Bundle:
    """Fit temperature, prediction sets and limits on the run's validation images, and write them into its bundle.

    The features of the training images go into the bundle too: they tell what is familiar. Test images have no part.

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
    train, val = (_looked_at(opened, part, bundle, device) for part in PARTS)
    training = TrainingFeatures.of(train.features, train.labels)
    info = _fitted(bundle.info, val, training, opened)
    table = reference_table(opened, train.rows)
    # Half precision: 2.5 kB for an image of 1,280 features; cosines change in the fourth digit.
    references: dict[str, NDArray[np.generic]] = {
        "features": training.features.astype(np.float16),
        "labels": training.labels,
    }
    return write_trust(bundle, info, measured_card(info, opened.split), references, table)


def _fitted(info: BundleInfo, val: _Seen, training: TrainingFeatures, run: "Run") -> BundleInfo:
    settings, known = run.job.trust, val.known("val")
    calibration = fit_calibration(known, seed=run.job.seed)
    scores = probabilities(known.logits, calibration)
    qualities = [quality for quality in qualities_of(val.files, info.preprocessing) if quality is not None]
    # As it will be read back, so that a training image is compared with the same numbers later.
    stored = TrainingFeatures.of(training.features.astype(np.float16).astype(np.float32), training.labels)
    return info.model_copy(
        update={
            "calibration": calibration,
            "prediction_sets": fit_prediction_sets(scores, known, settings.coverage),
            "unknowns": fit_unknowns(
                familiarity(SHIPPED, val.logits, val.features, stored), known, settings.known_accepted
            ),
            "decision": info.decision.model_copy(
                update={
                    "min_score": settings.min_score,
                    "min_side": round(MIN_SIDE * info.preprocessing.size),
                    "min_sharpness": fit_min_sharpness(qualities),
                    "needs_plant": plants_are_found(qualities),
                }
            ),
        }
    )


def _looked_at(run: "Run", part: Literal["train", "val"], bundle: Bundle, device: str) -> _Seen:
    """Run the network over one part of the split, by its prepared views."""
    from leafid.learning import answers_for, choose_device, network_of

    rows = run.split[run.split["split"] == part].reset_index(drop=True)
    answers = answers_for(run, part, network_of(bundle), device=choose_device(device))
    labels = np.array(bundle.info.taxonomy.labels(list(rows["scientificName"])), dtype=np.int64)
    return _Seen(rows, run.image_paths(rows), labels, answers.logits, answers.embeddings)
