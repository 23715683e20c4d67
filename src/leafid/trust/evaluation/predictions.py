"""What a bundle says of the images of an evaluation, decided as identification does."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from leafid.errors import ImageError
from leafid.progress import OnProgress
from leafid.trust.calibration import calibrated_probabilities
from leafid.trust.decision import Verdict, decide
from leafid.trust.evaluation.eval_set import EvalSet
from leafid.trust.image_quality import ImageQuality, image_quality
from leafid.trust.ood import TrainingFeatures, ood_scores


@dataclass(frozen=True)
class Predictions:
    """What came out: logits (N, T), NaN where a file could not be read; for each other, a verdict and its quality."""

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    verdicts: dict[int, Verdict]
    failures: dict[int, ImageError]
    qualities: dict[int, ImageQuality]

    @property
    def read(self) -> NDArray[np.bool_]:
        """Which files could be read: (N,)."""
        return np.asarray(~np.isnan(self.probabilities).any(axis=1))


def predict(asked: EvalSet, device: str, on_progress: OnProgress | None) -> Predictions:
    """Ask the network about every file, and decide as identification does."""
    from leafid.learning import choose_device, load_network, predict_files

    info = asked.bundle.info
    answers = predict_files(
        load_network(asked.bundle),
        asked.files,
        info.preprocessing,
        device=choose_device(device),
        inspect=partial(image_quality, preprocessing=info.preprocessing),
        on_progress=on_progress,
    )
    probabilities = calibrated_probabilities(answers.logits, info.calibration)
    read = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    training = TrainingFeatures.of_bundle(asked.bundle) if info.ood_detector is not None else None
    scores: list[float | None] = [None] * len(read)
    if training is not None and info.ood_detector is not None and len(read):
        values = ood_scores(info.ood_detector.score, answers.logits[read], answers.embeddings[read], training)
        scores = [float(value) for value in values]
    verdicts = {
        int(index): decide(probabilities[index], info, ood_score=score, quality=answers.inspections[int(index)])
        for index, score in zip(read, scores, strict=True)
    }
    return Predictions(answers.logits, probabilities, verdicts, answers.failures, answers.inspections)
