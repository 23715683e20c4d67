"""What a run over many images comes to, in numbers."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from leafid.errors import ExitCode
from leafid.identify.records import Record, Status


@dataclass(frozen=True)
class Summary:
    """What a run comes to.

    Attributes:
        statuses: images by status; all three are present.
        taxa: identified images by name, the most frequent first.
        reasons: images without a name by the code of their reason, the most frequent first.
        earlier: images whose records an interrupted run had left; contained in all counts.
        seconds: duration of this run, loading not included.
    """

    statuses: dict[Status, int]
    taxa: dict[str, int]
    reasons: dict[str, int]
    earlier: int
    seconds: float

    @property
    def images(self) -> int:
        """Number of images, which is the number of records."""
        return sum(self.statuses.values())

    @property
    def images_per_second(self) -> float:
        """Speed of this run; 0 when it had nothing to do."""
        return (self.images - self.earlier) / self.seconds if self.seconds else 0.0

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends: 0 when every image could be read, else 3."""
        return ExitCode.SOME_FAILED if self.statuses[Status.FAILED] else ExitCode.OK


class Tally:
    """Counts records as they come."""

    def __init__(self) -> None:
        self._statuses: Counter[Status] = Counter(dict.fromkeys(Status, 0))
        self._taxa: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    @property
    def images(self) -> int:
        """Records so far."""
        return self._statuses.total()

    def add(self, records: Iterable[Record]) -> None:
        """Count records."""
        for record in records:
            self._statuses[record.status] += 1
            if record.scientific_name is not None:
                self._taxa[record.scientific_name] += 1
            if record.reason_code is not None:
                self._reasons[record.reason_code] += 1

    def summary(self, *, earlier: int, seconds: float) -> Summary:
        """Return what has been counted."""
        return Summary(
            dict(self._statuses), dict(self._taxa.most_common()), dict(self._reasons.most_common()), earlier, seconds
        )
