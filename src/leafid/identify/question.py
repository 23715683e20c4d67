"""What `Identifier.identify` can be asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from leafid.jobs import FetchingSettings

TOP_CANDIDATES = 5
"""Number of candidates in a record by default."""


class IdentifyOptions(TypedDict, total=False):
    """The keyword arguments of ``Identifier.identify``, for functions that pass them on."""

    batch_size: int | Literal["auto"]
    workers: int | Literal["auto"]
    top: int
    characters: bool
    ask: bool
    keep_location: bool
    fetching: "FetchingSettings | None"
    taxa: Sequence[str] | None


@dataclass(frozen=True)
class Question:
    """What is asked of each image.

    Attributes:
        top: number of candidates.
        keep_location: whether the record has the position of the photo.
        ask: whether the record has the next question.
        labels: those among which the answer lies; None: all.
    """

    top: int
    keep_location: bool
    ask: bool
    labels: frozenset[int] | None
