"""The types that every kind of source returns to ``collect``: images, failures and notes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

MAX_LISTED_FAILURES = 1000
"""Rows of one file that cannot be read are listed up to this number, and counted beyond."""


class SourceFailureReason(StrEnum):
    """Why a file or row does not become a catalog row, in addition to the reasons of ``FailureReason``.

    The string below each code says what it means; its second paragraph, what to do.
    """

    NO_TAXON = "no_taxon"
    """The image has no name.

    Put it into a folder named by its taxon, or fill in ``scientificName`` in the table.
    """
    NO_PATH = "no_path"
    """The row of the table has no path.

    Fill it in, or take the row out.
    """
    WEB_ADDRESS = "web_address"
    """The row has a web address where a file is needed.

    Download the image, and write the path of the file.
    """
    WRONG_FIELDS = "wrong_fields"
    """The row has more or fewer fields than the header.

    Put text with commas between quotation marks.
    """
    CHANGED = "changed"
    """The SHA-256 of the file is not the one that the source states.

    Fetch the file again, or correct the table.
    """
    UNREADABLE_RECORD = "unreadable_record"
    """The record of a public source has values that make no sense.

    Nothing; the other records are used.
    """


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


def file_key(path: Path) -> str:
    """Return a text that is equal for two paths of the same file, but for links."""
    return os.path.normcase(os.path.abspath(path))
