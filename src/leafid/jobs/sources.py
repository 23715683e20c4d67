"""Section ``sources``: where the images come from. Relative paths start at the folder in which leafid is called."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.section import Section


class FolderSource(Section):
    """A folder of folders, each named by its taxon: ``Mitragyna speciosa/sheet1.jpg`` (``_`` may be the space)."""

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
    columns: dict[str, str] = Field(default_factory=dict)
    """Catalog column: column of this file, for those that are named otherwise, such as ``scientificName: label``."""
    only: dict[str, str] = Field(default_factory=dict)
    """Take only the rows in which each of these columns of the file has exactly this value."""


class _PublicSource(Section):
    """What all sources of published occurrences have in common."""

    domain: Literal["specimen", "field"] = "specimen"
    """``specimen``: pressed sheets (PreservedSpecimen). ``field``: photos of living plants (HumanObservation); their
    rows are marked in the column ``domain``."""


class GbifSearchSource(_PublicSource):
    """GBIF's occurrence search for the taxa of the job; at most 100,000 records for each taxon."""

    kind: Literal["gbif_search"]
    """``gbif_search``."""
    institutions: tuple[str, ...] = ()
    """Only these institution codes, such as ``L`` or ``E``; left out: all."""
    datasets: tuple[str, ...] = ()
    """Only datasets with these keys; left out: all."""


class GbifDownloadSource(_PublicSource):
    """A GBIF download of the taxa of the job: any number of records, and a DOI to cite.

    It is requested with the user name and password in the environment variables GBIF_USER and GBIF_PWD, or in ~/.netrc
    for the host of the API; they never stand in the job.
    """

    kind: Literal["gbif_download"]
    """``gbif_download``."""
    key: Annotated[str, Field(pattern=r"^[0-9]{7}-[0-9]{15}$")] | None = None
    """Key of a download that exists already; it is fetched without a password."""
    poll: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds between two questions whether GBIF has made the file (minutes to hours)."""


class IdigbioSource(_PublicSource):
    """iDigBio's media search for the taxa of the job; at most 100,000 media for each name."""

    kind: Literal["idigbio"]
    """``idigbio``."""


class ArchiveSource(_PublicSource):
    """A Darwin Core Archive, as GBIF, iDigBio and herbaria publish them: a .zip or its unpacked folder."""

    kind: Literal["archive"]
    """``archive``."""
    path: Path | None = None
    """The archive on this machine."""
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Its web address, if it is to be fetched."""
    doi: Annotated[str, Field(pattern=r"^10\.[0-9]{4,9}/\S+$")] | None = None
    """DOI to cite; found by itself in downloads of GBIF."""

    @model_validator(mode="after")
    def _lies_in_one_place(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("needs either path or url")
        return self


WebSource = GbifSearchSource | GbifDownloadSource | IdigbioSource | ArchiveSource
"""The sources whose images lie on the web."""

Source = Annotated[
    FolderSource | TableSource | GbifSearchSource | GbifDownloadSource | IdigbioSource | ArchiveSource,
    Field(discriminator="kind"),
]
