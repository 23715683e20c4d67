"""The identifier: a loaded bundle that names photos."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo, read_bundle
from leafid.cores import usable_cores
from leafid.errors import UsageError
from leafid.exif import CaptureInfo
from leafid.identify.engines.engine import Engine, EngineName
from leafid.identify.engines.engine_choice import choose_engine
from leafid.identify.leaf_characters import character_values
from leafid.identify.pipeline import Opened, answered_in_order
from leafid.identify.prefetch import prefetched
from leafid.identify.records import Candidate, CitedSpecimen, Record, Status
from leafid.jobs import FetchingSettings
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

TOP = 5
"""Candidates that a record lists."""

DIGITS = 6
"""Decimal places of scores; beyond them they depend on the batch and the machine."""


class IdentifyOptions(TypedDict, total=False):
    """The options of ``Identifier.identify``, for those who pass them on."""

    batch_size: int | Literal["auto"]
    workers: int | Literal["auto"]
    top: int
    characters: bool
    keep_location: bool
    fetching: FetchingSettings | None


@dataclass(frozen=True)
class Identifier:
    """Names photos with a bundle.

    >>> for record in Identifier.load("runs/mitragyna/bundle").identify(["leaf.jpg"]):  # doctest: +SKIP
    ...     print(record.path, record.status, record.scientific_name, record.probability)
    """

    info: BundleInfo
    engine: Engine
    training: TrainingFeatures | None = None
    """Features of the training images; None for a bundle that was never calibrated."""
    references: ReferenceSpecimens | None = None
    """The known specimens, where they are to be cited."""
    cited: int = 0
    """Specimens that a record cites for each of its candidates."""
    cores: int = field(default_factory=usable_cores)
    """CPU cores that it may keep busy."""

    @property
    def engine_name(self) -> EngineName:
        """What runs the network."""
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
            device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``mps``.
            engine: ``torch``; ``openvino`` or ``onnx``, once ``export_engine`` has written it into the bundle; or
                ``auto``: on a CPU the fastest of those that are there, else torch.
            references: known specimens that a record cites for each of its candidates.
            cores: CPU cores to keep busy; None: all that this process may use.

        Raises:
            BundleError: it is missing, damaged, foreign, or written by a newer leafid; or so is the engine named; or
                references are asked for and it has none.
            InstallationError: the engine named is not installed.
            UsageError: there is no such device or engine.
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
        top: int = TOP,
        characters: bool = False,
        keep_location: bool = False,
        fetching: FetchingSettings | None = None,
    ) -> Iterator[Record]:
        """Yield one record for each path, in order, as the work goes on; memory does not grow with the number of paths.

        A file that cannot be read gives a record with status ``failed`` and never an error.

        Args:
            paths: image files and web addresses; folders, globs and tables are expanded by ``find_inputs``.
            batch_size: images that go through the network together; does not change the answers. ``auto``: as many as
                the engine is fast with.
            workers: threads that open images; ``auto``: one for each CPU core.
            top: candidates that a record lists.
            characters: also measure the best leaf of each image; does not change the answers.
            keep_location: copy the position in a photo's EXIF into its record.
            fetching: how images are taken from the web, where there are any; None: as in a job without that section.

        Raises:
            UsageError: ``paths`` is a single path, or a number is below 1.
        """
        if isinstance(paths, str | Path):
            raise UsageError(f"identify() takes a list of paths; write [{str(paths)!r}].")
        threads, size = self.cores if workers == "auto" else workers, self.batch_size(batch_size)
        if min(size, threads, top) < 1:
            raise UsageError(f"batch_size ({batch_size}), workers ({workers}) and top ({top}) must be at least 1.")
        return self._records(paths, size, threads, top, characters, keep_location, fetching or FetchingSettings())

    def batch_size(self, setting: int | Literal["auto"] = "auto") -> int:
        """Return how many images go through the network together, given the setting of ``identify``."""
        return (
            max(1, self.engine.views_at_once // self.info.preprocessing.views.total) if setting == "auto" else setting
        )

    def _records(
        self,
        paths: Iterable[Path | str],
        batch_size: int,
        workers: int,
        top: int,
        characters: bool,
        keep_location: bool,
        fetching: FetchingSettings,
    ) -> Iterator[Record]:
        with prefetched(paths, fetching) as there:
            answers = answered_in_order(
                there,
                self.info.preprocessing,
                lambda batch: list(self._answers(batch, top, keep_location)),
                batch_size=batch_size,
                workers=workers,
                at_once=self.engine.at_once,
                characters=characters,
            )
            with closing(answers) as batches:
                for records in batches:
                    yield from records

    def _answers(self, batch: Sequence[Opened], top: int, keep_location: bool) -> Iterator[Record]:
        verdicts = iter(self._verdicts([one.image for one in batch if isinstance(one.image, PreparedImage)]))
        for one in batch:
            if isinstance(one.image, PreparedImage):
                yield self._answer(one, *next(verdicts), top, _told_by_camera(one.image.shot, keep_location))
            else:
                yield self._record(one.path, Status.FAILED, reason=str(one.image))

    def _verdicts(self, images: Sequence[PreparedImage]) -> list[tuple[Identification, NDArray[np.float32]]]:
        """Decide on each image, by all its views together; its features (F,) are told too."""
        if not images:
            return []
        answers = self.engine.answer(images)
        scores: list[float | None] = [None] * len(images)
        if self.training is not None and self.info.ood_detector is not None:
            values = ood_scores(self.info.ood_detector.score, answers.logits, answers.embeddings, self.training)
            scores = [float(value) for value in values]
        rows = calibrated_probabilities(answers.logits, self.info.calibration)
        verdicts = [
            decide(row, self.info, ood_score=score, quality=self._quality(image))
            for row, score, image in zip(rows, scores, images, strict=True)
        ]
        return list(zip(verdicts, answers.embeddings, strict=True))

    def _quality(self, image: PreparedImage) -> ImageQuality | None:
        """Look at an image where the bundle has limits for that: to find a plant takes longer than to name it.

        About 9 ms of a core for a view of 224 pixels, whatever the size of the photo. On a quarter of the pixels it
        takes 3, but of 72 views without a plant 2 were then said to show one, so that answers would change.
        """
        limits = self.info.decision
        if limits.min_side is None and limits.min_sharpness is None and not limits.needs_plant:
            return None
        return image_quality(image, self.info.preprocessing)

    def _answer(
        self, opened: Opened, verdict: Identification, features: NDArray[np.float32], top: int, told: dict[str, Any]
    ) -> Record:
        probabilities, target = dict(verdict.candidates), self.info.taxonomy.target_label
        candidates = self._candidates(verdict.candidates[:top])
        return self._record(
            opened.path,
            Status.IDENTIFIED if verdict.identified else Status.UNDETERMINED,
            scientific_name=verdict.name,
            taxon_rank=verdict.rank and verdict.rank.value,
            probability=round(verdict.probability, DIGITS),
            target_probability=None if target is None else round(probabilities[target], DIGITS),
            candidates=candidates,
            prediction_set=self._candidates([(label, probabilities[label]) for label in verdict.prediction_set or ()]),
            specimens=self._specimens(features, [label for label, _ in verdict.candidates[:top]]),
            reason=None if verdict.reason is None else verdict.reason.value,
            engine=self.engine.name,
            **({} if opened.leaf is None else character_values(opened.leaf, candidates)),
            **told,
        )

    def _candidates(self, scored: Iterable[tuple[int, float]]) -> tuple[Candidate, ...]:
        names = self.info.taxonomy.names
        return tuple(Candidate(names[label], round(probability, DIGITS)) for label, probability in scored)

    def _specimens(self, features: NDArray[np.float32], labels: Sequence[int]) -> tuple[CitedSpecimen, ...]:
        if self.references is None:
            return ()
        return tuple(
            CitedSpecimen(
                one.scientific_name,
                round(one.similarity, DIGITS),
                one.image_id,
                catalog_number=one.cited.get("catalogNumber"),
                institution_code=one.cited.get("institutionCode"),
                license=one.cited.get("license"),
                rights_holder=one.cited.get("rightsHolder"),
                references=one.cited.get("references"),
            )
            for one in self.references.nearest(features, labels, count=self.cited)
        )

    def _record(self, path: str, status: Status, **answer: Any) -> Record:  # noqa: ANN401 -- the fields of a record
        return Record(path=path, status=status, **answer, bundle=self.info.identifier, leafid_version=__version__)


def _told_by_camera(shot: CaptureInfo, keep_location: bool) -> dict[str, Any]:
    """The fields of a record that tell how the photo came about; the position only where it is asked for."""
    told: dict[str, Any] = {"photo_taken": shot.taken, "camera": shot.camera}
    if keep_location and shot.position is not None:
        told["latitude"], told["longitude"] = shot.position
    return told
