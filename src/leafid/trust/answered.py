"""What a bundle says of the images of an evaluation, decided as identification does."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from leafid.errors import ImageError
from leafid.progress import OnProgress
from leafid.trust.asked import Asked
from leafid.trust.decision import Verdict, decide
from leafid.trust.familiarity import TrainingFeatures, familiarity
from leafid.trust.image_quality import ImageQuality, image_quality
from leafid.trust.probabilities import probabilities


@dataclass(frozen=True)
class Answered:
    """What came out: logits (N, T), NaN where a file could not be read; for each other, a verdict and its quality."""

    logits: NDArray[np.float32]
    scores: NDArray[np.float64]
    verdicts: dict[int, Verdict]
    failures: dict[int, ImageError]
    qualities: dict[int, ImageQuality]

    @property
    def read(self) -> NDArray[np.bool_]:
        """Which files could be read: (N,)."""
        return np.asarray(~np.isnan(self.scores).any(axis=1))


def answer(asked: Asked, device: str, on_progress: OnProgress | None) -> Answered:
    """Ask the network about every file, and decide as identification does."""
    from leafid.learning import answers_of, choose_device, network_of

    info = asked.bundle.info
    answers = answers_of(
        network_of(asked.bundle),
        asked.files,
        info.preprocessing,
        device=choose_device(device),
        look=partial(image_quality, preprocessing=info.preprocessing),
        on_progress=on_progress,
    )
    scores = probabilities(answers.logits, info.calibration)
    read = np.flatnonzero(~np.isnan(scores).any(axis=1))
    training = TrainingFeatures.of_bundle(asked.bundle) if info.unknowns is not None else None
    familiarities: list[float | None] = [None] * len(read)
    if training is not None and info.unknowns is not None and len(read):
        values = familiarity(info.unknowns.score, answers.logits[read], answers.embeddings[read], training)
        familiarities = [float(value) for value in values]
    verdicts = {
        int(place): decide(scores[place], info, familiarity=familiar, quality=answers.looks[int(place)])
        for place, familiar in zip(read, familiarities, strict=True)
    }
    return Answered(answers.logits, scores, verdicts, answers.failures, answers.looks)
