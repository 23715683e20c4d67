"""Section ``sources``: where the images come from. Paths are relative to the folder in which leafid is called."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.section import Section

Domain = Literal["specimen", "field", "drawn"]
"""Kind of an image: a pressed sheet, a photo of a living plant, or a drawing."""


class FolderSource(Section):
    """A folder of folders, each named by its taxon: ``Mitragyna speciosa/sheet1.jpg`` (``_`` may be the space)."""

    kind: Literal["folder"]
    """``folder``."""
    path: Path
    """The outer folder."""
    domain: Domain | None = None
    """What its images show: ``specimen`` (pressed sheets), ``field`` (photos of living plants) or ``drawn``. The bundle
    states it with its limits. Default: not stated."""


class TableSource(Section):
    """A CSV file with one row per image: a path (relative to the CSV) and a scientific name.

    A row completes the same file of a folder or of an earlier table: its values take precedence, and it needs no name.
    """

    kind: Literal["table"]
    """``table``."""
    path: Path
    """The CSV file, UTF-8, with a header line."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Columns of the file with other names than in the catalog, as catalog column: file column, such as
    ``scientificName: label``."""
    domain: Domain | None = None
    """The kind of image where the file's column ``domain`` has no value; see ``folder``."""
    only: dict[str, str] = Field(default_factory=dict)
    """Use only the rows in which each of these columns of the file has exactly this value."""


class _PublicSource(Section):
    """Settings of all sources of published occurrences."""

    domain: Literal["specimen", "field"] = "specimen"
    """``specimen``: pressed sheets (PreservedSpecimen). ``field``: photos of living plants (HumanObservation); their
    rows are marked in the column ``domain``."""


class GbifSearchSource(_PublicSource):
    """GBIF's occurrence search for the taxa of the job; at most 100,000 records for each taxon."""

    kind: Literal["gbif_search"]
    """``gbif_search``."""
    institutions: tuple[str, ...] = ()
    """Only these institution codes, such as ``L`` or ``E``. Default: all."""
    datasets: tuple[str, ...] = ()
    """Only datasets with these keys. Default: all."""


class GbifDownloadSource(_PublicSource):
    """A GBIF download of the taxa of the job: any number of records, and a DOI to cite.

    The request needs a user name and password in the environment variables GBIF_USER and GBIF_PWD, or in ~/.netrc for
    the host of the API; never write them into the job.
    """

    kind: Literal["gbif_download"]
    """``gbif_download``."""
    key: Annotated[str, Field(pattern=r"^[0-9]{7}-[0-9]{15}$")] | None = None
    """Key of an existing download, which is fetched without a password."""
    poll: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds between two checks whether GBIF has created the file, which takes minutes to hours."""


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
    """The web address of an archive to fetch."""
    doi: Annotated[str, Field(pattern=r"^10\.[0-9]{4,9}/\S+$")] | None = None
    """DOI to cite; read automatically from GBIF downloads."""

    @model_validator(mode="after")
    def _has_one_location(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("needs either path or url")
        return self


WebSource = GbifSearchSource | GbifDownloadSource | IdigbioSource | ArchiveSource
"""The sources whose images are on the web."""

Source = Annotated[
    FolderSource | TableSource | GbifSearchSource | GbifDownloadSource | IdigbioSource | ArchiveSource,
    Field(discriminator="kind"),
]
