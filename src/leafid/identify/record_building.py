"""Builds the record of a photo from its evidence, and that of a plant from the evidence of all its photos."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo
from leafid.errors import ImageError
from leafid.identify.cautions import caution_of, caution_of_photos
from leafid.identify.engines.engine import EngineName
from leafid.identify.evidence.leaf_characters import clearest_leaf, leaf_fields
from leafid.identify.evidence.photo_evidence import FailedPhoto, PhotoEvidence
from leafid.identify.evidence.pipeline import OpenedImage
from leafid.identify.next_question.in_records import open_taxa, question_text, shown_by
from leafid.identify.question import Question
from leafid.identify.records import Candidate, CitedSpecimen, PlantPhoto, Record, Status, photo_metadata
from leafid.images import guard_image
from leafid.trust import (
    Identification,
    ImageQuality,
    ReferenceSpecimens,
    UndeterminedReason,
    decide,
    l2_normalise,
    photo_correlation,
    pool_photos,
    quality_reason,
)
from leafid.version import __version__

DIGITS = 6
"""Decimal places of probabilities and similarities; further digits depend on batch size and machine."""

Photo = PhotoEvidence | FailedPhoto


@dataclass(frozen=True)
class RecordBuilder:
    """Builds the records of one bundle and engine for one question.

    Attributes:
        info: of the bundle.
        engine_name: what ran the network.
        references: reference specimens; None if no record cites any.
        references_per_candidate: number of specimens that a record cites for each candidate.
        question: what is asked.
    """

    info: BundleInfo
    engine_name: EngineName
    references: ReferenceSpecimens | None
    references_per_candidate: int
    question: Question

    def of_photo(self, photo: Photo, plant: str | None = None) -> Record:
        """Return the record of a photo; ``plant`` is the plant that it belongs to, if its record is asked for too."""
        if isinstance(photo, FailedPhoto):
            return self._failed(photo, plant)
        try:
            with guard_image(photo.opened.path):
                answer = self._decide(photo.probabilities, photo.ood_score, photo.quality)
                return self._record(photo, answer, photo.embedding, plant)
        except ImageError as error:
            return self._failed(FailedPhoto(photo.opened, error), plant)

    def of_plant(self, plant: str, photos: Sequence[Photo]) -> Record:
        """Return the record of a plant: its photos pooled, without those that are unsuitable or failed.

        The record of a plant with one photo has the probabilities of this photo. If every photo is unsuitable, the
        candidates are those of all photos that could be read, and the plant is undetermined for the reason of the
        first. If none could be read, the plant is failed.

        Args:
            plant: its name.
            photos: at least one, in order.
        """
        read = [photo for photo in photos if isinstance(photo, PhotoEvidence)]
        if not read:
            return self._failed_plant(plant, [photo for photo in photos if isinstance(photo, FailedPhoto)])
        suitable = [photo for photo in read if self._unsuitable(photo) is None]
        used = suitable or read
        rows = np.stack([photo.probabilities for photo in used])
        pooled = pool_photos(rows, photo_correlation(self.info.photo_pooling))
        scores = [photo.ood_score for photo in used if photo.ood_score is not None]
        quality = None if suitable else used[0].quality
        answer = self._decide(pooled, float(np.mean(scores)) if scores else None, quality)
        embedding = used[0].embedding
        if len(used) > 1:
            embedding = l2_normalise(np.stack([photo.embedding for photo in used])).mean(axis=0)
        listed = tuple(self._plant_photo(photo) for photo in photos)
        clearest = used[clearest_leaf([photo.opened.leaf for photo in used])]
        return self._record(used[0], answer, embedding, plant, photos=listed, leaf_of=clearest)

    def _unsuitable(self, photo: PhotoEvidence) -> UndeterminedReason | None:
        detector = self.info.ood_detector
        return quality_reason(self.info.decision, photo.quality, detector=detector, ood_score=photo.ood_score)

    def _decide(
        self, probabilities: NDArray[np.float64], ood_score: float | None, quality: ImageQuality | None
    ) -> Identification:
        return decide(probabilities, self.info, ood_score=ood_score, quality=quality, asked=self.question.labels)

    def _record(
        self,
        photo: PhotoEvidence,
        answer: Identification,
        embedding: NDArray[np.float32],
        plant: str | None,
        *,
        photos: tuple[PlantPhoto, ...] = (),
        leaf_of: PhotoEvidence | None = None,
    ) -> Record:
        probabilities, target, top = dict(answer.candidates), self.info.taxonomy.target_label, self.question.top
        candidates = self._candidates(answer.candidates[:top])
        measured = (leaf_of or photo).opened
        leaf, leaf_caution = (
            ({}, None) if measured.leaf is None else leaf_fields(measured.leaf, candidates, answer.name)
        )
        status = Status.IDENTIFIED if answer.identified else Status.UNDETERMINED
        reason = None if answer.reason is None else answer.reason.value
        prediction_set = self._candidates([(label, probabilities[label]) for label in answer.prediction_set or ()])
        if self.question.ask:
            taxa = open_taxa(status, reason, candidates, prediction_set)
            leaf["next_question"] = question_text(taxa, shown_by(measured.leaf))
        cautions = [caution_of(self.info, answer), caution_of_photos(photos, candidates[0].scientific_name)]
        if answer.identified:
            cautions.insert(1, leaf_caution)
        return Record(
            path=photo.opened.path,
            status=status,
            scientific_name=answer.name,
            taxon_rank=answer.rank and answer.rank.value,
            probability=round(answer.probability, DIGITS),
            target_probability=None if target is None else round(probabilities.get(target, 0.0), DIGITS),
            candidates=candidates,
            prediction_set=prediction_set,
            specimens=self._specimens(embedding, [label for label, _ in answer.candidates[:top]]),
            reason=reason,
            caution=" ".join(caution for caution in cautions if caution is not None) or None,
            excluded=self._candidates(answer.excluded[:top]),
            plant=plant,
            photos=photos,
            engine=self.engine_name,
            file_sha256=photo.opened.sha256,
            **leaf,
            **photo_metadata(photo.prepared.shot, self.question.keep_location),
            **self._stamp,
        )

    def _leaf(
        self, measured: OpenedImage, candidates: tuple[Candidate, ...], name: str | None
    ) -> tuple[dict[str, Any], str | None]:
        return ({}, None) if measured.leaf is None else leaf_fields(measured.leaf, candidates, name)

    def _failed(self, photo: FailedPhoto, plant: str | None) -> Record:
        return Record(
            path=photo.opened.path,
            status=Status.FAILED,
            reason=str(photo.error),
            plant=plant,
            file_sha256=photo.opened.sha256,
            **self._stamp,
        )

    def _failed_plant(self, plant: str, photos: Sequence[FailedPhoto]) -> Record:
        first = photos[0]
        reason = str(first.error)
        if len(photos) > 1:
            reason += f" (and {len(photos) - 1} more of {len(photos)} photos, none of which could be read)"
        listed = tuple(self._plant_photo(photo) for photo in photos)
        return Record(
            path=first.opened.path,
            status=Status.FAILED,
            reason=reason,
            plant=plant,
            photos=listed,
            caution=caution_of_photos(listed, None),
            file_sha256=first.opened.sha256,
            **self._stamp,
        )

    def _plant_photo(self, photo: Photo) -> PlantPhoto:
        if isinstance(photo, FailedPhoto):
            return PlantPhoto(photo.opened.path, left_out=str(photo.error), file_sha256=photo.opened.sha256)
        reason = self._unsuitable(photo)
        answer = self._decide(photo.probabilities, photo.ood_score, photo.quality)
        (first,) = self._candidates(answer.candidates[:1])
        return PlantPhoto(
            photo.opened.path,
            None if reason is None else reason.value,
            first.scientific_name,
            first.probability,
            photo.opened.sha256,
        )

    @property
    def _stamp(self) -> dict[str, Any]:
        return {"bundle": self.info.identifier, "leafid_version": __version__}

    def _candidates(self, ranked: Iterable[tuple[int, float]]) -> tuple[Candidate, ...]:
        names = self.info.taxonomy.names
        return tuple(Candidate(names[label], round(probability, DIGITS)) for label, probability in ranked)

    def _specimens(self, embedding: NDArray[np.float32], labels: Sequence[int]) -> tuple[CitedSpecimen, ...]:
        if self.references is None:
            return ()
        return tuple(
            CitedSpecimen(
                specimen.scientific_name,
                round(specimen.similarity, DIGITS),
                specimen.image_id,
                catalog_number=specimen.cited.get("catalogNumber"),
                institution_code=specimen.cited.get("institutionCode"),
                license=specimen.cited.get("license"),
                rights_holder=specimen.cited.get("rightsHolder"),
                references=specimen.cited.get("references"),
            )
            for specimen in self.references.nearest(embedding, labels, count=self.references_per_candidate)
        )
