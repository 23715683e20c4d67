"""Section ``sources``: where the images come from. Relative paths start at the folder in which leafid is called."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from leafid.jobs.section import Section


class FolderSource(Section):
    """A folder of folders, each named by its taxon: ``Mitragyna speciosa/sheet1.jpg`` (``_`` may stand for the space)."""

    kind: Literal["folder"]
    """``folder``."""
    path: Path
    """The outer folder."""


class TableSource(Section):
    """A CSV file with one row per image: a path (relative to the CSV) and a scientific name."""

    kind: Literal["table"]
    """``table``."""
    path: Path
    """The CSV file, UTF-8, with a header line."""
    columns: dict[str, str] = {}
    """Catalog column: column of this file, for those that are named otherwise, such as ``scientificName: label``."""
    only: dict[str, str] = {}
    """Take only the rows in which each of these columns of the file has exactly this value."""


Source = Annotated[FolderSource | TableSource, Field(discriminator="kind")]
