"""Counts of a run over many images."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from leafid.errors import ExitCode
from leafid.identify.records import Record, Status


@dataclass(frozen=True)
class Summary:
    """Counts of a run.

    Attributes:
        statuses: number of images by status, with all three statuses.
        taxa: number of identified images by name, most frequent first.
        reasons: number of images without a name by reason code, most frequent first.
        failed_photos: number of photos that could not be read, in the records of plants.
        resumed: number of images from an earlier, interrupted run; included in all counts.
        seconds: duration of this run without loading.
    """

    statuses: dict[Status, int]
    taxa: dict[str, int]
    reasons: dict[str, int]
    resumed: int
    seconds: float
    failed_photos: int = 0

    @property
    def images(self) -> int:
        """Number of images, equal to the number of records; with ``--plant-by``, of plants."""
        return sum(self.statuses.values())

    @property
    def images_per_second(self) -> float:
        """Throughput of this run; 0 if there was nothing to do."""
        return (self.images - self.resumed) / self.seconds if self.seconds else 0.0

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of the command: 0 if every image could be read, else 3."""
        return ExitCode.SOME_FAILED if self.statuses[Status.FAILED] or self.failed_photos else ExitCode.OK


class Tally:
    """Running counts of records."""

    def __init__(self) -> None:
        self._statuses: Counter[Status] = Counter(dict.fromkeys(Status, 0))
        self._taxa: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._failed_photos = 0

    @property
    def images(self) -> int:
        """Number of records so far."""
        return self._statuses.total()

    def add(self, records: Iterable[Record]) -> None:
        """Add records to the counts."""
        for record in records:
            self._statuses[record.status] += 1
            if record.scientific_name is not None:
                self._taxa[record.scientific_name] += 1
            if record.reason_code is not None:
                self._reasons[record.reason_code] += 1
            self._failed_photos += sum(photo.scientific_name is None for photo in record.photos)

    def summary(self, *, resumed: int, seconds: float) -> Summary:
        """Return the counts."""
        return Summary(
            dict(self._statuses),
            dict(self._taxa.most_common()),
            dict(self._reasons.most_common()),
            resumed,
            seconds,
            self._failed_photos,
        )
