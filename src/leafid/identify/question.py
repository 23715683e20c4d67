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
    keep_location: bool
    fetching: "FetchingSettings | None"
    taxa: Sequence[str] | None


@dataclass(frozen=True)
class Question:
    """What is asked of each image: the number of candidates, the position of the photo, and the labels, None: all."""

    top: int
    keep_location: bool
    labels: frozenset[int] | None
