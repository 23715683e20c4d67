"""What bundle and measurements say about each photo of a batch: the evidence for the answer on it or on its plant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo
from leafid.errors import FailureReason, ImageError
from leafid.identify.engines.engine import Engine
from leafid.identify.evidence.leaf_characters import without_pixels
from leafid.identify.evidence.pipeline import OpenedImage
from leafid.images import guard_image
from leafid.sheets import PreparedImage
from leafid.trust import ImageQuality, TrainingFeatures, calibrated_probabilities, image_quality, ood_scores

_NOT_FINITE = ImageError(
    FailureReason.NOT_PROCESSED, "the network's answer for this image is no number (NaN or infinity)"
)


@dataclass(frozen=True)
class FailedPhoto:
    """A photo that could not be read or processed."""

    opened: OpenedImage
    error: ImageError


@dataclass(frozen=True)
class PhotoEvidence:
    """What is known about one photo.

    Attributes:
        opened: path, capture info and measured leaf.
        prepared: its views.
        probabilities: (T,), calibrated, in label order.
        embedding: (F,).
        ood_score: None if the bundle has no OOD detector.
        quality: None if the bundle has no limits on it.
    """

    opened: OpenedImage
    prepared: PreparedImage
    probabilities: NDArray[np.float64]
    embedding: NDArray[np.float32]
    ood_score: float | None
    quality: ImageQuality | None

    def without_views(self) -> "PhotoEvidence":
        """Return a copy without the pixels, which take most of the memory."""
        prepared = replace(self.prepared, views=())
        opened = replace(self.opened, image=prepared, leaf=without_pixels(self.opened.leaf))
        return replace(self, opened=opened, prepared=prepared)


@dataclass(frozen=True)
class EvidenceReader:
    """Runs the engine of a bundle on batches of opened photos, and measures their quality and OOD score."""

    info: BundleInfo
    engine: Engine
    training: TrainingFeatures | None

    def read(self, batch: Sequence[OpenedImage]) -> list[PhotoEvidence | FailedPhoto]:
        """Return the evidence of each photo, in order; batches do not affect the result."""
        qualities = [self._quality(opened) for opened in batch]
        usable = [
            (opened, opened.image, quality)
            for opened, quality in zip(batch, qualities, strict=True)
            if isinstance(opened.image, PreparedImage) and not isinstance(quality, ImageError)
        ]
        predicted = iter(self._predicted(usable))
        read: list[PhotoEvidence | FailedPhoto] = []
        for opened, quality in zip(batch, qualities, strict=True):
            failure = quality if isinstance(opened.image, PreparedImage) else opened.image
            read.append(FailedPhoto(opened, failure) if isinstance(failure, ImageError) else next(predicted))
        return read

    def embeddings(self, images: Sequence[PreparedImage]) -> NDArray[np.float32]:
        """Return the embedding of each image: (N, F).

        Raises:
            ImageError: one of them is no number.
        """
        embeddings = self.engine.predict(images).embeddings
        if not np.isfinite(embeddings).all():
            raise _NOT_FINITE
        return embeddings

    def _predicted(
        self, usable: Sequence[tuple[OpenedImage, PreparedImage, ImageQuality | None]]
    ) -> list[PhotoEvidence | FailedPhoto]:
        if not usable:
            return []
        output = self.engine.predict([prepared for _, prepared, _ in usable])
        scores: list[float | None] = [None] * len(usable)
        if self.training is not None and self.info.ood_detector is not None:
            values = ood_scores(
                self.info.ood_detector, self.info.calibration, output.logits, output.embeddings, self.training
            )
            scores = [float(value) for value in values]
        rows = calibrated_probabilities(output.logits, self.info.calibration)
        finite = np.isfinite(np.concatenate([output.logits, output.embeddings], axis=1)).all(axis=1)
        return [
            PhotoEvidence(opened, prepared, row, embedding, score, quality)
            if is_finite
            else FailedPhoto(opened, _NOT_FINITE)
            for (opened, prepared, quality), row, embedding, score, is_finite in zip(
                usable, rows, output.embeddings, scores, finite, strict=True
            )
        ]

    def _quality(self, opened: OpenedImage) -> ImageQuality | ImageError | None:
        """Measure the quality of an image if the bundle has limits on it; None if it has none or the image failed."""
        limits = self.info.decision
        without_limits = limits.min_side is None and limits.min_good is None
        if without_limits or isinstance(opened.image, ImageError):
            return None
        try:
            with guard_image(opened.path):
                return image_quality(opened.image)
        except ImageError as error:
            return error
