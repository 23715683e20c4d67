"""Predictions of a bundle for an evaluation set, with the same decisions as in identification."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.errors import ImageError
from leafid.progress import OnProgress
from leafid.trust.calibration import calibrated_probabilities
from leafid.trust.decision import Identification, decide
from leafid.trust.evaluation.eval_set import EvalSet
from leafid.trust.image_quality import QualityWithSharpness, quality_with_sharpness
from leafid.trust.ood import ood_scores
from leafid.trust.training_features import TrainingFeatures


@dataclass(frozen=True)
class Predictions:
    """Output for the N files of an evaluation set.

    Attributes:
        logits: (N, T); NaN for files that could not be read.
        probabilities: (N, T), calibrated; NaN for files that could not be read.
        identifications: by index of the file, for those that could be read.
        failures: by index of the file, for the others.
        qualities: by index of the file, for those that could be read.
    """

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    identifications: dict[int, Identification]
    failures: dict[int, ImageError]
    qualities: dict[int, QualityWithSharpness]

    @property
    def read(self) -> NDArray[np.bool_]:
        """Which files could be read: (N,)."""
        return np.asarray(~np.isnan(self.probabilities).any(axis=1))


def predict(eval_set: EvalSet, device: str, on_progress: OnProgress | None) -> Predictions:
    """Predict every file of an evaluation set."""
    from leafid.learning import choose_device, load_network, predict_files

    info = eval_set.bundle.info
    output = predict_files(
        load_network(eval_set.bundle),
        eval_set.files,
        info.preprocessing,
        device=choose_device(device),
        inspect=quality_with_sharpness,
        judged=info.decision.min_good is not None,
        on_progress=on_progress,
    )
    probabilities = calibrated_probabilities(output.logits, info.calibration)
    read = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    training = TrainingFeatures.of_bundle(eval_set.bundle) if info.ood_detector is not None else None
    scores: list[float | None] = [None] * len(read)
    if training is not None and info.ood_detector is not None and len(read):
        values = ood_scores(info.ood_detector, info.calibration, output.logits[read], output.embeddings[read], training)
        scores = [float(value) for value in values]
    identifications = {
        int(index): decide(probabilities[index], info, ood_score=score, quality=output.inspections[int(index)])
        for index, score in zip(read, scores, strict=True)
    }
    return Predictions(output.logits, probabilities, identifications, output.failures, output.inspections)
