"""The identifier: a loaded bundle that names the taxon on photos."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo, read_bundle
from leafid.cores import usable_cores
from leafid.errors import FailureReason, ImageError, UsageError
from leafid.identify.cautions import caution_of
from leafid.identify.engines.engine import Engine, EngineName
from leafid.identify.engines.engine_choice import choose_engine
from leafid.identify.inputs.prefetch import prefetch
from leafid.identify.leaf_characters import character_values
from leafid.identify.pipeline import OpenedImage, predict_in_order
from leafid.identify.question import TOP_CANDIDATES, Question
from leafid.identify.records import Candidate, CitedSpecimen, Record, Status, photo_metadata
from leafid.images import guard_image
from leafid.sheets import PreparedImage
from leafid.trust import (
    Identification,
    ImageQuality,
    ReferenceSpecimens,
    TrainingFeatures,
    calibrated_probabilities,
    decide,
    image_quality,
    ood_scores,
)
from leafid.version import __version__

if TYPE_CHECKING:
    from leafid.jobs import FetchingSettings

_NOT_FINITE = ImageError(
    FailureReason.NOT_PROCESSED, "the network's answer for this image is no number (NaN or infinity)"
)

DIGITS = 6
"""Decimal places of probabilities and similarities; further digits depend on batch size and machine."""


@dataclass(frozen=True)
class Identifier:
    """Identifies photos with a bundle.

    >>> for record in Identifier.load("runs/mitragyna/bundle").identify(["leaf.jpg"]):  # doctest: +SKIP
    ...     print(record.path, record.status, record.scientific_name, record.probability)
    """

    info: BundleInfo
    engine: Engine
    training: TrainingFeatures | None = None
    """FeatureExtractor of the training images; None for a bundle that was never calibrated."""
    references: ReferenceSpecimens | None = None
    """Reference specimens; None if no record cites any."""
    references_per_candidate: int = 0
    """Number of specimens that a record cites for each candidate."""
    cores: int = field(default_factory=usable_cores)
    """Number of CPU cores to use."""

    @property
    def engine_name(self) -> EngineName:
        """Name of the engine that runs the network."""
        return self.engine.name

    @classmethod
    def load(
        cls,
        bundle: Path | str,
        *,
        device: str = "auto",
        engine: EngineName | Literal["auto"] = "auto",
        references: int = 0,
        cores: int | None = None,
    ) -> Self:
        """Load a bundle, or the bundle of a run.

        Args:
            bundle: the bundle folder, or the run folder that holds it.
            device: ``auto`` (a GPU if available), ``cpu``, ``cuda`` or ``mps``.
            engine: ``torch``; ``openvino`` or ``onnx``, once ``export_engine`` has written it into the bundle; or
                ``auto``: on a CPU the fastest of those that are exported, else torch.
            references: number of reference specimens that a record cites for each candidate.
            cores: number of CPU cores to use; None: all that this process may use.

        Raises:
            BundleError: the bundle or the named engine is missing, damaged, not from leafid, or written by a newer
                leafid; or the bundle has no references to cite.
            InstallationError: the named engine is not installed.
            UsageError: the device or engine does not exist.
        """
        read = read_bundle(Path(bundle))
        return cls(
            read.info,
            choose_engine(read, engine, device=device, cores=cores),
            TrainingFeatures.of_bundle(read),
            ReferenceSpecimens.of_bundle(read) if references else None,
            references,
            cores or usable_cores(),
        )

    def identify(
        self,
        paths: Iterable[Path | str],
        *,
        batch_size: int | Literal["auto"] = "auto",
        workers: int | Literal["auto"] = "auto",
        top: int = TOP_CANDIDATES,
        characters: bool = False,
        keep_location: bool = False,
        fetching: "FetchingSettings | None" = None,
        taxa: Sequence[str] | None = None,
    ) -> Iterator[Record]:
        """Yield one record for each path, in order, in constant memory.

        A file that cannot be read gives a record with status ``failed``, not an error.

        Args:
            paths: image files and web addresses; folders, globs and tables are expanded by ``find_inputs``.
            batch_size: number of images in a forward pass; does not affect the result. ``auto``: the size at which
                the engine is fastest.
            workers: number of threads that decode images; ``auto``: one per CPU core.
            top: number of candidates in a record.
            characters: also measure the best leaf of each image; does not affect the identification.
            keep_location: copy the GPS position in a photo's EXIF into its record.
            fetching: settings for images from the web; None: the defaults of a job.
            taxa: the names among which each answer lies; None: all taxa of the bundle.

        Raises:
            UsageError: ``paths`` is a single path, or a number is below 1.
            TaxonomyError: a name in ``taxa`` is not among the bundle's.
        """
        if isinstance(paths, str | Path):
            raise UsageError(f"identify() takes a list of paths; write [{str(paths)!r}].")
        threads, size = self.cores if workers == "auto" else workers, self.batch_size(batch_size)
        if min(size, threads, top) < 1:
            raise UsageError(f"batch_size ({batch_size}), workers ({workers}) and top ({top}) must be at least 1.")
        labels = None if taxa is None else frozenset(self.info.taxonomy.labels(taxa))
        return self._records(paths, size, threads, Question(top, keep_location, labels), characters, fetching)

    def batch_size(self, setting: int | Literal["auto"] = "auto") -> int:
        """Return the number of images in a forward pass for the argument ``batch_size`` of ``identify``."""
        return (
            max(1, self.engine.views_per_batch // self.info.preprocessing.views.total) if setting == "auto" else setting
        )

    def _records(
        self,
        paths: Iterable[Path | str],
        batch_size: int,
        workers: int,
        question: Question,
        characters: bool,
        fetching: "FetchingSettings | None",
    ) -> Iterator[Record]:
        with prefetch(paths, fetching) as available:
            predicted = predict_in_order(
                available,
                self.info.preprocessing,
                lambda batch: list(self._predict(batch, question)),
                batch_size=batch_size,
                workers=workers,
                concurrency=self.engine.concurrency,
                characters=characters,
            )
            with closing(predicted) as batches:
                for records in batches:
                    yield from records

    def _predict(self, batch: Sequence[OpenedImage], question: Question) -> Iterator[Record]:
        qualities = [self._quality(opened) for opened in batch]
        usable = [
            (opened.image, quality)
            for opened, quality in zip(batch, qualities, strict=True)
            if isinstance(opened.image, PreparedImage) and not isinstance(quality, ImageError)
        ]
        images, measured = [image for image, _ in usable], [quality for _, quality in usable]
        decisions = iter(self._decide(images, measured, question.labels))
        for opened, quality in zip(batch, qualities, strict=True):
            failure = quality if isinstance(opened.image, PreparedImage) else opened.image
            if isinstance(failure, ImageError) or not isinstance(opened.image, PreparedImage):
                yield self._record(opened.path, Status.FAILED, reason=str(failure))
                continue
            try:
                decision = next(decisions)
                if isinstance(decision, ImageError):
                    raise decision
                identification, embedding = decision
                with guard_image(opened.path):
                    metadata = photo_metadata(opened.image.shot, question.keep_location)
                    record = self._identified(opened, identification, embedding, question.top, metadata)
            except ImageError as error:
                record = self._record(opened.path, Status.FAILED, reason=str(error))
            yield record

    def _decide(
        self,
        images: Sequence[PreparedImage],
        qualities: Sequence[ImageQuality | None],
        labels: frozenset[int] | None,
    ) -> list[tuple[Identification, NDArray[np.float32]] | ImageError]:
        """Return the decision and the embedding (F,) of each image; an error if the network's output is not finite."""
        if not images:
            return []
        output = self.engine.predict(images)
        scores: list[float | None] = [None] * len(images)
        if self.training is not None and self.info.ood_detector is not None:
            values = ood_scores(self.info.ood_detector.score, output.logits, output.embeddings, self.training)
            scores = [float(value) for value in values]
        rows = calibrated_probabilities(output.logits, self.info.calibration)
        return [
            (decide(row, self.info, ood_score=score, quality=quality, asked=labels), embedding)
            if np.isfinite(logits).all() and np.isfinite(embedding).all()
            else _NOT_FINITE
            for logits, embedding, row, score, quality in zip(
                output.logits, output.embeddings, rows, scores, qualities, strict=True
            )
        ]

    def _quality(self, opened: OpenedImage) -> ImageQuality | ImageError | None:
        """Measure the quality of an image if the bundle has limits on it; None if it has none or the image failed.

        Only then, because finding the plant takes longer than a forward pass. Full resolution is needed: on fewer
        pixels some views without a plant are taken to show one.
        """
        limits = self.info.decision
        without_limits = limits.min_side is None and limits.min_sharpness is None and not limits.needs_plant
        if without_limits or isinstance(opened.image, ImageError):
            return None
        try:
            with guard_image(opened.path):
                return image_quality(opened.image, self.info.preprocessing)
        except ImageError as error:
            return error

    def _identified(
        self,
        opened: OpenedImage,
        identification: Identification,
        embedding: NDArray[np.float32],
        top: int,
        metadata: dict[str, Any],
    ) -> Record:
        probabilities, target = dict(identification.candidates), self.info.taxonomy.target_label
        candidates = self._candidates(identification.candidates[:top])
        return self._record(
            opened.path,
            Status.IDENTIFIED if identification.identified else Status.UNDETERMINED,
            scientific_name=identification.name,
            taxon_rank=identification.rank and identification.rank.value,
            probability=round(identification.probability, DIGITS),
            target_probability=None if target is None else round(probabilities.get(target, 0.0), DIGITS),
            candidates=candidates,
            prediction_set=self._candidates(
                [(label, probabilities[label]) for label in identification.prediction_set or ()]
            ),
            specimens=self._specimens(embedding, [label for label, _ in identification.candidates[:top]]),
            reason=None if identification.reason is None else identification.reason.value,
            caution=caution_of(self.info, identification),
            excluded=self._candidates(identification.excluded[:top]),
            engine=self.engine.name,
            **({} if opened.leaf is None else character_values(opened.leaf, candidates)),
            **metadata,
        )

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

    def _record(self, path: str, status: Status, **fields: Any) -> Record:  # noqa: ANN401 -- the fields of a record
        return Record(path=path, status=status, **fields, bundle=self.info.identifier, leafid_version=__version__)
