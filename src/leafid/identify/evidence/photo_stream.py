"""Streams photos through decoding and the engine, and gives the records of photos or of plants in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from leafid.errors import ImageError, UsageError
from leafid.identify.evidence.photo_evidence import EvidenceReader, FailedPhoto, PhotoEvidence
from leafid.identify.evidence.pipeline import OpenedImage, predict_in_order
from leafid.identify.inputs.memory_images import Photo, as_input
from leafid.identify.inputs.prefetch import prefetch
from leafid.identify.plants.grouping import MAX_PHOTOS, Plant
from leafid.identify.record_building import RecordBuilder
from leafid.identify.records import Record

if TYPE_CHECKING:
    from leafid.jobs import FetchingSettings

T = TypeVar("T")


@dataclass(frozen=True)
class PhotoStream:
    """One run over photos.

    Attributes:
        reader: gives the evidence of each photo.
        builder: makes records of it.
        batch_size: number of images in a forward pass.
        workers: number of threads that decode images.
        characters: whether the best leaf of each image is measured.
        fetching: settings for images from the web.
    """

    reader: EvidenceReader
    builder: RecordBuilder
    batch_size: int
    workers: int
    characters: bool
    fetching: "FetchingSettings | None"

    def records(self, photos: Iterable[Photo]) -> Iterator[Record]:
        """Yield the record of each photo."""
        return self._each(photos, lambda batch: [self.builder.of_photo(photo) for photo in self.reader.read(batch)])

    def embeddings(self, photos: Iterable[Photo]) -> Iterator[NDArray[np.float32]]:
        """Yield the embedding of each photo: (F,).

        Raises:
            ImageError: a photo cannot be read; the message names it.
        """
        for photo in self._each(photos, self._evidence):
            if isinstance(photo, FailedPhoto):
                raise ImageError(photo.error.reason, f"{photo.opened.path}: {photo.error.detail}")
            yield photo.embedding

    def plant_records(self, plants: Iterable[Plant], *, photos_too: bool) -> Iterator[Record]:
        """Yield the record of each plant, and then those of its photos if they are asked for."""
        begun: deque[Plant] = deque()
        evidence = self._each(_photos_of(plants, begun), self._evidence)
        with closing(evidence):
            while True:
                first = next(evidence, None)
                if first is None:
                    return
                plant = begun.popleft()
                photos = [first, *islice(evidence, len(plant.photos) - 1)]
                yield self.builder.of_plant(plant.name, photos)
                if photos_too:
                    yield from (self.builder.of_photo(photo, plant.name) for photo in photos)

    def _evidence(self, batch: Sequence[OpenedImage]) -> list[PhotoEvidence | FailedPhoto]:
        return [photo if isinstance(photo, FailedPhoto) else photo.without_views() for photo in self.reader.read(batch)]

    def _each(
        self, photos: Iterable[Photo], results_of_batch: Callable[[Sequence[OpenedImage]], list[T]]
    ) -> Generator[T, None, None]:
        inputs = (as_input(photo, number) for number, photo in enumerate(photos, start=1))
        with prefetch(inputs, self.fetching) as available:
            predicted = predict_in_order(
                available,
                self.reader.info.preprocessing,
                results_of_batch,
                batch_size=self.batch_size,
                workers=self.workers,
                concurrency=self.reader.engine.concurrency,
                characters=self.characters,
                judged=self.reader.info.decision.min_good is not None,
            )
            with closing(predicted) as batches:
                for results in batches:
                    yield from results


def _photos_of(plants: Iterable[Plant], begun: deque[Plant]) -> Iterator[Photo]:
    """Yield the photos of plants one plant after the other, and append each plant to ``begun`` before its first."""
    for plant in plants:
        photos = plant.photos
        if not photos:
            raise UsageError(f"The plant {plant.name} has no photo.")
        if len(photos) > MAX_PHOTOS:
            raise UsageError(
                f"The plant {plant.name} has {len(photos):,} photos, more than {MAX_PHOTOS:,}. Do they really show one "
                "plant? Divide the photos in another way."
            )
        begun.append(plant)
        yield from photos
