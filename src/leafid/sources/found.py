"""What every kind of source hands to ``collect``: image files and what is known of them, and what was not taken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class SourceReason(StrEnum):
    """Why a file or row does not become an image of the catalog, beside the reasons of ``FailureReason``."""

    NO_TAXON = "no_taxon"
    NO_PATH = "no_path"
    WEB_ADDRESS = "web_address"
    WRONG_FIELDS = "wrong_fields"
    CHANGED = "changed"


@dataclass(frozen=True)
class Measured:
    """What is known of an image file that was opened: its SHA-256, and its upright size in pixels."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class FoundImage:
    """An image file, not yet opened unless it is ``measured``.

    ``values`` holds catalog columns and any others, without empty ones and without those that ``collect`` measures
    (``image_id``, ``path``, ``width``, ``height``); a ``sha256`` among them is compared with the file's.
    ``source`` says in the user's words where the image comes from.
    """

    file: Path
    source: str
    values: Mapping[str, str]
    measured: Measured | None = None


@dataclass(frozen=True)
class Failure:
    """One row of ``failures.csv``: a coded ``reason`` and a ``detail`` in plain words."""

    path: str
    source: str
    reason: str
    detail: str


@dataclass
class Found:
    """What a source holds. ``notes`` are sentences for the user, such as how many files are no images."""

    images: list[FoundImage] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
