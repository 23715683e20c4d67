"""The types that every kind of source returns to ``collect``: images, failures and notes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

MAX_LISTED_FAILURES = 1000
"""Rows of one file that cannot be read are listed up to this number, and counted beyond."""


class SourceFailureReason(StrEnum):
    """Why a file or row does not become a catalog row, in addition to the reasons of ``FailureReason``."""

    NO_TAXON = "no_taxon"
    NO_PATH = "no_path"
    WEB_ADDRESS = "web_address"
    WRONG_FIELDS = "wrong_fields"
    CHANGED = "changed"
    UNREADABLE_RECORD = "unreadable_record"


@dataclass(frozen=True)
class ImageFileInfo:
    """SHA-256 and upright size in pixels of an image file that was decoded."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class SourceImage:
    """An image file of a source, not yet opened unless ``file_info`` is given.

    Attributes:
        file: the image file.
        source: where the image comes from, in the user's words.
        values: catalog columns and any further ones, without empty values and without the columns that ``collect``
            measures itself (``image_id``, ``path``, ``width``, ``height``). A ``sha256`` is compared with the file's.
        file_info: given where the file has been decoded already, as after fetching.
    """

    file: Path
    source: str
    values: Mapping[str, str]
    file_info: ImageFileInfo | None = None


@dataclass(frozen=True)
class Failure:
    """One row of ``failures.csv``: a coded ``reason`` and a ``detail`` in plain words."""

    path: str
    source: str
    reason: str
    detail: str


@dataclass
class SourceResult:
    """What a source contains. ``notes`` are sentences for the user, such as how many files are not images."""

    images: list[SourceImage] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
